"""Programs as PyTorch's examples and tutorials write them print what they print with PyTorch.

Each runs unchanged under `flambeau run`; the text between the numbers must be the same, and the
numbers equal to one in a thousand: losses over as many steps as rounding allows. What PyTorch
printed is in `printed.json`, which `record.py` makes.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PRINTED: dict[str, str] = json.loads((HERE / "printed.json").read_text())

NUMBER = re.compile(r"[-+]?(?:\d+\.\d*|\.\d+|\d+)(?:e[-+]?\d+)?|\bnan\b|\binf\b")

NEEDED = {
    "vit.py": "einops",
    "custom_data.py": "pandas",
    **dict.fromkeys(
        ("dcgan.py", "imagenet_resume.py", "mnist_adadelta.py", "super_resolution.py", "vae.py"),
        "PIL",
    ),
}


@pytest.mark.parametrize("run", PRINTED)
def test_a_program_prints_what_it_prints_with_pytorch(run: str, tmp_path: Path) -> None:
    script, *arguments = run.split()
    if script in NEEDED:
        pytest.importorskip(NEEDED[script])
    environment = dict(os.environ, OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), environment.get("PYTHONPATH", "")])
    done = subprocess.run(
        [sys.executable, "-m", "flambeau", "run", str(HERE / "scripts" / script), *arguments],
        capture_output=True, text=True, env=environment, cwd=tmp_path, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-4000:]
    found, expected = done.stdout.splitlines(), PRINTED[run].splitlines()
    for ours, theirs in zip(found, expected):
        assert NUMBER.sub("#", ours) == NUMBER.sub("#", theirs)
        numbers = [[float(number) for number in NUMBER.findall(line)] for line in (ours, theirs)]
        assert numbers[0] == pytest.approx(numbers[1], rel=1e-3, abs=1e-6, nan_ok=True), theirs
    assert len(found) == len(expected)
