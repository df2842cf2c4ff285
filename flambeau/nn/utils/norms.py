"""What weight and spectral normalization compute, in their old and new forms."""

from __future__ import annotations

from typing import Any

import flambeau
from flambeau.nn import functional as F
from flambeau.tensor import Tensor

__all__ = ["flattened", "norm_except", "power_iterations", "spectral_norm_of", "weight_of"]


def norm_except(value: Tensor, dim: int) -> Tensor:
    """The norm of ``value`` over all dims but ``dim`` (-1: over all), kept as dims of 1.

    Returns:
        ``(1, ..., n, ..., 1)``, or a 0-d tensor.
    """
    if dim == -1:
        return value.norm()
    dim %= value.dim()
    rest = tuple(i for i in range(value.dim()) if i != dim)
    if not rest:
        return value.abs()
    return (value * value).sum(rest, keepdim=True).sqrt()


def weight_of(direction: Tensor, size: Tensor, dim: int) -> Tensor:
    """The tensor of ``direction`` (*), brought to the norms ``size`` along ``dim``; returns
    ``(*)``.
    """
    return direction * (size / norm_except(direction, dim))


def flattened(weight: Tensor, dim: int) -> Tensor:
    """``weight`` as a matrix whose rows are along ``dim``.

    Returns:
        ``(n, all other elements / n)``.
    """
    if dim != 0:
        weight = weight.permute(dim, *(d for d in range(weight.dim()) if d != dim))
    return weight.flatten(1) if weight.dim() > 1 else weight.unsqueeze(1)


def power_iterations(matrix: Tensor, u: Tensor, v: Tensor, count: int, eps: float) -> None:
    """Bring singular vectors nearer to the first ones, in place.

    Args:
        matrix: ``(rows, columns)``.
        u, v: ``(rows,)``, ``(columns,)``.
        count: how many steps.
        eps: the least norm that is divided by.
    """
    with flambeau.no_grad():
        for _ in range(count):
            u.copy_(F.normalize(matrix.mv(v), dim=0, eps=eps))
            v.copy_(F.normalize(matrix.t().mv(u), dim=0, eps=eps))


def spectral_norm_of(matrix: Tensor, u: Tensor, v: Tensor) -> Any:
    """The largest singular value of ``matrix``, seen from ``u`` and ``v``; returns a 0-d tensor."""
    return u.dot(matrix.mv(v))
