"""ONNX nodes for reading and writing elements by tensors of indices, and for writing slices."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..compiler.graph import Value
from ..namespaces.primitives import indexed_shape
from .builder import Builder
from .errors import OnnxExporterError
from .operators import Number, length, writer
from .sizes import Size

_END = np.iinfo(np.int64).max


# -- tensors of indices -----------------------------------------------------------------------


class _Indexed:
    """An indexed array, its indexed dims in front, and the places as GatherND wants them."""

    def __init__(self, b: Builder, v: Value, operands: tuple[Value, ...]) -> None:
        self.b = b
        flags = list(v.attributes["indexed"])
        x, *indices = operands
        flags += [False] * (x.ndim - len(flags))
        self.dims = [dim for dim, flag in enumerate(flags) if flag]
        rest = [dim for dim, flag in enumerate(flags) if not flag]
        self.order = [*self.dims, *rest]
        self.rank = max(index.ndim for index in indices)
        adjacent = self.dims == list(range(self.dims[0], self.dims[-1] + 1))
        # The dims of the indices stand where the indexed ones stood, if these are side by side.
        self.before = self.dims[0] if adjacent else 0

        def broadcast(dim: int) -> Number:
            return lambda value: _picked_shape(value)[self.before + dim]

        common = [b.sizes.of(v, broadcast(dim)) for dim in range(self.rank)]
        places = []
        for index in indices:
            name = b.node("Cast", [b.of(index)], to=7)
            name = b.node("Expand", [name, b.shape(common)])
            places.append(b.node("Unsqueeze", [name, b.integers([self.rank])]))
        self.places = b.node("Concat", places, axis=self.rank)
        self.x = self.turned(b.of(x), self.order)

    def turned(self, x: str, order: list[int]) -> str:
        """``x`` with its dims in another order."""
        if order == sorted(order):
            return x
        return str(self.b.node("Transpose", [x], perm=order))

    def picked_order(self, ndim: int) -> list[int]:
        """The dims of (*index, *rest) in the order in which indexing gives them."""
        rest = list(range(self.rank, ndim))
        return [*rest[: self.before], *range(self.rank), *rest[self.before :]]


def _picked_shape(v: Value) -> tuple[int, ...]:
    """The shape of what is read or written."""
    following = iter(v.operands[1:])
    places = [next(following) if flag else None for flag in v.attributes["indexed"]]
    return indexed_shape(v.operands[0].shape, places)


@writer("index")
def _index(b: Builder, v: Value) -> str:
    flags = list(v.attributes["indexed"])
    if sum(flags) == 1:
        x, places = (b.of(o) for o in v.operands)
        return str(b.node("Gather", [x, places], axis=flags.index(True)))
    found = _Indexed(b, v, v.operands)
    picked = b.node("GatherND", [found.x, found.places])
    return found.turned(picked, found.picked_order(v.ndim))


@writer("index_put")
def _index_put(b: Builder, v: Value) -> str:
    accumulate = v.attributes["accumulate"]
    if accumulate and b.opset < 16:
        raise OnnxExporterError("adding at indices (index_put) needs opset_version 16")
    *operands, values = v.operands
    found = _Indexed(b, v, tuple(operands))
    rank = len(_picked_shape(v))

    def picked(dim: int) -> Number:
        return lambda value: _picked_shape(value)[dim]

    lengths = [b.sizes.of(v, picked(dim)) for dim in range(rank)]
    new = b.node("Expand", [b.of(values), b.shape(lengths)])
    new = found.turned(new, _inverse(found.picked_order(rank)))
    reduction = "add" if accumulate else None
    written = b.node("ScatterND", [found.x, found.places, new], reduction=reduction)
    return found.turned(written, _inverse(found.order))


def _inverse(order: list[int]) -> list[int]:
    return [order.index(dim) for dim in range(len(order))]


# -- slices -----------------------------------------------------------------------------------


def _without_added(v: Value) -> tuple[slice, ...]:
    """The key's slices, one for each dim, those of one place for the numbers."""
    x = v.operands[0]
    key = [item for item in v.attributes["key"] if item is not None]
    key += [slice(None)] * (x.ndim - len(key))
    found = []
    for item, count in zip(key, x.shape):
        if isinstance(item, slice):
            low, high, step = item.indices(count)
            found.append(slice(low, max(low, high), step))
        else:
            found.append(slice(item % count, item % count + 1, 1))
    return tuple(found)


def _bound(dim: int, which: str) -> Number:
    return lambda v: getattr(_without_added(v)[dim], which)


def _region(v: Value, key: Any) -> tuple[int, ...]:
    """The shape of what a key selects."""
    return np.broadcast_to(np.int8(0), v.operands[0].shape)[tuple(key)].shape


@writer("slice_scatter")
def _slice_scatter(b: Builder, v: Value) -> str:
    x, values = v.operands

    def given(dim: int) -> Number:
        return lambda value: _region(value, value.attributes["key"])[dim]

    def whole(dim: int) -> Number:
        return lambda value: _region(value, _without_added(value))[dim]

    region = _region(v, v.attributes["key"])
    lengths = [b.sizes.of(v, whole(dim)) for dim in range(x.ndim)]
    new = b.node(
        "Expand",
        [b.of(values), b.shape([b.sizes.of(v, given(dim)) for dim in range(len(region))])],
    )
    if region != _region(v, _without_added(v)):
        new = b.node("Reshape", [new, b.shape(lengths)])
    cuts = []
    for dim in range(x.ndim):
        low, high, step = (b.sizes.of(v, _bound(dim, name)) for name in ("start", "stop", "step"))
        if (low, high, step) != (0, b.sizes.of(x, length(dim)), 1):
            cuts.append((dim, low, high, step))
    return _replaced(b, v, b.of(x), cuts, new, lengths)


def _replaced(b: Builder, v: Value, x: str, cuts: list[Any], new: str, lengths: list[Any]) -> str:
    """``x`` with something new in the region that is cut out of it dim by dim."""
    if not cuts:
        return new
    (dim, low, high, step), *rest = cuts

    def part(start: Any, end: Any, stride: int = 1) -> str:
        bounds = [b.shape([start]), b.shape([end]), b.integers([dim]), b.integers([stride])]
        return str(b.node("Slice", [x, *bounds]))

    if rest:
        new = _replaced(b, v, part(low, high, step), rest, new, lengths)
    if step == 1:
        parts = [new] if low == 0 else [part(0, low), new]
        if high != b.sizes.of(v, length(dim)):
            parts.append(part(high, _END))
        return parts[0] if len(parts) == 1 else str(b.node("Concat", parts, axis=dim))
    if isinstance(low, Size) or isinstance(high, Size) or isinstance(step, Size):
        raise OnnxExporterError(
            f"writing to every {step}th element of a dim whose size is left open has no operator "
            "in ONNX: take it out of dynamic_axes"
        )
    shape = [1] * v.ndim
    shape[dim] = -1
    places = b.constant(np.arange(low, high, step).reshape(shape))
    here = b.node("Shape", [new])
    return str(b.node("ScatterElements", [x, b.node("Expand", [places, here]), new], axis=dim))
