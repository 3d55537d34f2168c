"""Bad luck costs nobody anything: a full disk, a killed kernel, a class that runs the lesson at once. And safety."""

import ast
import base64
import errno
import json
import os
import subprocess
import sys
from pathlib import Path

import nbformat
import numpy as np
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from sklearn.preprocessing import StandardScaler

from sdss_lesson import NeuralNet, load_model, save_model
from sdss_lesson.support.files import write_whole
from tools import kernel, lesson, notebooks

ROOT = Path(__file__).resolve().parents[1]
KILLED = ["print('before')", "# Like a system that is out of memory\nimport os; os.kill(os.getpid(), 9)", "'after'"]
PICTURE = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="


@pytest.fixture
def make(tmp_path, monkeypatch):
    """Makes a notebook of cells, which the commands then find."""
    for folder in ("notebooks", "docs"):
        (tmp_path / folder).mkdir()
    monkeypatch.setattr(kernel, "ROOT", tmp_path)
    monkeypatch.setattr(kernel, "NOTEBOOKS", tmp_path / "notebooks")
    monkeypatch.setattr(lesson, "BUILD", tmp_path / "build")

    def make(name, *sources):
        cells = [new_markdown_cell("# Title", id="title")]
        cells += [new_code_cell(source, id=f"cell-{number}") for number, source in enumerate(sources)]
        path = tmp_path / "notebooks" / f"{name}.ipynb"
        nbformat.write(new_notebook(cells=cells), path)
        return path

    return make


def files(folder):
    """All files below, with what is in them."""
    return {path.relative_to(folder): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


class FullDisk:
    """A disk with room for so many bytes more. A write without room leaves what still fitted, as on a real one."""

    def __init__(self, monkeypatch, room):
        self.room, self.write = room, Path.write_bytes
        monkeypatch.setattr(Path, "write_bytes", lambda path, content: self.take(path, content))

    def take(self, path, content):
        room, self.room = self.room, max(0, self.room - len(content))
        if len(content) > room:
            self.write(path, bytes(content)[:room])
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        return self.write(path, content)


@pytest.mark.parametrize("name", ["file/x", "nowhere/x", "n" * 252])  # with the process's number it would be too long
def test_a_file_that_cannot_be_written_is_named_and_leaves_nothing(tmp_path, name):
    (tmp_path / "file").touch()
    with pytest.raises(OSError) as caught:
        write_whole(tmp_path / name, b"new")
    assert caught.value.filename == str(tmp_path / name)
    assert files(tmp_path) == {Path("file"): b""}


@pytest.mark.skipif(sys.platform == "win32", reason="Windows knows no such signal.")
@pytest.mark.parametrize("command", [notebooks, lesson])
def test_a_killed_kernel_is_one_sentence_and_leaves_the_notebooks_as_they_were(make, tmp_path, capsys, command):
    make("00", *KILLED)
    before = files(tmp_path / "notebooks")
    assert command.main([]) == 1
    printed = capsys.readouterr()
    sentence = "cell 3 (import os; os.kill(os.getpid(), 9)) stopped because the kernel died, perhaps for want of memory"
    assert printed.out.count(sentence) == 1 and "Traceback" not in printed.out + printed.err
    assert files(tmp_path / "notebooks") == before


def test_a_kernel_that_does_not_start_is_one_sentence(make, tmp_path, monkeypatch):
    path = make("00", "1")
    (tmp_path / "ipykernel_launcher.py").write_text("raise MemoryError")
    run = kernel.run(path, {**kernel.quiet_environment(), "PYTHONPATH": str(tmp_path)}, tmp_path, record=False)
    assert run.error == "it did not start because the kernel died, perhaps for want of memory"


FIGURE = f"""from IPython.display import display
display({{"image/png": "{PICTURE}", "text/plain": "a pixel"}}, raw=True)"""


@pytest.mark.parametrize("room", [0, 10, 100])
def test_a_full_disk_leaves_the_notebook_and_its_figure_as_they_were(make, tmp_path, monkeypatch, capsys, room):
    path = make("00", FIGURE)
    notebook = nbformat.read(path, as_version=4)
    notebook.cells[1].metadata["tags"] = ["figure:pixel"]
    nbformat.write(notebook, path)
    (tmp_path / "docs" / "pixel.png").write_bytes(b"the old figure")
    before = files(tmp_path)
    disk = FullDisk(monkeypatch, room)
    assert notebooks.main([]) == 1
    printed = capsys.readouterr().out
    assert "00 ... left as it was: [Errno 28] No space left" in printed and "Make room on the disk" in printed
    if room == 100:  # the figure fits, and is stored whole
        before[Path("docs/pixel.png")] = base64.b64decode(PICTURE)
    assert files(tmp_path) == before
    disk.room = 10**9
    assert notebooks.main([]) == 0
    assert files(tmp_path).keys() == before.keys() and path.read_bytes() != before[Path("notebooks/00.ipynb")]


def test_a_full_disk_stops_no_lesson_half_way(make, tmp_path, monkeypatch, capsys):
    make("00", "1")
    make("01", "2")
    before = files(tmp_path)
    FullDisk(monkeypatch, 100)
    assert lesson.main([]) == 1
    printed = capsys.readouterr().out
    assert printed.count("No space left") == 2 and printed.count("STOPPED") == 2 and "Make room on the disk" in printed
    assert files(tmp_path) == before


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="This system has no such device.")
def test_a_disk_that_is_really_full(make, tmp_path):
    path = make("00", "1")
    before = path.read_bytes()
    path.with_name(f".00.ipynb.{os.getpid()}.part").symlink_to("/dev/full")
    assert "No space left" in notebooks.refresh(path)
    assert files(path.parent) == {Path("00.ipynb"): before}


