"""The namespace of batched arrays: every primitive on all members of a batch at once.

Each function here is a *batching rule*: it says what the primitive does to arrays with batch dims
in front, in terms of the primitives of the namespace that serves the arrays underneath.  Sizes of 1
among the batch dims broadcast; ``k`` is always the number of batch dims.
"""

from __future__ import annotations

import builtins
import inspect
import math
import sys
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from . import namespace_of, register
from .batched_array import (
    BatchedArray,
    as_batched,
    common_batch,
    expanded,
    merged_levels,
    spread,
)
from .primitives import (
    BINARY,
    BINARY_PREDICATES,
    RULES,
    SPECIAL,
    SPECIAL_BINARY,
    UNARY,
    UNARY_PREDICATES,
    indexed_shape,
    sliced_shape,
)

Array = Any
OUTERMOST = True  # batched arrays may hold arrays of any other namespace


# -- element by element -----------------------------------------------------------------------


_BROADCASTING = (*BINARY, *SPECIAL_BINARY, *BINARY_PREDICATES, "where", "complex")


def _unary(name: str) -> Callable[..., Array]:
    def function(x: Array) -> Array:
        x = as_batched(x)
        return BatchedArray(getattr(namespace_of(x.value), name)(x.value), x.levels)

    function.__name__ = name
    return function


def _elementwise(name: str) -> Callable[..., Array]:
    def function(*operands: Array) -> Array:
        levels = merged_levels(operands)
        ndim = max(x.ndim for x in operands if hasattr(x, "ndim"))
        values = [spread(x, levels, ndim) if x.__class__ is BatchedArray else x for x in operands]
        xp = namespace_of(*[v for v in values if hasattr(v, "shape")])
        return BatchedArray(getattr(xp, name)(*values), levels)

    function.__name__ = name
    return function


COMPLEX_PARTS = ("conj", "real", "imag")
_ONE_BY_ONE = (*UNARY, *SPECIAL, *UNARY_PREDICATES, *COMPLEX_PARTS)
globals().update({name: _unary(name) for name in _ONE_BY_ONE})
globals().update({name: _elementwise(name) for name in _BROADCASTING})


def polygamma(n: int, x: Array) -> Array:
    x = as_batched(x)
    return BatchedArray(namespace_of(x.value).polygamma(n, x.value), x.levels)


def orthogonal_polynomial(family: str, x: Array, y: Array) -> Array:
    levels = merged_levels((x, y))
    ndim = max(x.ndim, y.ndim)
    values = [spread(v, levels, ndim) if v.__class__ is BatchedArray else v for v in (x, y)]
    return BatchedArray(namespace_of(*values).orthogonal_polynomial(family, *values), levels)


def astype(x: Array, dtype: np.dtype) -> Array:
    x = as_batched(x)
    return BatchedArray(namespace_of(x.value).astype(x.value, dtype), x.levels)


def copy(x: Array) -> Array:
    x = as_batched(x)
    return BatchedArray(namespace_of(x.value).copy(x.value), x.levels)


def dtype(x: Array) -> np.dtype:
    return x.dtype


def full(shape: Sequence[int], value: Any, dtype: np.dtype) -> Array:
    return BatchedArray(np.full(tuple(shape), value, dtype), ())


def arange(start: Any, end: Any, step: Any, dtype: np.dtype) -> Array:
    return BatchedArray(np.arange(start, end, step, dtype=dtype), ())


# -- reductions -------------------------------------------------------------------------------


def _reduction(name: str) -> Callable[..., Array]:
    def function(x: Array, dim: Any = None, keepdim: bool = False) -> Array:
        x = as_batched(x)
        k = len(x.levels)
        dims = range(x.ndim) if dim is None else dim
        reduce = getattr(namespace_of(x.value), name)
        return BatchedArray(reduce(x.value, tuple(k + d for d in dims), keepdim), x.levels)

    function.__name__ = name
    return function


globals().update({n: _reduction(n) for n in ("sum", "prod", "amax", "amin", "any", "all")})


def _arg_reduction(name: str) -> Callable[..., Array]:
    def function(x: Array, dim: int | None, keepdim: bool = False) -> Array:
        x = as_batched(x)
        xp = namespace_of(x.value)
        k = len(x.levels)
        if dim is not None:
            return BatchedArray(getattr(xp, name)(x.value, k + dim, keepdim), x.levels)
        rows = xp.reshape(x.value, (*x.batch, x.size))
        found = getattr(xp, name)(rows, k, False)
        if keepdim:
            found = xp.reshape(found, (*x.batch, *(1,) * x.ndim))
        return BatchedArray(found, x.levels)

    function.__name__ = name
    return function


