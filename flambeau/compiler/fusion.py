"""Grouping the values of a graph into kernels.

Values that must exist as a whole (results of reductions and contractions, what several kernels
read, the program's results) get a kernel each; all others are computed where they are used.  Then a
kernel is joined with one that produces what it reads, if it reads it at the loop indices at which
it was produced, so that it is found in a register, or in memory that the same iteration wrote.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from .codegen.elementwise import EXPENSIVE
from .codegen.expressions import CHOICES, ELEMENTWISE, INLINE
from .codegen.indexing import Index, Variable, variable_index
from .graph import Graph, Value
from .host import HOST, sibling_key
from .kernels import (
    CONTRACTIONS,
    POOLING,
    SEQUENTIAL,
    Group,
    Kernel,
    Member,
    kernel_of,
    member_accesses,
)
from .recomputation import AGAIN
from .schedule import depth_first

_CHEAP = 3
"""Elementwise operations that are repeated rather than stored for a second reader."""
_DEEPEST = 60
"""Elementwise operations in a chain before it is cut."""


def materialised_values(graph: Graph) -> set[int]:
    """The ids of the values that get a kernel of their own."""
    order = list(graph.values())
    users: dict[int, list[Value]] = {id(v): [] for v in order}
    for value in order:
        for operand in value.operands:
            if value not in users[id(operand)]:
                users[id(operand)].append(value)
    chosen = {id(v) for v in graph.roots()}
    # they are found by address, so their operands are arrays as such
    by_address = (v for v in order if v.primitive in ("scan", HOST))
    chosen |= {id(o) for v in by_address for o in v.operands}
    # copies between layouts go through registers, block by block, and compute nothing on the way
    copied = (v.operands[0] for v in order if v.primitive == "relayout")
    chosen |= {id(o) for o in copied if o.primitive in ELEMENTWISE}
    rereads = _rereads(order)
    cost: dict[int, float] = {}
    depth: dict[int, int] = {}
    for value in order:
        name = value.primitive
        key = id(value)
        if name in ("input", "constant"):
            chosen.discard(key)
            cost[key] = depth[key] = 0
            continue
        operands = [v for v in value.operands if id(v) not in chosen]
        own = 0.0
        if name in ELEMENTWISE:
            own = 100.0 if name in EXPENSIVE else 1.0
        elif name in CHOICES:
            own = 2.0
        cost[key] = own + sum(cost[id(v)] for v in operands)
        depth[key] = 1 + max((depth[id(v)] for v in operands), default=0)
        if name not in INLINE or name == "relayout" or key in chosen:
            chosen.add(key)
        elif cost[key] == 0:
            pass
        elif key in rereads or depth[key] > _DEEPEST:
            chosen.add(key)
        elif len(users[key]) > 1 and cost[key] > _CHEAP:
            chosen.add(key)
        elif cost[key] >= 100 and any(_broadcasts(value, user) for user in users[key]):
            chosen.add(key)
        if key in chosen:
            cost[key] = depth[key] = 0
    return chosen


def _broadcasts(value: Value, user: Value) -> bool:
    return user.primitive in ELEMENTWISE | {"expand"} and user.size > value.size


def _rereads(order: list[Value]) -> set[int]:
    """Values that some user reads several times: operands of contractions and their like."""
    found: set[int] = set()
    pending: list[Value] = []
    for value in order:
        if value.primitive in CONTRACTIONS or value.primitive in SEQUENTIAL:
            pending.extend(value.operands)
        elif value.primitive in (*POOLING, "max_pool_indices", "avg_pool", "avg_pool_input"):
            pending.extend(value.operands)
        elif value.primitive in ("gather", "index"):
            if value.operands[0].size < value.size:
                pending.append(value.operands[0])
    while pending:
        value = pending.pop()
        if value.primitive in ELEMENTWISE | CHOICES:
            found.add(id(value))
        elif value.primitive in INLINE:
            pending.extend(value.operands)
    return found


# -- joining kernels ----------------------------------------------------------------------------


class _Joiner:
    def __init__(self, graph: Graph, materialised: set[int]) -> None:
        self.graph = graph
        self.materialised = materialised
        self.home: dict[int, Kernel] = {}
        self.reads: dict[int, dict[int, Value]] = {}
        self.read_by: dict[int, tuple[Kernel, dict[int, Value]]] = {}
        self.places = {id(value): place for place, value in enumerate(graph.values())}
        self.spans: dict[int, tuple[Kernel, int, int]] = {}
        siblings: dict[object, Kernel] = {}
        for value in graph.values():
            if id(value) not in materialised:
                continue
            kernel = kernel_of(value)
            key = sibling_key(value)
            if key is not None:
                first = siblings.setdefault(key, kernel)
                if first is not kernel:  # another result of the same scan, or factorization
                    first.groups[0].members.extend(kernel.groups[0].members)
                    kernel = first
            self.home[id(value)] = kernel

    def is_leaf(self, value: Value) -> bool:
        return id(value) in self.materialised or value.primitive in ("input", "constant")

    def producers(self, kernel: Kernel) -> list[Kernel]:
        """The kernels that compute what ``kernel`` reads."""
        found: dict[int, Kernel] = {}
        for value in self.reads_of(kernel).values():
            home = self.home.get(id(value))
            if home is not None and home is not kernel:
                found[id(home)] = home
        return list(found.values())

    def span(self, kernel: Kernel) -> tuple[int, int]:
        """The places of the first and the last of a kernel's values in the order of the graph."""
        known = self.spans.get(id(kernel))
        if known is None or known[0] is not kernel:
            places = [self.places[id(v)] for v in kernel.values]
            known = self.spans[id(kernel)] = (kernel, min(places), max(places))
        return known[1:]

    def reads_of(self, kernel: Kernel) -> dict[int, Value]:
        known = self.read_by.get(id(kernel))
        if known is None or known[0] is not kernel:
            known = self.read_by[id(kernel)] = (kernel, self._reads_of(kernel))
        return known[1]

    def _reads_of(self, kernel: Kernel) -> dict[int, Value]:
        reads: dict[int, Value] = {}
        for value in kernel.values:
            if id(value) not in self.reads:
                self.reads[id(value)] = self._leaves(value)
            reads.update(self.reads[id(value)])
        return reads

    def _leaves(self, value: Value) -> dict[int, Value]:
        leaves: dict[int, Value] = {}
        stack = list(value.operands)
        seen: set[int] = set()
        while stack:
            v = stack.pop()
            if id(v) in seen:
                continue
            seen.add(id(v))
            if self.is_leaf(v):
                leaves[id(v)] = v
            else:
                stack.extend(v.operands)
        return leaves

    def reachable(self, start: Kernel, target: Kernel, skip: Kernel) -> bool:
        """Whether ``start`` depends on ``target`` through other kernels than ``skip`` directly."""
        stack = [k for k in self.producers(start) if k is not target]
        seen: set[int] = set()
        first = self.span(target)[0]
        while stack:
            kernel = stack.pop()
            if kernel is target:
                return True
            # what comes before all of the target cannot depend on it
            if id(kernel) in seen or self.span(kernel)[1] < first:
                continue
            seen.add(id(kernel))
            stack.extend(self.producers(kernel))
        return False

    def join_all(self) -> list[Kernel]:
        for value in list(self.graph.values()):
            if id(value) not in self.materialised:
                continue
            again = True
            while again:
                again = False
                kernel = self.home[id(value)]
                for producer in self._joining_order(kernel):
                    joined = self.join(producer, kernel)
                    if joined is not None:
                        for member in joined.members():
                            self.home[id(member.value)] = joined
                        again = True
                        break
        self._join_siblings()
        return self.ordered()

    def _joining_order(self, kernel: Kernel) -> list[Kernel]:
        """The producers of ``kernel`` as they had best be joined with it.

        A contraction comes after those that have the same loops: it takes them in too, and what it
        is joined with can be joined with nothing else.
        """
        found = self.producers(kernel)[::-1]
        if any(p.is_contraction for p in found):
            loops = len(kernel.outer)
            found.sort(key=lambda p: p.is_contraction or len(p.outer) != loops)
        return found

    def _join_siblings(self) -> None:
        """Join reductions of one array over one set of loops: they share its elements."""
        found: dict[object, list[Kernel]] = {}
        for kernel in {id(k): k for k in self.home.values()}.values():
            anchor = kernel.anchor
            if anchor.primitive in POOLING:
                signature = (id(anchor.operands[0]), str(anchor.attributes))
                found.setdefault(signature, []).append(kernel)
        for kernels in found.values():
            first = kernels[0]
            for other in kernels[1:]:
                if self.reachable(first, other, first) or self.reachable(other, first, other):
                    continue
                if first in self.producers(other) or other in self.producers(first):
                    continue
                first = self._merged_siblings(first, other)
                for member in first.members():
                    self.home[id(member.value)] = first

    def _merged_siblings(self, first: Kernel, second: Kernel) -> Kernel:
        """One kernel of two whose anchors have the same loops."""
        a, b = first.groups[0], second.groups[0]
        replacements: dict[Variable, Index] = {}
        for loops, others in ((first.outer, second.outer), (a.reduced, b.reduced)):
            for mine, theirs in zip(loops, others, strict=True):
                replacements[theirs] = variable_index(mine)
        second.substitute(replacements)
        leading = Group([], a.reduced, [*a.members, *b.members], a.terms_at)
        return Kernel(list(first.outer), [leading, *first.groups[1:], *second.groups[1:]])

    def ordered(self) -> list[Kernel]:
        """All kernels, producers before consumers."""
        kernels = {id(k): k for k in self.home.values()}
        return depth_first(kernels.values(), lambda kernel: self.producers(kernel)[::-1])

    # -- one pair -------------------------------------------------------------------------------

    def join(self, producer: Kernel, consumer: Kernel) -> Kernel | None:
        """``consumer`` in the outer loops of ``producer``, if that is right and sensible."""
        plan = self.plan(producer, consumer)
        return None if isinstance(plan, str) else self._merged(producer, consumer, *plan)

    def plan(
        self, producer: Kernel, consumer: Kernel
    ) -> tuple[dict[Variable, Variable], list[Variable]] | str:
        """How to join the two: the loops that become one and those left over; or why not."""
        if producer.is_sequential or consumer.is_sequential:
            sequential = producer if producer.is_sequential else consumer
            if sequential.anchor.primitive == HOST:
                return f"{sequential.anchor.attributes['call']} runs in NumPy"
            return f"{sequential.anchor.primitive} has code of its own, which nothing joins"
        if any(v.size == 0 for v in producer.values + consumer.values):
            return "one of them is empty"
        if consumer.is_contraction:
            return f"{consumer.anchor.primitive} reads each element many times"
        if "relayout" in (producer.anchor.primitive, consumer.anchor.primitive):
            return "a change of layout goes through memory"
        if producer.is_contraction and any(g.reduces for g in consumer.groups):
            return (
                f"{consumer.anchor.primitive} reduces over tiles of {producer.anchor.primitive}, "
                "which are not complete"
            )
        if _all_again(consumer) and not any(AGAIN in v.attributes for v in producer.values):
            return "it is computed again where it is read"
        if len(producer.values) + len(consumer.values) > 40:
            return "the kernel would have more than 40 values"
        mapping = self._unify(producer, consumer)
        if mapping is None:
            return "it reads at other indices than those at which the producer writes"
        leftover = [v for v in consumer.outer if v not in mapping]
        if leftover:
            if len(consumer.groups) > 1 or consumer.groups[0].reduces or producer.is_contraction:
                return "it has more loops than the producer"
            rows = math.prod(v.extent for v in producer.outer)
            if rows < 16 and consumer.anchor.size > 1024:
                return "the producer's loop is too short to divide among threads"
        if self.reachable(consumer, producer, consumer):
            return "a third kernel runs between the two"
        return mapping, leftover

    def _unify(self, producer: Kernel, consumer: Kernel) -> dict[Variable, Variable] | None:
        """Consumer's loop variables -> the producer's outer ones that they must equal."""
        places = {id(m.value): (g, m) for g in producer.groups for m in g.members}
        outer = set(producer.outer)
        mapping: dict[Variable, Variable] = {}
        taken: dict[Variable, Variable] = {}
        touched = False
        for group in consumer.groups:
            for member in group.members:
                accesses, _ = member_accesses(group, member, self.is_leaf)
                for access in accesses:
                    if id(access.value) not in places:
                        continue
                    touched = True
                    _, origin = places[id(access.value)]
                    for there, here in zip(origin.position, access.index, strict=True):
                        wanted = _single(there)
                        if wanted is None:
                            if there.terms:
                                return None
                            continue
                        if wanted not in outer:
                            continue
                        found = _single(here)
                        if found is None or found in group.reduced or found in group.inner:
                            return None
                        if found.extent != wanted.extent:
                            return None
                        if mapping.setdefault(found, wanted) is not wanted:
                            return None
                        if taken.setdefault(wanted, found) is not found:
                            return None
        if not touched or len(taken) != len(producer.outer):
            return None
        if any(v not in consumer.outer for v in mapping):
            return None
        return mapping

    def _merged(
        self,
        producer: Kernel,
        consumer: Kernel,
        mapping: dict[Variable, Variable],
        leftover: list[Variable],
    ) -> Kernel:
        replacements = {a: Index({b: 1}) for a, b in mapping.items()}
        groups = [
            Group(
                g.inner,
                g.reduced,
                [Member(m.value, m.position, m.reduction) for m in g.members],
                g.terms_at,
            )
            for g in consumer.groups
        ]
        moved = Kernel(producer.outer, groups)
        moved.substitute(replacements)
        if leftover:
            groups[0].inner = leftover
            self._share_inner(producer, groups[0])
        result = [Group(g.inner, g.reduced, list(g.members), g.terms_at) for g in producer.groups]
        for group in groups:
            last = result[-1]
            if not group.reduces and not last.reduces and group.inner == last.inner:
                last.members.extend(group.members)
            else:
                result.append(group)
        return Kernel(list(producer.outer), result)

    def _share_inner(self, producer: Kernel, group: Group) -> None:
        """Let ``group`` run in the inner loops of the producer's last group, if it reads that."""
        last = producer.groups[-1]
        if last.reduces or len(last.inner) != len(group.inner):
            return
        places = {id(m.value): m for m in last.members}
        mapping: dict[Variable, Variable] = {}
        for member in group.members:
            accesses, _ = member_accesses(group, member, self.is_leaf)
            for access in accesses:
                origin = places.get(id(access.value))
                if origin is None:
                    continue
                for there, here in zip(origin.position, access.index, strict=True):
                    if there == here:
                        continue
                    a, b = _single(there), _single(here)
                    if a is None or b is None or a not in last.inner or b not in group.inner:
                        return
                    if a.extent != b.extent:
                        return
                    if mapping.setdefault(b, a) is not a:
                        return
        if len(mapping) != len(group.inner) or len(set(mapping.values())) != len(mapping):
            return
        kernel = Kernel([], [group])
        kernel.substitute({b: variable_index(a) for b, a in mapping.items()})
        group.inner = last.inner


