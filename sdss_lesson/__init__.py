"""Below Random: trustworthy evaluation in PyTorch, on the task of telling stars, galaxies and quasars apart.

Data flow one way: `load_sdss` -> `split_by_object` -> `SDSSDataset` -> `fit` -> `evaluate` -> a plot. Read it
in this order:

1. `catalog`, `split`, `model`, `dataset`, `evaluation`, `training`: the lesson's core, in half an hour
2. `_checks`, `_tensors`, `_csv`, `_sky`, `_fast`: what guards and speeds the core, so that it reads from top to bottom
3. `mistakes`: known ways to get an accuracy wrong; `auditing`: what finds them in other code, and leaks in a split
4. `plots`: the figures of the lesson
5. `scale`: for rows that outgrow one process; `support`: claims, progress bars, SkyServer, the doctor
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sdss_lesson import plots
    from sdss_lesson.auditing import AuditReport, SplitReport, audit, audit_split
    from sdss_lesson.catalog import CLASSES, FEATURES, load_sdss
    from sdss_lesson.dataset import SDSSDataset
    from sdss_lesson.evaluation import Evaluation, evaluate
    from sdss_lesson.model import NeuralNet
    from sdss_lesson.scale.distributed import failing_together, shard
    from sdss_lesson.scale.model_file import load_model, save_model
    from sdss_lesson.scale.parquet import ParquetBatches
    from sdss_lesson.split import Split, split_by_object
    from sdss_lesson.support.claims import claim, lesson_seed
    from sdss_lesson.support.progress import progress
    from sdss_lesson.training import Epoch, History, fit

# Each name is imported when it is first used: some commands need no torch, and start in a moment without it.
_HOMES = {
    "auditing": ["AuditReport", "SplitReport", "audit", "audit_split"],
    "catalog": ["CLASSES", "FEATURES", "load_sdss"],
    "dataset": ["SDSSDataset"],
    "evaluation": ["Evaluation", "evaluate"],
    "model": ["NeuralNet"],
    "scale.distributed": ["failing_together", "shard"],
    "scale.model_file": ["load_model", "save_model"],
    "scale.parquet": ["ParquetBatches"],
    "split": ["Split", "split_by_object"],
    "support.claims": ["claim", "lesson_seed"],
    "support.progress": ["progress"],
    "training": ["Epoch", "History", "fit"],
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

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


def __getattr__(name: str) -> Any:
    if name == "plots":
        return import_module("sdss_lesson.plots")
    if name not in _HOME:
        raise AttributeError(f"module 'sdss_lesson' has no attribute {name!r}")
    found = getattr(import_module(f"sdss_lesson.{_HOME[name]}"), name)
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
