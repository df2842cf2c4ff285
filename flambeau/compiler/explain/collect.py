"""Gathering what is known of a compiled function, its variants and their programs."""

from __future__ import annotations

import inspect
from collections.abc import Sequence
from typing import Any

import numpy as np

from ...tensor import Tensor
from ..array_calls import drawn_back
from ..captured import Argument, Draw, Grad, Program, Result, View
from ..guards import GuardFailed
from ..log import described_call
from ..names import names_within
from ..options import Hyperparameter
from ..rebinding import Moving, Slot
from ..run import Runner, checked_inputs
from . import facts
from .listing import kind
from .peaks import machine
from .study import Study


def collect(function: Any, measured: bool) -> facts.Facts:
    """The facts of a ``CompiledFunction``.

    Args:
        measured: whether to run its programs on copies, and measure the machine's peaks.
    """
    names = names_within(function._function)
    variants = []
    for key, found in function._variants.items():
        arguments = argument_names(function._function, key)
        for variant in found:
            variants.append(_variant(variant, key, names, arguments, measured))
    variants.sort(key=lambda v: v.number)
    compiled = any(v.programs for v in variants)
    return facts.Facts(function.__name__, variants, machine() if measured and compiled else None)


def argument_names(function: Any, key: Any) -> list[str]:
    """What the tensors among a call's arguments are called, in order."""
    args, kwargs, *_ = key
    names: list[str] = []

    def visit(found: Any, name: str) -> None:
        if not isinstance(found, tuple) or not found:
            return
        if len(found) == 4 and isinstance(found[0], tuple) and isinstance(found[1], np.dtype):
            names.append(name)
        elif found[0] in (tuple, list):
            for i, item in enumerate(found[1:]):
                visit(item, f"{name}[{i}]")
        elif found[0] is dict:
            for key, item in found[1:]:
                visit(item, f"{name}[{key!r}]" if name else str(key))

    try:
        parameters = list(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):
        parameters = []
    for i, item in enumerate(args[1:]):
        known = i < len(parameters) and parameters[i].kind is not parameters[i].VAR_POSITIONAL
        visit(item, parameters[i].name if known else f"argument {i}")
    if kwargs is not None:
        visit(kwargs, "")
    return names


def _variant(
    variant: Any, key: Any, names: dict[int, str], arguments: Sequence[str], measured: bool
) -> facts.Variant:
    made = facts.Variant(
        variant.number, described_call(key), "", capture_seconds=list(variant.capture_seconds)
    )
    runner = variant.runner
    if variant.eager_reason is not None:
        made.state = f"eager: {variant.eager_reason}"
    elif runner is None:
        made.state = (
            f"not compiled yet ({variant.calls} calls): the first call runs as it is written, the "
            "second and third are captured"
        )
    else:
        made.state = "compiled"
        graph = runner.program.graph
        made.summary = (
            f"{sum(1 for _ in graph.values())} operations, {len(graph.inputs)} inputs, "
            f"{len(graph.outputs)} outputs, {len(graph.updates)} updates"
        )
        made.guards = _guards(runner, names, arguments)
        made.programs = _programs(runner, names, arguments, measured)
    return made


class _Teller:
    """The names of what a captured program refers to."""

    def __init__(self, names: dict[int, str], arguments: Sequence[str]) -> None:
        self.names = names
        self.arguments = arguments

    def owner(self, owner: Any) -> str:
        """A tensor, or the argument at a position."""
        if isinstance(owner, int):
            found = self.arguments[owner] if owner < len(self.arguments) else ""
            return found or f"argument {owner}"
        if isinstance(owner, Grad):
            return f"grad of {self.owner(owner.owner)}"
        if isinstance(owner, Moving):
            return self.owner(owner.owner)
        if isinstance(owner, Slot):
            part = "" if owner.part is None else f"[{owner.part}]"
            return f"what is at {owner.key!r}{part}" if owner.key is not None else "a variable"
        return self.names.get(id(owner)) or f"a tensor {kind(owner._array)}"

    def sources(self, program: Program) -> list[str]:
        """The names of the program's inputs, each its own."""
        found: list[str] = []
        for source in program.sources:
            if isinstance(source, Hyperparameter):
                name = source.name
            elif isinstance(source, Draw):
                name = "random"
            elif isinstance(source, Tensor) and id(source) not in self.names:
                name = "state"
            else:
                name = self.owner(source)
            found.append(name)
        return [
            f"{n}#{found[:i].count(n) + 1}" if found.count(n) > 1 else n
            for i, n in enumerate(found)
        ]


