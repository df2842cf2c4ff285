"""Window functions of signals.

Source: https://docs.pytorch.org/docs/stable/torch.html#spectral-ops
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import dtypes
from ..tensor import Tensor
from ..tensor.tensor import wrap

__all__ = ["bartlett_window", "blackman_window", "hamming_window", "hann_window", "kaiser_window"]


def _places(name: str, length: int, periodic: bool) -> Any:
    """The window's samples, from 0 at its beginning to 1 at its end."""
    if length < 0:
        raise RuntimeError(
            f"{name} requires non-negative window_length, got window_length={length}"
        )
    if length < 2:
        return np.full(length, 0.5)  # the middle: one sample is the window's peak
    return np.arange(length) / (length if periodic else length - 1)


def _window(name: str, values: Any, dtype: Any, requires_grad: bool) -> Tensor:
    dtype = dtype or dtypes.get_default_dtype()
    if not dtype.is_floating_point:
        raise RuntimeError(f"{name} expects floating point dtypes, got: {dtype}")
    return wrap(values.astype(dtype.numpy)).requires_grad_(requires_grad)


def hann_window(
    window_length: int,
    periodic: bool = True,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """The Hann window, ``sin(pi n / N) ** 2``.

    Args:
        window_length: the number of samples.
        periodic: for repeating, as a Fourier transform takes it; False: symmetric.
        dtype: a floating-point dtype, the default one if left out.
        layout, device: change nothing here.
        requires_grad: whether the result is a leaf that gets a gradient.

    Returns:
        ``(window_length,)``.

    Raises:
        RuntimeError: a negative length, or another dtype.
    """
    x = _places("hann_window", window_length, periodic)
    return _window("hann_window", np.sin(np.pi * x) ** 2, dtype, requires_grad)


def hamming_window(
    window_length: int,
    periodic: bool = True,
    alpha: float = 0.54,
    beta: float = 0.46,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """The Hamming window, ``alpha - beta cos(2 pi n / N)``.

    Args:
        window_length: the number of samples.
        periodic: for repeating, as a Fourier transform takes it; False: symmetric.
        alpha, beta: the window's coefficients.
        dtype, layout, device, requires_grad: as of :func:`hann_window`.

    Returns:
        ``(window_length,)``.

    Raises:
        RuntimeError: a negative length, or a dtype that is not floating-point.
    """
    x = _places("hamming_window", window_length, periodic)
    values = alpha - beta * np.cos(2 * np.pi * x) if window_length > 1 else np.ones_like(x)
    return _window("hamming_window", values, dtype, requires_grad)


def blackman_window(
    window_length: int,
    periodic: bool = True,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """The Blackman window, ``0.42 - 0.5 cos(2 pi n / N) + 0.08 cos(4 pi n / N)``.

    Args:
        window_length: the number of samples.
        periodic: for repeating, as a Fourier transform takes it; False: symmetric.
        dtype, layout, device, requires_grad: as of :func:`hann_window`.

    Returns:
        ``(window_length,)``.

    Raises:
        RuntimeError: a negative length, or a dtype that is not floating-point.
    """
    x = _places("blackman_window", window_length, periodic)
    values = 0.42 - 0.5 * np.cos(2 * np.pi * x) + 0.08 * np.cos(4 * np.pi * x)
    return _window("blackman_window", values, dtype, requires_grad)


def bartlett_window(
    window_length: int,
    periodic: bool = True,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """The Bartlett window, a triangle: ``1 - abs(2 n / N - 1)``.

    Args:
        window_length: the number of samples.
        periodic: for repeating, as a Fourier transform takes it; False: symmetric.
        dtype, layout, device, requires_grad: as of :func:`hann_window`.

    Returns:
        ``(window_length,)``.

    Raises:
        RuntimeError: a negative length, or a dtype that is not floating-point.
    """
    x = _places("bartlett_window", window_length, periodic)
    return _window("bartlett_window", 1 - np.abs(2 * x - 1), dtype, requires_grad)


def kaiser_window(
    window_length: int,
    periodic: bool = True,
    beta: float = 12.0,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """The Kaiser window, ``i0(beta sqrt(1 - (2 n / N - 1) ** 2)) / i0(beta)``.

    Args:
        window_length: the number of samples.
        periodic: for repeating, as a Fourier transform takes it; False: symmetric.
        beta: its shape: the larger, the lower its side lobes and the wider the main one.
        dtype, layout, device, requires_grad: as of :func:`hann_window`.

    Returns:
        ``(window_length,)``.

    Raises:
        RuntimeError: a negative length, or a dtype that is not floating-point.
    """
    x = _places("kaiser_window", window_length, periodic)
    values = np.i0(beta * np.sqrt(np.clip(1 - (2 * x - 1) ** 2, 0, None))) / np.i0(beta)
    return _window("kaiser_window", values, dtype, requires_grad)
