"""torch.fft: the transforms, their gradients, their refusals."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import flambeau as torch
from flambeau.autograd import gradcheck

ONE = "fft ifft rfft irfft hfft ihfft".split()
SEVERAL = "fftn ifftn rfftn irfftn hfftn ihfftn fft2 ifft2 rfft2 irfft2 hfft2 ihfft2".split()
NORMS = (None, "backward", "forward", "ortho")
RANDOM = np.random.default_rng(0)
REAL = RANDOM.normal(size=(3, 4, 5))
COMPLEX = REAL + 1j * RANDOM.normal(size=(3, 4, 5))


def _operand(name: str) -> np.ndarray:
    return REAL if name.startswith(("r", "ih")) else COMPLEX


def _run(t: Any, name: str, arguments: tuple[Any, ...]) -> list[np.ndarray]:
    leaf = t.from_numpy(_operand(name).copy()).requires_grad_()
    out = getattr(t.fft, name)(leaf, *arguments)
    plain = out.detach().resolve_conj().numpy()
    weights = np.arange(plain.size).reshape(plain.shape) * (1 - 0.5j)
    if plain.dtype.kind != "c":
        weights = weights.real
    out.backward(t.from_numpy(np.ascontiguousarray(weights.astype(plain.dtype))))
    return [plain, leaf.grad.resolve_conj().numpy()]


def _same(name: str, *arguments: Any) -> None:
    pytorch = pytest.importorskip("torch")
    for found, wanted in zip(_run(torch, name, arguments), _run(pytorch, name, arguments)):
        assert found.dtype == wanted.dtype
        np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("name", ONE)
def test_one_dim_is_as_in_pytorch(name: str, norm: str | None) -> None:
    for n in (None, 3, 4, 7):
        for dim in (-1, 0):
            _same(name, n, dim, norm)


@pytest.mark.parametrize("norm", NORMS)
@pytest.mark.parametrize("name", SEVERAL)
def test_several_dims_are_as_in_pytorch(name: str, norm: str | None) -> None:
    for s, dim in ((None, (0, 1)), ((2, 6), (1, 2)), ((-1, 4), (2, 0))):
        _same(name, s, dim, norm)


def test_a_transform_is_numpys() -> None:
    z = torch.from_numpy(COMPLEX)
    np.testing.assert_allclose(torch.fft.fft(z).numpy(), np.fft.fft(COMPLEX))
    np.testing.assert_allclose(torch.fft.fftn(z, norm="ortho"), np.fft.fftn(COMPLEX, norm="ortho"))
    np.testing.assert_allclose(torch.fft.irfft(z, 6).numpy(), np.fft.irfft(COMPLEX, 6))
    np.testing.assert_allclose(torch.fft.hfft(z).numpy(), np.fft.hfft(COMPLEX))


@pytest.mark.parametrize("name", ["fft", "rfft", "irfft", "hfft", "ihfft", "ifft"])
def test_gradients_are_those_of_finite_differences(name: str) -> None:
    x = torch.from_numpy(_operand(name)[0].copy()).requires_grad_()
    assert gradcheck(lambda t: getattr(torch.fft, name)(t, 6), [x])


def test_what_goes_forth_comes_back() -> None:
    x = torch.randn(2, 9)
    assert torch.allclose(torch.fft.irfft(torch.fft.rfft(x), 9), x, atol=1e-5)
    assert torch.allclose(torch.fft.ifft(torch.fft.fft(x)).real, x, atol=1e-5)


def test_dtypes() -> None:
    assert torch.fft.fft(torch.ones(4, dtype=torch.int64)).dtype == torch.complex64
    assert torch.fft.rfft(torch.ones(4, dtype=torch.float64)).dtype == torch.complex128
    assert torch.fft.irfft(torch.ones(4, dtype=torch.complex64)).dtype == torch.float32


def test_frequencies_and_shifts() -> None:
    assert torch.fft.fftfreq(4).tolist() == [0, 0.25, -0.5, -0.25]
    assert torch.fft.rfftfreq(5, 0.1).tolist() == pytest.approx([0, 2, 4])
    shifted = torch.fft.fftshift(torch.arange(5))
    assert shifted.tolist() == [3, 4, 0, 1, 2]
    assert torch.fft.ifftshift(shifted).tolist() == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: torch.fft.fft(torch.ones(3), 0), "Invalid number of data points"),
        (lambda: torch.fft.fft(torch.ones(3), norm="x"), "Invalid normalization mode"),
        (lambda: torch.fft.rfft(torch.ones(3) * 1j), "rfft expects a real input tensor"),
        (lambda: torch.fft.fftn(torch.ones(2, 2), dim=(0, 0)), "FFT dims must be unique"),
        (lambda: torch.fft.fftn(torch.ones(2), s=(1, 1)), "Got shape with 2 values"),
        (lambda: torch.fft.fft(torch.ones(2, dtype=torch.float16)), "Unsupported dtype Half"),
    ],
)
def test_refusals(call: Any, message: str) -> None:
    with pytest.raises(RuntimeError, match=message):
        call()


def test_on_xla() -> None:
    pytest.importorskip("jax")
    from flambeau.namespaces import jax as namespace
    from flambeau.namespaces import numpy as reference

    x = REAL.astype(np.float32)
    z = reference.rfft(x, (0, 2))
    np.testing.assert_allclose(namespace.rfft(x, (0, 2)), z, atol=1e-4)
    np.testing.assert_allclose(
        namespace.irfft(z, (0, 2), 5), reference.irfft(z, (0, 2), 5), atol=1e-3
    )
    np.testing.assert_allclose(
        namespace.fft(z, (0, 1), False), reference.fft(z, (0, 1), False), atol=1e-3
    )
