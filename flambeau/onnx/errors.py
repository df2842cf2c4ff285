"""What cannot be exported."""

from __future__ import annotations


class OnnxExporterError(RuntimeError):
    """The program has no counterpart in ONNX; the message says what in it has none."""
