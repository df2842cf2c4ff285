"""Models by name.

Source: https://docs.pytorch.org/vision/0.28/models.html
"""

from __future__ import annotations

import fnmatch
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any, TypeVar

from ... import nn

__all__ = ["get_model", "get_model_builder", "list_models", "register_model"]

Builder = TypeVar("Builder", bound=Callable[..., nn.Module])

_BUILDERS: dict[str, Callable[..., nn.Module]] = {}


def register_model(name: str | None = None) -> Callable[[Builder], Builder]:
    """Decorate a function that builds a model, so that it is found by name.

    Args:
        name: the name; that of the function by default.

    Returns:
        The decorator, which gives the function back.

    Raises:
        TypeError: the parentheses are missing: ``@register_model()``.
        ValueError: when it decorates: there is a model of that name.
    """
    if name is not None and not isinstance(name, str):
        raise TypeError(
            f"register_model takes a name, not {name!r}: write @register_model() with parentheses"
        )

    def enter(builder: Builder) -> Builder:
        key = builder.__name__ if name is None else name
        if key in _BUILDERS:
            raise ValueError(f"An entry is already registered under the name '{key}'.")
        _BUILDERS[key] = builder
        return builder

    return enter


def list_models(
    module: ModuleType | None = None,
    include: Iterable[str] | str | None = None,
    exclude: Iterable[str] | str | None = None,
) -> list[str]:
    """The names of the models.

    Args:
        module: only those of this package, such as ``torchvision.models``.
        include: one pattern or several, as of file names (``"resnet*"``); names that fit any.
        exclude: the same; names that fit any are left out.

    Returns:
        A sorted list.

    Source: https://docs.pytorch.org/vision/0.28/generated/torchvision.models.list_models.html
    """
    return sorted(
        name
        for name, builder in _BUILDERS.items()
        if (module is None or builder.__module__.rpartition(".")[0] == module.__name__)
        and (not include or _fits(name, include))
        and not (exclude and _fits(name, exclude))
    )


def _fits(name: str, patterns: Iterable[str] | str) -> bool:
    listed = (patterns,) if isinstance(patterns, str) else patterns
    return any(fnmatch.fnmatch(name, pattern) for pattern in listed)


def get_model_builder(name: str) -> Callable[..., nn.Module]:
    """The function that builds the model ``name``.

    Returns:
        The function.

    Raises:
        ValueError: there is no such model.
    """
    builder = _BUILDERS.get(name.lower())
    if builder is None:
        raise ValueError(f"Unknown model {name}. There are {', '.join(list_models())}")
    return builder


def get_model(name: str, **config: Any) -> nn.Module:
    """Build a model by its name.

    Args:
        name: one of :func:`list_models`.
        config: what the function of that name takes.

    Returns:
        The model.

    Raises:
        ValueError: there is no such model.

    Source: https://docs.pytorch.org/vision/0.28/generated/torchvision.models.get_model.html
    """
    return get_model_builder(name)(**config)
