"""``where``, limits and divisions: public functions whose arguments choose the operation.

Source: https://pytorch.org/docs/stable/torch.html#pointwise-ops
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import dtypes
from ..tensor import Tensor
from .dims import require_tensors
from .documentation import written
from .dtype_checks import refuse_dtypes, type_word
from .operation import OPERATIONS, composite, renamed
from .pointwise import clamp_number, div_floor, floor_divide, true_div

_where = OPERATIONS["where"]


@composite(method=False)
def where(condition: Any, input: Any = None, other: Any = None, *, out: Any = None) -> Any:
    """``input`` where ``condition`` holds, else ``other``; alone, the places where it holds.

    Args:
        condition: bool (or uint8).
        input, other: tensors or numbers; all shapes broadcast.  Without both the result is that of
            ``condition.nonzero(as_tuple=True)``.
        out: a tensor to write the result into (RuntimeError: its dtype cannot hold it).

    Returns:
        The broadcast shape, in the common dtype of ``input`` and ``other``; or a tuple of indices.

    Raises:
        TypeError: ``condition`` is no tensor.
        RuntimeError: ``condition`` has another dtype, or the shapes do not broadcast.
    """
    from ..tensor import Tensor

    if input is None and other is None:
        return condition.nonzero(as_tuple=True)
    if not isinstance(condition, Tensor):
        raise TypeError(
            "where(): argument 'condition' (position 1) must be Tensor, not "
            f"{type(condition).__name__}"
        )
    if condition._array.dtype.char == "B":
        condition = condition.bool()
    if condition._array.dtype.char != "?":
        raise RuntimeError(
            "where expected condition to be a boolean tensor, but got a tensor with dtype "
            f"{type_word(condition._array)}"
        )
    return _where.function(condition, input, other, out=out)


def _where_method(self: Any, condition: Any, other: Any) -> Any:
    """These elements where ``condition`` holds, else those of ``other``; see :func:`where`."""
    return where(condition, self, other)


@composite
def div(input: Any, other: Any, *, rounding_mode: str | None = None, out: Any = None) -> Any:
    """``input / other``, with broadcasting; rounded on request.

    Args:
        input, other: tensors, or one of them a number; their shapes broadcast.
        rounding_mode: None, ``"floor"`` (down) or ``"trunc"`` (towards zero).
        out: a tensor to write the result into (RuntimeError: its dtype cannot hold it).

    Returns:
        Their broadcast shape, in their common dtype; for integers and bools, unless rounded, in
        the default one.

    Raises:
        RuntimeError: another ``rounding_mode``, whole numbers divided by 0 with rounding, or the
            shapes do not broadcast.
        NotImplementedError: rounding of complex numbers or bools.
    """
    if rounding_mode is None:
        return true_div(input, other, out=out)
    if rounding_mode == "floor":
        return div_floor(input, other, out=out)
    if rounding_mode == "trunc":
        integers = all(
            getattr(getattr(v, "_array", np.asarray(v) if not hasattr(v, "_array") else v), "dtype",
                    np.dtype(float)).kind in "iub" for v in (input, other)
        )  # fmt: skip
        if integers:
            whole = floor_divide(input, other)
            inexact = (input - whole * other).ne(0) & (whole < 0)
            result = whole + inexact.to(whole.dtype)
        else:
            result = true_div(input, other).trunc()
        if out is not None:
            from ..tensor.views import write_out

            return write_out("div", result, out)
        return result
    raise RuntimeError(
        "div expected rounding_mode to be one of None, 'trunc', or 'floor' but found "
        f"'{rounding_mode}'"
    )


def div_(self: Any, other: Any, *, rounding_mode: str | None = None) -> Any:
    """In-place :func:`div`, with its ``other`` and ``rounding_mode``; returns the tensor."""
    from ..tensor.views import write_in_place

    return write_in_place(self, div, (other,), {"rounding_mode": rounding_mode}, "div_")


_BOUNDS = frozenset((float, int))


@composite
def clamp(input: Any, min: Any = None, max: Any = None, *, out: Any = None) -> Any:
    """Each element, but at least ``min`` and at most ``max``, which wins where they cross.

    Args:
        input: (*), any shape.
        min, max: numbers, or tensors of shapes that broadcast; one may be None.
        out: a tensor to write the result into (RuntimeError: its dtype cannot hold it).

    Returns:
        The broadcast shape, in ``input``'s dtype, or the bounds' where that is higher.

    Raises:
        TypeError: a bound is neither number nor tensor.
        RuntimeError: both bounds are None, one is a complex number, or the shapes do not
            broadcast.
        NotImplementedError: ``input`` is complex.
    """
    if (
        min.__class__ in _BOUNDS
        and max.__class__ in _BOUNDS
        and out is None
        and min == min
        and max == max
        and input.__class__ is Tensor
        and input._array.dtype.kind == "f"
    ):
        return clamp_number.function(input, min, max)
    from .pointwise import maximum, minimum

    if min is None and max is None:
        raise RuntimeError("torch.clamp: At least one of 'min' or 'max' must not be None")
    min, max = builtin(min), builtin(max)
    for bound in (min, max):
        if bound is not None and not isinstance(bound, (Tensor, int, float, complex)):
            got = ", ".join("Tensor" if isinstance(b, Tensor) else type(b).__name__
                            for b in (input, min, max) if b is not None)  # fmt: skip
            raise TypeError(
                f"clamp() received an invalid combination of arguments - got ({got}), but expected "
                "one of:\n"
                " * (Tensor input, Tensor min = None, Tensor max = None, *, Tensor out = None)\n"
                " * (Tensor input, Number min = None, Number max = None, *, Tensor out = None)\n"
            )
        if isinstance(bound, complex):
            raise RuntimeError("value cannot be converted to type double without overflow")
    refuse_dtypes("clamp_min", (input, min, max))
    if isinstance(min, Tensor) or isinstance(max, Tensor):
        result = input
        for bound, limit in ((min, maximum), (max, minimum)):
            if bound is not None:
                if not isinstance(bound, Tensor):
                    bound = input.new_full((), bound)
                result = limit(result, bound)
    else:
        if input._array.dtype.kind in "iub" and any(
            isinstance(b, float) for b in (min, max) if b is not None
        ):
            input = input.to(dtypes.get_default_dtype())
        elif input._array.dtype.kind == "b":
            input = input.to(dtypes.int64)
        if any(b is not None and math.isnan(b) for b in (min, max)):
            return input + math.nan
        result = clamp_number(input, min, max)
    if out is not None:
        from ..tensor.views import write_out

        return write_out("clamp", result, out)
    return result


def builtin(number: Any) -> Any:
    """A Python number of a Python or NumPy one."""
    return number.item() if isinstance(number, np.generic) else number


def require_bounded(name: str, bound: str, input: Any, limit: Any) -> None:
    """Raise PyTorch's TypeError if what is to be bounded is no tensor."""
    if not hasattr(input, "_array"):
        got = ", ".join("Tensor" if hasattr(v, "_array") else type(v).__name__
                        for v in (input, limit))  # fmt: skip
        raise TypeError(
            f"{name}() received an invalid combination of arguments - got ({got}), but expected "
            f"one of:\n * (Tensor input, Tensor {bound}, *, Tensor out = None)\n"
            f" * (Tensor input, Number {bound}, *, Tensor out = None)\n"
        )


