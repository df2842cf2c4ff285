"""Images, filters and feature maps are drawn with their values."""

from __future__ import annotations

import numpy as np
import pytest

import flambeau as torch
from flambeau import nn

pytest.importorskip("matplotlib").use("Agg")
from matplotlib.figure import Figure  # noqa: E402

from flambeau.plots import plot_feature_maps, plot_filters, plot_images  # noqa: E402


def test_images_are_drawn_with_labels_and_predictions() -> None:
    images = torch.linspace(0, 1, 3 * 16).reshape(3, 1, 4, 4)
    axes = Figure().subplots()
    found = plot_images(
        images, torch.tensor([0, 1, 1]), torch.tensor([0, 1, 0]), ["cat", "dog"], ax=axes
    )
    assert found is axes
    assert [text.get_text() for text in axes.texts] == ["cat", "dog", "cat (dog)"]
    right, _, wrong = (text.get_color() for text in axes.texts)
    assert right != wrong
    for picture, image in zip(axes.images, images):
        np.testing.assert_allclose(picture.get_array(), image[0].numpy(), rtol=1e-6)


def test_normalized_images_are_given_their_values_back() -> None:
    image = torch.rand(2, 3, 5, 4)
    mean, std = [0.5, 0.4, 0.3], [0.2, 0.3, 0.4]
    shifted = (image - torch.tensor(mean)[:, None, None]) / torch.tensor(std)[:, None, None]
    axes = plot_images(shifted, mean=mean, std=std, ax=Figure().subplots())
    np.testing.assert_allclose(
        axes.images[1].get_array(), image[1].permute(1, 2, 0).numpy(), atol=1e-6
    )


def test_bytes_are_taken_as_they_are_and_columns_are_kept() -> None:
    images = np.full((5, 2, 2), 255, np.uint8)
    axes = plot_images(images, columns=2, ax=Figure().subplots())
    assert axes.images[0].get_array().max() == 1.0
    lefts = [picture.get_extent()[0] for picture in axes.images]
    assert lefts[0] == lefts[2] == lefts[4] and lefts[1] == lefts[3] > lefts[0]


def test_wrong_numbers_of_labels_and_shapes_are_refused() -> None:
    with pytest.raises(ValueError, match=r"3 images, and the labels are of shape \(2,\)"):
        plot_images(np.zeros((3, 2, 2)), [1, 2])
    with pytest.raises(ValueError, match=r"not \(3, 2, 2, 2\)"):
        plot_images(np.zeros((3, 2, 2, 2)))


def test_filters_are_drawn_around_zero_and_in_colour_where_there_are_three_channels() -> None:
    layer = nn.Conv2d(2, 3, 3)
    axes = plot_filters(layer, ax=Figure().subplots())
    assert len(axes.images) == 6
    np.testing.assert_array_equal(axes.images[3].get_array(), layer.weight.detach().numpy()[1, 1])
    low, high = axes.images[0].get_clim()
    assert low == -high
    assert axes.get_title() == "3 filters of 2 × 3 × 3"
    coloured = plot_filters(nn.Conv2d(3, 4, 5), ax=Figure().subplots())
    assert [picture.get_array().shape for picture in coloured.images] == [(5, 5, 3)] * 4
    with pytest.raises(ValueError, match=r"\(out, in, H, W\), not \(2, 3\)"):
        plot_filters(nn.Linear(3, 2))


def test_feature_maps_are_the_layers_output() -> None:
    model = nn.Sequential(nn.Conv2d(1, 4, 3), nn.ReLU(), nn.Flatten())
    image = torch.rand(1, 6, 6)
    axes = plot_feature_maps(model, image, "1", ax=Figure().subplots())
    expected = model[:2](image[None])[0].detach().numpy()
    assert len(axes.images) == 4
    for picture, channel in zip(axes.images, expected):
        np.testing.assert_allclose(picture.get_array(), channel)
    assert axes.get_title() == "1 ReLU: 4 maps of 4 × 4"
    assert plot_feature_maps(model, image, ax=Figure().subplots()).get_title().startswith("0 Conv")
    with pytest.raises(ValueError, match="no layer 'x'; it has '0', '1', '2'"):
        plot_feature_maps(model, image, "x")
    with pytest.raises(ValueError, match=r"its output is of shape \(1, 64\)"):
        plot_feature_maps(model, image, model[2])
