"""Evaluation functions that return the right accuracy, in as many styles as people write them.

Each is called as `f(model, loader)`. `HONEST` holds them by name; `PERCENT` names those that answer in per cent;
`ADVICE` says what each could still be told: "mode-not-restored" (it leaves the model in eval mode) and "grad-enabled"
(it runs the model with gradients on).
"""
# ruff: noqa: B905
# Plain zips, counters by hand: this is other people's code, and is meant to look like it.

import copy
import functools
import itertools
import math
import statistics
import types
from collections import Counter, defaultdict, deque, namedtuple
from collections.abc import Callable
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import pandas as pd
import sklearn.metrics
import torch
import torch.nn.functional as F  # noqa: N812
import torchmetrics
import torchmetrics.functional.classification as tmf
from torch import nn
from torch.utils.data import DataLoader, Subset
from torchmetrics.classification import MulticlassAccuracy, MulticlassConfusionMatrix
from tqdm import tqdm

try:
    from ignite.engine import Engine
    from ignite.metrics import Accuracy as IgniteAccuracy
except ImportError:  # Ignite is not among the project's requirements
    Engine = None

HONEST: dict[str, Callable] = {}
ADVICE: dict[str, set[str]] = {}
PERCENT: set[str] = set()

EVAL = "mode-not-restored"
GRAD = "grad-enabled"


def right(*advice, percent=False):
    """Put the function below into the bank."""

    def register(f):
        name = f.__name__
        assert name not in HONEST, name
        HONEST[name] = f
        ADVICE[name] = set(advice)
        if percent:
            PERCENT.add(name)
        return f

    return register


# Tutorials and official examples ------------------------------------------------------------------------------------


@right(EVAL)
def plain_counter(model, loader):
    model.eval()
    correct = 0
    total = 0
    with torch.no_grad():
        for x, y in loader:
            outputs = model(x)
            preds = outputs.argmax(dim=1)
            correct += (preds == y).sum().item()
            total += y.size(0)
    return correct / total


@right()
def plain_counter_back_to_train(model, loader):
    model.eval()
    correct, total = 0, 0
    with torch.no_grad():
        for x, y in loader:
            correct += (model(x).argmax(1) == y).sum().item()
            total += len(y)
    model.train()
    return correct / total


@right(EVAL, percent=True)
def cifar_tutorial(model, loader):
    correct = 0
    total = 0
    model.eval()
    # since we're not training, we don't need to calculate the gradients for our outputs
    with torch.no_grad():
        for data in loader:
            images, labels = data
            outputs = model(images)
            _, predicted = torch.max(outputs.data, 1)
            total += labels.size(0)
            correct += (predicted == labels).sum().item()
    print(f"Accuracy of the network on the {total} test images: {100 * correct // total} %")
    return 100 * correct / total


@right(EVAL)
def cifar_tutorial_per_class(model, loader):
    model.eval()
    correct_pred = defaultdict(int)
    total_pred = defaultdict(int)
    with torch.no_grad():
        for images, labels in loader:
            _, predictions = torch.max(model(images), 1)
            for label, prediction in zip(labels, predictions):
                if label == prediction:
                    correct_pred[label.item()] += 1
                total_pred[label.item()] += 1
    for classname, count in total_pred.items():
        print(f"Accuracy for class: {classname} is {100 * correct_pred[classname] / count:.1f} %")
    return sum(correct_pred.values()) / sum(total_pred.values())


@right(EVAL)
def quickstart(model, loader):
    loss_fn = nn.CrossEntropyLoss()
    size = len(loader.dataset)
    num_batches = len(loader)
    model.eval()
    test_loss, correct = 0, 0
    with torch.no_grad():
        for x, y in loader:
            pred = model(x)
            test_loss += loss_fn(pred, y).item()
            correct += (pred.argmax(1) == y).type(torch.float).sum().item()
    test_loss /= num_batches
    correct /= size
    print(f"Test Error: \n Accuracy: {(100 * correct):>0.1f}%, Avg loss: {test_loss:>8f} \n")
    return correct


@right(EVAL, percent=True)
def mnist_example(model, loader):
    model.eval()
    test_loss = 0
    correct = 0
    with torch.no_grad():
        for data, target in loader:
            output = model(data)
            test_loss += F.cross_entropy(output, target, reduction="sum").item()  # sum up batch loss
            pred = output.argmax(dim=1, keepdim=True)  # get the index of the max log-probability
            correct += pred.eq(target.view_as(pred)).sum().item()
    test_loss /= len(loader.dataset)
    print(f"Test set: Average loss: {test_loss:.4f}, Accuracy: {correct}/{len(loader.dataset)}")
    return 100.0 * correct / len(loader.dataset)


@right()
def transfer_learning_tutorial(model, loader):
    dataset_size = len(loader.dataset)
    model.eval()
    running_corrects = 0
    for inputs, labels in loader:
        with torch.set_grad_enabled(False):
            outputs = model(inputs)
            _, preds = torch.max(outputs, 1)
        running_corrects += torch.sum(preds == labels.data)
    epoch_acc = running_corrects.double() / dataset_size
    model.train()
    return epoch_acc


class AverageMeter:
    def __init__(self):
        self.val = self.avg = self.sum = self.count = 0

    def update(self, val, n=1):
        self.val = val
        self.sum += val * n
        self.count += n
        self.avg = self.sum / self.count


def topk_accuracy(output, target, topk=(1,)):
    maxk = max(topk)
    _, pred = output.topk(maxk, 1, True, True)
    pred = pred.t()
    correct = pred.eq(target.view(1, -1).expand_as(pred))
    return [correct[:k].reshape(-1).float().sum(0, keepdim=True).mul(100.0 / target.size(0)) for k in topk]


