"""Transforms of several dims or parts at once, and those of matrices.

Source: https://docs.pytorch.org/docs/stable/distributions.html#module-torch.distributions.transforms
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import flambeau as torch

from . import constraints
from .numerics import sum_rightmost
from .transforms import LowerCholeskyTransform, Transform


class AbsTransform(Transform):
    """y = |x|; not one to one.

    Args:
        cache_size: 1 to keep the latest pair x, y; 0 not to.
    """

    codomain = constraints.positive

    def _call(self, x: Any) -> Any:
        return x.abs()

    def _inverse(self, y: Any) -> Any:
        return y


class CumulativeDistributionTransform(Transform):
    """y = distribution.cdf(x), which makes its samples uniform.

    Args:
        distribution: one with ``cdf`` and ``icdf``.
        cache_size: 1 to keep the latest pair x, y; 0 not to.
    """

    bijective = True
    codomain = constraints.unit_interval
    sign = 1  # type: ignore[assignment]

    def __init__(self, distribution: Any, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.distribution = distribution

    @property
    def domain(self) -> Any:  # type: ignore[override]
        """The distribution's support."""
        return self.distribution.support

    def _call(self, x: Any) -> Any:
        return self.distribution.cdf(x)

    def _inverse(self, y: Any) -> Any:
        return self.distribution.icdf(y)

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        return self.distribution.log_prob(x)


class IndependentTransform(Transform):
    """A transform whose last ``reinterpreted_batch_ndims`` dims count as part of one value.

    Args:
        base_transform: the transform.
        reinterpreted_batch_ndims: how many further dims.
        cache_size: 1 to keep the latest pair x, y; 0 not to.

    Raises:
        ValueError: when called with fewer dims.
    """

    def __init__(
        self, base_transform: Transform, reinterpreted_batch_ndims: int, cache_size: int = 0
    ) -> None:
        super().__init__(cache_size)
        self.base_transform = base_transform
        self.reinterpreted_batch_ndims = reinterpreted_batch_ndims
        self.bijective = base_transform.bijective
        n = reinterpreted_batch_ndims
        self.domain = constraints.independent(base_transform.domain, n)
        self.codomain = constraints.independent(base_transform.codomain, n)

    @property
    def sign(self) -> Any:
        return self.base_transform.sign

    def _call(self, x: Any) -> Any:
        if x.dim() < self.domain.event_dim:
            raise ValueError("Too few dimensions on input")
        return self.base_transform(x)

    def _inverse(self, y: Any) -> Any:
        if y.dim() < self.codomain.event_dim:
            raise ValueError("Too few dimensions on input")
        return self.base_transform.inv(y)

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        found = self.base_transform.log_abs_det_jacobian(x, y)
        return sum_rightmost(found, self.reinterpreted_batch_ndims)

    def forward_shape(self, shape: Any) -> Any:
        return self.base_transform.forward_shape(shape)

    def inverse_shape(self, shape: Any) -> Any:
        return self.base_transform.inverse_shape(shape)

    def __repr__(self) -> str:
        return f"IndependentTransform({self.base_transform!r}, {self.reinterpreted_batch_ndims})"


