"""Read a catalogue of stars, galaxies and quasars, exactly as SkyServer exports it."""

import csv
import io
import math
import os
import re
import warnings
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd

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
_MISSING = {"", "null", "none", "na", "n/a"}
_INTEGER = re.compile(r"-?\d{1,20}")
_FAINTEST = 35
"""Magnitudes, too, say with a number out of reach that nothing was measured: -9999, 99. Real ones reach 28."""
ARCSECOND = np.deg2rad(1 / 3600)


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
    FileNotFoundError
        When there is no such file.
    ValueError
        When the file cannot be read or is no such table: the message names the file, the column, the line and the
        remedy. When `max_rows` is no such number.
    TypeError
        When `path` is no path.

    Warns
    -----
    UserWarning
        When rows without all five magnitudes, each from 0 to 35, are dropped, and when the ids identify nothing (a
        spreadsheet has rounded them). ``objid`` is then made from the position on the sky: rows within one arcsecond
        are one object.

    Notes
    -----
    While it is read, an export takes up to 40 times its size in memory.

    The columns are described in the SkyServer schema browser under ``PhotoObj`` and ``SpecObj``; the bits of
    ``specobjid`` in the SDSS glossary.

    Examples
    --------
    >>> frame = load_sdss()
    >>> frame["class"].value_counts().to_dict()
    {'GALAXY': 5000, 'STAR': 4150, 'QSO': 850}
    """
    if max_rows is not None and (not isinstance(max_rows, int | np.integer) or max_rows < 1):
        raise ValueError(f"max_rows={max_rows!r}: ask for at least 1 row, by a whole number, or for all with None.")
    file, source = _find(path)
    table, lines = _read_table(file, source)
    for name in ["ra", "dec", *FEATURES, "redshift"]:
        table[name] = _numbers(table[name], lines, file)
    _check_positions(table, lines, file)
    table["class"] = _classes(table["class"], lines, file)

    seen = ((table[FEATURES] >= 0) & (table[FEATURES] <= _FAINTEST)).all(axis=1)
    if not seen.any():
        raise ValueError(
            f"{file} has {len(table)} rows, from line {lines[0]} on, and none with all five magnitudes "
            f"({', '.join(FEATURES)}), so nothing is left to learn from. Export rows whose magnitudes are measured "
            f"(from 0 to {_FAINTEST})."
        )
    if not seen.all():
        warnings.warn(
            f"{file}: dropped {len(table) - seen.sum()} of {len(table)} rows, because a magnitude is missing or lies "
            f"outside of 0 to {_FAINTEST}.",
            stacklevel=2,
        )
    table = table[seen].reset_index(drop=True)

    for name in table.columns.difference(_REQUIRED):
        table[name] = _as_numbers_if_possible(table[name])
    objid = _whole_numbers(table["objid"], np.int64)
    if objid is None or not identifies(objid, table):
        objid = _objid_from_position(table)
        found, there = table["objid"].nunique(), len(np.unique(objid))
        warnings.warn(
            f"{file}: {_damage(table['objid'])}"
            + (f" Grouping by them would call {there} objects {found}." if found != there else "")
            + " 'objid' now holds a number made from the position on the sky: rows within one arcsecond are one "
            "object. An export that no spreadsheet has opened keeps the real ids.",
            stacklevel=2,
        )
    specobjid = _whole_numbers(table["specobjid"], np.uint64)
    if specobjid is None or not identifies(specobjid, table):
        rebuilt = _specobjid_from_plate(table)
        warnings.warn(
            f"{file}: {_damage(table['specobjid'])} 'specobjid' is now "
            + ("the row number." if rebuilt is None else "rebuilt from plate, mjd and fiberid."),
            stacklevel=2,
        )
        specobjid = np.arange(len(table), dtype=np.uint64) if rebuilt is None else rebuilt
    table["objid"], table["specobjid"] = objid, specobjid
    table = table[[*_REQUIRED, *table.columns.difference(_REQUIRED, sort=False)]]

    if max_rows is not None and len(table) > max_rows:
        # Each row's rank within its class, as a share of the class: the lowest ones hold every class's share.
        classes = table.sample(frac=1, random_state=0).groupby("class")["class"]
        share = (classes.cumcount() + 0.5) / classes.transform("size")
        table = table.loc[share.sort_values(kind="stable").index[:max_rows].sort_values()].reset_index(drop=True)
    return table


def _find(path: str | os.PathLike[str] | None) -> tuple[Path, str]:
    """The file to read, and how it was named."""
    if path is not None:
        if not isinstance(path, str | os.PathLike):
            raise TypeError(f"The path is a {type(path).__name__}; give the name of a CSV file.")
        return Path(path).expanduser(), "the path that was given"
    if named := os.environ.get("SDSS_LESSON_CSV"):
        return Path(named).expanduser(), "the environment variable SDSS_LESSON_CSV"
    here = Path(__file__).resolve().parent
    # An installed package carries the sample in _data; in a checkout it lies beside the package.
    candidates = [here / "_data" / "sdss_sample.csv", here.parent / "data" / "sdss_sample.csv"]
    return next((file for file in candidates if file.exists()), candidates[-1]), "the shipped sample"


def _read_table(file: Path, source: str) -> tuple[pd.DataFrame, pd.Series]:
    """All fields as text (an id never passes through a float), and the line of the file that each row stands on."""
    try:
        there, readable = file.exists(), file.is_file()
        raw = file.read_bytes() if readable else b""
    except OSError as error:
        reason = error.strerror or error
        raise ValueError(f"{file} cannot be read ({source}): {reason}. Copy it to a folder of your own.") from None
    if not there:
        raise FileNotFoundError(f"There is no file {file} ({source}). Check the spelling, or give the whole path.")
    if not readable:  # a device may have no end
        kind = "a folder" if file.is_dir() else "no ordinary file"
        raise ValueError(f"{file} is {kind} ({source}). Name the CSV file in it.")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        text = "\0"
    if not text.strip():
        raise ValueError(f"{file} is empty. Download the export once more.")
    if "\0" in text:
        raise ValueError(
            f"{file} is not a text file in UTF-8. Unpack it if it is compressed or a spreadsheet, and export it as CSV."
        )
    if text.lstrip().startswith(("<", "{", "[")):
        raise ValueError(
            f"{file} holds a web page (HTML), XML or JSON, and not a table. Open it to read what the server says, then "
            "download the export as CSV."
        )
    rows = _rows(text, file)
    _, names = next(rows, (0, []))
    header = [_ALIASES.get(name.strip().lower(), name.strip().lower()) for name in names]
    if len(header) < 2:
        other = next((word for sign, word in _SEPARATORS.items() if sign in ",".join(names)), None)
        raise ValueError(
            f"{file} does not begin with a header of names separated by commas"
            + (f": its separator is a {other}" if other else "")
            + ". Export it as CSV, with commas."
        )
    twice = sorted(name for name, count in Counter(header).items() if count > 1)
    if twice:
        named = _listed(repr(name) if name else "without a name" for name in twice)
        raise ValueError(f"{file} has more than one column {named}. Keep one of them.")
    missing = [name for name in _REQUIRED if name not in header]
    if missing:
        raise ValueError(
            f"{file} has no column {', '.join(map(repr, missing))}; it has {_listed(header)}. "
            f"Export these columns: {', '.join(_REQUIRED)}."
        )
    lines, fields = [], []
    for line, row in rows:
        if len(row) < len(header):
            raise _cut_off(file, line, header[len(row)])
        if len(row) > len(header):
            raise ValueError(
                f"{file}, line {line}: {len(row)} fields under a header of {len(header)}, so there is a comma too "
                "many. Mend that line, or export the table once more."
            )
        lines.append(line)
        fields.append(row)
    if not fields:
        raise ValueError(f"{file} has a header and no rows. Check the query that it comes from, or download it again.")
    if not text.endswith(("\n", "\r")) and not fields[-1][-1] and all(row[-1] for row in fields[:-1]):
        raise _cut_off(file, lines[-1], header[-1])
    return pd.DataFrame(fields, columns=header, dtype=object), pd.Series(lines, name="line")


def _listed(names: Iterable[str]) -> str:
    """The names as a message can show them: a thousand, or one of a thousand letters, would hide the rest of it."""
    first = [_short(name) for name in islice(names, 41)]
    return ", ".join(first[:40]) + ("" if len(first) < 41 else ", ...")


def _short(word: str) -> str:
    return word if len(word) <= 60 else word[:57] + "..."


_SEPARATORS = {";": "semicolon", "\t": "tab", "|": "vertical bar", " ": "space"}


def _rows(text: str, file: Path) -> Iterator[tuple[int, list[str]]]:
    """Line number and fields of each line that is not blank, after SkyServer's ``#Table1``."""
    # Strict: without it, a quotation mark that is never closed swallows the rest of the file.
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    line, begun = 1, False
    try:
        for row in reader:
            if "".join(row).strip() and (begun or not row[0].startswith("#")):
                begun = True
                yield line, row
            line = reader.line_num + 1
    except csv.Error as error:
        raise ValueError(
            f"{file}, line {line}: a quotation mark is out of place or never closed, or a field has no end ({error}). "
            "Mend that line, or download the export once more."
        ) from None


