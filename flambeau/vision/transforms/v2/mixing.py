"""Batches mixed with themselves: MixUp and CutMix."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import flambeau

from .... import nn
from ....tensor import Tensor


class _Mixed(nn.Module):
    """What MixUp and CutMix share: the labels, and the share that is drawn."""

    def __init__(
        self,
        *,
        alpha: float = 1.0,
        num_classes: int | None = None,
        labels_getter: Callable[[Any], Any] | str | None = "default",
    ) -> None:
        super().__init__()
        if labels_getter != "default" and not callable(labels_getter):
            raise ValueError(
                f"labels_getter should either be 'default' or a callable, but got {labels_getter!r}"
            )
        self.alpha = float(alpha)
        self.num_classes = num_classes
        self.labels_getter = labels_getter

    def forward(self, *inputs: Any) -> Any:
        sample = inputs if len(inputs) > 1 else inputs[0]
        labels = self._labels(sample)
        images = _images(sample, labels)
        if any(image.ndim < 4 for image in images):
            raise ValueError(
                f"Expected a batch of images (N, C, H, W), got a tensor of shape "
                f"{list(images[0].shape)}: mix batches, after the DataLoader or in its collate_fn"
            )
        if labels.ndim == 1 and self.num_classes is None:
            raise ValueError(
                "num_classes must be passed if the labels are class numbers (not one-hot)"
            )
        if labels.ndim not in (1, 2):
            raise ValueError(
                "labels should be index based with shape (batch_size,) or probability based with "
                f"shape (batch_size, num_classes), but got a tensor of shape {list(labels.shape)}"
            )
        if labels.ndim == 2 and self.num_classes not in (None, labels.shape[1]):
            raise ValueError(
                f"When passing 2D labels, the number of elements in last dimension must match "
                f"num_classes: {labels.shape[1]} != {self.num_classes}"
            )
        for image in images:
            if image.shape[0] != labels.shape[0]:
                raise ValueError(
                    f"There are {image.shape[0]} images and {labels.shape[0]} labels: the batch "
                    "size of both should be the same"
                )
        height, width = (int(side) for side in images[0].shape[-2:])
        change, share = self._drawn(height, width)

        def changed(value: Any) -> Any:
            if value is labels:
                return self._mixed_labels(labels, share)
            if any(value is image for image in images):
                return change(value)
            if isinstance(value, dict):
                return type(value)((key, changed(item)) for key, item in value.items())
            if type(value) in (tuple, list):
                return type(value)(changed(item) for item in value)
            return value

        return changed(sample)

    def _labels(self, sample: Any) -> Any:
        if callable(self.labels_getter):
            labels = self.labels_getter(sample)
        elif isinstance(sample, (tuple, list)) and len(sample) > 1:
            labels = sample[1]
        elif isinstance(sample, dict):
            named = [key for key in sample if str(key).lower() in ("label", "labels")]
            labels = sample[named[0]] if named else None
        else:
            labels = None
        if not isinstance(labels, Tensor):
            raise ValueError(
                f"The labels must be a tensor, but got {type(labels)}: pass (images, labels), or "
                "labels_getter="
            )
        return labels

    def _share(self) -> float:
        """Draw a share from the Beta distribution of ``alpha`` and ``alpha``."""
        return float(flambeau._sample_dirichlet(flambeau.tensor([self.alpha, self.alpha]))[0])

    def _drawn(self, height: int, width: int) -> tuple[Callable[[Any], Any], float]:
        raise AssertionError("a subclass says how images are mixed")

    def _mixed_labels(self, labels: Any, share: float) -> Any:
        if labels.ndim == 1:
            labels = nn.functional.one_hot(labels, num_classes=self.num_classes or -1)
        if not labels.is_floating_point():
            labels = labels.float()
        return labels.roll(1, 0) * (1.0 - share) + labels * share

    def extra_repr(self) -> str:
        return f"alpha={self.alpha}, num_classes={self.num_classes}"


def _images(sample: Any, labels: Any) -> list[Any]:
    """The tensor images of a sample: the first tensor that is not the labels."""
    if isinstance(sample, Tensor):
        return [] if sample is labels else [sample]
    parts = sample.values() if isinstance(sample, dict) else sample
    if isinstance(parts, (tuple, list)) or isinstance(sample, dict):
        for part in parts:
            if isinstance(part, (Tensor, tuple, list, dict)) and (found := _images(part, labels)):
                return found
    return []


class MixUp(_Mixed):
    """Mixes each image of a batch, and its label, with the one before it.

    Args:
        alpha: the images' share is drawn from the Beta distribution of ``alpha`` and ``alpha``.
        num_classes: the number of classes; may be left out if the labels are one-hot.
        labels_getter: from the input to its labels; by default the second of a pair, or what a
            dict has under ``"labels"``.

    Called with images ``(N, C, H, W)`` and labels ``(N,)``, gives both mixed, the labels
    ``(N, num_classes)``.

    Raises:
        ValueError: when called: no batch of images, or labels of another shape.
        ValueError: ``labels_getter`` is neither ``"default"`` nor a function.

    Source: Zhang and others, "mixup: Beyond Empirical Risk Minimization" (2018);
    https://docs.pytorch.org/vision/0.28/generated/torchvision.transforms.v2.MixUp.html
    """

    def _drawn(self, height: int, width: int) -> tuple[Callable[[Any], Any], float]:
        share = self._share()
        return lambda images: images.roll(1, 0) * (1.0 - share) + images * share, share


class CutMix(_Mixed):
    """Puts a rectangle of the image before it into each image of a batch, and mixes the labels.

    Args:
        alpha: the rectangle's share is drawn from the Beta distribution of ``alpha`` and ``alpha``.
        num_classes: the number of classes; may be left out if the labels are one-hot.
        labels_getter: from the input to its labels; by default the second of a pair, or what a
            dict has under ``"labels"``.

    Called with images ``(N, C, H, W)`` and labels ``(N,)``, gives both mixed, the labels
    ``(N, num_classes)``.

    Raises:
        ValueError: when called: no batch of images, or labels of another shape.
        ValueError: ``labels_getter`` is neither ``"default"`` nor a function.

    Source: Yun and others, "CutMix" (2019);
    https://docs.pytorch.org/vision/0.28/generated/torchvision.transforms.v2.CutMix.html
    """

    def _drawn(self, height: int, width: int) -> tuple[Callable[[Any], Any], float]:
        drawn = self._share()
        across = int(flambeau.randint(width, (1,)).item())
        down = int(flambeau.randint(height, (1,)).item())
        half = 0.5 * math.sqrt(1.0 - drawn)
        half_width, half_height = int(half * width), int(half * height)
        left, right = max(across - half_width, 0), min(across + half_width, width)
        top, bottom = max(down - half_height, 0), min(down + half_height, height)

        def change(images: Any) -> Any:
            result = images.clone()
            result[..., top:bottom, left:right] = images.roll(1, 0)[..., top:bottom, left:right]
            return result

        return change, 1.0 - (right - left) * (bottom - top) / (width * height)
