"""What every notebook promises to its reader: its form, its exercises, its classroom path, its links."""

import ast
import json
import re
import statistics
import subprocess
import sys
import tomllib
from pathlib import Path

import nbformat
import pytest

from tools import kernel

ROOT = Path(__file__).resolve().parents[1]
PATHS = sorted((ROOT / "notebooks").glob("*.ipynb"))
NOTEBOOKS = {path.stem: nbformat.read(path, as_version=4) for path in PATHS}
MACHINE = re.compile(r"/(home|root|work|tmp|Users)/|[A-Z]:\\\\|\d\d:\d\d:\d\d|widget|0x[0-9a-f]{6}")
"""Paths, times, widgets and addresses in memory."""
each_notebook = pytest.mark.parametrize("name", NOTEBOOKS)

# For each exercise: answers that a learner might give, and a word of what the check must then say.
SLIPS = {
    "always-star": {"accuracy = 40": "from 0 to 1", "accuracy = 1": "galaxies", "accuracy = 0.5": "Count the rows"},
    "one-row-less": {
        "def one_row_less(hits, n): return hits[-1], hits.sum()": "at most 1",
        "def one_row_less(hits, n): return sum(hits) / n, sum(hits) / n": "leaves one row over",
        "def one_row_less(hits, n): return 1 / n, sum(hits) / n": "a hit or a miss",
        "def one_row_less(hits, n): return hits[0] / n, sum(hits) / n": "a hit or a miss",
        "def one_row_less(hits, n): return hits[-1], sum(hits) / n": "divided by n",
        "def one_row_less(hits, n): return hits[-1] / n, 1": "every row",
    },
    "order-the-lines": {
        "order = 'ECFAB'": "forgets",
        "order = 'CEFDB'": "Zero the counters",
        "order = 'EFDCB'": "inside the loop",
        "order = 'ECDB'": "each of them once",
    },
    "drop-last": {
        "def broken_drop_last(b): return hits[: n // b * b].sum() / (n // b * b)": "still keeps the last one",
        "def broken_drop_last(b): return law(b)": "without drop_last",
        "def broken_drop_last(b): return hits[n // b * b - b : n // b * b].sum() / n": "hits are right",
        "def broken_drop_last(b): return hits[n // b * b - b : n // b * b].mean()": "hits are right",
        "def broken_drop_last(b): return right[size]": "one batch size only",
        "def broken_drop_last(b): return 0": "last full batch",
    },
    "write-evaluate": {
        """def my_evaluate(model, loader):
    return np.mean([(model(x).argmax(1) == y.flatten()).double().mean().item() for x, y in loader])""": (
            "mean-of-batch-means"
        ),
        """def my_evaluate(model, loader):
    hits = [(model(x).argmax(1) == y.flatten()).sum().item() for x, y in loader]
    return sum(hits) / len(hits)""": "divided-by-batches",
        """def my_evaluate(model, loader):
    for x, y in loader:
        hits = (model(x).argmax(1) == y.flatten()).sum().item()
    return hits / len(loader.dataset)""": "counter-overwritten",
        """def my_evaluate(model, loader):
    hits = sum((model(x).argmax(1) == y.flatten()).sum().item() for x, y in loader)
    return 100 * hits / len(loader.dataset)""": "per cent",
        """def my_evaluate(model, loader):
    return sum((model(x).argmax(1) == y).sum().item() for x, y in loader) / len(loader.dataset)""": "column-labels",
        "def my_evaluate(model, loader): return 1 / 3": "came back",
        "def my_evaluate(model, loader): return correct": "is not defined",
    },
    "out-of-75": {
        "possible = [0.2604, 0.3333, 0.28]": "half a row",
        "possible = [0.28]": "rounding",
        "possible = [0.3333]": "whole number",
        "possible = [0.3333, 0.28, 0.99]": "No other numbers",
    },
    "flatten-inputs": {
        """def count_hits(model, inputs, labels):
    inputs = torch.flatten(inputs)
    return (model(inputs).argmax(1) == labels).sum().item()""": "cannot be multiplied",
        """def count_hits(model, inputs, labels):
    return (model(inputs).argmax(1) != labels).sum().item()""": "hits have changed",
        """def count_hits(model, inputs, labels):
    outputs = model(inputs)
    inputs = inputs.reshape(-1)
    return (outputs.argmax(1) == labels).sum().item()""": "still done to inputs",
    },
    "overlap": {
        "def my_overlap(a, b): return b['objid'].astype(float).isin(a['objid'].astype(float)).sum()": "53 binary",
        "def my_overlap(a, b): return b.index.isin(a.index).sum()": "compared the index",
        "def my_overlap(a, b): return b['objid'].isin(a['objid']).mean()": "a share",
        "def my_overlap(a, b): return b['objid'].isin(a['objid'])": "how many they are",
        "def my_overlap(a, b): return a['objid'].isin(b['objid']).sum()": "counted training rows",
        "def my_overlap(a, b): return len(set(a['objid']) & set(b['objid']))": "counted objects",
        "def my_overlap(a, b): return len(a.merge(b, on='objid'))": "counts once",
        "def my_overlap(a, b): return len(b)": "both must be 0",
        "def my_overlap(a, b): return sum(each in a['objid'] for each in b['objid'])": "asks the index",
    },
    "use-the-line": {
        "leaky, honest = 0.75 * 0.96 + 0.25 * 0.80, 0.89": "swapped",
        "leaky, honest = (0.96 + 0.80) / 2, 0.89": "the middle",
        "leaky, honest = 0.80 + 0.25, 0.89": "weigh each",
        "leaky, honest = 0.84, 0.91 - 0.25 * 0.97": "three quarters",
        "leaky, honest = 0.84, 0.91": "solve the line",
    },
    "split-by-object": {
        """def my_split(rows, test_share=0.2):
    once = rows.drop_duplicates("objid")
    test = once.sample(frac=test_share, random_state=SEED)
    return once.drop(test.index), test""": "rows are lost",
        """def my_split(rows, test_share=0.2):
    test = rows.sample(frac=test_share, random_state=SEED)
    return rows.drop(test.index), test""": "Draw objects, not rows",
        """def my_split(rows, test_share=0.2):
    return rows, rows.sample(frac=test_share, random_state=SEED)""": "Draw objects, not rows",
        "def my_split(rows, test_share=0.2): return rows[:0], rows": "Return (train, test)",
        """def my_split(rows, test_share=0.2):
    in_test = rows["objid"].isin(rows["objid"].drop_duplicates().sample(frac=0.5, random_state=SEED))
    return rows[~in_test], rows[in_test]""": "not a fifth",
    },
    "twelve-lines": {
        """def prepare(rows):
    parts = split_by_object(rows, seed=SEED)
    scaler = StandardScaler()
    return [torch.tensor(scaler.transform(part[FEATURES])) for part in (parts.train, parts.val, parts.test)], []""": (
            "is not fitted"
        ),
        """def prepare(rows):
    parts = split_by_object(rows, seed=SEED)
    scaler = StandardScaler().fit(rows[FEATURES])
    return [torch.tensor(scaler.transform(part[FEATURES])) for part in (parts.train, parts.val, parts.test)], []""": (
            "has seen the test rows"
        ),
        """def prepare(rows):
    parts = split_by_object(rows, seed=SEED)
    scaler = StandardScaler().fit(parts.val[FEATURES])
    return [torch.tensor(scaler.transform(part[FEATURES])) for part in (parts.train, parts.val, parts.test)], []""": (
            "other rows"
        ),
    },
    "two-calls": {
        """def my_run(model, epochs, one_epoch, look):
    model.train()
    scores = []
    for _ in range(epochs):
        one_epoch(model)
        model.eval()
        scores.append(look(model))
    return scores""": "belongs into the loop",
        """def my_run(model, epochs, one_epoch, look):
    model.eval()
    scores = []
    for _ in range(epochs):
        one_epoch(model)
        scores.append(look(model))
    return scores""": "before each epoch",
        """def my_run(model, epochs, one_epoch, look):
    scores = []
    for _ in range(epochs):
        model.eval()
        one_epoch(model)
        model.train()
        scores.append(look(model))
    return scores""": "before each look",
        "def my_run(model, epochs, one_epoch, look): return []": "three times each",
        """def my_run(model, epochs, one_epoch, look):
    for _ in range(epochs):
        model.train()
        one_epoch(model)
        model.eval()
        look(model)""": "return three scores",
    },
    "six-runs": {
        "names = dict.fromkeys('ABCDEF', 'learns')": "nothing settles",
        "names = {'A': 'too large'}": "none of the six",
        "names = {'A': 'step too large'}": "5 still empty",
    },
    "from-the-numbers": {
        "seen = dict.fromkeys('ABCDEFGHIJKL', 'some batches')": "5 of 12",
        "seen = dict.fromkeys('ABCDEFGHIJKL', 'batches')": "none of the six",
    },
    "from-the-code": {
        "named = dict.fromkeys('ABCDEFGHIJKL', 'honest')": "1 of 12",
        "named = dict.fromkeys('ABCDEFGHIJKL', 'broken')": "none of the names",
        "named = dict.fromkeys('ABCDEFGHIJKL', 'train-mode')": "jumps with the batch size",
    },
    "mend-it": {
        """def patient(model, loader):
    model.eval()
    with torch.no_grad():
        return np.mean([(model(x).argmax(1) == y).double().mean().item() for x, y in loader])""": "mean-of-batch-means",
        """def patient(model, loader):
    with torch.no_grad():
        hits = [(model(x).argmax(1) == y).double() for x, y in loader]
    return torch.cat(hits).mean().item()""": "train-mode",
        """def patient(model, loader):
    model.eval()
    return torch.cat([(model(x).argmax(1) == y).double() for x, y in loader]).mean().item()""": "grad-enabled",
        """def patient(model, loader):
    model.eval()
    with torch.no_grad():
        return torch.cat([(model(x).argmax(1) == y).double() for x, y in loader]).mean().item()""": "mode-not-restored",
        "def patient(model, loader): pass": "returned None",
    },
    "reduce": {
        "def my_reduce(ranks): return np.mean([hits / rows for hits, rows in ranks])": "mean of the ranks",
        "def my_reduce(ranks): return ranks[0][0] / sum(rows for _, rows in ranks)": "Add the hits, too",
        "def my_reduce(ranks): return ranks[-1][0] / sum(rows for _, rows in ranks)": "Add the hits, too",
        "def my_reduce(ranks): return ranks[-1][0] / ranks[-1][1]": "of one rank",
        "def my_reduce(ranks): return sum(hits for hits, _ in ranks) / ranks[-1][1]": "rows of one rank",
        "def my_reduce(ranks): return 55, 80": "one number",
        "def my_reduce(ranks): return sum(hits for hits, _ in ranks) / len(ranks)": "Divide by the rows",
        "def my_reduce(ranks): return 55": "not hits over rows",
        "def my_reduce(ranks): return 0.6875": "not hits over rows",
    },
    "my-shard": {
        "def my_shard(n, rank, world_size): return range(n)[rank * -(-n // world_size) :][: -(-n // world_size)]": (
            "Spread the rest"
        ),
        "def my_shard(n, rank, world_size): return range(rank * (n // world_size), (rank + 1) * (n // world_size))": (
            "is on no rank"
        ),
        "def my_shard(n, rank, world_size): return [(rank + i * world_size) % n for i in range(-(-n // world_size))]": (
            "are counted"
        ),
        "def my_shard(n, rank, world_size): return range(n)": "are counted",
        "def my_shard(n, rank, world_size): return range(rank + 1, n, world_size)": "row 0 is on no rank",
    },
    "log": {
        "did, of_all = 'padded', 0.92": "Look for 480",
        "did, of_all = 'mean of ranks', 0.92": "Look for 480",
        "did, of_all = 'one rank', (0.96 + 0.94 + 0.95 + 0.5) / 4": "the mean of the ranks",
        "did, of_all = 'one rank', 0.3": "add the hits",
        "did, of_all = 'first rank', 0.92": "one of the three",
    },
    "open-once": {
        """def my_protocol(settings, learn, score):
    return max(settings, key=lambda s: score(learn(s), "test")), 0.95""": "opened 3 times",
        """def my_protocol(settings, learn, score):
    scores = {s: score(learn(s), "val") for s in settings}
    return max(scores, key=scores.get), max(scores.values())""": "did the choosing",
        """def my_protocol(settings, learn, score):
    return settings[0], score(learn(settings[0]), "test")""": "about every setting",
        """def my_protocol(settings, learn, score):
    scores = {s: score(learn(s), "val") for s in settings}
    return max(scores), score(learn(max(scores)), "test")""": "highest validation accuracy",
        """def my_protocol(settings, learn, score):
    scores = {s: score(learn(s), "val") for s in settings}
    return max(scores, key=scores.get), score(learn("c"), "test")""": "on the test rows",
        """def my_protocol(settings, learn, score):
    scores = {s: score(s, "val") for s in settings}
    return "b", score("b", "test")""": "You scored a setting",
        """def my_protocol(settings, learn, score):
    models = [learn(s) for s in settings]
    best = max(models, key=lambda model: score(model, "val"))
    return best, score(best, "test")""": "the setting itself",
        "def my_protocol(settings, learn, score): return 'b'": "two things",
    },
    "ten-rows": {
        "p_ten, p_many = binomtest(10, 10).pvalue / 2, 0.39": "one side",
        "p_ten, p_many = binomtest(10, 10).pvalue, None": "p_many: a fair coin",
        "p_ten, p_many = binomtest(10, 2000).pvalue, 0.39": "a fair coin",
        "p_ten, p_many = binomtest(10, 10).pvalue, binomtest(60, 2000).pvalue": "a fair coin",
        "p_ten, p_many = 0.39, 0.002": "a fair coin",
    },
    "how-many-rows": {
        "rows_needed = 900": "takes 1.96",
        "rows_needed = 0.9 * 0.1 / 0.02**2": "too wide",
        "rows_needed = 1.96**2 * 0.25 / 0.01**2": "Fewer rows",
        "rows_needed = 0.03": "too wide",
    },
    "better": {
        "error_of_one, better = 0.951 * 0.049 / 2000, 'cannot tell'": "Take the root",
        "error_of_one, better = 0.48, 'cannot tell'": "as a fraction",
        "error_of_one, better = 0.0048, 'yes'": "turn it round",
        "error_of_one, better = 0.0048, 'no'": "turn it round",
    },
}

