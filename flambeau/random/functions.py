"""Functions that make tensors of random numbers (``rand``, ``randn``, ``randint``, ...).

Source: the random sampling of `torch
<https://docs.pytorch.org/docs/stable/torch.html#random-sampling>`_.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from flambeau import dtypes
from flambeau.autograd.grad_mode import GRAD_MODE
from flambeau.device import resolve
from flambeau.dtypes import dtype as DType
from flambeau.modes import MODES
from flambeau.ops.array_calls import draw_on_arrays
from flambeau.ops.dims import as_int, broadcast_shape
from flambeau.random import sampling
from flambeau.random.default import draw
from flambeau.random.filling import (
    bernoulli_of,
    check_probability,
    check_std,
    checked_generator,
    integer_bounds,
    require_dtype,
)
from flambeau.random.generator import Generator
from flambeau.random.memory_order import draw_like
from flambeau.tensor import Tensor, wrap
from flambeau.tensor.creation import shape_of
from flambeau.tensor.views import write_out

__all__ = [
    "bernoulli", "multinomial", "normal", "rand", "rand_like", "randint", "randint_like", "randn",
    "randn_like", "randperm",
]  # fmt: skip

_FLOATING = frozenset(("float32", "float64", "float16", "bfloat16"))


class _Shape:
    """A shape without an array."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape = shape


def _finished(
    drawn: Any, requires_grad: bool, device: Any, out: Tensor | None, name: str
) -> Tensor:
    """The tensor of an array that was drawn."""
    tensor = wrap(drawn)
    if GRAD_MODE.inference:
        tensor._inference = True
    if out is not None:
        return write_out(name, tensor, out)
    if device is not None and MODES.capture is None:
        tensor = tensor.to(resolve(device))  # type: ignore[attr-defined]
    if requires_grad:
        tensor.requires_grad = True
    return tensor


def _size(name: str, size: tuple[Any, ...], named: dict[str, Any]) -> tuple[int, ...]:
    """The shape given by position or as ``size=``."""
    if not named and size and type(size[0]) is int:
        return shape_of(size)
    if "size" in named and not size:
        size = (named.pop("size"),)
    if named:
        raise TypeError(f"{name}() got an unexpected keyword argument '{next(iter(named))}'")
    if not size:
        raise TypeError(
            f"{name}() received an invalid combination of arguments - got (), but expected a size: "
            f"{name}(2, 3) or {name}((2, 3)); {name}(()) for a tensor of no dims"
        )
    first = size[0]
    if isinstance(first, bool) or not (
        isinstance(first, (tuple, list, Tensor)) or hasattr(first, "__index__")
    ):
        raise TypeError(
            f"{name}(): argument 'size' (position 1) must be tuple of ints, "
            f"not {type(first).__name__}"
        )
    if isinstance(first, Tensor) and first.ndim == 0:
        size = (int(first), *size[1:])
    return shape_of(size)


def _dtype(name: str, dtype: Any, out: Tensor | None, default: DType) -> np.dtype:
    """The dtype to draw in: the one asked for, which must be that of ``out``."""
    if dtype is not None and not isinstance(dtype, DType):
        raise TypeError(
            f"{name}(): argument 'dtype' must be torch.dtype, not {type(dtype).__name__}"
        )
    if out is None:
        return (default if dtype is None else dtype).numpy
    if not isinstance(out, Tensor):
        raise TypeError(f"{name}(): argument 'out' must be Tensor, not {type(out).__name__}")
    if dtype is not None and dtype != out.dtype:
        raise RuntimeError(f"dtype {dtype} does not match dtype of out parameter ({out.dtype})")
    return out._array.dtype


def _check_layout(name: str, layout: Any, pin_memory: bool) -> None:
    if layout is not None and str(layout) != "torch.strided":
        raise NotImplementedError(f"{name}(): there are no random tensors of layout {layout}")
    if pin_memory:
        raise RuntimeError(
            "pin_memory=True requires a CUDA or other accelerator backend; no pinned memory "
            "allocator is available on this system."
        )


