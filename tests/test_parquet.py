"""Many files, many processes, one evaluation: shares of rows, model files, and the command that joins them."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from sklearn.preprocessing import StandardScaler

from sdss_lesson import (
    FEATURES,
    Evaluation,
    NeuralNet,
    ParquetBatches,
    SDSSDataset,
    evaluate,
    load_model,
    save_model,
)
from sdss_lesson.scale.evaluate import main

pytest.importorskip("pyarrow", reason="pyarrow is in the extra 'big'.")
ROOT = Path(__file__).resolve().parents[1]
N = 1_999


@pytest.fixture
def folder(sample, tmp_path):
    """Three files of very unequal length, in row groups that no share keeps to."""
    path = tmp_path / "rows"
    path.mkdir()
    for number, (begin, end) in enumerate([(0, 1), (1, 1_700), (1_700, 1_700), (1_700, N)]):
        sample[begin:end].to_parquet(path / f"part-{number}.parquet", row_group_size=130)
    return path


@pytest.fixture
def scaler(sample):
    return StandardScaler().fit(sample[FEATURES])


@pytest.mark.parametrize("batch_size", [17, 8192])
@pytest.mark.parametrize("world_size", [1, 2, 3, 4, 7])
def test_every_row_is_read_on_one_rank_and_in_order(sample, folder, scaler, world_size, batch_size):
    expected = SDSSDataset(sample[:N], scaler=scaler)
    shares = [
        list(ParquetBatches(folder, scaler=scaler, rank=rank, world_size=world_size, batch_size=batch_size))
        for rank in range(world_size)
    ]
    for at, whole in enumerate([expected.features, expected.labels]):
        assert torch.equal(torch.cat([batch[at] for share in shares for batch in share]), whole)
    sizes = [sum(len(labels) for _, labels in share) for share in shares]
    assert max(sizes) - min(sizes) <= 1
    assert max(len(labels) for share in shares for _, labels in share) <= batch_size


@pytest.mark.parametrize("world_size", [1, 3])
def test_rows_are_told_apart_by_their_place_and_not_by_the_index_that_a_frame_had(sample, tmp_path, world_size):
    for number in range(4):
        part = sample[number * 500 : (number + 1) * 500]
        (part if number % 2 else part.set_index("objid")).to_parquet(tmp_path / f"part-{number}.parquet")
    shares = [list(ParquetBatches(tmp_path, rank=rank, world_size=world_size)) for rank in range(world_size)]
    found = torch.cat([features for share in shares for features, _ in share])
    assert torch.equal(found, SDSSDataset(sample[:2_000]).features)


def test_more_ranks_than_rows_leave_some_without(sample, tmp_path):
    sample[:2].to_parquet(tmp_path / "one.parquet")
    shares = [list(ParquetBatches(tmp_path, rank=rank, world_size=5)) for rank in range(5)]
    assert [sum(len(labels) for _, labels in share) for share in shares] == [0, 0, 1, 0, 1]


def test_it_is_read_again_for_each_epoch_and_names_the_classes(folder):
    rows = ParquetBatches(folder)
    first, second = evaluate(NeuralNet(5, 4, 3), rows), evaluate(NeuralNet(5, 4, 3), rows)
    assert first.n_samples == second.n_samples == N
    assert first.classes == ("GALAXY", "QSO", "STAR")


def test_only_what_a_share_needs_is_read(folder):
    (folder / "part-0.parquet").unlink()
    last = ParquetBatches(folder, rank=1, world_size=2)
    (folder / "part-3.parquet").rename(folder / "elsewhere")
    with pytest.raises(ValueError, match=r"part-3.parquet cannot be read"):
        list(last)
    first = ParquetBatches(folder, rank=0, world_size=2)
    assert sum(len(labels) for _, labels in first) == 1_699 // 2


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            lambda frame: frame.drop(columns=["g", "class"]),
            r"bad.parquet has no column g, class. It needs u, g",
        ),
        (lambda frame: frame.assign(**{"class": "ASTEROID"}), r"bad.parquet: Unknown class 'ASTEROID'"),
        (lambda frame: frame.assign(**{"class": None}), r"bad.parquet: Unknown class"),
        (
            lambda frame: frame.assign(r=np.where(frame.index == 303, np.nan, 1.0)),
            r"bad.parquet: Feature 'r' of row 303",
        ),
    ],
)
def test_rows_that_cannot_be_judged_are_an_error_that_names_the_file(sample, tmp_path, change, words):
    change(sample[:400]).to_parquet(tmp_path / "bad.parquet", row_group_size=100)
    with pytest.raises(ValueError, match=words):
        list(ParquetBatches(tmp_path, batch_size=50))


def test_without_pyarrow_the_remedy_is_named(folder, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ModuleNotFoundError, match="pip install pyarrow"):
        ParquetBatches(folder)


# Model files


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_a_model_comes_back_with_its_scaling(sample, scaler, tmp_path, dtype):
    model = NeuralNet(5, 7, 3).to(dtype)
    save_model(tmp_path / "model.pt", model, scaler)
    again, scaling = load_model(tmp_path / "model.pt")
    torch.set_default_dtype(dtype)
    before, after = (SDSSDataset(sample, scaler=each).features for each in (scaler, scaling))
    assert torch.equal(before, after)
    assert torch.equal(model(before), again(after))
    assert not again.training


def test_what_could_not_be_read_again_is_not_written(sample, scaler, tmp_path):
    model, order = NeuralNet(5, 4, 3), FEATURES[::-1]
    for other, scaling, words in [
        (NeuralNet(5, 4, 2), scaler, "The model has 5 features and 2 classes; it needs 5"),
        (NeuralNet(4, 4, 3), scaler, "The model has 4 features"),
        (model, StandardScaler().fit(sample[order]), r"fitted on z, i, r, g, u\. Fit it on u, g, r, i, z"),
        (model, StandardScaler().fit(np.ones((3, 4))), "fitted on 4 features. Fit it on u, g"),
    ]:
        with pytest.raises(ValueError, match=words):
            save_model(tmp_path / "model.pt", other, scaling)
    assert not list(tmp_path.iterdir())
    save_model(tmp_path / "model.pt", model, StandardScaler().fit(sample[FEATURES].to_numpy()))


def test_a_model_may_lie_at_home(scaler, tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("USERPROFILE", str(tmp_path))
    save_model("~/model.pt", NeuralNet(5, 4, 3), scaler)
    load_model("~/model.pt")
    with pytest.raises(OSError, match="No such file") as caught:
        save_model("~/nowhere/model.pt", NeuralNet(5, 4, 3), scaler)
    assert Path(caught.value.filename) == tmp_path / "nowhere" / "model.pt"


class Harm:
    def __reduce__(self):
        return (Path.write_text, (Path("harm.txt"), "done"))


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (None, "cannot be read: No such file"),
        (b"", "save_model has not written"),
        (b"text", "save_model has not written"),
        ({"weights": 1}, "save_model has not written .*state_dict"),
        ([1, 2], "save_model has not written"),
        (Harm(), "save_model has not written .*Weights only"),
        (NeuralNet(5, 4, 3), "save_model has not written .*Weights only"),
    ],
    ids=["none", "empty", "text", "other", "list", "harm", "whole model"],
)
def test_what_is_no_model_file_is_an_error_and_nothing_in_it_is_run(tmp_path, monkeypatch, content, words):
    monkeypatch.chdir(tmp_path)
    if isinstance(content, bytes):
        Path("model.pt").write_bytes(content)
    elif content is not None:
        torch.save(content, "model.pt")
    with pytest.raises(ValueError, match=words):
        load_model("model.pt")
    assert not Path("harm.txt").exists()


# The command


def torchrun(size, *words):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={size}"]
    command += ["-m", "sdss_lesson.scale.evaluate", *map(str, words)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=120, check=False)


def test_four_processes_print_the_evaluation_of_one(sample, folder, scaler, tmp_path):
    torch.manual_seed(0)
    model = NeuralNet(5, 16, 3).double()
    save_model(tmp_path / "model.pt", model, scaler)
    done = torchrun(4, "--data", folder, "--model", tmp_path / "model.pt")
    torch.set_default_dtype(torch.float64)
    expected = evaluate(model, SDSSDataset(sample[:N], scaler=scaler))
    assert isinstance(expected, Evaluation)
    assert (done.returncode, done.stdout) == (0, f"{expected}\n"), done.stderr


def test_a_rank_without_rows_ends_the_command_with_the_reason(sample, scaler, tmp_path):
    sample[:1].to_parquet(tmp_path / "one.parquet")
    save_model(tmp_path / "model.pt", NeuralNet(5, 4, 3), scaler)
    done = torchrun(2, "--data", tmp_path, "--model", tmp_path / "model.pt")
    assert done.returncode != 0
    assert done.stdout == ""
    assert "1 of 2 ranks failed. rank 0: ValueError: There are no rows to evaluate" in done.stderr


def test_one_process_is_told_to_use_torchrun(capsys, monkeypatch):
    monkeypatch.delenv("RANK", raising=False)
    with pytest.raises(SystemExit, match="2"):
        main(["--data", "rows", "--model", "model.pt"])
    assert "Start it with torchrun" in capsys.readouterr().err
