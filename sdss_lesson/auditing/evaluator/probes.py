"""Small evaluations whose right answer is known beforehand."""

from collections.abc import Callable
from copy import deepcopy
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

Ints = npt.NDArray[np.int64]
TOLERANCE = 1e-4
"""Within this two accuracies agree: a rounding to two digits of a per cent is no mistake."""


@dataclass(frozen=True)
class Probe:
    """Rows in batches, with a chosen number of hits in each batch.

    `model` is "plain", "modes" (in training mode it gives other logits) or "batchnorm"; `shuffle` and `column` (labels
    of shape (N, 1)) say how the rows are handed over.
    """

    name: str
    batch_size: int
    rows: int
    hits: tuple[int, ...]
    classes: int = 3
    model: str = "plain"
    shuffle: bool = False
    column: bool = False
    margin: float = 4.0  # how far the guess stands out from the second

    @property
    def right(self) -> float:
        """The true accuracy, a fraction."""
        return sum(self.hits) / self.rows


# The numbers are chosen so that no two mistakes print the same on all of them.
PROBES = (
    Probe("an uneven last batch", 32, 75, (29, 20, 3)),
    Probe("the same once more", 32, 75, (29, 20, 3)),
    Probe("a good last batch", 40, 90, (12, 25, 9)),
    Probe("equal batches", 16, 64, (15, 9, 12, 4)),
    Probe("one batch", 32, 24, (17,)),
    Probe("as many rows in a batch as classes", 5, 20, (4, 1, 5, 2), classes=5, margin=0.6),
    Probe("hundreds of hits", 50, 700, (46, 49, 44, 50, 47, 48, 43, 45, 50, 49, 41, 46, 48, 47)),
    Probe("tens of thousands of hits", 1000, 36_000, tuple(range(900, 972, 2))),
    Probe("shuffled rows", 32, 75, (29, 20, 3), shuffle=True),
    Probe("the first once more, at the end", 32, 75, (29, 20, 3)),
    Probe("another output in training mode", 32, 75, (29, 20, 3), model="modes"),
    Probe("BatchNorm", 16, 64, (16, 16, 15, 4), model="batchnorm"),
)
COLUMN = Probe("labels of shape (N, 1)", 32, 75, (29, 20, 3), column=True)
EMPTY = Probe("no rows", 32, 0, ())


class Log(list[tuple[bool, bool]]):
    """(training mode, gradients on) of each forward pass; a copy of the model writes into the same one."""

    def __deepcopy__(self, memo: dict[int, Any]) -> "Log":
        return self


class Head(nn.Module):
    """The last layer: it notes in which mode it runs, and may answer differently in training mode, as Dropout does."""

    def __init__(self, *, rolls: bool) -> None:
        super().__init__()
        self.rolls, self.log = rolls, Log()

    def forward(self, logits: torch.Tensor) -> torch.Tensor:
        """Logits of shape (N, C)."""
        self.log.append((self.training, torch.is_grad_enabled()))
        return logits.roll(1, 1) if self.rolls and self.training else logits


class ProbeModel(nn.Module):
    """Hands its inputs through as logits: a trainable layer that begins as the identity."""

    def __init__(self, classes: int, kind: str) -> None:
        super().__init__()
        self.linear = nn.Linear(classes, classes, dtype=torch.float32)
        # Not quite the identity: a weight that has been through float16 has changed.
        self.linear.weight = nn.Parameter(1.0001 * torch.eye(classes, dtype=torch.float32))
        self.linear.bias = nn.Parameter(torch.zeros(classes, dtype=torch.float32))
        self.norm = nn.BatchNorm1d(classes, dtype=torch.float32) if kind == "batchnorm" else nn.Identity()
        self.head = Head(rolls=kind == "modes")

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits of shape (N, C) for features of shape (N, C)."""
        logits: torch.Tensor = self.head(self.norm(self.linear(x)))
        return logits


class ProbeData(TensorDataset):
    """A TensorDataset with the labels as `.targets`, as torchvision's have it."""

    def __init__(self, features: torch.Tensor, labels: torch.Tensor) -> None:
        super().__init__(features, labels)
        self.targets = labels

    def __getitems__(self, indices: list[int]) -> list[tuple[torch.Tensor, ...]]:
        """A whole batch at once: the many rows need not be fetched one by one."""
        chosen = torch.as_tensor(indices, dtype=torch.int64)  # a Subset made with a tensor hands over scalar tensors
        return list(zip(*(tensor[chosen] for tensor in self.tensors), strict=True))


