"""``jvp`` and ``linearize``: directional derivatives.

The vector-Jacobian product u -> u J is linear in u, so the derivative of its product with a tangent
t with respect to u is J t: a backward pass, recorded, and a backward pass through it.

Source: https://j-towns.github.io/2017/06/12/A-new-trick.html;
https://pytorch.org/docs/stable/generated/torch.func.jvp.html
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ..autograd.grad_mode import GRAD_MODE
from ..tensor import Tensor
from ..utils._pytree import tree_flatten, tree_structure, tree_unflatten
from .arguments import split_aux
from .gradients import gradients, zeros_like
from .inputs import Recording, as_input, as_inputs, depends_on_others, finish, settled


class _Linear:
    """The derivative of a function at a point, as a linear function of the inputs' tangents."""

    def __init__(self, inputs: list[Tensor], outputs: list[Tensor]) -> None:
        self.inputs = inputs
        self.outputs = outputs
        smooth = [t for t in outputs if t.requires_grad]
        self.cotangents = [as_input(zeros_like(t)) for t in smooth]
        self.pulled: tuple[Tensor, ...] = ()
        if smooth:
            self.pulled = gradients(smooth, inputs, self.cotangents, recorded=True)
        finish(self.cotangents)

    def __call__(self, tangents: list[Tensor], recording: bool) -> list[Tensor]:
        """The tangent of each output."""
        own = [*self.inputs, *self.cotangents]
        recorded = recording and (
            depends_on_others(tangents) or depends_on_others(self.pulled, own)
        )
        pushed: Iterator[Tensor] = iter(())
        if self.cotangents:
            pushed = iter(gradients(self.pulled, self.cotangents, tangents, recorded))
        return [next(pushed) if t.requires_grad else zeros_like(t) for t in self.outputs]


def _checked_primals(primals: Any, tangents: Any, call: str) -> list[Tensor]:
    """The leaves of ``tangents``, if they fit ``primals``."""
    if not isinstance(primals, tuple):
        raise RuntimeError(
            f"{call}: Expected primals to be a tuple. E.g. it should be valid to call f(*primals)."
        )
    leaves, spec = tree_flatten(primals)
    directions, tangents_spec = tree_flatten(tangents)
    if spec != tangents_spec:
        raise RuntimeError(
            f"{call}: Expected primals and tangents to have the same python structure. For "
            "example, if primals is a tuple of 3 tensors, tangents also must be. Got primals with "
            f"structure {spec} and tangents with structure {tangents_spec}"
        )
    for name, values in (("primals", leaves), ("tangents", directions)):
        if not values:
            raise RuntimeError(f"{call}: Expected {name} to contain at least one Tensor.")
        for value in values:
            if not isinstance(value, Tensor):
                raise RuntimeError(
                    f"{call}: Expected {name} to only contain Tensors, got {type(value)}"
                )
    for primal, tangent in zip(leaves, directions):
        if tuple(primal.shape) != tuple(tangent.shape):
            raise RuntimeError(
                f"{call}: Expected primals and tangents of the same shapes, got a primal of shape "
                f"{list(primal.shape)} with a tangent of shape {list(tangent.shape)}"
            )
    return directions


def _tensor_outputs(output: Any, call: str) -> tuple[list[Tensor], Any]:
    outputs, spec = tree_flatten(output)
    if not outputs:
        raise RuntimeError(
            f"{call}: Expected f to be a function that has non-empty output (got output = {output})"
        )
    for leaf in outputs:
        if not isinstance(leaf, Tensor):
            raise RuntimeError(
                f"{call}: expected f(*primals) to return only tensors, got unsupported type "
                f"{type(leaf)}"
            )
    return outputs, spec


def jvp(
    func: Callable[..., Any],
    primals: Any,
    tangents: Any,
    *,
    strict: bool = False,
    has_aux: bool = False,
) -> Any:
    """The value of ``func(*primals)`` and its derivative along ``tangents``.

    Args:
        func: returns tensors.
        primals: a tuple of its arguments, trees of tensors.
        tangents: the direction, in the structure of ``primals``.
        strict: refuse a function whose output does not depend on the primals.
        has_aux: whether ``func`` returns ``(output, aux)``.

    Returns:
        ``(output, tangent of the output)`` or ``(output, tangent of the output, aux)``.

    Raises:
        RuntimeError: structures or shapes do not fit; ``func`` returns what is no tensor.

    Source: https://pytorch.org/docs/stable/generated/torch.func.jvp.html
    """
    call = "jvp(f, primals, tangents)"
    directions = _checked_primals(primals, tangents, call)
    inputs, tree = as_inputs(primals)
    with Recording() as recording:
        try:
            output, aux = split_aux(func(*tree), has_aux, call)
            outputs, spec = _tensor_outputs(output, call)
            if strict and not all(t.requires_grad for t in outputs):
                raise RuntimeError(
                    "jvp(f, primals, tangents, strict=True): The output of f is independent of "
                    "the inputs. This is not allowed with strict=True."
                )
            linear = _Linear(inputs, outputs)
        finally:
            finish(inputs)
        pushed = linear(directions, recording)
    value = settled(output, recording)
    tangent = settled(tree_unflatten(pushed, spec), recording)
    return (value, tangent, settled(aux, recording)) if has_aux else (value, tangent)


def linearize(func: Callable[..., Any], *primals: Any) -> tuple[Any, Callable[..., Any]]:
    """The value of ``func(*primals)``, and its derivative there as a function of tangents.

    ``func`` runs once; the returned function may be called many times, and inside ``vmap``.

    Args:
        func: returns tensors.
        primals: its arguments, trees of tensors.

    Returns:
        ``(output, jvp_fn)``; ``jvp_fn(*tangents)`` gives the tangent of the output.

    Raises:
        RuntimeError: (from ``jvp_fn``) tangents of other shapes or dtypes than the primals.

    Source: https://pytorch.org/docs/stable/generated/torch.func.linearize.html
    """
    call = "linearize(f, *primals)"
    inputs, tree = as_inputs(primals)
    with Recording() as recording:
        try:
            output = func(*tree)
            outputs, spec = _tensor_outputs(output, call)
            linear = _Linear(inputs, outputs)
        finally:
            finish(inputs)
    primals_spec = tree_structure(primals)

    def jvp_fn(*tangents: Any) -> Any:
        """The derivative along ``tangents``."""
        leaves, tangents_spec = tree_flatten(tangents)
        if tangents_spec != primals_spec:
            raise RuntimeError(
                f"Expected the tangents {tangents_spec} to have the same argspec as the primals "
                f"{primals_spec}"
            )
        for leaf, primal in zip(leaves, inputs):
            if tuple(leaf.shape) != tuple(primal.shape) or leaf.dtype is not primal.dtype:
                raise RuntimeError(
                    f"Expected a tangent of shape {list(primal.shape)} and {primal.dtype} as its "
                    f"primal, got shape {list(leaf.shape)} and {leaf.dtype}"
                )
        now = GRAD_MODE.enabled
        with Recording():
            pushed = linear(leaves, now)
        return settled(tree_unflatten(pushed, spec), now)

    return settled(output, recording), jvp_fn
