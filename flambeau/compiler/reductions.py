"""Primitives that combine many elements into one, all described in one way.

A :class:`Reduction` says how far the reduced dims reach, what the terms are (a product of reads,
some of which count only where conditions hold), and how terms combine.  Sums, contractions,
convolutions and pooling are all this; a kernel that knows nothing more of them is right for each.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from .codegen.expressions import Condition, Position, Source, broadcast_index, inside
from .codegen.indexing import ZERO, Index, contiguous_strides, linear
from .graph import Value

Terms = Callable[[Position, Position], list[Source]]
"""(index of the result, reduced index) -> the factors of one term."""

REDUCTIONS = frozenset(
    "sum prod amax amin any all argmax argmin matmul conv conv_input conv_weight "
    "max_pool_indices max_pool max_pool_offset avg_pool avg_pool_input".split()
)


@dataclass(frozen=True)
class Reduction:
    """How ``value`` is combined from terms.

    Attributes:
        extents: of the reduced dims.
        terms: the factors of the term at an index.
        combine: ``"sum"``, ``"prod"``, ``"amax"``, ``"amin"``, ``"any"``, ``"all"``, ``"argmax"``
            or ``"argmin"``.
        place: for the arg reductions, the number to report for a term.
    """

    value: Value
    extents: tuple[int, ...]
    terms: Terms
    combine: str
    place: Callable[[Position, Position], Index] | None = None

    @property
    def count(self) -> int:
        return math.prod(self.extents)


def reduction_of(value: Value) -> Reduction:
    """The reduction that computes ``value``."""
    return _BUILDERS[value.primitive](value)


def _plain(value: Value) -> Reduction:
    (x,) = value.operands
    dim = value.attributes["dim"]
    keepdim = value.attributes["keepdim"]
    if dim is None:
        dims = tuple(range(x.ndim))
    else:
        dims = tuple(d % x.ndim for d in ((dim,) if isinstance(dim, int) else dim))

    def terms(index: Position, reduced: Position) -> list[Source]:
        position: list[Index] = []
        kept = iter(index)
        taken = dict(zip(dims, reduced, strict=True))
        for d in range(x.ndim):
            if d in taken:
                position.append(taken[d])
                if keepdim:
                    next(kept)
            else:
                position.append(next(kept))
        return [Source(x, tuple(position))]

    extents = tuple(x.shape[d] for d in dims)
    place = None
    if value.primitive in ("argmax", "argmin"):
        strides = contiguous_strides(extents)
        place = lambda index, reduced: linear(reduced, strides)  # noqa: E731
    return Reduction(value, extents, terms, value.primitive, place)


def _matmul(value: Value) -> Reduction:
    x, y = value.operands
    k = x.shape[-1]

    def terms(index: Position, reduced: Position) -> list[Source]:
        trailing = (x.ndim > 1) + (y.ndim > 1)
        batch = index[: len(index) - trailing]
        rest = list(index[len(index) - trailing :])
        row = (rest.pop(0),) if x.ndim > 1 else ()
        column = tuple(rest)
        left = (*broadcast_index(batch, x.shape[:-2]), *row, *reduced)
        right = (*broadcast_index(batch, y.shape[:-2]), *reduced, *column)
        return [Source(x, left), Source(y, right)]

    return Reduction(value, (k,), terms, "sum")


def _windowed(
    position: Position, taps: Position, stride: Any, padding: Any, dilation: Any
) -> list[Index]:
    """Where in the input the tap ``taps`` of the window ``position`` is."""
    return [
        o * s + t * d + -p
        for o, t, s, p, d in zip(position, taps, stride, padding, dilation, strict=True)
    ]


def _window_of(
    position: Position, taps: Position, size: tuple[int, ...], stride: Any, padding: Any,
    dilation: Any,
) -> tuple[list[Index], tuple[Condition, ...]]:  # fmt: skip
    """The window whose tap ``taps`` is the input's ``position``, where there is one."""
    windows: list[Index] = []
    conditions: list[Condition] = []
    for i, t, n, s, p, d in zip(position, taps, size, stride, padding, dilation, strict=True):
        start = i + t * -d + p
        # non-negative below, so that the quotient is exact; the condition excludes the rest
        conditions.append(Condition(start, 0, (n - 1) * s + 1))
        if s > 1:
            conditions.append(Condition(start, 0, 0, s))
        windows.append(start.quotient(s))
    return windows, tuple(c for c in conditions if not c.always)


def _conv(value: Value) -> Reduction:
    x, weight = value.operands
    a = value.attributes
    groups = a["groups"]
    per_group = weight.shape[0] // groups
    channels = weight.shape[1]

    def terms(index: Position, reduced: Position) -> list[Source]:
        batch, filter, *position = index
        channel, *taps = reduced
        there = _windowed(tuple(position), tuple(taps), a["stride"], a["padding"], a["dilation"])
        group = filter.quotient(per_group) if groups > 1 else ZERO
        read = (batch, group * channels + channel, *there)
        return [
            Source(x, read, inside(there, x.shape[2:])),
            Source(weight, (filter, channel, *taps)),
        ]

    return Reduction(value, tuple(weight.shape[1:]), terms, "sum")


