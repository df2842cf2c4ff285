"""Ready-made parametrizations (``torch.nn.utils.parametrizations``)."""

from __future__ import annotations

from typing import Any

import flambeau
from flambeau.nn import functional as F
from flambeau.nn.modules.module import Module
from flambeau.nn.utils import parametrize
from flambeau.nn.utils.norms import (
    flattened,
    norm_except,
    power_iterations,
    spectral_norm_of,
    weight_of,
)
from flambeau.nn.utils.spectral_norm import TRANSPOSED
from flambeau.tensor import Tensor

__all__ = ["orthogonal", "spectral_norm", "weight_norm"]


class _WeightNorm(Module):
    def __init__(self, dim: int | None = 0) -> None:
        super().__init__()
        self.dim = -1 if dim is None else dim

    def forward(self, weight_g: Tensor, weight_v: Tensor) -> Tensor:
        return weight_of(weight_v, weight_g, self.dim)

    def right_inverse(self, weight: Tensor) -> tuple[Tensor, Tensor]:
        return norm_except(weight, self.dim), weight


def weight_norm(module: Module, name: str = "weight", dim: int | None = 0) -> Module:
    """Train a weight's direction and norm apart (Salimans and Kingma, 2016).

    Args:
        module: whose weight.
        name: its name.
        dim: along which there is a norm each; None for one norm of all.

    Returns:
        ``module``; the norm is ``parametrizations.<name>.original0``, the direction ``original1``.

    Raises:
        ValueError: there is no such parameter or buffer.

    Source: Salimans and Kingma, Weight Normalization, 2016;
    https://docs.pytorch.org/docs/2.13/generated/torch.nn.utils.parametrizations.weight_norm.html
    """
    parametrize.register_parametrization(module, name, _WeightNorm(dim), unsafe=True)

    def load_old_names(
        state_dict: Any,
        prefix: str,
        local_metadata: Any,
        strict: bool,
        missing_keys: Any,
        unexpected_keys: Any,
        error_msgs: Any,
    ) -> None:
        size, direction = f"{prefix}{name}_g", f"{prefix}{name}_v"
        if size in state_dict and direction in state_dict:
            for i, key in enumerate((size, direction)):
                new = f"{prefix}parametrizations.{name}.original{i}"
                state_dict[new] = state_dict.pop(key)

    module._register_load_state_dict_pre_hook(load_old_names)
    return module


