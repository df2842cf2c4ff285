"""Signs, fractions, exponents and neighbours of numbers, and what is done about NaN.

Source: https://pytorch.org/docs/stable/torch.html#pointwise-ops
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import dtypes
from .dims import require_tensors
from .dtype_checks import INTEGERS, ORDERED, require_kinds
from .operation import Array, Number, Operation, composite, operation

_PAIRS = (((3, 4), (3, 4)), ((3, 4), (4,)), ((2, 1), (1, 3)))


@composite(out=True)
def deg2rad(input: Any) -> Any:
    """Degrees as radians."""
    return input * (math.pi / 180)


@composite(out=True)
def rad2deg(input: Any) -> Any:
    """Radians as degrees."""
    return input * (180 / math.pi)


# -- fractions and exponents ------------------------------------------------------------------


@operation(dtypes="inexact", inplace=True, samples=(((3, 4),), ((),)))
def frac(xp, input: Array):
    """What is left of each element without its whole part."""
    return input - xp.trunc(input)


@frac.vjp("input")
def _(xp, grad):
    return grad


@operation(outputs=("mantissa", "exponent"), differentiable=(True, False), dtypes="inexact",
           samples=(((3, 4),), ((),)))  # fmt: skip
def frexp(xp, input: Array):
    """Each element as ``mantissa * 2 ** exponent``, the mantissa's size in [0.5, 1)."""
    size = xp.abs(input)
    plain = xp.logical_and(xp.isfinite(input), xp.ne(input, 0))
    exponent = xp.floor(xp.log2(xp.where(plain, size, 1.0))) + 1
    # the logarithm may be rounded across a power of two
    scaled = size * xp.exp2(-exponent)
    dtype = xp.dtype(input)
    above, below = xp.astype(xp.ge(scaled, 1), dtype), xp.astype(xp.lt(scaled, 0.5), dtype)
    exponent = exponent + above - below
    exponent = xp.where(plain, exponent, 0.0)
    return input * xp.exp2(-exponent), xp.astype(exponent, np.dtype(np.int32))


@frexp.kernel
def _(input):
    mantissa, exponent = np.frexp(input)
    return mantissa, np.asarray(exponent, np.int32)


@frexp.vjp("input")
def _(xp, grad, input):
    exponent = frexp.forward(xp, _values_of(xp, input))[1]
    return grad * xp.exp2(-xp.astype(exponent, xp.dtype(grad)))


def _values_of(xp: Any, x: Any) -> Any:
    """``x`` without its history, where it is a Tensor."""
    return x.detach() if hasattr(x, "_array") else x


@frexp.checked
def _(input):
    if input.dtype.kind not in "fV":
        raise RuntimeError("torch.frexp() only supports floating-point dtypes")


@composite(out=True)
def ldexp(input: Any, other: Any) -> Any:
    """``input * 2 ** other``."""
    require_tensors("ldexp", input=input, other=other)
    if other._array.dtype.kind in "iub":
        other = other.to(input.dtype if input.is_floating_point() else dtypes.get_default_dtype())
    return input * other.exp2()


@composite(out=True)
def float_power(input: Any, exponent: Any) -> Any:
    """``input`` to the power of ``exponent``, in float64 (or complex128)."""
    from ..tensor import Tensor
    from .pointwise import pow

    complex_ = any(
        v.is_complex() if isinstance(v, Tensor) else isinstance(v, complex)
        for v in (input, exponent)
    )
    wide = dtypes.complex128 if complex_ else dtypes.float64
    if isinstance(input, Tensor):
        input = input.to(wide)
    if isinstance(exponent, Tensor):
        exponent = exponent.to(wide)
    return pow(input, exponent)


# -- signs and neighbours ---------------------------------------------------------------------


@operation(promote="float", dtypes="inexact", inplace=True, samples=_PAIRS)
def copysign(xp, input: Array, other: Array | Number):
    """Each element's size with the sign of ``other``, with broadcasting."""
    return xp.copysign(input, other)


@copysign.checked
def _(input, other):
    require_kinds("copysign_cpu", ORDERED, input)


@copysign.vjp("input")
def _(xp, grad, input, out):
    ratio = xp.where(xp.eq(input, 0), 0.0, out / input)
    return grad * ratio


@copysign.vjp("other")
def _(xp, grad):
    return xp.full(tuple(grad.shape), 0, xp.dtype(grad))


@operation(promote="number", dtypes="inexact", inplace=True, samples=_PAIRS)
def nextafter(xp, input: Array, other: Array):
    """The next number after each element towards ``other``."""
    return xp.nextafter(input, other)


@nextafter.vjp("input")
def _(xp, grad, input, other):
    return xp.where(xp.ne(input, other), grad, 0.0)


@nextafter.vjp("other")
def _(xp, grad):
    return xp.full(tuple(grad.shape), 0, xp.dtype(grad))


@nextafter.checked
def _(input, other):
    require_kinds("nextafter_cpu", "f", input)


@operation(promote="number", dtypes="inexact", inplace=True, samples=_PAIRS)
def hypot(xp, input: Array, other: Array):
    """The length of the hypotenuse, ``sqrt(input ** 2 + other ** 2)``."""
    return xp.hypot(input, other)


@hypot.vjp("input")
def _(xp, grad, input, out):
    return grad * (input / out)


@hypot.vjp("other")
def _(xp, grad, other, out):
    return grad * (other / out)


@hypot.checked
def _(input, other):
    require_kinds("hypot_cpu", "f", input)


