"""Questions about a tensor that are functions of ``torch``.

Source: https://pytorch.org/docs/stable/torch.html#tensors
"""

from __future__ import annotations

from typing import Any

from .tensor import Tensor

__all__ = ["get_device", "is_nonzero", "is_same_size", "is_signed", "typename"]


def is_nonzero(input: Tensor) -> bool:
    """Whether a tensor ``input`` of one element is not zero.

    Raises:
        RuntimeError: it has more elements, or none.
    """
    return bool(input)


def is_same_size(input: Tensor, other: Tensor) -> bool:
    """Whether the tensors ``input`` and ``other`` have the same shape."""
    return input.shape == other.shape


def is_signed(input: Tensor) -> bool:
    """Whether the dtype of the tensor ``input`` has negative numbers."""
    return input.dtype.is_signed


def get_device(input: Tensor) -> int:
    """The index of the device of the tensor ``input``; -1 on the CPU."""
    return input.get_device()


def typename(obj: Any, /) -> str:
    """The name of the type of ``obj``: ``torch.FloatTensor`` of a tensor of float32."""
    if isinstance(obj, Tensor):
        return obj.type()  # type: ignore[attr-defined, no-any-return]
    kind = obj if hasattr(obj, "__qualname__") else type(obj)
    module = getattr(kind, "__module__", "") or ""
    if module == "builtins":
        return str(kind.__qualname__)
    if module.partition(".")[0] == "flambeau":
        module = "torch" + module[len("flambeau") :]
    return f"{module}.{kind.__qualname__}" if module else str(kind.__qualname__)
