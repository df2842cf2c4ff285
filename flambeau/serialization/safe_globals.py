"""The list of what a file may name when it is loaded with ``weights_only=True``.

A pickle is a program: it may name any function of any module and call it. Loading runs it against
this list instead. What is on it by default can only build tensors and plain containers; programs
may add classes of their own.

Source: https://docs.pytorch.org/docs/2.13/notes/serialization.html
"""

from __future__ import annotations

import _codecs
import builtins
import functools
import threading
from collections import Counter, OrderedDict
from collections.abc import Callable
from typing import Any

from .. import dtypes
from .names import pytorch_name, resolve
from .rebuild import REBUILDERS
from .storage import StorageType, storage_named

BLOCKED_MODULES = ("sys", "os", "posix", "nt")
"""Never loaded from, even if a program adds something of theirs to the list."""

Global = Callable | tuple[Callable, str]

_added: tuple[Global, ...] = ()
_lock = threading.Lock()


def add_safe_globals(safe_globals: list[Global]) -> None:
    """Mark classes and functions as safe for :func:`flambeau.load` with ``weights_only=True``.

    Args:
        safe_globals: the classes or functions; a pair ``(object, "module.name")`` where the file
            calls the object by another name than its own.
    """
    global _added
    with _lock:
        _added = tuple(dict.fromkeys((*_added, *safe_globals)))


def get_safe_globals() -> list[Global]:
    """What the program has added with :func:`add_safe_globals`."""
    return list(_added)


def clear_safe_globals() -> None:
    """Forget all that the program has added with :func:`add_safe_globals`."""
    global _added
    with _lock:
        _added = ()


class safe_globals:
    """Context manager that marks classes and functions as safe while it is open.

    Args:
        safe_globals: as for :func:`add_safe_globals`.

    >>> import collections
    >>> with flambeau.serialization.safe_globals([collections.deque]):  # doctest: +SKIP
    ...     checkpoint = flambeau.load("checkpoint.pt")
    """

    def __init__(self, safe_globals: list[Global]) -> None:
        self.safe_globals = safe_globals

    def __enter__(self) -> None:
        add_safe_globals(self.safe_globals)

    def __exit__(self, *exception: object) -> None:
        global _added
        with _lock:
            _added = tuple(item for item in _added if item not in self.safe_globals)


def program_globals() -> dict[str, Any]:
    """What the program has added, by the names that a file may use."""
    named: dict[str, Any] = {}
    for item in _added:
        if isinstance(item, tuple):
            if len(item) != 2:
                raise ValueError(
                    "Expected tuple of length 2 (global, str of callable full path), but got "
                    f"tuple of length: {len(item)}"
                )
            found, path = item
            if type(path) is not str:
                raise TypeError(
                    "Expected second item in tuple to be str of callable full path, but got: "
                    f"{type(path)}"
                )
            named[path] = found
            continue
        named[f"{item.__module__}.{item.__qualname__}"] = item
        known_as = pytorch_name(item)
        if known_as is not None:
            named[".".join(known_as)] = item
    return named


def default_global(path: str) -> Any:
    """What a name stands for that every file may use; None if it may not."""
    found = _default_globals().get(path)
    if found is None and path.endswith("Storage"):
        found = storage_named(*path.rsplit(".", 1)) if "." in path else None
    elif found is None and path in _DEFAULT_CLASSES:
        found = resolve(*path.rsplit(".", 1))
    return found


_DEFAULT_CLASSES = (
    "torch.nn.parameter.Parameter",
    "torch.Size",
    "torch.Tensor",
    "torch.device",
)


@functools.cache
def _default_globals() -> dict[str, Any]:
    named: dict[str, Any] = {
        "collections.OrderedDict": OrderedDict,
        "collections.Counter": Counter,
        "_codecs.encode": _codecs.encode,
        "builtins.bytearray": builtins.bytearray,
        "builtins.bytes": builtins.bytes,
        "builtins.set": builtins.set,
        "builtins.complex": builtins.complex,
    }
    named.update({f"torch.{dtype.name}": dtype for dtype in dtypes.DTYPES})
    for function in REBUILDERS:
        pair = pytorch_name(function)
        assert pair is not None
        named[".".join(pair)] = function
    return named


class _Budget:
    """How much copying the calls of one file may do altogether.

    A few bytes of pickle can ask for a copy of something large again and again. What a file asks
    for is charged here against a multiple of the pickle's own size.
    """

    def __init__(self, size: int) -> None:
        self.left = 64 * size + 4096

    def charge(self, amount: int) -> None:
        self.left -= amount
        if self.left < 0:
            raise ValueError("the file asks for far more copies than it has contents")


