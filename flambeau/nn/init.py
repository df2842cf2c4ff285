"""Initialisers (``torch.nn.init``), on PyTorch's random stream in its order.

Each fills ``tensor`` in place, without recording it for gradients, and returns it; ``generator`` is
the random stream that it draws from (None: the global one).

Source: https://docs.pytorch.org/docs/2.13/nn.init.html
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import flambeau
from flambeau.tensor import Tensor

_LINEAR_NONLINEARITIES = (
    "linear",
    "conv1d",
    "conv2d",
    "conv3d",
    "conv_transpose1d",
    "conv_transpose2d",
    "conv_transpose3d",
    "sigmoid",
)


def calculate_gain(nonlinearity: str, param: float | None = None) -> float:
    """The factor by which weights in front of ``nonlinearity`` are larger than without one.

    Args:
        nonlinearity: its name in ``nn.functional``.
        param: the negative slope of ``leaky_relu`` (default 0.01).

    Returns:
        The factor, such as sqrt(2) for ``"relu"``.

    Raises:
        ValueError: the nonlinearity is not known, or its parameter is no number.
    """
    if nonlinearity in _LINEAR_NONLINEARITIES:
        return 1
    if nonlinearity == "tanh":
        return 5.0 / 3
    if nonlinearity == "relu":
        return math.sqrt(2.0)
    if nonlinearity == "selu":
        return 3.0 / 4  # an empirical value, as in PyTorch
    if nonlinearity == "leaky_relu":
        if param is None:
            slope = 0.01
        elif isinstance(param, (int, float)) and not isinstance(param, bool):
            slope = param
        else:
            raise ValueError(f"negative_slope {param} not a valid number")
        return math.sqrt(2.0 / (1 + slope**2))
    raise ValueError(f"Unsupported nonlinearity {nonlinearity}")


def _calculate_fan_in_and_fan_out(tensor: Tensor) -> tuple[int, int]:
    """How many inputs reach an output of this weight, and how many outputs an input reaches."""
    if tensor.dim() < 2:
        raise ValueError(
            "Fan in and fan out can not be computed for tensor with fewer than 2 dimensions"
        )
    shape = tensor.shape
    receptive_field = math.prod(shape[2:])
    return shape[1] * receptive_field, shape[0] * receptive_field


def _calculate_correct_fan(tensor: Tensor, mode: str) -> int:
    mode = mode.lower()
    if mode not in ("fan_in", "fan_out"):
        raise ValueError(f"Mode {mode} not supported, please use one of ['fan_in', 'fan_out']")
    fan_in, fan_out = _calculate_fan_in_and_fan_out(tensor)
    return fan_in if mode == "fan_in" else fan_out


def uniform_(tensor: Tensor, a: float = 0.0, b: float = 1.0, generator: Any = None) -> Tensor:
    """Fill ``tensor`` (*) from U(``a``, ``b``), drawn from ``generator``.

    Returns:
        ``tensor``.
    """
    with flambeau.no_grad():
        return tensor.uniform_(a, b, generator=generator)


def normal_(tensor: Tensor, mean: float = 0.0, std: float = 1.0, generator: Any = None) -> Tensor:
    """Fill ``tensor`` (*) from N(``mean``, ``std`` ** 2), drawn from ``generator``.

    Returns:
        ``tensor``.
    """
    with flambeau.no_grad():
        return tensor.normal_(mean, std, generator=generator)


def trunc_normal_(
    tensor: Tensor,
    mean: float = 0.0,
    std: float = 1.0,
    a: float = -2.0,
    b: float = 2.0,
    generator: Any = None,
) -> Tensor:
    """Fill ``tensor`` from a normal distribution, restricted to the values in an interval.

    Args:
        tensor: ``(*)``.
        mean, std: of the distribution before that.
        a, b: the least and the largest value.
        generator: the random stream (default: the global one).

    Returns:
        ``tensor``.
    """
    if mean < a - 2 * std or mean > b + 2 * std:
        warnings.warn(
            "mean is more than 2 std from [a, b] in nn.init.trunc_normal_. The distribution of "
            "values may be incorrect.",
            stacklevel=2,
        )

    inside = _normal_cdf((b - mean) / std) - _normal_cdf((a - mean) / std)
    with flambeau.no_grad():
        if inside > 0.3:
            return _redrawn_normals(tensor, mean, std, a, b, generator)
        return _accepted_uniforms(tensor, mean, std, a, b, generator)


def _normal_cdf(x: float) -> float:
    return (1.0 + math.erf(x / math.sqrt(2.0))) / 2.0


def _redrawn_normals(
    tensor: Tensor, mean: float, std: float, a: float, b: float, generator: Any
) -> Tensor:
    """Normal values; all are drawn anew as long as some lie outside, but only those are taken."""
    low, high = tensor.new_tensor(a).item(), tensor.new_tensor(b).item()
    tensor.normal_(mean, std, generator=generator)
    while True:
        outside = (tensor < low) | (tensor > high)
        if not bool(outside.any()):
            return tensor
        again = flambeau.empty_like(tensor).normal_(mean, std, generator=generator)
        tensor.copy_(flambeau.where(outside, again, tensor))


def _accepted_uniforms(
    tensor: Tensor, mean: float, std: float, a: float, b: float, generator: Any
) -> Tensor:
    """Uniform values, each accepted with its density's share of the highest in [a, b]."""
    mode = max(a, min(mean, b))
    highest = -0.5 * ((mode - mean) / std) ** 2
    pending = None
    while pending is None or bool(pending.any()):
        drawn = flambeau.empty_like(tensor).uniform_(a, b, generator=generator)
        density = ((drawn - mean) / std) ** 2 * -0.5 - highest
        chance = flambeau.empty_like(tensor).uniform_(generator=generator).log()
        rejected = chance > density
        if pending is None:
            tensor.copy_(drawn)
            pending = rejected
        else:
            tensor.copy_(flambeau.where(pending, drawn, tensor))
            pending = pending & rejected
    return tensor


