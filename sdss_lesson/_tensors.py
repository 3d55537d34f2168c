"""What the core refuses of models, batches and labels, and in which words."""

from collections.abc import Sequence
from itertools import chain
from typing import Any

import torch
from torch import nn

from sdss_lesson._checks import kind_of


def check_model(model: object) -> None:
    """Refuse what is not a module."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"The model is {kind_of(model)}; give a torch.nn.Module.")


def device_of(model: nn.Module) -> torch.device | None:
    """Where the model's first parameter lies; None for a model without any."""
    first = next(chain(model.parameters(), model.buffers()), None)
    return None if first is None else first.device


def checked_device(device: torch.device | str | None) -> torch.device | None:
    """The device, after a check that numbers can be kept there."""
    if device is None:
        return None
    try:
        found = torch.empty(0, device=device).device
    except (AssertionError, NotImplementedError, RuntimeError, TypeError) as error:
        reason = str(error).split("\n")[0]
        raise ValueError(f"The device {str(device)!r} is not there ({reason}). Take 'cpu'.") from None
    if found.type == "meta":
        raise ValueError("The device is meta, which holds no numbers. Load the model's weights on the CPU.")
    return found


def unpack(batch: Sequence[torch.Tensor], device: torch.device | str | None) -> tuple[torch.Tensor, torch.Tensor]:
    """The features and labels of a batch, on `device`."""
    if not isinstance(batch, tuple | list) or len(batch) != 2:
        parts = f" of {len(batch)} parts" if isinstance(batch, tuple | list) else ""
        raise TypeError(f"A batch is {kind_of(batch)}{parts}; it must be a pair (features, labels).")
    for name, part in zip(("features", "labels"), batch, strict=True):
        if not isinstance(part, torch.Tensor):
            raise TypeError(f"The {name} of a batch are {kind_of(part)}; they must be a tensor: torch.as_tensor(...).")
        if part.is_meta:
            raise ValueError("A batch is on the device meta, which holds no numbers. Load the data on the CPU.")
    inputs, labels = batch
    return inputs.to(device), labels.to(device)


def forward(model: nn.Module, inputs: torch.Tensor) -> torch.Tensor:
    """The model's logits. Where the model raises, the error says what may be wrong with the features."""
    try:
        logits: torch.Tensor = model(inputs)
    except RuntimeError as error:
        # An embedding wants whole numbers, and some models convert: so this is looked at only after an error.
        dtypes = {weights.dtype for weights in model.parameters() if weights.is_floating_point()}
        if dtypes and inputs.dtype not in dtypes:
            wanted = " or ".join(sorted(map(str, dtypes)))
            raise TypeError(
                f"The features are {inputs.dtype} and the model's weights {wanted}. Convert the features once, where "
                f"the dataset is built: features.to({wanted})."
            ) from error
        shape = tuple(inputs.shape)
        error.add_note(f"The features that the model got have the shape {shape}. Does its first layer take such rows?")
        raise
    return logits


def check_shapes(logits: Any, labels: torch.Tensor) -> torch.Tensor:
    """Labels of shape (N,), int64, after a check that they fit logits of shape (N, C). Their values are not checked."""
    if not isinstance(logits, torch.Tensor):
        raise TypeError(f"The model returned {kind_of(logits)}; it must return logits, a tensor of shape (N, C).")
    if logits.ndim != 2 or logits.shape[1] < 2:
        binary = " Has a binary classifier one column? torch.cat([torch.zeros_like(logits), logits], 1) gives it two."
        hint = binary if logits.ndim == 2 else ""
        raise ValueError(f"The logits have the shape {tuple(logits.shape)}; it must be (N, C), C >= 2 classes.{hint}")
    if not logits.is_floating_point():
        raise TypeError(f"The logits are {logits.dtype}; they must be floating-point. Return them before any argmax.")
    if labels.ndim != 1 and not (labels.ndim == 2 and labels.shape[1] <= 1):
        one_hot = " If they are one-hot, labels.argmax(1) gives class indices." if labels.ndim == 2 else ""
        raise ValueError(f"The labels have the shape {tuple(labels.shape)}; it must be (N,) or (N, 1).{one_hot}")
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise TypeError(f"The labels are {labels.dtype}; they must be class indices: labels.long() makes integers.")
    if len(labels) != len(logits):
        raise ValueError(f"There are {len(logits)} rows of logits and {len(labels)} labels; they must be as many.")
    return labels.flatten().long()


def check_labels(labels: torch.Tensor, n_classes: int) -> None:
    """Refuse class indices below 0, or above the last column of the logits."""
    if labels.numel():
        lowest, highest = (int(end) for end in labels.aminmax())
        if wrong := [label for label in (lowest, highest) if not 0 <= label < n_classes]:
            known = f"{n_classes} columns of logits need labels from 0 to {n_classes - 1}"
            raise ValueError(f"A label is {wrong[0]}; {known}.")
