"""Rows of one set that stand in another: for each test row its partner in the training set, or -1 where it has none."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sdss_lesson._sky import ARCSECOND, identifies, on_the_sphere

Ints = npt.NDArray[np.int64]
Floats = npt.NDArray[np.floating[Any]]


def same_rows(train: Floats, test: Floats) -> tuple[Ints, float]:
    """Partners with equal values, for float32 of shape (N, D), and about how many of them chance alone would give."""
    n = len(train)
    ids = _row_ids(np.concatenate([train, test]))
    partners = _first_with_id(ids[:n], ids[n:])

    unique = np.flatnonzero(~pd.Index(ids[:n]).duplicated())
    if train.shape[1] == 1:
        # Of one column, all that can be told is how often its values recur within the training set.
        return partners, len(test) * float(pd.Index(ids[:n]).duplicated(keep=False).mean())
    # A test row meets by chance as many training rows as share its first half, times the share of those that have its
    # second half, if the halves are independent. Within a half, columns may go together as they like.
    # Copies of a row count once, else oversampled rows would look common; but where most rows recur, rows are coarse.
    if 2 * len(unique) < n:
        unique = np.arange(n)
    train, n, half = train[unique], len(unique), train.shape[1] // 2
    expected = np.ones(len(test))
    for part in (slice(half), slice(half, None)):
        ids = _row_ids(np.concatenate([train[:, part], test[:, part]]))
        # The partner itself is what chance is to explain, so it is not counted.
        expected *= (np.bincount(ids[:n], minlength=ids.max() + 1)[ids[n:]] - (partners >= 0)) / np.sqrt(n)
    return partners, float(-np.expm1(-expected).sum())


def scaled_copy(train: Floats, test: Floats) -> tuple[Ints, float]:
    """The same where each column of one set is, times a number and plus a number, the other's; else no partners.

    Standardised by its own mean and spread, such a set becomes the other one. Rows are looked up by three random
    combinations of their columns; of more than 64 columns that vary, 64 are drawn.
    """
    none = np.full(len(test), -1), 0.0
    if len(train) != len(test) or len(train) < 5:  # two numbers for each column explain a few rows whatever they are
        return none
    rng = np.random.default_rng(0)
    some = np.flatnonzero((test != test[0]).any(axis=0))
    some = rng.choice(some, 64, replace=False) if len(some) > 64 else some
    train, test = train[:, some], test[:, some]
    a, b = _standardised(train), _standardised(test)
    # An evenly spaced column, such as a row number, is the image of any other, and tells nothing.
    steps = np.diff(np.sort(b, axis=0), axis=0)
    if not (np.ptp(steps, axis=0) > 0.1 * steps.mean(axis=0)).any():
        return none
    mix = rng.normal(size=(a.shape[1], 3)) / np.sqrt(a.shape[1])
    a, b = a @ mix, b @ mix
    between, _ = _nearest(a, a, other=True)
    distance, at = _nearest(a, b)
    # Another row lies this far away; a copy only as far as float32 rounds. It must be so for all rows: some of two
    # similar sets always happen to lie close.
    near = max(0.01 * float(np.median(between)), 1e-5)
    if (distance > near).any():
        return none
    return at, same_rows(test, test)[1]


def same_position(train: pd.DataFrame, test: pd.DataFrame) -> Ints:
    """Partners within one arcsecond; of frames with the columns ``ra`` and ``dec``, in degrees."""
    partners = np.full(len(test), -1)
    known, new = _has_position(train), _has_position(test)
    if len(known) and len(new):
        distance, at = _nearest(on_the_sphere(train.iloc[known]), on_the_sphere(test.iloc[new]))
        partners[new] = np.where(distance <= ARCSECOND, known[at], -1)
    return partners


def same_object(train_ids: Ints, test_ids: Ints) -> Ints:
    """Partners of the same object, by `object_ids`."""
    return _first_with_id(train_ids, test_ids)


def object_ids(keys: pd.DataFrame) -> Ints:
    """A number for each row, from 0: the same for rows that agree in all keys; -1 where a key is missing."""
    codes = np.column_stack([pd.factorize(keys[name])[0] for name in keys])
    return np.where((codes < 0).any(axis=1), -1, _row_ids(codes))


def lie_apart(ids: Ints, positions: pd.DataFrame) -> bool:
    """Whether rows with the same id lie more than an arcsecond apart, so that it is no object's id."""
    seen = np.intersect1d(_has_position(positions), np.flatnonzero(ids >= 0))
    return not identifies(ids[seen], positions.iloc[seen])


def _row_ids(table: npt.NDArray[Any]) -> Ints:
    """A number for each row, the same for equal rows."""
    rows = np.empty(len(table), dtype=object)
    rows[:] = [row.tobytes() for row in table]
    return pd.factorize(rows)[0]


def _first_with_id(train_ids: Ints, test_ids: Ints) -> Ints:
    first = np.flatnonzero(~pd.Index(train_ids).duplicated() & (train_ids >= 0))
    return np.append(first, -1)[pd.Index(train_ids[first]).get_indexer(test_ids)]


def _standardised(values: Floats) -> Floats:
    table = pd.DataFrame(values.astype(np.float64)).replace([np.inf, -np.inf], np.nan)
    scaled = (table - table.mean()) / table.std(ddof=0)
    # A scaler may turn a column over: the longer tail of each is made to lie above.
    return (scaled * np.where((scaled**3).mean() < -1e-6, -1, 1)).fillna(9.0).to_numpy()


def _has_position(frame: pd.DataFrame) -> Ints:
    return np.flatnonzero(np.isfinite(frame["ra"]) & (frame["dec"].abs() <= 90))


def _nearest(known: Floats, new: Floats, *, other: bool = False) -> tuple[Floats, Ints]:
    """For each new point the distance to a known one, the closest (or the next but one), and which row that is.

    Equal points are looked up once: a tree is slow where thousands of them lie in one place.
    """
    from scipy.spatial import cKDTree

    first = np.flatnonzero(~pd.DataFrame(known).duplicated())
    ids = _row_ids(new)
    once = np.flatnonzero(~pd.Index(ids).duplicated())  # _row_ids numbers in this order
    distance, at = cKDTree(known[first]).query(new[once], k=[2 if other and len(first) > 1 else 1])
    return distance[ids, 0], first[at[ids, 0]]
