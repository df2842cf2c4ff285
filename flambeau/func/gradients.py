"""``grad``, ``grad_and_value`` and ``vjp``: derivatives by a backward pass.

The backward pass is recorded where its result depends on something that is differentiated
elsewhere: an input of an enclosing transform, or a tensor outside that requires grad.

Source: https://pytorch.org/docs/stable/func.api.html
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from typing import Any

from ..autograd.backward import grad as gradients_of
from ..autograd.grad_mode import GRAD_MODE
from ..tensor import Tensor
from ..utils._pytree import tree_flatten, tree_structure, tree_unflatten
from .arguments import Argnums, replaced, selected, split_aux
from .inputs import Recording, as_inputs, depends_on_others, finish, settled


def gradients(
    outputs: Sequence[Tensor],
    inputs: Sequence[Tensor],
    cotangents: Sequence[Any] | None,
    recorded: bool,
    retain_graph: bool = True,
) -> tuple[Tensor, ...]:
    """The gradient for each of ``inputs``, zeros where no output depends on it."""
    pairs = [
        (output, None if cotangents is None else cotangents[i])
        for i, output in enumerate(outputs)
        if output.requires_grad
    ]
    if not pairs:
        return tuple(zeros_like(t) for t in inputs)
    return gradients_of(
        [output for output, _ in pairs], inputs, [start for _, start in pairs],
        retain_graph=retain_graph or recorded, create_graph=recorded, allow_unused=True,
        materialize_grads=True,
    )  # fmt: skip


def zeros_like(tensor: Tensor) -> Tensor:
    """Zeros of the shape and dtype of ``tensor``, the same for all members of a batch."""
    import numpy as np

    from ..tensor import wrap

    return wrap(np.zeros(tuple(tensor._array.shape), tensor._array.dtype))


def grad_and_value(
    func: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False
) -> Callable[..., tuple[Any, Any]]:
    """A function that computes the gradient of ``func``, and its value.

    Args:
        func: returns a tensor of one element without dims (and more, if ``has_aux``).
        argnums: which argument(s) to differentiate with respect to; trees of tensors.
        has_aux: whether ``func`` returns ``(output, aux)``.

    Returns:
        a function of the same arguments: ``(gradient, output)``, or
        ``(gradient, (output, aux))``.  The gradient has the structure of the argument, or is a
        tuple if ``argnums`` is one.

    Raises:
        RuntimeError: ``func`` does not return a tensor without dims; ``argnums`` does not fit.

    Source: https://pytorch.org/docs/stable/generated/torch.func.grad_and_value.html
    """

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> tuple[Any, Any]:
        inputs, tree = as_inputs(selected(args, argnums))
        call = "grad_and_value(f)(*args)"
        with Recording() as recording:
            try:
                returned = func(*replaced(args, argnums, tree), **kwargs)
                output, aux = split_aux(returned, has_aux, call)
                _check_scalar(output, call)
                recorded = recording and depends_on_others((output,), inputs)
                found = gradients((output,), inputs, None, recorded, retain_graph=False)
            finally:
                finish(inputs)
        gradient = settled(tree_unflatten(found, tree_structure(tree)), recording)
        value = settled(output, recording)
        return gradient, (value, settled(aux, recording)) if has_aux else value

    return wrapped


def _check_scalar(output: Any, call: str) -> None:
    if not isinstance(output, Tensor):
        raise RuntimeError(f"{call}: Expected f(*args) to return a Tensor, got {type(output)}")
    if output.dim():
        raise RuntimeError(
            f"{call}: Expected f(*args) to return a scalar Tensor, got tensor with {output.dim()} "
            f"dims. Maybe you wanted to use the vjp or jacrev APIs instead? (Its shape is "
            f"{list(output.shape)}.)"
        )


def grad(
    func: Callable[..., Any], argnums: Argnums = 0, has_aux: bool = False
) -> Callable[..., Any]:
    """A function that computes the gradient of ``func``.

    Args:
        func: returns a tensor of one element without dims (and more, if ``has_aux``).
        argnums: which argument(s) to differentiate with respect to; trees of tensors.
        has_aux: whether ``func`` returns ``(output, aux)``.

    Returns:
        a function of the same arguments: the gradient, in the structure of the argument (a tuple
        if ``argnums`` is one), or ``(gradient, aux)``.

    Raises:
        RuntimeError: ``func`` does not return a tensor without dims; ``argnums`` does not fit.

    Source: https://pytorch.org/docs/stable/generated/torch.func.grad.html
    """
    both = grad_and_value(func, argnums, has_aux)

    @functools.wraps(func)
    def wrapped(*args: Any, **kwargs: Any) -> Any:
        gradient, value = both(*args, **kwargs)
        return (gradient, value[1]) if has_aux else gradient

    return wrapped


class Pullback:
    """What :func:`vjp` returns: from cotangents of the outputs to those of the inputs."""

    def __init__(self, inputs: list[Tensor], tree: Any, outputs: Any, call: str) -> None:
        self.inputs = inputs
        self.spec = tree_structure(tree)
        self.outputs, self.output_spec = tree_flatten(outputs)
        for output in self.outputs:
            if not isinstance(output, Tensor):
                raise RuntimeError(
                    f"{call}: Expected output of f to be a Tensor or Tensors, got "
                    f"{type(output)} as an output"
                )
            if output._array.dtype.kind not in "fcV":
                raise RuntimeError(
                    f"{call}: All outputs of f must be floating-point or complex Tensors, got "
                    f"Tensor with dtype {output.dtype}"
                )

    def __call__(
        self, cotangents: Any, retain_graph: bool = True, create_graph: bool | None = None
    ) -> Any:
        leaves, spec = tree_flatten(cotangents)
        if spec != self.output_spec:
            raise RuntimeError(
                "Expected pytree structure of cotangents to be the same as pytree structure of "
                f"outputs to the function. cotangents: {spec}, primal output: {self.output_spec}"
            )
        recording = GRAD_MODE.enabled if create_graph is None else create_graph
        recorded = recording and (
            depends_on_others(leaves) or depends_on_others(self.outputs, self.inputs)
        )
        found = gradients(self.outputs, self.inputs, leaves, recorded, retain_graph)
        return settled(tree_unflatten(found, self.spec), recording)


def vjp(func: Callable[..., Any], *primals: Any, has_aux: bool = False) -> Any:
    """The value of ``func(*primals)``, and a function for the vector-Jacobian products there.

    Args:
        func: returns tensors.
        primals: its arguments, trees of tensors.
        has_aux: whether ``func`` returns ``(output, aux)``.

    Returns:
        ``(output, vjp_fn)`` or ``(output, vjp_fn, aux)``.  ``vjp_fn`` takes cotangents in the
        structure of the output and returns those of the primals, a tuple even of one.  It may be
        called many times, and inside ``vmap``.

    Raises:
        RuntimeError: ``func`` returns something else than floating-point tensors.

    Source: https://pytorch.org/docs/stable/generated/torch.func.vjp.html
    """
    inputs, tree = as_inputs(primals)
    call = "vjp(f, *primals)"
    with Recording() as recording:
        try:
            output, aux = split_aux(func(*tree), has_aux, call)
        finally:
            finish(inputs)
    pullback = Pullback(inputs, tree, output, "vjp(f, ...)")
    value = settled(output, recording)
    return (value, pullback, settled(aux, recording)) if has_aux else (value, pullback)
