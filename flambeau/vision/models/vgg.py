"""VGG: small filters, one after the other.

Source: Simonyan and Zisserman, Very Deep Convolutional Networks for Large-Scale Image Recognition
(2014), https://pytorch.org/vision/stable/models/vgg.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flambeau

from ... import nn
from ...tensor import Tensor
from .builders import Options, builder, weights_enum
from .initialization import initialize

__all__ = [
    "VGG",
    "VGG11_Weights",
    "VGG11_BN_Weights",
    "VGG13_Weights",
    "VGG13_BN_Weights",
    "VGG16_Weights",
    "VGG16_BN_Weights",
    "VGG19_Weights",
    "VGG19_BN_Weights",
    "vgg11",
    "vgg11_bn",
    "vgg13",
    "vgg13_bn",
    "vgg16",
    "vgg16_bn",
    "vgg19",
    "vgg19_bn",
]

_WIDTHS = (64, 128, 256, 512, 512)
_DEPTHS = {
    11: (1, 1, 2, 2, 2),
    13: (2, 2, 2, 2, 2),
    16: (2, 2, 3, 3, 3),
    19: (2, 2, 4, 4, 4),
}
"""How many convolutions of each width: columns A, B, D and E of the paper's table 1."""


class VGG(nn.Module):
    """A VGG network.

    Args:
        features: the convolutions, ending in 512 channels.
        num_classes: the number of outputs.
        init_weights: begin with the paper's normal values rather than the layers' own.
        dropout: the share of inputs that the last two linear layers do without.

    Shape:
        ``(N, 3, H, W)``, at least 32 by 32, to ``(N, num_classes)``.

    Source: Simonyan and Zisserman, "Very deep convolutional networks for large-scale image
    recognition" (2015); https://docs.pytorch.org/vision/0.28/models/vgg.html
    """

    def __init__(
        self,
        features: nn.Module,
        num_classes: int = 1000,
        init_weights: bool = True,
        dropout: float = 0.5,
    ) -> None:
        super().__init__()
        self.features = features
        self.avgpool = nn.AdaptiveAvgPool2d((7, 7))
        self.classifier = nn.Sequential(
            nn.Linear(_WIDTHS[-1] * 7 * 7, 4096),
            nn.ReLU(True),
            nn.Dropout(dropout),
            nn.Linear(4096, 4096),
            nn.ReLU(True),
            nn.Dropout(dropout),
            nn.Linear(4096, num_classes),
        )
        if init_weights:
            initialize(self, nonlinearity="relu")

    def forward(self, x: Tensor) -> Tensor:
        pooled = self.avgpool(self.features(x))
        return self.classifier(flambeau.flatten(pooled, 1))


def _features(depths: tuple[int, ...], batch_norm: bool) -> nn.Sequential:
    layers: list[nn.Module] = []
    channels = 3
    for width, depth in zip(_WIDTHS, depths, strict=True):
        for _ in range(depth):
            layers.append(nn.Conv2d(channels, width, kernel_size=3, padding=1))
            if batch_norm:
                layers.append(nn.BatchNorm2d(width))
            layers.append(nn.ReLU(inplace=True))
            channels = width
        layers.append(nn.MaxPool2d(kernel_size=2, stride=2))
    return nn.Sequential(*layers)


def _keep_what_is_loaded(options: Options, weights: Any) -> None:
    options["init_weights"] = False


def _builder(depth: int, weights: Any, batch_norm: bool = False) -> Callable[..., VGG]:
    def make(**options: Any) -> VGG:
        return VGG(_features(_DEPTHS[depth], batch_norm), **options)

    name = f"vgg{depth}_bn" if batch_norm else f"vgg{depth}"
    title = f"VGG-{depth}{' with batch normalization' if batch_norm else ''}"
    return builder(name, weights, VGG, make, title=title, fixed=_keep_what_is_loaded)


VGG11_Weights = weights_enum("VGG11_Weights", __name__)
VGG11_BN_Weights = weights_enum("VGG11_BN_Weights", __name__)
VGG13_Weights = weights_enum("VGG13_Weights", __name__)
VGG13_BN_Weights = weights_enum("VGG13_BN_Weights", __name__)
VGG16_Weights = weights_enum("VGG16_Weights", __name__)
VGG16_BN_Weights = weights_enum("VGG16_BN_Weights", __name__)
VGG19_Weights = weights_enum("VGG19_Weights", __name__)
VGG19_BN_Weights = weights_enum("VGG19_BN_Weights", __name__)

vgg11 = _builder(11, VGG11_Weights)
vgg11_bn = _builder(11, VGG11_BN_Weights, batch_norm=True)
vgg13 = _builder(13, VGG13_Weights)
vgg13_bn = _builder(13, VGG13_BN_Weights, batch_norm=True)
vgg16 = _builder(16, VGG16_Weights)
vgg16_bn = _builder(16, VGG16_BN_Weights, batch_norm=True)
vgg19 = _builder(19, VGG19_Weights)
vgg19_bn = _builder(19, VGG19_BN_Weights, batch_norm=True)
