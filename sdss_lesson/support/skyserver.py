"""Real rows from SDSS SkyServer, through astroquery: python -m sdss_lesson fetch."""

import hashlib
import io
import json
import math
import os
import re
import sys
import time
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import islice
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlsplit

from tqdm.std import tqdm

from sdss_lesson.catalog import CLASSES, load_sdss
from sdss_lesson.support.files import write_whole
from sdss_lesson.support.progress import progress

STRIPS = 1500
"""The sky from right ascension 110 to 260 degrees is asked for in strips that are a tenth of a degree wide."""

TIMEOUT, PATIENCE, MOST_BYTES = 120.0, 600.0, 50_000_000
"""Seconds to wait for a first sign of life, seconds for one whole answer, and its greatest size."""

PAUSES = (2.0, 10.0, 30.0)
"""Seconds before each new try."""

_WAY_ON = "The lesson runs on the shipped sample, too: make lesson."
_LATER = "Try again later; until then the lesson runs on the shipped sample: make lesson."
_SELECTED = (
    "p.objid, p.ra, p.dec, p.u, p.g, p.r, p.i, p.z, p.run, p.rerun, p.camcol, p.field, "
    "s.specobjid, s.class, s.z AS redshift, s.plate, s.mjd, s.fiberid"
)
_COLUMNS = [name.split(".")[-1].split()[-1] for name in _SELECTED.split(", ")]
# Each row says how many there are, so that half an answer is noticed. The server takes no more than 2,048 characters.
_QUERY = (
    f"SELECT {_SELECTED}, COUNT(*) OVER () AS there_are "
    "FROM SpecObjAll AS s JOIN PhotoObj AS p ON p.objid = s.bestobjid "
    "WHERE s.ra >= {west} AND s.ra < {east} AND s.zwarning = 0 AND p.clean = 1 AND "
    + " AND ".join(f"p.{band} BETWEEN 0 AND 35" for band in "ugriz")
)
_OBJECT, _SPECTRUM = _COLUMNS.index("objid"), _COLUMNS.index("specobjid")
Row = list[str]
Ask = Callable[[str], str]
Wait = Callable[[float], object]


class FetchError(RuntimeError):
    """Why there are no rows, in one sentence; whether another try makes sense, and after how many seconds."""

    def __init__(self, sentence: str, *, again: bool = False, after: float = 0.0) -> None:
        super().__init__(sentence)
        self.again, self.after = again, after


def fetch(
    out: str | os.PathLike[str], *, rows: int = 10_000, release: int = 17, seed: int = 0, wait: Wait = time.sleep
) -> dict[str, Any]:
    """Write real rows to a CSV file that `load_sdss` reads, and what they are to ``out`` + ``.json``.

    Parameters
    ----------
    out
        The file. It is replaced in one step, at the end. What has come so far lies in the folder ``out`` + ``.part``:
        a second call goes on from there.
    rows
        As many rows are written, or fewer where the sky has no more. They are all reliable spectra of cleanly measured
        objects in neighbouring strips of the sky, repeat spectra among them; the last strip is cut.
    release
        The data release of SDSS, 17 or later.
    seed
        Where the first strip lies: at right ascension 150 for 0, and 92.9 degrees further east for each one more, back
        to 110 after 260. The next strips lie east of it.
    wait
        Called with the seconds between two requests.

    Returns
    -------
    dict
        What the sidecar holds: ``query``, ``strips``, ``release``, ``seed``, ``rows``, ``classes``, ``time``,
        ``sha256``, ``server``.

    Raises
    ------
    ValueError
        When the numbers cannot be, or ``out`` is a file that no fetch has written, or that was changed since.
    FetchError
        When the rows do not come, or cannot be written. The message names the cause and the remedy.
    """
    out = Path(out).expanduser()
    side, parts = out.with_name(out.name + ".json"), out.with_name(out.name + ".part")
    if rows < 1 or release < 17:
        raise ValueError(f"rows={rows}, release={release}: ask for at least 1 row, of release 17 or later.")
    # Where a fetch was interrupted, its notes may be newer than the file.
    if out.exists() and not (parts.exists() and side.exists()) and not _as_fetched(out, side):
        raise ValueError(f"{out} is not as a fetch has written it. Move it away, or name another file with --out.")
    try:
        return _fetch(out, side, parts, rows, release, seed, wait)
    except OSError as error:
        raise FetchError(f"{error.filename or out} cannot be written: {error.strerror}. {_WAY_ON}") from None
    except FetchError as error:
        kept = " The same command goes on with what has come so far." if parts.exists() else ""
        raise FetchError(f"{error}{kept} {_LATER if error.again else _WAY_ON}") from None


