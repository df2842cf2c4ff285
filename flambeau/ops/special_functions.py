"""Special functions beside those of :mod:`.pointwise` and :mod:`.logarithms`.

What has a gradient in PyTorch has it here, and nothing else: the Airy and Bessel functions (but
``i0`` and its kin) and the orthogonal polynomials are constants to a backward pass.

Source: https://docs.pytorch.org/docs/stable/special.html
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

from .documentation import of_one, written
from .dtype_checks import require_kinds
from .logarithms import _array
from .operation import Array, Number, Operation, operation

_PAIRS = (((3, 4), (3, 4)), ((3, 4), (4,)), ((2, 1), (1, 3)))


def _unary(
    name: str,
    doc: str,
    vjp: Callable[..., Any] | None = None,
    *,
    primitive: str | None = None,
    domain: tuple[float, float] = (-2.0, 2.0),
    public: bool = False,
    node_name: str | None = None,
) -> Operation:
    """The operation that applies the primitive ``name`` (or ``primitive``) to each element."""

    def forward(xp: Any, input: Array) -> Any:
        return getattr(xp, primitive or name)(input)

    forward.__doc__ = of_one(doc)
    defined = Operation(
        forward, name=name, promote="float", dtypes="inexact", domain=domain, public=public,
        inplace=public, node_name=node_name, samples=(((3, 4),), ((),)),
    )  # fmt: skip
    if vjp is not None:
        defined.vjp("input")(vjp)
    return defined


# -- modified Bessel functions of the first kind ----------------------------------------------


def _i1_gradient(xp: Any, grad: Any, input: Any, out: Any) -> Any:
    zero = xp.eq(input, 0)
    ratio = out / xp.where(zero, 1.0, input)
    return grad * xp.where(zero, 0.5, xp.i0(input) - ratio)


def _i1e_gradient(xp: Any, grad: Any, input: Any, out: Any) -> Any:
    zero = xp.eq(input, 0)
    ratio = out * (xp.sign(input) + 1 / xp.where(zero, 1.0, input))
    return grad * xp.where(zero, 0.5, xp.i0e(input) - ratio)


i0 = _unary(
    "i0",
    "Modified Bessel function of the first kind, order 0.",
    lambda xp, grad, input: grad * xp.i1(input),
    public=True,
)
i0e = _unary(
    "i0e",
    "``exp(-abs(x)) * i0(x)``.",
    lambda xp, grad, input, out: grad * (xp.i1e(input) - xp.sign(input) * out),
    node_name="SpecialI0EBackward0",
)
i1 = _unary("i1", "Modified Bessel function of the first kind, order 1.", _i1_gradient,
            node_name="SpecialI1Backward0")  # fmt: skip
i1e = _unary("i1e", "``exp(-abs(x)) * i1(x)``.", _i1e_gradient,
             node_name="SpecialI1EBackward0")  # fmt: skip

# -- the normal distribution ------------------------------------------------------------------

erfcx = _unary(
    "erfcx",
    "Scaled complementary error function, ``exp(x * x) * erfc(x)``.",
    lambda xp, grad, input, out: grad * (2.0 * input * out - 2 / math.sqrt(math.pi)),
    node_name="SpecialErfcxBackward0",
)
ndtri = _unary(
    "ndtri",
    "The number below which the standard normal distribution has the probability ``input``.",
    lambda xp, grad, out: grad * math.sqrt(2 * math.pi) * xp.exp(out * out * 0.5),
    domain=(0.05, 0.95),
    node_name="SpecialNdtriBackward0",
)


@operation(promote="float", dtypes="inexact", public=False, node_name="MulBackward1",
           samples=(((3, 4),), ((),)))  # fmt: skip
def ndtr(xp, input: Array):
    """The probability that a standard normal variable is below ``input``.

    Args:
        input: (*), any shape.

    Returns:
        (*), of ``input``'s dtype, or for integers and bools of the default one.
    """
    return 0.5 * xp.erfc(input * -math.sqrt(0.5))


@ndtr.vjp("input")
def _(xp, grad, input):
    return grad * xp.exp(input * input * -0.5) * (1 / math.sqrt(2 * math.pi))


@operation(promote="float", dtypes="inexact", public=False, node_name="SpecialLogNdtrBackward0",
           samples=(((3, 4),), ((),)))  # fmt: skip
def log_ndtr(xp, input: Array):
    """The logarithm of :func:`ndtr`, exact where that is almost 0 or 1.

    Args:
        input: (*), any shape.

    Returns:
        (*), of ``input``'s dtype, or for integers and bools of the default one.
    """
    scaled = input * math.sqrt(0.5)
    below = xp.log(xp.erfcx(-scaled) * 0.5) - scaled * scaled
    return xp.where(xp.lt(input, -1), below, xp.log1p(xp.erfc(scaled) * -0.5))


@log_ndtr.vjp("input")
def _(xp, grad, input):
    return grad * math.sqrt(2 / math.pi) / xp.erfcx(input * -math.sqrt(0.5))


@operation(promote="float", dtypes="inexact", public=False, node_name="SpecialEntrBackward0",
           domain=(0.1, 3.0), samples=(((3, 4),), ((),)))  # fmt: skip
def entr(xp, input: Array):
    """``-x * log(x)``, the share of a probability x in the entropy; 0 at 0, -inf below.

    Args:
        input: (*), any shape.

    Returns:
        (*), of ``input``'s dtype, or for integers and bools of the default one.
    """
    inside = xp.gt(input, 0)
    value = -input * xp.log(xp.where(inside, input, 1.0))
    value = xp.where(inside, value, -math.inf)
    return xp.where(xp.logical_or(xp.eq(input, 0), xp.isnan(input)), input * 1.0, value)


@entr.vjp("input")
def _(xp, grad, input):
    return grad * (-xp.log(input) - 1)


# -- incomplete gamma functions, the zeta function --------------------------------------------


@operation(promote="number", dtypes="inexact", inplace=True, domain=(0.3, 3.0),
           samples=_PAIRS)  # fmt: skip
def igamma(xp, input: Array, other: Array):
    """Regularized lower incomplete gamma function of ``other``, with the parameter ``input``.

    Args:
        input: the parameter, (*); it gets no gradient (NotImplementedError in a backward pass).
        other: the upper limit of the integral, a tensor whose shape broadcasts with it.

    Returns:
        Their broadcast shape, in their common dtype.

    Raises:
        NotImplementedError: the common dtype is not a floating-point one.
    """
    return xp.igamma(input, other)


@operation(promote="number", dtypes="inexact", inplace=True, domain=(0.3, 3.0),
           samples=_PAIRS)  # fmt: skip
def igammac(xp, input: Array, other: Array):
    """Regularized upper incomplete gamma function of ``other``, with the parameter ``input``.

    Args:
        input: the parameter, (*); it gets no gradient (NotImplementedError in a backward pass).
        other: the lower limit of the integral, a tensor whose shape broadcasts with it.

    Returns:
        Their broadcast shape, in their common dtype.

    Raises:
        NotImplementedError: the common dtype is not a floating-point one.
    """
    return xp.igammac(input, other)


def _gamma_density(xp: Any, input: Any, other: Any) -> Any:
    return xp.exp((input - 1) * xp.log(other) - other - xp.lgamma(input))


igamma.refuse_derivative("input", message="the derivative for 'igamma: input' is not implemented.")
igammac.refuse_derivative(
    "input", message="the derivative for 'igammac: input' is not implemented."
)


@igamma.vjp("other")
def _(xp, grad, input, other):
    return grad * _gamma_density(xp, input, other)


@igammac.vjp("other")
def _(xp, grad, input, other):
    return -grad * _gamma_density(xp, input, other)


@igamma.checked
def _(input, other):
    require_kinds("igamma_cpu", "f", input, other)


@igammac.checked
def _(input, other):
    require_kinds("igammac_cpu", "f", input, other)


@operation(promote="float", dtypes="inexact", public=False, domain=(1.5, 4.0),
           node_name="SpecialZetaBackward0", samples=_PAIRS)  # fmt: skip
def zeta(xp, input: Array | Number, other: Array | Number):
    """Hurwitz zeta function: the sum of ``(k + other) ** -input`` over k = 0, 1, 2, ...

    Args:
        input: the exponent; it gets no gradient (NotImplementedError in a backward pass).
        other: what is added; tensors, or one of the two a number; their shapes broadcast.

    Returns:
        Their broadcast shape, in their common dtype, or for integers and bools the default one.
    """
    if not hasattr(input, "shape"):
        return xp.zeta(_array(xp, input, other), other)
    return xp.zeta(input, _array(xp, other, input))


zeta.refuse_derivative("input", message="the derivative for 'zeta' is not implemented.")


@zeta.vjp("other")
def _(xp, grad, input, other):
    other = _array(xp, other, grad)
    return grad * -input * xp.zeta(_array(xp, input, other) + 1, other)


# -- without gradients ------------------------------------------------------------------------

airy_ai = _unary("airy_ai", "Airy function Ai.")
bessel_j0 = _unary("bessel_j0", "Bessel function of the first kind, order 0.")
bessel_j1 = _unary("bessel_j1", "Bessel function of the first kind, order 1.")
bessel_y0 = _unary("bessel_y0", "Bessel function of the second kind, order 0.", domain=(0.2, 9.0))
bessel_y1 = _unary("bessel_y1", "Bessel function of the second kind, order 1.", domain=(0.2, 9.0))
modified_bessel_i0 = _unary(
    "modified_bessel_i0", "Modified Bessel function of the first kind, order 0.", primitive="i0"
)
modified_bessel_i1 = _unary(
    "modified_bessel_i1", "Modified Bessel function of the first kind, order 1.", primitive="i1"
)
modified_bessel_k0 = _unary(
    "modified_bessel_k0", "Modified Bessel function of the second kind, order 0.",
    domain=(0.2, 5.0),
)  # fmt: skip
modified_bessel_k1 = _unary(
    "modified_bessel_k1", "Modified Bessel function of the second kind, order 1.",
    domain=(0.2, 5.0),
)  # fmt: skip
scaled_modified_bessel_k0 = _unary(
    "scaled_modified_bessel_k0", "``exp(x) * modified_bessel_k0(x)``.", domain=(0.2, 5.0)
)
scaled_modified_bessel_k1 = _unary(
    "scaled_modified_bessel_k1", "``exp(x) * modified_bessel_k1(x)``.", domain=(0.2, 5.0)
)


@operation(promote="float", dtypes="inexact", public=False, samples=(((3, 4),), ((),)))
def spherical_bessel_j0(xp, input: Array):
    """Spherical Bessel function of the first kind, order 0: ``sin(x) / x``, 1 at 0.

    Args:
        input: (*), any shape.

    Returns:
        (*), of ``input``'s dtype, or for integers and bools of the default one.
    """
    zero = xp.eq(input, 0)
    ratio = xp.sin(input) / xp.where(zero, 1.0, input)
    return xp.where(zero, 1.0, xp.where(xp.isinf(input), 0.0, ratio))


def _polynomial(name: str, doc: str) -> Operation:
    def forward(xp: Any, input: Array | Number, n: Array | Number) -> Any:
        if not hasattr(input, "shape"):
            input = _array(xp, input, n)
        return xp.orthogonal_polynomial(name, input, _array(xp, n, input))

    forward.__doc__ = written(
        f"{doc} of degree ``n``.",
        "input: where, a tensor or number.\n"
        "        n: the degree, cut to an integer: a tensor whose shape broadcasts, or a number;\n"
        "            below 0 the result is 0.",
        "The broadcast shape; the common dtype, or for integers and bools the default one.",
    )
    return Operation(
        forward, name=name, promote="float", dtypes="inexact", public=False,
        samples=(((3, 4), 3), ((3, 4), 11), ((3, 4), "rising"), (0.3, (2, 3))), domain=(-1.5, 4.5),
    )  # fmt: skip


chebyshev_polynomial_t = _polynomial("chebyshev_polynomial_t", "Chebyshev polynomial T")
chebyshev_polynomial_u = _polynomial("chebyshev_polynomial_u", "Chebyshev polynomial U")
chebyshev_polynomial_v = _polynomial("chebyshev_polynomial_v", "Chebyshev polynomial V")
chebyshev_polynomial_w = _polynomial("chebyshev_polynomial_w", "Chebyshev polynomial W")
shifted_chebyshev_polynomial_t = _polynomial(
    "shifted_chebyshev_polynomial_t", "Chebyshev polynomial T at ``2 x - 1``,"
)
shifted_chebyshev_polynomial_u = _polynomial(
    "shifted_chebyshev_polynomial_u", "Chebyshev polynomial U at ``2 x - 1``,"
)
shifted_chebyshev_polynomial_v = _polynomial(
    "shifted_chebyshev_polynomial_v", "Chebyshev polynomial V at ``2 x - 1``,"
)
shifted_chebyshev_polynomial_w = _polynomial(
    "shifted_chebyshev_polynomial_w", "Chebyshev polynomial W at ``2 x - 1``,"
)
hermite_polynomial_h = _polynomial("hermite_polynomial_h", "Physicist's Hermite polynomial")
hermite_polynomial_he = _polynomial("hermite_polynomial_he", "Probabilist's Hermite polynomial")
laguerre_polynomial_l = _polynomial("laguerre_polynomial_l", "Laguerre polynomial")
legendre_polynomial_p = _polynomial("legendre_polynomial_p", "Legendre polynomial")
