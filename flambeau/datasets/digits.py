"""Handwritten digits, 8 by 8 pixels."""

from __future__ import annotations

import flambeau as torch
from flambeau.datasets.scikit import require_scikit
from flambeau.utils.data import TensorDataset

__all__ = ["digits"]


def digits(test_size: float = 0.2, seed: int = 1234) -> tuple[TensorDataset, TensorDataset]:
    """The 1797 digits of scikit-learn: inputs `(N, 64)` with values 0 to 16, classes `(N,)`.

    Arguments:
        test_size: the share of rows kept for testing.
        seed: of the shuffle before the split; the default is the split of the lessons, 1437 and
            360 rows.

    Returns:
        The rows for training and those for testing; float32 inputs, int64 classes 0 to 9.

    Raises:
        ImportError: scikit-learn is not installed.

    Source: https://scikit-learn.org/stable/modules/generated/sklearn.datasets.load_digits.html
    """
    bunch = require_scikit("datasets").load_digits()
    x_train, x_test, y_train, y_test = require_scikit("model_selection").train_test_split(
        bunch.data, bunch.target, test_size=test_size, shuffle=True, random_state=seed
    )
    return (
        TensorDataset(torch.from_numpy(x_train).float(), torch.from_numpy(y_train).long()),
        TensorDataset(torch.from_numpy(x_test).float(), torch.from_numpy(y_test).long()),
    )
