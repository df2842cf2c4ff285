"""Images looked up at any positions (spatial transformer networks, Jaderberg et al., 2015).

Source: https://docs.pytorch.org/docs/2.13/nn.functional.html (vision functions)
"""

from __future__ import annotations

import warnings
from itertools import product
from typing import Any

import flambeau
from flambeau.nn.functional.node_names import node_called
from flambeau.tensor import Tensor

__all__ = [
    "affine_grid",
    "grid_sample",
]


def _corners_by_default() -> bool:
    """The default of ``align_corners``, which was another once."""
    warnings.warn(
        "Default grid_sample and affine_grid behavior has changed to align_corners=False since "
        "1.3.0. Please specify align_corners=True if the old behavior is desired. See the "
        "documentation of grid_sample for details.",
        stacklevel=4,  # whoever called the function, by the name that it is decorated with
    )
    return False


@node_called("AffineGridGeneratorBackward0")
def affine_grid(theta: Tensor, size: Any, align_corners: bool | None = None) -> Tensor:
    """The positions that affine maps send the elements of an image to.

    Args:
        theta: ``(N, 2, 3)`` or ``(N, 3, 4)``.
        size: ``(N, C, H, W)`` or ``(N, C, D, H, W)`` of the image.
        align_corners: whether -1 and 1 are the centers of the corner elements, not their edges.

    Returns:
        ``(N, H, W, 2)`` or ``(N, D, H, W, 3)``, for :func:`grid_sample`.

    Raises:
        ValueError: ``theta`` is not floating point or does not fit ``size``, or a size is not
            positive.
        NotImplementedError: ``size`` has neither four nor five elements.
    """
    size = tuple(size)
    if align_corners is None:
        align_corners = _corners_by_default()
    if not theta.is_floating_point():
        raise ValueError(f"Expected theta to have floating point type, but got {theta.dtype}")
    if len(size) not in (4, 5):
        raise NotImplementedError(
            "affine_grid only supports 4D and 5D sizes, for 2D and 3D affine transforms, "
            f"respectively. Got size {flambeau.Size(size)}."
        )
    dims = len(size) - 2
    if theta.dim() != 3 or theta.shape[-2] != dims or theta.shape[-1] != dims + 1:
        raise ValueError(
            f"Expected a batch of {dims}D affine matrices of shape Nx{dims}x{dims + 1} for size "
            f"{flambeau.Size(size)}. Got {theta.shape}."
        )
    if min(size) <= 0:
        raise ValueError(f"Expected non-zero, positive output size. Got {flambeau.Size(size)}")
    axes = []
    for place in range(dims):
        n = size[2 + place]
        axis = flambeau.linspace(-1, 1, n, dtype=theta.dtype) if n > 1 else theta.new_zeros(1)
        if not align_corners:
            axis = axis * (n - 1) / n
        axes.append(axis.reshape(-1, *(1,) * (dims - 1 - place)).expand(size[2:]))
    ones = theta.new_ones(size[2:])
    base = flambeau.stack([*reversed(axes), ones], -1).reshape(-1, dims + 1)
    return (base @ theta.transpose(1, 2)).reshape(size[0], *size[2:], dims)


@node_called(lambda input, *_, **__: f"GridSampler{input.dim() - 2}DBackward0")
def grid_sample(
    input: Tensor,
    grid: Tensor,
    mode: str = "bilinear",
    padding_mode: str = "zeros",
    align_corners: bool | None = None,
) -> Tensor:
    """``input`` at the positions in ``grid``.

    Args:
        input: ``(N, C, H, W)`` or ``(N, C, D, H, W)``.
        grid: ``(N, H_out, W_out, 2)`` or ``(N, D_out, H_out, W_out, 3)``: x, y (and z), -1 and 1
            being the borders of the input.
        mode: ``"bilinear"``, ``"nearest"`` or ``"bicubic"`` (4D only).
        padding_mode: what lies outside: ``"zeros"``, ``"border"`` or ``"reflection"``.
        align_corners: whether -1 and 1 are the centers of the corner elements, not their edges.

    Returns:
        ``(N, C, H_out, W_out)`` or ``(N, C, D_out, H_out, W_out)``.

    Raises:
        ValueError: another ``mode`` or ``padding_mode``.
        RuntimeError: ``input`` and ``grid`` do not fit each other, or a bicubic mode in 5D.
    """
    if mode not in _MODES:
        raise ValueError(
            "nn.functional.grid_sample(): expected mode to be 'bilinear', 'nearest' or 'bicubic', "
            f"but got: '{mode}'"
        )
    if padding_mode not in _PADDINGS:
        raise ValueError(
            "nn.functional.grid_sample(): expected padding_mode to be 'zeros', 'border', or "
            f"'reflection', but got: '{padding_mode}'"
        )
    if align_corners is None:
        align_corners = _corners_by_default()
    dims = input.dim() - 2
    _check(input, grid, dims, mode)
    at = [
        _unnormalized(grid[..., place], input.shape[-1 - place], align_corners)
        for place in reversed(range(dims))
    ]
    if mode == "bicubic":
        return _bicubic(input, at, padding_mode, align_corners)
    sizes = input.shape[2:]
    at = [_inside(x, n, padding_mode, align_corners) for x, n in zip(at, sizes)]
    if mode == "nearest":
        return _looked_up(input, [x.detach().round() for x in at]) + sum(x.sum() * 0 for x in at)
    low = [x.detach().floor() for x in at]
    share = [x - b for x, b in zip(at, low)]
    result: Any = 0
    for corner in product((0, 1), repeat=dims):
        weight: Any = 1
        for side, s in zip(corner, share):
            weight = weight * (s if side else 1 - s)
        places = [b + side for b, side in zip(low, corner)]
        result = result + _looked_up(input, places) * weight.unsqueeze(1)
    return result


