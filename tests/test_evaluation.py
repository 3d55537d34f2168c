"""`evaluate` against scikit-learn, TorchMetrics and plain loops; what it leaves alone; what it refuses."""

import copy
import math
import random
import statistics
import warnings
from functools import reduce
from operator import add

import numpy as np
import pytest
import sklearn.metrics as oracle
import torch
import torchmetrics.functional.classification as metrics
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.data import (
    ConcatDataset,
    DataLoader,
    Dataset,
    IterableDataset,
    Sampler,
    SequentialSampler,
    Subset,
    TensorDataset,
    default_collate,
)

from sdss_lesson import Evaluation, NeuralNet, SDSSDataset, _fast, _tensors, evaluate, evaluation
from sdss_lesson.scale import distributed

SAY = nn.Identity()  # a "model" whose features are its logits


def logits_and_labels(n=75, n_classes=3, seed=0, dtype=torch.float64):
    rng = torch.Generator().manual_seed(seed)
    logits = torch.randn(n, n_classes, generator=rng, dtype=torch.float64).to(dtype)
    return logits, torch.randint(n_classes, (n,), generator=rng)


def in_batches(*tensors, size=32):
    return list(zip(*(tensor.split(size) for tensor in tensors), strict=True))


def same(a, b):
    assert a.confusion.tolist() == b.confusion.tolist()
    assert a.loss == pytest.approx(b.loss, rel=1e-12)


# The numbers


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("n_classes", [2, 3, 10])
def test_every_number_agrees_with_scikit_learn(n_classes, seed):
    logits, labels = logits_and_labels(75, n_classes, seed)
    got = evaluate(SAY, TensorDataset(logits, labels), batch_size=32)
    true, said, known = labels.numpy(), logits.argmax(1).numpy(), list(range(n_classes))
    assert got.accuracy == oracle.accuracy_score(true, said)
    assert got.n_correct == oracle.accuracy_score(true, said, normalize=False)
    assert got.n_samples == 75
    assert got.confusion.tolist() == oracle.confusion_matrix(true, said, labels=known).tolist()
    assert got.loss == pytest.approx(oracle.log_loss(true, logits.softmax(1), labels=known), rel=1e-12)
    options = {"labels": known, "average": None, "zero_division": np.nan}
    np.testing.assert_allclose(got.recall, oracle.recall_score(true, said, **options))
    np.testing.assert_allclose(got.precision, oracle.precision_score(true, said, **options))
    assert got.support.tolist() == np.bincount(true, minlength=n_classes).tolist()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # "y_pred contains classes not in y_true": that is the case at hand
        assert got.balanced_accuracy == pytest.approx(oracle.balanced_accuracy_score(true, said))


def test_torchmetrics_agrees():
    logits, labels = logits_and_labels()
    got = evaluate(SAY, in_batches(logits, labels))
    options = {"target": labels, "num_classes": 3}
    assert got.accuracy == pytest.approx(metrics.multiclass_accuracy(logits, average="micro", **options).item())
    assert got.balanced_accuracy == pytest.approx(
        metrics.multiclass_accuracy(logits, average="macro", **options).item()
    )
    assert got.confusion.tolist() == metrics.multiclass_confusion_matrix(logits, **options).tolist()


def test_a_plain_loop_over_rows_agrees_on_the_sample(split):
    torch.set_default_dtype(torch.float64)
    torch.manual_seed(0)
    model, data = NeuralNet(5, 16, 3), SDSSDataset(split.test)
    hits, loss = 0, 0.0
    with torch.no_grad():
        for x, y in data:
            logits = model(x[None])[0]
            hits += int(logits.argmax() == y)
            loss += float(logits.logsumexp(0) - logits[y])
    got = evaluate(model, data)
    assert (got.n_correct, got.n_samples) == (hits, 2_000)
    assert got.loss == pytest.approx(loss / 2_000)


def test_the_course_that_printed_0_2604():
    # 25 hits of 75, all in the first batch of 32, 32 and 11.
    labels = torch.arange(3).repeat_interleave(25)
    got = evaluate(SAY, in_batches(nn.functional.one_hot(torch.zeros(75, dtype=torch.int64), 3).double(), labels))
    assert (got.n_correct, got.accuracy) == (25, 25 / 75)


