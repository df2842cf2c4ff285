"""``torch.jit``: programs marked for TorchScript run as the Python they are.

PyTorch with ``PYTORCH_JIT=0`` does the same: ``script`` and ``trace`` give back the function or
module that they were given, so that what it computes, its gradients and its parameters are the
same. There is no second representation here, hence no ``.code``, ``.graph`` or ``.save``, and
TorchScript archives cannot be written or read. ``torch.compile`` makes native code.

Source: https://docs.pytorch.org/docs/stable/jit.html
"""

from __future__ import annotations

import builtins
import contextlib
import typing
from collections.abc import Callable, Iterator
from typing import Any, Final, NoReturn, TypeVar

from flambeau.nn.modules.module import Module

__all__ = [
    "Attribute",
    "Final",
    "ScriptModule",
    "annotate",
    "export",
    "fork",
    "freeze",
    "ignore",
    "is_scripting",
    "is_tracing",
    "isinstance",
    "load",
    "optimize_for_inference",
    "save",
    "script",
    "script_if_tracing",
    "script_method",
    "trace",
    "trace_module",
    "unused",
    "wait",
]

T = TypeVar("T")

ScriptModule = Module


class Attribute(typing.NamedTuple):
    """A value with its type, as a ScriptModule's attribute is given."""

    value: Any
    type: Any


def script(
    obj: T,
    optimize: Any = None,
    _frames_up: int = 0,
    _rcb: Any = None,
    example_inputs: Any = None,
) -> T:
    """The function, class or module ``obj`` itself: it runs as Python.

    Args:
        obj: what to return.
        optimize, example_inputs: change nothing.
    """
    return obj


def trace(func: T, example_inputs: Any = None, *arguments: Any, **options: Any) -> T:
    """The function or module ``func`` itself: what it branches on is read at every call.

    Args:
        func: what to return.
        example_inputs: not looked at, like the other arguments.
    """
    return func


def trace_module(mod: T, inputs: dict[str, Any], *arguments: Any, **options: Any) -> T:
    """The module ``mod`` itself.

    Args:
        mod: what to return.
        inputs: example arguments by the names of its methods; other arguments are not looked at.

    Raises:
        AttributeError: a name in ``inputs`` is not a method of the module.
    """
    for method in inputs:
        getattr(mod, method)
    return mod


def script_method(fn: T) -> T:
    """The method ``fn`` itself."""
    return fn


def script_if_tracing(fn: T) -> T:
    """The function ``fn`` itself."""
    return fn


def export(fn: T) -> T:
    """The method ``fn`` itself: every method can be called."""
    return fn


def unused(fn: T) -> T:
    """The method ``fn`` itself."""
    return fn


def ignore(drop: Any = False, **options: Any) -> Any:
    """The function itself, as ``@ignore`` and as ``@ignore(drop=...)``."""
    return drop if callable(drop) else lambda fn: fn


def interface(obj: T) -> T:
    """The class ``obj`` itself."""
    return obj


def is_scripting() -> bool:
    """Whether the code is being compiled by TorchScript: never."""
    return False


def is_tracing() -> bool:
    """Whether the code is being traced by TorchScript: never."""
    return False


def annotate(the_type: Any, the_value: T) -> T:
    """The value ``the_value``, whatever ``the_type`` is."""
    return the_value


def isinstance(obj: Any, target_type: Any) -> bool:
    """Whether ``obj``, and what it contains, is of the type ``target_type``, such as ``list[int]``.

    Raises:
        RuntimeError: a container type without the types in it.
    """
    return _is_of(obj, target_type)


def _is_of(value: Any, kind: Any) -> bool:
    origin, within = typing.get_origin(kind), typing.get_args(kind)
    if kind in (list, dict, tuple, typing.List, typing.Dict, typing.Tuple):  # noqa: UP006
        name = getattr(kind, "__name__", str(kind)).lower()
        raise RuntimeError(
            f"Attempted to use {name} without a contained type. "
            f"Please add a contained type, e.g. {name}[int]"
        )
    if builtins.isinstance(kind, tuple):
        return any(_is_of(value, one) for one in kind)
    if origin is None:
        return value is None if kind is None else bool(builtins.isinstance(value, kind))
    if origin is list:
        return bool(builtins.isinstance(value, list)) and all(
            _is_of(item, within[0]) for item in value
        )
    if origin is dict:
        return bool(builtins.isinstance(value, dict)) and all(
            _is_of(key, within[0]) and _is_of(item, within[1]) for key, item in value.items()
        )
    if origin is tuple:
        return (
            bool(builtins.isinstance(value, tuple))
            and len(value) == len(within)
            and all(_is_of(item, one) for item, one in zip(value, within, strict=True))
        )
    return any(_is_of(value, one) for one in within)  # unions


def freeze(mod: Module, preserved_attrs: Any = None, optimize_numerics: bool = True) -> Module:
    """The module ``mod`` itself.

    Args:
        mod: in evaluation mode.
        preserved_attrs, optimize_numerics: change nothing.

    Raises:
        RuntimeError: it is in training mode.
    """
    if mod.training:
        raise RuntimeError(
            "Freezing is currently only implemented for modules in eval mode. "
            "Please call .eval() on your module before freezing."
        )
    return mod


def optimize_for_inference(mod: Module, other_methods: Any = None) -> Module:
    """The module ``mod`` itself, with all its methods, ``other_methods`` among them.

    Raises:
        RuntimeError: it is in training mode.
    """
    return freeze(mod)


def run_frozen_optimizations(mod: Module, *arguments: Any, **options: Any) -> None:
    """Nothing: there is no frozen graph."""


def enable_onednn_fusion(enabled: bool) -> None:
    """Nothing: oneDNN is not used."""


def onednn_fusion_enabled() -> bool:
    """Whether oneDNN fuses operations: False."""
    return False


def set_fusion_strategy(strategy: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """Nothing is fused by TorchScript: the strategy given is the one returned."""
    return strategy


@contextlib.contextmanager
def optimized_execution(should_optimize: bool) -> Iterator[None]:
    """A context that changes nothing."""
    yield


def fuser(name: str) -> contextlib.AbstractContextManager[None]:
    """A context that changes nothing."""
    return optimized_execution(True)


class Future:
    """A result that is there already: ``fork`` has run the call."""

    def __init__(self, value: Any) -> None:
        self._value = value

    def wait(self) -> Any:
        """The result."""
        return self._value

    value = wait

    def done(self) -> bool:
        """Whether the result is there: True."""
        return True


def fork(func: Callable[..., Any], *arguments: Any, **keywords: Any) -> Future:
    """Call ``func(*arguments, **keywords)``, here and now; returns a :class:`Future`."""
    return Future(func(*arguments, **keywords))


def wait(future: Future) -> Any:
    """The result of ``future``, which ``fork`` gave."""
    return future.wait()


def _refuse(what: str, instead: str) -> NoReturn:
    raise RuntimeError(
        f"torch.jit.{what}: flambeau neither writes nor reads TorchScript archives; {instead}"
    )


def save(m: Any, f: Any, _extra_files: Any = None) -> None:
    """Raises RuntimeError, whatever ``m`` and ``f`` are: there is no TorchScript here."""
    _refuse("save", "save the weights with torch.save(model.state_dict(), path)")


def load(f: Any, map_location: Any = None, _extra_files: Any = None, _restore_shapes: Any = False):  # type: ignore[no-untyped-def]
    """Raises RuntimeError for every ``f`` and ``map_location``: there is no TorchScript here."""
    _refuse("load", "load weights with model.load_state_dict(torch.load(path))")
