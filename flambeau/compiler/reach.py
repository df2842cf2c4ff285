"""What Python code can reach: the names it looks up, and what functions refer to."""

from __future__ import annotations

import functools
import sys
import types
from collections.abc import Iterator
from typing import Any

from .origin import OWN_FILES
from .watched import PLAIN

OWN = __name__.split(".")[0]
_FOREIGN = {OWN, "builtins", "numpy", "torch", "threading", "logging", "random", "_io"}


def is_module(value: Any) -> bool:
    """Whether ``value`` is an ``nn.Module``; there is none before that package is imported."""
    layer = sys.modules.get("flambeau.nn.modules.module")
    return layer is not None and isinstance(value, layer.Module)


@functools.lru_cache(maxsize=1024)
def is_of_a_library(name: str | None) -> bool:
    """Whether the module of this name is the framework's, Python's or another library's."""
    first = (name or "builtins").split(".")[0]
    if first in _FOREIGN or (first in sys.stdlib_module_names and first != "__main__"):
        return True
    file = getattr(sys.modules.get(name or "builtins"), "__file__", None) or ""
    return "site-packages" in file or "dist-packages" in file


def is_own(value: Any) -> bool:
    """Whether ``value`` is a function or class of the framework or of another library."""
    return (getattr(value, "__module__", None) or "builtins").split(".")[0] in _FOREIGN


def is_own_code(code: types.CodeType) -> bool:
    """Whether ``code`` is the framework's."""
    return code.co_filename.startswith(OWN_FILES)


def code_names(code: types.CodeType) -> set[str]:
    """The names that ``code``, and the functions inside it, look up outside themselves."""
    names = set(code.co_names)
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            names |= code_names(constant)
    return names


@functools.lru_cache(maxsize=4096)
def called_names(code: types.CodeType) -> frozenset[str]:
    """The attributes that ``code``, and the functions inside it, do nothing with but call them."""
    import dis

    called: set[str] = set()
    other: set[str] = set()
    inside = [code]
    for function in inside:
        inside += [c for c in function.co_consts if isinstance(c, types.CodeType)]
        for instruction in dis.get_instructions(function):
            method = instruction.opname == "LOAD_METHOD" or (
                instruction.opname == "LOAD_ATTR"
                and sys.version_info >= (3, 12)
                and bool((instruction.arg or 0) & 1)
            )
            (called if method else other).add(str(instruction.argval))
    return frozenset(called - other)


def without_wrapper(function: Any) -> Any:
    """What ``function`` wraps, if the wrapper is the framework's or has no Python code."""
    while hasattr(function, "__wrapped__") and not isinstance(function, types.MethodType):
        code = getattr(function, "__code__", None)
        if code is not None and not is_own_code(code):
            break
        function = function.__wrapped__
    return function


def cells(function: Any) -> Iterator[tuple[Any, str, Any]]:
    """``(holder, name, value)`` of what ``function`` refers to: closure cells and globals."""
    function = without_wrapper(function)
    if isinstance(function, functools.partial):
        for i, value in enumerate((function.func, *function.args, *function.keywords.values())):
            yield None, f"partial[{i}]", value
        return
    if isinstance(function, types.MethodType):
        yield None, "self", function.__self__
        function = without_wrapper(function.__func__)
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
    own = is_own_code(code)  # whose modules hold functions, and what modes put there
    for name in sorted(code_names(code)):  # in an order that each process finds
        if name in function.__globals__:
            value = function.__globals__[name]
            if not own or isinstance(value, PLAIN):
                yield function.__globals__, name, value


__all__ = [
    "OWN",
    "called_names",
    "cells",
    "code_names",
    "is_module",
    "is_own_code",
    "is_of_a_library",
    "is_own",
    "without_wrapper",
]
