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
import functools
import gc
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence, Set
from sys import getrefcount
from typing import Any, ParamSpec, TypeVar

import numpy as np

from ..autograd.grad_mode import GRAD_MODE
from ..modes import MODES, NotYet, enter_mode, leave_mode
from ..tensor import Tensor
from .captured import Argument, Grad, Program, RangeCheck, Result, View
from .graph import Graph, Value, evaluate
from .joint import make_joint
from .overlap import overlaps
from .python_state import PythonState, Surroundings
from .rebinding import (
    Moving,
    Rebinding,
    Slot,
    find_rebindings,
    loose,
    put_back,
    read_from_slots,
    release,
)
from .recording import Capture, CaptureError, DeferredNumber, sure_chain
from .replay import Replay
from .side_effects import refused_output
from .watched import hooks_of, node_hooks

_capturing = threading.RLock()
"""Held while a thread captures: what it makes is told from what was there by Python's collector."""
_PATIENCE = 1.0
"""Seconds that other threads wait for it."""
_P = ParamSpec("_P")
_R = TypeVar("_R")


def _one_at_a_time(function: Callable[_P, _R]) -> Callable[_P, _R]:
    """``function`` for one thread at a time; NotYet where another does not come to an end."""

    @functools.wraps(function)
    def alone(*args: _P.args, **kwargs: _P.kwargs) -> _R:
        if not _capturing.acquire(timeout=_PATIENCE):
            raise NotYet("another thread is capturing")
        try:
            return function(*args, **kwargs)
        finally:
            _capturing.release()

    return alone


@_one_at_a_time
def capture(
    function: Callable[..., Any],
    args: Any,
    kwargs: Any,
    tensors: list[Tensor],
    views: bool = False,
    varying: Set[tuple[int, str]] = frozenset(),
    changing: Sequence[Slot] = (),
    earlier: Replay | None = None,
) -> tuple[Program, Capture]:
    """Run ``function(*args, **kwargs)`` on symbolic arrays.

    Args:
        tensors: those among the arguments, in the order in which later calls will pass theirs.
        views: whether results may be views of the arguments.
        varying: options of optimizers that are to be inputs: their groups' ids, and names.
        changing: places of tensors that are replaced between the calls.
        earlier: what an earlier capture made, which this one may do again.

    Raises:
        ConcreteValueNeeded, CaptureError: the program cannot be captured.  Everything that it did
            has been undone as far as it can be seen.
        NotYet: another thread is capturing, and does not come to an end.
        Exception: whatever the program raises.
    """
    state = PythonState(function, args, kwargs)
    if state.refused is not None:
        raise CaptureError(state.refused)
    grad_mode = GRAD_MODE.enabled
    recording = Capture(varying, state.tensors, state.seen_tensors(), earlier)
    recording.knows_grads_of({id(t): t for t in (*state.tensors.values(), *tensors)}.values())
    rebindings: list[Rebinding] = []
    casts = MODES.autocast.cache if MODES.autocast is not None else None
    casts_before = dict(casts or ())
    if casts is not None:
        casts.clear()  # they are the eager program's, and those made now this one's
    MODES.capture = recording
    enter_mode()
    try:
        for position, tensor in enumerate(tensors):
            if tensor._node is not None and node_hooks(tensor._node):
                raise CaptureError("an argument that has a history has hooks")
            if id(tensor) not in recording.states:
                recording.argument(tensor, position)
        recording.lift_early(state.tensors.values())
        with refused_output():
            returned = function(*args, **kwargs)
        rebindings = find_rebindings(state)
        put_back(rebindings)
        changed = state.changed() or state.rebound() or recording.changed_flag()
        changed = changed or recording.streams.changed()
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
        program = _finish(recording, returned, views, rebindings)
        del returned
        for rebinding in rebindings:
            rebinding.now = None
        others = loose(changing, rebindings)
        if rebindings or others:
            rebindings = read_from_slots(program, recording, state, rebindings, others)
        program.training, program.guards = state.training, state.guards()
        lifted = [source for source in program.sources if isinstance(source, Tensor)]
        lifted += [view for view, _ in recording.derived.values()]
        program.derived = list(recording.derived.values())
        _read_moving(program, recording)
        if any(hooks_of(t) for t in lifted if id(t) not in state.tensors):
            raise CaptureError("a tensor that it cannot name has hooks")
        if any(node_hooks(node) for node in recording.histories_of(lifted)):
            raise CaptureError("a tensor that has a history has hooks")
        program.surroundings = Surroundings(state, lifted)
        program.groups += [
            (group, _options(group, recording)) for group in state.groups
            if id(group) not in recording.groups
        ]  # fmt: skip
        if state.rates_are_read():
            program.guards += [(g, "lr", g["lr"]) for g, _ in program.groups if "lr" in g]
    except BaseException as error:
        rebindings.clear()
        state.restore()
        recording.restore_streams()
        GRAD_MODE.enabled = grad_mode
        error.__traceback__ = _without_frames(error.__traceback__)
        raise
    finally:
        leave_mode()
        MODES.capture = None
        if casts is not None:
            casts.clear()
            casts.update(casts_before)
        recording.restore()
        recording.hyperparameters.clear()
        recording.delivered.clear()
        recording.newborn.thaw()
        try:
            escaped = _settle_escaped(recording)
        finally:
            recording.newborn.close()
    if escaped:
        state.restore()
        recording.restore_streams()
        raise CaptureError(
            "a tensor made in the program is kept outside it, other than in its result (its shape "
            f"is {escaped[0]})"
        )
    release(program.surroundings, rebindings)
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


