"""The Python values that a function can see: what a program was captured with, besides tensors.

A compiled program is the function's Python code run once.  What the code may branch on, compute
with or call (numbers, options, containers, tensors' names, modules and their structure, hooks) is
noted when it is captured: at a later call it must be the same, or the function is captured anew.  A
function that *changes* such values cannot be captured: the change would happen once instead of at
every call.

Of objects and modules of the user's, only attributes count that some code within reach names.
"""

from __future__ import annotations

import array
import functools
import os
import sys
import types
from collections import deque
from collections.abc import Callable
from typing import Any

import numpy as np

from ..modes import STRUCTURE
from ..tensor import Tensor
from .process_settings import SETTINGS, settings_among
from .reach import (
    OWN,
    called_names,
    cells,
    code_names,
    is_module,
    is_of_a_library,
    is_own,
    is_own_code,
    without_wrapper,
)
from .watched import (
    CONTAINERS,
    PLAIN,
    STREAMS,
    TensorFacts,
    Watched,
    foreign_random,
    read_plain,
    restore_attribute,
    restore_stream,
    same_random,
    same_value,
    stream_state,
)

_DEEPEST = 64
_LONGEST = 1 << 16
"""Containers of up to so many items are looked into."""
_MOST_BYTES = 1 << 24
"""Larger NumPy arrays are not compared at each call."""
_REFLECTION = {
    "getattr",
    "setattr",
    "hasattr",
    "vars",
    "__dict__",
    "asdict",
    "astuple",
    "attrgetter",
}
"""Code that uses these may look at any attribute."""
_OUTSIDE = {"open", "input"}
"""Built-in functions that reach outside the program."""
_SPECIAL = {
    "__init__", "__new__", "__module__", "__doc__", "__dict__", "__weakref__", "__annotations__",
    "__slots__", "__qualname__", "__reduce__", "__repr__", "__init_subclass__", "__getstate__",
    "__setstate__", "__reduce_ex__", "__del__", "__copy__", "__deepcopy__",
}  # fmt: skip
_CALLED_BY_US = {"forward", "backward", "setup_context"}
"""Methods of the user's that modules and functions with a gradient of their own call."""
_READING_STATE = {"step", "state", "state_dict", "copy", "deepcopy", "dumps", "save"}
"""What code names that may read or write an optimizer's state: a closure for LBFGS does not."""
_CONSTANT = {f"{OWN}.device", f"{OWN}.dtypes", f"{OWN}.size", f"{OWN}.layout"}
"""Where classes are defined whose instances never change."""
_MODULE_FIELDS = {"_non_persistent_buffers_set", "_is_full_backward_hook", "training"}
_INNER_TENSORS = {"_parameters", "_buffers", "_modules"}
"""Where a module has its parts."""
_GLOBAL_HOOKS = (
    (f"{OWN}.nn.modules.module_call", "_global_hooks"),
    (f"{OWN}.optim.optimizer", "_global_pre_hooks"),
    (f"{OWN}.optim.optimizer", "_global_post_hooks"),
)


