"""An evaluator whose accuracy cannot depend on the batches: it counts whole numbers, and divides at the end."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch import nn
from torch.utils.data import Dataset

from sdss_lesson._fast import Batches, Tally, batches_of
from sdss_lesson._tensors import check_model, check_shapes, checked_device, device_of, forward, unpack

if TYPE_CHECKING:
    import torch.distributed as dist


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What a model did on some rows: counts, from which every number is read off at the end.

    Counts add up exactly, in any order and over any batches, so that ``a + b`` is the evaluation of all rows of
    both, and ``sum(parts)`` of all parts. Averages of averages have no such property; that is where wrong accuracies
    come from.

    Attributes
    ----------
    confusion
        Shape (C, C), int64, read-only: ``confusion[true, predicted]`` counts rows.
    loss_sum
        Cross-entropy in nats, summed over the rows.
    classes
        The names of the classes, for printing; empty where they are not known.

    Examples
    --------
    >>> first = Evaluation(np.array([[30, 2], [0, 0]]), loss_sum=3.2)
    >>> last = Evaluation(np.array([[0, 0], [1, 3]]), loss_sum=0.4)
    >>> (first + last).accuracy, (first.accuracy + last.accuracy) / 2
    (0.9166666666666666, 0.84375)
    """

    confusion: npt.NDArray[np.int64]
    loss_sum: float
    classes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        counts = np.array(self.confusion, dtype=np.int64)  # a copy, which nobody else can write to
        if counts.ndim != 2 or counts.shape[0] != counts.shape[1] or (counts < 0).any():
            raise ValueError("The confusion matrix must have the shape (C, C), and no count below 0.")
        counts.setflags(write=False)
        object.__setattr__(self, "confusion", counts)

    def __add__(self, other: "Evaluation") -> "Evaluation":
        if not isinstance(other, Evaluation):
            return NotImplemented
        if len(self.confusion) != len(other.confusion) or (self.classes and other.classes not in ((), self.classes)):
            of = [f"{len(each.confusion)} classes ({', '.join(each.classes) or 'no names'})" for each in (self, other)]
            raise ValueError(f"These know {of[0]} and {of[1]}. Only the same classes, in the same order, add up.")
        classes = self.classes or other.classes
        return Evaluation(self.confusion + other.confusion, self.loss_sum + other.loss_sum, classes)

    def __radd__(self, other: int) -> "Evaluation":
        # sum() begins with 0.
        return self if other == 0 else NotImplemented

    def all_reduce(self, group: "dist.ProcessGroup | None" = None) -> "Evaluation":
        """The evaluation of the rows of all ranks, on every rank: `sdss_lesson.scale.distributed.all_reduce`."""
        from sdss_lesson.scale.distributed import all_reduce

        return all_reduce(self, group)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Evaluation) and self._state() == other._state()

    def __hash__(self) -> int:
        return hash(self._state())

    def _state(self) -> tuple[object, ...]:
        return len(self.confusion), self.confusion.tobytes(), self.loss_sum, self.classes

    @property
    def n_samples(self) -> int:
        """Number of rows."""
        return int(self.confusion.sum())

    @property
    def n_correct(self) -> int:
        """Number of rows whose predicted class is the true one."""
        return int(self.confusion.trace())

    @property
    def accuracy(self) -> float:
        """Correct rows over all rows: a fraction from 0 to 1."""
        return self.n_correct / self._at_least_one()

    @property
    def loss(self) -> float:
        """Mean cross-entropy over the rows, in nats."""
        return self.loss_sum / self._at_least_one()

    @property
    def support(self) -> npt.NDArray[np.int64]:
        """Shape (C,): number of rows of each true class."""
        return self.confusion.sum(axis=1)

    @property
    def recall(self) -> npt.NDArray[np.float64]:
        """Shape (C,): the share of each true class that was found; NaN for a class without rows."""
        return _ratio(self.confusion.diagonal(), self.support)

    @property
    def precision(self) -> npt.NDArray[np.float64]:
        """Shape (C,): the share of each predicted class that is right; NaN for a class never predicted."""
        return _ratio(self.confusion.diagonal(), self.confusion.sum(axis=0))

    @property
    def balanced_accuracy(self) -> float:
        """Mean recall over the classes that have rows."""
        self._at_least_one()
        return float(np.nanmean(self.recall))

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Wilson's interval for the accuracy on endlessly many such rows: two fractions.

        It covers sampling error only: not other kinds of rows, nor rows that the model has seen. `level` is the share
        of such intervals that hold that accuracy. A ValueError says that there are no rows, or that the level is not
        between 0 and 1. Source: Wilson, Journal of the American Statistical Association 22, 209 (1927).

        Examples
        --------
        >>> low, high = Evaluation(np.array([[40, 10], [10, 15]]), loss_sum=40.0).interval()
        >>> round(low, 3), round(high, 3)
        (0.624, 0.82)
        """
        from scipy.stats import binomtest

        if not 0 < level < 1:
            raise ValueError(f"level={level}: give a fraction between 0 and 1, such as 0.95.")
        found = binomtest(self.n_correct, self._at_least_one()).proportion_ci(level, method="wilson")
        return float(found.low), float(found.high)

    def _at_least_one(self) -> int:
        if self.n_samples == 0:
            raise ValueError("There are no rows, so nothing is known about the accuracy. Evaluate at least one.")
        return self.n_samples

    def _headline(self) -> str:
        if self.n_samples == 0:
            return "no rows"
        return (
            f"accuracy {self.accuracy:.4f} ({self.n_correct} of {self.n_samples}), "
            f"balanced {self.balanced_accuracy:.4f}, loss {self.loss:.4f}"
        )

    def _table(self) -> pd.DataFrame:
        names = list(self.classes) or [str(label) for label in range(len(self.confusion))]
        table = pd.DataFrame(self.confusion, columns=[f"as {name}" for name in names])
        table.insert(0, "true class", names)
        return table.assign(support=self.support, recall=self.recall, precision=self.precision)

    def __repr__(self) -> str:
        return f"{self._headline()}\n{self._table().to_string(**_PRINTED)}"

    def _repr_html_(self) -> str:
        return f"<p>{self._headline()}</p>{self._table().to_html(border=0, **_PRINTED)}"


_PRINTED: dict[str, Any] = {"index": False, "float_format": "{:.3f}".format, "na_rep": "–"}


def evaluate(
    model: nn.Module,
    data: Dataset[Any] | Batches,
    *,
    batch_size: int | None = None,
    device: torch.device | str | None = None,
) -> Evaluation:
    """Count what `model` gets right on `data`, and leave everything as it was.

    The model runs in eval mode and without gradients; afterwards every submodule is back in the mode that it was in,
    even when something raises.

    Parameters
    ----------
    model
        Gives logits of shape (N, C), C >= 2, for features of shape (N, ...).
    data
        A Dataset of ``(features, label)`` pairs, which is read in order and draws nothing from the global random
        state; or a DataLoader or any other iterable of ``(features, labels)`` batches. Labels are class indices of an
        integer dtype, of shape (N,) or (N, 1).
    batch_size
        Rows at a time, for a Dataset; by default as many as is fast. It changes the speed and never the counts.
    device
        Where the batches are moved to: by default where the model's parameters are. The model itself is not moved.

    Returns
    -------
    Evaluation
        ``accuracy``, ``loss``, ``confusion``, ``recall`` and more; two of them add up with ``+``.

    Raises
    ------
    ValueError, TypeError
        When there are no rows; logits or labels have the wrong shape, dtype, length or range; logits are NaN; or the
        device is not there. No number is ever returned for data that cannot be judged. What the model or the loader
        raises comes through as it is; a RuntimeError of the model's carries a note on its features.

    Examples
    --------
    >>> dataset = SDSSDataset(load_sdss())
    >>> evaluate(NeuralNet(5, 16, 3), dataset).n_samples
    10000
    """
    check_model(model)
    classes = class_names(data)
    batches = batches_of(data, batch_size)
    device = checked_device(device_of(model) if device is None else device)
    tally = Tally()
    with eval_mode(model), torch.no_grad():
        for batch in batches:
            inputs, labels = unpack(batch, device)
            logits = forward(model, inputs)
            tally.add(logits, check_shapes(logits, labels))
        counted = tally.result()
    if counted is None:
        raise ValueError("There are no rows to evaluate: the loader is empty, or it was an iterator that is used up.")
    # Names are for printing only: those of another number of classes would be wrong.
    return Evaluation(*counted, classes if len(classes) == len(counted[0]) else ())


@contextmanager
def eval_mode(model: nn.Module) -> Iterator[None]:
    """Eval mode for a while. Each submodule gets its own mode back: a frozen BatchNorm stays frozen."""
    modes = [(module, module.training) for module in model.modules()]
    try:
        model.eval()
        yield
    finally:
        for module, mode in modes:  # parents first
            module.train(mode)  # some do more than set a flag: they merge weights in eval mode, say
            module.training = mode


def class_names(data: Any) -> tuple[str, ...]:
    """What the dataset, or the dataset inside a loader or subset, calls its classes."""
    while not hasattr(data, "classes") and hasattr(data, "dataset"):
        data = data.dataset
    names = getattr(data, "classes", ())
    return tuple(map(str, names)) if isinstance(names, list | tuple) else ()


def _ratio(part: npt.NDArray[np.int64], whole: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    return np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0)
