"""Maxima and means over windows, of fixed size and of sizes that give a wanted result.

Source: https://pytorch.org/docs/stable/nn.functional.html#pooling-functions
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from ..namespaces import numpy
from ..namespaces import numpy_pooling as kernels
from ..namespaces import numpy_small_windows as few
from ..namespaces.numpy_constants import number
from . import native
from .dims import repeated
from .operation import Array, composite, operation

# -- what the functions share -------------------------------------------------------------------


def pooled_size(
    n: int, kernel: int, stride: int, padding: int, dilation: int, ceil_mode: bool
) -> int:
    """How many windows there are along a dim of ``n`` elements."""
    reach = n + 2 * padding - dilation * (kernel - 1) - 1
    if not ceil_mode:
        return reach // stride + 1
    size = -(-reach // stride) + 1
    # the last window begins inside the input or the padding in front of it
    return size - 1 if (size - 1) * stride >= n + padding else size


def _arguments(
    name: str,
    dims: int,
    input: Any,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    ceil_mode: bool,
) -> tuple[Any, ...]:
    """Kernel, stride, padding and dilation of every dim, and the size of the result."""
    shape = tuple(input._array.shape)
    key = (name, shape, kernel_size, stride, padding, dilation, ceil_mode)
    try:
        known = _KNOWN.get(key)
    except TypeError:  # lists
        return _computed_arguments(
            name, dims, shape, kernel_size, stride, padding, dilation, ceil_mode
        )
    if known is None:
        if len(_KNOWN) >= 256:
            _KNOWN.clear()
        known = _KNOWN[key] = _computed_arguments(
            name, dims, shape, kernel_size, stride, padding, dilation, ceil_mode
        )
    return known


_KNOWN: dict[Any, tuple[Any, ...]] = {}
"""The arguments of the calls of late: a training loop asks for the same again and again."""


def _check_pooled(name: str, dims: int, shape: tuple[int, ...]) -> None:
    """Raise what PyTorch raises for an input that cannot be pooled over ``dims`` dims."""
    right = len(shape) in (dims + 1, dims + 2)
    if right and 0 not in shape[-dims - 1 :]:
        return
    either = f"{dims + 1}D or {dims + 2}D"
    if name.startswith("max") and dims == 3 and right:
        raise RuntimeError(
            "max_pool3d_with_indices_out_cpu_template(): Expected input's non-batch dimensions to "
            f"have positive length, but input has a shape of {list(shape)}"
        )
    if dims == 1 or (right and dims == 2):
        start = f"{name}: " if dims == 1 else ""
        raise RuntimeError(
            f"{start}Expected {either} (batch mode) tensor with optional 0 dim batch size for "
            f"input, but got:{list(shape)}" + ("" if start else f" ({name})")
        )
    raise RuntimeError(
        f"non-empty {either} (batch mode) tensor expected for input, but got: {list(shape)} "
        f"({name})"
    )


def _computed_arguments(
    name: str,
    dims: int,
    shape: tuple[int, ...],
    kernel_size: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    ceil_mode: bool,
) -> tuple[Any, ...]:
    kernel = repeated(kernel_size, dims, "kernel_size")
    empty = stride is None or (isinstance(stride, (tuple, list)) and not stride)
    step = kernel if empty else repeated(stride, dims, "stride")
    pads = repeated(padding, dims, "padding")
    gaps = repeated(dilation, dims, "dilation")
    for k, s, p, d in zip(kernel, step, pads, gaps):
        for what, least in (("kernel_size", k), ("stride", s), ("dilation", d)):
            if least <= 0:
                if name.startswith("max_pool1d"):
                    words = f"{name}() {what} must be greater than zero"
                elif what == "stride":
                    words = "stride should not be zero"
                else:
                    words = f"{what.replace('_', ' ')} should be greater than zero"
                raise RuntimeError(f"{words}, but got {least} ({name})")
        if p < 0:
            raise RuntimeError(f"pad must be non-negative, but got pad: {p} ({name})")
        if p > ((k - 1) * d + 1) // 2:
            raise RuntimeError(
                "pad should be at most half of effective kernel size, but got "
                f"pad={p}, kernel_size={k} and dilation={d}"
            )
    _check_pooled(name, dims, shape)
    size = tuple(
        pooled_size(n, k, s, p, d, ceil_mode)
        for n, k, s, p, d in zip(shape[-dims:], kernel, step, pads, gaps)
    )
    if min(size) < 1 and name == "max_pool1d":
        raise RuntimeError(
            f"max_pool1d() Invalid computed output size: {size[0]} (input {list(shape)}, "
            f"kernel_size {kernel}, stride {step})"
        )
    if min(size) < 1:
        before = "x".join(str(n) for n in shape[-dims - 1 :])
        after = "x".join(str(n) for n in (shape[-dims - 1], *size))
        raise RuntimeError(
            f"Given input size: ({before}). Calculated output size: ({after}). Output size is too "
            f"small ({name} with kernel_size={tuple(kernel)}, stride={tuple(step)})"
        )
    return kernel, step, pads, gaps, size


# -- maximum ------------------------------------------------------------------------------------

_SAMPLES = (
    ((2, 3, 6), (2,), (2,), (0,), (1,), (3,)),
    ((2, 5, 6), (3, 2), (2, 2), (1, 0), (1, 1), (3, 3)),
    ((1, 2, 7, 7), (2, 2), (2, 1), (0, 1), (2, 2), (3, 7)),
    ((1, 2, 4, 4, 4), (2, 2, 2), (2, 2, 2), (0, 0, 0), (1, 1, 1), (2, 2, 2)),
)


@operation(dtypes="number", public=False, method=False, out=False, name="max_pool_indices",
           samples=_SAMPLES)  # fmt: skip
def max_pool_indices(
    xp,
    input: Array,
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    dilation: tuple[int, ...],
    size: tuple[int, ...],
):
    """The place of each window's maximum in the flattened last dims."""
    return xp.max_pool_indices(input, kernel, stride, padding, dilation, size)


