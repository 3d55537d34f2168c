"""What an audit of a split found, in words that a beginner understands."""

from dataclasses import dataclass
from html import escape

import pandas as pd

COINCIDENCE = "coincidence"
FIX = {
    "identical row": "load no file twice, drop copies with drop_duplicates(), and split once",
    "shared object": "keep all rows of an object in one set: split_by_object, or GroupShuffleSplit of scikit-learn",
    "shared position": "give all rows within an arcsecond the same objid, and then split_by_object",
    "scaled copy": "draw other rows for the test; fit one scaler, on the training rows, and give it to both sets",
    COINCIDENCE: "nothing, as far as this tells; ids would decide it: audit_split(..., keys=...)",
}


@dataclass(frozen=True, eq=False, repr=False)
class SplitReport:
    """What a training and a test set share. Printed, it says what is wrong and how to mend it.

    Attributes
    ----------
    n_train, n_test
        Number of rows of each set.
    rows
        One row for each finding about a test row: ``test_row`` (int64), ``finding`` (its name) and ``train_row``
        (int64, the first partner). Rows are counted from 0, as ``iloc`` does.
    classes
        The share of each class in ``train`` and ``test``; None where no labels are known.
    compared
        What was compared, in words.
    notes
        What could not be used, and what may be chance.
    """

    n_train: int
    n_test: int
    rows: pd.DataFrame
    classes: pd.DataFrame | None
    compared: tuple[str, ...]
    notes: tuple[str, ...]

    @property
    def ok(self) -> bool:
        """Whether no test row is known from the training set. A coincidence is no proof, and does not count."""
        return bool((self.rows["finding"] == COINCIDENCE).all())

    @property
    def share(self) -> float:
        """The share of the test rows that are known from the training set, by any finding but a coincidence."""
        return self._known() / self.n_test

    @property
    def findings(self) -> pd.DataFrame:
        """By name of the finding: ``test_rows`` (their number), ``share`` (of the test set) and ``mend``."""
        names = [name for name in FIX if (self.rows["finding"] == name).any()]
        counts = [int((self.rows["finding"] == name).sum()) for name in names]
        shares, mend = [count / self.n_test for count in counts], [FIX[name] for name in names]
        return pd.DataFrame({"test_rows": counts, "share": shares, "mend": mend}, index=pd.Index(names, dtype=object))

    @property
    def verdict(self) -> str:
        """One plain sentence."""
        if self.ok:
            apart = ", apart from coincidences of coarse features" if len(self.rows) else ""
            return f"No leak found: of {self.n_test} test rows none is known from the training set{apart}."
        return (
            f"Leak: {self._known()} of {self.n_test} test rows ({self.share:.1%}) are known from the training set, so "
            "the test score does not say how the model does on new ones."
        )

    def _known(self) -> int:
        return int(self.rows.loc[self.rows["finding"] != COINCIDENCE, "test_row"].nunique())

    def _lines(self) -> list[str]:
        found = [
            f"{name}: {row.test_rows} test rows ({row.share:.1%}). What to do: {row.mend}."
            for name, row in self.findings.iterrows()
        ]
        compared = f"Compared: {'; '.join(self.compared)}."
        return [*found, *self.notes, compared, "Explained in notebooks/03_leakage.ipynb."]

    def __str__(self) -> str:
        lines = [self.verdict, *(f"- {line}" for line in self._lines())]
        if self.classes is not None:
            lines += ["Class shares:", self.classes.to_string(max_rows=12, float_format="{:.3f}".format)]
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        items = "".join(f"<li>{escape(line)}</li>" for line in self._lines())
        table = "" if self.classes is None else self.classes.to_html(max_rows=12, float_format="{:.3f}".format)
        return f"<p><b>{escape(self.verdict)}</b></p><ul>{items}</ul>{table}"
