"""The ways in from a browser and out to others, imitated: no test here reaches Binder, Colab, GitHub or PyPI."""

import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import nbformat
import pytest
import yaml
from packaging.requirements import Requirement

import tasks
from tools import address, kernel, release
from tools import test as test_command

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
TAG = f"v{PROJECT['version']}"
REPOSITORY = address.current(ROOT)
README = (ROOT / "README.md").read_text("utf-8")
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))
WORKFLOWS = sorted((ROOT / ".github" / "workflows").iterdir())
each_notebook = pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)


def python(*words: str | Path, where: Path = ROOT) -> str:
    done = subprocess.run([sys.executable, *words], cwd=where, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_every_link_opens_the_release_that_the_first_cell_installs() -> None:
    texts = [README, *(path.read_text("utf-8") for path in NOTEBOOKS)]
    links = [re.findall(rf"{re.escape(REPOSITORY)}(?:@|/blob/|/)([\w.-]+)", text) for text in texts]
    assert links == [[TAG] * 3] * (1 + len(NOTEBOOKS))
    assert f"mybinder.org/v2/gh/{REPOSITORY}/{TAG}?urlpath=lab/tree/notebooks/00_start_here.ipynb)" in README
    assert f"codespaces.new/{REPOSITORY})" in README


@each_notebook
def test_the_closing_cell_says_to_shut_the_kernel_down(path: Path) -> None:
    last = nbformat.read(path, as_version=4).cells[-1].source
    assert re.search(r"shut this kernel down .*\(Kernel → Shut Down Kernel\)", last)


# Binder


@pytest.mark.skipif(sys.platform == "win32", reason="repo2docker does not run on Windows.")
def test_binder_builds_from_a_base_lock_and_installs_before_it_copies() -> None:
    options = ["--no-build", "--debug", "--user-id", "1000", "--user-name", "jovyan"]
    recipe = python("-m", "repo2docker", *options, ".")
    recipe = re.sub("-([0-9a-f]{2})", lambda escaped: chr(int(escaped[1], 16)), recipe)  # names of files are escaped
    steps = [
        r"/environment\.py-3\.11-linux-\w+\.lock",
        r"env update .*--file \"environment\.yml\"",
        r"^COPY .* src/ \$\{REPO_DIR\}/$",
        r"^RUN \./postBuild$",
    ]
    places = [re.search(step, recipe, re.MULTILINE) for step in steps]
    assert all(places), recipe
    assert [place.start() for place in places] == sorted(place.start() for place in places)


def test_binder_downloads_no_cuda() -> None:
    asked = (ROOT / "environment.yml").read_text("utf-8")
    assert "pytorch-cpu" in asked and not re.search("cuda|cudnn|nvidia|gpu", asked, re.IGNORECASE)


# Colab

PREINSTALLED = ["torch", "numpy", "pandas", "matplotlib", "scikit-learn", "tqdm", "ipykernel"]
PIP = """
import subprocess, sys
command, *options = sys.argv[1:]
assert command == "install" and "--no-deps" in options
assert [word for word in options if word.startswith("git+")] == [{address!r}]
pip = [{pip!r}, "-m", "pip", "--python", sys.executable]
sys.exit(subprocess.call([*pip, "install", "--no-index", "--no-deps", {wheel!r}]))
"""
"""In place of pip: it installs the wheel for the address, and has nothing else to offer, TorchMetrics neither."""


def with_what_they_need(names: list[str]) -> dict[str, metadata.Distribution]:
    """The installed distributions of these names, and all that they ask for."""
    found: dict[str, metadata.Distribution] = {}
    names = list(names)
    while names:
        name = re.sub(r"[-_.]+", "-", names.pop()).lower()
        if name in found:
            continue
        found[name] = metadata.distribution(name)
        asked = [Requirement(line) for line in found[name].requires or []]
        names += [one.name for one in asked if one.marker is None or one.marker.evaluate({"extra": ""})]
    return found


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    python("-m", "hatchling", "build", "-t", "wheel", "-d", folder)
    return next(folder.glob("*.whl"))


@pytest.fixture
def colab(tmp_path: Path, wheel: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A Python that has only what Colab has; the kernels of this test run in it."""
    venv = tmp_path / "venv"
    python("-m", "venv", "--without-pip", venv)
    (packages,) = venv.glob("lib/python*/site-packages")
    for distribution in with_what_they_need(PREINSTALLED).values():
        for top in {file.parts[0] for file in distribution.files or []} - {"..", "__pycache__"}:
            if not (packages / top).exists():
                (packages / top).symlink_to(distribution.locate_file(top))
    (packages / "google" / "colab").mkdir(parents=True)
    (packages / "google" / "colab" / "__init__.py").touch()
    (packages / "colab.pth").write_text("import google.colab\n")  # Colab's kernels have imported it, too
    (packages / "pip").mkdir()
    stand_in = PIP.format(address=f"git+{PROJECT['urls']['Repository']}@{TAG}", pip=sys.executable, wheel=str(wheel))
    (packages / "pip" / "__main__.py").write_text(stand_in)
    start = [
        str(venv / ("Scripts/python.exe" if sys.platform == "win32" else "bin/python")),
        "-m",
        "ipykernel_launcher",
        "-f",
        "{connection_file}",
    ]
    monkeypatch.setattr(kernel, "get_kernel_dict", lambda: {"argv": start, "display_name": "", "language": "python"})
    return packages


def printed(notebook: nbformat.NotebookNode) -> list[str]:
    outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    return "".join(output.text for output in outputs if output.output_type == "stream").splitlines()


@pytest.mark.skipif(sys.platform == "win32", reason="Links to installed packages need rights on Windows.")
@pytest.mark.parametrize(
    "path", [pytest.param(p, marks=[] if p is NOTEBOOKS[0] else pytest.mark.more, id=p.stem) for p in NOTEBOOKS]
)
def test_on_colab_the_single_file_is_enough(path: Path, colab: Path, tmp_path: Path) -> None:
    assert not (colab / "sdss_lesson").exists() and not (colab / "torchmetrics").exists()
    if path.stem == "07_beyond_one_machine":  # its processes need what the first cell asks pip for, and Colab gets
        for name in ("torchmetrics", "lightning_utilities"):
            (colab / name).symlink_to(Path(find_spec(name).origin).parent)
    content = tmp_path / "content"
    content.mkdir()
    shutil.copy(path, content)
    cleared = ["PYTHONPATH", "SDSS_LESSON_CSV", "SDSS_LESSON_SEED"]
    run = kernel.run(content / path.name, kernel.quiet_environment(cleared), content, record=True)
    assert run.error is None
    assert (colab / "sdss_lesson").is_dir()
    stored = {line for line in printed(nbformat.read(path, as_version=4)) if line.startswith("✓")}
    left_out = {line for line in stored if "TorchMetrics" in line}
    assert {f"✓ {text}" for text in run.texts("held")} == stored - left_out and stored > left_out
    assert not run.texts("not held")
    said = [line for line in printed(run.notebook) if "TorchMetrics is not installed" in line]
    assert len(said) == len(left_out) == (path.stem == "02_the_fix")


# The dev container, the workflows, the citation


def test_the_dev_container_sets_up_as_every_command_does(monkeypatch: pytest.MonkeyPatch) -> None:
    container = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text("utf-8"))
    assert [path.name for path in (ROOT / ".devcontainer").iterdir()] == ["devcontainer.json"]
    _, option, code = shlex.split(container["postCreateCommand"])
    done: list[Path] = []
    monkeypatch.setattr(tasks, "set_up", done.append)
    exec(code)
    assert option == "-c" and done == [ROOT]
    interpreter = container["customizations"]["vscode"]["settings"]["python.defaultInterpreterPath"]
    assert interpreter == "${containerWorkspaceFolder}/.venv/bin/python"
    assert container["image"].endswith(":" + PROJECT["requires-python"].removeprefix(">="))


@pytest.mark.parametrize(
    ("schema", "files"),
    [
        ("vendor.github-workflows", WORKFLOWS),
        ("vendor.citation-file-format", [ROOT / "CITATION.cff"]),
    ],
)
def test_it_is_valid_by_its_schema(schema: str, files: list[Path]) -> None:
    python("-m", "check_jsonschema", "--builtin-schema", schema, "--force-filetype", "yaml", *files)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_asks_for_little_and_calls_what_make_calls(path: Path) -> None:
    text = path.read_text("utf-8")
    workflow = yaml.safe_load(text)
    assert workflow["permissions"] == {"contents": "read"} and "secrets" not in text
    assert all(job["timeout-minutes"] <= 60 for job in workflow["jobs"].values())
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    assert all(re.fullmatch(r"[\w-]+/[\w-]+@v\d+", step["uses"]) for step in steps if "uses" in step)
    commands = [line for step in steps for line in step.get("run", "").splitlines()]
    makefile = (ROOT / "Makefile").read_text("utf-8")
    for command in commands:
        first, *words = command.split()
        if first == "make":
            assert re.search(rf"^[a-z -]*(?<![\w-]){words[0]}(?![\w-])[a-z -]*:", makefile, re.MULTILINE), command
        else:
            tool = re.match(r"python -m tools\.(\w+)", command)
            assert tool is None or tool[1] in tasks.COMMANDS
            assert tool or re.match(r"python -m pip install |uv pip install |pip-audit ", command), command


def test_the_matrix_covers_what_is_promised() -> None:
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "test.yml").read_text("utf-8"))["jobs"]
    matrix = jobs["others"]["strategy"]["matrix"]
    assert {system.partition("-")[0] for system in matrix["os"]} == {"ubuntu", "macos", "windows"}
    assert matrix["python"] == ["3.11", "3.12", "3.13", "3.14"]
    oldest = PROJECT["requires-python"].removeprefix(">=")
    assert [(job["versions"], job["python"]) for job in matrix["include"]] == [("lowest-direct", oldest)]
    (install,) = [step["run"] for step in jobs["others"]["steps"] if "uv pip" in step.get("run", "")]
    extras = set(re.search(r"\.\[(.*)\]", install)[1].split(","))
    assert extras == set(tasks.EXTRAS.split(",")) - {"lint"}


def test_lax_lets_the_claims_judge(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[list[str]] = []
    monkeypatch.setattr("subprocess.call", lambda command, **_: calls.append(command[3:]) or 0)
    test_command.main(["-x"])
    test_command.main(["--lax", "-x"])
    (tests, strict), (lax_tests, lax) = calls[:2], calls[2:]
    assert [word for word in lax_tests if word not in tests] == ["-o", "filterwarnings="]
    assert "--nbval" in strict and "--nbval-lax" in lax and "--nbval" not in lax
    assert all("-x" in call for call in calls)


# Releases


@pytest.fixture
def clone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The files of a release under an address of their own, committed."""
    names = ["pyproject.toml", "README.md", "CITATION.cff", "CHANGELOG.md", "LICENSE", "LICENSE-TEXT", ".gitignore"]
    for name in [*names, *(str(path.relative_to(ROOT)) for path in NOTEBOOKS), "data/sdss_sample.csv"]:
        copy = tmp_path / name
        copy.parent.mkdir(exist_ok=True)
        shutil.copyfile(ROOT / name, copy)
    shutil.copytree(ROOT / "sdss_lesson", tmp_path / "sdss_lesson", ignore=shutil.ignore_patterns("__pycache__"))
    address.rewrite(tmp_path, "me/it")
    for variable in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(variable, raising=False)
    monkeypatch.setattr(release, "ROOT", tmp_path)
    release.git(tmp_path, "init", "-q")
    commit(tmp_path)
    return tmp_path


def commit(clone: Path) -> None:
    me = ["-c", "user.name=me", "-c", "user.email=me@example.org", "-c", "commit.gpgsign=false"]
    release.git(clone, "add", "-A")
    release.git(clone, *me, "commit", "-q", "--no-verify", "-m", "x")


def dated(clone: Path, version: str) -> None:
    (clone / "CHANGELOG.md").write_text(f"# Changes\n\n## {version} (2030-01-31)\n", "utf-8")


@pytest.mark.more
def test_a_release_is_written_then_built_and_checked(clone: Path, capfd: pytest.CaptureFixture[str]) -> None:
    dated(clone, "1.2.3")
    commit(clone)
    assert release.main(["1.2.3"]) == 0
    assert "11 files say 1.2.3 now" in capfd.readouterr().out and not (clone / "dist").exists()
    assert TAG not in "".join(path.read_text("utf-8") for path in clone.glob("notebooks/*"))
    for name, line in {"pyproject.toml": 'version = "1.2.3"', "CITATION.cff": "version: 1.2.3"}.items():
        assert line in (clone / name).read_text("utf-8").splitlines()
    commit(clone)
    assert release.main(["1.2.3"]) == 0
    said = capfd.readouterr().out
    assert said.count("PASSED") == 2 and "git tag v1.2.3" in said
    assert {path.name for path in (clone / "dist").iterdir()} == {
        "sdss_lesson-1.2.3.tar.gz",
        "sdss_lesson-1.2.3-py3-none-any.whl",
    }


@pytest.mark.parametrize(
    ("version", "hindrance", "said"),
    [
        ("1.2.3", "placeholder", "tasks.py address OWNER/NAME"),
        ("1.2.3", "dirty", "not committed"),
        ("1.2.3", "tagged", "the next version"),
        ("1.2.3", "undated", "CHANGELOG.md lacks the line: ## 1.2.3 ("),
        ("v1.2.3", "", "is no version"),
        ("1.2", "", "is no version"),
        ("1.2.3", "no git", "from a clone"),
    ],
)
def test_a_release_is_refused_in_one_sentence(
    clone: Path, version: str, hindrance: str, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    dated(clone, "1.2.3 (unreleased)" if hindrance == "undated" else "1.2.3")
    if hindrance == "placeholder":
        address.rewrite(clone, "OWNER/below-random")
    commit(clone)
    if hindrance == "dirty":
        (clone / "new.txt").touch()
    if hindrance == "tagged":
        release.git(clone, "tag", "v1.2.3")
    if hindrance == "no git":
        (clone / ".git" / "HEAD").unlink()
    before = (clone / "pyproject.toml").read_bytes()
    assert release.main([version]) == 1
    error = capsys.readouterr().err
    assert said in error and error.count("\n") == 1
    assert (clone / "pyproject.toml").read_bytes() == before
