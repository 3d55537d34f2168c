"""Figures of the lesson: one message each, said in its title.

Each function draws a figure of its own and returns its axes; ``plt.show()`` is the caller's. The colours are Okabe and
Ito's, which colour-blind readers tell apart; what shares a figure also differs in shape, line or lightness.
"""

import textwrap
from collections.abc import Callable, Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

if TYPE_CHECKING:
    from matplotlib.axes import Axes

# The same in every figure: a class; what a broken loop counts, and a miss; what a correct loop counts, and a hit.
CLASS_COLOURS = {"GALAXY": "#E69F00", "QSO": "#000000", "STAR": "#009E73"}
BROKEN, RIGHT = "#D55E00", "#0072B2"
_CLASS_MARKERS = {"GALAXY": "o", "QSO": "^", "STAR": "s"}
_MOVING = [(BROKEN, "o"), ("#CC79A7", "^"), ("#56B4E9", "s")]  # curves that depend on the batch size
_XY = tuple[float, float]
_INK, _GREY, _PALE = "#222222", "#8c8c8c", "#d4d4d4"


def colour_colour(frame: pd.DataFrame) -> "Axes":
    """Draw u - g against g - r (magnitudes): a point for each row, by class.

    Parameters
    ----------
    frame
        A catalogue with the columns ``u, g, r`` and ``class``.
    """
    axes = _axes("Each kind has its region, and the regions overlap", "u - g (magnitudes)", "g - r (magnitudes)")
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
        _note(axes, name, (flank["x"], flank["y"]), _INK, ha="center", va="center", bbox=box)
    return axes


def counter_trace(overwritten: Sequence[int], accumulated: Sequence[int]) -> "Axes":
    """Draw the counter ``n_correct`` after each batch, in both loops, and the value that it ends with.

    Parameters
    ----------
    overwritten, accumulated
        The counter (rows) after batch 1, 2, ... of the loop that says ``=``, and of the one that says ``+=``.
    """
    axes = _axes("+= climbs to the total; = ends with the last batch alone", "batch", "n_correct (rows)")
    few = len(accumulated) <= 20
    axes.set(xlim=(0.5 if few else 0, len(accumulated)), ylim=(0, 1.12 * max(1, *accumulated, *overwritten)))
    axes.locator_params(integer=True, min_n_ticks=1)
    axes.yaxis.set_major_formatter("{x:,.0f}")
    loops = [("=", overwritten, BROKEN, "--", "s"), ("+=", accumulated, RIGHT, "-", "o")]
    for _, counter, colour, line, marker in loops:
        batches, dots = range(1, len(counter) + 1), marker if few else ""
        axes.plot(batches, counter, line, color=colour, marker=dots, markersize=5, linewidth=2, clip_on=False)
        _dots(axes, batches[-1:], counter[-1:], colour, marker, 10)
    _label_ends(axes, [(f"{sign} ends at {counter[-1]:,}", counter[-1], colour) for sign, counter, colour, *_ in loops])
    return axes


def test_strip(hits: npt.ArrayLike, batch_size: int) -> "Axes":
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
    axes = _axes(f"What the loop counted: the last batch, {n - start:,} of {n:,} rows")
    # About three times as wide as high, with whole batches in a line unless a batch fills more than two of them.
    wide = round(np.sqrt(3 * n))
    across = min(n, max(1, round(wide / batch_size)) * batch_size if batch_size <= 2 * wide else wide)
    y, x = np.divmod(np.arange(n), across)
    colours = np.r_[np.where(right, _PALE, _GREY)[:start], np.where(right, RIGHT, BROKEN)[start:]]
    _cells(axes, x, y, np.where(right, 0.42, 0.26), colours)
    (first, top), (last, bottom) = (x[start], y[start]), (x[-1] + 1, y[-1] + 1)
    left, end = (first, last) if bottom - top == 1 else (0, across)
    border = [(first, top), (end, top), (end, bottom - 1), (last, bottom - 1), (last, bottom), (left, bottom)]
    border += [(left, top + 1), (first, top + 1)]
    axes.add_patch(Polygon(np.array(border) - 0.5, fill=False, edgecolor=_INK, linewidth=1.5, clip_on=False))
    axes.set_axis_off()
    # The words stand below the cells, where they cover none: the batch's under the batch, the key at the other side.
    sides = [(left, "left"), (across, "right")] if left + end <= across else [(end, "right"), (0, "left")]
    texts = [f"the last batch: {right[start:].sum():,} of {n - start:,} right", "■ hit   ▪ miss"]
    for text, (edge, side) in zip(texts, sides, strict=True):
        _note(axes, text, (edge - 0.5, bottom - 0.5), _INK, (0, -7), ha=side, va="top")
    return axes


