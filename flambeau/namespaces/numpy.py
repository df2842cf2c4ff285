"""The NumPy namespace: every primitive, computed at once on ``numpy.ndarray``.

Results of 0-d operands may be NumPy scalars (that is what ufuncs return); whoever makes a Tensor
of a result turns it into an array again.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from .numpy_adding import reduce_at
from .numpy_blas import dot
from .numpy_blas import matmul as matmul_of_stacks
from .numpy_constants import places
from .numpy_convolution import conv, conv_input, conv_weight
from .numpy_linalg import factor, factors, inverse, matrix_exp, solve, solve_triangular
from .numpy_special import (
    airy_ai,
    bessel_j0,
    bessel_j1,
    bessel_y0,
    bessel_y1,
    digamma,
    erf,
    erfc,
    erfcx,
    erfinv,
    i0,
    i0e,
    i1,
    i1e,
    igamma,
    igammac,
    lgamma,
    modified_bessel_k0,
    modified_bessel_k1,
    ndtri,
    polygamma,
    scaled_modified_bessel_k0,
    scaled_modified_bessel_k1,
    zeta,
)
from .numpy_windows import avg_pool, avg_pool_input, max_pool_indices
from .polynomials import orthogonal_polynomial

Array = Any

neg = np.negative
abs = np.absolute
sign = np.sign
exp = np.exp
exp2 = np.exp2
expm1 = np.expm1
log = np.log
log2 = np.log2
log10 = np.log10
log1p = np.log1p
sqrt = np.sqrt
reciprocal = np.reciprocal
sin = np.sin
cos = np.cos
tan = np.tan
asin = np.arcsin
acos = np.arccos
atan = np.arctan
sinh = np.sinh
cosh = np.cosh
tanh = np.tanh
asinh = np.arcsinh
acosh = np.arccosh
atanh = np.arctanh
floor = np.floor
ceil = np.ceil
round = np.rint
trunc = np.trunc
bitwise_not = np.invert
isnan = np.isnan
isinf = np.isinf
isfinite = np.isfinite
logical_not = np.logical_not
signbit = np.signbit

add = np.add
sub = np.subtract
mul = np.multiply
div = np.true_divide
floor_divide = np.floor_divide
remainder = np.remainder
fmod = np.fmod
pow = np.power
maximum = np.maximum
minimum = np.minimum
atan2 = np.arctan2
hypot = np.hypot
copysign = np.copysign
nextafter = np.nextafter
bitwise_and = np.bitwise_and
bitwise_or = np.bitwise_or
bitwise_xor = np.bitwise_xor
bitwise_left_shift = np.left_shift
bitwise_right_shift = np.right_shift
eq = np.equal
ne = np.not_equal
lt = np.less
le = np.less_equal
gt = np.greater
ge = np.greater_equal
logical_and = np.logical_and
logical_or = np.logical_or
logical_xor = np.logical_xor
where = np.where

_ZEROS = {np.dtype(c): np.zeros((), c) for c in "?bBhHiIlLefd"}


_ROW = 4096
_ROWS_OF_ZEROS = {np.dtype(c): np.zeros(_ROW, c) for c in "fd"}


def relu(x: Array) -> Array:
    if x.size >= 2 * _ROW and x.dtype in _ROWS_OF_ZEROS and x.flags.c_contiguous:
        return _rows_relu(x)
    # a 0-d array of the right dtype: NumPy converts a Python 0 anew at each call
    return np.maximum(x, _ZEROS.get(x.dtype, 0))


def _rows_relu(x: Array) -> Array:
    """The maxima with rows of zeros: NumPy takes half the time that it takes beside one number."""
    zeros = _ROWS_OF_ZEROS[x.dtype]
    result = np.empty_like(x)
    flat, out = x.reshape(-1), result.reshape(-1)
    whole = x.size - x.size % _ROW
    np.maximum(flat[:whole].reshape(-1, _ROW), zeros, out=out[:whole].reshape(-1, _ROW))
    np.maximum(flat[whole:], zeros[: x.size - whole], out=out[whole:])
    return result


def sigmoid(x: Array) -> Array:
    if x.ndim == 0:
        return 1 / (1 + np.exp(-x))
    result = np.negative(x)
    np.exp(result, out=result)
    result += 1
    return np.reciprocal(result, out=result)


def dtype(x: Array) -> np.dtype:
    return x.dtype


def keeps_order(x: Array) -> bool:
    """Whether a copy of ``x`` has its elements in their order: no two of them are one in memory."""
    if x.flags.forc:
        return True
    step = 1
    for stride, n in sorted(zip(x.strides, x.shape)):
        if n > 1:
            if abs(stride) < step:
                return False
            step = abs(stride) * n
    return True


def row_major(x: Array) -> Array:
    """``x`` with its elements in row-major order: PyTorch's results of some operations are."""
    return x if x.flags.c_contiguous else x.copy()


