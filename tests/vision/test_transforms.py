"""Transforms give torchvision's values (recorded, or compared) and its printed forms."""

from __future__ import annotations

import numpy as np
import pytest

import flambeau as torch
from flambeau.vision import transforms
from flambeau.vision.transforms import functional as F

Image = pytest.importorskip("PIL.Image")

# Recorded from torchvision 0.28: resized (arange(20) ** 2 % 17).reshape(1, 4, 5).
RESIZED = {
    ("nearest", (2, 3), True): [
        [0.0, 1.0, 9.0],
        [15.0, 2.0, 16.0],
    ],
    ("nearest", (2, 3), False): [
        [0.0, 1.0, 9.0],
        [15.0, 2.0, 16.0],
    ],
    ("nearest", (3, 7), True): [
        [0.0, 0.0, 1.0, 4.0, 4.0, 9.0, 16.0],
        [8.0, 8.0, 2.0, 15.0, 15.0, 13.0, 13.0],
        [15.0, 15.0, 2.0, 8.0, 8.0, 16.0, 9.0],
    ],
    ("nearest", (3, 7), False): [
        [0.0, 0.0, 1.0, 4.0, 4.0, 9.0, 16.0],
        [8.0, 8.0, 2.0, 15.0, 15.0, 13.0, 13.0],
        [15.0, 15.0, 2.0, 8.0, 8.0, 16.0, 9.0],
    ],
    ("nearest-exact", (2, 3), True): [
        [8.0, 15.0, 13.0],
        [4.0, 0.0, 4.0],
    ],
    ("nearest-exact", (2, 3), False): [
        [8.0, 15.0, 13.0],
        [4.0, 0.0, 4.0],
    ],
    ("nearest-exact", (3, 7), True): [
        [0.0, 1.0, 1.0, 4.0, 9.0, 9.0, 16.0],
        [15.0, 2.0, 2.0, 8.0, 16.0, 16.0, 9.0],
        [4.0, 1.0, 1.0, 0.0, 1.0, 1.0, 4.0],
    ],
    ("nearest-exact", (3, 7), False): [
        [0.0, 1.0, 1.0, 4.0, 9.0, 9.0, 16.0],
        [15.0, 2.0, 2.0, 8.0, 16.0, 16.0, 9.0],
        [4.0, 1.0, 1.0, 0.0, 1.0, 1.0, 4.0],
    ],
    ("bilinear", (2, 3), True): [
        [3.8571, 8.1111, 12.8571],
        [5.9796, 5.4762, 8.1633],
    ],
    ("bilinear", (2, 3), False): [
        [3.1667, 9.5, 13.3333],
        [6.8333, 4.0, 7.1667],
    ],
    ("bilinear", (3, 7), True): [
        [2.4, 1.7714, 3.0143, 7.3, 9.3714, 12.3, 15.1],
        [11.5, 6.0714, 4.7143, 11.5, 13.6429, 13.0, 11.0],
        [7.3, 3.8714, 1.6143, 2.4, 4.6143, 5.5, 5.5],
    ],
    ("bilinear", (3, 7), False): [
        [1.3333, 1.2381, 2.5, 5.8333, 8.5714, 12.1667, 15.5],
        [11.5, 6.0714, 4.7143, 11.5, 13.6429, 13.0, 11.0],
        [5.8333, 3.1667, 1.2143, 1.3333, 2.881, 4.0714, 4.8333],
    ],
    ("bicubic", (2, 3), True): [
        [3.445, 8.2369, 13.6123],
        [6.082, 5.0871, 8.0249],
    ],
    ("bicubic", (2, 3), False): [
        [2.2824, 10.1562, 13.5978],
        [7.3287, 3.3438, 7.2633],
    ],
    ("bicubic", (3, 7), True): [
        [1.5959, 1.0019, 2.5654, 7.119, 8.922, 12.4938, 15.8177],
        [12.7571, 5.8468, 3.6905, 12.1688, 15.036, 13.5631, 10.8317],
        [7.461, 3.8115, 0.8026, 1.5767, 4.0799, 5.1547, 5.0143],
    ],
    ("bicubic", (3, 7), False): [
        [1.0174, 0.6162, 2.1915, 5.7002, 8.0441, 12.4911, 16.1204],
        [14.1545, 5.6806, 3.7705, 13.2812, 16.5317, 14.4576, 10.7865],
        [6.0589, 3.0688, 0.5192, 1.0266, 2.4672, 4.0394, 4.7618],
    ],
}

# What torchvision 0.28 draws after manual_seed(0).
RANDOM_CROPS = [(3, 3, 20, 20), (1, 9, 20, 20), (12, 9, 20, 20), (3, 10, 20, 20)]
RANDOM_FLIPS = [1, 0, 1, 1, 1, 0, 1, 0, 1, 0]