_MODES = ("bilinear", "nearest", "bicubic")
_PADDINGS = ("zeros", "border", "reflection")


def grid_sampler(
    input: Tensor, grid: Tensor, interpolation_mode: int, padding_mode: int, align_corners: bool
) -> Tensor:
    """:func:`grid_sample` with numbers for its modes, in the order in which it lists them.

    Args:
        input, grid, align_corners: as there.
        interpolation_mode: 0 to 2.
        padding_mode: 0 to 2.

    Returns:
        ``(N, C, H_out, W_out)`` or ``(N, C, D_out, H_out, W_out)``.
    """
    return grid_sample(
        input, grid, _MODES[interpolation_mode], _PADDINGS[padding_mode], align_corners
    )


grid_sampler_2d = grid_sampler_3d = grid_sampler


def _check(input: Tensor, grid: Tensor, dims: int, mode: str) -> None:
    shapes = f"got input with sizes {list(input.shape)} and grid with sizes {list(grid.shape)}"
    if input.shape[0] != grid.shape[0]:
        raise RuntimeError(
            "grid_sampler(): expected grid and input to have same batch size, but " + shapes
        )
    if grid.shape[-1] != dims:
        raise RuntimeError(
            f"grid_sampler(): expected grid to have size {dims} in last dimension, but got grid "
            f"with sizes {list(grid.shape)}"
        )
    if dims not in (2, 3) or input.dim() != grid.dim():
        raise RuntimeError(
            "grid_sampler(): expected 4D or 5D input and grid with same number of dimensions, but "
            + shapes
        )
    if 0 in input.shape[2:]:
        raise RuntimeError(
            "grid_sampler(): expected input to have non-empty spatial dimensions, but input has "
            f"sizes {list(input.shape)}"
        )
    if mode == "bicubic" and dims == 3:
        raise RuntimeError("grid_sampler(): bicubic interpolation only supports 4D input")
    if input.dtype != grid.dtype:
        raise RuntimeError(
            "grid_sampler(): expected input and grid to have the same dtype, but input has "
            f"{input.dtype} and grid has {grid.dtype}"
        )


def _unnormalized(x: Tensor, n: int, align_corners: bool) -> Tensor:
    return (x + 1) / 2 * (n - 1) if align_corners else ((x + 1) * n - 1) / 2


def _inside(x: Tensor, n: int, padding_mode: str, align_corners: bool) -> Tensor:
    """The position inside the image that stands for ``x``."""
    if padding_mode == "zeros":
        return x
    if padding_mode == "reflection":
        x = _reflected(x, 0, n - 1, 2) if align_corners else _reflected(x, -1, 2 * n - 1, 2)
    # a position on the border or outside has no slope
    x = flambeau.where(x > 0, x, flambeau.zeros_like(x))
    return flambeau.where(x < n - 1, x, flambeau.full_like(x, n - 1))


def _reflected(x: Tensor, low: int, high: int, halves: int) -> Tensor:
    """``x`` thrown back from both ends; ``low`` and ``high`` count halves if the edges reflect."""
    start, span = (low, high - low) if low == 0 else (low / halves, (high - low) / halves)
    if span <= 0:
        return flambeau.zeros_like(x)
    distance = (x - start).abs()
    flips = (distance.detach() / span).floor()
    extra = distance - flips * span
    even = flips.remainder(2) == 0
    return flambeau.where(even, extra, span - extra) + start


def _looked_up(input: Tensor, places: list[Tensor]) -> Tensor:
    """The elements at whole ``places`` (N, ...), 0 outside: (N, C, ...)."""
    sizes = input.shape[2:]
    valid: Any = None
    flat: Any = 0
    for x, n in zip(places, sizes):
        within = (x >= 0) & (x <= n - 1)
        valid = within if valid is None else valid & within
        flat = flat * n + flambeau.where(within, x, flambeau.zeros_like(x)).long()
    batch, channels = input.shape[:2]
    shape = flat.shape[1:]
    index = flat.reshape(batch, 1, -1).expand(batch, channels, -1)
    found = input.reshape(batch, channels, -1).gather(2, index)
    found = found.reshape(batch, channels, *shape)
    return flambeau.where(valid.unsqueeze(1), found, flambeau.zeros_like(found))


def _bicubic(input: Tensor, at: list[Tensor], padding_mode: str, align_corners: bool) -> Tensor:
    low = [x.detach().floor() for x in at]
    weights = [_cubic_weights(x - b) for x, b in zip(at, low)]
    result: Any = 0
    for i in range(4):
        row: Any = 0
        for j in range(4):
            places = [
                _inside(b + k - 1, n, padding_mode, align_corners)
                for b, k, n in zip(low, (i, j), input.shape[2:])
            ]
            found = _looked_up(input, [p.round() for p in places])
            row = row + found * weights[1][j].unsqueeze(1)
        result = result + row * weights[0][i].unsqueeze(1)
    return result


def _cubic_weights(t: Tensor) -> list[Tensor]:
    """Keys' kernel at distances 1 + t, t, 1 - t, 2 - t."""
    a = -0.75

    def near(x: Tensor) -> Tensor:
        return ((a + 2) * x - (a + 3)) * x * x + 1

    def far(x: Tensor) -> Tensor:
        return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a

    return [far(t + 1), near(t), near(1 - t), far(2 - t)]
