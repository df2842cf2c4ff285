"""Diagonals filled, elements written by a function, and questions about tensors."""

from __future__ import annotations

import pytest

import flambeau as torch


def test_the_diagonal_is_filled_and_wraps_in_a_tall_matrix() -> None:
    assert torch.zeros(2, 3).fill_diagonal_(5).tolist() == [[5, 0, 0], [0, 5, 0]]
    tall = torch.zeros(5, 2).fill_diagonal_(1, wrap=True)
    assert tall.nonzero().tolist() == [[0, 0], [1, 1], [3, 0], [4, 1]]
    assert torch.zeros(2, 2, 2).fill_diagonal_(1).sum() == 2
    with pytest.raises(RuntimeError, match="equal length"):
        torch.zeros(2, 3, 3).fill_diagonal_(1)
    with pytest.raises(RuntimeError, match="dimensions must larger than 1"):
        torch.zeros(2).fill_diagonal_(1)


def test_no_gradient_comes_through_a_filled_diagonal() -> None:
    x = torch.zeros(2, 2, requires_grad=True)
    (x * 1).fill_diagonal_(3).sum().backward()
    assert x.grad.tolist() == [[0, 1], [1, 0]]


def test_elements_are_replaced_by_a_function_s_results() -> None:
    x = torch.arange(4).reshape(2, 2)
    assert x.t().apply_(lambda value: value * 10).tolist() == [[0, 20], [10, 30]]
    assert x.tolist() == [[0, 10], [20, 30]]
    y = torch.arange(3.0).map_(torch.ones(1), lambda a, b: a + b)
    assert y.tolist() == [1, 2, 3]
    with pytest.raises(RuntimeError, match="requires grad"):
        torch.ones(1, requires_grad=True).apply_(abs)


def test_new_tensors_have_the_old_one_s_dtype() -> None:
    assert torch.ones(1, dtype=torch.int64).new([1, 2]).dtype is torch.int64
    assert torch.ones(1).new(2, 3).shape == (2, 3)
    assert torch.Tensor().shape == (0,)


def test_questions_about_a_tensor() -> None:
    assert torch.is_nonzero(torch.tensor(2)) and not torch.tensor(0.0).is_nonzero()
    with pytest.raises(RuntimeError, match="more than one value"):
        torch.is_nonzero(torch.ones(2))
    assert torch.typename(torch.ones(1)) == "torch.FloatTensor"
    assert torch.typename(torch.nn.Linear(1, 1)) == "torch.nn.modules.linear.Linear"
    assert torch.get_device(torch.ones(1)) == -1
    assert torch.is_signed(torch.ones(1)) and not torch.is_signed(torch.ones(1).byte())


def test_in_place_methods_are_functions_too() -> None:
    x = torch.tensor([-1.0, 2.0])
    assert torch.clamp_(x, 0, 1) is x and x.tolist() == [0, 1]
