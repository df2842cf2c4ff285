"""Running a captured program: guards, inputs, results.

A :class:`Runner` holds what a call needs.  It checks that the state the program was captured with
is still of its kind, gathers the inputs' arrays, runs the executable, and leaves behind what the
eager program would: updated state, gradients, the result.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from ..autograd.grad_mode import GRAD_MODE
from ..ops.index_checks import first_outside
from ..random.default import default_generator
from ..tensor import Tensor, wrap
from .array_calls import drawn_back
from .captured import Argument, Draw, Grad, Program, Result, View
from .comparison import Results, difference, named_results
from .delivery import deliver_view
from .free_memory import return_free_memory
from .graph import Graph, evaluate
from .guards import GuardFailed
from .options import Hyperparameter
from .overlap import overlaps
from .rebinding import Moving, Slot, note_structure, same_slots
from .watched import read_plain, same_value

ndarray = np.ndarray


class Runner:
    """A program that is ready to be called.

    Args:
        program: the captured program.
        compile_graphs: makes executables of its graphs; None to evaluate them on NumPy.
    """

    def __init__(
        self, program: Program, compile_graphs: Callable[[Sequence[Graph]], list[Any]] | None
    ) -> None:
        self.program = program
        self.executable: Any = None
        self.check: Any = None
        """A program that tells which of the checks fail."""
        sources = program.sources
        if compile_graphs is not None:
            joint = program.joint
            graphs = [program.graph]
            graphs += [] if joint is None else [joint.graph]
            graphs += [check_graph(program)] if program.checks else []
            made = compile_graphs(graphs)
            self.executable = made[0]
            if joint is not None:
                joint.executable = made[1]
            if program.checks:
                self.check = made[-1]
        self.states = [(i, s) for i, s in enumerate(sources) if isinstance(s, Tensor)]
        self.states_at = dict(self.states)
        self.arguments = [(i, s) for i, s in enumerate(sources) if s.__class__ is int]
        self.grads = [(i, s) for i, s in enumerate(sources) if isinstance(s, Grad)]
        self.slots = [(i, s) for i, s in enumerate(sources) if isinstance(s, (Slot, Moving))]
        self.draws = [(i, s) for i, s in enumerate(sources) if isinstance(s, Draw)]
        self.parameters = [(i, s) for i, s in enumerate(sources) if isinstance(s, Hyperparameter)]
        self.kinds = [(v.shape, v.dtype) for v in program.graph.inputs]
        self.requires_grad = [(s, s._requires_grad) for _, s in self.states]
        self.forgotten_gradients = program.forgotten_gradients()
        self.group_sizes = {id(group): len(group) for group, _ in program.groups}
        self.inputs: list[Any] = [None] * len(sources)
        self.known: list[Any] = [None] * len(sources)
        self.direct: Callable[[Any, Any], Any] | None = None
        """The same call with everything resolved; see :mod:`.direct_call`."""
        self.bound: Callable[..., int] | None = None
        """The program with its state, as the direct call calls it."""
        self.bound_check: tuple[list[Any], Callable[..., int]] | None = None
        """The check with its state, as runs of many steps call it, and that state's arrays."""
        self.checked = False
        """Whether its machine code has given the graph's results."""
        self.wrong: str | None = None
        """How the compiled program's first results differ from what its graph gives."""

    def of_another_capture(self, program: Program) -> Runner:
        """A runner of ``program``, which is the same captured again, with this one's code."""
        joint = self.program.joint
        made = [self.executable, *([] if joint is None else [joint.executable]), self.check]
        runner = Runner(program, lambda _: made)
        runner.checked = self.checked
        return runner

    def executables(self) -> dict[str, Any]:
        """What has been compiled, by what it is: the program, its backward pass, its checks."""
        joint = self.program.joint
        found = {
            "the program": self.executable,
            "the backward pass": None if joint is None else joint.executable,
            "the check of indices": self.check,
        }
        return {name: made for name, made in found.items() if hasattr(made, "kernels")}

    def description(self) -> str:
        """The program in a few words."""
        graph = self.program.graph
        count = sum(1 for _ in graph.values())
        text = (
            f"  {count} operations, {len(graph.inputs)} inputs, {len(graph.outputs)} outputs, "
            f"{len(graph.updates)} updates"
        )
        describe = getattr(self.executable, "describe", None)
        return text if describe is None else f"{text}\n{describe()}"

    def __call__(self, tensors: Sequence[Tensor]) -> Any:
        """Run the program on ``tensors``, the arguments of the call.

        Raises:
            GuardFailed: nothing has been done.
        """
        self._check(tensors)
        inputs = self.inputs
        for i, position in self.arguments:
            inputs[i] = self._passed(i, tensors[position])
        for i, grad_source in self.grads:
            grad = grad_source.tensor(tensors)
            if grad is None or grad._requires_grad:
                raise GuardFailed("grad", grad_source.owner, True)
            inputs[i] = self._passed(i, grad)
        for i, slot in self.slots:
            inputs[i] = self._passed(i, slot.tensor())
        if (self.arguments or self.grads or self.slots) and self.program.graph.updates:
            self._refuse_shared_memory(tensors)
        for i, source in self.parameters:
            inputs[i] = source.read()
        for i, draw in self.draws:
            inputs[i] = np.asarray(draw.sample(), order="C")
        return self._run(inputs, tensors)

    def _passed(self, i: int, tensor: Tensor) -> np.ndarray:
        """The array of an argument, or of a gradient, of the kind that the program takes."""
        array = tensor._array
        if array.__class__ is not ndarray or (array.shape, array.dtype) != self.kinds[i]:
            raise GuardFailed("array", tensor, self.kinds[i], (array.shape, array.dtype))
        if array.flags.c_contiguous and array.flags.aligned:
            return array
        if i in self.program.graph.updates:
            raise GuardFailed("layout", tensor)
        return np.asarray(array, order="C")

    def first_call(self, tensors: Sequence[Tensor], arrays: Sequence[np.ndarray]) -> Any:
        """Run on the inputs of the call that was captured, checking the compiled program.

        What is delivered is what the graph gives on NumPy, but if the program has been checked.
        """
        inputs = self.inputs = [_contiguous(a) for a in arrays]
        self.known = [None] * len(inputs)
        if self.checked and all(inputs[i] is arrays[i] for i in self.program.graph.updates):
            return self._run(inputs, tensors)
        if self.program.checks:
            checked = [inputs[i] for i in checked_inputs(self.program)]
            self.refuse(inputs, evaluate(check_graph(self.program), checked)[0])
        graph = self.program.graph
        before = default_generator.state_bytes()

        def run(given: Sequence[np.ndarray]) -> Results:
            copies = [np.array(a) for a in given]
            with drawn_back(graph, before):
                results = self.executable(copies, spoiled=True)
            return named_results(results, {i: copies[i] for i in graph.updates})

        def reference(given: Sequence[np.ndarray]) -> Results:
            with drawn_back(graph, before):
                return named_results(*evaluate(graph, given))

        outputs, updates = evaluate(graph, inputs)
        updates = {i: np.array(a) for i, a in updates.items()}
        return_free_memory(graph)
        if self.executable is not None:
            expected = named_results(outputs, updates)
            self.wrong = difference(run(inputs), expected, inputs, run, reference)
            self.checked = self.wrong is None
            del expected
        for i, array in updates.items():
            np.copyto(arrays[i], array)
        del updates
        result = self._deliver([np.array(o) for o in outputs], tensors)
        del outputs
        return_free_memory(graph)
        return result

    def _check(self, tensors: Sequence[Tensor]) -> None:
        """Compare the state with that of the capture, and find the states' arrays."""
        inputs, known = self.inputs, self.known
        moved = False
        for i, state in self.states:
            if state._base is not None:
                state._refresh()
            array = state._array
            if array is not known[i]:
                moved = True
                if array.__class__ is not ndarray or (array.shape, array.dtype) != self.kinds[i]:
                    raise GuardFailed("array", state, self.kinds[i], (array.shape, array.dtype))
                if array.flags.c_contiguous and array.flags.aligned:
                    inputs[i] = array
                elif i in self.program.graph.updates:
                    raise GuardFailed("layout", state)
                else:
                    inputs[i] = None
                known[i] = array
            if inputs[i] is None:
                inputs[i] = np.asarray(array, order="C")
                known[i] = None
        if moved and self.program.graph.updates:
            self._refuse_shared_states()
        if self.program.slots:
            facts = same_slots(self.program, tensors)
            if facts is not None:
                raise GuardFailed("reference", facts.slot.key)
        for view, array in self.program.derived:
            if view._array is not array:
                raise GuardFailed("array", view, (array.shape, array.dtype), "another view")
        for state, requires_grad in self.requires_grad:
            if state._requires_grad is not requires_grad:
                raise GuardFailed("requires_grad", state, requires_grad)
        for owner, had in self.program.had_grad:
            tensor = tensors[owner] if owner.__class__ is int else owner
            if tensor._grad is not had and (had is not True or tensor._grad is None):
                raise GuardFailed("grad", owner, had)
        for module, training in self.program.training:
            if module.training is not training:
                raise GuardFailed("mode", module, training)
        for holder, name, value in self.program.guards:
            if not same_value(read_plain(holder, name), value):
                raise GuardFailed("value", name, value, read_plain(holder, name))
        surroundings = self.program.surroundings
        if surroundings is not None:
            other = surroundings.mismatch()
            if other is not None:
                raise GuardFailed("reference", other)
        for group, options in self.program.groups:
            if len(group) != self.group_sizes[id(group)]:
                raise GuardFailed("option", "keys", self.group_sizes[id(group)], len(group))
            for name, value in options.items():
                now = group.get(name)
                if now is not value and (isinstance(value, Tensor) or now != value):
                    raise GuardFailed("option", name, value, now)

    def _refuse_shared_states(self) -> None:
        """States whose memory was another one's before may share it now."""
        arrays = {i: state._array for i, state in self.states}
        for _, other in overlaps(arrays, self.program.graph.updates):
            self.known = [None] * len(self.known)
            raise GuardFailed("memory", self.states_at[other])

    def _refuse_shared_memory(self, tensors: Sequence[Tensor]) -> None:
        """An argument that shares memory with what is written makes another program."""
        inputs = self.inputs
        states = {i: a for i, a in enumerate(inputs) if self.states_at.get(i) is not None}
        places = {i: tensors[position]._array for i, position in self.arguments}
        places.update((i, inputs[i]) for i, _ in (*self.grads, *self.slots))
        for i in self.program.graph.updates:
            mine = places.get(i, states.get(i))
            for j, other in (places if i in states else {**states, **places}).items():
                if i != j and np.may_share_memory(mine, other):
                    raise GuardFailed("memory", self.program.sources[j])

    def _run(self, inputs: list[Any], tensors: Sequence[Tensor]) -> Any:
        if self.check is not None:
            self.refuse(inputs, self.check([inputs[i] for i in checked_inputs(self.program)]))
        if self.executable is None:
            outputs, updates = evaluate(self.program.graph, inputs)
            outputs = [np.array(o) for o in outputs]
            updates = {i: np.array(a) for i, a in updates.items()}
            for i, array in updates.items():
                np.copyto(inputs[i], array)
        else:
            for owner in self.forgotten_gradients:
                owner._grad = None
            outputs = self.executable(inputs)
        return self._deliver(outputs, tensors)

    def leave(
        self,
        outputs: Sequence[Any],
        tensors: Sequence[Tensor],
        views: dict[int, Tensor] | None = None,
    ) -> None:
        """Leave gradients as the eager program does."""
        program = self.program
        new = [(o, build_result(d, outputs, tensors, views)) for o, d in program.grads]
        for owner in program.cleared:
            owner_of(owner, tensors)._grad = None
        for owner, grad in new:
            owner_of(owner, tensors)._grad = grad

    def note_writes(self, tensors: Sequence[Tensor]) -> None:
        """Raise the versions of what the program has written to."""
        for owner in self.program.updated:
            owner_of(owner, tensors)._bump_version()

    def _deliver(self, outputs: Sequence[np.ndarray], tensors: Sequence[Tensor]) -> Any:
        """Leave gradients and versions as the eager program does, and give back its result."""
        program = self.program
        self.note_writes(tensors)
        delivered: list[Any] = list(outputs)
        for index, node in program.spent.items():
            tensor = delivered[index] = wrap(outputs[index])
            tensor._requires_grad = True
            tensor._node = node
        for tensor, index in program.moved:
            tensor._array = outputs[index]
        node = None if program.joint is None else program.joint.deliver(self, delivered, tensors)
        views: dict[int, Tensor] = {}
        result = build_result(program.result, delivered, tensors, views)
        self.leave(delivered, tensors, views)
        if program.rebound:
            put = [
                (slot, build_result(d, delivered, tensors, views)) for slot, d in program.rebound
            ]
            for slot, value in put:
                slot.put(value)
            note_structure(program.surroundings)
        if node is not None:
            node.watch(delivered, tensors)
        for call, arguments in program.afterwards:
            call(*build_result(arguments, delivered, tensors, views))
        return result

    def refuse(self, inputs: Sequence[Any], failed: Sequence[Any]) -> None:
        """Raise the error of the first of the program's checks that has failed."""
        graph_inputs = self.program.graph.inputs
        for check, outside in zip(self.program.checks, failed):
            if outside:
                position = next(i for i, v in enumerate(graph_inputs) if v is check.value)
                wrong = first_outside(inputs[position], check.low, check.high, check.ignored)
                raise check.error(-1 if wrong is None else wrong)