@right(EVAL, percent=True)
def imagenet_example(model, loader):
    top1 = AverageMeter()
    model.eval()
    with torch.no_grad():
        for images, target in loader:
            output = model(images)
            (acc1,) = topk_accuracy(output, target)
            top1.update(acc1[0], images.size(0))
    return top1.avg


@right()
def lightning_like(model, loader):
    class Module:
        def __init__(self, net):
            self.net = net
            self.step_outputs = []

        def validation_step(self, batch, batch_idx):
            x, y = batch
            logits = self.net(x)
            self.step_outputs.append({"hits": (logits.argmax(-1) == y).sum(), "n": y.numel()})

        def on_validation_epoch_end(self):
            hits = torch.stack([o["hits"] for o in self.step_outputs]).sum()
            n = sum(o["n"] for o in self.step_outputs)
            self.step_outputs.clear()
            return (hits / n).item()

    module = Module(model)
    model.eval()
    with torch.no_grad():
        for i, batch in enumerate(loader):
            module.validation_step(batch, i)
    model.train()
    return module.on_validation_epoch_end()


@right(EVAL)
def d2l_accumulator(model, loader):
    model.eval()
    metric = [0.0] * 2
    with torch.no_grad():
        for x, y in loader:
            y_hat = model(x).argmax(axis=1)
            cmp = y_hat.type(y.dtype) == y
            batch = float(cmp.type(y.dtype).sum()), y.numel()
            metric = [a + float(b) for a, b in zip(metric, batch)]
    return metric[0] / metric[1]


# Counters -----------------------------------------------------------------------------------------------------------


@right()
def tensor_counters_on_device(model, loader):
    device = next(model.parameters()).device
    correct = torch.zeros((), dtype=torch.long, device=device)
    total = torch.zeros((), dtype=torch.long, device=device)
    model.eval()
    with torch.no_grad():
        for x, y in loader:
            x, y = x.to(device, non_blocking=True), y.to(device, non_blocking=True)
            correct += (model(x).argmax(1) == y).sum()
            total += y.numel()
    model.train()
    return (correct.float() / total).item()


@right(EVAL)
def one_element_tensor(model, loader):
    model.eval()
    correct = torch.zeros(1)
    with torch.no_grad():
        for x, y in loader:
            correct += (model(x).max(1).indices == y).sum()
    return correct / len(loader.dataset)


@right(EVAL)
def byte_sum(model, loader):
    model.eval()
    correct = 0
    with torch.no_grad():
        for x, y in loader:
            correct += (model(x).argmax(1) == y).byte().cpu().sum()
    return float(correct) / len(loader.dataset)


@right()
def numpy_counters(model, loader):
    model.eval()
    correct, total = np.int64(0), np.int64(0)
    with torch.no_grad():
        for x, y in loader:
            preds = np.argmax(model(x).cpu().numpy(), axis=1)
            correct += np.sum(preds == y.numpy())
            total += y.numpy().shape[0]
    model.train()
    return correct / total


@right(EVAL)
def numpy_float32_answer(model, loader):
    model.eval()
    hits = np.zeros(0, dtype=bool)
    with torch.no_grad():
        for x, y in loader:
            hits = np.append(hits, model(x).numpy().argmax(-1) == y.numpy())
    return np.float32(hits.mean())


@right()
def counts_the_errors(model, loader):
    model.eval()
    wrong = 0
    with torch.no_grad():
        for x, y in loader:
            wrong += torch.count_nonzero(model(x).argmax(1) - y).item()
    model.train()
    return 1 - wrong / len(loader.dataset)


@right(EVAL, percent=True)
def error_rate_in_percent(model, loader):
    model.eval()
    errors, n = 0.0, 0
    with torch.inference_mode():
        for x, y in loader:
            errors += model(x).argmax(1).ne(y).float().sum().item()
            n += x.shape[0]
    return 100 - 100 * errors / n


@right()
def counter_from_collections(model, loader):
    tally = Counter()
    model.eval()
    with torch.no_grad():
        for x, y in loader:
            tally.update((model(x).argmax(1) == y).tolist())
    model.train()
    return tally[True] / (tally[True] + tally[False])


@right(EVAL)
def if_in_a_loop(model, loader):
    model.eval()
    n_correct = n_samples = 0
    with torch.no_grad():
        for x, labels in loader:
            outputs = model(x)
            for i in range(len(labels)):
                predicted = torch.argmax(outputs[i])
                n_samples += 1
                if predicted.item() == labels[i].item():
                    n_correct += 1
    return n_correct / n_samples


@right()
def exact_fraction(model, loader):
    model.eval()
    acc = Fraction(0)
    with torch.no_grad():
        for x, y in loader:
            acc += Fraction(int((model(x).argmax(1) == y).sum()), len(loader.dataset))
    model.train()
    return float(acc)


@right(EVAL)
def dictionary_of_sums(model, loader):
    model.eval()
    logs = {"loss": 0.0, "correct": 0, "n": 0}
    with torch.no_grad():
        for batch in loader:
            x, y = batch[0], batch[1]
            out = model(x)
            logs["loss"] += F.cross_entropy(out, y).item() * len(y)
            logs["correct"] += int((out.argmax(1) == y).sum())
            logs["n"] += len(y)
    return logs["correct"] / logs["n"]


# Gathered lists -----------------------------------------------------------------------------------------------------


@right(EVAL)
def gathered_accuracy_score(model, loader):
    y_true, y_pred = [], []
    model.eval()
    with torch.no_grad():
        for x, y in loader:
            y_pred.extend(model(x).argmax(1).cpu().numpy())
            y_true.extend(y.cpu().numpy())
    return sklearn.metrics.accuracy_score(y_true, y_pred)


