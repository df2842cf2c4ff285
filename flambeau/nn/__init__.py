"""Layers and models (``torch.nn``): modules, their parameters, functions, initialisers."""

from __future__ import annotations

from flambeau.nn import (
    _reduction,
    attention,
    functional,
    grad,
    init,
    modules,
    parallel,
    parameter,
    utils,
)
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
    "attention",
    "functional",
    "grad",
    "init",
    "modules",
    "parallel",
    "parameter",
    "utils",
]
__all__ += modules.__all__
