"""The functions that build models, with random parameters or with pretrained ones.

Source: https://docs.pytorch.org/vision/0.28/models.html
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from ... import nn
from ._utils import _ovewrite_named_param, handle_legacy_interface
from .registry import register_model
from .weights import weights_enum

Model = TypeVar("Model", bound=nn.Module)
Options = dict[str, Any]


def builder(
    name: str,
    weights: Any,
    network: Callable[..., Model],
    make: Callable[..., Model] | None = None,
    *,
    title: str | None = None,
    fixed: Callable[[Options, Any], None] | None = None,
    renamed: Callable[[dict[str, Any]], dict[str, Any]] | None = None,
    finished: Callable[[Model, Options], None] | None = None,
) -> Callable[..., Model]:
    """The function that builds one model, entered under its name.

    Args:
        name: the model's, such as ``"resnet18"``.
        weights: its :class:`WeightsEnum`.
        network: the class of the result.
        make: builds it of the options; the class itself by default.
        title: how the docstring calls the model; by its name by default.
        fixed: given the options and an entry of weights, sets the options that these weights need.
        renamed: brings a file's names to the network's.
        finished: given the network with its weights and the options as they were asked for,
            removes what was there for the file only.

    Returns:
        ``f(*, weights=None, progress=True, **kwargs)``.
    """
    construct = make or network

    def build(*, weights: Any = None, progress: bool = True, **kwargs: Any) -> Model:
        entry = enumeration.verify(weights)
        if entry is None:
            return construct(**kwargs)
        options = dict(kwargs)
        if entry.meta["categories"] is not None:
            _ovewrite_named_param(options, "num_classes", len(entry.meta["categories"]))
        if fixed is not None:
            fixed(options, entry)
        model = construct(**options)
        state = entry.get_state_dict(progress=progress, check_hash=True)
        model.load_state_dict(state if renamed is None else renamed(state))
        if finished is not None:
            finished(model, kwargs)
        return model

    enumeration = weights
    build.__name__ = build.__qualname__ = name
    build.__module__ = network.__module__
    build.__annotations__ |= {"weights": enumeration | None, "return": network}
    build.__doc__ = f"""Build {title or name}.

    Args:
        weights: an entry of :class:`{enumeration.__name__}` or its name (``"DEFAULT"``):
            parameters to begin with, downloaded once; None: random ones.
        progress: show how far the download is.
        kwargs: as for :class:`{network.__name__}`, but for what makes it this model.

    Returns:
        A :class:`{network.__name__}`.

    Raises:
        ValueError: ``num_classes``, or another option, does not fit the weights.
        KeyError: there are no weights of that name.
        TypeError: the weights are those of another model.
        urllib.error.URLError: the file of the weights cannot be had.

    Source: https://docs.pytorch.org/vision/0.28/models/generated/torchvision.models.{name}.html
    """
    # What `pretrained=True` once gave; networks that came later never had it.
    former = enumeration.__members__.get("IMAGENET1K_V1")
    return register_model()(handle_legacy_interface(weights=("pretrained", former))(build))


__all__ = ["Options", "builder", "weights_enum"]
