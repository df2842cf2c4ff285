"""Functions whose gradient the user writes, in NumPy, inside ``torch.func``'s transforms."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import flambeau as torch
from flambeau.func import grad, jacrev, vmap

seen: list[Any] = []


class Sort(torch.autograd.Function):
    """Sorting by NumPy: PyTorch's own example of such a function."""

    @staticmethod
    def forward(x, dim):
        order = np.argsort(x.numpy(), axis=dim)
        back = np.argsort(order, axis=dim)
        sorted_values = np.take_along_axis(x.numpy(), order, axis=dim)
        return torch.tensor(sorted_values), torch.tensor(order), torch.tensor(back)

    @staticmethod
    def setup_context(ctx, inputs, output):
        _, order, back = output
        ctx.mark_non_differentiable(order, back)
        ctx.save_for_backward(order, back)
        ctx.dim = inputs[1]

    @staticmethod
    def backward(ctx, grad_sorted, _order, _back):
        order, back = ctx.saved_tensors
        return Take.apply(grad_sorted, back, order, ctx.dim), None

    @staticmethod
    def vmap(info, in_dims, x, dim):
        seen.append((*info, in_dims, tuple(x.shape)))
        x = x.movedim(in_dims[0], 0)
        return Sort.apply(x, (dim if dim >= 0 else dim + x.dim() - 1) + 1), (0, 0, 0)


class Take(torch.autograd.Function):
    @staticmethod
    def forward(x, order, back, dim):
        return torch.tensor(np.take_along_axis(x.numpy(), order.numpy(), dim))

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(inputs[1], inputs[2])
        ctx.dim = inputs[3]

    @staticmethod
    def backward(ctx, grad_taken):
        order, back = ctx.saved_tensors
        return Take.apply(grad_taken, back, order, ctx.dim), None, None, None

    @staticmethod
    def vmap(info, in_dims, x, order, back, dim):
        def spread(t: Any, at: int | None) -> Any:
            return t.expand(info.batch_size, *t.shape) if at is None else t.movedim(at, 0)

        n = x.dim() - (in_dims[0] is not None)
        tensors = [spread(t, at) for t, at in zip((x, order, back), in_dims)]
        return Take.apply(*tensors, (dim if dim >= 0 else dim + n) + 1), 0


def sort(x: Any) -> Any:
    return Sort.apply(x, -1)[0]


X = torch.tensor([[3.0, 1.0, 2.0], [5.0, 9.0, 7.0]])
WEIGHTS = torch.tensor([1.0, 10.0, 100.0])


def weighted(x: Any) -> Any:
    return (sort(x) * WEIGHTS).sum()


WANTED = [[100.0, 1.0, 10.0], [1.0, 100.0, 10.0]]


def test_a_derivative_hands_forward_tensors_that_numpy_takes() -> None:
    assert grad(weighted)(X).tolist() == WANTED


def test_the_vmap_method_gets_all_members() -> None:
    seen.clear()
    assert vmap(sort)(X).tolist() == [[1, 2, 3], [5, 7, 9]]
    assert vmap(sort, in_dims=1)(X.T).tolist() == [[1, 2, 3], [5, 7, 9]]
    assert seen == [(2, "error", (0, None), (2, 3)), (2, "error", (0, None), (2, 3))]


def test_levels_nest() -> None:
    x = X.reshape(1, 2, 3).expand(4, 2, 3)
    assert torch.equal(vmap(vmap(sort))(x), torch.sort(x)[0])


def test_derivatives_and_batches_in_either_order() -> None:
    assert vmap(grad(weighted))(X).tolist() == WANTED
    assert grad(lambda x: vmap(weighted)(x).sum())(X).tolist() == WANTED
    assert jacrev(sort)(X[0]).tolist() == [[0, 1, 0], [0, 0, 1], [1, 0, 0]]


def test_second_derivatives() -> None:
    found = grad(lambda x: (grad(lambda y: (sort(y) ** 3 * WEIGHTS).sum())(x)).sum())(X[0])
    assert found.tolist() == [1800, 6, 120]


def test_a_vmap_method_that_returns_no_dims_is_refused() -> None:
    class Wrong(torch.autograd.Function):
        @staticmethod
        def forward(x):
            return x * 2

        @staticmethod
        def setup_context(ctx, inputs, output):
            pass

        @staticmethod
        def vmap(info, in_dims, x):
            return x * 2

    with pytest.raises(RuntimeError, match="expected a pair"):
        vmap(Wrong.apply)(X)


def test_an_input_that_is_returned_is_still_the_input() -> None:
    class Same(torch.autograd.Function):
        @staticmethod
        def forward(x):
            return x

        @staticmethod
        def setup_context(ctx, inputs, output):
            pass

        @staticmethod
        def backward(ctx, g):
            return g * 3

    assert grad(lambda x: Same.apply(x).sum())(X).tolist() == [[3, 3, 3], [3, 3, 3]]