def _best(xp: Any, input: Any, *window: Any) -> tuple[Any, Any]:
    """The maxima, and their places among the flattened spatial elements."""
    *_, size = window
    indices = xp.max_pool_indices(input, *window)
    return _picked(xp, input, indices, len(size)), indices


def _flattened(xp: Any, x: Any, dims: int) -> Any:
    return xp.reshape(x, (*x.shape[:-dims], prod(x.shape[-dims:])))


def _picked(xp: Any, input: Any, indices: Any, dims: int) -> Any:
    flat, places = _flattened(xp, input, dims), _flattened(xp, indices, dims)
    return xp.reshape(xp.gather(flat, flat.ndim - 1, places), tuple(indices.shape))


def _put(xp: Any, grad: Any, indices: Any, shape: Any, dims: int) -> Any:
    """``grad`` added up at the places that ``indices`` name."""
    shape = tuple(shape)
    zeros = xp.full((*shape[:-dims], prod(shape[-dims:])), 0, xp.dtype(grad))
    flat, places = _flattened(xp, grad, dims), _flattened(xp, indices, dims)
    return xp.reshape(xp.scatter_add(zeros, zeros.ndim - 1, places, flat), shape)


@operation(dtypes="inexact", public=False, method=False, out=False, aux=True, name="max_pool",
           node_name="MaxPool2DWithIndicesBackward0", samples=_SAMPLES)  # fmt: skip
def max_pool(
    xp,
    input: Array,
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    dilation: tuple[int, ...],
    size: tuple[int, ...],
):
    """The maximum over windows of the last dims."""
    return _best(xp, input, kernel, stride, padding, dilation, size)


@max_pool.vjp("input")
def _(xp, grad, input, kernel, stride, padding, dilation, size, aux):
    return _put(xp, grad, aux, input.shape, len(kernel))


@max_pool.kernel
def _(input, kernel, stride, padding, dilation, size):
    window = (kernel, stride, padding, dilation, size)
    if 0 < input.size < few.FEW:
        found = few.max_pool_few(input, *window)
        if found is not None:
            return found

    def on_numpy() -> Any:
        tiled = kernels.max_pool_tiles(input, *window)
        return kernels.max_pool(input, *window) if tiled is None else tiled

    if input.size < _MANY or input.dtype.char not in "fd":
        return on_numpy()
    took = input.size * (_TILE_SECONDS if tuple(kernel) == tuple(stride) else _WINDOW_SECONDS)
    return native.call("max_pool", _maxima, (input, *window), took, on_numpy)


