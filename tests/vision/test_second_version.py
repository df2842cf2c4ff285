"""The second version's transforms draw torchvision's numbers and give its values (of 0.28)."""

from __future__ import annotations

import numpy as np
import pytest

import flambeau as torch
from flambeau.vision import transforms
from flambeau.vision.transforms import v2

PIXELS = np.kron(np.random.RandomState(0).rand(6, 7, 3), np.ones((4, 5, 1))) * 255
BYTES = PIXELS.astype(np.uint8).transpose(2, 0, 1).copy()

# After seed 2: the result's shape, the sum of its bytes, their sum weighted from 0 to 1, and the
# next random number.
RECORDED = {
    "AugMix()": ((3, 24, 35), 319332, 163443, 0.036700),
    "AugMix(5, 2, 2, 0.7, False)": ((3, 24, 35), 343402, 178151, 0.829073),
    "AutoAugment()": ((3, 24, 35), 330880, 169791, 0.619036),
    "ElasticTransform()": ((3, 24, 35), 281134, 143917, 0.441831),
    "ElasticTransform([30.0, 60.0], [3.0, 2.0], fill=[1, 2, 3])": (
        (3, 24, 35),
        257354,
        130198,
        0.441831,
    ),
    "GaussianNoise()": ((3, 24, 35), 324662, 165546, 0.053914),
    "GaussianNoise(0.1, 0.2, False)": ((3, 24, 35), 330684, 165060, 0.053914),
    "RandAugment()": ((3, 24, 35), 189203, 96840, 0.474461),
    "RandomChannelPermutation()": ((3, 24, 35), 322460, 161727, 0.637114),
    "RandomPhotometricDistort()": ((3, 24, 35), 323260, 157332, 0.565714),
    "RandomResize(8, 40)": ((3, 16, 23), 141323, 72294, 0.381013),
    "RandomShortestSize([10, 20, 30], max_size=40)": ((3, 10, 14), 53742, 27486, 0.381013),
    "RandomZoomOut(side_range=(1.0, 3.0), p=1.0)": ((3, 42, 61), 322460, 162586, 0.713594),
    "ScaleJitter((40, 40))": ((3, 34, 50), 652484, 333711, 0.381013),
    "TrivialAugmentWide()": ((3, 24, 35), 178867, 80522, 0.474461),
}


@pytest.mark.parametrize("call", RECORDED)
def test_values_are_torchvisions_and_so_is_the_stream(call):
    shape, total, weighted, following = RECORDED[call]
    torch.manual_seed(2)
    found, label = eval(call, vars(v2))(torch.from_numpy(BYTES.copy()), 7)
    assert tuple(found.shape) == shape and found.dtype is torch.uint8 and label == 7
    assert float(torch.rand(1)) == pytest.approx(following, abs=1e-6)
    values = found.numpy().astype(np.float64).reshape(-1)
    assert values.sum() == pytest.approx(total, rel=3e-4)
    assert (values * np.linspace(0, 1, values.size)).sum() == pytest.approx(weighted, rel=3e-4)


@pytest.mark.parametrize(
    "call",
    [
        "AugMix()",
        "ElasticTransform()",
        "JPEG((20, 90))",
        "RGB()",
        "RandomChannelPermutation()",
        "RandomPhotometricDistort()",
        "RandomShortestSize(12)",
        "RandomZoomOut(p=1.0)",
        "ScaleJitter((20, 20))",
    ],
)
def test_pillow_images_are_treated_as_tensors_are(call):
    pillow = pytest.importorskip("PIL.Image")
    transform = eval(call, vars(v2))
    torch.manual_seed(2)
    tensor = transform(torch.from_numpy(BYTES.copy()))
    torch.manual_seed(2)
    image = transform(pillow.fromarray(BYTES.transpose(1, 2, 0)))
    assert image.mode == "RGB" and image.size == tuple(tensor.shape[:0:-1])
    difference = v2.functional.to_image(image).to(torch.float32) - tensor.to(torch.float32)
    assert float(difference.abs().mean()) < 2.0


IMAGES = (np.arange(4 * 3 * 6 * 5) % 97).reshape(4, 3, 6, 5).astype(np.float32)
LABELS = np.array([0, 1, 2, 0])
MIXED = {
    "MixUp": (16314.0, 8443.754926, 0.545881987, 0.390051),
    "CutMix": (16314.0, 8399.259053, 0.800000012, 0.533368),
}


