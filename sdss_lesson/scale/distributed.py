"""Many processes, one evaluation: every row on exactly one rank, and an error on one rank an error on all.

Built on `torch.distributed`, as `torchrun` starts it. Each rank evaluates its own `shard`; `Evaluation.all_reduce` adds
up the counts of all ranks.
"""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

import numpy as np
import torch.distributed as dist
from torch.utils.data import Dataset, Subset

from sdss_lesson.evaluation import Evaluation

T = TypeVar("T")


def shard(dataset: Dataset[T], rank: int, world_size: int) -> Subset[T]:
    """The rows of one rank. Every row is on exactly one: unlike a `DistributedSampler`, this pads nothing.

    Parameters
    ----------
    dataset
        A map-style dataset of N rows, in the same order on every rank.
    rank
        From 0 to ``world_size - 1``.
    world_size
        Number of ranks.

    Returns
    -------
    torch.utils.data.Subset
        N / world_size rows, rounded down or up; none for some ranks where there are fewer rows than ranks. Each shard
        is one run of neighbours, because slices of memory and of files are read faster than scattered rows. It is
        meant for evaluation, where the order does not count.

    Raises
    ------
    ValueError
        When the rank is not from 0 to ``world_size - 1``.
    TypeError
        When the dataset has no length.

    Examples
    --------
    >>> [list(shard("abcdefgh", rank, 3)) for rank in range(3)]
    [['a', 'b'], ['c', 'd', 'e'], ['f', 'g', 'h']]
    """
    return Subset(dataset, share(_length(dataset), rank, world_size))


def share(n: int, rank: int, world_size: int) -> range:
    """Which of `n` things in a row are those of one rank."""
    if not 0 <= rank < world_size:
        raise ValueError(f"rank={rank} and world_size={world_size}: the ranks go from 0 to world_size - 1.")
    return range(n * rank // world_size, n * (rank + 1) // world_size)


def _length(dataset: Any) -> int:
    try:
        return len(dataset)
    except TypeError:
        raise TypeError(
            f"A {type(dataset).__name__} has no length, so its rows cannot be dealt out. Give a map-style dataset, or "
            "let each rank stream its own files."
        ) from None


def gather(thing: T, group: dist.ProcessGroup | None = None) -> list[T]:
    """What every rank of the group hands in, by rank. All of them have to call it.

    Raises
    ------
    RuntimeError
        When there is no process group, this process is not in it, or another rank does not come: it has ended, or the
        timeout of ``init_process_group`` is over.
    """
    if not (dist.is_available() and dist.is_initialized()):
        raise RuntimeError(
            "There is no process group. Start the script with torchrun, and call torch.distributed.init_process_group()"
            " first."
        )
    rank, found = dist.get_rank(group), [thing] * dist.get_world_size(group)
    if rank < 0:
        raise RuntimeError("This process is not in the group. Call it on the ranks of the group only.")
    try:
        dist.all_gather_object(found, thing, group=group)
    except RuntimeError as error:
        raise RuntimeError(
            f"Rank {rank} of {len(found)} waited for the others in vain: one has failed or ended, or did not come "
            "within the timeout of init_process_group. Read what that rank says; `with failing_together():` around the "
            f"work of every rank would say it here. ({error})"
        ) from error
    return found


def all_reduce(mine: Evaluation, group: dist.ProcessGroup | None = None) -> Evaluation:
    """The evaluation of the rows of all ranks, on every rank. All of them have to call it.

    Parameters
    ----------
    mine
        The evaluation of this rank's own rows.
    group
        The ranks whose counts are added; by default all. Nothing else in this package talks to other processes:
        `evaluate` counts what its own process reads.

    Returns
    -------
    Evaluation
        The same on every rank. The counts are exact, and the loss is the correctly rounded sum of the ranks' own.

    Raises
    ------
    ValueError
        On every rank, when ranks know different numbers of classes, or one has no rows.
    RuntimeError
        When there is no process group, or a rank does not come before the group's timeout.

    See Also
    --------
    failing_together : for ranks whose `evaluate` may raise, as without rows.
    """
    parts = gather(mine, group)
    sizes = [len(part.confusion) for part in parts]
    if len(set(sizes)) > 1:
        raise ValueError(
            f"The ranks know different numbers of classes: {', '.join(map(str, sizes))} on ranks 0 to "
            f"{len(parts) - 1}. Give every rank the same model."
        )
    empty = [str(rank) for rank, part in enumerate(parts) if part.n_samples == 0]
    if empty:
        raise ValueError(f"No rows were evaluated on rank {', '.join(empty)}. Use fewer ranks, or more rows.")
    confusion = np.sum([part.confusion for part in parts], axis=0)
    names = next((part.classes for part in parts if part.classes), ())
    return Evaluation(confusion, math.fsum(part.loss_sum for part in parts), names)


@contextmanager
def failing_together(group: dist.ProcessGroup | None = None) -> Iterator[None]:
    """Make an error on one rank an error on every rank, and wait for all of them at the end of the block.

    Without it, a rank that fails never comes to the next collective call, where the others wait for it until the
    timeout. Inside the block there may be no collective call.

    Parameters
    ----------
    group
        The ranks concerned; by default all.

    Raises
    ------
    RuntimeError
        On every rank, when the block has raised on any of them. The message names the ranks, and what each says.

    Examples
    --------
    On every rank, started with ``torchrun``::

        with failing_together():
            part = evaluate(model, shard(dataset, rank, world_size))
        total = part.all_reduce()
    """
    caught: Exception | None = None
    try:
        yield
    except Exception as error:
        caught = error
    try:
        said = gather(None if caught is None else f"{type(caught).__name__}: {caught}", group)
    except RuntimeError:
        if caught is not None:  # nobody is left to hear of it but the reader of this rank
            raise caught from None
        raise
    failed = [f"rank {rank}: {words}" for rank, words in enumerate(said) if words is not None]
    if failed:
        raise RuntimeError(f"{len(failed)} of {len(said)} ranks failed. {' '.join(failed)}") from caught
