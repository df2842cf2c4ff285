"""Options of optimizers that change from call to call: learning rates, and what schedules move.

Learning rates are always inputs of a program.  Other options (momentum, weight decay) are
constants, which makes better code, until one is seen to change: from then on it is an input too.
The update rules branch on such numbers (is there a weight decay at all?): a branch is taken by the
number's present value, and noted; the program serves every value that takes the same branches.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..tensor import Tensor


@dataclass(eq=False)
class Hyperparameter:
    """A number read from an optimizer's parameter group at each call.

    Attributes:
        group: the parameter group.
        name: the option.
        index: the number's place, for an option that is a tuple (``betas``).
    """

    group: dict[str, Any]
    name: str
    index: int | None = None

    def number(self) -> Any:
        """Its value now, as the group has it."""
        value = self.group[self.name]
        return value if self.index is None else value[self.index]

    def read(self) -> np.ndarray:
        """Its value now, for a program."""
        return np.array(self.number(), np.float64)


class Varying:
    """What stands among a program's options for one that is an input.

    It is equal to the values that the program serves.
    """

    def __init__(self, value: Any) -> None:
        self.form = form(value)
        self.branches: list[tuple[int, Callable[[Any, Any], Any], float, bool]] = []

    def branch(
        self, place: int, number: Any, test: Callable[[Any, Any], Any], bound: float
    ) -> bool:
        """The present outcome of a test, on which the program depends from now on."""
        outcome = bool(test(number, bound))
        self.branches.append((place, test, bound, outcome))
        return outcome

    def __eq__(self, other: object) -> bool:
        if form(other) != self.form:
            return False
        numbers: Any = other if isinstance(other, tuple) else (other,)
        return all(
            bool(test(numbers[place], bound)) is outcome
            for place, test, bound, outcome in self.branches
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return "a number that may change"


class OptionNumber(Tensor):
    """An option during capture: an input, on whose present value a program may branch."""

    _option: tuple[Varying, int, Any]

    def __bool__(self) -> bool:
        varying, place, number = self._option
        return varying.branch(place, number, operator.ne, 0.0)

    def __le__(self, bound: Any) -> Any:
        varying, place, number = self._option
        return varying.branch(place, number, operator.le, bound)


def form(value: Any) -> int | None:
    """0 for a number, n for a tuple of n numbers, None for anything else."""
    if isinstance(value, tuple):
        return len(value) if value and all(form(v) == 0 for v in value) else None
    return 0 if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def changed_options(
    groups: Iterable[tuple[dict[str, Any], dict[str, Any]]],
) -> set[tuple[int, str]]:
    """The numbers among a program's options that are others now: their groups' ids, and names."""
    return {
        (id(group), name)
        for group, options in groups
        for name, value in options.items()
        if form(value) is not None and form(group.get(name)) == form(value) and group[name] != value
    }


__all__ = ["Hyperparameter", "OptionNumber", "Varying", "changed_options", "form"]
