"""The Fourier transform of a signal's overlapping frames, and back.

Source: https://docs.pytorch.org/docs/stable/generated/torch.stft.html
"""

from __future__ import annotations

from typing import Any

import flambeau

from ..tensor import Tensor
from .value_checks import refuse

__all__ = ["istft", "stft"]


def _sizes(
    name: str, n_fft: int, hop_length: int | None, win_length: int | None, window: Any
) -> tuple[int, Tensor | None]:
    """The hop, and the window padded to ``n_fft`` samples (None: all ones)."""
    hop = n_fft // 4 if hop_length is None else hop_length
    width = n_fft if win_length is None else win_length
    if hop <= 0:
        raise RuntimeError(f"{name}: expected hop_length > 0, but got hop_length={hop}")
    if not 0 < width <= n_fft:
        raise RuntimeError(
            f"{name}: expected 0 < win_length <= n_fft, but got win_length={width}, n_fft={n_fft}"
        )
    if window is not None and tuple(window.shape) != (width,):
        raise RuntimeError(
            f"{name}: expected a 1D window tensor of size equal to win_length={width}, but got "
            f"window with size {list(window.shape)}"
        )
    if width < n_fft:
        left = (n_fft - width) // 2
        window = flambeau.ones(width) if window is None else window
        window = flambeau.nn.functional.pad(window, (left, n_fft - width - left))
    return hop, window


def stft(
    input: Tensor,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Tensor | None = None,
    center: bool = True,
    pad_mode: str = "reflect",
    normalized: bool = False,
    onesided: bool | None = None,
    return_complex: bool | None = None,
    align_to_window: bool | None = None,
) -> Tensor:
    """The Fourier transforms of overlapping frames of a signal.

    Args:
        input: ``(T)`` or ``(N, T)``, real or complex.
        n_fft: samples of a frame.
        hop_length: samples from one frame to the next, by default ``n_fft // 4``.
        win_length: samples of the window, by default ``n_fft``.
        window: ``(win_length,)`` that each frame is multiplied by; ones if left out.
        center: pad the signal so that frame ``t`` is centred at sample ``t * hop_length``.
        pad_mode: how, as in ``nn.functional.pad``.
        normalized: divide by ``sqrt(n_fft)``.
        onesided: only the frequencies up to half the rate; by default for real signals.
        return_complex: give complex numbers; False: a last dimension of real and imaginary part.
        align_to_window: changes nothing here.

    Returns:
        ``(N, frequencies, frames)``, complex; ``(..., 2)`` with ``return_complex=False``.

    Raises:
        RuntimeError: ``return_complex`` left out for a real signal, or sizes that do not fit.
    """
    is_complex = input.is_complex() or (window is not None and window.is_complex())
    if return_complex is None:
        if not is_complex:
            raise RuntimeError(
                "stft requires the return_complex parameter be given for real inputs, and will "
                "further require that return_complex=True in a future PyTorch release."
            )
        return_complex = True
    if input.dim() not in (1, 2):
        raise RuntimeError(f"stft: expected a 1D or 2D tensor, got {input.dim()}D")
    hop, window = _sizes("stft", n_fft, hop_length, win_length, window)
    signal = input if input.dim() == 2 else input.unsqueeze(0)
    if center:
        half = n_fft // 2
        signal = flambeau.nn.functional.pad(signal.unsqueeze(1), (half, half), pad_mode).squeeze(1)
    if not 0 < n_fft <= signal.size(1):
        raise RuntimeError(
            f"stft: expected 0 < n_fft <= {signal.size(1)}, but got n_fft={n_fft} for an input of "
            f"shape {list(input.shape)}"
        )
    frames = signal.unfold(1, n_fft, hop)
    if window is not None:
        frames = frames * window
    norm = "ortho" if normalized else "backward"
    if onesided is False or is_complex:
        if onesided and is_complex:
            raise RuntimeError("Cannot have onesided output if window or input is complex")
        result = flambeau.fft.fft(frames, norm=norm)
    else:
        result = flambeau.fft.rfft(frames, norm=norm)
    result = result.transpose(1, 2)
    if input.dim() == 1:
        result = result.squeeze(0)
    return result if return_complex else flambeau.view_as_real(result)


def istft(
    input: Tensor,
    n_fft: int,
    hop_length: int | None = None,
    win_length: int | None = None,
    window: Tensor | None = None,
    center: bool = True,
    normalized: bool = False,
    onesided: bool | None = None,
    length: int | None = None,
    return_complex: bool = False,
) -> Tensor:
    """The signal whose ``stft`` is the nearest to ``input``, by overlapping and adding frames.

    Args:
        input: ``(N, frequencies, frames)`` or ``(frequencies, frames)``, complex.
        n_fft, hop_length, win_length, window, center, normalized, onesided: as of :func:`stft`;
            ``onesided`` is by default read off the number of frequencies.
        length: samples of the result; by default as many as the frames say.
        return_complex: whether the signal is complex.

    Returns:
        ``(N, T)`` or ``(T)``.

    Raises:
        RuntimeError: a real ``input``, or windows that leave a sample without weight.
    """
    if not input.is_complex():
        raise RuntimeError(
            "istft requires a complex-valued input tensor matching the output from stft with "
            "return_complex=True."
        )
    hop, window = _sizes("istft", n_fft, hop_length, win_length, window)
    spectrum = (input if input.dim() == 3 else input.unsqueeze(0)).transpose(1, 2)
    if onesided is None:
        onesided = spectrum.size(-1) != n_fft
    norm = "ortho" if normalized else "backward"
    if return_complex or not onesided:
        frames = flambeau.fft.ifft(spectrum, n_fft, norm=norm)
        frames = frames if return_complex else frames.real
    else:
        frames = flambeau.fft.irfft(spectrum, n_fft, norm=norm)
    if window is None:
        window = flambeau.ones(n_fft, dtype=frames.real.dtype)
    count = frames.size(1)
    total = n_fft + hop * (count - 1)
    places = flambeau.arange(count).unsqueeze(1) * hop + flambeau.arange(n_fft)
    places = places.reshape(-1)
    added = frames.new_zeros(frames.size(0), total)
    added = added.index_add(1, places, (frames * window).flatten(1))
    weights = window.new_zeros(total)
    weights = weights.index_add(0, places, (window * window).expand(count, n_fft).reshape(-1))
    start = n_fft // 2 if center else 0
    end = total - start if length is None else min(start + length, total)
    added, weights = added[:, start:end], weights[start:end]
    refuse(
        weights.detach().abs().min() < 1e-11,
        RuntimeError,
        "window overlap add min: 1: some samples are in no frame, or where all windows are 0",
    )
    result = added / weights
    if length is not None and result.size(1) < length:
        result = flambeau.nn.functional.pad(result, (0, length - result.size(1)))
    return result if input.dim() == 3 else result.squeeze(0)
