"""ONNX nodes for each primitive."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..compiler.graph import Value
from ..namespaces.primitives import window_count
from .builder import Builder, element_type
from .errors import OnnxExporterError
from .sizes import Size

Writer = Callable[[Builder, Value], str]

WRITERS: dict[str, Writer] = {}
"""Primitive -> what writes its nodes and gives the name of the result."""

_SAME = {
    "neg": "Neg", "abs": "Abs", "sign": "Sign", "exp": "Exp", "log": "Log", "sqrt": "Sqrt",
    "reciprocal": "Reciprocal", "sin": "Sin", "cos": "Cos", "tan": "Tan", "asin": "Asin",
    "acos": "Acos", "atan": "Atan", "sinh": "Sinh", "cosh": "Cosh", "tanh": "Tanh",
    "asinh": "Asinh", "acosh": "Acosh", "atanh": "Atanh", "erf": "Erf", "sigmoid": "Sigmoid",
    "relu": "Relu", "floor": "Floor", "ceil": "Ceil", "round": "Round", "isnan": "IsNaN",
    "isinf": "IsInf", "add": "Add", "sub": "Sub", "mul": "Mul", "pow": "Pow",
    "maximum": "Max", "minimum": "Min", "eq": "Equal", "lt": "Less", "le": "LessOrEqual",
    "gt": "Greater", "ge": "GreaterOrEqual", "where": "Where", "matmul": "MatMul",
}  # fmt: skip


def _same(operator: str) -> Writer:
    return lambda b, v: b.node(operator, [b.of(o) for o in v.operands])


WRITERS.update({primitive: _same(operator) for primitive, operator in _SAME.items()})


def writer(*names: str) -> Callable[[Writer], Writer]:
    """Decorator: the function writes the primitives of these ``names``.

    Returns:
        What enters it, and returns it.
    """

    def register(function: Writer) -> Writer:
        WRITERS.update(dict.fromkeys(names, function))
        return function

    return register


def _one(v: Value, number: float) -> np.ndarray:
    return np.array(number, v.dtype)


@writer("rsqrt")
def _rsqrt(b: Builder, v: Value) -> str:
    return b.node("Reciprocal", [b.node("Sqrt", [b.of(v.operands[0])])])


@writer("exp2")
def _exp2(b: Builder, v: Value) -> str:
    return b.node("Pow", [b.constant(_one(v, 2)), b.of(v.operands[0])])


@writer("expm1")
def _expm1(b: Builder, v: Value) -> str:
    return b.node("Sub", [b.node("Exp", [b.of(v.operands[0])]), b.constant(_one(v, 1))])


@writer("log1p")
def _log1p(b: Builder, v: Value) -> str:
    return b.node("Log", [b.node("Add", [b.of(v.operands[0]), b.constant(_one(v, 1))])])


@writer("log2", "log10")
def _log_to_a_base(b: Builder, v: Value) -> str:
    base = 2.0 if v.primitive == "log2" else 10.0
    logarithm = b.node("Log", [b.of(v.operands[0])])
    return b.node("Div", [logarithm, b.constant(_one(v, math.log(base)))])


@writer("erfc")
def _erfc(b: Builder, v: Value) -> str:
    return b.node("Sub", [b.constant(_one(v, 1)), b.node("Erf", [b.of(v.operands[0])])])


@writer("trunc")
def _trunc(b: Builder, v: Value) -> str:
    x = b.of(v.operands[0])
    return b.node("Mul", [b.node("Sign", [x]), b.node("Floor", [b.node("Abs", [x])])])


@writer("isfinite")
def _isfinite(b: Builder, v: Value) -> str:
    x = b.of(v.operands[0])
    return b.node("Not", [b.node("Or", [b.node("IsNaN", [x]), b.node("IsInf", [x])])])


@writer("ne")
def _ne(b: Builder, v: Value) -> str:
    return b.node("Not", [b.node("Equal", [b.of(o) for o in v.operands])])


@writer("div")
def _div(b: Builder, v: Value) -> str:
    return b.node("Div", [b.of(o) for o in v.operands])


@writer("floor_divide", "remainder")
def _floor_division(b: Builder, v: Value) -> str:
    x, y = (b.of(o) for o in v.operands)
    if v.dtype.kind != "f":
        if v.primitive == "remainder":
            return b.node("Mod", [x, y])
        # Whole numbers: what is left over, which has the divisor's sign, taken off first.
        return b.node("Div", [b.node("Sub", [x, b.node("Mod", [x, y])]), y])
    quotient = b.node("Floor", [b.node("Div", [x, y])])
    if v.primitive == "floor_divide":
        return quotient
    return b.node("Sub", [x, b.node("Mul", [quotient, y])])


@writer("fmod")
def _fmod(b: Builder, v: Value) -> str:
    return b.node("Mod", [b.of(o) for o in v.operands], fmod=1)


@writer("hypot")
def _hypot(b: Builder, v: Value) -> str:
    squares = [b.node("Mul", [b.of(o), b.of(o)]) for o in v.operands]
    return b.node("Sqrt", [b.node("Add", squares)])


@writer("atan2")
def _atan2(b: Builder, v: Value) -> str:
    y, x = (b.of(o) for o in v.operands)
    zero = b.constant(_one(v, 0))

    def signed(number: float) -> str:
        """The number with the sign of y."""
        return b.node(
            "Where",
            [b.node("Less", [y, zero]), b.constant(_one(v, -number)), b.constant(_one(v, number))],
        )

    angle = b.node("Atan", [b.node("Div", [y, x])])
    left = b.node("Where", [b.node("Less", [x, zero]), signed(math.pi), zero])
    off_axis = b.node("Add", [angle, left])
    up = b.node("Where", [b.node("Equal", [y, zero]), zero, signed(math.pi / 2)])
    return b.node("Where", [b.node("Equal", [x, zero]), up, off_axis])


@writer("bitwise_not", "bitwise_and", "bitwise_or", "bitwise_xor")
def _bits(b: Builder, v: Value) -> str:
    name = v.primitive.removeprefix("bitwise_").capitalize()
    if v.dtype.kind != "b":
        if b.opset < 18:
            raise OnnxExporterError(f"{v.primitive} of whole numbers needs opset_version 18")
        name = f"Bitwise{name}"
    return b.node(name, [b.of(o) for o in v.operands])


@writer("logical_not", "logical_and", "logical_or", "logical_xor")
def _logical(b: Builder, v: Value) -> str:
    inputs = [
        b.of(o)
        if o.dtype.kind == "b"
        else b.node("Cast", [b.of(o)], to=element_type(np.dtype(bool)))
        for o in v.operands
    ]
    return b.node(v.primitive.removeprefix("logical_").capitalize(), inputs)


@writer("astype")
def _astype(b: Builder, v: Value) -> str:
    return b.node("Cast", [b.of(v.operands[0])], to=element_type(v.dtype))


# -- reductions -----------------------------------------------------------------------------------

_REDUCTIONS = {"sum": "ReduceSum", "prod": "ReduceProd", "amax": "ReduceMax", "amin": "ReduceMin"}


@writer(*_REDUCTIONS)
def _reduction(b: Builder, v: Value) -> str:
    x = b.of(v.operands[0])
    dims = v.attributes["dim"]
    if dims is not None and not dims:
        return b.node("Identity", [x])
    return b.reduced(_REDUCTIONS[v.primitive], x, dims, v.attributes["keepdim"])


@writer("any", "all")
def _truth(b: Builder, v: Value) -> str:
    (operand,) = v.operands
    as_bool = b.node("Cast", [b.of(operand)], to=element_type(np.dtype(bool)))
    counted = b.node("Cast", [as_bool], to=element_type(np.dtype(np.int32)))
    operator = "ReduceMax" if v.primitive == "any" else "ReduceMin"
    found = b.reduced(operator, counted, v.attributes["dim"], v.attributes["keepdim"])
    return b.node("Cast", [found], to=element_type(np.dtype(bool)))


@writer("argmax", "argmin")
def _place(b: Builder, v: Value) -> str:
    operator = "ArgMax" if v.primitive == "argmax" else "ArgMin"
    x, dim = b.of(v.operands[0]), v.attributes["dim"]
    keep = v.attributes["keepdim"]
    if dim is not None:
        return b.node(operator, [x], axis=dim, keepdims=int(keep))
    flat = b.node("Reshape", [x, b.integers([-1])])
    place = b.node(operator, [flat], axis=0, keepdims=0)
    if not keep:
        return place
    return b.node("Reshape", [place, b.integers([1] * v.operands[0].ndim)])


@writer("cumsum")
def _cumsum(b: Builder, v: Value) -> str:
    axis = b.constant(np.array(v.attributes["dim"], np.int64))
    return b.node("CumSum", [b.of(v.operands[0]), axis])


@writer("argsort")
def _argsort(b: Builder, v: Value) -> str:
    dim = v.attributes["dim"]
    count = b.shape([b.sizes.of(v, lambda value: value.shape[dim])])
    descending = int(v.attributes["descending"])
    _, places = b.node("TopK", [b.of(v.operands[0]), count], 2, axis=dim, largest=descending)
    return places


# -- shape ----------------------------------------------------------------------------------------


Number = Callable[[Value], Any]


def length(dim: int) -> Number:
    """What reads the size of a value's dim ``dim``, for :meth:`Sizes.of`."""
    return lambda value: value.shape[dim]


