"""Run the notebooks in place, to commit them with their outputs: python tasks.py notebooks [NOTEBOOK ...]

What would differ from one machine or run to the next is taken out. A notebook that stops with an error stays as it was.
"""

import base64
import sys
from collections.abc import Sequence
from pathlib import Path

import nbformat

from sdss_lesson.support.files import write_whole
from tools import kernel

KERNELSPEC = {"display_name": "Python 3", "language": "python", "name": "python3"}
CLEARED = ("SDSS_LESSON_CSV", "SDSS_LESSON_SEED")
"""The stored outputs are those of the shipped sample and of the seeds as written."""


def strip(notebook: nbformat.NotebookNode) -> None:
    """Take out timings, the state of widgets and the versions of whoever ran it."""
    notebook.metadata.pop("widgets", None)
    notebook.metadata["kernelspec"] = KERNELSPEC
    notebook.metadata["language_info"] = {"name": "python"}
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)


def keep_figures(notebook: nbformat.NotebookNode, folder: Path) -> None:
    """Write the picture of a cell that is tagged ``figure:NAME`` to NAME.png, for the README."""
    for cell in notebook.cells:
        for tag in cell.metadata.get("tags", []):
            if tag.startswith("figure:"):
                picture = base64.b64decode(cell.outputs[0]["data"]["image/png"])
                write_whole(folder / f"{tag.removeprefix('figure:')}.png", picture)


def refresh(path: Path) -> str | None:
    """Run the notebook and store its outputs. None, or why it was left as it was."""
    run = kernel.run(path, kernel.quiet_environment(CLEARED), path.parent, record=False)
    if run.error:
        return run.error
    strip(run.notebook)
    try:
        keep_figures(run.notebook, kernel.ROOT / "docs")
        kernel.write(run.notebook, path)
    except OSError as error:
        return kernel.unwritable(error)
    return None


def main(names: Sequence[str]) -> int:
    kernel.plain_output()
    failed = 0
    for path in kernel.find_notebooks(names):
        print(f"{path.stem} ... ", end="", flush=True)
        error = refresh(path)
        print(f"left as it was: {error}" if error else "written", flush=True)
        failed += error is not None
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
