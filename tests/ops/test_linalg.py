"""torch.linalg: factors multiplied again, derivatives by differences, PyTorch's refusals."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pytest

import flambeau as torch

linalg = torch.linalg
close = torch.testing.assert_close


def _matrix(*shape: int, seed: int = 0) -> Any:
    return torch.from_numpy(np.random.default_rng(seed).standard_normal(shape))


def _complex(*shape: int) -> Any:
    return torch.complex(_matrix(*shape), _matrix(*shape, seed=1))


def _positive(*shape: int, make: Any = _matrix) -> Any:
    a = make(*shape)
    return a @ a.mH + torch.eye(shape[-1], dtype=a.dtype)


SHAPES = [(3, 3), (4, 2), (2, 4), (2, 3, 3), (2, 3, 5), (1, 1), (0, 2, 2), (0, 0), (3, 0), (0, 3)]
MAKERS = [pytest.param(_matrix, id="real"), pytest.param(_complex, id="complex")]


# -- factorizations ---------------------------------------------------------------------------


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("shape", SHAPES)
def test_factors_multiply_to_the_matrix(shape: tuple[int, ...], make: Any) -> None:
    a = make(*shape)
    q, r = linalg.qr(a)
    close(q @ r, a)
    close(r, r.triu())
    q, r = linalg.qr(a, mode="complete")
    close(q @ r, a)
    close(q.mH @ q, torch.eye(shape[-2], dtype=a.dtype).expand(q.shape))
    for full in (True, False):
        u, s, vh = linalg.svd(a, full_matrices=full)
        k = s.shape[-1]
        close(u[..., :k] * s.unsqueeze(-2) @ vh[..., :k, :], a)
    close(linalg.svdvals(a), s)
    p, lower, upper = linalg.lu(a)
    close(p @ lower @ upper, a)
    close(lower, lower.tril())
    for found, wanted in zip(torch.lu_unpack(*linalg.lu_factor_ex(a)[:2]), (p, lower, upper)):
        close(found, wanted)
    inverse = linalg.pinv(a)
    close(a @ inverse @ a, a)
    close((a @ inverse).mH, a @ inverse)


@pytest.mark.parametrize("make", MAKERS)
def test_hermitian_matrices(make: Any) -> None:
    a = _positive(2, 4, 4, make=make)
    values, vectors = linalg.eigh(a)
    close(vectors * values.unsqueeze(-2) @ vectors.mH, a)
    close(linalg.eigvalsh(a), values)
    lower = linalg.cholesky(a)
    close(lower @ lower.mH, a)
    close(linalg.cholesky(a, upper=True), lower.mH)
    close(torch.cholesky_inverse(lower), linalg.inv(a))
    close(torch.cholesky_solve(make(2, 4, 3), lower), linalg.solve(a, make(2, 4, 3)))
    close(linalg.pinv(a, hermitian=True), linalg.inv(a))


def test_only_one_triangle_is_looked_at() -> None:
    a = _positive(3, 3)
    noise = torch.full((3, 3), float("nan")).double()
    low, high = torch.where(noise.tril(-1) == 0, a, noise), None
    low = torch.where(torch.ones(3, 3).tril().bool(), a, noise)
    high = torch.where(torch.ones(3, 3).triu().bool(), a, noise)
    close(linalg.cholesky(low), linalg.cholesky(a))
    close(linalg.cholesky(high, upper=True), linalg.cholesky(a).mT)
    close(linalg.eigvalsh(low), linalg.eigvalsh(a))
    close(linalg.eigvalsh(high, UPLO="U"), linalg.eigvalsh(a))
    factor = torch.where(torch.ones(3, 3).tril().bool(), linalg.cholesky(a), noise)
    close(torch.cholesky_inverse(factor), linalg.inv(a))


SIGNED = [[0, 2, -1, 3], [2, 1, 4, 0], [-1, 4, -2, 1], [3, 0, 1, 5]]
FIRST_ELEMENTS = {"L": [1.0, -1.0, 1.0, -1.0], "U": [1.0, -1.0, -1.0, 1.0]}
"""The signs of the first elements of that matrix's eigenvectors in PyTorch 2.13."""


