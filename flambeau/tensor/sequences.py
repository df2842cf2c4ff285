"""Numbers in equal steps: ``arange``, ``linspace``, ``logspace``.

Source: https://pytorch.org/docs/stable/torch.html#creation-ops
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import dtypes
from .creation import _dtype, made
from .tensor import Tensor

__all__ = ["arange", "linspace", "logspace"]


def arange(
    *args: Any,
    out: Tensor | None = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
    **named: Any,
) -> Tensor:
    """Numbers from ``start`` (0) up to but without ``end``, ``step`` (1) apart.

    Call as ``arange(end)``, ``arange(start, end)`` or ``arange(start, end, step)``.

    Args:
        args: the bounds and the step, numbers or tensors of one.
        out: a tensor to put the result into.
        dtype: of the result.
        layout, pin_memory: change nothing here.
        device: where it shall live.
        requires_grad: whether operations on it are recorded.
        named: ``start``, ``end`` and ``step``, by name.

    Returns:
        (ceil((end - start) / step)); int64 if all three are whole, else of the default dtype.

    Raises:
        TypeError: there is no ``end``, or an unknown argument.
        RuntimeError: ``step`` is 0 or leads away from ``end``, or a bound is not finite.
        ValueError: ``step`` is 0 in an integer ``dtype``.
    """
    start, end, step = named.pop("start", 0), named.pop("end", None), named.pop("step", 1)
    if named:
        raise TypeError(f"arange() got an unexpected keyword argument '{next(iter(named))}'")
    if len(args) == 1:
        if end is None:
            (end,) = args
        else:
            (start,) = args
    elif len(args) == 2:
        start, end = args
    elif len(args) == 3:
        start, end, step = args
    start, end, step = (v.item() if isinstance(v, Tensor) else v for v in (start, end, step))
    if end is None:
        raise TypeError("arange() missing 1 required positional argument: 'end'")
    if step == 0:
        raise RuntimeError("step must be nonzero")
    if not (math.isfinite(start) and math.isfinite(end)):
        raise RuntimeError(f"unsupported range: {start} -> {end}")
    if (end - start) * step < 0:
        raise RuntimeError("upper bound and lower bound inconsistent with step sign")
    if dtype is None and out is None:
        whole = all(isinstance(v, (int, np.integer)) for v in (start, end, step))
        dtype = dtypes.int64 if whole else dtypes.get_default_dtype()
    wanted = _dtype(dtype) if dtype is not None else out._array.dtype  # type: ignore[union-attr]
    if wanted.kind in "iu" and int(step) == 0:
        raise ValueError("step must be nonzero")
    count = math.ceil((end - start) / step)
    if wanted.kind in "iu":
        array = (int(start) + int(step) * np.arange(count, dtype=np.int64)).astype(wanted)
        if not all(isinstance(v, (int, np.integer)) for v in (start, end, step)):
            array = (start + step * np.arange(count)).astype(wanted)
    else:
        array = (start + step * np.arange(count, dtype=np.float64)).astype(wanted)
    return made(array, requires_grad, device, out)


def _ends(name: str, start: Any, end: Any, steps: Any) -> tuple[Any, Any]:
    """The first and the last number as Python's; refuses what PyTorch refuses."""
    given = [v._array.ndim for v in (start, end) if isinstance(v, Tensor)]
    if any(given):
        dims = [v._array.ndim if isinstance(v, Tensor) else 0 for v in (start, end)]
        raise RuntimeError(
            f"{name} only supports 0-dimensional start and end tensors, but got start with "
            f"{dims[0]} dimension(s) and end with {dims[1]} dimension(s)."
        )
    if not hasattr(steps, "__index__"):
        got = ", ".join("Tensor" if isinstance(v, Tensor) else type(v).__name__
                        for v in (start, end, steps))  # fmt: skip
        raise TypeError(
            f"{name}() received an invalid combination of arguments - got ({got}), but expected "
            "one of:\n * (Number start, Number end, int steps)\n"
        )
    if steps < 0:
        raise RuntimeError("number of steps must be non-negative")
    start, end = (v.item() if isinstance(v, Tensor) else v for v in (start, end))
    return start, end


def linspace(
    start: Any,
    end: Any,
    steps: int,
    *,
    out: Tensor | None = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """``steps`` numbers evenly spaced from ``start`` to ``end``, both included.

    Args:
        start: the first number, or a 0-d tensor.
        end: the last one.
        steps: how many there are.
        out: a tensor to put the result into.
        dtype: of the result; the default one.
        layout, pin_memory: change nothing here.
        device: where it shall live.
        requires_grad: whether operations on it are recorded.

    Returns:
        (steps).

    Raises:
        RuntimeError: ``steps`` is negative, or a bound is a tensor with dims.
        TypeError: ``steps`` is no whole number.
    """
    start, end = _ends("linspace", start, end, steps)
    wanted = _dtype(dtype)
    if steps == 1:
        array = np.array([start]).astype(wanted)
    elif wanted.kind == "f":
        # As PyTorch does it: from both ends towards the middle, in the result's precision, product
        # and sum rounded once in single and double precision.
        step = wanted.type((wanted.type(end) - wanted.type(start)) / max(steps - 1, 1))
        fused: Any = {"f": np.float64, "d": np.longdouble}.get(wanted.char, wanted.type)
        places = np.arange(steps)
        head = fused(wanted.type(start)) + fused(step) * places.astype(fused)
        tail = fused(wanted.type(end)) - fused(step) * (steps - 1 - places).astype(fused)
        array = np.where(places < steps // 2, head, tail).astype(wanted)
    else:
        step = (end - start) / max(steps - 1, 1)
        places = np.arange(steps)
        exact = np.where(places < steps // 2, start + step * places,
                         end - step * (steps - 1 - places))  # fmt: skip
        array = np.trunc(exact).astype(wanted) if wanted.kind in "iu" else exact.astype(wanted)
    return made(array, requires_grad, device, out)


def logspace(
    start: Any, end: Any, steps: int, base: float = 10.0, *, out: Tensor | None = None,
    dtype: Any = None, layout: Any = None, device: Any = None, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """``base`` to the power of ``steps`` evenly spaced exponents from ``start`` to ``end``.

    Args:
        start: the first exponent, or a 0-d tensor.
        end: the last one.
        steps: how many there are.
        base: what is raised to them.
        out: a tensor to put the result into.
        dtype: of the result; the default one.
        layout: changes nothing here.
        device: where it shall live.
        requires_grad: whether operations on it are recorded.

    Returns:
        (steps).

    Raises:
        RuntimeError: ``steps`` is negative, or a bound is a tensor with dims.
        TypeError: ``steps`` is no whole number.
    """
    start, end = _ends("logspace", start, end, steps)
    wanted = _dtype(dtype)
    array = np.power(float(base), np.linspace(start, end, steps)).astype(wanted)
    return made(array, requires_grad, device, out)