def test_a_perfect_model_scores_1_and_a_constant_one_its_class_share():
    labels = torch.tensor([0] * 5 + [1] * 3 + [2] * 2)
    perfect = evaluate(SAY, in_batches(nn.functional.one_hot(labels, 3).double() * 100, labels, size=4))
    assert (perfect.accuracy, perfect.balanced_accuracy, perfect.loss < 1e-12) == (1, 1, True)
    constant = evaluate(SAY, in_batches(torch.tensor([[0.0, 1.0, 0.0]]).repeat(10, 1), labels, size=4))
    assert (constant.accuracy, constant.balanced_accuracy) == (0.3, pytest.approx(1 / 3))
    assert constant.recall.tolist() == [0, 1, 0]
    np.testing.assert_equal(constant.precision, [math.nan, 0.3, math.nan])


def test_a_class_without_rows_has_no_recall_and_does_not_count_as_one():
    got = evaluate(SAY, [(torch.tensor([[9.0, 0, 0], [9.0, 0, 0], [0, 0, 9.0]]), torch.tensor([0, 1, 1]))])
    np.testing.assert_equal(got.recall, [1, 0, math.nan])
    np.testing.assert_equal(got.precision, [0.5, math.nan, 0])
    assert got.balanced_accuracy == 0.5


def test_types_are_plain():
    got = evaluate(SAY, [logits_and_labels()])
    assert (type(got.confusion), got.confusion.dtype) == (np.ndarray, np.int64)
    kinds = {
        name: type(getattr(got, name)) for name in ["accuracy", "loss", "balanced_accuracy", "n_samples", "n_correct"]
    }
    assert list(kinds.values()) == [float, float, float, int, int]


# Invariance


@given(
    n=st.integers(1, 60),
    n_classes=st.integers(2, 5),
    size=st.integers(1, 70),
    seed=st.integers(0, 2**31),
    data=st.data(),
)
def test_batches_order_and_parts_change_nothing(n, n_classes, size, seed, data):
    logits, labels = logits_and_labels(n, n_classes, seed)
    whole = evaluate(SAY, [(logits, labels)])
    same(evaluate(SAY, TensorDataset(logits, labels), batch_size=size), whole)
    order = torch.tensor(data.draw(st.permutations(range(n))))
    same(evaluate(SAY, in_batches(logits[order], labels[order], size=size)), whole)
    part_of = torch.tensor(data.draw(st.lists(st.integers(0, 3), min_size=n, max_size=n)))
    dealt = [(logits[part_of == k], labels[part_of == k]) for k in range(4) if (part_of == k).any()]
    parts = [evaluate(SAY, [batch]) for batch in dealt]
    same(sum(parts), whole)
    same(reduce(add, reversed(parts)), whole)
    same(evaluate(SAY, iter(dealt)), whole)


@pytest.mark.parametrize("dtype", [torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64])
@pytest.mark.parametrize("column", [False, True])
def test_labels_may_be_any_integers_and_a_column(dtype, column):
    logits, labels = logits_and_labels()
    given_labels = labels.to(dtype)[:, None] if column else labels.to(dtype)
    whole = evaluate(SAY, [(logits, labels)])
    same(evaluate(SAY, in_batches(logits, given_labels)), whole)
    same(evaluate(SAY, TensorDataset(logits, given_labels), batch_size=32), whole)
    same(evaluate(SAY, [(logits[:1], given_labels[:1]), (logits[1:], given_labels[1:])]), whole)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_one_hot_labels_are_refused(n_classes):
    logits, labels = logits_and_labels(6, n_classes)
    with pytest.raises(ValueError, match=r"one-hot, labels\.argmax\(1\)"):
        evaluate(SAY, [(logits, nn.functional.one_hot(labels, n_classes))])


class Stream(IterableDataset):
    def __init__(self, *tensors):
        self.tensors = tensors

    def __iter__(self):
        return zip(*self.tensors, strict=True)


def test_any_dataset_loader_or_iterable_of_batches_will_do():
    logits, labels = logits_and_labels()
    dataset = TensorDataset(logits, labels)
    whole = evaluate(SAY, dataset)
    empty = (logits[:0], labels[:0])
    for data in [
        Subset(dataset, range(75)),
        ConcatDataset([Subset(dataset, range(50)), Subset(dataset, range(50, 75))]),
        Stream(logits, labels),
        DataLoader(dataset, batch_size=32),
        DataLoader(dataset, batch_size=7, shuffle=True),
        DataLoader(Stream(logits, labels), batch_size=32),
        in_batches(logits, labels),
        tuple([*pair] for pair in in_batches(logits, labels)),
        (pair for pair in in_batches(logits, labels)),
        [empty, *in_batches(logits, labels), empty],
    ]:
        same(evaluate(SAY, data), whole)
    same(evaluate(SAY, Stream(logits, labels), batch_size=4), whole)


