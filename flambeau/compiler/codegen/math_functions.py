"""exp, log, tanh and the like as vector polynomial kernels, at most 2 units in the last place off.

``llvm.exp`` of a vector becomes one call of the C library per lane.  The kernels here are the usual
ones: the argument is reduced by the function's own law to a short interval, where a polynomial
(interpolated at Chebyshev points, so close to the best one) serves.  Special values are right: NaN
stays NaN, overflow gives inf, results may be denormal.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from .builder import Builder, Register


@dataclass(frozen=True)
class _Format:
    """What differs between single and double precision."""

    integer: str
    mantissa: int
    """Bits of the fraction."""
    magic: float
    """1.5 * 2**mantissa: adding it rounds to an integer, left in the lowest bits."""
    ln2_high: float
    ln2_low: float
    exp: tuple[float, ...]
    """(exp(r) - 1 - r) / r**2 for |r| <= ln(2) / 2."""
    exp_highest: float
    exp_lowest: float
    """Above the one exp is inf, below the other 0."""
    exp_normal: float
    """Below this exp may be denormal."""
    smallest_normal: float
    sqrt_half_bits: int


_SINGLE = _Format(
    integer="i32",
    mantissa=23,
    magic=1.5 * 2.0**23,
    ln2_high=0.693145751953125,
    ln2_low=1.42860682030941723212e-6,
    exp=(0.5, 0.16666576989698775, 0.041666554617204574, 0.008363179052722578,
         0.0013926183587713494),
    exp_highest=88.72283935546875,
    exp_lowest=-104.0,
    exp_normal=-87.0,
    smallest_normal=2.0**-126,
    sqrt_half_bits=0x3F3504F3,
)  # fmt: skip
_DOUBLE = _Format(
    integer="i64",
    mantissa=52,
    magic=1.5 * 2.0**52,
    ln2_high=6.93147180369123816490e-01,
    ln2_low=1.90821492927058770002e-10,
    exp=(0.5, 0.1666666666666667, 0.04166666666666667, 0.008333333333326136,
         0.0013888888888883748, 0.00019841269874820627, 2.4801587325547743e-05,
         2.7557255400206422e-06, 2.75572736431103e-07, 2.5105217004720745e-08,
         2.0914686968086876e-09),
    exp_highest=709.782712893384,
    exp_lowest=-746.0,
    exp_normal=-708.0,
    smallest_normal=2.0**-1022,
    sqrt_half_bits=0x3FE6A09E667F3BCD,
)  # fmt: skip

_LOG_SINGLE = (
    0.33333331180030046, -0.24999996957950882, 0.200007157488921, -0.16667802319501254,
    0.1424905764569748, -0.12425687331451106, 0.1168541992348674, -0.11479733846637635,
    0.06971611471451178,
)  # fmt: skip
"""(log(1 + f) - f + f**2 / 2) / f**3 for sqrt(1/2) <= 1 + f <= sqrt(2)."""
_LOG_DOUBLE = (
    0.6666666666666666, 0.4000000000000088, 0.28571428570803614, 0.22222222391713917,
    0.18181795640132906, 0.15386239702814658, 0.13268773138656886, 0.13086626147840102,
)  # fmt: skip
"""(2 atanh(s) - 2 s) / s**3 in powers of s**2, where s = f / (2 + f)."""
_TANH_SINGLE = (
    -0.3333333312343919, 0.133332963528113, -0.053957595132456244, 0.02175570034585329,
    -0.008301695360635958, 0.0022460036855930367,
)  # fmt: skip
"""(tanh(x) - x) / x**3 in powers of x**2 for |x| <= 0.64."""
_ERF_SINGLE = (
    0.12837916584835093, -0.37612626666720334, 0.11283594715160218, -0.026854212010626412,
    0.005189087423433974, -0.000801686428716587, 7.875875062685488e-05,
)  # fmt: skip
"""erf(x) / x - 1 in powers of x**2 for |x| <= 1."""
_ERF_TAIL_SINGLE = (
    -0.00032013804967769883, 1.130233434841994, 0.631826051559163, 0.11008008294882024,
    -0.026421136005663898, 0.004759596293266265, -0.0005968056256607798, 4.605804268918978e-05,
    -1.6371514145936436e-06,
)  # fmt: skip
"""-log(erfc(x)) in powers of x for 1 <= x <= 4."""


def _format(x: Register) -> _Format:
    return _SINGLE if x.type == "float" else _DOUBLE


def _fma(b: Builder, x: Register, y: Register, z: Register) -> Register:
    return b.intrinsic("fma", x, y, z)


def _polynomial(b: Builder, x: Register, coefficients: Sequence[float]) -> Register:
    """Horner's rule; ``coefficients`` begin with the constant."""
    result = b.constant(x.type, coefficients[-1])
    for coefficient in reversed(coefficients[:-1]):
        result = _fma(b, result, x, b.constant(x.type, coefficient))
    return result