class _SpectralNorm(Module):
    def __init__(
        self, weight: Tensor, n_power_iterations: int = 1, dim: int = 0, eps: float = 1e-12
    ) -> None:
        super().__init__()
        n = weight.dim()
        if dim >= n or dim < -n:
            raise IndexError(
                f"Dimension out of range (expected to be in range of [-{n}, {n - 1}] but got {dim})"
            )
        if n_power_iterations <= 0:
            raise ValueError(
                "Expected n_power_iterations to be positive, but got "
                f"n_power_iterations={n_power_iterations}"
            )
        self.dim = dim if dim >= 0 else dim + n
        self.eps = eps
        if n > 1:
            self.n_power_iterations = n_power_iterations
            matrix = flattened(weight.detach(), self.dim)
            rows, columns = matrix.size()
            u = F.normalize(matrix.new_empty(rows).normal_(0, 1), dim=0, eps=eps)
            v = F.normalize(matrix.new_empty(columns).normal_(0, 1), dim=0, eps=eps)
            self.register_buffer("_u", u)
            self.register_buffer("_v", v)
            power_iterations(matrix, u, v, 15, eps)

    def forward(self, weight: Tensor) -> Tensor:
        if weight.dim() == 1:
            return F.normalize(weight, dim=0, eps=self.eps)
        matrix = flattened(weight, self.dim)
        u: Any = self._u
        v: Any = self._v
        if self.training:
            power_iterations(matrix.detach(), u, v, self.n_power_iterations, self.eps)
        return weight / spectral_norm_of(matrix, u.clone(), v.clone())

    def right_inverse(self, value: Tensor) -> Tensor:
        return value


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
        n_power_iterations: steps towards the singular value at every reading in training.
        eps: least norm that is divided by.
        dim: which dim counts the outputs (default: 0, of transposed convolutions 1).

    Returns:
        ``module``; the weight that is trained is ``parametrizations.<name>.original``.

    Raises:
        ValueError: there is no such parameter or buffer, or ``n_power_iterations`` is below 1.
        IndexError: there is no such ``dim``.

    Source: Miyato et al., Spectral Normalization for GANs, 2018;
    https://docs.pytorch.org/docs/2.13/generated/torch.nn.utils.parametrizations.spectral_norm.html
    """
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ValueError(f"Module '{module}' has no parameter or buffer with name '{name}'")
    if dim is None:
        dim = 1 if isinstance(module, TRANSPOSED) else 0
    made = _SpectralNorm(weight, n_power_iterations, dim, eps)
    return parametrize.register_parametrization(module, name, made)


class _Orthogonal(Module):
    """An orthogonal matrix from any matrix: by the exponential or the Cayley map."""

    def __init__(self, weight: Tensor, orthogonal_map: str) -> None:
        super().__init__()
        self.orthogonal_map = orthogonal_map
        with flambeau.no_grad():
            base = weight.detach()
            wide = base.shape[-2] < base.shape[-1]
            tall = base.mT if wide else base
            rows, columns = tall.shape[-2:]
            q, r = flambeau.linalg.qr(tall, mode="complete")
            signs = r.diagonal(dim1=-2, dim2=-1).sign()
            first = q[..., :columns] * signs.unsqueeze(-2)
            self.register_buffer("base", flambeau.cat([first, q[..., columns:]], -1))
        self.columns = columns

    def forward(self, X: Tensor) -> Tensor:
        wide = X.shape[-2] < X.shape[-1]
        tall = X.mT if wide else X
        rows, columns = tall.shape[-2:]
        lower = tall.tril(-1)
        if rows != columns:
            lower = flambeau.cat([lower, lower.new_zeros((*lower.shape[:-1], rows - columns))], -1)
        skew = lower - lower.mT
        if self.orthogonal_map == "matrix_exp":
            turned = flambeau.linalg.matrix_exp(skew)
        else:
            one = flambeau.eye(rows, dtype=skew.dtype)
            turned = flambeau.linalg.solve(one - skew / 2, one + skew / 2)
        base: Any = self.base
        result = base @ turned[..., : self.columns]
        return result.mT if wide else result

    def right_inverse(self, Q: Tensor) -> Tensor:
        with flambeau.no_grad():
            wide = Q.shape[-2] < Q.shape[-1]
            tall = Q.mT if wide else Q
            columns = tall.shape[-1]
            q, r = flambeau.linalg.qr(tall, mode="complete")
            signs = r.diagonal(dim1=-2, dim2=-1).sign()
            first = q[..., :columns] * signs.unsqueeze(-2)
            self.base = flambeau.cat([first, q[..., columns:]], -1)
            return flambeau.zeros_like(Q)


def orthogonal(
    module: Module,
    name: str = "weight",
    orthogonal_map: str | None = None,
    *,
    use_trivialization: bool = True,
) -> Module:
    """Keep a matrix orthogonal while it is trained (Lezcano-Casado, 2019).

    Args:
        module: whose matrix (or batch of them).
        name: its name.
        orthogonal_map: ``"matrix_exp"`` or ``"cayley"`` (default: the exponential).
        use_trivialization: has to be True here: maps are taken about the initial matrix.

    Returns:
        ``module``.

    Raises:
        ValueError: there is no such parameter or buffer, it is no matrix, or another map (also
            ``"householder"``, which PyTorch has) or ``use_trivialization=False`` is asked for.

    Source: Lezcano-Casado, Trivializations for Gradient-Based Optimization on Manifolds, 2019;
    https://docs.pytorch.org/docs/2.13/generated/torch.nn.utils.parametrizations.orthogonal.html
    """
    weight = getattr(module, name, None)
    if not isinstance(weight, Tensor):
        raise ValueError(f"Module '{module}' has no parameter or buffer with name '{name}'")
    if weight.ndim < 2:
        raise ValueError(f"Expected a matrix or batch of matrices. Got a tensor of {weight.ndim} "
                         "dimensions.")  # fmt: skip
    chosen = "matrix_exp" if orthogonal_map is None else orthogonal_map
    if chosen not in ("matrix_exp", "cayley", "householder"):
        raise ValueError(
            'orthogonal_map has to be one of "matrix_exp", "cayley", "householder". '
            f"Got: {orthogonal_map}"
        )
    if chosen == "householder" or not use_trivialization:
        raise ValueError(
            "orthogonal: only the maps 'matrix_exp' and 'cayley' with use_trivialization=True are "
            f"there, got {orthogonal_map!r} with use_trivialization={use_trivialization}"
        )
    return parametrize.register_parametrization(
        module, name, _Orthogonal(weight, chosen), unsafe=True
    )
