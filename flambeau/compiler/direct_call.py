"""The direct call of a compiled program: one generated function of guards, call and results.

A training step of a small network takes a microsecond or two; checking guards in loops would take
longer than that.  So for each program a flat Python function is written: every guard is a term of
one condition, state is bound to the native function by address, and only what changes is passed.
"""

from __future__ import annotations

import linecache
import threading
import types
from collections.abc import Callable, Iterator, Sequence
from operator import is_
from typing import Any

import numpy as np

from ..autograd.grad_mode import GRAD_MODE
from ..autograd.node import next_sequence
from ..dtypes import get_default_dtype
from ..modes import DIRECT, MODES, STRUCTURE
from ..tensor import TENSORS, Tensor
from .captured import Argument, Draw, Grad, Program, Result, View
from .delivery import deliver_view
from .options import Hyperparameter
from .rebinding import Moving, Slot, note_structure
from .run import Runner, build_result, checked_inputs
from .watched import hooks_of, node_hooks, read_plain, same_value


class _Miss:
    """What a direct call returns if it has done nothing because a guard failed."""


MISS: Any = _Miss()


class _Writer:
    """Source lines, and the objects that they name."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.scope: dict[str, Any] = {}
        self.conditions: list[str] = []
        self.names: dict[int, str] = {}
        self.made: set[str] = set()
        """The names of results that lines have made."""

    def name(self, value: Any, prefix: str = "k") -> str:
        """A name for ``value``, the same for the same object."""
        known = self.names.get(id(value))
        if known is None:
            known = f"{prefix}_{len(self.scope)}"  # names of locals have no underscore
            self.names[id(value)] = known
            self.scope[known] = value
        return known

    def add(self, *lines: str) -> None:
        self.lines.extend(f"    {line}" for line in lines)


def direct_call(
    runner: Runner, args: Sequence[Any], kwargs: dict[str, Any], grad_mode: bool
) -> Callable[[Any, Any], Any] | None:
    """``call(args, kwargs)``: the program's result, or :data:`MISS`; None if it has no such call.

    Args:
        runner: the program and its executables.
        args, kwargs: those of a call that the program fits.
        grad_mode: whether gradients were recorded in that call.
    """
    program, executable = runner.program, runner.executable
    assert executable is not None
    if MODES.autocast is not None or MODES.anomaly or GRAD_MODE.inference:
        return None
    if kwargs or program.joint is not None or not hasattr(executable, "bind"):
        return None
    w = _Writer()
    w.scope.update(
        MISS=MISS, TENSORS=TENSORS, Tensor=Tensor, ndarray=np.ndarray, new=object.__new__,
        empty=np.empty, MODES=MODES, DIRECT=DIRECT, GRAD_MODE=GRAD_MODE,
        default_dtype=get_default_dtype, next_sequence=next_sequence, asarray=np.asarray,
        read_plain=read_plain,
        same_value=same_value, STRUCTURE=STRUCTURE, build_result=build_result,
        deliver_view=deliver_view, node_hooks=node_hooks, is_=is_, note_structure=note_structure,
    )  # fmt: skip
    updated = _updated_owners(program)
    if updated is None or not _write_arguments(w, program, args, updated):
        return None
    w.conditions.append(f"GRAD_MODE.enabled is {grad_mode}")
    # no thread has a mode on, or this one has none of those that count
    w.conditions.append(
        '(DIRECT["ARRAY"] is ndarray or MODES.autocast is None and not MODES.anomaly)'
    )
    w.conditions.append('(not DIRECT["INFERRED"] or not GRAD_MODE.inference)')
    w.conditions.append(f"default_dtype() is {w.name(get_default_dtype(), 'y')}")
    assert program.surroundings is not None
    places = {
        name: place
        for name, place in program.surroundings.places().items()
        if place[1].__class__ in (str, int)
    }
    bound: list[np.ndarray | None] = []
    passed: list[str] = []
    setup: list[str] = []
    for i, source in enumerate(program.sources):
        value = program.graph.inputs[i]
        if isinstance(source, Tensor):
            array = source._array
            if not array.flags.carray or array.shape != value.shape or array.dtype != value.dtype:
                return None
            bound.append(array)
            if id(source) in places:
                container, key = places[id(source)]
                tensor = f"{w.name(container, 'p')}[{key!r}]"
            else:
                tensor = w.name(source, "s")
            w.conditions.append(f"{tensor}._array is {w.name(array, 'a')}")
            if source._base is not None:  # else a change is one of the structure
                flag = "" if source._requires_grad else "not "
                w.conditions.append(f"{flag}{tensor}.requires_grad")
        elif isinstance(source, Grad):
            bound.append(None)
            _write_gradient(w, i, source, value)
            passed.append(f"g{i}")
        elif isinstance(source, Moving):
            bound.append(None)
            _write_array(w, i, w.name(source.owner, "s"), value)
            passed.append(f"g{i}")
        elif isinstance(source, Slot):
            bound.append(None)  # see _write_slots
            passed.append(f"g{i}")
        elif isinstance(source, Hyperparameter):
            buffer = source.read()
            bound.append(buffer)
            held, slot = w.name(source.group, "g"), w.name(buffer, "h")
            place = "" if source.index is None else f"[{source.index}]"
            setup.append(f"{slot}[()] = {held}[{source.name!r}]{place}")
            w.conditions.append(f"{held}[{source.name!r}].__class__ is not Tensor")
        elif isinstance(source, Draw):
            bound.append(None)
            setup.append(f"d{i} = asarray({w.name(source, 'r')}.sample(), order='C')")
            passed.append(f"d{i}")
        else:
            bound.append(None)
            passed.append(f"x{source}")
    _write_slots(w, program, [i for i, a in enumerate(args) if isinstance(a, Tensor)])
    for view, array in program.derived:
        w.conditions.append(f"{w.name(view, 's')}._array is {w.name(array, 'a')}")
    _write_separation(w, program, bound, args)
    for owner, had in program.had_grad:
        grad = f"{_owner(w, owner)}._grad"
        w.conditions.append(f"{grad} is not None" if had is True else f"{grad} is {w.name(had)}")
    for holder, name, plain in program.guards:
        now, then = _present(w, holder, name), w.name(plain, "v")
        if plain.__class__ in (float, complex) and plain == 0:
            w.conditions.append(f"same_value({now}, {then})")
        elif plain is None or plain.__class__ is bool:
            w.conditions.append(f"{now} is {plain}")
        else:
            kind = w.name(plain.__class__, "q")
            w.conditions.append(f"{now} == {then} and {now}.__class__ is {kind}")
    _write_surroundings(w, program)
    for group, options in program.groups:
        held = w.name(group, "g")
        w.conditions.append(f"len({held}) == {len(group)}")
        for key, option in options.items():
            same = "is" if isinstance(option, Tensor) else "=="
            w.conditions.append(f"{held}[{key!r}] {same} {w.name(option, 'v')}")
    w.add(
        "try:",
        f"    if not ({' and '.join(w.conditions)}):",
        "        return MISS",
        "except (AttributeError, ValueError, TypeError, KeyError):  # something is gone",
        "    return MISS",
        *setup,
    )
    if runner.check is not None and not _write_checks(w, runner, bound):
        return None
    w.scope["call"] = runner.bound = executable.bind(bound)
    w.add(*(f"{_owner(w, owner)}._grad = None" for owner in runner.forgotten_gradients))
    _write_call(w, program, passed)
    source_text = "\n".join(["def direct(args, kwargs):", *w.lines]) + "\n"
    filename = f"<flambeau compiled call {id(program):x}>"
    linecache.cache[filename] = (len(source_text), None, source_text.splitlines(True), filename)
    exec(compile(source_text, filename, "exec"), w.scope)
    direct = w.scope["direct"]
    # the program works in one arena
    lock = executable.lock if executable.calls_python else threading.Lock()

    def locked(args: Any, kwargs: Any) -> Any:
        with lock:
            return direct(args, kwargs)

    return locked


def _owner(w: _Writer, owner: Any) -> str:
    """Source of the tensor that the program knows as ``owner``."""
    if isinstance(owner, Grad):
        return f"{_owner(w, owner.owner)}._grad"
    return f"t{owner}" if owner.__class__ is int else w.name(owner, "s")


def _write_gradient(w: _Writer, i: int, source: Grad, value: Any) -> None:
    """Conditions of a gradient that is there at the call, which become the name ``g{i}``."""
    grad = _owner(w, source)
    w.conditions += [f"{grad} is not None", f"not {grad}._requires_grad"]
    _write_array(w, i, grad, value)


def _write_array(w: _Writer, i: int, tensor: str, value: Any) -> None:
    """Conditions of the array of ``tensor``, which becomes the name ``g{i}``."""
    w.conditions += [
        f"(g{i} := {tensor}._array).__class__ is ndarray",
        f"g{i}.shape == {value.shape!r}",
        f"g{i}.dtype is {w.name(value.dtype, 'y')}",
        f"g{i}.flags.carray",
    ]


def _write_separation(
    w: _Writer, program: Program, bound: Sequence[np.ndarray | None], args: Sequence[Any]
) -> None:
    """Conditions that gradients and what is in slots share no memory with anything else."""
    names = [f"g{i}" for i, s in enumerate(program.sources) if isinstance(s, (Grad, Slot, Moving))]
    if not names or not program.graph.updates:
        return
    memory = ", ".join(f"id({g} if {g}.base is None else {g}.base)" for g in names)
    w.conditions.append(f"len(memory := {{{memory}}}) == {len(names)}")
    owners = {id(a if a.base is None else a.base) for a in bound if a is not None}
    w.conditions.append(f"memory.isdisjoint({w.name(owners, 'u')})")
    for i, argument in enumerate(args):
        if isinstance(argument, Tensor):
            w.conditions.append(f"id(x{i} if x{i}.base is None else x{i}.base) not in memory")


def _slot(w: _Writer, slot: Slot) -> str:
    """Source of what is in a slot now, tuples as a whole."""
    held = w.name(slot.holder, "c")
    if isinstance(slot.holder, types.CellType):
        return f"{held}.cell_contents"
    key = repr(slot.key) if slot.key.__class__ in (int, str) else w.name(slot.key, "v")
    return f"{held}[{key}]"


def _write_slots(w: _Writer, program: Program, arguments: Sequence[int]) -> None:
    """Conditions of what is in slots; the arrays that the program reads there get names."""
    if not program.slots:
        return
    inputs = [(i, s) for i, s in enumerate(program.sources) if isinstance(s, Slot)]
    for number, facts in enumerate(program.slots):
        found = _slot(w, facts.slot)
        if facts.count is not None:
            w.conditions += [
                f"(u{number} := {found}).__class__ is tuple",
                f"len(u{number}) == {facts.count}",
            ]
            found = f"u{number}[{facts.slot.part}]"
        place = next((i for i, s in inputs if s.same_as(facts.slot)), None)
        tensor, array = f"e{number}", f"b{number}" if place is None else f"g{place}"
        flag = "" if facts.requires_grad else "not "
        w.conditions += [
            f"({tensor} := {found}).__class__ is Tensor",
            f"({array} := {tensor}._array).__class__ is ndarray",
            f"{array}.shape == {facts.shape!r}",
            f"{array}.dtype is {w.name(facts.dtype, 'y')}",
            f"{flag}{tensor}._requires_grad",
            f"{tensor}._base is None",
            f"not {tensor}._hooks and not {tensor}._post_accumulate_hooks",
        ]
        if place is not None:
            w.conditions.append(f"{array}.flags.carray")
    tensors = [*(f"e{n}" for n in range(len(program.slots))), *(f"t{i}" for i in arguments)]
    w.conditions += [
        f"len(tensors := {{{', '.join(f'id({t})' for t in tensors)}}}) == {len(tensors)}",
        f"tensors.isdisjoint({w.name(program.named, 'n')})",
    ]


def _present(w: _Writer, holder: Any, name: str) -> str:
    """Source of what ``holder`` has under ``name`` now."""
    held = w.name(holder, "c")
    if isinstance(holder, types.CellType):
        return f"{held}.cell_contents"
    if isinstance(holder, (dict, types.MappingProxyType)):
        return f"{held}.get({name!r})"
    return f"read_plain({held}, {name!r})"


def _write_surroundings(w: _Writer, program: Program) -> None:
    """Conditions that names, containers and the structure of modules are what they were."""
    around = program.surroundings
    assert around is not None
    modes = [f"{w.name(m, 'm')}.training is {training}" for m, training in program.training]
    structure = w.name(around, "e")
    same = f"{structure}.same_structure()"
    if modes:
        same = f"({' and '.join([*modes, same])})"
    w.conditions.append(f"({structure}.version == STRUCTURE.version or {same})")
    for holder, name, value in around.references:
        w.conditions.append(f"{_present(w, holder, name)} is {w.name(value, 'r')}")
    for container, _, length in around.lengths:
        w.conditions.append(f"len({w.name(container, 'l')}) == {length}")
    bound = {id(source) for source in program.sources}
    for params in around.params:
        w.conditions += [
            f"{w.name(params, 'p')}[{i}] is {w.name(parameter, 's')}"
            for i, parameter in enumerate(params)
            if id(parameter) not in bound
        ]
    for state, inner in around.optimizer_states:
        if inner:
            w.conditions.append(f"all(map(is_, {w.name(state, 'o')}.values(), {w.name(inner)}))")
    for watched in around.watched:
        w.conditions.append(f"{w.name(watched, 'w')}.same()")


def _updated_owners(program: Program) -> set[int] | None:
    """The ids of the arrays whose memory the program writes; None if an argument's may be."""
    owners = set()
    for i in program.graph.updates:
        source = program.sources[i]
        if isinstance(source, (Grad, Moving)):
            continue  # see _write_separation
        if not isinstance(source, Tensor):
            return None
        array = source._array
        owners.add(id(array if array.base is None else array.base))
    return owners


