"""Kullback-Leibler divergences between distributions of different families.

All are the cross-entropy less the entropy; the expectations are those of textbooks (Gil, Alajaji
and Linder, "Rényi divergence measures for commonly used univariate continuous distributions",
Information Sciences 249, 2013).  Where ``p`` has values that ``q`` does not, the result is inf.
"""

from __future__ import annotations

import math
from typing import Any

import flambeau as torch

from .combined import TransformedDistribution
from .continuous import Exponential, Gumbel, Laplace, Normal, Uniform
from .continuous_bernoulli import ContinuousBernoulli
from .discrete import Bernoulli, Binomial, Poisson
from .exponential_family import ExponentialFamily
from .gamma_family import Beta, Gamma
from .kl import kl_divergence, register_kl
from .numerics import sum_rightmost
from .transformed_families import Pareto

_EULER = 0.57721566490153286060


def _infinite(p: Any, q: Any) -> Any:
    shape = torch.broadcast_shapes(tuple(p.batch_shape), tuple(q.batch_shape))
    return torch.full(shape, math.inf, dtype=p.mean.dtype)


for _p, _qs in (
    (Beta, (Pareto,)),
    (ContinuousBernoulli, (Pareto,)),
    (Exponential, (Beta, ContinuousBernoulli, Pareto, Uniform)),
    (Gamma, (Beta, ContinuousBernoulli, Pareto, Uniform)),
    (Gumbel, (Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform)),
    (Laplace, (Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform)),
    (Normal, (Beta, ContinuousBernoulli, Exponential, Gamma, Pareto, Uniform)),
    (Pareto, (Beta, ContinuousBernoulli, Uniform)),
    (Poisson, (Bernoulli, Binomial)),
):
    for _q in _qs:
        register_kl(_p, _q)(_infinite)


# -- expectations under p ---------------------------------------------------------------------


def _x_log_x(x: Any) -> Any:
    return torch.special.xlogy(x, x) if hasattr(torch.special, "xlogy") else x * x.log()


def _mean_log(p: Any) -> Any:
    """E log x."""
    if isinstance(p, Exponential):
        return -_EULER - p.rate.log()
    if isinstance(p, Gamma):
        return torch.digamma(p.concentration) - p.rate.log()
    if isinstance(p, Beta):
        both = p.concentration1 + p.concentration0
        return torch.digamma(p.concentration1) - torch.digamma(both)
    if isinstance(p, Pareto):
        return p.scale.log() + p.alpha.reciprocal()
    return (_x_log_x(p.high) - _x_log_x(p.low)) / (p.high - p.low) - 1  # Uniform


def _mean_exponential(p: Any, q: Any) -> Any:
    """E exp(-(x - q.loc) / q.scale)."""
    shift = q.loc / q.scale
    if isinstance(p, Exponential):
        return shift.exp() * p.rate * q.scale / (p.rate * q.scale + 1)
    if isinstance(p, Gamma):
        return shift.exp() * (1 + (p.rate * q.scale).reciprocal()).pow(-p.concentration)
    if isinstance(p, Normal):
        return torch.exp(shift - p.loc / q.scale + 0.5 * (p.scale / q.scale).pow(2))
    if isinstance(p, Gumbel):
        return torch.exp((q.loc - p.loc) / q.scale + torch.lgamma(1 + p.scale / q.scale))
    ends = torch.exp(-(p.low - q.loc) / q.scale) - torch.exp(-(p.high - q.loc) / q.scale)
    return ends * q.scale / (p.high - p.low)  # Uniform


# -- cross-entropies --------------------------------------------------------------------------


def _to_normal(p: Any, q: Any) -> Any:
    variance = q.scale.pow(2)
    spread = (p.variance + (p.mean - q.loc).pow(2)) / (2 * variance)
    return 0.5 * (2 * math.pi * variance).log() + spread - p.entropy()


def _to_exponential(p: Any, q: Any) -> Any:
    return q.rate * p.mean - q.rate.log() - p.entropy()


def _to_gamma(p: Any, q: Any) -> Any:
    density = q.concentration * q.rate.log() - q.concentration.lgamma()
    density = density + (q.concentration - 1) * _mean_log(p) - q.rate * p.mean
    return -density - p.entropy()


def _to_gumbel(p: Any, q: Any) -> Any:
    return q.scale.log() + (p.mean - q.loc) / q.scale + _mean_exponential(p, q) - p.entropy()


def _within(result: Any, *outside: Any) -> Any:
    for one in outside:
        result = torch.where(one, math.inf, result)
    return result


for _family in (Beta, ContinuousBernoulli, Exponential, Gamma, Gumbel, Laplace, Uniform):
    register_kl(_family, Normal)(_to_normal)
for _continuous in (Beta, ContinuousBernoulli, Gamma):
    register_kl(_continuous, Exponential)(_to_exponential)
for _positive in (Beta, Exponential):
    register_kl(_positive, Gamma)(_to_gamma)
