"""The examples of the README and the pages run, and say what is shown there."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PAGES = [
    "README.md",
    "CONTRIBUTING.md",
    *(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.md")),
]


def example(page: str) -> str:
    """The Python code of a page, one block after another."""
    blocks = re.findall(r"```python\n(.*?)```", (ROOT / page).read_text(), flags=re.DOTALL)
    assert blocks
    return "\n".join(blocks)


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
    said = output_of(example("README.md"), tmp_path)
    found = re.fullmatch(r"loss ([\d.]+), accuracy ([\d.]+)%\n", said)
    assert found is not None, said
    # PyTorch 2.13 says: loss 0.113, accuracy 99.0%.
    assert float(found[1]) == pytest.approx(0.113, abs=0.003)
    assert float(found[2]) == pytest.approx(99.0, abs=1.0)
    assert (tmp_path / "spiral.png").stat().st_size > 10_000


def test_the_compiled_step_learns(tmp_path: Path) -> None:
    said = output_of(example("docs/compiling.md"), tmp_path).splitlines()
    first, last = said[0].split(" -> ")
    assert float(last) < float(first)
    # 1000 steps in one call, then three epochs of as many steps as there are batches.
    assert said[1].startswith("torch.Size([1000]) tensor(")
    assert len(said) == 5


def test_every_page_with_python_is_run_here() -> None:
    """``docs/architecture.md`` shows the lines that define ``tanh``, which stand in the package."""
    pages = {page for page in PAGES if "```python" in (ROOT / page).read_text()}
    shown = {"docs/architecture.md"}
    assert pages - shown == {"README.md", "docs/compiling.md", "docs/training.md"}


def test_the_comparison_from_python_runs(tmp_path: Path) -> None:
    pytest.importorskip("sklearn")
    said = output_of(example("docs/training.md"), tmp_path).split("\n")
    assert [line.split()[:2] for line in said[:4]] == [
        ["0.2", "2020"], ["0.2", "2021"], ["0.02", "2020"], ["0.02", "2021"],
    ]  # fmt: skip


def test_every_recipe_and_lesson_is_on_the_page_of_training() -> None:
    from flambeau.training import RECIPES

    page = (ROOT / "docs" / "training.md").read_text()
    named = set(re.findall(r"`([\w.-]+)`", page))
    assert set(RECIPES) <= named
    assert {path.name for path in (ROOT / "examples").glob("lesson_*.py")} <= named


@pytest.mark.parametrize("page", PAGES)
def test_pictures_and_pages_that_are_linked_exist(page: str) -> None:
    targets = re.findall(r"\]\(([^)#:]+)\)", (ROOT / page).read_text())
    assert [
        target for target in targets if not (ROOT / page).parent.joinpath(target).exists()
    ] == []
