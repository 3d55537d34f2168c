"""What the audit of an evaluator says: the verdict, the evidence, the remedy, and nothing that it cannot know."""

import math
from html import escape

import pandas as pd
import pytest

from sdss_lesson import AuditReport, audit, evaluate
from sdss_lesson.auditing.evaluator import report as evaluator_report
from sdss_lesson.auditing.evaluator.hypotheses import hypotheses
from sdss_lesson.auditing.evaluator.probes import PROBES
from sdss_lesson.mistakes import MISTAKES

NOT_TRUSTED = "Do not trust this function. What is wrong:"
MODES = next(probe.name for probe in PROBES if probe.model == "modes")
ROWS = [
    ("an uneven last batch", 0.6933, 0.6933, 0.6933),
    ("equal batches", 0.625, 0.0625, 0.0625),
    ("one batch", 0.7083, 0.1083, 0.7083),
    (MODES, 0.6933, 0.1333, 0.1333),
]


def report(*mistakes, advice=(), rows=ROWS, error=""):
    evidence = pd.DataFrame(rows, columns=["probe", "right", "received", "predicted"])
    return AuditReport(mistakes, tuple(advice), evidence, error)


def evidence(found):
    return [line for line in str(found).splitlines() if line.startswith("- Evidence")]


@pytest.mark.parametrize("slug", MISTAKES)
def test_every_known_mistake_is_named_shown_and_mended(slug):
    mistake, found = MISTAKES[slug], report(slug)
    assert not found.ok
    assert str(found) == repr(found)
    assert str(found).startswith(f"Do not trust this function. What is wrong: {slug}.\n")
    sees = mistake.symptom.removeprefix("The number is right; ")
    said = [sees, f"How to mend it: {mistake.fix}", f"Explained in notebooks/{mistake.notebook}.ipynb."]
    for text in said:
        assert text in str(found)
        assert escape(text) in found._repr_html_()
    assert len(evidence(found)) == 1
    assert "Several" not in str(found) and "look the same" not in str(found)


def test_a_right_function_is_told_so_in_one_sentence():
    found = report()
    assert found.ok
    assert str(found) == found.verdict == "No mistake found: the right accuracy came back."
    assert found._repr_html_() == f"<p><b>{found.verdict}</b></p>"


def test_the_report_has_these_blocks_in_this_order():
    found = report(
        "divided-by-batches", "counter-overwritten", "counter-reset", advice=["empty-loader"], error="E: <x>"
    )
    once, first, second = (MISTAKES[slug] for slug in ("divided-by-batches", "counter-overwritten", "counter-reset"))
    shown = 'Evidence: for "equal batches" 0.6250 is right, 0.0625 came back, and this mistake predicts 0.0625.'
    verdict = f"{NOT_TRUSTED} divided-by-batches; counter-overwritten or counter-reset."
    blocks = [
        "Several names are several mistakes, or one that looks like each of them. Mend the first, and audit once more.",
        "divided-by-batches",
        f"- What one sees: {once.symptom}",
        f"- {shown}",
        f"- How to mend it: {once.fix}",
        f"- Explained in notebooks/{once.notebook}.ipynb.",
        "counter-overwritten or counter-reset: from outside, these look the same",
        f"- What one sees: {first.symptom}",
        f"- {shown}",
        f"- How to mend it, if it is counter-overwritten: {first.fix}",
        f"- How to mend it, if it is counter-reset: {second.fix}",
        f"- Explained in notebooks/{first.notebook}.ipynb.",
        "Besides, a loader without rows gets a number, too, where an error would say that nothing was measured. "
        "[empty-loader]",
        "- How to mend it: After the loop: if n_samples == 0: raise ValueError('The loader has no rows.')",
        "- Explained in notebooks/02_the_fix.ipynb.",
        "Some calls raised an error: E: <x>",
    ]
    assert str(found) == "\n".join([verdict, *(line if line[0] == "-" else f"\n{line}" for line in blocks)])
    page = "".join(f"<li>{escape(x[2:])}</li>" if x[0] == "-" else f"</ul><p>{escape(x)}</p><ul>" for x in blocks)
    page = (page + "</ul>").replace("<ul></ul>", "").removeprefix("</ul>")
    assert found._repr_html_() == f"<p><b>{verdict}</b></p>{page}"


def test_the_evidence_is_the_farthest_off_of_what_the_mistake_predicts():
    rows = [*ROWS, ("a good last batch", 0.5, 0.9, 0.9)]
    assert evidence(report("divided-by-batches", rows=rows)) == [
        '- Evidence: for "equal batches" 0.6250 is right, 0.0625 came back, and this mistake predicts 0.0625.'
    ]
    assert '"one batch"' in evidence(report("divided-by-batches", rows=[ROWS[1], ("one batch", 0.9, 0.1, 0.1)]))[0]
    for received, name in [(0.50008, "one batch"), (0.50015, "equal batches")]:  # told within 1e-4, or the farthest off
        rows = [("one batch", 0.9, received, 0.5), ("equal batches", 0.9, 0.1, 0.3)]
        assert f'"{name}"' in evidence(report("divided-by-batches", rows=rows))[0]
    large = [("one batch", 0.9, 935.00001, 935.04), ("equal batches", 0.9, 0.1, 0.1)]  # float32 has seven digits
    assert '"one batch"' in evidence(report("divided-by-batches", rows=large))[0]


