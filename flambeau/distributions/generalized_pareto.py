"""The generalized Pareto distribution of excesses over a threshold.

Source: https://docs.pytorch.org/docs/stable/distributions.html
"""

from __future__ import annotations

import math
from typing import Any

import flambeau as torch

from . import constraints
from .distribution import Distribution
from .numerics import are_numbers, broadcast_all


class GeneralizedPareto(Distribution):
    """Excesses over ``loc``: ``scale``, and the tail's ``concentration`` (0 is exponential).

    Args:
        loc: the least value (*batch).
        scale: the width (*batch), positive.
        concentration: the heaviness of the tail (*batch).
        validate_args: whether to check parameters and values; by default yes.

    Raises:
        ValueError: a parameter or, later, a value outside of what it may be, if that is checked.
    """

    arg_constraints = {
        "loc": constraints.real, "scale": constraints.positive, "concentration": constraints.real,
    }  # fmt: skip
    has_rsample = True
    _batched = ("loc", "scale", "concentration")

    def __init__(
        self, loc: Any, scale: Any, concentration: Any, validate_args: bool | None = None
    ) -> None:
        self.loc, self.scale, self.concentration = broadcast_all(loc, scale, concentration)
        shape = () if are_numbers(loc, scale, concentration) else self.loc.size()
        super().__init__(shape, validate_args=validate_args)

    def _shape_parameter(self) -> tuple[Any, Any]:
        """Where the concentration is (nearly) 0, and one that can be divided by."""
        zero = torch.isclose(self.concentration, torch.zeros_like(self.concentration))
        return zero, torch.where(zero, torch.ones_like(self.concentration), self.concentration)

    def rsample(self, sample_shape: Any = ()) -> Any:
        shape = self._extended_shape(sample_shape)
        return self.icdf(torch.rand(shape, dtype=self.loc.dtype))

    def log_prob(self, value: Any) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        z = (value - self.loc) / self.scale
        zero, safe = self._shape_parameter()
        y = 1 / safe + torch.ones_like(z)
        heavy = -y * torch.log1p(safe * z)
        return torch.where(zero, -z, heavy) - self.scale.log()

    def log_survival_function(self, value: Any) -> Any:
        """The logarithm of the probability of more than ``value``.

        Returns:
            ``(*, *batch_shape)``.

        Raises:
            ValueError: values outside the support, if that is checked.
        """
        if self._validate_args:
            self._validate_sample(value)
        z = (value - self.loc) / self.scale
        zero, safe = self._shape_parameter()
        return torch.where(zero, -z, -torch.log1p(safe * z) / safe)

    def log_cdf(self, value: Any) -> Any:
        """The logarithm of the probability of at most ``value``.

        Returns:
            ``(*, *batch_shape)``.
        """
        return torch.log1p(-torch.exp(self.log_survival_function(value)))

    def cdf(self, value: Any) -> Any:
        return torch.exp(self.log_cdf(value))

    def icdf(self, value: Any) -> Any:
        zero, safe = self._shape_parameter()
        logu = torch.log1p(-value)
        return torch.where(
            zero,
            self.loc - self.scale * logu,
            self.loc + self.scale * torch.expm1(-safe * logu) / safe,
        )

    @property
    def mean(self) -> Any:
        """The mean, nan where it is not finite (as in PyTorch)."""
        heavy = self.concentration >= 1
        safe = torch.where(heavy, 0.5, self.concentration)
        return torch.where(heavy, math.nan, self.loc + self.scale / (1 - safe))

    @property
    def variance(self) -> Any:
        heavy = self.concentration >= 0.5
        safe = torch.where(heavy, 0.25, self.concentration)
        found = self.scale**2 / ((1 - safe) ** 2 * (1 - 2 * safe))
        return torch.where(heavy, math.nan, found)

    @property
    def mode(self) -> Any:
        return self.loc

    def entropy(self) -> Any:
        found = torch.log(self.scale) + self.concentration + 1
        return torch.broadcast_to(found, self._batch_shape)

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self) -> Any:
        upper = self.loc - self.scale / self._shape_parameter()[1]
        ends = torch.where(self.concentration < 0, upper, torch.full_like(upper, math.inf))
        return constraints.interval(self.loc, ends)


__all__ = ["GeneralizedPareto"]
