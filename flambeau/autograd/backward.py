"""``backward`` and ``grad``: the two ways to ask for gradients.

Source: https://pytorch.org/docs/stable/autograd.html
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from ..namespaces import namespace_of
from ..tensor import tensor as tensors
from . import engine
from .grad_mode import GRAD_MODE

if TYPE_CHECKING:
    from ..tensor import Tensor

_ONE = {np.dtype(t): np.ones((), t) for t in (np.float32, np.float64)}
"""The gradient of a loss with respect to itself."""


def _as_tuple(given: Any) -> tuple[Any, ...]:
    if isinstance(given, (tuple, list)):
        return tuple(given)
    if isinstance(given, tensors.Tensor) or not isinstance(given, Iterable):
        return (given,)
    return tuple(given)  # a dict's values, a generator


def _initial_gradient(tensor: Tensor, gradient: Any, create_graph: bool) -> Any:
    """The gradient to start from at ``tensor``: an array, or a Tensor if ``create_graph``."""
    array = tensor._array
    if gradient is None:
        if array.__class__ is np.ndarray and array.ndim == 0 and not create_graph:
            one = _ONE.get(array.dtype)
            if one is not None:
                return one
        if array.size != 1:
            raise RuntimeError(
                "grad can be implicitly created only for scalar outputs (this one has shape "
                f"{list(array.shape)}; pass its gradient, or reduce it with .sum() or .mean())"
            )
        if array.dtype.kind not in "fV":
            raise RuntimeError(
                "grad can be implicitly created only for real scalar outputs but got "
                f"{tensor.dtype}"
            )
        ones = namespace_of(array).full(tuple(array.shape), 1, array.dtype)
        return tensors.wrap(ones) if create_graph else ones
    if not isinstance(gradient, tensors.Tensor):
        raise TypeError(
            f"gradients can be either Tensors or None, but got {type(gradient).__name__}"
        )
    if tuple(gradient._array.shape) != tuple(array.shape):
        raise RuntimeError(
            f"Mismatch in shape: grad_output[0] has a shape of {gradient.shape} and output[0] has "
            f"a shape of {tensor.shape}."
        )
    if create_graph:
        return gradient
    start = gradient._array
    return start if start.dtype == array.dtype else namespace_of(start).astype(start, array.dtype)


def _root_edge(tensor: Tensor) -> Any:
    if not isinstance(tensor, tensors.Tensor):
        raise TypeError(f"expected a Tensor to differentiate, got {type(tensor).__name__}")
    if tensor._base is not None:
        tensor._refresh()
    if not tensor._requires_grad:
        raise RuntimeError("element 0 of tensors does not require grad and does not have a grad_fn")
    return tensor if tensor._node is None else tensor._node


class _Pass(threading.local):
    """The calling thread's backward pass: whether it is for some tensors' gradients only."""

    partial = False


PASS = _Pass()


class _Partial:
    """Context manager: a backward pass for some tensors' gradients only."""

    def __enter__(self) -> None:
        self.before = PASS.partial
        PASS.partial = True

    def __exit__(self, *exc_info: object) -> None:
        PASS.partial = self.before


class _Recording:
    """Whether what a backward pass does is itself recorded."""

    __slots__ = ("mode", "previous")

    def __init__(self, mode: bool) -> None:
        self.mode = mode

    def __enter__(self) -> None:
        self.previous = GRAD_MODE.enabled
        GRAD_MODE.enabled = self.mode

    def __exit__(self, *exc_info: object) -> None:
        GRAD_MODE.enabled = self.previous


def backward(
    tensors: Tensor | Sequence[Tensor],
    grad_tensors: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    grad_variables: Any = None,
    inputs: Any = None,
) -> None:
    """Add the gradients of ``tensors`` with respect to the leaves to the leaves' ``grad``.

    Args:
        tensors: what to differentiate.
        grad_tensors: the gradient with respect to each; None for those of one element.
        retain_graph: keep the graph for another pass (default: create_graph).
        create_graph: record the computation of the gradients, so that they have gradients.
        grad_variables: the old name of ``grad_tensors``.
        inputs: the only tensors whose ``grad`` is added to (leaves or not).

    Raises:
        RuntimeError: a tensor does not require grad, has several elements and no gradient given,
            or its graph has been freed by an earlier pass.
    """
    if retain_graph is None:
        retain_graph = create_graph
    many = tensors.__class__ is tuple or tensors.__class__ is list
    roots: Any = tuple(tensors) if many else (tensors,)  # type: ignore[arg-type]
    if grad_tensors is None:
        grad_tensors = grad_variables
    gradients = (None,) * len(roots) if grad_tensors is None else _as_tuple(grad_tensors)
    if len(gradients) != len(roots):
        raise RuntimeError(f"got {len(roots)} tensors and {len(gradients)} gradients")
    edges = [_root_edge(t) for t in roots]
    starts = [_initial_gradient(t, g, create_graph) for t, g in zip(roots, gradients)]
    if inputs is not None:
        inputs = _as_tuple(inputs)
        if not inputs:
            raise RuntimeError("`inputs` argument to `backward()` cannot be empty.")
        found = _gradients_of(edges, starts, inputs, retain_graph, create_graph)
        with _Recording(create_graph):
            for tensor, gradient in zip(inputs, found):
                if gradient is not None:
                    engine._accumulate_leaf(tensor, gradient, create_graph)
        return
    with _Recording(create_graph):
        engine.accumulate(engine.run(edges, starts, retain_graph, create_graph), create_graph)


