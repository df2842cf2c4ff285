"""Rewriting a graph into a smaller one with the same results.

One walk from the operands to the roots: each value is rebuilt on its new operands, replaced by a
simpler one where a rule says so, and shared with an equal one that was built before.  What no root
needs is not rebuilt.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from .graph import Graph, Value, constant
from .origin import inherit
from .symbolic import call_primitive

_FOLDED = 1 << 12
"""Elements of a constant result that is still computed at compile time."""

Rule = Callable[[Value], Value | None]
_RULES: dict[str, list[Rule]] = {}


def _rewrite(*names: str) -> Callable[[Rule], Rule]:
    def register(function: Rule) -> Rule:
        for name in names:
            _RULES.setdefault(name, []).append(function)
        return function

    return register


def _new(primitive: str, *operands: Any, **attributes: Any) -> Value:
    """A value of ``primitive`` with its shape and dtype inferred."""
    from . import symbolic

    return getattr(symbolic, primitive)(*operands, **attributes)


def scalar_of(value: Value) -> Any:
    """The one number that all elements of ``value`` are, None if that is not known."""
    while value.primitive in ("expand", "reshape", "permute"):
        value = value.operands[0]
    if value.primitive == "full":
        return value.attributes["value"]
    if value.primitive == "constant" and value.attributes["array"].size == 1:
        return value.attributes["array"].reshape(()).item()
    return None


def _as(value: Value, shape: tuple[int, ...]) -> Value:
    """``value`` broadcast to ``shape``."""
    if value.shape == shape:
        return value
    return Value("expand", (value,), {"shape": shape}, shape, value.dtype)


# -- shape --------------------------------------------------------------------------------------


@_rewrite("reshape")
def _reshape(value: Value) -> Value | None:
    (x,) = value.operands
    if x.shape == value.shape:
        return x
    if x.primitive == "reshape":
        return Value("reshape", x.operands, value.attributes, value.shape, value.dtype)
    return None


@_rewrite("permute")
def _permute(value: Value) -> Value | None:
    (x,) = value.operands
    dims = tuple(d % x.ndim for d in value.attributes["dims"])
    if dims == tuple(range(x.ndim)):
        return x
    if x.primitive == "permute":
        before = tuple(d % x.ndim for d in x.attributes["dims"])
        return _new("permute", x.operands[0], dims=tuple(before[d] for d in dims))
    return None


@_rewrite("expand")
def _expand(value: Value) -> Value | None:
    (x,) = value.operands
    if x.shape == value.shape:
        return x
    if x.primitive == "expand":
        return _as(x.operands[0], value.shape)
    return None


@_rewrite("slice")
def _slice(value: Value) -> Value | None:
    (x,) = value.operands
    key = value.attributes["key"]
    whole = value.shape == x.shape and all(
        isinstance(k, slice) and k.indices(n) == (0, n, 1)
        for k, n in zip(key, x.shape, strict=False)
    )
    return x if whole else None


@_rewrite("cat")
def _cat(value: Value) -> Value | None:
    return value.operands[0] if len(value.operands) == 1 else None


@_rewrite("pad")
def _pad(value: Value) -> Value | None:
    if all(low == 0 and high == 0 for low, high in value.attributes["widths"]):
        return value.operands[0]
    return None


# -- arithmetic ---------------------------------------------------------------------------------


@_rewrite("mul")
def _mul(value: Value) -> Value | None:
    x, y = value.operands
    for one, other in ((x, y), (y, x)):
        if scalar_of(one) == 1 and value.dtype.kind != "b":
            return _as(other, value.shape)
    return None


@_rewrite("div")
def _div(value: Value) -> Value | None:
    x, y = value.operands
    number = scalar_of(y)
    if number == 1:
        return _as(x, value.shape)
    if number and value.dtype.kind == "f" and abs(number) in _POWERS_OF_TWO:
        reciprocal = constant(np.asarray(1 / number, value.dtype))
        return _new("mul", x, _as(reciprocal, y.shape))
    return None


_POWERS_OF_TWO = frozenset(2.0**k for k in range(-14, 15))


@_rewrite("sub")
def _sub(value: Value) -> Value | None:
    x, y = value.operands
    return _as(x, value.shape) if scalar_of(y) == 0 and value.dtype.kind != "b" else None


@_rewrite("add")
def _add(value: Value) -> Value | None:
    x, y = value.operands
    for zero, other in ((x, y), (y, x)):
        # 0.0 + x is x but for a zero's sign
        if scalar_of(zero) == 0 and value.dtype.kind != "b":
            return _as(other, value.shape)
    return None


@_rewrite("neg")
def _neg(value: Value) -> Value | None:
    (x,) = value.operands
    return x.operands[0] if x.primitive == "neg" else None


@_rewrite("pow")
def _pow(value: Value) -> Value | None:
    x, y = value.operands
    number = scalar_of(y)
    if number == 1:
        return _as(x, value.shape)
    if number == 2:
        square = _new("mul", x, x)
        return _as(square, value.shape)
    return None


@_rewrite("astype")
def _astype(value: Value) -> Value | None:
    (x,) = value.operands
    if x.dtype == value.dtype:
        return x
    return None


@_rewrite("where")
def _where(value: Value) -> Value | None:
    condition, x, y = value.operands
    number = scalar_of(condition)
    if number is None:
        return None
    chosen = x if number else y
    return _as(chosen, value.shape) if chosen.dtype == value.dtype else None


@_rewrite("sum", "prod", "amax", "amin")
def _reduction(value: Value) -> Value | None:
    (x,) = value.operands
    dim = value.attributes["dim"]
    dims = range(x.ndim) if dim is None else tuple(d % x.ndim for d in dim)
    if all(x.shape[d] == 1 for d in dims) and value.dtype == x.dtype:
        return Value("reshape", (x,), {"shape": value.shape}, value.shape, value.dtype)
    return None


# -- gather and scatter with one index per row --------------------------------------------------


@_rewrite("scatter_add", "scatter")
def _one_hot(value: Value) -> Value | None:
    """One index along the dim: a comparison with the positions, which fuses with what follows."""
    x, index, source = value.operands
    if x.ndim == 0:
        return None
    dim = value.attributes["dim"] % x.ndim
    rest = [n for i, n in enumerate(x.shape) if i != dim]
    if index.shape[dim] != 1 or [n for i, n in enumerate(index.shape) if i != dim] != rest:
        return None
    key = tuple(slice(0, n) for n in index.shape)
    source = _simplified(_new("slice", source, key=key))
    positions = _new("arange", start=0, end=x.shape[dim], step=1, dtype=index.dtype)
    shape = tuple(n if i == dim else 1 for i, n in enumerate(x.shape))
    hit = _new("eq", _simplified(_new("reshape", positions, shape=shape)), _checked(index, x, dim))
    if value.primitive == "scatter":
        return _new("where", hit, source, x)
    if scalar_of(x) == 0:
        return _new("where", hit, source, constant(np.zeros((), x.dtype)))
    return _new("add", x, _new("where", hit, source, constant(np.zeros((), x.dtype))))


def _checked(index: Value, x: Value, dim: int) -> Value:
    """``index``, refused at run time where it is outside of ``x``."""
    attributes = {"extent": x.shape[dim]}
    return Value("checked_index", (index,), attributes, index.shape, index.dtype)


# -- pooling ------------------------------------------------------------------------------------


def _pooled_places(index: Value) -> Value | None:
    """The ``max_pool_indices`` that ``index`` is, but for its shape."""
    while index.primitive == "reshape":
        index = index.operands[0]
    return index if index.primitive == "max_pool_indices" else None


def _flattens(flat: tuple[int, ...], shape: tuple[int, ...], dims: int) -> bool:
    return flat == (*shape[:-dims], math.prod(shape[-dims:]))


@_rewrite("gather")
def _pooled(value: Value) -> Value | None:
    """The elements at the places of the maxima are the maxima."""
    flat, index = value.operands
    places = _pooled_places(index)
    if places is None or value.attributes["dim"] % flat.ndim != flat.ndim - 1:
        return None
    (x,) = places.operands
    dims = len(places.attributes["kernel"])
    source = flat.operands[0] if flat.primitive == "reshape" else flat
    if source is not x or not _flattens(flat.shape, x.shape, dims):
        return None
    if not _flattens(index.shape, places.shape, dims):
        return None
    pooled = Value("max_pool", (x,), places.attributes, places.shape, x.dtype)
    return _simplified(_new("reshape", pooled, shape=value.shape))


@_rewrite("scatter_add")
def _unpooled(value: Value) -> Value | None:
    """The gradient of pooling in tiles: each tile's gradient where its maximum was, else 0."""
    zeros, index, grad = value.operands
    places = _pooled_places(index)
    if places is None or scalar_of(zeros) != 0:
        return None
    if value.attributes["dim"] % zeros.ndim != zeros.ndim - 1:
        return None
    (x,) = places.operands
    attributes = places.attributes
    kernel, size = tuple(attributes["kernel"]), places.shape[-len(attributes["kernel"]) :]
    dims = len(kernel)
    if tuple(attributes["stride"]) != kernel or any(attributes["padding"]):
        return None
    if any(d != 1 for d in attributes["dilation"]) or math.prod(kernel) > 127:
        return None
    if not _flattens(zeros.shape, x.shape, dims) or grad.shape != index.shape:
        return None
    if not _flattens(index.shape, places.shape, dims):
        return None
    if any(n * k > m for n, k, m in zip(size, kernel, x.shape[-dims:], strict=True)):
        return None
    leading = places.shape[:-dims]
    offset = Value("max_pool_offset", (x,), attributes, places.shape, np.dtype(np.int8))
    apart = (*leading, *(n for m in size for n in (m, 1)))
    hit = _new("eq", _new("reshape", offset, shape=apart), _taps(kernel, len(leading)))
    spread = _simplified(_new("reshape", _simplified(grad), shape=apart))
    tiles = _new("where", hit, spread, constant(np.zeros((), grad.dtype)))
    covered = (*leading, *(n * k for n, k in zip(size, kernel, strict=True)))
    result = _new("reshape", tiles, shape=covered)
    rest = [(0, m - n) for m, n in zip(x.shape, covered, strict=True)]
    result = _simplified(_new("pad", result, widths=tuple(rest), value=0))
    return _simplified(_new("reshape", result, shape=value.shape))


