"""Comparisons: all combinations, each the run that it would be alone, here or in processes."""

from __future__ import annotations

import csv
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flambeau.training import RECIPES, Comparison, Run
from flambeau.training.comparison import Progress, write_outcomes

pytest.importorskip("sklearn")
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

SHORT = {"epochs": 3}


def test_every_combination_is_tried_with_every_seed() -> None:
    vary = {"lr": [0.1, 0.01], "optimizer": ["sgd", "adam"]}
    comparison = Comparison(RECIPES["circles"], vary, SHORT, seeds=2)
    assert [variation.label for variation in comparison.variations] == [
        "0.1, sgd", "0.1, adam", "0.01, sgd", "0.01, adam",
    ]  # fmt: skip
    assert [settings.seed for settings in comparison.settings] == [2020, 2021] * 4
    assert {settings.epochs for settings in comparison.settings} == {3}


@pytest.mark.parametrize("jobs", [1, 2])
def test_a_run_is_what_it_would_be_alone(jobs: int) -> None:
    recipe = RECIPES["circles"]
    outcomes = Comparison(recipe, {"lr": [0.1, 0.01]}, SHORT, seeds=2).run(jobs)
    assert [(o.variation.label, o.seed) for o in outcomes] == [
        ("0.1", 2020), ("0.1", 2021), ("0.01", 2020), ("0.01", 2021),
    ]  # fmt: skip
    for outcome in outcomes:
        alone = Run(
            recipe,
            recipe.settings.changed(
                {**SHORT, "lr": outcome.variation.values["lr"], "seed": outcome.seed}
            ),
        )
        alone.train()
        losses = outcome.history.columns["train_loss"]
        assert losses == pytest.approx(alone.history.columns["train_loss"], rel=1e-5)
        assert outcome.complaint is None and outcome.seconds > 0


@pytest.mark.parametrize("jobs", [1, 2])
def test_each_iteration_is_kept_where_the_recipe_has_panels_for_it(jobs: int) -> None:
    recipe = replace(RECIPES["circles"], panels_of="lr")
    outcomes = Comparison(recipe, {"lr": [0.1, 0.01]}, SHORT).run(jobs)
    for outcome in outcomes:
        assert outcome.steps is not None
        for column, values in outcome.steps.items():  # 300 rows, 50 in a batch
            assert len(values) == 3 * 6
            for epoch, mean in enumerate(outcome.history.columns[column]):
                assert sum(values[6 * epoch : 6 * epoch + 6]) / 6 == pytest.approx(mean)
    assert Comparison(recipe, {"momentum": [0, 0.9]}, {"optimizer": "sgd"}).by_iteration is False


def test_the_labs_four_plots_are_those_of_the_mnist_mlp() -> None:
    comparison = Comparison(RECIPES["mnist-mlp"])
    assert comparison.by_iteration
    assert [v.values for v in comparison.variations] == [
        {"momentum": momentum, "optimizer": optimizer}
        for momentum in (0.0, 0.9)
        for optimizer in ("sgd", "sgd-by-hand")
    ]


