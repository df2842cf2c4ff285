"""Special functions (``torch.special``).

Bessel, Airy, incomplete gamma, zeta and scaled error functions are computed by SciPy, which is
imported when one of them is first called: ``pip install 'flambeau[special]'``.

Source: https://docs.pytorch.org/docs/stable/special.html
"""

from __future__ import annotations

from typing import Any

from .ops import PUBLIC, logarithms
from .ops import special_functions as _functions
from .tensor import Tensor

__all__ = [
    "airy_ai", "bessel_j0", "bessel_j1", "bessel_y0", "bessel_y1", "chebyshev_polynomial_t",
    "chebyshev_polynomial_u", "chebyshev_polynomial_v", "chebyshev_polynomial_w", "digamma",
    "entr", "erf", "erfc", "erfcx", "erfinv", "exp2", "expit", "expm1", "gammainc", "gammaincc",
    "gammaln", "hermite_polynomial_h", "hermite_polynomial_he", "i0", "i0e", "i1", "i1e",
    "laguerre_polynomial_l", "legendre_polynomial_p", "log1p", "log_ndtr", "log_softmax", "logit",
    "logsumexp", "modified_bessel_i0", "modified_bessel_i1", "modified_bessel_k0",
    "modified_bessel_k1", "multigammaln", "ndtr", "ndtri", "polygamma", "psi", "round",
    "scaled_modified_bessel_k0", "scaled_modified_bessel_k1", "shifted_chebyshev_polynomial_t",
    "shifted_chebyshev_polynomial_u", "shifted_chebyshev_polynomial_v",
    "shifted_chebyshev_polynomial_w", "sinc", "softmax", "spherical_bessel_j0", "xlog1py", "xlogy",
    "zeta",
]  # fmt: skip

airy_ai = _functions.airy_ai.function
bessel_j0 = _functions.bessel_j0.function
bessel_j1 = _functions.bessel_j1.function
bessel_y0 = _functions.bessel_y0.function
bessel_y1 = _functions.bessel_y1.function
chebyshev_polynomial_t = _functions.chebyshev_polynomial_t.function
chebyshev_polynomial_u = _functions.chebyshev_polynomial_u.function
chebyshev_polynomial_v = _functions.chebyshev_polynomial_v.function
chebyshev_polynomial_w = _functions.chebyshev_polynomial_w.function
digamma = PUBLIC["digamma"]
entr = _functions.entr.function
erf = PUBLIC["erf"]
erfc = PUBLIC["erfc"]
erfcx = _functions.erfcx.function
erfinv = PUBLIC["erfinv"]
exp2 = PUBLIC["exp2"]
expit = PUBLIC["sigmoid"]
expm1 = PUBLIC["expm1"]
gammainc = PUBLIC["igamma"]
gammaincc = PUBLIC["igammac"]
gammaln = PUBLIC["lgamma"]
hermite_polynomial_h = _functions.hermite_polynomial_h.function
hermite_polynomial_he = _functions.hermite_polynomial_he.function
i0 = PUBLIC["i0"]
i0e = _functions.i0e.function
i1 = _functions.i1.function
i1e = _functions.i1e.function
laguerre_polynomial_l = _functions.laguerre_polynomial_l.function
legendre_polynomial_p = _functions.legendre_polynomial_p.function
log1p = PUBLIC["log1p"]
log_ndtr = _functions.log_ndtr.function
logit = PUBLIC["logit"]
logsumexp = PUBLIC["logsumexp"]
modified_bessel_i0 = _functions.modified_bessel_i0.function
modified_bessel_i1 = _functions.modified_bessel_i1.function
modified_bessel_k0 = _functions.modified_bessel_k0.function
modified_bessel_k1 = _functions.modified_bessel_k1.function
multigammaln = PUBLIC["mvlgamma"]
ndtr = _functions.ndtr.function
ndtri = _functions.ndtri.function
polygamma = PUBLIC["polygamma"]
psi = PUBLIC["digamma"]
round = PUBLIC["round"]
scaled_modified_bessel_k0 = _functions.scaled_modified_bessel_k0.function
scaled_modified_bessel_k1 = _functions.scaled_modified_bessel_k1.function
shifted_chebyshev_polynomial_t = _functions.shifted_chebyshev_polynomial_t.function
shifted_chebyshev_polynomial_u = _functions.shifted_chebyshev_polynomial_u.function
shifted_chebyshev_polynomial_v = _functions.shifted_chebyshev_polynomial_v.function
shifted_chebyshev_polynomial_w = _functions.shifted_chebyshev_polynomial_w.function
sinc = PUBLIC["sinc"]
spherical_bessel_j0 = _functions.spherical_bessel_j0.function
xlog1py = logarithms.xlog1py.function
xlogy = PUBLIC["xlogy"]
zeta = _functions.zeta.function


def softmax(input: Tensor, dim: int, dtype: Any = None) -> Tensor:
    """Exponentials over their sum along ``dim``; see :func:`flambeau.nn.functional.softmax`.

    Args:
        input: (*), floating-point, or converted to ``dtype`` first.
        dim: along which the results add up to 1.
        dtype: of the result; ``input``'s by default.

    Returns:
        (*).

    Raises:
        IndexError: ``input`` has no such dim.
        NotImplementedError: the dtype is not a floating-point one.
    """
    return PUBLIC["softmax"](input, dim, dtype=dtype)


def log_softmax(input: Tensor, dim: int, dtype: Any = None) -> Tensor:
    """The logarithm of :func:`softmax`; see :func:`flambeau.nn.functional.log_softmax`.

    Args:
        input: (*), floating-point, or converted to ``dtype`` first.
        dim: along which the exponentials of the results add up to 1.
        dtype: of the result; ``input``'s by default.

    Returns:
        (*).

    Raises:
        IndexError: ``input`` has no such dim.
        NotImplementedError: the dtype is not a floating-point one.
    """
    return PUBLIC["log_softmax"](input, dim, dtype=dtype)