# Answers that are right and look or round otherwise than the solution.
RIGHT = {
    "one-row-less": ["def one_row_less(hits, n): return hits[-1:].sum() / n, hits.mean()"],
    "drop-last": ["def broken_drop_last(b): return hits[n // b * b - b : n // b * b].mean() / (n // b)"],
    "flatten-inputs": [
        """def count_hits(model, inputs, labels):
    with torch.no_grad():
        return (model(inputs).argmax(1) == labels.flatten()).sum().item()""",
        """def count_hits(model, inputs, labels):
    model.eval()
    labels = labels.flatten()
    outputs = model(inputs)
    return torch.sum(torch.max(outputs, 1)[1] == labels).item()""",
    ],
}


def tagged(name: str, prefix: str) -> dict[str, nbformat.NotebookNode]:
    """Cells of a notebook by what stands behind the prefix of their tag."""
    return {
        tag.removeprefix(prefix): cell
        for cell in NOTEBOOKS[name].cells
        for tag in cell.metadata.get("tags", [])
        if tag.startswith(prefix)
    }


def code_cells(name: str) -> list[nbformat.NotebookNode]:
    return [cell for cell in NOTEBOOKS[name].cells if cell.cell_type == "code"]


def words(cell: nbformat.NotebookNode) -> int:
    return len(re.findall(r"\w+", cell.source))