def test_ties_and_minus_infinity_are_judged_like_torch_does():
    logits = torch.tensor([[1.0, 1.0, 0.0], [-math.inf, 0.0, -math.inf]])
    got = evaluate(SAY, [(logits, torch.tensor([0, 1]))])
    assert (got.n_correct, math.isfinite(got.loss)) == (2, True)


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32])
def test_small_floats_are_summed_in_double_precision(dtype):
    logits, labels = logits_and_labels(5_000, dtype=dtype)
    expected = nn.functional.cross_entropy(logits.double(), labels).item()
    assert evaluate(SAY, in_batches(logits, labels, size=7)).loss == pytest.approx(expected, rel=1e-12)


# Adding up


def test_evaluations_add_up_and_are_not_changed_by_it():
    a, b = (evaluate(SAY, [logits_and_labels(n, seed=n)]) for n in (3, 40))
    before = a.confusion.copy()
    total = sum([a, b, a])
    assert (total.confusion == 2 * a.confusion + b.confusion).all()
    assert total.accuracy == (2 * a.n_correct + b.n_correct) / 46
    assert total.loss == pytest.approx((6 * a.loss + 40 * b.loss) / 46)
    assert (a.confusion == before).all()
    same(sum([a]), a)


def test_only_evaluations_with_as_many_classes_add_up():
    two, three = (evaluate(SAY, [logits_and_labels(9, c)]) for c in (2, 3))
    with pytest.raises(ValueError, match=r"2 classes \(no names\) and 3 classes"):
        two + three
    for other in (1, 0.5, "x", None):
        with pytest.raises(TypeError):
            two + other
        with pytest.raises(TypeError):
            other + two
    with pytest.raises(ValueError, match="3 and 2 classes"):
        evaluate(SAY, [logits_and_labels(9, 3), logits_and_labels(9, 2)])


# How it reads


def test_it_reads_well_with_the_names_of_the_classes(sample):
    one = SDSSDataset(sample.head(500))
    text = str(evaluate(NeuralNet(5, 4, 3), DataLoader(Subset(one, range(100)), batch_size=32)))
    head, header, *rows = text.split("\n")
    assert head.startswith("accuracy 0.")
    assert " of 100), balanced 0." in head
    assert ", loss " in head
    assert header.split() == "true class as GALAXY as QSO as STAR support recall precision".split()  # noqa: SIM905
    assert [row.split()[0] for row in rows] == ["GALAXY", "QSO", "STAR"]
    assert len({len(row) for row in [header, *rows]}) == 1


def test_of_no_rows_it_says_so():
    nothing = Evaluation(np.zeros((2, 2), dtype=np.int64), loss_sum=0.0)
    assert str(nothing).startswith("no rows\n") and "no rows" in nothing._repr_html_()
    for name in ("accuracy", "balanced_accuracy", "loss"):
        with pytest.raises(ValueError, match="There are no rows"):
            getattr(nothing, name)


def test_it_says_what_was_counted():
    got = Evaluation(np.array([[30, 2], [1, 0]]), loss_sum=3.3, classes=("a<b", "&"))
    assert "accuracy 0.9091 (30 of 33), balanced 0.4688, loss 0.1000" in str(got)
    assert "nan" not in repr(got)
    html = got._repr_html_()
    assert "accuracy 0.9091 (30 of 33)" in html
    assert "".join(html.split()).count("<td>30</td><td>2</td><td>32</td><td>0.938</td><td>0.968</td>") == 1
    assert "a&lt;b" in html and "&amp;" in html and "a<b" not in html


def test_the_table_has_a_line_for_each_class():
    got = Evaluation(np.array([[30, 0], [1, 0]]), loss_sum=3.1, classes=("a long name", "b"))
    assert str(got).split("\n")[1:] == [
        " true class  as a long name  as b  support  recall  precision",
        "a long name              30     0       30   1.000      0.968",
        "          b               1     0        1   0.000          –",
    ]


def test_equal_counts_are_equal_evaluations():
    logits, labels = logits_and_labels()
    once, again = (evaluate(SAY, [(logits, labels)]) for _ in range(2))
    assert once == again and len({once, again}) == 1
    changed = labels.clone()
    changed[0] = (labels[0] + 1) % 3
    named = Evaluation(once.confusion, once.loss_sum, ("a", "b", "c"))
    for other in (evaluate(SAY, [(logits, changed)]), evaluate(SAY, [(logits / 2, labels)]), named, 1):
        assert once != other


def test_what_was_counted_cannot_be_changed():
    counts = np.array([[3, 1], [0, 2]])
    got = Evaluation(counts, 1.0)
    counts[0, 0] += 10_000
    with pytest.raises(ValueError, match="read-only"):
        got.confusion[0, 0] += 10_000
    assert got.accuracy == 5 / 6
    for wrong in (np.ones(3), np.ones((2, 3)), np.array([[1, -1], [0, 1]])):
        with pytest.raises(ValueError, match=r"shape \(C, C\)"):
            Evaluation(wrong, 1.0)


