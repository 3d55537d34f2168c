"""The figures hold the data that they were given, and nothing on them is cut off or lies on top of something else."""

import subprocess
import sys
from itertools import combinations

import matplotlib
import numpy as np
import pandas as pd
import pytest

from sdss_lesson import CLASSES, load_sdss, plots

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.colors import to_hex, to_rgb
from matplotlib.text import Text

RNG = np.random.default_rng(0)
HITS = RNG.random(2000) < 0.94
SETTINGS = pd.DataFrame(
    {
        "knob": ["learning rate"] * 6 + ["hidden units"] * 5 + ["epochs"] * 5,
        "value": [1e-5, 1e-4, 1e-3, 1e-2, 1e-1, 1, 2, 8, 32, 128, 512, 1, 5, 10, 20, 40],
        "printed": RNG.uniform(0.002, 0.008, 16),
        "true": RNG.uniform(0.2, 0.95, 16),
    }
)


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def last_batch(n: int, batch_size: np.ndarray) -> np.ndarray:
    return n - (n - 1) // batch_size * batch_size


def printed(hits: np.ndarray, batch_sizes: np.ndarray) -> np.ndarray:
    return np.array([hits[-last:].sum() for last in last_batch(len(hits), batch_sizes)]) / len(hits)


def trace(*hits: int) -> Axes:
    return plots.counter_trace(hits, np.cumsum(hits).tolist())


