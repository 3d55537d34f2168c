"""What every test may use, and the state that no test may leave behind."""

import os
import random
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from hypothesis import HealthCheck, settings

from sdss_lesson import Split, load_sdss, split_by_object
from tools import harder

# The reader's own settings change no test.
for name in ["SDSS_LESSON_CSV", "SDSS_LESSON_SEED", "SDSS_LESSON_CLAIMS", "SDSS_LESSON_NOTEBOOK"]:
    os.environ.pop(name, None)

settings.register_profile(
    "lesson", max_examples=40, deadline=None, derandomize=True, suppress_health_check=list(HealthCheck)
)
settings.load_profile("lesson")


MANY_PROCESSES = {"test_distributed", "test_parquet", "test_interruptions"}


@pytest.hookimpl(tryfirst=True)  # before pytest-xdist reads the marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Tests that start many processes go to one worker, so that no two of them meet."""
    for item in items:
        if item.path.stem in MANY_PROCESSES or "07_beyond" in item.name:
            item.add_marker(pytest.mark.xdist_group("many processes"))


@pytest.fixture(autouse=True)
def _clean_state() -> Iterator[None]:
    """No test changes the next one."""
    states = torch.get_rng_state(), np.random.get_state(), random.getstate()  # noqa: NPY002
    dtype, grad = torch.get_default_dtype(), torch.is_grad_enabled()
    yield
    torch.set_default_dtype(dtype)
    torch.set_grad_enabled(grad)
    torch.set_rng_state(states[0])
    np.random.set_state(states[1])  # noqa: NPY002
    random.setstate(states[2])


@pytest.fixture(scope="session")
def real_csv() -> Path:
    """A real SkyServer export."""
    named = os.environ.get("SDSS_LESSON_REAL_CSV", "")
    if not named or not Path(named).is_file():
        sentence = "SDSS_LESSON_REAL_CSV names no file, so nothing is tested on real SDSS rows."
        if os.environ.get("SDSS_LESSON_INSIST"):
            pytest.fail(sentence)
        pytest.skip(sentence)
    return Path(named).resolve()


@pytest.fixture(scope="session")
def harder_csv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mock survey on which everything is harder: every claim of the lesson holds there, too."""
    return harder.write(tmp_path_factory.mktemp("harder") / "harder.csv")


@pytest.fixture(scope="session")
def _sample() -> pd.DataFrame:
    return load_sdss()


@pytest.fixture
def sample(_sample: pd.DataFrame) -> pd.DataFrame:
    """The shipped sample, a fresh copy for each test."""
    return _sample.copy()


@pytest.fixture
def split(sample: pd.DataFrame) -> Split:
    """The shipped sample, split."""
    return split_by_object(sample)
