"""Run notebooks, each in a fresh kernel of the Python that runs this file. `lesson`, `notebooks`, `claims` share it."""

import argparse
import asyncio
import io
import json
import os
import re
import shutil
import signal
import sys
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nbformat
import psutil
from ipykernel.kernelspec import get_kernel_dict
from jupyter_client.kernelspec import KernelSpec, KernelSpecManager
from jupyter_client.manager import AsyncKernelManager
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError

from sdss_lesson.support.files import write_whole
from tools import ROOT as ROOT

NOTEBOOKS = ROOT / "notebooks"
CELL_TIMEOUT = 600
"""Seconds. No cell comes near it; it only ends a run that hangs."""
ANSI = re.compile(r"\x1b\[[0-9;]*m")


def find_notebooks(names: Sequence[str] = (), folder: Path | None = None) -> list[Path]:
    """The notebooks in order, or those of them that are named, with or without folder and suffix."""
    folder = folder or NOTEBOOKS
    found = {path.stem: path for path in sorted(folder.glob("*.ipynb"))}
    if not found:
        sys.exit(f"There are no notebooks in {folder}. Get them back from git.")
    unknown = [name for name in names if Path(name).stem not in found]
    if unknown:
        sys.exit(f"There is no notebook {unknown[0]!r}. These there are: {', '.join(found)}")
    wanted = {Path(name).stem for name in names} or set(found)
    return [path for stem, path in found.items() if stem in wanted]


def arguments(command: str, purpose: str) -> argparse.ArgumentParser:
    """What the commands that run notebooks on some rows understand."""
    parser = argparse.ArgumentParser(prog=f"python tasks.py {command}", description=purpose)
    parser.add_argument("--data", metavar="FILE", help="an SDSS export to run them on")
    parser.add_argument("names", nargs="*", metavar="NOTEBOOK", help="only these")
    return parser


def transport(folder: Path, longest_name: int = 20) -> str:
    """How to speak to a kernel whose sockets lie in `folder`: over ipc, where the system has it.

    ipykernel 7 warns of TCP in alarming words. The whole path of a socket may have about a hundred letters.
    """
    return "ipc" if os.name != "nt" and len(os.fsencode(folder)) + longest_name < 100 else "tcp"


