"""Two noisy circles, one inside the other."""

from __future__ import annotations

import flambeau as torch
from flambeau.datasets.scikit import require_scikit
from flambeau.utils.data import TensorDataset

__all__ = ["circles"]


def circles(rows: int = 300, seed: int = 2020) -> tuple[TensorDataset, TensorDataset]:
    """Points of two circles, radius 1 and 0.5, with noise: `(N, 2)`, and which circle: `(N,)`.

    Arguments:
        rows: how many points for training, and as many new ones for testing.
        seed: of the noise; the test points take the next seed.

    Returns:
        The points for training and those for testing; float32 inputs, float32 targets 0 (outer)
        and 1 (inner).

    Raises:
        ImportError: scikit-learn is not installed.

    Source: https://scikit-learn.org/stable/modules/generated/sklearn.datasets.make_circles.html
    """

    def sample(random_state: int) -> TensorDataset:
        x, y = require_scikit("datasets").make_circles(
            n_samples=rows, factor=0.5, noise=0.1, random_state=random_state
        )
        return TensorDataset(torch.from_numpy(x).float(), torch.from_numpy(y).float())

    return sample(seed), sample(seed + 1)