@right()
def gathered_numpy(model, loader):
    model.eval()
    preds, targets = [], []
    with torch.no_grad():
        for x, y in loader:
            preds.append(model(x).numpy())
            targets.append(y.numpy())
    model.train()
    return (np.concatenate(preds).argmax(axis=1) == np.concatenate(targets)).mean()


@right(EVAL)
def gathered_torch_cat(model, loader):
    model.eval()
    logits, labels = [], []
    with torch.inference_mode():
        for x, y in loader:
            logits.append(model(x))
            labels.append(y)
    logits, labels = torch.cat(logits), torch.cat(labels)
    return (logits.argmax(1) == labels).float().mean().item()


@right(EVAL)
def growing_tensor(model, loader):
    model.eval()
    all_preds = torch.tensor([], dtype=torch.long)
    all_labels = torch.tensor([], dtype=torch.long)
    with torch.no_grad():
        for x, y in loader:
            all_preds = torch.hstack((all_preds, model(x).argmax(1)))
            all_labels = torch.hstack((all_labels, y))
    return all_preds.eq(all_labels).sum() / len(all_labels)


@right()
def list_of_bools(model, loader):
    model.eval()
    hits = []
    with torch.no_grad():
        for x, y in loader:
            hits += [p == t for p, t in zip(model(x).argmax(1).tolist(), y.tolist())]
    model.train()
    return sum(hits) / len(hits)


@right(EVAL)
def statistics_mean(model, loader):
    model.eval()
    with torch.no_grad():
        hits = [int(h) for x, y in loader for h in model(x).argmax(1) == y]
    return statistics.mean(hits)


@right(EVAL)
def preallocated_array(model, loader):
    model.eval()
    hits = np.zeros(len(loader.dataset))
    start = 0
    with torch.no_grad():
        for x, y in loader:
            hits[start : start + len(y)] = (model(x).argmax(1) == y).numpy()
            start += len(y)
    return hits.mean()


@right()
def pandas_column(model, loader):
    model.eval()
    frames = []
    with torch.no_grad():
        for x, y in loader:
            frames.append(pd.DataFrame({"pred": model(x).argmax(1).numpy(), "label": y.numpy()}))
    model.train()
    df = pd.concat(frames, ignore_index=True)
    df["hit"] = df["pred"] == df["label"]
    return df["hit"].mean()


@right(EVAL)
def pandas_groupby_weighted(model, loader):
    model.eval()
    rows = []
    with torch.no_grad():
        for i, (x, y) in enumerate(loader):
            rows += [{"batch": i, "hit": bool(h)} for h in model(x).argmax(1) == y]
    per_batch = pd.DataFrame(rows).groupby("batch")["hit"].agg(["mean", "size"])
    return (per_batch["mean"] * per_batch["size"]).sum() / per_batch["size"].sum()


@right(EVAL)
def sklearn_confusion_matrix(model, loader):
    model.eval()
    y_true, y_pred = [], []
    with torch.no_grad():
        for x, y in loader:
            outputs = model(x)
            y_pred += outputs.argmax(1).tolist()
            y_true += y.tolist()
    matrix = sklearn.metrics.confusion_matrix(y_true, y_pred, labels=range(outputs.shape[1]))
    return np.trace(matrix) / len(y_true)


@right(EVAL)
def micro_f1(model, loader):
    model.eval()
    y_true, y_pred = [], []
    with torch.no_grad():
        for x, y in loader:
            y_pred.append(model(x).argmax(1))
            y_true.append(y)
    return sklearn.metrics.f1_score(torch.cat(y_true).numpy(), torch.cat(y_pred).numpy(), average="micro")


# Weighted batch means -----------------------------------------------------------------------------------------------


@right(EVAL)
def weighted_by_len_labels(model, loader):
    model.eval()
    acc = 0.0
    with torch.no_grad():
        for x, y in loader:
            acc += (model(x).argmax(1) == y).float().mean().item() * len(y)
    return acc / len(loader.dataset)


@right()
def numpy_average_with_weights(model, loader):
    model.eval()
    accs, sizes = [], []
    with torch.no_grad():
        for x, y in loader:
            accs.append(sklearn.metrics.accuracy_score(y, model(x).argmax(1)))
            sizes.append(len(y))
    model.train()
    return np.average(accs, weights=sizes)


@right(EVAL)
def incremental_mean(model, loader):
    model.eval()
    acc, seen = 0.0, 0
    with torch.no_grad():
        for x, y in loader:
            batch_acc = (model(x).argmax(1) == y).double().mean().item()
            seen += len(y)
            acc += (batch_acc - acc) * len(y) / seen
    return acc


@right(EVAL)
def weights_as_shares(model, loader):
    model.eval()
    n = len(loader.dataset)
    with torch.no_grad():
        return sum((model(x).argmax(1) == y).float().mean().item() * (x.size(0) / n) for x, y in loader)


@right(EVAL, percent=True)
def meter_of_percent(model, loader):
    model.eval()
    meter = AverageMeter()
    with torch.no_grad():
        for x, y in tqdm(loader, desc="test", leave=False):
            prec = (model(x).argmax(1) == y).float().mean() * 100
            meter.update(prec.item(), x.size(0))
    print(f" * Prec@1 {meter.avg:.3f}")
    return meter.avg


# Libraries ----------------------------------------------------------------------------------------------------------


@right(EVAL)
def torchmetrics_object(model, loader):
    model.eval()
    metric = None
    with torch.no_grad():
        for x, y in loader:
            logits = model(x)
            if metric is None:
                metric = MulticlassAccuracy(num_classes=logits.size(1), average="micro")
            metric.update(logits, y)
    return metric.compute()


