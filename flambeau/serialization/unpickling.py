"""Reading pickles: by an allow-list (``weights_only=True``), or as Python does (``False``).

`RestrictedUnpickler` is an interpreter of the pickle language in which nothing can be named that
is not on the list of :mod:`.safe_globals`, nothing called that is not on it, and nothing changed
but the containers that the file itself made. It never imports, looks no attribute up, and takes
no size from the file on trust.

Sources: CPython's Lib/pickletools.py (the language), PyTorch's notes on serialization (the rules).
"""

from __future__ import annotations

import _compat_pickle
import pickle
import struct
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from typing import Any

from .names import is_pytorch_name, resolve
from .safe_globals import (
    BLOCKED_MODULES,
    _Budget,
    call_default_global,
    check_key,
    default_global,
    program_globals,
)
from .storage import storage_named

UnpicklingError = pickle.UnpicklingError

_ORDINARY_FAILURES = (
    IndexError, KeyError, ValueError, TypeError, AttributeError, OverflowError, struct.error,
    RecursionError, MemoryError,
)  # fmt: skip


class _Raised(Exception):
    """Carries an exception of the program's own classes past the interpreter's handler."""

    def __init__(self, error: Exception) -> None:
        self.error = error


def modern_name(module: str, name: str) -> tuple[str, str]:
    """Python 3's place of what a protocol-2 pickle names as in Python 2."""
    pair = _compat_pickle.NAME_MAPPING.get((module, name))
    if pair is not None:
        return pair
    return _compat_pickle.IMPORT_MAPPING.get(module, module), name


