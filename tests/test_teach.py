"""The instructor's guide says of the notebooks what they say themselves."""

import re
import tomllib
from itertools import pairwise
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[1]
GUIDE = (ROOT / "docs" / "teach.md").read_text("utf-8")
SECTIONS = dict(re.findall(r"^##+ (.+)\n([\s\S]*?)(?=^##+ |\Z)", GUIDE, re.MULTILINE))
NOTEBOOKS = {path.stem: nbformat.read(path, as_version=4) for path in sorted((ROOT / "notebooks").glob("*.ipynb"))}
each_notebook = pytest.mark.parametrize("name", NOTEBOOKS)


def section(name: str) -> str:
    (found,) = (text for title, text in SECTIONS.items() if title.startswith(f"{name[:2]}: "))
    return found


def table(text: str) -> list[list[str]]:
    """The rows of the one table in a text, without its head."""
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in text.splitlines() if line.startswith("|")]
    return rows[2:]


def minutes_in_class(name: str) -> int:
    return int(re.search(r"(\d+) minutes in class", NOTEBOOKS[name].cells[0].source)[1])


def headings(name: str) -> list[str]:
    text = "\n".join(cell.source for cell in NOTEBOOKS[name].cells if cell.cell_type == "markdown")
    return re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)


def asked(name: str) -> list[tuple[str, ...]]:
    """Each prediction of a notebook: the anchor above it, its mark, its right letter, its wrong letters.

    The mark says where the prediction and the next code cell stand: both on the path, the code alone, or neither.
    """
    found, heading, cells = [], "", NOTEBOOKS[name].cells
    on_path = ["class" in cell.metadata.get("tags", []) for cell in cells]
    for number, cell in enumerate(cells):
        if cell.cell_type != "markdown":
            continue
        before, *behind = cell.source.split("**Predict.**")
        heading = (re.findall(r"^#+ (.+)$", before, flags=re.MULTILINE) or [heading])[-1]
        if behind and "</summary>" in behind[0]:
            choices, answer = behind[0].split("</summary>")
            right = re.search(r"\*\*([A-D])\b", answer)[1]
            wrong = sorted({*re.findall(r"\*\*([A-D])\*\*", choices)} - {right})
            mark = "◆" if on_path[number] else "◇" if on_path[number + 1] else "▷"
            found.append((heading.replace(" ", "-"), mark, right, *wrong))
        heading = (re.findall(r"^#+ (.+)$", cell.source, flags=re.MULTILINE) or [heading])[-1]
    return found


def questions(name: str) -> list[tuple[str, ...]]:
    """The same as the guide has it."""
    found = []
    for block in re.findall(r"^- [◆◇▷] .*(?:\n  .*)*", section(name), flags=re.MULTILINE):
        first, *replies = block.splitlines()
        question = re.fullmatch(r"- (.) \[.+\]\(\.\./notebooks/(.+)\.ipynb#(.+)\): .+\? \*\*([A-D])\*\*, .+\.", first)
        assert question, first
        mark, notebook, anchor, right = question.groups()
        assert notebook == name
        found.append((anchor, mark, right, *sorted(re.findall(r"\*\*([A-D])\*\*", "\n".join(replies)))))
    return found


@each_notebook
def test_every_question_asked_in_class_is_there_with_its_answer_and_a_reply_to_each_wrong_one(name):
    mine, theirs = questions(name), asked(name)
    assert [each for each in mine if each[1] != "▷"] == [each for each in theirs if each[1] != "▷"]
    assert set(mine) <= set(theirs)


@pytest.mark.parametrize("title, whole", [("90 minutes", 90), ("Half a day", 240)])
def test_a_plan_adds_up(title, whole):
    rows = [(int(at), int(minutes)) for at, minutes, _ in table(SECTIONS[title])]
    ends = [at + minutes for at, minutes in rows]
    assert rows[0][0] == 0 and ends[-1] == whole
    assert [at for at, _ in rows[1:]] == ends[:-1]


@each_notebook
def test_the_steps_take_the_minutes_that_the_notebook_and_the_plans_say(name):
    steps = table(section(name))
    assert sum(int(minutes) for _, _, minutes, _ in steps) == minutes_in_class(name)
    for column, title in enumerate(["90 minutes", "Half a day"]):
        planned = [(int(at), int(minutes)) for at, minutes, what in table(SECTIONS[title]) if f"(#{name[:2]}-" in what]
        clock = [(int(row[column]), int(row[2])) for row in steps if row[column] != "–"]
        assert len(planned) == (column == 1 or name[:2] in {"01", "02", "03", "04"})
        assert bool(clock) == bool(planned)
        if planned:
            ((at, minutes),) = planned
            assert clock[0][0] == at and sum(clock[-1]) == at + minutes
            assert all(start + long == then for (start, long), (then, _) in pairwise(clock))


