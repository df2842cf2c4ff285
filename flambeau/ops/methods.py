"""Operations become methods of Tensor: their names, in-place variants, operators and aliases.

Source: https://pytorch.org/docs/stable/tensors.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..tensor import Tensor
from ..tensor.indexing import getitem, setitem
from ..tensor.views import check_writable, write_in_place
from .documentation import in_place
from .operation import COMPOSITES, OPERATIONS, Operation, dunder_function

ALIASES = {
    "absolute": "abs", "negative": "neg", "positive": "positive", "arccos": "acos",
    "arcsin": "asin", "arctan": "atan", "arccosh": "acosh", "arcsinh": "asinh",
    "arctanh": "atanh", "arctan2": "atan2", "clip": "clamp", "concat": "cat",
    "concatenate": "cat", "divide": "div", "true_divide": "div", "fix": "trunc",
    "greater": "gt", "greater_equal": "ge", "less": "lt", "less_equal": "le",
    "multiply": "mul", "subtract": "sub", "not_equal": "ne", "moveaxis": "movedim",
    "swapdims": "swapaxes", "row_stack": "vstack", "ger": "outer",
}  # fmt: skip
"""Other names of operations and composites."""

OPERATORS = {
    "add": "add", "sub": "sub", "mul": "mul", "truediv": "true_div", "floordiv": "floor_divide",
    "mod": "remainder", "pow": "pow", "matmul": "matmul", "and": "bitwise_and",
    "or": "bitwise_or", "xor": "bitwise_xor", "lshift": "bitwise_left_shift",
    "rshift": "bitwise_right_shift", "eq": "eq", "ne": "ne", "lt": "lt", "le": "le", "gt": "gt",
    "ge": "ge",
}  # fmt: skip
"""Python's operators and their operations."""

_COMPARISONS = ("eq", "ne", "lt", "le", "gt", "ge")

INPLACE_COMPOSITES = (
    "clamp", "clamp_min", "clamp_max", "masked_fill", "tril", "triu", "scatter", "squeeze",
    "unsqueeze", "transpose", "swapaxes", "swapdims", "t", "addmm", "addmv", "baddbmm", "where",
    "deg2rad", "rad2deg", "index_add", "index_copy", "index_fill", "index_reduce", "put",
    "masked_scatter", "scatter_reduce", "renorm", "float_power", "ldexp", "gcd", "lcm", "mvlgamma",
    "addr", "addbmm",
)  # fmt: skip
"""Composites, and views, with an in-place variant."""

_RESHAPING = ("squeeze", "unsqueeze", "transpose", "t", "swapaxes", "swapdims")
_RESHAPED_NODES = {
    "squeeze_": "SqueezeBackward3", "unsqueeze_": "UnsqueezeBackward1", "t_": "TBackward1",
    "transpose_": "TransposeBackward1", "swapaxes_": "TransposeBackward1",
    "swapdims_": "TransposeBackward1",
}  # fmt: skip


def _spread_method(function: Callable[..., Any], parameter: str) -> Callable[..., Any]:
    """A method that takes ``parameter`` as one sequence or as several arguments."""

    def method(self: Tensor, *args: Any, **kwargs: Any) -> Any:
        if len(args) == 1 and not kwargs:
            return function(self, args[0])
        if not args:
            return function(self, **kwargs)
        if isinstance(args[0], (tuple, list)):
            return function(self, *args, **kwargs)
        return function(self, args, **kwargs)

    method.__name__ = method.__qualname__ = function.__name__
    method.__doc__ = function.__doc__
    return method


