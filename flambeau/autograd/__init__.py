"""Automatic differentiation: the tape, the backward pass, and what users call of them."""

from __future__ import annotations

from importlib import import_module as _import_module
from typing import Any

from .anomaly import detect_anomaly, set_detect_anomaly
from .backward import backward, grad
from .grad_mode import (
    enable_grad,
    inference_mode,
    is_grad_enabled,
    is_inference_mode_enabled,
    no_grad,
    set_grad_enabled,
)

_LAZY = {
    "Function": "function",
    "gradcheck": "gradcheck",
    "gradgradcheck": "gradcheck",
    "GradcheckError": "gradcheck",
    "Variable": "variable",
}
"""Names whose modules are imported when they are first asked for."""


def __getattr__(name: str) -> Any:
    module = _LAZY.get(name)
    if module is None and name not in (
        "forward_ad",
        "function",
        "functional",
        "graph",
        "profiler",
        "variable",
    ):
        raise AttributeError(f"flambeau has no torch.autograd.{name}")
    try:
        found = _import_module(f"{__name__}.{module or name}")
    except ModuleNotFoundError as error:
        raise AttributeError(f"flambeau has no torch.autograd.{name}") from error
    if module is None:
        return found
    value = getattr(found, name)
    globals()[name] = value  # over the submodule of that name, if there is one
    return value


__all__ = [
    "backward",
    "detect_anomaly",
    "enable_grad",
    "grad",
    "inference_mode",
    "is_grad_enabled",
    "is_inference_mode_enabled",
    "no_grad",
    "set_detect_anomaly",
    "set_grad_enabled",
]
