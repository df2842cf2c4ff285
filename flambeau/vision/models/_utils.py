"""What models share, under the name by which programs import it from torchvision.

Source: https://docs.pytorch.org/vision/0.28/models.html
"""

from __future__ import annotations

import functools
import inspect
import warnings
from collections import OrderedDict
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from ... import nn
from ...tensor import Tensor
from .weights import WeightsEnum

__all__ = ["IntermediateLayerGetter", "handle_legacy_interface"]

Builder = TypeVar("Builder", bound=Callable[..., Any])


class IntermediateLayerGetter(nn.ModuleDict):
    """The first layers of a model, which gives what some of them make.

    The layers are the model's own, called one after the other in the order in which the model
    holds them. Those behind the last that is asked for are left out.

    Args:
        model: the model; only what it holds directly can be asked for.
        return_layers: for each layer's name the name of its result.

    Shape:
        What the model takes to a dict of what the layers make.

    Raises:
        ValueError: the model holds no such layer.

    Source: ``torchvision.models._utils``,
    https://docs.pytorch.org/vision/0.28/feature_extraction.html
    """

    def __init__(self, model: nn.Module, return_layers: Mapping[str, str]) -> None:
        names = [name for name, _ in model.named_children()]
        missing = [str(name) for name in return_layers if str(name) not in names]
        if missing:
            raise ValueError(
                f"return_layers are not present in model: {', '.join(missing)}; "
                f"it holds {', '.join(names)}"
            )
        last = max((names.index(str(name)) for name in return_layers), default=0)
        super().__init__(OrderedDict(list(model.named_children())[: last + 1]))
        self.return_layers = {str(name): str(result) for name, result in return_layers.items()}

    def forward(self, x: Tensor) -> OrderedDict[str, Tensor]:
        results: OrderedDict[str, Tensor] = OrderedDict()
        for name, layer in self.items():
            x = layer(x)
            if name in self.return_layers:
                results[self.return_layers[name]] = x
        return results


def _make_divisible(v: float, divisor: int, min_value: int | None = None) -> int:
    """The multiple of ``divisor`` nearest to ``v``, but never less than nine tenths of ``v``.

    Args:
        v: a number of channels.
        divisor: what the result is a multiple of.
        min_value: the least result; ``divisor`` by default.
    """
    least = divisor if min_value is None else min_value
    nearest = max(least, int(v + divisor / 2) // divisor * divisor)
    return nearest if nearest >= 0.9 * v else nearest + divisor


def _ovewrite_named_param(kwargs: dict[str, Any], param: str, new_value: Any) -> None:
    """Set the option ``param`` to what weights need it to be.

    Raises:
        ValueError: it is there with another value.
    """
    if kwargs.setdefault(param, new_value) != new_value:
        raise ValueError(
            f"The parameter '{param}' expected value {new_value} but got {kwargs[param]} instead."
        )


def handle_legacy_interface(**weights: tuple[str, Any]) -> Callable[[Builder], Builder]:
    """Decorate a builder so that it takes what builders took before there were weights by name.

    These are ``pretrained=True`` and arguments by position; each is told of in a warning.

    Args:
        weights: for each parameter of weights its former name (``pretrained``), and the entry that
            True stands for, or a function of the keyword arguments that gives it.

    Returns:
        The decorator.

    Raises:
        ValueError: when the builder is called: weights are asked for and there are none.
        TypeError: when it is called: too many arguments by position.
    """

    def decorate(builder: Builder) -> Builder:
        signature = inspect.signature(builder).parameters.values()
        by_name = [p.name for p in signature if p.kind is inspect.Parameter.KEYWORD_ONLY]
        leading = len([p for p in signature if p.kind is p.POSITIONAL_OR_KEYWORD])

        @functools.wraps(builder)
        def call(*args: Any, **kwargs: Any) -> Any:
            if len(args) > leading:
                kwargs.update(_by_name(builder.__name__, by_name, args[leading:]))
            for parameter, (former, default) in weights.items():
                _to_entry(builder.__name__, kwargs, parameter, former, default)
            return builder(*args[:leading], **kwargs)

        return call  # type: ignore[return-value]

    return decorate


def _by_name(builder: str, names: list[str], values: tuple[Any, ...]) -> dict[str, Any]:
    """Arguments that were given by position, though they are to be given by name."""
    if len(values) > len(names):
        raise TypeError(f"{builder} takes {', '.join(names)} by position, and nothing more")
    used = [f"'{name}'" for name in names[: len(values)]]
    several = f"{', '.join(used[:-1])} and {used[-1]}" if len(used) > 1 else used[0]
    warnings.warn(
        f"Using {several} as positional parameter(s) is deprecated since 0.13 and may be removed "
        "in the future. Please use keyword parameter(s) instead.",
        stacklevel=3,
    )
    return dict(zip(names, values))


def _to_entry(
    builder: str, kwargs: dict[str, Any], parameter: str, former: str, default: Any
) -> None:
    """Bring ``pretrained=True`` and ``weights=True`` to the entry that they stand for."""
    given = kwargs.get(parameter)
    if parameter in kwargs and (
        given is None or isinstance(given, WeightsEnum) or isinstance(given, str)
    ):
        if given != "legacy":
            return
    elif parameter not in kwargs and former not in kwargs:
        return
    if parameter in kwargs:
        kwargs[former] = kwargs.pop(parameter)
    else:
        warnings.warn(
            f"The parameter '{former}' is deprecated since 0.13 and may be removed in the future, "
            f"please use '{parameter}' instead.",
            stacklevel=3,
        )
    wanted = kwargs[former]
    entry = (default(kwargs) if callable(default) else default) if wanted else None
    if wanted and not isinstance(entry, WeightsEnum):
        raise ValueError(f"No weights available for model {builder}")
    newest = f" `{parameter}={type(entry).__name__}.DEFAULT` are the newest." if wanted else ""
    warnings.warn(
        f"Arguments other than a weight enum or `None` for '{parameter}' are deprecated since 0.13 "
        f"and may be removed in the future. This call means `{parameter}={entry}`.{newest}",
        stacklevel=3,
    )
    del kwargs[former]
    kwargs[parameter] = entry
