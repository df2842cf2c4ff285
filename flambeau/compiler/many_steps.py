"""Many steps in one call: ``flambeau.compile(step, steps=n)``.

A compiled step of a small network takes less time than Python's call of it.  Once a step runs as a
program whose guards hold, the next ones differ from it only in where their batch lies, where their
results go, and in the random numbers that they draw.  So a whole run of steps is one native call
with a row of addresses for each.  Such runs are short enough for Ctrl-C to be heard.
"""

from __future__ import annotations

import functools
import itertools
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from operator import is_
from typing import Any

import numpy as np

from ..tensor import Tensor, wrap
from .array_calls import draws_while_running
from .captured import Draw, Grad, Program, Result
from .compile import CompiledFunction
from .direct_call import MISS
from .run import Runner, checked_inputs, owner_of

SECONDS = 0.2
"""How long one native call may take."""

_MOST = 1 << 14
_BYTES = 4 << 20
"""What the batches and random numbers of one native call take: they should still be in the cache
when it comes."""


class CompiledSteps:
    """A step that is called many times in a row.

    Args:
        step: the compiled step.
        steps: how many times.
    """

    def __init__(self, step: CompiledFunction, steps: int) -> None:
        functools.update_wrapper(self, step)
        self.step = step
        self.steps = steps
        self._count = 16
        """Steps of the next native call."""

    def __call__(self, *args: Any) -> Any:
        """Run the steps, and return all their results, one behind the other.

        Args:
            args: what every step is called with; or one iterable of batches, such as a
                ``DataLoader``: each step gets the next one, and they end with the batches.

        Returns:
            for a step that returns a tensor a tensor with one more dim in front, for a number a
            list, for a tuple or dict one of those.
        """
        batches: Iterator[Sequence[Any]]
        if len(args) == 1 and not isinstance(args[0], Tensor) and hasattr(args[0], "__iter__"):
            batches = map(_arguments, itertools.islice(args[0], self.steps))
            ahead = _may_be_read_ahead(args[0])
        else:
            batches = _Same(args, self.steps)
            ahead = True
        results = _Results()
        for batch in batches:
            runner, result = self._one(batch)
            results.add(result)
            if runner is None or not _repeatable(runner.program, ahead):
                continue
            start = time.perf_counter()
            run = _Run(runner, batch, results, isinstance(batches, _Same))
            done = run.through(batches, self._count)
            took = time.perf_counter() - start
            if took > SECONDS:
                self._count = max(1, done // 2)
            elif done == self._count and took < SECONDS / 2:
                self._count = min(_MOST, 2 * done)
            if run.left is not None:  # of another kind: the usual call serves it
                results.add(self.step(*run.left))
        return results.joined()

    def explain(self, *args: Any, **kwargs: Any) -> Any:
        """What has been captured and compiled; see :meth:`CompiledFunction.explain`."""
        return self.step.explain(*args, **kwargs)

    def _one(self, args: Sequence[Any]) -> tuple[Runner | None, Any]:
        """A step, and the runner whose program it ran, if that can go on with more steps."""
        direct = self.step._direct
        if direct is None:
            return None, self.step(*args)
        result = direct(args, {})
        if result is MISS:
            return None, self.step(*args)
        return next((r for r in self.step.runners() if r.direct is direct), None), result


class _Same:
    """The same arguments for a number of steps."""

    def __init__(self, args: Sequence[Any], steps: int) -> None:
        self.args = args
        self.left = steps

    def __iter__(self) -> _Same:
        return self

    def __next__(self) -> Sequence[Any]:
        if self.left <= 0:
            raise StopIteration
        self.left -= 1
        return self.args

    def take(self, most: int) -> int:
        """Take up to ``most`` at once; how many."""
        taken = min(most, self.left)
        self.left -= taken
        return taken


def _arguments(batch: Any) -> tuple[Any, ...]:
    return tuple(batch) if isinstance(batch, (list, tuple)) else (batch,)


def _may_be_read_ahead(batches: Any) -> bool:
    """Whether reading a batch early draws no random numbers before those of earlier steps."""
    from_memory = type(getattr(batches, "dataset", None)).__name__ == "TensorDataset"
    return from_memory or isinstance(batches, (list, tuple))


def _repeatable(program: Program, ahead: bool) -> bool:
    """Whether the program's steps need nothing between them but addresses."""
    draws = any(isinstance(s, Draw) for s in program.sources)
    if draws_while_running(program.graph):
        if draws:  # of all steps before the first of them
            return False
        draws = True
    grads = {d.index for _, d in program.grads if isinstance(d, Result)}
    returned = set(_indices(program.result))
    return (
        program.joint is None
        and not program.afterwards
        and not (program.rebound or program.moved or program.slots)
        and (ahead or not draws)
        and not any(isinstance(program.sources[i], Draw) for i in checked_inputs(program))
        and not grads & returned
        and _is_simple(program.result)
        # a gradient that is replaced is another array at each step
        and not any(
            source is owner._grad
            for owner, _ in program.grads
            if isinstance(owner, Tensor)
            for source in program.sources
        )
        and all(isinstance(owner, Tensor) for owner, _ in program.grads)
        and all(isinstance(d, (Result, Tensor)) for _, d in program.grads)
        and not any(isinstance(s, Grad) and s.owner.__class__ is int for s in program.sources)
        and not any(
            isinstance(source, Grad) and (source.owner is owner)
            for owner in (*program.cleared, *(o for o, _ in program.grads))
            for source in program.sources
        )
        and all(isinstance(owner, (Tensor, Grad)) for owner in (*program.updated, *program.cleared))
    )


def _is_simple(description: Any) -> bool:
    if description is None or description.__class__ is Result:
        return True
    if description.__class__ in (tuple, list):
        return all(map(_is_simple, description))
    return description.__class__ is dict and all(map(_is_simple, description.values()))


def _indices(description: Any) -> Iterator[int]:
    if description.__class__ is Result:
        yield description.index
    elif description.__class__ in (tuple, list):
        for item in description:
            yield from _indices(item)
    elif description.__class__ is dict:
        for item in description.values():
            yield from _indices(item)


class _Run:
    """One native call of many steps, after one of them has shown that its guards hold."""

    def __init__(self, runner: Runner, args: Sequence[Any], results: _Results, same: bool) -> None:
        self.runner = runner
        self.results = results
        self.kinds = [_kind_of(a) for a in args]
        graph_inputs = zip(runner.program.graph.inputs, runner.program.sources)
        drawn = sum(v.size * v.dtype.itemsize for v, s in graph_inputs if isinstance(s, Draw))
        size = drawn + sum(t._array.nbytes for t in _tensors_of(args))
        self.at_once = max(1, _BYTES // max(1, drawn if same else size))
        """How many steps are prepared together."""
        self.left: Sequence[Any] | None = None
        """A batch that was taken, but is of another kind than the first."""

    def through(self, batches: Iterator[Sequence[Any]], most: int) -> int:
        """Do up to ``most`` steps on the next batches; how many."""
        done = 0
        while done < most and self.left is None:
            if isinstance(batches, _Same):
                steps = batches.take(min(most - done, self.at_once))
                taken = [batches.args]
            else:
                taken = self._taken(batches, min(most - done, self.at_once))
                steps = len(taken)
            if not steps:
                break
            self._do(taken, steps)
            done += steps
        return done

    def _taken(self, batches: Iterator[Sequence[Any]], most: int) -> list[Sequence[Any]]:
        """Up to ``most`` batches that the program can be run on."""
        taken: list[Sequence[Any]] = []
        for batch in itertools.islice(batches, most):
            if not self._fits(batch):
                self.left = batch
                break
            taken.append(batch)
        good = self._in_range(taken)
        if good < len(taken):  # the usual call refuses that batch
            self.left = taken[good]
        return taken[:good]

    def _fits(self, batch: Sequence[Any]) -> bool:
        """Whether ``batch`` is of the kind of the first."""
        if len(batch) != len(self.kinds):
            return False
        for argument, kind in zip(batch, self.kinds):
            if kind.__class__ is not _Kind:
                if argument != kind:
                    return False
                continue
            if not isinstance(argument, Tensor):
                return False
            array = argument._array
            if (
                array.shape != kind.shape
                or array.dtype != kind.dtype
                or argument._requires_grad is not kind.requires_grad
                or not array.flags.carray
            ):
                return False
        return True

    def _in_range(self, batches: Sequence[Sequence[Any]]) -> int:
        """How many batches there are before one whose indices are out of range."""
        check = self.runner.check
        if check is None or not batches:
            return len(batches)
        program, steps = self.runner.program, len(batches)
        sources = [program.sources[i] for i in checked_inputs(program)]
        fixed = [None if s.__class__ is int else owner_of(s, ())._array for s in sources]
        known = self.runner.bound_check
        if known is None or not all(map(is_, known[0], fixed)):
            known = self.runner.bound_check = (fixed, check.bind(fixed))
        rows = [_tensors_of(batch) for batch in batches]
        objects = [[id(row[s]._array) for row in rows] for s in sources if s.__class__ is int]
        failed = np.zeros((len(program.checks), steps), bool)
        places = failed.ctypes.data + np.arange(failed.size).reshape(failed.shape)
        addresses = np.array([*objects, *places], np.int64).T.copy()
        check.repeated(known[1], addresses, len(objects))
        wrong = failed.any(0)
        return int(wrong.argmax()) if wrong.any() else steps

    def _do(self, batches: Sequence[Sequence[Any]], steps: int) -> None:
        """``steps`` steps, each on its own batch or all on the only one."""
        program, executable = self.runner.program, self.runner.executable
        assert executable is not None and self.runner.bound is not None
        draws = [s for s in program.sources if isinstance(s, Draw)]
        drawn = [[np.asarray(d.sample(), order="C") for d in draws] for _ in range(steps)]
        rows = [_tensors_of(batch) for batch in batches]
        columns: list[Any] = []
        for source in program.sources:
            if source.__class__ is int:
                columns.append([id(row[source]._array) for row in rows])
            elif isinstance(source, Grad):
                columns.append(id(source.owner._grad._array))
            elif isinstance(source, Draw):
                which = draws.index(source)
                columns.append([id(row[which]) for row in drawn])
        objects = len(columns)
        returned = set(_indices(program.result))
        outputs: list[np.ndarray] = []
        for i, value in enumerate(program.graph.outputs):
            lead = (steps,) if i in returned else ()
            outputs.append(np.empty((*lead, *value.shape), value.dtype))
            stride = value.size * value.dtype.itemsize if lead else 0
            columns.append(outputs[-1].ctypes.data + np.arange(steps) * stride)
        addresses = np.empty((steps, len(columns)), np.int64)
        for i, column in enumerate(columns):
            addresses[:, i] = column
        done = executable.repeated(self.runner.bound, addresses, objects)
        if done < steps:
            raise IndexError("an index is out of bounds in a compiled program")
        self.runner.note_writes(())
        self.runner.leave(outputs, ())
        self.results.add_many(program.result, outputs, steps)


@dataclass(frozen=True)
class _Kind:
    """What the tensors of one place have in common in the steps of a run."""

    shape: tuple[int, ...]
    dtype: np.dtype
    requires_grad: bool


def _kind_of(argument: Any) -> Any:
    """The kind of a tensor, and anything else itself."""
    if not isinstance(argument, Tensor):
        return argument
    array = argument._array
    return _Kind(array.shape, array.dtype, argument._requires_grad)


def _tensors_of(batch: Sequence[Any]) -> list[Tensor]:
    return [a for a in batch if isinstance(a, Tensor)]


class _Results:
    """The results of steps, gathered."""

    def __init__(self) -> None:
        self.first: Any = None
        self.leaves: list[list[Any]] = []
        self.started = False

    def add(self, result: Any) -> None:
        """The result of one step."""
        leaves: list[Any] = []
        self._flatten(result, leaves)
        self._start(result, len(leaves))
        for gathered, leaf in zip(self.leaves, leaves, strict=True):
            gathered.append(leaf.detach().unsqueeze(0) if isinstance(leaf, Tensor) else [leaf])

    def add_many(self, description: Any, outputs: Sequence[np.ndarray], steps: int) -> None:
        """The results of ``steps`` steps: of each output an array with them all."""
        leaves: list[Any] = []
        self._flatten(description, leaves)
        for gathered, leaf in zip(self.leaves, leaves, strict=True):
            if leaf is None:
                gathered.append([None] * steps)
            elif leaf.as_number:
                gathered.append(outputs[leaf.index].reshape(steps).tolist())
            else:
                gathered.append(wrap(outputs[leaf.index]))

    def joined(self) -> Any:
        """Everything, in the form of a step's result."""
        if not self.started:
            return None
        joined = [_joined(parts) for parts in self.leaves]
        return self._rebuilt(self.first, iter(joined))

    def _start(self, result: Any, count: int) -> None:
        if not self.started:
            self.started = True
            self.first = result
            self.leaves = [[] for _ in range(count)]

    def _flatten(self, nested: Any, leaves: list[Any]) -> None:
        if nested.__class__ in (tuple, list):
            for item in nested:
                self._flatten(item, leaves)
        elif nested.__class__ is dict:
            for item in nested.values():
                self._flatten(item, leaves)
        else:
            leaves.append(nested)

    def _rebuilt(self, nested: Any, leaves: Iterator[Any]) -> Any:
        if nested.__class__ in (tuple, list):
            return nested.__class__([self._rebuilt(item, leaves) for item in nested])
        if nested.__class__ is dict:
            return {key: self._rebuilt(item, leaves) for key, item in nested.items()}
        return next(leaves)


def _joined(parts: Sequence[Any]) -> Any:
    if not isinstance(parts[0], Tensor):
        values = list(itertools.chain.from_iterable(parts))
        return None if all(v is None for v in values) else values
    shapes = {tuple(p.shape[1:]) for p in parts}
    if len(shapes) > 1:  # results of batches of different sizes
        return [row for part in parts for row in part]
    return wrap(np.concatenate([p._array for p in parts]))


__all__ = ["CompiledSteps"]