def _taps(kernel: tuple[int, ...], leading: int) -> Value:
    """The number of each tap of a window, in the shape (1, ..., 1, k0, 1, k1)."""
    total: Value | None = None
    stride = math.prod(kernel)
    for i, k in enumerate(kernel):
        stride //= k
        numbers = _new("arange", start=0, end=k * stride, step=stride, dtype=np.dtype(np.int8))
        shape = (1,) * (leading + 2 * i + 1) + (k,) + (1,) * (2 * (len(kernel) - 1 - i))
        numbers = _new("reshape", numbers, shape=shape)
        total = numbers if total is None else _new("add", total, numbers)
    assert total is not None
    return total


# -- convolution --------------------------------------------------------------------------------


@_rewrite("conv", "conv_weight")
def _padded(value: Value) -> Value | None:
    """Padding as a padded input, so that the inner loops need no conditions."""
    padding = value.attributes["padding"]
    if not any(padding):
        return None
    which = 0 if value.primitive == "conv" else 1
    widths = ((0, 0), (0, 0), *((p, p) for p in padding))
    operands = list(value.operands)
    operands[which] = _simplified(_new("pad", operands[which], widths=widths, value=0))
    attributes = {**value.attributes, "padding": (0,) * len(padding)}
    return Value(value.primitive, tuple(operands), attributes, value.shape, value.dtype)


