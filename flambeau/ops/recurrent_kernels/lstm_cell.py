"""A single step of a long short-term memory on NumPy, with sequences as rows and weights as given.

Turning weights about, as the kernel for many steps does, would take longer than the step.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np

from ...namespaces.numpy_blas import dot
from .steps import Array


@dataclass(slots=True)
class LstmCell:
    """What the forward pass of a step leaves to the backward pass.

    Attributes:
        gates: (N, 4H), input, forget, cell and output gate.
        tanh_cell: (N, H).
    """

    gates: Array
    tanh_cell: Array


@lru_cache(16)
def _factors(hidden: int, char: str) -> tuple[Array, Array]:
    """(4H) each: a gate is ``slope * tanh(slope * x) + offset``."""
    slope, offset = np.full(4 * hidden, 0.5, char), np.full(4 * hidden, 0.5, char)
    cell = slice(2 * hidden, 3 * hidden)
    slope[cell], offset[cell] = 1, 0
    return slope, offset


def forward(
    input: Array,
    hx: Array,
    cx: Array,
    weight_ih: Array,
    weight_hh: Array,
    bias_ih: Array | None,
    bias_hh: Array | None,
) -> tuple[Array, Array, Array, LstmCell]:
    """Outputs (1, N, H), the two next states, and what the backward pass needs."""
    hidden = hx.shape[1]
    slope, offset = _factors(hidden, hx.dtype.char)
    gates = dot(input[0], weight_ih.T)
    gates += dot(hx, weight_hh.T)
    if bias_ih is not None and bias_hh is not None:
        gates += bias_ih
        gates += bias_hh
    gates *= slope
    np.tanh(gates, out=gates)
    gates *= slope
    gates += offset
    cell = gates[:, hidden : 2 * hidden] * cx
    cell += gates[:, :hidden] * gates[:, 2 * hidden : 3 * hidden]
    tanh_cell = np.tanh(cell)
    output = gates[:, 3 * hidden :] * tanh_cell
    return output[None], output.copy(), cell, LstmCell(gates, tanh_cell)


def backward(
    grad: Sequence[Array | None],
    input: Array,
    hx: Array,
    cx: Array,
    weight_ih: Array,
    weight_hh: Array,
    kept: LstmCell,
    needs: Sequence[bool],
) -> tuple[Any, ...]:
    """The gradients of input, first states, weights and biases (the two biases share one)."""
    hidden = hx.shape[1]
    gates, tanh_cell = kept.gates, kept.tanh_cell
    i, f, g, o = (gates[:, k * hidden : (k + 1) * hidden] for k in range(4))
    if grad[0] is None:
        dh = grad[1]
    else:
        dh = grad[0][0] if grad[1] is None else grad[0][0] + grad[1]
    dc = grad[2]
    d = np.empty_like(gates)
    if dh is None:
        d[:, 3 * hidden :] = 0
    else:
        np.multiply(dh, tanh_cell, out=d[:, 3 * hidden :])
        through = 1 - tanh_cell * tanh_cell
        through *= o
        through *= dh
        dc = through if dc is None else np.add(through, dc, out=through)
    assert dc is not None  # some gradient has come
    np.multiply(dc, g, out=d[:, :hidden])
    np.multiply(dc, cx, out=d[:, hidden : 2 * hidden])
    np.multiply(dc, i, out=d[:, 2 * hidden : 3 * hidden])
    # the derivatives of the gates' own functions: s - s^2, and 1 - t^2
    slopes = gates * gates
    np.subtract(gates, slopes, out=slopes)
    cell_slopes = slopes[:, 2 * hidden : 3 * hidden]
    cell_slopes -= g
    cell_slopes += 1
    d *= slopes
    found: list[Any] = [None] * 8
    if needs[0]:
        found[0] = dot(d, weight_ih)[None]
    if needs[1]:
        found[1] = dot(d, weight_hh)
    if needs[2]:
        found[2] = dc * f
    if needs[3]:
        found[3] = dot(d.T, input[0])
    if needs[4]:
        found[4] = dot(d.T, hx)
    if needs[5] or needs[6]:
        found[5] = d.sum(0)
        found[6] = found[5].copy()
    return tuple(found)