class ReshapeTransform(Transform):
    """The last dims, of ``in_shape``, as ``out_shape``.

    Args:
        in_shape, out_shape: of equally many elements.
        cache_size: 1 to keep the latest pair x, y; 0 not to.

    Raises:
        ValueError: they are not, or (when called) the last dims are others.
    """

    bijective = True

    def __init__(self, in_shape: Any, out_shape: Any, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.in_shape, self.out_shape = torch.Size(in_shape), torch.Size(out_shape)
        if self.in_shape.numel() != self.out_shape.numel():
            raise ValueError("in_shape, out_shape have different numbers of elements")
        self.domain = constraints.independent(constraints.real, len(self.in_shape))
        self.codomain = constraints.independent(constraints.real, len(self.out_shape))

    @staticmethod
    def _swapped(shape: Any, old: Any, new: Any) -> tuple[int, ...]:
        if len(shape) < len(old):
            raise ValueError("Too few dimensions on input")
        cut = len(shape) - len(old)
        if tuple(shape[cut:]) != tuple(old):
            raise ValueError(f"Shape mismatch: expected {tuple(shape[cut:])} but got {old}")
        return tuple(shape[:cut]) + tuple(new)

    def _call(self, x: Any) -> Any:
        return x.reshape(self._swapped(x.shape, self.in_shape, self.out_shape))

    def _inverse(self, y: Any) -> Any:
        return y.reshape(self._swapped(y.shape, self.out_shape, self.in_shape))

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        return x.new_zeros(tuple(x.shape[: x.dim() - len(self.in_shape)]))

    def forward_shape(self, shape: Any) -> Any:
        return self._swapped(shape, self.in_shape, self.out_shape)

    def inverse_shape(self, shape: Any) -> Any:
        return self._swapped(shape, self.out_shape, self.in_shape)


class _Parts(Transform):
    """Transforms of the parts of a tensor along ``dim``."""

    transforms: list[Transform]
    dim: int

    def _split(self, x: Any) -> list[Any]:
        raise NotImplementedError

    def _join(self, parts: list[Any]) -> Any:
        raise NotImplementedError

    @property
    def event_dim(self) -> int:
        return max(t.event_dim for t in self.transforms)

    @property
    def bijective(self) -> bool:  # type: ignore[override]
        """Whether all the transforms are."""
        return all(t.bijective for t in self.transforms)

    def _call(self, x: Any) -> Any:
        return self._join([t(part) for t, part in zip(self.transforms, self._split(x))])

    def _inverse(self, y: Any) -> Any:
        return self._join([t.inv(part) for t, part in zip(self.transforms, self._split(y))])


class CatTransform(_Parts):
    """Transforms of slices, ``lengths`` long, along ``dim``, each with its own.

    Args:
        tseq: the transforms.
        dim: along which the slices lie.
        lengths: how long they are; None: 1 each.
        cache_size: 1 to keep the latest pair x, y; 0 not to.
    """

    def __init__(
        self, tseq: Sequence[Transform], dim: int = 0, lengths: Any = None, cache_size: int = 0
    ) -> None:
        super().__init__(cache_size)
        self.transforms = list(tseq)
        self.lengths = [1] * len(self.transforms) if lengths is None else list(lengths)
        self.dim = dim
        self.domain = constraints.cat([t.domain for t in self.transforms], dim, self.lengths)
        self.codomain = constraints.cat([t.codomain for t in self.transforms], dim, self.lengths)

    @property
    def length(self) -> int:
        """The size along ``dim``."""
        return sum(self.lengths)

    def _split(self, x: Any) -> list[Any]:
        return list(x.split(self.lengths, self.dim))

    def _join(self, parts: list[Any]) -> Any:
        return torch.cat(parts, dim=self.dim)

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        found = []
        for transform, a, b in zip(self.transforms, self._split(x), self._split(y)):
            term = transform.log_abs_det_jacobian(a, b)
            found.append(sum_rightmost(term, self.event_dim - transform.event_dim))
        dim = self.dim if self.dim < 0 else self.dim - x.dim()
        dim = dim + self.event_dim
        return torch.cat(found, dim=dim) if dim < 0 else sum(found)


class StackTransform(_Parts):
    """Transforms of the entries along ``dim``, each with its own.

    Args:
        tseq: the transforms.
        dim: along which the entries lie.
        cache_size: 1 to keep the latest pair x, y; 0 not to.
    """

    def __init__(self, tseq: Sequence[Transform], dim: int = 0, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.transforms, self.dim = list(tseq), dim
        self.domain = constraints.stack([t.domain for t in self.transforms], dim)
        self.codomain = constraints.stack([t.codomain for t in self.transforms], dim)

    def _split(self, x: Any) -> list[Any]:
        return list(x.unbind(self.dim))

    def _join(self, parts: list[Any]) -> Any:
        return torch.stack(parts, dim=self.dim)

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        terms = [
            t.log_abs_det_jacobian(a, b)
            for t, a, b in zip(self.transforms, self._split(x), self._split(y))
        ]
        return torch.stack(terms, dim=self.dim)


class PositiveDefiniteTransform(Transform):
    """From any square matrix to a positive-definite one.

    Args:
        cache_size: 1 to keep the latest pair x, y; 0 not to.
    """

    domain = constraints.independent(constraints.real, 2)
    codomain = constraints.positive_definite

    def _call(self, x: Any) -> Any:
        lower = LowerCholeskyTransform()(x)
        return lower @ lower.mT

    def _inverse(self, y: Any) -> Any:
        return LowerCholeskyTransform().inv(torch.linalg.cholesky(y))


class CorrCholeskyTransform(Transform):
    """From n (n - 1) / 2 real numbers to the Cholesky factor of an n by n correlation matrix.

    Source: Stan Reference Manual, "Cholesky factors of correlation matrices": partial correlations
    tanh(x), each row's squares adding up to 1.

    Args:
        cache_size: 1 to keep the latest pair x, y; 0 not to.
    """

    bijective = True
    domain = constraints.real_vector
    codomain = constraints.corr_cholesky

    @staticmethod
    def _lower(x: Any, size: int) -> Any:
        rows, columns = torch.tril_indices(size, size, -1)
        made = x.new_zeros((*x.shape[:-1], size, size))
        flat = made.reshape((*x.shape[:-1], size * size))
        filled = flat.index_copy(x.dim() - 1, rows * size + columns, x)
        return filled.reshape((*x.shape[:-1], size, size))

    def _call(self, x: Any) -> Any:
        eps = torch.finfo(x.dtype).eps
        z = torch.tanh(x).clamp(min=-1 + eps, max=1 - eps)
        size = round((0.25 + 2 * z.shape[-1]) ** 0.5 + 0.5)
        lower = self._lower(z, size)
        left = (1 - lower**2).sqrt().cumprod(-1)
        lower = lower + torch.eye(size, dtype=x.dtype)
        return lower * torch.nn.functional.pad(left[..., :-1], [1, 0], value=1)

    def _inverse(self, y: Any) -> Any:
        left = 1 - torch.cumsum(y * y, dim=-1)
        left = torch.nn.functional.pad(left[..., :-1], [1, 0], value=1)
        size = y.shape[-1]
        rows, columns = torch.tril_indices(size, size, -1)
        entries, remaining = y[..., rows, columns], left[..., rows, columns]
        t = entries / remaining.sqrt()
        return (t.log1p() - t.neg().log1p()) / 2

    def log_abs_det_jacobian(self, x: Any, y: Any, intermediates: Any = None) -> Any:
        """log |det dy/dx| of ``y``, the transform of ``x``.

        Args:
            x: ``(*, n (n - 1) / 2)``.
            y: ``(*, n, n)``.
            intermediates: not needed; taken as in PyTorch.

        Returns:
            ``(*)``.
        """
        left = 1 - (y * y).cumsum(dim=-1)
        size = y.shape[-1]
        rows, columns = torch.tril_indices(size - 1, size - 1, -1)
        inner = left[..., 1:, :-1][..., rows, columns] if size > 2 else left.new_zeros((0,))
        stick = 0.5 * inner.log().sum(-1)
        softplus = torch.nn.functional.softplus
        slopes = -2 * (x + softplus(-2 * x) - math.log(2.0)).sum(dim=-1)
        return stick + slopes

    def forward_shape(self, shape: Any) -> Any:
        """``(*, n (n - 1) / 2)`` to ``(*, n, n)``: the shape of the transform of something of
        ``shape``.

        Raises:
            ValueError: the last size is of no n, or there is none.
        """
        if len(shape) < 1:
            raise ValueError("Too few dimensions on input")
        n = shape[-1]
        size = round((0.25 + 2 * n) ** 0.5 + 0.5)
        if size * (size - 1) // 2 != n:
            raise ValueError("Input is not a flattened lower-diagonal number")
        return tuple(shape[:-1]) + (size, size)

    def inverse_shape(self, shape: Any) -> Any:
        """``(*, n, n)`` to ``(*, n (n - 1) / 2)``: the shape of what is transformed to ``shape``.

        Raises:
            ValueError: it is not that of square matrices.
        """
        if len(shape) < 2:
            raise ValueError("Too few dimensions on input")
        if shape[-2] != shape[-1]:
            raise ValueError("Input is not square")
        return tuple(shape[:-2]) + (shape[-1] * (shape[-1] - 1) // 2,)


__all__ = [
    "AbsTransform", "CatTransform", "CorrCholeskyTransform", "CumulativeDistributionTransform",
    "IndependentTransform", "PositiveDefiniteTransform", "ReshapeTransform", "StackTransform",
]  # fmt: skip
