"""How to tile a contraction for the registers.

A contraction multiplies two factors and adds up products.  Of its loops, one is walked in vectors;
a few iterations of others are written out, so that what is loaded once is used several times.  The
plan is the choice of these with the least time by a simple model of the processor: two fused
multiply-adds, and two loads, in a cycle.

A factor may be *packed*: before the tiles that read it, a panel of it, as wide as a tile, is copied
to where it lies closely.  One that does not lie along the loop in vectors is turned by that; one
whose rows are far apart, each on a page of memory of its own, is then found sooner.
"""

from __future__ import annotations

import math
import platform
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

from .indexing import Index, Variable

_LATENCY = 8
"""Multiply-adds that must be under way to keep the processor busy."""
_COST_OF_WRITING = 4.0
"""Cycles of each run that an instruction less to compile is worth: about 35 us over 25,000 runs."""
_COST_OF_TURNING = 0.4
"""Cycles for an element of a panel."""
_COST_OF_COPYING = 0.15
"""The same where it is not turned."""
_FAR = 512
"""Elements between rows that are far apart."""
_MANY_FAR = 128
"""Rows of which the processor does not know all pages."""
_COST_OF_FAR = 1.2
"""Cycles that a load of a vector from them takes longer."""
_WAY = 1024
"""Elements after which the places of the nearest cache come round again: 4 KiB."""
_WAYS = 8
"""Cache lines that find room at one such place."""
_COST_OF_COLLIDING = 8.0
"""Cycles that a load takes longer whose line has been put out by others of the same place."""
_LONGEST_PANEL = 2048
"""Vectors in a panel: 128 KiB at most."""
_CAN_PACK = sys.platform != "win32"
"""Whether code may have so large an array of its own: there, that takes calls for its pages."""
WRITTEN_OUT = 128
"""Products up to which a tile's reduced loops are written out."""


def register_count(vector_bytes: int) -> int:
    """The vector registers of a processor with vectors of so many bytes."""
    if vector_bytes == 64 or platform.machine() in ("aarch64", "arm64"):
        return 32
    return 16


