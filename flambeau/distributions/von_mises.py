"""The von Mises distribution, a normal distribution of angles.

Sources: Best and Fisher, "Efficient simulation of the von Mises distribution", Applied Statistics
28, 1979; Abramowitz and Stegun, Handbook of Mathematical Functions, 9.8.1 to 9.8.4.

Source: https://docs.pytorch.org/docs/stable/distributions.html
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

import flambeau as torch
from flambeau.ops.array_calls import draw_on_arrays
from flambeau.random import Generator
from flambeau.random.sampling import uniform

from . import constraints
from .distribution import Distribution
from .numerics import are_numbers, broadcast_all

_SMALL = (
    (1.0, 3.5156229, 3.0899424, 1.2067492, 0.2659732, 0.360768e-1, 0.45813e-2),
    (0.5, 0.87890594, 0.51498869, 0.15084934, 0.2658733e-1, 0.301532e-2, 0.32411e-3),
)
"""By order: the modified Bessel function below 3.75 (for order 1 divided by x), in (x / 3.75)^2."""

_LARGE = (
    (0.39894228, 0.1328592e-1, 0.225319e-2, -0.157565e-2, 0.916281e-2, -0.2057706e-1,
     0.2635537e-1, -0.1647633e-1, 0.392377e-2),
    (0.39894228, -0.3988024e-1, -0.362018e-2, 0.163801e-2, -0.1031555e-1, 0.2282967e-1,
     -0.2895312e-1, 0.1787654e-1, -0.420059e-2),
)  # fmt: skip
"""By order: sqrt(x) exp(-x) times the function above 3.75, in 3.75 / x."""


def _polynomial(x: Any, coefficients: tuple[float, ...]) -> Any:
    result: Any = 0.0
    for coefficient in reversed(coefficients):
        result = coefficient + x * result
    return result


def log_bessel(x: Any, order: int) -> Any:
    """The logarithm of the modified Bessel function of the first kind of order 0 or 1."""
    small = _polynomial((x / 3.75).pow(2), _SMALL[order])
    if order == 1:
        small = x.abs() * small
    large = x - 0.5 * x.log() + _polynomial(3.75 / x, _LARGE[order]).log()
    return torch.where(x < 3.75, small.log(), large)


class VonMises(Distribution):
    """Angles (radians) about ``loc``, the nearer the larger ``concentration``.

    Samples are drawn in float64, as in PyTorch.

    Args:
        loc: the mean angle (*batch), in radians.
        concentration: one over the variance, of narrow distributions (*batch), positive.
        validate_args: whether to check parameters and values; by default yes.

    Raises:
        ValueError: a parameter or, later, a value outside of what it may be, if that is checked.
    """

    arg_constraints = {"loc": constraints.real, "concentration": constraints.positive}
    support = constraints.real  # type: ignore[assignment]
    _batched = ("loc", "concentration")

    def __init__(self, loc: Any, concentration: Any, validate_args: bool | None = None) -> None:
        self.loc, self.concentration = broadcast_all(loc, concentration)
        shape = () if are_numbers(loc, concentration) else self.loc.size()
        super().__init__(shape, validate_args=validate_args)

    def log_prob(self, value: Any) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        found = self.concentration * torch.cos(value - self.loc)
        return found - math.log(2 * math.pi) - log_bessel(self.concentration, 0)

    def sample(self, sample_shape: Any = ()) -> Any:
        with torch.no_grad():
            shape = self._extended_shape(sample_shape)
            loc, kappa = self.loc.double(), self.concentration.double()
            tau = 1 + (1 + 4 * kappa**2).sqrt()
            rho = (tau - (2 * tau).sqrt()) / (2 * kappa)
            exact = (1 + rho**2) / (2 * rho)
            radius = torch.where(kappa < 1e-5, 1 / kappa + kappa, exact)
            kind = (tuple(shape), np.float64)
            (angles,) = draw_on_arrays(
                _angles, "VonMises.sample()", (kappa, radius), kind, shape=tuple(shape)
            )
            turned = (angles + math.pi + loc) % (2 * math.pi) - math.pi
            return turned.to(self.loc.dtype)

    @property
    def mean(self) -> Any:
        """The mean direction."""
        return self.loc

    @property
    def mode(self) -> Any:
        return self.loc

    @property
    def variance(self) -> Any:
        """The circular variance."""
        ratio = log_bessel(self.concentration, 1) - log_bessel(self.concentration, 0)
        return 1 - ratio.exp()


__all__ = ["VonMises"]


def _angles(
    generator: Generator, kappa: np.ndarray, radius: np.ndarray, shape: tuple[int, ...]
) -> np.ndarray:
    """Angles about 0, drawn again until all are accepted."""
    angles = np.empty(shape)
    done = np.zeros(shape, bool)
    while not done.all():
        u1, u2, u3 = uniform(generator, (3, *shape), np.dtype(np.float64))
        z = np.cos(math.pi * u1)
        f = (1 + radius * z) / (radius + z)
        c = kappa * (radius - f)
        with np.errstate(all="ignore"):
            accepted = ((c * (2 - c) - u2) > 0) | (np.log(c / u2) + 1 - c >= 0)
            angles = np.where(accepted, np.sign(u3 - 0.5) * np.arccos(f), angles)
        done |= accepted
    return angles
