"""Running averages, as Adam and its family keep them."""

from __future__ import annotations

from typing import Any, ClassVar

from flambeau.optim.elementwise import ElementwiseOptimizer
from flambeau.optim.hyperparameter import hyperparameter, zeros

__all__ = ["MomentOptimizer", "lerp"]


def lerp(start: Any, end: Any, weight: Any, rest: Any, *, towards_end: bool) -> Any:
    """``start + weight * (end - start)``, exact at both ends.

    Args:
        start: the average so far.
        end: the new value.
        weight: the share of ``end``.
        rest: ``1 - weight``.
        towards_end: whether ``weight`` is a half or more: computed from ``end`` then, so that a
            weight of 1 gives ``end`` to the bit (as PyTorch's ``lerp`` does).

    Returns:
        Of the shape that ``start`` and ``end`` broadcast to.
    """
    if towards_end:
        return end - (end - start) * rest
    return start + weight * (end - start)


class MomentOptimizer(ElementwiseOptimizer):
    """An optimizer of Adam's family: a running average of the gradients and one of their sizes.

    Args:
        params, defaults: as for :class:`Optimizer`.

    Attributes:
        further_options: flags that its rule takes beside ``maximize``.
    """

    scalar_names: ClassVar[tuple[str, ...]] = ("lr", "beta1", "beta2", "eps", "weight_decay")
    further_options: ClassVar[tuple[str, ...]] = ()

    def array_states(self, group: dict[str, Any]) -> tuple[str, ...]:
        return ("exp_avg", "exp_avg_sq")

    def options(self, group: dict[str, Any]) -> dict[str, Any]:
        return {
            "maximize": group["maximize"],
            "beta1_is_small": bool(hyperparameter(group, "betas")[0] <= 0.5),
            **{name: group[name] for name in self.further_options},
            **zeros(group, "weight_decay"),
        }

    def scalars(self, group: dict[str, Any]) -> dict[str, Any]:
        beta1, beta2 = hyperparameter(group, "betas")
        return {
            "lr": hyperparameter(group, "lr"),
            "beta1": beta1,
            "beta2": beta2,
            "eps": hyperparameter(group, "eps"),
            "weight_decay": hyperparameter(group, "weight_decay"),
        }
