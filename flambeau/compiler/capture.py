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
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from dataclasses import dataclass, field
from sys import getrefcount
from typing import Any

import numpy as np

from ..autograd.grad_mode import GRAD_MODE
from ..modes import MODES, ConcreteValueNeeded, enter_mode, leave_mode
from ..tensor import Tensor
from ..tensor.views import chain_of, replay
from . import symbolic
from .graph import Graph, Value, constant, evaluate, input_value
from .joint import Joint, make_joint
from .memory_order import MAY_COPY, in_row_major_order
from .newborn import Newborn
from .options import Hyperparameter, OptionNumber, Varying, form
from .origin import find_origin
from .overlap import overlaps
from .python_state import PythonState, Surroundings, hooks_of, same_value
from .requirements import required, singular_places
from .side_effects import refused_output


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


@dataclass(frozen=True)
class Grad:
    """The ``grad`` that a tensor, or the argument at a position, has at the call."""

    owner: Any

    def tensor(self, tensors: Sequence[Tensor]) -> Tensor | None:
        """That gradient, in a call with the arguments ``tensors``."""
        owner = tensors[self.owner] if self.owner.__class__ is int else self.owner
        grad: Tensor | None = owner._grad
        return grad


@dataclass(frozen=True)
class View:
    """In what a program delivers: a view of another tensor.

    Attributes:
        base: what the view is taken of: a :class:`Result`, an :class:`Argument`, a Tensor or a
            :class:`Grad`.
        chain: the view operations that lead from it to the view, with their arguments.
        recorded: whether it is on the tape if its base is.
        part_of: the function that gave it along with other views.
    """

    base: Any
    chain: tuple[Any, ...]
    recorded: bool
    part_of: tuple[str, int] | None


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
            :class:`Grad`, a :class:`Draw` or a :class:`Hyperparameter`.
        result: what the function returned, with :class:`Result`, :class:`Argument`, :class:`View`,
            :class:`Grad` or the very tensor for each tensor of it.
        grads: pairs of a tensor, or an argument's position, and what becomes its ``grad``,
            described in the same way.
        cleared: tensors whose ``grad`` the program sets to None.
        had_grad: tensors (or positions) whose ``grad`` the program meets, and what must hold for
            it: None, a tensor that it must be, or True for any.
        updated: the tensors (or positions, or :class:`Grad`) that the program writes to.
        afterwards: what each call does when the program has run, with its arguments: schedules'
            steps.
        checks: of inputs, before anything is done.
        differentiable: outputs that are on the tape, with their symbolic tensors.
        joint: the backward program for those.
        spent: outputs whose backward pass the program has run itself, and what they are on the
            tape.
        training, guards, groups: module modes, plain Python values and optimizer options that the
            program was captured with.
        surroundings: names, containers, hooks and the structure of modules, likewise.
        derived: views of states that the program knows, and their arrays.
    """

    graph: Graph
    sources: list[Any]
    result: Any
    grads: list[tuple[Any, Any]] = field(default_factory=list)
    cleared: list[Any] = field(default_factory=list)
    had_grad: list[tuple[Any, Any]] = field(default_factory=list)
    updated: list[Any] = field(default_factory=list)
    differentiable: list[tuple[int, Tensor]] = field(default_factory=list)
    checks: list[RangeCheck] = field(default_factory=list)
    afterwards: list[tuple[Callable[..., Any], tuple[Any, ...]]] = field(default_factory=list)
    joint: Joint | None = None
    spent: dict[int, Any] = field(default_factory=dict)
    training: list[tuple[Any, bool]] = field(default_factory=list)
    guards: list[tuple[Any, str, Any]] = field(default_factory=list)
    groups: list[tuple[dict[str, Any], dict[str, Any]]] = field(default_factory=list)
    surroundings: Surroundings | None = None
    derived: list[tuple[Tensor, Any]] = field(default_factory=list)


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

    def __init__(
        self,
        varying: Set[tuple[int, str]] = frozenset(),
        known: dict[int, Tensor] | None = None,
    ) -> None:
        self.known = {} if known is None else known
        """The tensors that the program can name."""
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
        self.grad_owners: dict[int, Tensor] = {}
        """The tensors whose ``grad`` a tensor is, by its id, of those that have a ``grad``."""
        self.original_flags: dict[int, tuple[Tensor, bool]] = {}
        """The ``requires_grad`` of tensors that the program has changed."""
        self.shared_grads: set[int] = set()
        self.known_orders: dict[int, bool] = {}
        self.known_memory: dict[int, np.ndarray] = {}
        self.looked_at: list[Value] = []
        """What :mod:`.memory_order` has found."""
        self.source_by_tensor: dict[int, Any] = {}
        self.streams: dict[int, tuple[Any, Any]] = {}
        """The program's own generators of random numbers, and their states before it."""
        self.derived: dict[int, tuple[Tensor, Any]] = {}
        """Views of states, and their arrays."""
        self.early: set[int] = set()
        """The inputs that were made before the program met them."""
        self.unasked: set[int] = set()
        """States and arguments, while nobody has asked for their ``grad``."""
        self.delivered: dict[int, Tensor] = {}
        """The tensors that become outputs, by their ids."""
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
        owner = self.grad_owners.get(id(tensor))
        if owner is None or id(tensor) in self.known:
            if tensor._base is not None and tensor._view is not None:
                return self._derive(tensor)
            return self._bind(tensor, tensor)
        if id(tensor) in self.shared_grads:
            raise CaptureError("two tensors have the same tensor as their grad")
        if tensor._requires_grad:
            raise CaptureError("it uses a grad that is itself on the tape (create_graph=True)")
        self.note_grad(owner)
        return self._bind(tensor, Grad(self.argument_positions.get(id(owner), owner)))

    def _remember(self, tensor: Tensor) -> None:
        """Keep what :meth:`restore` puts back."""
        kept: dict[str, Any] = {
            name: tensor.__dict__[name] for name in ("_rebased", "_seen") if name in tensor.__dict__
        }
        self.original[id(tensor)] = (
            tensor, tensor._array, tensor._node, tensor._requires_grad, kept,
        )  # fmt: skip

    def _derive(self, view: Tensor) -> Any:
        """Make ``view``, from outside, what it is: a view of a state."""
        base = view._base
        assert base is not None
        self.derived[id(view)] = (view, view._array)
        self._remember(view)
        value = replay(chain_of(view), self.array_of(base))
        view._array = value
        view._seen = base._rebased
        return value

    def lift_early(self, tensors: Iterable[Tensor]) -> None:
        """Make ``tensors`` states before the program meets them.

        Code that looks at a tensor's memory then sees that it has none.
        """
        for tensor in tensors:
            if (
                id(tensor) not in self.states
                and isinstance(tensor._array, np.ndarray)
                and tensor._base is None
            ):
                self.early.add(id(self._bind(tensor, tensor)))

    def drop_unused(self, program: Program) -> None:
        """Leave out states that were lifted early, and not used."""
        graph, joint = program.graph, program.joint
        used = {id(value) for value in graph.values()} | {id(c.value) for c in program.checks}
        used |= {id(graph.inputs[i]) for i in graph.updates}
        if joint is not None:
            used |= {id(graph.inputs[k[1]]) for k in joint.kept if isinstance(k, tuple)}
        kept = [i for i, v in enumerate(self.inputs) if id(v) in used or id(v) not in self.early]
        place = {old: new for new, old in enumerate(kept)}
        graph.updates = {place[i]: value for i, value in graph.updates.items()}
        if joint is not None:
            joint.kept = [("input", place[k[1]]) if isinstance(k, tuple) else k for k in joint.kept]
        self.inputs = [self.inputs[i] for i in kept]
        self.sources = [self.sources[i] for i in kept]
        self.arrays = [self.arrays[i] for i in kept]
        graph.inputs = list(self.inputs)

    def knows_grads_of(self, tensors: Iterable[Tensor]) -> None:
        """Note whose ``grad`` the gradients of ``tensors`` are."""
        for tensor in tensors:
            grad = tensor._grad
            if grad is not None:
                if self.grad_owners.setdefault(id(grad), tensor) is not tensor:
                    self.shared_grads.add(id(grad))

    def note_requires_grad(self, tensor: Tensor) -> None:
        """Remember ``requires_grad`` before the program sets it."""
        if tensor not in self.newborn:
            self.original_flags.setdefault(id(tensor), (tensor, tensor._requires_grad))

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
        self.source_by_tensor[id(tensor)] = source
        self._remember(tensor)
        if not isinstance(source, Grad) and id(tensor) not in self.original_grads:
            self.note_grad(tensor)
            self.unasked.add(id(tensor))
        tensor._array = value
        if tensor._node is not None and tensor._base is None:
            tensor._node = None  # the program's tape begins at its arguments and its state
            self.cut.append(tensor)
        return value

    def note_grad(self, tensor: Tensor, replaced: bool = False) -> None:
        """Remember the ``grad`` that ``tensor`` had before the program.

        Args:
            replaced: it is about to be replaced; if it is still the one of before, then the
                program does not depend on it.
        """
        self.unasked.discard(id(tensor))
        if id(tensor) not in self.original_grads:
            if tensor in self.newborn:
                return
            self.original_grads[id(tensor)] = (tensor, tensor._grad)
            self.knows_grads_of((tensor,))
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
        if generator is not None and id(generator) not in self.streams:
            self.streams[id(generator)] = (generator, generator.state_bytes())
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
            tensor: Any = object.__new__(cls)
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

    def source_of(self, tensor: Tensor) -> Any:
        """What ``tensor`` from outside is: a :class:`Grad`, an argument's position, or itself."""
        if id(tensor) in self.states:
            return self.source_by_tensor[id(tensor)]
        owner = self.grad_owners.get(id(tensor))
        if owner is None or id(tensor) in self.known:
            return tensor
        self.note_grad(owner)
        return Grad(self.argument_positions.get(id(owner), owner))

    def lies_in_order(self, array: Any) -> bool:
        """Whether the elements of ``array`` certainly lie in row-major order in eager mode."""
        return in_row_major_order(array, self)

    def note_write(self, view: Tensor) -> None:
        """A view is written in place: it must be one in eager mode too."""
        _sure_chain(self, view)

    def singular_places(self, matrices: Any, result: Any) -> Value:
        """For each matrix 0, or where its elimination ends if ``result`` is not finite."""
        lifted = matrices if isinstance(matrices, Value) else self.constant(matrices)
        return singular_places(lifted, result)

    def require_success(self, infos: Value, name: str, words: str, error: type[Exception]) -> None:
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
        for tensor, requires_grad in self.original_flags.values():
            if id(tensor) not in self.original and tensor._node is None:
                tensor._requires_grad = requires_grad
        for tensor, grad in self.original_grads.values():
            tensor._grad = grad

    def restore_streams(self) -> None:
        """Take back the random numbers of the program's own generators."""
        for generator, state in self.streams.values():
            generator.set_state_bytes(state)

    def changed_flag(self) -> str | None:
        """In words, a tensor from outside that the program leaves with another history."""
        for tensor, requires_grad in self.original_flags.values():
            if tensor._requires_grad is not requires_grad:
                return "requires_grad of a tensor"
        for tensor, _, node, requires_grad, _ in self.original.values():
            now = tensor._node
            if id(tensor) in self.cut_ids():
                node = None
            if (now is not node and now is not None) or tensor._requires_grad is not requires_grad:
                return f"what a tensor of shape {list(tensor.shape)} was computed from, in place"
        return None

    def cut_ids(self) -> set[int]:
        """The ids of the tensors whose history the capture has set aside."""
        return {id(tensor) for tensor in self.cut}


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
    if state.refused is not None:
        raise CaptureError(state.refused)
    grad_mode = GRAD_MODE.enabled
    recording = Capture(varying, state.tensors)
    recording.knows_grads_of({id(t): t for t in (*state.tensors.values(), *tensors)}.values())
    MODES.capture = recording
    enter_mode()
    try:
        for position, tensor in enumerate(tensors):
            if id(tensor) not in recording.states:
                recording.argument(tensor, position)
        recording.lift_early(state.tensors.values())
        with refused_output():
            returned = function(*args, **kwargs)
        changed = state.changed() or state.rebound() or recording.changed_flag()
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
        lifted = [source for source in program.sources if isinstance(source, Tensor)]
        lifted += [view for view, _ in recording.derived.values()]
        program.derived = list(recording.derived.values())
        if any(hooks_of(t) for t in lifted if id(t) not in state.tensors):
            raise CaptureError("a tensor that it cannot name has hooks")
        program.surroundings = Surroundings(state, lifted)
        program.groups += [
            (group, _options(group, recording)) for group in state.groups
            if id(group) not in recording.groups
        ]  # fmt: skip
        if state.rates_are_read():
            program.guards += [(g, "lr", g["lr"]) for g, _ in program.groups if "lr" in g]
    except BaseException as error:
        state.restore()
        recording.restore_streams()
        GRAD_MODE.enabled = grad_mode
        error.__traceback__ = _without_frames(error.__traceback__)
        raise
    finally:
        leave_mode()
        MODES.capture = None
        recording.restore()
        recording.hyperparameters.clear()
        recording.delivered.clear()
        recording.original_flags.clear()
        escaped = _settle_escaped(recording)
        recording.newborn.close()
    if escaped:
        state.restore()
        recording.restore_streams()
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

    described: dict[int, Any] = {}
    gradients = _new_gradients(recording)
    roots = _shared_roots([*_tensors_in(returned), *(now for _, now in gradients)])

    def describe_tensor(item: Tensor) -> Any:
        if item._base is not None:
            item._refresh()
        if id(item) in recording.argument_positions:
            return Argument(recording.argument_positions[id(item)])
        if id(item) in recording.states or item not in recording.newborn:
            source = recording.source_of(item)
            if source.__class__ is not Grad:
                return item  # a parameter, say: the result is that very tensor
            owner = recording.grad_owners[id(item)]
            if owner._grad is not item:
                raise CaptureError("its result is a grad that it replaces")
            return source
        if id(item) in described:
            return described[id(item)]
        if not views and item._base is not None:
            base = item._base
            outside = id(base) in recording.states or base not in recording.newborn
            if outside or id(base) in roots:
                seen = described[id(item)] = View(
                    describe_tensor(base), tuple(_sure_chain(recording, item)),
                    not base._requires_grad or item._node is not None, item._part_of,
                )  # fmt: skip
                return seen
        index = output(recording.array_of(item))
        described[id(item)] = Result(index)
        recording.delivered[id(item)] = item
        if item._requires_grad and item._node is not None:
            program.differentiable.append((index, item))
        return Result(index)

    def describe(item: Any) -> Any:
        if isinstance(item, DeferredNumber):
            return Result(output(recording.array_of(item.tensor)), as_number=True)
        if isinstance(item, Tensor):
            return describe_tensor(item)
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
    outputs.extend(recording.requirements)
    program.afterwards = [(call, describe(args)) for call, args in recording.afterwards]
    recording.afterwards.clear()

    for tensor in recording.cut:
        if tensor._grad is not recording.original_grads[id(tensor)][1]:
            raise CaptureError("its backward pass goes on into the history of an argument")
    for tensor, before in recording.original_grads.values():
        owner = recording.argument_positions.get(id(tensor), tensor)
        now = tensor._grad
        if now is None and before is not None:
            program.cleared.append(owner)
        if id(tensor) in recording.unasked:
            continue
        if before is not None and id(before) in recording.states:
            by_name = not isinstance(recording.source_of(before), Grad)
            program.had_grad.append((owner, before if by_name else True))
        elif id(tensor) not in recording.forgotten:
            program.had_grad.append((owner, None if before is None else True))
    for owner, now in gradients:
        program.grads.append((owner, describe_tensor(now)))

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
        program.updated.append(recording.sources[position])
    if program.differentiable:
        program.joint = make_joint(program, recording, described)
        program.differentiable = []
    graph.inputs = list(recording.inputs)  # the backward pass may have met further states
    program.checks = _distinct(recording.checks)
    recording.drop_unused(program)
    program.sources = list(recording.sources)
    program.groups = [(group, _options(group, recording)) for group in recording.groups.values()]
    _refuse_shared_memory(recording, program)
    return program


