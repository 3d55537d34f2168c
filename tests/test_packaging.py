"""What is installed, from where, and what the archives hold."""

import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from itertools import chain
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
CONDA_NAMES = {"torch": "pytorch-cpu", "matplotlib": "matplotlib-base"}
LEFT_OUT = [".git", ".venv", "build", "dist", "my-notebooks", "__pycache__", ".*_cache", ".hypothesis"]
SAMPLE = "sdss_sample.csv"


def extra(name: str) -> list[str]:
    return PROJECT["optional-dependencies"][name]


def test_conda_is_asked_for_what_pip_is_asked_for() -> None:
    environment = yaml.safe_load((ROOT / "environment.yml").read_text("utf-8"))
    asked = {re.sub(r"^[a-z-]+", lambda m: CONDA_NAMES.get(m[0], m[0]), one) for one in PROJECT["dependencies"]}
    asked |= {*extra("lab"), *extra("test"), "pip", "python=3.11"}
    assert all(isinstance(one, str) for one in environment["dependencies"]), "a pip section"
    assert set(environment["dependencies"]) == asked
    assert environment["channels"] == ["conda-forge", "nodefaults"]


def test_binder_installs_nothing_but_the_package() -> None:
    lines = (ROOT / "postBuild").read_text("utf-8").splitlines()
    assert lines[0] == "#!/bin/bash -e"
    assert [line for line in lines if not line.startswith("#")] == ["pip install --no-deps .", "pip check"]


def test_the_pins_cover_what_is_asked_for() -> None:
    lines = (ROOT / "constraints.txt").read_text("utf-8").splitlines()
    pins = dict(line.lower().split("==") for line in lines if not line.startswith("#"))
    asked = [*PROJECT["dependencies"], *chain(*PROJECT["optional-dependencies"].values())]
    assert {re.match(r"[a-z0-9-]+", one)[0] for one in asked} <= set(pins)
    assert "+" not in "".join(pins.values()), "a local version cannot be had from every index"


def test_the_citation_names_this_version_and_place() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))
    assert citation["version"] == PROJECT["version"]
    assert citation["repository-code"] == PROJECT["urls"]["Repository"]
    assert " AND ".join(citation["license"]) == PROJECT["license"]


def python(where: Path, *words: str) -> None:
    done = subprocess.run([sys.executable, *words], cwd=where, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy of the project, with what a working copy gathers."""
    copy = tmp_path_factory.mktemp("archives") / "tree"
    shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*LEFT_OUT))
    for stray in (".venv/lib/x.py", "build/lesson/x.ipynb", "my-notebooks/x.ipynb", "sdss_lesson/__pycache__/x.pyc"):
        path = copy / stray
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return copy


def held(wheel: Path) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_wheel_carries_the_sample_and_the_sdist_builds_the_same_wheel(tree: Path, tmp_path: Path) -> None:
    python(tree, "-m", "build", "--no-isolation", "--outdir", str(tmp_path))  # the wheel out of the sdist
    (sdist,), (wheel,) = tmp_path.glob("*.tar.gz"), tmp_path.glob("*.whl")
    files = held(wheel)
    assert files[f"sdss_lesson/_data/{SAMPLE}"] == (ROOT / "data" / SAMPLE).read_bytes()
    packages = {name.partition("/")[0] for name in files}
    assert packages == {"sdss_lesson", f"sdss_lesson-{PROJECT['version']}.dist-info"}
    assert not any(name.endswith(".pyc") for name in files)
    assert {name.rpartition("/")[2] for name in files if "/licenses/" in name} == {"LICENSE", "LICENSE-TEXT"}

    with tarfile.open(sdist) as archive:
        names = [name.partition("/")[2] for name in archive.getnames()]
    assert not [name for name in names if re.match(r"\.venv/|build/|my-notebooks/|.*\.pyc$", name)]
    assert {"tasks.py", "constraints.txt", "data/mixtures.json", "tools/lesson.py", "CITATION.cff"} <= set(names)
    python(tree, "-m", "hatchling", "build", "-t", "wheel", "-d", str(tmp_path / "tree"))
    assert held(next((tmp_path / "tree").iterdir())) == files
    python(tree, "-m", "twine", "check", "--strict", str(sdist), str(wheel))


def test_an_editable_install_has_one_copy_of_the_sample(tree: Path, tmp_path: Path) -> None:
    python(tree, "-c", f"from hatchling.build import build_editable; build_editable({str(tmp_path)!r})")
    files = held(next(tmp_path.glob("*.whl")))
    assert not any(name.endswith(".csv") for name in files)
    assert [text.decode().strip() for name, text in files.items() if name.endswith(".pth")] == [str(tree)]
    assert list(tree.rglob(SAMPLE)) == [tree / "data" / SAMPLE]


def test_nothing_stands_in_the_way_of_the_environment_on_binder():
    # repo2docker takes any of these in place of environment.yml; it looks into no .devcontainer.
    for name in ("Dockerfile", "binder", ".binder"):
        assert not (ROOT / name).exists()
