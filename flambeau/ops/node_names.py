"""PyTorch's names for nodes whose name depends on the call.

PyTorch has several functions behind one name (``sum()`` of all elements, ``sum(dim)``), and its
nodes are called after those: ``SumBackward0``, ``SumBackward1``.  Programs print them.  The name is
worked out when it is asked for, from what the node keeps, so that it costs nothing otherwise.
"""

from __future__ import annotations

from typing import Any

from .operation import OPERATIONS


def _dims(tensor_or_shape: Any) -> int | None:
    if tensor_or_shape is None:
        return None
    if isinstance(tensor_or_shape, tuple):
        return len(tensor_or_shape)
    return len(getattr(tensor_or_shape, "shape", ()))


def _matmul(node: Any) -> str:
    a, b = _dims(node.input_shape), _dims(node.other_shape)
    if a == 1 and b == 1:
        return "DotBackward0"
    if b == 1:
        return "MvBackward0" if a == 2 else "UnsafeViewBackward0"
    if a == 1:
        return "SqueezeBackward4"
    return "MmBackward0" if a == 2 and b == 2 else "UnsafeViewBackward0"


def _linear(node: Any) -> str:
    rows, bias = _dims(node.input), node.bias_shape is not None
    if rows == 1:
        return "ViewBackward0" if bias else "SqueezeBackward4"
    if rows is not None and rows > 2:
        return "ViewBackward0" if bias else "UnsafeViewBackward0"
    return "AddmmBackward0" if bias else "MmBackward0"


def _pow(node: Any) -> str:
    from ..tensor import Tensor

    if len(node.edges) > 1 and node.edges[0] is None and not isinstance(node.input, Tensor):
        return "PowBackward2"
    return "PowBackward1" if isinstance(node.exponent, Tensor) else "PowBackward0"


def _squeeze(node: Any) -> str:
    dim = getattr(node, "dim", None)
    return f"SqueezeBackward{0 if dim is None else 1 if isinstance(dim, int) else 2}"


def _by_dim(name: str) -> Any:
    return lambda node: f"{name}Backward{0 if node.dim is None else 1}"


NAMING: dict[str, Any] = {
    "sum": _by_dim("Sum"),
    "mean": _by_dim("Mean"),
    "prod_dims": _by_dim("Prod"),
    "amax": lambda node: "MaxBackward1" if node.dim is None else "AmaxBackward0",
    "amin": lambda node: "MinBackward1" if node.dim is None else "AminBackward0",
    "matmul": _matmul,
    "linear": _linear,
    "pow": _pow,
    "squeeze": _squeeze,
}
"""Operation name -> the name of one of its nodes."""

FIXED = {
    "square": "PowBackward0",
    "log1p": "Log1PBackward0",
    "alias_part": "SliceBackward0",
}
"""Operations whose nodes have another operation's name in PyTorch."""

for _name, _title in FIXED.items():
    if _name in OPERATIONS:
        OPERATIONS[_name].node_name = _title
for _name, _naming in NAMING.items():
    OPERATIONS[_name].naming = _naming
OPERATIONS["linear"].naming_shape = "input"
