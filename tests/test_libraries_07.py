"""One number from raw PyTorch, the package, TorchMetrics, Accelerate and Lightning, by the very code that 07 shows."""

import ast
import json
import os
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import nbformat
import pytest
import torch

from sdss_lesson import NeuralNet

NOTEBOOK = nbformat.read(
    Path(__file__).resolve().parents[1] / "notebooks" / "07_beyond_one_machine.ipynb", as_version=4
)
N_ROWS = 203
"""Neither 2, 3 nor 4 processes divide it, and no batch of 64 does."""


def scripts() -> dict[str, str]:
    """The pieces of scripts that the code cells of the notebook hold as text: START, LOAD, COUNT, ..."""
    found = {}
    for cell in NOTEBOOK.cells:
        if cell.cell_type == "code":
            assigned = [node for node in ast.parse(cell.source).body if isinstance(node, ast.Assign)]
            texts = [node for node in assigned if isinstance(node.value, ast.Constant)]
            found |= {node.targets[0].id: node.value.value for node in texts if isinstance(node.value.value, str)}
    return found


def block(library: str) -> str:
    """The fenced code of the Markdown cell that shows a library."""
    (cell,) = [cell for cell in NOTEBOOK.cells if f"library:{library}" in cell.metadata.get("tags", [])]
    (code,) = re.findall(r"```python\n(.*?)```", cell.source, flags=re.DOTALL)
    return code


def torchrun(script: str, processes: int, folder: Path) -> list[Any]:
    """What the script leaves in `answer` on each rank, started as the notebook tells its reader to."""
    end = "\nimport json\nwith open(f'answer-{rank}.json', 'w') as file:\n    json.dump(answer, file)\n"
    (folder / "script.py").write_text(script + end, encoding="utf-8")
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    environment = os.environ | {"OMP_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    done = subprocess.run(
        [*command, "script.py"], cwd=folder, env=environment, capture_output=True, text=True, timeout=500
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return [json.loads((folder / f"answer-{rank}.json").read_text()) for rank in range(processes)]


@pytest.fixture
def saved(tmp_path: Path) -> tuple[Path, torch.Tensor, torch.Tensor]:
    """A folder with a model and rows as LOAD expects them; which rows are hits; the labels."""
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float64)
    model, features, labels = NeuralNet(5, 16, 3), torch.randn(N_ROWS, 5), torch.randint(3, (N_ROWS,))
    torch.save({"weights": model.state_dict(), "features": features, "labels": labels}, tmp_path / "saved.pt")
    return tmp_path, model(features).argmax(1) == labels, labels


def need(*libraries: str) -> None:
    """Skip where a library is missing: the extra that has it is large, and `make` does not install it."""
    missing = [name for name in libraries if find_spec(name) is None]
    if missing:
        pytest.skip(f"{' and '.join(missing)} not installed: pip install -e '.[frameworks]'")


@pytest.mark.more
@pytest.mark.parametrize("processes", [1, 2, 3, 4])
def test_every_library_has_the_number_of_one_process(saved, processes):
    need("torchmetrics", "accelerate")
    folder, is_hit, _ = saved
    have = scripts()
    everything = (
        [have[name] for name in ("START", "LOAD", "COUNT", "EVALUATE")]
        + ["raw = evaluate_everywhere(model, loader, device)\n"]
        + [have["METRIC"], have["THREE"], "counted, library, _ = answer\n"]
        + [have["PACKAGE"], "package = total.accuracy\n"]
        + [
            block("accelerate"),
            "answer = [raw, package, counted, library, accuracy, n_rows, accelerator.num_processes]\n",
        ]
    )
    ranks = torchrun("".join(everything), processes, folder)
    truth = is_hit.double().mean().item()
    for raw, package, counted, library, accelerate, n_rows, together in ranks:
        assert raw == package == counted == accelerate == truth
        assert round(library * N_ROWS) == is_hit.sum() and library == pytest.approx(truth, abs=1e-6)  # it has 32 bits
        assert n_rows == N_ROWS and together == processes


@pytest.mark.more
def test_gather_in_place_of_gather_for_metrics_counts_the_padding(saved):
    need("accelerate")
    folder, _, _ = saved
    have = scripts()
    padded = block("accelerate").replace("gather_for_metrics", "gather")
    assert padded != block("accelerate")
    ((n_rows), *others) = torchrun(have["START"] + have["LOAD"] + padded + "answer = n_rows\n", 2, folder)
    assert n_rows > N_ROWS and others == [n_rows]


@pytest.mark.more
@pytest.mark.parametrize("processes", [2, 3, 4])
def test_files_of_different_sizes_give_the_right_number_but_for_lightnings_mean_of_the_ranks(saved, processes):
    need("lightning", "torchmetrics")
    folder, is_hit, labels = saved
    have = scripts()
    # Ranks 0 and 1 have the notebook's files; of more ranks, each has three rows of rank 0's.
    more = "first, last = mine.indices[:-3 * (world_size - 2) or None], mine.indices[-3 * (rank - 1) :][:3]\n"
    more += "mine = Subset(rows, last if rank > 1 else first if rank == 0 else mine.indices)\n"
    more += "loader = DataLoader(mine, batch_size=64)\n"
    script = [have[name] for name in ("START", "LOAD", "COUNT", "EVALUATE", "FILES")]
    script += [more, "raw = evaluate_everywhere(model, loader, device)\n", block("lightning")]
    script += ["answer = [raw, logged['averaged'], logged['counted'], len(mine)]\n"]
    ranks = torchrun("".join(script), processes, folder)
    assert sum(n_own for *_, n_own in ranks) == N_ROWS and len({n_own for *_, n_own in ranks}) > 1
    truth = is_hit.double().mean().item()
    for raw, averaged, counted, _ in ranks:
        assert raw == truth and counted == pytest.approx(truth, abs=1e-6)
        assert abs(averaged - truth) > 0.01
    if processes == 2:
        quasar = labels == 1
        mean = sum(is_hit[rows].double().mean().item() for rows in (quasar, ~quasar)) / 2
        assert ranks[0][1] == ranks[1][1] == pytest.approx(mean, abs=1e-6)


@pytest.mark.more
def test_lightnings_sync_dist_of_each_batch_is_nearly_right(saved):
    need("lightning", "torchmetrics")
    folder, is_hit, _ = saved
    have = scripts()
    line = 'self.log("counted", self.counted)  # all hits over all rows'
    batches = 'self.log("batches", (predictions == labels).double().mean(), sync_dist=True)'
    judge = block("lightning").replace(line, batches)
    assert judge != block("lightning")
    script = "".join([*(have[name] for name in ("START", "LOAD", "FILES")), judge, "answer = logged['batches']\n"])
    said, truth = torchrun(script, 2, folder)[0], is_hit.double().mean().item()
    # To the last row: 2.6 divides by twice the mean number of rows of a rank, rounded down.
    assert said in (pytest.approx(truth), pytest.approx(is_hit.sum().item() / (N_ROWS - 1)))