def plain_output() -> None:
    """Print what a console cannot show as a question mark, rather than stop."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")


def quiet_environment(clear: Sequence[str] = (), **extra: str) -> dict[str, str]:
    """The environment that every kernel of ours starts with: the caller's, without `clear`, and with `extra`.

    Small networks train several times slower when threads contend for a core, so there is one, unless the caller says
    otherwise. `MPLBACKEND` would keep figures out of the notebook.
    """
    kept = {name: value for name, value in os.environ.items() if name not in {*clear, "MPLBACKEND"}}
    return {"OMP_NUM_THREADS": "1", **kept, "SDSS_LESSON_QUIET": "1", **extra}


class ThisPython(KernelSpecManager):
    """Knows one kernel: this very Python, whatever a user has installed under the name "python3"."""

    def get_kernel_spec(self, kernel_name: str) -> KernelSpec:
        return KernelSpec(**get_kernel_dict())


class PeakMemory:
    """The most memory, in bytes, that all processes below this one held at a time while the block ran."""

    def __init__(self) -> None:
        self.bytes = 0
        self._done = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)

    def _watch(self) -> None:
        this = psutil.Process()
        while not self._done.wait(0.1):
            held = 0
            for process in this.children(recursive=True):
                with suppress(psutil.Error):  # it has just ended
                    held += process.memory_info().rss
            self.bytes = max(self.bytes, held)

    def __enter__(self) -> "PeakMemory":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()


@dataclass
class Run:
    """What came of one run of a notebook."""

    name: str
    notebook: nbformat.NotebookNode
    seconds: float
    peak: int
    error: str | None
    """None, or which cell stopped it and with what."""
    claims: list[dict[str, Any]] = field(default_factory=list)
    """As `sdss_lesson.claim` records them; empty when no file was named."""

    def texts(self, outcome: str) -> list[str]:
        return [entry["text"] for entry in self.claims if entry["outcome"] == outcome]


def stop(scratch: str) -> None:
    """End at once, kernel and all. It is what Ctrl-C does here: nbclient would go on without a kernel and trip."""
    for process in psutil.Process().children(recursive=True):
        process.kill()
    shutil.rmtree(scratch, ignore_errors=True)
    print("\nInterrupted.", flush=True)
    os._exit(130)


def without_outputs(path: Path) -> nbformat.NotebookNode:
    """The notebook at `path` as if nobody had run it yet."""
    notebook = nbformat.read(path, as_version=4)  # type: ignore[no-untyped-call]
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    return notebook


def write(notebook: nbformat.NotebookNode, path: Path) -> None:
    """Store a notebook, in one step."""
    text = nbformat.writes(notebook)  # type: ignore[no-untyped-call]
    write_whole(path, text.rstrip("\n").encode() + b"\n")


def unwritable(error: OSError) -> str:
    """Why nothing could be stored, and what helps."""
    return f"{error}. Make room on the disk, or mend the rights to that folder"


def run(path: Path, environment: Mapping[str, str], folder: Path, *, record: bool) -> Run:
    """Run the notebook at `path` in `folder`. With `record`, its claims are recorded and do not stop it."""
    notebook = without_outputs(path)  # or a run that stops half-way would keep old ones below
    environment = {**environment, "SDSS_LESSON_NOTEBOOK": path.stem}
    environment.pop("SDSS_LESSON_CLAIMS", None)
    begin, reached, error = time.perf_counter(), [0], None
    with tempfile.TemporaryDirectory(prefix="sdss-", ignore_cleanup_errors=True) as scratch:
        # A start-up file in the user's IPython profile must not change what a notebook prints.
        environment["IPYTHONDIR"] = str(Path(scratch, "ipython"))
        claims = Path(scratch, "claims.jsonl")
        if record:
            environment["SDSS_LESSON_CLAIMS"] = str(claims)

        def listen(**_: object) -> None:
            with suppress(NotImplementedError):  # Windows: there Ctrl-C is a KeyboardInterrupt
                asyncio.get_running_loop().add_signal_handler(signal.SIGINT, stop, scratch)

        manager = AsyncKernelManager(
            kernel_spec_manager=ThisPython(),
            connection_file=str(Path(scratch, "k.json")),
            transport=transport(Path(scratch)),
        )
        client = NotebookClient(
            notebook,
            km=manager,
            resources={"metadata": {"path": str(folder)}},
            timeout=CELL_TIMEOUT,
            coalesce_streams=True,
            on_notebook_start=listen,
            on_cell_start=lambda cell, cell_index: reached.append(cell_index),
        )
        with PeakMemory() as memory:
            try:
                client.execute(env=environment, cleanup_kc=True)
            except CellExecutionError as raised:
                error = f"with {raised.ename}: {raised.evalue}"
            except CellTimeoutError:
                error = f"because it ran for more than {CELL_TIMEOUT} seconds"
            except RuntimeError:  # nbclient's, of a kernel that has died, or jupyter_client's, of one that never came
                error = "because the kernel died, perhaps for want of memory"
                client.km = manager  # nbclient, at exit, trips where it has none any more
            except KeyboardInterrupt:
                stop(scratch)
        recorded = claims.read_text("utf-8").splitlines() if claims.exists() else []
    if error:
        number = reached[-1]
        lines = [line for line in notebook.cells[number].source.splitlines() if line and not line.startswith("#")]
        where = f"cell {number + 1} ({(lines or [''])[0]}) stopped" if len(reached) > 1 else "it did not start"
        error = f"{where} {ANSI.sub('', error)}"
    seconds = time.perf_counter() - begin
    return Run(path.stem, notebook, seconds, memory.bytes, error, [json.loads(line) for line in recorded])