@pytest.mark.parametrize("name", MIXED)
def test_batches_are_mixed_as_in_torchvision(name):
    total, weighted, share, following = MIXED[name]
    torch.manual_seed(2)
    transform = getattr(v2, name)(num_classes=3, alpha=0.8)
    images, labels = transform(torch.from_numpy(IMAGES), torch.from_numpy(LABELS))
    values = images.numpy().astype(np.float64).reshape(-1)
    assert values.sum() == pytest.approx(total)
    assert (values * np.linspace(0, 1, values.size)).sum() == pytest.approx(weighted)
    expected = [[1, 0, 0], [1 - share, share, 0], [0, 1 - share, share], [share, 0, 1 - share]]
    np.testing.assert_allclose(labels.numpy(), expected, rtol=1e-6)
    assert float(torch.rand(1)) == pytest.approx(following, abs=1e-6)


@pytest.mark.parametrize("name", MIXED)
def test_labels_that_are_one_hot_or_elsewhere(name):
    images, labels = torch.from_numpy(IMAGES), torch.from_numpy(LABELS)
    results = []
    for options, given in [
        ({"num_classes": 3}, (images, labels)),
        ({}, (images, torch.nn.functional.one_hot(labels, 3))),
        ({"num_classes": 3}, {"image": images, "labels": labels}),
        ({"num_classes": 3, "labels_getter": lambda batch: batch["y"]}, {"x": images, "y": labels}),
    ]:
        torch.manual_seed(0)
        mixed = getattr(v2, name)(**options)(given)
        results.append(list(mixed.values()) if isinstance(mixed, dict) else mixed)
    for mixed in results[1:]:
        assert all(torch.equal(a, b) for a, b in zip(mixed, results[0], strict=True))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda t: v2.MixUp(num_classes=3)(t(IMAGES[0]), t(LABELS)), "Expected a batch"),
        (lambda t: v2.MixUp()(t(IMAGES), t(LABELS)), "num_classes must be passed"),
        (lambda t: v2.CutMix(num_classes=3)(t(IMAGES), t(LABELS[:3])), "batch size"),
        (lambda t: v2.CutMix(num_classes=3)(t(IMAGES), 3), "labels must be a tensor"),
        (lambda t: v2.MixUp(labels_getter=3), "labels_getter"),
        (lambda t: v2.GaussianNoise(sigma=-1)(t(IMAGES)), "shouldn't be negative"),
        (lambda t: v2.GaussianNoise()(t(LABELS[None])), "uint8 or float"),
        (lambda t: v2.JPEG(0), "quality"),
        (lambda t: v2.RandomZoomOut(side_range=(0.5, 2)), "Invalid side range"),
        (lambda t: transforms.AugMix(severity=11), "severity must be between"),
        (lambda t: transforms.ElasticTransform(alpha=[1.0, 2.0, 3.0]), "1 or 2"),
        (lambda t: transforms.LinearTransformation(t(IMAGES[0, 0]), t(LABELS)), "square"),
    ],
)
def test_wrong_arguments_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call(torch.from_numpy)


def test_ways_of_no_length_leave_the_image_as_it_is():
    image = torch.rand(3, 5, 4)
    found = transforms.functional.elastic_transform(image, torch.zeros(1, 5, 4, 2))
    np.testing.assert_allclose(found.numpy(), image.numpy(), atol=1e-6)


def test_whitening_by_hand():
    matrix = torch.tensor([[2.0, 1.0], [0.0, 1.0]])
    transform = transforms.LinearTransformation(matrix, torch.tensor([1.0, 2.0]))
    image = torch.tensor([[[4.0, 7.0]]])
    assert transform(image).tolist() == [[[6.0, 8.0]]]
    assert v2.LinearTransformation(matrix, torch.tensor([1.0, 2.0]))(image, 3)[1] == 3
    with pytest.raises(ValueError, match="incompatible shape"):
        transform(torch.zeros(1, 2, 2))


def test_functions_for_tensors_alone_have_their_names():
    assert v2.functional.resize_image is v2.functional.resize
    assert v2.functional.get_size(torch.zeros(3, 4, 5)) == [4, 5]
    assert v2.functional.grayscale_to_rgb(torch.zeros(1, 4, 5)).shape == (3, 4, 5)
    with pytest.raises(AttributeError, match="nothing_image"):
        v2.functional.nothing_image  # noqa: B018
