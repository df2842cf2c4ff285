"""The update of all parameters of a group on NumPy arrays: in place and in cache-sized blocks.

A :class:`NumpyPlan` is built for one set of parameters that have gradients together, and used at
every later step at which nothing that it stands on has changed (the parameters' and the states'
arrays, the options). What it prepares:

* large parameters are cut into blocks, so that a block of the parameter, of its gradient and its
  state, and the scratch buffers stay in the cache over all the calls of the update program;
* small parameters are updated together, so that each call serves all of them at once;
* the step counts (0-d tensors, as PyTorch keeps them) become views of one array.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from flambeau.modes import MODES
from flambeau.optim.blocks import Gathered, Kernel, Member, Single, is_dense, real_dtype
from flambeau.optim.update_program import UpdateProgram, compile_rule
from flambeau.tensor import Tensor

if TYPE_CHECKING:
    from flambeau.optim.elementwise import ElementwiseOptimizer

__all__ = ["NumpyPlan", "supports"]

_SMALL = 4096  # elements: up to here a parameter is gathered with others
# Gathering copies the gradient in, and the parameter in and out or the change to it: with fewer
# calls than that in a program, it costs more than it saves.
_MIN_CALLS_TO_GATHER = {True: 4, False: 6}

_programs: dict[Any, UpdateProgram] = {}


def supports(param: Tensor, state: dict[str, Any], names: Sequence[str]) -> bool:
    """Whether the parameter, its gradient and its state are dense NumPy arrays of one dtype.

    Args:
        param: the parameter; it has a gradient.
        state: its states by name.
        names: those that have the parameter's shape.

    Returns:
        A bool.
    """
    array, grad = param._array, param.grad._array  # type: ignore[union-attr]
    if type(array) is not np.ndarray or type(grad) is not np.ndarray or MODES.capture is not None:
        return False
    if not (is_dense(array) and array.flags.writeable and array.dtype.isnative):
        return False
    if grad.dtype != array.dtype or grad.shape != array.shape:
        return False
    for name, value in state.items():
        if not isinstance(value, Tensor):
            continue
        other = value._array
        if type(other) is not np.ndarray or value.requires_grad:
            return False
        if name in names and (other.dtype != array.dtype or other.shape != array.shape):
            return False
    return True


class NumpyPlan:
    """How one set of parameters of a group is updated; see the module's description.

    Args:
        optimizer: whose state holds every state that its rule reads.
        group: the parameter group.
        params: those of its parameters that have a gradient and that :func:`supports` takes.
        fresh: the ids of those whose first step this is.
        others: the group's other plans: states that these have gathered are left there.
    """

    def __init__(
        self,
        optimizer: ElementwiseOptimizer,
        group: dict[str, Any],
        params: Sequence[Tensor],
        fresh: set[int],
        others: Sequence[NumpyPlan],
    ) -> None:
        self.group = group
        self.options = optimizer.options(group)
        self.names = optimizer.array_states(group)
        # One slot for each parameter of the group; None where there is no gradient.
        members = {id(param): Member(param, optimizer.state.get(param)) for param in params}
        self.slots = [members.get(id(param)) for param in group["params"]]
        self.arenas: list[np.ndarray] = [arena for plan in others for arena in plan.arenas]
        may_gather = len(members) == len(params) == len({id(m.array) for m in members.values()})

        alike: dict[Any, list[int]] = {}
        for index, slot in enumerate(self.slots):
            if slot is None:
                continue
            state: Any = slot.state
            counts = tuple(state[name]._array for name in optimizer.scalar_states)
            key = (
                slot.dtype,
                id(slot.param) in fresh and optimizer.has_first_step,
                tuple((count.dtype, float(count)) for count in counts),
            )
            alike.setdefault(key, []).append(index)
        self.batches = []
        for (dtype, is_first, _), indices in alike.items():
            batch = _Batch(optimizer, self, indices, dtype, is_first, may_gather)
            self.batches.append(batch)
        self.latest: list[Any] | None = None
        self.hyperparameters: tuple[float, ...] = ()
        self.tensors = [slot.param for slot in self.slots if slot is not None]

    def run(self, optimizer: ElementwiseOptimizer, group: dict[str, Any]) -> bool:
        """Update the parameters; False, with nothing done, where the plan does not fit."""
        params, slots = group["params"], self.slots
        if len(params) != len(slots) or MODES.capture is not None:
            return False
        states = optimizer.state
        grads: list[Any] = []
        for param, member in zip(params, slots, strict=True):
            grad = param._grad
            if grad is None or member is None:
                if member is not None or grad is not None:
                    return False
                grads.append(None)
                continue
            state: Any = member.state
            array = grad._array
            if (
                param is not member.param
                or param._array is not member.array
                or states.get(param) is not state
                or array.__class__ is not np.ndarray
                or (array.dtype is not member.dtype and array.dtype != member.dtype)
            ):
                return False
            for name, tensor, tensor_array in member.states:
                if state.get(name) is not tensor or (  # type: ignore[union-attr]
                    tensor._array is not tensor_array
                ):
                    return False
            grads.append(array)
        values = list(group.values())
        if self.latest is None or values != self.latest:
            if optimizer.options(group) != self.options:
                return False
            self._read(optimizer, group, values)
        counts = [batch.counts() for batch in self.batches]
        if None in counts:
            return False
        for batch, count in zip(self.batches, counts, strict=True):
            batch.run(count, self.hyperparameters, grads)  # type: ignore[arg-type]
        for tensor in self.tensors:
            tensor._bump_version()
        return True

    def _read(self, optimizer: ElementwiseOptimizer, group: dict[str, Any], values: Any) -> None:
        """Take the hyperparameters as numbers."""
        self.hyperparameters = tuple(
            [
                value if value.__class__ is float else float(value)
                for name, value in optimizer.scalars(group).items()
                if name not in self.options
            ]
        )
        # Where all options are numbers, equal ones need not be read again. A tensor or a list
        # can change without ceasing to be equal to itself.
        plain = all(
            _is_plain(value) for name, value in group.items() if name not in _NO_HYPERPARAMETERS
        )
        self.latest = values if plain else None


_NO_HYPERPARAMETERS = ("params", "param_names")


def _is_plain(value: Any) -> bool:
    if isinstance(value, tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, int | float | complex | str)


class _Batch:
    """Those parameters of a plan that share dtype, step count and program."""

    def __init__(
        self,
        optimizer: ElementwiseOptimizer,
        plan: NumpyPlan,
        indices: list[int],
        dtype: np.dtype,
        is_first: bool,
        may_gather: bool,
    ) -> None:
        names = plan.names
        members: dict[int, Any] = {index: plan.slots[index] for index in indices}
        self.counters: list[np.ndarray] = []
        for name in optimizer.scalar_states:
            tensors = [member.state[name] for member in members.values()]
            shared = np.array([tensor._array for tensor in tensors])
            for position, tensor in enumerate(tensors):
                tensor._array = shared[position : position + 1].reshape(())
            self.counters.append(shared)

        work = np.dtype(np.float32) if dtype.itemsize == 2 else real_dtype(dtype)
        steady = _program(optimizer, plan, False, True)
        small = [
            index
            for index, member in members.items()
            if may_gather
            and steady.calls >= _MIN_CALLS_TO_GATHER[steady.subtracts_param]
            and member.array.size <= _SMALL
            and member.dtype == work
            and member.array.flags.c_contiguous
            and not any(
                member.state[name]._array.base is arena for name in names for arena in plan.arenas
            )
        ]
        self.gathered: Gathered | None = None
        if len(small) > 1:
            self.gathered = Gathered(small, [members[index] for index in small], names)
            plan.arenas += self.gathered.arrays
        else:
            small = []
        self.singles = [
            Single(index, member, names) for index, member in members.items() if index not in small
        ]
        for member in members.values():
            member.settle((*names, *optimizer.scalar_states))

        self._use(optimizer, plan, work, is_first)
        self._next = (optimizer.__class__, plan, work) if is_first else None

    def _use(self, optimizer: Any, plan: NumpyPlan, work: np.dtype, is_first: bool) -> None:
        """Take the program of the first step, or that of all later ones."""
        self.coefficients = _program(optimizer, plan, is_first, False).coefficients
        self.computed: tuple[Any, ...] = ()
        self.parts: list[tuple[Gathered | Single, Kernel]] = []
        if self.gathered is not None:
            program = _program(optimizer, plan, is_first, True)
            kernel = Kernel(program, work, self.gathered.largest)
            self.parts.append((self.gathered, kernel))
        if self.singles:
            program = _program(optimizer, plan, is_first, False)
            kernel = Kernel(program, work, max(single.largest for single in self.singles))
            self.parts += [(single, kernel) for single in self.singles]
        self.kernels = list({id(kernel): kernel for _, kernel in self.parts}.values())

    def counts(self) -> list[float] | None:
        """The scalar states; None where they are not the same for all members any more."""
        counts = []
        for shared in self.counters:
            values = shared.tolist()
            if values.count(values[0]) != len(values):
                return None
            counts.append(values[0])
        return counts

    def run(
        self, counts: Sequence[float], hyperparameters: tuple[float, ...], grads: Sequence[Any]
    ) -> None:
        if self.counters or hyperparameters is not self.computed:
            values, new_counts = self.coefficients(*counts, *hyperparameters)
            for kernel in self.kernels:
                kernel.load(values)
            for shared, count in zip(self.counters, new_counts, strict=True):
                shared.fill(count)
            self.computed = hyperparameters
        for part, kernel in self.parts:
            part.run(kernel, grads)
        if self._next is not None:
            self._use(*self._next, False)
            self._next = None


def _program(
    optimizer: Any, plan: NumpyPlan, is_first: bool, subtract_param: bool
) -> UpdateProgram:
    """The program of ``optimizer``'s rule under the plan's options, compiled once."""
    kind: Any = optimizer if isinstance(optimizer, type) else type(optimizer)
    constants = dict(plan.options)
    if kind.has_first_step:
        constants["is_first"] = is_first
    key = (kind.rule, plan.names, tuple(constants.items()), subtract_param)
    program = _programs.get(key)
    if program is None:
        scalars = [name for name in kind.scalar_names if name not in constants]
        program = _programs[key] = compile_rule(
            kind.rule,
            ("param", "grad", *plan.names),
            (*kind.scalar_states, *scalars),
            kind.scalar_states,
            constants,
            subtract_param=subtract_param,
        )
    return program
