"""``autograd.Function``: operations whose gradient the user writes.

Source: https://pytorch.org/docs/stable/autograd.html#torch.autograd.Function
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from .. import dtypes
from ..modes import DIRECT
from ..namespaces import namespace_of
from ..tensor import Tensor, wrap
from .grad_mode import GRAD_MODE, no_grad
from .node import Node, next_sequence
from .slots import OutputSlot, SlotGradients

_FREED = (
    "Trying to backward through the graph a second time (or directly access saved tensors after "
    "they have already been freed). Saved intermediate values of the graph are freed when you call "
    ".backward() or autograd.grad(). Specify retain_graph=True if you need to backward through the "
    "graph a second time or if you need to access saved tensors after calling backward."
)


forward_rule: Callable[..., Any] | None = None
"""Within a level of ``forward_ad``: how functions with a ``jvp`` are called."""


class _SavedResult:
    """A result that was saved: kept without its history, which would be a cycle."""

    def __init__(self, index: int, tensor: Tensor) -> None:
        self.index = index
        self.array = tensor._array
        self.versions = tensor._version_counter()


class FunctionCtx(Node):
    """What ``forward`` and ``backward`` of a :class:`Function` share: the node of the tape.

    Attributes:
        needs_input_grad: for each argument whether its gradient will be used.
        materialize_grads: see :meth:`set_materialize_grads`.
    """

    needs_input_grad: tuple[bool, ...] = ()
    materialize_grads = True
    _function: Any = None
    _saved: tuple[Any, ...] | None = ()
    _saved_for_forward: tuple[Tensor | None, ...] = ()
    _dirty: tuple[Tensor, ...] = ()
    _non_differentiable: tuple[Tensor, ...] = ()
    _results: list[tuple[tuple[int, ...], Any]]
    _inputs: list[tuple[tuple[int, ...], Any] | None]
    saved_names = ("_saved",)

    # -- what the user calls ------------------------------------------------------------------

    def save_for_backward(self, *tensors: Tensor | None) -> None:
        """Keep tensors (inputs, results or others) for ``backward``."""
        for tensor in tensors:
            if tensor is not None and not isinstance(tensor, Tensor):
                raise TypeError(
                    f"save_for_backward can only save variables, but argument is of type "
                    f"{type(tensor).__name__}"
                )
        self._saved = tensors

    def save_for_forward(self, *tensors: Tensor | None) -> None:
        """Keep tensors for ``jvp``, which finds them as ``ctx.saved_tensors``."""
        self._saved_for_forward = tensors

    def keep_for_forward(self) -> None:
        """Have :attr:`saved_tensors` give what was saved for ``jvp``."""
        self._saved = self._saved_for_forward

    @property
    def saved_tensors(self) -> tuple[Tensor | None, ...]:
        """The tensors of :meth:`save_for_backward`.

        Raises:
            RuntimeError: they have been freed, or written in place since.
        """
        if self._saved is None:
            raise RuntimeError(_FREED)
        return tuple(self._unpacked(saved) for saved in self._saved)

    def mark_dirty(self, *tensors: Tensor) -> None:
        """Say which inputs ``forward`` has written in place; each must be a result too."""
        self._dirty = tensors

    def mark_non_differentiable(self, *tensors: Tensor) -> None:
        """Say which results have no gradient."""
        self._non_differentiable = tensors

    def set_materialize_grads(self, value: bool) -> None:
        """Whether ``backward`` gets zeros (the default), or None, for results without gradient."""
        self.materialize_grads = value

    # -- what the engine calls ----------------------------------------------------------------

    def name(self) -> str:
        return type(self).__name__

    def _unpacked(self, saved: Any) -> Tensor | None:
        if isinstance(saved, _SavedResult):
            if saved.versions.stamp > self._sequence:
                self._refuse(saved.array.shape)
            result = wrap(saved.array)
            result._requires_grad = True
            result._node = self if len(self._results) == 1 else OutputSlot(self, saved.index)
            return result
        if isinstance(saved, Tensor):
            root = saved if saved._base is None else saved._base
            if root._versions is not None and root._versions.stamp > self._sequence:
                self._refuse(saved._array.shape)
        return saved

    def _refuse(self, shape: Any) -> None:
        raise RuntimeError(
            "one of the variables needed for gradient computation has been modified by an inplace "
            f"operation: a tensor of shape {list(shape)} was written after {self.name()} had saved "
            "it for its gradient."
        )

    def backward(self, xp: Any, grad: Any) -> tuple[Any, ...]:
        grads = self._gradients_of_results(grad, recorded=False)
        with no_grad():
            found = self._call(grads)
        return tuple(None if g is None else g._array for g in found)

    def backward_recorded(self, grad: Any) -> tuple[Any, ...]:
        return self._call(self._gradients_of_results(grad, recorded=True))

    def _gradients_of_results(self, grad: Any, recorded: bool) -> list[Tensor | None]:
        """One gradient per result, as Tensors."""
        count = len(self._results)
        if isinstance(grad, SlotGradients):
            given = [grad.grads.get(i) for i in range(count)]
        else:
            given = [grad]
        known = next(g for g in given if g is not None)
        array = known._array if isinstance(known, Tensor) else known
        grads: list[Tensor | None] = []
        for item, (shape, dtype) in zip(given, self._results):
            if item is not None:
                grads.append(item if isinstance(item, Tensor) else wrap(item))
            elif self.materialize_grads:
                grads.append(wrap(namespace_of(array).full(shape, 0, dtype)))
            else:
                grads.append(None)
        return grads

    def _call(self, grads: list[Tensor | None]) -> tuple[Tensor | None, ...]:
        """The user's ``backward``, its results checked and brought to the inputs' form."""
        if self.released:
            raise RuntimeError(_FREED)
        found = self._function.backward(self, *grads)
        found = found if isinstance(found, tuple) else (found,)
        count = len(self._inputs)
        if len(found) > count and any(g is not None for g in found[count:]) or len(found) < count:
            raise RuntimeError(
                f"function {self.name()} returned an incorrect number of gradients (expected "
                f"{count}, got {len(found)})"
            )
        checked: list[Tensor | None] = []
        for index, (gradient, described) in enumerate(zip(found, self._inputs)):
            if gradient is None or described is None or self.edges[index] is None:
                checked.append(None)
                continue
            if not isinstance(gradient, Tensor):
                raise TypeError(
                    f"{self.name()} returned {type(gradient).__name__} as the gradient of input "
                    f"{index}; expected a Tensor or None"
                )
            shape, dtype = described
            if tuple(gradient._array.shape) != shape:
                gradient = self._summed(gradient, shape, index)
            if gradient._array.dtype != dtype:
                gradient = gradient.to(dtypes.from_numpy_dtype(dtype))
            checked.append(gradient)
        return tuple(checked)

    def _summed(self, gradient: Tensor, shape: tuple[int, ...], index: int) -> Tensor:
        """A gradient that broadcasting has enlarged, summed to the input's shape."""
        from ..ops.operation import sum_to

        given = tuple(gradient._array.shape)
        tail = given[len(given) - len(shape) :]
        if len(given) < len(shape) or any(n not in (1, m) for n, m in zip(shape, tail)):
            raise RuntimeError(
                f"Function {self.name()} returned an invalid gradient at index {index} - got "
                f"{list(given)} but expected shape compatible with {list(shape)}"
            )
        return sum_to(DIRECT["RECORDED"], gradient, shape)


