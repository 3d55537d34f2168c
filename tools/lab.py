"""Open JupyterLab on copies of the notebooks that are yours to change: python tasks.py lab [OPTIONS ...]

The options are those of JupyterLab.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from tools import kernel

MINE = kernel.ROOT / "my-notebooks"
SOCKET = "kernel-01234567-89ab-cdef-0123-456789abcdef-ipc-5"


def copy_notebooks(source: Path, mine: Path) -> list[str]:
    """Copy each notebook that is not in `mine` yet, and touch none that is; the names of the new copies.

    The copies have no outputs: an answer in sight spoils the prediction.
    """
    mine.mkdir(exist_ok=True)
    new = []
    for path in kernel.find_notebooks(folder=source):
        if not (mine / path.name).exists():
            kernel.write(kernel.without_outputs(path), mine / path.name)
            new.append(path.name)
    return new


def main(options: Sequence[str]) -> int:
    from jupyter_core.paths import jupyter_runtime_dir
    from jupyterlab.labapp import LabApp  # type: ignore[import-untyped]

    copy_notebooks(kernel.NOTEBOOKS, MINE)
    print(f"Your copies are in {MINE.name}/. For a fresh one, delete yours and run this again.", flush=True)
    os.environ.setdefault("OMP_NUM_THREADS", "1")
    over = [f"--KernelManager.transport={kernel.transport(Path(jupyter_runtime_dir()), len(SOCKET))}"]
    # The root is the project's: from my-notebooks/ alone the links to the glossary would lead nowhere.
    where = [f"--ServerApp.root_dir={kernel.ROOT}", f"--LabApp.default_url=/lab/tree/{MINE.name}/00_start_here.ipynb"]
    LabApp.launch_instance([*where, *over, *options])
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