def _new_gradients(recording: Capture) -> list[tuple[Any, Tensor]]:
    """Those whose ``grad`` the program has replaced, and the new one."""
    found = []
    for tensor, before in recording.original_grads.values():
        now = tensor._grad
        if now is not None and now is not before:
            found.append((recording.argument_positions.get(id(tensor), tensor), now))
    return found


def _tensors_in(item: Any) -> Iterator[Tensor]:
    """The tensors of a result."""
    if isinstance(item, Tensor):
        yield item
    elif isinstance(item, (list, tuple)):
        for part in item:
            yield from _tensors_in(part)
    elif isinstance(item, dict):
        yield from _tensors_in(list(item.values()))


def _shared_roots(delivered: Iterable[Tensor]) -> set[int]:
    """The ids of tensors that are delivered together with views of them, or with several views."""
    counts: dict[int, int] = {}
    for tensor in {id(t): t for t in delivered}.values():
        root = id(tensor if tensor._base is None else tensor._base)
        counts[root] = counts.get(root, 0) + 1
    return {root for root, count in counts.items() if count > 1}


def _sure_chain(recording: Capture, view: Tensor) -> list[tuple[Any, tuple[Any, ...]]]:
    """The operations that lead to ``view``, each of which gives a view in eager mode too.

    Raises:
        CaptureError: one of them might copy.
    """
    chain: list[tuple[Any, tuple[Any, ...]]] = []
    tensor = view
    while tensor is not view._base:
        if tensor._view is None:
            raise CaptureError("its result shares memory with a tensor in another dtype")
        operation, parent, arguments = tensor._view
        if operation.name in MAY_COPY and not in_row_major_order(parent._array, recording):
            raise CaptureError(
                f"it writes to the result of {operation.name}, or returns it together with what "
                "it was taken of, and whether that is a view is not known"
            )
        if any(isinstance(argument, Tensor) for argument in arguments):
            raise CaptureError(f"its result is a view that {operation.name} takes by a tensor")
        chain.append((operation, arguments))
        tensor = parent
    return chain[::-1]


