"""ShuffleNetV2: half the channels go by, and then they are mixed.

Source: https://docs.pytorch.org/vision/0.28/models/shufflenetv2.html
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import flambeau

from ... import nn
from ...tensor import Tensor
from .builders import builder, weights_enum

__all__ = [
    "ShuffleNetV2",
    "ShuffleNet_V2_X0_5_Weights",
    "ShuffleNet_V2_X1_0_Weights",
    "ShuffleNet_V2_X1_5_Weights",
    "ShuffleNet_V2_X2_0_Weights",
    "shufflenet_v2_x0_5",
    "shufflenet_v2_x1_0",
    "shufflenet_v2_x1_5",
    "shufflenet_v2_x2_0",
]


def _dense(inputs: int, outputs: int, kernel: int = 1, stride: int = 1) -> list[nn.Module]:
    return [
        nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
        nn.BatchNorm2d(outputs),
        nn.ReLU(inplace=True),
    ]


def _by_channel(channels: int, stride: int) -> list[nn.Module]:
    convolution = nn.Conv2d(channels, channels, 3, stride, 1, groups=channels, bias=False)
    return [convolution, nn.BatchNorm2d(channels)]


class InvertedResidual(nn.Module):
    """A block of two branches, whose channels are mixed at the end.

    With stride 1 the first branch is one half of the channels, unchanged.

    Args:
        inp, oup: channels that come in and go out.
        stride: 1, 2 or 3.

    Shape:
        ``(N, inp, H, W)`` to ``(N, oup, H / stride, W / stride)``.

    Raises:
        ValueError: another stride, or at stride 1 other than as many channels out as in, half of
            them a whole number.
    """

    def __init__(self, inp: int, oup: int, stride: int) -> None:
        super().__init__()
        if not 1 <= stride <= 3:
            raise ValueError(f"stride is 1, 2 or 3, not {stride}")
        half = oup // 2
        if stride == 1 and inp != half * 2:
            raise ValueError(
                f"at stride 1 as many channels go out as come in: inp={inp} and oup={oup}"
            )
        self.stride = stride
        self.branch1 = nn.Sequential()
        if stride > 1:
            self.branch1 = nn.Sequential(*_by_channel(inp, stride), *_dense(inp, half))
        self.branch2 = nn.Sequential(
            *_dense(inp if stride > 1 else half, half),
            *_by_channel(half, stride),
            *_dense(half, half),
        )

    def forward(self, x: Tensor) -> Tensor:
        if self.stride == 1:
            kept, changed = x.chunk(2, dim=1)
        else:
            kept, changed = self.branch1(x), x
        both = flambeau.cat((kept, self.branch2(changed)), dim=1)
        return nn.functional.channel_shuffle(both, 2)


class ShuffleNetV2(nn.Module):
    """ShuffleNetV2; 2,278,604 parameters for 1000 classes, with the ordinary width.

    Args:
        stages_repeats: blocks in each of the three stages.
        stages_out_channels: channels of the first convolution, the stages and the last one.
        num_classes: the number of outputs.
        inverted_residual: the class of the blocks.

    Shape:
        ``(N, 3, H, W)`` to ``(N, num_classes)``.

    Raises:
        ValueError: there are other than three stages or five numbers of channels.

    Source: Ma, Zhang, Zheng and Sun, "ShuffleNet V2: practical guidelines for efficient CNN
    architecture design" (2018); https://docs.pytorch.org/vision/0.28/models/shufflenetv2.html
    """

    def __init__(
        self,
        stages_repeats: Sequence[int],
        stages_out_channels: Sequence[int],
        num_classes: int = 1000,
        inverted_residual: Callable[..., nn.Module] = InvertedResidual,
    ) -> None:
        super().__init__()
        if len(stages_repeats) != 3:
            raise ValueError("expected stages_repeats as list of 3 positive ints")
        if len(stages_out_channels) != 5:
            raise ValueError("expected stages_out_channels as list of 5 positive ints")
        first, *widths, last = stages_out_channels
        self.conv1 = nn.Sequential(*_dense(3, first, 3, 2))
        self.maxpool = nn.MaxPool2d(kernel_size=3, stride=2, padding=1)
        stages = []
        channels = first
        for count, width in zip(stages_repeats, widths, strict=True):
            blocks = [inverted_residual(channels, width, 2)]
            blocks += [inverted_residual(width, width, 1) for _ in range(count - 1)]
            stages.append(nn.Sequential(*blocks))
            channels = width
        self.stage2, self.stage3, self.stage4 = stages
        self.conv5 = nn.Sequential(*_dense(channels, last))
        self.fc = nn.Linear(last, num_classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stage4(self.stage3(self.stage2(self.maxpool(self.conv1(x)))))
        return self.fc(self.conv5(x).mean([2, 3]))


def _builder(width: str, weights: Any, channels: tuple[int, ...]) -> Callable[..., ShuffleNetV2]:
    def make(**options: Any) -> ShuffleNetV2:
        return ShuffleNetV2((4, 8, 4), channels, **options)

    title = f"ShuffleNetV2 of {width.replace('_', '.')} times the ordinary width"
    return builder(f"shufflenet_v2_x{width}", weights, ShuffleNetV2, make, title=title)


ShuffleNet_V2_X0_5_Weights = weights_enum("ShuffleNet_V2_X0_5_Weights", __name__)
ShuffleNet_V2_X1_0_Weights = weights_enum("ShuffleNet_V2_X1_0_Weights", __name__)
ShuffleNet_V2_X1_5_Weights = weights_enum("ShuffleNet_V2_X1_5_Weights", __name__)
ShuffleNet_V2_X2_0_Weights = weights_enum("ShuffleNet_V2_X2_0_Weights", __name__)

shufflenet_v2_x0_5 = _builder("0_5", ShuffleNet_V2_X0_5_Weights, (24, 48, 96, 192, 1024))
shufflenet_v2_x1_0 = _builder("1_0", ShuffleNet_V2_X1_0_Weights, (24, 116, 232, 464, 1024))
shufflenet_v2_x1_5 = _builder("1_5", ShuffleNet_V2_X1_5_Weights, (24, 176, 352, 704, 1024))
shufflenet_v2_x2_0 = _builder("2_0", ShuffleNet_V2_X2_0_Weights, (24, 244, 488, 976, 2048))
