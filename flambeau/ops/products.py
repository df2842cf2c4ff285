"""Products beyond the matrix product: outer, inner, cross, Kronecker, tensor contractions.

Source: https://pytorch.org/docs/stable/torch.html#blas-and-lapack-operations
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from .dims import as_ints, require_tensors, wrap_dim
from .dtype_checks import type_word
from .matmul import bmm, dot, matmul, weighted
from .older_calls import call_in_older_order
from .operation import Array, composite, operation


@composite(out=True)
def inner(input: Any, other: Any) -> Any:
    """The sums of products along the last dims; with a tensor without dims, the plain product.

    Args:
        input: (*a, n).
        other: (*b, n).

    Returns:
        (*a, *b).

    Raises:
        RuntimeError: the last dims differ.
    """
    a, b = input._array.shape, other._array.shape
    if not a or not b:
        return input * other
    if a[-1] != b[-1]:
        raise RuntimeError(
            "inner() the last dimension must match on both input tensors but got shapes "
            f"{list(a)} and {list(b)}"
        )
    return tensordot(input, other, ([-1], [-1]))


@composite(out=True)
def vdot(input: Any, other: Any) -> Any:
    """The sum of the products of one vector's conjugates and another vector's elements.

    Args:
        input: (n,), to be conjugated.
        other: (n,), of the same dtype.

    Returns:
        A tensor without dims, of that dtype.

    Raises:
        RuntimeError: an operand is no vector, or their sizes or dtypes differ.
    """
    return dot(input.conj() if input.is_complex() else input, other)


@composite(out=True)
def addr(input: Any, vec1: Any, vec2: Any, *older: Any, beta: float = 1, alpha: float = 1) -> Any:
    """``beta * input + alpha * outer(vec1, vec2)``.

    Args:
        input: (n, m), or what is broadcast to it; not looked at if ``beta`` is 0.
        vec1: (n).
        vec2: (m).
        beta, alpha: numbers.

    Returns:
        (n, m).

    Raises:
        RuntimeError: ``vec1`` or ``vec2`` has not one dim.
    """
    if older:
        given = (input, vec1, vec2, *older)
        return call_in_older_order(addr, ("beta", "alpha"), 3, given, (beta, alpha), None)
    if vec1._array.ndim != 1 or vec2._array.ndim != 1:
        raise RuntimeError(
            f"addr: Expected 1-D argument vec{1 if vec1._array.ndim != 1 else 2}, but got "
            f"{(vec1 if vec1._array.ndim != 1 else vec2)._array.ndim}-D"
        )
    product = vec1.unsqueeze(1) * vec2
    return _added(input, product, beta, alpha)


def _added(input: Any, product: Any, beta: float, alpha: float) -> Any:
    product = weighted(product, alpha)
    return product if beta == 0 else weighted(input, beta) + product


@composite(out=True)
def addbmm(
    input: Any, batch1: Any, batch2: Any, *older: Any, beta: float = 1, alpha: float = 1
) -> Any:
    """``beta * input`` plus ``alpha`` times the sum of the products of two batches of matrices.

    Args:
        input: (n, m), or what is broadcast to it; not looked at if ``beta`` is 0.
        batch1: (b, n, k).
        batch2: (b, k, m).
        beta, alpha: numbers.

    Returns:
        (n, m).

    Raises:
        RuntimeError: the batches do not fit.
    """
    if older:
        given = (input, batch1, batch2, *older)
        return call_in_older_order(addbmm, ("beta", "alpha"), 3, given, (beta, alpha), None)
    return _added(input, bmm(batch1, batch2).sum(0, dtype=batch1.dtype), beta, alpha)


# -- cross products ---------------------------------------------------------------------------


@operation(promote="number", public=False, method=False, name="cross_along", dtypes="number",
           node_name="LinalgCrossBackward0",
           samples=(((2, 3), (2, 3), 1), ((3, 2), (3, 1), 0)))  # fmt: skip
def cross_along(xp, input: Array, other: Array, dim: int):
    """The cross products of the vectors of three elements along ``dim``."""
    return _crossed(xp, input, other, dim)


def _crossed(xp: Any, a: Any, b: Any, dim: int) -> Any:
    dim = wrap_dim(dim, max(a.ndim, b.ndim))

    def entry(x: Any, i: int) -> Any:
        return xp.slice(x, (*(slice(None),) * dim, slice(i, i + 1)))

    (a0, a1, a2), (b0, b1, b2) = ([entry(x, i) for i in range(3)] for x in (a, b))
    return xp.cat([a1 * b2 - a2 * b1, a2 * b0 - a0 * b2, a0 * b1 - a1 * b0], dim)


@cross_along.vjp("input")
def _(xp, grad, other, dim):
    return _crossed(xp, other, grad, dim)


@cross_along.vjp("other")
def _(xp, grad, input, dim):
    return _crossed(xp, grad, input, dim)


@composite(out=True)
def cross(input: Any, other: Any, dim: int | None = None) -> Any:
    """The cross products of vectors of three elements.

    Args:
        input, other: (*, 3, *), as many dims each; the others broadcast.
        dim: where the vectors lie; None: the first dim of size 3.

    Returns:
        Their broadcast shape, in their common dtype.

    Raises:
        RuntimeError: the numbers of dims differ, or no dim, or ``dim``, has size 3.
    """
    from .shape import broadcast_tensors

    if input._array.ndim != other._array.ndim:
        raise RuntimeError("linalg.cross: inputs must have the same number of dimensions.")
    input, other = broadcast_tensors(input, other)
    sizes = input._array.shape
    if dim is None:
        if 3 not in sizes:
            raise RuntimeError("no dimension of size 3 in input")
        dim = sizes.index(3)
    return linalg_cross(input, other, dim)


@composite(out=True, public=False)
def linalg_cross(input: Any, other: Any, dim: int = -1) -> Any:
    """The cross products of vectors of three elements along ``dim``, the others broadcast.

    Args:
        input, other: (*, 3, *), as many dims each.
        dim: where the vectors lie.

    Returns:
        Their broadcast shape, in their common dtype.

    Raises:
        RuntimeError: the numbers of dims differ, or ``dim`` has not size 3.
    """
    from .shape import broadcast_tensors

    if input._array.ndim != other._array.ndim:
        raise RuntimeError("linalg.cross: inputs must have the same number of dimensions.")
    dim = wrap_dim(dim, input._array.ndim)
    sizes = input._array.shape[dim], other._array.shape[dim]
    if sizes != (3, 3):
        raise RuntimeError(
            f"linalg.cross: inputs dimension {dim} must have length 3. Got {sizes[0]} and "
            f"{sizes[1]}"
        )
    input, other = broadcast_tensors(input, other)
    return cross_along(input, other, dim)


# -- contractions -----------------------------------------------------------------------------


@composite(method=False, out=True)
def tensordot(a: Any, b: Any, dims: Any = 2) -> Any:
    """The products of two tensors summed over pairs of dims.

    Args:
        a: (*p, *s).
        b: (*s, *q); a size of 1 is repeated.
        dims: how many of the last of ``a`` and the first of ``b``, or the dims of each.

    Returns:
        (*p, *q): the dims of ``a`` that are left, then those of ``b``.

    Raises:
        RuntimeError: the sizes do not match, or ``dims`` is negative, too large, or two lists of
            different lengths.
    """
    from ..tensor import Tensor

    if isinstance(dims, Tensor):
        dims = dims.tolist()
    if isinstance(dims, (tuple, list)):
        dims_a, dims_b = (as_ints(d, "dims") for d in dims)
    else:
        if dims < 0:
            raise RuntimeError(f"tensordot expects dims >= 0, but got dims={dims}")
        if dims > min(a._array.ndim, b._array.ndim):
            raise RuntimeError(
                "tensordot expects dims < ndim_a or ndim_b, but got "
                f"dims={dims}, ndim_a={a._array.ndim}, ndim_b={b._array.ndim}"
            )
        dims_a, dims_b = tuple(range(-dims, 0)), tuple(range(dims))
    dims_a = tuple(wrap_dim(d, a._array.ndim) for d in dims_a)
    dims_b = tuple(wrap_dim(d, b._array.ndim) for d in dims_b)
    if len(dims_a) != len(dims_b):
        raise RuntimeError("both dimension lists should have same length")
    for i, (d, e) in enumerate(zip(dims_a, dims_b)):
        n, m = a._array.shape[d], b._array.shape[e]
        if n == m:
            continue
        if n != 1 and m != 1:
            raise RuntimeError(
                "contracted dimensions need to match, but first has size "
                f"{n} in dim {d} and second has size {m} in dim {e} (pair {i})"
            )
        if n == 1:
            b = b.sum(e, True, dtype=b.dtype)
        else:
            a = a.sum(d, True, dtype=a.dtype)
    free_a = [d for d in range(a._array.ndim) if d not in dims_a]
    free_b = [d for d in range(b._array.ndim) if d not in dims_b]
    contracted = math.prod(a._array.shape[d] for d in dims_a)
    sizes = [a._array.shape[d] for d in free_a] + [b._array.shape[d] for d in free_b]
    rows = math.prod(a._array.shape[d] for d in free_a)
    columns = math.prod(b._array.shape[d] for d in free_b)
    left = a.permute((*free_a, *dims_a)).reshape((rows, contracted))
    right = b.permute((*dims_b, *free_b)).reshape((contracted, columns))
    return matmul(left, right).reshape(tuple(sizes))


@composite(out=True)
def kron(input: Any, other: Any) -> Any:
    """The Kronecker product: every element of ``input`` times the whole of ``other``.

    Args:
        input, other: tensors; to the one with fewer dims dims of size 1 are added in front.

    Returns:
        The products of their sizes, dim by dim; their common dtype.

    Raises:
        TypeError: an operand is no tensor.
    """
    require_tensors("kron", input=input, other=other)
    n = max(input._array.ndim, other._array.ndim)
    a, b = ((1,) * (n - t._array.ndim) + tuple(t._array.shape) for t in (input, other))
    left = input.reshape(tuple(x for size in a for x in (size, 1)))
    right = other.reshape(tuple(x for size in b for x in (1, size)))
    return (left * right).reshape(tuple(x * y for x, y in zip(a, b)))


@composite(out=True, public=False)
def multi_dot(tensors: Sequence[Any]) -> Any:
    """The product of two or more matrices, multiplied in the cheapest order.

    Args:
        tensors: matrices (n0, n1), (n1, n2), ...; the first and the last may be vectors.

    Returns:
        (n0, nk), without the dims of vectors.

    Raises:
        RuntimeError: fewer than two, other numbers of dims, or sizes or dtypes that do not fit.

    Source: T. H. Cormen et al., Introduction to Algorithms, matrix-chain multiplication.
    """
    matrices = list(tensors)
    count = len(matrices)
    if count < 2:
        raise RuntimeError(f"multi_dot(): expected at least 2 tensors but got {count}")
    for position, tensor in enumerate(matrices):
        ends = position in (0, count - 1)
        if tensor._array.ndim != 2 and not (ends and tensor._array.ndim == 1):
            raise RuntimeError(
                f"multi_dot(): tensor {position} must be 2D"
                f"{' or 1D' if ends else ''} but got {tensor._array.ndim}D"
            )
        if tensor.dtype is not matrices[0].dtype:
            raise RuntimeError(
                f"multi_dot(): all tensors must have be the same dtype but tensor 0 is "
                f"{type_word(matrices[0]._array)} and tensor {position} is "
                f"{type_word(tensor._array)}"
            )
    row, column = matrices[0]._array.ndim == 1, matrices[-1]._array.ndim == 1
    if row:
        matrices[0] = matrices[0].unsqueeze(0)
    if column:
        matrices[-1] = matrices[-1].unsqueeze(1)
    for position, (a, b) in enumerate(zip(matrices, matrices[1:])):
        if a._array.shape[1] != b._array.shape[0]:
            raise RuntimeError(
                f"multi_dot(): tensors {position} and {position + 1} with shapes {list(a.shape)} "
                f"and {list(b.shape)} cannot be multiplied"
            )
    result = _in_order(matrices, _cheapest_order(matrices), 0, count - 1)
    if column:
        result = result.squeeze(-1)
    return result.squeeze(0) if row else result


def _cheapest_order(matrices: list[Any]) -> dict[tuple[int, int], int]:
    """For each run of matrices where to split it, so that the products cost least."""
    sizes = [m._array.shape[0] for m in matrices] + [matrices[-1]._array.shape[1]]
    count = len(matrices)
    cost = {(i, i): 0 for i in range(count)}
    splits: dict[tuple[int, int], int] = {}
    for length in range(1, count):
        for i in range(count - length):
            j = i + length
            options = [
                (cost[i, k] + cost[k + 1, j] + sizes[i] * sizes[k + 1] * sizes[j + 1], k)
                for k in range(i, j)
            ]
            cost[i, j], splits[i, j] = min(options)
    return splits


def _in_order(matrices: list[Any], splits: dict[tuple[int, int], int], i: int, j: int) -> Any:
    if i == j:
        return matrices[i]
    k = splits[i, j]
    return matmul(_in_order(matrices, splits, i, k), _in_order(matrices, splits, k + 1, j))


@composite(method=False)
def chain_matmul(*matrices: Any, out: Any = None) -> Any:
    """The product of ``matrices``, apart or as one sequence; see ``torch.linalg.multi_dot``.

    Args:
        matrices: (n0, n1), (n1, n2), ...; one alone is returned as it is.
        out: a tensor to write the result into (RuntimeError: its dtype cannot hold it).

    Returns:
        (n0, nk).

    Raises:
        RuntimeError: sizes, dtypes or numbers of dims that do not fit.
    """
    given = (
        matrices[0] if len(matrices) == 1 and isinstance(matrices[0], (tuple, list)) else matrices
    )
    if len(given) == 1 and out is None:
        return given[0]
    return multi_dot(given, out=out)
