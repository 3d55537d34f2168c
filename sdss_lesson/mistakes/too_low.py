"""The number is far too low: only some hits are counted, or the wrong things are compared."""

from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader

from sdss_lesson.evaluation import eval_mode
from sdss_lesson.mistakes.mistake import Mistake


def hits_overwritten(model: nn.Module, loader: DataLoader[Any]) -> float:
    n_correct, n_samples = 0, 0
    with eval_mode(model), torch.no_grad():
        for inputs, labels in loader:
            predictions = model(inputs).argmax(1)
            n_correct = (predictions == labels.flatten()).sum().item()
            n_samples += len(labels)
    return n_correct / n_samples


def total_overwritten(model: nn.Module, loader: DataLoader[Any]) -> float:
    n_correct, n_samples = 0, 0
    with eval_mode(model), torch.no_grad():
        for inputs, labels in loader:
            predictions = model(inputs).argmax(1)
            n_correct += (predictions == labels.flatten()).sum().item()
            n_samples = len(labels)
    return n_correct / n_samples


def hits_reset(model: nn.Module, loader: DataLoader[Any]) -> float:
    n_samples = 0
    with eval_mode(model), torch.no_grad():
        for inputs, labels in loader:
            n_correct = 0
            predictions = model(inputs).argmax(1)
            n_correct += (predictions == labels.flatten()).sum().item()
            n_samples += len(labels)
    return n_correct / n_samples


def total_reset(model: nn.Module, loader: DataLoader[Any]) -> float:
    n_correct = 0
    with eval_mode(model), torch.no_grad():
        for inputs, labels in loader:
            n_samples = 0
            predictions = model(inputs).argmax(1)
            n_correct += (predictions == labels.flatten()).sum().item()
            n_samples += len(labels)
    return n_correct / n_samples


def means_divided_by_rows(model: nn.Module, loader: DataLoader[Any]) -> float:
    accuracy, n_samples = 0.0, 0
    with eval_mode(model), torch.no_grad():
        for inputs, labels in loader:
            hits = model(inputs).argmax(1) == labels.flatten()
            accuracy += hits.double().mean().item()
            n_samples += len(labels)
    return accuracy / n_samples


def argmax_of_the_batch(model: nn.Module, loader: DataLoader[Any]) -> float:
    n_correct, n_samples = 0, 0
    with eval_mode(model), torch.no_grad():
        for inputs, labels in loader:
            prediction = model(inputs).argmax()  # one number: a place in the flattened table
            n_correct += (prediction == labels.flatten()).sum().item()
            n_samples += len(labels)
    return n_correct / n_samples


def argmax_of_the_first_row(model: nn.Module, loader: DataLoader[Any]) -> float:
    n_correct, n_samples = 0, 0
    with eval_mode(model), torch.no_grad():
        for inputs, labels in loader:
            prediction = model(inputs)[0].argmax()
            n_correct += (prediction == labels.flatten()).sum().item()
            n_samples += len(labels)
    return n_correct / n_samples


def argmax_over_rows(model: nn.Module, loader: DataLoader[Any]) -> float:
    n_correct, n_samples = 0, 0
    with eval_mode(model), torch.no_grad():
        for inputs, labels in loader:
            predictions = model(inputs).argmax(0)  # a row number for each class
            # == would raise unless there are as many rows as classes; zip just stops at the shorter.
            n_correct += sum(a == b for a, b in zip(predictions.tolist(), labels.flatten().tolist(), strict=False))
            n_samples += len(labels)
    return n_correct / n_samples


def outputs_of_the_first_batch(model: nn.Module, loader: DataLoader[Any]) -> float:
    n_correct, n_samples = 0, 0
    with eval_mode(model), torch.no_grad():
        inputs, labels = next(iter(loader))  # a look at the shapes
        for images, labels in loader:  # noqa: B007
            predictions = model(inputs).argmax(1)[: len(labels)]  # inputs are still those of the first batch
            n_correct += (predictions == labels.flatten()).sum().item()
            n_samples += len(labels)
    return n_correct / n_samples


def outputs_of_the_batch_before(model: nn.Module, loader: DataLoader[Any]) -> float:
    n_correct, n_samples, outputs = 0, 0, None
    with eval_mode(model), torch.no_grad():
        for inputs, labels in loader:
            if outputs is not None:
                predictions = outputs.argmax(1)[: len(labels)]
                n_correct += (predictions == labels.flatten()).sum().item()
            outputs = model(inputs)  # too late: this belongs above
            n_samples += len(labels)
    return n_correct / n_samples


MISTAKES = (
    Mistake(
        slug="counter-overwritten",
        symptom="The number is at most last batch / all rows, or over 1, and jumps with the batch size of the loader.",
        formula="hits_last / n where the hits are overwritten; hits / n_last where the total is.",
        fix="Add to both counters instead of setting them: n_correct += ..., n_samples += ...",
        seen_in="The tutorial of Chainer: https://github.com/chainer/chainer/issues/777 (sum_accuracy = ... "
        "beside sum_loss += ...).",
        notebook="01_the_broken_loop",
        variants=(hits_overwritten, total_overwritten),
    ),
    Mistake(
        slug="counter-reset",
        symptom="The number is at most last batch / all rows, or over 1, although the loop says +=.",
        formula="hits_last / n where the hits are zeroed for each batch; hits / n_last where the total is.",
        fix="Set the counters to 0 once, before the loop over the batches.",
        seen_in="",
        notebook="01_the_broken_loop",
        variants=(hits_reset, total_reset),
    ),
    Mistake(
        slug="means-divided-by-rows",
        symptom="The number is about the true one divided by the batch size; a batch size of 1 makes it right.",
        formula="sum(hits_b / n_b) / n.",
        fix="Add up hits, not the accuracies of batches: n_correct += (predictions == labels).sum().item()",
        seen_in="A textbook on PyTorch, page 397: https://github.com/rasbt/machine-learning-book/issues/93",
        notebook="02_the_fix",
        variants=(means_divided_by_rows,),
    ),
    Mistake(
        slug="wrong-argmax-dim",
        symptom="The number is like guessing or near 0; for argmax() and [0].argmax() batch size 1 makes it right.",
        formula="The share of labels that equal one number: the place of the largest logit in the whole batch, or the "
        "prediction for its first row; or that of rows whose number in the batch equals a label.",
        fix="Take the argmax over the classes, for each row: model(inputs).argmax(1)",
        seen_in="A training script for CLIP: https://github.com/Zasder3/train-CLIP/issues/6",
        notebook="06_bug_hunt",
        variants=(argmax_of_the_batch, argmax_of_the_first_row, argmax_over_rows),
    ),
    Mistake(
        slug="stale-variable",
        symptom="The number is like guessing, whatever the network learned; one batch with all rows may be right.",
        formula="The share of labels that equal the prediction for a row of another batch.",
        fix="Compute the outputs from the variable of this loop, before they are compared: outputs = model(inputs)",
        seen_in="The validation of metatrain, whose loss was that of the last training batch: "
        "https://github.com/metatensor/metatrain/pull/160",
        notebook="06_bug_hunt",
        variants=(outputs_of_the_first_batch, outputs_of_the_batch_before),
    ),
)
