"""Some of the largest or smallest eigenvalues of symmetric matrices (``torch.lobpcg``).

The locally optimal block preconditioned conjugate gradient method: in each step the best vectors in
the span of the present ones, their residuals, and the last step's directions.

Source: Knyazev, Toward the optimal preconditioned eigensolver (2001); the basis is made orthogonal
as in Stathopoulos and Wu, A block orthogonalization procedure with constant synchronization
requirements (2002).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..autograd.grad_mode import no_grad
from ..tensor import wrap
from .eigenvalues import eigh
from .matmul import matmul
from .operation import composite
from .shape import cat, stack

_MAXIMUM_STEPS = 1000


class Iteration:
    """The state of the iteration for one matrix, which a ``tracker`` is called with.

    Attributes:
        A, B, iK: the matrix, that of the generalized problem and the preconditioner, or None.
        E, X, R, S: the present values, vectors, residuals, and basis of the search.
        ivars, fvars, bvars, tvars: the present numbers: ``ivars["istep"]``,
            ``ivars["converged_count"]``, ``tvars["rerr"]`` (the relative residuals),
            ``bvars["force_stop"]`` (to be set by the tracker).
        iparams, fparams, bparams: what was asked for: m, n, k, niter; tol; largest.
    """

    def __init__(
        self, A: Any, B: Any, X: Any, iK: Any, k: int, niter: int, tol: float, largest: bool
    ) -> None:
        m, n = X._array.shape
        self.A, self.B, self.iK, self.X = A, B, iK, X
        self.iparams = {"m": m, "n": n, "k": k, "niter": niter}
        self.fparams = {"tol": tol}
        self.bparams = {"largest": largest}
        self.ivars = {"istep": 0, "converged_count": 0}
        self.fvars: dict[str, float] = {}
        self.bvars = {"force_stop": False}
        self.tvars: dict[str, Any] = {}
        self.E: Any = None
        self.R: Any = None
        self.S = X
        self._direction: Any = None

    def run(self, tracker: Callable[[Iteration], Any] | None) -> None:
        """Go on until the first k pairs have converged, or as many steps as allowed are taken."""
        self._restrict()
        niter = self.iparams["niter"]
        while True:
            self._measure()
            if tracker is not None:
                tracker(self)
            done = self.ivars["converged_count"] >= self.iparams["k"]
            if done or self.bvars["force_stop"] or self.ivars["istep"] == niter:
                return
            residuals = self.R if self.iK is None else matmul(self.iK, self.R)
            parts = [self.X, residuals]
            if self._direction is not None:
                parts.append(self._direction)
            self.S = cat(parts, -1)
            before = self.X
            self._restrict()
            inside = matmul(before, matmul(before.mT, self._by_B(self.X)))
            self._direction = self.X - inside
            self.ivars["istep"] += 1

    def _by_B(self, x: Any) -> Any:
        return x if self.B is None else matmul(self.B, x)

    def _restrict(self) -> None:
        """The best vectors in the span of S (Rayleigh and Ritz)."""
        basis = self._orthogonal(self._orthogonal(self.S))
        values, vectors = _decomposed(matmul(basis.mT, matmul(self.A, basis)))
        n = self.iparams["n"]
        if self.bparams["largest"]:
            values, vectors = values.flip(0), vectors.flip(1)
        self.E, self.X = values[:n], matmul(basis, vectors[:, :n])

    def _orthogonal(self, columns: Any) -> Any:
        """Columns of the same span that are orthonormal (in the metric of B)."""
        lengths = (columns * self._by_B(columns)).sum(0).clamp(min=0).sqrt()
        columns = columns / lengths.masked_fill(lengths == 0, 1)
        values, vectors = _decomposed(matmul(columns.mT, self._by_B(columns)))
        floor = values._array[-1] * values._array.shape[0] * _epsilon(values)
        first = int(np.searchsorted(values._array, floor, side="right"))
        first = min(first, len(values._array) - self.iparams["n"])
        kept = values[first:].clamp(min=float(floor))
        return matmul(columns, vectors[:, first:] / kept.sqrt())

    def _measure(self) -> None:
        self.R = matmul(self.A, self.X) - self._by_B(self.X) * self.E
        scale = self.A.norm() + self.E.abs() * (1 if self.B is None else self.B.norm())
        errors = self.R.norm(dim=0) / (scale * self.X.norm(dim=0))
        self.tvars["rerr"] = errors
        wrong = np.flatnonzero(errors._array > self.fparams["tol"])
        self.ivars["converged_count"] = int(wrong[0]) if wrong.size else len(errors._array)


def _decomposed(x: Any) -> tuple[Any, Any]:
    """As ``eigh``, whatever the vectors' signs."""
    values, vectors = np.linalg.eigh(x._concrete("lobpcg()"))
    return wrap(values), wrap(vectors)


