"""``torch.autograd.Variable``: the name that tensors on the tape had once."""

from __future__ import annotations

import warnings
from typing import Any

from ..tensor import Tensor

__all__ = ["Variable"]


class _VariableType(type):
    """``isinstance(x, Variable)`` asks for a Tensor."""

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, Tensor)


class Variable(metaclass=_VariableType):
    """``Variable(tensor, requires_grad)``: a tensor with the same data, a leaf of the tape.

    Args:
        data: the tensor; without it the result is empty.
        requires_grad: record operations on it, for its gradient.
        volatile: once the opposite of ``requires_grad``; it has no effect.

    Source: ``torch.autograd.Variable``.
    """

    def __new__(  # type: ignore[misc]
        cls, data: Tensor | None = None, requires_grad: bool = False, volatile: Any = None
    ) -> Tensor:
        if volatile is not None:
            warnings.warn(
                "volatile was removed and now has no effect. Use `with torch.no_grad():` instead.",
                stacklevel=2,
            )
        if data is None:
            return Tensor().requires_grad_(requires_grad)
        if not isinstance(data, Tensor):
            raise TypeError(f"Variable data has to be a tensor, but got {type(data).__name__}")
        return data.detach().requires_grad_(requires_grad)
