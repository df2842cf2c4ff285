"""Copies, conversions of dtype and device, and plain writes.

Source: https://pytorch.org/docs/stable/tensors.html
"""

from __future__ import annotations

import builtins
from typing import Any

import numpy as np

from .. import dtypes
from ..autograd.grad_mode import GRAD_MODE
from ..device import device as Device
from ..device import resolve
from ..modes import MODES, ConcreteValueNeeded
from ..namespaces.numpy import keeps_order
from ..tensor import Tensor
from ..tensor.indexing import require_real
from ..tensor.views import (
    _before,
    assign,
    check_writable,
    refuse_partial_overlap,
    type_name,
    write_in_place,
)
from .dtype_checks import type_word
from .operation import Array, composite, operation, renamed
from .pointwise import astype


@operation(node_name="CloneBackward0", samples=(((3, 4),),), out=False)
def clone(xp, input: Array, *, memory_format: Any = None):
    """A copy of the elements, in memory of its own; gradients flow through it.

    Args:
        input: (*), any shape.
        memory_format: None, or ``torch.preserve_format``: elements keep their order in memory,
            unless some are one and the same; any other: row-major order.

    Returns:
        (*), of ``input``'s dtype.
    """
    return xp.copy(input)


@clone.kernel
def _(input, memory_format=None):
    keep = memory_format is None or str(memory_format) == "torch.preserve_format"
    return input.copy(order="K" if keep and keeps_order(input) else "C")


@clone.vjp("input")
def _(xp, grad):
    return grad


@composite
def to(input: Tensor, *args: Any, **kwargs: Any) -> Tensor:
    """This tensor with another dtype or on another device; itself if nothing changes.

    Call as ``to(dtype)``, ``to(device, dtype)`` or ``to(other)``, with ``non_blocking``, ``copy``
    and ``memory_format`` by name.

    Args:
        input: (*), any shape.
        dtype: of the result; ``input``'s by default.
        device: "cpu", or what stands for it.
        other: a tensor whose dtype is taken.
        copy: whether there is a copy even if nothing changes.
        non_blocking, memory_format: change nothing here.

    Returns:
        (*).

    Raises:
        TypeError: an argument of another type or name.
        RuntimeError: a device that is unknown.
        AssertionError: a CUDA device, where there is none.
    """
    dtype, device = kwargs.pop("dtype", None), kwargs.pop("device", None)
    copy = kwargs.pop("copy", False)
    kwargs.pop("non_blocking", None)
    kwargs.pop("memory_format", None)
    other = kwargs.pop("other", None)
    if kwargs:
        raise TypeError(f"to() received an unexpected keyword argument '{next(iter(kwargs))}'")
    for argument in args:
        if isinstance(argument, (dtypes.dtype, builtins.type)):
            dtype = argument
        elif isinstance(argument, (Device, str)) or argument.__class__ is int:
            device = argument
        elif isinstance(argument, Tensor):
            other = argument
        elif not (argument is None or isinstance(argument, bool)):
            raise TypeError(
                "to() received an invalid combination of arguments - got "
                f"({', '.join(builtins.type(a).__name__ for a in args)})"
            )
    if other is not None:
        dtype = other.dtype if dtype is None else dtype
    if device is not None:
        resolve(device)
    wanted = input._array.dtype if dtype is None else dtypes.as_dtype("to", dtype).numpy
    if wanted == input._array.dtype:
        return clone(input) if copy else input
    return astype(input, wanted)


def _cast(name: str, dtype: dtypes.dtype) -> None:
    def method(input: Tensor, memory_format: Any = None) -> Tensor:
        wanted = dtype.numpy
        return input if input._array.dtype == wanted else astype(input, wanted)

    method.__name__ = method.__qualname__ = name
    method.__doc__ = (
        f"``input`` as {dtype}, or itself if it is; see :meth:`to`.  ``memory_format`` changes "
        "nothing here."
    )
    setattr(Tensor, name, method)