def test_evaluations_of_other_classes_or_in_another_order_do_not_add_up():
    a, b, c = (Evaluation(np.eye(2), 1.0, names) for names in (("x", "y"), ("y", "x"), ("x", "z")))
    for other in (b, c):
        with pytest.raises(ValueError, match="in the same order, add up"):
            a + other


def test_what_the_ranks_counted_adds_up(monkeypatch):
    a, b = Evaluation(np.array([[3, 1], [0, 2]]), 1e16), Evaluation(np.array([[0, 5], [7, 0]]), 1.0, ("x", "y"))
    none, three = Evaluation(np.zeros((2, 2), int), 0.0), Evaluation(np.eye(3, dtype=int), 1.0)
    gathered, asked = [a, b, b], []
    monkeypatch.setattr(distributed, "gather", lambda mine, group: asked.append((mine, group)) or gathered)
    got = a.all_reduce("some ranks")
    assert asked == [(a, "some ranks")]
    assert got.confusion.tolist() == [[3, 11], [14, 2]]
    assert got.loss_sum == 1e16 + 2, "1e16 + 1 + 1 is 1e16 where each sum is rounded"
    assert got.classes == ("x", "y")
    gathered[:] = [a, a]
    assert a.all_reduce().classes == () and asked[-1] == (a, None)
    gathered[:] = [a, three, b]
    with pytest.raises(ValueError, match=r"classes: 2, 3, 2 on ranks 0 to 2\. Give every rank the same model\.$"):
        a.all_reduce()
    gathered[:] = [none, a, none]
    with pytest.raises(ValueError, match=r"rank 0, 2\. Use fewer ranks, or more rows\.$"):
        a.all_reduce()


@pytest.mark.parametrize("hits, n", [(0, 1), (1, 1), (50, 75), (0, 75), (1_900, 2_000), (99_999, 100_000)])
@pytest.mark.parametrize("level", [0.5, 0.95, 0.99])
def test_the_interval_ends_where_the_accuracy_lies_as_many_standard_errors_away(hits, n, level):
    # Wilson's definition: the true accuracies p from which hits / n is z standard errors of p away, and no further.
    low, high = Evaluation(np.array([[hits, n - hits], [0, 0]]), 1.0).interval(level)
    z = statistics.NormalDist().inv_cdf((1 + level) / 2)
    for end in {low, high} - {0.0, 1.0}:
        assert abs(hits / n - end) == pytest.approx(z * math.sqrt(end * (1 - end) / n))
    assert 0 <= low <= hits / n <= high <= 1 and low < high
    assert type(low) is type(high) is float


def test_nineteen_of_twenty_intervals_hold_the_truth():
    hits = np.random.default_rng(0).binomial(200, 0.9, size=2_000)
    held = [
        low <= 0.9 <= high for low, high in (Evaluation(np.array([[k, 200 - k], [0, 0]]), 1.0).interval() for k in hits)
    ]
    assert np.mean(held) == pytest.approx(0.95, abs=0.02)


def test_more_rows_make_the_interval_shorter_and_no_rows_make_none():
    part = Evaluation(np.array([[9, 1], [2, 8]]), 1.0)
    lengths = [high - low for low, high in (each.interval() for each in (part, part + part, sum([part] * 100)))]
    assert lengths == sorted(lengths, reverse=True)
    with pytest.raises(ValueError, match="no rows"):
        Evaluation(np.zeros((2, 2), int), 0.0).interval()
    for level in (0, 1, 95, -0.5, math.nan):
        with pytest.raises(ValueError, match="such as"):
            part.interval(level)


def test_classes_without_names_are_numbers_and_wrong_names_are_not_used():
    logits, labels = logits_and_labels()
    dataset = TensorDataset(logits, labels)
    assert evaluate(SAY, [(logits, labels)]).classes == ()
    for names, expected in [(["a", "b", "c"], ("a", "b", "c")), (["a", "b"], ()), ("abc", ()), (3, ()), (None, ())]:
        dataset.classes = names
        assert evaluate(SAY, Subset(dataset, range(9))).classes == expected
    dataset.classes, part = ["a", "b", "c"], Subset(dataset, range(9))
    part.classes = ["x", "y", "z"]
    assert evaluate(SAY, Subset(part, range(3))).classes == ("x", "y", "z"), "the nearest names"
    assert "\n         0" in str(evaluate(SAY, [(logits, labels)]))


