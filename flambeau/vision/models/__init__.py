"""Networks for images, with torchvision's parameter names (``torchvision.models``).

They begin with random values, drawn as torchvision draws them. State dicts fit both ways.
"""

from __future__ import annotations

from typing import Any

from .alexnet import AlexNet, alexnet
from .lenet import LeNet, lenet
from .mobilenetv2 import MobileNetV2, mobilenet_v2
from .registry import get_model, get_model_builder, list_models, register_model
from .resnet import (
    ResNet,
    resnet18,
    resnet34,
    resnet50,
    resnet101,
    resnet152,
    resnext50_32x4d,
    resnext101_32x8d,
    wide_resnet50_2,
    wide_resnet101_2,
)
from .vgg import VGG, vgg11, vgg11_bn, vgg13, vgg13_bn, vgg16, vgg16_bn, vgg19, vgg19_bn

__all__ = [
    "VGG",
    "AlexNet",
    "LeNet",
    "MobileNetV2",
    "ResNet",
    "alexnet",
    "get_model",
    "get_model_builder",
    "lenet",
    "list_models",
    "mobilenet_v2",
    "register_model",
    "resnet101",
    "resnet152",
    "resnet18",
    "resnet34",
    "resnet50",
    "resnext101_32x8d",
    "resnext50_32x4d",
    "vgg11",
    "vgg11_bn",
    "vgg13",
    "vgg13_bn",
    "vgg16",
    "vgg16_bn",
    "vgg19",
    "vgg19_bn",
    "wide_resnet101_2",
    "wide_resnet50_2",
]


def __getattr__(name: str) -> Any:
    if name.endswith("_Weights"):
        raise AttributeError(
            f"flambeau publishes no pretrained weights, so there is no {name}: build the model "
            "with weights=None, and load a state dict of torchvision's, whose names fit"
        )
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
