"""Gradients of complex numbers, in PyTorch's convention.

The gradient of a real loss L with respect to z = x + iy is dL/dx + i dL/dy, the direction of
steepest ascent (twice the conjugate Wirtinger derivative).  For an operation f that is holomorphic
(has a complex derivative f') the gradient of its result turns into that of its operand by
``grad * conj(f'(z))``, which is ``conj(conj(grad) * f'(z))``: what the vjp written for real
numbers gives, between two conjugations.  Those are what is added here, so that a vjp is written
once.  Operations that are not holomorphic (``abs``, ``real``, ``conj``, ...) say so with
``holomorphic=False`` and their vjps are in this convention as they stand.

Source: https://docs.pytorch.org/docs/stable/notes/autograd.html#autograd-for-complex-numbers
"""

from __future__ import annotations

from typing import Any

from .node import Node

_CONJUGATING: dict[type[Node], type[Node]] = {}


def conjugating(node_class: type[Node]) -> type[Node]:
    """The node class of ``node_class``'s operation for a complex result."""
    found = _CONJUGATING.get(node_class)
    if found is not None:
        return found

    class Conjugating(node_class):  # type: ignore[misc, valid-type]
        def backward(self, xp: Any, grad: Any) -> tuple[Any, ...]:
            if hasattr(grad, "unpack"):  # of several results: those operations only select
                return super().backward(xp, grad)
            grads = super().backward(xp, _conjugate(xp, grad))
            return tuple(None if g is None else _conjugate(xp, g) for g in grads)

        def backward_recorded(self, grad: Any) -> tuple[Any, ...]:
            if hasattr(grad, "unpack"):
                return super().backward_recorded(grad)
            grads = super().backward_recorded(_conjugate_tensor(grad))
            return tuple(None if g is None else _conjugate_tensor(g) for g in grads)

    Conjugating.__name__ = node_class.__name__
    Conjugating.__qualname__ = node_class.__qualname__
    _CONJUGATING[node_class] = Conjugating
    return Conjugating


def _conjugate(xp: Any, array: Any) -> Any:
    return xp.conj(array) if array.dtype.kind == "c" else array


def _conjugate_tensor(tensor: Any) -> Any:
    return tensor.conj() if tensor._array.dtype.kind == "c" else tensor
