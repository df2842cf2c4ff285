"""Look-up of vectors by index.

Source: https://docs.pytorch.org/docs/2.13/nn.functional.html (sparse functions)
"""

from __future__ import annotations

import math
import warnings

import flambeau
from flambeau.modes import MODES
from flambeau.nn.functional.node_names import node_called
from flambeau.ops.embedding import embedding as _embedding
from flambeau.ops.value_checks import refuse
from flambeau.tensor import Tensor

__all__ = [
    "embedding",
    "embedding_bag",
]


def embedding(
    input: Tensor,
    weight: Tensor,
    padding_idx: int | None = None,
    max_norm: float | None = None,
    norm_type: float = 2.0,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
) -> Tensor:
    """The rows of ``weight`` that ``input`` names.

    Args:
        input: ``(*)``, integers from 0 to ``rows - 1``.
        weight: ``(rows, width)``.
        padding_idx: a row that gets no gradient.
        max_norm: rows that are longer are shortened to this, in place, when looked up.
        norm_type: which p-norm ``max_norm`` means.
        scale_grad_by_freq: whether gradients are divided by how often an index occurs.
        sparse: asks for a sparse gradient; here gradients are dense, of equal value.

    Returns:
        ``(*, width)``.

    Raises:
        AssertionError: ``padding_idx`` is no row.
        IndexError: an index that is no row.
    """
    if padding_idx is None:
        padding_idx = -1
    else:
        rows = weight.size(0)
        if not -rows <= padding_idx < rows:
            raise AssertionError("Padding_idx must be within num_embeddings")
        padding_idx %= rows
    if max_norm is not None:
        _shorten_rows(weight, input, max_norm, norm_type)
    return _embedding.function(weight, input, padding_idx, scale_grad_by_freq, sparse)


def _shorten_rows(weight: Tensor, indices: Tensor, max_norm: float, norm_type: float) -> None:
    """Scale the rows of ``weight`` that are looked up down to ``max_norm``, in place."""
    with flambeau.no_grad():
        if MODES.capture is not None:  # which rows those are is not known: all are looked at
            flat = indices.reshape(-1)
            count = flambeau.zeros(weight.shape[0], dtype=weight.dtype)
            ones = flambeau.ones(flat.shape[0], dtype=weight.dtype)
            is_used = count.index_put((flat,), ones, accumulate=True).unsqueeze(1) > 0
            norms = weight.norm(norm_type, 1, keepdim=True)
            shorter = weight * (max_norm / (norms + 1e-7))
            weight.copy_(shorter.where(is_used & (norms > max_norm), weight))
            return
        used = indices.reshape(-1).unique()
        rows = weight[used]
        norms = rows.norm(norm_type, 1, keepdim=True)
        weight[used] = flambeau.where(norms > max_norm, rows * (max_norm / (norms + 1e-7)), rows)


