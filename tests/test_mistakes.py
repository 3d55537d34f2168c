"""Each catalogued mistake prints what its formula says, is right where it must be, and does no other harm."""

import copy
import re
from inspect import getsource, isfunction

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

from sdss_lesson import evaluate
from sdss_lesson.mistakes import (
    MISTAKES,
    Mistake,
    changes_between_calls,
    looks_right,
    moves_with_batch_size,
    over_one,
    too_low,
)

NOTEBOOKS = ["01_the_broken_loop", "02_the_fix", "03_leakage", "04_accuracy_per_epoch", "06_bug_hunt"]
ALL = [(slug, number) for slug, entry in MISTAKES.items() for number in range(len(entry.variants))]
# Eleven rows, in batches of 4, 4 and 3, chosen so that no two variants of a mistake print the same number.
LABELS = np.array([2, 2, 0, 2, 0, 1, 0, 1, 0, 0, 2])
PREDICTED = np.array([2, 0, 0, 2, 0, 1, 0, 1, 2, 0, 0])


def rows(predicted=PREDICTED, labels=LABELS, column=False):
    """Inputs that are logits: each row's largest stands at the prediction, and the middle one at the next class."""
    n_classes = 1 + max(np.max(predicted), np.max(labels), 2)
    predicted, labels = torch.as_tensor(predicted), torch.as_tensor(labels)
    logits = nn.functional.one_hot(predicted, n_classes) + 0.5 * nn.functional.one_hot(
        (predicted + 1) % n_classes, n_classes
    )
    # The later a row, the surer: so the largest logit of a batch has one place only.
    logits = logits.double() * torch.arange(1, 1 + len(labels))[:, None]
    return TensorDataset(logits, labels.reshape(-1, 1) if column else labels)


def printed(slug, batch_size=4, model=None, data=None, **options):
    """What each variant prints; the model hands its inputs through, unless another is given."""
    data = rows(**options) if data is None else data
    model = nn.Identity() if model is None else model
    return [variant(copy.deepcopy(model), DataLoader(data, batch_size)) for variant in MISTAKES[slug].fresh()]


def network():
    torch.manual_seed(3)
    model = nn.Sequential(nn.Linear(4, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.5), nn.Linear(16, 3))
    model[1].eval()  # a frozen BatchNorm in a model that trains
    return model


def points(n=70):
    x = torch.randn(n, 4, generator=torch.Generator().manual_seed(0))
    return TensorDataset(x, (x[:, 0] > 0).long() + (x[:, 1] > 0).long())


def state(model):
    return copy.deepcopy(model.state_dict()), [module.training for module in model.modules()]


def same(before, after):
    return before[1] == after[1] and all(torch.equal(a, after[0][name]) for name, a in before[0].items())


# What is written in the catalogue


def test_every_mistake_of_every_file_is_in_the_catalogue_once():
    files = (too_low, over_one, moves_with_batch_size, changes_between_calls, looks_right)
    listed = [entry for file in files for entry in file.MISTAKES]
    assert [entry.slug for entry in listed] == list(MISTAKES)  # in this order, and no slug twice
    assert listed == list(MISTAKES.values()) and all(isinstance(entry, Mistake) for entry in listed)
    variants = [getattr(variant, "__name__", type(variant).__name__) for entry in listed for variant in entry.variants]
    written = [name for file in files for name in re.findall(r"^(?:def|class) ([A-Za-z]\w+)", getsource(file), re.M)]
    assert sorted(variants) == sorted(written)


def test_the_more_general_comes_first():
    order = list(MISTAKES)
    for general, special in [("counter-overwritten", "counter-reset"), ("train-mode", "weights-changed")]:
        assert order.index(general) < order.index(special)


@pytest.mark.parametrize("slug", MISTAKES)
def test_texts_are_sentences(slug):
    entry = MISTAKES[slug]
    for text in (entry.symptom, entry.fix):
        assert text[0].isupper() and len(text.split()) > 4, text
        assert "  " not in text
    assert entry.symptom.endswith(".") and entry.formula.endswith(".")
    assert entry.seen_in == "" or (
        "https://" in entry.seen_in and entry.seen_in[0].isupper() and "  " not in entry.seen_in
    )
    assert entry.notebook in NOTEBOOKS
    assert entry.variants


