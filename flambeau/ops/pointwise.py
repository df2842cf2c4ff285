"""Arithmetic and elementary functions, element by element.

Source: https://pytorch.org/docs/stable/torch.html#pointwise-ops
"""

from __future__ import annotations

import builtins
import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..namespaces import numpy as numpy_namespace
from . import native
from .documentation import FLOATING, KEPT, of_one
from .dtype_checks import NUMBERS, ORDERED, REALS, cpp_word, require_kinds, type_word
from .operation import Array, Number, Operation, operation
from .small_programs import small

_BINARY_SAMPLES = (((3, 4), (3, 4)), ((3, 4), (4,)), ((2, 1), (1, 3)), ((), (2,)))


def unary(
    name: str,
    doc: str,
    vjp: Callable[..., Any] | None,
    *,
    promote: str | None = "float",
    dtypes: str = "inexact",
    domain: tuple[float, float] = (-2.0, 2.0),
    inplace: bool = True,
    method: bool = True,
    refuses_bool: str | None = None,
    on_complex: bool = False,
    raises: str = "",
) -> Operation:
    """The operation that applies the primitive ``name`` to each element."""

    def forward(xp: Any, input: Array) -> Any:
        return getattr(xp, name)(input)

    raises = "NotImplementedError: ``input`` is bool." if refuses_bool else raises
    forward.__doc__ = of_one(doc, KEPT if promote is None else FLOATING, raises)
    defined = Operation(
        forward, name=name, promote=promote, dtypes=dtypes, domain=domain, inplace=inplace,
        method=method, samples=(((3, 4),), ((),), *((("complex",),) if on_complex else ())),
    )  # fmt: skip
    if vjp is not None:
        defined.vjp("input")(vjp)
    if refuses_bool is not None:
        defined.checked(lambda input: require_kinds(refuses_bool, NUMBERS, input))
    return defined


# -- exponentials and logarithms --------------------------------------------------------------

exp = unary("exp", "e to the power of each element.", lambda xp, grad, out: grad * out,
            on_complex=True)  # fmt: skip
exp2 = unary("exp2", "2 to the power of each element.",
             lambda xp, grad, out: grad * out * math.log(2))  # fmt: skip
expm1 = unary("expm1", "exp(x) - 1, exact for small x.", lambda xp, grad, out: grad * (out + 1))
log = unary("log", "Natural logarithm.", lambda xp, grad, input: grad / input, domain=(0.2, 3))
log2 = unary("log2", "Logarithm to the base 2.",
             lambda xp, grad, input: grad / (input * math.log(2)), domain=(0.2, 3))  # fmt: skip
log10 = unary("log10", "Logarithm to the base 10.",
              lambda xp, grad, input: grad / (input * math.log(10)), domain=(0.2, 3))  # fmt: skip
log1p = unary("log1p", "log(1 + x), exact for small x.",
              lambda xp, grad, input: grad / (input + 1), domain=(-0.8, 3))  # fmt: skip
sqrt = unary("sqrt", "Square root.", lambda xp, grad, out: grad / (out * 2),
             domain=(0.2, 3), on_complex=True)  # fmt: skip
rsqrt = unary("rsqrt", "One over the square root.",
              lambda xp, grad, out: grad * (out * out * out) * -0.5, domain=(0.2, 3))  # fmt: skip
reciprocal = unary("reciprocal", "One over each element.",
                   lambda xp, grad, out: -grad * out * out, domain=(0.3, 3))  # fmt: skip

# -- trigonometric and hyperbolic -------------------------------------------------------------

sin = unary("sin", "Sine, of radians.", lambda xp, grad, input: grad * xp.cos(input),
            on_complex=True)  # fmt: skip
cos = unary("cos", "Cosine, of radians.", lambda xp, grad, input: -grad * xp.sin(input))
tan = unary("tan", "Tangent, of radians.", lambda xp, grad, out: grad * (out * out + 1),
            domain=(-1.2, 1.2))  # fmt: skip
asin = unary(
    "asin",
    "Arcsine, in radians.",
    lambda xp, grad, input: grad * xp.rsqrt(1 - input * input),
    domain=(-0.9, 0.9),
)
acos = unary(
    "acos",
    "Arccosine, in radians.",
    lambda xp, grad, input: -grad * xp.rsqrt(1 - input * input),
    domain=(-0.9, 0.9),
)
atan = unary("atan", "Arctangent, in radians.",
             lambda xp, grad, input: grad / (input * input + 1))  # fmt: skip