class RestrictedUnpickler:
    """Interprets one pickle with the allow-list.

    Args:
        data: what holds the pickle: bytes, or a mapped file.
        persistent_load: called with ``("storage", type, key, location, count, ...)``; returns
            the storage.
        position: where in ``data`` the pickle begins; after :meth:`load`, where it ended.
        encoding: of the eight-bit strings of Python 2 (``"bytes"`` leaves them bytes).

    Raises:
        pickle.UnpicklingError: on whatever is not allowed, and on corrupt pickles.
    """

    def __init__(
        self,
        data: Any,
        persistent_load: Callable[[tuple], Any],
        position: int = 0,
        encoding: str = "utf-8",
    ) -> None:
        self.data = data
        self.end = len(data)
        self.position = position
        self.persistent_load = persistent_load
        self.encoding = encoding
        self.program = program_globals()
        self.stack: list[Any] = []
        self.marks: list[list[Any]] = []
        self.memo: dict[int, Any] = {}
        self.budget = _Budget(min(self.end - position, 1 << 28))

    def load(self) -> Any:
        """The object that the pickle describes."""
        opcode = b""
        operations = _OPERATIONS
        try:
            while True:
                opcode = self._take(1)
                if opcode == b".":
                    return self.stack.pop()
                operation = operations.get(opcode)
                if operation is None:
                    raise UnpicklingError(f"Unsupported operand {opcode[0]}")
                operation(self)
        except _Raised as raised:
            raise raised.error from None
        except _ORDINARY_FAILURES as error:
            raise UnpicklingError(
                f"the pickle is corrupt at byte {self.position} (operation {opcode!r}): "
                f"{type(error).__name__}: {error}"
            ) from error

    # -- reading --------------------------------------------------------------------------------

    def _take(self, count: int) -> bytes:
        stop = self.position + count
        if stop > self.end:
            raise UnpicklingError(
                f"pickle data was truncated: {count} bytes are needed at byte {self.position} "
                f"of {self.end}"
            )
        piece = bytes(self.data[self.position : stop])
        self.position = stop
        return piece

    def _line(self) -> str:
        stop = self.data.find(b"\n", self.position, self.position + 4096)
        if stop < 0:
            raise UnpicklingError("pickle data was truncated: a name has no end")
        piece = bytes(self.data[self.position : stop])
        self.position = stop + 1
        return piece.decode("utf-8")

    def _number(self, layout: str, count: int) -> int:
        return struct.unpack(layout, self._take(count))[0]

    def _pop_to_mark(self) -> list[Any]:
        items = self.stack
        self.stack = self.marks.pop()
        return items

    # -- the risky operations -------------------------------------------------------------------

    def _find(self, module: str, name: str) -> None:
        module, name = modern_name(module, name)
        path = f"{module}.{name}"
        if module in BLOCKED_MODULES:
            raise UnpicklingError(
                f"Trying to load unsupported GLOBAL {path} whose module {module} is blocked."
            )
        found = default_global(path)
        if found is None:
            found = self.program.get(path)
        if found is None:
            shown = path.removeprefix("builtins.")
            raise UnpicklingError(
                f"Unsupported global: GLOBAL {shown} was not an allowed global by default. "
                f"Please use `torch.serialization.add_safe_globals([{shown}])` or the "
                f"`torch.serialization.safe_globals([{shown}])` context manager to allowlist "
                "this global if you trust this class/function."
            )
        self.stack.append(found)

    def _global(self) -> None:
        module = self._line()
        self._find(module, self._line())

    def _stack_global(self) -> None:
        name, module = self.stack.pop(), self.stack.pop()
        if type(name) is not str or type(module) is not str or len(name) + len(module) > 4096:
            raise UnpicklingError("a global is named by two short strings")
        self._find(module, name)

    def _is_programs(self, found: Any) -> bool:
        return any(found is item for item in self.program.values())

    def _by_program(self, function: Callable, *args: Any) -> Any:
        try:
            return function(*args)
        except Exception as error:
            raise _Raised(error) from error

    def _reduce(self) -> None:
        args = self.stack.pop()
        function = self.stack.pop()
        if self._is_programs(function):
            self.stack.append(self._by_program(function, *args))
        elif callable(function) or isinstance(function, type):
            self.stack.append(call_default_global(function, args, self.budget))
        else:
            raise UnpicklingError(f"Trying to call reduce for unrecognized function {function!r}")

    def _new_object(self) -> None:
        args = self.stack.pop()
        kind = self.stack.pop()
        if self._is_programs(kind) and isinstance(kind, type):
            self.stack.append(self._by_program(kind.__new__, kind, *args))
        elif kind in (OrderedDict, Counter):
            self.stack.append(call_default_global(kind, args, self.budget))
        else:
            raise UnpicklingError(
                "Can only create new object for nn.Parameter or classes allowlisted via "
                f"`add_safe_globals` but got {kind}"
            )

    def _build(self) -> None:
        state = self.stack.pop()
        instance = self.stack[-1]
        if type(instance) is OrderedDict:
            if type(state) is not dict or any(
                type(name) is not str or hasattr(OrderedDict, name) for name in state
            ):
                raise UnpicklingError("an OrderedDict's own methods cannot be overwritten")
            instance.__dict__.update(state)
        elif self._is_programs(type(instance)):
            self._by_program(_set_state, instance, state)
        else:
            raise UnpicklingError(
                "Can only build Tensor, Parameter, OrderedDict or types allowlisted via "
                f"`add_safe_globals`, but got {type(instance)}"
            )

    def _persistent(self) -> None:
        reference = self.stack.pop()
        if type(reference) is not tuple or len(reference) < 5:
            raise UnpicklingError(
                f"persistent_load id must be tuple or int, but got {type(reference)}"
            )
        kind = reference[0]
        if (kind.decode("ascii") if isinstance(kind, bytes) else kind) != "storage":
            raise UnpicklingError(f"Only persistent_load of storage is allowed, but got {kind!r}")
        self.stack.append(self.persistent_load(reference))

    # -- containers -----------------------------------------------------------------------------

    def _mark(self) -> None:
        self.marks.append(self.stack)
        self.stack = []

    def _pop(self) -> None:
        if self.stack:
            self.stack.pop()
        else:
            self._pop_to_mark()

    def _append(self) -> None:
        item = self.stack.pop()
        self._extend([item])

    def _appends(self) -> None:
        self._extend(self._pop_to_mark())

    def _extend(self, items: list[Any]) -> None:
        target = self.stack[-1]
        if type(target) is list:
            target.extend(items)
        elif self._is_programs(type(target)):
            self._by_program(lambda: [target.append(item) for item in items])
        else:
            raise UnpicklingError(f"Can only append to lists, but got {type(target)}")

    def _set_item(self) -> None:
        value, key = self.stack.pop(), self.stack.pop()
        self._update([key, value])

    def _set_items(self) -> None:
        self._update(self._pop_to_mark())

    def _update(self, items: list[Any]) -> None:
        target = self.stack[-1]
        kind = type(target)
        if kind not in (dict, OrderedDict, Counter) and not (
            self._is_programs(kind) and isinstance(target, dict)
        ):
            raise UnpicklingError(
                "Can only SETITEM for dict, collections.OrderedDict, collections.Counter, "
                f"but got {kind}"
            )
        for position in range(0, len(items), 2):
            key = items[position]
            if type(key) is not str:
                check_key(key)
            target[key] = items[position + 1]

    def _add_items(self) -> None:
        items = self._pop_to_mark()
        target = self.stack[-1]
        if type(target) is not set:
            raise UnpicklingError(f"Can only add to sets, but got {type(target)}")
        for item in items:
            check_key(item)
            target.add(item)

    def _frozen_set(self) -> None:
        items = self._pop_to_mark()
        for item in items:
            check_key(item)
        self.stack.append(frozenset(items))

    def _tuple(self) -> None:
        items = tuple(self._pop_to_mark())
        self.stack.append(items)

    def _short_tuple(self, count: int) -> None:
        if len(self.stack) < count:
            raise UnpicklingError("the pickle's stack is empty")
        self.stack[-count:] = [tuple(self.stack[-count:])]

    # -- values ---------------------------------------------------------------------------------

    def _text(self, count: int) -> None:
        self.stack.append(str(self._take(count), "utf-8", "surrogatepass"))

    def _string(self, count: int) -> None:
        raw = self._take(count)
        self.stack.append(raw if self.encoding == "bytes" else raw.decode(self.encoding))

    def _bytes(self, count: int) -> None:
        self.stack.append(self._take(count))

    def _long(self, count: int) -> None:
        self.stack.append(int.from_bytes(self._take(count), "little", signed=True))

    def _put(self, index: int) -> None:
        self.memo[index] = self.stack[-1]

    def _get(self, index: int) -> None:
        self.stack.append(self.memo[index])

    def _protocol(self) -> None:
        protocol = self._take(1)[0]
        if protocol > pickle.HIGHEST_PROTOCOL:
            raise UnpicklingError(f"unsupported pickle protocol: {protocol}")


