"""Small data sets that install with scikit-learn, split and scaled as the lessons do it.

Each function gives two `TensorDataset`s, for training and for testing. Images that are downloaded
are in `flambeau.vision.datasets`.
"""

from __future__ import annotations

from flambeau.datasets.circles import circles
from flambeau.datasets.digits import digits
from flambeau.datasets.iris import iris

__all__ = ["circles", "digits", "iris"]
