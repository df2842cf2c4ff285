"""RegNet: networks whose widths grow by a simple rule.

Source: https://docs.pytorch.org/vision/0.28/models/regnet.html
"""

from __future__ import annotations

import functools
import math
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import flambeau

from ... import nn
from ...tensor import Tensor
from ..ops.blocks import Conv2dNormActivation, SqueezeExcitation
from ._utils import _make_divisible
from .builders import builder, weights_enum

__all__ = [
    "RegNet",
    "RegNet_X_400MF_Weights",
    "RegNet_X_800MF_Weights",
    "RegNet_X_1_6GF_Weights",
    "RegNet_X_3_2GF_Weights",
    "RegNet_X_8GF_Weights",
    "RegNet_X_16GF_Weights",
    "RegNet_X_32GF_Weights",
    "RegNet_Y_400MF_Weights",
    "RegNet_Y_800MF_Weights",
    "RegNet_Y_1_6GF_Weights",
    "RegNet_Y_3_2GF_Weights",
    "RegNet_Y_8GF_Weights",
    "RegNet_Y_16GF_Weights",
    "RegNet_Y_32GF_Weights",
    "RegNet_Y_128GF_Weights",
    "regnet_x_400mf",
    "regnet_x_800mf",
    "regnet_x_1_6gf",
    "regnet_x_3_2gf",
    "regnet_x_8gf",
    "regnet_x_16gf",
    "regnet_x_32gf",
    "regnet_y_400mf",
    "regnet_y_800mf",
    "regnet_y_1_6gf",
    "regnet_y_3_2gf",
    "regnet_y_8gf",
    "regnet_y_16gf",
    "regnet_y_32gf",
    "regnet_y_128gf",
]

Layer = Callable[..., nn.Module]


class SimpleStemIN(Conv2dNormActivation):
    """The first convolution, of 3x3 with stride 2.

    Args:
        width_in, width_out: channels that come in and go out.
        norm_layer, activation_layer: what follows.
    """

    def __init__(
        self, width_in: int, width_out: int, norm_layer: Layer, activation_layer: Layer
    ) -> None:
        super().__init__(
            width_in, width_out, 3, 2, norm_layer=norm_layer, activation_layer=activation_layer
        )


class BottleneckTransform(nn.Sequential):
    """1x1, 3x3 in groups, perhaps channels weighed, 1x1.

    Args:
        width_in, width_out: channels that come in and go out.
        stride: of the 3x3 convolution.
        norm_layer, activation_layer: what follows the convolutions.
        group_width: channels of each group.
        bottleneck_multiplier: channels between, for each that goes out.
        se_ratio: channels of what weighs the channels, for each that comes in; None: none are.
    """

    def __init__(
        self,
        width_in: int,
        width_out: int,
        stride: int,
        norm_layer: Layer,
        activation_layer: Layer,
        group_width: int,
        bottleneck_multiplier: float,
        se_ratio: float | None,
    ) -> None:
        between = int(round(width_out * bottleneck_multiplier))
        groups = between // group_width
        layer = functools.partial(
            Conv2dNormActivation, norm_layer=norm_layer, activation_layer=activation_layer
        )
        layers: OrderedDict[str, nn.Module] = OrderedDict()
        layers["a"] = layer(width_in, between, 1)
        layers["b"] = layer(between, between, 3, stride, groups=groups)
        if se_ratio:
            squeezed = int(round(se_ratio * width_in))
            layers["se"] = SqueezeExcitation(between, squeezed, activation=activation_layer)
        layers["c"] = Conv2dNormActivation(
            between, width_out, 1, norm_layer=norm_layer, activation_layer=None
        )
        super().__init__(layers)


