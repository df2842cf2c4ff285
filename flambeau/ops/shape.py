"""Shapes: views of a tensor's elements in other shapes and orders, and their joining.

Source: https://pytorch.org/docs/stable/torch.html#indexing-slicing-joining-mutating-ops
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from sys import getrefcount
from typing import Any

import numpy as np

from .. import dtypes
from ..namespaces import numpy
from .dims import (
    as_int,
    as_ints,
    broadcast_shape,
    out_of_range,
    require_any_dim,
    wrap_dim,
    wrap_dims,
)
from .dtype_checks import type_word
from .operation import Array, composite, operation


def resolve_shape(shape: Any, numel: int) -> tuple[int, ...]:
    """``shape`` with its -1, if it has one, worked out.

    Raises:
        RuntimeError: ``numel`` elements do not fill it.
    """
    shape = as_ints(shape, "shape")
    if -1 in shape:
        at = shape.index(-1)
        known = 1
        for i, n in enumerate(shape):
            if i != at:
                if n < -1:
                    raise RuntimeError(f"invalid shape dimension {n}")
                if n == -1:
                    raise RuntimeError("only one dimension can be inferred")
                known *= n
        if known and numel % known == 0:
            return (*shape[:at], numel // known, *shape[at + 1 :])
        if not known and not numel:
            raise RuntimeError(
                f"cannot reshape tensor of 0 elements into shape {list(shape)} because the "
                "unspecified dimension size -1 can be any value and is ambiguous"
            )
        raise RuntimeError(f"shape '{list(shape)}' is invalid for input of size {numel}")
    count = 1
    for n in shape:
        if n < 0:
            raise RuntimeError(f"invalid shape dimension {n}")
        count *= n
    if count != numel:
        raise RuntimeError(f"shape '{list(shape)}' is invalid for input of size {numel}")
    return shape


@operation(view=True, varargs="shape", node_name="ViewBackward0",
           samples=(((2, 6), (3, 4)), ((4,), (2, -1)), ((), (1,))))  # fmt: skip
def reshape(xp, input: Array, shape: Any):
    """The same elements in another shape; a view where possible.

    Args:
        input: (*), any shape.
        shape: a sequence of ints (or several), one of which may be -1: what is left for it.

    Returns:
        ``shape``, of ``input``'s dtype.

    Raises:
        RuntimeError: the elements do not fill the shape.
    """
    return xp.reshape(input, resolve_shape(shape, math.prod(input.shape)))


@reshape.vjp("input")
def _(xp, grad, input_shape):
    return xp.reshape(grad, tuple(input_shape))


@operation(view=True, method=False, public=False, name="view_shape", node_name="ViewBackward0",
           samples=(((2, 6), (3, 4)),))  # fmt: skip
def view_shape(xp, input: Array, shape: Any):
    """The same memory in another shape.

    Raises:
        RuntimeError: the elements do not lie in memory as that shape needs.
    """
    shape = resolve_shape(shape, math.prod(input.shape))
    result = xp.reshape(input, shape)
    if input.__class__ is np.ndarray and input.size and not np.may_share_memory(result, input):
        raise RuntimeError(
            "view size is not compatible with input tensor's size and stride (at least one "
            "dimension spans across two contiguous subspaces). Use .reshape(...) instead."
        )
    return result


@view_shape.vjp("input")
def _(xp, grad, input_shape):
    return xp.reshape(grad, tuple(input_shape))


@operation(view=True, varargs="dims", samples=(((2, 3, 4), (2, 0, 1)), ((3,), (0,))))
def permute(xp, input: Array, dims: Any):
    """A view with the dims in another order.

    Args:
        input: (*), any shape.
        dims: every dim of ``input`` once, a sequence (or several ints).

    Returns:
        The sizes in that order.

    Raises:
        RuntimeError: another number of dims, or one twice.
        IndexError: a dim that is not there.
    """
    return xp.permute(input, wrap_permutation(dims, input.ndim))


def wrap_permutation(dims: Any, ndim: int) -> tuple[int, ...]:
    """``dims`` as non-negative ints, each dim once."""
    dims = as_ints(dims, "dims")
    if len(dims) != ndim:
        raise RuntimeError(
            "permute(sparse_coo): number of dimensions in the tensor input does not match the "
            f"length of the desired ordering of dimensions i.e. input.dim() = {ndim} is not equal "
            f"to len(dims) = {len(dims)}".replace("(sparse_coo)", "")
        )
    wrapped = tuple(wrap_dim(d, ndim) for d in dims)
    if len(set(wrapped)) != ndim:
        raise RuntimeError("permute(): duplicate dims are not allowed.")
    return wrapped


@permute.vjp("input")
def _(xp, grad, dims):
    wrapped = wrap_permutation(dims, grad.ndim)
    inverse = [0] * len(wrapped)
    for i, d in enumerate(wrapped):
        inverse[d] = i
    return xp.permute(grad, tuple(inverse))


def _swapped(ndim: int, dim0: int, dim1: int) -> tuple[int, ...]:
    dim0, dim1 = wrap_dim(dim0, ndim), wrap_dim(dim1, ndim)
    order = list(range(ndim))
    if ndim:
        order[dim0], order[dim1] = dim1, dim0
    return tuple(order)


@operation(view=True, samples=(((2, 3, 4), 0, 2), ((2, 3), -1, -2)))
def transpose(xp, input: Array, dim0: int, dim1: int):
    """A view with two dims swapped.

    Args:
        input: (*), any shape.
        dim0, dim1: the two.

    Returns:
        The shape with their sizes swapped.

    Raises:
        IndexError: a dim that is not there.
    """
    return xp.permute(input, _swapped(input.ndim, dim0, dim1))


@transpose.vjp("input")
def _(xp, grad, dim0, dim1):
    return xp.permute(grad, _swapped(grad.ndim, dim0, dim1))


@operation(view=True, samples=(((2, 3),), ((3,),)))
def t(xp, input: Array):
    """A view of a matrix transposed; tensors of fewer dims as they are.

    Args:
        input: (n, m), (n,) or ().

    Returns:
        (m, n), (n,) or ().

    Raises:
        RuntimeError: ``input`` has more dims.
    """
    if input.ndim > 2:
        raise RuntimeError(f"t() expects a tensor with <= 2 dimensions, but self is {input.ndim}D")
    return xp.permute(input, tuple(range(input.ndim))[::-1])


@t.vjp("input")
def _(xp, grad):
    return xp.permute(grad, tuple(range(grad.ndim))[::-1])


def expanded_shape(shape: Sequence[int], sizes: Any) -> tuple[int, ...]:
    """``sizes`` with every -1 replaced by the size that is there."""
    sizes = as_ints(sizes, "size")
    added = len(sizes) - len(shape)
    if added < 0:
        raise RuntimeError(
            f"expand(tensor of shape {list(shape)}, size={list(sizes)}): the number of sizes "
            f"provided ({len(sizes)}) must be greater or equal to the number of dimensions in the "
            f"tensor ({len(shape)})"
        )
    result = []
    for i, size in enumerate(sizes):
        have = None if i < added else shape[i - added]
        if size == -1:
            if have is None:
                raise RuntimeError(
                    "The expanded size of the tensor (-1) isn't allowed in a leading, non-existing "
                    f"dimension {i} (expand of a tensor of shape {list(shape)} to {list(sizes)})"
                )
            size = have
        if have is not None and have != size and have != 1:
            raise RuntimeError(
                f"The expanded size of the tensor ({size}) must match the existing size ({have}) "
                f"at non-singleton dimension {i}.  Target sizes: {list(sizes)}.  Tensor sizes: "
                f"{list(shape)}"
            )
        result.append(size)
    return tuple(result)


@operation(view=True, varargs="size", samples=(((3, 1), (3, 4)), ((3,), (2, -1)), ((), (2, 2))))
def expand(xp, input: Array, size: Any):
    """A view in which dims of size 1 (and new ones in front) are repeated, without copying.

    Args:
        input: (*), any shape.
        size: the new sizes, a sequence (or several ints); -1: as it is.

    Returns:
        ``size``.

    Raises:
        RuntimeError: a size differs from one that is not 1, or there are fewer than dims.
    """
    return xp.expand(input, expanded_shape(input.shape, size))


@expand.vjp("input")
def _(xp, grad, input_shape):
    from .operation import sum_to

    return sum_to(xp, grad, tuple(input_shape))


def _squeezed(shape: Sequence[int], dim: Any) -> tuple[int, ...]:
    dims = wrap_dims(dim, len(shape)) if not isinstance(dim, (tuple, list)) or dim else ()
    return tuple(n for i, n in enumerate(shape) if n != 1 or not (dims is None or i in dims))


@operation(view=True, samples=(((1, 3, 1),), ((1, 3, 1), 0), ((2, 1, 1), (1, 2))))
def squeeze(xp, input: Array, dim: Any = None):
    """A view without the dims of size 1.

    Args:
        input: (*), any shape.
        dim: an int or several: only these, if they have size 1; None: all.

    Returns:
        The other sizes.

    Raises:
        IndexError: a dim that is not there.
    """
    return xp.reshape(input, _squeezed(input.shape, dim))


@squeeze.vjp("input")
def _(xp, grad, input_shape, dim):  # the node's name needs `dim`
    return xp.reshape(grad, tuple(input_shape))


@operation(view=True, samples=(((2, 3), 0), ((2, 3), -1), ((), 0)))
def unsqueeze(xp, input: Array, dim: int):
    """A view with a dim of size 1 inserted.

    Args:
        input: (*), any shape.
        dim: the place of the new one in the result.

    Returns:
        The shape with a 1 at ``dim``.

    Raises:
        IndexError: ``dim`` is out of range.
    """
    shape = list(input.shape)
    shape.insert(wrap_dim(dim, input.ndim + 1), 1)
    return xp.reshape(input, tuple(shape))


@unsqueeze.vjp("input")
def _(xp, grad, input_shape):
    return xp.reshape(grad, tuple(input_shape))


# -- parts of a tensor ------------------------------------------------------------------------


def _key_gradient(xp: Any, grad: Any, input_shape: Any, key: Any) -> Any:
    zeros = xp.full(tuple(input_shape), 0, xp.dtype(grad))
    if zeros.__class__ is np.ndarray:
        zeros[key] = grad
        return zeros
    return xp.slice_scatter(zeros, key, grad)


def _part(name: str, node_name: str) -> Any:
    """The operation ``input[key]``; PyTorch's name of its node depends on the key."""

    def forward(xp: Any, input: Array, key: Any) -> Any:
        return xp.slice(input, key)

    forward.__doc__ = "A view of the part that ``key`` (ints, slices, None) selects."
    part = operation(
        forward=None, name=name, node_name=node_name, view=True, public=False, method=False,
        samples=(((3, 4), (1,)), ((3, 4), (slice(0, 3, 2), None, slice(1, 4)))),
    )(forward)  # fmt: skip
    part.vjp("input")(_key_gradient)
    part.scattered(lambda xp, base, values, key: xp.slice_scatter(base, key, values))
    return part