@operation(inplace=True, dtypes="number", same_dtype=True, samples=_PAIRS)
def heaviside(xp, input: Array, values: Array):
    """0 for negative elements, 1 for positive ones, ``values`` for zeros."""
    one = xp.astype(xp.gt(input, 0), xp.dtype(input))
    return xp.where(xp.eq(input, 0), values, one)


@heaviside.checked
def _(input, values):
    if input.dtype != values.dtype:
        raise RuntimeError("heaviside is not yet implemented for tensors with different dtypes.")


# -- extremes that pass over NaN --------------------------------------------------------------


def _number_extreme(name: str, primitive: str, comparison: str, word: str) -> Operation:
    def forward(xp: Any, input: Array, other: Array) -> Any:
        chosen = getattr(xp, primitive)(input, other)
        if xp.dtype(input).kind != "f":
            return chosen
        return xp.where(xp.isnan(other), input, xp.where(xp.isnan(input), other, chosen))

    forward.__doc__ = f"The {word} of two elements; a number where one of them is NaN."
    defined = Operation(forward, name=name, promote="number", dtypes="number", samples=_PAIRS)

    @defined.checked
    def _(input: Any, other: Any) -> None:
        if input.dtype.kind == "c":
            raise RuntimeError(f"{name} not implemented for complex tensors.")

    def first_wins(xp: Any, input: Any, other: Any) -> Any:
        wins = getattr(xp, comparison)(input, other)
        return xp.logical_or(wins, xp.isnan(other))

    @defined.vjp("input")
    def _(xp: Any, grad: Any, input: Any, other: Any) -> Any:
        return xp.where(first_wins(xp, input, other), grad, 0.0)

    @defined.vjp("other")
    def _(xp: Any, grad: Any, input: Any, other: Any) -> Any:
        return xp.where(first_wins(xp, input, other), 0.0, grad)

    return defined


fmax = _number_extreme("fmax", "maximum", "ge", "larger")
fmin = _number_extreme("fmin", "minimum", "le", "smaller")


# -- NaN and infinity -------------------------------------------------------------------------


@operation(dtypes="inexact", inplace=True, samples=(((3, 4),), ((3, 4), 0.5, 2.0, -2.0)))
def nan_to_num(
    xp, input: Array, nan: float | None = None, posinf: float | None = None,
    neginf: float | None = None,
):  # fmt: skip
    """Each element, but numbers for NaN (0) and the infinities (the largest finite numbers)."""
    dtype = xp.dtype(input)
    if dtype.kind not in "fV":
        return xp.copy(input)
    limits = dtypes.finfo(dtypes.from_numpy_dtype(dtype))
    high = limits.max if posinf is None else posinf
    low = limits.min if neginf is None else neginf
    result = xp.where(xp.isnan(input), 0.0 if nan is None else float(nan), input)
    infinite = xp.isinf(input)
    result = xp.where(xp.logical_and(infinite, xp.gt(input, 0)), float(high), result)
    return xp.where(xp.logical_and(infinite, xp.lt(input, 0)), float(low), result)


@nan_to_num.vjp("input")
def _(xp, grad, input):
    return xp.where(xp.isfinite(input), grad, 0.0)


def _infinite(name: str, sign: float, word: str) -> Any:
    def function(input: Any) -> Any:
        if input.is_complex():
            raise RuntimeError(f"{name} does not support complex inputs.")
        if not input.is_floating_point():
            return input.new_zeros(input.shape, dtype=dtypes.bool)
        return input == sign * math.inf

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"Whether elements are {word} infinity."
    return composite(function, out=True)


isposinf = _infinite("isposinf", 1.0, "positive")
isneginf = _infinite("isneginf", -1.0, "negative")


@composite
def isreal(input: Any) -> Any:
    """Whether elements are real: all but complex ones with an imaginary part."""
    if input.is_complex():
        return input.imag == 0
    return input.new_ones(input.shape, dtype=dtypes.bool)


# -- whole numbers ----------------------------------------------------------------------------


def _of_integers(name: str, function: Any, doc: str) -> Any:
    def composite_(input: Any, other: Any) -> Any:
        from ..tensor import wrap

        require_tensors(name, input=input, other=other)
        promotion = dtypes.Promotion()
        for operand in (input, other):
            promotion.add_array(operand.dtype, operand._array.ndim)
        dtype = promotion.result().numpy
        require_kinds(f"{name}_cpu", INTEGERS, np.empty(0, dtype))
        pair = (input._concrete(f"{name}()"), other._concrete(f"{name}()"))
        return wrap(np.asarray(function(*(p.astype(dtype) for p in pair))))

    composite_.__name__ = composite_.__qualname__ = name
    composite_.__doc__ = doc
    return composite(composite_, out=True)


gcd = _of_integers("gcd", np.gcd, "The greatest common divisor of two whole numbers.")
lcm = _of_integers("lcm", np.lcm, "The least common multiple of two whole numbers.")


@composite(out=True, method=False)
def fill(input: Any, value: Any) -> Any:
    """A tensor like ``input`` with every element ``value`` (a number or a 0-d tensor)."""
    from ..tensor import Tensor
    from .conversion import filled

    if isinstance(value, Tensor):
        if value._array.ndim:
            raise RuntimeError(
                "fill only supports 0-dimension value tensor but got tensor with "
                f"{value._array.ndim} dimensions."
            )
        return value.to(input.dtype).expand(input.shape) + filled(input, 0)
    return filled(input, value)
