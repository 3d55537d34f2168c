"""Count hits and losses batch by batch, in whole numbers and double precision, and refuse what cannot be judged."""

import math

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional

from sdss_lesson.batches import BLOCK, kind_of


class Tally:
    """Counts and loss of rows that come in batches, taken together for some thousands of rows at a time.

    With 64 rows at a time, the calls would cost more than the counting; and on a GPU, looking at a number means waiting
    for it. There, nothing is looked at before the end.
    """

    def __init__(self) -> None:
        self._n_classes = 0
        self._held = 0

    def add(self, logits: torch.Tensor, labels: torch.Tensor) -> None:
        """Logits of shape (N, C) and labels of shape (N,), after `flat_labels`."""
        if self._n_classes == 0:
            self._begin(logits)
        elif self._n_classes != logits.shape[1]:
            raise ValueError(
                f"The batches know {self._n_classes} and {logits.shape[1]} classes. A model has the same for all rows."
            )
        n = len(logits)
        if self._held + n > len(self._labels):
            self._count_held()
        if n >= len(self._labels):
            self._count(logits.to(self._logits), labels.to(self._labels))
            return
        # Copied and not kept: whoever made the batch may write the next one into the same memory.
        self._logits[self._held : self._held + n] = logits
        self._labels[self._held : self._held + n] = labels
        self._held += n

    def result(self) -> tuple[npt.NDArray[np.int64], float] | None:
        """Counts of shape (C, C), ``[true, predicted]``, and the sum of the losses; None without rows."""
        if self._n_classes == 0:
            return None
        self._count_held()
        n_classes, sums = self._n_classes, self._checked()
        confusion = sums[:-3].astype(np.int64).reshape(n_classes, n_classes)
        return (confusion, float(sums[-3])) if confusion.any() else None

    def _begin(self, logits: torch.Tensor) -> None:
        n_classes = self._n_classes = logits.shape[1]
        # In double precision the loss, too, hardly depends on the batches. Apple's GPUs have none.
        device = torch.device("cpu") if logits.device.type == "mps" else logits.device
        rows = max(1, min(BLOCK, 2**20 // n_classes))
        self._logits = torch.empty(rows, n_classes, dtype=torch.float64, device=device)
        self._labels = torch.empty_like(self._logits[:, 0], dtype=torch.int64)
        # Counts, sum of the losses, smallest and largest label: in one tensor, to be one transfer from the device.
        self._sums = torch.zeros(n_classes**2 + 3, dtype=torch.float64, device=device)

    def _count_held(self) -> None:
        held, self._held = self._held, 0
        if held:
            self._count(self._logits[:held], self._labels[:held])

    def _count(self, logits: torch.Tensor, labels: torch.Tensor) -> None:
        n_classes, sums = self._n_classes, self._sums
        sums[-2] = torch.minimum(sums[-2], labels.min())
        sums[-1] = torch.maximum(sums[-1], labels.max())
        # A label outside ends in an error below; until then it must be harmless, for a GPU would crash over it.
        labels = labels.clamp(0, n_classes - 1)
        sums[-3] += functional.cross_entropy(logits, labels, reduction="sum")
        pairs = labels * n_classes + logits.max(dim=1).indices
        sums.index_add_(0, pairs, torch.ones_like(pairs, dtype=sums.dtype))  # whole numbers below 2**53 are exact
        if sums.device.type == "cpu":
            self._checked()

    def _checked(self) -> npt.NDArray[np.float64]:
        sums: npt.NDArray[np.float64] = self._sums.cpu().numpy()
        loss_sum, lowest, highest = sums[-3:].tolist()
        if lowest < 0 or highest >= self._n_classes:
            raise _label_outside(int(lowest if lowest < 0 else highest), self._n_classes)
        if math.isnan(loss_sum):
            raise ValueError(
                "Some logits are NaN or infinite. Check the features for missing values, and the training for a loss "
                "that is not finite."
            )
        return sums


def flat_labels(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Labels of shape (N,), after a check that they fit logits of shape (N, C). The values, `Tally` checks."""
    if not isinstance(logits, torch.Tensor):
        raise TypeError(f"The model returned {kind_of(logits)}; it must return logits, a tensor of shape (N, C).")
    if logits.ndim == 2 and logits.shape[1] == 1:
        raise ValueError(
            "The logits have one column: this is a binary classifier, and the largest of one column is always the "
            "first. Give a column for each class: torch.cat([torch.zeros_like(logits), logits], 1)."
        )
    if logits.ndim != 2 or logits.shape[1] < 2:
        raise ValueError(f"The logits have the shape {tuple(logits.shape)}; it must be (N, C), C >= 2 classes.")
    if not logits.is_floating_point():
        raise TypeError(f"The logits are {logits.dtype}; they must be floating-point. Return them before any argmax.")
    if labels.ndim == 2 and labels.shape[1] > 1:
        raise ValueError(
            f"The labels have the shape {tuple(labels.shape)}; it must be (N,) or (N, 1). If they are one-hot, "
            "labels.argmax(1) gives class indices."
        )
    if labels.ndim not in (1, 2):
        raise ValueError(f"The labels have the shape {tuple(labels.shape)}; it must be (N,) or (N, 1).")
    if labels.is_floating_point() or labels.is_complex() or labels.dtype == torch.bool:
        raise TypeError(f"The labels are {labels.dtype}; they must be class indices: labels.long() makes integers.")
    if len(labels) != len(logits):
        raise ValueError(f"There are {len(logits)} rows of logits and {len(labels)} labels; they must be as many.")
    return labels.flatten()


def checked_labels(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Class indices of shape (N,), int64, each of them one of logits of shape (N, C)."""
    labels, n_classes = flat_labels(logits, labels).long(), logits.shape[1]
    outside = (labels < 0) | (labels >= n_classes)
    if outside.any():
        raise _label_outside(int(labels[outside][0]), n_classes)
    return labels


def _label_outside(label: int, n_classes: int) -> ValueError:
    return ValueError(f"A label is {label}; {n_classes} columns of logits need labels from 0 to {n_classes - 1}.")
