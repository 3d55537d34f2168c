"""The command line: what is on stdout, what on stderr, and the exit code."""

import json
import os
import subprocess
import sys
from itertools import count
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from sdss_lesson.__main__ import main

ROOT = Path(__file__).resolve().parents[1]
RIGHT = "from sdss_lesson import evaluate\n"
PERCENT = RIGHT + "per_cent = lambda model, loader: 100 * evaluate(model, loader).accuracy\n"
WRONG = "from sdss_lesson.mistakes.too_low import hits_overwritten as evaluate\n"
numbers = count()


@pytest.fixture(autouse=True)
def _own_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))


def module(code):
    """Its name; each is another one, since a module is imported once."""
    name = f"module_{next(numbers)}"
    Path(f"{name}.py").write_text(code, "utf-8")
    return name


def told(capsys, *words):
    code = main(words)
    out, err = capsys.readouterr()
    return code, out, err


def tables(**frames):
    for name, frame in frames.items():
        frame.to_csv(f"{name}.csv", index=False)
    return "train.csv", "test.csv"


def run(*words, **settings):
    environment = {**os.environ, "PYTHONPATH": str(ROOT), **settings}
    command = [sys.executable, "-m", "sdss_lesson", *words]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False)


def test_alone_it_prints_help(capsys):
    code, out, err = told(capsys)
    assert code == 0 and err == ""
    assert "audit-split" in out and "python -m sdss_lesson" in out
    assert "1 where a mistake was found or no rows came, 2 where" in " ".join(out.split())


# audit


def test_a_right_function_gives_0_and_a_wrong_one_1(capsys):
    assert told(capsys, "audit", f"{module(RIGHT)}:evaluate") == (
        0,
        "No mistake found: the right accuracy came back.\n",
        "",
    )
    code, out, err = told(capsys, "audit", f"{module(WRONG)}:evaluate")
    assert (code, err) == (1, "")
    assert out.startswith("Do not trust this function. What is wrong: counter-overwritten or counter-reset.\n")


def test_a_function_in_a_package_or_a_class_is_found(capsys):
    Path("package").mkdir()
    Path("package/inside.py").write_text(RIGHT + "class Test:\n    run = staticmethod(evaluate)\n", "utf-8")
    assert told(capsys, "audit", "package.inside:Test.run")[0] == 0


def test_json_says_the_same(capsys):
    code, out, err = told(capsys, "audit", f"{module(WRONG)}:evaluate", "--json")
    found = json.loads(out)
    assert (code, err) == (1, "")
    assert list(found) == ["ok", "mistakes", "advice", "error", "evidence"]
    assert found["ok"] is False and found["mistakes"] == ["counter-overwritten", "counter-reset"]
    assert list(found["evidence"][0]) == ["probe", "right", "received", "predicted"]
    assert found["evidence"][0]["received"] == pytest.approx(3 / 75)


def test_json_has_null_where_no_number_came(capsys):
    code = """
def evaluate(model, loader):
    if len(loader) == 1:
        raise KeyError("one")
    return 0.5
"""
    _, out, _ = told(capsys, "audit", f"{module(code)}:evaluate", "--json")
    found = json.loads(out, parse_constant=pytest.fail)
    assert None in [row["received"] for row in found["evidence"]]
    assert found["error"] == "KeyError: 'one'"


@pytest.mark.parametrize(("scale", "code"), [([], 0), (["--scale", "percent"], 0), (["--scale", "fraction"], 1)])
def test_the_scale_is_handed_on(capsys, scale, code):
    assert told(capsys, "audit", f"{module(PERCENT)}:per_cent", *scale)[0] == code


