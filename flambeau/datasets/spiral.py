"""Arms of a spiral, which no straight line tells apart."""

from __future__ import annotations

import math

import numpy as np

import flambeau as torch
from flambeau.utils.data import TensorDataset

__all__ = ["spiral"]


def spiral(
    points_per_arm: int = 100, arms: int = 3, noise: float = 0.2, seed: int = 0
) -> tuple[TensorDataset, TensorDataset]:
    """Points along the arms of a spiral: `(N, 2)`, and which arm: `(N,)`.

    Each arm goes from the centre to the unit circle in 4 radians; the arms are evenly turned.

    Arguments:
        points_per_arm: how many points of each arm for training, and as many new ones for testing.
        arms: how many arms.
        noise: the deviation of the angle, in radians.
        seed: of the noise; the test points take the next seed.

    Returns:
        The points for training and those for testing; float32 inputs, int64 classes. The points of
        an arm follow each other from the centre outwards.

    Source: the course CS231n, "Putting it together: a minimal neural network case study",
    https://cs231n.github.io/neural-networks-case-study/ (with arms 4 radians apart there).
    """
    turn = 4.0 if arms == 3 else 2 * math.pi / arms  # three arms: as the lessons have them

    def sample(random_state: int) -> TensorDataset:
        radius = np.tile(np.linspace(0.0, 1.0, points_per_arm), arms)
        arm = np.repeat(np.arange(arms), points_per_arm)
        scatter = np.random.default_rng(random_state).normal(scale=noise, size=len(arm))
        angle = turn * arm + 4.0 * radius + scatter
        points = np.stack([radius * np.sin(angle), radius * np.cos(angle)], axis=1)
        return TensorDataset(torch.from_numpy(points).float(), torch.from_numpy(arm).long())

    return sample(seed), sample(seed + 1)
