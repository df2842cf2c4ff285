"""What cannot be exported.

Source: https://pytorch.org/docs/stable/onnx.html
"""

from __future__ import annotations


class OnnxExporterError(RuntimeError):
    """The program has no counterpart in ONNX; the message says what in it has none."""