@_rewrite("conv_input")
def _in_phases(value: Value) -> Value | None:
    """A stride as one convolution without stride for each remainder of the positions by it.

    Along a dim, element ``s * j + r`` of the padded input meets only the taps ``r, r + s, ...``, at
    the window that is the tap's number less than ``j``.
    """
    a = value.attributes
    stride, padding, groups = tuple(a["stride"]), tuple(a["padding"]), a["groups"]
    if all(s == 1 for s in stride) or any(d != 1 for d in a["dilation"]) or value.size == 0:
        return None
    if math.prod(stride) > 16:
        return None
    grad, weight = value.operands
    kernel, spatial = weight.shape[2:], value.shape[2:]
    leading = tuple(value.shape[:2])
    ones, none = (1,) * len(stride), (0,) * len(stride)
    lengths = [-(-(n + 2 * p) // s) for n, p, s in zip(spatial, padding, stride, strict=True)]

    def phase(remainders: tuple[int, ...]) -> Value:
        taps = [slice(r, None, s) for r, s in zip(remainders, stride, strict=True)]
        if any(r >= k for r, k in zip(remainders, kernel, strict=True)):
            return _new("full", shape=(*leading, *lengths), value=0, dtype=value.dtype)
        part = _new("slice", weight, key=(slice(None), slice(None), *taps))
        reach = [g + k - 1 for g, k in zip(grad.shape[2:], part.shape[2:], strict=True)]
        made = _new(
            "conv_input", grad, part, input_shape=(*leading, *reach), stride=ones, padding=none,
            dilation=ones, groups=groups,
        )  # fmt: skip
        rest = [(0, length - n) for length, n in zip(lengths, reach, strict=True)]
        return _new("pad", made, widths=((0, 0), (0, 0), *rest), value=0)

    def interleaved(remainders: tuple[int, ...]) -> Value:
        dim = len(remainders)
        if dim == len(stride):
            return phase(remainders)
        parts = [interleaved((*remainders, r)) for r in range(stride[dim])]
        shape = parts[0].shape
        apart = (*shape[: dim + 3], 1, *shape[dim + 3 :])
        joined = _new("cat", [_new("reshape", v, shape=apart) for v in parts], dim=dim + 3)
        return _new(
            "reshape", joined,
            shape=(*shape[: dim + 2], shape[dim + 2] * len(parts), *shape[dim + 3 :]),
        )  # fmt: skip

    inner = [slice(p, p + n) for p, n in zip(padding, spatial, strict=True)]
    return _new("slice", interleaved(()), key=(slice(None), slice(None), *inner))


# -- the walk -----------------------------------------------------------------------------------


def _simplified(value: Value) -> Value:
    for _ in range(8):
        for rule in _RULES.get(value.primitive, ()):
            simpler = rule(value)
            if simpler is not None:
                break
        else:
            return value
        value = simpler
    return value


def _hashable(attribute: Any) -> Any:
    if isinstance(attribute, np.ndarray):
        return (attribute.dtype.str, attribute.shape, attribute.tobytes())
    if isinstance(attribute, slice):
        return ("slice", attribute.start, attribute.stop, attribute.step)
    if isinstance(attribute, list | tuple):
        return tuple(_hashable(a) for a in attribute)
    if isinstance(attribute, float):
        return ("float", np.float64(attribute).tobytes())
    return (type(attribute).__name__, attribute)


def _key(value: Value) -> Any:
    attributes = tuple(sorted((k, _hashable(a)) for k, a in value.attributes.items()))
    operands = tuple(id(v) for v in value.operands)
    return (value.primitive, operands, attributes, value.shape, value.dtype.str)


def _folded(value: Value) -> Value:
    """``value`` as a constant if all its operands are and it is small."""
    if not value.operands or value.size > _FOLDED or value.primitive == "expand":
        return value
    if any(v.primitive != "constant" for v in value.operands):
        return value
    if value.attributes.get("draws"):
        return value
    from ..namespaces import numpy as xp

    with np.errstate(all="ignore"):
        try:
            result = call_primitive(xp, value, [v.attributes["array"] for v in value.operands])
        except Exception:
            return value  # what fails at compile time fails at run time, where it belongs
    array = np.asarray(result)
    if array.dtype != value.dtype or array.shape != value.shape:
        return value
    return constant(np.asarray(array, order="C"))


def simplify(graph: Graph) -> Graph:
    """A graph on the same inputs with the same results."""
    # what rules put in is shared, and simplified further, by a second walk
    return _walked(_walked(graph))


def _walked(graph: Graph) -> Graph:
    table: dict[int, Value] = {}
    shared: dict[Any, Value] = {}
    keep: list[Value] = []
    for value in graph.values():
        if value.primitive == "input":
            table[id(value)] = value
            continue
        operands = tuple(table[id(v)] for v in value.operands)
        new = value.on(operands)
        if new.primitive == "full" and new.size > 0:
            array = np.asarray(new.attributes["value"]).astype(new.dtype)
            scalar = _shared(constant(array), shared, keep)
            new = _as(scalar, new.shape)
        new = _shared(inherit(_folded(_simplified(new)), value), shared, keep)
        table[id(value)] = new
    return graph.replaced(table)


def _shared(value: Value, shared: dict[Any, Value], keep: list[Value]) -> Value:
    """The first value that is equal to ``value``; an input is equal to none."""
    if value.primitive == "input":
        return value
    keep.append(value)  # its id must not be given to another
    return shared.setdefault(_key(value), value)


__all__ = ["scalar_of", "simplify"]
