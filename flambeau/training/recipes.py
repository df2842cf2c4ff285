"""The recipes that `flambeau train` knows: the programs of introductory courses."""

from __future__ import annotations

import math
from functools import partial
from pathlib import Path
from typing import Any

import flambeau as torch
from flambeau import datasets, nn
from flambeau.training.metrics import count_correct, count_correct_binary
from flambeau.training.pictures import (
    Picture,
    classes_of_rows,
    digit_answers,
    fitted_curve,
    fitted_curve_and_nodes,
    fitted_polynomial,
    predicted_against_true,
    regions,
)
from flambeau.training.recipe import Recipe, Settings
from flambeau.utils.data import TensorDataset

__all__ = ["DEFAULT_RECIPE", "RECIPES", "CubicPolynomial", "LogisticRegression"]

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


def _blobs(folder: Path) -> Split:
    return datasets.blobs()


def _spiral(folder: Path) -> Split:
    return datasets.spiral()


def _one_feature(folder: Path) -> Split:
    return datasets.linear_regression(features=1), None


def _three_features(folder: Path) -> Split:
    return datasets.linear_regression(features=3), None


def _cubed_sine(folder: Path) -> Split:
    return datasets.cubed_sine(), None


def _toy_line(folder: Path) -> Split:
    return datasets.toy_line(), None


def _mnist(folder: Path) -> Split:
    from flambeau.vision.datasets import MNIST

    def images(train: bool) -> TensorDataset:
        digits = MNIST(str(folder), train=train, download=True)
        # What ToTensor makes of each image, of all at once.
        return TensorDataset(digits.data.unsqueeze(1).float() / 255, digits.targets)

    return images(train=True), images(train=False)


def _normalized_mnist(folder: Path) -> Split:
    train, test = (
        # Mean and deviation of the training images.
        TensorDataset((part.tensors[0] - 0.1307) / 0.3081, part.tensors[1])
        for part in _mnist(folder)
        if part is not None
    )
    return train, test


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


class LogisticRegression(nn.Module):
    """One matrix and one intercept per class, normally distributed at first.

    Arguments:
        inputs: how many features a row has.
        classes: how many classes there are.

    Shape:
        - Input: rows `(N, inputs)`
        - Output: `(N, classes)`
    """

    def __init__(self, inputs: int, classes: int) -> None:
        super().__init__()
        self.beta = nn.Parameter(torch.randn(inputs, classes))
        self.intercept = nn.Parameter(torch.randn(classes))

    def forward(self, rows: torch.Tensor) -> torch.Tensor:
        return rows @ self.beta + self.intercept


def _perceptron(
    *sizes: int, activation: type[nn.Module] = nn.ReLU, flat: bool = False
) -> nn.Sequential:
    """Linear layers of these sizes with the activation between; `flat` takes `(N, 1)` to `(N,)`."""
    layers: list[nn.Module] = []
    for number, (inputs, outputs) in enumerate(zip(sizes, sizes[1:])):
        if number:
            layers.append(activation())
        layers.append(nn.Linear(inputs, outputs))
    if flat:
        layers.append(nn.Flatten(0))
    return nn.Sequential(*layers)


def _digits_fnn(activation: type[nn.Module] = nn.ReLU) -> nn.Module:
    return _perceptron(64, 64, 10, activation=activation)


def _digits_fnn2(activation: type[nn.Module] = nn.ReLU) -> nn.Module:
    return _perceptron(64, 64, 64, 10, activation=activation)


def _digits_cnn() -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(in_channels=1, out_channels=8, kernel_size=3, stride=1, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(kernel_size=2),
        nn.Flatten(),
        nn.Linear(8 * 4 * 4, 10),
    )


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


def _mnist_mlp() -> nn.Module:
    model = nn.Sequential(nn.Flatten(), *_perceptron(784, 100, 100, 10))
    for layer in model:
        if isinstance(layer, nn.Linear):
            nn.init.normal_(layer.weight, std=layer.in_features**-0.5)
            nn.init.zeros_(layer.bias)
    return model


def _iris_mlp() -> nn.Module:
    return nn.Sequential(nn.Linear(4, 16), nn.Sigmoid(), nn.Linear(16, 3), nn.Softmax(dim=1))


# --- what is said about a trained model -----------------------------------------------------------


def _the_polynomial(model: Any) -> str:
    constant, linear, square, cube = (float(value) for value in model.beta.detach())
    return f"sin(x) ~ {constant:.4f} {linear:+.4f} x {square:+.4f} x^2 {cube:+.4f} x^3"


