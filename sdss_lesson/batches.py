"""Turn what a caller hands over, a dataset or batches, into pairs of features and labels."""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
import torch
from torch.utils.data import (
    BatchSampler,
    DataLoader,
    Dataset,
    SequentialSampler,
    Subset,
    TensorDataset,
    default_collate,
)

Batches = Iterable[Sequence[torch.Tensor]]

_PAIR = (tuple, list)
BLOCK = 16384
"""Rows that are counted at once."""


def batches_of(data: Dataset[Any] | Batches, batch_size: int | None) -> Batches:
    """The rows of a dataset in order, `batch_size` at a time; batches that are made already, as they are."""
    if isinstance(data, Dataset):
        if batch_size is not None and (not isinstance(batch_size, int | np.integer) or batch_size < 1):
            raise ValueError(f"batch_size={batch_size!r}: give a whole number of rows, at least 1.")
        if (slices := _slices(data, batch_size)) is not None:
            return slices
        size = 256 if batch_size is None else batch_size
        # A generator of its own: a DataLoader draws a seed even when it does not shuffle, and without one it draws
        # from the global random state, so that measuring would change the training that follows.
        return DataLoader(data, batch_size=size, generator=torch.Generator(torch.get_default_device()))
    if batch_size is not None:
        raise TypeError("batch_size goes with a Dataset. These batches are made already: leave it out.")
    if isinstance(data, DataLoader) and _plain(data) and (slices := _slices(data.dataset, data.batch_size)):
        # The batches that the loader makes, without a list of indices for each; and it draws a seed when it begins.
        torch.empty((), dtype=torch.int64).random_(generator=data.generator)
        return slices
    if not isinstance(data, Iterable):
        raise TypeError(f"The data are {kind_of(data)}; give a Dataset, a DataLoader or an iterable of batches.")
    return data


def _slices(data: Dataset[Any], batch_size: int | None) -> Batches | None:
    """The batches of a dataset that is made of whole tensors, which are sliced; None for any other."""
    rows: Any = data.dataset if type(data) is Subset else data
    if not isinstance(rows, TensorDataset) or type(rows).__getitem__ is not TensorDataset.__getitem__:
        return None
    indices: Any = data.indices if isinstance(data, Subset) else range(len(rows))
    together = isinstance(indices, range) and indices.step == 1 and 0 <= indices.start <= indices.stop <= len(rows)
    wide = max(1, math.prod(rows.tensors[0].shape[1:]))
    # So many that Python's share is small; of very wide rows (images) only as many as surely fit.
    size = batch_size or min(max(1024, min(BLOCK, 2**16 // wide)), max(1, 2**24 // wide))

    def read() -> Iterator[list[torch.Tensor]]:
        for at in range(0, len(indices), size):
            part = indices[at : at + size]
            where = slice(part.start, part.stop) if together else torch.as_tensor(part, dtype=torch.int64)
            # A copy, for a model may write into its input.
            yield [tensor[where].clone() if together else tensor[where] for tensor in rows.tensors]

    return read()


def _plain(loader: DataLoader[Any]) -> bool:
    """Whether a loader hands out all rows of its dataset as they are, in order, and by itself."""
    batches: Any = loader.batch_sampler
    rows: Any = loader.dataset
    return (
        type(loader) is DataLoader
        and type(batches) is BatchSampler
        and batches.batch_size == loader.batch_size
        and not batches.drop_last
        and type(batches.sampler) is SequentialSampler
        and batches.sampler.data_source is rows
        and loader.collate_fn is default_collate
        and loader.num_workers == 0
        and not loader.pin_memory
    )


def class_names(data: object) -> tuple[str, ...]:
    """What the dataset, or the dataset inside a loader or subset, calls its classes."""
    while not hasattr(data, "classes") and hasattr(data, "dataset"):
        data = data.dataset
    names = getattr(data, "classes", ())
    return tuple(map(str, names)) if isinstance(names, list | tuple) else ()


def unpack(
    batch: Sequence[torch.Tensor], device: torch.device | str | None, *, non_blocking: bool = False
) -> tuple[torch.Tensor, torch.Tensor]:
    """The features and labels of a batch, on `device`."""
    if not isinstance(batch, _PAIR) or len(batch) != 2:
        parts = f" of {len(batch)} parts" if isinstance(batch, _PAIR) else ""
        raise TypeError(f"A batch is {kind_of(batch)}{parts}; it must be a pair (features, labels).")
    inputs, labels = batch
    if not (isinstance(inputs, torch.Tensor) and isinstance(labels, torch.Tensor)):
        name, wrong = ("labels", labels) if isinstance(inputs, torch.Tensor) else ("features", inputs)
        raise TypeError(f"The {name} of a batch are {kind_of(wrong)}; they must be a tensor: torch.as_tensor(...).")
    if inputs.is_meta or labels.is_meta:
        raise ValueError("A batch is on the device meta, which holds no numbers. Load the data on the CPU.")
    return inputs.to(device, non_blocking=non_blocking), labels.to(device, non_blocking=non_blocking)


def kind_of(thing: object) -> str:
    """Its type, for a message."""
    return f"a {type(thing).__name__}"
