"""Functions made of several operations are compiled too, but for those that look at elements."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

pytest.importorskip("llvmlite")

import flambeau as torch
from flambeau.modes import ConcreteValueNeeded

L, S, F = torch.linalg, torch.special, torch.nn.functional


def numbers(*shape: int, seed: int = 0, kind: Any = np.float64) -> Any:
    rng = np.random.default_rng(seed)
    array = rng.random(shape) + 0.1
    return torch.from_numpy(
        (array + 1j * rng.random(shape)).astype(kind) if kind == np.complex128 else array
    )


A = numbers(4, 4)
P = A @ A.mT + torch.eye(4, dtype=torch.float64)
V, X, Z = numbers(4), numbers(3, 5), numbers(4, 4, kind=np.complex128)
I = torch.tensor([3, 1, 2, 1, 0])  # noqa: E741
SIGNAL = numbers(32)

COMPILED: dict[str, Callable[[], Any]] = {
    "solve": lambda: L.solve(P, V),
    "cholesky_solve": lambda: torch.cholesky_solve(V[:, None], L.cholesky(P)),
    "logdet": lambda: torch.logdet(P),
    "eig": lambda: L.eig(P)[0].abs(),
    "lu": lambda: L.lu(A)[2],
    "lu_solve": lambda: L.lu_solve(*L.lu_factor(P), V[:, None]),
    "pinv": lambda: L.pinv(A),
    "matrix_rank": lambda: L.matrix_rank(A),
    "matrix_power": lambda: L.matrix_power(P, -2),
    "cond": lambda: L.cond(A),
    "nuclear norm": lambda: L.norm(A, "nuc"),
    "householder_product": lambda: L.householder_product(*torch.geqrf(A)),
    "solve_triangular": lambda: L.solve_triangular(A, V[:, None], upper=True),
    "fftn": lambda: torch.fft.ifftn(Z).real,
    "irfft2": lambda: torch.fft.irfft2(Z),
    "hfft": lambda: torch.fft.hfft(Z[0]),
    "fftfreq": lambda: torch.fft.fftfreq(5) * V[0],
    "rfftfreq": lambda: torch.fft.rfftfreq(5) * V[0],
    "stft": lambda: torch.stft(SIGNAL, 8, return_complex=True, window=V.repeat(2)).abs(),
    "topk": lambda: torch.topk(X, 2)[0],
    "quantile": lambda: torch.quantile(X, 0.3),
    "searchsorted": lambda: torch.searchsorted(torch.sort(V)[0], X),
    "cdist": lambda: torch.cdist(X, X),
    "multigammaln": lambda: S.multigammaln(X + 3, 2),
    "spherical_bessel_j0": lambda: S.spherical_bessel_j0(X),
    "polar": lambda: torch.polar(X, X).abs(),
    "normal": lambda: torch.normal(X, X),
    "mode": lambda: torch.mode(I)[0],
    "histc": lambda: torch.histc(X, 4),
    "histogram": lambda: torch.histogram(X, 4)[0],
    "gcd": lambda: torch.gcd(I, I + 2),
    "lcm": lambda: torch.lcm(I, I + 2),
    "masked_scatter": lambda: X.masked_scatter(X > 0.5, X),
    "multinomial": lambda: torch.multinomial(X, 2),
    "poisson": lambda: torch.poisson(X),
    "hash_tensor": lambda: torch.hash_tensor(I),
    "ldl_solve": lambda: L.ldl_solve(*L.ldl_factor(P), V[:, None]),
    "lstsq": lambda: L.lstsq(A, V[:, None])[0],
}

LOOKING = {
    "the result's shape is that of the elements": {
        "unique": lambda: torch.unique(I),
        "unique_consecutive": lambda: torch.unique_consecutive(I),
        "nonzero": lambda: torch.nonzero(I),
        "argwhere": lambda: torch.argwhere(I),
        "masked_select": lambda: torch.masked_select(X, X > 0.5),
        "a mask as an index": lambda: X[X > 0.5],
        "bincount": lambda: torch.bincount(I),
        "one_hot": lambda: F.one_hot(I),
    },
    "the result is a Python value": {
        "equal": lambda: torch.equal(X, X),
        "allclose": lambda: torch.allclose(X, X),
        "tolist": lambda: I.tolist(),
    },
    "the definition is in NumPy": {
        "lobpcg": lambda: torch.lobpcg(P, 1)[0],
    },
}
"""Functions that a program cannot have: the step with one runs eagerly, and says so."""


@pytest.mark.parametrize("name", COMPILED)
def test_the_function_is_compiled(name: str) -> None:
    function = COMPILED[name]
    compiled = torch.compile(lambda: function(), fullgraph=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        torch.manual_seed(1)
        expected = [function() for _ in range(4)]
        torch.manual_seed(1)
        found = [compiled() for _ in range(4)]
    assert compiled.runners()
    for one, other in zip(found, expected, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), rtol=1e-6, atol=1e-9)


@pytest.mark.parametrize("name", [n for group in LOOKING.values() for n in group])
def test_a_function_that_looks_at_elements_runs_eagerly_with_a_warning(name: str) -> None:
    function = next(group[name] for group in LOOKING.values() if name in group)
    strict = torch.compile(lambda: function(), fullgraph=True)
    strict()
    with pytest.raises(ConcreteValueNeeded):
        strict()
    compiled = torch.compile(lambda: function())
    compiled()
    with pytest.warns(UserWarning, match="runs eagerly"):
        compiled()
