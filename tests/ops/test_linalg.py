"""torch.linalg: factorizations put together again, refusals, and PyTorch's results."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import flambeau as torch

linalg = torch.linalg


def _matrix(*shape: int) -> Any:
    return torch.from_numpy(np.random.default_rng(0).standard_normal(shape))


SHAPES = [(3, 3), (4, 2), (2, 4), (2, 3, 3), (2, 3, 5)]


@pytest.mark.parametrize("shape", SHAPES)
def test_factors_multiply_to_the_matrix(shape: tuple[int, ...]) -> None:
    a = _matrix(*shape)
    q, r = linalg.qr(a)
    torch.testing.assert_close(q @ r, a)
    for full in (True, False):
        u, s, vh = linalg.svd(a, full_matrices=full)
        k = s.shape[-1]
        torch.testing.assert_close(u[..., :k] * s.unsqueeze(-2) @ vh[..., :k, :], a)
    p, lower, upper = linalg.lu(a)
    torch.testing.assert_close(p @ lower @ upper, a)
    inverse = linalg.pinv(a)
    torch.testing.assert_close(a @ inverse @ a, a)


def test_symmetric_matrices() -> None:
    a = _matrix(2, 4, 4)
    a = a @ a.mT + torch.eye(4, dtype=a.dtype)
    values, vectors = linalg.eigh(a)
    torch.testing.assert_close(vectors * values.unsqueeze(-2) @ vectors.mT, a)
    lower = linalg.cholesky(a)
    torch.testing.assert_close(lower @ lower.mT, a)
    torch.testing.assert_close(linalg.cholesky(a, upper=True), lower.mT)
    torch.testing.assert_close(torch.cholesky_inverse(lower), linalg.inv(a))
    torch.testing.assert_close(linalg.eigvalsh(a), values)


def test_solutions_solve() -> None:
    a, b = _matrix(2, 3, 3), _matrix(2, 3, 2)
    torch.testing.assert_close(a @ linalg.solve(a, b), b)
    torch.testing.assert_close(linalg.solve(a, b.mT, left=False) @ a, b.mT)
    torch.testing.assert_close(linalg.solve(a[0], b[0, :, 0]), linalg.inv(a[0]) @ b[0, :, 0])
    upper = a.triu()
    torch.testing.assert_close(upper @ linalg.solve_triangular(upper, b, upper=True), b)
    tall, right = _matrix(5, 2), _matrix(5, 1)
    found = linalg.lstsq(tall, right).solution
    torch.testing.assert_close(tall.mT @ (tall @ found - right), torch.zeros(2, 1).double())


def test_large_triangular_systems() -> None:
    a = _matrix(50, 50).tril() + 10 * torch.eye(50, dtype=torch.float64)
    b = _matrix(50, 3)
    torch.testing.assert_close(a @ linalg.solve_triangular(a, b, upper=False), b)


@pytest.mark.parametrize("n", [-2, 0, 1, 5])
def test_powers(n: int) -> None:
    a = _matrix(3, 3)
    expected = np.linalg.matrix_power(a.numpy(), n)
    np.testing.assert_allclose(linalg.matrix_power(a, n).numpy(), expected)


def test_exponential_of_large_and_small_matrices() -> None:
    for scale in (1e-3, 1.0, 30.0):
        a = _matrix(4, 4) * scale
        a = a - a.mT  # a rotation: the exponential is orthogonal
        found = linalg.matrix_exp(a)
        identity = torch.eye(4, dtype=torch.float64)
        torch.testing.assert_close(found @ found.mT, identity, rtol=1e-8, atol=1e-8)


def test_determinants_and_their_gradient_where_it_is_zero() -> None:
    a = torch.tensor([[1.0, 2.0], [2.0, 4.0]], dtype=torch.float64, requires_grad=True)
    linalg.det(a).backward()
    np.testing.assert_allclose(a.grad.numpy(), [[4.0, -2.0], [-2.0, 1.0]], atol=1e-12)
    sign, size = linalg.slogdet(-torch.eye(3))
    assert sign.item() == -1.0 and size.item() == 0.0
    assert torch.logdet(-torch.eye(3)).isnan()


NORMS: list[Any] = [None, "fro", "nuc", 1, -1, 2, -2, float("inf"), -float("inf")]


@pytest.mark.parametrize("order", NORMS)
def test_norms_are_numpys(order: Any) -> None:
    a = _matrix(3, 4)
    np.testing.assert_allclose(linalg.norm(a, order).item(), np.linalg.norm(a.numpy(), order))
    if not isinstance(order, str):
        v = _matrix(5)
        np.testing.assert_allclose(linalg.norm(v, order).item(), np.linalg.norm(v.numpy(), order))


def test_rank_and_condition() -> None:
    a = torch.diag(torch.tensor([4.0, 2.0, 0.0]))
    assert linalg.matrix_rank(a).item() == 2
    assert linalg.cond(torch.diag(torch.tensor([4.0, 2.0]))).item() == 2.0
    assert linalg.matrix_rank(a, hermitian=True).item() == 2


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (lambda t: t.linalg.inv(t.zeros(2, 2)), "linalg.inv: The diagonal element 1 is zero"),
        (lambda t: t.linalg.inv(t.zeros(3, 2, 2)), r"\(Batch element 0\): The diagonal element 1"),
        (lambda t: t.linalg.solve(t.zeros(2, 2), t.ones(2)), "The solver failed because the input"),
        (lambda t: t.linalg.cholesky(-t.eye(2)), "the leading minor of order 1 is not positive"),
        (lambda t: t.linalg.inv(t.ones(2, 3)), "but they are 2 by 3 matrices"),
        (lambda t: t.linalg.det(t.ones(3)), "must have at least 2 dimensions"),
        (lambda t: t.linalg.inv(t.ones(2, 2, dtype=t.int64)), "Expected a floating point or complex"),
        (lambda t: t.linalg.norm(t.ones(2, 2), "foo"), "Order foo not supported"),
        (lambda t: t.linalg.qr(t.ones(2, 2), "foo"), "unrecognized mode 'foo'"),
        (lambda t: t.linalg.multi_dot([t.ones(2, 2)]), "expected at least 2 tensors but got 1"),
    ],
)  # fmt: skip
def test_refusals_are_pytorchs(wrong: Any, words: str) -> None:
    with pytest.raises(RuntimeError, match=words) as found:
        wrong(torch)
    try:
        import torch as reference
    except ImportError:
        return
    with pytest.raises(RuntimeError, match=words) as expected:
        wrong(reference)
    named = expected.type.__name__.lstrip("_") == "LinAlgError"
    assert isinstance(found.value, linalg.LinAlgError) == named
