"""The figures hold the data that they were given, and nothing on them is cut off or lies on top of something else."""

import subprocess
import sys
from itertools import combinations, product

import matplotlib
import numpy as np
import pandas as pd
import pytest

from sdss_lesson import CLASSES, Evaluation, load_sdss, plots

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import same_color, to_hex, to_rgb
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
LEAKS = pd.DataFrame(
    {
        "model": ["512 units, 100 rows", "8 units", "nearest neighbour, 500 rows", "a tree", "always star"],
        "honest": [0.87, 0.931, 0.45, 0.88004, 0.0],
        "leaky": [0.993, 0.929, 1.0, 0.88, 1.0],
    }
)
TESTED = pd.DataFrame(
    {
        "test": ["our network", "shuffled", "perfect model", "always QSO"],
        "expected": [0.95, 0.95, 1.0, 0.09],
        "=": [0.0, 0.31, 0.02, 0.003],
        "+=": [0.95, 0.9, 1.0, 0.09],
    }
)
KNOBS = {"lr": [0.005, 0.05], "hidden_size": [8, 64, 512], "depth": [1], "optimizer": ["SGD", "Adam"]}
TRIED = pd.DataFrame(product(*KNOBS.values()), columns=list(KNOBS)).assign(val_accuracy=RNG.uniform(0.5, 0.95, 12))
GAPS = {
    "networks": {1: RNG.normal(0, 0.03, 400), 4: RNG.normal(0.01, 0.03, 400)},
    "guessers": {1: RNG.normal(0, 0.05, 400), 200: RNG.normal(0.15, 0.02, 400)},
}
JUDGED = {
    "as trained": Evaluation(np.array([[90, 2, 8], [0, 10, 0], [3, 0, 47]]), 1.0, CLASSES),
    "never says QSO": Evaluation(np.array([[92, 0, 8], [4, 0, 6], [3, 0, 47]]), 1.0, CLASSES),
}
PRINTED = [0.0025, 0.003, 0.0025, 0.0035, 0.0035]


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


def shares(shares: list[float]) -> pd.DataFrame:
    """Two models that end at 1, and one that ends beneath it; the second has a name for two lines."""
    models = [("8 units", 0.92, 0.95), ("512 units, of a hundred rows", 0.86, 1.0), ("nearest neighbour", 0.57, 1.0)]
    rows = [(name, share, low + (high - low) * share) for share in shares for name, low, high in models]
    table = pd.DataFrame(rows, columns=["model", "share", "predicted"])
    return table.assign(measured=table["predicted"] - RNG.uniform(0, 0.01, len(table)))


def run(epochs: int, *, printed: bool = False, loss: float = 0.3) -> pd.DataFrame:
    frame = pd.DataFrame({"epoch": range(1, epochs + 1)})
    for kind in ("train", "val"):
        frame[f"{kind}_accuracy"] = RNG.normal(0.93, 0.005, epochs)
        frame[f"{kind}_loss"] = RNG.uniform(0.2, 1.0, epochs) * loss
    return frame.assign(printed=RNG.integers(0, 9, epochs) / 2000) if printed else frame


def some_runs(n: int, epochs: int) -> dict[str, pd.DataFrame]:
    return {name: run(epochs, printed=name in "AE", loss=[0.3, 40, 1e4][i % 3]) for i, name in enumerate("ABCDEF"[:n])}


