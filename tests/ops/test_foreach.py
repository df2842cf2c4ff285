"""Operations on each tensor of a list, against the operations themselves and PyTorch."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import flambeau

CALLS: dict[str, Callable[[Any, list[Any], list[Any]], Any]] = {
    "_foreach_add": lambda t, a, b: t._foreach_add(a, b, alpha=2),
    "_foreach_add of a number": lambda t, a, b: t._foreach_add(a, 1.5),
    "_foreach_sub of numbers": lambda t, a, b: t._foreach_sub(a, [1.0, 2.0]),
    "_foreach_mul_": lambda t, a, b: t._foreach_mul_(a, 0.5),
    "_foreach_div_": lambda t, a, b: t._foreach_div_(a, b),
    "_foreach_addcdiv_": lambda t, a, b: t._foreach_addcdiv_(a, b, b, value=-0.1),
    "_foreach_addcdiv_ of numbers": lambda t, a, b: t._foreach_addcdiv_(a, b, b, [0.1, 0.2]),
    "_foreach_addcmul_": lambda t, a, b: t._foreach_addcmul_(a, b, b, 0.3),
    "_foreach_lerp_": lambda t, a, b: t._foreach_lerp_(a, b, 0.25),
    "_foreach_sqrt": lambda t, a, b: t._foreach_sqrt(b),
    "_foreach_neg_": lambda t, a, b: t._foreach_neg_(a),
    "_foreach_zero_": lambda t, a, b: t._foreach_zero_(a),
    "_foreach_copy_": lambda t, a, b: t._foreach_copy_(a, b),
    "_foreach_pow": lambda t, a, b: t._foreach_pow(b, 2.0),
    "_foreach_maximum_": lambda t, a, b: t._foreach_maximum_(a, b),
    "_foreach_maximum of a number": lambda t, a, b: t._foreach_maximum(a, 0.5),
    "_foreach_norm": lambda t, a, b: t._foreach_norm(a),
}


@pytest.mark.parametrize("name", CALLS)
def test_each_tensor_is_computed_as_pytorch_does(name: str) -> None:
    torch = pytest.importorskip("torch")
    found = []
    for t in (flambeau, torch):
        a = [t.tensor([1.0, -2.0]), t.tensor([[0.5]])]
        b = [t.tensor([2.0, 3.0]), t.tensor([[4.0]])]
        result = CALLS[name](t, a, b)
        found.append([*a, *result])
    for mine, theirs in zip(*found, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=1e-6)


def test_an_average_of_weights_is_kept_by_lists() -> None:
    averages, weights = [flambeau.zeros(2)], [flambeau.tensor([1.0, 2.0])]
    flambeau._foreach_mul_(averages, 0.9)
    flambeau._foreach_add_(averages, weights, alpha=0.1)
    np.testing.assert_allclose(averages[0], [0.1, 0.2], rtol=1e-6)


def test_lists_of_two_lengths_and_unknown_names_are_refused() -> None:
    with pytest.raises(RuntimeError, match="must have the same number of tensors, got 1 and 2"):
        flambeau._foreach_add_([flambeau.ones(1)], [flambeau.ones(1)] * 2)
    with pytest.raises(AttributeError):
        _ = flambeau._foreach_nothing