class PythonState:
    """What is within reach of a function, as it is now.

    Args:
        function: the function that is captured.
        args, kwargs: what it is called with.
    """

    def __init__(self, function: Callable[..., Any], args: Any = (), kwargs: Any = None) -> None:
        self.names: set[str] = set()
        self._codes: list[types.CodeType] = []
        """The code that has been met."""
        self._read: set[str] = set()
        """The names that code does more with than call what has the name, without ``_codes``."""
        self.rates: list[tuple[dict[str, Any], Any]] = []
        while True:  # code found in one pass may name attributes that an earlier pass left out
            known = len(self.names)
            self._reset()
            for holder, name, value in cells(function):
                self._refer(holder, name, value, 0)
            self._note_code(function)
            self._visit_global_hooks()
            if not self.names.isdisjoint(("environ", "getenv")):
                self.watched.append(Watched("os.environ", os.environ._data))  # type: ignore[attr-defined]
            self._in_arguments = True
            for value in (*args, *(kwargs or {}).values()):
                self._visit("an argument", value, 0)
            if len(self.names) == known:
                break
        self.plain += [(SETTINGS, *setting) for setting in settings_among(self.names).items()]
        self.facts = [TensorFacts(t) for t in self.tensors.values()]
        self.streams = [(s, repr(stream_state(s)), stream_state(s)) for s in self._streams]
        for group, _ in self.rates:
            value = group["lr"]  # a number of its own, so that writing the same one is seen
            group["lr"] = value + 0.0 if value.__class__ is float else value
        self.rates = [(group, group["lr"]) for group, _ in self.rates]
        self.random = foreign_random()

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
        self.tensors: dict[int, Any] = {}
        self.places: dict[int, set[Any]] = {}
        """By the id of a tensor, or a tuple, where it is: containers' ids, and keys."""
        self.groups: list[dict[str, Any]] = []
        self.optimizer_states: list[tuple[dict[Any, Any], tuple[Any, ...]]] = []
        self.keys: list[tuple[Any, tuple[str, ...]]] = []
        self.refused: str | None = None
        """Why a program that is run once may not be run again."""
        self._streams: list[Any] = []
        self._everything = not self.names.isdisjoint(_REFLECTION)
        self._seen: set[int] = set()
        self._looked_into: set[int] = set()
        self._in_arguments = False

    def _note_code(self, function: Any) -> None:
        function = without_wrapper(getattr(function, "__func__", function))
        code = getattr(function, "__code__", None)
        if code is not None:
            names = code_names(code)
            self.names |= names
            self._codes.append(code)
            if is_own_code(code):
                self.names.add(function.__name__)
                return
            for name in names & _OUTSIDE:
                if name not in function.__globals__:
                    self.refused = f"it calls {name}(), which a compiled program would do once"

    def _named(self, name: str, item: Any = None) -> bool:
        """Whether some code may look up the attribute ``name`` whose value is ``item``.

        A number is not looked up by code that only calls what has its name: the ``step`` that a
        trainer counts is not the optimizer's.
        """
        if self._everything and name[:2] != "__":
            return True
        if name not in self.names or not isinstance(item, PLAIN):
            return name in self.names
        while self._codes:
            code = self._codes.pop()
            self._read |= code_names(code) - called_names(code)
        return name in self._read

    def _refer(self, holder: Any, name: str, value: Any, depth: int) -> None:
        """Note that ``holder`` has ``value`` under ``name``, and look into it."""
        if isinstance(value, PLAIN):
            if holder is not None:
                self.plain.append((holder, name, value))
            return
        if isinstance(value, types.ModuleType):
            if not is_of_a_library(value.__name__):
                self._visit_names(value)
            return
        if isinstance(value, type):
            if holder is not None:
                self.references.append((holder, name, value))
            if not is_of_a_library(value.__module__) and id(value) not in self._seen:
                self._seen.add(id(value))
                self._visit_class(value, value, depth)
            return
        if holder is not None:
            self.references.append((holder, name, value))
        key = None if isinstance(holder, types.CellType) else name
        self._visit(name, value, depth, None if holder is None else (id(holder), key))

    def _note_place(self, value: Any, place: Any) -> None:
        """Note that ``value`` is in a container, or, if ``place`` is None, who knows where."""
        if isinstance(value, (Tensor, tuple)):
            places = self.places.setdefault(id(value), set())
            places.add((None, len(places)) if place is None else place)

    def _visit(self, name: str, value: Any, depth: int, place: Any = None) -> None:
        self._note_place(value, place)
        if isinstance(value, Tensor):
            self._visit_tensor(value, depth)
            return
        if id(value) in self._seen or depth > _DEEPEST or isinstance(value, (*PLAIN, type)):
            return
        self._seen.add(id(value))
        if is_module(value):
            self._visit_module(value, depth)
        elif isinstance(value, (bytearray, array.array)):
            self.watched.append(Watched(name, value))
        elif isinstance(value, (list, tuple, dict, set, frozenset, deque)):
            if isinstance(value, CONTAINERS) and name != "an argument":
                self.watched.append(Watched(name, value))
            if len(value) > _LONGEST:
                return
            items = list(value.items() if isinstance(value, dict) else enumerate(value))
            for key, item in items:
                self._visit(name, item, depth + 1, (id(value), key))
        elif isinstance(value, np.ndarray):
            if value.nbytes > _MOST_BYTES:
                self.refused = (
                    f"it may read the NumPy array '{name}' of {value.nbytes >> 20} MiB, whose "
                    "changes would go unnoticed: make it a tensor"
                )
            elif not value.dtype.hasobject:
                self.watched.append(Watched(name, value))
        elif isinstance(value, STREAMS):
            self._streams.append(value)
        elif hasattr(type(value), "__next__") and is_of_a_library(type(value).__module__):
            self.refused = f"it may advance the iterator '{name}', as it would at every call"
        elif isinstance(value, (types.FunctionType, types.MethodType, functools.partial)):
            if isinstance(value, functools.partial) or not is_of_a_library(
                getattr(without_wrapper(value), "__module__", None)
            ):
                self._note_code(value)
                for holder, inner, item in cells(value):
                    self._refer(holder, inner, item, depth + 1)
            elif isinstance(value, types.MethodType):
                self.names.add(value.__name__)
                self._note_places_within(value.__self__, depth)
        elif isinstance(getattr(value, "param_groups", None), list):
            self._visit_optimizer(value, depth)
        elif hasattr(value, "_function") and hasattr(value, "runners"):  # a compiled function
            self._visit(name, value._function, depth)
        elif hasattr(value, "__wrapped__") and not hasattr(value, "__code__"):  # lru_cache
            self._visit(name, value.__wrapped__, depth)
        elif isinstance(getattr(value, "__dict__", None), dict) or hasattr(value, "__slots__"):
            self._visit_object(value, depth)

    def _visit_names(self, module: types.ModuleType) -> None:
        """The names in a module of the user's that some code looks up."""
        if id(module) in self._seen:
            return
        self._seen.add(id(module))
        for name, item in list(vars(module).items()):
            if name in self.names and name[:2] != "__":
                self._refer(vars(module), name, item, 1)

    def _visit_class(self, cls: type, holder: Any, depth: int) -> None:
        """Note the code of the methods that some code names, and the values in the class.

        Args:
            holder: what is asked for those values, the class or an instance of it.
        """
        own = getattr(holder, "__dict__", {}) if holder is not cls else {}
        found = set(own)
        for base in cls.__mro__:
            if is_of_a_library(base.__module__):
                continue
            for name, member in list(vars(base).items()):
                special = name[:2] == "__" and name not in _SPECIAL
                if not (name in self.names or name in _CALLED_BY_US or special):
                    continue
                member = getattr(member, "fget", getattr(member, "__func__", member))
                if isinstance(member, functools.cached_property):
                    member = member.func
                if isinstance(member, types.FunctionType):
                    self._visit(name, member, depth + 1)
                    if not special or name == "__call__":
                        self.references.append((vars(base), name, vars(base)[name]))
                elif name not in found and not special and not hasattr(member, "__get__"):
                    self._refer(holder, name, member, depth + 1)
                found.add(name)

    def _visit_object(self, value: Any, depth: int) -> None:
        cls = type(value)
        if hasattr(cls, "_steps_after_programs"):  # a schedule: a captured step ends with its own
            return
        attributes = getattr(value, "__dict__", {})
        if is_own(cls):
            if cls.__module__ not in _CONSTANT and cls.__name__ != "Generator":
                for name, item in list(attributes.items()):
                    if isinstance(item, PLAIN):
                        self.foreign.append((value, name, item))
            self._note_places_within(value, depth)
            return
        self._visit_class(cls, value, depth)
        for name, item in list(attributes.items()):
            if self._named(name, item):
                self._refer(attributes, name, item, depth + 1)
        for base in cls.__mro__:
            slots = vars(base).get("__slots__", ())
            for name in (slots,) if isinstance(slots, str) else slots:
                if self._named(name) and name[:2] != "__" and hasattr(value, name):
                    self._refer(value, name, getattr(value, name), depth + 1)
        if self._everything and attributes:
            self.lengths.append((attributes, f"the attributes of a {cls.__name__}",
                                 len(attributes)))  # fmt: skip

    def _note_places_within(self, value: Any, depth: int) -> None:
        """Note where an object of a library has tensors (a distribution its parameters)."""
        if depth > _DEEPEST or id(value) in self._looked_into:
            return
        self._looked_into.add(id(value))
        if isinstance(value, dict):
            items = list(value.items())
        elif isinstance(value, (list, tuple, set, frozenset, deque)):
            items = list(enumerate(value)) if len(value) <= _LONGEST else []
        else:
            items = list(getattr(value, "__dict__", {}).items())
        for key, item in items:
            if isinstance(item, Tensor):
                self._note_place(item, (id(value), key))
            elif not isinstance(item, (*PLAIN, type, types.ModuleType, np.ndarray)):
                self._note_places_within(item, depth + 1)

    def _visit_module(self, root: Any, depth: int) -> None:
        for module in root.modules():
            self._seen.add(id(module))
            self.training.append((module, module.training))
            own = is_own(type(module))
            if not own:
                self._visit_class(type(module), module, depth)
            self.keys.append((module, tuple(vars(module))))
            for name, item in list(vars(module).items()):
                if name in _INNER_TENSORS:
                    self.structure.append(Watched(name, item))
                    for key, tensor in item.items():
                        if isinstance(tensor, Tensor):
                            self._note_place(tensor, (id(item), key))
                            self._visit_tensor(tensor, depth)
                elif isinstance(item, dict) and name.endswith("_hooks"):
                    self._visit_hooks(name, item, depth)
                elif isinstance(item, tuple) and any(isinstance(i, Tensor) for i in item):
                    self._refer(module.__dict__, name, item, depth + 1)
                elif isinstance(item, (int, float, str, tuple)) or (
                    own and name[:1] != "_" and not isinstance(item, (*CONTAINERS, Tensor))
                ):
                    if name != "training":
                        self.attributes.append((module, name, item))
                elif name in _MODULE_FIELDS:
                    continue
                elif self._named(name) or isinstance(item, (types.FunctionType, Tensor)):
                    self._refer(module.__dict__, name, item, depth + 1)

    def _visit_tensor(self, tensor: Any, depth: int) -> None:
        if self._in_arguments:
            for hooks in (tensor._hooks, tensor._post_accumulate_hooks):
                for hook in (hooks or {}).values():
                    self._visit("a hook", hook, depth + 1)
            return
        if id(tensor) in self.tensors:
            return
        for name, item in list(tensor.__dict__.items()):
            if name[:1] != "_" and self._named(name):
                self._refer(tensor.__dict__, name, item, depth + 1)
        self.tensors[id(tensor)] = tensor
        for hooks in (tensor._hooks, tensor._post_accumulate_hooks):
            if hooks:
                self._visit_hooks("_hooks", hooks, depth)

    def _visit_hooks(self, name: str, hooks: Any, depth: int) -> None:
        self.structure.append(Watched(name, hooks))
        if hooks:
            for hook in hooks.values():
                self._visit(name, hook, depth + 1)

    def _visit_global_hooks(self) -> None:
        """Hooks on all modules and on all optimizers."""
        for layer, name in _GLOBAL_HOOKS:
            hooks = getattr(sys.modules.get(layer), name, None)
            if hooks is not None:
                self._visit_hooks("_hooks", hooks, 0)

    def _visit_optimizer(self, optimizer: Any, depth: int) -> None:
        self.lengths.append((optimizer.param_groups, "param_groups", len(optimizer.param_groups)))
        self.references.append((optimizer.__dict__, "param_groups", optimizer.param_groups))
        self.structure.append(Watched("param_groups", optimizer.param_groups))
        state = getattr(optimizer, "state", None)
        if isinstance(state, dict) and (
            self._everything
            or not is_own(type(optimizer))
            or not self.names.isdisjoint(_READING_STATE)
        ):
            self.references.append((optimizer.__dict__, "state", state))
            self.lengths.append((state, "state", len(state)))
            self.structure.append(Watched("state", state))
            self.optimizer_states.append((state, tuple(state.values())))
            for inner in state.values():
                if isinstance(inner, dict):
                    self.structure.append(Watched("state", inner))
                    for key, item in inner.items():
                        self._note_place(item, (id(inner), key))
        if not is_own(type(optimizer)):
            self._visit_object(optimizer, depth)
        for group in optimizer.param_groups:
            self.groups.append(group)
            if "lr" in group:
                self.rates.append((group, group["lr"]))
            if isinstance(group.get("params"), list):
                self.structure.append(Watched("params", group["params"]))
                self.lengths.append((group["params"], "params", len(group["params"])))
                self.references.append((group, "params", group["params"]))
                for i, tensor in enumerate(group["params"]):
                    self._note_place(tensor, (id(group["params"]), i))
                    self._visit_tensor(tensor, depth)
        for name, item in vars(optimizer).items():
            if name.endswith("_hooks") and isinstance(item, dict):
                self._visit_hooks(name, item, depth)

    def seen_tensors(self) -> dict[int, Tensor]:
        """By their ids, the tensors that the code can name, and those of optimizers' states."""
        inner = (i for state, _ in self.optimizer_states for i in state.values())
        items = (item for i in inner if isinstance(i, dict) for item in i.values())
        return {id(t): t for t in items if isinstance(t, Tensor)} | self.tensors

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
        for module, keys in self.keys:
            if tuple(vars(module)) != keys:
                return f"the attributes of a {type(module).__name__}"
        for facts in self.facts:
            if not facts.same():
                return "requires_grad, or the hooks, of a tensor"
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
            now = group["lr"]
            if now is not rate:
                how = f"set to {now!r}" if same_value(now, rate) else f"from {rate!r} to {now!r}"
                return f"the learning rate of an optimizer ({how})"
        if not same_random(self.random) or any(
            repr(stream_state(stream)) != shown for stream, shown, _ in self.streams
        ):
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
            if isinstance(holder, types.MappingProxyType):
                continue
            if holder is not None and read_plain(holder, name) is not value:
                if isinstance(holder, types.CellType):
                    holder.cell_contents = value
                elif isinstance(holder, dict):
                    holder[name] = value
                else:
                    restore_attribute(holder, name, value)
        for module, training in self.training:
            module.__dict__["training"] = training
        for module, name, value in self.attributes:
            module.__dict__[name] = value
        for module, keys in self.keys:
            for name in set(vars(module)) - set(keys):
                del module.__dict__[name]
        for facts in self.facts:
            facts.restore()
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
        for stream, _, state in self.streams:
            restore_stream(stream, state)

    def guards(self) -> list[tuple[Any, str, Any]]:
        """The plain values that later calls are checked against."""
        return [*self.plain, *self.foreign]

    def rates_are_read(self) -> bool:
        """Whether code of the user's may read learning rates, which are then constants."""
        return not self.names.isdisjoint(("param_groups", "get_last_lr", "_last_lr", "get_lr"))


