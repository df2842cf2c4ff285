"""Image datasets, models and transforms under torchvision's names."""

from __future__ import annotations

from . import datasets, models, transforms, utils

__version__ = "0.28.0"

__all__ = ["datasets", "models", "transforms", "utils"]
