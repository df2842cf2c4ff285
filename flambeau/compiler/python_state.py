"""The Python values that a function can see: what a program was captured with, besides tensors.

A compiled program is the function's Python code run once.  What the code may branch on, compute
with or call (numbers, options, containers, tensors' names, modules and their structure, hooks) is
noted when it is captured: at a later call it must be the same, or the function is captured anew.  A
function that *changes* such values cannot be captured: the change would happen once instead of at
every call.

Of objects and modules of the user's, only attributes count that some code within reach names.
"""

from __future__ import annotations

import functools
import sys
import types
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..modes import STRUCTURE
from ..tensor import Tensor

_PLAIN = (bool, int, float, complex, str, bytes, type(None))
_CONTAINERS = (list, dict, set)
_OWN = __name__.split(".")[0]
_FOREIGN = {_OWN, "builtins", "numpy", "torch", "threading", "logging", "random", "_io"}
_LONGEST = 64
"""Containers of up to so many items are looked into."""


def is_module(value: Any) -> bool:
    """Whether ``value`` is an ``nn.Module``; there is none before that package is imported."""
    layer = sys.modules.get("flambeau.nn.modules.module")
    return layer is not None and isinstance(value, layer.Module)


def _is_own(value: Any) -> bool:
    """Whether ``value`` is a function or class of the framework or of another library."""
    return (getattr(value, "__module__", None) or "builtins").split(".")[0] in _FOREIGN


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
    if isinstance(function, functools.partial):
        for i, value in enumerate((function.func, *function.args, *function.keywords.values())):
            yield None, f"partial[{i}]", value
        return
    if isinstance(function, types.MethodType):
        yield None, "self", function.__self__
        function = function.__func__
    code = getattr(function, "__code__", None)
    if code is None:
        return
    for value in (*(function.__defaults__ or ()), *(function.__kwdefaults__ or {}).values()):
        yield None, "a default", value
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


def same_value(now: Any, then: Any) -> bool:
    """Whether a value is what it was: the same object, or an equal plain value of its type."""
    if now is then:
        return True
    if now.__class__ is not then.__class__ or not isinstance(then, _PLAIN):
        return False
    return now == then and (now != 0 or str(now) == str(then))  # -0.0 is another value


def _contents(container: Any) -> Any:
    """The items of a container, to be compared with :func:`_same_contents`."""
    if isinstance(container, np.ndarray):
        return container.tobytes()
    return dict(container) if isinstance(container, dict) else list(container)


def _same_contents(container: Any, then: Any) -> bool:
    if isinstance(container, np.ndarray):
        return container.tobytes() == then
    if len(container) != len(then):
        return False
    if isinstance(container, dict):
        return all(p is q or p == q for p, q in zip(container, then)) and all(
            map(same_value, container.values(), then.values())
        )
    return all(map(same_value, container, then))


class Watched:
    """A container whose items a program depends on."""

    __slots__ = ("name", "container", "then")

    def __init__(self, name: str, container: Any) -> None:
        self.name, self.container, self.then = name, container, _contents(container)

    def same(self) -> bool:
        """Whether its items are what they were."""
        return _same_contents(self.container, self.then)

    def restore(self) -> None:
        """Give it the items that it had."""
        if self.same() or isinstance(self.container, np.ndarray):
            return
        if isinstance(self.container, list):
            self.container[:] = self.then
        else:
            self.container.clear()
            self.container.update(self.then)


