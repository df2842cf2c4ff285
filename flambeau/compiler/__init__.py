"""The compiler: from a Python function to one native call.

:mod:`.capture` runs the function on symbolic arrays (:mod:`.symbolic`) and gives a graph
(:mod:`.graph`); :mod:`.joint` cuts off its backward pass where that is called from outside;
:mod:`.executable` makes native code of a graph; :mod:`.run` calls it with the right arrays, and
:mod:`.compile` decides when to do what.
"""

from __future__ import annotations

from .compile import CompiledFunction, compile
from .control import (
    allow_in_graph,
    cudagraph_mark_step_begin,
    disable,
    is_compiling,
    is_dynamo_compiling,
    is_exporting,
    list_backends,
    reset,
    set_stance,
)

__all__ = [
    "CompiledFunction",
    "allow_in_graph",
    "compile",
    "cudagraph_mark_step_begin",
    "disable",
    "is_compiling",
    "is_dynamo_compiling",
    "is_exporting",
    "list_backends",
    "reset",
    "set_stance",
]
