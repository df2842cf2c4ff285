"""Image datasets, models and transforms under torchvision's names."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from . import datasets, models, transforms, utils

__version__ = "0.28.0"

__all__ = ["datasets", "models", "transforms", "utils"]


def __getattr__(name: str) -> Any:
    if name in ("io", "ops"):
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module 'torchvision' has no attribute {name!r}")
