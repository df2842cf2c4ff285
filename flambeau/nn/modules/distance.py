"""Distances between vectors: ``CosineSimilarity`` and ``PairwiseDistance``."""

from __future__ import annotations

from flambeau.nn import functional as F
from flambeau.nn.modules.module import Module
from flambeau.tensor import Tensor

__all__ = ["CosineSimilarity", "PairwiseDistance"]


class PairwiseDistance(Module):
    """The p-norm of the difference of vectors.

    Args:
        p: the exponent of the norm.
        eps: added to the difference, so that its norm is not 0.
        keepdim: whether the last dimension is kept.

    Shape:
        - Input x1, x2: ``(N, D)`` or ``(D)``
        - Output: ``(N)`` or ``()`` (``(N, 1)`` or ``(1)`` if ``keepdim``)

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.PairwiseDistance.html
    """

    norm: float
    eps: float
    keepdim: bool

    def __init__(self, p: float = 2.0, eps: float = 1e-6, keepdim: bool = False) -> None:
        super().__init__()
        self.norm = p
        self.eps = eps
        self.keepdim = keepdim

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        return F.pairwise_distance(x1, x2, self.norm, self.eps, self.keepdim)


class CosineSimilarity(Module):
    """The cosine of the angle between vectors.

    Args:
        dim: the dimension that the vectors lie along.
        eps: the least value of each norm that is divided by.

    Shape:
        - Input x1, x2: ``(*, D, *)``
        - Output: ``(*, *)``

    Raises:
        RuntimeError: neither input is of a floating-point dtype.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.CosineSimilarity.html
    """

    dim: int
    eps: float

    def __init__(self, dim: int = 1, eps: float = 1e-8) -> None:
        super().__init__()
        self.dim = dim
        self.eps = eps

    def forward(self, x1: Tensor, x2: Tensor) -> Tensor:
        return F.cosine_similarity(x1, x2, self.dim, self.eps)
