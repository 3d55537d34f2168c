"""What the README says is so."""

import base64
import re
import subprocess
import sys
from pathlib import Path

import nbformat

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


def test_the_picture_is_the_one_of_notebook_01():
    notebook = nbformat.read(ROOT / "notebooks" / "01_the_broken_loop.ipynb", as_version=4)
    (cell,) = [cell for cell in notebook.cells if "figure:counter-trace" in cell.metadata.get("tags", [])]
    picture = base64.b64decode(cell.outputs[0].data["image/png"])
    assert (ROOT / "docs" / "counter-trace.png").read_bytes() == picture, "run make notebooks"


def test_links_and_commands_exist():
    for target in re.findall(r"\]\(([^)\s]+)\)", README):
        assert target.startswith("https://") or (ROOT / target).exists(), target
    commands = (ROOT / "Makefile").read_text("utf-8")
    for command in set(re.findall(r"`?make (\w+)", README)) - {"and"}:
        assert re.search(rf"\b{command}\b", commands), command