def _programs(
    runner: Runner, names: dict[int, str], arguments: Sequence[str], measured: bool
) -> list[facts.Program]:
    program = runner.program
    teller = _Teller(names, arguments)
    sources = teller.sources(program)
    executables = runner.executables()
    made: list[facts.Program] = []
    arrays = _present_arrays(runner) if measured else None
    outputs: Sequence[np.ndarray] = ()
    executable = executables.get("the program")
    if executable is not None:
        study = Study("the program", executable, sources)
        roles = [_role(s) for s in program.sources]
        study.program.inputs = _listed(sources, program.graph.inputs, roles)
        study.program.outputs = _outputs(program, teller)
        if arrays is not None:
            study.measure(arrays)
            with drawn_back(executable.graph):
                outputs = executable([a.copy() for a in arrays])
        made.append(study.program)
    executable = executables.get("the backward pass")
    joint = program.joint
    if executable is not None and joint is not None:
        inputs = [f"grad of result {i}" for i in range(len(joint.results))]
        inputs += [sources[k[1]] if isinstance(k, tuple) else f"kept {k}" for k in joint.kept]
        study = Study("the backward pass", executable, inputs)
        study.program.inputs = _listed(inputs, joint.graph.inputs, [""] * len(inputs))
        study.program.outputs = [
            f"gradient for {teller.owner(leaf)}: {kind(value)}"
            for leaf, value in zip(joint.leaves, joint.graph.outputs)
        ]
        if arrays is not None and outputs:
            grads = [np.ones(outputs[i].shape, outputs[i].dtype) for i in joint.results]
            kept = [arrays[k[1]] if isinstance(k, tuple) else outputs[k] for k in joint.kept]
            study.measure([*grads, *kept])
        made.append(study.program)
    executable = executables.get("the check of indices")
    if executable is not None:
        positions = checked_inputs(program)
        study = Study("the check of indices", executable, [sources[i] for i in positions])
        study.program.outputs = [
            f"whether {sources[program.graph.inputs.index(c.value)]} leaves [{c.low}, {c.high})"
            for c in program.checks
        ]
        if arrays is not None:
            study.measure([arrays[i] for i in positions])
        made.append(study.program)
    return made


def _present_arrays(runner: Runner) -> list[np.ndarray] | None:
    """Copies of what the program would work on now; of arguments, those of an earlier call."""
    arrays = []
    for source, last, value in zip(
        runner.program.sources, runner.inputs, runner.program.graph.inputs
    ):
        array = last
        if isinstance(source, Tensor) and isinstance(source._array, np.ndarray):
            array = source._array
        elif isinstance(source, Hyperparameter):
            array = source.read()
        if array is None or array.shape != value.shape or array.dtype != value.dtype:
            return None
        arrays.append(np.array(array, order="C"))
    return arrays


def _role(source: Any) -> str:
    if isinstance(source, int):
        return "argument"
    if isinstance(source, Hyperparameter):
        return "read from the optimizer at each call"
    if isinstance(source, Draw):
        return "drawn at each call"
    if isinstance(source, (Slot, Moving)):
        return "read at each call"
    return "state"


def _listed(names: Sequence[str], values: Sequence[Any], roles: Sequence[str]) -> list[str]:
    return [
        f"{name}: {kind(value)}" + (f", {role}" if role else "")
        for name, value, role in zip(names, values, roles)
    ]


def _outputs(program: Program, teller: _Teller) -> list[str]:
    """What each output of the program is, and what else its result consists of."""
    lines: dict[int, list[str]] = {i: [] for i in range(len(program.graph.outputs))}
    others: list[str] = []

    def visit(item: Any, path: str) -> None:
        if isinstance(item, Result):
            lines[item.index].append(f"{path}, as a number" if item.as_number else path)
        elif isinstance(item, Argument):
            others.append(f"{path} is {teller.owner(item.position)} itself")
        elif isinstance(item, View):
            names = " ".join(operation.name for operation, _ in item.chain)
            visit(item.base, f"what {path} is a view of ({names})")
        elif isinstance(item, (Grad, Tensor)):
            others.append(f"{path} is {teller.owner(item)} itself")
        elif isinstance(item, (tuple, list)):
            for i, part in enumerate(item):
                visit(part, f"{path}[{i}]")
        elif isinstance(item, dict):
            for key, part in item.items():
                visit(part, f"{path}[{key!r}]")

    visit(program.result, "result")
    for slot, description in program.rebound:
        visit(description, teller.owner(slot))
    for owner, description in program.grads:
        visit(description, f"grad of {teller.owner(owner)}")
    if program.joint is not None:
        for kept in program.joint.kept:
            if isinstance(kept, int):
                lines[kept].append(f"kept {kept} for the backward pass")
    described = []
    for i, value in enumerate(program.graph.outputs):
        described.append(f"{' and '.join(lines[i]) or 'unused'}: {kind(value)}")
    cleared = [f"grad of {teller.owner(owner)} is set to None" for owner in program.cleared]
    return [*described, *others, *cleared]


def _guards(runner: Runner, names: dict[int, str], arguments: Sequence[str]) -> list[str]:
    program = runner.program
    teller = _Teller(names, arguments)
    lines = []
    for (_, state), (shape, dtype) in zip(
        runner.states, [runner.kinds[i] for i, _ in runner.states]
    ):
        grad = ", requires grad" if dict(_flags(runner)).get(id(state)) else ""
        lines.append(f"{teller.owner(state)} is {dtype}{list(shape)}{grad}")
    for kept, what in ((True, "a tensor"), (False, "None")):
        owners = [teller.owner(o) for o, had in program.had_grad if (had is not None) is kept]
        if owners:
            lines.append(f"the grad is {what} of: {', '.join(owners)}")
    modes: dict[bool, list[str]] = {}
    for module, training in program.training:
        modes.setdefault(training, []).append(GuardFailed("mode", module)._name(names))
    for training, modules in modes.items():
        mode = "train" if training else "eval"
        lines.append(f"in {mode} mode: {', '.join(modules)}")
    for holder, name, value in program.guards:
        owner = names.get(id(holder))
        lines.append(f"{f'{owner}.' if owner else ''}{name} is {value!r}")
    for _, options in program.groups:
        said = ", ".join(f"{k}={v!r}" for k, v in options.items())
        lines.append(f"the optimizer's options are {said}")
    return lines


def _flags(runner: Runner) -> list[tuple[int, bool]]:
    return [(id(state), flag) for state, flag in runner.requires_grad]


__all__ = ["argument_names", "collect"]