def _write_arguments(w: _Writer, program: Program, args: Sequence[Any], updated: set[int]) -> bool:
    """Unpack the arguments and check their kinds; False if they are not of a simple form."""
    names = [f"t{i}" for i in range(len(args))]
    tensors = [a for a in args if isinstance(a, Tensor)]
    if len(tensors) > 1:
        if len({id(t) for t in tensors}) < len(tensors):
            return False  # the same tensor twice: the general call looks for that
        if any(o.__class__ is int for o, _ in program.had_grad):
            w.conditions.append(f"len({{{', '.join(f'id(t{i})' for i in range(len(tensors)))}}}) "
                                f"== {len(tensors)}")  # fmt: skip
    w.add(f"if kwargs or len(args) != {len(args)}:", "    return MISS")
    if names:
        w.add(f"{', '.join(names)}, = args")
    position = 0
    for i, argument in enumerate(args):
        if isinstance(argument, Tensor):
            if position != i:
                return False  # a plain value before a tensor: the general call serves it
            array = argument._array
            if not array.flags.carray:
                return False
            flag = "" if argument._requires_grad else "not "
            w.add(
                f"if t{i}.__class__ not in TENSORS:",
                "    return MISS",
                f"x{i} = t{i}._array",
                f"if x{i}.__class__ is not ndarray:",
                "    return MISS",
            )
            w.conditions += [
                f"x{i}.shape == {tuple(array.shape)!r}",
                f"x{i}.dtype is {w.name(array.dtype, 'y')}",
                f"x{i}.flags.carray",
                f"{flag}t{i}._requires_grad",
            ]
            if argument._requires_grad:
                if hooks_of(argument):
                    return False
                w.conditions += [f"not t{i}._hooks", f"not t{i}._post_accumulate_hooks"]
                w.conditions.append(f"(t{i}._node is None or not node_hooks(t{i}._node))")
            if updated:
                owners = w.name(updated, "u")
                w.conditions.append(f"id(x{i} if x{i}.base is None else x{i}.base) not in {owners}")
            position += 1
        else:
            if not isinstance(argument, (bool, int, float, str, type(None))) or argument == 0:
                return False  # the general call looks into it
            kind = w.name(argument.__class__, "q")
            w.conditions += [f"t{i}.__class__ is {kind}", f"t{i} == {w.name(argument, 'v')}"]
    return True


