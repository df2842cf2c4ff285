"""What functions of matrices refuse, in PyTorch's words."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..modes import MODES
from ..namespaces.numpy_linalg import LinAlgError
from ..tensor import Tensor
from .dtype_checks import type_word


def require_tensor(name: str, value: Any, argument: str = "A") -> None:
    """Raise unless ``value`` is a tensor."""
    if not isinstance(value, Tensor):
        function = name.removeprefix("torch.").replace(".", "_")
        raise TypeError(
            f"{function}(): argument '{argument}' (position {2 if argument == 'B' else 1}) must be "
            f"Tensor, not {type(value).__name__}"
        )


def require_floating(name: str, *tensors: Any, half: bool = False) -> None:
    """Raise unless all tensors are of a floating-point or complex dtype.

    Args:
        half: whether two bytes are enough.
    """
    for position, tensor in enumerate(tensors):
        require_tensor(name, tensor, "AB"[position])
        dtype = tensor._array.dtype
        if dtype.kind not in "fcV":
            raise RuntimeError(
                f"{name}: Expected a floating point or complex tensor as input. Got "
                f"{type_word(tensor._array)}"
            )
        if dtype.itemsize <= 2 and not half:
            raise RuntimeError(
                f"{name}: Low precision dtypes not supported. Got {type_word(tensor._array)}"
            )


def require_matrices(name: str, *tensors: Any, argument: str = "A") -> None:
    """Raise unless all tensors have at least two dims."""
    for tensor in tensors:
        require_tensor(name, tensor, argument)
        if tensor._array.ndim < 2:
            raise RuntimeError(
                f"{name}: The input tensor {argument} must have at least 2 dimensions."
            )


def require_square(name: str, tensor: Any, argument: str = "A", floating: bool = True) -> None:
    """Raise unless the tensor is of floating-point square matrices."""
    require_matrices(name, tensor, argument=argument)
    m, n = tensor._array.shape[-2:]
    if m != n:
        raise RuntimeError(
            f"{name}: {argument} must be batches of square matrices, but they are {m} by {n} "
            "matrices"
        )
    if floating:
        require_floating(name, tensor)


def require_factorable(name: str, tensor: Any) -> None:
    """Raise unless the tensor is of floating-point matrices."""
    require_matrices(name, tensor)
    require_floating(name, tensor)


def require_one_dtype(name: str, a: Any, b: Any, first: str = "A", second: str = "B") -> None:
    """Raise unless both are tensors of one dtype."""
    require_tensor(name, a, first)
    require_tensor(name, b, second)
    if a._array.dtype != b._array.dtype:
        raise RuntimeError(
            f"{name}: Expected {first} and {second} to have the same dtype, but found {first} of "
            f"type {type_word(a._array)} and {second} of type {type_word(b._array)} instead"
        )


def concrete(tensor: Any) -> np.ndarray | None:
    """The elements, those of all members inside ``vmap``; None where they are not known yet."""
    array = getattr(tensor._array, "batch_memory", tensor._array)
    return array if array.__class__ is np.ndarray else None


def raise_failures(name: str, infos: Any, words: str, error: type[Exception] = LinAlgError) -> None:
    """Raise for the first matrix whose ``info`` is not 0.

    Args:
        words: what has happened; ``{info}`` stands for the place.
        error: the class of the exception.
    """
    found = concrete(infos)
    if found is not None:
        raise_for(name, found, words, error)
    else:
        require_at_each_call(infos, name, words, error)


def require_at_each_call(infos: Any, name: str, words: str, error: type[Exception]) -> None:
    """Have a captured program raise where ``infos``, which are not known yet, are not 0."""
    if MODES.capture is not None:
        array = infos._array
        unknown = getattr(array, "batch_memory", array)
        MODES.capture.require_success(unknown, name, words, error)


def raise_for(
    name: str, found: np.ndarray, words: str, error: type[Exception] = LinAlgError
) -> None:
    """The same for the elements ``found``."""
    if not found.any():
        return
    flat = np.asarray(found).reshape(-1)
    place = int((flat != 0).argmax())
    where = f"(Batch element {place}): " if found.ndim else ""
    function = f"{name}: " if name else ""
    raise error(f"{function}{where}{words.format(info=flat[place])}")
