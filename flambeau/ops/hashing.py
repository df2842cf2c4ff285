"""A number for what a tensor holds.

Source: https://docs.pytorch.org/docs/stable/generated/torch.hash_tensor.html
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..namespaces.primitives import reduced_shape
from .array_calls import call_on_arrays
from .dims import wrap_dims
from .dtype_checks import require_kinds
from .operation import composite


@composite
def hash_tensor(
    input: Any, dim: Any = (), *, keepdim: bool = False, mode: int = 0, out: Any = None
) -> Any:
    """The elements' bits, as 64-bit numbers, combined by exclusive or.

    Args:
        input: real numbers, of any shape: floating-point ones are hashed as float64, others as
            integers.
        dim: to combine over, an int or several; all by default.
        keepdim: whether these dims stay, with size 1.
        mode: 0, the exclusive or.
        out: to put the result into.

    Returns:
        The shape without ``dim``, uint64.

    Raises:
        RuntimeError: another ``mode``.
        IndexError: a dim has size 0, or is not there.
        NotImplementedError: ``input`` is complex.
    """
    from ..tensor.views import write_out

    if mode != 0:
        raise RuntimeError(f"hash_tensor: the only mode is 0 (exclusive or), but got {mode}")
    array = input._array
    require_kinds("xor_sum_cpu", "fiub", array)
    dims = wrap_dims(dim if isinstance(dim, int) or dim else None, array.ndim)
    dims = tuple(range(array.ndim)) if dims is None else dims
    if dim != ():
        for d in dims:
            if array.shape[d] == 0:
                raise IndexError(f"hash_tensor: Expected reduction dim {d} to have non-zero size.")
    kind = (reduced_shape(array.shape, dims, keepdim), np.uint64)
    (result,) = call_on_arrays(
        _hashed, "hash_tensor()", (input,), kind, dims=tuple(dims), keepdim=bool(keepdim)
    )
    return result if out is None else write_out("hash_tensor", result, out)


def _hashed(array: np.ndarray, dims: tuple[int, ...], keepdim: bool) -> np.ndarray:
    wide = array.astype(np.int64 if array.dtype.kind in "iub" else np.float64)
    xor: Any = np.bitwise_xor
    hashed = xor.reduce(wide.view(np.uint64), axis=dims, keepdims=keepdim)
    return np.asarray(hashed, np.uint64)
