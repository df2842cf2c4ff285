"""Copies between layouts: blocks are read along one dim and written along another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from ..kernels import Kernel
from .builder import Builder, Register
from .elementwise import llvm_type
from .expressions import Array, Expressions, trace
from .indexing import Index, Variable, linear, scalar_register
from .loops import IsLeaf, Strides
from .partition import divided_loop, unit_count

_SMALLEST = 8
"""Below this extent of one of the two dims, plain loops do."""
_LONGEST_VECTOR = 16
"""Elements in the longest vector there is."""


@dataclass
class Copy:
    """The loops of a copy, and what it reads and writes in each iteration.

    Neighbouring loops that walk both arrays like one loop are one loop.
    """

    loops: list[Variable]
    source: Index
    target: Index

    @staticmethod
    def of(loops: Sequence[Variable], source: Index, target: Index) -> Copy:
        """The copy with as few loops as possible."""
        # extent and steps of each, the longest step in the source first
        steps = [(v.extent, source.terms.get(v, 0), target.terms.get(v, 0)) for v in loops]
        merged: list[tuple[int, int, int]] = []
        for extent, reading, writing in sorted(steps, key=lambda step: -step[1]):
            if merged and merged[-1][1:] == (extent * reading, extent * writing):
                merged[-1] = (merged[-1][0] * extent, reading, writing)
            else:
                merged.append((extent, reading, writing))
        variables = [Variable(f"m{i}", extent) for i, (extent, _, _) in enumerate(merged)]
        return Copy(
            variables,
            Index({v: m[1] for v, m in zip(variables, merged, strict=True)}, source.constant),
            Index({v: m[2] for v, m in zip(variables, merged, strict=True)}, target.constant),
        )

    def unit(self, index: Index) -> Variable | None:
        """The loop along which ``index`` goes by single elements."""
        return next((v for v in self.loops if index.terms.get(v) == 1), None)

    def takes_rows_apart(self) -> bool:
        """Whether it reads short rows one after the other, and writes columns."""
        along, across = self.unit(self.source), self.unit(self.target)
        return (
            len(self.loops) == 2
            and along is not None
            and across is not None
            and along.extent < _SMALLEST
            and across.extent >= _LONGEST_VECTOR
            and self.source.terms.get(across) == along.extent
        )


def transposing_copy(kernel: Kernel, is_leaf: IsLeaf, strides: Strides) -> Copy | None:
    """What ``kernel`` copies, if it reads along one loop and writes along another."""
    member = kernel.groups[0].members[0]
    value = member.value
    if value.primitive != "relayout" or len(kernel.groups) != 1 or kernel.groups[0].inner:
        return None
    if value.dtype.itemsize not in (4, 8) or value.dtype.kind == "b":
        return None
    accesses, uses = trace(value, member.position, is_leaf, root=True)
    if len(accesses) != 1 or uses or accesses[0].conditional:
        return None
    source = linear(accesses[0].index, strides(accesses[0].value))
    target = linear(member.position, strides(value))
    if not source.is_affine or not target.is_affine:
        return None

    copy = Copy.of(kernel.outer, source, target)
    along, across = copy.unit(copy.source), copy.unit(copy.target)
    if along is None or across is None or along is across:
        return None
    if min(along.extent, across.extent) >= _SMALLEST or copy.takes_rows_apart():
        return copy
    return None


def turned(b: Builder, rows: Sequence[Register]) -> list[Register]:
    """The columns of a square block whose rows are ``rows``."""
    n = len(rows)
    rows = list(rows)
    if n != 16:
        half = n // 2
        low = [x for i in range(half) for x in (i, n + i)]
        high = [x + half for x in low]
        for _ in range(n.bit_length() - 1):
            rows = [
                b.shuffle(rows[i // 2], rows[i // 2 + half], high if i % 2 else low)
                for i in range(n)
            ]
        return rows
    # within 128 bits first, which is cheap, then whole quarters
    quarters = range(0, 16, 4)
    singles_low = [x for q in quarters for x in (q, q + 16, q + 1, q + 17)]
    singles_high = [x for q in quarters for x in (q + 2, q + 18, q + 3, q + 19)]
    pairs_low = [x for q in quarters for x in (q, q + 1, q + 16, q + 17)]
    pairs_high = [x for q in quarters for x in (q + 2, q + 3, q + 18, q + 19)]
    even = [x for q in (0, 8, 16, 24) for x in range(q, q + 4)]
    odd = [x for q in (4, 12, 20, 28) for x in range(q, q + 4)]
    first = []
    for i in range(0, 16, 2):
        first.append(b.shuffle(rows[i], rows[i + 1], singles_low))
        first.append(b.shuffle(rows[i], rows[i + 1], singles_high))
    second: list[Register] = []
    for i in range(0, 16, 4):
        for j in (0, 1):
            second.append(b.shuffle(first[i + j], first[i + j + 2], pairs_low))
            second.append(b.shuffle(first[i + j], first[i + j + 2], pairs_high))
    columns: list[Register | None] = [None] * 16
    for j in range(4):
        a, c, e, g = (second[4 * i + j] for i in range(4))
        for parity, lanes in ((0, even), (1, odd)):
            left, right = b.shuffle(a, c, lanes), b.shuffle(e, g, lanes)
            columns[4 * parity + j] = b.shuffle(left, right, even)
            columns[4 * (parity + 2) + j] = b.shuffle(left, right, odd)
    return [c for c in columns if c is not None]


def taken_apart(b: Builder, rows: Sequence[Register]) -> list[Register]:
    """The columns of rows as long as ``rows`` are many, which lie there one after the other."""
    lanes, width = rows[0].lanes, len(rows)
    columns = []
    for column in range(width):
        places = [divmod(i * width + column, lanes) for i in range(lanes)]
        found = rows[0]
        for k in range(1, width):
            # from the first, what has been found: at its place there at first, then at its own
            pattern = []
            for i, (row, lane) in enumerate(places):
                known = lane if k == 1 else i
                pattern.append(lanes + lane if row == k else known if row < k else 0)
            found = b.shuffle(found, rows[k], pattern)
        columns.append(found)
    return columns


class TransposingCode:
    """Writes the copying ``kernel``."""

    def __init__(
        self,
        builder: Builder,
        kernel: Kernel,
        expressions: Expressions,
        stored: dict[int, Array],
        copy: Copy,
        is_leaf: IsLeaf,
        vector_bytes: int,
    ) -> None:
        self.builder = builder
        self.copy = copy
        along, across = copy.unit(copy.source), copy.unit(copy.target)
        assert along is not None and across is not None
        self.along, self.across = along, across
        (member,) = kernel.groups[0].members
        self.type = llvm_type(member.value.dtype)
        self.lanes = vector_bytes // member.value.dtype.itemsize
        accesses, _ = trace(member.value, member.position, is_leaf, root=True)
        self.source = expressions.arrays[id(accesses[0].value)].pointer
        self.target = stored[id(member.value)].pointer

    def _others(self) -> list[Variable]:
        return [v for v in self.copy.loops if v not in (self.along, self.across)]

    def units(self) -> int:
        """Into how many parts the kernel can be divided."""
        return unit_count(self.across.extent, self.lanes)

    def write(self, divided: bool = False) -> None:
        """All of the kernel, or with ``divided`` the units that it is asked for."""
        if not divided:
            self._around([self.across, self.along], [])
            return
        variable = self.across

        def full(counter: Register) -> None:
            variable.register, variable.offset = counter, 0
            self._around([self.along], [self.lanes])

        def rest() -> None:
            whole, remaining = divmod(variable.extent, self.lanes)
            variable.register, variable.offset = self.builder.index(0), whole * self.lanes
            self._around([self.along], [remaining])

        divided_loop(self.builder, variable, self.lanes, full, rest, overlapping=True)
        variable.register, variable.offset = None, 0

    def _around(self, blocked: list[Variable], sizes: list[int]) -> None:
        others = self._others()
        for variable in others:
            variable.register, _ = self.builder.open_loop(0, variable.extent, 1)
        self._blocks(blocked, sizes)
        for variable in reversed(others):
            self.builder.close_loop()
            variable.register = None

    def _blocks(self, remaining: list[Variable], sizes: list[int]) -> None:
        if not remaining:
            self._block(*sizes)
            return
        b = self.builder
        variable = remaining[0]
        if variable.extent >= self.lanes:  # a last block begins earlier
            variable.register, _ = b.open_loop(0, variable.extent, self.lanes, overlapping=True)
            variable.offset = 0
            self._blocks(remaining[1:], [*sizes, self.lanes])
            b.close_loop()
        else:
            variable.register, variable.offset = b.index(0), 0
            self._blocks(remaining[1:], [*sizes, variable.extent])
        variable.register, variable.offset = None, 0

    def _block(self, across: int, along: int) -> None:
        """``across`` rows of ``along`` elements."""
        b = self.builder
        rows = []
        begin = self.across.offset
        for i in range(self.lanes):
            if i >= across:
                rows.append(b.widen(b.constant(self.type, 0), self.lanes))
                continue
            self.across.offset = begin + i
            mask = None if along == self.lanes else b.lane_mask(self.lanes, along)
            offset = scalar_register(b, self.copy.source)
            rows.append(b.load(self.source, self.type, offset, self.lanes, mask))
        self.across.offset = begin
        columns = turned(b, rows)
        begin = self.along.offset
        for i in range(along):
            self.along.offset = begin + i
            mask = None if across == self.lanes else b.lane_mask(self.lanes, across)
            b.store(columns[i], self.target, scalar_register(b, self.copy.target), mask)
        self.along.offset = begin


class RowsApartCode(TransposingCode):
    """Writes one that takes short rows apart: as many vectors of them as a row is long at once."""

    def _around(self, blocked: list[Variable], sizes: list[int]) -> None:
        self._blocks([v for v in blocked if v is not self.along], sizes)

    def _block(self, *sizes: int) -> None:
        b = self.builder
        self.along.register = b.index(0)
        rows = []
        for i in range(self.along.extent):
            self.along.offset = i * self.lanes
            offset = scalar_register(b, self.copy.source)
            rows.append(b.load(self.source, self.type, offset, self.lanes))
        for i, column in enumerate(taken_apart(b, rows)):
            self.along.offset = i
            b.store(column, self.target, scalar_register(b, self.copy.target))
        self.along.register, self.along.offset = None, 0


__all__ = ["Copy", "RowsApartCode", "TransposingCode", "transposing_copy", "turned"]
