"""Probability distributions (``torch.distributions``): sampling, densities, divergences.

Samples are PyTorch's for the same seed.

Source: https://docs.pytorch.org/docs/stable/distributions.html
"""

from __future__ import annotations

from . import (
    constraints,
    joint_transforms,
    kl,
    kl_between_families,
    module_names,
    transformed_families,
    transforms,
)
from .combined import Independent, LogNormal, MixtureSameFamily, TransformedDistribution
from .constraint_registry import biject_to, transform_to
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
from .continuous_bernoulli import ContinuousBernoulli
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
from .exponential_family import ExponentialFamily
from .gamma_family import Beta, Chi2, Dirichlet, FisherSnedecor, Gamma, StudentT
from .gaussian import LowRankMultivariateNormal, MultivariateNormal
from .generalized_pareto import GeneralizedPareto
from .joint_transforms import *
from .kl import kl_divergence, register_kl
from .negative_binomial import NegativeBinomial
from .random_matrices import LKJCholesky, Wishart
from .relaxed import RelaxedBernoulli, RelaxedOneHotCategorical
from .transformed_families import *
from .transforms import *
from .von_mises import VonMises

__all__ = [
    "Bernoulli", "Beta", "Binomial", "Categorical", "Cauchy", "Chi2", "Dirichlet",
    "Distribution", "Exponential", "FisherSnedecor", "Gamma", "Geometric", "Gumbel",
    "HalfCauchy", "HalfNormal", "Independent", "LKJCholesky", "Laplace",
    "LowRankMultivariateNormal", "MultivariateNormal", "Wishart", "LogNormal", "MixtureSameFamily",
    "Multinomial", "Normal", "OneHotCategorical", "OneHotCategoricalStraightThrough", "Poisson",
    "StudentT", "TransformedDistribution", "Uniform", "constraints", "kl", "kl_divergence",
    "register_kl", "transforms",
]  # fmt: skip
__all__ += ["ContinuousBernoulli", "ExponentialFamily", "GeneralizedPareto", "NegativeBinomial"]
__all__ += ["RelaxedBernoulli", "RelaxedOneHotCategorical", "VonMises", "biject_to", "transform_to"]
__all__ += transformed_families.__all__
__all__ += transforms.__all__ + joint_transforms.__all__
globals().update(module_names.MODULES)