def _plain(args: tuple, *kinds: type | tuple[type, ...]) -> bool:
    return len(args) <= len(kinds) and all(
        type(arg) in (kind if isinstance(kind, tuple) else (kind,))
        for arg, kind in zip(args, kinds, strict=False)
    )


def call_default_global(found: Any, args: Any, budget_size: _Budget) -> Any:
    """Call what :func:`default_global` gave, with arguments that can only do what they should.

    Raises:
        TypeError: the arguments are not those that a saved file has.
        ValueError: the result would be absurdly large.
    """
    if type(args) is not tuple:
        raise TypeError(f"the arguments must be a tuple, got {type(args)}")
    if found in REBUILDERS:
        return _rebuild(found, args)
    if isinstance(found, StorageType):
        raise TypeError(f"{found} is not called")
    if found is OrderedDict or found is Counter or found is set:
        if not args:
            return found()
        if _plain(args, (list, tuple, dict, set)):
            budget_size.charge(8 * len(args[0]))
            if found is OrderedDict and type(args[0]) is not dict:
                pairs = [tuple(pair) for pair in args[0] if type(pair) in (list, tuple)]
                if len(pairs) != len(args[0]) or any(len(pair) != 2 for pair in pairs):
                    raise TypeError("an OrderedDict is made from pairs")
                for key, _ in pairs:
                    check_key(key)
                return OrderedDict(pairs)
            for key in args[0]:
                check_key(key)
            return found(args[0])
    elif found is complex:
        if len(args) == 2 and _plain(args, (float, int), (float, int)):
            return complex(*args)
    elif found is _codecs.encode:
        if _plain(args, str, str) and args[1:] in (("latin1",), ("latin-1",)):
            budget_size.charge(len(args[0]))
            return args[0].encode("latin-1")
    elif found is bytes:
        if not args:  # the empty one, in protocol 2
            return b""
    elif found is bytearray:
        if not args:
            return bytearray()
        if _plain(args, bytes):
            budget_size.charge(len(args[0]))
            return bytearray(args[0])
        if _plain(args, str, str) and args[1:] in (("latin1",), ("latin-1",)):
            budget_size.charge(len(args[0]))
            return bytearray(args[0].encode("latin-1"))
    elif found is resolve("torch", "Size"):
        if _plain(args, (tuple, list)) and all(type(length) is int for length in args[0]):
            budget_size.charge(8 * len(args[0]))
            return found(args[0])
    elif found is resolve("torch", "device"):
        if args and _plain(args, str, int):
            return found(*args)
    elif found is resolve("torch.nn.parameter", "Parameter"):
        if len(args) == 2 and isinstance(args[0], resolve("torch", "Tensor")):
            return found(args[0], bool(args[1]))
    shown = getattr(found, "__name__", found)
    raise TypeError(f"{shown} is not called with {tuple(type(arg).__name__ for arg in args)}")


def _rebuild(function: Callable, args: tuple) -> Any:
    """Tensors carry no hooks in a file, and a subclass is made by a function of this list."""
    if function.__name__ == "_rebuild_from_type_v2":
        inner, new_type, inner_args, _ = args
        tensor_class = resolve("torch", "Tensor")
        allowed = {tensor_class, resolve("torch.nn.parameter", "Parameter")}
        allowed.update(item for item in program_globals().values() if isinstance(item, type))
        if inner not in REBUILDERS or inner is function or new_type not in allowed:
            raise TypeError(f"no tensor is rebuilt by {inner} as {new_type}")
        if type(inner_args) is not tuple:
            raise TypeError("the arguments must be a tuple")
        _check_hooks(inner, inner_args)
    else:
        _check_hooks(function, args)
    return function(*args)


def _check_hooks(function: Callable, args: tuple) -> None:
    position = {
        "_rebuild_tensor_v2": 5,
        "_rebuild_tensor_v3": 5,
        "_rebuild_parameter": 2,
        "_rebuild_parameter_with_state": 2,
    }.get(function.__name__)
    if position is not None and len(args) > position and args[position]:
        raise TypeError("a tensor in a file has no hooks")


def check_key(key: Any, depth: int = 0) -> None:
    """Refuse dictionary keys that cannot be in a saved file.

    Hashing a tuple nested a million times overflows the interpreter's stack.
    """
    kind = type(key)
    if kind is tuple or kind is frozenset:
        if depth > 50:
            raise ValueError("a key is nested too deeply")
        for part in key:
            check_key(part, depth + 1)
