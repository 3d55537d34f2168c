"""Evaluation functions with a mistake in them, as people make it, and the names that would be right for the mistake.

Each is called as `f(model, loader)`. `WRONG` gives a function and the slugs any of which names its mistake: several
where nobody who only calls it could tell them apart. `PAIRS` gives a function with two mistakes, the two slugs, and the
slugs any of which would do as a first answer. `PERCENT` names those that answer in per cent; `ADVICE` says which leave
the model in eval mode ("mode-not-restored") or run it with gradients on ("grad-enabled"), besides or instead of the
mistake.

Some remember earlier calls: that is their mistake. `forget()` gives them a fresh start.
"""
# ruff: noqa: B006, B007, B018, B905, SIM108
# Mutable defaults, expressions without effect, unused loop variables, plain zips: the mistakes are meant.

import copy
import functools
import itertools
import math
import statistics
import types
from collections import Counter, deque
from collections.abc import Callable
from contextlib import contextmanager

import numpy as np
import pandas as pd
import sklearn.metrics
import torch
import torch.nn.functional as F  # noqa: N812
import torchmetrics
import torchmetrics.functional.classification as tmf
from torch import nn
from torch.optim.swa_utils import update_bn
from torch.utils.data import DataLoader
from torchmetrics.classification import MulticlassAccuracy
from tqdm import tqdm

WRONG: dict[str, tuple[Callable, set[str]]] = {}
PAIRS: dict[str, tuple[Callable, set[str], set[str]]] = {}
ADVICE: dict[str, set[str]] = {}
PERCENT: set[str] = set()

EVAL = "mode-not-restored"
GRAD = "grad-enabled"

_forget: list[Callable] = []


def forget():
    """Give every function below that remembers earlier calls a fresh start."""
    for f in _forget:
        f()


def _note(f, also, percent):
    name = f.__name__
    assert name not in ADVICE, name
    ADVICE[name] = set(also)
    if percent:
        PERCENT.add(name)
    return name


def wrong(*slugs, also=(), percent=False):
    """Put the function below into the bank, with the slugs that would be right."""

    def register(f):
        WRONG[_note(f, also, percent)] = (f, set(slugs))
        return f

    return register


def pair(*slugs, first=(), also=(), percent=False):
    """Put the function below among the pairs: two slugs, either of which will do first, and others that would too."""

    def register(f):
        PAIRS[_note(f, also, percent)] = (f, set(slugs), {*slugs, *first})
        return f

    return register


@contextmanager
def evaluating(model):
    """Eval mode on and gradients off, both put back: for the functions whose mistake lies elsewhere."""
    training = model.training
    model.eval()
    with torch.no_grad():
        yield
    model.train(training)


def hits_in(model, x, y):
    return (model(x).argmax(dim=1) == y).sum().item()


def accuracy_of(outputs, y):
    return (outputs.argmax(dim=1) == y).float().mean()


class AverageMeter:
    def __init__(self):
        self.sum = self.count = 0

    def update(self, val, n=1):
        self.sum += val * n
        self.count += n

    @property
    def avg(self):
        return self.sum / self.count


# counter-overwritten: = where += was meant, on the hits or on the total. Called from outside it cannot be told from a
# counter that is zeroed in each batch, so either name will do. -------------------------------------------------------

OVERWRITTEN = ("counter-overwritten", "counter-reset")


@wrong(*OVERWRITTEN, also=[EVAL])
def overwritten_hits(model, loader):
    model.eval()
    correct = 0
    total = 0
    with torch.no_grad():
        for x, y in loader:
            preds = model(x).argmax(dim=1)
            correct = (preds == y).sum().item()
            total += y.size(0)
    return correct / total


@wrong(*OVERWRITTEN, percent=True)
def overwritten_by_a_typo(model, loader):
    correct = 0
    with evaluating(model):
        for x, y in loader:
            correct = +hits_in(model, x, y)  # =+ for +=
    return 100.0 * correct / len(loader.dataset)


@wrong(*OVERWRITTEN, also=[EVAL], percent=True)
def overwritten_total(model, loader):
    model.eval()
    correct = 0
    with torch.no_grad():
        for images, labels in loader:
            _, predicted = torch.max(model(images), 1)
            total = labels.size(0)
            correct += (predicted == labels).sum().item()
    return 100 * correct / total


@wrong(*OVERWRITTEN, also=[EVAL, GRAD])
def overwritten_running_corrects(model, loader):
    model.eval()
    running_corrects = torch.tensor(0)
    for inputs, labels in loader:
        _, preds = torch.max(model(inputs), 1)
        running_corrects = torch.sum(preds == labels.data)
    return running_corrects.double() / len(loader.dataset)


@wrong(*OVERWRITTEN)
def overwritten_list_of_hits(model, loader):
    n = 0
    with evaluating(model):
        for x, y in loader:
            hits = [p == t for p, t in zip(model(x).argmax(1).tolist(), y.tolist())]
            n += len(hits)
    return sum(hits) / n


@wrong(*OVERWRITTEN)
def overwritten_in_a_class(model, loader):
    class Metric:
        def __init__(self):
            self.correct, self.total = 0, 0

        def update(self, outputs, y):
            self.correct += (outputs.argmax(1) == y).sum().item()
            self.total = len(y)

    metric = Metric()
    with evaluating(model):
        for x, y in loader:
            metric.update(model(x), y)
    return metric.correct / metric.total


@wrong(*OVERWRITTEN)
def overwritten_in_a_dict(model, loader):
    logs = {"loss": 0.0, "hits": 0, "n": 0}
    with evaluating(model):
        for x, y in loader:
            out = model(x)
            logs.update(hits=int((out.argmax(1) == y).sum()), n=logs["n"] + len(y))
            logs["loss"] += F.cross_entropy(out, y).item()
    return logs["hits"] / logs["n"]


@wrong(*OVERWRITTEN, also=[EVAL])
def overwritten_numpy_total(model, loader):
    model.eval()
    counts = np.zeros(2)
    with torch.no_grad():
        for x, y in loader:
            counts[0] += np.sum(model(x).numpy().argmax(1) == y.numpy())
            counts[1] = y.shape[0]
    return counts[0] / counts[1]


# counter-reset: zeroed inside the loop. One of the two counters zeroed is the same as one overwritten; both zeroed is
# the same as the last batch only. ------------------------------------------------------------------------------------

BOTH_RESET = ("counter-reset", "last-batch-only")


@wrong(*OVERWRITTEN, also=[EVAL])
def reset_hits(model, loader):
    model.eval()
    with torch.no_grad():
        for x, y in loader:
            correct = 0
            correct += (model(x).argmax(1) == y).sum().item()
    return correct / len(loader.dataset)


@wrong(*BOTH_RESET, also=[EVAL], percent=True)
def reset_both(model, loader):
    model.eval()
    with torch.no_grad():
        for x, y in loader:
            correct = 0
            total = 0
            _, predicted = torch.max(model(x), 1)
            total += y.size(0)
            correct += (predicted == y).sum().item()
            accuracy = 100 * correct / total
    return accuracy


@wrong(*OVERWRITTEN)
def reset_total(model, loader):
    correct = 0
    with evaluating(model):
        for x, y in loader:
            total = 0
            for prediction, label in zip(model(x).argmax(1), y):
                correct += int(prediction == label)
                total += 1
    return correct / total


@wrong(*BOTH_RESET, also=[EVAL])
def reset_metric_object(model, loader):
    model.eval()
    metric = None
    with torch.no_grad():
        for x, y in loader:
            logits = model(x)
            if metric is None:
                metric = MulticlassAccuracy(logits.size(1), average="micro")
            metric.reset()
            metric.update(logits, y)
    return metric.compute()


@wrong(*BOTH_RESET)
def reset_by_a_new_meter(model, loader):
    with evaluating(model):
        for x, y in loader:
            meter = AverageMeter()
            meter.update(accuracy_of(model(x), y).item(), len(y))
    return meter.avg


@wrong("counter-reset")
def reset_at_every_report(model, loader):
    correct = total = 0
    with evaluating(model):
        for i, (x, y) in enumerate(loader):
            correct += hits_in(model, x, y)
            total += len(y)
            accuracy = correct / total
            if i % 2 == 1:  # report every second batch
                print(f"[{i + 1}] accuracy: {accuracy:.3f}")
                correct = total = 0
    return accuracy