def rand(
    *size: Any,
    generator: Any = None,
    out: Tensor | None = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
    **named: Any,
) -> Tensor:
    """A tensor of numbers uniform in [0, 1).

    Args:
        size: the shape, as ints or one sequence of them.
        generator: to draw from, by default the default one.
        out: to put the numbers into.
        dtype: floating or complex; the default dtype by default.
        layout: strided.
        device: where the tensor shall live.
        requires_grad: whether operations on it are recorded.
        pin_memory: False; there is no pinned memory here.
        named: ``size``, by name.

    Returns:
        ``size``.

    Raises:
        TypeError: no size is given, or ``generator`` or ``out`` is something else.
        NotImplementedError: ``dtype`` is an integer one or bool.
        RuntimeError: a size is negative, or ``out`` has another dtype than ``dtype``.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.rand.html
    """
    return _floating(
        "rand", size, named, generator, out, dtype, layout, device, requires_grad, pin_memory
    )


def randn(
    *size: Any,
    generator: Any = None,
    out: Tensor | None = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
    **named: Any,
) -> Tensor:
    """A tensor of normally distributed numbers of mean 0 and variance 1.

    Args:
        size: the shape, as ints or one sequence of them.
        generator: to draw from, by default the default one.
        out: to put the numbers into.
        dtype: floating or complex; the default dtype by default.
        layout: strided.
        device: where the tensor shall live.
        requires_grad: whether operations on it are recorded.
        pin_memory: False; there is no pinned memory here.
        named: ``size``, by name.

    Returns:
        ``size``.

    Raises:
        TypeError: no size is given, or ``generator`` or ``out`` is something else.
        NotImplementedError: ``dtype`` is an integer one or bool.
        RuntimeError: a size is negative, or ``out`` has another dtype than ``dtype``.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.randn.html
    """
    return _floating(
        "randn", size, named, generator, out, dtype, layout, device, requires_grad, pin_memory
    )


def _floating(
    name: str,
    size: tuple[Any, ...],
    named: dict[str, Any],
    generator: Any,
    out: Tensor | None,
    dtype: Any,
    layout: Any,
    device: Any,
    requires_grad: bool,
    pin_memory: bool,
) -> Tensor:
    """``rand`` and ``randn``."""
    shape = _size(name, size, named)
    if layout is not None or pin_memory:
        _check_layout(name, layout, pin_memory)
    wanted = _dtype(name, dtype, out, dtypes.get_default_dtype())
    if generator is not None:
        checked_generator(name, generator)
    sampler = _sampler_of(name, wanted)
    if wanted.kind == "c":
        drawn = draw_like(_Shape(shape), sampler, wanted, generator=generator)
    else:
        drawn = draw(sampler, shape, wanted, generator=generator)
    return _finished(drawn, requires_grad, device, out, name)


def _sampler_of(name: str, dtype: np.dtype) -> Any:
    if name.startswith("randn"):
        if dtype.kind != "c":
            require_dtype(dtype, _FLOATING, "normal_kernel_cpu")
        return sampling.normal
    if dtype.kind != "c":
        require_dtype(dtype, _FLOATING, "check_uniform_bounds")
    return sampling.uniform


def randint(*bounds: Any, **options: Any) -> Tensor:
    """A tensor of integers uniform in [``low``, ``high``).

    Call as ``randint(high, size)`` or ``randint(low, high, size)``.

    Args:
        low: the least integer (0).
        high: one more than the greatest.
        size: the shape, a sequence of ints.
        generator: to draw from, by default the default one.
        out: to put the integers into.
        dtype: any real one; int64 by default.
        layout: strided.
        device: where the tensor shall live.
        requires_grad: whether operations on it are recorded.
        pin_memory: False; there is no pinned memory here.

    Returns:
        ``size``.

    Raises:
        TypeError: a bound is no int, or the size is missing.
        RuntimeError: if ``low`` is not less than ``high``, or ``dtype`` cannot hold them.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.randint.html
    """
    return _randint(*_low_high("randint", bounds, options, "size"), **options)


