"""Where the browser comes from that the site is tested in, and that there is no way round it."""

import shutil
import subprocess

import pytest

from tools import test_site as tool

DEBIAN, UBUNTU = 'NAME="Debian GNU/Linux"\nID=debian\n', "ID=ubuntu\nID_LIKE=debian\n"


class Machine:
    """Takes the place of PATH and of the shell: what is on the one, and what the other was asked to run."""

    def __init__(self) -> None:
        self.path: list[str] = []
        self.commands: list[list[str]] = []
        self.has_network = True

    def call(self, words: list[str], **_: object) -> int:
        self.commands.append(words)
        if "install" in words and self.has_network:
            self.path.append(words[-1])
        return 0 if self.has_network else 100


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> Machine:
    machine = Machine()
    monkeypatch.setattr(shutil, "which", lambda name: f"/bin/{name}" if name in machine.path else None)
    monkeypatch.setattr(subprocess, "call", machine.call)
    monkeypatch.setattr(tool, "may_install", lambda *_: True)
    return machine


@pytest.mark.parametrize("name", tool.BROWSERS)
def test_a_browser_on_path_is_used(name: str, machine: Machine) -> None:
    machine.path.append(name)
    assert tool.need_browser() == f"/bin/{name}" and machine.commands == []


@pytest.mark.parametrize("root, release, may", [(True, DEBIAN, True), (False, DEBIAN, False), (True, UBUNTU, False)])
def test_only_root_on_debian_installs(root: bool, release: str, may: bool) -> None:
    assert tool.may_install(root, release) is may


def test_what_was_installed_is_used(machine: Machine, capsys: pytest.CaptureFixture[str]) -> None:
    assert tool.need_browser() == "/bin/chromium"
    assert [words[:2] for words in machine.commands] == [["apt-get", "update"], ["apt-get", "install"]]
    assert "apt-get installs" in capsys.readouterr().out


@pytest.mark.parametrize("ci", ["true", ""])
@pytest.mark.parametrize("may", [True, False])
def test_without_a_browser_the_command_fails_and_names_the_remedy(
    ci: str, may: bool, machine: Machine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", ci)
    monkeypatch.setattr(tool, "may_install", lambda *_: may)
    machine.has_network = False
    with pytest.raises(SystemExit) as stop:
        tool.need_browser()
    assert stop.value.code == tool.REMEDY  # a sentence as exit code: Python prints it, and exits with 1
    assert "apt-get install chromium" in tool.REMEDY and bool(machine.commands) is may
