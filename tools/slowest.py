"""A plugin for pytest: write how long the tests took, and the slowest ten, into CONTRIBUTING.md (make test --table)."""

import time
from typing import Any

import pytest

from sdss_lesson.support.files import write_whole
from tools import ROOT

PAGE = ROOT / "CONTRIBUTING.md"
BEGIN, END = "<!-- slowest: python tasks.py test --table -->\n", "<!-- end of slowest -->\n"
BEGUN = time.monotonic()


def table(seconds: dict[str, float], whole: float) -> str:
    """The slowest ten, in Markdown."""
    first = sorted(seconds, key=lambda name: -seconds[name])[:10]
    rows = [f"| `{name.removeprefix('tests/')}` | {seconds[name]:.0f} |" for name in first]
    head = f"{len(seconds):,} tests in {whole / 60:.1f} minutes. The slowest ten:\n\n| test | seconds |\n|---|---:|\n"
    return head + "\n".join(rows) + "\n"


def between(page: str, text: str) -> str:
    """The page with this text between its two marks."""
    before, _, rest = page.partition(BEGIN)
    return before + BEGIN + text + END + rest.partition(END)[2]


@pytest.hookimpl(trylast=True)
def pytest_terminal_summary(terminalreporter: Any) -> None:
    if hasattr(terminalreporter.config, "workerinput"):
        return
    seconds: dict[str, float] = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            if hasattr(report, "duration"):
                name = report.nodeid.partition("@")[0]
                seconds[name] = seconds.get(name, 0.0) + report.duration
    text = table(seconds, time.monotonic() - BEGUN)
    write_whole(PAGE, between(PAGE.read_text("utf-8"), text).encode())
