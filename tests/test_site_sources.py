"""What the site is made of, before Sphinx reads it: no page is left out, no link is lost, nothing is told twice."""

import os
import re
import tomllib
from pathlib import Path

import nbformat
import pytest
import torch

from sdss_lesson import __all__ as public
from sdss_lesson import audit
from sdss_lesson.evaluation import eval_mode
from sdss_lesson.mistakes import MISTAKES
from tools import site

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"


@pytest.fixture(scope="module")
def sources(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What Sphinx would read."""
    folder = tmp_path_factory.mktemp("sources")
    site.write_sources(ROOT, folder)
    return folder


def pages(sources: Path) -> dict[str, str]:
    """The Markdown of each page, by its place on the site."""
    texts = {path.relative_to(sources).as_posix(): path.read_text("utf-8") for path in sources.rglob("*.md")}
    for path in sources.rglob("*.ipynb"):
        cells = nbformat.read(path, as_version=4).cells
        texts[path.relative_to(sources).as_posix()] = "\n\n".join(c.source for c in cells if c.cell_type == "markdown")
    return texts


def outside_code(text: str) -> str:
    return re.sub(r"^```.*?^```$", "", text, flags=re.DOTALL | re.MULTILINE)


def test_every_page_can_be_reached_from_the_first(sources):
    found, new = set(), {"index"}
    while new:
        page = new.pop()
        found.add(page)
        text = (sources / f"{page}.md").read_text("utf-8") if (sources / f"{page}.md").exists() else ""
        for tree in re.findall(r"```\{toctree\}\n(.*?)```", text, flags=re.DOTALL):
            for entry in (line for line in tree.split() if line[0] != ":"):
                match = sources.glob(f"{entry}.*") if "*" in entry else [sources / entry]
                new |= {path.relative_to(sources).with_suffix("").as_posix() for path in match} - found
    assert {path.rpartition(".")[0] for path in pages(sources)} <= found


def test_every_link_leads_to_a_page_and_a_heading_of_it(sources):
    texts, seen = pages(sources), 0
    anchors = {
        place: {site.slug(heading) for heading in re.findall(r"^#+ (.+)$", outside_code(text), flags=re.MULTILINE)}
        for place, text in texts.items()
    }
    for place, text in texts.items():
        for link in re.findall(r"\]\(([^)\s]+)\)", text):
            if link.startswith("https://"):
                continue
            file, _, anchor = link.partition("#")
            there = os.path.normpath(sources / Path(place).parent / file) if file else sources / place
            assert Path(there).is_file(), (place, link)
            if anchor:
                seen += 1
                assert anchor in anchors[Path(there).relative_to(sources).as_posix()], (place, link)
    assert seen > 50


def test_a_link_out_of_the_site_leads_to_the_repository():
    page = ROOT / "notebooks" / "07_beyond_one_machine.ipynb"
    url = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["urls"]["Repository"]
    leads = {
        "../README.md#for-all": f"{url}/blob/main/README.md#for-all",
        "../environment.yml": f"{url}/blob/main/environment.yml",
        "../docs/glossary.md#rank": "../glossary.md#rank",
        "02_the_fix.ipynb#How-sure?": "02_the_fix.ipynb#how-sure",
        "#One-character": "#one-character",
    }
    for link, there in leads.items():
        assert site.relink(f"a [b]({link}) c", page, site.layout(ROOT), ROOT) == f"a [b]({there}) c"


def test_a_picture_in_html_is_taken_along_and_has_words_and_a_still(sources):
    text = (sources / "notebooks" / "01_the_broken_loop.ipynb").read_text("utf-8")
    files = re.findall(r'(?:src|srcset)=\\"([^"\\]+)\\"', text)
    assert files == ["../sawtooth.png", "../sawtooth.gif"]
    taken = re.findall(r"^html_extra_path = (.*?)  #", (DOCS / "conf.py").read_text("utf-8"), re.MULTILINE)[0]
    assert all((DOCS / file[3:]).is_file() and f'"{file[3:]}"' in taken for file in files)
    cells = nbformat.read(ROOT / "notebooks" / "01_the_broken_loop.ipynb", as_version=4).cells
    (picture,) = [cell.source for cell in cells if "<picture>" in cell.source]
    assert "prefers-reduced-motion: reduce" in picture and "print" in picture
    assert len(re.findall(r'alt="([^"]+)"', picture)[0].split()) >= 12
    for file in re.findall(r'(?:src|srcset)="([^"]+)"', picture):  # and the notebook finds them where it lies
        assert (ROOT / "notebooks" / file).is_file()


def test_no_picture_comes_from_another_host(sources):
    for place, text in pages(sources).items():
        assert not re.search(r"!\[[^\]]*\]\(https?:|<img[^>]+https?:", text), place
        if place.startswith("notebooks/"):
            assert "[Open in Colab](https://colab" in text and "[Launch Binder](https://mybinder" in text


def test_every_column_has_a_name(sources):
    assert not [
        place for place, text in pages(sources).items() if re.search(r"^\|\s*\|.*\n\|[-|:]+$", text, re.MULTILINE)
    ]


def test_the_gallery_tells_all_of_each_mistake(sources):
    texts = {symptom: (sources / "mistakes" / f"{symptom}.md").read_text("utf-8") for symptom in site.SYMPTOMS}
    assert texts["over_one"].startswith("# My accuracy is over 100 %\n")
    gallery = "\n".join(texts.values())
    for slug, mistake in MISTAKES.items():
        assert gallery.count(f"\n## {slug}\n") == 1
        told = gallery.partition(f"\n## {slug}\n")[2].partition("\n## ")[0]
        for words in (mistake.symptom, mistake.formula, mistake.fix, mistake.seen_in):
            assert site.plain(words) in told
        assert f"(../notebooks/{mistake.notebook}.ipynb)" in told
        (block,) = re.findall(r"```\{code-block\} python\n:emphasize-lines: ([\d,]+)\n\n(.*?)```", told, re.DOTALL)
        lines = block[1].splitlines()
        compile(block[1], slug, "exec")
        assert 0 < len(block[0].split(",")) < len(lines)
    marked = re.search(r"## counter-overwritten.*?emphasize-lines: (.*?)\n\n(.*?)```", gallery, re.DOTALL)
    assert "n_correct = (" in marked[2].splitlines()[int(marked[1]) - 1]
    assert not any(word in gallery for word in ["Any", "noqa", "type: ignore", " -> "])


def test_the_gallery_opens_with_all_that_can_be_seen(sources):
    text = (sources / "mistakes" / "by-symptom.txt").read_text("utf-8")
    assert "include} mistakes/by-symptom.txt" in (sources / "mistakes.md").read_text("utf-8")
    for slug, mistake in MISTAKES.items():
        (page,) = re.findall(
            rf"- {re.escape(site.plain(mistake.symptom))} \[{slug}\]\((mistakes/\w+\.md)#{slug}\)", text
        )
        assert f"\n## {slug}\n" in (sources / page).read_text("utf-8")


def test_who_may_have_another_mistake_is_told(sources):
    over_one = (sources / "mistakes" / "over_one.md").read_text("utf-8")
    assert "[counter-overwritten](too_low.md#counter-overwritten)" in over_one


def test_what_people_type_is_found(sources):
    for symptom, (title, asked, _) in site.SYMPTOMS.items():
        text = (sources / "mistakes" / f"{symptom}.md").read_text("utf-8")
        for phrase in (title, *asked):
            assert f"! single: {phrase}\n" in text and phrase in outside_code(text)


def test_the_loop_that_is_right_is_right():
    space = {"eval_mode": eval_mode, "torch": torch}
    exec(site.block(DOCS / "mistakes.md", "def right"), space)
    report = audit(space["right"])
    assert report.ok and not report.advice, report


def test_the_triage_card_is_that_of_02():
    cells = nbformat.read(ROOT / "notebooks" / "02_the_fix.ipynb", as_version=4).cells
    (card,) = [cell.source for cell in cells if cell.source.startswith("## The triage card\n")]
    text = (DOCS / "triage.md").read_text("utf-8")
    assert card.partition("\n◆ ")[2] in text
    assert len(re.findall(r"^\| \d", text, flags=re.MULTILINE)) >= 8


@pytest.mark.parametrize("page, word", [("index.md", "# the bug"), ("mistakes.md", "import audit")])
def test_the_code_is_that_of_the_readme(page, word):
    assert site.block(DOCS / page, word) == site.block(ROOT / "README.md", word)


def test_every_public_name_is_documented_once():
    text = (DOCS / "api.md").read_text("utf-8")
    documented = re.findall(r"^\.\. auto\w+:: (?:\w+\.)*(\w+)$", text, flags=re.MULTILINE)
    assert sorted(documented) == sorted(public)


def test_the_pictures_of_the_first_page_are_drawn(sources):
    text = (sources / "index.md").read_text("utf-8")
    pictures = re.findall(r"!\[([^\]]+)\]\((.+?\.png)\)", text)
    assert [name for _, name in pictures] == ["counter-broken.png", "counter-fixed.png"]
    for words, name in pictures:
        assert len(words.split()) >= 12
        assert (sources / name).stat().st_size > 5000


def test_every_requirement_is_pinned():
    lines = site.REQUIREMENTS.read_text("utf-8").splitlines()
    assert all(re.fullmatch(r"[\w.-]+==[\w.]+", line) for line in lines if line[0] != "#")