def _tensor_backward(
    self: Tensor,
    gradient: Tensor | None = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    inputs: Any = None,
) -> None:
    """Add the gradient of this tensor with respect to the graph's leaves to their ``grad``.

    Args:
        gradient: the gradient with respect to this tensor, of its shape; may be left out if it
            has one element.
        retain_graph: keep the graph for another pass (default: the value of create_graph).
        create_graph: record the computation of the gradients.
        inputs: the only tensors whose ``grad`` is added to.
    """
    if inputs is not None or create_graph:
        backward(self, gradient, retain_graph, create_graph, inputs=inputs)
        return
    edge = _root_edge(self)
    start = _initial_gradient(self, gradient, False)
    recording = GRAD_MODE.enabled
    GRAD_MODE.enabled = False
    try:
        engine.accumulate(engine.run((edge,), (start,), bool(retain_graph), False), False)
    finally:
        GRAD_MODE.enabled = recording


tensors.Tensor.backward = _tensor_backward  # type: ignore[method-assign]


def grad(
    outputs: Tensor | Sequence[Tensor],
    inputs: Tensor | Sequence[Tensor],
    grad_outputs: Any = None,
    retain_graph: bool | None = None,
    create_graph: bool = False,
    only_inputs: bool = True,
    allow_unused: bool | None = None,
    is_grads_batched: bool = False,
    materialize_grads: bool = False,
) -> tuple[Any, ...]:
    """The gradients of (the sum of) ``outputs`` with respect to each of ``inputs``.

    Args:
        outputs: what to differentiate.
        inputs: with respect to what; leaves or not.
        grad_outputs: the gradient with respect to each output.
        retain_graph: keep the graph for another pass (default: create_graph).
        create_graph: record the computation, so that the result can be differentiated.
        only_inputs: changes nothing here.
        allow_unused: give None for an input that the outputs do not depend on, rather than fail.
        is_grads_batched: grad_outputs have a leading batch dim; so do the results.
        materialize_grads: give zeros instead of None.

    Returns:
        one gradient per input, of its shape.

    Raises:
        RuntimeError: an input is no tensor, does not require grad, or is unused; an output has
            several elements and no gradient given, or its graph has been freed.
    """
    if retain_graph is None:
        retain_graph = create_graph
    outputs_, inputs_ = _as_tuple(outputs), _as_tuple(inputs)
    gradients = (None,) * len(outputs_) if grad_outputs is None else _as_tuple(grad_outputs)
    if is_grads_batched:
        return _batched_grad(
            outputs_, inputs_, gradients, retain_graph, create_graph, allow_unused,
            materialize_grads,
        )  # fmt: skip
    edges = [_root_edge(t) for t in outputs_]
    starts = [_initial_gradient(t, g, create_graph) for t, g in zip(outputs_, gradients)]
    for tensor in inputs_:
        if not isinstance(tensor, tensors.Tensor):
            raise RuntimeError(
                f"all inputs have to be Tensors or GradientEdges, but got {type(tensor).__name__}"
            )
        if not tensor.requires_grad:
            raise RuntimeError("One of the differentiated Tensors does not require grad")
    found = _gradients_of(edges, starts, inputs_, retain_graph, create_graph)
    results = []
    for place, (tensor, gradient) in enumerate(zip(inputs_, found)):
        if gradient is None:
            if materialize_grads:
                xp = namespace_of(tensor._array)
                gradient = xp.full(tuple(tensor._array.shape), 0, tensor._array.dtype)
                gradient = tensors.wrap(gradient) if create_graph else gradient
            elif not allow_unused:
                raise RuntimeError(
                    f"The differentiated Tensor at index {place} appears to not have been used in "
                    "the graph. Set allow_unused=True if this is the desired behavior."
                )
        if gradient is not None and not create_graph:
            gradient = tensors.wrap(gradient)
        results.append(gradient)
    return tuple(results)


def _gradients_of(
    edges: list[Any], starts: list[Any], inputs: Any, retain_graph: bool, create_graph: bool
) -> list[Any]:
    """The gradient that arrives at each of ``inputs``; None where none does."""
    captures: dict[int, Any] = {}
    leaves: set[int] = set()
    for tensor in inputs:
        if tensor._base is not None:
            tensor._refresh()
        if tensor._node is None:
            leaves.add(id(tensor))
        else:
            captures[tensor._node._sequence] = None
    needed = engine.reachable(edges, set(captures), leaves)
    with _Recording(create_graph), _Partial():
        found = engine.run(edges, starts, retain_graph, create_graph, captures, needed, leaves)
        results = []
        for tensor in inputs:
            if tensor._node is not None:
                results.append(captures[tensor._node._sequence])
                continue
            gradient = found.sums.get(id(tensor))
            if gradient is not None and tensor._hooks is not None:
                gradient = engine.run_tensor_hooks(tensor, gradient, create_graph)
            results.append(gradient)
    return results


def _batched_grad(
    outputs: Any,
    inputs: Any,
    gradients: Any,
    retain_graph: Any,
    create_graph: bool,
    allow_unused: Any,
    materialize_grads: bool,
) -> tuple[Any, ...]:
    """One backward pass for all entries of the gradients' leading dim."""
    from ..func.vmap import vmap

    given = [g for g in gradients if g is not None]
    unused: list[bool] = []

    def one(*rows: Any) -> tuple[Any, ...]:
        remaining = iter(rows)
        found = grad(
            outputs, inputs, [None if g is None else next(remaining) for g in gradients],
            retain_graph, create_graph, True, allow_unused, False, materialize_grads,
        )  # fmt: skip
        unused[:] = [g is None for g in found]
        return tuple(g for g in found if g is not None)

    stacked = iter(vmap(one)(*given))
    return tuple(None if missing else next(stacked) for missing in unused)
