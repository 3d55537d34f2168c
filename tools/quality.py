"""Measure how well the mock rows stand in for real ones.

    python tasks.py quality --data EXPORT.csv

trains on mock rows and tests on real ones, and the other way round, with the five magnitudes; then once more
with mixtures that never saw the rows on the real side. Prints the table of the data card, in Markdown (about
a minute). EXPORT.csv is the export that ``data/mixtures.json`` was fitted to.
"""

import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from tools import mixtures, sample

SPLITS = 5
BANDS = mixtures.BANDS
CLASSES = sorted(mixtures.COMPONENTS)

if TYPE_CHECKING:
    from sdss_lesson import Split

Array = np.ndarray[Any, Any]
Classifier = Callable[[Array, Array, Array, int], Array]
"""Training features, training labels, test features and a seed to predicted labels."""


def trees(train: Array, labels: Array, test: Array, seed: int) -> Array:
    """Gradient-boosted trees as scikit-learn sets them up."""
    from sklearn.ensemble import HistGradientBoostingClassifier

    predicted: Array = HistGradientBoostingClassifier(random_state=seed).fit(train, labels).predict(test)
    return predicted


def network(train: Array, labels: Array, test: Array, seed: int) -> Array:
    """The lesson's network with 16 hidden units: 20 epochs of Adam at 1e-2 in batches of 32.

    Both sets are scaled by the training rows' mean and spread.
    """
    import torch

    from sdss_lesson import NeuralNet

    torch.manual_seed(seed)
    mean, spread = train.mean(axis=0), train.std(axis=0)
    inputs, targets = torch.from_numpy((train - mean) / spread), torch.from_numpy(labels)
    model = NeuralNet(train.shape[1], 16, len(CLASSES)).double()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(20):
        order = torch.randperm(len(inputs))
        for start in range(0, len(order), 32):
            batch = order[start : start + 32]
            optimizer.zero_grad()
            torch.autograd.backward(torch.nn.functional.cross_entropy(model(inputs[batch]), targets[batch]))
            optimizer.step()
    with torch.no_grad():
        predicted: Array = model(torch.from_numpy((test - mean) / spread)).argmax(dim=1).numpy()
    return predicted


CLASSIFIERS: dict[str, Classifier] = {"trees": trees, "network": network}


def accuracy(classifier: Classifier, train: pd.DataFrame, test: pd.DataFrame, seed: int) -> float:
    """The share of test rows, 0 to 1, whose class a classifier trained on `train` names."""
    features, labels = train[BANDS].to_numpy(), np.searchsorted(CLASSES, train["class"].to_numpy(dtype=str))
    truth = np.searchsorted(CLASSES, test["class"].to_numpy(dtype=str))
    return float(np.mean(classifier(features, labels, test[BANDS].to_numpy(), seed) == truth))


def measure(
    real: pd.DataFrame, fitted: dict[str, Any], *, splits: int, classifiers: dict[str, Classifier]
) -> pd.DataFrame:
    """Accuracies, one row per split, classifier and pairing of training and test rows.

    `fitted` are the mixtures of the shipped sample. The pairings that say "unseen" fit others for each split,
    without the real rows that the split tests on or trains on.
    """
    # The limit below reaches only the libraries that are loaded by then.
    import sklearn.ensemble
    import sklearn.mixture  # noqa: F401
    from threadpoolctl import threadpool_limits

    import sdss_lesson  # noqa: F401 - loads torch

    # On so few rows more threads are no faster, and beside other programs they wait for each other for minutes.
    with threadpool_limits(1):
        mock = sample.draw(fitted)
        measured = []
        for seed in range(splits):
            for pairing, (train, test) in _pairings(real, mock, seed).items():
                for name, classifier in classifiers.items():
                    measured.append((seed, name, pairing, accuracy(classifier, train, test, seed)))
    return pd.DataFrame(measured, columns=["split", "classifier", "pairing", "accuracy"])


def _pairings(real: pd.DataFrame, mock: pd.DataFrame, seed: int) -> dict[str, tuple[pd.DataFrame, pd.DataFrame]]:
    from sdss_lesson import split_by_object

    def split_of_mock(seen: pd.DataFrame) -> "Split":
        return split_by_object(sample.draw(mixtures.fit(seen)), seed=seed)

    ours, theirs = split_by_object(real, seed=seed), split_by_object(mock, seed=seed)
    return {
        "real on real": (ours.train, ours.test),
        "mock on real": (theirs.train, ours.test),
        "mock on real, test rows unseen": (split_of_mock(real.drop(ours.test.index)).train, ours.test),
        "real on mock": (ours.train, theirs.test),
        "real on mock, training rows unseen": (ours.train, split_of_mock(real.drop(ours.train.index)).test),
    }


def to_markdown(measured: pd.DataFrame) -> str:
    """Means over the splits in percent, and differences from "real on real" in points."""
    grouped = measured.groupby(["pairing", "classifier"], sort=False)["accuracy"]
    means = 100 * grouped.mean().unstack(sort=False)
    names = list(means.columns)
    lines = [
        "| trained on, tested on | " + " | ".join(names) + " |",
        "|---|" + "---|" * len(names),
    ]
    base = means.loc["real on real"]
    for pairing, row in means.iterrows():
        differences = "" if pairing == "real on real" else " ({:+.1f})"
        cells = [f"{row[name]:.1f}" + differences.format(row[name] - base[name]) for name in names]
        lines.append(f"| {pairing} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    export = mixtures.named_export("quality", "Measure the mock sample against a real SDSS export.", arguments)
    if export is None:
        return 2
    from sdss_lesson import load_sdss

    fitted = json.loads(sample.MIXTURES.read_text(encoding="utf-8"))
    print(to_markdown(measure(load_sdss(export), fitted, splits=SPLITS, classifiers=CLASSIFIERS)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
