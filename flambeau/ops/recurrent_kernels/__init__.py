"""Recurrent layers on NumPy: a Python loop over time of few calls into preallocated memory.

Inside the loop arrays are turned, (gates, N): a gate of all sequences is one block of memory, and
every ufunc runs over one block.  Inputs' and weights' products are taken of all steps at once,
before the loop (inputs) and behind it (weights' gradients); the biases are one more column of the
weights.  ``sigmoid(x)`` is ``(1 + tanh(x / 2)) / 2``, the halves being in the weights, so that one
call of tanh does all gates.

Packed rows are what is worked on; of a padded batch all steps have the same number of sequences.
The user may write to the outputs in place, so the backward pass has a copy of its own.
"""

from __future__ import annotations

from . import gru, lstm, lstm_cell, plain
from .steps import fits

__all__ = ["fits", "gru", "lstm", "lstm_cell", "plain"]
