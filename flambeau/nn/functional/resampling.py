"""Images and sequences at other sizes (``interpolate``).

Source: https://docs.pytorch.org/docs/2.13/nn.functional.html
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from flambeau.nn.functional.node_names import interpolation, node_called
from flambeau.ops import resampling as _resampling
from flambeau.tensor import Tensor, wrap

__all__ = [
    "interpolate",
    "upsample",
    "upsample_bilinear",
    "upsample_nearest",
]

_LINEAR = {"linear": 1, "bilinear": 2, "trilinear": 3, "bicubic": 2}
_NEAREST = ("nearest", "area", "nearest-exact")
_MODES = "nearest | linear | bilinear | bicubic | trilinear | area | nearest-exact"


@node_called(interpolation)
def interpolate(
    input: Tensor,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
    recompute_scale_factor: bool | None = None,
    antialias: bool = False,
) -> Tensor:
    """``input`` at another spatial size.

    Args:
        input: ``(N, C, L)``, ``(N, C, H, W)`` or ``(N, C, D, H, W)``.
        size: the spatial size of the result; or
        scale_factor: what the spatial size is multiplied by.
        mode: ``"nearest"``, ``"nearest-exact"``, ``"linear"`` (3D), ``"bilinear"`` (4D),
            ``"bicubic"`` (4D), ``"trilinear"`` (5D) or ``"area"``.
        align_corners: whether the centers, not the outer edges, of the corner elements agree.
        recompute_scale_factor: whether positions are computed from the sizes, not the factors.
        antialias: whether shrinking averages (``"bilinear"`` and ``"bicubic"``).

    Returns:
        ``(N, C, *size)``.

    Raises:
        ValueError, NotImplementedError: for arguments that do not fit each other.
        TypeError: ``size`` is no integer, or no tuple of them.
        RuntimeError: a size that is not positive, or no channel.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.functional.interpolate.html
    """
    if mode in _NEAREST:
        if align_corners is not None:
            raise ValueError(
                "align_corners option can only be set with the "
                "interpolating modes: linear | bilinear | bicubic | trilinear"
            )
    elif align_corners is None:
        align_corners = False
    dims = input.dim() - 2
    sizes, factors = _sizes(input, dims, size, scale_factor, recompute_scale_factor)
    if antialias and not (mode in ("bilinear", "bicubic") and input.ndim == 4):
        raise ValueError(
            "Anti-alias option is restricted to bilinear and bicubic modes and requires a 4-D "
            "tensor as input"
        )
    if mode == "area" and 1 <= dims <= 3:
        from flambeau.ops.adaptive_pooling import adaptive_mean_pool

        return adaptive_mean_pool(dims, input, sizes)
    if not 1 <= dims <= 3 or not (mode in _NEAREST or mode in _LINEAR):
        raise NotImplementedError(
            "Input Error: Only 3D, 4D and 5D input Tensors supported "
            f"(got {input.dim()}D) for the modes: {_MODES} (got {mode})"
        )
    if mode in _LINEAR and _LINEAR[mode] != dims:
        raise NotImplementedError(
            f"Got {input.dim()}D input, but {mode} mode needs {_LINEAR[mode] + 2}D input"
        )
    _check_sizes(input, dims, sizes, mode)
    return _resampled(input, dims, sizes, factors, mode, bool(align_corners), antialias)


def _sizes(
    input: Tensor, dims: int, size: Any, scale_factor: Any, recompute: bool | None
) -> tuple[tuple[int, ...], tuple[Any, ...]]:
    """The spatial size of the result, and the factors that positions are computed with."""
    spatial = tuple(input.shape[2:])
    if size is not None and scale_factor is not None:
        raise ValueError("only one of size or scale_factor should be defined")
    if size is None and scale_factor is None:
        raise ValueError("either size or scale_factor should be defined")
    if recompute and size is not None:
        raise ValueError("recompute_scale_factor is not meaningful with an explicit size.")
    given = size if size is not None else scale_factor
    what = "output size" if size is not None else "scale_factor"
    if isinstance(given, (list, tuple)):
        if len(given) != dims:
            raise ValueError(
                "Input and "
                f"{what} must have the same number of spatial dimensions, but got input with "
                f"spatial dimensions of {list(spatial)} and {what} of {given}. Please provide "
                "input tensor in (N, C, d1, d2, ...,dK) format and "
                f"{what} in ({'o' if size is not None else 's'}1, "
                f"{'o' if size is not None else 's'}2, ...,"
                f"{'o' if size is not None else 's'}K) format."
            )
        if size is not None and not all(hasattr(n, "__index__") for n in given):
            raise TypeError(
                "expected size to be one of int or Tuple[int] or Tuple[int, int] or "
                f"Tuple[int, int, int], but got size with types {[type(n) for n in given]}"
            )
        several = tuple(given)
    else:
        several = (given,) * dims
    if size is not None:
        return tuple(int(n) for n in several), (None,) * dims
    scaled = tuple(math.floor(float(n) * float(f)) for n, f in zip(spatial, several))
    return scaled, (None,) * dims if recompute else tuple(float(f) for f in several)


def _check_sizes(input: Tensor, dims: int, sizes: tuple[int, ...], mode: str) -> None:
    spatial = tuple(input.shape[2:])
    if min(*spatial, *sizes) <= 0:
        raise RuntimeError(
            f"Input and output sizes should be greater than 0, but got input ({spatial}) and "
            f"output ({sizes})"
        )
    if input.shape[1] == 0:
        raise RuntimeError(
            "Non-empty "
            f"{dims + 2}D data tensor expected but got a tensor with sizes {list(input.shape)}"
        )
    if mode in _LINEAR and not input.is_floating_point() and input.dtype.name != "uint8":
        from flambeau.tensor.views import _type_word

        kernel = "compute_indices_weights_" + ("cubic" if mode == "bicubic" else "linear")
        raise NotImplementedError(f"\"{kernel}\" not implemented for '{_type_word(input.dtype)}'")


def _resampled(
    input: Tensor,
    dims: int,
    sizes: tuple[int, ...],
    factors: tuple[Any, ...],
    mode: str,
    align_corners: bool,
    antialias: bool,
) -> Tensor:
    given = input
    integer = None if input.is_floating_point() or mode in _NEAREST else input.dtype
    if integer is not None:
        input = input.float()
    dtype = np.float64 if input.dtype.name == "float64" else np.float32
    for place in reversed(range(dims)):
        dim, n, m, factor = place + 2, input.shape[place + 2], sizes[place], factors[place]
        weights: Any = None
        if mode in _NEAREST:
            index = _resampling.nearest_taps(n, m, factor, mode == "nearest-exact")
        elif antialias:
            index, weights = _resampling.antialiased_taps(
                n, m, align_corners, factor, dtype, mode == "bicubic"
            )
        elif mode == "bicubic":
            index, weights = _resampling.cubic_taps(n, m, align_corners, factor, dtype)
        else:
            index, weights = _resampling.linear_taps(n, m, align_corners, factor, dtype)
        if n == m and index.shape[1] == 1:
            continue
        factors_of_taps = None if weights is None else wrap(weights).to(input.dtype)
        input = _resampling.resample.function(input, dim, wrap(index), factors_of_taps)
    if integer is not None:
        input = input.round().clamp(0, 255).to(integer)
    return input if input is not given else input.clone()


def upsample(
    input: Tensor,
    size: Any = None,
    scale_factor: Any = None,
    mode: str = "nearest",
    align_corners: bool | None = None,
) -> Tensor:
    """:func:`interpolate`, by its old name; warns.

    The arguments, ``input``, ``size``, ``scale_factor``, ``mode`` and ``align_corners``, are its
    own.

    Returns:
        ``(N, C, *size)``.
    """
    warnings.warn(
        "`nn.functional.upsample` is deprecated. Use `nn.functional.interpolate` instead.",
        stacklevel=2,
    )
    return interpolate(input, size, scale_factor, mode, align_corners)


def upsample_nearest(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    """:func:`interpolate` of ``input`` with the nearest elements, to ``size`` or by
    ``scale_factor``.

    Warns: it is an old name.

    Returns:
        ``(N, C, *size)``.
    """
    warnings.warn(
        "`nn.functional.upsample_nearest` is deprecated. Use `nn.functional.interpolate` instead.",
        stacklevel=2,
    )
    return interpolate(input, size, scale_factor, mode="nearest")


def upsample_bilinear(input: Tensor, size: Any = None, scale_factor: Any = None) -> Tensor:
    """:func:`interpolate` of ``input``, bilinear, with aligned corners; an old name, which warns.

    Args:
        input: ``(N, C, H, W)``.
        size, scale_factor: as there.

    Returns:
        ``(N, C, *size)``.
    """
    warnings.warn(
        "`nn.functional.upsample_bilinear` is deprecated. Use `nn.functional.interpolate` instead.",
        stacklevel=2,
    )
    return interpolate(input, size, scale_factor, mode="bilinear", align_corners=True)
