"""The namespace of recorded Tensors: each primitive is the operation of that name.

With it a vjp runs on Tensors and is put on the tape in its turn, so that gradients have gradients.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

import numpy as np

from .primitives import BINARY

_PRIMITIVE_OPERATIONS = {
    "div": "true_div",
    "pad": "constant_pad",
    "prod": "prod_dims",
    "slice": "slice_part",
    "index_put": "index_put_values",
    "scatter": "scatter_values",
    "real": "real_part",
    "imag": "imaginary_part",
    "fft": "fft_c2c",
    "rfft": "fft_r2c",
    "irfft": "fft_c2r",
}


def __getattr__(name: str) -> Any:
    from ..ops.operation import OPERATIONS

    operation = OPERATIONS.get(_PRIMITIVE_OPERATIONS.get(name, name))
    if operation is None:
        raise AttributeError(f"no operation stands for the primitive {name!r}")
    function = operation.function
    if name in REDUCTIONS:
        function = _over_given_dims(function)
    if name in BINARY and any(p.kind == "array" for p in operation.parameters):
        function = _taking_numbers(function)
    globals()[name] = function
    return function


REDUCTIONS = ("sum", "amax", "amin", "any", "all")


def _over_given_dims(function: Any) -> Any:
    """A reduction for which no dims are none: the public one takes ``()`` for all of them."""

    def reduction(x: Any, dim: Any = None, keepdim: bool = False) -> Any:
        if dim is not None and not len(dim):
            return x
        return function(x, dim, keepdim)

    return reduction


def _taking_numbers(function: Any) -> Any:
    """A primitive of two arrays where the public operation insists on tensors."""

    def primitive(x: Any, y: Any) -> Any:
        if not hasattr(y, "_array"):
            y = full((), y, x._array.dtype)
        elif not hasattr(x, "_array"):
            x = full((), x, y._array.dtype)
        return function(x, y)

    return primitive


def dtype(x: Any) -> np.dtype:
    return x._array.dtype


def full(shape: Sequence[int], value: Any, dtype: np.dtype) -> Any:
    from ..tensor.creation import made

    return made(np.full(shape, value, dtype))


def arange(start: Any, end: Any, step: Any, dtype: np.dtype) -> Any:
    from ..tensor.creation import made

    return made(np.arange(start, end, step, dtype=dtype))


def scatter_reduce(x: Any, dim: int, index: Any, src: Any, reduce: str) -> Any:
    from ..ops.operation import OPERATIONS

    names = {"prod": "scatter_product", "amax": "scatter_largest", "amin": "scatter_smallest"}
    return OPERATIONS[names[reduce]].function(x, dim, index, src)


def slice_scatter(x: Any, key: Any, values: Any) -> Any:
    from ..ops.shape import slice_part
    from ..ops.view_writes import view_write

    return view_write.function(x, values, ((slice_part, (key,)),))


def scan(step: Any, carries: Any, xs: Any, consts: Any, reverse: bool = False) -> list[Any]:
    """The steps one by one, each on the tape."""
    this = sys.modules[__name__]
    count = xs[0].shape[0]
    part, stacked = this.slice, this.cat  # type: ignore[attr-defined]
    rows: dict[int, Any] = {}
    for t in reversed(range(count)) if reverse else range(count):
        rows[t] = step(this, carries, [part(x, (t,)) for x in xs], consts)
        carries = rows[t][: len(carries)]
    expanded = [[part(o, (None,)) for o in rows[t]] for t in range(count)]
    return [stacked(list(values), 0) for values in zip(*expanded, strict=True)]
