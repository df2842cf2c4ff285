"""Reductions of consecutive segments.

Source: torch.segment_reduce
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .dtype_checks import type_word
from .index_writes import scatter_reduce
from .operation import composite
from .search import searchsorted

_EMPTY = {"sum": 0.0, "mean": 0.0, "prod": 1.0, "max": -np.inf, "min": np.inf}
_SCATTERED = {"sum": "sum", "mean": "sum", "prod": "prod", "max": "amax", "min": "amin"}


@composite(method=False)
def segment_reduce(
    data: Any,
    reduce: str,
    *,
    lengths: Any = None,
    indices: Any = None,
    offsets: Any = None,
    axis: int = 0,
    unsafe: bool = False,
    initial: float | None = None,
) -> Any:
    """What lies one after the other along ``axis``, reduced segment by segment.

    Args:
        data: ``(*batch, n, *rest)``, of a floating-point dtype, ``axis`` the dim of ``n``.
        reduce: ``"sum"``, ``"mean"``, ``"max"``, ``"min"`` or ``"prod"``.
        lengths: ``(*batch, segments)``, int64 or int32: how many elements each segment has.
        indices: not taken, as in PyTorch.
        offsets: ``(*batch, segments + 1)`` instead of ``lengths``: where each begins, and the end.
        axis: the last dim of ``lengths``.
        unsafe: do not check that the lengths add up to ``n``.
        initial: what a reduction begins with, and what an empty segment gives.

    Returns:
        ``(*batch, segments, *rest)``. Without ``initial``, empty segments give 0, nan (of means),
        -inf, inf or 1.

    Raises:
        RuntimeError: another ``reduce`` or ``axis``; lengths that are negative or do not add up.
        NotImplementedError: the data are no floating-point numbers.
    """
    if reduce not in _EMPTY:
        raise RuntimeError(
            f"reduce argument must be either sum, prod, mean, amax or amin, got {reduce}"
        )
    if indices is not None:
        raise RuntimeError("segment_reduce(): indices based reduction is not supported yet.")
    if lengths is None and offsets is None:
        raise RuntimeError("segment_reduce(): Either lengths or offsets must be defined.")
    if not data.is_floating_point():
        raise NotImplementedError(
            f"\"_segment_reduce_cpu\" not implemented for '{type_word(data._array)}'"
        )
    what = "lengths" if offsets is None else "offsets"
    if lengths is None:
        lengths = offsets.diff(dim=-1)
    if lengths.is_floating_point():
        raise NotImplementedError(
            f'"_segment_reduce_{what}_cpu_kernel1" not implemented for '
            f"'{type_word(lengths._array)}'"
        )
    dim = lengths.dim() - 1
    if axis != dim:
        raise RuntimeError(
            f"segment_reduce(): Expected axis to be the last dimension of {what} but got {axis}."
        )
    if not unsafe:
        if bool((lengths < 0).any()):
            raise RuntimeError(f"{what} contains negative value!")
        if bool((lengths.sum(-1) != data.shape[dim]).any()):
            raise RuntimeError(
                f"segment_reduce(): Expected all rows of {what} along axis to sum to "
                "data.size(lengths.dim()-1) when !unsafe."
            )
    segments, rest = lengths.shape[-1], data.dim() - dim - 1
    ends = lengths.cumsum(-1)
    places = ends.new_tensor(range(data.shape[dim])).expand((*ends.shape[:-1], -1))
    # The segment of a place is how many have ended before it.
    belongs = searchsorted(ends, places.contiguous(), right=True).clamp(max=segments - 1)
    index = belongs.reshape((*belongs.shape, *(1,) * rest)).expand(data.shape)
    shape = (*lengths.shape, *data.shape[dim + 1 :])
    begin = data.new_full(shape, _EMPTY[reduce] if initial is None else initial)
    reduced = scatter_reduce(begin, dim, index, data, _SCATTERED[reduce])
    if reduce == "mean":
        counts = lengths.reshape((*lengths.shape, *(1,) * rest))
        reduced = reduced / counts.clamp(min=1)
        if initial is None:
            reduced = reduced.masked_fill(counts == 0, float("nan"))
    return reduced


__all__ = ["segment_reduce"]
