"""Random transforms draw torchvision's numbers and give its values (recorded from 0.28)."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

import flambeau as torch
from flambeau.vision import transforms
from flambeau.vision.transforms import functional as F
from flambeau.vision.transforms import v2

Image = pytest.importorskip("PIL.Image")

PIXELS = np.kron(np.random.RandomState(0).rand(6, 7, 3), np.ones((4, 5, 1))) * 255
BYTES = PIXELS.astype(np.uint8).transpose(2, 0, 1).copy()

# After seed 2: the result's shape, the beginning of its MD5, and the next random number.
RECORDED = {
    "ColorJitter(0.4, 0.3, 0.5, 0.2)": ((3, 24, 35), "77d47ef08014", 0.095769),
    "RandomRotation(40)": ((3, 24, 35), "65ad1981449b", 0.381013),
    "RandomRotation(40, expand=True, fill=9)": ((3, 30, 39), "47725285b3b1", 0.381013),
    "RandomAffine(30, translate=(0.1, 0.2), scale=(0.7, 1.3), shear=10)": (
        (3, 24, 35),
        "5cd0ddf02212",
        0.619036,
    ),
    "RandomErasing(p=1.0)": ((3, 24, 35), "b020c5d0236e", 0.619036),
    "RandomErasing(p=1.0, value=(1, 2, 3))": ((3, 24, 35), "34929dd73397", 0.619036),
    "GaussianBlur((3, 7), (0.5, 2.0))": ((3, 24, 35), "460f3a3c0039", 0.381013),
    "RandomInvert(1.0)": ((3, 24, 35), "8e23955bd6ae", 0.381013),
    "RandomPosterize(3, 1.0)": ((3, 24, 35), "5b65094c666c", 0.381013),
    "RandomSolarize(128, 1.0)": ((3, 24, 35), "b9594f0abf4b", 0.381013),
    "RandomAdjustSharpness(2.0, 1.0)": ((3, 24, 35), "ae4482e8de71", 0.381013),
    "RandomAutocontrast(1.0)": ((3, 24, 35), "e3f915603941", 0.381013),
    "RandomEqualize(1.0)": ((3, 24, 35), "cd1d1df1fb32", 0.381013),
    "RandAugment()": ((3, 24, 35), "889a7953e98f", 0.474461),
    "TrivialAugmentWide()": ((3, 24, 35), "a9e079655367", 0.474461),
    "RandomResizedCrop((10, 14), interpolation=InterpolationMode.NEAREST)": (
        (3, 10, 14),
        "1dc9c5162442",
        0.713594,
    ),
    "AutoAugment(AutoAugmentPolicy.IMAGENET)": ((3, 24, 35), "63625d3c17b3", 0.619036),
    "AutoAugment(AutoAugmentPolicy.CIFAR10)": ((3, 24, 35), "cd1d1df1fb32", 0.619036),
}


@pytest.mark.parametrize("call", RECORDED)
def test_bytes_are_torchvisions_and_so_is_the_stream(call):
    shape, digest, following = RECORDED[call]
    names = {**vars(transforms)}
    transform = eval(call, names)
    torch.manual_seed(2)
    found = transform(torch.from_numpy(BYTES.copy()))
    assert tuple(found.shape) == shape and found.dtype is torch.uint8
    assert float(torch.rand(1)) == pytest.approx(following, abs=1e-6)
    assert hashlib.md5(np.ascontiguousarray(found.numpy()).tobytes()).hexdigest()[:12] == digest


@pytest.mark.parametrize("call", [c for c in RECORDED if "Erasing" not in c])
def test_pillow_images_stay_pillow_images(call):
    transform = eval(call, {**vars(transforms)})
    image = Image.fromarray(BYTES.transpose(1, 2, 0))
    torch.manual_seed(2)
    found = transform(image)
    assert found.mode == "RGB" and found.size == RECORDED[call][0][:0:-1]


@pytest.mark.parametrize("policy", transforms.AutoAugmentPolicy)
def test_automatic_augmentation_has_25_pairs_for_each_dataset(policy):
    augment = transforms.AutoAugment(policy)
    assert [len(pair) for pair in augment.policies] == [2] * 25
    torch.manual_seed(0)
    image = torch.from_numpy(BYTES)
    found = [augment(image) for _ in range(30)]
    assert all(one.shape == image.shape and one.dtype is torch.uint8 for one in found)
    assert any(not torch.equal(one, image) for one in found)


def test_rotation_by_a_right_angle_is_exact():
    image = torch.arange(16.0).reshape(1, 4, 4)
    turned = torch.from_numpy(np.rot90(image.numpy(), 1, (1, 2)).copy())
    assert torch.equal(F.rotate(image, 90), turned)
    bilinear = transforms.InterpolationMode.BILINEAR
    assert torch.allclose(F.rotate(image, 90, bilinear), turned, atol=1e-4)
    assert F.rotate(image, 45, expand=True).shape == (1, 6, 6)


def test_moving_an_image_fills_what_it_leaves():
    image = torch.ones(3, 2, 3)
    moved = F.affine(image, 0.0, [1, 0], 1.0, 0.0, fill=[5.0, 6.0, 7.0])
    assert moved[:, 0].tolist() == [[5, 1, 1], [6, 1, 1], [7, 1, 1]]


def test_changes_of_colour_by_hand():
    image = torch.tensor([0.2, 0.5, 0.8]).reshape(3, 1, 1)
    assert F.adjust_brightness(image, 1.5).flatten().tolist() == pytest.approx([0.3, 0.75, 1.0])
    gray = 0.2989 * 0.2 + 0.587 * 0.5 + 0.114 * 0.8
    expected = [0.5 * v + 0.5 * gray for v in (0.2, 0.5, 0.8)]
    assert F.adjust_saturation(image, 0.5).flatten().tolist() == pytest.approx(expected)
    assert F.adjust_hue(image, 1 / 3).flatten().tolist() == pytest.approx([0.8, 0.2, 0.5])
    assert F.adjust_gamma(image, 2.0).flatten().tolist() == pytest.approx([0.04, 0.25, 0.64])
    assert F.posterize(torch.tensor([[255, 37]], dtype=torch.uint8), 3).tolist() == [[224, 32]]


def test_gradients_go_through_turning_and_colours():
    image = torch.rand(3, 4, 4, requires_grad=True)
    bilinear = transforms.InterpolationMode.BILINEAR
    F.adjust_contrast(F.rotate(image, 10.0, bilinear), 0.9).sum().backward()
    assert image.grad is not None and bool((image.grad != 0).any())


def test_five_and_ten_pieces():
    image = torch.arange(25.0).reshape(1, 5, 5)
    five = transforms.FiveCrop(2)(image)
    assert [float(piece[0, 0, 0]) for piece in five] == [0, 3, 15, 18, 12]
    ten = transforms.TenCrop((2, 2))(image)
    assert len(ten) == 10 and torch.equal(ten[5], image.flip(-1)[:, :2, :2])
    with pytest.raises(ValueError, match="bigger than input size"):
        F.five_crop(image, 6)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: transforms.ColorJitter(hue=0.6), "hue values should be between"),
        (lambda: transforms.ColorJitter(brightness=-1), "must be non negative"),
        (lambda: transforms.RandomRotation(-5), "must be positive"),
        (lambda: transforms.RandomAffine(0, translate=(2, 0)), "between 0 and 1"),
        (lambda: transforms.RandomErasing(value="noise"), "it should be 'random'"),
        (lambda: transforms.GaussianBlur(4), "odd and positive"),
        (lambda: F.adjust_hue(torch.zeros(3, 2, 2), 0.7), "is not in"),
        (lambda: F.rotate(torch.zeros(3, 2, 2), 5, fill=[1, 2]), "cannot broadcast"),
        (lambda: v2.Compose([]), "at least one"),
    ],
)
def test_wrong_arguments_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_the_second_version_passes_labels_on():
    image = Image.fromarray(BYTES.transpose(1, 2, 0))
    pipeline = v2.Compose(
        [v2.ToImage(), v2.Resize((8, 8)), v2.ToDtype(torch.float32, scale=True),
         v2.Normalize([0.5] * 3, [0.5] * 3)]
    )  # fmt: skip
    alone = pipeline(image)
    together, label = pipeline(image, 7)
    assert alone.shape == (3, 8, 8) and alone.dtype is torch.float32 and label == 7
    assert torch.equal(alone, together)
    assert pipeline((image, 3))[1] == 3
    assert float(alone.min()) >= -1 and float(alone.max()) <= 1


def test_the_second_versions_images_are_those_of_the_first():
    image = Image.fromarray(BYTES.transpose(1, 2, 0))
    first = transforms.ToTensor()(image)
    second = v2.Compose([v2.ToImage(), v2.ToDtype(torch.float32, scale=True)])(image)
    assert torch.equal(first, second)
    assert torch.equal(v2.functional.to_image(np.asarray(image)), v2.functional.to_image(image))
    assert v2.functional.horizontal_flip(first).shape == first.shape


def test_the_second_versions_choices():
    torch.manual_seed(0)
    image = torch.zeros(1, 2, 2)
    choice = v2.RandomChoice([v2.Lambda(lambda x: x + 1), v2.Lambda(lambda x: x + 2)], p=[0, 1])
    assert float(choice(image)[0, 0, 0]) == 2.0
    order = v2.RandomOrder([v2.Lambda(lambda x: x + 1), v2.Lambda(lambda x: x + 2)])
    assert float(order(image)[0, 0, 0]) == 3.0
    assert float(v2.RandomApply([v2.Lambda(lambda x: x + 1)], p=1.0)(image)[0, 0, 0]) == 1.0
    assert float(v2.RandomApply([v2.Lambda(lambda x: x + 1)], p=0.0)(image)[0, 0, 0]) == 0.0
