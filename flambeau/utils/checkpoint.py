"""Checkpointing: activations computed again in the backward pass rather than kept.

A checkpointed function is one node of the tape.  Without ``use_reentrant`` it is recorded when it
runs, to learn what it depends on (its arguments, and the parameters and other tensors that it
uses), and the record is dropped; the node has edges to just that.  Its backward pass runs the
function again, recorded, and takes the gradients through that record to the same edges.

Source: https://pytorch.org/docs/stable/checkpoint.html; Chen et al., "Training deep nets with
sublinear memory cost", 2016.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from ..autograd import engine
from ..autograd.backward import PASS
from ..autograd.backward import backward as run_backward
from ..autograd.function import Function
from ..autograd.grad_mode import GRAD_MODE, enable_grad, no_grad
from ..autograd.node import Node, next_sequence
from ..autograd.slots import OutputSlot, SlotGradients
from ..modes import MODES
from ..random import default_generator
from ..tensor import Tensor
from ._pytree import tree_flatten, tree_leaves, tree_unflatten


class CheckpointError(RuntimeError):
    """A checkpointed function did something else when it was run again."""


_DEFAULT_DETERMINISM_MODE = "default"
_DETERMINISM_CHECKS = ("default", "none")
_debug: bool | None = None


@contextlib.contextmanager
def set_checkpoint_debug_enabled(enabled: bool | None) -> Iterator[None]:
    """Context manager: whether checkpoints' errors show the operations of both runs.

    Args:
        enabled: True or False for all checkpoints; None for what each one says.

    Returns:
        The context manager.
    """
    global _debug
    before, _debug = _debug, enabled
    try:
        yield
    finally:
        _debug = before


def noop_context_fn() -> tuple[Any, Any]:
    """Two context managers that do nothing.

    Returns:
        A pair.
    """
    return contextlib.nullcontext(), contextlib.nullcontext()


def check_backward_validity(inputs: Iterable[Any]) -> None:
    """Warn if no tensor among ``inputs`` requires grad."""
    if not any(t.requires_grad for t in inputs if isinstance(t, Tensor)):
        warnings.warn(
            "None of the inputs have requires_grad=True. Gradients will be None", stacklevel=4
        )


def detach_variable(inputs: tuple[Any, ...]) -> tuple[Any, ...]:
    """The inputs, tensors among them as leaves with the same ``requires_grad``.

    Returns:
        A tuple as long as ``inputs``.

    Raises:
        RuntimeError: ``inputs`` is no tuple.
    """
    if not isinstance(inputs, tuple):
        raise RuntimeError(
            f"Only tuple of tensors is supported. Got Unsupported input type: "
            f"{type(inputs).__name__}"
        )
    return tuple(
        t.detach().requires_grad_(t.requires_grad) if isinstance(t, Tensor) else t for t in inputs
    )


def get_device_states(*args: Any) -> tuple[list[int], list[Tensor]]:
    """The states of the generators of the devices of tensors in ``args``, but for the CPU's.

    Returns:
        The devices' numbers and the states: two empty lists, as there is only the CPU.
    """
    return [], []


def set_device_states(
    devices: list[int], states: list[Tensor], *, device_type: str | None = None
) -> None:
    """Give the generators of ``devices`` their ``states`` back, which `get_device_states` took.

    Args:
        devices, states: what that function returned.
        device_type: the kind of the devices.

    Raises:
        RuntimeError: there are devices among them, and here is only the CPU.
    """
    if devices:
        raise RuntimeError(f"states of generators of devices {devices}, and here is only the CPU")


class _Surroundings:
    """What a function is run again under: the generator's state, and autocast."""

    def __init__(self, preserve_rng_state: bool) -> None:
        self.state = default_generator.state_bytes() if preserve_rng_state else None
        casting = MODES.autocast
        self.half = None if casting is None else casting.dtype

    @contextlib.contextmanager
    def __call__(self) -> Iterator[None]:
        from ..amp import autocast

        now = default_generator.state_bytes() if self.state is not None else None
        if self.state is not None:
            default_generator.set_state_bytes(self.state)
        try:
            with autocast("cpu", dtype=self.half, enabled=self.half is not None):
                yield
        finally:
            if now is not None:
                default_generator.set_state_bytes(now)


