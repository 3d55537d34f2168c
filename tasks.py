"""Every command of the project, on every system: python tasks.py COMMAND.

Makes `.venv`, if need be, and hands on to one file in `tools/` for each command. Only the standard library is used,
and nothing above the check of the version may be newer than Python 3.6, so that an old Python can say what it lacks.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036 - an older Python reads this, too
    sys.exit(
        f"Below Random needs Python 3.11 or newer, and this is Python {sys.version_info[0]}.{sys.version_info[1]}. "
        "Name a newer one: python3.11 tasks.py ..., or make PYTHON=python3.11 ..."
    )

import argparse
import hashlib
import os
import shutil
import subprocess
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from tools import torch_index

ROOT = Path(__file__).resolve().parent
EXTRAS = "lab,test,lint,big,sky,launch"
COMMANDS = {
    "lesson": "run the notebooks in order and tick their claims; --data FILE: on your own SDSS export",
    "test": "run the tests, and every notebook against its stored outputs",
    "test-more": "run the tests that take long: Colab's imitation, releases, real rows, other surveys, kills",
    "lab": "open JupyterLab on your own copies of the notebooks, in my-notebooks/",
    "notebooks": "run the notebooks in place, to commit them; NAME ...: only these",
    "lint": "ruff and mypy",
    "claims": "run all notebooks for --seeds N on easy and harder rows: which claims hold? --data FILE: there, too",
    "mixtures": "fit the mixtures that the sample is drawn from; needs --data FILE",
    "sample": "draw the shipped sample from the mixtures again",
    "quality": "measure how good the sample is; needs --data FILE",
    "animation": "draw the moving saw-tooth of notebook 01, and its still, into docs/",
    "signs": "how the notebooks read: words, sentences, letters, checks in sight; NAME ...: only these",
    "bench": "measure how fast the package is, side by side with others, into docs/bench.md",
    "site": "build the site out of the notebooks and docs/, into build/site/",
    "test-site": "build the site, and test it in a browser",
    "address": "write the repository's address everywhere; NEW: OWNER/NAME",
    "release": "write VERSION everywhere; when that is committed, build and check what is to be uploaded",
}
TAKE_DATA, NEED_DATA = {"lesson", "claims"}, {"mixtures", "quality"}


def run(*command: object) -> None:
    """Run a command of the set-up, and stop when it fails."""
    if subprocess.call([str(part) for part in command], cwd=ROOT) != 0:
        sys.exit("The set-up stopped: see the message above. When that is mended, run the same command again.")


def ask(*command: object) -> str:
    """What a command prints."""
    return subprocess.run([str(part) for part in command], cwd=ROOT, capture_output=True, text=True, check=False).stdout


def hand_on(python: Path, command: str, words: Sequence[str]) -> int:
    """Run the file in `tools/` that does the work, and wait for it."""
    env = {**os.environ, "PYTHONUTF8": "1"}  # or a tick mark is an error on some consoles
    if os.environ.get("SDSS_LESSON_CSV"):  # it counts from the caller's folder, too
        env["SDSS_LESSON_CSV"] = str(Path(os.environ["SDSS_LESSON_CSV"]).expanduser().absolute())
    process = subprocess.Popen([str(python), "-m", "tools." + command.replace("-", "_"), *words], cwd=ROOT, env=env)
    while True:
        with suppress(KeyboardInterrupt):  # the tool was interrupted, too; it may ask or tidy up first
            return process.wait()


def stamp_of(root: Path) -> list[str]:
    """What `.venv` was made from: its place (moved, it would still point there), the Python, and what was asked for."""
    asked = EXTRAS.encode() + (root / "pyproject.toml").read_bytes() + (root / "constraints.txt").read_bytes()
    return [str(root / ".venv"), "Python {}.{}".format(*sys.version_info), hashlib.sha256(asked).hexdigest()]


def set_up(root: Path) -> Path:
    """Make `.venv`, or bring it up to date; the path of its Python. A stamp says that it is ours, and how far."""
    venv, wanted = root / ".venv", stamp_of(root)
    python = venv / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    stamp = venv / "below-random.txt"
    found = stamp.read_text("utf-8").splitlines() if stamp.is_file() and python.exists() else []
    if found == wanted:
        return python
    if found[:2] == wanted[:2]:
        print("Set-up: pyproject.toml or constraints.txt changed, so .venv is brought up to date.", flush=True)
        stamp.write_text("half made", "utf-8")
    else:
        if venv.exists() and not stamp.exists():
            sys.exit("Set-up: this .venv is not ours, so it stays. Move it away, and run the same command again.")
        again = "makes .venv again (it was moved, half made, or made by another Python)"
        print(f"Set-up: {again if venv.exists() else 'makes .venv'}. This takes a few minutes.", flush=True)
        if venv.exists():
            shutil.rmtree(venv)
        venv.mkdir()
        stamp.write_text("half made", "utf-8")
        run(getattr(sys, "_base_executable", sys.executable), "-m", "venv", venv)  # it may lie in what was removed
    pip = [python, "-m", "pip", "--disable-pip-version-check"]
    install = [*pip, "install", "-q", "-c", root / "constraints.txt"]
    version = ask(python, "-c", "from importlib.metadata import version; print(version('torch'))").partition("+")[0]
    installed = "torch==" + version.strip() in (root / "constraints.txt").read_text("utf-8").splitlines()
    index, why = torch_index.decide_here(ask(*pip, "config", "list"), installed)
    print(f"Set-up: torch comes from {index or 'where pip is set up to look'}: {why}.", flush=True)
    if index:
        run(*install, "--no-deps", "--index-url", index, "torch")
    run(*install, "-e", f"{root}[{EXTRAS}]")
    stamp.write_text("\n".join(wanted), "utf-8")
    return python


def main(words: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(usage="python tasks.py COMMAND [--data FILE] ...", allow_abbrev=False)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.description = "\n".join(f"  {name:<10} {what}" for name, what in COMMANDS.items())
    parser.add_argument("command", nargs="?", help=argparse.SUPPRESS)
    parser.add_argument("--data", metavar="FILE", help="a CSV file as SkyServer exports it")
    given, rest = parser.parse_known_args(words)
    command, needed = given.command, given.command in NEED_DATA
    if command is None:
        parser.print_help()
        return 0
    if command not in COMMANDS:
        print(f"There is no command {command!r}. These there are:\n{parser.description}", file=sys.stderr)
        return 2
    if given.data is None and needed:
        print(f"{command} needs an SDSS export: --data FILE, or make {command} DATA=FILE", file=sys.stderr)
        return 2
    if given.data is not None:
        if not needed and command not in TAKE_DATA:
            print(f"{command} takes no --data.", file=sys.stderr)
            return 2
        data = Path(given.data).expanduser().resolve()  # against the caller's folder, before we leave it
        if not data.is_file():
            print(f"There is no file {data}. Check what you gave as --data or DATA=.", file=sys.stderr)
            return 2
        rest = [str(data), *rest] if needed else ["--data", str(data), *rest]
    try:
        return hand_on(set_up(ROOT), command, rest)
    except KeyboardInterrupt:
        return 130
    except OSError as error:
        print(f"{command} could not be run: {error}. Is .venv in use? Close what uses it.", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
