"""What the figures share: colours, axes, and words that stay apart."""

import textwrap
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.text import Annotation

# The same in every figure: a class; what a broken loop counts, and a miss; what a correct loop counts, and a hit.
CLASS_COLOURS = {"GALAXY": "#E69F00", "QSO": "#000000", "STAR": "#009E73"}
BROKEN, RIGHT = "#D55E00", "#0072B2"
INK, GREY, PALE = "#222222", "#8c8c8c", "#d4d4d4"
_TITLE: dict[str, Any] = {"fontsize": 12, "fontweight": "bold", "color": INK}
XY = tuple[float, float]


def new_axes(title: str, x: str = "", y: str = "") -> "Axes":
    """A figure in the lesson's style, legible from the last row of a classroom."""
    axes: Axes = _styled(1, 1, 3.5)[0, 0]
    axes.set_title(textwrap.fill(title, 60), loc="left", pad=10, **_TITLE)
    axes.set_xlabel(x)
    axes.set_ylabel(y)
    return axes


def new_panels(title: str, rows: int, columns: int, height: float) -> np.ndarray:
    """The same with panels of shape (rows, columns), and the title at the left of the figure."""
    panels = _styled(rows, columns, height)
    lines = 1 + len(title) // 66
    wide = min(65, len(title) // lines + 8)  # lines of about the same length
    panels[0, 0].figure.suptitle(textwrap.fill(title, wide), x=0.015, ha="left", **_TITLE)
    return panels


def _styled(rows: int, columns: int, height: float) -> np.ndarray:
    import matplotlib.pyplot as plt
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    layout = ConstrainedLayoutEngine(w_pad=0.07, h_pad=0.1)
    _, panels = plt.subplots(rows, columns, figsize=(7, height), squeeze=False, layout=layout)
    for axes in panels.flat:
        axes.tick_params(labelsize=10, color=GREY, labelcolor=INK)
        axes.spines[["top", "right"]].set_visible(False)
        axes.spines[["left", "bottom"]].set_color(GREY)
        for label in (axes.xaxis.label, axes.yaxis.label):
            label.set(fontsize=11, color=INK)
    return panels


def dots(axes: "Axes", x: npt.ArrayLike, y: npt.ArrayLike, colour: str, marker: str, size: float) -> None:
    """Unconnected, and whole where they lie on the edge of the axes: broken numbers lie at zero."""
    axes.plot(x, y, marker, color=colour, markersize=size, markeredgewidth=0, clip_on=False, zorder=3)


def note(axes: "Axes", text: str, xy: XY, colour: str, shift: XY = (0, 0), **style: Any) -> "Annotation":
    """Words at a place in the data, moved by `shift` points; bold in colour, and with a white halo."""
    from matplotlib.patheffects import withStroke

    note: Annotation = axes.annotate(
        text, xy, shift, textcoords="offset points", color=colour, fontsize=11, zorder=5, **style
    )
    note.set(fontweight="normal" if colour == INK else "bold", annotation_clip=False)
    note.set_path_effects([withStroke(linewidth=3, foreground="white")])
    return note


def label_ends(axes: "Axes", ends: Sequence[tuple[str, float, str]], line: float = 0.1) -> None:
    """Write each (text, height, colour) right of the axes, apart even where heights are not. Limits come before.

    Labels are moved up and, where there is no more room, down; `line` is the height of a line of text over that of the
    axes.
    """
    bottom, top = axes.get_ylim()
    ordered, line = sorted(ends, key=lambda end: end[1]), line * (top - bottom)
    heights, half = [end[1] for end in ordered], [line * len(end[0].splitlines()) / 2 for end in ordered]
    for i in range(1, len(ordered)):
        heights[i] = max(heights[i], heights[i - 1] + half[i - 1] + half[i])
    ceiling = top + line / 2
    for i in reversed(range(len(ordered))):
        heights[i] = min(heights[i], ceiling - half[i])
        ceiling = heights[i] - half[i]
    for (text, _, colour), height in zip(ordered, heights, strict=True):
        note(axes, text, (axes.get_xlim()[1], height), colour, (11, 0), ha="left", va="center")
