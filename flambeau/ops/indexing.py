"""Gather and scatter: elements selected by index tensors.

Source: https://pytorch.org/docs/stable/torch.html#indexing-slicing-joining-mutating-ops
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from .. import dtypes
from ..modes import MODES
from ..namespaces import numpy as numpy_namespace
from ..namespaces.numpy_adding import reduce_at
from .dims import broadcast_shape, require_tensors, wrap_dim
from .index_checks import require_in_range
from .operation import Array, Indices, composite, operation, renamed


def _require_inside(index: Any, size: int, dim: int) -> None:
    """Raise IndexError where an index is not of an entry of a dim of ``size`` entries."""
    require_in_range(
        index, -size, size,
        lambda wrong: IndexError(
            f"index {wrong} is out of bounds for dimension {dim} with size {size}"
        ),
    )  # fmt: skip


def check_indices(shape: Any, indices: Any) -> None:
    """Raise IndexError for index arrays that reach outside ``shape`` or do not broadcast."""
    for dim, index in enumerate(indices):
        if index is not None:
            _require_inside(index, shape[dim], dim)
    shapes = [i.shape for i in indices if i is not None]
    try:
        np.broadcast_shapes(*shapes)
    except ValueError:
        listed = ", ".join(str(list(s)) for s in shapes)
        raise IndexError(
            f"shape mismatch: indexing tensors could not be broadcast together with shapes {listed}"
        ) from None


@operation(public=False, method=False, name="index",
           samples=(((3, 4), ("index3",)), ((3, 4), (None, "index4"))))  # fmt: skip
def index(xp, input: Array, indices: Indices):
    """``input[indices]``: one index array per dim, or None for a whole dim."""
    return xp.index(input, _plain(indices))


def _plain(indices: Any) -> tuple[Any, ...]:
    """The arrays of index tensors."""
    return tuple(index_array(i) for i in indices)


def index_array(index: Any) -> Any:
    """The array of an index tensor, as the namespace at work sees it (an array as it is)."""
    if not hasattr(index, "_array"):
        return index
    return index._array if MODES.capture is None else MODES.capture.array_of(index)


@index.vjp("input")
def _(xp, grad, input_shape, indices):
    zeros = xp.full(tuple(input_shape), 0, xp.dtype(grad))
    return xp.index_put(zeros, _plain(indices), grad, True)


@index.vjp_kernel("input")
def _(grad, input_shape, indices):
    indices = _plain(indices)
    zeros = np.zeros(input_shape, grad.dtype)
    reduce_at(np.add, zeros, tuple(slice(None) if i is None else i for i in indices), grad)
    return zeros


@index.checked
def _(input, indices):
    check_indices(input.shape, _plain(indices))


@operation(public=False, method=False, name="index_put_values", node_name="IndexPutBackward0",
           promote=None, samples=(((3, 4), ("permutation3",), (3, 4)),
                                  ((3, 4), (None, "index4"), (3, 4), True)))  # fmt: skip
def index_put_values(xp, input: Array, indices: Indices, values: Array, accumulate: bool = False):
    """``input`` with ``values`` put (or added) at ``indices``."""
    return xp.index_put(input, _plain(indices), values, accumulate)


@index_put_values.vjp("input")
def _(xp, grad, indices, values_shape, accumulate):
    if accumulate:
        return grad
    zero = xp.full((), 0, xp.dtype(grad))
    return xp.index_put(grad, _plain(indices), zero, False)


@index_put_values.vjp("values")
def _(xp, grad, indices, values_shape):
    from .operation import sum_to

    return sum_to(xp, xp.index(grad, _plain(indices)), tuple(values_shape))


@index_put_values.checked
def _(input, indices, values, accumulate=False):
    indices = _plain(indices)
    check_indices(input.shape, indices)
    from ..namespaces.primitives import indexed_shape

    place = indexed_shape(tuple(input.shape), indices)
    try:
        fits = np.broadcast_shapes(place, tuple(values.shape)) == place
    except ValueError:
        fits = False
    if not fits:
        raise RuntimeError(
            f"shape mismatch: value tensor of shape {list(values.shape)} cannot be broadcast to "
            f"indexing result of shape {list(place)}"
        )


@operation(samples=(((3, 4), 1, "index(3,2)4"), ((3, 4), 0, "index(2,4)3")))
def gather(xp, input: Array, dim: int, index: Array, *, sparse_grad: bool = False):
    """For each element of ``index`` the element of ``input`` at that place along ``dim``.

    Args:
        input: the source.
        dim: the dim that ``index`` counts along.
        index: int64 or int32, as many dims as ``input``, in no other dim larger.
        sparse_grad: changes nothing here.

    Returns:
        the shape of ``index``, ``input``'s dtype.

    Raises:
        RuntimeError: an index is negative or too large, or its shape or dtype does not fit.
        IndexError: ``input`` has no dim ``dim``.
    """
    return gathered(xp, input, dim, index)


def gathered(xp: Any, x: Any, dim: int, index: Any) -> Any:
    """The primitive ``gather``, for arrays without dims too; a 0-d array counts as having one."""
    if not math.prod(index.shape):
        return xp.full(tuple(index.shape), 0, xp.dtype(x))
    if x.ndim == 0:
        return xp.expand(x, tuple(index.shape))
    if index.ndim == 0:
        return xp.reshape(xp.gather(x, 0, xp.reshape(index, (1,))), ())
    return xp.gather(x, wrap_dim(dim, x.ndim), index)


def scattered(xp: Any, name: str, x: Any, dim: int, index: Any, src: Any, *rest: Any) -> Any:
    """The primitive ``name``, a kind of scatter, for arrays without dims too."""
    if not math.prod(index.shape):
        return x
    dim = wrap_dim(dim, x.ndim)
    if x.ndim and index.ndim and src.ndim:
        return getattr(xp, name)(x, dim, index, src, *rest)
    shape = tuple(x.shape)
    x, index, src = (a if a.ndim else xp.reshape(a, (1,)) for a in (x, index, src))
    return xp.reshape(getattr(xp, name)(x, dim, index, src, *rest), shape)


@gather.vjp("input")
def _(xp, grad, input_shape, dim, index):
    zeros = xp.full(tuple(input_shape), 0, xp.dtype(grad))
    return scattered(xp, "scatter_add", zeros, dim, index, grad)


def _check_along(name: str, input: Any, dim: Any, index: Any, src: Any = None) -> None:
    """Raise what PyTorch raises for a ``gather`` or ``scatter`` that does not fit."""
    if name == "gather" and not math.prod(index.shape):
        return
    if index.dtype not in (np.int64, np.int32):
        raise RuntimeError(f"{name}(): Expected dtype int32/int64 for index")
    dim = wrap_dim(dim, input.ndim)
    if max(index.ndim, 1) != max(input.ndim, 1):
        raise RuntimeError(
            "Index tensor must have the same number of dimensions as input tensor"
            if name == "gather"
            else "Index tensor must have the same number of dimensions as self tensor"
        )
    if src is not None:
        if src.dtype != input.dtype:
            raise RuntimeError("scatter(): Expected self.dtype to be equal to src.dtype")
        if max(src.ndim, 1) != max(index.ndim, 1):
            raise RuntimeError("Index tensor must have the same number of dimensions as src tensor")
    if not input.ndim or not index.ndim:
        return
    for d, (n, m) in enumerate(zip(index.shape, input.shape)):
        if d != dim and n > m:
            raise RuntimeError(
                f"Size does not match at dimension {d} expected index {list(index.shape)} to be "
                f"no larger than self {list(input.shape)} apart from dimension {dim}"
            )
    size = input.shape[dim]
    require_in_range(
        index, 0, size,
        lambda wrong: RuntimeError(
            f"index {wrong} is out of bounds for dimension {dim} with size {size}"
        ),
    )  # fmt: skip


@gather.checked
def _(input, dim, index, sparse_grad=False):
    _check_along("gather", input, dim, index)


def _guard_along(defined: Any) -> None:
    """NumPy would count negative indices from the end; PyTorch refuses them."""

    @defined.kernel
    def _(input: Any, dim: int, index: Any, *rest: Any) -> Any:
        if index.size and np.minimum.reduce(index, None) < 0:
            raise IndexError("negative index")
        if rest and rest[0].__class__ is np.ndarray and rest[0].dtype is not input.dtype:
            raise TypeError("another dtype")
        return defined.forward(numpy_namespace, input, dim, index, *rest)


@operation(public=False, method=False, name="scatter_values", node_name="ScatterBackward0",
           samples=(((3, 4), 1, "permutation(3,2)4", (3, 2)),))  # fmt: skip
def scatter_values(xp, input: Array, dim: int, index: Array, src: Array):
    """``input`` with the elements of ``src`` put at the places ``index`` along ``dim``."""
    return scattered(xp, "scatter", input, dim, index, src)


@scatter_values.vjp("input")
def _(xp, grad, dim, index):
    zeros = xp.full(tuple(index.shape), 0, xp.dtype(grad))
    return scattered(xp, "scatter", grad, dim, index, zeros)


@scatter_values.vjp("src")
def _(xp, grad, dim, index, src_shape):
    taken = gathered(xp, grad, dim, index)
    return _padded_to(xp, taken, tuple(src_shape))


def _padded_to(xp: Any, x: Any, shape: tuple[int, ...]) -> Any:
    """``x`` with zeros behind it up to ``shape``."""
    if tuple(x.shape) == shape:
        return x
    return xp.pad(x, tuple((0, m - n) for n, m in zip(x.shape, shape)), 0)


@scatter_values.checked
def _(input, dim, index, src):
    _check_along("scatter", input, dim, index, src)


@operation(inplace=True, samples=(((3, 4), 1, "index(3,2)4", (3, 2)),
                                  ((3, 4), 0, "index(2,4)3", (2, 4))))  # fmt: skip
def scatter_add(xp, input: Array, dim: int, index: Array, src: Array):
    """A copy of ``input`` with the elements of ``src`` added at the places ``index`` along ``dim``.

    Args:
        input: (*), any shape.
        dim: the dim that ``index`` counts along.
        index: int64 or int32, as many dims as ``input``, in no other dim larger.
        src: of ``input``'s dtype, at least as large as ``index``, which covers its beginning.

    Returns:
        (*), of ``input``'s dtype.

    Raises:
        RuntimeError: an index is negative or too large, or a shape or dtype does not fit.
    """
    return scattered(xp, "scatter_add", input, dim, index, src)


@scatter_add.vjp("input")
def _(xp, grad):
    return grad


@scatter_add.vjp("src")
def _(xp, grad, dim, index, src_shape):
    taken = gathered(xp, grad, dim, index)
    return _padded_to(xp, taken, tuple(src_shape))


@scatter_add.checked
def _(input, dim, index, src):
    _check_along("scatter_add", input, dim, index, src)


for _operation in (gather, scatter_values, scatter_add):
    _guard_along(_operation)


@composite(out=True)
def scatter(input: Any, dim: int, index: Any, src: Any = None, *, value: Any = None,
            reduce: str | None = None) -> Any:  # fmt: skip
    """A copy of ``input`` with ``src`` put at the places ``index`` along ``dim``.

    Args:
        input: (*), any shape.
        dim: the dim that ``index`` counts along.
        index: int64 or int32, as many dims as ``input``, in no other dim larger.
        src: a tensor of ``input``'s dtype, at least as large as ``index``, or a number.
        value: another name for a number as ``src``.
        reduce: ``"add"`` or ``"multiply"`` what is there by ``src``, instead of replacing it.

    Returns:
        (*), of ``input``'s dtype; of several elements for one place it is open which one wins.

    Raises:
        RuntimeError: an index is negative or too large, a shape or dtype does not fit, or another
            ``reduce``.
    """
    from ..tensor import Tensor, wrap

    if src is None:
        src = value
    if not isinstance(src, Tensor):
        src = wrap(np.full(index._array.shape, src, input._array.dtype))
    if reduce == "add":
        return scatter_add(input, dim, index, src)
    if reduce == "multiply":
        from .index_writes import scatter_product

        return scatter_product(input, dim, index, src)
    if reduce is not None:
        raise RuntimeError("reduce argument must be either add or multiply.")
    return scatter_values(input, dim, index, src)


@composite(out=True)
def index_select(input: Any, dim: int, index: Any) -> Any:
    """The entries ``index`` along ``dim``, in that order.

    Args:
        input: (*), any shape.
        dim: along which.
        index: (n,), int64 or int32.

    Returns:
        ``input``'s shape with n in the place of ``dim``, and its dtype; a copy.

    Raises:
        TypeError: ``index`` is no tensor.
        IndexError: ``index`` has more than one dim, or is out of range.
        RuntimeError: ``index`` has another dtype.
    """
    from ..tensor import Tensor

    if not isinstance(index, Tensor):
        raise TypeError(
            "index_select(): argument 'index' (position 3) must be Tensor, not "
            f"{type(index).__name__}"
        )
    if index._array.ndim > 1:
        raise IndexError("index_select(): Index is supposed to be a vector")
    if index._array.dtype not in (np.int64, np.int32):
        raise RuntimeError("index_select(): Expected dtype int32 or int64 for index")
    dim = wrap_dim(dim, input._array.ndim)
    if input._array.ndim == 0:
        return input.clone()
    if index._array.ndim == 0:
        index = index.reshape((1,))
    try:
        found = globals()["index"](input, (*(None,) * dim, index))
    except IndexError as error:
        if "out of bounds" not in str(error):
            raise
        raise IndexError(f"index out of range in self ({error})") from None
    return renamed(found, "IndexSelectBackward0")


@composite(out=True)
def take(input: Any, index: Any) -> Any:
    """The elements at the places ``index`` of all elements in a row.

    Args:
        input: (*), any shape.
        index: int64, of any shape; negative ones count from the end.

    Returns:
        The shape of ``index``, ``input``'s dtype.

    Raises:
        IndexError: an index is out of range.
    """
    return globals()["index"](input.reshape((-1,)), (index,))


@composite(out=True)
def take_along_dim(input: Any, indices: Any, dim: int | None = None) -> Any:
    """The elements at ``indices`` along ``dim``, as :func:`argsort` and its kin give them.

    Args:
        input: (*), any shape.
        indices: int64; its other dims broadcast with ``input``'s.
        dim: along which; None: among all elements in a row.

    Returns:
        The broadcast shape, with the size of ``indices`` in the place of ``dim``.

    Raises:
        RuntimeError: an index is out of range, or the shapes do not broadcast.
    """
    from .pointwise import where

    if dim is None:
        return gather(input.reshape((-1,)), 0, indices.reshape((-1,)))
    dim = wrap_dim(dim, input._array.ndim)
    shape = list(broadcast_shape(
        [1 if i == dim else n for i, n in enumerate(input._array.shape)],
        [1 if i == dim else n for i, n in enumerate(indices._array.shape)],
    ))  # fmt: skip
    n = input._array.shape[dim]
    indices = where(indices.lt(0), indices + n, indices)
    wide, places = list(shape), list(shape)
    wide[dim], places[dim] = input._array.shape[dim], indices._array.shape[dim]
    return gather(input.expand(wide), dim, indices.expand(places))


def require_fits(value: Any, dtype: Any) -> None:
    """Raise PyTorch's error for a number that ``dtype`` cannot hold."""
    from ..random.filling import _C_TYPES

    kind = dtype._kind
    if isinstance(value, complex) and kind < dtypes.COMPLEX:
        fits = not value.imag
    elif dtype is dtypes.bool or isinstance(value, complex):
        fits = True
    elif kind >= dtypes.FLOATING:
        fits = not math.isfinite(value) or abs(value) <= dtypes.finfo(dtype).max
    else:
        limits = dtypes.iinfo(dtype)
        lowest = limits.min if dtype.is_signed else -limits.max
        fits = math.isfinite(value) and lowest <= value <= limits.max
    if not fits:
        word = (_C_TYPES | {"int64": "int64_t"}).get(
            dtype.numpy.name, str(dtype).removeprefix("torch.")
        )
        raise RuntimeError(f"value cannot be converted to type {word} without overflow")


