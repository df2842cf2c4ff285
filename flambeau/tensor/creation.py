"""Making tensors: from data, from NumPy, and filled with values.

Source: https://pytorch.org/docs/stable/torch.html#creation-ops
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import dtypes
from ..autograd.grad_mode import GRAD_MODE
from ..device import resolve
from ..modes import MODES
from .tensor import Tensor, wrap


def made(array: Any, requires_grad: bool = False, device: Any = None, out: Any = None) -> Tensor:
    """A new tensor of ``array``, on ``device``: what every creation function returns."""
    if device is not None:
        resolve(device)
    if out is not None:
        from .views import write_out

        return write_out("out", wrap(array), out)
    if MODES.capture is not None:
        array = MODES.capture.constant(array)
    tensor = wrap(array)
    if GRAD_MODE.inference:
        tensor._inference = True
    if requires_grad:
        tensor.requires_grad = True
    return tensor


def _beside(tensor: Tensor, array: Any) -> Any:
    """``array``, or one for each member of the batch if ``tensor`` is inside a ``vmap``."""
    source = tensor._array
    if source.__class__ is np.ndarray or MODES.capture is not None:
        return array
    return source.repeated(array) if hasattr(source, "repeated") else array


def shape_of(size: tuple[Any, ...]) -> tuple[int, ...]:
    """The shape meant by ``zeros(2, 3)`` or ``zeros((2, 3))``."""
    from ..ops.dims import as_ints

    if len(size) == 1 and isinstance(size[0], (tuple, list, Tensor)):
        inner = size[0]
        size = tuple(inner.tolist()) if isinstance(inner, Tensor) else tuple(inner)
    shape = as_ints(size, "size")
    for n in shape:
        if n < 0:
            raise RuntimeError(
                f"Trying to create tensor with negative dimension {n}: {list(shape)}"
            )
    return shape


def _dtype(dtype: Any) -> np.dtype:
    if dtype is None:
        return dtypes.get_default_dtype().numpy
    return dtypes.as_dtype("", dtype).numpy


def _from_data(data: Any, dtype: Any) -> np.ndarray:
    """A new array of ``data``: numbers, nested sequences, arrays, tensors."""
    if isinstance(data, Tensor):
        array = data._concrete("tensor()")
        return array.astype(_dtype(dtype)) if dtype is not None else array.copy()
    if isinstance(data, np.ndarray):
        if data.dtype.kind in "OUS":
            raise TypeError(
                f"can't convert np.ndarray of type numpy.{data.dtype.type.__name__}. The only "
                "supported types are: "
                "float64, float32, float16, complex64, complex128, int64, int32, int16, int8, "
                "uint64, uint32, uint16, uint8, and bool."
            )
        if not data.dtype.isnative:
            raise ValueError(
                "given numpy array has byte order different from the native byte order. "
                "Conversion between byte orders is currently not supported."
            )
        return np.array(data, dtype=None if dtype is None else _dtype(dtype), order="C")
    if isinstance(data, (list, tuple)) and _holds_tensors(data):
        data = _unwrapped(data)
    if isinstance(data, str):
        raise TypeError("new(): invalid data type 'str'")
    if data is None:
        raise RuntimeError("Could not infer dtype of NoneType")
    try:
        array = np.array(data)
    except ValueError as error:
        raise _ragged(data) from error
    if array.dtype.kind in "OUSV":
        raise _not_numbers(data)
    if dtype is not None:
        return array.astype(_dtype(dtype))
    if array.dtype.kind in "fc" and (hasattr(data, "dtype") or _has_arrays(data)):
        return array  # NumPy's numbers keep their precision
    if array.dtype.kind == "f":
        return array.astype(dtypes.get_default_dtype().numpy)
    if array.dtype.kind == "c":
        return array.astype(dtypes.default_complex_dtype().numpy)
    if array.size == 0 and not hasattr(data, "dtype"):
        return array.astype(dtypes.get_default_dtype().numpy)
    if array.dtype.kind in "iu" and not isinstance(data, np.generic) and not _has_arrays(data):
        return array.astype(np.int64)
    return array


def _has_arrays(data: Any) -> bool:
    while isinstance(data, (list, tuple)) and data:
        data = data[0]
    return isinstance(data, (np.ndarray, np.generic))


def _holds_tensors(data: Any) -> bool:
    return any(
        isinstance(d, Tensor) or (isinstance(d, (list, tuple)) and _holds_tensors(d)) for d in data
    )


def _unwrapped(data: Any) -> Any:
    if isinstance(data, Tensor):
        if data._array.size != 1 and data._array.ndim:
            return data.tolist()
        return data.item()
    if isinstance(data, (list, tuple)):
        return [_unwrapped(d) for d in data]
    return data


def _ragged(data: Any) -> Exception:
    """PyTorch's error for nested sequences of different lengths."""
    level, depth = data, 0
    while isinstance(level, (list, tuple)) and level:
        lengths = [len(d) if isinstance(d, (list, tuple)) else None for d in level]
        for n in lengths:
            if n != lengths[0]:
                if n is None or lengths[0] is None:
                    return TypeError("only sequences of one depth can be converted to a tensor")
                return ValueError(
                    f"expected sequence of length {lengths[0]} at dim {depth + 1} (got {n})"
                )
        level, depth = level[0], depth + 1
    return ValueError("the nested sequences do not make a tensor")


