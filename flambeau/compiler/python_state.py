"""The Python values that a function can see: what a program was captured with, besides tensors.

A compiled program is the function's Python code run once.  Values that the code may branch on or
compute with (module modes, numbers in closures and globals) are noted when it is captured: at a
later call they must be the same, or the function is captured anew.  A function that *changes* such
values cannot be captured: the change would happen once instead of at every call.
"""

from __future__ import annotations

import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

_PLAIN = (bool, int, float, complex, str, type(None))


def is_module(value: Any) -> bool:
    """Whether ``value`` is an ``nn.Module``; there is none before that package is imported."""
    layer = sys.modules.get("flambeau.nn.modules.module")
    return layer is not None and isinstance(value, layer.Module)


def _code_names(code: types.CodeType) -> set[str]:
    """The names that ``code``, and the functions inside it, look up outside themselves."""
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= _code_names(constant)
    return names


def _cells(function: Any) -> Iterator[tuple[Any, str, Any]]:
    """``(holder, name, value)`` of what ``function`` refers to: closure cells and globals."""
    function = getattr(function, "__wrapped__", function)
    if isinstance(function, types.MethodType):
        yield function, "__self__", function.__self__
        function = function.__func__
    code = getattr(function, "__code__", None)
    if code is None:
        return
    for cell, name in zip(function.__closure__ or (), code.co_freevars):
        try:
            yield cell, name, cell.cell_contents
        except ValueError:  # not assigned yet
            continue
    for name in _code_names(code):
        if name in function.__globals__:
            yield function.__globals__, name, function.__globals__[name]


def read_plain(holder: Any, name: str) -> Any:
    """The present value of ``name`` in a closure cell, a module's globals, or an object."""
    if isinstance(holder, types.CellType):
        try:
            return holder.cell_contents
        except ValueError:
            return None
    if isinstance(holder, dict):
        return holder.get(name)
    return getattr(holder, name, None)


class PythonState:
    """The modules and plain values within reach of a function, as they are now."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.plain: list[tuple[Any, str, Any]] = []
        self.sized: list[tuple[Any, str, list[Any]]] = []
        self.training: list[tuple[Any, bool]] = []
        self.attributes: list[tuple[Any, str, Any]] = []
        seen: set[int] = set()
        pending = [(h, n, v, 0) for h, n, v in _cells(function)]
        while pending:
            holder, name, value, depth = pending.pop()
            if isinstance(value, _PLAIN):
                self.plain.append((holder, name, value))
            elif id(value) in seen:
                continue
            elif is_module(value):
                seen.add(id(value))
                for module in value.modules():
                    self.training.append((module, module.training))
                    for key, attribute in module.__dict__.items():
                        if isinstance(attribute, (int, float, str)) and key != "training":
                            self.attributes.append((module, key, attribute))
            elif isinstance(value, (list, dict, set)) and depth == 0:
                seen.add(id(value))
                self.sized.append((value, name, list(value)))
                if isinstance(value, (list, dict)) and len(value) <= 64:
                    items = value.values() if isinstance(value, dict) else value
                    pending += [(None, name, v, 1) for v in items if is_module(v)]
            elif isinstance(value, types.FunctionType) and depth < 3:
                seen.add(id(value))
                if not value.__module__ or not value.__module__.startswith(_OWN):
                    pending += [(h, n, v, depth + 1) for h, n, v in _cells(value)]

    def changed(self) -> str | None:
        """What has changed since this was made, in words; None if nothing has."""
        for holder, name, value in self.plain:
            now = read_plain(holder, name) if holder is not None else value
            if now is not value and now != value:
                return f"the value of '{name}' (from {value!r} to {now!r})"
        for module, name, value in self.attributes:
            now = module.__dict__.get(name)
            if now is not value and now != value:
                return f"the attribute '{name}' of a {type(module).__name__}"
        for container, name, items in self.sized:
            if len(container) != len(items):
                return f"the length of '{name}' (from {len(items)} to {len(container)})"
        return None

    def restore(self) -> None:
        """Undo the changes that :meth:`changed` finds, so that the function can run again."""
        for holder, name, value in self.plain:
            if holder is not None and read_plain(holder, name) is not value:
                if isinstance(holder, types.CellType):
                    holder.cell_contents = value
                elif isinstance(holder, dict):
                    holder[name] = value
        for module, name, value in self.attributes:
            module.__dict__[name] = value
        for container, _, items in self.sized:
            if len(container) == len(items):
                continue
            if isinstance(container, list):
                container[:] = items
            else:
                for item in [i for i in container if i not in items]:
                    if isinstance(container, dict):
                        del container[item]
                    else:
                        container.discard(item)

    def guards(self) -> list[tuple[Any, str, Any]]:
        """The plain values that later calls are checked against."""
        return [(h, n, v) for h, n, v in self.plain if h is not None] + self.attributes


_OWN = __name__.split(".")[0]