def run(notebook: nbformat.NotebookNode, folder: Path, stem: str, **extra: str) -> kernel.Run:
    path = folder / f"{stem}.ipynb"
    nbformat.write(notebook, path)
    return kernel.run(path, kernel.quiet_environment(**extra), folder, record=bool(extra))


def printed(cell: nbformat.NotebookNode) -> str:
    return "".join(output.text for output in cell.outputs if output.output_type == "stream")


def test_there_are_notebooks():
    assert list(NOTEBOOKS) == [
        "00_start_here",
        "01_the_broken_loop",
        "02_the_fix",
        "03_leakage",
        "04_accuracy_per_epoch",
        "05_an_honest_protocol",
        "06_bug_hunt",
        "07_beyond_one_machine",
    ]


@each_notebook
def test_the_form_is_that_of_the_series(name):
    cells, code = NOTEBOOKS[name].cells, code_cells(name)
    lines = sorted(len(cell.source.strip().splitlines()) for cell in code)
    assert 30 <= len(cells) <= 50
    assert statistics.median(lines) <= 5 and lines[int(0.9 * (len(lines) - 1))] <= 12 and lines[-1] <= 25
    before = cells[: next(i for i, cell in enumerate(cells) if cell.cell_type == "code")]
    assert sum(map(words, before)) <= 130
    claims = [cell for cell in code if "claim(" in cell.source]
    assert len(claims) >= 5


