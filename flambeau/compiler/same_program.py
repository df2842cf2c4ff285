"""Whether two captures are one program."""

from __future__ import annotations

from operator import is_
from typing import Any

from ..tensor import Tensor
from .captured import Argument, Draw, Grad, Program, Result, View
from .graph import Graph, Value
from .joint import InnerLeaf, Joint
from .options import Hyperparameter
from .rebinding import Moving, Slot
from .watched import same_value


def same_program(first: Program, second: Program) -> str | None:
    """None if two captures are one program, else what is different."""
    found = _difference(first.graph, second.graph)
    if found is not None:
        return found
    for p, q in zip(first.sources, second.sources, strict=True):
        if isinstance(p, Tensor) and p is not q:
            return "it uses other tensors at the next call"
        if _source_kind(p) != _source_kind(q):
            return "its inputs differ between two calls"
    for name in ("grads", "cleared", "had_grad", "updated"):
        if not _same_description(getattr(first, name), getattr(second, name)):
            return f"what it does to gradients differs between two calls ({name})"
    found = _joint_difference(first.joint, second.joint)
    if found is not None:
        return found
    if [(id(t), i) for t, i in first.moved] != [(id(t), i) for t, i in second.moved]:
        return "the data that it replaces differ between two calls"
    if not _same_slots(first.rebound, second.rebound):
        return "the tensors that it replaces differ between two calls"
    if _checks(first) != _checks(second):
        return "the indices that it checks differ between two calls"
    if not _same_description(first.result, second.result):
        return "its result differs between two calls in something other than tensors"
    return None


def _joint_difference(first: Joint | None, second: Joint | None) -> str | None:
    """How the backward programs of two captures differ."""
    if first is None or second is None:
        return None if first is second else "it has a gradient at one of two calls"
    for name in ("kept", "leaves", "results", "slots"):
        if not _same_description(getattr(first, name), getattr(second, name)):
            return f"its gradient differs between two calls ({name})"
    return _difference(first.graph, second.graph)


def _difference(first: Graph, second: Graph) -> str | None:
    """How two graphs differ, in words; None if they do not."""
    if len(first.inputs) != len(second.inputs):
        return "its inputs differ between two calls"
    if _same_values(first, second):
        return None
    a, b = list(first.values()), list(second.values())
    if len(a) != len(b):
        return f"it has {len(a)} operations at one call and {len(b)} at the next"
    index_a, index_b = _numbers(first, a), _numbers(second, b)
    for x, y in zip(a, b):
        if x.primitive != y.primitive or x.shape != y.shape or x.dtype != y.dtype:
            return f"{x!r} at one call is {y!r} at the next"
        if [index_a[id(v)] for v in x.operands] != [index_b[id(v)] for v in y.operands]:
            return f"the operands of {x!r} differ between two calls"
        if not x.attributes and not y.attributes:
            continue
        if x.primitive == "constant":
            p, q = x.attributes["array"], y.attributes["array"]
            if p.tobytes() != q.tobytes():  # zeros have signs
                shown = f" ({p} and {q})" if p.size == 1 else ""
                return f"a constant of shape {list(x.shape)} changes between calls{shown}"
        elif not _same_attributes(x.attributes, y.attributes):
            return f"{x!r} has {x.attributes} at one call and {y.attributes} at the next"
    if [index_a[id(v)] for v in first.outputs] != [index_b[id(v)] for v in second.outputs] or {
        i: index_a[id(v)] for i, v in first.updates.items()
    } != {i: index_b[id(v)] for i, v in second.updates.items()}:
        return "what it computes differs between two calls"
    return None


def _same_values(first: Graph, second: Graph) -> bool:
    """Whether two graphs are made of the very same values, as far as their ends tell."""
    if len(first.outputs) != len(second.outputs) or list(first.updates) != list(second.updates):
        return False
    return all(map(is_, (*first.inputs, *first.roots()), (*second.inputs, *second.roots())))


def _checks(program: Program) -> list[tuple[int, int, int, int | None]]:
    """What the program asks of its inputs."""
    place = {id(value): i for i, value in enumerate(program.graph.inputs)}
    return [(place[id(c.value)], c.low, c.high, c.ignored) for c in program.checks]


def _numbers(graph: Graph, values: list[Value]) -> dict[int, int]:
    """Numbers for the ``values`` of a graph; its inputs are told by their places."""
    numbers = {id(v): -1 - i for i, v in enumerate(graph.inputs)}
    for i, value in enumerate(values):
        numbers.setdefault(id(value), i)
    return numbers


def _same_slots(first: list[tuple[Slot, Any]], second: list[tuple[Slot, Any]]) -> bool:
    return len(first) == len(second) and all(
        a.same_as(b) and _same_description(p, q) for (a, p), (b, q) in zip(first, second)
    )


def _source_kind(source: Any) -> Any:
    """What inputs of two captures of one program have in common."""
    if isinstance(source, Draw):
        return (source.sampler, source.shape, source.dtype, repr(source.parameters),
                id(source.generator))  # fmt: skip
    if isinstance(source, Hyperparameter):
        return id(source.group), source.name, source.index
    if isinstance(source, Moving):
        return "moving", id(source.owner)
    if isinstance(source, Slot):
        return "slot", id(source.holder), source.key, source.part
    if isinstance(source, Grad):
        return "grad", source.owner if source.owner.__class__ is int else id(source.owner)
    return source if source.__class__ is int else id(source)


def _same_description(first: Any, second: Any) -> bool:
    """Whether two captures deliver the same."""
    if first is second:
        return True
    if first.__class__ is not second.__class__:
        return False
    if isinstance(first, (Result, Argument, InnerLeaf)):
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


__all__ = ["same_program"]