def checked_inputs(program: Program) -> list[int]:
    """The positions of the inputs that the checks read."""
    read = {id(c.value) for c in program.checks}
    return [i for i, v in enumerate(program.graph.inputs) if id(v) in read]


def check_graph(program: Program) -> Graph:
    """A graph from :func:`checked_inputs` to whether each check fails."""
    inputs = [program.graph.inputs[i] for i in checked_inputs(program)]
    return Graph(inputs, [check.condition() for check in program.checks])


def owner_of(owner: Any, tensors: Sequence[Tensor]) -> Any:
    """The tensor that a program knows as ``owner``, in a call with the arguments ``tensors``."""
    if owner.__class__ is int:
        return tensors[owner]
    return owner.tensor(tensors) if isinstance(owner, Grad) else owner


def build_result(
    description: Any,
    outputs: Sequence[Any],
    tensors: Sequence[Tensor],
    views: dict[int, Tensor] | None = None,
) -> Any:
    """The function's result, with arrays of this call in the places of :class:`Result`.

    Args:
        views: those made so far, by the ids of their descriptions.
    """
    if views is None:
        views = {}
    cls = description.__class__
    if cls is Result:
        array = outputs[description.index]
        if description.as_number:
            return (array if array.__class__ is ndarray else array._array).item()
        if isinstance(array, Tensor):
            return array
        made = wrap(array)
        if GRAD_MODE.inference:
            made._inference = True
        if outputs.__class__ is list:
            outputs[description.index] = made  # what is returned twice is one tensor
        return made
    if cls is Argument:
        return tensors[description.position]
    if cls is Grad:
        return description.tensor(tensors)
    if cls is View:
        if id(description) not in views:
            base = build_result(description.base, outputs, tensors, views)
            views[id(description)] = deliver_view(base, description)
        return views[id(description)]
    if isinstance(description, (tuple, list)):
        parts = [build_result(d, outputs, tensors, views) for d in description]
        named = hasattr(description, "_fields") and cls.__module__ != "torch.return_types"
        return cls(*parts) if named else cls(parts)
    if isinstance(description, dict):
        filled = copy.copy(description)
        for key, part in description.items():
            filled[key] = build_result(part, outputs, tensors, views)
        return filled
    return description


def _contiguous(array: Any) -> np.ndarray:
    if array.flags.c_contiguous and array.flags.aligned:
        return array
    return np.asarray(array, order="C")
