"""From a captured program to an ONNX model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from onnx import helper

from ..compiler.captured import Argument, Program, Result
from ..compiler.graph import Value
from ..compiler.symbolic import call_primitive
from ..namespaces import numpy as numpy_namespace
from ..tensor import Tensor
from ..version import FLAMBEAU_VERSION
from . import indexing, patterns, recurrence  # noqa: F401 (indexing has writers)
from .builder import Builder, element_type
from .errors import OnnxExporterError
from .operators import WRITERS, shape
from .sizes import Size, Sizes

Known = Callable[[Value], np.ndarray | None]


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
                if isinstance(constant, np.ndarray):
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

    Args:
        call: the network with its arguments.
        program: what it was captured as.
        sizes: how its numbers depend on open sizes.
        input_names: of all inputs.
        output_names: of the first outputs, or None.
        open_sizes, output_sizes: by name and dim the names of open sizes.
        opset: the version of the operators.
        folding: whether what depends on parameters alone is computed beforehand.

    Returns:
        The ``onnx.ModelProto``.

    Raises:
        OnnxExporterError: something in it has no counterpart.
        ValueError: there are too many names of outputs, or one twice.
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
    if not all(isinstance(changed, int) for changed in program.updated):
        raise OnnxExporterError(
            "the program changes a tensor in place that is neither its own nor an argument (a "
            "buffer, say)"
        )
    for place, value in program.graph.updates.items():  # what an argument has become
        source = program.sources[place]
        if isinstance(source, int):
            inputs[source] = value
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
        lengths = [
            _length(sizes, value, dim, output_sizes.get((name, dim))) for dim in range(value.ndim)
        ]
        outputs.append(helper.make_tensor_value_info(name, element_type(value.dtype), lengths))
    _drop_identities(b, set(input_names) | set(b.initializers))
    arguments = []
    for place, name in enumerate(input_names):
        tensor = call.tensors[place]
        dtype = tensor.dtype.numpy
        lengths = [open_sizes.get((name, dim), length) for dim, length in enumerate(tensor.shape)]
        arguments.append(helper.make_tensor_value_info(name, element_type(dtype), lengths))
    used = {name for node in b.nodes for name in _inputs(node)}
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


def _write(b: Builder, results: list[Value], known: Known, hints: dict[int, str]) -> None:
    """Write all that the results need, operands first."""
    graph = patterns.Graph(known, results)
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
            stack.append((value, True))
            stack.extend((operand, False) for operand in reversed(_needed(b, value, graph)))
            continue
        b.names[id(value)] = _written_value(b, value, graph)


def _layer(b: Builder, value: Value, graph: patterns.Graph) -> recurrence.Layer | None:
    """The recurrent layer that a value is the outputs or a last state of."""
    if value.primitive == "scan":
        return recurrence.layer(b, value, graph)
    return recurrence.last_of_layer(b, value, graph)


def _needed(b: Builder, value: Value, graph: patterns.Graph) -> list[Value]:
    """What is written before a value."""
    layer = _layer(b, value, graph)
    if layer is not None:
        return layer.needed(graph)
    before = patterns.needed(value, graph)
    return list(value.operands) if before is None else before


def _written_value(b: Builder, value: Value, graph: patterns.Graph) -> str:
    if _layer(b, value, graph) is not None:
        return recurrence.write(b, value, graph)
    name = patterns.write(b, value, graph)
    if name is not None:
        return name
    if value.primitive == "constant":
        return _written_constant(b, value)
    if value.primitive == "scan":
        key = patterns.scan_key(value)
        if key not in graph.written:
            names = _written_scan(b, value, graph.results[key])
            graph.written[key] = [""] * len(value.attributes["body"].outputs)
            for result, one in zip(graph.results[key], names):
                graph.written[key][result.attributes["output"]] = one
        return graph.written[key][value.attributes["output"]]
    writer = WRITERS.get(value.primitive)
    if writer is None:
        raise OnnxExporterError(
            f"the program has the operation {value.primitive!r} (of shape {value.shape}), for "
            "which there is no ONNX operator here"
        )
    return writer(b, value)


def _written_constant(b: Builder, value: Value) -> str:
    """Numbers that depend on an open size."""
    found = b.sizes.constant(value)
    if isinstance(found, Size):
        return b.scalar(found, value.dtype)
    count = b.scalar(found.count, value.dtype)
    start, step = (b.constant(np.array(n, value.dtype)) for n in (found.start, found.step))
    end = b.node("Add", [start, b.node("Mul", [count, step])])
    numbers = b.node("Range", [start, end, step])
    if value.ndim == 1:
        return str(numbers)
    return str(b.node("Reshape", [numbers, b.shape(shape(b, value))]))


def _written_scan(b: Builder, value: Value, results: list[Value]) -> list[str]:
    """Write ONNX's Scan; the names of those results of it that are needed."""
    body = value.attributes["body"].graph
    carries, sequences = value.attributes["carries"], value.attributes["sequences"]
    needed = [body.outputs[result.attributes["output"]] for result in results]

    def described(name: str, v: Value) -> Any:
        return helper.make_tensor_value_info(name, element_type(v.dtype), None)

    def known(v: Value) -> np.ndarray | None:
        constant = b.sizes.constant(v) if v.primitive == "constant" else None
        return constant if isinstance(constant, np.ndarray) else None

    # What the body makes is seen in the body only: it is written aside.
    outside = b.nodes, dict(b.names), dict(b.open)
    b.nodes = []
    inputs, outputs = [], []
    for place, v in enumerate(body.inputs):
        if place < carries + sequences:
            name = b.fresh("state" if place < carries else "element")
            inputs.append(described(name, v))
            b.names[id(v)] = name
        else:
            b.names[id(v)] = b.names[id(value.operands[place])]
    wanted = [*body.outputs[:carries], *needed]
    _write(b, wanted, known, {})
    for v in wanted:
        outputs.append(described(b.node("Identity", [b.of(v)]), v))
    inner = helper.make_graph(b.nodes, b.fresh("step"), inputs, outputs)
    b.nodes, b.names, b.open = outside
    reverse = int(value.attributes["reverse"])
    names: list[str] = b.node(
        "Scan",
        [b.of(operand) for operand in value.operands[: carries + sequences]],
        len(wanted),
        several=True,
        body=inner,
        num_scan_inputs=sequences,
        scan_input_directions=[reverse] * sequences,
        scan_output_directions=[reverse] * len(needed),
    )
    return names[carries:]


def _inputs(node: Any) -> list[str]:
    """What a node takes, and the nodes of a graph within it."""
    inner = [n for attribute in node.attribute for n in attribute.g.node]
    return [*node.input, *(name for n in inner for name in _inputs(n))]


def _drop_identities(b: Builder, fixed: set[str]) -> None:
    """Give results their final names where they are made, rather than by a node that copies."""
    makers = {name: node for node in b.nodes for name in node.output}
    uses: dict[str, int] = {}
    for node in b.nodes:
        for name in _inputs(node):
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
