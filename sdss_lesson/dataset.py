"""A catalogue as a PyTorch dataset: scaled magnitudes in, class indices out."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import pandas as pd
import torch
from torch.utils.data import TensorDataset

from sdss_lesson._checks import check_frame
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
        A transformer that was fitted *on the training rows*, ``StandardScaler().fit(split.train[FEATURES])``: the same
        one for all three sets. None leaves the columns as they are. Nothing is ever fitted here.

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
    ValueError, TypeError
        When `frame` is not a DataFrame, there are no rows or no features, a column is missing or duplicated, a value
        is not a finite number, a class is unknown, or the scaler is not fitted or was fitted on other columns.

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
        columns = [features] if isinstance(features, str) else list(features)
        check_frame(frame, [*columns, "class"])
        if not columns:
            raise ValueError("No features are named, so there is nothing to learn from. Give at least one.")
        labels = pd.Index(CLASSES).get_indexer(frame["class"])
        if (labels < 0).any():
            raise ValueError(f"Unknown class {str(frame['class'][labels < 0].iloc[0])!r}; known: {', '.join(CLASSES)}.")
        # A copy of its own: neither a scaler that works in place nor torch may share memory with the reader's frame.
        try:
            values = frame[columns].astype(np.float64).copy()
        except (TypeError, ValueError) as error:
            named = ", ".join(map(str, columns))
            raise ValueError(f"Not all values of {named} are numbers: {error}. Name columns of numbers.") from None
        array = np.asarray(values if scaler is None else _transform(scaler, values), dtype=np.float64)
        self.features = torch.tensor(array, dtype=torch.get_default_dtype())
        self.labels = torch.tensor(labels, dtype=torch.int64)
        bad = ~self.features.isfinite()  # a number may be too large for float32
        if bad.any():
            row, column = bad.nonzero()[0].tolist()
            name = columns[column] if array.shape[1] == len(columns) else column
            raise ValueError(
                f"Feature {name!r} of row {frame.index[row]} is {array[row, column]}, and a network turns one such "
                "value into NaN everywhere. Drop rows with missing values first, as load_sdss does."
            )

    @property
    def tensors(self) -> tuple[torch.Tensor, ...]:  # type: ignore[override]
        """Features and labels, where a TensorDataset keeps them; so that either may be set."""
        return self.features, self.labels

    def __getitems__(self, indices: Sequence[int]) -> list[tuple[torch.Tensor, ...]]:
        """The rows of a whole batch, which a DataLoader asks for at once: much faster than one by one."""
        if type(self).__getitem__ is not SDSSDataset.__getitem__:
            return [self[index] for index in indices]  # a subclass says what a row is
        chosen = torch.as_tensor(indices, dtype=torch.int64)  # a Subset made with a tensor hands over scalar tensors
        return list(zip(self.features[chosen], self.labels[chosen], strict=True))


def _transform(scaler: Scaler, values: pd.DataFrame) -> np.ndarray:
    from sklearn.exceptions import NotFittedError

    # Fitted on a plain array, a scaler knows no column names, and warns when it is given some.
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
