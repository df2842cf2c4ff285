"""Networks for images, with torchvision's parameter names (``torchvision.models``).

They begin with random values, drawn as torchvision draws them, or with torchvision's pretrained
weights (``resnet18(weights="DEFAULT")``). State dicts fit both ways.

Source: https://docs.pytorch.org/vision/0.28/models.html
"""

from __future__ import annotations

from types import ModuleType

from .alexnet import *
from .convnext import *
from .densenet import *
from .efficientnet import *
from .googlenet import *
from .inception import *
from .lenet import *
from .mnasnet import *
from .mobilenet import *
from .registry import *
from .regnet import *
from .resnet import *
from .shufflenetv2 import *
from .squeezenet import *
from .swin_transformer import *
from .vgg import *
from .vision_transformer import *
from .weights import *

# The builders, their networks and their weights, of which each file has a list.
__all__ = [
    name
    for name, value in globals().items()
    if not name.startswith("_") and callable(value) and value is not ModuleType
]