def copy(x: Array) -> Array:
    return x.copy(order="K" if keeps_order(x) else "C")


def rsqrt(x: Array) -> Array:
    return 1 / np.sqrt(x)


def astype(x: Array, dtype: np.dtype) -> Array:
    order: Any = "K" if x.dtype == dtype or keeps_order(x) else "C"
    return x.astype(dtype, order, copy=False)


def full(shape: Sequence[int], value: float, dtype: np.dtype) -> Array:
    return np.zeros(shape, dtype) if value == 0 else np.full(shape, value, dtype)


def arange(start: float, end: float, step: float, dtype: np.dtype) -> Array:
    return np.arange(start, end, step, dtype=dtype)


# -- reductions -------------------------------------------------------------------------------

_FLOAT32 = np.dtype(np.float32)
_ONES: dict[int, Array] = {}


def sum(x: Array, dim: Any = None, keepdim: Any = False) -> Array:
    dtype = x.dtype
    if dim == (0,) and dtype is _FLOAT32 and x.ndim == 2 and x.size > 256:
        # NumPy adds rows one after the other; BLAS does it faster, in several lanes
        rows = x.shape[0]
        ones = _ONES.get(rows)
        if ones is None:
            if len(_ONES) > 64:
                _ONES.clear()
            ones = _ONES[rows] = np.ones(rows, _FLOAT32)
        result = dot(ones, x)
        return result[None] if keepdim else result
    result = np.add.reduce(x, axis=dim, dtype=dtype, keepdims=keepdim)
    return result if x.ndim < 3 else row_major(result)


def prod(x: Array, dim: Any = None, keepdim: Any = False) -> Array:
    result = np.multiply.reduce(x, axis=dim, dtype=x.dtype, keepdims=keepdim)
    return result if x.ndim < 3 else row_major(result)


def amax(x: Array, dim: Any = None, keepdim: Any = False) -> Array:
    result = np.maximum.reduce(x, axis=dim, keepdims=keepdim)
    return result if x.ndim < 3 else row_major(result)


def amin(x: Array, dim: Any = None, keepdim: Any = False) -> Array:
    result = np.minimum.reduce(x, axis=dim, keepdims=keepdim)
    return result if x.ndim < 3 else row_major(result)


def any(x: Array, dim: Any = None, keepdim: Any = False) -> Array:
    result = np.logical_or.reduce(x, axis=dim, keepdims=keepdim)
    return result if x.ndim < 3 else row_major(result)


def all(x: Array, dim: Any = None, keepdim: Any = False) -> Array:
    result = np.logical_and.reduce(x, axis=dim, keepdims=keepdim)
    return result if x.ndim < 3 else row_major(result)


def argmax(x: Array, dim: int | None, keepdim: bool = False) -> Array:
    return np.argmax(x, axis=dim, keepdims=keepdim)


def argmin(x: Array, dim: int | None, keepdim: bool = False) -> Array:
    return np.argmin(x, axis=dim, keepdims=keepdim)


