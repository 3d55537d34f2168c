"""The moving saw-tooth of notebook 01 shows the law, and the stored files are what the command draws."""

from pathlib import Path

import matplotlib
import numpy as np
import pytest
from PIL import Image

from tools import animation

matplotlib.use("Agg")
from matplotlib import pyplot as plt

DOCS = Path(__file__).resolve().parents[1] / "docs"


def test_the_law_is_that_of_the_broken_loop():
    for size in animation.SIZES:
        for start in range(0, animation.N, size):
            batch = animation.HITS[start : start + size]  # the broken loop keeps the last one
        assert animation.law(size) == (batch.sum(), len(batch))


@pytest.mark.parametrize("size", [1, 32, 60, 119, 120])
def test_a_frame_shows_the_last_batch_and_what_was_printed_so_far(size):
    above, below = animation.draw(size, size).axes
    hits, rows = animation.law(size)
    assert f"the last batch has {rows} row" in above.texts[0].get_text()
    assert f"{hits} / {animation.N} = {hits / animation.N:.2f}" in [text.get_text() for text in below.texts]
    teeth = below.lines[1].get_xydata()
    printed = [animation.law(each)[0] / animation.N for each in range(1, size + 1)]
    np.testing.assert_array_equal(teeth, np.column_stack([range(1, size + 1), printed]))
    plt.close("all")


def test_the_stored_still_and_the_stored_frames_are_those_of_the_command():
    with Image.open(DOCS / "sawtooth.gif") as moving, Image.open(DOCS / "sawtooth.png") as still:
        assert moving.n_frames == len(animation.SIZES) and moving.size == still.size
        drawn = animation.picture(animation.STILL, animation.SIZES[-1])
        assert np.abs(np.asarray(drawn, float) - np.asarray(still.convert("RGB"), float)).mean() < 2
        moving.seek(moving.n_frames - 1)
        drawn = animation.picture(animation.SIZES[-1], animation.SIZES[-1])
        assert np.abs(np.asarray(drawn, float) - np.asarray(moving.convert("RGB"), float)).mean() < 4
    assert (DOCS / "sawtooth.gif").stat().st_size < 400_000
