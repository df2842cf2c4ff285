"""``torch._foreach_add_`` and its kin: an operation on each tensor of a list.

PyTorch's optimizers are written with them, and so are those of others.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..tensor import Tensor

_UNARY = frozenset(
    "abs acos asin atan ceil clone cos cosh erf erfc exp expm1 floor frac lgamma log log10 log1p "
    "log2 neg reciprocal round rsqrt sigmoid sign sin sinh sqrt tan tanh trunc zero".split()
)
_BINARY = {
    "add": "add", "sub": "sub", "mul": "mul", "div": "div", "pow": "pow", "copy": "copy",
    "lerp": "lerp", "addcmul": "addcmul", "addcdiv": "addcdiv",
    "maximum": "maximum", "minimum": "minimum", "clamp_min": "clamp_min", "clamp_max": "clamp_max",
}  # fmt: skip
_BY_NUMBERS = {"maximum": "clamp_min", "minimum": "clamp_max"}


def foreach(name: str) -> Callable[..., Any] | None:
    """The function of PyTorch's name ``_foreach_...``; None if there is no such."""
    word = name.removeprefix("_foreach_")
    in_place, plain = word.endswith("_"), word.removesuffix("_")
    if word == "norm":
        return _norms
    if word == "max":
        return lambda self: tuple(t.max() for t in self)
    if plain == "zero" and not in_place or plain == "copy" and not in_place:
        return None
    if plain not in _UNARY and plain not in _BINARY:
        return None

    def function(self: Any, *args: Any, **kwargs: Any) -> Any:
        results = []
        for place, tensor in enumerate(self):
            own = [_of(argument, place, len(self), name) for argument in args]
            named = dict(kwargs)
            if plain in ("addcmul", "addcdiv") and len(own) == 3:
                named["value"] = own.pop()
            if "scalars" in named:
                named["value"] = named.pop("scalars")[place]
            if "exponent" in named:
                named["exponent"] = _of(named["exponent"], place, len(self), name)
            method = plain
            if own and not isinstance(own[0], Tensor):
                method = _BY_NUMBERS.get(plain, plain)
            if in_place and not hasattr(tensor, f"{method}_"):
                results.append(tensor.copy_(getattr(tensor, method)(*own, **named)))
            else:
                results.append(getattr(tensor, method + "_" * in_place)(*own, **named))
        return self if in_place else tuple(results)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = f"``{word}`` of each tensor of a list, with a number or a list of operands."
    return function


def _of(argument: Any, place: int, count: int, name: str) -> Any:
    """What of an argument is the ``place``-th tensor's."""
    if not isinstance(argument, (list, tuple)):
        return argument
    if len(argument) != count:
        raise RuntimeError(
            f"{name}: Tensor lists must have the same number of tensors, got {count} and "
            f"{len(argument)}"
        )
    return argument[place]


def _norms(self: Any, ord: float = 2, dtype: Any = None) -> tuple[Tensor, ...]:
    """The norm of each tensor of a list."""
    from .. import linalg

    return tuple(linalg.vector_norm(t, ord, dtype=dtype) for t in self)
