"""Samplers that draw as many numbers as it takes: gamma, Dirichlet, Poisson, binomial.

They are PyTorch's algorithms on PyTorch's stream, element after element in float64: the same seed
gives the same samples.  An element takes some microseconds, since each is drawn in Python.

Sources: Marsaglia and Tsang, "A simple method for generating gamma variables", 2000; Hörmann, "The
transformed rejection method for generating Poisson random variables", 1993; Hörmann, "The
generation of binomial random variates", 1993; Kachitvichyanukul and Schmeiser, 1988.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from flambeau.autograd.function import Function
from flambeau.autograd.grad_mode import no_grad
from flambeau.ops.array_calls import call_on_arrays, draw_on_arrays
from flambeau.ops.dims import broadcast_shape
from flambeau.ops.dtype_checks import FLOATING, require_kinds, type_word
from flambeau.random.default import default_generator
from flambeau.random.filling import checked_generator
from flambeau.random.generator import Generator
from flambeau.tensor import Tensor

__all__ = ["_sample_dirichlet", "_standard_gamma", "binomial", "poisson"]


class _Stream:
    """Uniform and normal numbers in float64, one by one, in blocks from the generator."""

    def __init__(self, generator: Generator, expected: int) -> None:
        self.generator = generator
        self.start = generator.state_bytes()
        self.block = max(64, 2 * expected)
        self.values: list[float] = []
        self.used = 0
        self.spare: float | None = generator.spare_normal

    def uniform(self) -> float:
        if self.used == len(self.values):
            words = self.generator.words(2 * self.block).reshape(-1, 2).astype(np.uint64)
            numbers = (words[:, 0] << np.uint64(32) | words[:, 1]) & np.uint64((1 << 53) - 1)
            self.values.extend((numbers.astype(np.float64) * 2.0**-53).tolist())
        value = self.values[self.used]
        self.used += 1
        return value

    def normal(self) -> float:
        spare = self.spare
        if spare is not None:
            self.spare = None
            return spare
        first, second = self.uniform(), self.uniform()
        radius = math.sqrt(-2.0 * math.log1p(-second))
        angle = 2.0 * math.pi * first
        self.spare = radius * math.sin(angle)
        return radius * math.cos(angle)

    def __enter__(self) -> _Stream:
        return self

    def __exit__(self, *exc_info: object) -> None:
        """Leave the generator behind the last number that was used."""
        self.generator.set_state_bytes(self.start)
        if self.used:
            self.generator.words(2 * self.used)
        self.generator.spare_normal = self.spare


def _gamma(alpha: Any, single: bool, stream: _Stream) -> float:
    """A standard gamma number; ``alpha`` is a NumPy scalar of the tensor's dtype."""
    one = type(alpha)(1)
    scale = 1.0
    if alpha < 1:
        if alpha == 0:
            return 0.0
        scale *= math.pow(1 - stream.uniform(), float(one / alpha))
        alpha = alpha + one
    third = np.float32(1.0) / np.float32(3.0)
    d = float(alpha - third) if single else float(alpha) - float(third)
    c = 1.0 / math.sqrt(9.0 * d)
    squeeze = float(np.float32(0.0331))
    while True:
        x = stream.normal()
        y = 1.0 + c * x
        if y <= 0:
            continue
        v = y * y * y
        u = 1 - stream.uniform()
        square = x * x
        if u < 1.0 - squeeze * square * square:
            return scale * d * v
        if math.log(u) < 0.5 * square + d * (1.0 - v + math.log(v)):
            return scale * d * v


def _drawn(
    parameters: np.ndarray, generator: Generator | None, sampler: Callable[..., float], *more: Any
) -> np.ndarray:
    """``sampler`` of each element, in float64."""
    source = default_generator if generator is None else generator
    flat = parameters.reshape(-1)
    with source.lock, _Stream(source, 3 * flat.size) as stream:
        values = [sampler(value, *more, stream) for value in flat]
    return np.array(values, np.float64).reshape(parameters.shape)


