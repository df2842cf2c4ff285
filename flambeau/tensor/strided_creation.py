"""Tensors of a given order in memory, and what few programs ask for.

Source: https://docs.pytorch.org/docs/stable/torch.html#creation-ops
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .creation import _dtype, made
from .sequences import arange
from .tensor import Tensor


def empty_strided(
    size: Any, stride: Any, *, dtype: Any = None, layout: Any = None, device: Any = None,
    requires_grad: bool = False, pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """A tensor of given strides, not filled.

    Args:
        size: the shape.
        stride: for each dim how many elements lie between neighbours in memory.
        dtype: of the result; the default one.
        layout, pin_memory: change nothing here.
        device: where it shall live.
        requires_grad: whether operations on it are recorded.

    Returns:
        ``size``.

    Raises:
        RuntimeError: as many strides as sizes are needed, none of them negative.
    """
    wanted = _dtype(dtype)
    size, stride = tuple(size), tuple(stride)
    if len(size) != len(stride):
        raise RuntimeError(
            f"dimensionality of sizes ({len(size)}) must match dimensionality of strides "
            f"({len(stride)})"
        )
    if any(s < 0 for s in stride):
        raise RuntimeError(f"empty_strided: strides must not be negative, got {list(stride)}")
    count = 1 + sum((n - 1) * s for n, s in zip(size, stride)) if 0 not in size else 0
    memory = np.empty(count, wanted)
    steps = tuple(s * wanted.itemsize for s in stride)
    return made(np.ndarray(size, wanted, memory, 0, steps), requires_grad, device)


def empty_permuted(
    size: Any, physical_layout: Any, *, dtype: Any = None, layout: Any = None, device: Any = None,
    requires_grad: bool = False, pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """A tensor not filled, whose dims lie in memory in the order ``physical_layout``.

    Args:
        size: the shape.
        physical_layout: the dims, from the one whose entries lie farthest apart.
        dtype: of the result; the default one.
        layout, pin_memory: change nothing here.
        device: where it shall live.
        requires_grad: whether operations on it are recorded.

    Returns:
        ``size``.

    Raises:
        RuntimeError: ``physical_layout`` does not name every dim once, counted from 0.
    """
    size, order = tuple(size), tuple(physical_layout)
    if len(order) != len(size):
        raise RuntimeError(
            "Number of dimensions in size does not match the length of the physical_layout; i.e. "
            f"len(size) = {len(size)} is not equal to len(physical_layout) = {len(order)}"
        )
    for place, dim in enumerate(order):
        if not 0 <= dim < len(size):
            raise RuntimeError(
                f"Dimension out of range (expected to be between 0 and {len(size) - 1}, but got "
                f"{dim} at index {place}).  NB: negative dims not currently supported"
            )
    if len(set(order)) != len(order):
        raise RuntimeError(f"Duplicate dim not allowed (in the physical_layout {list(order)})")
    stride, step = [0] * len(size), 1
    for dim in reversed(order):
        stride[dim] = step
        step *= max(size[dim], 1)
    return empty_strided(size, stride, dtype=dtype, device=device, requires_grad=requires_grad)


def range(start: Any = 0, end: Any = None, step: Any = 1, **options: Any) -> Tensor:
    """Numbers from ``start`` to ``end``, both included (deprecated: use ``arange``).

    Args:
        start: the first; alone it is ``end``, and the first is 0.
        end: not exceeded.
        step: their distance.
        options: ``dtype``, ``device``, ``requires_grad`` and ``out`` as of ``arange``.

    Returns:
        (floor((end - start) / step) + 1), of the default dtype.

    Raises:
        RuntimeError: ``step`` is 0 or leads away from ``end``.
    """
    import warnings

    if end is None:
        start, end = 0, start
    warnings.warn(
        "torch.range is deprecated and will be removed in a future release because its behavior "
        "is inconsistent with Python's range builtin. Instead, use torch.arange, which produces "
        "values in [start, end).",
        UserWarning,
        stacklevel=3,
    )
    if options.get("dtype") is None and options.get("out") is None:
        from ..dtypes import get_default_dtype

        options["dtype"] = get_default_dtype()
    if step == 0:
        raise RuntimeError("step must be nonzero")
    count = int((end - start) / step)
    if count < 0:
        raise RuntimeError("upper bound and lower bound inconsistent with step sign")
    return arange(start, start + step * (count + 0.5), step, **options)


def nonzero_static(input: Tensor, *, size: int, fill_value: int = -1) -> Tensor:
    """The places of what is not zero, ``size`` of them.

    Args:
        input: (*), any shape.
        size: at least 0: how many to cut or fill up to.
        fill_value: what to fill up with.

    Returns:
        (size, dims), int64, a row for each.

    Raises:
        RuntimeError: ``size`` is negative.
    """
    if size < 0:
        raise RuntimeError("nonzero_static: 'size' must be an non-negative integer")
    found = input.nonzero()[:size]  # type: ignore[attr-defined]
    rest = found.new_full((size - found.shape[0], found.shape[1]), fill_value)
    from ..ops.shape import cat

    return cat.function([found, rest])


def is_inference(input: Tensor) -> bool:
    """Whether the tensor ``input`` was made in inference mode."""
    return input.is_inference()


__all__ = ["empty_permuted", "empty_strided", "is_inference", "nonzero_static", "range"]