def test_a_name_is_kept_when_parts_are_added():
    a, b = Evaluation(np.eye(2, dtype=np.int64), 1.0), Evaluation(np.eye(2, dtype=np.int64), 1.0, ("x", "y"))
    assert (a + b).classes == (b + a).classes == sum([a, b]).classes == ("x", "y")


class Doubled(TensorDataset):
    """Its rows are not what its tensors hold."""

    def __getitem__(self, at):
        x, y = super().__getitem__(at)
        return 2 * x, y


class Flipped(TensorDataset):
    """Its rows are those of its tensors one by one, and others where a whole batch is asked for."""

    def __getitems__(self, chosen):
        return [(x, 1 - y) for x, y in (self[at] for at in chosen)]


@pytest.mark.parametrize("wrap", [lambda rows: rows, lambda rows: DataLoader(rows, batch_size=8)])
def test_what_is_scored_is_what_a_loader_yields(wrap):
    labels = torch.arange(20) % 2
    tensors = nn.functional.one_hot(labels, 2).double(), labels
    assert evaluate(SAY, wrap(TensorDataset(*tensors))).accuracy == 1
    assert evaluate(SAY, wrap(Flipped(*tensors))).accuracy == 0
    patched = TensorDataset(*tensors)
    patched.__getitems__ = lambda chosen: [(tensors[0][at], 1 - labels[at]) for at in chosen]
    assert evaluate(SAY, wrap(patched)).accuracy == 0
    part = Subset(TensorDataset(*tensors), range(20))
    part.__getitems__ = patched.__getitems__
    assert evaluate(SAY, wrap(part)).accuracy == 0


def test_rows_are_those_of_the_dataset_however_they_are_read():
    logits, labels = logits_and_labels(300)
    data = TensorDataset(logits, labels)
    for chosen in (
        range(9, 300),
        range(1, 300, 7),
        range(299, 0, -1),
        [4, 1, 4],
        torch.tensor([4, 1]),
        np.arange(1, 5),
        np.array([4, 1], dtype=np.uint8),  # which PyTorch would take for a mask
    ):
        rows = torch.as_tensor(list(chosen)).long()
        expected = evaluate(SAY, [(logits[rows], labels[rows])])
        for size in (None, 2):
            same(evaluate(SAY, Subset(data, chosen), batch_size=size), expected)
        same(evaluate(SAY, Subset(Subset(data, range(1, 300)), rows - 1)), expected)
    assert evaluate(SAY, Doubled(logits, labels)).loss == evaluate(SAY, [(2 * logits, labels)]).loss
    for beyond in (range(290, 301), [300]):
        with pytest.raises(IndexError):
            evaluate(SAY, Subset(data, beyond))


class Notes(nn.Module):
    """Notes how many rows it gets at once."""

    def __init__(self):
        super().__init__()
        self.rows = []

    def forward(self, x):
        self.rows.append(len(x))
        return torch.zeros(len(x), 2)


