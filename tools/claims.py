"""Do the claims hold for other seeds and surveys? python tasks.py claims [--seeds N] [--data FILE] [NOTEBOOK ...]

Every notebook runs for seeds 0 to N - 1, on the shipped sample, on a harder mock survey, and on the file where one is
given. A claim that fails anywhere is to be weakened until it is true.
"""

import sys
from collections.abc import Sequence
from pathlib import Path

from tools import harder, kernel

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


def failures(runs: dict[int, list[kernel.Run]]) -> list[str]:
    """A line for each claim that did not hold and each notebook that stopped, with its seed."""
    lines = []
    for seed, all_of_them in runs.items():
        for run in all_of_them:
            lines += [f"seed {seed}, {run.name}: {text}" for text in dict.fromkeys(run.texts("not held"))]
            lines += [f"seed {seed}, {run.name} stopped: {run.error}"] if run.error else []
    return lines


def main(arguments: Sequence[str] | None = None) -> int:
    parser = kernel.arguments("claims", "Check the claims for many seeds, on easy and on harder rows.")
    parser.add_argument("--seeds", type=int, default=5, metavar="N", help="how many seeds, from 0 up; 5 if not given")
    given = parser.parse_args(arguments)
    if given.seeds < 1:
        parser.error(f"--seeds {given.seeds}: give a whole number from 1 up.")
    kernel.plain_output()
    paths = kernel.find_notebooks(given.names)
    folder = kernel.ROOT / "build" / "claims"
    folder.mkdir(parents=True, exist_ok=True)
    surveys = {"the shipped sample": None, "a harder mock survey": harder.write(folder / "harder.csv")}
    if given.data:
        surveys[given.data] = Path(given.data).resolve()
    wrong: list[str] = []
    for name, file in surveys.items():
        print(f"\nThe rows: {name}")
        environment = kernel.quiet_environment(("SDSS_LESSON_CSV",))
        if file:
            environment["SDSS_LESSON_CSV"] = str(file)
        runs: dict[int, list[kernel.Run]] = {}
        for seed in range(given.seeds):
            for path in paths:
                print(f"seed {seed}: {path.stem} ... ", end="", flush=True)
                run = kernel.run(path, {**environment, "SDSS_LESSON_SEED": str(seed)}, folder, record=True)
                print(f"stopped: {run.error}" if run.error else f"{run.seconds:.1f} s", flush=True)
                runs.setdefault(seed, []).append(run)
        print("\n" + table(runs))
        wrong += [f"  {name}, {line}" for line in failures(runs)]
    print("\n✓ held   ✗ not held   – cannot be shown on these rows   (blank: not reached, or said differently)")
    print("\n".join(["\nNot held:", *wrong]) if wrong else "\nEvery claim held.")
    return int(bool(wrong))


if __name__ == "__main__":
    sys.exit(main())
