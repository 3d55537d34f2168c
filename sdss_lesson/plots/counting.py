"""Figures of counted accuracy: what the broken loop counts, and what a correct one counts."""

from collections.abc import Callable, Mapping, Sequence
from itertools import cycle
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt
import pandas as pd

from sdss_lesson.plots.style import BROKEN, GREY, INK, PALE, RIGHT, dots, label_ends, new_axes, new_panels, note

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MOVING = [(BROKEN, "o"), ("#CC79A7", "^"), ("#56B4E9", "s")]  # curves that depend on the batch size


def counter_trace(overwritten: Sequence[int], accumulated: Sequence[int]) -> "Axes":
    """Draw the counter ``n_correct`` after each batch, in both loops, and the value that it ends with.

    Parameters
    ----------
    overwritten, accumulated
        The counter (rows) after batch 1, 2, ... of the loop that says ``=``, and of the one that says ``+=``.
    """
    axes = new_axes("+= climbs to the total; = ends with the last batch alone", "batch", "n_correct (rows)")
    few = len(accumulated) <= 20
    axes.set(xlim=(0.5 if few else 0, len(accumulated)), ylim=(0, 1.12 * max(1, *accumulated, *overwritten)))
    axes.locator_params(integer=True, min_n_ticks=1)
    axes.yaxis.set_major_formatter("{x:,.0f}")
    loops = [("=", overwritten, BROKEN, "--", "s"), ("+=", accumulated, RIGHT, "-", "o")]
    for _, counter, colour, line, marker in loops:
        batches, shape = range(1, len(counter) + 1), marker if few else ""
        axes.plot(batches, counter, line, color=colour, marker=shape, markersize=5, linewidth=2, clip_on=False)
        dots(axes, batches[-1:], counter[-1:], colour, marker, 10)
    label_ends(axes, [(f"{sign} ends at {counter[-1]:,}", counter[-1], colour) for sign, counter, colour, *_ in loops])
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
    axes = new_axes(law if known else "No setting lifts the printed accuracy off the floor", y="accuracy")
    knobs = table["knob"].to_numpy()
    starts = np.flatnonzero(np.r_[True, knobs[1:] != knobs[:-1]])
    at = np.arange(len(table)) + 0.5 * (np.searchsorted(starts, np.arange(len(table)), side="right") - 1)
    # 1e-3 takes less room than 0.001.
    short = [np.format_float_scientific(v, trim="-", exp_digits=1) if 0 < v < 0.1 else f"{v:g}" for v in table["value"]]
    axes.set(xlim=(at[0] - 0.5, at[-1] + 0.5), ylim=(0, 1), xticks=at, xticklabels=short)
    for first, after in zip(starts, [*starts[1:], len(table)], strict=True):
        note(axes, knobs[first], (at[first:after].mean(), 0), INK, (0, -22), ha="center", va="top")
    if bound is not None:
        axes.axhline(bound, color=INK, linewidth=1)
        label = f"last batch / all rows = {bound:.3g}"
        note(axes, label, (at[-1] + 0.5, bound), INK, (0, 6), ha="right", va="bottom")
    dots(axes, at, table["printed"], BROKEN, "s", 6)
    note(axes, "printed", (at[0] - 0.2, table["printed"].iloc[0]), BROKEN, (0, 7), ha="left", va="bottom")
    if known:
        dots(axes, at, table["true"], RIGHT, "o", 7)
        note(axes, "true", (at[-1], table["true"].iloc[-1]), RIGHT, (0, -7), ha="center", va="top")
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
    axes = new_axes(title, "batch size of the test loader (rows)", "accuracy")
    sizes = np.asarray(batch_sizes)
    axes.set(xlim=(sizes[0] - 0.01 * np.ptp(sizes), sizes[-1]), ylim=(0, 1))
    values = {label: np.broadcast_to(np.asarray(curve, dtype=float), sizes.shape) for label, curve in curves.items()}
    still = {label: curve for label, curve in values.items() if np.ptp(curve) == 0}
    moving = {label: curve for label, curve in values.items() if label not in still}
    for curve, line in zip(still.values(), cycle(["-", "--", ":", "-."]), strict=False):
        axes.plot(sizes, curve, line, color=RIGHT, linewidth=2, clip_on=False)
    label_ends(axes, [(label, curve[0], RIGHT) for label, curve in still.items()])
    dot = 3.0 if len(sizes) > 200 else 4.5
    drawn = [
        (label, sizes, curve, *style, dot)
        for (label, curve), style in zip(moving.items(), cycle(_MOVING), strict=False)
    ]
    if law is not None:
        every = np.arange(sizes[0], sizes[-1] + 1)
        drawn.insert(0, ("the law (black)", every, np.array([law(int(size)) for size in every]), INK, "o", 1.5))
    # The words stand at the left: over the teeth, which are small there, or under curves that run near the top.
    teeth = np.concatenate([curve[at - sizes[0] <= 0.42 * np.ptp(sizes)] for _, at, curve, *_ in drawn] or [sizes])
    y, sign, va = (teeth.max(), 1, "bottom") if np.median(teeth) < 0.5 else (teeth[teeth >= 0.5].min(), -1, "top")
    for number, (label, at, curve, colour, marker, size) in enumerate(drawn):
        dots(axes, at, curve, colour, marker, size)
        note(axes, label, (0.94 * sizes[0] + 0.06 * sizes[-1], y), colour, (0, sign * (6 + 16 * number)), va=va)
    # From n rows up a batch holds all of them, and there the law, or the first moving curve, rests on the truth.
    for _, at, curve, *_ in drawn[:1]:
        rest = int(np.flatnonzero(curve != curve[-1])[-1]) + 1
        if rest < len(at) - 1 and any(np.isclose(curve[-1], truth[0]) for truth in still.values()):
            axes.axvline(at[rest], color=GREY, linewidth=1, linestyle=":")
            note(axes, "one batch holds\nall rows", (at[rest], 0.6), INK, (-6, 0), ha="right", va="center")
    return axes


