"""A number for what a tensor holds.

Source: https://docs.pytorch.org/docs/stable/generated/torch.hash_tensor.html
"""

from __future__ import annotations

from typing import Any

import numpy as np

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

    Returns: uint64.
    """
    from ..tensor import wrap
    from ..tensor.views import write_out

    if mode != 0:
        raise RuntimeError(f"hash_tensor: the only mode is 0 (exclusive or), but got {mode}")
    array = input._concrete("hash_tensor()")
    require_kinds("xor_sum_cpu", "fiub", array)
    dims = wrap_dims(dim if isinstance(dim, int) or dim else None, array.ndim)
    dims = tuple(range(array.ndim)) if dims is None else dims
    if dim != ():
        for d in dims:
            if array.shape[d] == 0:
                raise IndexError(f"hash_tensor: Expected reduction dim {d} to have non-zero size.")
    wide = array.astype(np.int64 if array.dtype.kind in "iub" else np.float64)
    xor: Any = np.bitwise_xor
    hashed = xor.reduce(wide.view(np.uint64), axis=dims, keepdims=keepdim)
    result = wrap(np.asarray(hashed, np.uint64))
    return result if out is None else write_out("hash_tensor", result, out)