@pytest.mark.parametrize(
    ("code", "name", "message"),
    [
        (None, "mine.evaluate", "'mine.evaluate' names no function. Write file:function, such as mine:evaluate for"),
        (None, "foo:bar", "No module named 'foo'. Run this in the folder that holds foo.py, or install your project."),
        (None, "foo.bar:it", "No module named 'foo'. Run this in the folder that holds foo/bar.py, or install your"),
        ("import foo", ":it", "No module named 'foo'. Run this with the Python of your project.\n"),
        (None, "train.py:evaluate", "Write file:function, "),
        (None, "folder/train:evaluate", "Write file:function, "),
        (None, ":evaluate", "names no function"),
        (RIGHT, ":", "names no function"),
        (RIGHT, ":evaluat", "has no 'evaluat'. Check the spelling."),
        ("1 / 0", ":evaluate", "cannot be imported: ZeroDivisionError: division by zero"),
        ("def (", ":evaluate", "cannot be imported: SyntaxError: "),
        ("raise ValueError('a\\n b')", ":evaluate", "cannot be imported: ValueError: a b\n"),
        ("import sys; sys.exit()", ":evaluate", "below: if __name__ == '__main__':"),
        ("evaluate = 3", ":evaluate", "audit() examines a function"),
        ("def evaluate(model, loader): 1 / 0", ":evaluate", "Its last line: ZeroDivisionError: division by zero"),
        ("def evaluate(model, loader): exit()", ":evaluate", "ended the program"),
        ("def evaluate(model, loader): return 1, 2", ":evaluate", "returned a tuple"),
    ],
)
def test_what_could_not_run_gives_2_and_one_sentence(capsys, code, name, message):
    name = name if code is None else module(code) + name
    code, out, err = told(capsys, "audit", name, "--json")
    assert (code, out) == (2, "")
    assert message in err and err.count("\n") == 1 and "Traceback" not in err


def test_wrong_words_give_2(capsys):
    for words in (["audit"], ["audit", "a:b", "--scale", "x"], ["audit-split", "a.csv"], ["fly"]):
        with pytest.raises(SystemExit) as stopped:
            main(words)
        assert stopped.value.code == 2
        assert capsys.readouterr().out == ""


def test_nothing_that_the_audited_code_prints_gets_into_the_report():
    noise = """
import atexit, logging, os, sys
print("import")
os.system("echo subprocess")
os.write(1, b"descriptor\\n")
logging.basicConfig(stream=sys.stdout)
logging.warning("log")
atexit.register(print, "goodbye")
sys.stdout = sys.stderr
from sdss_lesson.mistakes.too_low import hits_overwritten
def evaluate(model, loader):
    os.write(1, b"call\\n")
    return hits_overwritten(model, loader)
"""
    done = run("audit", f"{module(noise)}:evaluate", "--json")
    assert done.returncode == 1
    assert json.loads(done.stdout)["mistakes"] == ["counter-overwritten", "counter-reset"]
    for word in ("import", "subprocess", "descriptor", "log", "goodbye", "call"):
        assert word in done.stderr


@pytest.mark.parametrize("safe_path", ["", "1"])
def test_the_current_folder_is_searched(safe_path):
    name = module(RIGHT)
    done = run("audit", f"{name}:evaluate", PYTHONSAFEPATH=safe_path)
    assert (done.returncode, done.stderr) == (0, "")


def test_ctrl_c_gives_130_and_one_word(capsys):
    code = "def evaluate(model, loader): raise KeyboardInterrupt"
    assert told(capsys, "audit", f"{module(code)}:evaluate") == (130, "", "Interrupted.\n")


# audit-split


def test_exports_are_read_as_they_come(capsys, sample):
    for name, part in (("train", sample[:300]), ("test", sample[200:400])):
        Path(f"{name}.csv").write_text("#Table1\n" + part.to_csv(index=False), "utf-8")
    code, out, _ = told(capsys, "audit-split", "train.csv", "test.csv")
    assert code == 1 and "objects by objid" in out and "100 of 200 test rows" in out


BIG = 1237680297268019748  # as a float it is the same as its neighbours


def patients(ids, seed=0):
    """Other features for another seed."""
    a, b = np.random.default_rng(seed).normal(size=(2, len(ids)))
    return pd.DataFrame({"patient": ids, "a": a, "b": b})