def test_the_mode_is_judged_where_the_mode_matters_and_only_there():
    assert evidence(report("train-mode")) == [
        f'- Evidence: for "{MODES}" 0.6933 is right, 0.1333 came back, and this mistake predicts 0.1333.'
    ]
    far = [*ROWS[:3], (MODES, 0.6933, 99.0, 99.0)]
    assert '"equal batches"' in evidence(report("counter-reset", rows=far))[0]
    assert evidence(report("train-mode", rows=ROWS[:3])) == []


def test_without_a_prediction_none_is_claimed():
    (line,) = evidence(report("state-carried-over", rows=[("one batch", 0.7, 0.2, 0.7)]))
    assert "0.7000 is right, 0.2000 came back. The name is told by where" in line
    assert "predicts" not in line


def test_where_no_number_came_back_it_says_so():
    (line,) = evidence(report("stale-variable", rows=[("one batch", 0.7, math.nan, math.nan)]))
    assert "0.7000 is right, no number came back, and this mistake predicts no number." in line
    assert '"equal batches"' in evidence(report("stale-variable", rows=[("one batch", 0.7, math.nan, 0.1), ROWS[1]]))[0]


def test_changed_weights_are_shown_without_a_number():
    assert evidence(report("weights-changed", rows=ROWS[:1])) == [
        "- Evidence: after a call, the weights or the running statistics of the model were not as before."
    ]


def test_an_unexplained_number_is_shown_wherever_it_is_wrong():
    found = report("unexplained")
    assert found.verdict == "The number is wrong, and no known mistake explains it."
    assert [line.split('"')[1] for line in evidence(found)] == ["equal batches", "one batch", MODES]
    assert "predicts" not in str(found)
    assert "Explained in notebooks/02_the_fix.ipynb." in str(found)


def test_the_known_lookalikes_are_those_that_the_audit_names_together():
    together = {slugs for each in hypotheses() for slugs in each.slugs if len(slugs) > 1}
    assert together == evaluator_report.ALIKE
    assert together == {("counter-overwritten", "counter-reset"), ("last-batch-only", "counter-reset")}


@pytest.mark.parametrize("slugs", sorted(evaluator_report.ALIKE))
def test_lookalikes_are_one_entry_with_a_remedy_for_each(slugs):
    found = report(*slugs)
    assert found.verdict == f"Do not trust this function. What is wrong: {' or '.join(slugs)}."
    assert str(found).count("from outside, these look the same") == 1
    assert "Several names" not in str(found)
    assert len(evidence(found)) == 1
    for slug in slugs:
        assert f"How to mend it, if it is {slug}: {MISTAKES[slug].fix}" in str(found)
    assert str(found).count("Explained in") == 1  # the notebook is the same


def test_of_other_names_nobody_knows_whether_they_are_one_or_several():
    found = report("divided-by-batches", "counter-overwritten", "counter-reset")
    assert found.verdict.endswith("What is wrong: divided-by-batches; counter-overwritten or counter-reset.")
    assert str(found).count("Several names are several mistakes, or one that looks like each of them.") == 1


@pytest.mark.parametrize("slug", ["mode-not-restored", "grad-enabled", "column-labels", "empty-loader"])
def test_advice_says_that_the_number_is_right_but_only_where_it_is(slug):
    found = report(advice=[slug])
    assert found.ok
    assert found.verdict == "No mistake found: the right accuracy came back."
    (line,) = [line for line in str(found).splitlines() if slug in line]
    assert line.startswith("The number is right, but ") and line.count("number is right") == 1
    assert "How to mend it: " in str(found) and "Explained in notebooks/0" in str(found)
    assert "<p>The number is right, but " in found._repr_html_()
    beside = report("counter-reset", advice=[slug])
    assert not beside.ok
    assert "\nBesides, " in str(beside) and "number is right, but" not in str(beside)


def test_an_error_is_passed_on_and_escaped():
    found = report("wrong-argmax-dim", error="ValueError: <shapes> do not match")
    assert str(found).endswith("Some calls raised an error: ValueError: <shapes> do not match")
    assert "&lt;shapes&gt;" in found._repr_html_() and "<shapes>" not in found._repr_html_()


def test_real_audits_are_told():
    assert str(audit(evaluate)) == "No mistake found: the right accuracy came back."
    found = audit(MISTAKES["counter-overwritten"].variants[0])
    assert found.verdict.endswith("counter-overwritten or counter-reset.")
    assert "this mistake predicts 0.0" in evidence(found)[0]
    guess = audit(lambda model, loader: 1 / 7)
    assert guess.verdict == "The number is wrong, and no known mistake explains it."
    assert len(evidence(guess)) == len(PROBES)
    assert all("0.1429 came back" in line for line in evidence(guess))