def _low_high(
    name: str, bounds: tuple[Any, ...], options: dict[str, Any], last: str | None
) -> tuple[Any, ...]:
    """``low``, ``high`` (and the size), by position or by name."""
    names = ["low", "high", last] if last else ["low", "high"]
    by_name = {key: options.pop(key) for key in names if key in options}
    if len(bounds) + len(by_name) < len(names) and "low" not in by_name:
        names = names[1:]
    given = dict(zip(names, bounds))
    whole = all(
        hasattr(value, "__index__") and not isinstance(value, bool)
        for key, value in (given | by_name).items()
        if key != last
    )
    if len(bounds) > len(names) or given.keys() & by_name or not whole:
        got = ", ".join(type(value).__name__ for value in bounds)
        raise TypeError(
            f"{name}() received an invalid combination of arguments - got ({got}), but expected "
            f"({'tuple of ints size' if last else 'input'}) and (int high) or (int low, int high)"
        )
    given |= by_name
    for key in names[-2:] if last else names[-1:]:
        if key not in given:
            raise TypeError(f"{name}() missing 1 required positional argument: '{key}'")
    low, high = int(given.get("low", 0)), int(given["high"])
    if not last:
        return low, high
    size = given[last]
    if not isinstance(size, (tuple, list)):
        raise TypeError(
            f"{name}(): argument 'size' (position {len(names)}) must be tuple of ints, "
            f"not {type(size).__name__}"
        )
    return low, high, shape_of((size,))


