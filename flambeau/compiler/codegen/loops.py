"""Code of a kernel as loops: right for every kernel, vectorised where memory allows."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

from ..graph import Value
from ..kernels import Group, Kernel, Member, loop_variable, member_accesses
from ..reductions import identity
from ..unsupported import Unsupported
from .builder import INDEX, Builder, Register
from .elementwise import EMIT, EXPENSIVE, as_bool, llvm_type
from .expressions import Array, Expressions
from .indexing import Index, Quotient, Variable, lane_register, linear, variable_index
from .partition import best_loop, divided_loop, unit_count

_UNROLLED = 32
"""Iterations of inner loops that are written out where a vector lies across the outer loop."""
_WRITTEN_OUT = 96
"""Instructions of all these iterations, about, up to which they are."""
_EXPENSIVE = 25
"""Instructions, about, of a primitive like an exponential."""
_LONG = 24
"""Instructions of a term that takes longer than adding it does."""
_ACCUMULATORS = 4
_CHAIN = 256
"""Terms that one accumulator adds before it is added to the total, for accuracy."""

Strides = Callable[[Value], tuple[int, ...]]
IsLeaf = Callable[[Value], bool]


# -- the shape of the loops ---------------------------------------------------------------------


def _flat_uses(
    kernel: Kernel, is_leaf: IsLeaf, strides: Strides
) -> list[tuple[Group, Index, bool]]:
    """Every memory position and condition of the kernel: (group, index, is a store)."""
    found: list[tuple[Group, Index, bool]] = []
    in_registers = {id(v) for v in kernel.values} - {id(v) for v in kernel.stored}
    stored = {id(v) for v in kernel.stored}
    for group in kernel.groups:
        for member in group.members:
            accesses, uses = member_accesses(group, member, is_leaf)
            for access in accesses:
                if id(access.value) in in_registers:
                    continue
                if access.value.primitive == "constant" and access.value.size == 1:
                    continue
                found.append((group, linear(access.index, strides(access.value)), False))
            found.extend((group, use, False) for use in uses)
            if id(member.value) in stored:
                found.append((group, linear(member.position, strides(member.value)), True))
    return found


def _all_loops(kernel: Kernel) -> list[list[Variable]]:
    lists = [kernel.outer]
    for group in kernel.groups:
        if not any(group.inner is known for known in lists):
            lists.append(group.inner)
        lists.append(group.reduced)
    return lists


def _split_of(index: Index) -> tuple[Variable, int] | None:
    """A loop variable, and the inner extent to split it by, that removes a quotient."""
    for atom in index.terms:
        if not isinstance(atom, Quotient):
            continue
        deeper = _split_of(atom.index)
        if deeper is not None:
            return deeper
        variables = [
            (coefficient, v)
            for v, coefficient in atom.index.terms.items()
            if isinstance(v, Variable) and coefficient > 0
        ]
        for coefficient, variable in sorted(variables, key=lambda pair: pair[0]):
            if atom.divisor % coefficient:
                continue
            inner = atom.divisor // coefficient
            if 1 < inner < variable.extent and variable.extent % inner == 0:
                return variable, inner
    return None


def split_loops(kernel: Kernel, is_leaf: IsLeaf, strides: Strides) -> None:
    """Split loops so that what reshapes read is an affine function of them, where possible."""
    for _ in range(16):
        split = None
        for _, index, _ in _flat_uses(kernel, is_leaf, strides):
            split = _split_of(index)
            if split is not None:
                break
        if split is None:
            return
        variable, extent = split
        high, low = loop_variable(variable.extent // extent), loop_variable(extent)
        for loops in _all_loops(kernel):
            if variable in loops:
                at = loops.index(variable)
                loops[at : at + 1] = [high, low]
        kernel.substitute({variable: variable_index(high) * extent + variable_index(low)})


def order_loops(kernel: Kernel, is_leaf: IsLeaf, strides: Strides) -> None:
    """Put loops over nearby memory inside."""
    uses = _flat_uses(kernel, is_leaf, strides)

    def distance(variable: Variable) -> tuple[float, ...]:
        stores = [abs(i.coefficient(variable) or 0) for _, i, store in uses if store]
        stores = [s for s in stores if s]
        loads = [abs(i.coefficient(variable) or 0) for _, i, store in uses if not store]
        loads = [s for s in loads if s]
        if stores:
            return (min(stores), min(loads, default=0))
        return (min(loads, default=0), 0)

    for loops in _all_loops(kernel):
        loops.sort(key=distance, reverse=True)


def collapse_loops(kernel: Kernel, is_leaf: IsLeaf, strides: Strides) -> None:
    """Make one loop of two neighbours that walk through all memory as one would."""
    for loops in _all_loops(kernel):
        at = 0
        while at + 1 < len(loops):
            high, low = loops[at], loops[at + 1]
            fits = True
            for _, index, _ in _flat_uses(kernel, is_leaf, strides):
                a, c = index.coefficient(high), index.coefficient(low)
                if a is None or c is None or a != c * low.extent:
                    fits = False
                    break
            if not fits:
                at += 1
                continue
            merged = loop_variable(high.extent * low.extent)
            whole = variable_index(merged)
            kernel.substitute({high: whole.quotient(low.extent), low: whole.remainder(low.extent)})
            loops[at : at + 2] = [merged]
            at = max(0, at - 1)


def arrange_loops(kernel: Kernel, is_leaf: IsLeaf, strides: Strides) -> None:
    """Split, order and collapse the loops of ``kernel`` for the arrays' layouts."""
    split_loops(kernel, is_leaf, strides)
    order_loops(kernel, is_leaf, strides)
    collapse_loops(kernel, is_leaf, strides)


