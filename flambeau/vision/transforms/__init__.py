"""Transforms of images (``torchvision.transforms``)."""

from __future__ import annotations

from . import functional
from .color import Grayscale, RandomGrayscale
from .compose import Compose, Lambda, RandomApply, RandomChoice, RandomOrder, RandomTransforms
from .conversion import ConvertImageDtype, Normalize, PILToTensor, ToPILImage, ToTensor
from .functional import InterpolationMode
from .geometry import (
    CenterCrop,
    Pad,
    RandomCrop,
    RandomHorizontalFlip,
    RandomVerticalFlip,
    Resize,
)

__all__ = [
    "CenterCrop",
    "Compose",
    "ConvertImageDtype",
    "Grayscale",
    "InterpolationMode",
    "Lambda",
    "Normalize",
    "PILToTensor",
    "Pad",
    "RandomApply",
    "RandomChoice",
    "RandomCrop",
    "RandomGrayscale",
    "RandomHorizontalFlip",
    "RandomOrder",
    "RandomTransforms",
    "RandomVerticalFlip",
    "Resize",
    "ToPILImage",
    "ToTensor",
]