@composite(out=True)
def clamp_min(input: Any, min: Any) -> Any:
    """Each element, but at least ``min``; see :func:`clamp`.

    Args:
        input: (*), any shape.
        min: a number, or a tensor of a shape that broadcasts.

    Returns:
        The broadcast shape, in ``input``'s dtype, or the bound's where that is higher.

    Raises:
        TypeError: ``input`` is no tensor.
    """
    require_bounded("clamp_min", "min", input, min)
    return clamp(input, min=min)


@composite(out=True)
def clamp_max(input: Any, max: Any) -> Any:
    """Each element, but at most ``max``; see :func:`clamp`.

    Args:
        input: (*), any shape.
        max: a number, or a tensor of a shape that broadcasts.

    Returns:
        The broadcast shape, in ``input``'s dtype, or the bound's where that is higher.

    Raises:
        TypeError: ``input`` is no tensor.
    """
    require_bounded("clamp_max", "max", input, max)
    return clamp(input, max=max)


@composite
def isclose(input: Any, other: Any, rtol: float = 1e-05, atol: float = 1e-08,
            equal_nan: bool = False) -> Any:  # fmt: skip
    """Whether ``|input - other| <= atol + rtol * |other|``, element by element.

    Args:
        input, other: tensors of one dtype; their shapes broadcast.
        rtol, atol: the relative and the absolute tolerance.
        equal_nan: whether two NaN count as close.

    Returns:
        bool, of the common shape.

    Raises:
        TypeError: an operand is no tensor.
        RuntimeError: the two have different dtypes, or a tolerance is negative.
    """
    require_tensors("isclose", input=input, other=other)
    if input.dtype is not other.dtype:
        from ..tensor.views import _type_word

        raise RuntimeError(f"{_type_word(input.dtype)} did not match {_type_word(other.dtype)}")
    for what, size in (("rtol", rtol), ("atol", atol)):
        if size < 0:
            raise RuntimeError(f"{what} must be greater than or equal to zero, but got {size}")
    if input._array.dtype.kind == "b":
        return input == other
    near = (input - other).abs() <= atol + rtol * other.abs()
    near = near & input.isfinite() & other.isfinite() | (input == other)
    return near | (input.isnan() & other.isnan()) if equal_nan else near