class PythonState:
    """What is within reach of a function, as it is now.

    Args:
        function: the function that is captured.
        args, kwargs: what it is called with.
    """

    def __init__(self, function: Callable[..., Any], args: Any = (), kwargs: Any = None) -> None:
        self.names: set[str] = set()
        self.rates: list[tuple[dict[str, Any], Any]] = []
        while True:  # code found in one pass may name attributes that an earlier pass left out
            known = len(self.names)
            self._reset()
            for holder, name, value in _cells(function):
                self._refer(holder, name, value, 0)
            self._note_code(function)
            self._in_arguments = True
            for value in (*args, *(kwargs or {}).values()):
                self._visit("an argument", value, 0)
            if len(self.names) == known:
                break
        for group, _ in self.rates:
            value = group["lr"]  # a number of its own, so that writing the same one is seen
            group["lr"] = value + 0.0 if value.__class__ is float else value
        self.rates = [(group, group["lr"]) for group, _ in self.rates]
        self.random = _foreign_random()

    def _reset(self) -> None:
        self.plain: list[tuple[Any, str, Any]] = []
        self.references: list[tuple[Any, str, Any]] = []
        self.watched: list[Watched] = []
        self.structure: list[Watched] = []
        self.lengths: list[tuple[Any, str, int]] = []
        self.training: list[tuple[Any, bool]] = []
        self.attributes: list[tuple[Any, str, Any]] = []
        self.foreign: list[tuple[Any, str, Any]] = []
        self.rates = []
        self.tensors: set[int] = set()
        self._seen: set[int] = set()
        self._in_arguments = False

    def _note_code(self, function: Any) -> None:
        function = getattr(function, "__func__", getattr(function, "__wrapped__", function))
        code = getattr(function, "__code__", None)
        if code is not None:
            self.names |= _code_names(code)

    def _refer(self, holder: Any, name: str, value: Any, depth: int) -> None:
        """Note that ``holder`` has ``value`` under ``name``, and look into it."""
        if isinstance(value, _PLAIN):
            if holder is not None:
                self.plain.append((holder, name, value))
            return
        if isinstance(value, (types.ModuleType, type)):
            return
        if holder is not None:
            self.references.append((holder, name, value))
        self._visit(name, value, depth)

    def _visit(self, name: str, value: Any, depth: int) -> None:
        if isinstance(value, Tensor):
            if not self._in_arguments:
                self.tensors.add(id(value))
            return
        if id(value) in self._seen or depth > 4 or isinstance(value, (*_PLAIN, type)):
            return
        self._seen.add(id(value))
        if is_module(value):
            self._visit_module(value, depth)
        elif isinstance(value, (list, tuple, dict, set)):
            if len(value) > _LONGEST:
                if not isinstance(value, tuple):
                    self.lengths.append((value, name, len(value)))
                return
            if isinstance(value, _CONTAINERS) and name != "an argument":
                self.watched.append(Watched(name, value))
            for item in list(value.values() if isinstance(value, dict) else value):
                self._visit(name, item, depth + 1)
        elif isinstance(value, np.ndarray):
            if value.size <= _LONGEST and not value.dtype.hasobject:
                self.watched.append(Watched(name, value))
        elif isinstance(value, (types.FunctionType, types.MethodType, functools.partial)):
            if isinstance(value, functools.partial) or not _is_own(value):
                self._note_code(value)
                for holder, inner, item in _cells(value):
                    self._refer(holder, inner, item, depth + 1)
        elif isinstance(getattr(value, "param_groups", None), list):
            self._visit_optimizer(value, depth)
        elif hasattr(value, "_function") and hasattr(value, "runners"):  # a compiled function
            self._visit(name, value._function, depth)
        elif isinstance(getattr(value, "__dict__", None), dict):
            self._visit_object(value, depth)

    def _visit_class(self, cls: type, depth: int) -> None:
        """Note the code of the methods that some code names."""
        for base in cls.__mro__:
            if _is_own(base):
                continue
            for name, member in list(vars(base).items()):
                if name in self.names or name in ("forward", "__call__"):
                    member = getattr(member, "fget", getattr(member, "__func__", member))
                    if isinstance(member, types.FunctionType):
                        self._visit(name, member, depth + 1)

    def _visit_object(self, value: Any, depth: int) -> None:
        cls = type(value)
        if _is_own(cls):
            for name, item in list(vars(value).items()):
                if isinstance(item, _PLAIN):
                    self.foreign.append((value, name, item))
            return
        self._visit_class(cls, depth)
        for name, item in list(vars(value).items()):
            if name in self.names:
                self._refer(value.__dict__, name, item, depth + 1)

    def _visit_module(self, root: Any, depth: int) -> None:
        for module in root.modules():
            self._seen.add(id(module))
            self.training.append((module, module.training))
            if not _is_own(type(module)):
                self._visit_class(type(module), depth)
            for name, item in list(vars(module).items()):
                if isinstance(item, (int, float, str)):
                    if name != "training":
                        self.attributes.append((module, name, item))
                elif name in ("_parameters", "_buffers", "_modules"):
                    self.structure.append(Watched(name, item))
                    for tensor in item.values():
                        if isinstance(tensor, Tensor):
                            self._visit_tensor(tensor, depth)
                elif name.endswith("_hooks") and isinstance(item, dict):
                    self._visit_hooks(name, item, depth)
                elif name in self.names and name[:1] != "_":
                    self._refer(module.__dict__, name, item, depth + 1)

    def _visit_tensor(self, tensor: Any, depth: int) -> None:
        self.tensors.add(id(tensor))
        for hooks in (tensor._hooks, tensor._post_accumulate_hooks):
            if hooks:
                self._visit_hooks("_hooks", hooks, depth)

    def _visit_hooks(self, name: str, hooks: Any, depth: int) -> None:
        self.structure.append(Watched(name, hooks))
        for hook in hooks.values():
            self._visit(name, hook, depth + 1)

    def _visit_optimizer(self, optimizer: Any, depth: int) -> None:
        self.lengths.append((optimizer.param_groups, "param_groups", len(optimizer.param_groups)))
        self.references.append((optimizer.__dict__, "param_groups", optimizer.param_groups))
        self.structure.append(Watched("param_groups", optimizer.param_groups))
        state = getattr(optimizer, "state", None)
        if isinstance(state, dict):
            self.references.append((optimizer.__dict__, "state", state))
            self.lengths.append((state, "state", len(state)))
            self.structure.append(Watched("state", state))
        for group in optimizer.param_groups:
            if "lr" in group:
                self.rates.append((group, group["lr"]))
            if isinstance(group.get("params"), list):
                self.structure.append(Watched("params", group["params"]))
                for tensor in group["params"]:
                    self._visit_tensor(tensor, depth)
        for name, item in vars(optimizer).items():
            if name.endswith("_hooks") and isinstance(item, dict):
                self._visit_hooks(name, item, depth)

    def changed(self) -> str | None:
        """What has changed since this was made, in words; None if nothing has."""
        for holder, name, value in (*self.plain, *self.foreign):
            now = read_plain(holder, name)
            if not same_value(now, value):
                return f"the value of '{name}' (from {value!r} to {now!r})"
        for module, training in self.training:
            if module.training is not training:
                return f"the mode of a {type(module).__name__}"
        for module, name, value in self.attributes:
            if not same_value(module.__dict__.get(name), value):
                return f"the attribute '{name}' of a {type(module).__name__}"
        for container, name, length in self.lengths:
            if len(container) != length:
                return f"the length of '{name}' (from {length} to {len(container)})"
        for watched in (*self.watched, *self.structure):
            if not watched.same():
                if len(watched.container) == len(watched.then):
                    return f"the items of '{watched.name}'"
                return (
                    f"the length of '{watched.name}' "
                    f"(from {len(watched.then)} to {len(watched.container)})"
                )
        for group, rate in self.rates:
            if group["lr"] is not rate:
                return f"the learning rate of an optimizer (from {rate!r} to {group['lr']!r})"
        if not _same_random(self.random):
            return "the random numbers of Python or NumPy"
        return None

    def rebound(self) -> str | None:
        """A name that refers to something else than when this was made."""
        for holder, name, value in self.references:
            if read_plain(holder, name) is not value:
                return f"what '{name}' refers to"
        return None

    def restore(self) -> None:
        """Undo the changes that :meth:`changed` finds, so that the function can run again."""
        for holder, name, value in (*self.plain, *self.foreign, *self.references):
            if holder is not None and read_plain(holder, name) is not value:
                if isinstance(holder, types.CellType):
                    holder.cell_contents = value
                elif isinstance(holder, dict):
                    holder[name] = value
                else:
                    holder.__dict__[name] = value
        for module, training in self.training:
            module.__dict__["training"] = training
        for module, name, value in self.attributes:
            module.__dict__[name] = value
        for watched in (*self.structure, *self.watched):
            watched.restore()
        for container, _, length in self.lengths:
            if isinstance(container, list) and len(container) > length:
                del container[length:]
        for group, rate in self.rates:
            group["lr"] = rate
        for module_name, state in self.random.items():
            setter = "setstate" if module_name == "random" else "set_state"
            getattr(sys.modules[module_name], setter)(state)

    def guards(self) -> list[tuple[Any, str, Any]]:
        """The plain values that later calls are checked against."""
        return list(self.plain)