@each_notebook
def test_outputs_are_complete_and_tell_nothing_of_the_machine(name):
    for number, cell in enumerate(code_cells(name), start=1):
        assert cell.execution_count == number, "run make notebooks"
        assert "execution" not in cell.metadata
        assert not {"raises-exception", "nbval-ignore-output", "nbval-skip"} & set(cell.metadata.get("tags", []))
        for output in cell.outputs:
            text = json.dumps(output)
            assert output.output_type != "error" and output.get("name") != "stderr", text
            assert not MACHINE.search(text), text
    metadata = NOTEBOOKS[name].metadata
    assert metadata.kernelspec.name == "python3" and "widgets" not in metadata
    assert "version" not in metadata.get("language_info", {})


@each_notebook
def test_the_first_code_cell_is_the_one_template(name):
    assert code_cells(name)[0].source == code_cells("00_start_here")[0].source


def test_the_first_cell_installs_the_released_version_and_nothing_that_colab_has():
    source = code_cells("00_start_here")[0].source
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    assert f'"git+{project["urls"]["Repository"]}@v{project["version"]}"' in source
    assert '"--no-deps"' in source
    # --no-deps leaves out what the package needs; what Colab does not carry stands in the list.
    needed = {re.split("[<>=]", requirement)[0] for requirement in project["dependencies"]}
    on_colab = {"matplotlib", "numpy", "pandas", "scikit-learn", "scipy", "torch", "tqdm"}
    (packages,) = [node.value for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Assign)]
    listed = {element.value for element in packages.elts}
    assert needed - on_colab <= listed and not listed & on_colab


