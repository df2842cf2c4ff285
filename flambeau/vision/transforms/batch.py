"""Transforms of whole batches.

A transform that treats every image alike and draws no random numbers may have a method
``_batch(images)`` that does to a batch ``(N, C, H, W)`` what the transform does to each image,
to the same values, to the bit. It may overwrite what it is given. The conversions that come first
(:class:`~.ToTensor`) have ``_first_batch(images)`` instead, from ``(N, H, W)`` or ``(N, H, W, C)``
of uint8, which is what the images of a dataset in memory are.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...tensor import Tensor, wrap


def batch_form(transform: Any) -> Callable[[np.ndarray], Tensor] | None:
    """What a transform does to a batch of images.

    Args:
        transform: the transform of one Pillow image.

    Returns:
        A function from ``(N, H, W)`` or ``(N, H, W, C)``, uint8 and its own to overwrite, to a
        tensor ``(N, C, H, W)``; None where some step is not known to treat every image alike.
    """
    from .compose import Compose

    # The second version's Compose does to a single image what the first version's does.
    kind = type(transform)
    if kind is Compose or kind.__module__.endswith(".v2.containers") and kind.__name__ == "Compose":
        steps = transform.transforms
        if not isinstance(steps, (list, tuple)) or not steps:
            return None
    else:
        steps = [transform]
    methods = []
    for position, step in enumerate(steps):
        method = _own_method(step, "_batch" if position else "_first_batch")
        if method is None:
            return None
        methods.append(method)

    def run(images: np.ndarray) -> Tensor:
        for method in methods:
            images = method(images)
        return wrap(np.ascontiguousarray(images))

    return run


def channels_first(images: np.ndarray) -> np.ndarray:
    """``images``, ``(N, H, W)`` or ``(N, H, W, C)``, as ``(N, C, H, W)``, without a copy.

    Returns:
        ``(N, C, H, W)``.
    """
    return images[:, None] if images.ndim == 3 else images.transpose(0, 3, 1, 2)


def _own_method(step: Any, name: str) -> Callable[[np.ndarray], np.ndarray] | None:
    """A step's batch method, unless a subclass, a hook or an attribute has changed the step."""
    kind = type(step)
    if name not in kind.__dict__:
        return None
    own = getattr(step, "__dict__", {})
    if own.get("_forward_hooks") or own.get("_forward_pre_hooks") or "forward" in own:
        return None
    return getattr(step, name)
