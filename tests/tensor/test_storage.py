"""The memory under a tensor as programs look at it: elements, bytes, addresses; types of old."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

import flambeau as torch


@pytest.fixture(autouse=True)
def silent() -> object:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def test_elements_lie_in_the_order_of_memory_and_can_be_written() -> None:
    points = torch.tensor([[4.0, 1.0], [5.0, 3.0], [2.0, 1.0]])
    storage = points.t().storage()
    assert storage.tolist() == [4.0, 1.0, 5.0, 3.0, 2.0, 1.0] and len(storage) == 6
    storage[2] = 9.0
    assert points[1, 0] == 9.0 and storage[2] == 9.0
    assert storage.data_ptr() == points.data_ptr() == points[1:].untyped_storage().data_ptr()
    lines = repr(storage).splitlines()
    assert lines[0] == " 4.0"
    assert lines[-1] == "[torch.storage.TypedStorage(dtype=torch.float32, device=cpu) of size 6]"


def test_bytes_of_an_untyped_storage() -> None:
    storage = torch.tensor([1, 258], dtype=torch.int16)[1:].untyped_storage()
    assert storage.tolist() == [1, 0, 2, 1] and storage.size() == storage.nbytes() == 4
    assert repr(storage).splitlines()[-1] == "[torch.storage.UntypedStorage(device=cpu) of size 4]"
    assert torch.is_storage(storage) and isinstance(storage, torch.UntypedStorage)
    with pytest.raises(RuntimeError, match="slices are only supported in UntypedStorage"):
        torch.ones(2).storage()[:1]


def test_the_types_of_old_convert() -> None:
    x = torch.tensor([1.5, 2.0])
    assert x.type(torch.LongTensor).tolist() == [1, 2]
    assert x.type("torch.DoubleTensor").dtype is torch.float64
    assert torch.from_numpy(np.ones(2)).type(torch.FloatTensor).dtype is torch.float32
    assert x.type(torch.FloatTensor) is x and x.type(int).dtype is torch.int64


def test_two_dims_are_swapped_in_place() -> None:
    for name in ("swapaxes_", "swapdims_", "transpose_"):
        x = torch.arange(6).reshape(2, 3)
        assert getattr(x, name)(0, 1) is x and x.shape == (3, 2) and x.stride() == (1, 3)


def test_short_fourier_transforms_are_methods() -> None:
    x = torch.randn(2, 64)
    window = torch.hann_window(16)
    frames = x.stft(16, window=window, return_complex=True)
    torch.testing.assert_close(frames.istft(16, window=window, length=64), x)
    assert x.nonzero_static(size=3).shape == (3, 2)