def test_eigenvectors_have_pytorchs_signs() -> None:
    a = torch.tensor(SIGNED, dtype=torch.float64)
    for side in ("L", "U"):
        found = linalg.eigh(a, UPLO=side).eigenvectors
        assert found[0].sign().tolist() == FIRST_ELEMENTS[side]
        close(found @ found.mT, torch.eye(4).double())
    reference = pytest.importorskip("torch")
    for n in (3, 5, 9, 25):
        for make in (_matrix, _complex):
            a = make(n, n)
            a = a + a.mH
            for side in ("L", "U"):
                wanted = reference.linalg.eigh(reference.from_numpy(a.numpy()), UPLO=side)[1]
                np.testing.assert_allclose(linalg.eigh(a, UPLO=side)[1], wanted, atol=1e-9)


@pytest.mark.parametrize("shape", [(2, 3), (3, 5), (2, 4, 7), (3, 12), (12, 3), (8, 30), (1, 4)])
def test_singular_vectors_have_pytorchs_signs(shape: tuple[int, ...]) -> None:
    a = _matrix(*shape)
    m, n = shape[-2:]
    for full in (True, False):
        u, s, vh = linalg.svd(a, full_matrices=full)
        close(vh @ vh.mT, torch.eye(vh.shape[-2]).double().expand(vh.shape[:-1] + vh.shape[-2:-1]))
    low = a.clone()
    low[..., 1:, :] = 0  # of rank 1
    u, s, vh = linalg.svd(low)
    close(u @ u.mT, torch.eye(m).double().expand(u.shape))
    close(u[..., :1] * s[..., :1].unsqueeze(-2) @ vh[..., :1, :], low)
    reference = pytest.importorskip("torch")
    k = min(m, n)
    wanted = reference.linalg.svd(reference.from_numpy(a.numpy()))
    u, s, vh = linalg.svd(a)
    np.testing.assert_allclose(u, wanted.U, atol=1e-9)
    np.testing.assert_allclose(vh[..., :k, :], wanted.Vh[..., :k, :], atol=1e-9)
    if n <= 2 * m:
        np.testing.assert_allclose(vh, wanted.Vh, atol=1e-9)


@pytest.mark.parametrize("make", MAKERS)
def test_eigenvectors_of_any_matrix(make: Any) -> None:
    a = make(2, 4, 4)
    values, vectors = linalg.eig(a)
    assert values.dtype is torch.complex128
    close(a.to(vectors.dtype) @ vectors, vectors * values.unsqueeze(-2))
    close(vectors.abs().square().sum(-2), torch.ones(2, 4).double())
    close(linalg.eigvals(a), values)
    symmetric = _positive(3, 3)
    close(linalg.eigvals(symmetric).real.sort().values, linalg.eigvalsh(symmetric))


def test_large_matrices_are_factored_in_panels() -> None:
    a, b = _matrix(2, 80, 70), _matrix(70, 3)
    p, lower, upper = linalg.lu(a)
    close(p @ lower @ upper, a)
    square = a[:, :70]
    close(
        square @ linalg.lu_solve(*linalg.lu_factor(square), b.expand(2, 70, 3)), b.expand(2, 70, 3)
    )
    low = square.tril() + 10 * torch.eye(70, dtype=torch.float64)
    close(low @ linalg.solve_triangular(low, b, upper=False), b.expand(2, 70, 3))


def test_pivots_are_lapacks() -> None:
    a = torch.tensor([[1.0, 2.0, 0.0], [4.0, 5.0, 6.0], [2.0, 8.0, 9.0]])
    packed, pivots, info = linalg.lu_factor_ex(a)
    assert pivots.tolist() == [2, 3, 3] and pivots.dtype is torch.int32 and info.item() == 0
    expected = [[4.0, 5.0, 6.0], [0.5, 5.5, 6.0], [0.25, 0.75 / 5.5, -1.5 - 6 * 0.75 / 5.5]]
    np.testing.assert_allclose(packed.numpy(), expected, rtol=1e-6)


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("hermitian", [True, False])
def test_indefinite_matrices_have_ldl_factors(make: Any, hermitian: bool) -> None:
    for n in (1, 2, 5, 9):
        a = make(3, n, n)
        a = a + (a.mH if hermitian else a.mT)
        a[0, range(n), range(n)] = 0  # no pivot of size 1 to begin with
        packed, pivots, info = linalg.ldl_factor_ex(a, hermitian=hermitian)
        if n == 1:
            assert info.tolist()[0] == 1
            continue
        assert not info.any() and (n == 2 or (pivots < 0).any())
        b = make(3, n, 2)
        close(a @ linalg.ldl_solve(packed, pivots, b, hermitian=hermitian), b)


