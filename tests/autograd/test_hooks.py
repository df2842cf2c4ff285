"""Hooks on tensors and on nodes of the tape."""

from __future__ import annotations

from typing import Any

import pytest


def test_a_tensor_hook_sees_and_replaces_the_gradient(m: Any) -> None:
    x = m.ones(2, requires_grad=True)
    y = x * 3
    seen = []
    y.register_hook(lambda g: seen.append(g.tolist()))
    y.register_hook(lambda g: g * 10)
    y.register_hook(lambda g: seen.append(g.tolist()))
    (y * 2).sum().backward()
    assert seen == [[2.0, 2.0], [20.0, 20.0]]
    assert x.grad.tolist() == [60.0, 60.0]


def test_a_leaf_hook_comes_before_accumulation(m: Any) -> None:
    x = m.ones(2, requires_grad=True)
    x.register_hook(lambda g: g + 1)
    (x * 2).sum().backward()
    (x * 2).sum().backward()
    assert x.grad.tolist() == [6.0, 6.0]


def test_a_hook_runs_once_on_the_whole_gradient(m: Any) -> None:
    x = m.ones(2, requires_grad=True)
    y = x * 1
    seen = []
    y.register_hook(lambda g: seen.append(g.tolist()))
    x.register_hook(lambda g: seen.append(g.tolist()))
    (y.sum() + (y * 2).sum()).backward()
    assert seen == [[3.0, 3.0], [3.0, 3.0]]


def test_hooks_can_be_removed(m: Any) -> None:
    x = m.ones(2, requires_grad=True)
    handle = x.register_hook(lambda g: g * 0)
    with x.register_hook(lambda g: g * 5):
        pass
    handle.remove()
    x.sum().backward()
    assert x.grad.tolist() == [1.0, 1.0]


def test_hooks_need_a_gradient_to_wait_for(m: Any) -> None:
    with pytest.raises(RuntimeError, match="cannot register a hook on a tensor that doesn't"):
        m.ones(2).register_hook(print)


def test_hooks_run_in_autograd_grad(m: Any) -> None:
    x = m.ones(2, requires_grad=True)
    x.register_hook(lambda g: g * 2)
    y = x * 3
    y.register_hook(lambda g: g * 5)
    assert m.autograd.grad(y.sum(), x)[0].tolist() == [30.0, 30.0]
    assert x.grad is None


def test_hooked_gradients_can_be_differentiated(m: Any) -> None:
    x = m.tensor(2.0, requires_grad=True)
    y = x * x
    y.register_hook(lambda g: g * x)
    (slope,) = m.autograd.grad(y, x, create_graph=True)
    assert slope.item() == 8.0  # x * 2x
    assert m.autograd.grad(slope, x)[0].item() == 8.0


def test_post_accumulate_hooks(m: Any) -> None:
    x = m.ones(2, requires_grad=True)
    seen = []

    def hook(tensor: Any) -> None:
        seen.append(tensor.grad.tolist())
        tensor.grad = None

    handle = x.register_post_accumulate_grad_hook(hook)
    (x * 2).sum().backward()
    assert x.grad is None and seen == [[2.0, 2.0]]
    handle.remove()
    (x * 2).sum().backward()
    assert x.grad.tolist() == [2.0, 2.0]
    with pytest.raises(RuntimeError, match="cannot be registered on non-leaf"):
        (x * 2).register_post_accumulate_grad_hook(hook)


def test_node_hooks_see_gradients_after_and_before(m: Any) -> None:
    x = m.ones(2, requires_grad=True)
    y = x * 3
    seen = []
    y.grad_fn.register_hook(
        lambda inputs, outputs: seen.append((inputs[0].tolist(), outputs[0].tolist()))
    )
    y.grad_fn.register_prehook(lambda outputs: (outputs[0] * 10,))
    y.sum().backward()
    assert seen == [([30.0, 30.0], [10.0, 10.0])]
    assert x.grad.tolist() == [30.0, 30.0]


def test_a_node_hook_can_replace_the_gradients(m: Any) -> None:
    x = m.ones(2, requires_grad=True)
    y = x * 3
    y.grad_fn.register_hook(lambda inputs, outputs: (inputs[0] * 2, *inputs[1:]))
    y.sum().backward()
    assert x.grad.tolist() == [6.0, 6.0]


def test_retained_gradients_are_those_after_the_hooks(m: Any) -> None:
    x = m.ones(2, requires_grad=True)
    y = x * 3
    y.retain_grad()
    y.register_hook(lambda g: g * 4)
    y.sum().backward()
    assert y.grad.tolist() == [4.0, 4.0] and x.grad.tolist() == [12.0, 12.0]


def test_a_hook_follows_a_tensor_that_is_written_afterwards(m: Any) -> None:
    x = m.ones(2, requires_grad=True)
    y = x * 3
    seen = []
    y.register_hook(lambda g: seen.append(g.tolist()))
    y.mul_(2)  # the hook stays with the value that it was registered on
    y.sum().backward()
    assert seen == [[2.0, 2.0]] and x.grad.tolist() == [6.0, 6.0]


def test_retain_grad_follows_a_tensor_that_is_written_afterwards(m: Any) -> None:
    x = m.ones(2, requires_grad=True)
    y = x * 3
    y.retain_grad()
    y.mul_(2)
    (y * 5).sum().backward()
    assert y.grad.tolist() == [5.0, 5.0] and x.grad.tolist() == [30.0, 30.0]


def test_metadata_of_a_node(m: Any) -> None:
    node = (m.ones(2, requires_grad=True) * 2).grad_fn
    node.metadata["why"] = "test"
    assert node.metadata["why"] == "test"
