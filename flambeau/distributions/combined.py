"""Distributions made of others: transformed, independent, mixed.

Source: https://docs.pytorch.org/docs/stable/distributions.html
"""

from __future__ import annotations

from typing import Any

import flambeau as torch

from . import constraints
from .continuous import Normal
from .discrete import Categorical
from .distribution import Distribution
from .numerics import logsumexp, sum_rightmost
from .transforms import ComposeTransform, ExpTransform, Transform


class TransformedDistribution(Distribution):
    """The distribution of the transforms of another's samples.

    Args:
        base_distribution: the distribution that samples come from.
        transforms: a Transform, or a list of them in the order in which they are applied.
        validate_args: whether to check parameters and values; by default yes.

    Raises:
        ValueError: ``transforms`` are none, or a shape does not fit them.
    """

    def __init__(
        self, base_distribution: Any, transforms: Any, validate_args: bool | None = None
    ) -> None:
        if isinstance(transforms, Transform):
            transforms = [transforms]
        elif not isinstance(transforms, list) or not all(
            isinstance(t, Transform) for t in transforms
        ):
            raise ValueError(
                f"transforms must be a Transform or list of Transforms, but was {transforms}"
            )
        self.transforms = transforms
        whole = ComposeTransform(transforms)
        base_shape = tuple(base_distribution.batch_shape) + tuple(base_distribution.event_shape)
        taken, base_dims = whole.domain.event_dim, len(base_distribution.event_shape)
        if len(base_shape) < taken:
            raise ValueError(
                f"base_distribution needs to have shape with size at least {taken}, "
                f"but got {base_shape}."
            )
        forward = tuple(whole.forward_shape(base_shape))
        expanded = tuple(whole.inverse_shape(forward))
        if expanded != base_shape:
            base_distribution = base_distribution.expand(expanded[: len(expanded) - base_dims])
        self.base_dist: Any = base_distribution
        if taken > base_dims:
            self.base_dist = Independent(base_distribution, taken - base_dims)
        cut = len(forward) - whole.codomain.event_dim - max(base_dims - taken, 0)
        super().__init__(forward[:cut], forward[cut:], validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        new = type(self).__new__(type(self))
        new.transforms = self.transforms
        base_shape = tuple(batch_shape) + tuple(self.event_shape)
        for transform in reversed(self.transforms):
            base_shape = tuple(transform.inverse_shape(base_shape))
        cut = len(base_shape) - len(self.base_dist.event_shape)
        new.base_dist = self.base_dist.expand(base_shape[:cut])
        Distribution.__init__(new, batch_shape, self.event_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new

    @property
    def has_rsample(self) -> bool:  # type: ignore[override]
        """Whether the base has reparametrised samples."""
        return self.base_dist.has_rsample

    @property
    def support(self) -> Any:
        if not self.transforms:
            return self.base_dist.support
        found = self.transforms[-1].codomain
        lacking = len(self.event_shape) - found.event_dim
        return constraints.independent(found, lacking) if lacking > 0 else found

    def _through(self, x: Any) -> Any:
        for transform in self.transforms:
            x = transform(x)
        return x

    def sample(self, sample_shape: Any = ()) -> Any:
        with torch.no_grad():
            return self._through(self.base_dist.sample(sample_shape))

    def rsample(self, sample_shape: Any = ()) -> Any:
        return self._through(self.base_dist.rsample(sample_shape))

    def log_prob(self, value: Any) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        event_dim = len(self.event_shape)
        total: Any = 0.0
        y = value
        for transform in reversed(self.transforms):
            x = transform.inv(y)
            term = transform.log_abs_det_jacobian(x, y)
            event_dim += transform.domain.event_dim - transform.codomain.event_dim
            total = total - sum_rightmost(term, event_dim - transform.domain.event_dim)
            y = x
        rest = event_dim - len(self.base_dist.event_shape)
        return total + sum_rightmost(self.base_dist.log_prob(y), rest)

    def _sign(self) -> Any:
        sign: Any = 1
        for transform in self.transforms:
            sign = sign * transform.sign
        return sign

    def cdf(self, value: Any) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        for transform in reversed(self.transforms):
            value = transform.inv(value)
        found = self.base_dist.cdf(value)
        sign = self._sign()
        return found if isinstance(sign, int) and sign == 1 else sign * (found - 0.5) + 0.5

    def icdf(self, value: Any) -> Any:
        sign = self._sign()
        if not (isinstance(sign, int) and sign == 1):
            value = sign * (value - 0.5) + 0.5
        return self._through(self.base_dist.icdf(value))

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class LogNormal(TransformedDistribution):
    """The distribution of e to the power of a normal number.

    Args:
        loc: the mean of the logarithm (*batch).
        scale: the standard deviation of the logarithm (*batch), positive.
        validate_args: whether to check parameters and values; by default yes.

    Raises:
        ValueError: a parameter or, later, a value outside of what it may be, if that is checked.
    """

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        super().__init__(Normal(loc, scale), ExpTransform(), validate_args=validate_args)

    @property
    def loc(self) -> Any:
        """The mean of the logarithm."""
        return self.base_dist.loc

    @property
    def scale(self) -> Any:
        """The standard deviation of the logarithm."""
        return self.base_dist.scale

    @property
    def mean(self) -> Any:
        return (self.loc + self.scale.pow(2) / 2).exp()

    @property
    def mode(self) -> Any:
        return (self.loc - self.scale.square()).exp()

    @property
    def variance(self) -> Any:
        square = self.scale.pow(2)
        return square.expm1() * (2 * self.loc + square).exp()

    def entropy(self) -> Any:
        return self.base_dist.entropy() + self.loc


class Independent(Distribution):
    """A distribution whose last batch dims are taken as dims of the event.

    Args:
        base_distribution: a distribution.
        reinterpreted_batch_ndims: how many of its last batch dims.
        validate_args: whether to check parameters and values; by default yes.

    Raises:
        ValueError: there are fewer batch dims.
    """

    def __init__(
        self, base_distribution: Any, reinterpreted_batch_ndims: int,
        validate_args: bool | None = None,
    ) -> None:  # fmt: skip
        shape = tuple(base_distribution.batch_shape)
        n = reinterpreted_batch_ndims
        if n > len(shape):
            raise ValueError(
                "Expected reinterpreted_batch_ndims <= len(base_distribution.batch_shape), "
                f"actual {n} vs {len(shape)}"
            )
        self.base_dist = base_distribution
        self.reinterpreted_batch_ndims = n
        cut = len(shape) - n
        super().__init__(
            shape[:cut], shape[cut:] + tuple(base_distribution.event_shape),
            validate_args=validate_args,
        )  # fmt: skip

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        inner = tuple(self.event_shape[: self.reinterpreted_batch_ndims])
        base = self.base_dist.expand(tuple(batch_shape) + inner)
        new = Independent(base, self.reinterpreted_batch_ndims, validate_args=False)
        new._validate_args = self._validate_args
        return new

    @property
    def has_rsample(self) -> bool:  # type: ignore[override]
        """Whether the base has reparametrised samples."""
        return self.base_dist.has_rsample

    @property
    def support(self) -> Any:
        found = self.base_dist.support
        if self.reinterpreted_batch_ndims:
            return constraints.independent(found, self.reinterpreted_batch_ndims)
        return found

    @property
    def mean(self) -> Any:
        return self.base_dist.mean

    @property
    def mode(self) -> Any:
        return self.base_dist.mode

    @property
    def variance(self) -> Any:
        return self.base_dist.variance

    def sample(self, sample_shape: Any = ()) -> Any:
        return self.base_dist.sample(sample_shape)

    def rsample(self, sample_shape: Any = ()) -> Any:
        return self.base_dist.rsample(sample_shape)

    def log_prob(self, value: Any) -> Any:
        return sum_rightmost(self.base_dist.log_prob(value), self.reinterpreted_batch_ndims)

    def entropy(self) -> Any:
        return sum_rightmost(self.base_dist.entropy(), self.reinterpreted_batch_ndims)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.base_dist}, {self.reinterpreted_batch_ndims})"


