"""Images and sequences at other sizes: every element a weighted sum of a few along each dim.

Source: https://pytorch.org/docs/stable/generated/torch.nn.functional.interpolate.html
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .operation import Array, operation


@operation(dtypes="any", public=False, method=False, out=False, name="resample",
           samples=(((2, 3), 1, "index(5,2)3", (5, 2)),
                    ((3, 2, 2), 0, "index(4,1)3", None)))  # fmt: skip
def resample(xp, input: Array, dim: int, index: Array, weights: Array | None):
    """Along ``dim``, the sum of the elements that a row of ``index`` names, times ``weights``.

    Args:
        input: (*).
        dim: which dim.
        index: (size, taps).
        weights: (size, taps), or None for factors of 1.
    """
    result = None
    for tap in range(index.shape[1]):
        part = xp.index(input, (None,) * dim + (xp.slice(index, (slice(None), tap)),))
        if weights is not None:
            part = part * _along(xp, weights, tap, dim, input.ndim)
        result = part if result is None else result + part
    return result


def _along(xp: Any, weights: Any, tap: int, dim: int, ndim: int) -> Any:
    column = xp.slice(weights, (slice(None), tap))
    return xp.reshape(column, (weights.shape[0], *(1,) * (ndim - 1 - dim)))


@resample.vjp("input")
def _(xp, grad, input_shape, dim, index, weights):
    result = xp.full(tuple(input_shape), 0, xp.dtype(grad))
    for tap in range(index.shape[1]):
        part = grad if weights is None else grad * _along(xp, weights, tap, dim, grad.ndim)
        key = (None,) * dim + (xp.slice(index, (slice(None), tap)),)
        result = xp.index_put(result, key, part, True)
    return result


@resample.kernel
def _(input, dim, index, weights):
    if weights is None and index.shape[1] == 1:
        return input.take(index[:, 0], dim)
    result = None
    for tap in range(index.shape[1]):
        part = input.take(index[:, tap], dim)
        if weights is not None:
            part *= weights[:, tap].reshape(-1, *(1,) * (input.ndim - 1 - dim))
        result = part if result is None else np.add(result, part, out=result)
    return result


@resample.vjp_kernel("input")
def _(grad, input_shape, dim, index, weights):
    result = np.zeros(input_shape, grad.dtype)
    if not grad.size:
        return result
    whole = (slice(None),) * dim
    for tap in range(index.shape[1]):
        places = index[:, tap]
        part = grad
        if weights is not None:
            part = grad * weights[:, tap].reshape(-1, *(1,) * (grad.ndim - 1 - dim))
        if np.any(places[1:] < places[:-1]):
            order = np.argsort(places, kind="stable")
            places, part = places[order], part.take(order, dim)
        starts = np.flatnonzero(np.concatenate(([True], places[1:] != places[:-1])))
        if starts.size < places.size:  # equal places lie side by side: one sum for each run
            part = np.add.reduceat(part, starts, axis=dim)
        result[(*whole, places[starts])] += part
    return result


# -- which elements, and how much of each -------------------------------------------------------


def _scale(n: int, size: int, align_corners: bool, factor: float | None) -> float:
    """The distance of neighbours of the result, measured in elements of the input."""
    if align_corners:
        return (n - 1) / (size - 1) if size > 1 else 0.0
    return 1 / factor if factor is not None and factor > 0 else n / size


def nearest_taps(n: int, size: int, factor: float | None, exact: bool) -> np.ndarray:
    """(size, 1): the element at (``exact``: in the middle of) each element of the result."""
    step = np.float32(1 / factor if factor is not None and factor > 0 else n / size)
    places = np.arange(size, dtype=np.float32)
    if exact:
        places = (places + np.float32(0.5)) * step
    elif n == size:
        return np.arange(n)[:, None]
    elif size == 2 * n:
        return (np.arange(size) >> 1)[:, None]
    else:
        places = places * step
    return np.minimum(np.floor(places).astype(np.int64), n - 1)[:, None]


def _positions(
    n: int, size: int, align_corners: bool, factor: float | None, dtype: Any, clamp: bool
) -> np.ndarray:
    """Where the elements of the result lie, in the accuracy that PyTorch computes it with."""
    step = dtype(_scale(n, size, align_corners, factor))
    at = np.arange(size).astype(dtype)
    if align_corners:
        return at * step
    at = (at + dtype(0.5)) * step - dtype(0.5)
    return np.maximum(at, dtype(0)) if clamp else at


def linear_taps(
    n: int, size: int, align_corners: bool, factor: float | None, dtype: Any
) -> tuple[np.ndarray, np.ndarray]:
    """(size, 2): the two neighbours and their weights."""
    if n == size:
        return np.arange(n)[:, None], np.ones((n, 1), dtype)
    at = _positions(n, size, align_corners, factor, dtype, clamp=True)
    first = np.minimum(at.astype(np.int64), n - 1)
    second = np.minimum(first + 1, n - 1)
    share = np.clip(at - first, 0, 1).astype(dtype)
    return np.stack([first, second], 1), np.stack([1 - share, share], 1)


def _cubic(t: np.ndarray, a: float) -> np.ndarray:
    """Keys' kernel at the distances ``t``."""
    t = np.abs(t)
    near = ((a + 2) * t - (a + 3)) * t * t + 1
    far = ((a * t - 5 * a) * t + 8 * a) * t - 4 * a
    return np.where(t <= 1, near, np.where(t < 2, far, 0))


def cubic_taps(
    n: int, size: int, align_corners: bool, factor: float | None, dtype: Any
) -> tuple[np.ndarray, np.ndarray]:
    """(size, 4): the four neighbours, the border repeated, and their weights."""
    if n == size:
        return np.arange(n)[:, None], np.ones((n, 1), dtype)
    at = _positions(n, size, align_corners, factor, dtype, clamp=False)
    base = np.floor(at)
    offsets = np.arange(-1, 3)
    index = np.clip(base.astype(np.int64)[:, None] + offsets, 0, n - 1)
    return index, _cubic((at - base)[:, None] - offsets, -0.75).astype(dtype)


def antialiased_taps(
    n: int, size: int, align_corners: bool, factor: float | None, dtype: Any, cubic: bool
) -> tuple[np.ndarray, np.ndarray]:
    """(size, taps): a triangle or cubic as wide as the step, so that shrinking averages."""
    step = float(_scale(n, size, align_corners, factor))
    reach = (2.0 if cubic else 1.0) * max(step, 1.0)
    squeeze = 1 / max(step, 1.0)
    taps = math.ceil(reach) * 2 + 1
    index = np.zeros((size, taps), np.int64)
    weights = np.zeros((size, taps))
    for i in range(size):
        center = step * (i + 0.5)
        low = max(int(center - reach + 0.5), 0)
        high = min(int(center + reach + 0.5), n)
        count = min(max(high - low, 0), taps)
        distance = (np.arange(count) + low - center + 0.5) * squeeze
        values = _cubic(distance, -0.5) if cubic else np.maximum(1 - np.abs(distance), 0)
        total = values.sum()
        index[i, :count] = np.arange(low, low + count)
        index[i, count:] = low + count - 1 if count else 0
        weights[i, :count] = values / total if total else values
    return index, weights.astype(dtype)