# -- with a record of its own ---------------------------------------------------------------------


class _Region:
    """The nodes that a run of the function has put on the tape, and the edges that leave them."""

    def __init__(self, outputs: Iterable[Any], start: int) -> None:
        nodes: dict[int, Node] = {}
        self.outgoing: dict[int, Any] = {}
        stack = [t._node for t in outputs if isinstance(t, Tensor) and t._node is not None]
        while stack:
            node = stack.pop()
            if node._sequence < start:
                continue
            if node._sequence in nodes:
                continue
            nodes[node._sequence] = node
            for edge in node.edges:
                if edge is None:
                    continue
                if edge._sequence < start:
                    self.outgoing[id(edge)] = edge
                else:
                    stack.append(edge)
        self.nodes = [nodes[sequence] for sequence in sorted(nodes)]

    def saved(self) -> list[dict[str, Any]]:
        """What the nodes keep for the backward pass: each tensor's shape, dtype and device."""
        found = []
        for node in self.nodes:
            for name in node.saved_names:
                for value in tree_leaves(getattr(node, name, None)):
                    array = value._array if isinstance(value, Tensor) else value
                    if hasattr(array, "dtype") and hasattr(array, "shape"):
                        found.append(_metadata(array))
        return found

    def names(self) -> list[str]:
        """The operations, in their order."""
        return [node.name() for node in self.nodes if not isinstance(node, OutputSlot)]


def _metadata(array: Any) -> dict[str, Any]:
    from .. import dtypes
    from ..device import device_of
    from ..size import Size

    return {
        "shape": Size(array.shape),
        "dtype": dtypes.from_numpy_dtype(array.dtype),
        "device": device_of(array),
    }


class _Collector:
    """Stands for an edge that leaves the region while a pass runs inside it."""

    _sequence = 0


class _Call:
    """A checkpointed call: everything needed to run it again and compare."""

    def __init__(
        self,
        function: Callable[..., Any],
        args: tuple[Any, ...],
        kwargs: dict[str, Any],
        surroundings: _Surroundings,
        context: Any,
        check: bool,
        debug: bool,
    ) -> None:
        self.function = function
        self.args = args
        self.kwargs = kwargs
        self.surroundings = surroundings
        self.context = context
        self.check = check
        self.debug = debug
        self.saved: list[dict[str, Any]] = []
        self.names: list[str] = []

    def run_again(self) -> tuple[list[Any], _Region]:
        """The outputs of another run, and its record."""
        start = next_sequence()
        with enable_grad(), self.surroundings(), self.context:
            outputs = tree_leaves(self.function(*self.args, **self.kwargs))
        region = _Region(outputs, start)
        if self.check:
            self.compare(region)
        return outputs, region

    def compare(self, region: _Region) -> None:
        """Raise CheckpointError unless ``region`` has kept what the first run had."""
        saved = region.saved()
        problem = None
        if len(saved) != len(self.saved):
            problem = (
                "A different number of tensors was saved during the original forward and "
                f"recomputation.\nNumber of tensors saved during forward: {len(self.saved)}\n"
                f"Number of tensors saved during recomputation: {len(saved)}."
            )
        elif saved != self.saved:
            lines = [
                f"tensor at position {i}:\nsaved metadata: {a}\nrecomputed metadata: {b}\n"
                for i, (a, b) in enumerate(zip(self.saved, saved))
                if a != b
            ]
            problem = (
                "Recomputed values for the following tensors have different metadata than during "
                "the forward pass.\n" + "".join(lines)
            )
        if problem is None:
            return
        if self.debug:
            shown = [
                f"\n\nOperations {when}:\n  " + "\n  ".join(names)
                for when, names in (
                    ("executed during the original forward", self.names),
                    ("executed during recomputation", region.names()),
                )
            ]
        else:
            shown = [
                "\n\nTip: To see the operations of both runs, pass `debug=True` to "
                "`torch.utils.checkpoint.checkpoint(...)` or wrap the code block with `with "
                "torch.utils.checkpoint.set_checkpoint_debug_enabled(True):`"
            ]
        raise CheckpointError(f"torch.utils.checkpoint: {problem}{''.join(shown)}")