def test_a_clean_split_gives_0_and_a_leak_1(capsys):
    files = tables(train=patients(range(8)), test=patients(range(4, 12), 1))
    code, out, err = told(capsys, "audit-split", *files)
    assert (code, err) == (0, "") and out.startswith("No leak found")
    for name in ("audit-split", "audit_split"):
        code, out, err = told(capsys, name, *files, "--keys", "patient")
        assert (code, err) == (1, "") and out.startswith("Leak: 4 of 8 test rows")


def test_keys_before_the_files_are_told_where_they_belong(capsys):
    with pytest.raises(SystemExit):
        main(["audit-split", "--keys", "patient", "train.csv", "test.csv"])
    assert "audit-split train.csv test.csv [--keys NAME ...] [--json]\n" in capsys.readouterr().err


def test_json_of_a_split_has_the_rows(capsys):
    files = tables(train=patients(range(8)), test=patients(range(6, 12), 1).assign(label="x"))
    code, out, _ = told(capsys, "audit-split", *files, "--keys", "patient", "--json")
    found = json.loads(out)
    assert code == 1 and found["ok"] is False
    assert (found["n_train"], found["n_test"], found["share"]) == (8, 6, pytest.approx(1 / 3))
    assert [(each["finding"], each["test_rows"]) for each in found["findings"]] == [("shared object", 2)]
    assert found["rows"] == [
        {"test_row": 0, "finding": "shared object", "train_row": 6},
        {"test_row": 1, "finding": "shared object", "train_row": 7},
    ]
    assert "classes" not in found and found["compared"] and found["notes"] == []


def test_json_of_a_split_has_the_classes_where_both_have_them(capsys):
    labels = ["STAR", "QSO"] * 4
    files = tables(train=patients(range(8)).assign(label=labels), test=patients(range(8), 1).assign(label=labels))
    code, out, _ = told(capsys, "audit-split", *files, "--json")
    assert code == 0
    assert json.loads(out)["classes"] == [{"class": name, "train": 0.5, "test": 0.5} for name in ("QSO", "STAR")]


@pytest.mark.parametrize("gap", ["none", "train", "test", "both"])
@pytest.mark.parametrize("big", [BIG, 2**64 - 20, 10**22])
def test_ids_of_64_bits_survive_even_with_a_gap(capsys, gap, big):
    train, test = ([str(big + n) for n in ids] for ids in (range(8), [7, *range(8, 15)]))
    if gap in ("train", "both"):
        train[3] = ""
    if gap in ("test", "both"):
        test[3] = ""
    files = tables(train=patients(train), test=patients(test, 1))
    code, out, _ = told(capsys, "audit-split", *files, "--keys", "patient", "--json")
    assert code == 1
    assert [(row["test_row"], row["train_row"]) for row in json.loads(out)["rows"]] == [(0, 7)]


def test_short_ids_that_pandas_made_floats_still_match_whole_ones(capsys):
    files = tables(train=patients([1.0, None, 3.0, 4.0]), test=patients([3, 5, 6, 7], 1))
    assert told(capsys, "audit-split", *files, "--keys", "patient")[0] == 1


@pytest.mark.parametrize(
    ("content", "words", "message"),
    [
        (None, [], "train.csv cannot be read as CSV: No such file or directory."),
        (b"", [], "train.csv cannot be read as CSV: No columns to parse"),
        (b"\xff\xfe\x00", [], "train.csv cannot be read as CSV: "),
        (b'a,b\n1,"2\n', [], "train.csv cannot be read as CSV: "),
        (b"a,b\n", [], "train has no rows"),
        (b"a,b\n1,2\n", ["--keys", "patient"], "keys: train has no column 'patient'"),
    ],
)
def test_tables_that_cannot_be_read_give_2_and_one_sentence(capsys, content, words, message):
    patients(range(3)).to_csv("test.csv", index=False)
    if content is not None:
        Path("train.csv").write_bytes(content)
    code, out, err = told(capsys, "audit-split", "train.csv", "test.csv", "--json", *words)
    assert (code, out) == (2, "")
    assert message in err and err.count("\n") == 1
