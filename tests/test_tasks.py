"""The one script that every command goes through, and where it takes torch from."""

import ast
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import tasks
from tools import torch_index

ROOT = Path(__file__).resolve().parents[1]
TASKS = ROOT / "tasks.py"


class Shell:
    """Takes the place of the shell: notes each command of the set-up, and makes a venv that is two empty files."""

    def __init__(self) -> None:
        self.commands: list[list[str]] = []
        self.torch = ""
        self.fail = False

    def run(self, *command: object) -> None:
        words = [str(word) for word in command]
        self.commands.append(words)
        if "venv" in words:
            python = Path(words[-1], "Scripts/python.exe" if os.name == "nt" else "bin/python")
            python.parent.mkdir(parents=True)
            python.touch()
        elif self.fail:
            raise SystemExit("pip was interrupted")

    def ask(self, *command: object) -> str:
        return self.torch if "-c" in command else ""

    def venvs_made(self) -> int:
        return sum("venv" in words for words in self.commands)


@pytest.fixture
def shell(monkeypatch: pytest.MonkeyPatch) -> Shell:
    stand_in = Shell()
    monkeypatch.setattr(tasks, "run", stand_in.run)
    monkeypatch.setattr(tasks, "ask", stand_in.ask)
    monkeypatch.setattr(torch_index, "decide_here", lambda *_: (None, "a test"))
    return stand_in


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "a project"
    folder.mkdir()
    for name in ("pyproject.toml", "constraints.txt"):
        shutil.copyfile(ROOT / name, folder / name)
    return folder


def test_nothing_is_done_when_nothing_changed(project: Path, shell: Shell) -> None:
    python = tasks.set_up(project)
    assert python.exists() and shell.venvs_made() == 1
    shell.commands.clear()
    assert tasks.set_up(project) == python
    assert shell.commands == []


def test_a_moved_folder_is_set_up_again(project: Path, shell: Shell) -> None:
    tasks.set_up(project)
    moved = project.rename(project.with_name("elsewhere"))
    (moved / ".venv" / "old").touch()
    shell.commands.clear()
    tasks.set_up(moved)
    assert shell.venvs_made() == 1 and not (moved / ".venv" / "old").exists()


def test_a_half_made_venv_is_made_again(project: Path, shell: Shell) -> None:
    shell.fail = True
    with pytest.raises(SystemExit):
        tasks.set_up(project)
    shell.fail = False
    tasks.set_up(project)
    assert shell.venvs_made() == 2
    (project / "constraints.txt").write_text("torch==2.13.0\n")
    shell.fail = True  # an update that stops half-way leaves half a venv as well
    with pytest.raises(SystemExit):
        tasks.set_up(project)
    shell.fail = False
    tasks.set_up(project)
    assert shell.venvs_made() == 3


def test_a_venv_without_its_python_is_made_again(project: Path, shell: Shell) -> None:
    tasks.set_up(project).unlink()
    tasks.set_up(project)
    assert shell.venvs_made() == 2


def test_a_venv_of_somebody_else_stays(project: Path, shell: Shell) -> None:
    (project / ".venv").mkdir()
    (project / ".venv" / "theirs").touch()
    with pytest.raises(SystemExit, match=r"this \.venv is not ours.*Move it away"):
        tasks.set_up(project)
    assert (project / ".venv" / "theirs").exists() and shell.commands == []


