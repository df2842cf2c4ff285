"""Drawn changes of images give torchvision's values, all of them (recorded from 0.28).

Sums of products are rounded as torchvision rounds them; else a pixel in the middle between two
falls to the other one, and a byte that is half-way is rounded to its neighbour.
"""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

import flambeau as torch
from flambeau.vision import transforms
from flambeau.vision.transforms import functional as F

pytest.importorskip("PIL.Image")

RNG = np.random.RandomState(0)
IMAGES = [
    RNG.randint(0, 256, (3, 8 + RNG.randint(32), 8 + RNG.randint(32))).astype(np.uint8)
    for _ in range(60)
]

# The beginning of the MD5 of 60 images' bytes, each after its own seed.
RECORDED = {
    "AugMix(interpolation=F.InterpolationMode.NEAREST)": "29deb91fb42e",
    "AugMix()": "c228034a8767",
    "AutoAugment(transforms.AutoAugmentPolicy.SVHN)": "c74a459eddad",
    "AutoAugment(transforms.AutoAugmentPolicy.CIFAR10, F.InterpolationMode.BILINEAR)": (
        "be6a9ace72a2"
    ),
    "RandAugment(interpolation=F.InterpolationMode.BILINEAR)": "2d889db00500",
    "TrivialAugmentWide(interpolation=F.InterpolationMode.BILINEAR)": "b255f3d3f1d1",
    "RandomAffine(30, (0.1, 0.2), (0.7, 1.3), 10, F.InterpolationMode.BILINEAR, fill=9)": (
        "2843943b78f7"
    ),
    "RandomPerspective(p=1.0)": "8ffd5d56be13",
    "RandomRotation((90, 90), expand=True)": "a08003da585e",
}


@pytest.mark.parametrize("call", RECORDED)
def test_sixty_images_are_torchvisions_to_the_bit(call):
    transform = eval(f"transforms.{call}", {"transforms": transforms, "F": F})
    digest = hashlib.md5()
    for seed, image in enumerate(IMAGES):
        torch.manual_seed(seed)
        digest.update(np.ascontiguousarray(transform(torch.from_numpy(image)).numpy()).tobytes())
    assert digest.hexdigest()[:12] == RECORDED[call]
