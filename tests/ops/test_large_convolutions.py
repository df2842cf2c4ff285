"""NumPy's convolutions of large arrays, row by row and with all columns, against sums over taps."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import pytest

from flambeau.namespaces import numpy_convolution as kernels
from flambeau.namespaces import numpy_row_convolution as by_row
from flambeau.namespaces import numpy_turning as turning

Array = np.ndarray
Options = tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]

CASES = [
    # input, filters, kernel, stride, padding, dilation
    ((64, 1, 28, 28), 10, (5, 5), (1, 1), (0, 0), (1, 1)),
    ((33, 3, 12, 12), 8, (3, 3), (1, 1), (1, 1), (1, 1)),
    ((40, 2, 11, 9), 4, (3, 2), (2, 1), (1, 0), (1, 2)),
    ((40, 2, 13, 8), 3, (2, 3), (3, 2), (2, 1), (1, 1)),
    ((64, 2, 3, 9), 3, (3, 3), (1, 1), (2, 1), (1, 1)),
    ((20, 1, 4, 5, 6), 2, (2, 2, 3), (1, 2, 1), (1, 0, 1), (1, 1, 1)),
    ((1, 2, 9, 300), 3, (3, 3), (1, 1), (1, 1), (1, 1)),
]


def taps(x: Array, weight: Array, options: Options) -> Any:
    """Each tap of the kernel, and what of the padded input it reads."""
    stride, _, dilation = options
    size = [
        (n - d * (k - 1) - 1) // s + 1
        for n, k, s, d in zip(x.shape[2:], weight.shape[2:], stride, dilation, strict=True)
    ]
    for tap in product(*map(range, weight.shape[2:])):
        reach = (
            slice(t * d, t * d + s * (n - 1) + 1, s)
            for t, d, s, n in zip(tap, dilation, stride, size, strict=True)
        )
        yield (..., *tap), (..., *reach)


def flat(x: Array) -> Array:
    return x.reshape(*x.shape[:2], -1)


def sums_over_taps(
    x: Array, weight: Array, options: Options, rng: np.random.Generator
) -> tuple[Array, Array, Array, Array]:
    """The convolution, a gradient for it, and those for input and weight that follow."""
    widths = [(0, 0), (0, 0), *((p, p) for p in options[1])]
    x = np.pad(x, widths)
    result = sum(
        np.einsum("nc...,fc->nf...", x[reach], weight[tap])
        for tap, reach in taps(x, weight, options)
    )
    grad = rng.standard_normal(result.shape)
    grad_input, grad_weight = np.zeros_like(x), np.zeros_like(weight)
    for tap, reach in taps(x, weight, options):
        grad_input[reach] += np.einsum("nf...,fc->nc...", grad, weight[tap])
        grad_weight[tap] = np.einsum("nfp,ncp->fc", *map(flat, (grad, x[reach])))
    inner = tuple(slice(a, n - b) for (a, b), n in zip(widths, x.shape, strict=True))
    return result, grad, grad_input[inner], grad_weight


@pytest.mark.parametrize("rows", [True, False], ids=["by row", "all columns"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("pieces", [1, 3])
def test_convolutions_and_their_gradients_are_sums_over_taps(
    case: Any, dtype: Any, rows: bool, pieces: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    shape, filters, kernel, *options = case
    monkeypatch.setattr(by_row.RowGeometry, "suits", lambda *sizes: rows)
    seen = []
    conv_rows = by_row.conv_rows
    monkeypatch.setattr(kernels, "conv_rows", lambda *a: (seen.append(a), conv_rows(*a)))
    if pieces > 1:
        monkeypatch.setattr(kernels, "COLUMN_BYTES", 1 << 16)
    rng = np.random.default_rng(0)
    x, weight, bias = (
        rng.standard_normal(size) for size in (shape, (filters, shape[1], *kernel), filters)
    )
    result, grad, grad_input, grad_weight = sums_over_taps(x, weight, tuple(options), rng)
    x, weight, bias, grad_ = (a.astype(dtype) for a in (x, weight, bias, grad))
    tolerance = 1e-11 if dtype is np.float64 else 2e-4 * np.abs(grad_weight).max()

    found = kernels.conv(x, weight, *options, 1, bias)
    wanted = result + bias.reshape(-1, *(1,) * len(kernel))
    np.testing.assert_allclose(found, wanted, atol=tolerance)
    assert bool(seen) == rows
    assert found.flags.c_contiguous

    wanted = (grad_input, grad_weight, grad.sum((0, *range(2, grad.ndim))))
    for needs in ((True, True, True), (False, True, True), (True, False, False)):
        gradients = kernels.conv_gradients(grad_, x, weight, *options, 1, needs)
        for need, mine, other in zip(needs, gradients, wanted, strict=True):
            if need:
                np.testing.assert_allclose(mine, other, atol=20 * tolerance)
            else:
                assert mine is None


def test_long_rows_of_few_filters_are_worked_on_one_by_one() -> None:
    arguments = (1, (28, 28), (5, 5), (1, 1), (0, 0), (1, 1), None)
    geometry = kernels._Geometry(*arguments)
    assert list(geometry.pieces_by_row(64, 10, 4))
    assert not list(geometry.pieces_by_row(4, 10, 4))  # too short a row
    assert not list(geometry.pieces_by_row(64, 1000, 4))  # too large a weight
    assert not list(geometry.pieces_by_row(64, 16, 4))  # few columns to save


@pytest.mark.parametrize("blas", [True, False])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(5, 700), (700, 5), (130, 257), (64, 256), (3, 2)])
def test_matrices_are_turned(
    shape: tuple[int, int], dtype: Any, blas: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not blas:
        monkeypatch.setattr(turning, "_blas_turn", lambda: None)
    source = np.random.default_rng(0).standard_normal(shape).astype(dtype)
    source[1] = [np.nan, *[-0.0] * (shape[1] - 1)]
    whole = np.zeros((shape[1], shape[0] + 3), dtype)
    for out in (np.zeros(shape[::-1], dtype), whole[:, 2:-1]):
        turning.turn(source, out)
        np.testing.assert_array_equal(out, source.T)
        np.testing.assert_array_equal(np.signbit(out), np.signbit(source.T))
    assert not whole[:, :2].any()
    assert not whole[:, -1:].any()


def test_groups_count_all_their_columns_in_the_time_that_is_estimated() -> None:
    """A filter for each channel gathers what one filter of all channels does."""
    from flambeau.ops.convolution import _seconds

    x = np.empty((8, 64, 32, 32), np.float32)
    one = np.empty((1, 64, 3, 3), np.float32)
    window = ((1, 1), (1, 1), (1, 1), False)
    apart = _seconds(x, one.reshape(64, 1, 3, 3), *window, 64)
    assert apart == pytest.approx(_seconds(x, one, *window, 1), rel=0.2)
