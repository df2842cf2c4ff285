"""Families of orthogonal polynomials, each by its recurrence from one degree to the next.

Chebyshev polynomials of higher degrees have a closed form within (-1, 1), whose rounding does not
grow with the degree: it is PyTorch's choice too.

Source: Abramowitz and Stegun, Handbook of Mathematical Functions, chapter 22
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

Array = Any


class Family(NamedTuple):
    """The polynomial of degree 1, the step to degree ``k + 1``, and the closed form, if any.

    ``step(x, k, last, before)`` takes the values of degree ``k`` and ``k - 1``; ``closed(np, x,
    degree)`` says where it holds, and gives the values there.
    """

    first: Callable[[Array], Array]
    step: Callable[[Array, Any, Array, Array], Array]
    closed: Callable[[Any, Array, Array], tuple[Array, Array]] | None = None


def _chebyshev(
    first: Callable[[Array], Array], form: Callable[[Any, Array, Array], Array], from_degree: int
) -> Family:
    def closed(np: Any, x: Array, degree: Array) -> tuple[Array, Array]:
        known = (abs(x) < 1) & (degree > from_degree)
        angle = np.arccos(np.where(known, x, 0.5))
        return known, form(np, degree, angle)

    return Family(first, lambda x, k, last, before: 2 * x * last - before, closed)


def _shifted(family: Family) -> Family:
    """The family on [0, 1] instead of [-1, 1]."""
    first, step, closed = family
    assert closed is not None
    return Family(
        lambda x: first(2 * x - 1),
        lambda x, k, last, before: step(2 * x - 1, k, last, before),
        lambda np, x, degree: closed(np, 2 * x - 1, degree),
    )


_T = _chebyshev(lambda x: x * 1, lambda np, n, angle: np.cos(n * angle), 6)
_U = _chebyshev(lambda x: 2 * x, lambda np, n, angle: np.sin((n + 1) * angle) / np.sin(angle), 8)
_V = _chebyshev(
    lambda x: 2 * x - 1, lambda np, n, angle: np.cos((n + 0.5) * angle) / np.cos(angle / 2), 8
)
_W = _chebyshev(
    lambda x: 2 * x + 1, lambda np, n, angle: np.sin((n + 0.5) * angle) / np.sin(angle / 2), 8
)

FAMILIES = {
    "chebyshev_polynomial_t": _T,
    "chebyshev_polynomial_u": _U,
    "chebyshev_polynomial_v": _V,
    "chebyshev_polynomial_w": _W,
    "shifted_chebyshev_polynomial_t": _shifted(_T),
    "shifted_chebyshev_polynomial_u": _shifted(_U),
    "shifted_chebyshev_polynomial_v": _shifted(_V),
    "shifted_chebyshev_polynomial_w": _shifted(_W),
    "hermite_polynomial_h": Family(
        lambda x: 2 * x, lambda x, k, last, before: 2 * x * last - 2 * k * before
    ),
    "hermite_polynomial_he": Family(
        lambda x: x * 1, lambda x, k, last, before: x * last - k * before
    ),
    "laguerre_polynomial_l": Family(
        lambda x: 1 - x,
        lambda x, k, last, before: ((2 * k + 1 - x) * last - k * before) / (k + 1),
    ),
    "legendre_polynomial_p": Family(
        lambda x: x * 1,
        lambda x, k, last, before: ((2 * k + 1) * x * last - k * before) / (k + 1),
    ),
}


def orthogonal_polynomial(family: str, x: Array, y: Array) -> Array:
    """The polynomials of degree ``y`` (cut to integers; 0 below degree 0) at ``x``."""
    first, step, closed = FAMILIES[family]
    x, degree = np.broadcast_arrays(x, np.trunc(y))
    known = np.zeros(x.shape, bool)
    values: Any = 0
    if closed is not None:
        known, values = closed(np, x, degree)
    left = np.where(known | ~np.isfinite(degree), 0, degree)
    before, last = np.ones_like(x), first(x)
    result = np.where(degree < 0, 0, np.where(degree == 0, before, last)).astype(x.dtype)
    result[~np.isfinite(degree)] = np.nan
    for k in range(1, int(left.max(initial=0))):
        before, last = last, step(x, k, last, before)
        np.copyto(result, last, where=left == k + 1)
        if not np.isfinite(last).any():  # nor will any higher degree be
            np.copyto(result, np.nan, where=left > k + 1)
            break
    return np.where(known, values, result).astype(x.dtype)