def cumsum(x: Array, dim: int) -> Array:
    return row_major(np.cumsum(x, axis=dim, dtype=x.dtype))


def cumprod(x: Array, dim: int) -> Array:
    return row_major(np.cumprod(x, axis=dim, dtype=x.dtype))


def argsort(x: Array, dim: int, descending: bool = False) -> Array:
    if not descending:
        return np.argsort(x, axis=dim, kind="stable")
    # equal elements keep their order: sort the reversed array, then count from the other end
    order = np.argsort(np.flip(x, dim), axis=dim, kind="stable")
    return np.ascontiguousarray(np.flip(x.shape[dim] - 1 - order, dim))


# -- shape ------------------------------------------------------------------------------------


def reshape(x: Array, shape: Sequence[int]) -> Array:
    return x.reshape(shape)


def permute(x: Array, dims: Sequence[int]) -> Array:
    return x.transpose(dims)


def expand(x: Array, shape: tuple[int, ...]) -> Array:
    if x.ndim == 0:
        strides: Any = (0,) * len(shape)
    else:
        added = len(shape) - x.ndim
        strides = [0] * added
        for n, size, stride in zip(x.shape, shape[added:], x.strides, strict=True):
            strides.append(0 if n == 1 and size != 1 else stride)
    try:
        return np.ndarray(shape, x.dtype, x, 0, strides)
    except (ValueError, TypeError):  # no buffer of its own: not contiguous, read-only, empty
        return np.broadcast_to(x, shape)


def flip(x: Array, dims: Sequence[int]) -> Array:
    return np.asarray(np.flip(x, tuple(dims)), order="C")


def cat(arrays: Sequence[Array], dim: int) -> Array:
    result = np.concatenate(arrays, axis=dim)
    return result if result.flags.c_contiguous else np.ascontiguousarray(result)


def pad(x: Array, widths: Sequence[tuple[int, int]], value: float = 0) -> Array:
    shape = [n + lo + hi for n, (lo, hi) in zip(x.shape, widths, strict=True)]
    result = full(shape, value, x.dtype)
    target = tuple(slice_(max(lo, 0), max(lo, 0) + n + min(lo, 0) + min(hi, 0))
                   for n, (lo, hi) in zip(x.shape, widths, strict=True))  # fmt: skip
    source = tuple(slice_(max(-lo, 0), n - max(-hi, 0))
                   for n, (lo, hi) in zip(x.shape, widths, strict=True))  # fmt: skip
    result[target] = x[source]
    return result


def slice_scatter(x: Array, key: Sequence[Any], values: Array) -> Array:
    result = np.array(x)
    result[tuple(key)] = values
    return result


# -- gather and scatter -----------------------------------------------------------------------


def _key(indices: Sequence[Array | None]) -> tuple[Any, ...]:
    return tuple(slice_(None) if index is None else index for index in indices)


def index(x: Array, indices: Sequence[Array | None]) -> Array:
    if len(indices) == 1:
        return x.take(indices[0], axis=0)
    # NumPy lays a result out by its input's strides, PyTorch row by row.
    return np.ascontiguousarray(x[_key(indices)])


def index_put(
    x: Array, indices: Sequence[Array | None], values: Array, accumulate: bool = False
) -> Array:
    result = np.array(x)
    if accumulate:
        reduce_at(np.add, result, _key(indices), values)
    else:
        result[_key(indices)] = values
    return result


def _along(x: Array, dim: int, index: Array) -> tuple[Any, ...]:
    """The index arrays that select, along ``dim``, the elements ``index`` and else their place."""
    key = list(places(index.shape))
    key[dim] = index
    return tuple(key)


def gather(x: Array, dim: int, index: Array) -> Array:
    return x[_along(x, dim, index)] if x.ndim else x + np.zeros_like(index, x.dtype)


def scatter(x: Array, dim: int, index: Array, src: Array) -> Array:
    result = x.copy()
    result[_along(x, dim, index)] = src[tuple(slice_(n) for n in index.shape)]
    return result


