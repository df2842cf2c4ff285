"""EfficientNet and EfficientNetV2: depth, width and image size grown together.

Source: https://docs.pytorch.org/vision/0.28/models/efficientnet.html
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Sequence
from typing import Any

import flambeau

from ... import nn
from ...tensor import Tensor
from ..ops.blocks import Conv2dNormActivation, SqueezeExcitation, StochasticDepth
from ._utils import _make_divisible
from .builders import builder, weights_enum
from .initialization import initialize

__all__ = [
    "EfficientNet",
    "EfficientNet_B0_Weights",
    "EfficientNet_B1_Weights",
    "EfficientNet_B2_Weights",
    "EfficientNet_B3_Weights",
    "EfficientNet_B4_Weights",
    "EfficientNet_B5_Weights",
    "EfficientNet_B6_Weights",
    "EfficientNet_B7_Weights",
    "EfficientNet_V2_L_Weights",
    "EfficientNet_V2_M_Weights",
    "EfficientNet_V2_S_Weights",
    "efficientnet_b0",
    "efficientnet_b1",
    "efficientnet_b2",
    "efficientnet_b3",
    "efficientnet_b4",
    "efficientnet_b5",
    "efficientnet_b6",
    "efficientnet_b7",
    "efficientnet_v2_l",
    "efficientnet_v2_m",
    "efficientnet_v2_s",
]

Norm = Callable[..., nn.Module]
_Layer = functools.partial(Conv2dNormActivation, activation_layer=nn.SiLU)


class _StageConfig:
    """What the blocks of one stage have in common.

    Args:
        expand_ratio: how many times wider the middle of a block is.
        kernel: the size of its filters.
        stride: of the first block; the others have 1.
        input_channels, out_channels: channels that come in and go out.
        num_layers: how many blocks.
        block: the class of the blocks.
    """

    def __init__(
        self,
        expand_ratio: float,
        kernel: int,
        stride: int,
        input_channels: int,
        out_channels: int,
        num_layers: int,
        block: Callable[..., Any],
    ) -> None:
        self.expand_ratio = expand_ratio
        self.kernel = kernel
        self.stride = stride
        self.input_channels = input_channels
        self.out_channels = out_channels
        self.num_layers = num_layers
        self.block = block

    def expanded(self, channels: int) -> int:
        """How many channels the middle of a block with ``channels`` inputs has."""
        return _make_divisible(channels * self.expand_ratio, 8)


class MBConvConfig(_StageConfig):
    """A stage of :class:`MBConv` blocks, in a network that is wider or deeper than the first.

    Args:
        expand_ratio, kernel, stride: of the blocks, as in the first network.
        input_channels, out_channels, num_layers: in the first network.
        width_mult: how many times as many channels.
        depth_mult: how many times as many blocks.
        block: another class of blocks.
    """

    def __init__(
        self,
        expand_ratio: float,
        kernel: int,
        stride: int,
        input_channels: int,
        out_channels: int,
        num_layers: int,
        width_mult: float = 1.0,
        depth_mult: float = 1.0,
        block: Callable[..., Any] | None = None,
    ) -> None:
        inputs, outputs = (
            _make_divisible(c * width_mult, 8) for c in (input_channels, out_channels)
        )
        layers = math.ceil(num_layers * depth_mult)
        super().__init__(expand_ratio, kernel, stride, inputs, outputs, layers, block or MBConv)


class FusedMBConvConfig(_StageConfig):
    """A stage of :class:`FusedMBConv` blocks.

    Args:
        expand_ratio, kernel, stride, input_channels, out_channels, num_layers: of the blocks.
        block: another class of blocks.
    """

    def __init__(
        self,
        expand_ratio: float,
        kernel: int,
        stride: int,
        input_channels: int,
        out_channels: int,
        num_layers: int,
        block: Callable[..., Any] | None = None,
    ) -> None:
        super().__init__(
            expand_ratio, kernel, stride, input_channels, out_channels, num_layers,
            block or FusedMBConv,
        )  # fmt: skip


class _Residual(nn.Module):
    """Layers with a way around them where the shapes fit."""

    def __init__(
        self, layers: list[nn.Module], inputs: int, outputs: int, stride: int, drop: float
    ) -> None:
        super().__init__()
        if stride not in (1, 2):
            raise ValueError(f"stride is 1 or 2, not {stride}")
        self.use_res_connect = stride == 1 and inputs == outputs
        self.block = nn.Sequential(*layers)
        self.stochastic_depth = StochasticDepth(drop, "row")
        self.out_channels = outputs

    def forward(self, input: Tensor) -> Tensor:
        result = self.block(input)
        return self.stochastic_depth(result) + input if self.use_res_connect else result


class MBConv(_Residual):
    """Widens, filters each channel, weighs the channels, and narrows.

    Args:
        cnf: the stage, with this block's own ``input_channels`` and ``stride``.
        stochastic_depth_prob: how often the block is skipped.
        norm_layer: the normalization.
        se_layer: what weighs the channels.

    Shape:
        ``(N, input_channels, H, W)`` to ``(N, out_channels, H / stride, W / stride)``.

    Raises:
        ValueError: a stride other than 1 and 2.
    """

    def __init__(
        self,
        cnf: _StageConfig,
        stochastic_depth_prob: float,
        norm_layer: Norm,
        se_layer: Callable[..., nn.Module] = SqueezeExcitation,
    ) -> None:
        inputs, outputs = cnf.input_channels, cnf.out_channels
        wide = cnf.expanded(inputs)
        layers: list[nn.Module] = []
        if wide != inputs:
            layers.append(_Layer(inputs, wide, 1, norm_layer=norm_layer))
        layers += [
            _Layer(wide, wide, cnf.kernel, cnf.stride, groups=wide, norm_layer=norm_layer),
            se_layer(
                wide, max(1, inputs // 4), activation=functools.partial(nn.SiLU, inplace=True)
            ),
            Conv2dNormActivation(wide, outputs, 1, norm_layer=norm_layer, activation_layer=None),
        ]
        super().__init__(layers, inputs, outputs, cnf.stride, stochastic_depth_prob)


class FusedMBConv(_Residual):
    """Widens with an ordinary convolution, and narrows.

    Args:
        cnf: the stage, with this block's own ``input_channels`` and ``stride``.
        stochastic_depth_prob: how often the block is skipped.
        norm_layer: the normalization.

    Shape:
        ``(N, input_channels, H, W)`` to ``(N, out_channels, H / stride, W / stride)``.

    Raises:
        ValueError: a stride other than 1 and 2.
    """

    def __init__(self, cnf: _StageConfig, stochastic_depth_prob: float, norm_layer: Norm) -> None:
        inputs, outputs = cnf.input_channels, cnf.out_channels
        wide = cnf.expanded(inputs)
        first = wide if wide != inputs else outputs
        layers: list[nn.Module] = [
            _Layer(inputs, first, cnf.kernel, cnf.stride, norm_layer=norm_layer)
        ]
        if wide != inputs:
            layers.append(
                Conv2dNormActivation(wide, outputs, 1, norm_layer=norm_layer, activation_layer=None)
            )
        super().__init__(layers, inputs, outputs, cnf.stride, stochastic_depth_prob)


class _Place:
    """A stage as the block at one place in it sees it."""

    def __init__(self, stage: _StageConfig, first: bool) -> None:
        vars(self).update(vars(stage))
        self.expanded = stage.expanded
        if not first:
            self.input_channels = stage.out_channels
            self.stride = 1


class EfficientNet(nn.Module):
    """EfficientNet; 5,288,548 parameters in the smallest, for 1000 classes.

    Args:
        inverted_residual_setting: the stages, :class:`MBConvConfig` and
            :class:`FusedMBConvConfig`.
        dropout: the share of inputs that the last layer does without.
        stochastic_depth_prob: how often the last block is skipped; the others less often.
        num_classes: the number of outputs.
        norm_layer: the normalization; batch normalization by default.
        last_channel: channels before the last layer; four times the last stage's by default.

    Shape:
        ``(N, 3, H, W)`` to ``(N, num_classes)``.

    Raises:
        ValueError: there are no stages.
        TypeError: what is given is no list of stages.

    Source: Tan and Le, "EfficientNet: rethinking model scaling for convolutional neural networks"
    (2019) and "EfficientNetV2: smaller models and faster training" (2021);
    https://docs.pytorch.org/vision/0.28/models/efficientnet.html
    """

    def __init__(
        self,
        inverted_residual_setting: Sequence[_StageConfig],
        dropout: float,
        stochastic_depth_prob: float = 0.2,
        num_classes: int = 1000,
        norm_layer: Norm | None = None,
        last_channel: int | None = None,
    ) -> None:
        super().__init__()
        stages = inverted_residual_setting
        if not stages:
            raise ValueError("The inverted_residual_setting should not be empty")
        if not all(isinstance(stage, _StageConfig) for stage in stages):
            raise TypeError("The inverted_residual_setting should be List[MBConvConfig]")
        norm = norm_layer or nn.BatchNorm2d
        layers: list[nn.Module] = [_Layer(3, stages[0].input_channels, 3, 2, norm_layer=norm)]
        total = sum(stage.num_layers for stage in stages)
        done = 0
        for stage in stages:
            blocks = []
            for position in range(stage.num_layers):
                drop = stochastic_depth_prob * done / total
                blocks.append(stage.block(_Place(stage, position == 0), drop, norm))
                done += 1
            layers.append(nn.Sequential(*blocks))
        narrow = stages[-1].out_channels
        wide = 4 * narrow if last_channel is None else last_channel
        layers.append(_Layer(narrow, wide, 1, norm_layer=norm))
        self.features = nn.Sequential(*layers)
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        last = nn.Linear(wide, num_classes)
        self.classifier = nn.Sequential(nn.Dropout(p=dropout, inplace=True), last)
        initialize(self, linear_std=None)
        bound = 1.0 / math.sqrt(num_classes)
        nn.init.uniform_(last.weight, -bound, bound)
        nn.init.zeros_(last.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(flambeau.flatten(self.avgpool(self.features(x)), 1))


# Expansion, kernel, stride, channels in and out, blocks: table 1 of the first paper ...
_FIRST = (
    (1, 3, 1, 32, 16, 1),
    (6, 3, 2, 16, 24, 2),
    (6, 5, 2, 24, 40, 2),
    (6, 3, 2, 40, 80, 3),
    (6, 5, 1, 80, 112, 3),
    (6, 5, 2, 112, 192, 4),
    (6, 3, 1, 192, 320, 1),
)
# ... and table 4 of the second with its larger kin; the first three stages are fused.
_SECOND = {
    "s": (
        (1, 3, 1, 24, 24, 2),
        (4, 3, 2, 24, 48, 4),
        (4, 3, 2, 48, 64, 4),
        (4, 3, 2, 64, 128, 6),
        (6, 3, 1, 128, 160, 9),
        (6, 3, 2, 160, 256, 15),
    ),
    "m": (
        (1, 3, 1, 24, 24, 3),
        (4, 3, 2, 24, 48, 5),
        (4, 3, 2, 48, 80, 5),
        (4, 3, 2, 80, 160, 7),
        (6, 3, 1, 160, 176, 14),
        (6, 3, 2, 176, 304, 18),
        (6, 3, 1, 304, 512, 5),
    ),
    "l": (
        (1, 3, 1, 32, 32, 4),
        (4, 3, 2, 32, 64, 7),
        (4, 3, 2, 64, 96, 7),
        (4, 3, 2, 96, 192, 10),
        (6, 3, 1, 192, 224, 19),
        (6, 3, 2, 224, 384, 25),
        (6, 3, 1, 384, 640, 7),
    ),
}
_SLOW_NORM = functools.partial(nn.BatchNorm2d, eps=0.001, momentum=0.01)
_V2_NORM = functools.partial(nn.BatchNorm2d, eps=0.001)


def _first(
    size: int, weights: Any, width: float, depth: float, dropout: float, norm: Norm | None = None
) -> Callable[..., EfficientNet]:
    def make(**options: Any) -> EfficientNet:
        scale = {"width_mult": width, "depth_mult": depth}
        stages = [MBConvConfig(*row, **scale) for row in _FIRST]  # type: ignore[arg-type]
        return EfficientNet(stages, **{"dropout": dropout, "norm_layer": norm, **options})

    name = f"efficientnet_b{size}"
    return builder(name, weights, EfficientNet, make, title=f"EfficientNet-B{size}")


def _second(size: str, weights: Any, dropout: float) -> Callable[..., EfficientNet]:
    def make(**options: Any) -> EfficientNet:
        rows = _SECOND[size]
        stages = [*(FusedMBConvConfig(*r) for r in rows[:3]), *(MBConvConfig(*r) for r in rows[3:])]
        fixed = {"dropout": dropout, "norm_layer": _V2_NORM, "last_channel": 1280}
        return EfficientNet(stages, **{**fixed, **options})

    name = f"efficientnet_v2_{size}"
    return builder(name, weights, EfficientNet, make, title=f"EfficientNetV2-{size.upper()}")


EfficientNet_B0_Weights = weights_enum("EfficientNet_B0_Weights", __name__)
EfficientNet_B1_Weights = weights_enum("EfficientNet_B1_Weights", __name__)
EfficientNet_B2_Weights = weights_enum("EfficientNet_B2_Weights", __name__)
EfficientNet_B3_Weights = weights_enum("EfficientNet_B3_Weights", __name__)
EfficientNet_B4_Weights = weights_enum("EfficientNet_B4_Weights", __name__)
EfficientNet_B5_Weights = weights_enum("EfficientNet_B5_Weights", __name__)
EfficientNet_B6_Weights = weights_enum("EfficientNet_B6_Weights", __name__)
EfficientNet_B7_Weights = weights_enum("EfficientNet_B7_Weights", __name__)
EfficientNet_V2_S_Weights = weights_enum("EfficientNet_V2_S_Weights", __name__)
EfficientNet_V2_M_Weights = weights_enum("EfficientNet_V2_M_Weights", __name__)
EfficientNet_V2_L_Weights = weights_enum("EfficientNet_V2_L_Weights", __name__)

efficientnet_b0 = _first(0, EfficientNet_B0_Weights, 1.0, 1.0, 0.2)
efficientnet_b1 = _first(1, EfficientNet_B1_Weights, 1.0, 1.1, 0.2)
efficientnet_b2 = _first(2, EfficientNet_B2_Weights, 1.1, 1.2, 0.3)
efficientnet_b3 = _first(3, EfficientNet_B3_Weights, 1.2, 1.4, 0.3)
efficientnet_b4 = _first(4, EfficientNet_B4_Weights, 1.4, 1.8, 0.4)
efficientnet_b5 = _first(5, EfficientNet_B5_Weights, 1.6, 2.2, 0.4, _SLOW_NORM)
efficientnet_b6 = _first(6, EfficientNet_B6_Weights, 1.8, 2.6, 0.5, _SLOW_NORM)
efficientnet_b7 = _first(7, EfficientNet_B7_Weights, 2.0, 3.1, 0.5, _SLOW_NORM)
efficientnet_v2_s = _second("s", EfficientNet_V2_S_Weights, 0.2)
efficientnet_v2_m = _second("m", EfficientNet_V2_M_Weights, 0.3)
efficientnet_v2_l = _second("l", EfficientNet_V2_L_Weights, 0.4)
