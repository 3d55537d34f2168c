"""`audit` against functions that are right and functions that are wrong; what it leaves alone; what it refuses."""

import copy
import functools
import io
import itertools
import math
import random
import sys
import types
import warnings
from collections import namedtuple
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np
import pytest
import torch
from bank import honest, wrong
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn
from torch.utils.data import DataLoader, RandomSampler, SequentialSampler, Subset, TensorDataset

from sdss_lesson import AuditReport, audit, evaluate, evaluation
from sdss_lesson.auditing.evaluator import hypotheses
from sdss_lesson.auditing.evaluator.probes import COLUMN, EMPTY, PROBES, build, trace
from sdss_lesson.mistakes import MISTAKES

EVAL, GRAD = "mode-not-restored", "grad-enabled"
ADVICE_ONLY = {EVAL, GRAD}
PLAIN = [number for number, probe in enumerate(PROBES) if probe.model == "plain"]
NAMES = [probe.name for probe in PROBES]


def accuracy(model, loader):
    """The right one, as a float."""
    return evaluate(model, loader).accuracy


def advice(report):
    return set(report.advice) & ADVICE_ONLY


def answers(report):
    """What was found wrong, or what was only advised."""
    return report.mistakes[:1] or report.advice


# The bank: functions of people who have not seen the audit


@pytest.mark.parametrize("name", honest.HONEST)
def test_a_right_function_passes_with_the_advice_it_should_get(name):
    report = audit(honest.HONEST[name])
    assert report.mistakes == ()
    assert report.ok
    assert advice(report) == honest.ADVICE[name]
    assert set(report.advice) <= {EVAL, GRAD, "column-labels", "empty-loader"}


@pytest.mark.parametrize("name", wrong.WRONG)
def test_a_wrong_function_is_caught_and_named(name):
    wrong.forget()
    function, names = wrong.WRONG[name]
    report = audit(function)
    if names <= ADVICE_ONLY:
        assert report.ok
        assert advice(report) == names | wrong.ADVICE[name]
    else:
        assert not report.ok
        assert report.mistakes[0] in names
        # A function that trains needs the gradients.
        assert advice(report) == wrong.ADVICE[name] - ({GRAD} if "weights-changed" in names else set())


@pytest.mark.parametrize("name", wrong.PAIRS)
def test_of_two_mistakes_one_is_named_first(name):
    wrong.forget()
    function, both, first = wrong.PAIRS[name]
    report = audit(function)
    assert not report.ok
    assert report.mistakes[0] in first
    assert advice(report) == wrong.ADVICE[name] - ({GRAD} if "weights-changed" in both else set())


# The catalogue

OVERWRITTEN = ("counter-overwritten", "counter-reset")
NAMED = {
    "counter-overwritten": OVERWRITTEN,
    "counter-reset": OVERWRITTEN,
    "last-batch-only": ("last-batch-only", "counter-reset"),
    "train-mode": ("train-mode", "weights-changed"),  # the statistics of BatchNorm move
}
# These are right on the labels and the modes of the probes; that is said, where it can be seen.
ADVISED = {
    "labels_as_they_come": {"column-labels"},
    "eval_and_no_way_back": {EVAL},
    "always_back_to_train": set(),  # a model that was wholly in training mode is put back
    "with_gradients": {GRAD},
}


@pytest.mark.parametrize(
    ("slug", "number"), [(slug, number) for slug, entry in MISTAKES.items() for number in range(len(entry.variants))]
)
def test_every_variant_of_the_catalogue_is_named(slug, number):
    variant = MISTAKES[slug].fresh()[number]
    report = audit(variant)
    name = getattr(variant, "__name__", type(variant).__name__)
    if name in ADVISED:
        assert report.mistakes == ()
        assert set(report.advice) == ADVISED[name]
    else:
        expected = NAMED.get(slug, (slug,))
        assert report.mistakes[: len(expected)] == expected
        # What is 0 everywhere may have come about in another way, too.
        assert report.mistakes == expected or not report.evidence["received"].any()
        assert set(report.advice) <= {"empty-loader"}


def test_the_mode_comes_before_the_statistics_that_it_moves():
    for variant in MISTAKES["train-mode"].variants:
        assert audit(variant).mistakes == ("train-mode", "weights-changed")


# The package's own evaluator, whole and broken


def test_the_evaluator_of_the_package_passes_without_advice():
    report = audit(evaluate)
    assert isinstance(report, AuditReport)
    assert (report.ok, report.mistakes, report.advice, report.error) == (True, (), (), "")


BY_BATCH = """
def evaluate(model, data):
    # The package's evaluator, as it would be if it counted each batch by itself.
    batches = batches_of(data, None)
    device = device_of(model)
    total: Evaluation | None = None
    with eval_mode(model), torch.no_grad():
        for batch in batches:
            inputs, labels = unpack(batch, device)
            logits = forward(model, inputs)
            labels, n_classes = check_shapes(logits, labels), logits.shape[1]
            pairs = labels * n_classes + logits.argmax(1)
            confusion = torch.bincount(pairs, minlength=n_classes**2).reshape(n_classes, n_classes)
            part = Evaluation(confusion.numpy(), 0.0)
            total = part if total is None else total + part
    if total is None:
        raise ValueError("There are no rows to evaluate.")
    return total
"""
ADD_UP = "total = part if total is None else total + part"
START = "total: Evaluation | None = None"
UNDER = "with eval_mode(model), torch.no_grad():"
EACH = "for batch in batches:"
END = "return total"
ARGMAX = "pairs = labels * n_classes + logits.argmax(1)"
BROKEN = {  # lines and what stands there instead, the mistakes, the advice
    "counters reset": ({ADD_UP: "total = part"}, ("last-batch-only", "counter-reset"), ()),
    "hits overwritten": (
        {
            START: "total, rows = None, 0",
            ADD_UP: "total = part; rows += len(labels)",
            END: "return total.n_correct / rows",
        },
        OVERWRITTEN,
        (),
    ),
    "rows overwritten": ({END: "return total.n_correct / len(labels)"}, OVERWRITTEN, ()),
    "mean of batch means": (
        {
            START: "total, means = None, []",
            ADD_UP: "total = part; means.append(part.accuracy)",
            END: "return sum(means) / len(means)",
        },
        ("mean-of-batch-means",),
        (),
    ),
    "divided by batches": ({END: "return total.n_correct / len(data)"}, ("divided-by-batches",), ()),
    "no eval()": ({UNDER: "with torch.no_grad():"}, ("train-mode", "weights-changed"), ()),
    "modes not put back": ({UNDER: "with torch.no_grad(): model.eval()\n    with torch.no_grad():"}, (), (EVAL,)),
    "no no_grad()": ({UNDER: "with eval_mode(model):"}, (), (GRAD,)),
    "only the first batch": ({ADD_UP: "total = part; break"}, ("first-batch-only",), ()),
    "last batch dropped": ({EACH: "for batch in list(batches)[:-1]:"}, ("last-batch-dropped",), ()),
    "full batches only": (
        {ADD_UP: f"if len(labels) == data.batch_size: {ADD_UP}"},
        ("last-batch-dropped",),
        (),
    ),
    "argmax over dim 0": ({ARGMAX: ARGMAX.replace("(1)", "(0)")}, ("wrong-argmax-dim",), ()),
    "argmax of the first row": ({ARGMAX: ARGMAX.replace("argmax(1)", "argmax(1)[0]")}, ("wrong-argmax-dim",), ()),
    "kept between calls": (
        {START: "total = kept.get('total')", END: f"kept['total'] = total; {END}"},
        ("state-carried-over",),
        (),
    ),
    "labels from elsewhere": (
        {
            START: "total, rows = None, 0",
            "inputs, labels = unpack(batch, device)": "inputs, labels = unpack(batch, device); "
            "labels = data.dataset.targets[rows : rows + len(labels)]; rows += len(labels)",
        },
        ("order-dependent",),
        (),
    ),
    "a whole per cent": ({END: "return int(100 * total.n_correct / total.n_samples)"}, ("integer-truncation",), ()),
}


