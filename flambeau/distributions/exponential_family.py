"""Exponential families: entropy and divergence from the normalizer's derivatives.

Source: Nielsen and Nock, "Entropies and cross-entropies of exponential families", ICIP 2010.
"""

from __future__ import annotations

from typing import Any

import flambeau as torch

from .distribution import Distribution


class ExponentialFamily(Distribution):
    """A distribution of density ``exp(t(x) . natural - normalizer(natural) + carrier(x))``.

    A subclass gives ``_natural_params``, ``_log_normalizer`` and ``_mean_carrier_measure``, and has
    an entropy from them.

    Args:
        batch_shape, event_shape, validate_args: as for :class:`Distribution`.
    """

    @property
    def _natural_params(self) -> tuple[Any, ...]:
        raise NotImplementedError

    def _log_normalizer(self, *natural_params: Any) -> Any:
        raise NotImplementedError

    @property
    def _mean_carrier_measure(self) -> Any:
        raise NotImplementedError

    def entropy(self) -> Any:
        """The entropy, by the derivative of the normalizer, a Bregman divergence.

        Returns:
            ``batch_shape``.
        """
        natural = [p.detach().requires_grad_() for p in self._natural_params]
        normalizer = self._log_normalizer(*natural)
        slopes = torch.autograd.grad(normalizer.sum(), natural, create_graph=True)
        result = normalizer - self._mean_carrier_measure
        for parameter, slope in zip(natural, slopes):
            part = parameter * slope
            result = result - part.reshape(tuple(self._batch_shape) + (-1,)).sum(-1)
        return result
