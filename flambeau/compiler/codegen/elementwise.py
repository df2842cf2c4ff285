"""LLVM code of the elementwise primitives, for any dtype and any number of lanes."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..unsupported import Unsupported
from . import math_functions
from .builder import BOOL, Builder, Register

Emit = Callable[..., Register]

_TYPES = {
    "?": BOOL, "b": "i8", "B": "i8", "h": "i16", "H": "i16", "i": "i32", "I": "i32",
    "l": "i64", "L": "i64", "q": "i64", "Q": "i64", "e": "half", "f": "float", "d": "double",
    "E": "i16",
}  # fmt: skip


def llvm_type(dtype: np.dtype, primitive: str = "array") -> str:
    """The LLVM type of an element of ``dtype``."""
    type = _TYPES.get(dtype.char)
    if type is None:
        raise Unsupported(primitive, f"arrays of {dtype} are not compiled")
    return type


def _is_float(dtype: np.dtype) -> bool:
    return dtype.kind == "f"


def is_bfloat16(dtype: np.dtype) -> bool:
    """Whether ``dtype`` is bfloat16; ml_dtypes has given it this letter."""
    return str(dtype.char) == "E" and dtype.name == "bfloat16"


def has_type(dtype: np.dtype) -> bool:
    """Whether elements of ``dtype`` have an LLVM type."""
    return dtype.char in _TYPES and (str(dtype.char) != "E" or is_bfloat16(dtype))


def number(b: Builder, dtype: np.dtype, value: Any) -> Register:
    """The constant ``value`` as an element of ``dtype``."""
    if is_bfloat16(dtype):  # its bits; no literal that arithmetic could be done with
        with np.errstate(over="ignore"):
            bits = int(np.asarray(value).astype(dtype).view(np.int16))
        return Register(str(bits), "i16")
    return b.constant(llvm_type(dtype), np.asarray(value).astype(dtype).item())


# -- conversions --------------------------------------------------------------------------------


def as_bool(b: Builder, x: Register, dtype: np.dtype) -> Register:
    """Whether ``x`` is not zero (NaN is not)."""
    if dtype.kind == "b":
        return x
    if is_bfloat16(dtype):
        return as_bool(b, _from_bfloat16(b, x), _SINGLE)
    if _is_float(dtype):
        return b.compare("fcmp une", x, b.constant(x.type, 0.0))
    return b.compare("icmp ne", x, b.constant(x.type, 0))


def convert(b: Builder, x: Register, source: np.dtype, target: np.dtype) -> Register:
    """``x`` of dtype ``source`` as ``target``, as a C cast would."""
    if source == target:
        return x
    if is_bfloat16(source):
        return convert(b, _from_bfloat16(b, x), _SINGLE, target)
    if is_bfloat16(target):
        return _to_bfloat16(b, convert(b, x, source, _SINGLE))
    if x.literal is not None and x.lanes == 1 and not (source.kind == "f" and target.kind in "iu"):
        return b.constant(llvm_type(target), np.asarray(x.literal).astype(target).item())
    type = llvm_type(target)
    if target.kind == "b":
        return as_bool(b, x, source)
    if "e" in (source.char, target.char) and not (source.char == "f" or target.char == "f"):
        # half precision is converted by way of single, in which there are instructions for it
        single = np.dtype(np.float32)
        if source.char == "d":
            return b.cast("fptrunc", _rounded_to_odd(b, x), type)
        return convert(b, convert(b, x, source, single), single, target)
    if _is_float(source) and _is_float(target):
        if source.itemsize < target.itemsize:
            return b.cast("fpext", x, type)
        return b.cast("fptrunc", x, type)
    if _is_float(target):
        return b.cast("sitofp" if source.kind == "i" else "uitofp", x, type)
    if _is_float(source):
        if target.kind == "u" and target.itemsize == 8:
            return b.cast("fptoui", x, type)
        wide = b.cast("fptosi", x, "i64" if target.itemsize > 4 or target.kind == "u" else "i32")
        return wide if wide.type == type else b.cast("trunc", wide, type)
    if x.type == type:
        return x
    if source.kind == "b" or target.itemsize > source.itemsize:
        return b.cast("sext" if source.kind == "i" else "zext", x, type)
    return b.cast("trunc", x, type)


_SINGLE = np.dtype(np.float32)


def _from_bfloat16(b: Builder, x: Register) -> Register:
    """Elements of bfloat16, which are the upper halves of singles, as singles."""
    bits = b.binary("shl", b.cast("zext", x, "i32"), b.constant("i32", 16))
    return b.cast("bitcast", bits, "float")


def _to_bfloat16(b: Builder, x: Register) -> Register:
    """Singles rounded to bfloat16, to nearest and ties to even; NaN stays NaN.

    In integers: not every CPU has an instruction, nor every system a function for it.
    """
    if x.literal is not None:
        x = Register(x.name, x.type, x.lanes, x.level)
    bits = b.cast("bitcast", x, "i32")
    upper = b.binary("lshr", bits, b.constant("i32", 16))
    odd = b.binary("and", upper, b.constant("i32", 1))
    up = b.binary("add", bits, b.binary("add", odd, b.constant("i32", 0x7FFF)))
    rounded = b.binary("lshr", up, b.constant("i32", 16))
    quiet = b.binary("or", upper, b.constant("i32", 0x40))
    return b.cast("trunc", b.select(_is_nan(b, x), quiet, rounded), "i16")


def _rounded_to_odd(b: Builder, x: Register) -> Register:
    """A double as a single that rounds on to half precision as the double itself would."""
    nearest = b.cast("fptrunc", x, "float")
    back = b.cast("fpext", nearest, "double")
    bits = b.cast("bitcast", nearest, "i32")
    larger = b.compare("fcmp ogt", b.intrinsic("fabs", back), b.intrinsic("fabs", x))
    bits = b.binary("sub", bits, b.cast("zext", larger, "i32"))
    inexact = b.compare("fcmp one", back, x)
    bits = b.binary("or", bits, b.cast("zext", inexact, "i32"))
    return b.cast("bitcast", bits, "float")


# -- helpers ------------------------------------------------------------------------------------


def lanewise(b: Builder, name: str, *operands: Register) -> Register:
    """The external scalar function ``name`` applied to each lane."""
    operands = b.level_operands(*operands)
    x = operands[0]
    if x.lanes == 1:
        return b.call(name, x.type, *operands)
    result = b.poison(x.type, x.lanes)
    for lane in range(x.lanes):
        element = b.call(name, x.type, *(b.extract(o, lane) for o in operands))
        result = b.insert(result, element, lane)
    return result


def _libm(name: str) -> Emit:
    def emit(b: Builder, dtype: np.dtype, *operands: Register) -> Register:
        return lanewise(b, name + ("f" if operands[0].type == "float" else ""), *operands)

    return emit


def _is_nan(b: Builder, x: Register) -> Register:
    return b.compare("fcmp uno", x, x)


def _zero(b: Builder, x: Register) -> Register:
    return b.constant(x.type, 0)


# -- unary --------------------------------------------------------------------------------------


def _neg(b: Builder, dtype: np.dtype, x: Register) -> Register:
    if _is_float(dtype):
        return b.unary("fneg", x)
    return b.binary("sub", _zero(b, x), x)


def _abs(b: Builder, dtype: np.dtype, x: Register) -> Register:
    if _is_float(dtype):
        return b.intrinsic("fabs", x)
    if dtype.kind != "i":
        return x
    return b.select(b.compare("icmp slt", x, _zero(b, x)), b.binary("sub", _zero(b, x), x), x)


def _sign(b: Builder, dtype: np.dtype, x: Register) -> Register:
    zero, one = _zero(b, x), b.constant(x.type, 1)
    if _is_float(dtype):
        negative = b.select(b.compare("fcmp olt", x, zero), b.constant(x.type, -1), zero)
        sign = b.select(b.compare("fcmp ogt", x, zero), one, negative)
        return b.select(_is_nan(b, x), x, sign)
    if dtype.kind == "i":
        negative = b.select(b.compare("icmp slt", x, zero), b.constant(x.type, -1), zero)
        return b.select(b.compare("icmp sgt", x, zero), one, negative)
    return b.select(b.compare("icmp ne", x, zero), one, zero)


def _relu(b: Builder, dtype: np.dtype, x: Register) -> Register:
    zero = _zero(b, x)
    if _is_float(dtype):  # the form that x86 has an instruction for; NaN stays NaN
        return b.select(b.compare("fcmp ogt", zero, x), zero, x)
    if dtype.kind == "i":
        return b.select(b.compare("icmp sgt", zero, x), zero, x)
    return x


def _rounding(intrinsic: str) -> Emit:
    def emit(b: Builder, dtype: np.dtype, x: Register) -> Register:
        return b.intrinsic(intrinsic, x) if _is_float(dtype) else x

    return emit


def _bitwise_not(b: Builder, dtype: np.dtype, x: Register) -> Register:
    return b.binary("xor", x, b.constant(x.type, True if dtype.kind == "b" else -1))


def _sqrt(b: Builder, dtype: np.dtype, x: Register) -> Register:
    return b.intrinsic("sqrt", x)


def _rsqrt(b: Builder, dtype: np.dtype, x: Register) -> Register:
    return b.binary("fdiv", b.constant(x.type, 1), b.intrinsic("sqrt", x))


def _reciprocal(b: Builder, dtype: np.dtype, x: Register) -> Register:
    if not _is_float(dtype):
        return _integer_division(b, dtype, b.constant(x.type, 1), x)[0]
    return b.binary("fdiv", b.constant(x.type, 1), x)


def _vector_math(name: str) -> Emit:
    function = getattr(math_functions, name)

    def emit(b: Builder, dtype: np.dtype, x: Register) -> Register:
        return function(b, x)

    return emit


# -- predicates ---------------------------------------------------------------------------------


def _isnan(b: Builder, dtype: np.dtype, x: Register) -> Register:
    return _is_nan(b, x) if _is_float(dtype) else b.constant(BOOL, False)


def _isinf(b: Builder, dtype: np.dtype, x: Register) -> Register:
    if not _is_float(dtype):
        return b.constant(BOOL, False)
    return b.compare("fcmp oeq", b.intrinsic("fabs", x), b.constant(x.type, math.inf))


def _isfinite(b: Builder, dtype: np.dtype, x: Register) -> Register:
    if not _is_float(dtype):
        return b.constant(BOOL, True)
    return b.compare("fcmp olt", b.intrinsic("fabs", x), b.constant(x.type, math.inf))


def _signbit(b: Builder, dtype: np.dtype, x: Register) -> Register:
    if _is_float(dtype):
        bits = {"half": "i16", "float": "i32", "double": "i64"}[x.type]
        x = b.cast("bitcast", x, bits)
    elif dtype.kind != "i":
        return b.constant(BOOL, False)
    return b.compare("icmp slt", x, b.constant(x.type, 0))


def _logical_not(b: Builder, dtype: np.dtype, x: Register) -> Register:
    return b.binary("xor", as_bool(b, x, dtype), b.constant(BOOL, True))


# -- binary -------------------------------------------------------------------------------------


def _arithmetic(floating: str, integer: str, boolean: str | None) -> Emit:
    def emit(b: Builder, dtype: np.dtype, x: Register, y: Register) -> Register:
        if _is_float(dtype):
            return b.binary(f"{floating} contract", x, y)
        if dtype.kind == "b":
            if boolean is None:
                raise Unsupported(integer, "booleans cannot be subtracted")
            return b.binary(boolean, x, y)
        return b.binary(integer, x, y)

    return emit


def _div(b: Builder, dtype: np.dtype, x: Register, y: Register) -> Register:
    if not _is_float(dtype):
        raise Unsupported("div", f"true division of {dtype}")
    return b.binary("fdiv", x, y)


def _integer_division(
    b: Builder, dtype: np.dtype, x: Register, y: Register
) -> tuple[Register, Register]:
    """Quotient and remainder rounded towards zero; both 0 for a divisor of 0; never a trap."""
    x, y = b.level_operands(x, y)
    zero, one = b.constant(x.type, 0), b.constant(x.type, 1)
    none = b.compare("icmp eq", y, zero)
    safe = b.select(none, one, y)
    if dtype.kind != "i":
        quotient, remainder = b.binary("udiv", x, safe), b.binary("urem", x, safe)
    else:
        # the lowest integer over -1 overflows, which the processor answers with a trap
        minus = b.compare("icmp eq", y, b.constant(x.type, -1))
        safe = b.select(minus, one, safe)
        quotient, remainder = b.binary("sdiv", x, safe), b.binary("srem", x, safe)
        quotient = b.select(minus, b.binary("sub", zero, x), quotient)
        remainder = b.select(minus, zero, remainder)
    return b.select(none, zero, quotient), b.select(none, zero, remainder)


def _float_modulo(b: Builder, x: Register, y: Register) -> tuple[Register, Register]:
    """Python's ``divmod`` on floats as NumPy computes it, for a divisor that is not 0."""
    zero = b.constant(x.type, 0.0)
    rest = lanewise(b, "fmod" + ("f" if x.type == "float" else ""), x, y)
    quotient = b.binary("fdiv", b.binary("fsub", x, rest), y)
    opposite = b.compare(
        "icmp ne", b.compare("fcmp olt", y, zero), b.compare("fcmp olt", rest, zero)
    )
    nonzero = b.compare("fcmp one", rest, zero)
    adjust = b.binary("and", nonzero, opposite)
    remainder = b.select(adjust, b.binary("fadd", rest, y), rest)
    exact = b.compare("fcmp oeq", rest, zero)
    remainder = b.select(exact, b.intrinsic("copysign", zero, y), remainder)
    quotient = b.select(adjust, b.binary("fsub", quotient, b.constant(x.type, 1.0)), quotient)
    floor = b.intrinsic("floor", quotient)
    above = b.compare("fcmp ogt", b.binary("fsub", quotient, floor), b.constant(x.type, 0.5))
    floor = b.select(above, b.binary("fadd", floor, b.constant(x.type, 1.0)), floor)
    none = b.compare("fcmp oeq", quotient, zero)
    signed_zero = b.intrinsic("copysign", zero, b.binary("fdiv", x, y))
    return b.select(none, signed_zero, floor), remainder


