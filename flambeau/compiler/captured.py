"""A captured program: its graph, and what its inputs and outputs stand for."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..tensor import Tensor
from . import symbolic
from .graph import Graph, Value
from .joint import Joint
from .python_state import Surroundings
from .rebinding import Slot, SlotFacts


@dataclass(eq=False)
class Draw:
    """A draw of random numbers that each call repeats."""

    sampler: Callable[..., np.ndarray]
    shape: tuple[int, ...]
    dtype: np.dtype
    parameters: tuple[Any, ...]
    generator: Any

    def sample(self) -> np.ndarray:
        """The numbers of this call."""
        from ..random import default_generator

        generator = default_generator if self.generator is None else self.generator
        return self.sampler(generator, self.shape, self.dtype, *self.parameters)


@dataclass(frozen=True)
class Grad:
    """The ``grad`` that a tensor, or the argument at a position, has at the call."""

    owner: Any

    def tensor(self, tensors: Sequence[Tensor]) -> Tensor | None:
        """That gradient, in a call with the arguments ``tensors``."""
        owner = tensors[self.owner] if self.owner.__class__ is int else self.owner
        grad: Tensor | None = owner._grad
        return grad


@dataclass(frozen=True)
class View:
    """In what a program delivers: a view of another tensor.

    Attributes:
        base: what the view is taken of: a :class:`Result`, an :class:`Argument`, a Tensor or a
            :class:`Grad`.
        chain: the view operations that lead from it to the view, with their arguments.
        recorded: whether it is on the tape if its base is.
        part_of: the function that gave it along with other views.
    """

    base: Any
    chain: tuple[Any, ...]
    recorded: bool
    part_of: tuple[str, int] | None


@dataclass(eq=False)
class RangeCheck:
    """Elements of an input that must lie in ``[low, high)`` or be ``ignored``."""

    value: Value
    low: int
    high: int
    ignored: int | None
    error: Callable[[int], Exception]

    def condition(self) -> Value:
        """Whether some element does not."""
        outside = symbolic.logical_or(  # type: ignore[attr-defined]
            symbolic.lt(self.value, self.low),  # type: ignore[attr-defined]
            symbolic.ge(self.value, self.high),  # type: ignore[attr-defined]
        )
        if self.ignored is not None:
            wanted = symbolic.ne(self.value, self.ignored)  # type: ignore[attr-defined]
            outside = symbolic.logical_and(outside, wanted)  # type: ignore[attr-defined]
        return symbolic.any(outside, None, False)  # type: ignore[attr-defined]


@dataclass(eq=False)
class Program:
    """What a capture found: the graph, and what its inputs and outputs stand for.

    Attributes:
        graph: its inputs are those of ``sources``, its outputs those of ``results`` and ``grads``.
        sources: for each input an argument's position (int), a state (Tensor), a
            :class:`Grad`, a :class:`Draw`, a :class:`Hyperparameter`, a
            :class:`Slot` or a :class:`Moving`.
        result: what the function returned, with :class:`Result`, :class:`Argument`, :class:`View`,
            :class:`Grad` or the very tensor for each tensor of it.
        grads: pairs of a tensor, or an argument's position, and what becomes its ``grad``,
            described in the same way.
        cleared: tensors whose ``grad`` the program sets to None.
        had_grad: tensors (or positions) whose ``grad`` the program meets, and what must hold for
            it: None, a tensor that it must be, or True for any.
        updated: the tensors (or positions, or :class:`Grad`) that the program writes to.
        afterwards: what each call does when the program has run, with its arguments: schedules'
            steps.
        checks: of inputs, before anything is done.
        differentiable: outputs that are on the tape, with their symbolic tensors.
        joint: the backward program for those.
        spent: outputs whose backward pass the program has run itself, and what they are on the
            tape.
        training, guards, groups: module modes, plain Python values and optimizer options that the
            program was captured with.
        surroundings: names, containers, hooks and the structure of modules, likewise.
        derived: views of states that the program knows, and their arrays.
        rebound: the slots that the program puts other tensors into, and what those are.
        slots: what the slots hold before that.
        moved: the tensors whose ``data`` the program replaces, and the outputs that they become.
        named: the ids of the other tensors that the program's code can name, if there are slots.
    """

    graph: Graph
    sources: list[Any]
    result: Any
    grads: list[tuple[Any, Any]] = field(default_factory=list)
    cleared: list[Any] = field(default_factory=list)
    had_grad: list[tuple[Any, Any]] = field(default_factory=list)
    updated: list[Any] = field(default_factory=list)
    differentiable: list[tuple[int, Tensor]] = field(default_factory=list)
    checks: list[RangeCheck] = field(default_factory=list)
    afterwards: list[tuple[Callable[..., Any], tuple[Any, ...]]] = field(default_factory=list)
    joint: Joint | None = None
    spent: dict[int, Any] = field(default_factory=dict)
    training: list[tuple[Any, bool]] = field(default_factory=list)
    guards: list[tuple[Any, str, Any]] = field(default_factory=list)
    groups: list[tuple[dict[str, Any], dict[str, Any]]] = field(default_factory=list)
    surroundings: Surroundings | None = None
    derived: list[tuple[Tensor, Any]] = field(default_factory=list)
    rebound: list[tuple[Slot, Any]] = field(default_factory=list)
    slots: list[SlotFacts] = field(default_factory=list)
    named: frozenset[int] = frozenset()
    moved: list[tuple[Tensor, int]] = field(default_factory=list)

    def take_digests(self, same: Program) -> None:
        """Know the digests that another capture of this program knows."""
        self.graph.digest = same.graph.digest
        if self.joint is not None and same.joint is not None:
            self.joint.graph.digest = same.joint.graph.digest

    def forgotten_gradients(self) -> list[Any]:
        """Whose ``grad`` the program clears or replaces without a look at it, if it is large.

        Those can be let go before the program runs, as ``zero_grad`` does, so that their memory
        serves the new ones.
        """
        kept = [owner for owner, _ in self.had_grad]
        described = (self.result, self.grads, self.rebound, self.afterwards, self.sources)
        kept += [grad.owner for grad in _gradients_in((*described, self.updated))]
        known = {id(owner) if isinstance(owner, Tensor) else owner for owner in kept}
        made = {
            id(owner): owner
            for owner, d in self.grads
            if isinstance(owner, Tensor) and isinstance(d, Result)
            if self.graph.outputs[d.index].size >= _LARGE
        }
        return [owner for key, owner in made.items() if key not in known]


_LARGE = 1 << 14
"""Elements of a gradient that is worth being let go early."""


def _gradients_in(description: Any) -> Iterator[Grad]:
    """The gradients that a description speaks of."""
    if isinstance(description, Grad):
        yield description
        yield from _gradients_in(description.owner)
    elif isinstance(description, View):
        yield from _gradients_in(description.base)
    elif isinstance(description, dict):
        yield from _gradients_in(list(description.values()))
    elif isinstance(description, (tuple, list)):
        for part in description:
            yield from _gradients_in(part)


@dataclass(frozen=True)
class Result:
    """A tensor in a captured function's result: output ``index``, or the number in it."""

    index: int
    as_number: bool = False


@dataclass(frozen=True)
class Argument:
    """In a captured function's result: the tensor that was passed at this position."""

    position: int


__all__ = ["Argument", "Draw", "Grad", "Program", "RangeCheck", "Result", "View"]