@pytest.mark.parametrize("where, message", [("elsewhere", "make lab"), ("on Colab", "install")])
def test_without_the_package_the_first_cell_installs_it_on_colab_and_names_make_lab_elsewhere(where, message):
    # Colab itself cannot be had here: a module of its name, and a recorder in place of pip, stand in for it.
    script = f"""
import subprocess, sys, types
sys.modules["sdss_lesson"] = None
if {where!r} == "on Colab":
    sys.modules["google.colab"] = types.ModuleType("google.colab")
def run(command, check):
    print(*command)
    sys.modules["sdss_lesson"] = types.SimpleNamespace(claim=print)
subprocess.run = run
try:
    exec({code_cells("00_start_here")[0].source!r})
except ImportError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert message in done.stdout and len(done.stdout.splitlines()) == 1


@each_notebook
def test_every_picture_has_words_of_its_own_and_its_cell_prints_nothing(name):
    alts = []
    for cell in code_cells(name):
        if not any("image/png" in output.get("data", {}) for output in cell.outputs):
            assert "plots." not in cell.source.replace("import plots", "")
            continue
        assert len(cell.outputs) == 1 and cell.source.count("plots.") == 1
        assert cell.source.rstrip().endswith("plt.show()")
        alts.append(cell.metadata.mystnb.image.alt)
    assert all(len(alt.split()) >= 12 and not alt.endswith(".png") for alt in alts)
    assert len(set(alts)) == len(alts)


@each_notebook
def test_the_classroom_path_is_short_and_marked(name):
    path = [cell for cell in NOTEBOOKS[name].cells if "class" in cell.metadata.get("tags", [])]
    assert 6 <= len(path) <= 14
    assert sum(tag.startswith("exercise:") for cell in path for tag in cell.metadata.tags) <= 1
    for cell in NOTEBOOKS[name].cells:
        # Before a heading the mark would make plain text of it, and in it stand in its anchor: it follows a heading.
        heading = cell.cell_type == "markdown" and re.match("(◆ )?#+ ", cell.source)
        assert not heading or "◆" not in cell.source.splitlines()[0], cell.source
        line = cell.source.splitlines()[bool(heading)]
        marked = line.startswith("◆") if heading else "◆" in line
        assert marked == ("class" in cell.metadata.get("tags", [])), cell.source


@each_notebook
def test_the_classroom_path_runs_alone(name, tmp_path):
    notebook = NOTEBOOKS[name].copy()
    notebook["cells"] = [cell for cell in notebook.cells if "class" in cell.metadata.get("tags", [])]
    assert run(notebook, tmp_path, name).error is None


@each_notebook
def test_exercises_accept_their_solution_and_name_each_slip(name, tmp_path):
    stubs, checks, solutions = (tagged(name, prefix) for prefix in ("exercise:", "check:", "solution:"))
    assert stubs and stubs.keys() == checks.keys() == solutions.keys()
    notebook = NOTEBOOKS[name].copy()
    notebook["cells"] = []
    tries = []
    for cell in NOTEBOOKS[name].cells:
        notebook.cells.append(cell)
        exercise = next((key for key, check in checks.items() if check is cell), None)
        if exercise is None:
            continue
        assert "not attempted yet" in printed(cell)
        text = solutions[exercise].source
        (block,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
        assert text.startswith("<details>") and text.index(block) < text.index("</details>")
        right = dict.fromkeys([block, *RIGHT.get(exercise, [])], "✓")
        for answer, expected in {**right, **SLIPS[exercise]}.items():
            notebook.cells += [nbformat.v4.new_code_cell(answer), nbformat.v4.new_code_cell(cell.source)]
            tries.append((exercise, answer, expected, notebook.cells[-1]))
        notebook.cells += [nbformat.v4.new_code_cell(block)]
    done = run(notebook, tmp_path, name)
    assert done.error is None
    ran = {cell.id: printed(cell) for cell in done.notebook.cells if cell.cell_type == "code"}
    for exercise, answer, expected, check in tries:
        said = ran[check.id]
        assert expected in said and said.startswith("✓" if expected == "✓" else "✗"), (exercise, answer, said)


@pytest.mark.parametrize("name", ["00_start_here", "05_an_honest_protocol"])  # make claims runs all of them there
def test_every_claim_holds_on_a_harder_survey(name, tmp_path, harder_csv):
    done = run(NOTEBOOKS[name], tmp_path, name, SDSS_LESSON_CSV=str(harder_csv), SDSS_LESSON_SEED="1")
    assert done.error is None and done.texts("not held") == []
    assert len(done.texts("held")) >= 5


@each_notebook
def test_every_claim_holds_on_real_rows(name, tmp_path, real_csv):
    done = run(NOTEBOOKS[name], tmp_path, name, SDSS_LESSON_CSV=str(real_csv))
    assert done.error is None and done.texts("not held") == []
    assert len(done.texts("held")) == len(done.claims) >= 5


def anchors(path: Path) -> list[str]:
    """Where a link to a file may lead: Jupyter keeps a heading's letters, and GitHub makes them small."""
    if path.suffix == ".ipynb":
        text = "\n".join(cell.source for cell in NOTEBOOKS[path.stem].cells if cell.cell_type == "markdown")
    else:
        text = path.read_text("utf-8").lower()
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return [heading.replace(" ", "-").replace("'", "") for heading in headings]