def _randint(
    low: int,
    high: int,
    shape: tuple[int, ...],
    *,
    generator: Any = None,
    out: Tensor | None = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    _check_layout("randint", layout, pin_memory)
    wanted = _dtype("randint", dtype, out, dtypes.int64)
    low, high = integer_bounds(wanted, low, high)
    generator = checked_generator("randint", generator)
    drawn = draw(sampling.integers, shape, wanted, low, high, generator=generator)
    return _finished(drawn, requires_grad, device, out, "randint")


def randperm(
    n: int,
    *,
    generator: Any = None,
    out: Tensor | None = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """A random permutation of 0 ... ``n`` - 1.

    Args:
        n: how many.
        generator: to draw from, by default the default one.
        out: to put the permutation into.
        dtype: one that can hold ``n``; int64 by default.
        layout: strided.
        device: where the tensor shall live.
        requires_grad: whether operations on it are recorded.
        pin_memory: False; there is no pinned memory here.

    Returns:
        (n).

    Raises:
        TypeError: ``n`` is no int.
        RuntimeError: ``n`` is negative, or more than ``dtype`` can hold.
        NotImplementedError: ``dtype`` is bool or complex.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.randperm.html
    """
    if isinstance(n, bool) or not hasattr(n, "__index__"):
        raise TypeError(
            f"randperm(): argument 'n' (position 1) must be int, not {type(n).__name__}"
        )
    n = as_int(n, "n")
    if n < 0:
        raise RuntimeError(f"Trying to create tensor with negative dimension {n}: [{n}]")
    _check_layout("randperm", layout, pin_memory)
    wanted = _dtype("randperm", dtype, out, dtypes.int64)
    if wanted.kind in "bc":
        require_dtype(wanted, (), "randperm")
    digits = {"float16": 11, "bfloat16": 8, "float32": 24, "float64": 53}.get(wanted.name)
    most = (1 << digits) + 1 if digits else int(np.iinfo(wanted).max)
    if n > most:
        raise RuntimeError(
            f"n cannot be greater than {most} for {dtypes.from_numpy_dtype(wanted)}, got n={n}"
        )
    generator = checked_generator("randperm", generator)
    drawn = draw(sampling.permutation, (n,), wanted, generator=generator)
    return _finished(drawn, requires_grad, device, out, "randperm")


# -- like another tensor ------------------------------------------------------------------------


def _like(name: str, input: Any, dtype: Any) -> np.dtype:
    if not isinstance(input, Tensor):
        raise TypeError(
            f"{name}(): argument 'input' (position 1) must be Tensor, not {type(input).__name__}"
        )
    return _dtype(name, dtype, None, input.dtype)


def _as_input(input: Tensor, device: Any) -> Any:
    return input.device if device is None and input.device.type != "cpu" else device


def _laid_out(input: Tensor, memory_format: Any) -> Any:
    """What to draw like: ``input``'s array, or one of its shape that is contiguous."""
    if memory_format is None or str(memory_format) == "torch.preserve_format":
        return input._array
    if str(memory_format) == "torch.contiguous_format":
        return _Shape(tuple(input.shape))
    raise RuntimeError(f"memory_format {memory_format} is not supported for random tensors")


def rand_like(
    input: Tensor,
    *,
    generator: Any = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """Numbers uniform in [0, 1), in the shape, dtype and memory order of ``input``.

    Args:
        input: the tensor to be like.
        generator: to draw from, by default the default one.
        dtype: another one than that of ``input``.
        layout: strided.
        device: another one than that of ``input``.
        requires_grad: whether operations on the result are recorded.
        pin_memory: False; there is no pinned memory here.
        memory_format: ``preserve_format`` or ``contiguous_format``.

    Returns:
        the shape of ``input``.

    Raises:
        TypeError: ``input`` is no tensor.
        NotImplementedError: the dtype is not a floating-point or complex one.
        RuntimeError: another ``memory_format``.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.rand_like.html
    """
    wanted = _like("rand_like", input, dtype)
    _check_layout("rand_like", layout, pin_memory)
    generator = checked_generator("rand_like", generator)
    drawn = draw_like(
        _laid_out(input, memory_format), _sampler_of("rand", wanted), wanted, generator=generator
    )
    return _finished(drawn, requires_grad, _as_input(input, device), None, "rand_like")


def randn_like(
    input: Tensor,
    *,
    generator: Any = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
    memory_format: Any = None,
) -> Tensor:
    """Numbers of mean 0 and variance 1, in the shape, dtype and memory order of ``input``.

    Args:
        input: the tensor to be like.
        generator: to draw from, by default the default one.
        dtype: another one than that of ``input``.
        layout: strided.
        device: another one than that of ``input``.
        requires_grad: whether operations on the result are recorded.
        pin_memory: False; there is no pinned memory here.
        memory_format: ``preserve_format`` or ``contiguous_format``.

    Returns:
        the shape of ``input``.

    Raises:
        TypeError: ``input`` is no tensor.
        NotImplementedError: the dtype is not a floating-point or complex one.
        RuntimeError: another ``memory_format``.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.randn_like.html
    """
    wanted = _like("randn_like", input, dtype)
    _check_layout("randn_like", layout, pin_memory)
    generator = checked_generator("randn_like", generator)
    drawn = draw_like(
        _laid_out(input, memory_format), _sampler_of("randn", wanted), wanted, generator=generator
    )
    return _finished(drawn, requires_grad, _as_input(input, device), None, "randn_like")


def randint_like(input: Tensor, *bounds: Any, **options: Any) -> Tensor:
    """Integers uniform in [``low``, ``high``), in the shape, dtype and memory order of ``input``.

    Call as ``randint_like(input, high)`` or ``randint_like(input, low, high)``.

    Args:
        input: the tensor to be like.
        low: the least integer (0).
        high: one more than the greatest.
        generator: to draw from, by default the default one.
        dtype: another one than that of ``input``.
        layout: strided.
        device: another one than that of ``input``.
        requires_grad: whether operations on the result are recorded.
        pin_memory: False; there is no pinned memory here.
        memory_format: ``preserve_format`` or ``contiguous_format``.

    Returns:
        the shape of ``input``.

    Raises:
        TypeError: ``input`` is no tensor, or a bound no int.
        RuntimeError: if ``low`` is not less than ``high``, or the dtype cannot hold them.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.randint_like.html
    """
    return _randint_like(input, *_low_high("randint_like", bounds, options, None), **options)


def _randint_like(
    input: Tensor,
    low: int,
    high: int,
    *,
    generator: Any = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
    memory_format: Any = None,
) -> Tensor:
    wanted = _like("randint_like", input, dtype)
    _check_layout("randint_like", layout, pin_memory)
    low, high = integer_bounds(wanted, low, high)
    generator = checked_generator("randint_like", generator)
    drawn = draw_like(
        _laid_out(input, memory_format), sampling.integers, wanted, low, high, generator=generator
    )
    return _finished(drawn, requires_grad, _as_input(input, device), None, "randint_like")


# -- from parameters that are tensors -------------------------------------------------------------


def normal(
    mean: Any = 0.0,
    std: Any = 1.0,
    size: Any = None,
    *,
    generator: Any = None,
    out: Tensor | None = None,
    dtype: Any = None,
    layout: Any = None,
    device: Any = None,
    requires_grad: bool = False,
    pin_memory: bool = False,
) -> Tensor:
    """Normally distributed numbers.

    Args:
        mean: their mean, a number or a tensor with one for each.
        std: their standard deviation, a number or a tensor; a tensor broadcasts with ``mean``.
        size: the shape, if neither is a tensor (and only then are the options below taken).
        generator: to draw from, by default the default one.
        out: to put the numbers into.
        dtype: floating or complex; the default dtype by default.
        layout: strided.
        device: where the tensor shall live.
        requires_grad: whether operations on it are recorded.
        pin_memory: False; there is no pinned memory here.

    Returns:
        the broadcast shape of the two, or ``size``.

    Raises:
        RuntimeError: if a standard deviation is negative, or the shapes do not broadcast.
        TypeError: two numbers without ``size``, or a tensor with it.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.normal.html
    """
    generator = checked_generator("normal", generator)
    if not isinstance(mean, Tensor) and not isinstance(std, Tensor):
        if size is None:
            raise TypeError(
                "normal() received an invalid combination of arguments - got (float, float), but "
                "expected a tensor among mean and std, or a size: normal(0.0, 1.0, (2, 3))"
            )
        check_std(std)
        _check_layout("normal", layout, pin_memory)
        wanted = _dtype("normal", dtype, out, dtypes.get_default_dtype())
        shape = _Shape(shape_of((size,)))
        sampler = _sampler_of("randn", wanted)
        drawn = draw_like(shape, sampler, wanted, float(mean), float(std), generator=generator)
        return _finished(drawn, requires_grad, device, out, "normal")
    if size is not None:
        raise TypeError("normal(): the size is that of the tensors, and cannot be given as well")
    return _normal_of_tensors(mean, std, generator, out)


def _normal_of_tensors(mean: Any, std: Any, generator: Any, out: Tensor | None) -> Tensor:
    if isinstance(std, Tensor):
        if std.is_complex():
            raise RuntimeError("normal expects standard deviation to be non-complex")
        spread = std._array
        if spread.__class__ is np.ndarray and not np.all(spread >= 0):
            raise RuntimeError(
                f"normal expects all elements of std >= 0.0, the least is {spread.min()}"
            )
    else:
        check_std(std)
    shape = tuple(mean.shape) if isinstance(mean, Tensor) else ()
    wanted = (mean if isinstance(mean, Tensor) else std)._array.dtype
    if isinstance(std, Tensor):
        shape = broadcast_shape(shape, tuple(std.shape))
    scale = 1.0 if isinstance(std, Tensor) else float(std)
    sampler = _sampler_of("randn", wanted)
    drawn = wrap(draw_like(_Shape(shape), sampler, wanted, 0.0, scale, generator=generator))
    if isinstance(std, Tensor):
        drawn = (drawn * std.detach()).to(drawn.dtype)  # type: ignore[operator]
    drawn = (drawn + (mean.detach() if isinstance(mean, Tensor) else mean)).to(drawn.dtype)
    numbered = (isinstance(mean, Tensor), isinstance(std, Tensor))
    drawn = _drawn_from(drawn, mean, std, node=f"NormalBackward{_NORMAL_NODES[numbered]}")
    return drawn if out is None else write_out("normal", drawn, out)


_NORMAL_NODES = {(True, False): 1, (False, True): 2, (True, True): 3}


def _drawn_from(drawn: Tensor, *parameters: Any, node: str) -> Tensor:
    """``drawn``, on the tape with gradients of zero for ``parameters``, as PyTorch has them."""
    from flambeau.ops.operation import renamed
    from flambeau.ops.pointwise import drawn_from

    for parameter in parameters:
        if isinstance(parameter, Tensor) and parameter.requires_grad:
            drawn = renamed(drawn_from(parameter, drawn), node)
    return drawn


def bernoulli(
    input: Tensor, p: float | None = None, *, generator: Any = None, out: Tensor | None = None
) -> Tensor:
    """A contiguous tensor of ones and zeros, in the shape and dtype of ``input``.

    Args:
        input: the probabilities of one.
        p: one probability for all, in place of those of ``input``.
        generator: to draw from, by default the default one.
        out: to put them into.

    Returns:
        the shape of ``input``.

    Raises:
        TypeError: ``input`` is no tensor.
        RuntimeError: if a probability is not in [0, 1].
        NotImplementedError: ``input``, as probabilities, is not floating-point.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.bernoulli.html
    """
    if not isinstance(input, Tensor):
        raise TypeError(
            f"bernoulli(): argument 'input' (position 1) must be Tensor, not {type(input).__name__}"
        )
    generator = checked_generator("bernoulli", generator)
    shape = _Shape(tuple(input.shape))
    if p is None:
        drawn = bernoulli_of(shape, input, generator).to(input.dtype)  # type: ignore[attr-defined]
    else:
        check_probability(p)
        drawn = wrap(
            draw_like(shape, sampling.bernoulli, input._array.dtype, float(p), generator=generator)
        )
    if p is None:
        drawn = _drawn_from(drawn, input, node="BernoulliBackward0")
    return drawn if out is None else write_out("bernoulli", drawn, out)


def multinomial(
    input: Tensor,
    num_samples: int,
    replacement: bool = False,
    *,
    generator: Any = None,
    out: Tensor | None = None,
) -> Tensor:
    """Indices drawn with probabilities proportional to ``input``.

    Where not one sample but several are drawn without replacement, categories whose chances tie
    exactly may come in another order than PyTorch's.

    Args:
        input: weights, ``(categories,)`` or ``(rows, categories)``: not negative, with a positive
            sum in each row.
        num_samples: how many to draw per row.
        replacement: whether an index can be drawn again.
        generator: to draw from, by default the default one.
        out: to put the indices into.

    Returns:
        int64, ``(num_samples,)`` or ``(rows, num_samples)``.

    Raises:
        TypeError: ``input`` is no tensor.
        RuntimeError: if the weights are no weights or not floating-point, too few to draw from
            without replacement, or ``num_samples`` is not positive.

    Source: https://docs.pytorch.org/docs/stable/generated/torch.multinomial.html
    """
    if not isinstance(input, Tensor):
        raise TypeError(
            f"multinomial(): argument 'input' (position 1) must be Tensor, "
            f"not {type(input).__name__}"
        )
    generator = checked_generator("multinomial", generator)
    count = as_int(num_samples, "num_samples")
    if not input.is_floating_point():
        raise RuntimeError(
            f"multinomial only supports floating-point dtypes for input, got: {input.dtype}"
        )
    if input.ndim not in (1, 2):
        raise RuntimeError(f"prob_dist must be 1 or 2 dim, not {input.ndim}")
    if count <= 0:
        raise RuntimeError(f"cannot sample n_sample <= 0 samples, got {count}")
    categories = input.shape[-1]
    if categories > 1 << 24:
        raise RuntimeError("number of categories cannot exceed 2^24")
    if not replacement and count > categories:
        raise RuntimeError(
            "cannot sample n_sample > prob_dist.size(-1) samples without replacement: "
            f"{count} of {categories}"
        )
    if MODES.transforms is not None:
        return wrap(MODES.transforms.multinomial(input._array, count, replacement, generator))
    kind = ((*input.shape[:-1], count), np.int64)
    (drawn,) = draw_on_arrays(
        _chosen, "multinomial()", (input,), kind, generator=generator, count=count,
        replacement=bool(replacement),
    )  # fmt: skip
    return drawn if out is None else write_out("multinomial", drawn, out)


def _chosen(
    generator: Generator, weights: np.ndarray, count: int, replacement: bool
) -> np.ndarray:  # fmt: skip
    _check_weights(weights, replacement and count > 1)
    return sampling.multinomial(generator, weights, count, replacement)


def _check_weights(weights: np.ndarray, replacement: bool = False) -> None:
    if not (np.isfinite(weights) & (weights >= 0)).all():
        if replacement:
            what = "< 0" if (weights < 0).any() else "= infinity or NaN"
            raise RuntimeError(
                f"invalid multinomial distribution (encountering probability entry {what})"
            )
        raise RuntimeError("probability tensor contains either `inf`, `nan` or element < 0")
    if not (weights.sum(-1) > 0).all():
        raise RuntimeError("invalid multinomial distribution (sum of probabilities <= 0)")


Tensor.bernoulli = bernoulli  # type: ignore[attr-defined]
Tensor.multinomial = multinomial  # type: ignore[attr-defined]
