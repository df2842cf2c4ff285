"""The JAX namespace: every primitive on ``jax.Array``, at once or under a ``jax.jit`` trace.

JAX computes in 32 bits unless ``jax_enable_x64`` is on: without it float64 and int64 results come
back as float32 and int32.  Nothing here changes that setting.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jax.scipy import linalg as jax_linalg
from jax.scipy import special

from .numpy_ldl import ldl

Array = Any
Sizes = Sequence[int]

# -- element by element -----------------------------------------------------------------------

neg = jnp.negative
abs = jnp.abs
sign = jnp.sign
exp = jnp.exp
exp2 = jnp.exp2
expm1 = jnp.expm1
log = jnp.log
log2 = jnp.log2
log10 = jnp.log10
log1p = jnp.log1p
sqrt = jnp.sqrt
rsqrt = lax.rsqrt
reciprocal = jnp.reciprocal
sin = jnp.sin
cos = jnp.cos
tan = jnp.tan
asin = jnp.arcsin
acos = jnp.arccos
atan = jnp.arctan
sinh = jnp.sinh
cosh = jnp.cosh
tanh = jnp.tanh
asinh = jnp.arcsinh
acosh = jnp.arccosh
atanh = jnp.arctanh
erf = special.erf
erfc = special.erfc
erfinv = special.erfinv
lgamma = special.gammaln
digamma = special.digamma
polygamma = special.polygamma
i0 = special.i0
i0e = special.i0e
i1 = special.i1
i1e = special.i1e
ndtri = special.ndtri
igamma = special.gammainc
igammac = special.gammaincc
sigmoid = jax.nn.sigmoid
floor = jnp.floor
ceil = jnp.ceil
round = jnp.rint
trunc = jnp.trunc
bitwise_not = jnp.invert
isnan = jnp.isnan
isinf = jnp.isinf
isfinite = jnp.isfinite
logical_not = jnp.logical_not
signbit = jnp.signbit

add = jnp.add
sub = jnp.subtract
mul = jnp.multiply
div = jnp.true_divide
floor_divide = jnp.floor_divide
remainder = jnp.remainder
fmod = jnp.fmod
pow = jnp.power
maximum = jnp.maximum
minimum = jnp.minimum
atan2 = jnp.arctan2
hypot = jnp.hypot
copysign = jnp.copysign
nextafter = jnp.nextafter
bitwise_and = jnp.bitwise_and
bitwise_or = jnp.bitwise_or
bitwise_xor = jnp.bitwise_xor
bitwise_left_shift = jnp.left_shift
bitwise_right_shift = jnp.right_shift
eq = jnp.equal
ne = jnp.not_equal
lt = jnp.less
le = jnp.less_equal
gt = jnp.greater
ge = jnp.greater_equal
logical_and = jnp.logical_and
logical_or = jnp.logical_or
logical_xor = jnp.logical_xor
where = jnp.where


def relu(x: Array) -> Array:
    return jnp.maximum(x, 0)


def _on_host(name: str) -> Any:
    """A primitive that JAX has no function for: NumPy's, called back from the device."""

    def primitive(*operands: Array) -> Array:
        from . import numpy_special

        dtype = operands[0].dtype
        shape = jnp.broadcast_shapes(*[jnp.shape(x) for x in operands])
        function = getattr(numpy_special, name)
        return jax.pure_callback(
            lambda *arrays: np.asarray(function(*[np.asarray(a) for a in arrays]), dtype),
            jax.ShapeDtypeStruct(shape, dtype), *operands, vmap_method="broadcast_all",
        )  # fmt: skip

    primitive.__name__ = name
    return primitive


erfcx = _on_host("erfcx")
zeta = _on_host("zeta")  # jax.scipy's has no values of the arguments below 1
airy_ai = _on_host("airy_ai")
bessel_j0 = _on_host("bessel_j0")
bessel_j1 = _on_host("bessel_j1")
bessel_y0 = _on_host("bessel_y0")
bessel_y1 = _on_host("bessel_y1")
modified_bessel_k0 = _on_host("modified_bessel_k0")
modified_bessel_k1 = _on_host("modified_bessel_k1")
scaled_modified_bessel_k0 = _on_host("scaled_modified_bessel_k0")
scaled_modified_bessel_k1 = _on_host("scaled_modified_bessel_k1")


