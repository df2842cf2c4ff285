"""What normalizations share: moments, the gradient through them, and sizes.

The gradients are in closed form: with x^ the normalized input and g the gradient for it, the
gradient for the input is (g - mean(g) - x^ mean(g x^)) / deviation.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ..namespaces.numpy_constants import number, ones

FEW = 1024
"""Up to so many elements, what counts is how few steps there are."""

MANY = 1 << 14
"""Elements from which on a compiled program is worth its call."""


def moments(xp: Any, x: Any, dims: tuple[int, ...], eps: float) -> tuple[Any, Any, Any, Any]:
    """Mean, biased variance, 1 / deviation, and the normalized input."""
    count = prod(x.shape[d] for d in dims)
    mean = xp.sum(x, dims, True) / count
    centred = x - mean
    variance = xp.sum(centred * centred, dims, True) / count
    inverse = xp.rsqrt(variance + eps)
    return mean, variance, inverse, centred * inverse


def input_gradient(xp: Any, grad: Any, normalized: Any, inverse: Any, dims: tuple[int, ...]) -> Any:
    count = prod(normalized.shape[d] for d in dims)
    mean = xp.sum(grad, dims, True) / count
    along = xp.sum(grad * normalized, dims, True) / count
    return (grad - mean - normalized * along) * inverse


def centred_rows(rows: np.ndarray, eps: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """For few elements: ``rows`` less their means, the means, and 1 / deviation, as columns."""
    dtype, width = rows.dtype, rows.shape[1]
    count, along = number(width, dtype), ones(width, dtype)
    mean = rows.dot(along).reshape(-1, 1)
    mean /= count
    centred = rows - mean
    inverse = (centred * centred).dot(along).reshape(-1, 1)
    inverse /= count
    inverse += number(eps, dtype)
    np.sqrt(inverse, inverse)
    np.reciprocal(inverse, inverse)
    return centred, mean, inverse


def of_channels(xp: Any, values: Any, ndim: int) -> Any:
    """``values`` of channels, to be broadcast to a batch."""
    return xp.reshape(values, (1, prod(values.shape), *(1,) * (ndim - 2)))


def other_dims(ndim: int) -> tuple[int, ...]:
    return (0, *range(2, ndim))


def any_single(*tensors: Any) -> bool:
    return any(t is not None and t._array.dtype == np.float32 for t in tensors)
