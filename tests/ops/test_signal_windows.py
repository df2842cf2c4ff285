"""The windows of ``torch.signal.windows``, against PyTorch."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import flambeau
from flambeau.signal import windows

OPTIONS: dict[str, list[dict[str, Any]]] = {
    "exponential": [{}, {"tau": 3.0}, {"sym": False, "center": 1.0, "tau": 2.0}],
    "gaussian": [{}, {"std": 0.7}],
    "general_cosine": [{"a": [0.5, 0.3, 0.2]}],
    "general_hamming": [{}, {"alpha": 0.6}],
    "kaiser": [{}, {"beta": 0.0}],
}


@pytest.mark.parametrize("name", windows.__all__)
@pytest.mark.parametrize("sym", [True, False])
def test_a_window_is_pytorchs(name: str, sym: bool) -> None:
    pytorch = pytest.importorskip("torch.signal")
    torch = pytest.importorskip("torch")
    for length in (0, 1, 2, 7, 10):
        for options in OPTIONS.get(name, [{}]):
            chosen = {"sym": sym, **options}
            found = getattr(windows, name)(length, dtype=flambeau.float64, **chosen)
            theirs = getattr(pytorch.windows, name)(length, dtype=torch.float64, **chosen)
            np.testing.assert_allclose(found, theirs, rtol=1e-9, atol=1e-12)


def test_a_hann_window_is_the_square_of_a_sine() -> None:
    window = flambeau.signal.windows.hann(5, requires_grad=True)
    assert window.dtype is flambeau.float32 and window.requires_grad
    np.testing.assert_allclose(window.detach(), [0.0, 0.5, 1.0, 0.5, 0.0], atol=1e-7)


def test_what_is_no_window_is_refused() -> None:
    with pytest.raises(ValueError, match="requires non-negative window length, got M=-1"):
        windows.hann(-1)
    with pytest.raises(ValueError, match="expects float32 or float64 dtypes, got: torch.int64"):
        windows.gaussian(3, dtype=flambeau.int64)
    with pytest.raises(ValueError, match="Standard deviation must be positive"):
        windows.gaussian(3, std=0.0)
    with pytest.raises(ValueError, match="Center must be None for symmetric windows"):
        windows.exponential(3, center=1.0)
    with pytest.raises(ValueError, match="Coefficients cannot be empty"):
        windows.general_cosine(3, a=[])