def orthogonal_polynomial(family: str, x: Array, y: Array) -> Array:
    from .polynomials import FAMILIES

    first, step, closed = FAMILIES[family]
    x, degree = jnp.broadcast_arrays(x, jnp.trunc(y))
    one = jnp.ones_like(x)
    known = jnp.zeros(x.shape, bool)
    values = one
    if closed is not None:
        known, values = closed(jnp, x, degree)
    left = jnp.where(known | ~jnp.isfinite(degree), 0, degree)

    def advance(state: Any) -> Any:
        k, before, last, result = state
        following = step(x, k, last, before)
        return k + 1, last, following, jnp.where(degree == k + 1, following, result)

    start = first(x)
    result = jnp.where(degree < 0, 0, jnp.where(degree == 0, one, start))
    state = (jnp.ones((), x.dtype), one, start, result)
    most = jnp.max(left, initial=0)
    *_, result = lax.while_loop(lambda state: state[0] < most, advance, state)
    result = jnp.where(jnp.isfinite(degree), result, jnp.nan)
    return jnp.where(known, values, result)


def astype(x: Array, dtype: np.dtype) -> Array:
    return jnp.asarray(x).astype(dtype)


def full(shape: Sizes, value: Any, dtype: np.dtype) -> Array:
    return jnp.full(tuple(shape), value, dtype)


def arange(start: float, end: float, step: float, dtype: np.dtype) -> Array:
    return jnp.arange(start, end, step, dtype)


# -- arrays and the world around them ---------------------------------------------------------


def dtype(x: Array) -> np.dtype:
    """The dtype of ``x``'s elements."""
    return np.dtype(x.dtype)


def copy(x: Array) -> Array:
    """``x`` itself: its elements never change."""
    return x


def to_host(x: Array) -> np.ndarray:
    """The elements as a NumPy array.

    Raises:
        ConcreteValueNeeded: ``x`` stands for a value of calls to come (under ``jax.jit``).
    """
    if isinstance(x, jax.core.Tracer):
        from ..modes import ConcreteValueNeeded

        raise ConcreteValueNeeded("a NumPy array of its elements")
    return np.array(x)


def device_of(x: Array) -> Any:
    """The device that holds ``x``; XLA's own CPU device is called ``xla``."""
    from ..device import device

    if isinstance(x, jax.core.Tracer):
        return device("xla")
    (where_it_is, *_) = x.devices()
    if where_it_is.platform == "cpu":
        return device("xla", where_it_is.id)
    platform = {"gpu": "cuda", "rocm": "cuda"}.get(where_it_is.platform, where_it_is.platform)
    return device(platform, where_it_is.id)


# -- reductions -------------------------------------------------------------------------------

Dims = tuple[int, ...] | None


def sum(x: Array, dim: Dims = None, keepdim: bool = False) -> Array:
    return jnp.sum(x, dim, x.dtype, keepdims=keepdim)


def prod(x: Array, dim: Dims = None, keepdim: bool = False) -> Array:
    return jnp.prod(x, dim, x.dtype, keepdims=keepdim)


def _with_nan(extremum: Array, x: Array, dim: Dims, keepdim: bool) -> Array:
    """``extremum`` of ``x``, NaN where that has one: XLA's reductions over columns may lose it."""
    if not jnp.issubdtype(x.dtype, jnp.floating):
        return extremum
    lost = jnp.any(jnp.isnan(x), dim, keepdims=keepdim)
    return jnp.where(lost, jnp.asarray(jnp.nan, x.dtype), extremum)


def amax(x: Array, dim: Dims = None, keepdim: bool = False) -> Array:
    return _with_nan(jnp.max(x, dim, keepdims=keepdim), x, dim, keepdim)


def amin(x: Array, dim: Dims = None, keepdim: bool = False) -> Array:
    return _with_nan(jnp.min(x, dim, keepdims=keepdim), x, dim, keepdim)


def any(x: Array, dim: Dims = None, keepdim: bool = False) -> Array:
    return jnp.any(x, dim, keepdims=keepdim)


def all(x: Array, dim: Dims = None, keepdim: bool = False) -> Array:
    return jnp.all(x, dim, keepdims=keepdim)


def argmax(x: Array, dim: int | None, keepdim: bool = False) -> Array:
    return jnp.argmax(x, dim, keepdims=keepdim).astype(_index_dtype())


def argmin(x: Array, dim: int | None, keepdim: bool = False) -> Array:
    return jnp.argmin(x, dim, keepdims=keepdim).astype(_index_dtype())


def _index_dtype() -> np.dtype:
    """int64 where JAX has it."""
    return jax.dtypes.canonicalize_dtype(np.int64)


def cumsum(x: Array, dim: int) -> Array:
    return jnp.cumsum(x, dim, x.dtype)