sinh = unary("sinh", "Hyperbolic sine.", lambda xp, grad, input: grad * xp.cosh(input))
cosh = unary("cosh", "Hyperbolic cosine.", lambda xp, grad, input: grad * xp.sinh(input))
tanh = unary("tanh", "Hyperbolic tangent.", lambda xp, grad, out: grad * (1 - out * out),
             on_complex=True)  # fmt: skip
asinh = unary("asinh", "Inverse hyperbolic sine.",
              lambda xp, grad, input: grad * xp.rsqrt(input * input + 1))  # fmt: skip


def _acosh_gradient(xp: Any, grad: Any, input: Any) -> Any:
    if xp.dtype(input).kind == "c":  # the square root of the product is another branch
        return grad * (xp.rsqrt(input - 1) * xp.rsqrt(input + 1))
    return grad * xp.rsqrt(input * input - 1)


acosh = unary(
    "acosh",
    "Inverse hyperbolic cosine.",
    _acosh_gradient,
    domain=(1.2, 3),
)
atanh = unary("atanh", "Inverse hyperbolic tangent.",
              lambda xp, grad, input: grad / (1 - input * input), domain=(-0.9, 0.9))  # fmt: skip
sigmoid = unary("sigmoid", "1 / (1 + exp(-x)).", lambda xp, grad, out: grad * (out * (1 - out)))
native.moves(sigmoid, 1 << 15, 0.65e-9, 0.4e-9)
small(sigmoid, 1.5, 1.5)
small(tanh, 0.5, 1.5, most=1 << 11)

# -- special functions ------------------------------------------------------------------------

erf = unary(
    "erf",
    "Error function.",
    lambda xp, grad, input: grad * xp.exp(-(input * input)) * (2 / math.sqrt(math.pi)),
)
erfc = unary(
    "erfc",
    "Complementary error function, 1 - erf(x).",
    lambda xp, grad, input: grad * xp.exp(-(input * input)) * (-2 / math.sqrt(math.pi)),
)
erfinv = unary("erfinv", "Inverse error function.",
               lambda xp, grad, out: grad * xp.exp(out * out) * (math.sqrt(math.pi) / 2),
               domain=(-0.9, 0.9))  # fmt: skip
lgamma = unary("lgamma", "Logarithm of the absolute value of the gamma function.",
               lambda xp, grad, input: grad * xp.digamma(input), domain=(0.5, 3))  # fmt: skip


@operation(promote="float", dtypes="inexact", inplace=True, domain=(0.5, 3), samples=(((3, 4),),))
def digamma(xp, input: Array):
    """Logarithmic derivative of the gamma function.

    Args:
        input: (*), any shape.

    Returns:
        (*), of ``input``'s dtype, or for integers and bools of the default one.
    """
    return xp.digamma(input)


@digamma.vjp("input")
def _(xp, grad, input):
    return grad * xp.polygamma(1, input)


@operation(promote="float", dtypes="inexact", domain=(0.5, 3), method=False,
           name="polygamma", samples=((1, (3, 4)), (2, (3, 4))))  # fmt: skip
def polygamma(xp, n: int, input: Array):
    """The ``n``-th derivative of the digamma function.

    Args:
        n: at least 0.
        input: (*), any shape.

    Returns:
        (*), of ``input``'s dtype, or for integers and bools of the default one.

    Raises:
        RuntimeError: ``n`` is negative.
    """
    if n < 0:
        raise RuntimeError("polygamma(n, x) does not support negative n.")
    return xp.digamma(input) if n == 0 else xp.polygamma(n, input)


@polygamma.vjp("input")
def _(xp, grad, n, input):
    return grad * xp.polygamma(n + 1, input)


# -- signs and rounding -----------------------------------------------------------------------

neg = unary("neg", "Each element with its sign changed.", lambda xp, grad: -grad, promote=None,
            dtypes="number", raises="RuntimeError: ``input`` is bool.")  # fmt: skip


def direction(xp: Any, input: Any) -> Any:
    """Complex numbers divided by their magnitudes, 0 for 0."""
    size = xp.abs(input)
    return input / xp.where(xp.eq(size, 0), xp.full((), 1, xp.dtype(size)), size)