@pytest.mark.parametrize("make", MAKERS)
def test_householder_vectors_make_the_orthogonal_factor(make: Any) -> None:
    a = make(2, 5, 3)
    packed, scales = torch.geqrf(a)
    q, r = linalg.qr(a, mode="complete")
    close(packed[:, :3].triu(), r[:, :3])
    close(linalg.householder_product(packed, scales), q[..., :3])
    close(torch.orgqr(packed, scales), q[..., :3])
    b = make(2, 5, 4)
    close(torch.ormqr(packed, scales, b), q @ b)
    close(torch.ormqr(packed, scales, b, transpose=True), q.mH @ b)
    close(torch.ormqr(packed, scales, b.mT, left=False), b.mT @ q)
    close(torch.ormqr(packed, scales, b.mT, left=False, transpose=True), b.mT @ q.mH)


# -- solutions --------------------------------------------------------------------------------


@pytest.mark.parametrize("make", MAKERS)
def test_solutions_solve(make: Any) -> None:
    a, b = make(2, 3, 3), make(2, 3, 2)
    close(a @ linalg.solve(a, b), b)
    close(linalg.solve(a, b.mT, left=False) @ a, b.mT)
    close(linalg.solve(a[0], b[0, :, 0]), linalg.inv(a[0]) @ b[0, :, 0])
    close(linalg.solve(a, b[..., 0]), linalg.solve(a, b[..., :1]).squeeze(-1))
    upper = a.triu()
    close(upper @ linalg.solve_triangular(upper, b, upper=True), b)
    close(linalg.solve_triangular(upper, b.mT, upper=True, left=False) @ upper, b.mT)
    close(upper.mT @ torch.triangular_solve(b, upper, transpose=True).solution, b)
    ones = upper.triu(1) + torch.eye(3, dtype=a.dtype)
    close(ones @ linalg.solve_triangular(a, b, upper=True, unitriangular=True), b)
    factors = linalg.lu_factor(a)
    close(a @ linalg.lu_solve(*factors, b), b)
    close(a.mH @ linalg.lu_solve(*factors, b, adjoint=True), b)
    close(linalg.lu_solve(*factors, b.mT, left=False) @ a, b.mT)
    close(linalg.lu_solve(*factors, b.mT, left=False, adjoint=True) @ a.mH, b.mT)
    close(torch.lu_solve(b, *factors), linalg.solve(a, b))


def test_a_zero_on_a_triangular_diagonal_gives_infinities() -> None:
    a = torch.tensor([[1.0, 1.0], [0.0, 0.0]])
    found = linalg.solve_triangular(a, torch.ones(2, 1), upper=True)
    assert found.flatten().tolist() == [-float("inf"), float("inf")]


@pytest.mark.parametrize("driver", ["gels", "gelsy", "gelsd", "gelss"])
def test_least_squares(driver: str) -> None:
    a, b = _matrix(2, 5, 3), _matrix(2, 5, 2)
    found = linalg.lstsq(a, b, driver=driver)
    close(a.mT @ (a @ found.solution - b), torch.zeros(2, 3, 2).double())
    if driver == "gelsy":
        assert found.residuals.numel() == 0
    else:
        close(found.residuals, (a @ found.solution - b).square().sum(-2))
    assert found.rank.tolist() == ([] if driver == "gels" else [3, 3])
    values = linalg.svdvals(a) if driver in ("gelsd", "gelss") else a.new_empty(0)
    close(found.singular_values, values)
    close(linalg.lstsq(a, b[..., 0]).solution, found.solution[..., 0])


def test_tensors_as_maps() -> None:
    a = _matrix(2, 3, 6)
    x = _matrix(6)
    close(linalg.tensorsolve(a, torch.tensordot(a, x, 1)), x)
    inverse = linalg.tensorinv(a, ind=2)
    assert inverse.shape == (6, 2, 3)
    close(torch.tensordot(inverse, torch.tensordot(a, x, 1), 2), x)


