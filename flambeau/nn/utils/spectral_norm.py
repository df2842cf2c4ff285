"""Weights divided by their largest singular value, by a hook (``torch.nn.utils``)."""

from __future__ import annotations

from typing import Any

import flambeau
from flambeau.nn import functional as F
from flambeau.nn.modules.conv import ConvTranspose1d, ConvTranspose2d, ConvTranspose3d
from flambeau.nn.modules.module import Module
from flambeau.nn.parameter import Parameter
from flambeau.nn.utils.norms import flattened, power_iterations, spectral_norm_of

__all__ = ["SpectralNorm", "remove_spectral_norm", "spectral_norm"]

TRANSPOSED = (ConvTranspose1d, ConvTranspose2d, ConvTranspose3d)


class SpectralNorm:
    """The hook that computes the weight before each call.

    Args:
        name, n_power_iterations, dim, eps: as for :func:`spectral_norm`.

    Raises:
        ValueError: ``n_power_iterations`` is below 1.
    """

    def __init__(
        self,
        name: str = "weight",
        n_power_iterations: int = 1,
        dim: int = 0,
        eps: float = 1e-12,
    ) -> None:
        if n_power_iterations <= 0:
            raise ValueError(
                "Expected n_power_iterations to be positive, but got "
                f"n_power_iterations={n_power_iterations}"
            )
        self.name = name
        self.dim = dim
        self.n_power_iterations = n_power_iterations
        self.eps = eps

    def compute_weight(self, module: Module, do_power_iteration: bool) -> Any:
        """The weight of ``module`` divided by its norm, after more iterations if
        ``do_power_iteration``.
        """
        weight = getattr(module, self.name + "_orig")
        u, v = getattr(module, self.name + "_u"), getattr(module, self.name + "_v")
        matrix = flattened(weight, self.dim)
        if do_power_iteration:
            power_iterations(matrix.t(), v, u, self.n_power_iterations, self.eps)
            u, v = u.clone(), v.clone()
        return weight / spectral_norm_of(matrix, u, v)

    def remove(self, module: Module) -> None:
        """Make the weight of ``module`` an ordinary parameter again."""
        with flambeau.no_grad():
            weight = self.compute_weight(module, do_power_iteration=False)
        delattr(module, self.name)
        for suffix in ("_u", "_v", "_orig"):
            delattr(module, self.name + suffix)
        module.register_parameter(self.name, Parameter(weight.detach()))

    def __call__(self, module: Module, inputs: Any) -> None:
        weight = self.compute_weight(module, do_power_iteration=module.training)
        setattr(module, self.name, weight)


def spectral_norm(
    module: Module,
    name: str = "weight",
    n_power_iterations: int = 1,
    eps: float = 1e-12,
    dim: int | None = None,
) -> Module:
    """Divide a weight by its largest singular value (Miyato et al., 2018).

    Args:
        module: whose weight.
        name: its name.
        n_power_iterations: steps towards the singular value at every call in training.
        eps: least norm that is divided by.
        dim: which dim counts the outputs (default: 0, of transposed convolutions 1).

    Returns:
        ``module``, with the parameter ``<name>_orig`` and buffers ``<name>_u``, ``<name>_v``.

    Raises:
        RuntimeError: it is done already.
        ValueError: ``n_power_iterations`` is below 1, or the parameter is None.
        KeyError: there is no such parameter.

    Source: Miyato et al., Spectral Normalization for GANs, 2018;
    https://docs.pytorch.org/docs/2.13/generated/torch.nn.utils.spectral_norm.html
    """
    if dim is None:
        dim = 1 if isinstance(module, TRANSPOSED) else 0
    for hook in module._forward_pre_hooks.values():
        if isinstance(hook, SpectralNorm) and hook.name == name:
            raise RuntimeError(
                f"Cannot register two spectral_norm hooks on the same parameter {name}"
            )
    hook = SpectralNorm(name, n_power_iterations, dim, eps)
    weight: Any = module._parameters[name]
    if weight is None:
        raise ValueError(f"`SpectralNorm` cannot be applied as parameter `{name}` is None")
    with flambeau.no_grad():
        matrix = flattened(weight, dim)
        rows, columns = matrix.size()
        u = F.normalize(weight.new_empty(rows).normal_(0, 1), dim=0, eps=eps)
        v = F.normalize(weight.new_empty(columns).normal_(0, 1), dim=0, eps=eps)
    delattr(module, name)
    module.register_parameter(name + "_orig", weight)
    setattr(module, name, weight.data)
    module.register_buffer(name + "_u", u)
    module.register_buffer(name + "_v", v)
    module.register_forward_pre_hook(hook)
    return module


def remove_spectral_norm(module: Module, name: str = "weight") -> Module:
    """Undo :func:`spectral_norm` of the weight ``name`` of ``module``.

    Returns:
        ``module``.

    Raises:
        ValueError: there was none.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.utils.remove_spectral_norm.html
    """
    for key, hook in module._forward_pre_hooks.items():
        if isinstance(hook, SpectralNorm) and hook.name == name:
            hook.remove(module)
            del module._forward_pre_hooks[key]
            return module
    raise ValueError(f"spectral_norm of '{name}' not found in {module}")