def _as_dtype(values: np.ndarray, dtype: np.dtype) -> np.ndarray:
    with np.errstate(over="ignore", under="ignore"):
        return values.astype(dtype)


# -- gamma and Dirichlet, with the gradients of reparametrised samples ------------------------


def _slope(cdf: Callable[[np.ndarray], np.ndarray], alpha: np.ndarray) -> np.ndarray:
    """The derivative of ``cdf`` at ``alpha``, by differences of fourth order."""
    step = np.minimum(1e-3 * np.maximum(alpha, 1.0), 0.05 * alpha)
    near = cdf(alpha + step) - cdf(alpha - step)
    far = cdf(alpha + 2 * step) - cdf(alpha - 2 * step)
    return (8 * near - far) / (12 * step)


def _gamma_slope(alpha: np.ndarray, x: np.ndarray) -> np.ndarray:
    """How a gamma number changes with its concentration, its quantile staying: -dF/dα / pdf."""
    special = _scipy()
    a, value = alpha.astype(np.float64), x.astype(np.float64)
    low = _slope(lambda t: special.gammainc(t, value), a)
    high = -_slope(lambda t: special.gammaincc(t, value), a)
    change = np.where(value > a, high, low)
    density = np.exp((a - 1) * np.log(value) - value - special.gammaln(a))
    return _as_dtype(-change / density, x.dtype)


def _beta_slope(x: np.ndarray, alpha: np.ndarray, total: np.ndarray) -> np.ndarray:
    """How a beta number changes with its first concentration, divided by 1 - x."""
    special = _scipy()
    value, a = x.astype(np.float64), alpha.astype(np.float64)
    b = total.astype(np.float64) - a
    low = _slope(lambda t: special.betainc(t, b, value), a)
    high = -_slope(lambda t: special.betaincc(t, b, value), a)
    change = np.where(value > a / (a + b), high, low)
    logs = (a - 1) * np.log(value) + b * np.log1p(-value) - special.betaln(a, b)
    return _as_dtype(-change / np.exp(logs), x.dtype)


def _dirichlet_slope(x: np.ndarray, alpha: np.ndarray) -> np.ndarray:
    return _beta_slope(x, alpha, alpha.sum(-1, keepdims=True))


def _scipy() -> Any:
    try:
        import scipy.special
    except ImportError:
        raise ImportError(
            "gradients of gamma samples need SciPy: pip install 'flambeau[special]'"
        ) from None
    return scipy.special


class _Drawn(Function):
    """Samples as a function of their concentrations; the gradient is the subclass's."""

    @staticmethod
    def forward(ctx: Any, concentration: Tensor, sample: Tensor) -> Tensor:
        ctx.save_for_backward(concentration, sample)
        return sample.clone()


class _StandardGamma(_Drawn):
    """Gamma samples as a function of their concentrations."""

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        concentration, sample = ctx.saved_tensors
        kind = (tuple(sample.shape), sample._array.dtype)
        saved = (concentration.detach(), sample.detach())
        (slope,) = call_on_arrays(_gamma_slope, "_standard_gamma()", saved, kind)
        return grads[0] * slope, None


class _Dirichlet(_Drawn):
    """Dirichlet samples as a function of their concentrations."""

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        concentration, sample = ctx.saved_tensors
        kind = (tuple(sample.shape), sample._array.dtype)
        saved = (sample.detach(), concentration.detach())
        (slope,) = call_on_arrays(_dirichlet_slope, "_sample_dirichlet()", saved, kind)
        mean = (grads[0] * sample).sum(-1, True)
        return (grads[0] - mean) * slope, None


def _standard_gamma(self: Tensor, generator: Any = None) -> Tensor:
    """Numbers of the gamma distribution of rate 1, with gradients for the concentrations.

    Args:
        self: the concentrations, floating-point, not negative.
        generator: to draw from, by default the default one.
    """
    source = checked_generator("_standard_gamma", generator)
    kind = (tuple(self.shape), self._array.dtype)
    (values,) = draw_on_arrays(
        _gammas, "_standard_gamma()", (self.detach(),), kind, generator=source
    )
    return _StandardGamma.apply(self, values) if self.requires_grad else values


