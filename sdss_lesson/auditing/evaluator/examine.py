"""Hand over any ``evaluate(model, loader)``: it is called where the right answer is known, and its mistake is named."""

import io
import math
import random
import traceback
import warnings
from collections.abc import Callable, Iterator, KeysView, Mapping, Sequence
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass, replace
from functools import cache
from numbers import Real
from typing import Any, Literal

import numpy as np
import pandas as pd
import torch

from sdss_lesson.auditing.evaluator.hypotheses import RIGHT, Hypothesis, hypotheses
from sdss_lesson.auditing.evaluator.probes import COLUMN, EMPTY, PROBES, TOLERANCE, Log, Probe, build, trace
from sdss_lesson.auditing.evaluator.report import AuditReport

Evaluate = Callable[..., Any]
Scale = Literal["auto", "fraction", "percent"]
_PLAIN = [number for number, probe in enumerate(PROBES) if probe.model == "plain"]
_MODES, _BATCHNORM = (next(n for n, p in enumerate(PROBES) if p.model == kind) for kind in ("modes", "batchnorm"))
_SHUFFLED = next(n for n, p in enumerate(PROBES) if p.shuffle)
_MANY = {number for number, probe in enumerate(PROBES) if sum(probe.hits) > 127}  # more than the smallest counter holds
_AT_THE_END, _QUICK = _SHUFFLED + 1, 7


@dataclass(frozen=True)
class _Call:
    """What came of one call: a number, NaN where it raised."""

    number: float
    error: BaseException | None
    log: Log
    changed: bool
    trained: bool
    left_eval: bool


def audit(
    evaluate: Evaluate, *, scale: Scale = "auto", collate_fn: Callable[[list[Any]], Any] | None = None
) -> AuditReport:
    """Examine an evaluation function from outside, and name what is wrong with it.

    It is called on about a dozen small models and loaders whose accuracy is known: uneven and equal batches, many
    rows, shuffled rows, a second call, a model that answers differently in training mode. A mistake is named when what
    it would print is what came back, on every one of them. The audit leaves the global random state, the grad mode,
    the number of threads and the default dtype as they were; a second or two in all.

    Parameters
    ----------
    evaluate
        Called as ``evaluate(model, loader)``. It returns an accuracy: a number, a tensor with one element, or anything
        with ``.accuracy``. The model is float32, on the CPU, in training mode and gives logits of shape (N, C); the
        loader is a DataLoader of ``(features, labels)`` with labels of shape (N,), int64.
    scale
        "fraction", "percent", or "auto" for whichever fits.
    collate_fn
        Handed to the DataLoader, for code that wants its batches in another shape (dicts, say).

    Returns
    -------
    AuditReport
        ``ok``, ``mistakes``, ``advice``, ``evidence``; printed, it says what is wrong and how to mend it.

    Raises
    ------
    TypeError
        When `evaluate` cannot be called, or returns something other than an accuracy. For a tuple or a dict the message
        shows the ``lambda`` that picks the accuracy out.
    RuntimeError
        When `evaluate` raises on every call, or exits. The message has the last line of its traceback.
    ValueError
        When `scale` is none of the three, or `evaluate` returns NaN on every call.

    Examples
    --------
    >>> from sdss_lesson import audit, evaluate
    >>> audit(evaluate).ok
    True
    """
    if not callable(evaluate):
        raise TypeError(f"audit() examines a function evaluate(model, loader); this is a {type(evaluate).__name__}.")
    if scale not in ("auto", "fraction", "percent"):
        raise ValueError(f"scale={scale!r}: say 'auto', 'fraction' or 'percent'.")
    with _restoring_global_state():
        first = build(PROBES[0], collate_fn)
        made = [first, first, *(build(probe, collate_fn) for probe in PROBES[2:])]
        calls = [_call(evaluate, *pair, probe) for pair, probe in zip(made, PROBES, strict=True)]
        _check_that_numbers_came(calls)
        column, empty = (_call(evaluate, *build(probe, collate_fn), probe) for probe in (COLUMN, EMPTY))
        with np.errstate(all="ignore"):
            return _report(calls, column, empty, {"fraction": [1], "percent": [100], "auto": [1, 100]}[scale])


