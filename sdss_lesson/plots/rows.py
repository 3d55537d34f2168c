"""Figures of rows: what is measured, which rows are counted, what is compared with what."""

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sdss_lesson.plots.style import BROKEN, CLASS_COLOURS, GREY, INK, PALE, RIGHT, new_axes, note

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_CLASS_MARKERS = {"GALAXY": "o", "QSO": "^", "STAR": "s"}


def colour_colour(frame: pd.DataFrame) -> "Axes":
    """Draw u - g against g - r (magnitudes): a point for each row, by class.

    Parameters
    ----------
    frame
        A catalogue with the columns ``u, g, r`` and ``class``.
    """
    axes = new_axes("Each kind has its region, and the regions overlap", "u - g (magnitudes)", "g - r (magnitudes)")
    colours = pd.DataFrame({"x": frame["u"] - frame["g"], "y": frame["g"] - frame["r"]})
    clouds = {name: colours[frame["class"] == name] for name in frame["class"].value_counts().index}
    # Some measurements fail by whole magnitudes. Quantiles keep them from setting the limits, and keep rare classes in.
    low = np.min([cloud.quantile(0.005) for cloud in clouds.values()], axis=0)
    high = np.max([cloud.quantile(0.995) for cloud in clouds.values()], axis=0)
    size = high - low
    axes.set(xlim=(low[0] - size[0] / 16, high[0] + size[0] / 16), ylim=(low[1] - size[1] / 16, high[1] + size[1] / 16))
    for name, cloud in clouds.items():  # the commonest class first: the rarer ones lie on top
        colour, marker = CLASS_COLOURS[name], _CLASS_MARKERS[name]
        axes.scatter(cloud["x"], cloud["y"], s=6, alpha=0.35, linewidths=0, color=colour, marker=marker, label=name)
        # The label stands on the flank that is turned away from the other classes.
        others = np.mean([other.median() for key, other in clouds.items() if key != name] or [low], axis=0)
        reach = ((cloud - cloud.median()) / size) @ ((cloud.median() - others) / size)
        flank = cloud[reach >= reach.quantile(0.9)].median()
        box = {"boxstyle": "round,pad=0.25", "facecolor": "white", "edgecolor": colour, "linewidth": 2}
        note(axes, name, (flank["x"], flank["y"]), INK, ha="center", va="center", bbox=box)
    return axes


def row_strip(hits: npt.ArrayLike, batch_size: int) -> "Axes":
    """Draw every test row as a cell, in reading order: a full square for a hit, a small one for a miss.

    Parameters
    ----------
    hits
        Shape (N,), bool: whether each row was predicted right, in the order of the loader.
    batch_size
        Rows at a time. All batches but the last are greyed out: the broken loop has forgotten them.
    """
    from matplotlib.patches import Polygon

    right = np.asarray(hits, dtype=bool).ravel()
    n, start = len(right), (len(right) - 1) // batch_size * batch_size
    axes = new_axes(f"What the loop counted: the last batch, {n - start:,} of {n:,} rows")
    # About three times as wide as high, with whole batches in a line unless a batch fills more than two of them.
    wide = round(np.sqrt(3 * n))
    across = min(n, max(1, round(wide / batch_size)) * batch_size if batch_size <= 2 * wide else wide)
    y, x = np.divmod(np.arange(n), across)
    colours = np.r_[np.where(right, PALE, GREY)[:start], np.where(right, RIGHT, BROKEN)[start:]]
    _cells(axes, x, y, np.where(right, 0.42, 0.26), colours)
    (first, top), (last, bottom) = (x[start], y[start]), (x[-1] + 1, y[-1] + 1)
    left, end = (first, last) if bottom - top == 1 else (0, across)
    border = [(first, top), (end, top), (end, bottom - 1), (last, bottom - 1), (last, bottom), (left, bottom)]
    border += [(left, top + 1), (first, top + 1)]
    axes.add_patch(Polygon(np.array(border) - 0.5, fill=False, edgecolor=INK, linewidth=1.5, clip_on=False))
    axes.set_axis_off()
    # The words stand below the cells, where they cover none: the batch's under the batch, the key at the other side.
    (edge, side), (far, other) = (
        [(left, "left"), (across, "right")] if left + end <= across else [(end, "right"), (0, "left")]
    )
    counted = f"the last batch: {right[start:].sum():,} of {n - start:,} right"
    note(axes, counted, (edge - 0.5, bottom - 0.5), INK, (0, -7), ha=side, va="top")
    key = [("■ hit", RIGHT), ("▪ miss", BROKEN), ("■", PALE), ("▪ not counted", GREY)][: 4 if start else 2]
    place: Any = "data"
    # A word of the key stands beside the one before it, and in the colour of its cells.
    for number, (text, colour) in enumerate(key if other == "left" else key[::-1]):
        xy = ((far - 0.5, bottom - 0.5), (1, 1) if other == "left" else (0, 1))[min(number, 1)]
        gap = (0, -7) if number == 0 else (10 if other == "left" else -10, 0)
        place = note(axes, text, xy, colour, gap, xycoords=place, ha=other, va="top")
    return axes


def label_shapes(predictions: npt.ArrayLike, labels: npt.ArrayLike) -> "Axes":
    """Draw what ``==`` compares when labels have shape (N, 1): a cell for each pair, filled where they are equal.

    Parameters
    ----------
    predictions, labels
        N class indices each: column j is prediction j, row i is label i. Only the diagonal should be counted.
    """
    columns, rows = np.asarray(predictions).ravel(), np.asarray(labels).ravel()
    n, equal = len(rows), rows[:, None] == columns
    own, total = int(equal.trace()), int(equal.sum())
    title = f"(N,) == (N, 1) compares every prediction with every label: {total:,} hits among {n:,} rows"
    axes = new_axes(title, "predictions, shape (N,)", "labels, shape (N, 1)")
    order = np.argsort(np.eye(n).ravel(), kind="stable")  # the diagonal last: no neighbour's edge covers its outline
    y, x = np.indices((n, n)).reshape(2, -1)[:, order]
    fills = np.where(equal[y, x], np.where(x == y, RIGHT, BROKEN), "#FFFFFF")
    _cells(axes, x, y, 0.5, fills, edgecolors=np.where(x == y, INK, PALE), linewidths=np.where(x == y, 2.5, 1))
    axes.set(xticks=range(n), xticklabels=columns, yticks=range(n), yticklabels=rows, anchor="W", frame_on=False)
    axes.tick_params(length=0)
    outlined = f"outlined: each prediction\nagainst its own label,\n{own:,} equal"
    beside = f"off the diagonal: predictions\nagainst other rows' labels,\n{total - own:,} equal"
    note(axes, outlined, (n, 0.25 * n - 0.5), RIGHT, va="center")
    note(axes, beside, (n, 0.7 * n - 0.5), BROKEN, va="center")
    return axes


def _cells(axes: "Axes", x: np.ndarray, y: np.ndarray, half: npt.ArrayLike, colours: np.ndarray, **edge: Any) -> None:
    """Squares of half-width `half` around the points of a grid that is read from the top left."""
    from matplotlib.collections import PolyCollection

    corners = np.reshape(half, (-1, 1, 1)) * np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])
    squares = np.column_stack([x, y])[:, None] + corners
    axes.add_collection(PolyCollection(list(squares), facecolors=colours.tolist(), **({"linewidths": 0} | edge)))
    axes.set(xlim=(-0.7, x.max() + 0.7), ylim=(y.max() + 0.7, -0.7), aspect="equal")
