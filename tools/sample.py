"""Draw the mock sample from the mixtures.

    python tasks.py sample

writes ``data/sdss_sample.csv`` from ``data/mixtures.json``: 10,000 mock rows, the same bytes every time and
under every supported NumPy. For that it uses two calls only of a generator that NumPy has frozen, and no linear
algebra library, whose sums differ from machine to machine.
"""

import json
import math
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from tools import ROOT

MIXTURES = ROOT / "data" / "mixtures.json"
FILE = ROOT / "data" / "sdss_sample.csv"

ROWS = 10_000
SEED = 20_230
REPEATS = 0.03
"""The share of objects that have two spectra."""

FARTHEST = 7.0
"""A redshift that no draw may exceed: about the largest one in SDSS."""

APART = 1.0
"""Objects lie more than this many arcseconds apart."""

FORMATS = {
    "objid": "%d",
    "ra": "%.7f",
    "dec": "%.7f",
    "u": "%.5f",
    "g": "%.5f",
    "r": "%.5f",
    "i": "%.5f",
    "z": "%.5f",
    "run": "%d",
    "rerun": "%d",
    "camcol": "%d",
    "field": "%d",
    "specobjid": "%d",
    "class": "%s",
    "redshift": "%.7f",
    "plate": "%d",
    "mjd": "%d",
    "fiberid": "%d",
}
"""The columns, in SkyServer's order, and how each is written."""

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


def draw(mixtures: dict[str, Any]) -> pd.DataFrame:
    """Draw the mock catalogue.

    Parameters
    ----------
    mixtures
        What ``data/mixtures.json`` holds.

    Returns
    -------
    pandas.DataFrame
        10,000 rows, one for each mock spectrum, with the columns of `FORMATS`: ``ra`` and ``dec`` in degrees,
        ``u, g, r, i, z`` in magnitudes, ``redshift`` without a unit, ``mjd`` in days.
    """
    # A legacy class, on purpose: NumPy promises never to change its numbers (NEP 19); newer ones' may change.
    rng = np.random.RandomState(SEED)
    classes = []
    for name, mixture in mixtures["classes"].items():
        rows = round(ROWS * mixture["share"])
        twice = round(rows * REPEATS / (1 + REPEATS))
        objects = _draw_class(rng, name, rows - twice, mixture, mixtures)
        # Draws come in no order, so the first ones are as good as any to be measured again.
        second = np.full(len(objects), np.nan)
        second[:twice] = _measured_again(rng, objects["redshift"].to_numpy()[:twice], mixture["redshift"])
        classes.append(objects.assign(second=second))
    sky = pd.concat(classes, ignore_index=True)
    sky = sky.assign(**_positions(rng, len(sky)), **_photometric_ids(rng, len(sky)))
    repeats = sky[sky["second"].notna()]
    frame = pd.concat([sky, repeats.assign(redshift=repeats["second"])], ignore_index=True)
    frame = frame.iloc[_order(rng, frame["objid"].to_numpy())].reset_index(drop=True)
    return frame.assign(**_spectroscopic_ids(rng, len(frame)))[list(FORMATS)]


def to_bytes(frame: pd.DataFrame) -> bytes:
    """The CSV file: UTF-8, newlines of one byte, each column in its format."""
    line = ",".join(FORMATS.values()) + "\n"
    rows = zip(*(frame[name].tolist() for name in FORMATS), strict=True)
    return (",".join(FORMATS) + "\n" + "".join(line % row for row in rows)).encode()


def _draw_class(
    rng: np.random.RandomState, name: str, count: int, mixture: dict[str, Any], mixtures: dict[str, Any]
) -> pd.DataFrame:
    """Magnitudes and redshifts of `count` objects; those beyond the limits are drawn again."""
    parts: list[pd.DataFrame] = []
    while sum(map(len, parts)) < count:
        r, ug, gr, ri, iz, scaled = _draw_features(rng, count, mixture["components"])
        bands = {"u": r + gr + ug, "g": r + gr, "r": r, "i": r - ri, "z": r - ri - iz}
        frame = pd.DataFrame({band: np.round(values, 5) for band, values in bands.items()})
        limits = mixtures["limits"]
        good = np.all([(frame[band] > limits[band][0]) & (frame[band] < limits[band][1]) for band in bands], axis=0)
        if mixture["redshift"] == "log10":
            # Python's own power: NumPy's may differ in the last bit between versions and processors.
            frame["redshift"] = np.round([10.0**value for value in scaled.tolist()], 7)
            good &= frame["redshift"].between(mixtures["nearest"], FARTHEST).to_numpy()
        else:
            frame["redshift"] = np.round(scaled / 1000, 7)
        parts.append(frame[good])
    return pd.concat(parts, ignore_index=True).iloc[:count].assign(**{"class": name})