def constant_(tensor: Tensor, val: float) -> Tensor:
    """Fill ``tensor`` (*) with ``val``.

    Returns:
        ``tensor``.
    """
    with flambeau.no_grad():
        return tensor.fill_(val)


def ones_(tensor: Tensor) -> Tensor:
    """Fill ``tensor`` (*) with 1.

    Returns:
        ``tensor``.
    """
    return constant_(tensor, 1.0)


def zeros_(tensor: Tensor) -> Tensor:
    """Fill ``tensor`` (*) with 0.

    Returns:
        ``tensor``.
    """
    with flambeau.no_grad():
        return tensor.zero_()


def eye_(tensor: Tensor) -> Tensor:
    """Make the matrix ``tensor`` the identity (as far as its shape allows).

    Returns:
        ``tensor``, ``(rows, columns)``.

    Raises:
        ValueError: ``tensor`` is no matrix.
    """
    if tensor.dim() != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    with flambeau.no_grad():
        tensor.zero_()
        for place in range(min(tensor.shape)):
            tensor[place, place] = 1
    return tensor


def dirac_(tensor: Tensor, groups: int = 1) -> Tensor:
    """Make the convolution weight ``tensor`` one that passes its input channels on unchanged.

    Args:
        tensor: ``(out_channels, in_channels, *kernel)`` with one to three kernel dimensions.
        groups: how many groups of channels the convolution has.

    Returns:
        ``tensor``.

    Raises:
        ValueError: another number of dims, or ``groups`` does not divide ``out_channels``.
    """
    dimensions = tensor.dim()
    if dimensions not in (3, 4, 5):
        raise ValueError("Only tensors with 3, 4, or 5 dimensions are supported")
    sizes = tensor.size()
    if sizes[0] % groups != 0:
        raise ValueError("dim 0 must be divisible by groups")
    out_channels = sizes[0] // groups
    centre = tuple(size // 2 for size in sizes[2:])
    with flambeau.no_grad():
        tensor.zero_()
        for group in range(groups):
            for channel in range(min(out_channels, sizes[1])):
                tensor[(group * out_channels + channel, channel, *centre)] = 1
    return tensor


def xavier_uniform_(tensor: Tensor, gain: float = 1.0, generator: Any = None) -> Tensor:
    """Fill from U(-a, a), a = gain * sqrt(6 / (fan_in + fan_out)).

    Args:
        tensor: a weight, ``(out, in, *)``; its fans are ``in`` and ``out`` times the sizes behind.
        gain: see :func:`calculate_gain`.
        generator: the random stream (default: the global one).

    Returns:
        ``tensor``.

    Raises:
        ValueError: ``tensor`` has fewer than two dims.

    Source: Glorot and Bengio, Understanding the Difficulty of Training Deep Feedforward Neural
    Networks, 2010.
    """
    fan_in, fan_out = _calculate_fan_in_and_fan_out(tensor)
    std = gain * math.sqrt(2.0 / float(fan_in + fan_out))
    bound = math.sqrt(3.0) * std
    return uniform_(tensor, -bound, bound, generator)


def xavier_normal_(tensor: Tensor, gain: float = 1.0, generator: Any = None) -> Tensor:
    """Fill from N(0, std²), std = gain * sqrt(2 / (fan_in + fan_out)).

    Args:
        tensor, gain, generator: as for :func:`xavier_uniform_`.

    Returns:
        ``tensor``.

    Raises:
        ValueError: ``tensor`` has fewer than two dims.

    Source: Glorot and Bengio, Understanding the Difficulty of Training Deep Feedforward Neural
    Networks, 2010.
    """
    fan_in, fan_out = _calculate_fan_in_and_fan_out(tensor)
    std = gain * math.sqrt(2.0 / float(fan_in + fan_out))
    return normal_(tensor, 0.0, std, generator)


def _kaiming_std(tensor: Tensor, a: float, mode: str, nonlinearity: str) -> float:
    fan = _calculate_correct_fan(tensor, mode)
    return calculate_gain(nonlinearity, a) / math.sqrt(fan)


def kaiming_uniform_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Any = None,
) -> Tensor:
    """Fill from U(-b, b), b = gain * sqrt(3 / fan).

    Args:
        tensor: a weight, ``(out, in, *)``.
        a: the negative slope behind this layer (for ``leaky_relu``).
        mode: ``"fan_in"`` keeps the variance in the forward pass, ``"fan_out"`` in the backward.
        nonlinearity: the function behind this layer.
        generator: the random stream (default: the global one).

    Returns:
        ``tensor``.

    Raises:
        ValueError: fewer than two dims, another ``mode``, or a nonlinearity that is not known.

    Source: He et al., Delving Deep into Rectifiers, 2015.
    """
    if 0 in tensor.shape:
        warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=2)
        return tensor
    bound = math.sqrt(3.0) * _kaiming_std(tensor, a, mode, nonlinearity)
    return uniform_(tensor, -bound, bound, generator)


