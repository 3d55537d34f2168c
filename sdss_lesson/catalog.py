"""Read a catalogue of stars, galaxies and quasars, exactly as SkyServer exports it."""

import os
import warnings

import numpy as np
import pandas as pd

from sdss_lesson._checks import is_whole
from sdss_lesson._csv import find, read_export
from sdss_lesson._sky import damage, objid_from_position, whole_ids

CLASSES = ("GALAXY", "QSO", "STAR")
"""The class names in label order: label 0 is GALAXY, 1 is QSO, 2 is STAR."""

FEATURES = ["u", "g", "r", "i", "z"]
"""The five magnitudes, from ultraviolet to infrared."""

_REQUIRED = ["objid", "specobjid", "ra", "dec", *FEATURES, "redshift", "class"]
# The other names that these columns go by in exports that circulate as practice data sets.
_ALIASES = {
    "obj_id": "objid",
    "alpha": "ra",
    "delta": "dec",
    "run_id": "run",
    "rerun_id": "rerun",
    "cam_col": "camcol",
    "field_id": "field",
    "spec_obj_id": "specobjid",
    "fiber_id": "fiberid",
}
_FAINTEST = 35
"""Magnitudes, too, say with a number out of reach that nothing was measured: -9999, 99. Real ones reach 28."""


def load_sdss(path: str | os.PathLike[str] | None = None, *, max_rows: int | None = None) -> pd.DataFrame:
    """Read an SDSS export, or the mock sample that comes with the lesson.

    Parameters
    ----------
    path
        A CSV file as SkyServer writes it, in either of the two column layouts in circulation. Without it, the file
        that the environment variable ``SDSS_LESSON_CSV`` names is read, and without that the shipped mock sample.
    max_rows
        A larger export is cut to this many rows, drawn at random by class and always the same ones.

    Returns
    -------
    pandas.DataFrame
        One row per spectrum: ``objid`` (int64), ``specobjid`` (uint64), ``ra`` and ``dec`` (float64, degrees),
        ``u, g, r, i, z`` (float64, magnitudes), ``redshift`` (float64), ``class`` (one of `CLASSES`); then the
        export's other columns.

    Raises
    ------
    FileNotFoundError, ValueError, TypeError
        When there is no such file, it cannot be read or does not hold such a table: the message names the file, the
        column, the line and the remedy. When `max_rows` is not a whole number from 1 up.

    Warns
    -----
    UserWarning
        When rows without all five magnitudes, each from 0 to 35, are dropped, and when the ids identify nothing (a
        spreadsheet has rounded them). ``objid`` is then made from the position on the sky: rows within one arcsecond
        are one object. ``specobjid`` is then the row number.

    Notes
    -----
    While it is read, an export takes up to 40 times its size in memory. SkyServer's schema browser describes the
    columns under ``PhotoObj`` and ``SpecObj``.

    Examples
    --------
    >>> frame = load_sdss()
    >>> frame["class"].value_counts().to_dict()
    {'GALAXY': 5000, 'STAR': 4150, 'QSO': 850}
    """
    if max_rows is not None and not is_whole(max_rows, 1):
        raise ValueError(f"max_rows={max_rows!r}: ask for at least 1 row, by a whole number, or for all with None.")
    file, source = find(path)
    export = read_export(file, source, _REQUIRED, _ALIASES)
    table = export.table
    for name in ["ra", "dec", *FEATURES, "redshift"]:
        table[name] = export.numbers(name)
    for name, low, high in [("ra", 0, 360), ("dec", -90, 90)]:
        fault = f"is not a position on the sky (degrees from {low} to {high})"
        export.refuse(table[name], ~table[name].between(low, high), fault)
    names = table["class"].str.strip().str.upper()
    fault = f"is an unknown class (known: {', '.join(CLASSES)})"
    export.refuse(table["class"], ~names.isin(CLASSES), fault, "Delete rows of other classes")
    table["class"] = names

    measured = ((table[FEATURES] >= 0) & (table[FEATURES] <= _FAINTEST)).all(axis=1)
    if not measured.any():
        raise ValueError(
            f"{file} has {len(table)} rows, from line {export.lines[0]} on, and none with all five magnitudes "
            f"({', '.join(FEATURES)}), so nothing is left to learn from. Export rows whose magnitudes are measured "
            f"(from 0 to {_FAINTEST})."
        )
    if not measured.all():
        warnings.warn(
            f"{file}: dropped {len(table) - measured.sum()} of {len(table)} rows, because a magnitude is missing or "
            f"lies outside of 0 to {_FAINTEST}.",
            stacklevel=2,
        )
    table = table[measured].reset_index(drop=True)

    objid = whole_ids(table, "objid", np.int64)
    if objid is None:
        objid = objid_from_position(table)
        found, there = table["objid"].nunique(), len(np.unique(objid))
        warnings.warn(
            f"{file}: {damage(table['objid'])}"
            + (f" Grouping by them would call {there} objects {found}." if found != there else "")
            + " 'objid' now holds a number made from the position on the sky: rows within one arcsecond are one "
            "object. An export that no spreadsheet has opened keeps the real ids.",
            stacklevel=2,
        )
    specobjid = whole_ids(table, "specobjid", np.uint64)
    if specobjid is None:
        specobjid = np.arange(len(table), dtype=np.uint64)
        warnings.warn(f"{file}: {damage(table['specobjid'])} 'specobjid' is now the row number.", stacklevel=2)
    table["objid"], table["specobjid"] = objid, specobjid
    others = table.columns.difference(_REQUIRED, sort=False)
    for name in others:
        table[name] = _as_numbers_if_possible(table[name])
    table = table[[*_REQUIRED, *others]]
    return table if max_rows is None or len(table) <= max_rows else _drawn_by_class(table, max_rows)


def _as_numbers_if_possible(column: pd.Series) -> pd.Series:
    try:
        numbers = pd.to_numeric(column)
    except ValueError:
        return column
    # Whole numbers with a gap among them would become floats, and ids would lose their last digits.
    return column if numbers.dtype.kind == "f" and (numbers.abs() > 2**53).any() else numbers


def _drawn_by_class(table: pd.DataFrame, n: int) -> pd.DataFrame:
    """Rows in their old order, every class with its share."""
    # Each row's rank within its class, as a share of the class: the lowest ones hold every class's share.
    classes = table.sample(frac=1, random_state=0).groupby("class")["class"]
    share = (classes.cumcount() + 0.5) / classes.transform("size")
    return table.loc[share.sort_values(kind="stable").index[:n].sort_values()].reset_index(drop=True)
