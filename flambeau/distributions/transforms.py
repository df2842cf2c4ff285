"""Invertible functions and the logarithms of their Jacobian determinants.

Source: https://docs.pytorch.org/docs/stable/distributions.html#module-torch.distributions.transforms
"""

from __future__ import annotations

import copy
import math
from collections.abc import Sequence
from typing import Any

import flambeau as torch

from . import constraints
from .numerics import sum_rightmost


def _same(one: Any, other: Any) -> bool:
    """Whether two transforms of one class have the same parameters."""
    for name, value in vars(one).items():
        if name in ("_cache_size", "_cached", "domain", "codomain"):
            continue
        its = vars(other).get(name)
        if isinstance(value, torch.Tensor) or isinstance(its, torch.Tensor):
            if not bool(torch.as_tensor(value == its).all()):
                return False
        elif value != its:
            return False
    return True


class Transform:
    """A function with an inverse and a known log |det dy/dx|.

    Args:
        cache_size: 1 to keep the latest pair x, y; 0 not to.

    Attributes:
        domain, codomain: the constraints of x and of y.
        bijective: whether it is one to one.

    Raises:
        ValueError: another ``cache_size``.
    """

    bijective = False
    domain: Any = constraints.real
    codomain: Any = constraints.real

    def __init__(self, cache_size: int = 0) -> None:
        if cache_size not in (0, 1):
            raise ValueError("cache_size must be 0 or 1")
        self._cache_size = cache_size
        self._cached: tuple[Any, Any] = (None, None)

    @property
    def event_dim(self) -> int:
        """How many of the last dims make up one value, where it is as many before as after.

        Raises:
            ValueError: it is not; ``domain.event_dim`` and ``codomain.event_dim`` say how many.
        """
        if self.domain.event_dim == self.codomain.event_dim:
            return self.domain.event_dim
        raise ValueError("Please use either .domain.event_dim or .codomain.event_dim")

    @property
    def inv(self) -> Transform:
        """The inverse."""
        return _InverseTransform(self)

    @property
    def sign(self) -> Any:
        """1 if increasing, -1 if decreasing.

        Raises:
            NotImplementedError: it is neither, or of several dims.
        """
        raise NotImplementedError

    def with_cache(self, cache_size: int = 1) -> Transform:
        """The same transform, which keeps its latest pair if ``cache_size`` is 1.

        Returns:
            A transform.
        """
        if self._cache_size == cache_size:
            return self
        new = copy.copy(self)
        new._cache_size, new._cached = cache_size, (None, None)
        return new

    def __call__(self, x: Any) -> Any:
        if self._cache_size and self._cached[0] is x:
            return self._cached[1]
        y = self._call(x)
        if self._cache_size:
            self._cached = x, y
        return y

    def _inv_call(self, y: Any) -> Any:
        if self._cache_size and self._cached[1] is y:
            return self._cached[0]
        x = self._inverse(y)
        if self._cache_size:
            self._cached = x, y
        return x

    def __eq__(self, other: object) -> bool:
        return self is other or (type(self) is type(other) and _same(self, other))

    __hash__ = object.__hash__

    def _call(self, x: Any) -> Any:
        raise NotImplementedError

    def _inverse(self, y: Any) -> Any:
        raise NotImplementedError

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        """log |det dy/dx| of y, the transform of x.

        Returns:
            The shape of ``x`` without the last ``event_dim`` dims.

        Raises:
            NotImplementedError: the transform has none.
        """
        raise NotImplementedError

    def forward_shape(self, shape: Any) -> Any:
        """The shape of the transform of something of ``shape``.

        Raises:
            ValueError: nothing of that shape can be transformed.
        """
        return shape

    def inverse_shape(self, shape: Any) -> Any:
        """The shape of what is transformed to ``shape``.

        Raises:
            ValueError: nothing is.
        """
        return shape

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class _InverseTransform(Transform):
    """The inverse of a transform."""

    def __init__(self, transform: Transform) -> None:
        super().__init__()
        self._transform = transform
        self.bijective = transform.bijective
        self.domain, self.codomain = transform.codomain, transform.domain

    @property
    def inv(self) -> Transform:
        return self._transform

    @property
    def sign(self) -> Any:
        return self._transform.sign

    def _call(self, x: Any) -> Any:
        return self._transform._inv_call(x)

    def _inverse(self, y: Any) -> Any:
        return self._transform(y)

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        return -self._transform.log_abs_det_jacobian(y, x)

    def forward_shape(self, shape: Any) -> Any:
        return self._transform.inverse_shape(shape)

    def inverse_shape(self, shape: Any) -> Any:
        return self._transform.forward_shape(shape)


def _with_dims(constraint: Any, dims: int) -> Any:
    """``constraint``, of events of ``dims`` dims."""
    lacking = dims - constraint.event_dim
    return constraints.independent(constraint, lacking) if lacking > 0 else constraint


