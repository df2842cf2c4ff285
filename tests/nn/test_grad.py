"""Gradients of convolutions by themselves are those of backward passes."""

from __future__ import annotations

from typing import Any

import pytest

import flambeau as torch
from flambeau.nn import functional as F
from flambeau.nn import grad


@pytest.mark.parametrize("dims", [1, 2, 3])
@pytest.mark.parametrize(
    "options", [{}, {"stride": 2, "padding": 1}, {"dilation": 2, "groups": 2}], ids=str
)
def test_gradients_are_those_of_a_backward_pass(dims: int, options: dict[str, Any]) -> None:
    torch.manual_seed(0)
    input = torch.randn(2, 4, *[7] * dims, dtype=torch.float64, requires_grad=True)
    weight = torch.randn(
        6, 4 // options.get("groups", 1), *[3] * dims, dtype=torch.float64, requires_grad=True
    )
    output = getattr(F, f"conv{dims}d")(input, weight, **options)
    given = torch.randn_like(output)
    of_input, of_weight = torch.autograd.grad(output, (input, weight), given)
    with torch.no_grad():
        found = getattr(grad, f"conv{dims}d_input")(input.shape, weight, given, **options)
        torch.testing.assert_close(found, of_input)
        found = getattr(grad, f"conv{dims}d_weight")(input, weight.shape, given, **options)
        torch.testing.assert_close(found, of_weight)