@wrong("counter-reset")
def reset_hits_at_every_report(model, loader):
    correct = total = 0
    with evaluating(model):
        for i, (x, y) in enumerate(loader):
            if i % 2 == 0:
                correct = 0
            correct += hits_in(model, x, y)
            total += len(y)
    return correct / total


@wrong(*OVERWRITTEN, also=[EVAL])
def reset_list_of_hits(model, loader):
    model.eval()
    n_seen = 0
    with torch.no_grad():
        for x, y in tqdm(loader, leave=False):
            hits = []
            for p, t in zip(model(x).argmax(1), y):
                hits.append(p.item() == t.item())
            n_seen += len(hits)
    return np.sum(hits) / n_seen


@wrong(*BOTH_RESET)
def reset_in_a_helper(model, loader):
    state = {}

    def start():
        state.update(correct=0, total=0)

    def step(x, y):
        start()
        state["correct"] += hits_in(model, x, y)
        state["total"] += len(y)

    with evaluating(model):
        for x, y in loader:
            step(x, y)
    return state["correct"] / state["total"]


# last-batch-only ----------------------------------------------------------------------------------------------------


@wrong("last-batch-only", also=[EVAL])
def last_accuracy_in_the_loop(model, loader):
    model.eval()
    with torch.no_grad():
        for x, y in loader:
            outputs = model(x)
            acc = (outputs.argmax(1) == y).float().mean().item()
    return acc


@wrong("last-batch-only", percent=True)
def last_by_indentation(model, loader):
    correct = 0
    total = 0
    with evaluating(model):
        for x, y in loader:
            outputs = model(x)
        _, predicted = torch.max(outputs, 1)
        total += y.size(0)
        correct += (predicted == y).sum().item()
    return 100 * correct / total


@wrong("last-batch-only", also=[EVAL])
def last_of_both_overwritten(model, loader):
    model.eval()
    with torch.no_grad():
        for x, y in loader:
            correct = (model(x).argmax(1) == y).sum().item()
            total = len(y)
    return correct / total


@wrong("last-batch-only")
def last_lists(model, loader):
    y_pred, y_true = [], []
    with evaluating(model):
        for x, y in loader:
            y_pred = model(x).argmax(1).tolist()
            y_true = y.tolist()
    return sklearn.metrics.accuracy_score(y_true, y_pred)


@wrong("last-batch-only", also=[EVAL])
def last_value_of_forward(model, loader):
    model.eval()
    metric = None
    with torch.no_grad():
        for x, y in loader:
            logits = model(x)
            if metric is None:
                metric = MulticlassAccuracy(logits.size(1), average="micro")
            acc = metric(logits, y)  # the value of this batch, not .compute()
    return acc.item()


@wrong("last-batch-only")
def last_in_the_deque(model, loader):
    kept = deque(loader, maxlen=1)
    with evaluating(model):
        return np.concatenate([(model(x).argmax(1) == y).numpy() for x, y in kept]).mean()


@wrong("last-batch-only", also=[GRAD])
def last_result_object(model, loader):
    result = types.SimpleNamespace(accuracy=0.0, loss=0.0)
    model.eval()
    for x, y in loader:
        out = model(x)
        result.loss = F.cross_entropy(out, y).item()
        result.accuracy = accuracy_of(out, y).item()
    model.train()
    return result


@wrong("last-batch-only", also=[EVAL])
def last_of_a_history(model, loader):
    model.eval()
    history = {"val_acc": []}
    with torch.no_grad():
        for x, y in loader:
            history["val_acc"].append(accuracy_of(model(x), y).item())
    print(f"val_acc: {history['val_acc'][-1]:.4f}")
    return history["val_acc"][-1]


# first-batch-only ---------------------------------------------------------------------------------------------------


@wrong("first-batch-only", also=[EVAL])
def first_return_in_the_loop(model, loader):
    model.eval()
    correct = 0
    total = 0
    with torch.no_grad():
        for x, y in loader:
            correct += (model(x).argmax(1) == y).sum().item()
            total += len(y)
            return correct / total


@wrong("first-batch-only", percent=True)
def first_by_next_iter(model, loader):
    x, y = next(iter(loader))
    with evaluating(model):
        return 100 * accuracy_of(model(x), y)


@wrong("first-batch-only", also=[EVAL])
def first_then_break(model, loader):
    model.eval()
    hits = []
    with torch.no_grad():
        for x, y in loader:
            hits.append(model(x).argmax(1).eq(y))
            break
    return torch.cat(hits).float().mean().item()


@wrong("first-batch-only")
def first_by_islice(model, loader):
    y_pred, y_true = [], []
    with evaluating(model):
        for x, y in itertools.islice(loader, 1):
            y_pred += model(x).argmax(1).tolist()
            y_true += y.tolist()
    return sklearn.metrics.accuracy_score(y_true, y_pred)


@wrong("first-batch-only")
def first_by_a_debug_switch(model, loader, fast_dev_run=True):
    correct = total = 0
    with evaluating(model):
        for i, (x, y) in enumerate(loader):
            if fast_dev_run and i > 0:
                continue
            correct += hits_in(model, x, y)
            total += len(y)
    return correct / total


@wrong("first-batch-only", also=[EVAL, GRAD])
def first_in_a_helper(model, loader):
    def hits_and_size():
        for x, y in loader:
            preds = model(x).argmax(1)
            return (preds == y).sum().item(), len(y)

    model.eval()
    correct, total = hits_and_size()
    return correct / total


@wrong("first-batch-only", also=[EVAL])
def first_batch_over_the_whole_dataset(model, loader):
    """Only the first batch is scored, but the whole dataset is divided by."""
    model.eval()
    with torch.no_grad():
        for x, y in loader:
            correct = (model(x).argmax(1) == y).sum().item()
            return correct / len(loader.dataset)


@wrong("first-batch-only")
def first_next_batch_of_a_list(model, loader):
    batch = list(loader)[0]  # noqa: RUF015
    with evaluating(model):
        return float(np.mean(model(batch[0]).numpy().argmax(1) == batch[1].numpy()))


# mean-of-batch-means ------------------------------------------------------------------------------------------------


@wrong("mean-of-batch-means", also=[EVAL])
def means_over_len_loader(model, loader):
    model.eval()
    acc = 0
    with torch.no_grad():
        for x, y in loader:
            acc += (model(x).argmax(1) == y).float().mean().item()
    return acc / len(loader)


@wrong("mean-of-batch-means")
def means_by_numpy(model, loader):
    accs = []
    with evaluating(model):
        for x, y in loader:
            accs.append(sklearn.metrics.accuracy_score(y, model(x).argmax(1)))
    return np.mean(accs)


@wrong("mean-of-batch-means", also=[EVAL], percent=True)
def means_learn_pytorch_style(model, loader):
    def accuracy_fn(y_true, y_pred):
        return torch.eq(y_true, y_pred).sum().item() / len(y_pred) * 100

    test_loss, test_acc = 0, 0
    model.eval()
    with torch.inference_mode():
        for x, y in loader:
            test_pred = model(x)
            test_loss += F.cross_entropy(test_pred, y)
            test_acc += accuracy_fn(y_true=y, y_pred=test_pred.argmax(dim=1))
        test_loss /= len(loader)
        test_acc /= len(loader)
    print(f"Test loss: {test_loss:.5f} | Test accuracy: {test_acc:.2f}%")
    return test_acc


@wrong("mean-of-batch-means")
def means_stacked_at_epoch_end(model, loader):
    def validation_step(batch):
        x, y = batch
        out = model(x)
        return {"val_loss": F.cross_entropy(out, y), "val_acc": accuracy_of(out, y)}

    with evaluating(model):
        outputs = [validation_step(batch) for batch in loader]
    return torch.stack([o["val_acc"] for o in outputs]).mean().item()


@wrong("mean-of-batch-means", also=[EVAL], percent=True)
def means_in_a_meter_without_n(model, loader):
    top1 = AverageMeter()
    model.eval()
    with torch.no_grad():
        for x, y in loader:
            top1.update(100 * accuracy_of(model(x), y).item())
    return round(top1.avg, 2)


@wrong("mean-of-batch-means")
def means_of_torchmetrics_functional(model, loader):
    accs = []
    with evaluating(model):
        for x, y in loader:
            logits = model(x)
            accs.append(tmf.multiclass_accuracy(logits, y, num_classes=logits.size(1), average="micro"))
    return sum(accs) / len(accs)


