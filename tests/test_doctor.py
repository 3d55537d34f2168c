"""What the doctor finds, and that nothing that is broken stops it."""

import getpass
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from importlib import metadata
from pathlib import Path
from types import SimpleNamespace

import jupyter_client.kernelspec
import psutil
import pytest

from sdss_lesson.__main__ import main
from sdss_lesson.support import doctor

ROOT = Path(__file__).resolve().parents[1]
SAMPLE = ROOT / "data" / "sdss_sample.csv"


@pytest.fixture(autouse=True)
def _healthy(monkeypatch, tmp_path):
    """A place of its own, on a machine with memory."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(doctor, "_venv", lambda: Path(".venv"))
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=4e9))


def table(text):
    """What was looked at: the mark and what was found, for every line."""
    rows = [line[2:-2].split(" | ") for line in text.partition("\n\n")[0].splitlines()]
    assert {len(row) for row in rows} == {3} and [field.strip() for field in rows[1]] == ["---"] * 3
    return {what.strip(): (mark.strip(), found) for mark, what, found in rows[2:]}


def test_where_nothing_is_wrong_the_code_is_0_and_the_table_fits_into_a_question(capsys):
    assert main(["doctor"]) == 0
    out, err = capsys.readouterr()
    found = table(out)
    assert err == "" and out.endswith("\nNothing is wrong.\n")
    for name in doctor.NEEDED:
        assert found[name] == ("ok", metadata.version(name))
    assert found["Python"][1].startswith(f"{sys.version_info[0]}.{sys.version_info[1]}.")
    rows = len(SAMPLE.read_text("utf-8").splitlines()) - 1
    checksum = doctor.SAMPLE_SHA256[:12]
    assert found["data"] == ("ok", f"sdss_sample.csv, the shipped sample: {rows} rows, SHA-256 {checksum}")
    assert found["memory"] == ("ok", "4.0 GB free")
    assert {"system", "sdss-lesson", "sample", "kernel", "folder"} < set(found)


def test_the_checksum_is_that_of_the_committed_sample():
    assert hashlib.sha256(SAMPLE.read_bytes()).hexdigest() == doctor.SAMPLE_SHA256


@pytest.mark.parametrize("name", [*doctor.NEEDED, *doctor.EXTRA])
def test_a_package_that_is_missing_is_a_line(monkeypatch, name):
    module = doctor.NEEDED.get(name) or doctor.EXTRA[name][0]
    monkeypatch.setattr(metadata, "version", lambda asked: not_installed(asked))
    monkeypatch.setitem(sys.modules, module, None)
    ok, text = doctor.examine()
    mark, found = table(text)[name]
    assert found.startswith(f"not installed: pip install {name}")
    assert (mark, ok) == (("-", True) if name in doctor.EXTRA else ("WRONG", False)), text


def not_installed(name):
    raise metadata.PackageNotFoundError(name)


@pytest.mark.parametrize(
    "code", ["raise SystemExit(3)", "1 / 0", "import no_such_module", "raise OSError('no | such DLL')"]
)
def test_a_package_that_is_broken_is_a_line(monkeypatch, code):
    Path("brokenpackage.py").write_text(code, "utf-8")
    monkeypatch.syspath_prepend(".")
    monkeypatch.setitem(doctor.NEEDED, "tqdm", "brokenpackage")
    ok, text = doctor.examine()
    mark, found = table(text)["tqdm"]
    assert not ok and mark == "WRONG" and text.endswith("\n\n1 line is marked WRONG; it says what to do.")
    assert re.fullmatch(r"\S+ cannot be imported \(.+: .+\): install it again, or delete \.venv", found)


def test_it_runs_where_the_package_cannot_be_imported():
    Path("torch").mkdir()
    Path("torch/__init__.py").write_text("raise OSError('no c10.dll')", "utf-8")
    environment = {**os.environ, "PYTHONPATH": str(Path().resolve())}
    command = [sys.executable, str(ROOT / "sdss_lesson" / "support" / "doctor.py")]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    found = table(done.stdout)
    assert done.returncode == 1 and done.stderr == ""
    # Python, too, where these tests run in a checkout with a .venv of its own
    assert {what for what, (mark, _) in found.items() if mark == "WRONG"} - {"Python"} == {"torch", "torchmetrics"}
    assert " lines are marked WRONG; each says what to do.\n" in done.stdout
    assert "OSError: no c10.dll" in found["torch"][1] and found["sample"][0] == "ok"


def test_a_look_that_fails_is_a_line(monkeypatch):
    monkeypatch.setattr(doctor.platform, "python_version", lambda: 1 / 0)
    ok, text = doctor.examine()
    assert not ok
    assert table(text)["python"] == ("WRONG", "could not be examined: ZeroDivisionError: division by zero")


@pytest.mark.parametrize(("prefix", "tasks", "mark"), [(".", True, "WRONG"), (".venv", True, "ok"), (".", False, "ok")])
def test_another_python_than_that_of_the_checkout_is_wrong(monkeypatch, prefix, tasks, mark):
    Path(".venv").mkdir()
    if tasks:
        Path("tasks.py").touch()
    monkeypatch.setattr(sys, "prefix", prefix)
    _, text = doctor.examine()
    found = table(text)["Python"]
    assert found[0] == mark
    python = r".venv\Scripts\python" if os.name == "nt" else ".venv/bin/python"
    assert found[1].endswith(f", not that of .venv: run {python} -m sdss_lesson doctor") == (mark == "WRONG")


# Which data


@pytest.fixture
def mine(monkeypatch):
    """A table of one's own, which SDSS_LESSON_CSV names."""
    Path("mine.csv").write_bytes(SAMPLE.read_bytes())
    monkeypatch.setenv("SDSS_LESSON_CSV", str(Path("mine.csv").resolve()))
    return Path("mine.csv")


