"""Computing a value again where it is read late, instead of keeping it until then.

What the forward pass leaves for the backward pass is most of the memory of a training step.  Some
of it is a few multiplications and additions away from something else that is kept: the argument of
a ``gelu`` is, so its error function need not be; the projection of an attention is, so the scaled
query need not be.  By the time such a value is read again it has left the cache, and computing it
takes no longer than fetching it from memory would.

Reference: Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost".
"""

from __future__ import annotations

from dataclasses import dataclass

from .codegen.elementwise import EXPENSIVE
from .codegen.expressions import ELEMENTWISE
from .graph import Graph, Value, in_order
from .schedule import counted

AGAIN = "again"
"""The attribute of a value that is computed again; nothing of the first time is joined with it."""

_LEAST = 1 << 18
"""Bytes of a value that is worth it."""
_FAR = 1 << 23
"""Bytes that are computed in between: what lies further back has left the cache."""
_TIMES = 4
"""And as many times its own size."""
_LONGER = 0.125
"""By so much of the way from a value to its reader something else may be kept longer for it."""
_SMALL = 8
"""How much smaller than a value something must be to be kept for it in any case."""
_CHEAP = 2
"""Operations that are repeated for any reader."""
_ONE_EXPENSIVE = 106
"""The same for one that computes it on the way, in units of a cheap operation."""
_BESIDE = 4
"""The same where all others are repeated anyway, at about that time."""

_VIEWS = frozenset(("reshape", "permute", "expand", "slice", "flip"))
_WORK = {name: 100 if name in EXPENSIVE else 1 for name in ELEMENTWISE - {"checked_index"}}


def recomputed(graph: Graph) -> Graph:
    """``graph``, in which no value that is cheap to compute again is kept for long."""
    total = sum(v.size * v.dtype.itemsize for v in graph.values() if v.primitive in ELEMENTWISE)
    return graph if total < _FAR else _Recomputation(graph).result()


@dataclass
class _Again:
    """What it takes to have a value a second time: operations, and until when that can be."""

    cost: int
    until: float


