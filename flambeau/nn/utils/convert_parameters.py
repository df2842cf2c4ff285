"""Parameters as one vector, and back."""

from __future__ import annotations

from collections.abc import Iterable

import flambeau
from flambeau.tensor import Tensor

__all__ = ["parameters_to_vector", "vector_to_parameters"]


def _same_device(device: object, tensor: Tensor) -> object:
    if device is not None and tensor.device != device:
        raise TypeError(
            "Found two parameters on different devices, this is currently not supported."
        )
    return tensor.device


def parameters_to_vector(parameters: Iterable[Tensor]) -> Tensor:
    """All elements of all parameters in one vector.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.utils.parameters_to_vector.html

    Args:
        parameters: of any shapes.

    Returns:
        ``(elements,)``.

    Raises:
        TypeError: they are on several devices.
    """
    device: object = None
    rows = []
    for parameter in parameters:
        device = _same_device(device, parameter)
        rows.append(parameter.reshape(-1))
    return flambeau.cat(rows)


def vector_to_parameters(vec: Tensor, parameters: Iterable[Tensor]) -> None:
    """Give the parameters, one after the other, the elements of ``vec`` as their data.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.utils.vector_to_parameters.html

    Args:
        vec: ``(elements,)``; the parameters share its memory.
        parameters: of any shapes.

    Raises:
        TypeError: ``vec`` is no tensor, or the parameters are on several devices.
    """
    if not isinstance(vec, Tensor):
        raise TypeError(f"expected torch.Tensor, but got: {type(vec).__name__}")
    device: object = None
    start = 0
    for parameter in parameters:
        device = _same_device(device, parameter)
        size = parameter.numel()
        parameter.data = vec[start : start + size].view_as(parameter).data
        start += size
