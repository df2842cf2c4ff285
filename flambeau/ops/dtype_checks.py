"""Refusals of operands whose dtype an operation has no arithmetic for."""

from __future__ import annotations

from typing import Any

from .. import dtypes


def type_word(array: Any) -> str:
    """PyTorch's word for the dtype of ``array``, such as ``Float`` or ``Long``."""
    from ..tensor.views import _type_word

    return _type_word(dtypes.from_numpy_dtype(array.dtype))


def require_kinds(kernel: str, kinds: str, *operands: Any) -> None:
    """Raise unless every array among ``operands`` has a dtype of ``kinds`` (as NumPy's letters).

    Raises:
        NotImplementedError: naming ``kernel``, as PyTorch names what is missing.
    """
    for operand in operands:
        dtype = getattr(operand, "dtype", None)
        if (
            dtype is not None
            and dtype.kind not in kinds
            and not (dtype.kind == "V" and "f" in kinds)
        ):
            raise NotImplementedError(f"\"{kernel}\" not implemented for '{type_word(operand)}'")


INTEGERS = "iu"
NUMBERS = "iufc"
REALS = "iuf"
ORDERED = "biuf"
FLOATING = "f"