class _CheckpointNode(Node):
    """The node of a checkpointed call."""

    saved_names = ("call",)

    def __init__(self, call: _Call, region: _Region, outputs: list[int]) -> None:
        self.call: _Call | None = call
        self.targets = list(region.outgoing)
        self.edges = tuple(region.outgoing.values())
        self.outputs = outputs
        """Which leaves of the function's result have gradients, slot by slot."""
        self._sequence = next_sequence()

    def backward(self, xp: Any, grad: Any) -> tuple[Any, ...]:
        return self._through(grad, recorded=False)

    def backward_recorded(self, grad: Any) -> tuple[Any, ...]:
        return self._through(grad, recorded=True)

    def name(self) -> str:
        return self.renamed or "CheckpointBackward0"

    def _through(self, grad: Any, recorded: bool) -> tuple[Any, ...]:
        """Run the function again, and the gradients through it."""
        call = self.call
        if call is None:
            from ..ops.generated_calls import _raise_released

            _raise_released(self)
        assert call is not None
        self._check_versions(call)
        grads = grad.grads if grad.__class__ is SlotGradients else {0: grad}
        outputs, region = call.run_again()
        roots, starts = [], []
        for slot, start in grads.items():
            output = outputs[self.outputs[slot]]
            if output._node is not None:
                roots.append(output._node)
                starts.append(start)
        before = [(node, node.edges) for node in region.nodes]
        collectors = {key: _Collector() for key in region.outgoing}
        for node, edges in before:
            node.edges = tuple(e if e is None else collectors.get(id(e), e) for e in edges)
        recording = GRAD_MODE.enabled
        GRAD_MODE.enabled = recorded
        try:
            found = engine.run(roots, starts, recorded, recorded).sums
        finally:
            GRAD_MODE.enabled = recording
            for node, edges in before:
                node.edges = edges
        return tuple(
            found.get(id(collectors[key])) if key in collectors else None for key in self.targets
        )

    def _check_versions(self, call: _Call) -> None:
        """Raise if an argument was written in place since."""
        from ..ops.generated_calls import _check_saved

        for tensor in tree_leaves((call.args, call.kwargs)):
            if isinstance(tensor, Tensor):
                _check_saved(self, tensor)


def _recorded_call(
    function: Callable[..., Any],
    args: tuple[Any, ...],
    kwargs: dict[str, Any],
    preserve_rng_state: bool,
    context_fn: Callable[[], tuple[Any, Any]],
    check: bool,
    debug: bool,
) -> Any:
    forward_context, again_context = context_fn()
    surroundings = _Surroundings(preserve_rng_state)
    call = _Call(function, args, kwargs, surroundings, again_context, check, debug)
    start = next_sequence()
    with forward_context:
        result = function(*args, **kwargs)
    if not GRAD_MODE.enabled:
        return result
    leaves, spec = tree_flatten(result)
    region = _Region(leaves, start)
    inside = [
        i
        for i, leaf in enumerate(leaves)
        if isinstance(leaf, Tensor) and leaf._node is not None and leaf._node._sequence > start
    ]
    if not inside:
        return result
    call.saved, call.names = region.saved(), region.names()
    node = _CheckpointNode(call, region, inside)
    for slot, i in enumerate(inside):
        leaf = leaves[i]
        made = object.__new__(Tensor)
        made._array = leaf._array
        made._requires_grad = True
        name = leaf._node.name()
        if len(inside) == 1:
            node.renamed = name
            made._node = node
        else:
            made._node = OutputSlot(node, slot)
            made._node.renamed = name
        leaves[i] = made
    return tree_unflatten(leaves, spec)