def _write_checks(w: _Writer, runner: Runner, bound: Sequence[np.ndarray | None]) -> bool:
    """The check of indices, by a program of its own that runs before the other."""
    program = runner.program
    check: Any = runner.check
    if not hasattr(check, "bind"):
        return False
    positions = checked_inputs(program)
    w.scope["check"] = check.bind([bound[i] for i in positions])
    passed, named = [], []
    for i in positions:
        source, array = program.sources[i], bound[i]
        if array is not None:
            named.append(w.name(array, "a"))
            continue
        named.append(f"x{source}" if source.__class__ is int else f"d{i}")
        passed.append(named[-1])
    failed = [w.name(np.zeros((), bool), "f") for _ in program.checks]
    arrays = [f"{i}: {name}" for i, name in zip(positions, named)]
    w.add(
        f"check({', '.join([*passed, *failed])})",
        f"if {' or '.join(failed)}:",
        f"    {w.name(runner, 'runner')}.refuse({{{', '.join(arrays)}}}, ({', '.join(failed)},))",
    )
    return True


def _write_call(w: _Writer, program: Program, passed: list[str]) -> None:
    """The call, and what it leaves behind."""
    outputs = []
    for i, value in enumerate(program.graph.outputs):
        w.add(f"o{i} = empty({value.shape!r}, {w.name(value.dtype, 'y')})")
        outputs.append(f"o{i}")
    w.add(
        f"if call({', '.join([*passed, *outputs])}):",
        "    raise IndexError('an index is out of bounds in a compiled program')",
    )
    if program.updated:
        w.add("stamp = next_sequence()")
    for owner in program.updated:
        if isinstance(owner, Tensor):
            versions = w.name(owner._version_counter(), "n")
            w.add(f"{versions}.count += 1", f"{versions}.stamp = stamp")
        else:
            w.add(f"{_owner(w, owner)}._bump_version()")
    for moved, index in program.moved:
        w.add(f"{w.name(moved, 's')}._array = {outputs[index]}")
    result = _result(w, program, program.result, outputs)
    gradients = [(_owner(w, o), _result(w, program, d, outputs)) for o, d in program.grads]
    for owner in program.cleared:
        w.add(f"{_owner(w, owner)}._grad = None")
    for tensor, grad in gradients:
        w.add(f"{tensor}._grad = {grad}")
    if program.rebound:
        put = [(_slot(w, slot), _result(w, program, d, outputs)) for slot, d in program.rebound]
        w.add(*(f"{slot} = {value}" for slot, value in put))
        w.add(f"note_structure({w.name(program.surroundings, 'e')})")
    for call, arguments in program.afterwards:
        w.add(f"{w.name(call, 'f')}(*{_result(w, program, arguments, outputs)})")
    w.add(f"return {result}")