def check_links(text: str, folder: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not target.startswith("https://"):
            file, _, anchor = target.partition("#")
            assert (folder / file).exists(), target
            assert not anchor or anchor in anchors(folder / file), target


@each_notebook
def test_links_lead_somewhere(name):
    text = "\n".join(cell.source for cell in NOTEBOOKS[name].cells if cell.cell_type == "markdown")
    check_links(text, ROOT / "notebooks")


def test_the_checklist_is_that_of_05_and_has_a_line_for_every_practice():
    text = (ROOT / "docs" / "checklist.md").read_text("utf-8")
    check_links(text, ROOT / "docs")
    lines = [line for line in text.splitlines() if line.startswith("- [ ]")]
    (cell,) = [cell.source for cell in NOTEBOOKS["05_an_honest_protocol"].cells if "- [ ]" in cell.source]
    assert [line.replace("../notebooks/", "") for line in lines] == re.findall(r"^- \[ \].*", cell, flags=re.MULTILINE)
    assert all("](../notebooks/" in line for line in lines)
    practices = ["`+=`", "by the rows", "no_grad()", "`eval()`", "`train()`", "(N,)", "same preprocessing", "Tuning"]
    for practice in [*practices, "Three sets"]:
        assert practice in text
    for page in [ROOT / "README.md", ROOT / "notebooks" / "00_start_here.ipynb"]:
        assert "docs/checklist.md" in page.read_text("utf-8")


@each_notebook
def test_badges_open_this_notebook_of_this_repository(name):
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    repository, release = project["urls"]["Repository"].removeprefix("https://github.com/"), f"v{project['version']}"
    first = NOTEBOOKS[name].cells[0].source
    assert f"colab.research.google.com/github/{repository}/blob/{release}/notebooks/{name}.ipynb" in first
    assert f"mybinder.org/v2/gh/{repository}/{release}?urlpath=lab/tree/notebooks/{name}.ipynb" in first
