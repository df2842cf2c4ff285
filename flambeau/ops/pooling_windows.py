"""Which windows a pooling has: their sizes, and how many there are.

Source: https://pytorch.org/docs/stable/nn.functional.html#pooling-functions
"""

from __future__ import annotations

from typing import Any

from .dims import repeated


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


def pool_arguments(
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


def check_pooled(name: str, dims: int, shape: tuple[int, ...]) -> None:
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
    check_pooled(name, dims, shape)
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
