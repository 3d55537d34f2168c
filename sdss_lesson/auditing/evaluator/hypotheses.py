"""What each known mistake would print: the audit compares these predictions with what an evaluator returned.

An evaluator compares predictions with labels, chooses which batches count, adds up, divides and rounds. A mistake is
another way to take one of these steps; two mistakes in one function are two such steps. What does not fit into this
frame comes from the catalogue, whose functions are run as they are.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from itertools import product
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from sdss_lesson.auditing.evaluator.probes import Ints, Trace, build
from sdss_lesson.mistakes import MISTAKES

Slugs = tuple[str, ...]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Counts:
    """Hits and rows of each batch, and what a loader says of itself."""

    hits: Floats
    rows: Floats
    batch_size: int
    dataset_rows: int
    batches: int

    def chosen(self, which: Any) -> "Counts":
        """Only some of the batches."""
        return Counts(self.hits[which], self.rows[which], self.batch_size, self.dataset_rows, self.batches)


Compare = Callable[[Trace], list[tuple[float, int]]]
Choose = Callable[[Counts], Counts]
Add = Callable[[Counts], float]
Finish = Callable[[float], float]


def _equal(
    guesses: Sequence[Ints], labels: Sequence[Ints], *, clip: str = "", mean: bool = False
) -> list[tuple[float, int]]:
    """Hits and rows of each batch.

    Shapes that do not fit raise, as in PyTorch. With `clip` they are cut to the shorter one, as by zip(); it says what
    is counted as rows then: what is "left", or all "labels" or "guesses".
    """
    found = []
    for guess, label in zip(guesses, labels, strict=False):
        shorter = min(len(guess), len(label)) if clip else None
        equal = np.equal(guess[:shorter], label[:shorter])
        hits = equal.mean() * len(equal) if mean else equal.sum()
        found.append((float(hits), {"left": len(equal), "guesses": len(guess)}.get(clip, len(label))))
    return found


def _labels_elsewhere(t: Trace) -> list[Ints]:
    return np.split(t.dataset_labels, np.cumsum([len(labels) for labels in t.labels])[:-1])


def _columns(t: Trace) -> list[Ints]:
    return [labels[:, None] for labels in t.labels]


def _softmax_over_rows(logits: npt.NDArray[np.float32]) -> Ints:
    powers = np.exp(logits)
    return (powers / powers.sum(axis=0)).argmax(1)


def _lagging(values: list[Ints]) -> list[Ints]:
    return values[:1] + values[:-1]


def _at_once(t: Trace) -> Trace:
    """All batches put together before anything is compared."""
    return replace(t, logits=[np.concatenate(t.logits)], labels=[np.concatenate(t.labels)])


def _over_rows(t: Trace) -> list[Ints]:
    return [logits.argmax(0) for logits in t.logits]


CLIPS = ("", "left", "labels", "guesses")
BROADCAST, DIM, STALE, ORDER = ("labels-broadcast",), ("wrong-argmax-dim",), ("stale-variable",), ("order-dependent",)
COMPARE: list[tuple[Slugs, Compare]] = [
    ((), lambda t: _equal(t.guesses, t.labels)),
    (BROADCAST, lambda t: _equal(t.guesses, _columns(t))),
    (BROADCAST, lambda t: _equal(t.guesses, _columns(t), mean=True)),
    *((DIM, partial(lambda t, clip: _equal(_over_rows(t), t.labels, clip=clip), clip=clip)) for clip in CLIPS[:3]),
    (BROADCAST, lambda t: _equal(_at_once(t).guesses, _columns(_at_once(t)))),
    (BROADCAST, lambda t: _equal(_at_once(t).guesses, _columns(_at_once(t)), mean=True)),
    (DIM, lambda t: _equal(_over_rows(_at_once(t)), _at_once(t).labels, clip="left")),
    (DIM, lambda t: _equal([logits.argsort(0)[:, -1] for logits in t.logits], t.labels)),
    (DIM, lambda t: _equal([logits.reshape(1, -1).argmax(1) for logits in t.logits], t.labels)),
    (DIM, lambda t: _equal([logits[:1].argmax(1) for logits in t.logits], t.labels)),
    (DIM, lambda t: _equal([0 * labels for labels in t.labels], t.labels)),
    (DIM, lambda t: _equal([_softmax_over_rows(logits) for logits in t.logits], t.labels)),
    *(
        (STALE, partial(lambda t, make, clip: _equal(*make(t), clip=clip), make=make, clip=clip))
        for clip in CLIPS
        for make in (
            lambda t: (_lagging(t.guesses), t.labels),
            lambda t: (t.guesses, _lagging(t.labels)),
            lambda t: (t.guesses[:-1], t.labels[1:]),
            lambda t: (t.guesses[:1] * len(t.labels), t.labels),
            lambda t: (t.guesses, t.labels[:1] * len(t.labels)),
            lambda t: (t.guesses[:1] * len(t.labels), t.labels_next_time),
            lambda t: (t.guesses_next_time, t.labels[:1] * len(t.labels)),
            lambda t: (t.guesses[-1:] * len(t.labels), t.labels),
            lambda t: (t.guesses, t.labels[-1:] * len(t.labels)),
            lambda t: ([t.guesses[n // 2 * 2] for n in range(len(t.labels))], t.labels),
        )
    ),
    (ORDER, lambda t: _equal(t.guesses, _labels_elsewhere(t))),
    (ORDER, lambda t: _equal(t.guesses, t.labels_next_time)),
]

CHOOSE: list[tuple[Slugs, Choose]] = [
    ((), lambda c: c),
    (("last-batch-dropped",), lambda c: c.chosen(c.rows == c.batch_size)),
    (("last-batch-dropped",), lambda c: c.chosen(slice(0, -1))),
    (("first-batch-only",), lambda c: c.chosen(slice(0, 1))),
]


def _running_mean(c: Counts, *, start: int) -> float:
    means = c.hits / c.rows
    value = float(means[0]) if start else 0.0
    for mean in means[start:]:
        value = (value + float(mean)) / 2
    return value


def _narrow(values: Floats, dtype: torch.dtype) -> float:
    """A counter of a small type: whole numbers wrap around, floats stop growing."""
    whole = [int(value) for value in values]
    if not dtype.is_floating_point:
        limits = torch.iinfo(dtype)
        return float((sum(whole) - limits.min) % (limits.max - limits.min + 1) + limits.min)
    if sum(map(abs, whole)) <= 2 / torch.finfo(dtype).eps:
        return float(sum(whole))  # up to there, every whole number has a float of its own
    total = torch.zeros((), dtype=dtype)
    for value in whole:
        total += torch.tensor(value).to(dtype)
    return float(total)


def _since_reset(c: Counts, *, both: bool) -> float:
    """Counters set back to zero after every second batch, once the accuracy was worked out."""
    start = (len(c.hits) - 1) // 2 * 2
    return c.hits[start:].sum() / (c.rows[start:] if both else c.rows).sum()


OVERWRITTEN = ("counter-overwritten", "counter-reset")
BY_SIZE, BATCHES = ("samples-by-batch-size",), ("divided-by-batches",)
SMALL = (torch.uint8, torch.int8, torch.int16, torch.float16, torch.bfloat16)
NUMERATORS: list[tuple[Slugs, Add]] = [
    ((), lambda c: c.hits.sum()),
    (OVERWRITTEN, lambda c: c.hits[-1]),
    *((("counter-overflow",), partial(lambda c, dtype: _narrow(c.hits, dtype), dtype=dtype)) for dtype in SMALL),
]
DENOMINATORS: list[tuple[Slugs, Add]] = [
    ((), lambda c: c.rows.sum()),
    ((), lambda c: c.dataset_rows),  # who drops a batch may still divide by all rows
    (OVERWRITTEN, lambda c: c.rows[-1]),
    (BY_SIZE, lambda c: c.batch_size * len(c.rows)),
    (BY_SIZE, lambda c: c.batch_size * c.batches),
    (BY_SIZE, lambda c: c.rows[0] * len(c.rows)),
    (BATCHES, lambda c: len(c.rows)),
    (BATCHES, lambda c: c.batches),
    (BATCHES, lambda c: 100 * len(c.rows)),  # and called a percentage
    *((("counter-overflow",), partial(lambda c, dtype: _narrow(c.rows, dtype), dtype=dtype)) for dtype in SMALL),
]
ADD: list[tuple[tuple[Slugs, ...], Add]] = [
    (tuple(dict.fromkeys(slugs for slugs in (a, b) if slugs)), partial(lambda c, x, y: x(c) / y(c), x=above, y=below))
    for (a, above), (b, below) in product(NUMERATORS, DENOMINATORS)
    if not a == b == OVERWRITTEN
]
# The same in terms of errors: 1 - errors / rows.
ADD += [
    (slugs, partial(lambda c, add: 1 - add(replace(c, hits=c.rows - c.hits)), add=add)) for slugs, add in ADD if slugs
]
ADD += [
    ((("last-batch-only", "counter-reset"),), lambda c: c.hits[-1] / c.rows[-1]),
    ((("mean-of-batch-means",),), lambda c: float(np.mean(c.hits / c.rows))),
    ((("mean-of-batch-means",),), lambda c: float((c.hits / c.rows).sum()) / c.batches),
    ((BY_SIZE,), lambda c: float((c.hits / c.rows).sum()) * c.batch_size / c.dataset_rows),
    ((("running-mean-of-two",),), partial(_running_mean, start=0)),
    ((("running-mean-of-two",),), partial(_running_mean, start=1)),
    ((("counter-reset",),), partial(_since_reset, both=True)),
    ((("counter-reset",),), partial(_since_reset, both=False)),
    ((("integer-truncation",),), lambda c: float(np.mean(np.floor(c.hits / c.rows)))),
    ((("integer-truncation",),), lambda c: float(np.mean(np.floor(100 * c.hits / c.rows))) / 100),
]

ALIKE = {slugs for mistakes, _ in ADD for slugs in mistakes if len(slugs) > 1}
"""From outside, by calling the function, these cannot be told apart."""

ROUNDINGS: list[tuple[Slugs, Finish]] = [
    ((), lambda value: value),
    (("integer-truncation",), lambda value: float(np.floor(value))),
    (("integer-truncation",), lambda value: float(np.floor(100 * value + 1e-9)) / 100),
    (("integer-truncation",), lambda value: float(np.round(100 * value)) / 100),
]


@dataclass(frozen=True)
class Hypothesis:
    """What an evaluator with these mistakes returns for a series of calls; NaN where it would raise.

    `slugs` has a tuple for each mistake; those in one tuple cannot be told apart, the more general first.
    """

    slugs: tuple[Slugs, ...]
    predict: Callable[[Sequence[Trace]], list[float]]


@cache
def _counts(trace: Trace, compare: Compare) -> Counts | None:
    """What an evaluator counts that compares like this; None where it would raise."""
    try:
        hits, rows = np.array(compare(trace), float).reshape(-1, 2).T
    except _RAISED:
        return None
    return Counts(hits, rows, trace.probe.batch_size, len(trace.dataset_labels), len(trace.labels))


@cache
def _added(trace: Trace, compare: Compare, choose: Choose, add: Add) -> float:
    """The quotient before it is rounded. Most hypotheses have it in common with others, so it is remembered."""
    counts = _counts(trace, compare)
    try:
        return np.nan if counts is None else float(add(choose(counts)))
    except _RAISED:
        return np.nan


def _each_call(traces: Sequence[Trace], *, compare: Compare, choose: Choose, add: Add, finish: Finish) -> list[float]:
    answers = []
    for trace in traces:
        try:
            answers.append(float(finish(_added(trace, compare, choose, add))))
        except _RAISED:
            answers.append(np.nan)
    return answers


_RAISED = (IndexError, ZeroDivisionError, ValueError, OverflowError)


RIGHT = Hypothesis(
    (),
    partial(_each_call, compare=COMPARE[0][1], choose=CHOOSE[0][1], add=ADD[0][1], finish=ROUNDINGS[0][1]),
)
"""An evaluator without a mistake: the first, right way to take each step."""


def _carried_means(traces: Sequence[Trace]) -> list[float]:
    """A list of batch means that nobody empties between two calls; for counters, the catalogue has the functions."""
    means = [c.hits / c.rows for trace in traces if (c := _counts(trace, COMPARE[0][1]))]
    return [float(np.concatenate(means[: number + 1]).mean()) for number in range(len(means))]


def _from_the_catalogue(traces: Sequence[Trace], *, slug: str, variant: int) -> list[float]:
    """Run the catalogue's own function on the probes, one after the other."""
    evaluate = MISTAKES[slug].fresh()[variant]
    answers = []
    for trace in traces:
        try:
            answers.append(float(evaluate(*build(trace.probe))))
        except (IndexError, ZeroDivisionError, ValueError, RuntimeError):
            answers.append(np.nan)
    return answers


