"""Functions of NumPy arrays as operations: called at once, or at each call of a captured program.

Some definitions walk over elements in Python, or draw random numbers until one is accepted.  They
are functions of arrays, in a module, whose results' shapes and dtypes follow from those of the
operands.  A captured program calls the function itself (:mod:`flambeau.compiler.array_calls`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..modes import MODES

Kind = tuple[tuple[int, ...], Any]
"""A shape and a NumPy dtype."""


def call_on_arrays(
    function: Callable[..., Any],
    name: str,
    tensors: Sequence[Any],
    /,
    *kinds: Kind,
    **arguments: Any,
) -> tuple[Any, ...]:
    """``function(*arrays, **arguments)`` as tensors, which no gradient goes through.

    Args:
        function: a function of a module, of arrays to an array or a tuple of them, that does
            nothing else but raise where it refuses elements.
        name: what needs the elements.
        tensors: the operands.
        kinds: what the results will be.
        arguments: numbers, strings and tuples of such.
    """
    return _called(function, name, tensors, kinds, arguments, None, False)


def draw_on_arrays(
    function: Callable[..., Any], name: str, tensors: Sequence[Any], /, *kinds: Kind,
    generator: Any = None, **arguments: Any,
) -> tuple[Any, ...]:  # fmt: skip
    """The same for ``function(generator, *arrays, **arguments)``, which draws random numbers.

    Args:
        generator: to draw from, None for the default one.
    """
    return _called(function, name, tensors, kinds, arguments, generator, True)


def _called(
    function: Callable[..., Any], name: str, tensors: Sequence[Any], kinds: Sequence[Kind],
    arguments: dict[str, Any], generator: Any, drawing: bool,
) -> tuple[Any, ...]:  # fmt: skip
    from ..random.default import default_generator
    from ..tensor import wrap

    capture = MODES.capture
    if (
        capture is not None
        and MODES.transforms is None
        and not any(hasattr(t._array, "batch_memory") for t in tensors)
    ):
        for tensor in tensors:
            if tensor._base is not None:
                tensor._refresh()
        operands = [capture.array_of(t) for t in tensors]
        typed = [(tuple(shape), np.dtype(dtype)) for shape, dtype in kinds]
        if generator is default_generator:
            generator = None
        call = capture.call_drawing if drawing else capture.call
        given = (generator,) if drawing else ()
        return tuple(wrap(v) for v in call(function, operands, typed, arguments, *given))
    arrays = [t._concrete(name) for t in tensors]
    source = default_generator if generator is None else generator
    found = function(source, *arrays, **arguments) if drawing else function(*arrays, **arguments)
    results = found if isinstance(found, tuple) else (found,)
    return tuple(wrap(np.asarray(r, order="C")) for r in results)


__all__ = ["call_on_arrays", "draw_on_arrays"]
