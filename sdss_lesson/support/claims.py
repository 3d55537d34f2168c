"""Sentences of the lesson that are checked each time it runs."""

import json
import os
from pathlib import Path

import numpy as np
import torch


def claim(
    text: str, condition: bool | np.bool_ | torch.Tensor, *, margin: float | None = None, only_if: bool = True
) -> None:
    """Print `text` with a tick if `condition` holds, and raise if it does not.

    Parameters
    ----------
    text
        What the lesson says.
    condition
        Whether it is so: one truth value.
    margin
        By how much, where that can be said. It is recorded and not printed.
    only_if
        False where the rows at hand cannot show it (too few of them, say). The claim then says so, and nothing more.

    Raises
    ------
    AssertionError
        When the condition is false. With the environment variable ``SDSS_LESSON_CLAIMS`` naming a file, the outcome
        is appended there as a line of JSON instead, and nothing raises.
    TypeError
        When the condition is not one truth value.

    Examples
    --------
    >>> claim("Two halves make a whole.", 0.5 + 0.5 == 1)
    ✓ Two halves make a whole.
    """
    truth = np.asarray(condition.cpu() if isinstance(condition, torch.Tensor) else condition)
    if truth.dtype != np.bool_ or truth.size != 1:
        raise TypeError(f"A claim needs one truth value, not {condition!r}. Reduce it with all() or any().")
    outcome = "not shown" if not only_if else "held" if truth.item() else "not held"
    record = os.environ.get("SDSS_LESSON_CLAIMS")
    if record:
        entry = {
            "notebook": os.environ.get("SDSS_LESSON_NOTEBOOK", ""),
            "text": text,
            "outcome": outcome,
            "margin": None if margin is None else float(margin),
        }
        with Path(record).open("a", encoding="utf-8") as file:
            file.write(json.dumps(entry, ensure_ascii=False) + "\n")
    if outcome == "not held" and not record:
        raise AssertionError(f"This does not hold here: {text}")
    print({"held": "✓ ", "not held": "✗ ", "not shown": "– cannot be shown on these rows: "}[outcome] + text)


def lesson_seed() -> int:
    """The number that shifts every seed of a notebook: ``SDSS_LESSON_SEED``, or 0."""
    text = os.environ.get("SDSS_LESSON_SEED") or "0"
    if not text.isdecimal():
        raise ValueError(f"SDSS_LESSON_SEED is {text!r}. Set it to a whole number from 0 up, or unset it.")
    return int(text)
