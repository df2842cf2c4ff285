"""Scaled dot-product attention as one operation.

Sources: Vaswani et al., "Attention is all you need", 2017; that the backward pass needs one number
per row besides the exponentials: Dao et al., "FlashAttention", 2022.
https://pytorch.org/docs/stable/generated/torch.nn.functional.scaled_dot_product_attention.html
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..namespaces import numpy
from ..namespaces.numpy_constants import number, ones
from .dtype_checks import type_word
from .operation import Array, operation, sum_to
from .small_programs import small

_INT64 = np.dtype(np.int64)
_BOOL = np.dtype(bool)


def _turned(xp: Any, x: Any) -> Any:
    """The last two dims swapped."""
    n = x.ndim
    return xp.permute(x, (*range(n - 2), n - 1, n - 2))


def _seen(xp: Any, length: int, source: int) -> Any:
    """(L, S): whether position i sees position j, which it does up to j = i."""
    rows = xp.reshape(xp.arange(0, length, 1, _INT64), (length, 1))
    columns = xp.reshape(xp.arange(0, source, 1, _INT64), (1, source))
    return xp.le(columns, rows)


def _masked(xp: Any, scores: Any, mask: Any, causal: bool) -> Any:
    """``scores`` with minus infinity where a position is not to be seen."""
    if causal:
        scores = xp.where(_seen(xp, *scores.shape[-2:]), scores, -math.inf)
    if mask is None:
        return scores
    if xp.dtype(mask) == _BOOL:
        return xp.where(mask, scores, -math.inf)
    return scores + mask


def _softmax(xp: Any, scores: Any) -> Any:
    """The softmax along the last dim; zeros where all is minus infinity."""
    last = (scores.ndim - 1,)
    if not scores.shape[-1]:
        return scores
    largest = xp.amax(scores, last, True)
    blind = xp.eq(largest, -math.inf)
    e = xp.exp(scores - xp.where(blind, 0, largest))
    total = xp.sum(e, last, True)
    return e / xp.where(blind, 1, total)


@operation(dtypes="inexact", public=False, out=False, aux=True,
           node_name="ScaledDotProductFlashAttentionForCpuBackward0",
           name="scaled_dot_product_attention_weighted",
           samples=(((2, 3, 4), (2, 5, 4), (2, 5, 3)), ((3, 4), (3, 4), (3, 2), None, None, True),
                    ((2, 2, 3, 4), (2, 1, 5, 4), (2, 2, 5, 3), (3, 5), (2, 2, 3, 5), False, 0.7),
                    ((2, 3, 4), (2, 3, 4), (2, 3, 2), "bool(3,3)", None, False, 0.5),
                    ((2, 3, 4), (2, 3, 4), (2, 3, 2), (2, 1, 3), None, True, 0.5)))  # fmt: skip
def attention(
    xp,
    query: Array,
    key: Array,
    value: Array,
    attn_mask: Array | None = None,
    factors: Array | None = None,
    is_causal: bool = False,
    scale: float | None = None,
):
    """softmax(query @ key^T * scale + mask), times factors (those of a dropout), @ value.

    Args:
        query: (*, L, E).
        key: (*, S, E).
        value: (*, S, V).
        attn_mask: broadcasts to (*, L, S): bool, whether it is seen, or added to the scores.
        factors: (*, L, S), what the weights are multiplied with.
        is_causal: position i sees positions up to i only.
        scale: the scores' factor, 1 / sqrt(E) if None.
    Returns:
        (*, L, V).
    """
    scaled = query * _factor(query, scale)
    scores = _masked(xp, xp.matmul(scaled, _turned(xp, key)), attn_mask, is_causal)
    weights = _softmax(xp, scores)
    used = weights if factors is None else weights * factors
    return xp.matmul(used, value), (weights, scaled)


def _factor(query: Any, scale: float | None) -> float:
    if scale is not None:
        return scale
    return 1 / math.sqrt(query.shape[-1]) if query.shape[-1] else 1.0


@attention.vjp("query", "key", "value", "attn_mask")
def _(xp, grad, query, key, value, attn_mask, factors, scale, out, aux, needs):
    weights, scaled = aux
    used = weights if factors is None else weights * factors
    of_value = of_query = of_key = of_mask = None
    if needs[2]:
        of_value = sum_to(xp, xp.matmul(_turned(xp, used), grad), tuple(value.shape))
    if needs[0] or needs[1] or needs[3]:
        slope = xp.matmul(grad, _turned(xp, value))
        if factors is not None:
            slope = slope * factors
        # sum(slope * weights) along a row is sum(grad * out)
        slope = weights * (slope - xp.sum(grad * out, (grad.ndim - 1,), True))
        if needs[0]:
            of_query = xp.matmul(slope, key) * _factor(query, scale)
            of_query = sum_to(xp, of_query, tuple(query.shape))
        if needs[1]:
            of_key = sum_to(xp, xp.matmul(_turned(xp, slope), scaled), tuple(key.shape))
        if needs[3]:
            of_mask = sum_to(xp, slope, tuple(attn_mask.shape))
    return of_query, of_key, of_value, of_mask


@attention.checked
def _(query, key, value, attn_mask=None, factors=None, is_causal=False, scale=None):
    from .. import dtypes

    def word(array: Any) -> str:
        name = dtypes.from_numpy_dtype(array.dtype).name
        return {"float32": "float", "float64": "double", "int64": "long int", "int32": "int",
                "bfloat16": "c10::BFloat16", "float16": "c10::Half"}.get(name, name)  # fmt: skip

    if min(query.ndim, key.ndim, value.ndim) < 2:
        raise RuntimeError(
            "Expected query, key, and value to all be  at least 2 dimensional, but got query.dim: "
            f"{query.ndim} key.dim: {key.ndim} and value.dim: {value.ndim} instead."
        )
    if query.dtype != key.dtype or query.dtype != value.dtype:
        raise RuntimeError(
            "Expected query, key, and value to have the same dtype, but got query.dtype: "
            f"{word(query)} key.dtype: {word(key)} and value.dtype: {word(value)} instead."
        )
    if query.dtype.kind not in "fV" and query.dtype.name not in ("bfloat16", "float16"):
        raise RuntimeError(f"expected scalar type Float but found {type_word(query)}")
    if attn_mask is not None and attn_mask.dtype not in (_BOOL, np.float32, query.dtype):
        raise RuntimeError(
            "Expected attn_mask dtype to be bool or float or to match query dtype, but got "
            f"attn_mask.dtype: {word(attn_mask)} and  query.dtype: {word(query)} instead."
        )
    listed = f"query {list(query.shape)}, key {list(key.shape)}, value {list(value.shape)}"
    if query.shape[-1] != key.shape[-1]:
        raise RuntimeError(
            f"scaled_dot_product_attention: query and key must be equally wide ({listed})"
        )
    if key.shape[-2] != value.shape[-2]:
        raise RuntimeError(
            f"scaled_dot_product_attention: key and value must be equally long ({listed})"
        )
    operands = (query, key, value) if attn_mask is None else (query, key, value, attn_mask)
    batches = [tuple(a.shape[:-2]) for a in operands]
    scores = (query.shape[-2], key.shape[-2])
    try:
        batch = np.broadcast_shapes(*batches[:3])
        if attn_mask is not None:
            if np.broadcast_shapes((*batch, *scores), tuple(attn_mask.shape))[-2:] != scores:
                raise ValueError
    except ValueError:
        from .dims import broadcast_error

        shapes = batches[:3]
        if attn_mask is not None and _broadcasts(shapes):
            shapes = [(*np.broadcast_shapes(*shapes), *scores), tuple(attn_mask.shape)]
        raise broadcast_error(shapes) from None


def _broadcasts(shapes: Any) -> bool:
    try:
        np.broadcast_shapes(*shapes)
    except ValueError:
        return False
    return True


# -- on NumPy -----------------------------------------------------------------------------------


class Exponentials:
    """What the kernel leaves to the backward pass: the weights before they are normalised.

    Attributes:
        e: (*, L, S), the exponentials.
        total: (*, L, 1), the sums of their rows.
    """

    __slots__ = ("e", "total")

    def __init__(self, e: np.ndarray, total: np.ndarray) -> None:
        self.e, self.total = e, total

    def exponentials(self, query: Any, key: Any) -> np.ndarray:
        """(*, L, S)."""
        return self.e


class Shifted:
    """The same where there are many: how to make them again, which takes no (*, L, S) of memory.

    Attributes:
        largest: (*, L, 1), what is subtracted from the scores; None if they need no shift.
        total: (*, L, 1), the sums of the exponentials' rows.
        is_causal, scale: the operation's arguments.
    """

    __slots__ = ("is_causal", "largest", "scale", "total")

    def __init__(self, is_causal: bool, scale: float | None, largest: Any = None) -> None:
        self.is_causal, self.scale, self.largest = is_causal, scale, largest
        self.total: Any = None

    def exponentials(self, query: Any, key: Any) -> np.ndarray:
        """(*, L, S), from the scores of ``query`` and ``key``."""
        return self.of_scores(_scores(query, key, self.scale))

    def of_scores(self, e: np.ndarray) -> np.ndarray:
        """The exponentials of ``e``, in its memory."""
        if self.largest is None:
            np.exp(e, out=e)
            if self.is_causal:
                e *= _triangle(e.shape[-2], e.shape[-1], e.dtype)
        else:
            if self.is_causal:
                np.copyto(e, -np.inf, where=~_triangle(e.shape[-2], e.shape[-1], _BOOL))
            e -= self.largest
            np.exp(e, out=e)
        return e


def _scores(query: Any, key: Any, scale: float | None) -> np.ndarray:
    scaled = query * number(_factor(query, scale), query.dtype)
    scores: np.ndarray = np.matmul(scaled, key.swapaxes(-1, -2))
    return scores


_SAFE = 60.0
"""Scores within these bounds need no shift: exponentials and sums neither over- nor underflow."""

_FEW = 1024
"""Up to so many scores, what counts is how few steps there are."""

_KEPT = 1 << 20
"""Up to so many bytes of exponentials are kept for the backward pass."""

_TRIANGLES: dict[Any, np.ndarray] = {}


def _triangle(length: int, source: int, dtype: np.dtype) -> np.ndarray:
    """(L, S): 1 where position i sees position j, else 0."""
    key = (length, source, dtype)
    found = _TRIANGLES.get(key)
    if found is None:
        if len(_TRIANGLES) > 16:
            _TRIANGLES.clear()
        found = _TRIANGLES[key] = np.tri(length, source, dtype=dtype)
    return found


def _with_column(x: np.ndarray, number: int) -> np.ndarray:
    """``x`` with a column of ``number`` behind."""
    result = np.empty((*x.shape[:-1], x.shape[-1] + 1), x.dtype)
    result[..., :-1] = x
    result[..., -1] = number
    return result


def takes_order_of(query: Any, value: Any) -> bool:
    """Whether the result lies in memory as ``query`` does, as PyTorch's: its heads behind its rows.

    ``y.transpose(1, 2).view(batch, rows, -1)`` then copies nothing.
    """
    if query.ndim != 4 or query.shape[-1] != value.shape[-1] or query.flags.c_contiguous:
        return False
    return bool(query.strides[-1] == query.itemsize)


@attention.kernel
def _(query, key, value, attn_mask=None, factors=None, is_causal=False, scale=None):
    if (
        attn_mask is not None
        or factors is not None
        or query.dtype.char not in "fd"
        or key.dtype is not query.dtype
        or value.dtype is not query.dtype
        or query.ndim != key.ndim
        or query.shape[:-2] != key.shape[:-2]
        or query.shape[:-2] != value.shape[:-2]
        or key.shape[-2] != value.shape[-2]
        or not query.size
        or not value.size
    ):
        attention.check(query, key, value, attn_mask, factors, is_causal, scale)
        found = attention.forward(numpy, query, key, value, attn_mask, factors, is_causal, scale)
        if factors is None and takes_order_of(query, value) and found[0].shape == query.shape:
            out = np.empty_like(query, dtype=found[0].dtype)
            out[...] = found[0]
            found = (out, found[1])
        return found
    dtype = query.dtype
    like = np.empty_like(query) if takes_order_of(query, value) else None
    e = _scores(query, key, scale)
    if e.size < _FEW:
        flat = e.reshape(-1)
        safe = flat.dot(flat) < _SAFE * _SAFE
        if safe and not is_causal:
            np.exp(e, e)
            source = e.shape[-1]
            total = e.reshape(-1, source).dot(ones(source, dtype)).reshape(*e.shape[:-1], 1)
            out = np.matmul(e, value, out=like)
            out /= total
            return out, Exponentials(e, total)
    else:
        bounds = np.minimum.reduce(e, axis=None), np.maximum.reduce(e, axis=None)
        safe = -_SAFE < bounds[0] and bounds[1] < _SAFE
    shifted = Shifted(is_causal, scale)
    if not safe:
        shifted.largest = _largest(e, is_causal)
    e = shifted.of_scores(e)
    both = np.matmul(e, _with_column(value, 1))
    total = shifted.total = both[..., -1:].copy()
    total[total == 0] = 1
    out = np.divide(both[..., :-1], total, out=like)
    return out, Exponentials(e, total) if e.nbytes <= _KEPT else shifted


def _largest(scores: np.ndarray, is_causal: bool) -> np.ndarray:
    """(*, L, 1): the largest score that each row sees; 0 where it sees none."""
    seen: Any = _triangle(scores.shape[-2], scores.shape[-1], _BOOL) if is_causal else True
    largest: np.ndarray = np.maximum.reduce(
        scores, axis=-1, keepdims=True, where=seen, initial=-np.inf
    )
    largest[largest == -np.inf] = 0
    return largest


@attention.vjp_kernel("query", "key", "value", "attn_mask")
def _(grad, query, key, value, attn_mask, factors, scale, out, aux, needs):
    if not isinstance(aux, (Exponentials, Shifted)):
        found = attention.vjps[0].function(
            numpy, grad, query, key, value, attn_mask, factors, scale, out, aux, needs
        )
        # half precision was computed in float32
        return tuple(None if g is None else g.astype(query.dtype, copy=False) for g in found)
    # with weights e / total: the slope of the scores is e * ((grad / total) @ value^T - rest),
    # rest = sum(grad * out) / total along the rows; it is one product with a column of -1
    shares = np.empty((*grad.shape[:-1], grad.shape[-1] + 1), grad.dtype)
    np.divide(grad, aux.total, out=shares[..., :-1])
    np.einsum("...i,...i->...", shares[..., :-1], out, out=shares[..., -1])
    of_value = of_query = of_key = None
    e = aux.exponentials(query, key)
    if needs[2]:
        of_value = np.matmul(e.swapaxes(-1, -2), shares[..., :-1])
    if needs[0] or needs[1]:
        slope = np.matmul(shares, _with_column(value, -1).swapaxes(-1, -2))
        slope *= e
        factor = np.array(_factor(query, scale), grad.dtype)
        if needs[0]:
            of_query = np.matmul(slope, key)
            of_query *= factor
        if needs[1]:
            of_key = np.matmul(slope.swapaxes(-1, -2), query)
            of_key *= factor
    return of_query, of_key, of_value, None


small(attention, 6, 10)