def _gammas(generator: Generator, alpha: np.ndarray) -> np.ndarray:
    drawn = _drawn(alpha, generator, _gamma, alpha.dtype == np.float32)
    return np.maximum(_as_dtype(drawn, alpha.dtype), np.finfo(alpha.dtype).tiny)


def _sample_dirichlet(self: Tensor, generator: Any = None) -> Tensor:
    """Numbers of the Dirichlet distribution of the concentrations in the last dim."""
    source = checked_generator("_sample_dirichlet", generator)
    kind = (tuple(self.shape), self._array.dtype)
    return draw_on_arrays(  # type: ignore[no-any-return]
        _dirichlets, "_sample_dirichlet()", (self.detach(),), kind, generator=source
    )[0]


def _dirichlets(generator: Generator, alpha: np.ndarray) -> np.ndarray:
    gammas = _drawn(alpha.astype(np.float64), generator, _gamma, False)
    shares = _as_dtype(gammas / gammas.sum(-1, keepdims=True), alpha.dtype)
    limits = np.finfo(alpha.dtype)
    return np.clip(shares, limits.tiny, np.nextafter(limits.dtype.type(1), 0))


def dirichlet_with_gradient(concentration: Tensor) -> Tensor:
    """:func:`_sample_dirichlet` with the gradients of reparametrised samples."""
    with no_grad():
        sample = _sample_dirichlet(concentration)
    return _Dirichlet.apply(concentration, sample) if concentration.requires_grad else sample


# -- counts -----------------------------------------------------------------------------------


def _poisson(rate: Any, stream: _Stream) -> float:
    rate = float(rate)
    if rate == 0:
        return 0.0
    if rate < 10:
        limit, product, count = math.exp(-rate), 1.0, 0
        while True:
            product *= stream.uniform()
            if product <= limit:
                return float(count)
            count += 1
    root, log_rate = math.sqrt(rate), math.log(rate)
    b = 0.931 + 2.53 * root
    a = -0.059 + 0.02483 * b
    inverse = 1.1239 + 1.1328 / (b - 3.4)
    ratio = 0.9277 - 3.6224 / (b - 2)
    while True:
        u = stream.uniform() - 0.5
        v = stream.uniform()
        us = 0.5 - abs(u)
        k = math.floor((2 * a / us + b) * u + rate + 0.43)
        if us >= 0.07 and v <= ratio:
            return float(k)
        if k < 0 or (us < 0.013 and v > us):
            continue
        left = math.log(v) + math.log(inverse) - math.log(a / (us * us) + b)
        if left <= -rate + k * log_rate - math.lgamma(k + 1.0):
            return float(k)


def poisson(input: Tensor, generator: Any = None) -> Tensor:
    """Numbers of the Poisson distribution of the rates ``input``, in its dtype.

    Args:
        input: the rates, floating-point, not negative.
        generator: to draw from, by default the default one.

    Returns:
        the shape and dtype of ``input``.

    Raises:
        RuntimeError: a rate is negative.
        NotImplementedError: ``input`` is not floating-point.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.poisson.html
    """
    require_kinds("poisson_cpu", FLOATING, input._array)
    source = checked_generator("poisson", generator)
    kind = (tuple(input.shape), input._array.dtype)
    return draw_on_arrays(  # type: ignore[no-any-return]
        _poissons, "poisson()", (input.detach(),), kind, generator=source
    )[0]


def _poissons(generator: Generator, rates: np.ndarray) -> np.ndarray:
    if (rates < 0).any():
        raise RuntimeError("invalid Poisson rate, expected rate to be non-negative")
    return _as_dtype(_drawn(rates, generator, _poisson), rates.dtype)


