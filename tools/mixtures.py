"""Fit the mixtures that the mock sample is drawn from to an SDSS export.

    python tasks.py mixtures --data EXPORT.csv

writes ``data/mixtures.json``: for each class a Gaussian mixture in r, u-g, g-r, r-i, i-z (magnitudes) and a
transformed redshift. The file holds figures and no rows. So that no figure stands for a single real row, the
tails of each class are cut off first, and a component that stands for fewer than ten rows is never written.
"""

import argparse
import json
import math
import re
import sys
import warnings
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tools import ROOT

FILE = ROOT / "data" / "mixtures.json"
BANDS = ["u", "g", "r", "i", "z"]
FEATURES = ["r", "u-g", "g-r", "r-i", "i-z", "redshift"]

COMPONENTS = {"GALAXY": 12, "QSO": 6, "STAR": 12}
"""Components to begin with; a class gives some up until each of them stands for `SMALLEST` rows."""

SMALLEST = 10
"""A component that stands for fewer rows than this would hand out real rows under another name."""

REDSHIFT = {"GALAXY": "log10", "QSO": "log10", "STAR": "1000 z"}
"""The redshift's scale: a star's is tiny and may be negative; the others spread over three decades."""

NEAREST = 0.001
"""Galaxies and quasars below this redshift are left out: there it tells of motion and not of distance."""

MAGNITUDES = (11.0, 26.0)
"""Magnitudes outside of this are measurements gone wrong."""

TAIL = 0.0005
"""The share of rows cut off at either end of r and of each colour, in each class."""

SHARE_STEP = 200
"""Shares are kept in steps of 1 / 200, half a percent: 4,998 rows of 10,000 are 50 %."""


def fit(catalog: pd.DataFrame) -> dict[str, Any]:
    """Fit one mixture for each class, on one row per object.

    Parameters
    ----------
    catalog
        Rows as ``load_sdss`` returns them.

    Returns
    -------
    dict
        What ``data/mixtures.json`` holds; ``tools/sample.py`` draws from it.

    Raises
    ------
    ValueError
        When a class has too few rows for even one component.
    """
    objects = catalog.drop_duplicates("objid")
    counts = objects["class"].value_counts()
    usable = objects[BANDS].apply(lambda band: band.between(*MAGNITUDES)).all(axis=1)
    far = (objects["redshift"] >= NEAREST) | (objects["class"] == "STAR")
    objects = objects[usable & far]
    faintest = {band: _limit(objects[band]) for band in BANDS}
    return {
        "about": "Gaussian mixtures fitted to SDSS rows by tools/mixtures.py: figures, no rows.",
        "features": FEATURES,
        "limits": {band: [MAGNITUDES[0], faintest[band]] for band in BANDS},
        "nearest": NEAREST,
        "classes": {
            name: {"share": share, "redshift": REDSHIFT[name], **_fit_class(objects, name)}
            for name, share in _shares({name: int(counts.get(name, 0)) for name in COMPONENTS}).items()
        },
    }


def check(mixtures: dict[str, Any]) -> None:
    """Raise ValueError when a component stands for fewer than `SMALLEST` rows."""
    for name, mixture in mixtures["classes"].items():
        weights = sum(component["weight"] for component in mixture["components"])
        for number, component in enumerate(mixture["components"]):
            # Counted afresh from the weight: what is drawn from it must not differ from what is said.
            rows = min(component["rows"], mixture["rows"] * component["weight"] / weights)
            if rows < SMALLEST:
                raise ValueError(
                    f"Component {number} of class {name} stands for {rows:.1f} rows, fewer than {SMALLEST}: it "
                    "would hide real rows. Fit a larger export, or fewer components (COMPONENTS in "
                    "tools/mixtures.py)."
                )


def _limit(magnitudes: pd.Series) -> float:
    """The export's faint edge, rounded up to a tenth of a magnitude so that it is no single row's."""
    return float(min(MAGNITUDES[1], math.ceil(magnitudes.max() * 10) / 10))


def _shares(counts: dict[str, int]) -> dict[str, float]:
    """Shares in steps of 1 / `SHARE_STEP` that add up to one.

    What rounding down leaves goes to the largest rests.
    """
    exact = {name: count * SHARE_STEP / sum(counts.values()) for name, count in counts.items()}
    steps = {name: int(share) for name, share in exact.items()}
    by_rest = sorted(exact, key=lambda name: steps[name] - exact[name])
    for name in by_rest[: SHARE_STEP - sum(steps.values())]:
        steps[name] += 1
    return {name: count / SHARE_STEP for name, count in steps.items()}


