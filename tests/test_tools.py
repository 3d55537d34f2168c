"""The commands that run notebooks, on notebooks of three lines."""

import json
import sys
from collections.abc import Callable
from pathlib import Path

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from tools import claims, kernel, lab, lesson, notebooks, slowest
from tools import test as test_command

Make = Callable[..., Path]

CLAIM = """import json, os
def claim(text, outcome, margin=None):
    entry = {"notebook": os.environ["SDSS_LESSON_NOTEBOOK"], "text": text, "outcome": outcome, "margin": margin}
    with open(os.environ["SDSS_LESSON_CLAIMS"], "a") as file:
        file.write(json.dumps(entry) + "\\n")
"""


@pytest.fixture
def make(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Make:
    """Makes a notebook out of cells; the commands then find it, and nothing else."""
    folder = tmp_path / "the notebooks"
    folder.mkdir()
    monkeypatch.setattr(kernel, "NOTEBOOKS", folder)
    monkeypatch.setattr(kernel, "ROOT", tmp_path)
    monkeypatch.setattr(lesson, "BUILD", tmp_path / "build" / "lesson")

    def make(name: str, *sources: str) -> Path:
        cells = [new_markdown_cell("# Title", id="title")]
        old = [new_output("stream", text="an old output")]
        cells += [new_code_cell(source, id=f"cell-{i}", outputs=old) for i, source in enumerate(sources)]
        path = folder / f"{name}.ipynb"
        nbformat.write(new_notebook(cells=cells), path)
        return path

    return make


def outputs(path: Path) -> str:
    return json.dumps([cell.get("outputs") for cell in nbformat.read(path, as_version=4).cells])


def a_run(name: str, *outcomes: tuple[str, str, float | None], error: str | None = None) -> kernel.Run:
    entries = [{"notebook": name, "text": text, "outcome": how, "margin": margin} for text, how, margin in outcomes]
    return kernel.Run(name, new_notebook(), 1.0, 10**8, error, entries)


def test_lesson_goes_on_and_reports_what_went_wrong(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    paths = [
        make("00_fine", CLAIM, "claim('yes', 'held'); claim('here not', 'not shown')"),
        make("01_raises", "'fine'", "# Divide\n1 / 0", "'not reached'"),
        make("02_wrong", CLAIM, "claim('no', 'not held', 0.5)\nprint(os.environ['SDSS_LESSON_CSV'])"),
    ]
    before = [path.read_bytes() for path in paths]
    monkeypatch.setenv("SDSS_LESSON_CSV", "rows of mine.csv")
    assert lesson.main([]) == 1
    printed = capsys.readouterr().out
    assert "The rows: rows of mine.csv" in printed
    for expected in [
        "[2/3] 01_raises ... stopped\n",
        "01_raises: cell 3 (1 / 0) stopped with ZeroDivisionError: division by zero",
        "1 of 1, and 1 not shown",
        "0 of 0  STOPPED",
        "0 of 1",
        "These claims do not hold here:\n  02_wrong: no",
        "These rows cannot show:\n  00_fine: here not",
    ]:
        assert expected in printed
    assert [path.read_bytes() for path in paths] == before
    built = sorted((tmp_path / "build" / "lesson").iterdir())
    assert [path.name for path in built] == [path.name for path in paths]
    assert not any("an old output" in outputs(path) for path in built)
    assert "ZeroDivisionError" in outputs(built[1]) and "rows of mine.csv" in outputs(built[2])


def test_lesson_is_content_with_claims_that_hold(capsys: pytest.CaptureFixture[str]) -> None:
    assert lesson.report([a_run("00", ("yes", "held", None)), a_run("01", ("here not", "not shown", None))]) == 0
    assert lesson.report([a_run("00", ("no", "not held", None))]) == 1
    assert lesson.report([a_run("00", error="cell 1")]) == 1
    assert "00            1.0      100  1 of 1\n" in capsys.readouterr().out


SETTINGS = """import json, os, sys
from ipykernel.connect import get_connection_info
names = ["OMP_NUM_THREADS", "SDSS_LESSON_SEED", "SDSS_LESSON_CSV", "MPLBACKEND"]
how = json.loads(get_connection_info())["transport"]
print(json.dumps([sys.executable, how, os.getcwd(), "intruder" in globals(), *map(os.environ.get, names)]))"""


def test_the_kernel_is_this_python_and_nothing_of_the_users(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = tmp_path / "jupyter" / "kernels" / "python3" / "kernel.json"
    startup = tmp_path / "ipython" / "profile_default" / "startup" / "00.py"
    for path, text in {spec: '{"argv": ["false"], "display_name": "x"}', startup: "intruder = 1"}.items():
        path.parent.mkdir(parents=True)
        path.write_text(text)
    monkeypatch.setenv("JUPYTER_PATH", str(tmp_path / "jupyter"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("MPLBACKEND", "agg")
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    path = make("00", SETTINGS)
    run = kernel.run(path, kernel.quiet_environment(SDSS_LESSON_SEED="3"), tmp_path, record=False)
    assert run.error is None and run.claims == []
    over = "tcp" if sys.platform == "win32" else "ipc"
    inline = "module://matplotlib_inline.backend_inline"
    (output,) = run.notebook.cells[1].outputs
    assert json.loads(output.text) == [sys.executable, over, str(tmp_path), False, "1", "3", None, inline]
    assert run.peak > 10_000_000
    monkeypatch.setenv("OMP_NUM_THREADS", "2")
    assert kernel.quiet_environment()["OMP_NUM_THREADS"] == "2"


def test_a_long_name_leaves_no_room_for_a_socket() -> None:
    assert kernel.transport(Path("/" + 100 * "x")) == "tcp"


def test_notebooks_are_named_or_all(make: Make) -> None:
    paths = [make("01_b"), make("00_a")]
    assert kernel.find_notebooks() == paths[::-1]
    assert kernel.find_notebooks(["01_b.ipynb"]) == paths[:1]
    with pytest.raises(SystemExit, match=r"'02'.*00_a, 01_b"):
        kernel.find_notebooks(["02"])


def test_a_notebook_is_stored_without_what_differs_from_run_to_run(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SDSS_LESSON_SEED", "3")
    monkeypatch.setenv("SDSS_LESSON_CSV", "x.csv")
    path = make(
        "00", "import os, sys\nprint('a', flush=True); print('b', flush=True)\nos.environ.get('SDSS_LESSON_SEED')"
    )
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[1].metadata = {"execution": {"iopub.status.busy": "2026"}, "tags": ["class"]}
    notebook.metadata = {"widgets": {"x": {}}, "language_info": {"name": "python", "version": "3.0"}, "title": "T"}
    nbformat.write(notebook, path)

    assert notebooks.main([]) == 0
    stored = nbformat.read(path, as_version=4)
    assert stored.cells[1].metadata == {"tags": ["class"]}
    assert stored.metadata == {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
        "title": "T",
    }
    assert [cell.id for cell in stored.cells] == ["title", "cell-0"]
    (stream,) = stored.cells[1].outputs  # one stream, and the seed is none
    assert stream.text == "a\nb\n"
    first = path.read_bytes()
    notebooks.main(["00"])
    assert path.read_bytes() == first
    assert [file.name for file in path.parent.iterdir()] == ["00.ipynb"]


def test_the_picture_of_a_tagged_cell_is_kept_for_the_readme(make: Make, tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    path = make("00", "import matplotlib.pyplot as plt\nplt.plot([1, 2])\nplt.show()")
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[1].metadata["tags"] = ["figure:line"]
    nbformat.write(notebook, path)
    assert notebooks.main([]) == 0
    assert (tmp_path / "docs" / "line.png").read_bytes().startswith(b"\x89PNG")


def test_a_notebook_that_stops_stays_as_it_was(make: Make, capsys: pytest.CaptureFixture[str]) -> None:
    path = make("00", "print('new output')", "assert 1 + 1 == 3, 'arithmetic'")
    before = path.read_bytes()
    assert notebooks.main([]) == 1
    assert path.read_bytes() == before
    assert "left as it was: cell 3" in capsys.readouterr().out
    assert [file.name for file in path.parent.iterdir()] == ["00.ipynb"]


def test_claims_by_seed(
    make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = "int(os.environ['SDSS_LESSON_SEED'])"
    make(
        "00",
        CLAIM,
        f"rows, outcome = os.environ.get('SDSS_LESSON_CSV', 'the sample'), ['held', 'not held'][{seed}]",
        f"claim('of ' + rows, outcome, margin=0.5 - {seed})",
    )
    monkeypatch.setenv("SDSS_LESSON_CSV", "mine.csv")
    given = tmp_path / "export.csv"
    assert claims.main(["--seeds", "2", "--data", str(given)]) == 1
    printed = capsys.readouterr().out
    surveys = {
        "the shipped sample": "the sample",
        "a harder mock survey": str(tmp_path / "build" / "claims" / "harder.csv"),
        str(given): str(given),
    }
    for name, rows in surveys.items():
        assert f"The rows: {name}\n" in printed
        assert f"✓ ✗     -0.5  of {rows}\n" in printed
        assert f"  {name}, seed 1, 00: of {rows}\n" in printed
    assert "mine.csv" not in printed and "seed 0, 00:" not in printed
    assert claims.main(["--seeds", "1"]) == 0
    assert "Every claim held." in capsys.readouterr().out


def test_a_notebook_that_stops_is_a_failure() -> None:
    assert claims.failures({3: [a_run("00", error="cell 1")]}) == ["seed 3, 00 stopped: cell 1"]


@pytest.mark.parametrize("seeds", ["0", "-1", "ten"])
def test_the_number_of_seeds_is_a_whole_one(seeds: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        claims.main(["--seeds", seeds])
    assert "--seeds" in capsys.readouterr().err


def test_the_table_of_claims_shows_the_worst_of_a_claim() -> None:
    runs = {
        0: [
            a_run("00", ("a", "held", 0.2), ("a", "not held", -0.1), ("b", "held", None)),
            a_run("01", ("a", "held", 1)),
        ],
        1: [a_run("00", ("a", "held", 0.3), ("b", "not shown", None)), a_run("01")],
    }
    lines = claims.table(runs).splitlines()
    assert [line.split() for line in lines[1:]] == [
        ["00"],
        ["✗", "✓", "-0.1", "a"],
        ["✓", "–", "b"],
        ["01"],
        ["✓", "1", "a"],
    ]


def test_nbval_is_strict_and_speaks_over_ipc(make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("pyproject.toml", "tools"):
        (tmp_path / name).symlink_to(Path(__file__).resolve().parents[1] / name)
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "test_one.py").write_text("def test_one(): pass")
    path = make(
        "00", SETTINGS.replace("sys.executable", "0").replace("os.getcwd()", "1"), "import sys; sys.stderr.write('')"
    )
    folder = path.parent.rename(tmp_path / "notebooks")
    monkeypatch.setattr(kernel, "NOTEBOOKS", folder)
    assert notebooks.main([]) == 0
    monkeypatch.setenv("SDSS_LESSON_SEED", "3")
    monkeypatch.setenv("SDSS_LESSON_CSV", "mine.csv")
    assert test_command.main(["-q", "-n", "0"]) == 0
    stored = folder / "00.ipynb"
    assert '"ipc' in outputs(stored) or sys.platform == "win32"
    stored.write_text(stored.read_text().replace("false", "true"))
    assert test_command.main(["-q", "-n", "0"]) == 1


def test_the_tests_run_even_where_a_notebook_would_fail_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []
    codes = iter([1, 0, 5, 0, 0, 5, 1])
    monkeypatch.setattr("subprocess.call", lambda command, **_: calls.append(command) or next(codes))
    assert test_command.main([]) == 1  # the tests fail, nbval runs all the same
    assert test_command.main(["-k", "x"]) == 0  # nothing to test in one of the two
    assert test_command.main([]) == 5  # no notebook found
    assert [Path(command[-1]).name for command in calls] == ["tests", "notebooks"] * 3
    assert test_command.main([], more=True) == 1 and "not more" not in calls.pop()
    shown = ["--cov" in command for command in calls]
    assert shown == [True, False, False, False, True, False]  # a part of the tests is sure to cover too little


def test_the_slowest_ten_are_written_between_their_marks() -> None:
    text = slowest.table({f"tests/test_a.py::test_{n}": n for n in range(12)}, 90.0)
    assert text.splitlines()[4] == "| `test_a.py::test_11` | 11 |" and len(text.splitlines()) == 14
    assert "12 tests in 1.5 minutes" in text and "test_1`" not in text
    page = slowest.between(f"above\n{slowest.BEGIN}old\n{slowest.END}below\n", text)
    assert page == f"above\n{slowest.BEGIN}{text}{slowest.END}below\n" == slowest.between(page, text)
    assert slowest.BEGIN in slowest.PAGE.read_text("utf-8")


def test_lab_never_overwrites(make: Make, tmp_path: Path) -> None:
    source = make("00", "1").parent
    make("01", "2")
    mine = tmp_path / "my-notebooks"
    assert lab.copy_notebooks(source, mine) == ["00.ipynb", "01.ipynb"]
    assert outputs(source / "00.ipynb").count("an old output") == 1  # the copies have none
    assert not any(nbformat.read(mine / "00.ipynb", as_version=4).cells[1].outputs)
    (mine / "00.ipynb").write_text("my own work")
    (mine / "01.ipynb").unlink()
    assert lab.copy_notebooks(source, mine) == ["01.ipynb"]
    assert (mine / "00.ipynb").read_text() == "my own work"
