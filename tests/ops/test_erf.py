"""The error function of many numbers, and GELU, which is made of it."""

from __future__ import annotations

import math

import numpy as np

import flambeau
from flambeau.namespaces import numpy_erf


def test_within_two_units_in_the_last_place() -> None:
    x = np.concatenate([np.linspace(-5, 5, 20001), np.logspace(-37, 0, 2001)]).astype(np.float32)
    exact = np.array([math.erf(v) for v in x.tolist()])
    unit = np.spacing(np.abs(exact.astype(np.float32)))
    assert (np.abs(numpy_erf.erf(x) - exact) <= 2 * unit).all()


def test_special_values_and_strides() -> None:
    x = np.array([0.0, -0.0, np.inf, -np.inf, np.nan, 100.0, -100.0], np.float32)
    found = numpy_erf.erf(x)
    np.testing.assert_array_equal(found, [0, 0, 1, -1, np.nan, 1, -1])
    assert np.signbit(found[1])
    grid = np.linspace(-3, 3, 12, dtype=np.float32).reshape(3, 4)
    np.testing.assert_array_equal(numpy_erf.erf(grid.T), numpy_erf.erf(grid).T)
    assert numpy_erf.erf(grid[:0]).shape == (0, 4)


def test_large_and_small_tensors_agree() -> None:
    x = flambeau.linspace(-4, 4, 5000)
    few = flambeau.cat([part.erf() for part in x.split(100)])
    np.testing.assert_allclose(x.erf().numpy(), few.numpy(), rtol=3e-7)
    large = flambeau.nn.functional.gelu(x)
    np.testing.assert_allclose(
        large.numpy(), [0.5 * v * (1 + math.erf(v / math.sqrt(2))) for v in x.tolist()], atol=3e-7
    )
