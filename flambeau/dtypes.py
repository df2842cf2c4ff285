"""Data types as PyTorch names them, their limits, and its rules of type promotion.

PyTorch sorts operands into three classes: tensors with dims, 0-d tensors, Python numbers.  A lower
class changes the result's dtype only where its *kind* (bool < integer < floating < complex) is
higher than that of the classes above it; within a class, dtypes promote as usual.

Source: https://pytorch.org/docs/stable/tensor_attributes.html
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = [
    "bfloat16", "bool", "can_cast", "cdouble", "cfloat", "complex128", "complex64", "double",
    "dtype", "finfo", "float", "float16", "float32", "float64", "float8_e4m3fn", "float8_e5m2",
    "get_default_dtype", "half", "iinfo", "int", "int16", "int32", "int64", "int8", "long",
    "promote_types", "set_default_dtype", "short", "uint16", "uint32", "uint64", "uint8",
]  # fmt: skip


class dtype:
    """The type of a tensor's elements, for example ``flambeau.float32``; made here only.

    Args:
        name: as it is printed, less ``torch.``.
        numpy: the NumPy dtype of the arrays that hold such elements.
        kind: BOOL, INTEGER, FLOATING or COMPLEX.
        itemsize: bytes of one element.
        signed: whether there are negative numbers.

    Attributes:
        is_floating_point, is_complex, is_signed: what kind of number it is.
    """

    __slots__ = (
        "name", "_numpy", "is_floating_point", "is_complex", "is_signed", "itemsize", "_kind",
    )  # fmt: skip

    def __init__(self, name: str, numpy: Any, kind: Any, itemsize: Any, signed: Any) -> None:
        self.name = name
        self._numpy = numpy
        self.is_floating_point = kind == 2
        self.is_complex = kind == 3
        self.is_signed = signed
        self.itemsize = itemsize
        self._kind = kind

    @property
    def numpy(self) -> np.dtype:
        """The NumPy dtype of the arrays that hold such elements.

        Raises:
            ImportError: it is one of ``ml_dtypes``, which is not installed.
        """
        if self._numpy is None:
            self._numpy = _extension_dtype(self)
        return self._numpy

    def to_complex(self) -> dtype:
        """The complex dtype of this precision."""
        return {"float64": complex128, "complex128": complex128}.get(self.name, complex64)

    def to_real(self) -> dtype:
        """The real dtype of this precision."""
        return {"complex64": float32, "complex128": float64}.get(self.name, self)

    def __repr__(self) -> str:
        return f"torch.{self.name}"

    def __reduce__(self) -> str:
        return self.name

    def __copy__(self) -> dtype:
        return self

    def __deepcopy__(self, memo: dict) -> dtype:
        return self


def _extension_dtype(dtype: dtype) -> np.dtype:
    """The NumPy dtype of a type that NumPy itself lacks (``ml_dtypes`` has it)."""
    try:
        import ml_dtypes
    except ImportError:
        raise ImportError(f"{dtype} needs ml_dtypes: pip install 'flambeau[dtypes]'") from None
    found = np.dtype(getattr(ml_dtypes, dtype.name))
    _BY_NUMPY[found] = dtype
    return found


BOOL, INTEGER, FLOATING, COMPLEX = range(4)

bool = dtype("bool", np.dtype(np.bool_), BOOL, 1, False)
uint8 = dtype("uint8", np.dtype(np.uint8), INTEGER, 1, False)
uint16 = dtype("uint16", np.dtype(np.uint16), INTEGER, 2, False)
uint32 = dtype("uint32", np.dtype(np.uint32), INTEGER, 4, False)
uint64 = dtype("uint64", np.dtype(np.uint64), INTEGER, 8, False)
int8 = dtype("int8", np.dtype(np.int8), INTEGER, 1, True)
int16 = short = dtype("int16", np.dtype(np.int16), INTEGER, 2, True)
int32 = int = dtype("int32", np.dtype(np.int32), INTEGER, 4, True)
int64 = long = dtype("int64", np.dtype(np.int64), INTEGER, 8, True)
float16 = half = dtype("float16", np.dtype(np.float16), FLOATING, 2, True)
bfloat16 = dtype("bfloat16", None, FLOATING, 2, True)
float32 = float = dtype("float32", np.dtype(np.float32), FLOATING, 4, True)
float64 = double = dtype("float64", np.dtype(np.float64), FLOATING, 8, True)
complex64 = cfloat = dtype("complex64", np.dtype(np.complex64), COMPLEX, 8, True)
complex128 = cdouble = dtype("complex128", np.dtype(np.complex128), COMPLEX, 16, True)
float8_e4m3fn = dtype("float8_e4m3fn", None, FLOATING, 1, True)
float8_e5m2 = dtype("float8_e5m2", None, FLOATING, 1, True)

DTYPES = (
    bool, uint8, uint16, uint32, uint64, int8, int16, int32, int64, float16, bfloat16, float32,
    float64, complex64, complex128, float8_e4m3fn, float8_e5m2,
)  # fmt: skip

_BY_NUMPY: dict[np.dtype, dtype] = {d._numpy: d for d in DTYPES if d._numpy is not None}


def from_numpy_dtype(numpy_dtype: Any) -> dtype:
    """The dtype whose arrays have ``numpy_dtype``; TypeError where there is none."""
    found = _BY_NUMPY.get(numpy_dtype)
    if found is None:
        numpy_dtype = np.dtype(numpy_dtype)
        found = _BY_NUMPY.get(numpy_dtype)
        if found is None and numpy_dtype.name in ("bfloat16", "float8_e4m3fn", "float8_e5m2"):
            found = next(d for d in DTYPES if d.name == numpy_dtype.name)
            _BY_NUMPY[numpy_dtype] = found
        if found is None:
            raise TypeError(
                f"can't convert np.ndarray of type numpy.{numpy_dtype.type.__name__}. The only "
                "supported types are: "
                "float64, float32, float16, complex64, complex128, int64, int32, int16, int8, "
                "uint64, uint32, uint16, uint8, and bool."
            )
    return found


# -- the default dtype ------------------------------------------------------------------------

_default = float32


def get_default_dtype() -> dtype:
    """The dtype of floating-point results and literals that no tensor decides (float32)."""
    return _default


def set_default_dtype(d: dtype) -> None:
    """Set the default floating-point dtype to ``d``.

    Raises:
        TypeError: ``d`` is not a floating-point dtype.
    """
    global _default
    if not isinstance(d, dtype) or not d.is_floating_point:
        what = "" if isinstance(d, dtype) else "invalid dtype object: "
        raise TypeError(f"{what}only floating-point types are supported as the default type")
    _default = d


def default_complex_dtype() -> dtype:
    """The complex dtype of the default dtype's precision."""
    return complex128 if _default is float64 else complex64


