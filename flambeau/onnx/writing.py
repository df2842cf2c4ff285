"""From a captured program to an ONNX model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from onnx import helper

from ..compiler.capture import Argument, Program, Result
from ..compiler.graph import Graph, Value
from ..compiler.symbolic import call_primitive
from ..namespaces import numpy as numpy_namespace
from ..tensor import Tensor
from ..version import FLAMBEAU_VERSION
from . import patterns
from .builder import Builder, element_type
from .errors import OnnxExporterError
from .operators import WRITERS
from .sizes import Size, Sizes


class _Known:
    """The values that are the same at every run: constants, parameters, and what follows."""

    def __init__(self, program: Program, sizes: Sizes, folding: bool) -> None:
        self.sizes = sizes
        self.arrays: dict[int, np.ndarray] = {}
        for value, source in zip(program.graph.inputs, program.sources):
            if isinstance(source, Tensor):
                self.arrays[id(value)] = source.detach().cpu()._array
        for value in program.graph.values():
            if value.primitive == "constant":
                constant = sizes.constant(value)
                if not isinstance(constant, Size):
                    self.arrays[id(value)] = constant
            elif value.primitive != "input" and folding and self._follows(value):
                operands = [self.arrays[id(operand)] for operand in value.operands]
                result = call_primitive(numpy_namespace, value, operands)
                self.arrays[id(value)] = np.asarray(result)

    def _follows(self, value: Value) -> bool:
        if value.primitive == "scan" or self.sizes.varies(value):
            return False
        if not all(id(operand) in self.arrays for operand in value.operands):
            return False
        # A number in it, as the end of a slice, may vary although its shape does not.
        others = [one.counterparts[id(value)] for one in self.sizes.variations]
        return all(repr(other.attributes) == repr(value.attributes) for other in others)

    def __call__(self, value: Value) -> np.ndarray | None:
        return self.arrays.get(id(value))


def written(
    call: Any,
    program: Program,
    sizes: Sizes,
    input_names: list[str],
    output_names: Sequence[str] | None,
    open_sizes: dict[tuple[str, int], str],
    output_sizes: dict[tuple[str, int], str],
    opset: int,
    folding: bool,
) -> Any:
    """The ONNX model of a program.

    Raises:
        OnnxExporterError: something in it has no counterpart.
    """
    symbols: dict[str, tuple[str, int]] = {}
    for (name, dim), symbol in open_sizes.items():
        symbols.setdefault(symbol, (name, dim))
    b = Builder(opset, sizes, symbols)
    for name in input_names:
        b.fresh(name)
    parameters = call.parameter_names()
    known = _Known(program, sizes, folding)
    hints = {
        id(value): parameters.get(id(source), "tensor")
        for value, source in zip(program.graph.inputs, program.sources)
    }
    inputs: dict[int, Value] = {}
    for value, source in zip(program.graph.inputs, program.sources):
        if isinstance(source, int):
            inputs[source] = value
            b.names[id(value)] = input_names[source]
        elif not isinstance(source, Tensor):
            raise OnnxExporterError(
                "the program draws random numbers, which an ONNX graph here does not: export a "
                "network in evaluation mode"
            )
    if program.updated:
        raise OnnxExporterError("the program changes a tensor that is not its own in place")
    results = [_value(item, program, inputs) for item in _flat(program.result)]
    if not results:
        raise OnnxExporterError("the program's result holds no tensor")
    _write(b, results, known, hints)
    given = list(output_names or ())
    if len(given) > len(results):
        raise ValueError(f"output_names has {len(given)} names, and there are {len(results)}")
    outputs = []
    for index, value in enumerate(results):
        name = given[index] if index < len(given) else f"output_{index}"
        label = b.fresh(name)
        if label != name:
            raise ValueError(f"output_names: {name!r} is the name of something else")
        b.nodes.append(helper.make_node("Identity", [b.of(value)], [name], name=f"/{name}"))
        shape = [
            _length(sizes, value, dim, output_sizes.get((name, dim))) for dim in range(value.ndim)
        ]
        outputs.append(helper.make_tensor_value_info(name, element_type(value.dtype), shape))
    _drop_identities(b, set(input_names) | set(b.initializers))
    arguments = []
    for place, name in enumerate(input_names):
        tensor = call.tensors[place]
        dtype = tensor.dtype.numpy
        shape = [open_sizes.get((name, dim), length) for dim, length in enumerate(tensor.shape)]
        arguments.append(helper.make_tensor_value_info(name, element_type(dtype), shape))
    used = {name for node in b.nodes for name in node.input}
    graph = helper.make_graph(
        b.nodes,
        type(call.model).__name__,
        arguments,
        outputs,
        [tensor for name, tensor in b.initializers.items() if name in used],
    )
    return helper.make_model(
        graph,
        producer_name="flambeau",
        producer_version=FLAMBEAU_VERSION,
        opset_imports=[helper.make_opsetid("", opset)],
        # The oldest format with these operators: more programs can read it.
        ir_version=min(10, helper.find_min_ir_version_for([helper.make_opsetid("", opset)])),
    )


def _flat(result: Any) -> list[Any]:
    """The tensors in what a program returned, in order."""
    if isinstance(result, (Result, Argument, Tensor)):
        return [result]
    if isinstance(result, (list, tuple)):
        return [found for item in result for found in _flat(item)]
    if isinstance(result, dict):
        return [found for item in result.values() for found in _flat(item)]
    return []


def _value(item: Any, program: Program, inputs: dict[int, Value]) -> Value:
    if isinstance(item, Result):
        return program.graph.outputs[item.index]
    if isinstance(item, Argument):
        return inputs[item.position]
    for value, source in zip(program.graph.inputs, program.sources):
        if source is item:
            return value
    raise OnnxExporterError("the program returns a tensor that it does not compute")


def _length(sizes: Sizes, value: Value, dim: int, label: str | None) -> Any:
    """A size of an output: a number, or the name of an open one."""
    length = sizes.of(value, lambda v: v.shape[dim])
    if not isinstance(length, Size):
        return label or length
    if len(length.symbols) == 1 and length.factor == 1 and not length.offset:
        return length.symbols[0]
    return label or " * ".join([*length.symbols, f"{length.factor}"]) + f" + {length.offset}"


def _write(b: Builder, results: list[Value], known: _Known, hints: dict[int, str]) -> None:
    """Write all that the results need, operands first."""
    graph = Graph([], results)
    uses: dict[int, int] = {}
    for value in graph.values():
        for operand in value.operands:
            uses[id(operand)] = uses.get(id(operand), 0) + 1
    for value in results:
        uses[id(value)] = uses.get(id(value), 0) + 1
    info = patterns.Graph(known, uses)
    stack: list[tuple[Value, bool]] = [(value, False) for value in reversed(results)]
    while stack:
        value, ready = stack.pop()
        if id(value) in b.names:
            continue
        array = known(value)
        if array is not None:
            b.names[id(value)] = b.constant(array, hints.get(id(value), "constant"))
            continue
        if not ready:
            before = patterns.needed(value, info)
            if before is None:
                before = list(value.operands)
            stack.append((value, True))
            stack.extend((operand, False) for operand in reversed(before))
            continue
        b.names[id(value)] = _written_value(b, value, info)


def _written_value(b: Builder, value: Value, info: patterns.Graph) -> str:
    name = patterns.write(b, value, info)
    if name is not None:
        return name
    if value.primitive == "constant":  # a number that depends on an open size
        return b.scalar(b.sizes.constant(value), value.dtype)
    writer = WRITERS.get(value.primitive)
    if writer is None:
        what = "a recurrence" if value.primitive == "scan" else f"the operation {value.primitive!r}"
        raise OnnxExporterError(
            f"the program has {what} (of shape {value.shape}), for which there is no ONNX "
            "operator here"
        )
    return writer(b, value)


def _drop_identities(b: Builder, fixed: set[str]) -> None:
    """Give results their final names where they are made, rather than by a node that copies."""
    makers = {name: node for node in b.nodes for name in node.output}
    uses: dict[str, int] = {}
    for node in b.nodes:
        for name in node.input:
            uses[name] = uses.get(name, 0) + 1
    kept = []
    for node in b.nodes:
        source = node.input[0] if node.op_type == "Identity" else ""
        if source and source not in fixed and uses[source] == 1 and source in makers:
            maker = makers[source]
            place = list(maker.output).index(source)
            maker.output[place] = node.output[0]
            makers[node.output[0]] = maker
            continue
        kept.append(node)
    b.nodes = kept
