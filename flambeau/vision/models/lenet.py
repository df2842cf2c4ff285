"""LeNet-5, with the rectifiers and maximum pooling of today.

Source: LeCun et al., Gradient-based learning applied to document recognition (1998).
"""

from __future__ import annotations

from typing import Any

import flambeau

from ... import nn
from ...tensor import Tensor
from .registry import register_model

__all__ = ["LeNet", "lenet"]


class LeNet(nn.Module):
    """LeNet-5 for images of 28 by 28 pixels (MNIST and its kin); 61,706 parameters.

    Args:
        num_classes: the number of outputs.
        in_channels: channels of the images.

    Shape:
        ``(N, in_channels, 28, 28)`` to ``(N, num_classes)``, scores before the softmax.

    Source: LeCun, Bottou, Bengio and Haffner, "Gradient-based learning applied to document
    recognition" (1998), figure 2; with ReLU for tanh and max for average pooling.
    """

    def __init__(self, num_classes: int = 10, in_channels: int = 1) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(in_channels, 6, kernel_size=5, padding=2),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
            nn.Conv2d(6, 16, kernel_size=5),
            nn.ReLU(inplace=True),
            nn.MaxPool2d(2),
        )
        self.classifier = nn.Sequential(
            nn.Linear(16 * 5 * 5, 120),
            nn.ReLU(inplace=True),
            nn.Linear(120, 84),
            nn.ReLU(inplace=True),
            nn.Linear(84, num_classes),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(flambeau.flatten(self.features(x), 1))


@register_model()
def lenet(*, weights: Any = None, progress: bool = True, **kwargs: Any) -> LeNet:
    """Build :class:`LeNet`.

    Args:
        weights: None; there are no pretrained ones (False is taken for None, and so is the former
            ``pretrained=False``).
        progress: of a download; there is none.
        kwargs: as for :class:`LeNet`.

    Returns:
        The network, with random parameters.

    Raises:
        ValueError: pretrained weights are asked for.
    """
    if weights or kwargs.pop("pretrained", False):
        raise ValueError("No weights available for model lenet: train it, it takes a minute")
    return LeNet(**kwargs)