def _abs_gradient(xp: Any, grad: Any, input: Any) -> Any:
    if xp.dtype(input).kind == "c":
        return grad * direction(xp, input)
    return grad * xp.sign(input)


abs = unary("abs", "Absolute value; of complex numbers the magnitude, a real number.",
            _abs_gradient, promote=None, dtypes="number", refuses_bool="abs_cpu",
            on_complex=True)  # fmt: skip


@neg.checked
def _(input):
    if input.dtype.kind == "b":
        raise RuntimeError(
            "Negation, the `-` operator, on a bool tensor is not supported. If you are trying to "
            "invert a mask, use the `~` or `logical_not()` operator instead."
        )


def _zero_gradient(xp: Any, grad: Any) -> Any:
    return xp.full(tuple(grad.shape), 0, xp.dtype(grad))


@operation(dtypes="number", inplace=True, samples=(((3, 4),), ((),), ("bool",)))
def sign(xp, input: Array):
    """-1, 0 or 1, after each element's sign.

    Args:
        input: (*), any shape.

    Returns:
        (*), of ``input``'s dtype.
    """
    return xp.copy(input) if xp.dtype(input).kind == "b" else xp.sign(input)


sign.vjp("input")(_zero_gradient)
floor = unary("floor", "The largest integer not above each element.", _zero_gradient, promote=None,
              refuses_bool="floor_vml_cpu")  # fmt: skip
ceil = unary("ceil", "The smallest integer not below each element.", _zero_gradient, promote=None,
             refuses_bool="ceil_vml_cpu")  # fmt: skip
trunc = unary("trunc", "Each element without its fraction.", _zero_gradient, promote=None,
              refuses_bool="trunc_vml_cpu")  # fmt: skip


@operation(dtypes="inexact", inplace=True, samples=(((3, 4),),))
def round(xp, input: Array, *, decimals: int = 0):
    """Each element rounded to the nearest multiple of ``10 ** -decimals``, halves to even.

    Args:
        input: (*), any shape; whole numbers are left as they are.
        decimals: how many digits behind the point to keep; negative: before it.

    Returns:
        (*), of ``input``'s dtype.

    Raises:
        NotImplementedError: ``input`` is bool, or of an integer dtype with ``decimals`` not 0.
    """
    if xp.dtype(input).kind in "iub":
        return input + xp.full((), 0, xp.dtype(input))
    if decimals == 0:
        return xp.round(input)
    if decimals > 0:
        return xp.round(input * 10.0**decimals) / 10.0**decimals
    return xp.round(input / 10.0**-decimals) * 10.0**-decimals


round.vjp("input")(_zero_gradient)


@round.checked
def _(input, decimals=0):
    require_kinds("round_vml_cpu", NUMBERS, input)
    if decimals:
        require_kinds("round_cpu", "f", input)


@operation(dtypes="number", inplace=True, samples=(((3, 4),),))
def square(xp, input: Array):
    """Each element times itself.

    Args:
        input: (*), any shape.

    Returns:
        (*), of ``input``'s dtype, or for bools int64.
    """
    if xp.dtype(input).kind == "b":
        input = xp.astype(input, np.dtype(np.int64))
    return input * input


@square.vjp("input")
def _(xp, grad, input):
    return grad * (input * 2)


# -- arithmetic -------------------------------------------------------------------------------


@operation(promote="number", dtypes="number", inplace=True, samples=_BINARY_SAMPLES,
           older=("alpha",))  # fmt: skip
def add(xp, input: Array | Number, other: Array | Number, *, alpha: float = 1):
    """``input + alpha * other``, with broadcasting.

    Args:
        input, other: tensors, or one of them a number; their shapes broadcast.
        alpha: a number, whole if the operands are.

    Returns:
        Their broadcast shape, in their common dtype (of truth values: whether one holds).

    Raises:
        RuntimeError: ``alpha`` is a float and ``other`` of an integer dtype or bool.
    """
    return xp.add(input, other if alpha == 1 else _scaled(xp, other, alpha))


