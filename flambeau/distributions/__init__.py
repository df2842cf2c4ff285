"""Probability distributions (``torch.distributions``): sampling, densities, divergences.

Samples are PyTorch's for the same seed.

Source: https://docs.pytorch.org/docs/stable/distributions.html
"""

from __future__ import annotations

from . import constraints, kl, transforms
from .combined import Independent, LogNormal, MixtureSameFamily, TransformedDistribution
from .continuous import (
    Cauchy,
    Exponential,
    Gumbel,
    HalfCauchy,
    HalfNormal,
    Laplace,
    Normal,
    Uniform,
)
from .discrete import (
    Bernoulli,
    Binomial,
    Categorical,
    Geometric,
    Multinomial,
    OneHotCategorical,
    OneHotCategoricalStraightThrough,
    Poisson,
)
from .distribution import Distribution
from .gamma_family import Beta, Chi2, Dirichlet, FisherSnedecor, Gamma, StudentT
from .gaussian import LowRankMultivariateNormal, MultivariateNormal
from .kl import kl_divergence, register_kl
from .random_matrices import LKJCholesky, Wishart
from .transforms import *

__all__ = [
    "Bernoulli", "Beta", "Binomial", "Categorical", "Cauchy", "Chi2", "Dirichlet",
    "Distribution", "Exponential", "FisherSnedecor", "Gamma", "Geometric", "Gumbel",
    "HalfCauchy", "HalfNormal", "Independent", "LKJCholesky", "Laplace",
    "LowRankMultivariateNormal", "MultivariateNormal", "Wishart", "LogNormal", "MixtureSameFamily",
    "Multinomial", "Normal", "OneHotCategorical", "OneHotCategoricalStraightThrough", "Poisson",
    "StudentT", "TransformedDistribution", "Uniform", "constraints", "kl", "kl_divergence",
    "register_kl", "transforms",
]  # fmt: skip
__all__ += transforms.__all__
