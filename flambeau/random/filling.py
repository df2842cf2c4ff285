"""Tensor methods that fill a tensor with random numbers in place (``normal_``, ``uniform_``, ...).

PyTorch fills a tensor in the order in which its elements lie in memory, whatever its strides. So do
these: a transposed tensor gets the numbers that its memory, read through, would have got.

Source: the in-place random sampling of `torch.Tensor
<https://docs.pytorch.org/docs/stable/torch.html#in-place-random-sampling>`_.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from flambeau.autograd.grad_mode import GRAD_MODE
from flambeau.modes import MODES
from flambeau.ops.operation import Array, operation
from flambeau.random import sampling
from flambeau.random.generator import Generator
from flambeau.random.memory_order import draw_like
from flambeau.tensor import Tensor, wrap
from flambeau.tensor.views import assign, check_writable, write_in_place

__all__ = [
    "bernoulli_", "cauchy_", "exponential_", "geometric_", "log_normal_", "normal_", "random_",
    "uniform_",
]  # fmt: skip

_SCALAR_TYPES = {
    "float32": "Float", "float64": "Double", "float16": "Half", "bfloat16": "BFloat16",
    "int64": "Long", "int32": "Int", "int16": "Short", "int8": "Char", "uint8": "Byte",
    "uint16": "UInt16", "uint32": "UInt32", "uint64": "UInt64", "bool": "Bool",
    "complex64": "ComplexFloat", "complex128": "ComplexDouble",
    "float8_e4m3fn": "Float8_e4m3fn", "float8_e5m2": "Float8_e5m2",
}  # fmt: skip
_C_TYPES = {
    "float32": "float", "float64": "double", "float16": "c10::Half", "bfloat16": "c10::BFloat16",
    "int64": "long", "int32": "int", "int16": "short", "int8": "signed char",
    "uint8": "unsigned char", "bool": "bool",
}  # fmt: skip
_DIGITS = {"float64": 53, "float32": 24, "float16": 11, "bfloat16": 8}
_REAL = frozenset(_C_TYPES)


@cache
def name_of(dtype: np.dtype) -> str:
    """``dtype.name``, which NumPy computes anew each time it is asked for."""
    return dtype.name


@cache
def _limits(dtype: np.dtype) -> tuple[int, int]:
    """The least and the greatest integer of an integral dtype."""
    if dtype.kind == "b":
        return 0, 1
    limits = np.iinfo(dtype)
    return int(limits.min), int(limits.max)


@cache
def _largest(dtype: np.dtype) -> float:
    """The greatest finite number of a floating dtype."""
    if name_of(dtype) == "bfloat16":
        return 2.0**128 - 2.0**120
    return float(np.finfo(dtype).max)


def checked_generator(name: str, generator: Any) -> Generator | None:
    """``generator``; TypeError if it is none."""
    if generator is not None and not isinstance(generator, Generator):
        raise TypeError(
            f"{name}(): argument 'generator' must be torch.Generator, "
            f"not {type(generator).__name__}"
        )
    return generator


def require_dtype(dtype: np.dtype, known: Any, kernel: str) -> None:
    """Refuse a dtype that a distribution is not for, as PyTorch's kernel of it does."""
    if name_of(dtype) not in known:
        raise NotImplementedError(
            f"\"{kernel}\" not implemented for '{_SCALAR_TYPES.get(dtype.name, dtype.name)}'"
        )


@operation(public=False, method=False, out=False, node_name="NormalBackward0",
           samples=(((3, 4), (3, 4)),))  # fmt: skip
def drawn_over(xp: Any, input: Array, values: Array) -> Any:
    """``values``, random numbers in the place of ``input``, on which they do not depend."""
    return values + 0


@drawn_over.vjp("input")
def _(xp: Any, grad: Any) -> Any:
    return grad * 0


def _fill(
    tensor: Tensor,
    name: str,
    sampler: Callable[..., np.ndarray],
    *parameters: Any,
    generator: Generator | None,
) -> Tensor:
    generator = checked_generator(name, generator)
    check_writable(tensor, name)
    array = tensor._array
    contiguous = array.__class__ is not np.ndarray or bool(array.flags.c_contiguous)
    drawn = draw_like(
        array, sampler, array.dtype, *parameters, generator=generator, contiguous=contiguous
    )
    return _replace(tensor, name, drawn)


