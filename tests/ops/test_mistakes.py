"""Common mistakes are refused with PyTorch's exception type and the words programs match on."""

# ruff: noqa: E501  (a mistake and its words on one line)

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import flambeau

MISTAKES: dict[str, Any] = {
    # shapes
    "add shapes": (lambda m: m.ones(2, 3) + m.ones(2, 4), "The size of tensor a (3) must match the size of tensor b (4) at non-singleton dimension 1"),
    "mul shapes": (lambda m: m.ones(3) * m.ones(4), "The size of tensor a (3) must match the size of tensor b (4) at non-singleton dimension 0"),
    "compare shapes": (lambda m: m.ones(3) == m.ones(4), "The size of tensor a (3) must match"),
    "where shapes": (lambda m: m.where(m.ones(3) > 0, m.ones(4), m.ones(3)), "must match the size of tensor b"),
    "mm": (lambda m: m.ones(2, 3) @ m.ones(2, 3), "mat1 and mat2 shapes cannot be multiplied (2x3 and 2x3)"),
    "mm function": (lambda m: m.mm(m.ones(2, 3), m.ones(2, 3)), "mat1 and mat2 shapes cannot be multiplied (2x3 and 2x3)"),
    "mm of a vector": (lambda m: m.mm(m.ones(3), m.ones(3, 2)), "self must be a matrix"),
    "mv": (lambda m: m.ones(2, 3) @ m.ones(2), "size mismatch, got input (2), mat (2x3), vec (2)"),
    "dot": (lambda m: m.ones(3) @ m.ones(2), "inconsistent tensor size, expected tensor [3] and src [2] to have the same number of elements"),
    "bmm batch": (lambda m: m.bmm(m.ones(2, 3, 4), m.ones(3, 4, 5)), "Expected size for first two dimensions of batch2 tensor to be: [2, 4] but got: [3, 4]."),
    "bmm dims": (lambda m: m.bmm(m.ones(3, 4), m.ones(3, 4, 5)), "batch1 must be a 3D tensor"),
    "matmul of a number": (lambda m: m.ones(2) @ m.tensor(2.0), "both arguments to matmul need to be at least 1D, but they are 1D and 0D"),
    "linear": (lambda m: m.nn.functional.linear(m.ones(2, 3), m.ones(4, 5)), "mat1 and mat2 shapes cannot be multiplied (2x3 and 5x4)"),
    "cat": (lambda m: m.cat([m.ones(2, 3), m.ones(3, 2)]), "Sizes of tensors must match except in dimension 0. Expected size 3 but got size 2 for tensor number 1 in the list."),
    "cat dims": (lambda m: m.cat([m.ones(2, 3), m.ones(3)]), "Tensors must have same number of dimensions: got 2 and 1"),
    "cat of nothing": (lambda m: m.cat([]), "expected a non-empty list of Tensors"),
    "cat of 0-d": (lambda m: m.cat([m.tensor(1.0)]), "zero-dimensional tensor (at position 0) cannot be concatenated"),
    "maximum of complex numbers": (lambda m: m.maximum(m.ones(2) * 1j, m.ones(2)), "maximum not implemented for complex tensors."),
    "fmin of complex numbers": (lambda m: m.fmin(m.ones(2) * 1j, m.ones(2)), "fmin not implemented for complex tensors."),
    "order of complex numbers": (lambda m: m.ones(2) * 1j < m.ones(2), "\"lt_cpu\" not implemented for 'ComplexFloat'"),
    "fmod of complex numbers": (lambda m: m.fmod(m.ones(2) * 1j, m.ones(2)), "\"fmod_cpu\" not implemented for 'ComplexFloat'"),
    "floor of complex numbers": (lambda m: (m.ones(2) * 1j) // m.ones(2), "\"div_floor_cpu\" not implemented for 'ComplexFloat'"),
    "angle of complex numbers": (lambda m: m.atan2(m.ones(2) * 1j, m.ones(2)), "\"atan2_cpu\" not implemented for 'ComplexFloat'"),
    "sign of complex numbers": (lambda m: m.copysign(m.ones(2) * 1j, m.ones(2)), "\"copysign_cpu\" not implemented for 'ComplexFloat'"),
    "gcd of booleans": (lambda m: m.gcd(m.ones(2, dtype=m.bool), m.ones(2, dtype=m.bool)), "\"gcd_cpu\" not implemented for 'Bool'"),
    "bmm with an array": (lambda m: m.bmm(m.ones(1, 2, 2), np.ones((1, 2, 2))), "bmm(): argument 'mat2' (position 2) must be Tensor, not "),
    "dot with a number": (lambda m: m.dot(m.ones(2), 1.0), "dot(): argument 'tensor' (position 2) must be Tensor, not float"),
    "outer with a number": (lambda m: m.outer(m.ones(2), 1.0), "outer(): argument 'vec2' (position 2) must be Tensor, not float"),
    "kron with a number": (lambda m: m.kron(m.ones(2), 1.0), "kron(): argument 'other' (position 2) must be Tensor, not float"),
    "stack of as many elements": (lambda m: m.stack([m.ones(2, 3), m.ones(3, 2)]), "stack expects each tensor to be equal size, but got [2, 3] at entry 0 and [3, 2] at entry 1"),
    "stack": (lambda m: m.stack([m.ones(2), m.ones(3)]), "stack expects each tensor to be equal size, but got [2] at entry 0 and [3] at entry 1"),
    "reshape": (lambda m: m.ones(6).reshape(4, 2), "shape '[4, 2]' is invalid for input of size 6"),
    "two unknown sizes": (lambda m: m.ones(6).reshape(-1, -1), "only one dimension can be inferred"),
    "expand": (lambda m: m.ones(2, 3).expand(2, 4), "The expanded size of the tensor (4) must match the existing size (3) at non-singleton dimension 1"),
    "expand fewer": (lambda m: m.ones(2, 3).expand(3), "the number of sizes provided (1) must be greater or equal to the number of dimensions in the tensor (2)"),
    "permute": (lambda m: m.ones(2, 3).permute(0), "number of dimensions in the tensor input does not match the length of the desired ordering of dimensions"),
    "permute twice": (lambda m: m.ones(2, 3).permute(0, 0), "duplicate dims"),
    "t of 3-d": (lambda m: m.ones(2, 3, 4).t(), "expects a tensor with <= 2 dimensions, but self is 3D"),
    "split sizes": (lambda m: m.ones(5).split([2, 2]), "expects split_sizes to sum exactly to 5"),
    "chunk none": (lambda m: m.ones(5).chunk(0), "chunk expects `chunks` to be greater than 0"),
    "squeeze beyond": (lambda m: m.ones(2).squeeze(3), "Dimension out of range (expected to be in range of [-1, 0], but got 3)"),
    "sum beyond": (lambda m: m.ones(2, 3).sum(2), "Dimension out of range (expected to be in range of [-2, 1], but got 2)"),
    "sum dim twice": (lambda m: m.ones(2, 3).sum((0, 0)), "appears multiple times in the list of dims"),
    "softmax beyond": (lambda m: m.ones(2, 3).softmax(2), "Dimension out of range"),
    "max of nothing": (lambda m: m.ones(0).max(), "Expected reduction dim to be specified for input.numel() == 0"),
    "argmax of nothing": (lambda m: m.ones(0).argmax(), "Expected reduction dim"),
    "topk beyond": (lambda m: m.ones(3).topk(5), "selected index k out of range"),
    "gather dims": (lambda m: m.ones(2, 3).gather(1, m.zeros(2, dtype=m.int64)), "Index tensor must have the same number of dimensions as input tensor"),
    "gather index": (lambda m: m.ones(2, 3).gather(1, m.full((2, 1), 5)), "index 5 is out of bounds for dimension 1 with size 3"),
    "gather dtype": (lambda m: m.ones(2, 3).gather(1, m.ones(2, 1)), "gather(): Expected dtype int32/int64 for index"),
    "scatter index": (lambda m: m.zeros(2, 3).scatter(1, m.full((2, 1), 3), 1.0), "index 3 is out of bounds for dimension 1 with size 3"),
    "index_select": (lambda m: m.ones(3).index_select(0, m.tensor([4])), None),
    "narrow": (lambda m: m.ones(3).narrow(0, 2, 2), "start (2) + length (2) exceeds dimension size (3)."),
    "select": (lambda m: m.ones(3).select(0, 3), "select(): index 3 out of range for tensor of size [3] at dimension 0"),
    "masked_fill mask": (lambda m: m.ones(2).masked_fill(m.ones(2), 0), "masked_fill_ only supports boolean masks, but got mask with dtype"),
    "unflatten": (lambda m: m.ones(6).unflatten(0, (4, 2)), "unflatten: Provided sizes [4, 2] don't multiply up to the size of dim 0 (6)"),
    "movedim": (lambda m: m.ones(2, 3).movedim((0, 1), (0,)), "movedim: Invalid source or destination dims"),
    "tril of a vector": (lambda m: m.ones(3).tril(), "tril: input tensor must have at least 2 dimensions"),
    "item": (lambda m: m.ones(2).item(), "a Tensor with 2 elements cannot be converted to Scalar"),
    "negative size": (lambda m: m.zeros(-1), None),
    "ragged": (lambda m: m.tensor([[1, 2], [3]]), "expected sequence of length 2 at dim 1 (got 1)"),
    # dtypes
    "mm dtypes": (lambda m: m.ones(2, 2) @ m.ones(2, 2, dtype=m.float64), "expected m1 and m2 to have the same dtype, but got: float != double"),
    "dot dtypes": (lambda m: m.dot(m.ones(2), m.ones(2).double()), "dot : expected both vectors to have same dtype, but found Float and Double"),
    "mean of ints": (lambda m: m.ones(2, dtype=m.int64).mean(), "mean(): could not infer output dtype. Input dtype must be either a floating point or complex dtype. Got: Long"),
    "std of ints": (lambda m: m.ones(2, dtype=m.int64).std(), "std and var only support floating point and complex dtypes"),
    "bool minus": (lambda m: m.ones(2).bool() - m.ones(2).bool(), "Subtraction, the `-` operator, with two bool tensors is not supported."),
    "minus bool": (lambda m: -m.ones(2).bool(), "Negation, the `-` operator, on a bool tensor is not supported."),
    "bits of floats": (lambda m: m.ones(2) & m.ones(2), "\"bitwise_and_cpu\" not implemented for 'Float'"),
    "softmax of ints": (lambda m: m.ones(2, dtype=m.int64).softmax(0), "not implemented for 'Long'"),
    "integer powers": (lambda m: m.ones(2, dtype=m.int64) ** -1, "Integers to negative integer powers are not allowed."),
    "division by zero": (lambda m: m.ones(2, dtype=m.int64) // 0, "ZeroDivisionError"),
    "where condition": (lambda m: m.where(m.ones(2), 1.0, 0.0), "where expected condition to be a boolean tensor, but got a tensor with dtype Float"),
    "isclose dtypes": (lambda m: m.isclose(m.ones(2), m.ones(2).double()), "Float did not match Double"),
    # argument types
    "list operand": (lambda m: m.mul(m.ones(2), [1]), "mul(): argument 'other' (position 2) must be Tensor, not list"),
    "list added": (lambda m: m.ones(2) + [1], "unsupported operand type(s) for +: 'Tensor' and 'list'"),
    "None added": (lambda m: m.ones(2) + None, "unsupported operand type(s) for +: 'Tensor' and 'NoneType'"),
    "string added": (lambda m: m.ones(2) + "a", "unsupported operand type(s) for +: 'Tensor' and 'str'"),
    "array instead of a tensor": (lambda m: m.exp(np.ones(2)), "exp(): argument 'input' (position 1) must be Tensor, not numpy.ndarray"),
    "number instead of a tensor": (lambda m: m.exp(2.0), "exp(): argument 'input' (position 1) must be Tensor, not float"),
    "missing argument": (lambda m: m.mul(m.ones(2)), "mul() missing 1 required positional argument"),
    "no argument": (lambda m: m.exp(), "exp() missing 1 required positional argument"),
    "too many arguments": (lambda m: m.exp(m.ones(2), 3), "exp() takes 1 positional argument but 2 were given"),
    "unknown keyword": (lambda m: m.exp(m.ones(2), foo=3), "exp() got an unexpected keyword argument 'foo'"),
    "cat of a tensor": (lambda m: m.cat(m.ones(2)), "cat(): argument 'tensors' (position 1) must be tuple of Tensors, not Tensor"),
    "cat of numbers": (lambda m: m.cat([1, 2]), "expected Tensor as element 0 in argument 0, but got int"),
    "float shape": (lambda m: m.ones(2).reshape(1.5), "must be tuple of ints, not float"),
    "float size": (lambda m: m.zeros(1.5), None),
    "dim of a string": (lambda m: m.ones(2).sum("a"), None),
    "tensor of a string": (lambda m: m.tensor("a"), "new(): invalid data type 'str'"),
    "tensor of None": (lambda m: m.tensor(None), None),
    "tensor of strings": (lambda m: m.tensor(["a"]), "too many dimensions 'str'"),
    "tensor of objects": (lambda m: m.tensor([object()]), None),
    "unknown dtype": (lambda m: m.zeros(2, dtype="float32"), None),
    "unknown attribute": (lambda m: m.ones(2).nonsense, "'Tensor' object has no attribute 'nonsense'"),
    "call": (lambda m: m.ones(2)(3), "'Tensor' object is not callable"),
    "truth of many": (lambda m: bool(m.ones(2)), "Boolean value of Tensor with more than one value is ambiguous"),
    "ordering reversed": (lambda m: m.ones(2) < "a", None),
    "item assignment of 0-d": (lambda m: m.tensor(1.0).__setitem__(0, 2.0), "invalid index of a 0-dim tensor. Use `tensor.item()`"),
    "item of 0-d": (lambda m: m.tensor(1.0)[0], "invalid index of a 0-dim tensor. Use `tensor.item()`"),
    "div rounding": (lambda m: m.div(m.ones(2), 2, rounding_mode="up"), "div expected rounding_mode to be one of None, 'trunc', or 'floor' but found 'up'"),
    "device": (lambda m: m.ones(2, device="nonsense"), "Expected one of cpu, cuda"),
    "clamp nothing": (lambda m: m.ones(2).clamp(), "torch.clamp: At least one of 'min' or 'max' must not be None"),
    "from a list": (lambda m: m.from_numpy([1.0]), "expected np.ndarray (got list)"),
    "arange step": (lambda m: m.arange(0, 5, 0), "step must be nonzero"),
    "arange sign": (lambda m: m.arange(0, 5, -1), None),
    "linspace steps": (lambda m: m.linspace(0, 1, -1), "number of steps must be non-negative"),
    "eye": (lambda m: m.eye(-1), "n must be greater or equal to 0, got -1"),
    "normal std": (lambda m: m.normal(0.0, -1.0, (2,)), "normal expects std >= 0.0, but found std -1"),
    "multinomial": (lambda m: m.multinomial(m.tensor([-1.0, 1.0]), 1), "probability tensor contains either `inf`, `nan` or element < 0"),
    "randint": (lambda m: m.randint(3, 3, (2,)), "random_ expects 'from' to be less than 'to', but got from=3 >= to=3"),
    "bernoulli": (lambda m: m.bernoulli(m.tensor([1.5])), "Expected p_in >= 0 && p_in <= 1 to be true"),
}  # fmt: skip


@pytest.mark.parametrize("what", MISTAKES)
def test_refused_as_pytorch_refuses_it(what: str) -> None:
    mistake, words = MISTAKES[what]
    with pytest.raises(Exception) as caught:  # noqa: B017, PT011  whatever it is
        mistake(flambeau)
    if words is not None:
        assert words in str(caught.value)
    try:
        import torch
    except ImportError:
        return
    with pytest.raises(Exception) as expected:  # noqa: B017, PT011
        mistake(torch)
    assert type(caught.value) is expected.type or (
        isinstance(caught.value, expected.type) and expected.type is not Exception
    )
    if words is not None:
        assert words in str(expected.value)