# -- promotion --------------------------------------------------------------------------------

_FLOAT_ORDER = {float16: 1, bfloat16: 1, float32: 2, float64: 3}


def as_dtype(function: str, value: Any, argument: str = "dtype", position: Any = 0) -> dtype:
    """The dtype that ``value`` names: a dtype, or ``float``, ``int``, ``bool``, ``complex``.

    Raises:
        TypeError: it is anything else (NumPy's dtypes are not PyTorch's); the error names
            ``function`` and its ``argument`` (at ``position``, if that is given).
    """
    if value.__class__ is dtype:
        return value
    known = _OF_PYTHON.get(value) if isinstance(value, _PYTHON_TYPE) else None
    if known is not None:
        return known
    kind = type(value)
    name = f"{kind.__module__}.{kind.__name__}" if kind.__module__ != "builtins" else kind.__name__
    place = f" (position {position})" if position else ""
    call = f"{function}(): " if function else ""
    raise TypeError(f"{call}argument '{argument}'{place} must be torch.dtype, not {name}")


def promote_types(type1: dtype, type2: dtype) -> dtype:
    """The smallest dtype that can hold values of the dtypes ``type1`` and ``type2``.

    >>> import flambeau as torch
    >>> torch.promote_types(torch.int32, torch.float16)
    torch.float16

    Raises:
        TypeError: an argument is no dtype.
        RuntimeError: one is uint16, uint32 or uint64 and the other signed.
    """
    if type1.__class__ is not dtype or type2.__class__ is not dtype:
        type1 = as_dtype("promote_types", type1, "type1", 1)
        type2 = as_dtype("promote_types", type2, "type2", 2)
    if type1 is type2:
        return type1
    if type1._kind < type2._kind:
        type1, type2 = type2, type1
    if type1._kind == COMPLEX:
        if type2 in (float64, complex128):
            return complex128
        return type1
    if type1._kind == FLOATING:
        if type2._kind != FLOATING:
            return type1
        if _FLOAT_ORDER.get(type1, 0) == _FLOAT_ORDER.get(type2, 0):
            return float32  # float16 with bfloat16
        return type1 if _FLOAT_ORDER.get(type1, 0) > _FLOAT_ORDER.get(type2, 0) else type2
    if type2._kind == BOOL:
        return type1
    if type1.is_signed == type2.is_signed:
        return type1 if type1.itemsize >= type2.itemsize else type2
    signed, unsigned = (type1, type2) if type1.is_signed else (type2, type1)
    if unsigned is uint8:
        return int16 if signed is int8 else signed
    raise RuntimeError(
        f"Promotion for uint16, uint32, uint64 types is not supported, attempted to promote "
        f"{type1.name} and {type2.name}"
    )


