"""Whether a test set is new to the training: what rows, objects and places on the sky both sets share."""

from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch
from torch.utils.data import Dataset

from sdss_lesson._checks import kind_of
from sdss_lesson.auditing.split.inputs import (
    LABELS,
    Floats,
    Names,
    are_numbers,
    as_floats,
    as_positions,
    check_frame,
    class_shares,
    feature_names,
    is_rounded,
    named_columns,
    read_rows,
    stacked_keys,
)
from sdss_lesson.auditing.split.matching import (
    Ints,
    lie_apart,
    object_ids,
    same_object,
    same_position,
    same_rows,
    scaled_copy,
)
from sdss_lesson.auditing.split.report import COINCIDENCE, FIX, SplitReport

Data: TypeAlias = pd.DataFrame | Dataset[Any] | npt.NDArray[Any] | torch.Tensor


def audit_split(train: Data, test: Data, *, keys: Names = None, columns: Names = None) -> SplitReport:
    """Search a test set for what the training set holds, too. Neither is changed, and no model is needed.

    Four things are searched for. *Identical rows* have equal features once both are float32, the precision that a
    network sees; NaN equals NaN. Where features are coarse (yes or no, grades), rows also coincide by chance. How many
    is estimated from the two halves of the columns, taken as independent. Unless there are clearly more, the matches
    are reported as a *coincidence*, which proves nothing. *Shared objects* agree in all `keys`.
    *Shared positions* lie within one arcsecond on the sky. A *scaled copy* has as many rows as the other set, and each
    of its columns is the other's, times a number, plus a number; the rows may be in another order.

    Parameters
    ----------
    train, test
        Two pandas frames; or PyTorch datasets of ``(features, label)`` pairs, NumPy arrays or tensors, of shape
        (N, ...) and any real dtype, with rows of the same shape. Positions are the columns ``ra`` and ``dec`` of
        frames, in degrees; labels a dataset's, or a column ``class``, ``label`` or ``target``.
    keys
        Columns of frames that together name an object, such as ``"patient"``. By default ``objid``, where both frames
        have it and it identifies: not if a spreadsheet has rounded it, so that it is in scientific notation or its
        rows lie more than an arcsecond apart. A row with a missing key is nobody's.
    columns
        The features of frames. By default the five magnitudes, where both frames have them; otherwise all numeric
        columns of both, except keys, ids, positions, labels and bookkeeping, which are told by their names.

    Returns
    -------
    SplitReport
        With ``ok``, ``share``, ``findings``, ``rows``, ``classes`` and ``verdict``.

    Raises
    ------
    ValueError
        When a set is empty, the two have nothing in common to compare, or a named column is missing or useless.
    TypeError
        When a set is none of these, or its features are not numbers.

    Examples
    --------
    >>> frame = load_sdss()
    >>> split = split_by_object(frame)
    >>> audit_split(split.train, split.test).ok
    True
    >>> audit_split(frame[:8000], frame[8000:]).findings["test_rows"].to_dict()
    {'identical row': 89, 'shared object': 89, 'shared position': 89}
    """
    evidence = _Evidence()
    if isinstance(train, pd.DataFrame) and isinstance(test, pd.DataFrame):
        n_train, n_test = len(train), len(test)
        classes = _audit_frames(evidence, train, test, keys, columns)
    elif isinstance(train, pd.DataFrame) or isinstance(test, pd.DataFrame):
        raise TypeError(
            f"train is {kind_of(train)} and test {kind_of(test)}. Give two frames, or none: frame.to_numpy()."
        )
    elif keys is not None or columns is not None:
        raise ValueError("keys and columns name columns of frames. Give two frames, or leave both out.")
    else:
        (a, labels), (b, test_labels) = read_rows(train, "train"), read_rows(test, "test")
        n_train, n_test = len(a), len(b)
        if a.shape[1:] != b.shape[1:]:
            raise ValueError(
                f"A row of train has the shape {a.shape[1:]} and one of test {b.shape[1:]}, so they cannot be "
                "compared. Give both sets the same features, in the same layout."
            )
        evidence.features(a.reshape(n_train, -1), b.reshape(n_test, -1), "all features")
        classes = None if labels is None or test_labels is None else class_shares(labels, test_labels)
    parts = [
        pd.DataFrame({"test_row": np.flatnonzero(at >= 0), "finding": name, "train_row": at[at >= 0]})
        for name in FIX
        if (at := evidence.found.get(name)) is not None
    ]
    rows = pd.concat(parts, ignore_index=True)
    return SplitReport(n_train, n_test, rows, classes, tuple(evidence.compared), tuple(evidence.notes))


