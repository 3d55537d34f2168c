"""Run the notebooks in order and say which claims hold: python tasks.py lesson [--data FILE] [NOTEBOOK ...]

The executed copies go to `build/lesson/`; the notebooks themselves are not touched.
"""

import os
import sys
from collections.abc import Sequence
from pathlib import Path

from tools import kernel

BUILD = kernel.ROOT / "build" / "lesson"


def table(runs: Sequence[kernel.Run]) -> str:
    """One line for each notebook: seconds, peak memory, claims ticked."""
    width = max(len("notebook"), *(len(run.name) for run in runs))
    lines = [f"{'notebook':<{width}}  seconds  peak MB  claims ticked"]
    for run in runs:
        held, wrong, open_ = (len(run.texts(outcome)) for outcome in ("held", "not held", "not shown"))
        ticked = f"{held} of {held + wrong}" + (f", and {open_} not shown" if open_ else "")
        stopped = "  STOPPED" if run.error else ""
        lines.append(f"{run.name:<{width}}  {run.seconds:7.1f}  {run.peak / 1e6:7.0f}  {ticked}{stopped}")
    return "\n".join(lines)


def report(runs: Sequence[kernel.Run]) -> int:
    """Print the table and what went wrong; the exit code."""
    print("\n" + table(runs))
    for outcome, title in [
        ("not shown", "These rows cannot show:"),
        ("not held", "These claims do not hold here:"),
    ]:
        entries = [f"  {run.name}: {text}" for run in runs for text in run.texts(outcome)]
        if entries:
            print("\n".join(["", title, *entries]))
    stopped = [f"  {run.name}: {run.error}" for run in runs if run.error]
    if stopped:
        print("\n".join(["", "These notebooks stopped with an error:", *stopped]))
    return int(bool(stopped) or any(run.texts("not held") for run in runs))


def main(arguments: Sequence[str] | None = None) -> int:
    given = kernel.arguments("lesson", "Run the notebooks in order.").parse_args(arguments)
    kernel.plain_output()
    paths = kernel.find_notebooks(given.names)
    data = given.data or os.environ.get("SDSS_LESSON_CSV")
    environment = kernel.quiet_environment()
    if data:
        environment["SDSS_LESSON_CSV"] = str(Path(data).resolve())
    print(f"The rows: {data or 'the shipped sample'}")
    if os.environ.get("SDSS_LESSON_SEED"):
        print(f"Every seed is shifted: SDSS_LESSON_SEED={os.environ['SDSS_LESSON_SEED']}")

    BUILD.mkdir(parents=True, exist_ok=True)
    runs = []
    for number, path in enumerate(paths, start=1):
        print(f"[{number}/{len(paths)}] {path.stem} ... ", end="", flush=True)
        run = kernel.run(path, environment, BUILD, record=True)
        print("stopped" if run.error else f"{run.seconds:.1f} s", flush=True)
        try:
            kernel.write(run.notebook, BUILD / path.name)
        except OSError as error:
            run.error = run.error or kernel.unwritable(error)
        runs.append(run)
    return report(runs)


if __name__ == "__main__":
    sys.exit(main())
