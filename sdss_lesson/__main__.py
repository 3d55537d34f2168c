"""The audits, the fetch and the doctor from the command line: python -m sdss_lesson."""

import argparse
import json
import os
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, redirect_stdout
from importlib import import_module
from operator import attrgetter
from pathlib import Path
from typing import Any

import pandas as pd

FINE, MISTAKE, COULD_NOT_RUN, INTERRUPTED = 0, 1, 2, 130


def main(words: Sequence[str] | None = None) -> int:
    """Run one command; the exit code."""
    parser = _parser()
    arguments = parser.parse_args(words)
    if arguments.run is None:
        parser.print_help()
        return FINE
    try:
        with _stdout_is_ours():
            ok, text = arguments.run(arguments)
    except Exception as error:
        name = "" if isinstance(error, TypeError | ValueError | RuntimeError) else f"{type(error).__name__}: "
        print(name + " ".join(str(error).split()), file=sys.stderr)
        return COULD_NOT_RUN if isinstance(error, ValueError) else arguments.failed
    except KeyboardInterrupt:
        print(f"Interrupted.{arguments.interrupted}", file=sys.stderr)
        return INTERRUPTED
    print(text)
    return FINE if ok else MISTAKE


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m sdss_lesson",
        description="Examine an evaluation function or a split, fetch real rows, or see what is installed.",
        epilog="The exit code is 0 where all is well, 1 where a mistake was found or no rows came, "
        "2 where the command could not be run.",
    )
    parser.set_defaults(run=None, failed=COULD_NOT_RUN, interrupted="")
    commands = parser.add_subparsers(metavar="COMMAND")

    one = commands.add_parser("audit", help="name the mistakes in a function evaluate(model, loader)")
    one.add_argument("function", metavar="package.module:evaluate", help="the current folder is searched, too")
    one.add_argument("--scale", choices=["fraction", "percent"], default="auto", help="by default whichever fits")

    one.set_defaults(run=_audit)

    two = commands.add_parser(
        "audit-split",
        aliases=["audit_split"],
        help="search test rows for what the training rows hold, too",
        usage="python -m sdss_lesson audit-split train.csv test.csv [--keys NAME ...] [--json]",
    )
    two.add_argument("train", type=Path, metavar="train.csv")
    two.add_argument("test", type=Path, metavar="test.csv")
    two.add_argument(
        "--keys", nargs="+", metavar="NAME", help="columns that together name an object; after the two files"
    )

    two.set_defaults(run=_audit_split)

    for each in (one, two):
        each.add_argument("--json", action="store_true", help="print JSON instead of sentences")

    three = commands.add_parser("fetch", help="get real rows from SDSS SkyServer")
    three.add_argument("--release", type=int, default=17, metavar="N", help="the data release: 17 or later (17)")
    three.add_argument("--rows", type=int, default=10_000, metavar="N", help="how many rows, at most (10000)")
    three.add_argument("--seed", type=int, default=0, metavar="N", help="another number, another part of the sky (0)")
    three.add_argument(
        "--out", type=Path, default=Path("data/sdss_real.csv"), metavar="FILE", help="where to (%(default)s)"
    )
    kept = " The file is as it was. The same command goes on with what has come so far."
    three.set_defaults(run=_fetch, failed=MISTAKE, interrupted=kept)

    four = commands.add_parser("doctor", help="what is installed, which data is used, can the notebooks run here?")
    four.set_defaults(run=_doctor)
    return parser


def _audit(arguments: argparse.Namespace) -> tuple[bool, str]:
    from sdss_lesson.auditing import audit

    report = audit(_load(arguments.function), scale=arguments.scale)
    if not arguments.json:
        return report.ok, str(report)
    found = {"ok": report.ok, "mistakes": report.mistakes, "advice": report.advice, "error": report.error}
    return report.ok, json.dumps({**found, "evidence": _records(report.evidence)}, indent=2)


