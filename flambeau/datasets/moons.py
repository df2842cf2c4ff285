"""Two noisy half circles that reach into each other."""

from __future__ import annotations

import flambeau as torch
from flambeau.datasets.scikit import require_scikit
from flambeau.utils.data import TensorDataset

__all__ = ["moons"]


def moons(
    rows: int = 300, noise: float = 0.1, seed: int = 2020
) -> tuple[TensorDataset, TensorDataset]:
    """Points of two half moons: `(N, 2)`, and which moon: `(N,)`.

    Arguments:
        rows: how many points for training, and as many new ones for testing.
        noise: the deviation of the points from their moon.
        seed: of the noise; the test points take the next seed.

    Returns:
        The points for training and those for testing; float32 inputs, float32 targets 0 (upper)
        and 1 (lower).

    Raises:
        ImportError: scikit-learn is not installed.

    Source: https://scikit-learn.org/stable/modules/generated/sklearn.datasets.make_moons.html
    """

    def sample(random_state: int) -> TensorDataset:
        x, y = require_scikit("datasets").make_moons(
            n_samples=rows, noise=noise, random_state=random_state
        )
        return TensorDataset(torch.from_numpy(x).float(), torch.from_numpy(y).float())

    return sample(seed), sample(seed + 1)
