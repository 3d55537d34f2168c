"""Splitting: no object in two sets, sizes as near as the objects allow, nothing lost."""

import warnings

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sdss_lesson import CLASSES, Split, load_sdss, split_by_object


def sets(split):
    return {"train": split.train, "val": split.val, "test": split.test}


def check_shares(frame, split, shares):
    """No class has more rows than its share in a set, unless it is one object, and at most one object fewer."""
    for name, rows in frame.groupby("class"):
        largest = rows.groupby("objid").size().max()
        for which, share in shares.items():
            got = sets(split)[which].query("`class` == @name")
            assert len(got) - share * len(rows) <= 0.5 or got["objid"].nunique() == 1, (name, which)
            assert share * len(rows) - len(got) <= largest, (name, which)


def check_nothing_lost(frame, split):
    parts = sets(split).values()
    together = pd.concat(parts)
    assert together.sort_index().equals(frame)
    assert all(part.index.is_monotonic_increasing for part in parts)
    assert all(part.dtypes.equals(frame.dtypes) for part in parts)


def check_objects_apart(split):
    ids = [set(part["objid"]) for part in sets(split).values()]
    assert not (ids[0] & ids[1] or ids[0] & ids[2] or ids[1] & ids[2])


def test_the_sample_is_split_to_one_row_a_class(sample):
    for seed in range(5):
        split = split_by_object(sample, seed=seed)
        check_objects_apart(split)
        check_nothing_lost(sample, split)
        for which, share in {"train": 0.6, "val": 0.2, "test": 0.2}.items():
            gap = sets(split)[which]["class"].value_counts() - share * sample["class"].value_counts()
            assert (gap.abs() <= 1).all()


@given(
    sizes=st.lists(st.lists(st.sampled_from([1, 1, 1, 2, 3, 7]), min_size=3, max_size=40), min_size=1, max_size=3),
    test_size=st.sampled_from([0, 0.1, 0.2, 0.33, 0.5]),
    val_size=st.sampled_from([0, 0.05, 0.2, 0.4]),
    seed=st.integers(0, 2**32 - 1),
    id_dtype=st.sampled_from([np.int64, np.uint64]),
)
def test_no_object_is_in_two_sets_and_no_row_is_lost(sizes, test_size, val_size, seed, id_dtype):
    rng = np.random.default_rng(seed)
    rows = [
        (2**62 + 1000 * c + k, CLASSES[c]) for c, of in enumerate(sizes) for k, n in enumerate(of) for _ in range(n)
    ]
    frame = pd.DataFrame([rows[i] for i in rng.permutation(len(rows))], columns=["objid", "class"])
    frame = frame.astype({"objid": id_dtype}).assign(u=np.float32(1.5), i8=np.int8(3), w="x")
    split = split_by_object(frame, test_size=test_size, val_size=val_size, seed=seed)
    check_objects_apart(split)
    check_nothing_lost(frame, split)
    check_shares(frame, split, {"test": test_size, "val": val_size})
    # No set that was asked for lacks a class; one that was not is empty.
    for which, share in {"train": 1, "val": val_size, "test": test_size}.items():
        assert sets(split)[which]["class"].nunique() == (len(sizes) if share else 0)


@pytest.mark.parametrize("shares", [(0.2, 0.2), (0.5, 0.4), (0.05, 0.9), (0.9, 0.05), (0.9, 0)])
@pytest.mark.parametrize("n", range(3, 9))
def test_a_rare_class_has_an_object_in_every_set(n, shares):
    frame = pd.DataFrame({"objid": range(n), "class": "QSO"})
    split = split_by_object(frame, test_size=shares[0], val_size=shares[1])
    check_nothing_lost(frame, split)
    assert [len(part) > 0 for part in sets(split).values()] == [True, shares[1] > 0, True]


def test_a_small_class_has_its_shares_where_they_fit():
    split = split_by_object(pd.DataFrame({"objid": range(4), "class": "QSO"}), test_size=0.25, val_size=0.5)
    assert [len(part) for part in sets(split).values()] == [1, 2, 1]


def test_an_object_of_two_classes_stays_whole(sample):
    sample["class"] = np.where(np.arange(len(sample)) % 2 == 0, "STAR", "QSO")
    split = split_by_object(sample)
    check_objects_apart(split)
    check_nothing_lost(sample, split)


def test_the_index_of_the_frame_may_repeat_or_be_anything(sample):
    for index in [np.zeros(len(sample), dtype=int), [f"row {i}" for i in range(len(sample))]]:
        split = split_by_object(sample.set_axis(index))
        assert [len(part) for part in sets(split).values()] == [6_000, 2_000, 2_000]


def test_the_seed_decides_the_split_and_the_global_random_state_is_left_alone(sample):
    state = np.random.get_state()[1].copy()  # noqa: NPY002
    first = split_by_object(sample, seed=3)
    assert (np.random.get_state()[1] == state).all()  # noqa: NPY002
    np.random.seed(1)  # noqa: NPY002
    again = split_by_object(sample, seed=3)
    assert all(a.equals(b) for a, b in zip(sets(first).values(), sets(again).values(), strict=True))
    assert not first.test.index.equals(split_by_object(sample, seed=4).test.index)
    assert split_by_object(sample).test.index.equals(split_by_object(sample, seed=0).test.index)


@pytest.mark.parametrize("seed", [-1, 2**32, 0.0, "0", None])
def test_a_seed_out_of_range_is_refused(sample, seed):
    with pytest.raises(ValueError, match=r"^seed=.*: give a whole number from 0 to 2\*\*32 - 1\.$"):
        split_by_object(sample, seed=seed)


def test_what_the_ids_are_does_not_matter(sample):
    other = split_by_object(sample.assign(objid=-sample["objid"]))
    assert other.test.index.equals(split_by_object(sample).test.index)


def test_the_sets_are_drawn_and_not_cut_from_the_top(sample):
    # Rows of the test set are spread over the file: their mean position is that of all rows.
    middle = split_by_object(sample.sort_values("class", ignore_index=True)).test.index.to_numpy().mean()
    assert abs(middle - 5_000) < 4 * 10_000 / np.sqrt(12 * 2_000)


def test_writing_into_a_set_is_neither_seen_elsewhere_nor_warned_about(sample):
    before, split = sample.copy(), split_by_object(sample)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        split.train["u"] = 0.0
        split.test.loc[split.test.index[0], "g"] = 0.0
    assert sample.equals(before)


def test_the_split_says_how_many_rows_it_has(split):
    assert isinstance(split, Split)
    assert repr(split) == "Split(train=6000, val=2000, test=2000 rows)"


def test_real_rows_are_split_to_one_row_a_class(real_csv):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        frame = load_sdss(real_csv)
    split = split_by_object(frame)
    check_objects_apart(split)
    check_nothing_lost(frame, split)
    gap = split.test["class"].value_counts() - 0.2 * frame["class"].value_counts()
    assert (gap.abs() <= 1).all()


def test_a_category_that_no_row_has_is_no_class(sample):
    names = pd.Categorical(sample["class"], categories=[*CLASSES, "UNKNOWN"])
    found, expected = split_by_object(sample.assign(**{"class": names})), split_by_object(sample)
    assert all(getattr(found, name).index.equals(getattr(expected, name).index) for name in ("train", "val", "test"))
