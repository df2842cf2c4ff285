"""The backward pass: nodes in falling order of their number, each once.

Nothing here knows any operation.  ``pending`` maps a node's number to the gradient that has
arrived for its result so far; a heap gives the highest number next.  Since an operation is always
numbered after everything it was computed from, all contributions to a node's gradient have arrived
when its turn comes.
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence, Set
from sys import getrefcount
from typing import Any

import numpy as np

from ..modes import MODES
from ..namespaces import namespace_of
from ..namespaces import numpy as numpy_namespace
from ..tensor import tensor as tensors
from .grad_mode import GRAD_MODE

ndarray = np.ndarray


class Gradients:
    """What a backward pass collects: the sum of the gradients of each leaf it reached."""

    __slots__ = ("leaves", "sums")

    def __init__(self) -> None:
        self.leaves: dict[int, Any] = {}
        self.sums: dict[int, Any] = {}


def run(
    roots: Sequence[Any],
    grads: Sequence[Any],
    retain_graph: bool,
    create_graph: bool,
    captures: dict[int, Any] | None = None,
    needed: set[int] | None = None,
    wanted: Set[int] = frozenset(),
) -> Gradients:
    """Propagate ``grads`` from the edges ``roots``.

    Args:
        roots: edges (nodes, or leaf tensors) to start from.
        grads: for each root its gradient: arrays, or Tensors if ``create_graph``.
        retain_graph: keep what the nodes saved, for another pass.
        create_graph: gradients are Tensors whose computation is recorded.
        captures: filled with node number -> gradient, for the numbers it has as keys.
        needed: if given, only nodes with these numbers are run.
        wanted: the ids of the leaves whose gradients are asked for, if ``needed`` is given.

    Returns:
        The gradients of the leaves, not yet added to their ``grad``.
    """
    found = Gradients()
    leaf_sums, leaves = found.sums, found.leaves
    pending: dict[int, Any] = {}
    nodes: dict[int, Any] = {}
    heap: list[int] = []
    heappush, heappop = heapq.heappush, heapq.heappop

    def arrive(edge: Any, grad: Any) -> None:
        sequence = edge._sequence
        if sequence == 0:
            key = id(edge)
            leaf_sums[key] = leaf_sums[key] + grad if key in leaf_sums else grad
            leaves[key] = edge
        elif sequence in pending:
            pending[sequence] = pending[sequence] + grad
        elif needed is None or sequence in needed:
            pending[sequence] = grad
            nodes[sequence] = edge
            heappush(heap, -sequence)

    for edge, grad in zip(roots, grads, strict=True):
        arrive(edge, grad)
    grad = None

    while heap:
        sequence = -heappop(heap)
        node = nodes.pop(sequence)
        grad = pending.pop(sequence)
        if node.prehooks is not None:
            grad = _run_prehooks(node, grad, create_graph)
        if captures is not None and sequence in captures:
            captures[sequence] = grad
            if needed is not None and node.edges and not _leads_on(node, needed, wanted):
                continue
        if create_graph:
            results = node.backward_recorded(grad)
        else:
            xp = numpy_namespace if grad.__class__ is ndarray else namespace_of(grad)
            try:
                results = node.backward(xp, grad)
            except (RuntimeWarning, FloatingPointError):  # somebody made errors of NumPy's warnings
                with np.errstate(all="ignore"):
                    results = node.backward(xp, grad)
        if node.hooks is not None:
            results = _run_hooks(node, results, grad, create_graph)
        if node.traceback is not None:
            _check_anomaly(node, results)
        edges = node.edges
        if not retain_graph and node.saved_names:
            node.release()
        for edge, result in zip(edges, results):
            if edge is None or result is None:
                continue
            below = edge._sequence
            if below in pending:  # the second of two paths; the sum is a new array
                pending[below] = pending[below] + result
            elif below:
                if needed is None or below in needed:
                    pending[below] = result
                    nodes[below] = edge
                    heappush(heap, -below)
            else:
                key = id(edge)
                leaf_sums[key] = leaf_sums[key] + result if key in leaf_sums else result
                leaves[key] = edge
        results = result = None  # a gradient that nobody else holds may be taken over by its leaf
    return found


def _leads_on(node: Any, needed: set[int], wanted: Set[int]) -> bool:
    """Whether some input of ``node`` is needed in its turn."""
    return any(
        edge is not None
        and (edge._sequence in needed or (not edge._sequence and id(edge) in wanted))
        for edge in node.edges
    )


def reachable(roots: Sequence[Any], targets: set[int], leaf_targets: set[int]) -> set[int]:
    """The numbers of the nodes from which a target (a node's number, a leaf's id) is reached."""
    order: dict[int, Any] = {}
    stack = [edge for edge in roots if edge._sequence]
    while stack:
        node = stack.pop()
        if node._sequence in order:
            continue
        order[node._sequence] = node
        stack.extend(e for e in node.edges if e is not None and e._sequence)
    needed: set[int] = set()
    for sequence in sorted(order):
        if sequence in targets:
            needed.add(sequence)
            continue
        for edge in order[sequence].edges:
            if edge is None:
                continue
            below = edge._sequence
            if (below and below in needed) or (not below and id(edge) in leaf_targets):
                needed.add(sequence)
                break
    return needed


def accumulate(found: Gradients, create_graph: bool) -> None:
    """Add the gradients in ``found`` to the ``grad`` of their leaves."""
    sums, leaves = found.sums, found.leaves
    while sums:
        key, grad = sums.popitem()
        leaf = leaves.pop(key)
        _accumulate_leaf(leaf, grad, create_graph)


def _accumulate_leaf(leaf: Any, grad: Any, create_graph: bool) -> None:
    if not leaf._requires_grad:  # it no longer does
        return
    if leaf._hooks is not None:
        grad = run_tensor_hooks(leaf, grad, create_graph)
    capture = MODES.capture
    if capture is not None:
        capture.note_grad(leaf)
    previous = leaf._grad
    if create_graph:
        leaf._grad = grad if previous is None else previous + grad
    elif previous is None:
        if grad.__class__ is ndarray:
            # this frame, the caller's and the argument: nobody else holds the array
            if not (
                getrefcount(grad) <= _OWNED
                and grad.flags.c_contiguous
                and (grad.base is None or _owns_base(grad))
            ):
                grad = np.array(grad, order="C")
        leaf._grad = tensors.wrap(grad)
    else:
        array = previous._array
        if capture is not None and not previous._requires_grad:
            with _NoGrad():
                previous.add_(tensors.wrap(grad))  # in place as well, on what stands for arrays
        elif (
            array.__class__ is ndarray and grad.__class__ is ndarray and not previous._requires_grad
        ):
            np.add(array, grad, out=array)
            previous._bump_version()
        else:
            with _NoGrad():
                leaf._grad = previous + tensors.wrap(grad)
    if leaf._post_accumulate_hooks is not None:
        for hook in tuple(leaf._post_accumulate_hooks.values()):
            hook(leaf)


class _NoGrad:
    def __enter__(self) -> None:
        self.previous = GRAD_MODE.enabled
        GRAD_MODE.enabled = False

    def __exit__(self, *exc_info: object) -> None:
        GRAD_MODE.enabled = self.previous


def _measure_owned() -> int:
    """The reference count that ``_accumulate_leaf`` sees on an array nobody else holds."""
    counts: list[int] = []

    def callee(grad: Any) -> None:
        counts.append(getrefcount(grad))

    sums = {0: np.zeros(1)}
    key, grad = sums.popitem()
    callee(grad)
    return counts[0]


_OWNED = _measure_owned()


def _owns_base(grad: Any) -> bool:
    """Whether ``grad`` is the only view of its whole base (a reshaped fresh result)."""
    base = grad.base
    return (
        base.__class__ is ndarray
        and base.base is None
        and base.size == grad.size
        and getrefcount(base) <= 3  # grad.base, this frame, the argument
    )


def run_tensor_hooks(tensor: Any, grad: Any, create_graph: bool) -> Any:
    """Pass ``grad`` through the hooks of ``tensor.register_hook``, each of which may replace it."""
    value = grad if create_graph else tensors.wrap(grad)
    for hook in tuple(tensor._hooks.values()):
        replaced = hook(value)
        if replaced is not None:
            if not isinstance(replaced, tensors.Tensor):
                raise TypeError(
                    f"hook {hook!r} has returned {type(replaced).__name__}: a tensor hook returns "
                    "None or the Tensor that replaces the gradient"
                )
            value = replaced
    return value if create_graph else value._array


def _run_prehooks(node: Any, grad: Any, create_graph: bool) -> Any:
    value = grad if create_graph else tensors.wrap(grad)
    for hook in tuple(node.prehooks.values()):
        replaced = hook((value,))
        if replaced is not None:
            value = replaced[0] if isinstance(replaced, (tuple, list)) else replaced
    return value if create_graph else value._array


def _run_hooks(node: Any, results: Any, grad: Any, create_graph: bool) -> Any:
    def wrapped(arrays: Any) -> tuple[Any, ...]:
        return tuple(a if create_graph or a is None else tensors.wrap(a) for a in arrays)

    inputs, outputs = wrapped(results), wrapped((grad,))
    for hook in tuple(node.hooks.values()):
        replaced = hook(inputs, outputs)
        if replaced is not None:
            inputs = tuple(replaced) if isinstance(replaced, (tuple, list)) else (replaced,)
    return inputs if create_graph else tuple(None if t is None else t._array for t in inputs)


def _check_anomaly(node: Any, results: Any) -> None:
    from .anomaly import check_results

    check_results(node, results)