def _epsilon(x: Any) -> float:
    return float(np.finfo(x._array.dtype).eps)


@composite(method=False)
def lobpcg(
    A: Any,
    k: int | None = None,
    B: Any = None,
    X: Any = None,
    n: int | None = None,
    iK: Any = None,
    niter: int | None = None,
    tol: float | None = None,
    largest: bool | None = None,
    method: str | None = None,
    tracker: Callable[[Iteration], Any] | None = None,
) -> tuple[Any, Any]:
    """The ``k`` largest (or smallest) eigenvalues of symmetric matrices, with their vectors.

    Where ``A`` requires a gradient, the pairs found are taken from the decomposition of the whole
    matrix, whose gradient they then have.

    Args:
        A: (*, m, m), symmetric.
        k: how many; by default the number of columns of ``X``, or 1.
        B: (*, m, m), positive-definite, of the generalized problem ``A x = e B x``.
        X: (*, m, n), a first approximation of the vectors, at least k; by default random.
        n: how many vectors are iterated if ``X`` is not given; k by default.
        iK: (*, m, m), the preconditioner, about the inverse of ``A``.
        niter: how many steps at most; 1000 by default, -1: until convergence.
        tol: the relative residual that counts as converged; the root of the dtype's epsilon.
        largest: whether the largest are wanted (the default).
        method: "ortho" or "basic"; both keep the basis orthogonal.
        tracker: called with the :class:`Iteration` at each step.

    Returns:
        E (*, k), X (*, m, k).

    Raises:
        ValueError: there are fewer than 3 n rows, or ``method`` is another.
    """
    m = A._array.shape[-1]
    k = (1 if X is None else X._array.shape[-1]) if k is None else k
    n = X._array.shape[-1] if X is not None else (k if n is None else n)
    if m < 3 * n:
        raise ValueError(
            f"LPBPCG algorithm is not applicable when the number of A rows (={m}) is smaller than "
            f"3 x the number of requested eigenpairs (={n})"
        )
    if method not in (None, "ortho", "basic"):
        raise ValueError(f'method must be "basic" or "ortho", got {method!r}')
    if B is not None and (A.requires_grad or B.requires_grad):
        raise ValueError(
            "lobpcg.backward: B is not supported: take the gradient of torch.linalg.eigh instead"
        )
    largest = True if largest is None else largest
    tol = _epsilon(A) ** 0.5 if tol is None else tol
    niter = _MAXIMUM_STEPS if niter is None else niter
    batch = tuple(A._array.shape[:-2])
    symmetric = (A + A.mT) / 2 if A.requires_grad else A
    with no_grad():
        if X is None:
            from ..random.functions import randn

            X = randn(*batch, m, n, dtype=A.dtype)
        found = []
        for position in np.ndindex(*batch):
            a, b, x, inverse = (
                None if t is None else t.detach()[position] for t in (symmetric, B, X, iK)
            )
            state = Iteration(a, b, x, inverse, k, niter, tol, largest)
            state.run(tracker)
            found.append(state)
        if not found:
            return A.new_zeros((*batch, k)), A.new_zeros((*batch, m, k))
        values = stack([s.E[:k] for s in found]).reshape((*batch, k))
        vectors = stack([s.X[:, :k] for s in found]).reshape((*batch, m, k))
    if not A.requires_grad:
        return values, vectors
    every, columns = eigh(symmetric)
    if largest:
        every, columns = every.flip(-1), columns.flip(-1)
    columns = columns[..., :k]
    with no_grad():
        signs = (columns * vectors).sum(-2, True).sign()
    return every[..., :k], columns * signs
