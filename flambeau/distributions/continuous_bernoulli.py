"""The continuous Bernoulli distribution.

Source: Loaiza-Ganem and Cunningham, "The continuous Bernoulli: fixing a pervasive error in
variational autoencoders", NeurIPS 2019.
"""

from __future__ import annotations

import math
from typing import Any

import flambeau as torch
from flambeau.ops.value_checks import refuse

from . import constraints
from .discrete import GivenByOdds
from .exponential_family import ExponentialFamily
from .numerics import broadcast_all, clamp_probs, lazy_property, logits_to_probs, probs_to_logits


class ContinuousBernoulli(GivenByOdds, ExponentialFamily):
    """A number in [0, 1] of density proportional to ``probs**x * (1 - probs)**(1 - x)``.

    Args:
        probs: parameters (*batch), each in [0, 1]; or
        logits: their log odds (*batch). One of the two is given.
        lims: between these, about 1/2, Taylor series stand for what would divide 0 by 0.
        validate_args: whether to check parameters and values; by default yes.

    Raises:
        ValueError: not just one of ``probs`` and ``logits`` is given.
        ValueError: a parameter or, later, a value outside of what it may be, if that is checked.
    """

    support = constraints.unit_interval  # type: ignore[assignment]
    has_rsample = True

    def __init__(
        self, probs: Any = None, logits: Any = None, lims: tuple[float, float] = (0.499, 0.501),
        validate_args: bool | None = None,
    ) -> None:  # fmt: skip
        shape = self._parametrize(probs, logits)
        if probs is not None:
            if validate_args if validate_args is not None else self._validate_args:
                valid = constraints.unit_interval.check(self.probs)
                refuse(~valid, ValueError, "The parameter probs has invalid values")
            self.probs = clamp_probs(self.probs)
        self._lims = lims
        super().__init__(shape, validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        new = super().expand(batch_shape, _instance)
        new._lims = self._lims
        return new

    @lazy_property
    def probs(self) -> Any:  # type: ignore[override]
        """The parameter, kept off 0 and 1."""
        return clamp_probs(logits_to_probs(self.logits, is_binary=True))

    @lazy_property
    def logits(self) -> Any:  # type: ignore[override]
        """The log odds."""
        return probs_to_logits(self.probs, is_binary=True)

    def _outside(self) -> Any:
        return (self.probs <= self._lims[0]) | (self.probs > self._lims[1])

    def _cut(self) -> Any:
        """``probs``, with another number for those too near 1/2."""
        near = self._lims[0] * torch.ones_like(self.probs)
        return torch.where(self._outside(), self.probs, near)

    @property
    def _log_norm(self) -> Any:
        """The logarithm of the factor that makes the density integrate to 1."""
        cut = self._cut()
        below = torch.where(cut <= 0.5, cut, torch.zeros_like(cut))
        above = torch.where(cut >= 0.5, cut, torch.ones_like(cut))
        apart = torch.log(torch.abs(torch.log1p(-cut) - torch.log(cut)))
        exact = apart - torch.where(
            cut <= 0.5, torch.log1p(-2.0 * below), torch.log(2.0 * above - 1.0)
        )
        x = (self.probs - 0.5).pow(2)
        return torch.where(
            self._outside(), exact, math.log(2.0) + (4.0 / 3.0 + 104.0 / 45.0 * x) * x
        )

    @property
    def mean(self) -> Any:
        cut = self._cut()
        exact = cut / (2.0 * cut - 1.0) + 1.0 / (torch.log1p(-cut) - torch.log(cut))
        x = self.probs - 0.5
        return torch.where(self._outside(), exact, 0.5 + (1.0 / 3.0 + 16.0 / 45.0 * x.pow(2)) * x)

    @property
    def variance(self) -> Any:
        cut = self._cut()
        exact = cut * (cut - 1.0) / (1.0 - 2.0 * cut).pow(2)
        exact = exact + 1.0 / (torch.log1p(-cut) - torch.log(cut)).pow(2)
        x = (self.probs - 0.5).pow(2)
        series = 1.0 / 12.0 - (1.0 / 15.0 - 128.0 / 945.0 * x) * x
        return torch.where(self._outside(), exact, series)

    def rsample(self, sample_shape: Any = ()) -> Any:
        shape = self._extended_shape(sample_shape)
        return self.icdf(torch.rand(shape, dtype=self.probs.dtype))

    def log_prob(self, value: Any) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        logits, value = broadcast_all(self.logits, value)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(logits, value, reduction="none")
        return -loss + self._log_norm

    def cdf(self, value: Any) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        cut = self._cut()
        exact = torch.pow(cut, value) * torch.pow(1.0 - cut, 1.0 - value) + cut - 1.0
        inside = torch.where(self._outside(), exact / (2.0 * cut - 1.0), value)
        low = torch.where(value <= 0.0, torch.zeros_like(value), inside)
        return torch.where(value >= 1.0, torch.ones_like(value), low)

    def icdf(self, value: Any) -> Any:
        cut = self._cut()
        exact = torch.log1p(-cut + value * (2.0 * cut - 1.0)) - torch.log1p(-cut)
        return torch.where(self._outside(), exact / (torch.log(cut) - torch.log1p(-cut)), value)

    def entropy(self) -> Any:
        zero, one = torch.log1p(-self.probs), torch.log(self.probs)
        return self.mean * (zero - one) - self._log_norm - zero


__all__ = ["ContinuousBernoulli"]
