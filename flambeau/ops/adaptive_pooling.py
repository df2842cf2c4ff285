"""Maxima and means over as many windows as the result is to have elements.

Source: https://pytorch.org/docs/stable/nn.functional.html#pooling-functions
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .mean_pooling import mean_pool
from .operation import composite
from .pooling import max_pool, max_pool_with_indices


def _wanted(name: str, dims: int, input: Any, output_size: Any) -> tuple[int, ...]:
    """The size of the result; None keeps the input's."""
    shape = tuple(input.shape)
    if dims > 1 and len(shape) <= dims:
        raise ValueError(f"Input dimension should be at least {dims + 1} ({name})")
    if len(shape) not in (dims + 1, dims + 2):
        raise RuntimeError(
            f"{name}(): Expected {dims + 1}D or {dims + 2}D tensor, but got {list(shape)}"
        )
    if isinstance(output_size, int):
        output_size = (output_size,) * dims
    if len(output_size) != dims:
        count = {1: "one int", 2: "2 ints", 3: "3 ints"}[dims]
        raise RuntimeError(
            f"{name}() argument 'output_size' should contain {count} (got {len(output_size)})"
            if dims == 1
            else f"{name}(): internal error: output_size.size() must be {dims}"
            if "max" in name
            else f"{name}: output_size must be {dims}"
        )
    size = tuple(n if m is None else m for m, n in zip(output_size, shape[-dims:]))
    if min(size) < 0 and "max" in name:
        wanted = [*shape[:-dims], *((1,) if dims == 1 else ()), *size]
        least = min(size)
        raise RuntimeError(
            f"Trying to create tensor with negative dimension {least}: {wanted} ({name})"
        )
    if min(size) < 0:
        words = f"adaptive_avg_pool{max(dims, 2)}d" if "avg" in name else name
        shown = ", ".join(str(n) for n in ((1, *size) if dims == 1 else size))
        raise RuntimeError(
            f"{words}: elements of output_size must be greater than or equal to 0 but received "
            f"{{{shown}}}"
        )
    if 0 in shape[-dims:]:
        raise RuntimeError(
            f"{name}(): Expected input to have non-zero size for non-batch dimensions, but input "
            f"has sizes {list(shape)}"
        )
    return size


def _edges(n: int, size: int) -> list[tuple[int, int]]:
    """Where each of ``size`` windows over ``n`` elements begins and ends."""
    return [(i * n // size, -(-(i + 1) * n // size)) for i in range(size)]


def _equal_windows(shape: Any, size: tuple[int, ...]) -> tuple[int, ...] | None:
    """The windows' size if they are all equal and do not overlap."""
    spatial = shape[-len(size) :]
    if 0 in size or any(n % m for n, m in zip(spatial, size)):
        return None
    return tuple(n // m for n, m in zip(spatial, size))


def adaptive_mean_pool(dims: int, input: Any, output_size: Any) -> Any:
    size = _wanted(f"adaptive_avg_pool{dims}d", dims, input, output_size)
    window = _equal_windows(input.shape, size)
    if window is not None:
        return mean_pool(input, window, window, (0,) * dims, size, True, None)
    # dim after dim: the means are the elements times a matrix
    for place in range(dims):
        dim = input.ndim - dims + place
        n = input.shape[dim]
        matrix = np.zeros((n, size[place]))
        for i, (start, end) in enumerate(_edges(n, size[place])):
            matrix[start:end, i] = 1 / (end - start)
        from ..tensor.creation import tensor

        weights = tensor(matrix, dtype=input.dtype)
        input = input.transpose(dim, -1).matmul(weights).transpose(dim, -1)
    return input


def adaptive_max_pool(dims: int, input: Any, output_size: Any, return_indices: bool) -> Any:
    size = _wanted(f"adaptive_max_pool{dims}d", dims, input, output_size)
    window = _equal_windows(input.shape, size)
    if window is not None:
        zeros, ones = (0,) * dims, (1,) * dims
        if not return_indices:
            return max_pool(input, window, window, zeros, ones, size)
        return tuple(max_pool_with_indices(input, window, window, zeros, ones, size))
    # the elements of every window, short windows repeating their last one
    from ..tensor.creation import tensor

    spatial = input.shape[-dims:]
    places = np.zeros((), np.int64)
    for place, n in enumerate(spatial):
        edges = _edges(n, size[place])
        longest = max((end - start for start, end in edges), default=1)
        index = np.array(
            [[min(start + i, end - 1) for i in range(longest)] for start, end in edges], np.int64
        ).reshape(size[place], longest)
        places = places[..., None, None] * n + index
    order = (*range(0, 2 * dims, 2), *range(1, 2 * dims, 2))
    elements = math.prod(places.shape[1::2])
    places = places.transpose(order).reshape(*size, elements)
    flat = input.flatten(-dims)
    every = flat.index_select(-1, tensor(places.reshape(-1)))
    every = every.unflatten(-1, places.shape)
    values, chosen = every.max(-1)
    if not return_indices:
        return values
    known = tensor(places).expand(every.shape)
    return values, known.gather(-1, chosen.unsqueeze(-1)).squeeze(-1)


@composite(method=False)
def adaptive_avg_pool1d(input: Any, output_size: Any) -> Any:
    """The mean over as many windows along the last dim as the result is to have elements.

    Args:
        input: (N, C, L) or (C, L).
        output_size: size of the result, L_out.

    Returns:
        (N, C, L_out) or (C, L_out).

    Raises:
        RuntimeError: another number of dims.
    """
    return adaptive_mean_pool(1, input, output_size)


def adaptive_avg_pool2d(input: Any, output_size: Any) -> Any:
    """The mean over a grid of windows of the last two dims.

    Args:
        input: (N, C, H, W) or (C, H, W).
        output_size: the grid, a number or a pair; None keeps a dim's size.

    Returns:
        (N, C, *output_size) or without N.

    Raises:
        ValueError: ``input`` has fewer dims.
        RuntimeError: it has more.
    """
    return adaptive_mean_pool(2, input, output_size)


def adaptive_avg_pool3d(input: Any, output_size: Any) -> Any:
    """The mean over a grid of windows of the last three dims.

    Args:
        input: (N, C, D, H, W) or (C, D, H, W).
        output_size: the grid, a number or a triple; None keeps a dim's size.

    Returns:
        (N, C, *output_size) or without N.

    Raises:
        ValueError: ``input`` has fewer dims.
        RuntimeError: it has more.
    """
    return adaptive_mean_pool(3, input, output_size)


@composite(method=False)
def adaptive_max_pool1d(input: Any, output_size: Any) -> Any:
    """Maxima over windows of the last dim, and their places.

    Args:
        input: (N, C, L) or (C, L).
        output_size: how many windows, L_out.

    Returns:
        A pair: the maxima (N, C, L_out) or (C, L_out), and their places along the dim, int64.

    Raises:
        RuntimeError: ``input`` has another number of dims.
    """
    return adaptive_max_pool(1, input, output_size, True)


def adaptive_max_pool2d(input: Any, output_size: Any, return_indices: bool = False) -> Any:
    """Maxima over a grid of windows of the last two dims, with their places if asked."""
    return adaptive_max_pool(2, input, output_size, return_indices)


def adaptive_max_pool3d(input: Any, output_size: Any, return_indices: bool = False) -> Any:
    """Maxima over a grid of windows of the last three dims, with their places if asked."""
    return adaptive_max_pool(3, input, output_size, return_indices)
