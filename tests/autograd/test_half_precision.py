"""Gradients through half precision have the inputs' dtypes, and are those of float32, rounded."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import flambeau as torch
from flambeau.nn import functional as F

FUNCTIONS = {
    "batch_norm": lambda x, w: F.batch_norm(x, None, None, w, w, training=True),
    "layer_norm": lambda x, w: F.layer_norm(x, (4,), w, w),
    "group_norm": lambda x, w: F.group_norm(x, 2, w, w),
    "gelu": lambda x, w: F.gelu(x) * w,
    "erf": lambda x, w: x.erf() * w,
    "cross_entropy": lambda x, w: F.cross_entropy(x * w, torch.tensor([0, 1, 2, 3, 0, 1])),
    "linear": lambda x, w: F.linear(x, w.reshape(1, 4)),
    "softmax": lambda x, w: F.softmax(x * w, 1),
    "cat": lambda x, w: torch.cat([x, w.reshape(1, 4)]),
}


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("create_graph", [False, True])
def test_gradients_have_the_inputs_dtype(name: str, dtype: Any, create_graph: bool) -> None:
    random = np.random.default_rng(3)
    x = torch.tensor(random.normal(size=(6, 4))).to(dtype).requires_grad_()
    w = torch.tensor(random.uniform(0.5, 1.5, 4)).to(dtype).requires_grad_()
    wide = [t.detach().float().requires_grad_() for t in (x, w)]
    factors = None
    grads = []
    for inputs in ((x, w), wide):
        out = FUNCTIONS[name](*inputs)
        if factors is None:
            factors = torch.tensor(random.uniform(-1, 1, tuple(out.shape)))
        total = (out * factors.to(out.dtype)).sum()
        grads.append(torch.autograd.grad(total, inputs, create_graph=create_graph))
    for found, wanted in zip(*grads, strict=True):
        assert found.dtype == dtype
        np.testing.assert_allclose(
            found.detach().float().numpy(), wanted.detach().numpy(), rtol=0.05, atol=0.05
        )


def test_a_conversion_gives_its_inputs_dtype() -> None:
    x = torch.ones(3, requires_grad=True)
    (x.to(torch.bfloat16) * 2).sum().backward()
    assert x.grad is not None
    assert x.grad.dtype == torch.float32


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16], ids=str)
@pytest.mark.parametrize("transposed", [False, True])
def test_a_convolution_is_differentiated_twice(dtype: Any, transposed: bool) -> None:
    random = np.random.default_rng(4)
    function = F.conv_transpose2d if transposed else F.conv2d
    values = [random.integers(-2, 3, shape) * 0.5 for shape in ((1, 2, 4, 4), (2, 2, 3, 3), (2,))]

    def second(kind: Any) -> list[Any]:
        leaves = [torch.tensor(v, dtype=kind, requires_grad=True) for v in values]
        loss = function(*leaves).to(torch.float32).pow(2).sum()
        first = torch.autograd.grad(loss, leaves, create_graph=True)
        assert all(g.dtype is kind for g in first)
        return torch.autograd.grad(sum(g.to(torch.float32).sum() for g in first), leaves)

    for found, wanted in zip(second(dtype), second(torch.float32), strict=True):
        assert found.dtype is dtype
        assert torch.allclose(found.to(torch.float32), wanted, rtol=0.02, atol=0.5)
