"""Making tensors: from data, from NumPy, and filled with values.

Source: https://pytorch.org/docs/stable/torch.html#creation-ops
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import dtypes
from ..autograd.grad_mode import GRAD_MODE
from ..device import resolve
from ..modes import MODES
from ..size import Size
from .tensor import Tensor, new_object, wrap


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
        if np.dtype(_dtype(dtype)).kind in "iu" and array.dtype.kind == "u":
            pass
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
    """``data`` as a tensor, sharing memory with it where that can be."""
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
    """``obj`` as a tensor; ``copy``: whether memory must (True) or must not (False) be copied."""
    result = as_tensor(obj, dtype=dtype, device=device)
    if copy:
        result = result.detach().clone()  # type: ignore[attr-defined]
    if requires_grad:
        result.requires_grad_(True)
    return result


def from_numpy(ndarray: np.ndarray) -> Tensor:
    """A tensor that shares the memory of a NumPy array.

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
    if not ndarray.flags.writeable:
        import warnings

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
    """A one-dimensional tensor that shares the memory of ``buffer``."""
    array = np.frombuffer(buffer, dtype.numpy, count, offset)
    return made(array, requires_grad)


def _filled(name: str, value: float, doc: str) -> Any:
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
    function.__doc__ = doc
    return function


zeros = _filled("zeros", 0, "A tensor of zeros, of the given shape.")
ones = _filled("ones", 1, "A tensor of ones, of the given shape.")


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
    """A tensor of the given shape whose elements are whatever the memory held."""
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
    """A tensor of the shape ``size`` filled with ``fill_value``, whose type decides the dtype."""
    if isinstance(fill_value, Tensor):
        dtype = fill_value.dtype if dtype is None else dtype
        fill_value = fill_value.item()
    if dtype is None:
        dtype = dtypes.number_dtype(fill_value)
    array = np.full(shape_of((size,)), fill_value, _dtype(dtype))
    return made(array, requires_grad, device, out)


def _like(name: str, doc: str) -> Any:
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
    function.__doc__ = doc
    return function


zeros_like = _like("zeros_like", "Zeros in the shape and dtype of ``input``.")
ones_like = _like("ones_like", "Ones in the shape and dtype of ``input``.")
empty_like = _like("empty_like", "An uninitialised tensor in the shape and dtype of ``input``.")


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
    """``fill_value`` in the shape and dtype of ``input``."""
    wanted = input._array.dtype if dtype is None else _dtype(dtype)
    array = _beside(input, np.full(input._array.shape, fill_value, wanted))
    return made(array, requires_grad, device)


def arange(
    *args: Any,
    out: Tensor | None = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
    **named: Any,
) -> Tensor:
    """Numbers from ``start`` (0) up to but without ``end``, ``step`` (1) apart.

    Call as ``arange(end)``, ``arange(start, end)`` or ``arange(start, end, step)``.
    """
    start, end, step = named.pop("start", 0), named.pop("end", None), named.pop("step", 1)
    if named:
        raise TypeError(f"arange() got an unexpected keyword argument '{next(iter(named))}'")
    if len(args) == 1:
        if end is None:
            (end,) = args
        else:
            (start,) = args
    elif len(args) == 2:
        start, end = args
    elif len(args) == 3:
        start, end, step = args
    start, end, step = (v.item() if isinstance(v, Tensor) else v for v in (start, end, step))
    if end is None:
        raise TypeError("arange() missing 1 required positional argument: 'end'")
    if step == 0:
        raise RuntimeError("step must be nonzero")
    if not (math.isfinite(start) and math.isfinite(end)):
        raise RuntimeError(f"unsupported range: {start} -> {end}")
    if (end - start) * step < 0:
        raise RuntimeError("upper bound and lower bound inconsistent with step sign")
    if dtype is None and out is None:
        whole = all(isinstance(v, (int, np.integer)) for v in (start, end, step))
        dtype = dtypes.int64 if whole else dtypes.get_default_dtype()
    wanted = _dtype(dtype) if dtype is not None else out._array.dtype  # type: ignore[union-attr]
    if wanted.kind in "iu" and int(step) == 0:
        raise ValueError("step must be nonzero")
    count = math.ceil((end - start) / step)
    if wanted.kind in "iu":
        array = (int(start) + int(step) * np.arange(count, dtype=np.int64)).astype(wanted)
        if not all(isinstance(v, (int, np.integer)) for v in (start, end, step)):
            array = (start + step * np.arange(count)).astype(wanted)
    else:
        array = (start + step * np.arange(count, dtype=np.float64)).astype(wanted)
    return made(array, requires_grad, device, out)


