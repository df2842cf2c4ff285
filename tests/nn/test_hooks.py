"""Hooks around calls and backward passes."""

from __future__ import annotations

import warnings
from typing import Any

import pytest

import flambeau as torch
from flambeau import nn
from flambeau.nn.modules import module as hooks_of_all


class Add(nn.Module):
    def forward(self, x: torch.Tensor, *, more: float = 0.0) -> torch.Tensor:
        return x + 1 + more


# -- forward --------------------------------------------------------------------------------------


def test_forward_hooks_see_and_replace() -> None:
    module = Add()
    seen: list[Any] = []
    handle = module.register_forward_hook(lambda m, args, out: seen.append((m, args, out)))
    x = torch.zeros(1)
    out = module(x)
    assert seen[0][0] is module and seen[0][1][0] is x and seen[0][2] is out
    module.register_forward_hook(lambda m, args, out: out * 10)
    assert module(x).item() == 10
    handle.remove()
    module(x)
    assert len(seen) == 2


def test_forward_pre_hooks_replace_arguments() -> None:
    module = Add()
    module.register_forward_pre_hook(lambda m, args: args[0] + 5)
    assert module(torch.zeros(1)).item() == 6
    module.register_forward_pre_hook(lambda m, args: (args[0] * 2,))
    assert module(torch.zeros(1)).item() == 11
    module.register_forward_pre_hook(lambda m, args: (args[0] - 1,), prepend=True)
    assert module(torch.zeros(1)).item() == 9


def test_hooks_with_kwargs() -> None:
    module = Add()
    module.register_forward_pre_hook(
        lambda m, args, kwargs: (args, {"more": kwargs["more"] * 2}), with_kwargs=True
    )
    seen: list[Any] = []
    module.register_forward_hook(lambda m, args, kwargs, out: seen.append(kwargs), with_kwargs=True)
    assert module(torch.zeros(1), more=3.0).item() == 7
    assert seen == [{"more": 6.0}]
    module.register_forward_pre_hook(lambda m, args, kwargs: 3, with_kwargs=True)
    with pytest.raises(RuntimeError) as caught:
        module(torch.zeros(1), more=1.0)
    assert str(caught.value).startswith(
        "forward pre-hook must return None or a tuple of (new_args, new_kwargs), but got 3."
    )


def test_hooks_in_order_and_in_front() -> None:
    module = Add()
    order: list[int] = []
    for number, prepend in ((1, False), (2, False), (3, True)):
        module.register_forward_hook(lambda *args, n=number: order.append(n), prepend=prepend)
    module(torch.zeros(1))
    assert order == [3, 1, 2]


def test_hooks_that_are_always_called() -> None:
    class Broken(nn.Module):
        def forward(self, x: Any) -> Any:
            raise KeyError("broken")

    module = Broken()
    seen: list[Any] = []
    module.register_forward_hook(lambda m, args, out: seen.append("no"))
    module.register_forward_hook(lambda m, args, out: seen.append(out), always_call=True)
    with pytest.raises(KeyError):
        module(1)
    assert seen == [None]


def test_hooks_of_all_modules() -> None:
    order: list[str] = []
    handles = [
        hooks_of_all.register_module_forward_pre_hook(lambda m, args: order.append("before")),
        hooks_of_all.register_module_forward_hook(lambda m, args, out: order.append("behind")),
    ]
    module = Add()
    module.register_forward_hook(lambda *args: order.append("own"))
    module(torch.zeros(1))
    for handle in handles:
        handle.remove()
    module(torch.zeros(1))
    assert order == ["before", "behind", "own", "own"]


# -- backward -------------------------------------------------------------------------------------


def test_full_backward_hooks_see_and_replace() -> None:
    layer = nn.Linear(2, 3, bias=False)
    seen: list[Any] = []

    def hook(module: nn.Module, grad_input: Any, grad_output: Any) -> Any:
        seen.append((grad_input, grad_output))
        return (grad_input[0] * 100,)

    layer.register_full_backward_hook(hook)
    x = torch.ones(1, 2, requires_grad=True)
    layer(x).backward(torch.tensor([[1.0, 2.0, 3.0]]))
    (grad_input,), (grad_output,) = seen[0]
    assert grad_output.tolist() == [[1.0, 2.0, 3.0]]
    assert torch.allclose(grad_input, grad_output @ layer.weight)
    assert torch.allclose(x.grad, grad_input * 100)


def test_backward_pre_hooks_replace_grad_output() -> None:
    layer = nn.Linear(2, 3, bias=False)
    layer.register_full_backward_pre_hook(lambda m, grad_output: (grad_output[0] * 2,))
    x = torch.ones(1, 2, requires_grad=True)
    layer(x).sum().backward()
    assert torch.allclose(x.grad, 2 * layer.weight.sum(0, keepdim=True))


def test_backward_hooks_without_differentiable_inputs() -> None:
    layer = nn.Linear(2, 3)
    seen: list[Any] = []
    layer.register_full_backward_hook(lambda m, gi, go: seen.append((gi, go[0].shape)))
    with pytest.warns(UserWarning, match="Full backward hook is firing when gradients are comp"):
        layer(torch.ones(1, 2)).sum().backward()
    assert seen == [((None,), (1, 3))]
    assert layer.weight.grad is not None


def test_backward_hook_of_a_wrong_number_of_gradients() -> None:
    layer = nn.Linear(2, 3)
    layer.register_full_backward_hook(lambda m, gi, go: (gi[0], gi[0]))
    out = layer(torch.ones(1, 2, requires_grad=True)).sum()
    with pytest.raises(RuntimeError, match="invalid number of grad_input, got 2, but expected 1"):
        out.backward()


def test_the_two_kinds_of_backward_hooks_do_not_mix() -> None:
    layer = nn.Linear(1, 1)
    layer.register_full_backward_hook(lambda *args: None)
    with pytest.raises(RuntimeError, match="Cannot use both regular backward hooks and full"):
        layer.register_backward_hook(lambda *args: None)


def test_backward_hooks_of_all_modules() -> None:
    seen: list[str] = []
    handle = hooks_of_all.register_module_full_backward_hook(
        lambda m, gi, go: seen.append(type(m).__name__)
    )
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    with handle:
        model(torch.ones(1, 2, requires_grad=True)).sum().backward()
    assert seen == ["ReLU", "Linear", "Sequential"]


def test_output_that_is_no_tensor_is_warned_about() -> None:
    class Named(nn.Module):
        def forward(self, x: torch.Tensor) -> Any:
            return {"x": x * 2}

    module = Named()
    module.register_full_backward_hook(lambda *args: None)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        module(torch.ones(1, requires_grad=True))
    assert "module output should be a Tensor or a tuple of Tensors" in str(caught[0].message)
