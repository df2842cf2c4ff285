"""Pooling where the recorded cases have none: results without an element."""

from __future__ import annotations

from typing import Any

import pytest

import flambeau

F: Any = flambeau.nn.functional


@pytest.mark.parametrize(
    "dims, shape, size, wanted",
    [
        (1, (2, 8, 8), 0, (2, 8, 0)),
        (2, (2, 8, 8), (0, 2), (2, 0, 2)),
        (2, (2, 8, 8), (3, 0), (2, 3, 0)),
        (3, (2, 4, 4, 4), (0, 2, 3), (2, 0, 2, 3)),
    ],
)
def test_a_size_of_0_gives_no_maxima(dims: int, shape: Any, size: Any, wanted: Any) -> None:
    x = flambeau.randn(*shape, requires_grad=True)
    values, places = getattr(F, f"adaptive_max_pool{dims}d")(x, size, return_indices=True)
    assert values.shape == places.shape == wanted and places.dtype is flambeau.int64
    values.sum().backward()
    assert x.grad is not None and not x.grad.any()
