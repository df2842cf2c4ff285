"""MobileNetV2: narrow layers with wide, depthwise ones between.

Source: https://docs.pytorch.org/vision/0.28/models.html
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import flambeau

from ... import nn
from ...tensor import Tensor
from ..ops.blocks import Conv2dNormActivation
from ._utils import _make_divisible
from .builders import builder, weights_enum
from .initialization import initialize

__all__ = ["MobileNetV2", "MobileNet_V2_Weights", "mobilenet_v2"]

Norm = Callable[[int], nn.Module]
_Layer = functools.partial(Conv2dNormActivation, activation_layer=nn.ReLU6)

# Expansion, channels, blocks, stride of the first: table 2 of the paper.
_SETTING = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


class InvertedResidual(nn.Module):
    """A block that widens, filters each channel, and narrows; with a way around where it fits.

    Args:
        inp, oup: channels that come in and go out.
        stride: 1 or 2.
        expand_ratio: how many times wider the middle is.
        norm_layer: the normalization; batch normalization by default.

    Raises:
        ValueError: another stride.
    """

    def __init__(
        self,
        inp: int,
        oup: int,
        stride: int,
        expand_ratio: float,
        norm_layer: Norm | None = None,
    ) -> None:
        super().__init__()
        if stride not in (1, 2):
            raise ValueError(f"stride should be 1 or 2 instead of {stride}")
        norm = norm_layer or nn.BatchNorm2d
        hidden = int(round(inp * expand_ratio))
        widen = [] if expand_ratio == 1 else [_Layer(inp, hidden, 1, norm_layer=norm)]
        self.stride = stride
        self.use_res_connect = stride == 1 and inp == oup
        self.conv = nn.Sequential(
            *widen,
            _Layer(hidden, hidden, 3, stride, groups=hidden, norm_layer=norm),
            nn.Conv2d(hidden, oup, kernel_size=1, bias=False),
            norm(oup),
        )
        self.out_channels = oup

    def forward(self, x: Tensor) -> Tensor:
        result = self.conv(x)
        return x + result if self.use_res_connect else result


class MobileNetV2(nn.Module):
    """MobileNetV2; 3,504,872 parameters for 1000 classes.

    Args:
        num_classes: the number of outputs.
        width_mult: how many times as many channels everywhere.
        inverted_residual_setting: for each width expansion, channels, blocks and the first
            block's stride.
        round_nearest: channels are multiples of this.
        block: the block; :class:`InvertedResidual` by default.
        norm_layer: the normalization; batch normalization by default.
        dropout: the share of inputs that the last layer does without.

    Shape:
        ``(N, 3, H, W)`` to ``(N, num_classes)``.

    Raises:
        ValueError: the setting is empty, or its rows have not four numbers.

    Source: Sandler, Howard, Zhu, Zhmoginov and Chen, "MobileNetV2: inverted residuals and linear
    bottlenecks" (2018); https://docs.pytorch.org/vision/0.28/models/mobilenetv2.html
    """

    def __init__(
        self,
        num_classes: int = 1000,
        width_mult: float = 1.0,
        inverted_residual_setting: Sequence[Sequence[int]] | None = None,
        round_nearest: int = 8,
        block: Callable[..., Any] | None = None,
        norm_layer: Norm | None = None,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        make = block or InvertedResidual
        norm = norm_layer or nn.BatchNorm2d
        setting = _SETTING if inverted_residual_setting is None else inverted_residual_setting
        if not setting or any(len(row) != 4 for row in setting):
            raise ValueError(
                "inverted_residual_setting should be non-empty or a 4-element list, got "
                f"{inverted_residual_setting}"
            )
        channels = _make_divisible(32 * width_mult, round_nearest)
        self.last_channel = _make_divisible(1280 * max(1.0, width_mult), round_nearest)
        features: list[nn.Module] = [_Layer(3, channels, 3, 2, norm_layer=norm)]
        for expansion, width, count, stride in setting:
            outputs = _make_divisible(width * width_mult, round_nearest)
            for position in range(count):
                first = stride if position == 0 else 1
                features.append(
                    make(channels, outputs, first, expand_ratio=expansion, norm_layer=norm)
                )
                channels = outputs
        features.append(_Layer(channels, self.last_channel, 1, norm_layer=norm))
        self.features = nn.Sequential(*features)
        self.classifier = nn.Sequential(
            nn.Dropout(dropout), nn.Linear(self.last_channel, num_classes)
        )
        initialize(self)

    def forward(self, x: Tensor) -> Tensor:
        pooled = nn.functional.adaptive_avg_pool2d(self.features(x), (1, 1))
        return self.classifier(flambeau.flatten(pooled, 1))


MobileNet_V2_Weights = weights_enum("MobileNet_V2_Weights", __name__)
mobilenet_v2 = builder("mobilenet_v2", MobileNet_V2_Weights, MobileNetV2, title="MobileNetV2")
