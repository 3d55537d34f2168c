"""Evaluate a model on a folder of Parquet files with many processes, and print one evaluation.

torchrun --nproc-per-node=4 -m sdss_lesson.scale.evaluate --data DIR --model FILE
"""

import argparse
import os
import sys
from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path

import torch
import torch.distributed as dist

from sdss_lesson.evaluation import Evaluation, evaluate
from sdss_lesson.scale.distributed import failing_together
from sdss_lesson.scale.model_file import load_model
from sdss_lesson.scale.parquet import ParquetBatches

PATIENCE = timedelta(minutes=30)
"""How long a rank that is done waits for the slowest one; after that, it fails."""


def main(words: Sequence[str] | None = None) -> int:
    """Evaluate this rank's share, add up all of them, and print the sum on rank 0; the exit code."""
    parser = argparse.ArgumentParser(
        prog="torchrun --nproc-per-node=N -m sdss_lesson.scale.evaluate",
        description="Evaluate a model on a folder of Parquet files, in N processes that share the rows.",
    )
    parser.add_argument("--data", type=Path, required=True, metavar="DIR", help="a folder of Parquet files")
    parser.add_argument("--model", type=Path, required=True, metavar="FILE", help="written by save_model")
    arguments = parser.parse_args(words)
    if "RANK" not in os.environ:
        parser.error("this is one process of several. Start it with torchrun, as above.")
    # Only counts are sent, and they lie on the CPU. NCCL is not on every system, and wants a GPU for each process.
    dist.init_process_group("gloo", timeout=PATIENCE)
    gpus = torch.cuda.device_count()
    device = f"cuda:{int(os.environ['LOCAL_RANK']) % gpus}" if gpus else "cpu"
    try:
        total = _evaluate(arguments.data, arguments.model, device)
    except (RuntimeError, ValueError) as error:
        sys.stderr.write(f"Rank {dist.get_rank()}: {error}\n")  # in one piece, for the other ranks write, too
        return 1
    finally:
        dist.destroy_process_group()
    if os.environ["RANK"] == "0":
        print(total, flush=True)
    return 0


def _evaluate(folder: Path, file: Path, device: str) -> Evaluation:
    with failing_together():
        model, scaler = load_model(file)
        torch.set_default_dtype(model.l1.weight.dtype)  # the features get the default, and must be like the weights
        rows = ParquetBatches(folder, scaler=scaler, rank=dist.get_rank(), world_size=dist.get_world_size())
        part = evaluate(model.to(device), rows)
    return part.all_reduce()


if __name__ == "__main__":
    sys.exit(main())
