"""The network of the story."""

import torch
from torch import nn


class NeuralNet(nn.Module):
    """Linear, LeakyReLU, Linear: a classifier with one hidden layer.

    Parameters
    ----------
    input_size
        Number of features.
    hidden_size
        Number of hidden units.
    num_classes
        Number of classes.

    Examples
    --------
    >>> NeuralNet(5, 16, 3)(torch.zeros(32, 5)).shape
    torch.Size([32, 3])
    """

    def __init__(self, input_size: int, hidden_size: int, num_classes: int) -> None:
        super().__init__()
        self.l1 = nn.Linear(input_size, hidden_size)
        self.relu = nn.LeakyReLU()
        self.l2 = nn.Linear(hidden_size, num_classes)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits of shape (N, num_classes) for features of shape (N, input_size)."""
        logits: torch.Tensor = self.l2(self.relu(self.l1(x)))
        return logits
