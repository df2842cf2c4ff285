"""Kernels: loop nests that compute one or several values of the graph.

A kernel has *outer* loops, and inside them groups that run one after the other.  A group computes
its members at each point of its *inner* loops; a reducing group combines terms over its *reduced*
loops and leaves the results in registers.  So a softmax is outer loops over rows with three groups:
the maximum, the sum of exponentials, and the quotient along the row.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from ..namespaces.primitives import CONTRACTIONS
from .codegen.expressions import Access, Position, trace
from .codegen.indexing import Index, Variable, substitute, variable_index
from .graph import Value
from .reductions import REDUCTIONS, Reduction, reduction_of

SEQUENTIAL = frozenset(
    "cumsum cumprod argsort index_put scatter scatter_add scatter_reduce scan host".split()
)
"""Primitives with code of their own, which nothing is fused with."""


@dataclass
class Member:
    """A value that a group computes, and its index in the kernel's loop variables."""

    value: Value
    position: Position
    reduction: Reduction | None = None


@dataclass
class Group:
    """Values computed in the same loops; ``terms_at`` is the reduced index in those loops."""

    inner: list[Variable] = field(default_factory=list)
    reduced: list[Variable] = field(default_factory=list)
    members: list[Member] = field(default_factory=list)
    terms_at: Position = ()

    @property
    def reduces(self) -> bool:
        return self.members[0].reduction is not None


POOLING = frozenset(("max_pool", "max_pool_offset"))


@dataclass
class Kernel:
    """See the module.  ``stored`` are the values that must go to memory."""

    outer: list[Variable]
    groups: list[Group]
    stored: list[Value] = field(default_factory=list)
    name: str = ""

    def members(self) -> Iterable[Member]:
        for group in self.groups:
            yield from group.members

    @property
    def values(self) -> list[Value]:
        return [m.value for m in self.members()]

    @property
    def anchor(self) -> Value:
        """The first value: what kind of kernel it is."""
        return self.groups[0].members[0].value

    @property
    def is_map(self) -> bool:
        """Whether it only computes elementwise."""
        return len(self.groups) == 1 and not self.groups[0].reduces and not self.is_sequential

    @property
    def is_contraction(self) -> bool:
        return self.anchor.primitive in CONTRACTIONS

    @property
    def is_sequential(self) -> bool:
        return self.anchor.primitive in SEQUENTIAL

    def substitute(self, replacements: dict[Variable, Index]) -> None:
        """Replace loop variables in every position."""
        for group in self.groups:
            group.terms_at = tuple(substitute(i, replacements) for i in group.terms_at)
            for member in group.members:
                member.position = tuple(substitute(i, replacements) for i in member.position)


_counter = 0


def loop_variable(extent: int) -> Variable:
    """A new loop variable."""
    global _counter
    _counter += 1
    return Variable(f"v{_counter}", extent)


def kernel_of(value: Value) -> Kernel:
    """The kernel that computes ``value`` alone."""
    outer = [loop_variable(n) for n in value.shape]
    position = tuple(variable_index(v) for v in outer)
    member = Member(value, position)
    group = Group(members=[member])
    if value.primitive in REDUCTIONS:
        member.reduction = reduction_of(value)
        loops = [loop_variable(n) for n in member.reduction.extents]
        group.terms_at = tuple(variable_index(v) for v in loops)
        group.reduced = [v for v in loops if v.extent != 1]
    return Kernel([v for v in outer if v.extent != 1], [group])


def member_accesses(
    group: Group, member: Member, is_leaf: Callable[[Value], bool]
) -> tuple[list[Access], list[Index]]:
    """What computing ``member`` reads: leaves, and index expressions used otherwise."""
    if member.value.primitive in SEQUENTIAL:
        # where it reads does not matter: nothing is joined with it
        everything: tuple[list[Access], list[Index]] = ([], [])
        for operand in member.value.operands:
            position = tuple(variable_index(loop_variable(n)) for n in operand.shape)
            found, used = trace(operand, position, is_leaf)
            everything[0].extend(found)
            everything[1].extend(used)
        return everything
    if member.reduction is None:
        return trace(member.value, member.position, is_leaf, root=True)
    accesses: list[Access] = []
    uses: list[Index] = []
    reduced = group.terms_at
    for source in member.reduction.terms(member.position, reduced):
        found, used = trace(source.operand, source.index, is_leaf)
        conditional = bool(source.conditions)
        accesses.extend(Access(a.value, a.index, a.conditional or conditional) for a in found)
        uses.extend(used)
        uses.extend(c.index for c in source.conditions)
    if member.reduction.place is not None:
        uses.append(member.reduction.place(member.position, reduced))
    return accesses, uses


__all__ = [
    "CONTRACTIONS",
    "SEQUENTIAL",
    "Group",
    "Kernel",
    "Member",
    "kernel_of",
    "loop_variable",
    "member_accesses",
]
