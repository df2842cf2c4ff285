"""Distances between vectors.

Source: https://docs.pytorch.org/docs/2.13/nn.functional.html (distance functions)
"""

from __future__ import annotations

import flambeau
from flambeau.ops.distance import pdist
from flambeau.tensor import Tensor

__all__ = [
    "cosine_similarity",
    "pairwise_distance",
    "pdist",
]


def pairwise_distance(
    x1: Tensor, x2: Tensor, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False
) -> Tensor:
    """The ``p``-norm of ``x1 - x2 + eps`` along the last dim.

    Args:
        x1, x2: ``(N, D)`` or ``(D)``; they broadcast.
        p: the exponent of the norm.
        eps: added to every difference.
        keepdim: whether the last dim stays, with size 1.

    Returns:
        ``(N)`` or ``()``; with ``keepdim`` ``(N, 1)`` or ``(1)``.
    """
    return (x1 - x2 + eps).norm(p, -1, keepdim=keepdim)


def cosine_similarity(x1: Tensor, x2: Tensor, dim: int = 1, eps: float = 1e-8) -> Tensor:
    """The cosine of the angle between vectors along ``dim``, their norms being at least ``eps``.

    Args:
        x1, x2: ``(*, D, *)`` with D along ``dim``; they broadcast.
        dim: along which the vectors lie.
        eps: the least norm.

    Returns:
        ``(*, *)``: the broadcast shape without ``dim``.

    Raises:
        RuntimeError: neither is of a floating-point dtype.
    """
    x1, x2 = flambeau.broadcast_tensors(x1, x2)
    if not (x1.is_floating_point() or x2.is_floating_point()):
        raise RuntimeError(
            "expected common dtype to be floating point, yet common dtype is "
            f"{flambeau.result_type(x1, x2)}"
        )
    norm1 = x1.norm(2, dim, keepdim=True).clamp_min(eps)
    norm2 = x2.norm(2, dim, keepdim=True).clamp_min(eps)
    return ((x1 / norm1) * (x2 / norm2)).sum(dim)