def _distinct(checks: list[RangeCheck]) -> list[RangeCheck]:
    """One check of each kind: forward and backward ask for the same."""
    kept = {(id(c.value), c.low, c.high, c.ignored): c for c in reversed(checks)}
    return list(kept.values())[::-1]


def _options(group: dict[str, Any], recording: Capture) -> dict[str, Any]:
    """The options of an optimizer's group that a program takes as constants.

    Tensors among them are states, which must be those same tensors.
    """
    inputs = ("params", "initial_lr")
    return {
        name: recording.varied.get((id(group), name), value)
        for name, value in group.items()
        if name not in inputs and (name != "lr" or isinstance(value, Tensor))
    }


def _is_return_type(item: Any) -> bool:
    return type(item).__module__ == "torch.return_types"


def _input_of(recording: Capture, tensor: Tensor) -> int:
    value = recording.states[id(tensor)][1]
    return next(i for i, v in enumerate(recording.inputs) if v is value)


def _refuse_shared_memory(recording: Capture, program: Program) -> None:
    """A program that writes to memory it also knows under another name is not safe to run."""
    arrays = recording.arrays
    for written, other in overlaps(dict(enumerate(arrays)), program.graph.updates):
        raise CaptureError(
            "the program writes to a tensor whose memory it also reads through another "
            f"tensor (shapes {list(arrays[written].shape)} and {list(arrays[other].shape)})"
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
    for p, q in zip(first.sources, second.sources, strict=True):
        if isinstance(p, Tensor) and p is not q:
            return "it uses other tensors at the next call"
        if _source_kind(p) != _source_kind(q):
            return "its inputs differ between two calls"
    if [index_a[id(v)] for v in first.graph.outputs] != [
        index_b[id(v)] for v in second.graph.outputs
    ] or {i: index_a[id(v)] for i, v in first.graph.updates.items()} != {
        i: index_b[id(v)] for i, v in second.graph.updates.items()
    }:
        return "what it computes differs between two calls"
    for name in ("grads", "cleared", "had_grad", "updated"):
        if not _same_description(getattr(first, name), getattr(second, name)):
            return f"what it does to gradients differs between two calls ({name})"
    if not _same_description(first.result, second.result):
        return "its result differs between two calls in something other than tensors"
    return None


def _source_kind(source: Any) -> Any:
    """What inputs of two captures of one program have in common."""
    if isinstance(source, Draw):
        return (source.sampler, source.shape, source.dtype, repr(source.parameters),
                id(source.generator))  # fmt: skip
    if isinstance(source, Hyperparameter):
        return id(source.group), source.name, source.index
    if isinstance(source, Grad):
        return "grad", source.owner if source.owner.__class__ is int else id(source.owner)
    return source if source.__class__ is int else id(source)


def _same_description(first: Any, second: Any) -> bool:
    """Whether two captures deliver the same."""
    if first is second:
        return True
    if first.__class__ is not second.__class__:
        return False
    if isinstance(first, (Result, Argument)):
        return first == second
    if isinstance(first, Grad):
        return _source_kind(first) == _source_kind(second)
    if isinstance(first, View):
        return (
            _same_description(first.base, second.base)
            and repr(first.chain) == repr(second.chain)
            and (first.recorded, first.part_of) == (second.recorded, second.part_of)
        )
    if isinstance(first, (list, tuple)):
        return len(first) == len(second) and all(map(_same_description, first, second))
    if isinstance(first, dict):
        return list(first) == list(second) and all(
            map(_same_description, first.values(), second.values())
        )
    return same_value(first, second)


def _same_attributes(first: dict[str, Any], second: dict[str, Any]) -> bool:
    return repr(first) == repr(second)
