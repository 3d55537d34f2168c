"""Figures of the lesson: one message each, said in its title.

Each function draws a figure of its own and returns its axes, or a list of them where it has several panels;
``plt.show()`` is the caller's. The colours are Okabe and Ito's, which colour-blind readers tell apart; what shares a
figure also differs in shape, line or lightness.
"""

from sdss_lesson.plots.counting import against_batch_size, by_rank, counter_trace, expected_and_printed, floor_and_cloud
from sdss_lesson.plots.epochs import band, runs_per_epoch, two_curves
from sdss_lesson.plots.leakage import duplicated_share, honest_and_leaky
from sdss_lesson.plots.protocol import intervals, recalls, search, winners
from sdss_lesson.plots.rows import colour_colour, label_shapes, row_strip
from sdss_lesson.plots.style import BROKEN, CLASS_COLOURS, RIGHT

__all__ = [
    "BROKEN",
    "CLASS_COLOURS",
    "RIGHT",
    "against_batch_size",
    "band",
    "by_rank",
    "colour_colour",
    "counter_trace",
    "duplicated_share",
    "expected_and_printed",
    "floor_and_cloud",
    "honest_and_leaky",
    "intervals",
    "label_shapes",
    "recalls",
    "row_strip",
    "runs_per_epoch",
    "search",
    "two_curves",
    "winners",
]