def _the_line(model: Any) -> str:
    layer = model[0]
    weights = layer.weight.detach()[0].tolist()
    names = ["x"] if len(weights) == 1 else [f"x{index + 1}" for index in range(len(weights))]
    terms = "".join(f" {weight:+.4f} {name}" for weight, name in zip(weights, names))
    return f"y ~ {layer.bias.item():.4f}{terms}"


# --- recipes --------------------------------------------------------------------------------------

REGIONS = Picture("regions", regions)
FIT = Picture("fit", fitted_curve)
FIT_AND_NODES = Picture("fit", fitted_curve_and_nodes, panels=2)
ANSWERS = Picture("answers", digit_answers, panels=2, size=(7.4, 6.2))
IRISES = Picture("answers", partial(classes_of_rows, ("setosa", "versicolor", "virginica")))

RECIPES: dict[str, Recipe] = {
    recipe.name: recipe
    for recipe in (
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
            picture=Picture("fit", fitted_polynomial),
            comparison={"lr": (1e-3, 1e-4, 1e-5, 1e-6)},
        ),
        Recipe(
            name="toy-line",
            description="a line through ten points, one at a time",
            data=_toy_line,
            model=partial(_perceptron, 1, 1, flat=True),
            loss=nn.MSELoss,
            settings=Settings(epochs=200, lr=1e-3, batch_size=1, seed=1),
            input_size=(1,),
            remark=_the_line,
            picture=FIT,
            comparison={"lr": (1e-2, 1e-3, 1e-4)},
        ),
        Recipe(
            name="regression",
            description="a line through 500 noisy points",
            data=_one_feature,
            model=partial(_perceptron, 1, 1, flat=True),
            loss=nn.MSELoss,
            settings=Settings(epochs=30, lr=0.02, batch_size=50),
            input_size=(1,),
            remark=_the_line,
            picture=FIT,
            comparison={"lr": (0.1, 0.02, 0.005)},
        ),
        Recipe(
            name="multiple-regression",
            description="a linear function of three features",
            data=_three_features,
            model=partial(_perceptron, 3, 1, flat=True),
            loss=nn.MSELoss,
            settings=Settings(epochs=100, lr=0.05, batch_size=50),
            input_size=(3,),
            remark=_the_line,
            picture=Picture("fit", predicted_against_true),
            comparison={"lr": (0.1, 0.05, 0.01)},
        ),
        Recipe(
            name="nonlinear",
            description="a curve from three sigmoid nodes",
            data=_cubed_sine,
            model=partial(_perceptron, 1, 3, 1, activation=nn.Sigmoid, flat=True),
            loss=nn.MSELoss,
            settings=Settings(epochs=1000, lr=0.01, batch_size=50),
            input_size=(1,),
            record_every=10,
            picture=FIT_AND_NODES,
            comparison={"lr": (0.1, 0.03, 0.01)},
        ),
        Recipe(
            name="deep-regression",
            description="the same curve from hidden layers of 5 and 3 sigmoid nodes",
            data=_cubed_sine,
            model=partial(_perceptron, 1, 5, 3, 1, activation=nn.Sigmoid, flat=True),
            loss=nn.MSELoss,
            settings=Settings(epochs=1000, lr=0.3, batch_size=50),
            input_size=(1,),
            record_every=10,
            picture=FIT_AND_NODES,
            comparison={"lr": (0.3, 0.1, 0.03)},
        ),
        Recipe(
            name="wide-regression",
            description="the same curve from two hidden layers of 20 sigmoid nodes",
            data=_cubed_sine,
            model=partial(_perceptron, 1, 20, 20, 1, activation=nn.Sigmoid, flat=True),
            loss=nn.MSELoss,
            settings=Settings(epochs=1000, lr=0.2, batch_size=50),
            input_size=(1,),
            record_every=10,
            picture=FIT_AND_NODES,
            comparison={"lr": (0.2, 0.1, 0.03)},
        ),
        Recipe(
            name="circles",
            description="which of two circles a point belongs to",
            data=_circles,
            model=partial(_perceptron, 2, 5, 1, flat=True),
            loss=nn.BCEWithLogitsLoss,
            settings=Settings(epochs=20, lr=0.1, optimizer="adam", batch_size=50, seed=2020),
            input_size=(2,),
            metric=count_correct_binary,
            picture=REGIONS,
            comparison={"lr": (0.1, 0.03, 0.01)},
        ),
        Recipe(
            name="blobs",
            description="which of four clouds a point belongs to",
            data=_blobs,
            model=partial(_perceptron, 2, 5, 4),
            loss=nn.CrossEntropyLoss,
            settings=Settings(epochs=10, lr=0.2, optimizer="adam", batch_size=50, seed=2020),
            input_size=(2,),
            metric=count_correct,
            picture=REGIONS,
            comparison={"lr": (0.2, 0.05, 0.01)},
        ),
        Recipe(
            name="spiral-linear",
            description="three arms of a spiral, and straight lines between them",
            data=_spiral,
            model=partial(_perceptron, 2, 3),
            loss=nn.CrossEntropyLoss,
            settings=Settings(epochs=200, lr=1.0, weight_decay=1e-3),
            input_size=(2,),
            metric=count_correct,
            picture=REGIONS,
            comparison={"lr": (1.0, 0.1, 0.01)},
        ),
        Recipe(
            name="spiral",
            description="three arms of a spiral, followed by a hidden layer of 100 nodes",
            data=_spiral,
            model=partial(_perceptron, 2, 100, 3),
            loss=nn.CrossEntropyLoss,
            settings=Settings(epochs=10_000, lr=1.0, weight_decay=1e-3),
            input_size=(2,),
            metric=count_correct,
            record_every=100,
            picture=REGIONS,
            comparison={"weight_decay": (0.0, 1e-4, 1e-3, 1e-2)},
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
            picture=IRISES,
            comparison={"lr": (1e-2, 1e-3, 1e-4)},
        ),
        Recipe(
            name="digits-logistic",
            description="logistic regression on scikit-learn's 8x8 digits",
            data=_digits,
            model=partial(LogisticRegression, 64, 10),
            loss=nn.CrossEntropyLoss,
            settings=Settings(epochs=3000, lr=1e-3, momentum=0.9, seed=1234),
            input_size=(64,),
            metric=count_correct,
            record_every=10,
            picture=ANSWERS,
            comparison={"momentum": (0.0, 0.5, 0.9)},
        ),
        Recipe(
            name="digits-linear",
            description="the same with a linear layer, and its smaller initial weights",
            data=_digits,
            model=partial(_perceptron, 64, 10),
            loss=nn.CrossEntropyLoss,
            settings=Settings(epochs=1500, lr=1e-3, momentum=0.9, seed=1234),
            input_size=(64,),
            metric=count_correct,
            record_every=10,
            picture=ANSWERS,
            comparison={"momentum": (0.0, 0.5, 0.9)},
        ),
        Recipe(
            name="digits-fnn",
            description="a network of one hidden layer on scikit-learn's 8x8 digits",
            data=_digits,
            model=_digits_fnn,
            loss=nn.CrossEntropyLoss,
            settings=Settings(epochs=2000, lr=1e-3, momentum=0.9, activation="relu", seed=1234),
            input_size=(64,),
            metric=count_correct,
            record_every=10,
            picture=ANSWERS,
            comparison={"activation": ("relu", "tanh", "sigmoid")},
        ),
        Recipe(
            name="digits-fnn2",
            description="a network of two hidden layers on scikit-learn's 8x8 digits",
            data=_digits,
            model=_digits_fnn2,
            loss=nn.CrossEntropyLoss,
            settings=Settings(epochs=1000, lr=1e-3, momentum=0.9, activation="relu", seed=1234),
            input_size=(64,),
            metric=count_correct,
            record_every=10,
            picture=ANSWERS,
            comparison={"activation": ("relu", "tanh", "sigmoid")},
        ),
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
            picture=ANSWERS,
            comparison={"optimizer": ("sgd", "adam", "adagrad")},
        ),
        Recipe(
            name="mnist-mlp",
            description="a network of two hidden layers on the 70,000 digits of MNIST",
            data=_normalized_mnist,
            model=_mnist_mlp,
            loss=nn.CrossEntropyLoss,
            settings=Settings(epochs=20, lr=0.01, batch_size=128, seed=1234),
            input_size=(1, 28, 28),
            metric=count_correct,
            picture=ANSWERS,
            comparison={"momentum": (0.0, 0.9), "optimizer": ("sgd", "sgd-by-hand")},
            panels_of="momentum",
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
            picture=ANSWERS,
            comparison={"lr": (0.1, 0.01, 0.001)},
        ),
    )
}

DEFAULT_RECIPE = "digits-cnn"
