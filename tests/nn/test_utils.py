"""Clipping gradients, and parameters as one vector."""

from __future__ import annotations

import math

import pytest

import flambeau as torch
from flambeau import nn
from flambeau.nn.utils import (
    clip_grad_norm_,
    clip_grad_value_,
    get_total_norm,
    parameters_to_vector,
    vector_to_parameters,
)


def parameters() -> list[nn.Parameter]:
    made = [nn.Parameter(torch.zeros(2)), nn.Parameter(torch.zeros(1)), nn.Parameter(torch.ones(3))]
    made[0].grad = torch.tensor([3.0, 0.0])
    made[1].grad = torch.tensor([-4.0])
    return made


def test_gradients_are_scaled_to_the_norm() -> None:
    ours = parameters()
    total = clip_grad_norm_(iter(ours), 1.0)
    assert total.item() == 5
    assert ours[0].grad.tolist() == pytest.approx([0.6, 0.0], rel=1e-5)
    assert ours[1].grad.tolist() == pytest.approx([-0.8], rel=1e-5)
    assert ours[2].grad is None


def test_small_gradients_are_left() -> None:
    ours = parameters()
    clip_grad_norm_(ours, 100.0)
    assert ours[0].grad.tolist() == [3.0, 0.0]


def test_other_norms() -> None:
    gradients = [torch.tensor([3.0, 0.0]), torch.tensor([-4.0])]
    assert get_total_norm(gradients, 1.0).item() == 7
    assert get_total_norm(gradients, math.inf).item() == 4
    assert get_total_norm([]).item() == 0


def test_norms_that_are_not_finite() -> None:
    ours = parameters()
    ours[1].grad = torch.tensor([math.nan])
    with pytest.raises(RuntimeError, match="The total norm of order 2.0 for gradients from `param"):
        clip_grad_norm_(ours, 1.0, error_if_nonfinite=True)
    with pytest.warns(UserWarning, match="`parameters` is an empty generator"):
        clip_grad_norm_(iter([]), 1.0)


def test_gradients_are_clamped() -> None:
    ours = parameters()
    clip_grad_value_(ours, 2.0)
    assert ours[0].grad.tolist() == [2.0, 0.0]
    assert ours[1].grad.tolist() == [-2.0]


def test_parameters_as_a_vector_and_back() -> None:
    model = nn.Linear(2, 3)
    vector = parameters_to_vector(model.parameters())
    assert vector.shape == (9,)
    assert vector.requires_grad
    vector_to_parameters(torch.arange(9.0), model.parameters())
    assert model.weight.tolist() == [[0.0, 1.0], [2.0, 3.0], [4.0, 5.0]]
    assert model.bias.tolist() == [6.0, 7.0, 8.0]
    assert isinstance(model.weight, nn.Parameter)
    with pytest.raises(TypeError, match="expected torch.Tensor, but got: list"):
        vector_to_parameters([1.0], model.parameters())
