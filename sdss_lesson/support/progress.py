"""One progress bar for everything that takes longer than two seconds."""

import os
from collections.abc import Iterable
from typing import TypeVar

from tqdm.std import tqdm

T = TypeVar("T")


def progress(items: Iterable[T], text: str = "") -> Iterable[T]:
    """Go through `items` behind a bar that disappears when it is done.

    The bar is drawn on stderr, never as a notebook widget: a widget's state would be stored in the notebook. With the
    environment variable ``SDSS_LESSON_QUIET`` set to anything, nothing is drawn.
    """
    return tqdm(items, desc=text, leave=False, disable=bool(os.environ.get("SDSS_LESSON_QUIET")))
