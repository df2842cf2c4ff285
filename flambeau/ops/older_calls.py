"""Calls with the numbers before the operands, as PyTorch 1.4 had them and 2.13 still takes them.

``p.add_(-lr, grad)``, ``p.addcdiv_(-lr, mean, root)``, ``distances.addmm_(1, -2, x, y)``: the
optimizers and metric losses of those years are full of them.

Source: ``tools/autograd/deprecated.yaml`` of PyTorch.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any

from ..tensor import Tensor


def call_in_older_order(
    function: Callable[..., Any],
    names: Sequence[str],
    operands: int,
    given: Sequence[Any],
    named: Sequence[Any],
    out: Any,
) -> Any:
    """``function`` called with ``given``, which holds more values than it has operands.

    Args:
        function: takes ``operands`` tensors, and numbers by their ``names``.
        names: of the numbers, each 1 if it is not given.
        operands: how many.
        given: by position: a number or two around the first operand, then the other operands.
        named: the numbers that were given by name.
        out: as ``function`` takes it.

    Raises:
        TypeError: ``given`` is no such sequence, or numbers are given by name as well.
    """
    head, rest = list(given[: 1 - operands]), given[1 - operands :]
    first = 0 if isinstance(head[0], Tensor) else 1  # torch.addmm(beta, input, alpha, mat1, mat2)
    if first < len(head):
        input = head.pop(first)
        numbers = [v.item() if isinstance(v, Tensor) and v.ndim == 0 else v for v in head]
        if (
            len(numbers) <= len(names)
            and all(isinstance(v, Tensor) for v in (input, *rest))
            and all(isinstance(v, (bool, int, float, complex)) for v in numbers)
            and all(v == 1 for v in named)
        ):
            words = ", ".join(f"{name}=..." for name in names[: len(numbers)])
            warnings.warn(
                f"{function.__name__}() with numbers before its operands is deprecated: give them "
                f"by name, behind the operands ({words})",
                stacklevel=_level_of_the_program(),
            )
            return function(input, *rest, **dict(zip(names, numbers)), out=out)
    raise TypeError(
        f"{function.__name__}() takes {operands} positional arguments but {len(given)} were given"
    )


def _level_of_the_program() -> int:
    """How far up from the caller the program is: an in-place method calls through others."""
    level, frame = 1, sys._getframe(1)
    while frame.f_back is not None and frame.f_globals.get("__name__", "").startswith("flambeau."):
        level, frame = level + 1, frame.f_back
    return level