def _attribute(name: str) -> Number:
    return lambda value: value.attributes[name]


def _edge(dim: int, side: int) -> Number:
    return lambda value: value.attributes["widths"][dim][side]


def _bound(place: int, dim: int, which: int) -> Number:
    """Start, end or step of the slice at a place of the key, which cuts a dim."""
    return lambda v: v.attributes["key"][place].indices(v.operands[0].shape[dim])[which]


def _place_in(place: int, dim: int, more: int) -> Number:
    return lambda v: v.attributes["key"][place] % v.operands[0].shape[dim] + more


def shape(b: Builder, v: Value) -> list[Any]:
    """The shape of ``v``, in which sizes may be open.

    Args:
        b: what knows them.
        v: the value.

    Returns:
        an int or a :class:`Size` for each dim.
    """
    return [b.sizes.of(v, length(i)) for i in range(v.ndim)]


@writer("reshape")
def _reshape(b: Builder, v: Value) -> str:
    sizes = shape(b, v)
    if sum(isinstance(size, Size) for size in sizes) == 1:
        # The one that is open is what is left over; but nothing is left over of nothing.
        if 0 not in sizes:
            sizes = [-1 if isinstance(size, Size) else size for size in sizes]
    return b.node("Reshape", [b.of(v.operands[0]), b.shape(sizes)])


