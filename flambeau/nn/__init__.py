"""Layers and models (``torch.nn``): modules, their parameters, functions, initialisers."""

from __future__ import annotations

from importlib import import_module
from typing import Any

from flambeau.nn import functional, init, modules, parallel, parameter, utils
from flambeau.nn.modules import *  # noqa: F403
from flambeau.nn.parallel import DataParallel
from flambeau.nn.parameter import (
    Buffer,
    Parameter,
    UninitializedBuffer,
    UninitializedParameter,
)

__all__ = [
    "Buffer",
    "DataParallel",
    "Parameter",
    "UninitializedBuffer",
    "UninitializedParameter",
    "functional",
    "init",
    "modules",
    "parallel",
    "parameter",
    "utils",
]
__all__ += modules.__all__


def __getattr__(name: str) -> Any:
    if name == "attention":
        return import_module(f"{__name__}.attention")
    raise AttributeError(f"module 'torch.nn' has no attribute {name!r}")
