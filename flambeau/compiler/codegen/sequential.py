"""Primitives whose steps depend on each other: cumulative sums, scatters, sorting."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from ..graph import Value
from .builder import INDEX, Builder, Register
from .elementwise import EMIT, convert, emit_elementwise, llvm_type
from .expressions import Array, Expressions, Position, broadcast_index, indexed_position
from .indexing import ZERO, Index, Variable, linear, scalar_register, variable_index

LONGEST_SORT = 4096
"""Elements along a dim up to which each one's rank is counted."""


def write_sequential(
    builder: Builder, value: Value, expressions: Expressions, stored: dict[int, Array]
) -> None:
    """The code of the kernel that computes ``value`` alone."""
    array = stored[id(value)]
    _WRITERS[value.primitive](builder, value, expressions, array)


def _nest(
    builder: Builder,
    expressions: Expressions,
    shape: Sequence[int],
    body: Callable[[Position], None],
) -> None:
    """Scalar loops over ``shape`` around ``body``."""
    loops = [Variable(f"n{i}", n) for i, n in enumerate(shape)]
    opened = [v for v in loops if v.extent != 1]
    for variable in opened:
        variable.register, _ = builder.open_loop(0, variable.extent, 1)
    expressions.fresh()
    body(tuple(variable_index(v) for v in loops))
    for _ in opened:
        builder.close_loop()
    expressions.fresh()


def _cumulative(builder: Builder, value: Value, expressions: Expressions, array: Array) -> None:
    (x,) = value.operands
    dim = value.attributes["dim"] % max(1, x.ndim)
    if x.ndim == 0:
        expressions.store(expressions.value(x, ()), array, (), value.dtype)
        return
    outer = [n for i, n in enumerate(x.shape) if i != dim]
    name = "add" if value.primitive == "cumsum" else "mul"
    wide = np.dtype(np.float32) if value.dtype.char == "e" else value.dtype

    def line(position: Position) -> None:
        b = builder
        first = b.constant(llvm_type(wide), 0 if name == "add" else 1)
        along = Variable("k", x.shape[dim])
        counter, (total,) = b.open_loop(0, along.extent, 1, [first])
        along.register = counter
        expressions.fresh()
        step = Index({along: 1})
        at = (*position[:dim], step, *position[dim:])
        term = convert(b, expressions.value(x, at), x.dtype, wide)
        following = EMIT[name](b, wide, total, term)
        expressions.store(convert(b, following, wide, value.dtype), array, at, value.dtype)
        b.close_loop([following])

    _nest(builder, expressions, outer, line)


def _copy(builder: Builder, x: Value, expressions: Expressions, array: Array) -> None:
    def element(position: Position) -> None:
        expressions.store(expressions.value(x, position), array, position, x.dtype)

    _nest(builder, expressions, x.shape, element)


def _scatter(builder: Builder, value: Value, expressions: Expressions, array: Array) -> None:
    x, index, source = value.operands
    _copy(builder, x, expressions, array)
    if index.size == 0:
        return
    combine = {"scatter": None, "scatter_add": "add"}.get(value.primitive) or _COMBINED.get(
        value.attributes.get("reduce", "")
    )
    dim = value.attributes["dim"] % max(1, x.ndim)

    def element(position: Position) -> None:
        target: Position = ()
        if x.ndim:
            there = expressions._dynamic(index, position, x.shape[dim], False, None)
            target = (*position[:dim], there, *position[dim + 1 :])
        else:
            position = (ZERO,) * index.ndim
        _write(builder, value, expressions, array, target, source, position, combine)

    _nest(builder, expressions, index.shape, element)