def _finish(
    recording: Capture, returned: Any, views: bool, rebindings: Sequence[Rebinding]
) -> Program:
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
    put = [r.now for r in rebindings]
    roots = _shared_roots([*_tensors_in(returned), *_tensors_in(put), *(t for _, t in gradients)])

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
                    describe_tensor(base), tuple(sure_chain(recording, item)),
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
    program.rebound = [(r.slot, describe(r.now)) for r in rebindings]
    outputs.extend(recording.requirements)
    if recording.turn is not None:
        outputs.append(recording.turn)
    program.afterwards = [(call, describe(args)) for call, args in recording.afterwards]
    recording.afterwards.clear()

    for tensor in recording.cut:
        if tensor._grad is not recording.original_grads[id(tensor)][1]:
            raise CaptureError("its backward pass goes on into the history of an argument")
    for tensor, before in recording.original_grads.values():
        owner = recording.argument_positions.get(id(tensor), tensor)
        now = tensor._grad
        if now is None and (before is not None or id(tensor) in recording.forgotten):
            program.cleared.append(owner)  # at another call there may be one to clear
        if id(tensor) in recording.unasked:
            continue
        if before is not None and id(before) in recording.states:
            by_name = not isinstance(recording.source_of(before), Grad)
            program.had_grad.append((owner, before if by_name else True))
        elif id(tensor) not in recording.forgotten:
            program.had_grad.append((owner, None if before is None else True))
    for owner, gradient in gradients:
        program.grads.append((owner, describe_tensor(gradient)))

    positions = {id(value): i for i, value in enumerate(recording.inputs)}
    for tensor, value in recording.states.values():
        new = tensor._array
        if id(tensor) in recording.left_behind:
            program.moved.append((tensor, output(new)))
            new = recording.left_behind[id(tensor)][1]
        if new is value:
            continue
        if tensor._base is not None and id(tensor._base) in recording.states:
            continue  # its base is written
        position = positions[id(value)]
        if position in graph.updates:
            continue
        if tuple(new.shape) != value.shape or new.dtype != value.dtype:
            raise CaptureError("a tensor changed its shape or dtype in place")
        graph.updates[position] = new
        program.updated.append(recording.sources[position])
    if program.differentiable:
        turn = recording.turn
        program.joint = make_joint(program, recording, described)
        if recording.turn is not turn:
            raise CaptureError("its gradient draws random numbers")
        program.differentiable = []
    graph.inputs = list(recording.inputs)  # the backward pass may have met further states
    program.checks = _distinct(recording.checks)
    recording.drop_unused(program)
    program.sources = list(recording.sources)
    program.groups = [(group, _options(group, recording)) for group in recording.groups.values()]
    _refuse_shared_memory(recording, program)
    return program


def _read_moving(program: Program, recording: Capture) -> None:
    """Have each call look where the memory is of tensors whose ``data`` the program replaces."""
    moved = {id(tensor) for tensor, _ in program.moved}
    if any(id(view._base) in moved for view, _ in program.derived):
        raise CaptureError("it replaces the data of a tensor that it has views of")
    for i, source in enumerate(program.sources):
        if id(source) in moved:
            program.sources[i] = recording.sources[i] = Moving(source)


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


def _refuse_shared_memory(recording: Capture, program: Program) -> None:
    """A program that writes to memory it also knows under another name is not safe to run."""
    arrays = recording.arrays
    for written, other in overlaps(dict(enumerate(arrays)), program.graph.updates):
        raise CaptureError(
            "the program writes to a tensor whose memory it also reads through another "
            f"tensor (shapes {list(arrays[written].shape)} and {list(arrays[other].shape)})"
        )
