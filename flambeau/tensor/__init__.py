"""The Tensor: arrays, views, in-place writes, indexing, creation and printing."""

from __future__ import annotations

from .tensor import TENSORS, Tensor, wrap


def bump_version(tensor: Tensor) -> None:
    """Note that ``tensor``'s array was written in place by other means than an operation."""
    tensor._bump_version()


__all__ = ["TENSORS", "Tensor", "bump_version", "wrap"]
