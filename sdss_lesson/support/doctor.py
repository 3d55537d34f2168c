"""What is installed, which data is used, and whether the notebooks can run here: python -m sdss_lesson doctor.

Where the package itself cannot be imported, this file runs alone: python sdss_lesson/support/doctor.py
"""

import hashlib
import json
import os
import platform
import re
import shutil
import sys
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import suppress
from importlib import import_module, metadata
from pathlib import Path

SAMPLE_SHA256 = "4ecffba088aa15d9ae7dbe98aa081fa2344c9efd2c1895b6913e1f170bd117b4"
"""The checksum of the shipped sample."""

NEEDED = {
    "numpy": "numpy",
    "pandas": "pandas",
    "scipy": "scipy",
    "scikit-learn": "sklearn",
    "matplotlib": "matplotlib",
    "torch": "torch",
    "tqdm": "tqdm",
    "ipykernel": "ipykernel",
    "nbclient": "nbclient",
}
"""What the notebooks need, by its name for pip, and how it is imported."""

EXTRA = {
    "jupyterlab": ("jupyterlab", "only make lab needs it"),
    "torchmetrics": ("torchmetrics", "only 02 and 07 need it"),
    "psutil": ("psutil", "only make lesson needs it"),
    "pyarrow": ("pyarrow", "only catalogues in Parquet need it"),
    "astroquery": ("astroquery.sdss", "only fetch needs it"),
}
"""What some commands need besides."""

MEMORY, MOST_MEMORY = 1e9, 2e9
"""Bytes that a notebook may take at its peak, and notebook 07."""

OK, WRONG, NOT_HERE = "ok", "WRONG", "-"
Line = tuple[str, str, str]


def examine() -> tuple[bool, str]:
    """Whether nothing is wrong, and a table in Markdown that names no folder and no person.

    Each line holds a mark (``ok``, ``WRONG``, or ``-`` for what is not needed), what was looked at, and what was found,
    with the remedy where something is wrong.
    """
    lines: list[Line] = [("", "what", "found"), ("---", "---", "---")]
    for look in (_python, _packages, _data, _sample, _kernel, _memory, _folder):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                lines += look()
        except Exception as error:
            lines.append((WRONG, look.__name__.strip("_"), f"could not be examined: {_why(error)}"))
    lines = [(mark, what, _nameless(found)) for mark, what, found in lines]
    width, wider = (max(len(line[column]) for line in lines) for column in (0, 1))
    text = "\n".join(f"| {mark:<{width}} | {what:<{wider}} | {found} |" for mark, what, found in lines)
    wrong = sum(mark == WRONG for mark, _, _ in lines)
    many = f"{wrong} lines are marked WRONG; each says what to do."
    last = ["Nothing is wrong.", "1 line is marked WRONG; it says what to do."][wrong] if wrong < 2 else many
    return not wrong, f"{text}\n\n{last}"


def _python() -> Iterator[Line]:
    venv = _venv()
    if (venv.parent / "tasks.py").is_file() and venv.is_dir() and Path(sys.prefix).resolve() != venv.resolve():
        python = r".venv\Scripts\python" if os.name == "nt" else ".venv/bin/python"
        text = f"{platform.python_version()}, not that of .venv: run {python} -m sdss_lesson doctor"
        yield WRONG, "Python", text
        return
    where = "in an environment of its own" if sys.prefix != sys.base_prefix else "the system's or conda's"
    yield OK, "Python", f"{platform.python_version()}, {where}"
    yield OK, "system", platform.platform(terse=True)


def _venv() -> Path:
    """Where make lesson puts it in a checkout."""
    return Path(__file__).resolve().parents[2] / ".venv"


def _packages() -> Iterator[Line]:
    yield _package("sdss-lesson", "sdss_lesson", mend="see the other lines")
    for name, module in NEEDED.items():
        yield _package(name, module)
    for name, (module, use) in EXTRA.items():
        yield _package(name, module, use)


def _package(name: str, module: str, use: str = "", mend: str = "install it again, or delete .venv") -> Line:
    version = ""
    with suppress(metadata.PackageNotFoundError):
        version = metadata.version(name)
    try:
        found = import_module(module)
    except ModuleNotFoundError as error:
        if not version and error.name in (module, module.partition(".")[0], None):
            missing = f"not installed: pip install {name}"
            return (NOT_HERE, name, f"{missing} ({use})") if use else (WRONG, name, missing)
        return WRONG, name, f"{version} cannot be imported ({_why(error)}): {mend}"
    except (Exception, SystemExit) as error:
        return WRONG, name, f"{version} cannot be imported ({_why(error)}): {mend}"
    return OK, name, version or str(getattr(found, "__version__", "not installed, but found"))