def _set_state(instance: Any, state: Any) -> None:
    """What BUILD does: `__setstate__` if there is one, else the attributes."""
    set_state = getattr(instance, "__setstate__", None)
    if set_state is not None:
        set_state(state)
        return
    slots = None
    if isinstance(state, tuple) and len(state) == 2:
        state, slots = state
    if state:
        instance.__dict__.update(state)
    for name, value in (slots or {}).items():
        setattr(instance, name, value)


_U = RestrictedUnpickler
_OPERATIONS: dict[bytes, Callable[[RestrictedUnpickler], None]] = {
    pickle.GLOBAL: _U._global,
    pickle.STACK_GLOBAL: _U._stack_global,
    pickle.REDUCE: _U._reduce,
    pickle.NEWOBJ: _U._new_object,
    pickle.BUILD: _U._build,
    pickle.BINPERSID: _U._persistent,
    pickle.MARK: _U._mark,
    pickle.POP: _U._pop,
    pickle.POP_MARK: lambda u: void(u._pop_to_mark()),
    pickle.DUP: lambda u: u.stack.append(u.stack[-1]),
    pickle.APPEND: _U._append,
    pickle.APPENDS: _U._appends,
    pickle.SETITEM: _U._set_item,
    pickle.SETITEMS: _U._set_items,
    pickle.ADDITEMS: _U._add_items,
    pickle.FROZENSET: _U._frozen_set,
    pickle.TUPLE: _U._tuple,
    pickle.TUPLE1: lambda u: u._short_tuple(1),
    pickle.TUPLE2: lambda u: u._short_tuple(2),
    pickle.TUPLE3: lambda u: u._short_tuple(3),
    pickle.EMPTY_TUPLE: lambda u: u.stack.append(()),
    pickle.EMPTY_LIST: lambda u: u.stack.append([]),
    pickle.EMPTY_DICT: lambda u: u.stack.append({}),
    pickle.EMPTY_SET: lambda u: u.stack.append(set()),
    pickle.NONE: lambda u: u.stack.append(None),
    pickle.NEWTRUE: lambda u: u.stack.append(True),
    pickle.NEWFALSE: lambda u: u.stack.append(False),
    pickle.BININT: lambda u: u.stack.append(u._number("<i", 4)),
    pickle.BININT1: lambda u: u.stack.append(u._take(1)[0]),
    pickle.BININT2: lambda u: u.stack.append(u._number("<H", 2)),
    pickle.BINFLOAT: lambda u: u.stack.append(u._number(">d", 8)),
    pickle.LONG1: lambda u: u._long(u._take(1)[0]),
    pickle.LONG4: lambda u: u._long(u._number("<I", 4)),
    pickle.BINUNICODE: lambda u: u._text(u._number("<I", 4)),
    pickle.SHORT_BINUNICODE: lambda u: u._text(u._take(1)[0]),
    pickle.BINUNICODE8: lambda u: u._text(u._number("<Q", 8)),
    pickle.BINSTRING: lambda u: u._string(u._number("<I", 4)),
    pickle.SHORT_BINSTRING: lambda u: u._string(u._take(1)[0]),
    pickle.BINBYTES: lambda u: u._bytes(u._number("<I", 4)),
    pickle.SHORT_BINBYTES: lambda u: u._bytes(u._take(1)[0]),
    pickle.BINBYTES8: lambda u: u._bytes(u._number("<Q", 8)),
    pickle.BYTEARRAY8: lambda u: u.stack.append(bytearray(u._take(u._number("<Q", 8)))),
    pickle.BINPUT: lambda u: u._put(u._take(1)[0]),
    pickle.LONG_BINPUT: lambda u: u._put(u._number("<I", 4)),
    pickle.MEMOIZE: lambda u: u._put(len(u.memo)),
    pickle.BINGET: lambda u: u._get(u._take(1)[0]),
    pickle.LONG_BINGET: lambda u: u._get(u._number("<I", 4)),
    pickle.PROTO: _U._protocol,
    pickle.FRAME: lambda u: void(u._take(8)),
}


def void(_: Any) -> None:
    """Drop a value."""


def globals_named(data: bytes) -> Iterator[str]:
    """All names that a pickle refers to, without running it."""
    import pickletools

    strings: list[str] = []
    memo: dict[int, str] = {}
    for opcode, argument, _ in pickletools.genops(data):
        if opcode.name == "GLOBAL":
            yield ".".join(modern_name(*str(argument).split(" ", 1)))
        elif opcode.name == "STACK_GLOBAL" and len(strings) >= 2:
            yield ".".join(modern_name(strings[-2], strings[-1]))
        elif isinstance(argument, str):
            strings.append(argument)
        elif opcode.name == "MEMOIZE" and strings:
            memo[len(memo)] = strings[-1]
        elif opcode.name in ("BINGET", "LONG_BINGET") and argument in memo:
            strings.append(memo[argument])


def unrestricted_unpickler(pickle_module: Any) -> type:
    """An unpickler class that finds PyTorch's names in flambeau, and all others as Python does."""

    class Unpickler(pickle_module.Unpickler):  # type: ignore[misc]
        def find_class(self, module: str, name: str) -> Any:
            if is_pytorch_name(module):
                return storage_named(module, name) or resolve(module, name)
            return super().find_class(module, name)

    return Unpickler
