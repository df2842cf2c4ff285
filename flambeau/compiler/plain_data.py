"""Attributes of primitives as plain data, which a file can hold without naming classes."""

from __future__ import annotations

from typing import Any

import numpy as np

from .graph import Graph, Value, constant, input_value
from .host_call import HostCall
from .scan import Body


def dtype_name(dtype: np.dtype) -> str:
    """A name by which :func:`dtype_of` finds ``dtype``."""
    return dtype.name if dtype.kind == "V" else dtype.str


def dtype_of(name: str) -> np.dtype:
    """The dtype of a name of :func:`dtype_name`."""
    try:
        return np.dtype(name)
    except TypeError:
        import ml_dtypes

        return np.dtype(getattr(ml_dtypes, name))


def plain_array(array: np.ndarray) -> tuple[bytes, str, tuple[int, ...]]:
    """``array`` as plain data."""
    return array.tobytes(), dtype_name(array.dtype), array.shape


def array_of(plain: tuple[bytes, str, tuple[int, ...]]) -> np.ndarray:
    """The array that :func:`plain_array` was given."""
    data, dtype, shape = plain
    return np.frombuffer(data, dtype_of(dtype)).reshape(shape).copy()


def plain(value: Any) -> Any:
    """An attribute as plain data."""
    if isinstance(value, (tuple, list)):
        return (type(value).__name__, [plain(v) for v in value])
    if isinstance(value, slice):
        return ("slice", [plain(v) for v in (value.start, value.stop, value.step)])
    if isinstance(value, np.dtype):
        return ("dtype", dtype_name(value))
    if isinstance(value, np.generic):
        return ("number", plain_array(np.asarray(value)))
    if isinstance(value, np.ndarray):
        return ("array", plain_array(value))
    if isinstance(value, complex):
        return ("complex", (value.real, value.imag))
    if isinstance(value, Body):
        return ("body", _plain_graph(value.graph))
    if value is None or isinstance(value, (bool, int, float, str)):
        return ("plain", value)
    raise TypeError(f"an attribute of {type(value)} cannot be kept")


def attribute_of(kept: Any) -> Any:
    """The attribute that :func:`plain` was given."""
    kind, content = kept
    if kind == "plain":
        return content
    if kind == "tuple":
        return tuple(attribute_of(v) for v in content)
    if kind == "list":
        return [attribute_of(v) for v in content]
    if kind == "slice":
        return slice(*(attribute_of(v) for v in content))
    if kind == "dtype":
        return dtype_of(content)
    if kind == "number":
        return array_of(content)[()]
    if kind == "array":
        return array_of(content)
    if kind == "complex":
        return complex(*content)
    if kind == "body":
        return Body(_graph_of(content))
    raise ValueError(f"no such kind of attribute: {kind}")


def _plain_kind(value: Any) -> Any:
    shape, dtype = value
    return shape, dtype_name(dtype)


def _kind_of(kept: Any) -> Any:
    shape, dtype = kept
    return tuple(shape), dtype_of(dtype)


def _plain_graph(graph: Graph) -> Any:
    number: dict[int, int] = {id(v): i for i, v in enumerate(graph.inputs)}
    rows = []
    for value in graph.values():
        if id(value) not in number:
            number[id(value)] = len(number)
            attributes = {k: plain(a) for k, a in value.attributes.items()}
            operands = [number[id(v)] for v in value.operands]
            kind = _plain_kind((value.shape, value.dtype))
            rows.append((value.primitive, operands, attributes, kind))
    inputs = [_plain_kind((v.shape, v.dtype)) for v in graph.inputs]
    return inputs, rows, [number[id(v)] for v in graph.outputs]


def _graph_of(kept: Any) -> Graph:
    inputs, rows, outputs = kept
    values = [input_value(*_kind_of(k)) for k in inputs]
    for primitive, operands, attributes, kind in rows:
        decoded = {k: attribute_of(a) for k, a in attributes.items()}
        if primitive == "constant":
            values.append(constant(decoded["array"]))
        else:
            given = tuple(values[i] for i in operands)
            values.append(Value(primitive, given, decoded, *_kind_of(kind)))
    return Graph(values[: len(inputs)], [values[i] for i in outputs])


def plain_call(call: HostCall) -> Any:
    """A call of NumPy as plain data."""
    results = [
        ({k: plain(a) for k, a in attributes.items()}, _plain_kind(kind))
        for attributes, kind in call.results
    ]
    return call.primitive, [_plain_kind(k) for k in call.operands], results


def call_of(kept: Any) -> HostCall:
    """The call that :func:`plain_call` was given."""
    primitive, operands, results = kept
    return HostCall(
        primitive,
        tuple(_kind_of(k) for k in operands),
        tuple(
            ({k: attribute_of(a) for k, a in attributes.items()}, _kind_of(kind))
            for attributes, kind in results
        ),
    )


__all__ = ["array_of", "call_of", "dtype_name", "dtype_of", "plain_array", "plain_call"]
