"""Unpooling, and pooling by power means and by windows of random size.

Source: https://docs.pytorch.org/docs/2.13/nn.functional.html (pooling functions)
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import flambeau
from flambeau.nn.functional.node_names import node_called
from flambeau.nn.functional.pooling import avg_pool1d, avg_pool2d, avg_pool3d
from flambeau.ops.dims import repeated
from flambeau.ops.index_checks import require_in_range
from flambeau.tensor import Tensor

__all__ = [
    "fractional_max_pool2d",
    "fractional_max_pool2d_with_indices",
    "fractional_max_pool3d",
    "fractional_max_pool3d_with_indices",
    "lp_pool1d",
    "lp_pool2d",
    "lp_pool3d",
    "max_unpool1d",
    "max_unpool2d",
    "max_unpool3d",
]


# -- unpooling ----------------------------------------------------------------------------------


def _unpooled_size(
    input: Tensor, kernel: Any, stride: Any, padding: Any, output_size: Any
) -> tuple[int, ...]:
    dims = len(kernel)
    spatial = tuple(input.shape[-dims:])
    default = tuple((n - 1) * s + k - 2 * p for n, s, k, p in zip(spatial, stride, kernel, padding))
    if output_size is None:
        return default
    wanted = tuple(output_size)
    if len(wanted) == dims + 2:
        wanted = wanted[2:]
    if len(wanted) != dims:
        raise ValueError(
            "output_size should be a sequence containing "
            f"{dims} or {dims + 2} elements, but it has a length of '{len(wanted)}'"
        )
    for d in range(dims):
        low, high = default[d] - stride[d], default[d] + stride[d]
        if not low < wanted[d] < high:
            raise ValueError(
                f"invalid output_size '{list(wanted)}' (dim {d} must be between {low} and {high})"
            )
    return wanted


def _max_unpool(
    dims: int,
    input: Tensor,
    indices: Tensor,
    kernel_size: Any,
    stride: Any,
    padding: Any,
    output_size: Any,
) -> Tensor:
    kernel = repeated(kernel_size, dims, "kernel_size")
    steps = kernel if stride is None else repeated(stride, dims, "stride")
    pads = repeated(padding, dims, "padding")
    name = f"max_unpooling{dims}d"
    if input.dim() not in (dims + 1, dims + 2):
        raise RuntimeError(
            f"Input to {name} should be a {dims + 1}d or {dims + 2}d Tensor, but got a tensor with "
            f"dim = {input.dim()}"
        )
    size = _unpooled_size(input, kernel, steps, pads, output_size)
    if indices.dtype != flambeau.int64:
        raise RuntimeError(f"elements in indices should be type int64 but got: {indices.dtype}")
    if indices.shape != input.shape:
        raise RuntimeError(
            "Expected shape of indices to be same as that of the input tensor "
            f"({list(input.shape)}) but got indices tensor with shape: {list(indices.shape)}"
        )
    if any(s <= 0 for s in steps) and dims == 3:
        raise RuntimeError(f"strides should be greater than zero, but got stride: {list(steps)}")
    count = 1
    for n in size:
        count *= n
    flat = indices.flatten(-dims)
    volume = "x".join(str(n) for n in size)
    require_in_range(
        indices._array, 0, count,
        lambda wrong: RuntimeError(
            f"Found an invalid max index: {wrong} (output volumes are of size {volume}"
        ), None,
    )  # fmt: skip
    zeros = input.new_zeros((*input.shape[:-dims], count))
    result = zeros.scatter(-1, flat, input.flatten(-dims))
    return result.reshape(*input.shape[:-dims], *size)


@node_called("SqueezeBackward1")
def max_unpool1d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    output_size: Any = None,
) -> Tensor:
    """Maxima put back to the places that ``max_pool1d`` took them from, zeros elsewhere.

    Args:
        input: ``(N, C, L)`` or ``(C, L)``, the maxima.
        indices: of the same shape, int64: their places.
        kernel_size, stride, padding: those of the pooling.
        output_size: the size of the result where several lead to this input: its last dim, or all.

    Returns:
        ``(N, C, L_out)``, or without N; L_out = (L - 1) stride + kernel_size - 2 padding by
        default.

    Raises:
        RuntimeError: shapes or dtypes that do not fit, or a place outside the result.
        ValueError: an ``output_size`` that does not lead to this input.
    """
    return _max_unpool(1, input, indices, kernel_size, stride, padding, output_size)


@node_called("MaxUnpool2DBackward0")
def max_unpool2d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    output_size: Any = None,
) -> Tensor:
    """Maxima put back to the places that ``max_pool2d`` took them from, zeros elsewhere.

    Args:
        input: ``(N, C, H, W)`` or ``(C, H, W)``, the maxima.
        indices: of the same shape, int64: their places in the flattened last two dims.
        kernel_size, stride, padding: those of the pooling; a number or a pair.
        output_size: as for :func:`max_unpool1d`.

    Returns:
        ``(N, C, H_out, W_out)``, or without N, sizes as in :func:`max_unpool1d`.

    Raises:
        RuntimeError: shapes or dtypes that do not fit, or a place outside the result.
        ValueError: an ``output_size`` that does not lead to this input.
    """
    return _max_unpool(2, input, indices, kernel_size, stride, padding, output_size)


@node_called("MaxUnpool3DBackward0")
def max_unpool3d(
    input: Tensor,
    indices: Tensor,
    kernel_size: Any,
    stride: Any = None,
    padding: Any = 0,
    output_size: Any = None,
) -> Tensor:
    """Maxima put back to the places that ``max_pool3d`` took them from, zeros elsewhere.

    Args:
        input: ``(N, C, D, H, W)`` or ``(C, D, H, W)``, the maxima.
        indices: of the same shape, int64: their places in the flattened last three dims.
        kernel_size, stride, padding: those of the pooling; a number or three.
        output_size: as for :func:`max_unpool1d`.

    Returns:
        ``(N, C, D_out, H_out, W_out)``, or without N, sizes as in :func:`max_unpool1d`.

    Raises:
        RuntimeError: shapes or dtypes that do not fit, or a place outside the result.
        ValueError: an ``output_size`` that does not lead to this input.
    """
    return _max_unpool(3, input, indices, kernel_size, stride, padding, output_size)


# -- power means --------------------------------------------------------------------------------


def _lp_pool(
    average: Callable[..., Tensor],
    dims: int,
    input: Tensor,
    norm_type: float,
    kernel_size: Any,
    stride: Any,
    ceil_mode: bool,
) -> Tensor:
    kernel = repeated(kernel_size, dims, "kernel_size")
    count = 1
    for k in kernel:
        count *= k
    means = average(input.pow(norm_type), kernel, stride, 0, ceil_mode)
    return (flambeau.sign(means) * means.abs().relu()).mul(count).pow(1.0 / norm_type)


def lp_pool1d(
    input: Tensor,
    norm_type: float,
    kernel_size: Any,
    stride: Any = None,
    ceil_mode: bool = False,
) -> Tensor:
    """The ``norm_type``-norm over windows of the last dim.

    Args:
        input: ``(N, C, L)`` or ``(C, L)``.
        norm_type: the exponent.
        kernel_size, stride, ceil_mode: as for :func:`avg_pool1d`.

    Returns:
        ``(N, C, L_out)``, or without N.
    """
    return _lp_pool(avg_pool1d, 1, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool2d(
    input: Tensor,
    norm_type: float,
    kernel_size: Any,
    stride: Any = None,
    ceil_mode: bool = False,
) -> Tensor:
    """The ``norm_type``-norm over windows of the last two dims.

    Args:
        input: ``(N, C, H, W)`` or ``(C, H, W)``.
        norm_type: the exponent.
        kernel_size, stride, ceil_mode: as for :func:`avg_pool2d`.

    Returns:
        ``(N, C, H_out, W_out)``, or without N.
    """
    return _lp_pool(avg_pool2d, 2, input, norm_type, kernel_size, stride, ceil_mode)


def lp_pool3d(
    input: Tensor,
    norm_type: float,
    kernel_size: Any,
    stride: Any = None,
    ceil_mode: bool = False,
) -> Tensor:
    """The ``norm_type``-norm over windows of the last three dims.

    Args:
        input: ``(N, C, D, H, W)`` or ``(C, D, H, W)``.
        norm_type: the exponent.
        kernel_size, stride, ceil_mode: as for :func:`avg_pool3d`.

    Returns:
        ``(N, C, D_out, H_out, W_out)``, or without N.
    """
    return _lp_pool(avg_pool3d, 3, input, norm_type, kernel_size, stride, ceil_mode)


# -- windows of random size (Graham, 2014) ------------------------------------------------------


def _fractional_max_pool(
    dims: int,
    input: Tensor,
    kernel_size: Any,
    output_size: Any,
    output_ratio: Any,
    samples: Tensor | None,
) -> tuple[Tensor, Tensor]:
    name = f"fractional_max_pool{dims}d"
    if output_size is None and output_ratio is None:
        raise ValueError(f"{name} requires specifying either an output_size or an output_ratio")
    if input.dim() not in (dims + 1, dims + 2):
        raise RuntimeError(
            f"{name}_out(): Expected {dims + 1}D or {dims + 2}D (batch mode) tensor, but got: "
            f"{list(input.shape)}"
        )
    spatial = tuple(input.shape[-dims:])
    if output_size is None:
        if not isinstance(output_ratio, (tuple, list)):
            output_ratio = (output_ratio,) * dims
        if len(output_ratio) != dims:
            raise ValueError(
                f"{name} requires output_ratio to either be a single Int or tuple of Ints."
            )
        output_size = tuple(int(n * r) for n, r in zip(spatial, output_ratio))
    size = repeated(output_size, dims, "output_size")
    kernel = repeated(kernel_size, dims, "kernel_size")
    batch = 1 if input.dim() == dims + 1 else input.shape[0]
    channels = input.shape[-dims - 1]
    if samples is None:
        samples = flambeau.rand(batch, channels, dims, dtype=input.dtype)
    elif samples.dim() != 3 or samples.shape[2] != dims:
        raise RuntimeError(
            f"{name}: expected _random_samples of shape (N, C, {dims}), got {list(samples.shape)}"
        )
    samples = samples[:batch, :channels]
    words = {2: ("height", "width"), 3: ("time", "height", "width")}[dims]
    for n, k, m, word in zip(spatial, kernel, size, words):
        if k <= 0 or m <= 0:
            raise RuntimeError(
                f"{name}: kernel sizes and output sizes must be greater than zero, but got "
                f"kernel_size={kernel}, output_size={size}"
            )
        if m + k - 1 > n:
            raise RuntimeError(
                f"{name}_out(): pool {word} {k} too large relative to input {word} {n}"
            )
    flat: Any = None
    for place in range(dims):
        # PyTorch's samples of two dims are those of width, then height
        column = samples[..., dims - 1 - place] if dims == 2 else samples[..., place]
        starts = _starts(column, spatial[place], size[place], kernel[place])
        window = starts.unsqueeze(-1) + flambeau.arange(kernel[place])
        shape = [batch, channels, *(1,) * (2 * dims)]
        shape[2 + place], shape[2 + dims + place] = size[place], kernel[place]
        window = window.reshape(shape)
        flat = window if flat is None else flat * spatial[place] + window
    whole = (batch, channels, *size, *kernel)
    elements = math.prod(kernel)
    index = flat.expand(whole).reshape(batch, channels, math.prod(size) * elements)
    source = input.reshape(batch, channels, math.prod(spatial))
    found = source.detach().gather(2, index).reshape(*whole[: 2 + dims], elements)
    best = found.argmax(-1, keepdim=True)
    indices = index.reshape(found.shape).gather(-1, best).squeeze(-1)
    values = source.gather(2, indices.flatten(2)).reshape(indices.shape)
    if input.dim() == dims + 1:
        return values.squeeze(0), indices.squeeze(0)
    return values, indices


def _starts(samples: Tensor, n: int, size: int, kernel: int) -> Tensor:
    """Where the windows begin along a dim of ``n`` elements: (N, C, size)."""
    last = flambeau.full((*samples.shape, 1), n - kernel, dtype=flambeau.int64)
    if size == 1:
        return last
    step = samples.new_tensor((n - kernel) / (size - 1))
    u = samples.detach().unsqueeze(-1)
    places = flambeau.arange(size - 1, dtype=samples.dtype)
    return flambeau.cat([((places + u) * step).long() - (u * step).long(), last], -1)


def fractional_max_pool2d_with_indices(
    input: Tensor,
    kernel_size: Any,
    output_size: Any = None,
    output_ratio: Any = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """:func:`fractional_max_pool2d` of ``input``, always with the places of the maxima.

    ``kernel_size``, ``output_size`` and ``output_ratio`` are as there; ``return_indices`` changes
    nothing. Returns maxima and places.

    Raises:
        ValueError, RuntimeError: as there.
    """
    return _fractional_max_pool(2, input, kernel_size, output_size, output_ratio, _random_samples)


def fractional_max_pool3d_with_indices(
    input: Tensor,
    kernel_size: Any,
    output_size: Any = None,
    output_ratio: Any = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """:func:`fractional_max_pool3d` of ``input``, always with the places of the maxima.

    ``kernel_size``, ``output_size`` and ``output_ratio`` are as there; ``return_indices`` changes
    nothing. Returns maxima and places.

    Raises:
        ValueError, RuntimeError: as there.
    """
    return _fractional_max_pool(3, input, kernel_size, output_size, output_ratio, _random_samples)


@node_called("FractionalMaxPool2DBackward0")
def fractional_max_pool2d(
    input: Tensor,
    kernel_size: Any,
    output_size: Any = None,
    output_ratio: Any = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Any:
    """The maximum over windows of the last two dims whose steps are drawn at random.

    Args:
        input: ``(N, C, H, W)`` or ``(C, H, W)``.
        kernel_size: size of the windows.
        output_size: size of the result; or
        output_ratio: the size of the result as a share of the input's.
        return_indices: whether the places of the maxima are returned too.

    Returns:
        ``(N, C, H_out, W_out)``, or without N; with ``return_indices`` also the places in the
        flattened H x W, int64.

    Raises:
        ValueError: neither or a wrong one of ``output_size`` and ``output_ratio``.
        RuntimeError: sizes that do not fit the input.

    Source: Graham, Fractional Max-Pooling, 2014.
    """
    found = _fractional_max_pool(2, input, kernel_size, output_size, output_ratio, _random_samples)
    return found if return_indices else found[0]


@node_called("FractionalMaxPool3DBackward0")
def fractional_max_pool3d(
    input: Tensor,
    kernel_size: Any,
    output_size: Any = None,
    output_ratio: Any = None,
    return_indices: bool = False,
    _random_samples: Tensor | None = None,
) -> Any:
    """The maximum over windows of the last three dims whose steps are drawn at random.

    Args:
        input: ``(N, C, D, H, W)`` or ``(C, D, H, W)``.
        kernel_size, output_size, output_ratio, return_indices: as for
            :func:`fractional_max_pool2d`, a number or three.

    Returns:
        ``(N, C, D_out, H_out, W_out)``, or without N; with ``return_indices`` also the places.

    Raises:
        ValueError: neither or a wrong one of ``output_size`` and ``output_ratio``.
        RuntimeError: sizes that do not fit the input.
    """
    found = _fractional_max_pool(3, input, kernel_size, output_size, output_ratio, _random_samples)
    return found if return_indices else found[0]
