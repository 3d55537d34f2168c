"""Print signs of how the notebooks read, to be looked at and not aimed at: python tasks.py signs [NOTEBOOK ...]"""

import re
import sys
from collections.abc import Sequence

import nbformat
import pandas as pd

from tools import exercises, kernel

HIDDEN = r"```.*?```|`[^`]*`|\|[^\n]*|<[^>]+>|\]\([^)]*\)|https?://\S+"
"""What nobody reads aloud: code, tables, tags, addresses."""


def signs(notebook: nbformat.NotebookNode) -> dict[str, object]:
    """Of the whole notebook: words, sentences, code in sight, share of lines that only check, letters, claims."""
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    shown = [cell.source.strip().splitlines() for cell in code if "hide-input" not in cell.metadata.get("tags", [])]
    prose = "\n\n".join(cell.source for cell in notebook.cells if cell.cell_type == "markdown")
    main, _, _ = prose.partition("\n## Going further")
    plain = re.sub(HIDDEN, " ", main, flags=re.DOTALL)
    sentences = [len(re.findall(r"\w+", each)) for each in re.split(r"(?<=[.!?:])\s|\n\n|\n[-#]", plain)]
    checking = sum(len(re.findall(r"^\s*(?:claim|check|assert)\b", "\n".join(lines), re.M)) for lines in shown)
    return {
        "cells": len(notebook.cells),
        "words on the main path": len(re.findall(r"\w+", plain)),
        "longest sentence": max(sentences),
        "over 25 words": sum(length > 25 for length in sentences),
        "code cells in sight": len(shown),
        "longest in sight": max(map(len, shown)),
        "checks in sight": f"{checking / max(1, sum(map(len, shown))):.0%}",
        "claims": sum(cell.source.count("claim(") for cell in code),
        "class cells": sum("class" in cell.metadata.get("tags", []) for cell in notebook.cells),
        "letters": exercises.letters(notebook),
    }


def main(names: Sequence[str]) -> int:
    kernel.plain_output()
    found = {path.stem: signs(nbformat.read(path, as_version=4)) for path in kernel.find_notebooks(names)}  # type: ignore[no-untyped-call]
    print(pd.DataFrame(found).to_string())
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