def _conv_input(value: Value) -> Reduction:
    grad, weight = value.operands
    a = value.attributes
    groups = a["groups"]
    per_group = weight.shape[0] // groups
    channels = weight.shape[1]

    def terms(index: Position, reduced: Position) -> list[Source]:
        batch, channel, *position = index
        filter, *taps = reduced
        windows, conditions = _window_of(
            tuple(position), tuple(taps), grad.shape[2:], a["stride"], a["padding"], a["dilation"]
        )
        group = channel.quotient(channels) if groups > 1 else ZERO
        number = group * per_group + filter
        within = channel.remainder(channels) if groups > 1 else channel
        return [
            Source(grad, (batch, number, *windows), conditions),
            Source(weight, (number, within, *taps)),
        ]

    return Reduction(value, (per_group, *weight.shape[2:]), terms, "sum")


def _conv_weight(value: Value) -> Reduction:
    grad, x = value.operands
    a = value.attributes
    groups = a["groups"]
    per_group = value.shape[0] // groups
    channels = value.shape[1]

    def terms(index: Position, reduced: Position) -> list[Source]:
        filter, channel, *taps = index
        batch, *position = reduced
        there = _windowed(tuple(position), tuple(taps), a["stride"], a["padding"], a["dilation"])
        group = filter.quotient(per_group) if groups > 1 else ZERO
        return [
            Source(grad, (batch, filter, *position)),
            Source(
                x,
                (batch, group * channels + channel, *there),
                inside(there, x.shape[2:]),
            ),
        ]

    return Reduction(value, (grad.shape[0], *grad.shape[2:]), terms, "sum")


def _max_pool_indices(value: Value) -> Reduction:
    (x,) = value.operands
    a = value.attributes
    k = len(a["kernel"])
    spatial = x.shape[-k:]

    def there(index: Position, reduced: Position) -> list[Index]:
        return _windowed(index[-k:], reduced, a["stride"], a["padding"], a["dilation"])

    def terms(index: Position, reduced: Position) -> list[Source]:
        position = there(index, reduced)
        return [Source(x, (*index[:-k], *position), inside(position, spatial))]

    def place(index: Position, reduced: Position) -> Index:
        return linear(there(index, reduced), contiguous_strides(spatial))

    def offset(index: Position, reduced: Position) -> Index:
        return linear(reduced, contiguous_strides(a["kernel"]))

    taps = tuple(a["kernel"])
    if value.primitive == "max_pool":
        return Reduction(value, taps, terms, "amax")
    if value.primitive == "max_pool_offset":
        return Reduction(value, taps, terms, "argmax", offset)
    return Reduction(value, taps, terms, "argmax", place)


def _avg_pool(value: Value) -> Reduction:
    (x,) = value.operands
    a = value.attributes
    k = len(a["kernel"])

    def terms(index: Position, reduced: Position) -> list[Source]:
        position = _windowed(index[-k:], reduced, a["stride"], a["padding"], (1,) * k)
        return [Source(x, (*index[:-k], *position), inside(position, x.shape[-k:]))]

    return Reduction(value, tuple(a["kernel"]), terms, "sum")


def _avg_pool_input(value: Value) -> Reduction:
    (grad,) = value.operands
    a = value.attributes
    k = len(a["kernel"])

    def terms(index: Position, reduced: Position) -> list[Source]:
        windows, conditions = _window_of(
            index[-k:], reduced, grad.shape[-k:], a["stride"], a["padding"], (1,) * k
        )
        return [Source(grad, (*index[:-k], *windows), conditions)]

    return Reduction(value, tuple(a["kernel"]), terms, "sum")


_BUILDERS: dict[str, Callable[[Value], Reduction]] = {
    **dict.fromkeys("sum prod amax amin any all argmax argmin".split(), _plain),
    "matmul": _matmul,
    "conv": _conv,
    "conv_input": _conv_input,
    "conv_weight": _conv_weight,
    "max_pool_indices": _max_pool_indices,
    "max_pool": _max_pool_indices,
    "max_pool_offset": _max_pool_indices,
    "avg_pool": _avg_pool,
    "avg_pool_input": _avg_pool_input,
}


def identity(combine: str, dtype: np.dtype) -> Any:
    """What a combination of no terms is."""
    if combine in ("sum", "any"):
        return 0
    if combine in ("prod", "all"):
        return 1
    if dtype.kind == "f":
        return -math.inf if combine in ("amax", "argmax") else math.inf
    if dtype.kind == "b":
        return combine not in ("amax", "argmax")
    limits = np.iinfo(dtype)
    return int(limits.min if combine in ("amax", "argmax") else limits.max)


__all__ = ["REDUCTIONS", "Reduction", "identity", "reduction_of"]