def scatter_add(x: Array, dim: int, index: Array, src: Array) -> Array:
    result = x.copy()
    part = src[tuple(slice_(n) for n in index.shape)]
    reduce_at(np.add, result, _along(x, dim, index), part)
    return result


# -- complex numbers and Fourier transforms -----------------------------------------------------


def conj(x: Array) -> Array:
    return np.conjugate(x)


def real(x: Array) -> Array:
    return x.real


def imag(x: Array) -> Array:
    return x.imag


def complex(x: Array, y: Array) -> Array:
    shape = x.shape if x.shape == y.shape else np.broadcast_shapes(x.shape, y.shape)
    result = np.empty(shape, f"c{x.dtype.itemsize * 2}")
    result.real = x
    result.imag = y
    return result


def fft(x: Array, dims: Sequence[int], forward: bool) -> Array:
    if not x.size:
        return x.copy()
    if forward:
        return np.fft.fftn(x, axes=dims)
    return np.fft.ifftn(x, axes=dims, norm="forward")


def rfft(x: Array, dims: Sequence[int]) -> Array:
    return np.fft.rfftn(x, axes=dims)


def irfft(x: Array, dims: Sequence[int], n: int) -> Array:
    sizes = [n if dim == dims[-1] else x.shape[dim] for dim in dims]
    return np.fft.irfftn(x, sizes, dims, norm="forward")


# -- recurrence -------------------------------------------------------------------------------


def scan(
    step: Any, carries: Sequence[Array], xs: Sequence[Array], consts: Sequence[Array],
    reverse: bool = False,
) -> list[Array]:  # fmt: skip
    count = len(xs[0])
    results: list[Array] = []
    for t in reversed(range(count)) if reverse else range(count):
        outputs = step(_THIS, carries, [x[t] for x in xs], consts)
        carries = outputs[: len(carries)]
        if not results:
            results = [np.empty((count, *o.shape), o.dtype) for o in outputs]
        for result, value in zip(results, outputs, strict=True):
            result[t] = value
    return results


_THIS = sys.modules[__name__]

_REDUCTIONS = {"prod": np.multiply, "amax": np.maximum, "amin": np.minimum}


def scatter_reduce(x: Array, dim: int, index: Array, src: Array, reduce: str) -> Array:
    result = np.array(x)
    part = src[tuple(slice_(n) for n in index.shape)]
    reduce_at(_REDUCTIONS[reduce], result, _along(x, dim, index), part)
    return result


# -- contraction ------------------------------------------------------------------------------


def matmul(x: Array, y: Array) -> Array:
    if y.ndim == 2:
        if x.ndim == 2:
            return dot(x, y)
        if x.ndim > 2:  # one product of all rows is faster than many
            rows = dot(x.reshape((-1, x.shape[-1])), y) if x.size else np.matmul(x, y)
            return rows.reshape((*x.shape[:-1], y.shape[1]))
    if x.ndim > 1 and y.ndim > 1:
        return matmul_of_stacks(x, y)
    return np.matmul(x, y)


slice_ = slice


def slice(x: Array, key: Sequence[Any]) -> Array:
    return x[(*key, ...)]


__all__ = [
    "airy_ai", "avg_pool", "avg_pool_input", "bessel_j0", "bessel_j1", "bessel_y0", "bessel_y1",
    "conv", "conv_input", "conv_weight", "digamma", "erf", "erfc", "erfcx", "erfinv", "factor",
    "factors", "i0", "i0e", "i1", "i1e", "igamma", "igammac", "inverse", "lgamma", "matrix_exp",
    "max_pool_indices", "modified_bessel_k0", "modified_bessel_k1", "ndtri",
    "orthogonal_polynomial", "polygamma", "scaled_modified_bessel_k0",
    "scaled_modified_bessel_k1", "solve", "solve_triangular", "zeta",
]  # fmt: skip
