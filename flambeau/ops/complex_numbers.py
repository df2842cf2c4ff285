"""Complex numbers: making them, their parts, and what is not holomorphic.

The vjps here are in PyTorch's convention as they stand (:mod:`flambeau.autograd.conjugation`);
those of all other operations are written as for real numbers.  A conjugate is computed when it is
asked for; PyTorch marks the tensor and conjugates later.

Source: https://docs.pytorch.org/docs/stable/complex_numbers.html
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..tensor import Tensor
from .dims import require_tensors
from .dtype_checks import type_word
from .operation import Array, composite, operation
from .pointwise import direction

_COMPLEX_SAMPLES: tuple[Any, ...] = (((3, 4), (3, 4)), ((2, 1), (3,)))


# -- making them ------------------------------------------------------------------------------


@operation(promote="number", method=False, holomorphic=False, name="complex",
           samples=_COMPLEX_SAMPLES)  # fmt: skip
def complex(xp, real: Array, imag: Array):
    """The complex numbers of real parts ``real`` and imaginary parts ``imag``.

    Args:
        real, imag: float16, float32 or float64, both the same; their shapes broadcast.

    Returns:
        Their broadcast shape: complex128 of float64, else complex64.

    Raises:
        RuntimeError: another dtype, or two different ones.
    """
    return xp.complex(real, imag)


@complex.vjp("real")
def _(xp, grad):
    return xp.real(grad)


@complex.vjp("imag")
def _(xp, grad):
    return xp.imag(grad)


@complex.checked_operands
def _require_parts(real, imag):
    for operand in (real, imag):
        if operand._array.dtype.name not in ("float16", "float32", "float64"):
            raise RuntimeError(
                "Expected both inputs to be Half, Float or Double tensors but got "
                f"{type_word(real._array)} and {type_word(imag._array)}"
            )
    if real._array.dtype != imag._array.dtype:
        raise RuntimeError(
            f"Expected object of scalar type {type_word(real._array)} but got scalar type "
            f"{type_word(imag._array)} for second argument"
        )


@composite(method=False)
def polar(abs: Tensor, angle: Tensor, *, out: Any = None) -> Tensor:
    """The complex numbers of magnitudes ``abs`` and angles ``angle`` (radians).

    Args:
        abs, angle: float32 or float64, both the same; their shapes broadcast.
        out: a tensor to write the result into (RuntimeError: its dtype cannot hold it).

    Returns:
        Their broadcast shape: complex128 of float64, else complex64.

    Raises:
        TypeError: an argument is no tensor.
        RuntimeError: another dtype, two different ones, or the shapes do not broadcast.
    """
    require_tensors("polar", abs=abs, angle=angle)
    _require_parts(abs, angle)
    result = complex(abs * angle.cos(), abs * angle.sin())  # type: ignore[attr-defined]
    if out is not None:
        from ..tensor.views import write_out

        return write_out("polar", result, out)
    return result


@operation(view=True, method=False, holomorphic=False, samples=(("complex",), ("complex()",)))
def view_as_real(xp, input: Array):
    """The real and imaginary parts, side by side in a last dim of size 2; shares the memory.

    Args:
        input: (*), complex.

    Returns:
        (*, 2), float32 or float64.

    Raises:
        RuntimeError: ``input`` is not complex.
    """
    shape = (*input.shape, 1)
    parts = [xp.reshape(xp.real(input), shape), xp.reshape(xp.imag(input), shape)]
    return xp.cat(parts, len(shape) - 1)


@view_as_real.kernel
def _(input):
    if input.dtype.kind != "c":
        raise ValueError("not complex")  # the general path says it in PyTorch's words
    half = np.dtype(f"f{input.dtype.itemsize // 2}")
    return _as_dtype(input[..., None], half, (*input.shape, 2), (*input.strides, half.itemsize))


@view_as_real.vjp("input")
def _(xp, grad):
    return xp.complex(xp.slice(grad, _last(grad, 0)), xp.slice(grad, _last(grad, 1)))


@view_as_real.checked
def _(input):
    if input.dtype.kind != "c":
        raise RuntimeError("view_as_real is only supported for complex tensors")


def _last(x: Any, place: int) -> tuple[Any, ...]:
    return (*(slice(None),) * (x.ndim - 1), place)


def _as_dtype(array: Any, dtype: Any, shape: Any, strides: Any) -> Any:
    """The memory of ``array`` read as another dtype."""
    owner = array
    while isinstance(owner.base, np.ndarray):
        owner = owner.base
    if owner.flags.c_contiguous or owner.flags.f_contiguous:
        offset = array.ctypes.data - owner.ctypes.data
        flat = owner if owner.flags.c_contiguous else owner.T
        try:
            return np.ndarray(shape, dtype, flat, offset, strides)
        except (TypeError, ValueError, BufferError):  # read-only memory
            pass
    return array.view(dtype).reshape(shape)


@operation(view=True, method=False, holomorphic=False, samples=(((3, 2),), ((2,),)))
def view_as_complex(xp, input: Array):
    """Pairs in a last dim of size 2 as complex numbers; shares the memory.

    Args:
        input: (*, 2), float32 or float64; the two lie side by side in memory.

    Returns:
        (*), complex64 or complex128.

    Raises:
        RuntimeError: another dtype, shape or layout.
    """
    return xp.complex(xp.slice(input, _last(input, 0)), xp.slice(input, _last(input, 1)))


@view_as_complex.kernel
def _(input):
    if input.dtype.name not in ("float32", "float64") or input.shape[-1:] != (2,):
        raise ValueError("no pairs")
    if not input.size:
        return np.empty(input.shape[:-1], f"c{input.dtype.itemsize * 2}")
    if any(s % (2 * input.itemsize) for s in input.strides[:-1]) or (
        input.strides[-1] != input.itemsize
    ):
        raise ValueError("the pairs do not lie side by side")
    dtype = np.dtype(f"c{input.dtype.itemsize * 2}")
    return _as_dtype(input, dtype, input.shape[:-1], input.strides[:-1])


@view_as_complex.vjp("input")
def _(xp, grad):
    shape = (*grad.shape, 1)
    parts = [xp.reshape(xp.real(grad), shape), xp.reshape(xp.imag(grad), shape)]
    return xp.cat(parts, len(shape) - 1)


@view_as_complex.checked
def _(input):
    if input.dtype.name not in ("float32", "float64"):
        raise RuntimeError(
            "view_as_complex is only supported for half, float and double tensors, but got a "
            f"tensor of scalar type: {type_word(input)}"
        )
    if not input.ndim:
        raise RuntimeError("Input tensor must have one or more dimensions")
    if input.shape[-1] != 2:
        raise RuntimeError("Tensor must have a last dimension of size 2")
    if isinstance(input, np.ndarray) and input.size:
        step = input.itemsize
        if input.strides[-1] != step:
            raise RuntimeError("Tensor must have a last dimension with stride 1")
        for dim in range(input.ndim - 1):
            if input.strides[dim] % (2 * step):
                raise RuntimeError(
                    f"Tensor must have a stride divisible by 2 for all but last dimension (dim "
                    f"{dim} has {input.strides[dim] // step})"
                )


# -- parts ------------------------------------------------------------------------------------


@operation(view=True, public=False, method=False, holomorphic=False, name="real_part",
           node_name="RealBackward0", samples=(("complex",),))  # fmt: skip
def real_part(xp, input: Array):
    """The real parts of complex numbers; shares the memory."""
    return xp.real(input)


@real_part.vjp("input")
def _(xp, grad):
    return xp.complex(grad, xp.full(tuple(grad.shape), 0, xp.dtype(grad)))


@real_part.scattered
def _(xp, base, values):
    return xp.complex(values, xp.imag(base))


@operation(view=True, public=False, method=False, holomorphic=False, name="imaginary_part",
           node_name="ImagBackward0", samples=(("complex",),))  # fmt: skip
def imaginary_part(xp, input: Array):
    """The imaginary parts of complex numbers; shares the memory."""
    return xp.imag(input)


@imaginary_part.vjp("input")
def _(xp, grad):
    return xp.complex(xp.full(tuple(grad.shape), 0, xp.dtype(grad)), grad)


@imaginary_part.scattered
def _(xp, base, values):
    return xp.complex(xp.real(base), values)


@composite(method=False)
def real(input: Tensor) -> Tensor:
    """The real parts, sharing the memory; a real tensor itself.

    Args:
        input: (*), any shape.

    Returns:
        (*), of the real dtype of ``input``'s precision.
    """
    return real_part(input) if input._array.dtype.kind == "c" else input


@composite(method=False)
def imag(input: Tensor) -> Tensor:
    """The imaginary parts, sharing the memory.

    Args:
        input: (*), complex.

    Returns:
        (*), of the real dtype of ``input``'s precision.

    Raises:
        RuntimeError: ``input`` is not complex.
    """
    if input._array.dtype.kind != "c":
        raise RuntimeError("imag is not implemented for tensors with non-complex dtypes.")
    return imaginary_part(input)


def _set_real(self: Tensor, value: Any) -> None:
    real(self).copy_(_as_tensor(value, self))  # type: ignore[attr-defined]


def _set_imag(self: Tensor, value: Any) -> None:
    imag(self).copy_(_as_tensor(value, self))  # type: ignore[attr-defined]


def _as_tensor(value: Any, like: Tensor) -> Tensor:
    if isinstance(value, Tensor):
        return value
    from ..tensor.creation import made

    return made(np.asarray(value, like._array.real.dtype))


Tensor.real = property(real, _set_real)  # type: ignore[attr-defined]
Tensor.imag = property(imag, _set_imag)  # type: ignore[attr-defined]


@operation(public=False, method=False, holomorphic=False, name="conj", out=False,
           samples=(("complex",),))  # fmt: skip
def conjugate(xp, input: Array):
    """The complex conjugates."""
    return xp.conj(input)


@conjugate.vjp("input")
def _(xp, grad):
    return xp.conj(grad)


@composite
def conj(input: Tensor) -> Tensor:
    """The complex conjugates, in memory of their own; a real tensor itself.

    Args:
        input: (*), any shape.

    Returns:
        (*), of ``input``'s dtype.
    """
    return conjugate(input) if input._array.dtype.kind == "c" else input


@composite
def conj_physical(input: Tensor, *, out: Any = None) -> Tensor:
    """The complex conjugates (:func:`conj`, which marks nothing for later here).

    Args:
        input: (*), any shape.
        out: a tensor to write the result into (RuntimeError: its dtype cannot hold it).

    Returns:
        (*), of ``input``'s dtype; a real tensor itself.
    """
    if out is not None:
        from ..tensor.views import write_out

        return write_out("conj_physical", conj(input), out)
    return conj(input)


@composite
def conj_physical_(input: Tensor) -> Tensor:
    """Conjugate ``input``, (*), in place, and return it."""
    from ..tensor.views import write_in_place

    return write_in_place(input, conj, (), {}, "conj_physical_")


@composite
def resolve_conj(input: Tensor) -> Tensor:
    """``input`` itself: no conjugation is put off."""
    return input


@composite
def resolve_neg(input: Tensor) -> Tensor:
    """``input`` itself: no negation is put off."""
    return input


@composite
def is_conj(input: Tensor) -> bool:
    """Whether a conjugation of ``input`` is put off, a bool: never, here."""
    return False


@composite
def is_neg(input: Tensor) -> bool:
    """Whether a negation of ``input`` is put off, a bool: never, here."""
    return False


@operation(promote="float", dtypes="inexact", holomorphic=False,
           samples=(((3, 4),), ("complex",)))  # fmt: skip
def angle(xp, input: Array):
    """The angle of each number, in radians: of negative real numbers pi.

    Args:
        input: (*), any shape.

    Returns:
        (*), real: the real dtype of ``input``'s precision, or for whole numbers the default one.
    """
    if xp.dtype(input).kind == "c":
        return xp.atan2(xp.imag(input), xp.real(input))
    zero = xp.full((), 0, xp.dtype(input))
    straight = xp.where(xp.lt(input, 0), xp.full((), math.pi, xp.dtype(input)), zero)
    return xp.where(xp.isnan(input), input, straight)


@angle.vjp("input")
def _(xp, grad, input):
    if xp.dtype(input).kind != "c":
        return xp.full(tuple(grad.shape), 0, xp.dtype(grad))
    x, y = xp.real(input), xp.imag(input)
    square = x * x + y * y
    zero = xp.full((), 0, xp.dtype(grad))
    share = xp.where(xp.eq(square, 0), zero, grad / xp.where(xp.eq(square, 0), zero + 1, square))
    return xp.complex(-share * y, share * x)


@operation(dtypes="number", inplace=True, holomorphic=False,
           samples=(((3, 4),), ("complex",)))  # fmt: skip
def sgn(xp, input: Array):
    """Each number divided by its magnitude, 0 for 0: the sign of real numbers.

    Args:
        input: (*), any shape.

    Returns:
        (*), of ``input``'s dtype.
    """
    kind = xp.dtype(input).kind
    if kind == "b":
        return xp.copy(input)
    return direction(xp, input) if kind == "c" else xp.sign(input)


@sgn.vjp("input")
def _(xp, grad, input, out):
    if xp.dtype(input).kind != "c":
        return xp.full(tuple(grad.shape), 0, xp.dtype(grad))
    size = xp.abs(input)
    nowhere = xp.eq(size, 0)
    one = xp.full((), 1, xp.dtype(size))
    share = grad / xp.where(nowhere, one, size)
    along = xp.real(share) * xp.real(out) + xp.imag(share) * xp.imag(out)
    across = share - out * along
    return xp.where(nowhere, xp.full((), 0, xp.dtype(across)), across)


# -- transposes -------------------------------------------------------------------------------


@composite
def adjoint(input: Tensor) -> Tensor:
    """The last two dims swapped, and conjugated.

    Args:
        input: (*, m, n).

    Returns:
        (*, n, m), of ``input``'s dtype; a view if it is real.

    Raises:
        RuntimeError: ``input`` has fewer than two dims.
    """
    if input.dim() < 2:
        raise RuntimeError(
            f"tensor.adjoint() is only supported on matrices or batches of matrices. Got "
            f"{input.dim()}-D tensor."
        )
    return conj(input.transpose(-2, -1))  # type: ignore[attr-defined]


def _matrix_adjoint(self: Tensor) -> Tensor:
    """A matrix (m, n) transposed and conjugated, (n, m); a tensor without dims conjugated.

    Raises:
        RuntimeError: the tensor has another number of dims.
    """
    if self.dim() not in (0, 2):
        raise RuntimeError(
            f"tensor.H is only supported on matrices (2-D tensors). Got {self.dim()}-D tensor. "
            "For batches of matrices, consider using tensor.mH"
        )
    return adjoint(self) if self.dim() else conj(self)


Tensor.H = property(_matrix_adjoint)  # type: ignore[attr-defined]
Tensor.mH = property(adjoint)  # type: ignore[attr-defined]
