"""Draws laid out in memory as another array is.

PyTorch fills a tensor in the order in which its elements lie in memory, whatever its strides: what
a transposed tensor is filled with, its memory, read through, would have been filled with.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from flambeau.modes import MODES
from flambeau.namespaces import namespace_of
from flambeau.namespaces.numpy import keeps_order
from flambeau.namespaces.primitives import (
    BINARY,
    BINARY_PREDICATES,
    SPECIAL,
    SPECIAL_BINARY,
    UNARY,
    UNARY_PREDICATES,
)
from flambeau.random import sampling
from flambeau.random.default import draw
from flambeau.random.generator import Generator

__all__ = ["draw_like", "memory_order"]


def memory_order(array: Any) -> tuple[int, ...] | None:
    """The dims of ``array`` from the slowest to the fastest in memory; None if that is as usual."""
    shape = array.shape
    if MODES.capture is not None:
        places = _places_in_memory(array)
        order = tuple(sorted(range(len(shape)), key=places.__getitem__))
    elif array.__class__ is not np.ndarray or array.flags.c_contiguous:
        return None
    elif not keeps_order(array):  # what is new lies in row-major order then
        return None
    else:
        strides = array.strides
        order = tuple(sorted(range(array.ndim), key=lambda dim: -strides[dim]))
    proper = [dim for dim in order if shape[dim] > 1]
    return None if proper == sorted(proper) else order


_ELEMENTWISE = frozenset(
    (*UNARY, *BINARY, *SPECIAL, *SPECIAL_BINARY, *UNARY_PREDICATES, *BINARY_PREDICATES)
    + ("where", "astype")
)


def _places_in_memory(value: Any) -> Sequence[int]:
    """For each dim of a captured ``value`` its place in the memory that it would have.

    What is being captured has no memory; but it is known of what it is a permutation, and what is
    computed element by element lies as its operand does.
    """
    places: Sequence[int] = range(len(value.shape))
    while True:
        primitive = getattr(value, "primitive", None)
        if primitive == "permute":
            dims = value.attributes["dims"]
            places = [dims[place] for place in places]
            (value,) = value.operands
        elif primitive in _ELEMENTWISE:
            alike = [x for x in value.operands if x.shape == value.shape]
            if not alike:
                return places
            value = alike[0]
        else:
            return places


def draw_like(
    array: Any,
    sampler: Callable[..., np.ndarray],
    dtype: np.dtype,
    *parameters: Any,
    generator: Generator | None = None,
    contiguous: bool | None = None,
) -> Any:
    """Draw an array of the shape of ``array``, laid out in memory as it is.

    Args:
        array: whose shape and memory order the result takes.
        sampler: as for `draw`.
        dtype: of the result.
        parameters: of the distribution.
        generator: to draw from, or None for the default one.
        contiguous: what to tell `sampling.normal`, which draws differently for tensors that are
            not contiguous; by default, whether the result is.
    """
    shape = tuple(array.shape)
    complex_dtype = dtype if dtype.kind == "c" else None
    order = memory_order(array)
    if contiguous is None:
        contiguous = order is None
    if order is not None:
        shape = tuple(shape[dim] for dim in order)
    if complex_dtype is not None:
        dtype = np.dtype(f"f{dtype.itemsize // 2}")
        shape = (*shape, 2)
    if sampler is sampling.normal:
        if complex_dtype is not None:
            mean, std = parameters or (0.0, 1.0)
            parameters = (mean, std / math.sqrt(2.0))
        if not contiguous:
            parameters = (*(parameters or (0.0, 1.0)), False)
    drawn = draw(sampler, shape, dtype, *parameters, generator=generator)
    if complex_dtype is not None:
        drawn = drawn.view(complex_dtype).reshape(shape[:-1])
    if order is not None:
        inverse = [0] * len(order)
        for place, dim in enumerate(order):
            inverse[dim] = place
        drawn = namespace_of(drawn).permute(drawn, tuple(inverse))
    return drawn
