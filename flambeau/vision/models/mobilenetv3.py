"""MobileNetV3: MobileNetV2's blocks with weighed channels, found by a search.

Source: https://docs.pytorch.org/vision/0.28/models/mobilenetv3.html
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

import flambeau

from ... import nn
from ...tensor import Tensor
from ..ops.blocks import Conv2dNormActivation, SqueezeExcitation
from ._utils import _make_divisible
from .builders import builder, weights_enum
from .initialization import initialize

__all__ = [
    "MobileNetV3",
    "MobileNet_V3_Large_Weights",
    "MobileNet_V3_Small_Weights",
    "mobilenet_v3_large",
    "mobilenet_v3_small",
]

Norm = Callable[..., nn.Module]
_Excitation = functools.partial(SqueezeExcitation, scale_activation=nn.Hardsigmoid)


class InvertedResidualConfig:
    """What one block is like.

    Args:
        input_channels, expanded_channels, out_channels: channels that come in, in the middle,
            that go out.
        kernel: the size of the filters.
        use_se: whether the channels are weighed.
        activation: "RE" (ReLU) or "HS" (Hardswish).
        stride, dilation: of the filters.
        width_mult: how many times as many channels.
    """

    def __init__(
        self,
        input_channels: int,
        kernel: int,
        expanded_channels: int,
        out_channels: int,
        use_se: bool,
        activation: str,
        stride: int,
        dilation: int,
        width_mult: float,
    ) -> None:
        self.input_channels = self.adjust_channels(input_channels, width_mult)
        self.kernel = kernel
        self.expanded_channels = self.adjust_channels(expanded_channels, width_mult)
        self.out_channels = self.adjust_channels(out_channels, width_mult)
        self.use_se = use_se
        self.use_hs = activation == "HS"
        self.stride = stride
        self.dilation = dilation

    @staticmethod
    def adjust_channels(channels: int, width_mult: float) -> int:
        """``channels`` times ``width_mult``, as a multiple of 8."""
        return _make_divisible(channels * width_mult, 8)


class InvertedResidual(nn.Module):
    """Widens, filters each channel, perhaps weighs the channels, and narrows.

    Args:
        cnf: what it is like.
        norm_layer: the normalization.
        se_layer: given channels and squeezed channels, what weighs the channels.

    Shape:
        ``(N, input_channels, H, W)`` to ``(N, out_channels, H / stride, W / stride)``.

    Raises:
        ValueError: a stride other than 1 and 2.
    """

    def __init__(
        self,
        cnf: InvertedResidualConfig,
        norm_layer: Norm,
        se_layer: Callable[..., nn.Module] = _Excitation,
    ) -> None:
        super().__init__()
        if cnf.stride not in (1, 2):
            raise ValueError(f"stride is 1 or 2, not {cnf.stride}")
        inputs, wide, outputs = cnf.input_channels, cnf.expanded_channels, cnf.out_channels
        self.use_res_connect = cnf.stride == 1 and inputs == outputs
        layer = functools.partial(
            Conv2dNormActivation,
            norm_layer=norm_layer,
            activation_layer=nn.Hardswish if cnf.use_hs else nn.ReLU,
        )
        layers: list[nn.Module] = []
        if wide != inputs:
            layers.append(layer(inputs, wide, 1))
        stride = 1 if cnf.dilation > 1 else cnf.stride
        layers.append(layer(wide, wide, cnf.kernel, stride, dilation=cnf.dilation, groups=wide))
        if cnf.use_se:
            layers.append(se_layer(wide, _make_divisible(wide // 4, 8)))
        layers.append(
            Conv2dNormActivation(wide, outputs, 1, norm_layer=norm_layer, activation_layer=None)
        )
        self.block = nn.Sequential(*layers)
        self.out_channels = outputs
        self._is_cn = cnf.stride > 1

    def forward(self, input: Tensor) -> Tensor:
        result = self.block(input)
        return result + input if self.use_res_connect else result


class MobileNetV3(nn.Module):
    """MobileNetV3; 5,483,032 (large) or 2,542,856 (small) parameters for 1000 classes.

    Args:
        inverted_residual_setting: the blocks.
        last_channel: features before the last layer.
        num_classes: the number of outputs.
        block: the class of the blocks; :class:`InvertedResidual` by default.
        norm_layer: the normalization; batch normalization by default.
        dropout: the share of inputs that the last layer does without.

    Shape:
        ``(N, 3, H, W)`` to ``(N, num_classes)``.

    Raises:
        ValueError: there are no blocks.
        TypeError: what is given is no list of blocks.

    Source: Howard and others, "Searching for MobileNetV3" (2019);
    https://docs.pytorch.org/vision/0.28/models/mobilenetv3.html
    """

    def __init__(
        self,
        inverted_residual_setting: Sequence[InvertedResidualConfig],
        last_channel: int,
        num_classes: int = 1000,
        block: Callable[..., nn.Module] | None = None,
        norm_layer: Norm | None = None,
        dropout: float = 0.2,
    ) -> None:
        super().__init__()
        setting = inverted_residual_setting
        if not setting:
            raise ValueError("The inverted_residual_setting should not be empty")
        if not all(isinstance(row, InvertedResidualConfig) for row in setting):
            raise TypeError("The inverted_residual_setting should be List[InvertedResidualConfig]")
        make = block or InvertedResidual
        norm = norm_layer or functools.partial(nn.BatchNorm2d, eps=0.001, momentum=0.01)
        layer = functools.partial(
            Conv2dNormActivation, norm_layer=norm, activation_layer=nn.Hardswish
        )
        narrow = setting[-1].out_channels
        self.features = nn.Sequential(
            layer(3, setting[0].input_channels, 3, 2),
            *(make(row, norm) for row in setting),
            layer(narrow, 6 * narrow, 1),
        )
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.classifier = nn.Sequential(
            nn.Linear(6 * narrow, last_channel),
            nn.Hardswish(inplace=True),
            nn.Dropout(p=dropout, inplace=True),
            nn.Linear(last_channel, num_classes),
        )
        initialize(self)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(flambeau.flatten(self.avgpool(self.features(x)), 1))


# Channels in, kernel, middle, out; channels weighed; activation; stride: tables 1 and 2. The last
# three blocks ("tail") are narrower in networks that find places in an image.
_LARGE = (
    (16, 3, 16, 16, False, "RE", 1),
    (16, 3, 64, 24, False, "RE", 2),
    (24, 3, 72, 24, False, "RE", 1),
    (24, 5, 72, 40, True, "RE", 2),
    (40, 5, 120, 40, True, "RE", 1),
    (40, 5, 120, 40, True, "RE", 1),
    (40, 3, 240, 80, False, "HS", 2),
    (80, 3, 200, 80, False, "HS", 1),
    (80, 3, 184, 80, False, "HS", 1),
    (80, 3, 184, 80, False, "HS", 1),
    (80, 3, 480, 112, True, "HS", 1),
    (112, 3, 672, 112, True, "HS", 1),
    (112, 5, 672, 160, True, "HS", 2),
    (160, 5, 960, 160, True, "HS", 1),
    (160, 5, 960, 160, True, "HS", 1),
)
_SMALL = (
    (16, 3, 16, 16, True, "RE", 2),
    (16, 3, 72, 24, False, "RE", 2),
    (24, 3, 88, 24, False, "RE", 1),
    (24, 5, 96, 40, True, "HS", 2),
    (40, 5, 240, 40, True, "HS", 1),
    (40, 5, 240, 40, True, "HS", 1),
    (40, 5, 120, 48, True, "HS", 1),
    (48, 5, 144, 48, True, "HS", 1),
    (48, 5, 288, 96, True, "HS", 2),
    (96, 5, 576, 96, True, "HS", 1),
    (96, 5, 576, 96, True, "HS", 1),
)


def _builder(
    name: str, weights: Any, rows: Sequence[tuple[Any, ...]], last: int
) -> Callable[..., MobileNetV3]:
    def make(
        width_mult: float = 1.0, reduced_tail: bool = False, dilated: bool = False, **options: Any
    ) -> MobileNetV3:
        divisor = 2 if reduced_tail else 1
        tail = len(rows) - 3
        setting = []
        for i, (inputs, kernel, wide, outputs, *kind, stride) in enumerate(rows):
            if i >= tail:
                outputs //= divisor
            if i > tail:
                inputs, wide = inputs // divisor, wide // divisor
            dilation = 2 if dilated and i >= tail else 1
            row = (inputs, kernel, wide, outputs, *kind, stride, dilation, width_mult)
            setting.append(InvertedResidualConfig(*row))
        channels = InvertedResidualConfig.adjust_channels(last // divisor, width_mult)
        return MobileNetV3(setting, channels, **options)

    return builder(name, weights, MobileNetV3, make)


MobileNet_V3_Large_Weights = weights_enum("MobileNet_V3_Large_Weights", __name__)
MobileNet_V3_Small_Weights = weights_enum("MobileNet_V3_Small_Weights", __name__)

mobilenet_v3_large = _builder("mobilenet_v3_large", MobileNet_V3_Large_Weights, _LARGE, 1280)
mobilenet_v3_small = _builder("mobilenet_v3_small", MobileNet_V3_Small_Weights, _SMALL, 1024)
