"""Anomaly detection: a failing backward pass names the line of the forward pass it came from.

Source: https://pytorch.org/docs/stable/autograd.html#anomaly-detection
"""

from __future__ import annotations

import traceback
from typing import Any

import numpy as np

from ..modes import MODES, enter_mode, leave_mode
from .node import Node

_PACKAGE = __name__.split(".")[0]


def is_anomaly_enabled() -> bool:
    """Whether this thread is inside :class:`detect_anomaly`."""
    return bool(MODES.anomaly)


def is_anomaly_check_nan_enabled() -> bool:
    """Whether anomaly detection looks for NaN in gradients."""
    return MODES.anomaly == "nan"


class set_detect_anomaly:
    """Turn anomaly detection on or off: at once, and as a context manager until its end.

    Args:
        mode: whether it is on.
        check_nan: whether NaN in gradients raise a RuntimeError, besides.
    """

    def __init__(self, mode: bool, check_nan: bool = True) -> None:
        self._previous = MODES.anomaly
        _set("nan" if check_nan else "trace") if mode else _set(False)

    def __enter__(self) -> None:
        pass

    def __exit__(self, *exc_info: object) -> None:
        _set(self._previous)


class detect_anomaly:
    """Context manager: errors and NaN in a backward pass name the operation's forward line.

    Args:
        check_nan: whether NaN in gradients raise a RuntimeError, besides.
    """

    def __init__(self, check_nan: bool = True) -> None:
        self.check_nan = check_nan

    def __enter__(self) -> None:
        self._previous = MODES.anomaly
        _set("nan" if self.check_nan else "trace")

    def __exit__(self, *exc_info: object) -> None:
        _set(self._previous)


def _set(mode: Any) -> None:
    if bool(mode) != bool(MODES.anomaly):
        enter_mode() if mode else leave_mode()
    MODES.anomaly = mode


def note_traceback(node: Node) -> None:
    """Keep on ``node`` where the program called its operation."""
    frames = traceback.extract_stack()[:-1]
    own = [f for f in frames if not f.filename.startswith("<flambeau")]
    node.traceback = "".join(traceback.format_list(own))


def check_results(node: Node, results: Any) -> None:
    """Raise if ``node`` made a NaN."""
    if MODES.anomaly != "nan":
        return
    for index, result in enumerate(results):
        array = getattr(result, "_array", result)
        if isinstance(array, np.ndarray) and array.dtype.kind == "f" and np.isnan(array).any():
            raise RuntimeError(
                f"Function '{node.name()}' returned nan values in its {index}th output.\n"
                f"The forward call that made it:\n{node.traceback}"
            )


def hint(node: Node) -> str:
    """What to add to an error about ``node``."""
    if node.traceback is not None:
        return f"The forward call:\n{node.traceback}"
    return (
        "Hint: enable anomaly detection to find the operation that failed to compute its "
        "gradient, with torch.autograd.set_detect_anomaly(True)."
    )