def _exp_parts(b: Builder, x: Register, base2: bool = False) -> tuple[Register, Register, Register]:
    """``x = n ln(2) + r``: n as an integer in the lowest bits, n, and ``exp(r) - 1``."""
    f = _format(x)
    c = lambda value: b.constant(x.type, value)  # noqa: E731
    if base2:
        shifted = b.binary("fadd", x, c(f.magic))
        n = b.binary("fsub", shifted, c(f.magic))
        r = b.binary("fmul", b.binary("fsub", x, n), c(math.log(2)))
    else:
        shifted = _fma(b, x, c(1 / math.log(2)), c(f.magic))
        n = b.binary("fsub", shifted, c(f.magic))
        r = _fma(b, n, c(-f.ln2_high), x)
        r = _fma(b, n, c(-f.ln2_low), r)
    tail = b.binary("fmul", r, r)
    less_one = _fma(b, tail, _polynomial(b, r, f.exp), r)
    return b.cast("bitcast", shifted, f.integer), n, less_one


def _exp(b: Builder, x: Register, base2: bool) -> Register:
    f = _format(x)
    c = lambda value: b.constant(x.type, value)  # noqa: E731
    i = lambda value: b.constant(f.integer, value)  # noqa: E731
    unit = 1 / math.log(2) if base2 else 1.0
    highest = (128.0 if f is _SINGLE else 1024.0) if base2 else f.exp_highest
    lowest, normal = c(math.floor(f.exp_lowest * unit)), c(math.ceil(f.exp_normal * unit))
    clamped = b.select(b.compare("fcmp olt", x, lowest), lowest, x)
    number, _, less_one = _exp_parts(b, clamped, base2)
    # denormal results are computed 2**64 times too large
    denormal = b.compare("fcmp olt", clamped, normal)
    number = b.binary("add", number, b.select(denormal, i(64), i(0)))
    power = b.binary("shl", number, i(f.mantissa))
    mantissa = b.cast("bitcast", b.binary("fadd", less_one, c(1.0)), f.integer)
    result = b.cast("bitcast", b.binary("add", mantissa, power), x.type)
    result = b.binary("fmul", result, b.select(denormal, c(2.0**-64), c(1.0)))
    above = b.compare("fcmp oge" if base2 else "fcmp ogt", x, c(highest))
    result = b.select(above, c(math.inf), result)
    return b.select(b.compare("fcmp uno", x, x), x, result)


def exp(b: Builder, x: Register) -> Register:
    return _exp(b, x, False)


def exp2(b: Builder, x: Register) -> Register:
    return _exp(b, x, True)


def expm1(b: Builder, x: Register) -> Register:
    f = _format(x)
    c = lambda value: b.constant(x.type, value)  # noqa: E731
    # below, the result is -1; above, exp
    low = c(-18.0 if f is _SINGLE else -40.0)
    high = c(20.0 if f is _SINGLE else 45.0)
    clamped = b.select(b.compare("fcmp olt", x, low), low, x)
    clamped = b.select(b.compare("fcmp ogt", clamped, high), high, clamped)
    result = _expm1_middle(b, clamped)
    tiny = b.compare("fcmp olt", b.intrinsic("fabs", x), c(1e-9 if f is _SINGLE else 1e-18))
    result = b.select(tiny, x, result)
    result = b.select(b.compare("fcmp ogt", x, high), exp(b, x), result)
    return b.select(b.compare("fcmp uno", x, x), x, result)