def lanes_for(kernel: Kernel, vector_bytes: int) -> int:
    """Elements in a vector, by the widest floating dtype (else the widest dtype) computed."""
    floats = [v.dtype.itemsize for v in kernel.values if v.dtype.kind == "f"]
    operands = [o.dtype for v in kernel.values for o in v.operands]
    floats += [d.itemsize for d in operands if d.kind == "f"]
    widest = max(floats or [v.dtype.itemsize for v in kernel.values])
    return max(2, min(16, vector_bytes // max(4, widest)))


def _fitting(extent: int, lanes: int) -> int:
    """``lanes``, or as few as hold ``extent`` elements."""
    while lanes > 2 and lanes // 2 >= extent:
        lanes //= 2
    return lanes


def choose_vectors(
    kernel: Kernel, is_leaf: IsLeaf, strides: Strides, lanes: int
) -> tuple[Variable | None, dict[int, Variable]]:
    """The outer loop to vectorise, or else one loop for each group (by the group's id)."""
    uses = _flat_uses(kernel, is_leaf, strides)
    by_group: dict[int, list[tuple[Index, bool]]] = {}
    for group, index, store in uses:
        by_group.setdefault(id(group), []).append((index, store))

    def cost(group: Group, variable: Variable | None, reduced: bool) -> float:
        iterations = math.prod(v.extent for v in (*group.inner, *group.reduced))
        width = 1.0
        if variable is not None and variable.extent:
            fitted = _fitting(variable.extent, lanes)
            vectors = -(-variable.extent // fitted)
            width = variable.extent / vectors
        total = 0.0
        for index, store in by_group.get(id(group), []):
            stride = index.coefficient(variable) if variable is not None else 0
            if variable is None or stride == 0:
                price = 1.0 if variable is None else 0.5
            elif stride == 1:
                price = 1.0
            else:
                price = 2.0 * width if store else 1.2 * width
            total += price
        total += 1.0 + len(group.members)
        total *= iterations / width
        if reduced:
            total += 10.0 * len(group.members)
        return total

    best_outer: Variable | None = None
    best_cost = math.inf
    for variable in kernel.outer:
        total = sum(cost(g, variable, False) for g in kernel.groups)
        if total < best_cost:
            best_outer, best_cost = variable, total
    inner_cost = 0.0
    inner: dict[int, Variable] = {}
    for group in kernel.groups:
        best = cost(group, None, False)
        candidates = [(v, False) for v in group.inner]
        if group.reduces and not any(
            m.reduction is not None and m.reduction.place for m in group.members
        ):
            candidates += [(v, True) for v in group.reduced]
        for variable, reduced in candidates:
            total = cost(group, variable, reduced)
            if total < best:
                best = total
                inner[id(group)] = variable
        inner_cost += best
    if best_outer is not None and best_cost <= inner_cost:
        scalar = sum(cost(g, None, False) for g in kernel.groups)
        if best_cost < scalar or not inner:
            return (best_outer if best_cost < scalar else None), {}
    return None, inner


# -- code ---------------------------------------------------------------------------------------


class LoopCode:
    """Writes ``kernel`` into ``builder``."""

    def __init__(
        self,
        builder: Builder,
        kernel: Kernel,
        expressions: Expressions,
        stored: dict[int, Array],
        is_leaf: IsLeaf,
        strides: Strides,
        vector_bytes: int,
        repeatable: bool = False,
    ) -> None:
        """``repeatable``: an element may be computed twice, for nothing is updated in place."""
        self.builder = builder
        self.kernel = kernel
        self.expressions = expressions
        self.stored = stored
        self.repeatable = repeatable
        self.is_leaf = is_leaf
        self.lanes = lanes_for(kernel, vector_bytes)
        self.outer_vector, self.group_vectors = choose_vectors(kernel, is_leaf, strides, self.lanes)

    def _ordered_loops(self) -> list[Variable]:
        loops = [v for v in self.kernel.outer if v is not self.outer_vector]
        if self.outer_vector is not None:
            loops.append(self.outer_vector)
        return loops

    def units(self) -> int:
        """Into how many parts the kernel can be divided."""
        loops = self._ordered_loops()
        if not loops or any(v.extent == 0 for v in loops):
            return 1
        sizes = [(v, self._lanes_of(v)) for v in loops]
        variable, size = sizes[best_loop(sizes)]
        return unit_count(variable.extent, size)

    def write(self, divided: bool = False) -> None:
        """All of the kernel, or with ``divided`` the units that it is asked for."""
        loops = self._ordered_loops()
        if any(v.extent == 0 for v in loops):
            return
        if not divided:
            self._outer(loops)
            return
        sizes = [(v, self._lanes_of(v)) for v in loops]
        variable, lanes = sizes[best_loop(sizes)]
        others = [v for v in loops if v is not variable]
        expressions = self.expressions

        def full(counter: Register) -> None:
            variable.lanes, variable.register, variable.offset = lanes, counter, 0
            expressions.fresh()
            self._outer(others)

        def rest() -> None:
            whole, active = divmod(variable.extent, lanes)
            variable.lanes, variable.register = lanes, self.builder.index(0)
            variable.offset = whole * lanes
            expressions.fresh()
            expressions.mask = self.builder.lane_mask(lanes, active)
            self._outer(others)
            expressions.mask = None

        divided_loop(self.builder, variable, lanes, full, rest, self.repeatable and lanes > 1)
        expressions.fresh()

    def _outer(self, loops: Sequence[Variable]) -> None:
        if not loops:
            for group in self.kernel.groups:
                self._group(group)
            return
        first, rest = loops[0], loops[1:]

        def body(carried: list[Register]) -> list[Register]:
            self._outer(rest)
            return []

        self._loop(first, self._lanes_of(first), [], body, 1)

    def _lanes_of(self, variable: Variable) -> int:
        chosen = variable is self.outer_vector or any(
            variable is v for v in self.group_vectors.values()
        )
        return _fitting(variable.extent, self.lanes) if chosen else 1

    def _loop(
        self,
        variable: Variable,
        lanes: int,
        carried: list[Register],
        body: Callable[[list[Register]], list[Register]],
        unrolled: int,
    ) -> list[Register]:
        """``body`` for all of ``variable``, ``lanes`` at a time, then the rest.

        The rest is a vector that begins earlier, where that may be, and otherwise a masked one.
        """
        b, expressions = self.builder, self.expressions
        variable.lanes = lanes
        full, rest = divmod(variable.extent, lanes)
        overlapping = bool(full and rest and self.repeatable and not carried)

        def once(register: Register, offset: int, values: list[Register]) -> list[Register]:
            variable.register, variable.offset = register, offset
            expressions.fresh()
            return body(values)

        if full <= unrolled:
            for i in range(full):
                carried = once(b.index(0), i * lanes, carried)
        else:
            stop = variable.extent if overlapping else full * lanes
            counter, registers = b.open_loop(0, stop, lanes, carried, overlapping)
            carried = b.close_loop(once(counter, 0, registers))
        if overlapping:
            if full <= unrolled:
                carried = once(b.index(0), variable.extent - lanes, carried)
        elif rest:
            outer_mask = expressions.mask
            expressions.mask = b.lane_mask(lanes, rest)
            carried = once(b.index(0), full * lanes, carried)
            expressions.mask = outer_mask
        expressions.fresh()
        variable.lanes = 1
        variable.register = None
        return carried

    def _group(self, group: Group) -> None:
        if group.reduces:
            self._reduce(group)
        else:
            self._map(group, list(group.inner))

    def _are_written_out(self, group: Group, loops: Sequence[Variable]) -> bool:
        """Whether every iteration of ``loops`` gets code of its own."""
        points = math.prod(v.extent for v in loops)
        if points * len(group.members) > _UNROLLED:
            return False
        return points * self._instructions(group) <= _WRITTEN_OUT

    def _instructions(self, group: Group) -> int:
        """About how many one point of ``group`` takes."""
        known = {id(v) for v in self.kernel.values}
        pending = [m.value for m in group.members]
        instructions = 0
        while pending:
            value = pending.pop()
            instructions += _EXPENSIVE if value.primitive in EXPENSIVE else 1
            inner = [v for v in value.operands if id(v) not in known and not self.is_leaf(v)]
            known.update(id(v) for v in inner)
            pending += inner
        return instructions

    # -- elementwise ----------------------------------------------------------------------------

    def _map(self, group: Group, loops: list[Variable]) -> None:
        vector = self.group_vectors.get(id(group))
        if vector is not None:
            loops = [*(v for v in loops if v is not vector), vector]
        unrolled = _UNROLLED if self._are_written_out(group, loops) else 1

        def nest(remaining: list[Variable]) -> None:
            if not remaining:
                self._point(group)
                return

            def body(carried: list[Register]) -> list[Register]:
                nest(remaining[1:])
                return []

            self._loop(remaining[0], self._lanes_of(remaining[0]), [], body, unrolled)

        nest(loops)
        if group.inner:
            for member in group.members:
                self.expressions.registers.pop(id(member.value), None)

    def _point(self, group: Group) -> None:
        expressions = self.expressions
        results = []
        for member in group.members:
            register = expressions.root(member.value, member.position)
            expressions.registers[id(member.value)] = (member.position, register)
            results.append(register)
        for member, register in zip(group.members, results, strict=True):
            self._store(member, register)

    def _store(self, member: Member, register: Register) -> None:
        array = self.stored.get(id(member.value))
        if array is not None:
            self.expressions.store(register, array, member.position, member.value.dtype)
            self.expressions.fresh()

    # -- reductions -----------------------------------------------------------------------------

    def _reduce(self, group: Group) -> None:
        vector = self.group_vectors.get(id(group))
        loops = list(group.reduced)
        if vector is not None:
            loops = [*(v for v in loops if v is not vector), vector]
        lanes = self._lanes_of(vector) if vector is not None else 1
        if self.outer_vector is not None:
            lanes = self._lanes_of(self.outer_vector)
        members = group.members
        combiners = [Combiner(self, group, m, lanes, vector) for m in members]
        starts = [r for c in combiners for r in c.start()]
        if any(m.reduction is not None and m.reduction.count == 0 for m in members):
            totals = starts
        else:
            totals = self._nest(loops, starts, combiners)
        at = 0
        results = []
        for combiner, member in zip(combiners, members, strict=True):
            width = combiner.width
            register = combiner.finish(totals[at : at + width])
            at += width
            self.expressions.registers[id(member.value)] = (member.position, register)
            results.append(register)
        for member, register in zip(members, results, strict=True):
            self._store(member, register)

    def _nest(
        self, loops: list[Variable], totals: list[Register], combiners: list[Combiner]
    ) -> list[Register]:
        def point(values: list[Register]) -> list[Register]:
            result: list[Register] = []
            at = 0
            for c in combiners:
                result.extend(c.step(values[at : at + c.width]))
                at += c.width
            return result

        if not loops:
            return point(totals)
        if self.outer_vector is not None and self._are_written_out(combiners[0].group, loops):
            return self._unrolled(loops, totals, point)
        if len(loops) > 1:
            body = lambda values: self._nest(loops[1:], values, combiners)  # noqa: E731
            return self._loop(loops[0], self._lanes_of(loops[0]), totals, body, 1)
        return self._innermost(loops[0], totals, combiners, point)

    def _unrolled(
        self,
        loops: list[Variable],
        totals: list[Register],
        point: Callable[[list[Register]], list[Register]],
    ) -> list[Register]:
        if not loops:
            return point(totals)
        body = lambda values: self._unrolled(loops[1:], values, point)  # noqa: E731
        return self._loop(loops[0], self._lanes_of(loops[0]), totals, body, _UNROLLED)

    def _innermost(
        self,
        variable: Variable,
        totals: list[Register],
        combiners: list[Combiner],
        point: Callable[[list[Register]], list[Register]],
    ) -> list[Register]:
        """The innermost loop: several accumulators, and for long sums partial sums."""
        b, expressions = self.builder, self.expressions
        lanes = self._lanes_of(variable)
        many = _ACCUMULATORS if all(c.splits for c in combiners) else 1
        if variable.extent <= _CHAIN * lanes and self._instructions(combiners[0].group) > _LONG:
            many = 1  # while one term is computed, the one before has been added
        stride = lanes * many
        full = variable.extent // stride
        if many == 1 or full < 2:
            return self._loop(variable, lanes, totals, point, _ACCUMULATORS)
        fresh_starts = [r for c in combiners for r in c.start()]

        def block(first: Register | int, last: Register | int) -> list[Register]:
            """All accumulators over part of the loop, added up."""
            starts = fresh_starts * many
            counter, registers = b.open_loop(first, last, stride, starts)
            width = len(fresh_starts)
            following: list[Register] = []
            for i in range(many):
                variable.lanes, variable.register = lanes, counter
                variable.offset = i * lanes
                expressions.fresh()
                following.extend(point(registers[i * width : (i + 1) * width]))
            ends = b.close_loop(following)
            expressions.fresh()
            parts = [ends[i * width : (i + 1) * width] for i in range(many)]
            while len(parts) > 1:
                parts = [
                    self._joined(combiners, parts[i], parts[i + 1]) for i in range(0, len(parts), 2)
                ]
            return parts[0]

        blocks = full // _CHAIN
        if blocks >= 2:
            size = _CHAIN * stride
            counter, registers = b.open_loop(0, blocks * size, size, totals)
            last = b.index_add(counter, b.index(size))
            totals = b.close_loop(self._joined(combiners, registers, block(counter, last)))
            if full % _CHAIN:
                part = block(blocks * size, full * stride)
                totals = self._joined(combiners, totals, part)
        else:
            totals = self._joined(combiners, totals, block(0, full * stride))
        expressions.fresh()
        at = full * stride
        while at < variable.extent:
            active = min(lanes, variable.extent - at)
            variable.lanes, variable.register, variable.offset = lanes, b.index(0), at
            outer_mask = expressions.mask
            if active < lanes:
                expressions.mask = b.lane_mask(lanes, active)
            expressions.fresh()
            totals = point(totals)
            expressions.mask = outer_mask
            at += lanes
        expressions.fresh()
        variable.lanes, variable.register = 1, None
        return totals

    def _joined(
        self, combiners: list[Combiner], first: list[Register], second: list[Register]
    ) -> list[Register]:
        result: list[Register] = []
        at = 0
        for c in combiners:
            result.append(c.combine(first[at], second[at]))
            at += c.width
        return result


def windowed_primitive(primitive: str) -> bool:
    """Whether a window may lie partly outside, so that the first term inside is the first best."""
    return primitive in ("max_pool_indices", "max_pool_offset")


class Combiner:
    """How the terms of one reduction are added to its accumulator."""

    def __init__(
        self, code: LoopCode, group: Group, member: Member, lanes: int, vector: Variable | None
    ) -> None:
        assert member.reduction is not None
        self.code = code
        self.builder = code.builder
        self.group = group
        self.member = member
        self.reduction = member.reduction
        self.checks = True
        """Whether terms must be left out where their conditions fail; else they never do."""
        self.lanes = lanes
        self.vector = vector
        self.source = member.value.operands[0].dtype
        self.dtype = self.source
        kind = self.reduction.combine
        self.arg = kind in ("argmax", "argmin")
        if kind in ("any", "all") or (kind == "sum" and self.source.kind == "b"):
            self.dtype = np.dtype(bool)
        elif self.source.char == "e" and kind in ("sum", "prod"):
            self.dtype = np.dtype(np.float32)
        self.type = llvm_type(self.dtype, member.value.primitive)
        self.width = 2 if self.arg else 1
        self.splits = not self.arg
        self.identity = identity("any" if self._is_or() else kind, self.dtype)
        extent = max((n for n in member.value.operands[0].shape), default=1) ** 3
        small = member.value.primitive == "max_pool_offset" or extent < 2**31
        self.place_type = "i32" if self.arg and small else INDEX

    def _is_or(self) -> bool:
        return self.reduction.combine == "sum" and self.dtype.kind == "b"

    def start(self) -> list[Register]:
        b = self.builder
        kind = self.reduction.combine
        if self.reduction.count == 0 and kind in ("amax", "amin", "argmax", "argmin"):
            raise Unsupported(self.member.value.primitive, "a reduction over no elements")
        first = b.widen(b.constant(self.type, self.identity), self.lanes)
        if not self.arg:
            return [first]
        windowed = windowed_primitive(self.member.value.primitive)
        place = b.constant(self.place_type, -1 if windowed else 0)
        return [first, b.widen(place, self.lanes)]

    def combine(self, x: Register, y: Register) -> Register:
        b = self.builder
        kind = self.reduction.combine
        if kind == "any" or self._is_or():
            return b.binary("or", x, y)
        if kind == "all":
            return b.binary("and", x, y)
        name = {"sum": "add", "prod": "mul", "amax": "maximum", "amin": "minimum"}[kind]
        if name == "add" and self.dtype.kind == "f":
            return b.binary("fadd", x, y)
        return EMIT[name](b, self.dtype, x, y)

    def _converted(self, x: Register, source: np.dtype) -> Register:
        b = self.builder
        if self.dtype.kind == "b":
            return as_bool(b, x, source)
        if x.type == "half" and self.type == "float":
            return b.cast("fpext", x, "float")
        return x

    def step(self, values: list[Register]) -> list[Register]:
        b = self.builder
        expressions = self.code.expressions
        member = self.member
        factors: list[Register] = []
        holds: Register | None = None
        for source in self.reduction.terms(member.position, self.group.terms_at):
            condition = expressions.conditions(source.conditions) if self.checks else None
            register = expressions.value(source.operand, source.index, condition)
            factors.append(self._converted(register, source.operand.dtype))
            holds = b.logical_and(holds, condition)
        if self.vector is not None:
            holds = b.logical_and(holds, expressions.mask)
        if self.arg:
            return self._arg_step(values, factors[0], holds)
        accumulator = values[0]
        if len(factors) == 2 and self.dtype.kind == "f" and holds is None:
            x, y, accumulator = b.level_operands(*factors, accumulator)
            return [b.intrinsic("fma", x, y, accumulator)]
        term = factors[0]
        for factor in factors[1:]:
            if self.dtype.kind == "f":
                term = b.binary("fmul contract", term, factor)
            elif self.dtype.kind == "b":
                term = b.binary("and", term, factor)
            else:
                term = b.binary("mul", term, factor)
        if holds is not None:
            term = b.select(holds, term, b.constant(self.type, self.identity))
        if self.reduction.combine == "sum" and self.dtype.kind == "f":
            return [b.binary("fadd contract", accumulator, term)]
        return [self.combine(accumulator, term)]

    def _arg_step(
        self, values: list[Register], x: Register, holds: Register | None
    ) -> list[Register]:
        b = self.builder
        best, place = values
        assert self.reduction.place is not None
        index = self.reduction.place(self.member.position, self.group.terms_at)
        here = lane_register(b, index)
        if self.place_type != INDEX:
            here = (
                b.constant(self.place_type, here.literal)
                if here.literal is not None and here.lanes == 1
                else b.cast("trunc", here, self.place_type)
            )
        maximum = self.reduction.combine == "argmax"
        if self.dtype.kind == "f":
            better = b.compare("fcmp ogt" if maximum else "fcmp olt", x, best)
            is_nan = b.compare("fcmp uno", x, x)
            ordered = b.compare("fcmp ord", best, best)
            better = b.binary("or", better, b.binary("and", is_nan, ordered))
        else:
            sign = "s" if self.dtype.kind == "i" else "u"
            better = b.compare(f"icmp {sign}{'gt' if maximum else 'lt'}", x, best)
        if windowed_primitive(self.member.value.primitive):
            none = b.compare("icmp slt", place, b.constant(self.place_type, 0))
            better = b.binary("or", better, none)
        if holds is not None:
            better = b.binary("and", better, holds)
        best = b.widen(b.select(better, x, best), self.lanes)
        return [best, b.widen(b.select(better, here, place), self.lanes)]

    def finish(self, values: list[Register]) -> Register:
        b = self.builder
        if self.arg:
            place = values[1]
            target = llvm_type(self.member.value.dtype)
            if place.type != target:
                narrower = int(target[1:]) < int(place.type[1:])
                place = b.cast("trunc" if narrower else "sext", place, target)
            return place
        result = values[0]
        if self.vector is not None:
            while result.lanes > 1:
                half = result.lanes // 2
                low = b.shuffle(result, result, range(half))
                high = b.shuffle(result, result, range(half, 2 * half))
                if half == 1:
                    low, high = b.extract(result, 0), b.extract(result, 1)
                result = self.combine(low, high)
        target = llvm_type(self.member.value.dtype)
        if result.type == "float" and target == "half":
            result = b.cast("fptrunc", result, "half")
        return result


__all__ = ["Combiner", "LoopCode", "arrange_loops", "lanes_for"]
