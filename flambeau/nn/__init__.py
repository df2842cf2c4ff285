"""Layers and models (``torch.nn``): modules, their parameters, functions, initialisers."""

from __future__ import annotations

from flambeau.nn import functional, init, modules, parameter, utils
from flambeau.nn.modules import *  # noqa: F403
from flambeau.nn.modules import __all__ as _layers
from flambeau.nn.parameter import (
    Buffer,
    Parameter,
    UninitializedBuffer,
    UninitializedParameter,
)

__all__ = [
    *_layers,
    "Buffer",
    "Parameter",
    "UninitializedBuffer",
    "UninitializedParameter",
    "functional",
    "init",
    "modules",
    "parameter",
    "utils",
]