def _log_parts(b: Builder, x: Register) -> tuple[Register, Register]:
    """``x = 2**e (1 + f)``: e and f, for a positive and finite ``x``."""
    f = _format(x)
    c = lambda value: b.constant(x.type, value)  # noqa: E731
    i = lambda value: b.constant(f.integer, value)  # noqa: E731
    denormal = b.compare("fcmp olt", x, c(f.smallest_normal))
    scale = 2.0 ** (f.mantissa + 1)
    normal = b.select(denormal, b.binary("fmul", x, c(scale)), x)
    bits = b.cast("bitcast", normal, f.integer)
    exponent = b.binary("ashr", b.binary("sub", bits, i(f.sqrt_half_bits)), i(f.mantissa))
    mantissa = b.cast(
        "bitcast", b.binary("sub", bits, b.binary("shl", exponent, i(f.mantissa))), x.type
    )
    exponent = b.binary("sub", exponent, b.select(denormal, i(f.mantissa + 1), i(0)))
    return b.cast("sitofp", exponent, x.type), b.binary("fsub", mantissa, c(1.0))


def _log_special(b: Builder, x: Register, result: Register) -> Register:
    """The logarithm's values at 0, inf, NaN and below 0."""
    c = lambda value: b.constant(x.type, value)  # noqa: E731
    result = b.select(b.compare("fcmp oeq", x, c(math.inf)), x, result)
    result = b.select(b.compare("fcmp oeq", x, c(0.0)), c(-math.inf), result)
    return b.select(b.compare("fcmp ult", x, c(0.0)), c(math.nan), result)


def _log_mantissa(b: Builder, f: Register) -> tuple[Register, Register]:
    """``log(1 + f)`` as the sum of a large and a small part."""
    c = lambda value: b.constant(f.type, value)  # noqa: E731
    square = b.binary("fmul", f, f)
    half = b.binary("fmul", square, c(0.5))
    if f.type == "float":
        rest = b.binary("fmul", b.binary("fmul", square, f), _polynomial(b, f, _LOG_SINGLE))
        return f, b.binary("fsub", rest, half)
    s = b.binary("fdiv", f, b.binary("fadd", f, c(2.0)))
    z = b.binary("fmul", s, s)
    rest = b.binary("fmul", z, _polynomial(b, z, _LOG_DOUBLE))
    # 2 s + s rest, with 2 s = f - s f, and s f = f^2/2 - s f^2/2
    rest = b.binary("fmul", s, b.binary("fadd", half, rest))
    return f, b.binary("fsub", rest, half)


def _log_mantissa_in(b: Builder, f: Register, unit: float) -> tuple[Register, Register]:
    """``log(1 + f)`` times ``unit``, and what that is rounded by."""
    large, small = _log_mantissa(b, f)
    high = b.constant(f.type, unit)
    low = b.constant(f.type, _rest(unit, f.type))
    product = b.binary("fmul", large, high)
    error = _fma(b, large, high, b.unary("fneg", product))
    return product, _fma(b, large, low, _fma(b, small, high, error))


def _log_finite(b: Builder, x: Register) -> Register:
    c = lambda value: b.constant(x.type, value)  # noqa: E731
    form = _format(x)
    exponent, f = _log_parts(b, x)
    large, small = _log_mantissa(b, f)
    small = _fma(b, exponent, c(form.ln2_low), small)
    return _fma(b, exponent, c(form.ln2_high), b.binary("fadd", large, small))


def log(b: Builder, x: Register) -> Register:
    return _log_special(b, x, _log_finite(b, x))