# -- with a backward pass inside the backward pass ------------------------------------------------


class CheckpointFunction(Function):
    """The checkpointed call of ``use_reentrant=True``: not recorded at all the first time.

    Source: ``torch.utils.checkpoint.CheckpointFunction``.
    """

    @staticmethod
    def forward(ctx: Any, run_function: Any, preserve_rng_state: bool, *args: Any) -> Any:
        """``run_function(*args)``, unrecorded.

        Args:
            ctx: what the backward pass finds again.
            run_function: the function.
            preserve_rng_state: whether it runs again with the random numbers of the first time.
            args: its arguments.
        """
        check_backward_validity(args)
        ctx.run_function = run_function
        ctx.surroundings = _Surroundings(preserve_rng_state)
        ctx.inputs = [None if isinstance(a, Tensor) else a for a in args]
        ctx.places = [i for i, a in enumerate(args) if isinstance(a, Tensor)]
        ctx.save_for_backward(*[args[i] for i in ctx.places])
        with no_grad():
            return run_function(*args)

    @staticmethod
    def backward(ctx: Any, *grads: Any) -> Any:
        """The gradients of the arguments, after another run.

        Args:
            ctx: as ``forward`` left it.
            grads: those of the results.

        Raises:
            RuntimeError: gradients are asked for by ``inputs=`` or ``grad()``, or no result
                requires any.
        """
        if PASS.partial:
            raise RuntimeError(
                "When use_reentrant=True, torch.utils.checkpoint is incompatible with .grad() or "
                "passing an `inputs` parameter to .backward(). To resolve this error, you can "
                "either set use_reentrant=False, or call .backward() without passing the `inputs` "
                "argument."
            )
        inputs = list(ctx.inputs)
        for place, tensor in zip(ctx.places, ctx.saved_tensors):
            inputs[place] = tensor
        detached = detach_variable(tuple(inputs))
        with enable_grad(), ctx.surroundings():
            outputs = ctx.run_function(*detached)
        if isinstance(outputs, Tensor):
            outputs = (outputs,)
        pairs = [
            (output, grad)
            for output, grad in zip(outputs, grads)
            if isinstance(output, Tensor) and output.requires_grad
        ]
        if not pairs:
            raise RuntimeError(
                "none of output has requires_grad=True, this checkpoint() is not necessary"
            )
        run_backward([output for output, _ in pairs], [grad for _, grad in pairs])
        return (None, None, *(t.grad if isinstance(t, Tensor) else None for t in detached))


# -- what users call ------------------------------------------------------------------------------


