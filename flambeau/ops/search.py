"""Looking for values: in sorted sequences, in sets, in bins, and what repeats.

Source: https://pytorch.org/docs/stable/torch.html#comparison-ops
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import dtypes
from .array_calls import call_on_arrays
from .dtype_checks import FLOATING, require_kinds
from .operation import Array, composite, operation
from .return_types import return_type


@operation(public=False, method=False, name="positions_in", out=False,
           samples=(("rising(5)", (3, 4)), ("rising(2,5)", (2, 3), True)))  # fmt: skip
def positions_in(xp, sorted: Array, values: Array, right: bool = False):
    """How many entries of ``sorted`` (its last dim) come before each value."""
    rows = xp.reshape(sorted, (*sorted.shape[:-1], 1, sorted.shape[-1]))
    if sorted.ndim == 1:
        rows = xp.reshape(sorted, (1,) * values.ndim + tuple(sorted.shape))
    each = xp.reshape(values, (*values.shape, 1))
    before = xp.le(rows, each) if right else xp.lt(rows, each)
    return xp.sum(xp.astype(before, np.dtype(np.int64)), (before.ndim - 1,), False)


@positions_in.kernel
def _(sorted, values, right=False):
    side: Any = "right" if right else "left"
    if sorted.ndim == 1:
        return np.asarray(np.searchsorted(sorted, values, side))
    n, m = sorted.shape[-1], values.shape[-1]
    rows, wanted = sorted.reshape(-1, n), values.reshape(-1, m)
    found = [np.searchsorted(row, value, side) for row, value in zip(rows, wanted)]
    return np.array(found, np.int64).reshape(values.shape)


@composite(method=False, out=True)
def searchsorted(
    sorted_sequence: Any, input: Any, *, out_int32: bool = False, right: bool = False,
    side: str | None = None, sorter: Any = None,
) -> Any:  # fmt: skip
    """Where each value would be inserted to keep ``sorted_sequence`` in order.

    Args:
        sorted_sequence: a vector, or as many rows as ``input`` has.
        input: the values (a tensor or a number).
        out_int32: give int32 instead of int64.
        right, side: insert after equal entries (``side="right"``) instead of before them.
        sorter: the indices that sort ``sorted_sequence``, if it is not sorted itself.

    Returns:
        the shape of ``input``, int64 or int32: from 0 to the length of the sequence.

    Raises:
        RuntimeError: ``side`` is another word or contradicts ``right``, or the rows do not fit.
    """
    from ..tensor import Tensor, wrap

    if side not in (None, "left", "right"):
        raise RuntimeError(
            f"torch.searchsorted(): side can only be 'left' or 'right' but got {side}"
        )
    if side == "left" and right:
        raise RuntimeError(
            "torch.searchsorted(): side and right can't be set to opposites, got side of left "
            "while right was True"
        )
    if not isinstance(input, Tensor):
        input = wrap(np.asarray(input, sorted_sequence._array.dtype))
    if sorter is not None:
        sorted_sequence = sorted_sequence.gather(-1, sorter)
    rows = sorted_sequence._array
    if rows.ndim != 1 and rows.shape[:-1] != input._array.shape[:-1]:
        raise RuntimeError(
            "torch.searchsorted(): boundaries tensor should be 1 dimension or the first N-1 "
            "dimensions of boundaries tensor and input value tensor must match, but we got "
            f"boundaries tensor {list(rows.shape)} and input value tensor {list(input.shape)}"
        )
    found = positions_in(sorted_sequence, input, right or side == "right")
    return found.to(dtypes.int32) if out_int32 else found


@composite(method=False, out=True)
def bucketize(input: Any, boundaries: Any, *, out_int32: bool = False, right: bool = False) -> Any:
    """The bucket between ``boundaries`` that each value lies in; see :func:`searchsorted`.

    Args:
        input: (*), the values, a tensor or a number.
        boundaries: (n,), rising.
        out_int32: give int32 instead of int64.
        right: whether a value that equals a boundary lies in the bucket above it.

    Returns:
        (*), int64 or int32, from 0 (below all boundaries) to n.

    Raises:
        RuntimeError: ``boundaries`` has not one dim.
    """
    if boundaries._array.ndim != 1:
        raise RuntimeError(
            f"boundaries tensor must be 1 dimension, but got dim({boundaries._array.ndim})"
        )
    return searchsorted(boundaries, input, out_int32=out_int32, right=right)


@composite(method=False, out=True)
def isin(
    elements: Any, test_elements: Any, *, assume_unique: bool = False, invert: bool = False
) -> Any:
    """Whether each of ``elements`` is among ``test_elements``.

    Args:
        elements: (*), a tensor or a number.
        test_elements: a tensor of any shape, or a number.
        assume_unique: whether neither repeats an element, which may be faster.
        invert: whether it is not among them, instead.

    Returns:
        (*), bool.
    """
    from ..tensor import Tensor, wrap

    if not isinstance(elements, Tensor):
        elements = wrap(np.asarray(elements))
    if not isinstance(test_elements, Tensor):
        test_elements = wrap(np.asarray(test_elements))
    if elements._array.__class__ is np.ndarray and test_elements._array.__class__ is np.ndarray:
        found = np.isin(
            elements._array, test_elements._array, assume_unique=assume_unique, invert=invert
        )
        return wrap(np.asarray(found))
    among = (elements.unsqueeze(-1) == test_elements.reshape((-1,))).any(-1)
    return among.logical_not() if invert else among


@composite(method=False)
def unravel_index(indices: Any, shape: Any) -> tuple[Any, ...]:
    """The coordinates in a tensor of ``shape`` of places among its elements in a row.

    Args:
        indices: (*), whole numbers.
        shape: an int, or a sequence of them.

    Returns:
        A tuple of one tensor (*), int64, for each dim.

    Raises:
        TypeError: ``indices`` is not of an integer dtype.
    """
    from ..tensor.creation import shape_of

    if indices._array.dtype.kind not in "iu":
        raise TypeError(f"expected 'indices' to be integer dtype, but got {indices.dtype}")
    sizes = shape_of((shape,))
    found, rest = [], indices.long()
    for n in reversed(sizes):
        found.append(rest % n)
        rest = rest // n
    return tuple(reversed(found))


@composite
def argwhere(input: Any) -> Any:
    """The coordinates of what in ``input`` is not zero: (n, dims), int64, a row for each."""
    return input.nonzero()


# -- what repeats -----------------------------------------------------------------------------


@composite
def unique_consecutive(
    input: Any, return_inverse: bool = False, return_counts: bool = False, dim: int | None = None
) -> Any:
    """The first of every run of equal elements (or entries along ``dim``).

    Args:
        input: (*), any shape.
        return_inverse, return_counts: what to return besides.
        dim: None: all elements in a row.

    Returns:
        the elements (n,), or ``input``'s shape with n in the place of ``dim``; with them, if asked
        for, the run that each element is in, and the length of each run (n,), both int64.

    Raises:
        IndexError: ``input`` has no dim ``dim``.
    """
    from ..tensor import wrap
    from .dims import wrap_dim

    array = input._concrete("unique_consecutive()")
    if dim is None:
        rows = array.reshape(-1, 1)
    else:
        dim = wrap_dim(dim, array.ndim)
        rows = np.moveaxis(array, dim, 0).reshape(array.shape[dim], -1)
    changed = np.ones(len(rows), bool)
    changed[1:] = (rows[1:] != rows[:-1]).any(1)
    starts = np.flatnonzero(changed)
    values = array.reshape(-1)[starts] if dim is None else np.take(array, starts, dim)
    results = [wrap(values)]
    if return_inverse:
        inverse = np.cumsum(changed) - 1
        results.append(wrap(inverse.reshape(array.shape) if dim is None else inverse))
    if return_counts:
        results.append(wrap(np.diff(starts, append=len(rows))))
    return results[0] if len(results) == 1 else tuple(results)


# -- bins -------------------------------------------------------------------------------------


@composite(out=True)
def histc(input: Any, bins: int = 100, min: float = 0, max: float = 0) -> Any:
    """How many elements fall in each of ``bins`` equal bins between ``min`` and ``max``.

    Args:
        input: (*), any shape, floating-point; elements outside the bins are left out.
        bins: at least 1.
        min, max: the lowest and the highest edge; where both are equal the smallest and the largest
            element are taken.

    Returns:
        (bins,), of ``input``'s dtype.

    Raises:
        RuntimeError: ``bins`` is below 1, ``max`` below ``min``, or an edge is not finite.
        NotImplementedError: ``input`` is not floating-point.
    """
    if bins <= 0:
        raise RuntimeError("bins must be > 0")
    require_kinds("histogram_cpu", FLOATING, input._array)
    low, high = float(min), float(max)
    if low > high:
        raise RuntimeError("max must be larger than min")
    kind = ((int(bins),), input._array.dtype)
    return call_on_arrays(
        _equal_bins, "histc()", (input,), kind, bins=int(bins), low=low, high=high
    )[0]


def _equal_bins(array: np.ndarray, bins: int, low: float, high: float) -> np.ndarray:
    """How many elements are in each of the bins between ``low`` and ``high``."""
    array = array.reshape(-1)
    if low == high and array.size:
        low, high = float(array.min()), float(array.max())
    if not (np.isfinite(low) and np.isfinite(high)):
        raise RuntimeError(f"range of [{low}, {high}] is not finite")
    if low == high:
        low, high = low - 1, high + 1
    inside = array[(array >= low) & (array <= high)]
    places = ((inside - low) / (high - low) * bins).astype(np.int64)
    counts = np.bincount(np.minimum(places, bins - 1), minlength=bins)
    return counts.astype(array.dtype)


@composite(out=True)
def histogram(
    input: Any, bins: Any = 100, *, range: Any = None, weight: Any = None, density: bool = False
) -> Any:
    """How many elements (or what weight) fall in each bin, and the edges of the bins.

    Args:
        input: (*), any shape, floating-point.
        bins: how many equal bins there are, or their edges, rising, (n + 1,).
        range: the lowest and the highest edge, if bins is a number (default: the extremes).
        weight: (*), what each element counts.
        density: divide by the total and by the widths, so that the integral is 1.
        out: a pair of tensors to write the results into.

    Returns:
        A named tuple: hist (n,) and bin_edges (n + 1,), of ``input``'s dtype.

    Raises:
        NotImplementedError: ``input`` is not floating-point.
    """
    from ..tensor import Tensor

    dtype = input._array.dtype
    require_kinds("histogramdd", FLOATING, input._array)
    edges = bins if isinstance(bins, Tensor) else None
    count = bins._array.shape[0] - 1 if isinstance(bins, Tensor) else int(bins)
    kinds = ((count,), dtype), ((count + 1,), dtype if edges is None else edges._array.dtype)
    operands = [t for t in (input, edges, weight) if t is not None]
    found = call_on_arrays(
        _histogram, "histogram()", operands, *kinds, bins=None if edges is not None else count,
        limits=None if range is None else tuple(float(v) for v in range), density=bool(density),
    )  # fmt: skip
    return return_type("histogram", ("hist", "bin_edges"))(found)


def _histogram(
    array: np.ndarray, *more: np.ndarray, bins: int | None, limits: Any, density: bool
) -> tuple[np.ndarray, np.ndarray]:
    """The counts and the edges; ``more`` are the edges if ``bins`` is None, and weights."""
    array = array.reshape(-1)
    if bins is None:
        edges, *more = more  # type: ignore[assignment]
    else:
        if limits is not None:
            low, high = limits
        elif array.size:
            low, high = float(array.min()), float(array.max())
        else:
            low, high = 0.0, 0.0
        if low == high:
            low, high = low - 0.5, high + 0.5
        edges = np.linspace(low, high, bins + 1, dtype=array.dtype)
    weights = more[0].reshape(-1) if more else None
    counts, _ = np.histogram(array, edges, weights=weights)
    counts = counts.astype(array.dtype)
    if density:
        counts = counts / (counts.sum() * np.diff(edges))
    return counts, edges


@composite(method=False)
def histogramdd(
    input: Any, bins: Any, *, range: Any = None, weight: Any = None, density: bool = False
) -> Any:
    """How many points (or what weight) fall in each cell of a grid, and the grid's edges.

    Args:
        input: points, ``(..., D)``.
        bins: how many equal bins each of the D coordinates has (one number for all or a list), or
            a list of D tensors of rising edges.
        range: 2 D numbers: the lowest and the highest edge of each coordinate (default: extremes).
        weight: ``(...)``: what each point counts.
        density: divide by the total and by the cells' volumes, so that the integral is 1.

    Returns:
        ``hist``, with a dim for each coordinate, and ``bin_edges``, a tuple of D tensors.

    Raises:
        RuntimeError: if ``bins`` or ``range`` do not fit the number of coordinates.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.histogramdd.html
    """
    from ..tensor import Tensor

    shape = tuple(input._array.shape)
    if len(shape) < 2:
        raise RuntimeError("torch.histogramdd: input tensor should have at least 2 dimensions")
    points = input.reshape(-1, shape[-1])
    count = shape[-1]
    each = [bins] * count if isinstance(bins, int) else list(bins)
    if len(each) != count:
        raise RuntimeError(
            "histogramdd: The size of bins must be equal to the innermost dimension of the input. "
            f"(There are {len(each)} of {count}.)"
        )
    if range is not None and len(range) != 2 * count:
        raise RuntimeError(
            f"torch.histogramdd: for a {count}-dimensional histogram range should have "
            f"{2 * count} elements, but got {len(range)}"
        )
    edges = []
    for i, of in enumerate(each):
        limits = None if range is None else range[2 * i : 2 * i + 2]
        column = points[:, i]
        edges.append(of if isinstance(of, Tensor) else histogram(column, of, range=limits)[1])
    cells = tuple(e._array.shape[0] - 1 for e in edges)
    given = [points.detach(), *edges, *(() if weight is None else (weight,))]
    (counts,) = call_on_arrays(
        _grid, "histogramdd()", given, (cells, input._array.dtype), density=bool(density)
    )
    return return_type("histogramdd", ("hist", "bin_edges"))((counts, tuple(edges)))


def _grid(points: np.ndarray, *more: np.ndarray, density: bool) -> np.ndarray:
    """The counts in a grid; ``more`` are each coordinate's edges, and perhaps weights."""
    axes = points.shape[1]
    grid, weights = more[:axes], more[axes:]
    counts, _ = np.histogramdd(points, grid, weights=weights[0].reshape(-1) if weights else None)
    counts = counts.astype(points.dtype)
    if density:
        counts = counts / counts.sum()
        for axis, e in enumerate(grid):
            widths = np.diff(e).reshape([-1 if k == axis else 1 for k in range(axes)])
            counts = counts / widths
    return counts
