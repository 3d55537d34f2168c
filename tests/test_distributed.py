"""Real processes, joined by gloo: the same counts for any number of them, and an error on one is an error on all."""

import json
import subprocess
import sys
import time
from itertools import chain
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils.data import DataLoader, IterableDataset, TensorDataset

from sdss_lesson import Evaluation, NeuralNet, evaluate, failing_together, shard

ROOT = Path(__file__).resolve().parents[1]
LIMIT = 90
"""Seconds after which a test ends whatever it has started: no hang of theirs is a hang of ours."""

START = """
import atexit, json, sys, time
from datetime import timedelta
import numpy as np, torch, torch.distributed as dist
from torch.utils.data import TensorDataset
from sdss_lesson import Evaluation, NeuralNet, evaluate, failing_together, shard

def rows(dtype, n=1_999):
    rng = torch.Generator().manual_seed(0)
    features = torch.randn(n, 5, generator=rng, dtype=torch.float64).to(dtype)
    return TensorDataset(features, torch.randint(3, (n,), generator=rng))

def network(dtype):
    torch.manual_seed(1)
    return NeuralNet(5, 16, 3).to(dtype)

torch.set_num_threads(1)
rank, size = int(sys.argv[1]), int(sys.argv[2])
limit = timedelta(seconds=float(sys.argv[4]))
dist.init_process_group("gloo", init_method=f"file://{sys.argv[3]}", rank=rank, world_size=size, timeout=limit)
atexit.register(dist.destroy_process_group)
"""