def log2(b: Builder, x: Register) -> Register:
    exponent, f = _log_parts(b, x)
    product, error = _log_mantissa_in(b, f, 1 / math.log(2))
    total = b.binary("fadd", exponent, product)
    lost = b.binary("fadd", b.binary("fsub", exponent, total), product)
    return _log_special(b, x, b.binary("fadd", total, b.binary("fadd", lost, error)))


def log10(b: Builder, x: Register) -> Register:
    exponent, f = _log_parts(b, x)
    product, error = _log_mantissa_in(b, f, 1 / math.log(10))
    two = math.log10(2)
    whole = b.binary("fmul", exponent, b.constant(x.type, two))
    wrong = _fma(b, exponent, b.constant(x.type, two), b.unary("fneg", whole))
    wrong = _fma(b, exponent, b.constant(x.type, _rest(two, x.type)), wrong)
    total = b.binary("fadd", whole, product)
    lost = b.binary("fadd", b.binary("fsub", whole, total), product)
    error = b.binary("fadd", error, wrong)
    return _log_special(b, x, b.binary("fadd", total, b.binary("fadd", lost, error)))


_LOW_PARTS = {
    ("double", 1 / math.log(2)): 2.0355273740931033e-17,
    ("double", 1 / math.log(10)): 1.098319650216765e-17,
    ("double", math.log10(2)): -2.8037281277851704e-18,
}


def _rest(value: float, type: str) -> float:
    """What is lost of the constant ``value`` when it is rounded to ``type``."""
    if type == "double":
        return _LOW_PARTS[type, value]
    import numpy as np

    return value - float(np.float32(value))


def log1p(b: Builder, x: Register) -> Register:
    c = lambda value: b.constant(x.type, value)  # noqa: E731
    total = b.binary("fadd", x, c(1.0))
    lost = b.binary("fsub", x, b.binary("fsub", total, c(1.0)))
    result = b.binary("fadd", _log_finite(b, total), b.binary("fdiv", lost, total))
    result = _log_special(b, total, result)
    # -0.0 and what is too small to change 1
    tiny = b.compare("fcmp olt", b.intrinsic("fabs", x), c(1e-9 if x.type == "float" else 1e-18))
    return b.select(tiny, x, result)


def tanh(b: Builder, x: Register) -> Register:
    c = lambda value: b.constant(x.type, value)  # noqa: E731
    magnitude = b.intrinsic("fabs", x)
    limit = c(10.0 if x.type == "float" else 22.0)
    clamped = b.select(b.compare("fcmp ogt", magnitude, limit), limit, magnitude)
    twice = b.binary("fadd", clamped, clamped)
    if x.type == "float":
        power, less_one = _exp_factors(b, twice)
        divisor = _fma(b, power, less_one, b.binary("fadd", power, c(1.0)))
        large = b.binary("fsub", c(1.0), b.binary("fdiv", c(2.0), divisor))
        square = b.binary("fmul", x, x)
        cube = b.binary("fmul", square, magnitude)
        small = _fma(b, cube, _polynomial(b, square, _TANH_SINGLE), magnitude)
        result = b.select(b.compare("fcmp olt", magnitude, c(0.64)), small, large)
        return b.intrinsic("copysign", result, x)
    less_one = _expm1_middle(b, twice)
    divisor = b.binary("fadd", less_one, c(2.0))
    result = b.binary("fdiv", less_one, divisor)
    # below 1/2: what rounding lost, divided by the divisor; 1 / divisor is (1 - tanh) / 2
    lost = b.binary("fsub", less_one, b.binary("fsub", divisor, c(2.0)))
    rest = _fma(b, b.unary("fneg", result), divisor, less_one)
    rest = _fma(b, b.unary("fneg", result), lost, rest)
    corrected = _fma(b, rest, _fma(b, result, c(-0.5), c(0.5)), result)
    result = b.select(b.compare("fcmp olt", less_one, c(2.0)), corrected, result)
    result = b.select(b.compare("fcmp olt", magnitude, c(1e-9)), magnitude, result)
    return b.intrinsic("copysign", result, x)


