"""`fit` against a training loop written out; validation that changes nothing; errors that say where."""

import io
import math
from contextlib import redirect_stderr

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, RandomSampler, TensorDataset

from sdss_lesson import Epoch, History, NeuralNet, SDSSDataset, evaluate, fit, progress

COLUMNS = ["epoch", "train_loss", "train_accuracy", "val_loss", "val_accuracy"]


def rows(n=100, seed=0, dtype=torch.float32):
    rng = torch.Generator().manual_seed(seed)
    x = torch.randn(n, 3, generator=rng, dtype=torch.float64).to(dtype)
    return TensorDataset(x, (x[:, 0] > 0).long() + (x[:, 1] > 0).long())


def network(dtype=torch.float32):
    """Dropout draws random numbers, and BatchNorm remembers what it saw."""
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.Dropout(0.3), nn.LeakyReLU(), nn.Linear(8, 3))
    return model.to(dtype)


def weights(model):
    return torch.cat([tensor.double().flatten() for tensor in model.state_dict().values()])


@pytest.mark.parametrize("column", [False, True])
def test_it_trains_like_the_loop_written_out(column):
    x, y = rows(70).tensors
    batches = [(x[at : at + 32], y[at : at + 32]) for at in range(0, 70, 32)]
    model, lr = network(), 1e-2
    optimizer = torch.optim.Adam(model.parameters(), lr=lr)
    losses, hits = [], []
    torch.manual_seed(5)
    for _ in range(3):
        model.train()
        loss_sum, n_correct = 0.0, 0
        for inputs, labels in batches:
            logits = model(inputs)
            loss = nn.CrossEntropyLoss()(logits, labels)
            loss_sum += loss.item() * len(labels)
            n_correct += (logits.argmax(1) == labels).sum().item()
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        losses.append(loss_sum / 70)
        hits.append(n_correct / 70)
    expected, model = weights(model), network()
    torch.manual_seed(5)
    history = fit(model, [(a, b[:, None] if column else b) for a, b in batches], epochs=3, lr=lr)
    assert torch.equal(weights(model), expected)
    assert [row.train_accuracy for row in history] == hits
    assert [row.train_loss for row in history] == pytest.approx(losses, rel=1e-6)


def test_the_default_learning_rate_is_one_thousandth():
    trained = []
    for options in ({}, {"lr": 1e-3}, {"lr": 1e-2}):
        model = network()
        fit(model, DataLoader(rows(), batch_size=32), epochs=1, **options)
        trained.append(weights(model))
    assert torch.equal(trained[0], trained[1])
    assert not torch.equal(trained[0], trained[2])


def loaders(kind):
    """A training and a validation loader that have a source of random numbers in common, fresh each time."""
    train, val, shared = rows(90), rows(40, seed=1), torch.Generator().manual_seed(7)
    both = {"shuffle": True, "batch_size": 16}
    mine = DataLoader(train, generator=shared, **both)
    return {
        "each from the global state": (DataLoader(train, **both), DataLoader(val, **both)),
        "validation in order": (DataLoader(train, **both), DataLoader(val, batch_size=16)),
        "one generator": (mine, DataLoader(val, generator=shared, **both)),
        "one generator, in the samplers": (
            DataLoader(train, batch_size=16, sampler=RandomSampler(train, generator=shared)),
            DataLoader(val, batch_size=16, sampler=RandomSampler(val, generator=shared)),
        ),
        "one generator, batches made before": (
            mine,
            DataLoader(
                TensorDataset(*(tensor.unflatten(0, (5, 8)) for tensor in val.tensors)),
                batch_size=None,
                sampler=RandomSampler(range(5), generator=shared),
            ),
        ),
        "one loader": (mine, mine),
        "a dataset": (DataLoader(train, **both), val),
        "a list": (DataLoader(train, **both), [val.tensors]),
    }[kind]


KINDS = [
    "each from the global state",
    "validation in order",
    "one generator",
    "one generator, in the samplers",
    "one generator, batches made before",
    "one loader",
    "a dataset",
    "a list",
]


@pytest.mark.parametrize("kind", KINDS)
def test_validation_changes_nothing_about_the_training(kind):
    outcomes = []
    for validated in (False, True):
        train, val = loaders(kind)
        model = network()
        torch.manual_seed(3)
        history = fit(model, train, epochs=4, lr=1e-2, val_data=val if validated else None)
        outcomes.append((weights(model), history.to_frame(), torch.get_rng_state()))
    (plain, table, state), (with_val, table_with_val, state_with_val) = outcomes
    assert torch.equal(plain, with_val)
    assert table[COLUMNS[:3]].equals(table_with_val[COLUMNS[:3]])
    assert torch.equal(state, state_with_val)
    assert table["val_loss"].isna().all()
    assert table["val_accuracy"].isna().all()
    assert table_with_val.notna().all(axis=None)


def test_the_training_loader_is_shuffled_anew_in_each_epoch():
    orders = []

    class Watch(NeuralNet):
        def forward(self, x):
            if self.training:
                orders.append(x[0, 0].item())
            return super().forward(x)

    train, val = loaders("one generator")
    fit(Watch(3, 4, 3), train, epochs=4, val_data=val)
    firsts = orders[::6]
    assert len(orders) == 24
    assert len(set(firsts)) == 4