def cumprod(x: Array, dim: int) -> Array:
    return jnp.cumprod(x, dim, x.dtype)


def argsort(x: Array, dim: int, descending: bool = False) -> Array:
    return jnp.argsort(x, dim, stable=True, descending=descending).astype(_index_dtype())


# -- shape ------------------------------------------------------------------------------------


def reshape(x: Array, shape: Sizes) -> Array:
    return jnp.reshape(x, tuple(shape))


def permute(x: Array, dims: Sizes) -> Array:
    return jnp.transpose(x, tuple(dims))


def expand(x: Array, shape: Sizes) -> Array:
    return jnp.broadcast_to(x, tuple(shape))


def flip(x: Array, dims: Sizes) -> Array:
    return jnp.flip(x, tuple(dims))


def cat(arrays: Sequence[Array], dim: int) -> Array:
    return jnp.concatenate(arrays, dim)


def pad(x: Array, widths: Sequence[tuple[int, int]], value: float = 0) -> Array:
    return lax.pad(x, jnp.asarray(value, x.dtype), [(lo, hi, 0) for lo, hi in widths])


_slice = slice


def slice(x: Array, key: Sequence[Any]) -> Array:
    return jnp.asarray(x)[(*key, ...)]


def slice_scatter(x: Array, key: Sequence[Any], values: Array) -> Array:
    return jnp.asarray(x).at[tuple(key)].set(values)


# -- gather and scatter -----------------------------------------------------------------------


def _key(indices: Sequence[Array | None]) -> tuple[Any, ...]:
    return tuple(_slice(None) if index is None else index for index in indices)


def index(x: Array, indices: Sequence[Array | None]) -> Array:
    return jnp.asarray(x)[_key(indices)]


def index_put(
    x: Array, indices: Sequence[Array | None], values: Array, accumulate: bool = False
) -> Array:
    target = jnp.asarray(x).at[_key(indices)]
    return target.add(values) if accumulate else target.set(values)


def _along(index: Array, dim: int) -> tuple[Any, ...]:
    """The index arrays that select, along ``dim``, the elements ``index`` and else their place."""
    key = list(np.ogrid[tuple(_slice(n) for n in index.shape)])
    key[dim] = index
    return tuple(key)


def _covered(src: Array, index: Array) -> Array:
    """The part of ``src`` that ``index`` has an entry for."""
    return src[tuple(_slice(n) for n in index.shape)]


def gather(x: Array, dim: int, index: Array) -> Array:
    return jnp.asarray(x)[_along(index, dim)] if x.ndim else jnp.broadcast_to(x, index.shape)


def scatter(x: Array, dim: int, index: Array, src: Array) -> Array:
    return jnp.asarray(x).at[_along(index, dim)].set(_covered(src, index))


def scatter_add(x: Array, dim: int, index: Array, src: Array) -> Array:
    return jnp.asarray(x).at[_along(index, dim)].add(_covered(src, index))


# -- complex numbers and Fourier transforms -----------------------------------------------------


def conj(x: Array) -> Array:
    return jnp.conjugate(x)


def real(x: Array) -> Array:
    return jnp.real(x)


def imag(x: Array) -> Array:
    return jnp.imag(x)


def complex(x: Array, y: Array) -> Array:
    return lax.complex(*jnp.broadcast_arrays(x, y))


def fft(x: Array, dims: Sizes, forward: bool) -> Array:
    for dim in dims:  # jax.numpy transforms at most three dims at once
        x = jnp.fft.fft(x, axis=dim) if forward else jnp.fft.ifft(x, axis=dim, norm="forward")
    return x


def rfft(x: Array, dims: Sizes) -> Array:
    return fft(jnp.fft.rfft(x, axis=dims[-1]), dims[:-1], True)


def irfft(x: Array, dims: Sizes, n: int) -> Array:
    return jnp.fft.irfft(fft(x, dims[:-1], False), n, dims[-1], norm="forward")


# -- matrices ---------------------------------------------------------------------------------


def _svd(x: Array, full: bool) -> tuple[Array, ...]:
    return tuple(jnp.linalg.svd(x, full_matrices=full))


def _lu(x: Array) -> tuple[Array, ...]:
    packed, pivots, _ = lax.linalg.lu(x)
    zero = jnp.diagonal(packed, axis1=-2, axis2=-1) == 0
    infos = jnp.where(zero.any(-1), zero.argmax(-1) + 1, 0) if zero.shape[-1] else zero.sum(-1)
    return packed, (pivots + 1).astype(np.int32), infos.astype(np.int32)