def picture(mode="RGB", size=(5, 4)):
    """A Pillow image, width and height given."""
    rng = np.random.default_rng(0)
    channels = {"L": 1, "RGB": 3, "RGBA": 4, "LA": 2}[mode]
    array = rng.integers(0, 256, (size[1], size[0], channels), np.uint8)
    return Image.fromarray(array[:, :, 0] if channels == 1 else array)


@pytest.mark.parametrize(
    ("transform", "expected"),
    [
        (transforms.Resize(28),
         "Resize(size=28, interpolation=bilinear, max_size=None, antialias=True)"),
        (transforms.Resize((28, 30), 0),
         "Resize(size=(28, 30), interpolation=nearest, max_size=None, antialias=True)"),
        (transforms.CenterCrop(10), "CenterCrop(size=(10, 10))"),
        (transforms.CenterCrop((3, 4)), "CenterCrop(size=(3, 4))"),
        (transforms.RandomCrop(28, padding=4), "RandomCrop(size=(28, 28), padding=4)"),
        (transforms.RandomCrop((20, 20)), "RandomCrop(size=(20, 20), padding=None)"),
        (transforms.RandomHorizontalFlip(), "RandomHorizontalFlip(p=0.5)"),
        (transforms.RandomVerticalFlip(0.3), "RandomVerticalFlip(p=0.3)"),
        (transforms.ToPILImage(), "ToPILImage()"),
        (transforms.ToPILImage("L"), "ToPILImage(mode=L)"),
        (transforms.Grayscale(), "Grayscale(num_output_channels=1)"),
        (transforms.Pad(2), "Pad(padding=2, fill=0, padding_mode=constant)"),
        (transforms.Pad((1, 2), 3, "reflect"),
         "Pad(padding=(1, 2), fill=3, padding_mode=reflect)"),
        (transforms.PILToTensor(), "PILToTensor()"),
        (transforms.ToTensor(), "ToTensor()"),
        (transforms.Lambda(abs), "Lambda()"),
        (transforms.ConvertImageDtype(torch.float32), "ConvertImageDtype()"),
        (transforms.Normalize([0.5], [0.5], True), "Normalize(mean=[0.5], std=[0.5])"),
        (transforms.Compose([transforms.ToTensor(), transforms.Normalize((0.1,), (0.3,))]),
         "Compose(\n    ToTensor()\n    Normalize(mean=(0.1,), std=(0.3,))\n)"),
        (transforms.RandomApply([transforms.ToTensor()]),
         "RandomApply(\n    p=0.5\n    ToTensor()\n)"),
        (transforms.RandomChoice([transforms.ToTensor()]),
         "RandomChoice(\n    ToTensor()\n)(p=None)"),
        (transforms.RandomOrder([transforms.ToTensor()]), "RandomOrder(\n    ToTensor()\n)"),
    ],
    ids=lambda value: type(value).__name__,
)  # fmt: skip
def test_printed_forms_are_torchvisions(transform, expected):
    assert repr(transform) == expected


# -- conversions ----------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", ["L", "LA", "RGB", "RGBA"])
def test_pillow_images_become_tensors_and_images_again(mode):
    image = picture(mode)
    tensor = transforms.ToTensor()(image)
    array = np.asarray(image).reshape(4, 5, -1).transpose(2, 0, 1)
    assert tensor.dtype is torch.float32
    assert tensor.is_contiguous()
    np.testing.assert_array_equal(tensor.numpy(), array.astype(np.float32) / np.float32(255))
    raw = transforms.PILToTensor()(image)
    assert raw.dtype is torch.uint8
    np.testing.assert_array_equal(raw.numpy(), array)
    for back in (transforms.ToPILImage()(tensor), transforms.ToPILImage(mode)(raw)):
        assert back.mode == mode
        assert back.tobytes() == image.tobytes()


def test_other_modes_keep_their_type():
    for mode, dtype in (("I", torch.int32), ("F", torch.float32), ("I;16", torch.int16)):
        image = Image.new(mode, (3, 2), 7)
        tensor = transforms.ToTensor()(image)
        assert tensor.dtype is dtype
        assert tensor.tolist() == [[[7.0] * 3] * 2]
        assert transforms.ToPILImage()(tensor.to(torch.float32) if mode == "F" else tensor)
    bits = Image.fromarray(np.array([[True, False]]))
    assert transforms.ToTensor()(bits).tolist() == [[[1.0, 0.0]]]


