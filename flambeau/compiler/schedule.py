"""The order of the kernels, and which of them may write over what they update."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import TypeVar

from .graph import Value
from .kernels import Kernel, member_accesses

Item = TypeVar("Item")


def counted(order: Iterable[Item], before: Callable[[Item], Iterable[Item]]) -> dict[int, int]:
    """By their ids, how many of those in ``order`` each takes, with all that comes before it.

    Arguments:
        order: items, each behind what it needs.
        before: what an item needs.
    """
    bits: dict[int, int] = {}
    for i, item in enumerate(order):
        needed = 1 << i
        for earlier in before(item):
            needed |= bits[id(earlier)]
        bits[id(item)] = needed
    return {key: number.bit_count() for key, number in bits.items()}


def depth_first(wanted: Iterable[Item], before: Callable[[Item], Sequence[Item]]) -> list[Item]:
    """``wanted`` in the order given, each behind what it needs; no recursion.

    Arguments:
        wanted: items.
        before: what an item needs, in the order in which that had best come.
    """
    result: list[Item] = []
    seen: set[int] = set()
    for item in wanted:
        stack = [(item, False)]
        while stack:
            latest, done = stack.pop()
            if done:
                result.append(latest)
            elif id(latest) not in seen:
                seen.add(id(latest))
                stack.append((latest, True))
                stack.extend((i, False) for i in reversed(before(latest)) if id(i) not in seen)
    return result


class Schedule:
    """Kernels with what must run before what.

    Arguments:
        kernels: in an order that is good where there is a choice.
        reads: for each kernel (by id) the values it reads from memory (by id).
    """

    def __init__(self, kernels: Sequence[Kernel], reads: dict[int, dict[int, Value]]) -> None:
        self.kernels = list(kernels)
        self.reads = reads
        self.home = {id(v): k for k in self.kernels for v in k.values}
        self.before: dict[int, list[Kernel]] = {
            id(k): [
                self.home[key]
                for key in reads[id(k)]
                if key in self.home and self.home[key] is not k
            ]
            for k in self.kernels
        }
        self.needed = dict(self.before)
        """For each kernel those whose results it reads, among others that it must follow."""

    def let_overwrite(self, value: Value, old: Value, first: Sequence[Kernel] = ()) -> bool:
        """Put all other readers of ``old`` before the kernel of ``value``; False if that cannot be.

        So too the kernels ``first``.  Nothing changes where it cannot.
        """
        kernel = self.home[id(value)]
        earlier = self.before[id(kernel)]
        readers = [k for k in self.kernels if k is not kernel and id(old) in self.reads[id(k)]]
        self.before[id(kernel)] = [*earlier, *readers, *first]
        if not self._follows_itself(kernel):
            return True
        self.before[id(kernel)] = earlier
        return False

    def _follows_itself(self, start: Kernel) -> bool:
        stack = list(self.before[id(start)])
        seen: set[int] = set()
        while stack:
            kernel = stack.pop()
            if kernel is start:
                return True
            if id(kernel) not in seen:
                seen.add(id(kernel))
                stack.extend(self.before[id(kernel)])
        return False

    def ordered(self) -> list[Kernel]:
        """The kernels, each after those it must follow.

        What nothing else waits for comes in the order of how much must come before it, and pulls
        in what it needs: a gradient of a weight is made, and the weight updated, while what they
        read is still at hand, not after the backward pass of all layers.  Among equals, that which
        could have been made sooner, but for what it writes over, holds more that others do not.
        """
        before = lambda kernel: self.before[id(kernel)]
        followed = {id(k) for earlier in self.before.values() for k in earlier}
        order = depth_first(self.kernels, before)
        needs = counted(order, before)
        reads = counted(order, lambda kernel: self.needed[id(kernel)])
        last = [k for k in self.kernels if id(k) not in followed]
        last.sort(key=lambda kernel: (needs[id(kernel)], reads[id(kernel)]))
        return depth_first(last, before)


def updates_in_place(
    kernel: Kernel, value: Value, old: Value, is_leaf: Callable[[Value], bool]
) -> bool:
    """Whether ``kernel`` reads ``old`` only where, and just before, it writes ``value``."""
    if value.shape != old.shape or value.dtype != old.dtype or kernel.is_sequential:
        return False
    if value.size == 0:
        return False
    home = next((g, m) for g in kernel.groups for m in g.members if m.value is value)
    for group in kernel.groups:
        for member in group.members:
            for access in member_accesses(group, member, is_leaf)[0]:
                if access.value is not old:
                    continue
                if group is not home[0] or group.reduces or access.index != home[1].position:
                    return False
    return True


__all__ = ["Schedule", "counted", "depth_first", "updates_in_place"]
