"""Cutting tensors up: splits, sliding windows, strided views, and the copying twins of views.

Source: https://pytorch.org/docs/stable/torch.html#indexing-slicing-joining-mutating-ops
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from ..layout import contiguous_format
from . import conversion, diagonals, shape
from .dims import as_int, as_ints, wrap_dim
from .documentation import written
from .operation import Array, composite, operation
from .shape import slice_part

# -- splits -----------------------------------------------------------------------------------


@composite
def tensor_split(input: Any, indices_or_sections: Any, dim: int = 0) -> tuple[Any, ...]:
    """Views of parts along ``dim``.

    Args:
        input: (*), at least one dim.
        indices_or_sections: how many nearly equal parts, the larger ones first; or the places to
            cut at, a sequence or a tensor of them.
        dim: along which.

    Returns:
        A tuple of views.

    Raises:
        RuntimeError: ``input`` has no dims, or the number of parts is below 1.
        IndexError: ``input`` has no dim ``dim``.
    """
    from ..tensor import Tensor

    sizes = input._array.shape
    if not sizes:
        raise RuntimeError(
            "tensor_split expected at least a 1-dimensional tensor, but got a tensor with 0 dims"
        )
    dim = wrap_dim(dim, len(sizes))
    n = sizes[dim]
    where = indices_or_sections
    if isinstance(where, Tensor):
        where = where.tolist()
    if isinstance(where, (list, tuple)):
        cuts = [slice(None, c).indices(n)[1] for c in as_ints(tuple(where), "indices")]
    else:
        sections = as_int(where, "sections")
        if sections <= 0:
            raise RuntimeError(f"number of sections must be larger than 0, got {sections}")
        small, larger = divmod(n, sections)
        cuts = [small * i + min(i, larger) for i in range(1, sections)]
    head = (slice(None),) * dim
    bounds = [0, *cuts, n]
    return tuple(
        slice_part(input, (*head, slice(begin, max(begin, end))))
        for begin, end in zip(bounds, bounds[1:])
    )


def _axis_split(name: str, dim: int, least: int) -> Any:
    def function(input: Any, indices_or_sections: Any) -> tuple[Any, ...]:
        ndim = input._array.ndim
        if ndim < least:
            raise RuntimeError(
                f"torch.{name} requires a tensor with at least {least} dimension"
                f"{'s' if least > 1 else ''}, but got a tensor with {ndim} dimensions!"
            )
        along = 0 if name == "hsplit" and ndim == 1 else dim
        n = input._array.shape[along]
        if not isinstance(indices_or_sections, (list, tuple)):
            sections = as_int(indices_or_sections, "sections")
            if sections <= 0 or n % sections:
                raise RuntimeError(
                    f"torch.{name} attempted to split along dimension {along}, but the size of "
                    f"the dimension {n} is not divisible by the split_size {sections}!"
                )
        return tensor_split(input, indices_or_sections, along)

    function.__name__ = function.__qualname__ = name
    along = "dim 1 (of a vector: dim 0)" if name == "hsplit" else f"dim {dim}"
    function.__doc__ = written(
        f"Views of parts along {along}; see :func:`tensor_split`.",
        f"input: (*), at least {least} dim{'s' if least > 1 else ''}.\n"
        "        indices_or_sections: how many equal parts, or the places to cut at.",
        "A tuple of views.",
        f"RuntimeError: ``input`` has fewer dims, or the size of dim {dim} is no multiple of it.",
    )
    return composite(function)


hsplit = _axis_split("hsplit", 1, 1)
vsplit = _axis_split("vsplit", 0, 2)
dsplit = _axis_split("dsplit", 2, 3)


@composite
def split_with_sizes(input: Any, split_sizes: Any, dim: int = 0) -> tuple[Any, ...]:
    """Views of consecutive parts of the given sizes along ``dim``.

    Args:
        input: (*), at least one dim.
        split_sizes: of all parts; they add up to the size of ``dim``.
        dim: along which.

    Returns:
        A tuple of views.

    Raises:
        RuntimeError: ``input`` has no dims, a size is negative, or they do not add up.
    """
    return shape.split(input, list(split_sizes), dim)


@composite
def unsafe_split(input: Any, split_size: Any, dim: int = 0) -> tuple[Any, ...]:
    """Copies of the parts of :func:`split`, which autograd lets one write to.

    Args:
        input: (*), at least one dim.
        split_size: the size of each part (the last may be less), or all their sizes.
        dim: along which.

    Returns:
        A tuple of tensors.

    Raises:
        RuntimeError: as :func:`split`.
    """
    return tuple(part.clone() for part in shape.split(input, split_size, dim))


@composite
def unsafe_chunk(input: Any, chunks: int, dim: int = 0) -> tuple[Any, ...]:
    """Copies of the parts of :func:`chunk`, which autograd lets one write to.

    Args:
        input: (*), at least one dim.
        chunks: 1 or more.
        dim: along which.

    Returns:
        A tuple of tensors.

    Raises:
        RuntimeError: as :func:`chunk`.
    """
    return tuple(part.clone() for part in shape.chunk(input, chunks, dim))


# -- windows and strides ----------------------------------------------------------------------


def strided_view(array: np.ndarray, size: Any, strides: Any, offset: int) -> np.ndarray:
    """A view of the memory under ``array``: strides in bytes, ``offset`` bytes from its start."""
    owner = array
    while isinstance(owner.base, np.ndarray):
        owner = owner.base
    start = array.ctypes.data - owner.ctypes.data + offset
    if owner.flags.c_contiguous and owner.size:
        flat = owner.reshape(-1).view(array.dtype)
        return np.ndarray(size, array.dtype, flat, start, strides)
    return np.lib.stride_tricks.as_strided(array, size, strides)


def _windows(input_shape: Any, dimension: int, size: int, step: int) -> tuple[int, np.ndarray]:
    """The dim, and for each window the places of its entries along it."""
    n_dims = len(input_shape)
    dim = wrap_dim(dimension, n_dims)
    n = input_shape[dim] if n_dims else 1
    if size < 0:
        raise RuntimeError(f"size is {size} but must be >= 0")
    if size > n:
        raise RuntimeError(f"maximum size for tensor at dimension {dim} is {n} but size is {size}")
    if step <= 0:
        raise RuntimeError(f"step is {step} but must be > 0")
    return dim, np.arange(0, n - size + 1, step)[:, None] + np.arange(size)


@operation(
    view=True,
    name="unfold",
    node_name="UnfoldBackward0",
    samples=(((3, 5), 1, 2, 1), ((3, 5), 0, 2, 1), ((6,), 0, 3, 2), ((), 0, 1, 1)),
)
def unfold(xp, input: Array, dimension: int, size: int, step: int):
    """A view of all windows of ``size`` entries along ``dimension``, ``step`` apart.

    Args:
        input: (*), any shape.
        dimension: along which.
        size: of a window, at most that of the dim.
        step: at least 1.

    Returns:
        the number of windows in the place of ``dimension``, and a last dim of ``size``.

    Raises:
        RuntimeError: ``size`` or ``step`` is out of range.
        IndexError: ``input`` has no dim ``dimension``.
    """
    dim, places = _windows(input.shape, dimension, size, step)
    if not input.ndim:
        return xp.reshape(input, (1,)) if size else xp.full((0,), 0, xp.dtype(input))
    n = input.ndim
    moved = xp.permute(input, (dim, *(d for d in range(n) if d != dim)))
    taken = xp.index(moved, (places,))  # (windows, size, *rest)
    order = list(range(2, n + 1))
    order.insert(dim, 0)
    return xp.permute(taken, (*order, 1))


@unfold.kernel
def _(input, dimension, size, step):
    dim, places = _windows(input.shape, dimension, size, step)
    if not input.ndim:
        return input.reshape(1)[:size]
    sizes, strides = list(input.shape), list(input.strides)
    sizes[dim], strides[dim] = len(places), strides[dim] * step
    return strided_view(input, (*sizes, size), (*strides, input.strides[dim]), 0)


def _windows_replaced(
    xp: Any, base: Any, values: Any, dimension: int, size: int, step: int, accumulate: bool
) -> Any:
    if not base.ndim:
        return xp.reshape(values, ()) if size else base
    dim, places = _windows(base.shape, dimension, size, step)
    n = base.ndim
    order = (dim, *(d for d in range(n) if d != dim))
    front = xp.permute(values, (dim, n, *(d for d in range(n) if d != dim)))
    put = xp.index_put(xp.permute(base, order), (places,), front, accumulate)
    return xp.permute(put, tuple(order.index(d) for d in range(n)))


@unfold.vjp("input")
def _(xp, grad, input_shape, dimension, size, step):
    zeros = xp.full(tuple(input_shape), 0, xp.dtype(grad))
    return _windows_replaced(xp, zeros, grad, dimension, size, step, True)


@unfold.scattered
def _(xp, base, values, dimension, size, step):
    return _windows_replaced(xp, base, values, dimension, size, step, False)


def _offsets(size: Any, stride: Any, offset: int) -> np.ndarray:
    """How far into the memory each element lies."""
    total = np.full(tuple(size), offset, np.int64)
    for dim, (n, step) in enumerate(zip(size, stride)):
        total += (np.arange(n) * step).reshape(n, *(1,) * (len(size) - dim - 1))
    return total


def _places_in(input_shape: Any, size: Any, stride: Any, offset: int, geometry: Any) -> np.ndarray:
    """For each element of a strided view its place among those of ``input``; else the first past
    the end."""
    count = math.prod(input_shape)
    wanted = _offsets(size, stride, offset)
    if geometry is None:
        return np.where((wanted >= 0) & (wanted < count), wanted, count)
    lying = _offsets(input_shape, *geometry).reshape(-1)
    inverse = np.full(max(wanted.max(initial=0), lying.max(initial=0)) + 1, count)
    inverse[lying] = np.arange(count)
    return inverse[wanted]


@operation(view=True, public=False, method=False, name="strided", node_name="AsStridedBackward0",
           samples=(((3, 4), (2, 2), (4, 1), 1), ((6,), (3, 2), (1, 2), 0)))  # fmt: skip
def strided(xp, input: Array, size: Any, stride: Any, offset: int, geometry: Any = None):
    """A view by sizes and strides (in elements) of the memory under ``input``."""
    count = math.prod(input.shape)
    places = _places_in(input.shape, size, stride, offset, geometry)
    return xp.index(xp.reshape(input, (count,)), (places,))


@strided.kernel
def _(input, size, stride, offset, geometry=None):
    item = input.itemsize
    own = 0 if geometry is None else geometry[1]
    return strided_view(input, size, tuple(s * item for s in stride), (offset - own) * item)


@strided.vjp("input")
def _(xp, grad, input_shape, size, stride, offset, geometry):
    count = math.prod(input_shape)
    places = _places_in(input_shape, size, stride, offset, geometry)
    zeros = xp.full((count + 1,), 0, xp.dtype(grad))
    added = xp.index_put(zeros, (places,), grad, True)
    return xp.reshape(xp.slice(added, (slice(0, count),)), tuple(input_shape))


@strided.scattered
def _(xp, base, values, size, stride, offset, geometry=None):
    count = math.prod(base.shape)
    places = _places_in(base.shape, size, stride, offset, geometry)
    flat = xp.reshape(base, (count,))
    return xp.reshape(xp.index_put(flat, (places,), values, False), tuple(base.shape))


@composite
def as_strided(input: Any, size: Any, stride: Any, storage_offset: int | None = None) -> Any:
    """A view of the memory under ``input`` by sizes, strides and offset, all in elements.

    Args:
        input: (*), any shape.
        size: of the result.
        stride: how far neighbours along each dim are apart.
        storage_offset: where the first element lies; None: where that of ``input`` does.

    Returns:
        ``size``.

    Raises:
        RuntimeError: ``size`` and ``stride`` differ in length, or reach beyond the memory.
    """
    size, stride = as_ints(size, "size"), as_ints(stride, "stride")
    if len(size) != len(stride):
        raise RuntimeError(
            f"mismatch in length of strides and shape: {len(stride)} strides, {len(size)} sizes"
        )
    array = input._array
    offset, geometry, available = 0, None, array.size
    if array.__class__ is np.ndarray:
        offset = conversion.storage_offset(input)
        geometry = (conversion.stride(input), offset)
        available = conversion._owner(array).nbytes // max(array.itemsize, 1)
    if storage_offset is not None:
        offset = int(storage_offset)
    last = offset + sum((n - 1) * s for n, s in zip(size, stride))
    if math.prod(size) and (offset < 0 or last >= available or last < 0):
        raise RuntimeError(
            f"setStorage: sizes {list(size)}, strides {list(stride)}, storage offset {offset} "
            f"require more than the {available} elements that the storage has"
        )
    return strided(input, size, stride, offset, geometry)


# -- copies -----------------------------------------------------------------------------------


def _copying(name: str, view: Callable[..., Any]) -> None:
    def function(input: Any, *args: Any, **kwargs: Any) -> Any:
        result = view(input, *args, **kwargs)
        if isinstance(result, tuple):
            return tuple(part.clone(memory_format=contiguous_format) for part in result)
        return result.clone(memory_format=contiguous_format)

    function.__name__ = function.__qualname__ = f"{name}_copy"
    several = name in ("split", "split_with_sizes", "unbind")
    function.__doc__ = written(
        f"What :func:`{name}` gives, in memory of its own.",
        f"input, args, kwargs: as of :func:`{name}`.\n"
        f"        out: {'tensors' if several else 'a tensor'} to write the result into.",
        "A tuple of tensors." if several else f"The shape that :func:`{name}` gives.",
    )
    composite(function, method=name == "narrow", out=True)


for _name, _view in {
    "alias": lambda input: input[...], "as_strided": as_strided, "detach": lambda t: t.detach(),
    "diagonal": diagonals.diagonal, "expand": shape.expand, "narrow": shape.narrow,
    "permute": shape.permute, "select": shape.select, "split": shape.split,
    "split_with_sizes": split_with_sizes, "squeeze": shape.squeeze, "t": shape.t,
    "transpose": shape.transpose, "unbind": shape.unbind, "unfold": unfold,
    "unsqueeze": shape.unsqueeze, "view": shape.view,
}.items():  # fmt: skip
    _copying(_name, _view)


@composite(method=False)
def slice_copy(input: Any, dim: int = 0, start: Any = None, end: Any = None, step: int = 1) -> Any:
    """A copy of the slice ``start:end:step`` along ``dim``.

    Args:
        input: (*), at least one dim.
        dim: along which.
        start, end, step: as of a slice of a list; ``step`` is at least 1.

    Returns:
        The shape with the slice's length at ``dim``.

    Raises:
        IndexError: ``input`` has no dim ``dim``.
    """
    dim = wrap_dim(dim, input._array.ndim)
    return input[(*(slice(None),) * dim, slice(start, end, step))].clone()


@composite(method=False)
def constant_pad_nd(input: Any, pad: Any, value: float = 0) -> Any:
    """``input`` with elements of ``value`` added at both ends of its last dims.

    Args:
        input: (*), any shape.
        pad: for the last dim how many before and behind, then for the last but one, and so on;
            negative numbers cut off.
        value: a number.

    Returns:
        The sizes with what is added, of ``input``'s dtype.

    Raises:
        RuntimeError: ``pad`` has an odd length, or more pairs than there are dims.
    """
    pad = as_ints(pad, "pad")
    ndim = input._array.ndim
    if len(pad) % 2:
        raise RuntimeError("Length of pad must be even but instead it equals " + str(len(pad)))
    if len(pad) > 2 * ndim:
        raise RuntimeError(
            f"Length of pad should be no more than twice the number of dimensions of the input. "
            f"Pad length is {len(pad)} while the input has {ndim} dimensions."
        )
    widths = [(0, 0)] * ndim
    for k in range(len(pad) // 2):
        widths[ndim - 1 - k] = (pad[2 * k], pad[2 * k + 1])
    return shape.constant_pad(input, tuple(widths), value)
