"""scikit-learn's modules, or an error that says how to get them."""

from __future__ import annotations

import importlib
from typing import Any

__all__ = ["require_scikit"]


def require_scikit(module: str) -> Any:
    """Import a module of scikit-learn (`"datasets"`, `"model_selection"`).

    Raises:
        ImportError: scikit-learn is not installed.
    """
    try:
        return importlib.import_module("sklearn." + module)
    except ImportError as error:
        raise ImportError(
            "this data set comes with scikit-learn, which is not installed: "
            "pip install 'flambeau[train]'"
        ) from error