def _data() -> Iterator[Line]:
    named = os.environ.get("SDSS_LESSON_CSV")
    file = Path(named).expanduser() if named else _sample_file()
    source = f"{file.name} (SDSS_LESSON_CSV)" if named else f"{file.name}, the shipped sample"
    try:
        from sdss_lesson.catalog import load_sdss

        with warnings.catch_warnings(record=True) as notes:
            warnings.simplefilter("always")
            rows = len(load_sdss())
    except Exception as error:
        why = _why(error).replace(str(file), file.name)
        yield WRONG, "data", f"{source}: {why}" + (" Or unset SDSS_LESSON_CSV." if named else "")
        return
    checksum = hashlib.sha256(file.read_bytes()).hexdigest()
    yield OK, "data", f"{source}: {rows} rows, SHA-256 {checksum[:12]}"
    for note in notes:
        yield OK, "data, note", str(note.message).replace(str(file), file.name)
    side = file.with_name(file.name + ".json")
    if side.exists():
        again = f"python -m sdss_lesson fetch --out {file.name}, in its folder"
        try:
            facts = json.loads(side.read_text("utf-8"))
            same = facts["sha256"] == checksum
            origin = f"SDSS Data Release {facts['release']}, seed {facts['seed']}, {facts['time']}"
        except (OSError, ValueError, KeyError, TypeError):
            yield WRONG, "data, origin", f"{side.name} cannot be read: {again}"
        else:
            changed = f"{file.name} is not the file that {side.name} speaks of: {again}"
            yield (OK, "data, origin", origin) if same else (WRONG, "data, origin", changed)


def _sample() -> Iterator[Line]:
    file = _sample_file()
    mend = f"git checkout data/{file.name}, or install the package again"
    if not file.is_file():
        yield WRONG, "sample", f"{file.name} is missing: {mend}"
    elif hashlib.sha256(file.read_bytes()).hexdigest() != SAMPLE_SHA256:
        yield WRONG, "sample", f"{file.name} was changed: {mend}"
    else:
        yield OK, "sample", f"{file.name} is intact, SHA-256 {SAMPLE_SHA256[:12]}"


def _sample_file() -> Path:
    """Beside the package in a checkout, inside it where it is installed."""
    here = Path(__file__).resolve().parents[1]
    installed = here / "_data" / "sdss_sample.csv"
    return installed if installed.exists() else here.parent / "data" / "sdss_sample.csv"


def _kernel() -> Iterator[Line]:
    mend = "python -m ipykernel install --sys-prefix"
    try:
        from jupyter_client.kernelspec import KernelSpecManager

        python = Path(KernelSpecManager().get_kernel_spec("python3").argv[0])
    except Exception as error:
        yield WRONG, "kernel", f"no kernel python3 ({_why(error)}): pip install ipykernel, then {mend}"
        return
    # A bare name means: the Python that Jupyter runs under.
    if python.is_absolute() and not shutil.which(python):
        yield WRONG, "kernel", f"python3 starts a Python that is gone: {mend}"
    elif python.is_absolute() and python.parent != Path(sys.executable).parent:
        yield WRONG, "kernel", f"python3 starts another Python than this one: {mend}"
    else:
        yield OK, "kernel", "python3 starts this Python"


def _memory() -> Iterator[Line]:
    try:
        import psutil

        free = psutil.virtual_memory().available
    except Exception:
        most = f"a notebook takes up to {MEMORY / 1e9:g} GB, 07 up to {MOST_MEMORY / 1e9:g}"
        yield NOT_HERE, "memory", f"psutil could not tell; {most}"
        return
    text = f"{free / 1e9:.1f} GB free"
    little = f"{text}, and a notebook takes up to {MEMORY / 1e9:g} GB: close other programs and kernels"
    if free < MOST_MEMORY:
        text += f": enough for every notebook but 07, which takes up to {MOST_MEMORY / 1e9:g} GB"
    yield (OK, "memory", text) if free >= MEMORY else (WRONG, "memory", little)


def _folder() -> Iterator[Line]:
    try:
        with tempfile.TemporaryFile(dir="."):
            yield OK, "folder", "this one can be written to"
    except OSError as error:
        yield WRONG, "folder", f"this one cannot be written to ({error.strerror}): work in a folder of your own"


def _why(error: BaseException) -> str:
    return f"{type(error).__name__}: {error}" if not isinstance(error, ValueError) else str(error)


def _nameless(text: str) -> str:
    """On one line, fit for a table, and with no folder of a person in it."""
    folders: list[tuple[Callable[[], Path], str]] = [(Path.cwd, "."), (Path.home, "~")]
    for folder, sign in folders:
        with suppress(OSError, RuntimeError):
            if len(folder().parts) > 1:
                text = text.replace(str(folder()), sign)
    text = re.sub(r"(?i)([a-z]:)?[/\\](home|users)[/\\][^/\\\s'\"]+", "~", text)
    return " ".join(text.split()).replace("|", "/")


if __name__ == "__main__":
    sys.path[0] = str(Path(__file__).resolve().parents[2])  # the rooms of the package are no modules of their own
    well, table = examine()
    print(table)
    sys.exit(0 if well else 1)
