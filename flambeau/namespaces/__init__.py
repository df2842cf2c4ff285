"""The array namespaces: one vocabulary of primitives, several kinds of arrays that speak it.

* :mod:`.primitives` lists the primitives and the rules for result shapes and dtypes.
* :mod:`.numpy` computes them at once on NumPy arrays.
* :mod:`.jax` computes them on ``jax.Array`` and under ``jax.jit``.
* :mod:`.recorded` applies them to Tensors as operations, so that gradients can be differentiated.
* :mod:`.batched` applies them to all members of a batch at once, in any other namespace.
* :mod:`flambeau.compiler.symbolic` adds them to a graph.
"""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

from . import numpy

_NAMESPACES: dict[type, Any] = {np.ndarray: numpy}


def register(array_type: type, namespace: ModuleType) -> None:
    """Let arrays of ``array_type`` (and its subclasses) be served by ``namespace``."""
    _NAMESPACES[array_type] = namespace


def namespace_of(*arrays: Any) -> Any:
    """The namespace that can serve all ``arrays``: NumPy arrays mix with any one other kind.

    Batched arrays mix with every kind, since they hold arrays of it.
    """
    found = numpy
    for array in arrays:
        namespace = _NAMESPACES.get(type(array)) or _lookup(type(array))
        if namespace is not numpy:
            if getattr(namespace, "OUTERMOST", False):
                return namespace
            found = namespace
    return found


def _lookup(array_type: type) -> Any:
    for base in array_type.__mro__:
        if base in _NAMESPACES:
            namespace = _NAMESPACES[base]
            break
    else:
        if not array_type.__module__.startswith("jax"):
            if issubclass(array_type, np.generic):
                return numpy
            raise TypeError(f"no array namespace serves {array_type.__qualname__}")
        from . import jax as namespace
    _NAMESPACES[array_type] = namespace
    return namespace


__all__ = ["namespace_of", "register"]
