"""Run the tests, then every notebook against its stored outputs: python tasks.py test [OPTIONS OF PYTEST ...]

One run of a notebook compares its outputs and tries its exercises. What takes long and guards the machinery runs in
`make test-more`. With --lax, for versions that nobody pinned, the claims judge the notebooks, and a warning is not an
error. With --table, CONTRIBUTING.md gets the slowest ten.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tools import exercises, kernel, notebooks

CLEARED = (*notebooks.CLEARED, "SDSS_LESSON_CLAIMS")
WORKERS = ["-n", str(min(4, os.cpu_count() or 1)), "--dist"]
NBVAL = ["--nbval-current-env", "--nbval-cell-timeout=300", "-p", "tools.nbval_over_ipc"]
WARN = ["-o", "filterwarnings="]
"""For nbval, too: it leaves files open. Python may warn of that, and to our own tests a warning is an error."""
COVERAGE = ["--cov", "--cov-report=term-missing:skip-covered"]
"""How much of the package the tests run; some of them alone would run too little. The least is in pyproject.toml."""
TABLE = ["-p", "tools.slowest"]
NOTHING_TO_TEST = 5
"""pytest's exit code where the options leave no test, as `-k` may do in one of the two runs."""


def main(options: Sequence[str], *, more: bool = False) -> int:
    """Run pytest on the tests, or on those that are marked as more, and on the notebooks; the exit code."""
    lax, timed = "--lax" in options, "--table" in options
    options = [option for option in options if option not in ("--lax", "--table")]
    # The number of workers stands before the reader's options, which may say -n 0.
    pytest = [sys.executable, "-m", "pytest", *WORKERS]
    kind = ["-m", "more"] if more else ["-m", "not more", *([] if options or lax else COVERAGE)]
    codes = []
    with tempfile.TemporaryDirectory(prefix="sdss-", ignore_cleanup_errors=True) as scratch:
        # A home folder with a long name leaves no room for the name of a socket, and an IPython profile in it must
        # not change what a notebook prints.
        own = {"JUPYTER_RUNTIME_DIR": scratch, "IPYTHONDIR": str(Path(scratch, "ipython"))}
        environment = kernel.quiet_environment(CLEARED, **own)
        commands = [[*pytest, "loadgroup", *kind, *(WARN if lax else []), *(TABLE if timed else []), *options, "tests"]]
        if not more:
            tried = Path(scratch, "notebooks")
            tried.mkdir()
            exercises.write(tried)
            # A worker takes a whole notebook. The copies lie elsewhere, so the settings are named.
            here = ["--rootdir", str(kernel.ROOT), "-c", str(kernel.ROOT / "pyproject.toml")]
            nbval = ["--nbval-lax" if lax else "--nbval", *NBVAL, *WARN]
            commands.append([*pytest, "loadfile", *here, *nbval, *options, str(tried)])
        for command in commands:
            code = subprocess.call(command, cwd=kernel.ROOT, env=environment)
            codes.append(0 if options and code == NOTHING_TO_TEST else code)
    return next((code for code in codes if code), 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
