"""Distributions of covariance matrices and of the factors of correlation matrices.

Source: https://docs.pytorch.org/docs/stable/distributions.html#wishart
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import flambeau as torch
from flambeau.size import Size

from . import constraints
from .distribution import Distribution
from .gamma_family import Beta, Chi2
from .gaussian import factor_of, given_matrix, log_of_diagonal
from .kl import register_kl
from .numerics import broadcast_all, lazy_property


class Wishart(Distribution):
    """The distribution of sums of outer products of ``df`` normal vectors with themselves.

    Samples are made by Bartlett's decomposition.

    Args:
        df: more than n - 1, not necessarily whole.
        covariance_matrix, precision_matrix, scale_tril: (*, n, n), one of them, of those vectors.
        validate_args: whether to check parameters and values; by default yes.

    Raises:
        ValueError: ``df`` is too small, or the matrix is not positive-definite.
        AssertionError: not just one of the matrices is given.

    Source: Sawyer, Wishart distributions and inverse-Wishart sampling (2007).
    """

    support = constraints.positive_definite  # type: ignore[assignment]
    has_rsample = True

    @property
    def arg_constraints(self) -> Any:  # type: ignore[override]
        """The parameters' constraints; that of ``df`` depends on the matrices' size."""
        return {
            "covariance_matrix": constraints.positive_definite,
            "precision_matrix": constraints.positive_definite,
            "scale_tril": constraints.lower_cholesky,
            "df": constraints.greater_than(self.event_shape[-1] - 1),
        }

    def __init__(
        self,
        df: Any,
        covariance_matrix: Any = None,
        precision_matrix: Any = None,
        scale_tril: Any = None,
        validate_args: bool | None = None,
    ) -> None:
        name, matrix = given_matrix(AssertionError, covariance_matrix, precision_matrix, scale_tril)
        if matrix.dim() < 2:
            raise ValueError(
                "scale_tril must be at least two-dimensional, with optional leading batch "
                "dimensions"
            )
        batch = tuple(matrix.shape[:-2])
        if isinstance(df, torch.Tensor):
            batch = tuple(torch.broadcast_shapes(batch, df.shape))
            self.df = df.expand(batch)
        else:
            self.df = torch.tensor(df, dtype=matrix.dtype)
        event = matrix.shape[-2:]
        n = event[-1]
        if bool((self.df <= n - 1).any()):
            raise ValueError(f"Value of df={df} expected to be greater than ndim - 1 = {n - 1}.")
        setattr(self, name, matrix.expand((*batch, -1, -1)))
        if bool((self.df < n).any()):
            warnings.warn(
                "Low df values detected. Singular samples are highly likely to occur for ndim - 1 "
                "< df < ndim.",
                stacklevel=2,
            )
        super().__init__(batch, event, validate_args=validate_args)
        self._factor = factor_of(name, matrix)
        self._lengths = self._chi2()

    def _chi2(self) -> Chi2:
        """The squares of the diagonal of Bartlett's factor."""
        fewer = torch.arange(self._event_shape[-1], dtype=self._factor.dtype)
        return Chi2(self.df.unsqueeze(-1) - fewer.expand((*self._batch_shape, -1)))

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        new = self._new(Wishart, _instance)
        batch_shape = Size(batch_shape)
        shape = tuple(batch_shape) + tuple(self._event_shape)
        new.df = self.df.expand(batch_shape)
        new._factor = self._factor.expand(shape)
        for name in ("covariance_matrix", "precision_matrix", "scale_tril"):
            if name in self.__dict__:
                setattr(new, name, self.__dict__[name].expand(shape))
        Distribution.__init__(new, batch_shape, self._event_shape, validate_args=False)
        new._lengths = new._chi2()
        new._validate_args = self._validate_args
        return new

    def _whole(self, matrix: Any) -> Any:
        return matrix.expand((*self._batch_shape, *self._event_shape))

    @lazy_property
    def scale_tril(self) -> Any:
        """The lower triangular factor of the covariance matrix."""
        return self._whole(self._factor)

    @lazy_property
    def covariance_matrix(self) -> Any:
        """The covariance matrix."""
        return self._whole(self._factor @ self._factor.mT)

    @lazy_property
    def precision_matrix(self) -> Any:
        """The inverse of the covariance matrix."""
        return self._whole(torch.cholesky_inverse(self._factor))

    def _scale(self, factor: Any) -> Any:
        return factor.reshape((*self._batch_shape, 1, 1))

    @property
    def mean(self) -> Any:
        return self._scale(self.df) * self.covariance_matrix

    @property
    def mode(self) -> Any:
        factor = self.df - self._event_shape[-1] - 1
        factor = torch.where(factor <= 0, float("nan"), factor)
        return self._scale(factor) * self.covariance_matrix

    @property
    def variance(self) -> Any:
        covariance = self.covariance_matrix
        diagonal = covariance.diagonal(dim1=-2, dim2=-1)
        outer = diagonal.unsqueeze(-1) * diagonal.unsqueeze(-2)
        return self._scale(self.df) * (covariance.pow(2) + outer)

    def _drawn(self, sample_shape: Any) -> Any:
        n = self._event_shape[-1]
        lengths = self._lengths.rsample(sample_shape).sqrt()
        lengths = lengths.clamp(min=torch.finfo(lengths.dtype).eps)
        rows, columns = torch.tril_indices(n, n, offset=-1)
        shape = (*sample_shape, *self._batch_shape, n * (n - 1) // 2)
        below = torch.randn(shape, dtype=lengths.dtype)
        corner = torch.zeros((*shape[:-1], n, n), dtype=lengths.dtype)
        corner[..., rows, columns] = below
        factor = self._factor @ (lengths.diag_embed(dim1=-2, dim2=-1) + corner)
        return factor @ factor.mT

    def rsample(self, sample_shape: Any = (), max_try_correction: int | None = None) -> Any:
        """Samples with gradients.

        Args:
            max_try_correction: how often those that are numerically singular are drawn again (10).
            sample_shape: how many.

        Returns:
            ``(*sample_shape, *batch_shape, n, n)``.
        """
        tries = 10 if max_try_correction is None else max_try_correction
        sample = self._drawn(Size(sample_shape))
        # PyTorch draws every good sample a second time: so that the numbers are its own, so do we
        again = self._any_member(self.support.check(sample))
        for _ in range(tries if bool(again.any()) else 0):
            fresh = self._drawn(Size((int(again.sum()),)))
            sample = _replaced(sample, again, fresh)
            left = self._any_member(~self.support.check(fresh))
            again = torch.zeros_like(again).masked_scatter(again, left)
            if not bool(again.any()):
                break
        return sample

    def _any_member(self, flags: Any) -> Any:
        dims = tuple(range(-len(self._batch_shape), 0))
        return flags.any(dims) if dims else flags

    def log_prob(self, value: Any) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        n = self._event_shape[-1]
        solved = torch.cholesky_solve(value, self._factor)
        trace = solved.diagonal(dim1=-2, dim2=-1).sum(-1)
        return (
            -self.df * (n * math.log(2) / 2 + log_of_diagonal(self._factor))
            - torch.mvlgamma(self.df / 2, p=n)
            + (self.df - n - 1) / 2 * torch.linalg.slogdet(value).logabsdet
            - trace / 2
        )

    def entropy(self) -> Any:
        n = self._event_shape[-1]
        half = self.df / 2
        return (
            (n + 1) * (n * math.log(2) / 2 + log_of_diagonal(self._factor))
            + torch.mvlgamma(half, p=n)
            - (self.df - n - 1) / 2 * _mvdigamma(half, n)
            + self.df * n / 2
        )


def _replaced(sample: Any, flags: Any, fresh: Any) -> Any:
    """``sample`` with the members whose flag is set replaced, in order, by ``fresh``."""
    if not flags.dim():
        return fresh[0] if bool(flags) else sample
    more = (1,) * (sample.dim() - flags.dim())
    mask = flags.reshape((*flags.shape, *more)).expand(sample.shape)
    return sample.masked_scatter(mask, fresh)


def _mvdigamma(x: Any, p: int) -> Any:
    """The derivative of the logarithm of the multivariate gamma function."""
    return torch.digamma(x.unsqueeze(-1) - torch.arange(p, dtype=x.dtype) / 2).sum(-1)


@register_kl(Wishart, Wishart)
def _wisharts(p: Any, q: Any) -> Any:
    """Of members of an exponential family in the statistics log det X and X."""
    n = p.event_shape[-1]
    size = _mvdigamma(p.df / 2, n) + n * math.log(2) + 2 * log_of_diagonal(p._factor)
    between = torch.cholesky_solve(p._factor @ p._factor.mT, q._factor)
    trace = between.diagonal(dim1=-2, dim2=-1).sum(-1)

    def normalizer(d: Any) -> Any:
        half = d.df / 2
        return half * n * math.log(2) + d.df * log_of_diagonal(d._factor) + torch.mvlgamma(half, n)

    return (
        normalizer(q) - normalizer(p)
        + (p.df - q.df) / 2 * size
        + p.df / 2 * (trace - n)
    )  # fmt: skip


class LKJCholesky(Distribution):
    """The distribution of Cholesky factors of correlation matrices, drawn by the onion method.

    Args:
        dim: the size of the matrices, 2 or more.
        concentration: the density is in proportion to the determinant to the power of this less 1:
            1 is uniform over correlation matrices, more prefers those near the identity.
        validate_args: whether to check parameters and values; by default yes.

    Raises:
        ValueError: ``dim`` is below 2, or ``concentration`` not positive.

    Source: Lewandowski, Kurowicka and Joe, Generating random correlation matrices based on vines
    and extended onion method (2009).
    """

    arg_constraints = {"concentration": constraints.positive}
    support = constraints.corr_cholesky  # type: ignore[assignment]

    def __init__(
        self, dim: int, concentration: Any = 1.0, validate_args: bool | None = None
    ) -> None:
        if dim < 2:
            raise ValueError(
                f"Expected dim to be an integer greater than or equal to 2. Found dim={dim}."
            )
        self.dim = dim
        (self.concentration,) = broadcast_all(concentration)
        dtype = self.concentration.dtype
        above = torch.arange(dim - 1, dtype=dtype)
        above = torch.cat([torch.zeros(1, dtype=dtype), above])
        marginal = self.concentration + 0.5 * (dim - 2)
        self._beta = Beta(above + 0.5, marginal.unsqueeze(-1) - 0.5 * above)
        super().__init__(self.concentration.size(), (dim, dim), validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        new = self._new(LKJCholesky, _instance)
        batch_shape = Size(batch_shape)
        new.dim = self.dim
        new.concentration = self.concentration.expand(batch_shape)
        new._beta = self._beta.expand(tuple(batch_shape) + (self.dim,))
        Distribution.__init__(new, batch_shape, self._event_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new

    def sample(self, sample_shape: Any = ()) -> Any:
        with torch.no_grad():
            lengths = self._beta.sample(sample_shape).unsqueeze(-1)
            normal = torch.randn(self._extended_shape(sample_shape), dtype=lengths.dtype).tril(-1)
            norms = normal.norm(dim=-1, keepdim=True)
            directions = normal / torch.where(norms == 0, torch.ones_like(norms), norms)
            below = lengths.sqrt() * directions
            rest = (1 - below.square().sum(-1)).clamp(min=torch.finfo(below.dtype).tiny)
            return below + torch.diag_embed(rest.sqrt())

    def log_prob(self, value: Any) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        diagonal = value.diagonal(dim1=-2, dim2=-1)[..., 1:]
        power = 2 * (self.concentration - 1).unsqueeze(-1) + self.dim
        power = power - torch.arange(2, self.dim + 1)
        below = self.dim - 1
        alpha = self.concentration + 0.5 * below
        normalizer = (
            0.5 * below * math.log(math.pi)
            + torch.mvlgamma(alpha - 0.5, below)
            - torch.lgamma(alpha) * below
        )
        return (power * diagonal.log()).sum(-1) - normalizer


__all__ = ["LKJCholesky", "Wishart"]
