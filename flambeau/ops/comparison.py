"""Comparisons, predicates, and logic on bits and truth values.

Source: https://pytorch.org/docs/stable/torch.html#comparison-ops
"""

from __future__ import annotations

from typing import Any

from .documentation import KEPT, TRUTHS, of_one, of_two, written
from .dtype_checks import ORDERED, require_kinds, type_word
from .operation import Array, Number, Operation

_SAMPLES = (((3, 4), (3, 4)), ((3, 4), (4,)))


def _comparison(name: str, doc: str, numbers: bool = True, raises: str = "") -> Operation:
    def forward(xp: Any, input: Array, other: Array | Number) -> Any:
        return getattr(xp, name)(input, other)

    if not numbers:
        forward.__annotations__["other"] = "Array"
    other = (
        "input: (*), any shape.\n"
        "        other: a tensor of a shape that broadcasts with it, or a number."
    )
    broadcast = "Their broadcast shape, bool."
    forward.__doc__ = (
        written(doc, other, broadcast, raises) if numbers else of_two(doc, broadcast, numbers=False)
    )
    return Operation(
        forward, name=name, promote="number", dtypes="number", inplace=True, samples=_SAMPLES
    )


def _predicate(name: str, doc: str, inplace: bool = False) -> Operation:
    def forward(xp: Any, input: Array) -> Any:
        return getattr(xp, name)(input)

    forward.__doc__ = of_one(doc, TRUTHS)
    return Operation(forward, name=name, dtypes="number", inplace=inplace, samples=(((3, 4),),))


def _ordering(name: str, doc: str) -> Operation:
    """A comparison by size, which complex numbers have none of."""
    defined = _comparison(name, doc, raises="NotImplementedError: an operand is complex.")

    @defined.checked
    def _(input: Any, other: Any) -> None:
        require_kinds(f"{name}_cpu", ORDERED, input, other)

    return defined


eq = _comparison("eq", "Whether elements are equal.")
ne = _comparison("ne", "Whether elements differ.")
lt = _ordering("lt", "Whether ``input < other``.")
le = _ordering("le", "Whether ``input <= other``.")
gt = _ordering("gt", "Whether ``input > other``.")
ge = _ordering("ge", "Whether ``input >= other``.")
logical_and = _comparison(
    "logical_and", "Whether both elements are true (not zero).", numbers=False
)
logical_or = _comparison(
    "logical_or", "Whether one of the elements is true (not zero).", numbers=False
)
logical_xor = _comparison(
    "logical_xor", "Whether exactly one of the elements is true.", numbers=False
)

logical_not = _predicate("logical_not", "Whether elements are false (zero).", inplace=True)
isnan = _predicate("isnan", "Whether elements are NaN.")
isinf = _predicate("isinf", "Whether elements are infinite.")
isfinite = _predicate("isfinite", "Whether elements are neither infinite nor NaN.")
signbit = _predicate("signbit", "Whether elements have their sign bit set.")


def _bitwise(name: str, doc: str) -> Operation:
    def forward(xp: Any, input: Array | Number, other: Array | Number) -> Any:
        return getattr(xp, name)(input, other)

    refused = "floating or complex" + (", or bool" if name.endswith("shift") else "")
    forward.__doc__ = of_two(doc, raises=f"NotImplementedError: the common dtype is {refused}.")
    defined = Operation(
        forward, name=name, promote="number", dtypes="number", inplace=True,
        samples=(("int64", "int64"),),
    )  # fmt: skip

    @defined.checked
    def _(input: Any, other: Any) -> None:
        kernel = {"bitwise_left_shift": "lshift", "bitwise_right_shift": "rshift"}.get(name, name)
        require_kinds(f"{kernel}_cpu", "iu" if kernel.endswith("shift") else "iub", input, other)

    return defined


bitwise_and = _bitwise("bitwise_and", "The bits set in both elements.")
bitwise_or = _bitwise("bitwise_or", "The bits set in one of the elements.")
bitwise_xor = _bitwise("bitwise_xor", "The bits set in exactly one of the elements.")
bitwise_left_shift = _bitwise("bitwise_left_shift", "``input`` shifted left by ``other`` bits.")
bitwise_right_shift = _bitwise("bitwise_right_shift", "``input`` shifted right by ``other`` bits.")


def _bitwise_not_forward(xp: Any, input: Array) -> Any:
    return xp.bitwise_not(input)


_bitwise_not_forward.__doc__ = of_one(
    "Each element with every bit turned over; of truth values the contrary.",
    KEPT,
    "TypeError: ``input`` is floating or complex.",
)
bitwise_not = Operation(
    _bitwise_not_forward, name="bitwise_not", inplace=True, dtypes="number", samples=(("int64",),)
)


@bitwise_not.checked
def _(input):  # type: ignore[no-untyped-def]
    if input.dtype.kind not in "iub":
        raise TypeError(
            "~ (operator.invert) is only implemented on integer and Boolean-type tensors, not on "
            f"{type_word(input)}"
        )