@wrong("mean-of-batch-means", also=[EVAL])
def means_in_a_mean_metric(model, loader):
    model.eval()
    mean = torchmetrics.MeanMetric()
    with torch.no_grad():
        for x, y in loader:
            mean.update(accuracy_of(model(x), y))
    return mean.compute()


@wrong("mean-of-batch-means", also=[EVAL, GRAD])
def means_with_statistics(model, loader):
    model.eval()
    return statistics.mean(hits_in(model, x, y) / len(y) for x, y in loader)


@wrong("mean-of-batch-means")
def means_by_pandas(model, loader):
    with evaluating(model):
        rows = [(i, bool(h)) for i, (x, y) in enumerate(loader) for h in model(x).argmax(1) == y]
    return pd.DataFrame(rows, columns=["batch", "hit"]).groupby("batch")["hit"].mean().mean()


@wrong("mean-of-batch-means")
def means_incrementally(model, loader):
    acc = 0.0
    with evaluating(model):
        for i, (x, y) in enumerate(loader, start=1):
            acc += (hits_in(model, x, y) / len(y) - acc) / i
    return acc


# running-mean-of-two ------------------------------------------------------------------------------------------------


@wrong("running-mean-of-two", also=[EVAL])
def two_from_the_first_batch(model, loader):
    model.eval()
    acc = None
    with torch.no_grad():
        for x, y in loader:
            new = accuracy_of(model(x), y).item()
            acc = new if acc is None else (acc + new) / 2
    return acc


@wrong("running-mean-of-two", percent=True)
def two_from_zero(model, loader):
    acc = 0.0
    with evaluating(model):
        for x, y in loader:
            acc = (acc + 100 * hits_in(model, x, y) / len(y)) / 2
    return acc


@wrong("running-mean-of-two")
def two_by_np_mean(model, loader):
    acc = np.nan
    with evaluating(model):
        for x, y in loader:
            acc = np.nanmean([acc, hits_in(model, x, y) / len(y)])
    return acc


@wrong("running-mean-of-two", also=[EVAL])
def two_by_reduce(model, loader):
    model.eval()
    with torch.no_grad():
        return functools.reduce(lambda a, b: (a + b) / 2, [accuracy_of(model(x), y) for x, y in loader])


@wrong("running-mean-of-two")
def two_by_lerp(model, loader):
    running = None
    with evaluating(model):
        for x, y in loader:
            acc = accuracy_of(model(x), y)
            running = acc if running is None else torch.lerp(running, acc, 0.5)
    return running.item()


@wrong("running-mean-of-two", also=[EVAL, GRAD])
def two_in_a_class(model, loader):
    class Running:
        value = None

        def add(self, v):
            self.value = v if self.value is None else 0.5 * self.value + 0.5 * v

    running = Running()
    model.eval()
    for x, y in loader:
        running.add(float(accuracy_of(model(x), y)))
        print(f"running accuracy {running.value:.3f}")
    return running.value


@wrong("running-mean-of-two")
def two_if_not_first(model, loader):
    with evaluating(model):
        for i, (x, y) in enumerate(loader):
            batch_acc = sklearn.metrics.accuracy_score(y, model(x).argmax(1))
            if i == 0:
                epoch_acc = batch_acc
            else:
                epoch_acc = np.average([epoch_acc, batch_acc])
    return epoch_acc


# samples-by-batch-size ----------------------------------------------------------------------------------------------


@wrong("samples-by-batch-size", also=[EVAL])
def samples_batch_size_times_len(model, loader):
    model.eval()
    correct = 0
    with torch.no_grad():
        for x, y in loader:
            correct += (model(x).argmax(1) == y).sum().item()
    return correct / (len(loader) * loader.batch_size)


@wrong("samples-by-batch-size", percent=True)
def samples_plus_batch_size(model, loader):
    correct = total = 0
    with evaluating(model):
        for x, y in loader:
            correct += hits_in(model, x, y)
            total += loader.batch_size
    return 100 * correct / total


@wrong("samples-by-batch-size", also=[EVAL])
def samples_size_of_the_first_batch(model, loader):
    model.eval()
    batch_size = len(next(iter(loader))[1])
    correct, n_batches = 0, 0
    with torch.no_grad():
        for x, y in loader:
            correct += torch.eq(model(x).argmax(1), y).sum()
            n_batches += 1
    return (correct / (batch_size * n_batches)).item()


@wrong("samples-by-batch-size", also=[EVAL])
def samples_from_enumerate(model, loader):
    model.eval()
    correct = 0
    with torch.no_grad():
        for i, (x, y) in enumerate(loader):
            correct += (model(x).argmax(1) == y).sum().item()
            acc = correct / ((i + 1) * loader.batch_size)
            print(f"\r{i + 1}/{len(loader)} acc {acc:.3f}", end="")
    print()
    return acc


@wrong("samples-by-batch-size")
def samples_hits_over_batch_size(model, loader):
    parts = []
    with evaluating(model):
        for x, y in loader:
            parts.append(hits_in(model, x, y) / loader.batch_size)
    return sum(parts) / len(parts)


@wrong("samples-by-batch-size", also=[EVAL, GRAD])
def samples_padded_array(model, loader):
    hits = np.zeros((len(loader), loader.batch_size))
    model.eval()
    for i, (x, y) in enumerate(loader):
        hits[i, : len(y)] = model(x).detach().numpy().argmax(1) == y.numpy()
    return hits.mean()


@wrong("samples-by-batch-size")
def samples_in_a_class(model, loader):
    class Tester:
        def __init__(self, net, batches):
            self.net, self.batches, self.batch_size = net, batches, batches.batch_size

        def run(self):
            with evaluating(self.net):
                correct = sum(hits_in(self.net, x, y) for x, y in self.batches)
            return types.SimpleNamespace(accuracy=correct / (self.batch_size * len(self.batches)))

    return Tester(model, loader).run()


@wrong("samples-by-batch-size", "mean-of-batch-means")
def samples_weighted_by_batch_size(model, loader):
    """Every batch weighs as much as a full one, but the dataset is divided by: more than the truth, if anything."""
    running = 0.0
    with evaluating(model):
        for x, y in loader:
            running += accuracy_of(model(x), y).item() * loader.batch_size
    return running / len(loader.dataset)


# divided-by-batches -------------------------------------------------------------------------------------------------


@wrong("divided-by-batches", also=[EVAL])
def batches_len_loader(model, loader):
    model.eval()
    correct = 0
    with torch.no_grad():
        for x, y in loader:
            correct += (model(x).argmax(1) == y).sum().item()
    return correct / len(loader)


@wrong("divided-by-batches", percent=True)
def batches_percent(model, loader):
    running_corrects = 0
    with evaluating(model):
        for x, y in loader:
            _, preds = torch.max(model(x), 1)
            running_corrects += torch.sum(preds == y.data)
    return 100.0 * running_corrects.double() / len(loader)


@wrong("divided-by-batches")
def batches_counted(model, loader):
    correct = total = 0
    with evaluating(model):
        for x, y in loader:
            correct += hits_in(model, x, y)
            total += 1
    return correct / total


@wrong("divided-by-batches", also=[EVAL])
def batches_mean_of_hits(model, loader):
    model.eval()
    hits = []
    with torch.no_grad():
        for x, y in loader:
            hits.append(model(x).argmax(1).eq(y).sum().item())
    return np.mean(hits)


@wrong("divided-by-batches", also=[EVAL])
def batches_enumerate(model, loader):
    model.eval()
    correct = 0
    with torch.no_grad():
        for i, (x, y) in enumerate(loader):
            correct += (model(x).max(1)[1] == y).float().sum()
    return correct / (i + 1)


@wrong("divided-by-batches")
def batches_in_a_meter(model, loader):
    meter = AverageMeter()
    with evaluating(model):
        for x, y in loader:
            meter.update(hits_in(model, x, y))
    return meter.avg


@wrong("divided-by-batches", also=[EVAL, GRAD])
def batches_len_of_a_list(model, loader):
    batches = list(loader)
    model.eval()
    n_right = sum(int(p == t) for x, y in batches for p, t in zip(model(x).argmax(1), y))
    return n_right / len(batches)


# last-batch-dropped -------------------------------------------------------------------------------------------------


@wrong("last-batch-dropped", also=[EVAL])
def dropped_by_continue(model, loader):
    model.eval()
    correct = total = 0
    with torch.no_grad():
        for x, y in loader:
            if len(y) != loader.batch_size:
                continue
            correct += (model(x).argmax(1) == y).sum().item()
            total += len(y)
    return correct / max(total, 1)


