"""Capture: run a program once on symbolic arrays and keep the graph it makes.

The user's function runs as it is; only the arrays under its tensors are symbolic.

* The tensors passed to the call are *arguments*: inputs bound anew at each call.
* Every other tensor with a value that an operation meets (a parameter, a buffer, an optimizer's
  state, a data set) is *lifted*: it becomes an input bound to that very tensor, its *state*.
* Learning rates, and every draw of random numbers, become inputs too.
* The backward pass and the optimizer's update are operations like any other.

In-place operations rebind the arrays of the tensors they write to.  When the function has returned,
a state whose array is no longer its input is an *update*; every tensor gets its own array back, and
nothing has happened but the recording.
"""

from __future__ import annotations

import copy
import gc
from collections.abc import Callable, Set
from dataclasses import dataclass, field
from sys import getrefcount
from typing import Any

import numpy as np

from ..autograd.grad_mode import GRAD_MODE
from ..modes import MODES, ConcreteValueNeeded, enter_mode, leave_mode
from ..tensor import Tensor
from . import symbolic
from .graph import Graph, Value, constant, evaluate, input_value
from .joint import Joint, make_joint
from .options import Hyperparameter, OptionNumber, Varying, form
from .newborn import Newborn
from .origin import find_origin
from .requirements import required, singular_places
from .python_state import PythonState, Surroundings


class CaptureError(RuntimeError):
    """The program does something that cannot become a graph; the message says what."""


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


_MOVES = ("reshape", "permute", "expand", "flip", "astype")
"""Primitives that leave the set of an array's elements as it is."""


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
            :class:`Draw` or a :class:`Hyperparameter`.
        result: what the function returned, with :class:`Result` for each tensor of it.
        grads: pairs of a tensor, or an argument's position, and the output that is its ``grad``.
        cleared: tensors whose ``grad`` the program sets to None.
        had_grad: tensors (or positions) whose ``grad`` the program meets, and whether it was there.
        updated: the tensors (or positions) that the program writes to.
        afterwards: what each call does when the program has run, with its arguments: schedules'
            steps.
        checks: of inputs, before anything is done.
        differentiable: outputs that are on the tape, with their symbolic tensors.
        joint: the backward program for those.
        spent: those whose backward pass the program has run itself.
        training, guards, groups: module modes, plain Python values and optimizer options that the
            program was captured with.
        surroundings: names, containers, hooks and the structure of modules, likewise.
    """

    graph: Graph
    sources: list[Any]
    result: Any
    grads: list[tuple[Any, int]] = field(default_factory=list)
    cleared: list[Any] = field(default_factory=list)
    had_grad: list[tuple[Any, bool]] = field(default_factory=list)
    updated: list[Any] = field(default_factory=list)
    differentiable: list[tuple[int, Tensor]] = field(default_factory=list)
    checks: list[RangeCheck] = field(default_factory=list)
    afterwards: list[tuple[Callable[..., Any], tuple[Any, ...]]] = field(default_factory=list)
    joint: Joint | None = None
    spent: list[int] = field(default_factory=list)
    training: list[tuple[Any, bool]] = field(default_factory=list)
    guards: list[tuple[Any, str, Any]] = field(default_factory=list)
    groups: list[tuple[dict[str, Any], dict[str, Any]]] = field(default_factory=list)
    surroundings: Surroundings | None = None


@dataclass(frozen=True)
class Result:
    """A tensor in a captured function's result: output ``index``, or the number in it."""

    index: int
    as_number: bool = False


@dataclass(frozen=True)
class Argument:
    """In a captured function's result: the tensor that was passed at this position."""

    position: int


class DeferredNumber:
    """``tensor.item()`` during capture: fit only to be returned."""

    def __init__(self, tensor: Tensor) -> None:
        self.tensor = tensor

    def _needed(self, *_: Any) -> Any:
        raise ConcreteValueNeeded("computing with item()")

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = __truediv__ = _needed
    __rtruediv__ = __lt__ = __le__ = __gt__ = __ge__ = __bool__ = __float__ = __int__ = _needed
    __neg__ = __abs__ = __format__ = __index__ = __pow__ = __rpow__ = __floordiv__ = _needed
    __str__ = __repr__ = __round__ = _needed  # type: ignore[assignment]


def capturing() -> bool:
    """Whether this thread is capturing a program."""
    return MODES.capture is not None