def _draw_features(rng: np.random.RandomState, count: int, components: list[dict[str, Any]]) -> list[Floats]:
    weights = np.cumsum([component["weight"] for component in components])
    which = np.searchsorted(weights, rng.random_sample(count) * weights[-1], side="right")
    which = np.minimum(which, len(components) - 1)
    means = np.array([component["mean"] for component in components])
    factors = np.array([component["cholesky"] for component in components])
    size = means.shape[1]
    normal = rng.standard_normal((count, size))
    features = []
    for row in range(size):
        # mean + factor @ normal, written out: term by term in a fixed order.
        value = means[which, row]
        for column in range(row + 1):
            value = value + factors[which, row * (row + 1) // 2 + column] * normal[:, column]
        features.append(value)
    return features


def _measured_again(rng: np.random.RandomState, redshift: Floats, scale: str) -> Floats:
    """Another spectrum's redshift: off by 5 to 15 km/s for a star, by 0.5 to 1.5 thousandths of itself otherwise."""
    size = np.abs(redshift) / 1000 if scale == "log10" else np.full(len(redshift), 10 / 299_792.458)
    sign = np.where(rng.random_sample(len(redshift)) < 0.5, -1.0, 1.0)
    return np.round(redshift + sign * (0.5 + rng.random_sample(len(redshift))) * size, 7)


def _positions(rng: np.random.RandomState, count: int) -> dict[str, Floats]:
    """Uniform on the sphere inside a box in SDSS's northern footprint, none within `APART` of another."""
    low, high = math.sin(math.radians(-5)), math.sin(math.radians(65))
    while True:
        ra = np.round(110 + 150 * rng.random_sample(count), 7)
        sines = low + (high - low) * rng.random_sample(count)
        dec = np.round([math.degrees(math.asin(sine)) for sine in sines.tolist()], 7)
        if closest(ra, dec) > APART:
            return {"ra": ra, "dec": dec}


def closest(ra: Floats, dec: Floats) -> float:
    """The smallest distance between two of these positions (degrees), in arcseconds."""
    from scipy.spatial import cKDTree

    across, up = np.radians(ra), np.radians(dec)
    points = np.column_stack([np.cos(up) * np.cos(across), np.cos(up) * np.sin(across), np.sin(up)])
    chords, _ = cKDTree(points).query(points, k=2)
    return float(np.degrees(2 * np.arcsin(chords[:, 1].min() / 2)) * 3600)


def _whole(rng: np.random.RandomState, low: int, high: int, count: int) -> Integers:
    """Whole numbers from low to high, both included."""
    return low + np.floor(rng.random_sample(count) * (high - low + 1)).astype(np.int64)


def _distinct(count: int, codes: Callable[[int], Integers]) -> Integers:
    """The first `count` different ones of the codes that are drawn."""
    drawn = codes(2 * count)
    _, first = np.unique(drawn, return_index=True)
    distinct = drawn[np.sort(first)]
    assert len(distinct) >= count
    return distinct[:count]


def _photometric_ids(rng: np.random.RandomState, count: int) -> dict[str, Integers]:
    """SDSS's layout: sky version (2), rerun, run, camera column, field, object; with 0 for the rerun.

    SDSS has no rerun 0, so no mock ``objid`` is the id of a real object.
    """

    def codes(number: int) -> Integers:
        # Few runs and fields, so that objects have near neighbours in number, as in SDSS: read as floats, ids merge.
        run, camcol = 94 + 397 * _whole(rng, 0, 19, number), _whole(rng, 1, 6, number)
        field, obj = _whole(rng, 11, 200, number), _whole(rng, 1, 600, number)
        return (2 << 59) | (run << 32) | (camcol << 29) | (field << 16) | obj

    objid = _distinct(count, codes)
    return {
        "objid": objid,
        "run": (objid >> 32) & 0xFFFF,
        "rerun": (objid >> 48) & 0x7FF,
        "camcol": (objid >> 29) & 0x7,
        "field": (objid >> 16) & 0xFFF,
    }


def _spectroscopic_ids(rng: np.random.RandomState, count: int) -> dict[str, NDArray[Any]]:
    """SDSS's layout: plate, fibre, day, version of the reduction (run2d); with 0 for the version.

    SDSS has released no version 0, so no mock ``specobjid`` is real. Plates from 8192 on lift the id past 2**63,
    as real ones do: it fits an unsigned integer only.
    """

    def codes(number: int) -> Integers:
        first = rng.random_sample(number) < 0.85
        plate = np.where(first, _whole(rng, 266, 2974, number), _whole(rng, 3510, 9200, number))
        # The first spectrograph had 640 fibres, its successor has 1,000.
        fiber = np.where(first, _whole(rng, 1, 640, number), _whole(rng, 1, 1000, number))
        return (plate << 12) | fiber

    code = _distinct(count, codes)
    plate, fiber = code >> 12, code & 0xFFF
    # A plate is observed on one day; plates were numbered in the order in which they were drilled.
    early, late = 51_600 + (plate - 266) * 3000 // 2708, 55_100 + (plate - 3510) * 2800 // 5690
    mjd = np.where(plate < 3000, early, late)
    specobjid = (
        (plate.astype(np.uint64) << np.uint64(50))
        | (fiber.astype(np.uint64) << np.uint64(38))
        | ((mjd - 50_000).astype(np.uint64) << np.uint64(24))
    )
    return {"specobjid": specobjid, "plate": plate, "mjd": mjd, "fiberid": fiber}


def _order(rng: np.random.RandomState, objid: Integers) -> NDArray[np.intp]:
    """A shuffled order in which the two spectra of an object are never neighbours."""
    while True:
        order = np.argsort(rng.random_sample(len(objid)), kind="stable")
        if (np.diff(objid[order]) != 0).all():
            return order


def main() -> int:
    if not MIXTURES.is_file():
        print(f"sample: there is no {MIXTURES.relative_to(ROOT)}. Get it back from git.", file=sys.stderr)
        return 2
    frame = draw(json.loads(MIXTURES.read_text(encoding="utf-8")))
    from sdss_lesson.support.files import write_whole

    write_whole(FILE, to_bytes(frame))
    print(f"{len(frame)} mock rows written to {FILE.relative_to(ROOT)}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