class _Evidence:
    """What was compared so far, and by name of the finding the partners that it found."""

    def __init__(self) -> None:
        self.found: dict[str, Ints] = {}
        self.compared: list[str] = []
        self.notes: list[str] = []

    def features(self, train: Floats, test: Floats, names: str) -> None:
        """Identical rows and scaled copies, by features of shape (N, D) and float32."""
        partners, by_chance = same_rows(train, test)
        known = int((partners >= 0).sum())
        proven = _more_than_chance(known, by_chance)
        self.found["identical row" if proven else COINCIDENCE] = partners
        if known and not proven:
            self.notes.append(
                f"{known / len(test):.1%} of the test rows equal a training row. With features as coarse as these, "
                f"up to about {by_chance / len(test):.1%} may be chance. This neither shows a leak nor rules one out."
            )
        if known < len(test):
            copies, by_chance = scaled_copy(train, test)
            if _more_than_chance(int((copies >= 0).sum()), by_chance):
                self.found["scaled copy"] = copies
        self.compared.append(f"rows, and scaled copies of them, by {names}")


def _more_than_chance(rows: int, expected: float) -> bool:
    """Clearly more: the columns' halves are never quite independent, and small numbers scatter."""
    return rows > 3 * expected + 10 * expected**0.5


def _audit_frames(
    evidence: _Evidence, train: pd.DataFrame, test: pd.DataFrame, keys: Names, columns: Names
) -> pd.DataFrame | None:
    check_frame(train, "train")
    check_frame(test, "test")
    named = named_columns(train, test, keys, "keys")
    objects = named or [name for name in ["objid"] if name in train and name in test]
    names = named_columns(train, test, columns, "columns") or feature_names(train, test, objects)
    on_the_sky = are_numbers(train, test, "ra") and are_numbers(train, test, "dec")
    positions = [as_positions(frame) for frame in (train, test)] if on_the_sky else []
    if names:
        evidence.features(as_floats(train, names), as_floats(test, names), ", ".join(map(str, names)))
    if objects:
        stacked, listed = stacked_keys(train, test, objects), ", ".join(map(str, objects))
        ids = object_ids(stacked)
        if is_rounded(stacked) or (positions and objects == ["objid"] and lie_apart(ids, pd.concat(positions))):
            why = f"{listed} identifies nothing: a spreadsheet has rounded it, or other objects were given the same."
            if named:
                raise ValueError(f"keys: {why} Name other keys, or an export that no spreadsheet has opened.")
            evidence.notes.append(f"{why} It was not used. load_sdss makes an objid from the position instead.")
        else:
            evidence.found["shared object"] = same_object(ids[: len(train)], ids[len(train) :])
            evidence.compared.append(f"objects by {listed}")
    if on_the_sky:
        evidence.found["shared position"] = same_position(*positions)
        evidence.compared.append("positions by ra and dec")
    if not evidence.compared:
        raise ValueError(
            f"There is nothing to compare: train has the columns {', '.join(map(str, train))}, and test "
            f"{', '.join(map(str, test))}. Give both the same numeric features, or name what they share with columns=."
        )
    label = next((name for name in LABELS if name in train and name in test), None)
    return None if label is None else class_shares(train[label], test[label])
