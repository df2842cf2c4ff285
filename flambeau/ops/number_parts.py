"""Signs, fractions, exponents and neighbours of numbers, and what is done about NaN.

Source: https://pytorch.org/docs/stable/torch.html#pointwise-ops
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import dtypes
from .array_calls import call_on_arrays
from .dims import broadcast_shape, require_tensors
from .documentation import TRUTHS, of_one, of_two
from .dtype_checks import INTEGERS, ORDERED, refuse_dtypes, require_kinds
from .operation import Array, Number, Operation, composite, operation

_PAIRS = (((3, 4), (3, 4)), ((3, 4), (4,)), ((2, 1), (1, 3)))


@composite(out=True)
def deg2rad(input: Any) -> Any:
    """Degrees as radians.

    Args:
        input: (*), any shape, in degrees.

    Returns:
        (*), of ``input``'s dtype, or for integers and bools of the default one.

    Raises:
        RuntimeError: ``input`` is complex.
    """
    refuse_dtypes("deg2rad", (input,))
    return input * (math.pi / 180)


@composite(out=True)
def rad2deg(input: Any) -> Any:
    """Radians as degrees.

    Args:
        input: (*), any shape, in radians.

    Returns:
        (*), of ``input``'s dtype, or for integers and bools of the default one.

    Raises:
        RuntimeError: ``input`` is complex.
    """
    refuse_dtypes("rad2deg", (input,))
    return input * (180 / math.pi)


# -- fractions and exponents ------------------------------------------------------------------


@operation(dtypes="inexact", inplace=True, samples=(((3, 4),), ((),)))
def frac(xp, input: Array):
    """What is left of each element without its whole part; it has the element's sign.

    Args:
        input: (*), any shape.

    Returns:
        (*), of ``input``'s dtype.
    """
    return input - xp.trunc(input)


@frac.vjp("input")
def _(xp, grad):
    return grad


@operation(outputs=("mantissa", "exponent"), differentiable=(True, False), dtypes="inexact",
           samples=(((3, 4),), ((),)))  # fmt: skip
def frexp(xp, input: Array):
    """Each element as ``mantissa * 2 ** exponent``, the mantissa's size in [0.5, 1).

    Args:
        input: (*), any shape, floating-point.

    Returns:
        A named tuple: mantissa (*) of ``input``'s dtype, exponent (*) int32; 0 and 0 for 0.

    Raises:
        RuntimeError: ``input`` is not of a floating-point dtype.
    """
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
    """``input * 2 ** other``, with broadcasting.

    Args:
        input, other: tensors; their shapes broadcast.

    Returns:
        Their broadcast shape, in their common dtype, or for whole numbers the default one.

    Raises:
        TypeError: an operand is no tensor.
        RuntimeError: the shapes do not broadcast.
    """
    require_tensors("ldexp", input=input, other=other)
    if other._array.dtype.kind in "iub":
        other = other.to(input.dtype if input.is_floating_point() else dtypes.get_default_dtype())
    return input * other.exp2()


@composite(out=True)
def float_power(input: Any, exponent: Any) -> Any:
    """``input`` to the power of ``exponent``, computed in float64 (or complex128).

    Args:
        input, exponent: tensors, or one of them a number; their shapes broadcast.

    Returns:
        Their broadcast shape, float64, or complex128 if one is complex.

    Raises:
        TypeError: neither is a tensor.
        RuntimeError: the shapes do not broadcast.
    """
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
    """Each element's size with the sign of ``other``, with broadcasting.

    Args:
        input: (*), any shape.
        other: a tensor of a shape that broadcasts with it, or a number; -0.0 is negative.

    Returns:
        The broadcast shape, in the common dtype, or for integers and bools the default one.

    Raises:
        NotImplementedError: an operand is complex.
    """
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
    """The next floating-point number after each element towards ``other``.

    Args:
        input, other: tensors; their shapes broadcast.

    Returns:
        Their broadcast shape, in their common dtype.

    Raises:
        NotImplementedError: the common dtype is not a floating-point one.
    """
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
    """The length of the hypotenuse, ``sqrt(input ** 2 + other ** 2)``, without overflow on the way.

    Args:
        input, other: tensors; their shapes broadcast.

    Returns:
        Their broadcast shape, in their common dtype.

    Raises:
        NotImplementedError: the common dtype is not a floating-point one.
    """
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
    """0 for negative elements, 1 for positive ones, ``values`` for zeros.

    Args:
        input: (*), any shape.
        values: a tensor of the same dtype whose shape broadcasts with it.

    Returns:
        Their broadcast shape, of that dtype.

    Raises:
        RuntimeError: the dtypes differ, or the shapes do not broadcast.
    """
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

    forward.__doc__ = of_two(
        f"The {word} of two elements; a number where one of them is NaN.",
        raises="RuntimeError: an operand is complex.",
        numbers=False,
    )
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
    """Each element, but numbers for NaN and the infinities.

    Args:
        input: (*), any shape.
        nan: what NaN becomes; None: 0.
        posinf, neginf: what the infinities become; None: the dtype's largest and smallest number.

    Returns:
        (*), of ``input``'s dtype; whole numbers as they are.
    """
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
    function.__doc__ = of_one(
        f"Whether elements are {word} infinity.", TRUTHS, "RuntimeError: ``input`` is complex."
    )
    return composite(function, out=True)


isposinf = _infinite("isposinf", 1.0, "positive")
isneginf = _infinite("isneginf", -1.0, "negative")


@composite
def isreal(input: Any) -> Any:
    """Whether elements are real: all but complex ones with an imaginary part that is not 0.

    Args:
        input: (*), any shape.

    Returns:
        (*), bool.
    """
    if input.is_complex():
        return input.imag == 0
    return input.new_ones(input.shape, dtype=dtypes.bool)


# -- whole numbers ----------------------------------------------------------------------------


def _of_pairs(first: np.ndarray, second: np.ndarray, name: str) -> np.ndarray:
    """A function of NumPy's of whole numbers, in their common dtype."""
    function = np.gcd if name == "gcd" else np.lcm
    dtype = dtypes.Promotion()
    for array in (first, second):
        dtype.add_array(dtypes.from_numpy_dtype(array.dtype), array.ndim)
    common = dtype.result().numpy
    return np.asarray(function(first.astype(common), second.astype(common)))


