"""Draw the saw-tooth as it grows, and the still for print and for readers without motion: python tasks.py animation"""

import io
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from sdss_lesson.plots.style import BROKEN, GREY, INK, PALE, RIGHT, dots, new_panels, note
from sdss_lesson.support.files import write_whole
from tools import kernel

if TYPE_CHECKING:
    from matplotlib.figure import Figure

N, RIGHT_ROWS = 120, 114
"""Rows of the little test set, and how many of them are hits: 95 %, as in the story."""
HITS = np.diff(np.arange(N + 1) * RIGHT_ROWS // N).astype(bool)
SIZES = range(1, N + 7)
"""A frame for each batch size, to a little beyond all rows."""
STILL = 80
"""The batch size of the still: a last batch of 40 rows."""


def law(batch_size: int) -> tuple[int, int]:
    """Hits in the last batch, and its rows."""
    rows = N % batch_size or batch_size
    last = HITS[-rows:]
    return int(last.sum()), len(last)


def milliseconds(batch_size: int) -> int:
    """How long a frame stands: longer where a tooth begins or ends, longest at the end."""
    if batch_size == SIZES[-1]:
        return 4000
    return 900 if batch_size in {N // 4, N // 3, N // 2, N - 1, N} else 110


def draw(batch_size: int, upto: int) -> "Figure":
    """All rows with the last batch in colour, and below them what the loop prints, for each batch size to `upto`."""
    hits, rows = law(batch_size)
    above, below = new_panels("What the loop keeps, and what it prints", 2, 1, height=3.9)[:, 0]
    row = np.arange(N)
    kept = row >= N - rows
    above.bar(row + 0.5, 1, width=1, color=np.where(kept, np.where(HITS, RIGHT, BROKEN), np.where(HITS, PALE, GREY)))
    above.vlines(range(batch_size, N, batch_size), 0, 1, color="white", linewidth=3)
    above.plot([N - rows, N, N, N - rows, N - rows], [0, 0, 1, 1, 0], color=INK, linewidth=1.5, clip_on=False)
    above.set(xlim=(0, SIZES[-1]), ylim=(0, 1.5))
    above.set_axis_off()
    words = f"batch size {batch_size}: the last batch has {rows} row{'s' if rows > 1 else ''}, {hits} right"
    note(above, words, (0, 1.15), INK, va="bottom")
    drawn = range(1, upto + 1)
    below.set(xlim=(0, SIZES[-1]), ylim=(0, 1), yticks=[0, 0.5, 1], xlabel="batch size", ylabel="printed")
    below.axhline(HITS.mean(), color=RIGHT, linewidth=2)
    note(below, "true", (2, HITS.mean()), RIGHT, (0, -4), va="top")
    dots(below, drawn, [law(size)[0] / N for size in drawn], BROKEN, "o", 2.5)
    dots(below, [batch_size], [hits / N], BROKEN, "o", 9)
    # The number stands beside its dot, where no tooth is.
    shift = (10, 9) if batch_size <= STILL else (0, 26) if hits < N / 2 else (-8, -16)
    side = "left" if batch_size <= STILL else "right"
    note(below, f"{hits} / {N} = {hits / N:.2f}", (batch_size, hits / N), BROKEN, shift, ha=side)
    figure: Figure = above.figure
    return figure


def picture(batch_size: int, upto: int) -> Image.Image:
    """The same in pixels."""
    import matplotlib.pyplot as plt

    figure, buffer = draw(batch_size, upto), io.BytesIO()
    figure.savefig(buffer, format="png", dpi=100, facecolor="white")
    plt.close(figure)
    return Image.open(buffer).convert("RGB")


def white(image: Image.Image) -> Image.Image:
    """The lightest colours of a palette, made pure white again: the page behind them is."""
    colours = np.reshape(image.getpalette() or [], (-1, 3))
    colours[colours.min(axis=1) > 245] = 255
    image.putpalette(colours.ravel().tolist())
    image.load()
    return image


def main(_: Sequence[str] = ()) -> int:
    import matplotlib as mpl

    mpl.use("Agg")
    drawn = picture(STILL, SIZES[-1])
    still, palette = (white(drawn.quantize(colours, dither=Image.Dither.NONE)) for colours in (64, 16))
    first, *rest = (picture(size, size).quantize(palette=palette, dither=Image.Dither.NONE) for size in SIZES)
    png, gif = io.BytesIO(), io.BytesIO()
    still.save(png, "PNG", optimize=True)
    # It runs three times and stops at its last frame: what never stops is hard to read beside.
    first.save(gif, "GIF", save_all=True, append_images=rest, duration=[*map(milliseconds, SIZES)], loop=2)
    for name, file in {"sawtooth.png": png, "sawtooth.gif": gif}.items():
        write_whole(kernel.ROOT / "docs" / name, file.getvalue())
        print(f"docs/{name}: {len(file.getvalue()) / 1000:.0f} KB")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