FIGURES = {
    "colour_colour": lambda: plots.colour_colour(load_sdss()),
    "trace of 4": lambda: trace(30, 29, 31, 16),
    "trace of 63": lambda: trace(*[30] * 62, 15),
    "trace of 1": lambda: trace(12),
    "trace of none": lambda: trace(0, 0),
    **{f"strip {n} {b}": lambda n=n, b=b: plots.row_strip(HITS[:n], b)
       for n, b in [(2000, 32), (200, 32), (2000, 500), (2000, 700), (2000, 1999), (2000, 2000), (200, 13), (75, 32)]},
    "floor": lambda: plots.floor_and_cloud(SETTINGS.drop(columns="true")),
    "cloud": lambda: plots.floor_and_cloud(SETTINGS, 0.008),
    "sawtooth 2000": lambda: sawtooth(2000),
    "sawtooth 200": lambda: sawtooth(200),
    "sawtooth, coarse": lambda: sawtooth(2000, np.array([1, 100, 1999, 2000, 2100])),
    "curves near the top": lambda: plots.against_batch_size(
        np.arange(1, 301), {"mean of\nbatch means": RNG.uniform(0.9, 1, 300), "sum / rows": 0.95}, title="long " * 30
    ),
    "curves at the top and on the floor": lambda: plots.against_batch_size(
        np.arange(1, 301), {"=": RNG.uniform(0, 0.1, 300), "a": RNG.uniform(0.6, 1, 300), "b": RNG.uniform(0.9, 1, 300),
                            "sum / rows": 0.95}, title="T"
    ),
    "shapes 8": lambda: plots.label_shapes(RNG.integers(0, 3, 8), RNG.integers(0, 3, (8, 1))),
    "shapes 12": lambda: plots.label_shapes(RNG.integers(0, 3, 12), RNG.integers(0, 3, 12)),
    "leak": lambda: plots.honest_and_leaky(LEAKS, title="long " * 30, level=0.5),
    "leak, one model": lambda: plots.honest_and_leaky(LEAKS[2:3], title="T", level=0.45),
    "leak, the first model's dots at the edges": lambda: plots.honest_and_leaky(LEAKS[::-1], title="T", level=1.0),
    "tested": lambda: plots.expected_and_printed(TESTED, title="long " * 30),
    "shares of low models": lambda: plots.duplicated_share(shares([0, 1]).assign(predicted=[0.2, 0.1, 0.3] * 2)),
    "shares": lambda: plots.duplicated_share(shares([0, 0.01, 0.02, 0.05, 0.1, 0.5, 1])),
    "shares, 0 and 1 alone": lambda: plots.duplicated_share(shares([0, 1])),
    **{f"runs {n}, {epochs} epochs": lambda n=n, epochs=epochs: plots.runs_per_epoch(some_runs(n, epochs), title="T")
       for n, epochs in [(1, 30), (1, 1), (2, 2), (3, 200), (4, 7), (6, 40)]},
    "runs, long names": lambda: plots.runs_per_epoch(
        {f"{i} a name that is too long for a line": run(30, printed=True) for i in range(3)}, title="long " * 30
    ),
    "run whose last batch is all": lambda: plots.runs_per_epoch(
        {"a": run(9).assign(printed=1.0), "b": run(9)}, title="T"
    ),
    "run without validation": lambda: plots.runs_per_epoch(
        {"": run(30).assign(val_accuracy=np.nan, val_loss=np.nan)}, title="T"
    ),
    **{f"two curves, {name}": lambda values=values: plots.two_curves(values, [0.93] * len(values))
       for name, values in [("few values", PRINTED), ("constant", [0.0] * 20), ("true", [0.93] * 9), ("one", [0.01])]},
    "by rank": lambda: plots.by_rank({1: [0.9], 2: [0.5, 0.4], 8: [0.3, 0.2, 0.0, 0.4, 0, 0, 0, 0]}, 0.9, title="T"),
    "by rank, no hits": lambda: plots.by_rank({2: [0.0, 0.0]}, 0.0, title="T"),
    "search": lambda: plots.search(TRIED, title="long " * 30),
    "search, one dot each": lambda: plots.search(TRIED[:2], title="T"),
    "search, all the same": lambda: plots.search(TRIED.assign(val_accuracy=0.5), title="T"),
    "winners": lambda: plots.winners(GAPS, title="T"),
    "winners, three kinds": lambda: plots.winners({**GAPS, "epochs of one network": GAPS["networks"]}, title="T"),
    "intervals": lambda: plots.intervals({75: (0.95, 0.87, 0.98), 100_000: (0.95, 0.949, 0.951)}, title="T"),
    "intervals at the edges": lambda: plots.intervals({7: (1, 0.65, 1), 8: (0.5, 0.2, 0.8)}, title="T"),
    "recalls": lambda: plots.recalls(JUDGED, title="T"),
    "recalls of three": lambda: plots.recalls({**JUDGED, "weighted": JUDGED["as trained"]}, title="T"),
    "band": lambda: plots.band(RNG.normal(0.93, 0.005, (5, 30)), standard_error=0.006),
    "band of one run": lambda: plots.band(RNG.normal(0.93, 0.005, (1, 9)), standard_error=0.006),
    "band of one epoch": lambda: plots.band([[0.93], [0.94]], standard_error=0.006),
    "band, all the same": lambda: plots.band(np.ones((5, 30)), standard_error=0.0),
}  # fmt: skip