def sidecar(**changes):
    notes = {"sha256": doctor.SAMPLE_SHA256, "release": 17, "seed": 3, "time": "2026-01-02T03:04:05+00:00", **changes}
    Path("mine.csv.json").write_text(json.dumps(notes), "utf-8")


def test_rows_of_ones_own_are_named_with_their_checksum(mine):
    lines = mine.read_text("utf-8").splitlines(keepends=True)[:501]
    mine.write_text("".join(lines), "utf-8")
    ok, text = doctor.examine()
    checksum = hashlib.sha256(mine.read_bytes()).hexdigest()[:12]
    assert ok and table(text)["data"] == ("ok", f"mine.csv (SDSS_LESSON_CSV): 500 rows, SHA-256 {checksum}")
    assert "data, origin" not in table(text) and table(text)["sample"][0] == "ok"


def test_fetched_rows_are_named_with_their_origin(mine):
    sidecar()
    ok, text = doctor.examine()
    assert ok
    assert table(text)["data, origin"] == ("ok", "SDSS Data Release 17, seed 3, 2026-01-02T03:04:05+00:00")


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        (None, "mine.csv is not the file that mine.csv.json speaks of: python -m sdss_lesson fetch --out mine.csv"),
        ("{", "mine.csv.json cannot be read: python -m sdss_lesson fetch --out mine.csv"),
        ("[]", "mine.csv.json cannot be read"),
        ("{}", "mine.csv.json cannot be read"),
    ],
)
def test_a_sidecar_that_does_not_fit_is_wrong(mine, text, sentence):
    sidecar(sha256="0" * 64)
    if text is not None:
        Path("mine.csv.json").write_text(text, "utf-8")
    ok, told = doctor.examine()
    mark, found = table(told)["data, origin"]
    assert not ok and mark == "WRONG" and found.startswith(sentence)


@pytest.mark.parametrize(
    ("content", "sentence"),
    [(None, "FileNotFoundError: There is no file mine.csv"), (b"", "mine.csv is empty."), (b"a,b\n1,2\n", "no column")],
)
def test_rows_that_cannot_be_read_are_wrong(mine, content, sentence):
    mine.unlink()
    if content is not None:
        mine.write_bytes(content)
    ok, text = doctor.examine()
    mark, found = table(text)["data"]
    assert not ok and mark == "WRONG" and sentence in found and found.endswith("Or unset SDSS_LESSON_CSV.")


def test_what_load_sdss_warns_of_is_told(mine):
    lines = mine.read_text("utf-8").splitlines()
    fields = lines[1].split(",")
    fields[3] = "-9999"
    mine.write_text("\n".join([lines[0], ",".join(fields), *lines[2:]]) + "\n", "utf-8")
    ok, text = doctor.examine()
    assert ok and table(text)["data, note"][1].startswith("mine.csv: dropped 1 of")


