"""A pytest plugin, found by pytest where flambeau is installed: it does not import flambeau.

NumPy warns of 1/0 and its like, PyTorch does not, and flambeau filters the warnings of its own
modules when it is imported.  pytest sets the filters anew for every test; so here is the same one.
"""

from __future__ import annotations

from typing import Any


def pytest_configure(config: Any) -> None:
    """Filter what NumPy says of arithmetic inside flambeau."""
    config.addinivalue_line("filterwarnings", r"ignore::RuntimeWarning:flambeau\.")