@each_notebook
def test_the_minutes_follow_the_rule(name):
    words_a_minute, lines_a_minute, question, opening, wait = map(
        int,
        re.search(
            r"at (\d+) words a\sminute, .* at (\d+) lines a minute. A question takes (\d+) minutes more, "
            r".*opening a notebook (\d+), and each long wait (\d+): ",
            SECTIONS["Where the minutes come from"].replace("\n", " "),
        ).groups(),
    )
    (waits,) = re.findall(r"long wait \d+: ([^.]*)\.", SECTIONS["Where the minutes come from"])
    path = [cell for cell in NOTEBOOKS[name].cells if "class" in cell.metadata.get("tags", [])]
    text = " ".join(re.sub(r"\]\([^)]*\)", "]", cell.source) for cell in path if cell.cell_type == "markdown")
    code = [cell for cell in path if cell.cell_type == "code"][2:]
    code = [cell for cell in code if not any(tag.startswith("check:") for tag in cell.metadata.tags)]
    exercise = sum(int(minutes) for _, _, minutes, step in table(section(name)) if step.startswith("Exercise"))
    rule = (
        len(re.findall(r"\w+", text)) / words_a_minute
        + sum(len(list(filter(None, cell.source.splitlines()))) for cell in code) / lines_a_minute
        + question * len([each for each in questions(name) if each[1] != "▷"])
        + exercise
        + opening
        + wait * (f"`{name[:2]}`" in waits)
    )
    assert 5 * round(rule / 5) == minutes_in_class(name), rule


@each_notebook
def test_steps_and_exercises_are_those_of_the_notebook(name):
    text, known = section(name), headings(name)
    named = {" ".join(each.split()) for each in re.findall(r"\*(Exercise[: ][^*]+)\*", text)}
    assert named == {heading for heading in known if heading.startswith("Exercise")}
    steps = [step for _, _, _, step in table(text)]
    for cell in NOTEBOOKS[name].cells:
        tags = cell.metadata.get("tags", [])
        if "class" in tags and any(tag.startswith("exercise:") for tag in tags):
            assert any(step.startswith("Exercise") for step in steps)
    for part in re.split(r"[;,] |\n", "\n".join(steps)):
        named_step = part[0].isupper() and not part.startswith("Exercise")
        assert not named_step or any(heading.startswith(part.split(":")[0]) for heading in known), part


def test_links_lead_somewhere():
    own = {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in SECTIONS}
    links = re.findall(r"\]\(([^)\s]+)\)", GUIDE)
    assert len(links) > len(NOTEBOOKS)
    for target in links:
        file, _, anchor = target.partition("#")
        assert not file or (ROOT / "docs" / file).is_file(), target
        if file.endswith(".ipynb"):
            assert not anchor or anchor in [each.replace(" ", "-") for each in headings(Path(file).stem)], target
        else:
            assert not anchor or (not file and anchor in own), target


def test_the_mail_has_the_three_ways_of_this_repository():
    (mail,) = re.findall(r"```text\n(.*?)```", GUIDE, flags=re.DOTALL)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    url = project["urls"]["Repository"]
    badges = re.findall(r"\]\((https://(?:colab|mybinder)[^)]*\.ipynb)\)", NOTEBOOKS["00_start_here"].cells[0].source)
    assert len(badges) == 2 and set(re.findall(r"https://\S+", mail)) == {url, *badges}
    assert f"git clone {url} below-random\n   cd below-random\n   make lab" in mail  # whatever the repository is called
    assert f"Python {project['requires-python'].removeprefix('>=')} or newer" in mail
    first = [cell for cell in NOTEBOOKS["00_start_here"].cells if cell.cell_type == "code"][:4]
    assert "first four code cells" in mail
    assert "accuracy" in first[-1].outputs[-1].text and "loss" in first[-2].outputs[-1].text


def test_commands_exist():
    makefile, tasks = ((ROOT / name).read_text("utf-8") for name in ("Makefile", "tasks.py"))
    commands = set(re.findall(r"(?:`make|^   make|python tasks.py) (\w+)", GUIDE, flags=re.MULTILINE))
    assert "lab" in commands
    for command in commands:
        assert re.search(rf"^[\w -]*\b{command}\b[\w -]*:", makefile, flags=re.MULTILINE), command
        assert f'"{command}"' in tasks, command