@writer("permute")
def _permute(b: Builder, v: Value) -> str:
    return b.node("Transpose", [b.of(v.operands[0])], perm=list(v.attributes["dims"]))


@writer("expand")
def _expand(b: Builder, v: Value) -> str:
    return b.node("Expand", [b.of(v.operands[0]), b.shape(shape(b, v))])


@writer("full")
def _full(b: Builder, v: Value) -> str:
    number = b.sizes.of(v, lambda value: value.attributes["value"])
    if isinstance(number, Size):
        scalar = b.scalar(number, v.dtype)
    else:
        scalar = b.constant(np.array(number, v.dtype))
    return b.node("Expand", [scalar, b.shape(shape(b, v))])


@writer("arange")
def _arange(b: Builder, v: Value) -> str:
    numbers = []
    for name in ("start", "end", "step"):
        number = b.sizes.of(v, _attribute(name))
        numbers.append(
            b.scalar(number, v.dtype)
            if isinstance(number, Size)
            else b.constant(np.array(number, v.dtype))
        )
    return b.node("Range", numbers)


@writer("flip")
def _flip(b: Builder, v: Value) -> str:
    dims = v.attributes["dims"]
    many = len(dims)
    least = np.iinfo(np.int64).min
    return b.node(
        "Slice",
        [b.of(v.operands[0]), b.integers([-1] * many), b.integers([least] * many),
         b.integers(dims), b.integers([-1] * many)],
    )  # fmt: skip


@writer("cat")
def _cat(b: Builder, v: Value) -> str:
    return b.node("Concat", [b.of(o) for o in v.operands], axis=v.attributes["dim"])


@writer("pad")
def _pad(b: Builder, v: Value) -> str:
    widths = v.attributes["widths"]
    edges = [b.sizes.of(v, _edge(i, side)) for side in (0, 1) for i in range(len(widths))]
    value = b.constant(np.array(v.attributes["value"], v.dtype))
    return b.node("Pad", [b.of(v.operands[0]), b.shape(edges), value])


@writer("slice")
def _slice(b: Builder, v: Value) -> str:
    x = b.of(v.operands[0])
    starts: list[Any] = []
    ends: list[Any] = []
    dims: list[int] = []
    steps: list[int] = []
    dropped: list[int] = []
    added: list[int] = []
    dim = position = 0
    for place, item in enumerate(v.attributes["key"]):
        if item is None:
            added.append(position)
            position += 1
            continue
        if isinstance(item, slice):
            if item != slice(None):
                low, high, step = (b.sizes.of(v, _bound(place, dim, k)) for k in range(3))
                starts.append(low)
                ends.append(high)
                steps.append(step)
                dims.append(dim)
            position += 1
        else:
            at = b.sizes.of(v, _place_in(place, dim, 0))
            after = b.sizes.of(v, _place_in(place, dim, 1))
            starts.append(at)
            ends.append(after)
            steps.append(1)
            dims.append(dim)
            dropped.append(dim)
        dim += 1
    if dims:
        x = b.node("Slice", [x, b.shape(starts), b.shape(ends), b.integers(dims), b.shape(steps)])
    if dropped:
        x = b.node("Squeeze", [x, b.integers(dropped)])
    if added:
        x = b.node("Unsqueeze", [x, b.integers(added)])
    return x if dims or added else b.node("Identity", [x])


@writer("gather")
def _gather(b: Builder, v: Value) -> str:
    dim = v.attributes["dim"]
    x, index = v.operands
    if any(n != m for i, (n, m) in enumerate(zip(x.shape, index.shape)) if i != dim):
        raise OnnxExporterError(
            f"gather of shape {index.shape} from {x.shape}: ONNX wants the other dims to be alike"
        )
    return b.node("GatherElements", [b.of(x), b.of(index)], axis=dim)