@right()
def torchmetrics_forward_then_compute(model, loader):
    model.eval()
    metric = None
    with torch.no_grad():
        for x, y in loader:
            logits = model(x)
            if metric is None:
                metric = torchmetrics.Accuracy(task="multiclass", num_classes=logits.size(1))
            batch_acc = metric(logits.softmax(-1), y)
            print(f"batch accuracy {batch_acc:.3f}")
    model.train()
    return metric.compute().item()


@right(EVAL)
def torchmetrics_functional(model, loader):
    model.eval()
    logits, labels = [], []
    with torch.no_grad():
        for x, y in loader:
            logits.append(model(x))
            labels.append(y)
    logits, labels = torch.cat(logits), torch.cat(labels)
    return tmf.multiclass_accuracy(logits, labels, num_classes=logits.size(1), average="micro").item()


@right(EVAL)
def torchmetrics_weighted_mean_metric(model, loader):
    model.eval()
    mean = torchmetrics.MeanMetric()
    with torch.no_grad():
        for x, y in loader:
            mean.update((model(x).argmax(1) == y).float().mean(), weight=len(y))
    return mean.compute()


@right()
def torchmetrics_mean_of_hits(model, loader):
    model.eval()
    mean = torchmetrics.MeanMetric()
    with torch.no_grad():
        for x, y in loader:
            mean((model(x).argmax(1) == y).float())
    model.train()
    return float(mean.compute())


@right(EVAL)
def torchmetrics_confusion_matrix(model, loader):
    model.eval()
    metric = None
    with torch.no_grad():
        for x, y in loader:
            logits = model(x)
            if metric is None:
                metric = MulticlassConfusionMatrix(logits.size(1))
            metric.update(logits, y)
    matrix = metric.compute()
    return (matrix.diag().sum() / matrix.sum()).item()


@right(EVAL)
def torchmetrics_collection(model, loader):
    model.eval()
    metrics = None
    with torch.no_grad():
        for x, y in loader:
            logits = model(x)
            if metrics is None:
                c = logits.size(1)
                metrics = torchmetrics.MetricCollection(
                    {
                        "accuracy": MulticlassAccuracy(c, average="micro"),
                        "balanced": MulticlassAccuracy(c, average="macro"),
                    }
                )
            metrics.update(logits, y)
    return metrics.compute()["accuracy"]


if Engine is not None:

    @right(EVAL)
    def ignite_engine(model, loader):
        def step(engine, batch):
            model.eval()
            with torch.no_grad():
                x, y = batch
                return model(x), y

        evaluator = Engine(step)
        IgniteAccuracy().attach(evaluator, "accuracy")
        return evaluator.run(loader).metrics["accuracy"]


class SmallEngine:
    """Ignite's idea in a dozen lines."""

    def __init__(self, step):
        self.step = step
        self.handlers = defaultdict(list)
        self.state = types.SimpleNamespace(metrics={}, output=None, batch=None)

    def on(self, event):
        return lambda handler: self.handlers[event].append(handler)

    def fire(self, event):
        for handler in self.handlers[event]:
            handler(self)

    def run(self, loader):
        self.fire("started")
        for self.state.batch in loader:
            self.state.output = self.step(self, self.state.batch)
            self.fire("iteration")
        self.fire("completed")
        return self.state


@right()
def engine_with_handlers(model, loader):
    @torch.no_grad()
    def step(engine, batch):
        x, y = batch
        return model(x).argmax(1), y

    engine = SmallEngine(step)

    @engine.on("started")
    def start(engine):
        model.eval()
        engine.hits = engine.n = 0

    @engine.on("iteration")
    def count(engine):
        preds, y = engine.state.output
        engine.hits += (preds == y).sum().item()
        engine.n += len(y)

    @engine.on("completed")
    def finish(engine):
        model.train()
        engine.state.metrics["accuracy"] = engine.hits / engine.n

    return engine.run(loader).metrics["accuracy"]


# From logits to a class ---------------------------------------------------------------------------------------------


@right(EVAL)
def softmax_first(model, loader):
    model.eval()
    correct = 0
    with torch.no_grad():
        for x, y in loader:
            probs = torch.softmax(model(x), dim=1)
            conf, preds = probs.max(dim=1)
            assert (conf <= 1.0001).all()
            correct += (preds == y).sum().item()
    return correct / len(loader.dataset)


@right(EVAL)
def log_softmax_first(model, loader):
    model.eval()
    correct = 0
    with torch.no_grad():
        for x, y in loader:
            log_ps = F.log_softmax(model(x), dim=-1)
            _, top_class = log_ps.topk(1, dim=1)
            correct += (top_class.squeeze(1) == y).sum().item()
    return correct / len(loader.dataset)


@right(EVAL)
def udacity_top_class(model, loader):
    model.eval()
    accuracy, n = 0, 0
    with torch.no_grad():
        for images, labels in loader:
            ps = torch.exp(F.log_softmax(model(images), dim=1))
            _, top_class = ps.topk(1, dim=1)
            equals = top_class == labels.view(*top_class.shape)
            accuracy += torch.mean(equals.type(torch.FloatTensor)).item() * len(labels)
            n += len(labels)
    return accuracy / n


@right()
def softmax_wrapper(model, loader):
    probabilities = nn.Sequential(model, nn.Softmax(dim=1)).eval()
    correct = 0
    with torch.no_grad():
        for x, y in loader:
            correct += (probabilities(x).argmax(1) == y).sum().item()
    probabilities.train()
    return correct / len(loader.dataset)


@right(EVAL)
def argsort_descending(model, loader):
    model.eval()
    correct = 0
    with torch.no_grad():
        for x, y in loader:
            ranking = model(x).argsort(dim=1, descending=True)
            correct += (ranking[:, 0] == y).sum().item()
    return correct / len(loader.dataset)


