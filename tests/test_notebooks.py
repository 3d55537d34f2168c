"""What every notebook promises to its reader: its form, its exercises, its classroom path, its links."""

import ast
import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import nbformat
import pytest

from tools import exercises, kernel

ROOT = Path(__file__).resolve().parents[1]
PATHS = sorted((ROOT / "notebooks").glob("*.ipynb"))
NOTEBOOKS = {path.stem: nbformat.read(path, as_version=4) for path in PATHS}
MACHINE = re.compile(r"/(home|root|work|tmp|Users)/|[A-Z]:\\\\|\d\d:\d\d:\d\d|widget|0x[0-9a-f]{6}")
"""Paths, times, widgets and addresses in memory."""
each_notebook = pytest.mark.parametrize("name", NOTEBOOKS)
first_and_more = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[] if number == 0 else pytest.mark.more) for number, name in enumerate(NOTEBOOKS)]
)


def code_cells(name: str) -> list[nbformat.NotebookNode]:
    return [cell for cell in NOTEBOOKS[name].cells if cell.cell_type == "code"]


def words(cell: nbformat.NotebookNode) -> int:
    return len(re.findall(r"\w+", cell.source))


def run(notebook: nbformat.NotebookNode, folder: Path, stem: str, **extra: str) -> kernel.Run:
    path = folder / f"{stem}.ipynb"
    nbformat.write(notebook, path)
    return kernel.run(path, kernel.quiet_environment(**extra), folder, record=bool(extra))


def printed(cell: nbformat.NotebookNode) -> str:
    return "".join(output.text for output in cell.outputs if output.output_type == "stream")


def test_there_are_notebooks():
    assert list(NOTEBOOKS) == [
        "00_start_here",
        "01_the_broken_loop",
        "02_the_fix",
        "03_leakage",
        "04_accuracy_per_epoch",
        "05_an_honest_protocol",
        "06_bug_hunt",
        "07_beyond_one_machine",
    ]


TOLD = list(NOTEBOOKS)[:4]
"""The notebooks that are told as `00` to `03` are; the others follow."""


@pytest.mark.parametrize("name", TOLD)
def test_what_checks_is_folded_and_what_teaches_is_in_sight(name):
    code = code_cells(name)
    assert sum("claim(" in cell.source for cell in code) >= 1
    for number, cell in enumerate(code):
        tags, metadata = cell.metadata.get("tags", []), cell.metadata
        machinery = number == 0 or "claims" in tags or any(tag.startswith("check:") for tag in tags)
        folded = "hide-input" in tags
        assert folded or not machinery, cell.source
        # JupyterLab, Colab and the site fold a cell each by a sign of its own.
        assert folded == bool(metadata.get("jupyter", {}).get("source_hidden")) == (metadata.get("cellView") == "form")
        assert folded == cell.source.startswith("# @title ")
        assert "claim(" not in cell.source.replace("import claim", "") or "claims" in tags
        assert folded or len(cell.source.strip().splitlines()) <= 12, cell.source


def test_each_letter_is_right_for_about_its_share():
    letters = {name: exercises.letters(NOTEBOOKS[name]) for name in TOLD}
    for name, found in letters.items():
        most = max(found.count(letter) for letter in set(found))
        assert len(found) >= 3 and most <= -(-len(found) // 2), (name, found)
    everything = "".join(letters.values())
    shares = {letter: everything.count(letter) / len(everything) for letter in "ABCD"}
    assert max(shares.values()) <= 0.45 and shares["A"] >= 0.2, shares


@each_notebook
def test_outputs_are_complete_and_tell_nothing_of_the_machine(name):
    for number, cell in enumerate(code_cells(name), start=1):
        assert cell.execution_count == number, "run make notebooks"
        assert "execution" not in cell.metadata
        assert not {"raises-exception", "nbval-ignore-output", "nbval-skip"} & set(cell.metadata.get("tags", []))
        for output in cell.outputs:
            text = json.dumps(output)
            assert output.output_type != "error" and output.get("name") != "stderr", text
            assert not MACHINE.search(text), text
    metadata = NOTEBOOKS[name].metadata
    assert metadata.kernelspec.name == "python3" and "widgets" not in metadata
    assert "version" not in metadata.get("language_info", {})


@each_notebook
def test_the_first_code_cell_is_the_one_template(name):
    assert code_cells(name)[0].source == code_cells("00_start_here")[0].source


def test_the_first_cell_installs_the_released_version_and_nothing_that_colab_has():
    source = code_cells("00_start_here")[0].source
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert f'"git+{project["urls"]["Repository"]}@v{project["version"]}"' in source
    assert '"--no-deps"' in source
    # --no-deps leaves out what the package needs; what Colab does not carry stands in the list.
    needed = {re.split("[<>=]", requirement)[0] for requirement in project["dependencies"]}
    on_colab = {"matplotlib", "numpy", "pandas", "scikit-learn", "scipy", "torch", "tqdm"}
    (packages,) = [node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Assign)]
    listed = {element.value for element in packages.elts}
    assert needed - on_colab <= listed and not listed & on_colab