@composite
def masked_fill(input: Any, mask: Any, value: Any) -> Any:
    """A copy of ``input`` with ``value`` where ``mask`` holds, with broadcasting.

    Args:
        input: (*), any shape.
        mask: bool, of a shape that broadcasts with it.
        value: a number, or a tensor without dims.

    Returns:
        The broadcast shape, ``input``'s dtype.

    Raises:
        TypeError: ``input`` or ``mask`` is no tensor.
        RuntimeError: ``mask`` is not bool, ``value`` has dims or does not fit the dtype, or the
            shapes do not broadcast.
    """
    from ..tensor import Tensor
    from .pointwise import where

    require_tensors("masked_fill", input=input, mask=mask)
    if mask._array.dtype != np.bool_:
        raise RuntimeError(
            f"masked_fill_ only supports boolean masks, but got mask with dtype {mask.dtype}"
        )
    if isinstance(value, Tensor):
        if value._array.ndim:
            raise RuntimeError(
                "masked_fill_ only supports a 0-dimensional value tensor, but got tensor with "
                f"{value._array.ndim} dimension(s)."
            )
        if value.is_complex() and not input.is_complex():
            require_fits(value.item(), input.dtype)
        value = value.to(input.dtype)
    else:
        require_fits(value, input.dtype)
        value = input.new_full((), value)
    return renamed(where(mask, value, input.contiguous()), "MaskedFillBackward0")
