"""What the audit of an evaluator says, in words that a beginner understands."""

from dataclasses import dataclass
from html import escape

import pandas as pd

from sdss_lesson.auditing.evaluator.hypotheses import ALIKE
from sdss_lesson.auditing.evaluator.probes import PROBES, TOLERANCE
from sdss_lesson.mistakes import MISTAKES

# What the catalogue does not have: by name what one sees, how to mend it, and the notebook.
_OTHERS = {
    "unexplained": (
        "Another number than the right one, on the calls below.",
        "Compare your loop with the one of the notebook, line by line, on a loader with two small batches.",
        "02_the_fix",
    ),
    "column-labels": (
        "labels of shape (N, 1), as some data sets give them, make it another number.",
        MISTAKES["labels-broadcast"].fix,
        MISTAKES["labels-broadcast"].notebook,
    ),
    "empty-loader": (
        "a loader without rows gets a number, too, where an error would say that nothing was measured.",
        "After the loop: if n_samples == 0: raise ValueError('The loader has no rows.')",
        "02_the_fix",
    ),
}
_MODELS = {probe.name: probe.model for probe in PROBES}


@dataclass(frozen=True, eq=False, repr=False)
class AuditReport:
    """What is wrong with an evaluator. Printed, it says what one sees, the evidence, and how to mend it.

    Attributes
    ----------
    mistakes
        The names of what is wrong, most of them keys of `sdss_lesson.mistakes.MISTAKES`; "unexplained" where the
        number is wrong and no known mistake predicts it.
    advice
        What does no harm to the number, and may do some elsewhere.
    evidence
        One row for each call: ``probe`` (what was evaluated), and as fractions the ``right`` accuracy, what was
        ``received`` (NaN where no number came) and what the mistakes named first would give (``predicted``).
    error
        The last line of the traceback, where some call raised; otherwise empty.
    """

    mistakes: tuple[str, ...]
    advice: tuple[str, ...]
    evidence: pd.DataFrame
    error: str = ""

    @property
    def ok(self) -> bool:
        """Whether no mistake was found. Advice does not count."""
        return not self.mistakes

    @property
    def verdict(self) -> str:
        """One plain sentence."""
        if self.ok:
            return "No mistake found: the right accuracy came back."
        if self.mistakes == ("unexplained",):
            return "The number is wrong, and no known mistake explains it."
        names = "; ".join(" or ".join(group) for group in self._groups())
        return f"Do not trust this function. What is wrong: {names}."

    def _groups(self) -> list[tuple[str, ...]]:
        """The mistakes, those together that look the same from outside."""
        groups: list[tuple[str, ...]] = []
        for slug in self.mistakes:
            if groups and (*groups[-1], slug) in ALIKE:
                groups[-1] = (*groups[-1], slug)
            else:
                groups.append((slug,))
        return groups

    def _wrong(self) -> pd.DataFrame:
        """The calls with another number than the right one, or with none."""
        off = (self.evidence["received"] - self.evidence["right"]).abs()
        return self.evidence.assign(off=off)[~(off <= TOLERANCE)]

    def _evidence(self, slug: str) -> list[str]:
        if slug == "weights-changed":
            return ["Evidence: after a call, the weights or the running statistics of the model were not as before."]
        wrong = self._wrong()
        if slug == "unexplained":
            return [f"Evidence: {_came_back(row)}." for _, row in wrong.iterrows()]
        kind = "modes" if slug == "train-mode" else "plain"
        wrong = wrong[[_MODELS[name] == kind for name in wrong["probe"]]]
        if wrong.empty:
            return []
        told = (wrong["received"] - wrong["predicted"]).abs() <= TOLERANCE * wrong["predicted"].abs().clip(lower=1)
        row = wrong.assign(told=told).sort_values(["told", "off"], ascending=False).iloc[0]
        if abs(row["predicted"] - row["right"]) <= TOLERANCE:
            return [f"Evidence: {_came_back(row)}. The name is told by where the number is wrong, not by its value."]
        return [f"Evidence: {_came_back(row)}, and this mistake predicts {_number(row['predicted'])}."]

    def _blocks(self) -> list[tuple[str, list[str]]]:
        """Headings, and the lines below each."""
        groups, blocks = self._groups(), list[tuple[str, list[str]]]()
        if len(groups) > 1:
            note = "Several names are several mistakes, or one that looks like each of them. Mend the first, and audit "
            blocks.append((note + "once more.", []))
        for group in groups:
            alike = ": from outside, these look the same" if len(group) > 1 else ""
            lines = [f"What one sees: {_texts(group[0])[0]}", *self._evidence(group[0])]
            for slug in group:
                which = f", if it is {slug}" if len(group) > 1 else ""
                lines.append(f"How to mend it{which}: {_texts(slug)[1]}")
            lines += dict.fromkeys(_explained(_texts(slug)[2]) for slug in group)
            blocks.append((" or ".join(group) + alike, lines))
        for slug in self.advice:
            sees, mend, notebook = _texts(slug)
            start = "The number is right, but" if self.ok else "Besides,"
            blocks.append((f"{start} {sees} [{slug}]", [f"How to mend it: {mend}", _explained(notebook)]))
        if self.error:
            blocks.append((f"Some calls raised an error: {self.error}", []))
        return blocks

    def __str__(self) -> str:
        blocks = ["\n".join([title, *(f"- {line}" for line in lines)]) for title, lines in self._blocks()]
        return "\n\n".join([self.verdict, *blocks])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        parts = [f"<p><b>{escape(self.verdict)}</b></p>"]
        for title, lines in self._blocks():
            items = "".join(f"<li>{escape(line)}</li>" for line in lines)
            parts.append(f"<p>{escape(title)}</p>" + (f"<ul>{items}</ul>" if items else ""))
        return "".join(parts)


def _texts(slug: str) -> tuple[str, str, str]:
    """What one sees, how to mend it, and the notebook that explains it."""
    if slug in _OTHERS:
        return _OTHERS[slug]
    mistake = MISTAKES[slug]
    return mistake.symptom.removeprefix("The number is right; "), mistake.fix, mistake.notebook


def _explained(notebook: str) -> str:
    return f"Explained in notebooks/{notebook}.ipynb."


def _came_back(row: pd.Series) -> str:
    return f'for "{row["probe"]}" {_number(row["right"])} is right, {_number(row["received"])} came back'


def _number(value: float) -> str:
    return "no number" if pd.isna(value) else f"{value:.4f}"