class Function:
    """Base class of operations with a gradient of their own.

    A subclass defines static methods ``forward(ctx, *args)`` (or ``forward(*args)`` and
    ``setup_context(ctx, inputs, output)``) and ``backward(ctx, *grad_outputs)``, which returns one
    gradient, or None, per argument.  It is called as ``MyFunction.apply(*args)``.

    Inside ``vmap``, its methods run on all members of a batch at once, each seeing the shape of one
    (what PyTorch does if ``generate_vmap_rule`` is True), unless it has a method :meth:`vmap`.
    """

    generate_vmap_rule = False

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        raise RuntimeError(
            f"{type(self)} should not be instantiated. Methods on autograd functions are all "
            "static, so you should invoke them on the class itself: use .apply(...)."
        )

    @staticmethod
    def forward(*args: Any, **kwargs: Any) -> Any:
        """Compute the result; to be defined by the subclass."""
        raise NotImplementedError(
            "You must implement the forward function for custom autograd.Function."
        )

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Any) -> None:
        """Keep what ``backward`` needs, if ``forward`` takes no ``ctx``."""
        raise NotImplementedError("setup_context is not implemented.")

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Any) -> Any:
        """Compute the gradients; to be defined by the subclass."""
        raise NotImplementedError(
            "You must implement either the backward or vjp method for your custom "
            "autograd.Function to use it with backward mode AD."
        )

    @staticmethod
    def jvp(ctx: Any, *grad_inputs: Any) -> Any:
        """Compute the results' tangents; to be defined by the subclass for ``forward_ad``."""
        raise NotImplementedError(
            "You must implement the jvp function for custom autograd.Function to use it with "
            "forward mode AD."
        )

    @staticmethod
    def vmap(info: Any, in_dims: tuple[int | None, ...], *args: Any) -> Any:
        """Compute the results of all members; to be defined by the subclass for ``vmap``.

        Args:
            info: with ``batch_size`` and ``randomness``.
            in_dims: for each argument the dim that is the batch, or None.
            args: the arguments, tensors with the batch as a dim.

        Returns:
            the results, and for each the dim that is the batch, or None.
        """
        raise NotImplementedError(
            "To use autograd.Function with vmap, you must either override the vmap static method "
            "or set generate_vmap_rule=True."
        )

    @classmethod
    def apply(cls, *args: Any, **kwargs: Any) -> Any:
        """Call the operation and record it.

        Args:
            args: passed to ``forward``; tensors among them, not nested, can get gradients.
        """
        known: Any = cls
        context = object.__new__(_context_class(known))
        context._function = cls
        if any(isinstance(a, Tensor) and hasattr(a._array, "adapt_node") for a in args):
            from .batching import applied_by_rule, lift_arguments

            if cls.vmap is not Function.vmap:
                return applied_by_rule(cls, args)
            args = lift_arguments(args)
        if forward_rule is not None and cls.jvp is not Function.jvp:
            pushed = forward_rule(cls, context, args, kwargs)
            if pushed is not None:
                return pushed
        tensors = [a if isinstance(a, Tensor) else None for a in args]
        recording = GRAD_MODE.enabled
        context.needs_input_grad = tuple(t is not None and t.requires_grad for t in tensors)
        with no_grad():
            if cls.setup_context is not Function.setup_context:
                output = _forwarded(cls, args, kwargs)
                cls.setup_context(context, args, output)
            else:
                output = cls.forward(context, *args, **kwargs)
        if not (recording and any(context.needs_input_grad)):
            _note_writes(context)
            return output
        return _recorded(context, tensors, output)