@right(EVAL)
def numpy_argsort_last(model, loader):
    model.eval()
    correct = 0
    with torch.no_grad():
        for x, y in loader:
            correct += int((np.argsort(model(x).numpy(), axis=1)[:, -1] == y.numpy()).sum())
    return correct / len(loader.dataset)


@right(EVAL)
def rank_of_the_true_class(model, loader):
    model.eval()
    hits = 0
    with torch.no_grad():
        for x, y in loader:
            logits = model(x)
            true_logit = logits.gather(1, y.unsqueeze(1))
            rank = (logits > true_logit).sum(dim=1)
            hits += (rank == 0).sum().item()
    return hits / len(loader.dataset)


@right()
def one_hot_product(model, loader):
    model.eval()
    correct = torch.tensor(0)
    with torch.no_grad():
        for x, y in loader:
            logits = model(x)
            c = logits.size(1)
            correct += (F.one_hot(logits.argmax(1), c) * F.one_hot(y, c)).sum()
    model.train()
    return correct.item() / len(loader.dataset)


@right(EVAL)
def argmin_of_the_negative(model, loader):
    model.eval()
    correct = 0
    with torch.no_grad():
        for x, y in loader:
            nll = -F.log_softmax(model(x), dim=1)
            correct += torch.eq(nll.argmin(dim=1), y).sum().item()
    return correct / len(loader.dataset)


@right(EVAL)
def plain_python_argmax(model, loader):
    model.eval()
    correct = total = 0
    with torch.no_grad():
        for x, y in loader:
            for row, label in zip(model(x).tolist(), y.tolist()):
                correct += max(range(len(row)), key=row.__getitem__) == label
                total += 1
    return correct / total


@right(EVAL)
def transposed_argmax(model, loader):
    model.eval()
    correct = 0
    with torch.no_grad():
        for x, y in loader:
            correct += (model(x).T.argmax(dim=0) == y).sum().item()
    return correct / len(loader.dataset)


@right(EVAL)
def half_precision_outputs(model, loader):
    """Right unless two logits lie closer together than float16 can tell."""
    model.eval()
    correct = 0
    with torch.no_grad():
        for x, y in loader:
            correct += (model(x).half().float().argmax(1) == y).sum().item()
    return correct / len(loader.dataset)


@right(EVAL)
def bfloat16_probabilities(model, loader):
    """The softmax is cast, the class is taken from the float32 logits: the cast cannot make a tie."""
    model.eval()
    correct = 0
    confidence = 0.0
    with torch.no_grad():
        for x, y in loader:
            logits = model(x)
            confidence += logits.softmax(1).bfloat16().float().amax(1).sum().item()
            correct += (logits.double().argmax(1) == y).sum().item()
    print(f"mean confidence {confidence / len(loader.dataset):.3f}")
    return correct / len(loader.dataset)


@right(EVAL)
def autocast_off(model, loader):
    model.eval()
    correct = 0
    with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16, enabled=False):
        for x, y in loader:
            correct += (model(x).argmax(1) == y).sum().item()
    return correct / len(loader.dataset)


# Shapes of the labels -----------------------------------------------------------------------------------------------


@right(EVAL)
def flattened_labels(model, loader):
    model.eval()
    correct = 0
    with torch.no_grad():
        for x, y in loader:
            y = y.flatten()
            correct += (model(x).argmax(1).view(-1) == y.long().view(-1)).sum().item()
    return correct / len(loader.dataset)


@right(EVAL)
def squeezed_labels(model, loader):
    model.eval()
    correct, total = 0, 0
    with torch.no_grad():
        for x, y in loader:
            preds = torch.argmax(model(x), dim=1, keepdim=True).squeeze(1)
            correct += torch.sum(preds == y.squeeze()).item()
            total += preds.shape[0]
    return correct / total


@right(EVAL)
def both_as_columns(model, loader):
    model.eval()
    correct = 0
    with torch.no_grad():
        for x, y in loader:
            correct += (model(x).argmax(1).unsqueeze(1) == y.view(-1, 1)).sum().item()
    return correct / len(loader.dataset)


@right(EVAL)
def row_of_predictions(model, loader):
    model.eval()
    correct = 0
    with torch.no_grad():
        for x, y in loader:
            pred = model(x).topk(1, 1)[1].t()
            correct += pred.eq(y.reshape(1, -1)).reshape(-1).float().sum(0).item()
    return correct / len(loader.dataset)


# Confusion matrices -------------------------------------------------------------------------------------------------


@right(EVAL)
def confusion_by_bincount(model, loader):
    model.eval()
    matrix = 0
    with torch.no_grad():
        for x, y in loader:
            logits = model(x)
            c = logits.size(1)
            matrix = matrix + torch.bincount(y * c + logits.argmax(1), minlength=c * c).reshape(c, c)
    return (matrix.trace() / matrix.sum()).item()


@right()
def confusion_cell_by_cell(model, loader):
    model.eval()
    matrix = None
    with torch.no_grad():
        for x, y in loader:
            outputs = model(x)
            if matrix is None:
                matrix = torch.zeros(outputs.shape[1], outputs.shape[1])
            for t, p in zip(y.view(-1), outputs.argmax(1).view(-1)):
                matrix[t.long(), p.long()] += 1
    model.train()
    return float(matrix.diag().sum() / matrix.sum())


@right(EVAL)
def confusion_numpy_add_at(model, loader):
    model.eval()
    matrix = None
    with torch.no_grad():
        for x, y in loader:
            out = model(x).numpy()
            matrix = np.zeros((out.shape[1],) * 2, dtype=int) if matrix is None else matrix
            np.add.at(matrix, (y.numpy(), out.argmax(1)), 1)
    return np.diag(matrix).sum() / matrix.sum()


