"""Clouds of points around centres."""

from __future__ import annotations

import flambeau as torch
from flambeau.datasets.scikit import require_scikit
from flambeau.utils.data import TensorDataset

__all__ = ["blobs"]


def blobs(
    rows: int = 200, centers: int = 4, deviation: float = 0.15, seed: int = 148
) -> tuple[TensorDataset, TensorDataset]:
    """Points scattered around centres in the plane: `(N, 2)`, and which centre: `(N,)`.

    Arguments:
        rows: how many points for training, and as many new ones for testing.
        centers: how many centres; they lie between -1.2 and 1.2.
        deviation: how far the points scatter, in both directions.
        seed: of the centres and the points (clouds of the default keep apart); the test points take
            the next seed.

    Returns:
        The points for training and those for testing; float32 inputs, int64 classes.

    Raises:
        ImportError: scikit-learn is not installed.

    Source: https://scikit-learn.org/stable/modules/generated/sklearn.datasets.make_blobs.html
    """
    make_blobs = require_scikit("datasets").make_blobs
    x, y, found = make_blobs(
        n_samples=rows,
        centers=centers,
        center_box=(-1.2, 1.2),
        cluster_std=deviation,
        random_state=seed,
        return_centers=True,
    )
    others = make_blobs(n_samples=rows, centers=found, cluster_std=deviation, random_state=seed + 1)
    train, test = (
        TensorDataset(torch.from_numpy(points).float(), torch.from_numpy(classes).long())
        for points, classes in ((x, y), others)
    )
    return train, test
