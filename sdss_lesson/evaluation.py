"""An evaluator whose accuracy cannot depend on the batches: it counts whole numbers, and divides at the end."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from html import escape
from itertools import chain
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
import torch.distributed as dist
from torch import nn
from torch.utils.data import DataLoader, Dataset

from sdss_lesson.batches import Batches, batches_of, class_names, kind_of, unpack
from sdss_lesson.distributed import gather
from sdss_lesson.tally import Tally, flat_labels


@dataclass(frozen=True, eq=False)
class Evaluation:
    """What a model did on some rows: counts, from which every number is read off at the end.

    Counts add up exactly, in any order and over any batches, so that ``a + b`` is the evaluation of all rows of
    both, and ``sum(parts)`` of all parts. Averages of averages have no such property; that is where wrong accuracies
    come from.

    Attributes
    ----------
    confusion
        Shape (C, C), int64: ``confusion[true, predicted]`` counts rows.
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
        return self.n_correct / self._n()

    @property
    def loss(self) -> float:
        """Mean cross-entropy over the rows, in nats."""
        return self.loss_sum / self._n()

    def _n(self) -> int:
        if self.n_samples == 0:
            raise ValueError("There are no rows, so nothing is known about the accuracy. Evaluate at least one.")
        return self.n_samples

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
        return float(np.nanmean(self.recall))

    def interval(self, level: float = 0.95) -> tuple[float, float]:
        """Between which fractions the accuracy on endlessly many such rows lies, as far as these rows can tell.

        Parameters
        ----------
        level
            Of a hundred intervals from a hundred test sets, this share holds that accuracy: a fraction between 0 and 1.

        Returns
        -------
        tuple of float
            Lower and upper end of Wilson's interval. It knows the luck of which rows were drawn, and no other: rows
            that are not alike, or that the model has seen, are not made better by it.

        Raises
        ------
        ValueError
            When there are no rows, or the level is no such fraction.

        References
        ----------
        Wilson, Journal of the American Statistical Association 22, 209 (1927).

        Examples
        --------
        >>> low, high = Evaluation(np.array([[40, 10], [10, 15]]), loss_sum=40.0).interval()
        >>> round(low, 3), round(high, 3)
        (0.624, 0.82)
        """
        from scipy.stats import binomtest

        if not 0 < level < 1:
            raise ValueError(f"level={level}: give a fraction between 0 and 1, such as 0.95.")
        found = binomtest(self.n_correct, self._n()).proportion_ci(level, method="wilson")
        return float(found.low), float(found.high)

    def __add__(self, other: "Evaluation") -> "Evaluation":
        if not isinstance(other, Evaluation):
            return NotImplemented
        if self.confusion.shape != other.confusion.shape:
            raise ValueError(
                f"These evaluations know {len(self.confusion)} and {len(other.confusion)} classes. Only evaluations "
                "with the same classes add up."
            )
        classes = self.classes or other.classes
        return Evaluation(self.confusion + other.confusion, self.loss_sum + other.loss_sum, classes)

    def all_reduce(self, group: dist.ProcessGroup | None = None) -> "Evaluation":
        """The evaluation of the rows of all ranks, on every rank. All of them have to call it.

        Parameters
        ----------
        group
            The ranks whose counts are added, each the evaluation of rows of its own; by default all. Nothing else
            in this package talks to other processes: `evaluate` counts what its own process reads.

        Returns
        -------
        Evaluation
            The same on every rank. The counts are exact, and the loss is the correctly rounded sum of the ranks' own.

        Raises
        ------
        ValueError
            On every rank, when ranks know different numbers of classes, or one has no rows.
        RuntimeError
            When there is no process group, or a rank does not come before the group's timeout.

        See Also
        --------
        sdss_lesson.distributed.failing_together : for ranks whose `evaluate` may raise, as without rows.
        """
        parts = gather(self, group)
        sizes = [len(part.confusion) for part in parts]
        if len(set(sizes)) > 1:
            raise ValueError(
                f"The ranks know different numbers of classes: {', '.join(map(str, sizes))} on ranks 0 to "
                f"{len(parts) - 1}. Give every rank the same model."
            )
        empty = [str(rank) for rank, part in enumerate(parts) if part.n_samples == 0]
        if empty:
            raise ValueError(f"No rows were evaluated on rank {', '.join(empty)}. Use fewer ranks, or more rows.")
        confusion = np.sum([part.confusion for part in parts], axis=0)
        names = next((part.classes for part in parts if part.classes), ())
        return Evaluation(confusion, math.fsum(part.loss_sum for part in parts), names)

    def __radd__(self, other: int) -> "Evaluation":
        # sum() begins with 0.
        return self if other == 0 else NotImplemented

    def _names(self) -> list[str]:
        return list(self.classes) or [str(label) for label in range(len(self.confusion))]

    def _headline(self) -> str:
        if self.n_samples == 0:
            return "no rows"
        return (
            f"accuracy {self.accuracy:.4f} ({self.n_correct} of {self.n_samples}), "
            f"balanced {self.balanced_accuracy:.4f}, loss {self.loss:.4f}"
        )

    def _table(self) -> tuple[list[str], list[list[str]]]:
        header = ["true class", *(f"as {name}" for name in self._names()), "support", "recall", "precision"]
        rows = [
            [name, *map(str, counts), str(support), _short(recall), _short(precision)]
            for name, counts, support, recall, precision in zip(
                self._names(), self.confusion, self.support, self.recall, self.precision, strict=True
            )
        ]
        return header, rows

    def __str__(self) -> str:
        header, rows = self._table()
        widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
        lines = [
            "  ".join(f"{cell:>{width}}" for cell, width in zip(row, widths, strict=True)) for row in [header, *rows]
        ]
        return "\n".join([self._headline(), *lines])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        header, rows = self._table()
        head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
        body = "".join("<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>" for row in rows)
        return f"<p>{self._headline()}</p><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"


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
    ValueError
        When there are no rows, logits or labels have the wrong shape, length or range, logits are NaN, or the device
        is not there or holds no numbers.
    TypeError
        When a dtype or an argument has the wrong type. No number is ever returned for data that cannot be judged.
    Exception
        Whatever the model or the loader raises itself, as it is. A model's RuntimeError carries a note on the features.

    Examples
    --------
    >>> dataset = SDSSDataset(load_sdss())
    >>> evaluate(NeuralNet(5, 16, 3), dataset).n_samples
    10000
    """
    check_model(model)
    classes = class_names(data)
    batches = batches_of(data, batch_size)
    device = usable(device_of(model) if device is None else device)
    # A GPU need not wait for memory that nobody writes to again, as that of a loader's batches.
    early = isinstance(data, DataLoader) and device is not None and device.type == "cuda"
    tally, dtypes = Tally(), dtypes_of(model)
    with eval_mode(model), torch.no_grad():
        for batch in batches:
            inputs, labels = unpack(batch, device, non_blocking=early)
            logits = forward(model, inputs, dtypes)
            tally.add(logits, flat_labels(logits, labels))
        counted = tally.result()
    if counted is None:
        raise ValueError("There are no rows to evaluate: the loader is empty, or it was an iterator that is used up.")
    # Names are for printing only: those of another number of classes would be wrong.
    return Evaluation(*counted, classes if len(classes) == len(counted[0]) else ())


def check_model(model: object) -> None:
    """Refuse what is no module."""
    if not isinstance(model, nn.Module):
        raise TypeError(f"The model is {kind_of(model)}; give a torch.nn.Module.")


def usable(device: torch.device | str | None) -> torch.device | None:
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


def dtypes_of(model: nn.Module) -> set[torch.dtype]:
    """The floating-point dtypes of the model's weights."""
    return {weights.dtype for weights in model.parameters() if weights.is_floating_point()}


def forward(model: nn.Module, inputs: torch.Tensor, dtypes: set[torch.dtype]) -> torch.Tensor:
    """The model's logits; where it raises, the error says whether its weights' dtypes are others than the features'."""
    try:
        logits: torch.Tensor = model(inputs)
    except RuntimeError as error:
        # An embedding wants whole numbers, and a model may convert; most layers raise, and torch names no remedy.
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


def device_of(model: nn.Module) -> torch.device | None:
    """Where the model's first parameter lies; None for a model without any."""
    first = next(chain(model.parameters(), model.buffers()), None)
    return None if first is None else first.device


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


def _ratio(part: npt.NDArray[np.int64], whole: npt.NDArray[np.int64]) -> npt.NDArray[np.float64]:
    return np.divide(part, whole, out=np.full(len(part), np.nan), where=whole > 0)


def _short(value: float) -> str:
    return "–" if np.isnan(value) else f"{value:.3f}"