class MixtureSameFamily(Distribution):
    """A mixture, ``mixture_distribution`` choosing among the last batch dim of the components.

    Args:
        mixture_distribution: a Categorical (*batch) of as many categories as there are components.
        component_distribution: a distribution of batch shape (*batch, components).
        validate_args: whether to check parameters and values; by default yes.

    Raises:
        ValueError: the one is no Categorical, or the other no distribution.
    """

    def __init__(
        self, mixture_distribution: Any, component_distribution: Any,
        validate_args: bool | None = None,
    ) -> None:  # fmt: skip
        if not isinstance(mixture_distribution, Categorical):
            raise ValueError(
                " The Mixture distribution needs to be an instance of torch.distributions."
                "Categorical"
            )
        if not isinstance(component_distribution, Distribution):
            raise ValueError(
                "The Component distribution need to be an instance of torch.distributions."
                "Distribution"
            )
        self._mixture_distribution = mixture_distribution
        self._component_distribution = component_distribution
        _ = mixture_distribution.logits  # computed now, and told by its repr, as in PyTorch
        shape = component_distribution.batch_shape
        super().__init__(
            shape[:-1], component_distribution.event_shape, validate_args=validate_args
        )

    mixture_distribution = property(
        lambda self: self._mixture_distribution, doc="What chooses a component."
    )
    component_distribution = property(
        lambda self: self._component_distribution, doc="The components, along the last batch dim."
    )

    @property
    def has_rsample(self) -> bool:  # type: ignore[override]
        """False: the choice of a component has no gradient."""
        return False

    @property
    def support(self) -> Any:
        return self._component_distribution.support

    def _weighted(self, value: Any) -> Any:
        probs = self._mixture_distribution.probs
        probs = probs.reshape(tuple(probs.shape) + (1,) * len(self._event_shape))
        return torch.sum(probs * value, dim=-1 - len(self._event_shape))

    def _spread(self, value: Any) -> Any:
        return value.unsqueeze(-1 - len(self._event_shape))

    @property
    def mean(self) -> Any:
        return self._weighted(self._component_distribution.mean)

    @property
    def variance(self) -> Any:
        inside = self._weighted(self._component_distribution.variance)
        away = self._component_distribution.mean - self._spread(self.mean)
        return inside + self._weighted(away.pow(2.0))

    def cdf(self, value: Any) -> Any:
        found = self._component_distribution.cdf(self._spread(value))
        return torch.sum(found * self._mixture_distribution.probs, dim=-1)

    def log_prob(self, value: Any) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        found = self._component_distribution.log_prob(self._spread(value))
        return logsumexp(found + torch.log_softmax(self._mixture_distribution.logits, dim=-1))

    def sample(self, sample_shape: Any = ()) -> Any:
        with torch.no_grad():
            at = len(sample_shape) + len(self._batch_shape)
            chosen = self._mixture_distribution.sample(sample_shape)
            samples = self._component_distribution.sample(sample_shape)
            event = tuple(self._event_shape)
            chosen = chosen.reshape(tuple(chosen.shape) + (1,) * (len(event) + 1))
            chosen = chosen.expand(tuple(chosen.shape[:at]) + (1, *event))
            shape = tuple(samples.shape)
            wide = chosen.expand((*shape[:at], 1, *event))
            return torch.gather(samples, at, wide).squeeze(at)

    def __repr__(self) -> str:
        return (
            f"MixtureSameFamily(\n  {self._mixture_distribution!r},\n"
            f"  {self._component_distribution!r})"
        )
