"""What values a parameter or a sample may take (``torch.distributions.constraints``).

Source: https://docs.pytorch.org/docs/stable/distributions.html#module-torch.distributions.constraints
"""

from __future__ import annotations

from typing import Any

import flambeau as torch
from flambeau.tensor import Tensor


class Constraint:
    """A set of values: ``check`` says of each whether it belongs.

    Attributes:
        is_discrete: whether the values are apart from each other.
        event_dim: how many of the last dims make up one value.
    """

    is_discrete = False
    event_dim = 0

    def check(self, value: Any) -> Any:
        """For each event of ``value`` whether it satisfies this constraint.

        Returns:
            Bools, of the shape of ``value`` without the last ``event_dim`` dims.

        Raises:
            ValueError: the bounds are parameters that are not known here.
            NotImplementedError: a subclass does not define it.
        """
        raise NotImplementedError

    def __repr__(self) -> str:
        return f"{type(self).__name__.lstrip('_')}()"


class _Dependent(Constraint):
    """One whose bounds are parameters of the distribution."""

    def __init__(self, *, is_discrete: Any = None, event_dim: Any = None) -> None:
        self.is_discrete = bool(is_discrete)
        self.event_dim = event_dim or 0

    def check(self, value: Any) -> Any:
        raise ValueError("Cannot determine validity of dependent constraint")


class _Bounded(Constraint):
    """One of some bounds, that its ``repr`` tells.

    Args:
        bounds, named: the bounds of these ``names``, by position or by name.

    Raises:
        TypeError: others than these are given.
    """

    names: tuple[str, ...] = ()

    def __init__(self, *bounds: Any, **named: Any) -> None:
        given = {**dict(zip(self.names, bounds)), **named}
        if set(given) != set(self.names) or len(bounds) + len(named) != len(self.names):
            got = ", ".join([*map(str, bounds), *(f"{k}={v}" for k, v in named.items())])
            raise TypeError(
                f"{type(self).__name__.lstrip('_')} takes {' and '.join(self.names)}, got {got}"
            )
        for name in self.names:
            setattr(self, name, given[name])

    def __repr__(self) -> str:
        told = ", ".join(f"{name}={getattr(self, name)}" for name in self.names)
        return f"{type(self).__name__.lstrip('_')}({told})"

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and all(
            bool(torch.equal(torch.as_tensor(a), torch.as_tensor(b)))
            for a, b in ((getattr(self, n), getattr(other, n)) for n in self.names)
        )

    __hash__ = Constraint.__hash__


class _GreaterThan(_Bounded):
    """Numbers above a bound.

    Args:
        bounds, named: ``lower_bound``, by position or by name.
    """

    names = ("lower_bound",)
    lower_bound: Any

    def check(self, value: Any) -> Any:
        return self.lower_bound < value


class _GreaterThanEq(_GreaterThan):
    """Numbers from a bound on.

    Args:
        bounds, named: ``lower_bound``, by position or by name.
    """

    def check(self, value: Any) -> Any:
        return self.lower_bound <= value


class _LessThan(_Bounded):
    """Numbers below a bound.

    Args:
        bounds, named: ``upper_bound``, by position or by name.
    """

    names = ("upper_bound",)
    upper_bound: Any

    def check(self, value: Any) -> Any:
        return value < self.upper_bound


class _Interval(_Bounded):
    """Numbers from one bound to another, both included.

    Args:
        bounds, named: ``lower_bound`` and ``upper_bound``, by position or by name.
    """

    names = ("lower_bound", "upper_bound")
    lower_bound: Any
    upper_bound: Any

    def check(self, value: Any) -> Any:
        return (self.lower_bound <= value) & (value <= self.upper_bound)


class _HalfOpenInterval(_Interval):
    """Numbers from one bound on and below another.

    Args:
        bounds, named: ``lower_bound`` and ``upper_bound``, by position or by name.
    """

    def check(self, value: Any) -> Any:
        return (self.lower_bound <= value) & (value < self.upper_bound)


class _IntegerInterval(_Interval):
    """Integers from one bound to another, both included.

    Args:
        bounds, named: ``lower_bound`` and ``upper_bound``, by position or by name.
    """

    is_discrete = True

    def check(self, value: Any) -> Any:
        return (value % 1 == 0) & (self.lower_bound <= value) & (value <= self.upper_bound)


