"""Programs run as a user runs them: `flambeau run SCRIPT` in a process of its own."""

from __future__ import annotations

import gzip
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
SCRIPTS = HERE / "scripts"
ROOT = HERE.parent.parent
FLAMBEAU = [sys.executable, "-m", "flambeau", "run"]

MNIST_FOLDERS = [
    Path(os.environ.get("FLAMBEAU_MNIST", ROOT / "data")),
    ROOT / "shared" / "data" / "mnist",
    ROOT.parent / "shared" / "data" / "mnist",
]
MNIST_FILES = [
    f"{part}-{kind}-ubyte" for part in ("train", "t10k") for kind in ("images-idx3", "labels-idx1")
]


def output_of(interpreter: list[str], script: str, *arguments: object) -> str:
    """What the program printed; the test fails with its traceback if it failed."""
    environment = dict(os.environ)
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), environment.get("PYTHONPATH", "")])
    command = [*interpreter, str(SCRIPTS / script), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=600)
    if done.returncode != 0:
        pytest.fail(f"{script} ended with status {done.returncode}:\n{done.stderr[-4000:]}")
    return done.stdout


@pytest.fixture(scope="session")
def printed() -> Callable[..., str]:
    """`printed(script, *arguments)`: the program's output under `flambeau run`."""
    return lambda script, *arguments: output_of(FLAMBEAU, script, *arguments)


@pytest.fixture(scope="session")
def facts(printed: Callable[..., str]) -> Callable[..., dict[str, Any]]:
    """`facts(script, *arguments)`: the JSON object in the last line that the program prints."""
    return lambda script, *arguments: json.loads(printed(script, *arguments).splitlines()[-1])


@pytest.fixture(scope="session")
def recorded() -> dict[str, Any]:
    """What PyTorch 2.13 printed, by script and arguments; `record.py` makes it."""
    return json.loads((HERE / "recorded.json").read_text())


@pytest.fixture(scope="session")
def reference(recorded: dict[str, Any]) -> Callable[..., Any]:
    """`reference(script, *arguments)`: PyTorch's own result, live where PyTorch is installed,
    recorded where not."""

    def result(script: str, *arguments: object) -> Any:
        known = recorded[" ".join([script, *map(str, arguments)])]
        if importlib.util.find_spec("torch") is None:
            return known
        output = output_of([sys.executable], script, *arguments)
        return output if isinstance(known, str) else json.loads(output.splitlines()[-1])

    return result


@pytest.fixture(scope="session")
def mnist_root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A root folder for `datasets.MNIST` with the real files, where they are at hand."""
    for folder in MNIST_FOLDERS:
        if (folder / "MNIST" / "raw" / MNIST_FILES[0]).exists():
            return folder
        if all((folder / f"{name}.gz").exists() for name in MNIST_FILES):
            root = tmp_path_factory.mktemp("mnist")
            raw = root / "MNIST" / "raw"
            raw.mkdir(parents=True)
            for name in MNIST_FILES:
                with gzip.open(folder / f"{name}.gz") as packed, open(raw / name, "wb") as file:
                    shutil.copyfileobj(packed, file)
            return root
    pytest.skip("MNIST's files are not here; FLAMBEAU_MNIST may name their root")
