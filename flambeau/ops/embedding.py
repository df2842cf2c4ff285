"""Look-up of vectors by index.

Source: https://pytorch.org/docs/stable/generated/torch.nn.functional.embedding.html
"""

from __future__ import annotations

from math import prod

import numpy as np

from ..namespaces.numpy_adding import reduce_at
from .dtype_checks import type_word
from .index_checks import require_in_range
from .operation import Array, operation


@operation(dtypes="any", method=False, out=False, name="embedding",
           samples=(((5, 3), "index4"), ((5, 3), "index(2,3)4", 1),
                    ((5, 3), "index4", -1, True)))  # fmt: skip
def embedding(
    xp,
    weight: Array,
    indices: Array,
    padding_idx: int = -1,
    scale_grad_by_freq: bool = False,
    sparse: bool = False,
):
    """The rows of ``weight`` that ``indices`` name.

    Args:
        weight: (rows, width).
        indices: (*), integers from 0 to rows - 1.
        padding_idx: a row that gets no gradient (-1: none).
        scale_grad_by_freq: whether gradients are divided by how often an index occurs.
        sparse: asks for a sparse gradient; here gradients are always dense, of equal value.

    Returns:
        (*, width).

    Raises:
        RuntimeError: ``weight`` has not two dims, or ``indices`` are not int64 or int32.
        IndexError: an index is out of range.
    """
    return xp.index(weight, (indices,))


@embedding.kernel
def _(weight, indices, padding_idx=-1, scale_grad_by_freq=False, sparse=False):
    if (
        indices.dtype.kind != "i"
        or weight.ndim != 2
        or (indices.size and np.minimum.reduce(indices, None) < 0)
    ):
        raise ValueError("wrong indices")  # `checked` says it in words
    return weight.take(indices, 0)


@embedding.vjp("weight")
def _(xp, grad, weight_shape, indices, padding_idx, scale_grad_by_freq):
    rows, width = weight_shape
    count = prod(indices.shape)
    flat = xp.reshape(indices, (count,))
    grads = xp.reshape(grad, (count, width))
    dtype = xp.dtype(grad)
    if scale_grad_by_freq:
        ones = xp.full((count,), 1, dtype)
        often = xp.index_put(xp.full((rows,), 0, dtype), (flat,), ones, True)
        grads = grads / xp.reshape(xp.index(often, (flat,)), (count, 1))
    if padding_idx >= 0:
        grads = xp.where(xp.reshape(xp.eq(flat, padding_idx), (count, 1)), 0, grads)
    return xp.index_put(xp.full((rows, width), 0, dtype), (flat,), grads, True)


@embedding.vjp_kernel("weight")
def _(grad, weight_shape, indices, padding_idx, scale_grad_by_freq):
    flat = indices.reshape(-1)
    grads = grad.reshape(flat.size, weight_shape[1])
    if padding_idx >= 0:
        real = flat != padding_idx
        if not real.all():
            flat, grads = flat[real], grads[real]
    result = np.zeros(weight_shape, grad.dtype)
    if not flat.size:
        return result
    if scale_grad_by_freq:
        grads = grads / np.bincount(flat)[flat][:, None].astype(grad.dtype)
    reduce_at(np.add, result, (flat,), grads)
    return result


@embedding.checked
def _(weight, indices, padding_idx=-1, scale_grad_by_freq=False, sparse=False):
    if weight.ndim != 2:
        raise RuntimeError("'weight' must be 2-D")
    if indices.dtype.kind != "i" or indices.dtype.itemsize < 4:
        raise RuntimeError(
            "Expected tensor for argument #1 'indices' to have one of the following scalar types: "
            f"Long, Int; but got torch.{type_word(indices)}Tensor instead (while checking "
            "arguments for embedding)"
        )
    rows = weight.shape[0]
    require_in_range(
        indices, 0, rows,
        lambda wrong: IndexError(
            f"index out of range in self: embedding got index {wrong} for {rows} rows"
        ),
    )  # fmt: skip
