"""Weights as a direction and a norm, by a hook (``torch.nn.utils.weight_norm``)."""

from __future__ import annotations

import warnings
from typing import Any

from flambeau.nn.modules.module import Module
from flambeau.nn.parameter import Parameter
from flambeau.nn.utils.norms import norm_except, weight_of

__all__ = ["WeightNorm", "remove_weight_norm", "weight_norm"]


class WeightNorm:
    """The hook that computes the weight before each call.

    Args:
        name: of the weight.
        dim: along which there is a norm each; None for one norm of all.
    """

    def __init__(self, name: str, dim: int | None) -> None:
        self.name = name
        self.dim = -1 if dim is None else dim

    def compute_weight(self, module: Module) -> Any:
        """The weight that ``module``'s direction and norm make."""
        size = getattr(module, self.name + "_g")
        return weight_of(getattr(module, self.name + "_v"), size, self.dim)

    def remove(self, module: Module) -> None:
        """Make the weight of ``module`` an ordinary parameter again."""
        weight = self.compute_weight(module)
        delattr(module, self.name)
        del module._parameters[self.name + "_g"]
        del module._parameters[self.name + "_v"]
        setattr(module, self.name, Parameter(weight.data))

    def __call__(self, module: Module, inputs: Any) -> None:
        setattr(module, self.name, self.compute_weight(module))


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Train a weight's direction and norm apart (Salimans and Kingma, 2016).

    Args:
        module: whose weight.
        name: its name.
        dim: along which there is a norm each; None for one norm of all.

    Returns:
        ``module``, with the parameters ``<name>_g`` and ``<name>_v`` instead.

    Raises:
        RuntimeError: it is done already.

    Source: Salimans and Kingma, Weight Normalization, 2016;
    https://docs.pytorch.org/docs/2.13/generated/torch.nn.utils.weight_norm.html
    """
    warnings.warn(
        "`torch.nn.utils.weight_norm` is deprecated in favor of "
        "`torch.nn.utils.parametrizations.weight_norm`.",
        FutureWarning,
        stacklevel=2,
    )
    for hook in module._forward_pre_hooks.values():
        if isinstance(hook, WeightNorm) and hook.name == name:
            raise RuntimeError(
                f"Cannot register two weight_norm hooks on the same parameter {name}"
            )
    hook = WeightNorm(name, dim)
    weight: Any = getattr(module, name)
    del module._parameters[name]
    module.register_parameter(name + "_g", Parameter(norm_except(weight, hook.dim).data))
    module.register_parameter(name + "_v", Parameter(weight.data))
    setattr(module, name, hook.compute_weight(module))
    module.register_forward_pre_hook(hook)
    return module


def remove_weight_norm(module: Module, name: str = "weight") -> Module:
    """Undo :func:`weight_norm` of the weight ``name`` of ``module``.

    Returns:
        ``module``.

    Raises:
        ValueError: there was none.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.utils.remove_weight_norm.html
    """
    for key, hook in module._forward_pre_hooks.items():
        if isinstance(hook, WeightNorm) and hook.name == name:
            hook.remove(module)
            del module._forward_pre_hooks[key]
            return module
    raise ValueError(f"weight_norm of '{name}' not found in {module}")
