"""Irises: four measurements, three species."""

from __future__ import annotations

import flambeau as torch
from flambeau.datasets.scikit import require_scikit
from flambeau.utils.data import TensorDataset

__all__ = ["iris"]


def iris(test_size: float = 1 / 3, seed: int = 1) -> tuple[TensorDataset, TensorDataset]:
    """Fisher's 150 irises: standardized measurements `(N, 4)`, species `(N,)`.

    The mean and the deviation are those of all the training values together, and applied to the
    test rows too.

    Arguments:
        test_size: the share of rows kept for testing.
        seed: of the shuffle before the split.

    Returns:
        The rows for training (100) and those for testing (50); float32 inputs, int64 classes.

    Raises:
        ImportError: scikit-learn is not installed.

    Source: https://scikit-learn.org/stable/modules/generated/sklearn.datasets.load_iris.html
    """
    bunch = require_scikit("datasets").load_iris()
    x_train, x_test, y_train, y_test = require_scikit("model_selection").train_test_split(
        bunch.data, bunch.target, test_size=test_size, random_state=seed
    )
    mean, deviation = x_train.mean(), x_train.std()
    return (
        TensorDataset(
            torch.from_numpy((x_train - mean) / deviation).float(),
            torch.from_numpy(y_train).long(),
        ),
        TensorDataset(
            torch.from_numpy((x_test - mean) / deviation).float(),
            torch.from_numpy(y_test).long(),
        ),
    )
