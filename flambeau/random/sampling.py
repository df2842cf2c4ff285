"""Draws from distributions as NumPy arrays: the numbers PyTorch's CPU kernels would draw.

Every sampler takes the generator, the shape and the NumPy dtype of the result, then the
distribution's parameters. It leaves the generator where PyTorch leaves it. How many 32-bit words
an element takes is part of the contract (float32 uniforms take one, float64 ones two, and so on).

PyTorch built with MKL draws scalar-probability Bernoulli numbers and exponential ones from a
second, MKL-private generator when it runs on a processor of Intel's; on all others, and here, they
come from the Mersenne Twister.

Source: the sampling functions of `torch.Tensor
<https://docs.pytorch.org/docs/stable/torch.html#random-sampling>`_.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from functools import cache, lru_cache
from typing import Any

import numpy as np

from flambeau.random.box_muller import (
    fused_multiply_add,
    normals_from_uniforms,
    normals_from_words,
)
from flambeau.random.generator import Generator
from flambeau.random.native import kernels, spent

__all__ = [
    "bernoulli", "cauchy", "dropout_mask", "exponential", "geometric", "integers", "log_normal",
    "multinomial", "normal", "permutation", "uniform", "words_as_integers",
]  # fmt: skip

Shape = tuple[int, ...]

_FLOAT32, _FLOAT64, _INT64 = np.dtype(np.float32), np.dtype(np.float64), np.dtype(np.int64)
_UINT64 = 1 << 64

_LOW_24, _PER_24 = np.uint32((1 << 24) - 1), np.float32(2.0**-24)
_LOW_53, _PER_53 = np.uint64((1 << 53) - 1), 2.0**-53

_UINT64_DTYPE = np.dtype(np.uint64)
_LITTLE_ENDIAN = sys.byteorder == "little"

_CHUNK = 1 << 16  # elements drawn at a time: their words and what is made of them stay in the cache

_TWO_WORDS_FROM = 1 << 28  # integer ranges from here on take 64 bits
_EXACT_UP_TO = 1 << 16  # elements for which float64 functions are the C library's own


# -- uniform numbers ----------------------------------------------------------------------------


def _in_chunks(
    draw: Callable[[Generator, int], np.ndarray], generator: Generator, count: int, dtype: np.dtype
) -> np.ndarray:
    """What ``draw`` makes of the stream for ``count`` elements, so many at a time as fit a cache.

    ``draw`` takes as many words for two calls as for one of both counts.
    """
    if count <= 2 * _CHUNK:
        return draw(generator, count)
    values = np.empty(count, dtype)
    for start in range(0, count, _CHUNK):
        part = values[start : start + _CHUNK]
        part[...] = draw(generator, part.size)
    return values


def _singles(generator: Generator, count: int) -> np.ndarray:
    """``count`` float32 numbers in [0, 1): the low 24 bits of a word each."""
    return _in_chunks(_few_singles, generator, count, _FLOAT32)


def _few_singles(generator: Generator, count: int) -> np.ndarray:
    low = generator.words(count) & _LOW_24
    return np.multiply(low.view(np.int32), _PER_24, dtype=_FLOAT32, casting="unsafe")


def _doublewords(generator: Generator, count: int) -> np.ndarray:
    """``count`` uint64 numbers of two words each, the high one first."""
    return _in_chunks(_few_doublewords, generator, count, _UINT64_DTYPE)


def _few_doublewords(generator: Generator, count: int) -> np.ndarray:
    words = generator.words(2 * count)
    if _LITTLE_ENDIAN and words.flags.c_contiguous:
        swapped = words.view(np.uint64)  # the low word first: the halves change places
        high = swapped << np.uint64(32)
        high |= swapped >> np.uint64(32)
        return high
    pairs = words.reshape(-1, 2)
    high = pairs[:, 0].astype(np.uint64)
    high <<= np.uint64(32)
    high |= pairs[:, 1]
    return high


def _doubles(generator: Generator, count: int) -> np.ndarray:
    """``count`` float64 numbers in [0, 1): the low 53 bits of two words each."""
    return _in_chunks(_few_doubles, generator, count, _FLOAT64)


def _few_doubles(generator: Generator, count: int) -> np.ndarray:
    low = _few_doublewords(generator, count)
    low &= _LOW_53
    return low.view(np.int64) * _PER_53


class _CFunction:
    """A function of the C library over float64 arrays.

    NumPy's vectorised version may differ in the last bit. That is lost in rounding to a smaller
    type; where it is not, ``exact`` has a bounded number of elements take the slow road.
    """

    def __init__(self, scalar: Callable[[float], float], vectorised: np.ufunc) -> None:
        self.scalar, self.vectorised = scalar, vectorised

    def __call__(self, x: np.ndarray, exact: bool = True) -> np.ndarray:
        if x.size > (_EXACT_UP_TO if exact else 32):
            return self.vectorised(x)
        return np.fromiter(map(self.scalar, x.tolist()), np.float64, x.size)


_log1p, _exp, _tan = (
    _CFunction(math.log1p, np.log1p), _CFunction(math.exp, np.exp), _CFunction(math.tan, np.tan)
)  # fmt: skip
_sin, _cos = _CFunction(math.sin, np.sin), _CFunction(math.cos, np.cos)
_log = _CFunction(lambda x: math.log(x) if x else -math.inf, np.log)


def _finish(values: np.ndarray, shape: Shape, dtype: np.dtype) -> np.ndarray:
    """``values`` in the dtype and shape asked for."""
    if values.dtype != dtype:
        with np.errstate(over="ignore", invalid="ignore"):
            if values.dtype == _FLOAT64 and dtype.itemsize == 2:
                values = values.astype(np.float32)  # 16-bit types are rounded to by way of float32
            values = values.astype(dtype)
    return values.reshape(shape)


def uniform(
    generator: Generator, shape: Shape, dtype: np.dtype, low: float = 0.0, high: float = 1.0
) -> np.ndarray:
    """Numbers uniform in [low, high), of a floating dtype."""
    single = dtype != _FLOAT64
    span = high - low
    if single:
        low, high = float(np.float32(low)), float(np.float32(high))
        span = float(np.float32(high - low))

    def few(generator: Generator, count: int) -> np.ndarray:
        values = _few_singles(generator, count) if single else _few_doubles(generator, count)
        if low != 0.0 or span != 1.0:
            values = fused_multiply_add(values, span, low)
        values = _finish(values, values.shape, dtype)
        if low != 0.0 or dtype.itemsize < 4:  # rounding may have reached the open end
            reached = values == dtype.type(high)
            if reached.any():
                values[reached] = low
        return values

    with generator.lock:
        return _in_chunks(few, generator, math.prod(shape), dtype).reshape(shape)


# -- normal numbers -----------------------------------------------------------------------------


def normal(
    generator: Generator,
    shape: Shape,
    dtype: np.dtype,
    mean: float = 0.0,
    std: float = 1.0,
    contiguous: bool = True,
) -> np.ndarray:
    """Normally distributed numbers, of a floating dtype.

    ``contiguous`` says whether they are for a contiguous tensor: to others, and to those of fewer
    than 16 elements, PyTorch draws one number after the other, in float64.
    """
    count = math.prod(shape)
    dtype = np.dtype(dtype)
    with generator.lock:
        if count < 16 or not contiguous:
            values = _scalar_normals(generator, count)
            return _finish(fused_multiply_add(values, float(std), float(mean)), shape, dtype)
        values = _block_normals(generator, count, dtype, float(mean), float(std))
    return _finish(values, shape, dtype)


def _block_normals(
    generator: Generator, count: int, dtype: np.dtype, mean: float, std: float
) -> np.ndarray:
    """Normals by blocks of 16; where 16 does not divide, the last 16 are drawn anew."""
    whole = count - count % 16
    if dtype == _FLOAT64:
        uniforms = _doubles(generator, count)
        values = np.empty(count)
        normals_from_uniforms(uniforms[:whole], values[:whole], _log)
        if whole != count:
            normals_from_uniforms(_doubles(generator, 16), values[-16:], _log)
        return fused_multiply_add(values, std, mean)
    values = np.empty(count, np.float32)
    kernels(count * _NORMAL_SECONDS)
    for start in range(0, whole, _CHUNK):  # a multiple of 16
        part = values[start : min(start + _CHUNK, whole)]
        _fill_with_normals(part, generator.words(part.size), mean, std)
    if whole != count:
        if dtype == _FLOAT32:
            # The 16-bit kernel draws no number for the elements that the last block overwrites.
            generator.words(count - whole)
        _fill_with_normals(values[-16:], generator.words(16), mean, std)
    return values


def _fill_with_normals(out: np.ndarray, words: np.ndarray, mean: float, std: float) -> None:
    """Fill ``out`` (float32) with normals made of as many words."""
    native = kernels()
    if native is not None:
        native.normals(words, out, mean, std)
        return

    def work() -> None:
        normals_from_words(words, out)
        if mean != 0.0 or std != 1.0:
            out[...] = fused_multiply_add(out, std, mean)

    spent(work)


_NORMAL_SECONDS = 3e-8
"""What a normal number takes NumPy."""


def _scalar_normals(generator: Generator, count: int) -> np.ndarray:
    """Standard normals in float64, one by one: of each pair the second waits in the generator."""
    values = np.empty(count + 2)
    start = 0
    if count and generator.spare_normal is not None:
        values[0] = generator.spare_normal
        generator.spare_normal = None
        start = 1
    pairs = (count - start + 1) // 2
    if pairs:
        uniforms = _doubles(generator, 2 * pairs)
        radius = np.sqrt(-2.0 * _log1p(-uniforms[1::2]))
        angle = 2.0 * math.pi * uniforms[0::2]
        values[start : start + 2 * pairs : 2] = radius * _cos(angle)
        values[start + 1 : start + 2 * pairs : 2] = radius * _sin(angle)
        if start + 2 * pairs > count:
            generator.spare_normal = float(values[count])
    return values[:count]


def log_normal(
    generator: Generator, shape: Shape, dtype: np.dtype, mean: float = 1.0, std: float = 2.0
) -> np.ndarray:
    """Numbers whose logarithm is normal with ``mean`` and ``std``, of a floating dtype."""
    with generator.lock:
        values = _scalar_normals(generator, math.prod(shape))
    values = fused_multiply_add(values, float(std), float(mean))
    return _finish(_exp(values, dtype == _FLOAT64), shape, dtype)


# -- other continuous distributions -------------------------------------------------------------


def exponential(
    generator: Generator, shape: Shape, dtype: np.dtype, rate: float = 1.0
) -> np.ndarray:
    """Exponentially distributed numbers of the given rate, of a floating dtype."""
    with generator.lock:
        values = _doubles(generator, math.prod(shape))
    return _finish(np.divide(-1.0, rate) * _log1p(-values, dtype == _FLOAT64), shape, dtype)


def cauchy(
    generator: Generator, shape: Shape, dtype: np.dtype, median: float = 0.0, sigma: float = 1.0
) -> np.ndarray:
    """Numbers of the Cauchy distribution, of a floating dtype."""
    with generator.lock:
        values = _doubles(generator, math.prod(shape))
    tangent = _tan(math.pi * (values - 0.5), dtype == _FLOAT64)
    return _finish(fused_multiply_add(tangent, float(sigma), float(median)), shape, dtype)


# -- discrete distributions ---------------------------------------------------------------------


def geometric(generator: Generator, shape: Shape, dtype: np.dtype, p: float) -> np.ndarray:
    """The number of trials until one succeeds with probability ``p``, of a real dtype."""
    with generator.lock:
        values = _doubles(generator, math.prod(shape))
    with np.errstate(divide="ignore"):
        return _finish(np.ceil(_log(values, False) / math.log1p(-p)), shape, dtype)


def bernoulli(
    generator: Generator, shape: Shape, dtype: np.dtype, p: float | np.ndarray
) -> np.ndarray:
    """Ones with probability ``p``, else zeros, of any real dtype.

    ``p`` is one probability, for which 53 bits are compared, or an array of them that broadcasts
    to ``shape``: float64 arrays take 53 bits as well, others 24.
    """
    count = math.prod(shape)
    with generator.lock:
        if not isinstance(p, np.ndarray):
            return _trials(generator, count, dtype, None, p).reshape(shape)
        if p.dtype != _FLOAT64:
            values: np.ndarray = _singles(generator, count)
            p = p.astype(np.float32)
        else:
            values = _doubles(generator, count)
    return (values.reshape(shape) < p).astype(dtype, copy=False)


def _trials(
    generator: Generator, count: int, dtype: np.dtype, success: Any, p: float
) -> np.ndarray:
    """``success`` (None for 1) with probability ``p``, else 0, for ``count`` elements."""
    limit = _limit(p)
    if count <= 2 * _CHUNK:
        return _few_trials(generator, count, dtype, success, limit)
    return _in_chunks(
        lambda generator, count: _few_trials(generator, count, dtype, success, limit),
        generator, count, dtype,
    )  # fmt: skip


@lru_cache(64)
def _limit(p: float) -> int:
    """k / 2**53 < p, said of whole numbers, is k below this."""
    return math.ceil(min(max(p, 0.0), 1.0) * 2.0**53) if p == p else 0


_SHIFTS = tuple(np.uint64(n) for n in (43, 21))


@cache
def _trial_programs() -> Any:
    """Machine code for a few trials, once it is worth making: the same to the last bit."""
    from flambeau.ops.small_programs import function_table

    return function_table("trials", _chosen, 4)


def _chosen(xp: Any, words: Any, success: Any, limit: int, dtype: np.dtype) -> Any:
    """``success`` (None for 1) where the low 53 bits of two words are below ``limit``, else 0."""
    pairs = xp.reshape(words, (words.shape[0] // 2, 2))
    high, low = (xp.astype(xp.slice(pairs, (slice(None), i)), _INT64) for i in range(2))
    value = xp.bitwise_or(xp.bitwise_left_shift(xp.bitwise_and(high, (1 << 21) - 1), 32), low)
    chosen = xp.full((), 1, dtype) if success is None else success
    return xp.where(value < limit, chosen, xp.full((), 0, dtype))


def _few_trials(
    generator: Generator, count: int, dtype: np.dtype, success: Any, limit: int
) -> np.ndarray:
    words = generator.words(2 * count)
    if dtype.char in "fd":
        chosen = _trial_programs()[words.shape, limit, dtype](words, success)
        if chosen is not None:
            return chosen  # type: ignore[no-any-return]
    if limit < 1 << 53 and _LITTLE_ENDIAN and words.flags.c_contiguous:
        # the low 53 bits of high word and low word, followed by 11 bits that decide nothing
        pairs = words.view(_UINT64_DTYPE)
        left, right = _SHIFTS
        low = pairs << left
        low |= pairs >> right
        chosen = low < np.uint64(limit << 11)
    else:
        pairs = words.reshape(-1, 2)
        low = pairs[:, 0].astype(np.uint64)
        low <<= np.uint64(32)
        low |= pairs[:, 1]
        low &= _LOW_53
        chosen = low < np.uint64(limit)
    if success is None:
        return chosen.astype(dtype)
    return np.multiply(chosen, success)  # type: ignore[no-any-return]


def dropout_mask(generator: Generator, shape: Shape, dtype: np.dtype, p: float) -> np.ndarray:
    """Zeros with probability ``p``, else 1 / (1 - p): the factors of dropout, of a floating dtype.

    For ``p`` of 0 and of 1 nothing is drawn.
    """
    if p == 0.0 or p == 1.0:
        return np.full(shape, 1.0 - p, dtype)
    with generator.lock:
        factor = _dropout_factor(p, dtype)
        return _trials(generator, math.prod(shape), dtype, factor, 1.0 - p).reshape(shape)


@lru_cache(64)
def _dropout_factor(p: float, dtype: np.dtype) -> np.ndarray:
    one = np.float64(1) if dtype == _FLOAT64 else np.float32(1)
    return _finish(np.asarray(one / one.dtype.type(1.0 - p)), (), dtype)


def integers(
    generator: Generator, shape: Shape, dtype: np.dtype, low: int, high: int
) -> np.ndarray:
    """Integers uniform in [low, high), in any real dtype; a range from 2**28 on takes two words."""
    count = math.prod(shape)
    span = high - low
    with generator.lock:
        if span >= _TWO_WORDS_FROM:
            values = _doublewords(generator, count)
            if span < _UINT64:
                values %= np.uint64(span)
                values += np.uint64(low % _UINT64)  # wraps around, as two's complement does
            return _finish(values.view(np.int64), shape, dtype)

        def few(generator: Generator, count: int) -> np.ndarray:
            values: np.ndarray = generator.words(count) % np.uint32(span)
            if low or dtype == np.int64:
                values = values.astype(np.int64)
                values += low
            return _finish(values, values.shape, dtype)

        return _in_chunks(few, generator, count, np.dtype(dtype)).reshape(shape)


def words_as_integers(generator: Generator, shape: Shape, dtype: np.dtype) -> np.ndarray:
    """Integers uniform over what ``dtype`` can hold: [0, its maximum], [0, 2**digits] if floating.

    They are what `Tensor.random_` fills in when it is given no range.
    """
    count = math.prod(shape)
    dtype = np.dtype(dtype)
    with generator.lock:
        if dtype in (np.int64, np.float64):
            values = _doublewords(generator, count)
        else:
            values = generator.words(count)
    top = _top(dtype)
    values = values & values.dtype.type(top) if top & (top + 1) == 0 else values % (top + 1)
    return _finish(values, shape, dtype)


@cache
def _top(dtype: np.dtype) -> int:
    if dtype == np.bool_:
        return 1
    if dtype.kind in "iu":
        return int(np.iinfo(dtype).max)
    digits = {"float64": 53, "float32": 24, "float16": 11, "bfloat16": 8}[dtype.name]
    return 1 << digits


# -- permutations and draws from a list -----------------------------------------------------------


def permutation(generator: Generator, shape: tuple[int], dtype: np.dtype = _INT64) -> np.ndarray:
    """A permutation of 0 ... n - 1, for a shape of ``(n,)``.

    It is Fisher and Yates' shuffle: for i = 0 ... n - 2, position i changes place with position
    i + word % (n - i). From 214,748,364 elements on, where the remainders of 32-bit words would
    no longer be close to uniform, it is their inside-out shuffle with 64 bits a step.
    """
    (n,) = shape
    if n < 2:
        return np.arange(n, dtype=dtype)
    with generator.lock:
        if n >= _WIDE_SHUFFLE_FROM:
            return _shuffled_inside_out(_doublewords(generator, n)).astype(dtype, copy=False)
        words = generator.words(n - 1)
    native = kernels()
    if native is not None:
        shuffled = np.arange(n)
        native.shuffle(words, shuffled)
        return shuffled.astype(dtype, copy=False)
    offset = words % np.arange(n, 1, -1, dtype=np.uint32)
    if n >= 400:
        return spent(lambda: _shuffled(offset)).astype(dtype, copy=False)
    values = list(range(n))
    for i, distance in enumerate(offset.tolist()):
        j = i + distance
        values[i], values[j] = values[j], values[i]
    return np.array(values, dtype)


_WIDE_SHUFFLE_FROM = (2**32 - 1) // 20


def _shuffled_inside_out(numbers: np.ndarray) -> np.ndarray:
    """The result of swapping i with numbers[i] % (i + 1) for i = 0 ... n - 1.

    The inverse permutation is that of the same swaps in reverse order; with the positions counted
    from the other end as well, those are the swaps of `_shuffled`.
    """
    n = numbers.size
    step = np.arange(n, dtype=np.uint64)
    distance = step - numbers % (step + np.uint64(1))
    inverse = (n - 1 - _shuffled(distance[:0:-1]))[::-1]
    result = np.empty(n, np.int64)
    result[inverse] = np.arange(n)
    return result


def _shuffled(offset: np.ndarray) -> np.ndarray:
    """The result of swapping i with i + offset[i] for i = 0 ... n - 2, without doing so in turn.

    Before step i, position i holds what the last earlier step k with partner i put there, which is
    what position k held before step k; and so on down to a position that no step had touched.
    Those chains are followed for all positions at once by doubling. Step i then leaves at i what
    its partner held: the content of the last earlier step with the same partner, or itself.
    """
    n = offset.size + 1
    step = np.arange(n)
    partner = step.copy()
    partner[:-1] += offset.view(f"i{offset.itemsize}")

    # The step whose content a position holds: of assignments to one position the last one stays.
    # A step that swaps a position with itself moves nothing, and is sent to a spare position.
    origin, further = np.arange(n + 1), np.empty(n + 1, np.int64)
    further[:n] = partner
    further[: n - 1][offset == 0] = n
    further[n - 1] = n
    origin[further[:n]] = step
    origin[n] = n
    while True:
        # No index is out of range: "wrap" saves the copy that "raise" makes of the result.
        np.take(origin, origin, out=further, mode="wrap")
        if np.array_equal(origin, further):
            break
        origin, further = further, origin

    # Sorted by partner and then by step, the last earlier step of equal partner is a neighbour.
    bits = n.bit_length()
    partner <<= bits
    partner |= step
    partner.sort()
    by_partner = np.bitwise_and(partner, (1 << bits) - 1, out=step)
    partner >>= bits
    held = np.take(origin, by_partner, out=further[:n], mode="wrap")[:-1]
    held -= partner[1:]
    held *= partner[1:] == partner[:-1]
    held += partner[1:]
    result = origin[:n]
    result[by_partner[1:]] = held
    result[by_partner[0]] = partner[0]
    return result


def multinomial(
    generator: Generator, weights: np.ndarray, count: int, replacement: bool = False
) -> np.ndarray:
    """Indices drawn with probabilities proportional to ``weights``.

    Args:
        weights: ``(categories,)`` or ``(rows, categories)``, floating, non-negative, each row with
            a positive sum.
        count: draws per row.
        replacement: whether a category can come again in its row.

    Returns: int64, ``(count,)`` or ``(rows, count)``.
    """
    if not replacement or count == 1:
        # Efraimidis and Spirakis, Information Processing Letters 97, 2006: the largest of
        # weight / exponential.
        race = exponential(generator, weights.shape, weights.dtype)
        with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
            race = weights / race
        if count == 1:
            return race.argmax(-1, keepdims=True)
        return np.ascontiguousarray(np.argsort(-race, axis=-1, kind="stable")[..., :count])
    rows = weights.reshape(-1, weights.shape[-1])
    single = rows if rows.dtype.itemsize >= 4 else rows.astype(np.float32)
    cumulative = np.cumsum(single, axis=-1, dtype=single.dtype)
    cumulative /= cumulative[:, -1:].copy()
    with generator.lock:
        uniforms = _doubles(generator, rows.shape[0] * count).reshape(-1, count)
    drawn = np.empty(uniforms.shape, np.int64)
    for row, probabilities in enumerate(cumulative):
        drawn[row] = np.searchsorted(probabilities[:-1], uniforms[row])
    return drawn.reshape(*weights.shape[:-1], count)