@right(EVAL)
def pandas_crosstab(model, loader):
    model.eval()
    preds, labels = [], []
    with torch.no_grad():
        for x, y in loader:
            preds += model(x).argmax(1).tolist()
            labels += y.tolist()
    table = pd.crosstab(pd.Series(labels, name="label"), pd.Series(preds, name="pred"))
    hits = sum(table.loc[k, k] for k in table.index if k in table.columns)
    return hits / table.to_numpy().sum()


@right(EVAL)
def recall_weighted_by_support(model, loader):
    model.eval()
    hits, support = None, None
    with torch.no_grad():
        for x, y in loader:
            logits = model(x)
            c = logits.size(1)
            if hits is None:
                hits, support = torch.zeros(c), torch.zeros(c)
            hits += torch.bincount(y[logits.argmax(1) == y], minlength=c)
            support += torch.bincount(y, minlength=c)
    recall = hits / support.clamp(min=1)
    return ((recall * support).sum() / support.sum()).item()


# Gradients off, one way or another ----------------------------------------------------------------------------------


@right(EVAL)
@torch.no_grad()
def decorated_no_grad(model, loader):
    model.eval()
    correct = 0
    for x, y in loader:
        correct += (model(x).argmax(dim=1) == y).sum().item()
    return correct / len(loader.dataset)


@right()
@torch.inference_mode()
def decorated_inference_mode(model, loader):
    model.eval()
    correct, total = 0, 0
    for x, y in loader:
        correct += (model(x).argmax(dim=-1) == y).sum().item()
        total += y.shape[0]
    model.train()
    return correct / total


@right(EVAL)
def grad_switched_off_and_on(model, loader):
    before = torch.is_grad_enabled()
    torch.set_grad_enabled(False)
    model.eval()
    correct = 0
    for x, y in loader:
        correct += (model(x).argmax(1) == y).sum().item()
    torch.set_grad_enabled(before)
    return correct / len(loader.dataset)


@right(EVAL)
def no_grad_inside_the_loop(model, loader):
    model.eval()
    correct = 0
    for x, y in loader:
        with torch.no_grad():
            out = model(x)
        correct += (out.argmax(1) == y).sum().item()
    return correct / len(loader.dataset)


@right(EVAL, GRAD)
def gradients_on_plain(model, loader):
    model.eval()
    correct = 0
    total = 0
    for x, y in loader:
        correct += (model(x).argmax(1) == y).sum().item()
        total += len(y)
    return correct / total


@right(EVAL, GRAD, percent=True)
def gradients_on_data(model, loader):
    model.eval()
    correct = 0
    for x, y in loader:
        _, predicted = torch.max(model(x).data, 1)
        correct += (predicted == y).sum()
    return 100 * correct / len(loader.dataset)


@right(GRAD)
def gradients_on_detach_numpy(model, loader):
    model.eval()
    y_true, y_pred = [], []
    for x, y in loader:
        y_pred.append(model(x).detach().cpu().numpy().argmax(1))
        y_true.append(y.numpy())
    model.train()
    return float(np.mean(np.hstack(y_pred) == np.hstack(y_true)))


@right(GRAD)
def gradients_on_with_loss(model, loader):
    criterion = nn.CrossEntropyLoss()
    model.eval()
    running_loss, hits = 0.0, 0
    for x, y in loader:
        out = model(x)
        running_loss += criterion(out, y).item()
        hits += int((out.argmax(1) == y).sum())
    model.train()
    print("loss", running_loss / len(loader))
    return hits / len(loader.dataset)


# The mode of the model ----------------------------------------------------------------------------------------------


@right()
def mode_put_back(model, loader):
    was_training = model.training
    model.eval()
    correct = 0
    with torch.no_grad():
        for x, y in loader:
            correct += (model(x).argmax(1) == y).sum().item()
    model.train(was_training)
    return correct / len(loader.dataset)


@right()
def mode_put_back_finally(model, loader):
    training = model.training
    try:
        model.train(False)
        with torch.no_grad():
            hits = sum((model(x).argmax(1) == y).sum().item() for x, y in loader)
    finally:
        if training:
            model.train()
    return hits / len(loader.dataset)


@contextmanager
def evaluation_mode(model):
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        with torch.no_grad():
            yield model
    finally:
        for module, training in modes.items():
            module.training = training


@right()
def every_submodule_put_back(model, loader):
    correct = 0
    with evaluation_mode(model) as net:
        for x, y in loader:
            correct += (net(x).argmax(1) == y).sum().item()
    return correct / len(loader.dataset)


@right()
def exit_stack(model, loader):
    with ExitStack() as stack:
        stack.callback(model.train, model.training)
        model.eval()
        stack.enter_context(torch.no_grad())
        correct = sum(int((model(x).argmax(1) == y).sum()) for x, y in loader)
    return correct / len(loader.dataset)


@right()
def eval_on_each_batch(model, loader):
    correct = 0
    for x, y in loader:
        model.eval()
        with torch.no_grad():
            preds = model(x).argmax(1)
        model.train()
        correct += (preds == y).sum().item()
    return correct / len(loader.dataset)


@right()
def deep_copy(model, loader):
    net = copy.deepcopy(model).cpu().eval()
    correct = 0
    with torch.no_grad():
        for x, y in loader:
            correct += (net(x).argmax(1) == y).sum().item()
    return correct / len(loader.dataset)


@right(EVAL)
def modules_one_by_one(model, loader):
    for module in model.modules():
        module.training = False
    with torch.no_grad():
        return sum((model(x).argmax(1) == y).sum().item() for x, y in loader) / len(loader.dataset)


