"""The audit of a split: what leaks is found, with its share and its rows; what only looks alike is not."""

import io
import warnings
from itertools import permutations

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.preprocessing import StandardScaler
from torch.utils.data import Subset, TensorDataset

from sdss_lesson import FEATURES, SDSSDataset, SplitReport, audit_split, load_sdss, split_by_object
from sdss_lesson.auditing.split import examine

ARCSECOND = 1 / 3600


def partners(report, finding):
    """Test row -> training row."""
    rows = report.rows[report.rows["finding"] == finding]
    return dict(zip(rows["test_row"], rows["train_row"], strict=True))


def shares(report):
    return report.findings["share"].to_dict()


def by_row(frame, n_test=2_000):
    mixed = frame.sample(frac=1, random_state=0)
    return mixed[n_test:], mixed[:n_test]


def noise(n, width=4, seed=0):
    return np.random.default_rng(seed).normal(size=(n, width))


# Honest and leaky splits of the catalogue


@pytest.mark.parametrize("seed", range(3))
def test_a_split_by_object_is_clean_whichever_two_sets_are_compared(sample, seed):
    split = split_by_object(sample, seed=seed)
    for a, b in permutations([split.train, split.val, split.test], 2):
        report = audit_split(a, b)
        assert report.ok and report.share == 0 and report.rows.empty and report.findings.empty
        assert not report.notes
        assert [what.split()[0] for what in report.compared] == ["rows,", "objects", "positions"]


def test_a_split_of_real_rows_is_clean(real_csv):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        split = split_by_object(load_sdss(real_csv))
    for a, b in permutations([split.train, split.val, split.test], 2):
        assert audit_split(a, b).ok


def test_a_split_by_row_leaks_the_repeat_spectra_and_they_are_counted(sample):
    train, test = by_row(sample)
    known = test["objid"].isin(train["objid"]).to_numpy()
    assert 50 < known.sum() < 200
    report = audit_split(train, test)
    assert not report.ok
    assert report.share == known.mean()
    assert shares(report) == dict.fromkeys(["identical row", "shared object", "shared position"], known.mean())
    for finding in report.findings.index:
        pairs = partners(report, finding)
        assert list(pairs) == list(np.flatnonzero(known))
        left, right = train.iloc[list(pairs.values())], test.iloc[list(pairs)]
        assert (left["objid"].to_numpy() == right["objid"].to_numpy()).all()
        assert (left["specobjid"].to_numpy() != right["specobjid"].to_numpy()).all()
    assert report.rows.dtypes[["test_row", "train_row"]].tolist() == [np.int64, np.int64]


@pytest.mark.parametrize("alone", ["identical row", "shared object", "shared position"])
def test_each_finding_is_made_without_the_others(sample, alone):
    train, test = by_row(sample)
    known = test["objid"].isin(train["objid"]).mean()
    if alone != "identical row":
        test = test.assign(**{name: test[name] + 0.01 for name in FEATURES})
    if alone != "shared object":
        test = test.drop(columns="objid")
    if alone != "shared position":
        test = test.drop(columns="ra")
    assert shares(audit_split(train, test)) == {alone: known}


def test_the_share_in_all_counts_a_row_once_whatever_was_found():
    train = pd.DataFrame({"objid": [1, 2, 3, 4], "u": [0.5, 1.5, 2.5, 3.5]})
    test = pd.DataFrame({"objid": [1, 2, 9, 8, 7], "u": [0.5, 7.25, 2.5, 9.5, 8.5]})
    report = audit_split(train, test, columns="u")
    assert shares(report) == {"identical row": 0.4, "shared object": 0.4}
    assert report.share == 0.6


def test_the_story_loads_one_file_twice(sample):
    report = audit_split(sample, load_sdss())
    assert report.share == 1
    assert set(shares(report)) == {"identical row", "shared object", "shared position"}
    assert set(shares(report).values()) == {1.0}


def test_rows_that_repeat_within_a_set_are_no_leak():
    a, b = noise(100), noise(50, seed=1)
    assert audit_split(a, np.concatenate([b, b, b])).ok
    assert audit_split(np.concatenate([a, a, a]), b).ok


# Identical rows


def through_csv(frame):
    return pd.read_csv(io.StringIO(frame.to_csv(index=False)))