def _ends(name: str, start: Any, end: Any, steps: Any) -> tuple[Any, Any]:
    """The first and the last number as Python's; refuses what PyTorch refuses."""
    given = [v._array.ndim for v in (start, end) if isinstance(v, Tensor)]
    if any(given):
        dims = [v._array.ndim if isinstance(v, Tensor) else 0 for v in (start, end)]
        raise RuntimeError(
            f"{name} only supports 0-dimensional start and end tensors, but got start with "
            f"{dims[0]} dimension(s) and end with {dims[1]} dimension(s)."
        )
    if not hasattr(steps, "__index__"):
        got = ", ".join("Tensor" if isinstance(v, Tensor) else type(v).__name__
                        for v in (start, end, steps))  # fmt: skip
        raise TypeError(
            f"{name}() received an invalid combination of arguments - got ({got}), but expected "
            "one of:\n * (Number start, Number end, int steps)\n"
        )
    if steps < 0:
        raise RuntimeError("number of steps must be non-negative")
    start, end = (v.item() if isinstance(v, Tensor) else v for v in (start, end))
    return start, end


def linspace(
    start: Any,
    end: Any,
    steps: int,
    *,
    out: Tensor | None = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """``steps`` numbers evenly spaced from ``start`` to ``end``, both included."""
    start, end = _ends("linspace", start, end, steps)
    wanted = _dtype(dtype)
    if steps == 1:
        array = np.array([start]).astype(wanted)
    elif wanted.kind == "f":
        # As PyTorch does it: from both ends towards the middle, in the result's precision, product
        # and sum rounded once in single and double precision.
        step = wanted.type((wanted.type(end) - wanted.type(start)) / max(steps - 1, 1))
        fused = {"f": np.float64, "d": np.longdouble}.get(wanted.char, wanted.type)
        places = np.arange(steps)
        head = fused(wanted.type(start)) + fused(step) * places.astype(fused)
        tail = fused(wanted.type(end)) - fused(step) * (steps - 1 - places).astype(fused)
        array = np.where(places < steps // 2, head, tail).astype(wanted)
    else:
        step = (end - start) / max(steps - 1, 1)
        places = np.arange(steps)
        exact = np.where(places < steps // 2, start + step * places,
                         end - step * (steps - 1 - places))  # fmt: skip
        array = np.trunc(exact).astype(wanted) if wanted.kind in "iu" else exact.astype(wanted)
    return made(array, requires_grad, device, out)


def logspace(
    start: Any, end: Any, steps: int, base: float = 10.0, *, out: Tensor | None = None,
    dtype: Any = None, layout: Any = None, device: Any = None, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """``base`` to the power of ``steps`` evenly spaced exponents from ``start`` to ``end``."""
    start, end = _ends("logspace", start, end, steps)
    wanted = _dtype(dtype)
    array = np.power(float(base), np.linspace(start, end, steps)).astype(wanted)
    return made(array, requires_grad, device, out)


def eye(
    n: int, m: int | None = None, *, out: Tensor | None = None, dtype: Any = None,
    layout: Any = None, device: Any = None, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """An ``n`` by ``m`` (``n``) matrix with ones on its diagonal and zeros elsewhere."""
    for name, size in (("n", n), ("m", m)):
        if size is not None and size < 0:
            raise RuntimeError(f"{name} must be greater or equal to 0, got {size}")
    return made(np.eye(n, m, dtype=_dtype(dtype)), requires_grad, device, out)


def scalar_tensor(s: Any, *, dtype: Any = None, device: Any = None, **options: Any) -> Tensor:
    """A 0-d tensor of a number, of the default dtype if none is given."""
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
    method.__doc__ = f"A tensor as by ``torch.{name[4:]}``, of this one's dtype and device."
    return method


new_zeros, new_ones, new_empty = _new("new_zeros"), _new("new_ones"), _new("new_empty")


def new_full(
    self: Tensor, size: Any, fill_value: Any, *, dtype: Any = None, device: Any = None,
    requires_grad: bool = False, layout: Any = None, pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """A tensor of the shape ``size`` filled with a value, of this one's dtype and device."""
    wanted = self._array.dtype if dtype is None else _dtype(dtype)
    array = _beside(self, np.full(shape_of((size,)), fill_value, wanted))
    return made(array, requires_grad, device)


def new_tensor(
    self: Tensor, data: Any, *, dtype: Any = None, device: Any = None,
    requires_grad: bool = False, layout: Any = None, pin_memory: bool = False,
) -> Tensor:  # fmt: skip
    """A tensor with a copy of ``data``, of this one's dtype and device."""
    return made(_from_data(data, self.dtype if dtype is None else dtype), requires_grad, device)


# -- the constructors of old ------------------------------------------------------------------


def legacy_constructor(cls: type, dtype: dtypes.dtype, *args: Any, **kwargs: Any) -> Tensor:
    """``Tensor(2, 3)``, ``Tensor(data)``, ``FloatTensor(data)``."""
    kwargs.pop("device", None)
    if kwargs:
        raise TypeError(f"new() received an invalid combination of arguments: {sorted(kwargs)}")
    result: Any = new_object(cls)
    if (
        len(args) == 1
        and isinstance(args[0], (list, tuple, np.ndarray, Tensor))
        and not isinstance(args[0], Size)
    ):
        data = args[0]
        if isinstance(data, Tensor):
            if cls is not Tensor and issubclass(cls, Tensor):
                result._array = data._array
                return result
            if data.dtype is not dtype:
                raise TypeError(
                    f"expected {dtype} (got {data.dtype}); use .to() to convert a tensor"
                )
            result._array = data._array
            return result
        result._array = _from_data(data, dtype)
        return result
    shape = shape_of(args) if args else (0,)
    result._array = np.zeros(shape, dtype.numpy)
    return result


class _LegacyType(type):
    """``isinstance(t, FloatTensor)`` asks for the dtype."""

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, Tensor) and instance.dtype is cls.dtype  # type: ignore[attr-defined]


def _legacy_type(name: str, dtype: dtypes.dtype) -> Any:
    def __new__(cls: Any, *args: Any, **kwargs: Any) -> Tensor:
        return legacy_constructor(Tensor, dtype, *args, **kwargs)

    return _LegacyType(
        name,
        (),
        {"__new__": __new__, "dtype": dtype, "__module__": "torch",
         "__doc__": f"Tensors of {dtype}, in the way of old: use ``torch.tensor(..., dtype=)``."},
    )  # fmt: skip


FloatTensor = _legacy_type("FloatTensor", dtypes.float32)
DoubleTensor = _legacy_type("DoubleTensor", dtypes.float64)
HalfTensor = _legacy_type("HalfTensor", dtypes.float16)
BFloat16Tensor = _legacy_type("BFloat16Tensor", dtypes.bfloat16)
LongTensor = _legacy_type("LongTensor", dtypes.int64)
IntTensor = _legacy_type("IntTensor", dtypes.int32)
ShortTensor = _legacy_type("ShortTensor", dtypes.int16)
CharTensor = _legacy_type("CharTensor", dtypes.int8)
ByteTensor = _legacy_type("ByteTensor", dtypes.uint8)
BoolTensor = _legacy_type("BoolTensor", dtypes.bool)


def is_tensor(obj: Any) -> bool:
    """Whether ``obj`` is a Tensor."""
    return isinstance(obj, Tensor)


def numel(input: Tensor) -> int:
    """The number of elements of ``input``."""
    return input.numel()


__all__ = [
    "BFloat16Tensor", "BoolTensor", "ByteTensor", "CharTensor", "DoubleTensor", "FloatTensor",
    "HalfTensor", "IntTensor", "LongTensor", "ShortTensor", "arange", "as_tensor", "asarray",
    "empty", "empty_like", "eye", "from_numpy", "frombuffer", "full", "full_like", "is_tensor",
    "linspace", "logspace", "numel", "ones", "ones_like", "scalar_tensor", "tensor", "zeros",
    "zeros_like",
]  # fmt: skip