def _replace(tensor: Tensor, name: str, drawn: Any) -> Tensor:
    """Put the array ``drawn`` into ``tensor``."""
    values = wrap(drawn)
    if tensor._requires_grad and GRAD_MODE.enabled:
        return write_in_place(tensor, drawn_over.function, (values,), {}, name)
    if tensor._array.__class__ is not np.ndarray and MODES.capture is None:
        values = values.to(tensor.device)  # type: ignore[attr-defined]
    return assign(tensor, values, name)


# -- the methods ----------------------------------------------------------------------------------


def uniform_(
    self: Tensor, from_: float = 0.0, to: float = 1.0, *, generator: Any = None, **named: float
) -> Tensor:
    """Fill with numbers uniform in [``from``, ``to``), and return the tensor.

    Args:
        from: the lower end, included (a keyword of Python's: pass it by position).
        to: the upper end, not included.
        generator: to draw from, by default the default one.

    Raises:
        RuntimeError: if ``from`` is greater than ``to``.
        NotImplementedError: if the tensor is not of a floating or complex dtype.
    """
    low, high = _named("uniform_", "from", from_, named), to
    array = self._array
    dtype = np.dtype(f"f{array.dtype.itemsize // 2}") if array.dtype.kind == "c" else array.dtype
    require_dtype(dtype, _DIGITS, "check_uniform_bounds")
    largest = _largest(dtype)
    for bound, value in (("from", low), ("to", high)):
        if not -largest <= value <= largest:
            raise RuntimeError(f"{bound} is out of bounds for {_C_TYPES[dtype.name]}")
    if low > high:
        raise RuntimeError(
            f"uniform_ expects to return a [from, to) range, but found from={_number(low)} > "
            f"to={_number(high)}"
        )
    if high - low > largest:
        limit = f"std::numeric_limits<{_SCALAR_TYPES[dtype.name]}>::max()"
        raise RuntimeError(
            f"uniform_ expects to-from <= {limit}, but found to={_number(high)} and "
            f"from={_number(low)} which result in to-from to exceed the limit"
        )
    return _fill(self, "uniform_", sampling.uniform, float(low), float(high), generator=generator)


def normal_(self: Tensor, mean: float = 0.0, std: float = 1.0, *, generator: Any = None) -> Tensor:
    """Fill with normally distributed numbers, and return the tensor.

    Args:
        mean: their mean.
        std: their standard deviation, not negative.
        generator: to draw from, by default the default one.

    Raises:
        RuntimeError: if ``std`` is negative.
        NotImplementedError: if the tensor is not of a floating or complex dtype.
    """
    check_std(std)
    if self._array.dtype.kind != "c":
        require_dtype(self._array.dtype, _DIGITS, "normal_kernel_cpu")
    return _fill(self, "normal_", sampling.normal, float(mean), float(std), generator=generator)


def check_std(std: float) -> None:
    """Refuse a negative standard deviation."""
    if not std >= 0:
        raise RuntimeError(f"normal expects std >= 0.0, but found std {_number(std)}")


def log_normal_(
    self: Tensor, mean: float = 1.0, std: float = 2.0, *, generator: Any = None
) -> Tensor:
    """Fill with numbers whose logarithm is normally distributed, and return the tensor.

    Args:
        mean: the mean of the logarithm.
        std: the standard deviation of the logarithm, positive.
        generator: to draw from, by default the default one.

    Raises:
        RuntimeError: ``std`` is not positive.
        NotImplementedError: the tensor is not of a floating-point dtype.
    """
    if not std > 0:
        raise RuntimeError(f"log_normal_ expects std > 0.0, but found std={_number(std)}")
    require_dtype(self._array.dtype, _DIGITS, "log_normal_cpu")
    return _fill(
        self, "log_normal_", sampling.log_normal, float(mean), float(std), generator=generator
    )


def exponential_(self: Tensor, lambd: float = 1.0, *, generator: Any = None) -> Tensor:
    """Fill with exponentially distributed numbers, and return the tensor.

    Args:
        lambd: the rate, positive.
        generator: to draw from, by default the default one.

    Raises:
        RuntimeError: ``lambd`` is not positive, or the tensor's dtype not a floating-point one.
    """
    if not lambd > 0:
        raise RuntimeError(f"exponential_ expects lambda > 0.0, but found lambda={_number(lambd)}")
    if name_of(self._array.dtype) not in _DIGITS:
        raise RuntimeError(
            "Exponential distribution is a continuous probability distribution. dtype must be a "
            f"floating point but you specified {_SCALAR_TYPES[self._array.dtype.name]}"
        )
    return _fill(self, "exponential_", sampling.exponential, float(lambd), generator=generator)


