"""Copies of the notebooks in which every exercise is tried, for nbval: one run compares the outputs and tries them.

Behind each check stand, in the copy, the solution, other right answers, and slips, from `tests/answers/`. Each is
checked in a namespace of its own, so that the cells below find everything as the reader's would.
"""

import inspect
import re
from pathlib import Path
from typing import Any

import nbformat
import yaml

from tools import kernel

ANSWERS = kernel.ROOT / "tests" / "answers"


def try_answer(space: dict[str, Any], exercise: str, answer: str, check: str, says: str) -> None:
    """Run an answer and its check, and fail where the check does not say what it must."""
    import contextlib
    import io
    import linecache

    space, name = dict(space), f"<{exercise}>"
    linecache.cache[name] = len(answer), None, answer.splitlines(keepends=True), name  # for inspect.getsource
    said = io.StringIO()
    with contextlib.redirect_stdout(io.StringIO()):
        exec(compile(answer, name, "exec"), space)
    with contextlib.redirect_stdout(said):
        exec(check, space)
    found = said.getvalue()
    if says not in found or not found.startswith("✓" if says == "✓" else "✗"):
        raise AssertionError(f"{exercise}: {answer!r}\nThe check must say {says!r} and says: {found}")


BEFORE = """
import random as _random
import numpy as _np
import torch as _torch
_states = _random.getstate(), _np.random.get_state(), _torch.get_rng_state()
"""
AFTER = """
_random.setstate(_states[0])
_np.random.set_state(_states[1])
_torch.set_rng_state(_states[2])
"""


def tagged(cells: list[nbformat.NotebookNode], prefix: str) -> dict[str, nbformat.NotebookNode]:
    """Cells by what stands behind the prefix of their tag."""
    return {
        tag.removeprefix(prefix): cell
        for cell in cells
        for tag in cell.metadata.get("tags", [])
        if tag.startswith(prefix)
    }


def letters(notebook: nbformat.NotebookNode) -> str:
    """The right answers of the predictions, in order: each stands first in its folded explanation."""
    text = "\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    return "".join(re.findall(r"<details><summary>Your answer, explained[^\n]*</summary>\s*\*\*([A-E])\b", text))


def solution(cell: nbformat.NotebookNode) -> str:
    """The code of a folded solution."""
    (block,) = re.findall(r"```python\n(.*?)```", cell.source, flags=re.DOTALL)
    return str(block)


def answers(name: str) -> dict[str, dict[str, list[Any]]]:
    """For each exercise: ``right`` answers besides the solution, and ``slips`` with a word of what the check says."""
    found: dict[str, dict[str, list[Any]]] = yaml.safe_load((ANSWERS / f"{name}.yml").read_text("utf-8"))
    return found


def with_tries(notebook: nbformat.NotebookNode, name: str) -> nbformat.NotebookNode:
    """The notebook with a cell of tries behind every check."""
    solutions = tagged(notebook.cells, "solution:")
    checks = {cell.id: exercise for exercise, cell in tagged(notebook.cells, "check:").items()}
    known = answers(name) if checks else {}
    cells = []
    for cell in notebook.cells:
        cells.append(cell)
        if exercise := checks.get(cell.id):
            right = [solution(solutions[exercise]), *known[exercise]["right"]]
            slips = [(slip["answer"], slip["says"]) for slip in known[exercise]["slips"]]
            lines = ["from typing import Any", inspect.getsource(try_answer), BEFORE]
            for answer, says in [*((each, "✓") for each in right), *slips]:
                lines.append(f"try_answer(globals(), {exercise!r}, {answer!r}, {cell.source!r}, {says!r})")
            cells.append(nbformat.v4.new_code_cell("\n".join([*lines, AFTER])))  # type: ignore[no-untyped-call]
    notebook.cells = cells
    return notebook


def write(folder: Path) -> None:
    """All notebooks with tries, and what they link to by a relative path, below `folder`."""
    for path in kernel.find_notebooks():
        notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
        kernel.write(with_tries(notebook, path.stem), folder / path.name)
