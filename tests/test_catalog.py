"""Reading exports: every layout gives the same rows, and every fault one clear error."""

import codecs
import csv
import io
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdss_lesson import CLASSES, FEATURES, load_sdss

CANONICAL = ["objid", "specobjid", "ra", "dec", *FEATURES, "redshift", "class"]
HEADER = [*CANONICAL, "plate", "mjd", "fiberid"]
OTHER_NAMES = {
    "objid": "obj_ID",
    "specobjid": "spec_obj_ID",
    "ra": "alpha",
    "dec": "delta",
    "mjd": "MJD",
    "fiberid": "fiber_ID",
}
ROWS = [
    [
        "1237648704577142822",
        "3722360139651588096",
        "183.5",
        "0.08",
        *["19.5", "17.0", "15.9", "15.5", "15.2"],
        "-0.00001",
    ],
    ["1237648704577142859", "363814405953054720", "183.6", "0.13", *["18.7", "17.2", "16.7", "16.5", "16.4"], "0.1"],
    ["9223372036854775807", "18446744073709551615", "0.0", "-90", *["19.4", "18.2", "17.5", "17.1", "16.8"], "2.5"],
    [
        "1237648704577142859",
        "13446744073709551615",
        "183.6",
        "0.13",
        *["18.7", "17.2", "16.7", "16.5", "16.4"],
        "0.1001",
    ],
]
TAILS = [["STAR", "3306", "54922", "491"], ["GALAXY", "323", "51615", "541"], ["QSO", "15001", "59000", "1"]]
ROWS = [row + tail for row, tail in zip(ROWS, [*TAILS, ["GALAXY", "323", "51616", "541"]], strict=True)]


def text_of(rows=ROWS, header=HEADER, end="\n", sep=","):
    return "".join(sep.join(row) + end for row in [header, *rows])


def changed(row, column, value):
    rows = [list(fields) for fields in ROWS]
    rows[row][HEADER.index(column)] = value
    return rows


@pytest.fixture
def read(tmp_path):
    """Load what is given as text, bytes or rows, from a file whose name a message has to contain."""

    def read(content, **options):
        file = tmp_path / "export.csv"
        content = text_of(content) if isinstance(content, list) else content
        file.write_bytes(content if isinstance(content, bytes) else content.encode())
        return load_sdss(file, **options)

    return read


def fault_of(read, content):
    with pytest.raises(ValueError) as caught:
        read(content)
    assert type(caught.value) is ValueError
    assert "export.csv" in str(caught.value)
    return str(caught.value)


# What comes out


def test_the_sample_has_the_canonical_columns_and_types(sample):
    assert list(sample.columns[: len(CANONICAL)]) == CANONICAL
    types = {"objid": np.int64, "specobjid": np.uint64} | dict.fromkeys(["ra", "dec", *FEATURES, "redshift"], float)
    assert all(sample[name].dtype == dtype for name, dtype in types.items())
    assert (len(sample), set(sample["class"])) == (10_000, set(CLASSES))
    assert sample.index.equals(pd.RangeIndex(10_000))


def test_numbers_and_ids_are_those_that_the_file_spells(read):
    frame = read(ROWS)
    assert [list(map(int, row)) for row in frame[["objid", "specobjid"]].to_numpy(object)] == [
        [int(row[0]), int(row[1])] for row in ROWS
    ]
    names = ["ra", "dec", *FEATURES, "redshift"]
    assert frame[names].to_numpy().tolist() == [list(map(float, row[2:10])) for row in ROWS]
    assert frame["class"].tolist() == [row[10] for row in ROWS]
    assert frame[["plate", "mjd", "fiberid"]].to_numpy().tolist() == [list(map(int, row[11:])) for row in ROWS]