def _inplace_method(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    def method(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        return write_in_place(self, function, args, kwargs, name)

    method.__name__ = method.__qualname__ = name
    method.__doc__ = in_place(name[:-1], function.__doc__)
    return method


def _reshaping_method(function: Callable[..., Any], name: str) -> Callable[..., Any]:
    """``squeeze_`` and its kin: the tensor becomes another view of its memory."""

    def method(self: Tensor, *args: Any, **kwargs: Any) -> Tensor:
        if self.requires_grad and self._node is None:
            check_writable(self, name)
        before = object.__new__(Tensor)
        before.__dict__.update(self.__dict__)
        changed = function(before, *args, **kwargs)
        self._array = changed._array
        if self._base is not None:
            self._view = changed._view
        if changed._node is not None:
            self._node = changed._node
            self._node.renamed = _RESHAPED_NODES[name]
        self._bump_version()
        return self

    method.__name__ = method.__qualname__ = name
    method.__doc__ = (
        f"In-place :func:`{name[:-1]}`: this tensor becomes that view of its memory, and is "
        "returned.\n\n    Raises:\n        RuntimeError: it is a leaf that requires a gradient."
    )
    return method


def _reflected(operation: Operation) -> Callable[..., Any]:
    """The operator for a left operand that is no Tensor."""

    def reflected(self: Tensor, other: Any) -> Any:
        if not isinstance(other, (int, float, complex, Tensor, np.generic)):
            if operation.name == "true_div" and isinstance(other, np.ndarray):
                return self.reciprocal() * other  # type: ignore[attr-defined]
            return NotImplemented
        if operation.name == "matmul" and not isinstance(other, Tensor):
            return NotImplemented
        if not operation.parameters[0].kind == "operand":
            return operation.function(self.new_full((), other), self)
        return operation.function(other, self)

    return reflected


def _tensor_operator(function: Callable[..., Any]) -> Callable[..., Any]:
    """An in-place operator: NotImplemented for an operand it does not know."""

    def operator(self: Tensor, other: Any) -> Any:
        if isinstance(other, np.ndarray):  # its reflected operator makes a new tensor of both
            return NotImplemented
        if isinstance(other, (Tensor, int, float, complex)) or hasattr(other, "dtype"):
            return function(self, other)
        return NotImplemented

    return operator


def attach_methods(public: dict[str, Callable[..., Any]]) -> None:
    """Give Tensor its methods and operators, and ``public`` the aliases."""
    for name, operation in OPERATIONS.items():
        function = operation.function
        if operation.method:
            method = function
            if operation.varargs is not None:
                method = _spread_method(function, operation.varargs)
            setattr(Tensor, name, method)
        if operation.inplace:
            inplace = _inplace_method(function, f"{name}_")
            setattr(Tensor, f"{name}_", inplace)
            if name in public:
                public[f"{name}_"] = inplace
    for name, function in COMPOSITES.items():
        if function.is_method:  # type: ignore[attr-defined]
            varargs = function.varargs  # type: ignore[attr-defined]
            setattr(Tensor, name, _spread_method(function, varargs) if varargs else function)
    for name in INPLACE_COMPOSITES:
        if name in public and not hasattr(Tensor, f"{name}_"):
            make = _reshaping_method if name in _RESHAPING else _inplace_method
            setattr(Tensor, f"{name}_", make(public[name], f"{name}_"))
    _attach_operators()
    from . import selection

    Tensor.where = selection._where_method  # type: ignore[attr-defined]
    Tensor.div_ = Tensor.divide_ = selection.div_  # type: ignore[attr-defined]
    Tensor.true_divide_ = selection.div_  # type: ignore[attr-defined]
    Tensor.T = property(_transposed)  # type: ignore[attr-defined]
    Tensor.mT = property(_matrices_transposed)  # type: ignore[attr-defined]
    Tensor.polygamma = _polygamma  # type: ignore[attr-defined]
    Tensor.polygamma_ = _inplace_method(_polygamma, "polygamma_")  # type: ignore[attr-defined]
    public["positive"] = Tensor.positive = _positive  # type: ignore[attr-defined]
    for alias, name in ALIASES.items():
        if name in public:
            public[alias] = public[name]
        for suffix in ("", "_"):
            if hasattr(Tensor, name + suffix) and not hasattr(Tensor, alias + suffix):
                setattr(Tensor, alias + suffix, getattr(Tensor, name + suffix))


def _polygamma(self: Tensor, n: int) -> Tensor:
    """The ``n``-th derivative of the digamma function, see :func:`polygamma`.

    Raises:
        RuntimeError: ``n`` is negative.
    """
    return OPERATIONS["polygamma"].function(n, self)


def _positive(input: Tensor) -> Tensor:
    """The tensor ``input`` itself.

    Raises:
        RuntimeError: it is bool.
    """
    if input._array.dtype.kind == "b":
        raise RuntimeError("The `+` operator, on a bool tensor is not supported.")
    return input


def _transposed(self: Tensor) -> Tensor:
    """This tensor with its dims in reverse order."""
    n = self._array.ndim
    if n == 2:
        return OPERATIONS["permute"].function(self, (1, 0))
    return OPERATIONS["permute"].function(self, tuple(range(n))[::-1])


def _matrices_transposed(self: Tensor) -> Tensor:
    """This tensor with its last two dims swapped.

    Raises:
        RuntimeError: it has one dim.
    """
    if self._array.ndim == 1:
        raise RuntimeError(
            "tensor.mT is only supported on matrices or batches of matrices. Got 1-D tensor."
        )
    return self.transpose(-2, -1)  # type: ignore[attr-defined, no-any-return]


def _attach_operators() -> None:
    for symbol, name in OPERATORS.items():
        operation = OPERATIONS[name]
        forward = dunder_function(operation)
        setattr(Tensor, f"__{symbol}__", forward)
        if symbol in _COMPARISONS:
            continue
        setattr(Tensor, f"__r{symbol}__", _reflected(operation))
        inplace = getattr(Tensor, f"{name}_", None)
        if name == "true_div":
            inplace = _inplace_method(operation.function, "div_")
        if inplace is not None:
            setattr(Tensor, f"__i{symbol}__", _tensor_operator(inplace))
    operators = {
        "__radd__": dunder_function(OPERATIONS["add"]),
        "__rmul__": dunder_function(OPERATIONS["mul"]),
        "__rsub__": dunder_function(OPERATIONS["rsub"]),
        "__neg__": OPERATIONS["neg"].function,
        "__pos__": _positive,
        "__abs__": OPERATIONS["abs"].function,
        "__invert__": OPERATIONS["bitwise_not"].function,
        "__getitem__": getitem,
        "__setitem__": setitem,
        "__hash__": object.__hash__,
    }
    for name, function in operators.items():
        setattr(Tensor, name, function)
