"""``FLAMBEAU_LOG``: what flambeau tells about its work, on standard error.

A comma-separated list of names, as of PyTorch's ``TORCH_LOGS``: ``FLAMBEAU_LOG=compile`` logs all
that the compiler decides, ``FLAMBEAU_LOG=compile.guards,compile.fallback`` only a part of it, and
``+`` before a name asks for more detail.  The names are those of loggers of the standard library's
:mod:`logging` below ``flambeau``, which a program can set up by itself instead:
``logging.getLogger("flambeau.compile").setLevel(logging.INFO)``.

Source: https://pytorch.org/docs/stable/logging.html
"""

from __future__ import annotations

import logging
import os
import sys
import warnings

NAMES = {
    "compile": "all of the following",
    "compile.capture": "captures, and calls of a new kind",
    "compile.guards": "guards that failed, and why; what is captured again, and variants",
    "compile.fallback": "what runs eagerly: the line and the reason",
    "compile.cache": "programs found in the disk cache, stored there and removed",
    "compile.time": "how long each stage of a compilation took",
}
"""What can be asked for."""


class _StandardError(logging.Handler):
    """Writes to what ``sys.stderr`` is at the moment."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            sys.stderr.write(self.format(record) + "\n")
            sys.stderr.flush()
        except Exception:
            self.handleError(record)


def set_up(setting: str) -> None:
    """Send the loggers that ``setting`` names to standard error.

    Args:
        setting: what ``FLAMBEAU_LOG`` would be.  A name that is not known is warned about, and
            the others count.
    """
    unknown = []
    for entry in setting.split(","):
        detailed = entry.strip().startswith("+")
        name = entry.strip().removeprefix("+").lower()
        if not name:
            continue
        if name not in NAMES:
            unknown.append(name)
            continue
        logger = logging.getLogger(f"flambeau.{name}")
        logger.setLevel(logging.DEBUG if detailed else logging.INFO)
        if not any(isinstance(handler, _StandardError) for handler in logger.handlers):
            handler = _StandardError()
            handler.setFormatter(logging.Formatter("%(name)s: %(message)s"))
            logger.addHandler(handler)
            logger.propagate = False  # else a handler of the root logger writes it a second time
    if unknown:
        listed = ", ".join(f"'{name}'" for name in unknown)
        warnings.warn(
            f"FLAMBEAU_LOG names {listed}, which flambeau does not know; the names are "
            f"{', '.join(NAMES)} (several separated by commas, '+' before one for more detail)",
            stacklevel=2,
        )


def read_environment() -> None:
    """Do what ``FLAMBEAU_LOG`` says."""
    set_up(os.environ.get("FLAMBEAU_LOG", ""))


__all__ = ["NAMES", "read_environment", "set_up"]
