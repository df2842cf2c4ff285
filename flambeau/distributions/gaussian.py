"""Multivariate normal distributions, of a full covariance matrix or of one of low rank.

Source: https://docs.pytorch.org/docs/stable/distributions.html#multivariatenormal
"""

from __future__ import annotations

import math
from typing import Any

import flambeau as torch
from flambeau.size import Size

from . import constraints
from .distribution import Distribution
from .kl import register_kl
from .numerics import lazy_property, standard_normal


def matrix_times(matrices: Any, vectors: Any) -> Any:
    """Products of matrices (*, m, n) and vectors (*, n), whose batches broadcast."""
    return torch.matmul(matrices, vectors.unsqueeze(-1)).squeeze(-1)


def log_of_diagonal(triangular: Any) -> Any:
    """Half the logarithm of the determinant of ``L @ L.mT``."""
    return triangular.diagonal(dim1=-2, dim2=-1).log().sum(-1)


def whitened(triangular: Any, columns: Any) -> Any:
    """``L^-1 @ columns``."""
    return torch.linalg.solve_triangular(triangular, columns, upper=False)


def factor_of_precision(precision: Any) -> Any:
    """The lower triangular ``L`` with ``L @ L.mT`` the inverse of ``precision``.

    The factor of the precision matrix in reversed order is, reversed again, upper triangular, and
    its transposed inverse is the one that is wanted.
    """
    reversed_factor = torch.linalg.cholesky(torch.flip(precision, (-2, -1)))
    across = torch.flip(reversed_factor, (-2, -1)).mT
    return whitened(across, torch.eye(precision.shape[-1], dtype=precision.dtype))


def _batch_mahalanobis(triangular: Any, vectors: Any) -> Any:
    """The squared lengths of ``L^-1 @ vectors``, whose batches broadcast."""
    return whitened(triangular, vectors.unsqueeze(-1)).pow(2).sum((-2, -1))


# PyTorch's names, which distributions in programs import.
_batch_mv = matrix_times
_precision_to_scale_tril = factor_of_precision


def given_matrix(
    error: type[Exception], covariance_matrix: Any, precision_matrix: Any, scale_tril: Any
) -> tuple[str, Any]:
    """Which of the three is given, and it; raises ``error`` unless it is one."""
    given = {
        "covariance_matrix": covariance_matrix, "precision_matrix": precision_matrix,
        "scale_tril": scale_tril,
    }  # fmt: skip
    found = [(name, matrix) for name, matrix in given.items() if matrix is not None]
    if len(found) != 1:
        raise error(
            "Exactly one of covariance_matrix or precision_matrix or scale_tril may be specified."
        )
    return found[0]


def factor_of(name: str, matrix: Any) -> Any:
    """The lower triangular factor of the covariance that ``matrix`` of that ``name`` gives."""
    if name == "scale_tril":
        return matrix
    if name == "covariance_matrix":
        return torch.linalg.cholesky(matrix)
    return factor_of_precision(matrix)


