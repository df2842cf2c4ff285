"""What follows from the order of elements: medians, quantiles, modes, running extremes.

Source: https://pytorch.org/docs/stable/torch.html#reduction-ops
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .array_calls import call_on_arrays
from .dims import wrap_dim
from .documentation import written
from .indexing import gather
from .operation import Array, Operation, composite
from .return_types import return_type
from .sorting import sort_values


def _pair(name: str, values: Any, indices: Any) -> Any:
    return return_type(name, ("values", "indices"))((values, indices))


def _require_entries(name: str, input: Any, dim: int) -> None:
    if input._array.ndim and input._array.shape[dim] == 0:
        raise IndexError(f"{name}(): Expected reduction dim {dim} to have non-zero size.")


def _chosen(name: str, input: Any, dim: int, keepdim: bool, places: Any) -> Any:
    """The elements (and their indices) at ``places`` in the order along ``dim``."""
    if not input._array.ndim:
        return _pair(name, input.clone(), input.detach().new_zeros((), dtype=_int64()))
    values, order = sort_values(input, dim)
    found, at = gather(values, dim, places), gather(order, dim, places)
    if not keepdim:
        found, at = found.squeeze(dim), at.squeeze(dim)
    return _pair(name, found, at)


def _int64() -> Any:
    from .. import dtypes

    return dtypes.int64


def _column(input: Any, dim: int, place: int) -> Any:
    """``place`` for every row along ``dim``."""
    sizes = list(input._array.shape)
    if sizes:
        sizes[dim] = 1
    return input.detach().new_full(tuple(sizes), place, dtype=_int64())


@composite(out=True)
def kthvalue(input: Any, k: int, dim: int = -1, keepdim: bool = False) -> Any:
    """The ``k``-th smallest elements along ``dim`` and their indices.

    Args:
        input: (*), any shape.
        k: from 1 to the size of ``dim``.
        dim: along which.
        keepdim: whether ``dim`` stays, with size 1.
        out: a pair of tensors to write the results into.

    Returns:
        A named tuple: values of ``input``'s dtype and indices int64, the shape without ``dim``.

    Raises:
        RuntimeError: ``k`` is out of range.
        IndexError: ``dim`` has size 0, or is not there.
    """
    dim = wrap_dim(dim, input._array.ndim)
    n = input._array.shape[dim] if input._array.ndim else 1
    _require_entries("kthvalue", input, dim)
    if not 1 <= k <= n:
        raise RuntimeError(f"kthvalue(): selected number k out of range for dimension {dim}")
    return _chosen("kthvalue", input, dim, keepdim, _column(input, dim, k - 1))


def _median(name: str, skip_nan: bool) -> Any:
    def function(input: Any, dim: int | None = None, keepdim: bool = False) -> Any:
        if input._array.dtype == np.bool_:
            raise NotImplementedError(f"\"{name}_cpu\" not implemented for 'Bool'")
        if dim is None:
            if not input.numel():
                return input.sum() * math.nan
            flat = input.reshape((input.numel(),))
            return function(flat, 0)[0]
        dim = wrap_dim(dim, input._array.ndim)
        _require_entries(name, input, dim)
        n = input._array.shape[dim] if input._array.ndim else 1
        middle = _column(input, dim, (n - 1) // 2)
        if input.is_floating_point() and input._array.ndim:
            missing = input.detach().isnan().sum(dim, True)
            if skip_nan:  # NaN come last in the order
                middle = ((n - missing - 1).clamp(min=0)).div(2, rounding_mode="floor")
            else:  # the first NaN, if there is one
                middle = middle + (missing > 0) * (n - missing - middle)
        return _chosen(name, input, dim, keepdim, middle)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = written(
        "The median of all elements or along ``dim``: of two middle ones the lower; "
        f"{'NaN are passed over' if skip_nan else 'NaN if there is one'}.",
        "input: (*), any shape.\n        dim: along which; None: of all elements.\n"
        "        keepdim: whether ``dim`` stays, with size 1.\n"
        "        out: a tensor to write the result into; with ``dim`` a pair of them.",
        "Without ``dim`` a tensor without dims, NaN of no elements; with it a named tuple, values\n"
        "        and indices (int64), the shape without ``dim``.",
        "NotImplementedError: ``input`` is bool.\n"
        "        IndexError: ``dim`` has size 0, or is not there.",
    )
    return composite(function, out=True)


median = _median("median", skip_nan=False)
nanmedian = _median("nanmedian", skip_nan=True)


@composite(out=True)
def mode(input: Any, dim: int = -1, keepdim: bool = False) -> Any:
    """The most frequent value along ``dim`` (the smallest of several), and an index of it.

    Args:
        input: (*), any shape.
        dim: along which.
        keepdim: whether ``dim`` stays, with size 1.
        out: a pair of tensors to write the results into.

    Returns:
        A named tuple: values of ``input``'s dtype and indices int64, the shape without ``dim``.

    Raises:
        IndexError: ``dim`` has size 0, or is not there.
    """
    dim = wrap_dim(dim, input._array.ndim)
    _require_entries("mode", input, dim)
    if not input._array.ndim:
        return _pair("mode", input.clone(), input.detach().new_zeros((), dtype=_int64()))
    shape = tuple(1 if d == dim else n for d, n in enumerate(input._array.shape))
    (at,) = call_on_arrays(_modes, "mode()", (input,), (shape, np.int64), dim=dim)
    values = gather(input, dim, at)
    if not keepdim:
        values, at = values.squeeze(dim), at.squeeze(dim)
    return _pair("mode", values, at)


def _modes(array: np.ndarray, dim: int) -> np.ndarray:
    """Where the most frequent values along ``dim`` are."""
    array = np.moveaxis(array, dim, -1)
    rows = array.reshape(-1, array.shape[-1])
    order = np.argsort(rows, axis=-1, kind="stable")
    places = np.array([_most_frequent(row[o], o) for row, o in zip(rows, order)], np.int64)
    return np.expand_dims(places.reshape(array.shape[:-1]), dim)


def _most_frequent(ordered: np.ndarray, order: np.ndarray) -> int:
    """The last place of the value with the longest run in ``ordered``."""
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    lengths = np.diff(starts, append=len(ordered))
    run = int(np.argmax(lengths))
    return int(order[starts[run] : starts[run] + lengths[run]].max())


# -- quantiles --------------------------------------------------------------------------------

_INTERPOLATIONS = ("linear", "lower", "higher", "midpoint", "nearest")


def _quantile(name: str, skip_nan: bool) -> Any:
    def function(
        input: Any, q: Any, dim: int | None = None, keepdim: bool = False, *,
        interpolation: str = "linear",
    ) -> Any:  # fmt: skip
        from ..tensor import Tensor, wrap

        if interpolation not in _INTERPOLATIONS:
            raise RuntimeError(
                "quantile() interpolation must be one of linear, lower, higher, midpoint or "
                f"nearest, but got {interpolation}"
            )
        if input._array.dtype not in (np.float32, np.float64):
            raise RuntimeError(f"{name}() input tensor must be either float or double dtype")
        if not isinstance(q, Tensor):
            if not 0 <= q <= 1:
                raise RuntimeError(f"quantile() q must be in the range [0, 1] but got {q}")
            q = wrap(np.asarray(q, input._array.dtype))
        if q._array.ndim > 1:
            raise RuntimeError(
                f"{name}() q must be a scalar or 1D tensor, but got a {q._array.ndim}D tensor"
            )
        if q.dtype is not input.dtype:
            raise RuntimeError(f"{name}() q tensor must be same dtype as the input tensor")
        if q._array.__class__ is np.ndarray and not ((q._array >= 0) & (q._array <= 1)).all():
            raise RuntimeError(f"{name}() q values must be in the range [0, 1]")
        if not input.numel():
            raise RuntimeError(f"{name}() input tensor must be non-empty")
        return _quantiles(input, q, dim, keepdim, interpolation, skip_nan)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = written(
        "The ``q``-quantiles of all elements or along ``dim``; NaN "
        f"{'are passed over' if skip_nan else 'make NaN'}.",
        "input: (*), float32 or float64, at least one element.\n"
        "        q: a number in [0, 1], or a tensor of them, () or (m,), of ``input``'s dtype.\n"
        "        dim: along which; None: of all elements.\n"
        "        keepdim: whether ``dim`` stays, with size 1.\n"
        '        interpolation: between two elements: "linear", "lower", "higher", "midpoint",\n'
        '            "nearest".',
        "The shape without ``dim``, with m in front of it for several q; ``input``'s dtype.",
        "RuntimeError: a dtype, a q or an interpolation that is not among these, or no elements.\n"
        "        IndexError: ``input`` has no dim ``dim``.",
    )
    return composite(function, out=True)


def _quantiles(
    input: Any, q: Any, dim: int | None, keepdim: bool, interpolation: str, skip_nan: bool
) -> Any:
    ndim = input._array.ndim
    many = q._array.ndim == 1
    if dim is None:
        last = input.reshape((input.numel(),))
        kept: tuple[int, ...] = (1,) * ndim
    else:
        dim = wrap_dim(dim, ndim)
        last = input.reshape((1,)) if not ndim else input.movedim(dim, -1)
        kept = tuple(1 if i == dim else n for i, n in enumerate(input._array.shape))
    rest = tuple(last._array.shape[:-1])
    n = last._array.shape[-1]
    values = sort_values(last, -1)[0]
    levels = q.reshape((-1,)) if many else q.reshape((1,))
    missing = values.detach().isnan().sum(-1, True)
    if skip_nan:
        positions = levels * (n - missing - 1).clamp(min=0).to(q.dtype)
    else:
        positions = levels * (n - 1.0)
        positions = positions.expand((*rest, positions.numel()))
        positions = (missing > 0).logical_not() * positions + (missing > 0) * (n - 1.0)
    if interpolation == "lower":
        positions = positions.floor()
    elif interpolation == "higher":
        positions = positions.ceil()
    elif interpolation == "nearest":
        positions = positions.round()
    below = positions.detach().floor()
    lower = gather(values, -1, below.to(_int64()))
    result = lower
    if interpolation in ("linear", "midpoint"):
        upper = gather(values, -1, positions.detach().ceil().to(_int64()))
        weight = 0.5 if interpolation == "midpoint" else positions - below
        if interpolation == "midpoint":
            weight = (positions != below) * 0.5
        result = lower.lerp(upper, weight.to(values.dtype))  # type: ignore[union-attr]
    moved = result.movedim(-1, 0)  # (quantiles, *rest)
    if dim is None or not ndim:
        shape = (levels.numel(), *(kept if keepdim else ()))
    elif keepdim:
        shape = (levels.numel(), *kept)
    else:
        shape = (levels.numel(), *rest)
    found = moved.reshape(shape)
    return found if many else found[0]


quantile = _quantile("quantile", skip_nan=False)
nanquantile = _quantile("nanquantile", skip_nan=True)


@composite(out=True)
def msort(input: Any) -> Any:
    """The elements of ``input`` sorted along the first dim: its shape and dtype."""
    return sort_values(input, 0)[0]


# -- running extremes -------------------------------------------------------------------------


def _running(name: str, comparison: str, accumulate: Any, doc: str) -> Operation:
    def forward(xp: Any, input: Array, dim: int) -> Any:
        int64 = np.dtype(np.int64)
        if input.ndim == 0:
            wrap_dim(dim, 0)
            return xp.copy(input), xp.full((), 0, int64), None
        wrapped = wrap_dim(dim, input.ndim)
        n = input.shape[wrapped]
        if not math.prod(input.shape):
            return xp.copy(input), xp.full(tuple(input.shape), 0, int64), None
        head = (slice(None),) * wrapped
        best = xp.slice(input, (*head, slice(0, 1)))
        place = xp.full(tuple(best.shape), 0, int64)
        values, places = [best], [place]
        for i in range(1, n):
            item = xp.slice(input, (*head, slice(i, i + 1)))
            better = getattr(xp, comparison)(item, best)
            if xp.dtype(input).kind == "f":
                better = xp.logical_or(better, xp.isnan(item))
                better = xp.logical_and(
                    better, xp.logical_or(xp.logical_not(xp.isnan(best)), xp.isnan(item))
                )
            best = xp.where(better, item, best)
            place = xp.where(better, xp.full(tuple(place.shape), i, int64), place)
            values.append(best)
            places.append(place)
        found = xp.cat(places, wrapped)
        return xp.cat(values, wrapped), found, found

    forward.__doc__ = written(
        doc, "input: (*), any shape.\n        dim: along which.",
        "A named tuple: values (*) of ``input``'s dtype, indices (*) int64.",
        "IndexError: ``input`` has no dim ``dim``.",
    )  # fmt: skip
    defined = Operation(
        forward, name=name, outputs=("values", "indices"), differentiable=(True, False), aux=True,
        samples=(((3, 4), 1), ((3, 4), 0), ((), 0)),
    )  # fmt: skip

    @defined.kernel
    def _(input: Any, dim: int) -> Any:
        if input.ndim == 0:
            wrap_dim(dim, 0)
            return input.copy(), np.zeros((), np.int64), None
        wrapped = wrap_dim(dim, input.ndim)
        values = accumulate(input, axis=wrapped)
        places = np.arange(input.shape[wrapped]).reshape((-1,) + (1,) * (input.ndim - wrapped - 1))
        reached = (input == values) | (np.isnan(input) if input.dtype.kind == "f" else False)
        indices = np.maximum.accumulate(np.where(reached, places, 0), axis=wrapped)
        return values, indices, indices

    @defined.vjp("input")
    def _(xp: Any, grad: Any, input_shape: Any, dim: int, aux: Any) -> Any:
        if aux is None:
            return grad
        zeros = xp.full(tuple(input_shape), 0, xp.dtype(grad))
        return xp.scatter_add(zeros, wrap_dim(dim, len(input_shape)), aux, grad)

    return defined


cummax = _running(
    "cummax", "ge", np.maximum.accumulate,
    "The running maxima along ``dim``, and the (last) index of each.",
)  # fmt: skip
cummin = _running(
    "cummin", "le", np.minimum.accumulate,
    "The running minima along ``dim``, and the (last) index of each.",
)  # fmt: skip
