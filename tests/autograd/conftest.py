"""Scenarios that must hold in flambeau run on PyTorch as well, where it is installed."""

from __future__ import annotations

from typing import Any

import pytest

import flambeau


@pytest.fixture(params=["flambeau", "torch"])
def m(request: pytest.FixtureRequest) -> Any:
    """The module under test: flambeau, or PyTorch to check that the test itself is right."""
    if request.param == "flambeau":
        return flambeau
    return pytest.importorskip("torch")
