"""The inputs that a transform differentiates with respect to.

Each is the argument under a new identity: a tensor of the same memory whose node is the transform's
own.  Derivatives with respect to that node see the uses through the argument and no others, which
is what keeps nested transforms apart.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from ..autograd import batching
from ..autograd.grad_mode import GRAD_MODE
from ..autograd.node import Node, next_sequence
from ..tensor import Tensor
from ..utils._pytree import tree_flatten, tree_map, tree_unflatten
from .active_levels import active_levels

new_object = object.__new__


class InputNode(Node):
    """The node of a transform's input.

    Attributes:
        active: whether the transform is still running its function.
    """

    def __init__(self, tensor: Tensor) -> None:
        self._sequence = next_sequence()
        self.active = True
        if tensor._requires_grad:
            self.edges = (tensor._node if tensor._node is not None else tensor,)

    def backward(self, xp: Any, grad: Any) -> tuple[Any, ...]:
        return (grad,) if self.edges else ()

    def backward_recorded(self, grad: Any) -> tuple[Any, ...]:
        return (grad,) if self.edges else ()

    def name(self) -> str:
        return "InputBackward0"


def as_input(tensor: Any) -> Tensor:
    """``tensor`` under a new identity, inside all levels of ``vmap`` that the program is in.

    Raises:
        ValueError: it is no tensor.
        RuntimeError: it is neither floating-point nor complex.
    """
    if not isinstance(tensor, Tensor):
        raise ValueError(f"Thing passed to transform API must be Tensor, got {type(tensor)}")
    if tensor._array.dtype.kind not in "fcV":
        raise RuntimeError(
            "Only Tensors of floating point and complex dtype can require gradients, this one is "
            f"{tensor.dtype}"
        )
    if tensor._base is not None:
        tensor._refresh()
    levels = active_levels()
    source = batching.lift(tensor, levels) if levels else tensor
    result = new_object(Tensor)
    result._array = source._array
    result._node = InputNode(source) if GRAD_MODE.enabled else InputNode(_without_history(source))
    result._requires_grad = True
    return result


def as_inputs(tree: Any) -> tuple[list[Tensor], Any]:
    """The leaves of ``tree`` as inputs, and the tree of them."""
    leaves, spec = tree_flatten(tree)
    inputs = [as_input(leaf) for leaf in leaves]
    return inputs, tree_unflatten(inputs, spec)


def finish(inputs: Iterable[Tensor]) -> None:
    """The transform has run its function on ``inputs``."""
    for tensor in inputs:
        node = tensor._node
        assert isinstance(node, InputNode)
        node.active = False


def _without_history(tensor: Tensor) -> Tensor:
    result = new_object(Tensor)
    result._array = tensor._array
    return result


def depends_on_others(tensors: Iterable[Any], own: Sequence[Tensor] = ()) -> bool:
    """Whether ``tensors`` depend on anything that requires grad other than a transform's inputs.

    That is a leaf of the tape, or an input of an enclosing transform that still runs (one of
    ``own`` does not count, but what it was made of does).
    """
    mine = {id(t._node) for t in own}
    seen: set[int] = set()
    stack: list[Any] = []
    for tensor in tensors:
        if isinstance(tensor, Tensor) and tensor.requires_grad:
            stack.append(tensor._node if tensor._node is not None else tensor)
    while stack:
        edge = stack.pop()
        if edge._sequence == 0:
            return True
        if id(edge) in seen:
            continue
        seen.add(id(edge))
        if edge.__class__ is InputNode and edge.active and id(edge) not in mine:
            return True
        stack.extend(e for e in edge.edges if e is not None)
    return False


def settled(tree: Any, recording: bool) -> Any:
    """``tree`` of results as the caller sees them: without history that is only a transform's own.

    Args:
        recording: whether the caller records operations at all.
    """

    def settle(result: Any) -> Any:
        if not isinstance(result, Tensor) or not result.requires_grad:
            return result
        if recording and depends_on_others((result,)):
            return result
        return _without_history(result)

    return tree_map(settle, tree)


class Recording:
    """Context manager: inside a derivative; operations are recorded, whatever was outside."""

    def __enter__(self) -> bool:
        self.outside = GRAD_MODE.enabled
        GRAD_MODE.enabled = True
        GRAD_MODE.transforms += 1
        return self.outside

    def __exit__(self, *exc_info: object) -> None:
        GRAD_MODE.enabled = self.outside
        GRAD_MODE.transforms -= 1
