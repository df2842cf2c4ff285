"""SqueezeNet: AlexNet's accuracy with a fiftieth of its parameters.

Source: https://docs.pytorch.org/vision/0.28/models/squeezenet.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flambeau

from ... import nn
from ...tensor import Tensor
from .builders import builder, weights_enum

__all__ = [
    "SqueezeNet",
    "SqueezeNet1_0_Weights",
    "SqueezeNet1_1_Weights",
    "squeezenet1_0",
    "squeezenet1_1",
]


class Fire(nn.Module):
    """Few channels, and then filters of 1x1 and of 3x3 side by side.

    Args:
        inplanes: channels that come in.
        squeeze_planes: channels of the narrow part.
        expand1x1_planes, expand3x3_planes: channels that go out, by the size of their filters.

    Shape:
        ``(N, inplanes, H, W)`` to ``(N, expand1x1_planes + expand3x3_planes, H, W)``.
    """

    def __init__(
        self, inplanes: int, squeeze_planes: int, expand1x1_planes: int, expand3x3_planes: int
    ) -> None:
        super().__init__()
        self.inplanes = inplanes
        self.squeeze = nn.Conv2d(inplanes, squeeze_planes, kernel_size=1)
        self.squeeze_activation = nn.ReLU(inplace=True)
        self.expand1x1 = nn.Conv2d(squeeze_planes, expand1x1_planes, kernel_size=1)
        self.expand1x1_activation = nn.ReLU(inplace=True)
        self.expand3x3 = nn.Conv2d(squeeze_planes, expand3x3_planes, kernel_size=3, padding=1)
        self.expand3x3_activation = nn.ReLU(inplace=True)

    def forward(self, x: Tensor) -> Tensor:
        narrow = self.squeeze_activation(self.squeeze(x))
        small = self.expand1x1_activation(self.expand1x1(narrow))
        large = self.expand3x3_activation(self.expand3x3(narrow))
        return flambeau.cat([small, large], 1)


# The narrow part's channels; each kind of filters has four or eight times as many, up to 256.
_SQUEEZED = (16, 16, 32, 32, 48, 48, 64, 64)
_EXPANDED = (64, 64, 128, 128, 192, 192, 256, 256)
# The first convolution's channels and filters, and behind which of the blocks (counted from 1, with
# 0 for that convolution) pooling follows.
_VERSIONS = {"1_0": (96, 7, (0, 3, 7)), "1_1": (64, 3, (0, 2, 4))}


class SqueezeNet(nn.Module):
    """SqueezeNet; 1,248,424 (version 1.0) or 1,235,496 parameters (1.1) for 1000 classes.

    Args:
        version: "1_0" or "1_1", which computes less.
        num_classes: the number of outputs.
        dropout: the share of inputs that the last convolution does without.

    Shape:
        ``(N, 3, H, W)``, at least 21 by 21 (17 by 17), to ``(N, num_classes)``.

    Raises:
        ValueError: another version.

    Source: Iandola and others, "SqueezeNet: AlexNet-level accuracy with 50x fewer parameters and
    <0.5MB model size" (2016); https://docs.pytorch.org/vision/0.28/models/squeezenet.html
    """

    def __init__(self, version: str = "1_0", num_classes: int = 1000, dropout: float = 0.5) -> None:
        super().__init__()
        if version not in _VERSIONS:
            raise ValueError(f"Unsupported SqueezeNet version {version}: 1_0 or 1_1 expected")
        self.num_classes = num_classes
        channels, kernel, pooled = _VERSIONS[version]
        layers: list[nn.Module] = [
            nn.Conv2d(3, channels, kernel_size=kernel, stride=2),
            nn.ReLU(inplace=True),
        ]
        for i, (narrow, wide) in enumerate(zip(_SQUEEZED, _EXPANDED, strict=True)):
            if i in pooled:
                layers.append(nn.MaxPool2d(kernel_size=3, stride=2, ceil_mode=True))
            layers.append(Fire(channels, narrow, wide, wide))
            channels = 2 * wide
        self.features = nn.Sequential(*layers)
        final = nn.Conv2d(channels, num_classes, kernel_size=1)
        self.classifier = nn.Sequential(
            nn.Dropout(p=dropout), final, nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d((1, 1))
        )
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                if layer is final:
                    nn.init.normal_(layer.weight, mean=0.0, std=0.01)
                else:
                    nn.init.kaiming_uniform_(layer.weight)
                if layer.bias is not None:
                    nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        return flambeau.flatten(self.classifier(self.features(x)), 1)


def _builder(version: str, weights: Any) -> Callable[..., SqueezeNet]:
    def make(**options: Any) -> SqueezeNet:
        return SqueezeNet(version, **options)

    title = f"SqueezeNet {version.replace('_', '.')}"
    return builder(f"squeezenet{version}", weights, SqueezeNet, make, title=title)


SqueezeNet1_0_Weights = weights_enum("SqueezeNet1_0_Weights", __name__)
SqueezeNet1_1_Weights = weights_enum("SqueezeNet1_1_Weights", __name__)

squeezenet1_0 = _builder("1_0", SqueezeNet1_0_Weights)
squeezenet1_1 = _builder("1_1", SqueezeNet1_1_Weights)
