"""Train a classifier, and keep what happened in each epoch."""

import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, replace
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn
from torch.utils.data import Dataset

from sdss_lesson.batches import Batches, kind_of, unpack
from sdss_lesson.evaluation import Evaluation, check_model, device_of, dtypes_of, evaluate, forward, usable
from sdss_lesson.progress import progress
from sdss_lesson.tally import Tally, checked_labels


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


class History(list[Epoch]):
    """The epochs of a training run, first to last."""

    def to_frame(self) -> pd.DataFrame:
        """Columns ``epoch`` (from 1), ``train_loss, train_accuracy`` (running), ``val_loss, val_accuracy``."""
        return pd.DataFrame([asdict(row) for row in self], columns=list(Epoch.__dataclass_fields__))


def fit(
    model: nn.Module,
    train_loader: Batches,
    *,
    epochs: int,
    lr: float = 1e-3,
    val_loader: Dataset[Any] | Batches | None = None,
) -> History:
    """Train with Adam and cross-entropy, in place.

    Parameters
    ----------
    model
        Gives logits of shape (N, C). It is put in train mode, and its submodules are left in the mode that leaves
        them in.
    train_loader
        A DataLoader, or another iterable of batches as `evaluate` takes them that can be gone through again.
    epochs
        How often to go through it; at least 1.
    lr
        Adam's learning rate.
    val_loader
        What `evaluate` takes. It is evaluated after each epoch and changes nothing about the training: torch's random
        state is put back afterwards.

    Returns
    -------
    History
        One `Epoch` per epoch; ``history.to_frame()`` is a table.

    Raises
    ------
    ValueError
        When the loss is NaN or infinite (the message names epoch and batch), an epoch has no rows, nothing can be
        trained, or a number is none that can be used; and where `evaluate` raises it.
    TypeError
        When the model is no module, or the batches are none.

    References
    ----------
    Kingma and Ba, Adam: a method for stochastic optimization, ICLR 2015, arXiv:1412.6980.
    """
    check_model(model)
    if isinstance(train_loader, Dataset) or not isinstance(train_loader, Iterable):
        raise TypeError(
            f"The training data are {kind_of(train_loader)}; give batches: DataLoader(dataset, batch_size=32, "
            "shuffle=True)."
        )
    if not isinstance(epochs, int | np.integer) or epochs < 1:
        raise ValueError(f"epochs={epochs!r}: train for at least 1, by a whole number.")
    if not isinstance(lr, Real) or not 0 < lr < math.inf:
        raise ValueError(f"lr={lr!r}: give a small positive number, such as 1e-3.")
    if not torch.is_grad_enabled() or not any(weights.requires_grad for weights in model.parameters()):
        raise ValueError(
            "Nothing can be trained: gradients are switched off (torch.no_grad), or the model has no weights that take "
            "one. Train outside of torch.no_grad, and model.requires_grad_() thaws frozen weights."
        )
    loss_function = nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    device, dtypes = usable(device_of(model)), dtypes_of(model)
    history = History()
    for epoch in progress(range(1, epochs + 1), "training"):
        model.train()
        tally = Tally()
        for number, batch in enumerate(train_loader, start=1):
            inputs, labels = unpack(batch, device)
            if labels.numel() == 0:
                continue  # as `evaluate` does: its mean loss would be NaN
            logits = forward(model, inputs, dtypes)
            labels = checked_labels(logits, labels)
            loss = loss_function(logits, labels)
            if not math.isfinite(loss.item()):
                raise ValueError(
                    f"The loss is {loss.item()} in epoch {epoch}, batch {number}. Lower the learning rate "
                    f"(lr={lr:g}), and check that the features are scaled."
                )
            tally.add(logits.detach(), labels)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        counted = tally.result()
        if counted is None:
            raise ValueError(f"There are no training rows in epoch {epoch}: the loader is empty or used up.")
        running = Evaluation(*counted)
        row = Epoch(epoch, running.loss, running.accuracy)
        if val_loader is not None:
            with _random_state_kept(val_loader, device):
                after = evaluate(model, val_loader)
            row = replace(row, val_loss=after.loss, val_accuracy=after.accuracy)
        history.append(row)
    return history


@contextmanager
def _random_state_kept(loader: object, device: torch.device | None) -> Iterator[None]:
    """Going through a DataLoader draws random numbers, from torch's global state or from a generator of its own."""
    batch_sampler = getattr(loader, "batch_sampler", None)
    owners = [loader, getattr(loader, "sampler", None), batch_sampler, getattr(batch_sampler, "sampler", None)]
    found = [getattr(owner, "generator", None) for owner in owners]
    generators = [generator for generator in found if isinstance(generator, torch.Generator)]
    states = [generator.get_state() for generator in generators]
    cuda = [device] if device is not None and device.type == "cuda" else []
    try:
        with torch.random.fork_rng(devices=cuda):
            yield
    finally:
        for generator, state in zip(generators, states, strict=True):
            generator.set_state(state)
