"""Automatic differentiation: the tape, the backward pass, and what users call of them."""

from __future__ import annotations

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


def __getattr__(name: str):  # type: ignore[no-untyped-def]
    if name in ("Function", "function"):
        from . import function

        return function if name == "function" else function.Function
    if name in ("gradcheck", "gradgradcheck", "GradcheckError"):
        from importlib import import_module

        return getattr(import_module(f"{__name__}.gradcheck"), name)
    if name == "Variable":
        from ..tensor import Tensor

        return Tensor
    if name == "functional":
        from importlib import import_module

        return import_module(f"{__name__}.functional")
    raise AttributeError(f"module 'torch.autograd' has no attribute {name!r}")


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
