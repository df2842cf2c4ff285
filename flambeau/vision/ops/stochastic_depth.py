"""Whole branches dropped at random (Huang et al., 2016: https://arxiv.org/abs/1603.09382).

Source: https://docs.pytorch.org/vision/0.28/ops.html
"""

from __future__ import annotations

import flambeau
from flambeau.tensor import Tensor

__all__ = ["stochastic_depth"]


def stochastic_depth(input: Tensor, p: float, mode: str, training: bool = True) -> Tensor:
    """Set the input, or rows of it, to zero at random and scale what is left.

    Args:
        input: ``(N, ...)``.
        p: the probability.
        mode: "batch": all or nothing; "row": each row by itself.
        training: False: the input as it is.

    Returns:
        The shape of ``input``.

    Raises:
        ValueError: a probability or a mode that is none.
    """
    if p < 0.0 or p > 1.0:
        raise ValueError(f"drop probability has to be between 0 and 1, but got {p}")
    if mode not in ("batch", "row"):
        raise ValueError(f"mode has to be either 'batch' or 'row', but got {mode}")
    if not training or p == 0.0:
        return input
    rows = input.shape[0] if mode == "row" else 1
    noise = flambeau.empty([rows] + [1] * (input.dim() - 1), dtype=input.dtype)
    noise = noise.bernoulli_(1.0 - p)
    return input * (noise.div_(1.0 - p) if p < 1.0 else noise)