def sawtooth(n: int, batch_sizes: np.ndarray | None = None) -> Axes:
    sizes = np.arange(1, n + n // 20) if batch_sizes is None else batch_sizes
    curves = {"printed": printed(HITS[:n], sizes), "true": HITS[:n].mean()}
    return plots.against_batch_size(
        sizes, curves, title="T", law=lambda size: HITS[:n].mean() * last_batch(n, size) / n
    )


FIGURES = {
    "colour_colour": lambda: plots.colour_colour(load_sdss()),
    "trace of 4": lambda: trace(30, 29, 31, 16),
    "trace of 63": lambda: trace(*[30] * 62, 15),
    "trace of 1": lambda: trace(12),
    "trace of none": lambda: trace(0, 0),
    **{f"strip {n} {b}": lambda n=n, b=b: plots.test_strip(HITS[:n], b)
       for n, b in [(2000, 32), (200, 32), (2000, 500), (2000, 700), (2000, 1999), (2000, 2000), (200, 13), (75, 32)]},
    "floor": lambda: plots.floor_and_cloud(SETTINGS.drop(columns="true")),
    "cloud": lambda: plots.floor_and_cloud(SETTINGS, 0.008),
    "sawtooth 2000": lambda: sawtooth(2000),
    "sawtooth 200": lambda: sawtooth(200),
    "sawtooth, coarse": lambda: sawtooth(2000, np.array([1, 100, 1999, 2000, 2100])),
    "curves near the top": lambda: plots.against_batch_size(
        np.arange(1, 301), {"mean of\nbatch means": RNG.uniform(0.9, 1, 300), "sum / rows": 0.95}, title="long " * 30
    ),
    "shapes 8": lambda: plots.label_shapes(RNG.integers(0, 3, 8), RNG.integers(0, 3, (8, 1))),
    "shapes 12": lambda: plots.label_shapes(RNG.integers(0, 3, 12), RNG.integers(0, 3, 12)),
}  # fmt: skip


def words(axes: Axes) -> list[Text]:
    """Everything written on the figure that can be seen."""
    axes.figure.canvas.draw()
    ticks = []
    for axis in (axes.xaxis, axes.yaxis):
        low, high = sorted(axis.get_view_interval())
        ticks += [tick.label1 for tick in axis.get_major_ticks() if axes.axison and low <= tick.get_loc() <= high]
    titles = [axes.xaxis.label, axes.yaxis.label] if axes.axison else []
    texts = [*axes.texts, axes.title, axes._left_title, *titles, *ticks]
    return [text for text in texts if text.get_text()]


def said(axes: Axes) -> list[str]:
    return [text.get_text() for text in axes.texts]


def dots(axes: Axes, colour: str, marker: str) -> np.ndarray:
    """The points of the one unconnected series in this colour and marker."""
    (line,) = [
        line for line in axes.lines
        if (line.get_color(), line.get_marker(), line.get_linestyle()) == (colour, marker, "None")
    ]  # fmt: skip
    return line.get_xydata()


def cells(axes: Axes) -> dict[tuple[int, int], str]:
    """(column, line) -> colour."""
    (grid,) = [each for each in axes.collections if isinstance(each, PolyCollection)]
    centres = [tuple(path.vertices[:4].mean(axis=0).round().astype(int).tolist()) for path in grid.get_paths()]
    return dict(zip(centres, map(to_hex, grid.get_facecolors()), strict=True))


@pytest.mark.parametrize("draw", FIGURES.values(), ids=FIGURES)
def test_all_words_are_legible_whole_and_apart(draw):
    axes = draw()
    texts = words(axes)
    boxes = {text: text.get_window_extent() for text in texts}
    page = axes.figure.bbox
    for text, box in boxes.items():
        assert text.get_fontsize() >= 10, text
        assert page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1, text
    for one, other in combinations(texts, 2):
        assert not boxes[one].shrunk(0.96, 0.8).overlaps(boxes[other].shrunk(0.96, 0.8)), (one, other)


@pytest.mark.parametrize("draw", FIGURES.values(), ids=FIGURES)
def test_a_figure_has_one_title_and_no_legend(draw):
    axes = draw()
    assert axes.get_title(loc="left") and axes.get_legend() is None and axes.figure.axes == [axes]
    if axes.get_ylabel() == "accuracy":
        assert axes.get_ylim() == (0, 1)


def test_two_drawings_are_the_same_and_stand_on_figures_of_their_own():
    pictures = []
    for axes in (sawtooth(200), sawtooth(200)):
        axes.figure.canvas.draw()
        pictures.append(np.asarray(axes.figure.canvas.buffer_rgba()))
    assert len(plt.get_fignums()) == 2 and (pictures[0] == pictures[1]).all()


def test_colours_differ_in_greyscale_too():
    def grey(colour: str) -> float:
        return float(np.dot([0.299, 0.587, 0.114], to_rgb(colour)))

    assert tuple(plots.CLASS_COLOURS) == CLASSES
    for family in (plots.CLASS_COLOURS.values(), (plots.BROKEN, plots.RIGHT, "white")):
        assert all(abs(grey(one) - grey(other)) > 0.1 for one, other in combinations(family, 2))
    assert not {plots.BROKEN, plots.RIGHT} & set(plots.CLASS_COLOURS.values())


def test_importing_the_package_leaves_matplotlib_alone():
    code = "import sys, sdss_lesson; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_colour_colour_holds_every_row_and_outliers_do_not_set_its_limits():
    frame = load_sdss()
    before = plots.colour_colour(frame)
    frame.loc[0, "u"] = 60.0
    axes = plots.colour_colour(frame)
    drawn = {cloud.get_label(): cloud for cloud in axes.collections}
    assert list(drawn) == frame["class"].value_counts().index.tolist()  # the rarest is drawn last
    for name, cloud in drawn.items():
        rows = frame[frame["class"] == name]
        np.testing.assert_array_equal(
            cloud.get_offsets(), np.column_stack([rows["u"] - rows["g"], rows["g"] - rows["r"]])
        )
        assert to_hex(cloud.get_facecolor()[0]) == plots.CLASS_COLOURS[name].lower()
    np.testing.assert_allclose(axes.get_xlim(), before.get_xlim(), atol=0.05)
    assert set(said(axes)) == set(CLASSES)
    for text in axes.texts:  # a label lies within its own class: most of the nearest rows are of it
        distance = (frame["u"] - frame["g"] - text.xy[0]) ** 2 + (frame["g"] - frame["r"] - text.xy[1]) ** 2
        assert (frame["class"][distance.nsmallest(25).index] == text.get_text()).mean() > 0.5


@pytest.mark.parametrize("hits", [[30, 29, 31, 16], [30] * 62 + [15]], ids=["4", "63"])
def test_counter_trace_ends_with_its_labelled_values(hits):
    axes = trace(*hits)
    total = sum(hits)
    for colour, marker, counter in [(plots.BROKEN, "s", hits), (plots.RIGHT, "o", np.cumsum(hits))]:
        (line,) = [line for line in axes.lines if line.get_color() == colour and line.get_linestyle() != "None"]
        np.testing.assert_array_equal(line.get_xydata(), np.column_stack([range(1, len(hits) + 1), counter]))
        np.testing.assert_array_equal(dots(axes, colour, marker), [(len(hits), counter[-1])])
    assert sorted(said(axes)) == [f"+= ends at {total:,}", f"= ends at {hits[-1]}"]
    assert axes.get_ylim()[0] == 0 and axes.get_ylim()[1] > total


@pytest.mark.parametrize(("n", "batch_size"), [(2000, 32), (200, 32), (2000, 2000), (2000, 700), (96, 32), (5, 1)])
def test_strip_greys_out_all_but_the_last_batch(n, batch_size):
    hits = HITS[:n]
    axes = plots.test_strip(hits, batch_size)
    last = last_batch(n, np.array(batch_size))
    drawn = cells(axes)
    reading_order = [drawn[place] for place in sorted(drawn, key=lambda place: place[::-1])]
    assert len(reading_order) == n
    meaning = {plots.RIGHT.lower(): True, plots.BROKEN.lower(): False}
    assert [meaning[colour] for colour in reading_order[n - last :]] == hits[n - last :].tolist()
    faint = list(zip(reading_order, hits, strict=True))[: n - last]
    of_hits, of_misses = ({colour for colour, hit in faint if hit == wanted} for wanted in (True, False))
    assert not of_hits & of_misses and not (of_hits | of_misses) & set(meaning)
    assert axes.get_title(loc="left").endswith(f"{last:,} of {n:,} rows")
    assert f"the last batch: {hits[n - last :].sum():,} of {last:,} right" in said(axes)
    (outline,) = axes.patches
    inside = outline.get_path().contains_points(list(drawn))
    assert [place for place, within in zip(drawn, inside, strict=True) if within] == list(drawn)[n - last :]
    x, y = outline.get_xy().T
    assert abs(np.sum(x[:-1] * y[1:] - x[1:] * y[:-1])) / 2 == last  # and its area is theirs: it holds nothing else


def test_a_miss_differs_from_a_hit_in_size():
    (grid,) = plots.test_strip(np.array([True, False]), 2).collections
    full, small = (np.ptp(path.vertices[:, 0]) for path in grid.get_paths())
    assert full > 1.5 * small


def test_floor_first_and_then_the_cloud_in_the_same_axes():
    floor = plots.floor_and_cloud(SETTINGS.drop(columns="true"))
    cloud = plots.floor_and_cloud(SETTINGS, 0.008)
    for axes in (floor, cloud):
        axes.figure.canvas.draw()
        np.testing.assert_array_equal(dots(axes, plots.BROKEN, "s")[:, 1], SETTINGS["printed"])
        assert bool([line for line in axes.lines if list(line.get_ydata()) == [0.008, 0.008]]) == (axes is cloud)
        assert ("last batch / all rows = 0.008" in said(axes)) == (axes is cloud)
        labels = " ".join(label.get_text() for label in axes.get_xticklabels())
        assert labels == "1e-5 1e-4 1e-3 1e-2 0.1 1 2 8 32 128 512 1 5 10 20 40"
    np.testing.assert_array_equal(dots(cloud, plots.RIGHT, "o")[:, 1], SETTINGS["true"])
    assert not [line for line in floor.lines if line.get_color() == plots.RIGHT]
    assert floor.get_position().bounds == cloud.get_position().bounds and floor.get_xlim() == cloud.get_xlim()
    at = dots(cloud, plots.RIGHT, "o")[:, 0]
    new_knob = (SETTINGS["knob"] != SETTINGS["knob"].shift()).to_numpy()[1:]
    assert np.diff(at)[new_knob].min() > np.diff(at)[~new_knob].max() + 0.3
    for knob, rows in SETTINGS.groupby("knob").groups.items():  # the name stands beneath its own settings
        (name,) = [text for text in cloud.texts if text.get_text() == knob]
        assert name.xy[0] == pytest.approx(at[rows].mean())


def test_sawtooth_shows_every_tooth_the_law_and_the_cliff():
    n, sizes, every = 200, np.arange(1, 210, 13), np.arange(1, 210)
    axes = sawtooth(n, sizes)
    np.testing.assert_array_equal(dots(axes, plots.BROKEN, "o"), np.column_stack([sizes, printed(HITS[:n], sizes)]))
    law = HITS[:n].mean() * last_batch(n, every) / n
    np.testing.assert_array_equal(dots(axes, plots._INK, "o"), np.column_stack([every, law]))
    (truth,) = [line for line in axes.lines if line.get_color() == plots.RIGHT]
    assert truth.get_linestyle() == "-" and set(truth.get_ydata()) == {HITS[:n].mean()}
    (cliff,) = [line for line in axes.lines if line.get_color() == plots._GREY]
    assert list(cliff.get_xdata()) == [n, n]


@pytest.mark.parametrize("last_two", [[0.1, 0.1], [0.1, 0.9]], ids=["rests elsewhere", "meets the truth once"])
def test_no_cliff_is_marked_where_the_curve_does_not_come_to_rest_on_the_truth(last_two):
    axes = plots.against_batch_size([1, 2, 3, 4], {"printed": [0.3, 0.2, *last_two], "true": 0.9}, title="T")
    assert said(axes) == ["true", "printed"]


@pytest.mark.parametrize("shape", [(8,), (8, 1)])
def test_label_shapes_fills_what_is_equal_and_outlines_the_diagonal(shape):
    predictions, labels = np.array([0, 0, 1, 2, 2, 0, 0, 2]), np.array([0, 2, 1, 2, 0, 0, 0, 2])
    axes = plots.label_shapes(predictions, labels.reshape(shape))
    equal = predictions == labels[:, None]
    drawn = cells(axes)
    assert len(drawn) == 64
    for (j, i), colour in drawn.items():
        assert colour == ("#ffffff" if not equal[i, j] else plots.RIGHT if i == j else plots.BROKEN).lower()
    (grid,) = axes.collections
    dark = [to_hex(edge) == plots._INK for edge in grid.get_edgecolors()]
    assert [i == j for i, j in drawn] == dark
    assert f"{equal.sum()} hits among 8 rows" in axes.get_title(loc="left").replace("\n", " ")
    own, beside = said(axes)
    assert own.endswith("\n6 equal") and beside.endswith(f"\n{equal.sum() - 6} equal")
    assert [label.get_text() for label in axes.get_xticklabels()] == list(map(str, predictions))
    assert [label.get_text() for label in axes.get_yticklabels()] == list(map(str, labels))
