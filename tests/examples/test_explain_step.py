"""The example that explains a compiled step runs, and says what the page on compiling shows."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("llvmlite")

ROOT = Path(__file__).parents[2]


def test_the_example_explains_its_step(tmp_path: Path) -> None:
    page = tmp_path / "step.html"
    ran = subprocess.run(
        [sys.executable, "examples/explain_step.py", str(page)],
        cwd=ROOT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "_matmul: matmul, relu (+2 inside)  # explain_step.py:19 Linear" in ran.stdout
    assert "the kernel that takes longest: matmul" in ran.stdout
    assert page.read_text().startswith("<!DOCTYPE html>")