@pytest.mark.parametrize(
    ("shape", "rows"), [((), 16_384), ((5,), 13_107), ((10,), 6_553), ((2, 10), 3_276), ((3, 999), 1_024)]
)
def test_of_wide_rows_fewer_are_read_at_once(shape, rows):
    model = Notes()
    data = TensorDataset(torch.zeros(20_000, *shape), torch.zeros(20_000, dtype=torch.int64))
    evaluate(model, data)
    assert model.rows == [rows] * (20_000 // rows) + [20_000 % rows]
    evaluate(model, data, batch_size=4_000)
    assert model.rows[-5:] == [4_000] * 5


def test_of_images_only_so_many_are_read_at_once_as_surely_fit():
    model = Notes()
    evaluate(model, TensorDataset(torch.zeros(1, 3, 1_000, 1_000).expand(11, -1, -1, -1), torch.zeros(11).long()))
    assert model.rows == [5, 5, 1]


@pytest.mark.parametrize(("size", "rows"), [(None, [256] * 7 + [208]), (900, [900, 900, 200])])
def test_a_dataset_that_is_read_row_by_row_comes_in_batches(size, rows):
    model = Notes()
    evaluate(model, Doubled(torch.zeros(2_000, 1), torch.zeros(2_000, dtype=torch.int64)), batch_size=size)
    assert model.rows == rows


def test_a_tally_may_be_asked_twice_and_go_on():
    logits, labels = logits_and_labels()
    counts = _fast.Tally()
    counts.add(logits, labels)
    first, again = counts.result(), counts.result()
    counts.add(logits, labels)
    assert (first[0] == again[0]).all() and (counts.result()[0] == 2 * first[0]).all()
    assert first[1] == again[1] and counts.result()[1] == pytest.approx(2 * first[1])


@pytest.mark.parametrize("n_classes", [2, 3, 32, 33, 2_000])
def test_blocks_do_not_show(n_classes):
    logits, labels = logits_and_labels(9_000, n_classes)
    confusion = np.zeros((n_classes, n_classes), int)
    np.add.at(confusion, (labels.numpy(), logits.numpy().argmax(1)), 1)
    for size in (7, 8_192, 8_999, 9_000):
        got = evaluate(SAY, in_batches(logits, labels, size=size))
        assert (got.confusion == confusion).all()
        assert got.loss == pytest.approx(nn.functional.cross_entropy(logits, labels).item(), rel=1e-12)


def test_batches_may_differ_in_dtype():
    logits, labels = logits_and_labels(75)
    mixed = [(a.to(dtype), b) for dtype in (torch.float32, torch.float64) for a, b in in_batches(logits, labels)]
    apart = [evaluate(SAY, [batch]) for batch in mixed]
    same(evaluate(SAY, mixed), sum(apart))
    same(evaluate(SAY, mixed[::-1]), sum(apart))


@pytest.mark.parametrize("place", [0, 8_191, 8_192, 19_999])
def test_what_is_wrong_is_found_in_any_block(place):
    logits, labels = logits_and_labels(20_000)
    for label in (-100, -1, 3, 255):
        wrong = labels.clone()
        wrong[place] = label
        with pytest.raises(ValueError, match=f"A label is {label}; 3 columns"):
            evaluate(SAY, in_batches(logits, wrong, size=100))
    logits[place, 1] = math.nan
    with pytest.raises(ValueError, match="NaN or infinite"):
        evaluate(SAY, in_batches(logits, labels, size=100))


class Looks(TorchDispatchMode):
    """Counts how often somebody looks at a number, for which a GPU would have to be waited for."""

    def __init__(self):
        super().__init__()
        self.n = 0

    def __torch_dispatch__(self, call, types, args=(), kwargs=None):
        asked = call.name().partition(".")[0]
        elsewhere = asked == "aten::_to_copy" and "device" in (kwargs or {})
        self.n += elsewhere or asked in {"aten::_local_scalar_dense", "aten::item", "aten::equal", "aten::nonzero"}
        return call(*args, **(kwargs or {}))


@pytest.mark.parametrize("size", [16, 64, 1_024])
def test_numbers_are_looked_at_once_in_thousands_of_rows(size):
    batches = in_batches(*logits_and_labels(3 * 8_192, dtype=torch.float32), size=size)
    with Looks() as looks:
        evaluate(NeuralNet(3, 4, 3), batches)
    assert 0 < looks.n <= 3 * 3 + 3
    with Looks() as looks:
        for _, labels in batches:
            labels.sum().item()
    assert looks.n == len(batches), "the counter works"


# What it leaves alone


class Net(nn.Module):
    """Dropout and BatchNorm, one of them frozen; may fail at batch `fail_at`."""

    def __init__(self, fail_at=None):
        super().__init__()
        self.body = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(0.5), nn.Linear(8, 3))
        self.frozen = nn.BatchNorm1d(3)
        self.fail_at, self.seen = fail_at, 0
        self.train()
        self.frozen.eval()

    def forward(self, x):
        self.seen += 1
        assert not any(module.training for module in self.modules())
        assert not torch.is_grad_enabled()
        if self.seen == self.fail_at:
            raise KeyError("in the middle")
        return self.body(self.frozen(x))


def modes(model):
    return [module.training for module in model.modules()]


def test_every_submodule_gets_its_own_mode_back():
    data = TensorDataset(*logits_and_labels(dtype=torch.float32))
    model = Net()
    before, state = modes(model), copy.deepcopy(model.state_dict())
    assert len(set(before)) == 2
    assert evaluate(model, data).confusion.tolist() == evaluate(model, data).confusion.tolist()
    assert modes(model) == before
    model.eval()
    model.body[2].train()
    before = modes(model)
    evaluate(model, data)
    assert modes(model) == before
    after = model.state_dict()
    assert all(torch.equal(after[name], state[name]) for name in state)
    assert all(weights.grad is None and weights.requires_grad for weights in model.parameters())


def test_a_module_that_does_more_in_train_mode_does_it_again():
    class Merged(nn.Linear):
        """Adds what it learns to its weights in eval mode, as adapters do."""

        def train(self, mode=True):
            if mode != self.training:
                self.weight.data += -1.0 if mode else 1.0
            return super().train(mode)

    model = nn.Sequential(nn.Linear(3, 3), Merged(3, 3))
    weights = model[1].weight.clone()
    evaluate(model, [(X.float(), Y)])
    assert torch.allclose(model[1].weight, weights) and model[1].training


