"""What a value is at an index: the code of elementwise chains and views, without temporaries.

A kernel asks for a value at an index (one per dim, in loop variables).  Elementwise primitives ask
their operands at the same index, views at another one, and so on down to the *leaves*: arrays in
memory, and values that the kernel has in registers already.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...namespaces.primitives import BINARY, BINARY_PREDICATES, UNARY, UNARY_PREDICATES
from ..graph import Value
from ..unsupported import Unsupported
from .builder import BOOL, INDEX, Builder, Register
from .elementwise import as_bool, convert, emit_elementwise, llvm_type, number
from .indexing import (
    ZERO,
    Dynamic,
    Index,
    Variable,
    constant_index,
    lane_register,
    linear,
    reshaped,
    scalar_register,
    vector_stride,
)

ELEMENTWISE = frozenset(
    [*UNARY, *BINARY, *UNARY_PREDICATES, *BINARY_PREDICATES]
    + "where astype checked_index real imag conj".split()
)
VIEWS = frozenset("reshape permute expand flip slice relayout".split())
CHOICES = frozenset("pad cat slice_scatter gather index".split())
GENERATED = frozenset("full arange".split())
INLINE = ELEMENTWISE | VIEWS | CHOICES | GENERATED
"""The primitives that need no loop of their own."""

Position = tuple[Index, ...]


@dataclass(frozen=True)
class Condition:
    """``low <= index < high``, or with a divisor: ``index`` is a multiple of it."""

    index: Index
    low: int
    high: int
    divisor: int = 1

    @property
    def always(self) -> bool:
        if self.divisor > 1:
            return False
        return self.low <= self.index.low and self.index.high < self.high


@dataclass(frozen=True)
class Source:
    """An operand read at ``index`` where all ``conditions`` hold."""

    operand: Value
    index: Position
    conditions: tuple[Condition, ...] = ()


DynamicIndex = Callable[[Value, Position, int, bool], Index]
"""Gives the index that is read from an array at a position: (array, position, extent, wraps)."""


def broadcast_index(index: Position, shape: Sequence[int]) -> Position:
    """The index into an operand of ``shape`` that broadcasts to the result's dims."""
    offset = len(index) - len(shape)
    return tuple(ZERO if n == 1 else index[offset + i] for i, n in enumerate(shape))


def _slice_items(shape: Sequence[int], key: Sequence[Any]) -> list[Any]:
    items = list(key)
    used = sum(item is not None for item in items)
    return [*items, *[slice(None)] * (len(shape) - used)]


def sources(value: Value, index: Position, dynamic: DynamicIndex) -> list[Source]:
    """What ``value`` at ``index`` is computed from.

    For views and choices, the first source whose conditions hold is the value.
    """
    name = value.primitive
    operands = value.operands
    attributes = value.attributes
    if name in ELEMENTWISE:
        return [Source(x, broadcast_index(index, x.shape)) for x in operands]
    if name == "reshape":
        x = operands[0]
        return [Source(x, reshaped(index, value.shape, x.shape))]
    if name == "permute":
        x = operands[0]
        position: list[Index] = [ZERO] * x.ndim
        for i, dim in enumerate(attributes["dims"]):
            position[dim] = index[i]
        return [Source(x, tuple(position))]
    if name == "relayout":
        return [Source(operands[0], index)]
    if name == "expand":
        return [Source(operands[0], broadcast_index(index, operands[0].shape))]
    if name == "flip":
        x = operands[0]
        dims = {dim % x.ndim for dim in attributes["dims"]}
        return [
            Source(
                x,
                tuple(
                    index[i] * -1 + (n - 1) if i in dims else index[i]
                    for i, n in enumerate(x.shape)
                ),
            )
        ]
    if name == "slice":
        return [Source(operands[0], _sliced(operands[0].shape, attributes["key"], index))]
    if name == "slice_scatter":
        return _scattered_slice(value, index)
    if name == "pad":
        x = operands[0]
        position = [i + -low for i, (low, _) in zip(index, attributes["widths"], strict=True)]
        return [Source(x, tuple(position), inside(position, x.shape))]
    if name == "cat":
        dim = attributes["dim"] % value.ndim
        found = []
        start = 0
        for x in operands:
            moved = index[dim] + -start
            condition = Condition(moved, 0, x.shape[dim])
            start += x.shape[dim]
            if x.shape[dim]:
                there = (*index[:dim], moved, *index[dim + 1 :])
                found.append(Source(x, there, () if condition.always else (condition,)))
        return found
    if name == "gather":
        x, chosen = operands
        if x.ndim == 0:
            return [Source(x, ())]
        dim = attributes["dim"] % x.ndim
        taken = dynamic(chosen, index, x.shape[dim], False)
        return [Source(x, (*index[:dim], taken, *index[dim + 1 :]))]
    if name == "index":
        return [Source(operands[0], _indexed(value, index, dynamic))]
    raise Unsupported(name, "not an expression")


