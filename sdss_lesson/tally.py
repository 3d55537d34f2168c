"""Count hits and losses batch by batch, in whole numbers and double precision, and refuse what cannot be judged."""

import math

import numpy as np
import numpy.typing as npt
import torch

from sdss_lesson.batches import BLOCK, kind_of

LOOK_AT = ("cpu",)
"""Where an error is looked for in each block. Elsewhere, looking would mean waiting."""
FEW = 32
"""Up to so many classes are few."""


class Tally:
    """Counts and loss of rows that come in batches, taken together for some thousands of rows at a time.

    With 64 rows at a time, the calls would cost more than the counting; and on a GPU, looking at a number means waiting
    for it. There, nothing is looked at before the end.
    """

    _logits: torch.Tensor  # of rows that wait, shape (rows, C)
    _labels: torch.Tensor

    def __init__(self) -> None:
        self._n_classes = 0
        self._held = 0

    def add(self, logits: torch.Tensor, labels: torch.Tensor) -> None:
        """Logits of shape (N, C) and labels of shape (N,), after `flat_labels`."""
        n, n_classes = logits.shape
        if n_classes != self._n_classes:
            self._begin(logits)
        if n > self._rows:
            for part in zip(torch.split(logits, self._rows), torch.split(labels, self._rows), strict=True):
                self.add(*part)
            return
        begin, end = self._held, self._held + n
        if end > self._rows or logits.dtype is not self._logits.dtype:
            self._count()
            self._logits = self._logits.to(logits.dtype)
            begin, end = 0, n
        # Copied and not kept: whoever made the batch may write the next one into the same memory.
        self._logits[begin:end] = logits
        self._labels[begin:end] = labels
        self._held = end

    def result(self) -> tuple[npt.NDArray[np.int64], float] | None:
        """Counts of shape (C, C), ``[true, predicted]``, and the sum of the losses; None without rows."""
        if self._n_classes == 0:
            return None
        self._count()
        # All in one tensor, to be the one transfer from a GPU.
        found = torch.cat([self._counts, torch.stack([self._loss_sum, self._lowest, self._highest])]).cpu()
        loss_sum, lowest, highest = found[-3:].tolist()
        self._check(loss_sum, int(lowest), int(highest))
        confusion = found[:-3].long().reshape(self._n_classes, self._n_classes).numpy()
        return (confusion, loss_sum) if confusion.any() else None

    def _begin(self, logits: torch.Tensor) -> None:
        n_classes = logits.shape[1]
        if self._n_classes:
            raise ValueError(
                f"The batches know {self._n_classes} and {n_classes} classes. A model has the same for all rows."
            )
        self._n_classes = n_classes
        # In double precision the loss, too, hardly depends on the batches. Apple's GPUs have none.
        device = torch.device("cpu") if logits.device.type == "mps" else logits.device
        self._rows = max(1, min(BLOCK, 2**20 // n_classes))
        self._logits = torch.empty(self._rows, n_classes, dtype=logits.dtype, device=device)
        # Of shape (C, N): with few classes, torch is several times faster where a class, and not a row, is contiguous.
        few = n_classes <= FEW
        sides = (n_classes, self._rows) if few else (self._rows, n_classes)
        doubles = torch.empty(sides, dtype=torch.float64, device=device)
        self._doubles = doubles if few else doubles.T
        self._labels = torch.empty(self._rows, dtype=torch.int64, device=device)
        self._from_last = torch.arange(n_classes).flip(0).to(device, torch.uint8)[:, None]
        self._one = torch.ones(1, dtype=torch.float64, device=device)
        self._counts = torch.zeros(n_classes**2, dtype=torch.float64, device=device)  # exact below 2**53
        self._loss_sum = torch.zeros((), dtype=torch.float64, device=device)
        self._lowest = self._highest = torch.zeros((), dtype=torch.int64, device=device)

    def _count(self) -> None:
        if self._held == 0:
            return
        n, n_classes, self._held = self._held, self._n_classes, 0
        labels = self._labels[:n]
        logits = self._doubles[:, :n].copy_(self._logits[:n].T)
        lowest, highest = labels.aminmax()
        # A label outside ends in an error below; until then it must be harmless, for a GPU would crash over it.
        labels.clamp_(0, n_classes - 1)
        of_label = logits.log_softmax(0).gather(0, labels[None])
        pairs = torch.add(self._predictions(logits), labels, alpha=n_classes)
        self._counts.index_add_(0, pairs, self._one.expand(n))
        self._loss_sum = self._loss_sum - of_label.sum()
        self._lowest, self._highest = torch.minimum(self._lowest, lowest), torch.maximum(self._highest, highest)
        if labels.device.type in LOOK_AT:
            self._check(self._loss_sum.item(), int(self._lowest), int(self._highest))

    def _predictions(self, logits: torch.Tensor) -> torch.Tensor:
        """The first class with the largest logit, for logits of shape (C, N); a NaN must give a class, too."""
        if self._n_classes > FEW:
            return logits.max(0).indices
        # Several times as fast as `max`, which takes a jump for each row, and which way cannot be guessed.
        from_last = ((logits == logits.amax(0)) * self._from_last).amax(0)
        return self._n_classes - 1 - from_last

    def _check(self, loss_sum: float, lowest: int, highest: int) -> None:
        if lowest < 0 or highest >= self._n_classes:
            raise _label_outside(lowest if lowest < 0 else highest, self._n_classes)
        if math.isnan(loss_sum):
            raise ValueError(
                "Some logits are NaN or infinite. Check the features for missing values, and the training for a loss "
                "that is not finite."
            )


def flat_labels(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Labels of shape (N,), after a check that they fit logits of shape (N, C). The values, `Tally` checks."""
    if _usual(logits, labels):
        return labels
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


def _usual(logits: torch.Tensor, labels: torch.Tensor) -> bool:
    """Nothing to find: one question for each batch instead of a dozen, which would be felt."""
    if not isinstance(logits, torch.Tensor):
        return False
    shape = logits.shape
    usual = len(shape) == 2 and shape[1] > 1 and labels.shape == shape[:1]
    return usual and labels.dtype is torch.int64 and logits.is_floating_point()


def checked_labels(logits: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
    """Class indices of shape (N,), int64, each of them one of logits of shape (N, C)."""
    labels, n_classes = flat_labels(logits, labels).long(), logits.shape[1]
    outside = (labels < 0) | (labels >= n_classes)
    if outside.any():
        raise _label_outside(int(labels[outside][0]), n_classes)
    return labels


def _label_outside(label: int, n_classes: int) -> ValueError:
    return ValueError(f"A label is {label}; {n_classes} columns of logits need labels from 0 to {n_classes - 1}.")