@composite
def allclose(input: Any, other: Any, rtol: float = 1e-05, atol: float = 1e-08,
             equal_nan: bool = False) -> bool:  # fmt: skip
    """Whether all elements are close; see :func:`isclose`, whose arguments these are.

    Args:
        input, other: tensors of one dtype; their shapes broadcast.
        rtol, atol: the relative and the absolute tolerance.
        equal_nan: whether two NaN count as close.

    Returns:
        A Python bool; True if there are no elements.

    Raises:
        TypeError: an operand is no tensor.
        RuntimeError: the two have different dtypes, or a tolerance is negative.
    """
    return bool(isclose(input, other, rtol, atol, equal_nan).all())


@composite
def equal(input: Any, other: Any) -> bool:
    """Whether the tensors ``input`` and ``other`` have one shape and the same elements, as a bool.

    NaN equal nothing; a bool is 1.
    """
    return tuple(input._array.shape) == tuple(other._array.shape) and bool(
        np.array_equal(input._concrete("equal()"), other._concrete("equal()"))
    )


def _triangle(lower: bool) -> Any:
    def function(input: Any, diagonal: int = 0, *, out: Any = None) -> Any:
        from ..tensor import wrap

        shape = input._array.shape
        if len(shape) < 2:
            name = "tril" if lower else "triu"
            raise RuntimeError(f"{name}: input tensor must have at least 2 dimensions")
        mask = np.tri(shape[-2], shape[-1], diagonal if lower else diagonal - 1, dtype=bool)
        kept = wrap(mask if lower else ~mask)
        result = renamed(
            _where(kept, input.contiguous(), input.new_zeros(())),
            "TrilBackward0" if lower else "TriuBackward0",
        )
        if out is not None:
            from ..tensor.views import write_out

            return write_out("tril" if lower else "triu", result, out)
        return result

    function.__name__ = function.__qualname__ = "tril" if lower else "triu"
    side = "below" if lower else "above"
    function.__doc__ = written(
        f"The matrices with zeros except on and {side} the ``diagonal``-th diagonal.",
        "input: (*, n, m).\n"
        "        diagonal: 0 the main one, above it if positive, below it if negative.\n"
        "        out: a tensor to write the result into.",
        "(*, n, m), of ``input``'s dtype.",
        "RuntimeError: ``input`` has fewer than two dims.",
    )
    return composite(function, name=function.__name__)


tril = _triangle(True)
triu = _triangle(False)