def _floor_divide(b: Builder, dtype: np.dtype, x: Register, y: Register) -> Register:
    x, y = b.level_operands(x, y)
    if _is_float(dtype):
        quotient, _ = _float_modulo(b, x, y)
        by_zero = b.compare("fcmp oeq", y, b.constant(x.type, 0.0))
        return b.select(by_zero, b.binary("fdiv", x, y), quotient)
    quotient, remainder = _integer_division(b, dtype, x, y)
    if dtype.kind != "i":
        return quotient
    zero = b.constant(x.type, 0)
    opposite = b.compare("icmp slt", b.binary("xor", x, y), zero)
    adjust = b.binary("and", b.compare("icmp ne", remainder, zero), opposite)
    return b.select(adjust, b.binary("sub", quotient, b.constant(x.type, 1)), quotient)


def _remainder(b: Builder, dtype: np.dtype, x: Register, y: Register) -> Register:
    x, y = b.level_operands(x, y)
    if _is_float(dtype):
        _, remainder = _float_modulo(b, x, y)
        return remainder
    _, remainder = _integer_division(b, dtype, x, y)
    if dtype.kind != "i":
        return remainder
    zero = b.constant(x.type, 0)
    opposite = b.compare("icmp slt", b.binary("xor", remainder, y), zero)
    adjust = b.binary("and", b.compare("icmp ne", remainder, zero), opposite)
    return b.select(adjust, b.binary("add", remainder, y), remainder)


