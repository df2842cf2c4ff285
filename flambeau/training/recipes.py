"""The recipes that `flambeau train` knows: the programs of an introductory course."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import flambeau as torch
from flambeau import datasets, nn
from flambeau.training.metrics import count_correct, count_correct_binary
from flambeau.training.recipe import Recipe, Settings
from flambeau.utils.data import TensorDataset

__all__ = ["DEFAULT_RECIPE", "RECIPES", "CubicPolynomial"]

Split = tuple[TensorDataset, TensorDataset | None]


# --- data -----------------------------------------------------------------------------------------


def _digits(folder: Path) -> Split:
    return datasets.digits()


def _digit_images(folder: Path) -> Split:
    return tuple(  # type: ignore[return-value]
        TensorDataset(part.tensors[0].view(-1, 1, 8, 8), part.tensors[1])
        for part in datasets.digits()
    )


def _iris(folder: Path) -> Split:
    return datasets.iris()


def _circles(folder: Path) -> Split:
    return datasets.circles()


def _mnist(folder: Path) -> Split:
    from flambeau.vision.datasets import MNIST

    def images(train: bool) -> TensorDataset:
        digits = MNIST(str(folder), train=train, download=True)
        # What ToTensor makes of each image, of all at once.
        return TensorDataset(digits.data.unsqueeze(1).float() / 255, digits.targets)

    return images(train=True), images(train=False)


def _sine(folder: Path) -> Split:
    x = torch.linspace(-math.pi, math.pi, 200)
    powers = torch.stack((torch.ones_like(x), x, x**2, x**3), dim=1)
    return TensorDataset(powers, torch.sin(x)), None


# --- models ---------------------------------------------------------------------------------------


class CubicPolynomial(nn.Module):
    """A cubic polynomial of one variable, of which the powers `(N, 4)` are the input."""

    def __init__(self) -> None:
        super().__init__()
        self.beta = nn.Parameter(torch.zeros(4))

    def forward(self, powers: torch.Tensor) -> torch.Tensor:
        return powers @ self.beta


def _digits_cnn() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(in_channels=1, out_channels=8, kernel_size=3, stride=1, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(kernel_size=2),
        nn.Flatten(),
        nn.Linear(8 * 4 * 4, 10),
    )


def _digits_fnn() -> nn.Module:
    return nn.Sequential(nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 10))


def _mnist_cnn() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(in_channels=1, out_channels=10, kernel_size=5),
        nn.ReLU(),
        nn.MaxPool2d(kernel_size=2),
        nn.Conv2d(in_channels=10, out_channels=20, kernel_size=5),
        nn.ReLU(),
        nn.MaxPool2d(kernel_size=2),
        nn.Flatten(),
        nn.Linear(320, 10),
    )


def _iris_mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 16), nn.Sigmoid(), nn.Linear(16, 3), nn.Softmax(dim=1))


def _circles_mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(2, 5), nn.ReLU(), nn.Linear(5, 1), nn.Flatten(0))


# --- what is said about a trained model -----------------------------------------------------------


def _the_polynomial(model: Any) -> str:
    constant, linear, square, cube = (float(value) for value in model.beta.detach())
    return f"sin(x) ~ {constant:.4f} {linear:+.4f} x {square:+.4f} x^2 {cube:+.4f} x^3"


# --- recipes --------------------------------------------------------------------------------------

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
        Recipe(
            name="digits-cnn",
            description="a small convolutional network on scikit-learn's 8x8 digits",
            data=_digit_images,
            model=_digits_cnn,
            loss=nn.CrossEntropyLoss,
            settings=Settings(epochs=1000, lr=1e-3, momentum=0.9, seed=1234),
            input_size=(1, 8, 8),
            metric=count_correct,
            record_every=10,
        ),
        Recipe(
            name="digits-fnn",
            description="a network of one hidden layer on scikit-learn's 8x8 digits",
            data=_digits,
            model=_digits_fnn,
            loss=nn.CrossEntropyLoss,
            settings=Settings(epochs=2000, lr=1e-3, momentum=0.9, seed=1234),
            input_size=(64,),
            metric=count_correct,
            record_every=10,
        ),
        Recipe(
            name="mnist-cnn",
            description="a network of two convolutions on the 70,000 digits of MNIST",
            data=_mnist,
            model=_mnist_cnn,
            loss=nn.CrossEntropyLoss,
            settings=Settings(epochs=10, lr=1e-3, batch_size=64, seed=1234),
            input_size=(1, 28, 28),
            metric=count_correct,
        ),
        Recipe(
            name="iris",
            description="three species of iris from four measurements",
            data=_iris,
            model=_iris_mlp,
            loss=nn.CrossEntropyLoss,
            settings=Settings(epochs=100, lr=1e-3, optimizer="adam", batch_size=2, seed=1),
            input_size=(4,),
            metric=count_correct,
        ),
        Recipe(
            name="circles",
            description="which of two circles a point belongs to",
            data=_circles,
            model=_circles_mlp,
            loss=nn.BCEWithLogitsLoss,
            settings=Settings(epochs=20, lr=0.1, optimizer="adam", batch_size=50, seed=2020),
            input_size=(2,),
            metric=count_correct_binary,
        ),
        Recipe(
            name="sine",
            description="a cubic polynomial fitted to a sine",
            data=_sine,
            model=CubicPolynomial,
            loss=nn.MSELoss,
            settings=Settings(epochs=10_000, lr=1e-3),
            input_size=(4,),
            record_every=100,
            remark=_the_polynomial,
        ),
    )
}

DEFAULT_RECIPE = "digits-cnn"
