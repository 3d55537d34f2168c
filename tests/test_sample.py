"""The mock sample: what it promises, and that it is what its mixtures give."""

import copy
import json
import os
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from threadpoolctl import threadpool_limits

from sdss_lesson import load_sdss, split_by_object
from tools import mixtures, quality, sample

DATA = Path(__file__).resolve().parents[1] / "data"
BANDS = ["u", "g", "r", "i", "z"]
ARCSECOND = np.radians(1 / 3600)


@pytest.fixture(scope="module")
def fitted() -> dict[str, Any]:
    found: dict[str, Any] = json.loads((DATA / "mixtures.json").read_text(encoding="utf-8"))
    return found


@pytest.fixture(scope="module")
def rows() -> pd.DataFrame:
    """The committed file as pandas reads it, without the package's help."""
    return pd.read_csv(DATA / "sdss_sample.csv")


@pytest.fixture(scope="module")
def real() -> pd.DataFrame:
    path = os.environ.get("SDSS_LESSON_REAL_CSV")
    if not path:
        pytest.skip("Needs real rows: set SDSS_LESSON_REAL_CSV to an SDSS export.")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # ids that a spreadsheet damaged do no harm here
        return load_sdss(path)


# The mixtures


def test_no_component_hides_real_rows(fitted: dict[str, Any]) -> None:
    for name, mixture in fitted["classes"].items():
        stand_for = np.array([component["rows"] for component in mixture["components"]])
        weights = np.array([component["weight"] for component in mixture["components"]])
        assert stand_for.min() >= 10, name
        # What is drawn goes by the weights, so they must tell the same story.
        assert weights.sum() == pytest.approx(1, abs=1e-5)
        np.testing.assert_allclose(weights * mixture["rows"], stand_for, atol=0.1)


@pytest.mark.parametrize("said", ["rows", "weight"])
def test_a_component_for_nine_rows_is_refused(fitted: dict[str, Any], said: str) -> None:
    mixtures.check(fitted)
    hiding = copy.deepcopy(fitted)
    quasars = hiding["classes"]["QSO"]
    quasars["components"][-1][said] = 9.0 if said == "rows" else 9.0 / quasars["rows"]
    with pytest.raises(ValueError, match=r"Component 5 of class QSO stands for \d\.\d rows, fewer than 10"):
        mixtures.check(hiding)


def test_a_small_export_gets_fewer_components(fitted: dict[str, Any]) -> None:
    few = mixtures.fit(sample.draw(fitted).iloc[:700])
    mixtures.check(few)
    assert 1 <= len(few["classes"]["QSO"]["components"]) < mixtures.COMPONENTS["QSO"]
    assert sum(mixture["share"] for mixture in few["classes"].values()) == pytest.approx(1)


def test_one_object_counts_once_however_often_it_was_observed(fitted: dict[str, Any]) -> None:
    once = sample.draw(fitted).drop_duplicates("objid").iloc[:700]
    assert mixtures.fit(pd.concat([once, once])) == mixtures.fit(once)


def test_a_class_without_rows_is_an_error(rows: pd.DataFrame) -> None:
    with pytest.raises(ValueError, match="0 usable rows of class QSO"):
        mixtures.fit(rows[rows["class"] != "QSO"])


