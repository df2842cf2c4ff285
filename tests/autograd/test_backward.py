"""``backward`` and ``grad``: what they accumulate, keep, free and refuse."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest


def test_gradients_add_up_over_passes(m: Any) -> None:
    x = m.tensor([1.0, 2.0], requires_grad=True)
    (x * x).sum().backward()
    kept = x.grad
    (x * 3).sum().backward()
    assert x.grad.tolist() == [5.0, 7.0]
    assert x.grad is kept  # accumulated in place, as optimizers that hold on to it expect


def test_gradient_has_the_leafs_shape_and_dtype_and_no_history(m: Any) -> None:
    x = m.ones(3, 1, dtype=m.float64, requires_grad=True)
    (x + m.ones(4)).sum().backward()
    assert x.grad.shape == x.shape and x.grad.dtype == m.float64
    assert not x.grad.requires_grad and x.grad.grad_fn is None
    assert x.grad.tolist() == [[4.0], [4.0], [4.0]]


def test_a_vector_needs_a_gradient_argument(m: Any) -> None:
    x = m.ones(3, requires_grad=True)
    with pytest.raises(
        RuntimeError, match="grad can be implicitly created only for scalar outputs"
    ):
        (x * 2).backward()
    (x * 2).backward(m.tensor([1.0, 10.0, 100.0]))
    assert x.grad.tolist() == [2.0, 20.0, 200.0]


def test_a_gradient_of_another_shape_is_refused(m: Any) -> None:
    x = m.ones(3, requires_grad=True)
    with pytest.raises(RuntimeError, match="Mismatch in shape"):
        (x * 2).backward(m.ones(2))


def test_without_requires_grad_there_is_nothing_to_do(m: Any) -> None:
    with pytest.raises(RuntimeError, match="does not require grad and does not have a grad_fn"):
        m.ones(()).backward()


def test_a_second_pass_needs_the_graph_retained(m: Any) -> None:
    x = m.tensor(2.0, requires_grad=True)
    y = x * x
    y.backward(retain_graph=True)
    y.backward()
    assert x.grad.item() == 8.0
    with pytest.raises(RuntimeError, match="Trying to backward through the graph a second time"):
        y.backward()


def test_a_graph_without_saved_tensors_can_be_run_again(m: Any) -> None:
    x = m.tensor(2.0, requires_grad=True)
    y = x + 1
    y.backward()
    y.backward()
    assert x.grad.item() == 2.0


def test_grad_returns_and_accumulates_nothing(m: Any) -> None:
    x = m.tensor([1.0, 2.0], requires_grad=True)
    y = x * x
    z = (y * 3).sum()
    gx, gy = m.autograd.grad(z, (x, y))
    assert gx.tolist() == [6.0, 12.0] and gy.tolist() == [3.0, 3.0]
    assert x.grad is None


def test_grad_of_something_unused(m: Any) -> None:
    x, u = m.ones(2, requires_grad=True), m.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match="appears to not have been used in the graph"):
        m.autograd.grad(x.sum(), (x, u))
    assert m.autograd.grad(x.sum(), (x, u), allow_unused=True)[1] is None
    assert m.autograd.grad(x.sum(), u, materialize_grads=True)[0].tolist() == [0.0, 0.0]


def test_grad_by_what_does_not_require_it(m: Any) -> None:
    x = m.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match="One of the differentiated Tensors does not require"):
        m.autograd.grad(x.sum(), m.ones(2))


def test_grad_of_several_outputs_with_their_gradients(m: Any) -> None:
    x = m.tensor([1.0, 2.0], requires_grad=True)
    outputs = [x * 2, x.sum()]
    (found,) = m.autograd.grad(outputs, x, [m.tensor([1.0, 3.0]), m.tensor(10.0)])
    assert found.tolist() == [12.0, 16.0]


def test_batched_grad(m: Any) -> None:
    x = m.tensor([1.0, 2.0], requires_grad=True)
    y = x * x
    (rows,) = m.autograd.grad(y, x, m.eye(2), is_grads_batched=True)
    assert rows.tolist() == [[2.0, 0.0], [0.0, 4.0]]


def test_derivatives_of_derivatives(m: Any) -> None:
    x = m.tensor(2.0, requires_grad=True)
    slopes = [x**4]
    for _ in range(4):
        slopes += m.autograd.grad(slopes[-1], x, create_graph=True)
    assert [s.item() for s in slopes] == [16.0, 32.0, 48.0, 48.0, 24.0]
    assert slopes[-2].requires_grad


def test_backward_with_create_graph_keeps_the_gradients_history(m: Any) -> None:
    x = m.tensor(3.0, requires_grad=True)
    (x**3).backward(create_graph=True)
    assert x.grad.requires_grad
    slope, x.grad = x.grad, None
    slope.backward()
    assert x.grad.item() == 18.0


def test_backward_inputs_limits_who_gets_a_gradient(m: Any) -> None:
    x, y = m.ones(2, requires_grad=True), m.ones(2, requires_grad=True)
    z = x * y
    (z * z).sum().backward(inputs=[x, z])
    assert x.grad.tolist() == [2.0, 2.0] and z.grad.tolist() == [2.0, 2.0]
    assert y.grad is None


def test_retain_grad_on_an_intermediate(m: Any) -> None:
    x = m.ones(2, requires_grad=True)
    y = x * 2
    y.retain_grad()
    assert y.retains_grad
    (y * y).sum().backward()
    assert y.grad.tolist() == [4.0, 4.0]


def test_asking_an_intermediate_for_grad_warns(m: Any) -> None:
    y = m.ones(2, requires_grad=True) * 2
    with pytest.warns(UserWarning, match="not a leaf Tensor"):
        assert y.grad is None


def test_one_tensor_used_many_times(m: Any) -> None:
    x = m.tensor(2.0, requires_grad=True)
    y = x * x + x * x * x + x
    y.backward()
    assert x.grad.item() == 4.0 + 12.0 + 1.0


def test_a_leaf_that_no_longer_requires_grad_gets_none(m: Any) -> None:
    x = m.ones(2, requires_grad=True)
    y = m.ones(2, requires_grad=True)
    z = (x * y).sum()
    x.requires_grad_(False)
    z.backward()
    assert x.grad is None and y.grad.tolist() == [1.0, 1.0]


def test_integers_cannot_require_grad(m: Any) -> None:
    with pytest.raises(RuntimeError, match="Tensors of floating point"):
        m.ones(2, dtype=m.int64).requires_grad_()


def test_flags_of_intermediates_cannot_be_changed(m: Any) -> None:
    y = m.ones(2, requires_grad=True) * 2
    with pytest.raises(RuntimeError, match="you can only change requires_grad flags of leaf"):
        y.requires_grad = False


def test_assigned_gradients_are_checked(m: Any) -> None:
    x = m.ones(2, requires_grad=True)
    for wrong in (m.ones(3), m.ones(2, dtype=m.float64)):
        with pytest.raises(RuntimeError, match="attempting to assign a gradient"):
            x.grad = wrong
    with pytest.raises(TypeError):
        x.grad = 3.0
    x.grad = m.zeros(2)
    (x * 2).sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]


def test_conversions_and_broadcasting_are_differentiated(m: Any) -> None:
    x = m.ones(2, requires_grad=True)
    y = (x.double() * m.arange(6.0, dtype=m.float64).reshape(3, 2)).float().sum()
    y.backward()
    assert x.grad.dtype == m.float32 and x.grad.tolist() == [6.0, 9.0]


def test_parts_of_the_graph_that_need_nothing_are_not_on_it(m: Any) -> None:
    x, y = m.ones(2), m.ones(2, requires_grad=True)
    z = (x * 2) * y
    assert (x * 2).grad_fn is None
    functions = z.grad_fn.next_functions
    assert functions[0][0] is None
    assert functions[1][0].variable is y


def test_the_graph_can_be_walked_by_name(m: Any) -> None:
    x = m.ones(2, requires_grad=True)
    y = (x.exp() + 1).sum()
    names, node = [], y.grad_fn
    while node is not None and node.next_functions:
        names.append(node.name())
        node = node.next_functions[0][0]
    assert names == ["SumBackward0", "AddBackward0", "ExpBackward0"]
    assert node.variable is x


def test_grad_accepts_a_view_and_its_base(m: Any) -> None:
    x = m.arange(4.0).requires_grad_()
    y = x * 2
    part = y[1:3]
    loss = (part**2).sum()
    by_part, by_base = m.autograd.grad(loss, (part, y))
    assert by_part.tolist() == [4.0, 8.0] and by_base.tolist() == [0.0, 4.0, 8.0, 0.0]


def test_complex_losses_need_a_gradient(m: Any) -> None:
    x = m.tensor([1 + 2j], requires_grad=True)
    with pytest.raises(RuntimeError, match="grad can be (implicitly )?created only for real"):
        x.sum().backward()


def test_gradients_of_the_same_numbers_in_any_order_of_calls(m: Any) -> None:
    x = m.tensor(np.linspace(0, 1, 5), requires_grad=True)
    a, b = x.sin(), x.cos()
    (a.sum() + b.sum()).backward()
    both, x.grad = x.grad, None
    x.sin().sum().backward()
    x.cos().sum().backward()
    np.testing.assert_allclose(both.numpy(), x.grad.numpy())


def test_deep_chains_need_no_recursion(m: Any) -> None:
    count = 100_000 if m.__name__ == "flambeau" else 20_000
    x = m.tensor(1.0, requires_grad=True)
    y = x
    for _ in range(count):
        y = y + 1
    y.backward()
    assert x.grad.item() == 1.0
    del y  # nor does letting go of the chain


def test_relu_writes_over_a_gradient_only_if_nobody_else_has_it() -> None:
    import flambeau as torch

    x = torch.randn(40, 50, requires_grad=True)
    positive = (x.detach() > 0).float()
    given = torch.randn(40, 50)
    before = given.clone()
    (x * 1).relu().backward(given)
    assert torch.equal(given, before)
    x.grad = None
    left, right = (x * 2).relu(), (x * 3).relu()
    both = left + right
    both.retain_grad()
    seen = []
    both.register_hook(seen.append)
    both.sum().backward()
    assert torch.equal(x.grad, 5 * positive)
    assert torch.equal(both.grad, torch.ones(40, 50))
    assert torch.equal(seen[0], torch.ones(40, 50))
    middle = x * 2
    result = middle.relu()
    wanted = torch.autograd.grad((result * 3).sum(), [result, middle, x])
    for gradient, factor in zip(wanted, (3 * torch.ones(40, 50), 3 * positive, 6 * positive)):
        assert torch.equal(gradient, factor)


def test_the_gradient_of_an_intermediate_leaves_what_lies_below_it_as_it_is(m: Any) -> None:
    leaf = m.ones(3, requires_grad=True)
    middle = leaf * 2
    for _ in range(2):
        (grad,) = m.autograd.grad((middle * middle).sum(), middle)
        assert grad.tolist() == [4.0, 4.0, 4.0]
    (middle * 3).sum().backward()
    assert leaf.grad.tolist() == [6.0, 6.0, 6.0]
