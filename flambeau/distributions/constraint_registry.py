"""Which transform leads from all real numbers to those of a constraint.

Source: https://docs.pytorch.org/docs/stable/distributions.html#module-torch.distributions.constraint_registry
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from . import constraints, transforms
from .joint_transforms import (
    CatTransform,
    CorrCholeskyTransform,
    IndependentTransform,
    PositiveDefiniteTransform,
    StackTransform,
)


class ConstraintRegistry(constraints.Constraint):
    """Calling it with a constraint gives a transform from real numbers to it.

    Raises:
        NotImplementedError: when called with a constraint of a class that is not registered.
    """

    def __init__(self) -> None:
        self._registry: dict[type, Callable[[Any], transforms.Transform]] = {}

    def register(self, constraint: Any, factory: Any = None) -> Any:
        """Let a factory make the transforms to constraints of a class.

        Args:
            constraint: the class, or a constraint of it.
            factory: from a constraint to a transform; None: what is returned is a decorator of it.

        Returns:
            ``factory``, or the decorator.

        Raises:
            TypeError: ``constraint`` is neither a constraint nor a class of them.
        """
        if factory is None:
            return lambda given: self.register(constraint, given)
        if isinstance(constraint, constraints.Constraint):
            constraint = type(constraint)
        if not isinstance(constraint, type) or not issubclass(constraint, constraints.Constraint):
            raise TypeError(
                "Expected constraint to be either a Constraint subclass or instance, but got "
                f"{constraint}"
            )
        self._registry[constraint] = factory
        return factory

    def __call__(self, constraint: Any) -> transforms.Transform:
        try:
            factory = self._registry[type(constraint)]
        except KeyError:
            raise NotImplementedError(
                f"Cannot transform {type(constraint).__name__} constraints"
            ) from None
        return factory(constraint)


biject_to = ConstraintRegistry()
"""To each constraint a one to one transform, of a known Jacobian."""
transform_to = ConstraintRegistry()
"""To each constraint a transform for unconstrained optimization."""


def _register(registry: ConstraintRegistry) -> None:
    def real(constraint: Any) -> Any:
        return transforms.identity_transform

    def independent(constraint: Any) -> Any:
        base = registry(constraint.base_constraint)
        return IndependentTransform(base, constraint.reinterpreted_batch_ndims)

    def above(constraint: Any) -> Any:
        return transforms.ComposeTransform(
            [transforms.ExpTransform(), transforms.AffineTransform(constraint.lower_bound, 1)]
        )

    def below(constraint: Any) -> Any:
        return transforms.ComposeTransform(
            [transforms.ExpTransform(), transforms.AffineTransform(constraint.upper_bound, -1)]
        )

    def between(constraint: Any) -> Any:
        low, high = constraint.lower_bound, constraint.upper_bound
        if isinstance(low, (int, float)) and isinstance(high, (int, float)):
            if (low, high) == (0, 1):
                return transforms.SigmoidTransform()
        scale = transforms.AffineTransform(low, high - low)
        return transforms.ComposeTransform([transforms.SigmoidTransform(), scale])

    def concatenated(constraint: Any) -> Any:
        parts = [registry(c) for c in constraint.cseq]
        return CatTransform(parts, constraint.dim, constraint.lengths)

    def stacked(constraint: Any) -> Any:
        return StackTransform([registry(c) for c in constraint.cseq], constraint.dim)

    registry.register(constraints.real, real)
    registry.register(constraints.independent, independent)
    registry.register(constraints.greater_than, above)
    registry.register(constraints.greater_than_eq, above)
    registry.register(constraints.less_than, below)
    registry.register(constraints.interval, between)
    registry.register(constraints.half_open_interval, between)
    registry.register(constraints.corr_cholesky, lambda constraint: CorrCholeskyTransform())
    registry.register(constraints.cat, concatenated)
    registry.register(constraints.stack, stacked)


_register(biject_to)
_register(transform_to)
biject_to.register(constraints.simplex, lambda constraint: transforms.StickBreakingTransform())
transform_to.register(constraints.simplex, lambda constraint: transforms.SoftmaxTransform())
transform_to.register(
    constraints.lower_cholesky, lambda constraint: transforms.LowerCholeskyTransform()
)
for _constraint in (constraints.positive_definite, constraints.positive_semidefinite):
    transform_to.register(_constraint, lambda constraint: PositiveDefiniteTransform())

__all__ = ["ConstraintRegistry", "biject_to", "transform_to"]
