"""Variances, norms and their kin.

Source: https://pytorch.org/docs/stable/torch.html#reduction-ops
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..namespaces import numpy
from ..namespaces import numpy_small_rows as small_rows
from ..namespaces.numpy_constants import ones
from .activation import sum_along
from .dims import wrap_dim, wrap_dims
from .dtype_checks import INTEGERS, require_kinds, type_word
from .operation import Array, composite, operation
from .pointwise import direction
from .reduction import _count, spread
from .small_programs import small


@operation(
    public=False,
    method=False,
    name="variance",
    dtypes="inexact",
    node_name="VarBackward0",
    samples=(((3, 4), None), ((3, 4), 1), ((3, 4), 0, 0, True)),
)
def variance(xp, input: Array, dim: Any = None, correction: float = 1, keepdim: bool = False):
    """The variance over ``dim``, of ``count - correction`` degrees of freedom."""
    dims = wrap_dims(dim, input.ndim)
    count = _count(input.shape, dim)
    if count == 0:
        return xp.sum(input, dims, keepdim) * float("nan")
    centred = input - xp.sum(input, dims, True) / count
    total = xp.sum(centred * centred, dims, keepdim)
    free = count - correction
    return total / free if free > 0 else total / xp.full((), 0, xp.dtype(input))


def _variance_along(input: Any, dim: Any, correction: float, keepdim: bool) -> Any:
    """The variance over some dims of a small array."""
    if dim.__class__ is int and input.ndim:
        dim = wrap_dim(dim, input.ndim)
        shape = input.shape
        if correction < shape[dim]:
            if dim == 1 and small_rows.are_few(input):
                total = small_rows.variance(input, shape[1] - correction)
                return total.reshape(-1, 1) if keepdim else total
            input = numpy.row_major(input)
            centred = input - sum_along(input, dim) / shape[dim]
            centred *= centred
            total = sum_along(centred, dim)
            total /= shape[dim] - correction
            return total if keepdim else total.reshape(shape[:dim] + shape[dim + 1 :])
    return variance.forward(numpy, input, dim, correction, keepdim)


@variance.kernel
def _variance(input, dim=None, correction=1, keepdim=False):
    if not correction < input.size < 1024 or input.dtype.char not in "fd":
        return variance.forward(numpy, input, dim, correction, keepdim)
    if dim is not None:
        return _variance_along(input, dim, correction, keepdim)
    flat = input.reshape(-1)
    centred = flat - flat.dot(ones(flat.size, flat.dtype)) / flat.size
    found = centred.dot(centred) / (flat.size - correction)
    return found.reshape((1,) * input.ndim) if keepdim else found


@variance.vjp("input")
def _(xp, grad, input, dim, correction, keepdim):
    dims = wrap_dims(dim, input.ndim)
    count = _count(input.shape, dim)
    centred = input - xp.sum(input, dims, True) / (count or 1)
    free = count - correction
    scale = 2.0 / free if free > 0 else float("inf") if free == 0 else float("inf")
    return spread(xp, grad, input.shape, dim, keepdim) * (centred * scale)


small(variance, 3, 5)


def _var_arguments(dim: Any, unbiased: Any, correction: Any) -> tuple[Any, float]:
    """PyTorch's two ways to say what the degrees of freedom are."""
    if isinstance(dim, bool):
        dim, unbiased = None, dim
    if correction is None:
        correction = 1 if unbiased is None or unbiased else 0
    return dim, correction


@composite(out=True)
def var(input: Any, dim: Any = None, unbiased: Any = None, keepdim: bool = False, *,
        correction: Any = None) -> Any:  # fmt: skip
    """The variance over ``dim``: the squared distances from the mean over their number less one.

    Args:
        input: (*), any shape, floating-point or complex.
        dim: an int, several, or None for all; a bool in its place is ``unbiased``.
        unbiased: False for ``correction=0``.
        keepdim: whether these dims stay, with size 1.
        correction: what is taken from the number of elements before dividing by it; 1.

    Returns:
        The shape without ``dim``, of ``input``'s dtype (of complex numbers the real one); NaN or
        infinite where no elements are left to divide by.

    Raises:
        RuntimeError: ``input`` is neither floating-point nor complex.
        IndexError: ``input`` has no such dim.
    """
    _require_floating("var", input)
    dim, correction = _var_arguments(dim, unbiased, correction)
    if input._array.dtype.kind == "c":
        return variance(input.real, dim, correction, keepdim) + variance(
            input.imag, dim, correction, keepdim
        )
    return variance.function(input, dim, correction, keepdim)


