"""Keep a trained `NeuralNet` in a file, together with the scaling that its features need."""

import io
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd
import torch

from sdss_lesson._checks import kind_of
from sdss_lesson.catalog import CLASSES, FEATURES
from sdss_lesson.model import NeuralNet
from sdss_lesson.support.files import write_whole


@dataclass(frozen=True, eq=False)
class FittedScaler:
    """What is left of a fitted ``StandardScaler``: mean and scale of each feature, each of shape (F,)."""

    mean: npt.NDArray[np.float64]
    scale: npt.NDArray[np.float64]

    def transform(self, X: pd.DataFrame | np.ndarray) -> np.ndarray:  # noqa: N803 (scikit-learn's name)
        """Features of shape (N, F), centred and scaled."""
        return (np.asarray(X, dtype=np.float64) - self.mean) / self.scale


def save_model(path: str | os.PathLike[str], model: NeuralNet, scaler: Any) -> None:
    """Write a model and a fitted ``StandardScaler`` to one file, which `load_model` reads.

    It is a dictionary saved by `torch.save`: ``"state_dict"``, and ``"mean"`` and ``"scale"`` as float64 tensors of
    shape (F,). The sizes of the network are those of its weights; it takes the `FEATURES` and names the `CLASSES`.

    Raises
    ------
    TypeError
        When the model is not a `NeuralNet`.
    ValueError
        When the scaler is not fitted, no ``StandardScaler``, or one that leaves out mean or scale; and when model or
        scaler are for other features or classes.
    OSError
        When the file cannot be written. One that was there stays as it was.
    """
    if not isinstance(model, NeuralNet):
        raise TypeError(f"The model is {kind_of(model)}; only a NeuralNet is kept in such a file.")
    mean, scale = getattr(scaler, "mean_", None), getattr(scaler, "scale_", None)
    if mean is None or scale is None or not getattr(scaler, "with_mean", True):
        raise ValueError(
            f"The scaler {scaler} has no mean and scale to keep. Give a StandardScaler() that was fitted on the "
            "training rows."
        )
    _check_sizes("The model", model.l1.in_features, model.l2.out_features)
    names = list(getattr(scaler, "feature_names_in_", FEATURES))  # there are none if it was fitted on an array
    if names != FEATURES or len(mean) != len(FEATURES):
        fitted = ", ".join(names) if names != FEATURES else f"{len(mean)} features"
        raise ValueError(f"The scaler was fitted on {fitted}. Fit it on {', '.join(FEATURES)}, in this order.")
    scaling = {"mean": torch.tensor(mean), "scale": torch.tensor(scale)}
    content = io.BytesIO()
    torch.save({"state_dict": model.state_dict(), **scaling}, content)
    write_whole(Path(path).expanduser(), content.getvalue())  # a full disk costs no model


def load_model(path: str | os.PathLike[str]) -> tuple[NeuralNet, FittedScaler]:
    """Read a file of `save_model`, for the `FEATURES` and `CLASSES` of the lesson, without running code from it.

    Raises
    ------
    ValueError
        When the file is not there, or `save_model` has not written it. It is loaded with ``weights_only=True``,
        so that a file from elsewhere can hold wrong numbers at worst.
    """
    try:
        found = torch.load(Path(path).expanduser(), map_location="cpu", weights_only=True)
        state = found["state_dict"]
        (hidden, n_features), n_classes = state["l1.weight"].shape, len(state["l2.weight"])
        model = NeuralNet(n_features, hidden, n_classes).to(state["l1.weight"].dtype)
        model.load_state_dict(state)
        scaler = FittedScaler(found["mean"].numpy(), found["scale"].numpy())
        if not scaler.mean.shape == scaler.scale.shape == (n_features,):
            raise ValueError(f"mean and scale are not those of {n_features} features")
    except OSError as error:
        raise ValueError(f"{path} cannot be read: {error.strerror or error}.") from None
    except Exception as error:  # a file that is something else fails in any way
        reason = str(error).split("\n")[0]
        raise ValueError(f"save_model has not written {path} ({type(error).__name__}: {reason}).") from None
    _check_sizes(f"The model in {path}", n_features, n_classes)
    return model.eval(), scaler


def _check_sizes(model: str, n_features: int, n_classes: int) -> None:
    if (n_features, n_classes) != (len(FEATURES), len(CLASSES)):
        raise ValueError(
            f"{model} has {n_features} features and {n_classes} classes; it needs {len(FEATURES)} "
            f"({', '.join(FEATURES)}) and {len(CLASSES)} ({', '.join(CLASSES)})."
        )