@pytest.mark.parametrize("name", BROKEN)
def test_the_evaluator_of_the_package_once_broken_is_named(name):
    lines, mistakes, advised = BROKEN[name]
    source = BY_BATCH
    for line, instead in lines.items():
        assert source.count(line) == 1
        source = source.replace(line, instead)
    space = vars(evaluation) | {"kept": {}, "model": None}
    exec(BY_BATCH, space)
    assert audit(space["evaluate"]).ok
    exec(source, space)
    report = audit(space["evaluate"])
    assert report.mistakes == mistakes
    assert advice(report) == set(advised)


# Evaluators put together at random. Each part is a right way, or a wrong one, to take a step.


def own_loader(loader):
    return DataLoader(loader.dataset, batch_size=40)


def by_next(loader):
    batches = iter(loader)
    while (batch := next(batches, None)) is not None:
        yield batch


def first_half(loader):
    return itertools.islice(loader, (len(loader) + 1) // 2)


def as_cells(logits, _):
    return [max(range(len(row)), key=row.__getitem__) for row in logits.tolist()]


PARTS = {  # the right ways, and the wrong ones
    "batches": (
        [lambda loader: loader, list, by_next, own_loader, lambda loader: (batch for _, batch in enumerate(loader))],
        [
            lambda loader: list(loader)[-1:],
            lambda loader: itertools.islice(loader, 1),
            lambda loader: list(loader)[1:] or list(loader),
            lambda loader: (batch for batch in loader if len(batch[1]) == loader.batch_size),
            lambda loader: [*loader, next(iter(loader))],
            first_half,
        ],
    ),
    "guess": (
        [
            lambda logits, _: logits.argmax(1).tolist(),
            lambda logits, _: logits.max(dim=-1).indices.numpy(),
            lambda logits, _: logits.topk(1)[1][:, 0].tolist(),
            lambda logits, _: logits.softmax(1).numpy().argmax(1),
            as_cells,
        ],
        [
            lambda logits, _: logits.argmin(1).tolist(),
            lambda logits, _: [logits.argmax().item()] * len(logits),
            lambda logits, _: [0] * len(logits),
            lambda logits, _: logits.topk(2)[1][:, 1].tolist(),
            lambda logits, _: logits.softmax(0).argmax(1).tolist(),
            lambda logits, labels: logits.argmax(1).roll(1).tolist(),
        ],
    ),
    "hits": (
        [
            lambda guesses, labels: sum(a == b for a, b in zip(guesses, labels.tolist(), strict=True)),
            lambda guesses, labels: (torch.as_tensor(guesses) == labels).sum().item(),
            lambda guesses, labels: (np.asarray(guesses) == labels.numpy()).mean() * len(labels),
            lambda guesses, labels: float(np.count_nonzero(np.equal(guesses, labels.numpy()))),
        ],
        [
            lambda guesses, labels: (torch.as_tensor(guesses) == labels[:, None]).sum().item(),
            lambda guesses, labels: (torch.as_tensor(guesses) == labels).float().mean().item(),
            lambda guesses, labels: int((torch.as_tensor(guesses) == labels).all()),
            lambda guesses, labels: int((torch.as_tensor(guesses) == labels).sum().to(torch.int8)),
            lambda guesses, labels: len(set(guesses) & set(labels.tolist())),
        ],
    ),
    "rows": (
        [lambda labels, _: len(labels), lambda labels, _: labels.size(0), lambda labels, _: float(labels.numel())],
        [lambda _, loader: loader.batch_size, lambda *_: 1, lambda labels, _: len(labels) + 1],
    ),
    "divided": (
        [
            lambda hits, rows: sum(hits) / sum(rows),
            lambda hits, rows: np.sum(hits) / np.sum(rows),
            lambda hits, rows: float(np.average(np.divide(hits, rows), weights=rows)),
            lambda hits, rows: functools.reduce(lambda a, b: a + b, hits) / math.fsum(rows),
        ],
        [
            lambda hits, rows: hits[-1] / sum(rows),
            lambda hits, rows: sum(hits) / rows[-1],
            lambda hits, rows: float(np.mean(np.divide(hits, rows))),
            lambda hits, rows: float(np.median(np.divide(hits, rows))),
            lambda hits, rows: max(a / b for a, b in zip(hits, rows, strict=True)),
            lambda hits, rows: functools.reduce(lambda a, b: (a + b) / 2, np.divide(hits, rows).tolist()),
        ],
    ),
    "rounded": (
        [lambda x: x, lambda x: 100 * x, lambda x: round(x, 4), lambda x: round(100 * x, 2), lambda x: 1 - (1 - x)],
        [lambda x: round(x, 2), lambda x: int(100 * x), lambda x: 1 - x, lambda x: x**2, lambda x: float(x > 0.5)],
    ),
    "type": (
        [
            float,
            np.float32,
            np.float64,
            torch.tensor,
            lambda x: torch.tensor([x], dtype=torch.float64),
            lambda x: np.array([[x]]),
            lambda x: types.SimpleNamespace(accuracy=float(x)),
        ],
        [int],
    ),
    "mode": (["eval", "eval and back", "back in the end"], ["", "train"]),
    "gradients": ([torch.no_grad, torch.inference_mode, lambda: torch.set_grad_enabled(False), ExitStack], []),
}


@dataclass(frozen=True)
class Composed:
    """An evaluator of nine parts, given by their numbers; those from 100 on are wrong."""

    numbers: dict[str, int]

    def part(self, name):
        right, bad = PARTS[name]
        number = self.numbers[name]
        return bad[number - 100] if number >= 100 else right[number]

    def __call__(self, model, loader):
        mode = self.part("mode")
        was = [(module, module.training) for module in model.modules()]
        if mode:
            model.train(mode == "train")
        hits, rows = [], []
        with self.part("gradients")():
            for inputs, labels in self.part("batches")(loader):
                guesses = self.part("guess")(model(inputs).detach(), labels)
                hits.append(self.part("hits")(guesses, labels))
                rows.append(self.part("rows")(labels, loader))
        if mode == "eval and back":
            model.train()
        elif mode == "back in the end":
            for module, training in was:
                module.training = training
        return self.part("type")(self.part("rounded")(self.part("divided")(hits, rows)))

    @property
    def advice(self):
        found = {EVAL} if self.part("mode") == "eval" else set()
        return found | ({GRAD} if self.part("gradients") is ExitStack else set())


class Rolled(nn.Module):
    def forward(self, logits):
        return logits.roll(1, 1) if self.training else logits


@functools.cache
def other_rows():
    """Loaders that the audit does not have, and their accuracies."""
    made = []
    for seed, (n, size, n_classes, shuffle) in enumerate(
        [(53, 16, 3, False), (53, 16, 3, True), (48, 12, 4, False), (29, 64, 3, False), (900, 300, 3, False)]
    ):
        rng = torch.Generator().manual_seed(seed)
        labels = torch.randint(n_classes, (n,), generator=rng)
        logits = torch.randn(n, n_classes, generator=rng) + 1.5 * nn.functional.one_hot(labels, n_classes)
        loader = DataLoader(TensorDataset(logits, labels), size, shuffle=shuffle, generator=rng)
        made.append((loader, (logits.argmax(1) == labels).double().mean().item()))
    return made


def right_elsewhere(function):
    """Whether it returns the right accuracy on rows of the tests' own."""
    results = []
    for model in (Rolled(), nn.Identity()):
        for loader, right in other_rows():
            try:
                result = function(model.train(), loader)
            except (ZeroDivisionError, IndexError):
                return False
            result = np.asarray(getattr(result, "accuracy", result)).item()
            results.append((result, right))
    received, right = np.array(results).T
    return any(np.abs(received / scale - right).max() < 1e-4 for scale in (1, 100))


RIGHT = st.fixed_dictionaries({name: st.integers(0, len(right) - 1) for name, (right, _) in PARTS.items()})
SPOILT = st.lists(
    st.sampled_from([(name, 100 + number) for name, (_, bad) in PARTS.items() for number in range(len(bad))]),
    min_size=1,
    max_size=2,
)


@given(RIGHT)
@settings(max_examples=25)
def test_right_parts_make_an_evaluator_that_passes(numbers):
    made = Composed(numbers)
    assert right_elsewhere(made)
    report = audit(made)
    assert report.mistakes == ()
    assert advice(report) == made.advice


@given(RIGHT, SPOILT)
@settings(max_examples=25)
def test_an_evaluator_with_a_wrong_part_never_passes(numbers, spoilt):
    made = Composed(numbers | dict(spoilt))
    # Two wrong parts may make up for each other, and a whole number may be all that the rest leaves.
    assert audit(made).ok == right_elsewhere(made)


# What may be returned

WithMore = namedtuple("WithMore", "loss accuracy")


class Metric:
    """An accuracy worked out when it is asked for."""

    def __init__(self, found):
        self.found = found

    @property
    def accuracy(self):
        return torch.tensor(self.found.accuracy)


class Method:
    def __init__(self, found):
        self.found = found

    def accuracy(self):
        return self.found.accuracy


RETURNED = {
    "a float": lambda e: e.accuracy,
    "np.float64": lambda e: np.float64(e.accuracy),
    "np.float32": lambda e: np.float32(e.accuracy),
    "np.longdouble": lambda e: np.longdouble(e.accuracy),
    "a tensor": lambda e: torch.tensor(e.accuracy),
    "a double tensor": lambda e: torch.tensor(e.accuracy, dtype=torch.float64),
    "a tensor of shape (1,)": lambda e: torch.tensor([e.accuracy]),
    "a tensor of shape (1, 1)": lambda e: torch.tensor([[e.accuracy]]),
    "a tensor with a gradient": lambda e: torch.tensor(e.accuracy, requires_grad=True),
    "an array": lambda e: np.array(e.accuracy),
    "an array of shape (1,)": lambda e: np.array([e.accuracy]),
    "an array of float32": lambda e: np.array([[e.accuracy]], dtype=np.float32),
    "a named tuple": lambda e: WithMore(e.loss, e.accuracy),
    "a namespace": lambda e: types.SimpleNamespace(accuracy=e.accuracy),
    "a property with a tensor": Metric,
    "a method": Method,
    "an accuracy inside another": lambda e: types.SimpleNamespace(accuracy=torch.tensor([e.accuracy])),
    "per cent": lambda e: 100 * e.accuracy,
    "per cent with two digits": lambda e: round(100 * e.accuracy, 2),
    "per cent as text, read": lambda e: float(f"{100 * e.accuracy:.2f}"),
    "per cent in float32": lambda e: torch.tensor(100 * e.accuracy),
    "four digits": lambda e: round(e.accuracy, 4),
    "per cent in a named tuple": lambda e: WithMore(e.loss, round(100 * e.accuracy, 2)),
}


@pytest.mark.parametrize("name", RETURNED)
def test_a_right_accuracy_passes_in_whatever_it_comes(name):
    returned = RETURNED[name]
    report = audit(lambda model, loader: returned(evaluate(model, loader)))
    assert report.mistakes == ()
    assert report.advice == ()
    scale = "percent" if name.startswith("per cent") else "fraction"
    assert audit(lambda model, loader: returned(evaluate(model, loader)), scale=scale).ok
    np.testing.assert_allclose(report.evidence["received"], report.evidence["right"], atol=1e-4)


@pytest.mark.parametrize(("scale", "factor"), [("fraction", 100), ("percent", 1)])
def test_a_scale_that_is_asked_for_refuses_the_other(scale, factor):
    assert audit(lambda model, loader: factor * accuracy(model, loader)).ok
    report = audit(lambda model, loader: factor * accuracy(model, loader), scale=scale)
    assert not report.ok
    assert report.mistakes == ("unexplained",)


@pytest.mark.parametrize(("scale", "factor"), [("fraction", 1), ("percent", 100)])
def test_a_mistake_is_named_on_the_scale_that_is_asked_for(scale, factor):
    mean = MISTAKES["mean-of-batch-means"].variants[0]
    assert audit(lambda model, loader: factor * mean(model, loader), scale=scale).mistakes == ("mean-of-batch-means",)


@pytest.mark.parametrize(
    "lie",
    [
        lambda e: 0.5,
        lambda e: 0,
        lambda e: 1,
        lambda e: 100.0,
        lambda e: math.inf,
        lambda e: -e.accuracy,
        lambda e: 1 - e.accuracy,
        lambda e: e.n_correct,
        lambda e: e.accuracy + 5e-4,
        lambda e: round(e.accuracy, 2),
        lambda e: round(100 * e.accuracy),
        lambda e: e.balanced_accuracy,
    ],
)
def test_another_number_never_passes(lie):
    assert not audit(lambda model, loader: lie(evaluate(model, loader))).ok


def test_on_the_names_of_an_unknown_mistake_nothing_is_made_up():
    report = audit(lambda model, loader: accuracy(model, loader) ** 2)
    assert report.mistakes == ("unexplained",)


def worse_each_time():
    calls = itertools.count()
    return lambda model, loader: accuracy(model, loader) - 0.003 * next(calls)


def worse_if_shuffled(model, loader):
    return accuracy(model, loader) - 0.1 * isinstance(loader.sampler, RandomSampler)


def counts_to_127(model, loader):
    found = evaluate(model, loader)
    return min(found.n_correct, 127) / found.n_samples


def in_steps(model, loader):
    return math.floor(200 * accuracy(model, loader)) / 200


@pytest.mark.parametrize(
    ("function", "name"),
    [
        (worse_each_time(), "state-carried-over"),
        (worse_if_shuffled, "order-dependent"),
        (counts_to_127, "counter-overflow"),
        (in_steps, "integer-truncation"),
    ],
    ids=["each time", "if shuffled", "to 127", "in steps"],
)
def test_a_mistake_that_nobody_knew_is_named_by_where_it_goes_wrong(function, name):
    assert audit(function).mistakes == (name,)


@pytest.mark.parametrize(
    ("number", "scale", "received"),
    [
        (12.5, "auto", 0.125),
        (12.5, "fraction", 12.5),
        (12.5, "percent", 0.125),
        (0.125, "percent", 0.00125),
        (0.125, "fraction", 0.125),
    ],
)
def test_what_nothing_explains_is_shown_on_the_likelier_scale(number, scale, received):
    evidence = audit(lambda model, loader: number, scale=scale).evidence
    assert evidence["received"].tolist() == [received] * len(PROBES)


# What is refused

LINE = r"audit\(lambda model, loader: evaluate\(model, loader\)\[%s\]\)"
NO_ACCURACY = {
    "a pair": (lambda e: (e.loss, e.accuracy), LINE % 1),
    "a pair, accuracy first": (lambda e: (e.accuracy, e.loss), LINE % 0),
    "a triple in per cent": (lambda e: (e.loss, e.n_samples, 100 * e.accuracy), LINE % 2),
    "a pair with a tensor": (lambda e: (e.loss, torch.tensor([e.accuracy])), LINE % 1),
    "a pair with an object": (lambda e: ("test", e), LINE % 1),
    "a pair after a pair": (lambda e: ((e.n_correct, e.n_samples), e.accuracy), LINE % 1),
    "a named tuple": (lambda e: namedtuple("Pair", "loss score")(e.loss, e.accuracy), LINE % 1),
    "a dict": (lambda e: {"loss": e.loss, "acc": e.accuracy}, LINE % "'acc'"),
    "a dict in per cent": (lambda e: {"acc1": 100 * e.accuracy, "loss": e.loss}, LINE % "'acc1'"),
    "a dict with numbers": (lambda e: {0: e.loss, 7: e.accuracy}, LINE % 7),
    "a dict without it": (lambda e: {"loss": e.loss}, LINE % "'loss'"),
    "None": (lambda e: print(e.accuracy), r"returned None. Let it return the accuracy: is there a return"),
    "a str": (lambda e: f"{e.accuracy:.4f}", r"returned a str; it must return the accuracy: a number, a tensor"),
    "a list": (lambda e: [e.accuracy], "returned a list; it must"),
    "a truth value": (lambda e: True, "returned a bool; it must"),
    "a tensor with a truth value": (lambda e: torch.tensor(False), "returned a bool; it must"),
    "two numbers": (lambda e: torch.tensor([e.accuracy, e.loss]), "returned a Tensor; it must"),
    "no number": (lambda e: np.array([]), "returned a ndarray; it must"),
    "an object": (lambda e: types.SimpleNamespace(acc=e.accuracy), r"returned a SimpleNamespace.*with \.accuracy"),
    "no accuracy inside": (lambda e: types.SimpleNamespace(accuracy=None), "returned None"),
    "a model": (lambda e: nn.Identity(), "returned a Identity"),
}


@pytest.mark.parametrize("name", NO_ACCURACY)
def test_what_is_no_accuracy_is_refused_with_a_remedy(name, capsys):
    returned, words = NO_ACCURACY[name]
    with pytest.raises(TypeError, match=words) as caught:
        audit(lambda model, loader: returned(evaluate(model, loader)))
    assert type(caught.value) is TypeError
    assert "\n" not in str(caught.value)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("name", [name for name, (_, words) in NO_ACCURACY.items() if "lambda" in words])
def test_the_line_that_is_offered_works(name):
    returned, _ = NO_ACCURACY[name]

    def loss_and_accuracy(model, loader):
        return returned(evaluate(model, loader))

    with pytest.raises(TypeError) as caught:
        audit(loss_and_accuracy)
    line = str(caught.value).partition("Pick it out: ")[2]
    report = eval(line, {"audit": audit, "evaluate": loss_and_accuracy})
    assert report.ok == (name != "a dict without it")


def test_a_wrong_pair_gets_the_line_too():
    for wrong_or_none in [(0.5, 0.25), ()]:
        with pytest.raises(TypeError, match=r"\[0\]\)$"):
            audit(lambda model, loader, returned=wrong_or_none: returned)


@pytest.mark.parametrize("thing", [None, 0.7, "evaluate", [evaluate], nn.Linear(1, 1).weight])
def test_what_cannot_be_called_is_refused(thing):
    with pytest.raises(TypeError, match=rf"evaluate\(model, loader\); this is a {type(thing).__name__}\."):
        audit(thing)


@pytest.mark.parametrize("scale", ["per cent", "%", 100, None, "Fraction"])
def test_an_unknown_scale_is_refused(scale):
    with pytest.raises(ValueError, match=r"say 'auto', 'fraction' or 'percent'"):
        audit(evaluate, scale=scale)


def test_the_options_have_names():
    with pytest.raises(TypeError):
        audit(evaluate, "percent")


@pytest.mark.parametrize("nan", [math.nan, np.float32("nan"), torch.tensor(math.nan)])
def test_nan_on_every_call_is_refused(nan):
    with pytest.raises(ValueError, match="NaN on every probe: is it divided by zero"):
        audit(lambda model, loader: nan)


@pytest.mark.parametrize("code", [0, 1, None, "done"])
def test_an_evaluator_that_ends_the_program_is_refused(code):
    with pytest.raises(RuntimeError, match=r"ended the program \(sys.exit\). Let it return the accuracy") as caught:
        audit(lambda model, loader: sys.exit(code))
    assert isinstance(caught.value.__cause__, SystemExit)


def test_an_evaluator_that_ends_the_program_once_is_refused():
    def exits(model, loader):
        return accuracy(model, loader) if len(loader) > 1 else sys.exit("only one batch")

    with pytest.raises(RuntimeError, match=r"sys\.exit"):
        audit(exits)


RAISES = {
    "KeyError: 'x'": lambda model, loader: {}["x"],
    "ZeroDivisionError: division by zero": lambda model, loader: 1 / 0,
    "TypeError: <lambda>() takes 1 positional argument but 2 were given": lambda model: 0.5,
    "NameError: name 'device' is not defined": lambda model, loader: model.to(device),  # noqa: F821
    "AttributeError: 'ProbeModel' object has no attribute 'score'": lambda model, loader: model.score(loader),
    "AssertionError": lambda model, loader: exec("assert loader is None"),
}


@pytest.mark.parametrize("line", RAISES)
def test_an_evaluator_that_always_raises_is_refused_with_the_last_line(line):
    with pytest.raises(RuntimeError) as caught:
        audit(RAISES[line])
    assert str(caught.value).startswith(
        f"evaluate() raises on every probe. Its last line: {line}. audit calls evaluate("
    )
    assert str(caught.value).endswith(": def mine(model, loader): return evaluate(model, loader, criterion)")
    assert type(caught.value.__cause__).__name__ == line.partition(":")[0]
    assert caught.value.__cause__.__traceback__ is not None  # where it happened


def test_an_evaluator_that_sometimes_raises_does_not_pass():
    def needs_three_classes(model, loader):
        if model.linear.out_features != 3:
            raise ValueError("three classes, please")
        return accuracy(model, loader)

    report = audit(needs_three_classes)
    assert report.mistakes == ("unexplained",)
    assert report.error == "ValueError: three classes, please"
    evidence = report.evidence.set_index("probe")
    assert np.isnan(evidence.loc["as many rows in a batch as classes", "received"])
    assert evidence["received"].isna().sum() == 1
    assert "no number came back" in str(report) and report.error in str(report)


def test_an_evaluator_that_raises_only_once_does_not_pass():
    calls = itertools.count()

    def raises_at_the_third(model, loader):
        if next(calls) == 2:
            raise OSError("gone")
        return accuracy(model, loader)

    report = audit(raises_at_the_third)
    assert not report.ok
    assert report.error == "OSError: gone"


@pytest.mark.parametrize("number", [*PLAIN, NAMES.index("another output in training mode")])
def test_one_wrong_number_is_enough(number):
    calls = itertools.count()

    def wrong_once(model, loader):
        return accuracy(model, loader) + (0.01 if next(calls) == number else 0)

    report = audit(wrong_once)
    assert not report.ok
    assert PROBES[number].model == "plain" or report.mistakes == ("unexplained",)
    off = report.evidence["received"] - report.evidence["right"]
    assert off.abs().gt(1e-4).to_numpy().nonzero()[0].tolist() == [number]


def test_an_empty_loader_may_raise_and_a_number_for_it_is_told():
    report = audit(lambda model, loader: accuracy(model, loader) if len(loader.dataset) else 0.0)
    assert report.ok
    assert report.advice == ("empty-loader",)
    for nothing in (None, math.nan, ()):
        assert audit(lambda m, x, nothing=nothing: accuracy(m, x) if len(x.dataset) else nothing).advice == ()


def test_labels_in_a_column_are_told_on_either_scale():
    as_they_come = MISTAKES["labels-broadcast"].variants[2]
    for scale in (1, 100):
        report = audit(lambda model, loader, scale=scale: scale * as_they_come(model, loader))
        assert report.ok
        assert report.advice == ("column-labels",)


# Batches of another shape


def as_dicts(rows):
    features, labels = zip(*rows, strict=True)
    return {"x": torch.stack(features), "y": torch.stack(labels)}


def dicts_right(model, loader):
    with evaluation.eval_mode(model), torch.no_grad():
        hits = [(model(batch["x"]).argmax(1) == batch["y"].flatten()) for batch in loader]
    return torch.cat(hits).double().mean().item()


def dicts_mean(model, loader):
    with evaluation.eval_mode(model), torch.no_grad():
        means = [(model(batch["x"]).argmax(1) == batch["y"]).float().mean().item() for batch in loader]
    return sum(means) / len(means)


def dicts_of_the_dataset(model, loader):
    with evaluation.eval_mode(model), torch.no_grad():
        guesses = torch.cat([model(batch["x"]).argmax(1) for batch in loader])
    return (guesses == loader.dataset.targets.flatten()).double().mean().item()


def dicts_in_training_mode(model, loader):
    with torch.no_grad():
        hits = [(model(batch["x"]).argmax(1) == batch["y"]) for batch in loader]
    return torch.cat(hits).double().mean().item()


@pytest.mark.parametrize(
    ("function", "mistakes"),
    [
        (dicts_right, ()),
        (dicts_mean, ("mean-of-batch-means",)),
        (dicts_of_the_dataset, ("order-dependent",)),
        (dicts_in_training_mode, ("train-mode", "weights-changed")),
    ],
)
def test_code_that_wants_its_batches_as_dicts_is_examined(function, mistakes):
    assert audit(function, collate_fn=as_dicts).mistakes == mistakes
    with pytest.raises(RuntimeError, match="raises on every probe"):
        audit(function)  # without it the batches are pairs


def test_labels_in_a_column_come_in_the_batches_that_were_asked_for():
    def as_they_come(model, loader):
        with evaluation.eval_mode(model), torch.no_grad():
            hits = [(model(batch["x"]).argmax(1) == batch["y"]).float().sum().item() for batch in loader]
        return sum(hits) / len(loader.dataset)

    assert audit(as_they_come, collate_fn=as_dicts).advice == ("column-labels",)


def test_a_collate_function_may_change_the_shape_of_the_labels():
    def column(rows):
        features, labels = zip(*rows, strict=True)
        return torch.stack(features), torch.stack(labels).reshape(-1, 1)

    assert audit(evaluate, collate_fn=column).ok
    assert audit(MISTAKES["labels-broadcast"].variants[2], collate_fn=column).mistakes == ("labels-broadcast",)


# What is left alone


def spoils_the_state(model, loader):
    random.seed(1)
    np.random.seed(1)  # noqa: NPY002
    torch.manual_seed(1)
    torch.rand(3), np.random.rand(3), random.random()  # noqa: NPY002
    torch.set_grad_enabled(False)
    torch.set_num_threads(3)
    torch.set_default_dtype(torch.float16)
    warnings.simplefilter("error")
    warnings.filterwarnings("always", "any")
    return accuracy(model, loader)


def state():
    kind, keys, *rest = np.random.get_state()  # noqa: NPY002
    return (
        random.getstate(),
        (kind, keys.tolist(), *rest),
        torch.get_rng_state().tolist(),
        torch.is_grad_enabled(),
        torch.get_num_threads(),
        torch.get_default_dtype(),
        list(warnings.filters),
    )


@pytest.mark.parametrize("gradients", [True, False])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("function", [evaluate, spoils_the_state, MISTAKES["weights-changed"].variants[0]])
def test_nothing_is_changed(function, dtype, gradients):
    torch.set_default_dtype(dtype)
    torch.set_grad_enabled(gradients)
    before = state()
    report = audit(function)
    assert state() == before
    expected = ("weights-changed",) if function not in (evaluate, spoils_the_state) else ()
    assert report.mistakes == expected


def raises(model, loader):
    spoils_the_state(model, loader)
    raise ValueError("no")


def returns_a_pair(model, loader):
    return spoils_the_state(model, loader), 0


def ends_the_program(model, loader):
    spoils_the_state(model, loader)
    sys.exit()


@pytest.mark.parametrize("function", [raises, returns_a_pair, ends_the_program])
def test_nothing_is_changed_where_the_audit_raises(function):
    before = state()
    with pytest.raises((RuntimeError, TypeError)):
        audit(function)
    assert state() == before


@pytest.mark.parametrize("kind", [KeyboardInterrupt, GeneratorExit])
def test_an_interruption_passes_through_and_leaves_everything_as_it_was(kind, capsys):
    calls = itertools.count()

    def interrupted(model, loader):
        print("half way")
        spoils_the_state(model, loader)
        if next(calls) == 3:
            raise kind
        return 0.5

    before = state()
    with pytest.raises(kind):
        audit(interrupted)
    assert state() == before
    assert capsys.readouterr() == ("", "")
    print("seen")
    assert capsys.readouterr().out == "seen\n"


def test_the_caller_may_have_switched_the_gradients_off():
    with_gradients = MISTAKES["grad-enabled"].variants[0]
    for off in (torch.no_grad, torch.inference_mode):
        with off():
            assert audit(evaluate).advice == ()
            assert audit(with_gradients).advice == (GRAD,)
            assert not torch.is_grad_enabled()


def test_a_model_that_was_moved_has_changed():
    def moves(model, loader):
        found = accuracy(model, loader)
        model.to("meta")  # as it would be moved to a GPU, and lost at that
        return found

    assert "weights-changed" in audit(moves).mistakes


def test_the_default_device_changes_no_report():
    torch.set_default_device("meta")
    try:
        assert audit(evaluate).ok
        assert torch.get_default_device().type == "meta"
    finally:
        torch.set_default_device(None)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float16])
