"""Index expressions: where in an array a loop iteration reads or writes.

An :class:`Index` is ``constant + sum(coefficient * atom)``.  An atom is a loop :class:`Variable`, a
quotient or remainder that a reshape makes, or a :class:`Dynamic` value that is read from memory
(gather).  Ranges are known, so most quotients and remainders simplify away.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from .builder import Builder, Register


class Variable:
    """A loop variable: ``0 <= value < extent``.

    ``register + offset`` is its value while code is written.  With more than one of ``lanes`` it
    stands for that many consecutive values, of which this is the first.
    """

    __slots__ = ("name", "extent", "register", "offset", "lanes", "low", "high")

    def __init__(self, name: str, extent: int) -> None:
        self.name = name
        self.extent = extent
        self.low = 0
        self.high = extent - 1
        self.register: Register | None = None
        self.offset = 0
        self.lanes = 1

    def __repr__(self) -> str:
        return f"{self.name}<{self.extent}"


class Dynamic:
    """An index that is read from memory: ``key`` tells one from another."""

    __slots__ = ("key", "low", "high", "register", "depends")

    def __init__(self, key: Any, low: int, high: int, depends: frozenset[Variable]) -> None:
        self.key = key
        self.low = low
        self.high = high
        self.register: Register | None = None
        self.depends = depends

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Dynamic) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)


class Quotient:
    """``index // divisor`` (``remainder`` False) or ``index % divisor`` (True); never negative."""

    __slots__ = ("index", "divisor", "remainder", "low", "high")

    def __init__(self, index: Index, divisor: int, remainder: bool) -> None:
        self.index = index
        self.divisor = divisor
        self.remainder = remainder
        self.low: int = 0 if remainder else index.low // divisor
        self.high: int = divisor - 1 if remainder else index.high // divisor

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Quotient)
            and self.divisor == other.divisor
            and self.remainder == other.remainder
            and self.index == other.index
        )

    def __hash__(self) -> int:
        return hash((self.index, self.divisor, self.remainder))


Atom = Variable | Dynamic | Quotient


class Index:
    """``constant + sum(coefficient * atom)``; immutable, equal by value."""

    __slots__ = ("terms", "constant", "low", "high", "_hash")

    def __init__(self, terms: dict[Atom, int], constant: int = 0) -> None:
        self.terms = terms
        self.constant = constant
        low = high = constant
        for atom, coefficient in terms.items():
            if coefficient > 0:
                low += coefficient * atom.low
                high += coefficient * atom.high
            else:
                low += coefficient * atom.high
                high += coefficient * atom.low
        self.low: int = low
        self.high: int = high
        self._hash: int | None = None

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Index)
            and self.constant == other.constant
            and self.terms == other.terms
        )

    def __hash__(self) -> int:
        if self._hash is None:
            self._hash = hash((self.constant, frozenset(self.terms.items())))
        return self._hash

    def __repr__(self) -> str:
        parts = [f"{c}*{a!r}" for a, c in self.terms.items()]
        return " + ".join([*parts, str(self.constant)])

    def __add__(self, other: Index | int) -> Index:
        if isinstance(other, int):
            return Index(self.terms, self.constant + other) if other else self
        terms = dict(self.terms)
        for atom, coefficient in other.terms.items():
            total = terms.get(atom, 0) + coefficient
            if total:
                terms[atom] = total
            else:
                terms.pop(atom, None)
        return Index(terms, self.constant + other.constant)

    def __mul__(self, factor: int) -> Index:
        if factor == 0:
            return ZERO
        if factor == 1:
            return self
        return Index({a: c * factor for a, c in self.terms.items()}, self.constant * factor)

    def _split(self, divisor: int) -> tuple[Index, Index]:
        """``self == divisor * first + second``."""
        whole: dict[Atom, int] = {}
        rest: dict[Atom, int] = {}
        for atom, coefficient in self.terms.items():
            quotient, remainder = divmod(coefficient, divisor)
            if remainder == 0:
                whole[atom] = quotient
            else:
                rest[atom] = coefficient
        quotient, remainder = divmod(self.constant, divisor)
        return Index(whole, quotient), Index(rest, remainder)

    def quotient(self, divisor: int) -> Index:
        """``self // divisor`` of an index that is not negative."""
        if divisor == 1:
            return self
        whole, rest = self._split(divisor)
        if 0 <= rest.low and rest.high < divisor:
            return whole
        if whole.terms and rest.low < 0:
            return Index({Quotient(self, divisor, False): 1})
        return whole + Index({Quotient(rest, divisor, False): 1})

    def remainder(self, divisor: int) -> Index:
        """``self % divisor`` of an index that is not negative."""
        if divisor == 1:
            return ZERO
        _, rest = self._split(divisor)
        if 0 <= rest.low and rest.high < divisor:
            return rest
        return Index({Quotient(rest, divisor, True): 1})

    @property
    def is_constant(self) -> bool:
        return not self.terms

    @property
    def is_affine(self) -> bool:
        """Whether all atoms are loop variables."""
        return all(type(atom) is Variable for atom in self.terms)

    def coefficient(self, variable: Variable) -> int | None:
        """The stride along ``variable``; None where the index is no affine function of it."""
        for atom in self.terms:
            if type(atom) is not Variable and variable in atom_variables(atom):
                return None
        return self.terms.get(variable, 0)

    def variables(self) -> set[Variable]:
        found: set[Variable] = set()
        for atom in self.terms:
            found |= atom_variables(atom)
        return found


def atom_variables(atom: Atom) -> set[Variable]:
    """The loop variables that ``atom`` depends on."""
    if isinstance(atom, Variable):
        return {atom}
    if isinstance(atom, Dynamic):
        return set(atom.depends)
    return atom.index.variables()


