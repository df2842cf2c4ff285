"""Gradients of convolutions by themselves (``torch.nn.grad``).

Source: https://docs.pytorch.org/docs/stable/generated/torch.nn.grad.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import flambeau
from flambeau.tensor import Tensor

from . import functional as F

__all__ = [
    "conv1d_input", "conv1d_weight", "conv2d_input", "conv2d_weight", "conv3d_input",
    "conv3d_weight",
]  # fmt: skip

_DOC = """The gradient of {conv} for its {what}, given that of its result.

    Args:
        {arguments}
        grad_output: the gradient of the result, of the result's shape.
        stride, padding, dilation, groups: as of :func:`torch.nn.functional.{conv}`.

    Returns:
        A tensor of {shape}.

    Raises:
        RuntimeError: the shapes do not fit.
    """


def _of_input(name: str, conv: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def gradient(
        input_size: Any,
        weight: Tensor,
        grad_output: Tensor,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
    ) -> Tensor:
        with flambeau.enable_grad():
            input = grad_output.new_zeros(input_size).requires_grad_()
            output = conv(input, weight.detach(), None, stride, padding, dilation, groups)
        return flambeau.autograd.grad(output, input, grad_output)[0]

    gradient.__name__ = gradient.__qualname__ = f"{name}_input"
    gradient.__doc__ = _DOC.format(
        conv=name, what="input", shape="``input_size``",
        arguments="input_size: the input's shape.\n        weight: (out, in / groups, *kernel).",
    )  # fmt: skip
    return gradient


def _of_weight(name: str, conv: Callable[..., Tensor]) -> Callable[..., Tensor]:
    def gradient(
        input: Tensor,
        weight_size: Any,
        grad_output: Tensor,
        stride: Any = 1,
        padding: Any = 0,
        dilation: Any = 1,
        groups: int = 1,
    ) -> Tensor:
        with flambeau.enable_grad():
            weight = grad_output.new_zeros(weight_size).requires_grad_()
            output = conv(input.detach(), weight, None, stride, padding, dilation, groups)
        return flambeau.autograd.grad(output, weight, grad_output)[0]

    gradient.__name__ = gradient.__qualname__ = f"{name}_weight"
    gradient.__doc__ = _DOC.format(
        conv=name, what="weight", shape="``weight_size``",
        arguments="input: (N, in, *sizes).\n        weight_size: the weight's shape.",
    )  # fmt: skip
    return gradient


conv1d_input = _of_input("conv1d", F.conv1d)
conv2d_input = _of_input("conv2d", F.conv2d)
conv3d_input = _of_input("conv3d", F.conv3d)
conv1d_weight = _of_weight("conv1d", F.conv1d)
conv2d_weight = _of_weight("conv2d", F.conv2d)
conv3d_weight = _of_weight("conv3d", F.conv3d)