def cauchy_(
    self: Tensor, median: float = 0.0, sigma: float = 1.0, *, generator: Any = None
) -> Tensor:
    """Fill with numbers of the Cauchy distribution, and return the tensor.

    Args:
        median: the distribution's median.
        sigma: its half width at half maximum, positive.
        generator: to draw from, by default the default one.

    Raises:
        RuntimeError: ``sigma`` is not positive, or the tensor's dtype not a floating-point one.
    """
    if not sigma > 0:
        raise RuntimeError(f"cauchy_ expects sigma > 0.0, but found sigma={_number(sigma)}")
    if name_of(self._array.dtype) not in _DIGITS:
        raise RuntimeError(
            "Cauchy distribution is a continuous probability distribution. dtype must be a "
            f"floating point but you specified {_SCALAR_TYPES[self._array.dtype.name]}"
        )
    return _fill(self, "cauchy_", sampling.cauchy, float(median), float(sigma), generator=generator)


def geometric_(self: Tensor, p: float, *, generator: Any = None) -> Tensor:
    """Fill with the numbers of trials until one succeeds, and return the tensor.

    Args:
        p: the probability of success, in (0, 1).
        generator: to draw from, by default the default one.

    Raises:
        RuntimeError: ``p`` is not in (0, 1).
        NotImplementedError: the tensor is bool or complex.
    """
    if not 0 < p < 1:
        raise RuntimeError(f"geometric_ expects p to be in (0, 1), but got p={_number(p)}")
    require_dtype(self._array.dtype, _REAL - {"bool"}, "geometric_cpu")
    return _fill(self, "geometric_", sampling.geometric, float(p), generator=generator)


def bernoulli_(self: Tensor, p: float | Tensor = 0.5, *, generator: Any = None) -> Tensor:
    """Fill with ones and zeros, and return the tensor.

    Args:
        p: the probability of one, or a tensor of such, of a shape that expands to this one's.
        generator: to draw from, by default the default one.

    Raises:
        RuntimeError: if a probability is not in [0, 1].
        NotImplementedError: the tensor is complex.
    """
    if isinstance(p, Tensor):
        generator = checked_generator("bernoulli_", generator)
        check_writable(self, "bernoulli_")
        ones = bernoulli_of(self._array, p, generator)
        return _replace(self, "bernoulli_", ones.to(self.dtype)._array)  # type: ignore[attr-defined]
    check_probability(p)
    require_dtype(self._array.dtype, _REAL, "bernoulli_scalar_cpu_")
    return _fill(self, "bernoulli_", sampling.bernoulli, float(p), generator=generator)


def check_probability(p: float) -> None:
    """Refuse a number that is no probability."""
    if not 0 <= p <= 1:
        raise RuntimeError(f"bernoulli_ expects p to be in [0, 1], but got p={_number(p)}")


def bernoulli_of(array: Any, p: Tensor, generator: Generator | None) -> Tensor:
    """A bool tensor laid out as ``array``, True with the probabilities ``p``."""
    require_dtype(p._array.dtype, _DIGITS, "bernoulli_tensor_cpu_p_")
    probabilities = p._array
    if probabilities.__class__ is np.ndarray:
        if not np.all((probabilities >= 0) & (probabilities <= 1)):
            raise RuntimeError(
                "Expected p_in >= 0 && p_in <= 1 to be true, but got false. bernoulli takes "
                f"probabilities, and of those given the least is {probabilities.min()} and the "
                f"greatest {probabilities.max()}"
            )
    if tuple(p.shape) != tuple(array.shape):
        p = p.expand(array.shape)  # type: ignore[attr-defined]
    p = p.detach()
    if p.dtype.itemsize < 4:
        p = p.float()  # type: ignore[attr-defined]
    uniform = draw_like(array, sampling.uniform, p._array.dtype, generator=generator)
    return wrap(uniform) < p  # type: ignore[operator]