def panels(drawn: Axes | list[Axes]) -> list[Axes]:
    return drawn if isinstance(drawn, list) else [drawn]


def words(axes: Axes) -> list[Text]:
    """Everything written on the axes that can be seen."""
    ticks = []
    for axis in (axes.xaxis, axes.yaxis):
        low, high = sorted(axis.get_view_interval())
        ticks += [tick.label1 for tick in axis.get_major_ticks() if axes.axison and low <= tick.get_loc() <= high]
    titles = [axes.xaxis.label, axes.yaxis.label] if axes.axison else []
    texts = [*axes.texts, axes.title, axes._left_title, *titles, *ticks]
    return [text for text in texts if text.get_text() and text.get_visible()]


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
    drawn = panels(draw())
    figure = drawn[0].figure
    figure.canvas.draw()
    texts = [*figure.texts, *(text for axes in drawn for text in words(axes))]
    boxes = {text: text.get_window_extent() for text in texts}
    page = figure.bbox
    for text, box in boxes.items():
        assert text.get_fontsize() >= 10, text
        assert page.x0 <= box.x0 and box.x1 <= page.x1 and page.y0 <= box.y0 and box.y1 <= page.y1, text
    for one, other in combinations(texts, 2):
        assert not boxes[one].shrunk(0.96, 0.8).overlaps(boxes[other].shrunk(0.96, 0.8)), (one, other)


@pytest.mark.parametrize("draw", FIGURES.values(), ids=FIGURES)
def test_a_figure_has_one_title_and_no_legend(draw):
    drawn = draw()
    figure = panels(drawn)[0].figure
    assert set(figure.axes) == set(panels(drawn)) and not figure.legends
    own = not isinstance(drawn, list) and bool(drawn.get_title(loc="left"))  # panels have names, not titles
    assert bool(figure.get_suptitle()) != own and len(figure.texts) == (not own)
    for axes in panels(drawn):
        assert axes.get_legend() is None
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
    axes = plots.row_strip(hits, batch_size)
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


def test_the_key_of_the_strip_has_the_colours_of_its_cells():
    axes = plots.row_strip(HITS, 32)
    key = {text.get_text(): to_hex(text.get_color()) for text in axes.texts if set(text.get_text()) & set("■▪")}
    drawn = cells(axes)
    in_order = [drawn[place] for place in sorted(drawn, key=lambda place: place[::-1])]
    meant = {("hit", True): "■ hit", ("miss", True): "▪ miss", ("hit", False): "■", ("miss", False): "▪ not counted"}
    for number, (colour, hit) in enumerate(zip(in_order, HITS, strict=True)):
        assert key[meant["hit" if hit else "miss", number >= 1984]] == colour
    assert not [text for text in said(plots.row_strip(HITS, 2000)) if "not counted" in text]