@pytest.mark.parametrize("slug", MISTAKES)
def test_functions_are_short(slug):
    for variant in MISTAKES[slug].variants:
        assert getsource(variant if isfunction(variant) else type(variant)).count("\n") <= 16


# What is printed


def batches(batch_size):
    """Predictions, labels, hits and sizes of each batch, in NumPy."""
    cuts = range(batch_size, len(LABELS), batch_size)
    p, y = np.split(PREDICTED, cuts), np.split(LABELS, cuts)
    return p, y, np.array([(a == b).sum() for a, b in zip(p, y, strict=True)]), np.array([len(b) for b in y])


def halving(means, start, keep=0.5):
    accuracy = start
    for mean in means:
        accuracy = keep * accuracy + (1 - keep) * mean
    return accuracy


def expected(slug, size):
    p, y, h, r = batches(size)
    n, hits, means = len(LABELS), h.sum(), h / r
    pairs = np.array([(a[:, None] == b).sum() for a, b in zip(p, y, strict=True)])
    # `rows` gives the last row of a batch the largest logit of all.
    places = [(len(a) - 1) * 3 + a[-1] for a in p]
    # For each class, the last row that favours it is the surest; half as sure are those that put it second.
    scores = [np.arange(1 + k * size, 1 + k * size + len(a))[:, None] * SHAPE[a] for k, a in enumerate(p)]
    full = r == size
    recalls = [(PREDICTED[np.flatnonzero(label == LABELS)] == label).mean() for label in range(3)]
    return {
        "counter-overwritten": [h[-1] / n, hits / r[-1]],
        "counter-reset": [h[-1] / n, hits / r[-1]],
        "means-divided-by-rows": [means.sum() / n],
        "wrong-argmax-dim": [
            sum((b == place).sum() for b, place in zip(y, places, strict=True)) / n,
            sum((b == a[0]).sum() for a, b in zip(p, y, strict=True)) / n,
            sum((s.argmax(0)[: len(b)] == b[:3]).sum() for s, b in zip(scores, y, strict=True)) / n,
        ],
        "stale-variable": [
            sum((p[0][: len(b)] == b).sum() for b in y) / n,
            sum((a[: len(b)] == b).sum() for a, b in zip(p, y[1:], strict=False)) / n,
        ],
        "labels-broadcast": [pairs.sum() / n, (pairs / r).sum() / n, hits / n, pairs.sum() / n],
        "divided-by-batches": [hits / len(r)],
        "last-batch-only": [h[-1] / r[-1]],
        "first-batch-only": [h[0] / r[0], h[0] / n],
        "mean-of-batch-means": [means.mean()],
        "running-mean-of-two": [halving(means, 0), halving(means[1:], means[0]), halving(means[1:], means[0], 0.9)],
        "samples-by-batch-size": [hits / (size * len(r)), hits / (r[-1] * len(r)), (means * size).sum() / n],
        "last-batch-dropped": [
            h[full].sum() / max(r[full].sum(), 1),
            h[full].sum() / n,
            h[:-1].sum() / max(r[:-1].sum(), 1),
            h[:-1].sum() / n,
        ],
        "integer-truncation": [
            np.floor(hits / n),
            np.floor(100 * hits / n) / 100,
            np.round(hits / n, 2),
            (r * (h == r)).sum() / n,
            (r * np.floor(100 * h / r)).sum() / n / 100,
        ],
        "macro-average": [np.mean(recalls)],
        "top-k-for-accuracy": [((PREDICTED == LABELS) | ((PREDICTED + 1) % 3 == LABELS)).mean(), 1],
    }[slug]


SHAPE = np.array([[1, 0.5, 0], [0, 1, 0.5], [0.5, 0, 1]])
TRUTH = (PREDICTED == LABELS).mean()
EVEN, EVEN_TRUTH = rows(PREDICTED[:10], LABELS[:10]), (PREDICTED[:10] == LABELS[:10]).mean()
ELSEWHERE = {"counter-overflow", "mode-not-restored", "grad-enabled"} | {
    entry.slug for entry in changes_between_calls.MISTAKES
}
COUNTING = [slug for slug in MISTAKES if slug not in ELSEWHERE]


