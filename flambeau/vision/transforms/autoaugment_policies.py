"""AutoAugment: pairs of changes that a search has found to help on a dataset.

Source: https://docs.pytorch.org/vision/0.28/transforms.html
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from enum import Enum
from typing import Any

import flambeau

from . import functional as F
from .autoaugment import RandAugment, Space, _apply, _Drawn
from .functional import InterpolationMode


class AutoAugmentPolicy(Enum):
    """The dataset that the pairs were found on.

    ``IMAGENET``, ``CIFAR10`` or ``SVHN``.
    """

    IMAGENET = "imagenet"
    CIFAR10 = "cifar10"
    SVHN = "svhn"


# Change, probability in tenths and strength (none for changes that have none), two to a line: the
# tables of the paper's appendix, as published with its code.
_TABLES = {
    AutoAugmentPolicy.IMAGENET: """
        Posterize 4 8, Rotate 6 9; Solarize 6 5, AutoContrast 6; Equalize 8, Equalize 6;
        Posterize 6 7, Posterize 6 6; Equalize 4, Solarize 2 4; Equalize 4, Rotate 8 8;
        Solarize 6 3, Equalize 6; Posterize 8 5, Equalize 10; Rotate 2 3, Solarize 6 8;
        Equalize 6, Posterize 4 6; Rotate 8 8, Color 4 0; Rotate 4 9, Equalize 6;
        Equalize 0, Equalize 8; Invert 6, Equalize 10; Color 6 4, Contrast 10 8;
        Rotate 8 8, Color 10 2; Color 8 8, Solarize 8 7; Sharpness 4 7, Invert 6;
        ShearX 6 5, Equalize 10; Color 4 0, Equalize 6; Equalize 4, Solarize 2 4;
        Solarize 6 5, AutoContrast 6; Invert 6, Equalize 10; Color 6 4, Contrast 10 8;
        Equalize 8, Equalize 6""",
    AutoAugmentPolicy.CIFAR10: """
        Invert 1, Contrast 2 6; Rotate 7 2, TranslateX 3 9; Sharpness 8 1, Sharpness 9 3;
        ShearY 5 8, TranslateY 7 9; AutoContrast 5, Equalize 9; ShearY 2 7, Posterize 3 7;
        Color 4 3, Brightness 6 7; Sharpness 3 9, Brightness 7 9; Equalize 6, Equalize 5;
        Contrast 6 7, Sharpness 6 5; Color 7 7, TranslateX 5 8; Equalize 3, AutoContrast 4;
        TranslateY 4 3, Sharpness 2 6; Brightness 9 6, Color 2 8; Solarize 5 2, Invert 0;
        Equalize 2, AutoContrast 6; Equalize 2, Equalize 6; Color 9 9, Equalize 6;
        AutoContrast 8, Solarize 2 8; Brightness 1 3, Color 7 0; Solarize 4 5, AutoContrast 9;
        TranslateY 9 9, TranslateY 7 9; AutoContrast 9, Solarize 8 3; Equalize 8, Invert 1;
        TranslateY 7 9, AutoContrast 9""",
    AutoAugmentPolicy.SVHN: """
        ShearX 9 4, Invert 2; ShearY 9 8, Invert 7; Equalize 6, Solarize 6 6;
        Invert 9, Equalize 6; Equalize 6, Rotate 9 3; ShearX 9 4, AutoContrast 8;
        ShearY 9 8, Invert 4; ShearY 9 5, Solarize 2 6; Invert 9, AutoContrast 8;
        Equalize 6, Rotate 9 3; ShearX 9 4, Solarize 3 3; ShearY 8 8, Invert 7;
        Equalize 9, TranslateY 6 6; Invert 9, Equalize 6; Contrast 3 3, Rotate 8 4;
        Invert 8, TranslateY 0 2; ShearY 7 6, Solarize 4 8; Invert 6, Rotate 8 4;
        ShearY 3 7, TranslateX 9 3; ShearX 1 6, Invert 6; Solarize 7 2, TranslateY 6 7;
        ShearY 8 4, Invert 8; ShearX 7 9, TranslateY 8 3; ShearY 8 5, AutoContrast 7;
        ShearX 7 2, Invert 1""",
}

Change = tuple[str, float, int | None]


def _parsed(table: str) -> list[tuple[Change, ...]]:
    def change(text: str) -> Change:
        name, tenths, *strength = text.split()
        return name, int(tenths) / 10, int(strength[0]) if strength else None

    return [tuple(change(part) for part in line.split(",")) for line in table.split(";")]


class AutoAugment(_Drawn):
    """Applies one of 25 pairs of changes, each change with its probability and strength.

    ``img`` is a Pillow image or a tensor ``(..., C, H, W)``; what is returned is of the same kind.

    Args:
        policy: the dataset that the pairs were found on.
        interpolation: how values between pixels are found.
        fill: the colour where there is no image.

    Raises:
        ValueError: ``policy`` is none.

    Tensor images are of bytes, as for :func:`~.functional.posterize`.

    Source: Cubuk and others, "AutoAugment" (2019);
    https://docs.pytorch.org/vision/0.28/generated/torchvision.transforms.AutoAugment.html
    """

    def __init__(
        self,
        policy: AutoAugmentPolicy = AutoAugmentPolicy.IMAGENET,
        interpolation: InterpolationMode | int = InterpolationMode.NEAREST,
        fill: float | Sequence[float] | None = None,
    ) -> None:
        super().__init__(interpolation, fill)
        if policy not in _TABLES:
            raise ValueError(f"The provided policy {policy} is not recognized.")
        self.policy = policy
        self.policies = _parsed(_TABLES[policy])

    @staticmethod
    def get_params(transform_num: int) -> tuple[int, Any, Any]:
        """Draw a pair's number, and for both changes what decides on it and its sign.

        Args:
            transform_num: how many pairs there are.

        Returns:
            The number, ``(2,)`` from 0 to 1, and ``(2,)`` of 0 and 1.
        """
        number = int(flambeau.randint(transform_num, (1,)).item())
        return number, flambeau.rand((2,)), flambeau.randint(2, (2,))

    def _chosen(self, space: Space) -> Iterator[tuple[str, float]]:
        """Draw a pair; of its changes those that happen, and their strengths."""
        number, decisions, signs = self.get_params(len(self.policies))
        for position, (name, probability, place) in enumerate(self.policies[number]):
            if float(decisions[position]) > float(flambeau.tensor(probability)):
                continue
            strengths, signed = space[name]
            strength = 0.0 if place is None else float(strengths[place])
            yield name, -strength if signed and int(signs[position]) == 0 else strength

    def forward(self, img: Any) -> Any:
        fill = self._fill_of(img)
        space = {**RandAugment(num_magnitude_bins=10)._space(img), "Invert": (0.0, False)}
        for name, strength in self._chosen(space):
            if name == "Invert":
                img = F.invert(img)
            else:
                img = _apply(img, name, strength, self.interpolation, fill)
        return img

    def __repr__(self) -> str:
        return f"{type(self).__name__}(policy={self.policy}, fill={self.fill})"
