"""Images side by side and in files."""

from __future__ import annotations

import io

import numpy as np
import pytest

import flambeau as torch
from flambeau.vision.utils import make_grid, save_image


def test_images_are_put_in_rows_with_a_border():
    images = torch.arange(1.0, 4.0).reshape(3, 1, 1, 1).expand(3, 3, 2, 2)
    grid = make_grid(images, nrow=2, padding=1, pad_value=9.0)
    assert grid.shape == (3, 7, 7)
    assert grid[1].tolist() == [
        [9, 9, 9, 9, 9, 9, 9],
        [9, 1, 1, 9, 2, 2, 9],
        [9, 1, 1, 9, 2, 2, 9],
        [9, 9, 9, 9, 9, 9, 9],
        [9, 3, 3, 9, 9, 9, 9],
        [9, 3, 3, 9, 9, 9, 9],
        [9, 9, 9, 9, 9, 9, 9],
    ]


@pytest.mark.parametrize("shape", [(4, 5), (1, 4, 5), (1, 1, 4, 5), (1, 3, 4, 5), (3, 4, 5)])
def test_one_image_stays_alone_and_gets_three_channels(shape):
    assert make_grid(torch.rand(*shape)).shape == (3, 4, 5)


def test_normalisation():
    images = torch.tensor([[[[0.0, 2.0]]], [[[4.0, 8.0]]]])
    together = make_grid(images, padding=0, normalize=True)[0, 0].tolist()
    assert together == [0.0, 0.25, 0.5, 1.0]
    each = make_grid(images, padding=0, normalize=True, scale_each=True)[0, 0].tolist()
    assert each == [0.0, 1.0, 0.0, 1.0]
    limited = make_grid(images, padding=0, normalize=True, value_range=(2, 4))[0, 0].tolist()
    assert limited == [0.0, 0.0, 1.0, 1.0]
    assert images[0, 0, 0].tolist() == [0.0, 2.0]


def test_what_is_no_image_is_refused():
    with pytest.raises(TypeError, match="tensor or list of tensors expected, got <class 'int'>"):
        make_grid(3)
    with pytest.raises(TypeError, match="got a list containing <class 'int'>"):
        make_grid([3])
    with pytest.raises(TypeError, match="has to be a tuple"):
        make_grid(torch.zeros(2, 1, 2, 2), normalize=True, value_range=[0, 1])


def test_images_are_saved():
    Image = pytest.importorskip("PIL.Image")
    file = io.BytesIO()
    save_image(torch.tensor([[[0.0, 0.5, 1.0, 2.0]]]), file, format="png")
    array = np.asarray(Image.open(file))
    assert array.shape == (1, 4, 3)
    assert array[0, :, 0].tolist() == [0, 128, 255, 255]
