"""Special functions on NumPy arrays: SciPy's where it is installed, else Python's, slowly."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from . import numpy_erf


def _special(name: str, fallback: Callable[[float], float] | None) -> Callable[[Any], Any]:
    """The function ``scipy.special.<name>``, looked up when it is first called."""
    function: Callable[[Any], Any] | None = None

    def special(x: Any) -> Any:
        nonlocal function
        if function is None:
            try:
                import scipy.special

                function = getattr(scipy.special, name)
            except ImportError:
                if fallback is None:
                    raise ImportError(
                        f"{name} needs SciPy: pip install 'flambeau[special]'"
                    ) from None
                elementwise = np.frompyfunc(fallback, 1, 1)
                function = lambda a: np.asarray(elementwise(a), a.dtype)  # noqa: E731
        return function(x)

    special.__name__ = name
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
lgamma = _special("gammaln", _lgamma)
digamma = _special("digamma", None)
erfinv = _special("erfinv", None)


def polygamma(n: int, x: Any) -> Any:
    """The ``n``-th derivative of :func:`digamma`."""
    try:
        import scipy.special
    except ImportError:
        raise ImportError("polygamma needs SciPy: pip install 'flambeau[special]'") from None
    return np.asarray(scipy.special.polygamma(n, x), x.dtype)