@pytest.mark.parametrize("where, message", [("elsewhere", "make lab"), ("on Colab", "install")])
def test_without_the_package_the_first_cell_installs_it_on_colab_and_names_make_lab_elsewhere(where, message):
    # Colab itself cannot be had here: a module of its name, and a recorder in place of pip, stand in for it.
    script = f"""
import subprocess, sys, types
sys.modules["sdss_lesson"] = None
if {where!r} == "on Colab":
    sys.modules["google.colab"] = types.ModuleType("google.colab")
def run(command, check):
    print(*command)
    sys.modules["sdss_lesson"] = types.SimpleNamespace(claim=print)
subprocess.run = run
try:
    exec({code_cells("00_start_here")[0].source!r})
except ImportError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert message in done.stdout and len(done.stdout.splitlines()) == 1


@each_notebook
def test_every_picture_has_words_of_its_own_and_its_cell_prints_nothing(name):
    alts = []
    for cell in code_cells(name):
        if not any("image/png" in output.get("data", {}) for output in cell.outputs):
            assert "plots." not in cell.source.replace("import plots", "")
            continue
        assert len(cell.outputs) == 1 and cell.source.count("plots.") == 1
        assert cell.source.rstrip().endswith("plt.show()")
        alts.append(cell.metadata.mystnb.image.alt)
    assert all(len(alt.split()) >= 12 and not alt.endswith(".png") for alt in alts)
    assert len(set(alts)) == len(alts)


@each_notebook
def test_the_classroom_path_is_short_and_marked(name):
    path = [cell for cell in NOTEBOOKS[name].cells if "class" in cell.metadata.get("tags", [])]
    assert 6 <= len(path) <= 14
    assert sum(tag.startswith("exercise:") for cell in path for tag in cell.metadata.tags) <= 1
    for cell in NOTEBOOKS[name].cells:
        # Before a heading the mark would make plain text of it, and in it stand in its anchor: it follows a heading.
        heading = cell.cell_type == "markdown" and re.match("(◆ )?#+ ", cell.source)
        assert not heading or "◆" not in cell.source.splitlines()[0], cell.source
        line = cell.source.splitlines()[bool(heading)]
        marked = line.startswith("◆") if heading else "◆" in line
        assert marked == ("class" in cell.metadata.get("tags", [])), cell.source


@each_notebook
def test_the_classroom_path_defines_what_it_uses(name, tmp_path):
    pytest.importorskip("ruff", reason="ruff is in the extra 'lint'.")
    path = [cell.source for cell in code_cells(name) if "class" in cell.metadata.get("tags", [])]
    (tmp_path / "path.py").write_text("\n".join(path), "utf-8")
    ruff = [sys.executable, "-m", "ruff", "check", "--isolated", "--select", "F821", "--no-cache", "path.py"]
    done = subprocess.run(ruff, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout


@first_and_more
def test_the_classroom_path_runs_alone(name, tmp_path):
    notebook = NOTEBOOKS[name].copy()
    notebook["cells"] = [cell for cell in notebook.cells if "class" in cell.metadata.get("tags", [])]
    assert run(notebook, tmp_path, name).error is None


@each_notebook
def test_an_exercise_has_a_stub_a_check_a_solution_and_answers_to_try(name):
    """What the checks say of the answers is asked in the run that compares the outputs: tools/exercises.py."""
    cells = NOTEBOOKS[name].cells
    stubs, checks, solutions = (exercises.tagged(cells, prefix) for prefix in ("exercise:", "check:", "solution:"))
    assert stubs and stubs.keys() == checks.keys() == solutions.keys() == exercises.answers(name).keys()
    for exercise, known in exercises.answers(name).items():
        assert "not attempted yet" in printed(checks[exercise])
        text, block = solutions[exercise].source, exercises.solution(solutions[exercise])
        assert text.startswith("<details>") and text.index(block) < text.index("</details>")
        assert known["slips"] and all(slip["says"] and slip["answer"] for slip in known["slips"])


def test_a_try_fails_where_the_check_says_something_else():
    check = "print('not attempted yet' if x is None else '✓ Right.' if x == 2 else '✗ Too small.' if x < 2 else x / 0)"
    space = {"x": None}
    for answer, says in [("x = 2", "✓"), ("x = 1", "small")]:
        exercises.try_answer(space, "two", answer, check, says)
    for answer, says in [("x = 1", "✓"), ("x = 2", "small"), ("x = 1", "large")]:
        with pytest.raises(AssertionError, match=r"(?s)two: .*must say"):
            exercises.try_answer(space, "two", answer, check, says)
    with pytest.raises(ZeroDivisionError):
        exercises.try_answer(space, "two", "x = 3", check, "large")
    assert space == {"x": None}


@pytest.mark.parametrize(
    "name", ["00_start_here", pytest.param("05_an_honest_protocol", marks=pytest.mark.more)]
)  # make claims runs all of them there
def test_every_claim_holds_on_a_harder_survey(name, tmp_path, harder_csv):
    done = run(NOTEBOOKS[name], tmp_path, name, SDSS_LESSON_CSV=str(harder_csv), SDSS_LESSON_SEED="1")
    assert done.error is None and done.texts("not held") == []
    assert len(done.texts("held")) >= 5


@pytest.mark.more
@each_notebook
def test_every_claim_holds_on_real_rows(name, tmp_path, real_csv):
    done = run(NOTEBOOKS[name], tmp_path, name, SDSS_LESSON_CSV=str(real_csv))
    assert done.error is None and done.texts("not held") == []
    assert len(done.texts("held")) == len(done.claims) >= 5


def anchors(path: Path) -> list[str]:
    """Where a link to a file may lead: Jupyter keeps a heading's letters, and GitHub makes them small."""
    if path.suffix == ".ipynb":
        text = "\n".join(cell.source for cell in NOTEBOOKS[path.stem].cells if cell.cell_type == "markdown")
    else:
        text = path.read_text("utf-8").lower()
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return [heading.replace(" ", "-").replace("'", "") for heading in headings]