def _report(calls: list[_Call], column: _Call, empty: _Call, scales: Sequence[int]) -> AuditReport:
    numbers = np.array([call.number for call in calls])
    right = np.array([probe.right for probe in PROBES])
    found: list[Hypothesis] = []
    factor = next((scale for scale in scales if _agree(numbers / scale, right, _PLAIN)), 0)
    counts = factor > 0
    if not counts:
        factor, found = _explain(numbers, scales)
    received, best = numbers / factor, found[0] if found else RIGHT
    predicted = np.array(best.predict([trace(probe) for probe in PROBES]))
    mistakes = list(_slugs(found))
    weights = any(call.changed for call in calls)
    trained = any(call.trained for call in calls)  # then the numbers are those of other networks
    if not found and not counts and not trained:
        mistakes.append(_by_its_looks(received, right))
    # The numbers where the mode matters, seen against what the mistakes found so far would print there.
    off = not _agree(received, predicted, [_MODES])
    if off and any(training for training, _ in calls[_MODES].log):
        mistakes.append("train-mode")
        in_training = [trace(probe, training=probe.model != "plain") for probe in PROBES]
        predicted[_MODES:] = best.predict(in_training)[_MODES:]
    elif off and not mistakes and not trained:
        mistakes.append("unexplained")
    if not mistakes and not weights and not _agree(received, right, [_BATCHNORM]):
        mistakes.append("unexplained")
    if weights:
        mistakes.append("weights-changed")
    advice = []
    if any(call.left_eval for call in calls):
        advice.append("mode-not-restored")
    if any(gradients for call in calls for _, gradients in call.log) and not trained:
        advice.append("grad-enabled")
    if counts and math.isfinite(column.number) and abs(column.number / factor - COLUMN.right) > TOLERANCE:
        advice.append("column-labels")
    if math.isfinite(empty.number):
        advice.append("empty-loader")
    evidence = pd.DataFrame(
        {"probe": [probe.name for probe in PROBES], "right": right, "received": received, "predicted": predicted}
    )
    errors = [_last_line(call.error) for call in calls if call.error is not None]
    return AuditReport(tuple(mistakes), tuple(advice), evidence, errors[0] if errors else "")


