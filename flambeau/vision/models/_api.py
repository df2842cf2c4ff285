"""The registries under the name by which packages on top of torchvision import them.

Source: https://docs.pytorch.org/vision/0.28/models.html
"""

from __future__ import annotations

from .registry import get_model, get_model_builder, list_models, register_model
from .weights import Weights, WeightsEnum, get_model_weights, get_weight

__all__ = [
    "Weights",
    "WeightsEnum",
    "get_model",
    "get_model_builder",
    "get_model_weights",
    "get_weight",
    "list_models",
    "register_model",
]