@node_called("EmbeddingBagBackward0")
def embedding_bag(
    input: Tensor,
    weight: Tensor,
    offsets: Tensor | None = None,
    max_norm: float | None = None,
    norm_type: float = 2,
    scale_grad_by_freq: bool = False,
    mode: str = "mean",
    sparse: bool = False,
    per_sample_weights: Tensor | None = None,
    include_last_offset: bool = False,
    padding_idx: int | None = None,
) -> Tensor:
    """Sums, means or maxima of bags of rows of ``weight``.

    Args:
        input: ``(B, N)``: B bags of N indices; or ``(N,)`` with ``offsets``.
        weight: ``(rows, width)``.
        offsets: ``(B,)``: where each bag begins.
        max_norm, norm_type, scale_grad_by_freq, sparse: as in :func:`embedding`.
        mode: ``"sum"``, ``"mean"`` or ``"max"``.
        per_sample_weights: of the shape of ``input``; factors of the rows, for ``"sum"`` only.
        include_last_offset: whether ``offsets`` ends with the number of indices.
        padding_idx: an index that is left out of the bags.

    Returns:
        ``(B, width)``.

    Raises:
        ValueError: another ``mode``, or shapes that do not fit.
        NotImplementedError: ``per_sample_weights`` with another mode than ``"sum"``.
        RuntimeError: ``offsets`` that do not begin at 0 or go beyond the input.
    """
    if weight.dtype == flambeau.int64 and input.is_floating_point():
        warnings.warn(
            "Argument order of nn.functional.embedding_bag was changed. Usage "
            "`embedding_bag(weight, input, ...)` is deprecated, and should now be "
            "`embedding_bag(input, weight, ...)`.",
            stacklevel=3,
        )
        weight, input = input, weight
    if mode not in ("sum", "mean", "max"):
        raise ValueError("mode has to be one of sum, mean or max")
    if per_sample_weights is not None:
        if per_sample_weights.shape != input.shape:
            raise ValueError(
                f"embedding_bag: If per_sample_weights ({list(per_sample_weights.shape)}) is not "
                f"None, then it must have the same shape as the input ({list(input.shape)})"
            )
        if mode != "sum":
            raise NotImplementedError(
                "embedding_bag: per_sample_weights was not None. per_sample_weights is only "
                f"supported for mode='sum' (got mode='{mode}'). Please open a feature request on "
                "GitHub."
            )
    if input.dim() == 2:
        if offsets is not None:
            raise ValueError("if input is 2D, then offsets has to be None, as input is treated is "
                             "a mini-batch of fixed length sequences. However, found offsets of "
                             f"type {type(offsets)}")  # fmt: skip
        bags, size = input.shape
        starts = flambeau.arange(bags) * size
        input = input.reshape(-1)
        if per_sample_weights is not None:
            per_sample_weights = per_sample_weights.reshape(-1)
    elif input.dim() == 1:
        if offsets is None:
            raise ValueError("offsets has to be a 1D Tensor but got None")
        if offsets.dim() != 1:
            raise ValueError("offsets has to be a 1D Tensor")
        starts = offsets.long()
        bags = starts.numel() - bool(include_last_offset)
        if bags < 0:
            raise RuntimeError("include_last_offset: number of offset should be at least 1")
        _check_offsets(starts, input.numel())
    else:
        raise ValueError(
            f"input has to be 1D or 2D Tensor, but got Tensor of dimension {input.dim()}"
        )
    if padding_idx is not None:
        padding_idx %= weight.size(0)
    rows = embedding(input, weight, padding_idx, max_norm, norm_type, scale_grad_by_freq, sparse)
    if per_sample_weights is not None:
        rows = rows * per_sample_weights.unsqueeze(-1)
    # places at which bags begin count up what bag each index is in; with the last offset, what
    # is behind it is in a bag of its own, which is left out
    places = bags + bool(include_last_offset)
    marks = flambeau.zeros(input.numel() + 1, dtype=flambeau.int64)
    ones = flambeau.ones(starts.numel(), dtype=flambeau.int64)
    begun = marks.index_put((starts.clamp(0, input.numel()),), ones, accumulate=True)
    bag_of = begun.cumsum(0)[:-1] - 1
    kept = None if padding_idx is None else input.ne(padding_idx)
    counted = flambeau.ones(rows.shape[0], dtype=weight.dtype)
    if kept is not None:
        counted = kept.to(weight.dtype)
    zeros = flambeau.zeros((places, weight.shape[1]), dtype=weight.dtype)
    if mode != "sum":
        counts = flambeau.zeros(places, dtype=weight.dtype)
        counts = counts.index_put((bag_of,), counted, accumulate=True).unsqueeze(-1)
    if mode == "max":
        if kept is not None:
            rows = rows.where(kept.unsqueeze(-1), -math.inf)
        within = bag_of.unsqueeze(-1).expand(rows.shape)
        largest = (zeros - math.inf).scatter_reduce(0, within, rows, "amax")
        return largest.where(counts > 0, 0)[:bags]
    if kept is not None:
        rows = rows.where(kept.unsqueeze(-1), 0)
    sums = zeros.index_put((bag_of,), rows, accumulate=True)
    if mode == "mean":
        sums = sums / counts.clamp(min=1)
    return sums[:bags]


def _check_offsets(starts: Tensor, count: int) -> None:
    """Bags begin with the first index, and within the others."""
    if not starts.numel():
        return
    first, last = starts[0], starts[-1]
    refuse(
        first.ne(0), RuntimeError,
        "offsets[0] has to be 0, i.e., the first sequence in the mini-batch has to start from "
        "position 0",
        lambda: (
            "offsets[0] has to be 0, i.e., the first sequence in the mini-batch has to start from "
            f"position 0. However, got {int(first)}"
        ),
    )  # fmt: skip
    refuse(
        last > count, RuntimeError,
        f"offsets[-1] can not be greater than input's length {count}",
        lambda: (
            f"offsets[-1] can not be greater than input's length {count} but got offsets[-1] of "
            f"{int(last)}"
        ),
    )  # fmt: skip
