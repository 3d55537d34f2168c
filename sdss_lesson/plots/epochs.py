"""Figures of training: accuracy and loss per epoch."""

import textwrap
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from sdss_lesson.plots.style import BROKEN, INK, PALE, RIGHT, label_ends, new_panels, note

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def runs_per_epoch(runs: Mapping[str, pd.DataFrame], *, title: str) -> "list[Axes]":
    """Draw the accuracy and, beneath it, the loss of each run, epoch by epoch: three runs side by side.

    Parameters
    ----------
    runs
        Name -> what ``History.to_frame()`` gives: the columns ``epoch``, ``train_accuracy, val_accuracy`` (fractions),
        ``train_loss, val_loss`` (nats); and perhaps ``printed``, the accuracy that a broken loop printed (fractions).
    title
        The message.

    Returns
    -------
    list of Axes
        Accuracy and loss of the first run, accuracy and loss of the second, ...
    """
    columns = min(3, len(runs))
    bands = -(-len(runs) // columns)
    grid = new_panels(title, 2 * bands, columns, height=0.9 + 3.3 * bands)
    panels = grid.reshape(bands, 2, columns).swapaxes(1, 2).reshape(-1, 2)  # a line for each run: accuracy, loss
    for spare in panels[len(runs) :].flat:
        spare.remove()
    for number, ((name, frame), (upper, lower)) in enumerate(zip(runs.items(), panels, strict=False)):
        epochs, leftmost = frame["epoch"], number % columns == 0
        for kind, colour, line in [("train", INK, "--"), ("val", RIGHT, "-")]:
            _curve(upper, epochs, frame[f"{kind}_accuracy"], colour, line)
            _curve(lower, epochs, frame[f"{kind}_loss"], colour, line, clip_on=True)
        _epochs(upper, epochs, textwrap.fill(name, 50 // columns) if len(runs) > 1 else "", "")
        _epochs(lower, epochs, "", "epoch" if number + columns >= len(runs) else "")
        upper.set(ylim=(0, 1), yticks=[0, 0.5, 1], ylabel="accuracy" if leftmost else "")
        upper.tick_params(labelbottom=False, labelleft=leftmost)
        _fit_losses(lower, frame[["train_loss", "val_loss"]].to_numpy(dtype=float))
        lower.set_ylabel("loss (nats)" if leftmost else "")
        if "printed" in frame:
            _curve(upper, epochs, frame["printed"], BROKEN, ":")
    # Each kind of curve is named once: at the right of the first band, and where a broken loop first printed.
    last = list(runs.values())[columns - 1].iloc[-1]
    ends = [("training", last["train_accuracy"], INK), ("validation", last["val_accuracy"], RIGHT)]
    label_ends(panels[columns - 1, 0], [end for end in ends if np.isfinite(end[1])], 0.17)
    broken = [(upper, frame) for (upper, _), frame in zip(panels, runs.values(), strict=False) if "printed" in frame]
    for upper, frame in broken[:1]:
        x, y = frame[["epoch", "printed"]].iloc[-1]
        side, away = ("bottom", 5) if y < 0.5 else ("top", -5)
        note(upper, "printed by the\nbroken loop", (x, y), BROKEN, (0, away), ha="right", va=side)
    return list(panels[: len(runs)].flat)


def two_curves(printed: Sequence[float], accuracy: Sequence[float]) -> "list[Axes]":
    """Draw what the broken loop printed per epoch: beside the true accuracy from 0 to 1, and alone, magnified.

    Parameters
    ----------
    printed, accuracy
        Fractions after epoch 1, 2, ...: what the broken loop printed, and what is true.

    Returns
    -------
    list of Axes
        From 0 to 1, and magnified.
    """
    title = "An axis fitted to the curve makes a mountain of a few rows"
    whole, alone = new_panels(title, 1, 2, height=3.5)[0]
    epochs = np.arange(1, len(printed) + 1)
    _epochs(whole, epochs, "axis from 0 to 1")
    _epochs(alone, epochs, "printed alone, axis fitted")
    whole.set(ylim=(0, 1), ylabel="accuracy")
    _curve(whole, epochs, accuracy, RIGHT, "-")
    _curve(whole, epochs, printed, BROKEN, ":")
    label_ends(whole, [("true", accuracy[-1], RIGHT), ("printed", printed[-1], BROKEN)])
    # Hits over rows: the curve can only jump from one of these lines to another.
    for value in set(printed):
        alone.axhline(value, color=PALE, linewidth=1, zorder=0)
    alone.plot(epochs, printed, "s:", color=BROKEN, linewidth=1.5, markersize=5, clip_on=False)
    _magnify(alone, np.asarray(printed, dtype=float))
    return [whole, alone]


def band(curves: npt.ArrayLike, *, standard_error: float) -> "list[Axes]":
    """Draw the accuracy per epoch of runs that differ in their seed alone: from 0 to 1, and magnified.

    Parameters
    ----------
    curves
        Shape (runs, epochs), fractions.
    standard_error
        Of one accuracy, a fraction: drawn around the mean of the runs at the last epoch.

    Returns
    -------
    list of Axes
        From 0 to 1, and magnified.
    """
    values = np.asarray(curves, dtype=float)
    epochs = np.arange(1, values.shape[1] + 1)
    whole, close = panels = new_panels("Only the seed differs: gaps this small are luck", 1, 2, height=3.5)[0]
    for axes, name in zip(panels, ["axis from 0 to 1", "axis fitted to the later epochs"], strict=True):
        _epochs(axes, epochs, name)
        axes.fill_between(epochs, values.min(axis=0), values.max(axis=0), color=RIGHT, alpha=0.2, linewidth=0)
        for curve in values:
            _curve(axes, epochs, curve, RIGHT, "-", clip_on=True, linewidth=1)
    whole.set(ylim=(0, 1), ylabel="accuracy")
    mean = values[:, -1].mean()
    close.errorbar(epochs[-1], mean, standard_error, color=INK, fmt="o", capsize=5, linewidth=2, zorder=4)
    note(close, "± 1\nstandard\nerror", (close.get_xlim()[1], mean), INK, (11, 0), ha="left", va="center")
    # The climb of the first epochs would hide how the later ones differ.
    _magnify(close, np.append(values[:, len(epochs) // 2 :], [mean - standard_error, mean + standard_error]))
    return [whole, close]


def _curve(axes: "Axes", epochs: npt.ArrayLike, y: npt.ArrayLike, colour: str, line: str, **style: Any) -> None:
    """A line, whole where it lies on the edge of the axes; a dot where there is one epoch."""
    dot = "o" if np.size(epochs) == 1 else ""
    axes.plot(epochs, y, line, color=colour, marker=dot, **({"linewidth": 2, "clip_on": False} | style))


def _epochs(axes: "Axes", epochs: npt.ArrayLike, name: str, label: str = "epoch") -> None:
    """The axis along which a run goes, and the panel's name."""
    first, last = np.min(epochs), np.max(epochs)
    pad = 0.03 * (last - first) or 0.5
    axes.set(xlim=(first - pad, last + pad), xlabel=label)
    axes.locator_params(axis="x", nbins=5, integer=True, min_n_ticks=1)
    axes.set_title(name, loc="left", fontsize=11, color=INK)


def _magnify(axes: "Axes", values: np.ndarray) -> None:
    low, high = values.min(), values.max()
    pad = 0.1 * (high - low) or 0.005
    axes.set(ylim=(max(0, low - pad), min(1, high + pad)), ylabel="accuracy, magnified")
    axes.ticklabel_format(axis="y", useOffset=False, style="plain")


def _fit_losses(axes: "Axes", losses: np.ndarray) -> None:
    """From 0 up, so that a spike does not flatten everything else; where it is cut off, its height is written."""
    found = losses[np.isfinite(losses)]
    # Nothing is cut off below ln 3 = 1.1, what it costs to guess among three classes.
    limit = 1.08 * min(found.max(), max(1.2, 3 * np.quantile(found, 0.75))) or 1.0
    axes.set_ylim(0, limit)
    axes.locator_params(axis="y", nbins=4)
    if found.max() > limit:
        note(axes, f"peak {found.max():,.0f}", (axes.get_xlim()[1], limit), INK, (0, 3), ha="right", va="bottom")
