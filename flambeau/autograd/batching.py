"""Tensors going into, out of and through a ``vmap``, on the tape.

Inside a ``vmap`` a tensor's array is a :class:`~flambeau.namespaces.batched_array.BatchedArray`,
and its gradient is one for each member of the batch.  A tensor from outside has one gradient, the
sum over the members: whenever an operation inside takes one that requires grad, it is *lifted*
first, and the gradient of the lifting is that sum.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, NamedTuple

from ..modes import MODES
from ..namespaces import batched
from ..namespaces.batched_array import (
    BatchedArray,
    Level,
    as_batched,
    entered,
    left,
    lifted,
    merged_levels,
    plain,
    summed,
)
from ..tensor import Tensor
from .grad_mode import GRAD_MODE
from .node import Node, next_sequence
from .slots import SlotGradients

new_object = object.__new__


class _StepNode(Node):
    """The node of a linear step: its gradient is the transposed step."""

    def __init__(self, tensor: Tensor, transposed: Callable[[Tensor], Tensor]) -> None:
        self._sequence = next_sequence()
        self.edges = (tensor._node if tensor._node is not None else tensor,)
        self.transposed = transposed

    def backward(self, xp: Any, grad: Any) -> tuple[Any, ...]:
        tensor = new_object(Tensor)
        tensor._array = grad
        return (self.transposed(tensor)._array,)

    def backward_recorded(self, grad: Any) -> tuple[Any, ...]:
        return (self.transposed(grad),)

    def name(self) -> str:
        return "BatchBackward0"


def _made(array: Any, source: Tensor, transposed: Callable[[Tensor], Tensor]) -> Tensor:
    tensor = new_object(Tensor)
    tensor._array = array
    if source._requires_grad and GRAD_MODE.enabled:
        tensor._node = _StepNode(source, transposed)
        tensor._requires_grad = True
    return tensor


def _array(tensor: Tensor) -> Any:
    if tensor._base is not None:
        tensor._refresh()
    return tensor._array if MODES.capture is None else MODES.capture.array_of(tensor)


class _Entering:
    """Entering as the operation of a view record: the member's tensors are views of the batch."""

    name = "enter_batch"

    @staticmethod
    def forward(xp: Any, array: Any, level: Level, dim: int) -> Any:
        return entered(array, level, dim)

    @staticmethod
    def function(tensor: Tensor, level: Level, dim: int) -> Tensor:
        return enter(tensor, level, dim)

    @staticmethod
    def scatter(xp: Any, base: Any, values: Any, level: Level, dim: int) -> Any:
        return left(values, level, dim)


def enter(tensor: Tensor, level: Level, dim: int) -> Tensor:
    """``tensor`` inside ``level``: its dim ``dim`` is the batch, which no operation sees."""
    array = _array(tensor)
    result = _made(entered(array, level, dim), tensor, lambda grad: leave(grad, level, dim))
    result._base = tensor if tensor._base is None else tensor._base
    result._seen = result._base._rebased
    result._view = (_Entering, tensor, (level, dim))  # type: ignore[assignment]
    return result


def leave(tensor: Tensor, level: Level, dim: int) -> Tensor:
    """``tensor`` outside ``level``: its batch is dim ``dim``."""
    array = _array(tensor)
    if array.__class__ is not BatchedArray or level not in array.levels:
        tensor = lift(tensor, (level,))
        array = tensor._array
    return _made(left(array, level, dim), tensor, lambda grad: _entered(grad, level, dim))


def _entered(tensor: Tensor, level: Level, dim: int) -> Tensor:
    """:func:`enter` of a gradient, which is no view."""
    return _made(entered(tensor._array, level, dim), tensor, lambda grad: leave(grad, level, dim))


def lift(tensor: Tensor, levels: tuple[Level, ...]) -> Tensor:
    """``tensor`` as one for each member of those of ``levels`` that it is outside of."""
    array = _array(tensor)
    have = array.levels if array.__class__ is BatchedArray else ()
    added = tuple(level for level in levels if level not in have)
    if not added and array.__class__ is BatchedArray:
        return tensor
    bare = array.__class__ is not BatchedArray
    return _made(lifted(array, added), tensor, lambda grad: _summed(grad, added, bare))


