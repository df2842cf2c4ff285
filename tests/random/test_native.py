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
    monkeypatch.setattr(sampling, "kernels", lambda seconds=0.0: None)
    words = Generator().manual_seed(n).words(n - 1).copy()
    values = np.arange(n)
    kernels.shuffle(words, values)
    assert (values == sampling.permutation(Generator().manual_seed(n), (n,))).all()


@pytest.mark.parametrize("blocks", [1, 3, 64, 65, 200])
def test_words_are_those_of_numpy(kernels, blocks):
    bits = Generator().manual_seed(blocks)._seeded_bits()
    bits.random_raw(624)
    words, key = kernels.words(bits.state["state"]["key"], blocks * 624)
    assert (words == bits.random_raw(blocks * 624)).all()
    assert (key == bits.state["state"]["key"]).all()


def test_large_draws_are_many_small_ones(kernels, monkeypatch):
    """In chunks and by machine code: the numbers that are drawn a few at a time."""

    def draws(size):
        generator = Generator().manual_seed(3)
        generator.words(5)
        count = 160_000
        samplers = [
            (sampling.uniform, FLOAT32, ()), (sampling.uniform, FLOAT32, (-1.0, 2.5)),
            (sampling.uniform, np.dtype(np.float64), (0.5, 0.75)),
            (sampling.bernoulli, FLOAT32, (0.3,)), (sampling.dropout_mask, FLOAT32, (0.3,)),
            (sampling.integers, np.dtype(np.int64), (3, 1000)),
            (sampling.integers, np.dtype(np.int32), (-3, 1 << 29)),
            (sampling.normal, FLOAT32, (0.5, 2.0)),
        ]  # fmt: skip
        made = [
            np.concatenate([
                sampler(generator, (size,), dtype, *options) for _ in range(count // size)
            ]).tobytes()
            for sampler, dtype, options in samplers
        ]  # fmt: skip
        return [*made, generator.state_bytes().tobytes()]

    expected = draws(800)
    monkeypatch.setattr(native, "_kernels", kernels)
    assert draws(160_000) == expected


def test_samplers_use_them(kernels, monkeypatch):
    def draws():
        generator = Generator().manual_seed(4)
        return [
            sampling.normal(generator, (17,), FLOAT32, 0.5, 2.0).tobytes(),
            sampling.normal(generator, (100,), np.dtype(np.float16)).tobytes(),
            sampling.permutation(generator, (500,)).tobytes(),
            generator.state_bytes().tobytes(),
        ]

    monkeypatch.setattr(sampling, "kernels", lambda seconds=0.0: None)
    expected = draws()
    monkeypatch.setattr(sampling, "kernels", lambda seconds=0.0: kernels)
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
