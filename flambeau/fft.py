"""Discrete Fourier transforms (``torch.fft``), with gradients.

``norm`` says which direction is scaled: ``"backward"`` (the default) the backward transform by
1 / n, ``"forward"`` the forward transform by 1 / n, ``"ortho"`` both by 1 / sqrt(n).

Source: https://docs.pytorch.org/docs/stable/fft.html
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from . import dtypes
from .namespaces.primitives import complex_dtype
from .ops.conversion import to
from .ops.dims import wrap_dim
from .ops.fourier import fft_c2c, fft_c2r, fft_r2c
from .ops.shape import cat, constant_pad, narrow, roll
from .tensor import Tensor
from .tensor.sequences import arange
from .tensor.views import write_out

__all__ = [
    "fft", "fft2", "fftfreq", "fftn", "fftshift", "hfft", "hfft2", "hfftn", "ifft", "ifft2",
    "ifftn", "ifftshift", "ihfft", "ihfft2", "ihfftn", "irfft", "irfft2", "irfftn", "rfft",
    "rfft2", "rfftfreq", "rfftn",
]  # fmt: skip


# -- arguments --------------------------------------------------------------------------------


def _scaled(result: Tensor, norm: str | None, forward: bool, count: int) -> Tensor:
    """``result`` of a transform of ``count`` elements, scaled as ``norm`` says."""
    if norm not in (None, "backward", "forward", "ortho"):
        raise RuntimeError(f'Invalid normalization mode: "{norm}"')
    if norm == "ortho":
        return result * (1 / math.sqrt(count)) if count else result
    if (norm == "forward") == forward and count:
        return result * (1 / count)
    return result


def _prepared(name: str, input: Any, wanted: str) -> Tensor:
    """``input`` as a floating tensor: ``wanted`` is "complex", "real" or "any"."""
    if not isinstance(input, Tensor):
        raise TypeError(
            f"fft_{name}(): argument 'input' (position 1) must be Tensor, "
            f"not {type(input).__name__}"
        )
    kind = input._array.dtype.kind
    if kind == "c":
        if wanted == "real":
            raise RuntimeError(f"{name} expects a real input tensor, but got {_word(input)}")
        return input
    if kind in "iub":
        input = to(input, dtypes.get_default_dtype())
    if input._array.dtype.name not in ("float32", "float64"):
        raise RuntimeError(f"Unsupported dtype {_word(input)}")
    if wanted == "complex":
        complex_ = complex_dtype(input._array.dtype)
        return to(input, dtypes.from_numpy_dtype(complex_))
    return input


def _word(tensor: Tensor) -> str:
    from .tensor.views import _type_word

    return _type_word(tensor.dtype)


def _resized(input: Tensor, sizes: dict[int, int]) -> Tensor:
    """``input`` cut, or filled up with zeros, to ``sizes`` (of some dims)."""
    widths = [0] * (2 * input.dim())
    padded = False
    for dim, n in sizes.items():
        if n < 1:
            raise RuntimeError(f"Invalid number of data points ({n}) specified")
        found = input._array.shape[dim]
        if n < found:
            input = narrow(input, dim, 0, n)
        elif n > found:
            widths[2 * dim + 1] = n - found
            padded = True
    if not padded:
        return input
    pairs = [(widths[2 * dim], widths[2 * dim + 1]) for dim in range(input.dim())]
    return constant_pad(input, pairs)


def _one(input: Tensor, dim: int, n: int | None) -> tuple[int, int]:
    """The dim and the size of a transform in one dim."""
    if not input.dim():
        raise _no_dims(dim)
    dim = wrap_dim(dim, input.dim())
    size = input._array.shape[dim] if n is None else n
    if size < 1:
        raise RuntimeError(f"Invalid number of data points ({size}) specified")
    return dim, size


def _no_dims(dim: int) -> IndexError:
    return IndexError(f"Dimension specified as {dim} but tensor has no dimensions")


def _several(input: Tensor, s: Any, dim: Any) -> tuple[list[int], list[int | None]]:
    """The dims of a transform in several, and the sizes asked for (None: as it is)."""
    if isinstance(s, int):
        s = (s,)
    if isinstance(dim, int):
        dim = (dim,)
    ndim = input.dim()
    if dim is not None:
        if not ndim and dim:
            raise _no_dims(dim[0])
        dims = [wrap_dim(d, ndim) for d in dim]
        if len(set(dims)) != len(dims):
            raise RuntimeError("FFT dims must be unique")
        if s is not None and len(s) != len(dims):
            raise RuntimeError("When given, dim and shape arguments must have the same length")
    elif s is not None:
        if len(s) > ndim:
            raise RuntimeError(
                f"Got shape with {len(s)} values but input tensor only has {ndim} dimensions."
            )
        dims = list(range(ndim - len(s), ndim))
    else:
        dims = list(range(ndim))
    sizes = [None if s is None or s[i] == -1 else int(s[i]) for i in range(len(dims))]
    for size in sizes:
        if size is not None and size < 1:
            raise RuntimeError(f"Invalid number of data points ({size}) specified")
    return dims, sizes


def _given(result: Tensor, out: Any, name: str) -> Tensor:
    return result if out is None else write_out(name, result, out)


# -- transforms of complex numbers ------------------------------------------------------------


def _complex(
    name: str,
    input: Any,
    sizes: Sequence[int | None],
    dims: Sequence[int],
    norm: Any,
    forward: bool,
) -> Tensor:
    resized = {d: n for d, n in zip(dims, sizes) if n is not None}
    input = _resized(input, resized)
    _refuse_empty(input, dims)
    if not dims:
        return input
    count = math.prod(input._array.shape[d] for d in dims)
    return _scaled(fft_c2c(input, tuple(dims), forward), norm, forward, count)


def _refuse_empty(input: Tensor, dims: Sequence[int]) -> None:
    for dim in dims:
        if input._array.shape[dim] < 1:
            raise RuntimeError(
                f"Invalid number of data points ({input._array.shape[dim]}) specified"
            )


def fft(
    input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None, *, out: Any = None
) -> Tensor:
    """The discrete Fourier transform of one dim.

    Args:
        input: (*), real or complex.
        n: cut, or fill up with zeros, to this size first.
        dim: which dim.
        norm: "backward", "forward" or "ortho".
        out: to put the result into.
    Returns:
        complex, the shape of ``input`` with ``n`` in ``dim``.
    """
    input = _prepared("fft", input, "complex")
    dim, n = _one(input, dim, n)
    return _given(_complex("fft", input, [n], [dim], norm, True), out, "fft")


def ifft(
    input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None, *, out: Any = None
) -> Tensor:
    """The inverse of :func:`fft`.

    Args:
        input: (*), real or complex.
        n: the size of ``dim`` to cut, or fill up with zeros, to.
        dim: which dim.
        norm: "backward", "forward" or "ortho".
        out: to put the result into.

    Returns:
        The shape with n at ``dim``, complex.

    Raises:
        RuntimeError: there is nothing to transform, ``n`` is below 1, or another ``norm``.
        IndexError: ``input`` has no dim ``dim``.
    """
    input = _prepared("ifft", input, "complex")
    dim, n = _one(input, dim, n)
    return _given(_complex("ifft", input, [n], [dim], norm, False), out, "ifft")


def fftn(
    input: Tensor, s: Any = None, dim: Any = None, norm: str | None = None, *, out: Any = None
) -> Tensor:
    """The discrete Fourier transform of several dims (all if neither ``s`` nor ``dim`` is given).

    Args:
        input: (*), real or complex.
        s: the sizes to cut, or fill up with zeros, to; -1 leaves one as it is.
        dim: which dims; the last ``len(s)`` by default.
        norm: "backward", "forward" or "ortho".
        out: to put the result into.

    Returns:
        The shape with ``s`` at ``dim``, complex.

    Raises:
        RuntimeError: there is nothing to transform, a size or dim that does not fit, or another
            ``norm``.
    """
    input = _prepared("fftn", input, "complex")
    dims, sizes = _several(input, s, dim)
    return _given(_complex("fftn", input, sizes, dims, norm, True), out, "fftn")


def ifftn(
    input: Tensor, s: Any = None, dim: Any = None, norm: str | None = None, *, out: Any = None
) -> Tensor:
    """The inverse of :func:`fftn`.

    Args:
        input: (*), real or complex.
        s: the sizes to cut, or fill up with zeros, to; -1 leaves one as it is.
        dim: which dims; the last ``len(s)`` by default.
        norm: "backward", "forward" or "ortho".
        out: to put the result into.

    Returns:
        The shape with ``s`` at ``dim``, complex.

    Raises:
        RuntimeError: there is nothing to transform, a size or dim that does not fit, or another
            ``norm``.
    """
    input = _prepared("ifftn", input, "complex")
    dims, sizes = _several(input, s, dim)
    return _given(_complex("ifftn", input, sizes, dims, norm, False), out, "ifftn")


# -- transforms of real numbers ---------------------------------------------------------------


def _to_half(
    name: str, input: Any, s: Any, dim: Any, norm: Any, forward: bool, one: bool
) -> Tensor:
    """The half spectrum of real ``input``; its conjugate if not ``forward``."""
    input = _prepared(name, input, "real")
    dims, sizes = ([dim], [s]) if one else _several(input, s, dim)
    if one:
        d, n = _one(input, dim, s)
        dims, sizes = [d], [n]
    if not dims:
        raise RuntimeError(f"{name} must transform at least one axis")
    input = _resized(input, {d: n for d, n in zip(dims, sizes) if n is not None})
    _refuse_empty(input, dims)
    count = math.prod(input._array.shape[d] for d in dims)
    result = _scaled(fft_r2c(input, tuple(dims)), norm, forward, count)
    return result if forward else result.conj()


def _from_half(
    name: str, input: Any, s: Any, dim: Any, norm: Any, forward: bool, one: bool
) -> Tensor:
    """Real numbers of a half spectrum, by the backward transform (or, conjugated, the forward)."""
    input = _prepared(name, input, "complex")
    if one:
        if not input.dim():
            raise _no_dims(dim)
        dims = [wrap_dim(dim, input.dim())]
        sizes: list[int | None] = [s]
    else:
        dims, sizes = _several(input, s, dim)
    if not dims:
        raise RuntimeError(f"{name} must transform at least one axis")
    last = sizes[-1]
    n = 2 * (input._array.shape[dims[-1]] - 1) if last is None else last
    if n < 1:
        raise RuntimeError(f"Invalid number of data points ({n}) specified")
    resized = {d: size for d, size in zip(dims[:-1], sizes) if size is not None}
    input = _resized(input, {**resized, dims[-1]: n // 2 + 1})
    _refuse_empty(input, dims)
    if forward:
        input = input.conj()
    count = n * math.prod(input._array.shape[d] for d in dims[:-1])
    return _scaled(fft_c2r(input, tuple(dims), n), norm, forward, count)


def rfft(
    input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None, *, out: Any = None
) -> Tensor:
    """:func:`fft` of real numbers: the frequencies 0 to n // 2; the others are their conjugates.

    Args:
        input: (*), real.
        n: the size of ``dim`` to cut, or fill up with zeros, to.
        dim: which dim.
        norm: "backward", "forward" or "ortho".
        out: to put the result into.

    Returns:
        The shape with n // 2 + 1 at ``dim``, complex.

    Raises:
        RuntimeError: ``input`` is complex, there is nothing to transform, ``n`` is below 1, or
            another ``norm``.
        IndexError: ``input`` has no dim ``dim``.
    """
    return _given(_to_half("rfft", input, n, dim, norm, True, True), out, "rfft")


def irfft(
    input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None, *, out: Any = None
) -> Tensor:
    """The inverse of :func:`rfft`.

    Args:
        input: (*, n // 2 + 1, *), real or complex.
        n: the size of ``dim`` in the result; 2 * (frequencies - 1) by default.
        dim: which dim.
        norm: "backward", "forward" or "ortho".
        out: to put the result into.

    Returns:
        The shape with n at ``dim``, real.

    Raises:
        RuntimeError: ``n`` is below 1, or another ``norm``.
        IndexError: ``input`` has no dim ``dim``.
    """
    return _given(_from_half("irfft", input, n, dim, norm, False, True), out, "irfft")


def rfftn(
    input: Tensor, s: Any = None, dim: Any = None, norm: str | None = None, *, out: Any = None
) -> Tensor:
    """:func:`fftn` of real numbers: of the last dim the frequencies 0 to n // 2.

    Args:
        input: (*), real.
        s: the sizes to cut, or fill up with zeros, to; -1 leaves one as it is.
        dim: which dims; the last ``len(s)`` by default.
        norm: "backward", "forward" or "ortho".
        out: to put the result into.

    Returns:
        The shape with ``s`` at ``dim``, the last of them n // 2 + 1, complex.

    Raises:
        RuntimeError: ``input`` is complex, there is nothing to transform, a size or dim that does
            not fit, or another ``norm``.
    """
    return _given(_to_half("rfftn", input, s, dim, norm, True, False), out, "rfftn")


def irfftn(
    input: Tensor, s: Any = None, dim: Any = None, norm: str | None = None, *, out: Any = None
) -> Tensor:
    """The inverse of :func:`rfftn`.

    Args:
        input: (*), of the last dim the frequencies 0 to n // 2.
        s: the sizes in the result; -1 leaves one as it is; of the last 2 * (frequencies - 1).
        dim: which dims; the last ``len(s)`` by default.
        norm: "backward", "forward" or "ortho".
        out: to put the result into.

    Returns:
        The shape with ``s`` at ``dim``, real.

    Raises:
        RuntimeError: there is nothing to transform, a size or dim that does not fit, or another
            ``norm``.
    """
    return _given(_from_half("irfftn", input, s, dim, norm, False, False), out, "irfftn")


def hfft(
    input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None, *, out: Any = None
) -> Tensor:
    """:func:`fft` of a signal that is its own conjugate reversed, given by its first half: real.

    Args:
        input: (*, n // 2 + 1, *), real or complex.
        n: the size of ``dim`` in the result; 2 * (entries - 1) by default.
        dim: which dim.
        norm: "backward", "forward" or "ortho".
        out: to put the result into.

    Returns:
        The shape with n at ``dim``, real.

    Raises:
        RuntimeError: ``n`` is below 1, or another ``norm``.
        IndexError: ``input`` has no dim ``dim``.
    """
    return _given(_from_half("hfft", input, n, dim, norm, True, True), out, "hfft")


def ihfft(
    input: Tensor, n: int | None = None, dim: int = -1, norm: str | None = None, *, out: Any = None
) -> Tensor:
    """The inverse of :func:`hfft`.

    Args:
        input: (*), real.
        n: the size of ``dim`` to cut, or fill up with zeros, to.
        dim: which dim.
        norm: "backward", "forward" or "ortho".
        out: to put the result into.

    Returns:
        The shape with n // 2 + 1 at ``dim``, complex.

    Raises:
        RuntimeError: ``input`` is complex, there is nothing to transform, ``n`` is below 1, or
            another ``norm``.
        IndexError: ``input`` has no dim ``dim``.
    """
    return _given(_to_half("ihfft", input, n, dim, norm, False, True), out, "ihfft")


def hfftn(
    input: Tensor, s: Any = None, dim: Any = None, norm: str | None = None, *, out: Any = None
) -> Tensor:
    """:func:`hfft` of several dims, the last of which is given by its first half.

    Args:
        input: (*), real or complex.
        s: the sizes in the result; -1 leaves one as it is; of the last 2 * (entries - 1).
        dim: which dims; the last ``len(s)`` by default.
        norm: "backward", "forward" or "ortho".
        out: to put the result into.

    Returns:
        The shape with ``s`` at ``dim``, real.

    Raises:
        RuntimeError: there is nothing to transform, a size or dim that does not fit, or another
            ``norm``.
    """
    input = _prepared("hfftn", input, "complex")
    return _given(_from_half("hfftn", input, s, dim, norm, True, False), out, "hfftn")


def ihfftn(
    input: Tensor, s: Any = None, dim: Any = None, norm: str | None = None, *, out: Any = None
) -> Tensor:
    """The inverse of :func:`hfftn`.

    Args:
        input: (*), real.
        s: the sizes to cut, or fill up with zeros, to; -1 leaves one as it is.
        dim: which dims; the last ``len(s)`` by default.
        norm: "backward", "forward" or "ortho".
        out: to put the result into.

    Returns:
        The shape with ``s`` at ``dim``, the last of them n // 2 + 1, complex.

    Raises:
        RuntimeError: ``input`` is complex, there is nothing to transform, a size or dim that does
            not fit, or another ``norm``.
    """
    return _given(_to_half("ihfftn", input, s, dim, norm, False, False), out, "ihfftn")


# -- two dims ---------------------------------------------------------------------------------


def _two(several: Callable[..., Tensor], name: str) -> Callable[..., Tensor]:
    def function(
        input: Tensor, s: Any = None, dim: Any = (-2, -1), norm: str | None = None, *,
        out: Any = None,
    ) -> Tensor:  # fmt: skip
        return several(input, s, dim, norm, out=out)

    function.__name__ = function.__qualname__ = name
    function.__doc__ = (several.__doc__ or "").replace(
        "    dim: which dims; the last ``len(s)`` by default.", "    dim: the two dims."
    ).replace(":func:`fftn`", ":func:`fft2`")  # fmt: skip
    return function


fft2 = _two(fftn, "fft2")
ifft2 = _two(ifftn, "ifft2")
rfft2 = _two(rfftn, "rfft2")
irfft2 = _two(irfftn, "irfft2")
hfft2 = _two(hfftn, "hfft2")
ihfft2 = _two(ihfftn, "ihfft2")


# -- frequencies ------------------------------------------------------------------------------


def fftfreq(
    n: int, d: float = 1.0, *, out: Any = None, dtype: Any = None, layout: Any = None,
    device: Any = None, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """The frequencies of :func:`fft`'s results, in cycles per unit.

    Args:
        n: how many samples.
        d: their distance, in that unit (seconds, for frequencies in Hz).
        out: to put the result into.
        dtype: of the result; the default one.
        layout, device: change nothing here.
        requires_grad: whether the result is a leaf that gets a gradient.

    Returns:
        (n): from 0 upwards, then the negative ones.
    """
    wanted = dtypes.get_default_dtype() if dtype is None else dtype
    positive = arange(0, (n + 1) // 2, dtype=wanted, device=device)
    negative = arange(-(n // 2), 0, dtype=wanted, device=device)
    result = cat((positive, negative)) * (1 / (n * d))
    return _finished(result, out, requires_grad, "fftfreq")


def rfftfreq(
    n: int, d: float = 1.0, *, out: Any = None, dtype: Any = None, layout: Any = None,
    device: Any = None, requires_grad: bool = False,
) -> Tensor:  # fmt: skip
    """The frequencies of :func:`rfft`'s results, in cycles per unit.

    Args:
        n: how many samples.
        d: their distance, in that unit (seconds, for frequencies in Hz).
        out: to put the result into.
        dtype: of the result; the default one.
        layout, device: change nothing here.
        requires_grad: whether the result is a leaf that gets a gradient.

    Returns:
        (n // 2 + 1): from 0 upwards.
    """
    wanted = dtypes.get_default_dtype() if dtype is None else dtype
    result = arange(n // 2 + 1, dtype=wanted, device=device) * (1 / (n * d))
    return _finished(result, out, requires_grad, "rfftfreq")


def _finished(result: Tensor, out: Any, requires_grad: bool, name: str) -> Tensor:
    if requires_grad:
        result.requires_grad = True
    return _given(result, out, name)


def _shift_dims(input: Tensor, dim: Any) -> list[int]:
    if dim is None:
        return list(range(input.dim()))
    return [wrap_dim(d, input.dim()) for d in ((dim,) if isinstance(dim, int) else dim)]


def fftshift(input: Tensor, dim: Any = None) -> Tensor:
    """The elements moved so that the frequency 0 is in the middle.

    Args:
        input: (*), any shape.
        dim: an int or several; None: all.

    Returns:
        (*), of ``input``'s dtype.

    Raises:
        IndexError: a dim that is not there.
    """
    dims = _shift_dims(input, dim)
    return roll(input, tuple(input._array.shape[d] // 2 for d in dims), tuple(dims))


def ifftshift(input: Tensor, dim: Any = None) -> Tensor:
    """The inverse of :func:`fftshift`.

    Args:
        input: (*), any shape.
        dim: an int or several; None: all.

    Returns:
        (*), of ``input``'s dtype.

    Raises:
        IndexError: a dim that is not there.
    """
    dims = _shift_dims(input, dim)
    return roll(input, tuple((input._array.shape[d] + 1) // 2 for d in dims), tuple(dims))
