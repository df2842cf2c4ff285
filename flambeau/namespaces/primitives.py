"""The primitives: the closed list of functions that every array namespace implements.

An operation is written against a namespace ``xp`` whose functions are these.  Names and argument
names are PyTorch's (``dim``, ``keepdim``, ``permute``), dtypes are ``numpy.dtype``; arrays already
have their final dtype (promotion has happened), shapes are tuples of ``int`` and dims are
non-negative.  Besides the functions, arrays of every namespace have ``shape``, ``ndim``, ``dtype``
and Python's arithmetic and comparison operators.

Here each primitive has one *rule*: from the shapes and dtypes of its operands to those of its
result, without data.  The compiler's symbolic arrays are made by it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

Shape = tuple[int, ...]
Rule = Callable[..., tuple[Shape, np.dtype]]

RULES: dict[str, Rule] = {}
"""Primitive name -> rule.  A rule takes the call's arguments, arrays having shape and dtype."""

BOOL = np.dtype(bool)
INT64 = np.dtype(np.int64)

UNARY = (
    "neg abs sign exp exp2 expm1 log log2 log10 log1p sqrt rsqrt reciprocal sin cos tan asin acos "
    "atan sinh cosh tanh asinh acosh atanh erf erfc erfinv lgamma digamma sigmoid relu floor ceil "
    "round trunc bitwise_not"
).split()
BINARY = (
    "add sub mul div floor_divide remainder fmod pow maximum minimum atan2 bitwise_and bitwise_or "
    "bitwise_xor bitwise_left_shift bitwise_right_shift copysign nextafter hypot"
).split()
SPECIAL = (
    "i0 i0e i1 i1e erfcx ndtri airy_ai bessel_j0 bessel_j1 bessel_y0 bessel_y1 modified_bessel_k0 "
    "modified_bessel_k1 scaled_modified_bessel_k0 scaled_modified_bessel_k1"
).split()
SPECIAL_BINARY = "igamma igammac zeta".split()
UNARY_PREDICATES = "isnan isinf isfinite logical_not signbit".split()
BINARY_PREDICATES = "eq ne lt le gt ge logical_and logical_or logical_xor".split()
CONTRACTIONS = frozenset("matmul conv conv_input conv_weight".split())
"""Reductions that read each element many times."""


def broadcast_shapes(*shapes: Shape) -> Shape:
    """The shape that ``shapes`` broadcast to; ValueError where they do not."""
    found = shapes[0]
    for shape in shapes[1:]:
        if shape == found or not shape:
            continue
        if found:  # NumPy's function takes longer than most captured operations
            return np.broadcast_shapes(*shapes)
        found = shape
    return tuple(found)


def _shape(x: Any) -> Shape:
    return x.shape if hasattr(x, "shape") else ()


def _dtype(*operands: Any) -> np.dtype:
    """The dtype of the operands that are arrays; Python scalars take the arrays' dtype.

    Arrays are of one dtype, or some complex and the others of those numbers' parts.
    """
    found = None
    for x in operands:
        if hasattr(x, "dtype") and (found is None or x.dtype.kind == "c"):
            found = x.dtype
    if found is not None:
        return found
    return np.result_type(*operands)


def rule(*names: str) -> Callable[[Rule], Rule]:
    def register(function: Rule) -> Rule:
        for name in names:
            RULES[name] = function
        return function

    return register


@rule(*UNARY, *SPECIAL)
def _unary(x):
    return x.shape, x.dtype


def real_dtype(dtype: np.dtype) -> np.dtype:
    """The dtype of the parts of complex numbers; other dtypes themselves."""
    return np.dtype(f"f{dtype.itemsize // 2}") if dtype.kind == "c" else dtype


def complex_dtype(dtype: np.dtype) -> np.dtype:
    """The dtype of complex numbers whose parts are of ``dtype``."""
    return np.dtype(f"c{dtype.itemsize * 2}")


@rule("abs", "real", "imag")
def _real_unary(x):
    return x.shape, real_dtype(x.dtype)


@rule("conj")
def _conj(x):
    return x.shape, x.dtype


@rule("complex")
def _complex(x, y):
    return broadcast_shapes(x.shape, y.shape), complex_dtype(x.dtype)