@given(
    order=st.permutations(range(len(HEADER))),
    case=st.sampled_from([str.lower, str.upper, str.title, str]),
    other=st.booleans(),
    table1=st.sampled_from(["", "#Table1", "#Table1,,,,"]),
    bom=st.booleans(),
    end=st.sampled_from(["\n", "\r\n", "\r"]),
    quoting=st.sampled_from([csv.QUOTE_MINIMAL, csv.QUOTE_ALL]),
    pad=st.sampled_from(["", " "]),
    last_end=st.booleans(),
    ids=st.lists(st.tuples(st.integers(-(2**63), 2**63 - 1), st.integers(0, 2**64 - 1)), min_size=4, max_size=4),
)
def test_any_layout_gives_the_same_table(
    tmp_path_factory, order, case, other, table1, bom, end, quoting, pad, last_end, ids
):
    # The sky positions of rows 1 and 3 are one object's; other ids may not be shared.
    ids[3] = (ids[1][0], ids[3][1])
    if len({obj for obj, _ in ids}) < 3 or len({spec for _, spec in ids}) < 4:
        return
    header = [case(OTHER_NAMES.get(name, name) if other else name) for name in HEADER]
    rows = [[str(obj), str(spec), *row[2:]] for (obj, spec), row in zip(ids, ROWS, strict=True)]
    buffer = io.StringIO(newline="")
    writer = csv.writer(buffer, lineterminator=end, quoting=quoting)
    writer.writerows([[pad + fields[i] + pad for i in order] for fields in [header, *rows]])
    text = (table1 + end if table1 else "") + buffer.getvalue()
    file = tmp_path_factory.mktemp("layout") / "x.csv"
    file.write_bytes((codecs.BOM_UTF8 if bom else b"") + (text if last_end else text.removesuffix(end)).encode())
    frame = load_sdss(file)
    assert list(frame.columns[: len(CANONICAL)]) == CANONICAL
    assert list(zip(map(int, frame["objid"]), map(int, frame["specobjid"]), strict=True)) == ids
    assert frame[["ra", "u", "z", "redshift"]].to_numpy().tolist() == [
        [float(row[i]) for i in (2, 4, 8, 9)] for row in ROWS
    ]
    assert frame[["plate", "mjd", "fiberid"]].to_numpy().tolist() == [list(map(int, row[11:])) for row in ROWS]


def test_other_columns_follow_and_their_ids_pass_through_no_float_either(read):
    rows = [[*row, "note", value] for row, value in zip(ROWS, ["", "1237648704577142823", "7", ""], strict=True)]
    frame = read(text_of(rows, [*HEADER, "remark", "parentid"]))
    assert list(frame.columns[len(CANONICAL) :]) == ["plate", "mjd", "fiberid", "remark", "parentid"]
    assert frame["parentid"].tolist() == ["", "1237648704577142823", "7", ""]


def test_blank_lines_are_no_rows_and_lower_case_classes_are_read(read):
    text = text_of(ROWS).lower().replace("\n", "\n\n", 3) + "\n , \n".replace(" , ", "," * (len(HEADER) - 1))
    assert read(text)["class"].tolist() == [row[10] for row in ROWS]


# Which file is read


def test_a_path_wins_over_the_environment_and_that_over_the_sample(tmp_path, monkeypatch):
    mine, named = tmp_path / "mine.csv", tmp_path / "named.csv"
    mine.write_text(text_of(ROWS[:1]))
    named.write_text(text_of(ROWS[:2]))
    monkeypatch.setenv("SDSS_LESSON_CSV", str(named))
    assert [len(load_sdss(str(mine))), len(load_sdss(mine)), len(load_sdss())] == [1, 1, 2]
    monkeypatch.setenv("SDSS_LESSON_CSV", "")
    assert len(load_sdss()) == 10_000


def test_a_missing_file_is_named_with_who_named_it(tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match=r"nowhere\.csv \(the path that was given\)\. Check the spelling"):
        load_sdss(tmp_path / "nowhere.csv")
    monkeypatch.setenv("SDSS_LESSON_CSV", "nowhere.csv")
    with pytest.raises(FileNotFoundError, match=r"nowhere\.csv \(the environment variable SDSS_LESSON_CSV\)"):
        load_sdss()


# What is wrong with a file: beside what stands in test_bad_input.py


def test_an_error_counts_the_rows_like_the_first_bad_one(read):
    rows = [[*row[:4], "?", *row[5:]] if i % 2 else row for i, row in enumerate(ROWS)]
    assert "line 3, column 'u': '?' is not a number (2 such rows)" in fault_of(read, rows)