def _audit_split(arguments: argparse.Namespace) -> tuple[bool, str]:
    from sdss_lesson.auditing import audit_split

    report = audit_split(_read(arguments.train), _read(arguments.test), keys=arguments.keys)
    if not arguments.json:
        return report.ok, str(report)
    found = {"ok": report.ok, "n_train": report.n_train, "n_test": report.n_test, "share": report.share}
    frames = {"findings": report.findings.rename_axis("finding").reset_index(), "rows": report.rows}
    if report.classes is not None:
        frames["classes"] = report.classes.reset_index()
    tables = {name: _records(frame) for name, frame in frames.items()}
    return report.ok, json.dumps({**found, "compared": report.compared, "notes": report.notes, **tables}, indent=2)


def _fetch(arguments: argparse.Namespace) -> tuple[bool, str]:
    from sdss_lesson.support.skyserver import fetch

    got = fetch(arguments.out, rows=arguments.rows, release=arguments.release, seed=arguments.seed)
    classes = ", ".join(f"{count} {name}" for name, count in got["classes"].items())
    return True, (
        f"{arguments.out} holds {got['rows']} real rows of SDSS Data Release {got['release']} ({classes}).\n"
        f"The lesson on them: make lesson DATA={arguments.out}"
    )


def _doctor(_: argparse.Namespace) -> tuple[bool, str]:
    from sdss_lesson.support.doctor import examine

    return examine()


def _records(frame: pd.DataFrame) -> Any:
    """A list of rows; JSON knows no NaN, so that it becomes null."""
    return json.loads(frame.to_json(orient="records", double_precision=15))


def _load(function: str) -> Any:
    module, _, name = function.partition(":")
    if not module or not name or module.endswith(".py") or {"/", "\\"} & set(module):
        example = "such as mine:evaluate for evaluate in mine.py (package.module:evaluate in a package)"
        raise ValueError(f"{function!r} names no function. Write file:function, {example}.")
    sys.path.insert(0, str(Path.cwd()))
    try:
        found = import_module(module)
    except SystemExit:
        sentence = "ends the program when it is imported. Put what it runs below: if __name__ == '__main__':"
        raise ValueError(f"{module} {sentence}") from None
    except Exception as error:
        sentence = f"{module} cannot be imported: {type(error).__name__}: {error}"
        if isinstance(error, ModuleNotFoundError) and error.name:
            here = f"in the folder that holds {module.replace('.', '/')}.py, or install your project"
            missing_itself = f"{module}.".startswith(f"{error.name}.")
            sentence += f". Run this {here if missing_itself else 'with the Python of your project'}."
        raise ValueError(sentence) from None
    try:
        return attrgetter(name)(found)
    except AttributeError:
        raise ValueError(f"{module} has no {name!r}. Check the spelling.") from None


def _read(file: Path) -> pd.DataFrame:
    """A table. Long whole numbers stay text where pandas cannot keep them, such as with a gap among them."""
    try:
        skip = int(list(pd.read_csv(file, nrows=0))[:1] == ["#Table1"])  # SkyServer's, above the names of the columns
        frame = pd.read_csv(file, low_memory=False, skiprows=skip)
        words = pd.read_csv(file, dtype=str, skiprows=skip)
    except (OSError, ValueError) as error:
        raise ValueError(f"{file} cannot be read as CSV: {getattr(error, 'strerror', None) or error}.") from None
    for name in frame.select_dtypes(exclude="integer"):
        if words[name].str.fullmatch(r"\s*-?\d{16,}\s*", na=False).any():
            frame[name] = words[name].str.strip()
    return frame


@contextmanager
def _stdout_is_ours() -> Iterator[None]:
    """Whatever other code prints meanwhile, and its subprocesses, goes to stderr: only the report is on stdout."""
    sys.stdout.flush()
    kept = os.dup(1)
    os.dup2(2, 1)
    try:
        with redirect_stdout(sys.stderr):
            yield
    finally:
        sys.stdout.flush()
        os.dup2(kept, 1)
        os.close(kept)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    os.dup2(2, 1)  # what the audited code prints at exit is no report, either
    sys.exit(code)
