"""The number looks possible, but the batch size of the loader moves it: rows weigh unequally, or some do not count."""

from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader

from sdss_lesson.evaluation import eval_mode
from sdss_lesson.mistakes.mistake import Mistake


def last_batch_only(model: nn.Module, loader: DataLoader[Any]) -> float:
    n_correct, n_samples = 0, 0
    with eval_mode(model), torch.no_grad():
        for inputs, labels in loader:
            n_correct = (model(inputs).argmax(1) == labels.flatten()).sum().item()
            n_samples = len(labels)
    return n_correct / n_samples


def first_batch_only(model: nn.Module, loader: DataLoader[Any]) -> float:
    inputs, labels = next(iter(loader))
    with eval_mode(model), torch.no_grad():
        n_correct = (model(inputs).argmax(1) == labels.flatten()).sum().item()
    return n_correct / len(labels)


def return_inside_the_loop(model: nn.Module, loader: DataLoader[Any]) -> float:
    n_correct = 0
    with eval_mode(model), torch.no_grad():
        for inputs, labels in loader:
            n_correct += (model(inputs).argmax(1) == labels.flatten()).sum().item()
            return n_correct / len(loader.dataset)  # type: ignore[arg-type]  # indented once too often
    raise ValueError("The loader is empty.")


def mean_of_batch_means(model: nn.Module, loader: DataLoader[Any]) -> float:
    accuracies = []
    with eval_mode(model), torch.no_grad():
        for inputs, labels in loader:
            hits = model(inputs).argmax(1) == labels.flatten()
            accuracies.append(hits.double().mean().item())
    return sum(accuracies) / len(accuracies)


def mean_of_two_from_zero(model: nn.Module, loader: DataLoader[Any]) -> float:
    accuracy = 0.0
    with eval_mode(model), torch.no_grad():
        for inputs, labels in loader:
            hits = model(inputs).argmax(1) == labels.flatten()
            accuracy = (accuracy + hits.double().mean().item()) / 2
    return accuracy


def mean_of_two_from_the_first(model: nn.Module, loader: DataLoader[Any]) -> float:
    accuracy = None
    with eval_mode(model), torch.no_grad():
        for inputs, labels in loader:
            new = (model(inputs).argmax(1) == labels.flatten()).double().mean().item()
            accuracy = new if accuracy is None else (accuracy + new) / 2
    return accuracy or 0.0


def moving_average(model: nn.Module, loader: DataLoader[Any]) -> float:
    accuracy = None
    with eval_mode(model), torch.no_grad():
        for inputs, labels in loader:
            new = (model(inputs).argmax(1) == labels.flatten()).double().mean().item()
            accuracy = new if accuracy is None else 0.9 * accuracy + 0.1 * new
    return accuracy or 0.0


def batches_times_batch_size(model: nn.Module, loader: DataLoader[Any]) -> float:
    n_correct = 0
    with eval_mode(model), torch.no_grad():
        for inputs, labels in loader:
            n_correct += (model(inputs).argmax(1) == labels.flatten()).sum().item()
    return n_correct / (len(loader) * (loader.batch_size or 1))


def batches_times_last_batch(model: nn.Module, loader: DataLoader[Any]) -> float:
    n_correct = 0
    with eval_mode(model), torch.no_grad():
        for inputs, labels in loader:
            n_correct += (model(inputs).argmax(1) == labels.flatten()).sum().item()
    return n_correct / (len(loader) * len(labels))


def means_times_batch_size(model: nn.Module, loader: DataLoader[Any]) -> float:
    n_correct, n_samples = 0.0, 0
    with eval_mode(model), torch.no_grad():
        for inputs, labels in loader:
            hits = model(inputs).argmax(1) == labels.flatten()
            n_correct += hits.double().mean().item() * (loader.batch_size or 1)
            n_samples += len(labels)
    return n_correct / n_samples


def full_batches_only(model: nn.Module, loader: DataLoader[Any]) -> float:
    n_correct, n_samples = 0, 0
    with eval_mode(model), torch.no_grad():
        for inputs, labels in loader:
            if len(labels) == loader.batch_size:
                n_correct += (model(inputs).argmax(1) == labels.flatten()).sum().item()
                n_samples += len(labels)
    return n_correct / max(n_samples, 1)


def full_batches_over_all_rows(model: nn.Module, loader: DataLoader[Any]) -> float:
    n_correct, n_samples = 0, 0
    with eval_mode(model), torch.no_grad():
        for inputs, labels in loader:
            n_samples += len(labels)
            if len(labels) == loader.batch_size:
                n_correct += (model(inputs).argmax(1) == labels.flatten()).sum().item()
    return n_correct / n_samples


