"""``torch.autograd.Variable``: the name that tensors on the tape had once."""

from __future__ import annotations

from ..tensor import Tensor as Variable

__all__ = ["Variable"]