def _summed(tensor: Tensor, levels: tuple[Level, ...], bare: bool) -> Tensor:
    """The sum over the members of ``levels``; as a bare array where no other level is left."""
    total = summed(tensor._array, levels)
    return _made(plain(total) if bare else as_batched(total), tensor, lambda grad: grad)


def levels_of(*tensors: Any) -> tuple[Level, ...]:
    """All levels that the tensors are inside of."""
    return merged_levels([t._array for t in tensors if isinstance(t, Tensor)])


def lift_operands(operation: Any, values: Sequence[Any], arrays: Sequence[Any]) -> Sequence[Any]:
    """The operands of an operation that has batched ones, those that require grad lifted.

    It is ``values`` itself if there is nothing to lift.
    """
    levels = merged_levels(arrays)
    changed = False

    def raised(value: Any) -> Any:
        nonlocal changed
        if not isinstance(value, Tensor) or not value._requires_grad:
            return value
        result = lift(value, levels)
        changed = changed or result is not value
        return result

    results = []
    for parameter, value in zip(operation.parameters, values):
        if parameter.kind == "arrays":
            results.append([raised(v) for v in value])
        else:
            results.append(raised(value) if parameter.is_tensor else value)
    return results if changed else values


batched.lift_operands = lift_operands  # type: ignore[attr-defined]


def lift_arguments(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """The arguments of a user's function, its tensors that require grad lifted."""
    levels = levels_of(*arguments)
    return tuple(
        lift(a, levels) if isinstance(a, Tensor) and a.requires_grad else a for a in arguments
    )


class VmapInfo(NamedTuple):
    """What the ``vmap`` method of a user's function is told of the batch."""

    batch_size: int
    randomness: str


def applied_by_rule(function: Any, arguments: tuple[Any, ...]) -> Any:
    """A user's function by its ``vmap`` method, outside of the innermost level of its arguments."""
    level = levels_of(*arguments)[-1]
    dims = tuple(
        0
        if isinstance(a, Tensor)
        and _array(a).__class__ is BatchedArray
        and level in _array(a).levels
        else None
        for a in arguments
    )
    outside = [a if dim is None else leave(a, level, dim) for a, dim in zip(arguments, dims)]
    active = MODES.transforms
    MODES.transforms = None if active is None else active.without(level)
    try:
        found = function.vmap(VmapInfo(level.size, level.randomness), dims, *outside)
    finally:
        MODES.transforms = active
    if not (isinstance(found, tuple) and len(found) == 2):
        raise RuntimeError(
            f"{function.__name__}.vmap returned {type(found).__name__}: expected a pair, the "
            "results and their dims that are the batch"
        )
    results, out_dims = found
    if not isinstance(results, (tuple, list)):
        return _back(results, level, out_dims)
    if not isinstance(out_dims, (tuple, list)):
        out_dims = (out_dims,) * len(results)
    return tuple(_back(r, level, dim) for r, dim in zip(results, out_dims, strict=True))


def _back(result: Any, level: Level, dim: int | None) -> Any:
    """A result of a ``vmap`` method inside ``level`` again."""
    if dim is None or not isinstance(result, Tensor):
        return result
    return _entered(result, level, dim % result.dim())


@cache
def inside(node_class: type[Node]) -> type[Node]:
    """``node_class`` for an operation on batched arrays: its gradients are such, too.

    A gradient that is the same for all members may arrive as a bare array.
    """
    if issubclass(node_class, _Inside):
        return node_class
    return type(node_class.__name__, (_Inside, node_class), {})


class _Inside(Node):
    def backward(self, xp: Any, grad: Any) -> tuple[Any, ...]:
        if grad.__class__ is SlotGradients:
            grad = SlotGradients({i: as_batched(g) for i, g in grad.grads.items()})
        else:
            grad = as_batched(grad)
        return super().backward(batched, grad)

    def backward_recorded(self, grad: Any) -> tuple[Any, ...]:
        if grad.__class__ is SlotGradients:
            grad = SlotGradients({i: lift(g, ()) for i, g in grad.grads.items()})
        else:
            grad = lift(grad, ())
        return super().backward_recorded(grad)