class ComposeTransform(Transform):
    """Several transforms, one after the other.

    Args:
        parts: the transforms, the first one first.
        cache_size: 1 to keep the latest pair x, y; 0 not to.
    """

    def __init__(self, parts: Sequence[Transform], cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.parts = [p.with_cache(cache_size) for p in parts] if cache_size else list(parts)
        self.bijective = all(p.bijective for p in self.parts)

    @property
    def domain(self) -> Any:  # type: ignore[override]
        """What the first takes, with as many dims as any of the others makes of it needs."""
        if not self.parts:
            return constraints.real
        dims = self.parts[-1].codomain.event_dim
        for part in reversed(self.parts):
            dims = max(
                dims + part.domain.event_dim - part.codomain.event_dim, part.domain.event_dim
            )
        return _with_dims(self.parts[0].domain, dims)

    @property
    def codomain(self) -> Any:  # type: ignore[override]
        """What the last gives, with the dims that any of the others needs."""
        if not self.parts:
            return constraints.real
        dims = self.parts[0].domain.event_dim
        for part in self.parts:
            dims += part.codomain.event_dim - part.domain.event_dim
            dims = max(dims, part.codomain.event_dim)
        return _with_dims(self.parts[-1].codomain, dims)

    @property
    def inv(self) -> Transform:
        return ComposeTransform([p.inv for p in reversed(self.parts)])

    @property
    def sign(self) -> Any:
        sign: Any = 1
        for part in self.parts:
            sign = sign * part.sign
        return sign

    def _call(self, x: Any) -> Any:
        for part in self.parts:
            x = part(x)
        return x

    def _inverse(self, y: Any) -> Any:
        for part in reversed(self.parts):
            y = part._inv_call(y)
        return y

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        if not self.parts:
            return torch.zeros_like(x)
        total: Any = 0
        dims = self.domain.event_dim
        for part in self.parts:
            result = y if part is self.parts[-1] else part(x)
            term = part.log_abs_det_jacobian(x, result)
            total = total + sum_rightmost(term, dims - part.domain.event_dim)
            dims += part.codomain.event_dim - part.domain.event_dim
            x = result
        return total

    def __repr__(self) -> str:
        return "ComposeTransform(\n    " + ",\n    ".join(map(repr, self.parts)) + "\n)"

    def forward_shape(self, shape: Any) -> Any:
        for part in self.parts:
            shape = part.forward_shape(shape)
        return shape

    def inverse_shape(self, shape: Any) -> Any:
        for part in reversed(self.parts):
            shape = part.inverse_shape(shape)
        return shape


class ExpTransform(Transform):
    """y = exp(x).

    Args:
        cache_size: 1 to keep the latest pair x, y; 0 not to.
    """

    bijective = True
    codomain = constraints.positive
    sign = 1  # type: ignore[assignment]

    def _call(self, x: Any) -> Any:
        return x.exp()

    def _inverse(self, y: Any) -> Any:
        return y.log()

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        return x


class PowerTransform(Transform):
    """y = x ** exponent, of positive x.

    Args:
        exponent: a number or a tensor, not 0.
        cache_size: 1 to keep the latest pair x, y; 0 not to.
    """

    bijective = True
    domain = codomain = constraints.positive

    def __init__(self, exponent: Any, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.exponent = torch.as_tensor(exponent)

    @property
    def sign(self) -> Any:
        return self.exponent.sign()

    def _call(self, x: Any) -> Any:
        return x.pow(self.exponent)

    def _inverse(self, y: Any) -> Any:
        return y.pow(1 / self.exponent)

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        return (self.exponent * y / x).abs().log()

    def forward_shape(self, shape: Any) -> Any:
        return torch.broadcast_shapes(shape, self.exponent.shape)

    inverse_shape = forward_shape


class SigmoidTransform(Transform):
    """y = 1 / (1 + exp(-x)).

    Args:
        cache_size: 1 to keep the latest pair x, y; 0 not to.
    """

    bijective = True
    codomain = constraints.unit_interval
    sign = 1  # type: ignore[assignment]

    def _call(self, x: Any) -> Any:
        limits = torch.finfo(x.dtype)
        return torch.clamp(torch.sigmoid(x), min=limits.tiny, max=1.0 - limits.eps)

    def _inverse(self, y: Any) -> Any:
        limits = torch.finfo(y.dtype)
        y = y.clamp(min=limits.tiny, max=1.0 - limits.eps)
        return y.log() - (-y).log1p()

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        softplus = torch.nn.functional.softplus
        return -softplus(-x) - softplus(x)


class SoftplusTransform(Transform):
    """y = log(1 + exp(x)).

    Args:
        cache_size: 1 to keep the latest pair x, y; 0 not to.
    """

    bijective = True
    codomain = constraints.positive
    sign = 1  # type: ignore[assignment]

    def _call(self, x: Any) -> Any:
        return torch.nn.functional.softplus(x)

    def _inverse(self, y: Any) -> Any:
        return (-y).expm1().neg().log() + y

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        return -torch.nn.functional.softplus(-x)


class TanhTransform(Transform):
    """y = tanh(x).

    Args:
        cache_size: 1 to keep the latest pair x, y; 0 not to.
    """

    bijective = True
    codomain = constraints.interval(-1.0, 1.0)
    sign = 1  # type: ignore[assignment]

    def _call(self, x: Any) -> Any:
        return x.tanh()

    def _inverse(self, y: Any) -> Any:
        return torch.atanh(y)

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        return 2.0 * (math.log(2.0) - x - torch.nn.functional.softplus(-2.0 * x))


class AffineTransform(Transform):
    """y = loc + scale * x.

    Args:
        loc, scale: numbers or tensors that broadcast with x; ``scale`` is not 0.
        event_dim: how many of the last dims make up one value.
        cache_size: 1 to keep the latest pair x, y; 0 not to.
    """

    bijective = True

    def __init__(self, loc: Any, scale: Any, event_dim: int = 0, cache_size: int = 0) -> None:
        super().__init__(cache_size)
        self.loc, self.scale = loc, scale
        if event_dim:
            self.domain = self.codomain = constraints.independent(constraints.real, event_dim)

    @property
    def sign(self) -> Any:
        if isinstance(self.scale, (int, float)):
            return 1 if self.scale > 0 else -1 if self.scale < 0 else 0
        return self.scale.sign()

    def _call(self, x: Any) -> Any:
        return self.loc + self.scale * x

    def _inverse(self, y: Any) -> Any:
        return (y - self.loc) / self.scale

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        if isinstance(self.scale, (int, float)):
            result = torch.full_like(x, math.log(abs(self.scale)))
        else:
            result = torch.abs(self.scale).log().expand(x.shape)
        return sum_rightmost(result, self.event_dim)

    def forward_shape(self, shape: Any) -> Any:
        parameters = (getattr(self.loc, "shape", ()), getattr(self.scale, "shape", ()))
        return torch.broadcast_shapes(shape, *parameters)

    inverse_shape = forward_shape


class SoftmaxTransform(Transform):
    """y = softmax(x) over the last dim; not one to one.

    Args:
        cache_size: 1 to keep the latest pair x, y; 0 not to.
    """

    domain = constraints.real_vector
    codomain = constraints.simplex

    def _call(self, x: Any) -> Any:
        return torch.nn.functional.softmax(x, -1)

    def _inverse(self, y: Any) -> Any:
        return y.log()


class StickBreakingTransform(Transform):
    """From k - 1 real numbers to k shares, by breaking parts off a stick.

    Args:
        cache_size: 1 to keep the latest pair x, y; 0 not to.
    """

    bijective = True
    domain = constraints.real_vector
    codomain = constraints.simplex

    @staticmethod
    def _offset(x: Any) -> Any:
        n = x.shape[-1]
        return n - torch.arange(n, dtype=x.dtype)

    def _call(self, x: Any) -> Any:
        z = SigmoidTransform()(x - self._offset(x).log())
        left = (1 - z).cumprod(-1)
        pad = torch.nn.functional.pad
        return pad(z, [0, 1], value=1) * pad(left, [1, 0], value=1)

    def _inverse(self, y: Any) -> Any:
        cut = y[..., :-1]
        left = 1 - cut.cumsum(-1)
        left = torch.clamp(left, min=torch.finfo(y.dtype).tiny)
        return cut.log() - left.log() + self._offset(cut).log()

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        x = x - self._offset(x).log()
        return (-x - torch.nn.functional.softplus(-x) + y[..., :-1].log()).sum(-1)

    def forward_shape(self, shape: Any) -> Any:
        return tuple(shape[:-1]) + (shape[-1] + 1,)

    def inverse_shape(self, shape: Any) -> Any:
        return tuple(shape[:-1]) + (shape[-1] - 1,)


class LowerCholeskyTransform(Transform):
    """From any square matrix to a lower triangular one with a positive diagonal.

    Args:
        cache_size: 1 to keep the latest pair x, y; 0 not to.
    """

    domain = constraints.independent(constraints.real, 2)
    codomain = constraints.lower_cholesky

    def _call(self, x: Any) -> Any:
        return x.tril(-1) + torch.diag_embed(x.diagonal(dim1=-2, dim2=-1).exp())

    def _inverse(self, y: Any) -> Any:
        return y.tril(-1) + torch.diag_embed(y.diagonal(dim1=-2, dim2=-1).log())


identity_transform = ComposeTransform([])


def __getattr__(name: str) -> Any:
    """The transforms that need those of this module: for PyTorch, they are here."""
    from . import joint_transforms

    if name in joint_transforms.__all__:
        return getattr(joint_transforms, name)
    raise AttributeError(f"module 'torch.distributions.transforms' has no attribute {name!r}")


__all__ = [
    "AffineTransform", "ComposeTransform", "ExpTransform", "LowerCholeskyTransform",
    "PowerTransform", "SigmoidTransform", "SoftmaxTransform", "SoftplusTransform",
    "StickBreakingTransform", "TanhTransform", "Transform", "identity_transform",
]  # fmt: skip
