"""A catalogue as a PyTorch dataset: scaled magnitudes in, class indices out."""

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
import pandas as pd
import torch
from torch.utils.data import TensorDataset, default_collate
from torch.utils.data._utils.collate import default_collate_fn_map

from sdss_lesson.catalog import CLASSES, FEATURES


class Scaler(Protocol):
    """What scikit-learn calls a fitted transformer."""

    def transform(self, X: pd.DataFrame | np.ndarray) -> np.ndarray: ...  # noqa: N803 (scikit-learn's name)


class SDSSDataset(TensorDataset):
    """A map-style dataset of ``(features, label)`` pairs.

    Parameters
    ----------
    frame
        Rows as `load_sdss` returns them.
    features
        The columns to learn from.
    scaler
        A transformer that was fitted *on the training rows*, such as
        ``StandardScaler().fit(split.train[FEATURES])``. Give the same one to all three sets. None leaves the
        columns as they are. Nothing is ever fitted here: fitting on each set by itself is one of the mistakes that
        the lesson is about.

    Attributes
    ----------
    features : torch.Tensor
        Shape (N, number of features), torch's default dtype at the time of building.
    labels : torch.Tensor
        Shape (N,), int64, indices into `CLASSES`. One item's label has shape ().
    classes : tuple of str
        The names of labels 0, 1 and 2, where `evaluate` looks for them.

    Raises
    ------
    ValueError
        When there are no rows or no features, a column is missing or there twice, a value is no finite number, a
        class is unknown, or the scaler is not fitted or does not go with these columns.
    TypeError
        When `frame` is no frame.

    Examples
    --------
    >>> dataset = SDSSDataset(load_sdss())
    >>> features, label = dataset[0]
    >>> features.shape, label.shape, label.dtype
    (torch.Size([5]), torch.Size([]), torch.int64)
    """

    classes = CLASSES

    def __init__(
        self, frame: pd.DataFrame, *, features: Sequence[str] = FEATURES, scaler: Scaler | None = None
    ) -> None:
        if not isinstance(frame, pd.DataFrame):
            raise TypeError(f"The frame is a {type(frame).__name__}; give a DataFrame, as load_sdss() returns it.")
        columns = [features] if isinstance(features, str) else list(features)
        has = list(map(str, frame.columns))
        missing = [name for name in [*columns, "class"] if name not in frame]
        if missing:
            raise ValueError(f"The frame has no column {', '.join(map(str, missing))}; it has {', '.join(has)}.")
        twice = [name for name in [*columns, "class"] if has.count(name) > 1]
        if twice:
            raise ValueError(f"The frame has more than one column {', '.join(twice)}. Keep one of each.")
        if len(frame) == 0 or not columns:
            what = "The frame has no rows" if columns else "No features are named"
            raise ValueError(f"{what}, so there is nothing to learn from. Give at least one.")
        labels = pd.Index(CLASSES).get_indexer(frame["class"])
        if (labels < 0).any():
            raise ValueError(f"Unknown class {str(frame['class'][labels < 0].iloc[0])!r}; known: {', '.join(CLASSES)}.")
        # A copy of its own: neither a scaler that works in place nor torch may share memory with the reader's frame.
        try:
            values = frame[columns].astype(np.float64).copy()
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"Not all values of {', '.join(map(str, columns))} are numbers: {error}. Name columns of numbers as "
                "features."
            ) from None
        array = np.asarray(values if scaler is None else _transform(scaler, values), dtype=np.float64)
        self.features = torch.tensor(array, dtype=torch.get_default_dtype())
        bad = ~self.features.isfinite()  # a number may be too large for float32
        if bad.any():
            row, column = bad.nonzero()[0].tolist()
            name = columns[column] if array.shape[1] == len(columns) else column
            raise ValueError(
                f"Feature {name!r} of row {frame.index[row]} is {array[row, column]}, and a network turns one such "
                "value into NaN everywhere. Drop rows with missing values first, as load_sdss does."
            )
        self.labels = torch.tensor(labels, dtype=torch.int64)

    @property
    def tensors(self) -> tuple[torch.Tensor, ...]:  # type: ignore[override]
        """Features and labels, where a TensorDataset keeps them; so that either may be set."""
        return self.features, self.labels

    def __getitems__(self, indices: Sequence[int]) -> Sequence[tuple[torch.Tensor, ...]]:
        """A whole batch at once, which a DataLoader then hands on without taking it to pieces."""
        if type(self).__getitem__ is not SDSSDataset.__getitem__:
            return [self[index] for index in indices]  # a subclass says what a row is
        chosen = torch.as_tensor(indices, dtype=torch.int64)  # a Subset made with a tensor hands over scalar tensors
        return _Rows(self.features[chosen], self.labels[chosen])


class _Row(tuple[torch.Tensor, torch.Tensor]):
    """A pair whose type tells `default_collate` what it is given."""


class _Rows(Sequence[tuple[torch.Tensor, ...]]):
    """The rows of a batch that is one tensor of features and one of labels already."""

    def __init__(self, *tensors: torch.Tensor) -> None:
        self.tensors = tensors

    def __len__(self) -> int:
        return len(self.tensors[0])

    def __getitem__(self, index: Any) -> Any:
        found = [tensor[index] for tensor in self.tensors]
        return _Rows(*found) if isinstance(index, slice) else _Row(found)


def _collate(batch: Sequence[_Row], *, collate_fn_map: object = None) -> list[torch.Tensor]:
    """Making a batch out of 64 rows takes longer than the network does: where it is one already, it stays one."""
    return list(batch.tensors) if isinstance(batch, _Rows) else default_collate([tuple(row) for row in batch])


default_collate_fn_map[_Row] = _collate  # the documented way to teach `default_collate`, and with it every DataLoader


def _transform(scaler: Scaler, values: pd.DataFrame) -> np.ndarray:
    from sklearn.exceptions import NotFittedError

    # Fitted on a plain array, a scaler knows no column names, and warns when it is handed some.
    known = values if hasattr(scaler, "feature_names_in_") else values.to_numpy()
    try:
        return scaler.transform(known)
    except NotFittedError:
        raise ValueError(
            f"The scaler {scaler} is not fitted. Fit it on the training rows, and give that one to all sets: "
            "scaler = StandardScaler().fit(split.train[FEATURES])."
        ) from None
    except (AttributeError, TypeError, ValueError) as error:
        reason = " ".join(str(error).split()).rstrip(".")
        raise ValueError(
            f"The scaler {scaler} does not go with the features {', '.join(map(str, values))}: {reason}. Give one that "
            "was fitted on these columns of the training rows."
        ) from None
