"""Diagonals: as views, written to, and matrices made of them.

Source: https://pytorch.org/docs/stable/generated/torch.diagonal.html
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .dims import wrap_dim
from .operation import Array, composite, operation


def _two_dims(ndim: int, dim1: int, dim2: int) -> tuple[int, int]:
    first, second = wrap_dim(dim1, ndim), wrap_dim(dim2, ndim)
    if first == second:
        raise RuntimeError(f"diagonal dimensions cannot be identical {dim1}, {dim2}")
    return first, second


def _places(
    shape: Any, offset: int, dim1: int, dim2: int
) -> tuple[tuple[int, ...], tuple[Any, Any]]:
    """The order of dims with ``dim1`` and ``dim2`` in front, and the diagonal's places."""
    n = len(shape)
    dim1, dim2 = _two_dims(n, dim1, dim2)
    start1, start2 = max(0, -offset), max(0, offset)
    length = max(0, min(shape[dim1] - start1, shape[dim2] - start2))
    order = (dim1, dim2, *(d for d in range(n) if d not in (dim1, dim2)))
    return order, (np.arange(length) + start1, np.arange(length) + start2)


@operation(view=True, samples=(((3, 4),), ((3, 4), 1), ((2, 4, 3), -1, 1, 2), ((3, 2, 3), 0, 0, 2)))
def diagonal(xp, input: Array, offset: int = 0, dim1: int = 0, dim2: int = 1):
    """A view of the diagonal of the dims ``dim1`` and ``dim2``, as the last dim.

    Args:
        input: (*), at least two dims.
        offset: which diagonal: 0 the main one, above it if positive, below it if negative.
        dim1, dim2: the rows and the columns of the matrices.

    Returns:
        The other sizes, then the diagonal's length.

    Raises:
        RuntimeError: ``dim1`` and ``dim2`` are the same.
        IndexError: a dim that is not there.
    """
    order, (rows, columns) = _places(input.shape, offset, dim1, dim2)
    taken = xp.index(xp.permute(input, order), (rows, columns))
    return xp.permute(taken, (*range(1, taken.ndim), 0))


@diagonal.kernel
def _(input, offset=0, dim1=0, dim2=1):
    result = np.diagonal(input, offset, *_two_dims(input.ndim, dim1, dim2))
    if input.flags.writeable:
        result.flags.writeable = True
    return result


def _diagonal_replaced(xp: Any, base: Any, values: Any, offset: int, dim1: int, dim2: int) -> Any:
    order, (rows, columns) = _places(base.shape, offset, dim1, dim2)
    front = xp.permute(values, (values.ndim - 1, *range(values.ndim - 1)))
    put = xp.index_put(xp.permute(base, order), (rows, columns), front, False)
    return xp.permute(put, tuple(order.index(d) for d in range(len(order))))


@diagonal.vjp("input")
def _(xp, grad, input_shape, offset, dim1, dim2):
    zeros = xp.full(tuple(input_shape), 0, xp.dtype(grad))
    return _diagonal_replaced(xp, zeros, grad, offset, dim1, dim2)


@diagonal.scattered
def _(xp, base, values, offset, dim1, dim2):
    return _diagonal_replaced(xp, base, values, offset, dim1, dim2)


@operation(samples=(((3,),), ((2, 3), 1), ((2, 3), -1, 0, 2)), out=False)
def diag_embed(xp, input: Array, offset: int = 0, dim1: int = -2, dim2: int = -1):
    """Matrices, in the dims ``dim1`` and ``dim2``, that have the last dim as their diagonals.

    Args:
        input: (*, n).
        offset: which diagonal: 0 the main one, above it if positive, below it if negative.
        dim1, dim2: the rows and the columns of the matrices in the result.

    Returns:
        (*, m, m) with m = n + abs(offset), of ``input``'s dtype; zeros elsewhere.

    Raises:
        RuntimeError: ``dim1`` and ``dim2`` are the same.
        IndexError: a dim that is not there.
    """
    n = input.ndim + 1
    size = input.shape[-1] + abs(offset)
    dim1, dim2 = _two_dims(n, dim1, dim2)
    rest = iter(input.shape[:-1])
    shape = tuple(size if d in (dim1, dim2) else next(rest) for d in range(n))
    return _diagonal_replaced(xp, xp.full(shape, 0, xp.dtype(input)), input, offset, dim1, dim2)


@diag_embed.vjp("input")
def _(xp, grad, offset, dim1, dim2):
    order, (rows, columns) = _places(grad.shape, offset, dim1, dim2)
    taken = xp.index(xp.permute(grad, order), (rows, columns))
    return xp.permute(taken, (*range(1, taken.ndim), 0))