@pytest.mark.parametrize(
    "change",
    {
        "a copy": pd.DataFrame.copy,
        "float32": lambda frame: frame.astype(np.float32),
        "float32 and a file": lambda frame: through_csv(frame.astype(np.float32)),
        "columns in another order": lambda frame: frame[frame.columns[::-1]],
        "another index": lambda frame: frame.set_axis([f"row {i}" for i in range(len(frame))]),
        "nullable": lambda frame: frame.astype("Float64"),
    }.items(),
    ids=lambda item: item[0],
)
def test_a_row_is_found_whatever_it_went_through(change):
    frame = pd.DataFrame(noise(200), columns=list("abcd")) * [1, 1e-6, 1e6, 1] + [0, 0, 0, 20]
    frame.iloc[3, 1], frame.iloc[4] = np.nan, np.nan
    frame.iloc[5, 0] = 0.0
    order = np.random.default_rng(5).permutation(80)
    test = frame.iloc[order].copy()
    test.loc[test["a"] == 0, "a"] = -0.0
    for report in (audit_split(frame, change[1](test)), audit_split(change[1](frame), test)):
        assert partners(report, "identical row") == dict(enumerate(order))


def test_a_row_that_differs_in_one_value_is_another_row():
    a = noise(50, 4).astype(np.float32)
    b = a.copy()
    b[:, 3] = np.nextafter(b[:, 3], np.float32(9))
    b[10, 2] = np.nan
    assert audit_split(a, b[:20]).ok


def test_a_missing_value_is_the_same_whatever_its_sign():
    a = noise(9)
    a[:, 1] = np.nan
    b = a.copy()
    b[:, 1] = np.copysign(np.nan, -1)
    assert shares(audit_split(a, b)) == {"identical row": 1.0}


def test_the_first_partner_is_named():
    train = np.array([[5.5, 1], [7.25, 2], [7.25, 2], [8.5, 3]])
    assert partners(audit_split(train, train[[2, 0]]), "identical row") == {0: 1, 1: 0}


def test_numbers_of_any_dtype_and_size_are_compared():
    a = np.arange(60).reshape(20, 3) ** 2
    for other in [a.astype(np.uint16), a.astype(np.float64), torch.tensor(a), torch.tensor(a).to(torch.float32)]:
        assert audit_split(a, other[:7]).share == 1
    assert audit_split(noise(20) * 1e300, noise(20, seed=1) * 1e300).ok  # infinite in float32, and so all alike
    assert audit_split(pd.DataFrame(noise(20) * 1e300), pd.DataFrame(noise(20, seed=1) * 1e300)).ok
    assert audit_split(torch.tensor(noise(9)).half(), torch.tensor(noise(9)).half()[2:4].requires_grad_()).share == 1
    assert audit_split(noise(30)[:, 0], noise(30)[:5, 0]).share == 1


# Coincidences


@pytest.mark.parametrize("width", [1, 2, 6, 10])
def test_yes_and_no_columns_coincide_by_chance_and_that_is_no_proof(width):
    table = np.random.default_rng(0).integers(0, 2, (3_000, width))
    train, test = table[:2_000], table[2_000:]
    expected = np.mean([(row == train).all(axis=1).any() for row in test])
    report = audit_split(train, test)
    assert report.ok and report.share == 0
    assert shares(report) == {"coincidence": expected}
    assert f"{expected:.1%} of the test rows equal a training row" in report.notes[0]
    assert "neither shows a leak" in str(report) and "coincidences" in report.verdict
    told = float(report.notes[0].partition("up to about ")[2].partition("%")[0]) / 100
    assert told == pytest.approx(expected, abs=0.05)


