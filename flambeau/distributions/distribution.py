"""The base of all distributions.

Source: https://docs.pytorch.org/docs/stable/distributions.html#distribution
"""

from __future__ import annotations

from typing import Any, ClassVar

import flambeau as torch
from flambeau.ops.value_checks import refuse
from flambeau.size import Size

from . import constraints
from .numerics import as_size, lazy_property


class Distribution:
    """A probability distribution over events of ``event_shape``, ``batch_shape`` of them.

    Args:
        batch_shape: the shape of the parameters, one distribution each.
        event_shape: the shape of one event.
        validate_args: whether parameters and values are checked; :meth:`set_default_validate_args`
            says it for all.

    Raises:
        ValueError: a parameter is outside its constraint, if that is checked.
    """

    has_rsample = False
    has_enumerate_support = False
    arg_constraints: ClassVar[dict[str, Any]] = {}
    _validate_args: bool = __debug__
    _batched: tuple[str, ...] = ()
    """The attributes that :meth:`expand` expands to the batch shape."""
    _eventful: tuple[str, ...] = ()
    """Those that have the event's dims behind the batch's."""

    @staticmethod
    def set_default_validate_args(value: bool) -> None:
        """Say whether distributions check their arguments from now on: ``value``.

        Raises:
            ValueError: it is no bool.
        """
        if value not in (True, False):
            raise ValueError(f"validate_args is True or False, got {value!r}")
        Distribution._validate_args = value

    def __init__(
        self, batch_shape: Any = (), event_shape: Any = (), validate_args: bool | None = None
    ) -> None:
        self._batch_shape = as_size(batch_shape)
        self._event_shape = as_size(event_shape)
        if validate_args is not None:
            self._validate_args = validate_args
        if self._validate_args:
            self._check_parameters()

    def _check_parameters(self) -> None:
        for name, constraint in self.arg_constraints.items():
            if isinstance(constraint, (property, constraints._Dependent)):
                constraint = getattr(self, f"_{name}_constraint", None)
                if constraint is None:
                    continue
            if name not in self.__dict__ and isinstance(getattr(type(self), name), lazy_property):
                continue  # not what was given
            value = getattr(self, name)
            self._check_parameter(name, value, constraint)

    def _check_parameter(self, name: str, value: Any, constraint: Any) -> None:
        kind = f"{name} ({type(value).__name__} of shape {tuple(value.shape)})"
        refuse(
            ~constraint.check(value), ValueError,
            f"Expected parameter {kind} of distribution {type(self).__name__} to satisfy the "
            f"constraint {type(constraint).__name__}, but found invalid values",
            lambda: (
                f"Expected parameter {kind} of distribution {self!r} to satisfy the constraint "
                f"{constraint!r}, but found invalid values:\n{value}"
            ),
        )  # fmt: skip

    # -- shapes -------------------------------------------------------------------------------

    @property
    def batch_shape(self) -> Size:
        """The shape over which there are distributions."""
        return self._batch_shape

    @property
    def event_shape(self) -> Size:
        """The shape of one event."""
        return self._event_shape

    def _extended_shape(self, sample_shape: Any = ()) -> Size:
        return Size(tuple(sample_shape) + tuple(self._batch_shape) + tuple(self._event_shape))

    def _new(self, cls: type, instance: Any) -> Any:
        if instance is not None:
            return instance
        if type(self).__init__ is not cls.__init__:  # type: ignore[misc]
            raise NotImplementedError(
                f"Subclass {type(self).__name__} of {cls.__name__} that defines a custom __init__ "
                "method must also define a custom .expand() method."
            )
        return type(self).__new__(type(self))

    def expand(self, batch_shape: Any, _instance: Any = None) -> Any:
        """The same distribution with its parameters expanded.

        Args:
            batch_shape: the shape that they are expanded to.

        Returns:
            A distribution of that batch shape.

        Raises:
            NotImplementedError: a subclass with an ``__init__`` of its own does not define it.
        """
        batch_shape = as_size(batch_shape)
        new = self._new(type(self), _instance)
        for name in (*self._batched, *self._eventful):
            if name in self.__dict__:
                value = self.__dict__[name]
                if isinstance(value, Distribution):
                    setattr(new, name, value.expand(batch_shape))
                else:
                    event = tuple(self._event_shape) if name in self._eventful else ()
                    if name in self._eventful and not event:
                        event = tuple(value.shape[-1:])
                    setattr(new, name, value.expand(tuple(batch_shape) + event))
        for name in ("_is_logits", "total_count", "_num_events"):
            if name in self.__dict__ and name not in new.__dict__:
                setattr(new, name, self.__dict__[name])
        Distribution.__init__(new, batch_shape, self._event_shape, validate_args=False)
        new._validate_args = self._validate_args
        return new

    # -- what a distribution has --------------------------------------------------------------

    @property
    def support(self) -> Any:
        """The constraint that samples satisfy.

        Raises:
            NotImplementedError: the family says none.
        """
        raise NotImplementedError

    @property
    def mean(self) -> Any:
        """The mean, ``(*batch_shape, *event_shape)``.

        Raises:
            NotImplementedError: there is no formula for it.
        """
        raise NotImplementedError

    @property
    def mode(self) -> Any:
        """The most probable value, ``(*batch_shape, *event_shape)``.

        Raises:
            NotImplementedError: there is no formula for it.
        """
        raise NotImplementedError(f"{self.__class__} does not implement mode")

    @property
    def variance(self) -> Any:
        """The variance, ``(*batch_shape, *event_shape)``.

        Raises:
            NotImplementedError: there is no formula for it.
        """
        raise NotImplementedError

    @property
    def stddev(self) -> Any:
        """The standard deviation, ``(*batch_shape, *event_shape)``.

        Raises:
            NotImplementedError: there is no formula for the variance.
        """
        return self.variance.sqrt()

    def sample(self, sample_shape: Any = ()) -> Any:
        """Samples without gradients.

        Args:
            sample_shape: how many.

        Returns:
            ``(*sample_shape, *batch_shape, *event_shape)``.
        """
        with torch.no_grad():
            return self.rsample(sample_shape)

    def rsample(self, sample_shape: Any = ()) -> Any:
        """Samples with gradients for the parameters (of those with ``has_rsample``).

        Args:
            sample_shape: how many.

        Returns:
            ``(*sample_shape, *batch_shape, *event_shape)``.

        Raises:
            NotImplementedError: there is no such form of samples.
        """
        raise NotImplementedError

    def sample_n(self, n: int) -> Any:
        """``sample((n,))``: ``n`` samples.

        Returns:
            ``(n, *batch_shape, *event_shape)``.
        """
        return self.sample(Size((n,)))

    def log_prob(self, value: Any) -> Any:
        """The logarithm of the density or probability of each event of ``value``.

        Returns:
            ``(*, *batch_shape)`` for values of shape ``(*, *batch_shape, *event_shape)``; they
            broadcast.

        Raises:
            ValueError: values of another shape or outside the support, if that is checked.
            NotImplementedError: the family has none.
        """
        raise NotImplementedError

    def cdf(self, value: Any) -> Any:
        """The probability of at most ``value``.

        Returns:
            ``(*, *batch_shape)``.

        Raises:
            ValueError: values of another shape or outside the support, if that is checked.
            NotImplementedError: the family has none.
        """
        raise NotImplementedError

    def icdf(self, value: Any) -> Any:
        """The value that has the cumulative probability ``value``, from 0 to 1.

        Returns:
            ``(*, *batch_shape)``.

        Raises:
            NotImplementedError: the family has none.
        """
        raise NotImplementedError

    def enumerate_support(self, expand: bool = True) -> Any:
        """All values of a discrete distribution.

        Args:
            expand: whether they are repeated for every distribution of the batch.

        Returns:
            ``(values, *batch_shape, *event_shape)``, with sizes of 1 for the batch without
            ``expand``.

        Raises:
            NotImplementedError: there is no such list.
        """
        raise NotImplementedError

    def entropy(self) -> Any:
        """The entropy, in nats.

        Returns:
            ``batch_shape``.

        Raises:
            NotImplementedError: there is no formula for it.
        """
        raise NotImplementedError

    def perplexity(self) -> Any:
        """e to the power of the entropy.

        Returns:
            ``batch_shape``.
        """
        return torch.exp(self.entropy())

    def _validate_sample(self, value: Any) -> None:
        if not isinstance(value, torch.Tensor):
            raise ValueError("The value argument to log_prob must be a Tensor")
        start = value.dim() - len(self._event_shape)
        if tuple(value.shape[start:]) != tuple(self._event_shape):
            raise ValueError(
                "The right-most size of value must match event_shape: "
                f"{value.shape} vs {self._event_shape}."
            )
        actual = value.shape
        expected = Size(tuple(self._batch_shape) + tuple(self._event_shape))
        for i, j in zip(reversed(actual), reversed(expected)):
            if i != 1 and j != 1 and i != j:
                raise ValueError(
                    f"Value is not broadcastable with batch_shape+event_shape: {actual} vs "
                    f"{expected}."
                )
        try:
            support = self.support
        except NotImplementedError:
            return
        kind = f"{type(value).__name__} of shape {tuple(value.shape)}"
        refuse(
            ~support.check(value), ValueError,
            f"Expected value argument ({kind}) to be within the support "
            f"({type(support).__name__}) of the distribution {type(self).__name__}, but found "
            "invalid values",
            lambda: (
                f"Expected value argument ({kind}) to be within the support ({support!r}) of the "
                f"distribution {self!r}, but found invalid values:\n{value}"
            ),
        )  # fmt: skip

    def __repr__(self) -> str:
        names = [k for k in self.arg_constraints if k in self.__dict__]
        told = ", ".join(
            f"{p}: {self.__dict__[p] if self.__dict__[p].numel() == 1 else self.__dict__[p].size()}"
            for p in names
        )
        return f"{type(self).__name__}({told})"