def _result(w: _Writer, program: Program, description: Any, outputs: list[str]) -> str:
    """Python source of the function's result; may add lines before it."""
    if description.__class__ is Result:
        name = outputs[description.index]
        if description.as_number:
            return f"{name}.item()"
        made = f"z{description.index}"
        if made in w.made:
            return made  # what is returned twice is one tensor
        w.made.add(made)
        w.add(f"{made} = new(Tensor)", f"{made}._array = {name}")
        if description.index in program.spent:
            node = w.name(program.spent[description.index], "b")
            w.add(f"{made}._requires_grad = True", f"{made}._node = {node}")
        return made
    if description.__class__ is Argument:
        return f"t{description.position}"
    if description.__class__ is Grad:
        w.add(f"q{len(w.lines)} = {_owner(w, description)}")
        return f"q{len(w.lines) - 1}"
    if description.__class__ is View:
        made = w.name(description, "w")
        if made not in w.made:
            w.made.add(made)
            base = _result(w, program, description.base, outputs)
            w.add(f"v{made} = deliver_view({base}, {made})")
        return f"v{made}"
    if description.__class__ is dict:
        pairs = [
            f"{w.name(key, 'v')}: {_result(w, program, d, outputs)}"
            for key, d in description.items()
        ]
        return f"{{{', '.join(pairs)}}}"
    if description.__class__ in (tuple, list):
        parts = [_result(w, program, d, outputs) for d in description]
        if description.__class__ is tuple:
            return f"({', '.join(parts)}{',' if parts else ''})"
        return f"[{', '.join(parts)}]"
    if description is None or isinstance(description, (Tensor, bool, int, float, str)):
        return w.name(description, "s") if description is not None else "None"
    made_outputs = list(outputs)
    for part in _results_in(description):
        made_outputs[part.index] = _result(w, program, part, outputs)
    every = ", ".join(made_outputs)
    return f"build_result({w.name(description, 'w')}, [{every}], args)"


def _results_in(description: Any) -> Iterator[Result]:
    """The tensors among the outputs in a description of a result."""
    if description.__class__ is Result:
        if not description.as_number:
            yield description
    elif isinstance(description, (tuple, list)):
        for part in description:
            yield from _results_in(part)
    elif isinstance(description, dict):
        yield from _results_in(list(description.values()))
    elif description.__class__ is View:
        yield from _results_in(description.base)