@composite
def diag(input: Any, diagonal: int = 0, *, out: Any = None) -> Any:
    """The diagonal of a matrix, or the matrix that has a vector as its diagonal; a copy.

    Args:
        input: (n, m) or (n,).
        diagonal: 0 the main one, above it if positive, below it if negative.
        out: a tensor to write the result into (RuntimeError: its dtype cannot hold it).

    Returns:
        (k,), the diagonal's length; or (n + abs(diagonal), n + abs(diagonal)).

    Raises:
        RuntimeError: ``input`` has another number of dims.
    """
    ndim = input._array.ndim
    if ndim not in (1, 2):
        raise RuntimeError(f"diag(): Supports 1D or 2D tensors. Got {ndim}D")
    if ndim == 1:
        result = diag_embed(input, diagonal)
    else:
        result = globals()["diagonal"](input, diagonal).clone()
    if out is not None:
        from ..tensor.views import write_out

        return write_out("diag", result, out)
    return result


@composite
def diagflat(input: Any, offset: int = 0) -> Any:
    """The matrix that has all elements of ``input``, in a row, as its diagonal.

    Args:
        input: (*), n elements.
        offset: which diagonal: 0 the main one, above it if positive, below it if negative.

    Returns:
        (m, m) with m = n + abs(offset), of ``input``'s dtype; zeros elsewhere.
    """
    return diag_embed(input.reshape((-1,)), offset)


@composite
def trace(input: Any) -> Any:
    """The sum of a matrix's diagonal.

    Args:
        input: (n, m).

    Returns:
        A tensor without dims, of ``input``'s dtype, for integers and bools int64.

    Raises:
        RuntimeError: ``input`` is no matrix.
    """
    if input._array.ndim != 2:
        raise RuntimeError(f"trace: expected a matrix, but got tensor with dim {input._array.ndim}")
    return diagonal(input).sum()


def _part_replaced(input: Any, src: Any, operation_: Any, *arguments: Any) -> Any:
    """A copy of ``input`` with the part that a view operation shows replaced by ``src``."""
    from .view_writes import view_write

    part = operation_(input.detach(), *arguments)
    if part.shape != src.shape:
        raise RuntimeError(
            "expected src to have a size equal to the slice of self. src size = "
            f"{list(src.shape)}, slice size = {list(part.shape)}"
        )
    return view_write(input, src.to(input.dtype), ((operation_, arguments),))


@composite
def diagonal_scatter(input: Any, src: Any, offset: int = 0, dim1: int = 0, dim2: int = 1) -> Any:
    """A copy of ``input`` with ``src`` on the diagonal of the dims ``dim1`` and ``dim2``.

    Args:
        input: (*), at least two dims.
        src: of the shape of ``diagonal(input, offset, dim1, dim2)``.
        offset: which diagonal: 0 the main one, above it if positive, below it if negative.
        dim1, dim2: the rows and the columns of the matrices.

    Returns:
        (*), of ``input``'s dtype.

    Raises:
        RuntimeError: ``src`` has another shape.
        IndexError: a dim that is not there.
    """
    return _part_replaced(input, src, diagonal, offset, dim1, dim2)


@composite
def select_scatter(input: Any, src: Any, dim: int, index: int) -> Any:
    """A copy of ``input`` with ``src`` as the entry ``index`` along ``dim``.

    Args:
        input: (*), at least one dim.
        src: of the shape without ``dim``.
        dim: along which.
        index: an int; negative ones count from the end.

    Returns:
        (*), of ``input``'s dtype.

    Raises:
        IndexError: ``index`` is out of range, or ``input`` has no dim ``dim``.
        RuntimeError: ``src`` has another shape.
    """
    from .shape import select_part

    dim = wrap_dim(dim, input._array.ndim)
    n = input._array.shape[dim]
    if not -n <= index < n:
        raise IndexError(
            f"select(): index {index} out of range for tensor of size {list(input.shape)} at "
            f"dimension {dim}"
        )
    return _part_replaced(input, src, select_part, (*(slice(None),) * dim, index % n))


@composite(out=True)
def slice_scatter(
    input: Any, src: Any, dim: int = 0, start: Any = None, end: Any = None, step: int = 1
) -> Any:
    """A copy of ``input`` with ``src`` in the slice ``start:end:step`` along ``dim``.

    Args:
        input: (*), at least one dim.
        src: of the shape of the slice.
        dim: along which.
        start, end, step: as of a slice of a list; ``step`` is at least 1.

    Returns:
        (*), of ``input``'s dtype.

    Raises:
        RuntimeError: ``src`` has another shape.
        IndexError: ``input`` has no dim ``dim``.
    """
    from .shape import slice_part

    dim = wrap_dim(dim, input._array.ndim)
    bounds = slice(start, end, step).indices(input._array.shape[dim])
    begin, stop, by = bounds
    return _part_replaced(
        input, src, slice_part, (*(slice(None),) * dim, slice(begin, max(begin, stop), by))
    )