def _fetch(out: Path, side: Path, parts: Path, rows: int, release: int, seed: int, wait: Wait) -> dict[str, Any]:
    server, ask = _client(release)
    strips: list[tuple[str, str]] = []
    found = _rows_of_the_sky(server, ask, parts, seed, wait, strips)
    kept = list(progress(islice(found, rows), f"real rows, of {rows}"))
    if not kept:
        raise FetchError("SkyServer found no rows in this part of the sky. Try another --seed or --release.")
    data = "".join(f"{','.join(fields)}\n" for fields in [_COLUMNS, *kept]).encode()
    fresh, fresh_notes = parts / "whole.csv", parts / "notes.csv"
    _make(fresh, data)
    try:
        if len({row[_SPECTRUM] for row in kept}) < len(kept):
            raise ValueError("the same spectra for two parts of the sky.")
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            classes = load_sdss(fresh)["class"].value_counts()
    except (ValueError, UserWarning) as error:
        _remove(parts)
        sentence = str(error).replace(str(fresh), "the file")
        raise FetchError(f"SkyServer sent what the lesson cannot use: {sentence} Try again later.") from None
    notes = {
        "query": _QUERY,
        "strips": strips,
        "release": release,
        "seed": seed,
        "rows": len(kept),
        "classes": {name: int(classes.get(name, 0)) for name in CLASSES},
        "time": datetime.now(UTC).isoformat(timespec="seconds"),
        "sha256": hashlib.sha256(data).hexdigest(),
        "server": server,
    }
    # Between the two renames the notes speak of a file that is not there yet. The doctor says so; a new fetch fixes it.
    _make(fresh_notes, json.dumps(notes, indent=1).encode())
    fresh_notes.replace(side)
    fresh.replace(out)
    _remove(parts)
    return notes


def _rows_of_the_sky(
    server: str, ask: Ask, parts: Path, seed: int, wait: Wait, strips: list[tuple[str, str]]
) -> Iterator[Row]:
    """The rows of each strip, from the one that the seed names eastwards; `strips` takes their limits."""
    empty, asked = 0, False
    for number in range(STRIPS):
        west = 1100 + (400 + 929 * seed + number) % STRIPS
        strip = f"{west / 10:.1f}", f"{(west + 1) / 10:.1f}"
        sql = _QUERY.format(west=strip[0], east=strip[1])
        part = parts / (hashlib.sha256(f"{server} {sql}".encode()).hexdigest()[:16] + ".csv")
        try:
            rows = _rows(part.read_text("utf-8"))
        except (OSError, UnicodeDecodeError, FetchError):  # it has not come yet, or is damaged
            if asked:
                wait(1)  # SkyServer takes 60 questions a minute
            text, rows, asked = *_answer(ask, sql, wait), True
            if rows:
                _make(part, text.encode())
        strips.append(strip)
        yield from sorted(rows, key=lambda row: int(row[_SPECTRUM]))
        empty = 0 if rows else empty + 1
        if empty == 10:  # the survey has looked everywhere here, so there is no use in asking on
            return


def _answer(ask: Ask, sql: str, wait: Wait) -> tuple[str, list[Row]]:
    pauses = iter(PAUSES)
    while True:
        try:
            text = ask(sql)
            return text, _rows(text)
        except FetchError as error:
            after = max(next(pauses, math.inf), error.after)
            if not error.again or after > PATIENCE:
                raise
            tqdm.write(f"{error} The next try is in {after:.0f} s.", file=sys.stderr)
            wait(after)


def _rows(text: str) -> list[Row]:
    """The rows of one answer, checked: the columns, the number of rows, the ids as whole numbers."""
    lines = [line for line in text.removeprefix("\ufeff").splitlines() if line.strip() and not line.startswith("#")]
    if lines and re.match(r"No (objects|entries) have been found", lines[0]):
        return []
    if not lines:
        raise FetchError("SkyServer sent an empty answer.", again=True)
    header, *rows = ([field.strip(' "') for field in line.split(",")] for line in lines)
    names = [name.lower() for name in header]
    if names != [*_COLUMNS, "there_are"]:
        missing = [name for name in _COLUMNS if name not in names]
        raise FetchError(f"SkyServer sent other columns ({', '.join(names)[:200]}); missing: {', '.join(missing)}.")
    if any(len(row) != len(names) or row[-1] != str(len(rows)) for row in rows):
        raise FetchError("SkyServer sent half an answer.", again=True)
    for row in rows:
        for place, bits in ((_OBJECT, 63), (_SPECTRUM, 64)):
            if not re.fullmatch(r"\d{1,20}", row[place]) or int(row[place]) >= 1 << bits:
                raise FetchError(f"SkyServer sent a damaged id: {_COLUMNS[place]} is {row[place][:30]!r}.")
    return [row[:-1] for row in rows]