def _scaled(xp: Any, array: Any, alpha: Any) -> Any:
    """``alpha * array`` in the dtype of ``array``."""
    dtype = xp.dtype(array) if hasattr(array, "dtype") else None
    if dtype is not None and dtype.kind in "iub":
        if isinstance(alpha, float):
            raise RuntimeError(
                "For integral input tensors, argument alpha must not be a floating point number."
            )
        if dtype.kind == "b":
            return xp.logical_and(array, xp.full((), builtins.bool(alpha), dtype))
    return xp.mul(array, alpha)


@add.vjp("input")
def _(xp, grad):
    return grad


@add.vjp("other")
def _(xp, grad, alpha):
    return grad if alpha == 1 else grad * alpha


@operation(promote="number", dtypes="number", inplace=True, samples=_BINARY_SAMPLES,
           older=("alpha",))  # fmt: skip
def sub(xp, input: Array | Number, other: Array | Number, *, alpha: float = 1):
    """``input - alpha * other``, with broadcasting.

    Args:
        input, other: tensors, or one of them a number; their shapes broadcast.
        alpha: a number, whole if the operands are.

    Returns:
        Their broadcast shape, in their common dtype.

    Raises:
        RuntimeError: an operand is bool, or ``alpha`` a float and ``other`` of an integer dtype.
    """
    return xp.sub(input, other if alpha == 1 else _scaled(xp, other, alpha))


@sub.vjp("input")
def _(xp, grad):
    return grad


@sub.vjp("other")
def _(xp, grad, alpha):
    return -grad if alpha == 1 else grad * -alpha


@sub.checked_operands
def _(input, other, alpha):
    _refuse_bool_subtraction(input, other)


def _is_bool(operand: Any) -> bool:
    array = getattr(operand, "_array", None)
    return operand is True or operand is False or (array is not None and array.dtype == np.bool_)


def _refuse_bool_subtraction(*operands: Any) -> None:
    found = [_is_bool(o) for o in operands]
    if all(found):
        raise RuntimeError(
            "Subtraction, the `-` operator, with two bool tensors is not supported. Use the `^` "
            "or `logical_xor()` operator instead."
        )
    if True in found:
        raise RuntimeError(
            "Subtraction, the `-` operator, with a bool tensor is not supported. If you are "
            "trying to invert a mask, use the `~` or `logical_not()` operator instead."
        )


@operation(promote="number", dtypes="number", node_name="RsubBackward1", method=False,
           samples=_BINARY_SAMPLES)  # fmt: skip
def rsub(xp, input: Array, other: Array | Number, *, alpha: float = 1):
    """``other - alpha * input``, with broadcasting.

    Args:
        input: (*), any shape.
        other: a tensor of a shape that broadcasts with it, or a number.
        alpha: a number, whole if the operands are.

    Returns:
        Their broadcast shape, in their common dtype.

    Raises:
        RuntimeError: an operand is bool, or ``alpha`` a float and ``input`` of an integer dtype.
    """
    return xp.sub(other, input if alpha == 1 else _scaled(xp, input, alpha))


@rsub.vjp("input")
def _(xp, grad, alpha):
    return -grad if alpha == 1 else grad * -alpha


@rsub.vjp("other")
def _(xp, grad):
    return grad


@rsub.checked_operands
def _(input, other, alpha):
    _refuse_bool_subtraction(input, other)


@operation(promote="number", dtypes="number", inplace=True,
           samples=(*_BINARY_SAMPLES, ("complex", "complex"), ("complex", (3, 4))))  # fmt: skip
def mul(xp, input: Array | Number, other: Array | Number):
    """``input * other``, with broadcasting.

    Args:
        input, other: tensors, or one of them a number; their shapes broadcast.

    Returns:
        Their broadcast shape, in their common dtype (of truth values: whether both hold).
    """
    return xp.mul(input, other)


@mul.vjp("input")
def _(xp, grad, other):
    return grad * other


@mul.vjp("other")
def _(xp, grad, input):
    return grad * input


@operation(
    promote="float", dtypes="inexact", inplace=True, public=False, method=False, name="true_div",
    node_name="DivBackward0", samples=(*_BINARY_SAMPLES, ("complex", "complex")), domain=(0.5, 2),
)  # fmt: skip
def true_div(xp, input: Array | Number, other: Array | Number):
    """``input / other``, with broadcasting.

    Args:
        input, other: tensors, or one of them a number; their shapes broadcast.

    Returns:
        Their broadcast shape, in their common dtype, or for integers and bools the default one.
    """
    return xp.div(input, other)


