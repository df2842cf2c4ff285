"""Normalizations without running statistics: ``LayerNorm``, ``GroupNorm``, ``RMSNorm``, ..."""

from __future__ import annotations

import numbers
from typing import Any

import flambeau
from flambeau.nn import functional as F
from flambeau.nn import init
from flambeau.nn.modules.module import Module
from flambeau.nn.parameter import Parameter
from flambeau.tensor import Tensor

__all__ = ["CrossMapLRN2d", "GroupNorm", "LayerNorm", "LocalResponseNorm", "RMSNorm"]


class LayerNorm(Module):
    """Normalization over the last dimensions (Ba et al., 2016): mean 0, variance 1, then affine.

    Args:
        normalized_shape: the last dimensions of the input, or the last one as a number.
        eps: added to the (biased) variance.
        elementwise_affine: whether a scale and an offset per element are learned.
        bias: whether there is an offset, if ``elementwise_affine``.
        device, dtype: of the parameters (None: the default ones).

    Shape:
        - Input: ``(N, *, *normalized_shape)``
        - Output: the same

    Raises:
        RuntimeError: an input that does not end with ``normalized_shape``.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.LayerNorm.html
    """

    normalized_shape: tuple[int, ...]
    eps: float
    elementwise_affine: bool

    def __init__(
        self,
        normalized_shape: Any,
        eps: float = 1e-5,
        elementwise_affine: bool = True,
        bias: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if isinstance(normalized_shape, numbers.Integral):
            normalized_shape = (normalized_shape,)
        self.normalized_shape = tuple(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        options = {"device": device, "dtype": dtype}
        if elementwise_affine:
            self.weight = Parameter(flambeau.empty(self.normalized_shape, **options))
        else:
            self.register_parameter("weight", None)
        if elementwise_affine and bias:
            self.bias = Parameter(flambeau.empty(self.normalized_shape, **options))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set weight to 1 and bias to 0."""
        if self.elementwise_affine:
            init.ones_(self.weight)
            if self.bias is not None:
                init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        own = self._parameters
        try:  # `self.weight` takes four times as long; it may have been parametrized away
            weight, bias = own["weight"], own["bias"]
        except KeyError:
            weight, bias = self.weight, self.bias
        return F.layer_norm(input, self.normalized_shape, weight, bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, "
            f"elementwise_affine={self.elementwise_affine}, bias={self.bias is not None}"
        )


class GroupNorm(Module):
    """Normalization over groups of channels of each sample (Wu and He, 2018).

    Args:
        num_groups: how many groups the channels are divided into.
        num_channels: number of channels C, a multiple of ``num_groups``.
        eps: added to the (biased) variance.
        affine: whether a scale and an offset per channel are learned.
        bias: whether there is an offset, if ``affine``.
        device, dtype: of the parameters (None: the default ones).

    Shape:
        - Input: ``(N, C, *)``
        - Output: the same

    Raises:
        ValueError: ``num_groups`` does not divide ``num_channels``, or groups of one value.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.GroupNorm.html
    """

    num_groups: int
    num_channels: int
    eps: float
    affine: bool

    def __init__(
        self,
        num_groups: int,
        num_channels: int,
        eps: float = 1e-5,
        affine: bool = True,
        device: Any = None,
        dtype: Any = None,
        *,
        bias: bool = True,
    ) -> None:
        super().__init__()
        if num_channels % num_groups != 0:
            raise ValueError(
                f"num_channels ({num_channels}) must be divisible by num_groups ({num_groups})"
            )
        self.num_groups = num_groups
        self.num_channels = num_channels
        self.eps = eps
        self.affine = affine
        options = {"device": device, "dtype": dtype}
        if affine:
            self.weight = Parameter(flambeau.empty(num_channels, **options))
        else:
            self.register_parameter("weight", None)
        if affine and bias:
            self.bias = Parameter(flambeau.empty(num_channels, **options))
        else:
            self.register_parameter("bias", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set weight to 1 and bias to 0."""
        if self.affine:
            init.ones_(self.weight)
            if self.bias is not None:
                init.zeros_(self.bias)

    def forward(self, input: Tensor) -> Tensor:
        return F.group_norm(input, self.num_groups, self.weight, self.bias, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.num_groups}, {self.num_channels}, eps={self.eps}, affine={self.affine}, "
            f"bias={self.bias is not None}"
        )


class RMSNorm(Module):
    """Division by the root mean square over the last dimensions (Zhang and Sennrich, 2019).

    Args:
        normalized_shape: the last dimensions of the input, or the last one as a number.
        eps: added to the mean square; None for the smallest step of the input's dtype at 1.
        elementwise_affine: whether a scale per element is learned.
        device, dtype: of the parameters (None: the default ones).

    Shape:
        - Input: ``(N, *, *normalized_shape)``
        - Output: the same

    Raises:
        RuntimeError: an input x that does not end with ``normalized_shape``.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.RMSNorm.html
    """

    normalized_shape: tuple[int, ...]
    eps: float | None
    elementwise_affine: bool

    def __init__(
        self,
        normalized_shape: Any,
        eps: float | None = None,
        elementwise_affine: bool = True,
        device: Any = None,
        dtype: Any = None,
    ) -> None:
        super().__init__()
        if isinstance(normalized_shape, numbers.Integral):
            normalized_shape = (normalized_shape,)
        self.normalized_shape = tuple(normalized_shape)
        self.eps = eps
        self.elementwise_affine = elementwise_affine
        if elementwise_affine:
            weight = flambeau.empty(self.normalized_shape, device=device, dtype=dtype)
            self.weight = Parameter(weight)
        else:
            self.register_parameter("weight", None)
        self.reset_parameters()

    def reset_parameters(self) -> None:
        """Set weight to 1."""
        if self.elementwise_affine:
            init.ones_(self.weight)

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, self.normalized_shape, self.weight, self.eps)

    def extra_repr(self) -> str:
        return (
            f"{self.normalized_shape}, eps={self.eps}, elementwise_affine={self.elementwise_affine}"
        )


