"""Continuous relaxations of the Bernoulli and the categorical distribution.

Sources: Maddison, Mnih and Teh, "The Concrete Distribution", ICLR 2017; Jang, Gu and Poole,
"Categorical Reparameterization with Gumbel-Softmax", ICLR 2017.

Source: https://docs.pytorch.org/docs/stable/distributions.html
"""

from __future__ import annotations

from typing import Any

import flambeau as torch

from . import constraints
from .combined import TransformedDistribution
from .discrete import Categorical, GivenByOdds
from .distribution import Distribution
from .numerics import broadcast_all, clamp_probs
from .transforms import ExpTransform, SigmoidTransform


class LogitRelaxedBernoulli(GivenByOdds):
    """The log odds of a relaxed Bernoulli number; the lower ``temperature``, the more decided.

    Args:
        temperature: the lower, the more decided; positive.
        probs: probabilities (*batch), each in [0, 1]; or
        logits: their log-odds (*batch). One of the two is given.
        validate_args: whether to check parameters and values; by default yes.

    Raises:
        ValueError: not just one of ``probs`` and ``logits`` is given.
        ValueError: a parameter or, later, a value outside of what it may be, if that is checked.
    """

    support = constraints.real  # type: ignore[assignment]
    has_rsample = True

    def __init__(
        self, temperature: Any, probs: Any = None, logits: Any = None,
        validate_args: bool | None = None,
    ) -> None:  # fmt: skip
        self.temperature = temperature
        super().__init__(self._parametrize(probs, logits), validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        new = super().expand(batch_shape, _instance)
        new.temperature = self.temperature
        return new

    def rsample(self, sample_shape: Any = ()) -> Any:
        shape = self._extended_shape(sample_shape)
        probs = clamp_probs(self.probs.expand(shape))
        uniforms = clamp_probs(torch.rand(shape, dtype=probs.dtype))
        noise = uniforms.log() - (-uniforms).log1p()
        return (noise + probs.log() - (-probs).log1p()) / self.temperature

    def log_prob(self, value: Any) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        logits, value = broadcast_all(self.logits, value)
        apart = logits - value.mul(self.temperature)
        return torch.as_tensor(self.temperature).log() + apart - 2 * apart.exp().log1p()


class ExpRelaxedCategorical(Distribution):
    """The logarithms of a relaxed one-hot vector.

    Args:
        temperature: the lower, the more decided; positive.
        probs: weights (*batch, categories), not negative; normalized to a sum of 1; or
        logits: logarithms of weights, of that shape. One of the two is given.
        validate_args: whether to check parameters and values; by default yes.

    Raises:
        ValueError: not just one of ``probs`` and ``logits`` is given.
        ValueError: a parameter or, later, a value outside of what it may be, if that is checked.
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    support = constraints.real_vector  # type: ignore[assignment]
    has_rsample = True

    def __init__(
        self, temperature: Any, probs: Any = None, logits: Any = None,
        validate_args: bool | None = None,
    ) -> None:  # fmt: skip
        self._categorical = Categorical(probs, logits)
        self.temperature = temperature
        event = self._categorical.param_shape[-1:]
        super().__init__(self._categorical.batch_shape, event, validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        new = self._new(ExpRelaxedCategorical, _instance)
        new.temperature = self.temperature
        new._categorical = self._categorical.expand(batch_shape)
        Distribution.__init__(new, batch_shape, self.event_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new

    logits = property(lambda self: self._categorical.logits, doc="Logarithms of probabilities.")
    probs = property(lambda self: self._categorical.probs, doc="The categories' probabilities.")
    param_shape = property(
        lambda self: self._categorical.param_shape, doc="The shape of the parameter."
    )

    def rsample(self, sample_shape: Any = ()) -> Any:
        shape = self._extended_shape(sample_shape)
        uniforms = clamp_probs(torch.rand(shape, dtype=self.logits.dtype))
        gumbels = -((-(uniforms.log())).log())
        scores = (self.logits + gumbels) / self.temperature
        return scores - scores.logsumexp(dim=-1, keepdim=True)

    def log_prob(self, value: Any) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        count = self.event_shape[0]
        logits, value = broadcast_all(self.logits, value)
        temperature = torch.as_tensor(self.temperature)
        log_scale = torch.full_like(temperature, float(count)).lgamma()
        log_scale = log_scale + (count - 1) * temperature.log()
        score = logits - value.mul(temperature)
        return (score - score.logsumexp(dim=-1, keepdim=True)).sum(-1) + log_scale


class _Relaxed(TransformedDistribution):
    """What both relaxed families share: their base's parameters."""

    has_rsample = True  # type: ignore[assignment]
    temperature = property(lambda self: self.base_dist.temperature, doc="The temperature.")
    logits = property(lambda self: self.base_dist.logits, doc="Log odds, or logarithms.")
    probs = property(lambda self: self.base_dist.probs, doc="The probabilities.")

    def __repr__(self) -> str:
        return super(TransformedDistribution, self).__repr__()


class RelaxedBernoulli(_Relaxed):
    """A number in (0, 1) near 0 or 1, with gradients for its probability.

    Args:
        temperature: the lower, the nearer to 0 and 1; positive.
        probs: probabilities (*batch), each in [0, 1]; or
        logits: their log-odds (*batch). One of the two is given.
        validate_args: whether to check parameters and values; by default yes.

    Raises:
        ValueError: not just one of ``probs`` and ``logits`` is given.
        ValueError: a parameter or, later, a value outside of what it may be, if that is checked.
    """

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    support = constraints.unit_interval  # type: ignore[assignment]

    def __init__(
        self, temperature: Any, probs: Any = None, logits: Any = None,
        validate_args: bool | None = None,
    ) -> None:  # fmt: skip
        base = LogitRelaxedBernoulli(temperature, probs, logits)
        super().__init__(base, SigmoidTransform(), validate_args=validate_args)


class RelaxedOneHotCategorical(_Relaxed):
    """A point of the simplex near a corner, with gradients for the probabilities.

    Args:
        temperature: the lower, the nearer to a corner; positive.
        probs: weights (*batch, categories), not negative; normalized to a sum of 1; or
        logits: logarithms of weights, of that shape. One of the two is given.
        validate_args: whether to check parameters and values; by default yes.

    Raises:
        ValueError: not just one of ``probs`` and ``logits`` is given.
        ValueError: a parameter or, later, a value outside of what it may be, if that is checked.
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    support = constraints.simplex  # type: ignore[assignment]

    def __init__(
        self, temperature: Any, probs: Any = None, logits: Any = None,
        validate_args: bool | None = None,
    ) -> None:  # fmt: skip
        base = ExpRelaxedCategorical(temperature, probs, logits, validate_args=validate_args)
        super().__init__(base, ExpTransform(), validate_args=validate_args)


__all__ = [
    "ExpRelaxedCategorical", "LogitRelaxedBernoulli", "RelaxedBernoulli",
    "RelaxedOneHotCategorical",
]  # fmt: skip