@true_div.vjp("input")
def _(xp, grad, other):
    return grad / other


@true_div.vjp("other")
def _(xp, grad, input, other):
    return -grad * ((input / other) / other)


@operation(promote="number", dtypes="inexact", inplace=True, samples=_BINARY_SAMPLES,
           domain=(0.5, 2))  # fmt: skip
def floor_divide(xp, input: Array | Number, other: Array | Number):
    """``input / other`` rounded down, with broadcasting; a backward pass raises an error.

    Args:
        input, other: tensors, or one of them a number; their shapes broadcast.

    Returns:
        Their broadcast shape, in their common dtype; ``x / 0`` of floating-point numbers is
        infinite or NaN.

    Raises:
        RuntimeError: whole numbers are divided by 0 ("ZeroDivisionError").
        NotImplementedError: the common dtype is bool or complex.
    """
    if xp.dtype(input).kind in "iub":
        return xp.floor_divide(input, other)
    # NumPy and PyTorch disagree on x // 0: PyTorch gives x / 0
    return xp.where(xp.eq(other, 0), xp.div(input, other), xp.floor_divide(input, other))


floor_divide.refuse_derivative()


@operation(promote="number", dtypes="inexact", public=False, method=False, name="div_floor",
           node_name="DivBackward1", samples=_BINARY_SAMPLES, domain=(0.5, 2))  # fmt: skip
def div_floor(xp, input: Array | Number, other: Array | Number):
    """The same with a gradient, which is zero: ``div(..., rounding_mode="floor")``."""
    return floor_divide.forward(xp, input, other)


@div_floor.checked
def _(input, other):
    require_kinds("div_floor_cpu", REALS, input)
    _refuse_integer_zero(input, other)


@div_floor.vjp("input")
def _(xp, grad):
    return grad * 0


@div_floor.vjp("other")
def _(xp, grad):
    return grad * 0


@floor_divide.checked
def _(input, other):
    require_kinds("div_floor_cpu", REALS, input)
    _refuse_integer_zero(input, other)


def _refuse_integer_zero(input: Any, other: Any) -> None:
    if isinstance(other, np.ndarray) and other.dtype.kind in "iub" and (other == 0).any():
        if 0 in getattr(input, "shape", ()):
            return  # nothing is divided
        raise RuntimeError("ZeroDivisionError")


@operation(promote="number", dtypes="inexact", inplace=True, samples=_BINARY_SAMPLES,
           domain=(0.5, 2))  # fmt: skip
def remainder(xp, input: Array | Number, other: Array | Number):
    """The remainder of ``input / other`` that has the sign of ``other`` (Python's ``%``).

    Args:
        input, other: tensors, or one of them a number; their shapes broadcast.

    Returns:
        Their broadcast shape, in their common dtype.

    Raises:
        RuntimeError: whole numbers are divided by 0 ("ZeroDivisionError").
        NotImplementedError: the common dtype is bool or complex.
    """
    return xp.remainder(input, other)


@remainder.vjp("input")
def _(xp, grad):
    return grad


@remainder.vjp("other")
def _(xp, grad, input, other):
    return -grad * xp.floor(xp.div(input, other))


@remainder.checked
def _(input, other):
    require_kinds("remainder_cpu", REALS, input)
    _refuse_integer_zero(input, other)


@operation(promote="number", dtypes="inexact", inplace=True, samples=_BINARY_SAMPLES,
           domain=(0.5, 2))  # fmt: skip
def fmod(xp, input: Array, other: Array | Number):
    """The remainder of ``input / other`` that has the sign of ``input`` (C's ``fmod``).

    Args:
        input: (*), any shape.
        other: a tensor of a shape that broadcasts with it, or a number.

    Returns:
        Their broadcast shape, in their common dtype.

    Raises:
        RuntimeError: whole numbers are divided by 0 ("ZeroDivisionError").
        NotImplementedError: the common dtype is bool or complex.
    """
    return xp.fmod(input, other)


@fmod.vjp("input")
def _(xp, grad):
    return grad


@fmod.vjp("other")
def _(xp, grad, input, other):
    return -grad * xp.trunc(xp.div(input, other))


@fmod.checked
def _(input, other):
    require_kinds("fmod_cpu", REALS, input)
    _refuse_integer_zero(input, other)


