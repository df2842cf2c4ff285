"""Operations that run as compiled programs once NumPy has done enough of their work.

The program is the operation's own definition, compiled for the shapes at hand.  Making it takes
some tenths of a second, so it is made for calls that have been repeated until NumPy's time on them
is about as long.  That time is estimated from the sizes, not measured: a program that is run twice
changes over at the same call, and gives the same numbers to the last bit.

Where the compiler cannot run (no llvmlite), NumPy goes on.
"""

from __future__ import annotations

import importlib
import os
import threading
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np

from ..autograd.grad_mode import GRAD_MODE
from ..namespaces import numpy
from . import small_programs

WORTH = 0.15
"""Seconds of NumPy's time after which a program is made."""

MOST = 128
"""Programs that are kept; further ones are not made."""

_lock = threading.Lock()
_made = 0


_arena: np.ndarray = np.empty(0, np.uint8)
"""The memory of all programs for what lies between their inputs and outputs."""

_running = threading.Lock()
"""Held by the program that works in the arena."""


def _after_fork() -> None:
    """The thread that may have held the lock is the parent's."""
    global _running
    _running = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class Program:
    """A function of arrays, compiled.

    Args:
        function: takes a list of symbolic arrays and returns nested sequences of them.
        arrays: examples of its arguments.

    Raises:
        Exception: it cannot be compiled here.
    """

    def __init__(self, function: Callable[[list[Any]], Any], arrays: Sequence[np.ndarray]) -> None:
        global _arena
        # by name: the compiler is a layer above operations, and they must do without it
        graph = importlib.import_module("flambeau.compiler.graph")
        executable = importlib.import_module("flambeau.compiler.executable")
        importlib.import_module("flambeau.compiler.symbolic")
        inputs = [graph.input_value(a.shape, a.dtype) for a in arrays]
        outputs: list[Any] = []
        self._shape = _taken_apart(function(inputs), outputs)
        self._run = executable.compile_graph(graph.Graph(inputs, outputs))
        self._arena: np.ndarray | None = None
        with _running:
            if self._run.arena_bytes > _arena.size:
                _arena = executable.aligned_bytes(self._run.arena_bytes)

    def __call__(self, arrays: Sequence[np.ndarray]) -> Any:
        given = [a if a.flags.c_contiguous else _in_rows(a) for a in arrays]
        with _running:
            if self._arena is not _arena and self._run.arena_bytes:
                self._arena = _arena
                self._run.use_arena(_arena)
            found = self._run(given)
        return _put_together(self._shape, found)


_BLOCK = 16
"""Columns that are turned at a time: a cache line of float32."""


def _in_rows(array: np.ndarray) -> np.ndarray:
    """A copy that lies in memory row by row; a large matrix is turned block by block."""
    if array.ndim != 2 or array.size < 1 << 14 or not array.flags.f_contiguous:
        return np.ascontiguousarray(array)
    result = np.empty(array.shape, array.dtype)
    for start in range(0, array.shape[1], _BLOCK):
        result[:, start : start + _BLOCK] = array[:, start : start + _BLOCK]
    return result


def _taken_apart(nested: Any, leaves: list[Any]) -> Any:
    """The structure of ``nested``, with its arrays' numbers in ``leaves``."""
    if nested is None:
        return None
    if isinstance(nested, (list, tuple)):
        return [_taken_apart(item, leaves) for item in nested]
    leaves.append(nested)
    return len(leaves) - 1


def _put_together(structure: Any, leaves: Sequence[Any]) -> Any:
    if structure.__class__ is int:
        return leaves[structure]
    if structure is None:
        return None
    return [_put_together(item, leaves) for item in structure]


class Kept(list):
    """The aux that a program gave: the backward pass has a program too.

    Attributes:
        single: the aux is this list's only element.
    """

    single = False


class _Calls:
    """The calls of one kind: how long NumPy may have taken for them, and their program."""

    __slots__ = ("seconds", "program", "refused")

    def __init__(self) -> None:
        self.seconds = 0.0
        self.program: Program | None = None
        self.refused = False

    def make(self, function: Callable[[list[Any]], Any], arrays: Sequence[np.ndarray]) -> None:
        global _made
        with _lock:
            if self.program is not None or self.refused:
                return
            if _made >= MOST:
                self.refused = True
                return
            try:
                self.program = Program(function, arrays)
                _made += 1
            except Exception:  # whatever it is, NumPy can do it
                self.refused = True


_CALLS: dict[Any, _Calls] = {}


def _calls(key: Any) -> _Calls:
    found = _CALLS.get(key)
    if found is None:
        if len(_CALLS) > 4096:
            _CALLS.clear()
        found = _CALLS[key] = _Calls()
    return found


