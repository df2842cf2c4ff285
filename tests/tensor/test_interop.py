"""Into and out of Python and NumPy: who shares memory with whom, and sizes."""

from __future__ import annotations

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import flambeau


@pytest.fixture(params=["flambeau", "torch"])
def m(request: pytest.FixtureRequest) -> Any:
    """The module under test: flambeau, or PyTorch to check that the test itself is right."""
    return flambeau if request.param == "flambeau" else pytest.importorskip("torch")


def test_from_numpy_and_back_share_memory(m: Any) -> None:
    array = np.arange(6.0).reshape(2, 3)
    tensor = m.from_numpy(array)
    array[0, 0] = 7.0
    assert tensor[0, 0].item() == 7.0
    tensor[1, 1] = 8.0
    assert array[1, 1] == 8.0
    tensor.numpy()[0, 1] = 9.0
    assert array[0, 1] == 9.0
    assert tensor.t().numpy().base is not None


def test_tensor_copies(m: Any) -> None:
    array = np.zeros(2)
    tensor = m.tensor(array)
    array[0] = 1.0
    assert tensor.tolist() == [0.0, 0.0]
    assert tensor.dtype == m.float64
    assert m.tensor([1, 2]).dtype == m.int64 and m.tensor([1.0]).dtype == m.float32
    assert m.tensor(np.float64(1.0)).dtype == m.float64
    assert m.tensor([np.float32(1.0)]).dtype == m.float32
    assert m.tensor([]).dtype == m.float32 and m.tensor([True]).dtype == m.bool


def test_as_tensor_shares_where_it_can(m: Any) -> None:
    array = np.zeros(2)
    shared = m.as_tensor(array)
    converted = m.as_tensor(array, dtype=m.float32)
    array[0] = 1.0
    assert shared.tolist() == [1.0, 0.0] and converted.tolist() == [0.0, 0.0]
    assert m.as_tensor(shared) is shared


def test_views_share_memory(m: Any) -> None:
    x = m.arange(12.0)
    views = [
        x.view(3, 4),
        x[3:],
        x.reshape(2, 6).t(),
        x[None],
        x.view(3, 4).diagonal(),
        x.expand(2, 12),
        x.view(3, 4)[:, 1],
        x.unsqueeze(1),
        x.detach(),
        x.data,
        x.view(2, 6)[0],
    ]
    x.fill_(5.0)
    assert all((v == 5.0).all() for v in views)
    views[0][2, 3] = -1.0
    assert x[11].item() == -1.0
    assert x.view(3, 4).data_ptr() == x.data_ptr()
    assert x[2:].storage_offset() == 2 and x.view(3, 4).t().stride() == (1, 4)


def test_copies_do_not_share_memory(m: Any) -> None:
    x = m.arange(4.0)
    copies = [x.clone(), x[[0, 1, 2, 3]], x[x >= 0], x + 0, x.view(2, 2).t().reshape(4),
              x.view(2, 2).t().contiguous(), m.cat([x]), x.repeat(1), copy.deepcopy(x)]  # fmt: skip
    x.zero_()
    assert all(c.sum().item() == 6.0 for c in copies)


def test_view_needs_the_right_strides(m: Any) -> None:
    with pytest.raises(RuntimeError, match="view size is not compatible with input tensor's size"):
        m.arange(6.0).view(2, 3).t().view(6)
    with pytest.raises(RuntimeError, match=r"shape '\[4, 2\]' is invalid for input of size 6"):
        m.arange(6.0).view(4, 2)


def test_numpy_refuses_what_requires_grad(m: Any) -> None:
    x = m.ones(2, requires_grad=True)
    with pytest.raises(RuntimeError, match=r"Can't call numpy\(\) on Tensor that requires grad"):
        x.numpy()
    with pytest.raises(RuntimeError, match=r"Can't call numpy\(\)"):
        np.asarray(x)
    assert x.detach().numpy().tolist() == x.numpy(force=True).tolist() == [1.0, 1.0]


def test_numpy_functions_take_tensors(m: Any) -> None:
    x = m.arange(4.0)
    assert np.asarray(x).base is not None or np.shares_memory(np.asarray(x), x.numpy())
    assert np.array(x, dtype=np.int64).dtype == np.int64
    assert np.allclose(x, [0, 1, 2, 3])
    assert np.stack([x, x]).shape == (2, 4)
    assert np.mean(x.numpy()) == 1.5