def _exp_factors(b: Builder, x: Register, less: int = 0) -> tuple[Register, Register]:
    """2 to the power of ``n - less`` and ``exp(r) - 1``, where ``x = n ln(2) + r``.

    The power is 0 where it would not be a normal number by one.
    """
    f = _format(x)
    number, _, less_one = _exp_parts(b, x)
    bias = (127 if f is _SINGLE else 1023) - less
    shifted = b.binary("shl", number, b.constant(f.integer, f.mantissa))
    bits = b.binary("add", shifted, b.constant(f.integer, bias << f.mantissa))
    return b.cast("bitcast", bits, x.type), less_one


def _expm1_middle(b: Builder, x: Register) -> Register:
    """expm1 of arguments between -40 and 45, where nothing overflows."""
    power, less_one = _exp_factors(b, x)
    return _fma(b, power, less_one, b.binary("fsub", power, b.constant(x.type, 1.0)))


def _exp_middle(b: Builder, x: Register) -> Register:
    """exp of arguments whose result is a normal number, and of NaN."""
    power, less_one = _exp_factors(b, x)
    return _fma(b, power, less_one, power)


def sigmoid(b: Builder, x: Register) -> Register:
    """1 / (1 + exp(-x)), rounded as PyTorch rounds it.

    Near 1 a more exact value would be another number, and its distance from 1 much another: that is
    what a binary cross entropy of it depends on.
    """
    f = _format(x)
    c = lambda value: b.constant(x.type, value)  # noqa: E731
    # below, 1 and the exponential are 1; above, the exponential is infinite
    low, high = c(-87.0 if f is _SINGLE else -708.0), c(89.0 if f is _SINGLE else 710.0)
    minus = b.unary("fneg", x)
    clamped = b.select(b.compare("fcmp olt", minus, low), low, minus)
    clamped = b.select(b.compare("fcmp ogt", clamped, high), high, clamped)
    half_power, less_one = _exp_factors(b, clamped, 1)
    half = _fma(b, half_power, less_one, half_power)
    return b.binary("fdiv", c(1.0), b.binary("fadd", c(1.0), b.binary("fadd", half, half)))


def erf(b: Builder, x: Register) -> Register:
    if x.type == "double":
        from .elementwise import lanewise

        return lanewise(b, "erf", x)
    c = lambda value: b.constant(x.type, value)  # noqa: E731
    magnitude = b.intrinsic("fabs", x)
    square = b.binary("fmul", x, x)
    small = _fma(b, magnitude, _polynomial(b, square, _ERF_SINGLE), magnitude)
    four = c(4.0)
    clamped = b.select(b.compare("fcmp ogt", magnitude, four), four, magnitude)
    power = _exp_middle(b, b.unary("fneg", _polynomial(b, clamped, _ERF_TAIL_SINGLE)))
    large = b.binary("fsub", c(1.0), power)
    result = b.select(b.compare("fcmp olt", magnitude, c(1.0)), small, large)
    return b.intrinsic("copysign", result, x)


# -- sine and cosine ----------------------------------------------------------------------------

_HALF_PI = (1.5707963267948966, 6.123233995736766e-17, -1.4973849048591698e-33)
"""pi / 2 as a sum of three numbers."""
_REDUCIBLE = 2.0**30
"""Arguments from which on that sum is too short: those are left to the C library."""
_SINE = (
    -0.16666666666666666, 0.008333333333330917, -0.00019841269836712007, 2.755731607855981e-06,
    -2.505112686627953e-08, 1.591777171242167e-10,
)  # fmt: skip
"""(sin(r) / r - 1) / r**2 in powers of r**2 for |r| <= pi / 4."""
_COSINE = (
    0.041666666666666664, -0.0013888888888887378, 2.4801587298737083e-05, -2.755731725679215e-07,
    2.0876143151414746e-09, -1.1382408005886448e-11,
)  # fmt: skip
"""(cos(r) - 1 + r**2 / 2) / r**4 in powers of r**2."""
_SINE_SINGLE = (
    -0.16666666663826582, 0.008333331863560767, -0.00019840080719912246, 2.724914679681338e-06,
)  # fmt: skip
_COSINE_SINGLE = (
    0.04166666666429725, -0.0013888887662711772, 2.480059535659426e-05, -2.730030902050213e-07,
)  # fmt: skip