def _stirling_tail(k: float) -> float:
    """What Stirling's formula for log k! leaves out."""
    if k <= 9:
        base = (k + 0.5) * math.log(k + 1) - (k + 1) + 0.5 * math.log(2 * math.pi)
        return math.lgamma(k + 1) - base
    square = (k + 1) * (k + 1)
    return (1.0 / 12 - (1.0 / 360 - 1.0 / 1260 / square) / square) / (k + 1)


def _rejected_binomial(count: float, prob: float, stream: _Stream) -> float:
    deviation = math.sqrt(count * prob * (1 - prob))
    b = 1.15 + 2.53 * deviation
    a = -0.0873 + 0.0248 * b + 0.01 * prob
    c = count * prob + 0.5
    ratio = 0.92 - 4.2 / b
    odds = prob / (1 - prob)
    alpha = (2.83 + 5.1 / b) * deviation
    mode = math.floor((count + 1) * prob)
    while True:
        u = stream.uniform() - 0.5
        v = stream.uniform()
        us = 0.5 - abs(u)
        k = math.floor((2 * a / us + b) * u + c)
        if us >= 0.07 and v <= ratio:
            return k
        if k < 0 or k > count:
            continue
        v = math.log(v * alpha / (a / (us * us) + b))
        bound = (
            (mode + 0.5) * math.log((mode + 1) / (odds * (count - mode + 1)))
            + (count + 1) * math.log((count - mode + 1) / (count - k + 1))
            + (k + 0.5) * math.log(odds * (count - k + 1) / (k + 1))
            + _stirling_tail(mode)
            + _stirling_tail(count - mode)
            - _stirling_tail(k)
            - _stirling_tail(count - k)
        )
        if v <= bound:
            return k


def _inverted_binomial(count: float, prob: float, stream: _Stream) -> float:
    total, found = 0.0, 0
    log_miss = math.log1p(-prob)
    while True:
        u = stream.uniform()
        total += math.inf if u == 0 else math.ceil(math.log(u) / log_miss)
        if total > count:
            return float(found)
        found += 1


def _binomial(pair: Any, stream: _Stream) -> float:
    count, prob = float(pair["count"]), float(pair["prob"])
    if count <= 0 or prob <= 0:
        return 0.0
    if prob >= 1:
        return count
    if math.isnan(prob):
        return math.nan
    less = min(prob, 1 - prob)
    draw = _rejected_binomial if count * less >= 10 else _inverted_binomial
    drawn = draw(count, less, stream)
    return drawn if prob <= 0.5 else count - drawn


def binomial(count: Tensor, prob: Tensor, generator: Any = None) -> Tensor:
    """Numbers of successes in ``count`` trials of probability ``prob``, with broadcasting.

    Args:
        count: floating-point, of the dtype of ``prob``.
        prob: in [0, 1].
        generator: to draw from, by default the default one.

    Returns:
        their broadcast shape, of their dtype.

    Raises:
        RuntimeError: the dtypes differ, or the shapes do not broadcast.
        ValueError: they are not floating-point.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.binomial.html
    """
    dtype = count._array.dtype
    if dtype != prob._array.dtype:
        raise RuntimeError(
            f"Found dtype {count.dtype} but expected {prob.dtype}: binomial() takes tensors of one "
            "dtype"
        )
    if dtype.kind not in "fV":
        raise ValueError(
            "binomial only supports floating-point dtypes for count, got: "
            f"{type_word(count._array)}"
        )
    source = checked_generator("binomial", generator)
    kind = (broadcast_shape(tuple(count.shape), tuple(prob.shape)), dtype)
    given = (count.detach(), prob.detach())
    return draw_on_arrays(  # type: ignore[no-any-return]
        _binomials, "binomial()", given, kind, generator=source
    )[0]


def _binomials(generator: Generator, count: np.ndarray, prob: np.ndarray) -> np.ndarray:
    n, p = np.broadcast_arrays(count, prob)
    pairs = np.empty(n.shape, [("count", np.float64), ("prob", np.float64)])
    pairs["count"], pairs["prob"] = n, p
    return _as_dtype(_drawn(pairs, generator, _binomial), n.dtype)
