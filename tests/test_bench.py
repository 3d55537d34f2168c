"""The table of `make bench`, at a size that takes a moment: it is complete, and what it compares is the same."""

import re

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from sdss_lesson import SDSSDataset, evaluate
from tools import bench


@pytest.fixture
def _one_thread(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    threads = torch.get_num_threads()
    yield
    torch.set_num_threads(threads)


def cells(text):
    return [line.strip("|").split("|") for line in text.splitlines() if re.match(r"\| *\d", line)]


@pytest.mark.more
@pytest.mark.usefixtures("_one_thread")
@pytest.mark.filterwarnings("ignore")
def test_the_table_is_complete_and_every_ratio_is_positive(tmp_path, monkeypatch):
    pytest.importorskip("pyarrow", reason="pyarrow is in the extra 'big'.")
    monkeypatch.setattr(bench, "PER_ROW_UP_TO", 200)
    monkeypatch.setattr(bench, "SMALL_BATCHES_UP_TO", 200)
    assert bench.main([100, 200, 300], pairs=1, table=tmp_path / "bench.md") == 0
    text = (tmp_path / "bench.md").read_text("utf-8")
    rows = cells(text)
    assert [row[0].strip() for row in rows] == ["100", "100", "200", "200", "300", "100", "200", "300"]
    filled = [[float(cell.replace(",", "")) for cell in row if cell.strip()] for row in rows]
    assert all(ratio > 0 for row in filled for ratio in row)
    missing = {name for name, (_, module, _) in bench.PEERS.items() if bench.importlib.util.find_spec(module) is None}
    assert missing <= {"Ignite", "torcheval"}
    assert {len(row) for row in filled[:5]} == {2 + len(bench.PEERS) - len(missing)}
    assert [len(row) for row in filled[5:]] == [5, 5, 2]
    assert "300 rows streamed" in text


def test_the_committed_table_has_every_size_and_no_place():
    text = bench.TABLE.read_text("utf-8")
    assert {int(row[0].replace(",", "")) for row in cells(text)} == set(bench.SIZES)
    for name in bench.PEERS:
        assert f"| {name} |" in text
    assert not re.search(r"[ `(]/\w|https?:|\.local|root@", text)


@pytest.mark.filterwarnings("ignore")  # what the libraries compared with warn of
def test_the_peers_compute_what_evaluate_does():
    rows = SDSSDataset(bench.drawn(500))
    loader = DataLoader(rows, batch_size=64)
    expected = evaluate(bench.MODEL, rows).accuracy
    for name, (peer, module, what) in bench.PEERS.items():
        if what.startswith("accuracy") and bench.importlib.util.find_spec(module) is not None:
            with torch.no_grad():
                assert peer(bench.MODEL, loader) == pytest.approx(expected, rel=1e-6), name


def test_a_ratio_is_ours_over_theirs(monkeypatch):
    clock = iter(np.cumsum([0, 9, 0, 9, 0, 1, 0, 2, 0, 2, 0, 1]))  # a first pair that does not count, then 2 : 1 twice
    monkeypatch.setattr(bench.time, "perf_counter", lambda: next(clock))
    assert bench.ratio(lambda: "ours", lambda: "theirs", pairs=2) == 2