def broken_off(logits, labels):
    yield logits, labels
    raise KeyError("in the middle")


@pytest.mark.parametrize("grad", [True, False])
@pytest.mark.parametrize("where", ["model", "data", "labels"])
def test_modes_and_gradients_come_back_when_something_raises(where, grad):
    logits, labels = logits_and_labels(dtype=torch.float32)
    model = Net(fail_at=2 if where == "model" else None)
    before = modes(model)
    torch.set_grad_enabled(grad)
    data = {
        "model": in_batches(logits, labels),
        "data": broken_off(logits, labels),
        "labels": [(logits, labels), (logits, labels + 1)],
    }
    with pytest.raises(ValueError if where == "labels" else KeyError):
        evaluate(model, data[where])
    assert modes(model) == before
    assert torch.is_grad_enabled() is grad


@pytest.mark.parametrize("grad", [True, False])
def test_gradients_stay_as_they_were(grad):
    torch.set_grad_enabled(grad)
    evaluate(Net(), [logits_and_labels(dtype=torch.float32)])
    assert torch.is_grad_enabled() is grad


class Overwrites(nn.Module):
    """Works in place: in its input, and in one piece of memory for all its logits."""

    def __init__(self, n):
        super().__init__()
        self.memory = torch.empty(n, 3, dtype=torch.float64)

    def forward(self, x):
        logits = self.memory[: len(x)].copy_(x)
        x.zero_()
        return logits


def reusing(logits, labels, size):
    """Batches that are all in the same memory, one after the other."""
    x, y = logits[:size].clone(), labels[:size].clone()
    for a, b in in_batches(logits, labels, size=size):
        yield x[: len(a)].copy_(a), y[: len(b)].copy_(b)


def test_memory_may_be_used_again_for_the_next_batch():
    logits, labels = logits_and_labels(20_000)
    expected = evaluate(SAY, [(logits, labels)])
    same(evaluate(Overwrites(64), reusing(logits, labels, 64)), expected)
    same(evaluate(SAY, reusing(logits, labels, 64)), expected)


def test_a_model_that_works_in_place_leaves_the_dataset_alone():
    logits, labels = logits_and_labels(20_000)
    data = TensorDataset(logits.clone(), labels)
    for rows in (data, Subset(data, range(9, 20_000)), Subset(data, [4, 1])):
        evaluate(Overwrites(20_000), rows)
        assert torch.equal(data.tensors[0], logits)


def test_the_dataset_form_draws_nothing_from_any_global_random_state():
    data = TensorDataset(*logits_and_labels())
    states = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()  # noqa: NPY002
    for rows in (data, Subset(data, range(9)), Stream(*data.tensors)):
        evaluate(SAY, rows, batch_size=4)
    assert torch.equal(torch.get_rng_state(), states[0])
    assert (np.random.get_state()[1] == states[1]).all()  # noqa: NPY002
    assert random.getstate() == states[2]


class Elsewhere(nn.Module):
    """Says where its features came from: it has no weights, or weights on some device."""

    def __init__(self, weights_on=None):
        super().__init__()
        if weights_on:
            self.weight = nn.Parameter(torch.empty(3, device=weights_on))

    def forward(self, x):
        self.came_from = x.device.type
        return torch.ones(len(x), 3)


@pytest.mark.parametrize(
    ("weights_on", "asked", "expected"),
    [(None, None, "cpu"), ("cpu", None, "cpu"), ("cpu", "meta", "meta"), ("meta", None, "meta")],
)
def test_features_are_moved_to_the_device_and_the_model_is_not(monkeypatch, weights_on, asked, expected):
    # `meta` stands for a second device; it cannot be counted on, so that it is refused otherwise.
    monkeypatch.setattr(evaluation, "checked_device", lambda device: device)
    model = Elsewhere(weights_on)
    features, labels = torch.ones(4, 2), torch.zeros(4, dtype=torch.int64)
    try:
        evaluate(model, [(features, labels)], device=asked)
    except (NotImplementedError, RuntimeError):
        assert expected == "meta"
    assert model.came_from == expected
    assert {weights.device.type for weights in model.parameters()} <= {weights_on}


def test_what_is_counted_with_lies_where_the_logits_do():
    assert _tensors.device_of(nn.BatchNorm1d(3, affine=False, device="meta")).type == "meta", "no weights but buffers"
    # `meta` stands for a GPU once more, where a tensor on the CPU would be an error.
    features, labels = _tensors.unpack((torch.ones(4, 3), torch.zeros(4, dtype=torch.int64)), "meta")
    assert features.device.type == labels.device.type == "meta"


