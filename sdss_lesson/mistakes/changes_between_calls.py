"""The same rows give another number at another call: something is kept, drawn at random, or in another order."""

from typing import Any

import torch
from torch import nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.utils.data import DataLoader

from sdss_lesson.evaluation import eval_mode
from sdss_lesson.mistakes.mistake import Mistake


def no_eval(model: nn.Module, loader: DataLoader[Any]) -> float:
    n_correct, n_samples = 0, 0
    with torch.no_grad():
        for inputs, labels in loader:
            n_correct += (model(inputs).argmax(1) == labels.flatten()).sum().item()
            n_samples += len(labels)
    return n_correct / n_samples


def train_for_eval(model: nn.Module, loader: DataLoader[Any]) -> float:
    n_correct, n_samples = 0, 0
    with eval_mode(model), torch.no_grad():  # afterwards the modes are as they were
        model.train()
        for inputs, labels in loader:
            n_correct += (model(inputs).argmax(1) == labels.flatten()).sum().item()
            n_samples += len(labels)
    return n_correct / n_samples


def trains_on_the_test_rows(model: nn.Module, loader: DataLoader[Any]) -> float:
    n_correct, n_samples = 0, 0
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    with eval_mode(model), torch.enable_grad():
        for inputs, labels in loader:
            outputs, labels = model(inputs), labels.flatten()
            n_correct += (outputs.argmax(1) == labels).sum().item()
            n_samples += len(labels)
            optimizer.zero_grad()
            nn.functional.cross_entropy(outputs, labels).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
    optimizer.zero_grad()
    return n_correct / n_samples


def moves_the_statistics(model: nn.Module, loader: DataLoader[Any]) -> float:
    n_correct, n_samples = 0, 0
    with eval_mode(model), torch.no_grad():
        for module in model.modules():
            module.training = isinstance(module, _BatchNorm)  # "adapts" to the test rows
        for inputs, labels in loader:
            n_correct += (model(inputs).argmax(1) == labels.flatten()).sum().item()
            n_samples += len(labels)
    return n_correct / n_samples


class HitsCarriedOver:
    """Keeps its hits from one call to the next."""

    def __init__(self) -> None:
        self.n_correct = 0

    def __call__(self, model: nn.Module, loader: DataLoader[Any]) -> float:
        n_samples = 0
        with eval_mode(model), torch.no_grad():
            for inputs, labels in loader:
                self.n_correct += (model(inputs).argmax(1) == labels.flatten()).sum().item()
                n_samples += len(labels)
        return self.n_correct / n_samples


class TotalCarriedOver:
    """Keeps its count of rows from one call to the next."""

    def __init__(self) -> None:
        self.n_samples = 0

    def __call__(self, model: nn.Module, loader: DataLoader[Any]) -> float:
        n_correct = 0
        with eval_mode(model), torch.no_grad():
            for inputs, labels in loader:
                n_correct += (model(inputs).argmax(1) == labels.flatten()).sum().item()
                self.n_samples += len(labels)
        return n_correct / self.n_samples


class BothCarriedOver:
    """Like a metric object that nobody resets: the mean over all calls so far."""

    def __init__(self) -> None:
        self.n_correct, self.n_samples = 0, 0

    def __call__(self, model: nn.Module, loader: DataLoader[Any]) -> float:
        with eval_mode(model), torch.no_grad():
            for inputs, labels in loader:
                self.n_correct += (model(inputs).argmax(1) == labels.flatten()).sum().item()
                self.n_samples += len(labels)
        return self.n_correct / self.n_samples


def labels_of_the_dataset(model: nn.Module, loader: DataLoader[Any]) -> float:
    with eval_mode(model), torch.no_grad():
        predictions = torch.cat([model(inputs).argmax(1) for inputs, _ in loader])
    labels = torch.tensor([int(label) for _, label in loader.dataset])  # type: ignore[attr-defined]  # not shuffled
    return (predictions == labels).double().mean().item()


def labels_of_a_second_pass(model: nn.Module, loader: DataLoader[Any]) -> float:
    with eval_mode(model), torch.no_grad():
        predictions = torch.cat([model(inputs).argmax(1) for inputs, _ in loader])
    labels = torch.cat([labels for _, labels in loader])  # a loader that shuffles shuffles anew
    return (predictions == labels.flatten()).double().mean().item()


MISTAKES = (
    Mistake(
        slug="train-mode",
        symptom="Dropout gives another number at each call; with BatchNorm the number moves with the batch size.",
        formula="The accuracy of the network in training mode; right for a network without such layers.",
        fix="Call model.eval() before the loop, and model.train() before the next epoch of training.",
        seen_in="A course: https://github.com/udacity/deep-learning-v2-pytorch/issues/3; published code: "
        "https://github.com/microsoft/robustdg/issues/30",
        notebook="04_accuracy_per_epoch",
        variants=(no_eval, train_for_eval),
    ),
    Mistake(
        slug="weights-changed",
        symptom="The number climbs or drifts from call to call, though nobody trains in between.",
        formula="sum(hits_b) / n, each batch judged by another network; every call leaves the network changed.",
        fix="A test loop only looks: no optimizer, no backward(), model.eval() and torch.no_grad().",
        seen_in="Training scripts that step in validation, too: https://github.com/SKrisanski/FSCT/issues/12 "
        "and https://github.com/NifTK/NiftyNet/issues/28",
        notebook="04_accuracy_per_epoch",
        variants=(trains_on_the_test_rows, moves_the_statistics),
    ),
    Mistake(
        slug="state-carried-over",
        symptom="The first call is right; later ones grow over 1, shrink, or mix in the networks of earlier epochs.",
        formula="At call k: the hits of all calls / n, or the hits of this one / (k n), or all hits / all rows so far.",
        fix="Set the counters to 0 inside the function, or call metric.reset() before each pass.",
        seen_in="Metrics that nobody reset: https://github.com/JetBrains-Research/code2seq/pull/112",
        notebook="06_bug_hunt",
        variants=(HitsCarriedOver(), TotalCarriedOver(), BothCarriedOver()),
    ),
    Mistake(
        slug="order-dependent",
        symptom="The number is right until somebody shuffles the test loader; then it is like guessing, and changes.",
        formula="The share of rows whose prediction equals the label of the row that stands at its place in another "
        "order.",
        fix="Compare a prediction with the label that came in the same batch: for inputs, labels in loader: ...",
        seen_in="A notebook that shuffled the test set and printed 10 % for 57 %: "
        "https://github.com/ck37/coral-ordinal/issues/6",
        notebook="06_bug_hunt",
        variants=(labels_of_the_dataset, labels_of_a_second_pass),
    ),
)
