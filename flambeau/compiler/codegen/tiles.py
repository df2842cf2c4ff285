"""Contractions in register tiles: the plan of :mod:`.tile_plan` as code.

The tile is written out iteration by iteration; that an operand is loaded once for all iterations
that use it is the builder's value numbering.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

from ..kernels import CONTRACTIONS, Kernel, member_accesses
from .builder import Builder, Register
from .elementwise import llvm_type
from .expressions import VIEWS, Access, Array, Condition, Expressions, Source, trace
from .indexing import Index, Variable, linear, scalar_register
from .loops import Combiner, IsLeaf, LoopCode, Strides, lanes_for
from .partition import best_loop, divided_loop, unit_count
from .tile_plan import (
    WRITTEN_OUT,
    TilePlan,
    TileProblem,
    innermost_steps,
    plan_tiles,
    register_count,
)
from .transposition import turned

_SLICE = 128
"""Terms of a long sum that are added for all tiles before the next ones."""
_PANEL = 64 << 10
"""Bytes of a factor that one row of tiles reads, from which its sums are made in slices."""


@dataclass(frozen=True)
class Bound:
    """``lowest <= variable < end``, where a condition holds."""

    variable: Variable
    lowest: Index
    end: Index


def bound_of(condition: Condition, reduced: Sequence[Variable]) -> Bound | None:
    """The bounds that ``condition`` sets to a reduced loop, if it is such a condition.

    The loop must have an iteration left whatever the outer loop is at.
    """
    index = condition.index
    if condition.divisor > 1 or not index.is_affine:
        return None
    inner = [v for v in index.terms if v in reduced]
    outer = [v for v in index.terms if v not in reduced]
    if len(inner) != 1 or len(outer) > 1 or index.terms[inner[0]] not in (1, -1):
        return None
    (variable,) = inner
    assert isinstance(variable, Variable)
    sign = index.terms[variable]
    rest = Index({v: c for v, c in index.terms.items() if v is not variable}, index.constant)
    if sign == 1:
        lowest, end = rest * -1 + condition.low, rest * -1 + condition.high
    else:
        lowest, end = rest + (1 - condition.high), rest + (1 - condition.low)
    for at in range(outer[0].extent if outer and isinstance(outer[0], Variable) else 1):
        first = lowest.constant + sum(c * at for c in lowest.terms.values())
        last = end.constant + sum(c * at for c in end.terms.values())
        if min(last, variable.extent) <= max(first, 0):
            return None
    return Bound(variable, lowest, end)


def bounded_loops(
    terms: Sequence[Source], reduced: Sequence[Variable]
) -> frozenset[Variable] | None:
    """The loops that the conditions of ``terms`` bound or depend on; None if one cannot be."""
    found: set[Variable] = set()
    for source in terms:
        for condition in source.conditions:
            bound = bound_of(condition, reduced)
            if bound is None:
                return None
            found |= {bound.variable, *bound.lowest.variables()}
    return frozenset(found)


def tile_plan(
    kernel: Kernel, is_leaf: IsLeaf, strides: Strides, vector_bytes: int, repeatable: bool
) -> TilePlan | None:
    """The plan for ``kernel``, or None if it is no contraction of plain arrays.

    ``repeatable``: an element may be computed twice, for nothing is updated in place.
    """
    anchor = kernel.anchor
    if anchor.primitive not in CONTRACTIONS or anchor.dtype.char not in "fd":
        return None
    if any(g.reduces or g.inner for g in kernel.groups[1:]):
        return None
    group = kernel.groups[0]
    (member,) = group.members
    assert member.reduction is not None
    if member.reduction.count == 0:
        return None
    factors: list[Index] = []
    terms = member.reduction.terms(member.position, group.terms_at)
    fixed = bounded_loops(terms, group.reduced)
    if fixed is None:
        return None
    for source in terms:
        accesses, uses = trace(source.operand, source.index, is_leaf)
        if len(accesses) != 1 or uses or accesses[0].conditional:
            return None
        factors.append(linear(accesses[0].index, strides(accesses[0].value)))
    stored = {id(v) for v in kernel.stored}
    results = [
        linear(m.position, strides(m.value)) for m in kernel.members() if id(m.value) in stored
    ]
    problem = TileProblem.of(
        kernel.outer,
        group.reduced,
        factors,
        results,
        register_count(vector_bytes),
        fixed,
        repeatable,
        packable(kernel, terms, is_leaf),
        anchor.primitive != "matmul",
    )
    return plan_tiles(problem, lanes_for(kernel, vector_bytes))


def packable(kernel: Kernel, terms: Sequence[Source], is_leaf: IsLeaf) -> frozenset[int]:
    """Which factors are arrays of the kernel's dtype that it reads nowhere else."""
    reads = [
        id(access.value)
        for group in kernel.groups
        for member in group.members
        for access in member_accesses(group, member, is_leaf)[0]
    ]
    found = set()
    for i, source in enumerate(terms):
        value = source.operand
        while not is_leaf(value) and value.primitive in VIEWS:
            value = value.operands[0]
        plain = is_leaf(value) and value.dtype == kernel.anchor.dtype
        if plain and reads.count(id(value)) == 1:
            found.add(i)
    return frozenset(found)


