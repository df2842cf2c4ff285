"""Scaling along one axis as a matrix: every output pixel a weighted sum of input pixels.

Sources: the interpolation modes of PyTorch's ``interpolate`` (half-pixel centres); with
antialiasing, Pillow's ``resize``, which widens the filter by the factor of shrinking.
"""

from __future__ import annotations

import numpy as np


def nearest_index(length: int, wanted: int, exact: bool) -> np.ndarray:
    """The input pixel that each output pixel takes.

    Args:
        length: input pixels.
        wanted: output pixels.
        exact: measure from the pixels' centres (``nearest-exact``) or their corners.

    Returns:
        ``(wanted,)``, int64.
    """
    scale = np.float32(length) / np.float32(wanted)
    places = (np.arange(wanted, dtype=np.float32) + np.float32(0.5 if exact else 0.0)) * scale
    return np.minimum(places.astype(np.int64), length - 1)


def _triangle(distance: np.ndarray) -> np.ndarray:
    return np.maximum(1.0 - np.abs(distance), 0.0)


def _cubic(distance: np.ndarray, a: float) -> np.ndarray:
    """Keys' cubic convolution kernel."""
    x = np.abs(distance)
    near = ((a + 2.0) * x - (a + 3.0)) * x * x + 1.0
    far = (((x - 5.0) * x + 8.0) * x - 4.0) * a
    return np.where(x < 1.0, near, np.where(x < 2.0, far, 0.0))


def weights(length: int, wanted: int, cubic: bool, antialias: bool) -> np.ndarray:
    """The matrix ``(wanted, length)`` of a linear or cubic scaling.

    Args:
        length: input pixels.
        wanted: output pixels.
        cubic: cubic rather than linear.
        antialias: average over all the pixels that an output pixel covers.

    Returns:
        The matrix, float64.
    """
    scale = length / wanted
    matrix = np.zeros((wanted, length))
    if antialias:
        stretch = max(scale, 1.0)
        support = (2.0 if cubic else 1.0) * stretch
        for row in range(wanted):
            center = scale * (row + 0.5)
            begin = max(int(center - support + 0.5), 0)
            end = min(int(center + support + 0.5), length)
            distance = (np.arange(begin, end) - center + 0.5) / stretch
            values = _cubic(distance, -0.5) if cubic else _triangle(distance)
            matrix[row, begin:end] = values / values.sum()
        return matrix
    places = scale * (np.arange(wanted) + 0.5) - 0.5
    if not cubic:
        places = np.maximum(places, 0.0)
    first = np.floor(places).astype(np.int64)
    rows = np.arange(wanted)
    for offset in range(-1, 3) if cubic else range(2):
        distance = places - (first + offset)
        values = _cubic(distance, -0.75) if cubic else _triangle(distance)
        np.add.at(matrix, (rows, np.clip(first + offset, 0, length - 1)), values)
    return matrix