def _forwarded(function: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
    """The results of a ``forward`` without context.

    Inside ``torch.func``'s derivatives it gets the tensors as they are outside of those, so that it
    may give them to NumPy.
    """
    if not GRAD_MODE.transforms:
        return function.forward(*args, **kwargs)
    plain = tuple(a.detach() if isinstance(a, Tensor) and a.requires_grad else a for a in args)
    given = {id(p): a for p, a in zip(plain, args)}
    output = function.forward(*plain, **kwargs)
    if isinstance(output, (tuple, list)):
        return type(output)(given.get(id(item), item) for item in output)
    return given.get(id(output), output)


def _recorded(context: Any, tensors: list[Tensor | None], output: Any) -> Any:
    """Put the call on the tape."""
    context._sequence = next_sequence()
    edges: list[Any] = []
    for tensor, needed in zip(tensors, context.needs_input_grad):
        if tensor is None or not needed:
            edges.append(None)
        else:
            edges.append(tensor._node if tensor._node is not None else tensor)
    context.edges = tuple(edges)
    context._inputs = [
        None if t is None else (tuple(t._array.shape), t._array.dtype) for t in tensors
    ]
    many = isinstance(output, (tuple, list))
    items = list(output) if many else [output]
    inputs = {id(t) for t in tensors if t is not None}
    dirty = {id(t) for t in context._dirty}
    for tensor in context._dirty:
        if tensor._node is None and tensor._requires_grad:
            raise RuntimeError(
                "a leaf Variable that requires grad is being used in an in-place operation."
            )
    without = {id(t) for t in context._non_differentiable}
    results: list[Any] = []
    for item in items:
        if isinstance(item, Tensor) and id(item) in inputs and id(item) not in dirty:
            aside = id(item) in without
            item = wrap(item._array)  # the input itself stays what it was
            if aside:
                without.add(id(item))
        results.append(item)
    made = [r for r in results if isinstance(r, Tensor)]
    traced = {id(r) for r in made if id(r) not in without and r._array.dtype.kind in "fcV"}
    context._results = [(tuple(r._array.shape), r._array.dtype) for r in made]
    saved = []
    if DIRECT["INFERRED"]:
        DIRECT["check_no_inference"](context._saved or ())
    for tensor in context._saved or ():
        at = next((i for i, r in enumerate(made) if r is tensor and id(r) in traced), None)
        saved.append(tensor if at is None else _SavedResult(at, tensor))
    for number, result in enumerate(made):
        if id(result) not in traced:
            continue
        if id(result) in dirty:
            result._bump_version()
        result._node = context if len(made) == 1 else OutputSlot(context, number)
        result._requires_grad = True
    # nodes are numbered after the writes that they made themselves
    context._sequence = next_sequence()
    for result in made:
        if isinstance(result._node, OutputSlot):
            result._node._sequence = next_sequence()
    context._saved = tuple(saved)
    context._dirty = context._non_differentiable = ()
    if not many:
        return results[0]
    return type(output)(results) if isinstance(output, list) else tuple(results)


def _note_writes(context: Any) -> None:
    for tensor in context._dirty:
        tensor._bump_version()


@functools.cache
def _context_class(function: Any) -> type[FunctionCtx]:
    """The class of the function's nodes, which bears its name."""
    return type(f"{function.__name__}Backward", (FunctionCtx,), {"__module__": "torch.autograd"})


def once_differentiable(function: Callable[..., Any]) -> Callable[..., Any]:
    """Decorator for ``backward``: its result has no gradient of its own, and says so."""

    @functools.wraps(function)
    def backward(ctx: Any, *grads: Any) -> Any:
        recorded = GRAD_MODE.enabled and any(
            isinstance(g, Tensor) and g.requires_grad for g in grads
        )
        with no_grad():
            found = function(ctx, *grads)
        if not recorded:
            return found
        many = isinstance(found, tuple)
        marked = []
        for item in found if many else (found,):
            if isinstance(item, Tensor):
                result = wrap(item._array)
                result._requires_grad = True
                result._node = _NotDifferentiable()
                item = result
            marked.append(item)
        return tuple(marked) if many else marked[0]

    return backward


class _NotDifferentiable(Node):
    """The node of a gradient computed by a function that is differentiable once."""

    def __init__(self) -> None:
        self._sequence = next_sequence()

    def backward(self, xp: Any, grad: Any) -> tuple[Any, ...]:
        raise RuntimeError(
            "trying to differentiate twice a function that was marked with @once_differentiable"
        )

    def backward_recorded(self, grad: Any) -> tuple[Any, ...]:
        return self.backward(None, grad)


class InplaceFunction(Function):
    """A :class:`Function` that may work in place (see ``ctx.mark_dirty``)."""


__all__ = ["Function", "FunctionCtx", "InplaceFunction", "once_differentiable"]
