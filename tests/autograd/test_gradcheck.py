"""gradcheck and gradgradcheck tell right gradients from wrong ones."""

from __future__ import annotations

import itertools
import warnings
from typing import Any

import pytest

import flambeau as torch
from flambeau.autograd.gradcheck import GradcheckError, gradcheck, gradgradcheck


@pytest.fixture
def x():
    return torch.randn(2, 3, dtype=torch.float64, requires_grad=True)


@pytest.fixture
def y():
    return torch.rand(3, dtype=torch.float64, requires_grad=True)


def with_hook(hook):
    """Twice its input, with ``hook`` in the way of the gradient."""

    def function(x):
        doubled = x * 2
        doubled.register_hook(hook)
        return doubled * 1

    return function


@pytest.mark.parametrize("fast_mode", [False, True])
def test_right_gradients_pass(x, y, fast_mode):
    assert gradcheck(lambda x, y: (x * y).sin().sum(0), (x, y), fast_mode=fast_mode)
    assert gradgradcheck(lambda x, y: (x * y).sin().sum(0), (x, y), fast_mode=fast_mode)


@pytest.mark.parametrize("fast_mode", [False, True])
def test_wrong_gradients_are_found(x, fast_mode):
    wrong = with_hook(lambda grad: grad * 1.5)
    with pytest.raises(GradcheckError, match="Jacobian mismatch for output 0 with respect to inp"):
        gradcheck(wrong, x, fast_mode=fast_mode)
    assert not gradcheck(wrong, x, fast_mode=fast_mode, raise_exception=False)


def test_the_message_shows_both_jacobians():
    x = torch.ones(2, dtype=torch.float64, requires_grad=True)
    with pytest.raises(GradcheckError) as error:
        gradcheck(with_hook(lambda grad: grad * 1.5), x)
    assert str(error.value) == (
        "Jacobian mismatch for output 0 with respect to input 0,\n"
        "numerical:tensor([[2.0000, 0.0000],\n        [0.0000, 2.0000]], dtype=torch.float64)\n"
        "analytical:tensor([[3., 0.],\n        [0., 3.]], dtype=torch.float64)\n"
    )


def test_fast_mode_goes_on_to_the_slow_jacobians(x):
    with pytest.raises(GradcheckError, match="in fast mode") as error:
        gradcheck(with_hook(lambda grad: grad * 1.5), x, fast_mode=True)
    difference = str(error.value).split("difference (slow mode) is: ")[1].strip()
    assert float(difference.rstrip(".")) == pytest.approx(1.0)


def test_second_gradients_that_are_wrong_are_found(x):
    def function(x):
        cubed = x * x * x
        # right at first: the hook's factor is 1, but it depends on x
        cubed.register_hook(lambda grad: grad * (x.detach() / x.detach()) * (x / x.detach()))
        return cubed

    assert gradcheck(function, x)
    with pytest.raises(GradcheckError):
        gradgradcheck(function, x)


def test_several_outputs_and_inputs_without_grad(x, y):
    scale = torch.rand(3, dtype=torch.float64)
    assert gradcheck(lambda x, s, y: (x * s, (y * y).sum(), x.detach()), (x, scale, y))
    assert gradcheck(lambda x, s: x * s, (x, 3.0))


def test_a_function_of_its_closure_is_moved_in_place(x):
    assert gradcheck(lambda *_: x * x, x)


def test_views_are_inputs(x):
    strided = torch.rand(3, 4, dtype=torch.float64)[:, ::2].requires_grad_()
    before = strided.detach().clone()
    assert gradcheck(lambda x: x * x, strided)
    assert (strided == before).all()


def test_all_options_on(x, y):
    assert gradcheck(
        lambda x, y: (x * y, x.exp()), (x, y), check_batched_grad=True, check_grad_dtypes=True
    )
    assert gradgradcheck(
        lambda x, y: x * y, (x, y), torch.ones(2, 3, dtype=torch.float64, requires_grad=True)
    )
    assert gradgradcheck(lambda x, y: x * y, (x, y), gen_non_contig_grad_outputs=True)