def test_arrays_become_tensors():
    array = np.arange(24, dtype=np.uint8).reshape(2, 4, 3)
    tensor = transforms.ToTensor()(array)
    assert tensor.shape == (3, 2, 4)
    assert tensor[1, 0, 2].item() == np.float32(7) / np.float32(255)
    assert transforms.ToTensor()(array[:, :, 0]).shape == (1, 2, 4)
    floats = transforms.ToTensor()(array.astype(np.float64))
    assert floats.dtype is torch.float64
    assert floats[1, 0, 2].item() == 7.0
    torch.set_default_dtype(torch.float64)
    assert transforms.ToTensor()(array).dtype is torch.float64


def test_what_is_no_image_is_refused():
    with pytest.raises(TypeError, match="pic should be PIL Image or ndarray. Got <class 'list'>"):
        transforms.ToTensor()([1])
    with pytest.raises(ValueError, match="2/3 dimensional. Got 1 dimensions"):
        transforms.ToTensor()(np.zeros(3))
    with pytest.raises(TypeError, match="pic should be PIL Image. Got"):
        transforms.PILToTensor()(np.zeros((2, 2)))
    with pytest.raises(ValueError, match="not have > 4 channels. Got 5"):
        transforms.ToPILImage()(torch.zeros(5, 2, 2))
    with pytest.raises(ValueError, match="Incorrect mode"):
        transforms.ToPILImage("RGB")(torch.zeros(1, 2, 2, dtype=torch.uint8))
    with pytest.raises(TypeError, match="should be callable"):
        transforms.Lambda(3)


def test_conversion_of_dtypes():
    image = torch.tensor([[[0, 128, 255]]], dtype=torch.uint8)
    convert = F.convert_image_dtype
    np.testing.assert_allclose(convert(image, torch.float64).numpy(), [[[0, 128 / 255, 1]]])
    assert convert(image, torch.int16).tolist() == [[[0, 16384, 32640]]]
    assert convert(convert(image, torch.int32), torch.uint8).tolist() == image.tolist()
    halves = torch.tensor([[[0.0, 0.5, 1.0]]])
    assert convert(halves, torch.uint8).tolist() == [[[0, 127, 255]]]
    with pytest.raises(RuntimeError, match="cannot be performed safely"):
        convert(halves, torch.int32)


# -- normalisation --------------------------------------------------------------------------------


def test_normalize():
    tensor = torch.rand(3, 4, 5)
    before = tensor.clone()
    mean, std = (0.1, 0.2, 0.3), [0.4, 0.5, 0.6]
    result = transforms.Normalize(mean, std)(tensor)
    one = np.float32
    for channel in range(3):
        expected = (before[channel].numpy() - one(mean[channel])) / one(std[channel])
        assert result[channel].numpy().tobytes() == expected.tobytes()
    assert torch.equal(tensor, before)
    same = transforms.Normalize(mean, std, inplace=True)(tensor)
    assert same is tensor
    assert torch.equal(tensor, result)
    batch = transforms.Normalize(torch.tensor(mean), np.array(std))(torch.stack([before] * 2))
    assert torch.equal(batch[1], result)


def test_normalize_is_differentiable():
    tensor = torch.rand(1, 2, 2, requires_grad=True)
    transforms.Normalize((0.5,), (0.25,))(tensor).sum().backward()
    assert tensor.grad.tolist() == [[[4.0, 4.0], [4.0, 4.0]]]


def test_normalize_refuses():
    normalize = transforms.Normalize((0.5,), (0.0,))
    with pytest.raises(ValueError, match="std evaluated to zero"):
        normalize(torch.zeros(1, 2, 2))
    with pytest.raises(TypeError, match="should be Tensor Image. Got"):
        normalize(np.zeros((1, 2, 2)))
    with pytest.raises(TypeError, match="should be a float tensor. Got torch.uint8"):
        normalize(torch.zeros(1, 2, 2, dtype=torch.uint8))
    with pytest.raises(ValueError, match=r"size \(..., C, H, W\)"):
        normalize(torch.zeros(2, 2))


# -- geometry: tensors and Pillow images agree ----------------------------------------------------


def both(function, mode="RGB", size=(5, 4)):
    """A transform's result on a tensor and on the same Pillow image, as tensors."""
    image = picture(mode, size)
    tensor = transforms.PILToTensor()(image)
    return function(tensor), transforms.PILToTensor()(function(image))


@pytest.mark.parametrize("padding", [1, [2], (1, 2), (1, 2, 3, 4), (-1, 1, 2, -1), (-1, -1, -1, 0)])
@pytest.mark.parametrize("mode", ["constant", "edge", "reflect", "symmetric"])
def test_pad(padding, mode):
    on_tensor, on_image = both(lambda image: F.pad(image, padding, 7, mode))
    if mode != "constant" or not np.any(np.asarray(padding) < 0):
        assert torch.equal(on_tensor, on_image)
    if padding == 1:
        assert on_tensor.shape == (3, 6, 7)
        if mode == "constant":
            assert set(on_tensor[:, 0].flatten().tolist()) == {7}


