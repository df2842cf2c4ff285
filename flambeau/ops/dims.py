"""Dims as users give them (negative, one or several, none) as non-negative ints."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def out_of_range(dim: int, ndim: int) -> IndexError:
    """The error for a dim that a tensor of ``ndim`` dims does not have."""
    n = max(ndim, 1)
    return IndexError(
        f"Dimension out of range (expected to be in range of [{-n}, {n - 1}], but got {dim})"
    )


def wrap_dim(dim: Any, ndim: int) -> int:
    """``dim`` counted from the front; a 0-d tensor counts as having one dim."""
    if dim.__class__ is not int:
        dim = as_int(dim, "dim")
    n = ndim or 1
    if 0 <= dim < n:
        return dim
    if -n <= dim < 0:
        return dim + n
    raise out_of_range(dim, ndim)


def wrap_dims(dim: Any, ndim: int) -> tuple[int, ...] | None:
    """``dim`` (None, an int or several) as a tuple of different dims; None means all of them."""
    if dim is None:
        return None
    if dim.__class__ is int:
        if ndim == 0:
            wrap_dim(dim, 0)
            return None
        return (dim,) if 0 <= dim < ndim else (wrap_dim(dim, ndim),)
    if not isinstance(dim, (tuple, list)):
        return wrap_dims(as_int(dim, "dim"), ndim)
    if not dim:
        return None
    dims = tuple(wrap_dim(d, ndim) for d in dim)
    for i, d in enumerate(dims):
        if d in dims[:i]:
            raise RuntimeError(f"dim {d} appears multiple times in the list of dims")
    return dims if ndim else None


def as_int(value: Any, name: str) -> int:
    """``value`` as an int; TypeError for what is not an integer."""
    if isinstance(value, bool):
        raise TypeError(f"argument '{name}' must be int, not bool")
    try:
        return value.__index__()
    except (AttributeError, TypeError):
        raise TypeError(f"argument '{name}' must be int, not {type(value).__name__}") from None


def as_ints(values: Any, name: str) -> tuple[int, ...]:
    """A tuple of ints from one int, a sequence of them, or a shape."""
    if values.__class__ is tuple:
        for v in values:
            if v.__class__ is not int:
                break
        else:
            return values
    if hasattr(values, "__index__") and not isinstance(values, (tuple, list)):
        return (as_int(values, name),)
    try:
        return tuple(as_int(v, name) for v in values)
    except TypeError:
        if hasattr(values, "__iter__"):
            raise
        raise TypeError(
            f"argument '{name}' must be tuple of ints, not {type(values).__name__}"
        ) from None


def repeated(value: Any, n: int, name: str) -> tuple[int, ...]:
    """One int for every one of ``n`` dims, or the ``n`` given."""
    if value.__class__ is int:
        return (value,) * n
    values = as_ints(value, name)
    if len(values) == 1:
        return values * n
    if len(values) != n:
        raise RuntimeError(
            f"{name} should be a single int or a tuple of {n} ints, but got {tuple(values)}"
        )
    return values


def require_tensors(name: str, **operands: Any) -> None:
    """Raise PyTorch's TypeError if one of the function's operands is no tensor."""
    from ..tensor import Tensor

    for position, (operand, value) in enumerate(operands.items()):
        if not isinstance(value, Tensor):
            raise TypeError(
                f"{name}(): argument '{operand}' (position {position + 1}) must be Tensor, not "
                f"{type(value).__name__}"
            )


def require_any_dim(ndim: int) -> None:
    """Raise PyTorch's IndexError if a dim is asked for of a tensor without dims."""
    if not ndim:
        raise IndexError("Dimension specified as 0 but tensor has no dimensions")


def broadcast_error(shapes: Sequence[Sequence[int]]) -> RuntimeError:
    """The error for shapes that do not broadcast, naming the first sizes that disagree."""
    first = list(shapes[0])
    for other_shape in shapes[1:]:
        other = list(other_shape)
        n = max(len(first), len(other))
        a, b = [1] * (n - len(first)) + first, [1] * (n - len(other)) + other
        for i in range(n - 1, -1, -1):
            if a[i] != b[i] and a[i] != 1 and b[i] != 1:
                return RuntimeError(
                    f"The size of tensor a ({a[i]}) must match the size of tensor b ({b[i]}) at "
                    f"non-singleton dimension {i}"
                )
        first = [max(x, y) if 0 not in (x, y) else 0 for x, y in zip(a, b)]
    return RuntimeError(f"shapes {[list(s) for s in shapes]} cannot be broadcast together")


def broadcast_shape(*shapes: Sequence[int]) -> tuple[int, ...]:
    """The shape that tensors of these shapes broadcast to.

    Raises:
        RuntimeError: they do not.
    """
    try:
        return np.broadcast_shapes(*shapes)
    except ValueError:
        raise broadcast_error(shapes) from None
