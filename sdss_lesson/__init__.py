"""Below Random: trustworthy evaluation in PyTorch, on the task of telling stars, galaxies and quasars apart.

Data flow one way: `load_sdss` -> `split_by_object` -> `SDSSDataset` -> `fit` -> `evaluate` -> a plot.
"""

from sdss_lesson import plots
from sdss_lesson.auditing import AuditReport, SplitReport, audit, audit_split
from sdss_lesson.catalog import CLASSES, FEATURES, load_sdss
from sdss_lesson.claims import claim, lesson_seed
from sdss_lesson.dataset import SDSSDataset
from sdss_lesson.distributed import failing_together, shard
from sdss_lesson.evaluation import Evaluation, evaluate
from sdss_lesson.model import NeuralNet
from sdss_lesson.model_file import load_model, save_model
from sdss_lesson.parquet import ParquetBatches
from sdss_lesson.progress import progress
from sdss_lesson.split import Split, split_by_object
from sdss_lesson.training import Epoch, History, fit

__all__ = [
    "CLASSES",
    "FEATURES",
    "AuditReport",
    "Epoch",
    "Evaluation",
    "History",
    "NeuralNet",
    "ParquetBatches",
    "SDSSDataset",
    "Split",
    "SplitReport",
    "audit",
    "audit_split",
    "claim",
    "evaluate",
    "failing_together",
    "fit",
    "lesson_seed",
    "load_model",
    "load_sdss",
    "plots",
    "progress",
    "save_model",
    "shard",
    "split_by_object",
]