@max_pool.vjp_kernel("input")
def _(grad, input, kernel, stride, padding, dilation, size, aux):
    if aux is None:
        # the program looks the maxima up again: quicker than to write and read their places
        arguments = (grad, input, kernel, stride, padding, dilation, size)
        return native.call(
            "max_pool backward", _maxima_gradient, arguments, native.WORTH,
            lambda: _maxima_gradient(numpy, *arguments),
        )  # fmt: skip
    if aux.__class__ is list:
        return few.max_pool_few_gradient(grad, input.shape, aux)
    if type(aux) is tuple:
        return kernels.max_pool_tiles_gradient(grad, input.shape, kernel, aux)
    return kernels.max_pool_gradient(grad, input.shape, aux, len(kernel))


_MANY = 1 << 14
"""Elements from which on a compiled program is worth its call."""

_TILE_SECONDS, _WINDOW_SECONDS = 2e-9, 14e-9
"""What an element takes on NumPy, forward and backward: in tiles, in windows that overlap."""


def _maxima(xp: Any, input: Any, *window: Any) -> Any:
    """The maxima, and no aux: the gradient begins with the input."""
    return [_best(xp, input, *window)[0], None]


def _maxima_gradient(xp: Any, grad: Any, input: Any, *window: Any) -> Any:
    """The gradient for the input, which has still the elements that the maxima were found among."""
    indices = xp.max_pool_indices(input, *window)
    return _put(xp, grad, indices, input.shape, len(window[-1]))


@operation(dtypes="number", public=False, method=False, out=False, name="max_pool_with_indices",
           node_name="MaxPool2DWithIndicesBackward0", outputs=("output", "indices"),
           differentiable=(True, False), aux=True, samples=_SAMPLES)  # fmt: skip
def max_pool_with_indices(
    xp,
    input: Array,
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    dilation: tuple[int, ...],
    size: tuple[int, ...],
):
    """The maximum over windows of the last dims, and its place in the flattened last dims."""
    values, indices = _best(xp, input, kernel, stride, padding, dilation, size)
    return values, indices, indices


@max_pool_with_indices.vjp("input")
def _(xp, grad, input_shape, kernel, aux):
    return _put(xp, grad, aux, input_shape, len(kernel))


def _max_name(node: Any) -> str:
    dims = len(node.kernel)
    return "SqueezeBackward1" if dims == 1 else f"MaxPool{dims}DWithIndicesBackward0"


max_pool.naming = max_pool_with_indices.naming = _max_name


_MAX_NAMES = ("", "max_pool1d", "max_pool2d", "max_pool3d")


def _max_pool(dims: int, input: Any, *options: Any, return_indices: bool = False) -> Any:
    window = _arguments(_MAX_NAMES[dims], dims, input, *options)
    if not return_indices and input._array.dtype.kind in "fV":
        return max_pool.function(input, *window)
    found = max_pool_with_indices(input, *window)
    return tuple(found) if return_indices else found[0]


@composite(method=False)
def max_pool1d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
) -> Any:
    """The maximum over windows along the last dim.

    Args:
        input: (N, C, L) or (C, L).
        kernel_size: elements in a window.
        stride: step of the window (default: ``kernel_size``).
        padding: elements of minus infinity added on both sides, at most half the window.
        dilation: distance between the elements of a window.
        ceil_mode: whether a last, incomplete window counts.

    Returns:
        (N, C, L_out) or (C, L_out).
    """
    return _max_pool(1, input, kernel_size, stride, padding, dilation, ceil_mode)


@composite(method=False)
def max_pool2d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
) -> Any:
    """The maximum over windows of the last two dims; see :func:`max_pool1d`."""
    return _max_pool(2, input, kernel_size, stride, padding, dilation, ceil_mode)


@composite(method=False)
def max_pool3d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
) -> Any:
    """The maximum over windows of the last three dims; see :func:`max_pool1d`."""
    return _max_pool(3, input, kernel_size, stride, padding, dilation, ceil_mode)


@composite(method=False)
def max_pool1d_with_indices(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
) -> Any:
    """:func:`max_pool1d`, and the places of the maxima along the last dim."""
    return _max_pool(
        1, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices=True
    )


def max_pool2d_with_indices(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
) -> Any:
    """:func:`max_pool2d`, and the places of the maxima in the flattened last two dims."""
    return _max_pool(
        2, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices=True
    )


def max_pool3d_with_indices(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    dilation: Any = 1,
    ceil_mode: bool = False,
) -> Any:
    """:func:`max_pool3d`, and the places of the maxima in the flattened last three dims."""
    return _max_pool(
        3, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices=True
    )


