"""What all tests share: whether PyTorch is compared with, and a clean state for each test."""

from __future__ import annotations

import importlib.util
import os
import sys
from collections.abc import Iterator
from importlib.machinery import ModuleSpec, PathFinder
from typing import Any

import pytest

# script/test sets it: "1" insists on PyTorch, "0" hides it (recorded values serve instead).
# Unset, comparisons run if PyTorch is there.
AGAINST_PYTORCH = os.environ.get("FLAMBEAU_TESTS_PYTORCH", "")


class _PathFinderWithoutPyTorch(PathFinder):
    """Makes an installed PyTorch look absent, so that what needs it is seen to do without."""

    @classmethod
    def find_spec(cls, fullname: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        if fullname.partition(".")[0] == "torch":
            return None
        return super().find_spec(fullname, path, target)


if AGAINST_PYTORCH == "0":
    sys.meta_path[:] = [
        _PathFinderWithoutPyTorch if finder is PathFinder else finder for finder in sys.meta_path
    ]
elif AGAINST_PYTORCH == "1" and importlib.util.find_spec("torch") is None:
    raise pytest.UsageError("--against-pytorch: PyTorch is not installed")


@pytest.fixture(autouse=True)
def _same_state_for_every_test() -> Iterator[None]:
    """The seed, the default dtype and the gradient mode do not leak from test to test."""
    import flambeau as torch

    if not hasattr(torch, "set_default_dtype"):
        yield
        return
    torch.manual_seed(0)
    dtype = torch.get_default_dtype()
    yield
    torch.set_default_dtype(dtype)
    torch.set_grad_enabled(True)
