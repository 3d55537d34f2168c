"""Checked sentences, and what the package promises as a whole: cheap to import, explained, with examples that run."""

import ast
import doctest
import importlib
import inspect
import json
import math
import os
import pkgutil
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

import sdss_lesson
from sdss_lesson import claim, lesson_seed


@pytest.mark.parametrize("true", [True, np.True_, np.array([1]) > 0, torch.tensor(True), torch.ones(1) > 0])
def test_a_claim_that_holds_gets_a_tick(capsys, true):
    claim("It is so.", true, margin=0.1)
    assert capsys.readouterr().out == "✓ It is so.\n"


@pytest.mark.parametrize("false", [False, np.False_, torch.tensor(False)])
def test_a_claim_that_does_not_hold_raises(capsys, false):
    with pytest.raises(AssertionError, match="does not hold here: It is so"):
        claim("It is so.", false, margin=-0.1)
    assert "✓" not in capsys.readouterr().out


@pytest.mark.parametrize("condition", [True, False])
def test_a_claim_that_cannot_be_shown_says_so_and_no_more(capsys, condition):
    claim("It is so.", condition, only_if=False)
    assert capsys.readouterr().out == "– cannot be shown on these rows: It is so.\n"


@pytest.mark.parametrize(
    "condition", [1, 0.5, "yes", None, [True, True], np.array([True, False]), torch.tensor([True] * 2)]
)
def test_a_claim_needs_one_truth_value(condition):
    with pytest.raises(TypeError, match=r"one truth value.*all\(\) or any\(\)"):
        claim("It is so.", condition)


def test_outcomes_are_recorded_and_then_nothing_raises(capsys, monkeypatch, tmp_path):
    file = tmp_path / "claims.jsonl"
    monkeypatch.setenv("SDSS_LESSON_CLAIMS", str(file))
    monkeypatch.setenv("SDSS_LESSON_NOTEBOOK", "01_the_broken_loop")
    claim("größer als null", True, margin=np.float64(0.25))
    claim('two\nlines, "quoted"', np.False_, margin=torch.tensor(-2))
    monkeypatch.delenv("SDSS_LESSON_NOTEBOOK")
    claim("no rows", False, only_if=False)
    claim("no number", True, margin=math.inf)
    assert [json.loads(line) for line in file.read_text("utf-8").splitlines()] == [
        {"notebook": "01_the_broken_loop", "text": "größer als null", "outcome": "held", "margin": 0.25},
        {"notebook": "01_the_broken_loop", "text": 'two\nlines, "quoted"', "outcome": "not held", "margin": -2.0},
        {"notebook": "", "text": "no rows", "outcome": "not shown", "margin": None},
        {"notebook": "", "text": "no number", "outcome": "held", "margin": math.inf},
    ]
    out = capsys.readouterr().out
    assert out.startswith("✓ größer als null\n✗ two\nlines")
    assert "– cannot be shown on these rows: no rows" in out