def test_a_full_disk_costs_no_model(tmp_path, monkeypatch):
    scaler = StandardScaler().fit(np.eye(5))
    save_model(tmp_path / "model.pt", NeuralNet(5, 4, 3), scaler)
    before = files(tmp_path)
    FullDisk(monkeypatch, 1_000)
    with pytest.raises(OSError, match="No space left"):
        save_model(tmp_path / "model.pt", NeuralNet(5, 4, 3), scaler)
    assert files(tmp_path) == before
    load_model(tmp_path / "model.pt")


LESSON = f"""import sys
from pathlib import Path
sys.path.insert(0, {str(ROOT)!r})
from tools import kernel, lesson
kernel.NOTEBOOKS, lesson.BUILD = Path("notebooks").resolve(), Path("build").resolve()
sys.exit(lesson.main([]))"""


@pytest.mark.more
def test_a_class_runs_the_lesson_at_once_in_one_folder(make, tmp_path):
    make(
        "00",
        "import numpy as np, os, time\ntime.sleep(1)\nprint(np.random.default_rng(3).normal())",
        # As `claim` records it, and long enough that two writers of one file would mix their lines.
        'line = \'{"notebook": "00", "text": "\' + 40_000 * \'x\' + \'", "outcome": "held", "margin": null}\'\n'
        "open(os.environ['SDSS_LESSON_CLAIMS'], 'a').write(line + chr(10))",
        "print('y\\n' * 100_000)",
    )
    before = files(tmp_path / "notebooks")
    own = tmp_path / "scratch"
    own.mkdir()
    environment = {**os.environ, "TMPDIR": str(own), "TEMP": str(own), "TMP": str(own)}
    runs = [
        subprocess.Popen(
            [sys.executable, "-c", LESSON], cwd=tmp_path, env=environment, text=True, stdout=subprocess.PIPE
        )
        for _ in range(3)
    ]
    printed = [run.communicate()[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0, 0], printed
    assert all("1 of 1\n" in text for text in printed)
    assert files(tmp_path / "notebooks") == before
    built = files(tmp_path / "build")
    assert built.keys() == {Path("00.ipynb")}
    (first, _, long) = (cell["outputs"] for cell in json.loads(built[Path("00.ipynb")])["cells"][1:])
    assert first[0]["text"] == [f"{np.random.default_rng(3).normal()}\n"]
    assert long[0]["text"] == ["y\n"] * 100_000 + ["\n"]
    assert [path.name for path in own.iterdir() if path.name.startswith("sdss-")] == []


def test_two_processes_store_one_notebook_at_once(tmp_path):
    # Each writes its own unfinished file: with one for both, a rename would take the other's away, half written.
    store = """import sys, nbformat
from pathlib import Path
from nbformat.v4 import new_markdown_cell, new_notebook
from tools import kernel
for _ in range(100):
    kernel.write(new_notebook(cells=[new_markdown_cell(sys.argv[1] * 200_000, id="a")]), Path(sys.argv[2]))"""
    words = [sys.executable, "-c", store]
    path = tmp_path / "00.ipynb"
    running = [
        subprocess.Popen([*words, letter, str(path)], cwd=ROOT, stderr=subprocess.PIPE, text=True) for letter in "ab"
    ]
    assert [run.communicate()[1] for run in running] == ["", ""]
    (cell,) = nbformat.read(path, as_version=4).cells
    assert cell.source in ("a" * 200_000, "b" * 200_000)
    assert [file.name for file in tmp_path.iterdir()] == ["00.ipynb"]


# Safe: what runs code from a file or a string is not called, or only as it cannot

SOURCES = sorted([*ROOT.glob("*.py"), *ROOT.glob("sdss_lesson/**/*.py"), *ROOT.glob("tools/**/*.py")])
NEVER = {"eval", "exec", "compile", "os.system", "os.popen", "subprocess.getoutput", "subprocess.getstatusoutput"}
NEVER |= {"pickle.load", "pickle.loads", "pickle.Unpickler", "pd.read_pickle", "joblib.load", "marshal.loads"}
NEVER |= {"yaml.load", "yaml.unsafe_load", "shelve.open", "tempfile.mktemp", "torch.jit.load", "torch.hub.load"}


def dangers(source):
    """The lines of calls that could run what somebody else wrote."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import | ast.ImportFrom):
            names = {name.name for name in node.names} | {getattr(node, "module", None)}
            if names & {"pickle", "marshal", "shelve", "joblib", "dill", "cloudpickle"}:
                yield f"{node.lineno}: {ast.unparse(node)}"
        elif isinstance(node, ast.Call):
            options = {option.arg: ast.unparse(option.value) for option in node.keywords}
            called = ast.unparse(node.func)
            if (
                called in NEVER
                or options.get("shell", "False") != "False"
                or (called == "torch.load" and options.get("weights_only") != "True")
                or options.get("allow_pickle", "False") != "False"
            ):
                yield f"{node.lineno}: {ast.unparse(node)}"


def test_no_file_and_no_string_is_run():
    assert len(SOURCES) > 40
    found = {path.name: list(dangers(path.read_text("utf-8"))) for path in SOURCES}
    # The answers to our own exercises, in the kernel that runs the notebook anyway.
    assert all("exec(" in each or "compile(" in each for each in found.pop("exercises.py"))
    assert not any(found.values()), found


@pytest.mark.parametrize(
    "source",
    [
        "torch.load(path)",
        "torch.load(path, weights_only=False)",
        "import pickle",
        "from pickle import loads",
        "np.load(path, allow_pickle=True)",
        "subprocess.run('ls ' + name, shell=True)",
        "os.system(name)",
        "eval(text)",
    ],
)
def test_such_calls_would_be_seen(source):
    assert list(dangers(source))


def test_nor_in_a_notebook():
    for path in ROOT.glob("notebooks/*.ipynb"):
        for cell in json.loads(path.read_text("utf-8"))["cells"]:
            source = "".join(cell["source"])
            if cell["cell_type"] == "code":
                # A line of shell or a magic is no Python; the only one installs the package.
                python = "\n".join(line for line in source.splitlines() if not line.lstrip().startswith(("%", "!")))
                assert list(dangers(python or "pass")) == [], path