NOT_IN_THE_NUMBER = {"train-mode", "weights-changed", "mode-not-restored", "grad-enabled"}
"""What a model of one mode without side effects cannot show; the audit sees it in other ways."""


def hypotheses() -> Iterator[Hypothesis]:
    """Every combination of ways to take the steps, those with the fewest mistakes first."""
    steps = []
    for (a, compare), (b, choose), (c, add), (d, finish) in product(COMPARE, CHOOSE, ADD, ROUNDINGS):
        others = [slugs for slugs in (b, a, d) if slugs]
        if len(others) <= 2 and 1 <= len(slugs := tuple(dict.fromkeys((*c, *others)))) <= 2:
            steps.append((slugs, compare, choose, add, finish))
    steps.sort(key=lambda step: len(step[0]))
    singles = [step for step in steps if len(step[0]) == 1]
    for slugs, compare, choose, add, finish in singles:
        yield Hypothesis(slugs, partial(_each_call, compare=compare, choose=choose, add=add, finish=finish))
    yield Hypothesis((("state-carried-over",),), _carried_means)
    for slug, mistake in MISTAKES.items():
        if slug in NOT_IN_THE_NUMBER:
            continue
        for variant in range(len(mistake.variants)):
            yield Hypothesis(((slug,),), partial(_from_the_catalogue, slug=slug, variant=variant))
    for slugs, compare, choose, add, finish in steps[len(singles) :]:
        yield Hypothesis(slugs, partial(_each_call, compare=compare, choose=choose, add=add, finish=finish))
