"""Normal numbers from uniform ones, in blocks of 16 as PyTorch's CPU kernel makes them.

The first eight uniforms of a block give radii, the last eight angles (Box and Muller, Annals of
Mathematical Statistics 29, 1958). PyTorch evaluates them in float32 with the logarithm, sine and
cosine of the Cephes library (S. Moshier) and fused multiply-adds. The same polynomials are
evaluated here in the same order, each fused multiply-add as a float64 product and sum rounded to
float32, so that the results agree to the last bit, on every machine.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

__all__ = ["fused_multiply_add", "normals_from_uniforms", "normals_from_words"]


def _exact(*coefficients: float) -> tuple[float, ...]:
    """The float32 values of ``coefficients``, as Python floats."""
    return tuple(float(np.float32(c)) for c in coefficients)


# Cephes, logf: log(1 + x) = x - x^2 / 2 + x^3 P(x) for x in [sqrt(1/2) - 1, sqrt(2) - 1].
_LOG = _exact(
    7.0376836292e-2, -1.1514610310e-1, 1.1676998740e-1, -1.2420140846e-1, 1.4249322787e-1,
    -1.6668057665e-1, 2.0000714765e-1, -2.4999993993e-1, 3.3333331174e-1,
)  # fmt: skip
_LOG2_HIGH, _LOG2_LOW = np.float32(0.693359375), np.float32(-2.12194440e-4)  # log(2) in two parts
_SQRT_HALF = np.float32(0.707106781186547524)

# Cephes, sinf and cosf on [-pi/4, pi/4], and pi/4 in three parts.
_SIN = _exact(-1.9515295891e-4, 8.3321608736e-3, -1.6666654611e-1)
_COS = _exact(2.443315711809948e-5, -1.388731625493765e-3, 4.166664568298827e-2)
_QUARTER_PI = _exact(0.78515625, 2.4187564849853515625e-4, 3.77489497744594108e-8)
_FOUR_OVER_PI = np.float32(1.27323954473516)
_TWO_PI = np.float32(2 * np.pi)

_LANES = 16384  # pairs of uniforms worked on at a time, so that all the scratch stays in the cache


class _Scratch:
    """A float32 array and its copy in float64, between which a fused multiply-add rounds."""

    def __init__(self, size: int) -> None:
        self.single = np.empty(size, np.float32)
        self.double = np.empty(size, np.float64)

    def round(self) -> None:
        """Round the float64 values to float32, in both."""
        np.copyto(self.single, self.double, casting="same_kind")
        np.copyto(self.double, self.single)

    def polynomial(self, coefficients: tuple[float, ...], x: np.ndarray) -> None:
        """Evaluate a polynomial at ``x`` (float64) by Horner's rule with fused multiply-adds."""
        y = self.double
        np.multiply(x, coefficients[0], out=y)
        np.add(y, coefficients[1], out=y)
        self.round()
        for c in coefficients[2:]:
            np.multiply(y, x, out=y)
            np.add(y, c, out=y)
            self.round()


def _log(u: np.ndarray, y: _Scratch, wide: np.ndarray) -> np.ndarray:
    """Cephes' logf of ``u`` in (0, 1], float32; ``wide`` is float64 scratch of its size."""
    bits = u.view(np.int32)
    exponent = ((bits >> 23) - 126).astype(np.float32)
    x = ((bits & 0x007FFFFF) | 0x3F000000).view(np.float32)  # the mantissa, in [1/2, 1)
    small = x < _SQRT_HALF
    exponent -= small
    x *= small + np.float32(1)  # exact: 2 x or x
    x -= np.float32(1)
    z = x * x
    np.copyto(wide, x)
    y.polynomial(_LOG, wide)
    y.single *= x
    np.multiply(y.single, z, out=wide, dtype=np.float64)
    wide += exponent * _LOG2_LOW
    np.copyto(y.single, wide, casting="same_kind")
    z *= np.float32(0.5)
    y.single -= z
    x += y.single
    exponent *= _LOG2_HIGH  # exact: nine bits times five
    x += exponent
    return x


