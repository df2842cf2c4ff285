"""Regressions: straight lines with noise, a curve, and ten points."""

from __future__ import annotations

import numpy as np

import flambeau as torch
from flambeau.datasets.scikit import require_scikit
from flambeau.utils.data import TensorDataset

__all__ = ["cubed_sine", "linear_regression", "toy_line"]


def linear_regression(
    rows: int = 500, features: int = 1, noise: float = 10.0, seed: int = 0
) -> TensorDataset:
    """Targets that are a linear function of the features, and noise.

    Arguments:
        rows: how many.
        features: how many features a row has, drawn from the normal distribution.
        noise: the deviation of the targets from the linear function.
        seed: of the features, the function and the noise.

    Returns:
        Features `(N, features)` and targets `(N,)`, float32.

    Raises:
        ImportError: scikit-learn is not installed.

    Source: https://scikit-learn.org/stable/modules/generated/sklearn.datasets.make_regression.html
    """
    x, y = require_scikit("datasets").make_regression(
        n_samples=rows, n_features=features, noise=noise, random_state=seed
    )
    return TensorDataset(torch.from_numpy(x).float(), torch.from_numpy(y).float())


def cubed_sine(rows: int = 500, seed: int = 2020) -> TensorDataset:
    """The curve x^2 + 15 sin(x)^3 without noise, at normally distributed x in ascending order.

    Arguments:
        rows: how many points.
        seed: of the x.

    Returns:
        Features `(N, 1)` and targets `(N,)`, float32.
    """
    x = np.sort(np.random.RandomState(seed).randn(rows))
    y = x**2 + 15 * np.sin(x) ** 3
    return TensorDataset(torch.from_numpy(x[:, None]).float(), torch.from_numpy(y).float())


def toy_line() -> TensorDataset:
    """Ten points near a line: x from 0 to 9, standardized to mean 0 and deviation 1.

    Returns:
        Features `(10, 1)` and targets `(10,)`, float32.
    """
    x = np.arange(10, dtype=np.float32)
    y = np.array([1.0, 1.3, 3.1, 2.0, 5.0, 6.3, 6.6, 7.4, 8.0, 9.0], dtype=np.float32)
    standardized = (x - x.mean()) / x.std()
    return TensorDataset(torch.from_numpy(standardized[:, None]), torch.from_numpy(y))
