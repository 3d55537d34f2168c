"""What every notebook promises to its reader: its form, its exercises, its classroom path, its links."""

import ast
import json
import re
import statistics
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import nbformat
import pytest
import yaml

from tools import kernel

ROOT = Path(__file__).resolve().parents[1]
PATHS = sorted((ROOT / "notebooks").glob("*.ipynb"))
NOTEBOOKS = {path.stem: nbformat.read(path, as_version=4) for path in PATHS}
MACHINE = re.compile(r"/(home|root|work|tmp|Users)/|[A-Z]:\\\\|\d\d:\d\d:\d\d|widget|0x[0-9a-f]{6}")
"""Paths, times, widgets and addresses in memory."""
each_notebook = pytest.mark.parametrize("name", NOTEBOOKS)


def answers(name: str) -> dict[str, dict[str, list[Any]]]:
    """For each exercise: ``right`` answers besides the solution, and ``slips`` with a word of what the check says."""
    found: dict[str, dict[str, list[Any]]] = yaml.safe_load(
        (ROOT / "tests" / "answers" / f"{name}.yml").read_text("utf-8")
    )
    return found


def tagged(name: str, prefix: str) -> dict[str, nbformat.NotebookNode]:
    """Cells of a notebook by what stands behind the prefix of their tag."""
    return {
        tag.removeprefix(prefix): cell
        for cell in NOTEBOOKS[name].cells
        for tag in cell.metadata.get("tags", [])
        if tag.startswith(prefix)
    }


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


@each_notebook
def test_the_form_is_that_of_the_series(name):
    cells, code = NOTEBOOKS[name].cells, code_cells(name)
    in_sight = [cell for cell in code if "hide-input" not in cell.metadata.get("tags", [])]
    lines = sorted(len(cell.source.strip().splitlines()) for cell in in_sight)
    assert 30 <= len(cells) <= 80
    assert statistics.median(lines) <= 5 and lines[int(0.9 * (len(lines) - 1))] <= 12 and lines[-1] <= 25
    before = cells[: next(i for i, cell in enumerate(cells) if cell.cell_type == "code")]
    assert sum(map(words, before)) <= 130
    claims = [cell for cell in code if "claim(" in cell.source]
    assert len(claims) >= 5


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
def test_the_classroom_path_runs_alone(name, tmp_path):
    notebook = NOTEBOOKS[name].copy()
    notebook["cells"] = [cell for cell in notebook.cells if "class" in cell.metadata.get("tags", [])]
    assert run(notebook, tmp_path, name).error is None


@each_notebook
def test_exercises_accept_their_solution_and_name_each_slip(name, tmp_path):
    stubs, checks, solutions = (tagged(name, prefix) for prefix in ("exercise:", "check:", "solution:"))
    assert stubs and stubs.keys() == checks.keys() == solutions.keys()
    notebook = NOTEBOOKS[name].copy()
    notebook["cells"] = []
    tries = []
    for cell in NOTEBOOKS[name].cells:
        notebook.cells.append(cell)
        exercise = next((key for key, check in checks.items() if check is cell), None)
        if exercise is None:
            continue
        assert "not attempted yet" in printed(cell)
        text = solutions[exercise].source
        (block,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
        assert text.startswith("<details>") and text.index(block) < text.index("</details>")
        known = answers(name)[exercise]
        wanted = [(answer, "✓") for answer in [block, *known["right"]]]
        for answer, expected in [*wanted, *((slip["answer"], slip["says"]) for slip in known["slips"])]:
            notebook.cells += [nbformat.v4.new_code_cell(answer), nbformat.v4.new_code_cell(cell.source)]
            tries.append((exercise, answer, expected, notebook.cells[-1]))
        notebook.cells += [nbformat.v4.new_code_cell(block)]
    done = run(notebook, tmp_path, name)
    assert done.error is None
    ran = {cell.id: printed(cell) for cell in done.notebook.cells if cell.cell_type == "code"}
    for exercise, answer, expected, check in tries:
        said = ran[check.id]
        assert expected in said and said.startswith("✓" if expected == "✓" else "✗"), (exercise, answer, said)


@pytest.mark.parametrize("name", ["00_start_here", "05_an_honest_protocol"])  # make claims runs all of them there
def test_every_claim_holds_on_a_harder_survey(name, tmp_path, harder_csv):
    done = run(NOTEBOOKS[name], tmp_path, name, SDSS_LESSON_CSV=str(harder_csv), SDSS_LESSON_SEED="1")
    assert done.error is None and done.texts("not held") == []
    assert len(done.texts("held")) >= 5


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
