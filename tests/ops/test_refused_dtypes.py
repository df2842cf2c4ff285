"""Operands of dtypes that an operation has no arithmetic for are refused as in PyTorch."""

from __future__ import annotations

import operator
from typing import Any

import numpy as np
import pytest

import flambeau as torch
from flambeau.nn import functional as F


@pytest.fixture(params=["flambeau", "torch"])
def m(request: pytest.FixtureRequest) -> Any:
    """flambeau, or PyTorch to check that the test itself is right."""
    return torch if request.param == "flambeau" else pytest.importorskip("torch")


REFUSED: dict[str, Any] = {
    "logaddexp": (lambda P, i, c: P.logaddexp(i, i), "\"logaddexp_cpu\" not implemented for"),
    "xlogy": (lambda P, i, c: P.xlogy(c, 2.0), "\"xlogy_cpu\" not implemented for 'ComplexFloat'"),
    "frac": (lambda P, i, c: P.frac(i), "\"frac_cpu\" not implemented for 'Long'"),
    "gelu": (lambda P, i, c: P.nn.functional.gelu(i), "\"GeluKernelImpl\" not implemented for"),
    "elu": (lambda P, i, c: P.nn.functional.celu(i), "\"elu_cpu\" not implemented for 'Long'"),
    "silu": (lambda P, i, c: P.nn.functional.silu(i), "\"silu_cpu\" not implemented for 'Long'"),
    "softmax": (lambda P, i, c: P.softmax(c, 0), "softmax_lastdim_kernel_impl\" not implemented"),
    "sign": (lambda P, i, c: P.sign(c), "torch.sign is not intended to support complex numbers"),
    "floor": (lambda P, i, c: P.floor(c), "floor is not supported for complex inputs"),
    "round": (lambda P, i, c: P.round(c), "\"round_vml_cpu\" not implemented for 'ComplexFloat'"),
    "clamp": (lambda P, i, c: c.clamp(0, 1), "clamp is not supported for complex types"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_the_kernel_that_is_missing_is_named(m: Any, name: str) -> None:
    call, words = REFUSED[name]
    with pytest.raises(NotImplementedError) as found:
        call(m, m.tensor([1, 2]), m.tensor([1 + 2j, 3.0]))
    assert words in str(found.value)


def test_heaviside_has_no_complex_numbers(m: Any) -> None:
    c = m.tensor([1j])
    with pytest.raises(RuntimeError, match="heaviside is not yet implemented for complex tensors"):
        m.heaviside(c, c)


def test_lerp_takes_one_dtype(m: Any) -> None:
    single, double = m.ones(3), m.ones(3, dtype=m.float64)
    for operands, words in (
        ((single, double, 0.5), "expected dtype float for `end` but got dtype double"),
        ((single, single, double), "expected dtype float for `weight` but got dtype double"),
        ((double, double, single), "expected dtype double for `weight` but got dtype float"),
    ):
        with pytest.raises(RuntimeError, match=words):
            m.lerp(*operands)
    assert m.lerp(single, single, m.tensor(0.5, dtype=m.float64)).dtype is m.float32
    with pytest.raises(NotImplementedError, match="lerp_kernel"):
        m.lerp(single.long(), single.long(), 0.5)


def test_prelu_takes_one_dtype(m: Any) -> None:
    with pytest.raises(RuntimeError, match="Type promoting not supported. Got Long and Float"):
        m.nn.functional.prelu(m.tensor([1]), m.tensor([0.5]))


@pytest.mark.parametrize("name", ["iadd", "isub", "imul", "itruediv", "ifloordiv", "imod", "ipow"])
def test_in_place_operators_leave_arrays_to_numpy(m: Any, name: str) -> None:
    """As in PyTorch, ``t += array`` gives a new tensor; ``t += number`` writes."""
    t = m.tensor([1.0, 2.0])
    for array in (np.array([1.0, 3.0]), np.array([1, 3]), np.array(2.0)):
        made = getattr(operator, name)(t, array)
        assert isinstance(made, m.Tensor) and made is not t and made.dtype is m.float64
        assert np.array_equal(made.numpy(), getattr(operator, name[1:])(t.numpy(), array))
    assert t.tolist() == [1.0, 2.0]
    assert getattr(operator, name)(t, np.float64(2)) is t and t.dtype is m.float32


def test_arrays_are_no_operands_of_writes(m: Any) -> None:
    t = m.ones(3)
    with pytest.raises(TypeError, match=r"can't assign a numpy\.ndarray to a torch\.FloatTensor"):
        t[1:] = np.ones(2)
    with pytest.raises(TypeError, match="fill_"):
        t.fill_(np.array(3.0))
    t[0] = np.float64(5)
    assert t.fill_(np.float64(2)).tolist() == [2.0] * 3


def test_clamp_with_numpy_numbers(m: Any) -> None:
    t, i = m.tensor([-1.0, 0.5, 3.0]), m.tensor([-1, 0, 3])
    assert m.equal(t.clamp(np.float64(0), np.float32(1)), m.tensor([0.0, 0.5, 1.0]))
    assert i.clamp(np.int32(0), np.int64(2)).tolist() == [0, 0, 2]
    assert m.equal(i.clamp(np.float32(0.5)), m.tensor([0.5, 0.5, 3.0]))
    for wrong in (np.array([0.0]), "a"):
        with pytest.raises(TypeError, match=r"clamp\(\) received an invalid combination"):
            m.clamp(t, wrong)


def test_dtypes_are_pytorchs_or_pythons(m: Any) -> None:
    assert m.promote_types(float, int) is m.float64 and m.can_cast(float, m.float32)
    assert m.ones(2).to(int).dtype is m.int64 and m.zeros(1, dtype=complex).dtype is m.complex128
    for call in (
        lambda: m.can_cast(np.float32, m.int32), lambda: m.can_cast(m.float32, np.dtype("int32")),
        lambda: m.promote_types("float32", m.int64), lambda: m.finfo(np.float32),
        lambda: m.iinfo(np.int32), lambda: m.zeros(2, dtype=np.float32),
        lambda: m.ones(2).to(np.float64), lambda: m.result_type(m.ones(1), np.ones(1)),
        lambda: m.set_default_dtype(np.float64),
    ):  # fmt: skip
        with pytest.raises(TypeError):
            call()
    with pytest.raises(ValueError, match="invalid type: 'numpy.float64'"):
        m.ones(2).type(np.float64)
    assert m.result_type(m.ones(1, dtype=m.int64), np.float64(1)) is m.float32


def test_whole_numbers_of_what_requires_grad_do_not() -> None:
    x = torch.ones(2, requires_grad=True)
    assert not x.long().requires_grad and not x.to(torch.bool).requires_grad
    assert F.relu(x).double().requires_grad
