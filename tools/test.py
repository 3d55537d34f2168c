"""Run every test, then every notebook against its stored outputs: python tasks.py test [OPTIONS OF PYTEST ...]"""

import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from tools import kernel, notebooks

CLEARED = (*notebooks.CLEARED, "SDSS_LESSON_CLAIMS")
NBVAL = ["--nbval", "--nbval-current-env", "--nbval-cell-timeout=120", "-p", "tools.nbval_over_ipc"]
NBVAL += ["-o", "filterwarnings="]
"""The last two because nbval leaves files open: Python may warn of that, and to our own tests a warning is an error."""
COVERAGE = ["--cov", "--cov-report=term-missing:skip-covered"]
"""How much of the package the tests run; some of them alone would run too little. The least is in pyproject.toml."""
NOTHING_TO_TEST = 5
"""pytest's exit code where the options leave no test, as `-k` may do in one of the two runs."""


def main(options: Sequence[str]) -> int:
    pytest = [sys.executable, "-m", "pytest", *options]
    codes = []
    with tempfile.TemporaryDirectory(prefix="sdss-", ignore_cleanup_errors=True) as scratch:
        # A home folder with a long name leaves no room for the name of a socket, and an IPython profile in it must
        # not change what a notebook prints.
        own = {"JUPYTER_RUNTIME_DIR": scratch, "IPYTHONDIR": str(Path(scratch, "ipython"))}
        environment = kernel.quiet_environment(CLEARED, **own)
        for command in ([*pytest, *([] if options else COVERAGE), "tests"], [*pytest, *NBVAL, "notebooks"]):
            code = subprocess.call(command, cwd=kernel.ROOT, env=environment)
            codes.append(0 if options and code == NOTHING_TO_TEST else code)
    return next((code for code in codes if code), 0)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
