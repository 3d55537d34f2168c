"""The dataset: magnitudes in torch's default dtype, class indices, and nothing fitted silently."""

import copy
import pickle

import numpy as np
import pytest
import torch
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import RobustScaler, StandardScaler
from torch.utils.data import ConcatDataset, DataLoader, Dataset, Subset, default_collate

from sdss_lesson import CLASSES, FEATURES, NeuralNet, SDSSDataset, evaluate

FORKS = "fork" in torch.multiprocessing.get_all_start_methods()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_items_are_features_in_the_default_dtype_and_a_label(sample, dtype):
    torch.set_default_dtype(dtype)
    dataset = SDSSDataset(sample)
    features, label = dataset[7]
    assert isinstance(dataset, Dataset)
    assert (features.dtype, features.shape) == (dtype, (5,))
    assert (label.dtype, label.shape) == (torch.int64, ())
    assert len(dataset) == len(sample)
    row = sample.iloc[7]
    assert features.tolist() == torch.tensor(row[FEATURES].tolist(), dtype=dtype).tolist()
    assert CLASSES[label] == row["class"]


def test_labels_are_the_positions_of_the_class_names(sample):
    labels = SDSSDataset(sample).labels
    assert labels.tolist() == [CLASSES.index(name) for name in sample["class"]]
    assert SDSSDataset.classes == CLASSES == ("GALAXY", "QSO", "STAR")
    assert FEATURES == ["u", "g", "r", "i", "z"]


@pytest.mark.parametrize("features", [["r"], ["z", "u", "redshift"], ("g", "r")])
def test_any_columns_may_be_features_in_the_order_given(sample, features):
    expected = sample[list(features)].to_numpy()
    assert np.array_equal(SDSSDataset(sample, features=features).features, expected.astype(np.float32))


@pytest.mark.parametrize("fit_on", ["frame", "array"])
@pytest.mark.parametrize(
    "scaler", [StandardScaler(), RobustScaler(), make_pipeline(StandardScaler(), PCA(3)), StandardScaler(copy=False)]
)
def test_all_sets_get_the_scaling_of_the_training_rows(split, scaler, fit_on):
    torch.set_default_dtype(torch.float64)
    train = split.train[FEATURES]
    scaler.fit(train.copy() if fit_on == "frame" else train.to_numpy().copy())
    before, rows = pickle.dumps(scaler), [part.copy() for part in (split.train, split.val, split.test)]
    sets = [SDSSDataset(part, scaler=scaler) for part in (split.train, split.val, split.test)]
    assert pickle.dumps(scaler) == before
    assert all(part.equals(old) for part, old in zip((split.train, split.val, split.test), rows, strict=True))
    if isinstance(scaler, StandardScaler):
        mean, std = train.to_numpy().mean(axis=0), train.to_numpy().std(axis=0)
        for dataset, part in zip(sets, rows, strict=True):
            assert np.allclose(dataset.features, (part[FEATURES].to_numpy() - mean) / std, rtol=0, atol=1e-12)
        # Only the training rows come out centred: had each set been scaled by itself, all three would.
        centres = [dataset.features.mean(dim=0).abs().max().item() for dataset in sets]
        assert centres[0] < 1e-10 < 1e-4 < min(centres[1:])


def test_a_scaler_with_frames_as_output_is_as_good(split):
    plain, framed = StandardScaler().fit(split.train[FEATURES]), StandardScaler().fit(split.train[FEATURES])
    framed.set_output(transform="pandas")
    assert torch.equal(SDSSDataset(split.val, scaler=plain).features, SDSSDataset(split.val, scaler=framed).features)


@pytest.mark.parametrize("scaler", [StandardScaler(), make_pipeline(StandardScaler(), PCA(2))])
def test_an_unfitted_scaler_is_an_error_with_the_remedy_and_stays_unfitted(split, scaler):
    before = copy.deepcopy(scaler)
    with pytest.raises(ValueError, match=r"not fitted.*fit\(split\.train\[FEATURES\]\)") as caught:
        SDSSDataset(split.test, scaler=scaler)
    assert type(caught.value) is ValueError
    assert repr(vars(scaler)) == repr(vars(before))


