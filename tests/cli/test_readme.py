"""The examples of the README run, and say what the README shows."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()
EXAMPLES = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)


def output_of(source: str, folder: Path) -> str:
    done = subprocess.run(
        [sys.executable, "-c", source],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT), "MPLBACKEND": "Agg"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_first_example_separates_the_spirals_arms(tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    said = output_of(EXAMPLES[0], tmp_path)
    found = re.fullmatch(r"loss ([\d.]+), accuracy ([\d.]+)%\n", said)
    assert found is not None, said
    # PyTorch 2.13 says: loss 0.113, accuracy 99.0%.
    assert float(found[1]) == pytest.approx(0.113, abs=0.003)
    assert float(found[2]) == pytest.approx(99.0, abs=1.0)
    assert (tmp_path / "spiral.png").stat().st_size > 10_000


def test_the_compiled_step_learns(tmp_path: Path) -> None:
    first, last = output_of(EXAMPLES[1], tmp_path).split(" -> ")
    assert float(last) < float(first)


def test_pictures_and_pages_that_are_linked_exist() -> None:
    targets = re.findall(r"\]\(([^)#:]+)\)", README)
    assert "docs/images/spiral.png" in targets
    assert [target for target in targets if not (ROOT / target).exists()] == []