def test_a_miss_differs_from_a_hit_in_size():
    (grid,) = plots.row_strip(np.array([True, False]), 2).collections
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
    np.testing.assert_array_equal(dots(axes, plots.style.INK, "o"), np.column_stack([every, law]))
    (truth,) = [line for line in axes.lines if line.get_color() == plots.RIGHT]
    assert truth.get_linestyle() == "-" and set(truth.get_ydata()) == {HITS[:n].mean()}
    (cliff,) = [line for line in axes.lines if line.get_color() == plots.style.GREY]
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
    dark = [to_hex(edge) == plots.style.INK for edge in grid.get_edgecolors()]
    assert [i == j for i, j in drawn] == dark
    assert f"{equal.sum()} hits among 8 rows" in axes.get_title(loc="left").replace("\n", " ")
    own, beside = said(axes)
    assert own.endswith("\n6 equal") and beside.endswith(f"\n{equal.sum() - 6} equal")
    assert [label.get_text() for label in axes.get_xticklabels()] == list(map(str, predictions))
    assert [label.get_text() for label in axes.get_yticklabels()] == list(map(str, labels))


def curve(axes: Axes, colour: str, line: str) -> np.ndarray:
    """The points of the one curve in this colour and line style."""
    (found,) = [each for each in axes.lines if (each.get_color(), each.get_linestyle()) == (colour, line)]
    return found.get_xydata()


def test_honest_and_leaky_names_each_gap_and_keeps_the_order_of_the_table():
    axes = plots.honest_and_leaky(LEAKS, title="T", level=0.5)
    axes.figure.canvas.draw()
    rows = range(len(LEAKS))
    np.testing.assert_array_equal(dots(axes, plots.RIGHT, "o"), np.column_stack([LEAKS["honest"], rows]))
    np.testing.assert_array_equal(dots(axes, plots.BROKEN, "s"), np.column_stack([LEAKS["leaky"], rows]))
    (links,) = [each for each in axes.collections if isinstance(each, LineCollection)]
    ends = [
        [(honest, row), (leaky, row)] for row, honest, leaky in zip(rows, LEAKS["honest"], LEAKS["leaky"], strict=True)
    ]
    np.testing.assert_array_equal(links.get_segments(), ends)
    assert [label.get_text() for label in axes.get_yticklabels()] == LEAKS["model"].tolist()
    assert axes.yaxis_inverted() and axes.get_xlim() == (0, 1) and axes.get_xlabel() == "accuracy"
    gaps = {text.xy[1]: text.get_text() for text in axes.texts if "points" in text.get_text()}
    assert gaps == dict(enumerate(["+12.3 points", "-0.2 points", "+55.0 points", "+0.0 points", "+100.0 points"]))


@pytest.mark.parametrize("first", range(len(LEAKS)))
def test_honest_and_leaky_are_named_at_the_first_models_dots(first):
    axes = plots.honest_and_leaky(LEAKS[first:], title="T")
    axes.figure.canvas.draw()
    places = {text.get_text(): (text.xy, text.get_color()) for text in axes.texts}
    for name, colour in [("honest", plots.RIGHT), ("leaky", plots.BROKEN)]:
        assert places[name] == ((LEAKS[name][first], 0), colour)
    boxes = {text.get_text(): text.get_window_extent() for text in axes.texts}
    left, right = sorted(["honest", "leaky"], key=lambda name: LEAKS[name][first])
    assert boxes[left].x1 < boxes[right].x0


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_the_majority_level_is_drawn_where_it_is_known(level):
    with_level = plots.honest_and_leaky(LEAKS, title="T", level=level)
    without = plots.honest_and_leaky(LEAKS, title="T")
    with_level.figure.canvas.draw()
    assert [line for line in with_level.lines if list(line.get_xdata()) == [level, level]]
    (label,) = [text for text in with_level.texts if text.get_text() == "majority level"]
    box = label.get_window_extent()
    assert label.xy[0] == level and with_level.bbox.x0 < box.x0 and box.x1 < with_level.bbox.x1
    assert len(with_level.lines) == len(without.lines) + 1
    assert set(said(with_level)) - set(said(without)) == {"majority level"}


