"""Figures of leakage: how far a score is carried off by test rows that the model has seen."""

import textwrap
from itertools import cycle
from typing import TYPE_CHECKING

import pandas as pd

from sdss_lesson.plots.style import BROKEN, GREY, INK, RIGHT, dots, label_ends, new_panels, note

if TYPE_CHECKING:
    from matplotlib.axes import Axes

_MODELS = [("#CC79A7", "^", "-"), ("#555555", "D", "--"), ("#56B4E9", "s", ":")]


def honest_and_leaky(table: pd.DataFrame, *, title: str, level: float | None = None) -> "Axes":
    """Draw the honest and the leaky accuracy of each model, and the gap between them in points.

    Parameters
    ----------
    table
        Columns ``model`` (str), ``honest`` and ``leaky`` (fractions); the first row is drawn at the top.
    title
        The message.
    level
        Accuracy of the model that always names the commonest class: a fraction, drawn as a line. None draws no line.
    """
    n = len(table)
    axes: Axes = new_panels(title, 1, 1, height=1.5 + 0.36 * n)[0, 0]
    axes.set(xlim=(0, 1), ylim=(n - 0.15, -0.9), yticks=range(n), yticklabels=table["model"], xlabel="accuracy")
    axes.tick_params(axis="y", length=0, pad=10, labelsize=11)
    axes.spines["left"].set_visible(False)
    axes.hlines(range(n), table["honest"], table["leaky"], color=GREY, linewidth=2)
    # Where the two coincide, the square lies within the dot.
    dots(axes, table["honest"], range(n), RIGHT, "o", 11)
    dots(axes, table["leaky"], range(n), BROKEN, "s", 7)
    words = sorted([(table["honest"].iloc[0], "honest", RIGHT), (table["leaky"].iloc[0], "leaky", BROKEN)])
    for (x, name, colour), side, away in zip(words, ["right", "left"], [-2, 2], strict=True):
        note(axes, name, (x, 0), colour, (away, 7), ha=side, va="bottom")
    for row, gap in enumerate(table["leaky"] - table["honest"]):
        text = f"{round(100 * gap, 1) + 0:+.1f} points"  # + 0 because -0.0 is no gap
        note(axes, text, (1, row), INK, (14, 0), ha="left", va="center")
    if level is not None:
        axes.axvline(level, color=INK, linewidth=1, zorder=0)
        side, away = ("right", -5) if level > 0.5 else ("left", 5)
        note(axes, "majority level", (level, n - 0.15), INK, (away, 3), ha=side, va="bottom")
    return axes


def duplicated_share(table: pd.DataFrame) -> "list[Axes]":
    """Draw accuracy against the share of the test rows that are copies of training rows: predicted and measured.

    Parameters
    ----------
    table
        Columns ``model`` (str), ``share`` (fraction of the test rows), ``predicted`` (drawn as a line) and ``measured``
        (drawn as dots; both fractions).

    Returns
    -------
    list of Axes
        From 0 to 1, and magnified.
    """
    title = "Each duplicate pulls the score towards the training score"
    whole, close = new_panels(title, 1, 2, height=3.6)[0]
    lines = {name: rows.sort_values("share") for name, rows in table.groupby("model", sort=False)}
    lowest = min(table["predicted"].min(), table["measured"].min())
    close.set(ylim=(lowest - 0.08 * (1.001 - lowest), 1), ylabel="accuracy, magnified")
    whole.set(ylim=(0, 1), ylabel="accuracy")
    for axes, name in ((whole, "axis from 0 to 1"), (close, "axis fitted")):
        axes.set(xlim=(0, 1), xticks=[0, 0.5, 1], xlabel="share of duplicates")
        axes.set_title(name, loc="left", fontsize=11, color=INK)
        for rows, (colour, marker, line) in zip(lines.values(), cycle(_MODELS), strict=False):
            axes.plot(rows["share"], rows["predicted"], line, color=colour, linewidth=2, clip_on=False)
            dots(axes, rows["share"], rows["measured"], colour, marker, 7)
    # The words stand where no line runs: beneath them, or above.
    y, side = (0.06, "bottom") if lowest > 0.35 else (0.94, "top")
    note(whole, "lines: predicted\ndots: measured", (0.06, y), INK, ha="left", va=side)
    ends = [
        (textwrap.fill(name, 12), *rows["predicted"].iloc[[-1, 0]], colour)
        for (name, rows), (colour, *_) in zip(lines.items(), cycle(_MODELS), strict=False)
    ]
    # Where lines meet at the right, the one that comes from below has the lower label.
    label_ends(close, [(name, end, colour) for name, end, start, colour in sorted(ends, key=lambda each: each[2])])
    return [whole, close]