def _sine_cosine(angle: np.ndarray, y: _Scratch, wide: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Cephes' sinf and cosf of ``angle`` in [0, 2 pi], float32."""
    octant = (angle * _FOUR_OVER_PI).astype(np.int32)
    octant += 1
    octant &= ~1
    quarters = octant.astype(np.float32)
    x = angle
    x -= quarters * np.float32(_QUARTER_PI[0])  # exact products: these parts have few bits
    x -= quarters * np.float32(_QUARTER_PI[1])
    np.multiply(quarters, -_QUARTER_PI[2], out=wide, dtype=np.float64)
    wide += x
    np.copyto(x, wide, casting="same_kind")
    z = x * x
    half_z = z * np.float32(0.5)
    np.copyto(wide, z)

    y.polynomial(_COS, wide)
    y.single *= z
    np.multiply(y.single, wide, out=y.double)
    y.double -= half_z
    cosine = y.double.astype(np.float32)
    cosine += np.float32(1)

    y.polynomial(_SIN, wide)
    y.single *= z
    np.multiply(y.single, x, out=y.double, dtype=np.float64)
    y.double += x
    sine = y.double.astype(np.float32)

    # In the octants around pi/2 and 3 pi/2 sine and cosine change places; signs by the quadrant.
    sine_bits, cosine_bits = sine.view(np.int32), cosine.view(np.int32)
    difference = sine_bits ^ cosine_bits
    difference &= -((octant >> 1) & 1)
    sine_bits ^= difference
    cosine_bits ^= difference
    sine_bits ^= (octant & 4) << 29
    octant += 2
    cosine_bits ^= (octant & 4) << 29
    return sine, cosine


def normals_from_words(words: np.ndarray, out: np.ndarray) -> None:
    """Fill ``out`` (float32) with standard normals made of as many 32-bit words.

    Args:
        words: uint32, a multiple of 16 of them; a word's low 24 bits are a uniform number.
        out: float32, contiguous, of the size of ``words``.
    """
    words, out = words.reshape(-1, 2, 8), out.reshape(-1, 2, 8)
    rows = _LANES // 8
    size = min(words.shape[0], rows) * 8
    y, wide = _Scratch(size), np.empty(size, np.float64)
    for start in range(0, words.shape[0], rows):
        block = words[start : start + rows]
        uniform = (block & np.uint32(0xFFFFFF)).view(np.int32).astype(np.float32)
        uniform *= np.float32(2**-24)
        if 8 * block.shape[0] != size:
            size = 8 * block.shape[0]
            y, wide = _Scratch(size), np.empty(size, np.float64)
        radius = _log((np.float32(1) - uniform[:, 0]).reshape(-1), y, wide)
        radius *= np.float32(-2)
        np.sqrt(radius, out=radius)
        sine, cosine = _sine_cosine((uniform[:, 1] * _TWO_PI).reshape(-1), y, wide)
        cosine *= radius
        sine *= radius
        # A radius of 0 may have made a -0, which adding the mean, 0, turns into 0.
        np.add(cosine.reshape(-1, 8), np.float32(0), out=out[start : start + rows, 0])
        np.add(sine.reshape(-1, 8), np.float32(0), out=out[start : start + rows, 1])


def normals_from_uniforms(
    uniform: np.ndarray,
    out: np.ndarray,
    log: Callable[[np.ndarray], np.ndarray],
) -> None:
    """Fill ``out`` (float64) with standard normals made of ``uniform`` (float64, a multiple of 16).

    ``log`` is the logarithm to use; NumPy's sine and cosine are already the C library's.
    """
    uniform, out = uniform.reshape(-1, 2, 8), out.reshape(-1, 2, 8)
    radius = np.sqrt(-2 * log(1 - uniform[:, 0].reshape(-1)).reshape(-1, 8))
    angle = 2 * np.pi * uniform[:, 1]
    np.add(radius * np.cos(angle), 0.0, out=out[:, 0])
    np.add(radius * np.sin(angle), 0.0, out=out[:, 1])


def fused_multiply_add(x: np.ndarray, factor: float, term: float) -> np.ndarray:
    """Return ``x * factor + term`` rounded once, as a CPU's fused multiply-add does.

    For float32 the product is exact in float64. For float64 the product's and the sum's rounding
    errors are recovered (Dekker, Numerische Mathematik 18, 1971) and added at the end.
    """
    if term == 0:
        return x * x.dtype.type(factor) + x.dtype.type(0)
    if x.dtype == np.float32:
        wide = np.multiply(x, np.float64(np.float32(factor)), dtype=np.float64)
        wide += np.float64(np.float32(term))
        return wide.astype(np.float32)
    if factor == 1:
        return x + term
    splitter = 2.0**27 + 1
    product = x * factor
    high = x * splitter
    high -= high - x
    low = x - high
    factor_high = factor * splitter - (factor * splitter - factor)
    factor_low = factor - factor_high
    error = low * factor_low - (
        ((product - high * factor_high) - low * factor_high) - high * factor_low
    )
    total = product + term
    part = total - product
    error += (product - (total - part)) + (term - part)
    return total + error
