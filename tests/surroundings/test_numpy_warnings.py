"""What NumPy warns of, and PyTorch does not, stays unsaid."""

from __future__ import annotations

import os
import subprocess
import sys
import warnings
from importlib.metadata import entry_points
from pathlib import Path

import numpy as np

import flambeau as torch

ROOT = Path(__file__).parents[2]


def _troubled() -> list[str]:
    x = torch.tensor([0.0, -1.0, 1e30], requires_grad=True)
    results = [1 / x, x.log(), x * 1e30, x.exp(), x.sqrt(), x.to(torch.int64), x.half(),
               torch.softmax(x * 1e30, 0), (x[None] * 1e10) @ (x[:, None] * 1e10)]  # fmt: skip
    sum(r.sum() for r in results if r.requires_grad).backward()
    return [repr(r) for r in (*results, x.grad)]


def test_warnings_that_are_made_errors_change_nothing() -> None:
    wanted = _troubled()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert _troubled() == wanted
    with np.errstate(all="raise"):
        assert _troubled() == wanted


def test_a_users_tests_show_only_their_own(tmp_path: Path) -> None:
    (tmp_path / "test_of_a_user.py").write_text(
        "import flambeau as torch, numpy as np\n"
        "def test_tensors():\n    torch.zeros(2).log() / torch.zeros(2)\n"
        "def test_arrays():\n    np.zeros(2) / 0\n"
    )
    installed = any(p.value == "flambeau_pytest" for p in entry_points(group="pytest11"))
    plugin = () if installed else ("-p", "flambeau_pytest")
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", *plugin, "--rootdir", str(tmp_path), str(tmp_path)],
        env={**os.environ, "PYTHONPATH": str(ROOT)}, cwd=tmp_path, capture_output=True, text=True,
    )  # fmt: skip
    assert "2 passed, 1 warning in" in ran.stdout, ran.stdout + ran.stderr
    assert "test_of_a_user.py::test_arrays" in ran.stdout