class Capture:
    """The mode that is on while a program is captured (``MODES.capture``)."""

    namespace = symbolic

    def __init__(self, varying: Set[tuple[int, str]] = frozenset()) -> None:
        self.varying = varying
        """Options that are inputs: their groups' ids, and names."""
        self.varied: dict[tuple[int, str], Varying] = {}
        self.newborn = Newborn()
        """The tensors that are made while the program runs."""
        self.inputs: list[Value] = []
        self.sources: list[Any] = []
        self.arrays: list[np.ndarray] = []
        """The values of the inputs at this call."""
        self.states: dict[int, tuple[Tensor, Value]] = {}
        self.original: dict[int, tuple[Tensor, Any, Any, bool, dict[str, Any]]] = {}
        self.original_grads: dict[int, tuple[Tensor, Tensor | None]] = {}
        self.hyperparameters: dict[tuple[int, str, int | None], Tensor] = {}
        self.groups: dict[int, dict[str, Any]] = {}
        self.afterwards: list[tuple[Callable[..., Any], tuple[Any, ...]]] = []
        self.moved: set[int] = set()
        """Optimizers' groups that :attr:`afterwards` changes."""
        self.cut: list[Tensor] = []
        """Arguments that were computed under the tape."""
        self.checks: list[RangeCheck] = []
        self.requirements: list[Value] = []
        """Values that are computed because that may raise."""
        self.forgotten: set[int] = set()
        """Tensors whose ``grad`` the program replaces before it could matter."""
        self.argument_positions: dict[int, int] = {}

    # -- what operations ask ------------------------------------------------------------------

    def note_call(self, node: Any) -> None:
        """Keep on the tape's ``node`` where its operation was called."""
        node.called_at = find_origin()

    def array_of(self, tensor: Tensor) -> Value:
        """The symbolic array of ``tensor``, which is lifted if it has a value."""
        array = tensor._array
        if array.__class__ is Value or hasattr(array, "batch_memory"):
            return array
        return self.lift(tensor)

    def lift(self, tensor: Tensor) -> Value:
        """Make ``tensor`` a state of the program, or a constant if the program itself made it."""
        if not isinstance(tensor._array, np.ndarray):
            raise CaptureError(f"a tensor on {tensor.device} met a program compiled for the CPU")
        if tensor in self.newborn:
            tensor._array = self.constant(tensor._array)
            return tensor._array
        return self._bind(tensor, tensor)

    def argument(self, tensor: Tensor, position: int) -> Value:
        """Make ``tensor`` the argument ``position`` of the program."""
        self.argument_positions[id(tensor)] = position
        return self._bind(tensor, position)

    def _bind(self, tensor: Tensor, source: Any) -> Value:
        array = tensor._array
        value = input_value(array.shape, array.dtype)
        self.inputs.append(value)
        self.sources.append(source)
        self.arrays.append(array)
        self.states[id(tensor)] = (tensor, value)
        kept: dict[str, Any] = {
            name: tensor.__dict__[name] for name in ("_rebased", "_seen") if name in tensor.__dict__
        }
        self.original[id(tensor)] = (tensor, array, tensor._node, tensor._requires_grad, kept)
        self.note_grad(tensor)
        tensor._array = value
        if source.__class__ is int and tensor._node is not None and tensor._base is None:
            tensor._node = None  # the program's tape begins at its arguments
            self.cut.append(tensor)
        return value

    def note_grad(self, tensor: Tensor, replaced: bool = False) -> None:
        """Remember the ``grad`` that ``tensor`` had before the program.

        Args:
            replaced: it is about to be replaced; if it is still the one of before, then the
                program does not depend on it.
        """
        if id(tensor) not in self.original_grads:
            self.original_grads[id(tensor)] = (tensor, tensor._grad)
        if replaced and tensor._grad is self.original_grads[id(tensor)][1]:
            self.forgotten.add(id(tensor))

    def constant(self, array: Any) -> Value:
        """A value made inside the program that is the same at every call."""
        if isinstance(array, Value):
            return array
        if array.size and array.ndim and (array == array.flat[0]).all():
            return symbolic.full(  # type: ignore[attr-defined]
                array.shape, array.flat[0].item(), array.dtype
            )
        return constant(array)

    def draw(self, sampler: Any, shape: Any, dtype: Any, parameters: Any, generator: Any) -> Value:
        """Random numbers: an input that each call draws anew."""
        draw = Draw(sampler, tuple(shape), np.dtype(dtype), tuple(parameters), generator)
        array = np.asarray(draw.sample())
        value = input_value(array.shape, array.dtype)
        self.inputs.append(value)
        self.sources.append(draw)
        self.arrays.append(array)
        return value

    def hyperparameter(self, group: dict[str, Any], name: str) -> Any:
        """An optimizer's option: ``lr``, and what has varied, as an input, others as they are."""
        self.groups[id(group)] = group
        if id(group) in self.moved:
            raise CaptureError(f"the optimizer reads '{name}' after its schedule's step")
        value = group[name]
        if name == "lr":
            return value if isinstance(value, Tensor) else self._number(group, name, None, Tensor)
        kind = form(value)
        if (id(group), name) not in self.varying or kind is None:
            return value
        varying = self.varied.setdefault((id(group), name), Varying(value))
        numbers = []
        for place in range(max(1, kind)):
            number = self._number(group, name, place if kind else None, OptionNumber)
            number._option = (varying, place, value[place] if kind else value)
            numbers.append(number)
        return tuple(numbers) if kind else numbers[0]

    def _number(self, group: dict[str, Any], name: str, index: int | None, cls: type) -> Any:
        """A number of an optimizer's group as an input."""
        key = (id(group), name, index)
        if key not in self.hyperparameters:
            source = Hyperparameter(group, name, index)
            symbol = input_value((), np.dtype(np.float64))
            self.inputs.append(symbol)
            self.sources.append(source)
            self.arrays.append(source.read())
            tensor = object.__new__(cls)
            tensor._array = symbol
            self.hyperparameters[key] = tensor
        return self.hyperparameters[key]

    def later(self, optimizer: Any, call: Callable[..., Any], *arguments: Any) -> None:
        """Have each call of the program end with ``call(*arguments)``, a schedule's step.

        Args:
            optimizer: whose groups ``call`` changes.
            call, arguments: what is called; tensors among the arguments become numbers.
        """
        known = (DeferredNumber(a) if isinstance(a, Tensor) else a for a in arguments)
        self.afterwards.append((call, tuple(known)))
        self.moved.update(map(id, optimizer.param_groups))

    def concrete(self, array: Any, wanted: str) -> np.ndarray:
        """The elements of ``array``, which must be the same at every call."""
        if isinstance(array, Value):
            if array.primitive == "constant":
                return array.attributes["array"]
            if array.primitive == "full":
                return np.full(array.shape, array.attributes["value"], array.dtype)
        raise ConcreteValueNeeded(wanted)

    def require_in_range(
        self, index: Value, low: int, high: int, error: Callable[[int], Exception],
        ignored: int | None,
    ) -> None:  # fmt: skip
        """Have each call refuse indices out of range among its inputs, before it does anything.

        Indices that the program computes are checked where they are used.
        """
        source = index
        while source.primitive in _MOVES:
            source = source.operands[0]
        if source.primitive == "input":
            self.checks.append(RangeCheck(source, low, high, ignored, error))

    def singular_places(self, matrices: Any, result: Any) -> Value:
        """For each matrix 0, or where its elimination ends if ``result`` is not finite."""
        lifted = matrices if isinstance(matrices, Value) else self.constant(matrices)
        return singular_places(lifted, result)

    def require_success(
        self, infos: Value, name: str, words: str, error: type[Exception]
    ) -> None:
        """Have each call raise ``error`` where ``infos`` are not 0."""
        self.requirements.append(required(infos, name, words, error))

    def item(self, tensor: Tensor) -> DeferredNumber:
        """``tensor.item()``."""
        return DeferredNumber(tensor)

    # -- putting everything back --------------------------------------------------------------

    def restore(self) -> None:
        """Give every tensor its array, history and gradient back."""
        for tensor, array, node, requires_grad, kept in self.original.values():
            tensor._array = array
            tensor._node = node
            tensor._requires_grad = requires_grad
            for name in ("_rebased", "_seen"):
                tensor.__dict__.pop(name, None)
            tensor.__dict__.update(kept)
        for tensor, grad in self.original_grads.values():
            tensor._grad = grad