class ResBottleneckBlock(nn.Module):
    """A :class:`BottleneckTransform` and a way around it.

    Args:
        width_in, width_out, stride, norm_layer, activation_layer, group_width,
            bottleneck_multiplier, se_ratio: as there.

    Shape:
        ``(N, width_in, H, W)`` to ``(N, width_out, H / stride, W / stride)``.
    """

    def __init__(
        self,
        width_in: int,
        width_out: int,
        stride: int,
        norm_layer: Layer,
        activation_layer: Layer,
        group_width: int = 1,
        bottleneck_multiplier: float = 1.0,
        se_ratio: float | None = None,
    ) -> None:
        super().__init__()
        self.proj = None
        if width_in != width_out or stride != 1:
            self.proj = Conv2dNormActivation(
                width_in, width_out, 1, stride, norm_layer=norm_layer, activation_layer=None
            )
        self.f = BottleneckTransform(
            width_in, width_out, stride, norm_layer, activation_layer, group_width,
            bottleneck_multiplier, se_ratio,
        )  # fmt: skip
        self.activation = activation_layer(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        around = x if self.proj is None else self.proj(x)
        return self.activation(around + self.f(x))


class BlockParams:
    """What the four stages are like.

    Args:
        depths, widths, group_widths, bottleneck_multipliers, strides: of each stage the blocks,
            channels, channels of a group, channels between, and the first block's stride.
        se_ratio: channels of what weighs the channels, for each that comes in.
    """

    def __init__(
        self,
        depths: list[int],
        widths: list[int],
        group_widths: list[int],
        bottleneck_multipliers: list[float],
        strides: list[int],
        se_ratio: float | None = None,
    ) -> None:
        self.depths = depths
        self.widths = widths
        self.group_widths = group_widths
        self.bottleneck_multipliers = bottleneck_multipliers
        self.strides = strides
        self.se_ratio = se_ratio

    @classmethod
    def from_init_params(
        cls,
        depth: int,
        w_0: int,
        w_a: float,
        w_m: float,
        group_width: int,
        bottleneck_multiplier: float = 1.0,
        se_ratio: float | None = None,
    ) -> BlockParams:
        """The stages that the paper's rule gives (its equations 2 to 4).

        Args:
            depth: blocks in all.
            w_0, w_a, w_m: the width of the first block, what each block adds, and by what factor
                the widths of two stages differ.
            group_width: channels of a group, where a stage has so many.
            bottleneck_multiplier: channels between, for each that goes out.
            se_ratio: channels of what weighs the channels, for each that comes in.

        Returns:
            The stages.

        Raises:
            ValueError: the numbers are not those of a network that grows.
        """
        if w_a < 0 or w_0 <= 0 or w_m <= 1 or w_0 % 8:
            raise ValueError(
                f"Invalid RegNet settings: w_a={w_a} at least 0, w_0={w_0} a multiple of 8 above 0 "
                f"and w_m={w_m} above 1 are expected"
            )
        # float32, as rounding decides where a stage ends.
        linear = flambeau.arange(depth) * w_a + w_0
        steps = flambeau.round(flambeau.log(linear / w_0) / math.log(w_m))
        rounded = flambeau.round(w_0 * flambeau.pow(w_m, steps) / 8) * 8
        by_block = [int(width) for width in rounded.tolist()]
        widths = list(dict.fromkeys(by_block))
        depths = [by_block.count(width) for width in widths]
        groups, fitting = [], []
        for width in widths:
            between = int(width * bottleneck_multiplier)
            group = min(group_width, between)
            groups.append(group)
            fitting.append(int(_make_divisible(between, group) / bottleneck_multiplier))
        count = len(widths)
        return cls(depths, fitting, groups, [bottleneck_multiplier] * count, [2] * count, se_ratio)

    def stages(self) -> list[dict[str, Any]]:
        """The arguments of each stage's blocks, with ``depth``."""
        rows = zip(
            self.widths, self.strides, self.depths, self.group_widths,
            self.bottleneck_multipliers, strict=True,
        )  # fmt: skip
        return [
            {
                "width_out": width,
                "stride": stride,
                "depth": depth,
                "group_width": group,
                "bottleneck_multiplier": multiplier,
            }
            for width, stride, depth, group, multiplier in rows
        ]


class RegNet(nn.Module):
    """RegNet; 4,344,144 parameters in RegNetY-400MF, for 1000 classes.

    Args:
        block_params: what the stages are like.
        num_classes: the number of outputs.
        stem_width: channels of the first convolution.
        stem_type, block_type, norm_layer, activation: the classes of the first convolution, the
            blocks, the normalizations and the activations.

    Shape:
        ``(N, 3, H, W)`` to ``(N, num_classes)``.

    Source: Radosavovic, Kosaraju, Girshick, He and Dollar, "Designing network design spaces"
    (2020); https://docs.pytorch.org/vision/0.28/models/regnet.html
    """

    def __init__(
        self,
        block_params: BlockParams,
        num_classes: int = 1000,
        stem_width: int = 32,
        stem_type: Layer | None = None,
        block_type: Layer | None = None,
        norm_layer: Layer | None = None,
        activation: Layer | None = None,
    ) -> None:
        super().__init__()
        norm, act = norm_layer or nn.BatchNorm2d, activation or nn.ReLU
        make = block_type or ResBottleneckBlock
        self.stem = (stem_type or SimpleStemIN)(3, stem_width, norm, act)
        stages: OrderedDict[str, nn.Module] = OrderedDict()
        channels = stem_width
        for i, row in enumerate(block_params.stages(), start=1):
            blocks: OrderedDict[str, nn.Module] = OrderedDict()
            width = row["width_out"]
            shape = (row["group_width"], row["bottleneck_multiplier"], block_params.se_ratio)
            for j in range(row["depth"]):
                stride = row["stride"] if j == 0 else 1
                blocks[f"block{i}-{j}"] = make(channels, width, stride, norm, act, *shape)
                channels = width
            stages[f"block{i}"] = nn.Sequential(blocks)
        self.trunk_output = nn.Sequential(stages)
        self.avgpool = nn.AdaptiveAvgPool2d((1, 1))
        self.fc = nn.Linear(channels, num_classes)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                fan_out = math.prod(layer.kernel_size) * layer.out_channels
                nn.init.normal_(layer.weight, mean=0.0, std=math.sqrt(2.0 / fan_out))
            elif isinstance(layer, nn.Linear):
                nn.init.normal_(layer.weight, mean=0.0, std=0.01)
                nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        x = self.trunk_output(self.stem(x))
        return self.fc(flambeau.flatten(self.avgpool(x), 1))


# Depth, w_0, w_a, w_m and the width of groups: the paper's appendix.
_X: dict[str, tuple[int, int, float, float, int]] = {
    "400mf": (22, 24, 24.48, 2.54, 16),
    "800mf": (16, 56, 35.73, 2.28, 16),
    "1_6gf": (18, 80, 34.01, 2.25, 24),
    "3_2gf": (25, 88, 26.31, 2.25, 48),
    "8gf": (23, 80, 49.56, 2.88, 120),
    "16gf": (22, 216, 55.59, 2.1, 128),
    "32gf": (23, 320, 69.86, 2.0, 168),
}
_Y: dict[str, tuple[int, int, float, float, int]] = {
    "400mf": (16, 48, 27.89, 2.09, 8),
    "800mf": (14, 56, 38.84, 2.4, 16),
    "1_6gf": (27, 48, 20.71, 2.65, 24),
    "3_2gf": (21, 80, 42.63, 2.66, 24),
    "8gf": (17, 192, 76.82, 2.19, 56),
    "16gf": (18, 200, 106.23, 2.48, 112),
    "32gf": (20, 232, 115.89, 2.53, 232),
    "128gf": (27, 456, 160.83, 2.52, 264),
}


def _builder(kind: str, size: str, weights: Any) -> Callable[..., RegNet]:
    settings, se_ratio = (_X, None) if kind == "x" else (_Y, 0.25)

    def make(**options: Any) -> RegNet:
        params = BlockParams.from_init_params(*settings[size], se_ratio=se_ratio)
        norm = options.pop("norm_layer", functools.partial(nn.BatchNorm2d, eps=1e-05, momentum=0.1))
        return RegNet(params, norm_layer=norm, **options)

    title = f"RegNet{kind.upper()}-{size.upper().replace('_', '.')}"
    return builder(f"regnet_{kind}_{size}", weights, RegNet, make, title=title)


RegNet_X_400MF_Weights = weights_enum("RegNet_X_400MF_Weights", __name__)
RegNet_X_800MF_Weights = weights_enum("RegNet_X_800MF_Weights", __name__)
RegNet_X_1_6GF_Weights = weights_enum("RegNet_X_1_6GF_Weights", __name__)
RegNet_X_3_2GF_Weights = weights_enum("RegNet_X_3_2GF_Weights", __name__)
RegNet_X_8GF_Weights = weights_enum("RegNet_X_8GF_Weights", __name__)
RegNet_X_16GF_Weights = weights_enum("RegNet_X_16GF_Weights", __name__)
RegNet_X_32GF_Weights = weights_enum("RegNet_X_32GF_Weights", __name__)
RegNet_Y_400MF_Weights = weights_enum("RegNet_Y_400MF_Weights", __name__)
RegNet_Y_800MF_Weights = weights_enum("RegNet_Y_800MF_Weights", __name__)
RegNet_Y_1_6GF_Weights = weights_enum("RegNet_Y_1_6GF_Weights", __name__)
RegNet_Y_3_2GF_Weights = weights_enum("RegNet_Y_3_2GF_Weights", __name__)
RegNet_Y_8GF_Weights = weights_enum("RegNet_Y_8GF_Weights", __name__)
RegNet_Y_16GF_Weights = weights_enum("RegNet_Y_16GF_Weights", __name__)
RegNet_Y_32GF_Weights = weights_enum("RegNet_Y_32GF_Weights", __name__)
RegNet_Y_128GF_Weights = weights_enum("RegNet_Y_128GF_Weights", __name__)

regnet_x_400mf = _builder("x", "400mf", RegNet_X_400MF_Weights)
regnet_x_800mf = _builder("x", "800mf", RegNet_X_800MF_Weights)
regnet_x_1_6gf = _builder("x", "1_6gf", RegNet_X_1_6GF_Weights)
regnet_x_3_2gf = _builder("x", "3_2gf", RegNet_X_3_2GF_Weights)
regnet_x_8gf = _builder("x", "8gf", RegNet_X_8GF_Weights)
regnet_x_16gf = _builder("x", "16gf", RegNet_X_16GF_Weights)
regnet_x_32gf = _builder("x", "32gf", RegNet_X_32GF_Weights)
regnet_y_400mf = _builder("y", "400mf", RegNet_Y_400MF_Weights)
regnet_y_800mf = _builder("y", "800mf", RegNet_Y_800MF_Weights)
regnet_y_1_6gf = _builder("y", "1_6gf", RegNet_Y_1_6GF_Weights)
regnet_y_3_2gf = _builder("y", "3_2gf", RegNet_Y_3_2GF_Weights)
regnet_y_8gf = _builder("y", "8gf", RegNet_Y_8GF_Weights)
regnet_y_16gf = _builder("y", "16gf", RegNet_Y_16GF_Weights)
regnet_y_32gf = _builder("y", "32gf", RegNet_Y_32GF_Weights)
regnet_y_128gf = _builder("y", "128gf", RegNet_Y_128GF_Weights)
