"""Build the site, then test every page of it in a browser: python tasks.py test-site [OPTIONS OF PYTEST ...]"""

import shutil

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def find_browser() -> str | None:
    """The first browser on PATH that Playwright can drive: its path, or None."""
    return next(filter(None, map(shutil.which, NAMES)), None)