def call(
    key: Any,
    function: Callable[..., Any],
    arguments: Sequence[Any],
    seconds: float,
    kernel: Callable[[], Any],
) -> Any:
    """``function(xp, *arguments)``, by its program if there is one, else by ``kernel()``.

    Args:
        key: names the function among others.
        function: a definition, or a vjp; what it returns comes as lists.
        arguments: its arguments; arrays and lists of arrays are the program's, others constant.
        seconds: about how long NumPy takes.
        kernel: NumPy's way.
    """
    if not small_programs.available():
        return kernel()
    arrays: list[np.ndarray] = []
    structure = [_taken_apart(a, arrays) if _is_input(a) else None for a in arguments]
    kinds = [str(s) if _is_input(a) else a for s, a in zip(structure, arguments)]
    calls = _calls((key, *kinds, *((a.shape, a.dtype.char) for a in arrays)))
    if calls.program is None and not calls.refused:
        calls.seconds += seconds
        if calls.seconds >= WORTH:

            def traced(values: list[Any]) -> Any:
                symbolic = importlib.import_module("flambeau.compiler.symbolic")
                given = [
                    argument if shape is None else _put_together(shape, values)
                    for argument, shape in zip(arguments, structure)
                ]
                return function(symbolic, *given)

            calls.make(traced, arrays)
    if calls.program is None:
        return kernel()
    try:
        return calls.program(arrays)
    except IndexError:  # NumPy's way says which index it is
        return kernel()


def _is_input(argument: Any) -> bool:
    return isinstance(argument, (list, np.ndarray))


def forward(
    operation: Any, arguments: Sequence[Any], seconds: float, kernel: Callable[[], Any]
) -> Any:
    """Results and aux of ``operation``, whose aux is a list of arrays.

    Args:
        operation: the operation.
        arguments: of its definition, less xp.
        seconds: about how long NumPy takes.
        kernel: NumPy's way.
    """
    recording = GRAD_MODE.enabled

    def definition(xp: Any, *given: Any) -> Any:
        *results, aux = operation.forward(xp, *given)
        return [*results, aux if recording else None]

    found = call((operation.name, recording), definition, arguments, seconds, kernel)
    if found.__class__ is not list:
        return found
    *results, aux = found
    if aux is not None:
        single = aux.__class__ is not list
        aux = Kept([aux] if single else aux)
        aux.single = single
    return (*results, aux)


def backward(
    operation: Any, arguments: Sequence[Any], kernel: Callable[[], Any], number: int = 0
) -> Any:
    """What a vjp of ``operation`` gives for the aux of its program.

    Args:
        operation: the operation.
        arguments: of the vjp, less xp.
        kernel: NumPy's way, if there can be no program.
        number: which of the operation's vjps.
    """
    function = operation.vjps[number].function
    given = [a[0] if a.__class__ is Kept and a.single else a for a in arguments]
    return call((operation.name, "backward", number), function, given, WORTH, kernel)


def moves(
    operation: Any,
    least: int,
    seconds: float,
    backward_seconds: float,
    fits: Callable[..., bool] | None = None,
) -> None:
    """Let large calls of ``operation`` move to compiled programs, forward and backward.

    To be said behind the definition, its vjps and its kernels for NumPy.

    Args:
        operation: its first parameter is the array whose size and dtype count.
        least: elements from which on a program is worth its call.
        seconds: what an element takes on NumPy.
        backward_seconds: what it takes there in the backward pass.
        fits: whether a call's arguments are such that the definition needs no checks.
    """
    on_numpy = operation.numpy_kernel or partial(operation.forward, numpy)

    def kernel(*arguments: Any) -> Any:
        first = arguments[0]
        if first.size < least or first.dtype.char not in "fd":
            return on_numpy(*arguments)
        if fits is not None and not fits(*arguments):
            return on_numpy(*arguments)
        way = partial(on_numpy, *arguments)
        took = first.size * seconds
        if operation.aux:
            return forward(operation, arguments, took, way)
        return call(operation.name, operation.forward, arguments, took, way)

    operation.small_kernel = (least, operation.numpy_kernel)
    operation.kernel(kernel)
    for number, vjp in enumerate(operation.vjps):
        vjp.kernel = _moving_vjp(operation, number, vjp, least, backward_seconds)


def _moving_vjp(
    operation: Any, number: int, vjp: Any, least: int, seconds: float
) -> Callable[..., Any]:
    on_numpy = vjp.kernel or partial(vjp.function, numpy)
    key = (operation.name, "backward", number)
    place = 1 + vjp.needs.index("aux") if "aux" in vjp.needs else None

    def kernel(*arguments: Any) -> Any:
        if place is not None:
            if arguments[place].__class__ is Kept:
                definition = partial(vjp.function, numpy, *arguments)
                return backward(operation, arguments, definition, number)
            return on_numpy(*arguments)
        grad = arguments[0]
        if grad.size < least or grad.dtype.char not in "fd":
            return on_numpy(*arguments)
        way = partial(on_numpy, *arguments)
        return call(key, vjp.function, arguments, grad.size * seconds, way)

    return kernel
