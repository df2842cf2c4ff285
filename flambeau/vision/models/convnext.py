"""ConvNeXt: a convolutional network built as transformers are.

Source: https://docs.pytorch.org/vision/0.28/models/convnext.html
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import flambeau

from ... import nn
from ...tensor import Tensor
from ..ops.blocks import Conv2dNormActivation, Permute, StochasticDepth
from .builders import builder, weights_enum

__all__ = [
    "ConvNeXt",
    "ConvNeXt_Base_Weights",
    "ConvNeXt_Large_Weights",
    "ConvNeXt_Small_Weights",
    "ConvNeXt_Tiny_Weights",
    "convnext_base",
    "convnext_large",
    "convnext_small",
    "convnext_tiny",
]


class LayerNorm2d(nn.LayerNorm):
    """Normalises the channels of each pixel; arguments as for ``LayerNorm``.

    Shape:
        ``(N, C, H, W)`` to the same.
    """

    def forward(self, input: Tensor) -> Tensor:
        return super().forward(input.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class CNBlock(nn.Module):
    """Large filters of each channel, two linear layers of each pixel, and a way around.

    Args:
        dim: channels.
        layer_scale: what the result is multiplied by at first, channel by channel.
        stochastic_depth_prob: how often the block is skipped.
        norm_layer: the normalization of the last dimension; layer normalization by default.

    Shape:
        ``(N, dim, H, W)`` to the same.
    """

    def __init__(
        self,
        dim: int,
        layer_scale: float,
        stochastic_depth_prob: float,
        norm_layer: Callable[..., nn.Module] | None = None,
    ) -> None:
        super().__init__()
        norm = norm_layer or functools.partial(nn.LayerNorm, eps=1e-6)
        self.block = nn.Sequential(
            nn.Conv2d(dim, dim, kernel_size=7, padding=3, groups=dim, bias=True),
            Permute([0, 2, 3, 1]),
            norm(dim),
            nn.Linear(dim, 4 * dim),
            nn.GELU(),
            nn.Linear(4 * dim, dim),
            Permute([0, 3, 1, 2]),
        )
        self.layer_scale = nn.Parameter(flambeau.full((dim, 1, 1), float(layer_scale)))
        self.stochastic_depth = StochasticDepth(stochastic_depth_prob, "row")

    def forward(self, input: Tensor) -> Tensor:
        return self.stochastic_depth(self.layer_scale * self.block(input)) + input


class CNBlockConfig:
    """What the blocks of one stage have in common.

    Args:
        input_channels: channels of the blocks.
        out_channels: channels that the next stage gets; None for the last stage.
        num_layers: how many blocks.
    """

    def __init__(self, input_channels: int, out_channels: int | None, num_layers: int) -> None:
        self.input_channels = input_channels
        self.out_channels = out_channels
        self.num_layers = num_layers

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={value}" for name, value in vars(self).items())
        return f"CNBlockConfig({shown})"


class ConvNeXt(nn.Module):
    """ConvNeXt; 28,589,128 parameters in the smallest, for 1000 classes.

    Args:
        block_setting: the stages.
        stochastic_depth_prob: how often the last block is skipped; the others less often.
        layer_scale: what blocks' results are multiplied by at first.
        num_classes: the number of outputs.
        block: the class of the blocks; :class:`CNBlock` by default.
        norm_layer: the normalization between the stages; that of each pixel's channels by default.

    Shape:
        ``(N, 3, H, W)``, at least 32 by 32, to ``(N, num_classes)``.

    Raises:
        ValueError: there are no stages.
        TypeError: what is given is no list of stages.

    Source: Liu, Mao, Wu, Feichtenhofer, Darrell and Xie, "A ConvNet for the 2020s" (2022);
    https://docs.pytorch.org/vision/0.28/models/convnext.html
    """

    def __init__(
        self,
        block_setting: Sequence[CNBlockConfig],
        stochastic_depth_prob: float = 0.0,
        layer_scale: float = 1e-6,
        num_classes: int = 1000,
        block: Callable[..., nn.Module] | None = None,
        norm_layer: Callable[..., nn.Module] | None = None,
    ) -> None:
        super().__init__()
        if not block_setting:
            raise ValueError("The block_setting should not be empty")
        if not all(isinstance(stage, CNBlockConfig) for stage in block_setting):
            raise TypeError("The block_setting should be List[CNBlockConfig]")
        make = block or CNBlock
        norm = norm_layer or functools.partial(LayerNorm2d, eps=1e-6)
        first = block_setting[0].input_channels
        layers: list[nn.Module] = [
            Conv2dNormActivation(
                3, first, kernel_size=4, stride=4, padding=0, norm_layer=norm,
                activation_layer=None, bias=True,
            )
        ]  # fmt: skip
        last = max(sum(stage.num_layers for stage in block_setting) - 1, 1)
        done = 0
        for stage in block_setting:
            blocks = []
            for _ in range(stage.num_layers):
                drop = stochastic_depth_prob * done / last
                blocks.append(make(stage.input_channels, layer_scale, drop))
                done += 1
            layers.append(nn.Sequential(*blocks))
            if stage.out_channels is not None:
                down = nn.Conv2d(stage.input_channels, stage.out_channels, kernel_size=2, stride=2)
                layers.append(nn.Sequential(norm(stage.input_channels), down))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        final = block_setting[-1]
        width = final.input_channels if final.out_channels is None else final.out_channels
        self.classifier = nn.Sequential(norm(width), nn.Flatten(1), nn.Linear(width, num_classes))
        for layer in self.modules():
            if isinstance(layer, (nn.Conv2d, nn.Linear)):
                nn.init.trunc_normal_(layer.weight, std=0.02)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.avgpool(self.features(x)))


def _builder(
    size: str, weights: Any, width: int, layers: tuple[int, ...], drop: float
) -> Callable[..., ConvNeXt]:
    widths = [width * 2**i for i in range(len(layers))]

    def make(**options: Any) -> ConvNeXt:
        stages = map(CNBlockConfig, widths, [*widths[1:], None], layers)
        return ConvNeXt(list(stages), **{"stochastic_depth_prob": drop, **options})

    return builder(f"convnext_{size}", weights, ConvNeXt, make, title=f"ConvNeXt, {size}")


ConvNeXt_Tiny_Weights = weights_enum("ConvNeXt_Tiny_Weights", __name__)
ConvNeXt_Small_Weights = weights_enum("ConvNeXt_Small_Weights", __name__)
ConvNeXt_Base_Weights = weights_enum("ConvNeXt_Base_Weights", __name__)
ConvNeXt_Large_Weights = weights_enum("ConvNeXt_Large_Weights", __name__)

convnext_tiny = _builder("tiny", ConvNeXt_Tiny_Weights, 96, (3, 3, 9, 3), 0.1)
convnext_small = _builder("small", ConvNeXt_Small_Weights, 96, (3, 3, 27, 3), 0.4)
convnext_base = _builder("base", ConvNeXt_Base_Weights, 128, (3, 3, 27, 3), 0.5)
convnext_large = _builder("large", ConvNeXt_Large_Weights, 192, (3, 3, 27, 3), 0.5)