@operation(promote="number", dtypes="inexact", inplace=True, samples=_BINARY_SAMPLES,
           domain=(0.5, 2))  # fmt: skip
def pow(xp, input: Array | Number, exponent: Array | Number):
    """``input`` to the power of ``exponent``, with broadcasting.

    Args:
        input, exponent: tensors, or one of them a number; their shapes broadcast.

    Returns:
        Their broadcast shape, in their common dtype.

    Raises:
        RuntimeError: whole numbers get a negative whole exponent.
        NotImplementedError: both are bool tensors.
    """
    if exponent.__class__ is int or exponent.__class__ is float:
        if exponent == 2:
            return input * input
        if exponent == 3:
            return input * input * input
        if exponent == 0.5:
            return xp.sqrt(input)
    elif xp.dtype(exponent).kind == "b":
        return xp.logical_or(input, xp.logical_not(exponent))
    return xp.pow(input, exponent)


@pow.vjp("input")
def _(xp, grad, input, exponent):
    if exponent.__class__ is int or exponent.__class__ is float:
        if exponent == 2:
            return grad * (input * 2)
        if exponent == 0:
            return _zero_gradient(xp, grad)
        return grad * (xp.pow(input, exponent - 1) * exponent)
    slope = exponent * xp.pow(input, exponent - 1)
    return grad * xp.where(xp.eq(exponent, 0), xp.full((), 0, xp.dtype(grad)), slope)


@pow.vjp("exponent")
def _(xp, grad, input, exponent, out):
    # where the base is 0 the logarithm is infinite, but the result constant for exponents >= 0
    zero = xp.full((), 0, xp.dtype(grad))
    if input.__class__ is int or input.__class__ is float:
        slope = out * math.log(input) if input > 0 else out * math.nan
        return grad * (zero + slope if input != 0 else xp.where(xp.ge(exponent, 0), zero, slope))
    flat = xp.logical_and(xp.eq(input, 0), xp.ge(exponent, 0))
    return grad * xp.where(flat, zero, out * xp.log(xp.where(flat, zero + 1, input)))


@pow.checked_operands
def _(input, exponent):
    if _is_bool(input) and _is_bool(exponent) and exponent is not True and exponent is not False:
        raise NotImplementedError("\"pow\" not implemented for 'Bool'")


@pow.checked
def _(input, exponent):
    if isinstance(exponent, np.ndarray) and exponent.dtype.kind == "i" and (exponent < 0).any():
        base: Any = getattr(input, "dtype", exponent.dtype)
        if base.kind in "iub":
            raise RuntimeError("Integers to negative integer powers are not allowed.")


@operation(promote="number", dtypes="number", samples=_BINARY_SAMPLES)
def maximum(xp, input: Array, other: Array):
    """The larger of two elements, NaN if one is; where equal, both share the gradient.

    Args:
        input, other: tensors; their shapes broadcast.

    Returns:
        Their broadcast shape, in their common dtype.

    Raises:
        RuntimeError: an operand is complex.
    """
    return xp.maximum(input, other)


@operation(promote="number", dtypes="number", samples=_BINARY_SAMPLES)
def minimum(xp, input: Array, other: Array):
    """The smaller of two elements, NaN if one is; where equal, both share the gradient.

    Args:
        input, other: tensors; their shapes broadcast.

    Returns:
        Their broadcast shape, in their common dtype.

    Raises:
        RuntimeError: an operand is complex.
    """
    return xp.minimum(input, other)


@maximum.checked
def _(input, other):
    _refuse_complex("maximum", input)


@minimum.checked
def _(input, other):
    _refuse_complex("minimum", input)


def _refuse_complex(name: str, array: Any) -> None:
    if getattr(array, "dtype", None) is not None and array.dtype.kind == "c":
        raise RuntimeError(f"{name} not implemented for complex tensors.")


def _extreme_gradient(chosen: str) -> Callable[..., Any]:
    """The gradient of the first of two operands, the larger (``gt``) of which is the result."""

    def vjp(xp: Any, grad: Any, input: Any, other: Any) -> Any:
        zero = xp.full((), 0, xp.dtype(grad))
        shared = xp.where(xp.eq(input, other), grad * 0.5, zero)
        return xp.where(getattr(xp, chosen)(input, other), grad, shared)

    return vjp