@pytest.mark.parametrize("size", [2, (3, 2), (4, 5), (6, 9), (2, 9), [3]])
def test_center_crop(size):
    on_tensor, on_image = both(transforms.CenterCrop(size))
    assert torch.equal(on_tensor, on_image)


@pytest.mark.parametrize("box", [(0, 0, 2, 3), (-1, 2, 3, 9), (3, 3, 4, 4), (9, 9, 2, 2)])
def test_crop(box):
    on_tensor, on_image = both(lambda image: F.crop(image, *box))
    assert torch.equal(on_tensor, on_image)


def test_flips():
    for flip, axis in ((F.hflip, -1), (F.vflip, -2)):
        on_tensor, on_image = both(flip)
        assert torch.equal(on_tensor, on_image)
        assert torch.equal(flip(on_tensor).flip(axis), on_tensor)


@pytest.mark.parametrize(("mode", "size", "antialias"), list(RESIZED))
def test_resized_tensors_are_torchvisions(mode, size, antialias):
    image = (torch.arange(20.0) ** 2 % 17).reshape(1, 4, 5)
    resize = transforms.Resize(size, transforms.InterpolationMode(mode), antialias=antialias)
    np.testing.assert_allclose(resize(image)[0].tolist(), RESIZED[mode, size, antialias], atol=1e-4)


@pytest.mark.parametrize("size", [3, (2, 2), (7, 3), (8, 10), 9])
def test_resized_images_agree_with_resized_tensors(size):
    on_tensor, on_image = both(transforms.Resize(size), size=(6, 5))
    assert on_tensor.shape == on_image.shape
    difference = (on_tensor.to(torch.int16) - on_image.to(torch.int16)).abs().max().item()
    assert difference <= 2  # Pillow rounds between its two passes


def test_resize_keeps_the_ratio_and_the_limit():
    image = torch.zeros(1, 20, 10)
    assert transforms.Resize(5)(image).shape == (1, 10, 5)
    assert transforms.Resize(5, max_size=8)(image).shape == (1, 8, 4)
    assert transforms.Resize(20)(image).shape == (1, 40, 20)
    with pytest.raises(ValueError, match="strictly greater"):
        transforms.Resize(5, max_size=5)(image)
    with pytest.raises(ValueError, match="not by lanczos"):
        F.resize(image, 5, transforms.InterpolationMode.LANCZOS)
    with pytest.raises(TypeError, match="Size should be int or sequence"):
        transforms.Resize(2.5)
    with pytest.raises(TypeError, match="interpolation should be"):
        transforms.Resize(2, "bilinear")


def test_grayscale():
    on_tensor, on_image = both(transforms.Grayscale())
    difference = (on_tensor.to(torch.int16) - on_image.to(torch.int16)).abs().max().item()
    assert difference <= 1
    assert F.rgb_to_grayscale(torch.zeros(2, 3, 4, 4), 3).shape == (2, 3, 4, 4)
    with pytest.raises(ValueError, match="either 1 or 3"):
        transforms.Grayscale(2)(torch.zeros(3, 2, 2))


# -- chance ---------------------------------------------------------------------------------------


def test_random_crops_are_torchvisions_for_a_seed():
    torch.manual_seed(0)
    drawn = [transforms.RandomCrop.get_params(torch.zeros(1, 32, 40), (20, 20)) for _ in range(4)]
    assert drawn == RANDOM_CROPS
    image = torch.arange(32 * 40).reshape(1, 32, 40)
    torch.manual_seed(0)
    top, left, _, _ = RANDOM_CROPS[0]
    assert torch.equal(transforms.RandomCrop(20)(image), image[:, top : top + 20, left : left + 20])
    with pytest.raises(ValueError, match="is larger than input image size"):
        transforms.RandomCrop(50)(image)
    assert transforms.RandomCrop(50, pad_if_needed=True)(image).shape == (1, 50, 50)


def test_random_flips_are_torchvisions_for_a_seed():
    torch.manual_seed(0)
    image = torch.tensor([[[0, 1]]])
    flip = transforms.RandomHorizontalFlip()
    assert [flip(image)[0, 0, 0].item() for _ in range(10)] == RANDOM_FLIPS


def test_random_apply():
    image = torch.zeros(1, 2, 2)
    add = transforms.Lambda(lambda x: x + 1)
    assert transforms.RandomApply([add, add], p=1.0)(image)[0, 0, 0].item() == 2
    assert transforms.RandomApply([add], p=0.0)(image)[0, 0, 0].item() == 0
    assert transforms.RandomChoice([add])(image)[0, 0, 0].item() == 1
    assert transforms.RandomOrder([add, add])(image)[0, 0, 0].item() == 2