@pytest.mark.parametrize(
    ("end", "quote", "last"),
    [("\n", "", "class"), ("\r\n", "", "fiberid"), ("\n", '"', "redshift"), ("\n", "", "objid"), ("\r\n", '"', "z")],
)
def test_a_download_cut_anywhere_is_never_read_as_something_else(tmp_path, end, quote, last):
    order = [i for i in range(len(HEADER)) if HEADER[i] != last] + [HEADER.index(last)]
    whole = "#Table1" + end + text_of([[quote + row[i] + quote for i in order] for row in ROWS[:2]],
                                      [HEADER[i] for i in order], end)  # fmt: skip
    (tmp_path / "whole.csv").write_text(whole, newline="")
    right = load_sdss(tmp_path / "whole.csv")
    silent = 0
    for cut in range(len(whole)):
        (tmp_path / "cut.csv").write_text(whole[:cut], newline="")
        try:
            frame = load_sdss(tmp_path / "cut.csv")
        except ValueError:
            continue
        silent += 1
        known = right.iloc[: len(frame)]
        if not quote and not whole[:cut].endswith(("\n", "\r")):
            # Inside the last field of the last row: a shorter number is a number. All else is right.
            assert frame.drop(columns=last).equals(known.drop(columns=last))
            assert frame[last].iloc[:-1].equals(known[last].iloc[:-1])
        else:
            assert frame.equals(known)
    assert 2 <= silent <= 2 * (max(len(row[HEADER.index(last)]) for row in ROWS) + len(end) + 2)


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["0.5", "", "-1e9", "7"], [0.5, None, -1e9, 7.0]),
        ([str(2**53 + 1), "1", "2", "3"], [2**53 + 1, 1, 2, 3]),
        ([str(2**53), "", "2", "3"], [2**53, None, 2, 3]),
        ([str(2**53 + 2), "", "2", "3"], [str(2**53 + 2), "", "2", "3"]),
        ([str(-(2**53) - 2), "", "2", "3"], [str(-(2**53) - 2), "", "2", "3"]),
        (["a", "1", "2", "3"], ["a", "1", "2", "3"]),
    ],
)
def test_another_column_holds_numbers_where_they_lose_no_digit(read, words, expected):
    rows = [[*row, word] for row, word in zip(ROWS, words, strict=True)]
    found = read(text_of(rows, [*HEADER, "more"]))["more"]
    assert [None if value != value else value for value in found.tolist()] == expected


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_an_empty_field_at_the_end_is_a_cut_only_where_no_other_is_empty(read, end):
    rows = [[*row, word] for row, word in zip(ROWS, ["a", "b", "c", ""], strict=True)]
    text = text_of(rows, [*HEADER, "note"], end)
    assert read(text)["note"].tolist() == ["a", "b", "c", ""]
    assert "is cut off before column 'note'" in fault_of(read, text.removesuffix(end))
    rows[2][-1] = ""
    assert read(text_of(rows, [*HEADER, "note"], end).removesuffix(end))["note"].tolist() == ["a", "b", "", ""]


# Missing magnitudes


def test_magnitudes_from_0_to_35_are_measured(read):
    assert len(read(changed(1, "u", "0"))) == len(read(changed(1, "z", "35"))) == 4
    for value in ("-0.001", "35.001"):
        with pytest.warns(UserWarning, match="dropped 1 of 4"):
            read(changed(1, "u", value))


@pytest.mark.parametrize("value", ["-9999", "-9999.0", "", " ", "NaN", "nan", "null", "inf", "-Infinity", "1e999"])
@pytest.mark.parametrize("name", FEATURES)
def test_a_row_without_a_magnitude_is_dropped_and_counted(read, name, value):
    with pytest.warns(UserWarning, match=r"export\.csv: dropped 1 of 4 rows, because a magnitude is missing") as caught:
        frame = read(changed(1, name, value))
    assert len(caught) == 1
    assert frame["redshift"].tolist() == [-0.00001, 2.5, 0.1001]
    assert frame.index.tolist() == [0, 1, 2]


# Damaged ids


def spoilt(frame, tmp_path, spoil, *, keep=tuple(HEADER)):
    """The frame as a spreadsheet would save it."""
    out = frame.copy().astype(object)
    for name in ("objid", "specobjid"):
        out[name] = [spoil(int(value)) for value in frame[name]]
    out[list(keep)].to_csv(tmp_path / "spoilt.csv", index=False)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        return load_sdss(tmp_path / "spoilt.csv"), [str(warning.message) for warning in caught]


SPOIL = {
    "15 digits": lambda value: f"{value:.14E}".replace("E+", "E+0"),
    "one id for all": lambda value: "1.24E+18",
    "15 digits, spelt out": lambda value: f"{value:.14e}" and str(round(value, 3 - len(str(value)) + 2)),
    "all zero": lambda value: "0",
    "empty": lambda value: "",
}