def test_the_default_dtype_changes_no_report(dtype):
    for function in (evaluate, MISTAKES["mean-of-batch-means"].variants[0]):
        before = audit(function)
        torch.set_default_dtype(dtype)
        after = audit(function)
        torch.set_default_dtype(torch.float32)
        assert (before.mistakes, before.advice) == (after.mistakes, after.advice)
        assert before.evidence.equals(after.evidence)


def test_what_an_evaluator_prints_and_warns_of_is_not_seen(capsys):
    def talks(model, loader):
        print("Accuracy:", accuracy(model, loader))
        print("a progress bar", file=sys.stderr)
        sys.stdout.write("more")
        warnings.warn("old", DeprecationWarning, stacklevel=1)
        return accuracy(model, loader)

    out, err = sys.stdout, sys.stderr
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        assert audit(talks).ok
    assert seen == []
    assert (sys.stdout, sys.stderr) == (out, err)
    assert capsys.readouterr() == ("", "")


def test_an_evaluator_may_put_its_own_stream_in_place(capsys):
    def hides(model, loader):
        sys.stdout = io.StringIO()
        return accuracy(model, loader)

    out = sys.stdout
    assert audit(hides).ok
    assert sys.stdout is out
    print("seen")
    assert capsys.readouterr().out == "seen\n"