@dataclass(frozen=True)
class _Slice:
    """Part of a reduced loop: where it begins and ends, and how much longer the last one is."""

    start: Register
    end: Register
    length: int
    longer: int
    is_first: Register
    is_last: Register


@dataclass
class _Panel:
    """What a tile reads of the packed factor: for each term a row, as wide as the tile."""

    access: Access
    type: str
    pointer: Register
    source: Index
    along: Variable
    """The loop over terms."""
    width: int
    memory: Register
    origin: Register
    """Of the tile that is being written, where the row of term 0 would be: a slice begins later."""
    start: int = 0
    """And how far behind the register of its loop it begins."""


def lane_sums(b: Builder, vectors: Sequence[Register]) -> list[Register]:
    """For each vector the sum of its lanes, where there may be many vectors.

    Neighbouring lanes of two vectors are added into one, and so on: in the end each lane has the
    sum of another vector.
    """
    lanes = vectors[0].lanes
    even, odd = range(0, 2 * lanes, 2), range(1, 2 * lanes, 2)
    level = list(vectors)
    for _ in range(lanes.bit_length() - 1):
        pairs = [(x, level[min(i + 1, len(level) - 1)]) for i, x in list(enumerate(level))[::2]]
        level = [b.binary("fadd", b.shuffle(x, y, even), b.shuffle(x, y, odd)) for x, y in pairs]
    return [b.extract(level[i // lanes], i % lanes) for i in range(len(vectors))]


class TileCode(LoopCode):
    """Writes a contraction by ``plan``."""

    def __init__(
        self,
        builder: Builder,
        kernel: Kernel,
        expressions: Expressions,
        stored: dict[int, Array],
        plan: TilePlan,
        repeatable: bool,
        is_leaf: IsLeaf,
    ) -> None:
        self.builder = builder
        self.kernel = kernel
        self.expressions = expressions
        self.stored = stored
        self.plan = plan
        self.lanes = plan.lanes
        self.reduces = plan.vector in kernel.groups[0].reduced
        self.outer_vector = None if self.reduces else plan.vector
        self.group_vectors = {}
        self.group = kernel.groups[0]
        (self.member,) = self.group.members
        self.combiner = Combiner(
            self, self.group, self.member, plan.lanes, plan.vector if self.reduces else None
        )
        self.combiner.checks = False
        self.divided: Variable | None = None
        self.slice: _Slice | None = None
        assert self.member.reduction is not None
        terms = self.member.reduction.terms(self.member.position, self.group.terms_at)
        bounds = [bound_of(c, self.group.reduced) for s in terms for c in s.conditions]
        self.bounds: dict[Variable, list[Bound]] = {}
        for bound in bounds:
            assert bound is not None
            self.bounds.setdefault(bound.variable, []).append(bound)
        self.sliced, self.slice_length = self._long_loop()
        self.repeatable = repeatable and self.sliced is None  # what is there is added to
        self.panel: _Panel | None = None
        if plan.packed is not None:
            (access,), _ = trace(terms[plan.packed].operand, terms[plan.packed].index, is_leaf)
            self.panel = self._new_panel(access)

    def _new_panel(self, access: Access) -> _Panel:
        (along,) = self.group.reduced
        rows = along.extent
        if self.sliced is not None:
            assert self.slice_length >= self.lanes  # panels are turned in square blocks
            rows = self.slice_length + rows % self.slice_length
        b = self.builder
        width = self.plan.vectors * self.lanes
        type = llvm_type(access.value.dtype)
        memory = b.local(type, rows * width)
        b.written.add(memory.name)
        array = self.expressions.arrays[id(access.value)]
        source = linear(access.index, array.strides)
        return _Panel(access, type, array.pointer, source, along, width, memory, memory)

    def _long_loop(self) -> tuple[Variable | None, int]:
        """The reduced loop to go through in slices, and the slices' length.

        None where what the factors have along the reduced loops fits the cache.
        """
        reduced = [v for v in self.group.reduced if v is not self.plan.vector]
        if not reduced or self.bounds or id(self.member.value) not in self.stored:
            return None, 0
        terms = math.prod(v.extent for v in self.group.reduced)
        if self.reduces:
            # what one tile reads of both factors, and all that it adds in a slice
            itemsize = self.member.value.dtype.itemsize
            row = 2 * itemsize * max(size for _, size in (*self.plan.tiles, (None, 1)))
            terms_at_once = terms // reduced[0].extent
            length = max(1, _SLICE * self.lanes // 2 // terms_at_once)
        else:
            row = self.plan.vectors * self.plan.lanes * self.member.value.dtype.itemsize
            length = max(1, _SLICE // (terms // reduced[0].extent))
        if reduced[0].extent < (2 if self.reduces else 3) * length or terms * row < _PANEL:
            return None, 0
        return reduced[0], length

    def _block_loops(self) -> list[tuple[Variable, int, int]]:
        """The loops over tiles, outermost first: (loop, vectors or iterations, lanes)."""
        tiled = dict(self.plan.tiles)
        plain = [v for v in self.kernel.outer if v not in tiled and v is not self.plan.vector]
        blocks: list[tuple[Variable, int, int]] = [(v, 1, 1) for v in plain]
        tiles = [(v, size, 1) for v, size in self.plan.tiles]
        if self.reduces:  # what a tile reads of its factors stays for its neighbours
            return tiles + blocks
        vectors = (self.plan.vector, self.plan.vectors, self.plan.lanes)
        if self.panel is not None:  # a panel serves all loops along which its factor stays
            of_panel = [block for block in blocks if self.panel.source.terms.get(block[0])]
            others = [block for block in blocks if block not in of_panel]
            return [*of_panel, vectors, *others, *tiles]
        return [*blocks, vectors, *tiles]

    def units(self) -> int:
        """Into how many parts the kernel can be divided."""
        sizes = [(v, count * unit) for v, count, unit in self._block_loops()]
        if not sizes or any(v.extent == 0 for v, _ in sizes):
            return 1
        variable, size = sizes[best_loop(sizes)]
        return unit_count(variable.extent, size)

    def write(self, divided: bool = False) -> None:
        """All of the kernel, or with ``divided`` the units that it is asked for."""
        blocks = self._block_loops()
        if any(v.extent == 0 for v, _, _ in blocks):
            return
        if divided:
            chosen = best_loop([(v, count * unit) for v, count, unit in blocks])
            self.divided = blocks[chosen][0]
        if self.sliced is not None:
            order = [v for v, _, _ in blocks]
            at = 0 if self.reduces else order.index(self.plan.vector)
            blocks.insert(at, (self.sliced, self.slice_length, 1))
        self._blocks(blocks, {})

    def _blocks(
        self, blocks: list[tuple[Variable, int, int]], sizes: dict[Variable, tuple[int, int]]
    ) -> None:
        """Loops over whole tiles, and the rest of each dim as a smaller tile.

        ``sizes`` has, for each loop that is entered, where its tile begins behind the register and
        how many elements it has.
        """
        if not blocks:
            self._tile(sizes)
            return
        b = self.builder
        variable, count, unit = blocks[0]
        if variable is self.sliced:
            self._slices(blocks[1:], sizes)
            return
        size = count * unit
        whole, remaining = divmod(variable.extent, size)
        variable.lanes = unit

        def full(counter: Register) -> None:
            variable.register = counter
            inside(0, size)

        def rest() -> None:
            variable.register = b.index(0)
            inside(whole * size, remaining)

        def inside(start: int, count: int) -> None:
            if self.panel is not None and variable is self.plan.vector:
                self._pack(self.panel, start, count)
            self._blocks(blocks[1:], {**sizes, variable: (start, count)})

        overlapping = bool(whole and remaining and self.repeatable)
        if variable is self.divided:
            divided_loop(b, variable, size, full, rest, overlapping)
        elif overlapping:
            counter, _ = b.open_loop(0, variable.extent, size, overlapping=True)
            full(counter)
            b.close_loop()
        else:
            if whole == 1:
                full(b.index(0))
            elif whole:
                counter, _ = b.open_loop(0, whole * size, size)
                full(counter)
                b.close_loop()
            if remaining:
                rest()
        variable.lanes = 1
        variable.register = None

    def _slices(
        self, blocks: list[tuple[Variable, int, int]], sizes: dict[Variable, tuple[int, int]]
    ) -> None:
        """All tiles for one slice of a long reduced loop after the other.

        What the factors have in a slice stays in the cache from tile to tile; between slices the
        sums are where the result will be.
        """
        assert self.sliced is not None
        b = self.builder
        length = self.slice_length
        count, longer = divmod(self.sliced.extent, length)
        last = (count - 1) * length
        counter, _ = b.open_loop(0, count * length, length)
        is_first = b.compare("icmp eq", counter, b.index(0))
        is_last = b.compare("icmp eq", counter, b.index(last))
        end = b.index_add(counter, b.index(length))
        end = b.select(is_last, b.index(self.sliced.extent), end)
        self.slice = _Slice(counter, end, length, longer, is_first, is_last)
        self._blocks(blocks, sizes)
        b.close_loop()
        self.slice = None

    def _pack(self, panel: _Panel, start: int, count: int) -> None:
        """Bring what the tiles at ``count`` elements of the vector loop read into the panel."""
        b = self.builder
        vector, lanes = self.plan.vector, self.lanes
        panel.start = start
        panel.origin = panel.memory
        first, end = b.index(0), b.index(panel.along.extent)
        if self.slice is not None:
            first, end = self.slice.start, self.slice.end
            before = b.index_multiply(first, -panel.width)
            panel.origin = b.address(panel.memory, panel.type, before)
            b.written.add(panel.origin.name)
        tile = vector.register
        assert tile is not None
        if panel.source.terms[vector] == 1:
            self._copy_rows(panel, first, end, count)
        else:
            vector.lanes = 1
            whole, remaining = divmod(count, lanes)
            if whole:
                at, _ = b.open_loop(0, whole * lanes, lanes)
                vector.register = b.index_add(tile, at)
                self._turn(panel, first, end, at, start, lanes)
                b.close_loop()
            if remaining:
                vector.register = tile
                at = b.index(whole * lanes)
                self._turn(panel, first, end, at, start + whole * lanes, remaining)
        vector.register, vector.offset, vector.lanes = tile, 0, lanes

    def _copy_rows(self, panel: _Panel, first: Register, end: Register, count: int) -> None:
        """The terms from ``first`` to ``end`` of ``count`` elements of the vector loop."""
        b = self.builder
        term, _ = b.open_loop(first, end, 1)
        panel.along.register, panel.along.offset = term, 0
        row = b.index_multiply(term, panel.width)
        for at in range(0, count, self.lanes):
            active = min(self.lanes, count - at)
            mask = None if active == self.lanes else b.lane_mask(self.lanes, active)
            self.plan.vector.offset = panel.start + at
            place = scalar_register(b, panel.source)
            some = b.load(panel.pointer, panel.type, place, self.lanes, mask)
            b.store(some, panel.origin, b.index_add(row, b.index(at)))
        b.close_loop()
        panel.along.register = None

    def _turn(
        self, panel: _Panel, first: Register, end: Register, at: Register, start: int, active: int
    ) -> None:
        """The terms from ``first`` to ``end`` of ``active`` elements of the vector loop.

        ``start`` is how far they are behind its register, ``at`` how far behind the tile.
        """
        b = self.builder
        term, _ = b.open_loop(first, end, self.lanes, overlapping=True)
        panel.along.register, panel.along.offset = term, 0
        rows = [b.widen(b.constant(panel.type, 0), self.lanes)] * self.lanes
        for i in range(active):
            self.plan.vector.offset = start + i
            rows[i] = b.load(
                panel.pointer, panel.type, scalar_register(b, panel.source), self.lanes
            )
        for i, column in enumerate(turned(b, rows)):
            row = b.index_multiply(b.index_add(term, b.index(i)), panel.width)
            b.store(column, panel.origin, b.index_add(row, at))
        b.close_loop()
        panel.along.register = None

    def _read_panel(self, panel: _Panel) -> None:
        """Have the packed factor, where the loops are, in a register."""
        b = self.builder
        vector, along = self.plan.vector, panel.along
        assert along.register is not None
        row = b.index_multiply(along.register, panel.width)
        at = along.offset * panel.width + vector.offset - panel.start
        register = b.load(panel.origin, panel.type, b.index_add(row, b.index(at)), self.lanes)
        self.expressions.registers[id(panel.access.value)] = (panel.access.index, register)

    def _tile(self, sizes: dict[Variable, tuple[int, int]]) -> None:
        """One tile: its sums, then what is computed from them."""
        vector = self.outer_vector
        points: list[list[tuple[Variable, int, int]]] = []
        for variable, (start, count) in sizes.items():
            unit = self.lanes if variable is vector else 1
            points.append(
                [(variable, start + at, min(unit, count - at)) for at in range(0, count, unit)]
            )
        # what varies fastest stays in registers: the shortest
        points.sort(key=len, reverse=True)
        tile = list(product(*points))
        totals = self._sums(list(self.group.reduced), tile)
        self.expressions.fresh()
        results = lane_sums(self.builder, totals) if self.reduces else totals
        if self.slice is None:
            for point, result in zip(tile, results, strict=True):
                self._at(point)
                self._store_sum(result)
                self._follow(result)
        else:
            self._store_slice(tile, results)
        self.expressions.mask = None
        self.expressions.fresh()

    def _store_sum(self, result: Register) -> None:
        self.expressions.registers[id(self.member.value)] = (self.member.position, result)
        self._store(self.member, result)

    def _follow(self, result: Register) -> None:
        """What is computed from one of the sums."""
        self.expressions.registers[id(self.member.value)] = (self.member.position, result)
        for group in self.kernel.groups[1:]:
            self._point(group)

    def _store_slice(
        self, tile: list[tuple[tuple[Variable, int, int], ...]], results: list[Register]
    ) -> None:
        """The sums so far, and behind the last slice what is computed from them."""
        assert self.slice is not None
        sums = []
        for point, result in zip(tile, results, strict=True):
            self._at(point)
            sums.append(self._added_up(result) if self.reduces else result)
            self._store_sum(sums[-1])
        if len(self.kernel.groups) == 1:
            return
        self.builder.open_branch(self.slice.is_last)
        for point, result in zip(tile, sums, strict=True):
            self._at(point)
            self._follow(result)
        self.builder.close_branch()

    def _added_up(self, part: Register) -> Register:
        """The sum of a slice and of those before it."""
        assert self.slice is not None
        b = self.builder
        array = self.stored[id(self.member.value)]
        so_far = self.expressions.read(self.member.value, array, self.member.position)
        return b.select(self.slice.is_first, part, b.binary("fadd", so_far, part))

    def _at(self, point: tuple[tuple[Variable, int, int], ...]) -> None:
        """Let the loop variables stand for ``point``."""
        expressions = self.expressions
        expressions.fresh()
        for variable, offset, active in point:
            variable.offset = offset
            if variable is self.outer_vector:
                whole = active == self.lanes
                expressions.mask = None if whole else self.builder.lane_mask(self.lanes, active)

    def _sums(
        self, reduced: list[Variable], tile: list[tuple[tuple[Variable, int, int], ...]]
    ) -> list[Register]:
        start = self.combiner.start()[0]
        totals = [start] * len(tile)
        if self.slice is not None and not self.reduces:
            array = self.stored[id(self.member.value)]
            for i, point in enumerate(tile):
                self._at(point)
                so_far = self.expressions.read(self.member.value, array, self.member.position)
                totals[i] = self.builder.select(self.slice.is_first, start, so_far)
            self.expressions.mask = None
        if self.reduces:
            vector = self.plan.vector
            reduced = [*(v for v in reduced if v is not vector), vector]
        reduced.sort(key=lambda v: v not in self.bounds)

        def step(values: list[Register]) -> list[Register]:
            mask = self.expressions.mask
            following = []
            for point, value in zip(tile, values, strict=True):
                self._at(point)
                if self.panel is not None:
                    self._read_panel(self.panel)
                following.extend(self.combiner.step([value]))
                self.expressions.mask = mask
            return following

        return self._terms(reduced, totals, step)

    def _terms(
        self,
        loops: list[Variable],
        totals: list[Register],
        step: Callable[[list[Register]], list[Register]],
    ) -> list[Register]:
        """The reduced loops; the innermost are written out as far as that is sensible."""
        if not loops:
            return step(totals)
        variable = loops[0]
        lanes = self.lanes if variable is self.plan.vector else 1
        inner = lambda values: self._terms(loops[1:], values, step)  # noqa: E731
        if variable in self.bounds:
            return self._bounded(variable, totals, inner)
        if self.slice is not None and variable is self.sliced and len(loops) > 1:
            return self._one_by_one(variable, self.slice.start, self.slice.end, totals, inner)
        steps = math.prod(-(-v.extent // (self.lanes if v is self.plan.vector else 1))
                          for v in loops)  # fmt: skip
        if steps * len(totals) <= WRITTEN_OUT and variable is not self.sliced:
            return self._loop(variable, lanes, totals, inner, steps)
        if len(loops) > 1:
            return self._loop(variable, lanes, totals, inner, 1)
        return self._innermost_terms(variable, lanes, totals, step)

    def _bounded(
        self,
        variable: Variable,
        totals: list[Register],
        inner: Callable[[list[Register]], list[Register]],
    ) -> list[Register]:
        """A loop over the part of ``variable`` where its conditions hold."""
        b = self.builder
        first, last = b.index(0), b.index(variable.extent)
        for bound in self.bounds[variable]:
            lowest = scalar_register(b, bound.lowest)
            end = scalar_register(b, bound.end)
            first = b.select(b.compare("icmp sgt", lowest, first), lowest, first)
            last = b.select(b.compare("icmp slt", end, last), end, last)
        return self._one_by_one(variable, first, last, totals, inner)

    def _one_by_one(
        self,
        variable: Variable,
        first: Register,
        end: Register,
        totals: list[Register],
        inner: Callable[[list[Register]], list[Register]],
    ) -> list[Register]:
        """The iterations of ``variable`` from ``first`` to ``end``, none of them written out."""
        b = self.builder
        counter, values = b.open_loop(first, end, 1, totals)
        variable.register, variable.offset = counter, 0
        self.expressions.fresh()
        totals = b.close_loop(inner(values))
        self.expressions.fresh()
        variable.register = None
        return totals

    def _innermost_terms(
        self,
        variable: Variable,
        lanes: int,
        totals: list[Register],
        step: Callable[[list[Register]], list[Register]],
    ) -> list[Register]:
        if variable is self.sliced:
            return self._innermost_slice(variable, totals, step)
        b = self.builder
        times = innermost_steps(len(totals))
        stride = lanes * times
        extent = variable.extent
        full = extent // stride
        variable.lanes = lanes
        if full:
            counter, values = b.open_loop(0, full * stride, stride, totals)
            for i in range(times):
                variable.register, variable.offset = counter, i * lanes
                values = step(values)
            totals = b.close_loop(values)
        at = full * stride
        while at < extent:
            active = min(lanes, extent - at)
            variable.register, variable.offset = b.index(0), at
            if active < lanes:
                self.expressions.mask = b.lane_mask(lanes, active)
            totals = step(totals)
            self.expressions.mask = None
            at += lanes
        variable.lanes, variable.register = 1, None
        return totals

    def _innermost_slice(
        self,
        variable: Variable,
        totals: list[Register],
        step: Callable[[list[Register]], list[Register]],
    ) -> list[Register]:
        """A slice of the innermost loop: some terms at a time, and in the last one the others."""
        assert self.slice is not None
        b = self.builder
        times = innermost_steps(len(totals))
        while self.slice.length % times:
            times -= 1
        others = self.slice.longer % times
        end = self.slice.end
        if others:
            end = b.select(self.slice.is_last, b.index(variable.extent - others), end)
        counter, values = b.open_loop(self.slice.start, end, times, totals)
        for i in range(times):
            variable.register, variable.offset = counter, i
            values = step(values)
        totals = b.close_loop(values)
        if others:
            b.open_branch(self.slice.is_last)
            values = totals
            for i in range(others):
                variable.register, variable.offset = b.index(0), variable.extent - others + i
                values = step(values)
            totals = b.close_branch(values, totals)
        variable.register = None
        return totals


__all__ = ["TileCode", "bounded_loops", "packable", "tile_plan"]
