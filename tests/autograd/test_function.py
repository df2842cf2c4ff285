"""``autograd.Function``: gradients that the user writes."""

from __future__ import annotations

import gc
import weakref

import numpy as np
import pytest

import flambeau as torch
from flambeau.autograd.function import once_differentiable


class Cube(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x**3

    @staticmethod
    def backward(ctx, grad):
        (x,) = ctx.saved_tensors
        return 3 * x**2 * grad


class Exp(torch.autograd.Function):
    """Saves its result; context set up apart."""

    @staticmethod
    def forward(x):
        return x.exp()

    @staticmethod
    def setup_context(ctx, inputs, output):
        ctx.save_for_backward(output)

    @staticmethod
    def backward(ctx, grad):
        (result,) = ctx.saved_tensors
        return grad * result


class SinCos(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, scale):
        ctx.scale = scale
        ctx.save_for_backward(x)
        return (x * scale).sin(), (x * scale).cos()

    @staticmethod
    def backward(ctx, grad_sin, grad_cos):
        (x,) = ctx.saved_tensors
        angle = x * ctx.scale
        return (grad_sin * angle.cos() - grad_cos * angle.sin()) * ctx.scale, None


def leaf(*values):
    return torch.tensor(values, dtype=torch.float64, requires_grad=True)


def test_gradient_and_the_name_of_the_node():
    x = leaf(2.0, -1.0)
    y = Cube.apply(x)
    assert repr(y) == "tensor([ 8., -1.], dtype=torch.float64, grad_fn=<CubeBackward>)"
    y.sum().backward()
    assert x.grad.tolist() == [12.0, 3.0]


@pytest.mark.parametrize("function", [Cube, Exp])
def test_first_and_second_derivatives_agree_with_finite_differences(function):
    x = leaf(0.3, -0.7, 1.2)
    assert torch.autograd.gradcheck(function.apply, (x,))
    assert torch.autograd.gradgradcheck(function.apply, (x,))


def test_several_results_and_arguments_without_gradient():
    x = leaf(0.5, 1.5)
    s, c = SinCos.apply(x, 2.0)
    (s.sum() + (c * c).sum()).backward()
    angle = 2 * np.array([0.5, 1.5])
    np.testing.assert_allclose(x.grad, 2 * (np.cos(angle) - 2 * np.cos(angle) * np.sin(angle)))


def test_a_result_without_gradient_counts_as_zeros_or_none():
    x = leaf(0.5)
    s, _ = SinCos.apply(x, 1.0)
    s.backward()
    np.testing.assert_allclose(x.grad, np.cos([0.5]))

    class Raw(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.set_materialize_grads(False)
            return x * 2, x * 3

        @staticmethod
        def backward(ctx, a, b):
            assert b is None
            return a * 2

    y, _ = Raw.apply(x)
    (grad,) = torch.autograd.grad(y.sum(), x)
    assert grad.tolist() == [2.0]


def test_no_cycle_keeps_a_saved_result_alive():
    gc.disable()
    try:
        y = Exp.apply(leaf(1.0))
        gone = weakref.ref(y)
        del y
        assert gone() is None
    finally:
        gc.enable()


def test_saved_tensors_are_freed_and_guarded():
    x = leaf(2.0)
    y = Cube.apply(x)
    y.backward()
    with pytest.raises(RuntimeError, match="second time"):
        y.backward()
    middle = x * 1
    y = Cube.apply(middle)
    middle.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        y.backward()


def test_a_function_that_writes_in_place():
    class Double(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            x.mul_(2)
            ctx.mark_dirty(x)
            return x

        @staticmethod
        def backward(ctx, grad):
            return grad * 2

    x = leaf(1.0, 2.0)
    y = x * 3
    version = y._version
    z = Double.apply(y)
    assert z is y and y._version > version
    z.sum().backward()
    assert x.grad.tolist() == [6.0, 6.0]


def test_integer_and_marked_results_have_no_gradient():
    class Sorted(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            values, order = x.sort()
            ctx.mark_non_differentiable(order)
            ctx.order = order
            return values, order

        @staticmethod
        def backward(ctx, grad, _):
            return torch.zeros_like(grad).scatter(0, ctx.order, grad)

    x = leaf(3.0, 1.0, 2.0)
    values, order = Sorted.apply(x)
    assert not order.requires_grad
    (values * torch.tensor([1.0, 2.0, 3.0])).sum().backward()
    assert x.grad.tolist() == [3.0, 1.0, 2.0]


def test_wrong_gradients_are_refused_in_words():
    class Short(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x, y):
            return x + y

        @staticmethod
        def backward(ctx, grad):
            return grad

    x = leaf(1.0)
    with pytest.raises(RuntimeError, match=r"incorrect number of gradients \(expected 2, got 1\)"):
        Short.apply(x, x).backward()

    class Misshapen(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 1

        @staticmethod
        def backward(ctx, grad):
            return torch.ones(3, 4)

    with pytest.raises(RuntimeError, match="invalid gradient at index 0"):
        Misshapen.apply(leaf(1.0, 2.0)).sum().backward()
    with pytest.raises(RuntimeError, match="should not be instantiated"):
        Cube()


def test_once_differentiable_says_so():
    class Once(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x * x

        @staticmethod
        @once_differentiable
        def backward(ctx, grad):
            (x,) = ctx.saved_tensors
            return 2 * x * grad

    x = leaf(3.0)
    (grad,) = torch.autograd.grad(Once.apply(x) ** 2, x, create_graph=True)
    assert grad.item() == 108.0
    with pytest.raises(RuntimeError, match="once_differentiable"):
        grad.backward()


def test_nothing_is_recorded_where_nothing_is_needed():
    assert not Cube.apply(torch.ones(2)).requires_grad
    with torch.no_grad():
        assert not Cube.apply(leaf(1.0)).requires_grad


def test_it_is_captured_by_the_compiler():
    w = torch.ones(3, requires_grad=True)

    @torch.compile
    def step(x):
        w.grad = None
        loss = Cube.apply(w * x).sum()
        loss.backward()
        return loss.item()

    x = torch.tensor([1.0, 2.0, 3.0])
    for _ in range(5):
        assert step(x) == 36.0
    np.testing.assert_allclose(w.grad, 3 * x**3)
    assert "eager" not in step.explain()


def test_an_input_that_is_returned_can_be_marked_as_not_differentiable() -> None:
    class Passing(torch.autograd.Function):
        @staticmethod
        def forward(ctx, a, b):  # type: ignore[no-untyped-def]
            ctx.mark_non_differentiable(b)
            return a * 2, b

        @staticmethod
        def backward(ctx, grad, _):  # type: ignore[no-untyped-def]
            return grad * 2, None

    first, second = Passing.apply(torch.ones(2, requires_grad=True), torch.ones(2))
    assert first.requires_grad and not second.requires_grad


def test_saved_results_without_gradient_need_none():
    class Largest(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            values, places = x.max(-1)
            ctx.mark_non_differentiable(places)
            ctx.save_for_backward(places)
            ctx.shape = x.shape
            return values, places

        @staticmethod
        def backward(ctx, g, _):
            (places,) = ctx.saved_tensors
            assert not places.requires_grad
            found = np.zeros(tuple(ctx.shape), np.float32)
            np.put_along_axis(found, places.numpy()[:, None], g.numpy()[:, None], -1)
            return torch.tensor(found)

    x = torch.tensor([[1.0, 3.0], [4.0, 2.0]], requires_grad=True)
    Largest.apply(x)[0].sum().backward()
    assert x.grad.tolist() == [[0, 1], [1, 0]]
