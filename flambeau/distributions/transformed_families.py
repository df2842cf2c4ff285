"""Families that are transforms of simpler ones.

Source: https://docs.pytorch.org/docs/stable/distributions.html
"""

from __future__ import annotations

import math
from typing import Any

import flambeau as torch

from . import constraints
from .combined import TransformedDistribution
from .continuous import Exponential, Normal, Uniform
from .gamma_family import Gamma
from .numerics import broadcast_all, log_beta
from .transforms import (
    AffineTransform,
    ExpTransform,
    PowerTransform,
    StickBreakingTransform,
    Transform,
)

_EULER = 0.57721566490153286060


class _Family(TransformedDistribution):
    """One that its named parameters define."""

    _own: tuple[str, ...] = ()
    """The parameters that are attributes of the instance."""

    def _build(self) -> tuple[Any, list[Transform]]:
        """The base distribution and the transforms of the parameters set before."""
        raise NotImplementedError

    def _start(self, validate_args: bool | None) -> None:
        base, transforms = self._build()
        if validate_args is not None:
            base._validate_args = validate_args
        super().__init__(base, transforms, validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        new = self._new(type(self), _instance)
        for name in self._own:
            setattr(new, name, getattr(self, name).expand(batch_shape))
        new._validate_args = self._validate_args
        base, transforms = new._build()
        TransformedDistribution.__init__(new, base, transforms, validate_args=False)
        new._validate_args = self._validate_args
        return new

    def __repr__(self) -> str:
        return super(TransformedDistribution, self).__repr__()


class Weibull(_Family):
    """The Weibull distribution of times to failure.

    Args:
        scale: the time after which a share of 1 / e is left (*batch), positive.
        concentration: the shape (*batch), positive; 1 is exponential.
        validate_args: whether to check parameters and values; by default yes.

    Raises:
        ValueError: a parameter or, later, a value outside of what it may be, if that is checked.
    """

    arg_constraints = {"scale": constraints.positive, "concentration": constraints.positive}
    support = constraints.positive  # type: ignore[assignment]
    _own = ("scale", "concentration")

    def __init__(self, scale: Any, concentration: Any, validate_args: bool | None = None) -> None:
        self.scale, self.concentration = broadcast_all(scale, concentration)
        self._start(validate_args)

    def _build(self) -> tuple[Any, list[Transform]]:
        self.concentration_reciprocal = self.concentration.reciprocal()
        base = Exponential(torch.ones_like(self.scale), validate_args=False)
        power = PowerTransform(exponent=self.concentration_reciprocal)
        return base, [power, AffineTransform(loc=0, scale=self.scale)]

    @property
    def mean(self) -> Any:
        return self.scale * torch.exp(torch.lgamma(1 + self.concentration_reciprocal))

    @property
    def mode(self) -> Any:
        inverse = self.concentration_reciprocal
        power = (self.concentration - 1) / self.concentration
        return self.scale * power**inverse

    @property
    def variance(self) -> Any:
        inverse = self.concentration_reciprocal
        second = torch.exp(torch.lgamma(1 + 2 * inverse))
        return self.scale.pow(2) * (second - torch.exp(2 * torch.lgamma(1 + inverse)))

    def entropy(self) -> Any:
        inverse = self.concentration_reciprocal
        return _EULER * (1 - inverse) + torch.log(self.scale * inverse) + 1


class Pareto(_Family):
    """The Pareto distribution of numbers from ``scale`` on.

    Args:
        scale: the least value (*batch), positive.
        alpha: the tail's exponent (*batch), positive.
        validate_args: whether to check parameters and values; by default yes.

    Raises:
        ValueError: a parameter or, later, a value outside of what it may be, if that is checked.
    """

    arg_constraints = {"alpha": constraints.positive, "scale": constraints.positive}
    _own = ("scale", "alpha")

    def __init__(self, scale: Any, alpha: Any, validate_args: bool | None = None) -> None:
        self.scale, self.alpha = broadcast_all(scale, alpha)
        self._start(validate_args)

    def _build(self) -> tuple[Any, list[Transform]]:
        base = Exponential(self.alpha, validate_args=False)
        return base, [ExpTransform(), AffineTransform(loc=0, scale=self.scale)]

    @constraints.dependent_property(is_discrete=False, event_dim=0)
    def support(self) -> Any:
        return constraints.greater_than_eq(self.scale)

    @property
    def mean(self) -> Any:
        alpha = self.alpha.clamp(min=1)
        return alpha * self.scale / (alpha - 1)

    @property
    def mode(self) -> Any:
        return self.scale

    @property
    def variance(self) -> Any:
        alpha = self.alpha.clamp(min=2)
        return self.scale.pow(2) * alpha / ((alpha - 1).pow(2) * (alpha - 2))

    def entropy(self) -> Any:
        return (self.scale / self.alpha).log() + (1 + self.alpha.reciprocal())


class InverseGamma(_Family):
    """The distribution of the reciprocals of gamma numbers.

    Args:
        concentration: the gamma distribution's shape (*batch), positive.
        rate: the gamma distribution's rate (*batch), positive.
        validate_args: whether to check parameters and values; by default yes.

    Raises:
        ValueError: a parameter or, later, a value outside of what it may be, if that is checked.
    """

    arg_constraints = {"concentration": constraints.positive, "rate": constraints.positive}
    support = constraints.positive  # type: ignore[assignment]

    def __init__(self, concentration: Any, rate: Any, validate_args: bool | None = None) -> None:
        self._gamma = Gamma(concentration, rate, validate_args=validate_args)
        self._start(validate_args)

    def _build(self) -> tuple[Any, list[Transform]]:
        gamma = self._gamma
        exponent = torch.tensor(-1.0, dtype=gamma.rate.dtype)
        return gamma, [PowerTransform(exponent)]

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        new = self._new(InverseGamma, _instance)
        new._gamma = self._gamma.expand(batch_shape)
        return super().expand(batch_shape, _instance=new)

    @property
    def concentration(self) -> Any:
        """The gamma distribution's concentration."""
        return self.base_dist.concentration

    @property
    def rate(self) -> Any:
        """The gamma distribution's rate."""
        return self.base_dist.rate

    @property
    def mean(self) -> Any:
        finite = self.rate / (self.concentration - 1)
        return torch.where(self.concentration > 1, finite, torch.inf)

    @property
    def mode(self) -> Any:
        return self.rate / (self.concentration + 1)

    @property
    def variance(self) -> Any:
        a = self.concentration
        finite = self.rate.square() / ((a - 1).square() * (a - 2))
        return torch.where(a > 2, finite, torch.inf)

    def entropy(self) -> Any:
        a = self.concentration
        return a + self.rate.log() + a.lgamma() - (1 + a) * a.digamma()


class Kumaraswamy(_Family):
    """A distribution on (0, 1) like the beta, of a distribution function in closed form.

    That is ``1 - (1 - x**concentration1)**concentration0``.

    Args:
        concentration1, concentration0: its exponents (*batch), positive.
        validate_args: whether to check parameters and values; by default yes.

    Raises:
        ValueError: a parameter or, later, a value outside of what it may be, if that is checked.
    """

    arg_constraints = {
        "concentration1": constraints.positive,
        "concentration0": constraints.positive,
    }
    support = constraints.unit_interval  # type: ignore[assignment]
    _own = ("concentration1", "concentration0")

    def __init__(
        self, concentration1: Any, concentration0: Any, validate_args: bool | None = None
    ) -> None:
        self.concentration1, self.concentration0 = broadcast_all(concentration1, concentration0)
        self._start(validate_args)

    def _build(self) -> tuple[Any, list[Transform]]:
        low = torch.full_like(self.concentration0, 0)
        base = Uniform(low, torch.full_like(low, 1), validate_args=False)
        return base, [
            PowerTransform(exponent=self.concentration0.reciprocal()),
            AffineTransform(loc=1.0, scale=-1.0),
            PowerTransform(exponent=self.concentration1.reciprocal()),
        ]

    def _moment(self, n: int) -> Any:
        part = 1 + n / self.concentration1
        return torch.exp(self.concentration0.log() + log_beta(part, self.concentration0))

    @property
    def mean(self) -> Any:
        return self._moment(1)

    @property
    def mode(self) -> Any:
        """The most probable value; nan where the density has none (PyTorch's is nan everywhere)."""
        a, b = self.concentration1, self.concentration0
        mode = ((a - 1) / (a * b - 1)).pow(1 / a)
        return torch.where((a < 1) | (b < 1), math.nan, mode)

    @property
    def variance(self) -> Any:
        return self._moment(2) - self._moment(1).pow(2)

    def entropy(self) -> Any:
        t1 = 1 - self.concentration1.reciprocal()
        t0 = 1 - self.concentration0.reciprocal()
        harmonic = torch.digamma(self.concentration0 + 1) + _EULER
        return t0 + t1 * harmonic - self.concentration1.log() - self.concentration0.log()


class LogisticNormal(_Family):
    """Shares (a point of the simplex) made of normal numbers by breaking parts off a stick.

    Args:
        loc: the normal numbers' means (*batch, shares - 1).
        scale: their standard deviations, of that shape, positive.
        validate_args: whether to check parameters and values; by default yes.

    Raises:
        ValueError: a parameter or, later, a value outside of what it may be, if that is checked.
    """

    arg_constraints = {"loc": constraints.real, "scale": constraints.positive}
    support = constraints.simplex  # type: ignore[assignment]

    def __init__(self, loc: Any, scale: Any, validate_args: bool | None = None) -> None:
        base = Normal(loc, scale, validate_args=validate_args)
        self._normal = base if base.batch_shape else base.expand((1,))
        self._start(validate_args)

    def _build(self) -> tuple[Any, list[Transform]]:
        return self._normal, [StickBreakingTransform()]

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        new = self._new(LogisticNormal, _instance)
        new._normal = self._normal.expand(tuple(batch_shape) + tuple(self._normal.batch_shape[-1:]))
        return super().expand(batch_shape, _instance=new)

    @property
    def loc(self) -> Any:
        """The normal numbers' means."""
        return self._normal.loc

    @property
    def scale(self) -> Any:
        """The normal numbers' standard deviations."""
        return self._normal.scale


__all__ = ["InverseGamma", "Kumaraswamy", "LogisticNormal", "Pareto", "Weibull"]
