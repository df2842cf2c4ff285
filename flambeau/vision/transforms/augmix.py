"""AugMix: an image mixed with what several chains of changes make of it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

import flambeau

from ...tensor import Tensor
from . import functional as F
from .autoaugment import Space, _apply, _Drawn, _line
from .functional import InterpolationMode

_BINS = 10


class AugMix(_Drawn):
    """Mixes an image with what several chains of random changes make of it.

    ``img`` is a Pillow image or a tensor ``(..., C, H, W)``; what is returned is of the same kind.

    Args:
        severity: the greatest strength of the changes, from 1 to 10.
        mixture_width: the number of chains.
        chain_depth: the number of changes in a chain; below 1, from 1 to 3 at random.
        alpha: of the Dirichlet and Beta distributions that the shares are drawn from.
        all_ops: brightness, colour, contrast and sharpness too.
        interpolation: how values between pixels are found.
        fill: the colour where there is no image.

    Raises:
        ValueError: ``severity`` is not from 1 to 10.

    Tensor images are of bytes, as for :func:`~.functional.posterize`.

    Source: Hendrycks and others, "AugMix" (2020);
    https://docs.pytorch.org/vision/0.28/generated/torchvision.transforms.AugMix.html
    """

    def __init__(
        self,
        severity: int = 3,
        mixture_width: int = 3,
        chain_depth: int = -1,
        alpha: float = 1.0,
        all_ops: bool = True,
        interpolation: InterpolationMode | int = InterpolationMode.BILINEAR,
        fill: float | Sequence[float] | None = None,
    ) -> None:
        super().__init__(interpolation, fill)
        if not 1 <= severity <= _BINS:
            raise ValueError(f"The severity must be between [1, {_BINS}]. Got {severity} instead.")
        self.severity = severity
        self.mixture_width = mixture_width
        self.chain_depth = chain_depth
        self.alpha = alpha
        self.all_ops = all_ops

    def _space(self, img: Any) -> Space:
        _, height, width = F.get_dimensions(img)
        space: Space = {
            "ShearX": (_line(0.0, 0.3, _BINS), True),
            "ShearY": (_line(0.0, 0.3, _BINS), True),
            "TranslateX": (_line(0.0, width / 3.0, _BINS), True),
            "TranslateY": (_line(0.0, height / 3.0, _BINS), True),
            "Rotate": (_line(0.0, 30.0, _BINS), True),
            "Posterize": ((4 - np.rint(np.arange(_BINS) / ((_BINS - 1) / 4))).tolist(), False),
            "Solarize": (_line(self._white(img), 0.0, _BINS), False),
            "AutoContrast": (0.0, False),
            "Equalize": (0.0, False),
        }
        if self.all_ops:
            for name in ("Brightness", "Color", "Contrast", "Sharpness"):
                space[name] = (_line(0.0, 0.9, _BINS), True)
        return space

    def _drawn(self, space: Space) -> tuple[str, float]:
        """Draw a change and its strength."""
        name = list(space)[int(flambeau.randint(len(space), (1,)).item())]
        strengths, signed = space[name]
        strength = 0.0
        if isinstance(strengths, list):
            strength = float(strengths[int(flambeau.randint(self.severity, (1,)).item())])
        if signed and self._negative():
            strength = -strength
        return name, strength

    def forward(self, img: Any) -> Any:
        image = img if isinstance(img, Tensor) else F.pil_to_tensor(img)
        fill = self._fill_of(image)
        space = self._space(image)
        shape = list(image.shape)
        batch: Any = image.reshape([1] * max(4 - len(shape), 0) + shape)
        each = [batch.shape[0]] + [1] * (batch.ndim - 1)
        kept = self._shares(2, len(batch))
        shares = self._shares(self.mixture_width, len(batch)) * kept[:, 1:]
        mixed = kept[:, 0].reshape(each) * batch
        for number in range(self.mixture_width):
            changed = batch
            depth = self.chain_depth
            if depth <= 0:
                depth = int(flambeau.randint(1, 4, (1,)).item())
            for _ in range(depth):
                name, strength = self._drawn(space)
                changed = _apply(changed, name, strength, self.interpolation, fill)
            mixed = mixed + shares[:, number].reshape(each) * changed
        result = mixed.reshape(shape).to(image.dtype)
        return result if isinstance(img, Tensor) else F.to_pil_image(result, img.mode)

    def _shares(self, count: int, batch: int) -> Any:
        """Draw shares that sum to one, for each image."""
        alphas = flambeau.tensor([float(self.alpha)] * count)
        return flambeau._sample_dirichlet(alphas.expand(batch, count))

    def __repr__(self) -> str:
        return (
            f"{type(self).__name__}(severity={self.severity}, mixture_width={self.mixture_width}, "
            f"chain_depth={self.chain_depth}, alpha={self.alpha}, all_ops={self.all_ops}, "
            f"interpolation={self.interpolation}, fill={self.fill})"
        )