_key_gradient.__annotations__.clear()
select_part = _part("select_part", "SelectBackward0")
slice_part = _part("slice_part", "SliceBackward0")
unsqueeze_part = _part("unsqueeze_part", "UnsqueezeBackward0")
alias_part = _part("alias_part", "AliasBackward0")


@composite
def select(input: Any, dim: int, index: int) -> Any:
    """A view of the entry ``index`` along ``dim``, which is gone from the result.

    Args:
        input: (*), at least one dim.
        dim: along which.
        index: an int; negative ones count from the end.

    Returns:
        The shape without ``dim``.

    Raises:
        IndexError: ``input`` has no dims or no such dim, or ``index`` is out of range.
    """
    shape = input._array.shape
    if not shape:
        raise IndexError("select() cannot be applied to a 0-dim tensor.")
    dim = wrap_dim(dim, len(shape))
    index = as_int(index, "index")
    if not -shape[dim] <= index < shape[dim]:
        raise IndexError(
            f"select(): index {index} out of range for tensor of size {list(shape)} at dimension "
            f"{dim}"
        )
    if index < 0:
        index += shape[dim]
    return select_part(input, (*(slice(None),) * dim, index))


@composite
def narrow(input: Any, dim: int, start: Any, length: int) -> Any:
    """A view of the ``length`` entries from ``start`` on along ``dim``.

    Args:
        input: (*), at least one dim.
        dim: along which.
        start: an int, or a tensor of one without dims; negative ones count from the end.
        length: how many, 0 or more.

    Returns:
        The shape with ``length`` at ``dim``.

    Raises:
        RuntimeError: the tensor has no dims, or the entries reach beyond its end.
        IndexError: ``start`` is out of range.
    """
    shape = input._array.shape
    if not shape:
        raise RuntimeError("narrow() cannot be applied to a 0-dim tensor.")
    dim = wrap_dim(dim, len(shape))
    if hasattr(start, "_array") and (start._array.ndim or start._array.dtype.kind not in "iu"):
        raise RuntimeError("start must be an 0-dim integral Tensor.")
    start = int(start)
    n = shape[dim]
    if length < 0:
        raise RuntimeError("narrow(): length must be non-negative.")
    if not -n <= start <= n:
        raise IndexError(
            f"start out of range (expected to be in range of [{-n}, {n}], but got {start})"
        )
    if start < 0:
        start += n
    if start + length > n:
        raise RuntimeError(f"start ({start}) + length ({length}) exceeds dimension size ({n}).")
    return slice_part(input, (*(slice(None),) * dim, slice(start, start + length)))