@rule(*UNARY_PREDICATES)
def _unary_predicate(x):
    return x.shape, BOOL


@rule(*BINARY, *SPECIAL_BINARY)
def _binary(x, y):
    return broadcast_shapes(_shape(x), _shape(y)), _dtype(x, y)


@rule(*BINARY_PREDICATES)
def _binary_predicate(x, y):
    return broadcast_shapes(_shape(x), _shape(y)), BOOL


@rule("where")
def _where(condition, x, y):
    return broadcast_shapes(_shape(condition), _shape(x), _shape(y)), _dtype(x, y)


@rule("polygamma")
def _polygamma(n, x):
    return x.shape, x.dtype


@rule("orthogonal_polynomial")
def _orthogonal_polynomial(family, x, y):
    """The polynomial of degree ``y`` of a family of :mod:`.polynomials`, at ``x``."""
    return broadcast_shapes(x.shape, y.shape), x.dtype


@rule("astype")
def _astype(x, dtype):
    return x.shape, np.dtype(dtype)


@rule("full")
def _full(shape, value, dtype):
    return tuple(shape), np.dtype(dtype)


@rule("arange")
def _arange(start, end, step, dtype):
    return (max(0, -int(-((end - start) / step) // 1)),), np.dtype(dtype)


# -- reductions: dim is None (all dims) or a tuple of dims ------------------------------------


def reduced_shape(shape: Shape, dim: Sequence[int] | None, keepdim: bool) -> Shape:
    """``shape`` after a reduction over ``dim`` (all dims if None)."""
    if dim is None:
        return (1,) * len(shape) if keepdim else ()
    if keepdim:
        return tuple(1 if i in dim else n for i, n in enumerate(shape))
    return tuple(n for i, n in enumerate(shape) if i not in dim)


@rule("sum", "prod", "amax", "amin")
def _reduce(x, dim=None, keepdim=False):
    return reduced_shape(x.shape, dim, keepdim), x.dtype


@rule("any", "all")
def _reduce_predicate(x, dim=None, keepdim=False):
    return reduced_shape(x.shape, dim, keepdim), BOOL


@rule("argmax", "argmin")
def _arg_reduce(x, dim, keepdim=False):
    return reduced_shape(x.shape, None if dim is None else (dim,), keepdim), INT64


@rule("cumsum", "cumprod")
def _cumulative(x, dim):
    return x.shape, x.dtype


@rule("argsort")
def _argsort(x, dim, descending=False):
    return x.shape, INT64


# -- shape ------------------------------------------------------------------------------------


@rule("reshape")
def _reshape(x, shape):
    if math.prod(shape) != math.prod(x.shape):
        raise ValueError(f"cannot reshape an array of shape {x.shape} into {tuple(shape)}")
    return tuple(shape), x.dtype


@rule("permute")
def _permute(x, dims):
    return tuple(x.shape[d] for d in dims), x.dtype


@rule("expand")
def _expand(x, shape):
    return tuple(shape), x.dtype


@rule("flip")
def _flip(x, dims):
    return x.shape, x.dtype


@rule("cat")
def _cat(arrays, dim):
    shape = list(arrays[0].shape)
    shape[dim] = sum(a.shape[dim] for a in arrays)
    return tuple(shape), arrays[0].dtype


@rule("pad")
def _pad(x, widths, value=0):
    return tuple(n + lo + hi for n, (lo, hi) in zip(x.shape, widths, strict=True)), x.dtype


def sliced_shape(shape: Shape, key: Sequence[Any]) -> Shape:
    """The shape of ``x[key]`` for a basic key: ints, slices with step > 0, None."""
    result: list[int] = []
    dim = 0
    for item in key:
        if item is None:
            result.append(1)
            continue
        if isinstance(item, slice):
            result.append(len(range(*item.indices(shape[dim]))))
        dim += 1
    return (*result, *shape[dim:])


@rule("slice")
def _slice(x, key):
    return sliced_shape(x.shape, key), x.dtype


@rule("slice_scatter")
def _slice_scatter(x, key, values):
    return x.shape, x.dtype


# -- gather and scatter -----------------------------------------------------------------------


def indexed_shape(shape: Shape, indices: Sequence[Any]) -> Shape:
    """The shape of ``x[indices]``, indices being integer arrays or None (a whole dim)."""
    arrays = [i for i, index in enumerate(indices) if index is not None]
    index_shape = broadcast_shapes(*(indices[i].shape for i in arrays))
    rest = [n for i, n in enumerate(shape) if i >= len(indices) or indices[i] is None]
    adjacent = arrays == list(range(arrays[0], arrays[-1] + 1))
    before = arrays[0] if adjacent else 0
    return (*rest[:before], *index_shape, *rest[before:])


@rule("index")
def _index(x, indices):
    return indexed_shape(x.shape, indices), x.dtype


@rule("index_put")
def _index_put(x, indices, values, accumulate=False):
    return x.shape, x.dtype


@rule("gather")
def _gather(x, dim, index):
    return index.shape, x.dtype


@rule("scatter", "scatter_add")
def _scatter(x, dim, index, src):
    return x.shape, x.dtype


@rule("scatter_reduce")
def _scatter_reduce(x, dim, index, src, reduce):
    """``reduce``: "prod", "amax" or "amin"; the elements of x take part."""
    return x.shape, x.dtype


# -- contraction, convolution, pooling --------------------------------------------------------


@rule("matmul")
def _matmul(x, y):
    if x.ndim == 1 and y.ndim == 1:
        return (), x.dtype
    if x.ndim == 1:
        return (*y.shape[:-2], y.shape[-1]), x.dtype
    if y.ndim == 1:
        return x.shape[:-1], x.dtype
    batch = broadcast_shapes(x.shape[:-2], y.shape[:-2])
    return (*batch, x.shape[-2], y.shape[-1]), x.dtype


def window_count(n: int, kernel: int, stride: int, padding: int, dilation: int) -> int:
    """How many windows of ``kernel`` fit along ``n`` elements padded on both sides."""
    return (n + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1


@rule("conv")
def _conv(x, weight, stride, padding, dilation, groups):
    spatial = tuple(
        window_count(n, k, s, p, d)
        for n, k, s, p, d in zip(x.shape[2:], weight.shape[2:], stride, padding, dilation)
    )
    return (x.shape[0], weight.shape[0], *spatial), x.dtype


@rule("conv_input")
def _conv_input(grad, weight, input_shape, stride, padding, dilation, groups):
    return tuple(input_shape), grad.dtype


@rule("conv_weight")
def _conv_weight(grad, x, weight_shape, stride, padding, dilation, groups):
    return tuple(weight_shape), grad.dtype


@rule("max_pool_indices")
def _max_pool_indices(x, kernel, stride, padding, dilation, size):
    return (*x.shape[: -len(kernel)], *size), INT64


@rule("avg_pool")
def _avg_pool(x, kernel, stride, padding, size):
    return (*x.shape[: -len(kernel)], *size), x.dtype


@rule("avg_pool_input")
def _avg_pool_input(grad, input_shape, kernel, stride, padding):
    return tuple(input_shape), grad.dtype


# -- Fourier transforms, none of them scaled ---------------------------------------------------


@rule("fft")
def _fft(x, dims, forward):
    """The discrete Fourier transform of complex ``x`` over ``dims``, exponents negative forward."""
    return x.shape, x.dtype


@rule("rfft")
def _rfft(x, dims):
    """The forward transform of real ``x``: of its last dim (in ``dims``) the first n // 2 + 1."""
    shape = list(x.shape)
    shape[dims[-1]] = shape[dims[-1]] // 2 + 1
    return tuple(shape), complex_dtype(x.dtype)


@rule("irfft")
def _irfft(x, dims, n):
    """The backward transform, real and of size ``n`` in its last dim, of half a spectrum."""
    shape = list(x.shape)
    shape[dims[-1]] = n
    return tuple(shape), real_dtype(x.dtype)


# -- matrices: the last two dims, those before them a batch -------------------------------------

INT32 = np.dtype(np.int32)

Parts = Callable[[int, int, np.dtype], tuple[tuple[Shape, np.dtype], ...]]


def _inexact_complex(dtype: np.dtype) -> np.dtype:
    return dtype if dtype.kind == "c" else complex_dtype(dtype)


FACTORIZATIONS: dict[str, Parts] = {
    "cholesky": lambda m, n, d: (((m, n), d), ((), INT32)),
    "lu": lambda m, n, d: (((m, n), d), ((min(m, n),), INT32), ((), INT32)),
    "ldl": lambda m, n, d: (((m, n), d), ((n,), INT32), ((), INT32)),
    "ldl_hermitian": lambda m, n, d: (((m, n), d), ((n,), INT32), ((), INT32)),
    "qr": lambda m, n, d: (((m, min(m, n)), d), ((min(m, n), n), d)),
    "qr_complete": lambda m, n, d: (((m, m), d), ((m, n), d)),
    "geqrf": lambda m, n, d: (((m, n), d), ((min(m, n),), d)),
    "svd": lambda m, n, d: (
        ((m, min(m, n)), d), ((min(m, n),), real_dtype(d)), ((min(m, n), n), d)
    ),
    "svd_full": lambda m, n, d: (
        ((m, m), d), ((min(m, n),), real_dtype(d)), ((n, n), d)
    ),
    "svdvals": lambda m, n, d: (((min(m, n),), real_dtype(d)),),
    "eigh": lambda m, n, d: (((n,), real_dtype(d)), ((m, n), d)),
    "eigh_upper": lambda m, n, d: (((n,), real_dtype(d)), ((m, n), d)),
    "eigvalsh": lambda m, n, d: (((n,), real_dtype(d)),),
    "eig": lambda m, n, d: (((n,), _inexact_complex(d)), ((m, n), _inexact_complex(d))),
    "eigvals": lambda m, n, d: (((n,), _inexact_complex(d)),),
    "slogdet": lambda m, n, d: (((), d), ((), real_dtype(d))),
}  # fmt: skip
"""Kind of factorization -> the parts of its result: the dims after the batch, and the dtype."""


@rule("factor")
def _factor(x, kind, part):
    """One part of a factorization of matrices (:data:`FACTORIZATIONS`), in LAPACK's packing.

    A namespace has ``factors(x, kind)`` as well, which gives all parts at once.  Of symmetric
    matrices ("cholesky", "ldl", "eigh") only the lower triangle is looked at; "eigh_upper" gives
    vectors the signs they have for one who looks at the upper one.  The last part of
    "cholesky", "lu" and "ldl" is LAPACK's ``info``: 0, or the place (from 1) where they failed.
    """
    *batch, m, n = x.shape
    shape, dtype = FACTORIZATIONS[kind](m, n, x.dtype)[part]
    return (*batch, *shape), dtype


@rule("inverse", "matrix_exp")
def _of_square_matrices(x):
    """``inverse`` has no finite elements where a matrix is singular."""
    return x.shape, x.dtype


@rule("solve")
def _solve(x, y):
    """``x @ result = y``; not finite where a matrix is singular."""
    return (*broadcast_shapes(x.shape[:-2], y.shape[:-2]), *y.shape[-2:]), y.dtype


@rule("solve_triangular")
def _solve_triangular(x, y, upper, unitriangular):
    """The same, only one triangle of ``x`` being looked at, its diagonal perhaps as ones."""
    return (*broadcast_shapes(x.shape[:-2], y.shape[:-2]), *y.shape[-2:]), y.dtype


# -- recurrence -------------------------------------------------------------------------------


@rule("scan")
def _scan(body, carries, xs, consts, output, reverse=False):
    """One step after the other along the first dim of ``xs``, each from what the last one left.

    A namespace has ``scan(step, carries, xs, consts, reverse) -> list``, with a Python function
    ``step(xp, carries, elements, consts) -> outputs``: ``elements`` is one element of each of
    ``xs``, which are equally long; the first ``len(carries)`` outputs, of the carries' shapes and
    dtypes, are the carries of the next step.  ``reverse`` begins at the last element.  The result
    has one array for each output: its values at all steps, each at the place of the element that
    it was computed from.  ``step`` has no other effect, and takes arrays from its arguments only.

    In a graph every one of these arrays is a value of its own (so what nobody needs is not kept),
    all with the same operands ``(*carries, *xs, *consts)`` and the same ``body``, ``step`` as a
    graph (:class:`flambeau.compiler.scan.Body`); ``output`` tells them apart.  Whoever runs the
    graph runs such siblings together.
    """
    result = body.outputs[output]
    return (xs[0].shape[0], *result.shape), result.dtype
