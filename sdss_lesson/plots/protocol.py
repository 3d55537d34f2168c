"""Figures of an honest protocol: a search, the luck of its winner, how sure a number is, and what it hides."""

from collections.abc import Mapping
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from sdss_lesson.evaluation import Evaluation
from sdss_lesson.plots.style import (
    BROKEN,
    CLASS_COLOURS,
    GREY,
    INK,
    RIGHT,
    dots,
    label_ends,
    new_axes,
    new_panels,
    note,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def search(table: pd.DataFrame, *, title: str) -> "list[Axes]":
    """Draw every setting of a search as a dot, once for each knob, and the means of the two optimizers as lines.

    Parameters
    ----------
    table
        A row for each setting: the column ``val_accuracy`` (fractions), ``optimizer`` (two names), and a column for
        each other knob.
    title
        The message.

    Returns
    -------
    list of Axes
        One for each knob but the optimizer; they share a magnified accuracy axis.
    """
    knobs = [name for name in table if name not in ("val_accuracy", "optimizer")]
    panels = new_panels(title, 1, len(knobs), height=3.6)[0]
    pad = 0.06 * np.ptp(table["val_accuracy"]) or 0.01
    low, high = table["val_accuracy"].min() - pad, table["val_accuracy"].max() + pad
    looks = dict(zip(sorted(table["optimizer"].unique()), [(GREY, "o", -0.12), (INK, "s", 0.12)], strict=True))
    for axes, knob in zip(panels, knobs, strict=True):
        values = sorted(table[knob].unique())
        axes.set(xlim=(-0.5, len(values) - 0.5), xticks=range(len(values)), ylim=(low, high))
        axes.set_xticklabels([f"{value:g}" for value in values])
        axes.set_xlabel(knob.replace("_", " "))
        axes.tick_params(labelleft=axes is panels[0])
        for name, (colour, marker, aside) in looks.items():
            of_one = table[table["optimizer"] == name]
            x = of_one[knob].map(values.index) + aside
            dots(axes, x, of_one["val_accuracy"], colour, marker, 4)
            means = of_one.groupby(knob)["val_accuracy"].mean()
            axes.plot(np.arange(len(values)) + aside, means, color=colour, linewidth=2)
    panels[0].set_ylabel("validation accuracy, magnified")
    last = table[table[knobs[-1]] == max(table[knobs[-1]])].groupby("optimizer")["val_accuracy"].mean()
    label_ends(panels[-1], [(name, last[name], looks[name][0]) for name in looks])
    return list(panels)


def winners(gaps: Mapping[str, Mapping[int, np.ndarray]], *, title: str) -> "list[Axes]":
    """Draw by how much the score that chose a winner exceeds its score on fresh rows, against the number tried.

    Parameters
    ----------
    gaps
        What was tried -> number tried -> differences of fractions, shape (draws,), one for each small test set.
    title
        The message.

    Returns
    -------
    list of Axes
        One for each kind; they share the vertical axis.
    """
    panels = new_panels(title, 1, len(gaps), height=3.6)[0]
    everything = np.concatenate([draws for tried in gaps.values() for draws in tried.values()])
    jitter = np.random.default_rng(0)  # spreads the dots sideways, and changes no height
    for axes, (name, tried) in zip(panels, gaps.items(), strict=True):
        numbers = list(tried)
        for place, draws in enumerate(tried.values()):
            dots(axes, place + jitter.uniform(-0.3, 0.3, len(draws)), draws, GREY, "o", 1.6)
        axes.axhline(0, color=INK, linewidth=1, zorder=4)
        means = [float(draws.mean()) for draws in tried.values()]
        axes.plot(range(len(numbers)), means, "D-", color=BROKEN, linewidth=2, markersize=5, zorder=5)
        axes.set(xlim=(-0.6, len(numbers) - 0.4), ylim=(everything.min() - 0.01, everything.max() + 0.01))
        axes.set_xticks(range(len(numbers)), [str(number) for number in numbers])
        axes.set_xlabel("number tried")
        axes.set_title(name, loc="left", fontsize=11, color=INK)
        axes.tick_params(labelleft=axes is panels[0])
        last = f"mean\n{100 * means[-1]:+.1f} points"
        note(axes, last, (len(numbers) - 0.5, everything.min()), BROKEN, ha="right", va="bottom")
    panels[0].set_ylabel("winner's score on the small set\nminus its score on fresh rows")
    return list(panels)


def intervals(found: Mapping[int, tuple[float, float, float]], *, title: str) -> "Axes":
    """Draw an accuracy and its interval for each number of test rows.

    Parameters
    ----------
    found
        Number of rows -> accuracy, lower and upper end: fractions.
    title
        The message.

    Returns
    -------
    Axes
    """
    axes = new_axes(title, "test rows", "accuracy")
    for place, (accuracy, low, high) in enumerate(found.values()):
        error = [[accuracy - low], [high - accuracy]]
        axes.errorbar(place, accuracy, error, color=RIGHT, fmt="o", capsize=6, linewidth=2, markersize=5)
        note(axes, f"{100 * (high - low):.1f} points wide", (place, low), INK, (0, -9), ha="center", va="top")
    axes.set(xlim=(-0.6, len(found) - 0.4), ylim=(0, 1))
    axes.set_xticks(range(len(found)), [f"{rows:,}" for rows in found])
    return axes


def recalls(models: Mapping[str, Evaluation], *, title: str) -> "list[Axes]":
    """Draw accuracy, balanced accuracy and the recall of each class, side by side for each model.

    Parameters
    ----------
    models
        Name -> its evaluation, with names of classes.
    title
        The message.

    Returns
    -------
    list of Axes
        One for each model.
    """
    panels = new_panels(title, 1, len(models), height=3.6)[0]
    for axes, (name, judged) in zip(panels, models.items(), strict=True):
        bars = {"accuracy": judged.accuracy, "balanced\naccuracy": judged.balanced_accuracy}
        bars |= {f"{label}\nrecall": float(recall) for label, recall in zip(judged.classes, judged.recall, strict=True)}
        colours = [GREY, GREY, *(CLASS_COLOURS[label] for label in judged.classes)]
        axes.barh(range(len(bars)), list(bars.values()), color=colours, height=0.7)
        for place, value in enumerate(bars.values()):
            note(axes, f"{value:.2f}", (value, place), INK, (5, 0), ha="left", va="center")
        axes.set(xlim=(0, 1.18), xticks=[0, 0.5, 1], ylim=(len(bars) - 0.5, -0.5))
        axes.set_yticks(range(len(bars)), list(bars) if axes is panels[0] else [""] * len(bars))
        axes.set_title(name, loc="left", fontsize=11, color=INK)
    return list(panels)