@composite
def unbind(input: Any, dim: int = 0) -> tuple[Any, ...]:
    """Views of every entry along ``dim``.

    Args:
        input: (*), at least one dim.
        dim: along which.

    Returns:
        A tuple of as many as the size of ``dim``, of the shape without it.

    Raises:
        IndexError: ``input`` has no dims, or no such dim.
    """
    shape = input._array.shape
    if not shape:
        raise IndexError("Dimension specified as 0 but tensor has no dimensions")
    dim = wrap_dim(dim, len(shape))
    head = (slice(None),) * dim
    parts = tuple(select_part(input, (*head, i)) for i in range(shape[dim]))
    return _as_parts(parts, "Unbind")


def _as_parts(parts: tuple[Any, ...], function: str) -> tuple[Any, ...]:
    """``parts`` marked as the views that one call gave, which autograd lets nobody write to."""
    for number, part in enumerate(parts):
        part._part_of = (function, number)
        if part._node is not None:
            part._node.renamed = f"{function}Backward0"
    return parts


@composite
def split(
    input: Any, split_size_or_sections: Any = None, dim: int = 0, *, split_size: Any = None
) -> tuple[Any, ...]:
    """Views of consecutive parts along ``dim``.

    Args:
        input: (*), at least one dim.
        split_size_or_sections: the size of each part (the last may be less), or all their sizes.
        dim: along which.
        split_size: the method's name for the sizes.

    Returns:
        A tuple of views.

    Raises:
        TypeError: no sizes are given.
        RuntimeError: the tensor has no dims, a size is negative, or the sizes do not add up.
    """
    if split_size_or_sections is None:
        if split_size is None:
            raise TypeError('split() missing 1 required positional argument: "split_size"')
        split_size_or_sections = split_size
    shape = input._array.shape
    if not shape:
        raise RuntimeError("split expects at least a 1-dimensional tensor")
    dim = wrap_dim(dim, len(shape))
    n = shape[dim]
    if isinstance(split_size_or_sections, (tuple, list)):
        sizes = as_ints(split_size_or_sections, "split_sizes")
        if sum(sizes) != n or min(sizes, default=0) < 0:
            raise RuntimeError(
                "split_with_sizes expects split_sizes to sum exactly to "
                f"{n} (input tensor's size at dimension {dim}), but got split_sizes={list(sizes)}"
            )
    else:
        size = as_int(split_size_or_sections, "split_size")
        if size < 0:
            raise RuntimeError(
                f"split expects split_size be non-negative, but got split_size={size}"
            )
        if size == 0 and n:
            raise RuntimeError(
                f"split_size can only be 0 if dimension size is 0, but got dimension size of {n}"
            )
        sizes = tuple(min(size, n - i) for i in range(0, n, size)) if n else (0,)
    head = (slice(None),) * dim
    parts, start = [], 0
    for size in sizes:
        parts.append(slice_part(input, (*head, slice(start, start + size))))
        start += size
    several = isinstance(split_size_or_sections, (tuple, list))
    return _as_parts(tuple(parts), "SplitWithSizes" if several else "Split")


