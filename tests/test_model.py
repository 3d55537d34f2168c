"""The network of the story, against the same thing written out."""

import pytest
import torch
from torch import nn

from sdss_lesson import NeuralNet


@pytest.mark.parametrize("sizes", [(5, 16, 3), (1, 1, 2), (6, 512, 10)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_it_is_linear_leaky_relu_linear(sizes, dtype):
    torch.set_default_dtype(dtype)
    model = NeuralNet(*sizes)
    layers = [module for module in model.modules() if not list(module.children())]
    assert [type(layer) for layer in layers] == [nn.Linear, nn.LeakyReLU, nn.Linear]
    first, second = layers[0], layers[2]
    x = torch.randn(32, sizes[0])
    hidden = x @ first.weight.T + first.bias
    logits = torch.where(hidden > 0, hidden, 0.01 * hidden) @ second.weight.T + second.bias
    assert model(x).shape == (32, sizes[2])
    assert model(x).dtype == dtype
    torch.testing.assert_close(model(x), logits)


def test_a_seed_decides_the_weights():
    states = []
    for seed in [1, 1, 2]:
        torch.manual_seed(seed)
        states.append(torch.cat([weights.flatten() for weights in NeuralNet(5, 16, 3).parameters()]))
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2])