def _fit_class(objects: pd.DataFrame, name: str) -> dict[str, Any]:
    rows = _features(objects[objects["class"] == name], name)
    colours = rows.iloc[:, :-1]
    inner = (colours >= colours.quantile(TAIL)) & (colours <= colours.quantile(1 - TAIL))
    rows = rows[inner.all(axis=1)]
    if len(rows) < max(SMALLEST, len(FEATURES) + 1):
        raise ValueError(
            f"The export has {len(rows)} usable rows of class {name}, too few to fit a mixture to. Fit a larger export."
        )
    values = rows.to_numpy()
    for number in range(COMPONENTS[name], 0, -1):
        weights, means, factors = _gaussians(values, number)
        if weights.min() * len(values) >= SMALLEST + 0.05:  # the margin survives rounding to one decimal
            break
    return {
        "rows": len(values),
        "components": [
            {
                "rows": round(float(weight) * len(values), 1),
                "weight": round(float(weight), 6),
                "mean": [round(float(value), 5) for value in mean],
                # Row by row up to the diagonal: mean + factor @ standard normal numbers is a draw.
                "cholesky": [round(float(value), 5) for value in factor[np.tril_indices(len(FEATURES))]],
            }
            for weight, mean, factor in zip(weights, means, factors, strict=True)
        ],
    }


def _features(rows: pd.DataFrame, name: str) -> pd.DataFrame:
    redshift = rows["redshift"] * 1000 if REDSHIFT[name] == "1000 z" else np.log10(rows["redshift"])
    colours = {f"{blue}-{red}": rows[blue] - rows[red] for blue, red in pairwise(BANDS)}
    return pd.DataFrame({"r": rows["r"], **colours, "redshift": redshift})[FEATURES]


def _gaussians(values: "np.ndarray[Any, Any]", number: int) -> "tuple[np.ndarray[Any, Any], ...]":
    """Weights, means and Cholesky factors, the largest component first."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.mixture import GaussianMixture
    from threadpoolctl import threadpool_limits

    # One thread: on so few rows more are no faster, and beside other programs they wait for each other for minutes.
    with warnings.catch_warnings(), threadpool_limits(1):
        # One that has not converged is still a mixture; how good it is, tools/quality.py measures.
        warnings.simplefilter("ignore", ConvergenceWarning)
        # reg_covar: no component narrower than 0.01 magnitudes, so that none closes around a few rows.
        mixture = GaussianMixture(number, reg_covar=1e-4, max_iter=500, random_state=0).fit(values)
    order = np.argsort(-mixture.weights_, kind="stable")
    return mixture.weights_[order], mixture.means_[order], np.linalg.cholesky(mixture.covariances_[order])


def to_text(mixtures: dict[str, Any]) -> str:
    """JSON with each list of numbers on one line."""
    text = json.dumps(mixtures, indent=1)
    return re.sub(r"\[[^\[\]{}]+\]", lambda numbers: re.sub(r"\n\s*", " ", numbers[0]), text) + "\n"


def named_export(command: str, description: str, arguments: list[str] | None) -> Path | None:
    """The export that the command line names; None, after a word on stderr, where it names none that is there."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("export", nargs="?", type=Path, help="a CSV file as SkyServer writes it")
    export: Path | None = parser.parse_args(arguments).export
    if export is not None and export.is_file():
        return export
    said = "no export was named" if export is None else f"there is no file {export}"
    print(f"{command}: {said}. Name one: make {command} DATA=path/to/export.csv", file=sys.stderr)
    return None


def main(arguments: list[str] | None = None) -> int:
    export = named_export("mixtures", "Fit data/mixtures.json to an SDSS export.", arguments)
    if export is None:
        return 2
    from sdss_lesson import load_sdss
    from sdss_lesson.support.files import write_whole

    try:
        mixtures = fit(load_sdss(export))
        check(mixtures)
    except ValueError as error:
        print(f"mixtures: {error}", file=sys.stderr)
        return 1
    write_whole(FILE, to_text(mixtures).encode())
    for name, mixture in mixtures["classes"].items():
        rows = [component["rows"] for component in mixture["components"]]
        print(
            f"{name}: share {mixture['share']:.1%}, {mixture['rows']} rows, {len(rows)} components, "
            f"the smallest stands for {min(rows)} rows"
        )
    print(f"Written to {FILE.relative_to(ROOT)}. Draw the sample from it: make sample")
    return 0


if __name__ == "__main__":
    sys.exit(main())