def random_(self: Tensor, *bounds: int, generator: Any = None, **named: Any) -> Tensor:
    """Fill with integers: ``random_()``, ``random_(to)`` or ``random_(from, to)``.

    Args:
        from: the least of them (0); to be passed by position, being a keyword of Python's.
        to: one more than the greatest; if it is None or not given, the greatest is what the dtype
            can hold (of a floating dtype, 2 to the power of its digits).
        generator: to draw from, by default the default one.

    Raises:
        RuntimeError: if there is nothing between ``from`` and ``to``, or the dtype cannot hold it.
    """
    if len(bounds) == 1 and "to" not in named:
        bounds = (0, *bounds)
    given = dict(zip(("from", "to"), bounds))
    if len(bounds) > 2 or given.keys() & named or named.keys() - {"from", "to"}:
        raise TypeError(
            "random_() takes (*, generator), (to, *, generator) or (from, to, *, generator), got "
            f"{bounds} and {named}"
        )
    given |= named
    dtype = self._array.dtype
    if name_of(dtype) not in _REAL:
        raise RuntimeError(
            "check_random_bounds handles only integral, floating-point and boolean types, not "
            f"{self.dtype}"
        )
    if not given:
        return _fill(self, "random_", sampling.words_as_integers, generator=generator)
    low, high = integer_bounds(dtype, int(given.get("from", 0)), given.get("to"))
    return _fill(self, "random_", sampling.integers, low, high, generator=generator)


def integer_bounds(dtype: np.dtype, low: int, high: int | None) -> tuple[int, int]:
    """The range [low, high) that integers of ``dtype`` are drawn from, as PyTorch makes it fit.

    Raises:
        RuntimeError: if it is empty, or has ends that ``dtype`` cannot hold.
    """
    digits = _DIGITS.get(name_of(dtype))
    if dtype.kind == "c":
        raise RuntimeError(
            "check_random_bounds handles only integral, floating-point and boolean types, not "
            f"{dtype.name}"
        )
    if high is None:
        if digits is None and low == -(1 << 63) and dtype == np.int64:
            return low, 1 << 63
        high = 1 + ((1 << digits) if digits else _limits(dtype)[1])
    else:
        _check_not_empty(low, high)
        for value in (low, high):
            if not -(1 << 63) <= value < 1 << 63:
                raise ValueError(f"Overflow when unpacking long long: {value}")
        if digits is not None:
            low, high = _representable(dtype, low, high, digits)
            _check_not_empty(low, high)
    for name, value in (("from", low), ("to - 1", high - 1)):
        if digits is None:
            least, most = _limits(dtype)
            if not least <= value <= most:
                raise RuntimeError(f"{name} is out of bounds for {_C_TYPES[dtype.name]}")
        else:
            if abs(value) > _largest(dtype):
                raise RuntimeError(f"{name} is out of bounds for {_C_TYPES[dtype.name]}")
            if abs(value) > 1 << digits:
                warnings.warn(
                    f"{name} is out of bounds [-(2^{digits}), 2^{digits}]. Due to precision "
                    f"limitations {_C_TYPES[dtype.name]} can support discrete uniform distribution "
                    "only within this range. This warning will become an error in version 1.7 "
                    "release, please fix the code in advance",
                    UserWarning,
                    stacklevel=4,
                )
    return int(low), int(high)


def _check_not_empty(low: int, high: int) -> None:
    if low >= high:
        raise RuntimeError(
            f"random_ expects 'from' to be less than 'to', but got from={low} >= to={high}"
        )


def _representable(dtype: np.dtype, low: int, high: int, digits: int) -> tuple[int, int]:
    """The range narrowed by one step of ``dtype`` where it would round an end outwards."""

    def rounded(value: int) -> int:
        return int(float(np.asarray(float(value)).astype(dtype)))

    def step(value: int) -> int:
        return 1 << (abs(value).bit_length() - digits)

    if rounded(low + 1) < low:
        low = rounded(low + 1) + step(low + 1)
    if rounded(high - 1) >= high:
        high = rounded(high - 1) - step(high - 1)
    return low, high


def _named(function: str, name: str, value: Any, named: dict[str, Any]) -> Any:
    """A parameter whose name is a keyword of Python's, and so is passed in a dict if by name."""
    for key in named:
        if key != name:
            raise TypeError(f"{function}() got an unexpected keyword argument '{key}'")
    return named.get(name, value)


def _number(value: Any) -> str:
    """A number as C++ prints it."""
    return f"{float(value):g}"


for _method in (
    uniform_, normal_, log_normal_, exponential_, cauchy_, geometric_, bernoulli_, random_,
):  # fmt: skip
    setattr(Tensor, _method.__name__, _method)