def test_a_backward_pass_that_differs_from_time_to_time_is_found(x):
    count = itertools.count()
    shaky = with_hook(lambda grad: grad + grad.abs().sum() * 1e-7 * next(count))
    with pytest.raises(GradcheckError, match="Backward is not reentrant"):
        gradcheck(shaky, x, atol=1, check_undefined_grad=False)
    assert gradcheck(shaky, x, atol=1, nondet_tol=1.0, check_undefined_grad=False)


def test_gradients_out_of_nothing_are_found():
    x = torch.ones(1, dtype=torch.float64, requires_grad=True)
    made_up = with_hook(lambda grad: grad + 1e-7)
    with pytest.raises(GradcheckError, match="Expected all input grads to be undefined or zero"):
        gradcheck(made_up, x)
    assert gradcheck(made_up, x, check_undefined_grad=False)


def test_outputs_cut_off_from_the_tape_must_be_constant(x):
    with pytest.raises(GradcheckError, match="Numerical gradient for function expected to be zero"):
        gradcheck(lambda x: x.detach() * 2, x)
    assert gradcheck(lambda x: x.detach() * 0, x)


def test_inputs_must_require_grad(x):
    with pytest.raises(ValueError, match="expects at least one input tensor to require gradient"):
        gradcheck(torch.sin, x.detach())


def test_single_precision_is_warned_of():
    x = torch.ones(2, requires_grad=True)
    with pytest.warns(UserWarning, match="Input #0 requires gradient and is not a double prec"):
        gradcheck(lambda x: x * 2, x, eps=1e-2, atol=1e-2)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gradcheck(lambda x: x * 2, x.detach().double().requires_grad_())


def test_expanded_inputs_are_refused():
    x = torch.ones(1, dtype=torch.float64).expand(3).requires_grad_()
    with pytest.raises(RuntimeError, match="The 0th input has a dimension with stride 0"):
        gradcheck(torch.sin, x)


def test_tangents_are_checked_too(x):
    for fast in (False, True):
        assert gradcheck(torch.sin, x, check_forward_ad=True, fast_mode=fast)
        assert gradgradcheck(torch.sin, x, check_fwd_over_rev=True, fast_mode=fast)
    z = torch.tensor([1 + 2j, -0.5 + 0.1j], dtype=torch.complex128, requires_grad=True)
    assert gradcheck(lambda z: z * z, z, check_forward_ad=True, check_backward_ad=False)

    class Wrong(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            return x * 2

        @staticmethod
        def jvp(ctx, tangent):
            return tangent * 3

    with pytest.raises(GradcheckError, match="In forward mode: Jacobian mismatch"):
        gradcheck(Wrong.apply, x, check_forward_ad=True, check_backward_ad=False)
    with pytest.raises(ValueError, match="tangents are not batched"):
        gradcheck(torch.sin, x, check_batched_forward_grad=True)


def test_complex_inputs_to_real_outputs():
    z = torch.tensor([1 + 2j, -0.5 + 0.1j], dtype=torch.complex128, requires_grad=True)
    assert gradcheck(torch.abs, z)
    assert gradcheck(torch.abs, z, fast_mode=True)


def test_it_is_found_where_pytorch_has_it(x):
    assert torch.autograd.gradcheck(torch.sin, x)
    assert torch.autograd.gradgradcheck(torch.sin, x)


def test_gradgradcheck_draws_pytorchs_numbers(m: Any) -> None:
    m.manual_seed(0)
    assert m.autograd.gradgradcheck(m.tanh, (m.ones(3, dtype=m.double, requires_grad=True),))
    drawn = m.rand(2)
    m.manual_seed(0)
    m.testing.make_tensor((3,), dtype=m.double, device="cpu", low=-1, high=1)
    assert drawn.tolist() == m.rand(2).tolist()
