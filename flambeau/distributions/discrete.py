"""Discrete distributions.

Source: https://docs.pytorch.org/docs/stable/distributions.html
"""

from __future__ import annotations

from typing import Any

import flambeau as torch
from flambeau.ops.value_checks import refuse
from flambeau.random.rejection import binomial, poisson
from flambeau.size import Size

from . import constraints
from .distribution import Distribution
from .exponential_family import ExponentialFamily
from .numerics import (
    are_numbers,
    broadcast_all,
    clamp_probs,
    lazy_property,
    logits_to_probs,
    logsumexp,
    probs_to_logits,
    xlogy,
)

EITHER = "Either `probs` or `logits` must be specified, but not both."


class GivenByOdds(Distribution):
    """One given by a probability ``probs`` or by its log odds ``logits``."""

    arg_constraints = {"probs": constraints.unit_interval, "logits": constraints.real}
    _batched: tuple[str, ...] = ("probs", "logits")

    def _parametrize(self, probs: Any, logits: Any) -> Any:
        if (probs is None) == (logits is None):
            raise ValueError(EITHER)
        self._is_logits = probs is None
        given = logits if probs is None else probs
        (value,) = broadcast_all(given)
        setattr(self, "logits" if self._is_logits else "probs", value)
        return () if are_numbers(given) else value.size()

    @lazy_property
    def probs(self) -> Any:
        """The probability."""
        return logits_to_probs(self.logits, is_binary=True)

    @lazy_property
    def logits(self) -> Any:
        """The log odds."""
        return probs_to_logits(self.probs, is_binary=True)

    @property
    def _given(self) -> Any:
        return self.logits if self._is_logits else self.probs

    @property
    def param_shape(self) -> Any:
        """The shape of the parameter."""
        return self._given.size()


