"""Operations on small arrays that run as compiled programs once they were called often enough.

On some hundred elements an operation of several steps takes NumPy about a microsecond for each, and
a program a few tenths for all.  The program is the operation's own definition (or its vjp) for the
shapes at hand; machine code looks at the arguments and makes the results
(:mod:`flambeau.compiler.array_function`), so that the generated function of an operation has one
look into a :class:`Table` and one call more::

    result = programs_softmax[a_input.shape, dim](a_input)
    if result is None:
        result = kernel_softmax(a_input, dim)

What stands in the table is the program, or until then what counts the calls.  A program is made
when NumPy has spent about as much time on such calls as making it takes; as in
:mod:`flambeau.ops.native` that time is estimated, not measured, so that two runs of a program
change over at the same call.  Without llvmlite there are no tables, and the generated code has no
such lines.
"""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Sequence
from functools import cache, partial
from math import prod
from typing import Any

from ..modes import MODES

WORTH = 0.02
"""Seconds of NumPy's time after which a program is made."""

MOST = 256
"""Programs that are kept; further ones are not made."""

LARGEST = 1 << 14
"""Elements of the first array from which on a call is not small."""

_OTHERS = 3
"""So many times as large the other arrays may be together."""

_PER_CALL = 500
"""Elements that take NumPy as long as its calls do."""

_lock = threading.Lock()
_made = 0


@cache
def available() -> bool:
    """Whether programs can be made here."""
    from importlib.util import find_spec

    return find_spec("llvmlite") is not None


class Small:
    """What is declared of an operation whose small calls move to programs.

    Attributes:
        seconds: about what NumPy takes for a small call.
        backward_seconds: the same for its vjps.
        most: elements of the first array from which on NumPy is as fast.
        shapes: names of the arrays besides the first whose shapes belong to the key.
        fits: takes the definition's arguments: whether a program is quicker.
        refuses: takes ``xp`` and the definition's arguments, and gives a bool array: where they are
            such that NumPy's way has to be taken, which says why.
    """

    __slots__ = ("seconds", "backward_seconds", "most", "shapes", "fits", "refuses")

    def __init__(
        self,
        seconds: float,
        backward_seconds: float,
        most: int,
        shapes: tuple[str, ...],
        fits: Callable[..., bool] | None,
        refuses: Callable[..., Any] | None,
    ) -> None:
        self.seconds = seconds
        self.backward_seconds = backward_seconds
        self.most = most
        self.shapes = shapes
        self.fits = fits
        self.refuses = refuses


def small(
    operation: Any,
    microseconds: float,
    backward_microseconds: float,
    *,
    most: int = LARGEST,
    shapes: tuple[str, ...] = (),
    fits: Callable[..., bool] | None = None,
    refuses: Callable[..., Any] | None = None,
) -> None:
    """Let small calls of ``operation`` move to compiled programs, forward and backward.

    Args:
        operation: whose checks of its arrays' values are in ``refuses``.
        microseconds, backward_microseconds: what NumPy takes for a call.
        most, shapes, fits, refuses: see :class:`Small`.
    """
    operation.small = Small(
        microseconds * 1e-6, backward_microseconds * 1e-6, most, shapes, fits, refuses
    )


def never(*arrays: Any) -> None:
    """What is called instead of a program where there is none to be."""


class Table(dict[Any, Callable[..., Any]]):
    """The programs of an operation or a vjp by what stands in the key that is looked up.

    A key that is new gets a function that counts.

    Attributes:
        layouts: of the aux of the operation's programs: shapes and dtypes.
    """

    def __init__(self, most: int, count: Callable[[Table, Any], Callable[..., Any]]) -> None:
        self.most = most
        self.count = count
        self.layouts: set[Any] = set()

    def __missing__(self, key: Any) -> Callable[..., Any]:
        if len(self) >= 4096:
            self.clear()
        shape = key[0]
        few = 0 < prod(shape) < self.most
        found = self[key] = self.count(self, key) if few else never
        return found


TABLES: dict[Any, Table] = {}
"""All tables: by the name of an operation or a function, and of an operation's vjps by a pair."""