def test_without_the_variable_nothing_is_recorded(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    claim("It is so.", True)
    assert list(tmp_path.iterdir()) == []


def test_the_seed_of_the_lesson_is_0_or_what_the_reader_says(monkeypatch):
    assert lesson_seed() == 0
    for text, seed in [("", 0), ("0", 0), ("4", 4), ("12", 12)]:
        monkeypatch.setenv("SDSS_LESSON_SEED", text)
        assert lesson_seed() == seed
    for text in ["x", "-1", "1.5"]:
        monkeypatch.setenv("SDSS_LESSON_SEED", text)
        with pytest.raises(ValueError, match="Set it to a whole number"):
            lesson_seed()


# The package as a whole

MODULES = ["sdss_lesson", *(m.name for m in pkgutil.walk_packages(sdss_lesson.__path__, "sdss_lesson."))]
PUBLIC = {name: getattr(sdss_lesson, name) for name in sdss_lesson.__all__}
CALLABLE = {name: thing for name, thing in PUBLIC.items() if inspect.isfunction(thing) or inspect.isclass(thing)}


def test_import_loads_nothing_heavy_and_sets_no_global_state():
    code = """
import random, sys
import numpy as np, torch
before = torch.get_default_dtype(), torch.get_rng_state(), random.getstate(), torch.is_grad_enabled()
threads, numpy_state = torch.get_num_threads(), np.random.get_state()[1].copy()
import sdss_lesson
heavy = "sklearn", "scipy", "matplotlib", "torchmetrics", "IPython", "astroquery", "requests"
print([name for name in heavy if name in sys.modules])
after = torch.get_default_dtype(), torch.get_rng_state(), random.getstate(), torch.is_grad_enabled()
same = before[0] is after[0] and torch.equal(before[1], after[1]) and before[2:] == after[2:]
print(same and threads == torch.get_num_threads() and (numpy_state == np.random.get_state()[1]).all())
"""
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert out.stdout.split("\n")[:2] == ["[]", "True"]
    assert out.stderr == ""


@pytest.mark.parametrize("name", MODULES)
def test_the_examples_in_the_docstrings_run(name):
    module = importlib.import_module(name)
    assert module.__doc__
    names = {"np": np, "torch": torch, **PUBLIC}
    results = doctest.testmod(module, extraglobs=names)
    assert results.failed == 0


def test_the_front_page_is_the_list_of_public_names():
    assert sorted(sdss_lesson.__all__) == sorted(set(sdss_lesson.__all__))
    wanted = "load_sdss split_by_object CLASSES FEATURES SDSSDataset NeuralNet fit History evaluate Evaluation claim"
    assert set(wanted.split()) <= set(sdss_lesson.__all__)
    shown = {name for name in dir(sdss_lesson) if not name.startswith("_")}
    rooms = {module.removeprefix("sdss_lesson.") for module in MODULES}
    assert set(sdss_lesson.__all__) <= shown <= {*sdss_lesson.__all__, *rooms, "import_module", "TYPE_CHECKING", "Any"}
    with pytest.raises(AttributeError, match="has no attribute 'evaluat'"):
        sdss_lesson.evaluat  # noqa: B018


def members(thing):
    """The functions to look at: the thing itself, or what a class defines in public."""
    if inspect.isfunction(thing):
        return {thing.__name__: thing}
    return {
        name: member.fget if isinstance(member, property) else member
        for name, member in vars(thing).items()
        if not name.startswith("_") and (inspect.isfunction(member) or isinstance(member, property))
    }


@pytest.mark.parametrize("name", CALLABLE)
def test_public_names_are_explained_and_annotated(name):
    thing = CALLABLE[name]
    assert inspect.getdoc(thing)
    for key, function in members(thing).items():
        assert inspect.getdoc(function), key
        signature = inspect.signature(function)
        assert signature.return_annotation is not inspect.Signature.empty, key
        for parameter in signature.parameters.values():
            assert parameter.name == "self" or parameter.annotation is not inspect.Parameter.empty, (key, parameter)


@pytest.mark.parametrize(
    ("name", "signature"),
    [
        ("split_by_object", "(frame, *, test_size=0.2, val_size=0.2, seed=0)"),
        ("SDSSDataset", "(frame, *, features=['u', 'g', 'r', 'i', 'z'], scaler=None)"),
        ("NeuralNet", "(input_size, hidden_size, num_classes)"),
        ("fit", "(model, train_loader, *, epochs, lr=0.001, val_data=None)"),
        ("evaluate", "(model, data, *, batch_size=None, device=None)"),
        ("shard", "(dataset, rank, world_size)"),
        ("claim", "(text, condition, *, margin=None, only_if=True)"),
    ],
)
def test_signatures_are_those_that_were_agreed_on(name, signature):
    found = inspect.signature(PUBLIC[name])
    plain = [p.replace(annotation=inspect.Parameter.empty) for p in found.parameters.values() if p.name != "self"]
    assert str(inspect.Signature(plain)) == signature


CORE = {"catalog", "split", "model", "dataset", "evaluation", "training"}
GUARDS = {"_checks", "_csv", "_sky", "_tensors", "_fast"}
MAY_IMPORT = {
    **dict.fromkeys(CORE, CORE | GUARDS | {"support.progress"}),
    **dict.fromkeys(GUARDS, CORE | GUARDS),
    "support": CORE | {"support"},
    "scale": CORE | {"scale", "_checks", "support.files"},
    "mistakes": CORE | {"mistakes"},
    "auditing": CORE | GUARDS | {"mistakes", "auditing"},
    "plots": CORE | {"plots"},
}
INSIDE = {("evaluation", "scale.distributed")}
"""Imports inside a function, of what not everybody has or needs."""


@pytest.mark.parametrize("room", sorted(MAY_IMPORT))
def test_imports_go_one_way(room):
    place = Path(sdss_lesson.__path__[0], room)
    files = sorted(place.glob("*.py")) or [place.with_suffix(".py")]
    nodes = [node for file in files for node in ast.walk(ast.parse(file.read_text("utf-8")))]
    froms = [node for node in nodes if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sdss_")]
    for module in {node.module.removeprefix("sdss_lesson.") for node in froms}:
        known = module in MAY_IMPORT[room] or module.split(".")[0] in MAY_IMPORT[room]
        assert known or (room, module) in INSIDE, f"{room} imports {module}"
    assert not [alias.name for node in froms for alias in node.names if alias.name.startswith("_")]


def test_the_core_is_imported_in_one_order():
    """Without a circle: each of these rooms can be read when those before it are known."""
    order = ["_checks", "_tensors", "_csv", "_sky", "catalog", "split", "model", "dataset", "_fast", "evaluation"]
    for number, room in enumerate([*order, "training"]):
        source = Path(sdss_lesson.__path__[0], f"{room}.py").read_text("utf-8")
        known = {f"sdss_lesson.{name}" for name in order[:number]} | {"sdss_lesson.support.progress"}
        top = [node for node in ast.parse(source).body if isinstance(node, ast.ImportFrom)]
        assert {node.module for node in top if "sdss_lesson" in str(node.module)} <= known, room


def test_no_test_sees_the_readers_settings():
    assert not {"SDSS_LESSON_CSV", "SDSS_LESSON_SEED", "SDSS_LESSON_CLAIMS"} & set(os.environ)


@pytest.mark.parametrize("page", ["README.md", "docs/api.md"])
def test_every_page_names_the_rooms_in_the_same_order(page):
    def order(text):
        return [line for line in text.splitlines() if line[:3] in {f"{number}. " for number in range(1, 6)}]

    found = order((Path(__file__).parents[1] / page).read_text("utf-8"))
    assert len(found) == 5 and found == order(sdss_lesson.__doc__)
    rooms = {path.stem for path in Path(sdss_lesson.__path__[0]).iterdir() if path.stem[:2] not in {"__", "_d", "py"}}
    assert rooms == set(re.findall(r"`(\w+)`", "".join(found)))
