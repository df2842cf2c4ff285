"""Values that a program depends on: what they were, and whether they still are."""

from __future__ import annotations

import array
import random
import sys
import types
from collections import deque
from operator import is_
from typing import Any

import numpy as np

from ..tensor import Tensor

PLAIN = (bool, int, float, complex, str, bytes, type(None))
CONTAINERS = (list, dict, set, deque, bytearray, array.array)
_SHORT = 64
"""Items of longer containers are compared by what they are before they are by their values."""
STREAMS = (np.random.Generator, np.random.RandomState, random.Random)


class _AnyTensor:
    """What stands for the tensor that a program itself replaces: see :mod:`.rebinding`."""


ANY_TENSOR: Any = _AnyTensor()


def read_plain(holder: Any, name: str) -> Any:
    """The present value of ``name`` in a closure cell, a module's globals, or an object."""
    if isinstance(holder, types.CellType):
        try:
            return holder.cell_contents
        except ValueError:
            return None
    if isinstance(holder, (dict, types.MappingProxyType)):
        return holder.get(name)
    return getattr(holder, name, None)


def same_value(now: Any, then: Any) -> bool:
    """Whether a value is what it was: the same object, or an equal plain value of its type."""
    if now is then or then is ANY_TENSOR:
        return True
    if now.__class__ is not then.__class__:
        return False
    if now.__class__ is tuple:
        return len(now) == len(then) and all(map(same_value, now, then))
    if not isinstance(then, PLAIN):
        return False
    return now == then and (now != 0 or str(now) == str(then))  # -0.0 is another value


def contents(container: Any) -> Any:
    """The items of a container, to be compared with :func:`_same_contents`."""
    if isinstance(container, dict):
        return dict(container) if container else {}
    if isinstance(container, (np.ndarray, array.array)):
        return container.tobytes()
    return bytes(container) if isinstance(container, bytearray) else list(container)


def _same_key(now: Any, then: Any) -> bool:
    return now is then or (not isinstance(now, Tensor) and bool(now == then))


def _same_contents(container: Any, then: Any) -> bool:
    if isinstance(container, dict) and not container:
        return not then
    if isinstance(container, (np.ndarray, array.array)):
        return container.tobytes() == then
    if len(container) != len(then):
        return False
    if isinstance(container, bytearray):
        return container == then
    if len(then) > _SHORT and all(map(is_, container, then)):
        if not isinstance(container, dict):
            return True
        if all(map(is_, container.values(), then.values())):
            return True
    if isinstance(container, dict):
        return all(map(_same_key, container, then)) and all(
            map(same_value, container.values(), then.values())
        )
    return all(map(same_value, container, then))


def restore_attribute(holder: Any, name: str, value: Any) -> None:
    """Give ``holder`` the value back that it had of its own, in a slot, or from its class."""
    if isinstance(holder, type):
        setattr(holder, name, value)
        return
    own = getattr(holder, "__dict__", {})
    own.pop(name, None)
    if getattr(holder, name, None) is not value:
        object.__setattr__(holder, name, value)


class Watched:
    """A container whose items a program depends on."""

    __slots__ = ("name", "container", "then")

    def __init__(self, name: str, container: Any) -> None:
        self.name, self.container, self.then = name, container, contents(container)

    def same(self) -> bool:
        """Whether its items are what they were."""
        return _same_contents(self.container, self.then)

    def restore(self) -> None:
        """Give it the items that it had."""
        if self.same() or isinstance(self.container, (np.ndarray, array.array)):
            return
        if isinstance(self.container, (list, bytearray)):
            self.container[:] = self.then
        elif isinstance(self.container, deque):
            self.container.clear()
            self.container.extend(self.then)
        else:
            self.container.clear()
            self.container.update(self.then)


class TensorFacts:
    """What the program takes for granted of a tensor beside its array."""

    __slots__ = ("tensor", "requires_grad", "hooks", "kept")

    def __init__(self, tensor: Any) -> None:
        self.tensor = tensor
        self.requires_grad = tensor._requires_grad
        self.hooks = hooks_of(tensor)
        self.kept = tensor._hooks, tensor._post_accumulate_hooks

    def same(self) -> bool:
        """Whether it still requires grad, or not, and has the hooks that it had."""
        tensor = self.tensor
        if tensor._base is not None:
            tensor._refresh()
        return tensor._requires_grad is self.requires_grad and hooks_of(tensor) == self.hooks

    def restore(self) -> None:
        """Put back what a capture has changed (what dictionaries of hooks hold is watched)."""
        self.tensor._hooks, self.tensor._post_accumulate_hooks = self.kept
        if self.tensor._node is None:
            self.tensor._requires_grad = self.requires_grad


def hooks_of(tensor: Any) -> tuple[int, ...]:
    """The ids of a tensor's hooks, and of those of what it was computed by."""
    before, after, node = tensor._hooks, tensor._post_accumulate_hooks, tensor._node
    inner = () if node is None else node_hooks(node)
    if not before and not after and not inner:
        return ()
    return (*map(id, (before or {}).values()), 0, *map(id, (after or {}).values()), *inner)


def node_hooks(node: Any) -> tuple[int, ...]:
    """The ids of the hooks of a node on the tape; an empty tuple, mostly."""
    before, after = node.prehooks, node.hooks
    if not before and not after:
        return ()
    return (*map(id, (before or {}).values()), 0, *map(id, (after or {}).values()))


def stream_state(stream: Any) -> Any:
    """The state of a generator of random numbers."""
    if isinstance(stream, random.Random):
        return stream.getstate()
    if isinstance(stream, np.random.RandomState):
        return stream.get_state(legacy=False)
    return stream.bit_generator.state


def restore_stream(stream: Any, state: Any) -> None:
    if isinstance(stream, random.Random):
        stream.setstate(state)
    elif isinstance(stream, np.random.RandomState):
        stream.set_state(state)
    else:
        stream.bit_generator.state = state


def foreign_random() -> dict[str, Any]:
    """The states of the generators of Python and of NumPy, if a program has them."""
    found = {}
    for name, getter in (("random", "getstate"), ("numpy.random", "get_state")):
        module = sys.modules.get(name)
        if module is not None:
            found[name] = getattr(module, getter)()
    return found


def same_random(then: dict[str, Any]) -> bool:
    now = foreign_random()
    for name, state in then.items():
        if name == "random":
            if now[name] != state:
                return False
        elif now[name][2:] != state[2:] or not np.array_equal(now[name][1], state[1]):
            return False
    return True


__all__ = [
    "ANY_TENSOR",
    "CONTAINERS",
    "PLAIN",
    "STREAMS",
    "TensorFacts",
    "Watched",
    "contents",
    "foreign_random",
    "hooks_of",
    "node_hooks",
    "read_plain",
    "restore_attribute",
    "restore_stream",
    "same_random",
    "same_value",
    "stream_state",
]
