"""Measure how fast the package is, side by side with other ways to the same numbers: python tasks.py bench

Writes `docs/bench.md`. Every cell is a ratio of two times that were taken in turn, so that what else the machine does
meets both. It takes some minutes.
"""

import importlib.util
import math
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
import tomllib
from collections.abc import Callable, Iterable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.nn import functional
from torch.utils.data import DataLoader, Dataset

from sdss_lesson import CLASSES, FEATURES, NeuralNet, SDSSDataset, evaluate, fit
from tools import ROOT

TABLE = ROOT / "docs" / "bench.md"
SIZES = [10_000, 100_000, 1_000_000, 5_000_000]
MOMENT = 0.1
"""Seconds."""
PER_ROW_UP_TO, SMALL_BATCHES_UP_TO = 100_000, 1_000_000
EVALUATE_SLICES, EVALUATE_ARTICLE = "`evaluate` : limit", "`evaluate` : article's loop"
LOADER, FIT = "loader : per-row loader", "`fit` : bare training"
Loader = Iterable[Any]
Work = Callable[[], object]


def network() -> NeuralNet:
    return NeuralNet(len(FEATURES), 16, len(CLASSES))


MODEL = network().eval()


class PerRow(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """The Dataset of a first course: one row at a time."""

    def __init__(self, rows: SDSSDataset) -> None:
        self.features, self.labels = rows.features, rows.labels

    def __len__(self) -> int:
        return len(self.labels)

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        return self.features[index], self.labels[index]


def drawn(n: int) -> pd.DataFrame:
    """As many rows of noise; what they say does not matter to the clock."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({name: rng.standard_normal(n, dtype=np.float32) for name in FEATURES})
    frame["class"] = pd.Categorical.from_codes(rng.integers(len(CLASSES), size=n), list(CLASSES))
    return frame


# What is compared: each goes through a loader once, in eval mode and without gradients.


def forward(model: nn.Module, loader: Loader) -> None:
    for inputs, _ in loader:
        model(inputs)


def forward_and_loss(model: nn.Module, loader: Loader) -> None:
    for inputs, labels in loader:
        functional.cross_entropy(model(inputs), labels)


def article(model: nn.Module, loader: Loader) -> float:
    n_correct, n_samples = 0, 0
    for inputs, labels in loader:
        _, predicted = torch.max(model(inputs), 1)
        n_samples += labels.size(0)
        n_correct += (predicted == labels).sum().item()
    return n_correct / n_samples


def with_torchmetrics(model: nn.Module, loader: Loader) -> float:
    from torchmetrics.classification import MulticlassAccuracy

    metric = MulticlassAccuracy(len(CLASSES), average="micro")
    for inputs, labels in loader:
        metric.update(model(inputs), labels)
    return float(metric.compute())


def with_ignite(model: nn.Module, loader: Loader) -> float:
    from ignite.engine import Engine
    from ignite.metrics import Accuracy

    engine = Engine(lambda _, batch: (model(batch[0]), batch[1]))
    Accuracy().attach(engine, "accuracy")
    return float(engine.run(loader).metrics["accuracy"])


def with_torcheval(model: nn.Module, loader: Loader) -> float:
    from torcheval.metrics import MulticlassAccuracy

    metric = MulticlassAccuracy()
    for inputs, labels in loader:
        metric.update(model(inputs), labels)
    return float(metric.compute())


def with_sklearn(model: nn.Module, loader: Loader) -> float:
    from sklearn.metrics import accuracy_score

    predicted, true = zip(*((model(inputs).argmax(1), labels) for inputs, labels in loader), strict=True)
    return float(accuracy_score(torch.cat(true).numpy(), torch.cat(predicted).numpy()))


PEERS: dict[str, tuple[Callable[[nn.Module, Loader], object], str, str]] = {
    "forward": (forward, "torch", "nothing; the forward pass alone"),
    "forward + loss": (forward_and_loss, "torch", "each batch's mean loss, in single precision; the limit"),
    "article's loop": (article, "torch", "accuracy"),
    "TorchMetrics": (with_torchmetrics, "torchmetrics", "accuracy"),
    "Ignite": (with_ignite, "ignite", "accuracy"),
    "torcheval": (with_torcheval, "torcheval", "accuracy"),
    "scikit-learn": (with_sklearn, "sklearn", "accuracy, on predictions that were gathered"),
}


def bare_training(model: nn.Module, loader: Loader) -> None:
    """One epoch, and nothing watched."""
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    model.train()
    for inputs, labels in loader:
        loss = functional.cross_entropy(model(inputs), labels)
        optimizer.zero_grad()
        torch.autograd.backward(loss)
        optimizer.step()


def ratio(ours: Work, theirs: Work, pairs: int) -> float:
    """How many times as long ours takes: the median over pairs, after one pair to warm up."""

    def timed(work: Work, times: int) -> float:
        begun = time.perf_counter()
        for _ in range(times):
            work()
        return time.perf_counter() - begun

    # What is over in a moment is done several times, or a glance of the machine at something else would be measured.
    times = math.ceil(MOMENT / (timed(theirs, 1) + timed(ours, 1)))
    found = []
    for pair in range(pairs):
        first, second = (ours, theirs) if pair % 2 else (theirs, ours)
        taken = {first: timed(first, times), second: timed(second, times)}
        found.append(taken[ours] / taken[theirs])
    return statistics.median(found)


def over_loader(rows: SDSSDataset, size: int, pairs: int) -> dict[str, float]:
    """`evaluate` against each peer that is installed, all over one loader."""
    loader = DataLoader(rows, batch_size=size)
    ours = partial(evaluate, MODEL, loader)
    found: dict[str, float] = {"rows": len(rows), "batch": size}
    for name, (peer, module, _) in PEERS.items():
        if importlib.util.find_spec(module) is not None:
            found[name] = ratio(ours, partial(peer, MODEL, loader), pairs)
    return found


def without_loader(rows: SDSSDataset, pairs: int) -> dict[str, float]:
    """`evaluate` that chooses its own batches; and, where that does not take too long, what is done row by row."""
    ready = list(zip(torch.split(rows.features, 8192), torch.split(rows.labels, 8192), strict=True))
    ours = partial(evaluate, MODEL, rows)
    found = {"rows": len(rows), EVALUATE_SLICES: ratio(ours, partial(forward_and_loss, MODEL, ready), pairs)}
    if len(rows) <= PER_ROW_UP_TO:
        by_row, batched = DataLoader(PerRow(rows), batch_size=64), DataLoader(rows, batch_size=64)
        found[EVALUATE_ARTICLE] = ratio(ours, partial(article, MODEL, by_row), pairs)
        found[LOADER] = ratio(partial(list, batched), partial(list, by_row), pairs)
        shuffled, model = DataLoader(rows, batch_size=64, shuffle=True), network()
        with torch.enable_grad():
            found[FIT] = ratio(partial(fit, model, shuffled, epochs=1), partial(bare_training, model, shuffled), pairs)
    return found


def measure(sizes: Iterable[int], *, pairs: int = 9) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Both tables of ratios, a row for each number of rows and of rows at a time."""
    loaders, others = [], []
    with torch.no_grad():
        for n in sizes:
            print(f"{n:,} rows", flush=True)
            rows, several = SDSSDataset(drawn(n)), pairs if n <= PER_ROW_UP_TO else min(3, pairs)
            loaders += [over_loader(rows, size, several) for size in (64, 1024) if n * 64 <= size * SMALL_BATCHES_UP_TO]
            others.append(without_loader(rows, several))
    return pd.DataFrame(loaders), pd.DataFrame(others)


STREAM = """
import sys, time
import psutil, pyarrow.parquet, torch
from sdss_lesson import NeuralNet, ParquetBatches, evaluate
torch.set_num_threads(1)
memory = lambda: psutil.Process().memory_info().rss / 2**20
before = peak = memory()
def watched():
    global peak
    for batch in ParquetBatches(sys.argv[1]):
        yield batch
        peak = max(peak, memory())
begun = time.perf_counter()
assert evaluate(NeuralNet(5, 16, 3), watched()).n_samples == int(sys.argv[2])
print(peak - before, time.perf_counter() - begun)
"""


def stream(n: int, files: int = 10) -> tuple[float, float]:
    """Evaluate as many rows from Parquet: MiB of memory beyond what the imports take, and seconds."""
    with tempfile.TemporaryDirectory() as folder:
        for number in range(files):
            drawn(n // files).to_parquet(Path(folder, f"part-{number}.parquet"))
        memory, seconds = _run(STREAM, folder, str(n // files * files)).split()
    return float(memory), float(seconds)


IMPORT = """
import sys, time
begun = time.perf_counter()
import torch, pandas
without = time.perf_counter() - begun
from sdss_lesson import NeuralNet, SDSSDataset, evaluate, fit, load_sdss, split_by_object
print((time.perf_counter() - begun) / without)
"""


def importing(pairs: int) -> float:
    """How many times as long importing torch, pandas and the package takes as importing the two."""
    return statistics.median([float(_run(IMPORT)) for _ in range(pairs + 1)][1:])


def _run(code: str, *words: str) -> str:
    done = subprocess.run([sys.executable, "-c", code, *words], cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True)
    return done.stdout


def to_markdown(frame: pd.DataFrame) -> str:
    """Whole numbers with commas; ratios with two digits that count."""
    lines = ["| " + " | ".join(frame.columns) + " |", "|" + "---:|" * len(frame.columns)]
    for row in frame.to_dict("records"):
        cells = [
            "" if pd.isna(x) else f"{x:,.0f}" if x >= 10 else f"{x:.2f}" if x >= 0.1 else f"{x:.3f}"
            for x in row.values()
        ]
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def machine() -> str:
    """What the numbers were taken on, in general words."""
    info = Path("/proc/cpuinfo")
    models = re.findall(r"model name\s*: (.*)", info.read_text("utf-8")) if info.exists() else []
    name = models[0] if models else platform.processor() or platform.machine()
    return f"{name}, {os.cpu_count()} cores, of which one is used; {platform.system()}, torch {torch.__version__}"


def install() -> None:
    """The libraries that are only compared with, without what they ask for: that is here, and torch stays as it is."""
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["optional-dependencies"]
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "-q", "--no-deps"]
    if subprocess.call([*pip, "-c", str(ROOT / "constraints.txt"), *extras["bench"]]) != 0:
        print("Not all libraries to compare with could be installed: their columns will be missing.", file=sys.stderr)


def main(sizes: Sequence[int] = SIZES, *, pairs: int = 9, table: Path = TABLE) -> int:
    torch.set_num_threads(1)
    os.environ["OMP_NUM_THREADS"] = "1"  # for the processes that are started below
    loaders, others = measure(sizes, pairs=pairs)
    print("Parquet, import", flush=True)
    memory, seconds = stream(sizes[-1])
    computes = "\n".join(f"- {name}: {what}" for name, (_, _, what) in PEERS.items())
    text = TEXT.format(
        machine=machine(),
        loaders=to_markdown(loaders),
        computes=computes,
        others=to_markdown(others),
        rows=f"{sizes[-1]:,}",
        memory=f"{memory:.0f}",
        seconds=f"{seconds:.1f}",
        imports=f"{importing(pairs):.3f}",
    )
    table.write_text(text, "utf-8")
    print(text)
    return 0


TEXT = """# How fast it is

Written by `make bench` on: {machine}.

Every cell says how many times as long ours takes as what it is compared with: below 1, ours is faster. Medians of nine
pairs that were timed in turn, after one to warm up; of three above 100,000 rows. The network is the lesson's, with 16
hidden units, in single precision.

## `evaluate` over a loader, and others over the same loader

{loaders}

`evaluate` computes the confusion matrix and the loss, in double precision, and checks every row. It reads a plain
loader over whole tensors, as this one is, by slices: the same batches, without a list of indices for each. The others
compute

{computes}

## Without a loader, and training

{others}

`evaluate` chooses its own batches here. The limit is forward pass and loss over slices that are made already; the
article's loop and the per-row loader read a row at a time, 64 to a batch; the bare training loop watches nothing.

## Memory, and import

{rows} rows streamed from ten Parquet files take {memory} MiB more than the imports, and {seconds} seconds. Importing
torch, pandas and the core of the package takes {imports} times as long as importing torch and pandas.
"""

if __name__ == "__main__":
    install()
    sys.exit(main())
