"""Image datasets, models and transforms under torchvision's names."""

from __future__ import annotations

from . import datasets, io, models, ops, transforms, utils

__version__ = "0.28.0"

__all__ = ["datasets", "io", "models", "ops", "transforms", "utils"]