class Bernoulli(GivenByOdds, ExponentialFamily):
    """1 with probability ``probs``, else 0.

    Args:
        probs: probabilities (*batch), each in [0, 1]; or
        logits: their log-odds (*batch). One of the two is given.
        validate_args: whether to check parameters and values; by default yes.

    Raises:
        ValueError: not just one of ``probs`` and ``logits`` is given.
        ValueError: a parameter or, later, a value outside of what it may be, if that is checked.
    """

    support = constraints.boolean  # type: ignore[assignment]
    has_enumerate_support = True

    def __init__(
        self, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        super().__init__(self._parametrize(probs, logits), validate_args=validate_args)

    @property
    def mean(self) -> Any:
        return self.probs

    @property
    def mode(self) -> Any:
        mode = (self.probs >= 0.5).to(self.probs.dtype)
        return torch.where(self.probs == 0.5, float("nan"), mode)

    @property
    def variance(self) -> Any:
        return self.probs * (1 - self.probs)

    def sample(self, sample_shape: Any = ()) -> Any:
        with torch.no_grad():
            return torch.bernoulli(self.probs.expand(self._extended_shape(sample_shape)))

    def log_prob(self, value: Any) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        logits, value = broadcast_all(self.logits, value)
        return -torch.nn.functional.binary_cross_entropy_with_logits(
            logits, value.to(logits.dtype), reduction="none"
        )

    def entropy(self) -> Any:
        return torch.nn.functional.binary_cross_entropy_with_logits(
            self.logits, self.probs, reduction="none"
        )

    def enumerate_support(self, expand: bool = True) -> Any:
        values = torch.arange(2, dtype=self._given.dtype)
        values = values.view((-1,) + (1,) * len(self._batch_shape))
        return values.expand((-1,) + tuple(self._batch_shape)) if expand else values


class Geometric(GivenByOdds):
    """The number of failures before the first success.

    Args:
        probs: probabilities (*batch), each in [0, 1]; or
        logits: their log-odds (*batch). One of the two is given.
        validate_args: whether to check parameters and values; by default yes.

    Raises:
        ValueError: not just one of ``probs`` and ``logits`` is given.
        ValueError: a parameter or, later, a value outside of what it may be, if that is checked.
    """

    support = constraints.nonnegative_integer  # type: ignore[assignment]

    def __init__(
        self, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        super().__init__(self._parametrize(probs, logits), validate_args=validate_args)
        if self._validate_args and probs is not None:
            valid = self.probs > 0
            kind = f"{type(self.probs).__name__} of shape {tuple(self.probs.shape)}"
            refuse(
                ~valid, ValueError,
                f"Expected parameter probs ({kind}) of distribution {type(self).__name__} to be "
                "positive but found invalid values",
                lambda: (
                    f"Expected parameter probs ({kind}) of distribution {self!r} to be positive "
                    f"but found invalid values:\n{self.probs[~valid]}"
                ),
            )  # fmt: skip

    @property
    def mean(self) -> Any:
        return 1.0 / self.probs - 1.0

    @property
    def mode(self) -> Any:
        return torch.zeros_like(self.probs)

    @property
    def variance(self) -> Any:
        return (1.0 / self.probs - 1.0) / self.probs

    def sample(self, sample_shape: Any = ()) -> Any:
        shape = self._extended_shape(sample_shape)
        with torch.no_grad():
            u = torch.empty(shape, dtype=self.probs.dtype)
            u.uniform_(torch.finfo(self.probs.dtype).tiny, 1)
            return (u.log() / (-self.probs).log1p()).floor()

    def log_prob(self, value: Any) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        value, probs = broadcast_all(value, self.probs)
        probs = torch.where((probs == 1) & (value == 0), torch.zeros_like(probs), probs)
        return value * (-probs).log1p() + self.probs.log()

    def entropy(self) -> Any:
        return (
            torch.nn.functional.binary_cross_entropy_with_logits(
                self.logits, self.probs, reduction="none"
            )
            / self.probs
        )


class Binomial(GivenByOdds):
    """The number of successes in ``total_count`` trials.

    Args:
        total_count: the number of trials (*batch).
        probs: probabilities (*batch), each in [0, 1]; or
        logits: their log-odds (*batch). One of the two is given.
        validate_args: whether to check parameters and values; by default yes.

    Raises:
        ValueError: not just one of ``probs`` and ``logits`` is given.
        ValueError: a parameter or, later, a value outside of what it may be, if that is checked.
        NotImplementedError: in ``entropy`` and ``enumerate_support``, several numbers of trials.
    """

    arg_constraints = {
        "total_count": constraints.nonnegative_integer,
        "probs": constraints.unit_interval,
        "logits": constraints.real,
    }
    _batched = ("total_count", "probs", "logits")

    def __init__(
        self, total_count: Any = 1, probs: Any = None, logits: Any = None,
        validate_args: bool | None = None,
    ) -> None:  # fmt: skip
        if (probs is None) == (logits is None):
            raise ValueError(EITHER)
        self._is_logits = probs is None
        count, value = broadcast_all(total_count, logits if probs is None else probs)
        self.total_count = count.type_as(value)
        setattr(self, "logits" if self._is_logits else "probs", value)
        super().__init__(value.size(), validate_args=validate_args)

    @property
    def support(self) -> Any:
        return constraints.integer_interval(0, self.total_count)

    @property
    def mean(self) -> Any:
        return self.total_count * self.probs

    @property
    def mode(self) -> Any:
        return ((self.total_count + 1) * self.probs).floor().clamp(max=self.total_count)

    @property
    def variance(self) -> Any:
        return self.total_count * self.probs * (1 - self.probs)

    def sample(self, sample_shape: Any = ()) -> Any:
        shape = self._extended_shape(sample_shape)
        with torch.no_grad():
            return binomial(self.total_count.expand(shape), self.probs.expand(shape))

    def log_prob(self, value: Any) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        ways = (
            torch.lgamma(self.total_count + 1)
            - torch.lgamma(value + 1)
            - torch.lgamma(self.total_count - value + 1)
        )
        softplus = torch.nn.functional.softplus(self.logits)
        return ways + value * self.logits - self.total_count * softplus

    has_enumerate_support = True

    def _one_count(self, what: str) -> int:
        count = int(self.total_count.max())
        if int(self.total_count.min()) != count:
            raise NotImplementedError(f"Inhomogeneous total count not supported by `{what}`.")
        return count

    def entropy(self) -> Any:
        self._one_count("entropy")
        found = self.log_prob(self.enumerate_support(False))
        return -(torch.exp(found) * found).sum(0)

    def enumerate_support(self, expand: bool = True) -> Any:
        count = self._one_count("enumerate_support")
        values = torch.arange(1 + count, dtype=self._given.dtype)
        values = values.view((-1,) + (1,) * len(self._batch_shape))
        return values.expand((-1,) + tuple(self._batch_shape)) if expand else values


class Poisson(ExponentialFamily):
    """The number of events of the given ``rate`` in a unit of time.

    Args:
        rate: the mean (*batch), not negative.
        validate_args: whether to check parameters and values; by default yes.

    Raises:
        ValueError: a parameter or, later, a value outside of what it may be, if that is checked.
    """

    arg_constraints = {"rate": constraints.nonnegative}
    support = constraints.nonnegative_integer  # type: ignore[assignment]
    _batched = ("rate",)

    def __init__(self, rate: Any, validate_args: bool | None = None) -> None:
        (self.rate,) = broadcast_all(rate)
        super().__init__(() if are_numbers(rate) else self.rate.size(), validate_args=validate_args)

    @property
    def mean(self) -> Any:
        return self.rate

    @property
    def mode(self) -> Any:
        return self.rate.floor()

    @property
    def variance(self) -> Any:
        return self.rate

    def sample(self, sample_shape: Any = ()) -> Any:
        with torch.no_grad():
            return poisson(self.rate.expand(self._extended_shape(sample_shape)))

    def log_prob(self, value: Any) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        rate, value = broadcast_all(self.rate, value)
        return xlogy(value, rate) - rate - (value + 1).lgamma()


class Categorical(Distribution):
    """One of the categories of the last dim, with probabilities ``probs`` (or ``logits``).

    Args:
        probs: weights (*batch, categories), not negative; normalized to a sum of 1; or
        logits: logarithms of weights, of that shape. One of the two is given.
        validate_args: whether to check parameters and values; by default yes.

    Raises:
        ValueError: not just one of ``probs`` and ``logits`` is given.
        ValueError: a parameter or, later, a value outside of what it may be, if that is checked.
    """

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    has_enumerate_support = True
    _eventful = ("probs", "logits")

    def __init__(
        self, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        if (probs is None) == (logits is None):
            raise ValueError(EITHER)
        name, given = ("logits", logits) if probs is None else ("probs", probs)
        if given.dim() < 1:
            raise ValueError(f"`{name}` parameter must be at least one-dimensional.")
        self._is_logits = probs is None
        if probs is None:
            self.logits = logits - logsumexp(logits, keepdim=True)
        else:
            self.probs = probs / probs.sum(-1, keepdim=True)
        self._num_events = given.size()[-1]
        super().__init__(given.size()[:-1], validate_args=validate_args)

    @lazy_property
    def probs(self) -> Any:
        """The probabilities, which sum to 1."""
        return logits_to_probs(self.logits)

    @lazy_property
    def logits(self) -> Any:
        """The logarithms of the probabilities."""
        return probs_to_logits(self.probs)

    @property
    def _given(self) -> Any:
        return self.logits if self._is_logits else self.probs

    @property
    def param_shape(self) -> Any:
        """The shape of the parameter."""
        return self._given.size()

    @property
    def support(self) -> Any:
        return constraints.integer_interval(0, self._num_events - 1)

    @property
    def mean(self) -> Any:
        return torch.full(self._extended_shape(), float("nan"), dtype=self._given.dtype)

    @property
    def mode(self) -> Any:
        return self.probs.argmax(dim=-1)

    @property
    def variance(self) -> Any:
        return self.mean

    def sample(self, sample_shape: Any = ()) -> Any:
        sample_shape = Size(sample_shape)
        rows = self.probs.detach().reshape(-1, self._num_events)
        drawn = torch.multinomial(rows, sample_shape.numel(), True).T
        return drawn.reshape(self._extended_shape(sample_shape))

    def log_prob(self, value: Any) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        value = value.long().unsqueeze(-1)
        shape = torch.broadcast_shapes(tuple(value.shape[:-1]), tuple(self.logits.shape[:-1]))
        logits = self.logits.expand(tuple(shape) + (self._num_events,))
        return logits.gather(-1, value.expand(tuple(shape) + (1,))).squeeze(-1)

    def entropy(self) -> Any:
        logits = self.logits.clamp(min=torch.finfo(self.logits.dtype).min)
        return -(logits * self.probs).sum(-1)

    def enumerate_support(self, expand: bool = True) -> Any:
        values = torch.arange(self._num_events).view((-1,) + (1,) * len(self._batch_shape))
        return values.expand((-1,) + tuple(self._batch_shape)) if expand else values


class _OverCategories(Distribution):
    """One over the counts or places of categories."""

    arg_constraints = {"probs": constraints.simplex, "logits": constraints.real_vector}
    _categorical: Categorical

    @property
    def probs(self) -> Any:
        """The categories' probabilities."""
        return self._categorical.probs

    @property
    def logits(self) -> Any:
        """Their logarithms."""
        return self._categorical.logits

    @property
    def param_shape(self) -> Any:
        """The shape of the parameter."""
        return self._categorical.param_shape

    _batched = ("_categorical",)


class OneHotCategorical(_OverCategories):
    """:class:`Categorical`, its samples as vectors with one 1.

    Args:
        probs: weights (*batch, categories), not negative; normalized to a sum of 1; or
        logits: logarithms of weights, of that shape. One of the two is given.
        validate_args: whether to check parameters and values; by default yes.

    Raises:
        ValueError: not just one of ``probs`` and ``logits`` is given.
        ValueError: a parameter or, later, a value outside of what it may be, if that is checked.
    """

    support = constraints.one_hot  # type: ignore[assignment]
    has_enumerate_support = True

    def __init__(
        self, probs: Any = None, logits: Any = None, validate_args: bool | None = None
    ) -> None:
        self._categorical = Categorical(probs, logits)
        shape = self._categorical.param_shape
        super().__init__(self._categorical.batch_shape, shape[-1:], validate_args=validate_args)

    @property
    def mean(self) -> Any:
        return self.probs

    @property
    def mode(self) -> Any:
        return torch.nn.functional.one_hot(self.probs.argmax(-1), self.probs.shape[-1]).to(
            self.probs.dtype
        )

    @property
    def variance(self) -> Any:
        return self.probs * (1 - self.probs)

    def sample(self, sample_shape: Any = ()) -> Any:
        drawn = self._categorical.sample(sample_shape)
        return torch.nn.functional.one_hot(drawn, self._event_shape[-1]).to(self.probs.dtype)

    def log_prob(self, value: Any) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        return self._categorical.log_prob(value.argmax(-1))

    def entropy(self) -> Any:
        return self._categorical.entropy()

    def enumerate_support(self, expand: bool = True) -> Any:
        n = self._event_shape[0]
        values = torch.eye(n, dtype=self.probs.dtype)
        values = values.view((n,) + (1,) * len(self._batch_shape) + (n,))
        return values.expand((n,) + tuple(self._batch_shape) + (n,)) if expand else values


class OneHotCategoricalStraightThrough(OneHotCategorical):
    """:class:`OneHotCategorical` whose samples pass gradients on to the probabilities.

    Args:
        probs, logits, validate_args: as there.

    Raises:
        ValueError: not just one of ``probs`` and ``logits`` is given.
        ValueError: a parameter or, later, a value outside of what it may be, if that is checked.

    Source: Bengio et al., Estimating or Propagating Gradients Through Stochastic Neurons, 2013.
    """

    has_rsample = True

    def rsample(self, sample_shape: Any = ()) -> Any:
        samples = self.sample(sample_shape)
        return samples + (self.probs - self.probs.detach())


class Multinomial(_OverCategories):
    """How often each category comes up in ``total_count`` draws.

    Args:
        total_count: the number of draws, an int.
        probs: weights (*batch, categories), not negative; normalized to a sum of 1; or
        logits: logarithms of weights, of that shape. One of the two is given.
        validate_args: whether to check parameters and values; by default yes.

    Raises:
        ValueError: not just one of ``probs`` and ``logits`` is given.
        ValueError: a parameter or, later, a value outside of what it may be, if that is checked.
        NotImplementedError: ``total_count`` is no int.
    """

    total_count: int

    def __init__(
        self, total_count: int = 1, probs: Any = None, logits: Any = None,
        validate_args: bool | None = None,
    ) -> None:  # fmt: skip
        if not isinstance(total_count, int):
            raise NotImplementedError("inhomogeneous total_count is not supported")
        self.total_count = total_count
        self._categorical = Categorical(probs=probs, logits=logits)
        shape = self._categorical.param_shape
        super().__init__(self._categorical.batch_shape, shape[-1:], validate_args=validate_args)

    @property
    def support(self) -> Any:
        return constraints.multinomial(self.total_count)

    @property
    def mean(self) -> Any:
        return self.probs * self.total_count

    @property
    def variance(self) -> Any:
        return self.total_count * self.probs * (1 - self.probs)

    def entropy(self) -> Any:
        n = torch.tensor(float(self.total_count))
        binomial_ = Binomial(self.total_count, probs=self.probs)
        support = binomial_.enumerate_support(expand=False)[1:]
        chances = torch.exp(binomial_.log_prob(support))
        spread = (chances * torch.lgamma(support + 1)).sum((0, -1))
        return n * self._categorical.entropy() - torch.lgamma(n + 1) + spread

    def sample(self, sample_shape: Any = ()) -> Any:
        drawn = self._categorical.sample((self.total_count, *sample_shape))
        drawn = drawn.movedim(0, -1)
        counts = torch.zeros(self._extended_shape(sample_shape), dtype=self.probs.dtype)
        return counts.scatter_add(-1, drawn, torch.ones_like(drawn, dtype=counts.dtype))

    def log_prob(self, value: Any) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        ways = torch.lgamma(value.sum(-1) + 1) - torch.lgamma(value + 1).sum(-1)
        none = (value == 0) & (self.logits == -float("inf"))
        return ways + (torch.where(none, torch.zeros_like(self.logits), self.logits) * value).sum(
            -1
        )


__all__ = [
    "Bernoulli", "Binomial", "Categorical", "Geometric", "Multinomial", "OneHotCategorical",
    "OneHotCategoricalStraightThrough", "Poisson", "clamp_probs",
]  # fmt: skip
