"""The body of a scan for a part of its batch.

The rows of a batch usually go through a recurrence without seeing each other.  Then the whole scan
can be run for some rows and for others at the same time, with nothing to wait for at each step.
"""

from __future__ import annotations

from typing import Any

from .codegen.expressions import ELEMENTWISE
from .graph import Graph, Value, input_value
from .layout import DimClasses, join_dims

_ALONG = ELEMENTWISE | frozenset("expand permute reshape matmul slice pad cat".split())
_REDUCING = frozenset("sum prod amax amin any all".split())


def divided_body(graph: Graph, rows_first: int, parts: int) -> Graph | None:
    """``graph`` for one of ``parts`` parts of the rows; None if the rows are not independent.

    Arguments:
        rows_first: so many of the first inputs have, like all outputs, the rows as their first
            dim; the others have no rows.
    """
    carriers = [*graph.inputs[:rows_first], *graph.outputs]
    if not carriers or any(v.ndim == 0 for v in carriers):
        return None
    rows = carriers[0].shape[0]
    if rows % parts or rows // parts < 2:
        return None
    classes = DimClasses()
    values = list(graph.values())
    for value in values:
        join_dims(value, classes)
    for value in carriers[1:]:
        classes.union((id(carriers[0]), 0), (id(value), 0))
    row_class = classes.find((id(carriers[0]), 0))

    def row_dims(value: Value) -> list[int]:
        return [d for d in range(value.ndim) if classes.find((id(value), d)) == row_class]

    for value in carriers:
        if value.shape[0] != rows or row_dims(value) != [0]:
            return None
    part = rows // parts
    table: dict[int, Value] = {}
    inputs = []
    for i, value in enumerate(graph.inputs):
        dims = row_dims(value)
        if (i < rows_first) != bool(dims):
            return None
        shape = (part, *value.shape[1:]) if dims else value.shape
        inputs.append(input_value(shape, value.dtype))
        table[id(value)] = inputs[-1]
    for value in values:
        if id(value) in table:
            continue
        dims = row_dims(value)
        if not _keeps_rows(value, dims, row_dims):
            return None
        shape = tuple(part if d in dims else n for d, n in enumerate(value.shape))
        attributes = _resized(value, shape, dims)
        if attributes is None:
            return None
        operands = tuple(table[id(v)] for v in value.operands)
        table[id(value)] = Value(value.primitive, operands, attributes, shape, value.dtype)
    return Graph(inputs, [table[id(v)] for v in graph.outputs])


def _keeps_rows(value: Value, dims: list[int], row_dims: Any) -> bool:
    """Whether each row of ``value`` comes from the same row of its operands alone."""
    name = value.primitive
    if len(dims) > 1:
        return False
    below = [row_dims(v) for v in value.operands]
    if name in ("constant", "arange"):
        return not dims
    if name == "full":
        return True
    if not dims and not any(below):
        return True
    if name in _REDUCING:
        (x,) = value.operands
        dim = value.attributes["dim"]
        reduced = set(range(x.ndim)) if dim is None else {d % x.ndim for d in dim}
        return bool(dims) and not reduced & set(below[0])
    if name == "matmul":
        x, y = value.operands
        if x.ndim != 2 or y.ndim != 2:
            return False
        return (dims, below) in (([0], [[0], []]), ([1], [[], [1]]))
    if name not in _ALONG or not dims:
        return False
    if name == "cat":
        return value.attributes["dim"] % value.ndim not in dims and all(len(d) == 1 for d in below)
    if name == "pad":
        return all(value.attributes["widths"][d] == (0, 0) for d in dims)
    # a dim of the rows' extent that is not of the rows must be broadcast
    return all(len(d) <= 1 for d in below)


def _resized(value: Value, shape: tuple[int, ...], dims: list[int]) -> dict[str, Any] | None:
    """The attributes of ``value`` for its new ``shape``."""
    attributes = dict(value.attributes)
    if "shape" in attributes:
        attributes["shape"] = shape
    if value.primitive == "slice":
        x = value.operands[0]
        key = list(attributes["key"])
        if any(not isinstance(item, slice) for item in key):
            return attributes if not dims else None
        for d, item in enumerate(key):
            if d in dims:
                if item.indices(x.shape[d]) != (0, x.shape[d], 1):
                    return None
                key[d] = slice(None)
        attributes["key"] = tuple(key)
    return attributes


__all__ = ["divided_body"]
