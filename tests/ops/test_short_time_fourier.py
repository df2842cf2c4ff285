"""Windows, and Fourier transforms of frames."""

from __future__ import annotations

import math

import pytest

import flambeau as torch


def test_hann_window_is_a_squared_sine() -> None:
    assert torch.hann_window(4).tolist() == pytest.approx([0, 0.5, 1, 0.5])
    assert torch.hann_window(5, periodic=False).tolist() == pytest.approx([0, 0.5, 1, 0.5, 0])


@pytest.mark.parametrize("name", ["hann", "hamming", "blackman", "bartlett", "kaiser"])
def test_windows_are_symmetric_with_peak_one(name: str) -> None:
    window = getattr(torch, f"{name}_window")
    values = window(9, periodic=False, dtype=torch.float64)
    assert values.tolist() == pytest.approx(values.flip(0).tolist())
    assert values[4].item() == pytest.approx(1)
    assert torch.equal(window(8, dtype=torch.float64), values[:8])
    assert window(1).item() == 1 and window(0).shape == (0,)
    with pytest.raises(RuntimeError, match="non-negative"):
        window(-1)
    with pytest.raises(RuntimeError, match="floating point dtypes"):
        window(3, dtype=torch.int64)


def test_a_frame_s_transform_is_found_by_its_sum() -> None:
    signal = torch.arange(12.0, dtype=torch.float64)
    found = torch.stft(signal, 4, hop_length=2, center=False, return_complex=True)
    assert found.shape == (3, 5)
    expected = sum(
        signal[2 + n].item() * complex(math.cos(math.pi * n / 2), -math.sin(math.pi * n / 2))
        for n in range(4)
    )
    assert found[1, 1].item() == pytest.approx(expected)


@pytest.mark.parametrize(
    "options",
    [
        {"n_fft": 8},
        {"n_fft": 8, "hop_length": 3},
        {"n_fft": 9, "win_length": 6, "window": True},
        {"n_fft": 8, "normalized": True, "onesided": False},
    ],
)
def test_istft_is_the_inverse_with_a_gradient(options: dict[str, object]) -> None:
    if options.get("window"):
        options = options | {"window": torch.hann_window(6, dtype=torch.float64)}
    torch.manual_seed(0)
    signal = torch.randn(2, 40, dtype=torch.float64, requires_grad=True)
    back = torch.istft(torch.stft(signal, return_complex=True, **options), length=36, **options)
    assert torch.allclose(back, signal[:, :36])
    (gradient,) = torch.autograd.grad(back.sum(), signal)
    assert torch.allclose(gradient[:, :36], torch.ones(2, 36, dtype=torch.float64))


def test_wrong_calls_are_refused() -> None:
    signal = torch.ones(20)
    with pytest.raises(RuntimeError, match="requires the return_complex parameter"):
        torch.stft(signal, 8)
    with pytest.raises(RuntimeError, match="window"):
        torch.stft(signal, 8, window=torch.ones(7), return_complex=True)
    with pytest.raises(RuntimeError, match="complex-valued input"):
        torch.istft(torch.ones(5, 4), 8)