def number_dtype(value: Any) -> dtype:
    """The dtype that the Python number ``value`` has as a tensor."""
    if value is True or value is False:
        return bool
    if isinstance(value, (complex, np.complexfloating)):
        return default_complex_dtype()
    if isinstance(value, (_PYTHON_FLOAT, np.floating, np.bool_)):  # np.bool_: as PyTorch has it
        return _default
    return int64


_PYTHON_FLOAT = (1.0).__class__
_PYTHON_TYPE: Any = object.__class__
_OF_PYTHON = {_PYTHON_FLOAT: float64, (1).__class__: int64, True.__class__: bool,
              1j.__class__: complex128}  # fmt: skip


class Promotion:
    """The dtype of an operation's result, gathered operand by operand."""

    __slots__ = ("dims", "zero_dims", "numbers")

    def __init__(self) -> None:
        self.dims: dtype | None = None
        self.zero_dims: dtype | None = None
        self.numbers: dtype | None = None

    def add_array(self, found: dtype, ndim: Any) -> None:
        """Take in a tensor of dtype ``found`` with ``ndim`` dims."""
        if ndim:
            self.dims = found if self.dims is None else promote_types(self.dims, found)
        else:
            self.zero_dims = (
                found if self.zero_dims is None else promote_types(self.zero_dims, found)
            )

    def add_number(self, value: Any) -> None:
        """Take in the Python number ``value``."""
        found = number_dtype(value)
        self.numbers = found if self.numbers is None else promote_types(self.numbers, found)

    def result(self) -> dtype:
        """The dtype of the operation's result."""
        result = self.dims
        for other in (self.zero_dims, self.numbers):
            if other is None:
                continue
            if result is None:
                result = other
            elif other._kind > result._kind:
                if other._kind == COMPLEX and result._kind == FLOATING:
                    other = complex128 if result is float64 else complex64
                result = other if other is not self.numbers else promote_types(result, other)
        assert result is not None
        return result


def can_cast(from_: dtype, to: dtype) -> Any:
    """Whether PyTorch allows a result of dtype ``from_`` to be written as dtype ``to``.

    Raises:
        TypeError: an argument is no dtype.
    """
    if from_.__class__ is not dtype or to.__class__ is not dtype:
        from_ = as_dtype("can_cast", from_, "from_", 1)
        to = as_dtype("can_cast", to, "to", 2)
    if from_._kind == COMPLEX and to._kind != COMPLEX:
        return False
    if from_._kind == FLOATING and to._kind < FLOATING:
        return False
    return not (from_._kind != BOOL and to._kind == BOOL)


# -- limits -----------------------------------------------------------------------------------


class finfo:
    """Limits of a floating-point dtype.

    Args:
        type: the dtype, or a complex one for that of its parts; None: the default dtype.

    Attributes: bits, eps, max, min, tiny, smallest_normal, resolution (floats), dtype (its name).

    Raises:
        TypeError: ``type`` is not such a dtype.
    """

    def __init__(self, type: dtype | None = None) -> None:
        type = _default if type is None else as_dtype("finfo", type, "type", 1)
        if not (type.is_floating_point or type.is_complex):
            raise TypeError(
                f"torch.finfo() requires a floating point input type. Use torch.iinfo to handle "
                f"'{type}'"
            )
        if type._numpy is None or type.numpy.kind == "V":
            import ml_dtypes

            info: Any = ml_dtypes.finfo(type.numpy)
        else:
            info = np.finfo(type.numpy)
        as_float = _PYTHON_FLOAT
        self.bits = type.itemsize * 8 if not type.is_complex else type.itemsize * 4
        self.eps = as_float(info.eps)
        self.max = as_float(info.max)
        self.min = as_float(info.min)
        self.tiny = self.smallest_normal = as_float(info.tiny)
        self.resolution = as_float(info.resolution)
        self.dtype = type.to_real().name

    def __repr__(self) -> str:
        return (
            f"finfo(resolution={self.resolution:g}, min={self.min:g}, max={self.max:g}, "
            f"eps={self.eps:g}, smallest_normal={self.smallest_normal:g}, tiny={self.tiny:g}, "
            f"dtype={self.dtype})"
        )


class iinfo:
    """Limits of an integer dtype.

    Args:
        type: the dtype.

    Attributes: bits, max, min (ints), dtype (its name).

    Raises:
        TypeError: ``type`` is not an integer dtype.
    """

    def __init__(self, type: dtype) -> None:
        type = as_dtype("iinfo", type, "type", 1)
        if type._kind != INTEGER:
            raise TypeError(
                f"torch.iinfo() requires an integer input type. Use torch.finfo to handle '{type}'"
            )
        info = np.iinfo(type.numpy)
        self.bits = info.bits
        self.max = info.max
        self.min = info.min
        self.dtype = type.name

    def __repr__(self) -> str:
        return f"iinfo(min={self.min:g}, max={self.max:g}, dtype={self.dtype})"
