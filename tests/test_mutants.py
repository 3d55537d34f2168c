"""The tool that breaks lines: what it writes for mutmut, and the list of what is known to go unnoticed."""

import ast
from configparser import ConfigParser
from pathlib import Path

import pytest

from tools import mutants


def test_decorated_functions_are_written_plain_and_work_as_before() -> None:
    code = """
def twice(function):
    return lambda *words: 2 * function(*words)

def plus(n):
    return lambda function: lambda *words: n + function(*words)

class Thing:
    @property
    def one(self):
        return 1

    @staticmethod
    def two():
        return 2

@plus(5)
@twice
def three(x):
    return 3 * x
"""
    plain = mutants.undecorate(code)
    assert "@" not in plain
    for text in (code, plain):
        space: dict[str, object] = {}
        exec(text, space)
        assert eval("Thing().one, Thing.two(), three(1)", space) == (1, 2, 11)


@pytest.mark.parametrize("room", mutants.ROOMS)
def test_a_copy_of_the_last_commit_is_made_ready(room: str, tmp_path: Path) -> None:
    (tmp_path / "copy" / "old").mkdir(parents=True)
    mutants.prepare(room, tmp_path / "copy")
    assert not (tmp_path / "copy" / "old").exists()
    settings = ConfigParser()
    settings.read(tmp_path / "copy" / "setup.cfg")
    for name in ("only_mutate", "pytest_add_cli_args_test_selection", "also_copy"):
        listed = settings["mutmut"][name].split()
        assert listed and all((tmp_path / "copy" / each).exists() for each in listed)
    for each in settings["mutmut"]["only_mutate"].split():
        parts = ast.walk(ast.parse((tmp_path / "copy" / each).read_text("utf-8")))
        assert not any(part.decorator_list for part in parts if isinstance(part, ast.FunctionDef))


def test_a_survivor_is_one_line() -> None:
    shown = "# x: survived\n--- a.py\n+++ b.py\n@@ -1 +1 @@\n     same\n-    old\n+    new(\n+        x)\n"
    for name, where in [("x__close__mutmut_12", "_close"), ("xǁReportǁok__mutmut_1", "Report.ok")]:
        line = mutants.as_line(f"sdss_lesson.auditing.rows.{name}", shown)
        assert line == f"auditing.rows.{where}: new( x)"


def test_what_the_list_does_not_name_is_new() -> None:
    listed = [line for line in mutants.KNOWN.read_text("utf-8").split("\n") if line and line[0] not in "#"]
    assert listed and mutants.unknown([*listed, "new"], "\n".join(listed)) == ["new"]