ZERO = Index({}, 0)


def variable_index(variable: Variable) -> Index:
    """The index that is the loop variable itself (0 where it has one value only)."""
    return Index({variable: 1}) if variable.extent != 1 else ZERO


def constant_index(value: int) -> Index:
    return Index({}, value)


def substitute(index: Index, replacements: dict[Variable, Index]) -> Index:
    """``index`` with loop variables replaced."""
    if not any(v in replacements for v in index.variables()):
        return index
    total = constant_index(index.constant)
    for atom, coefficient in index.terms.items():
        if isinstance(atom, Variable):
            total = total + replacements.get(atom, Index({atom: 1})) * coefficient
        elif isinstance(atom, Quotient):
            inner = substitute(atom.index, replacements)
            part = inner.remainder(atom.divisor) if atom.remainder else inner.quotient(atom.divisor)
            total = total + part * coefficient
        else:
            raise ValueError("an index read from memory cannot be rewritten")
    return total


def linear(index: Sequence[Index], strides: Sequence[int]) -> Index:
    """The sum of ``index * stride``."""
    total = ZERO
    for i, stride in zip(index, strides, strict=True):
        if stride and (i.terms or i.constant):
            total = total + i * stride
    return recombined(total)


def recombined(index: Index) -> Index:
    """``index`` with ``d * (i // d) + i % d`` written as ``i``."""
    found = True
    while found:
        found = False
        for atom, coefficient in index.terms.items():
            if type(atom) is not Quotient or not atom.remainder:
                continue
            partner = Quotient(atom.index, atom.divisor, False)
            if index.terms.get(partner) == coefficient * atom.divisor:
                rest = {a: c for a, c in index.terms.items() if a != atom and a != partner}
                index = Index(rest, index.constant) + atom.index * coefficient
                found = True
                break
    return index


def contiguous_strides(shape: Sequence[int]) -> tuple[int, ...]:
    """The strides, in elements, of a C-contiguous array."""
    strides = []
    stride = 1
    for n in reversed(shape):
        strides.append(stride)
        stride *= n
    return tuple(reversed(strides))


def unravel(offset: Index, shape: Sequence[int]) -> tuple[Index, ...]:
    """The multi-dimensional index of the flat position ``offset`` in an array of ``shape``."""
    result = []
    rest = offset
    for n in reversed(shape):
        if rest.low >= 0 and rest.high < n:
            result.append(rest)
            rest = ZERO
        else:
            result.append(rest.remainder(n))
            rest = rest.quotient(n)
    return tuple(reversed(result))


def reshaped(index: Sequence[Index], shape: Sequence[int], target: Sequence[int]) -> tuple:
    """Where in an array of shape ``target`` the element ``index`` of its reshape ``shape`` is."""
    if 0 in target:
        return (ZERO,) * len(target)  # there is no element, so nothing is read
    # dims that agree from the left, and from the right, need no arithmetic
    left = 0
    while left < len(shape) and left < len(target) and shape[left] == target[left]:
        left += 1
    right = 0
    while (
        right < len(shape) - left
        and right < len(target) - left
        and shape[len(shape) - 1 - right] == target[len(target) - 1 - right]
    ):
        right += 1
    middle = slice(left, len(shape) - right)
    inner = tuple(target[left : len(target) - right])
    if not inner:
        return (*index[:left], *index[len(shape) - right :])
    inner_shape = tuple(shape[middle])
    flat = linear(index[middle], contiguous_strides(inner_shape))
    return (*index[:left], *unravel(flat, inner), *index[len(shape) - right :])


# -- from expressions to registers ---------------------------------------------------------------


def scalar_register(builder: Builder, index: Index) -> Register:
    """``index`` in the first lane of vector variables, as an ``i64``."""
    return _register(builder, index, False)


def lane_register(builder: Builder, index: Index) -> Register:
    """``index`` in every lane of vector variables (a scalar where it does not depend on any)."""
    return _register(builder, index, True)


def _register(builder: Builder, index: Index, lanes: bool) -> Register:
    parts = []
    constant = index.constant
    for atom, coefficient in index.terms.items():
        if type(atom) is Variable:
            constant += coefficient * atom.offset
        parts.append(builder.index_multiply(_atom_register(builder, atom, lanes), coefficient))
    parts.sort(key=lambda r: (r.level, r.lanes, r.name))
    total = builder.index(0)
    for part in parts:
        total = builder.index_add(total, part)
    # last, so that neighbours share the sum and the constant goes into the addressing mode
    return builder.index_add(total, builder.index(constant))


def _atom_register(builder: Builder, atom: Atom, lanes: bool) -> Register:
    if isinstance(atom, Variable):
        if atom.register is None:
            raise RuntimeError(f"loop variable {atom} is used outside of its loop")
        if lanes and atom.lanes > 1:
            return builder.index_add(
                builder.widen(atom.register, atom.lanes), builder.iota(atom.lanes)
            )
        return atom.register
    if isinstance(atom, Dynamic):
        if atom.register is None:
            raise RuntimeError("a dynamic index is used before it is read")
        return atom.register if lanes else builder.extract(atom.register, 0)
    inner = _register(builder, atom.index, lanes)
    return builder.binary("urem" if atom.remainder else "udiv", inner, builder.index(atom.divisor))


def vector_stride(index: Index) -> int | None:
    """The distance between the elements of neighbouring lanes; None where there is no one."""
    total = 0
    for atom, coefficient in index.terms.items():
        if isinstance(atom, Variable):
            if atom.lanes > 1:
                total += coefficient
        elif isinstance(atom, Dynamic):
            if atom.register is not None and atom.register.lanes > 1:
                return None
        elif any(v.lanes > 1 for v in atom.index.variables()):
            return None
    return total