# -- mean ---------------------------------------------------------------------------------------


@operation(dtypes="inexact", public=False, method=False, out=False, name="avg_pool",
           samples=(((2, 5, 6), (3, 2), (2, 2), (1, 0), (3, 3)),))  # fmt: skip
def avg_pool(
    xp,
    input: Array,
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    size: tuple[int, ...],
):
    """The sum over windows of the last dims."""
    return xp.avg_pool(input, kernel, stride, padding, size)


@avg_pool.vjp("input")
def _(xp, grad, input_shape, kernel, stride, padding):
    return xp.avg_pool_input(grad, tuple(input_shape), kernel, stride, padding)


@operation(dtypes="inexact", public=False, method=False, out=False, name="avg_pool_input",
           samples=(((2, 3, 3), (2, 5, 6), (3, 2), (2, 2), (1, 0)),))  # fmt: skip
def avg_pool_input(
    xp,
    output: Array,
    shape: tuple[int, ...],
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    padding: tuple[int, ...],
):
    """The gradient of :func:`avg_pool` for an input of ``shape``."""
    return xp.avg_pool_input(output, shape, kernel, stride, padding)


@avg_pool_input.vjp("output")
def _(xp, grad, output_shape, kernel, stride, padding):
    return xp.avg_pool(grad, kernel, stride, padding, tuple(output_shape[-len(kernel) :]))


@operation(dtypes="inexact", public=False, method=False, out=False, name="mean_pool",
           node_name="AvgPool2DBackward0",
           samples=(((2, 3, 6), (2,), (2,), (0,), (3,), True, None),
                    ((2, 5, 6), (3, 2), (2, 2), (1, 0), (3, 3), False, None),
                    ((1, 2, 7, 7), (3, 3), (2, 2), (1, 1), (4, 4), True, 5)))  # fmt: skip
def mean_pool(
    xp,
    input: Array,
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    size: tuple[int, ...],
    count_include_pad: bool,
    divisor: int | None,
):
    """The mean over windows of the last dims, or their sum divided by ``divisor``."""
    sums = xp.avg_pool(input, kernel, stride, padding, size)
    return sums / _divisors(
        xp, input.shape, xp.dtype(input), kernel, stride, padding, size, count_include_pad, divisor
    )


def _divisors(
    xp: Any,
    shape: Any,
    dtype: Any,
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    size: tuple[int, ...],
    count_include_pad: bool,
    divisor: int | None,
) -> Any:
    """What each window's sum is divided by: one number, or an array of the result's last dims."""
    if divisor is not None:
        return divisor
    spatial = tuple(shape[-len(kernel) :])
    padded = tuple(n + 2 * p for n, p in zip(spatial, padding))
    inside = all((m - 1) * s + k <= n for m, s, k, n in zip(size, stride, kernel, padded))
    if inside and (count_include_pad or not any(padding)):
        return prod(kernel)
    # the number of elements in each window: sums of ones
    if count_include_pad:
        return xp.avg_pool(xp.full(padded, 1, dtype), kernel, stride, (0,) * len(kernel), size)
    return xp.avg_pool(xp.full(spatial, 1, dtype), kernel, stride, padding, size)


@mean_pool.kernel
def _(input, kernel, stride, padding, size, count_include_pad, divisor):
    if 0 < input.size < few.FEW and not any(padding):
        inside = True
        for n, m, s, k in zip(input.shape[-len(kernel) :], size, stride, kernel):
            inside = inside and (m - 1) * s + k <= n
        sums = few.sum_pool_few(input, kernel, stride, size) if inside else None
        if sums is not None:
            sums /= number(prod(kernel) if divisor is None else divisor, sums.dtype)
            return sums
    return mean_pool.forward(
        numpy, input, kernel, stride, padding, size, count_include_pad, divisor
    )


@mean_pool.vjp("input")
def _(xp, grad, input_shape, kernel, stride, padding, size, count_include_pad, divisor):
    divisors = _divisors(
        xp, input_shape, xp.dtype(grad), kernel, stride, padding, size, count_include_pad, divisor
    )
    return xp.avg_pool_input(grad / divisors, tuple(input_shape), kernel, stride, padding)


