"""Tests of the compiler compile: the disk cache is off unless a test turns it on."""

from __future__ import annotations

import pytest


@pytest.fixture(autouse=True)
def no_disk_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLAMBEAU_CACHE", "0")