argmax, argmin = _arg_reduction("argmax"), _arg_reduction("argmin")


def _along(name: str) -> Callable[..., Array]:
    def function(x: Array, dim: int, *options: Any, **named: Any) -> Array:
        x = as_batched(x)
        run = getattr(namespace_of(x.value), name)
        return BatchedArray(run(x.value, len(x.levels) + dim, *options, **named), x.levels)

    function.__name__ = name
    return function


cumsum, cumprod, argsort = _along("cumsum"), _along("cumprod"), _along("argsort")


# -- shape ------------------------------------------------------------------------------------


def reshape(x: Array, shape: Sequence[int]) -> Array:
    x = as_batched(x)
    if math.prod(shape) != x.size:
        raise ValueError(f"cannot reshape an array of shape {x.shape} into {tuple(shape)}")
    value = namespace_of(x.value).reshape(x.value, (*x.batch, *shape))
    return BatchedArray(value, x.levels)


def permute(x: Array, dims: Sequence[int]) -> Array:
    x = as_batched(x)
    k = len(x.levels)
    order = (*range(k), *(k + d for d in dims))
    return BatchedArray(namespace_of(x.value).permute(x.value, order), x.levels)


def expand(x: Array, shape: Sequence[int]) -> Array:
    x = as_batched(x)
    value = spread(x, x.levels, len(shape))
    return BatchedArray(namespace_of(value).expand(value, (*x.batch, *shape)), x.levels)


def flip(x: Array, dims: Sequence[int]) -> Array:
    x = as_batched(x)
    k = len(x.levels)
    return BatchedArray(namespace_of(x.value).flip(x.value, tuple(k + d for d in dims)), x.levels)


def cat(arrays: Sequence[Array], dim: int) -> Array:
    arrays = [as_batched(a) for a in arrays]
    levels = merged_levels(arrays)
    values = [spread(a, levels) for a in arrays]
    k = len(levels)
    batch = common_batch(values, k)
    values = [expanded(v, batch) for v in values]
    return BatchedArray(namespace_of(*values).cat(values, k + dim), levels)


def pad(x: Array, widths: Sequence[tuple[int, int]], value: float = 0) -> Array:
    x = as_batched(x)
    widths = (*((0, 0),) * len(x.levels), *widths)
    return BatchedArray(namespace_of(x.value).pad(x.value, widths, value), x.levels)


slice_ = slice


def slice(x: Array, key: Sequence[Any]) -> Array:
    x = as_batched(x)
    whole = (slice_(None),) * len(x.levels)
    return BatchedArray(namespace_of(x.value).slice(x.value, (*whole, *key)), x.levels)


def slice_scatter(x: Array, key: Sequence[Any], values: Array) -> Array:
    x, values = as_batched(x), as_batched(values)
    levels = merged_levels((x, values))
    k = len(levels)
    base = spread(x, levels)
    part = spread(values, levels, len(sliced_shape(x.shape, key)))
    base = expanded(base, common_batch((base, part), k))
    whole = (slice_(None),) * k
    xp = namespace_of(base, part)
    return BatchedArray(xp.slice_scatter(base, (*whole, *key), part), levels)


# -- gather and scatter -----------------------------------------------------------------------


def _together(*arrays: Array) -> tuple[tuple[Any, ...], list[Any]]:
    """The arrays' levels, and their values with all batch dims expanded."""
    made = [as_batched(a) for a in arrays]
    levels = merged_levels(made)
    values = [spread(a, levels) for a in made]
    batch = common_batch(values, len(levels))
    return levels, [expanded(v, batch) for v in values]


def gather(x: Array, dim: int, index: Array) -> Array:
    levels, (value, places) = _together(x, index)
    xp = namespace_of(value, places)
    return BatchedArray(xp.gather(value, len(levels) + dim, places), levels)


def _scatter(name: str) -> Callable[..., Array]:
    def function(x: Array, dim: int, index: Array, src: Array, *options: Any) -> Array:
        levels, (value, places, source) = _together(x, index, src)
        run = getattr(namespace_of(value, places, source), name)
        return BatchedArray(run(value, len(levels) + dim, places, source, *options), levels)

    function.__name__ = name
    return function