@pytest.mark.parametrize("size", [1, 2, 4, 5, 10, 11, 20])
@pytest.mark.parametrize("slug", COUNTING)
def test_it_prints_its_formula(slug, size):
    assert printed(slug, size) == pytest.approx(expected(slug, size))


@pytest.mark.parametrize("slug", COUNTING)
def test_it_differs_from_the_truth_and_no_two_variants_agree(slug):
    numbers = printed(slug)
    if slug == "labels-broadcast":  # two of the variants depend on the shape of the labels
        assert numbers[2] == TRUTH and numbers[3] == numbers[0]
        as_columns = printed(slug, column=True)
        assert as_columns[2] == numbers[0] and as_columns[3] == TRUTH and as_columns[:2] == numbers[:2]
        numbers = numbers[:2]
    # While the last batch is short, "full batches only" is "one batch short". The next test has a batch that fits.
    assert TRUTH not in numbers
    if slug != "last-batch-dropped":
        assert len(set(numbers)) == len(numbers)


def test_full_batches_only_is_not_one_batch_short():
    full, full_over_all, short, short_over_all = printed("last-batch-dropped", 2, data=EVEN)
    assert full == full_over_all == EVEN_TRUTH and EVEN_TRUTH not in (short, short_over_all)


@pytest.mark.parametrize("slug", [slug for slug in MISTAKES if slug != "labels-broadcast"])
def test_the_shape_of_the_labels_matters_to_labels_broadcast_only(slug):
    start = nn.Linear(3, 3).double()  # one of the mistakes trains
    flat, column = (printed(slug, model=start, column=column) for column in (False, True))
    assert flat == column


# Where it is right


@pytest.mark.parametrize(
    "slug", ["mean-of-batch-means", "samples-by-batch-size", "counter-overflow", "mode-not-restored", "grad-enabled"]
)
def test_right_on_even_batches(slug):
    assert printed(slug, 5, data=EVEN) == pytest.approx([EVEN_TRUTH] * len(MISTAKES[slug].variants))


@pytest.mark.parametrize("slug", ["counter-overwritten", "counter-reset", "last-batch-only", "first-batch-only"])
def test_right_in_one_batch(slug):
    assert printed(slug, 11) == [TRUTH] * len(MISTAKES[slug].variants)


@pytest.mark.parametrize("slug", ["divided-by-batches", "means-divided-by-rows"])
def test_right_with_one_row_per_batch(slug):
    assert printed(slug, 1) == pytest.approx([TRUTH])


def test_macro_average_is_right_on_even_classes():
    labels = np.array([0, 0, 1, 1, 2, 2])
    assert printed("macro-average", data=rows(np.array([0, 1, 1, 1, 0, 2]), labels)) == pytest.approx([4 / 6])


def test_counters_overflow_where_their_type_ends():
    n = 40_000
    right = np.arange(n) % 10 != 0
    hits, size = int(right.sum()), 1000
    per_batch = right.reshape(-1, size).sum(1)
    wraps = lambda bits: (hits + 2 ** (bits - 1)) % 2**bits - 2 ** (bits - 1)  # noqa: E731
    uint8, int8, int16, float16, bfloat16, batch = printed(
        "counter-overflow", size, data=rows(np.where(right, 0, 1), np.zeros(n, dtype=int))
    )
    assert [uint8, int8, int16] == [hits % 256 / n, wraps(8) / n, wraps(16) / n]
    rounding = np.float16(0)
    for count in per_batch:
        rounding = np.float16(float(rounding) + count)
    assert float16 == float(rounding) / n != hits / n
    assert batch == (per_batch % 256).sum() / n
    assert abs(bfloat16 - hits / n) > 0.001
    small = printed("counter-overflow", 20, data=rows(np.zeros(100, dtype=int), np.zeros(100, dtype=int)))
    assert small == [1.0] * len(small)


# What happens around it


def test_train_mode_is_random_or_moves_with_the_batch_size():
    model = network().train()
    calls = [printed("train-mode", 32, model, points()) for _ in range(5)]
    assert all(len(set(numbers)) > 1 for numbers in zip(*calls, strict=True))
    plain = nn.Linear(4, 3)
    assert printed("train-mode", 8, plain, points()) == [evaluate(plain, points()).accuracy] * 2
    model[3].p = 0.0  # only BatchNorm is left
    model.train()
    assert len({printed("train-mode", size, model, points())[0] for size in (2, 5, 10, 35)}) > 1
    model.eval()
    assert printed("train-mode", 8, model, points())[0] == evaluate(model, points()).accuracy


