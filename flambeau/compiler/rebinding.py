"""Places that a program gives another tensor: ``self.running = 0.9 * self.running + ...``.

A *slot* is an item of a list or dict (attributes of objects and modules, buffers and globals are
such), or a variable of a closure, that holds a tensor before the program and another one after it,
or a tuple of tensors.  The first is an input that each call reads from the slot, the second an
output that goes there when the program has run.

What is in a slot before must not be known by another name as well, if the program reads it: at the
next call the slot holds a tensor of its own.
"""

from __future__ import annotations

import types
from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..modes import STRUCTURE
from ..tensor import Tensor
from .capture_error import CaptureError
from .watched import ANY_TENSOR, Watched, hooks_of, read_plain

_DICTS = (dict, OrderedDict)
"""The mappings whose items may be slots."""


@dataclass(frozen=True, eq=False)
class Slot:
    """A tensor in a slot.

    Attributes:
        holder: a list, a dict, or a closure's cell.
        key: the index or the key.
        part: the place in the tuple that is there; None if it is the tensor.
    """

    holder: Any
    key: Any
    part: int | None = None

    def value(self) -> Any:
        """What is in the slot: a tensor, or the whole tuple."""
        if isinstance(self.holder, types.CellType):
            return read_plain(self.holder, "")
        try:
            return self.holder[self.key]
        except (KeyError, IndexError):
            return None

    def tensor(self, tensors: Sequence[Tensor] = ()) -> Any:
        """The tensor."""
        found = self.value()
        if self.part is None:
            return found
        return found[self.part] if found.__class__ is tuple and len(found) > self.part else None

    def put(self, value: Any) -> None:
        """Put a tensor, or a whole tuple, into the slot."""
        if isinstance(self.holder, types.CellType):
            self.holder.cell_contents = value
        else:
            self.holder[self.key] = value

    def same_as(self, other: Any) -> bool:
        return isinstance(other, Slot) and (self.holder is other.holder, self.key, self.part) == (
            True,
            other.key,
            other.part,
        )


@dataclass(frozen=True, eq=False)
class Moving:
    """A tensor whose ``data`` a program replaces: its memory is another one at each call."""

    owner: Tensor

    def tensor(self, tensors: Sequence[Tensor] = ()) -> Tensor:
        """The tensor itself."""
        return self.owner


@dataclass(eq=False)
class Rebinding:
    """A slot with what was there before the program, and what it has put there."""

    slot: Slot
    before: Any
    now: Any

    def tensors(self) -> Iterator[tuple[Slot, Tensor]]:
        """The tensors before, with their own slots."""
        if isinstance(self.before, Tensor):
            yield self.slot, self.before
        else:
            for i, tensor in enumerate(self.before):
                yield Slot(self.slot.holder, self.slot.key, i), tensor


class SlotFacts:
    """What a program takes for granted of the tensor in a slot."""

    __slots__ = ("slot", "shape", "dtype", "requires_grad", "count")

    def __init__(self, slot: Slot, tensor: Tensor, count: int | None) -> None:
        self.slot = slot
        self.shape, self.dtype = tuple(tensor._array.shape), tensor._array.dtype
        self.requires_grad = tensor._requires_grad
        self.count = count
        """How many tensors the tuple has."""

    def same(self) -> bool:
        """Whether the slot still holds such a tensor."""
        if self.count is not None:
            whole = self.slot.value()
            if whole.__class__ is not tuple or len(whole) != self.count:
                return False
        tensor = self.slot.tensor()
        if tensor.__class__ is not Tensor:
            return False
        if tensor._base is not None:
            tensor._refresh()
        array = tensor._array
        return (
            array.__class__ is np.ndarray
            and array.shape == self.shape
            and array.dtype == self.dtype
            and tensor._requires_grad is self.requires_grad
            and not hooks_of(tensor)
        )


def same_slots(program: Any, tensors: Sequence[Tensor]) -> SlotFacts | None:
    """The first of a program's slots that holds no such tensor as it was captured with.

    None of them is another tensor that the program knows, which its code may ask for.

    Args:
        tensors: the arguments of the call.
    """
    known = set(program.named)
    known.update(map(id, tensors))
    for facts in program.slots:
        if not facts.same():
            return facts  # type: ignore[no-any-return]
        place = id(facts.slot.tensor())
        if place in known:
            return facts  # type: ignore[no-any-return]
        known.add(place)
    return None