def start(tmp_path, size, code, timeout=LIMIT):
    """Run `code` on as many ranks. For each, what it prints and the last line of what it complains of."""
    store = (tmp_path / "store").as_posix()
    ranks = [
        subprocess.Popen(
            [sys.executable, "-W", "ignore", "-c", START + code, *map(str, (rank, size, store, timeout))],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(size)
    ]
    end = time.monotonic() + LIMIT
    try:
        said = [rank.communicate(timeout=max(0.1, end - time.monotonic())) for rank in ranks]
    finally:
        for rank in ranks:
            rank.kill()
    last = [(err.strip().splitlines() or [""])[-1] for _, err in said]
    return [
        (out, err.removeprefix(f"[rank{rank}]: ")) for rank, ((out, _), err) in enumerate(zip(said, last, strict=True))
    ]


def same(found, expected, rel):
    assert found.confusion.tolist() == expected.confusion.tolist()
    assert found.loss == pytest.approx(expected.loss, rel=rel)


COUNTED = """
for dtype in (torch.float32, torch.float64):
    model, data = network(dtype), rows(dtype)
    for several in range(1, size + 1):
        group = dist.new_group(range(several))
        if rank < several:
            total = evaluate(model, shard(data, rank, several), batch_size=64).all_reduce(group)
            print(json.dumps([total.confusion.tolist(), total.loss_sum]))
"""


def test_one_to_four_processes_count_what_one_counts(tmp_path):
    said = start(tmp_path, 4, COUNTED)
    assert [err for _, err in said] == [""] * 4
    printed = [[json.loads(line) for line in out.splitlines()] for out, _ in said]
    here = {}
    exec(START.partition("torch.set_num_threads")[0], here)
    for at, (dtype, rel) in enumerate([(torch.float32, 1e-6), (torch.float64, 1e-12)]):
        expected = evaluate(here["network"](dtype), here["rows"](dtype))
        assert expected.n_samples == 1_999
        for several in (1, 2, 3, 4):
            totals = [printed[rank][at * (4 - rank) + several - 1 - rank] for rank in range(several)]
            assert all(total == totals[0] for total in totals), "every rank has the same evaluation"
            same(Evaluation(np.array(totals[0][0]), totals[0][1]), expected, rel)


def test_an_error_on_one_rank_is_an_error_on_all_of_them(tmp_path):
    code = """
with failing_together():
    part = evaluate(network(torch.float32), shard(rows(torch.float32, n=2), rank, size))
    if rank == 1:
        raise OSError("The disk is full.")
print("went on")
"""
    for out, err in start(tmp_path, 3, code):
        assert out == ""
        assert "2 of 3 ranks failed. rank 0: ValueError: There are no rows to evaluate" in err
        assert "rank 1: OSError: The disk is full." in err


def test_nothing_happens_where_no_rank_fails(tmp_path):
    code = "with failing_together():\n    part = Evaluation(np.eye(2, dtype=int), rank, ('a', 'b') if rank else ())\n"
    code += "total = part.all_reduce()\nprint(total.n_samples, total.loss_sum, total.classes)"
    assert start(tmp_path, 2, code) == [("4 1.0 ('a', 'b')\n", "")] * 2


@pytest.mark.parametrize(
    ("part", "words"),
    [
        ("np.eye(2 + rank, dtype=int)", "different numbers of classes: 2, 3 on ranks 0 to 1"),
        ("np.eye(2, dtype=int) * rank", "No rows were evaluated on rank 0"),
    ],
)
def test_parts_that_do_not_go_together_are_an_error_on_every_rank(tmp_path, part, words):
    said = start(tmp_path, 2, f"Evaluation({part}, 1.0).all_reduce()")
    assert all(err.startswith("ValueError: ") and words in err for _, err in said), said


@pytest.mark.parametrize("instead", ["raise OSError('The disk is full.')", "time.sleep(12)"], ids=["fails", "dawdles"])
def test_a_rank_that_does_not_come_is_an_error_and_no_hang(tmp_path, instead):
    code = f"if rank == 2:\n    {instead}\nelse:\n    Evaluation(np.eye(2, dtype=int), 1.0).all_reduce()"
    said = start(tmp_path, 3, code, timeout=4)
    for rank in (0, 1):
        assert f"RuntimeError: Rank {rank} of 3 waited for the others in vain" in said[rank][1]
    assert said[2][1] == ("OSError: The disk is full." if "disk" in instead else "")


def test_a_rank_that_fails_alone_keeps_its_own_error(tmp_path):
    code = "if rank:\n    sys.exit()\nwith failing_together():\n    raise OSError('The disk is full.')"
    assert start(tmp_path, 2, code, timeout=4)[0][1] == "OSError: The disk is full."


def test_a_rank_outside_the_group_is_told_so(tmp_path):
    code = "group = dist.new_group([0])\nEvaluation(np.eye(2, dtype=int), 1.0).all_reduce(group)"
    said = start(tmp_path, 2, code)
    assert [err for _, err in said] == ["", said[1][1]]
    assert "This process is not in the group" in said[1][1]


def test_without_a_group_the_remedy_is_named():
    with pytest.raises(RuntimeError, match=r"no process group.*torchrun.*init_process_group"):
        Evaluation(np.eye(2, dtype=int), 1.0).all_reduce()
    with pytest.raises(RuntimeError, match="no process group"), failing_together():
        pass


@given(n=st.integers(0, 50), world_size=st.integers(1, 9))
def test_every_row_is_on_exactly_one_rank_and_none_has_two_more_than_another(n, world_size):
    parts = [list(shard(range(n), rank, world_size)) for rank in range(world_size)]
    assert list(chain(*parts)) == list(range(n))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


def test_a_shard_is_a_dataset_like_any_other():
    data = TensorDataset(torch.randn(75, 3), torch.arange(75) % 3)
    parts = [shard(shard(data, 0, 2), rank, 4) for rank in range(4)]
    batches = [labels for part in parts for _, labels in DataLoader(part, batch_size=4)]
    assert torch.equal(torch.cat(batches), data.tensors[1][:37])
    model = NeuralNet(3, 4, 3)
    same(sum(evaluate(model, part) for part in parts), evaluate(model, shard(data, 0, 2)), 1e-6)


class Stream(IterableDataset):
    def __iter__(self):
        return iter([])


def test_what_cannot_be_dealt_out_is_an_error():
    for rank, world_size in [(-1, 2), (2, 2), (0, 0), (0, -1)]:
        with pytest.raises(ValueError, match="ranks go from 0 to world_size - 1"):
            shard(range(9), rank, world_size)
    with pytest.raises(TypeError, match="A Stream has no length"):
        shard(Stream(), 0, 2)