@composite(out=True)
def std(input: Any, dim: Any = None, unbiased: Any = None, keepdim: bool = False, *,
        correction: Any = None, axis: Any = None) -> Any:  # fmt: skip
    """The standard deviation over ``dim``, the square root of :func:`var`.

    Args:
        input: (*), any shape, floating-point or complex.
        dim, axis: an int, several, or None for all; a bool in its place is ``unbiased``.
        unbiased: False for ``correction=0``.
        keepdim: whether these dims stay, with size 1.
        correction: what is taken from the number of elements before dividing by it; 1.

    Returns:
        The shape without ``dim``, of ``input``'s dtype (of complex numbers the real one); NaN or
        infinite where no elements are left to divide by.

    Raises:
        RuntimeError: ``input`` is neither floating-point nor complex.
        IndexError: ``input`` has no such dim.
    """
    _require_floating("std", input)
    dim, correction = _var_arguments(dim if axis is None else axis, unbiased, correction)
    if input._array.dtype.kind == "c":
        return var(input, dim, correction=correction, keepdim=keepdim).sqrt()
    return standard_deviation.function(input, dim, correction, keepdim)


@operation(public=False, method=False, name="standard_deviation", dtypes="inexact",
           node_name="StdBackward0", samples=(((3, 4), None), ((3, 4), 1)))  # fmt: skip
def standard_deviation(
    xp, input: Array, dim: Any = None, correction: float = 1, keepdim: bool = False
):
    """The square root of the variance."""
    return xp.sqrt(variance.forward(xp, input, dim, correction, keepdim))


@standard_deviation.kernel
def _(input, dim=None, correction=1, keepdim=False):
    return np.sqrt(_variance(input, dim, correction, keepdim))


@standard_deviation.vjp("input")
def _(xp, grad, input, dim, correction, keepdim, out):
    zero = xp.full((), 0, xp.dtype(grad))
    share = xp.where(xp.eq(out, 0), zero, grad / (out * 2))
    dims = wrap_dims(dim, input.ndim)
    count = _count(input.shape, dim)
    centred = input - xp.sum(input, dims, True) / (count or 1)
    free = count - correction
    scale = 2.0 / free if free > 0 else float("inf")
    return spread(xp, share, input.shape, dim, keepdim) * (centred * scale)


small(standard_deviation, 3, 6)


def _require_floating(name: str, input: Any) -> None:
    if input._array.dtype.kind not in "fcV":
        raise RuntimeError(
            f"std and var only support floating point and complex dtypes ({name}() got a tensor "
            f"of {input.dtype})"
        )


@composite
def var_mean(input: Any, dim: Any = None, unbiased: Any = None, keepdim: bool = False, *,
             correction: Any = None) -> tuple[Any, Any]:  # fmt: skip
    """The variance and the mean over ``dim``, a pair; see :func:`var`.

    Args:
        input: (*), any shape, floating-point or complex.
        dim: an int, several, or None for all; a bool in its place is ``unbiased``.
        unbiased: False for ``correction=0``.
        keepdim: whether these dims stay, with size 1.
        correction: what is taken from the number of elements before dividing by it; 1.

    Returns:
        Two tensors, the shape without ``dim``.

    Raises:
        RuntimeError: ``input`` is neither floating-point nor complex.
    """
    variance_ = var(input, dim, unbiased, keepdim, correction=correction)
    return variance_, input.mean(None if isinstance(dim, bool) else dim, keepdim)


@composite
def std_mean(input: Any, dim: Any = None, unbiased: Any = None, keepdim: bool = False, *,
             correction: Any = None) -> tuple[Any, Any]:  # fmt: skip
    """The standard deviation and the mean over ``dim``, a pair; see :func:`std`.

    Args:
        input: (*), any shape, floating-point or complex.
        dim: an int, several, or None for all; a bool in its place is ``unbiased``.
        unbiased: False for ``correction=0``.
        keepdim: whether these dims stay, with size 1.
        correction: what is taken from the number of elements before dividing by it; 1.

    Returns:
        Two tensors, the shape without ``dim``.

    Raises:
        RuntimeError: ``input`` is neither floating-point nor complex.
    """
    deviation = std(input, dim, unbiased, keepdim, correction=correction)
    return deviation, input.mean(None if isinstance(dim, bool) else dim, keepdim)


