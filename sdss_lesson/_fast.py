"""What makes `evaluate` fast, and not right: rows read in slices, and thousands of rows counted at once."""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    SequentialSampler,
    Subset,
    TensorDataset,
    default_collate,
)

from sdss_lesson._checks import is_whole, kind_of
from sdss_lesson._tensors import check_labels
from sdss_lesson.dataset import SDSSDataset

Batches = Iterable[Sequence[torch.Tensor]]
BLOCK = 16384
"""Rows that are counted at once: enough to amortise Python's overhead, and few enough for a processor's cache."""


class Tally:
    """Counts and loss of rows that come in batches. With 64 rows at a time, the calls would cost more than the work."""

    def __init__(self) -> None:
        self._waiting: list[tuple[torch.Tensor, torch.Tensor]] = []
        self._rows = 0
        self._n_classes = 0

    def add(self, logits: torch.Tensor, labels: torch.Tensor) -> None:
        """Logits of shape (N, C) and labels of shape (N,), int64, after `check_shapes`."""
        n_classes = logits.shape[1]
        if not self._n_classes:
            self._n_classes, self._loss_sum = n_classes, 0.0
            self._counts = torch.zeros(n_classes**2, dtype=torch.int64)
        elif n_classes != self._n_classes:
            raise ValueError(
                f"The batches know {self._n_classes} and {n_classes} classes. A model has the same for all rows."
            )
        # Copied and not kept: whoever made the batch may write the next one into the same memory.
        self._waiting.append((logits.clone(), labels.clone()))
        self._rows += len(labels)
        if self._rows >= min(BLOCK, 2**20 // n_classes):
            self._count()

    def result(self) -> tuple[npt.NDArray[np.int64], float] | None:
        """Counts of shape (C, C), ``[true, predicted]``, and the sum of the losses; None without rows."""
        self._count()
        if not self._n_classes or not self._counts.any():
            return None
        return self._counts.reshape(self._n_classes, -1).clone().numpy(), self._loss_sum

    def _count(self) -> None:
        if self._rows == 0:
            return
        logits, labels = (torch.cat(parts) for parts in zip(*self._waiting, strict=True))
        self._waiting, self._rows = [], 0
        check_labels(labels, self._n_classes)
        # In double precision the loss, too, hardly depends on the batches. Apple's GPUs have none.
        logits = (logits.cpu() if logits.device.type == "mps" else logits).double()
        labels = labels.to(logits.device)
        loss, predictions = _loss_and_predictions(logits, labels)
        if math.isnan(loss):
            raise ValueError(
                "Some logits are NaN or infinite. Check the features for missing values, and the training for a loss "
                "that is not finite."
            )
        self._loss_sum += loss
        self._counts += torch.bincount(labels * self._n_classes + predictions, minlength=self._n_classes**2).cpu()


def _loss_and_predictions(logits: torch.Tensor, labels: torch.Tensor) -> tuple[float, torch.Tensor]:
    """Summed cross-entropy, and the first class with the largest logit."""
    n_classes = logits.shape[1]
    if n_classes > 32:
        return functional.cross_entropy(logits, labels, reduction="sum").item(), logits.argmax(1)
    # With few classes torch is several times faster where the logits of a class, and not of a row, are neighbours in
    # memory; and two reductions are faster than an argmax, which branches at each row.
    logits = logits.T.contiguous()
    of_label = logits.log_softmax(0).gather(0, labels[None])
    from_last = torch.arange(n_classes, 0, -1, dtype=torch.uint8, device=logits.device)[:, None]
    return -of_label.sum().item(), n_classes - ((logits == logits.amax(0)) * from_last).amax(0)


def batches_of(data: Dataset[Any] | Batches, batch_size: int | None) -> Batches:
    """The rows of a dataset in order, `batch_size` at a time; batches that are made already, as they are."""
    if isinstance(data, Dataset):
        if batch_size is not None and not is_whole(batch_size, 1):
            raise ValueError(f"batch_size={batch_size!r}: give a whole number of rows, at least 1.")
        if found := _whole_tensors(data):
            return _slices(*found, batch_size)
        # A generator of its own: even without shuffling, a DataLoader draws a seed, and by default from the global
        # random state, so that measuring would change the training that follows.
        generator = torch.Generator(torch.get_default_device())
        return DataLoader(data, batch_size=batch_size or 256, generator=generator)
    if batch_size is not None:
        raise TypeError("batch_size goes with a Dataset. These batches are made already: leave it out.")
    if isinstance(data, DataLoader) and _plain(data) and (found := _whole_tensors(data.dataset)):
        return _as_the_loader_would(data, *found)
    if not isinstance(data, Iterable):
        raise TypeError(f"The data is {kind_of(data)}; give a Dataset, a DataLoader or an iterable of batches.")
    return data


def _whole_tensors(data: Dataset[Any]) -> tuple[tuple[torch.Tensor, ...], Any] | None:
    """The tensors that a dataset is made of, and which of their rows are its own; None for any other dataset."""
    rows: Any = data.dataset if type(data) is Subset else data
    # A subclass, or a method that was set on this very object, may hand out other rows than the tensors hold.
    if type(rows) not in (TensorDataset, SDSSDataset) or {"__getitem__", "__getitems__"} & {*vars(rows), *vars(data)}:
        return None
    return rows.tensors, data.indices if isinstance(data, Subset) else range(len(rows))


def _slices(tensors: tuple[torch.Tensor, ...], indices: Any, batch_size: int | None) -> Iterator[list[torch.Tensor]]:
    """Rows in order."""
    together = (
        isinstance(indices, range) and indices.step == 1 and 0 <= indices.start <= indices.stop <= len(tensors[0])
    )
    wide = max(1, math.prod(tensors[0].shape[1:]))
    # Large enough to amortise Python's overhead; of very wide rows (images) only as many as surely fit.
    size = batch_size or min(max(1024, min(BLOCK, 2**16 // wide)), max(1, 2**24 // wide))
    for at in range(0, len(indices), size):
        part = indices[at : at + size]
        where = slice(part.start, part.stop) if together else torch.as_tensor(part, dtype=torch.int64)
        # A copy, for a model may write into its input.
        yield [tensor[where].clone() if together else tensor[where] for tensor in tensors]


def _plain(loader: DataLoader[Any]) -> bool:
    """Whether a loader hands out the rows that its sampler names, as they are, and by itself."""
    return (
        type(loader) is DataLoader
        and type(loader.batch_sampler) is BatchSampler
        and loader.collate_fn is default_collate
        and loader.num_workers == 0
        and not loader.pin_memory
    )


def _as_the_loader_would(
    loader: DataLoader[Any], tensors: tuple[torch.Tensor, ...], indices: Any
) -> Iterator[list[torch.Tensor]]:
    """The loader's own batches, without taking them to pieces and putting them together again."""
    torch.empty((), dtype=torch.int64).random_(generator=loader.generator)  # a loader draws a seed when it begins
    batches: Any = loader.batch_sampler
    rows: Any = loader.dataset
    sampler = batches.sampler
    if type(sampler) is SequentialSampler and sampler.data_source is rows and not batches.drop_last:
        yield from _slices(tensors, indices, batches.batch_size)
        return
    own = None if isinstance(indices, range) and indices == range(len(tensors[0])) else torch.as_tensor(indices)
    for batch in batches:
        where = torch.as_tensor(batch, dtype=torch.int64)
        where = where if own is None else own[where].long()
        yield [tensor[where] for tensor in tensors]
