"""Complex numbers: values and gradients as PyTorch's, views, refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import flambeau as torch
from flambeau.autograd import gradcheck

Z = np.array([[0.5 + 1j, -1.2 + 0.3j], [0.1 - 0.7j, 2 - 1j]])
W = np.array([[1 - 1j, 0.4 + 2j], [-0.3 + 0.2j, 0.8 - 0.5j]])
R = np.array([[0.5, 1.5], [2.0, 0.25]])

UNARY = (
    "exp exp2 expm1 log log2 log10 log1p sqrt rsqrt reciprocal sin cos tan asin acos atan sinh "
    "cosh tanh asinh acosh atanh sigmoid neg abs sgn angle square conj real imag "
    "mean sum prod std var view_as_real"
).split()
FUNCTIONS: dict[str, Any] = {
    **{name: (lambda t, z, w, r, name=name: getattr(t, name)(z)) for name in UNARY},
    "add": lambda t, z, w, r: z + w * 2 - r,
    "mul": lambda t, z, w, r: z * w,
    "mul by real": lambda t, z, w, r: z * r,
    "mul by number": lambda t, z, w, r: r * (1 + 2j),
    "div": lambda t, z, w, r: z / w,
    "div of real": lambda t, z, w, r: r / z,
    "number over": lambda t, z, w, r: 1j / z,
    "pow": lambda t, z, w, r: z**w,
    "power 3": lambda t, z, w, r: z**3,
    "power of a number": lambda t, z, w, r: 2**z,
    "complex power": lambda t, z, w, r: r ** (1 + 2j),
    "matmul": lambda t, z, w, r: z @ w,
    "mv": lambda t, z, w, r: z @ w[0],
    "vdot": lambda t, z, w, r: t.vdot(z[0], w[0]),
    "outer": lambda t, z, w, r: t.outer(z[0], w[0]),
    "adjoint": lambda t, z, w, r: z.mH @ w,
    "cat": lambda t, z, w, r: t.cat([z, w, r]),
    "where": lambda t, z, w, r: t.where(r > 1, z, w),
    "complex": lambda t, z, w, r: t.complex(r, r * 2),
    "polar": lambda t, z, w, r: t.polar(r, r * 2),
    "view_as_complex": lambda t, z, w, r: t.view_as_complex(r),
    "cumprod": lambda t, z, w, r: z.cumprod(1),
    "squared magnitude": lambda t, z, w, r: (z * z.conj()).real,
    "linear": lambda t, z, w, r: t.nn.functional.linear(z, w, w[0]),
    "to real": lambda t, z, w, r: z.real.to(t.float32),
    "written real part": lambda t, z, w, r: _written(z, r),
}


def _written(z: Any, r: Any) -> Any:
    z = z.clone()
    z.real = r
    z.imag.mul_(2)
    return z


def _run(t: Any, function: Any) -> list[np.ndarray | None]:
    leaves = [t.from_numpy(a.copy()).requires_grad_() for a in (Z, W, R)]
    out = function(t, *leaves)
    cotangent = np.arange(out.numel(), dtype=np.float64).reshape(tuple(out.shape)) + 1
    dtype = out.detach().resolve_conj().numpy().dtype
    weights = cotangent * (1 - 0.5j) if dtype.kind == "c" else cotangent
    out.backward(t.from_numpy(np.asarray(weights).astype(dtype)))
    results = [out.detach(), *[leaf.grad for leaf in leaves]]
    return [None if x is None else x.resolve_conj().numpy(force=True) for x in results]


@pytest.mark.parametrize("name", FUNCTIONS)
def test_values_and_gradients_are_pytorchs(name: str) -> None:
    pytorch = pytest.importorskip("torch")
    for found, wanted in zip(_run(torch, FUNCTIONS[name]), _run(pytorch, FUNCTIONS[name])):
        if wanted is None:
            assert found is None or not found.any()
        else:
            assert found is not None
            assert found.dtype == wanted.dtype
            np.testing.assert_allclose(found, wanted, rtol=1e-6, atol=1e-10)


@pytest.mark.parametrize("name", ["mul", "div", "pow", "matmul", "abs", "exp", "vdot", "polar"])
def test_gradients_are_those_of_finite_differences(name: str) -> None:
    leaves = [torch.from_numpy(a.copy()).requires_grad_() for a in (Z, W, R)]
    used = {"abs": [0], "exp": [0], "polar": [2]}.get(name, [0, 1])

    def function(*given: Any) -> Any:
        full: list[Any] = list(leaves)
        for i, tensor in zip(used, given):
            full[i] = tensor
        return FUNCTIONS[name](torch, *full)

    assert gradcheck(function, [leaves[i] for i in used])


def test_the_gradient_of_a_squared_magnitude_is_twice_the_number() -> None:
    z = torch.tensor([3 + 4j], requires_grad=True)
    (z.abs() ** 2).sum().backward()
    assert z.grad.tolist() == [6 + 8j]


def test_the_magnitudes_gradient_at_zero_is_zero() -> None:
    z = torch.zeros(2, dtype=torch.complex64, requires_grad=True)
    z.abs().sum().backward()
    assert z.grad.tolist() == [0, 0]


def test_parts_and_pairs_share_the_memory() -> None:
    z = torch.zeros(2, dtype=torch.complex64)
    z.real[0] = 1
    z.imag[1] = 2
    torch.view_as_real(z)[1, 0] = 3
    assert z.tolist() == [1, 3 + 2j]
    pairs = torch.zeros(2, 2)
    torch.view_as_complex(pairs)[1] = 1 + 2j
    assert pairs.tolist() == [[0, 0], [1, 2]]
    assert torch.view_as_real(z.reshape(2, 1).T).shape == (1, 2, 2)


def test_real_tensors_have_a_real_part_only() -> None:
    t = torch.ones(2)
    assert t.real is t
    assert t.conj() is t
    assert not t.is_complex()
    with pytest.raises(RuntimeError, match="imag is not implemented for tensors with non-complex"):
        _ = t.imag


def test_refusals() -> None:
    with pytest.raises(RuntimeError, match="Expected object of scalar type Float but got scalar"):
        torch.complex(torch.ones(1), torch.ones(1, dtype=torch.float64))
    with pytest.raises(RuntimeError, match="must have a last dimension of size 2"):
        torch.view_as_complex(torch.ones(3))
    with pytest.raises(RuntimeError, match="only supported for complex tensors"):
        torch.view_as_real(torch.ones(2))
