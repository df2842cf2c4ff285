"""The programs of a first deep-learning course reach the results that the course prints.

Each script under `scripts/` is written for PyTorch and runs unchanged under `flambeau run`.
"""

from __future__ import annotations

import statistics
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

Facts = Callable[..., dict[str, Any]]


def test_a_cubic_fitted_to_the_sine_finds_its_coefficients(facts: Facts, recorded: Any) -> None:
    found, torch = facts("sine.py"), recorded["sine.py"]
    constant, linear, square, cube = found["coefficients"]
    assert linear == pytest.approx(0.8546, abs=1e-4)
    assert cube == pytest.approx(-0.0928, abs=1e-4)
    assert abs(constant) < 1e-6 and abs(square) < 1e-6
    for key in ("losses", "learning rates", "momenta", "optimizers"):
        assert found[key] == pytest.approx(torch[key], rel=1e-3)


@pytest.mark.parametrize(
    ("run", "range_of_medians"),
    [
        ("digits.py logistic --runs 10", (0.85, 0.91)),
        ("digits.py linear --steps 1500", (0.94, 0.98)),
        ("digits.py relu --steps 2000", (0.96, 0.985)),
        ("digits.py tanh --steps 2000", (0.96, 0.985)),
        ("digits.py sigmoid --steps 2000", (0.945, 0.98)),
        ("digits.py deep", (0.95, 0.985)),
        ("digits.py cnn --steps 300", (0.94, 0.97)),
        pytest.param("digits.py relu --steps 2000 --runs 3", (0.96, 0.985), marks=pytest.mark.slow),
        pytest.param("digits.py cnn", (0.955, 0.985), marks=pytest.mark.slow),
    ],
)
def test_digits_are_classified_as_well_as_by_pytorch(
    run: str, range_of_medians: tuple[float, float], facts: Facts, recorded: Any
) -> None:
    pytest.importorskip("sklearn")
    found, torch = facts(*run.split()), recorded[run]
    for ours, theirs in zip(found["first_losses"], torch["first_losses"]):
        assert ours == pytest.approx(theirs, rel=1e-4)
    # Float32 paths part after hundreds of steps: a few of the 360 test images may differ.
    assert found["accuracies"] == pytest.approx(torch["accuracies"], abs=0.0145)
    assert range_of_medians[0] <= statistics.median(found["accuracies"]) <= range_of_medians[1]


def test_linear_regression_finds_the_least_squares_solution(facts: Facts, recorded: Any) -> None:
    found, torch = facts("linear_regression.py"), recorded["linear_regression.py"]
    for case in ("one", "three"):
        assert found[case]["found"] == pytest.approx(found[case]["exact"], abs=0.4)
        assert found[case]["history"] == pytest.approx(torch[case]["history"], rel=1e-4)


def test_circles_and_blobs_are_separated(facts: Facts, recorded: Any) -> None:
    found, torch = facts("classifiers.py"), recorded["classifiers.py"]
    assert found["circles"][:5] == pytest.approx(torch["circles"][:5], rel=1e-3)
    assert found["circles"][-1] < 0.1
    assert found["circle_classes"] == [[1], [0]]
    assert found["loss_with_sigmoid"] == pytest.approx(found["loss_with_logits"], rel=1e-5)
    assert found["blobs"][:5] == pytest.approx(torch["blobs"][:5], rel=1e-3)
    assert found["blob_classes"] == [0, 3]
    assert [row[0] for row in found["blob_sums"]] == pytest.approx([1.0, 1.0])
    assert found["blob_accuracy"] > 0.97


def test_spiral_arms_by_hand_and_by_autograd(facts: Facts) -> None:
    found = facts("spiral.py")
    assert found["linear_numpy"] == pytest.approx(0.7432, abs=1e-3)
    assert found["linear_autograd"] == pytest.approx(found["linear_numpy"], rel=1e-9)
    assert found["hidden_autograd"] == pytest.approx(found["hidden_by_hand"], rel=1e-9)
    assert found["hidden_loss"] < 0.3
    assert found["hidden_accuracy"] > 0.93


def test_the_course_s_own_printed_numbers_come_out(facts: Facts) -> None:
    """A lecture printed these with PyTorch, from seed 1: initial value, shuffling and updates."""
    found = facts("toy_line.py")
    assert (
        found["losses"]
        == (
            "26.1645 51.6394 4.4119 37.8745 4.0603 13.2212 5.2580 38.4253 62.2189 45.0782 "
            "0.5433 0.2602 0.9621 2.4702 0.8288 1.2402 1.0365 1.0889 0.0021 0.7653"
        ).split()
    )
    assert found["by_hand"] == pytest.approx([2.6696107387542725, 4.879678249359131], rel=1e-6)
    assert found["by_optim"] == pytest.approx([2.6496422290802, 4.87706995010376], rel=1e-6)


def test_iris_is_learned_saved_and_loaded(facts: Facts, recorded: Any) -> None:
    pytest.importorskip("sklearn")
    found, torch = facts("iris.py", 60), recorded["iris.py 60"]
    assert found["losses"] == pytest.approx(torch["losses"], rel=1e-3)
    assert found["test"] == torch["test"]
    for key in ("refused", "message", "loaded"):
        assert found[key] == torch[key]


def compare_optimizers(found: dict[str, Any], torch: dict[str, Any]) -> None:
    for momentum in (0, 0.9):
        by_hand, by_optim = (found[f"momentum {momentum} {way}"] for way in ("by hand", "optim"))
        assert by_hand == pytest.approx(by_optim, rel=1e-9)
        assert by_hand == pytest.approx(torch[f"momentum {momentum} by hand"], rel=1e-6)
    assert found["mixed"][:2] == ["Tensor", "torch.float64"]
    assert found["mixed"][2] == pytest.approx(torch["mixed"][2], rel=1e-9)


def test_optimizers_made_by_hand_equal_the_packaged_ones(facts: Facts, recorded: Any) -> None:
    compare_optimizers(facts("mlp_by_hand.py"), recorded["mlp_by_hand.py"])


def test_optimizers_made_by_hand_learn_mnist(facts: Facts, recorded: Any, mnist_root: Path) -> None:
    found = facts("mlp_by_hand.py", mnist_root)
    compare_optimizers(found, recorded["mlp_by_hand.py MNIST"])
    assert found["momentum 0.9 optim"][-1] < 0.6


def test_mnist_cnn_follows_pytorch(facts: Facts, recorded: Any, mnist_root: Path) -> None:
    found = facts("mnist_cnn.py", mnist_root, "--steps", 40)
    torch = recorded["mnist_cnn.py MNIST --steps 40"]
    assert found["shape"] == torch["shape"] and found["labels"] == torch["labels"]
    for key in ("mean", "std", "losses"):
        assert found[key] == pytest.approx(torch[key], rel=1e-3)


@pytest.mark.slow  # a minute: ten epochs of 60,000 images
def test_mnist_cnn_reaches_the_course_s_accuracy(facts: Facts, mnist_root: Path) -> None:
    found = facts("mnist_cnn.py", mnist_root, "--epochs", 10)
    assert found["accuracy"] == pytest.approx(0.9115, abs=0.005)