def _close(numbers: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Within rounding to two digits of a per cent or to float32; where one raises, so does the other."""
    close = np.abs(numbers - predicted) <= TOLERANCE * np.maximum(1, np.abs(predicted))
    # Where nothing is left to count, some raise and others say zero.
    return close | (np.isnan(predicted) & (np.isnan(numbers) | (numbers == 0)))


def _agree(numbers: np.ndarray, predicted: np.ndarray, where: Sequence[int]) -> bool:
    return bool(_close(numbers[list(where)], predicted[list(where)]).all())


def _explain(numbers: np.ndarray, scales: Sequence[int]) -> tuple[int, list[Hypothesis]]:
    """The hypotheses with the fewest mistakes that predicted every number, and the scale on which they did."""
    candidates, quick = _first_answers()
    for scale in scales:
        found: list[Hypothesis] = []
        for number in np.flatnonzero(_close(numbers[:_QUICK] / scale, quick).all(axis=1)):
            each = candidates[number]
            if found and len(each.slugs) > len(found[0].slugs):
                break
            if not _slugs([each]) <= _slugs(found) and _predicts(int(number), numbers / scale):
                found.append(each)
        if found:
            return scale, found
    return (scales[0] if len(scales) == 1 or np.nanmedian(numbers) <= 1.5 else scales[-1]), []


def _slugs(found: Sequence[Hypothesis]) -> KeysView[str]:
    return dict.fromkeys(slug for each in found for slugs in each.slugs for slug in slugs).keys()


@cache
def _first_answers() -> tuple[list[Hypothesis], np.ndarray]:
    """All hypotheses, and what they predict for the first probes: most fail there, once and for all."""
    candidates = list(hypotheses())
    traces = [trace(probe) for probe in PROBES[:_QUICK]]
    return candidates, np.array([each.predict(traces) for each in candidates])


@cache
def _all_answers(number: int) -> tuple[np.ndarray, ...]:
    """What one hypothesis predicts for every probe, and then with the shuffled rows in other orders."""
    hypothesis, traces = _first_answers()[0][number], [trace(probe) for probe in PROBES]
    predicted = np.array(hypothesis.predict(traces))
    others = [np.array(hypothesis.predict([*traces[:_SHUFFLED], other])) for other in _other_orders()]
    return predicted, *others


def _predicts(number: int, numbers: np.ndarray) -> bool:
    predicted = _all_answers(number)
    if not _agree(numbers, predicted[0], [each for each in _PLAIN if each != _SHUFFLED]):
        return False
    # Whoever makes a loader of their own, or looks at a batch first, sees the rows in another order.
    return any(_agree(numbers, each, [_SHUFFLED]) for each in predicted)


def _other_orders() -> list[Any]:
    probe = PROBES[_SHUFFLED]
    peeked = trace(probe, peek=True)
    return [peeked, peeked.swapped(), trace(replace(probe, shuffle=False))]


def _by_its_looks(numbers: np.ndarray, right: np.ndarray) -> str:
    """No known mistake predicts these numbers; where they go wrong may still tell which kind it is."""
    if len({round(numbers[number], 6) for number in (0, 1, _AT_THE_END)}) > 1 and not np.isnan(numbers[:2]).any():
        return "state-carried-over"
    if [number for number in _PLAIN if not _agree(numbers, right, [number])] == [_SHUFFLED]:
        return "order-dependent"
    far = set(np.flatnonzero(~(np.abs(numbers - right) <= 0.01)).tolist())
    if far and far <= _MANY:
        return "counter-overflow"
    if not far:
        return "integer-truncation"
    return "unexplained"


def _call(evaluate: Evaluate, model: Any, loader: Any, probe: Probe) -> _Call:
    before = {name: value.clone() for name, value in model.state_dict().items()}
    model.train()
    parameters, log = {name for name, _ in model.named_parameters()}, model.head.log
    start = len(log)
    number, error = math.nan, None
    try:
        with redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()), torch.enable_grad():
            result = evaluate(model, loader)
        number = _number(result, probe)
    except _NoAccuracy as no_accuracy:
        if probe.rows > 0:
            raise TypeError(str(no_accuracy)) from None
    except (Exception, SystemExit) as raised:
        error = raised
    after = model.state_dict()
    different = {name for name, value in before.items() if name not in after or not _equal(value, after[name])}
    trained = bool(different & parameters)
    return _Call(number, error, Log(log[start:]), bool(different), trained, not model.training)


def _equal(before: torch.Tensor, after: torch.Tensor) -> bool:
    """Whether the numbers are the same; `after` may lie on a GPU by now."""
    return not after.is_meta and torch.equal(before, after.cpu())


class _NoAccuracy(Exception):  # noqa: N818 - it never leaves this module
    pass


def _number(result: Any, probe: Probe) -> float:
    if hasattr(result, "accuracy"):
        result = result.accuracy() if callable(result.accuracy) else result.accuracy
    if isinstance(result, torch.Tensor | np.ndarray) and math.prod(result.shape) == 1:
        result = result.item()
    if isinstance(result, Real) and not isinstance(result, bool | np.bool_):
        return float(result)
    if result is None:
        raise _NoAccuracy("evaluate() returned None. Let it return the accuracy: is there a return at its end?")
    parts = dict(enumerate(result)) if isinstance(result, tuple) else result
    if isinstance(parts, Mapping):
        fits = (key for key, value in parts.items() if _is_accuracy(value, probe))
        key = next(fits, next(iter(parts), 0))
        raise _NoAccuracy(
            f"evaluate() returned a {type(result).__name__}, and an accuracy is one number. Pick it out: "
            f"audit(lambda model, loader: evaluate(model, loader)[{key!r}])"
        )
    raise _NoAccuracy(
        f"evaluate() returned a {type(result).__name__}; it must return the accuracy: a number, a tensor with one "
        "element, or something with .accuracy."
    )


def _is_accuracy(value: Any, probe: Probe) -> bool:
    try:
        number = _number(value, probe)
    except _NoAccuracy:
        return False
    return any(abs(number / scale - probe.right) <= TOLERANCE for scale in (1, 100))


def _check_that_numbers_came(calls: Sequence[_Call]) -> None:
    errors = [call.error for call in calls]
    exits = [error for error in errors if isinstance(error, SystemExit)]
    if exits:
        raise RuntimeError("evaluate() ended the program (sys.exit). Let it return the accuracy instead.") from exits[0]
    if all(error is not None for error in errors):
        raise RuntimeError(
            f"evaluate() raises on every probe. Its last line: {_last_line(errors[0]).rstrip('.')}. audit calls "
            "evaluate(model, loader) on the CPU; each batch is (inputs, labels). Where yours takes other arguments, "
            "audit a small function around it: def mine(model, loader): return evaluate(model, loader, criterion)"
        ) from errors[0]
    if all(math.isnan(call.number) for call in calls):
        raise ValueError("evaluate() returned NaN on every probe: is it divided by zero?")


def _last_line(error: BaseException | None) -> str:
    return "" if error is None else traceback.format_exception_only(error)[0].strip()


@contextmanager
def _restoring_global_state() -> Iterator[None]:
    """Whatever an evaluator does to the global state is undone."""
    states = random.getstate(), np.random.get_state()  # noqa: NPY002 - the legacy one is global
    threads, dtype = torch.get_num_threads(), torch.get_default_dtype()
    try:
        # The probes lie on the CPU, whatever the default device is.
        with torch.device("cpu"), torch.random.fork_rng(devices=[]), warnings.catch_warnings(), np.errstate():
            warnings.simplefilter("ignore")
            # A verdict on a function that draws numbers must not depend on the caller's state. torch.manual_seed()
            # would seed the GPUs, too.
            torch.default_generator.manual_seed(0)
            np.random.seed(0)  # noqa: NPY002
            random.seed(0)
            yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])  # noqa: NPY002
        torch.set_num_threads(threads)
        torch.set_default_dtype(dtype)
