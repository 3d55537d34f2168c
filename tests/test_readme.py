"""What the README says is so."""

import base64
import os
import re
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

from sdss_lesson.__main__ import main

ROOT = Path(__file__).resolve().parents[1]
README = (ROOT / "README.md").read_text("utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


def run(code: str) -> str:
    return subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True).stdout


def test_the_bug_in_ten_lines_prints_what_its_comment_says():
    (bug,) = [block for block in BLOCKS if "# the bug" in block]
    assert len([line for line in bug.splitlines() if line]) <= 10
    wrong, truth = re.search(r"# (\S+); the truth is (\S+)", bug).groups()
    assert f"{float(run(bug)):.2f}" == wrong
    assert f"{float(run(bug.replace('n_correct = batch_hits', 'n_correct += batch_hits'))):.2f}" == truth


def test_the_example_of_the_package_runs():
    (example,) = [block for block in BLOCKS if "split_by_object" in block]
    assert run(example.replace("epochs=20", "epochs=1")).startswith("accuracy 0.")


@pytest.mark.parametrize("right", [True, False])
def test_the_test_for_your_own_project_tells_right_from_wrong(tmp_path, right):
    (example,) = [block for block in BLOCKS if "import audit" in block]
    source = "sdss_lesson import" if right else "sdss_lesson.mistakes.too_low import hits_overwritten as"
    (tmp_path / "my_project.py").write_text(f"from {source} evaluate", "utf-8")
    (tmp_path / "test_it.py").write_text(example, "utf-8")
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_it.py"]
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"}
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == (0 if right else 1), done.stdout
    assert right or "AssertionError: Do not trust this function. What is wrong: counter-overwritten" in done.stdout


def test_the_audit_of_your_own_split_runs():
    (example,) = [block for block in BLOCKS if "audit_split" in block]
    rows = (
        "from sdss_lesson import audit_split, load_sdss; frame = load_sdss(); train, test = frame[:8000], frame[8000:]"
    )
    assert run(f"{rows}\n{example}").startswith("Leak: ")


def test_the_commands_of_the_package_are_understood(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    Path("my_project.py").write_text("from sdss_lesson import evaluate", "utf-8")
    for name in ("train", "test"):
        Path(f"{name}.csv").write_text("patient,a\n7,1\n", "utf-8")
    commands = re.findall(r"^python -m sdss_lesson (.*)$", README, flags=re.MULTILINE)
    assert [main(command.split()) for command in commands] == [0, 1]


def test_the_picture_is_the_one_of_notebook_01():
    notebook = nbformat.read(ROOT / "notebooks" / "01_the_broken_loop.ipynb", as_version=4)
    (cell,) = [cell for cell in notebook.cells if "figure:counter-trace" in cell.metadata.get("tags", [])]
    picture = base64.b64decode(cell.outputs[0].data["image/png"])
    assert (ROOT / "docs" / "counter-trace.png").read_bytes() == picture, "run make notebooks"


@pytest.mark.parametrize("page", ["README.md", "docs/index.md"])
def test_the_log_is_that_of_notebook_00_and_the_answer_stands_behind_one_fold(page):
    text = (ROOT / page).read_text("utf-8")
    (log,) = re.findall(r"```text\n(epoch.*?)```", text, flags=re.DOTALL)
    notebook = nbformat.read(ROOT / "notebooks" / "00_start_here.ipynb", as_version=4)
    printed = "".join(cell.outputs[0].get("text", "") for cell in notebook.cells if cell.get("outputs"))
    assert all(line in printed.splitlines() for line in log.splitlines()), "run make notebooks"
    before, fold = text.split("<details>")
    assert "Just tell me" in fold and "n_correct +=" in fold and re.search(r"\]\(\S*mistakes\.\w+\)", fold)
    for word in ["+=", "n_correct", "last batch", "overwrit", "training set"]:
        assert word not in before, word


def test_links_and_commands_exist():
    for target in re.findall(r"\]\(([^)\s]+)\)", README):
        assert target.startswith("https://") or (ROOT / target).exists(), target
    commands = (ROOT / "Makefile").read_text("utf-8")
    for command in set(re.findall(r"`?make (\w+)", README)) - {"and"}:
        assert re.search(rf"\b{command}\b", commands), command