def test_the_validation_columns_are_what_evaluate_says():
    train, val = DataLoader(rows(), batch_size=32), DataLoader(rows(50, seed=1), batch_size=16)
    for epochs in (1, 3):
        model = network()
        torch.manual_seed(0)
        last = fit(model, train, epochs=epochs, val_data=val)[-1]
        after = evaluate(model, val)
        assert (last.val_loss, last.val_accuracy) == (after.loss, after.accuracy)


def test_a_validation_that_raises_puts_the_generator_back():
    generator = torch.Generator().manual_seed(7)
    before = generator.get_state()
    spoilt = TensorDataset(torch.zeros(9, 3), torch.full((9,), 3))
    with pytest.raises(ValueError, match="label"):
        fit(
            network(),
            [rows().tensors],
            epochs=1,
            val_data=DataLoader(spoilt, shuffle=True, batch_size=9, generator=generator),
        )
    assert torch.equal(generator.get_state(), before)


def test_an_empty_batch_changes_nothing():
    x, y = rows().tensors
    trained = []
    for batches in ([(x, y)], [(x[:0], y[:0]), (x, y)]):
        model = network()
        torch.manual_seed(2)
        trained.append((fit(model, batches, epochs=np.int64(2)), weights(model)))
    assert trained[0][0] == trained[1][0] and torch.equal(trained[0][1], trained[1][1])


def test_each_epoch_trains_in_train_mode_and_so_does_the_model_end():
    seen = []

    class Watch(NeuralNet):
        def forward(self, x):
            seen.append(self.training)
            return super().forward(x)

    model = Watch(3, 4, 3).eval()
    fit(model, [rows().tensors], epochs=2, val_data=[rows(9).tensors])
    assert seen == [True, False, True, False]
    assert model.training


def test_the_history_turns_into_a_table():
    history = fit(network(), [rows().tensors], epochs=2, val_data=rows(10))
    table = history.to_frame()
    assert isinstance(history, History)
    assert list(table.columns) == COLUMNS
    assert table["epoch"].tolist() == [1, 2]
    assert table.iloc[1].tolist() == list(vars(history[1]).values())
    assert all(table[name].dtype == np.float64 for name in COLUMNS[1:])
    assert isinstance(history[0], Epoch)
    assert list(History().to_frame().columns) == COLUMNS


def test_running_is_said_where_the_numbers_are_explained():
    for words in (Epoch.__doc__, History.to_frame.__doc__):
        assert "running" in words


class Breaks(nn.Module):
    """Its logits are multiplied by `value` in call number `call`; a negative one becomes the first column."""

    def __init__(self, call, value):
        super().__init__()
        self.layer, self.call, self.value, self.calls = nn.Linear(3, 3), call, value, 0

    def forward(self, x):
        self.calls += 1
        logits = self.layer(x)
        if self.calls == self.call and self.value < 0:
            return torch.cat([torch.full_like(logits[:, :1], self.value), logits[:, 1:]], dim=1)
        return logits * (self.value if self.calls == self.call else 1.0)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize(("call", "where"), [(1, "epoch 1, batch 1"), (4, "epoch 1, batch 4"), (6, "epoch 2, batch 2")])
def test_a_loss_that_is_not_finite_says_where_and_leaves_the_weights(value, call, where):
    model = Breaks(call, value)
    with pytest.raises(ValueError, match=f"(nan|inf) in {where}\\. Lower the learning rate \\(lr=0.1\\)"):
        fit(model, DataLoader(rows(), batch_size=25), epochs=3, lr=0.1)
    assert all(tensor.isfinite().all() for tensor in model.state_dict().values())


def test_the_lesson_learns(split):
    from sklearn.preprocessing import StandardScaler

    torch.set_default_dtype(torch.float64)
    torch.manual_seed(0)
    scaler = StandardScaler().fit(split.train[["u", "g", "r", "i", "z"]])
    train, val = (SDSSDataset(part, scaler=scaler) for part in (split.train, split.val))
    history = fit(NeuralNet(5, 16, 3), DataLoader(train, batch_size=32, shuffle=True), epochs=5, lr=1e-2, val_data=val)
    assert history[-1].val_accuracy > 0.85
    assert history[-1].train_loss < history[0].train_loss


@pytest.mark.parametrize("quiet", [True, False])
def test_the_bar_is_drawn_on_stderr_unless_quiet(monkeypatch, capsys, quiet):
    monkeypatch.setenv("SDSS_LESSON_QUIET", "1") if quiet else monkeypatch.delenv("SDSS_LESSON_QUIET", raising=False)
    with redirect_stderr(io.StringIO()) as drawn:
        fit(NeuralNet(3, 4, 3), [rows().tensors], epochs=2)
        assert list(progress(iter("ab"), "letters")) == ["a", "b"]
    assert ("training" in drawn.getvalue() and "letters" in drawn.getvalue()) is not quiet
    assert (drawn.getvalue() == "") is quiet
    assert capsys.readouterr().out == ""


def test_parts_of_a_history_are_histories():
    history = fit(network(), DataLoader(rows(), batch_size=32), epochs=3)
    for part, epochs in [
        (history[:1], [1]),
        (history[1:], [2, 3]),
        (history + history[:1], [1, 2, 3, 1]),
        (history * 2, [1, 2, 3] * 2),
        (history.copy(), [1, 2, 3]),
    ]:
        assert isinstance(part, History) and part.to_frame()["epoch"].tolist() == epochs
    assert history[-1] == history[2] and next(reversed(history)).epoch == 3
