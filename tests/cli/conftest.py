"""The command `flambeau`, run as a person runs it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def command(*words: object) -> list[str]:
    return [sys.executable, "-m", "flambeau", *map(str, words)]


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}


@pytest.fixture
def flambeau(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs `flambeau WORDS...` in an empty folder."""

    def run(*words: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command(*words),
            cwd=tmp_path,
            env=environment(),
            capture_output=True,
            text=True,
            timeout=300,
        )

    return run


def _hear_ctrl_c() -> None:
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def start_flambeau(tmp_path: Path) -> Callable[..., subprocess.Popen[str]]:
    """Starts `flambeau WORDS...` in an empty folder, output readable as it comes."""

    def start(*words: object) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command(*words),
            cwd=tmp_path,
            env=environment(),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            # a shell's background jobs ignore Ctrl-C, and what they start does too
            preexec_fn=_hear_ctrl_c if os.name == "posix" else None,
        )

    return start
