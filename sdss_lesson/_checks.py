"""What the core refuses of numbers and frames: each error names the cause and the remedy."""

from collections.abc import Sequence

import numpy as np
import pandas as pd


def kind_of(thing: object) -> str:
    """Its type with an article, for a message."""
    name = type(thing).__name__
    return f"{'an' if name[0] in 'aeioAEIOU' else 'a'} {name}"


def is_whole(number: object, least: int) -> bool:
    """Whether it is a whole number, and at least this large. True and False are not numbers here."""
    whole = isinstance(number, int | np.integer) and not isinstance(number, bool | np.bool_)
    return whole and number >= least  # type: ignore[operator]


def check_frame(frame: object, columns: Sequence[object]) -> None:
    """Refuse what is not a DataFrame with rows, in which each of these columns stands once."""
    if not isinstance(frame, pd.DataFrame):
        raise TypeError(f"The frame is {kind_of(frame)}; give a DataFrame, as load_sdss() returns it.")
    has = list(map(str, frame.columns))
    if missing := [str(name) for name in columns if name not in frame]:
        raise ValueError(f"The frame has no column {', '.join(missing)}; it has {', '.join(has)}.")
    if duplicated := [str(name) for name in columns if has.count(str(name)) > 1]:
        raise ValueError(f"The frame has more than one column {', '.join(duplicated)}. Keep one of each.")
    if len(frame) == 0:
        raise ValueError("The frame has no rows. Look at how they were chosen, and give some.")


def short(word: str) -> str:
    """At most 60 letters of it."""
    return word if len(word) <= 60 else word[:57] + "..."
