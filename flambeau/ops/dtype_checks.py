"""Refusals of operands whose dtype an operation has no arithmetic for."""

from __future__ import annotations

from typing import Any

from .. import dtypes


def type_word(array: Any) -> str:
    """PyTorch's word for the dtype of ``array``, such as ``Float`` or ``Long``."""
    from ..tensor.views import _type_word

    return _type_word(dtypes.from_numpy_dtype(array.dtype))


_CPP_WORDS = {
    "Long": "long int", "Short": "short int", "Char": "signed char", "Byte": "unsigned char",
    "ComplexDouble": "c10::complex<double>", "ComplexFloat": "c10::complex<float>",
    "Half": "c10::Half", "BFloat16": "c10::BFloat16",
}  # fmt: skip


def cpp_word(word: str) -> str:
    """C++'s name for the dtype that :func:`type_word` calls ``word``: PyTorch uses both."""
    return _CPP_WORDS.get(word, word.lower())


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

_TAKEN = {
    # the kernel's name in PyTorch, and the kinds of dtypes that it has arithmetic for
    "f": {
        "elu": "elu_cpu", "frac": "frac_cpu", "gelu": "GeluKernelImpl", "glu": "glu_cpu",
        "hardshrink": "hardshrink_cpu", "hardsigmoid": "hardsigmoid_cpu",
        "hardswish": "hardswish_cpu", "leaky_relu": "leaky_relu_cpu",
        "logaddexp2": "logaddexp2_cpu", "logsigmoid": "log_sigmoid_cpu", "mish": "mish_cpu",
        "softplus": "softplus_cpu", "softshrink": "softshrink_check",
    },
    "fc": {
        "lerp": "lerp_kernel_scalar", "logaddexp": "logaddexp_cpu",
        "logcumsumexp": "logcumsumexp_out_cpu", "silu": "silu_cpu",
    },
    "biuf": {
        "digamma": "digamma", "entr": "entr_cpu", "erf": "erf_vml_cpu", "erfc": "erfc_vml_cpu",
        "erfinv": "erfinv_vml_cpu", "i0": "i0_vml_cpu", "lgamma": "lgamma_vml_cpu",
        "log_softmax_along": "log_softmax_lastdim_kernel_impl", "logit": "logit_cpu",
        "ndtr": "erf_vml_cpu", "round": "round_vml_cpu",
        "softmax_along": "softmax_lastdim_kernel_impl", "threshold": "threshold_cpu",
        "xlog1py": "xlog1py_cpu", "xlogy": "xlogy_cpu",
        **{name: f"{name}_cpu" for name in (
            "i0e i1 i1e erfcx ndtri log_ndtr airy_ai bessel_j0 bessel_j1 bessel_y0 bessel_y1 "
            "modified_bessel_i0 modified_bessel_i1 modified_bessel_k0 modified_bessel_k1 "
            "scaled_modified_bessel_k0 scaled_modified_bessel_k1 spherical_bessel_j0 zeta "
            "chebyshev_polynomial_t chebyshev_polynomial_u chebyshev_polynomial_v "
            "chebyshev_polynomial_w shifted_chebyshev_polynomial_t shifted_chebyshev_polynomial_u "
            "shifted_chebyshev_polynomial_v shifted_chebyshev_polynomial_w hermite_polynomial_h "
            "hermite_polynomial_he laguerre_polynomial_l legendre_polynomial_p"
        ).split()},
        "polygamma": "polygamma",
    },
}  # fmt: skip
TAKEN = {name: (kernel, kinds) for kinds, of in _TAKEN.items() for name, kernel in of.items()}
"""For operations by name: PyTorch's kernel, and the kinds that it takes (as NumPy's letters)."""

_NOT_COMPLEX: dict[str, tuple[type[Exception], str]] = {
    "sign": (NotImplementedError, "Unlike NumPy, torch.sign is not intended to support complex "
             "numbers. Please use torch.sgn instead."),
    "signbit": (NotImplementedError, "signbit is not implemented for complex tensors."),
    "heaviside": (RuntimeError, "heaviside is not yet implemented for complex tensors."),
    **{name: (NotImplementedError, f"{name} is not supported for complex inputs")
       for name in ("floor", "ceil", "trunc")},
    **{name: (RuntimeError, f"{name} is not supported for complex tensors.")
       for name in ("deg2rad", "rad2deg")},
    **dict.fromkeys(
        ("clamp_number", "clamp_min", "clamp_max", "hardtanh", "relu6"),
        (NotImplementedError, "clamp is not supported for complex types"),
    ),
}  # fmt: skip

RESTRICTED = TAKEN.keys() | _NOT_COMPLEX.keys()
"""The operations that :func:`refuse_dtypes` knows."""

_REFUSED = {
    "f": "an operand is not of a floating-point dtype", "fc": "an operand is an integer or bool",
    "biuf": "an operand is complex",
}  # fmt: skip


def refused_dtypes(name: str) -> str | None:
    """What :func:`refuse_dtypes` raises for operation ``name``, as a line of its docstring."""
    if name in TAKEN:
        return f"NotImplementedError: {_REFUSED[TAKEN[name][1]]}."
    if name in _NOT_COMPLEX:
        return f"{_NOT_COMPLEX[name][0].__name__}: an operand is complex."
    return None


_ORDER = "biufc"


def refuse_dtypes(name: str, operands: Any) -> None:
    """Raise what PyTorch raises if operation ``name`` has no arithmetic for its operands.

    Args:
        name: the operation's.
        operands: tensors and numbers as given, before they are brought to a common dtype.
    Raises:
        NotImplementedError: naming PyTorch's kernel, or in its words.
        RuntimeError: where PyTorch raises this.
    """
    words = _NOT_COMPLEX.get(name)
    kernel, kinds = TAKEN.get(name, ("", _ORDER))
    if words is None and not kernel:
        return
    highest = None
    for operand in operands:
        array = getattr(operand, "_array", None)
        if array is None:
            continue
        kind = _kind(array)
        if highest is None or _ORDER.index(kind) > _ORDER.index(_kind(highest)):
            highest = array
    if highest is None:
        return
    if words is not None and _kind(highest) == "c":
        raise words[0](words[1])
    if _kind(highest) not in kinds:
        raise NotImplementedError(f"\"{kernel}\" not implemented for '{type_word(highest)}'")


def _kind(array: Any) -> str:
    kind = array.dtype.kind
    return "f" if kind == "V" else kind