def test_failures_are_told_by_info() -> None:
    good, bad = torch.eye(2), torch.tensor([[1.0, 0.0], [0.0, 0.0]])
    both = torch.stack([good, bad])
    inverse, info = linalg.inv_ex(both)
    assert info.tolist() == [0, 2]
    close(inverse[0], good)
    assert linalg.lu_factor_ex(both).info.tolist() == [0, 2]
    assert linalg.solve_ex(both, torch.ones(2, 2)).info.tolist() == [0, 2]
    factor, info = linalg.cholesky_ex(torch.stack([4 * good, -good]))
    assert info.tolist() == [0, 1]
    close(factor[0], 2 * good)


# -- properties -------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [-2, 0, 1, 5])
def test_powers(n: int) -> None:
    a = _matrix(3, 3)
    expected = np.linalg.matrix_power(a.numpy(), n)
    np.testing.assert_allclose(linalg.matrix_power(a, n).numpy(), expected)


def test_exponential_of_large_and_small_matrices() -> None:
    scales = torch.tensor([1e-3, 1.0, 30.0]).double()
    a = _matrix(4, 4)
    turns = (a - a.mT) * scales.reshape(3, 1, 1)  # the exponential of these is orthogonal
    found = linalg.matrix_exp(turns)
    identity = torch.eye(4, dtype=torch.float64).expand(3, 4, 4)
    close(found @ found.mT, identity, rtol=1e-8, atol=1e-8)
    angle = torch.tensor([[0.0, -0.5], [0.5, 0.0]])
    wanted = [[np.cos(0.5), -np.sin(0.5)], [np.sin(0.5), np.cos(0.5)]]
    np.testing.assert_allclose(torch.matrix_exp(angle).numpy(), wanted, rtol=1e-6)


def test_determinants_and_their_gradient_where_it_is_zero() -> None:
    a = torch.tensor([[1.0, 2.0], [2.0, 4.0]], dtype=torch.float64, requires_grad=True)
    linalg.det(a).backward()
    np.testing.assert_allclose(a.grad.numpy(), [[4.0, -2.0], [-2.0, 1.0]], atol=1e-12)
    sign, size = linalg.slogdet(-torch.eye(3))
    assert sign.item() == -1.0 and size.item() == 0.0
    assert torch.logdet(-torch.eye(3)).isnan()
    assert torch.det(torch.empty(0, 0)).item() == 1.0
    c = _complex(3, 3)
    sign, size = linalg.slogdet(c)
    close(sign * size.exp(), torch.det(c))


NORMS: list[Any] = [None, "fro", "nuc", 1, -1, 2, -2, float("inf"), -float("inf")]


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("order", NORMS)
def test_norms_are_numpys(order: Any, make: Any) -> None:
    a = make(3, 4)
    np.testing.assert_allclose(linalg.norm(a, order).item(), np.linalg.norm(a.numpy(), order))
    square = make(3, 3)
    np.testing.assert_allclose(linalg.cond(square, order), np.linalg.cond(square.numpy(), order))
    many = make(2, 3, 4)
    if order is not None:
        found = linalg.matrix_norm(many, order, dim=(2, 0), keepdim=True)
        wanted = np.linalg.norm(many.numpy(), order, axis=(2, 0), keepdims=True)
        np.testing.assert_allclose(found.numpy(), wanted)
    if not isinstance(order, str):
        v = make(5)
        np.testing.assert_allclose(linalg.norm(v, order).item(), np.linalg.norm(v.numpy(), order))


@pytest.mark.parametrize("order", [0, 0.5, 1, 1.5, 2, 3, -1, -2, float("inf"), -float("inf")])
def test_the_gradient_of_a_norm_at_zero_is_finite(order: float) -> None:
    x = torch.zeros(4, requires_grad=True)
    linalg.vector_norm(x, order).backward()
    assert x.grad.isfinite().all()
    if order > 0 or order == -float("inf"):
        assert not x.grad.any()


