"""Copies of scattered rows: what ``take`` gives, by machine code as well."""

from __future__ import annotations

import numpy as np
import pytest

from flambeau.utils.data import row_copies


@pytest.fixture
def compiled(monkeypatch):
    pytest.importorskip("llvmlite")
    engine, copy = row_copies._compiled()
    monkeypatch.setattr(row_copies, "_engine", engine)
    monkeypatch.setattr(row_copies, "_copy", copy)
    monkeypatch.setattr(row_copies, "_CACHED", 0)
    monkeypatch.setattr(row_copies, "_ROW", 1)


@pytest.mark.parametrize("columns", [1, 3, 16, 17, 500])
@pytest.mark.parametrize("dtype", [np.uint8, np.float32, np.float64, np.complex128, np.bool_])
def test_rows_are_those_of_take(compiled, columns, dtype):
    array = np.random.default_rng(0).integers(0, 100, (97, columns)).astype(dtype)
    indices = np.random.default_rng(1).integers(0, 97, 40)
    np.testing.assert_array_equal(row_copies.copied_rows(array, indices), array[indices])


@pytest.mark.parametrize("indices", [[0, -1, 5], [], [96, 96]])
def test_negative_and_no_indices(compiled, indices):
    array = np.arange(97 * 4).reshape(97, 2, 2)
    indices = np.array(indices, np.int64)
    np.testing.assert_array_equal(row_copies.copied_rows(array, indices), array[indices])


@pytest.mark.parametrize("wrong", [97, -98, 2**62, -(2**63)])
def test_an_index_out_of_range_is_refused(compiled, wrong):
    array = np.arange(97 * 4).reshape(97, 4)
    with pytest.raises(IndexError):
        row_copies.copied_rows(array, np.array([3, wrong, 4]))


def test_other_integers_and_strided_indices(compiled):
    array = np.arange(97 * 4).reshape(97, 4)
    for indices in (np.array([3, 5], np.int32), np.arange(97)[::3], np.array([[1, 2], [3, 4]])):
        np.testing.assert_array_equal(row_copies.copied_rows(array, indices), array[indices])


def test_empty_arrays():
    array = np.zeros((0, 4))
    assert row_copies.copied_rows(array, np.array([], np.int64)).shape == (0, 4)


def test_the_code_is_made_only_after_reading_much(monkeypatch):
    monkeypatch.setattr(row_copies, "_spent", 0.0)
    monkeypatch.setattr(row_copies, "_copy", None)
    array = np.zeros((60_000, 200), np.float32)
    row_copies.copied_rows(array, np.arange(64))
    assert row_copies._copy is None


def test_an_array_of_one_row_may_have_any_stride(compiled):
    row = np.arange(8)
    array = np.lib.stride_tricks.as_strided(row, (1, 8), (3, 8))
    assert array.flags.c_contiguous
    indices = np.zeros(5, np.int64)
    np.testing.assert_array_equal(row_copies.copied_rows(array, indices), np.tile(row, (5, 1)))