def capture(
    function: Callable[..., Any],
    args: Any,
    kwargs: Any,
    tensors: list[Tensor],
    views: bool = False,
    varying: Set[tuple[int, str]] = frozenset(),
) -> tuple[Program, Capture]:
    """Run ``function(*args, **kwargs)`` on symbolic arrays.

    Args:
        tensors: those among the arguments, in the order in which later calls will pass theirs.
        views: whether results may be views of the arguments.
        varying: options of optimizers that are to be inputs: their groups' ids, and names.

    Raises:
        ConcreteValueNeeded, CaptureError: the program cannot be captured.  Everything that it did
            has been undone as far as it can be seen.
        Exception: whatever the program raises.
    """
    state = PythonState(function, args, kwargs)
    grad_mode = GRAD_MODE.enabled
    recording = Capture(varying)
    MODES.capture = recording
    enter_mode()
    try:
        for position, tensor in enumerate(tensors):
            if id(tensor) not in recording.states:
                recording.argument(tensor, position)
        returned = function(*args, **kwargs)
        changed = state.changed() or state.rebound()
        if GRAD_MODE.enabled is not grad_mode:
            changed = "whether gradients are recorded"
        if changed is not None:
            del returned
            raise CaptureError(f"the program changes Python state: {changed}")
        if any(id(t) in state.tensors for t in tensors):
            del returned
            raise CaptureError(
                "an argument is a tensor that the program also knows under a name of its own"
            )
        program = _finish(recording, returned, views)
        del returned
        program.training, program.guards = state.training, state.guards()
        program.surroundings = Surroundings(state)
    except BaseException as error:
        state.restore()
        GRAD_MODE.enabled = grad_mode
        error.__traceback__ = _without_frames(error.__traceback__)
        raise
    finally:
        leave_mode()
        MODES.capture = None
        recording.restore()
        recording.hyperparameters.clear()
        escaped = _settle_escaped(recording)
        recording.newborn.close()
    if escaped:
        state.restore()
        raise CaptureError(
            "a tensor made in the program is kept outside it, other than in its result (its shape "
            f"is {escaped[0]})"
        )
    return program, recording


