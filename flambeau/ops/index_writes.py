"""Writes to places named by index tensors and masks, and reductions of what lands on one place.

Source: https://pytorch.org/docs/stable/torch.html#indexing-slicing-joining-mutating-ops
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .dims import wrap_dim
from .dtype_checks import type_word
from .indexing import _check_along, index_put_values, scatter, scatter_add
from .operation import Array, Operation, composite, renamed
from .value_checks import refuse


def _along(
    name: str, input: Any, dim: int, index_: Any, source: Any = None
) -> tuple[Any, int, Any]:
    """``input`` (0-d made 1-d), the dim, and the index as a vector; refused where they misfit."""
    if index_._array.ndim > 1:
        raise IndexError(
            f"{name}_(): Index is supposed to be a vector, but got dim: {index_._array.ndim} with "
            f"type: {type_word(index_._array)} and size: {list(index_.shape)}"
        )
    if index_._array.dtype.kind not in "iu" or index_._array.dtype.itemsize < 4:
        raise IndexError(f"{name}_(): Expected dtype int32/int64 for index.")
    dim = wrap_dim(dim, input._array.ndim)
    if index_._array.ndim == 0:
        index_ = index_.reshape((1,))
    if not input._array.ndim:
        input = input.reshape((1,))
    if source is not None:
        if source._array.dtype != input._array.dtype and name != "index_copy":
            raise RuntimeError(
                f"{name}_(): self ({type_word(input._array)}) and source "
                f"({type_word(source._array)}) must have the same scalar type"
            )
        count, n = index_._array.shape[0], source._array.shape[dim] if source._array.ndim else 1
        if count != n:
            raise (IndexError if name == "index_copy" else RuntimeError)(
                f"{name}_(): Number of indices ({count}) should be equal to source.size(dim): "
                f"({n}), for dim: {dim}"
            )
        wanted = list(input._array.shape)
        wanted[dim] = count
        if name == "index_add" and source._array.ndim and list(source._array.shape) != wanted:
            raise RuntimeError(
                "source tensor shape must match self tensor shape, excluding the specified "
                f"dimension. Got self.shape = {list(input.shape)} source.shape = "
                f"{list(source.shape)}"
            )
        if source._array.ndim and list(source._array.shape) != wanted:
            raise RuntimeError(
                f"{name}_(): Source/destination tensor must have same slice shapes. Destination "
                f"slice shape: {list(input.shape)} at dimension {dim} and source slice shape: "
                f"{list(source.shape)} at dimension {dim}."
            )
    return input, dim, index_


def _put(input: Any, dim: int, index_: Any, values: Any, accumulate: bool) -> Any:
    return index_put_values(input, (*(None,) * dim, index_), values, accumulate)


@composite(out=True)
def index_add(input: Any, dim: int, index: Any, source: Any, *, alpha: float = 1) -> Any:
    """A copy of ``input`` with the entries of ``alpha * source`` added to those ``index`` names.

    Args:
        input: (*), any shape.
        dim: along which.
        index: (n,), int64 or int32; entries named more than once get all their sums.
        source: ``input``'s shape with n in the place of ``dim``, of its dtype.
        alpha: a number.

    Returns:
        (*), of ``input``'s dtype.

    Raises:
        IndexError: ``index`` has more than one dim, another dtype, or is out of range.
        RuntimeError: ``source`` does not fit.
    """
    shape = input.shape
    input, dim, index = _along("index_add", input, dim, index, source)
    if alpha != 1:
        source = source * alpha
    return _put(input, dim, index, source, True).reshape(shape)


@composite(out=True)
def index_copy(input: Any, dim: int, index: Any, source: Any) -> Any:
    """A copy of ``input`` with the entries that ``index`` names replaced by those of ``source``.

    Args:
        input: (*), any shape.
        dim: along which.
        index: (n,), int64 or int32.
        source: ``input``'s shape with n in the place of ``dim``, of its dtype.

    Returns:
        (*), of ``input``'s dtype.

    Raises:
        IndexError: ``index`` has more than one dim, another dtype or length, or is out of range.
        RuntimeError: ``source`` has another dtype or shape.
    """
    shape = input.shape
    if input.dtype is not source.dtype:
        raise RuntimeError(
            "index_copy_(): self and source expected to have the same dtype, but got (self) "
            f"{type_word(input._array)} and (source) {type_word(source._array)}"
        )
    input, dim, index = _along("index_copy", input, dim, index, source)
    return _put(input, dim, index, source, False).reshape(shape)


@composite
def index_fill(input: Any, dim: int, index: Any, value: Any) -> Any:
    """A copy of ``input`` with the entries that ``index`` names filled with ``value``.

    Args:
        input: (*), any shape.
        dim: along which.
        index: (n,), int64.
        value: a number, or a tensor without dims.

    Returns:
        (*), of ``input``'s dtype.

    Raises:
        IndexError: ``index`` has more than one dim, another dtype, or is out of range.
        RuntimeError: ``value`` has dims.
    """
    from ..tensor import Tensor, wrap

    shape = input.shape
    if index._array.dtype != np.int64:
        raise IndexError("index_fill_(): Expected dtype int64 for index.")
    input, dim, index = _along("index_fill", input, dim, index)
    if index._array.__class__ is np.ndarray:
        index = wrap(np.unique(index._array))  # so that the value's gradient counts each once
    if isinstance(value, Tensor):
        if value._array.ndim:
            raise RuntimeError(
                "index_fill_ only supports a 0-dimensional value tensor, but got tensor with "
                f"{value._array.ndim} dimension(s)."
            )
        value = value.to(input.dtype)
    else:
        value = input.new_full((), value)
    return _put(input, dim, index, value, False).reshape(shape)


@composite(out=True)
def index_reduce(
    input: Any, dim: int, index: Any, source: Any, reduce: str, *, include_self: bool = True
) -> Any:
    """A copy of ``input`` with the entries of ``source`` that land on each place reduced into it.

    Args:
        input: (*), any shape.
        dim: along which.
        index: (n,), int64 or int32: where each entry of ``source`` lands.
        source: ``input``'s shape with n in the place of ``dim``, of its dtype.
        reduce: ``"prod"``, ``"mean"``, ``"amax"`` or ``"amin"``.
        include_self: whether the entries of ``input`` take part.

    Returns:
        (*), of ``input``'s dtype.

    Raises:
        IndexError: ``index`` has more than one dim, or another dtype.
        RuntimeError: another ``reduce``, ``source`` does not fit, or an index is out of range.
    """
    shape = input.shape
    if reduce not in ("prod", "mean", "amax", "amin"):
        raise RuntimeError(f"reduce argument must be either prod, mean, amax or amin, got {reduce}")
    input, dim, index = _along("index_reduce", input, dim, index, source)
    if not source._array.ndim:
        source = source.reshape((1,))
    spread = [1] * source._array.ndim
    spread[dim] = index._array.shape[0]
    wide = index.reshape(tuple(spread)).expand(source.shape)
    found = scatter_reduce(input, dim, wide, source, reduce, include_self=include_self)
    return found.reshape(shape)


@composite
def put(input: Any, index: Any, source: Any, accumulate: bool = False) -> Any:
    """A copy of ``input`` with ``source`` put at the places ``index`` of all elements in a row.

    Args:
        input: (*), any shape.
        index: int64, any shape; negative ones count from the end.
        source: as many elements as ``index``, of ``input``'s dtype.
        accumulate: whether to add instead of replacing.

    Returns:
        (*), of ``input``'s dtype.

    Raises:
        IndexError: ``index`` and ``source`` differ in size, or an index is out of range.
        RuntimeError: ``source`` has another dtype.
    """
    if index.numel() != source.numel():
        raise IndexError(
            "put_(): Expected source and index to have the same number of elements, but got "
            f"source.numel() = {source.numel()}, index.numel() = {index.numel()}"
        )
    if input.dtype is not source.dtype:
        raise RuntimeError(
            "put_(): self and source expected to have the same dtype, but got self.dtype = "
            f"{type_word(input._array)} and source.dtype = {type_word(source._array)}"
        )
    flat = input.reshape((input.numel(),))
    places = index.reshape((index.numel(),))
    values = source.reshape((source.numel(),))
    return index_put_values(flat, (places,), values, accumulate).reshape(input.shape)


# -- masks ------------------------------------------------------------------------------------


@composite(out=True)
def masked_select(input: Any, mask: Any) -> Any:
    """The elements where ``mask`` holds, in a row.

    Args:
        input: (*), any shape.
        mask: bool; the shapes broadcast.

    Returns:
        (n,), ``input``'s dtype; a copy.

    Raises:
        RuntimeError: ``mask`` is not bool, or the shapes do not broadcast.
    """
    from .shape import broadcast_tensors

    if mask._array.dtype != np.bool_:
        raise RuntimeError("masked_select: expected BoolTensor for mask")
    input, mask = broadcast_tensors(input, mask)
    if not input._array.ndim:
        input, mask = input.reshape((1,)), mask.reshape((1,))
    return renamed(input[mask], "MaskedSelectBackward0")


@composite
def masked_scatter(input: Any, mask: Any, source: Any) -> Any:
    """A copy of ``input`` with the elements of ``source``, in turn, where ``mask`` holds.

    Args:
        input: (*), any shape.
        mask: bool; the shapes broadcast.
        source: of ``input``'s dtype, with at least as many elements as ``mask`` has true ones.

    Returns:
        The broadcast shape, ``input``'s dtype.

    Raises:
        RuntimeError: a dtype differs, ``source`` has too few elements, or the shapes do not
            broadcast.
    """
    from .shape import broadcast_tensors

    if input.dtype is not source.dtype:
        raise RuntimeError(
            "masked_scatter: expected self and source to have same dtypes but got"
            f"{type_word(input._array)} and {type_word(source._array)}"
        )
    if mask._array.dtype != np.bool_:
        raise RuntimeError("masked_scatter_ only supports boolean masks, but got mask with dtype "
                           f"{mask.dtype}")  # fmt: skip
    input, mask = broadcast_tensors(input, mask)
    count, flat = source.numel(), mask.reshape((mask.numel(),))
    turns = flat.cumsum(0)  # of each place that the mask has: the how manieth it is
    if flat.numel():
        message = "Number of elements of source < number of ones in mask"
        refuse(turns[-1] > count, RuntimeError, message)
    if not count or not flat.numel():
        return input.clone()
    chosen = source.reshape((count,))[(turns - 1).clamp(min=0, max=count - 1)]
    return chosen.reshape(tuple(input.shape)).where(mask, input)


# -- reductions of what lands on one place ----------------------------------------------------


def _scatter_reduction(name: str, reduce: str, doc: str) -> Operation:
    def forward(xp: Any, input: Array, dim: int, index: Array, src: Array) -> Any:
        return xp.scatter_reduce(input, wrap_dim(dim, input.ndim), index, src, reduce)

    forward.__doc__ = doc
    defined = Operation(
        forward, name=name, public=False, method=False, node_name="ScatterReduceBackward0",
        domain=(0.5, 2.0), samples=(((3, 4), 1, "index(3,3)4", (3, 3)),
                                    ((3, 4), 0, "index(4,4)3", (4, 4))),
    )  # fmt: skip

    @defined.checked
    def _(input: Any, dim: Any, index: Any, src: Any) -> None:
        _check_along("scatter", input, dim, index, src)

    return defined


scatter_product = _scatter_reduction(
    "scatter_product", "prod", "``input`` times the elements of ``src`` that land on each place."
)
scatter_largest = _scatter_reduction(
    "scatter_largest", "amax", "The largest of ``input`` and what of ``src`` lands on each place."
)
scatter_smallest = _scatter_reduction(
    "scatter_smallest", "amin", "The smallest of ``input`` and what of ``src`` lands on each place."
)


def _covered(xp: Any, src: Any, index_: Any) -> Any:
    """The part of ``src`` that ``index`` has an entry for."""
    if tuple(src.shape) == tuple(index_.shape):
        return src
    return xp.slice(src, tuple(slice(0, n) for n in index_.shape))


def _back(xp: Any, grad: Any, shape: tuple[int, ...]) -> Any:
    """``grad`` of the covered part, with zeros for the rest of ``shape``."""
    if tuple(grad.shape) == shape:
        return grad
    return xp.pad(grad, tuple((0, m - n) for n, m in zip(grad.shape, shape)), 0)


@scatter_product.vjp("input")
def _(xp, grad, input, dim, index, src):
    dim = wrap_dim(dim, input.ndim)
    others = xp.scatter_reduce(xp.where(xp.eq(input, 0), 1.0, input), dim, index, src, "prod")
    return grad * others / xp.where(xp.eq(input, 0), 1.0, input)


@scatter_product.vjp("src")
def _(xp, grad, input, dim, index, src):
    dim = wrap_dim(dim, input.ndim)
    part = _covered(xp, src, index)
    zero = xp.eq(part, 0)
    counts = xp.full(tuple(input.shape), 0, xp.dtype(grad))
    counts = xp.scatter_add(counts, dim, index, xp.astype(zero, xp.dtype(grad)))
    alone = xp.logical_and(zero, xp.eq(xp.gather(counts, dim, index), 1))
    # where one factor is zero its gradient is the product of the others, else the whole over it
    rest = xp.scatter_reduce(input, dim, index, xp.where(alone, 1.0, part), "prod")
    whole = xp.scatter_reduce(input, dim, index, part, "prod")
    found = xp.where(
        alone,
        xp.gather(grad * rest, dim, index),
        xp.gather(grad * whole, dim, index) / xp.where(zero, 1.0, part),
    )
    return _back(xp, found, tuple(src.shape))


def _extreme_share(
    xp: Any, grad: Any, input: Any, dim: int, index_: Any, part: Any, out: Any
) -> Any:
    """Which elements of both are the result, and the gradient divided among them."""
    dim = wrap_dim(dim, input.ndim)
    dtype = xp.dtype(grad)
    own = xp.astype(xp.eq(input, out), dtype)
    given = xp.astype(xp.eq(part, xp.gather(out, dim, index_)), dtype)
    zeros = xp.full(tuple(input.shape), 0, dtype)
    total = own + xp.scatter_add(zeros, dim, index_, given)
    return own, given, grad / total


for _defined in (scatter_largest, scatter_smallest):

    @_defined.vjp("input")
    def _(xp, grad, input, dim, index, src, out):
        part = _covered(xp, src, index)
        own, _given, share = _extreme_share(xp, grad, input, dim, index, part, out)
        return own * share

    @_defined.vjp("src")
    def _(xp, grad, input, dim, index, src, out):
        part = _covered(xp, src, index)
        _own, given, share = _extreme_share(xp, grad, input, dim, index, part, out)
        taken = given * xp.gather(share, wrap_dim(dim, input.ndim), index)
        return _back(xp, taken, tuple(src.shape))


@composite(out=True)
def scatter_reduce(
    input: Any, dim: int, index: Any, src: Any, reduce: str, *, include_self: bool = True
) -> Any:
    """A copy of ``input`` with what of ``src`` lands on each place along ``dim`` reduced into it.

    Args:
        input: (*), any shape.
        dim: the dim that ``index`` counts along.
        index: int64 or int32, as many dims as ``input``, in no other dim larger.
        src: of ``input``'s dtype, at least as large as ``index``, which covers its beginning.
        reduce: ``"sum"``, ``"prod"``, ``"mean"``, ``"amax"`` or ``"amin"``.
        include_self: whether the elements of ``input`` take part.

    Returns:
        (*), of ``input``'s dtype; means of whole numbers are rounded down.

    Raises:
        RuntimeError: another ``reduce``, an index out of range, or a shape or dtype does not fit.
    """
    if reduce not in ("sum", "prod", "mean", "amax", "amin"):
        raise RuntimeError(
            f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}"
        )
    if not input._array.ndim:
        lifted = scatter_reduce(
            input.reshape((1,)), dim, index.reshape((-1,)), src.reshape((-1,)), reduce,
            include_self=include_self,
        )  # fmt: skip
        return lifted.reshape(())
    if not index.numel():
        return input.clone()
    if input._array.dtype.kind == "b":
        counted = scatter_reduce(
            input.long(), dim, index, src.long(), reduce, include_self=include_self
        )
        return counted.bool()
    if not include_self:
        floating = input.is_floating_point()
        lowest = -np.inf if floating else np.iinfo(input._array.dtype).min
        highest = np.inf if floating else np.iinfo(input._array.dtype).max
        neutral = {"prod": 1, "amax": lowest, "amin": highest}.get(reduce, 0)
        input = scatter(input, dim, index, value=neutral)
    if reduce in ("sum", "mean"):
        total = scatter_add(input, dim, index, src)
        if reduce == "sum":
            return total
        counts = input.detach().new_ones(input.shape)
        if not include_self:
            counts = scatter(counts, dim, index, value=0)
        counts = scatter_add(counts, dim, index, counts.new_ones(index.shape)).clamp(min=1)
        if input.is_floating_point():
            return total / counts
        return total.div(counts, rounding_mode="floor")
    chosen = {"prod": scatter_product, "amax": scatter_largest, "amin": scatter_smallest}[reduce]
    return chosen(input, dim, index, src)
