"""The triage card of notebook 02, taken from the notebook: it names mistakes and accuses no honest model."""

import re
from pathlib import Path

import nbformat
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

NOTEBOOK = nbformat.read(Path(__file__).resolve().parents[1] / "notebooks" / "02_the_fix.ipynb", as_version=4)
(SOURCE,) = [cell.source for cell in NOTEBOOK.cells if cell.cell_type == "code" and "def first_line" in cell.source]
(CARD,) = [cell.source for cell in NOTEBOOK.cells if cell.source.startswith("## The triage card\n")]
SUSPECTS = {int(line): suspect for line, suspect in re.findall(r"^\| (\d) \|.*\| ([^|]+) \|$", CARD, re.MULTILINE)}
SPACE: dict = {}
exec(SOURCE, SPACE)


def triage(test, n, shares):
    """What the card suspects, in its own words."""
    return SUSPECTS[SPACE["first_line"](test, n, shares)]


def batches(hits, size):
    return [hits[start : start + size] for start in range(0, len(hits), size)]


def honest(hits):
    return lambda size: sum(batch.sum() for batch in batches(hits, size)) / len(hits)


hits_of_a_model = st.builds(
    lambda n, share, seed: np.random.default_rng(seed).random(n) < share,
    st.integers(100, 3000),
    st.floats(0, 1),
    st.integers(0, 100),
)


@given(hits_of_a_model)
def test_an_honest_evaluation_is_never_accused_however_bad_the_model(hits):
    assert triage(honest(hits), len(hits), shares=[0.5, 0.415, 0.085]) == SUSPECTS[8]


@given(st.integers(100, 3000), st.sampled_from([0.5, 0.25, 0.085]))
def test_a_constant_model_is_not_accused_either(n, share):
    hits = np.arange(n) < round(share * n)
    assert triage(honest(hits), n, shares=[hits.mean()]) == SUSPECTS[7]


@pytest.mark.parametrize("n", [200, 1000, 2000, 2001, 2017])
@pytest.mark.parametrize("share", [0.8, 0.93])
def test_each_mistake_is_named(n, share):
    rng = np.random.default_rng(n)
    hits = rng.random(n) < share
    labels, guesses = rng.integers(0, 3, n), rng.integers(0, 3, n)
    mistakes = {
        SUSPECTS[1]: lambda size: (
            sum((a[:, None] == b).sum() for a, b in zip(batches(labels, size), batches(guesses, size), strict=True)) / n
        ),
        SUSPECTS[2]: lambda size: hits.sum() / len(batches(hits, size)[-1]),
        SUSPECTS[3]: lambda size: np.mean([batch.mean() for batch in batches(hits, size)]),
        SUSPECTS[4]: lambda size: batches(hits, size)[-1].sum() / n,
        SUSPECTS[5]: lambda size: rng.binomial(n, share) / n,
        SUSPECTS[6]: lambda size: hits[: n // size * size].sum() / n,
    }
    divided = lambda size: hits.sum() / len(batches(hits, size))  # noqa: E731
    assert "divided by batches" in triage(divided, n, shares=[])
    for expected, test in mistakes.items():
        assert triage(test, n, shares=[0.5, 0.415, 0.085]) == expected


@pytest.mark.parametrize("n", [1000, 2000, 2001])
def test_what_counts_one_batch_only_is_accused_of_something(n):
    hits = np.random.default_rng(n).random(n) < 0.93
    last = lambda size: batches(hits, size)[-1].mean()  # noqa: E731
    first = lambda size: batches(hits, size)[0].sum() / n  # noqa: E731
    found = [triage(test, n, shares=[]) for test in (last, first)]
    assert all(re.search("average|counter|some rows", verdict) for verdict in found), found