def _index_put(builder: Builder, value: Value, expressions: Expressions, array: Array) -> None:
    x, *rest = value.operands
    indexed = value.attributes["indexed"]
    count = sum(indexed)
    # the operands follow the order of the primitive's parameters
    indices, source = rest[:count], rest[count]
    _copy(builder, x, expressions, array)
    from ...namespaces.primitives import indexed_shape

    iterator = iter(indices)
    shape = indexed_shape(x.shape, [next(iterator) if used else None for used in indexed])
    if math.prod(shape) == 0:
        return
    combine = "add" if value.attributes["accumulate"] else None

    def dynamic(chosen: Value, position: Position, extent: int, wraps: bool) -> Index:
        return expressions._dynamic(chosen, position, extent, wraps, None)

    def element(position: Position) -> None:
        target = indexed_position(x, indices, indexed, position, dynamic)
        at = broadcast_index(position, source.shape)
        _write(builder, value, expressions, array, target, source, at, combine)

    _nest(builder, expressions, shape, element)


def _write(
    builder: Builder,
    value: Value,
    expressions: Expressions,
    array: Array,
    target: Position,
    source: Value,
    at: Position,
    combine: str | None,
) -> None:
    """Put ``source`` at ``at`` where ``target`` is, or combine it with what is there."""
    b = builder
    term = expressions.value(source, at)
    term = convert(b, term, source.dtype, value.dtype)
    if combine is not None:
        offset = scalar_register(b, linear(target, array.strides))
        before = b.load(array.pointer, llvm_type(value.dtype), offset)
        term = emit_elementwise(b, combine, value.dtype, [before, term])
    expressions.store(term, array, target, value.dtype)


def _argsort(builder: Builder, value: Value, expressions: Expressions, array: Array) -> None:
    """Insertion of each element's rank: its place is the number of elements that go before it."""
    (x,) = value.operands
    descending = value.attributes["descending"]
    if x.ndim == 0:
        expressions.store(builder.index(0), array, (), value.dtype)
        return
    dim = value.attributes["dim"] % x.ndim
    extent = x.shape[dim]
    outer = [n for i, n in enumerate(x.shape) if i != dim]

    def before(mine: Register, other: Register, earlier: Register) -> Register:
        """Whether ``other`` goes before ``mine``; NaN is the largest, equal ones keep order."""
        b = builder
        if x.dtype.kind == "f":
            less = b.compare("fcmp olt", other, mine)
            more = b.compare("fcmp ogt", other, mine)
            mine_nan = b.compare("fcmp uno", mine, mine)
            other_nan = b.compare("fcmp uno", other, other)
            not_other = b.compare("fcmp ord", other, other)
            not_mine = b.compare("fcmp ord", mine, mine)
            less = b.binary("or", less, b.binary("and", mine_nan, not_other))
            more = b.binary("or", more, b.binary("and", other_nan, not_mine))
        else:
            sign = "s" if x.dtype.kind == "i" else "u"
            less = b.compare(f"icmp {sign}lt", other, mine)
            more = b.compare(f"icmp {sign}gt", other, mine)
        first, last = (more, less) if descending else (less, more)
        equal = b.binary("xor", b.binary("or", first, last), b.constant("i1", True))
        return b.binary("or", first, b.binary("and", equal, earlier))

    def line(position: Position) -> None:
        b = builder
        mine_at, other_at = Variable("i", extent), Variable("j", extent)
        mine_at.register, _ = b.open_loop(0, extent, 1)
        expressions.fresh()
        place = lambda v: (*position[:dim], Index({v: 1}), *position[dim:])  # noqa: E731
        mine = expressions.value(x, place(mine_at))
        counter, (rank,) = b.open_loop(0, extent, 1, [b.index(0)])
        other_at.register = counter
        expressions.fresh()
        other = expressions.value(x, place(other_at))
        earlier = b.compare("icmp slt", counter, mine_at.register)
        one = b.cast("zext", before(mine, other, earlier), INDEX)
        (rank,) = b.close_loop([b.binary("add", rank, one)])
        expressions.fresh()
        target = Variable("r", extent)
        target.register = rank
        expressions.store(mine_at.register, array, place(target), value.dtype)
        b.close_loop()

    _nest(builder, expressions, outer, line)


_COMBINED = {"prod": "mul", "amax": "maximum", "amin": "minimum"}
_WRITERS = {
    "cumsum": _cumulative,
    "cumprod": _cumulative,
    "scatter": _scatter,
    "scatter_add": _scatter,
    "scatter_reduce": _scatter,
    "index_put": _index_put,
    "argsort": _argsort,
}
