"""From an update rule to a straight line of NumPy calls that write in place.

An optimizer's rule is a pure function ``rule(xp, **values) -> {name: new value}`` over the
parameter, its gradient, the state arrays and scalars (learning rate, step count, ...). Run on
NumPy arrays as it stands, every operator would allocate its result. :func:`compile_rule` runs the
rule once on recording values instead and writes two Python functions from the record:

* ``coefficients(scalars)``: everything that depends on scalars alone (bias corrections, the step
  size, the next step count), in double precision, once per step;
* ``apply(arrays, coefficients, scratch)``: the elementwise rest, as ufunc calls whose results go
  to scratch buffers, or straight into the parameter and its state where the old value is no
  longer needed.

The rule stays the only definition; the program is checked against it in ``tests/optim``.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["UpdateProgram", "compile_rule"]

Rule = Callable[..., dict[str, Any]]


def _sqrt(value: float) -> float:
    return math.sqrt(value) if value >= 0 else math.nan


@dataclass(frozen=True)
class UpdateProgram:
    """What :func:`compile_rule` makes of a rule.

    Attributes:
        coefficients: takes the scalars in the order given to :func:`compile_rule`; returns the
            tuple of coefficients, then the tuple of new scalar states.
        apply: takes the arrays, then the coefficients as 0-d arrays, then the scratch buffers.
        scratch: how many scratch buffers of the arrays' dtype ``apply`` needs.
        masks: how many boolean scratch buffers it needs after those.
        calls: how many NumPy calls ``apply`` makes.
        source: the generated text, for reading.
        subtracts_param: the program leaves in ``param`` what is to be subtracted from the
            parameter, rather than the new parameter.
    """

    coefficients: Callable[..., tuple[tuple[float, ...], tuple[float, ...]]]
    apply: Callable[..., None]
    scratch: int
    masks: int
    calls: int
    source: str
    subtracts_param: bool


class _Scalar:
    """A number known at each step: an expression over the scalar arguments."""

    __slots__ = ("recorder", "text")

    def __init__(self, recorder: _Recorder, text: str) -> None:
        self.recorder = recorder
        self.text = text

    def __bool__(self) -> bool:
        # A scalar that is exactly zero is given to the rule as the number 0 (see compile_rule),
        # so that `if weight_decay:` reads as usual.
        return True

    def _with(self, symbol: str, other: Any, reflected: bool = False) -> Any:
        if isinstance(other, _Array):
            return NotImplemented
        left, right = (other, self) if reflected else (self, other)
        return self.recorder.scalar(f"{_text(left)} {symbol} {_text(right)}")

    def __add__(self, other: Any) -> Any:
        return self._with("+", other)

    def __radd__(self, other: Any) -> Any:
        return self._with("+", other, True)

    def __sub__(self, other: Any) -> Any:
        return self._with("-", other)

    def __rsub__(self, other: Any) -> Any:
        return self._with("-", other, True)

    def __mul__(self, other: Any) -> Any:
        return self._with("*", other)

    def __rmul__(self, other: Any) -> Any:
        return self._with("*", other, True)

    def __truediv__(self, other: Any) -> Any:
        return self._with("/", other)

    def __rtruediv__(self, other: Any) -> Any:
        return self._with("/", other, True)

    def __pow__(self, other: Any) -> Any:
        return self._with("**", other)

    def __rpow__(self, other: Any) -> Any:
        return self._with("**", other, True)

    def __gt__(self, other: Any) -> Any:
        return self._with(">", other)

    def __lt__(self, other: Any) -> Any:
        return self._with("<", other)

    def __neg__(self) -> Any:
        return self.recorder.scalar(f"-{self.text}")


class _Array:
    """The result of an elementwise operation, or an array argument (``call`` is None)."""

    __slots__ = ("is_mask", "name", "recorder")

    def __init__(self, recorder: _Recorder, name: str, is_mask: bool = False) -> None:
        self.recorder = recorder
        self.name = name
        self.is_mask = is_mask

    def __add__(self, other: Any) -> _Array:
        return self.recorder.call("add", self, other)

    def __radd__(self, other: Any) -> _Array:
        return self.recorder.call("add", other, self)

    def __sub__(self, other: Any) -> _Array:
        return self.recorder.call("subtract", self, other)

    def __rsub__(self, other: Any) -> _Array:
        return self.recorder.call("subtract", other, self)

    def __mul__(self, other: Any) -> _Array:
        return self.recorder.call("multiply", self, other)

    def __rmul__(self, other: Any) -> _Array:
        return self.recorder.call("multiply", other, self)

    def __truediv__(self, other: Any) -> _Array:
        return self.recorder.call("divide", self, other)

    def __rtruediv__(self, other: Any) -> _Array:
        return self.recorder.call("divide", other, self)

    def __neg__(self) -> _Array:
        return self.recorder.call("negative", self)

    def __gt__(self, other: Any) -> _Array:
        return self.recorder.call("greater", self, other, is_mask=True)

    def __lt__(self, other: Any) -> _Array:
        return self.recorder.call("less", self, other, is_mask=True)


def _text(value: Any) -> str:
    return value.text if isinstance(value, _Scalar) else repr(float(value))


class _Recorder:
    """The ``xp`` that a rule sees while it is recorded."""

    def __init__(self) -> None:
        self.scalar_lines: dict[str, str] = {}  # expression -> variable
        self.coefficients: dict[str, str] = {}  # scalar text -> argument of apply
        self.calls: list[tuple[str, tuple[str, ...], _Array]] = []

    def scalar(self, expression: str) -> _Scalar:
        name = self.scalar_lines.setdefault(expression, f"s{len(self.scalar_lines)}")
        return _Scalar(self, name)

    def call(self, function: str, *operands: Any, is_mask: bool = False) -> _Array:
        names = []
        for operand in operands:
            if isinstance(operand, _Array):
                names.append(operand.name)
            else:
                text = _text(operand)
                names.append(self.coefficients.setdefault(text, f"c{len(self.coefficients)}"))
        result = _Array(self, f"v{len(self.calls)}", is_mask)
        self.calls.append((function, tuple(names), result))
        return result

    def sqrt(self, value: Any) -> Any:
        if isinstance(value, _Array):
            return self.call("sqrt", value)
        return self.scalar(f"sqrt({_text(value)})")

    def abs(self, value: _Array) -> _Array:
        return self.call("absolute", value)

    def sign(self, value: _Array) -> _Array:
        return self.call("sign", value)

    def maximum(self, left: Any, right: Any) -> Any:
        if isinstance(left, _Array) or isinstance(right, _Array):
            return self.call("maximum", left, right)
        return self.scalar(f"max({_text(left)}, {_text(right)})")

    def minimum(self, left: Any, right: Any) -> Any:
        if isinstance(left, _Array) or isinstance(right, _Array):
            return self.call("minimum", left, right)
        return self.scalar(f"min({_text(left)}, {_text(right)})")

    def where(self, condition: Any, yes: Any, no: Any) -> Any:
        if isinstance(condition, _Scalar) and not isinstance(yes, _Array):
            return self.scalar(f"({_text(yes)} if {condition.text} else {_text(no)})")
        return self.call("where", condition, yes, no)


def compile_rule(
    rule: Rule,
    arrays: Sequence[str],
    scalars: Sequence[str],
    scalar_states: Sequence[str],
    constants: Mapping[str, Any],
    *,
    subtract_param: bool = False,
) -> UpdateProgram:
    """Record ``rule`` and write its in-place program.

    Args:
        rule: ``rule(xp, **values) -> {name: new value}``; the names are those of ``arrays``
            (without ``"grad"``) and of ``scalar_states``.
        arrays: names of the array arguments, ``"param"`` and ``"grad"`` first.
        scalars: names of the scalar arguments.
        scalar_states: those of ``scalars`` that the rule returns a new value for.
        constants: arguments that the rule branches on, given as they are (options, and
            hyperparameters that are 0).
        subtract_param: where the rule ends in ``param - something`` and reads ``param`` nowhere
            else, leave that something in ``param``: the caller subtracts it.
    """
    recorder = _Recorder()
    inputs = {name: _Array(recorder, name) for name in arrays}
    values = {name: _Scalar(recorder, name) for name in scalars}
    results = rule(recorder, **inputs, **values, **constants)

    calls = recorder.calls
    outputs = {name: results[name] for name in arrays if name != "grad"}
    subtracts = False
    if subtract_param:
        new_param = outputs["param"]
        reads = [call for call in calls if "param" in call[1]]
        if (
            len(reads) == 1
            and reads[0][0] == "subtract"
            and reads[0][1][0] == "param"
            and reads[0][2] is new_param
            and calls[-1][2] is new_param
        ):
            subtracts = True
            producer = {call[2].name: call[2] for call in calls}
            outputs["param"] = producer[calls.pop()[1][1]]

    body, scratch, masks = _allocate(calls, {name: value.name for name, value in outputs.items()})
    lines = [f"    {name} = {expression}" for expression, name in recorder.scalar_lines.items()]
    coefficient_texts = "".join(f"{text}, " for text in recorder.coefficients)
    state_texts = "".join(f"{_text(results[name])}, " for name in scalar_states)
    source = "\n".join(
        [
            f"def coefficients({', '.join(scalars)}):",
            *lines,
            f"    return ({coefficient_texts}), ({state_texts})",
            "",
            "def apply("
            + ", ".join(
                [
                    *arrays,
                    *recorder.coefficients.values(),
                    *(f"t{i}" for i in range(scratch)),
                    *(f"m{i}" for i in range(masks)),
                ]
            )
            + "):",
            *(f"    {line}" for line in body or ["pass"]),
        ]
    )
    namespace: dict[str, Any] = {"sqrt": _sqrt, "max": max, "min": min, "copyto": np.copyto}
    for name in ("add", "subtract", "multiply", "divide", "negative", "sqrt", "absolute", "sign"):
        namespace[f"np_{name}"] = getattr(np, name)
    for name in ("maximum", "minimum", "greater", "less"):
        namespace[f"np_{name}"] = getattr(np, name)
    exec(compile(source, f"<update program of {rule.__name__}>", "exec"), namespace)  # noqa: S102
    return UpdateProgram(
        namespace["coefficients"],
        namespace["apply"],
        scratch,
        masks,
        len(body),
        source,
        subtracts,
    )


def _allocate(
    calls: list[tuple[str, tuple[str, ...], _Array]], outputs: dict[str, str]
) -> tuple[list[str], int, int]:
    """Give every call's result a buffer; returns the lines and the number of buffers."""
    last_read: dict[str, int] = {}
    for position, (_, operands, _result) in enumerate(calls):
        for operand in operands:
            last_read[operand] = position
    produced_at = {call[2].name: position for position, call in enumerate(calls)}
    # A result may be written straight over the old value of its destination once nothing reads
    # the old value any more (the producing call itself may: elementwise calls allow it).
    home: dict[str, str] = {}
    copies = []
    for destination, value in outputs.items():
        if value == destination:
            continue
        made = produced_at.get(value, -1)
        free = made >= 0 and last_read.get(destination, -1) <= made
        if free and value not in home and calls[made][0] != "where":
            home[value] = destination
        else:
            copies.append((destination, value))
    for _, value in copies:
        last_read[value] = len(calls)  # read by the copy at the end

    lines = []
    free_buffers: dict[bool, list[str]] = {False: [], True: []}
    counts = {False: 0, True: 0}
    buffer_of: dict[str, str] = {}
    for position, (function, operands, result) in enumerate(calls):
        names = [buffer_of.get(operand, operand) for operand in operands]
        dying = {
            operand
            for operand in operands
            if operand in buffer_of and operand not in home and last_read[operand] == position
        }
        if function != "where":
            _release(dying, buffer_of, free_buffers)
        out = home.get(result.name)
        if out is None:
            pool = free_buffers[result.is_mask]
            if pool:
                out = pool.pop()
            else:
                out = f"{'m' if result.is_mask else 't'}{counts[result.is_mask]}"
                counts[result.is_mask] += 1
        buffer_of[result.name] = out
        if function == "where":
            # `out` is a buffer of its own here: the two copies must not touch an operand.
            lines += [f"copyto({out}, {names[2]})", f"copyto({out}, {names[1]}, where={names[0]})"]
            _release(dying, buffer_of, free_buffers)
        else:
            # (maximum and minimum do not take the result's place by position.)
            keyword = "out=" if function in ("maximum", "minimum") else ""
            lines.append(f"np_{function}({', '.join(names)}, {keyword}{out})")
    lines += [f"copyto({target}, {buffer_of.get(value, value)})" for target, value in copies]
    return lines, counts[False], counts[True]


def _release(
    dying: set[str], buffer_of: dict[str, str], free_buffers: dict[bool, list[str]]
) -> None:
    for name in dying:
        buffer = buffer_of[name]
        free_buffers[buffer.startswith("m")].append(buffer)
