"""Arranging tensors: blocks, grids, products of sets, turns and repetitions.

Source: https://pytorch.org/docs/stable/torch.html#other-operations
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import dtypes
from .dims import as_int, wrap_dim
from .documentation import written
from .operation import composite
from .shape import cat, expand, flip, permute, reshape, stack


def _tensors(given: tuple[Any, ...]) -> list[Any]:
    """The tensors of a call that takes them apart or as one sequence."""
    if len(given) == 1 and isinstance(given[0], (tuple, list)):
        given = tuple(given[0])
    return list(given)


# -- at least so many dims --------------------------------------------------------------------


def _at_least(ndim: int) -> Any:
    def raised(tensor: Any) -> Any:
        sizes = tuple(tensor._array.shape)
        if len(sizes) >= ndim:
            return tensor
        if ndim == 3:
            sizes = {0: (1, 1, 1), 1: (1, *sizes, 1), 2: (*sizes, 1)}[len(sizes)]
        else:
            sizes = (1,) * (ndim - len(sizes)) + sizes
        return reshape(tensor, sizes)

    def function(*tensors: Any) -> Any:
        if len(tensors) == 1 and not isinstance(tensors[0], (tuple, list)):
            return raised(tensors[0])
        return tuple(raised(t) for t in _tensors(tensors))

    function.__name__ = function.__qualname__ = f"atleast_{ndim}d"
    where = (
        "in front (of a matrix, and one behind a vector, at the end)" if ndim == 3 else "in front"
    )
    function.__doc__ = written(
        f"The tensor(s) with dims of size 1 added {where} up to {ndim}.",
        "tensors: one or several, or a sequence of them.",
        "A view, or itself, of the one, or a tuple of those.",
    )
    return composite(function, method=False)


atleast_1d, atleast_2d, atleast_3d = _at_least(1), _at_least(2), _at_least(3)


@composite(method=False, out=True)
def column_stack(tensors: Sequence[Any]) -> Any:
    """The tensors side by side, along dim 1.

    Args:
        tensors: a sequence whose other sizes agree; vectors (n,) count as columns (n, 1).

    Returns:
        Their sizes added in dim 1, in the common dtype.

    Raises:
        ValueError: there are none.
        RuntimeError: other sizes differ.
    """
    return cat([t if t._array.ndim > 1 else reshape(t, (t.numel(), 1)) for t in tensors], 1)


# -- turns ------------------------------------------------------------------------------------


@composite
def fliplr(input: Any) -> Any:
    """``input``, (n, m, *), with the columns in reverse order, a copy.

    Raises:
        RuntimeError: it has fewer than two dims.
    """
    if input._array.ndim < 2:
        raise RuntimeError("Input must be >= 2-d.")
    return flip(input, (1,))


@composite
def flipud(input: Any) -> Any:
    """``input``, (n, *), with the rows in reverse order, a copy.

    Raises:
        RuntimeError: it has no dims.
    """
    if input._array.ndim < 1:
        raise RuntimeError("Input must be >= 1-d.")
    return flip(input, (0,))


@composite
def rot90(input: Any, k: int = 1, dims: Sequence[int] = (0, 1)) -> Any:
    """The plane of two dims turned by ``k`` right angles, from the first to the second; a copy.

    Args:
        input: (*), at least two dims.
        k: an int; negative: the other way round.
        dims: the two dims.

    Returns:
        The shape, with the two sizes swapped for odd ``k``.

    Raises:
        RuntimeError: ``dims`` are not two different ones, or ``input`` has fewer dims.
        IndexError: a dim that is not there.
    """
    ndim = input._array.ndim
    if len(dims) != 2:
        raise RuntimeError(f"expected total rotation dims == 2, but got dims = {len(dims)}")
    if ndim < 2:
        raise RuntimeError(f"expected total dims >= 2, but got total dims = {ndim}")
    first, second = wrap_dim(dims[0], ndim), wrap_dim(dims[1], ndim)
    if first == second:
        raise RuntimeError(
            f"expected rotation dims to be different, but got dim0 = {dims[0]} and dim1 = {dims[1]}"
        )
    turns = k % 4
    if turns == 0:
        return input.clone()
    if turns == 2:
        return flip(input, (first, second))
    order = list(range(ndim))
    order[first], order[second] = second, first
    swapped = permute(input, tuple(order))
    return flip(swapped, (first if turns == 1 else second,))


# -- blocks, grids, products ------------------------------------------------------------------


@composite(method=False)
def block_diag(*tensors: Any) -> Any:
    """A matrix with the given ones along its diagonal and zeros elsewhere.

    Args:
        tensors: matrices (or a sequence of them); vectors count as rows, numbers as (1, 1).

    Returns:
        The sums of their rows and of their columns, in the common dtype.

    Raises:
        RuntimeError: one has more than two dims.
    """
    from .shape import constant_pad

    parts = []
    for position, tensor in enumerate(_tensors(tensors)):
        if tensor._array.ndim > 2:
            raise RuntimeError(
                "torch.block_diag: Input tensors must have 2 or fewer dimensions. Input "
                f"{position} has {tensor._array.ndim} dimensions"
            )
        parts.append(atleast_2d(tensor))
    dtype = parts[0].dtype
    for part in parts[1:]:
        dtype = dtypes.promote_types(dtype, part.dtype)
    columns = sum(p._array.shape[1] for p in parts)
    rows, before = [], 0
    for part in parts:
        width = part._array.shape[1]
        widths = ((0, 0), (before, columns - before - width))
        rows.append(constant_pad(part.to(dtype), widths, 0))
        before += width
    return cat(rows, 0)


@composite(method=False)
def meshgrid(*tensors: Any, indexing: str | None = None) -> tuple[Any, ...]:
    """Grids of coordinates.

    Args:
        tensors: vectors (n1,), (n2,), ... (or a sequence of them); one without dims counts as (1,).
        indexing: ``"ij"`` (the default), or ``"xy"``, which swaps the first two dims.

    Returns:
        A tuple of a view for each vector, all (n1, n2, ...).

    Raises:
        RuntimeError: there are none, one has more than one dim, or another ``indexing``.
    """
    given = _tensors(tensors)
    if not given:
        raise RuntimeError("meshgrid expects a non-empty TensorList")
    indexing = "ij" if indexing is None else indexing
    if indexing not in ("ij", "xy"):
        raise RuntimeError(
            'torch.meshgrid: indexing must be one of "xy" or "ij", but received: ' + indexing
        )
    for tensor in given:
        if tensor._array.ndim > 1:
            raise RuntimeError(
                "torch.meshgrid: Expected 0D or 1D tensor in the tensor list but got: "
                f"{list(tensor.shape)}"
            )
    swap = indexing == "xy" and len(given) > 1
    if swap:
        given[0], given[1] = given[1], given[0]
    sizes = tuple(t.numel() for t in given)
    grids = []
    for i, tensor in enumerate(given):
        alone = tuple(n if i == j else 1 for j, n in enumerate(sizes))
        grids.append(expand(reshape(tensor, alone), sizes))
    if swap:
        grids[0], grids[1] = grids[1], grids[0]
    return tuple(grids)


@composite(method=False)
def cartesian_prod(*tensors: Any) -> Any:
    """All combinations of one element of each vector, a row each, the last changing fastest.

    Args:
        tensors: k vectors (or a sequence of them).

    Returns:
        (n1 * n2 * ..., k); of one vector itself.

    Raises:
        RuntimeError: one has not one dim.
    """
    given = _tensors(tensors)
    for tensor in given:
        if tensor._array.ndim != 1:
            raise RuntimeError(f"Expect a 1D vector, but got shape {list(tensor.shape)}")
    if len(given) == 1:
        return given[0]
    return stack([reshape(g, (-1,)) for g in meshgrid(*given)], 1)


@composite(method=False)
def vander(x: Any, N: int | None = None, increasing: bool = False) -> Any:
    """The powers N - 1 to 0 of each element of a vector, a row each (``linalg.vander`` rises).

    Args:
        x: ``(n,)``.
        N: how many powers; n by default.
        increasing: powers 0 to N - 1.

    Returns:
        ``(n, N)``.

    Raises:
        RuntimeError: if ``x`` is no vector or N is negative.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.vander.html
    """
    from ..tensor import wrap

    if x._array.ndim != 1:
        raise RuntimeError(f"x must be a one-dimensional tensor. (It has shape {list(x.shape)}.)")
    count = x._array.shape[0] if N is None else as_int(N, "N")
    if count < 0:
        raise RuntimeError("N must be non-negative.")
    whole = x._array.dtype.kind in "biu"
    exponents = np.arange(count, dtype=np.int64)
    base = reshape(x.long() if whole else x, (-1, 1))
    result = base ** wrap(exponents)
    return result if increasing else flip(result, (1,))


@composite(method=False)
def combinations(input: Any, r: int = 2, with_replacement: bool = False) -> Any:
    """All ways to choose ``r`` elements of a vector, a row each.

    Args:
        input: (n,).
        r: how many, at least 0.
        with_replacement: whether an element may be chosen several times.

    Returns:
        (ways, r), of ``input``'s dtype; (0,) for ``r`` 0.

    Raises:
        RuntimeError: ``input`` has not one dim, or ``r`` is negative.
    """
    from ..tensor import wrap

    if input._array.ndim != 1:
        raise RuntimeError(f"Expect a 1D vector, but got shape {list(input.shape)}")
    if r < 0:
        raise RuntimeError(f"Expect a non-negative number, but got {r}")
    if r == 0:
        return input.new_empty((0,))
    choose = itertools.combinations_with_replacement if with_replacement else itertools.combinations
    rows = np.array(list(choose(range(input._array.shape[0]), r)), np.int64).reshape(-1, r)
    return input[wrap(rows)]


# -- repetition -------------------------------------------------------------------------------


@composite
def repeat_interleave(
    input: Any, repeats: Any = None, dim: int | None = None, *, output_size: int | None = None
) -> Any:
    """Each entry along ``dim`` (of all elements in a row, by default) repeated in its place.

    Args:
        input: (*), any shape.
        repeats: how often: a number, or a tensor with one for each entry.  Called with nothing
            else, ``input`` is the repeats, and the result the indices.
        dim: along which; None: of all elements in a row.
        output_size: changes nothing here.

    Returns:
        The shape with the sum of the repeats at ``dim``.

    Raises:
        RuntimeError: ``repeats`` is negative, not of whole numbers, or of another size.
        IndexError: ``input`` has no dim ``dim``.
    """
    from ..tensor import Tensor, wrap
    from .indexing import index_select

    if repeats is None:
        counts = input._concrete("repeat_interleave()")
        return wrap(np.repeat(np.arange(counts.size), counts))
    if dim is None:
        input, dim = reshape(input, (input.numel(),)), 0
    dim = wrap_dim(dim, input._array.ndim)
    n = input._array.shape[dim]
    if isinstance(repeats, Tensor):
        times = repeats._concrete("repeat_interleave()")
        if times.dtype.kind not in "iu":
            raise RuntimeError("repeats has to be Long or Int tensor")
        if times.ndim > 1 or times.size not in (1, n):
            raise RuntimeError(
                "repeats must have the same size as input along dim, but got "
                f"repeats.size(0) = {times.size} and input.size({dim}) = {n}"
            )
        if (times < 0).any():
            raise RuntimeError("repeats can not be negative")
        times = times.reshape(-1)
    else:
        times = np.array([as_int(repeats, "repeats")])
        if times[0] < 0:
            raise RuntimeError("repeats can not be negative")
    places = np.repeat(np.arange(n), times if times.size == n else int(times[0]))
    return index_select(input, dim, wrap(places))


@composite
def sum_to_size(input: Any, *size: Any) -> Any:
    """The sum over the dims that broadcasting ``size`` to this shape would stretch.

    Args:
        input: (*), any shape.
        size: a shape that broadcasts to it, one sequence or several ints.

    Returns:
        ``size``.

    Raises:
        RuntimeError: it does not.
    """
    from ..tensor.creation import shape_of

    wanted, have = shape_of(size), tuple(input._array.shape)
    added = len(have) - len(wanted)
    fits = added >= 0 and all(n in (1, m) for n, m in zip(wanted, have[added:]))
    if not fits:
        raise RuntimeError(f"size {{{list(wanted)}}} is not expandable to size {{{list(have)}}}.")
    dims = tuple(i for i, m in enumerate(have) if i < added or wanted[i - added] != m)
    total = input.sum(dims, True) if dims else input
    return reshape(total, wanted)


# -- places in triangles ----------------------------------------------------------------------


def _triangle_indices(name: str, places: Any) -> Any:
    def function(
        row: int, col: int, offset: int = 0, *, dtype: Any = dtypes.int64, device: Any = None,
        layout: Any = None,
    ) -> Any:  # fmt: skip
        from ..tensor.creation import made

        if row < 0 or col < 0:
            what = "row" if row < 0 else "col"
            raise RuntimeError(f"{what} must be non-negative, got{row if row < 0 else col}")
        found = np.stack(places(row, offset, col)).astype(dtype.numpy)
        return made(found, False, device)

    function.__name__ = function.__qualname__ = name
    side = "below" if name == "tril_indices" else "above"
    function.__doc__ = written(
        f"The rows and columns of the places on and {side} a diagonal of a matrix.",
        "row, col: the matrix's size.\n"
        "        offset: which diagonal: 0 the main one, above it if positive, below if negative.\n"
        "        dtype: of the result, int64.\n"
        "        device, layout: change nothing here.",
        "(2, n): the rows and the columns, row by row.",
        "RuntimeError: ``row`` or ``col`` is negative.",
    )
    return composite(function, method=False)


tril_indices = _triangle_indices("tril_indices", np.tril_indices)
triu_indices = _triangle_indices("triu_indices", np.triu_indices)
