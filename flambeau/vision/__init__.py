"""Image datasets and transforms under torchvision's names."""

from __future__ import annotations

from . import datasets, transforms, utils

__version__ = "0.28.0"

__all__ = ["datasets", "transforms", "utils"]