def _without_frames(tb: Any) -> Any:
    """A traceback without the frames' local variables, which would keep symbolic tensors alive."""
    import traceback

    traceback.clear_frames(tb)
    return tb


def _settle_escaped(recording: Capture) -> list[list[int]]:
    """Give symbolic tensors that outlive the program the values of this call; their shapes."""
    candidates = [*recording.newborn.living(), *(t for t, *_ in recording.original.values())]
    found = [t for t in candidates if t.__dict__.get("_array").__class__ is Value]
    del candidates
    if not found:
        return []
    gc.collect()  # what only hangs in a cycle has not escaped
    found = [t for t in found if getrefcount(t) > 3]
    if not found:
        return []
    graph = Graph(recording.inputs, [t._array for t in found])
    values, _ = evaluate(graph, recording.arrays)
    for tensor, value in zip(found, values):
        tensor._array = np.array(value)
        tensor._node = None
    return [list(t.shape) for t in found]


def _finish(recording: Capture, returned: Any, views: bool) -> Program:
    """The program that ``recording`` has seen, while tensors still have their symbolic arrays.

    ``views`` allows results that are views of arguments, for programs that need only their values.
    """
    outputs: list[Value] = []
    graph = Graph(list(recording.inputs), outputs)
    program = Program(graph, [], None)

    def output(value: Value) -> int:
        outputs.append(value)
        return len(outputs) - 1

    described: dict[int, Result] = {}

    def describe(item: Any) -> Any:
        if isinstance(item, DeferredNumber):
            return Result(output(recording.array_of(item.tensor)), as_number=True)
        if isinstance(item, Tensor):
            if item._base is not None:
                item._refresh()
            if id(item) in recording.argument_positions:
                return Argument(recording.argument_positions[id(item)])
            if id(item) in recording.states:
                return item  # a parameter, say: the result is that very tensor
            if not views and _is_view_of_memory(recording, item):
                raise CaptureError("its result is a view of a tensor made outside the program")
            if id(item) in described:
                return described[id(item)]
            index = output(recording.array_of(item))
            described[id(item)] = Result(index)
            if item._requires_grad and item._node is not None and not item._node.released:
                program.differentiable.append((index, item))
            return Result(index)
        if isinstance(item, tuple) and hasattr(item, "_fields"):
            parts = [describe(i) for i in item]
            return type(item)(*parts) if not _is_return_type(item) else type(item)(parts)
        if isinstance(item, (list, tuple)):
            return type(item)([describe(i) for i in item])
        if isinstance(item, dict):
            made = copy.copy(item)
            made.update({key: describe(v) for key, v in item.items()})
            return made
        return item

    program.result = describe(returned)
    program.afterwards = [(call, describe(args)) for call, args in recording.afterwards]
    recording.afterwards.clear()
    outputs.extend(recording.requirements)

    for tensor in recording.cut:
        if tensor._grad is not recording.original_grads[id(tensor)][1]:
            raise CaptureError("its backward pass goes on into the history of an argument")
    for tensor, before in recording.original_grads.values():
        owner = recording.argument_positions.get(id(tensor), tensor)
        now = tensor._grad
        if now is None:
            if before is not None:
                program.cleared.append(owner)
        elif now is not before:
            value = now._array
            if not isinstance(value, Value):
                raise CaptureError("a gradient was replaced by a tensor made outside the program")
            if before is not None and id(before) in recording.states:
                # what eager mode adds to the gradient in place
                graph.updates[_input_of(recording, before)] = value
                program.updated.append(before)
            else:
                program.grads.append((owner, output(value)))
        if id(tensor) not in recording.forgotten:
            program.had_grad.append((owner, before is not None))

    for tensor, value in recording.states.values():
        now = tensor._array
        if now is value:
            continue
        if tensor._base is not None and id(tensor._base) in recording.states:
            continue  # its base is written
        position = _input_of(recording, tensor)
        if position in graph.updates:
            continue
        if tuple(now.shape) != value.shape or now.dtype != value.dtype:
            raise CaptureError("a tensor changed its shape or dtype in place")
        graph.updates[position] = now
        program.updated.append(recording.argument_positions.get(id(tensor), tensor))
    if program.differentiable:
        program.joint = make_joint(program, recording)
        program.differentiable = []
    graph.inputs = list(recording.inputs)  # the backward pass may have met further states
    program.sources = list(recording.sources)
    program.groups = [(group, _options(group, recording)) for group in recording.groups.values()]
    program.checks = _distinct(recording.checks)
    _refuse_shared_memory(recording, program)
    return program


