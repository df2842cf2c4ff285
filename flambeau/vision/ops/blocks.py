"""Blocks that networks for images are made of (``torchvision.ops.misc``).

Source: https://docs.pytorch.org/vision/0.28/ops.html
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from flambeau import nn
from flambeau.tensor import Tensor
from flambeau.vision.ops.stochastic_depth import stochastic_depth

__all__ = ["MLP", "Conv2dNormActivation", "Permute", "SqueezeExcitation", "StochasticDepth"]


class Conv2dNormActivation(nn.Sequential):
    """A convolution, its normalization and its activation.

    Args:
        in_channels, out_channels, kernel_size, stride, groups, dilation: the convolution's.
        padding: by default as much as keeps the size at stride 1.
        norm_layer, activation_layer: classes; None leaves one out.
        inplace: for the activation; None: it takes no such argument.
        bias: by default where there is no normalization.

    Shape:
        - Input: ``(N, in_channels, H, W)``
        - Output: ``(N, out_channels, H_out, W_out)``, sizes as for ``Conv2d``
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel_size: Any = 3,
        stride: Any = 1,
        padding: Any = None,
        groups: int = 1,
        norm_layer: Callable[..., nn.Module] | None = nn.BatchNorm2d,
        activation_layer: Callable[..., nn.Module] | None = nn.ReLU,
        dilation: Any = 1,
        inplace: bool | None = True,
        bias: bool | None = None,
    ) -> None:
        if padding is None:
            sizes = kernel_size if isinstance(kernel_size, Sequence) else (kernel_size,) * 2
            steps = dilation if isinstance(dilation, Sequence) else (dilation,) * 2
            padding = tuple((size - 1) // 2 * step for size, step in zip(sizes, steps))
        layers: list[nn.Module] = [
            nn.Conv2d(
                in_channels, out_channels, kernel_size, stride, padding, dilation, groups,
                bias=norm_layer is None if bias is None else bias,
            )
        ]  # fmt: skip
        if norm_layer is not None:
            layers.append(norm_layer(out_channels))
        if activation_layer is not None:
            options = {} if inplace is None else {"inplace": inplace}
            layers.append(activation_layer(**options))
        super().__init__(*layers)
        self.out_channels = out_channels


class SqueezeExcitation(nn.Module):
    """Channels scaled by what a small network makes of their means.

    Args:
        input_channels: channels C of the input.
        squeeze_channels: channels in the middle of the network.
        activation: the class of what follows them.
        scale_activation: the class of what makes the scales.

    Shape:
        - Input and output: ``(N, C, H, W)``

    Source: Hu et al., Squeeze-and-Excitation Networks, 2018 (arXiv:1709.01507).
    """

    def __init__(
        self,
        input_channels: int,
        squeeze_channels: int,
        activation: Callable[..., nn.Module] = nn.ReLU,
        scale_activation: Callable[..., nn.Module] = nn.Sigmoid,
    ) -> None:
        super().__init__()
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.fc1 = nn.Conv2d(input_channels, squeeze_channels, 1)
        self.fc2 = nn.Conv2d(squeeze_channels, input_channels, 1)
        self.activation = activation()
        self.scale_activation = scale_activation()

    def forward(self, input: Tensor) -> Tensor:
        """``input`` ``(N, C, H, W)`` to the same."""
        scale = self.activation(self.fc1(self.avgpool(input)))
        return self.scale_activation(self.fc2(scale)) * input


class MLP(nn.Sequential):
    """Linear layers, each but the last with normalization, activation and dropout.

    Args:
        in_channels: features that come in.
        hidden_channels: features behind each layer, the last of them what goes out.
        norm_layer, activation_layer: classes; None leaves one out.
        inplace: for activation and dropout; None: the activation takes no such argument.
        bias: whether the linear layers have offsets.
        dropout: the probability of the dropouts, also that behind the last layer.

    Shape:
        - Input: ``(*, in_channels)``
        - Output: ``(*, hidden_channels[-1])``
    """

    def __init__(
        self,
        in_channels: int,
        hidden_channels: list[int],
        norm_layer: Callable[..., nn.Module] | None = None,
        activation_layer: Callable[..., nn.Module] | None = nn.ReLU,
        inplace: bool | None = None,
        bias: bool = True,
        dropout: float = 0.0,
    ) -> None:
        options = {} if inplace is None else {"inplace": inplace}
        layers: list[nn.Module] = []
        for width in hidden_channels[:-1]:
            layers.append(nn.Linear(in_channels, width, bias=bias))
            if norm_layer is not None:
                layers.append(norm_layer(width))
            if activation_layer is not None:
                layers.append(activation_layer(**options))
            layers.append(nn.Dropout(dropout, **options))
            in_channels = width
        layers.append(nn.Linear(in_channels, hidden_channels[-1], bias=bias))
        layers.append(nn.Dropout(dropout, **options))
        super().__init__(*layers)


class Permute(nn.Module):
    """``x.permute(dims)`` as a module.

    Args:
        dims: the dimensions in their new order.
    """

    def __init__(self, dims: list[int]) -> None:
        super().__init__()
        self.dims = dims

    def forward(self, x: Tensor) -> Tensor:
        """``x`` with its dimensions in the order ``dims``."""
        return x.permute(self.dims)


class StochasticDepth(nn.Module):
    """``stochastic_depth`` as a module: of no effect in evaluation mode.

    Args:
        p: the probability.
        mode: "batch" or "row".

    Raises:
        ValueError: in the call, a probability or a mode that is none.
    """

    def __init__(self, p: float, mode: str) -> None:
        super().__init__()
        self.p = p
        self.mode = mode

    def forward(self, input: Tensor) -> Tensor:
        """The input, or zeros."""
        return stochastic_depth(input, self.p, self.mode, self.training)

    def __repr__(self) -> str:
        return f"StochasticDepth(p={self.p}, mode={self.mode})"
