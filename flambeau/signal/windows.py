"""Windows by which frames of a signal are weighted (``torch.signal.windows``).

Source: https://docs.pytorch.org/docs/stable/signal.html; formulas as in SciPy's
``scipy.signal.windows``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from flambeau import dtypes
from flambeau.tensor import Tensor, wrap

__all__ = [
    "bartlett", "blackman", "cosine", "exponential", "gaussian", "general_cosine",
    "general_hamming", "hamming", "hann", "kaiser", "nuttall",
]  # fmt: skip


def _checked(name: str, M: int, dtype: Any) -> dtypes.dtype:
    wanted: dtypes.dtype = dtype or dtypes.get_default_dtype()
    if M < 0:
        raise ValueError(f"{name} requires non-negative window length, got M={M}")
    if wanted not in (dtypes.float32, dtypes.float64):
        raise ValueError(f"{name} expects float32 or float64 dtypes, got: {wanted}")
    return wanted


def _made(values: np.ndarray, dtype: dtypes.dtype, requires_grad: bool) -> Tensor:
    return wrap(values.astype(dtype.numpy)).requires_grad_(requires_grad)


def _places(M: int, sym: bool) -> np.ndarray:
    """From 0 at the first sample to 1 at the last (``sym``) or at the one after it."""
    return np.arange(M) / max(M - 1 if sym else M, 1)


def _offsets(M: int, sym: bool) -> np.ndarray:
    """Samples' distances from the middle."""
    return np.arange(M) - (M - 1 if sym or M == 1 else M) / 2


