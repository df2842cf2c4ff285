"""Small data sets, made or split and scaled as the lessons do it.

Classifications come as two `TensorDataset`s, for training and for testing; regressions as one.
Those that scikit-learn makes or brings need it installed. Images that are downloaded are in
`flambeau.vision.datasets`.
"""

from __future__ import annotations

from flambeau.datasets.blobs import blobs
from flambeau.datasets.circles import circles
from flambeau.datasets.digits import digits
from flambeau.datasets.iris import iris
from flambeau.datasets.moons import moons
from flambeau.datasets.regression import cubed_sine, linear_regression, toy_line
from flambeau.datasets.spiral import spiral

__all__ = [
    "blobs",
    "circles",
    "cubed_sine",
    "digits",
    "iris",
    "linear_regression",
    "moons",
    "spiral",
    "toy_line",
]