@composite
def prod(input: Any, dim: Any = None, keepdim: bool = False, *, dtype: Any = None) -> Any:
    """The product over ``dim``.

    Args:
        input: (*), any shape.
        dim: an int, or None for all.
        keepdim: whether ``dim`` stays, with size 1.
        dtype: to which ``input`` is converted first.

    Returns:
        The shape without ``dim``, of ``dtype``, or ``input``'s dtype (for integers and bools
        int64); 1 over no elements.

    Raises:
        IndexError: ``input`` has no such dim.
    """
    from .reduction import prod_dims

    if dtype is not None:
        input = input.to(dtype)
    elif input._array.dtype.kind in "iub":
        input = input.long()
    return prod_dims(input, dim, keepdim)


@operation(public=False, method=False, name="norm_of", dtypes="inexact",
           holomorphic=False, node_name="LinalgVectorNormBackward0",
           samples=(((3, 4), 2.0), ((3, 4), 1.0, 1), ((3, 4), 3.0, 0, True),
                    ((3, 4), float("inf"), 1)))  # fmt: skip
def norm_of(xp, input: Array, p: float = 2.0, dim: Any = None, keepdim: bool = False):
    """The ``p``-norm over ``dim``; real for complex numbers."""
    dims = wrap_dims(dim, input.ndim)
    if p == 2:
        size = xp.abs(input) if xp.dtype(input).kind == "c" else input
        return xp.sqrt(xp.sum(size * size, dims, keepdim))
    size = xp.abs(input)
    if p == 1:
        return xp.sum(size, dims, keepdim)
    if p == float("inf"):
        return xp.amax(size, dims, keepdim)
    if p == float("-inf"):
        return xp.amin(size, dims, keepdim)
    if p == 0:
        return xp.sum(xp.astype(xp.ne(size, 0), xp.dtype(size)), dims, keepdim)
    return xp.pow(xp.sum(xp.pow(size, p), dims, keepdim), 1.0 / p)


@norm_of.vjp("input")
def _(xp, grad, input, p, dim, keepdim, out):
    shape = tuple(input.shape)
    zero = xp.full((), 0, xp.dtype(grad))
    if p == 0:
        return xp.full(shape, 0, xp.dtype(input))
    if p == 2:
        scale = xp.where(xp.eq(out, 0), zero, grad / out)
        return spread(xp, scale, shape, dim, keepdim) * input
    way = direction(xp, input) if xp.dtype(input).kind == "c" else xp.sign(input)
    if p == 1:
        return spread(xp, grad, shape, dim, keepdim) * way
    size = xp.abs(input)
    if p in (float("inf"), float("-inf")):
        whole = spread(xp, out, shape, dim, keepdim)
        share = xp.astype(xp.eq(size, whole), xp.dtype(grad))
        total = xp.sum(share, wrap_dims(dim, input.ndim), True)
        return spread(xp, grad, shape, dim, keepdim) * (share / total) * way
    if p < 1:  # at zero the slope is infinite: the gradient is 0 there
        slope = xp.where(xp.eq(size, 0), zero, xp.pow(size, p - 1))
        scale = grad * xp.pow(out, 1 - p)
    else:
        slope = xp.pow(size, p - 1)
        scale = xp.where(xp.eq(out, 0), zero, grad / xp.pow(out, p - 1))
    return spread(xp, scale, shape, dim, keepdim) * slope * way


@composite
def norm(input: Any, p: Any = "fro", dim: Any = None, keepdim: bool = False, dtype: Any = None,
         out: Any = None) -> Any:  # fmt: skip
    """The ``p``-norm of all elements or over ``dim``.

    Args:
        input: (*), any shape, floating-point or complex.
        p: a number, infinite ones too; ``"fro"`` or None: 2; ``"nuc"``: the sum of the singular
            values of the matrices in two dims.
        dim: an int, several, or None for all.
        keepdim: whether these dims stay, with size 1.
        dtype: to which ``input`` is converted first.
        out: a tensor to write the result into (RuntimeError: its dtype cannot hold it).

    Returns:
        The shape without ``dim``, of ``input``'s dtype (of complex numbers the real one).

    Raises:
        RuntimeError: ``p`` is another word, or the elements are whole numbers.
        IndexError: ``input`` has no such dim.
    """
    if p == "nuc":
        from .matrix_norms import matrix_norm

        dims = tuple(range(input._array.ndim)) if dim is None else dim
        if isinstance(dims, int):
            dims = (dims,)
        return matrix_norm(input, "nuc", dims, keepdim, dtype=dtype, out=out)
    if dtype is not None:
        input = input.to(dtype)
    if p is None or p == "fro":
        p = 2.0
    if isinstance(p, str):
        raise RuntimeError(f"linalg.matrix_norm: Order {p} not supported.")
    if input._array.dtype.kind not in "fcV":
        raise RuntimeError(
            "linalg.vector_norm: Expected a floating point or complex tensor as input. Got "
            f"{type_word(input._array)}"
        )
    return norm_of(input, float(p), dim, keepdim, out=out)


