"""LLVM IR as text, with value numbering and loop-invariant code motion while it is written.

The optimising passes of LLVM cost more time than all of the rest of a compilation, so the code is
written well to begin with.  A :class:`Register` knows the depth of the loop in which it is defined;
an instruction is placed into the outermost loop in which all its operands exist, and an instruction
that has been written there before is not written again.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

POINTER = "ptr"
INDEX = "i64"
BOOL = "i1"

FLOAT_TYPES = {"half": 2, "bfloat": 2, "float": 4, "double": 8}
"""LLVM's floating-point types and their sizes in bytes."""


def size_of(type: str) -> int:
    """Bytes that one element of the LLVM type takes in memory."""
    if type == POINTER:
        return 8
    return FLOAT_TYPES.get(type) or max(1, int(type[1:]) // 8)


class Register:
    """An LLVM value of scalar ``type`` in ``lanes`` lanes, defined at loop depth ``level``."""

    __slots__ = ("name", "type", "lanes", "level", "literal")

    def __init__(
        self, name: str, type: str, lanes: int = 1, level: int = 0, literal: Any = None
    ) -> None:
        self.name = name
        self.type = type
        self.lanes = lanes
        self.level = level
        self.literal = literal

    @property
    def full_type(self) -> str:
        """The type as LLVM writes it, vector or scalar."""
        return self.type if self.lanes == 1 else f"<{self.lanes} x {self.type}>"

    @property
    def typed(self) -> str:
        return f"{self.full_type} {self.name}"

    def __repr__(self) -> str:
        return self.typed


def literal_text(type: str, value: Any) -> str:
    """``value`` as an LLVM literal of the scalar ``type``."""
    if type == "double":
        return f"0x{struct.unpack('>Q', struct.pack('>d', float(value)))[0]:016X}"
    if type == "float":
        with np.errstate(over="ignore"):
            single = float(np.float32(value))
        return f"0x{struct.unpack('>Q', struct.pack('>d', single))[0]:016X}"
    if type == "half":
        with np.errstate(over="ignore"):
            return f"0xH{np.float16(value).view(np.uint16):04X}"
    if type == BOOL:
        return "true" if value else "false"
    bits = int(type[1:])
    wrapped = int(value) & ((1 << bits) - 1)
    return str(wrapped - (1 << bits) if wrapped >> (bits - 1) else wrapped)


class _Scope:
    """The code of one loop body, as far as it is written."""

    __slots__ = ("lines", "memo", "label", "block", "header", "loads")

    def __init__(self, block: str) -> None:
        self.lines: list[str] = []
        self.memo: dict[Any, Register] = {}
        self.loads: dict[str, list[Any]] = {}
        self.label = block
        self.block = block
        """The basic block being written: ``label``, or what follows an inner loop."""
        self.header: tuple[Any, ...] = ()


class Builder:
    """Writes one function.

    Arguments:
        name: the function's name.
        parameters: typed LLVM parameters, ``("ptr", "%a")`` each.
        declarations: the module's set of ``declare`` lines, shared by its functions.
    """

    def __init__(
        self, name: str, parameters: Sequence[tuple[str, str]], declarations: set[str]
    ) -> None:
        self.name = name
        self.parameters = [Register(n, t) for t, n in parameters]
        self.declarations = declarations
        self._counter = 0
        self._scopes = [_Scope("entry")]
        self.written: set[str] = set()
        """Names of pointers that this function stores through: their loads stay where they are."""

    # -- placement ------------------------------------------------------------------------------

    @property
    def depth(self) -> int:
        return len(self._scopes) - 1

    def _fresh(self) -> str:
        self._counter += 1
        return f"%x{self._counter}"

    def _place(self, text: str, type: str, lanes: int, operands: Sequence[Register]) -> Register:
        """A pure instruction: written once, as far out as its operands allow."""
        level = 0
        for operand in operands:
            if operand.level > level:
                level = operand.level
        scope = self._scopes[level]
        register = scope.memo.get(text)
        if register is None:
            register = Register(self._fresh(), type, lanes, level)
            scope.lines.append(f"{register.name} = {text}")
            scope.memo[text] = register
        return register

    def statement(self, text: str) -> None:
        """An instruction with an effect: written here."""
        self._scopes[-1].lines.append(text)

    def effect(self, text: str, type: str, lanes: int = 1) -> Register:
        """An instruction with an effect and a result: written here, each time."""
        register = Register(self._fresh(), type, lanes, self.depth)
        self._scopes[-1].lines.append(f"{register.name} = {text}")
        return register

    # -- constants and widening -----------------------------------------------------------------

    def constant(self, type: str, value: Any) -> Register:
        return Register(literal_text(type, value), type, 1, 0, value)

    def index(self, value: int) -> Register:
        return Register(str(value), INDEX, 1, 0, value)

    def widen(self, x: Register, lanes: int) -> Register:
        """``x`` in every one of ``lanes`` lanes."""
        if x.lanes == lanes:
            return x
        if x.lanes != 1:
            raise ValueError(f"cannot widen {x} to {lanes} lanes")
        if x.literal is not None:
            inner = ", ".join([x.typed] * lanes)
            return Register(f"<{inner}>", x.type, lanes, 0, x.literal)
        vector = f"<{lanes} x {x.type}>"
        one = self._place(f"insertelement {vector} poison, {x.typed}, i32 0", x.type, lanes, (x,))
        return self._place(
            f"shufflevector {vector} {one.name}, {vector} poison, <{lanes} x i32> zeroinitializer",
            x.type,
            lanes,
            (one,),
        )

    def level_operands(self, *operands: Register) -> tuple[Register, ...]:
        """The operands, all in as many lanes as the widest."""
        lanes = max(x.lanes for x in operands)
        if lanes == 1:
            return operands
        return tuple(x if x.lanes == lanes else self.widen(x, lanes) for x in operands)

    # -- pure instructions ----------------------------------------------------------------------

    def binary(self, opcode: str, x: Register, y: Register) -> Register:
        """``opcode`` may carry flags: ``"fadd contract"``."""
        if x.lanes != y.lanes:
            x, y = self.level_operands(x, y)
        return self._place(f"{opcode} {x.full_type} {x.name}, {y.name}", x.type, x.lanes, (x, y))

    def unary(self, opcode: str, x: Register) -> Register:
        return self._place(f"{opcode} {x.full_type} {x.name}", x.type, x.lanes, (x,))

    def compare(self, predicate: str, x: Register, y: Register) -> Register:
        """``predicate`` is ``"fcmp olt"``, ``"icmp slt"`` and the like."""
        if x.lanes != y.lanes:
            x, y = self.level_operands(x, y)
        return self._place(f"{predicate} {x.full_type} {x.name}, {y.name}", BOOL, x.lanes, (x, y))

    def select(self, condition: Register, x: Register, y: Register) -> Register:
        if condition.literal is not None:
            return x if condition.literal else y
        if x.name == y.name and x.lanes == y.lanes:
            return x
        condition, x, y = self.level_operands(condition, x, y)
        return self._place(
            f"select {condition.full_type} {condition.name}, {x.typed}, {y.typed}",
            x.type,
            x.lanes,
            (condition, x, y),
        )

    def cast(self, opcode: str, x: Register, type: str) -> Register:
        """``opcode`` is ``"sext"``, ``"fptrunc"``, ``"bitcast"`` and the like."""
        if x.type == type:
            return x
        target = type if x.lanes == 1 else f"<{x.lanes} x {type}>"
        return self._place(f"{opcode} {x.typed} to {target}", type, x.lanes, (x,))

    def intrinsic(self, name: str, *operands: Register, flags: str = "") -> Register:
        """``llvm.<name>`` overloaded by its operands' type, all of one type."""
        operands = self.level_operands(*operands)
        x = operands[0]
        suffix = {"half": "f16", "float": "f32", "double": "f64", "bfloat": "bf16"}.get(
            x.type, x.type
        )
        if x.lanes > 1:
            suffix = f"v{x.lanes}{suffix}"
        types = ", ".join(o.full_type for o in operands)
        self.declarations.add(f"declare {x.full_type} @llvm.{name}.{suffix}({types})")
        arguments = ", ".join(o.typed for o in operands)
        return self._place(
            f"call {flags + ' ' if flags else ''}{x.full_type} @llvm.{name}.{suffix}({arguments})",
            x.type,
            x.lanes,
            operands,
        )

    def call(self, name: str, type: str, *operands: Register) -> Register:
        """A pure external function of scalars."""
        types = ", ".join(o.full_type for o in operands)
        self.declarations.add(f"declare {type} @{name}({types})")
        arguments = ", ".join(o.typed for o in operands)
        return self._place(f"call {type} @{name}({arguments})", type, 1, operands)

    def call_vector(self, name: str, x: Register) -> Register:
        """A function of this module from vectors to such vectors, without effects."""
        text = f"call {x.full_type} @{name}({x.typed})"
        return self._place(text, x.type, x.lanes, (x,))

    def extract(self, x: Register, lane: int) -> Register:
        if x.lanes == 1:
            return x
        return self._place(f"extractelement {x.typed}, i32 {lane}", x.type, 1, (x,))

    def insert(self, x: Register, element: Register, lane: int) -> Register:
        return self._place(
            f"insertelement {x.typed}, {element.typed}, i32 {lane}", x.type, x.lanes, (x, element)
        )

    def poison(self, type: str, lanes: int) -> Register:
        return Register("poison", type, lanes, 0)

    def shuffle(self, x: Register, y: Register, lanes: Sequence[int]) -> Register:
        """The lanes ``lanes`` of ``x`` followed by ``y``."""
        pattern = ", ".join(f"i32 {lane}" for lane in lanes)
        return self._place(
            f"shufflevector {x.typed}, {y.typed}, <{len(lanes)} x i32> <{pattern}>",
            x.type,
            len(lanes),
            (x, y),
        )

    def reduce(self, operation: str, x: Register) -> Register:
        """All lanes of ``x`` combined by ``"fadd"``, ``"fmaximum"``, ``"or"`` or the like."""
        if x.lanes == 1:
            return x
        suffix = {"half": "f16", "float": "f32", "double": "f64"}.get(x.type, x.type)
        name = f"llvm.vector.reduce.{operation}.v{x.lanes}{suffix}"
        start = ""
        flags = ""
        parameters = x.full_type
        if operation in ("fadd", "fmul"):
            start = f"{x.type} {literal_text(x.type, -0.0 if operation == 'fadd' else 1.0)}, "
            parameters = f"{x.type}, {parameters}"
            flags = "reassoc "
        self.declarations.add(f"declare {x.type} @{name}({parameters})")
        return self._place(f"call {flags}{x.type} @{name}({start}{x.typed})", x.type, 1, (x,))

    def iota(self, lanes: int, type: str = INDEX) -> Register:
        """The lane numbers."""
        inner = ", ".join(f"{type} {i}" for i in range(lanes))
        return Register(f"<{inner}>", type, lanes, 0)

    def lane_mask(self, lanes: int, active: int) -> Register:
        """The first ``active`` of ``lanes`` lanes."""
        if active == 1:
            return Register(_first_lane(lanes), BOOL, lanes, 0)
        inner = ", ".join(f"i1 {'true' if i < active else 'false'}" for i in range(lanes))
        return Register(f"<{inner}>", BOOL, lanes, 0)

    # -- integers used as indices ---------------------------------------------------------------

    def index_add(self, x: Register, y: Register) -> Register:
        if x.literal == 0 and x.lanes == 1:
            return y
        if y.literal == 0 and y.lanes == 1:
            return x
        if x.literal is not None and y.literal is not None and x.lanes == y.lanes == 1:
            return self.index(x.literal + y.literal)
        return self.binary("add nsw", x, y)

    def index_multiply(self, x: Register, factor: int) -> Register:
        if factor == 1:
            return x
        if factor == 0:
            return self.index(0)
        if x.literal is not None and x.lanes == 1:
            return self.index(x.literal * factor)
        return self.binary("mul nsw", x, self.index(factor))

    def logical_and(self, x: Register | None, y: Register | None) -> Register | None:
        """Both predicates; None is the predicate that always holds."""
        if x is None:
            return y
        if y is None or y.name == x.name:
            return x
        return self.binary("and", x, y)

    # -- memory ---------------------------------------------------------------------------------

    def address(self, pointer: Register, type: str, offset: Register) -> Register:
        """``pointer`` plus ``offset`` elements (a vector of addresses for a vector offset)."""
        if offset.literal == 0 and offset.lanes == 1:
            return pointer
        lanes = offset.lanes
        return self._place(
            f"getelementptr {'i8' if type == BOOL else type}, {pointer.typed}, {offset.typed}",
            POINTER,
            lanes,
            (pointer, offset),
        )

    def load(
        self,
        pointer: Register,
        type: str,
        offset: Register,
        lanes: int = 1,
        mask: Register | None = None,
    ) -> Register:
        """``lanes`` elements that begin at ``offset`` elements behind ``pointer``.

        A vector ``offset`` gathers.  Lanes that ``mask`` leaves out are zero and are not touched.
        A scalar load takes no mask.  Memory of booleans is bytes; the register is ``i1``.
        """
        memory = "i8" if type == BOOL else type
        operands = [pointer, offset] if mask is None else [pointer, offset, mask]
        gathers = offset.lanes > 1
        if gathers:
            lanes = offset.lanes
        vector = f"<{lanes} x {memory}>" if lanes > 1 else memory
        address = self.address(pointer, memory, offset)
        align = size_of(memory)
        if gathers:
            name = f"llvm.masked.gather.v{lanes}{_suffix(memory)}.v{lanes}p0"
            self.declarations.add(
                f"declare {vector} @{name}(<{lanes} x ptr>, i32, <{lanes} x i1>, {vector})"
            )
            chosen = mask or self.lane_mask(lanes, lanes)
            text = (
                f"call {vector} @{name}({address.typed}, i32 {align}, {chosen.typed}, "
                f"{vector} zeroinitializer)"
            )
        elif mask is not None:
            name = f"llvm.masked.load.v{lanes}{_suffix(memory)}.p0"
            self.declarations.add(f"declare {vector} @{name}(ptr, i32, <{lanes} x i1>, {vector})")
            text = (
                f"call {vector} @{name}({address.typed}, i32 {align}, {mask.typed}, "
                f"{vector} zeroinitializer)"
            )
        else:
            text = f"load {vector}, {address.typed}, align {align}"
        if pointer.name in self.written:
            scope = self._scopes[-1]
            key = (pointer.name, text)
            register = scope.memo.get(key)
            if register is None:
                register = self.effect(text, memory, lanes)
                scope.memo[key] = register
                scope.loads.setdefault(pointer.name, []).append(key)
        else:
            register = self._place(text, memory, lanes, operands)
        if type == BOOL:
            return self.compare("icmp ne", register, self.constant("i8", 0))
        return register

    def store(
        self,
        x: Register,
        pointer: Register,
        offset: Register,
        mask: Register | None = None,
    ) -> None:
        """Store ``x`` at ``offset`` elements behind ``pointer``; a vector ``offset`` scatters."""
        if x.type == BOOL:
            x = self.cast("zext", x, "i8")
        if mask is not None and offset.lanes == 1 and mask.name == _first_lane(mask.lanes):
            # LLVM stores more than the one lane where it also narrows what it stores
            x, mask = self.extract(x, 0), None
        address = self.address(pointer, x.type, offset)
        align = size_of(x.type)
        lanes = x.lanes
        if offset.lanes > 1:
            lanes = offset.lanes
            x = self.widen(x, lanes)
            name = f"llvm.masked.scatter.v{lanes}{_suffix(x.type)}.v{lanes}p0"
            self.declarations.add(
                f"declare void @{name}({x.full_type}, <{lanes} x ptr>, i32, <{lanes} x i1>)"
            )
            chosen = mask or self.lane_mask(lanes, lanes)
            self.statement(
                f"call void @{name}({x.typed}, {address.typed}, i32 {align}, {chosen.typed})"
            )
        elif mask is not None:
            name = f"llvm.masked.store.v{lanes}{_suffix(x.type)}.p0"
            self.declarations.add(f"declare void @{name}({x.full_type}, ptr, i32, <{lanes} x i1>)")
            self.statement(
                f"call void @{name}({x.typed}, {address.typed}, i32 {align}, {mask.typed})"
            )
        else:
            self.statement(f"store {x.typed}, {address.typed}, align {align}")
        for scope in self._scopes:
            for key in scope.loads.pop(pointer.name, ()):
                scope.memo.pop(key, None)

    def local(self, type: str, count: int) -> Register:
        """An array of ``count`` elements that this call of the function has for itself."""
        array = Register(self._fresh(), POINTER)
        self._scopes[0].lines.append(f"{array.name} = alloca [{count} x {type}], align 64")
        return array

    # -- loops ----------------------------------------------------------------------------------

    def open_loop(
        self,
        start: Register | int,
        stop: Register | int,
        step: int,
        carried: Sequence[Register] = (),
        overlapping: bool = False,
    ) -> tuple[Register, list[Register]]:
        """Begin a loop that runs at least once, while its counter is below ``stop``.

        With ``overlapping``, a last step that would reach beyond ``stop`` begins earlier, at
        ``stop - step``, which must not be before ``start``.

        Returns the counter and, for each value of ``carried``, the register that has it at first
        and then what :meth:`close_loop` is given.
        """
        self._counter += 1
        label = f"L{self._counter}"
        scope = _Scope(label)
        first = start if isinstance(start, Register) else self.index(start)
        last = stop if isinstance(stop, Register) else self.index(stop)
        level = len(self._scopes)
        counter = Register(f"%i{self._counter}", INDEX, 1, level)
        registers = [Register(self._fresh(), c.type, c.lanes, level) for c in carried]
        limit = self.index_add(last, self.index(-step)) if overlapping else last
        scope.header = (label, counter, first, limit, step, list(carried), registers, overlapping)
        self._scopes.append(scope)
        return counter, registers

    def close_loop(self, following: Sequence[Register] = ()) -> list[Register]:
        """End the loop; returns the carried values as the last iteration left them."""
        scope = self._scopes.pop()
        outer = self._scopes[-1]
        label, counter, first, limit, step, carried, registers, overlapping = scope.header
        lines = outer.lines
        lines.append(f"br label %{label}")
        lines.append(f"{label}:")
        lines.append(
            f"{counter.name} = phi i64 [ {first.name}, %{outer.block} ], "
            f"[ {counter.name}n, %{scope.block} ]"
        )
        for initial, register, after in zip(carried, registers, following, strict=True):
            lines.append(
                f"{register.name} = phi {register.full_type} "
                f"[ {initial.name}, %{outer.block} ], [ {after.name}, %{scope.block} ]"
            )
        lines.extend(scope.lines)
        if overlapping:
            self.declarations.add("declare i64 @llvm.smin.i64(i64, i64)")
            lines.append(f"{counter.name}m = add nsw i64 {counter.name}, {step}")
            smaller = f"call i64 @llvm.smin.i64(i64 {counter.name}m, i64 {limit.name})"
            lines.append(f"{counter.name}n = {smaller}")
            lines.append(f"{counter.name}c = icmp slt i64 {counter.name}, {limit.name}")
        else:
            lines.append(f"{counter.name}n = add nsw i64 {counter.name}, {step}")
            lines.append(f"{counter.name}c = icmp slt i64 {counter.name}n, {limit.name}")
        lines.append(f"br i1 {counter.name}c, label %{label}, label %E{label}")
        lines.append(f"E{label}:")
        outer.block = f"E{label}"
        level = len(self._scopes) - 1
        # what the loop stored makes what was loaded before it stale
        for pointer in list(outer.loads):
            for key in outer.loads.pop(pointer):
                outer.memo.pop(key, None)
        return [Register(r.name, r.type, r.lanes, min(r.level, level)) for r in following]

    def open_branch(self, condition: Register) -> None:
        """Begin code that runs only where the scalar ``condition`` holds."""
        self._counter += 1
        scope = _Scope(f"T{self._counter}")
        scope.header = (condition,)
        self._scopes.append(scope)

    def close_branch(
        self, following: Sequence[Register] = (), otherwise: Sequence[Register] = ()
    ) -> list[Register]:
        """End it; returns what is ``following``, and ``otherwise`` where it is left out."""
        scope = self._scopes.pop()
        outer = self._scopes[-1]
        (condition,) = scope.header
        self._counter += 1
        enter, leave = scope.label, f"J{self._counter}"
        outer.lines.append(f"br i1 {condition.name}, label %{enter}, label %{leave}")
        outer.lines.append(f"{enter}:")
        outer.lines.extend(scope.lines)
        outer.lines.append(f"br label %{leave}")
        outer.lines.append(f"{leave}:")
        registers = []
        for inside, left_out in zip(following, otherwise, strict=True):
            register = Register(self._fresh(), inside.type, inside.lanes, self.depth)
            outer.lines.append(
                f"{register.name} = phi {register.full_type} "
                f"[ {inside.name}, %{scope.block} ], [ {left_out.name}, %{outer.block} ]"
            )
            registers.append(register)
        outer.block = leave
        for pointer in list(outer.loads):
            for key in outer.loads.pop(pointer):
                outer.memo.pop(key, None)
        return registers

    # -- the text -------------------------------------------------------------------------------

    def taken_lines(self) -> str:
        """The lines written since the last call; their registers may still be used."""
        text = "\n".join(self._scopes[0].lines)
        self._scopes[0].lines.clear()
        return text

    def finish(self, linkage: str = "hidden", result: str = "ret void") -> str:
        parameters = ", ".join(p.typed for p in self.parameters)
        returned = "void" if result == "ret void" else result.split()[1]
        body = "\n".join(self._scopes[0].lines)
        return (
            f"define {linkage} {returned} @{self.name}({parameters}) #0 {{\nentry:\n{body}\n"
            f"{result}\n}}\n"
        )


@cache
def _first_lane(lanes: int) -> str:
    """The mask of the first lane alone."""
    return f"<{', '.join(['i1 true', *['i1 false'] * (lanes - 1)])}>"


def _suffix(type: str) -> str:
    return {"half": "f16", "float": "f32", "double": "f64", "bfloat": "bf16"}.get(type, type)