def kaiming_normal_(
    tensor: Tensor,
    a: float = 0,
    mode: str = "fan_in",
    nonlinearity: str = "leaky_relu",
    generator: Any = None,
) -> Tensor:
    """Fill from N(0, std²), std = gain / sqrt(fan).

    Args:
        tensor, a, mode, nonlinearity, generator: as for :func:`kaiming_uniform_`.

    Returns:
        ``tensor``.

    Raises:
        ValueError: fewer than two dims, another ``mode``, or a nonlinearity that is not known.

    Source: He et al., Delving Deep into Rectifiers, 2015.
    """
    if 0 in tensor.shape:
        warnings.warn("Initializing zero-element tensors is a no-op", stacklevel=2)
        return tensor
    return normal_(tensor, 0, _kaiming_std(tensor, a, mode, nonlinearity), generator)


def orthogonal_(tensor: Tensor, gain: float = 1, generator: Any = None) -> Tensor:
    """Fill with a (semi-)orthogonal matrix.

    Args:
        tensor: ``(rows, *)``; dims behind the first are one.
        gain: what the matrix is multiplied by.
        generator: the random stream (default: the global one).

    Returns:
        ``tensor``.

    Raises:
        ValueError: ``tensor`` has fewer than two dims.

    Source: Saxe et al., Exact Solutions to the Nonlinear Dynamics of Learning in Deep Linear
    Networks, 2013.
    """
    if tensor.dim() < 2:
        raise ValueError("Only tensors with 2 or more dimensions are supported")
    if tensor.numel() == 0:
        return tensor
    rows, columns = tensor.size(0), tensor.numel() // tensor.size(0)
    flat = tensor.new_empty((rows, columns)).normal_(0, 1, generator=generator)
    if rows < columns:
        flat = flat.t()
    q, r = flambeau.linalg.qr(flat)
    # make Q uniform: the signs of R's diagonal belong to it (Mezzadri, 2007)
    q = q * flambeau.diag(r, 0).sign()
    if rows < columns:
        q = q.t()
    with flambeau.no_grad():
        tensor.view_as(q).copy_(q)
        tensor.mul_(gain)
    return tensor