def test_duplicated_share_draws_lines_through_what_is_predicted_and_dots_for_what_is_measured():
    table = shares([0, 0.5, 1])
    whole, close = plots.duplicated_share(table[::-1])  # a line goes from left to right in any order of the rows
    assert whole.get_ylim() == (0, 1) and [axes.get_ylabel() for axes in (whole, close)] == [
        "accuracy", "accuracy, magnified"
    ]  # fmt: skip
    low, high = close.get_ylim()
    assert table["measured"].min() - 0.1 < low < table["measured"].min() and high == 1
    assert any("predicted" in text and "measured" in text for text in said(whole))
    labels = {text.get_text().replace("\n", " "): text for text in close.texts}
    assert set(labels) == set(table["model"])
    for axes in (whole, close):
        assert axes.get_xlim() == (0, 1) and len(axes.lines) == 6
        looks = set()
        for name, rows in table.groupby("model"):
            (line,) = [each for each in axes.lines if list(each.get_ydata()) == rows["predicted"].tolist()]
            assert list(line.get_xdata()) == [0, 0.5, 1]
            (series,) = [each for each in axes.lines if sorted(each.get_ydata()) == sorted(rows["measured"])]
            assert dict(series.get_xydata()) == dict(zip(rows["share"], rows["measured"], strict=True))
            assert series.get_linestyle() == "None"
            assert series.get_color() == line.get_color() == labels[name].get_color()
            looks.add((series.get_color(), series.get_marker(), line.get_linestyle()))
        assert all(len(set(each)) == 3 for each in zip(*looks, strict=True))
    assert not {colour for colour, *_ in looks} & {plots.BROKEN, plots.RIGHT, *plots.CLASS_COLOURS.values()}
    whole.figure.canvas.draw()
    assert all(axes.get_position().width > 0.25 for axes in (whole, close))  # a long name does not crowd the figure out
    # Beneath the label at the top, in the order in which the lines arrive there.
    heights = {name: text.xy[1] for name, text in labels.items()}
    assert heights["512 units, of a hundred rows"] > heights["nearest neighbour"] > heights["8 units"]


def test_each_test_of_an_evaluator_has_a_ring_and_what_two_loops_printed():
    axes = plots.expected_and_printed(TESTED, title="T")
    (rings,) = [line for line in axes.lines if line.get_markerfacecolor() == "none"]
    assert rings.get_xdata().tolist() == TESTED["expected"].tolist()
    np.testing.assert_array_equal(dots(axes, plots.BROKEN, "s"), np.column_stack([TESTED["="], range(4)]))
    np.testing.assert_array_equal(dots(axes, plots.RIGHT, "o"), np.column_stack([TESTED["+="], range(4)]))
    assert [label.get_text() for label in axes.get_yticklabels()] == TESTED["test"].tolist()
    assert axes.yaxis_inverted() and axes.get_xlim() == (0, 1) and axes.get_xlabel() == "accuracy"


def test_by_rank_stacks_what_each_rank_counts_up_to_the_accuracy_of_all_rows():
    shares = {1: [0.9], 2: [0.5, 0.4], 4: [0.3, 0.2, 0.0, 0.4]}
    axes = plots.by_rank(shares, 0.9, title="T")
    bars = iter(axes.patches)
    for at, parts in enumerate(shares.values()):
        floor = 0.0
        for rank, part in enumerate(parts):
            bar = next(bars)
            assert bar.get_x() + bar.get_width() / 2 == pytest.approx(at)
            assert (bar.get_y(), bar.get_height()) == pytest.approx((floor, part))
            assert same_color(bar.get_facecolor(), plots.BROKEN) == (rank == 0)
            floor += part
        assert floor == pytest.approx(0.9)
    assert next(bars, None) is None
    assert [line for line in axes.lines if line.get_color() == plots.RIGHT and set(line.get_ydata()) == {0.9}]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["1", "2", "4"]