class _IntegerGreaterThan(_GreaterThan):
    is_discrete = True

    def check(self, value: Any) -> Any:
        return (value % 1 == 0) & (value >= self.lower_bound)


class _Boolean(Constraint):
    is_discrete = True

    def check(self, value: Any) -> Any:
        return (value == 0) | (value == 1)


class _OneHot(Constraint):
    is_discrete = True
    event_dim = 1

    def check(self, value: Any) -> Any:
        return ((value == 0) | (value == 1)).all(-1) & value.sum(-1).eq(1)


class _Real(Constraint):
    def check(self, value: Any) -> Any:
        return value == value  # False for NaN


class _Simplex(Constraint):
    event_dim = 1

    def check(self, value: Any) -> Any:
        return torch.all(value >= 0, -1) & ((value.sum(-1) - 1).abs() < 1e-6)


class _Multinomial(Constraint):
    """Vectors of counts whose sum is at most a bound.

    Args:
        upper_bound: the bound.
    """

    is_discrete = True
    event_dim = 1

    def __init__(self, upper_bound: Any) -> None:
        self.upper_bound = upper_bound

    def check(self, value: Any) -> Any:
        return (value >= 0).all(-1) & (value.sum(-1) <= self.upper_bound)


class _LowerTriangular(Constraint):
    event_dim = 2

    def check(self, value: Any) -> Any:
        return (value.tril() == value).reshape(value.shape[:-2] + (-1,)).min(-1)[0]


class _LowerCholesky(Constraint):
    event_dim = 2

    def check(self, value: Any) -> Any:
        lower = (value.tril() == value).reshape(value.shape[:-2] + (-1,)).all(-1)
        return lower & (value.diagonal(dim1=-2, dim2=-1) > 0).all(-1)


class _CorrCholesky(Constraint):
    """Lower triangular matrices with a positive diagonal, whose rows have length 1."""

    event_dim = 2

    def check(self, value: Any) -> Any:
        tolerance = torch.finfo(value.dtype).eps * value.size(-1) * 10
        lengths = torch.linalg.norm(value.detach(), dim=-1)
        of_length_one = ((lengths - 1).abs() <= tolerance).all(-1)
        return lower_cholesky.check(value) & of_length_one


class _Square(Constraint):
    event_dim = 2

    def check(self, value: Any) -> Any:
        is_square = value.shape[-2] == value.shape[-1]
        return torch.full(tuple(value.shape[:-2]), is_square, dtype=torch.bool)


class _Symmetric(_Square):
    def check(self, value: Any) -> Any:
        if value.shape[-2] != value.shape[-1]:
            return super().check(value)
        return torch.isclose(value, value.mT, atol=1e-6).all(-2).all(-1)


class _PositiveSemidefinite(_Symmetric):
    def check(self, value: Any) -> Any:
        symmetric = super().check(value)
        if value.shape[-2] != value.shape[-1]:
            return symmetric
        return symmetric & torch.linalg.eigvalsh(_or_zeros(value, symmetric)).ge(0).all(-1)


class _PositiveDefinite(_Symmetric):
    def check(self, value: Any) -> Any:
        symmetric = super().check(value)
        if value.shape[-2] != value.shape[-1]:
            return symmetric
        return symmetric & torch.linalg.cholesky_ex(_or_zeros(value, symmetric)).info.eq(0)


def _or_zeros(value: Any, valid: Any) -> Any:
    """The matrices that are valid so far; factorizations may raise for others."""
    return value.detach().where(valid.unsqueeze(-1).unsqueeze(-1), 0)