def _counting(
    table: Table, key: Any, seconds: float, make: Callable[[Sequence[Any]], Callable[..., Any]]
) -> Callable[..., Any]:
    """A function that returns None, and puts the program in its place when that is worth while.

    Each call is one that takes NumPy so many ``seconds`` for a few elements.
    """
    left = max(1, round(WORTH / (seconds * (1 + prod(key[0]) / _PER_CALL))))

    def count(*arrays: Any) -> Any:
        nonlocal left
        left -= 1
        if left > 0 or MODES.capture is not None or MODES.transforms is not None:
            return None
        program = table[key] = _made_by(partial(make, arrays)) if _are_few(arrays) else never
        return program(*arrays)

    return count


def _are_few(arrays: Sequence[Any]) -> bool:
    count = 0
    for array in arrays:
        count += 0 if array is None else array.size
    return count < (1 + _OTHERS) * LARGEST


def _made_by(make: Callable[[], Callable[..., Any]]) -> Callable[..., Any]:
    global _made
    with _lock:
        if _made >= MOST:
            return never
        _made += 1
        try:
            return make()
        except Exception:  # whatever it is, NumPy can do it
            return never


def _symbols(arrays: Sequence[Any]) -> tuple[list[Any], list[Any]]:
    """What stands for ``arrays`` in a graph: None for None; and the inputs among them."""
    graph = importlib.import_module("flambeau.compiler.graph")
    every = [None if a is None else graph.input_value(a.shape, a.dtype) for a in arrays]
    return every, [v for v in every if v is not None]


def _compiled(
    inputs: list[Any], results: Sequence[Any], updates: dict[int, Any] | None = None, **options: Any
) -> Callable[..., Any]:
    """The built-in function whose result is made of the values ``results``.

    A value that is there twice is one array, if it is twice in what an operation gives: what is
    written into a result has to be seen in what is kept of it.
    """
    # by name: the compiler is a layer above operations, and they must do without it
    graph = importlib.import_module("flambeau.compiler.graph")
    executable = importlib.import_module("flambeau.compiler.executable")
    array_function = importlib.import_module("flambeau.compiler.array_function")
    outputs: list[Any] = []
    items: list[int | None] = []
    shared = options.pop("shared", False)
    for value in results:
        if value is None:
            items.append(None)
            continue
        known = [i for i, other in enumerate(outputs) if other is value] if shared else []
        items.append(known[0] if known else len(outputs))
        if not known:
            outputs.append(value)
    refused = options.pop("refused", None)
    if refused is not None:
        outputs.append(refused)
    compiled = executable.compile_graph(graph.Graph(inputs, outputs, updates or {}))
    options["refuses"] = refused is not None
    return array_function.array_function(compiled, items=items, **options)  # type: ignore[no-any-return]


def function_table(
    name: str, definition: Callable[..., Any], microseconds: float, in_place: bool = False
) -> Table:
    """The table of the programs of a function that is no operation.

    Its keys are the first array's shape, and then what the definition takes behind the arrays.
    The programs take the arrays.

    Args:
        name: by which the table is found.
        definition: takes ``xp``, arrays (None for None) and other arguments, and gives an array.
        microseconds: what NumPy takes for a call.
        in_place: the definition gives new contents for the first arrays instead, which the programs
            write; they must not overlap with others.  The result is an empty tuple.
    """

    def make(key: Any, arrays: Sequence[Any]) -> Callable[..., Any]:
        symbolic = importlib.import_module("flambeau.compiler.symbolic")
        symbols, inputs = _symbols(arrays)
        found = definition(symbolic, *symbols, *key[1:])
        given = [a is not None for a in arrays]
        if in_place:
            return _compiled(inputs, (), dict(enumerate(found)), given=given)
        return _compiled(inputs, (found,), given=given, alone=True)

    def count(table: Table, key: Any) -> Callable[..., Any]:
        if not available():
            return never
        return _counting(table, key, microseconds * 1e-6, partial(make, key))

    return TABLES.setdefault(name, Table(LARGEST, count))