def test_weights_change_and_the_number_with_them():
    for variant, part in zip(MISTAKES["weights-changed"].fresh(), ["0.weight", "1.running_mean"], strict=True):
        model = network()
        before, rng = state(model), torch.get_rng_state()
        numbers = [variant(model, DataLoader(points(), 8, generator=torch.Generator())) for _ in range(3)]
        after = state(model)
        assert not torch.equal(before[0][part], after[0][part]) and before[1] == after[1]
        assert torch.equal(rng, torch.get_rng_state())
        assert evaluate(network(), points()).accuracy not in numbers
        assert all(weights.grad is None for weights in model.parameters())


def test_hits_are_counted_before_each_step():
    model = network().eval()
    trains = MISTAKES["weights-changed"].fresh()[0]
    number = trains(model, DataLoader(points(), 70))  # one batch: judged before it is learned from
    assert number == evaluate(network(), points()).accuracy != evaluate(model, points()).accuracy


def test_state_is_carried_over():
    loader, other = DataLoader(rows(), 4), DataLoader(rows(LABELS), 4)
    hits, total, both = MISTAKES["state-carried-over"].fresh()
    for call in (1, 2, 3):
        assert hits(nn.Identity(), loader) == pytest.approx(call * TRUTH)
        assert total(nn.Identity(), loader) == pytest.approx(TRUTH / call)
        assert both(nn.Identity(), loader) == pytest.approx(TRUTH)
    assert both(nn.Identity(), other) == pytest.approx((3 * TRUTH + 1) / 4)
    for variant in MISTAKES["state-carried-over"].fresh():  # and nothing of it here
        assert variant(nn.Identity(), loader) == pytest.approx(TRUTH)


def test_order_matters_where_labels_are_read_elsewhere():
    assert printed("order-dependent") == [TRUTH, TRUTH]
    labels = np.arange(300) % 3
    loader = DataLoader(rows(labels, labels), 32, shuffle=True, generator=torch.Generator().manual_seed(0))
    for variant in MISTAKES["order-dependent"].fresh():
        numbers = [variant(nn.Identity(), loader) for _ in range(3)]
        assert len(set(numbers)) > 1 and all(abs(number - 1 / 3) < 0.1 for number in numbers)


def test_modes_are_not_restored():
    leaves, trains = MISTAKES["mode-not-restored"].variants
    for variant, was, then in [(leaves, True, False), (trains, False, True)]:
        model = nn.Sequential(nn.Dropout(), nn.Linear(4, 3)).train(was)
        assert variant(model, DataLoader(points(), 8)) == evaluate(model, points()).accuracy
        assert [module.training for module in model.modules()] == [then] * 3


@pytest.mark.parametrize(("slug", "number"), ALL)
def test_only_the_slug_that_says_so_leaves_a_trace(slug, number):
    """Weights, statistics, modes, gradients and random numbers; and how the model is called."""
    model, calls = network(), []
    model.register_forward_hook(lambda module, _, out: calls.append((module[3].training, torch.is_grad_enabled())))
    loader = DataLoader(points(), 8, generator=torch.Generator())
    before, rng, grad = state(model), torch.get_rng_state(), torch.is_grad_enabled()
    MISTAKES[slug].fresh()[number](model, loader)
    changes = slug in ("weights-changed", "mode-not-restored") or (slug, number) == ("train-mode", 1)
    assert same(before, state(model)) != changes
    assert torch.equal(rng, torch.get_rng_state()) == (slug != "train-mode")
    assert torch.is_grad_enabled() == grad
    with_gradients = slug == "grad-enabled" or (slug, number) == ("weights-changed", 0)
    assert set(calls) == {(slug == "train-mode", with_gradients)}


@pytest.mark.parametrize(("slug", "number"), ALL)
def test_modes_come_back_after_an_error(slug, number):
    model, data = network(), TensorDataset(torch.zeros(10, 5), torch.zeros(10).long())  # a column too many
    before = state(model)[1]
    with pytest.raises(RuntimeError):
        MISTAKES[slug].fresh()[number](model, DataLoader(data, 4))
    assert state(model)[1] == before or slug == "mode-not-restored"