def check_links(text: str, folder: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not target.startswith("https://"):
            file, _, anchor = target.partition("#")
            assert (folder / file).exists(), target
            assert not anchor or anchor in anchors(folder / file), target


@each_notebook
def test_links_lead_somewhere(name):
    text = "\n".join(cell.source for cell in NOTEBOOKS[name].cells if cell.cell_type == "markdown")
    check_links(text, ROOT / "notebooks")


def test_the_checklist_is_that_of_05_and_has_a_line_for_every_practice():
    text = (ROOT / "docs" / "checklist.md").read_text("utf-8")
    check_links(text, ROOT / "docs")
    lines = [line for line in text.splitlines() if line.startswith("- [ ]")]
    (cell,) = [cell.source for cell in NOTEBOOKS["05_an_honest_protocol"].cells if "- [ ]" in cell.source]
    assert [line.replace("../notebooks/", "") for line in lines] == re.findall(r"^- \[ \].*", cell, flags=re.MULTILINE)
    assert all("](../notebooks/" in line for line in lines)
    practices = ["`+=`", "by the rows", "no_grad()", "`eval()`", "`train()`", "(N,)", "same preprocessing", "Tuning"]
    for practice in [*practices, "Three sets"]:
        assert practice in text
    for page in [ROOT / "README.md", ROOT / "notebooks" / "00_start_here.ipynb"]:
        assert "docs/checklist.md" in page.read_text("utf-8")


@each_notebook
def test_badges_open_this_notebook_of_this_repository(name):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    repository, release = project["urls"]["Repository"].removeprefix("https://github.com/"), f"v{project['version']}"
    first = NOTEBOOKS[name].cells[0].source
    assert f"colab.research.google.com/github/{repository}/blob/{release}/notebooks/{name}.ipynb" in first
    assert f"mybinder.org/v2/gh/{repository}/{release}?urlpath=lab/tree/notebooks/{name}.ipynb" in first
