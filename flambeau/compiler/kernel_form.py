"""What the code of a kernel depends on, so that kernels of one form are written once.

A model of equal layers gives equal kernels that differ in the arrays they work on.  Writing the
code of one takes milliseconds, and its form a small part of that.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, field
from typing import Any

from .cache import attribute_text
from .codegen.indexing import Index, Quotient, Variable
from .graph import Value
from .kernels import Kernel


@dataclass
class _Form:
    """The names that a kernel's arrays, values and loops have in its form: numbers."""

    arrays: dict[int, int]
    own: dict[int, int]
    is_leaf: Callable[[Value], bool]
    loops: dict[Variable, int] = field(default_factory=dict)
    values: dict[int, int] = field(default_factory=dict)
    described: list[Hashable] = field(default_factory=list)

    def loop(self, variable: Variable) -> Hashable:
        number = self.loops.setdefault(variable, len(self.loops))
        return number, variable.extent, variable.offset, variable.lanes

    def index(self, index: Index) -> Hashable:
        terms: list[Hashable] = []
        for atom, coefficient in index.terms.items():
            if type(atom) is Variable:
                name = self.loop(atom)
            elif type(atom) is Quotient:
                name = (self.index(atom.index), atom.divisor, atom.remainder)
            else:
                raise LookupError("an index that is read from memory")
            terms.append((name, coefficient))
        return index.constant, *terms

    def position(self, position: Sequence[Index]) -> Hashable:
        return tuple(self.index(i) for i in position)

    def operand(self, value: Value) -> Hashable:
        """The name of ``value`` as an operand, if it has one or needs none; otherwise None."""
        key = id(value)
        if key in self.own:
            return "own", self.own[key], self.arrays.get(key)
        if key in self.arrays:
            return "array", self.arrays[key]
        if value.primitive == "constant":
            array = value.attributes["array"]
            return "constant", array.tobytes(), value.dtype.str, value.shape
        if self.is_leaf(value):
            raise LookupError("a leaf that is no array of the kernel")
        return self.values.get(key)

    def describe(self, root: Value) -> Hashable:
        """Note how ``root`` is computed; its name."""
        pending = [root]
        while pending:
            value = pending[-1]
            if id(value) in self.values:
                pending.pop()
                continue
            names = [self.operand(v) for v in value.operands]
            if None in names:
                pending += [v for v, name in zip(value.operands, names) if name is None]
                continue
            attributes = value.attributes
            self.values[id(value)] = len(self.values)
            self.described.append(
                (
                    value.primitive,
                    tuple(names),
                    tuple((name, attribute_text(attributes[name])) for name in sorted(attributes)),
                    value.shape,
                    value.dtype.str,
                )
            )
            pending.pop()
        return self.values[id(root)]


def kernel_form(
    kernel: Kernel,
    arrays: Sequence[Value],
    is_leaf: Callable[[Value], bool],
    strides: Callable[[Value], tuple[int, ...]],
    written: Sequence[bool],
) -> Any:
    """Equal for kernels whose code is the same, or None where that cannot be told.

    Args:
        kernel: before its loops are arranged.
        arrays: what it works on in memory, in the order of its function's parameters.
        is_leaf, strides: see :class:`flambeau.compiler.lowering.Lowering`.
        written: for each array whether its memory is written.
    """
    names = {id(v): i for i, v in enumerate(arrays)}
    form = _Form(names, {id(v): i for i, v in enumerate(kernel.values)}, is_leaf)
    try:
        outer = tuple(form.loop(v) for v in kernel.outer)
        groups = tuple(
            (
                tuple(form.loop(v) for v in group.inner),
                tuple(form.loop(v) for v in group.reduced),
                form.position(group.terms_at),
                tuple(
                    (form.describe(m.value), form.position(m.position), m.reduction is None)
                    for m in group.members
                ),
            )
            for group in kernel.groups
        )
    except LookupError:
        return None
    memory = tuple(
        (v.shape, v.dtype.str, strides(v), w) for v, w in zip(arrays, written, strict=True)
    )
    stored = tuple(names[id(v)] for v in kernel.stored)
    return outer, groups, tuple(form.described), memory, stored


__all__ = ["kernel_form"]
