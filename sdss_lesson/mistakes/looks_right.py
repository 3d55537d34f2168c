"""Nothing in the number gives it away: it is off in a digit, or on larger sets, or harms what comes next."""

from typing import Any

import torch
from torch import nn
from torch.utils.data import DataLoader

from sdss_lesson.evaluation import eval_mode
from sdss_lesson.mistakes.mistake import Mistake


def eval_and_no_way_back(model: nn.Module, loader: DataLoader[Any]) -> float:
    n_correct, n_samples = 0, 0
    model.eval()
    with torch.no_grad():
        for inputs, labels in loader:
            n_correct += (model(inputs).argmax(1) == labels.flatten()).sum().item()
            n_samples += len(labels)
    return n_correct / n_samples


def always_back_to_train(model: nn.Module, loader: DataLoader[Any]) -> float:
    n_correct, n_samples = 0, 0
    model.eval()
    with torch.no_grad():
        for inputs, labels in loader:
            n_correct += (model(inputs).argmax(1) == labels.flatten()).sum().item()
            n_samples += len(labels)
    model.train()  # frozen layers thaw, and a finished model starts to drop out units
    return n_correct / n_samples


def with_gradients(model: nn.Module, loader: DataLoader[Any]) -> float:
    n_correct, n_samples = 0, 0
    with eval_mode(model):
        for inputs, labels in loader:
            n_correct += (model(inputs).argmax(1) == labels.flatten()).sum().item()
            n_samples += len(labels)
    return n_correct / n_samples


def _count(model: nn.Module, loader: DataLoader[Any]) -> tuple[int, int]:
    """Hits and rows, right: the mistakes that use it come afterwards."""
    n_correct, n_samples = 0, 0
    with eval_mode(model), torch.no_grad():
        for inputs, labels in loader:
            n_correct += (model(inputs).argmax(1) == labels.flatten()).sum().item()
            n_samples += len(labels)
    return n_correct, n_samples


def floor_division(model: nn.Module, loader: DataLoader[Any]) -> float:
    n_correct, n_samples = _count(model, loader)
    return n_correct // n_samples


def cut_to_per_cent(model: nn.Module, loader: DataLoader[Any]) -> float:
    n_correct, n_samples = _count(model, loader)
    return int(100 * n_correct / n_samples) / 100


def rounded_to_per_cent(model: nn.Module, loader: DataLoader[Any]) -> float:
    n_correct, n_samples = _count(model, loader)
    return round(n_correct / n_samples, 2)


def floor_division_per_batch(model: nn.Module, loader: DataLoader[Any]) -> float:
    total, n_samples = 0, 0
    with eval_mode(model), torch.no_grad():
        for inputs, labels in loader:
            hits = (model(inputs).argmax(1) == labels.flatten()).sum().item()
            total += hits // len(labels) * len(labels)
            n_samples += len(labels)
    return total / n_samples


def cut_to_per_cent_per_batch(model: nn.Module, loader: DataLoader[Any]) -> float:
    total, n_samples = 0, 0
    with eval_mode(model), torch.no_grad():
        for inputs, labels in loader:
            hits = (model(inputs).argmax(1) == labels.flatten()).sum().item()
            total += 100 * hits // len(labels) * len(labels)
            n_samples += len(labels)
    return total / n_samples / 100


def _counted_in(dtype: torch.dtype, model: nn.Module, loader: DataLoader[Any]) -> float:
    n_correct, n_samples = torch.tensor(0, dtype=dtype), 0
    with eval_mode(model), torch.no_grad():
        for inputs, labels in loader:
            n_correct += (model(inputs).argmax(1) == labels.flatten()).sum()
            n_samples += len(labels)
    return n_correct.item() / n_samples


def counted_in_uint8(model: nn.Module, loader: DataLoader[Any]) -> float:
    return _counted_in(torch.uint8, model, loader)


def counted_in_int8(model: nn.Module, loader: DataLoader[Any]) -> float:
    return _counted_in(torch.int8, model, loader)


def counted_in_int16(model: nn.Module, loader: DataLoader[Any]) -> float:
    return _counted_in(torch.int16, model, loader)


def counted_in_float16(model: nn.Module, loader: DataLoader[Any]) -> float:
    return _counted_in(torch.float16, model, loader)


def counted_in_bfloat16(model: nn.Module, loader: DataLoader[Any]) -> float:
    return _counted_in(torch.bfloat16, model, loader)


def batch_counted_in_uint8(model: nn.Module, loader: DataLoader[Any]) -> float:
    n_correct, n_samples = 0, 0
    with eval_mode(model), torch.no_grad():
        for inputs, labels in loader:
            hits = model(inputs).argmax(1) == labels.flatten()
            n_correct += int(hits.sum(dtype=torch.uint8))
            n_samples += len(labels)
    return n_correct / n_samples