def test_iterations_are_drawn_in_a_row_of_panels_for_each_group(
    monkeypatch: Any, tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib")
    from flambeau.training import pictures

    drawn: list[Any] = []

    def figure_kept(*arguments: Any) -> Any:
        drawn.append(original(*arguments))
        return drawn[-1]

    original = pictures._figure
    monkeypatch.setattr(pictures, "_figure", figure_kept)
    record = {"train_loss": [3.0, 2.0, 1.0], "train_accuracy": [0.1, 0.2, 0.3]}
    rows = {name: {"sgd": record, "sgd-by-hand": record} for name in ("momentum 0", "momentum 0.9")}
    pictures.iteration_curves(rows, tmp_path / "a.png", title="lab", legend="optimizer")
    figure, axes = drawn[0]
    assert [(ax.get_title(), ax.get_ylabel(), ax.get_xlabel()) for ax in axes] == [
        (name, quantity, "iteration")
        for name in ("momentum 0", "momentum 0.9")
        for quantity in ("train loss", "train accuracy")
    ]
    for ax in axes:
        labels = [str(line.get_label()) for line in ax.get_lines()]
        assert [label for label in labels if label[0] != "_"] == ["sgd", "sgd-by-hand"]
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["sgd", "sgd-by-hand"]
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_momentum_is_kept_for_the_recipe_s_own_optimizer() -> None:
    vary = {"optimizer": ["sgd", "sgd-by-hand", "adam"]}
    momenta = [s.momentum for s in Comparison(RECIPES["digits-fnn"], vary).settings]
    assert momenta == [0.9, 0.9, 0.0]


def test_a_run_that_diverges_is_told_and_the_others_go_on() -> None:
    first, second = Comparison(RECIPES["sine"], {"lr": [1.0, 1e-3]}, {"epochs": 200}).run(1)
    assert first.complaint is not None and "learning rate 1 is perhaps too high" in first.complaint
    assert second.complaint is None and len(second.history) == 2


def test_a_comparison_that_is_stopped_gives_what_is_done() -> None:
    class AfterOne(Progress):
        def finished(self, outcome: Any) -> None:
            self.stop = True

    comparison = Comparison(RECIPES["circles"], {"lr": [0.1, 0.03, 0.01]}, SHORT)
    assert [outcome.variation.label for outcome in comparison.run(1, AfterOne())] == ["0.1"]


@pytest.mark.parametrize("name", RECIPES)
def test_each_recipe_has_a_comparison_of_its_own(name: str) -> None:
    assert len(Comparison(RECIPES[name]).variations) >= 2


def test_the_table_holds_every_row_of_every_run(tmp_path: Path) -> None:
    outcomes = Comparison(RECIPES["circles"], {"batch_size": [50, 100]}, SHORT, seeds=2).run(1)
    write_outcomes(outcomes, tmp_path / "table.csv")
    with open(tmp_path / "table.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 2 * 2 * 3
    assert rows[0].keys() >= {"batch_size", "seed", "epoch", "train_loss", "test_accuracy"}
    assert float(rows[-1]["train_loss"]) == outcomes[-1].history.last("train_loss")


@pytest.mark.parametrize(
    ("vary", "options", "said"),
    [
        ({}, {}, "say what to vary"),
        ({"lr": []}, {}, "lr: there are no values"),
        ({"lr": [0.1, 0.1]}, {}, "a value is given twice"),
        ({"lr": [0.1]}, {"changes": {"lr": 0.2}}, "cannot both vary and be 0.2"),
        ({"lr": [0.1, -1.0]}, {}, "lr=-1: the learning rate must be a positive number"),
        ({"optimizer": ["lion"]}, {}, "there is no optimizer 'lion'"),
        ({"activation": ["relu"]}, {}, "circles has no activation"),
        ({"depth": [1]}, {}, "there is no setting 'depth'"),
        ({"seed": [1, 2]}, {}, "number of seeds"),
        ({"lr": [0.1]}, {"seeds": 0}, "1 seed or more, not 0"),
        (
            {"optimizer": ["sgd", "adam"], "momentum": [0.9]},
            {},
            "optimizer=adam, momentum=0.9: adam takes no momentum",
        ),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_runs(
    vary: Any, options: Any, said: str
) -> None:
    with pytest.raises(ValueError, match=said.replace("(", r"\(")):
        Comparison(RECIPES["circles"], vary, **options)


def test_jobs_and_batches_are_checked_too() -> None:
    with pytest.raises(ValueError, match="1 job or more, not 0"):
        Comparison(RECIPES["circles"], {"lr": [0.1]}).run(0)
    with pytest.raises(ValueError, match="5000 rows is more than the 300 training rows"):
        Comparison(RECIPES["circles"], {"batch_size": [50, 5000]}).run(1)
