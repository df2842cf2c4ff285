"""Dropout layers, on PyTorch's random stream."""

from __future__ import annotations

from flambeau.nn import functional as F
from flambeau.nn.modules.module import Module
from flambeau.tensor import Tensor

__all__ = [
    "AlphaDropout",
    "Dropout",
    "Dropout1d",
    "Dropout2d",
    "Dropout3d",
    "FeatureAlphaDropout",
]


class _DropoutNd(Module):
    p: float
    inplace: bool

    def __init__(self, p: float = 0.5, inplace: bool = False) -> None:
        super().__init__()
        if p < 0 or p > 1:
            raise ValueError(f"dropout probability has to be between 0 and 1, but got {p}")
        self.p = p
        self.inplace = inplace

    def extra_repr(self) -> str:
        return f"p={self.p}, inplace={self.inplace}"


class Dropout(_DropoutNd):
    """In training, sets elements to zero at random and scales the others by ``1 / (1 - p)``.

    Args:
        p: the probability that an element is set to zero.
        inplace: whether the input itself is changed.

    Shape:
        - Input: ``(*)``
        - Output: the same

    Raises:
        ValueError: ``p`` is outside [0, 1].

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.Dropout.html
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout(input, self.p, self.training, self.inplace)


class Dropout1d(_DropoutNd):
    """In training, sets whole channels of sequences to zero at random.

    Args:
        p: the probability that a channel is set to zero.
        inplace: whether the input itself is changed.

    Shape:
        - Input: ``(N, C, L)`` or ``(C, L)``
        - Output: the same

    Raises:
        ValueError: ``p`` is outside [0, 1].
        RuntimeError: in the call, an input that has neither two nor three dims.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.Dropout1d.html
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout1d(input, self.p, self.training, self.inplace)


class Dropout2d(_DropoutNd):
    """In training, sets whole channels of images to zero at random (Tompson et al., 2015).

    Args:
        p: the probability that a channel is set to zero.
        inplace: whether the input itself is changed.

    Shape:
        - Input: ``(N, C, H, W)`` or ``(N, C, L)``
        - Output: the same

    Raises:
        ValueError: ``p`` is outside [0, 1].

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.Dropout2d.html
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout2d(input, self.p, self.training, self.inplace)


class Dropout3d(_DropoutNd):
    """In training, sets whole channels of volumes to zero at random.

    Args:
        p: the probability that a channel is set to zero.
        inplace: whether the input itself is changed.

    Shape:
        - Input: ``(N, C, D, H, W)`` or ``(C, D, H, W)``
        - Output: the same

    Raises:
        ValueError: ``p`` is outside [0, 1].

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.Dropout3d.html
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.dropout3d(input, self.p, self.training, self.inplace)


class AlphaDropout(_DropoutNd):
    """Dropout that keeps the mean and variance of inputs of SELU layers (Klambauer et al., 2017).

    Args:
        p: the probability that an element is set to SELU's negative saturation value.
        inplace: kept, but as in PyTorch the input itself is not changed.

    Shape:
        - Input: ``(*)``
        - Output: the same

    Raises:
        ValueError: ``p`` is outside [0, 1].

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.AlphaDropout.html
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.alpha_dropout(input, self.p, self.training)


class FeatureAlphaDropout(_DropoutNd):
    """:class:`AlphaDropout` of whole channels.

    Args:
        p: the probability that a channel is set to SELU's negative saturation value.
        inplace: kept, but as in PyTorch the input itself is not changed.

    Shape:
        - Input: ``(N, C, D, H, W)`` or ``(C, D, H, W)``
        - Output: the same

    Raises:
        ValueError: ``p`` is outside [0, 1].

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.FeatureAlphaDropout.html
    """

    def forward(self, input: Tensor) -> Tensor:
        return F.feature_alpha_dropout(input, self.p, self.training)
