"""Networks into ONNX files (``torch.onnx``); needs the package `onnx` (the extra `onnx`).

The network runs once on symbolic arrays, as for :func:`flambeau.compile`; the graph that this
makes, without anything that depends on parameters alone, is written down in ONNX's operators.

* :mod:`.sizes` finds out how the sizes in the graph depend on those of the arguments.
* :mod:`.operators` has a node, or some, for each primitive, :mod:`.indexing` for those that
  read by indices or write into arrays.
* :mod:`.patterns` recognizes what ONNX has as one operator: Gemm, Softmax, MaxPool, ...;
  :mod:`.recurrence` does so for LSTM, GRU and RNN.
* :mod:`.builder` keeps names, nodes and constants.
"""

from __future__ import annotations

from .export import OnnxExporterError, export, is_in_onnx_export

__all__ = ["OnnxExporterError", "export", "is_in_onnx_export"]