def test_norms_of_nothing() -> None:
    assert linalg.matrix_norm(torch.ones(0, 2), 2).item() == 0.0
    assert linalg.matrix_norm(torch.ones(2, 0), 1).item() == 0.0
    assert torch.norm(torch.eye(3), "nuc").item() == 3.0
    assert torch.norm_except_dim(torch.ones(2, 3, 4), 2, 1).shape == (1, 3, 1)


def test_rank_and_condition() -> None:
    a = torch.diag(torch.tensor([4.0, 2.0, 0.0]))
    assert linalg.matrix_rank(a).item() == 2
    assert linalg.matrix_rank(a, atol=3.0).item() == 1
    assert linalg.matrix_rank(a, rtol=torch.tensor(0.9)).item() == 1
    assert linalg.cond(torch.diag(torch.tensor([4.0, 2.0]))).item() == 2.0
    assert linalg.cond(a, 1).item() == float("inf")
    assert linalg.matrix_rank(a, hermitian=True).item() == 2


def test_sketches_of_matrices_of_low_rank() -> None:
    a = _matrix(2, 30, 3) @ _matrix(2, 3, 20, seed=1)
    for m in (a, a.mT):
        u, s, v = torch.svd_lowrank(m, q=4)
        close(u * s.unsqueeze(-2) @ v.mT, m)
    u, s, v = torch.pca_lowrank(a[0], q=3)
    centred = a[0] - a[0].mean(0, True)
    close(u * s @ v.mT, centred)
    with pytest.raises(ValueError, match=r"q\(=50\) must be non-negative integer"):
        torch.pca_lowrank(a, q=50)


@pytest.mark.parametrize("largest", [True, False])
def test_some_eigenvalues_by_conjugate_gradients(largest: bool) -> None:
    torch.manual_seed(0)
    a, b = _positive(2, 40, 40), _positive(40, 40) / 40 + torch.eye(40).double()
    values, vectors = torch.lobpcg(a, k=3, n=5, largest=largest)
    every = linalg.eigvalsh(a)
    wanted = every.flip(-1)[..., :3] if largest else every[..., :3]
    close(values, wanted, rtol=1e-6, atol=1e-8)
    close(a @ vectors, vectors * values.unsqueeze(-2), rtol=1e-4, atol=1e-4)
    steps: list[int] = []
    values, vectors = torch.lobpcg(
        a[0], 2, b, largest=largest, iK=linalg.inv(a[0]), niter=400,
        tracker=lambda state: steps.append(state.ivars["istep"]),
    )  # fmt: skip
    close(a[0] @ vectors, b @ vectors * values, rtol=1e-4, atol=1e-4)
    close(vectors.mT @ b @ vectors, torch.eye(2).double(), rtol=1e-6, atol=1e-7)
    assert steps == list(range(len(steps))) and len(steps) > 1
    leaf = a[0].clone().requires_grad_()
    values, vectors = torch.lobpcg(leaf, 1, largest=largest)
    values.sum().backward()
    close(leaf.grad, (vectors @ vectors.mT).detach(), rtol=1e-6, atol=1e-8)
    with pytest.raises(ValueError, match="smaller than 3 x the number of requested"):
        torch.lobpcg(torch.eye(4), 2)


# -- derivatives of what does not depend on the choice of vectors --------------------------------