def test_the_same_function_gets_the_same_report_twice():
    def noisy(model, loader):
        return accuracy(model, loader) + random.random() + np.random.random() + torch.rand(()).item()  # noqa: NPY002

    for function in (evaluate, noisy, MISTAKES["train-mode"].variants[0], MISTAKES["order-dependent"].variants[1]):
        first = audit(function)
        torch.rand(5), np.random.random(5), random.random()  # noqa: NPY002
        second = audit(function)
        assert (first.mistakes, first.advice) == (second.mistakes, second.advice)
        assert first.evidence.equals(second.evidence)


# The evidence


@functools.cache
def counted(number):
    """The accuracy of a probe, from its rows."""
    model, loader = build(PROBES[number])
    x, y = loader.dataset.tensors
    model.eval()
    with torch.no_grad():
        said = model(x)
    return sum(row.index(max(row)) == label for row, label in zip(said.tolist(), y.tolist(), strict=True)) / len(y)


@pytest.mark.parametrize("factor", [1, 100])
@pytest.mark.parametrize(
    "slug", ["", "counter-overwritten", "divided-by-batches", "train-mode", "top-k-for-accuracy", "order-dependent"]
)
def test_the_evidence_is_what_the_function_returned_beside_what_is_right(slug, factor):
    function, returned = MISTAKES[slug].variants[0] if slug else accuracy, []

    def keeps(model, loader):
        returned.append(factor * function(model, loader))
        return returned[-1]

    report = audit(keeps)
    evidence = report.evidence
    assert list(evidence.columns) == ["probe", "right", "received", "predicted"]
    assert evidence["probe"].tolist() == NAMES
    assert evidence["right"].tolist() == [counted(number) for number in range(len(PROBES))]
    assert evidence["received"].tolist() == [value / factor for value in returned[: len(PROBES)]]
    where = PLAIN if slug != "order-dependent" else [n for n in PLAIN if not PROBES[n].shuffle]
    seen = evidence.iloc[where]
    np.testing.assert_allclose(seen["predicted"], seen["received"], rtol=1e-4, atol=1e-4)
    if not slug:
        assert evidence["predicted"].tolist() == evidence["right"].tolist()
    if slug == "train-mode":
        np.testing.assert_allclose(evidence["predicted"], evidence["received"], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kept", [{"hits"}, {"rows"}, {"hits", "rows"}, {"means"}])
def test_what_is_carried_from_call_to_call_is_predicted(kept):
    lists = {"hits": [], "rows": [], "means": []}

    def carries(model, loader):
        for name in lists.keys() - kept:
            lists[name].clear()
        model.eval()
        with torch.no_grad():
            for inputs, labels in loader:
                hits = (model(inputs).argmax(1) == labels.flatten()).sum().item()
                for name, value in [("hits", hits), ("rows", len(labels)), ("means", hits / len(labels))]:
                    lists[name].append(value)
        model.train()
        return np.mean(lists["means"]) if "means" in kept else sum(lists["hits"]) / sum(lists["rows"])

    found = audit(carries)
    assert found.mistakes == ("state-carried-over",)
    np.testing.assert_allclose(found.evidence["predicted"], found.evidence["received"], rtol=1e-12)


@pytest.mark.parametrize("nothing", [0.0, math.nan])
def test_where_nothing_is_left_to_count_zero_is_as_good_as_an_error(nothing):
    def drops(model, loader):
        model.eval()
        kept = [(x, y) for x, y in loader if len(y) == loader.batch_size]
        with torch.no_grad():
            found = evaluate(model, kept).accuracy if kept else nothing
        model.train()
        return found

    assert audit(drops).mistakes == ("last-batch-dropped",)


def test_evidence_without_an_explanation_predicts_what_is_right():
    evidence = audit(lambda model, loader: 1 / 7).evidence
    assert evidence["predicted"].tolist() == evidence["right"].tolist()
    assert evidence["received"].tolist() == [1 / 7] * len(PROBES)


# What single steps of a hypothesis give, by hand

ODD = hypotheses.Counts(np.array([3.0, 1, 2]), np.array([4.0, 4, 2]), 4, 10, 3)
EVEN = hypotheses.Counts(np.array([3.0, 1, 4, 1]), np.array([4.0, 4, 4, 2]), 4, 14, 4)


def test_counters_are_read_as_the_mistake_reads_them():
    assert hypotheses._running_mean(ODD, start=0) == ((0.75 / 2 + 0.25) / 2 + 1) / 2
    assert hypotheses._running_mean(ODD, start=1) == ((0.75 + 0.25) / 2 + 1) / 2
    for counts, hits, reset, rows in [(ODD, 2, 2, 10), (EVEN, 5, 6, 14)]:
        assert hypotheses._since_reset(counts, both=True) == hits / reset
        assert hypotheses._since_reset(counts, both=False) == hits / rows


@pytest.mark.parametrize(
    ("dtype", "values", "total"),
    [
        (torch.uint8, [200, 100], 300 - 256),
        (torch.int8, [100, 100], 200 - 256),
        (torch.float16, [2048, 1, 1], 2048),
        (torch.bfloat16, [256, 1, 1], 256),
    ],
)
def test_a_small_counter_wraps_around_or_stands_still(dtype, values, total):
    assert hypotheses._narrow(np.array(values, float), dtype) == total


@pytest.mark.parametrize(("clip", "rows"), [("left", [3, 2]), ("labels", [4, 2]), ("guesses", [3, 3])])
def test_what_is_too_long_is_cut_as_by_zip(clip, rows):
    guesses, labels = [np.array([0, 1, 2]), np.array([1, 0, 0])], [np.array([0, 1, 1, 2]), np.array([1, 0])]
    assert hypotheses._equal(guesses, labels, clip=clip) == [(2.0, rows[0]), (2.0, rows[1])]
    with pytest.raises(ValueError, match="shapes"):
        hypotheses._equal(guesses, labels)


def test_a_column_of_labels_meets_every_prediction():
    guesses, labels = [np.array([0, 1, 1])], [np.array([[1], [1], [0]])]
    assert hypotheses._equal(guesses, labels) == [(5.0, 3)]
    assert hypotheses._equal(guesses, labels, mean=True) == [(pytest.approx(5 / 3), 3)]


def test_batches_are_taken_apart_and_put_together():
    first, second, third = (np.arange(at, at + 2) for at in (0, 2, 4))
    assert [part.tolist() for part in hypotheses._lagging([first, second, third])] == [[0, 1], [0, 1], [2, 3]]
    seen = trace(PROBES[0])
    whole = hypotheses._at_once(seen)
    np.testing.assert_array_equal(whole.guesses, [np.concatenate(seen.guesses)])
    np.testing.assert_array_equal(whole.labels, [np.concatenate(seen.labels)])
    for found, label in zip(hypotheses._labels_elsewhere(seen), seen.labels, strict=True):
        np.testing.assert_array_equal(found, label)


# What a probe promises

ALL = (*PROBES, COLUMN, EMPTY)
WITH_ROWS = (*PROBES, COLUMN)


@pytest.mark.parametrize("probe", ALL, ids=lambda probe: probe.name)
def test_a_probe_is_a_real_loader_of_a_real_dataset(probe):
    _, loader = build(probe)
    assert type(loader) is DataLoader
    assert type(loader.batch_size) is int and loader.batch_size == probe.batch_size
    assert loader.drop_last is False
    assert loader.num_workers == 0
    assert len(loader.dataset) == probe.rows
    assert len(loader) == math.ceil(probe.rows / probe.batch_size) == len(probe.hits)
    assert isinstance(loader.dataset, TensorDataset)
    x, y = loader.dataset.tensors
    assert loader.dataset.targets is y
    assert (x.dtype, x.shape) == (torch.float32, (probe.rows, probe.classes))
    assert (y.dtype, y.shape) == (torch.int64, (probe.rows, 1) if probe.column else (probe.rows,))
    assert x.device == y.device == torch.device("cpu")
    assert isinstance(loader.sampler, RandomSampler if probe.shuffle else SequentialSampler)


@pytest.mark.parametrize("probe", WITH_ROWS, ids=lambda probe: probe.name)
def test_the_batches_of_a_probe_are_its_rows(probe):
    _, loader = build(probe)
    x, y = loader.dataset.tensors
    batches = list(loader)
    assert [len(labels) for _, labels in batches] == [
        len(part) for part in torch.arange(probe.rows).split(probe.batch_size)
    ]
    rows = torch.cat([inputs for inputs, _ in batches]), torch.cat([labels for _, labels in batches])
    in_order = torch.equal(rows[0], x) and torch.equal(rows[1], y)
    assert in_order != probe.shuffle
    assert sorted(map(tuple, rows[0].tolist())) == sorted(map(tuple, x.tolist()))
    first, label = loader.dataset[0]
    assert torch.equal(first, x[0]) and torch.equal(label, y[0])
    (head,) = itertools.islice(loader, 1)
    assert [len(part) for part in head] == [min(probe.batch_size, probe.rows)] * 2


@pytest.mark.parametrize("probe", [probe for probe in WITH_ROWS if not probe.shuffle], ids=lambda probe: probe.name)
def test_each_batch_has_the_hits_that_the_probe_says(probe):
    model, loader = build(probe)
    model.eval()
    with torch.no_grad():
        hits = [int((model(inputs).argmax(1) == labels.flatten()).sum()) for inputs, labels in loader]
    assert tuple(hits) == probe.hits
    assert probe.right == pytest.approx(sum(hits) / len(loader.dataset))
    assert evaluate(model, loader).n_correct == sum(hits)


@pytest.mark.parametrize("probe", WITH_ROWS, ids=lambda probe: probe.name)
def test_the_model_of_a_probe_can_be_used_as_any_other(probe):
    model, loader = build(probe)
    assert isinstance(model, nn.Module)
    assert all(module.training for module in model.modules())
    parameters = list(model.parameters())
    assert parameters and all(
        p.requires_grad and p.dtype == torch.float32 and p.device.type == "cpu" for p in parameters
    )
    inputs, labels = next(iter(loader))
    logits = model.eval()(inputs)
    assert (logits.dtype, logits.shape) == (torch.float32, (len(inputs), probe.classes))
    nn.functional.cross_entropy(logits, labels.flatten()).backward()
    assert any(p.grad is not None and p.grad.abs().sum() > 0 for p in parameters)
    before = copy.deepcopy(model.state_dict())
    twin = copy.deepcopy(model)
    torch.optim.SGD(model.parameters(), lr=0.1).step()
    assert any(not torch.equal(value, before[name]) for name, value in model.state_dict().items())
    assert all(torch.equal(value, before[name]) for name, value in twin.state_dict().items())
    model.load_state_dict(before)
    with torch.no_grad():
        assert torch.equal(model(inputs), twin(inputs))
        assert torch.equal(nn.Sequential(model, nn.Softmax(1))(inputs).argmax(1), logits.argmax(1))


@pytest.mark.parametrize("probe", WITH_ROWS, ids=lambda probe: probe.name)
def test_the_mode_matters_where_the_probe_says_so(probe):
    model, loader = build(probe)
    x = loader.dataset.tensors[0]
    with torch.no_grad():
        training, evaluating = model.train()(x), model.eval()(x)
    assert torch.equal(training, evaluating) == (probe.model == "plain")
    if probe.model == "modes":
        assert not (training.argmax(1) == evaluating.argmax(1)).any()


def test_an_evaluator_gets_what_the_probes_promise():
    seen = []

    def looks(model, loader):
        seen.append((len(loader.dataset), loader.batch_size, all(module.training for module in model.modules())))
        assert torch.is_grad_enabled()
        model.eval()  # the next call gets it in training mode all the same
        return accuracy(model, loader)

    report = audit(looks)
    assert report.ok and not report.error
    assert report.advice == (EVAL,)
    assert sorted(seen) == sorted((probe.rows, probe.batch_size, True) for probe in ALL)


def test_the_second_call_is_for_the_same_model_and_loader():
    seen = []

    def keeps(model, loader):
        seen.append((model, loader))
        return accuracy(model, loader)

    assert audit(keeps).ok
    assert seen[0] == seen[1]
    assert len({id(model) for model, _ in seen}) == len(ALL) - 1


@pytest.mark.parametrize("probe", WITH_ROWS, ids=lambda probe: probe.name)
def test_two_probes_are_the_same_each_time(probe):
    (_, a), (_, b) = build(probe), build(probe)
    torch.rand(3)
    for (x, y), (other_x, other_y) in zip(a, b, strict=True):
        assert torch.equal(x, other_x) and torch.equal(y, other_y)


@pytest.mark.parametrize("size", [1e-3, 0.02])
def test_the_guesses_of_a_probe_survive_a_little_noise_and_half_precision(size):
    for probe in WITH_ROWS:
        _, loader = build(probe)
        x = loader.dataset.tensors[0]
        noise = size * torch.randn(x.shape, generator=torch.Generator().manual_seed(0))
        for other in (x + noise, x.half(), x.bfloat16()):
            assert torch.equal(other.argmax(1), x.argmax(1))


def test_a_trace_is_what_the_probe_gives():
    for probe in PROBES[:9]:
        seen = trace(probe)
        model, loader = build(probe)
        model.eval()
        with torch.no_grad():
            for batches in ((seen.logits, seen.labels), (seen.logits_next_time, seen.labels_next_time)):
                for (x, y), logits, labels in zip(loader, *batches, strict=True):
                    assert np.array_equal(model(x).numpy(), logits)
                    assert np.array_equal(y.numpy(), labels)
        again = seen.swapped().swapped()
        assert all(getattr(again, name) is value for name, value in vars(seen).items())
        assert seen.probe.right == pytest.approx(
            sum((a == b).sum() for a, b in zip(seen.guesses, seen.labels, strict=True)) / probe.rows
        )


def test_batchnorm_in_training_mode_on_a_copy_changes_the_number_and_is_seen():
    def on_a_copy(model, loader):
        twin = copy.deepcopy(model).eval()
        for module in twin.modules():
            if isinstance(module, nn.BatchNorm1d):
                module.train()
        return accuracy(twin, loader)

    def accuracy(model, loader):
        with torch.no_grad():
            hits = [model(inputs).argmax(1) == labels for inputs, labels in loader if len(labels)]
        return torch.cat(hits).double().mean().item()

    assert audit(on_a_copy).mistakes == ("unexplained",)


def test_an_honest_function_may_draw_a_subset_by_a_tensor():
    def in_another_order(model, loader):
        order = torch.randperm(len(loader.dataset))
        return accuracy(model, DataLoader(Subset(loader.dataset, order), batch_size=7))

    assert audit(in_another_order).ok