def forward_table(operation: Any) -> Table:
    """The table of an operation's own programs.

    Its keys are the first array's shape and then the other arguments, for an array its shape if
    that is declared, for an optional one whether it is None.  The programs take all arrays.
    """
    if operation.name in TABLES:
        return TABLES[operation.name]
    parameters = operation.parameters
    declared: Small = operation.small

    def arguments_of(key: Any, arrays: Sequence[Any]) -> list[Any]:
        given, plain = iter(arrays), iter(key[1:])
        found: list[Any] = []
        for parameter in parameters:
            if parameter.kind == "optional" or parameter.name in declared.shapes:
                next(plain)
            found.append(next(given) if parameter.is_tensor else next(plain))
        return found

    def make(table: Table, key: Any, arrays: Sequence[Any]) -> Callable[..., Any]:
        symbolic = importlib.import_module("flambeau.compiler.symbolic")
        concrete = arguments_of(key, arrays)
        if operation.check is not None:
            operation.check(*concrete)
        if declared.fits is not None and not declared.fits(*concrete):
            return never
        symbols, inputs = _symbols(arrays)
        arguments = arguments_of(key, symbols)
        results: Any = operation.forward(symbolic, *arguments)
        if not operation.outputs and not operation.aux:
            results = (results,)
        front = None
        if operation.aux:
            *results, aux = results
            if isinstance(aux, (tuple, list)):
                front = len(results)
                results += aux
            else:
                results.append(aux)
                aux = (aux,)
            table.layouts.add(tuple((tuple(v.shape), v.dtype) for v in aux))
        refused = None
        if declared.refuses is not None:
            refused = symbolic.any(declared.refuses(symbolic, *arguments), None, False)
        return _compiled(
            inputs, results, given=[a is not None for a in arrays], front=front,
            alone=not operation.outputs and not operation.aux, refused=refused, shared=True,
        )  # fmt: skip

    def count(table: Table, key: Any) -> Callable[..., Any]:
        return _counting(table, key, declared.seconds, partial(make, table, key))

    return TABLES.setdefault(operation.name, Table(declared.most, count))


def vjp_arguments(operation: Any) -> tuple[str, list[str], list[str], bool]:
    """What is given to the programs of an operation's vjps.

    Returns:
        The array whose shape begins a key, the arrays behind the gradient, and what else is in a
        key: for an optional array whether it is None.  And whether aux is given.
    """
    needs = dict.fromkeys(n for v in operation.vjps for n in v.needs)
    kinds = {p.name: p.kind for p in operation.parameters}
    kinds["out"] = "array"
    arrays = [n for n in needs if kinds.get(n) in ("array", "optional")]
    plain = [n for n in needs if kinds.get(n) != "array" and n not in ("aux", "needs")]
    always = [n for n in arrays if all(n in v.needs for v in operation.vjps) and n not in plain]
    return (always or ["grad"])[0], arrays, plain, "aux" in needs


def vjp_table(operation: Any) -> Table:
    """The table of the programs of an operation's vjps, all in one.

    Its keys are the shape of an array, what the vjps need besides arrays, and, where there are
    several gradients, which of them are asked for.  The programs take the gradient, the arrays
    (None for what was not kept), and those of aux; they give a tuple of gradients.
    Vjps that need aux follow when the operation's own program is made, whose aux they are for.
    """
    forward = forward_table(operation)
    seconds = operation.small.backward_seconds
    _, names, plain, with_aux = vjp_arguments(operation)
    fixed = 1 + len(names)
    count_of_edges = sum(len(v.targets) for v in operation.vjps)

    def make(key: Any, arrays: Sequence[Any]) -> Callable[..., Any]:
        symbolic = importlib.import_module("flambeau.compiler.symbolic")
        symbols, inputs = _symbols(arrays)
        known = dict(zip(plain, key[1:]))
        known.update(zip(names, symbols[1:fixed]))
        aux = symbols[fixed:]
        known["aux"] = aux[0] if len(aux) == 1 else tuple(aux)
        wanted = iter(key[-1] if count_of_edges > 1 else (True,))
        results: list[Any] = []
        for vjp in operation.vjps:
            flags = tuple(next(wanted) for _ in vjp.targets)
            known["needs"] = flags
            if not any(flags):
                results += [None] * len(flags)
                continue
            found = vjp.function(symbolic, symbols[0], *(known[n] for n in vjp.needs))
            results += (found,) if len(flags) == 1 else found
        return _compiled(inputs, results, given=[a is not None for a in arrays])

    def count(table: Table, key: Any) -> Callable[..., Any]:
        if not with_aux:
            return _counting(table, key, seconds, partial(make, key))
        at_once = _counting(table, key, WORTH, partial(make, key))

        def wait(*arrays: Any) -> Any:
            if not forward.layouts:
                return None
            layout = tuple((getattr(a, "shape", 0), getattr(a, "dtype", 0)) for a in arrays[fixed:])
            return at_once(*arrays) if layout in forward.layouts else None

        return wait

    return TABLES.setdefault((operation.name, "backward"), Table(operation.small.most, count))


__all__ = ["available", "forward_table", "function_table", "small", "vjp_arguments", "vjp_table"]