def test_a_search_has_a_panel_for_each_knob_with_every_setting_and_the_optimizers_means():
    drawn = plots.search(TRIED, title="T")
    assert [axes.get_xlabel() for axes in drawn] == ["lr", "hidden size", "depth"]
    for axes, knob in zip(drawn, ["lr", "hidden_size", "depth"], strict=True):
        assert [label.get_text() for label in axes.get_xticklabels()] == [f"{value:g}" for value in KNOBS[knob]]
        for name, colour, marker in [("Adam", plots.style.GREY, "o"), ("SGD", plots.style.INK, "s")]:
            of_one = TRIED[TRIED["optimizer"] == name]
            points = dots(axes, colour, marker)
            assert points[:, 1].tolist() == of_one["val_accuracy"].tolist()
            assert points[:, 0].round().tolist() == [KNOBS[knob].index(value) for value in of_one[knob]]
            means = of_one.groupby(knob)["val_accuracy"].mean()
            np.testing.assert_allclose(curve(axes, colour, "-")[:, 1], means)
        assert axes.get_ylim() == drawn[0].get_ylim()
    assert "magnified" in drawn[0].get_ylabel() and set(said(drawn[-1])) == {"Adam", "SGD"}


def test_winners_shows_every_draw_and_the_mean_of_each_number_tried():
    drawn = plots.winners(GAPS, title="T")
    for axes, (name, tried) in zip(drawn, GAPS.items(), strict=True):
        assert axes.get_title(loc="left") == name
        assert [label.get_text() for label in axes.get_xticklabels()] == [str(number) for number in tried]
        clouds = [line for line in axes.lines if line.get_color() == plots.style.GREY]
        for place, (cloud, draws) in enumerate(zip(clouds, tried.values(), strict=True)):
            assert cloud.get_ydata().tolist() == draws.tolist()
            assert abs(cloud.get_xdata() - place).max() < 0.5
            assert axes.get_ylim()[0] < draws.min() and draws.max() < axes.get_ylim()[1]
        np.testing.assert_allclose(curve(axes, plots.BROKEN, "-")[:, 1], [draws.mean() for draws in tried.values()])
        assert [line for line in axes.lines if list(line.get_ydata()) == [0, 0]]
        *_, last = tried.values()
        assert said(axes) == [f"mean\n{100 * last.mean():+.1f} points"]


def test_intervals_reach_from_end_to_end_and_say_how_wide_they_are():
    axes = plots.intervals({75: (0.9, 0.81, 0.95), 2_000: (0.9, 0.886, 0.912)}, title="T")
    bars = [each.get_segments()[0] for each in axes.collections if isinstance(each, LineCollection)]
    np.testing.assert_allclose(bars, [[(0, 0.81), (0, 0.95)], [(1, 0.886), (1, 0.912)]])
    assert said(axes) == ["14.0 points wide", "2.6 points wide"]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["75", "2,000"]


def test_recalls_are_bars_beneath_the_two_accuracies_in_the_colours_of_the_classes():
    for axes, judged in zip(plots.recalls(JUDGED, title="T"), JUDGED.values(), strict=True):
        expected = [judged.accuracy, judged.balanced_accuracy, *judged.recall]
        assert [bar.get_width() for bar in axes.patches] == expected
        assert said(axes) == [f"{value:.2f}" for value in expected]
        colours = [to_hex(bar.get_facecolor()) for bar in axes.patches]
        assert colours[2:] == [plots.CLASS_COLOURS[name].lower() for name in CLASSES]
        assert colours[0] == colours[1] and axes.yaxis_inverted()