@right(EVAL)
def forward_by_name(model, loader):
    model.eval()
    correct = 0
    with torch.no_grad():
        for x, y in loader:
            correct += (model.forward(x).argmax(1) == y).sum().item()
    return correct / len(loader.dataset)


@right(EVAL)
def functional_call(model, loader):
    model.eval()
    state = {**dict(model.named_parameters()), **dict(model.named_buffers())}
    correct = 0
    with torch.no_grad():
        for x, y in loader:
            out = torch.func.functional_call(model, state, (x,))
            correct += (out.argmax(1) == y).sum().item()
    return correct / len(loader.dataset)


# Getting through the data -------------------------------------------------------------------------------------------


@right(EVAL)
def one_big_batch(model, loader):
    model.eval()
    x, y = next(iter(DataLoader(loader.dataset, batch_size=len(loader.dataset))))
    with torch.no_grad():
        return (model(x).argmax(1) == y).float().mean().item()


@right()
def other_batch_size(model, loader):
    model.eval()
    correct = 0
    with torch.no_grad():
        for x, y in DataLoader(loader.dataset, batch_size=7, shuffle=True):
            correct += (model(x).argmax(1) == y).sum().item()
    model.train()
    return correct / len(loader.dataset)


@right(EVAL)
def whole_tensors(model, loader):
    x, y = loader.dataset.tensors
    model.eval()
    with torch.no_grad():
        preds = model(x).argmax(1)
    return sklearn.metrics.accuracy_score(y.numpy(), preds.numpy())


@right(EVAL)
def row_by_row(model, loader):
    model.eval()
    correct = 0
    with torch.no_grad():
        for x, y in loader.dataset:
            correct += int(model(x.unsqueeze(0)).argmax() == y)
    return correct / len(loader.dataset)


@right(EVAL)
def row_by_row_in_order(model, loader):
    model.eval()
    with torch.no_grad():
        preds = torch.tensor([model(loader.dataset[i][0][None])[0].argmax() for i in range(len(loader.dataset))])
    return (preds == loader.dataset.targets).float().mean().item()


@right(EVAL)
def slices_of_the_tensors(model, loader):
    model.eval()
    x, y = loader.dataset.tensors
    n, step, correct = len(x), loader.batch_size, 0
    with torch.no_grad():
        for start in range(0, n, step):
            end = min(start + step, n)
            correct += (model(x[start:end]).argmax(1) == y[start:end]).sum().item()
    return correct / n


