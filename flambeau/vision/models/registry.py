"""Models by name, and what is said about pretrained weights.

Source: https://docs.pytorch.org/vision/0.28/models.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from ... import nn

Builder = TypeVar("Builder", bound=Callable[..., nn.Module])

_BUILDERS: dict[str, Callable[..., nn.Module]] = {}


def register_model(builder: Builder) -> Builder:
    """Enter the function ``builder``, which builds a model, under its own name.

    Returns:
        It.
    """
    _BUILDERS[builder.__name__] = builder
    return builder


def list_models() -> list[str]:
    """The names of all models.

    Source: https://docs.pytorch.org/vision/0.28/generated/torchvision.models.list_models.html

    Returns:
        A sorted list.
    """
    return sorted(_BUILDERS)


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


def without_weights(name: str, weights: Any, options: dict[str, Any]) -> dict[str, Any]:
    """A builder's options without the old ``pretrained``, if no pretrained weights are asked for.

    Args:
        name: the builder's.
        weights: its argument; only None (or False, by which it was called once) is served.
        options: its further keyword arguments.

    Returns:
        ``options`` without ``pretrained``.

    Raises:
        ValueError: pretrained weights are asked for.
    """
    options = dict(options)
    if weights not in (None, False) or options.pop("pretrained", False):
        raise ValueError(
            f"{name}: flambeau publishes no pretrained weights (weights={weights!r}). The "
            "parameters have torchvision's names, so its files fit: build the model with "
            "weights=None, and model.load_state_dict(torch.load(FILE)) with a file from "
            f"https://docs.pytorch.org/vision/stable/models.html ({name})"
        )
    return options
