"""AlexNet, in the form for one device.

Source: https://docs.pytorch.org/vision/0.28/models.html
"""

from __future__ import annotations

import flambeau

from ... import nn
from ...tensor import Tensor
from .builders import builder, weights_enum

__all__ = ["AlexNet", "AlexNet_Weights", "alexnet"]


def _convolution(
    inputs: int, outputs: int, kernel_size: int, stride: int = 1, *, padding: int
) -> list[nn.Module]:
    convolution = nn.Conv2d(inputs, outputs, kernel_size, stride, padding)
    return [convolution, nn.ReLU(inplace=True)]


class AlexNet(nn.Module):
    """AlexNet; 61,100,840 parameters for 1000 classes.

    Args:
        num_classes: the number of outputs.
        dropout: the share of inputs that each of the two large linear layers does without.

    Shape:
        ``(N, 3, H, W)``, at least 63 by 63, to ``(N, num_classes)``.

    Source: Krizhevsky, "One weird trick for parallelizing convolutional neural networks" (2014);
    https://docs.pytorch.org/vision/0.28/models/alexnet.html
    """

    def __init__(self, num_classes: int = 1000, dropout: float = 0.5) -> None:
        super().__init__()

        def pool() -> nn.Module:
            return nn.MaxPool2d(kernel_size=3, stride=2)

        self.features = nn.Sequential(
            *_convolution(3, 64, kernel_size=11, stride=4, padding=2),
            pool(),
            *_convolution(64, 192, kernel_size=5, padding=2),
            pool(),
            *_convolution(192, 384, kernel_size=3, padding=1),
            *_convolution(384, 256, kernel_size=3, padding=1),
            *_convolution(256, 256, kernel_size=3, padding=1),
            pool(),
        )
        self.avgpool = nn.AdaptiveAvgPool2d((6, 6))
        self.classifier = nn.Sequential(
            nn.Dropout(dropout),
            nn.Linear(256 * 6 * 6, 4096),
            nn.ReLU(inplace=True),
            nn.Dropout(dropout),
            nn.Linear(4096, 4096),
            nn.ReLU(inplace=True),
            nn.Linear(4096, num_classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        pooled = self.avgpool(self.features(x))
        return self.classifier(flambeau.flatten(pooled, 1))


AlexNet_Weights = weights_enum("AlexNet_Weights", __name__)
alexnet = builder("alexnet", AlexNet_Weights, AlexNet)
