"""The discrete Fourier transforms that :mod:`flambeau.fft` is made of; none of them scales.

Source: https://docs.pytorch.org/docs/stable/fft.html
"""

from __future__ import annotations

from typing import Any

from ..namespaces.primitives import real_dtype
from .operation import Array, operation


@operation(public=False, method=False, holomorphic=False, node_name="FftC2CBackward0",
           name="fft_c2c",
           samples=(("complex(2, 3)", (1,), True),
                    ("complex(2, 3, 4)", (0, 2), False)))  # fmt: skip
def fft_c2c(xp, input: Array, dims: Any, forward: bool):
    """The transform of complex ``input`` over ``dims``; negative exponents if ``forward``."""
    return xp.fft(input, dims, forward)


@fft_c2c.vjp("input")
def _(xp, grad, dims, forward):
    return xp.fft(grad, dims, not forward)


@operation(public=False, method=False, holomorphic=False, node_name="FftR2CBackward0",
           name="fft_r2c", samples=(((2, 5), (1,)), ((2, 3, 4), (2, 0))))  # fmt: skip
def fft_r2c(xp, input: Array, dims: Any):
    """The forward transform of real ``input``: of the last of ``dims`` the first n // 2 + 1."""
    return xp.rfft(input, dims)


@fft_r2c.vjp("input")
def _(xp, grad, input_shape, dims):
    missing = input_shape[dims[-1]] - grad.shape[dims[-1]]
    widths = [(0, missing if dim == dims[-1] else 0) for dim in range(grad.ndim)]
    return xp.real(xp.fft(xp.pad(grad, widths), dims, False))


@operation(public=False, method=False, holomorphic=False, node_name="FftC2RBackward0",
           name="fft_c2r",
           samples=(("complex(2, 3)", (1,), 4), ("complex(2, 3, 4)", (0, 1), 5)))  # fmt: skip
def fft_c2r(xp, input: Array, dims: Any, n: int):
    """The backward transform of half a spectrum, real, of size ``n`` in the last of ``dims``.

    ``input`` has n // 2 + 1 frequencies there, and stands for their conjugates at the others.
    """
    return xp.irfft(input, dims, n)


@fft_c2r.vjp("input")
def _(xp, grad, dims, n):
    half = xp.rfft(grad, dims)
    last = dims[-1]
    count = half.shape[last]
    dtype = real_dtype(xp.dtype(half))
    shape = [count if dim == last else 1 for dim in range(half.ndim)]
    k = xp.reshape(xp.arange(0, count, 1, dtype), tuple(shape))
    # all but the frequency 0, and that of n / 2, stand for their conjugates as well
    alone = xp.logical_or(xp.eq(k, 0), xp.eq(k * 2, n))
    return half * xp.where(alone, xp.full((), 1, dtype), xp.full((), 2, dtype))
