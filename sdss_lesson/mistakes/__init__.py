"""A catalogue of known mistakes in evaluators: what one sees, what is printed, and how to mend it.

Each mistake comes with small functions in plain PyTorch that make it. They are wrong on purpose: try a tool on them,
or your eyes, and never import them to measure anything.
"""

from sdss_lesson.mistakes import changes_between_calls, looks_right, moves_with_batch_size, over_one, too_low
from sdss_lesson.mistakes.mistake import Evaluator, Mistake

# The order matters to who looks for the first that fits: where two cannot be told apart from outside, the more general
# one comes first.
MISTAKES: dict[str, Mistake] = {
    mistake.slug: mistake
    for symptom in (too_low, over_one, moves_with_batch_size, changes_between_calls, looks_right)
    for mistake in symptom.MISTAKES
}

__all__ = ["MISTAKES", "Evaluator", "Mistake"]