INVARIANTS: dict[str, Any] = {
    "eigh": lambda a: _about(linalg.eigh(a + a.mH)),
    "eigh U": lambda a: _about(linalg.eigh(a + a.mH, UPLO="U")),
    "eigvalsh": lambda a: linalg.eigvalsh(a + a.mH),
    "eig": lambda a: linalg.eig(a).eigenvalues.abs().square(),
    "eigenvectors": lambda a: linalg.eig(a).eigenvectors.abs().square(),
    "svd": lambda a: _singular(linalg.svd(a[:3, :2], full_matrices=False)),
    "svd of wide": lambda a: _singular(linalg.svd(a[:2])),
    "svdvals": lambda a: linalg.svdvals(a),
    "cholesky": lambda a: linalg.cholesky(a @ a.mH + torch.eye(3, dtype=a.dtype)),
    "cholesky U": lambda a: linalg.cholesky(a @ a.mH + torch.eye(3, dtype=a.dtype), upper=True),
    "qr": lambda a: linalg.qr(a[:, :2]),
    "qr of wide": lambda a: linalg.qr(a[:2], mode="complete"),
    "lu": lambda a: linalg.lu(a[:, :2])[1:],
    "lu of wide": lambda a: linalg.lu(a[:2])[1:],
    "pinv": lambda a: linalg.pinv(a[:, :2]),
    "hermitian pinv": lambda a: linalg.pinv(a + a.mH, hermitian=True),
    "lstsq": lambda a: linalg.lstsq(a[:, :2], a[:, 2:]).solution,
    "householder": lambda a: linalg.householder_product(a[:, :2] * 0.3, a[2, :2]),
    "ormqr": lambda a: torch.ormqr(a[:, :2] * 0.3, a[2, :2], a),
    "lu_solve": lambda a: linalg.lu_solve(*linalg.lu_factor(a), a.mH @ a),
    "cholesky_solve": lambda a: torch.cholesky_solve(a, a.tril() + 2 * torch.eye(3, dtype=a.dtype)),
    "logdet": lambda a: linalg.slogdet(a).logabsdet,
    "phase": lambda a: linalg.slogdet(a).sign,
    "matrix_exp": lambda a: torch.matrix_exp(a),
    "nuclear": lambda a: torch.norm(a, "nuc"),
    "cond": lambda a: linalg.cond(a),
    "norm 3": lambda a: linalg.vector_norm(a, 3, 1),
    "norm 0.5": lambda a: linalg.vector_norm(a, 0.5),
}


def _about(found: Any) -> Any:
    values, vectors = found
    return values, vectors.abs().square(), vectors * values.exp().unsqueeze(-2) @ vectors.mH


def _singular(found: Any) -> Any:
    u, s, vh = found
    k = s.shape[-1]
    return s, u[..., :k].abs().square(), u[..., :k] * s.cos().unsqueeze(-2) @ vh[..., :k, :]


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("name", INVARIANTS)
def test_derivatives_are_those_of_differences(name: str, make: Any) -> None:
    a = make(3, 3).requires_grad_()
    function = INVARIANTS[name]
    if name == "phase" and not a.is_complex():
        pytest.skip("the sign of a real determinant does not change")
    assert torch.autograd.gradcheck(function, (a,), atol=1e-4)
    assert torch.autograd.gradgradcheck(function, (a,), atol=1e-3)


# -- under the transforms -----------------------------------------------------------------------


def test_mapped_over_a_batch() -> None:
    batch = _positive(4, 3, 3)
    for function in (linalg.inv, linalg.cholesky, linalg.det, linalg.eigvalsh, torch.matrix_exp):
        close(torch.vmap(function)(batch), function(batch))
    close(torch.vmap(linalg.solve, (0, None))(batch, batch[0]), linalg.solve(batch, batch[0]))
    slopes = torch.vmap(torch.func.grad(lambda a: linalg.slogdet(a).logabsdet))(batch)
    close(slopes, linalg.inv(batch).mT)
    with pytest.raises(linalg.LinAlgError, match="input matrix is singular"):
        torch.vmap(linalg.inv)(torch.zeros(2, 3, 3))


def test_a_compiled_function_runs_factorizations_eagerly() -> None:
    def function(a: Any) -> Any:
        return (linalg.inv(a * 2) + linalg.cholesky(a)).sum()

    a = _positive(3, 3)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        close(torch.compile(function)(a), function(a))
        with pytest.raises(linalg.LinAlgError):
            torch.compile(function)(torch.zeros(3, 3).double())


def test_results_are_written_to_out() -> None:
    a = _positive(3, 3)
    target = torch.empty(3, 3).double()
    assert linalg.inv(a, out=target) is target
    close(target @ a, torch.eye(3).double())
    parts = tuple(torch.empty(0).double() for _ in range(3))
    found = linalg.svd(a, out=parts)
    assert found.S is parts[1] and type(found).__name__ == "linalg_svd"
    close(parts[0] * parts[1] @ parts[2], a)


# -- refusals ---------------------------------------------------------------------------------

