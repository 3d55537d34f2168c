"""What the catalogue keeps of a mistake."""

from collections.abc import Callable
from dataclasses import dataclass
from inspect import isfunction
from typing import Any

from torch import nn
from torch.utils.data import DataLoader

Evaluator = Callable[[nn.Module, DataLoader[Any]], float]


@dataclass(frozen=True)
class Mistake:
    """A known way to get an accuracy wrong.

    Attributes
    ----------
    slug
        Its name.
    symptom
        What somebody sees who has made it.
    formula
        The number that `variants` print. n is all rows, n_b the rows of a batch, hits_b the right answers in it.
    fix
        How to mend it.
    seen_in
        Where it has been met in public, with an address; empty where we know of no place.
    notebook
        The notebook of this series that explains it.
    variants
        Evaluators that make it, and no other. The first is the one to show; the others do it in ways that print
        another number, or that do another harm.
    """

    slug: str
    symptom: str
    formula: str
    fix: str
    seen_in: str
    notebook: str
    variants: tuple[Evaluator, ...]

    def fresh(self) -> tuple[Evaluator, ...]:
        """The variants as nobody has called them yet. A variant that remembers its calls is made anew."""
        return tuple(variant if isfunction(variant) else type(variant)() for variant in self.variants)  # type: ignore[misc]