@dataclass(frozen=True)
class TileProblem:
    """The loops of a contraction, and the strides of its factors and results along each."""

    outer: tuple[Variable, ...]
    reduced: tuple[Variable, ...]
    factors: tuple[dict[Variable, int], ...]
    results: tuple[dict[Variable, int], ...]
    registers: int = 32
    """Vector registers of the processor."""
    fixed: frozenset[Variable] = frozenset()
    """Loops that must go one by one: others are bounded by them."""
    repeatable: bool = False
    """Whether a last tile may begin earlier, over elements that are computed already."""
    packable: frozenset[int] = frozenset()
    """Which factors may be packed."""
    windows: bool = False
    """Whether windows of images are read."""

    @staticmethod
    def of(
        outer: Sequence[Variable],
        reduced: Sequence[Variable],
        factors: Sequence[Index],
        results: Sequence[Index],
        registers: int,
        fixed: frozenset[Variable] = frozenset(),
        repeatable: bool = False,
        packable: frozenset[int] = frozenset(),
        windows: bool = False,
    ) -> TileProblem | None:
        """None where an index is no affine function of the loops."""
        if not all(i.is_affine for i in (*factors, *results)):
            return None
        as_dict = lambda index: dict(index.terms)  # noqa: E731
        return TileProblem(
            tuple(outer),
            tuple(reduced),
            tuple(as_dict(i) for i in factors),  # type: ignore[misc]
            tuple(as_dict(i) for i in results),  # type: ignore[misc]
            registers,
            fixed,
            repeatable,
            packable,
            windows,
        )

    def is_far(self, factor: int, vector: Variable) -> bool:
        """Whether the terms of ``factor``, each in vectors, are far from each other."""
        strides = [(abs(self.factors[factor].get(v, 0)), v.extent) for v in self.reduced]
        along = self.factors[factor].get(vector, 0) == 1 and len(strides) == 1
        return along and strides[0][0] >= _FAR and strides[0][1] >= _MANY_FAR

    def collides(self, factor: int, vector: Variable) -> bool:
        """Whether terms of ``factor``, one by one, put each other out of the nearest cache.

        The channels of images of 32 x 32 or 64 x 64 pixels do, read at a few pixels: the next few
        pixels, in the same lines, are then read from further away.
        """
        if not self.windows or self.factors[factor].get(vector, 0) or len(self.reduced) < 2:
            return False
        strides = [(abs(self.factors[factor].get(v, 0)), v.extent) for v in self.reduced]
        longest, extent = max(strides)
        reach = sum(stride * (n - 1) for stride, n in strides if stride != longest)
        return longest > 4 * reach and longest % _WAY == 0 and extent > _WAYS

    def packed(self, vector: Variable, lanes: int) -> list[int | None]:
        """The choices for walking ``vector`` in vectors: the factor to pack, or None for none."""
        across = [i for i, f in enumerate(self.factors) if f.get(vector, 0)]
        strides = [self.factors[i][vector] for i in across]
        found: list[int | None] = [None] if all(s == 1 for s in strides) else []
        if len(across) == 1 and len(self.reduced) == 1 and not self.fixed and _CAN_PACK:
            (one,), (along,) = across, self.reduced
            turned = strides[0] != 1 and self.factors[one].get(along) == 1
            fits = lanes <= along.extent <= _LONGEST_PANEL
            if one in self.packable and fits and (turned or self.is_far(one, vector)):
                found.append(one)
        return found

    def tiles(self, variable: Variable, size: int) -> list[tuple[int, int]]:
        """(how many tiles, of what size) cover a loop."""
        return self._cover(variable.extent, variable.extent, size, 1)

    def vector_tiles(self, vector: Variable, vectors: int, lanes: int) -> list[tuple[int, int]]:
        """(how many tiles, of how many vectors) cover the loop in vectors."""
        return self._cover(vector.extent, -(-vector.extent // lanes), vectors, lanes)

    def _cover(self, extent: int, steps: int, size: int, unit: int) -> list[tuple[int, int]]:
        full, rest = divmod(steps, size)
        if self.repeatable and extent >= size * unit:
            return [(-(-steps // size), size)]
        parts = [(full, size)] if full else []
        return [*parts, (1, rest)] if rest else parts


@dataclass(frozen=True)
class TilePlan:
    """The loop in vectors, how many vectors at once, and how many iterations of other loops.

    ``cost`` is an estimate in cycles; ``packed`` is the factor that is packed.
    """

    vector: Variable
    vectors: int
    tiles: tuple[tuple[Variable, int], ...]
    lanes: int
    cost: float
    packed: int | None = None


def plan_tiles(problem: TileProblem | None, lanes: int) -> TilePlan | None:
    """The best plan, or None if no loop can be walked in vectors."""
    if problem is None:
        return None
    best: TilePlan | None = None
    candidates = [(v, False) for v in problem.outer] + [(v, True) for v in problem.reduced]
    for vector, reduces in candidates:
        if vector in problem.fixed:
            continue
        strides = [f.get(vector, 0) for f in problem.factors]
        if not any(strides) or reduces and any(s != 1 for s in strides):
            continue
        if not reduces and any(r.get(vector, 0) != 1 for r in problem.results):
            continue
        for packed in [None] if reduces else problem.packed(vector, lanes):
            plan = _best_tiles(problem, vector, reduces, lanes, packed)
            if plan is not None and (best is None or plan.cost < best.cost):
                best = plan
    return best


def _best_tiles(
    problem: TileProblem, vector: Variable, reduces: bool, lanes: int, packed: int | None
) -> TilePlan | None:
    panel = None if packed is None else problem.factors[packed]
    others = [v for v in problem.outer if v is not vector]
    # loops along which a factor stays, so that it can be used again
    useful = [
        v
        for v in others
        if v not in problem.fixed and any(not f.get(v, 0) for f in problem.factors)
        if panel is None or not panel.get(v, 0)
    ]
    useful.sort(key=lambda v: -min(v.extent, 16))
    choices: list[tuple[Variable, ...]] = [()]
    choices += [(v,) for v in useful]
    choices += list(combinations(useful[:4], 2))
    count = -(-vector.extent // lanes)
    steps = math.prod(v.extent for v in problem.reduced)
    if reduces:
        steps = steps // vector.extent * count
    far = [
        not reduces and i != packed and problem.is_far(i, vector)
        for i in range(len(problem.factors))
    ]
    slow = [_COST_OF_FAR if is_far else 0.0 for is_far in far]
    for i in range(len(problem.factors)):
        if not reduces and problem.collides(i, vector):
            slow[i] = _COST_OF_COLLIDING
    turned = panel is not None and panel[vector] != 1
    packing = 0.0
    if panel is not None:
        panels = math.prod(v.extent for v in others if panel.get(v, 0))
        each = _COST_OF_TURNING if turned else _COST_OF_COPYING
        packing = panels * steps * count * lanes * each
    best: TilePlan | None = None
    for tiled in choices:
        rest = math.prod(v.extent for v in others if v not in tiled)
        for sizes in _sizes(tiled, problem.registers - 4):
            for vectors in (1,) if reduces else (1, 2, 3, 4, 6):
                if vectors * math.prod(sizes) > problem.registers - 4:
                    break
                if not reduces and vectors > count:
                    continue
                if panel is not None and vectors * steps > _LONGEST_PANEL:
                    continue
                tiles = [(1, 1)] if reduces else problem.vector_tiles(vector, vectors, lanes)
                cost = _cost(problem, vector, tiles, tiled, sizes, reduces, steps, slow)
                if cost is None:
                    continue
                written = _written(problem, tiles, tiled, sizes, reduces, steps)
                if panel is not None:
                    written += lanes * (2 + lanes.bit_length()) if turned else 2 * vectors
                cost = rest * cost + packing + _COST_OF_WRITING * written
                if best is None or cost < best.cost:
                    chosen = tuple(zip(tiled, sizes, strict=True))
                    best = TilePlan(vector, vectors, chosen, lanes, cost, packed)
    return best


def innermost_steps(accumulators: int) -> int:
    """How many steps of the innermost reduced loop are written one after the other."""
    return max(1, min(4, 32 // accumulators))


def _written(
    problem: TileProblem,
    vector_tiles: Sequence[tuple[int, int]],
    tiled: Sequence[Variable],
    sizes: Sequence[int],
    reduces: bool,
    steps: int,
) -> float:
    """About how many instructions a plan's code has: whole tiles and the smaller ones at edges."""
    variants = [width for _, width in vector_tiles]
    for variable, size in zip(tiled, sizes, strict=True):
        variants = [held * part for held in variants for _, part in problem.tiles(variable, size)]
    total = 0.0
    for held in variants:
        times = innermost_steps(held)
        times = steps if steps * held <= WRITTEN_OUT else times + steps % times
        total += times * (2.5 * held + 3) + held * (6 if reduces else 7)
    return total


def _sizes(tiled: Sequence[Variable], most: int) -> list[tuple[int, ...]]:
    sizes: list[tuple[int, ...]] = [()]
    for variable in tiled:
        longest = 14 if variable is tiled[0] else 6
        options = range(2, min(variable.extent, longest) + 1)
        sizes = [(*s, n) for s in sizes for n in options if math.prod(s) * n <= most]
    return sizes


def _cost(
    problem: TileProblem,
    vector: Variable,
    vector_tiles: Sequence[tuple[int, int]],
    tiled: Sequence[Variable],
    sizes: Sequence[int],
    reduces: bool,
    steps: int,
    slow: Sequence[float],
) -> float | None:
    """The cycles of a plan: ``vector_tiles`` are the vector loop, ``steps`` the reduced loops.

    ``slow`` is how much longer a load of each factor takes.
    """
    total = 0.0
    combos: list[tuple[int, tuple[int, ...]]] = [(1, ())]
    for variable, size in zip(tiled, sizes, strict=True):
        combos = [
            (times * n, (*chosen, part))
            for times, chosen in combos
            for n, part in problem.tiles(variable, size)
        ]
    for tiles, width in vector_tiles:
        for times, chosen in combos:
            held = width * math.prod(chosen)
            loads = []
            for factor in problem.factors:
                distinct = width if factor.get(vector, 0) and not reduces else 1
                for variable, size in zip(tiled, chosen, strict=True):
                    if factor.get(variable, 0):
                        distinct *= size
                loads.append(distinct)
            if held + min(loads) + 1 > problem.registers:
                return None
            # with all registers taken, some are spilled
            spilled = max(0, held + min(loads) - (problem.registers - 4))
            work = max(held / 2, (sum(loads) + spilled) / 2, _LATENCY / 2)
            work += (0.2 if reduces else 0.1) * sum(loads)
            work += sum(n * longer for n, longer in zip(loads, slow, strict=True))
            overhead = 3.0 + 1.5 * held + (8.0 * held if reduces else 0.0)
            total += tiles * times * (steps * (work + 0.25) + overhead)
    return total


__all__ = [
    "WRITTEN_OUT",
    "TilePlan",
    "TileProblem",
    "innermost_steps",
    "plan_tiles",
    "register_count",
]
