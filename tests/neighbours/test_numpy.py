"""NumPy's functions on tensors, and tensors on NumPy's arrays."""

from __future__ import annotations

import numpy as np
import pytest

import flambeau as torch

T = torch.arange(6.0).reshape(2, 3)


def test_a_ufunc_of_a_tensor_is_a_tensor() -> None:
    result = np.sin(T)
    assert isinstance(result, torch.Tensor)
    np.testing.assert_array_equal(result.numpy(), np.sin(T.numpy()))


def test_a_ufunc_gives_truth_values_as_uint8_as_pytorch_does() -> None:
    assert np.greater(T, 1).dtype == torch.uint8


def test_an_array_of_a_tensor_shares_its_memory() -> None:
    tensor = torch.zeros(3)
    np.asarray(tensor)[1] = 5
    assert tensor.tolist() == [0, 5, 0]


def test_a_copy_is_one_and_no_copy_of_another_dtype_is_refused() -> None:
    tensor = torch.zeros(3)
    np.array(tensor)[1] = 5
    assert tensor.tolist() == [0, 0, 0]
    with pytest.raises(ValueError, match="Unable to avoid copy"):
        np.array(tensor, dtype=np.float64, copy=False)


def test_a_tensor_that_requires_grad_is_refused_in_pytorchs_words() -> None:
    with pytest.raises(RuntimeError, match=r"Can't call numpy\(\) on Tensor that requires grad"):
        np.asarray(torch.ones(3, requires_grad=True))


def test_arrays_index_tensors_and_tensors_index_arrays() -> None:
    assert torch.equal(T[np.array([1])], T[1:])
    assert torch.equal(T[np.array([True, False])], T[:1])
    assert np.arange(5)[torch.tensor([1, 2])].tolist() == [1, 2]


@pytest.mark.parametrize("data", [[np.ones(2), np.zeros(2)], [np.float64(1.5), 2.0]])
def test_numpys_numbers_in_a_list_keep_their_precision(data: list) -> None:
    assert torch.tensor(data).dtype == torch.float64


def test_nested_tensors_become_an_array() -> None:
    assert np.array([torch.ones(2), torch.zeros(2)]).tolist() == [[1, 1], [0, 0]]
    assert np.stack([T, T]).shape == (2, 2, 3)
