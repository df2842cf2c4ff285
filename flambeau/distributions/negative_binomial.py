"""The negative binomial distribution.

Source: https://docs.pytorch.org/docs/stable/distributions.html
"""

from __future__ import annotations

from typing import Any

import flambeau as torch

from . import constraints
from .discrete import EITHER, GivenByOdds
from .gamma_family import Gamma
from .numerics import broadcast_all


class NegativeBinomial(GivenByOdds):
    """Successes (of probability ``probs``) before ``total_count`` failures.

    Args:
        total_count: the number of failures to stop at (*batch), not negative.
        probs: probabilities (*batch), each in [0, 1]; or
        logits: their log-odds (*batch). One of the two is given.
        validate_args: whether to check parameters and values; by default yes.

    Raises:
        ValueError: not just one of ``probs`` and ``logits`` is given.
        ValueError: a parameter or, later, a value outside of what it may be, if that is checked.
    """

    arg_constraints = {
        "total_count": constraints.greater_than_eq(0),
        "probs": constraints.half_open_interval(0.0, 1.0),
        "logits": constraints.real,
    }
    support = constraints.nonnegative_integer  # type: ignore[assignment]
    _batched = ("total_count", "probs", "logits")

    def __init__(
        self, total_count: Any, probs: Any = None, logits: Any = None,
        validate_args: bool | None = None,
    ) -> None:  # fmt: skip
        if (probs is None) == (logits is None):
            raise ValueError(EITHER)
        self._is_logits = probs is None
        given = logits if probs is None else probs
        count, value = broadcast_all(total_count, given)
        self.total_count = count.to(value.dtype)
        setattr(self, "logits" if self._is_logits else "probs", value)
        super().__init__(value.size(), validate_args=validate_args)

    @property
    def mean(self) -> Any:
        return self.total_count * torch.exp(self.logits)

    @property
    def mode(self) -> Any:
        return ((self.total_count - 1) * self.logits.exp()).floor().clamp(min=0.0)

    @property
    def variance(self) -> Any:
        return self.mean / torch.sigmoid(-self.logits)

    def sample(self, sample_shape: Any = ()) -> Any:
        with torch.no_grad():
            gamma = Gamma(self.total_count, torch.exp(-self.logits), validate_args=False)
            return torch.poisson(gamma.sample(sample_shape))

    def log_prob(self, value: Any) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        logsigmoid = torch.nn.functional.logsigmoid
        found = self.total_count * logsigmoid(-self.logits) + value * logsigmoid(self.logits)
        ways = -torch.lgamma(self.total_count + value) + torch.lgamma(1.0 + value)
        ways = ways + torch.lgamma(self.total_count)
        return found - ways.masked_fill(self.total_count + value == 0.0, 0.0)


__all__ = ["NegativeBinomial"]
