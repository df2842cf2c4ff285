"""Maxima over tiles of large arrays, and their gradients, agree with the definition."""

from __future__ import annotations

import numpy as np
import pytest

from flambeau.namespaces import numpy as xp
from flambeau.namespaces import numpy_pooling, numpy_turning
from flambeau.ops.pooling import max_pool

CASES = [
    ((16, 10, 24, 24), (2, 2)),
    ((16, 8, 9, 15), (2, 2)),  # a rest that no window reads
    ((16, 8, 9, 15), (3, 3)),
    ((40, 8, 64), (2,)),
    ((16, 8, 12, 16), (1, 2)),
    ((16, 8, 12, 16), (2, 1)),
    ((16, 8, 12, 16), (1, 1)),
    ((8, 4, 6, 8, 8), (2, 2, 2)),
    ((2, 2, 6, 8), (2, 2)),
]


@pytest.mark.parametrize("blas", [True, False])
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
@pytest.mark.parametrize(("shape", "kernel"), CASES)
def test_tiles_have_the_maxima_and_gradients_of_the_definition(
    shape: tuple[int, ...],
    kernel: tuple[int, ...],
    dtype: type,
    blas: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not blas:
        monkeypatch.setattr(numpy_turning, "_blas_turn", lambda: None)
    rng = np.random.default_rng(0)
    x = np.round(2 * rng.standard_normal(shape)).astype(dtype)  # many are equal
    x.reshape(-1)[7] = np.inf
    dims = len(kernel)
    size = tuple(n // k for n, k in zip(shape[-dims:], kernel, strict=True))
    window = (kernel, kernel, (0,) * dims, (1,) * dims, size)
    before = x.copy()
    tiled = numpy_pooling.max_pool_tiles(x, *window)
    assert tiled is not None
    found, aux = tiled
    expected, places = max_pool.forward(xp, x, *window)
    np.testing.assert_array_equal(found, expected)
    assert not np.shares_memory(found, x)
    grad = rng.standard_normal(found.shape).astype(dtype)
    grad.reshape(-1)[:2] = [np.inf, np.nan]
    given = grad.copy()
    gradient = numpy_pooling.max_pool_tiles_gradient(grad, shape, kernel, aux)
    wanted = max_pool.vjps[0].function(xp, grad, x, *window, places)
    np.testing.assert_array_equal(gradient, wanted)
    assert gradient.dtype == dtype
    np.testing.assert_array_equal(x, before)
    np.testing.assert_array_equal(grad, given)