def sparse_(tensor: Tensor, sparsity: float, std: float = 0.01, generator: Any = None) -> Tensor:
    """Fill from N(0, std²), then set a fraction of each column to zero.

    Args:
        tensor: a matrix, ``(rows, columns)``.
        sparsity: the fraction of each column that is zero.
        std: the standard deviation of the others.
        generator: the random stream (default: the global one).

    Returns:
        ``tensor``.

    Raises:
        ValueError: ``tensor`` is no matrix.

    Source: Martens, Deep Learning via Hessian-free Optimization, 2010.
    """
    if tensor.dim() != 2:
        raise ValueError("Only tensors with 2 dimensions are supported")
    rows, columns = tensor.shape
    zeros = math.ceil(sparsity * rows)
    with flambeau.no_grad():
        tensor.normal_(0, std, generator=generator)
        for column in range(columns):
            tensor[flambeau.randperm(rows)[:zeros], column] = 0
    return tensor


def _deprecated(function: Callable[..., Tensor]) -> Callable[..., Tensor]:
    new = function.__name__
    old = new[:-1]

    def deprecated(*args: Any, **kwargs: Any) -> Tensor:
        warnings.warn(
            f"`nn.init.{old}` is now deprecated in favor of `nn.init.{new}`.",
            FutureWarning,
            stacklevel=2,
        )
        return function(*args, **kwargs)

    deprecated.__name__ = old
    deprecated.__doc__ = (
        f":func:`{new}` by its old name, with its ``args``; warns, returns the same."
    )
    return deprecated


uniform = _deprecated(uniform_)
normal = _deprecated(normal_)
constant = _deprecated(constant_)
eye = _deprecated(eye_)
dirac = _deprecated(dirac_)
xavier_uniform = _deprecated(xavier_uniform_)
xavier_normal = _deprecated(xavier_normal_)
kaiming_uniform = _deprecated(kaiming_uniform_)
kaiming_normal = _deprecated(kaiming_normal_)
orthogonal = _deprecated(orthogonal_)
sparse = _deprecated(sparse_)

# What PyTorch calls the same functions inside; programs import them.
_no_grad_uniform_ = uniform_
_no_grad_normal_ = normal_
_no_grad_trunc_normal_ = trunc_normal_
_no_grad_fill_ = constant_
_no_grad_zero_ = zeros_