def _not_numbers(data: Any) -> Exception:
    level = data
    while isinstance(level, (list, tuple)) and level:
        level = level[0]
    if isinstance(level, str):
        return ValueError("too many dimensions 'str'")
    return RuntimeError(f"Could not infer dtype of {type(level).__name__}")


def tensor(
    data: Any,
    *,
    dtype: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """A new tensor with a copy of ``data``.

    Args:
        data: a number, nested sequences, a NumPy array or a tensor.
        dtype: default: that of an array or tensor; of Python numbers bool, int64, or the default
            floating-point dtype.
        device: where it shall live.
        requires_grad: whether operations on it are recorded.
        pin_memory: no effect on the CPU.

    Returns:
        the shape of ``data``: () of a number.

    Raises:
        ValueError: sequences of different lengths, or an array of foreign byte order.
        TypeError: sequences of different depths, a str, or an array of another dtype.
        RuntimeError: something else than numbers.

    Source: https://pytorch.org/docs/stable/generated/torch.tensor.html
    """
    if isinstance(data, Tensor):
        import warnings

        warnings.warn(
            "To copy construct from a tensor, it is recommended to use sourceTensor.detach()."
            "clone() or sourceTensor.detach().clone().requires_grad_(True), rather than "
            "torch.tensor(sourceTensor).",
            UserWarning,
            stacklevel=2,
        )
    return made(_from_data(data, dtype), requires_grad, device)


def as_tensor(data: Any, dtype: Any = None, device: Any = None) -> Tensor:
    """``data`` as a tensor, sharing memory with it where that can be.

    Args:
        data: a tensor (returned itself), a NumPy array (shared), or what :func:`tensor` copies.
        dtype: of the result; another than that of ``data`` makes a copy.
        device: where it shall live.

    Returns:
        the shape of ``data``.

    Raises:
        ValueError, TypeError, RuntimeError: as :func:`tensor` and :func:`from_numpy`.
    """
    if isinstance(data, Tensor):
        return data.to(device=device, dtype=dtype)  # type: ignore[attr-defined]
    if isinstance(data, np.ndarray):
        shared = from_numpy(data)
        return shared if dtype is None else shared.to(dtype)  # type: ignore[attr-defined]
    return made(_from_data(data, dtype), False, device)


def asarray(
    obj: Any, *, dtype: Any = None, device: Any = None, copy: bool | None = None,
    requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """``obj`` as a tensor, sharing memory with it where that can be.

    Args:
        obj: a tensor, a NumPy array, or what :func:`tensor` copies.
        dtype: of the result; another than that of ``obj`` makes a copy.
        device: where it shall live.
        copy: whether memory must (True) or must not (False) be copied; None: where needed.
        requires_grad: whether operations on the result are recorded.

    Returns:
        the shape of ``obj``.

    Raises:
        ValueError: ``copy`` is False, and memory would have to be copied.
        TypeError, RuntimeError: as :func:`tensor` and :func:`from_numpy`.
    """
    result = as_tensor(obj, dtype=dtype, device=device)
    if copy is False:
        held = obj._array if isinstance(obj, Tensor) else obj
        if not isinstance(held, np.ndarray):
            raise ValueError("can't alias arbitrary sequence into a tensor.")
        if result._array is not held and not np.may_share_memory(result._array, held):
            raise ValueError("can't alias tensor of another dtype: copy=False was given")
    if copy:
        result = result.detach().clone()  # type: ignore[attr-defined]
    if requires_grad:
        result.requires_grad_(True)
    return result


_warned: list[bool] = []


def from_numpy(ndarray: np.ndarray) -> Tensor:
    """A tensor that shares the memory of a NumPy array.

    Args:
        ndarray: the array, of any shape.

    Returns:
        its shape and dtype.

    Raises:
        TypeError: not an array, or of a dtype that tensors do not have.
        ValueError: the array has negative strides or a foreign byte order.
    """
    if not isinstance(ndarray, np.ndarray):
        raise TypeError(f"expected np.ndarray (got {type(ndarray).__name__})")
    if not ndarray.dtype.isnative:
        raise ValueError(
            "given numpy array has byte order different from the native byte order. Conversion "
            "between byte orders is currently not supported."
        )
    dtypes.from_numpy_dtype(ndarray.dtype)
    if any(s < 0 for s in ndarray.strides):
        raise ValueError(
            "At least one stride in the given numpy array is negative, and tensors with negative "
            "strides are not currently supported. (You can probably work around this by making a "
            "copy of your array  with array.copy().) "
        )
    if not ndarray.flags.writeable and not _warned:
        import warnings

        _warned.append(True)  # once, as PyTorch does
        warnings.warn(
            "The given NumPy array is not writable, and PyTorch does not support non-writable "
            "tensors. This means writing to this tensor will result in undefined behavior. You "
            "may want to copy the array to protect its data or make it writable before converting "
            "it to a tensor.",
            UserWarning,
            stacklevel=2,
        )
    array = ndarray if type(ndarray) is np.ndarray else ndarray.view(np.ndarray)
    return made(array)


def frombuffer(
    buffer: Any, *, dtype: Any, count: int = -1, offset: int = 0, requires_grad: bool = False
) -> Tensor:
    """A one-dimensional tensor that shares the memory of ``buffer``.

    Args:
        buffer: an object with Python's buffer interface, such as bytes.
        dtype: of the elements.
        count: how many; -1: all.
        offset: how many bytes to skip first.
        requires_grad: whether operations on the result are recorded.

    Returns:
        (count).

    Raises:
        ValueError: ``buffer`` has no such interface, fewer bytes, or no whole number of elements.
    """
    try:
        array = np.frombuffer(buffer, dtype.numpy, count, offset)
    except TypeError:
        raise ValueError("object does not implement Python buffer protocol.") from None
    return made(array, requires_grad)


def _filled(name: str, value: float) -> Any:
    def function(
        *size: Any,
        out: Tensor | None = None,
        dtype: Any = None,
        layout: Any = None,
        device: Any = None,
        pin_memory: bool = False,
        requires_grad: bool = False,
        names: Any = None,
        memory_format: Any = None,
        **shape: Any,
    ) -> Tensor:
        if shape:
            size = (shape.pop("size"),) if "size" in shape else size
            if shape:
                raise TypeError(
                    f"{name}() got an unexpected keyword argument '{next(iter(shape))}'"
                )
        wanted = out._array.dtype if out is not None and dtype is None else _dtype(dtype)
        sizes = shape_of(size)
        if value == 0:
            array = np.zeros(sizes, wanted)
        else:
            array = np.full(sizes, value, wanted)
        return made(array, requires_grad, device, out)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"""A tensor of {name}.

    Args:
        size: the shape, as one sequence or several ints.
        out: a tensor to put the result into.
        dtype: of the result; the default one.
        layout, pin_memory, names, memory_format: change nothing here.
        device: where it shall live.
        requires_grad: whether operations on it are recorded.
        shape: ``size``, by name.

    Returns:
        ``size``.

    Raises:
        RuntimeError: a size is negative.
        TypeError: an unknown argument.
    """
    return function


zeros = _filled("zeros", 0)
ones = _filled("ones", 1)


def empty(
    *size: Any,
    out: Tensor | None = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
    memory_format: Any = None,
    **shape: Any,
) -> Tensor:
    """A tensor whose elements are whatever the memory held.

    Args:
        size: the shape, as one sequence or several ints.
        out: a tensor to put the result into.
        dtype: of the result; the default one.
        layout, pin_memory, memory_format: change nothing here.
        device: where it shall live.
        requires_grad: whether operations on it are recorded.

    Returns:
        ``size``.

    Raises:
        RuntimeError: a size is negative.
    """
    if "size" in shape:
        size = (shape["size"],)
    return made(np.empty(shape_of(size), _dtype(dtype)), requires_grad, device, out)


def full(
    size: Any,
    fill_value: Any,
    *,
    out: Tensor | None = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """A tensor with every element ``fill_value``.

    Args:
        size: the shape, a sequence.
        fill_value: a number, or a tensor of one element.
        out: a tensor to put the result into.
        dtype: of the result; that of a tensor of this number by default.
        layout, pin_memory: change nothing here.
        device: where it shall live.
        requires_grad: whether operations on it are recorded.

    Returns:
        ``size``.

    Raises:
        RuntimeError: a size is negative.
    """
    if isinstance(fill_value, Tensor):
        fill_value = fill_value.item()
    if dtype is None:
        dtype = dtypes.number_dtype(fill_value)
    array = np.full(shape_of((size,)), fill_value, _dtype(dtype))
    return made(array, requires_grad, device, out)


def _like(name: str, what: str) -> Any:
    def function(
        input: Tensor,
        *,
        dtype: Any = None,
        layout: Any = None,
        device: Any = None,
        requires_grad: bool = False,
        pin_memory: bool = False,
        memory_format: Any = None,
    ) -> Tensor:
        wanted = input._array.dtype if dtype is None else _dtype(dtype)
        maker = {"zeros_like": np.zeros, "ones_like": np.ones, "empty_like": np.empty}[name]
        return made(_beside(input, maker(input._array.shape, wanted)), requires_grad, device)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"""A tensor like ``input`` {what}.

    Args:
        input: (*), any shape.
        dtype: of the result; that of ``input`` by default.
        layout, pin_memory, memory_format: change nothing here.
        device: where it shall live.
        requires_grad: whether operations on it are recorded.

    Returns:
        (*).
    """
    return function


zeros_like = _like("zeros_like", "of zeros")
ones_like = _like("ones_like", "of ones")
empty_like = _like("empty_like", "whose elements are whatever the memory held")


def full_like(
    input: Tensor,
    fill_value: Any,
    *,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """A tensor like ``input`` with every element ``fill_value``.

    Args:
        input: (*), any shape.
        fill_value: a number.
        dtype: of the result; that of ``input`` by default.
        layout, pin_memory, memory_format: change nothing here.
        device: where it shall live.
        requires_grad: whether operations on it are recorded.

    Returns:
        (*).
    """
    wanted = input._array.dtype if dtype is None else _dtype(dtype)
    array = _beside(input, np.full(input._array.shape, fill_value, wanted))
    return made(array, requires_grad, device)


def eye(
    n: int, m: int | None = None, *, out: Tensor | None = None, dtype: Any = None,
    layout: Any = None, device: Any = None, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """A matrix with ones on its diagonal and zeros elsewhere.

    Args:
        n: how many rows.
        m: how many columns; n by default.
        out: a tensor to put the result into.
        dtype: of the result; the default one.
        layout: changes nothing here.
        device: where it shall live.
        requires_grad: whether operations on it are recorded.

    Returns:
        (n, m).

    Raises:
        RuntimeError: a size is negative.
    """
    for name, size in (("n", n), ("m", m)):
        if size is not None and size < 0:
            raise RuntimeError(f"{name} must be greater or equal to 0, got {size}")
    return made(np.eye(n, m, dtype=_dtype(dtype)), requires_grad, device, out)


def scalar_tensor(s: Any, *, dtype: Any = None, device: Any = None, **options: Any) -> Tensor:
    """A tensor without dims.

    Args:
        s: the number.
        dtype: of the result; the default one.
        device: where it shall live.
        options: ``requires_grad``; others change nothing.

    Returns:
        ().
    """
    return made(np.asarray(s).astype(_dtype(dtype)), options.get("requires_grad", False), device)


# -- methods that make tensors like another ---------------------------------------------------


def _new(name: str) -> Any:
    def method(self: Tensor, *size: Any, dtype: Any = None, device: Any = None,
               requires_grad: bool = False, layout: Any = None, pin_memory: bool = False,
               **shape: Any) -> Tensor:  # fmt: skip
        if "size" in shape:
            size = (shape["size"],)
        maker = {"new_zeros": np.zeros, "new_ones": np.ones, "new_empty": np.empty}[name]
        wanted = self._array.dtype if dtype is None else _dtype(dtype)
        return made(_beside(self, maker(shape_of(size), wanted)), requires_grad, device)

    method.__name__ = method.__qualname__ = name
    method.__doc__ = f"""A tensor as by ``torch.{name[4:]}``, of this one's dtype and device.

    Args:
        size: the shape, as one sequence or several ints.
        dtype, device, requires_grad: as of ``torch.{name[4:]}``.
        layout, pin_memory: change nothing here.
        shape: ``size``, by name.

    Raises:
        RuntimeError: a size is negative.
    """
    return method


new_zeros, new_ones, new_empty = _new("new_zeros"), _new("new_ones"), _new("new_empty")


def new_full(
    self: Tensor, size: Any, fill_value: Any, *, dtype: Any = None, device: Any = None,
    requires_grad: bool = False, layout: Any = None, pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """A tensor filled with a value, of this one's dtype and device unless told otherwise.

    Args:
        size: the shape, a sequence.
        fill_value: a number.
        dtype, device, requires_grad: as of :func:`full`.
        layout, pin_memory: change nothing here.

    Raises:
        RuntimeError: a size is negative.
    """
    wanted = self._array.dtype if dtype is None else _dtype(dtype)
    array = _beside(self, np.full(shape_of((size,)), fill_value, wanted))
    return made(array, requires_grad, device)


def new_tensor(
    self: Tensor, data: Any, *, dtype: Any = None, device: Any = None,
    requires_grad: bool = False, layout: Any = None, pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """A tensor with a copy of ``data``, of this one's dtype and device unless told otherwise.

    Args:
        data: a number, nested sequences, an array or a tensor.
        dtype, device, requires_grad: as of :func:`tensor`.
        layout, pin_memory: change nothing here.

    Raises:
        ValueError, TypeError, RuntimeError: as :func:`tensor`.
    """
    return made(_from_data(data, self.dtype if dtype is None else dtype), requires_grad, device)


def is_tensor(obj: Any) -> bool:
    """Whether ``obj`` is a Tensor."""
    return isinstance(obj, Tensor)


def numel(input: Tensor) -> int:
    """The number of elements of the tensor ``input``, an int."""
    return input.numel()


__all__ = [
    "as_tensor", "asarray", "empty", "empty_like", "eye", "from_numpy", "frombuffer", "full",
    "full_like", "is_tensor", "numel", "ones", "ones_like", "scalar_tensor", "tensor", "zeros",
    "zeros_like",
]  # fmt: skip
