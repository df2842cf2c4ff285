"""Public functions that are made of operations."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from . import documentation

COMPOSITES: dict[str, Callable[..., Any]] = {}
"""Functions made of operations, by name."""


def composite(
    function: Callable[..., Any] | None = None,
    *,
    method: bool = True,
    varargs: str | None = None,
    name: str | None = None,
    out: bool = False,
    public: bool = True,
) -> Any:
    """Decorator: a public function made of operations, a method of Tensor too unless told not.

    With ``out`` it takes ``out=`` as well, and NumPy's ``axis`` and ``keepdims`` for ``dim`` and
    ``keepdim``.  One that is not public belongs to a submodule, which names it.
    """

    def define(function: Callable[..., Any]) -> Callable[..., Any]:
        if out:
            function = _taking_out(function)
        if not public:
            return function
        function.varargs = varargs  # type: ignore[attr-defined]
        function.is_method = method  # type: ignore[attr-defined]
        COMPOSITES[name or function.__name__] = function
        return function

    return define(function) if function is not None else define


def _taking_out(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def with_out(*args: Any, out: Any = None, **kwargs: Any) -> Any:
        for alias, name in (("axis", "dim"), ("keepdims", "keepdim")):
            if alias in kwargs:
                kwargs[name] = kwargs.pop(alias)
        result = function(*args, **kwargs)
        if out is None:
            return result
        from ..tensor.views import refuse_shared_out, write_out

        refuse_shared_out(function.__name__, (*args, *kwargs.values()), out)
        if isinstance(result, tuple):
            for source, target in zip(result, out, strict=True):
                write_out(function.__name__, source, target)
            return type(result)(out)
        return write_out(function.__name__, result, out)

    with_out.__doc__ = documentation.with_out(function.__doc__)
    return with_out


def renamed(result: Any, name: str) -> Any:
    """``result``, whose node goes by PyTorch's ``name`` for the function that made it."""
    for tensor in result if isinstance(result, tuple) else (result,):
        if tensor._node is not None:
            tensor._node.renamed = name
    return result
