"""Read what an audit compares from frames, datasets and arrays. Nothing that was handed over is written to."""

import re
from collections.abc import Hashable, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch.utils.data import Dataset

from sdss_lesson._checks import kind_of
from sdss_lesson._fast import batches_of
from sdss_lesson._tensors import unpack
from sdss_lesson.catalog import FEATURES
from sdss_lesson.evaluation import class_names

Names = str | Sequence[Hashable] | None
Floats = npt.NDArray[np.floating[Any]]

LABELS = ("class", "label", "target")
_SDSS = ("objid", "specobjid", "ra", "dec", "run", "rerun", "camcol", "field", "plate", "mjd", "fiberid")
_NO_FEATURES = {*LABELS, *_SDSS, "index"}
_ID = re.compile(r"(^|[\W_])(?i:id)$|[a-z]I[dD]$|^(?i:unnamed)")
_ROUNDED = re.compile(r"\d[eE]\+\d")


def check_frame(frame: pd.DataFrame, name: str) -> None:
    """One column of each name, at least one row."""
    twice = list(map(str, frame.columns[frame.columns.duplicated()]))
    if twice:
        raise ValueError(f"{name} has more than one column {twice[0]!r}. Keep one of them.")
    if len(frame) == 0:
        raise _empty(name)


def named_columns(train: pd.DataFrame, test: pd.DataFrame, given: Names, option: str) -> list[Hashable] | None:
    """The names that an option gives, after a check that both frames have them; None for None."""
    if given is None:
        return None
    names: list[Hashable] = list(given) if isinstance(given, Iterable) and not isinstance(given, str) else [given]
    for which, frame in [("train", train), ("test", test)]:
        if missing := [str(name) for name in names if name not in frame]:
            raise ValueError(f"{option}: {which} has no column {missing[0]!r}; it has {', '.join(map(str, frame))}.")
    if not names:
        raise ValueError(f"{option} names no column. Name at least one, or leave {option} out.")
    return names


def feature_names(train: pd.DataFrame, test: pd.DataFrame, keys: Sequence[Hashable]) -> list[Hashable]:
    """The magnitudes, if both frames have them all; otherwise the numeric columns of both that may be features."""
    both = [name for name in train if name in test and are_numbers(train, test, name)]
    if set(FEATURES) <= set(both):
        return list(FEATURES)
    known = {*map(str, keys)}
    return [n for n in both if str(n) not in known and str(n).lower() not in _NO_FEATURES and not _ID.search(str(n))]


def are_numbers(train: pd.DataFrame, test: pd.DataFrame, name: Hashable) -> bool:
    """Whether both frames have this column, and numbers in it."""
    return all(name in frame and pd.api.types.is_numeric_dtype(frame[name]) for frame in (train, test))


def as_floats(frame: pd.DataFrame, names: Sequence[Hashable]) -> Floats:
    """Shape (N, number of names), float32, NaN where a value is missing."""
    try:
        with np.errstate(over="ignore"):
            return _canonical(frame[list(names)].to_numpy(np.float32, copy=True, na_value=np.nan))
    except (TypeError, ValueError) as error:
        listed = ", ".join(map(str, names))
        raise TypeError(f"columns={listed}: not all are numbers ({error}). Leave out or encode the others.") from None


def as_positions(frame: pd.DataFrame) -> pd.DataFrame:
    """``ra`` and ``dec`` as float64, in degrees, NaN where one is missing."""
    names = ["ra", "dec"]
    return pd.DataFrame(frame[names].to_numpy(np.float64, na_value=np.nan), columns=names)


def stacked_keys(train: pd.DataFrame, test: pd.DataFrame, names: Sequence[Hashable]) -> pd.DataFrame:
    """The key columns of both frames, one below the other, as objects: an id of 64 bits never becomes a float."""
    columns = {}
    for name in names:
        column = pd.Series(np.concatenate([train[name].to_numpy(object), test[name].to_numpy(object)]), dtype=object)
        if pd.api.types.is_numeric_dtype(train[name]) != pd.api.types.is_numeric_dtype(test[name]):
            column = column.map(str, na_action="ignore")  # one of them was read as text
        columns[name] = column
    return pd.DataFrame(columns)


def is_rounded(keys: pd.DataFrame) -> bool:
    """Whether some key is in scientific notation, as a spreadsheet writes a long number."""
    return any(keys[name].astype(str).str.contains(_ROUNDED).any() for name in keys)


def read_rows(data: object, name: str) -> tuple[Floats, pd.Series | None]:
    """Features as float32, of shape (N, ...), and the labels if there are any, of a dataset, an array or a tensor."""
    labels = None
    if isinstance(data, Dataset) and hasattr(data, "__len__") and len(data) > 0:
        features, targets = zip(*(unpack(batch, "cpu") for batch in batches_of(data, None)), strict=True)
        names, n, target = class_names(data), len(data), torch.cat(targets)
        data = torch.cat(features)
        if target.numel() == n:  # one-hot labels and several targets are no classes
            labels = pd.Series(target.detach().cpu().numpy().reshape(n))
            if labels.dtype.kind in "iu" and labels.between(0, len(names) - 1).all():
                labels = labels.map(dict(enumerate(names)))
    if isinstance(data, torch.Tensor) and data.layout is torch.strided and not (data.is_complex() or data.is_meta):
        data = data.detach().cpu().float().numpy()
    if isinstance(data, Dataset) and hasattr(data, "__len__"):
        raise _empty(name)
    if not isinstance(data, np.ndarray) or data.dtype.kind not in "biuf" or data.ndim == 0:
        kind = f"an array of {data.dtype}" if isinstance(data, np.ndarray) else kind_of(data)
        if isinstance(data, torch.Tensor):
            kind += f" of {data.dtype}, {data.layout} on {data.device}"
        raise TypeError(
            f"{name} is {kind}. Give a pandas DataFrame, a PyTorch dataset of known length (of a loader: "
            "loader.dataset), or an array or tensor of real numbers, of shape (N, ...)."
        )
    if len(data) == 0:
        raise _empty(name)
    if data.size == 0:
        raise ValueError(f"A row of {name} has the shape {data.shape[1:]}, and so no feature. Give at least one.")
    with np.errstate(over="ignore"):
        return _canonical(np.array(data, dtype=np.float32)), labels


def class_shares(train: pd.Series, test: pd.Series) -> pd.DataFrame | None:
    """Shape (classes, 2), with the columns ``train`` and ``test``; None for numbers that are no classes."""
    sides = {}
    for which, labels in [("train", train), ("test", test)]:
        if labels.dtype.kind == "f" or labels.nunique() > 1000:
            return None
        sides[which] = labels.astype(str).value_counts(normalize=True)
    shares = pd.DataFrame(sides).fillna(0.0)
    return shares.sort_index(key=_by_number).rename_axis("class")


def _by_number(names: pd.Index) -> pd.Index:
    return names.astype(int) if names.str.isdecimal().all() else names


def _canonical(values: Floats) -> Floats:
    """One NaN and one zero, so that equal numbers have equal bytes."""
    values += 0  # -0.0 becomes 0.0
    values[np.isnan(values)] = np.nan
    return values


def _empty(name: str) -> ValueError:
    return ValueError(f"{name} has no rows. Look at how the sets were cut, and give at least one.")