def _fmod(b: Builder, dtype: np.dtype, x: Register, y: Register) -> Register:
    if _is_float(dtype):
        return lanewise(b, "fmod" + ("f" if x.type == "float" else ""), x, y)
    return _integer_division(b, dtype, x, y)[1]


def _pow(b: Builder, dtype: np.dtype, x: Register, y: Register) -> Register:
    if _is_float(dtype):
        exponent = y.literal
        if exponent is not None:
            if exponent == 0.5:
                return b.intrinsic("sqrt", x)
            if exponent == int(exponent) and abs(exponent) <= 4:
                power = _power(b, "fmul", x, int(abs(exponent)))
                if exponent >= 0:
                    return power
                return b.binary("fdiv", b.constant(x.type, 1), power)
        if x.type == "float":
            return math_functions.power(b, x, y)
        return lanewise(b, "pow", x, y)
    if y.literal is not None:
        if y.literal < 0:
            raise Unsupported("pow", "a negative power of integers")
        return _power(b, "mul", x, int(y.literal))
    # square and multiply over all bits of the exponent, which is not negative
    x, y = b.level_operands(x, y)
    one, zero = b.constant(x.type, 1), b.constant(x.type, 0)
    result, square = b.widen(one, x.lanes), x
    for bit in range(int(x.type[1:]) - 1):
        taken = b.compare("icmp ne", b.binary("and", y, b.constant(x.type, 1 << bit)), zero)
        result = b.select(taken, b.binary("mul", result, square), result)
        square = b.binary("mul", square, square)
    return result