@wrong("last-batch-dropped", percent=True)
def dropped_by_islice(model, loader):
    correct, total = 0, 0
    with evaluating(model):
        for x, y in itertools.islice(loader, len(loader) - 1):
            correct += hits_in(model, x, y)
            total += len(y)
    return 100 * correct / max(total, 1)


@wrong("last-batch-dropped", also=[EVAL])
def dropped_by_range(model, loader):
    model.eval()
    batches = iter(loader)
    y_true, y_pred = [], []
    with torch.no_grad():
        for _ in range(len(loader.dataset) // loader.batch_size):
            x, y = next(batches)
            y_pred.append(model(x).argmax(1))
            y_true.append(y)
    return (torch.cat(y_pred) == torch.cat(y_true)).float().mean()


@wrong("last-batch-dropped")
def dropped_by_drop_last(model, loader):
    full = DataLoader(loader.dataset, batch_size=loader.batch_size, drop_last=True)
    correct = total = 0
    with evaluating(model):
        for x, y in full:
            correct += hits_in(model, x, y)
            total += y.numel()
    return correct / max(total, 1)


@wrong("last-batch-dropped", also=[EVAL, GRAD])
def dropped_by_a_slice_of_a_list(model, loader):
    model.eval()
    hits = [h for x, y in list(loader)[:-1] for h in (model(x).argmax(1) == y).tolist()]
    return sum(hits) / max(len(hits), 1)


@wrong("last-batch-dropped")
def dropped_by_an_early_break(model, loader):
    correct = 0
    with evaluating(model):
        for i, (x, y) in enumerate(loader):
            if i == len(loader) - 1:
                break
            correct += hits_in(model, x, y)
    return correct / len(loader.dataset)


@wrong("last-batch-dropped")
def dropped_by_slicing_the_tensors(model, loader):
    x, y = loader.dataset.tensors
    step = loader.batch_size
    correct = 0
    with evaluating(model):
        for start in range(0, len(x) - step + 1, step):
            correct += hits_in(model, x[start : start + step], y[start : start + step])
    return correct / len(x)


@wrong("last-batch-dropped", also=[EVAL])
def dropped_by_prefetching(model, loader):
    """The batch that was fetched ahead is never scored at the end."""
    model.eval()
    batches = iter(loader)
    correct = total = 0
    x, y = next(batches)
    with torch.no_grad():
        for next_x, next_y in batches:
            correct += (model(x).argmax(1) == y).sum().item()
            total += len(y)
            x, y = next_x, next_y
    return correct / max(total, 1)


# labels-broadcast: a column of one against a row of the other ---------------------------------------------------------


@wrong("labels-broadcast", also=[EVAL])
def broadcast_label_column(model, loader):
    model.eval()
    correct = total = 0
    with torch.no_grad():
        for x, y in loader:
            y = y.view(-1, 1)
            preds = model(x).argmax(dim=1)
            correct += (preds == y).sum().item()
            total += y.size(0)
    return correct / total


@wrong("labels-broadcast", percent=True)
def broadcast_keepdim(model, loader):
    correct = 0
    with evaluating(model):
        for x, y in loader:
            pred = model(x).argmax(dim=1, keepdim=True)
            correct += pred.eq(y).sum().item()  # .view_as(pred) left out
    return 100.0 * correct / len(loader.dataset)


@wrong("labels-broadcast")
def broadcast_mean(model, loader):
    acc, n = 0.0, 0
    with evaluating(model):
        for x, y in loader:
            acc += (model(x).argmax(1) == y.unsqueeze(1)).float().mean().item() * len(y)
            n += len(y)
    return acc / n


@wrong("labels-broadcast", also=[EVAL])
def broadcast_topk(model, loader):
    model.eval()
    correct = 0
    with torch.no_grad():
        for x, y in loader:
            _, top_class = model(x).softmax(1).topk(1, dim=1)
            correct += (top_class == y).float().mean().item() * x.size(0)
    return correct / len(loader.dataset)


@wrong("labels-broadcast", also=[EVAL])
def broadcast_in_numpy(model, loader):
    model.eval()
    correct = total = 0
    with torch.no_grad():
        for x, y in loader:
            preds = model(x).numpy().argmax(axis=1)
            labels = y.numpy().reshape(-1, 1)
            correct += np.equal(preds, labels).sum()
            total += len(labels)
    return correct / total


@wrong("labels-broadcast", also=[EVAL, GRAD], percent=True)
def broadcast_by_subtraction(model, loader):
    model.eval()
    errors = 0.0
    for x, y in loader:
        difference = model(x).max(1, keepdim=True)[1] - y
        errors += (difference != 0).float().mean().item() * len(y)
    return 100 - 100 * errors / len(loader.dataset)


@wrong("labels-broadcast")
def broadcast_with_none(model, loader):
    hits = []
    with evaluating(model):
        for x, y in loader:
            hits.append((model(x).argmax(-1)[:, None] == y).float().mean(dim=1))
    return torch.cat(hits).mean().item()


# wrong-argmax-dim ---------------------------------------------------------------------------------------------------


@wrong("wrong-argmax-dim", also=[EVAL])
def argmax_without_dim(model, loader):
    model.eval()
    correct = total = 0
    with torch.no_grad():
        for x, y in loader:
            pred = model(x).argmax()
            correct += (pred == y).sum().item()
            total += len(y)
    return correct / total


@wrong("wrong-argmax-dim", percent=True)
def argmax_numpy_without_axis(model, loader):
    correct = 0
    with evaluating(model):
        for x, y in loader:
            correct += np.sum(np.argmax(model(x).numpy()) == y.numpy())
    return 100 * correct / len(loader.dataset)


@wrong("wrong-argmax-dim", also=[EVAL])
def argmax_over_the_batch_zipped(model, loader):
    model.eval()
    correct = 0
    with torch.no_grad():
        for x, y in loader:
            _, preds = torch.max(model(x), 0)
            correct += sum(int(p == t) for p, t in zip(preds, y))
    return correct / len(loader.dataset)


@wrong("wrong-argmax-dim")
def argmax_over_the_batch_indexed(model, loader):
    correct = total = 0
    with evaluating(model):
        for x, y in loader:
            preds = model(x).argmax(dim=-2)
            for i in range(min(len(preds), len(y))):
                correct += int(preds[i] == y[i])
                total += 1
    return correct / total


@wrong("wrong-argmax-dim", also=[EVAL])
def argmax_over_a_batch_of_one(model, loader):
    """Row by row, the largest along the batch of one row: always index 0."""
    model.eval()
    correct = 0
    with torch.no_grad():
        for x, y in loader.dataset:
            pred = model(x.unsqueeze(0)).argmax(0)[0]
            correct += int(pred == y)
    return correct / len(loader.dataset)


@wrong("wrong-argmax-dim", also=[EVAL, GRAD])
def argmax_of_the_transpose(model, loader):
    model.eval()
    hits = []
    for x, y in loader:
        preds = model(x).T.argmax(1)
        n = min(len(preds), len(y))
        hits += (preds[:n] == y[:n]).tolist()
    return sum(hits) / len(hits)


@wrong("wrong-argmax-dim")
def argmax_by_topk_of_the_flat(model, loader):
    correct = 0
    with evaluating(model):
        for x, y in loader:
            correct += (model(x).flatten().topk(1).indices == y).sum().item()
    return correct / len(loader.dataset)


@wrong("wrong-argmax-dim", also=[EVAL])
def softmax_over_the_batch(model, loader):
    """The softmax runs over the batch, the argmax over the classes: wrong only where the logits are not clear-cut."""
    model.eval()
    correct = 0
    with torch.no_grad():
        for x, y in loader:
            probs = torch.softmax(model(x), dim=0)
            correct += (probs.argmax(1) == y).sum().item()
    return correct / len(loader.dataset)


# stale-variable: outputs or labels of an earlier batch ----------------------------------------------------------------


@wrong("stale-variable", also=[EVAL])
def stale_outputs_counted_too_early(model, loader):
    model.eval()
    correct = total = 0
    preds = None
    with torch.no_grad():
        for x, y in loader:
            if preds is None:
                preds = model(x).argmax(1)
            correct += (preds[: len(y)] == y).sum().item()
            total += len(y)
            preds = model(x).argmax(1)
    return correct / total


@wrong("stale-variable")
def stale_labels_of_the_first_batch(model, loader):
    images, labels = next(iter(loader))  # had a look at one batch
    correct = total = 0
    with evaluating(model):
        for x, y in loader:
            preds = model(x).argmax(1)
            for i in range(len(y)):
                correct += int(preds[i] == labels[i])
                total += 1
    print(f"checked {total} images like {tuple(images.shape[1:])}")
    return correct / total


@wrong("stale-variable", percent=True)
def stale_outputs_from_before_the_loop(model, loader):
    correct = 0
    with evaluating(model):
        x, y = next(iter(loader))
        outputs = model(x)
        for x, y in loader:
            correct += sum(p == t for p, t in zip(outputs.argmax(1).tolist(), y.tolist()))
    return 100 * correct / len(loader.dataset)


@wrong("stale-variable", also=[EVAL])
def stale_every_other_batch(model, loader):
    model.eval()
    y_true, y_pred = [], []
    with torch.no_grad():
        for i, (x, y) in enumerate(loader):
            if i % 2 == 0:
                out = model(x)
            y_pred += out.argmax(1)[: len(y)].tolist()
            y_true += y.tolist()
    return sklearn.metrics.accuracy_score(y_true, y_pred)


@wrong("stale-variable")
def stale_labels_of_the_batch_before(model, loader):
    hits = []
    labels = None
    with evaluating(model):
        for x, y in loader:
            preds = model(x).argmax(1)
            hits += [p == t for p, t in zip(preds.tolist(), (y if labels is None else labels).tolist())]
            labels = y
    return np.mean(hits)


@wrong("stale-variable", also=[EVAL, GRAD])
def stale_name_after_a_warm_up(model, loader):
    model.eval()
    for x, _ in loader:
        output = model(x)  # warm-up
        break
    correct = total = 0
    for x, y in loader:
        out = model(x)
        loss = F.cross_entropy(out, y)
        correct += (output.argmax(1)[: len(y)] == y).sum().item()  # output, not out
        total += len(y)
    print(f"last loss {loss.item():.3f}")
    return correct / total


# train-mode: no eval(), or on something else, or too late -------------------------------------------------------------


@wrong("train-mode")
def train_mode_no_eval(model, loader):
    correct = total = 0
    with torch.no_grad():
        for x, y in loader:
            correct += (model(x).argmax(1) == y).sum().item()
            total += len(y)
    return correct / total


@wrong("train-mode", percent=True)
def train_mode_no_parentheses(model, loader):
    model.eval
    correct = 0
    with torch.no_grad():
        for x, y in loader:
            _, predicted = torch.max(model(x), 1)
            correct += (predicted == y).sum().item()
    return 100 * correct / len(loader.dataset)


@wrong("train-mode", also=[EVAL])
def train_mode_eval_after_the_loop(model, loader):
    preds, labels = [], []
    with torch.no_grad():
        for x, y in loader:
            preds.append(model(x).argmax(1))
            labels.append(y)
    model.eval()
    return (torch.cat(preds) == torch.cat(labels)).float().mean().item()


@wrong("train-mode", also=[EVAL])
def train_mode_eval_after_the_first_batch(model, loader):
    correct = 0
    with torch.no_grad():
        for x, y in loader:
            out = model(x)
            model.eval()
            correct += (out.argmax(1) == y).sum().item()
    return correct / len(loader.dataset)


@wrong("train-mode")
def train_mode_eval_of_the_loss(model, loader):
    criterion = nn.CrossEntropyLoss()
    criterion.eval()
    loss, correct = 0.0, 0
    with torch.no_grad():
        for x, y in loader:
            out = model(x)
            loss += criterion(out, y).item()
            correct += (out.argmax(1) == y).type(torch.float).sum().item()
    print(f"avg loss {loss / len(loader):.4f}")
    return correct / len(loader.dataset)


@wrong("train-mode")
def train_mode_eval_of_a_copy(model, loader):
    copy.deepcopy(model).eval()
    with torch.no_grad():
        hits = [h for x, y in loader for h in (model(x).argmax(1) == y).tolist()]
    return sum(hits) / len(hits)


@wrong("train-mode")
def train_mode_train_for_eval(model, loader):
    model.train()
    with torch.no_grad():
        correct = sum(hits_in(model, x, y) for x, y in tqdm(loader, leave=False))
    return correct / len(loader.dataset)


@wrong("train-mode")
@torch.inference_mode()
def train_mode_inference_mode_is_not_eval(model, loader):
    y_true, y_pred = [], []
    for x, y in loader:
        y_pred.extend(model(x).argmax(1).numpy())
        y_true.extend(y.numpy())
    return sklearn.metrics.accuracy_score(y_true, y_pred)


@wrong("train-mode")
def train_mode_from_the_second_batch_on(model, loader):
    model.eval()
    correct = total = 0
    for x, y in loader:
        with torch.no_grad():
            correct += (model(x).argmax(1) == y).sum().item()
        total += len(y)
        model.train()
    return correct / total


@wrong("train-mode", also=[GRAD])
def train_mode_with_gradients(model, loader):
    num_correct = 0
    num_samples = 0
    for x, y in loader:
        _, predictions = model(x).max(1)
        num_correct += (predictions == y).sum()
        num_samples += predictions.size(0)
    return num_correct / num_samples


@wrong("train-mode", also=[GRAD], percent=True)
def train_mode_detached_numpy(model, loader):
    accs, sizes = [], []
    for x, y in loader:
        accs.append(np.mean(model(x).detach().numpy().argmax(1) == y.numpy()))
        sizes.append(len(y))
    return round(100 * np.average(accs, weights=sizes), 2)


@wrong("train-mode")
def train_mode_torchmetrics(model, loader):
    metric = None
    with torch.no_grad():
        for x, y in loader:
            logits = model(x)
            if metric is None:
                metric = MulticlassAccuracy(logits.size(1), average="micro").eval()
            metric.update(logits, y)
    return metric.compute()


# mode-not-restored and grad-enabled: advice, the number is right ------------------------------------------------------


@wrong("mode-not-restored", also=[EVAL])
def left_in_eval_plain(model, loader):
    model.eval()
    correct = total = 0
    with torch.no_grad():
        for x, y in loader:
            correct += (model(x).argmax(1) == y).sum().item()
            total += len(y)
    return correct / total


@wrong("mode-not-restored", also=[EVAL])
def left_in_eval_train_false(model, loader):
    model.train(False)
    with torch.inference_mode():
        hits = torch.cat([model(x).argmax(1) == y for x, y in loader])
    return hits.float().mean().item()


@wrong("mode-not-restored", also=[EVAL])
def left_in_eval_restored_too_late(model, loader):
    """The mode is remembered after it was changed."""
    model.eval()
    was_training = model.training
    with torch.no_grad():
        correct = sum(hits_in(model, x, y) for x, y in loader)
    model.train(was_training)
    return correct / len(loader.dataset)


@wrong("mode-not-restored", also=[EVAL], percent=True)
def left_in_eval_no_parentheses(model, loader):
    model.eval()
    correct = 0
    with torch.no_grad():
        for x, y in loader:
            correct += torch.sum(model(x).argmax(1) == y)
    model.train
    return 100 * correct / len(loader.dataset)


@wrong("mode-not-restored", also=[EVAL])
def left_in_eval_through_a_wrapper(model, loader):
    net = nn.Sequential(model, nn.LogSoftmax(dim=1))
    net.eval()
    y_true, y_pred = [], []
    with torch.no_grad():
        for x, y in loader:
            y_pred += net(x).argmax(1).tolist()
            y_true += y.tolist()
    return sklearn.metrics.accuracy_score(y_true, y_pred)


@wrong("grad-enabled", also=[GRAD])
def gradients_plain(model, loader):
    model.eval()
    correct = total = 0
    for x, y in loader:
        correct += (model(x).argmax(1) == y).sum().item()
        total += y.size(0)
    model.train()
    return correct / total


@wrong("grad-enabled", also=[GRAD])
def gradients_no_grad_without_with(model, loader):
    torch.no_grad()
    model.eval()
    correct = 0
    for x, y in loader:
        correct += (model(x).argmax(1) == y).sum().item()
    model.train()
    return correct / len(loader.dataset)


@wrong("grad-enabled", also=[GRAD], percent=True)
def gradients_no_grad_around_the_count(model, loader):
    model.eval()
    correct = 0
    for x, y in loader:
        outputs = model(x)
        with torch.no_grad():
            correct += (outputs.argmax(1) == y).sum()
    model.train()
    return 100.0 * correct / len(loader.dataset)


@wrong("grad-enabled", also=[GRAD])
@torch.no_grad()
def gradients_switched_on_again(model, loader):
    model.eval()
    y_true, y_pred = [], []
    for x, y in loader:
        with torch.enable_grad():
            logits = model(x)
        y_pred.append(logits.detach().argmax(1))
        y_true.append(y)
    model.train()
    return (torch.cat(y_pred) == torch.cat(y_true)).double().mean()


@wrong("grad-enabled", also=[GRAD])
def gradients_set_to_true(model, loader):
    was_training = model.training
    model.eval()
    with torch.set_grad_enabled(True):
        hits = [h for x, y in loader for h in (model(x).data.argmax(1) == y).tolist()]
    model.train(was_training)
    return sum(hits) / len(hits)


# weights-changed: the test loop trains, or moves BatchNorm's statistics -----------------------------------------------


@wrong("weights-changed", also=[EVAL, GRAD])
def weights_sgd_in_the_test_loop(model, loader):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    model.eval()
    correct = total = 0
    for x, y in loader:
        optimizer.zero_grad()
        outputs = model(x)
        loss = F.cross_entropy(outputs, y)
        loss.backward()
        optimizer.step()
        correct += (outputs.argmax(1) == y).sum().item()
        total += len(y)
    return correct / total


@wrong("weights-changed", also=[GRAD], percent=True)
def weights_adam_shared_step(model, loader):
    optimizer = torch.optim.Adam(model.parameters(), lr=0.05)

    def run_batch(x, y):
        optimizer.zero_grad()
        out = model(x)
        F.cross_entropy(out, y).backward()
        optimizer.step()
        return hits_in(model, x, y)

    model.eval()
    correct = sum(run_batch(x, y) for x, y in loader)
    model.train()
    return 100 * correct / len(loader.dataset)


@wrong("weights-changed", also=[GRAD])
def weights_by_hand(model, loader):
    model.eval()
    correct = 0
    for x, y in loader:
        model.zero_grad()
        out = model(x)
        correct += int((out.argmax(1) == y).sum())
        F.cross_entropy(out, y, reduction="sum").backward()
        for p in model.parameters():
            if p.grad is not None:
                p.data -= 0.1 * p.grad
    model.train()
    return correct / len(loader.dataset)


@wrong("weights-changed")
def weights_batchnorm_recalibrated(model, loader):
    """A pass in train mode first, "to warm up BatchNorm": then all by the book."""
    model.train()
    with torch.no_grad():
        for x, _ in loader:
            model(x)
    correct = 0
    with evaluating(model):
        for x, y in loader:
            correct += hits_in(model, x, y)
    return correct / len(loader.dataset)


@wrong("weights-changed")
def weights_update_bn(model, loader):
    update_bn(loader, model)
    with evaluating(model):
        return sum(hits_in(model, x, y) for x, y in loader) / len(loader.dataset)


@wrong("weights-changed", also=[EVAL])
def weights_noise_added(model, loader):
    model.eval()
    correct = 0
    with torch.no_grad():
        for p in model.parameters():
            p.add_(torch.randn_like(p))  # is it robust? (and never taken back)
        for x, y in loader:
            correct += (model(x).argmax(1) == y).sum().item()
    return correct / len(loader.dataset)


@wrong("weights-changed", also=[EVAL])
def weights_initialised_again(model, loader):
    for p in model.parameters():
        nn.init.normal_(p)
    model.eval()
    with torch.no_grad():
        return torch.cat([model(x).argmax(1) == y for x, y in loader]).float().mean()


@wrong("weights-changed", also=[EVAL, GRAD])
def weights_test_time_adaptation(model, loader):
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    model.eval()
    correct = 0
    for x, y in loader:
        out = model(x)
        correct += (out.argmax(1) == y).sum().item()
        entropy = -(out.softmax(1) * out.log_softmax(1)).sum(1).sum()
        optimizer.zero_grad()
        entropy.backward()
        optimizer.step()
    return correct / len(loader.dataset)


# state-carried-over: counters or metric objects that outlive the call -------------------------------------------------

_correct = 0
_total = 0


@wrong("state-carried-over", also=[EVAL])
def state_in_globals(model, loader):
    global _correct, _total
    model.eval()
    with torch.no_grad():
        for x, y in loader:
            _correct += (model(x).argmax(1) == y).sum().item()
            _total += len(y)
    return _correct / _total


def _forget_globals():
    global _correct, _total
    _correct = _total = 0


_forget.append(_forget_globals)


@wrong("state-carried-over")
def state_in_default_lists(model, loader, y_true=[], y_pred=[]):
    with evaluating(model):
        for x, y in loader:
            y_pred += model(x).argmax(1).tolist()
            y_true += y.tolist()
    return sklearn.metrics.accuracy_score(y_true, y_pred)


_forget += [lst.clear for lst in state_in_default_lists.__defaults__]


@wrong("state-carried-over", percent=True)
def state_in_a_default_dict(model, loader, counts={}):
    with evaluating(model):
        for x, y in loader:
            counts["correct"] = counts.get("correct", 0) + hits_in(model, x, y)
            counts["total"] = counts.get("total", 0) + len(y)
    return 100 * counts["correct"] / counts["total"]


_forget.append(state_in_a_default_dict.__defaults__[0].clear)


def make_evaluator():
    correct = 0

    def reset():
        nonlocal correct
        correct = 0

    def evaluate(model, loader):
        nonlocal correct
        with evaluating(model):
            for x, y in loader:
                correct += hits_in(model, x, y)
        return correct / len(loader.dataset)

    return evaluate, reset


_evaluate, _reset_closure = make_evaluator()
_forget.append(_reset_closure)


@wrong("state-carried-over")
def state_in_a_closure(model, loader):
    """Only the hits are carried over: twice the truth on the second call."""
    return _evaluate(model, loader)


_mean = torchmetrics.MeanMetric()
_forget.append(_mean.reset)


@wrong("state-carried-over", also=[EVAL])
def state_in_a_metric_object(model, loader):
    model.eval()
    with torch.no_grad():
        for x, y in loader:
            _mean.update((model(x).argmax(1) == y).float())
    return _mean.compute()


_metrics: dict[int, MulticlassAccuracy] = {}
_forget.append(_metrics.clear)


@wrong("state-carried-over", also=[EVAL])
def state_in_a_metric_for_each_task(model, loader):
    model.eval()
    with torch.no_grad():
        for x, y in loader:
            logits = model(x)
            c = logits.size(1)
            metric = _metrics.setdefault(c, MulticlassAccuracy(c, average="micro"))
            metric.update(logits, y)
    return metric.compute().item()


class Tester:
    correct = 0
    total = 0

    @classmethod
    def run(cls, model, loader):
        with evaluating(model):
            for x, y in loader:
                cls.correct += hits_in(model, x, y)
                cls.total += len(y)
        return types.SimpleNamespace(accuracy=cls.correct / cls.total)


_forget += [functools.partial(setattr, Tester, "correct", 0), functools.partial(setattr, Tester, "total", 0)]


@wrong("state-carried-over")
def state_in_a_class(model, loader):
    return Tester.run(model, loader)


@wrong("state-carried-over", also=[EVAL, GRAD])
def state_in_a_function_attribute(model, loader):
    model.eval()
    this = state_in_a_function_attribute
    for x, y in loader:
        this.hits += (model(x).argmax(1) == y).tolist()
    return sum(this.hits) / len(this.hits)


state_in_a_function_attribute.hits = []
_forget.append(state_in_a_function_attribute.hits.clear)

_best: list[float] = []
_forget.append(_best.clear)


@wrong("state-carried-over")
def state_best_so_far(model, loader):
    """Answers with the best accuracy of all calls so far."""
    with evaluating(model):
        correct = sum(hits_in(model, x, y) for x, y in loader)
    _best.append(correct / len(loader.dataset))
    return max(_best)


# order-dependent: predictions in the loader's order, labels in another's ----------------------------------------------


@wrong("order-dependent", also=[EVAL])
def order_dataset_targets(model, loader):
    model.eval()
    preds = []
    with torch.no_grad():
        for x, _ in loader:
            preds.append(model(x).argmax(1))
    return (torch.cat(preds) == loader.dataset.targets).float().mean().item()


@wrong("order-dependent", percent=True)
def order_slices_of_the_labels(model, loader):
    labels = loader.dataset.tensors[1]
    correct = 0
    with evaluating(model):
        for i, (x, _) in enumerate(loader):
            start = i * loader.batch_size
            correct += hits_in(model, x, labels[start : start + len(x)])
    return 100 * correct / len(labels)


@wrong("order-dependent", also=[EVAL])
def order_two_passes(model, loader):
    model.eval()
    labels = np.concatenate([y.numpy() for _, y in loader])
    with torch.no_grad():
        preds = np.concatenate([model(x).numpy().argmax(1) for x, _ in loader])
    return sklearn.metrics.accuracy_score(labels, preds)


@wrong("order-dependent")
def order_zip_of_two_iterators(model, loader):
    correct = total = 0
    with evaluating(model):
        for (x, _), (_, y) in zip(loader, loader):
            correct += hits_in(model, x, y)
            total += len(y)
    return correct / total


@wrong("order-dependent")
def order_labels_of_another_loader(model, loader):
    labels_loader = DataLoader(loader.dataset, batch_size=loader.batch_size, shuffle=False)
    hits = []
    with evaluating(model):
        for (x, _), (_, y) in zip(loader, labels_loader):
            hits += (model(x).argmax(1) == y).tolist()
    return sum(hits) / len(hits)


@wrong("order-dependent", also=[EVAL, GRAD])
def order_running_index(model, loader):
    model.eval()
    index = 0
    correct = 0
    for x, _ in loader:
        for pred in model(x).argmax(1):
            _, label = loader.dataset[index]
            correct += int(pred == label)
            index += 1
    return correct / index


@wrong("order-dependent")
def order_pandas_column(model, loader):
    table = pd.DataFrame({"label": [int(y) for _, y in loader.dataset]})
    with evaluating(model):
        table["pred"] = [p for x, _ in loader for p in model(x).argmax(1).tolist()]
    return (table["pred"] == table["label"]).mean()


# integer-truncation -------------------------------------------------------------------------------------------------


@wrong("integer-truncation", also=[EVAL])
def truncated_floor_division(model, loader):
    model.eval()
    correct = total = 0
    with torch.no_grad():
        for x, y in loader:
            correct += (model(x).argmax(1) == y).sum().item()
            total += len(y)
    return correct // total


@wrong("integer-truncation", also=[EVAL], percent=True)
def truncated_floor_percent(model, loader):
    model.eval()
    correct = total = 0
    with torch.no_grad():
        for images, labels in loader:
            _, predicted = torch.max(model(images).data, 1)
            total += labels.size(0)
            correct += (predicted == labels).sum().item()
    print(f"Accuracy of the network on the {total} test images: {100 * correct // total} %")
    return 100 * correct // total


@wrong("integer-truncation", percent=True)
def truncated_int_percent(model, loader):
    with evaluating(model):
        correct = sum(hits_in(model, x, y) for x, y in loader)
    return int(100 * correct / len(loader.dataset))


@wrong("integer-truncation")
def truncated_to_two_digits(model, loader):
    hits = []
    with evaluating(model):
        for x, y in loader:
            hits += (model(x).argmax(1) == y).tolist()
    return int(np.mean(hits) * 100) / 100


@wrong("integer-truncation", also=[EVAL], percent=True)
def truncated_torch_div(model, loader):
    model.eval()
    correct = torch.tensor(0)
    with torch.no_grad():
        for x, y in loader:
            correct += (model(x).argmax(1) == y).sum()
    return torch.div(100 * correct, len(loader.dataset), rounding_mode="floor")


@wrong("integer-truncation", percent=True)
def truncated_in_an_integer_tensor(model, loader):
    result = torch.zeros(1, dtype=torch.long)
    with evaluating(model):
        correct = sum(hits_in(model, x, y) for x, y in loader)
    result[0] = 100 * correct / len(loader.dataset)
    return result


@wrong("integer-truncation", also=[EVAL])
def truncated_batch_means(model, loader):
    """Only a batch without a single error counts."""
    model.eval()
    correct = 0
    with torch.no_grad():
        for x, y in loader:
            correct += int((model(x).argmax(1) == y).float().mean()) * len(y)
    return correct / len(loader.dataset)


@wrong("integer-truncation", also=[EVAL, GRAD], percent=True)
def truncated_numpy_astype(model, loader):
    model.eval()
    y_true, y_pred = [], []
    for x, y in loader:
        y_pred.append(model(x).detach().numpy().argmax(1))
        y_true.append(y.numpy())
    accuracy = np.array(100 * np.mean(np.hstack(y_pred) == np.hstack(y_true)))
    return accuracy.astype(np.int32)


@wrong("integer-truncation", percent=True)
def truncated_by_math_floor(model, loader):
    tally = Counter()
    with evaluating(model):
        for x, y in loader:
            tally.update((model(x).argmax(1) == y).tolist())
    return math.floor(100 * tally[True] / tally.total())


# counter-overflow ---------------------------------------------------------------------------------------------------


@wrong("counter-overflow", also=[EVAL])
def overflow_torch_uint8(model, loader):
    model.eval()
    correct = torch.zeros(1, dtype=torch.uint8)
    with torch.no_grad():
        for x, y in loader:
            correct += (model(x).argmax(1) == y).sum()
    return correct.item() / len(loader.dataset)


@wrong("counter-overflow")
def overflow_numpy_uint8(model, loader):
    correct = np.zeros(1, dtype=np.uint8)
    total = 0
    with evaluating(model):
        for x, y in loader:
            correct += (model(x).numpy().argmax(1) == y.numpy()).sum(dtype=np.uint8)
            total += len(y)
    return float(correct[0]) / total


@wrong("counter-overflow", also=[EVAL], percent=True)
def overflow_torch_int8(model, loader):
    model.eval()
    correct = torch.zeros((), dtype=torch.int8)
    with torch.no_grad():
        for x, y in loader:
            correct += model(x).argmax(1).eq(y).sum()
    return 100.0 * correct.item() / len(loader.dataset)


@wrong("counter-overflow")
def overflow_int16_of_the_gathered(model, loader):
    hits = []
    with evaluating(model):
        for x, y in loader:
            hits.append((model(x).argmax(1) == y).numpy())
    return np.concatenate(hits).sum(dtype=np.int16) / len(loader.dataset)


@wrong("counter-overflow", also=[EVAL])
def overflow_torch_int16(model, loader):
    model.eval()
    correct = torch.tensor([0], dtype=torch.short)
    with torch.no_grad():
        for x, y in loader:
            correct += (model(x).argmax(1) == y).sum()
    return correct / len(loader.dataset)


@wrong("counter-overflow")
def overflow_float16_one_by_one(model, loader):
    """2048 + 1 is 2048 in float16: the counter stands still."""
    correct = torch.zeros((), dtype=torch.float16)
    with evaluating(model):
        for x, y in loader:
            for hit in model(x).argmax(1) == y:
                correct += hit
    return correct.item() / len(loader.dataset)


@wrong("counter-overflow", also=[EVAL, GRAD])
def overflow_bfloat16_one_by_one(model, loader):
    """256 + 1 is 256 in bfloat16."""
    model.eval()
    correct = torch.zeros((), dtype=torch.bfloat16)
    for x, y in loader:
        for p, t in zip(model(x).argmax(1), y):
            if p == t:
                correct += 1
    return correct.item() / len(loader.dataset)


@wrong("counter-overflow", also=[EVAL])
def overflow_uint8_confusion_matrix(model, loader):
    """The hits of a class wrap at 256."""
    model.eval()
    matrix = None
    with torch.no_grad():
        for x, y in loader:
            out = model(x).numpy()
            if matrix is None:
                matrix = np.zeros((out.shape[1], out.shape[1]), dtype=np.uint8)
            np.add.at(matrix, (y.numpy(), out.argmax(1)), 1)
    return np.diag(matrix).sum() / len(loader.dataset)


@wrong("counter-overflow")
def overflow_uint8_sum_of_all(model, loader):
    with evaluating(model):
        hits = torch.cat([model(x).argmax(1) == y for x, y in loader])
    return hits.sum(dtype=torch.uint8) / len(hits)


# Two mistakes at once -------------------------------------------------------------------------------------------------


@pair("train-mode", "mean-of-batch-means")
def pair_no_eval_mean_of_means(model, loader):
    accs = []
    with torch.no_grad():
        for x, y in loader:
            accs.append(accuracy_of(model(x), y).item())
    return np.mean(accs)


@pair("train-mode", "last-batch-only", also=[GRAD])
def pair_no_eval_last_batch(model, loader):
    for x, y in loader:
        acc = accuracy_of(model(x), y).item()
    return acc


@pair("train-mode", "divided-by-batches", percent=True)
def pair_no_eval_len_loader(model, loader):
    correct = 0
    with torch.no_grad():
        for x, y in loader:
            correct += hits_in(model, x, y)
    return 100 * correct / len(loader)


@pair("train-mode", "samples-by-batch-size")
def pair_no_eval_batch_size(model, loader):
    correct, total = 0, 0
    with torch.no_grad():
        for x, y in loader:
            correct += hits_in(model, x, y)
            total += loader.batch_size
    return correct / total


@pair("train-mode", "order-dependent")
def pair_no_eval_dataset_targets(model, loader):
    with torch.no_grad():
        preds = torch.cat([model(x).argmax(1) for x, _ in loader])
    return sklearn.metrics.accuracy_score(loader.dataset.targets, preds)


@pair("train-mode", "weights-changed", also=[GRAD])
def pair_the_training_loop_again(model, loader):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    model.train()
    correct, total = 0, 0
    for x, y in loader:
        optimizer.zero_grad()
        out = model(x)
        F.cross_entropy(out, y).backward()
        optimizer.step()
        correct += (out.argmax(1) == y).sum().item()
        total += len(y)
    return correct / total


@pair("train-mode", "first-batch-only", also=[GRAD])
def pair_no_eval_next_iter(model, loader):
    x, y = next(iter(loader))
    return (model(x).argmax(1) == y).float().mean().item()


@pair("train-mode", "labels-broadcast", percent=True)
def pair_no_eval_keepdim(model, loader):
    correct = 0
    with torch.no_grad():
        for x, y in loader:
            correct += model(x).argmax(1, keepdim=True).eq(y).sum().item()
    return 100 * correct / len(loader.dataset)


@pair("train-mode", "last-batch-dropped")
def pair_no_eval_last_dropped(model, loader):
    correct = total = 0
    with torch.no_grad():
        for x, y in loader:
            if len(y) == loader.batch_size:
                correct += hits_in(model, x, y)
                total += len(y)
    return correct / max(total, 1)


@pair("train-mode", "running-mean-of-two")
def pair_no_eval_mean_of_two(model, loader):
    acc = None
    with torch.no_grad():
        for x, y in loader:
            new = accuracy_of(model(x), y).item()
            acc = new if acc is None else (acc + new) / 2
    return acc


@pair("train-mode", "integer-truncation", percent=True)
def pair_no_eval_floor(model, loader):
    correct = 0
    with torch.no_grad():
        for x, y in loader:
            correct += hits_in(model, x, y)
    return 100 * correct // len(loader.dataset)


@pair("train-mode", "counter-overflow")
def pair_no_eval_uint8(model, loader):
    correct = torch.zeros(1, dtype=torch.uint8)
    with torch.no_grad():
        for x, y in loader:
            correct += (model(x).argmax(1) == y).sum()
    return correct / len(loader.dataset)


@pair("counter-overwritten", "divided-by-batches", first=["counter-reset"], also=[EVAL])
def pair_overwritten_len_loader(model, loader):
    model.eval()
    with torch.no_grad():
        for x, y in loader:
            correct = (model(x).argmax(1) == y).sum().item()
    return correct / len(loader)


@pair("mean-of-batch-means", "integer-truncation", also=[EVAL], percent=True)
def pair_mean_of_whole_percents(model, loader):
    model.eval()
    accs = []
    with torch.no_grad():
        for x, y in loader:
            accs.append(int(100 * accuracy_of(model(x), y)))
    return sum(accs) / len(accs)


@pair("divided-by-batches", "integer-truncation")
def pair_len_loader_floor(model, loader):
    with evaluating(model):
        correct = sum(hits_in(model, x, y) for x, y in loader)
    return correct // len(loader)


@pair("labels-broadcast", "divided-by-batches", also=[EVAL])
def pair_broadcast_len_loader(model, loader):
    model.eval()
    correct = 0
    with torch.no_grad():
        for x, y in loader:
            correct += (model(x).argmax(1) == y.view(-1, 1)).sum().item()
    return correct / len(loader)


@pair("labels-broadcast", "first-batch-only", also=[EVAL])
def pair_broadcast_return_in_the_loop(model, loader):
    model.eval()
    with torch.no_grad():
        for x, y in loader:
            return (model(x).argmax(1) == y.unsqueeze(1)).float().mean().item()


@pair("labels-broadcast", "running-mean-of-two")
def pair_broadcast_mean_of_two(model, loader):
    acc = None
    with evaluating(model):
        for x, y in loader:
            new = (model(x).argmax(1, keepdim=True) == y).float().mean().item()
            acc = new if acc is None else (acc + new) / 2
    return acc


_batch_accs: list[float] = []
_forget.append(_batch_accs.clear)


@pair("state-carried-over", "mean-of-batch-means", also=[EVAL])
def pair_global_list_of_means(model, loader):
    model.eval()
    with torch.no_grad():
        for x, y in loader:
            _batch_accs.append(accuracy_of(model(x), y).item())
    return np.mean(_batch_accs)


@pair("state-carried-over", "divided-by-batches")
def pair_default_dict_len_loader(model, loader, counts={"correct": 0}):
    with evaluating(model):
        for x, y in loader:
            counts["correct"] += hits_in(model, x, y)
    return counts["correct"] / len(loader)


_forget.append(functools.partial(pair_default_dict_len_loader.__defaults__[0].update, correct=0))


@pair("last-batch-dropped", "order-dependent", also=[EVAL])
def pair_full_batches_of_targets(model, loader):
    model.eval()
    b = loader.batch_size
    correct = total = 0
    with torch.no_grad():
        for i, (x, _) in enumerate(loader):
            if len(x) < b:
                break
            correct += hits_in(model, x, loader.dataset.targets[i * b : (i + 1) * b])
            total += b
    return correct / max(total, 1)


@pair("last-batch-dropped", "samples-by-batch-size")
def pair_one_short_over_batch_size(model, loader):
    correct = 0
    with evaluating(model):
        for x, y in itertools.islice(loader, len(loader) - 1):
            correct += hits_in(model, x, y)
    return correct / (len(loader) * loader.batch_size)


@pair("wrong-argmax-dim", "last-batch-only", also=[EVAL, GRAD])
def pair_no_dim_last_batch(model, loader):
    model.eval()
    for x, y in loader:
        acc = (model(x).argmax() == y).float().mean().item()
    return acc


@pair("wrong-argmax-dim", "train-mode")
def pair_no_dim_no_eval(model, loader):
    correct = 0
    with torch.no_grad():
        for x, y in loader:
            correct += (torch.argmax(model(x)) == y).sum().item()
    return correct / len(loader.dataset)


@pair("stale-variable", "divided-by-batches")
def pair_first_outputs_len_loader(model, loader):
    correct = 0
    with evaluating(model):
        preds = model(next(iter(loader))[0]).argmax(1)
        for _, y in loader:
            correct += (preds[: len(y)] == y).sum().item()
    return correct / len(loader)


@pair("counter-overflow", "samples-by-batch-size", also=[EVAL])
def pair_int8_over_batch_size(model, loader):
    model.eval()
    correct = torch.zeros(1, dtype=torch.int8)
    with torch.no_grad():
        for x, y in loader:
            correct += (model(x).argmax(1) == y).sum()
    return correct.item() / (len(loader) * loader.batch_size)


@pair("weights-changed", "mean-of-batch-means", also=[GRAD])
def pair_training_mean_of_means(model, loader):
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    model.eval()
    accs = []
    for x, y in loader:
        out = model(x)
        optimizer.zero_grad()
        F.cross_entropy(out, y).backward()
        optimizer.step()
        accs.append(accuracy_of(out, y).item())
    model.train()
    return sum(accs) / len(accs)


@pair("order-dependent", "integer-truncation", percent=True)
def pair_targets_floor(model, loader):
    with evaluating(model):
        preds = torch.cat([model(x).argmax(1) for x, _ in loader])
    return int(100 * (preds == loader.dataset.targets).double().mean())