class Surroundings:
    """What a program takes for granted of the Python values around it, besides plain values."""

    def __init__(self, state: PythonState, lifted: list[Any]) -> None:
        self.facts = [*state.facts]
        self.facts += [TensorFacts(t) for t in lifted if id(t) not in state.tensors]
        STRUCTURE.watched.update(id(facts.tensor) for facts in self.facts)
        self.keys = state.keys
        self.optimizer_states = state.optimizer_states
        self.params = [group["params"] for group in state.groups]
        self.of_optimizers = [w for w in state.structure if w.name in ("state", "params")]
        self.references = state.references
        self.watched = state.watched
        self.structure = state.structure
        self.attributes = state.attributes
        self.lengths = state.lengths
        self.version = STRUCTURE.version

    def places(self) -> dict[int, tuple[Any, Any]]:
        """Where optimizers have their parameters and state: by id, the container and the key."""
        found: dict[int, tuple[Any, Any]] = {}
        for params in self.params:
            found.update((id(p), (params, i)) for i, p in enumerate(params))
        for _, inner_states in self.optimizer_states:
            for inner in inner_states:
                if isinstance(inner, dict):
                    found.update((id(t), (inner, key)) for key, t in inner.items())
        return found

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
        for watched in self.of_optimizers:
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
        if not all(facts.same() for facts in self.facts):
            return False
        for module, keys in self.keys:
            if tuple(vars(module)) != keys:
                return False
        for module, name, value in self.attributes:
            if not same_value(module.__dict__.get(name), value):
                return False
        self.version = now
        return True