def test_a_loader_asks_for_whole_batches(sample, monkeypatch):
    calls = []
    many, one = SDSSDataset.__getitems__, SDSSDataset.__getitem__
    monkeypatch.setattr(SDSSDataset, "__getitems__", lambda self, at: calls.append(len(at)) or many(self, at))
    monkeypatch.setattr(SDSSDataset, "__getitem__", lambda self, at: calls.append(at) or one(self, at))
    dataset = SDSSDataset(sample.head(100))
    batches = list(DataLoader(dataset, batch_size=32))
    assert calls == [32, 32, 32, 4]
    assert torch.equal(torch.cat([x for x, _ in batches]), dataset.features)
    assert torch.equal(torch.cat([y for _, y in batches]), dataset.labels)
    assert [y.shape for _, y in batches] == [(32,), (32,), (32,), (4,)]


def test_the_same_items_come_singly_and_in_batches(sample):
    dataset = SDSSDataset(sample.head(20))
    for at, (x, y) in zip([3, 19, 0, 3], dataset.__getitems__([3, 19, 0, 3]), strict=True):
        assert torch.equal(x, dataset[at][0])
        assert torch.equal(y, dataset[at][1])
        assert y.shape == ()
    assert len(list(dataset)) == 20


def test_every_row_of_a_shuffled_loader_keeps_its_label(sample):
    dataset = SDSSDataset(sample.head(100))
    rows = {(*map(float, x), int(y)) for x, y in dataset}
    batches = DataLoader(dataset, batch_size=32, shuffle=True)
    assert {(*x.tolist(), int(y)) for batch in batches for x, y in zip(*batch, strict=True)} == rows


def test_rows_of_a_batch_are_collated_as_any_rows(sample):
    dataset = SDSSDataset(sample.head(20))
    whole, other = default_collate(dataset.__getitems__([4, 1, 4])), default_collate([dataset[at] for at in (4, 1, 4)])
    assert all(torch.equal(a, b) for a, b in zip(whole, other, strict=True))
    (both,) = DataLoader(ConcatDataset([dataset, dataset]), batch_size=40)
    assert torch.equal(both[0], torch.cat([dataset.features] * 2))


def test_workers_hand_over_the_same_batches(sample):
    dataset = SDSSDataset(sample.head(100))
    loader = DataLoader(dataset, batch_size=32, num_workers=1, multiprocessing_context="fork" if FORKS else None)
    assert torch.equal(torch.cat([x for x, _ in loader]), dataset.features)


def test_labels_that_are_set_are_the_labels_from_then_on(sample):
    dataset = copy.deepcopy(SDSSDataset(sample.head(20)))
    dataset.labels = torch.full((20,), 2)
    ((_, labels),) = DataLoader(dataset, batch_size=20)
    assert labels.tolist() == [2] * 20 == [int(label) for _, label in dataset]
    assert evaluate(NeuralNet(5, 4, 3), dataset).support.tolist() == [0, 0, 20]


class Brighter(SDSSDataset):
    def __getitem__(self, index):
        features, label = super().__getitem__(index)
        return features - 1, label


def test_a_subclass_says_what_a_row_is(sample):
    dataset = Brighter(sample.head(20))
    ((features, _),) = DataLoader(dataset, batch_size=20)
    assert torch.equal(features, dataset.features - 1)


@pytest.mark.parametrize("chosen", [torch.tensor([4, 1]), np.array([4, 1]), [4, 1]], ids=["tensor", "array", "list"])
def test_a_subset_may_be_named_by_a_tensor(sample, chosen):
    dataset = SDSSDataset(sample.head(20))
    ((features, labels),) = DataLoader(Subset(dataset, chosen), batch_size=2)
    assert torch.equal(features, dataset.features[[4, 1]]) and torch.equal(labels, dataset.labels[[4, 1]])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_dataset_shares_no_memory_with_the_frame(sample, dtype):
    torch.set_default_dtype(dtype)
    frame = sample.head(50)[[*FEATURES, "class"]].reset_index(drop=True)
    before, dataset = frame.copy(), SDSSDataset(frame)
    dataset.features.zero_()
    dataset.labels.zero_()
    assert frame.equals(before)
    dataset = SDSSDataset(frame)
    frame[FEATURES] = 0.0
    assert dataset.features.abs().min() > 1


def test_building_and_reading_set_no_global_state(sample):
    state, dtype = torch.get_rng_state(), torch.get_default_dtype()
    SDSSDataset(sample)[0]
    assert torch.equal(torch.get_rng_state(), state)
    assert torch.get_default_dtype() is dtype