scatter, scatter_add = _scatter("scatter"), _scatter("scatter_add")
scatter_reduce = _scatter("scatter_reduce")


class _Indexing:
    """``x[indices]`` on the arrays underneath: the key, and where the result's dims come to lie.

    Indices that are the same for all members select along their dims as they are, whole batch
    dims before them.  Others are joined by one index array for each batch dim.
    """

    def __init__(self, x: BatchedArray, indices: Sequence[Any], *more: BatchedArray) -> None:
        arrays = [None if i is None else as_batched(i) for i in indices]
        present = [a for a in arrays if a is not None]
        self.levels = merged_levels((x, *present, *more))
        k = self.k = len(self.levels)
        self.value = spread(x, self.levels)
        rank = max(a.ndim for a in present)
        values = [None if a is None else spread(a, self.levels, rank) for a in arrays]
        given = [v for v in values if v is not None]
        if more:  # the result of a write has every batch dim in full
            others = [spread(m, self.levels) for m in more]
            self.value = expanded(self.value, common_batch((self.value, *given, *others), k))
        at = [i for i, a in enumerate(arrays) if a is not None]
        adjacent = at == list(range(at[0], at[-1] + 1))
        self.before = at[0] if adjacent else 0
        self.varying = builtins.any(n != 1 for v in given for n in v.shape[:k])
        xp = namespace_of(*given)
        if self.varying:
            self.key: list[Any] = []
            for i in range(k):
                n = self.value.shape[i]
                self.key.append(np.arange(n).reshape((*(1,) * i, n, *(1,) * (k - 1 - i + rank))))
            self.key += values
        else:
            self.key = [None] * k
            self.key += [None if v is None else xp.reshape(v, v.shape[k:]) for v in values]
        # where the batch, the indexed dims and the rest lie in what the namespace gives
        rest = x.ndim - len(present)
        batch, indexed = range(k), range(k, k + rank)
        whole = range(k + rank, k + rank + rest)
        logical = (*batch, *whole[: self.before], *indexed, *whole[self.before :])
        if self.varying:
            found: tuple[int, ...] = (*batch, *indexed, *whole)
            if adjacent and self.before == 0:
                found = logical
        elif adjacent:
            found = logical
        else:
            found = (*indexed, *batch, *whole)
        self.to_logical = tuple(found.index(d) for d in logical)
        self.from_logical = tuple(logical.index(d) for d in found)

    def namespace(self, *arrays: Any) -> Any:
        return namespace_of(*arrays, *[i for i in self.key if i is not None])


def index(x: Array, indices: Sequence[Array | None]) -> Array:
    x = as_batched(x)
    plan = _Indexing(x, indices)
    found = plan.namespace(plan.value).index(plan.value, tuple(plan.key))
    return BatchedArray(_permuted(found, plan.to_logical), plan.levels)


def _permuted(value: Any, order: tuple[int, ...]) -> Any:
    if order == tuple(range(len(order))):
        return value
    return namespace_of(value).permute(value, order)


def index_put(
    x: Array, indices: Sequence[Array | None], values: Array, accumulate: bool = False
) -> Array:
    x, values = as_batched(x), as_batched(values)
    plan = _Indexing(x, indices, values)
    ndim = len(indexed_shape(x.shape, [None if i is None else as_batched(i) for i in indices]))
    source = _permuted(spread(values, plan.levels, ndim), plan.from_logical)
    xp = plan.namespace(plan.value, source)
    return BatchedArray(xp.index_put(plan.value, tuple(plan.key), source, accumulate), plan.levels)


# -- contraction ------------------------------------------------------------------------------


def matmul(x: Array, y: Array) -> Array:
    x, y = as_batched(x), as_batched(y)
    levels = merged_levels((x, y))
    k = len(levels)
    outer = max(x.ndim, y.ndim, 2)
    row, column = x.ndim == 1, y.ndim == 1
    left, right = (
        spread(x, levels, None if row else outer),
        spread(y, levels, None if column else outer),
    )
    xp = namespace_of(left, right)
    if row:
        left = xp.reshape(left, (*left.shape[:k], *(1,) * (outer - 1), x.shape[0]))
    if column:
        right = xp.reshape(right, (*right.shape[:k], *(1,) * (outer - 2), y.shape[0], 1))
    if left.shape[-1] != right.shape[-2]:
        raise ValueError(f"matmul: shapes {x.shape} and {y.shape} do not fit")
    result = _product(xp, left, right)
    shape = result.shape
    if column:
        shape = shape[:-1]
    if row:
        shape = (*shape[: -2 + column], *shape[len(shape) - 1 + column :])
    return BatchedArray(result if shape == result.shape else xp.reshape(result, shape), levels)


