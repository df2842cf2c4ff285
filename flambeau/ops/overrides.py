"""Operands whose class handles PyTorch's functions itself (``__torch_function__``)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from ..tensor import TENSORS, Tensor

if TYPE_CHECKING:
    from .operation import Operation


def find_override(arguments: Sequence[Any]) -> Any:
    """The first argument whose class handles PyTorch functions itself."""
    for value in arguments:
        cls = type(value)
        if cls in TENSORS:
            continue
        handler = getattr(cls, "__torch_function__", None)
        if handler is not None and handler is not getattr(Tensor, "__torch_function__", None):
            return value
    return None


def call_override(operation: Operation, override: Any, arguments: Sequence[Any]) -> Any:
    types_ = tuple({type(a) for a in arguments if hasattr(type(a), "__torch_function__")})
    names = [p.name for p in operation.parameters]
    kwargs = {
        p.name: a
        for p, a in zip(operation.parameters, arguments)
        if p.keyword_only and a is not p.default
    }
    positional = [a for p, a in zip(operation.parameters, arguments) if not p.keyword_only]
    while positional and operation.parameters[len(positional) - 1].default is positional[-1]:
        positional.pop()
    del names
    result = type(override).__torch_function__(
        operation.function, types_, tuple(positional), kwargs
    )
    if result is NotImplemented:
        raise TypeError(f"no implementation found for 'torch.{operation.name}' on types that "
                        f"implement __torch_function__: {list(types_)}")  # fmt: skip
    return result