def _quarters(b: Builder, x: Register, enough: bool) -> tuple[Register, Register, Register]:
    """``x = q pi / 2 + r`` for doubles: q in the lowest bits of an integer, sin(r) and cos(r).

    With ``enough`` the two are as exact as single precision asks for.
    """
    c = lambda value: b.constant(x.type, value)  # noqa: E731
    shifted = _fma(b, x, c(2 / math.pi), c(_DOUBLE.magic))
    q = b.unary("fneg", b.binary("fsub", shifted, c(_DOUBLE.magic)))
    r = x
    for part in _HALF_PI:
        r = _fma(b, q, c(part), r)
    z = b.binary("fmul", r, r)
    sine = _polynomial(b, z, _SINE_SINGLE if enough else _SINE)
    sine = _fma(b, b.binary("fmul", r, z), sine, r)
    cosine = _polynomial(b, z, _COSINE_SINGLE if enough else _COSINE)
    half = b.binary("fmul", z, c(0.5))
    large = b.binary("fsub", c(1.0), half)
    lost = b.binary("fsub", b.binary("fsub", c(1.0), large), half)
    cosine = b.binary("fadd", large, _fma(b, b.binary("fmul", z, z), cosine, lost))
    return b.cast("bitcast", shifted, "i64"), sine, cosine


def _turned(b: Builder, x: Register, quarter: int, enough: bool) -> Register:
    """sin(x + quarter pi / 2) for doubles."""
    i = lambda value: b.constant("i64", value)  # noqa: E731
    number, sine, cosine = _quarters(b, x, enough)
    number = b.binary("add", number, i(quarter))
    odd = b.compare("icmp ne", b.binary("and", number, i(1)), i(0))
    result = b.select(odd, cosine, sine)
    sign = b.binary("shl", b.binary("and", number, i(2)), i(62))
    bits = b.binary("xor", b.cast("bitcast", result, "i64"), sign)
    return b.cast("bitcast", bits, "double")


def _sine_or_cosine(b: Builder, name: str, x: Register) -> Register:
    quarter = 0 if name == "sin" else 1

    def reduced(b: Builder, x: Register) -> Register:
        if x.type == "double":
            result = _turned(b, x, quarter, False)
        else:
            result = _in_double(b, x, lambda b, wide: _turned(b, wide, quarter, True))
        if name == "sin":  # -0.0
            result = b.select(b.compare("fcmp oeq", x, b.constant(x.type, 0.0)), x, result)
        return result

    return _or_library(b, name, x, reduced)


def sin(b: Builder, x: Register) -> Register:
    return _sine_or_cosine(b, "sin", x)


def cos(b: Builder, x: Register) -> Register:
    return _sine_or_cosine(b, "cos", x)


def tan(b: Builder, x: Register) -> Register:
    if x.type == "double":
        from .elementwise import lanewise

        return lanewise(b, "tan", x)

    def reduced(b: Builder, x: Register) -> Register:
        def ratio(b: Builder, wide: Register) -> Register:
            number, sine, cosine = _quarters(b, wide, True)
            odd = b.compare(
                "icmp ne", b.binary("and", number, b.constant("i64", 1)), b.constant("i64", 0)
            )
            above = b.select(odd, cosine, sine)
            below = b.select(odd, b.unary("fneg", sine), cosine)
            return b.binary("fdiv", above, below)

        result = _in_double(b, x, ratio)
        return b.select(b.compare("fcmp oeq", x, b.constant(x.type, 0.0)), x, result)

    return _or_library(b, "tan", x, reduced)