def inside(position: Sequence[Index], shape: Sequence[int]) -> tuple[Condition, ...]:
    """What must hold for ``position`` to be in an array of ``shape``, but for what always holds."""
    conditions = (Condition(i, 0, n) for i, n in zip(position, shape, strict=True))
    return tuple(c for c in conditions if not c.always)


def _sliced(shape: Sequence[int], key: Sequence[Any], index: Position) -> Position:
    position: list[Index] = []
    at = 0
    for item in _slice_items(shape, key):
        if item is None:
            at += 1
            continue
        n = shape[len(position)]
        if isinstance(item, slice):
            start, _, step = item.indices(n)
            position.append(index[at] * step + start)
            at += 1
        else:
            number = int(item)
            position.append(constant_index(number + n if number < 0 else number))
    return tuple(position)


def _scattered_slice(value: Value, index: Position) -> list[Source]:
    x, values = value.operands
    conditions: list[Condition] = []
    position: list[Index] = []
    dim = 0
    for item in _slice_items(x.shape, value.attributes["key"]):
        if item is None:
            position.append(ZERO)
            continue
        n = x.shape[dim]
        if isinstance(item, slice):
            start, stop, step = item.indices(n)
            count = len(range(start, stop, step))
            moved = index[dim] + -start
            conditions.append(Condition(moved, 0, (count - 1) * step + 1))
            if step > 1:
                conditions.append(Condition(moved, 0, 0, step))
            position.append(moved.quotient(step) if step > 1 else moved)
        else:
            number = int(item) + (n if int(item) < 0 else 0)
            conditions.append(Condition(index[dim], number, number + 1))
        dim += 1
    conditions = [c for c in conditions if not c.always]
    written = Source(values, broadcast_index(tuple(position), values.shape), tuple(conditions))
    return [written, Source(x, index)] if conditions else [written]


def _indexed(value: Value, index: Position, dynamic: DynamicIndex) -> Position:
    x, *arrays = value.operands
    return indexed_position(x, arrays, value.attributes["indexed"], index, dynamic)


def indexed_position(
    x: Value,
    arrays: Sequence[Value],
    indexed: Sequence[bool],
    index: Position,
    dynamic: DynamicIndex,
) -> Position:
    """Where in ``x`` the element ``index`` of ``x[arrays]`` is (NumPy's advanced indexing)."""
    dims = [i for i, used in enumerate(indexed) if used]
    width = max(a.ndim for a in arrays)
    adjacent = dims == list(range(dims[0], dims[-1] + 1))
    before = dims[0] if adjacent else 0
    common = index[before : before + width]
    rest = [*index[:before], *index[before + width :]]
    remaining = iter(rest)
    taken = iter(arrays)
    position = []
    for dim, n in enumerate(x.shape):
        if dim < len(indexed) and indexed[dim]:
            array = next(taken)
            position.append(dynamic(array, broadcast_index(common, array.shape), n, True))
        else:
            position.append(next(remaining))
    return tuple(position)


# -- leaves -------------------------------------------------------------------------------------


