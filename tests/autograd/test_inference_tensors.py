"""Tensors made in inference mode, and what may be done with them outside it."""

from __future__ import annotations

from typing import Any

import pytest

SAVED = "Inference tensors cannot be saved for backward"


@pytest.fixture
def plain(m: Any) -> Any:
    with m.inference_mode():
        return m.ones(3)


@pytest.mark.parametrize("call", [
    lambda m, x, i: x * i,
    lambda m, x, i: i / x,
    lambda m, x, i: x @ i,
    lambda m, x, i: x * i.detach(),
    lambda m, x, i: x * i[:1],
    lambda m, x, i: m.nn.functional.mse_loss(x, i),
    lambda m, x, i: m.nn.functional.layer_norm(x, (3,), i),
    lambda m, x, i: m.where(i > 0, x, i) * i,
    lambda m, x, i: (x * 2).mul_(i),
    lambda m, x, i: m.nn.functional.conv1d(x[None, None], i[None, None]),
])  # fmt: skip
def test_what_a_gradient_needs_must_not_be_one(m: Any, plain: Any, call: Any) -> None:
    with pytest.raises(RuntimeError, match=SAVED):
        call(m, m.ones(3, requires_grad=True), plain)


def test_indices_that_a_gradient_needs_must_not_be_some(m: Any) -> None:
    x = m.ones(2, 3, requires_grad=True)
    with m.inference_mode():
        rows = m.tensor([0, 1])
    for call in (lambda: x[rows], lambda: x.gather(1, rows[:, None]),
                 lambda: m.nn.functional.nll_loss(x, rows)):  # fmt: skip
        with pytest.raises(RuntimeError, match=SAVED):
            call()
    assert x.detach()[rows].shape == (2, 3)


def test_a_function_cannot_save_one(m: Any, plain: Any) -> None:
    class Product(m.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any, y: Any) -> Any:
            ctx.save_for_backward(x, y)
            return x * y

    with pytest.raises(RuntimeError, match=SAVED):
        Product.apply(m.ones(3, requires_grad=True), plain)
    assert Product.apply(plain, plain).tolist() == [1.0, 1.0, 1.0]


def test_what_no_gradient_needs_may_be_one(m: Any, plain: Any) -> None:
    x = m.ones(3, requires_grad=True)
    (x + plain + x * plain.clone()).sum().backward()
    assert x.grad.tolist() == [2.0, 2.0, 2.0]


def test_writes_are_not_counted_and_not_allowed_outside(m: Any, plain: Any) -> None:
    with pytest.raises(RuntimeError, match="Inference tensors do not track version counter"):
        _ = plain._version
    for write in (lambda: plain.add_(1), lambda: plain[0].zero_(), lambda: m.exp(plain, out=plain)):
        with pytest.raises(RuntimeError, match="outside InferenceMode is not allowed"):
            write()
    with m.inference_mode():
        plain.add_(1)


def test_views_are_what_their_base_is(m: Any, plain: Any) -> None:
    views = (plain[0], plain[1:], plain.view(3, 1), plain.detach(), plain.data)
    assert all(view.is_inference() for view in views)
    assert not any(made.is_inference() for made in (plain.clone(), plain + 1))
    normal = m.ones(3, requires_grad=True)
    with m.inference_mode():
        view = normal[1:]
        assert (normal * 1).is_inference() and m.randn(2).is_inference()
    assert not view.is_inference() and view.requires_grad and view.is_leaf


def test_nothing_is_recorded_whatever_the_grad_mode(m: Any) -> None:
    x = m.ones(2, requires_grad=True)
    with m.inference_mode(), m.enable_grad():
        made = x * 2
        assert m.is_grad_enabled()
    assert not made.requires_grad and made.is_inference() and m.is_grad_enabled()
    with m.inference_mode(), m.inference_mode(False):
        assert (x * 2).requires_grad


@pytest.mark.parametrize("mode", ["no_grad", "inference"])
def test_views_made_in_a_mode_are_not_written_outside(m: Any, mode: str) -> None:
    for base in (m.ones(3, requires_grad=True), m.ones(3, requires_grad=True) * 1):
        with m.no_grad() if mode == "no_grad" else m.inference_mode():
            view = base.view(3)
            view.add_(1)
        with pytest.raises(RuntimeError, match=f"A view was created in {mode} mode"):
            view.add_(1)
        with m.no_grad():
            view.add_(1)
        assert base.tolist() == [3.0, 3.0, 3.0]
