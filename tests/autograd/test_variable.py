"""`torch.autograd.Variable`, as programs of old write it; and inputs of `grad` of any kind."""

from __future__ import annotations

import pytest

import flambeau as torch
from flambeau.autograd import Variable


def test_a_variable_is_a_tensor_of_the_same_data() -> None:
    data = torch.tensor([1, 2])
    variable = Variable(data)
    assert variable.dtype is torch.int64 and variable.data_ptr() == data.data_ptr()
    assert Variable(torch.ones(2), requires_grad=True).requires_grad
    assert not Variable(torch.ones(2, requires_grad=True) * 2).requires_grad
    assert isinstance(torch.ones(1), Variable)
    with pytest.raises(TypeError, match="Variable data has to be a tensor, but got list"):
        Variable([1])
    with pytest.warns(UserWarning, match="volatile was removed"):
        Variable(data, volatile=True)


def test_grad_takes_a_dict_s_values_and_generators() -> None:
    x = torch.ones(2, requires_grad=True)
    for inputs in ({"x": x}.values(), (one for one in [x]), iter([x])):
        (gradient,) = torch.autograd.grad((x * 2).sum(), inputs)
        assert gradient.tolist() == [2, 2]
    with pytest.raises(RuntimeError, match="all inputs have to be Tensors"):
        torch.autograd.grad((x * 2).sum(), [None])
