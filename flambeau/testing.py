"""Comparing tensors in tests (``torch.testing``).

Source: https://pytorch.org/docs/stable/testing.html
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from . import dtypes
from .ops.complex_numbers import view_as_complex
from .tensor import Tensor
from .tensor.creation import as_tensor

_TOLERANCES = {
    dtypes.float16: (1e-3, 1e-5), dtypes.bfloat16: (1.6e-2, 1e-5), dtypes.float32: (1.3e-6, 1e-5),
    dtypes.float64: (1e-7, 1e-7), dtypes.complex64: (1.3e-6, 1e-5),
    dtypes.complex128: (1e-7, 1e-7),
}  # fmt: skip
"""Relative and absolute tolerance by dtype; whole numbers and truth values must be equal."""


class _Options:
    def __init__(self, **options: Any) -> None:
        self.__dict__.update(options)


def assert_close(
    actual: Any,
    expected: Any,
    *,
    allow_subclasses: bool = True,
    rtol: float | None = None,
    atol: float | None = None,
    equal_nan: bool = False,
    check_device: bool = True,
    check_dtype: bool = True,
    check_layout: bool = True,
    check_stride: bool = False,
    msg: str | Callable[[str], str] | None = None,
) -> None:
    """Raise unless ``|actual - expected| <= atol + rtol * |expected|``, element by element.

    Args:
        actual, expected: tensors, arrays, numbers, None, or sequences or mappings of such.
        allow_subclasses: whether the two may be of different classes, one a subclass of the other.
        rtol, atol: tolerances (both or neither; by default those of the less precise dtype).
        equal_nan: whether NaN equals NaN.
        check_device, check_dtype, check_layout, check_stride: what else must agree.
        msg: the message of a failure, or what makes it from the usual one.

    Raises:
        AssertionError: they are not close.
        TypeError: the two cannot be compared.
    """
    if (rtol is None) != (atol is None):
        missing = "atol" if atol is None else "rtol"
        raise ValueError(
            f"Both 'rtol' and 'atol' must be either specified or omitted, but got no {missing}."
        )
    options = _Options(
        allow_subclasses=allow_subclasses, rtol=rtol, atol=atol, equal_nan=equal_nan,
        check_device=check_device, check_dtype=check_dtype, check_layout=check_layout,
        check_stride=check_stride,
    )  # fmt: skip
    problem = _difference(actual, expected, options, [])
    if problem is not None:
        if callable(msg):
            problem = msg(problem)
        raise AssertionError(problem if msg is None or callable(msg) else msg)


def _difference(actual: Any, expected: Any, options: Any, path: list[Any]) -> str | None:
    """What is wrong, in words; None if nothing is."""
    if isinstance(actual, Mapping) and isinstance(expected, Mapping):
        return _mappings(actual, expected, options, path)
    sequences = (Sequence,)
    if (
        isinstance(actual, sequences) and isinstance(expected, sequences)
        and not isinstance(actual, str) and not isinstance(expected, str)
    ):  # fmt: skip
        if len(actual) != len(expected):
            return _at(
                path, f"The length of the sequences mismatch: {len(actual)} != {len(expected)}"
            )
        for i, (a, b) in enumerate(zip(actual, expected)):
            problem = _difference(a, b, options, [*path, i])
            if problem is not None:
                return problem
        return None
    if actual is None and expected is None:
        return None
    tensor_like = (Tensor, np.ndarray)
    number = (bool, int, float, complex, np.generic)
    if isinstance(actual, tensor_like) and isinstance(expected, tensor_like):
        return _tensors(_as_tensor(actual), _as_tensor(expected), options, path)
    if isinstance(actual, number) and isinstance(expected, number):
        return _numbers(actual, expected, options, path)
    raise TypeError(
        f"No comparison pair was able to handle inputs of type {type(actual)} and {type(expected)}."
    )


def _at(path: list[Any], problem: str) -> str:
    if not path:
        return problem
    place = "".join(f"[{p!r}]" for p in path)
    return f"{problem}\n\nThe failure occurred for item {place}"


def _mappings(actual: Any, expected: Any, options: Any, path: list[Any]) -> str | None:
    missing = sorted(set(expected) - set(actual), key=str)
    additional = sorted(set(actual) - set(expected), key=str)
    if missing or additional:
        return _at(
            path,
            "The keys of the mappings do not match:\n"
            f"Missing keys in the actual mapping: {missing}\n"
            f"Additional keys in the actual mapping: {additional}",
        )
    for key in actual:
        problem = _difference(actual[key], expected[key], options, [*path, key])
        if problem is not None:
            return problem
    return None


def _as_tensor(value: Any) -> Tensor:
    from .tensor import wrap

    return value if isinstance(value, Tensor) else wrap(value)


def _tolerances(first: Any, second: Any, options: Any) -> tuple[float, float]:
    if options.rtol is not None:
        return options.rtol, options.atol
    pairs = [_TOLERANCES.get(d, (0.0, 0.0)) for d in (first, second)]
    return max(p[0] for p in pairs), max(p[1] for p in pairs)


def _tensors(actual: Tensor, expected: Tensor, options: Any, path: list[Any]) -> str | None:
    checks: list[tuple[str, Any, Any, bool]] = [("shape", actual.shape, expected.shape, True)]
    checks += [
        ("device", actual.device, expected.device, options.check_device),
        ("dtype", actual.dtype, expected.dtype, options.check_dtype),
        ("layout", actual.layout, expected.layout, options.check_layout),
    ]
    if options.check_stride:
        strides = actual.stride(), expected.stride()  # type: ignore[attr-defined]
        checks.append(("stride()", *strides, True))
    for name, found, wanted, checked in checks:
        if checked and found != wanted:
            return _at(
                path, f"The values for attribute '{name}' do not match: {found} != {wanted}."
            )
    rtol, atol = _tolerances(actual.dtype, expected.dtype, options)
    a, b = (
        actual.detach()._concrete("assert_close()"),
        expected.detach()._concrete("assert_close()"),
    )
    wide = np.result_type(a.dtype if a.dtype.kind != "V" else np.float32,
                          b.dtype if b.dtype.kind != "V" else np.float32)  # fmt: skip
    if wide.kind in "biu":
        wide = np.dtype(np.int64)
    elif wide == np.float16:
        wide = np.dtype(np.float32)
    a, b = a.astype(wide), b.astype(wide)
    return _arrays(a, b, rtol, atol, options, path)


def _arrays(
    a: np.ndarray, b: np.ndarray, rtol: float, atol: float, options: Any, path: list[Any]
) -> str | None:
    with np.errstate(all="ignore"):
        distance = np.abs(a - b)
        near = (a == b) | (np.isfinite(distance) & (distance <= atol + rtol * np.abs(b)))
        if options.equal_nan and a.dtype.kind in "fc":
            near |= np.isnan(a) & np.isnan(b)
        if near.all():
            return None
        relative = distance / np.abs(b)
    exact = rtol == 0 and atol == 0
    word = "equal" if exact else "close"
    if not a.ndim:
        with np.errstate(all="ignore"):
            distance = np.abs(np.asarray(a.item() - b.item()))
            relative = distance / np.abs(b.item())
        lines = [
            f"Scalars are not {word}!", "", f"Expected {b.item()} but got {a.item()}.",
            f"Absolute difference: {distance.item()}" + _allowed(atol, exact),
            f"Relative difference: {relative.item()}" + _allowed(rtol, exact),
        ]  # fmt: skip
        return _at(path, "\n".join(lines))
    wrong = int((~near).sum())
    lines = [
        f"Tensor-likes are not {word}!",
        "",
        f"Mismatched elements: {wrong} / {a.size} ({100 * wrong / a.size:.1f}%)",
    ]
    for name, values, tolerance in (
        ("absolute", distance, atol),
        ("relative", relative, rtol),
    ):
        masked = np.where(near, 0, values)
        at = int(np.argmax(np.where(np.isnan(masked), np.inf, masked)))
        place = tuple(int(i) for i in np.unravel_index(at, a.shape))
        lines.append(
            f"Greatest {name} difference: {masked.flat[at].item()} at index {place}"
            + _allowed(tolerance, exact)
        )
    return _at(path, "\n".join(lines))


def _allowed(tolerance: float, exact: bool) -> str:
    return "" if exact else f" (up to {tolerance} allowed)"


def _numbers(actual: Any, expected: Any, options: Any, path: list[Any]) -> str | None:
    if options.check_dtype and type(actual) is not type(expected):
        return _at(
            path,
            f"The (d)types do not match: {type(actual)} != {type(expected)}.",
        )
    kinds = [dtypes.float64 if isinstance(v, (float, complex)) else dtypes.int64
             for v in (actual, expected)]  # fmt: skip
    rtol, atol = _tolerances(kinds[0], kinds[1], options)
    a, b = np.asarray(actual), np.asarray(expected)
    if a.dtype.kind == "b":
        a, b = a.astype(np.int64), b.astype(np.int64)
    return _arrays(a, b, rtol, atol, options, path)


def make_tensor(
    *shape: Any,
    dtype: Any,
    device: Any,
    low: float | None = None,
    high: float | None = None,
    requires_grad: bool = False,
    noncontiguous: bool = False,
    exclude_zero: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """A tensor of ``shape`` with random elements from [``low``, ``high``).

    Args:
        shape: sizes, as ints or one sequence of them.
        dtype: of the elements.
        device: where it shall live.
        low, high: by default -9 and 9 (0 and 10 for unsigned, 0 and 2 for truth values).
        requires_grad: whether operations on it are recorded.
        noncontiguous: leave gaps in the memory.
        exclude_zero: put the smallest positive number in the place of zeros.
        memory_format: the order in memory, as of ``clone``.

    Raises:
        ValueError: ``low`` is not below ``high``, ``requires_grad`` of whole numbers, or
            ``noncontiguous`` with a ``memory_format``.
    """
    from .random.functions import randint
    from .tensor.creation import empty, shape_of

    if noncontiguous and memory_format is not None:
        raise ValueError(
            "The parameters `noncontiguous` and `memory_format` are mutually exclusive, but got "
            f"noncontiguous={noncontiguous} and memory_format={memory_format}"
        )
    inexact = dtype.is_floating_point or dtype.is_complex
    if requires_grad and not inexact:
        raise ValueError(
            "`requires_grad=True` is not supported for boolean and integral dtypes, but got "
            f"dtype={dtype}"
        )
    lowest, highest = _limits(dtype, low, high)
    size = shape_of(shape)
    gaps = noncontiguous and bool(size) and math.prod(size) > 1
    drawn = (*size[:-1], size[-1] * 2) if gaps else size
    if dtype.is_complex:
        parts = dtypes.float32 if dtype is dtypes.complex64 else dtypes.float64
        made = empty((*drawn, 2), dtype=parts, device=device).uniform_(lowest, highest)
        made = view_as_complex(made)
    elif inexact:
        wide = dtype if dtype.itemsize > 2 else dtypes.float32
        made = empty(drawn, dtype=wide, device=device).uniform_(lowest, highest).to(dtype)
    else:
        made = randint(int(lowest), int(highest), drawn, device=device, dtype=dtype)
    if gaps:
        made = made[..., 1::2]
    elif memory_format is not None:
        made = made.clone(memory_format=memory_format)
    if exclude_zero:
        smallest: Any = 1
        if inexact:
            smallest = dtypes.finfo(dtype).tiny
            smallest = complex(smallest, smallest) if dtype.is_complex else smallest
        made[made == 0] = smallest
    return made.requires_grad_(requires_grad)


def _limits(dtype: Any, low: float | None, high: float | None) -> tuple[float, float]:
    """The range to draw from: the one asked for, within what ``dtype`` can hold."""
    if any(v is not None and v != v for v in (low, high)):
        raise ValueError(f"`low` and `high` cannot be NaN, but got low={low!r} and high={high!r}")
    if dtype is dtypes.bool:
        default, least, most = (0, 2), 0.0, 2.0
    elif dtype.is_floating_point or dtype.is_complex:
        info = dtypes.finfo(dtype)
        default, least, most = (-9, 9), info.min, info.max
    else:
        whole = dtypes.iinfo(dtype)
        default = (-9, 10) if dtype.is_signed else (0, 10)
        least, most = whole.min, whole.max + (dtype is not dtypes.int64)
    low = default[0] if low is None else low
    high = default[1] if high is None else high
    if low >= high:
        raise ValueError(f"`low` must be less than `high`, but got {low} >= {high}")
    low, high = min(max(low, least), most), min(max(high, least), most)
    if dtype.is_floating_point or dtype.is_complex:
        return low, high
    return math.ceil(low), math.ceil(high)


def assert_allclose(actual: Any, expected: Any, rtol: Any = None, atol: Any = None,
                    equal_nan: bool = True, msg: str = "") -> None:  # fmt: skip
    """Deprecated in PyTorch: :func:`assert_close` that minds neither dtype nor stride.

    Args:
        actual, expected: tensors, or what makes them.
        rtol, atol: the tolerances, both or neither; by default by dtype.
        equal_nan: whether NaN equals NaN.
        msg: what the error says instead.

    Raises:
        AssertionError: they are not close.
    """
    assert_close(
        as_tensor(actual), as_tensor(expected), rtol=rtol, atol=atol, equal_nan=equal_nan,
        check_device=True, check_dtype=False, check_stride=False, msg=msg or None,
    )  # fmt: skip


__all__ = ["assert_allclose", "assert_close", "make_tensor"]
