"""Look the code over: python tasks.py lint"""

import subprocess
import sys

from tools import ROOT

CHECKS = [["ruff", "check"], ["ruff", "format", "--check"], ["mypy"]]


def main() -> int:
    failed = 0
    for check in CHECKS:  # all of them, so that one round of mending is enough
        print(f"{' '.join(check)}:", flush=True)
        failed += subprocess.call([sys.executable, "-m", *check], cwd=ROOT) != 0
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
