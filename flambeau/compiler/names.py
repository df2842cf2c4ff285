"""What a program calls its tensors: ``model.0.weight``, ``optimizer.exp_avg of model.0.weight``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ..tensor import Tensor
from .reach import cells, is_module

_DEEPEST = 3


def names_within(function: Callable[..., Any]) -> dict[int, str]:
    """The names, by id, of tensors and modules that ``function`` can see."""
    names: dict[int, str] = {}
    optimizers: list[tuple[str, Any]] = []
    seen: set[int] = set()

    def visit(name: str, value: Any, depth: int) -> None:
        if isinstance(value, Tensor):
            names.setdefault(id(value), name)
        elif id(value) in seen or depth > _DEEPEST:
            return
        elif is_module(value):
            seen.add(id(value))
            for path, module in value.named_modules(prefix=name):
                names.setdefault(id(module), path)
            for path, tensor in (*value.named_parameters(prefix=name),
                                 *value.named_buffers(prefix=name)):  # fmt: skip
                names.setdefault(id(tensor), path)
        elif isinstance(getattr(value, "param_groups", None), list):
            seen.add(id(value))
            optimizers.append((name, value))
        elif isinstance(value, (list, tuple)) and len(value) <= 256:
            seen.add(id(value))
            for i, item in enumerate(value):
                visit(f"{name}[{i}]", item, depth + 1)
        elif isinstance(value, dict) and len(value) <= 256:
            seen.add(id(value))
            for key, item in value.items():
                visit(f"{name}[{key!r}]", item, depth + 1)
        elif hasattr(value, "__code__") and not _of_flambeau(value):
            seen.add(id(value))
            for _, inner, item in cells(value):
                visit(inner, item, depth + 1)
        elif type(value).__module__ == "__main__" and hasattr(value, "__dict__"):
            seen.add(id(value))
            for key, item in value.__dict__.items():
                visit(f"{name}.{key}", item, depth + 1)

    for _, name, value in cells(function):
        visit(name, value, 0)
    for name, optimizer in optimizers:
        _name_optimizer(names, name, optimizer)
    return names


def _name_optimizer(names: dict[int, str], name: str, optimizer: Any) -> None:
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    for i, parameter in enumerate(parameters):
        known = names.setdefault(id(parameter), f"{name}.params[{i}]")
        for key, item in optimizer.state.get(parameter, {}).items():
            if isinstance(item, Tensor):
                names.setdefault(id(item), f"{key} of {known}")


def _of_flambeau(function: Any) -> bool:
    return str(getattr(function, "__module__", "") or "").split(".")[0] == "flambeau"


__all__ = ["names_within"]