def _product(xp: Any, left: Any, right: Any) -> Any:
    """The product of matrices; where one side is a single matrix, as one product of two."""
    n, m = left.shape[-2], right.shape[-1]
    if left.ndim == 2:
        return xp.matmul(left, right)
    if math.prod(right.shape[:-2]) == 1:
        rows = xp.reshape(left, (math.prod(left.shape[:-1]), left.shape[-1]))
        found = xp.matmul(rows, xp.reshape(right, right.shape[-2:]))
        return xp.reshape(found, (*left.shape[:-1], m))
    if m == 1 and math.prod(left.shape[:-2]) == 1:
        rows = xp.reshape(right, (math.prod(right.shape[:-2]), right.shape[-2]))
        found = xp.matmul(rows, xp.permute(xp.reshape(left, left.shape[-2:]), (1, 0)))
        return xp.reshape(found, (*right.shape[:-2], n, 1))
    return xp.matmul(left, right)


# -- Fourier transforms -------------------------------------------------------------------------


def _transform(name: str) -> Callable[..., Array]:
    def function(x: Array, dims: Sequence[int], *options: Any) -> Array:
        x = as_batched(x)
        k = len(x.levels)
        run = getattr(namespace_of(x.value), name)
        return BatchedArray(run(x.value, tuple(k + d for d in dims), *options), x.levels)

    function.__name__ = name
    return function


fft, rfft, irfft = _transform("fft"), _transform("rfft"), _transform("irfft")


# -- matrices ---------------------------------------------------------------------------------


def factors(x: Array, kind: str) -> tuple[Array, ...]:
    x = as_batched(x)
    return tuple(BatchedArray(p, x.levels) for p in namespace_of(x.value).factors(x.value, kind))


def factor(x: Array, kind: str, part: int) -> Array:
    x = as_batched(x)
    return BatchedArray(namespace_of(x.value).factor(x.value, kind, part), x.levels)


inverse, matrix_exp = _unary("inverse"), _unary("matrix_exp")


def _system(name: str) -> Callable[..., Array]:
    def function(x: Array, y: Array, *options: bool) -> Array:
        x, y = as_batched(x), as_batched(y)
        levels = merged_levels((x, y))
        outer = max(x.ndim, y.ndim)
        a, b = spread(x, levels, outer), spread(y, levels, outer)
        return BatchedArray(getattr(namespace_of(a, b), name)(a, b, *options), levels)

    function.__name__ = name
    return function


solve, solve_triangular = _system("solve"), _system("solve_triangular")


# -- convolution ------------------------------------------------------------------------------


class _Folding:
    """Batch dims of a convolution's two operands, folded into its samples and its groups.

    A batch dim along which the second operand (the weight) is the same goes into the samples;
    the others make ``count`` convolutions, which become groups of one.
    """

    def __init__(self, levels: Any, first: Any, second: Any) -> None:
        k = self.k = len(levels)
        self.levels = levels
        self.samples = [i for i in range(k) if second.shape[i] == 1]
        self.groups = [i for i in range(k) if second.shape[i] != 1]
        self.sizes = common_batch((first, second), k)
        self.batch = math.prod(self.sizes[i] for i in self.samples)
        self.count = math.prod(self.sizes[i] for i in self.groups)
        self.same = builtins.all(first.shape[i] == 1 for i in self.groups)
        """Whether the first operand is the same for all groups."""

    def fold_first(self, xp: Any, value: Any, spread_out: bool) -> Any:
        """(*batch, N, C, ...) as (samples * N, groups * C, ...)."""
        k = self.k
        if spread_out:
            value = expanded(value, self.sizes)
        sizes = [value.shape[i] for i in range(k)]
        n, c, *rest = value.shape[k:]
        order = (*self.samples, k, *self.groups, k + 1, *range(k + 2, value.ndim))
        value = _permuted(value, order)
        batch = math.prod(sizes[i] for i in self.samples)
        count = math.prod(sizes[i] for i in self.groups)
        return xp.reshape(value, (batch * n, count * c, *rest))

    def fold_second(self, xp: Any, value: Any) -> Any:
        """(*batch, F, ...) as (groups * F, ...)."""
        f, *rest = value.shape[self.k :]
        return xp.reshape(value, (math.prod(value.shape[: self.k]) * f, *rest))

    def unfold_first(self, xp: Any, value: Any) -> Any:
        """(samples * N, groups * C, ...) as (*batch, N, C, ...)."""
        k = self.k
        outer = [self.sizes[i] for i in self.samples]
        inner = [self.sizes[i] for i in self.groups]
        n, c = value.shape[0] // max(1, self.batch), value.shape[1] // max(1, self.count)
        value = xp.reshape(value, (*outer, n, *inner, c, *value.shape[2:]))
        order = (*self.samples, k, *self.groups, k + 1, *range(k + 2, value.ndim))
        return _permuted(value, tuple(order.index(d) for d in range(value.ndim)))