for _other in (Exponential, Gamma, Gumbel, Normal, Uniform):
    register_kl(_other, Gumbel)(_to_gumbel)


@register_kl(Pareto, Normal)
def _pareto_normal(p: Any, q: Any) -> Any:
    return _within(_to_normal(p, q), p.alpha <= 2)


@register_kl(Pareto, Exponential)
def _pareto_exponential(p: Any, q: Any) -> Any:
    return _within(_to_exponential(p, q), p.alpha <= 1)


@register_kl(Pareto, Gamma)
def _pareto_gamma(p: Any, q: Any) -> Any:
    return _within(_to_gamma(p, q), p.alpha <= 1)


@register_kl(Uniform, Exponential)
def _uniform_exponential(p: Any, q: Any) -> Any:
    return _within(_to_exponential(p, q), p.low < 0)


@register_kl(Uniform, Gamma)
def _uniform_gamma(p: Any, q: Any) -> Any:
    return _within(_to_gamma(p, q), p.low < 0)


@register_kl(Bernoulli, Poisson)
def _bernoulli_poisson(p: Any, q: Any) -> Any:
    return -p.entropy() - (p.probs * q.rate.log() - q.rate)


@register_kl(Normal, Laplace)
def _normal_laplace(p: Any, q: Any) -> Any:
    away = (p.loc - q.loc) / p.scale
    bell = math.sqrt(2 / math.pi) * p.scale * torch.exp(-0.5 * away.pow(2))
    distance = bell + (p.loc - q.loc) * torch.erf(away / math.sqrt(2))
    return (2 * q.scale).log() + distance / q.scale - p.entropy()


@register_kl(Beta, Uniform)
def _beta_uniform(p: Any, q: Any) -> Any:
    return _within((q.high - q.low).log() - p.entropy(), q.low > 0, q.high < 1)


@register_kl(ContinuousBernoulli, Uniform)
def _continuous_bernoulli_uniform(p: Any, q: Any) -> Any:
    return _within((q.high - q.low).log() - p.entropy(), q.low > 0, q.high < 1)


def _to_continuous_bernoulli(p: Any, q: Any) -> Any:
    return -p.entropy() - p.mean * q.logits - torch.log1p(-q.probs) - q._log_norm


register_kl(Beta, ContinuousBernoulli)(_to_continuous_bernoulli)
register_kl(ContinuousBernoulli, ContinuousBernoulli)(_to_continuous_bernoulli)


@register_kl(Uniform, ContinuousBernoulli)
def _uniform_continuous_bernoulli(p: Any, q: Any) -> Any:
    return _within(_to_continuous_bernoulli(p, q), p.low < 0, p.high > 1)


@register_kl(Uniform, Beta)
def _uniform_beta(p: Any, q: Any) -> Any:
    width = p.high - p.low
    rest = (_x_log_x(1 - p.low) - _x_log_x(1 - p.high)) / width - 1  # E log(1 - x)
    a, b = q.concentration1, q.concentration0
    density = (a - 1) * _mean_log(p) + (b - 1) * rest
    density = density + torch.lgamma(a + b) - torch.lgamma(a) - torch.lgamma(b)
    return _within(-p.entropy() - density, p.low < 0, p.high > 1)


def _to_pareto(p: Any, q: Any) -> Any:
    density = q.alpha.log() + q.alpha * q.scale.log() - (q.alpha + 1) * _mean_log(p)
    return -p.entropy() - density


@register_kl(Pareto, Pareto)
def _pareto_pareto(p: Any, q: Any) -> Any:
    return _within(_to_pareto(p, q), p.scale < q.scale)


@register_kl(Uniform, Pareto)
def _uniform_pareto(p: Any, q: Any) -> Any:
    return _within(_to_pareto(p, q), p.low < q.scale)


# -- in general -------------------------------------------------------------------------------


@register_kl(TransformedDistribution, TransformedDistribution)
def _transformed(p: Any, q: Any) -> Any:
    if p.transforms != q.transforms or p.event_shape != q.event_shape:
        raise NotImplementedError
    rest = len(p.event_shape) - len(p.base_dist.event_shape)
    return sum_rightmost(kl_divergence(p.base_dist, q.base_dist), rest)


@register_kl(ExponentialFamily, ExponentialFamily)
def _exponential_families(p: Any, q: Any) -> Any:
    if type(p) is not type(q):
        raise NotImplementedError(
            "The cross KL-divergence between different exponential families cannot be computed "
            "using Bregman divergences"
        )
    natural = [parameter.detach().requires_grad_() for parameter in p._natural_params]
    normalizer = p._log_normalizer(*natural)
    slopes = torch.autograd.grad(normalizer.sum(), natural, create_graph=True)
    result = q._log_normalizer(*q._natural_params) - normalizer
    for mine, its, slope in zip(natural, q._natural_params, slopes):
        result = result - sum_rightmost((its - mine) * slope, len(q.event_shape))
    return result