def checkpoint(
    function: Callable[..., Any],
    *args: Any,
    use_reentrant: bool | None = None,
    context_fn: Callable[[], tuple[Any, Any]] = noop_context_fn,
    determinism_check: str = _DEFAULT_DETERMINISM_MODE,
    debug: bool = False,
    early_stop: bool = True,
    **kwargs: Any,
) -> Any:
    """``function(*args, **kwargs)``, its intermediate results computed again when needed.

    Args:
        function: a module or function; run a second time, it must do the same.
        args, kwargs: its arguments.
        use_reentrant: True for the older form, which works with ``.backward()`` only, needs an
            argument that requires grad and takes no keyword arguments for ``function``; False for
            the other; to be given (None warns and means True).
        preserve_rng_state: run the function again with the random numbers of the first time
            (default: True).
        context_fn: two context managers, for the first run and for those after it.
        determinism_check: "default" compares what both runs keep; "none" does not.
        debug: whether an error shows the operations of both runs.
        early_stop: permission to end the second run as soon as nothing more is needed of it; its
            results are the same either way, and here it runs to its end.

    Returns:
        what ``function`` returns.

    Raises:
        CheckpointError: in the backward pass, if the function did something else when run again.
        RuntimeError: in the backward pass, if an argument has been written in place since.
        ValueError: an option is not known, or not possible with ``use_reentrant``.

    Source: https://pytorch.org/docs/stable/checkpoint.html#torch.utils.checkpoint.checkpoint
    """
    if use_reentrant is None:
        warnings.warn(
            "torch.utils.checkpoint: the use_reentrant parameter should be passed explicitly. "
            "Starting in PyTorch 2.9, calling checkpoint without use_reentrant will raise an "
            "exception. use_reentrant=False is recommended, but if you need to preserve the "
            "current default behavior, you can pass use_reentrant=True. Refer to docs for more "
            "details on the differences between the two variants.",
            stacklevel=2,
        )
        use_reentrant = True
    preserve = kwargs.pop("preserve_rng_state", True)
    if use_reentrant:
        if kwargs:
            raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
        if context_fn is not noop_context_fn or debug:
            raise ValueError(
                "Passing `context_fn` or `debug` is only supported when use_reentrant=False."
            )
        return CheckpointFunction.apply(function, preserve, *args)
    if determinism_check not in _DETERMINISM_CHECKS:
        raise ValueError(
            f"determinism_check should be one of {list(_DETERMINISM_CHECKS)}, but got "
            f"{determinism_check}"
        )
    shown = debug if _debug is None else _debug
    check = determinism_check != "none"
    return _recorded_call(function, args, kwargs, preserve, context_fn, check, shown)


def checkpoint_sequential(
    functions: Any, segments: int, input: Any, use_reentrant: bool | None = None, **kwargs: Any
) -> Any:
    """The functions one after the other, in segments that are checkpointed, all but the last.

    Args:
        functions: a :class:`Sequential`, or the functions.
        segments: how many segments to divide them into.
        input: the first function's argument.
        use_reentrant: see :func:`checkpoint`.
        preserve_rng_state: see :func:`checkpoint`.

    Returns:
        what the last function returns.

    Raises:
        ValueError: another keyword argument.
        CheckpointError, RuntimeError: as :func:`checkpoint`.

    Source: https://pytorch.org/docs/stable/checkpoint.html
    """
    if use_reentrant is None:
        warnings.warn(
            "torch.utils.checkpoint.checkpoint_sequential: the use_reentrant parameter should be "
            "passed explicitly. In version 2.9 we will raise an exception if use_reentrant is not "
            "passed. use_reentrant=False is recommended, but if you need to preserve the current "
            "default behavior, you can pass use_reentrant=True. Refer to docs for more details on "
            "the differences between the two variants.",
            stacklevel=2,
        )
        use_reentrant = True
    preserve = kwargs.pop("preserve_rng_state", True)
    if kwargs:
        raise ValueError("Unexpected keyword arguments: " + ",".join(kwargs))
    children = getattr(functions, "children", None)
    steps = list(children()) if callable(children) else list(functions)

    def segment(first: int, last: int) -> Callable[[Any], Any]:
        def run(value: Any) -> Any:
            for step in steps[first:last]:
                value = step(value)
            return value

        return run

    size = len(steps) // segments
    start = 0
    for start in range(0, size * (segments - 1), max(size, 1)):
        input = checkpoint(
            segment(start, start + size), input, use_reentrant=use_reentrant,
            preserve_rng_state=preserve,
        )  # fmt: skip
    return segment(size * (segments - 1), len(steps))(input)


__all__ = [
    "CheckpointError", "CheckpointFunction", "check_backward_validity", "checkpoint",
    "checkpoint_sequential", "detach_variable", "noop_context_fn", "set_checkpoint_debug_enabled",
]  # fmt: skip
