"""PyTorch's names for the nodes of functions that are made of several operations here.

``interpolate`` is one function with one node in PyTorch and a product per dim here; programs print
the node of its result, which goes by PyTorch's name.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, TypeVar

F = TypeVar("F", bound=Callable[..., Any])


def node_called(name: str | Callable[..., str]) -> Callable[[F], F]:
    """Decorator: the node of the function's (first) result is called ``name``.

    Args:
        name: the name, or a function of the arguments that gives it.

    Returns:
        What makes of a function, whose first argument is a tensor, the same one with that name.
    """

    def decorate(function: F) -> F:
        @functools.wraps(function)
        def named(input: Any, *args: Any, **kwargs: Any) -> Any:
            result = function(input, *args, **kwargs)
            first = result[0] if isinstance(result, tuple) else result
            node = first._node
            if node is not None and node is not input._node:  # else nothing was to be done
                node.renamed = name if isinstance(name, str) else name(input, *args, **kwargs)
            return result

        return named  # type: ignore[return-value]

    return decorate


_INTERPOLATIONS = {
    "nearest": "Nearest", "nearest-exact": "NearestExact", "linear": "Linear",
    "bilinear": "Bilinear", "bicubic": "Bicubic", "trilinear": "Trilinear",
}  # fmt: skip


def interpolation(
    input: Any, size: Any = None, scale_factor: Any = None, mode: str = "nearest",
    align_corners: Any = None, recompute_scale_factor: Any = None, antialias: bool = False,
) -> str:  # fmt: skip
    """The name of the node of :func:`interpolate` with these arguments.

    They are its own: ``input``, ``size``, ``scale_factor``, ``mode``, ``align_corners``,
    ``recompute_scale_factor``, ``antialias``. Returns such as ``"UpsampleBilinear2DBackward0"``.
    """
    dims = input.dim() - 2
    if mode == "area":
        return "SqueezeBackward1" if dims == 1 else f"AdaptiveAvgPool{dims}DBackward0"
    return f"Upsample{_INTERPOLATIONS[mode]}{dims}D{'Aa' if antialias else ''}Backward0"


def adaptive_mean(dims: int) -> Callable[..., str]:
    """The name for a mean over windows of the last ``dims`` dims: one window is a plain mean.

    Returns:
        A function of the mean's arguments that gives the name.
    """

    def name(input: Any, output_size: Any) -> str:
        if dims == 1:
            return "SqueezeBackward1"
        one = output_size == 1 or (
            not isinstance(output_size, int) and all(n == 1 for n in output_size)
        )
        return "MeanBackward1" if one else f"AdaptiveAvgPool{dims}DBackward0"

    return name


def padding(input: Any, pad: Any, mode: str = "constant", value: float | None = None) -> str:
    """The name of the node of :func:`pad` with these arguments: its own.

    They are ``input``, ``pad``, ``mode`` and ``value``. Returns such as
    ``"ConstantPadNdBackward0"``.
    """
    if mode == "circular":
        return "CopySlices"
    if mode == "constant":
        return "ConstantPadNdBackward0"
    return f"{'Reflection' if mode == 'reflect' else 'Replication'}Pad{len(pad) // 2}DBackward0"