@pytest.mark.parametrize(("content", "word"), [(None, "missing"), (SAMPLE.read_bytes() + b"\n", "changed")])
def test_a_sample_that_is_not_the_shipped_one_is_wrong(monkeypatch, mine, content, word):
    Path("sdss_sample.csv").write_bytes(content or b"")
    if content is None:
        Path("sdss_sample.csv").unlink()
    monkeypatch.setattr(doctor, "_sample_file", lambda: Path("sdss_sample.csv"))
    ok, text = doctor.examine()
    mark, found = table(text)["sample"]
    assert not ok and mark == "WRONG" and word in found and "git checkout data/sdss_sample.csv" in found


# Whether notebooks can run


@pytest.mark.parametrize(
    ("python", "mark", "sentence"),
    [
        (sys.executable, "ok", "python3 starts this Python"),
        ("python", "ok", "python3 starts this Python"),
        ("{here}/gone/python", "WRONG", "python3 starts a Python that is gone: python -m ipykernel"),
        ("{here}/python", "WRONG", "python3 starts another Python than this one: python -m ipykernel"),
    ],
)
def test_the_kernel_must_start_this_python(monkeypatch, python, mark, sentence):
    Path("python").touch(mode=0o755)
    spec = SimpleNamespace(argv=[python.format(here=Path().resolve())])
    monkeypatch.setattr(jupyter_client.kernelspec.KernelSpecManager, "get_kernel_spec", lambda *_: spec)
    _, text = doctor.examine()
    assert table(text)["kernel"][0] == mark and table(text)["kernel"][1].startswith(sentence)


def test_no_kernel_is_wrong(monkeypatch):
    def none(_, name):
        raise jupyter_client.kernelspec.NoSuchKernel(name)

    monkeypatch.setattr(jupyter_client.kernelspec.KernelSpecManager, "get_kernel_spec", none)
    ok, text = doctor.examine()
    assert not ok and table(text)["kernel"][1].startswith("no kernel python3 (NoSuchKernel: ")


def test_little_memory_is_wrong(monkeypatch):
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=9e8))
    ok, text = doctor.examine()
    sentence = "0.9 GB free, and a notebook takes up to 1 GB: close other programs and kernels"
    assert not ok and table(text)["memory"] == ("WRONG", sentence)


def test_memory_for_all_notebooks_but_one_is_told(monkeypatch):
    monkeypatch.setattr(psutil, "virtual_memory", lambda: SimpleNamespace(available=1.2e9))
    sentence = "1.2 GB free: enough for every notebook but 07, which takes up to 2 GB"
    assert table(doctor.examine()[1])["memory"] == ("ok", sentence)


def test_without_psutil_the_memory_that_is_needed_is_told(monkeypatch):
    monkeypatch.setitem(sys.modules, "psutil", None)
    sentence = "psutil could not tell; a notebook takes up to 1 GB, 07 up to 2"
    assert table(doctor.examine()[1])["memory"] == ("-", sentence)


def test_a_folder_that_cannot_be_written_to_is_wrong(monkeypatch):
    def refuse(**_):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(tempfile, "TemporaryFile", refuse)
    ok, text = doctor.examine()
    assert not ok and table(text)["folder"][1].startswith("this one cannot be written to (Read-only file system): work")


# No names


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("{home}/lesson/rows.csv is empty", "~/lesson/rows.csv is empty"),
        ("{here}/rows.csv is empty", "./rows.csv is empty"),
        ("in /home/jane/x", "in ~/x"),
        ("in /Users/jane.doe/x", "in ~/x"),
        (r"in C:\Users\Jane\x", r"in ~\x"),
        ("two\nlines | one", "two lines / one"),
    ],
)
def test_no_folder_of_a_person_is_named(monkeypatch, tmp_path, text, plain):
    home = tmp_path.parent / "jane"
    monkeypatch.setattr(Path, "home", lambda: home)
    assert doctor._nameless(text.format(home=home, here=tmp_path)) == plain


def test_a_home_or_folder_at_the_root_changes_nothing(monkeypatch):
    monkeypatch.chdir("/")
    monkeypatch.setattr(Path, "home", lambda: Path("/"))
    assert doctor._nameless("a/b") == "a/b"


def test_the_table_names_no_home(monkeypatch, tmp_path):
    home = tmp_path / "jane"
    home.mkdir()
    monkeypatch.setattr(Path, "home", lambda: home)
    monkeypatch.setenv("SDSS_LESSON_CSV", str(home / "rows.csv"))
    (home / "rows.csv").write_text("a;b\n", "utf-8")
    _, text = doctor.examine()
    assert "jane" not in text and "its separator is a semicolon" in text
    assert f"/{getpass.getuser()}/" not in text