def _is_plain(value: Any) -> bool:
    """Whether ``value`` is a tensor that a program can put into a slot, but for its history."""
    return (
        value.__class__ is Tensor
        and value._grad is None
        and not hooks_of(value)
        and not any(name[:1] != "_" for name in value.__dict__)
    )


def _may_be_rebound(before: Any, now: Any) -> bool:
    if before.__class__ is tuple and now.__class__ is tuple:
        return len(before) == len(now) > 0 and all(map(_is_plain, (*before, *now)))
    return _is_plain(before) and _is_plain(now)


def find_rebindings(state: Any) -> list[Rebinding]:
    """The slots that hold other tensors than when ``state`` was made.

    Args:
        state: a :class:`.python_state.PythonState`.
    """
    found: dict[Any, Rebinding] = {}

    def note(holder: Any, key: Any, before: Any, now: Any) -> None:
        if isinstance(key, Tensor):
            return
        if now is not before and _may_be_rebound(before, now):
            slot = Slot(holder, key)
            found.setdefault((id(holder), slot.key), Rebinding(slot, before, now))

    for holder, name, value in state.references:
        if isinstance(holder, types.CellType):
            note(holder, None, value, read_plain(holder, name))
        elif holder.__class__ in _DICTS:
            note(holder, name, value, holder.get(name))
    for watched in (*state.watched, *state.structure):
        container, then = watched.container, watched.then
        if container.__class__ in _DICTS and len(container) == len(then):
            for key, value in then.items():
                if isinstance(value, (Tensor, tuple)) and key in container:
                    note(container, key, value, container[key])
        elif container.__class__ is list and len(container) == len(then):
            for i, value in enumerate(then):
                if isinstance(value, (Tensor, tuple)):
                    note(container, i, value, container[i])
    return list(found.values())


def put_back(rebindings: Sequence[Rebinding]) -> None:
    """Have the slots hold what they held before the program."""
    for rebinding in rebindings:
        rebinding.slot.put(rebinding.before)


def loose(slots: Sequence[Slot], rebindings: Sequence[Rebinding]) -> list[Rebinding]:
    """Those of ``slots`` that the program has left as they were; see :func:`changed_slots`."""
    taken = [r.slot for r in rebindings]
    found = []
    for slot in slots:
        value = slot.value()
        if _is_plain(value) and not any(slot.same_as(t) for t in taken):
            found.append(Rebinding(slot, value, value))
    return found


def changed_slots(surroundings: Any) -> Iterator[Slot]:
    """Slots that hold another tensor of the same kind than when a program was captured."""

    def differ(then: Any, now: Any) -> bool:
        return (
            now is not then
            and _is_plain(then)
            and _is_plain(now)
            and then.dtype is now.dtype
            and then.shape == now.shape
        )

    for holder, name, then in surroundings.references:
        if then.__class__ is Tensor and differ(then, read_plain(holder, name)):
            if isinstance(holder, types.CellType):
                yield Slot(holder, None)
            elif holder.__class__ in _DICTS:
                yield Slot(holder, name)
    for watched in (*surroundings.watched, *surroundings.structure):
        container, then = watched.container, watched.then
        if container.__class__ in _DICTS and len(container) == len(then):
            for key, value in then.items():
                if value.__class__ is Tensor and differ(value, container.get(key)):
                    yield Slot(container, key)
        elif container.__class__ is list and len(container) == len(then):
            for i, value in enumerate(then):
                if value.__class__ is Tensor and differ(value, container[i]):
                    yield Slot(container, i)