@writer("scatter", "scatter_add")
def _scatter(b: Builder, v: Value) -> str:
    x, index, source = (b.of(o) for o in v.operands)
    reduction = "add" if v.primitive == "scatter_add" else None
    return b.node(
        "ScatterElements", [x, index, source], axis=v.attributes["dim"], reduction=reduction
    )


# -- convolution and pooling ----------------------------------------------------------------------


def convolution(b: Builder, v: Value, bias: str | None = None) -> str:
    """Write a convolution, with the bias that follows it if there is one.

    Args:
        b: where to.
        v: the convolution, of an input (N, C, ...) and a weight (out, C / groups, ...).
        bias: the name of the bias (out,).

    Returns:
        the result's name.
    """
    x, weight = (b.of(o) for o in v.operands)
    a = v.attributes
    return b.node(
        "Conv",
        [x, weight] + ([bias] if bias else []),
        kernel_shape=list(v.operands[1].shape[2:]),
        strides=list(a["stride"]),
        pads=[*a["padding"], *a["padding"]],
        dilations=list(a["dilation"]),
        group=a["groups"],
    )


@writer("conv")
def _conv(b: Builder, v: Value) -> str:
    return convolution(b, v)


@writer("conv_input")
def _conv_input(b: Builder, v: Value) -> str:
    grad, weight = v.operands
    a = v.attributes
    kernel = weight.shape[2:]
    more = [
        n - ((m - 1) * s - 2 * p + d * (k - 1) + 1)
        for n, m, s, p, d, k in zip(
            v.shape[2:], grad.shape[2:], a["stride"], a["padding"], a["dilation"], kernel
        )
    ]
    return b.node(
        "ConvTranspose",
        [b.of(grad), b.of(weight)],
        kernel_shape=list(kernel),
        strides=list(a["stride"]),
        pads=[*a["padding"], *a["padding"]],
        dilations=list(a["dilation"]),
        output_padding=more,
        group=a["groups"],
    )


def pooling(
    b: Builder,
    operator: str,
    x: Value,
    window: dict[str, Any],
    places: bool = False,
    **more: Any,
) -> str:
    """Write MaxPool or AveragePool over the last dims of ``x``, or the places of the maxima.

    Args:
        b: where to.
        operator: its name.
        x: the input, (N, C, ...) or (C, ...).
        window: ``kernel``, ``stride``, ``padding``, ``size`` and perhaps ``dilation``, a number for
            each dim pooled.
        places: whether the places are wanted, not the maxima.
        more: further attributes of the node.

    Returns:
        the result's name.

    Raises:
        OnnxExporterError: ``x`` has other dims.
    """
    kernel, stride, padding = (window[name] for name in ("kernel", "stride", "padding"))
    dilation = window.get("dilation", (1,) * len(kernel))
    lengths = x.shape[-len(kernel) :]
    ends = []
    for n, k, s, p, d, size in zip(lengths, kernel, stride, padding, dilation, window["size"]):
        if window_count(n, k, s, p, d) == size:
            ends.append(p)
        else:  # a last window that is not full counts too
            ends.append(max(0, (size - 1) * s + d * (k - 1) + 1 - n - p))
    name = b.of(x)
    missing = len(kernel) + 2 - x.ndim
    if missing > 1 or missing < 0:
        raise OnnxExporterError(f"pooling of an input of shape {x.shape}: ONNX wants (N, C, ...)")
    if missing:
        name = b.node("Unsqueeze", [name, b.integers([0])])
    result = b.node(
        operator,
        [name],
        2 if places else 1,
        kernel_shape=list(kernel),
        strides=list(stride),
        pads=[*padding, *ends],
        dilations=list(dilation) if any(d != 1 for d in dilation) else None,
        **more,
    )
    if places:  # ONNX counts from the first element of all, not of the image
        sizes = [b.sizes.of(x, length(i)) for i in range(x.ndim - len(kernel), x.ndim)]
        area = b.node("ReduceProd", [b.shape(sizes)], keepdims=1)
        result = b.node("Mod", [result[1], area])
    return b.node("Squeeze", [result, b.integers([0])]) if missing else result


@writer("max_pool_indices")
def _max_pool_indices(b: Builder, v: Value) -> str:
    return pooling(b, "MaxPool", v.operands[0], v.attributes, places=True)


@writer("avg_pool")
def _avg_pool(b: Builder, v: Value) -> str:
    mean = pooling(b, "AveragePool", v.operands[0], v.attributes, count_include_pad=1)
    count = math.prod(v.attributes["kernel"])
    return b.node("Mul", [mean, b.constant(np.array(count, v.dtype))])