class LocalResponseNorm(Module):
    """Division by a power of the squares in neighbouring channels (Krizhevsky et al., 2012).

    Args:
        size: number of neighbouring channels.
        alpha: factor of the mean of squares.
        beta: the exponent.
        k: added to the mean of squares.

    Shape:
        - Input: ``(N, C, *)``
        - Output: the same

    Raises:
        ValueError: an input with fewer than three dims.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.LocalResponseNorm.html
    """

    size: int
    alpha: float
    beta: float
    k: float

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1.0) -> None:
        super().__init__()
        self.size = size
        self.alpha = alpha
        self.beta = beta
        self.k = k

    def forward(self, input: Tensor) -> Tensor:
        return F.local_response_norm(input, self.size, self.alpha, self.beta, self.k)

    def extra_repr(self) -> str:
        return f"{self.size}, alpha={self.alpha}, beta={self.beta}, k={self.k}"


class CrossMapLRN2d(LocalResponseNorm):
    """:class:`LocalResponseNorm` under its older name, with PyTorch's windows of that time.

    They are ``size // 2`` channels to both sides (``size`` even or odd), and channel 0 is never
    taken out of the sum again.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.CrossMapLRN2d.html

    Args:
        size, alpha, beta, k: as there.

    Shape:
        - Input: ``(N, C, H, W)``
        - Output: the same

    Raises:
        ValueError: an input that has not four dims.
    """

    def __init__(self, size: int, alpha: float = 1e-4, beta: float = 0.75, k: float = 1) -> None:
        super().__init__(size, alpha, beta, k)

    def forward(self, input: Tensor) -> Tensor:
        if input.dim() != 4:
            raise ValueError(f"CrossMapLRN2d: Expected input to be 4D, got {input.dim()}D instead.")
        channels = input.shape[1]
        reach = int((self.size - 1) / 2 + 1)
        windows = flambeau.tensor(
            [
                [
                    float(abs(channel - other) < reach or (other == 0 and channel >= reach))
                    for other in range(channels)
                ]
                for channel in range(channels)
            ],
            dtype=input.dtype,
        )
        sums = flambeau.matmul(windows, (input * input).flatten(2)).reshape(tuple(input.shape))
        return input * (sums * (self.alpha / self.size) + self.k) ** -self.beta
