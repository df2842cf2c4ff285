"""Each recipe learns what the course says that it learns."""

from __future__ import annotations

from pathlib import Path

import pytest

import flambeau as torch
from flambeau.training import RECIPES, Run
from flambeau.training.recipe import UnknownRecipeError, recipe_named

pytest.importorskip("sklearn")


@pytest.mark.parametrize("name", sorted(set(RECIPES) - {"mnist-cnn"}))
def test_inputs_have_the_size_that_the_recipe_says(name: str) -> None:
    recipe = RECIPES[name]
    train, _ = recipe.data(Path("data"))
    assert tuple(train[0][0].shape) == recipe.input_size
    outputs = recipe.model()(torch.zeros(2, *recipe.input_size))
    assert outputs.shape[0] == 2


def test_the_mnist_network_is_the_lessons() -> None:
    model = RECIPES["mnist-cnn"].model()
    assert sum(parameter.numel() for parameter in model.parameters()) == 8490
    assert model(torch.zeros(2, 1, 28, 28)).shape == (2, 10)


# Loss after the run and test accuracy: PyTorch 2.13's own for these recipes and seeds, with room
# for the rounding of other processors.
@pytest.mark.parametrize(
    ("name", "loss", "accuracy"),
    [
        ("digits-fnn", 0.0248, 0.9750),
        ("iris", 0.6393, 0.98),
        ("circles", 0.0316, 0.9933),
        ("sine", 0.004574, None),
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


def test_unknown_recipes_are_refused_with_the_known_ones() -> None:
    with pytest.raises(UnknownRecipeError, match="did you mean mnist-cnn"):
        recipe_named("mnist-cn", RECIPES)
    with pytest.raises(UnknownRecipeError, match="circles, digits-cnn, digits-fnn, iris"):
        recipe_named("zzz", RECIPES)
