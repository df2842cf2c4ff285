"""``torch._dynamo``: what programs ask of PyTorch's capture, in the terms of ours."""

from __future__ import annotations

from types import SimpleNamespace

from flambeau.compiler.control import allow_in_graph, disable, is_compiling, list_backends, reset

config = SimpleNamespace(
    suppress_errors=False,
    verbose=False,
    cache_size_limit=8,
    recompile_limit=8,
    accumulated_cache_size_limit=256,
    dynamic_shapes=True,
    automatic_dynamic_shapes=True,
    capture_scalar_outputs=False,
    optimize_ddp=True,
)
"""PyTorch's settings of its capture, kept as they are set: none chooses what ours does."""

__all__ = ["allow_in_graph", "config", "disable", "is_compiling", "list_backends", "reset"]