class _IndependentConstraint(Constraint):
    """One that holds for an event if it holds for all its parts.

    Args:
        base_constraint: that of the parts.
        reinterpreted_batch_ndims: how many further dims make up one value.
    """

    def __init__(self, base_constraint: Constraint, reinterpreted_batch_ndims: int) -> None:
        self.base_constraint = base_constraint
        self.reinterpreted_batch_ndims = reinterpreted_batch_ndims
        self.is_discrete = base_constraint.is_discrete
        self.event_dim = base_constraint.event_dim + reinterpreted_batch_ndims

    def __repr__(self) -> str:
        return f"IndependentConstraint({self.base_constraint!r}, {self.reinterpreted_batch_ndims})"

    def check(self, value: Any) -> Any:
        """Whether all parts of each event of ``value`` satisfy the constraint.

        Returns:
            Bools, without the last ``event_dim`` dims.

        Raises:
            ValueError: ``value`` has fewer dims.
        """
        result: Tensor = self.base_constraint.check(value)
        if result.dim() < self.reinterpreted_batch_ndims:
            wanted = self.base_constraint.event_dim + self.reinterpreted_batch_ndims
            raise ValueError(f"Expected value.dim() >= {wanted} but got {value.dim()}")
        kept = result.dim() - self.reinterpreted_batch_ndims
        return result.reshape(tuple(result.shape[:kept]) + (-1,)).all(-1)


class _Cat(Constraint):
    """Constraints of slices, ``lengths`` long, along ``dim``, each with its own.

    Args:
        cseq: the constraints.
        dim: along which the slices lie.
        lengths: how long they are; None: 1 each.
    """

    def __init__(self, cseq: Any, dim: int = 0, lengths: Any = None) -> None:
        self.cseq = list(cseq)
        self.lengths = [1] * len(self.cseq) if lengths is None else list(lengths)
        self.dim = dim
        self.is_discrete = any(c.is_discrete for c in self.cseq)
        self.event_dim = max(c.event_dim for c in self.cseq)

    def check(self, value: Any) -> Any:
        parts = value.split(self.lengths, self.dim)
        return torch.cat([c.check(v) for c, v in zip(self.cseq, parts)], self.dim)


class _Stack(Constraint):
    """Constraints of the entries along ``dim``, each with its own.

    Args:
        cseq: the constraints.
        dim: along which the entries lie.
    """

    def __init__(self, cseq: Any, dim: int = 0) -> None:
        self.cseq, self.dim = list(cseq), dim
        self.is_discrete = any(c.is_discrete for c in self.cseq)
        dims = max(c.event_dim for c in self.cseq)
        self.event_dim = dims + 1 if self.dim + dims < 0 else dims

    def check(self, value: Any) -> Any:
        parts = value.unbind(self.dim)
        return torch.stack([c.check(v) for c, v in zip(self.cseq, parts)], self.dim)


def is_dependent(constraint: Any) -> bool:
    """Whether the constraint's bounds are parameters of the distribution.

    Returns:
        A bool.
    """
    return isinstance(constraint, _Dependent)


class dependent_property(property):
    """A ``support`` that is a property, its bounds being parameters.

    Args:
        fn: the property's function.
        is_discrete, event_dim: as for :class:`Constraint`.
    """

    def __init__(self, fn: Any = None, *, is_discrete: Any = None, event_dim: Any = None) -> None:
        super().__init__(fn)
        self.is_discrete = is_discrete
        self.event_dim = event_dim

    def __call__(self, fn: Any) -> dependent_property:
        return dependent_property(fn, is_discrete=self.is_discrete, event_dim=self.event_dim)


dependent = _Dependent()
independent = _IndependentConstraint
boolean = _Boolean()
one_hot = _OneHot()
nonnegative_integer = _IntegerGreaterThan(0)
positive_integer = _IntegerGreaterThan(1)
integer_interval = _IntegerInterval
real = _Real()
real_vector = independent(real, 1)
positive = _GreaterThan(0.0)
nonnegative = _GreaterThanEq(0.0)
greater_than = _GreaterThan
greater_than_eq = _GreaterThanEq
less_than = _LessThan
multinomial = _Multinomial
unit_interval = _Interval(0.0, 1.0)
interval = _Interval
half_open_interval = _HalfOpenInterval
simplex = _Simplex()
lower_triangular = _LowerTriangular()
lower_cholesky = _LowerCholesky()
corr_cholesky = _CorrCholesky()
square = _Square()
symmetric = _Symmetric()
positive_semidefinite = _PositiveSemidefinite()
positive_definite = _PositiveDefinite()
cat = _Cat
stack = _Stack