def test_negative_strides_are_refused(m: Any) -> None:
    with pytest.raises(ValueError, match="negative"):
        m.from_numpy(np.arange(3)[::-1])
    assert m.tensor(np.arange(3)[::-1].copy()).tolist() == [2, 1, 0]


def test_dtypes_that_tensors_lack_are_refused(m: Any) -> None:
    with pytest.raises(TypeError, match="can't convert np.ndarray of type numpy.(str_|object_)"):
        m.from_numpy(np.array(["a"]))
    with pytest.raises(TypeError):
        m.from_numpy([1.0])


def test_python_numbers(m: Any) -> None:
    x = m.tensor(2.5)
    assert float(x) == 2.5 and int(x) == 2 and bool(x) and x.item() == 2.5
    assert isinstance(m.tensor(3).item(), int) and isinstance(m.tensor(True).item(), bool)
    assert [10, 20, 30][m.tensor(1)] == 20
    assert f"{x:.1f}" == "2.5" and round(float(x)) == 2
    with pytest.raises(
        RuntimeError, match="a Tensor with 2 elements cannot be converted to Scalar"
    ):
        m.ones(2).item()
    with pytest.raises(RuntimeError, match="Boolean value of Tensor with more than one value"):
        bool(m.ones(2))
    with pytest.raises(TypeError, match="only integer tensors of a single element"):
        [1, 2][x]
    with pytest.raises(TypeError, match="0-d tensor"):
        len(x)
    with pytest.raises(TypeError, match="0-d tensor"):
        iter(x)


def test_iteration_and_membership(m: Any) -> None:
    x = m.arange(6).reshape(3, 2)
    assert [row.tolist() for row in x] == [[0, 1], [2, 3], [4, 5]]
    a, b, c = x
    assert b.tolist() == [2, 3] and len(x) == 3
    assert 3 in x and 9 not in x
    assert sum(m.ones(3)).item() == 3.0
    assert max(m.tensor([1, 3, 2])).item() == 3


def test_tensors_hash_by_identity(m: Any) -> None:
    x, y = m.ones(1), m.ones(1)
    assert len({x, y, x}) == 2 and {x: 1}[x] == 1
    assert x in [x]


def test_size_is_a_tuple_that_says_so(m: Any) -> None:
    shape = m.ones(2, 3).shape
    assert isinstance(shape, tuple) and isinstance(shape, m.Size) and shape == (2, 3)
    assert repr(shape) == "torch.Size([2, 3])"
    assert isinstance(shape[:1], m.Size) and shape[0] == 2 and shape[-1] == 3
    assert shape.numel() == 6 and isinstance(shape + (4,), m.Size)
    assert m.ones(2, 3).size(1) == 3 and m.ones(2, 3).size() == shape
    rows, columns = shape
    assert m.zeros(shape).shape == shape and m.zeros(*shape).shape == shape
    assert pickle.loads(pickle.dumps(shape)) == shape
    assert {shape: 1}[(2, 3)] == 1
    with pytest.raises(IndexError, match="Dimension out of range"):
        m.ones(2).size(3)


def test_copying_and_pickling(m: Any) -> None:
    x = m.ones(2, requires_grad=True)
    x.grad = m.ones(2)
    for made in (copy.deepcopy(x), pickle.loads(pickle.dumps(x))):
        assert made.requires_grad and made.is_leaf and made.tolist() == [1.0, 1.0]
        assert made.data_ptr() != x.data_ptr()
    assert copy.deepcopy(x).grad.tolist() == [1.0, 1.0]
    with pytest.raises(RuntimeError, match="Only Tensors created explicitly by the user"):
        copy.deepcopy(x * 2)
    shallow = copy.copy(x)
    assert shallow.data_ptr() == x.data_ptr() and shallow.requires_grad


def test_zero_dimensional_results_stay_tensors(m: Any) -> None:
    x = m.tensor(2.0)
    for result in (x + x, x * 2, x[()], x.sum(), -x, x.exp(), m.ones(2)[0], x.max(), x == x,
                   m.ones(2) @ m.ones(2), x.clone(), x.view(()), x**2):  # fmt: skip
        assert isinstance(result, m.Tensor) and result.shape == ()