for _name, _dtype in {
    "float": dtypes.float32, "double": dtypes.float64, "half": dtypes.float16,
    "bfloat16": dtypes.bfloat16, "long": dtypes.int64, "int": dtypes.int32,
    "short": dtypes.int16, "char": dtypes.int8, "byte": dtypes.uint8, "bool": dtypes.bool,
    "cfloat": dtypes.complex64, "cdouble": dtypes.complex128,
}.items():  # fmt: skip
    _cast(_name, _dtype)


@composite
def type(input: Tensor, dtype: Any = None, non_blocking: bool = False) -> Any:
    """The name of the tensor's type, or the tensor converted.

    Args:
        input: (*), any shape.
        dtype: None: the name is returned, such as "torch.FloatTensor"; a dtype, or such a name or
            class: the tensor is converted to it.
        non_blocking: changes nothing here.

    Returns:
        A str, or a tensor (*), ``input`` itself if it has the dtype.

    Raises:
        ValueError: a NumPy type is given.
    """
    if dtype is None:
        return type_name(input)
    if isinstance(dtype, str):
        from ..tensor import legacy_types

        dtype = getattr(legacy_types, dtype.split(".")[-1]).dtype
    elif isinstance(dtype, builtins.type) and issubclass(dtype, np.generic):
        raise ValueError(f"invalid type: 'numpy.{dtype.__name__}'")
    else:
        dtype = getattr(dtype, "dtype", dtype)  # the classes of old, ``torch.FloatTensor``, have it
    return to(input, dtype)


@composite
def type_as(input: Tensor, other: Tensor) -> Tensor:
    """``input`` with the dtype of the tensor ``other``, or itself if it has it: (*)."""
    return to(input, other.dtype)


@composite
def cpu(input: Tensor, memory_format: Any = None) -> Tensor:
    """``input`` itself, (*): it is on the CPU.  ``memory_format`` changes nothing here."""
    return to(input, "cpu")


@composite
def cuda(input: Tensor, device: Any = None, non_blocking: bool = False) -> Tensor:
    """``input`` on a CUDA device.

    Args:
        input: (*), any shape.
        device: a device or its number; None: the current one.
        non_blocking: changes nothing here.

    Raises:
        AssertionError: there is none.
    """
    return to(input, "cuda" if device is None else Device(device))


@composite
def contiguous(input: Tensor, memory_format: Any = None) -> Tensor:
    """``input`` if its elements lie in memory in row-major order, else a copy where they do.

    Args:
        input: (*), any shape.
        memory_format: changes nothing here.

    Returns:
        (*), of ``input``'s dtype.
    """
    array = input._array
    if MODES.capture is not None and not hasattr(array, "batch_memory"):
        return input if MODES.capture.lies_in_order(array) else clone(input)
    if array.__class__ is not np.ndarray or array.flags.c_contiguous:
        return input
    return clone(input, memory_format="contiguous")


@composite
def is_contiguous(input: Tensor, memory_format: Any = None) -> bool:
    """Whether the elements of ``input`` lie in memory in row-major order, a bool.

    Args:
        input: (*), any shape.
        memory_format: changes nothing here.
    """
    array = input._array
    return bool(array.flags.c_contiguous) if array.__class__ is np.ndarray else True