@pytest.mark.parametrize("how", SPOIL)
def test_damaged_ids_still_tell_the_objects_apart(sample, tmp_path, how):
    frame, messages = spoilt(sample, tmp_path, SPOIL[how])
    assert len(frame) == len(sample)
    assert frame["objid"].dtype == np.int64
    assert frame["specobjid"].dtype == np.uint64
    # One id for each object: the pairs (old id, new id) are as many as the old ids, and as the new ones.
    pairs = pd.DataFrame({"old": sample["objid"], "new": frame["objid"]}).drop_duplicates()
    assert len(pairs) == sample["objid"].nunique() == frame["objid"].nunique()
    assert frame["specobjid"].is_unique
    assert len(messages) == 2
    for name, message in zip(["objid", "specobjid"], messages, strict=True):
        assert "spoilt.csv: the ids in '" + name + "' " in message
        assert ("are not complete" if how == "empty" else "a spreadsheet has rounded them") in message
    objects, ids = sample["objid"].nunique(), len({SPOIL[how](int(value)) for value in sample["objid"]})
    assert f"would call {objects} objects {ids}." in messages[0]
    assert "within one arcsecond are one object" in messages[0]
    assert messages[1].endswith("'specobjid' is now the row number.")
    assert frame.drop(columns=["objid", "specobjid"]).equals(sample[HEADER].drop(columns=["objid", "specobjid"]))


def test_one_damaged_id_is_enough_and_the_message_shows_it(read):
    with pytest.warns(UserWarning, match=r"'objid' \(such as '1\.24E\+18'\)") as caught:
        frame = read(changed(2, "objid", "1.24E+18"))
    assert len(caught) == 1
    assert frame["objid"].nunique() == 3
    assert frame["specobjid"].tolist() == [int(row[1]) for row in ROWS]


def test_a_warning_points_at_the_call(tmp_path):
    rows = [["1E+18", "1E+18", *row[2:]] for row in changed(1, "u", "-9999")]
    (tmp_path / "export.csv").write_text(text_of(rows))
    with pytest.warns(UserWarning) as caught:
        load_sdss(tmp_path / "export.csv")
    assert [Path(warning.filename) for warning in caught] == [Path(__file__)] * 3


def test_whole_ids_that_far_apart_rows_share_are_damaged(read):
    with pytest.warns(UserWarning, match=rf"the ids in 'objid' \(such as '{ROWS[2][0]}'\)"):
        assert read(changed(0, "objid", ROWS[2][0]))["objid"].nunique() == 3


def test_a_damaged_specobjid_is_the_row_number(read):
    with pytest.warns(UserWarning, match="'specobjid' is now the row number") as caught:
        frame = read([[row[0], "1.24E+18", *row[2:]] for row in ROWS])
    assert len(caught) == 1
    assert frame["specobjid"].tolist() == [0, 1, 2, 3]
    assert frame["specobjid"].dtype == np.uint64
    assert frame["objid"].tolist() == [int(row[0]) for row in ROWS]


def test_ids_of_spectra_within_an_arcsecond_are_kept(read):
    ids, decs = (
        ["5", "6", "5", "6"],
        ["0", "9", "0.0002", "9.0002"],
    )  # each a little less than an arcsecond apart, and together more
    rows = [[one, *row[:1], "77", dec, *row[4:]] for one, row, dec in zip(ids, ROWS, decs, strict=True)]
    for number, row in enumerate(rows):
        row[1] = str(number)
    assert read(rows)["objid"].tolist() == [5, 6, 5, 6]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (changed(1, "ra", "360.5"), "line 3, column 'ra': '360.5' is not a position"),
        (changed(1, "dec", "90.5"), "line 3, column 'dec': '90.5' is not a position"),
        ('"objid\n1\n', "line 1: a quotation mark"),
        ('{"objid": 1}', "XML or JSON"),
    ],
    ids=["ra", "dec", "quotation mark", "JSON"],
)
def test_a_message_names_the_file_and_the_line(read, content, words):
    assert words in fault_of(read, content)


def test_a_folder_is_called_a_folder(tmp_path):
    with pytest.raises(ValueError, match="is a folder"):
        load_sdss(tmp_path)


def test_a_message_says_how_many_rows_are_wrong(read):
    rows = changed(1, "ra", "x")
    assert "'x' is not a number. Mend or delete that line, or" in fault_of(read, rows)
    rows[3] = rows[1]
    assert "'x' is not a number (2 such rows). Mend" in fault_of(read, rows)


def test_a_message_shows_a_word_of_sixty_letters_whole(read):
    for word, shown in [("x" * 60, "X" * 60), ("x" * 61, "X" * 57 + "...")]:
        words = f"'{shown.lower()}' is an unknown class (known: GALAXY, QSO, STAR). Delete"
        assert words in fault_of(read, changed(1, "class", word))


