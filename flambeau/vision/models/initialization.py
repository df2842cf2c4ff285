"""How the convolutional networks here begin."""

from __future__ import annotations

from typing import Any

from ... import nn


def initialize(
    model: nn.Module, *, nonlinearity: str = "leaky_relu", linear_std: float | None = 0.01
) -> None:
    """Draw a network's parameters anew, in the order of its layers.

    Convolutions get normal values whose variance keeps that of the gradient (He and others, 2015),
    normalizations ones; biases are zero.

    Args:
        model: the network.
        nonlinearity: what follows the convolutions.
        linear_std: the standard deviation of linear layers' weights; None leaves those layers.
    """
    for layer in model.modules():
        parts: Any = layer
        if isinstance(layer, nn.Conv2d):
            nn.init.kaiming_normal_(parts.weight, mode="fan_out", nonlinearity=nonlinearity)
        elif isinstance(layer, (nn.BatchNorm2d, nn.GroupNorm)):
            nn.init.ones_(parts.weight)
        elif isinstance(layer, nn.Linear) and linear_std is not None:
            nn.init.normal_(parts.weight, 0.0, linear_std)
        else:
            continue
        if parts.bias is not None:
            nn.init.zeros_(parts.bias)


def initialize_truncated(model: nn.Module, *, std: float) -> None:
    """Draw a network's parameters anew from normal distributions without their ends.

    Weights of convolutions and linear layers get values between -2 and 2; normalizations begin as
    they do.

    Args:
        model: the network.
        std: the standard deviation, but where a layer has its own (``layer.stddev``).
    """
    for layer in model.modules():
        if isinstance(layer, (nn.Conv2d, nn.Linear)):
            deviation = float(getattr(layer, "stddev", std))
            nn.init.trunc_normal_(layer.weight, mean=0.0, std=deviation, a=-2, b=2)
        elif isinstance(layer, nn.BatchNorm2d):
            parts: Any = layer
            nn.init.ones_(parts.weight)
            nn.init.zeros_(parts.bias)