@pytest.mark.skipif(not torch.cuda.is_available(), reason="There is no GPU here.")
def test_a_gpu_gives_the_same_counts():
    model, data = NeuralNet(3, 8, 3).double(), TensorDataset(*logits_and_labels())
    here = evaluate(model, data)
    there = evaluate(model.cuda(), data)
    assert there.confusion.tolist() == here.confusion.tolist()
    assert next(model.parameters()).is_cuda


# What it refuses, beside what stands in test_bad_input.py

X, Y = logits_and_labels(8)


def test_a_loader_that_is_used_up_is_empty():
    batches = iter([(X, Y)])
    evaluate(SAY, batches)
    with pytest.raises(ValueError, match="used up"):
        evaluate(SAY, batches)


def test_an_error_of_the_models_own_comes_through_as_it_is():
    with pytest.raises(RuntimeError, match="mat1 and mat2") as caught:
        evaluate(NeuralNet(4, 4, 3).double(), [(X, Y)])
    assert caught.value.__cause__ is None


def test_a_model_that_converts_its_features_is_evaluated():
    model = nn.Linear(3, 3)
    expected = evaluate(model, [(X.float(), Y)])
    with pytest.raises(TypeError, match=r"features.to\(torch.float32\)"):
        evaluate(model, [(X, Y)])
    plain = model.forward
    model.forward = lambda x: plain(x.float())
    same(evaluate(model, [(X, Y)]), expected)


def test_all_dtypes_that_would_do_are_named():
    model = nn.ModuleList([nn.Linear(3, 3), nn.Linear(3, 3).double()])
    with pytest.raises(TypeError, match=r"weights torch\.float32 or torch\.float64\. Convert"):
        evaluate(model, [(X.half(), Y)])


def test_whole_features_go_into_an_embedding():
    tokens = torch.randint(7, (8, 1), generator=torch.Generator().manual_seed(0))
    model = nn.Sequential(nn.Embedding(7, 3), nn.Flatten())
    assert evaluate(model, [(tokens, Y)]).n_samples == 8


class Map(Dataset):
    def __len__(self):
        return 8

    def __getitem__(self, at):
        return X[at].numpy(), int(Y[at])


def test_a_dataset_of_arrays_and_numbers_is_collated():
    same(evaluate(SAY, Map(), batch_size=3), evaluate(SAY, [(X, Y)]))


class Every(Sampler):
    """Every row twice, from the last to the first."""

    def __iter__(self):
        return iter(sorted([*range(103)] * 2, reverse=True))


@pytest.mark.parametrize("part", [lambda rows: rows, lambda rows: Subset(rows, range(102, -1, -1))])
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"generator": torch.Generator().manual_seed(0)},
        {"shuffle": True},
        {"shuffle": True, "drop_last": True, "generator": torch.Generator().manual_seed(0)},
        {"sampler": range(20)},
        {"sampler": SequentialSampler(range(20))},
        {"sampler": Every()},
        {"drop_last": True},
    ],
)
def test_a_plain_loader_is_read_without_it_and_nobody_can_tell(options, part):
    rows = part(TensorDataset(torch.randn(103, 5), torch.randint(3, (103,))))
    loader = DataLoader(rows, batch_size=10, **options)
    found = []
    for read in (lambda: loader, lambda: _fast.batches_of(loader, None)):
        torch.manual_seed(0)
        generator = loader.generator.manual_seed(0) if loader.generator else torch.default_generator
        found.append((list(read()), generator.get_state()))
    (made, after), (sliced, after_slices) = found
    assert _fast.batches_of(loader, None) is not loader
    for one, other in zip(made, sliced, strict=True):
        assert all(torch.equal(*pair) for pair in zip(one, other, strict=True))
    assert torch.equal(after, after_slices)  # a training that follows goes on as it would


class Reversed(DataLoader):
    def __iter__(self):
        return iter(list(super().__iter__())[::-1])


@pytest.mark.parametrize(
    "make",
    [
        lambda rows: DataLoader(rows, batch_size=None),
        lambda rows: DataLoader(rows, batch_sampler=[[1, 2], [3]]),
        lambda rows: DataLoader(rows, batch_size=10, collate_fn=lambda pairs: default_collate(pairs[:3])),
        lambda rows: DataLoader(ConcatDataset([rows]), batch_size=10),
        lambda rows: Reversed(rows, batch_size=10),
    ],
)
def test_any_other_loader_is_asked_for_its_batches(make):
    loader = make(TensorDataset(torch.randn(103, 5), torch.randint(3, (103,))))
    assert _fast.batches_of(loader, None) is loader