@pytest.mark.parametrize("n", [2, 40, 41, 1_000])
def test_a_message_lists_the_first_forty_columns(read, n):
    names = [f"c{number}" for number in range(n)]
    listed = ", ".join(names[:40]) + ", ..." * (n > 40)
    assert f"it has {listed}. Export these columns" in fault_of(read, text_of([["1"] * n], names))


@given(
    place=st.sampled_from(
        [(0.0, 0.0), (360.0, 0.0), (359.99999, 45.0), (12.3, 89.9999), (200.0, -90.0), (200.0, 90.0)]
    ),
    angle=st.floats(0, 360),
    apart=st.sampled_from([0.0, 0.3, 0.98, 1.02, 2.0, 30.0]),
)
def test_within_one_arcsecond_is_one_object_everywhere_on_the_sky(tmp_path_factory, place, angle, apart):
    ra, dec = np.deg2rad(place)
    step, turn = np.deg2rad(apart / 3600), np.deg2rad(angle)
    # Walk `step` from the place in direction `turn`, along two tangent vectors.
    out = np.array([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])
    east, north = np.array([-np.sin(ra), np.cos(ra), 0]), np.cross(out, [-np.sin(ra), np.cos(ra), 0])
    x, y, z = out * np.cos(step) + (east * np.cos(turn) + north * np.sin(turn)) * np.sin(step)
    there = np.rad2deg(np.arctan2(y, x)) % 360, np.rad2deg(np.arctan2(z, np.hypot(x, y)))
    rows = [[*row] for row in ROWS[:3]]
    rows[0][0] = "1.2E+18"
    rows[0][2:4], rows[1][2:4], rows[2][2:4] = map(str, place), map(str, there), ["77.0", "33.0"]
    file = tmp_path_factory.mktemp("sky") / "x.csv"
    file.write_text(text_of(rows))
    with pytest.warns(UserWarning, match="objid"):
        ids = load_sdss(file)["objid"]
    assert (ids[0] == ids[1]) == (apart < 1)
    assert ids[2] not in (ids[0], ids[1])


def test_an_objid_from_the_position_is_where_its_first_row_lies(read):
    rows = [["1.2E+18", str(number), *ROWS[0][2:]] for number in range(5)]
    # Tenths of an arcsecond east of 0 and north of the south pole; in the east, 360 degrees are 0 again.
    places = [("77", "33"), ("77", "33.0002"), ("0.00001", "-90"), ("359.999999", "45"), ("0.0002", "45")]
    for row, place in zip(rows, places, strict=True):
        row[2:4] = place
    with pytest.warns(UserWarning, match="one arcsecond"):
        found = read(rows)["objid"]
    first = 77 * 36_000 * 10_000_000 + (33 + 90) * 36_000
    assert found.tolist() == [first, first, 0, 135 * 36_000, 135 * 36_000]


# Larger exports


@pytest.mark.parametrize("wanted", [1, 10, 1_000, 9_998, 9_999, 10_000, 20_000])
def test_a_larger_export_is_drawn_from_by_class(sample, wanted):
    drawn = load_sdss(max_rows=wanted)
    assert len(drawn) == min(wanted, 10_000)
    assert list(drawn) == list(sample)
    share = len(drawn) / len(sample)
    gap = drawn["class"].value_counts().sub(sample["class"].value_counts() * share, fill_value=0)
    assert (gap.abs() <= 1).all()
    if wanted == 10:
        assert drawn["class"].value_counts().to_dict() == {"GALAXY": 5, "STAR": 4, "QSO": 1}
    assert drawn["specobjid"].is_unique
    assert drawn.merge(sample, how="inner").equals(drawn)
    assert drawn.equals(load_sdss(max_rows=wanted))


# Real rows


def test_a_real_export_loses_no_row_and_its_objects_are_told_apart(real_csv):
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        frame = load_sdss(real_csv)
    raw = pd.read_csv(real_csv, comment="#")
    if raw["objid"].dtype != float:
        pytest.skip("This export's ids are whole, so there is nothing to rebuild.")
    assert [name in str(w.message) for w, name in zip(caught, ["'objid'", "'specobjid'"], strict=True)] == [True, True]
    assert len(frame) == len(raw)
    assert frame["objid"].nunique() == len(raw.drop_duplicates(["ra", "dec"])) == 10_000
    assert raw["objid"].nunique() == 3_530
    assert np.array_equal(frame[FEATURES], raw[FEATURES])
    assert frame["specobjid"].is_unique