def _power(b: Builder, multiply: str, x: Register, exponent: int) -> Register:
    result: Register | None = None
    square = x
    while exponent:
        if exponent & 1:
            result = square if result is None else b.binary(multiply, result, square)
        exponent >>= 1
        if exponent:
            square = b.binary(multiply, square, square)
    return b.constant(x.type, 1) if result is None else result


def _extremum(greater: str) -> Emit:
    def emit(b: Builder, dtype: np.dtype, x: Register, y: Register) -> Register:
        if _is_float(dtype):
            # x86's instruction gives the second operand where one is NaN
            chosen = b.select(b.compare(f"fcmp o{greater}", x, y), x, y)
            return b.select(_is_nan(b, x), x, chosen)
        sign = "s" if dtype.kind == "i" else "u"
        return b.select(b.compare(f"icmp {sign}{greater}", x, y), x, y)

    return emit


def _bitwise(opcode: str) -> Emit:
    return lambda b, dtype, x, y: b.binary(opcode, x, y)


def _shift(left: bool) -> Emit:
    def emit(b: Builder, dtype: np.dtype, x: Register, y: Register) -> Register:
        x, y = b.level_operands(x, y)
        bits = int(x.type[1:])
        limit = b.constant(x.type, bits - 1)
        too_far = b.compare("icmp ugt", y, limit)
        if not left and dtype.kind == "i":
            return b.binary("ashr", x, b.select(too_far, limit, y))
        shifted = b.binary("shl" if left else "lshr", x, b.select(too_far, limit, y))
        return b.select(too_far, b.constant(x.type, 0), shifted)

    return emit