def _or_library(
    b: Builder, name: str, x: Register, reduced: Callable[[Builder, Register], Register]
) -> Register:
    """``reduced(x)``, or the C library's function if some lane is too large for it.

    A function of its own, since the choice is a branch.
    """
    from .elementwise import lanewise

    library = name + ("f" if x.type == "float" else "")
    if x.lanes == 1:
        return lanewise(b, library, x)
    title = f"flambeau_{name}_{x.type}x{x.lanes}"
    inner = Builder(title, [], b.declarations)
    argument = Register("%x", x.type, x.lanes)
    result = reduced(inner, argument)
    magnitude = inner.intrinsic("fabs", argument)
    large = inner.compare("fcmp oge", magnitude, inner.constant(x.type, _REDUCIBLE))
    some = inner.reduce("or", large)
    fast = inner.taken_lines()
    careful = lanewise(inner, library, argument)
    b.declarations.add(
        f"define internal {x.full_type} @{title}({x.full_type} %x) #0 {{\nentry:\n{fast}\n"
        f"br i1 {some.name}, label %careful, label %done\ndone:\n"
        f"ret {x.full_type} {result.name}\ncareful:\n{inner.taken_lines()}\n"
        f"ret {x.full_type} {careful.name}\n}}"
    )
    return b.call_vector(title, x)


# -- powers -------------------------------------------------------------------------------------


def power(b: Builder, x: Register, y: Register) -> Register:
    """``x ** y`` in single precision: exp(y log|x|) in double precision, and the special values."""
    return b.cast(
        "fptrunc",
        _power(b, b.cast("fpext", x, "double"), b.cast("fpext", y, "double")),
        "float",
    )


def _power(b: Builder, x: Register, y: Register) -> Register:
    c = lambda value: b.constant(x.type, value)  # noqa: E731
    x, y = b.level_operands(x, y)
    magnitude = b.intrinsic("fabs", x)
    result = exp(b, b.binary("fmul", y, log(b, magnitude)))
    whole = b.compare("fcmp oeq", b.intrinsic("floor", y), y)
    half = b.binary("fmul", y, c(0.5))
    even = b.compare("fcmp oeq", b.intrinsic("floor", half), half)
    # below zero: odd powers change the sign, broken ones are not defined; -0.0 and -inf are
    signed = b.select(even, result, b.intrinsic("copysign", result, x))
    negative = b.compare("fcmp olt", x, c(0.0))
    endless = b.compare("fcmp oeq", magnitude, c(math.inf))
    broken = b.select(endless, result, b.select(negative, c(math.nan), result))
    result = b.select(whole, signed, broken)
    result = b.select(b.compare("fcmp uno", y, y), y, result)
    unit = b.compare("fcmp oeq", magnitude, c(1.0))
    endless = b.compare("fcmp oeq", b.intrinsic("fabs", y), c(math.inf))
    result = b.select(unit, b.select(endless, c(1.0), result), result)
    result = b.select(b.compare("fcmp oeq", x, c(1.0)), c(1.0), result)
    return b.select(b.compare("fcmp oeq", y, c(0.0)), c(1.0), result)


VECTOR_FUNCTIONS = (
    "exp exp2 expm1 log log2 log10 log1p tanh sigmoid erf digamma erfinv sin cos tan"
).split()
LIBM_FUNCTIONS = {
    "asin": "asin", "acos": "acos", "atan": "atan",
    "sinh": "sinh", "cosh": "cosh", "asinh": "asinh", "acosh": "acosh", "atanh": "atanh",
    "erfc": "erfc", "lgamma": "lgamma", "atan2": "atan2", "hypot": "hypot",
    "nextafter": "nextafter",
}  # fmt: skip
"""Primitive -> function of the C library, called lane by lane."""
FLOAT_ONLY = frozenset([*VECTOR_FUNCTIONS, *LIBM_FUNCTIONS, "sqrt", "rsqrt", "copysign"])


def _in_double(b: Builder, x: Register, function: object) -> Register:
    result = function(b, b.cast("fpext", x, "double"))  # type: ignore[operator]
    return b.cast("fptrunc", result, "float")


