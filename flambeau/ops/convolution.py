"""Convolution over any number of spatial dims, and its transpose.

Source: https://pytorch.org/docs/stable/nn.functional.html#convolution-functions
"""

from __future__ import annotations

from typing import Any

from ..namespaces import numpy
from ..namespaces import numpy_convolution as kernels
from ..namespaces import numpy_small_windows as few
from . import native
from .dims import repeated
from .dtype_checks import cpp_word, type_word
from .operation import Array, composite, operation
from .small_programs import small

_ONE = ((1,), (0,), (1,), False, (0,), 1)

# -- the primitives as operations: each is a gradient of the others -----------------------------


@operation(dtypes="inexact", public=False, method=False, out=False, name="conv",
           samples=(((2, 2, 5), (3, 2, 2), (2,), (1,), (1,), 1),))  # fmt: skip
def conv(
    xp,
    input: Array,
    weight: Array,
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    dilation: tuple[int, ...],
    groups: int,
):
    """The convolution of (N, C, *spatial) with (filters, C / groups, *kernel)."""
    return xp.conv(input, weight, stride, padding, dilation, groups)


@conv.vjp("input")
def _(xp, grad, input_shape, weight, stride, padding, dilation, groups):
    return xp.conv_input(grad, weight, tuple(input_shape), stride, padding, dilation, groups)


@conv.vjp("weight")
def _(xp, grad, input, weight_shape, stride, padding, dilation, groups):
    return xp.conv_weight(grad, input, tuple(weight_shape), stride, padding, dilation, groups)


@operation(dtypes="inexact", public=False, method=False, out=False, name="conv_input",
           samples=(((2, 3, 3), (3, 2, 2), (2, 2, 5), (2,), (1,), (1,), 1),))  # fmt: skip
def conv_input(
    xp,
    output: Array,
    weight: Array,
    shape: tuple[int, ...],
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    dilation: tuple[int, ...],
    groups: int,
):
    """The gradient of :func:`conv` for an input of ``shape``."""
    return xp.conv_input(output, weight, shape, stride, padding, dilation, groups)


@conv_input.vjp("output")
def _(xp, grad, output_shape, weight, stride, padding, dilation, groups):
    return _cut(xp, xp.conv(grad, weight, stride, padding, dilation, groups), output_shape)


def _cut(xp, made, shape):
    """``made`` without what an ``output_padding`` of a step or more adds to it."""
    if tuple(made.shape) == tuple(shape):
        return made
    return xp.slice(made, tuple(slice(0, n) for n in shape))


@conv_input.vjp("weight")
def _(xp, grad, output, weight_shape, stride, padding, dilation, groups):
    return xp.conv_weight(output, grad, tuple(weight_shape), stride, padding, dilation, groups)


@operation(dtypes="inexact", public=False, method=False, out=False, name="conv_weight",
           samples=(((2, 3, 3), (2, 2, 5), (3, 2, 2), (2,), (1,), (1,), 1),))  # fmt: skip
def conv_weight(
    xp,
    output: Array,
    input: Array,
    shape: tuple[int, ...],
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    dilation: tuple[int, ...],
    groups: int,
):
    """The gradient of :func:`conv` for a weight of ``shape``."""
    return xp.conv_weight(output, input, shape, stride, padding, dilation, groups)


@conv_weight.vjp("output")
def _(xp, grad, input, output_shape, stride, padding, dilation, groups):
    return _cut(xp, xp.conv(input, grad, stride, padding, dilation, groups), output_shape)


@conv_weight.vjp("input")
def _(xp, grad, output, input_shape, stride, padding, dilation, groups):
    return xp.conv_input(output, grad, tuple(input_shape), stride, padding, dilation, groups)


# -- with a bias, or transposed -----------------------------------------------------------------


@operation(dtypes="inexact", public=False, method=False, out=False, name="convolution",
           node_name="ConvolutionBackward0",
           samples=(((2, 3, 6), (4, 3, 3), (4,), *_ONE),
                    ((2, 4, 5, 5), (4, 2, 3, 2), None, (2, 1), (1, 0), (1, 2), False, (0, 0), 2),
                    ((1, 2, 5), (2, 3, 3), (3,), (2,), (1,), (1,), True, (1,), 1),
                    ((2, 4, 3, 3), (4, 1, 2, 2), (2,), (1, 2), (0, 0), (1, 1), True, (0, 0), 2),
                    ((1, 2, 3, 4, 4), (2, 2, 2, 2, 2), None, (1, 1, 1), (0, 1, 0), (1, 1, 1),
                     False, (0, 0, 0), 1)))  # fmt: skip