def _copysign(b: Builder, dtype: np.dtype, x: Register, y: Register) -> Register:
    return b.intrinsic("copysign", x, y)


_PREDICATES = {
    "eq": ("oeq", "eq"), "ne": ("une", "ne"), "lt": ("olt", "lt"), "le": ("ole", "le"),
    "gt": ("ogt", "gt"), "ge": ("oge", "ge"),
}  # fmt: skip


def _comparison(name: str) -> Emit:
    ordered, plain = _PREDICATES[name]

    def emit(b: Builder, dtype: np.dtype, x: Register, y: Register) -> Register:
        if _is_float(dtype):
            return b.compare(f"fcmp {ordered}", x, y)
        if plain in ("eq", "ne"):
            return b.compare(f"icmp {plain}", x, y)
        return b.compare(f"icmp {'s' if dtype.kind == 'i' else 'u'}{plain}", x, y)

    return emit


def _logical(opcode: str) -> Emit:
    def emit(b: Builder, dtype: np.dtype, x: Register, y: Register) -> Register:
        return b.binary(opcode, as_bool(b, x, dtype), as_bool(b, y, dtype))

    return emit


EMIT: dict[str, Emit] = {
    "neg": _neg, "abs": _abs, "sign": _sign, "relu": _relu, "bitwise_not": _bitwise_not,
    "sqrt": _sqrt, "rsqrt": _rsqrt, "reciprocal": _reciprocal,
    "floor": _rounding("floor"), "ceil": _rounding("ceil"), "trunc": _rounding("trunc"),
    "round": _rounding("roundeven"),
    "isnan": _isnan, "isinf": _isinf, "isfinite": _isfinite, "signbit": _signbit,
    "logical_not": _logical_not,
    "add": _arithmetic("fadd", "add", "or"), "sub": _arithmetic("fsub", "sub", None),
    "mul": _arithmetic("fmul", "mul", "and"), "div": _div, "floor_divide": _floor_divide,
    "remainder": _remainder, "fmod": _fmod, "pow": _pow,
    "maximum": _extremum("gt"), "minimum": _extremum("lt"),
    "bitwise_and": _bitwise("and"), "bitwise_or": _bitwise("or"), "bitwise_xor": _bitwise("xor"),
    "bitwise_left_shift": _shift(True), "bitwise_right_shift": _shift(False),
    "copysign": _copysign,
    "real": lambda b, dtype, x: x, "conj": lambda b, dtype, x: x,
    "imag": lambda b, dtype, x: _zero(b, x),
    "logical_and": _logical("and"), "logical_or": _logical("or"), "logical_xor": _logical("xor"),
    **{name: _comparison(name) for name in _PREDICATES},
    **{name: _vector_math(name) for name in math_functions.VECTOR_FUNCTIONS},
    **{name: _libm(function) for name, function in math_functions.LIBM_FUNCTIONS.items()},
}  # fmt: skip
"""Primitive -> code: called with the builder, the operands' common dtype, and registers."""

