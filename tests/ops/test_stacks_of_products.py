"""Stacks of middle-sized products stay on one thread of NumPy's BLAS."""

from __future__ import annotations

import numpy as np
import pytest

import flambeau as torch
from flambeau.namespaces import numpy_blas

F = torch.nn.functional


@pytest.fixture
def counts(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """What the number of BLAS's threads was set to, of two."""
    found: list[int] = []
    monkeypatch.setattr(numpy_blas, "blas_threads", lambda: (lambda: 2, found.append))
    return found


@pytest.mark.parametrize(
    ("left", "right", "set_to"),
    [
        ((3, 2, 4), (3, 4, 5), []),
        ((3, 64, 64), (3, 64, 80), [1, 2]),
        ((3, 1, 96), (3, 96, 96), [1, 2]),
        ((1, 1 << 9, 1 << 9), (1, 1 << 9, (1 << 8) + 1), []),
        ((3, 0, 4), (3, 4, 5), []),
        ((4, 1, 64, 64), (3, 64, 80), [1, 2]),
    ],
    ids=["small", "middle", "vectors", "large", "empty", "spread"],
)
def test_threads_are_asked_for_where_they_gain(
    counts: list[int],
    monkeypatch: pytest.MonkeyPatch,
    left: tuple[int, ...],
    right: tuple[int, ...],
    set_to: list[int],
) -> None:
    monkeypatch.setattr(numpy_blas, "PARALLEL", 1 << 26)
    g = np.random.default_rng(0)
    x, y = g.normal(size=left), g.normal(size=right)
    np.testing.assert_allclose(numpy_blas.matmul(x, y), np.matmul(x, y), rtol=1e-10, atol=1e-10)
    assert counts == set_to


def test_convolutions_of_groups_and_of_single_pixels_do(counts: list[int]) -> None:
    for weight, groups in (((32, 32, 1), 1), ((32, 16, 3), 2)):
        counts.clear()
        x = torch.randn(2, 32, 400, requires_grad=True)
        kernel = torch.randn(*weight, requires_grad=True)
        F.conv1d(x, kernel, groups=groups).sum().backward()
        assert counts and counts == [1, 2] * (len(counts) // 2)