def by_rank(shares: Mapping[int, Sequence[float]], accuracy: float, *, title: str) -> "Axes":
    """Draw each rank's hits over the number of all rows as a stack: the parts add up to the accuracy of all rows.

    Parameters
    ----------
    shares
        Number of processes -> hits of rank 0, 1, ... over all rows: fractions. Rank 0, which prints, is coloured.
    accuracy
        Of all rows, a fraction.
    title
        The message.
    """
    axes = new_axes(title, "processes", "hits / all rows")
    axes.set(xlim=(-0.6, len(shares) - 0.4), ylim=(0, 1), xticks=range(len(shares)), xticklabels=list(shares))
    for at, parts in enumerate(shares.values()):
        floors = np.cumsum([0, *parts[:-1]])
        colours = [BROKEN] + [PALE] * (len(parts) - 1)
        axes.bar([at] * len(parts), parts, 0.6, floors, color=colours, edgecolor="white", linewidth=1.5)
        note(axes, f"{parts[0]:.2f}", (at, parts[0] / 2), INK, ha="center", va="center")
        for rank, (floor, part) in enumerate(zip(floors, parts, strict=True)):
            if rank and min(part, parts[0]) > 0.12:  # there is room for words
                note(axes, f"rank {rank}", (at, floor + part / 2), INK, ha="center", va="center")
    axes.axhline(accuracy, color=RIGHT, linewidth=2)
    last = list(shares.values())[-1][0]
    label_ends(axes, [("accuracy of\nall rows", accuracy, RIGHT), ("rank 0\nprints this", last / 2, BROKEN)])
    return axes


def expected_and_printed(table: pd.DataFrame, *, title: str) -> "Axes":
    """Draw, for each test of an evaluator, what it has to print and what two loops print.

    Parameters
    ----------
    table
        Columns ``test`` (str), ``expected``, ``=`` and ``+=`` (fractions); the first row is drawn at the top.
    title
        The message.
    """
    n = len(table)
    axes: Axes = new_panels(title, 1, 1, height=1.4 + 0.32 * n)[0, 0]
    axes.set(xlim=(0, 1), ylim=(n - 0.4, -1.3), yticks=range(n), yticklabels=table["test"], xlabel="accuracy")
    axes.tick_params(axis="y", length=0, pad=10, labelsize=11)
    axes.spines["left"].set_visible(False)
    axes.hlines(range(n), 0, 1, color=PALE, linewidth=1, zorder=0)
    axes.plot(table["expected"], range(n), "o", color=INK, markersize=13, markerfacecolor="none", clip_on=False)
    dots(axes, table["="], range(n), BROKEN, "s", 7)
    dots(axes, table["+="], range(n), RIGHT, "o", 7)
    note(axes, "prints with =", (table["="].iloc[0], 0), BROKEN, (-2, 8), ha="left", va="bottom")
    words = "has to be (ring), prints with +="
    note(axes, words, (table["expected"].iloc[0], 0), RIGHT, (2, 8), ha="right", va="bottom")
    return axes
