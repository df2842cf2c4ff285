"""The tensors that an optimizer's state begins with."""

from __future__ import annotations

from typing import Any

import numpy as np

from flambeau.dtypes import float32, float64, get_default_dtype
from flambeau.tensor import Tensor, wrap
from flambeau.tensor.creation import full_like, tensor

__all__ = ["filled_like", "scalar_state"]


def filled_like(param: Tensor, value: complex = 0) -> Tensor:
    """A state of the shape, dtype, device and strides of ``param``, full of ``value``."""
    array = param._array
    if type(array) is np.ndarray:
        return wrap(np.full_like(array, value) if value else np.zeros_like(array))
    return full_like(param.detach(), value)


def scalar_state(param: Tensor, group: dict[str, Any], value: float = 0.0) -> Tensor:
    """A state that is one number: the step count and its like.

    It is a 0-d tensor on the CPU (on the parameter's device for ``capturable`` and ``fused``), in
    float32, or in float64 where that is the default dtype and the group is not ``fused``.

    Args:
        param: whose state.
        group: the parameter's group.
        value: the number.

    Returns:
        ``()``.
    """
    fused = group.get("fused")
    dtype = float64 if not fused and get_default_dtype() is float64 else float32
    if type(param._array) is np.ndarray:
        return wrap(np.array(value, dtype.numpy))
    if fused or group.get("capturable"):
        return tensor(value, dtype=dtype, device=param.device)
    return tensor(value, dtype=dtype)