def one_batch_short(model: nn.Module, loader: DataLoader[Any]) -> float:
    n_correct, n_samples, batches = 0, 0, iter(loader)
    with eval_mode(model), torch.no_grad():
        for _ in range(len(loader) - 1):
            inputs, labels = next(batches)
            n_correct += (model(inputs).argmax(1) == labels.flatten()).sum().item()
            n_samples += len(labels)
    return n_correct / max(n_samples, 1)


def one_batch_short_over_all_rows(model: nn.Module, loader: DataLoader[Any]) -> float:
    n_correct, batches = 0, iter(loader)
    with eval_mode(model), torch.no_grad():
        for _ in range(len(loader) - 1):
            inputs, labels = next(batches)
            n_correct += (model(inputs).argmax(1) == labels.flatten()).sum().item()
    return n_correct / len(loader.dataset)  # type: ignore[arg-type]


MISTAKES = (
    Mistake(
        slug="last-batch-only",
        symptom="The number leaps with the batch size, and times the rows of the last batch it is a whole number.",
        formula="hits_last / n_last.",
        fix="Add to both counters instead of setting them: n_correct += ..., n_samples += ...",
        seen_in="A tutorial of PyTorch: https://github.com/pytorch/tutorials/issues/522; published code: "
        "https://github.com/muhanzhang/pytorch_DGCNN/issues/5",
        notebook="01_the_broken_loop",
        variants=(last_batch_only,),
    ),
    Mistake(
        slug="first-batch-only",
        symptom="The number leaps with the batch size, and the evaluation is over at once.",
        formula="hits_first / n_first; hits_first / n where it is divided by all rows.",
        fix="Go through the whole loader, and return after the loop, not inside it.",
        seen_in="",
        notebook="06_bug_hunt",
        variants=(first_batch_only, return_inside_the_loop),
    ),
    Mistake(
        slug="mean-of-batch-means",
        symptom="The number times n is not whole, and uneven batches move it a little, or much if rows are sorted.",
        formula="sum(hits_b / n_b) / number of batches.",
        fix="Add up hits and rows, and divide once: n_correct += ..., n_samples += len(labels), then the quotient.",
        seen_in="A reference of MLPerf, where the number decides when to stop: "
        "https://github.com/mlcommons/training/issues/89",
        notebook="02_the_fix",
        variants=(mean_of_batch_means,),
    ),
    Mistake(
        slug="running-mean-of-two",
        symptom="The number follows the last few batches, and the order of the rows moves it.",
        formula="acc = (acc + hits_b / n_b) / 2 from 0 or from the first batch on, so that the last batch has half of "
        "the weight; or acc = 0.9 acc + 0.1 hits_b / n_b.",
        fix="Add up hits and rows, and divide once, after the loop.",
        seen_in="Published code whose last smoothed value passed for the test accuracy: "
        "https://github.com/human-analysis/pytorchnet/issues/6",
        notebook="02_the_fix",
        variants=(mean_of_two_from_zero, mean_of_two_from_the_first, moving_average),
    ),
    Mistake(
        slug="samples-by-batch-size",
        symptom="The number is right where the batch size divides the rows, and too low or too high elsewhere.",
        formula="hits / (batch size x number of batches), or hits / (n_last x number of batches), which may be over 1, "
        "or sum(hits_b / n_b x batch size) / n.",
        fix="Count the rows that came, full batch or not: n_samples += len(labels)",
        seen_in="CIFAR-10 code that weighs a short batch like a full one: "
        "https://github.com/mitmul/chainer-cifar10/issues/1",
        notebook="06_bug_hunt",
        variants=(batches_times_batch_size, batches_times_last_batch, means_times_batch_size),
    ),
    Mistake(
        slug="last-batch-dropped",
        symptom="The number moves with the batch size, and changing the labels of the last rows does not change it.",
        formula="hits without those of the last batch / n, or / the rows of the other batches; where only full batches "
        "count, right if the batch size divides the rows.",
        fix="Let every batch count: drop_last=False in the loader, and a loop over all of it.",
        seen_in="Published forecasting code: https://github.com/thuml/Autoformer/issues/104; over all rows: "
        "https://github.com/uclnlp/jack/issues/174",
        notebook="06_bug_hunt",
        variants=(
            full_batches_only,
            full_batches_over_all_rows,
            one_batch_short,
            one_batch_short_over_all_rows,
        ),
    ),
)
