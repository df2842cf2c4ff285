"""Example calls of operations, made from the ``samples`` of their definitions.

The notation is described in :mod:`flambeau.ops.operation`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from flambeau.ops.operation import OPERATIONS, Operation

_ARRAY = re.compile(
    r"(?P<kind>bool|complex|int64|uint8|float32|index|permutation|symmetric|positive|lower|"
    r"probability|rising)"
    r"(?P<shape>\([\d, ]*\))?(?P<below>\d+)?$"
)


@dataclass(frozen=True)
class Slot:
    """The place of array number ``number`` among a call's arguments."""

    number: int


@dataclass
class Case:
    """One example call: arguments with slots, and the arrays for them."""

    operation: Operation
    number: int
    arguments: list[Any]
    arrays: list[np.ndarray]
    differentiable: list[int]
    """The numbers of the floating-point arrays for which there is a vjp."""

    def __str__(self) -> str:
        return f"{self.operation.name}-{self.number}"

    def filled(self, arrays: Sequence[Any]) -> tuple[list[Any], dict[str, Any]]:
        """Positional and keyword arguments of the call, with ``arrays`` in the slots."""

        def fill(value: Any) -> Any:
            if isinstance(value, Slot):
                return arrays[value.number]
            if type(value) in (tuple, list):
                return type(value)(fill(v) for v in value)
            return value

        positional, keywords = [], {}
        for parameter, value in zip(self.operation.parameters, self.arguments):
            if parameter.keyword_only:
                keywords[parameter.name] = fill(value)
            else:
                positional.append(fill(value))
        return positional, keywords


def _shape(text: str | None, default: tuple[int, ...]) -> tuple[int, ...]:
    if text is None:
        return default
    return tuple(int(n) for n in text.strip("()").split(",") if n.strip())


def _described(text: str, random: np.random.Generator) -> np.ndarray:
    """The array that a string of the notation stands for."""
    match = _ARRAY.match(text)
    if match is None:
        raise ValueError(f"{text!r} is not in the notation of samples")
    kind, below = match["kind"], match["below"]
    if kind == "index":
        limit = int(below)
        return random.integers(0, limit, _shape(match["shape"], (limit,)))
    if kind == "permutation":
        limit = int(below)
        shape = _shape(match["shape"], (limit,))
        rows = random.random((*shape[:-1], limit)).argsort(-1)
        return rows[..., : shape[-1]]
    shape = _shape(match["shape"], (3, 4))
    if kind == "bool":
        return random.random(shape) < 0.5
    if kind in ("int64", "uint8"):
        limit = int(below) if below else 5
        return random.integers(0, limit, shape).astype(kind)
    if kind == "complex":
        return random.uniform(-2, 2, shape) + 1j * random.uniform(-2, 2, shape)
    if kind == "float32":
        return random.uniform(-2, 2, shape).astype(np.float32)
    if kind == "rising":
        return np.sort(random.uniform(-2, 2, shape))
    if kind == "probability":
        values = random.random(shape) + 0.1
        return values / values.sum(-1, keepdims=True)
    square = random.uniform(-1, 1, shape)
    if kind == "symmetric":
        return square + square.swapaxes(-1, -2)
    if kind == "lower":
        return np.tril(square) + 2 * np.eye(shape[-1])
    return square @ square.swapaxes(-1, -2) + np.eye(shape[-1])


def cases(operation: Operation) -> Iterator[Case]:
    """The example calls of ``operation``, always the same ones."""
    for number, sample in enumerate(operation.samples):
        yield _case(operation, number, sample)


def _case(operation: Operation, number: int, sample: tuple[Any, ...]) -> Case:
    seed = sum(map(ord, operation.name)) * 100 + number
    random = np.random.default_rng(seed)
    arrays: list[np.ndarray] = []
    low, high = operation.domain

    def slot(array: np.ndarray) -> Slot:
        arrays.append(array)
        return Slot(len(arrays) - 1)

    def tensor(value: Any) -> Any:
        if isinstance(value, str):
            return slot(_described(value, random))
        if isinstance(value, tuple):
            return slot(random.uniform(low, high, value))
        return value

    def plain(value: Any) -> Any:
        if isinstance(value, str) and re.match(r"(index|permutation|bool\()", value):
            return slot(_described(value, random))
        if type(value) in (tuple, list):
            return type(value)(plain(v) for v in value)
        return value

    arguments: list[Any] = []
    targets = {target for vjp in operation.vjps for target in vjp.targets}
    targets -= operation.underivable
    differentiable: list[int] = []
    for parameter, value in zip(operation.parameters, sample):
        first = len(arrays)
        if parameter.kind == "arrays":
            arguments.append([tensor(v) for v in value])
        elif parameter.is_tensor:
            arguments.append(tensor(value))
        else:
            arguments.append(plain(value))
        if parameter.name in targets:
            differentiable += [i for i in range(first, len(arrays)) if arrays[i].dtype.kind in "fc"]
    if len(sample) > len(operation.parameters):
        raise ValueError(f"{operation.name}: sample {number} has too many arguments")
    return Case(operation, number, arguments, arrays, differentiable)


def all_cases() -> list[Case]:
    """The example calls of all operations."""
    return [case for operation in OPERATIONS.values() for case in cases(operation)]