@pytest.mark.parametrize("n", [1, 2, 3, 4, 6])
def test_each_run_has_its_accuracy_above_its_loss(n):
    runs = some_runs(n, 9)
    axes = plots.runs_per_epoch(runs, title="T")
    axes[0].figure.canvas.draw()
    assert len(axes) == 2 * n
    for (name, frame), upper, lower in zip(runs.items(), axes[::2], axes[1::2], strict=True):
        for kind, colour, line in [("train", plots.style.INK, "--"), ("val", plots.RIGHT, "-")]:
            np.testing.assert_array_equal(curve(upper, colour, line), frame[["epoch", f"{kind}_accuracy"]])
            np.testing.assert_array_equal(curve(lower, colour, line), frame[["epoch", f"{kind}_loss"]])
        assert len(upper.lines) == 2 + ("printed" in frame) and len(lower.lines) == 2
        if "printed" in frame:
            np.testing.assert_array_equal(curve(upper, plots.BROKEN, ":"), frame[["epoch", "printed"]])
        assert upper.get_ylim() == (0, 1) and upper.get_xlim() == lower.get_xlim()
        assert upper.get_title(loc="left") == ("" if n == 1 else name)
        (left, low, width, _), (left_2, low_2, width_2, _) = (each.get_position().bounds for each in (upper, lower))
        assert (left, width) == (left_2, width_2) and low > low_2
    starts = [each.get_position().x0 for each in axes[::2]]
    assert len(set(starts)) == min(3, n) and starts[3:] == starts[: n - 3 if n > 3 else 0]
    leftmost = [each for each in axes if each.get_ylabel()]
    assert [each.get_ylabel() for each in leftmost] == ["accuracy", "loss (nats)"] * (1 + (n > 3))
    numbered = [each for each in axes[::2] if any(label.get_visible() for label in each.get_yticklabels())]
    assert numbered == leftmost[::2]
    lowest = [each for each in axes if each.get_xlabel()]
    assert lowest == axes[1::2][-min(3, n) :]


@pytest.mark.parametrize("n", [1, 2, 3, 6])
def test_each_kind_of_curve_is_named_once_in_its_colour(n):
    axes = plots.runs_per_epoch(some_runs(n, 9), title="T")
    named = {text.get_text().replace("\n", " "): (number, text.get_color()) for number, panel in enumerate(axes)
             for text in panel.texts if not text.get_text().startswith("peak")}  # fmt: skip
    last = 2 * min(3, n) - 2
    assert named == {
        "training": (last, plots.style.INK),
        "validation": (last, plots.RIGHT),
        "printed by the broken loop": (0, plots.BROKEN),
    }


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_what_is_printed_is_named_within_the_panel(value):
    upper = plots.runs_per_epoch({"": run(9).assign(printed=value)}, title="T")[0]
    upper.figure.canvas.draw()
    (box,) = [text.get_window_extent() for text in upper.texts if text.get_color() == plots.BROKEN]
    assert upper.bbox.y0 < box.y0 and box.y1 < upper.bbox.y1


@pytest.mark.parametrize("heights", [[0, 0, 0], [1, 1, 1], [0.5, 0.5, 0.52], [0.9, 0.1, 1], [0.2, 0.5, 0.8]])
def test_labels_at_the_ends_of_lines_keep_apart_near_their_lines_and_in_order(heights):
    axes = plots.style.new_axes("T")
    lines = [1, 2, 1]
    plots.style.label_ends(axes, [("\n".join("a" * n), y, "k") for n, y in zip(lines, heights, strict=True)])
    order = np.argsort(heights, kind="stable")
    at, tall = np.array([text.xy[1] for text in axes.texts]), 0.1 * np.array(lines)[order]
    assert (np.diff(at) > (tall[1:] + tall[:-1]) / 2 - 1e-9).all() and (at > -1e-9).all() and (at < 1 + 1e-9).all()
    assert [len(text.get_text().split("\n")) for text in axes.texts] == [lines[i] for i in order]
    if np.diff(np.sort(heights)).min() > 0.15:
        np.testing.assert_allclose(at, np.sort(heights))


@pytest.mark.parametrize(
    ("losses", "peak"),
    [
        ([0.2, 0.25, 0.3, 0.4], None),
        ([1.1, 0.3, 0.2, 0.2], None),  # learning from scratch is no spike
        ([1.0, 1.5, 2.0, 3.0], None),  # nor is overfitting
        ([0.0, 0.0], None),
        ([0.5, 1e4, 0.5, 0.5, 0.5], "peak 10,000"),
        ([0.5, np.inf, np.nan, 0.5, 50.0, 0.5, 0.5], "peak 50"),
    ],
)
def test_losses_start_at_zero_and_only_a_spike_is_cut_off(losses, peak):
    frame = run(len(losses)).assign(train_loss=0.1 if any(losses) else 0.0, val_loss=losses)
    lower = plots.runs_per_epoch({"": frame}, title="T")[1]
    low, high = lower.get_ylim()
    assert low == 0 and np.isfinite(high) and said(lower) == ([peak] if peak else [])
    if peak:
        assert 0.5 < high < 3
    else:
        assert max(losses) < high <= 1.1 * max(losses) or high == 1


