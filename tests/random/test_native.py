"""Machine code gives what NumPy gives, to the last bit, and is made when it is worth it."""

from __future__ import annotations

import numpy as np
import pytest

from flambeau.random import native, sampling
from flambeau.random.box_muller import fused_multiply_add, normals_from_words
from flambeau.random.generator import Generator

FLOAT32 = np.dtype(np.float32)


@pytest.fixture(scope="module")
def kernels():
    pytest.importorskip("llvmlite")
    return native.Kernels()


@pytest.mark.parametrize("count", [0, 16, 160, 100_000])
@pytest.mark.parametrize("mean, std", [(0.0, 1.0), (0.3, 1.7)])
def test_normals_are_those_of_numpy(kernels, count, mean, std):
    words = Generator().manual_seed(count).words(count)
    expected, made = np.empty(count, np.float32), np.empty(count, np.float32)
    normals_from_words(words, expected)
    kernels.normals(words, made, mean, std)
    assert made.tobytes() == fused_multiply_add(expected, std, mean).tobytes()


def test_normals_of_the_extreme_words(kernels):
    words = np.tile(np.array([0, 1, 2**24 - 1, 2**23, 2**31, 2**32 - 1], np.uint32), 8)
    expected, made = np.empty(48, np.float32), np.empty(48, np.float32)
    normals_from_words(words, expected)
    kernels.normals(words, made, 0.0, 1.0)
    assert made.tobytes() == expected.tobytes()
    assert np.isfinite(made).all()


@pytest.mark.parametrize("n", [2, 3, 10, 1000, 60_000])
def test_shuffles_are_those_of_numpy(kernels, n, monkeypatch):
    monkeypatch.setattr(sampling, "kernels", lambda: None)
    words = Generator().manual_seed(n).words(n - 1).copy()
    values = np.arange(n)
    kernels.shuffle(words, values)
    assert (values == sampling.permutation(Generator().manual_seed(n), (n,))).all()


def test_samplers_use_them(kernels, monkeypatch):
    def draws():
        generator = Generator().manual_seed(4)
        return [
            sampling.normal(generator, (17,), FLOAT32, 0.5, 2.0).tobytes(),
            sampling.normal(generator, (100,), np.dtype(np.float16)).tobytes(),
            sampling.permutation(generator, (500,)).tobytes(),
            generator.state_bytes().tobytes(),
        ]

    monkeypatch.setattr(sampling, "kernels", lambda: None)
    expected = draws()
    monkeypatch.setattr(sampling, "kernels", lambda: kernels)
    assert draws() == expected


def test_they_are_made_once_numpy_has_taken_as_long(monkeypatch):
    pytest.importorskip("llvmlite")
    monkeypatch.setattr(native, "_kernels", None)
    monkeypatch.setattr(native, "_spent", 0.0)
    monkeypatch.setattr(native, "_refused", False)
    assert native.kernels() is None
    native.spent(lambda: None)
    assert native.kernels() is None
    monkeypatch.setattr(native, "_spent", 1.0)
    assert native.kernels() is not None
    assert native.kernels() is native.kernels()


def test_without_llvmlite_numpy_goes_on(monkeypatch):
    def missing():
        raise ImportError("llvmlite")

    monkeypatch.setattr(native, "_kernels", None)
    monkeypatch.setattr(native, "_spent", 1.0)
    monkeypatch.setattr(native, "_refused", False)
    monkeypatch.setattr(native, "Kernels", missing)
    assert native.kernels() is None
    assert native._refused
    assert sampling.normal(Generator(), (100,), FLOAT32).shape == (100,)