def _cut_off(file: Path, line: int, column: str) -> ValueError:
    return ValueError(
        f"{file}, line {line}: the line is cut off before column {_short(column)!r}. Download the export once more, "
        "or delete that line."
    )


def _numbers(column: pd.Series, lines: pd.Series, file: Path) -> pd.Series:
    """The column as float64, with NaN where the field is empty or says that nothing was measured."""
    values = pd.to_numeric(column, errors="coerce").astype(np.float64)
    unread = column[values.isna()]
    bad = values.isna() & ~column.index.isin(unread.index[[_is_missing(word) for word in unread]])
    if bad.any():
        raise _bad_field(column, bad, lines, file, "is not a number", "Mend or delete that line")
    return values


def _is_missing(word: str) -> bool:
    try:
        return not math.isfinite(float(word))
    except ValueError:
        return word.strip().lower() in _MISSING


def _check_positions(table: pd.DataFrame, lines: pd.Series, file: Path) -> None:
    for name, low, high in [("ra", 0, 360), ("dec", -90, 90)]:
        bad = ~table[name].between(low, high)
        if bad.any():
            fault = f"is no position on the sky (degrees from {low} to {high})"
            raise _bad_field(table[name], bad, lines, file, fault, "Mend or delete that line")


def _classes(column: pd.Series, lines: pd.Series, file: Path) -> pd.Series:
    names = column.str.strip().str.upper()
    bad = ~names.isin(CLASSES)
    if bad.any():
        fault = f"is an unknown class (known: {', '.join(CLASSES)})"
        raise _bad_field(column, bad, lines, file, fault, "Delete rows of other classes")
    return names


