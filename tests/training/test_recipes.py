"""Each recipe learns what the course says that it learns."""

from __future__ import annotations

from pathlib import Path

import pytest

import flambeau as torch
from flambeau.training import RECIPES, Run
from flambeau.training.recipe import UnknownRecipeError, recipe_named

pytest.importorskip("sklearn")


@pytest.mark.parametrize("name", [name for name in RECIPES if not name.startswith("mnist")])
def test_inputs_have_the_size_that_the_recipe_says(name: str) -> None:
    recipe = RECIPES[name]
    train, _ = recipe.data(Path("data"))
    assert tuple(train[0][0].shape) == recipe.input_size
    outputs = recipe.model()(torch.zeros(2, *recipe.input_size))
    assert outputs.shape[0] == 2


# Counted by hand from the sizes of the layers.
@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("sine", 4),
        ("toy-line", 2),
        ("regression", 2),
        ("multiple-regression", 4),
        ("nonlinear", 10),
        ("deep-regression", 10 + 18 + 4),
        ("wide-regression", 40 + 420 + 21),
        ("circles", 15 + 6),
        ("blobs", 15 + 24),
        ("spiral-linear", 9),
        ("spiral", 300 + 303),
        ("iris", 80 + 51),
        ("digits-logistic", 650),
        ("digits-linear", 650),
        ("digits-fnn", 4160 + 650),
        ("digits-fnn2", 4160 + 4160 + 650),
        ("digits-cnn", 80 + 1290),
        ("mnist-mlp", 78_500 + 10_100 + 1010),
        ("mnist-cnn", 8490),
    ],
)
def test_the_networks_are_the_lessons(name: str, count: int) -> None:
    recipe = RECIPES[name]
    model = recipe.model()
    assert sum(parameter.numel() for parameter in model.parameters()) == count
    assert model(torch.zeros(2, *recipe.input_size)).shape[0] == 2


def test_the_mnist_mlp_begins_with_weights_scaled_by_the_inputs() -> None:
    layers = [layer for layer in RECIPES["mnist-mlp"].model() if hasattr(layer, "weight")]
    for layer in layers:
        expected = layer.in_features**-0.5
        assert layer.weight.std().item() == pytest.approx(expected, rel=0.1)
        assert not layer.bias.any()


def test_an_activation_is_chosen_where_there_is_a_choice() -> None:
    recipe = RECIPES["digits-fnn2"]
    model = recipe.make_model(recipe.settings.changed({"activation": "tanh"}))
    assert [type(layer).__name__ for layer in model] == [
        "Linear", "Tanh", "Linear", "Tanh", "Linear",
    ]  # fmt: skip
    with pytest.raises(ValueError, match="circles has no activation to choose"):
        recipe = RECIPES["circles"]
        recipe.make_model(recipe.settings.changed({"activation": "tanh"}))


def test_descent_by_hand_takes_the_steps_of_the_optimizer() -> None:
    weights = []
    for optimizer in ("sgd", "sgd-by-hand"):
        recipe = RECIPES["blobs"]
        settings = recipe.settings.changed(
            {"optimizer": optimizer, "momentum": 0.9, "weight_decay": 0.01}
        )
        run = Run(recipe, settings)
        run.train()
        weights.append(torch.cat([p.detach().flatten() for p in run.model.parameters()]))
    assert torch.allclose(weights[0], weights[1], rtol=1e-4, atol=1e-6)


# Loss after the run and test accuracy: PyTorch 2.13's own for these recipes and seeds, with room
# for the rounding of other processors.
@pytest.mark.parametrize(
    ("name", "loss", "accuracy"),
    [
        ("digits-fnn", 0.0248, 0.9750),
        ("iris", 0.6393, 0.98),
        ("circles", 0.0316, 0.9933),
        ("sine", 0.004574, None),
        ("blobs", 0.0105, 1.0),
        ("spiral-linear", 0.7351, 0.51),
        ("digits-linear", 0.03855, 0.9639),
    ],
)
def test_a_recipe_learns(name: str, loss: float, accuracy: float | None) -> None:
    run = Run(RECIPES[name])
    run.train()
    assert run.history.last("train_loss") == pytest.approx(loss, rel=0.05)
    if accuracy is not None:
        assert run.history.last("test_accuracy") >= accuracy - 0.01


def test_the_sine_has_the_coefficients_of_least_squares() -> None:
    run = Run(RECIPES["sine"])
    run.train()
    assert run.model.beta.tolist() == pytest.approx([0, 0.85455, 0, -0.0928], abs=2e-4)
    assert RECIPES["sine"].remark is not None
    assert "0.854" in RECIPES["sine"].remark(run.model)


# Least squares: scikit-learn's LinearRegression on the same rows, as the courses print it.
@pytest.mark.parametrize(
    ("name", "weights", "bias", "loss"),
    [
        ("regression", [45.50], -0.77, 93.2),
        ("multiple-regression", [0.62, 55.99, 11.14], 0.43, None),
        ("toy-line", [2.66], 4.88, None),
    ],
)
def test_the_lines_are_those_of_least_squares(
    name: str, weights: list[float], bias: float, loss: float | None
) -> None:
    run = Run(RECIPES[name])
    run.train()
    layer = run.model[0]
    assert layer.weight[0].tolist() == pytest.approx(weights, abs=0.5 if loss is None else 0.1)
    assert layer.bias.item() == pytest.approx(bias, abs=0.15)
    if loss is not None:
        assert run.history.last("train_loss") == pytest.approx(loss, abs=0.5)


def test_unknown_recipes_are_refused_with_the_known_ones() -> None:
    with pytest.raises(UnknownRecipeError, match="did you mean mnist-cnn"):
        recipe_named("mnist-cn", RECIPES)
    with pytest.raises(UnknownRecipeError, match="blobs, circles, deep-regression, digits"):
        recipe_named("zzz", RECIPES)
