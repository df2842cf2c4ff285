"""The examples run as their first lines say, and reach what they promise."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent


def run(command: list[str], folder: Path) -> str:
    environment = dict(os.environ)
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), environment.get("PYTHONPATH", "")])
    done = subprocess.run(
        command, capture_output=True, text=True, env=environment, cwd=folder, timeout=300
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def example(name: str, *arguments: str, folder: Path) -> str:
    return run([sys.executable, str(ROOT / "examples" / name), *arguments], folder)


def test_sine_ends_at_the_coefficients_it_names(tmp_path: Path) -> None:
    last = example("sine.py", folder=tmp_path).splitlines()[-1]
    assert "+0.8545 x" in last and "-0.0928 x^3" in last


def test_spiral_needs_its_hidden_layer(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    out = example("spiral.py", "regions.png", folder=tmp_path)
    linear, hidden = map(float, re.findall(r"accuracy (\d\.\d+)", out))
    assert linear < 0.7 and hidden > 0.95
    assert (tmp_path / "regions.png").read_bytes()[:4] == b"\x89PNG"


@pytest.mark.parametrize("compiled", [False, True], ids=["eager", "compiled"])
def test_digits_cnn_learns_and_survives_saving(tmp_path: Path, compiled: bool) -> None:
    pytest.importorskip("sklearn")
    if compiled:
        pytest.importorskip("llvmlite")
    options = ["--compile"] if compiled else []
    out = example("digits_cnn.py", *options, folder=tmp_path)
    accuracies = [float(a) for a in re.findall(r"test accuracy (\d\.\d+)", out)]
    assert len(accuracies) == 15 and accuracies[-1] > 0.955
    assert "<All keys matched successfully>" in out


def test_the_unchanged_pytorch_program_gives_pytorch_s_numbers(tmp_path: Path) -> None:
    path = str(ROOT / "examples" / "pytorch_program.py")
    out = run([sys.executable, "-m", "flambeau", "run", path], tmp_path)
    losses = [float(loss) for loss in re.findall(r"loss (\d\.\d+)", out)]
    # as PyTorch 2.13 prints them
    expected = [0.6912, 0.6034, 0.5577, 0.5238, 0.4946, 0.4691, 0.4734, 0.4583, 0.4472, 0.4527]
    assert losses == pytest.approx(expected, abs=2e-3)