def build(probe: Probe, collate_fn: Callable[[list[Any]], Any] | None = None) -> "tuple[ProbeModel, DataLoader[Any]]":
    """A new model in training mode and a new loader, the same each time."""
    rng = np.random.default_rng(probe.rows)
    labels = rng.integers(0, probe.classes, probe.rows)
    if probe.model == "batchnorm":
        labels.sort()  # centred on itself, a batch of one class loses what sets it apart
    hit = np.zeros(probe.rows, dtype=bool)
    for number, hits in enumerate(probe.hits):
        batch = np.arange(number * probe.batch_size, min(probe.rows, (number + 1) * probe.batch_size))
        hit[rng.permutation(batch)[:hits]] = True
    guesses = np.where(hit, labels, (labels + rng.integers(1, probe.classes, probe.rows)) % probe.classes)
    # The guess stands out far enough that neither float16 nor a small step of an optimizer turns it round.
    second = (guesses + 1 + rng.integers(0, probe.classes - 1, probe.rows)) % probe.classes
    features = 4 * np.eye(probe.classes)[guesses] + (4 - probe.margin) * np.eye(probe.classes)[second]
    features += rng.uniform(0, 0.4, features.shape)
    targets = torch.tensor(labels, dtype=torch.int64)
    dataset = ProbeData(
        torch.tensor(features, dtype=torch.float32), targets.reshape(-1, 1) if probe.column else targets
    )
    loader: DataLoader[Any] = DataLoader(
        dataset,
        batch_size=probe.batch_size,
        shuffle=probe.shuffle and probe.rows > 0,
        generator=torch.Generator().manual_seed(0),
        collate_fn=collate_fn,
    )
    return ProbeModel(probe.classes, probe.model), loader


@dataclass(frozen=True, eq=False)  # so that it can be a key: what is worked out from a trace is remembered
class Trace:
    """What an evaluator can see of a probe: a first and a second pass, and the labels read elsewhere."""

    probe: Probe
    logits: list[npt.NDArray[np.float32]]
    labels: list[Ints]
    logits_next_time: list[npt.NDArray[np.float32]]
    labels_next_time: list[Ints]
    dataset_labels: Ints

    @property
    def guesses(self) -> list[Ints]:
        """The predictions of each batch."""
        return [logits.argmax(1) for logits in self.logits]

    @property
    def guesses_next_time(self) -> list[Ints]:
        """The predictions of each batch in the second pass."""
        return [logits.argmax(1) for logits in self.logits_next_time]

    def swapped(self) -> "Trace":
        """The second pass taken for the first."""
        return Trace(
            self.probe, self.logits_next_time, self.labels_next_time, self.logits, self.labels, self.dataset_labels
        )


@cache
def trace(probe: Probe, *, training: bool = False, peek: bool = False) -> Trace:
    """Run the probe's model in one mode, twice.

    With `peek` only one batch is taken before the second pass. From a shuffled loader that one then comes in another
    order than after a whole pass.
    """
    model, loader = build(probe)
    passes = [_batches(model, loader, training)]
    if peek:
        model, loader = build(probe)
        next(iter(loader))
    passes.append(_batches(model, loader, training))
    (logits, labels), (later_logits, later_labels) = (map(list, zip(*each, strict=True)) for each in passes)
    targets: torch.Tensor = loader.dataset.targets  # type: ignore[attr-defined]
    return Trace(probe, logits, labels, later_logits, later_labels, targets.flatten().numpy())


def _batches(model: ProbeModel, loader: "DataLoader[Any]", training: bool) -> list[tuple[Any, Any]]:
    twin = deepcopy(model).train(training)
    with torch.no_grad():
        return [(twin(inputs).numpy(), labels.flatten().numpy()) for inputs, labels in loader]