def _folding(first: Array, second: Array) -> tuple[Any, _Folding, Any, Any]:
    first, second = as_batched(first), as_batched(second)
    levels = merged_levels((first, second))
    a, b = spread(first, levels), spread(second, levels)
    return namespace_of(a, b), _Folding(levels, a, b), a, b


def conv(x: Array, weight: Array, stride: Any, padding: Any, dilation: Any, groups: int) -> Array:
    xp, fold, value, filters = _folding(x, weight)
    together = fold.same and groups == 1  # all filters on the same input: just more filters
    found = xp.conv(
        fold.fold_first(xp, value, not together and fold.count > 1), fold.fold_second(xp, filters),
        stride, padding, dilation, groups if together else groups * fold.count,
    )  # fmt: skip
    return _unfolded(xp, fold, found, value, together)


def _unfolded(xp: Any, fold: _Folding, found: Any, value: Any, together: bool) -> Array:
    """What the folded convolution gave, with its batch dims; those of size 1 may be left so."""
    if together or fold.count == 1:
        fold.sizes = tuple(
            fold.sizes[i] if i in fold.groups else value.shape[i] for i in range(fold.k)
        )
        fold.batch = math.prod(fold.sizes[i] for i in fold.samples)
    return BatchedArray(fold.unfold_first(xp, found), fold.levels)


def conv_input(
    grad: Array, weight: Array, input_shape: Any, stride: Any, padding: Any, dilation: Any,
    groups: int,
) -> Array:  # fmt: skip
    xp, fold, value, filters = _folding(grad, weight)
    folded = fold.fold_first(xp, value, fold.count > 1)
    _, channels, *spatial = input_shape
    shape = (folded.shape[0], fold.count * channels, *spatial)
    found = xp.conv_input(
        folded, fold.fold_second(xp, filters), shape, stride, padding, dilation,
        groups * fold.count,
    )  # fmt: skip
    return _unfolded(xp, fold, found, value, False)


def conv_weight(
    grad: Array, x: Array, weight_shape: Any, stride: Any, padding: Any, dilation: Any, groups: int
) -> Array:
    grad, x = as_batched(grad), as_batched(x)
    levels = merged_levels((grad, x))
    k = len(levels)
    outer, inner = spread(grad, levels), spread(x, levels)
    xp = namespace_of(outer, inner)
    sizes = common_batch((outer, inner), k)
    count = math.prod(sizes)
    filters, channels, *kernel = weight_shape
    together = groups == 1 and math.prod(inner.shape[:k]) == 1
    if not together:
        inner = expanded(inner, sizes)
    outer = expanded(outer, sizes)
    found = xp.conv_weight(
        _batch_in_channels(xp, outer, k), _batch_in_channels(xp, inner, k),
        (count * filters, channels, *kernel), stride, padding, dilation,
        1 if together else groups * count,
    )  # fmt: skip
    return BatchedArray(xp.reshape(found, (*sizes, *weight_shape)), levels)


def _batch_in_channels(xp: Any, value: Any, k: int) -> Any:
    """(*batch, N, C, ...) as (N, batch * C, ...)."""
    n, c, *rest = value.shape[k:]
    count = math.prod(value.shape[:k])
    value = _permuted(value, (k, *range(k), *range(k + 1, value.ndim)))
    return xp.reshape(value, (n, count * c, *rest))