WRONG: list[Any] = [
    (lambda t: t.linalg.inv(t.zeros(2, 2)), "linalg.inv: The diagonal element 1 is zero"),
    (lambda t: t.linalg.inv(t.zeros(3, 2, 2)), r"\(Batch element 0\): The diagonal element 1"),
    (lambda t: t.linalg.solve(t.zeros(2, 2), t.ones(2)), "torch.linalg.solve: The solver failed"),
    (lambda t: t.linalg.cholesky(-t.eye(2)), "the leading minor of order 1 is not positive"),
    (lambda t: t.cholesky(t.diag(t.tensor([1.0, -1.0]))), "leading minor of order 2 is not"),
    (lambda t: t.linalg.inv(t.ones(2, 3)), "but they are 2 by 3 matrices"),
    (lambda t: t.linalg.det(t.ones(3)), "must have at least 2 dimensions"),
    (lambda t: t.linalg.inv(t.ones(2, 2, dtype=t.int64)), "Expected a floating point or complex"),
    (lambda t: t.linalg.inv(t.ones(2, 2, dtype=t.float16)), "Low precision dtypes not supported"),
    (lambda t: t.linalg.norm(t.ones(2, 2), "foo"), "Order foo not supported"),
    (lambda t: t.linalg.matrix_norm(t.ones(2, 2), 3), "Order 3 not supported"),
    (lambda t: t.linalg.norm(t.ones(2, 2, 2), 2), "the input must be 1D or 2D. Got 3D"),
    (lambda t: t.linalg.vector_norm(t.ones(0), -1), "cannot compute the -1 norm on"),
    (lambda t: t.linalg.qr(t.ones(2, 2), "foo"), "unrecognized mode 'foo'"),
    (lambda t: t.linalg.multi_dot([t.ones(2, 2)]), "expected at least 2 tensors but got 1"),
    (lambda t: t.linalg.lu_factor(t.zeros(2, 2)), r"U\[1,1\] is zero and using it on lu_solve"),
    (lambda t: t.linalg.lu_factor(t.eye(2), pivot=False), "LU without pivoting is not implem"),
    (lambda t: t.linalg.lu_solve(t.eye(2), t.ones(2), t.eye(2)), "scalar type torch.int32"),
    (lambda t: t.linalg.eigh(t.eye(2), UPLO="X"), "Expected UPLO argument to be 'L' or 'U'"),
    (lambda t: t.linalg.svd(t.full((2, 2), t.nan)), "input matrix contained non-finite values"),
    (lambda t: t.linalg.eig(t.full((2, 2), t.nan)), "should not contain infs or NaNs"),
    (lambda t: t.linalg.lstsq(t.eye(2), t.eye(2), driver="x"), "should be one of"),
    (lambda t: t.linalg.solve(t.eye(2), t.eye(3)), r"for the equation AX = B \(2x2 and 3x3\)"),
    (lambda t: t.cholesky_solve(t.eye(3), t.eye(2)), "each A matrix is 2 by 2 but each b matrix"),
    (lambda t: t.linalg.tensorinv(t.ones(2, 3)), "Expected self to satisfy the requirement"),
    (lambda t: t.ormqr(t.ones(3, 2), t.ones(1), t.ones(3, 4)), "must be equal to min"),
    (lambda t: t.linalg.cond(t.eye(2), 3), "got an invalid norm type: 3"),
    (lambda t: t.linalg.qr(t.rand(3, 2, requires_grad=True), "r").R.sum().backward(), "depends on"),
]


@pytest.mark.parametrize(("wrong", "words"), WRONG)
def test_refusals_are_pytorchs(wrong: Any, words: str) -> None:
    with pytest.raises(RuntimeError, match=words) as found:
        wrong(torch)
    try:
        import torch as reference
    except ImportError:
        return
    with pytest.raises(RuntimeError, match=words) as expected:
        wrong(reference)
    assert found.value.__class__.__name__ == expected.value.__class__.__name__.lstrip("_")


def test_what_is_no_tensor_is_refused() -> None:
    with pytest.raises(TypeError, match=r"linalg_inv\(\): argument 'A' \(position 1\) must be Ten"):
        linalg.inv([[1.0]])
    with pytest.raises(TypeError, match=r"linalg_solve\(\): argument 'B' \(position 2\)"):
        linalg.solve(torch.eye(2), 1.0)
    with pytest.raises(NotImplementedError, match="derivative for aten::geqrf"):
        torch.geqrf(torch.ones(3, 2, requires_grad=True)).a.sum().backward()