def _bad_field(column: pd.Series, bad: pd.Series, lines: pd.Series, file: Path, fault: str, remedy: str) -> ValueError:
    row = int(np.argmax(bad.to_numpy()))
    found = _short(str(column[row]))
    others = f" ({int(bad.sum())} such rows)" if bad.sum() > 1 else ""
    return ValueError(
        f"{file}, line {lines[row]}, column {column.name!r}: {found!r} {fault}{others}. {remedy}, or export the table "
        "once more."
    )


def _as_numbers_if_possible(column: pd.Series) -> pd.Series:
    try:
        numbers = pd.to_numeric(column)
    except ValueError:
        return column
    # Whole numbers with a gap among them would become floats, and ids would lose their last digits.
    return column if numbers.dtype.kind == "f" and (numbers.abs() > 2**53).any() else numbers


def _damage(ids: pd.Series) -> str:
    """What is wrong with ids that are no integers, or that different objects share."""
    example = next((word for word in ids if not _INTEGER.fullmatch(word.strip())), ids[0])
    if not example.strip():
        return f"the ids in {ids.name!r} are not complete: some rows have none."
    return f"the ids in {ids.name!r} (such as {_short(example)!r}) identify nothing: a spreadsheet has rounded them."


def _whole_numbers(
    column: pd.Series, dtype: type[np.int64] | type[np.uint64]
) -> "np.ndarray[tuple[int], np.dtype[np.int64 | np.uint64]] | None":
    """The ids as integers of 64 bits, or None where one of them is no such integer any more."""
    limits = np.iinfo(dtype)
    words = [word.strip() for word in column]
    if not all(map(_INTEGER.fullmatch, words)):
        return None
    ids = [int(word) for word in words]
    return np.array(ids, dtype=dtype) if limits.min <= min(ids) and max(ids) <= limits.max else None


def on_the_sphere(table: pd.DataFrame) -> np.ndarray:
    """Unit vectors: distances between them know nothing of the seam at 0 and 360 degrees, nor of the poles."""
    ra, dec = np.deg2rad(table["ra"].to_numpy()), np.deg2rad(table["dec"].to_numpy())
    return np.column_stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])


def identifies(objid: np.ndarray, table: pd.DataFrame) -> bool:
    """Whether rows that share an id also share a place on the sky (within one arcsecond of the first of them)."""
    xyz = on_the_sphere(table)
    _, first, which = np.unique(objid, return_index=True, return_inverse=True)
    return bool((np.linalg.norm(xyz - xyz[first[which]], axis=1) <= ARCSECOND).all())


def _objid_from_position(table: pd.DataFrame) -> np.ndarray:
    """One integer for all rows within an arcsecond: the first such position in tenths of an arcsecond."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial import cKDTree

    # A place counts once: thousands of rows in one would be millions of pairs.
    places, place = np.unique(on_the_sphere(table), axis=0, return_inverse=True)
    pairs = cKDTree(places).query_pairs(ARCSECOND, output_type="ndarray")
    links = coo_array((np.ones(len(pairs)), (pairs[:, 0], pairs[:, 1])), shape=(len(places), len(places)))
    _, group = connected_components(links, directed=False)
    tenths_ra = np.rint(table["ra"].to_numpy() * 36_000).astype(np.int64) % (360 * 36_000)
    tenths_dec = np.rint((table["dec"].to_numpy() + 90) * 36_000).astype(np.int64)
    ids = pd.Series(tenths_ra * 10_000_000 + tenths_dec)
    return ids.groupby(group[place.ravel()]).transform("min").to_numpy()


def _specobjid_from_plate(table: pd.DataFrame) -> np.ndarray | None:
    """SDSS's own layout of the 64 bits, with the part for the reduction's version left at zero; None if it fails."""
    parts = [("plate", 50, 14, 0), ("fiberid", 38, 12, 0), ("mjd", 24, 14, 50_000)]
    ids = np.zeros(len(table), dtype=np.uint64)
    for name, shift, bits, origin in parts:
        if name not in table or not pd.api.types.is_numeric_dtype(table[name]):
            return None
        value = table[name].to_numpy() - origin
        if not ((value >= 0) & (value < 1 << bits) & (value % 1 == 0)).all():
            return None
        ids |= value.astype(np.uint64) << np.uint64(shift)
    return ids if identifies(ids, table) else None