@dataclass
class Array:
    """Where a value is in memory: a pointer and the strides of its dims, in elements."""

    pointer: Register
    strides: tuple[int, ...]


@dataclass(frozen=True)
class Access:
    """A read of a leaf: found by :func:`trace`."""

    value: Value
    index: Position
    conditional: bool


def within(value: Value, index: Position) -> Position:
    """``index`` as it is where it lies within ``value``: in a dim of size 1 that is 0."""
    if 1 not in value.shape:
        return index
    return tuple(ZERO if n == 1 else i for i, n in zip(index, value.shape, strict=True))


def trace(
    value: Value, index: Position, is_leaf: Callable[[Value], bool], root: bool = False
) -> tuple[list[Access], list[Index]]:
    """The leaves that ``value`` at ``index`` reads, and other index expressions that it uses.

    With ``root``, ``value`` itself is looked into although it is a leaf to others.
    """
    accesses: list[Access] = []
    uses: list[Index] = []
    seen: set[Any] = set()

    def dynamic(array: Value, position: Position, extent: int, wraps: bool) -> Index:
        visit(array, position, False)
        if extent == 1:
            return ZERO
        depends: set[Variable] = set()
        for i in position:
            depends |= i.variables()
        key = (id(array), position, extent)
        return Index({Dynamic(key, 0, max(extent - 1, 0), frozenset(depends)): 1})

    stack: list[tuple[Value, Position, bool]] = []

    def visit(v: Value, position: Position, conditional: bool) -> None:
        stack.append((v, within(v, position), conditional))

    visit(value, index, False)
    first = True
    while stack:
        v, position, conditional = stack.pop()
        key = (id(v), position, conditional)
        if key in seen:
            continue
        seen.add(key)
        if is_leaf(v) and not (first and root):
            accesses.append(Access(v, position, conditional))
        elif v.primitive == "arange":
            uses.append(position[0])
        elif v.primitive == "full" or v.primitive == "constant":
            continue
        else:
            found = sources(v, position, dynamic)
            for source in found:
                uses.extend(c.index for c in source.conditions)
                visit(source.operand, source.index, conditional or bool(source.conditions))
        first = False
    return accesses, uses


# -- code ---------------------------------------------------------------------------------------


