"""The parameters of a definition, and what is declared of its gradients."""

from __future__ import annotations

import inspect
import types
from collections.abc import Callable
from typing import Any


class Parameter:
    """One parameter of an operation: its name, default, and whether it is a tensor."""

    __slots__ = ("name", "kind", "default", "keyword_only")

    def __init__(self, name: str, default: Any, keyword_only: bool, annotation: str) -> None:
        self.name = name
        self.default = default
        self.keyword_only = keyword_only
        annotation = annotation.replace(" ", "")
        if annotation.startswith("Array"):
            self.kind = {"Array|Number": "operand", "Array|None": "optional"}.get(
                annotation, "array"
            )
        elif annotation.startswith("Sequence[Array"):
            self.kind = "arrays"
        elif annotation == "Indices":
            self.kind = "indices"
        else:
            self.kind = "plain"

    @property
    def is_tensor(self) -> bool:
        return self.kind != "plain" and self.kind != "indices"


class Vjp:
    """The gradient for one parameter, or jointly for several: function and what it needs."""

    __slots__ = ("targets", "function", "needs", "kernel")

    def __init__(self, targets: tuple[str, ...], function: Callable[..., Any]) -> None:
        self.targets = targets
        self.function = function
        code = function.__code__  # inspect.signature would be a tenth of the package's import
        names = code.co_varnames[: code.co_argcount + code.co_kwonlyargcount]
        if names[:2] != ("xp", "grad"):
            raise TypeError(f"a vjp takes xp and grad first, got {names}")
        self.needs = names[2:]
        self.kernel: Callable[..., Any] | None = None


def parameters_of(function: Callable[..., Any]) -> list[Parameter]:
    """The parameters of a definition, read off its code: inspect.signature takes ten times as long.

    The first, xp, is left out.
    """
    code = function.__code__
    count = code.co_argcount
    names = code.co_varnames[: count + code.co_kwonlyargcount]
    if names[0] != "xp":
        raise TypeError(f"{function.__name__}: the first parameter of a definition is xp")
    given = function.__defaults__ or ()
    defaults = dict(zip(names[count - len(given) : count], given))
    defaults.update(function.__kwdefaults__ or {})
    annotations = function.__annotations__
    return [
        Parameter(
            name, defaults.get(name, inspect.Parameter.empty), position >= count,
            str(annotations.get(name, "")),
        )
        for position, name in enumerate(names[1:], 1)
    ]  # fmt: skip


def positional(function: Callable[..., Any]) -> Callable[..., Any]:
    """``function`` with its keyword-only parameters as positional ones: faster to pass."""
    code = function.__code__
    if not code.co_kwonlyargcount:
        return function
    count = code.co_argcount + code.co_kwonlyargcount
    names = code.co_varnames[code.co_argcount : count]
    defaults = (function.__defaults__ or ()) + tuple(
        (function.__kwdefaults__ or {})[n] for n in names
    )
    return types.FunctionType(
        code.replace(co_argcount=count, co_kwonlyargcount=0), function.__globals__,
        function.__name__, defaults, function.__closure__,
    )  # fmt: skip
