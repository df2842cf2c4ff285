"""Transforms made of transforms, which take an image with further values.

Source: https://docs.pytorch.org/vision/0.28/transforms.html
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import flambeau

from .... import nn
from .. import compose
from ..pillow import is_pillow


def is_image(value: Any) -> bool:
    """Whether ``value`` is an image: a Pillow image, or a tensor with at least two dims.

    Returns:
        A bool.
    """
    return is_pillow(value) or isinstance(value, flambeau.Tensor) and value.ndim >= 2


def on_image(change: Callable[[Any], Any], inputs: tuple[Any, ...]) -> Any:
    """``change`` the first of the ``inputs``, and pass the others on.

    A single pair (as a dataset gives it) is taken for its members.

    Returns:
        As many as there were.
    """
    if len(inputs) != 1:
        return (change(inputs[0]), *inputs[1:])
    (only,) = inputs
    if type(only) in (tuple, list) and only and is_image(only[0]):
        return type(only)((change(only[0]), *only[1:]))
    return change(only)


def _applied(transforms: Sequence[Callable[..., Any]], inputs: tuple[Any, ...]) -> Any:
    for transform in transforms:
        result = transform(*inputs)
        inputs = result if len(inputs) > 1 else (result,)
    return inputs if len(inputs) > 1 else inputs[0]


def _check(transforms: Any) -> None:
    if not isinstance(transforms, (Sequence, nn.ModuleList)):
        raise TypeError("Argument transforms should be a sequence of callables")
    if not len(transforms):
        raise ValueError("Pass at least one transform")


class Compose(compose.Compose):
    """Applies transforms one after the other.

    ``inputs`` are an image, and whatever belongs to it, which is passed on; what is returned is as
    many.

    Args:
        transforms: the transforms, a list.

    Raises:
        TypeError: they are in nothing that has an order.
        ValueError: there is none.
    """

    def __init__(self, transforms: Sequence[Callable[..., Any]]) -> None:
        _check(transforms)
        super().__init__(transforms)

    def __call__(self, *inputs: Any) -> Any:
        """The transformed ``inputs``: one, or a tuple of as many."""
        return _applied(self.transforms, inputs)

    forward = __call__

    def __repr__(self) -> str:
        inside = "".join(f"\n      {transform}" for transform in self.transforms)
        return f"{type(self).__name__}({inside}\n)"


class Identity(nn.Module):
    """Passes everything on.

    ``inputs`` are an image, and whatever belongs to it, which is passed on; what is returned is as
    many.
    """

    def forward(self, *inputs: Any) -> Any:
        return inputs if len(inputs) > 1 else inputs[0]


class Lambda(nn.Module):
    """Applies a function to the image.

    ``inputs`` are an image, and whatever belongs to it, which is passed on; what is returned is as
    many.

    Args:
        lambd: the function.

    Raises:
        TypeError: it cannot be called.
    """

    def __init__(self, lambd: Callable[[Any], Any]) -> None:
        super().__init__()
        if not callable(lambd):
            raise TypeError(f"Argument lambd should be callable, got {type(lambd).__name__!r}")
        self.lambd = lambd

    def forward(self, *inputs: Any) -> Any:
        return on_image(self.lambd, inputs)


class RandomApply(nn.Module):
    """Applies a list of transforms with some probability.

    ``inputs`` are an image, and whatever belongs to it, which is passed on; what is returned is as
    many.

    Args:
        transforms: the transforms, a list or a ``ModuleList``.
        p: the probability.

    Raises:
        TypeError: they are in nothing that has an order.
        ValueError: there is none, or ``p`` is outside [0, 1].
    """

    def __init__(self, transforms: Any, p: float = 0.5) -> None:
        super().__init__()
        _check(transforms)
        if not 0.0 <= p <= 1.0:
            raise ValueError("`p` should be a floating point value in the interval [0.0, 1.0].")
        self.transforms = transforms
        self.p = p

    def forward(self, *inputs: Any) -> Any:
        if bool(flambeau.rand(1) >= self.p):
            return inputs if len(inputs) > 1 else inputs[0]
        return _applied(self.transforms, inputs)


class RandomOrder(nn.Module):
    """Applies all of a list of transforms in random order.

    ``inputs`` are an image, and whatever belongs to it, which is passed on; what is returned is as
    many.

    Args:
        transforms: the transforms, a list.

    Raises:
        TypeError: they are in nothing that has an order.
        ValueError: there is none.
    """

    def __init__(self, transforms: Sequence[Callable[..., Any]]) -> None:
        super().__init__()
        _check(transforms)
        self.transforms = transforms

    def forward(self, *inputs: Any) -> Any:
        order = flambeau.randperm(len(self.transforms)).tolist()
        return _applied([self.transforms[index] for index in order], inputs)


class RandomChoice(nn.Module):
    """Applies one of a list of transforms.

    ``inputs`` are an image, and whatever belongs to it, which is passed on; what is returned is as
    many.

    Args:
        transforms: the transforms, a list.
        p: the weight of each; all alike if not given.

    Raises:
        ValueError: there are not as many weights.
        TypeError: they are in nothing that has an order.
    """

    def __init__(
        self, transforms: Sequence[Callable[..., Any]], p: Sequence[float] | None = None
    ) -> None:
        super().__init__()
        _check(transforms)
        if p is not None and len(p) != len(transforms):
            raise ValueError(
                f"Length of p doesn't match the number of transforms: {len(p)} != {len(transforms)}"
            )
        weights = [1.0] * len(transforms) if p is None else list(p)
        self.transforms = transforms
        self.p = [weight / sum(weights) for weight in weights]

    def forward(self, *inputs: Any) -> Any:
        index = int(flambeau.multinomial(flambeau.tensor(self.p), 1).item())
        return _applied([self.transforms[index]], inputs)
