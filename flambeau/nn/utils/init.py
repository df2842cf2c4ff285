"""Modules without the initialisation of their parameters."""

from __future__ import annotations

import inspect
from typing import Any

import flambeau
from flambeau.nn.modules.module import Module

__all__ = ["skip_init"]


def skip_init(module_cls: type[Module], *args: Any, **kwargs: Any) -> Module:
    """``module_cls(*args, **kwargs)`` that draws nothing from the random generator.

    Args:
        module_cls: a class of modules whose constructor takes ``device``.
        args, kwargs: what it is made with.

    Returns:
        The module; its parameters hold any numbers.

    Raises:
        RuntimeError: ``module_cls`` is no Module or takes no ``device``.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.utils.skip_init.html
    """
    if not (isinstance(module_cls, type) and issubclass(module_cls, Module)):
        raise RuntimeError(f"Expected a Module; got {module_cls}")
    if "device" not in inspect.signature(module_cls).parameters:
        raise RuntimeError("Module must support a 'device' arg to skip initialization")
    state = flambeau.get_rng_state()
    try:
        return module_cls(*args, **kwargs)
    finally:
        flambeau.set_rng_state(state)
