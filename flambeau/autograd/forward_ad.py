"""Forward-mode differentiation with dual tensors (``torch.autograd.forward_ad``).

A dual tensor is its primal under a new identity, from which the tape records.  The tangent of what
was computed from it is found when it is asked for, by two backward passes: u J is linear in u, and
its product with the tangent t has J t as derivative.

Source: https://docs.pytorch.org/tutorials/intermediate/forward_ad_usage.html;
https://j-towns.github.io/2017/06/12/A-new-trick.html
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

from ..tensor import Tensor, wrap
from . import function
from .backward import grad
from .grad_mode import GRAD_MODE, no_grad
from .node import Node, next_sequence

__all__ = [
    "UnpackedDualTensor", "dual_level", "enter_dual_level", "exit_dual_level", "make_dual",
    "unpack_dual",
]  # fmt: skip


class UnpackedDualTensor(NamedTuple):
    """What :func:`unpack_dual` returns.

    Attributes:
        primal: the values.
        tangent: their derivative along the tangents that the level's duals were made with, or None.
    """

    primal: Tensor
    tangent: Tensor | None


class _DualNode(Node):
    """The node of a dual tensor, behind it what its primal was computed from."""

    def __init__(self, primal: Tensor) -> None:
        self._sequence = next_sequence()
        if primal.requires_grad:
            self.edges = (primal._node if primal._node is not None else primal,)

    def backward(self, xp: Any, grad: Any) -> tuple[Any, ...]:
        return (grad,) if self.edges else ()

    def backward_recorded(self, grad: Any) -> tuple[Any, ...]:
        return (grad,) if self.edges else ()


class _Level:
    """The dual tensors of the level, and what they were made of."""

    def __init__(self) -> None:
        self.made: list[tuple[Tensor, Tensor, Tensor]] = []
        self.recording_outside = GRAD_MODE.enabled


_levels: list[_Level] = []


def enter_dual_level() -> int:
    """Begin a level, outside of which dual tensors have no tangents.

    Returns:
        Its number, 0.

    Raises:
        RuntimeError: in a level already.
    """
    if _levels:
        raise RuntimeError(
            "Nested forward mode AD is not supported at the moment. torch.func.jvp nests."
        )
    _levels.append(_Level())
    GRAD_MODE.enabled = True
    function.forward_rule = _apply_forwards
    return 0


def exit_dual_level(*, level: int | None = None) -> None:
    """End the level: tangents are gone from now on.

    Args:
        level: its number, the current one by default.

    Raises:
        RuntimeError: there is no such level.
    """
    if not _levels or level not in (None, 0):
        raise RuntimeError(
            "Trying to exit a forward AD level that was not the last one that was created. This "
            "is not supported."
        )
    GRAD_MODE.enabled = _levels.pop().recording_outside
    function.forward_rule = None


class dual_level:
    """Context manager: a level of forward-mode differentiation.

    Operations in it are recorded, also where gradients are switched off outside.
    """

    def __enter__(self) -> int:
        return enter_dual_level()

    def __exit__(self, *exc_info: object) -> None:
        exit_dual_level()


def make_dual(tensor: Tensor, tangent: Tensor, *, level: int | None = None) -> Tensor:
    """``tensor`` with a tangent, of the same memory.

    Args:
        tensor: (*), of a floating-point or complex dtype: the primal.
        tangent: (*), of the same dtype: the direction of derivatives.
        level: the current one.

    Returns:
        (*); what is computed from it has a tangent, which :func:`unpack_dual` gives.

    Raises:
        RuntimeError: outside a level, or shapes and dtypes do not agree.
        ValueError: the primal is of whole numbers.
    """
    if not _levels:
        raise RuntimeError(
            "Trying to create a dual Tensor for forward AD but no level exists, make sure to "
            "enter_dual_level() first."
        )
    for what, value in (("primal", tensor), ("tangent", tangent)):
        if not (value.is_floating_point() or value.is_complex()):
            raise ValueError(
                f"Expected {what} to be floating point or complex, but got: {value.dtype}"
            )
    if tensor.shape != tangent.shape:
        raise RuntimeError(
            "Expected the tangent to have the shape of the primal, but got "
            f"{list(tangent.shape)} for a primal of {list(tensor.shape)}"
        )
    if tensor.dtype is not tangent.dtype:
        raise RuntimeError(
            f"Expected the tangent to have the dtype of the primal, but got {tangent.dtype} for a "
            f"primal of {tensor.dtype}"
        )
    if not GRAD_MODE.enabled:
        raise RuntimeError(
            "make_dual(): operations are not recorded under torch.no_grad(), so that tangents "
            "would be lost; leave out no_grad() within the level"
        )
    dual = wrap(tensor._array)
    dual._node = _DualNode(tensor)
    dual._requires_grad = True
    _levels[-1].made.append((dual, tensor, tangent))
    return dual


def unpack_dual(tensor: Tensor, *, level: int | None = None) -> UnpackedDualTensor:
    """The values of ``tensor``, and its derivative along the tangents of the level's duals.

    Args:
        tensor: (*).
        level: the current one.

    Returns:
        A named tuple ``(primal, tangent)``; the tangent is None if it depends on no dual tensor.
    """
    if not _levels or not tensor.requires_grad:
        return UnpackedDualTensor(tensor, None)
    made = _levels[-1].made
    for dual, primal, tangent in made:
        if dual is tensor:
            return UnpackedDualTensor(primal, tangent)
    outside = _reaches_a_leaf([tensor, *(tangent for _, _, tangent in made)])
    pushed = _pushed(tensor, made, outside)
    if pushed is None:
        return UnpackedDualTensor(tensor, None)
    return UnpackedDualTensor(tensor if outside else tensor.detach(), pushed)  # type: ignore[attr-defined]


def _pushed(
    tensor: Tensor, made: Sequence[tuple[Tensor, Tensor, Tensor]], recorded: bool
) -> Tensor | None:
    """The tangent of ``tensor``, with a history of its own if ``recorded``."""
    if not made:
        return None
    cotangent: Tensor = tensor.new_zeros(tensor.shape).requires_grad_()  # type: ignore[attr-defined]
    pulled = grad(
        tensor, [dual for dual, _, _ in made], cotangent, create_graph=True, allow_unused=True
    )
    found = [(g, tangent) for g, (_, _, tangent) in zip(pulled, made) if g is not None]
    if not found:
        return None
    linear = [(g, tangent) for g, tangent in found if g.requires_grad]
    if not linear:
        return cotangent.detach()  # type: ignore[attr-defined]
    return grad(
        [g for g, _ in linear], cotangent, [tangent for _, tangent in linear],
        retain_graph=True, create_graph=recorded, materialize_grads=True,
    )[0]  # fmt: skip


def _reaches_a_leaf(tensors: Sequence[Tensor]) -> bool:
    """Whether one of ``tensors`` depends on a leaf that requires grad, by way of duals or not."""
    stack: list[Any] = [t._node if t._node is not None else t for t in tensors if t.requires_grad]
    seen: set[int] = set()
    while stack:
        edge = stack.pop()
        if edge._sequence == 0:
            return True
        if id(edge) not in seen:
            seen.add(id(edge))
            stack.extend(e for e in edge.edges if e is not None)
    return False


def _apply_forwards(cls: Any, context: Any, args: tuple[Any, ...], kwargs: Any) -> Any:
    """The call of a custom function by its own ``jvp``; None if no argument has a tangent."""
    tangents = [unpack_dual(a).tangent if isinstance(a, Tensor) else None for a in args]
    if all(tangent is None for tangent in tangents):
        return None
    with no_grad():
        if cls.setup_context is not function.Function.setup_context:
            output = cls.forward(*args, **kwargs)
            cls.setup_context(context, args, output)
        else:
            output = cls.forward(context, *args, **kwargs)
        context.keep_for_forward()
        if context.materialize_grads:
            tangents = [
                a.new_zeros(a.shape)  # type: ignore[attr-defined]
                if t is None and isinstance(a, Tensor) and a._array.dtype.kind in "fcV"
                else t
                for a, t in zip(args, tangents)
            ]
        found = cls.jvp(context, *tangents)
    many = isinstance(output, (tuple, list))
    items = list(output) if many else [output]
    pushed = list(found) if isinstance(found, (tuple, list)) else [found]
    results = [
        make_dual(item.detach(), tangent)
        if isinstance(item, Tensor) and tangent is not None
        else item
        for item, tangent in zip(items, pushed)
    ]  # type: ignore[attr-defined]
    return type(output)(results) if many else results[0]