def _cholesky(x: Array) -> tuple[Array, ...]:
    """The place of a failure is not known: its info is the size of the matrix."""
    lower = lax.linalg.cholesky(x, symmetrize_input=False)
    failed = jnp.isnan(lower).any((-1, -2))
    return lower, jnp.where(failed, x.shape[-1], 0).astype(np.int32)


def _ldl(x: Array, hermitian: bool) -> tuple[Array, ...]:
    """On the host: XLA has no such factorization."""
    batch, n = x.shape[:-2], x.shape[-1]
    infos = jax.ShapeDtypeStruct(batch, np.int32)
    pivots = jax.ShapeDtypeStruct((*batch, n), np.int32)
    results = (jax.ShapeDtypeStruct(x.shape, x.dtype), pivots, infos)
    return tuple(jax.pure_callback(lambda a: ldl(np.asarray(a), hermitian), results, x))


def _eig(x: Array) -> tuple[Array, ...]:
    values, vectors = lax.linalg.eig(x, compute_left_eigenvectors=False)
    return values, vectors


_FACTORIZATIONS: dict[str, Callable[[Array], tuple[Array, ...]]] = {
    "cholesky": _cholesky,
    "lu": _lu,
    "ldl": lambda x: _ldl(x, False),
    "ldl_hermitian": lambda x: _ldl(x, True),
    "qr": lambda x: tuple(jnp.linalg.qr(x)),
    "qr_complete": lambda x: tuple(jnp.linalg.qr(x, "complete")),
    "geqrf": lambda x: tuple(lax.linalg.geqrf(x)) if hasattr(lax.linalg, "geqrf") else _raw_qr(x),
    "svd": lambda x: _svd(x, False),
    "svd_full": lambda x: _svd(x, True),
    "svdvals": lambda x: (jnp.linalg.svd(x, compute_uv=False),),
    "eigh": lambda x: tuple(jnp.linalg.eigh(x, "L", symmetrize_input=False)),
    "eigh_upper": lambda x: tuple(jnp.linalg.eigh(x, "L", symmetrize_input=False)),
    "eigvalsh": lambda x: (jnp.linalg.eigh(x, "L", symmetrize_input=False)[0],),
    "eig": _eig,
    "eigvals": lambda x: (jnp.linalg.eigvals(x),),
    "slogdet": lambda x: tuple(jnp.linalg.slogdet(x)),
}


def _raw_qr(x: Array) -> tuple[Array, ...]:
    packed, scales = jnp.linalg.qr(x, "raw")
    return jnp.swapaxes(packed, -1, -2), scales


def factors(x: Array, kind: str) -> tuple[Array, ...]:
    return _FACTORIZATIONS[kind](jnp.asarray(x))


def factor(x: Array, kind: str, part: int) -> Array:
    return factors(x, kind)[part]


def inverse(x: Array) -> Array:
    return jnp.linalg.inv(x)


def matrix_exp(x: Array) -> Array:
    return jax_linalg.expm(x)


def _one_batch(x: Array, y: Array) -> tuple[Array, Array]:
    batch = np.broadcast_shapes(x.shape[:-2], y.shape[:-2])
    return (jnp.broadcast_to(x, (*batch, *x.shape[-2:])),
            jnp.broadcast_to(y, (*batch, *y.shape[-2:])))  # fmt: skip


def solve(x: Array, y: Array) -> Array:
    return jnp.linalg.solve(*_one_batch(x, y))


def solve_triangular(x: Array, y: Array, upper: bool, unitriangular: bool) -> Array:
    x, y = _one_batch(x, y)
    return lax.linalg.triangular_solve(
        x, y, left_side=True, lower=not upper, unit_diagonal=unitriangular
    )


# -- recurrence -------------------------------------------------------------------------------


def scan(
    step: Callable[..., Sequence[Array]], carries: Sequence[Array], xs: Sequence[Array],
    consts: Sequence[Array], reverse: bool = False,
) -> list[Array]:  # fmt: skip
    def stepped(state: Any, elements: Any) -> tuple[Any, Any]:
        outputs = tuple(step(_THIS, state, elements, consts))
        return outputs[: len(state)], outputs

    arrays = tuple(jnp.asarray(x) for x in xs)
    state = tuple(jnp.asarray(c) for c in carries)
    return list(lax.scan(stepped, state, arrays, reverse=reverse)[1])


_THIS = sys.modules[__name__]


def scatter_reduce(x: Array, dim: int, index: Array, src: Array, reduce: str) -> Array:
    target = jnp.asarray(x).at[_along(index, dim)]
    method = {"prod": target.multiply, "amax": target.max, "amin": target.min}[reduce]
    return method(_covered(src, index))


