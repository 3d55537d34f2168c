"""Do the claims hold for other seeds, too? python tasks.py claims [--data FILE] [NOTEBOOK ...]

Every notebook runs for five seeds, on the shipped sample and on the file where one is given.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from tools import kernel

SEEDS = (0, 1, 2, 3, 4)
MARKS = {"not held": "✗", "not shown": "–", "held": "✓"}
"""The worst first: a claim that a notebook makes several times is as good as the worst of them."""


def table(runs: dict[int, list[kernel.Run]]) -> str:
    """A line for each claim, a column for each seed, and the smallest margin where margins are recorded."""
    outcomes: dict[tuple[str, str], dict[int, list[str]]] = {}
    margins: dict[tuple[str, str], list[float]] = {}
    for seed, all_of_them in runs.items():
        for run in all_of_them:
            for entry in run.claims:
                key = (run.name, entry["text"])
                outcomes.setdefault(key, {}).setdefault(seed, []).append(entry["outcome"])
                if entry["margin"] is not None and entry["outcome"] != "not shown":
                    margins.setdefault(key, []).append(entry["margin"])
    lines = [" ".join(str(seed) for seed in runs) + "   margin  claim"]
    name = ""
    for key in sorted(outcomes, key=lambda key: key[0]):  # stable: within a notebook, in its order
        if key[0] != name:
            name = key[0]
            lines.append(f"{'':{2 * len(runs)}}         {name}")
        marks = []
        for seed in runs:
            of_this_seed = outcomes[key].get(seed, [])
            marks.append(next((mark for outcome, mark in MARKS.items() if outcome in of_this_seed), " "))
        smallest = f"{min(margins[key]):8.3g}" if key in margins else " " * 8
        lines.append(f"{' '.join(marks)} {smallest}  {key[1]}")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python tasks.py claims", description="Check the claims for five seeds.")
    parser.add_argument("--data", metavar="FILE", help="an SDSS export to check them on as well")
    parser.add_argument("names", nargs="*", metavar="NOTEBOOK", help="only these")
    given = parser.parse_args(arguments)
    kernel.plain_output()
    paths = kernel.find_notebooks(given.names)
    folder = kernel.ROOT / "build" / "claims"
    folder.mkdir(parents=True, exist_ok=True)
    wrong = 0
    for data in [None, given.data] if given.data else [None]:
        print(f"\nThe rows: {data or 'the shipped sample'}")
        environment = kernel.quiet_environment(("SDSS_LESSON_CSV",))
        if data:
            environment["SDSS_LESSON_CSV"] = str(Path(data).resolve())
        runs: dict[int, list[kernel.Run]] = {}
        for seed in SEEDS:
            for path in paths:
                print(f"seed {seed}: {path.stem} ... ", end="", flush=True)
                run = kernel.run(path, {**environment, "SDSS_LESSON_SEED": str(seed)}, folder, record=True)
                print(f"stopped: {run.error}" if run.error else f"{run.seconds:.1f} s", flush=True)
                runs.setdefault(seed, []).append(run)
                wrong += len(run.texts("not held")) + (run.error is not None)
        print("\n" + table(runs))
    print("\n✓ held   ✗ not held   – cannot be shown on these rows   (blank: not reached, or said differently)")
    return int(wrong > 0)


if __name__ == "__main__":
    sys.exit(main())
