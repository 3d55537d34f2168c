"""The playground in a browser: its law is that of notebooks 01 and 02, and what it shows follows its sliders."""

import ast
import random
import statistics
from itertools import accumulate
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
from playwright.sync_api import Browser, Page, expect

NOTEBOOKS = Path(__file__).resolve().parents[2] / "notebooks"
NUMBERS = ["broken", "fixed", "mean"]
DRAWINGS = ["trace", "sawtooth"]


class Rows(list):
    """What the notebooks ask of an array of hits; the site's environment has no NumPy."""

    def __getitem__(self, key):
        part = super().__getitem__(key)
        return Rows(part) if isinstance(key, slice) else part

    def sum(self):
        return sum(self)

    def mean(self):
        return sum(self) / len(self)


def taken_from(notebook: str, name: str, space: dict) -> None:
    """Define a function in `space` out of the cell of a notebook that defines it."""
    cells = nbformat.read(NOTEBOOKS / f"{notebook}.ipynb", as_version=4).cells
    (cell,) = [cell for cell in cells if cell.cell_type == "code" and f"def {name}(" in cell.source]
    (function,) = [node for node in ast.parse(cell.source).body if getattr(node, "name", "") == name]
    exec(compile(ast.Module([function], []), notebook, "exec"), space)


@pytest.fixture
def playground(page: Page, site_url: str) -> Page:
    page.goto(site_url + "playground.html")
    expect(page.locator("#playground")).to_be_visible()
    return page


def shown(page: Page) -> dict[str, str]:
    numbers = {name: page.locator(f"#play-{name}").inner_text() for name in NUMBERS}
    return numbers | {name: page.locator(f"#play-{name}").evaluate("svg => svg.outerHTML") for name in DRAWINGS}


def printed(page: Page) -> list[float]:
    return [float(shown(page)[name].split()[0]) for name in NUMBERS]


def set_to(page: Page, **sliders: int) -> None:
    for name, value in sliders.items():
        page.locator(f"#play-{name}").fill(str(value))


def test_the_law_is_that_of_the_notebooks(playground: Page):
    draw = random.Random(0)
    cases = [([draw.randint(0, 1) for _ in range(n)], size) for n in range(1, 31) for size in range(1, n + 3)]
    for n in [200, 2000, 2001]:
        hits = [int(draw.random() < 0.9) for _ in range(n)]
        cases += [(hits, size) for size in [1, 32, n // 5 + 1, (n + 1) // 2, n - 1, n, n + 1, 2 * n]]
    found = playground.evaluate("cases => cases.map(([hits, size]) => belowRandom.law(hits, size))", cases)
    space: dict = {"np": SimpleNamespace(mean=statistics.fmean, sum=sum)}
    taken_from("01_the_broken_loop", "law", space)
    taken_from("02_the_fix", "mean_of_batches", space)
    for (hits, size), ours in zip(cases, found, strict=True):
        space.update(n=len(hits), hits=Rows(hits))
        assert ours["broken"] == space["law"](size), (hits, size)
        assert ours["fixed"] == space["hits"].mean()
        assert ours["meanOfBatches"] == pytest.approx(space["mean_of_batches"](space["hits"], size), abs=1e-12)
        counts = [sum(hits[start : start + size]) for start in range(0, len(hits), size)]
        assert [batch["overwritten"] for batch in ours["trace"]] == counts
        assert [batch["accumulated"] for batch in ours["trace"]] == list(accumulate(counts))


def test_the_rows_have_the_hits_that_were_asked_for(playground: Page):
    asked = [(rows, hits) for rows in [1, 2, 7, 75, 200] for hits in range(rows + 1)]
    both = "asked => [false, true].map(first => asked.map(([n, hits]) => belowRandom.testRows(n, hits, first)))"
    for (rows, hits), even, in_front in zip(asked, *playground.evaluate(both, asked), strict=True):
        assert in_front == [1] * hits + [0] * (rows - hits)
        assert len(even) == rows and sum(even) == hits and set(even) <= {0, 1}
        assert all(abs(sum(even[:k]) - k * hits / rows) <= 0.5 for k in range(rows + 1))


@pytest.mark.parametrize(
    "name, key, still",
    [
        ("batch", "ArrowRight", ["fixed"]),  # how good a model is does not depend on the loader
        ("rows", "ArrowRight", []),
        ("accuracy", "Home", []),
        ("first", "Space", ["fixed"]),
    ],
)
def test_each_control_moves_numbers_and_drawings_by_keyboard(playground: Page, name: str, key: str, still: list[str]):
    before = shown(playground)
    playground.locator(f"#play-{name}").press(key)
    after = shown(playground)
    assert [part for part in before if before[part] == after[part]] == still
    for number in NUMBERS:  # who sees no drawing is told the same numbers
        assert f" {after[number].split()[0]}" in playground.locator("#play-sawtooth").get_attribute("aria-label")


def test_the_numbers_come_with_their_arithmetic(playground: Page):
    playground.locator("#play-first").check()
    set_to(playground, rows=75, batch=32, accuracy=33)
    words = [" ".join(shown(playground)[name].split()) for name in NUMBERS]
    assert words == [
        "0.0000 hits in the last batch 0 / all rows 75",
        "0.3333 all hits 25 / all rows 75",
        "0.2604 (25/32 + 0/32 + 0/11) / 3 batches",  # the log that notebook 02 explains
    ]


def test_the_broken_loop_is_right_once_a_batch_holds_all_rows(playground: Page):
    set_to(playground, rows=100, accuracy=90, batch=99)
    assert printed(playground)[0] == 0.01
    set_to(playground, batch=100)
    assert printed(playground) == [0.9, 0.9, 0.9]
    playground.locator("#play-batch").press("End")  # past the number of rows
    assert playground.locator("#play-batch").input_value() == "110"
    assert printed(playground) == [0.9, 0.9, 0.9]
    set_to(playground, rows=50)  # the batch size follows to what is left of its slider
    assert playground.locator('output[for="play-batch"]').inner_text() == "55"


def test_without_javascript_a_sentence_and_the_picture_stand_there(browser: Browser, site_url: str):
    with browser.new_context(java_script_enabled=False) as context:
        page = context.new_page()
        page.goto(site_url + "playground.html")
        expect(page.locator("noscript p", has_text="JavaScript")).to_be_visible()
        expect(page.locator("#playground")).to_be_hidden()
        assert page.locator("noscript img").evaluate("image => image.naturalWidth") > 100
