"""Parameters cut into, or gathered to, flat blocks that an update program runs over in place."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from flambeau.optim.update_program import UpdateProgram
from flambeau.tensor import Tensor

__all__ = ["BLOCK", "Gathered", "Kernel", "Member", "Single"]

BLOCK = 32768  # elements: six such blocks of float32 fit into a level-2 cache of 1 MiB


def is_dense(array: np.ndarray) -> bool:
    """Whether the elements lie in memory without gaps, rows or columns first."""
    return bool(array.flags.c_contiguous or array.flags.f_contiguous)


def real_dtype(dtype: np.dtype) -> np.dtype:
    """The dtype of a complex number's parts; any other dtype as it is."""
    return np.dtype(f"f{dtype.itemsize // 2}") if dtype.kind == "c" else dtype


class Member:
    """One parameter of a plan, with everything that the plan takes to stay where it is.

    Args:
        param: the parameter.
        state: its states by name; None where the rule keeps none.
    """

    __slots__ = ("array", "dtype", "param", "state", "states")

    def __init__(self, param: Tensor, state: dict[str, Any] | None) -> None:
        self.param = param
        self.array: np.ndarray = param._array
        self.dtype = self.array.dtype
        self.state: Any = state  # None where the rule keeps no state
        self.states: list[tuple[str, Tensor, Any]] = []

    def settle(self, names: Sequence[str]) -> None:
        """Note where the states of these ``names`` are, once they will not be moved any more."""
        self.states = [(name, self.state[name], self.state[name]._array) for name in names]


class Kernel:
    """An update program with its coefficients as arrays, and scratch for blocks up to ``size``.

    Args:
        program: the update program.
        dtype: of the coefficients and of the scratch.
        size: elements of the largest block.
    """

    def __init__(self, program: UpdateProgram, dtype: np.dtype, size: int) -> None:
        self.apply = program.apply
        self.subtracts_param = program.subtracts_param
        self.coefficients: list[np.ndarray] = []
        self._dtype = dtype
        self._values: tuple[float, ...] | None = None
        self._full = [np.empty(size, dtype) for _ in range(program.scratch)]
        self._full += [np.empty(size, np.bool_) for _ in range(program.masks)]
        self._tails: dict[Any, tuple[np.ndarray, ...]] = {}

    def load(self, values: tuple[float, ...]) -> None:
        """Take the coefficients of this step, ``values``."""
        if values == self._values:
            return
        if self._values is None:
            self.coefficients = [np.array(value, self._dtype) for value in values]
        else:
            for array, value in zip(self.coefficients, values, strict=True):
                array[()] = value
        self._values = values

    def tail(self, shape: tuple[int, ...]) -> tuple[np.ndarray, ...]:
        """What ``apply`` takes after a block's arrays, of this ``shape``: coefficients, and
        scratch.
        """
        tail = self._tails.get(shape)
        if tail is None:
            size = math.prod(shape)
            scratch = (buffer[:size].reshape(shape) for buffer in self._full)
            tail = self._tails[shape] = (*self.coefficients, *scratch)
        return tail


