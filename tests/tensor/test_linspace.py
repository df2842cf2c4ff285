"""`linspace` gives PyTorch's values, in every precision (recorded from 2.13)."""

from __future__ import annotations

import hashlib

import flambeau as torch


def test_equal_steps_are_pytorchs_to_the_bit():
    digest = hashlib.md5()
    for steps in range(2, 100):
        for start, end in ((0, 0.99), (-1.3, 2.7), (5, -5)):
            for kind in (torch.float32, torch.float64, torch.float16):
                digest.update(torch.linspace(start, end, steps, dtype=kind).numpy().tobytes())
    assert digest.hexdigest() == "c8d544bb8a4ff661526969c342051cff"
