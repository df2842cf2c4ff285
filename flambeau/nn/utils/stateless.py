"""Modules called with other parameters than their own (``torch.nn.utils.stateless``)."""

from __future__ import annotations

import warnings
from typing import Any

from flambeau.nn.modules.module import Module

__all__ = ["functional_call"]


def functional_call(
    module: Module,
    parameters_and_buffers: dict[str, Any],
    args: Any = None,
    kwargs: dict[str, Any] | None = None,
    *,
    tie_weights: bool = True,
    strict: bool = False,
) -> Any:
    """:func:`torch.func.functional_call`, by its old name; warns.

    Args:
        module, parameters_and_buffers, args, kwargs, tie_weights, strict: as there.

    Returns:
        What the module returns.

    Source:
    https://docs.pytorch.org/docs/2.13/generated/torch.nn.utils.stateless.functional_call.html
    """
    warnings.warn(
        "`torch.nn.utils.stateless.functional_call` is deprecated as of PyTorch 2.0 and will be "
        "removed in a future version of PyTorch. Please use `torch.func.functional_call` instead "
        "which is a drop-in replacement.",
        FutureWarning,
        stacklevel=2,
    )
    from flambeau.func import functional_call as call

    return call(
        module, parameters_and_buffers, args, kwargs, tie_weights=tie_weights, strict=strict
    )