# -- contraction, convolution, pooling --------------------------------------------------------


def matmul(x: Array, y: Array) -> Array:
    return jnp.matmul(x, y)


def conv(
    x: Array, weight: Array, stride: Sizes, padding: Sizes, dilation: Sizes, groups: int
) -> Array:
    return lax.conv_general_dilated(
        x, weight, tuple(stride), [(p, p) for p in padding], rhs_dilation=tuple(dilation),
        feature_group_count=groups,
    )  # fmt: skip


def _transposed(linear: Callable[[Array], Array], shape: Sizes, grad: Array) -> Array:
    """The transpose of the function ``linear`` of an array of ``shape``, applied to ``grad``."""
    like = jax.ShapeDtypeStruct(tuple(shape), grad.dtype)
    (result,) = jax.linear_transpose(linear, like)(grad)
    return result


def conv_input(
    grad: Array, weight: Array, input_shape: Sizes, stride: Sizes, padding: Sizes,
    dilation: Sizes, groups: int,
) -> Array:  # fmt: skip
    return _transposed(
        lambda x: conv(x, weight, stride, padding, dilation, groups), input_shape, grad
    )


def conv_weight(
    grad: Array, x: Array, weight_shape: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes,
    groups: int,
) -> Array:  # fmt: skip
    return _transposed(
        lambda weight: conv(x, weight, stride, padding, dilation, groups), weight_shape, grad
    )


def _reach(
    shape: Sizes, kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes, size: Sizes
) -> list[tuple[int, int]]:
    """The padding before and behind each dim that ``size`` windows need (``ceil_mode``: more)."""
    behind = [
        max(p, (m - 1) * s + d * (k - 1) + 1 - n - p)
        for m, s, d, k, n, p in zip(size, stride, dilation, kernel, shape, padding)
    ]
    return list(zip(padding, behind))


def max_pool_indices(
    x: Array, kernel: Sizes, stride: Sizes, padding: Sizes, dilation: Sizes, size: Sizes
) -> Array:
    k = len(kernel)
    spatial = x.shape[-k:]
    lowest = -np.inf if jnp.issubdtype(x.dtype, jnp.floating) else jnp.iinfo(x.dtype).min
    widths = _reach(spatial, kernel, stride, padding, dilation, size)
    flat = np.arange(int(np.prod(spatial))).reshape(spatial)
    flat = np.pad(flat, widths, constant_values=-1)
    padded = pad(x, [(0, 0)] * (x.ndim - k) + widths, lowest)
    values, places = [], []
    for tap in np.ndindex(*kernel):
        part = tuple(
            _slice(t * d, t * d + s * (n - 1) + 1, s)
            for t, d, s, n in zip(tap, dilation, stride, size)
        )
        values.append(padded[(..., *part)])
        places.append(flat[part])
    stacked = np.stack(places)
    best = jnp.argmax(jnp.stack(values), 0)
    chosen = jnp.take_along_axis(_leading(stacked, x.ndim), best[None], 0)[0]
    if (stacked < 0).any():  # a window of -inf only must not point into the padding
        first = np.take_along_axis(stacked, np.argmax(stacked >= 0, 0)[None], 0)[0]
        chosen = jnp.where(chosen < 0, first, chosen)
    return chosen.astype(_index_dtype())


def _leading(places: np.ndarray, ndim: int) -> Array:
    """``places`` (taps, *size) with dims of size 1 between, to go with arrays of ``ndim`` dims."""
    added = ndim + 1 - places.ndim
    return jnp.asarray(places.reshape(places.shape[0], *(1,) * added, *places.shape[1:]))


def avg_pool(x: Array, kernel: Sizes, stride: Sizes, padding: Sizes, size: Sizes) -> Array:
    """The sum over each window (the caller divides)."""
    k = len(kernel)
    leading = (1,) * (x.ndim - k)
    widths = _reach(x.shape[-k:], kernel, stride, padding, (1,) * k, size)
    sums = lax.reduce_window(
        x, np.zeros((), x.dtype), lax.add, (*leading, *kernel), (*leading, *stride),
        [(0, 0)] * len(leading) + widths,
    )  # fmt: skip
    return sums[(..., *(_slice(n) for n in size))]


def avg_pool_input(
    grad: Array, input_shape: Sizes, kernel: Sizes, stride: Sizes, padding: Sizes
) -> Array:
    size = grad.shape[-len(kernel) :]
    return _transposed(lambda x: avg_pool(x, kernel, stride, padding, size), input_shape, grad)