@right()
def two_subsets(model, loader):
    n = len(loader.dataset)
    halves = Subset(loader.dataset, range(n // 2)), Subset(loader.dataset, range(n // 2, n))
    model.eval()
    correct = 0
    with torch.no_grad():
        for half in halves:
            for x, y in DataLoader(half, batch_size=16):
                correct += (model(x).argmax(1) == y).sum().item()
    model.train()
    return correct / n


@right(EVAL)
def stop_iteration(model, loader):
    model.eval()
    batches = iter(loader)
    correct, total = 0, 0
    with torch.no_grad():
        while True:
            try:
                x, y = next(batches)
            except StopIteration:
                break
            correct += (model(x).argmax(1) == y).sum().item()
            total += len(y)
    return correct / total


@right(EVAL)
def walrus_next(model, loader):
    model.eval()
    it = iter(loader)
    correct, total = 0, 0
    with torch.no_grad():
        while (batch := next(it, None)) is not None:
            x, y = batch
            correct += (model(x).argmax(1) == y).sum().item()
            total += len(y)
    return correct / total


@right(EVAL)
def next_in_a_range(model, loader):
    model.eval()
    batches = iter(loader)
    correct = 0
    with torch.no_grad():
        for _ in range(len(loader)):
            x, y = next(batches)
            correct += (model(x).argmax(1) == y).sum().item()
    return correct / len(loader.dataset)


@right(EVAL)
def zip_with_a_range(model, loader):
    model.eval()
    correct = 0
    with torch.no_grad():
        for i, (x, y) in zip(range(len(loader)), loader):
            correct += (model(x).argmax(1) == y).sum().item()
            if i % 10 == 0:
                print(f"[{i}/{len(loader)}] {correct}")
    return correct / len(loader.dataset)


@right(EVAL)
def zip_star(model, loader):
    model.eval()
    xs, ys = zip(*loader)
    with torch.no_grad():
        preds = torch.cat([model(x).argmax(1) for x in xs])
    return (preds == torch.cat(ys)).float().mean().item()


@right(EVAL)
def progress_prints(model, loader):
    model.eval()
    correct, seen = 0, 0
    with torch.no_grad():
        for i, (x, y) in enumerate(loader):
            correct += (model(x).argmax(1) == y).sum().item()
            seen += len(x)
            print(f"\rbatch {i + 1}/{len(loader)}: {100 * correct / seen:.1f}%", end="")
    print()
    return correct / seen


@right(EVAL)
def tqdm_postfix(model, loader):
    model.eval()
    bar = tqdm(loader, leave=False)
    correct, seen = 0, 0
    with torch.no_grad():
        for x, y in bar:
            correct += (model(x).argmax(1) == y).sum().item()
            seen += len(y)
            bar.set_postfix(acc=f"{correct / seen:.3f}")
    return correct / seen


@right(EVAL)
def last_of_the_running_accuracies(model, loader):
    model.eval()
    correct, seen, history = 0, 0, []
    with torch.no_grad():
        for x, y in loader:
            correct += (model(x).argmax(1) == y).sum().item()
            seen += len(y)
            history.append(correct / seen)
    return history[-1]


@right(EVAL)
def prefetching(model, loader):
    model.eval()
    batches = iter(loader)
    upcoming = next(batches, None)
    correct, total = 0, 0
    with torch.no_grad():
        while upcoming is not None:
            current, upcoming = upcoming, next(batches, None)
            correct += (model(current[0]).argmax(1) == current[1]).sum().item()
            total += len(current[1])
    return correct / total


@right()
def queue_of_batches(model, loader):
    model.eval()
    queue = deque(loader)
    correct, total = 0, 0
    with torch.no_grad():
        while queue:
            x, y = queue.popleft()
            correct += (model(x).argmax(1) == y).sum().item()
            total += len(y)
    model.train()
    return correct / total


# Functions and classes ----------------------------------------------------------------------------------------------


class Evaluator:
    def __init__(self, model):
        self.model = model
        self.reset()

    def reset(self):
        self.correct, self.total = 0, 0

    @torch.no_grad()
    def update(self, x, y):
        self.correct += (self.model(x).argmax(1) == y).sum().item()
        self.total += y.size(0)

    def compute(self):
        return self.correct / self.total


@right(EVAL)
def evaluator_class(model, loader):
    evaluator = Evaluator(model)
    model.eval()
    for x, y in loader:
        evaluator.update(x, y)
    return evaluator.compute()


class Trainer:
    def __init__(self, model, test_loader):
        self.model, self.test_loader = model, test_loader

    def evaluate(self):
        self.model.eval()
        with torch.no_grad():
            results = [self._step(batch) for batch in self.test_loader]
        self.model.train()
        correct, count = map(sum, zip(*results))
        return correct / count

    def _step(self, batch):
        x, y = batch
        return (self.model(x).argmax(1) == y).sum().item(), len(y)


@right()
def trainer_class(model, loader):
    return Trainer(model, loader).evaluate()


def predictions_of(model, loader):
    for x, y in loader:
        with torch.no_grad():
            yield from zip(model(x).argmax(1).tolist(), y.tolist())


@right(EVAL)
def generator(model, loader):
    model.eval()
    correct = total = 0
    for prediction, label in predictions_of(model, loader):
        correct += prediction == label
        total += 1
    return correct / total


@right(EVAL)
def generator_chained(model, loader):
    model.eval()
    with torch.no_grad():
        hits = itertools.chain.from_iterable((model(x).argmax(1) == y).tolist() for x, y in loader)
        return sum(hits) / len(loader.dataset)


@right()
def recursion(model, loader):
    def hits(batches):
        if len(batches) == 1:
            x, y = batches[0]
            return (model(x).argmax(1) == y).sum().item()
        half = len(batches) // 2
        return hits(batches[:half]) + hits(batches[half:])

    model.eval()
    with torch.no_grad():
        correct = hits(list(loader))
    model.train()
    return correct / len(loader.dataset)


@right(EVAL)
def reduce_pairs(model, loader):
    def add(state, batch):
        x, y = batch
        return state[0] + (model(x).argmax(1) == y).sum().item(), state[1] + len(y)

    model.eval()
    with torch.no_grad():
        correct, total = functools.reduce(add, loader, (0, 0))
    return correct / total


@right(EVAL)
def sum_of_a_map(model, loader):
    model.eval()
    with torch.no_grad():
        return sum(map(lambda b: (model(b[0]).argmax(1) == b[1]).sum().item(), loader)) / len(loader.dataset)  # noqa: C417


@right(EVAL)
def accumulate(model, loader):
    model.eval()
    with torch.no_grad():
        *_, correct = itertools.accumulate((model(x).argmax(1) == y).sum().item() for x, y in loader)
    return correct / len(loader.dataset)


def predict_all(model, loader):
    model.eval()
    preds, labels = [], []
    with torch.no_grad():
        for x, y in loader:
            preds.append(model(x).argmax(1))
            labels.append(y)
    return torch.cat(preds), torch.cat(labels)


@right(EVAL)
def predict_then_score(model, loader):
    preds, labels = predict_all(model, loader)
    return (preds == labels).double().mean()


# Forms of the answer ------------------------------------------------------------------------------------------------


@right(EVAL, percent=True)
def percent_rounded_to_two_digits(model, loader):
    preds, labels = predict_all(model, loader)
    return round(100 * (preds == labels).double().mean().item(), 2)


@right(EVAL)
def fraction_rounded_to_four_digits(model, loader):
    preds, labels = predict_all(model, loader)
    return np.round((preds == labels).numpy().mean(), 4)


@right(EVAL, percent=True)
def percent_from_a_format(model, loader):
    preds, labels = predict_all(model, loader)
    return float(f"{100 * sklearn.metrics.accuracy_score(labels, preds):.2f}")


@right(EVAL, percent=True)
def percent_as_tensor(model, loader):
    preds, labels = predict_all(model, loader)
    return preds.eq(labels).float().mean() * 100


@right(EVAL)
def shape_one_array(model, loader):
    preds, labels = predict_all(model, loader)
    return torch.stack([(preds == labels).float().mean()])


@dataclass
class Result:
    loss: float
    accuracy: float


@right(EVAL)
def result_object(model, loader):
    preds, labels = predict_all(model, loader)
    return Result(loss=math.nan, accuracy=(preds == labels).float().mean().item())


Scores = namedtuple("Scores", "accuracy macro_f1")


@right(EVAL)
def named_tuple(model, loader):
    preds, labels = (t.numpy() for t in predict_all(model, loader))
    accuracy = sklearn.metrics.accuracy_score(labels, preds)
    return Scores(accuracy, sklearn.metrics.f1_score(labels, preds, average="macro"))


@right(percent=True)
def namespace_in_percent(model, loader):
    preds, labels = predict_all(model, loader)
    model.train()
    return types.SimpleNamespace(accuracy=100.0 * (preds == labels).sum().item() / len(labels), n=len(labels))