# -- pooling: the windows lie in the last dims, whatever is in front ------------------------------


def max_pool_indices(x: Array, *window: Any, **named: Any) -> Array:
    x = as_batched(x)
    run = namespace_of(x.value).max_pool_indices
    return BatchedArray(run(x.value, *window, **named), x.levels)


def avg_pool(x: Array, *window: Any, **named: Any) -> Array:
    x = as_batched(x)
    return BatchedArray(namespace_of(x.value).avg_pool(x.value, *window, **named), x.levels)


def avg_pool_input(grad: Array, input_shape: Any, *window: Any, **named: Any) -> Array:
    grad = as_batched(grad)
    run = namespace_of(grad.value).avg_pool_input
    found = run(grad.value, (*grad.batch, *input_shape), *window, **named)
    return BatchedArray(found, grad.levels)


# -- recurrence -------------------------------------------------------------------------------


def scan(
    step: Any, carries: Sequence[Array], xs: Sequence[Array], consts: Sequence[Array],
    reverse: bool = False,
) -> list[Array]:  # fmt: skip
    groups = [[as_batched(a) for a in group] for group in (carries, xs, consts)]
    levels = merged_levels([a for group in groups for a in group])
    k = len(levels)
    first, series, fixed = [[spread(a, levels) for a in group] for group in groups]
    batch = common_batch([*first, *series, *fixed], k)
    first = [expanded(v, batch) for v in first]
    series = [_permuted(v, (k, *range(k), *range(k + 1, v.ndim))) for v in series]

    def stepped(xp: Any, *given: Any) -> list[Any]:
        wrapped = [[BatchedArray(v, levels) for v in group] for group in given]
        found = [as_batched(o) for o in step(_THIS, *wrapped)]
        return [expanded(spread(o, levels), batch) for o in found]

    results = namespace_of(*first, *series, *fixed).scan(stepped, first, series, fixed, reverse)
    return [
        BatchedArray(_permuted(r, (*range(1, k + 1), 0, *range(k + 1, r.ndim))), levels)
        for r in results
    ]


_THIS = sys.modules[__name__]


# -- what has no rule of its own --------------------------------------------------------------

ARRAY_PARAMETERS = frozenset("x y condition values index src weight grad".split())


def _member_by_member(name: str) -> Callable[..., Any]:
    """The primitive ``name`` for one member after the other."""
    signature = inspect.signature(RULES[name])

    def function(*args: Any, **kwargs: Any) -> Any:
        bound = signature.bind(*args, **kwargs)
        bound.apply_defaults()
        given = bound.arguments
        names = [n for n in given if n in ARRAY_PARAMETERS and hasattr(given[n], "shape")]
        levels, values = _together(*[given[n] for n in names])
        k = len(levels)
        batch = tuple(values[0].shape[:k])
        xp = namespace_of(*values)
        found = []
        for at in np.ndindex(*batch):
            given.update(zip(names, [xp.slice(v, at) if at else v for v in values]))
            found.append(getattr(xp, name)(*bound.args, **bound.kwargs))
        several = isinstance(found[0], (tuple, list))
        columns = list(zip(*found)) if several else [found]
        joined = []
        for column in columns:
            shape = tuple(column[0].shape)
            rows = xp.cat([xp.reshape(c, (1, *shape)) for c in column], 0)
            joined.append(BatchedArray(xp.reshape(rows, (*batch, *shape)), levels))
        return type(found[0])(joined) if several else joined[0]

    function.__name__ = name
    return function


def __getattr__(name: str) -> Any:
    if name not in RULES:
        raise AttributeError(f"no primitive {name!r}")
    function = _member_by_member(name)
    globals()[name] = function
    return function


# -- what a namespace has besides ---------------------------------------------------------------


def device_of(array: BatchedArray) -> Any:
    from ..device import device_of

    return device_of(array.value)


def refuse_concrete(wanted: str) -> None:
    """Raise for a program that asks for a value, of which each member has its own."""
    if wanted == "bool()":
        raise RuntimeError(
            "vmap: It looks like you're attempting to use a Tensor in some data-dependent control "
            "flow. We don't support that yet: every member of the batch would have to take the "
            "same branch. Write it with torch.where, or loop over the batch instead of vmap."
        )
    if wanted in ("nonzero()", "unique()"):
        raise RuntimeError(
            "vmap: We do not support batching operators that can output dynamic shape. Attempted "
            f"to vmap over {wanted}: the members' results would have different shapes."
        )
    raise RuntimeError(
        f"vmap: It looks like you're calling .{wanted} on a Tensor. We don't support vmap over "
        f"calling .{wanted} on a Tensor, please try to rewrite what you're doing with other "
        "operations: inside vmap a tensor has one value for each member of the batch."
    )


