"""Split a catalogue so that no object stands in two sets."""

from dataclasses import dataclass
from numbers import Real

import pandas as pd

from sdss_lesson._checks import check_frame, is_whole


@dataclass(frozen=True, eq=False)
class Split:
    """Three frames with the columns of the one they come from, and its rows in their old order."""

    train: pd.DataFrame
    val: pd.DataFrame
    test: pd.DataFrame

    def __repr__(self) -> str:
        return f"Split(train={len(self.train)}, val={len(self.val)}, test={len(self.test)} rows)"


def split_by_object(frame: pd.DataFrame, *, test_size: float = 0.2, val_size: float = 0.2, seed: int = 0) -> Split:
    """Split rows into training, validation and test set, by class, and keep all spectra of an object together.

    Parameters
    ----------
    frame
        A catalogue with the columns ``objid`` and ``class``, as `load_sdss` returns it.
    test_size, val_size
        Shares of all rows. Each class comes as near to them as its objects allow; 0 leaves that set empty.
    seed
        Another seed, another split; the same seed, the same split. A whole number from 0 to 2**32 - 1.

    Raises
    ------
    ValueError, TypeError
        When `frame` is not a DataFrame, a column is missing or duplicated, there are no rows, a row has no id or
        class, the shares leave no training rows, a class has too few objects, or the seed is out of range.

    Examples
    --------
    >>> split_by_object(load_sdss())
    Split(train=6000, val=2000, test=2000 rows)
    """
    check_frame(frame, ["objid", "class"])
    if frame[["objid", "class"]].isna().any(axis=None):
        # Such a row would be in no object, and so it would land in the training set.
        raise ValueError("Some rows have no objid or no class. Drop them: frame.dropna(subset=['objid', 'class']).")
    if not is_whole(seed, 0) or seed >= 2**32:
        raise ValueError(f"seed={seed!r}: give a whole number from 0 to 2**32 - 1.")
    shares = test_size, val_size
    if not (all(isinstance(share, Real) and share >= 0 for share in shares) and sum(shares) < 1):
        raise ValueError(
            f"test_size={test_size!r} and val_size={val_size!r} must be shares of the whole: none negative, and "
            "together under 1, so that rows are left for training."
        )
    from sklearn.utils import shuffle

    # scikit-learn draws the order; the sets are then filled by row. Its own splitters count objects and not rows
    # (train_test_split), or know only shares of the form 1 / k (StratifiedGroupKFold).
    # One row per object. An object that two spectra class differently goes with the first of them.
    by_object = frame.reset_index(drop=True).groupby("objid", sort=False, observed=True)
    objects = by_object.agg(name=("class", "first"), rows=("class", "size"))
    drawn: dict[str, list[int]] = {"test": [], "val": []}
    to_fill = {which: share for which, share in [("test", test_size), ("val", val_size)] if share > 0}
    for name, members in objects.groupby("name", observed=True):
        if len(members) <= len(to_fill):
            raise ValueError(
                f"Class {name} has {len(members)} object(s), too few to give every set one. Leave the class out, or "
                "load more rows."
            )
        rows = shuffle(members["rows"], random_state=seed)
        total = rows.sum()
        for filled, (which, share) in enumerate(to_fill.items()):
            taken = _fill(rows, round(share * total), keep=len(to_fill) - filled)
            drawn[which] += taken
            rows = rows.drop(taken)
    in_test, in_val = frame["objid"].isin(drawn["test"]), frame["objid"].isin(drawn["val"])
    return Split(frame[~in_test & ~in_val].copy(), frame[in_val].copy(), frame[in_test].copy())


def _fill(rows: pd.Series, wanted: int, *, keep: int) -> list[int]:
    """Ids from `rows` (index: objid, values: rows of that object), in order, that hold `wanted` rows in all.

    An object too large for what is left is passed over, so that the ones with a single row make the sum exact. At
    least one object is taken and at least `keep` stay behind.
    """
    taken: list[int] = []
    for objid, size in rows.items():
        if size <= wanted and len(taken) < len(rows) - keep:
            taken.append(objid)
            wanted -= size
    return taken or [rows.idxmin()]