def test_another_python_gets_a_venv_of_its_own(project: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    tasks.set_up(project)
    monkeypatch.setattr(sys, "version_info", (3, 99, 0, "final", 0))
    tasks.set_up(project)
    assert shell.venvs_made() == 2


@pytest.mark.parametrize("name", ["pyproject.toml", "constraints.txt"])
def test_what_is_asked_for_changed_so_pip_runs_in_the_same_venv(project: Path, shell: Shell, name: str) -> None:
    tasks.set_up(project)
    shell.commands.clear()
    with (project / name).open("a") as file:
        file.write("\n# changed\n")
    tasks.set_up(project)
    assert shell.venvs_made() == 0 and any("install" in words for words in shell.commands)


def test_torch_alone_comes_from_the_index(project: Path, shell: Shell, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def decide_here(pip_config: str, installed: bool) -> tuple[str, str]:
        seen.append(installed)
        return "INDEX", "a test"

    monkeypatch.setattr(torch_index, "decide_here", decide_here)
    tasks.set_up(project)
    _, torch, rest = shell.commands
    assert torch[-4:] == ["--no-deps", "--index-url", "INDEX", "torch"]
    assert "INDEX" not in rest and rest[-2:] == ["-e", f"{project}[{tasks.EXTRAS}]"]
    for shell.torch in ("2.13.0+cpu\n", "2.12.0+cpu\n"):  # the pinned version, another one
        (project / "constraints.txt").write_text(f"torch==2.13.0\n# {shell.torch}")
        tasks.set_up(project)
    assert seen == [False, True, False]


HERE = {"system": "Linux", "machine": "x86_64", "nvidia": False, "installed": False, "own": [], "torch_index": None}


@pytest.mark.parametrize(
    ("facts", "index", "why"),
    [
        ({}, torch_index.CPU_INDEX, "gigabytes"),
        ({"machine": "aarch64"}, torch_index.CPU_INDEX, "gigabytes"),
        ({"torch_index": "INDEX"}, "INDEX", "TORCH_INDEX"),
        ({"torch_index": ""}, None, "TORCH_INDEX"),
        ({"installed": True}, None, "installed"),
        ({"nvidia": True}, None, "nvidia-smi"),
        ({"own": ["find-links"]}, None, "find-links"),
        ({"own": ["find-links"], "torch_index": "INDEX"}, None, "find-links"),
        ({"system": "Darwin", "machine": "arm64"}, None, "Darwin arm64"),
        ({"system": "Windows", "machine": "AMD64"}, None, "Windows"),
    ],
)
def test_where_torch_comes_from(facts: dict[str, object], index: str | None, why: str) -> None:
    decided, reason = torch_index.decide(**(HERE | facts))
    assert decided == index
    assert why in reason


@pytest.mark.parametrize(
    ("printed", "own"),
    [
        ("", []),
        ("global.cert='/a/b.crt'\n:env:.disable-pip-version-check='1'", []),
        (":env:.find-links='/wheels'", ["find-links"]),
        (":env:.find-links=''", []),
        ("global.extra-index-url='x y'\ninstall.no-index='true'", ["extra-index-url", "no-index"]),
        ("user.index_url=z\nglobal.index-url=z", ["index-url"]),
    ],
)
def test_settings_of_pip_are_seen(printed: str, own: list[str]) -> None:
    assert torch_index.own_settings(printed) == own


@pytest.mark.parametrize("name", ["PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PIP_FIND_LINKS", "PIP_NO_INDEX"])
def test_pip_lists_settings_from_the_environment(name: str, tmp_path: Path) -> None:
    environment = {"PATH": os.defpath, "PIP_CONFIG_FILE": os.devnull, name: "1", "HOME": str(tmp_path)}
    done = subprocess.run(
        [sys.executable, "-m", "pip", "config", "list"], env=environment, capture_output=True, text=True, check=True
    )
    assert torch_index.own_settings(done.stdout) == [name.removeprefix("PIP_").lower().replace("_", "-")]


def test_an_old_python_reads_which_one_it_takes() -> None:
    source = TASKS.read_text("utf-8")
    ast.parse(source, feature_version=(3, 6))  # or it stops at the syntax, before it can say anything
    pretend = (
        "import sys; sys.version_info = (3, 8, 0, 'final', 0); exec(compile(open(sys.argv[1]).read(), 'x', 'exec'))"
    )
    done = subprocess.run([sys.executable, "-c", pretend, str(TASKS)], capture_output=True, text=True, check=False)
    asked = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["requires-python"]
    assert done.returncode == 1
    assert f"needs Python {asked.removeprefix('>=')} or newer" in done.stderr and "3.8" in done.stderr
    assert done.stderr.count("\n") == 1


@pytest.fixture
def handed(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """What `main` hands on, where there is nothing to set up."""
    calls: list[list[str]] = []
    monkeypatch.setattr(tasks, "set_up", lambda root: Path("python"))
    monkeypatch.setattr(tasks, "hand_on", lambda python, command, words: calls.append([command, *words]) or 0)
    return calls


def test_data_is_looked_for_in_the_callers_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, handed: list[list[str]]
) -> None:
    file = tmp_path / "my rows.csv"
    file.touch()
    (tmp_path / "inside").mkdir()
    monkeypatch.chdir(tmp_path / "inside")
    assert tasks.main(["lesson", "--data", "../my rows.csv", "00_start_here"]) == 0
    assert tasks.main(["mixtures", "--data=../my rows.csv"]) == 0
    assert handed == [["lesson", "--data", str(file), "00_start_here"], ["mixtures", str(file)]]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["lesson", "--data", "no such.csv"], "There is no file"),
        (["lesson", "--data", "."], "There is no file"),
        (["mixtures"], "--data FILE"),
        (["lint", "--data", "x.csv"], "takes no --data"),
    ],
)
def test_bad_data_stops_before_any_set_up(
    words: list[str], said: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(tasks, "set_up", lambda root: pytest.fail("the set-up began"))
    assert tasks.main(words) == 2
    printed = capsys.readouterr()
    assert said in printed.err and printed.err.count("\n") == 1 and not printed.out


def test_an_unknown_command_reads_which_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert tasks.main(["lessons"]) == 2
    printed = capsys.readouterr().err
    assert "'lessons'" in printed and all(command in printed for command in tasks.COMMANDS)


def test_a_file_named_in_the_environment_counts_from_the_callers_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: dict[str, str] = {}

    class Process:
        def __init__(self, command: list[str], *, cwd: Path, env: dict[str, str]) -> None:
            seen.update(env)

        def wait(self) -> int:
            return 0

    monkeypatch.setattr(tasks.subprocess, "Popen", Process)
    monkeypatch.setenv("SDSS_LESSON_CSV", "mine.csv")
    monkeypatch.chdir(tmp_path)
    assert tasks.hand_on(Path("python"), "lesson", []) == 0
    assert seen["SDSS_LESSON_CSV"] == str(tmp_path / "mine.csv")


def test_options_are_handed_on(handed: list[list[str]]) -> None:
    words = ["test", "-k", "law", "-x", "--dat=1"]
    tasks.main(words)
    assert handed == [words]


def test_every_command_has_a_file_and_a_make_target() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for command in tasks.COMMANDS:
        assert (ROOT / "tools" / f"{command.replace('-', '_')}.py").is_file()
        assert re.search(rf"^([a-z-]+ )*{command}( [a-z-]+)*:", makefile, re.MULTILINE), command
    assert len(TASKS.read_text("utf-8").splitlines()) < 150


@pytest.mark.skipif(shutil.which("make") is None, reason="There is no make here.")
@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ([], []),
        (["lesson"], ["lesson"]),
        (["lesson", "DATA=../my 'own' rows.csv"], ["lesson", "--data", "../my 'own' rows.csv"]),
        (["mixtures", "DATA=x.csv"], ["mixtures", "--data", "x.csv"]),
        (["address", "ADDRESS=me/it"], ["address", "me/it"]),
        (["release", "VERSION=1.2.3"], ["release", "1.2.3"]),
    ],
)
def test_make_only_calls_the_script(asked: list[str], words: list[str], tmp_path: Path) -> None:
    (tmp_path / "tasks.py").write_text("import json, sys; print(json.dumps(sys.argv[1:]))")
    shutil.copyfile(ROOT / "Makefile", tmp_path / "Makefile")
    environment = {key: value for key, value in os.environ.items() if key not in {"DATA", "ADDRESS", "VERSION"}}
    environment = {key: value for key, value in environment.items() if "MAKE" not in key and key != "MFLAGS"}
    done = subprocess.run(
        ["make", f"PYTHON={sys.executable}", *asked],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(done.stdout) == words