def _other_gradient(vjp: Callable[..., Any]) -> Callable[..., Any]:
    """The same for the second operand."""
    return lambda xp, grad, input, other: vjp(xp, grad, other, input)


for _operation, _chosen in ((maximum, "gt"), (minimum, "lt")):
    _operation.vjp("input")(_extreme_gradient(_chosen))
    _operation.vjp("other")(_other_gradient(_extreme_gradient(_chosen)))


@operation(promote="float", dtypes="inexact", inplace=True, samples=_BINARY_SAMPLES)
def atan2(xp, input: Array, other: Array):
    """The angle of the point (``other``, ``input``), in radians from -pi to pi.

    Args:
        input, other: tensors, the ordinates and the abscissas; their shapes broadcast.

    Returns:
        Their broadcast shape, in their common dtype, or for integers and bools the default one.

    Raises:
        NotImplementedError: an operand is complex.
    """
    return xp.atan2(input, other)


@atan2.checked
def _(input, other):
    require_kinds("atan2_cpu", ORDERED, input)


@atan2.vjp("input")
def _(xp, grad, input, other):
    return grad * other / (input * input + other * other)


@atan2.vjp("other")
def _(xp, grad, input, other):
    return -grad * input / (input * input + other * other)


# -- selection and limits ---------------------------------------------------------------------


@operation(promote="where", dtypes="any", public=False, method=False, name="where",
           samples=(("bool", (3, 4), (3, 4)), ("bool", (4,), ())))  # fmt: skip
def where(xp, condition: Array, input: Array | Number, other: Array | Number):
    """``input`` where ``condition`` holds, else ``other``, with broadcasting."""
    return xp.where(condition, input, other)


@where.vjp("input")
def _(xp, grad, condition):
    return xp.where(condition, grad, xp.full((), 0, xp.dtype(grad)))


@where.vjp("other")
def _(xp, grad, condition):
    return xp.where(condition, xp.full((), 0, xp.dtype(grad)), grad)


small(where, 1.5, 2.5)


@operation(public=False, method=False, dtypes="number", samples=(((3, 4), -0.5, 0.5),),
           name="clamp_number", node_name="ClampBackward1")  # fmt: skip
def clamp_number(xp, input: Array, min: float | None = None, max: float | None = None):
    """Each element, but at least ``min`` and at most ``max`` (numbers)."""
    dtype = xp.dtype(input)
    if min is not None:
        input = xp.maximum(input, xp.full((), min, dtype))
    if max is not None:
        input = xp.minimum(input, xp.full((), max, dtype))
    return input


@clamp_number.kernel
def _(input, min=None, max=None):
    if input.dtype.kind != "f":
        return clamp_number.forward(numpy_namespace, input, min, max)
    if min is not None:
        input = np.maximum(input, min)
    return input if max is None else np.minimum(input, max)


@clamp_number.vjp("input")
def _(xp, grad, input, min, max):
    inside = None
    if min is not None:
        inside = xp.ge(input, min)
    if max is not None:
        below = xp.le(input, max)
        inside = below if inside is None else xp.logical_and(inside, below)
    return xp.where(inside, grad, xp.full((), 0, xp.dtype(grad)))


@operation(promote="number", dtypes="inexact", inplace=True,
           samples=(((3, 4), (3, 4), 0.3), ((3, 4), (4,), (3, 1))))  # fmt: skip
def lerp(xp, input: Array, end: Array, weight: Array | Number):
    """``input + weight * (end - input)``, with broadcasting.

    Args:
        input: the values for ``weight`` 0, (*).
        end: the values for ``weight`` 1, of the same dtype.
        weight: a number, or a tensor of the same dtype (any, if it has no dims).

    Returns:
        The broadcast shape, in ``input``'s dtype.

    Raises:
        RuntimeError: the dtypes differ, or ``weight`` is complex and ``input`` is not.
    """
    return input + (end - input) * weight


@lerp.checked_operands
def _(input, end, weight):
    """Raise what PyTorch raises for operands of several dtypes."""
    for name, operand in (("end", end), ("weight", weight)):
        if hasattr(operand, "_array") and operand._array.dtype != input._array.dtype:
            if name == "weight" and operand._array.ndim == 0:
                continue  # as good as a number
            wanted, found = (cpp_word(type_word(a._array)) for a in (input, operand))
            raise RuntimeError(f"expected dtype {wanted} for `{name}` but got dtype {found}")
    if isinstance(weight, complex) and not input.is_complex():
        raise RuntimeError("value cannot be converted to type float without overflow")