def _foreign_random() -> dict[str, Any]:
    """The states of the generators of Python and of NumPy, if a program has them."""
    found = {}
    for name, getter in (("random", "getstate"), ("numpy.random", "get_state")):
        module = sys.modules.get(name)
        if module is not None:
            found[name] = getattr(module, getter)()
    return found


def _same_random(then: dict[str, Any]) -> bool:
    now = _foreign_random()
    for name, state in then.items():
        if name == "random":
            if now[name] != state:
                return False
        elif now[name][2:] != state[2:] or not np.array_equal(now[name][1], state[1]):
            return False
    return True


class Surroundings:
    """What a program takes for granted of the Python values around it, besides plain values."""

    def __init__(self, state: PythonState) -> None:
        self.references = state.references
        self.watched = state.watched
        self.structure = state.structure
        self.attributes = state.attributes
        self.lengths = state.lengths
        self.version = STRUCTURE.version

    def mismatch(self) -> str | None:
        """The name of what is another one now; None if all is the same."""
        for holder, name, value in self.references:
            if read_plain(holder, name) is not value:
                return name
        for container, name, length in self.lengths:
            if len(container) != length:
                return name
        for watched in self.watched:
            if not watched.same():
                return watched.name
        return None if self.same_structure() else "structure"

    def same_structure(self) -> bool:
        """Whether modules, hooks and optimizers are what they were; quick if none was touched."""
        now = STRUCTURE.version
        if now == self.version:
            return True
        if not all(w.same() for w in self.structure):
            return False
        for module, name, value in self.attributes:
            if not same_value(module.__dict__.get(name), value):
                return False
        self.version = now
        return True
