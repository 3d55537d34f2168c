"""Break one room of the package a piece at a time, and show the broken lines that no test notices.

    pip install mutmut==3.8.1
    python -m tools.mutants split

It works in ``build/mutants/``, on the last commit. ``tests/survivors.txt`` lists what is known to go unnoticed, and
why; what is not in there is printed. From some minutes for ``split`` to hours for ``audit``.
"""

import ast
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from tools import ROOT

KNOWN = ROOT / "tests" / "survivors.txt"
SPLIT, EVALUATOR = ("matching", "inputs", "examine", "report"), ("examine", "report", "hypotheses", "probes")
ROOMS = {
    "split": ("split", "test_split"),
    "catalog": ("catalog _csv _sky", "test_catalog"),
    "evaluate": ("_fast _tensors evaluation", "test_evaluation"),
    "audit-split": (" ".join(f"auditing/split/{name}" for name in SPLIT), "test_audit_split"),
    "audit": (
        " ".join(f"auditing/evaluator/{name}" for name in EVALUATOR),
        "test_auditing test_audit_report",
    ),
}
"""Files of the package, and the tests that are asked; test_bad_input is asked for all."""
# Frames of mutmut lie between a loader and the reader, so that these three see another traceback.
FRAMES = ["a loader that raises", "a training loader that raises", "a training loader used up"]
SETTINGS = r"""[mutmut]
source_paths = sdss_lesson
also_copy =
    tools
    data
    tasks.py
    sdss_lesson
only_mutate =
    {files}
pytest_add_cli_args_test_selection =
    {tests}
pytest_add_cli_args =
    -pno:cacheprovider
    -pno:nbval
    -pno:pytest_cov
    {deselected}
do_not_mutate_patterns =
    ^\s*f?"[^"]*"( *\)?,?)$
    ^\s*(raise|return) \w*Error\(
    ^\s*raise
timeout_multiplier = 10.0
timeout_constant = 5.0
"""
FORGET = """

def pytest_sessionstart():
    # mutmut forks after the import: what was worked out with whole code must not be remembered in a broken one.
    from sdss_lesson.auditing.evaluator import examine, hypotheses, probes

    remembered = examine._first_answers, examine._all_answers, hypotheses._counts, hypotheses._added, probes.trace
    for cached in remembered:
        cached.cache_clear()
"""


def undecorate(code: str) -> str:
    """The same with ``f = decorator(f)`` below each function: mutmut leaves decorated ones alone."""
    lines = code.split("\n")
    functions = [node for node in ast.walk(ast.parse(code)) if isinstance(node, ast.FunctionDef)]
    for function in sorted(functions, key=lambda function: -function.lineno):
        for decorator in function.decorator_list:
            below = f"{function.name} = {ast.unparse(decorator)}({function.name})"
            lines.insert(function.end_lineno or 0, " " * function.col_offset + below)
            lines[decorator.lineno - 1] = ""
    return "\n".join(lines)


def prepare(room: str, folder: Path) -> None:
    """Put a copy of the last commit there, ready for mutmut."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    archive = subprocess.run(["git", "archive", "HEAD"], cwd=ROOT, stdout=subprocess.PIPE, check=True).stdout
    subprocess.run(["tar", "-x"], cwd=folder, input=archive, check=True)
    files = [f"sdss_lesson/{name}.py" for name in ROOMS[room][0].split()]
    tests = [f"tests/{name}.py" for name in [*ROOMS[room][1].split(), "test_bad_input"]]
    for path in (folder / name for name in files):
        code = undecorate(path.read_text(encoding="utf-8"))
        # A warning points at the caller, who is two frames further away: mutmut's own.
        path.write_text(code.replace("stacklevel=2", "stacklevel=4"), encoding="utf-8")
    test = "tests/test_bad_input.py::test_an_error_names_the_cause_and_the_remedy"
    lists = {"files": files, "tests": tests, "deselected": [f"--deselect={test}[{name}]" for name in FRAMES]}
    settings = SETTINGS.format(**{name: "\n    ".join(each) for name, each in lists.items()})
    (folder / "setup.cfg").write_text(settings, encoding="utf-8")
    with (folder / "tests" / "conftest.py").open("a", encoding="utf-8") as conftest:
        conftest.write(FORGET)


def as_line(name: str, shown: str) -> str:
    """A survivor in one line: where, and what stands there instead; from mutmut's name and what it shows."""
    module, function = name.removeprefix("sdss_lesson.").rsplit(".", 1)
    where = re.sub(r"^x_?|__mutmut_\d+$", "", function).replace("ǁ", ".").lstrip(".")
    new = [line[1:].strip() for line in shown.split("\n") if re.match(r"\+(?!\+\+)", line)]
    return f"{module}.{where}: {' '.join(new)}"


def unknown(survivors: list[str], known: str) -> list[str]:
    """Those that the list, with its headings and comments, does not name."""
    return sorted(set(survivors) - {line.strip() for line in known.split("\n")})


def main(arguments: list[str] | None = None) -> int:
    rooms = sys.argv[1:] if arguments is None else arguments
    mutmut = shutil.which("mutmut", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}")
    if len(rooms) != 1 or rooms[0] not in ROOMS or mutmut is None:
        print(f"Say which room: python -m tools.mutants {{{','.join(ROOMS)}}}. It needs: pip install mutmut==3.8.1")
        return 2
    import resource  # Windows has none, and no mutmut

    folder = ROOT / "build" / "mutants" / rooms[0]
    prepare(rooms[0], folder)
    # One broken reader reads a device without an end.
    resource.setrlimit(resource.RLIMIT_AS, (9_000_000_000, resource.getrlimit(resource.RLIMIT_AS)[1]))
    subprocess.run([mutmut, "run"], cwd=folder, check=True, env={**os.environ, "OMP_NUM_THREADS": "1"})

    def output(*words: str) -> str:
        return subprocess.run([mutmut, *words], cwd=folder, check=True, stdout=subprocess.PIPE, text=True).stdout

    lines = output("results").split("\n")
    names = [line.split(":")[0].strip() for line in lines if line.endswith((": survived", ": no tests"))]
    new = unknown([as_line(name, output("show", name)) for name in names], KNOWN.read_text(encoding="utf-8"))
    print(f"{len(names)} go unnoticed, {len(new)} of them new:", *new, sep="\n")
    return int(bool(new))


if __name__ == "__main__":
    sys.exit(main())
