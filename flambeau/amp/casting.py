"""What autocast does to the operands of an operation or function."""

from __future__ import annotations

import importlib
import types
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from .. import dtypes
from ..modes import MODES
from ..tensor import Tensor
from ..utils._pytree import tree_map_only
from .policies import (
    HALF_FUNCTIONS,
    HALF_OPERATIONS,
    PADDING_IN_SINGLE,
    SINGLE_FUNCTIONS,
    SINGLE_OPERATIONS,
    UNTOUCHED_FUNCTIONS,
)

_SINGLE = np.dtype(np.float32)


class Casting:
    """Autocast while it is on (``MODES.autocast``).

    Attributes:
        dtype: the half precision to cast to.
        cache: the casts of parameters, which are used many times; None if there is no cache.
    """

    def __init__(self, dtype: dtypes.dtype, cache: dict[int, tuple[Tensor, Tensor]] | None) -> None:
        self.dtype = dtype
        self.half = dtype.numpy
        self.cache = cache

    def cast(self, operation: Any, values: list[Any]) -> list[Any]:
        """The operands of ``operation`` in the precision that its policy asks for."""
        name = operation.name
        if name in HALF_OPERATIONS:
            to = self.to_half
        elif name in SINGLE_OPERATIONS:
            to = self.to_single
        else:
            return values
        return [to(v) if isinstance(v, Tensor) else v for v in values]

    def to_half(self, tensor: Tensor) -> Tensor:
        """``tensor`` in half precision, if it is floating-point and not in double precision."""
        dtype = tensor._array.dtype
        if dtype == self.half or not _castable(dtype):
            return tensor
        cached = self.cache is not None and tensor.requires_grad and tensor.is_leaf
        if cached and tensor._base is None:
            assert self.cache is not None
            found = self.cache.get(id(tensor))
            if found is None or found[1].requires_grad != tensor.requires_grad:
                found = self.cache[id(tensor)] = (tensor, tensor.to(self.dtype))  # type: ignore[attr-defined]
            return found[1]
        return tensor.to(self.dtype)  # type: ignore[attr-defined]

    def to_single(self, tensor: Tensor) -> Tensor:
        """``tensor`` in single precision, if it is floating-point and not in double precision."""
        dtype = tensor._array.dtype
        if dtype == _SINGLE or not _castable(dtype):
            return tensor
        return tensor.to(dtypes.float32)  # type: ignore[attr-defined]

    def call(self, policy: str, function: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        """A function made of operations, called as a whole under its policy."""
        if policy == "padding":
            mode = kwargs.get("mode", args[2] if len(args) > 2 else "constant")
            if mode not in PADDING_IN_SINGLE:
                return function(*args, **kwargs)
        if policy != "untouched":
            to = self.to_half if policy == "half" else self.to_single
            args, kwargs = tree_map_only(Tensor, to, (args, kwargs))
        MODES.autocast = None
        try:
            return function(*args, **kwargs)
        finally:
            MODES.autocast = self


def _castable(dtype: np.dtype) -> bool:
    return dtype.name in ("float32", "float16", "bfloat16")


# -- functions made of operations ---------------------------------------------------------------
#
# They are plain Python functions, which nothing stands in front of.  When autocast is first turned
# on, those that have a policy are given new code that asks whether it is on; whoever took hold of
# them before (a method of Tensor, an import) has the new code too, and programs without autocast
# pay nothing.


def _asking(*args, _function, _policy, _modes, **kwargs):  # type: ignore[no-untyped-def]
    if _modes.autocast is None:
        return _function(*args, **kwargs)
    return _modes.autocast.call(_policy, _function, args, kwargs)


def _guard(function: Any, policy: str) -> None:
    """Let ``function`` ask whether autocast is on."""
    if not isinstance(function, types.FunctionType):
        return
    if hasattr(function, "operation") or "_policy" in (function.__kwdefaults__ or {}):
        return
    copy = types.FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__,
        function.__closure__,
    )  # fmt: skip
    copy.__kwdefaults__ = function.__kwdefaults__
    copy.__dict__.update(function.__dict__)
    function.__wrapped__ = copy  # type: ignore[attr-defined]  # its signature and its file
    # new code must have as many free variables as the old; it uses none
    function.__code__ = _asking.__code__.replace(co_freevars=function.__code__.co_freevars)
    function.__defaults__ = None
    function.__kwdefaults__ = {"_function": copy, "_policy": policy, "_modes": MODES}


def _module(name: str) -> Any:
    root = __package__.rpartition(".")[0]
    try:
        return importlib.import_module(f"{root}.{name}" if name else root)
    except ImportError:
        return None


def guard_functions() -> None:
    """Let all functions that have a policy ask whether autocast is on."""
    tables = (
        (HALF_FUNCTIONS, "half"),
        (SINGLE_FUNCTIONS, "single"),
        (UNTOUCHED_FUNCTIONS, "untouched"),
        ({"nn.functional": "pad"}, "padding"),
    )
    for table, policy in tables:
        for module_name, names in table.items():
            module = _module(module_name)
            for name in names.split():
                function = getattr(module, name, None)
                if function is not None:
                    _guard(function, policy)


__all__: Sequence[str] = ["Casting", "guard_functions"]
