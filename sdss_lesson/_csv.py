"""An export as text: every field as the file spells it, and the line it stands on, so that an error can name it."""

import csv
import io
import math
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import pandas as pd

from sdss_lesson._checks import kind_of, short

_MISSING = {"", "null", "none", "na", "n/a"}
_SEPARATORS = {";": "semicolon", "\t": "tab", "|": "vertical bar", " ": "space"}
_FIX_LINE = "Mend or delete that line"


@dataclass(frozen=True)
class Export:
    """The fields of an export as text (an id never passes through a float), and the line that each row stands on."""

    file: Path
    table: pd.DataFrame
    lines: Sequence[int]

    def numbers(self, name: str) -> pd.Series:
        """A column as float64, with NaN where the field is empty or says that nothing was measured."""
        column = self.table[name]
        values = pd.to_numeric(column, errors="coerce").astype(np.float64)
        unread = column[values.isna()]
        missing = unread.index[[_is_missing(word) for word in unread]]
        self.refuse(column, values.isna() & ~column.index.isin(missing), "is not a number")
        return values

    def refuse(self, column: pd.Series, bad: pd.Series, fault: str, remedy: str = _FIX_LINE) -> None:
        """Raise with the first of the bad rows, where there are any."""
        if not bad.any():
            return
        row = int(np.argmax(bad.to_numpy()))
        found = short(str(column[row]))
        others = f" ({int(bad.sum())} such rows)" if bad.sum() > 1 else ""
        raise ValueError(
            f"{self.file}, line {self.lines[row]}, column {column.name!r}: {found!r} {fault}{others}. "
            f"{remedy}, or export the table once more."
        )


def find(path: str | os.PathLike[str] | None) -> tuple[Path, str]:
    """The file to read, and how it was named."""
    if path is not None:
        if not isinstance(path, str | os.PathLike):
            raise TypeError(f"The path is {kind_of(path)}; give the name of a CSV file.")
        return Path(path).expanduser(), "the path that was given"
    if named := os.environ.get("SDSS_LESSON_CSV"):
        return Path(named).expanduser(), "the environment variable SDSS_LESSON_CSV"
    here = Path(__file__).resolve().parent
    # An installed package carries the sample in _data; in a checkout it lies beside the package.
    candidates = [here / "_data" / "sdss_sample.csv", here.parent / "data" / "sdss_sample.csv"]
    return next((file for file in candidates if file.exists()), candidates[-1]), "the shipped sample"


def read_export(file: Path, source: str, required: Sequence[str], aliases: Mapping[str, str]) -> Export:
    """Read a CSV file that has the required columns, under these names or their aliases, in any case."""
    text = _text(file, source)
    rows = _rows(text, file)
    _, names = next(rows, (0, []))
    header = [aliases.get(name.strip().lower(), name.strip().lower()) for name in names]
    _check_header(header, names, required, file)
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
    return Export(file, pd.DataFrame(fields, columns=header, dtype=object), lines)


def _text(file: Path, source: str) -> str:
    try:
        there, readable = file.exists(), file.is_file()
        raw = file.read_bytes() if readable else b""
    except OSError as error:
        reason = error.strerror or error
        raise ValueError(f"{file} cannot be read ({source}): {reason}. Copy it to a folder of your own.") from None
    if not there:
        raise FileNotFoundError(f"There is no file {file} ({source}). Check the spelling, or give the whole path.")
    if not readable:  # a device may have no end
        kind = "a folder" if file.is_dir() else "not an ordinary file"
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
    return text


def _check_header(header: list[str], names: list[str], required: Sequence[str], file: Path) -> None:
    if len(header) < 2:
        other = next((word for sign, word in _SEPARATORS.items() if sign in ",".join(names)), None)
        found = f": its separator is a {other}" if other else ""
        raise ValueError(
            f"{file} does not begin with a header of names separated by commas{found}. Export it as CSV, with commas."
        )
    duplicated = sorted(name for name, count in Counter(header).items() if count > 1)
    if duplicated:
        named = _listed(repr(name) if name else "without a name" for name in duplicated)
        raise ValueError(f"{file} has more than one column {named}. Keep one of them.")
    missing = [name for name in required if name not in header]
    if missing:
        raise ValueError(
            f"{file} has no column {', '.join(map(repr, missing))}; it has {_listed(header)}. "
            f"Export these columns: {', '.join(required)}."
        )


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
        f"{file}, line {line}: the line is cut off before column {short(column)!r}. Download the export once more, "
        "or delete that line."
    )


def _is_missing(word: str) -> bool:
    try:
        return not math.isfinite(float(word))
    except ValueError:
        return word.strip().lower() in _MISSING


def _listed(names: Iterable[str]) -> str:
    """The names as a message can show them: a thousand, or one of a thousand letters, would hide the rest of it."""
    first = [short(name) for name in islice(names, 41)]
    return ", ".join(first[:40]) + ("" if len(first) < 41 else ", ...")
