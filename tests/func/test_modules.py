"""Modules as functions: other parameters, ensembles, and the gradients of single samples."""

from __future__ import annotations

from typing import Any

import pytest

import flambeau as torch
from flambeau import nn
from flambeau.func import (
    functional_call,
    grad,
    hessian,
    replace_all_batch_norm_modules_,
    stack_module_state,
    vmap,
)


def mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(3, 8), nn.Tanh(), nn.LayerNorm(8), nn.Linear(8, 4))


def cnn() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 4, 3), nn.ReLU(), nn.MaxPool2d(2), nn.Conv2d(4, 6, 2, padding=1, groups=2),
        nn.GroupNorm(2, 6), nn.Flatten(), nn.Linear(96, 4),
    )  # fmt: skip


class Recurrent(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(7, 5)
        self.lstm = nn.LSTM(5, 6, batch_first=True)
        self.out = nn.Linear(6, 4)

    def forward(self, x: Any) -> Any:
        return self.out(self.lstm(self.embedding(x))[0][:, -1])


MODELS: dict[str, tuple[Any, Any]] = {
    "MLP": (mlp, lambda: torch.randn(6, 3)),
    "CNN": (cnn, lambda: torch.randn(6, 1, 8, 8)),
    "LSTM": (Recurrent, lambda: torch.randint(0, 7, (6, 5))),
    "transformer": (
        lambda: nn.Sequential(
            nn.TransformerEncoderLayer(4, 2, 8, dropout=0.0, batch_first=True),
            nn.Flatten(), nn.Linear(12, 4),
        ),
        lambda: torch.randn(6, 3, 4),
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", MODELS)
def test_gradients_of_single_samples(name: str) -> None:
    build, data = MODELS[name]
    model, x = build(), data()
    y = torch.randint(0, 4, (6,))
    parameters = {k: v.detach() for k, v in model.named_parameters()}

    def loss(parameters: Any, x: Any, y: Any) -> Any:
        scores = functional_call(model, parameters, (x[None],))
        return nn.functional.cross_entropy(scores, y[None])

    found = vmap(grad(loss), in_dims=(None, 0, 0))(parameters, x, y)
    for i in range(6):
        model.zero_grad()
        nn.functional.cross_entropy(model(x[i : i + 1]), y[i : i + 1]).backward()
        for key, parameter in model.named_parameters():
            assert torch.allclose(found[key][i], parameter.grad, rtol=1e-4, atol=1e-6), key


def test_an_ensemble_in_one_pass() -> None:
    models = [mlp() for _ in range(5)]
    parameters, buffers = stack_module_state(models)
    base = models[0]

    def call(parameters: Any, buffers: Any, x: Any) -> Any:
        return functional_call(base, (parameters, buffers), (x,))

    x = torch.randn(7, 3)
    found = vmap(call, in_dims=(0, 0, None))(parameters, buffers, x)
    assert tuple(found.shape) == (5, 7, 4)
    assert all(p.is_leaf and p.requires_grad for p in parameters.values())
    for model, result in zip(models, found):
        assert torch.allclose(result, model(x), atol=1e-6)
    found.square().sum().backward()
    for i, model in enumerate(models):
        model.zero_grad()
        model(x).square().sum().backward()
        for key, parameter in model.named_parameters():
            assert torch.allclose(parameters[key].grad[i], parameter.grad, rtol=1e-4, atol=1e-5)
    batches = torch.randn(5, 7, 3)
    found = vmap(call)(parameters, buffers, batches)
    for model, result, batch in zip(models, found, batches):
        assert torch.allclose(result, model(batch), atol=1e-6)


def test_hessian_of_a_small_net() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Linear(3, 1)).double()
    x, y = torch.randn(5, 2).double(), torch.randn(5, 1).double()
    parameters = {k: v.detach() for k, v in model.named_parameters()}

    def loss(parameters: Any) -> Any:
        return nn.functional.mse_loss(functional_call(model, parameters, (x,)), y)

    found = hessian(loss)(parameters)
    assert tuple(found["0.weight"]["2.bias"].shape) == (3, 2, 1)
    # by finite differences of the gradient
    gradient = grad(loss)
    for key, value in parameters.items():
        for j in range(value.numel()):
            moved = []
            for step in (1e-5, -1e-5):
                changed = {k: v.clone() for k, v in parameters.items()}
                changed[key].view(-1)[j] += step
                moved.append(gradient(changed))
            for other in parameters:
                column = found[other][key].reshape((*parameters[other].shape, -1))[..., j]
                slope = (moved[0][other] - moved[1][other]) / 2e-5
                assert torch.allclose(column, slope, rtol=1e-4, atol=1e-6)


def test_dropout_differs_between_samples() -> None:
    model = nn.Dropout(0.5)
    found = vmap(lambda x: functional_call(model, {}, (x,)), randomness="different")(
        torch.ones(4, 100)
    )
    assert not torch.equal(found[0], found[1])
    found = vmap(lambda x: functional_call(model, {}, (x,)), randomness="same")(torch.ones(4, 100))
    assert torch.equal(found[0], found[1])


def test_the_module_is_as_before_even_after_an_error() -> None:
    model = mlp()
    before = dict(model.named_parameters())
    functional_call(model, {"0.bias": torch.zeros(8)}, torch.ones(2, 3))
    with pytest.raises(RuntimeError):
        functional_call(model, {"0.bias": torch.zeros(9)}, torch.ones(2, 3))
    assert all(dict(model.named_parameters())[k] is v for k, v in before.items())


def test_gradients_go_to_the_given_tensors() -> None:
    model = nn.Linear(3, 2)
    weight = torch.ones(2, 3, requires_grad=True)
    functional_call(model, {"weight": weight}, torch.ones(3)).sum().backward()
    assert weight.grad is not None and model.weight.grad is None
    assert model.bias.grad is not None


def test_tied_weights_are_replaced_together() -> None:
    model = nn.Sequential(nn.Linear(2, 2, bias=False), nn.Linear(2, 2, bias=False))
    model[1].weight = model[0].weight
    twice = torch.eye(2) * 2
    x = torch.ones(2)
    assert functional_call(model, {"0.weight": twice}, x).tolist() == [4, 4]
    assert functional_call(model, {"1.weight": twice}, x).tolist() == [4, 4]
    alone = functional_call(model, {"0.weight": twice}, x, tie_weights=False)
    assert torch.allclose(alone, (model[0].weight @ (x * 2)))
    with pytest.raises(ValueError, match="got multiple values for keys"):
        functional_call(model, {"0.weight": twice, "1.weight": torch.eye(2)}, x)


def test_names_are_checked() -> None:
    model, x = nn.Linear(3, 2), torch.ones(3)
    with pytest.raises(AttributeError):
        functional_call(model, {"other.weight": x}, x)
    functional_call(model, {"other": x}, x)  # passed over, as in PyTorch
    given = {"weight": torch.ones(2, 3)}
    with pytest.raises(RuntimeError, match=r"Missing key\(s\): 'bias'"):
        functional_call(model, given, x, strict=True)
    with pytest.raises(ValueError, match="appeared in multiple dictionaries"):
        functional_call(model, (given, given), x)
    with pytest.raises(ValueError, match="to be a dict, or a list/tuple of dicts"):
        functional_call(model, 3, x)  # type: ignore[arg-type]


def test_models_of_an_ensemble_are_of_one_kind() -> None:
    with pytest.raises(RuntimeError, match="at least one model, got 0"):
        stack_module_state([])
    with pytest.raises(RuntimeError, match="same training/eval mode"):
        stack_module_state([nn.Linear(1, 1), nn.Linear(1, 1).eval()])
    with pytest.raises(RuntimeError, match="of the same class"):
        stack_module_state([nn.Linear(1, 1), nn.Bilinear(1, 1, 1)])


def test_batch_norm_without_averages() -> None:
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4))
    x = torch.randn(5, 6, 3)
    with pytest.raises(RuntimeError, match="inplace"):
        vmap(model)(x)
    assert replace_all_batch_norm_modules_(model) is model
    found = vmap(model)(x)
    for batch, result in zip(x, found):
        assert torch.allclose(result, model(batch), atol=1e-5)