@composite
def stride(input: Tensor, dim: int | None = None) -> Any:
    """For each dim (or one of them) how many elements lie between neighbours in memory.

    Args:
        input: (*), any shape.
        dim: which; None: all.

    Returns:
        An int, or a tuple of one for each dim.

    Raises:
        IndexError: ``input`` has no dim ``dim``.
    """
    from .dims import wrap_dim

    array = input._array
    if array.__class__ is np.ndarray and (array.size or any(array.strides)):
        strides = tuple(s // array.itemsize for s in array.strides)
        if 0 in strides:
            strides = _single_strides(array.shape, strides)
    else:  # NumPy leaves the strides of an empty array at zero
        strides = row_major(tuple(array.shape))
    return strides if dim is None else strides[wrap_dim(dim, len(strides))]


def _single_strides(shape: tuple[int, ...], strides: tuple[int, ...]) -> tuple[int, ...]:
    """``strides`` with a row's for a dim of size 1, where NumPy leaves a new dim at zero."""
    found = list(strides)
    for i in reversed(range(len(shape))):
        if found[i] == 0 and shape[i] == 1:
            found[i] = found[i + 1] * shape[i + 1] if i + 1 < len(shape) else 1
    return tuple(found)


def row_major(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The strides, in elements, of an array of ``shape`` in row-major order."""
    strides, step = [], 1
    for n in reversed(shape):
        strides.append(step)
        step *= max(n, 1)
    return tuple(reversed(strides))


def _owner(array: Any) -> Any:
    while isinstance(array.base, np.ndarray):
        array = array.base
    return array


@composite
def storage_offset(input: Tensor) -> int:
    """How many elements lie before the first one of ``input`` in its memory, an int."""
    array = input._array
    return (array.ctypes.data - _owner(array).ctypes.data) // max(array.itemsize, 1)


@composite
def data_ptr(input: Tensor) -> int:
    """The address of the first element of ``input`` in memory, in bytes, an int."""
    return input._concrete("data_ptr()").ctypes.data


@composite
def untyped_storage(input: Tensor) -> Any:
    """The memory that ``input`` and its views share, an ``UntypedStorage``."""
    from ..tensor.storage import UntypedStorage

    return UntypedStorage(_owner(input._concrete("untyped_storage()")))


@composite
def storage(input: Tensor) -> Any:
    """The elements that ``input`` and its views share, a ``TypedStorage``, as of old."""
    from ..tensor.storage import TypedStorage, warn_of_typed_storage

    warn_of_typed_storage()
    return TypedStorage(_owner(input._concrete("storage()")), input.dtype)


@composite
def pin_memory(input: Tensor, device: Any = None) -> Tensor:
    """``input`` itself: there is no pinned memory on the CPU; ``device`` changes nothing."""
    return input


@composite
def is_pinned(input: Tensor, device: Any = None) -> bool:
    """Whether the memory of ``input`` is pinned: never, on the CPU; ``device`` changes nothing."""
    return False


@composite
def share_memory_(input: Tensor) -> Tensor:
    """Move the elements of ``input`` to memory that child processes share, and return it."""
    from ..tensor.shared_memory import share

    share(input)
    return input


@composite
def is_shared(input: Tensor) -> bool:
    """Whether :meth:`share_memory_` has moved the elements of ``input``, or those that it views."""
    from ..tensor.shared_memory import block_of

    return block_of(input._array) is not None


# -- plain writes -----------------------------------------------------------------------------


@operation(public=False, method=False, out=False, node_name="CopyBackwards",
           samples=(((3, 4), (3, 4)),))  # fmt: skip
def copied_over(xp, input: Array, src: Array):
    """A copy of ``src``, in the place of ``input``, on which it does not depend."""
    return xp.copy(src)


@copied_over.vjp("input")
def _(xp, grad):
    return xp.full(tuple(grad.shape), 0, xp.dtype(grad))


@copied_over.vjp("src")
def _(xp, grad):
    return grad


@composite
def copy_(input: Tensor, src: Any, non_blocking: bool = False) -> Tensor:
    """Overwrite ``input`` with the elements of ``src``, broadcast and converted, and return it.

    Args:
        input: (*), any shape.
        src: a tensor of a shape that broadcasts to that of ``input``, of any dtype.
        non_blocking: changes nothing here.

    Raises:
        TypeError: ``src`` is no tensor.
        RuntimeError: the shape does not broadcast; ``input`` is a leaf that requires a gradient,
            or an expanded view; the two overlap in part.
    """
    if not isinstance(src, Tensor):
        raise TypeError(
            f"copy_(): argument 'other' (position 1) must be Tensor, not {src.__class__.__name__}"
        )
    check_writable(input, "copy_", overlap=src is input)
    if src is input:
        input._bump_version()
        return input
    shape = tuple(input._array.shape)
    value = src
    if value._array.dtype != input._array.dtype:
        value = astype(value, input._array.dtype)
    if tuple(value._array.shape) != shape:
        from .shape import expand

        try:
            value = expand(value, shape)
        except RuntimeError:
            from .dims import broadcast_error

            raise broadcast_error([shape, value._array.shape]) from None
    refuse_partial_overlap(input, src)
    if input._requires_grad and input._base is None and GRAD_MODE.enabled:
        value = copied_over(_before(input), value)
    elif value._requires_grad or input._requires_grad or MODES.capture is not None:
        value = clone(value)  # the source may be this tensor's memory; its history must end here
    elif (
        value._array.__class__ is np.ndarray
        and input._array.__class__ is np.ndarray
        and value is not src
    ):
        pass
    if value._node is not None:
        renamed(value, "CopyBackwards")
    return assign(input, value, "copy_")


@composite
def fill_(input: Tensor, value: Any) -> Tensor:
    """Overwrite every element with ``value``, and return the tensor.

    Args:
        input: (*), any shape.
        value: a number, or a tensor without dims.

    Raises:
        TypeError: ``value`` is an array.
        RuntimeError: ``value`` has dims, or an imaginary part while ``input`` is real, or
            ``input`` is a leaf that requires a gradient.
    """
    if isinstance(value, Tensor):
        if value._array.ndim:
            raise RuntimeError(
                "fill_ only supports 0-dimension value tensor but got tensor with "
                f"{value._array.ndim} dimensions."
            )
        written = copy_(input, value)
        if written._node is not None and written._base is None:
            written._node.renamed = "FillBackward3"
        return written
    if isinstance(value, np.ndarray):
        raise TypeError(
            "fill_() received an invalid combination of arguments - got (numpy.ndarray), but "
            "expected one of:\n * (Number value)\n * (Tensor value)\n"
        )
    return _fill_with_number(input, value, "fill_")


def _fill_with_number(input: Tensor, value: Any, name: str) -> Tensor:
    array = input._array
    require_real(value, array.dtype)
    if array.__class__ is np.ndarray and not input._requires_grad and MODES.capture is None:
        check_writable(input, name, overlap=True)
        array.fill(np.asarray(value).astype(array.dtype))
        input._bump_version()
        return input
    written = write_in_place(input, filled.function, (value,), {}, name)
    if name == "zero_" and written._node is not None and written._base is None:
        written._node.renamed = "ZeroBackward0"
    return written


@operation(public=False, method=False, name="filled", node_name="FillBackward0",
           samples=(((3, 4), 0.5),))  # fmt: skip
def filled(xp, input: Array, value: Any):
    """``value`` in the shape and dtype of ``input``."""
    return xp.full(tuple(input.shape), value, xp.dtype(input))


@filled.vjp("input")
def _(xp, grad):
    return xp.full(tuple(grad.shape), 0, xp.dtype(grad))


@composite
def zero_(input: Tensor) -> Tensor:
    """Overwrite every element of ``input``, (*), with zero, and return it.

    Raises:
        RuntimeError: ``input`` is a leaf that requires a gradient.
    """
    return _fill_with_number(input, 0, "zero_")


@composite
def set_(input: Tensor, source: Tensor) -> Tensor:
    """Let ``input`` be the memory of the tensor ``source``, with its shape and dtype; return it.

    Raises:
        RuntimeError: in a captured program.
    """
    if MODES.capture is not None:
        raise ConcreteValueNeeded("set_()")
    input._array = source._array
    return input


@composite
def resize_(input: Tensor, *size: Any, memory_format: Any = None) -> Tensor:
    """Change the shape in place, and return the tensor; more elements than before are zeros.

    Args:
        input: (*), any shape.
        size: the new shape, as one sequence or several ints.
        memory_format: changes nothing here.

    Raises:
        RuntimeError: ``input`` requires a gradient, or in a captured program.
    """
    from ..tensor.creation import shape_of

    if input._requires_grad:
        raise RuntimeError("cannot resize variables that require grad")
    if MODES.capture is not None:
        raise ConcreteValueNeeded("resize_()")
    shape = shape_of(size)
    resized = np.zeros(shape, input._array.dtype)
    count = min(resized.size, input._array.size)
    resized.reshape(-1)[:count] = input._array.reshape(-1)[:count]
    input._array = resized
    return input


@composite
def index_put_(input: Tensor, indices: Any, values: Tensor, accumulate: bool = False) -> Tensor:
    """Put ``values`` at ``indices``, or add them there, in place.

    Args:
        input: (*), any shape.
        indices: for each leading dim an index tensor (int64, or a bool mask), or None for all of
            it; their shapes broadcast.
        values: a tensor of ``input``'s dtype that broadcasts to the selected shape.
        accumulate: whether to add, also several values at one place, instead of replacing.

    Returns:
        ``input``.

    Raises:
        IndexError: an index is out of range, or of another dtype.
        RuntimeError: ``values`` do not fit or have another dtype; ``input`` is a leaf that
            requires a gradient.
    """
    from .indexing import check_indices, index_put_values

    _require_one_dtype(input, values)
    indices = _expanded_masks(indices)
    array = input._array
    if (
        array.__class__ is np.ndarray
        and values._array.__class__ is np.ndarray
        and not input._requires_grad
        and not values._requires_grad
        and MODES.capture is None
    ):
        check_writable(input, "index_put_")
        plain = tuple(getattr(i, "_array", i) for i in indices)
        check_indices(array.shape, plain)
        key: Any = tuple(slice(None) if i is None else i for i in plain)
        try:
            if accumulate:
                np.add.at(array, key, values._array)
            else:
                array[key] = values._array
        except ValueError:
            index_put_values(input, indices, values, accumulate)  # says what does not fit
            raise
        input._bump_version()
        return input
    return write_in_place(input, index_put_values, (indices, values, accumulate), {}, "index_put_")


def _require_one_dtype(input: Tensor, values: Tensor) -> None:
    if input.dtype is not values.dtype:
        raise RuntimeError(
            "Index put requires the source and destination dtypes match, got "
            f"{type_word(input._array)} for the destination and {type_word(values._array)} for "
            "the source."
        )


def _expanded_masks(indices: Any) -> tuple[Any, ...]:
    """Indices with each mask replaced by the index arrays of its true elements."""
    result: list[Any] = []
    for item in indices:
        array = getattr(item, "_array", item)
        if array is not None and array.dtype == np.bool_:
            result.extend(np.nonzero(array))
        else:
            result.append(item)
    return tuple(result)


@composite
def index_put(input: Tensor, indices: Any, values: Tensor, accumulate: bool = False) -> Tensor:
    """A copy with ``values`` put, or added, at ``indices``.

    Args:
        input: (*), any shape.
        indices: for each leading dim an index tensor (int64, or a bool mask), or None for all of
            it; their shapes broadcast.
        values: a tensor of ``input``'s dtype that broadcasts to the selected shape.
        accumulate: whether to add, also several values at one place, instead of replacing.

    Returns:
        (*), of ``input``'s dtype.

    Raises:
        IndexError: an index is out of range, or of another dtype.
        RuntimeError: ``values`` do not fit or have another dtype.
    """
    from .indexing import index_put_values

    _require_one_dtype(input, values)
    return index_put_values(input, _expanded_masks(indices), values, accumulate)
