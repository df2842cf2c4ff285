"""What ONNX has as one operator and the graph has in several values.

A pattern looks at the last of its values; it writes one node for all, or says None. The values in
between are written only if something else needs them too.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..compiler import graph as graphs
from ..compiler.graph import Value
from .builder import Builder
from .operators import convolution, pooling

Pattern = Callable[["Builder", Value, "Graph"], Any]


class Graph:
    """What patterns ask about the graph: which values are known, and what each is used by.

    Attributes:
        known: the array that a value is at every run, or None.
        uses: how often each value is used, by its id.
        users: the values that use it.
        results: the results of one scan, by its :func:`scan_key`.
        layers: the recurrent layer that a scan is, found so far.
        written: the names of the results of the scans written so far.
    """

    def __init__(self, known: Callable[[Value], np.ndarray | None], results: list[Value]) -> None:
        self.known = known
        self.uses: dict[int, int] = {}
        self.users: dict[int, list[Value]] = {}
        self.results: dict[tuple[Any, ...], list[Value]] = {}
        self.layers: dict[tuple[Any, ...], Any] = {}
        self.written: dict[tuple[Any, ...], list[str]] = {}
        for value in graphs.Graph([], results).values():
            if value.primitive == "scan":
                self.results.setdefault(scan_key(value), []).append(value)
            for operand in value.operands:
                self.uses[id(operand)] = self.uses.get(id(operand), 0) + 1
                self.users.setdefault(id(operand), []).append(value)
        for value in results:
            self.uses[id(value)] = self.uses.get(id(value), 0) + 1
        self.outputs = {id(value) for value in results}

    def once(self, value: Value) -> bool:
        """Whether only one other value needs it."""
        return self.uses.get(id(value), 0) == 1


def scan_key(value: Value) -> tuple[Any, ...]:
    """The same for all the results of one scan, of which ``value`` is one.

    Returns:
        Something that can be hashed.
    """
    a = value.attributes
    return (id(a["body"]), *(id(operand) for operand in value.operands), a["reverse"])


def _is(value: Value, primitive: str) -> bool:
    return value.primitive == primitive


def max_pool(value: Value) -> Value | None:
    """The ``max_pool_indices`` whose maxima ``value`` is, picked out of its input, or None."""
    inner = value
    while _is(inner, "reshape"):
        inner = inner.operands[0]
    if not _is(inner, "gather"):
        return None
    source, places = inner.operands
    while _is(places, "reshape"):
        places = places.operands[0]
    if not _is(places, "max_pool_indices") or value.shape != places.shape:
        return None
    while _is(source, "reshape") and source is not places.operands[0]:
        source = source.operands[0]
    return places if source is places.operands[0] else None


def softmax(value: Value) -> tuple[Value, int] | None:
    """The input and the dim of the softmax that ``value`` is, or None."""
    if not _is(value, "div"):
        return None
    exponential, total = value.operands
    if not _is(exponential, "exp") or not _is(total, "sum") or total.operands[0] is not exponential:
        return None
    shifted = exponential.operands[0]
    if not _is(shifted, "sub") or not _is(shifted.operands[1], "amax"):
        return None
    x, highest = shifted.operands
    dims = total.attributes["dim"]
    same = highest.operands[0] is x and highest.attributes["dim"] == dims
    if not same or dims is None or len(dims) != 1 or not total.attributes["keepdim"]:
        return None
    return x, dims[0]


def linear(value: Value, graph: Graph) -> tuple[Value, Value, Value] | None:
    """Input, weight ``(out, in)`` and bias of a linear map of ``graph``, ``value``, or None."""
    if not _is(value, "add"):
        return None
    product, bias = value.operands
    if not _is(product, "matmul") or not graph.once(product) or product.ndim != 2:
        return None
    x, turned = product.operands
    weight = turned.operands[0] if _is(turned, "permute") else None
    known = weight is not None and weight.ndim == 2 and graph.known(weight) is not None
    if x.ndim != 2 or weight is None or not known or bias.shape != (weight.shape[0],):
        return None
    return x, weight, bias


def biased_convolution(value: Value, graph: Graph) -> tuple[Value, np.ndarray] | None:
    """The convolution and the bias ``(C,)`` that ``value`` is the sum of in ``graph``, or None."""
    if not _is(value, "add"):
        return None
    result, bias = value.operands
    if not _is(result, "conv") or not graph.once(result):
        return None
    known = graph.known(bias)
    channels = result.shape[1]
    ranks = (1,) * (result.ndim - 2)
    if known is None or bias.shape not in ((channels, *ranks), (1, channels, *ranks)):
        return None
    return result, known.reshape(channels)


def mean_pool(value: Value, graph: Graph) -> Value | None:
    """The ``avg_pool`` of ``graph`` whose sums ``value`` divides by their number, or None."""
    if not _is(value, "div") or not _is(value.operands[0], "avg_pool"):
        return None
    sums, count = value.operands
    known = graph.known(count)
    elements = math.prod(sums.attributes["kernel"])
    same = known is not None and bool((known == elements).all()) and value.shape == sums.shape
    return sums if same and graph.once(sums) else None


def needed(value: Value, graph: Graph) -> list[Value] | None:
    """What must be written before ``value`` of ``graph``; None: no pattern fits it."""
    picked = max_pool(value)
    if picked is not None:
        return [picked.operands[0]]
    found = softmax(value)
    if found is not None:
        return [found[0]]
    whole = linear(value, graph)
    if whole is not None:
        return list(whole)
    convolved = biased_convolution(value, graph)
    if convolved is not None:
        return list(convolved[0].operands)
    sums = mean_pool(value, graph)
    return None if sums is None else [sums.operands[0]]


def write(b: Builder, value: Value, graph: Graph) -> str | None:
    """Write ``value`` of ``graph`` as one node of ``b``.

    Returns:
        the result's name; None: no pattern fits it.
    """
    picked = max_pool(value)
    if picked is not None:
        return pooling(b, "MaxPool", picked.operands[0], picked.attributes)
    found = softmax(value)
    if found is not None:
        return b.node("Softmax", [b.of(found[0])], axis=found[1])
    whole = linear(value, graph)
    if whole is not None:
        return b.node("Gemm", [b.of(part) for part in whole], transB=1)
    convolved = biased_convolution(value, graph)
    if convolved is not None:
        return convolution(b, convolved[0], b.constant(convolved[1], "bias"))
    sums = mean_pool(value, graph)
    if sums is not None:
        return pooling(b, "AveragePool", sums.operands[0], sums.attributes, count_include_pad=1)
    return None
