"""The lessons run, shortened, and come to what they say."""

from __future__ import annotations

import gzip
import importlib.util
import os
import re
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("sklearn")

ROOT = Path(__file__).resolve().parents[2]
Lesson = Callable[..., str]


def output_of(interpreter: list[str], folder: Path, name: str, *arguments: object) -> str:
    done = subprocess.run(
        [*interpreter, str(ROOT / "examples" / f"lesson_{name}.py"), *map(str, arguments)],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def lesson(tmp_path: Path) -> Lesson:
    """`lesson(name, *arguments)`: what it prints under `flambeau run`, in an empty folder."""
    flambeau = [sys.executable, "-m", "flambeau", "run"]
    return lambda name, *arguments: output_of(flambeau, tmp_path, name, *arguments)


@pytest.fixture
def small_mnist(tmp_path: Path) -> Path:
    """A folder with 1024 and 256 images in MNIST's files: each digit is a bright patch."""
    raw = tmp_path / "data" / "MNIST" / "raw"
    raw.mkdir(parents=True)
    rng = np.random.default_rng(0)
    for part, count in (("train", 1024), ("t10k", 256)):
        labels = rng.integers(0, 10, count).astype(np.uint8)
        images = rng.integers(0, 60, (count, 28, 28)).astype(np.uint8)
        for image, label in zip(images, labels):
            row, column = 2 + 12 * (label // 5), 1 + 5 * (label % 5)
            image[row : row + 10, column : column + 5] = 250
        sizes = struct.pack(">4I", 0x803, count, 28, 28)
        for kind, content in (
            ("images-idx3", sizes + images.tobytes()),
            ("labels-idx1", struct.pack(">2I", 0x801, count) + labels.tobytes()),
        ):
            (raw / f"{part}-{kind}-ubyte").write_bytes(content)
            with gzip.open(raw / f"{part}-{kind}-ubyte.gz", "wb") as packed:
                packed.write(content)
    return tmp_path / "data"


def number(pattern: str, text: str) -> float:
    found = re.search(pattern, text)
    assert found is not None, f"{pattern} is not in {text}"
    return float(found[1])


def test_optimizers_and_digits(lesson: Lesson, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    said = lesson("optimizers_digits", "--steps", 200, "--pictures", "pictures")
    assert number(r"-> ([\d.]+)", said) < 0.1
    assert number(r"convolution +\d+ parameters +train [\d.]+ +test ([\d.]+)", said) > 0.9
    assert "Expected 3D (unbatched) or 4D (batched) input to conv2d" in said
    assert "[[[1.0, 2.0, 2.0], [3.0, 4.0, 4.0], [3.0, 4.0, 4.0]]]" in said
    names = {path.name for path in (tmp_path / "pictures").iterdir()}
    assert names == {
        "digits.png", "sine-learning-rates.png", "sine-momenta.png", "sine-optimizers.png",
    }  # fmt: skip


def test_tensors_regression_and_classification(lesson: Lesson, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    words = ("--epochs", 40, "--pictures", "pictures")
    said = lesson("tensors_regression_classification", *words)
    assert "by backward -9.3333, by hand -9.3333" in said
    # The network's line is that of least squares: 45.50 and -0.77, as scikit-learn finds too.
    assert number(r"network +([\d.]+)", said) == pytest.approx(45.50, abs=0.3)
    assert number(r"least squares +([\d.]+)", said) == pytest.approx(45.497, abs=1e-3)
    assert "classes [1, 2]" in said
    assert len(list((tmp_path / "pictures").glob("*.png"))) == 10


def test_linear_model_and_irises(lesson: Lesson, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    said = lesson("linear_model_iris", "--pictures", "pictures")
    names = {path.name for path in (tmp_path / "pictures").iterdir()}
    assert names == {"line.png", "iris.png", "activations.png"}
    lines = re.findall(r"weight ([\d.]+), bias ([\d.]+)", said)
    assert len(lines) == 2
    for weight, bias in lines:  # as the course prints them: 2.65 to 2.67 and 4.88
        assert float(weight) == pytest.approx(2.66, abs=0.02)
        assert float(bias) == pytest.approx(4.88, abs=0.02)
    accuracy = number(r"test accuracy ([\d.]+)", said)
    assert accuracy >= 0.94
    assert said.count(f"{accuracy:.4f}") == 3  # trained, loaded whole, loaded as parameters


def test_mnist_and_the_spiral(lesson: Lesson, small_mnist: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    words = ("--data", small_mnist, "--epochs", 12, "--steps", 1000, "--pictures", "pictures")
    said = lesson("mnist_cnn_and_spiral", *words)
    assert "8490 parameters" in said and "epoch 12, 1024 images" in said
    assert float(re.findall(r"test accuracy ([\d.]+)", said)[-1]) > 0.9
    assert number(r"([\d.]+) right: straight lines", said) < 0.6
    assert number(r"([\d.]+) right: the boundary", said) > 0.95
    assert {path.name for path in (tmp_path / "pictures").iterdir()} == {"mnist.png", "spiral.png"}


def test_descent_by_hand_is_the_optimizer_s(
    lesson: Lesson, small_mnist: Path, tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib")
    words = ("--data", small_mnist, "--epochs", 4, "--pictures", "pictures")
    said = lesson("sgd_momentum", *words)
    apart = [float(value) for value in re.findall(r"differ by at most (\S+)", said)]
    assert len(apart) == 2 and max(apart) < 1e-3
    assert number(r"momentum by hand .*test accuracy ([\d.]+)", said) > 0.95
    assert (tmp_path / "pictures" / "sgd-momentum.png").stat().st_size > 20_000


@pytest.mark.skipif(
    importlib.util.find_spec("torch") is None or os.environ.get("FLAMBEAU_TESTS_PYTORCH") == "0",
    reason="PyTorch is not installed",
)
def test_a_lesson_says_the_same_under_pytorch(lesson: Lesson, tmp_path: Path) -> None:
    pytorch: Any = output_of([sys.executable], tmp_path, "linear_model_iris", "--epochs", 20)
    assert lesson("linear_model_iris", "--epochs", 20) == pytorch