def _all_again(kernel: Kernel) -> bool:
    return all(AGAIN in v.attributes for v in kernel.values)


def _single(index: Index) -> Variable | None:
    """The loop variable that ``index`` is, if it is just one."""
    if index.constant == 0 and len(index.terms) == 1:
        ((atom, coefficient),) = index.terms.items()
        if coefficient == 1 and type(atom) is Variable:
            return atom
    return None


def fuse(graph: Graph) -> tuple[list[Kernel], Callable[[Value], bool]]:
    """The kernels of ``graph`` in an order that respects dependencies, and what a leaf is."""
    joiner = _Joiner(graph, materialised_values(graph))
    kernels = joiner.join_all()
    needed = {id(v) for v in graph.roots()}
    for kernel in kernels:
        needed.update(key for key in joiner.reads_of(kernel) if joiner.home.get(key) is not kernel)
    for kernel in kernels:
        kernel.stored = _stored(kernel, joiner, needed)
    return kernels, joiner.is_leaf


def obstacles(graph: Graph, kernels: list[Kernel]) -> list[tuple[Kernel, Kernel, str]]:
    """Why ``kernels``, those of ``graph``, are not fewer: a producer, its reader, the reason."""
    joiner = _Joiner(graph, materialised_values(graph))
    for kernel in kernels:
        joiner.home.update((id(v), kernel) for v in kernel.values)
    found = []
    for kernel in kernels:
        for producer in joiner.producers(kernel):
            plan = joiner.plan(producer, kernel)
            reason = plan if isinstance(plan, str) else "it was joined with another producer"
            found.append((producer, kernel, reason))
    return found


def _stored(kernel: Kernel, joiner: _Joiner, read: set[int]) -> list[Value]:
    """The values of ``kernel`` that others ``read``, or that it reads itself at another index."""
    needed: set[int] = set()
    places = {id(m.value): (g, m.position) for g in kernel.groups for m in g.members}
    for group in kernel.groups:
        for member in group.members:
            accesses, _ = member_accesses(group, member, joiner.is_leaf)
            for access in accesses:
                place = places.get(id(access.value))
                if place is None:
                    continue
                made_in, position = place
                in_register = position == access.index and (
                    made_in is group or made_in.reduces or not made_in.inner
                )
                if not in_register:
                    needed.add(id(access.value))
    return [v for v in kernel.values if id(v) in needed or id(v) in read]


__all__ = ["fuse", "materialised_values", "obstacles"]
