"""DenseNet: every layer sees what all layers before it have made.

Source: https://docs.pytorch.org/vision/0.28/models/densenet.html
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Callable
from typing import Any

import flambeau
from flambeau.utils.checkpoint import checkpoint

from ... import nn
from ...tensor import Tensor
from .builders import builder, weights_enum

__all__ = [
    "DenseNet",
    "DenseNet121_Weights",
    "DenseNet161_Weights",
    "DenseNet169_Weights",
    "DenseNet201_Weights",
    "densenet121",
    "densenet161",
    "densenet169",
    "densenet201",
]


class _DenseLayer(nn.Module):
    """A narrow 1x1 convolution and one of 3x3 over all that is there."""

    def __init__(
        self,
        num_input_features: int,
        growth_rate: int,
        bn_size: int,
        drop_rate: float,
        memory_efficient: bool = False,
    ) -> None:
        super().__init__()
        narrow = bn_size * growth_rate
        self.norm1 = nn.BatchNorm2d(num_input_features)
        self.relu1 = nn.ReLU(inplace=True)
        self.conv1 = nn.Conv2d(num_input_features, narrow, kernel_size=1, stride=1, bias=False)
        self.norm2 = nn.BatchNorm2d(narrow)
        self.relu2 = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(narrow, growth_rate, kernel_size=3, stride=1, padding=1, bias=False)
        self.drop_rate = float(drop_rate)
        self.memory_efficient = memory_efficient

    def forward(self, input: Tensor | list[Tensor]) -> Tensor:
        before = [input] if isinstance(input, Tensor) else input
        if self.memory_efficient and any(part.requires_grad for part in before):
            narrow = checkpoint(self._narrow, *before, use_reentrant=False)
        else:
            narrow = self._narrow(*before)
        new = self.conv2(self.relu2(self.norm2(narrow)))
        if self.drop_rate > 0:
            new = nn.functional.dropout(new, p=self.drop_rate, training=self.training)
        return new

    def _narrow(self, *before: Tensor) -> Tensor:
        return self.conv1(self.relu1(self.norm1(flambeau.cat(before, 1))))


class _DenseBlock(nn.ModuleDict):
    """Layers each of which adds ``growth_rate`` channels to what it was given."""

    def __init__(
        self,
        num_layers: int,
        num_input_features: int,
        bn_size: int,
        growth_rate: int,
        drop_rate: float,
        memory_efficient: bool = False,
    ) -> None:
        super().__init__()
        for i in range(num_layers):
            inputs = num_input_features + i * growth_rate
            layer = _DenseLayer(inputs, growth_rate, bn_size, drop_rate, memory_efficient)
            self.add_module(f"denselayer{i + 1}", layer)

    def forward(self, init_features: Tensor) -> Tensor:
        made = [init_features]
        for layer in self.values():
            made.append(layer(made))
        return flambeau.cat(made, 1)


class _Transition(nn.Sequential):
    """Fewer channels, and half the height and width."""

    def __init__(self, num_input_features: int, num_output_features: int) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(num_input_features)
        self.relu = nn.ReLU(inplace=True)
        self.conv = nn.Conv2d(
            num_input_features, num_output_features, kernel_size=1, stride=1, bias=False
        )
        self.pool = nn.AvgPool2d(kernel_size=2, stride=2)


class DenseNet(nn.Module):
    """A densely connected network; 7,978,856 parameters in DenseNet-121, for 1000 classes.

    Args:
        growth_rate: channels that each layer adds.
        block_config: layers in each of the blocks.
        num_init_features: channels of the first convolution.
        bn_size: a layer's middle has this many times ``growth_rate`` channels.
        drop_rate: the dropout after each layer.
        num_classes: the number of outputs.
        memory_efficient: compute the layers' middles a second time in the backward pass, rather
            than keep them.

    Shape:
        ``(N, 3, H, W)``, at least 29 by 29, to ``(N, num_classes)``.

    Source: Huang, Liu, van der Maaten and Weinberger, "Densely connected convolutional networks"
    (2017); https://docs.pytorch.org/vision/0.28/models/densenet.html
    """

    def __init__(
        self,
        growth_rate: int = 32,
        block_config: tuple[int, ...] = (6, 12, 24, 16),
        num_init_features: int = 64,
        bn_size: int = 4,
        drop_rate: float = 0,
        num_classes: int = 1000,
        memory_efficient: bool = False,
    ) -> None:
        super().__init__()
        first = nn.Conv2d(3, num_init_features, kernel_size=7, stride=2, padding=3, bias=False)
        self.features = nn.Sequential(
            OrderedDict(
                conv0=first,
                norm0=nn.BatchNorm2d(num_init_features),
                relu0=nn.ReLU(inplace=True),
                pool0=nn.MaxPool2d(kernel_size=3, stride=2, padding=1),
            )
        )
        channels = num_init_features
        for i, count in enumerate(block_config, start=1):
            shape = (count, channels, bn_size, growth_rate, drop_rate, memory_efficient)
            self.features.add_module(f"denseblock{i}", _DenseBlock(*shape))
            channels += count * growth_rate
            if i < len(block_config):
                self.features.add_module(f"transition{i}", _Transition(channels, channels // 2))
                channels //= 2
        self.features.add_module("norm5", nn.BatchNorm2d(channels))
        self.classifier = nn.Linear(channels, num_classes)
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d):
                nn.init.kaiming_normal_(layer.weight)
            elif isinstance(layer, nn.Linear):
                nn.init.zeros_(layer.bias)

    def forward(self, x: Tensor) -> Tensor:
        features = nn.functional.relu(self.features(x), inplace=True)
        pooled = nn.functional.adaptive_avg_pool2d(features, (1, 1))
        return self.classifier(flambeau.flatten(pooled, 1))


_FORMER = re.compile(r"(denselayer\d+\.(?:norm|relu|conv))\.(?=[12]\.)")


def _renamed(state: dict[str, Any]) -> dict[str, Any]:
    """A file's ``norm.1`` is a layer's ``norm1``: modules' names had dots when it was written."""
    return {_FORMER.sub(r"\1", name): value for name, value in state.items()}


def _builder(
    depth: int, weights: Any, growth: int, blocks: tuple[int, ...], first: int
) -> Callable[..., DenseNet]:
    def make(**options: Any) -> DenseNet:
        return DenseNet(growth, blocks, first, **options)

    name = f"densenet{depth}"
    return builder(name, weights, DenseNet, make, title=f"DenseNet-{depth}", renamed=_renamed)


DenseNet121_Weights = weights_enum("DenseNet121_Weights", __name__)
DenseNet161_Weights = weights_enum("DenseNet161_Weights", __name__)
DenseNet169_Weights = weights_enum("DenseNet169_Weights", __name__)
DenseNet201_Weights = weights_enum("DenseNet201_Weights", __name__)

densenet121 = _builder(121, DenseNet121_Weights, 32, (6, 12, 24, 16), 64)
densenet161 = _builder(161, DenseNet161_Weights, 48, (6, 12, 36, 24), 96)
densenet169 = _builder(169, DenseNet169_Weights, 32, (6, 12, 32, 32), 64)
densenet201 = _builder(201, DenseNet201_Weights, 32, (6, 12, 48, 32), 64)
