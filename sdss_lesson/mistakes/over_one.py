"""The number is over 1: more is counted than there are rows, or it is divided by something smaller."""

from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader

from sdss_lesson.evaluation import eval_mode
from sdss_lesson.mistakes.mistake import Mistake


def labels_as_a_column(model: nn.Module, loader: DataLoader[Any]) -> float:
    n_correct, n_samples = 0, 0
    with eval_mode(model), torch.no_grad():
        for inputs, labels in loader:
            labels = labels.reshape(-1, 1)  # as the data set of the story gives them
            n_correct += (model(inputs).argmax(1) == labels).sum().item()
            n_samples += len(labels)
    return n_correct / n_samples


def mean_over_the_matrix(model: nn.Module, loader: DataLoader[Any]) -> float:
    n_correct, n_samples = 0.0, 0
    with eval_mode(model), torch.no_grad():
        for inputs, labels in loader:
            labels = labels.reshape(-1, 1)
            n_correct += (model(inputs).argmax(1) == labels).double().mean().item() * len(labels)
            n_samples += len(labels)
    return n_correct / n_samples


def labels_as_they_come(model: nn.Module, loader: DataLoader[Any]) -> float:
    n_correct, n_samples = 0, 0
    with eval_mode(model), torch.no_grad():
        for inputs, labels in loader:
            n_correct += (model(inputs).argmax(1) == labels).sum().item()  # wrong for labels of shape (N, 1)
            n_samples += len(labels)
    return n_correct / n_samples


def predictions_as_a_column(model: nn.Module, loader: DataLoader[Any]) -> float:
    n_correct, n_samples = 0, 0
    with eval_mode(model), torch.no_grad():
        for inputs, labels in loader:
            predictions = model(inputs).argmax(1, keepdim=True)
            n_correct += (predictions == labels).sum().item()  # wrong for labels of shape (N,)
            n_samples += len(labels)
    return n_correct / n_samples


def divided_by_batches(model: nn.Module, loader: DataLoader[Any]) -> float:
    n_correct = 0
    with eval_mode(model), torch.no_grad():
        for inputs, labels in loader:
            n_correct += (model(inputs).argmax(1) == labels.flatten()).sum().item()
    return n_correct / len(loader)


MISTAKES = (
    Mistake(
        slug="labels-broadcast",
        symptom="The number is far over 1, nearly doubles with the batch size, and n times it is whole; a mean of such "
        "batches is like guessing.",
        formula="sum(pairs_b) / n, where pairs_b counts every prediction of the batch against every label of it; or "
        "sum(pairs_b / n_b) / n where a mean is taken.",
        fix="Give both the shape (N,) before you compare them: labels = labels.flatten()",
        seen_in="A test of traja, with an accuracy over 1: https://github.com/traja-team/traja/issues/57; as "
        "a mean: https://github.com/935963004/LaBraM/issues/15",
        notebook="02_the_fix",
        variants=(labels_as_a_column, mean_over_the_matrix, labels_as_they_come, predictions_as_a_column),
    ),
    Mistake(
        slug="divided-by-batches",
        symptom="The number is over 1, and nearly doubles with the batch size; times the batches it is whole.",
        formula="hits / number of batches.",
        fix="Divide by the rows: n_samples += len(labels) in the loop, n_correct / n_samples after it.",
        seen_in="An example of MLflow, which logged 12 to 13 for 0.75 to 0.8: "
        "https://github.com/mlflow/mlflow-torchserve/pull/57",
        notebook="02_the_fix",
        variants=(divided_by_batches,),
    ),
)
