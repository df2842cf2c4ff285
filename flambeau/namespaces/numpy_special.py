"""Special functions on NumPy arrays: SciPy's where it is installed, else Python's, slowly."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from . import numpy_erf


def needs_scipy(name: str) -> ImportError:
    """What to raise where ``name`` is called and SciPy is not there."""
    return ImportError(f"{name} needs SciPy: pip install 'flambeau[special]'")


def _special(
    name: str, fallback: Callable[[float], float] | None = None, public: str | None = None
) -> Callable[..., Any]:
    """The function ``scipy.special.<name>``, looked up when it is first called.

    ``public`` is the name that users know it by, if it is another.
    """
    function: Callable[..., Any] | None = None

    def special(*arrays: Any) -> Any:
        nonlocal function
        if function is None:
            try:
                import scipy.special

                function = getattr(scipy.special, name)
            except ImportError:
                if fallback is None:
                    raise needs_scipy(public or name) from None
                elementwise = np.frompyfunc(fallback, 1, 1)
                function = lambda a: np.asarray(elementwise(a), a.dtype)  # noqa: E731
        return function(*arrays)

    special.__name__ = public or name
    return special


def _lgamma(x: float) -> float:
    if math.isnan(x):
        return x
    if math.isinf(x) or (x <= 0 and x == math.floor(x)):
        return math.inf
    return math.lgamma(x)


_erf = _special("erf", math.erf)
_MANY = 1024
"""Elements from which on the blocks of :mod:`.numpy_erf` are faster than SciPy."""


def erf(x: Any) -> Any:
    """The error function."""
    if x.dtype == np.float32 and x.size >= _MANY:
        return numpy_erf.erf(x)
    return _erf(x)


erfc = _special("erfc", math.erfc)
_gammaln = _special("gammaln", _lgamma, public="lgamma")
digamma = _special("digamma")
erfinv = _special("erfinv")
erfcx = _special("erfcx")
ndtri = _special("ndtri")
i0 = _special("i0")
i0e = _special("i0e")
i1 = _special("i1")
i1e = _special("i1e")
bessel_j0 = _special("j0", public="bessel_j0")
bessel_j1 = _special("j1", public="bessel_j1")
bessel_y0 = _special("y0", public="bessel_y0")
bessel_y1 = _special("y1", public="bessel_y1")
modified_bessel_k0 = _special("k0", public="modified_bessel_k0")
modified_bessel_k1 = _special("k1", public="modified_bessel_k1")
scaled_modified_bessel_k0 = _special("k0e", public="scaled_modified_bessel_k0")
scaled_modified_bessel_k1 = _special("k1e", public="scaled_modified_bessel_k1")
igamma = _special("gammainc", public="igamma")
igammac = _special("gammaincc", public="igammac")
zeta = _special("zeta")
_airy = _special("airy", public="airy_ai")


def lgamma(x: Any) -> Any:
    """The logarithm of the absolute value of the gamma function, inf at both infinities."""
    result = _gammaln(x)
    return np.where(result == -np.inf, np.asarray(np.inf, result.dtype), result)


def airy_ai(x: Any) -> Any:
    """The Airy function Ai."""
    return _airy(x)[0]


def polygamma(n: int, x: Any) -> Any:
    """The ``n``-th derivative of :func:`digamma`."""
    try:
        import scipy.special
    except ImportError:
        raise needs_scipy("polygamma") from None
    return np.asarray(scipy.special.polygamma(n, x), x.dtype)