def floor_and_cloud(table: pd.DataFrame, bound: float | None = None) -> "Axes":
    """Draw the accuracy of every setting: what the broken loop printed and, once it is there, the true one.

    Parameters
    ----------
    table
        Columns ``knob`` (str), ``value`` (number), ``printed`` and perhaps ``true`` (fractions), knob by knob.
    bound
        Rows in the last batch over all rows: a fraction, drawn as a line. None draws no line.
    """
    known = "true" in table
    law = "The knobs move the true accuracy, never the floor"
    axes = _axes(law if known else "No setting lifts the printed accuracy off the floor", y="accuracy")
    knobs = table["knob"].to_numpy()
    starts = np.flatnonzero(np.r_[True, knobs[1:] != knobs[:-1]])
    at = np.arange(len(table)) + 0.5 * (np.searchsorted(starts, np.arange(len(table)), side="right") - 1)
    # 1e-3 takes less room than 0.001.
    short = [np.format_float_scientific(v, trim="-", exp_digits=1) if 0 < v < 0.1 else f"{v:g}" for v in table["value"]]
    axes.set(xlim=(at[0] - 0.5, at[-1] + 0.5), ylim=(0, 1), xticks=at, xticklabels=short)
    for first, after in zip(starts, [*starts[1:], len(table)], strict=True):
        _note(axes, knobs[first], (at[first:after].mean(), 0), _INK, (0, -22), ha="center", va="top")
    if bound is not None:
        axes.axhline(bound, color=_INK, linewidth=1)
        label = f"last batch / all rows = {bound:.3g}"
        _note(axes, label, (at[-1] + 0.5, bound), _INK, (0, 6), ha="right", va="bottom")
    _dots(axes, at, table["printed"], BROKEN, "s", 6)
    _note(axes, "printed", (at[0] - 0.2, table["printed"].iloc[0]), BROKEN, (0, 7), ha="left", va="bottom")
    if known:
        _dots(axes, at, table["true"], RIGHT, "o", 7)
        _note(axes, "true", (at[-1], table["true"].iloc[-1]), RIGHT, (0, -7), ha="center", va="top")
    return axes


def against_batch_size(
    batch_sizes: npt.ArrayLike,
    curves: Mapping[str, npt.ArrayLike],
    *,
    title: str,
    law: Callable[[int], float] | None = None,
) -> "Axes":
    """Draw accuracies against the batch size of the test loader.

    A curve that no batch size moves is a line in the colour `RIGHT`; the first one that moves is dots in `BROKEN`.

    Parameters
    ----------
    batch_sizes
        Shape (B,), int, ascending.
    curves
        Label -> fractions of shape (B,), or one fraction for all batch sizes.
    title
        The message.
    law
        Batch size -> predicted fraction, drawn thin and black at every whole number, under the dots.
    """
    axes = _axes(title, "batch size of the test loader (rows)", "accuracy")
    sizes = np.asarray(batch_sizes)
    axes.set(xlim=(sizes[0] - 0.01 * np.ptp(sizes), sizes[-1]), ylim=(0, 1))
    values = {label: np.broadcast_to(np.asarray(curve, dtype=float), sizes.shape) for label, curve in curves.items()}
    still = {label: curve for label, curve in values.items() if np.ptp(curve) == 0}
    moving = {label: curve for label, curve in values.items() if label not in still}
    for curve, line in zip(still.values(), cycle(["-", "--", ":", "-."]), strict=False):
        axes.plot(sizes, curve, line, color=RIGHT, linewidth=2, clip_on=False)
    _label_ends(axes, [(label, curve[0], RIGHT) for label, curve in still.items()])
    dot = 3.0 if len(sizes) > 200 else 4.5
    drawn = [
        (label, sizes, curve, *style, dot)
        for (label, curve), style in zip(moving.items(), cycle(_MOVING), strict=False)
    ]
    if law is not None:
        every = np.arange(sizes[0], sizes[-1] + 1)
        drawn.insert(0, ("the law (black)", every, np.array([law(int(size)) for size in every]), _INK, "o", 1.5))
    # The words stand at the left: over the teeth, which are small there, or under curves that run near the top.
    teeth = np.concatenate([curve[at - sizes[0] <= 0.42 * np.ptp(sizes)] for _, at, curve, *_ in drawn] or [sizes])
    y, sign, va = (teeth.max(), 1, "bottom") if np.median(teeth) < 0.5 else (teeth.min(), -1, "top")
    for number, (label, at, curve, colour, marker, size) in enumerate(drawn):
        _dots(axes, at, curve, colour, marker, size)
        _note(axes, label, (0.94 * sizes[0] + 0.06 * sizes[-1], y), colour, (0, sign * (6 + 16 * number)), va=va)
    # From n rows up a batch holds all of them, and there the law, or the first moving curve, rests on the truth.
    for _, at, curve, *_ in drawn[:1]:
        rest = int(np.flatnonzero(curve != curve[-1])[-1]) + 1
        if rest < len(at) - 1 and any(np.isclose(curve[-1], truth[0]) for truth in still.values()):
            axes.axvline(at[rest], color=_GREY, linewidth=1, linestyle=":")
            _note(axes, "one batch holds\nall rows", (at[rest], 0.6), _INK, (-6, 0), ha="right", va="center")
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
    axes = _axes(title, "predictions, shape (N,)", "labels, shape (N, 1)")
    order = np.argsort(np.eye(n).ravel(), kind="stable")  # the diagonal last: no neighbour's edge covers its outline
    y, x = np.indices((n, n)).reshape(2, -1)[:, order]
    fills = np.where(equal[y, x], np.where(x == y, RIGHT, BROKEN), "#FFFFFF")
    _cells(axes, x, y, 0.5, fills, edgecolors=np.where(x == y, _INK, _PALE), linewidths=np.where(x == y, 2.5, 1))
    axes.set(xticks=range(n), xticklabels=columns, yticks=range(n), yticklabels=rows, anchor="W", frame_on=False)
    axes.tick_params(length=0)
    outlined = f"outlined: each prediction\nagainst its own label,\n{own:,} equal"
    beside = f"off the diagonal: predictions\nagainst other rows' labels,\n{total - own:,} equal"
    _note(axes, outlined, (n, 0.25 * n - 0.5), RIGHT, va="center")
    _note(axes, beside, (n, 0.7 * n - 0.5), BROKEN, va="center")
    return axes


