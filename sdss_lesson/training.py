"""Train a classifier, and keep what happened in each epoch."""

import math
from collections import UserList
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from numbers import Real
from typing import Any

import pandas as pd
import torch
from torch import nn
from torch.utils.data import Dataset

from sdss_lesson._checks import is_whole, kind_of
from sdss_lesson._fast import Batches, Tally, batches_of
from sdss_lesson._tensors import check_labels, check_model, check_shapes, checked_device, device_of, forward, unpack
from sdss_lesson.evaluation import Evaluation, evaluate
from sdss_lesson.support.progress import progress


@dataclass(frozen=True)
class Epoch:
    """One row of a `History`: losses are means over rows in nats, accuracies fractions.

    The training numbers are *running*: each batch was scored while the network still learned, so they mix the
    networks of a whole epoch. The validation numbers are those of the network at the epoch's end; NaN without
    validation data.
    """

    epoch: int
    train_loss: float
    train_accuracy: float
    val_loss: float = math.nan
    val_accuracy: float = math.nan


class History(UserList[Epoch]):
    """The epochs of a training run, first to last: a list, whose slices and sums are histories, too."""

    def to_frame(self) -> pd.DataFrame:
        """Columns ``epoch`` (from 1), ``train_loss, train_accuracy`` (running), ``val_loss, val_accuracy``."""
        return pd.DataFrame([asdict(row) for row in self], columns=list(Epoch.__dataclass_fields__))


def fit(
    model: nn.Module,
    train_loader: Batches,
    *,
    epochs: int,
    lr: float = 1e-3,
    val_data: Dataset[Any] | Batches | None = None,
) -> History:
    """Train with Adam and cross-entropy, in place.

    Parameters
    ----------
    model
        Gives logits of shape (N, C). It is put in train mode, with all its submodules, and stays there.
    train_loader
        A DataLoader, or another iterable of batches as `evaluate` takes them that can be gone through again.
    epochs
        How often to go through it; at least 1.
    lr
        Adam's learning rate.
    val_data
        What `evaluate` takes. It is evaluated after each epoch, and the training goes on as it would without it.

    Returns
    -------
    History
        One `Epoch` per epoch; ``history.to_frame()`` is a table.

    Raises
    ------
    ValueError, TypeError
        When the loss is NaN or infinite (the message names epoch and batch), an epoch has no rows, the model has
        nothing to train, or an argument is out of range or of the wrong type; and where `evaluate` raises.

    References
    ----------
    Kingma and Ba, Adam: a method for stochastic optimization, ICLR 2015, arXiv:1412.6980.
    """
    check_model(model)
    if isinstance(train_loader, Dataset) or not isinstance(train_loader, Iterable):
        raise TypeError(
            f"The training data is {kind_of(train_loader)}; give batches: DataLoader(dataset, batch_size=32, "
            "shuffle=True)."
        )
    if not is_whole(epochs, 1):
        raise ValueError(f"epochs={epochs!r}: train for at least 1, by a whole number.")
    if not isinstance(lr, Real) or not 0 < lr < math.inf:
        raise ValueError(f"lr={lr!r}: give a small positive number, such as 1e-3.")
    if not torch.is_grad_enabled() or not any(weights.requires_grad for weights in model.parameters()):
        raise ValueError(
            "Nothing can be trained: gradients are switched off (torch.no_grad), or the model has no weights that take "
            "one. Train outside of torch.no_grad, and model.requires_grad_() thaws frozen weights."
        )
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    device = checked_device(device_of(model))
    history = History()
    for epoch in progress(range(1, epochs + 1), "training"):
        running = _train_one_epoch(model, train_loader, optimizer, device, epoch)
        row = Epoch(epoch, running.loss, running.accuracy)
        if val_data is not None:
            with _random_state_kept(val_data, device):
                after = evaluate(model, val_data)
            row = replace(row, val_loss=after.loss, val_accuracy=after.accuracy)
        history.append(row)
    return history


def _train_one_epoch(
    model: nn.Module, batches: Batches, optimizer: torch.optim.Optimizer, device: torch.device | None, epoch: int
) -> Evaluation:
    """One pass through the batches; what the network got right while it learned."""
    model.train()
    tally = Tally()
    for number, batch in enumerate(batches_of(batches, None), start=1):
        inputs, labels = unpack(batch, device)
        if labels.numel() == 0:
            continue  # the mean loss of no rows would be NaN
        logits = forward(model, inputs)
        labels = check_shapes(logits, labels)
        check_labels(labels, logits.shape[1])
        loss = nn.functional.cross_entropy(logits, labels)
        if not math.isfinite(loss.item()):
            raise ValueError(
                f"The loss is {loss.item()} in epoch {epoch}, batch {number}. Lower the learning rate "
                f"(lr={optimizer.param_groups[0]['lr']:g}), and check that the features are scaled."
            )
        tally.add(logits.detach(), labels)
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
    counted = tally.result()
    if counted is None:
        raise ValueError(f"There are no training rows in epoch {epoch}: the loader is empty or used up.")
    return Evaluation(*counted)


@contextmanager
def _random_state_kept(loader: object, device: torch.device | None) -> Iterator[None]:
    """To go through a DataLoader draws random numbers, from torch's global state or from a generator of its own."""
    batch_sampler = getattr(loader, "batch_sampler", None)
    owners = [loader, getattr(loader, "sampler", None), batch_sampler, getattr(batch_sampler, "sampler", None)]
    found = [getattr(owner, "generator", None) for owner in owners]
    states = [(generator, generator.get_state()) for generator in found if isinstance(generator, torch.Generator)]
    try:
        with torch.random.fork_rng(devices=[device] if device is not None and device.type == "cuda" else []):
            yield
    finally:
        for generator, state in states:
            generator.set_state(state)
