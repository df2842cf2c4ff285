"""Padding.

Source: https://docs.pytorch.org/docs/2.13/nn.functional.html
"""

from __future__ import annotations

from typing import Any

import flambeau
from flambeau.nn.functional.node_names import node_called, padding
from flambeau.tensor import Tensor

__all__ = [
    "pad",
]


@node_called(padding)
def pad(input: Tensor, pad: Any, mode: str = "constant", value: float | None = None) -> Tensor:
    """``input`` with elements added at (or, by negative numbers, taken from) its borders.

    Args:
        input: ``(*)``.
        pad: pairs of numbers, for the last dim first.
        mode: what is added: ``"constant"``, ``"reflect"``, ``"replicate"`` or ``"circular"``.
        value: the constant (default 0).

    Returns:
        The sizes of ``input``, with the pair's sum added to that of each dim in ``pad``.

    Raises:
        RuntimeError: an odd number of numbers, more than dims, or more than there are elements to
            add or to take.
        ValueError: a ``value`` with another mode than ``"constant"``.
        NotImplementedError: another ``mode``, or a number of dims that the mode does not have.
    """
    widths = tuple(pad)
    if len(widths) % 2:
        raise RuntimeError(f"Padding length must be divisible by 2 (got {list(widths)})")
    if len(widths) // 2 > input.dim():
        raise RuntimeError(
            "Padding length should be less than or equal to two times the input dimension but got "
            f"padding length {len(widths)} and input of dimension {input.dim()}"
        )
    if mode == "constant":
        pairs = [(0, 0)] * (input.dim() - len(widths) // 2)
        pairs += [(widths[i], widths[i + 1]) for i in range(len(widths) - 2, -1, -2)]
        for n, (before, behind) in zip(input.shape, pairs):
            if n + before + behind < 0:
                raise RuntimeError(
                    f"The input size {n}, plus negative padding {before} and {behind}, resulted in "
                    f"a negative output size: pad={list(widths)} of input {list(input.shape)}"
                )
        from flambeau.ops.shape import constant_pad

        return constant_pad(input, tuple(pairs), 0 if value is None else value)
    if value is not None and value != 0:
        raise ValueError(f'Padding mode "{mode}" doesn\'t take in value argument')
    if mode not in ("reflect", "replicate", "circular"):
        raise NotImplementedError(f"Unrecognised padding mode {mode}")
    if not len(widths) // 2 + 1 <= input.dim() <= len(widths) // 2 + 2:
        raise NotImplementedError(
            "Only 2D, 3D, 4D, 5D padding with non-constant padding are supported for now"
        )
    for place in range(len(widths) // 2):
        dim = input.dim() - 1 - place
        input = _pad_dim(input, dim, widths[2 * place], widths[2 * place + 1], mode)
    return input


def _pad_dim(input: Tensor, dim: int, before: int, behind: int, mode: str) -> Tensor:
    """``input`` with elements of its own added at both ends of ``dim``."""
    if before == 0 and behind == 0:
        return input
    if mode == "circular" and min(before, behind) < 0:  # what is taken away does not come back
        kept = input.shape[dim] + min(before, 0) + min(behind, 0)
        input = input.narrow(dim, max(-before, 0), kept)
        before, behind = max(before, 0), max(behind, 0)
    n = input.shape[dim]
    if mode == "reflect" and (before >= n or behind >= n):
        raise RuntimeError(
            "Argument #4: Padding size should be less than the corresponding input dimension, but "
            f"got: padding ({before}, {behind}) at dimension {dim} of input {list(input.shape)}"
        )
    if mode == "circular" and (before > n or behind > n):
        raise RuntimeError("Padding value causes wrapping around more than once.")
    places = range(-before, n + behind)
    if mode == "replicate":
        index = [min(max(i, 0), n - 1) for i in places]
    elif mode == "circular":
        index = [i % n for i in places]
    else:
        index = [n - 1 - abs(n - 1 - abs(i)) for i in places]
    return input.index_select(dim, flambeau.tensor(index, dtype=flambeau.int64))