def _client(release: int) -> tuple[str, Ask]:
    """The address, and what sends one question through astroquery and returns the text of the answer."""
    try:
        import requests
        import urllib3
        from astroquery.sdss import SDSSClass, conf
    except ImportError as error:
        raise FetchError(f'fetch needs astroquery: pip install "astroquery>=0.4.9" ({error}).') from None
    here = urlsplit(conf.skyserver_baseurl)
    sky, reached = SDSSClass(), False

    def guard(answer: requests.Response, *_: object, **__: object) -> requests.Response:
        """Before anything is read or followed: no redirect off the host, no answer without an end."""
        nonlocal reached
        reached = True
        there = urlsplit(urljoin(answer.url, answer.headers.get("Location", "")))
        if answer.is_redirect and there[:2] != here[:2]:
            raise FetchError(f"SkyServer sends us on to {there.netloc}, and fetch goes to no host but {here.netloc}.")
        body, end = bytearray(), time.monotonic() + PATIENCE
        while chunk := answer.raw.read1(1 << 16, decode_content=True):
            body += chunk
            if len(body) > MOST_BYTES:
                raise FetchError(f"SkyServer sent more than {MOST_BYTES / 1e6:g} MB for one strip of the sky.")
            if time.monotonic() > end:
                raise FetchError(f"SkyServer did not come to an end within {PATIENCE:g} seconds.", again=True)
        answer.raw.release_conn()
        answer.raw = io.BytesIO(body)
        return answer

    sky._session.hooks["response"].insert(0, guard)  # before astroquery's own, which may read all

    def ask(sql: str) -> str:
        try:
            answer = sky.query_sql_async(sql, data_release=release, cache=False, timeout=TIMEOUT)
        except (requests.Timeout, urllib3.exceptions.ReadTimeoutError):
            raise FetchError(f"SkyServer did not answer within {TIMEOUT:g} seconds.", again=True) from None
        except urllib3.exceptions.HTTPError:
            raise FetchError("SkyServer sent half an answer.", again=True) from None
        except requests.exceptions.SSLError:
            raise FetchError(f"{here.netloc} could not prove who it is, so nothing was asked.") from None
        except requests.ConnectionError as error:
            sentence = f"{here.netloc} cannot be reached: it is down, or this computer is offline."
            # Where no connection came about, not even once, waiting for it within this call is of no use.
            never = not reached and isinstance(error.args[0], urllib3.exceptions.MaxRetryError)
            raise FetchError(sentence, again=True, after=math.inf if never else 0.0) from None
        except requests.RequestException as error:
            raise FetchError(f"SkyServer could not be asked: {type(error).__name__}.") from None
        return _text(answer.status_code, answer.headers, answer.content.decode("utf-8", "replace"), release)

    return f"{conf.skyserver_baseurl}/dr{release}", ask


def _text(status: int, headers: Mapping[str, str], text: str, release: int) -> str:
    """The text, where it can be rows."""
    busy = "queries allowed per minute" in text
    if busy or status in (429, 503):
        after = 60.0 if busy else _seconds(headers.get("Retry-After", ""))
        later = f" It asks to come back in {after:.0f} seconds." if after > PATIENCE else ""
        raise FetchError(f"SkyServer is busy, or was asked too often.{later}", again=True, after=after)
    if status == 404:
        raise FetchError(f"SkyServer has no Data Release {release} that fetch can ask. Try another --release.")
    if status != 200 or re.match(r"\s*([<{\[]|\"?error_message\b)", re.sub(r"^(\ufeff|#.*\n)*", "", text)):
        said = re.search(r'"Error ?Message": *"((?:[^"\\]|\\.)*)"', text)
        plain = said[1] if said else re.sub(r"(?is)<(script|style).*?</\1>|<[^>]*>", " ", text)
        sentence = f"SkyServer answered with an error (HTTP {status}): {' '.join(plain.split())[:300]}"
        raise FetchError(sentence.rstrip(" :.") + ".", again=status >= 500 and not said)
    return text


def _seconds(retry_after: str) -> float:
    """From now on: the header holds seconds or a date."""
    if re.fullmatch(r"\d{1,9}", retry_after):
        return float(retry_after)
    with suppress(ValueError):
        return parsedate_to_datetime(retry_after).timestamp() - time.time()
    return 0.0


def _as_fetched(out: Path, side: Path) -> bool:
    """Whether the file is the one that its sidecar speaks of."""
    try:
        return bool(json.loads(side.read_text("utf-8"))["sha256"] == hashlib.sha256(out.read_bytes()).hexdigest())
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _make(file: Path, data: bytes) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, data)


def _remove(parts: Path) -> None:
    """Take away what this command has put there, and the folder where nothing else is in it."""
    for file in [*parts.glob("*.csv"), *parts.glob(".*.part")]:
        file.unlink(missing_ok=True)
    with suppress(OSError):
        parts.rmdir()