def _is_view_of_memory(recording: Capture, tensor: Tensor) -> bool:
    """Whether ``tensor`` shares the memory of a state or of an argument."""
    value = tensor._array
    if not isinstance(value, Value):
        return False
    while value.primitive in ("reshape", "permute", "expand", "slice"):
        value = value.operands[0]
    if value.primitive != "input":
        base = tensor._base
        return base is not None and id(base) in recording.states
    return any(value is known for _, known in recording.states.values())


def _distinct(checks: list[RangeCheck]) -> list[RangeCheck]:
    """One check of each kind: forward and backward ask for the same."""
    kept = {(id(c.value), c.low, c.high, c.ignored): c for c in reversed(checks)}
    return list(kept.values())[::-1]


def _options(group: dict[str, Any], recording: Capture) -> dict[str, Any]:
    """The options of an optimizer's group that a program takes as constants."""
    inputs = ("params", "lr", "initial_lr")
    return {
        name: recording.varied.get((id(group), name), value)
        for name, value in group.items()
        if name not in inputs and not isinstance(value, Tensor)
    }


def _is_return_type(item: Any) -> bool:
    return type(item).__module__ == "torch.return_types"


def _input_of(recording: Capture, tensor: Tensor) -> int:
    value = recording.states[id(tensor)][1]
    return next(i for i, v in enumerate(recording.inputs) if v is value)


def _refuse_shared_memory(recording: Capture, program: Program) -> None:
    """A program that writes to memory it also knows under another name is not safe to run."""
    for position in program.graph.updates:
        written = recording.arrays[position]
        for other, array in enumerate(recording.arrays):
            if other != position and np.may_share_memory(written, array):
                raise CaptureError(
                    "the program writes to a tensor whose memory it also reads through another "
                    f"tensor (shapes {list(written.shape)} and {list(array.shape)})"
                )


def same_program(first: Program, second: Program) -> str | None:
    """None if two captures are one program, else what is different."""
    a, b = list(first.graph.values()), list(second.graph.values())
    if len(a) != len(b):
        return f"it has {len(a)} operations at one call and {len(b)} at the next"
    index_a = {id(v): i for i, v in enumerate(a)}
    index_b = {id(v): i for i, v in enumerate(b)}
    for x, y in zip(a, b):
        if (x.primitive, x.shape, x.dtype) != (y.primitive, y.shape, y.dtype):
            return f"{x!r} at one call is {y!r} at the next"
        if [index_a[id(v)] for v in x.operands] != [index_b[id(v)] for v in y.operands]:
            return f"the operands of {x!r} differ between two calls"
        if x.primitive == "constant":
            if not np.array_equal(x.attributes["array"], y.attributes["array"], equal_nan=True):
                p, q = x.attributes["array"], y.attributes["array"]
                shown = f" ({p} and {q})" if p.size == 1 else ""
                return f"a constant of shape {list(x.shape)} changes between calls{shown}"
        elif not _same_attributes(x.attributes, y.attributes):
            return f"{x!r} has {x.attributes} at one call and {y.attributes} at the next"
    for p, q in zip(first.sources, second.sources):
        if isinstance(p, Tensor) and p is not q:
            return "it uses other tensors at the next call"
    return None


def _same_attributes(first: dict[str, Any], second: dict[str, Any]) -> bool:
    return repr(first) == repr(second)