@lerp.vjp("input")
def _(xp, grad, weight):
    return grad * (1 - weight)


@lerp.vjp("end")
def _(xp, grad, weight):
    return grad * weight


@lerp.vjp("weight")
def _(xp, grad, input, end):
    return grad * (end - input)


@operation(promote="number", dtypes="number", inplace=True,
           samples=(((3, 4), (3, 4), (4,)),), older=("value",))  # fmt: skip
def addcmul(xp, input: Array, tensor1: Array, tensor2: Array, *, value: float = 1):
    """``input + value * tensor1 * tensor2``, with broadcasting.

    Args:
        input, tensor1, tensor2: tensors whose shapes broadcast.
        value: a number.

    Returns:
        The broadcast shape, in the common dtype.
    """
    product = tensor1 * tensor2
    return input + (product if value == 1 else product * value)


@addcmul.vjp("input")
def _(xp, grad):
    return grad


@addcmul.vjp("tensor1")
def _(xp, grad, tensor2, value):
    return grad * (tensor2 * value)


@addcmul.vjp("tensor2")
def _(xp, grad, tensor1, value):
    return grad * (tensor1 * value)


@operation(promote="number", dtypes="inexact", inplace=True, domain=(0.5, 2),
           samples=(((3, 4), (3, 4), (4,)),), older=("value",))  # fmt: skip
def addcdiv(xp, input: Array, tensor1: Array, tensor2: Array, *, value: float = 1):
    """``input + value * tensor1 / tensor2``, with broadcasting.

    Args:
        input, tensor1, tensor2: tensors whose shapes broadcast.
        value: a number.

    Returns:
        The broadcast shape, in the common dtype.

    Raises:
        RuntimeError: ``tensor1`` and ``tensor2`` both hold whole numbers.
    """
    return input + (tensor1 / tensor2) * value


@addcdiv.checked_operands
def _(input, tensor1, tensor2, value):
    if all(t._array.dtype.kind in "iub" for t in (tensor1, tensor2)):
        raise RuntimeError(
            "Integer division with addcdiv is no longer supported: use input + value * "
            "(tensor1 / tensor2), or tensor1.div(tensor2, rounding_mode='trunc') for whole numbers."
        )


@addcdiv.vjp("input")
def _(xp, grad):
    return grad


@addcdiv.vjp("tensor1")
def _(xp, grad, tensor2, value):
    return grad * value / tensor2


@addcdiv.vjp("tensor2")
def _(xp, grad, tensor1, tensor2, value):
    return -grad * (tensor1 * value / (tensor2 * tensor2))


# -- conversions ------------------------------------------------------------------------------


@operation(public=False, method=False, node_name="ToCopyBackward0", name="astype",
           holomorphic=False, samples=(((3, 4), "float64"),))  # fmt: skip
def astype(xp, input: Array, dtype: Any):
    """The elements as another dtype (a NumPy dtype); of complex numbers the real parts."""
    if xp.dtype(input).kind == "c" and np.dtype(dtype).kind != "c":
        if np.dtype(dtype).kind == "b":
            return xp.ne(input, 0)
        input = xp.real(input)
    return xp.astype(input, dtype)


@astype.vjp("input")
def _(xp, grad, input):
    if xp.dtype(grad).kind == "c" and xp.dtype(input).kind != "c":
        grad = xp.real(grad)
    return xp.astype(grad, xp.dtype(input))


@operation(method=False, public=False, samples=(((3, 4),),))
def copy(xp, input: Array):
    """A copy of the elements."""
    return xp.copy(input)


@copy.vjp("input")
def _(xp, grad):
    return grad


@operation(method=False, public=False, out=False, samples=(((3, 4), (3, 4)), ((3, 1), (3, 4))))
def drawn_from(xp, input: Array, drawn: Array):
    """``drawn``, random numbers for which ``input`` was a parameter: its gradient is zero."""
    return xp.copy(drawn)


@drawn_from.vjp("input")
def _(xp, grad, input_shape):
    return xp.full(input_shape, 0, xp.dtype(grad))


@drawn_from.vjp("drawn")
def _(xp, grad):
    return grad
