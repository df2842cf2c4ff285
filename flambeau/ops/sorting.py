"""Extremes with their places, sorting, and what follows from them.

Source: https://pytorch.org/docs/stable/torch.html#comparison-ops
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..namespaces import numpy as numpy_namespace
from ..namespaces.numpy_constants import places
from ..tensor import Tensor
from .dims import wrap_dim
from .documentation import written
from .operation import OPERATIONS, Array, Operation, composite, operation
from .reduction import amax, amin, require_elements
from .return_types import return_type
from .small_programs import small


def _at(xp: Any, grad: Any, input_shape: Any, dim: int, keepdim: bool, indices: Any) -> Any:
    """``grad`` of selected elements, put back at their ``indices`` along ``dim``."""
    shape = tuple(input_shape)
    if not shape:
        return grad
    dim = wrap_dim(dim, len(shape))
    if not keepdim:
        kept = (*shape[:dim], 1, *shape[dim + 1 :])
        grad, indices = xp.reshape(grad, kept), xp.reshape(indices, kept)
    return xp.scatter_add(xp.full(shape, 0, xp.dtype(grad)), dim, indices, grad)


def _key(dim: int, place: np.ndarray) -> tuple[Any, ...]:
    """The index of the elements that stand at ``place`` along ``dim``, which place lacks."""
    grid = places(place.shape)
    return (*grid[:dim], place, *grid[dim:])


def _extreme_of_dim(name: str, arg: str, doc: str) -> Operation:
    """The extreme along a dim and its index."""

    def forward(xp: Any, input: Array, dim: int, keepdim: bool = False) -> Any:
        if input.ndim == 0:
            wrap_dim(dim, 0)
            place = xp.full((), 0, np.dtype(np.int64))
            return xp.copy(input), place, place
        dim = wrap_dim(dim, input.ndim)
        place = getattr(xp, arg)(input, dim, True)
        value = xp.gather(input, dim, place)
        if not keepdim:
            shape = tuple(n for i, n in enumerate(input.shape) if i != dim)
            value, place = xp.reshape(value, shape), xp.reshape(place, shape)
        return value, place, place

    forward.__doc__ = doc
    defined = Operation(
        forward, name=name, outputs=("values", "indices"), differentiable=(True, False), aux=True,
        public=False, method=False, node_name=f"{name.split('_')[0].capitalize()}Backward0",
        samples=(((3, 4), 1), ((3, 4), 0, True)), dtypes="number",
    )  # fmt: skip
    defined.vjp("input")(
        lambda xp, grad, input_shape, dim, keepdim, aux: _at(
            xp, grad, input_shape, dim, keepdim, aux
        )
    )

    find = getattr(np.ndarray, arg)

    @defined.kernel
    def _(input: Any, dim: int, keepdim: bool = False) -> Any:
        if not input.ndim:
            return forward(numpy_namespace, input, dim, keepdim)
        dim = wrap_dim(dim, input.ndim)
        place = find(input, dim)
        if place.__class__ is not np.ndarray:
            place = np.asarray(place)
        value = input[_key(dim, place)]
        if keepdim:
            shape = (*input.shape[:dim], 1, *input.shape[dim + 1 :])
            value, place = value.reshape(shape), place.reshape(shape)
        return value, place, place

    @defined.vjp_kernel("input")
    def _(grad: Any, input_shape: Any, dim: int, keepdim: bool, aux: Any) -> Any:
        if not input_shape:
            return grad
        dim = wrap_dim(dim, len(input_shape))
        if keepdim:
            shape = (*input_shape[:dim], *input_shape[dim + 1 :])
            grad, aux = grad.reshape(shape), aux.reshape(shape)
        result = np.zeros(input_shape, grad.dtype)
        result[_key(dim, aux)] = grad
        return result

    @defined.checked
    def _(input: Any, dim: Any, keepdim: Any) -> None:
        wrap_dim(dim, input.ndim)
        require_elements(name.split("_")[0], input, dim)

    small(defined, 2.5, 2.5, most=1 << 11)
    return defined


max_dim = _extreme_of_dim("max_dim", "argmax", "The largest elements along ``dim``, their indices.")
min_dim = _extreme_of_dim(
    "min_dim", "argmin", "The smallest elements along ``dim``, their indices."
)


def _max_or_min(name: str, of_dim: Operation, of_all: Operation, of_pair: str) -> Any:
    def function(
        input: Any, dim: Any = None, keepdim: bool = False, *, other: Any = None, axis: Any = None,
        keepdims: Any = None, out: Any = None,
    ) -> Any:  # fmt: skip
        if axis is not None:
            dim = axis
        if keepdims is not None:
            keepdim = keepdims
        if isinstance(input, (bool, int, float, complex)):
            got = f"{type(input).__name__}, {'Tensor' if isinstance(dim, Tensor) else 'int'}"
            raise TypeError(
                f"{name}() received an invalid combination of arguments - got ({got}), but "
                "expected one of:\n * (Tensor input)\n * (Tensor input, Tensor other)\n"
                " * (Tensor input, int dim, bool keepdim = False)\n"
            )
        if isinstance(dim, Tensor):
            other, dim = dim, None
        if other is not None:
            return OPERATIONS[of_pair](input, other, out=out)
        if dim is None:
            if input._array.size == 0:
                raise RuntimeError(
                    f"{name}(): Expected reduction dim to be specified for input.numel() == 0. "
                    "Specify the reduction dim with the 'dim' argument."
                )
            return of_all(input, None, out=out)
        if out is None:
            return of_dim.function(input, dim, keepdim)
        return of_dim.function(input, dim, keepdim, out=out)

    of_dim._result_type = return_type(name, ("values", "indices"))
    function.__name__ = function.__qualname__ = name
    function.__doc__ = written(
        f"The {name}imum of all elements, or along ``dim``, or of two tensors' elements.",
        "input: (*), any shape.\n"
        f"        dim, axis: along which; or another tensor, for the elementwise {name}imum.\n"
        "        keepdim, keepdims: whether ``dim`` stays, with size 1.\n"
        "        other: another tensor, by name.\n"
        "        out: a tensor to write the result into; with ``dim`` a pair of them.",
        "Without ``dim`` a tensor without dims; with it a named tuple, values and indices\n"
        "        (int64), the shape without ``dim``; of two tensors their broadcast shape.",
        "RuntimeError: there are no elements and no ``dim``, or the shapes do not broadcast.\n"
        "        IndexError: ``dim`` has size 0, or is not there.\n"
        "        TypeError: ``input`` is a number.",
    )
    return composite(function, name=name)


max = _max_or_min("max", max_dim, amax, "maximum")
min = _max_or_min("min", min_dim, amin, "minimum")


@operation(name="sort_values", outputs=("values", "indices"), differentiable=(True, False),
           aux=True, public=False, method=False, node_name="SortBackward0",
           samples=(((3, 4), 1), ((3, 4), 0, True)))  # fmt: skip
def sort_values(xp, input: Array, dim: int = -1, descending: bool = False):
    """The elements sorted along ``dim``, and where each was; equal ones keep their order."""
    if input.ndim == 0:
        place = xp.full((), 0, np.dtype(np.int64))
        return xp.copy(input), place, place
    dim = wrap_dim(dim, input.ndim)
    order = xp.argsort(input, dim, descending)
    return xp.gather(input, dim, order), order, order


@sort_values.vjp("input")
def _(xp, grad, input_shape, dim, aux):
    return _at(xp, grad, input_shape, dim, True, aux)


@sort_values.vjp_kernel("input")
def _(grad, input_shape, dim, aux):
    if not input_shape:
        return grad
    result = np.empty(input_shape, grad.dtype)
    np.put_along_axis(result, aux, grad, wrap_dim(dim, len(input_shape)))  # a permutation
    return result


def _sorted_quickly(input: np.ndarray, dim: int = -1, *others: Any) -> bool:
    """Whether each row is so short that machine code, which inserts, takes no longer."""
    return input.ndim > 0 and input.shape[dim] <= 12


small(sort_values, 4, 4, most=1 << 8, fits=_sorted_quickly)


@composite
def sort(input: Any, dim: int = -1, descending: bool = False, stable: bool = False, *,
         out: Any = None) -> Any:  # fmt: skip
    """The elements sorted along ``dim``, and where each was before.

    Args:
        input: (*), any shape.
        dim: along which.
        descending: whether the largest comes first.
        stable: equal elements keep their order in either case; NaN count as the largest.
        out: a pair of tensors to write the results into.

    Returns:
        A named tuple: values (*) of ``input``'s dtype, indices (*) int64.

    Raises:
        IndexError: ``input`` has no dim ``dim``.
    """
    wrap_dim(dim, input._array.ndim)
    values, indices = sort_values.function(input, dim, descending, out=out)
    return return_type("sort", ("values", "indices"))((values, indices))


@operation(samples=(((3, 4), 1), ((3, 4), 0, True)), out=False)
def argsort(xp, input: Array, dim: int = -1, descending: bool = False, stable: bool = False):
    """The indices that sort the elements along ``dim``; equal ones keep their order.

    Args:
        input: (*), any shape.
        dim: along which.
        descending: whether the largest comes first.
        stable: changes nothing here.

    Returns:
        (*), int64.

    Raises:
        IndexError: ``input`` has no dim ``dim``.
    """
    if input.ndim == 0:
        wrap_dim(dim, 0)
        return xp.full((), 0, np.dtype(np.int64))
    return xp.argsort(input, wrap_dim(dim, input.ndim), descending)


@operation(name="topk_values", outputs=("values", "indices"), differentiable=(True, False),
           aux=True, public=False, method=False, node_name="TopkBackward0",
           samples=(((3, 4), 2, 1), ((3, 4), 2, 0, False), ((), 1)))  # fmt: skip
def topk_values(xp, input: Array, k: int, dim: int = -1, largest: bool = True):
    """The ``k`` largest (or smallest) elements along ``dim`` and where they are, sorted."""
    if input.ndim == 0:
        place = xp.full((), 0, np.dtype(np.int64))
        return xp.copy(input), place, place
    dim = wrap_dim(dim, input.ndim)
    order = xp.argsort(input, dim, largest)
    order = xp.slice(order, (*(slice(None),) * dim, slice(0, k)))
    return xp.gather(input, dim, order), order, order


@topk_values.kernel
def _(input, k, dim=-1, largest=True):
    if input.ndim == 0:
        return topk_values.forward(numpy_namespace, input, k, dim, largest)
    dim = wrap_dim(dim, input.ndim)
    if largest and input.size < _FEW and input.dtype.char in "fd" and not _has_nan(input):
        order = np.negative(input).argsort(dim, "stable")
    else:
        order = numpy_namespace.argsort(input, dim, largest)
    order = order[(*(slice(None),) * dim, slice(0, k))].copy()
    if dim == 1 == input.ndim - 1:
        return input[places(order.shape)[0], order], order, order
    return numpy_namespace.gather(input, dim, order), order, order


_FEW = 1024
"""Up to so many elements, what counts is how few steps there are."""


def _has_nan(x: np.ndarray) -> bool:
    flat = x.reshape(-1)
    total = flat.dot(flat)
    return bool(total != total)


@topk_values.vjp("input")
def _(xp, grad, input_shape, dim, aux):
    return _at(xp, grad, input_shape, dim, True, aux)


small(
    topk_values, 4, 4, most=1 << 8,
    fits=lambda input, k, dim=-1, *others: _sorted_quickly(input, dim),
)  # fmt: skip


@composite
def topk(input: Any, k: int, dim: int = -1, largest: bool = True, sorted: bool = True, *,
         out: Any = None) -> Any:  # fmt: skip
    """The ``k`` largest (or smallest) elements along ``dim`` and their indices, sorted.

    Args:
        input: (*).
        k: how many; the size of ``dim`` in the results.
        dim: along which.
        largest: whether the largest, else the smallest.
        sorted: the results are sorted in either case.
        out: a pair of tensors to write the results into.

    Returns:
        The elements, and their int64 indices along ``dim``, as a named tuple.

    Raises:
        RuntimeError: ``k`` is negative or larger than the dim.
        IndexError: ``input`` has no dim ``dim``.
    """
    shape = input._array.shape
    dim = wrap_dim(dim, len(shape))
    if not 0 <= k <= (shape[dim] if shape else 1):
        raise RuntimeError("selected index k out of range")
    if not shape:
        return _TOPK(sort_values(input, dim, largest, out=out))
    if out is None:
        return topk_values.function(input, k, dim, largest)
    return topk_values.function(input, k, dim, largest, out=out)


_TOPK = return_type("topk", ("values", "indices"))
topk_values._result_type = _TOPK


@composite(out=True)
def aminmax(input: Any, *, dim: Any = None, keepdim: bool = False) -> Any:
    """The smallest and the largest element, of all or along ``dim``.

    Args:
        input: (*), any shape.
        dim: an int; None: all.
        keepdim: whether ``dim`` stays, with size 1.
        out: a pair of tensors to write the results into.

    Returns:
        A named tuple: min and max, the shape without ``dim``, ``input``'s dtype.

    Raises:
        RuntimeError: there are no elements and no ``dim``.
        IndexError: ``dim`` has size 0, or is not there.
    """
    shape = input._array.shape
    if dim is None and 0 in shape:
        raise RuntimeError(
            "aminmax(): cannot compute aminmax over an empty dimension as the operation has no "
            "identity."
        )
    if dim is not None and shape and not shape[wrap_dim(dim, len(shape))]:
        raise IndexError(f"aminmax: Expected reduction dim {dim} to have non-zero size.")
    over = () if dim is None else dim
    pair = amin(input, over, keepdim), amax(input, over, keepdim)
    return return_type("aminmax", ("min", "max"))(pair)