def read_from_slots(
    program: Any, recording: Any, state: Any,
    rebindings: Sequence[Rebinding], optional: Sequence[Rebinding],
) -> list[Rebinding]:  # fmt: skip
    """Make inputs of ``program`` that are in slots ones that are read there at each call.

    Args:
        rebindings: slots that the program replaces.
        optional: slots that somebody else does; where that is not possible they stay as they are.

    Returns:
        the slots that are read.

    Raises:
        CaptureError: what is in a slot is known by another name as well, is a view, or has a
            gradient.
    """
    every = [*rebindings, *optional]
    counts: dict[int, int] = {}
    for rebinding in every:
        for _, tensor in rebinding.tensors():
            counts[id(tensor)] = counts.get(id(tensor), 0) + 1
    used = {id(source) for source in program.sources if isinstance(source, Tensor)}
    owners = {id(o) for o, _ in (*program.had_grad, *program.grads)}
    owners |= {id(o) for o in (*program.cleared, *program.updated)}
    viewed = {id(t) for view, _ in program.derived for t in (view, view._base)}
    described = [program.result, *(d for _, d in (*program.grads, *program.rebound))]
    delivered = {id(t) for d in described for t in _tensors_in(d)}

    def why_not(rebinding: Rebinding) -> str | None:
        for _, tensor in rebinding.tensors():
            if id(tensor) in owners:
                return "it writes to a tensor, or to its grad, and replaces it by another"
            if id(tensor) in viewed:
                return "it replaces a tensor that is a view, or that it has a view of"
            if id(tensor) in delivered:
                return "its result is a tensor that it replaces by another"
            places = (state.places.get(id(o), ()) for o in (rebinding.before, tensor))
            if counts[id(tensor)] > 1 or any(len(p) != 1 for p in places):
                return "it replaces a tensor that it knows by two names"
            if id(tensor) in used and tensor._requires_grad:
                return "it replaces a tensor that has a gradient of its own"
        return None

    read = []
    slots: dict[int, Slot] = {}
    for rebinding in every:
        why = why_not(rebinding)
        if why is not None and any(rebinding is r for r in rebindings):
            raise CaptureError(why)
        if why is None:
            read.append(rebinding)
            whole = rebinding.before
            count = None if isinstance(whole, Tensor) else len(whole)
            for slot, tensor in rebinding.tensors():
                slots[id(tensor)] = slot
                program.slots.append(SlotFacts(slot, tensor, count))
    program.named = frozenset(state.tensors) - frozenset(slots)
    for i, source in enumerate(program.sources):
        if id(source) in slots:
            program.sources[i] = recording.sources[i] = slots[id(source)]
    return read


def _tensors_in(description: Any) -> Iterator[Tensor]:
    """The tensors from outside in what is delivered, and those that views there are taken of."""
    from .captured import View

    if isinstance(description, Tensor):
        yield description
    elif isinstance(description, (tuple, list)):
        for part in description:
            yield from _tensors_in(part)
    elif isinstance(description, dict):
        yield from _tensors_in(list(description.values()))
    elif isinstance(description, View):
        yield from _tensors_in(description.base)


def release(surroundings: Any, rebindings: Sequence[Rebinding]) -> None:
    """Have ``surroundings`` allow other tensors in the slots: :class:`SlotFacts` checks them."""
    places = {(id(r.slot.holder), r.slot.key) for r in rebindings}
    tensors = {id(t) for r in rebindings for _, t in r.tensors()}

    def is_slot(holder: Any, name: Any) -> bool:
        key = None if isinstance(holder, types.CellType) else name
        return (id(holder), key) in places

    surroundings.references = [
        (holder, name, value) for holder, name, value in surroundings.references
        if not is_slot(holder, name)
    ]  # fmt: skip
    surroundings.facts = [f for f in surroundings.facts if id(f.tensor) not in tensors]
    every: list[Watched] = [
        *surroundings.watched, *surroundings.structure, *surroundings.of_optimizers
    ]  # fmt: skip
    keys: dict[int, list[Any]] = {}
    for rebinding in rebindings:
        keys.setdefault(id(rebinding.slot.holder), []).append(rebinding.slot.key)
    for watched in every:
        for key in keys.get(id(watched.container), ()):
            watched.then[key] = ANY_TENSOR


def note_structure(surroundings: Any) -> None:
    """Tell other programs that modules may hold other tensors now; this one has put them there."""
    mine = surroundings.version == STRUCTURE.version
    STRUCTURE.version += 1
    if mine:
        surroundings.version = STRUCTURE.version


__all__ = [
    "Moving",
    "Rebinding",
    "Slot",
    "SlotFacts",
    "changed_slots",
    "find_rebindings",
    "loose",
    "note_structure",
    "put_back",
    "read_from_slots",
    "release",
    "same_slots",
]