def _of_integers(name: str, doc: str) -> Any:
    def composite_(input: Any, other: Any) -> Any:
        require_tensors(name, input=input, other=other)
        promotion = dtypes.Promotion()
        for operand in (input, other):
            promotion.add_array(operand.dtype, operand._array.ndim)
        dtype = promotion.result().numpy
        require_kinds(f"{name}_cpu", INTEGERS, np.empty(0, dtype))
        shape = broadcast_shape(*(tuple(t._array.shape) for t in (input, other)))
        given = (input, other)
        return call_on_arrays(_of_pairs, f"{name}()", given, (shape, dtype), name=name)[0]

    composite_.__name__ = composite_.__qualname__ = name
    composite_.__doc__ = of_two(
        doc, raises="NotImplementedError: the common dtype is not an integer one.", numbers=False
    )
    return composite(composite_, out=True)


gcd = _of_integers("gcd", "The greatest common divisor of two whole numbers.")
lcm = _of_integers("lcm", "The least common multiple of two whole numbers.")


@composite(out=True, method=False)
def fill(input: Any, value: Any) -> Any:
    """A tensor like ``input`` with every element ``value``.

    Args:
        input: (*), any shape.
        value: a number, or a tensor without dims.

    Returns:
        (*), of ``input``'s dtype.

    Raises:
        RuntimeError: ``value`` has dims, or an imaginary part while ``input`` is real.
    """
    from ..tensor import Tensor
    from ..tensor.indexing import require_real
    from .conversion import filled

    if isinstance(value, Tensor):
        if value._array.ndim:
            raise RuntimeError(
                "fill only supports 0-dimension value tensor but got tensor with "
                f"{value._array.ndim} dimensions."
            )
        return value.to(input.dtype).expand(input.shape) + filled(input, 0)
    require_real(value, input._array.dtype)
    return filled(input, value)