class _Gaussian(Distribution):
    support = constraints.real_vector  # type: ignore[assignment]
    has_rsample = True
    loc: Any

    @property
    def mean(self) -> Any:
        return self.loc

    @property
    def mode(self) -> Any:
        return self.loc

    def _log_determinant(self) -> Any:
        """Of the covariance matrix."""
        raise NotImplementedError

    def _squared_length(self, columns: Any) -> Any:
        """Of columns in the metric of the inverse covariance matrix, summed over the columns."""
        raise NotImplementedError

    def _roots(self) -> list[Any]:
        """Matrices ``R`` whose products ``R @ R.mT`` sum to the covariance matrix."""
        raise NotImplementedError

    def log_prob(self, value: Any) -> Any:
        if self._validate_args:
            self._validate_sample(value)
        length = self._squared_length((value - self.loc).unsqueeze(-1))
        n = self._event_shape[0]
        return -0.5 * (n * math.log(2 * math.pi) + self._log_determinant() + length)

    def entropy(self) -> Any:
        n = self._event_shape[0]
        found = 0.5 * (n * (1.0 + math.log(2 * math.pi)) + self._log_determinant())
        return found.expand(self._batch_shape)

    def _expanded(self, new: Any, batch_shape: Any, names: tuple[str, ...]) -> Any:
        shape = tuple(batch_shape) + tuple(self._event_shape)
        for name in names:
            if name in self.__dict__:
                value = self.__dict__[name]
                more = value.dim() - self.loc.dim()
                setattr(new, name, value.expand(shape + tuple(value.shape[value.dim() - more :])))
        Distribution.__init__(new, batch_shape, self._event_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new


class MultivariateNormal(_Gaussian):
    """The normal distribution of vectors of mean ``loc``.

    Args:
        loc: (*, n).
        covariance_matrix, precision_matrix, scale_tril: (*, n, n), one of them: the covariance, its
            inverse, or the lower triangular ``L`` with ``covariance = L @ L.mT``, which the others
            are brought to.
        validate_args: whether to check parameters and values; by default yes.

    Raises:
        ValueError: not one of the matrices is given, or it is not positive-definite.
    """

    arg_constraints = {
        "loc": constraints.real_vector, "covariance_matrix": constraints.positive_definite,
        "precision_matrix": constraints.positive_definite,
        "scale_tril": constraints.lower_cholesky,
    }  # fmt: skip

    def __init__(
        self,
        loc: Any,
        covariance_matrix: Any = None,
        precision_matrix: Any = None,
        scale_tril: Any = None,
        validate_args: bool | None = None,
    ) -> None:
        if loc.dim() < 1:
            raise ValueError("loc must be at least one-dimensional.")
        name, matrix = given_matrix(ValueError, covariance_matrix, precision_matrix, scale_tril)
        if matrix.dim() < 2:
            what = "scale_tril matrix" if name == "scale_tril" else name
            raise ValueError(
                f"{what} must be at least two-dimensional, with optional leading batch dimensions"
            )
        batch = tuple(torch.broadcast_shapes(matrix.shape[:-2], loc.shape[:-1]))
        setattr(self, name, matrix.expand((*batch, -1, -1)))
        self.loc = loc.expand((*batch, -1))
        super().__init__(batch, self.loc.shape[-1:], validate_args=validate_args)
        self._factor = factor_of(name, matrix)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        new = self._new(MultivariateNormal, _instance)
        new._factor = self._factor
        names = ("loc", "covariance_matrix", "precision_matrix", "scale_tril")
        return self._expanded(new, Size(batch_shape), names)

    def _whole(self, matrix: Any) -> Any:
        n = self._event_shape[0]
        return matrix.expand((*self._batch_shape, n, n))

    @lazy_property
    def scale_tril(self) -> Any:
        """The lower triangular factor of the covariance matrix."""
        return self._whole(self._factor)

    @lazy_property
    def covariance_matrix(self) -> Any:
        """The covariance matrix."""
        return self._whole(torch.matmul(self._factor, self._factor.mT))

    @lazy_property
    def precision_matrix(self) -> Any:
        """The inverse of the covariance matrix."""
        return self._whole(torch.cholesky_inverse(self._factor))

    @property
    def variance(self) -> Any:
        return self._factor.pow(2).sum(-1).expand((*self._batch_shape, *self._event_shape))

    def rsample(self, sample_shape: Any = ()) -> Any:
        noise = standard_normal(self._extended_shape(sample_shape), self.loc.dtype)
        return self.loc + matrix_times(self._factor, noise)

    def _log_determinant(self) -> Any:
        return 2 * log_of_diagonal(self._factor)

    def _squared_length(self, columns: Any) -> Any:
        return whitened(self._factor, columns).pow(2).sum((-2, -1))

    def _roots(self) -> list[Any]:
        return [self._factor]


class LowRankMultivariateNormal(_Gaussian):
    """The normal distribution of covariance ``cov_factor @ cov_factor.mT + diag(cov_diag)``.

    Inverse and determinant come from the matrix ``I + W.mT @ D^-1 @ W`` of the factor's rank
    (Woodbury's identity).

    Args:
        loc: (*, n).
        cov_factor: (*, n, rank).
        cov_diag: (*, n), positive.
        validate_args: whether to check parameters and values; by default yes.

    Raises:
        ValueError: shapes that do not fit each other.
        RuntimeError: the covariance is not positive-definite (``torch.linalg.LinAlgError``).
    """

    arg_constraints = {
        "loc": constraints.real_vector,
        "cov_factor": constraints.independent(constraints.real, 2),
        "cov_diag": constraints.independent(constraints.positive, 1),
    }  # fmt: skip

    def __init__(
        self, loc: Any, cov_factor: Any, cov_diag: Any, validate_args: bool | None = None
    ) -> None:
        if loc.dim() < 1:
            raise ValueError("loc must be at least one-dimensional.")
        event = loc.shape[-1:]
        if cov_factor.dim() < 2:
            raise ValueError(
                "cov_factor must be at least two-dimensional, with optional leading batch "
                "dimensions"
            )
        if tuple(cov_factor.shape[-2:-1]) != tuple(event):
            raise ValueError(f"cov_factor must be a batch of matrices with shape {event[0]} x m")
        if tuple(cov_diag.shape[-1:]) != tuple(event):
            raise ValueError(f"cov_diag must be a batch of vectors with shape {event}")
        try:
            batch = torch.broadcast_shapes(
                loc.shape[:-1], cov_factor.shape[:-2], cov_diag.shape[:-1]
            )
        except RuntimeError as error:
            raise ValueError(
                f"Incompatible batch shapes: loc {loc.shape}, cov_factor {cov_factor.shape}, "
                f"cov_diag {cov_diag.shape}"
            ) from error
        self.loc = loc.expand((*batch, -1))
        self.cov_factor = cov_factor.expand((*batch, -1, -1))
        self.cov_diag = cov_diag.expand((*batch, -1))
        self._factor, self._diagonal = cov_factor, cov_diag
        self._across = cov_factor.mT / cov_diag.unsqueeze(-2)
        rank = torch.eye(cov_factor.shape[-1], dtype=cov_factor.dtype)
        self._capacitance = torch.linalg.cholesky(torch.matmul(self._across, cov_factor) + rank)
        super().__init__(batch, event, validate_args=validate_args)

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        new = self._new(LowRankMultivariateNormal, _instance)
        for name in ("_factor", "_diagonal", "_across", "_capacitance"):
            setattr(new, name, getattr(self, name))
        return self._expanded(new, Size(batch_shape), ("loc", "cov_factor", "cov_diag"))

    def _whole(self, matrix: Any) -> Any:
        n = self._event_shape[0]
        return matrix.expand((*self._batch_shape, n, n))

    @lazy_property
    def variance(self) -> Any:  # type: ignore[override]
        found = self._factor.pow(2).sum(-1) + self._diagonal
        return found.expand((*self._batch_shape, *self._event_shape))

    @lazy_property
    def scale_tril(self) -> Any:
        """The lower triangular factor of the covariance matrix."""
        root = self._diagonal.sqrt().unsqueeze(-1)
        scaled = self._factor / root  # I + scaled @ scaled.mT has no eigenvalue below 1
        identity = torch.eye(self._event_shape[0], dtype=root.dtype)
        return self._whole(root * torch.linalg.cholesky(scaled @ scaled.mT + identity))

    @lazy_property
    def covariance_matrix(self) -> Any:
        """The covariance matrix."""
        return self._whole(self._factor @ self._factor.mT + torch.diag_embed(self._diagonal))

    @lazy_property
    def precision_matrix(self) -> Any:
        """The inverse of the covariance matrix."""
        part = whitened(self._capacitance, self._across)
        return self._whole(torch.diag_embed(self._diagonal.reciprocal()) - part.mT @ part)

    def rsample(self, sample_shape: Any = ()) -> Any:
        shape = self._extended_shape(sample_shape)
        rank = self.cov_factor.shape[-1]
        along = standard_normal((*shape[:-1], rank), self.loc.dtype)
        apart = standard_normal(shape, self.loc.dtype)
        return self.loc + matrix_times(self._factor, along) + self._diagonal.sqrt() * apart

    def _log_determinant(self) -> Any:
        return 2 * log_of_diagonal(self._capacitance) + self._diagonal.log().sum(-1)

    def _squared_length(self, columns: Any) -> Any:
        alone = (columns.pow(2) / self._diagonal.unsqueeze(-1)).sum((-2, -1))
        inside = whitened(self._capacitance, torch.matmul(self._across, columns))
        return alone - inside.pow(2).sum((-2, -1))

    def _roots(self) -> list[Any]:
        return [self._factor, torch.diag_embed(self._diagonal.sqrt())]


@register_kl(_Gaussian, _Gaussian)
def _gaussians(p: Any, q: Any) -> Any:
    if tuple(p.event_shape) != tuple(q.event_shape):
        raise ValueError(
            "KL-divergence between two Multivariate Normals with different event shapes cannot be "
            "computed"
        )
    lengths = [q._squared_length(root) for root in p._roots()]
    distance = q._squared_length((q.loc - p.loc).unsqueeze(-1))
    sizes = q._log_determinant() - p._log_determinant()
    return 0.5 * (sizes + sum(lengths[1:], lengths[0]) + distance - p.event_shape[0])


__all__ = ["LowRankMultivariateNormal", "MultivariateNormal"]