def run(operation: Any, arrays: Sequence[Any]) -> Any:
    """An operation's definition on batched arrays; half precision is computed in float32."""
    half = next((a.dtype for a in _flat(arrays) if a.dtype.name in _HALF), None)
    if half is None or operation.view or operation.name == "astype":
        return operation.forward(_THIS, *arrays)
    result = operation.forward(_THIS, *[_widened(a) for a in arrays])
    if isinstance(result, tuple):
        return tuple(_narrowed(r, half) for r in result)
    return _narrowed(result, half)


_HALF = frozenset(("float16", "bfloat16"))


def _flat(arrays: Sequence[Any]) -> list[Any]:
    every = [b for a in arrays for b in (a if isinstance(a, (list, tuple)) else (a,))]
    return [a for a in every if a.__class__ is BatchedArray or a.__class__ is np.ndarray]


def _widened(value: Any) -> Any:
    if isinstance(value, list):
        return [_widened(v) for v in value]
    if isinstance(value, (BatchedArray, np.ndarray)) and value.dtype.name in _HALF:
        return astype(value, np.dtype(np.float32))
    return value


def _narrowed(value: Any, dtype: np.dtype) -> Any:
    if getattr(value, "dtype", None) == np.float32:
        return astype(value, dtype)
    return value


_RANDOM_FILLS = frozenset(
    "bernoulli_ cauchy_ exponential_ geometric_ log_normal_ normal_ random_ uniform_".split()
)


def write(target: BatchedArray, source: Any, name: str) -> bool:
    """Write ``source`` into the memory of ``target``; False if it has none.

    Raises:
        RuntimeError: ``target`` is the same for members for which ``source`` differs.
    """
    target, source = as_batched(target), as_batched(source)
    levels = merged_levels((target, source))
    into, values = spread(target, levels), spread(source, levels)
    k = len(levels)
    if builtins.any(n == 1 and m != 1 for n, m in zip(into.shape[:k], values.shape[:k])):
        if name in _RANDOM_FILLS:
            raise RuntimeError(
                "vmap: Cannot ask for different inplace randomness on an unbatched tensor. This "
                "will appear like same randomness. Make a tensor of random numbers instead "
                f"(torch.rand, torch.randn, ...), or call {name}() outside vmap."
            )
        raise RuntimeError(
            f"vmap: inplace arithmetic(self, *extra_args) is not possible because there exists a "
            f"Tensor `other` in extra_args that has more elements than `self`. This happened due "
            f"to `other` being vmapped over but `self` not being vmapped over in {name}(): "
            "create `self` from a tensor that is vmapped over (x.new_zeros and zeros_like are "
            "not), or use the out-of-place operator instead."
        )
    if into.__class__ is not np.ndarray or values.__class__ is not np.ndarray:
        return False
    np.copyto(into, values)
    return True


for _symbol, _name in {
    "add": "add", "sub": "sub", "mul": "mul", "truediv": "div", "floordiv": "floor_divide",
    "mod": "remainder", "pow": "pow", "and": "bitwise_and", "or": "bitwise_or",
    "xor": "bitwise_xor", "lshift": "bitwise_left_shift", "rshift": "bitwise_right_shift",
}.items():  # fmt: skip
    _function = globals()[_name]
    setattr(BatchedArray, f"__{_symbol}__", lambda x, y, f=_function: f(x, y))
    setattr(BatchedArray, f"__r{_symbol}__", lambda x, y, f=_function: f(y, x))
for _name in ("lt", "le", "gt", "ge"):
    _function = globals()[_name]
    setattr(BatchedArray, f"__{_name}__", lambda x, y, f=_function: f(x, y))
for _name, _operator in {
    "__matmul__": lambda x, y: matmul(x, y),
    "__rmatmul__": lambda x, y: matmul(y, x),
    "__neg__": lambda x: globals()["neg"](x),
    "__invert__": lambda x: globals()["bitwise_not"](x),
}.items():
    setattr(BatchedArray, _name, _operator)

register(BatchedArray, _THIS)
