"""A harder mock survey, to check the claims on: the sample's mixtures with other shares, and noise on the magnitudes.

Real exports differ from the shipped sample that much: in a widely used DR17 export trees reach 83 to 85 % on the five
magnitudes, and a fifth of the rows are quasars.
"""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from tools import sample
from tools.mixtures import BANDS

SHARES = {"GALAXY": 0.60, "QSO": 0.19, "STAR": 0.21}
NOISE = 0.2
"""Magnitudes, one standard deviation: so much that gradient-boosted trees reach 83 %."""


def draw(mixtures: dict[str, Any]) -> pd.DataFrame:
    """10,000 rows, as `sample.draw` gives them. The spectra of an object share their noise: it is one photograph."""
    classes = {name: {**mixture, "share": SHARES[name]} for name, mixture in mixtures["classes"].items()}
    frame = sample.draw({**mixtures, "classes": classes})
    objects, _ = pd.factorize(frame["objid"])
    noise = np.random.RandomState(sample.SEED).standard_normal((objects.max() + 1, len(BANDS)))
    frame[BANDS] = np.round(frame[BANDS] + NOISE * noise[objects], 5)
    return frame


def write(path: Path) -> Path:
    """The harder survey as a CSV file at `path`, which is returned."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(sample.to_bytes(draw(json.loads(sample.MIXTURES.read_text(encoding="utf-8")))))
    return path
