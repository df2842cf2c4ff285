"""Results that share memory: a view of another result, of an argument or of a parameter."""

from __future__ import annotations

from typing import Any

from ..autograd.grad_mode import GRAD_MODE
from ..tensor import Tensor
from ..tensor.views import is_alias


def deliver_view(base: Tensor, view: Any) -> Tensor:
    """The view of ``base`` that ``view``, a :class:`.capture.View`, describes."""
    before = GRAD_MODE.enabled
    GRAD_MODE.enabled = view.recorded
    try:
        tensor = base
        for operation, arguments in view.chain:
            if is_alias(operation):
                tensor = tensor.detach()
            else:
                tensor = operation.function(tensor, *arguments)
    finally:
        GRAD_MODE.enabled = before
    if view.part_of is not None:
        tensor._part_of = view.part_of
    return tensor


__all__ = ["deliver_view"]