@pytest.mark.parametrize("tool", [mixtures, quality])
@pytest.mark.parametrize("arguments", [[], ["no_such_export.csv"]])
def test_without_an_export_the_tools_say_so_in_one_line(
    tool: Any, arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    before = (DATA / "mixtures.json").read_bytes()
    assert tool.main(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert re.fullmatch(r"\w+: (no export was named|there is no file no_such_export.csv)\. Name one: .+\n", said.err)
    assert (DATA / "mixtures.json").read_bytes() == before


def test_the_mixtures_are_stored_as_the_tool_writes_them(fitted: dict[str, Any]) -> None:
    assert (DATA / "mixtures.json").read_text(encoding="utf-8") == mixtures.to_text(fitted)


# The sample


def test_the_committed_sample_is_what_the_command_draws(fitted: dict[str, Any]) -> None:
    drawn = sample.to_bytes(sample.draw(fitted))
    assert (DATA / "sdss_sample.csv").read_bytes() == drawn
    assert b"\r" not in drawn and drawn.endswith(b"\n")


def test_the_command_writes_the_same_file(
    fitted: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sample, "ROOT", tmp_path)
    monkeypatch.setattr(sample, "FILE", tmp_path / "sdss_sample.csv")
    assert sample.main() == 0
    assert [path.name for path in tmp_path.iterdir()] == ["sdss_sample.csv"]
    assert (tmp_path / "sdss_sample.csv").read_bytes() == (DATA / "sdss_sample.csv").read_bytes()


def test_class_shares(rows: pd.DataFrame) -> None:
    assert rows["class"].value_counts().to_dict() == {"GALAXY": 5000, "STAR": 4150, "QSO": 850}


def test_columns_and_types(rows: pd.DataFrame) -> None:
    header = "objid,ra,dec,u,g,r,i,z,run,rerun,camcol,field,specobjid,class,redshift,plate,mjd,fiberid"
    assert ",".join(rows.columns) == header
    assert rows["objid"].dtype == np.int64
    assert rows["specobjid"].dtype == np.uint64
    assert not rows.isna().any().any()


def test_ids_need_all_their_bits(rows: pd.DataFrame) -> None:
    # A float has 53 bits: whoever reads ids as floats must come to grief here as with real ones.
    assert (rows["objid"] > 2**53).all()
    assert rows["objid"].astype(float).nunique() < rows["objid"].nunique() - 100
    assert rows["specobjid"].is_unique
    assert 100 < (rows["specobjid"] >= 2**63).sum() < 1000


def test_ids_have_the_layout_of_sdss(rows: pd.DataFrame) -> None:
    objid, specobjid = rows["objid"], rows["specobjid"].map(int)
    fields = {"rerun": (48, 11), "run": (32, 16), "camcol": (29, 3), "field": (16, 12)}
    for name, (shift, bits) in fields.items():
        assert ((objid // 2**shift) % 2**bits == rows[name]).all(), name
    assert (rows["rerun"] == 0).all()  # no real object has it
    for name, (shift, bits, origin) in {"plate": (50, 14, 0), "fiberid": (38, 12, 0), "mjd": (24, 14, 50_000)}.items():
        assert all((value >> shift) % 2**bits + origin == own for value, own in zip(specobjid, rows[name], strict=True))
    assert all(value % 2**24 == 0 for value in specobjid)  # no real reduction has version 0
    assert rows["camcol"].between(1, 6).all() and rows["fiberid"].between(1, 1000).all()
    assert rows.groupby("plate")["mjd"].nunique().eq(1).all()


def test_three_percent_of_the_objects_have_two_spectra(rows: pd.DataFrame) -> None:
    spectra = rows["objid"].value_counts()
    assert set(spectra) == {1, 2}
    assert (spectra == 2).mean() == pytest.approx(0.03, abs=0.0005)
    by_class = rows[rows["objid"].isin(spectra.index[spectra == 2])]["class"].value_counts() / 2
    np.testing.assert_allclose(by_class / rows["class"].value_counts(), 0.03 / 1.03, atol=0.001)


def test_two_spectra_of_one_object(rows: pd.DataFrame) -> None:
    pairs = rows[rows.duplicated("objid", keep=False)].sort_values("objid", kind="stable")
    first, second = pairs.iloc[::2], pairs.iloc[1::2]
    same = ["objid", "ra", "dec", *BANDS, "run", "rerun", "camcol", "field", "class"]
    pd.testing.assert_frame_equal(first[same].reset_index(drop=True), second[same].reset_index(drop=True))
    assert (first["specobjid"].to_numpy() != second["specobjid"].to_numpy()).all()
    shift = np.abs(first["redshift"].to_numpy() - second["redshift"].to_numpy())
    assert (shift > 0).all()
    assert (shift < 0.002 * (1 + first["redshift"])).all()
    apart = second.index - first.index
    assert apart.min() > 1  # never neighbours
    assert 2000 < apart.to_numpy().mean() < 4500  # 3,333 where both places are random


def test_objects_lie_more_than_an_arcsecond_apart(rows: pd.DataFrame) -> None:
    from scipy.spatial import cKDTree

    objects = rows.drop_duplicates("objid")
    ra, dec = np.radians(objects["ra"]), np.radians(objects["dec"])
    points = np.column_stack([np.cos(dec) * np.cos(ra), np.cos(dec) * np.sin(ra), np.sin(dec)])
    assert not cKDTree(points).query_pairs(ARCSECOND)


def test_close_positions_are_found() -> None:
    ra, dec = np.array([150.0, 150.0, 200.0]), np.array([60.0, 60.0 + 0.9 / 3600, 0.0])
    assert sample.closest(ra, dec) == pytest.approx(0.9, rel=1e-6)


def test_positions_are_uniform_on_the_sphere(rows: pd.DataFrame) -> None:
    assert rows["ra"].between(110, 260).all() and rows["dec"].between(-5, 65).all()
    height = np.sin(np.radians(rows["dec"]))
    middle = np.sin(np.radians([-5, 65])).mean()
    assert (height < middle).mean() == pytest.approx(0.5, abs=0.02)
    assert rows.groupby("class")["dec"].mean().std() < 1  # place says nothing about class


def test_magnitudes_and_redshifts_keep_their_limits(rows: pd.DataFrame) -> None:
    assert (rows[BANDS] > 11).all().all() and (rows[BANDS] < 26).all().all()
    assert (rows["u"] < 19.6).all()
    far = rows["class"] != "STAR"
    assert rows.loc[far, "redshift"].between(0.00099, 7.2).all()
    assert rows.loc[~far, "redshift"].abs().max() < 0.01


def test_draws_beyond_the_limits_are_drawn_again(fitted: dict[str, Any]) -> None:
    narrow = copy.deepcopy(fitted)
    narrow["limits"]["r"] = [16.0, 17.0]
    narrow["nearest"] = 0.05
    drawn = sample.draw(narrow)
    assert len(drawn) == 10_000
    assert drawn["r"].between(16, 17, inclusive="neither").all()
    assert drawn.loc[drawn["class"] != "STAR", "redshift"].min() > 0.049  # second spectra may lie a little lower


def test_rows_are_shuffled(rows: pd.DataFrame) -> None:
    for part in np.array_split(rows["class"].to_numpy(dtype=str), 10):
        assert np.mean(part == "GALAXY") == pytest.approx(0.5, abs=0.06)


def test_the_data_card_says_mock_first_and_explains_each_column(rows: pd.DataFrame) -> None:
    card = (DATA / "README.md").read_text(encoding="utf-8")
    first = next(line for line in card.splitlines() if line and not line.startswith("#"))
    assert "mock" in first.split(".")[0]
    for name in rows.columns:
        assert re.search(rf"^\|.*`{name}`.*\|", card, flags=re.MULTILINE), name
    assert "DR14 export of 10,000 rows" in card


# Against real rows


def test_the_table_gives_means_and_differences() -> None:
    measured = pd.DataFrame(
        [
            (0, "trees", "real on real", 0.90),
            (0, "trees", "mock on real", 0.91),
            (1, "trees", "real on real", 0.92),
            (1, "trees", "mock on real", 0.90),
        ],
        columns=["split", "classifier", "pairing", "accuracy"],
    )
    assert quality.to_markdown(measured).splitlines()[2:] == [
        "| real on real | 91.0 |",
        "| mock on real | 90.5 (-0.5) |",
    ]


@pytest.mark.more
def test_mock_stands_in_for_real(real: pd.DataFrame) -> None:
    """The quality table's cheap version: trees, two splits, with mixtures fitted to this very export."""
    measured = quality.measure(real, mixtures.fit(real), splits=2, classifiers={"trees": quality.trees})
    means = 100 * measured.groupby("pairing")["accuracy"].mean()
    assert len(means) == 5
    assert (means - means["real on real"]).abs().max() < 1.5, means.to_dict()


def test_no_mock_row_is_a_real_one(rows: pd.DataFrame, real: pd.DataFrame) -> None:
    assert rows[BANDS].merge(real[BANDS], on=BANDS).empty
    assert rows[["ra", "dec"]].merge(real[["ra", "dec"]], on=["ra", "dec"]).empty


def test_the_harder_survey_has_other_shares_and_trees_reach_83_percent(harder_csv):
    frame = load_sdss(harder_csv)
    assert frame["class"].value_counts().to_dict() == {"GALAXY": 6000, "STAR": 2100, "QSO": 1900}
    split = split_by_object(frame)
    with threadpool_limits(1):
        assert quality.accuracy(quality.trees, split.train, split.test, 0) == pytest.approx(0.83, abs=0.012)
    bands = frame.groupby("objid")[BANDS]
    assert (bands.nunique() == 1).all(axis=None)  # two spectra, one photograph