def test_columns_that_go_together_coincide_by_chance_as_well():
    rng = np.random.default_rng(0)
    age = rng.integers(18, 90, 2_000)
    ill = (rng.random((2_000, 1)) < 0.3) & (rng.random((2_000, 12)) < 0.5)
    for table in [np.column_stack([age, age // 10]), ill, np.repeat(age[:, None] % 2, 8, axis=1)]:
        assert list(shares(audit_split(table[:1_000], table[1_000:]))) == ["coincidence"]


def test_one_column_of_floats_meets_itself_in_float32():
    values = np.random.default_rng(0).normal(size=(100_000, 1))
    report = audit_split(values[:50_000], values[50_000:])
    assert report.ok and 0 < shares(report)["coincidence"] < 0.01
    assert not audit_split(values[:1_000], values[500:1_000]).ok


def test_coarse_rows_are_proof_where_there_are_too_many_for_chance():
    bits = np.random.default_rng(0).integers(0, 2, (900, 40))
    assert audit_split(bits[:600], bits[600:]).ok
    assert shares(audit_split(bits[:600], bits[550:])) == {"identical row": 50 / 350}


@pytest.mark.parametrize(("expected", "most"), [(0, 0), (1, 13), (100, 400)])
def test_clearly_more_than_chance_is_three_times_as_many_and_ten_times_the_scatter(expected, most):
    assert not examine._more_than_chance(most, expected) and examine._more_than_chance(most + 1, expected)


def test_a_rare_coincidence_is_no_proof():
    met = 0
    for seed in range(30):
        bits = np.random.default_rng(seed).integers(0, 2, (900, 20))
        report = audit_split(bits[:600], bits[600:])
        assert report.ok
        met += len(report.rows)
    assert met > 0


def test_constant_columns_do_not_make_a_copy_look_like_chance():
    a = np.column_stack([np.zeros((300, 6)), noise(300)])
    assert shares(audit_split(a, a[:7])) == {"identical row": 1.0}


def test_rows_that_were_repeated_before_the_split_are_no_coincidence():
    rare = np.repeat(noise(20, 3, seed=1), 50, axis=0)
    table = np.random.default_rng(0).permutation(np.concatenate([noise(1_500, 3), rare]))
    report = audit_split(table[:2_000], table[2_000:])
    assert list(shares(report)) == ["identical row"]
    assert report.share == pytest.approx(0.4, abs=0.05)


@pytest.mark.parametrize("n", [1, 2, 3])
def test_a_handful_of_rows_is_enough(n):
    assert audit_split(noise(n), noise(n)).share == 1
    assert audit_split(noise(n), noise(n, seed=1)).ok
    assert audit_split(labelled(range(n)), labelled(range(n))).share == 1


# Scaled copies


@given(
    n=st.integers(5, 60),
    width=st.integers(1, 6),
    seed=st.integers(0, 2**32 - 1),
    power=st.integers(-6, 6),
    dtype=st.sampled_from([np.float32, np.float64]),
    gap=st.booleans(),
    swap=st.booleans(),
)
def test_a_scaled_and_shuffled_copy_is_found_with_every_partner(n, width, seed, power, dtype, gap, swap):
    rng = np.random.default_rng(seed)
    train = rng.gamma(2, size=(n, width))  # the longer tail tells which way round a column is
    if gap and width > 1:
        train[rng.integers(n), rng.integers(width)] = np.nan
    factor = rng.uniform(0.5, 2, width) * rng.choice([-1, 1], width) * 10.0**power
    order = rng.permutation(n)
    test = ((train + rng.normal(size=width)) * factor)[order].astype(dtype)
    if swap:
        train, test, order = test, train, np.argsort(order)
    report = audit_split(train, test)
    assert shares(report) == {"scaled copy": 1.0}
    assert report.share == 1
    assert partners(report, "scaled copy") == dict(enumerate(order))


def test_a_data_set_that_was_standardised_by_itself_is_known_in_its_old_units(split):
    scaled = SDSSDataset(split.train, scaler=StandardScaler().fit(split.train[FEATURES]))
    old = SDSSDataset(split.train.sample(frac=1, random_state=0))
    assert shares(audit_split(scaled, old)) == {"scaled copy": 1.0}
    frame = split.train[[*FEATURES, "class"]]
    scaled = frame.assign(**pd.DataFrame(StandardScaler().fit_transform(frame[FEATURES]), frame.index, FEATURES))
    assert shares(audit_split(scaled, frame)) == {"scaled copy": 1.0}


def test_an_export_of_many_columns_is_known_after_its_pixels_were_scaled():
    images = np.random.default_rng(0).integers(0, 256, (60, 3, 8, 8), dtype=np.uint8)
    images[:, :, :2] = 0
    for copy in (images / 255, 1 - images / 255):
        report = audit_split(images, torch.tensor(copy).flip(0))
        assert partners(report, "scaled copy") == dict(enumerate(range(59, -1, -1)))


def test_a_copy_is_known_by_the_few_columns_that_vary():
    wide = np.zeros((60, 5_000))
    wide[:, [7, 4_000]] = noise(60, 2)
    assert shares(audit_split(wide, 2 * wide + 1)) == {"scaled copy": 1.0}


@pytest.mark.parametrize(("n", "offset"), [(60, 2_000), (20_000, 20)])
@pytest.mark.parametrize("width", [1, 4])
def test_what_float32_rounds_away_does_not_hide_a_copy(n, offset, width):
    a = noise(n, width) + offset
    scaled = StandardScaler().fit_transform(a)[::-1].astype(np.float32)
    assert shares(audit_split(a, scaled))["scaled copy"] == 1


@given(n=st.integers(5, 3_000), width=st.integers(1, 5), seed=st.integers(0, 2**32 - 1), flat=st.booleans())
def test_a_similar_distribution_is_no_copy(n, width, seed, flat):
    rng = np.random.default_rng(seed)
    a, b = rng.uniform(size=(2, n, width)) if flat else rng.normal(size=(2, n, width))
    assert audit_split(a, 3 * b + 1).ok
    # Only one row is another one.
    b = a * 2 + 5
    b[n // 2] += 0.5
    assert "scaled copy" not in shares(audit_split(a, b))


def test_a_copy_is_found_though_some_rows_stayed_the_same():
    a = noise(30)
    a[4] = 0
    assert shares(audit_split(a, 2 * a)) == {"identical row": 1 / 30, "scaled copy": 1.0}


def test_what_any_two_sets_may_have_in_common_is_no_copy():
    hours = np.arange(500.0)[:, None]
    assert audit_split(hours[:250], hours[250:]).ok  # an evenly spaced column
    counts = np.column_stack([hours, hours[::-1]])
    assert audit_split(counts[:250], counts[250:]).ok
    assert audit_split(np.ones((20, 2)), np.zeros((20, 2))).ok  # constant columns
    assert audit_split(np.ones((20, 2)), noise(20, 2)).ok
    few = np.array([[1.0], [2], [4], [9]])
    assert audit_split(few, 2 * few + 3).ok  # two numbers explain much of four rows
    yes = np.repeat([[0], [1]], 500, axis=0)
    assert audit_split(yes, 2 * yes + 7).ok  # two values, as often
    assert audit_split(noise(50), noise(50) * np.nan).ok


# The sky


def haversine(ra, dec, other_ra, other_dec):
    ra, dec, other_ra, other_dec = np.deg2rad([ra, dec, other_ra, other_dec])
    a = np.sin((dec - other_dec) / 2) ** 2 + np.cos(dec) * np.cos(other_dec) * np.sin((ra - other_ra) / 2) ** 2
    return np.rad2deg(2 * np.arcsin(np.sqrt(a)))


def sky(ra, dec):
    return pd.DataFrame({"ra": np.atleast_1d(ra), "dec": np.atleast_1d(dec)}, dtype=float)


@given(
    ra=st.one_of(st.floats(0, 360), st.sampled_from([0.0, 1e-5, 359.99999, 360.0])),
    dec=st.one_of(st.floats(-90, 90), st.sampled_from([-90.0, -89.9999, 0.0, 89.9999, 90.0])),
    away=st.floats(0, 2),
    angle=st.floats(0, 2 * np.pi),
)
def test_positions_meet_within_an_arcsecond_anywhere_on_the_sky(ra, dec, away, angle):
    turn = np.deg2rad(away * ARCSECOND)
    other_dec = np.clip(dec + np.rad2deg(turn) * np.sin(angle), -90, 90)
    across = np.cos(np.deg2rad(dec))
    other_ra = (ra + np.rad2deg(turn) * np.cos(angle) / across) % 360 if across > 1e-5 else (ra + 180) % 360
    distance = haversine(ra, dec, other_ra, other_dec) / ARCSECOND
    if abs(distance - 1) > 1e-3:
        report = audit_split(sky([12, ra], [34, dec]), sky(other_ra, other_dec))
        assert partners(report, "shared position") == ({0: 1} if distance < 1 else {})


def test_an_arcsecond_is_an_arcsecond():
    for dec in (0, 80):
        near, far = (sky(10, dec + away * ARCSECOND) for away in (0.999, 1.001))
        assert not audit_split(sky(10, dec), near).ok
        assert audit_split(sky(10, dec), far).ok


def test_the_nearest_place_is_the_partner_and_a_missing_one_is_nowhere():
    train = sky([np.nan, 10, 10 + 0.8 * ARCSECOND, 40, 50], [0, 0, 0, 90.5, 5])
    test = sky([np.nan, 10 + 0.7 * ARCSECOND, 40, 50], [0, 0, 90.5, np.nan])
    assert partners(audit_split(train, test), "shared position") == {1: 2}
    nowhere = test[3:].reset_index(drop=True)
    assert audit_split(train, nowhere).ok and audit_split(nowhere, train).ok
    assert audit_split(train.astype("Float64").mask(train["dec"] == 5), test).share == 0.25


def test_thousands_of_rows_in_one_place_are_no_trouble():
    assert audit_split(sky([0] * 20_000, [0] * 20_000), sky([0] * 20_000, [0] * 20_000)).share == 1


# Ids


def objects(ids, seed=0, **more):
    ids = pd.Series(ids)
    return pd.DataFrame({"objid": ids, "u": np.random.default_rng(seed).normal(size=len(ids)), **more})


def test_ids_of_64_bits_are_compared_digit_by_digit():
    big = 2**60
    near = objects(np.array([big + 1, big + 2])), objects(np.array([big, big + 3], dtype=np.uint64), 1)
    assert audit_split(*near).ok
    for dtype in [np.uint64, np.int64, "Int64", str, object, "category"]:
        report = audit_split(near[0], objects(np.array([big, big + 2]), 1).astype({"objid": dtype}))
        assert partners(report, "shared object") == {1: 1}, dtype


def test_a_missing_id_is_nobodys():
    for missing in [np.nan, None, pd.NA]:
        train, test = objects([1, missing, 3]), objects([missing, 3, missing], 1)
        assert partners(audit_split(train, test), "shared object") == {1: 2}
        place = {"ra": [10.0, 20.0, 30.0], "dec": [0.0, 0.0, 0.0]}  # those without an id lie apart
        report = audit_split(train.assign(**place), test.assign(**place).assign(ra=[50.0, 30.0, 60.0]))
        assert partners(report, "shared object") == {1: 2}
        text = test.assign(objid=[pd.NA, "3", pd.NA])
        numbers = objects(pd.array([1, None, 3], dtype="Int64"))
        assert partners(audit_split(numbers, text), "shared object") == {1: 2}
        train, test = train.assign(ward="a"), test.assign(ward="a")
        assert partners(audit_split(train, test, keys=["ward", "objid"]), "shared object") == {1: 2}
    # A missing value makes whole numbers floats.
    whole, gaps = objects([1, 2, 3]), objects([np.nan, 3.0, np.nan], 1)
    assert partners(audit_split(whole, gaps), "shared object") == {1: 2}
    text = gaps.assign(objid=[None, "3.0", None])
    assert partners(audit_split(objects([1, np.nan, 3]), text), "shared object") == {1: 2}


@pytest.mark.parametrize(
    "ids",
    [
        [1.23764870457714e18, 1.23764870457715e18],
        ["1.23764870457714E+018", "1.23764870457715E+018"],
        [1237648704577140000, 1237648704577150000],  # whole numbers again, but the rows lie apart
    ],
    ids=["floats", "text", "integers"],
)
def test_ids_that_a_spreadsheet_has_rounded_are_not_used(ids):
    train = objects(ids, ra=[10.0, 20.0], dec=[0.0, 0.0])
    test = objects(ids, 1, ra=[30.0, 40.0], dec=[0.0, 0.0])
    report = audit_split(train, test)
    assert report.ok
    assert "objid identifies nothing: a spreadsheet has rounded it" in report.notes[0]
    assert "objid" in str(report) and "objects by" not in "".join(report.compared)
    with pytest.raises(ValueError, match=r"keys: objid identifies nothing.*Name other keys"):
        audit_split(train, test, keys="objid")


def test_one_id_of_rows_that_lie_apart_is_enough():
    train = objects([1, 2], ra=[10.0, 20.0], dec=[0.0, 0.0])
    report = audit_split(train, objects([1, 3], 1, ra=[30.0, 40.0], dec=[0.0, 0.0]))
    assert report.ok and "objid identifies nothing" in report.notes[0]


def test_ids_are_used_where_positions_agree_or_are_missing():
    ids = [1237648704577140000, 1237648704577150000]
    place = {"ra": [10.0, 20.0], "dec": [0.0, 0.0]}
    assert shares(audit_split(objects(ids, **place), objects(ids, 1, **place)))["shared object"] == 1
    lost = {"ra": [np.nan, 20.0], "dec": [0.0, 0.0]}
    assert shares(audit_split(objects(ids, **place), objects(ids, 1, **lost)))["shared object"] == 1


def test_rounded_ids_and_nothing_else_leave_nothing_to_compare():
    with pytest.raises(ValueError, match="nothing to compare"):
        audit_split(pd.DataFrame({"objid": [1e18]}), pd.DataFrame({"objid": [1e18]}))


def test_keys_name_an_object_together():
    train = pd.DataFrame({"ward": ["a", "a", "b"], "bed": [1, 2, 1], "x": [0.1, 0.2, 0.3]})
    test = pd.DataFrame({"bed": [2, 1, 3], "ward": ["b", "b", "a"], "x": [0.4, 0.5, 0.6]})
    report = audit_split(train, test, keys=["ward", "bed"])
    assert partners(report, "shared object") == {1: 2}
    assert "objects by ward, bed" in str(report)
    assert shares(audit_split(train, test, keys="ward")) == {"shared object": 1.0}
    assert audit_split(train[["ward"]], test[["ward"]], keys="ward").share == 1  # no features at all


def test_a_key_is_no_feature():
    train = pd.DataFrame({"patient": [1, 2, 3], "x": [0.1, 0.2, 0.3]})
    assert "identical row" in shares(audit_split(train, train.assign(patient=[4, 5, 6]), keys="patient"))


def test_groups_may_lie_apart_if_they_are_named():
    train, test = sky([10, 20], [0, 0]).assign(plate=[7, 8]), sky([30, 40], [0, 0]).assign(plate=[8, 9])
    assert partners(audit_split(train, test, keys="plate"), "shared object") == {0: 1}


# Columns


def test_the_features_are_the_numeric_columns_that_are_no_ids():
    names = ["PassengerId", "user_id", "id", "ID", "Unnamed: 0", "index", "class", "label", "target", "mjd", "Plate"]
    kept = ["x", "valid", "paid", "grid", 7]
    values = {name: noise(30, 1, seed=i)[:, 0] for i, name in enumerate([*kept, *names])}
    train, test = pd.DataFrame(values), pd.DataFrame(values)
    test[names] += 1
    train["text"] = test["text"] = "same"
    train["only here"] = 1.0
    report = audit_split(train, test[::-1])
    assert report.compared == ("rows, and scaled copies of them, by x, valid, paid, grid, 7",)
    assert report.share == 1
    assert "scaled copies of them, by x, PassengerId;" not in str(report)
    report = audit_split(train, test, columns=["PassengerId", "x"])
    assert report.compared == ("rows, and scaled copies of them, by PassengerId, x",)
    assert shares(report) == {"scaled copy": 1.0}
    assert "identical row" in shares(audit_split(train, test, columns="x"))


def test_of_a_catalogue_the_magnitudes_are_the_features(sample):
    twin = sample.assign(redshift=sample["redshift"] + 1, colour=np.arange(len(sample)))
    found = audit_split(sample.assign(colour=0.5), twin)
    assert shares(found)["identical row"] == 1
    assert "by u, g, r, i, z" in found.compared[0]
    without = audit_split(sample.drop(columns="u"), twin)
    assert "by g, r, i, z, redshift" in without.compared[0]


def test_true_and_false_are_features():
    frame = pd.DataFrame({"x": noise(9, 1)[:, 0], "b": [True, False, True] * 3})
    assert audit_split(frame, frame[2:5]).share == 1


# Datasets and arrays


def test_datasets_are_read_as_they_would_be_trained_on(split, sample):
    scaler = StandardScaler().fit(split.train[FEATURES])
    train, val = SDSSDataset(split.train, scaler=scaler), SDSSDataset(split.val, scaler=scaler)
    assert audit_split(train, val).ok
    whole = SDSSDataset(sample)
    order = torch.randperm(len(whole), generator=torch.Generator().manual_seed(0))
    a, b = Subset(whole, order[2_000:]), Subset(whole, order[:2_000].tolist())
    known = sample["objid"].iloc[order[:2_000]].isin(sample["objid"].iloc[order[2_000:]]).mean()
    report = audit_split(a, b)
    assert shares(report) == {"identical row": known}
    assert report.classes.index.tolist() == ["GALAXY", "QSO", "STAR"]


def test_a_tensor_dataset_an_array_and_a_tensor_hold_the_same_rows():
    images = noise(40, 3 * 4 * 4).reshape(40, 3, 4, 4).astype(np.float32)
    forms = [images, torch.tensor(images), TensorDataset(torch.tensor(images), torch.zeros(40, dtype=torch.int64))]
    for a in forms:
        for b in [images[30:], torch.tensor(images[30:]), Subset(forms[2], range(30, 40))]:
            assert partners(audit_split(a, b), "identical row") == {i: 30 + i for i in range(10)}
    assert audit_split(images[:30], images[30:]).compared == ("rows, and scaled copies of them, by all features",)


# Labels


def test_class_shares_stand_side_by_side():
    train = pd.DataFrame({"x": noise(4, 1)[:, 0], "class": ["b", "a", "a", "a"]})
    test = pd.DataFrame({"x": noise(2, 1, seed=1)[:, 0], "class": ["c", "a"]})
    classes = audit_split(train, test).classes
    assert classes.to_dict("index") == {
        "a": {"train": 0.75, "test": 0.5},
        "b": {"train": 0.25, "test": 0.0},
        "c": {"train": 0.0, "test": 0.5},
    }
    assert list(classes) == ["train", "test"] and classes.index.name == "class"
    assert "0.750" in str(audit_split(train, test)) and "0.750" in audit_split(train, test)._repr_html_()
    assert audit_split(train, test.drop(columns="class")).classes is None
    renamed = [frame.rename(columns={"class": "target"}).astype({"target": "category"}) for frame in (train, test)]
    assert audit_split(*renamed).classes.equals(classes)


def labelled(labels, seed=0):
    return TensorDataset(torch.tensor(noise(len(labels), seed=seed)), torch.as_tensor(labels))


def test_a_label_without_a_name_leaves_all_of_them_numbers():
    for labels, known in [([0, 1], ["a", "b"]), ([0, 2], ["0", "2"]), ([0, 3], ["0", "3"])]:
        data, other = labelled(labels), labelled(labels, 1)
        data.classes = other.classes = ("a", "b")
        assert audit_split(data, other).classes.index.tolist() == known


def test_labels_of_a_dataset_are_whole_numbers_in_their_order():
    report = audit_split(labelled([10, 2, 0, 0]), labelled([[2], [10], [2], [2]], 1))
    assert report.classes.index.tolist() == ["0", "2", "10"]
    assert report.classes["test"].tolist() == [0, 0.75, 0.25]
    for labels in [[0.5, 1.5], [[0, 1], [1, 0]]]:
        assert audit_split(labelled(labels), labelled(labels, 1)).classes is None
    for n in (1_000, 1_001):
        assert (audit_split(labelled(range(n)), labelled(range(n), 1)).classes is None) == (n > 1_000)


# The report


def test_the_report_says_what_is_wrong_how_to_mend_it_and_where_it_is_explained(sample):
    train, test = by_row(sample)
    report = audit_split(train, test)
    assert isinstance(report, SplitReport)
    assert (report.n_train, report.n_test) == (len(train), 2_000)
    assert report.rows.index.equals(pd.RangeIndex(len(report.rows)))
    n = int(test["objid"].isin(train["objid"]).sum())
    sentence = f"Leak: {n} of 2000 test rows ({n / 2000:.1%}) are known from the training set"
    assert report.verdict.startswith(sentence)
    for text in (str(report), repr(report), report._repr_html_()):
        for words in [sentence, f"shared object: {n} test rows", "split_by_object", "03_leakage", "by objid", "GALAXY"]:
            assert words in text
    good = audit_split(*(getattr(split_by_object(sample), which) for which in ("train", "test")))
    assert good.verdict == "No leak found: of 2000 test rows none is known from the training set."
    assert str(good).startswith(good.verdict) and "03_leakage" in str(good) and "What to do" not in str(good)
    assert list(report.findings) == ["test_rows", "share", "mend"]
    assert report.findings["test_rows"].tolist() == [n, n, n]


def test_the_report_has_these_lines_in_this_order():
    rows = pd.DataFrame(
        {"test_row": [0, 1, 1], "finding": ["coincidence", "scaled copy", "coincidence"], "train_row": 0}
    )
    classes = pd.DataFrame({"train": [1.0], "test": [0.5]}, index=pd.Index(["<A>"], name="class"))
    report = SplitReport(9, 4, rows, classes, ("rows by u", "objects by <id>"), ("Note.",))
    lines = [
        "scaled copy: 1 test rows (25.0%). What to do: draw other rows for the test; fit one scaler, on the training "
        "rows, and give it to both sets.",
        "coincidence: 2 test rows (50.0%). What to do: nothing, as far as this tells; ids would decide it: "
        "audit_split(..., keys=...).",
        "Note.",
        "Compared: rows by u; objects by <id>.",
        "Explained in notebooks/03_leakage.ipynb.",
    ]
    verdict = (
        "Leak: 1 of 4 test rows (25.0%) are known from the training set, so the test score does not say how the model "
        "does on new ones."
    )
    table = ["Class shares:", "train test", "class", "<A> 1.000 0.500"]
    told = [verdict, *(f"- {line}" for line in lines), *table]
    assert [" ".join(line.split()) for line in str(report).split("\n")] == told
    html = report._repr_html_()
    start = f"<p><b>{verdict}</b></p><ul>" + "".join(f"<li>{line}</li>" for line in lines) + "</ul><table"
    assert html.startswith(start.replace("<id>", "&lt;id&gt;"))
    assert all(cell in html for cell in ["<th>&lt;A&gt;</th>", "<td>1.000</td>", "<td>0.500</td>"])
    only = SplitReport(9, 4, rows[rows["finding"] == "coincidence"], None, ("rows by u",), ())
    assert only.ok and only.verdict == (
        "No leak found: of 4 test rows none is known from the training set, apart from coincidences of coarse features."
    )
    assert only._repr_html_().endswith("ipynb.</li></ul>")


@pytest.mark.parametrize("n", [12, 13])
def test_of_many_classes_a_dozen_is_shown(n):
    names = [f"c{number:02}" for number in range(n)]
    report = audit_split(*[pd.DataFrame({"u": noise(n, 1, seed)[:, 0], "class": names}) for seed in (0, 1)])
    for text in (str(report), report._repr_html_()):
        assert sum(name in text for name in names) == 12


def test_names_from_the_data_are_no_html():
    frame = pd.DataFrame({"<b>x": noise(3, 1)[:, 0], "class": "<i>"})
    page = audit_split(frame, frame)._repr_html_()
    assert "<b>x" not in page and "<i>" not in page and "&lt;b&gt;x" in page


# Nothing is changed, and what cannot be judged is an error


def test_nothing_is_changed():
    frame = pd.DataFrame(noise(20).astype(np.float32), columns=list("abcd")).assign(objid=1, ra=-0.0, dec=0.0)
    frame.iloc[0, 0], frame.iloc[1, 1] = np.nan, -0.0
    before = frame.copy()
    audit_split(frame, frame[:5])
    assert frame.equals(before) and np.signbit(frame["ra"]).all() and np.signbit(frame.iloc[1, 1])
    values = torch.full((6, 2), -0.0)
    values[2] = torch.nan
    copy = values.clone()
    state = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    for data in (values, values.numpy(), TensorDataset(values, torch.zeros(6, dtype=torch.int64))):
        audit_split(data, data)
    assert torch.equal(values.nan_to_num(7), copy.nan_to_num(7)) and torch.signbit(values).equal(torch.signbit(copy))
    assert torch.equal(torch.get_rng_state(), state[0])
    assert (np.random.get_state()[1] == state[1]).all()  # noqa: NPY002
