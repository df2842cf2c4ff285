"""Transforms made of transforms.

Source: https://docs.pytorch.org/vision/0.28/transforms.html
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import flambeau

from ... import nn


def _listed(head: str, transforms: Any) -> str:
    return head + "".join(f"\n    {transform}" for transform in transforms) + "\n)"


class Compose:
    """Applies transforms one after the other.

    Args:
        transforms: the transforms, a list.

    >>> import flambeau.vision.transforms as transforms
    >>> transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.5,), (0.5,))])
    Compose(
        ToTensor()
        Normalize(mean=(0.5,), std=(0.5,))
    )

    Source: https://docs.pytorch.org/vision/0.28/generated/torchvision.transforms.Compose.html
    """

    def __init__(self, transforms: Sequence[Callable[[Any], Any]]) -> None:
        self.transforms = transforms

    def __call__(self, img: Any) -> Any:
        for transform in self.transforms:
            img = transform(img)
        return img

    def __repr__(self) -> str:
        return _listed(f"{type(self).__name__}(", self.transforms)


class Lambda:
    """Applies a function.

    Args:
        lambd: the function.

    Raises:
        TypeError: it cannot be called.

    Source: https://docs.pytorch.org/vision/0.28/generated/torchvision.transforms.Lambda.html
    """

    def __init__(self, lambd: Callable[[Any], Any]) -> None:
        if not callable(lambd):
            raise TypeError(f"Argument lambd should be callable, got {type(lambd).__name__!r}")
        self.lambd = lambd

    def __call__(self, img: Any) -> Any:
        return self.lambd(img)

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class RandomTransforms:
    """Base class of random choices among transforms.

    Args:
        transforms: the transforms, a list or tuple.

    Raises:
        TypeError: they are in nothing that has an order.
        NotImplementedError: when called; a subclass says what happens then.
    """

    def __init__(self, transforms: Sequence[Callable[[Any], Any]]) -> None:
        if not isinstance(transforms, Sequence):
            raise TypeError("Argument transforms should be a sequence")
        self.transforms = transforms

    def __call__(self, *args: Any) -> Any:
        raise NotImplementedError(f"{type(self).__name__} must define __call__")

    def __repr__(self) -> str:
        return _listed(f"{type(self).__name__}(", self.transforms)


class RandomApply(nn.Module):
    """Applies a list of transforms with some probability.

    ``img`` is what the first transform takes; what is returned is what the last one gives.

    Args:
        transforms: the transforms, a list or a ``ModuleList``.
        p: the probability.

    Source: https://docs.pytorch.org/vision/0.28/generated/torchvision.transforms.RandomApply.html
    """

    def __init__(self, transforms: Any, p: float = 0.5) -> None:
        super().__init__()
        self.transforms = transforms
        self.p = p

    def forward(self, img: Any) -> Any:
        if bool(self.p < flambeau.rand(1)):
            return img
        for transform in self.transforms:
            img = transform(img)
        return img

    def __repr__(self) -> str:
        return _listed(f"{type(self).__name__}(\n    p={self.p}", self.transforms)


class RandomOrder(RandomTransforms):
    """Applies all of a list of transforms, in an order drawn by Python's ``random``.

    Args:
        transforms: the transforms, a list or tuple.
    """

    def __call__(self, img: Any) -> Any:
        order = list(range(len(self.transforms)))
        random.shuffle(order)
        for index in order:
            img = self.transforms[index](img)
        return img


class RandomChoice(RandomTransforms):
    """Applies one of a list of transforms, drawn by Python's ``random``.

    Args:
        transforms: the transforms, a list or tuple.
        p: the weight of each; all alike if not given.

    Raises:
        TypeError: ``p`` is not a list or tuple.
    """

    def __init__(
        self, transforms: Sequence[Callable[[Any], Any]], p: Sequence[float] | None = None
    ) -> None:
        super().__init__(transforms)
        if p is not None and not isinstance(p, Sequence):
            raise TypeError("Argument p should be a sequence")
        self.p = p

    def __call__(self, *args: Any) -> Any:
        return random.choices(self.transforms, weights=self.p)[0](*args)

    def __repr__(self) -> str:
        return f"{super().__repr__()}(p={self.p})"
