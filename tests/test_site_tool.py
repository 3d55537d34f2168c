"""Where the browser comes from that the site is tested in, and that there is no way round it."""

import subprocess
from pathlib import Path

import pytest

from tools import test_site as tool

DEBIAN, UBUNTU = 'NAME="Debian GNU/Linux"\nID=debian\n', "ID=ubuntu\nID_LIKE=debian\n"


@pytest.fixture
def called(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """An empty PATH, and what would have been run."""
    commands: list[list[str]] = []
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(subprocess, "call", lambda words, **_: commands.append(words) or 100)
    return commands


def put_on_path(folder: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> str:
    path = folder / name
    path.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(folder))
    monkeypatch.setenv("PATHEXT", "")
    return str(path)


@pytest.mark.parametrize("name", tool.BROWSERS)
def test_a_browser_on_path_is_used(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, called: list[list[str]]
) -> None:
    path = put_on_path(tmp_path, monkeypatch, name)
    assert tool.need_browser() == path and called == []


@pytest.mark.parametrize("root, release, may", [(True, DEBIAN, True), (False, DEBIAN, False), (True, UBUNTU, False)])
def test_only_root_on_debian_installs(root: bool, release: str, may: bool) -> None:
    assert tool.may_install(root, release) is may


def test_what_was_installed_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, called: list[list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tool, "may_install", lambda *_: True)
    monkeypatch.setattr(
        subprocess, "call", lambda words, **_: called.append(words) or put_on_path(tmp_path, monkeypatch, "chromium")
    )
    assert tool.need_browser() == str(tmp_path / "chromium")
    assert [words[:2] for words in called] == [["apt-get", "update"], ["apt-get", "install"]]
    assert called[1][-1] == "chromium" and "apt-get" in capsys.readouterr().out


@pytest.mark.parametrize("ci", ["true", ""])
@pytest.mark.parametrize("may", [True, False])
def test_without_a_browser_the_command_fails_and_names_the_remedy(
    ci: str, may: bool, monkeypatch: pytest.MonkeyPatch, called: list[list[str]]
) -> None:
    monkeypatch.setenv("CI", ci)
    monkeypatch.setattr(tool, "may_install", lambda *_: may)
    with pytest.raises(SystemExit) as stop:
        tool.need_browser()
    assert stop.value.code == tool.REMEDY  # a sentence as exit code: Python prints it, and exits with 1
    assert "apt-get install chromium" in tool.REMEDY and len(called) == 2 * may