def digamma(b: Builder, x: Register) -> Register:
    """The recurrence up to 10, then the asymptotic series; reflected for negative arguments."""
    if x.type == "float":
        return _in_double(b, x, digamma)
    from .elementwise import lanewise

    c = lambda value: b.constant(x.type, value)  # noqa: E731
    negative = b.compare("fcmp olt", x, c(0.0))
    y = b.select(negative, b.binary("fsub", c(1.0), x), x)
    total = b.widen(c(0.0), x.lanes)
    for _ in range(10):
        small = b.compare("fcmp olt", y, c(10.0))
        step = b.select(small, b.binary("fdiv", c(1.0), y), c(0.0))
        total = b.binary("fsub", total, step)
        y = b.select(small, b.binary("fadd", y, c(1.0)), y)
    z = b.binary("fdiv", c(1.0), b.binary("fmul", y, y))
    series = _polynomial(
        b, z, (1 / 12, -1 / 120, 1 / 252, -1 / 240, 1 / 132, -691 / 32760, 1 / 12, -3617 / 8160)
    )
    series = b.binary("fadd", b.binary("fdiv", c(0.5), y), b.binary("fmul", z, series))
    result = b.binary("fadd", total, b.binary("fsub", log(b, y), series))
    turn = b.binary("fsub", x, b.intrinsic("floor", x))
    tangent = lanewise(b, "tan", b.binary("fmul", turn, c(math.pi)))
    reflected = b.binary("fsub", result, b.binary("fdiv", c(math.pi), tangent))
    reflected = b.select(b.compare("fcmp oeq", turn, c(0.0)), c(math.nan), reflected)
    result = b.select(negative, reflected, result)
    pole = b.intrinsic("copysign", c(math.inf), b.unary("fneg", x))
    result = b.select(b.compare("fcmp oeq", x, c(0.0)), pole, result)
    return b.select(b.compare("fcmp oeq", x, c(math.inf)), x, result)


def erfinv(b: Builder, x: Register) -> Register:
    """An approximation by a logarithm, then Halley steps on erfc."""
    if x.type == "float":
        return _in_double(b, x, erfinv)
    from .elementwise import lanewise

    c = lambda value: b.constant(x.type, value)  # noqa: E731
    magnitude = b.intrinsic("fabs", x)
    complement = b.binary("fsub", c(1.0), magnitude)
    w = log(b, b.binary("fmul", complement, b.binary("fadd", c(1.0), magnitude)))
    a = 0.147
    t = b.binary("fadd", c(2 / (math.pi * a)), b.binary("fmul", w, c(0.5)))
    root = b.intrinsic("sqrt", b.binary("fsub", b.binary("fmul", t, t), b.binary("fdiv", w, c(a))))
    y = b.intrinsic("sqrt", b.binary("fsub", root, t))
    small = b.compare("fcmp olt", magnitude, c(0.5))
    for _ in range(3):
        by_erf = b.binary("fsub", lanewise(b, "erf", y), magnitude)
        by_erfc = b.binary("fsub", complement, lanewise(b, "erfc", y))
        error = b.select(small, by_erf, by_erfc)
        slope = exp(b, b.unary("fneg", b.binary("fmul", y, y)))
        slope = b.binary("fmul", slope, c(2 / math.sqrt(math.pi)))
        step = b.binary("fdiv", error, slope)
        correction = _fma(b, b.binary("fmul", y, step), c(1.0), c(1.0))
        y = b.binary("fsub", y, b.binary("fdiv", step, correction))
    result = b.intrinsic("copysign", y, x)
    result = b.select(b.compare("fcmp oeq", magnitude, c(0.0)), x, result)
    infinite = b.intrinsic("copysign", c(math.inf), x)
    result = b.select(b.compare("fcmp oeq", magnitude, c(1.0)), infinite, result)
    outside = b.compare("fcmp ugt", magnitude, c(1.0))
    return b.select(outside, c(math.nan), result)
