"""PyTorch's errors for calls with operands that an operation does not take."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..tensor import Tensor
from .generated_calls import MISSING

if TYPE_CHECKING:
    from .operation import Operation
    from .parameters import Parameter


def missing_arguments(operation: Operation, values: Sequence[Any]) -> TypeError:
    names = [p.name for p, v in zip(operation.parameters, values) if v is MISSING]
    listed = ", ".join(f'"{name}"' for name in names)
    return TypeError(
        f"{operation.name}() missing {len(names)} required positional arguments: {listed}"
    )


def refuse_numbers(operation: Operation, values: Sequence[Any]) -> None:
    """Raise if the operands are Python numbers, with no tensor among them."""
    given = [v for p, v in zip(operation.parameters, values) if p.is_tensor and v is not None]
    if given and all(isinstance(v, (bool, int, float, complex)) for v in given):
        raise no_such_call(operation, values)


def no_such_call(operation: Operation, values: Sequence[Any]) -> TypeError:
    """PyTorch's error for operands that fit none of an operation's signatures."""
    given = [v for p, v in zip(operation.parameters, values)
             if p.is_tensor or v is not p.default]  # fmt: skip
    got = ", ".join("Tensor" if isinstance(v, Tensor) else type(v).__name__ for v in given)
    listed = []
    for number in ("Tensor", "Number"):
        words = []
        for p in operation.parameters:
            kind = number if p.kind == "operand" and p.name != "input" else "Tensor"
            if p.is_tensor:
                words.append(f"{kind} {p.name}")
            else:
                words.append(f"{p.name}" + ("" if p.default is inspect.Parameter.empty
                                            else f" = {p.default}"))  # fmt: skip
        listed.append(f" * ({', '.join(words)})\n")
    return TypeError(
        f"{operation.name}() received an invalid combination of arguments - got ({got}), but "
        f"expected one of:\n{listed[0]}" + (listed[1] if listed[1] != listed[0] else "")
    )


def operand_problem(parameter: Parameter, value: Any) -> str | None:
    """None if ``value`` can stand for the tensor ``parameter``, else the name of its type."""
    if isinstance(value, Tensor):
        return None if parameter.kind != "arrays" else "Tensor"
    if parameter.kind == "optional" and value is None:
        return None
    if parameter.kind == "operand" and isinstance(value, (bool, int, float, complex, np.generic)):
        return None
    if parameter.kind == "arrays" and isinstance(value, (list, tuple)):
        if all(v is None or isinstance(v, Tensor) for v in value):
            return None
        at, wrong = next(
            (i, v) for i, v in enumerate(value) if v is not None and not isinstance(v, Tensor)
        )
        return f"{type(value).__name__}: element {at} is {type(wrong).__name__}"
    module = type(value).__module__
    name = type(value).__name__
    return f"numpy.{name}" if module == "numpy" else name