def convolution(
    xp,
    input: Array,
    weight: Array,
    bias: Array | None,
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    dilation: tuple[int, ...],
    transposed: bool,
    output_padding: tuple[int, ...],
    groups: int,
):
    """The convolution of (N, C, *spatial) with (filters, C / groups, *kernel), or its transpose."""
    if transposed:
        shape = transposed_shape(
            input.shape, weight.shape, stride, padding, output_padding, dilation, groups
        )
        result = xp.conv_input(input, weight, shape, stride, padding, dilation, groups)
    else:
        result = xp.conv(input, weight, stride, padding, dilation, groups)
    if bias is None:
        return result
    return result + xp.reshape(bias, (bias.shape[0], *(1,) * len(stride)))


def transposed_shape(
    input_shape: Any,
    weight_shape: Any,
    stride: tuple[int, ...],
    padding: tuple[int, ...],
    output_padding: tuple[int, ...],
    dilation: tuple[int, ...],
    groups: int,
) -> tuple[int, ...]:
    """The shape of a transposed convolution's result."""
    spatial = (
        (n - 1) * s - 2 * p + d * (k - 1) + o + 1
        for n, k, s, p, o, d in zip(
            input_shape[2:], weight_shape[2:], stride, padding, output_padding, dilation
        )
    )
    return (input_shape[0], weight_shape[1] * groups, *spatial)


@convolution.vjp("input", "weight", "bias")
def _(xp, grad, input, weight, bias_shape, stride, padding, dilation, transposed, groups, needs):
    grad_input = grad_weight = grad_bias = None
    if needs[0]:
        if transposed:
            grad_input = xp.conv(grad, weight, stride, padding, dilation, groups)
            grad_input = _cut(xp, grad_input, input.shape)
        else:
            grad_input = xp.conv_input(
                grad, weight, tuple(input.shape), stride, padding, dilation, groups
            )
    if needs[1]:
        seen, made = (grad, input) if transposed else (input, grad)
        grad_weight = xp.conv_weight(
            made, seen, tuple(weight.shape), stride, padding, dilation, groups
        )
    if needs[2]:
        grad_bias = xp.sum(grad, (0, *range(2, grad.ndim)), False)
    return grad_input, grad_weight, grad_bias


def _is_small(input: Any, weight: Any, transposed: bool, groups: int) -> bool:
    """Whether it may be a convolution of few elements, which asks for no compiled program."""
    return (
        0 < input.size < few.FEW
        and 0 < weight.size < few.FEW
        and not transposed
        and groups == 1
        and input.dtype is weight.dtype
        and input.dtype.char in "fd"
    )


@convolution.kernel
def _(input, weight, bias, stride, padding, dilation, transposed, output_padding, groups):
    if (
        _is_small(input, weight, transposed, groups)
        and input.shape[1] == weight.shape[1]
        and (bias is None or (bias.shape == weight.shape[:1] and bias.dtype is input.dtype))
        and stride.__class__ is padding.__class__ is dilation.__class__ is tuple
    ):
        result = few.conv_few(input, weight, bias, stride, padding, dilation)
        if result is not None:
            return result
    arguments = (
        input, weight, bias, stride, padding, dilation, transposed, output_padding, groups
    )  # fmt: skip
    if transposed or input.dtype != weight.dtype or not input.size or not weight.size:
        check_convolution(*arguments)

    def on_numpy() -> Any:
        if transposed or not input.size or not weight.size:
            return convolution.forward(numpy, *arguments)
        return kernels.conv(input, weight, stride, padding, dilation, groups, bias)

    if input.dtype.char not in "fd" or not input.size or not weight.size:
        return on_numpy()
    seconds = _seconds(input, weight, stride, padding, dilation, transposed, groups)
    return native.call("convolution", convolution.forward, arguments, seconds, on_numpy)


