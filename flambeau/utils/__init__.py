"""Utilities around training: data loading and hooks (``torch.utils``)."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from flambeau.utils import data, dlpack, hooks

__all__ = ["data", "dlpack", "hooks"]


def __getattr__(name: str) -> Any:
    if name in ("benchmark", "checkpoint", "_pytree", "model_zoo", "tensorboard"):
        return import_module(f"{__name__}.{name}")
    raise AttributeError(f"module 'torch.utils' has no attribute {name!r}")