@composite
def chunk(input: Any, chunks: int, dim: int = 0) -> tuple[Any, ...]:
    """At most ``chunks`` views of parts of equal size along ``dim`` (the last may be smaller).

    Args:
        input: (*), at least one dim.
        chunks: 1 or more.
        dim: along which.

    Returns:
        A tuple of views.

    Raises:
        RuntimeError: ``chunks`` is below 1, or ``input`` has no dims.
        IndexError: ``input`` has no dim ``dim``.
    """
    if chunks <= 0:
        raise RuntimeError(f"chunk expects `chunks` to be greater than 0, got: {chunks}")
    if not input._array.shape:
        raise RuntimeError("chunk expects at least a 1-dimensional tensor")
    n = input._array.shape[wrap_dim(dim, input._array.ndim)]
    size = -(-n // chunks)
    if size == 0:
        return split(input, [0] * chunks, dim)
    return split(input, size, dim)


# -- joining and repeating --------------------------------------------------------------------


@operation(promote="number", method=False, name="cat", node_name="CatBackward0",
           samples=((((2, 3), (1, 3)), 0), (((2, 3), (2, 2)), 1)))  # fmt: skip
def cat(xp, tensors: Sequence[Array], dim: int = 0):
    """The tensors one after the other along ``dim``.

    Args:
        tensors: a sequence of tensors whose other sizes agree; those of shape (0,) are left out.
        dim: along which.

    Returns:
        The shape with the sum of the sizes at ``dim``, in the common dtype.

    Raises:
        ValueError: there are none.
        TypeError: one is no tensor.
        RuntimeError: other sizes, or numbers of dims, differ, or one has no dims.
        IndexError: they have no dim ``dim``.
    """
    kept = [t for t in tensors if not (t.ndim == 1 and t.shape[0] == 0)] or tensors[:1]
    return xp.cat(kept, wrap_dim(dim, kept[0].ndim))


@cat.kernel
def _(tensors, dim=0):
    if dim == 0:
        try:
            result = np.concatenate(tensors)
        except ValueError:  # one of shape (0,), or sizes that do not agree
            return cat.forward(numpy, tensors, dim)
        return result if result.flags.c_contiguous else np.ascontiguousarray(result)
    return cat.forward(numpy, tensors, dim)


@cat.vjp("tensors")
def _(xp, grad, tensors_shape, dim):
    wrapped = wrap_dim(dim, grad.ndim)
    head = (slice(None),) * wrapped
    grads, start = [], 0
    for shape in tensors_shape:
        if tuple(shape) == (0,) and grad.ndim != 1:
            grads.append(xp.full((0,), 0, xp.dtype(grad)))
            continue
        end = start + shape[wrapped]
        grads.append(xp.slice(grad, (*head, slice(start, end))))
        start = end
    return grads


@cat.checked_operands
def _(tensors, dim):
    for place, given in enumerate(tensors or ()):
        if given is None:
            raise TypeError(f"expected Tensor as element {place} in argument 0, but got NoneType")


@cat.checked
def _(tensors, dim):
    if not tensors:
        raise ValueError("torch.cat(): expected a non-empty list of Tensors")
    first = next((t for t in tensors if tuple(t.shape) != (0,)), tensors[0])
    if first.ndim == 0:
        raise RuntimeError("zero-dimensional tensor (at position 0) cannot be concatenated")
    wrapped = wrap_dim(dim, first.ndim)
    for position, other in enumerate(tensors):
        if other.ndim == 0:
            raise RuntimeError(
                f"zero-dimensional tensor (at position {position}) cannot be concatenated"
            )
        if tuple(other.shape) == (0,):
            continue
        if other.ndim != first.ndim:
            raise RuntimeError(
                f"Tensors must have same number of dimensions: got {first.ndim} and {other.ndim}"
            )
        for i, (a, b) in enumerate(zip(first.shape, other.shape)):
            if i != wrapped and a != b:
                raise RuntimeError(
                    f"Sizes of tensors must match except in dimension {wrapped}. Expected size "
                    f"{a} but got size {b} for tensor number {position} in the list."
                )


@operation(promote="number", method=False, samples=((((2, 3), (2, 3)), 0), (((2,), (2,)), -1)))
def stack(xp, tensors: Sequence[Array], dim: int = 0):
    """The tensors along a new dim.

    Args:
        tensors: a sequence of tensors of one shape.
        dim: the place of the new dim in the result.

    Returns:
        The shape with their number at ``dim``, in the common dtype.

    Raises:
        RuntimeError: there are none, or shapes differ.
        IndexError: ``dim`` is out of range.
    """
    wrapped = wrap_dim(dim, tensors[0].ndim + 1)
    rows = [xp.reshape(t, (*t.shape[:wrapped], 1, *t.shape[wrapped:])) for t in tensors]
    return xp.cat(rows, wrapped)


@stack.kernel
def _(tensors, dim=0):
    if dim == 0:
        return np.array(tensors)  # other shapes than the first's are refused here too
    return stack.forward(numpy, tensors, dim)


@stack.vjp("tensors")
def _(xp, grad, tensors_shape, dim):
    head = (slice(None),) * wrap_dim(dim, grad.ndim)
    return [xp.slice(grad, (*head, i)) for i in range(len(tensors_shape))]


@stack.checked
def _(tensors, dim):
    if not tensors:
        raise RuntimeError("stack expects a non-empty TensorList")
    for position, other in enumerate(tensors):
        if tuple(other.shape) != tuple(tensors[0].shape):
            raise RuntimeError(
                "stack expects each tensor to be equal size, but got "
                f"{list(tensors[0].shape)} at entry 0 and {list(other.shape)} at entry {position}"
            )


@operation(samples=(((2, 3), (0,)), ((2, 3), (0, 1))), varargs="dims")
def flip(xp, input: Array, dims: Any):
    """A copy with the elements in reverse order along ``dims``.

    Args:
        input: (*), any shape.
        dims: a sequence (or several ints); (): none.

    Returns:
        (*), of ``input``'s dtype.

    Raises:
        IndexError: a dim that is not there.
        RuntimeError: a dim is named twice.
    """
    dims = as_ints(dims, "dims")
    return xp.flip(input, wrap_dims(dims, input.ndim) or () if dims else ())


@flip.vjp("input")
def _(xp, grad, dims):
    dims = as_ints(dims, "dims")
    return xp.flip(grad, wrap_dims(dims, grad.ndim) or () if dims else ())


@operation(name="constant_pad", public=False, method=False, node_name="ConstantPadNdBackward0",
           samples=(((2, 3), ((1, 0), (0, 2)), 0.5), ((4,), ((-1, 2),), 0)))  # fmt: skip
def constant_pad(xp, input: Array, widths: Any, value: float = 0):
    """``input`` with ``(before, after)`` elements of ``value`` added per dim (negative: cut)."""
    return xp.pad(input, widths, value)


@constant_pad.vjp("input")
def _(xp, grad, widths):
    return xp.pad(grad, tuple((-lo, -hi) for lo, hi in widths), 0)


@operation(varargs="repeats", samples=(((2, 3), (2, 1)), ((3,), (2, 2))))
def repeat(xp, input: Array, repeats: Any):
    """``input`` repeated along each dim, in memory of its own (see :func:`expand` for a view).

    Args:
        input: (*), any shape.
        repeats: how often for each dim, a sequence (or several ints); new dims come in front.

    Returns:
        The sizes times ``repeats``.

    Raises:
        RuntimeError: fewer numbers than dims.
    """
    paired, wide, shape = _repeated_shapes(input, repeats)
    return xp.reshape(xp.copy(xp.expand(xp.reshape(input, paired), wide)), shape)


@repeat.kernel
def _(input, repeats):
    paired, wide, shape = _repeated_shapes(input, repeats)
    repeated = np.broadcast_to(input.reshape(paired), wide)
    return repeated.copy(order="C").reshape(shape)  # any other order would be seen in `view`


def _repeated_shapes(input: Array, repeats: Any) -> tuple[tuple[int, ...], ...]:
    """A dim of 1 before each dim of ``input``; the same with that dim repeated; the result's."""
    repeats = as_ints(repeats, "repeats")
    added = len(repeats) - input.ndim
    if added < 0:
        raise RuntimeError(
            "Number of dimensions of repeat dims can not be smaller than number of dimensions of "
            "tensor"
        )
    shape = (1,) * added + tuple(input.shape)
    paired = tuple(x for n in shape for x in (1, n))
    wide = tuple(x for r, n in zip(repeats, shape) for x in (r, n))
    return paired, wide, tuple(r * n for r, n in zip(repeats, shape))


@repeat.vjp("input")
def _(xp, grad, input_shape, repeats):
    repeats = as_ints(repeats, "repeats")
    shape = (1,) * (len(repeats) - len(input_shape)) + tuple(input_shape)
    wide = tuple(x for r, n in zip(repeats, shape) for x in (r, n))
    total = xp.sum(xp.reshape(grad, wide), tuple(range(0, len(wide), 2)), False)
    return xp.reshape(total, tuple(input_shape))


@operation(samples=(((3, 4), 1), ((3, 4), (1, -2), (0, 1))))
def roll(xp, input: Array, shifts: Any, dims: Any = None):
    """The elements moved along ``dims``; what leaves at one end comes in at the other.

    Args:
        input: (*), any shape.
        shifts: how far, an int or one for each of ``dims``; negative: towards the front.
        dims: an int or several; None: all elements in a row.

    Returns:
        (*), of ``input``'s dtype.

    Raises:
        RuntimeError: not one shift for each dim.
        IndexError: a dim that is not there.
    """
    return _rolled(xp, input, shifts, dims, 1)


def _rolled(xp: Any, x: Any, shifts: Any, dims: Any, sign: int) -> Any:
    shifts = as_ints(shifts, "shifts")
    if not shifts:
        raise RuntimeError("`shifts` required")
    if dims is None or dims == ():
        if len(shifts) != 1:
            raise RuntimeError(f"shifts and dimensions must align. shifts: {len(shifts)}, dims:0")
        flat = _rolled(xp, xp.reshape(x, (math.prod(x.shape),)), shifts, 0, sign)
        return xp.reshape(flat, tuple(x.shape))
    dims = as_ints(dims, "dims")
    if len(dims) != len(shifts):
        raise RuntimeError(
            f"shifts and dimensions must align. shifts: {len(shifts)}, dims:{len(dims)}"
        )
    require_any_dim(x.ndim)
    for shift, dim in zip(shifts, dims):
        dim = wrap_dim(dim, x.ndim)
        n = x.shape[dim]
        cut = (-sign * shift) % n if n else 0
        if cut:
            head = (slice(None),) * dim
            parts = [
                xp.slice(x, (*head, slice(cut, n))),
                xp.slice(x, (*head, slice(0, cut))),
            ]
            x = xp.cat(parts, dim)
    return x


@roll.vjp("input")
def _(xp, grad, shifts, dims):
    return _rolled(xp, grad, shifts, dims, -1)


# -- everyday combinations --------------------------------------------------------------------


@composite(varargs="shape")
def view(input: Any, shape: Any) -> Any:
    """The same memory in another shape, or, for a dtype, reinterpreted.

    Args:
        input: (*), any shape.
        shape: a sequence of ints (or several), one of which may be -1; or a dtype, for whose size
            the last dim grows or shrinks.

    Returns:
        A view of that shape or dtype.

    Raises:
        RuntimeError: the elements do not fill the shape, or do not lie in memory as it needs
            (:func:`reshape` copies then).
    """
    if isinstance(shape, dtypes.dtype):
        from ..tensor import wrap

        result = wrap(_reinterpreted(input._array, shape.numpy))
        result._base = input if input._base is None else input._base
        return result
    try:
        return view_shape(input, shape)
    except RuntimeError:
        if not _made_contiguous(input):
            raise
        return view_shape(input, shape)


def _reinterpreted(array: Any, dtype: Any) -> Any:
    """The memory of ``array`` as ``dtype``: the last dim's size changes with the elements'."""
    ratio = dtype.itemsize // array.dtype.itemsize
    if ratio > 1 and (not array.ndim or array.shape[-1] % ratio):
        words = [type_word(np.empty(0, d)) for d in (array.dtype, dtype)]
        if not array.ndim:
            raise RuntimeError(
                f"self.dim() cannot be 0 to view {words[0]} as {words[1]} (different element sizes)"
            )
        raise RuntimeError(
            f"self.size(-1) must be divisible by {ratio} to view {words[0]} as {words[1]} "
            f"(different element sizes), but got {array.shape[-1]}"
        )
    return array.view(dtype)


def _made_contiguous(tensor: Any) -> bool:
    """Lay out the memory of ``tensor`` in row-major order, if nothing else shares it.

    NumPy gives results of expanded operands another layout than PyTorch, whose programs count on
    the row-major one when they call ``view``.
    """
    array = tensor._array
    if (
        tensor._base is not None
        or array.__class__ is not np.ndarray
        or array.base is not None
        or array.flags.c_contiguous
    ):
        return False
    kept = getattr(tensor._node, "out", None) is array
    if getrefcount(array) > 3 + kept:  # this local, the tensor's attribute, the argument
        return False
    tensor._array = np.ascontiguousarray(array)
    return True


@composite
def view_as(input: Any, other: Any) -> Any:
    """A view of ``input`` in the shape of ``other``.

    Args:
        input: (*), any shape.
        other: a tensor of as many elements.

    Raises:
        RuntimeError: as :func:`view`.
    """
    return view_shape(input, other.shape)


@composite
def reshape_as(input: Any, other: Any) -> Any:
    """The elements of ``input`` in the shape of ``other``; a view where possible.

    Args:
        input: (*), any shape.
        other: a tensor of as many elements.

    Raises:
        RuntimeError: it has not.
    """
    return reshape(input, other.shape)


@composite
def expand_as(input: Any, other: Any) -> Any:
    """A view of ``input`` expanded to the shape of ``other``.

    Args:
        input: (*), any shape.
        other: a tensor to whose shape it broadcasts.

    Raises:
        RuntimeError: it does not.
    """
    return expand(input, other.shape)


@composite
def flatten(input: Any, start_dim: int = 0, end_dim: int = -1) -> Any:
    """The dims from ``start_dim`` to ``end_dim`` merged into one; a view where possible.

    Args:
        input: (*), any shape; without dims it becomes (1,).
        start_dim, end_dim: the first and the last of them.

    Returns:
        The shape with the product of their sizes in their place.

    Raises:
        RuntimeError: ``start_dim`` comes after ``end_dim``.
        IndexError: a dim that is not there.
    """
    shape = input._array.shape
    if not shape:
        return reshape(input, (1,))
    start, end = wrap_dim(start_dim, len(shape)), wrap_dim(end_dim, len(shape))
    if start > end:
        raise RuntimeError("flatten() has invalid args: start_dim cannot come after end_dim")
    if start == end:
        return input
    merged = 1
    for n in shape[start : end + 1]:
        merged *= n
    return reshape(input, (*shape[:start], merged, *shape[end + 1 :]))


@composite
def ravel(input: Any) -> Any:
    """All elements of ``input`` in one dim, (n,); a view where possible."""
    return reshape(input, (-1,)) if input.numel() else reshape(input, (0,))


@composite
def unflatten(input: Any, dim: int, sizes: Any) -> Any:
    """A view with the dim ``dim`` split into several.

    Args:
        input: (*), any shape.
        dim: which.
        sizes: of the new dims, one of which may be -1.

    Returns:
        The shape with ``sizes`` in the place of ``dim``.

    Raises:
        RuntimeError: ``sizes`` is empty or does not multiply up to the size of ``dim``.
        IndexError: ``input`` has no dim ``dim``.
    """
    shape = input._array.shape
    dim = wrap_dim(dim, len(shape))
    sizes = as_ints(sizes, "sizes")
    if not sizes:
        raise RuntimeError("unflatten: sizes must be non-empty")
    try:
        resolved = resolve_shape(sizes, shape[dim])
    except RuntimeError:
        raise RuntimeError(
            f"unflatten: Provided sizes {list(sizes)} don't multiply up to the size of dim {dim} "
            f"({shape[dim]}) in the input tensor"
        ) from None
    return view_shape(input, (*shape[:dim], *resolved, *shape[dim + 1 :]))


@composite
def movedim(input: Any, source: Any, destination: Any) -> Any:
    """A view with the dims ``source`` at the places ``destination``, the others in order.

    Args:
        input: (*), any shape.
        source, destination: an int each, or as many of both.

    Returns:
        The sizes in that order.

    Raises:
        RuntimeError: the numbers differ, or a dim is named twice.
        IndexError: a dim that is not there.
    """
    n = input._array.ndim
    sources = [wrap_dim(d, n) for d in as_ints(source, "source")]
    destinations = [wrap_dim(d, n) for d in as_ints(destination, "destination")]
    if len(sources) != len(destinations):
        raise RuntimeError(
            "movedim: Invalid source or destination dims: source "
            f"({sources} dims) should contain the same number of dims as destination "
            f"({destinations} dims)"
        )
    for what, dims in (("source", sources), ("destination", destinations)):
        if len(set(dims)) != len(dims):
            given = list(as_ints(source if what == "source" else destination, what))
            raise RuntimeError(f"movedim: repeated dim in `{what}` ({given})")
    rest = iter(d for d in range(n) if d not in sources)
    order = [sources[destinations.index(i)] if i in destinations else next(rest) for i in range(n)]
    return permute(input, tuple(order))


@composite
def swapaxes(input: Any, axis0: int, axis1: int) -> Any:
    """A view with two dims swapped; see :func:`transpose`.

    Args:
        input: (*), any shape.
        axis0, axis1: the two.

    Raises:
        IndexError: a dim that is not there.
    """
    return transpose(input, axis0, axis1)


@composite(method=False, out=True)
def hstack(tensors: Sequence[Any]) -> Any:
    """The tensors side by side: along dim 1, or dim 0 if they have one.

    Args:
        tensors: a sequence whose other sizes agree; those without dims count as (1,).

    Returns:
        Their sizes added in that dim, in the common dtype.

    Raises:
        RuntimeError: there are none, or other sizes differ.
    """
    if not tensors:
        raise RuntimeError("hstack expects a non-empty TensorList")
    tensors = [t if t._array.ndim else reshape(t, (1,)) for t in tensors]
    return cat(tensors, 0 if tensors[0]._array.ndim == 1 else 1)


@composite(method=False, out=True)
def vstack(tensors: Sequence[Any]) -> Any:
    """The tensors as rows, one below the other: along dim 0.

    Args:
        tensors: a sequence whose other sizes agree; vectors (n,) count as (1, n).

    Returns:
        Their sizes added in dim 0, in the common dtype.

    Raises:
        RuntimeError: there are none, or other sizes differ.
    """
    if not tensors:
        raise RuntimeError("vstack expects a non-empty TensorList")
    return cat([t if t._array.ndim > 1 else reshape(t, (1, -1)) for t in tensors], 0)


@composite(method=False, out=True)
def dstack(tensors: Sequence[Any]) -> Any:
    """The tensors one behind the other, along dim 2.

    Args:
        tensors: a sequence whose other sizes agree; vectors (n,) count as (1, n, 1), matrices as
            (n, m, 1).

    Returns:
        Their sizes added in dim 2, in the common dtype.

    Raises:
        RuntimeError: there are none, or other sizes differ.
    """
    if not tensors:
        raise RuntimeError("dstack expects a non-empty TensorList")
    made = []
    for tensor in tensors:
        if tensor._array.ndim < 2:
            tensor = reshape(tensor, (1, -1))
        made.append(unsqueeze(tensor, 2) if tensor._array.ndim == 2 else tensor)
    return cat(made, 2)


@composite(varargs="dims")
def tile(input: Any, dims: Any) -> Any:
    """``input`` repeated ``dims`` times along its last dims, in memory of its own.

    Args:
        input: (*), any shape.
        dims: how often, an int or a sequence; more than there are dims: new ones in front.

    Returns:
        The sizes times ``dims``.
    """
    dims = as_ints(dims, "dims")
    return repeat(input, (1,) * (input._array.ndim - len(dims)) + dims)


@composite(varargs="size")
def broadcast_to(input: Any, size: Any) -> Any:
    """A view of ``input`` expanded to ``size``; see :func:`expand`.

    Args:
        input: (*), any shape.
        size: a sequence of ints.

    Raises:
        RuntimeError: ``input`` does not broadcast to it.
    """
    return expand(input, size)


@composite(method=False)
def broadcast_tensors(*tensors: Any) -> tuple[Any, ...]:
    """Views of the ``tensors``, expanded to their common shape, as a tuple.

    Args:
        tensors: several, or a sequence of them.

    Raises:
        RuntimeError: the shapes do not broadcast.
    """
    if len(tensors) == 1 and isinstance(tensors[0], (tuple, list)):
        tensors = tuple(tensors[0])
    shape = broadcast_shape(*(t._array.shape for t in tensors))
    return tuple(expand(t, shape) for t in tensors)


@composite(method=False)
def broadcast_shapes(*shapes: Any) -> Any:
    """The shape that tensors of these ``shapes`` broadcast to.

    Args:
        shapes: sequences of ints, or ints.

    Returns:
        A ``torch.Size``.

    Raises:
        RuntimeError: they do not.
    """
    from ..size import Size

    return Size(broadcast_shape(*(as_ints(s, "shape") for s in shapes)))


__all__ = ["expanded_shape", "out_of_range", "resolve_shape"]