@mean_pool.vjp_kernel("input")
def _(grad, input_shape, kernel, stride, padding, size, count_include_pad, divisor):
    if 0 < grad.size < few.FEW and prod(input_shape) < few.FEW and kernel == stride:
        if not any(padding):
            count = prod(kernel) if divisor is None else divisor
            found = few.sum_pool_few_gradient(grad / count, tuple(input_shape), kernel, stride)
            if found is not None:
                return found
    function = mean_pool.vjps[0].function
    return function(
        numpy, grad, input_shape, kernel, stride, padding, size, count_include_pad, divisor
    )


def _mean_name(node: Any) -> str:
    dims = len(node.kernel)
    return "SqueezeBackward1" if dims == 1 else f"AvgPool{dims}DBackward0"


mean_pool.naming = _mean_name


_MEAN_NAMES = ("", "avg_pool1d", "avg_pool2d", "avg_pool3d")


def _avg_pool(
    dims: int,
    input: Any,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    ceil_mode: bool,
    count_include_pad: bool,
    divisor_override: int | None = None,
) -> Any:
    if divisor_override == 0:
        raise RuntimeError("divisor must be not zero")
    kernel, step, pads, _, size = _arguments(
        _MEAN_NAMES[dims], dims, input, kernel_size, stride, padding, 1, ceil_mode
    )
    return mean_pool.function(input, kernel, step, pads, size, count_include_pad, divisor_override)


@composite(method=False)
def avg_pool1d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
) -> Any:
    """The mean over windows along the last dim.

    Args:
        input: (N, C, L) or (C, L).
        kernel_size: elements in a window.
        stride: step of the window (default: ``kernel_size``).
        padding: zeros added on both sides, at most half the window.
        ceil_mode: whether a last, incomplete window counts.
        count_include_pad: whether the added zeros count in the mean.

    Returns:
        (N, C, L_out) or (C, L_out).
    """
    return _avg_pool(1, input, kernel_size, stride, padding, ceil_mode, count_include_pad)


def avg_pool2d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Any:
    """The mean over windows of the last two dims; see :func:`avg_pool1d`.

    Args:
        divisor_override: what a window's sum is divided by, instead of the number of its elements.
    """
    return _avg_pool(
        2, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    )


def avg_pool3d(
    input: Any,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    ceil_mode: bool = False,
    count_include_pad: bool = True,
    divisor_override: int | None = None,
) -> Any:
    """The mean over windows of the last three dims; see :func:`avg_pool2d`."""
    return _avg_pool(
        3, input, kernel_size, stride, padding, ceil_mode, count_include_pad, divisor_override
    )


# -- windows that give a wanted size --------------------------------------------------------------


def _wanted(name: str, dims: int, input: Any, output_size: Any) -> tuple[int, ...]:
    """The size of the result; None keeps the input's."""
    shape = tuple(input.shape)
    if dims > 1 and len(shape) <= dims:
        raise ValueError(f"Input dimension should be at least {dims + 1} ({name})")
    if len(shape) not in (dims + 1, dims + 2):
        raise RuntimeError(
            f"{name}(): Expected {dims + 1}D or {dims + 2}D tensor, but got {list(shape)}"
        )
    if isinstance(output_size, int):
        output_size = (output_size,) * dims
    if len(output_size) != dims:
        count = {1: "one int", 2: "2 ints", 3: "3 ints"}[dims]
        raise RuntimeError(
            f"{name}() argument 'output_size' should contain {count} (got {len(output_size)})"
            if dims == 1
            else f"{name}(): internal error: output_size.size() must be {dims}"
            if "max" in name
            else f"{name}: output_size must be {dims}"
        )
    size = tuple(n if m is None else m for m, n in zip(output_size, shape[-dims:]))
    if min(size) < 0 and "max" in name:
        wanted = [*shape[:-dims], *((1,) if dims == 1 else ()), *size]
        least = min(size)
        raise RuntimeError(
            f"Trying to create tensor with negative dimension {least}: {wanted} ({name})"
        )
    if min(size) < 0:
        words = f"adaptive_avg_pool{max(dims, 2)}d" if "avg" in name else name
        shown = ", ".join(str(n) for n in ((1, *size) if dims == 1 else size))
        raise RuntimeError(
            f"{words}: elements of output_size must be greater than or equal to 0 but received "
            f"{{{shown}}}"
        )
    if 0 in shape[-dims:]:
        raise RuntimeError(
            f"{name}(): Expected input to have non-zero size for non-batch dimensions, but input "
            f"has sizes {list(shape)}"
        )
    return size


