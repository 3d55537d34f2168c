"""Build the site, then test every page of it in a browser: python tasks.py test-site [OPTIONS OF PYTEST ...]"""

import os
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from tools import ROOT

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
REMEDY = (
    "The site is tested in Chromium or Chrome, and none is on PATH: install one (on Debian: apt-get install chromium), "
    "then run the same command again."
)


def find_browser() -> str | None:
    """The path of the first browser on PATH that Playwright can drive, or None."""
    return next(filter(None, map(shutil.which, BROWSERS)), None)


def may_install(root: bool, os_release: str) -> bool:
    """Whether apt-get may give us Chromium: to root, and on Debian itself, as Ubuntu's package asks for a snap."""
    return root and "ID=debian" in os_release.splitlines()


def need_browser() -> str:
    """The path of a browser, installed where that may be. Without one the command fails, with CI=true as without."""
    release = Path("/etc/os-release")
    root = hasattr(os, "geteuid") and os.geteuid() == 0
    if not find_browser() and may_install(root, release.read_text("utf-8") if release.is_file() else ""):
        print("There is no Chromium on PATH: apt-get installs Debian's.", flush=True)
        environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        for words in (["update", "-q"], ["install", "-q", "-y", "--no-install-recommends", "chromium"]):
            subprocess.call(["apt-get", *words], env=environment)
    return find_browser() or sys.exit(REMEDY)


def main(options: Sequence[str]) -> int:
    # Here, because tests/site asks this file for the browser, too, in an environment without what site needs.
    from tools import site

    need_browser()
    if code := site.main([]):
        return code
    # The tests one folder up need torch, which the site's environment lacks: their conftest.py is left out.
    pytest = [str(site.site_python()), "-m", "pytest", "tests/site", "--confcutdir=tests/site", *options]
    return subprocess.call(pytest, cwd=ROOT)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