@composite
def dist(input: Any, other: Any, p: float = 2) -> Any:
    """The ``p``-norm of the difference of all elements of ``input`` and ``other``.

    Args:
        input, other: tensors; their shapes broadcast.
        p: a number, infinite ones too.

    Returns:
        A tensor without dims, of the common dtype.

    Raises:
        RuntimeError: the shapes do not broadcast.
    """
    return norm_of(input - other, float(p))


@composite
def count_nonzero(input: Any, dim: Any = None) -> Any:
    """How many elements, of all or over ``dim``, are not zero.

    Args:
        input: (*), any shape.
        dim: an int, several, or None for all.

    Returns:
        The shape without ``dim``, int64.

    Raises:
        IndexError: ``input`` has no such dim.
    """
    return input.ne(0).sum(dim)


@composite
def nonzero(input: Any, *, as_tuple: bool = False, out: Any = None) -> Any:
    """The places of the elements that are not zero.

    Args:
        input: (*), any shape.
        as_tuple: whether to give a tuple of one tensor for each dim.
        out: a tensor to write the result into (RuntimeError: its dtype is not int64).

    Returns:
        (n, dims), int64, a row for each; or for each dim (n,), with which ``input`` can be indexed.
    """
    from ..tensor import wrap

    found = np.nonzero(np.atleast_1d(input._concrete("nonzero()")))
    if as_tuple:
        return tuple(wrap(np.ascontiguousarray(f)) for f in found)
    if input._array.ndim == 0:
        result = wrap(np.zeros((len(found[0]), 0), np.int64))
    else:
        result = wrap(np.ascontiguousarray(np.stack(found, 1)))
    if out is None:
        return result
    from ..tensor.views import write_out

    return write_out("nonzero", result, out)


@composite
def unique(input: Any, sorted: bool = True, return_inverse: bool = False,
           return_counts: bool = False, dim: Any = None) -> Any:  # fmt: skip
    """The different elements, in rising order.

    Args:
        input: (*), any shape.
        sorted: they are in either case.
        return_inverse, return_counts: what to return besides.
        dim: of whole entries along this dim; None: of all elements.

    Returns:
        The elements (n,), or ``input``'s shape with n in the place of ``dim``; with them, if asked
        for, which of them each element is, and how often each occurs (n,), both int64.
    """
    from ..tensor import wrap

    values, inverse, counts = np.unique(
        input._concrete("unique()"), return_inverse=True, return_counts=True, axis=dim
    )
    shape = input._array.shape if dim is None else (input._array.shape[dim],)
    results = [wrap(values)]
    if return_inverse:
        results.append(wrap(inverse.reshape(shape)))
    if return_counts:
        results.append(wrap(counts))
    return results[0] if len(results) == 1 else tuple(results)


@composite
def bincount(input: Any, weights: Any = None, minlength: int = 0) -> Any:
    """How often each non-negative integer occurs (or the sum of its ``weights``).

    Args:
        input: (m,), whole numbers of at least 0.
        weights: (m,), what each counts; None: 1.
        minlength: the least size of the result.

    Returns:
        (largest + 1,): int64, or float32 of float32 weights, or float64 of others.

    Raises:
        RuntimeError: ``input`` has not one dim, or a negative number, or ``weights`` has another
            shape.
        NotImplementedError: ``input`` has another dtype.
    """
    from ..tensor import wrap

    array = input._concrete("bincount()")
    require_kinds("bincount_cpu", INTEGERS, array)
    if array.ndim != 1 or (array.size and array.min() < 0):
        raise RuntimeError("bincount only supports 1-d non-negative integral inputs.")
    given = None if weights is None else weights._concrete("bincount()")
    if given is not None and given.shape != array.shape:
        raise RuntimeError("weights should be 1-d and have the same length as input")
    counted = np.bincount(array, given, minlength)
    if weights is not None and given is not None and given.dtype == np.float32:
        counted = counted.astype(np.float32)
    return wrap(counted)