def general_cosine(
    M: int,
    *,
    a: Iterable[float],
    sym: bool = True,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """A sum of cosines: ``a[0] - a[1] cos(2 pi n / N) + a[2] cos(4 pi n / N) - ...``.

    Args:
        M: how many samples.
        a: the weights of cosines of 0, 1, 2, ... periods, of alternating sign.
        sym: symmetric, as for filters; False: periodic, as for Fourier transforms.
        dtype: float32 or float64, the default one if left out.
        layout, device: change nothing here.
        requires_grad: whether the result is a leaf that gets a gradient.

    Returns:
        ``(M,)``.

    Raises:
        ValueError: no weights, a negative ``M``, or another dtype than float32 and float64.
    """
    kind = _checked("general_cosine", M, dtype)
    if not isinstance(a, (list, tuple)):
        raise TypeError("Coefficients must be a list/tuple")
    if not a:
        raise ValueError("Coefficients cannot be empty")
    if M == 1:
        return _made(np.ones(1), kind, requires_grad)
    angles = 2 * np.pi * _places(M, sym)
    signed = [(-1) ** k * weight * np.cos(k * angles) for k, weight in enumerate(a)]
    return _made(sum(signed, np.zeros(M)), kind, requires_grad)


def general_hamming(
    M: int,
    *,
    alpha: float = 0.54,
    sym: bool = True,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """A cosine over a constant: ``alpha - (1 - alpha) cos(2 pi n / N)``.

    Args:
        M: how many samples.
        alpha: the weight of the constant.
        sym: symmetric, as for filters; False: periodic, as for Fourier transforms.
        dtype: float32 or float64, the default one if left out.
        layout, device: change nothing here.
        requires_grad: whether the result is a leaf that gets a gradient.

    Returns:
        ``(M,)``.

    Raises:
        ValueError: a negative ``M``, or another dtype than float32 and float64.
    """
    return general_cosine(
        M, a=[alpha, 1 - alpha], sym=sym, dtype=dtype, requires_grad=requires_grad
    )


def hamming(
    M: int,
    *,
    sym: bool = True,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """The Hamming window, :func:`general_hamming` of 0.54.

    Args:
        M: how many samples.
        sym: symmetric, as for filters; False: periodic, as for Fourier transforms.
        dtype: float32 or float64, the default one if left out.
        layout, device: change nothing here.
        requires_grad: whether the result is a leaf that gets a gradient.

    Returns:
        ``(M,)``.

    Raises:
        ValueError: a negative ``M``, or another dtype than float32 and float64.
    """
    return general_cosine(M, a=[0.54, 0.46], sym=sym, dtype=dtype, requires_grad=requires_grad)


def hann(
    M: int,
    *,
    sym: bool = True,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """The Hann window, ``sin(pi n / N) ** 2``.

    Args:
        M: how many samples.
        sym: symmetric, as for filters; False: periodic, as for Fourier transforms.
        dtype: float32 or float64, the default one if left out.
        layout, device: change nothing here.
        requires_grad: whether the result is a leaf that gets a gradient.

    Returns:
        ``(M,)``.

    Raises:
        ValueError: a negative ``M``, or another dtype than float32 and float64.
    """
    return general_cosine(M, a=[0.5, 0.5], sym=sym, dtype=dtype, requires_grad=requires_grad)


def blackman(
    M: int,
    *,
    sym: bool = True,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """The Blackman window, three cosines.

    Args:
        M: how many samples.
        sym: symmetric, as for filters; False: periodic, as for Fourier transforms.
        dtype: float32 or float64, the default one if left out.
        layout, device: change nothing here.
        requires_grad: whether the result is a leaf that gets a gradient.

    Returns:
        ``(M,)``.

    Raises:
        ValueError: a negative ``M``, or another dtype than float32 and float64.
    """
    return general_cosine(M, a=[0.42, 0.5, 0.08], sym=sym, dtype=dtype, requires_grad=requires_grad)


def nuttall(
    M: int,
    *,
    sym: bool = True,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """The minimum 4-term Blackman-Harris window of Nuttall (1981).

    Args:
        M: how many samples.
        sym: symmetric, as for filters; False: periodic, as for Fourier transforms.
        dtype: float32 or float64, the default one if left out.
        layout, device: change nothing here.
        requires_grad: whether the result is a leaf that gets a gradient.

    Returns:
        ``(M,)``.

    Raises:
        ValueError: a negative ``M``, or another dtype than float32 and float64.
    """
    return general_cosine(
        M,
        a=[0.3635819, 0.4891775, 0.1365995, 0.0106411],
        sym=sym,
        dtype=dtype,
        requires_grad=requires_grad,
    )


def bartlett(
    M: int,
    *,
    sym: bool = True,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """The triangular window, ``1 - |2 n / N - 1|``.

    Args:
        M: how many samples.
        sym: symmetric, as for filters; False: periodic, as for Fourier transforms.
        dtype: float32 or float64, the default one if left out.
        layout, device: change nothing here.
        requires_grad: whether the result is a leaf that gets a gradient.

    Returns:
        ``(M,)``.

    Raises:
        ValueError: a negative ``M``, or another dtype than float32 and float64.
    """
    kind = _checked("bartlett", M, dtype)
    values = np.ones(M) if M == 1 else 1 - np.abs(2 * _places(M, sym) - 1)
    return _made(values, kind, requires_grad)


def cosine(
    M: int,
    *,
    sym: bool = True,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """Half a period of the sine, ``sin(pi (n + 1 / 2) / N)``.

    Args:
        M: how many samples.
        sym: symmetric, as for filters; False: periodic, as for Fourier transforms.
        dtype: float32 or float64, the default one if left out.
        layout, device: change nothing here.
        requires_grad: whether the result is a leaf that gets a gradient.

    Returns:
        ``(M,)``.

    Raises:
        ValueError: a negative ``M``, or another dtype than float32 and float64.
    """
    kind = _checked("cosine", M, dtype)
    length = M if sym or M == 1 else M + 1
    values = np.sin(np.pi * (np.arange(M) + 0.5) / length)
    return _made(values, kind, requires_grad)


def exponential(
    M: int,
    *,
    center: float | None = None,
    tau: float = 1.0,
    sym: bool = True,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """The exponential (Poisson) window, ``exp(-|n - center| / tau)``.

    Args:
        M: how many samples.
        center: where the peak is, in samples; the middle by default. Only with ``sym=False``.
        tau: in how many samples it falls to 1 / e.
        sym: symmetric, as for filters; False: periodic, as for Fourier transforms.
        dtype: float32 or float64, the default one if left out.
        layout, device: change nothing here.
        requires_grad: whether the result is a leaf that gets a gradient.

    Returns:
        ``(M,)``.

    Raises:
        ValueError: ``tau`` is not positive, ``center`` with ``sym``; a negative ``M``;
            another dtype than float32 and float64.
    """
    kind = _checked("exponential", M, dtype)
    if tau <= 0:
        raise ValueError(f"Tau must be positive, got: {tau} instead.")
    if sym and center is not None:
        raise ValueError("Center must be None for symmetric windows")
    offsets = _offsets(M, sym) if center is None else np.arange(M) - center
    return _made(np.exp(-np.abs(offsets) / tau), kind, requires_grad)


def gaussian(
    M: int,
    *,
    std: float = 1.0,
    sym: bool = True,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """The Gaussian window, ``exp(-(n - middle)**2 / (2 std**2))``.

    Args:
        M: how many samples.
        std: the standard deviation, in samples.
        sym: symmetric, as for filters; False: periodic, as for Fourier transforms.
        dtype: float32 or float64, the default one if left out.
        layout, device: change nothing here.
        requires_grad: whether the result is a leaf that gets a gradient.

    Returns:
        ``(M,)``.

    Raises:
        ValueError: ``std`` is not positive; a negative ``M``;
            another dtype than float32 and float64.
    """
    kind = _checked("gaussian", M, dtype)
    if std <= 0:
        raise ValueError(f"Standard deviation must be positive, got: {std} instead.")
    return _made(np.exp(-((_offsets(M, sym) / std) ** 2) / 2), kind, requires_grad)


def kaiser(
    M: int,
    *,
    beta: float = 12.0,
    sym: bool = True,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
) -> Tensor:
    """The Kaiser window, by the Bessel function I0.

    Args:
        M: how many samples.
        beta: how narrow it is.
        sym: symmetric, as for filters; False: periodic, as for Fourier transforms.
        dtype: float32 or float64, the default one if left out.
        layout, device: change nothing here.
        requires_grad: whether the result is a leaf that gets a gradient.

    Returns:
        ``(M,)``.

    Raises:
        ValueError: ``beta`` is negative; a negative ``M``;
            another dtype than float32 and float64.
    """
    kind = _checked("kaiser", M, dtype)
    if beta < 0:
        raise ValueError(f"beta must be non-negative, got: {beta} instead.")
    if M == 1:
        return _made(np.ones(1), kind, requires_grad)
    inside = np.sqrt(np.maximum(1 - (2 * _places(M, sym) - 1) ** 2, 0))
    return _made(np.i0(beta * inside) / np.i0(np.float64(beta)), kind, requires_grad)