EXPENSIVE = frozenset(
    [*math_functions.VECTOR_FUNCTIONS, *math_functions.LIBM_FUNCTIONS, "pow", "fmod"]
    + ["remainder", "floor_divide"]
)
"""Primitives whose recomputation costs more than a load."""


def emit_elementwise(
    b: Builder, primitive: str, dtype: np.dtype, operands: list[Register]
) -> Register:
    """The code of ``primitive`` on operands of ``dtype``; half precision is computed in single."""
    emit = EMIT.get(primitive)
    if emit is None:
        raise Unsupported(primitive, "the compiler has no code for it")
    if dtype.kind not in "f" and primitive in math_functions.FLOAT_ONLY:
        raise Unsupported(primitive, f"operands of {dtype}")
    if dtype.char != "e":
        return emit(b, dtype, *operands)
    wide = [b.cast("fpext", x, "float") if x.literal is None else b.constant("float", x.literal)
            for x in operands]  # fmt: skip
    result = emit(b, np.dtype(np.float32), *wide)
    return result if result.type == BOOL else b.cast("fptrunc", result, "half")


__all__ = [
    "EMIT",
    "EXPENSIVE",
    "as_bool",
    "convert",
    "emit_elementwise",
    "has_type",
    "is_bfloat16",
    "lanewise",
    "llvm_type",
    "number",
]