def _axes(title: str, x: str = "", y: str = "") -> "Axes":
    """A figure in the lesson's style, legible from the last row of a classroom."""
    import matplotlib.pyplot as plt
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    _, axes = plt.subplots(figsize=(7, 3.5), layout=ConstrainedLayoutEngine(w_pad=0.07, h_pad=0.1))
    axes.set_title(textwrap.fill(title, 60), loc="left", fontsize=12, fontweight="bold", color=_INK, pad=10)
    axes.set_xlabel(x, fontsize=11, color=_INK)
    axes.set_ylabel(y, fontsize=11, color=_INK)
    axes.tick_params(labelsize=10, color=_GREY, labelcolor=_INK)
    axes.spines[["top", "right"]].set_visible(False)
    axes.spines[["left", "bottom"]].set_color(_GREY)
    return axes


def _dots(axes: "Axes", x: npt.ArrayLike, y: npt.ArrayLike, colour: str, marker: str, size: float) -> None:
    """Unconnected, and whole where they lie on the edge of the axes: broken numbers lie at zero."""
    axes.plot(x, y, marker, color=colour, markersize=size, markeredgewidth=0, clip_on=False, zorder=3)


def _cells(axes: "Axes", x: np.ndarray, y: np.ndarray, half: npt.ArrayLike, colours: np.ndarray, **edge: Any) -> None:
    """Squares of half-width `half` around the points of a grid that is read from the top left."""
    from matplotlib.collections import PolyCollection

    corners = np.reshape(half, (-1, 1, 1)) * np.array([(-1, -1), (1, -1), (1, 1), (-1, 1)])
    squares = np.column_stack([x, y])[:, None] + corners
    axes.add_collection(PolyCollection(list(squares), facecolors=colours.tolist(), **({"linewidths": 0} | edge)))
    axes.set(xlim=(-0.7, x.max() + 0.7), ylim=(y.max() + 0.7, -0.7), aspect="equal")


def _note(axes: "Axes", text: str, xy: _XY, colour: str, shift: _XY = (0, 0), **style: Any) -> None:
    """Words at a place in the data, moved by `shift` points; bold in colour, and with a white halo."""
    from matplotlib.patheffects import withStroke

    note = axes.annotate(text, xy, shift, textcoords="offset points", color=colour, fontsize=11, zorder=5, **style)
    note.set(fontweight="normal" if colour == _INK else "bold", annotation_clip=False)
    note.set_path_effects([withStroke(linewidth=3, foreground="white")])


def _label_ends(axes: "Axes", ends: Sequence[tuple[str, float, str]]) -> None:
    """Write each (text, height, colour) right of the axes, apart even where heights are not. Limits come before."""
    lowest = -np.inf
    for text, height, colour in sorted(ends, key=lambda end: end[1]):
        lowest = max(height, lowest + 0.1 * axes.get_ylim()[1])
        _note(axes, text, (axes.get_xlim()[1], lowest), colour, (11, 0), ha="left", va="center")