def mean_over_classes(model: nn.Module, loader: DataLoader[Any]) -> float:
    with eval_mode(model), torch.no_grad():
        batches = [(model(inputs).argmax(1), labels.flatten()) for inputs, labels in loader]
    predictions, labels = map(torch.cat, zip(*batches, strict=True))
    recalls = [(predictions[labels == label] == label).double().mean() for label in set(labels.tolist())]
    return torch.stack(recalls).mean().item()


def _top_k(k: int, model: nn.Module, loader: DataLoader[Any]) -> float:
    n_correct, n_samples = 0, 0
    with eval_mode(model), torch.no_grad():
        for inputs, labels in loader:
            outputs = model(inputs)
            best = outputs.topk(min(k, outputs.shape[1]), dim=1).indices
            n_correct += (best == labels.reshape(-1, 1)).sum().item()
            n_samples += len(labels)
    return n_correct / n_samples


def top_2(model: nn.Module, loader: DataLoader[Any]) -> float:
    return _top_k(2, model, loader)


def top_5(model: nn.Module, loader: DataLoader[Any]) -> float:
    return _top_k(5, model, loader)


MISTAKES = (
    Mistake(
        slug="mode-not-restored",
        symptom="The number is right; afterwards training runs in eval mode, or layers set to eval() no longer are.",
        formula="The true accuracy.",
        fix="Call model.train() before each epoch; in a function for others, put back module.training of every module.",
        seen_in="Published code that validated within an epoch: https://github.com/fartashf/vsepp/issues/4",
        notebook="04_accuracy_per_epoch",
        variants=(eval_and_no_way_back, always_back_to_train),
    ),
    Mistake(
        slug="grad-enabled",
        symptom="The number is right; the evaluation is slow and takes the memory of a training step.",
        formula="The true accuracy.",
        fix="Put the loop under with torch.no_grad():",
        seen_in="A library that ran out of memory in validation: https://github.com/skorch-dev/skorch/issues/218",
        notebook="04_accuracy_per_epoch",
        variants=(with_gradients,),
    ),
    Mistake(
        slug="integer-truncation",
        symptom="The number is 0 unless the network is perfect, or it knows whole per cents only.",
        formula="hits // n; or hits / n cut or rounded to two digits; or sum(n_b (hits_b // n_b)) / n, in whole "
        "numbers or in per cent.",
        fix="Divide with /, and leave rounding to the print: f'{n_correct / n_samples:.4f}'",
        seen_in="A tutorial of PyTorch, which printed Acc: 0.0000: https://github.com/pytorch/tutorials/pull/227",
        notebook="06_bug_hunt",
        variants=(
            floor_division,
            cut_to_per_cent,
            rounded_to_per_cent,
            floor_division_per_batch,
            cut_to_per_cent_per_batch,
        ),
    ),
    Mistake(
        slug="counter-overflow",
        symptom="The number is right on a small test set; on a larger one it is far too low, or below 0.",
        formula="hits as the type holds them / n: in uint8, 0 comes after 255; in int8, -128 after 127; in int16, "
        "-32768 after 32767; float16 rounds above 2048, bfloat16 above 256.",
        fix="Count in Python numbers or in int64: n_correct += (predictions == labels).sum().item()",
        seen_in="The MNIST example of PyTorch, with hits modulo 256: https://github.com/pytorch/examples/pull/313",
        notebook="06_bug_hunt",
        variants=(
            counted_in_uint8,
            counted_in_int8,
            counted_in_int16,
            counted_in_float16,
            counted_in_bfloat16,
            batch_counted_in_uint8,
        ),
    ),
    Mistake(
        slug="macro-average",
        symptom="The number differs from hits / n, and no knob of the loader moves it; on even classes it is right.",
        formula="The mean over the classes of hits of the class / rows of the class.",
        fix="Say which of the two you mean, and ask for it: MulticlassAccuracy(num_classes=3, average='micro')",
        seen_in="The default of a metrics library: https://github.com/Lightning-AI/torchmetrics/issues/2320",
        notebook="02_the_fix",
        variants=(mean_over_classes,),
    ),
    Mistake(
        slug="top-k-for-accuracy",
        symptom="The number is too good, and no knob of the loader moves it; with few classes it is near 1.",
        formula="The share of rows whose label is among the k largest logits; 1 where there are k classes or fewer.",
        fix="Count a row when the largest logit is that of its label: model(inputs).argmax(1)",
        seen_in="",
        notebook="06_bug_hunt",
        variants=(top_2, top_5),
    ),
)