def test_one_epoch_is_still_seen():
    upper, lower = plots.runs_per_epoch({"": run(1, printed=True)}, title="T")
    whole, _ = plots.two_curves([0.01], [0.9])
    for line in [*upper.lines, *lower.lines, *whole.lines, *plots.band([[0.9]], standard_error=0.01)[0].lines]:
        assert line.get_marker() == "o"
    assert {line.get_marker() for line in plots.runs_per_epoch({"": run(2)}, title="T")[0].lines} == {""}


def test_two_curves_show_the_broken_one_from_0_to_1_and_magnified():
    truth = [0.7, 0.8, 0.9, 0.91, 0.92]
    whole, alone = plots.two_curves(PRINTED, truth)
    np.testing.assert_array_equal(curve(whole, plots.RIGHT, "-"), np.column_stack([range(1, 6), truth]))
    np.testing.assert_array_equal(curve(whole, plots.BROKEN, ":"), np.column_stack([range(1, 6), PRINTED]))
    (marked,) = [line for line in alone.lines if line.get_marker() == "s"]
    np.testing.assert_array_equal(marked.get_xydata(), np.column_stack([range(1, 6), PRINTED]))
    levels = [line.get_ydata()[0] for line in alone.lines if line is not marked]
    assert sorted(levels) == [0.0025, 0.003, 0.0035]
    low, high = alone.get_ylim()
    assert 0.002 < low < 0.0025 and 0.0035 < high < 0.004
    assert [axes.get_ylabel() for axes in (whole, alone)] == ["accuracy", "accuracy, magnified"]
    assert said(whole) == ["printed", "true"] and said(alone) == []


def test_what_is_magnified_stays_within_0_and_1_and_is_not_empty():
    for values in ([0.0] * 5, [1.0] * 5, [0.0, 1.0]):
        low, high = plots.two_curves(values, values)[1].get_ylim()
        assert 0 <= low <= min(values) and max(values) <= high <= 1 and low < high


def test_a_band_spans_its_runs_and_holds_the_standard_error():
    values = np.linspace(0.3, 0.93, 20) + RNG.normal(0, 0.004, (5, 20))
    whole, close = plots.band(values, standard_error=0.05)
    for axes in (whole, close):
        (area,) = [each for each in axes.collections if isinstance(each, PolyCollection)]
        corners = area.get_paths()[0].vertices
        for epoch in range(1, 21):
            y = corners[corners[:, 0] == epoch][:, 1]
            assert (y.min(), y.max()) == (values[:, epoch - 1].min(), values[:, epoch - 1].max())
        runs = [line.get_ydata() for line in axes.lines if line.get_color() == plots.RIGHT]
        np.testing.assert_array_equal(runs, values)
    ((line, caps, (bar,)),) = close.containers
    mean = values[:, -1].mean()
    assert line.get_xydata().tolist() == [[20, mean]]
    np.testing.assert_allclose(bar.get_segments(), [[(20, mean - 0.05), (20, mean + 0.05)]])
    assert len(caps) == 2 and not whole.containers
    assert [text.replace("\n", " ") for text in said(close)] == ["± 1 standard error"] and said(whole) == []
    low, high = close.get_ylim()
    later = values[:, 10:]
    assert min(later.min(), mean - 0.05) > low > values.min() and high >= max(later.max(), mean + 0.05)
    assert [axes.get_ylabel() for axes in (whole, close)] == ["accuracy", "accuracy, magnified"]


def test_the_names_of_curves_stand_inside_the_axes():
    axes = FIGURES["curves at the top and on the floor"]()
    axes.figure.canvas.draw()
    assert all(text.get_window_extent().y0 >= axes.get_window_extent().y0 for text in axes.texts)