def _edges(n: int, size: int) -> list[tuple[int, int]]:
    """Where each of ``size`` windows over ``n`` elements begins and ends."""
    return [(i * n // size, -(-(i + 1) * n // size)) for i in range(size)]


def _equal_windows(shape: Any, size: tuple[int, ...]) -> tuple[int, ...] | None:
    """The windows' size if they are all equal and do not overlap."""
    spatial = shape[-len(size) :]
    if 0 in size or any(n % m for n, m in zip(spatial, size)):
        return None
    return tuple(n // m for n, m in zip(spatial, size))


def _adaptive_avg_pool(dims: int, input: Any, output_size: Any) -> Any:
    size = _wanted(f"adaptive_avg_pool{dims}d", dims, input, output_size)
    window = _equal_windows(input.shape, size)
    if window is not None:
        return mean_pool(input, window, window, (0,) * dims, size, True, None)
    # dim after dim: the means are the elements times a matrix
    for place in range(dims):
        dim = input.ndim - dims + place
        n = input.shape[dim]
        matrix = np.zeros((n, size[place]))
        for i, (start, end) in enumerate(_edges(n, size[place])):
            matrix[start:end, i] = 1 / (end - start)
        from ..tensor.creation import tensor

        weights = tensor(matrix, dtype=input.dtype)
        input = input.transpose(dim, -1).matmul(weights).transpose(dim, -1)
    return input


def _adaptive_max_pool(dims: int, input: Any, output_size: Any, return_indices: bool) -> Any:
    size = _wanted(f"adaptive_max_pool{dims}d", dims, input, output_size)
    window = _equal_windows(input.shape, size)
    if window is not None:
        zeros, ones = (0,) * dims, (1,) * dims
        if not return_indices:
            return max_pool(input, window, window, zeros, ones, size)
        return tuple(max_pool_with_indices(input, window, window, zeros, ones, size))
    # the elements of every window, short windows repeating their last one
    from ..tensor.creation import tensor

    spatial = input.shape[-dims:]
    places = np.zeros((), np.int64)
    for place, n in enumerate(spatial):
        edges = _edges(n, size[place])
        longest = max((end - start for start, end in edges), default=1)
        index = np.array(
            [[min(start + i, end - 1) for i in range(longest)] for start, end in edges], np.int64
        ).reshape(size[place], longest)
        places = places[..., None, None] * n + index
    order = (*range(0, 2 * dims, 2), *range(1, 2 * dims, 2))
    places = places.transpose(order).reshape(*size, -1)
    flat = input.flatten(-dims)
    every = flat.index_select(-1, tensor(places.reshape(-1)))
    every = every.unflatten(-1, places.shape)
    values, chosen = every.max(-1)
    if not return_indices:
        return values
    known = tensor(places).expand(every.shape)
    return values, known.gather(-1, chosen.unsqueeze(-1)).squeeze(-1)


@composite(method=False)
def adaptive_avg_pool1d(input: Any, output_size: Any) -> Any:
    """The mean over as many windows along the last dim as the result is to have elements.

    Args:
        input: (N, C, L) or (C, L).
        output_size: size of the result.
    """
    return _adaptive_avg_pool(1, input, output_size)


def adaptive_avg_pool2d(input: Any, output_size: Any) -> Any:
    """The mean over a grid of windows of the last two dims; None keeps a dim's size."""
    return _adaptive_avg_pool(2, input, output_size)


def adaptive_avg_pool3d(input: Any, output_size: Any) -> Any:
    """The mean over a grid of windows of the last three dims; None keeps a dim's size."""
    return _adaptive_avg_pool(3, input, output_size)


@composite(method=False)
def adaptive_max_pool1d(input: Any, output_size: Any) -> Any:
    """Maxima over ``output_size`` windows of the last dim, and their places."""
    return _adaptive_max_pool(1, input, output_size, True)


def adaptive_max_pool2d(input: Any, output_size: Any, return_indices: bool = False) -> Any:
    """Maxima over a grid of windows of the last two dims, with their places if asked."""
    return _adaptive_max_pool(2, input, output_size, return_indices)


def adaptive_max_pool3d(input: Any, output_size: Any, return_indices: bool = False) -> Any:
    """Maxima over a grid of windows of the last three dims, with their places if asked."""
    return _adaptive_max_pool(3, input, output_size, return_indices)