@convolution.vjp_kernel("input", "weight", "bias")
def _(grad, input, weight, bias_shape, stride, padding, dilation, transposed, groups, needs):
    if (
        _is_small(input, weight, transposed, groups)
        and stride.__class__ is padding.__class__ is dilation.__class__ is tuple
    ):
        found = few.conv_few_gradients(grad, input, weight, stride, padding, dilation, needs)
        if found is not None:
            return found
    arguments = (
        grad, input, weight, bias_shape, stride, padding, dilation, transposed, groups,
        tuple(needs),
    )  # fmt: skip

    def on_numpy() -> Any:
        if transposed or not grad.size:
            return convolution.vjps[0].function(numpy, *arguments)
        return kernels.conv_gradients(grad, input, weight, stride, padding, dilation, groups, needs)

    if grad.dtype.char not in "fd" or not grad.size:
        return on_numpy()
    seconds = _seconds(input, weight, stride, padding, dilation, transposed, groups)
    seconds *= (needs[0] + needs[1]) * (1 if groups == 1 else 2.5)
    definition = convolution.vjps[0].function
    return native.call("convolution backward", definition, arguments, seconds, on_numpy)


small(convolution, 5, 8, shapes=("weight",))


def _seconds(input, weight, stride, padding, dilation, transposed, groups) -> float:
    """About how long NumPy takes for a convolution."""
    if transposed:
        multiplications = input.size // weight.shape[0] * weight.size
        return 2e-5 + 1e-10 * multiplications
    positions = input.shape[0]
    for n, k, s, p, d in zip(input.shape[2:], weight.shape[2:], stride, padding, dilation):
        positions *= (n + 2 * p - d * (k - 1) - 1) // s + 1
    multiplications = positions * weight.size
    columns = positions * (weight.size // weight.shape[0]) * groups * input.itemsize
    return 2e-5 + 2e-11 * multiplications + 1e-10 * columns


@convolution.checked
def check_convolution(
    input, weight, bias, stride, padding, dilation, transposed, output_padding, groups
):
    """Raise what PyTorch raises for operands that do not fit."""
    name = f"conv{'_transpose' if transposed else ''}{len(stride)}d"
    if input.dtype != weight.dtype or (bias is not None and bias.dtype != input.dtype):
        words = [type_word(a) for a in (input, weight, bias) if a is not None]
        if bias is not None and bias.dtype != input.dtype:
            words = [cpp_word(word) for word in words]
        raise RuntimeError(
            f"Input type ({words[0]}) and weight type ({words[1]}) should be the same"
            if bias is None or bias.dtype == input.dtype
            else f"Input type ({words[0]}) and bias type ({words[2]}) should be the same"
        )
    for what, values, least in (
        ("stride", stride, 1), ("padding", padding, 0), ("dilation", dilation, 1),
    ):  # fmt: skip
        if any(v < least for v in values):
            if what == "dilation":
                raise RuntimeError(f"dilation should be greater than zero ({name} got {values})")
            kind = "negative" if least == 0 else "non-positive"
            raise RuntimeError(f"{kind} {what} is not supported ({name} got {tuple(values)})")
    if groups <= 0:
        raise RuntimeError(f"non-positive groups is not supported ({name} got {groups})")
    wanted = weight.shape[0] if transposed else weight.shape[1] * groups
    if not transposed and (weight.shape[0] < groups or weight.shape[0] % groups):
        raise RuntimeError(
            f"Given groups={groups}, expected weight to be at least {groups} at dimension 0, but "
            f"got weight of size {list(weight.shape)} instead"
            if weight.shape[0] < groups
            else f"Given groups={groups}, expected weight to be divisible by {groups} at dimension "
            f"0, but got weight of size {list(weight.shape)} instead"
        )
    if input.shape[1] != wanted:
        raise RuntimeError(
            f"Given {'transposed=1' if transposed else f'groups={groups}'}, weight of size "
            f"{list(weight.shape)}, expected input{list(input.shape)} to have {wanted} channels, "
            f"but got {input.shape[1]} channels instead"
        )
    filters = weight.shape[1] * groups if transposed else weight.shape[0]
    if bias is not None and tuple(bias.shape) != (filters,):
        raise RuntimeError(
            f"Given {'transposed=1' if transposed else 'transposed=0'}, weight of size "
            f"{list(weight.shape)}, expected bias to be 1-dimensional with {filters} elements, but "
            f"got bias of size {list(bias.shape)} instead"
        )
    if transposed:
        for o, s, d in zip(output_padding, stride, dilation):
            if o >= s and o >= d:
                raise RuntimeError(
                    "output padding must be smaller than either stride or dilation, but got "
                    f"output_padding: {tuple(output_padding)} stride: {tuple(stride)} dilation: "
                    f"{tuple(dilation)}"
                )
        return
    padded = [n + 2 * p for n, p in zip(input.shape[2:], padding)]
    reach = [d * (k - 1) + 1 for k, d in zip(weight.shape[2:], dilation)]
    if any(n < r for n, r in zip(padded, reach)):
        sizes = " x ".join(str(n) for n in padded)
        kernel = " x ".join(str(n) for n in reach)
        raise RuntimeError(
            f"Calculated padded input size per channel: ({sizes}). Kernel size: ({kernel}). "
            "Kernel size can't be greater than actual input size"
        )


# -- the public functions ---------------------------------------------------------------------


def _same_padding(
    input: Any, weight: Any, stride: tuple[int, ...], dilation: tuple[int, ...]
) -> tuple[Any, tuple[int, ...]]:
    """The input, padded behind where the padding is uneven, and the padding on both sides."""
    if any(s != 1 for s in stride):
        raise RuntimeError("padding='same' is not supported for strided convolutions")
    totals = [d * (k - 1) for k, d in zip(weight.shape[2:], dilation)]
    if any(total % 2 for total in totals):
        from .shape import constant_pad

        widths = ((0, 0), (0, 0), *((0, total % 2) for total in totals))
        input = constant_pad(input, widths)
    return input, tuple(total // 2 for total in totals)


def _convolve(
    n: int,
    input: Any,
    weight: Any,
    bias: Any,
    stride: Any,
    padding: Any,
    dilation: Any,
    groups: int,
) -> Any:
    """A convolution over ``n`` spatial dims, of one sample or of a batch."""
    if input._array.ndim != n + 2:
        if input.ndim == n + 1:
            batch = input.unsqueeze(0)
            return _convolve(n, batch, weight, bias, stride, padding, dilation, groups).squeeze(0)
        raise RuntimeError(
            f"Expected {n + 1}D (unbatched) or {n + 2}D (batched) input to conv{n}d, but got input "
            f"of size: {list(input.shape)}"
        )
    if weight.ndim != n + 2:
        _refuse_weight(n, input, weight)
    if stride.__class__ is not tuple or len(stride) != n:
        stride = repeated(stride, n, "stride")
    if dilation.__class__ is not tuple or len(dilation) != n:
        dilation = repeated(dilation, n, "dilation")
    if padding.__class__ is not tuple or len(padding) != n:
        if padding.__class__ is not str:
            padding = repeated(padding, n, "padding")
        elif padding == "same":
            input, padding = _same_padding(input, weight, stride, dilation)
        elif padding == "valid":
            padding = (0,) * n
        else:
            raise RuntimeError(f"Invalid padding string: '{padding}'")
    return convolution.function(
        input, weight, bias, stride, padding, dilation, False, (0,) * n, groups
    )


def _refuse_weight(n: int, input: Any, weight: Any) -> None:
    """Raise what PyTorch raises for a weight of another number of dims."""
    if weight.ndim < 3:
        raise RuntimeError(
            f"weight should have at least three dimensions, but got {weight.ndim} (size "
            f"{list(weight.shape)})"
        )
    if input.ndim != weight.ndim:
        raise RuntimeError(
            f"Expected {weight.ndim}-dimensional input for {weight.ndim}-dimensional weight"
            f"{list(weight.shape)}, but got {input.ndim}-dimensional input of size "
            f"{list(input.shape)} instead"
        )
    raise RuntimeError(
        f"weight should have {n + 2} dimensions for conv{n}d, but got {weight.ndim} (size "
        f"{list(weight.shape)})"
    )


def _transposed(
    n: int,
    input: Any,
    weight: Any,
    bias: Any,
    stride: Any,
    padding: Any,
    output_padding: Any,
    groups: int,
    dilation: Any,
) -> Any:
    if input.ndim == n + 1:
        batch = input.unsqueeze(0)
        return _transposed(
            n, batch, weight, bias, stride, padding, output_padding, groups, dilation
        ).squeeze(0)
    if input.ndim != n + 2:
        raise RuntimeError(
            f"Expected {n + 1}D (unbatched) or {n + 2}D (batched) input to conv_transpose{n}d, but "
            f"got input of size: {list(input.shape)}"
        )
    return convolution(
        input,
        weight,
        bias,
        repeated(stride, n, "stride"),
        repeated(padding, n, "padding"),
        repeated(dilation, n, "dilation"),
        True,
        repeated(output_padding, n, "output_padding"),
        groups,
    )


@composite(method=False)
def conv1d(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Any:
    """Convolution (cross-correlation) along one dim.

    Args:
        input: (N, C, L) or (C, L).
        weight: (filters, C / groups, kernel).
        bias: (filters).
        stride: step of the filter.
        padding: zeros added on both sides, or "valid" or "same".
        dilation: distance between the elements that a filter reads.
        groups: groups of channels that do not see each other.

    Returns:
        (N, filters, L_out) or (filters, L_out).

    Raises:
        RuntimeError: numbers of dims, channels, sizes or dtypes that do not fit.
    """
    return _convolve(1, input, weight, bias, stride, padding, dilation, groups)


@composite(method=False)
def conv2d(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Any:
    """Convolution (cross-correlation) over two dims.

    Args:
        input: (N, C, H, W) or (C, H, W).
        weight: (filters, C / groups, kernel height, kernel width).
        bias: (filters).
        stride, padding, dilation, groups: see :func:`conv1d`; one number or a pair.

    Returns:
        (N, filters, H_out, W_out) or (filters, H_out, W_out).

    Raises:
        RuntimeError: numbers of dims, channels, sizes or dtypes that do not fit.
    """
    return _convolve(2, input, weight, bias, stride, padding, dilation, groups)


@composite(method=False)
def conv3d(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    dilation: Any = 1,
    groups: int = 1,
) -> Any:
    """Convolution (cross-correlation) over three dims.

    Args:
        input: (N, C, D, H, W) or (C, D, H, W).
        weight: (filters, C / groups, *kernel).
        bias: (filters).
        stride, padding, dilation, groups: see :func:`conv1d`; one number or a triple.

    Returns:
        (N, filters, D_out, H_out, W_out) or without N.

    Raises:
        RuntimeError: numbers of dims, channels, sizes or dtypes that do not fit.
    """
    return _convolve(3, input, weight, bias, stride, padding, dilation, groups)


@composite(method=False)
def conv_transpose1d(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Any:
    """The transpose of :func:`conv1d`: its gradient with respect to the input.

    Args:
        input: (N, C, L) or (C, L).
        weight: (C, filters / groups, kernel).
        bias: (filters).
        stride: distance between the places that two elements are spread to.
        padding: elements taken away on both sides of the result.
        output_padding: elements added on one side of the result.
        groups: groups of channels that do not see each other.
        dilation: distance between the elements that a filter writes.

    Returns:
        (N, filters, L_out) or (filters, L_out).

    Raises:
        RuntimeError: numbers of dims, channels, sizes or dtypes that do not fit.
    """
    return _transposed(1, input, weight, bias, stride, padding, output_padding, groups, dilation)


@composite(method=False)
def conv_transpose2d(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Any:
    """The transpose of :func:`conv2d`: its gradient with respect to the input.

    Args:
        input: (N, C, H, W) or (C, H, W).
        weight: (C, filters / groups, *kernel).
        bias: (filters).
        stride, padding, output_padding, groups, dilation: see :func:`conv_transpose1d`; one number
            or a pair.

    Returns:
        (N, filters, H_out, W_out) or without N.

    Raises:
        RuntimeError: shapes that do not fit.
    """
    return _transposed(2, input, weight, bias, stride, padding, output_padding, groups, dilation)


@composite(method=False)
def conv_transpose3d(
    input: Any,
    weight: Any,
    bias: Any = None,
    stride: Any = 1,
    padding: Any = 0,
    output_padding: Any = 0,
    groups: int = 1,
    dilation: Any = 1,
) -> Any:
    """The transpose of :func:`conv3d`: its gradient with respect to the input.

    Args:
        input: (N, C, D, H, W) or (C, D, H, W).
        weight: (C, filters / groups, *kernel).
        bias: (filters).
        stride, padding, output_padding, groups, dilation: see :func:`conv_transpose1d`; one number
            or a triple.

    Returns:
        (N, filters, D_out, H_out, W_out) or without N.

    Raises:
        RuntimeError: shapes that do not fit.
    """
    return _transposed(3, input, weight, bias, stride, padding, output_padding, groups, dilation)


@composite(method=False)
def conv_tbc(input: Any, weight: Any, bias: Any, pad: int = 0) -> Any:
    """The convolution of sequences whose dims are time, batch, channels.

    Args:
        input: (T, N, C).
        weight: (kernel, C, filters).
        bias: (filters,).
        pad: zeros added at both ends.

    Returns:
        (T_out, N, filters).

    Raises:
        RuntimeError: channels, sizes or dtypes that do not fit.
    """
    result = conv1d(input.permute(1, 2, 0), weight.permute(2, 1, 0), bias, padding=pad)
    return result.permute(2, 0, 1)