class Single:
    """A parameter updated by itself, block after block.

    One that fits into a block is taken in its own shape, whatever the strides of its gradient.

    Args:
        index: which of the plan's gradients is its own.
        member: the parameter.
        names: of its states, in the program's order.
    """

    def __init__(self, index: int, member: Member, names: Sequence[str]) -> None:
        self.index = index
        array = member.array
        flags = array.flags
        self.columns_first = bool(flags.f_contiguous and not flags.c_contiguous)
        for name in names:
            tensor = member.state[name]
            state = tensor._array
            if state.strides != array.strides or not state.flags.writeable:
                tensor._array = np.empty_like(array)
                tensor._array[...] = state
        arrays = [array, *(member.state[name]._array for name in names)]
        self.is_one_block = array.size <= BLOCK and array.dtype.itemsize > 2
        self.is_complex = array.dtype.kind == "c"
        if self.is_one_block and not self.is_complex:
            self.param, *self.states = arrays
            self.largest = array.size
            return
        self.is_one_block = False
        flats = [self.flatten(target) for target in arrays]
        self.blocks: list[tuple[Any, ...]] = [
            (slice(start, start + BLOCK), *(flat[start : start + BLOCK] for flat in flats))
            for start in range(0, flats[0].size, BLOCK)
        ]
        self.largest = min(flats[0].size, BLOCK)
        # Numbers of two bytes are computed with in float32 and rounded once.
        self.staging = (
            [np.empty(self.largest, np.float32) for _ in range(len(names) + 2)]
            if array.dtype.itemsize == 2
            else None
        )

    def flatten(self, array: np.ndarray) -> np.ndarray:
        """The elements of ``array`` in the parameter's memory order, complex ones as pairs of real
        ones.
        """
        flat = (array.T if self.columns_first else array).reshape(-1)
        return flat.view(real_dtype(flat.dtype)) if self.is_complex else flat

    def run(self, kernel: Kernel, grads: Sequence[np.ndarray]) -> None:
        """Update the parameter: ``kernel`` over its blocks, with its own of ``grads``."""
        grad = grads[self.index]
        if self.is_one_block:
            param = self.param
            kernel.apply(param, grad, *self.states, *kernel.tail(param.shape))
            return
        grad = self.flatten(grad)
        if self.staging is not None:
            self._run_staged(kernel, grad)
            return
        for part, param, *states in self.blocks:
            kernel.apply(param, grad[part], *states, *kernel.tail(param.shape))

    def _run_staged(self, kernel: Kernel, grad: np.ndarray) -> None:
        for part, param, *states in self.blocks:
            staged = [buffer[: param.size] for buffer in self.staging or ()]
            for buffer, source in zip(staged, (param, grad[part], *states), strict=True):
                np.copyto(buffer, source)
            kernel.apply(*staged, *kernel.tail(param.shape))
            for target, buffer in zip((param, *states), (staged[0], *staged[2:]), strict=True):
                np.copyto(target, buffer, casting="same_kind")


class Gathered:
    """Small parameters updated as one: their states are views of one array for all of them.

    Gradients are copied in before the program runs. The parameters stay where they are: the
    program computes what is to be subtracted from them, or their new values.

    Args:
        indices: which of the plan's gradients are theirs.
        members: the parameters, of one dtype.
        names: of their states, in the program's order.
    """

    def __init__(
        self, indices: Sequence[int], members: Sequence[Member], names: Sequence[str]
    ) -> None:
        total = sum(member.array.size for member in members)
        dtype = members[0].dtype
        self.arrays = [np.zeros(total, dtype) for _ in range(len(names) + 2)]
        self.grads: list[tuple[np.ndarray, int]] = []
        self.params: list[tuple[np.ndarray, np.ndarray]] = []
        start = 0
        for index, member in zip(indices, members, strict=True):
            part = slice(start, start + member.array.size)
            start = part.stop
            param, grad, *states = (a[part].reshape(member.array.shape) for a in self.arrays)
            self.params.append((param, member.array))
            self.grads.append((grad, index))
            for name, view in zip(names, states, strict=True):
                tensor = member.state[name]
                view[...] = tensor._array
                tensor._array = view
        self.largest = min(total, BLOCK)
        self.blocks = [
            tuple(array[begin : begin + BLOCK] for array in self.arrays)
            for begin in range(0, total, BLOCK)
        ]

    def run(self, kernel: Kernel, grads: Sequence[np.ndarray]) -> None:
        """Update the parameters: ``kernel`` over all of them, with theirs of ``grads``."""
        for view, index in self.grads:
            view[...] = grads[index]
        if not kernel.subtracts_param:
            for view, array in self.params:
                view[...] = array
        for block in self.blocks:
            kernel.apply(*block, *kernel.tail(block[0].shape))
        if kernel.subtracts_param:
            subtract = np.subtract
            for view, array in self.params:
                subtract(array, view, array)
        else:
            for view, array in self.params:
                array[...] = view
