"""Perspective: by hand, and as in torchvision for the same seed."""

from __future__ import annotations

import numpy as np
import pytest

import flambeau
from flambeau.vision import transforms
from flambeau.vision.transforms import functional

CORNERS = [[0, 0], [7, 0], [7, 5], [0, 5]]


@pytest.mark.parametrize("mode", ["nearest", "bilinear"])
def test_points_that_stay_leave_the_image_as_it_is(mode):
    image = flambeau.rand(3, 6, 8)
    kind = transforms.InterpolationMode(mode)
    result = functional.perspective(image, CORNERS, CORNERS, kind)
    np.testing.assert_allclose(result.numpy(), image.numpy(), atol=1e-5)


def test_points_that_move_alike_move_the_image():
    image = flambeau.rand(1, 6, 8)
    moved = [[x + 2, y + 1] for x, y in CORNERS]
    result = functional.perspective(image, CORNERS, moved, fill=0.5)
    np.testing.assert_allclose(result[:, 1:, 2:].numpy(), image[:, :-1, :-2].numpy(), atol=1e-5)
    np.testing.assert_allclose(result[:, 0].numpy(), 0.5, atol=1e-5)


def test_corners_are_drawn_within_their_quarters():
    flambeau.manual_seed(0)
    for _ in range(50):
        start, end = transforms.RandomPerspective.get_params(20, 12, 0.5)
        assert start == [[0, 0], [19, 0], [19, 11], [0, 11]]
        assert all(abs(a - c) <= 5 and abs(b - d) <= 3 for (a, b), (c, d) in zip(start, end))


def test_probability_zero_and_pillow_images():
    pillow = pytest.importorskip("PIL.Image")
    image = pillow.fromarray(np.arange(48 * 3, dtype=np.uint8).reshape(6, 8, 3))
    assert transforms.RandomPerspective(p=0)(image) is image
    assert transforms.RandomPerspective(p=1)(image).size == (8, 6)
    assert transforms.v2.RandomPerspective(p=1)(image, 3)[1] == 3


def test_an_interpolation_that_tensors_do_not_have_is_refused():
    with pytest.raises(ValueError, match="unsupported with Tensor input"):
        functional.perspective(
            flambeau.rand(3, 6, 8), CORNERS, CORNERS, transforms.InterpolationMode.BICUBIC
        )
