"""Dual tensors: values with tangents, against derivatives known by heart and PyTorch's."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import flambeau
from flambeau.autograd import forward_ad


@pytest.fixture(params=["flambeau", "torch"])
def t(request: pytest.FixtureRequest) -> Any:
    """flambeau, and PyTorch where it is installed: both satisfy each of these tests."""
    return flambeau if request.param == "flambeau" else pytest.importorskip("torch")


def test_a_tangent_is_the_derivative_along_the_direction(t: Any) -> None:
    fw = t.autograd.forward_ad
    x, v = t.tensor([0.5, -1.0]), t.tensor([1.0, 2.0])
    with fw.dual_level():
        dual = fw.make_dual(x, v)
        assert fw.unpack_dual(dual).tangent is v
        result = fw.unpack_dual((dual**3).sum() * 2)
        assert result.tangent.item() == pytest.approx(2 * (3 * 0.25 + 3 * 2.0))
        assert result.primal.item() == pytest.approx(2 * (0.125 - 1.0))
        assert not result.primal.requires_grad and not result.tangent.requires_grad
        assert fw.unpack_dual(x * 2).tangent is None
        kept = dual * 2
    assert fw.unpack_dual(kept).tangent is None


def test_gradients_may_be_off_outside_the_level(t: Any) -> None:
    fw = t.autograd.forward_ad
    with t.no_grad():
        with fw.dual_level():
            dual = fw.make_dual(t.tensor([2.0]), t.tensor([1.0]))
            assert fw.unpack_dual(dual * dual).tangent.tolist() == [4.0]
        assert not t.is_grad_enabled()


def test_a_module_is_pushed_forward_through_its_parameters(t: Any) -> None:
    fw = t.autograd.forward_ad
    t.manual_seed(0)
    layer, x = t.nn.Linear(3, 2), t.ones(4, 3)
    parameters = dict(layer.named_parameters())
    with fw.dual_level():
        for name, parameter in parameters.items():
            delattr(layer, name)
            setattr(layer, name, fw.make_dual(parameter, t.ones_like(parameter)))
        tangent = fw.unpack_dual(layer(x)).tangent
    np.testing.assert_allclose(tangent.detach(), np.full((4, 2), 4.0))


def test_a_tangent_is_differentiated_backwards(t: Any) -> None:
    fw = t.autograd.forward_ad
    x = t.tensor([0.3, 1.1], requires_grad=True)
    with fw.dual_level():
        tangent = fw.unpack_dual(fw.make_dual(x, t.ones(2)).sin()).tangent
        (found,) = t.autograd.grad(tangent.sum(), x)
    np.testing.assert_allclose(found, -np.sin([0.3, 1.1]), rtol=1e-6)


def test_a_function_of_ones_own_has_its_own_jvp(t: Any) -> None:
    class Twice(t.autograd.Function):
        @staticmethod
        def forward(ctx: Any, x: Any, y: Any) -> Any:
            ctx.save_for_forward(y)
            return x * y, x + 1

        @staticmethod
        def jvp(ctx: Any, x_tangent: Any, y_tangent: Any) -> Any:
            (y,) = ctx.saved_tensors
            assert float(y_tangent.abs().sum()) == 0.0  # zeros are made for what has none
            return x_tangent * y, x_tangent

    fw = t.autograd.forward_ad
    with fw.dual_level():
        dual = fw.make_dual(t.tensor([2.0]), t.tensor([5.0]))
        product, shifted = Twice.apply(dual * 1, t.tensor([3.0]))
        assert product.tolist() == [6.0]
        assert fw.unpack_dual(product * 2).tangent.tolist() == [30.0]
        assert fw.unpack_dual(shifted).tangent.tolist() == [5.0]


def test_what_does_not_fit_is_refused(t: Any) -> None:
    fw = t.autograd.forward_ad
    with pytest.raises(RuntimeError, match="no level exists"):
        fw.make_dual(t.ones(2), t.ones(2))
    with fw.dual_level():
        with pytest.raises(ValueError, match="Expected primal to be floating point or complex"):
            fw.make_dual(t.ones(2).int(), t.ones(2))
        with pytest.raises(RuntimeError):
            fw.make_dual(t.ones(2), t.ones(3))
        with pytest.raises(RuntimeError, match="Nested forward mode AD is not supported"):
            fw.enter_dual_level()


def test_a_dual_under_no_grad_within_the_level_is_refused() -> None:
    with forward_ad.dual_level(), flambeau.no_grad():
        with pytest.raises(RuntimeError, match="leave out no_grad"):
            forward_ad.make_dual(flambeau.ones(1), flambeau.ones(1))
    with pytest.raises(RuntimeError, match="Trying to exit a forward AD level"):
        forward_ad.exit_dual_level()
