"""Tensors through DLPack, both ways, without a copy."""

from __future__ import annotations

import numpy as np
import pytest

import flambeau as torch
from flambeau.utils.dlpack import from_dlpack, to_dlpack


def test_numpy_takes_a_tensor_and_shares_its_memory() -> None:
    tensor = torch.zeros(2, 3).T
    array = np.from_dlpack(tensor)
    tensor[0, 1] = 7
    assert array.shape == (3, 2)
    assert array[0, 1] == 7


@pytest.mark.parametrize("dtype", ["float32", "int64", "uint8", "bool", "complex64", "float16"])
def test_a_tensor_takes_an_array_and_shares_its_memory(dtype: str) -> None:
    array = np.zeros((2, 2), dtype)
    tensor = torch.from_dlpack(array)
    array[0, 1] = 1
    assert str(tensor.dtype) == f"torch.{dtype}"
    assert tensor[0, 1].item() == 1


def test_a_capsule_goes_around_once() -> None:
    tensor = torch.arange(4)
    capsule = to_dlpack(tensor)
    again = from_dlpack(capsule)
    again[0] = 9
    assert tensor[0] == 9
    with pytest.raises(RuntimeError, match="invalid capsule"):
        from_dlpack(capsule)


def test_a_copy_is_made_on_request() -> None:
    tensor = torch.zeros(2)
    torch.from_dlpack(tensor, copy=True)[0] = 1
    assert tensor.tolist() == [0, 0]


def test_refusals() -> None:
    with pytest.raises(BufferError, match="Can't export tensors that require gradient"):
        np.from_dlpack(torch.ones(1, requires_grad=True))
    with pytest.raises(TypeError, match="stream must be"):
        torch.ones(1).__dlpack__(stream="x")
    with pytest.raises(RuntimeError, match="invalid capsule"):
        torch.from_dlpack([1.0])
    assert tuple(torch.ones(1).__dlpack_device__()) == (1, 0)


def test_to_and_from_pytorch() -> None:
    pytorch = pytest.importorskip("torch")
    theirs = pytorch.zeros(2, 3)
    ours = torch.from_dlpack(theirs)
    ours[1, 2] = 4
    assert theirs[1, 2] == 4
    back = pytorch.from_dlpack(ours)
    back[0, 0] = 3
    assert ours[0, 0] == 3


def test_to_and_from_jax() -> None:
    jax = pytest.importorskip("jax")
    assert jax.numpy.from_dlpack(torch.arange(3.0)).tolist() == [0, 1, 2]
    assert torch.from_dlpack(jax.numpy.arange(3)).tolist() == [0, 1, 2]