class _Recomputation:
    def __init__(self, graph: Graph) -> None:
        self.graph = graph
        self.order = _in_time(graph)
        self.updated = {id(graph.inputs[i]) for i in graph.updates}
        self.roots = {id(v) for v in graph.roots()}
        self.begun: dict[int, int] = {}
        """The bytes that have been computed before a value is."""
        self.moments: dict[int, int] = {}
        """The same once it is."""
        self.readers: dict[int, list[Value]] = {id(v): [] for v in self.order}
        computed = 0
        for value in self.order:
            self.begun[id(value)] = computed
            if value.primitive not in _VIEWS:
                computed += value.size * value.dtype.itemsize
            self.moments[id(value)] = computed
            for operand in {id(o): o for o in value.operands}.values():
                self.readers[id(operand)].append(value)
        self.again: dict[int, _Again] = {}
        for value in self.order:
            self.again[id(value)] = self._again(value)
        self.copies: dict[int, Value] = {}
        self.repeated: dict[int, int] = {}
        """For what is computed again in any case, when that is; so far nothing."""
        self.repeated = self._repeated()

    def _again(self, value: Value) -> _Again:
        if value.primitive in ("constant", "full", "arange"):
            return _Again(0, float("inf"))
        if value.primitive == "input":  # one that is updated is another soon
            return _Again(0, 0.0 if id(value) in self.updated else float("inf"))
        needed = [self.again[id(o)] for o in value.operands if not _is_small(o, value)]
        cost = sum(n.cost for n in needed) + _WORK.get(value.primitive, 0)
        until = min((n.until for n in needed), default=float("inf"))
        last = self._last_read(value)
        if value.primitive in _VIEWS or value.primitive in _WORK and cost <= _ONE_EXPENSIVE:
            if until >= last - _LONGER * (last - self.moments[id(value)]):
                return _Again(cost, until)
        return _Again(0, last)

    def _last_read(self, value: Value) -> float:
        """When ``value`` is read last, through views too."""
        if id(value) in self.roots:
            return float("inf")
        found = 0.0
        for reader in self.readers[id(value)]:
            if reader.primitive in _VIEWS:
                found = max(found, self._last_read(reader))
            else:
                found = max(found, self.begun[id(reader)])
        return found

    def _repeated(self) -> dict[int, int]:
        found: dict[int, int] = {}
        for reader in self.order:
            pending = [o for o in reader.operands if self._late(o, reader)]
            while pending:
                value = pending.pop()
                if id(value) not in found and not self._is_kept(value):
                    found[id(value)] = self.begun[id(reader)]
                    pending.extend(o for o in value.operands if not _is_small(o, value))
        return found

    def _is_kept(self, value: Value) -> bool:
        """Whether copies read ``value`` itself."""
        return self.again[id(value)].cost == 0 and value.primitive not in _VIEWS

    def _cost_beside(self, value: Value, near: range) -> int:
        """What it takes to have ``value`` again beside what is repeated at a time ``near``."""
        if self.repeated.get(id(value), -1) in near or self._is_kept(value):
            return 0
        needed = (o for o in value.operands if not _is_small(o, value))
        return _WORK.get(value.primitive, 0) + sum(self._cost_beside(o, near) for o in needed)

    def result(self) -> Graph:
        """The graph with late readers reading copies."""
        table: dict[int, Value] = {}
        for value in self.order:
            operands = tuple(
                self._copy(o, table) if self._late(o, value) else table[id(o)]
                for o in value.operands
            )
            new = value.on(operands)
            new.origin = value.origin
            table[id(value)] = new
        return self.graph.replaced(table)

    def _late(self, operand: Value, reader: Value) -> bool:
        """Whether ``reader`` had better read a copy of ``operand``."""
        if reader.primitive in _VIEWS:
            return False  # the one who reads the view decides
        source = operand
        while source.primitive in _VIEWS:
            source = source.operands[0]
        again, made = self.again[id(source)], self.moments[id(source)]
        now = self.begun[id(reader)]
        size = source.size * source.dtype.itemsize
        far = max(_FAR, _TIMES * size)
        if again.cost == 0 or now - made < far or again.until < now - _LONGER * (now - made):
            return False
        if size < _LEAST:
            return False
        if again.cost <= _CHEAP:
            return True
        if self._cost_beside(source, range(now - far, now + far)) <= _BESIDE:
            return True
        late = [r for r in self._readers_through_views(source) if self.begun[id(r)] - made >= far]
        return reader.primitive in ELEMENTWISE and len(late) == 1

    def _readers_through_views(self, value: Value) -> list[Value]:
        found = []
        for reader in self.readers[id(value)]:
            if reader.primitive in _VIEWS:
                found.extend(self._readers_through_views(reader))
            else:
                found.append(reader)
        return found

    def _copy(self, value: Value, table: dict[int, Value]) -> Value:
        """``value`` computed once more from what is kept."""
        known = self.copies.get(id(value))
        if known is None:
            if self._is_kept(value):
                return table[id(value)]
            operands = tuple(
                table[id(o)] if _is_small(o, value) else self._copy(o, table)
                for o in value.operands
            )
            attributes = value.attributes | {AGAIN: True}
            known = Value(value.primitive, operands, attributes, value.shape, value.dtype)
            known.origin = value.origin
            self.copies[id(value)] = known
        return known


def _is_small(operand: Value, value: Value) -> bool:
    """Whether it does no harm to keep ``operand`` for ``value``."""
    return operand.size * _SMALL <= value.size


def _in_time(graph: Graph) -> list[Value]:
    """The values about as they will be computed: first the roots that need least."""
    needs = counted(graph.values(), lambda value: value.operands)
    return list(in_order(sorted(graph.roots(), key=lambda root: needs[id(root)])))


__all__ = ["AGAIN", "recomputed"]
