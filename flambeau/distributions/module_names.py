"""PyTorch's modules of one family each: ``from torch.distributions.normal import Normal``.

Here a module holds several families that are alike; programs that name PyTorch's find these.
"""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from types import ModuleType

from . import (
    combined,
    continuous,
    discrete,
    exponential_family,
    gamma_family,
    gaussian,
    numerics,
    random_matrices,
    relaxed,
    transformed_families,
)

_HOLDERS = (
    combined, continuous, discrete, exponential_family, gamma_family, gaussian, numerics,
    random_matrices, relaxed, transformed_families,
)  # fmt: skip
_NAMES = {
    "bernoulli": "Bernoulli",
    "beta": "Beta",
    "binomial": "Binomial",
    "categorical": "Categorical",
    "cauchy": "Cauchy",
    "chi2": "Chi2",
    "dirichlet": "Dirichlet",
    "exp_family": "ExponentialFamily",
    "exponential": "Exponential",
    "fishersnedecor": "FisherSnedecor",
    "gamma": "Gamma",
    "geometric": "Geometric",
    "gumbel": "Gumbel",
    "half_cauchy": "HalfCauchy",
    "half_normal": "HalfNormal",
    "independent": "Independent",
    "inverse_gamma": "InverseGamma",
    "kumaraswamy": "Kumaraswamy",
    "laplace": "Laplace",
    "lkj_cholesky": "LKJCholesky",
    "log_normal": "LogNormal",
    "logistic_normal": "LogisticNormal",
    "lowrank_multivariate_normal": "LowRankMultivariateNormal",
    "mixture_same_family": "MixtureSameFamily",
    "multinomial": "Multinomial",
    "multivariate_normal": "MultivariateNormal _batch_mahalanobis _batch_mv "
    "_precision_to_scale_tril",
    "normal": "Normal",
    "one_hot_categorical": "OneHotCategorical OneHotCategoricalStraightThrough",
    "pareto": "Pareto",
    "poisson": "Poisson",
    "relaxed_bernoulli": "LogitRelaxedBernoulli RelaxedBernoulli",
    "relaxed_categorical": "ExpRelaxedCategorical RelaxedOneHotCategorical",
    "studentT": "StudentT",
    "transformed_distribution": "TransformedDistribution",
    "uniform": "Uniform",
    "utils": "broadcast_all clamp_probs lazy_property logits_to_probs probs_to_logits "
    "tril_matrix_to_vec vec_to_tril_matrix _standard_normal",
    "weibull": "Weibull",
    "wishart": "Wishart",
}
"""PyTorch's modules, and what programs take from them."""


def _module(name: str, contents: list[str]) -> ModuleType:
    full = f"{__package__}.{name}"
    module = ModuleType(full, f"PyTorch's ``torch.distributions.{name}``: {', '.join(contents)}.")
    module.__spec__ = ModuleSpec(full, None)
    for content in contents:
        found = next(vars(holder)[content] for holder in _HOLDERS if content in vars(holder))
        setattr(module, content, found)
    module.__dict__["__all__"] = [name for name in contents if not name.startswith("_")]
    return module


MODULES = {name: _module(name, contents.split()) for name, contents in _NAMES.items()}
"""These modules by their names within the package."""

sys.modules.update({module.__name__: module for module in MODULES.values()})
