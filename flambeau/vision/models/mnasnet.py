"""MNASNet: a network for telephones, found by a search.

Source: https://docs.pytorch.org/vision/0.28/models/mnasnet.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ... import nn
from ...tensor import Tensor
from ._utils import _make_divisible
from .builders import builder, weights_enum

__all__ = [
    "MNASNet",
    "MNASNet0_5_Weights",
    "MNASNet0_75_Weights",
    "MNASNet1_0_Weights",
    "MNASNet1_3_Weights",
    "mnasnet0_5",
    "mnasnet0_75",
    "mnasnet1_0",
    "mnasnet1_3",
]

# That of TensorFlow, 0.9997, is the share of what was before.
_MOMENTUM = 1 - 0.9997


def _norm(channels: int, momentum: float = _MOMENTUM) -> nn.Module:
    return nn.BatchNorm2d(channels, momentum=momentum)


class _InvertedResidual(nn.Module):
    """Widens, filters each channel, and narrows; with a way around where it fits."""

    def __init__(
        self,
        in_ch: int,
        out_ch: int,
        kernel_size: int,
        stride: int,
        expansion_factor: int,
        bn_momentum: float = 0.1,
    ) -> None:
        super().__init__()
        if stride not in (1, 2):
            raise ValueError(f"stride should be 1 or 2 instead of {stride}")
        if kernel_size not in (3, 5):
            raise ValueError(f"kernel_size should be 3 or 5 instead of {kernel_size}")
        wide = in_ch * expansion_factor
        self.apply_residual = in_ch == out_ch and stride == 1
        self.layers = nn.Sequential(
            nn.Conv2d(in_ch, wide, 1, bias=False),
            _norm(wide, bn_momentum),
            nn.ReLU(inplace=True),
            nn.Conv2d(wide, wide, kernel_size, stride, kernel_size // 2, groups=wide, bias=False),
            _norm(wide, bn_momentum),
            nn.ReLU(inplace=True),
            nn.Conv2d(wide, out_ch, 1, bias=False),
            _norm(out_ch, bn_momentum),
        )

    def forward(self, input: Tensor) -> Tensor:
        result = self.layers(input)
        return result + input if self.apply_residual else result


# Channels, kernel, stride, expansion, blocks: figure 7 of the paper.
_STACKS = (
    (24, 3, 2, 3, 3),
    (40, 5, 2, 3, 3),
    (80, 5, 2, 6, 3),
    (96, 3, 1, 6, 2),
    (192, 5, 2, 6, 4),
    (320, 3, 1, 6, 1),
)


class MNASNet(nn.Module):
    """MNASNet; 4,383,312 parameters for 1000 classes, with the ordinary width.

    Args:
        alpha: how many times as many channels.
        num_classes: the number of outputs.
        dropout: the share of inputs that the last layer does without.

    Shape:
        ``(N, 3, H, W)`` to ``(N, num_classes)``.

    Raises:
        ValueError: ``alpha`` is not above 0.

    Source: Tan and others, "MnasNet: platform-aware neural architecture search for mobile" (2019);
    https://docs.pytorch.org/vision/0.28/models/mnasnet.html
    """

    _version = 2  # files of the first version have a first layer of another width

    def __init__(self, alpha: float, num_classes: int = 1000, dropout: float = 0.2) -> None:
        super().__init__()
        if alpha <= 0.0:
            raise ValueError(f"alpha should be greater than 0.0 instead of {alpha}")
        self.alpha = alpha
        self.num_classes = num_classes
        first, second, *widths = (
            _make_divisible(width * alpha, 8) for width in (32, 16, *(row[0] for row in _STACKS))
        )
        layers: list[nn.Module] = [
            nn.Conv2d(3, first, 3, padding=1, stride=2, bias=False),
            _norm(first),
            nn.ReLU(inplace=True),
            nn.Conv2d(first, first, 3, padding=1, stride=1, groups=first, bias=False),
            _norm(first),
            nn.ReLU(inplace=True),
            nn.Conv2d(first, second, 1, padding=0, stride=1, bias=False),
            _norm(second),
        ]
        channels = second
        for width, (_, kernel, stride, expansion, count) in zip(widths, _STACKS, strict=True):
            blocks = []
            for position in range(count):
                step = stride if position == 0 else 1
                blocks.append(
                    _InvertedResidual(channels, width, kernel, step, expansion, _MOMENTUM)
                )
                channels = width
            layers.append(nn.Sequential(*blocks))
        layers += [
            nn.Conv2d(channels, 1280, 1, padding=0, stride=1, bias=False),
            _norm(1280),
            nn.ReLU(inplace=True),
        ]
        self.layers = nn.Sequential(*layers)
        self.classifier = nn.Sequential(
            nn.Dropout(p=dropout, inplace=True), nn.Linear(1280, num_classes)
        )
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight, mode="fan_out", nonlinearity="relu")
            elif isinstance(layer, nn.Linear):
                nn.init.kaiming_uniform_(layer.weight, mode="fan_out", nonlinearity="sigmoid")
                nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.layers(x).mean([2, 3]))


def _builder(width: str, weights: Any) -> Callable[..., MNASNet]:
    alpha = float(width.replace("_", "."))

    def make(**options: Any) -> MNASNet:
        return MNASNet(alpha, **options)

    title = f"MNASNet of {alpha} times the ordinary width"
    return builder(f"mnasnet{width}", weights, MNASNet, make, title=title)


MNASNet0_5_Weights = weights_enum("MNASNet0_5_Weights", __name__)
MNASNet0_75_Weights = weights_enum("MNASNet0_75_Weights", __name__)
MNASNet1_0_Weights = weights_enum("MNASNet1_0_Weights", __name__)
MNASNet1_3_Weights = weights_enum("MNASNet1_3_Weights", __name__)

mnasnet0_5 = _builder("0_5", MNASNet0_5_Weights)
mnasnet0_75 = _builder("0_75", MNASNet0_75_Weights)
mnasnet1_0 = _builder("1_0", MNASNet1_0_Weights)
mnasnet1_3 = _builder("1_3", MNASNet1_3_Weights)