@dataclass
class Expressions:
    """Writes the code of values at indices into ``builder``.

    Attributes:
        arrays: the leaves, by ``id`` of the value.
        registers: values that the kernel has computed: ``id`` -> (index, register).
        mask: the active lanes of vector variables, None for all.
        status: where to note that an index is out of range (a pointer to an ``i64``).
    """

    builder: Builder
    arrays: dict[int, Array]
    status: Register
    registers: dict[int, tuple[Position, Register]] = field(default_factory=dict)
    mask: Register | None = None
    _memo: dict[Any, Register] = field(default_factory=dict)
    _checked: set[tuple[str, str]] = field(default_factory=set)

    def fresh(self) -> None:
        """Forget what was computed: a loop variable has changed, or memory was written."""
        self._memo.clear()

    def value(self, v: Value, index: Position, predicate: Register | None = None) -> Register:
        """The register of ``v`` at ``index``; where ``predicate`` does not hold, anything."""
        index = within(v, index)
        key = (id(v), index, None if predicate is None else predicate.name)
        register = self._memo.get(key)
        if register is None:
            register = self._memo[key] = self._compute(v, index, predicate)
        return register

    def _compute(self, v: Value, index: Position, predicate: Register | None) -> Register:
        """A leaf is read, anything else computed."""
        bound = self.registers.get(id(v))
        if bound is not None:
            if bound[0] != index:
                raise RuntimeError(f"{v} is in a register for {bound[0]}, not for {index}")
            return bound[1]
        array = self.arrays.get(id(v))
        if array is not None:
            return self._load(v, array, index, predicate)
        return self.root(v, index, predicate)

    def root(self, v: Value, index: Position, predicate: Register | None = None) -> Register:
        """``v`` at ``index`` computed from its operands, even if it has a place in memory."""
        b = self.builder
        name = v.primitive
        attributes = v.attributes
        if name == "constant":
            array_value = attributes["array"]
            if array_value.size == 1:
                return number(b, v.dtype, array_value.reshape(()))
            raise RuntimeError("a constant array without memory")
        if name == "full":
            return number(b, v.dtype, attributes["value"])
        if name == "arange":
            return self._arange(v, index[0])
        if name in ELEMENTWISE:
            return self._elementwise(v, index, predicate)
        if v.primitive not in INLINE:
            raise RuntimeError(f"{v} has neither memory nor a register")
        found = sources(
            v, index, lambda array, at, n, wraps: self._dynamic(array, at, n, wraps, predicate)
        )
        if len(found) == 1 and not found[0].conditions:
            return self.value(found[0].operand, found[0].index, predicate)
        if name == "pad":
            result = number(b, v.dtype, attributes["value"])
        else:
            result = number(b, v.dtype, 0)
        for source in reversed(found):
            holds = self.conditions(source.conditions)
            there = self.value(source.operand, source.index, b.logical_and(predicate, holds))
            result = there if holds is None else b.select(holds, there, result)
        return result

    def conditions(self, conditions: Sequence[Condition]) -> Register | None:
        """Whether all ``conditions`` hold; None if they always do."""
        b = self.builder
        result: Register | None = None
        for c in conditions:
            if c.always:
                continue
            register = lane_register(b, c.index)
            if c.divisor > 1:
                rest = b.binary("srem", register, b.index(c.divisor))
                holds = b.compare("icmp eq", rest, b.index(0))
            else:
                shifted = b.index_add(register, b.index(-c.low))
                holds = b.compare("icmp ult", shifted, b.index(max(0, c.high - c.low)))
            result = b.logical_and(result, holds)
        return result

    def _arange(self, v: Value, index: Index) -> Register:
        b = self.builder
        start, step = v.attributes["start"], v.attributes["step"]
        if index.is_constant:
            return number(b, v.dtype, start + step * index.constant)
        position = lane_register(b, index)
        if v.dtype.kind in "iu":
            scaled = b.binary("mul", position, b.index(int(step)))
            total = b.binary("add", scaled, b.index(int(start)))
            return convert(b, total, np.dtype(np.int64), v.dtype)
        wide = b.cast("sitofp", position, "double")
        scaled = b.binary("fmul", wide, b.constant("double", step))
        total = b.binary("fadd", scaled, b.constant("double", start))
        return convert(b, total, np.dtype(np.float64), v.dtype)

    def _elementwise(self, v: Value, index: Position, predicate: Register | None) -> Register:
        b = self.builder
        found = sources(v, index, _no_dynamic)
        operands = [self.value(s.operand, s.index, predicate) for s in found]
        name = v.primitive
        if name == "astype":
            source = v.operands[0].dtype
            llvm_type(v.dtype, name)
            return convert(b, operands[0], source, v.dtype)
        if name == "checked_index":
            wide = convert(b, operands[0], v.dtype, np.dtype(np.int64))
            wide = self.checked(wide, v.attributes["extent"], False, predicate)
            return convert(b, wide, np.dtype(np.int64), v.dtype)
        if name == "where":
            condition = as_bool(b, operands[0], v.operands[0].dtype)
            x, y = (
                convert(b, o, s.dtype, v.dtype)
                for o, s in zip(operands[1:], v.operands[1:], strict=True)
            )
            return b.select(condition, x, y)
        dtype = v.operands[0].dtype
        for i, operand in enumerate(v.operands):
            if operand.dtype != dtype and name not in ("logical_and", "logical_or", "logical_xor"):
                raise Unsupported(name, f"operands of {dtype} and {operand.dtype}")
            if name.startswith("logical_"):
                operands[i] = as_bool(b, operands[i], operand.dtype)
        if name.startswith("logical_"):
            dtype = np.dtype(bool)
        return emit_elementwise(b, name, dtype, operands)

    def _dynamic(
        self,
        array: Value,
        position: Position,
        extent: int,
        wraps: bool,
        predicate: Register | None,
    ) -> Index:
        """The index read from ``array``, checked against ``extent``."""
        b = self.builder
        register = self.value(array, position, predicate)
        register = convert(b, register, array.dtype, np.dtype(np.int64))
        register = self.checked(register, extent, wraps, predicate)
        if extent == 1:
            return ZERO
        depends: set[Variable] = set()
        for i in position:
            depends |= i.variables()
        key = (id(array), position, extent, register.name)
        atom = Dynamic(key, 0, max(extent - 1, 0), frozenset(depends))
        atom.register = register
        return Index({atom: 1})

    def checked(
        self, register: Register, extent: int, wraps: bool, predicate: Register | None
    ) -> Register:
        """An index read from memory as one in range, noting in the status that it was not."""
        b = self.builder
        if wraps:
            negative = b.compare("icmp slt", register, b.index(0))
            moved = b.binary("add", register, b.index(extent))
            register = b.select(negative, moved, register)
        outside = b.compare("icmp uge", register, b.index(extent))
        valid = b.select(outside, b.index(0), register)
        active = predicate
        if register.lanes > 1 or (predicate is not None and predicate.lanes > 1):
            active = b.logical_and(self.mask, predicate)
        wrong = b.logical_and(outside, active)
        assert wrong is not None
        any_wrong = b.cast("zext", b.reduce("or", wrong), INDEX)
        key = (register.name, wrong.name)
        if key not in self._checked:
            self._checked.add(key)
            before = b.effect(f"load i64, {self.status.typed}", INDEX)
            after = b.binary("or", before, any_wrong)
            b.statement(f"store {after.typed}, {self.status.typed}")
        return valid

    def read(self, v: Value, array: Array, index: Position) -> Register:
        """What is in memory for ``v`` at ``index``."""
        return self._load(v, array, index, None)

    def _load(
        self, v: Value, array: Array, index: Position, predicate: Register | None
    ) -> Register:
        b = self.builder
        type = llvm_type(v.dtype)
        if v.size == 0:
            return b.constant(type, 0)
        offset = linear(index, array.strides)
        stride = vector_stride(offset)
        if stride == 0:
            register = scalar_register(b, offset)
            if predicate is not None:
                holds = b.reduce("or", predicate)
                register = b.select(holds, register, b.index(0))
            return b.load(array.pointer, type, register)
        mask = b.logical_and(self.mask, predicate)
        lanes = self.lanes_of(offset)
        if mask is not None:
            mask = b.widen(mask, lanes)
        if stride == 1:
            return b.load(array.pointer, type, scalar_register(b, offset), lanes, mask)
        return b.load(array.pointer, type, lane_register(b, offset), lanes, mask)

    def lanes_of(self, index: Index) -> int:
        """In how many lanes ``index`` differs."""
        lanes = 1
        for atom in index.terms:
            if isinstance(atom, Variable):
                lanes = max(lanes, atom.lanes)
            elif isinstance(atom, Dynamic):
                lanes = max(lanes, atom.register.lanes if atom.register is not None else 1)
            else:
                lanes = max(lanes, *(v.lanes for v in atom.index.variables()), 1)
        return lanes

    def store(self, register: Register, array: Array, index: Position, dtype: np.dtype) -> None:
        """Write ``register`` to ``array`` at ``index``."""
        b = self.builder
        offset = linear(index, array.strides)
        stride = vector_stride(offset)
        lanes = self.lanes_of(offset)
        if register.literal is not None and register.type != BOOL:
            register = b.widen(register, lanes)
        elif lanes > 1:
            register = b.widen(register, lanes)
        if stride == 0 or lanes == 1:
            b.store(register, array.pointer, scalar_register(b, offset))
        elif stride == 1:
            b.store(register, array.pointer, scalar_register(b, offset), self.mask)
        else:
            b.store(register, array.pointer, lane_register(b, offset), self.mask)


def _no_dynamic(*read: Any) -> Index:
    raise RuntimeError("an elementwise primitive reads no index")
