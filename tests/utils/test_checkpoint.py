"""``checkpoint``: the same results and gradients, run twice, and what it refuses."""

from __future__ import annotations

import contextlib
import gc
import weakref
from typing import Any

import pytest

import flambeau as torch
from flambeau import nn
from flambeau.utils.checkpoint import (
    CheckpointError,
    checkpoint,
    checkpoint_sequential,
    set_checkpoint_debug_enabled,
)

FORMS = [True, False]


def model() -> nn.Module:
    return nn.Sequential(
        nn.Linear(4, 8), nn.ReLU(), nn.Dropout(0.5), nn.Linear(8, 8), nn.BatchNorm1d(8),
        nn.Dropout(0.3), nn.Linear(8, 2),
    )  # fmt: skip


def training_step(call: Any) -> list[torch.Tensor]:
    torch.manual_seed(0)
    net = model()
    x = torch.randn(5, 4, requires_grad=True)
    out = call(net, x)
    out.pow(2).sum().backward()
    gradients = [x.grad, *(p.grad for p in net.parameters())]
    return [out.detach(), *gradients, torch.rand(3)]


CALLS = {
    "reentrant": lambda net, x: checkpoint(net, x, use_reentrant=True),
    "recorded": lambda net, x: checkpoint(net, x, use_reentrant=False),
    "in segments": lambda net, x: checkpoint_sequential(net, 3, x, use_reentrant=False),
    "in reentrant segments": lambda net, x: checkpoint_sequential(net, 2, x, use_reentrant=True),
    "nested": lambda net, x: checkpoint(
        lambda t: checkpoint(net[3:], checkpoint(net[:3], t, use_reentrant=False),
                             use_reentrant=False),
        x, use_reentrant=False,
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", CALLS)
def test_nothing_changes_with_dropout_either(name: str) -> None:
    for found, expected in zip(training_step(CALLS[name]), training_step(lambda net, x: net(x))):
        assert torch.equal(found, expected)


def test_other_random_numbers_if_the_state_is_not_kept() -> None:
    x = torch.ones(1000, requires_grad=True)
    out = checkpoint(nn.Dropout(0.5), x, use_reentrant=False, preserve_rng_state=False)
    out.sum().backward()
    assert x.grad is not None
    assert not torch.equal(out.detach(), x.grad)


@pytest.mark.parametrize("form", FORMS)
def test_the_function_runs_again_in_the_backward_pass(form: bool) -> None:
    calls = []

    def function(x: Any) -> Any:
        calls.append(torch.is_grad_enabled())
        return x.sin().exp()

    x = torch.ones(3, requires_grad=True)
    out = checkpoint(function, x, use_reentrant=form)
    assert len(calls) == 1
    out.sum().backward()
    assert calls == [not form, True]


def test_intermediate_results_are_not_kept() -> None:
    made: list[Any] = []

    def function(x: Any) -> Any:
        y = x.exp()
        made.append(weakref.ref(y))
        return (y * y).sum()

    x = torch.ones(3, requires_grad=True)
    out = checkpoint(function, x, use_reentrant=False)
    gc.collect()
    assert made[0]() is None
    kept = function(x)
    assert made[1]() is not None
    del out, kept


def test_results_in_containers_and_keyword_arguments() -> None:
    def function(x: Any, *, factor: Any) -> Any:
        return x.sin(), {"k": x * factor, "n": 3, "fixed": x.detach()}

    x = torch.randn(3, requires_grad=True)
    factor = torch.randn(3, requires_grad=True)
    first, rest = checkpoint(function, x, use_reentrant=False, factor=factor)
    assert rest["n"] == 3 and not rest["fixed"].requires_grad
    (first.sum() + rest["k"].sum()).backward()
    assert x.grad is not None and factor.grad is not None
    assert torch.allclose(x.grad, (x.cos() + factor).detach())
    assert torch.allclose(factor.grad, x.detach())


def test_one_result_of_several_may_be_used() -> None:
    x = torch.randn(3, requires_grad=True)
    _, second = checkpoint(lambda t: (t.sin(), t.cos()), x, use_reentrant=False)
    second.sum().backward()
    assert x.grad is not None
    assert torch.allclose(x.grad, -x.detach().sin())


def test_gradients_of_some_tensors_and_of_gradients() -> None:
    x = torch.randn(3, dtype=torch.float64, requires_grad=True)
    w = torch.randn(3, dtype=torch.float64, requires_grad=True)
    out = checkpoint(lambda t: (t * w).sin().sum(), x, use_reentrant=False)
    (gradient,) = torch.autograd.grad(out, x, create_graph=True)
    assert torch.allclose(gradient, w * (x * w).cos())
    of_x, of_w = torch.autograd.grad(gradient.sum(), (x, w))
    assert torch.allclose(of_x, -w * w * (x * w).sin())
    assert torch.allclose(of_w, (x * w).cos() - x * w * (x * w).sin())


def test_the_graph_is_freed_or_retained() -> None:
    x = torch.ones(3, requires_grad=True)
    out = checkpoint(torch.sin, x, use_reentrant=False).sum()
    out.backward(retain_graph=True)
    out.backward()
    with pytest.raises(RuntimeError, match="backward through the graph a second time"):
        out.backward()


def test_the_result_bears_the_name_of_the_last_operation() -> None:
    x = torch.ones(3, requires_grad=True)
    assert "SinBackward0" in repr(checkpoint(torch.sin, x, use_reentrant=False))


def test_without_recording_it_is_a_plain_call() -> None:
    x = torch.ones(3, requires_grad=True)
    with torch.no_grad():
        for form in FORMS:
            assert not checkpoint(torch.sin, x, use_reentrant=form).requires_grad
    plain = torch.ones(3)
    assert not checkpoint(torch.sin, plain, use_reentrant=False).requires_grad
    with pytest.warns(UserWarning, match="None of the inputs have requires_grad=True"):
        checkpoint(torch.sin, plain, use_reentrant=True)


def test_autocast_is_as_it_was() -> None:
    w = torch.randn(3, 3, requires_grad=True)
    dtypes = []

    def function(x: Any) -> Any:
        y = x @ w
        dtypes.append(y.dtype)
        return y

    for form in FORMS:
        with torch.autocast("cpu"):
            x = torch.ones(2, 3, requires_grad=True)
            out = checkpoint(function, x, use_reentrant=form)
        out.float().sum().backward()
    assert dtypes == [torch.bfloat16] * 4
    assert w.grad is not None and w.grad.dtype is torch.float32


def test_contexts_surround_the_runs() -> None:
    entered = []

    @contextlib.contextmanager
    def noted(name: str) -> Any:
        entered.append(name)
        yield

    x = torch.ones(3, requires_grad=True)
    out = checkpoint(
        torch.sin, x, use_reentrant=False, context_fn=lambda: (noted("first"), noted("again"))
    )
    assert entered == ["first"]
    out.sum().backward()
    assert entered == ["first", "again"]


def test_inside_transforms() -> None:
    x = torch.randn(4, 3)
    w = torch.randn(3)

    def plain(t: Any) -> Any:
        return (t * w).sin().prod()

    def checkpointed(t: Any) -> Any:
        return checkpoint(plain, t, use_reentrant=False)

    func = torch.func
    for transform in (func.grad, func.hessian, lambda f: func.jacfwd(func.grad(f))):
        for mapped in (lambda f: f, func.vmap):
            given = x if mapped is func.vmap else x[0]
            found = mapped(transform(checkpointed))(given)
            assert torch.allclose(found, mapped(transform(plain))(given), atol=1e-6)


# -- another run must do the same -----------------------------------------------------------------


def changing(*functions: Any) -> Any:
    """A function that does something else at every call."""
    remaining = list(functions)

    def function(x: Any) -> Any:
        return remaining.pop(0)(x)

    return function


def test_another_number_of_operations_is_refused() -> None:
    x = torch.ones(3, requires_grad=True)
    function = changing(lambda t: t.sin().cos().sum(), lambda t: t.sin().sum())
    out = checkpoint(function, x, use_reentrant=False)
    with pytest.raises(CheckpointError, match="A different number of tensors was saved"):
        out.backward()


def test_another_shape_is_refused_and_debugging_shows_the_operations() -> None:
    x = torch.ones(3, requires_grad=True)
    function = changing(lambda t: t.sin().sum(), lambda t: t.repeat(2).sin().sum())
    with set_checkpoint_debug_enabled(True):
        out = checkpoint(function, x, use_reentrant=False)
    with pytest.raises(CheckpointError, match="different metadata") as caught:
        out.backward()
    assert "torch.Size([6])" in str(caught.value) and "RepeatBackward0" in str(caught.value)


def test_the_check_may_be_left_out() -> None:
    x = torch.ones(3, requires_grad=True)
    function = changing(lambda t: t.sin().cos().sum(), lambda t: (t * 3).sum())
    checkpoint(function, x, use_reentrant=False, determinism_check="none").backward()
    assert x.grad is not None and x.grad.tolist() == [3, 3, 3]


def test_an_argument_written_in_between_is_noticed() -> None:
    x = torch.ones(3, requires_grad=True)
    y = x * 2
    out = checkpoint(torch.exp, y, use_reentrant=False)
    y.add_(1)
    with pytest.raises(RuntimeError, match="modified by an inplace operation"):
        out.sum().backward()


def test_misuse_is_refused_in_pytorchs_words() -> None:
    x = torch.ones(3, requires_grad=True)
    with pytest.raises(ValueError, match="Unexpected keyword arguments: foo"):
        checkpoint(torch.sin, x, use_reentrant=True, foo=1)
    with pytest.raises(ValueError, match="only supported when use_reentrant=False"):
        checkpoint(torch.sin, x, use_reentrant=True, debug=True)
    with pytest.raises(ValueError, match="determinism_check should be one of"):
        checkpoint(torch.sin, x, use_reentrant=False, determinism_check="some")
    with pytest.warns(UserWarning, match="use_reentrant parameter should be passed explicitly"):
        checkpoint(torch.sin, x)
    out = checkpoint(torch.sin, x, use_reentrant=True).sum()
    with pytest.raises(RuntimeError, match=r"incompatible with \.grad\(\)"):
        torch.autograd.grad(out, x)
