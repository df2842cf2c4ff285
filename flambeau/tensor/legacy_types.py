"""The constructors of old: ``Tensor(2, 3)``, ``FloatTensor(data)`` and its kin.

Source: https://pytorch.org/docs/stable/tensors.html#data-types
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .. import dtypes
from ..size import Size
from .creation import _from_data, shape_of
from .tensor import Tensor, new_object

__all__ = [
    "BFloat16Tensor", "BoolTensor", "ByteTensor", "CharTensor", "DoubleTensor", "FloatTensor",
    "HalfTensor", "IntTensor", "LongTensor", "ShortTensor",
]  # fmt: skip


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
