"""`load_sdss` on whatever bytes there are: a right table or one clear error, and memory in proportion to the file."""

import gzip
import os
import subprocess
import sys
import traceback
import tracemalloc
import warnings
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_catalog import CANONICAL, HEADER, ROWS, text_of

from sdss_lesson import CLASSES, FEATURES, _sky, catalog, load_sdss

EXAMPLES = int(os.environ.get("SDSS_LESSON_FUZZ", "50"))
"""For each of the tests that draw files. `make test-more` draws four times as many."""
GOOD = text_of().encode()
SIGNS = b'\0\t\n\r ",;#<=|.-+eE0123456789\xef\xbb\xbf\xff'


def check(file, content):
    """Reads the file; whatever comes is what the docstring says."""
    file.write_bytes(content)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            frame = load_sdss(file)
        except ValueError as error:
            message = str(error)
            assert type(error) is ValueError
            assert message.startswith(str(file)) and len(message) < len(str(file)) + 3_000
            assert Path(traceback.extract_tb(error.__traceback__)[-1].filename).parent == Path(catalog.__file__).parent
            assert not caught
            return None
    for warning in caught:
        assert warning.category is UserWarning and str(warning.message).startswith(str(file))
        assert Path(warning.filename) == Path(__file__)
    assert list(frame.columns[: len(CANONICAL)]) == CANONICAL and frame.columns.is_unique and len(frame)
    assert (frame["objid"].dtype, frame["specobjid"].dtype) == (np.int64, np.uint64)
    numbers = frame[["ra", "dec", *FEATURES, "redshift"]]
    assert (numbers.dtypes == np.float64).all()
    assert ((frame[FEATURES] >= 0) & (frame[FEATURES] <= 35)).all(axis=None)
    assert frame["ra"].between(0, 360).all() and frame["dec"].between(-90, 90).all()
    assert set(frame["class"]) <= set(CLASSES)
    assert _sky.identifies(frame["specobjid"].to_numpy(), frame)
    return frame


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    return tmp_path_factory.mktemp("fuzz") / "export.csv"


@settings(max_examples=EXAMPLES)
@given(st.binary(max_size=300) | st.text(max_size=300).map(lambda text: text.encode("utf-8", "surrogatepass")))
def test_any_bytes(file, content):
    check(file, content)
    check(file, text_of([]).encode() + content)


CHANGES = st.tuples(
    st.sampled_from(["flip", "delete", "insert", "cut", "repeat"]),
    st.floats(0, 1),
    st.binary(min_size=1, max_size=4) | st.lists(st.sampled_from(SIGNS), min_size=1, max_size=4).map(bytes),
)


@settings(max_examples=EXAMPLES)
@given(st.permutations(range(len(HEADER))), st.lists(CHANGES, max_size=4))
def test_a_good_export_that_something_happened_to(file, order, changes):
    content = text_of([[row[i] for i in order] for row in ROWS], [HEADER[i] for i in order]).encode()
    for what, where, found in changes:
        at = int(where * len(content))
        before, after = content[:at], content[at:]
        content = {
            "flip": before + bytes(byte ^ found[0] for byte in after[:1]) + after[1:],
            "delete": before + after[len(found) :],
            "insert": before + found + after,
            "cut": before,
            "repeat": before + after[:40] * len(found) + after,
        }[what]
    frame = check(file, content)
    if not changes:
        assert frame["objid"].tolist() == [int(row[0]) for row in ROWS]


NUMBER = st.one_of(
    st.floats(-40, 400).map(repr),
    st.floats().map(repr),
    st.integers().map(str),
    st.integers(-(2**70), 2**70).map(str),
    st.sampled_from(
        ["", "-9999", "NaN", "null", "1e400", "1_0", "0x1", "1,5", "=1+1", "1.24E+18", "\u0661", "1j", "True"]
    ),
    st.text(max_size=4),
)
FIELD = {
    "class": st.sampled_from([*CLASSES, "star", " QSO ", "", "AGN"]),
    "ra": st.sampled_from(["0", "359.9999999", "360", "183.5"]) | NUMBER,
    "dec": st.sampled_from(["0", "90", "-90", "0.08"]) | NUMBER,
} | dict.fromkeys(FEATURES, st.floats(10, 28).map(repr) | NUMBER)


@settings(max_examples=EXAMPLES)
@given(st.data(), st.integers(1, 6), st.lists(st.text(max_size=5), max_size=2), st.sampled_from(["\n", "\r\n", "\r"]))
def test_any_table(file, data, n, names, end):
    good, header = data.draw(st.booleans()), [*HEADER, *names]
    rows = []
    for number in range(n):
        drawn = [data.draw(FIELD.get(name, NUMBER)) for name in header]
        if good:  # most fields, so that now and then a table comes out
            kept = data.draw(st.sets(st.sampled_from(range(len(header))), max_size=2))
            whole = [*ROWS[number % 4], *names]
            drawn = [new if at in kept else old for at, (new, old) in enumerate(zip(drawn, whole, strict=True))]
        rows.append(['"' + field.replace('"', '""') + '"' for field in drawn])
    text = text_of(rows, ['"' + name.replace('"', '""') + '"' for name in header], end)
    check(file, text.encode("utf-8", "surrogatepass"))


def wide(field, n=400):
    return text_of([[*row, *[field] * n] for row in ROWS * 20], [*HEADER, *[f"c{i}" for i in range(n)]])


SIZE = 400_000
BOMBS = {
    "a usual export": text_of(ROWS * (SIZE // 400)),
    "an export in one place": text_of([["1E+18", *ROWS[0][1:]]] * (SIZE // 120)),
    "short rows": text_of([["1", "2", "0", "0", *"11111", "0", "STAR", *"111"]] * (SIZE // 35)),
    "rows of two": "a,b\n" + "1,2\n" * (SIZE // 4),
    "many empty columns": wide(""),
    "many short words": wide("xy"),
    "a header of many names": ",".join(map(str, range(SIZE // 7))),
    "a header of commas": "a" + "," * SIZE,
    "a row of commas": text_of([]) + "," * SIZE + "1",
    "a field without end": text_of([]) + "x" * SIZE,
    "an open quotation mark": text_of([]) + '"' + "x\n" * (SIZE // 2),
    "blank lines": text_of([]) + "\n" * SIZE,
    "NULs": "\0" * SIZE,
    "letters of four bytes": "\U0001f600" * (SIZE // 4),
    "all bytes": bytes(range(256)) * (SIZE // 256),
    "gzip of a thousand times as much": gzip.compress(GOOD * 10_000),
}


@pytest.mark.parametrize("name", BOMBS)
def test_memory_stays_in_proportion_to_the_file(file, name):
    content = BOMBS[name] if isinstance(BOMBS[name], bytes) else BOMBS[name].encode()
    check(file, GOOD)  # what is imported on the way is in memory by now
    check(file, text_of([["1E+18", *row[1:]] for row in ROWS]).encode())
    tracemalloc.start()
    try:
        check(file, content)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert peak < 40 * len(content) + 2_000_000


@pytest.mark.more
def test_four_times_as_many_files():
    command = [sys.executable, "-m", "pytest", "-q", "-m", "not more", "-p", "no:cacheprovider", __file__]
    environment = {**os.environ, "SDSS_LESSON_FUZZ": str(4 * EXAMPLES)}
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    assert done.returncode == 0, done.stdout
