"""Losses of predictions against targets.

``reduction`` says what becomes of the losses of single elements: "none" keeps them all, "mean" and
"sum" reduce them to one number.

Source: https://pytorch.org/docs/stable/nn.functional.html#loss-functions
"""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np

from ..namespaces import numpy
from ..namespaces.numpy_constants import ones
from .dtype_checks import type_word
from .operation import Array, operation
from .small_programs import small

REDUCTIONS = ("none", "mean", "sum")


def check_reduction(reduction: str) -> str:
    """``reduction``, if it is one."""
    if reduction not in REDUCTIONS:
        raise ValueError(f"{reduction} is not a valid value for reduction")
    return reduction


def legacy_reduction(
    size_average: bool | None, reduce: bool | None, emit_warning: bool = True
) -> str:
    """The reduction that the deprecated arguments ask for."""
    size_average = True if size_average is None else size_average
    reduce = True if reduce is None else reduce
    reduction = ("mean" if size_average else "sum") if reduce else "none"
    if emit_warning:
        warnings.warn(
            "size_average and reduce args will be deprecated, please use "
            f"reduction='{reduction}' instead.",
            stacklevel=4,
        )
    return reduction


def reduced(xp: Any, values: Any, reduction: str) -> Any:
    """``values``, their mean or their sum."""
    if reduction == "none":
        return values
    total = xp.sum(values, None, False)
    if reduction == "sum":
        return total
    count = math.prod(values.shape)
    return total / count if count else total * float("nan")


def spread(grad: Any, count: int, reduction: str) -> Any:
    """The gradient of each value from that of their reduction (it broadcasts)."""
    return grad / count if reduction == "mean" and count else grad


# -- regression -------------------------------------------------------------------------------

_PAIR = (((3, 4), (3, 4)), ((3, 4), (3, 4), "sum"), ((3, 4), (3, 4), "none"))


def _difference_count(difference: Any) -> int:
    return math.prod(difference.shape)


@operation(promote="number", dtypes="inexact", public=False, aux=True, out=False, samples=_PAIR)
def mse_loss(xp, input: Array, target: Array, reduction: str = "mean"):
    """(input - target) ** 2."""
    difference = input - target
    return reduced(xp, difference * difference, reduction), difference


@mse_loss.kernel
def _(input, target, reduction="mean"):
    difference = np.subtract(input, target)
    if reduction == "none" or not difference.size:
        return reduced(numpy, difference * difference, reduction), difference
    flat = difference.reshape(-1)
    total = flat.dot(flat)
    return (total / flat.size if reduction == "mean" else total), difference


@mse_loss.vjp("input")
def _(xp, grad, aux, reduction):
    return aux * (spread(grad, _difference_count(aux), reduction) * 2)


@mse_loss.vjp("target")
def _(xp, grad, aux, reduction):
    return aux * (spread(grad, _difference_count(aux), reduction) * -2)


small(mse_loss, 1.5, 1.5)


@operation(promote="number", dtypes="inexact", public=False, aux=True, out=False,
           node_name="MeanBackward0", samples=_PAIR)  # fmt: skip
def l1_loss(xp, input: Array, target: Array, reduction: str = "mean"):
    """abs(input - target)."""
    difference = input - target
    return reduced(xp, xp.abs(difference), reduction), difference


def _reduction_name(none: str) -> Any:
    """The name of a node whose last step in PyTorch is the reduction."""
    last = {"mean": "MeanBackward0", "sum": "SumBackward0", "none": none}
    return lambda node: last[node.reduction]


l1_loss.naming = _reduction_name("AbsBackward0")


@l1_loss.vjp("input")
def _(xp, grad, aux, reduction):
    return xp.sign(aux) * spread(grad, _difference_count(aux), reduction)


@l1_loss.vjp("target")
def _(xp, grad, aux, reduction):
    return xp.sign(aux) * -spread(grad, _difference_count(aux), reduction)


small(l1_loss, 2, 2)


@operation(promote="number", dtypes="inexact", public=False, aux=True, out=False,
           samples=(((3, 4), (3, 4), "mean", 0.7), ((3, 4), (3, 4), "none", 0.7)))  # fmt: skip
def smooth_l1_loss(xp, input: Array, target: Array, reduction: str = "mean", beta: float = 1.0):
    """d * d / (2 * beta) where d = abs(input - target) < beta, else d - beta / 2."""
    difference = input - target
    distance = xp.abs(difference)
    values = xp.where(
        distance < beta, difference * difference * (0.5 / beta), distance - 0.5 * beta
    )
    return reduced(xp, values, reduction), difference


@smooth_l1_loss.vjp("input")
def _(xp, grad, aux, reduction, beta):
    slope = xp.minimum(xp.maximum(aux * (1 / beta), -1), 1)
    return slope * spread(grad, _difference_count(aux), reduction)


@smooth_l1_loss.vjp("target")
def _(xp, grad, aux, reduction, beta):
    slope = xp.minimum(xp.maximum(aux * (1 / beta), -1), 1)
    return slope * -spread(grad, _difference_count(aux), reduction)


small(smooth_l1_loss, 5, 4)


@operation(promote="number", dtypes="inexact", public=False, aux=True, out=False,
           samples=(((3, 4), (3, 4), "mean", 0.7), ((3, 4), (3, 4), "none", 0.7)))  # fmt: skip
def huber_loss(xp, input: Array, target: Array, reduction: str = "mean", delta: float = 1.0):
    """d * d / 2 where d = abs(input - target) <= delta, else delta * (d - delta / 2)."""
    difference = input - target
    distance = xp.abs(difference)
    values = xp.where(
        distance <= delta, difference * difference * 0.5, (distance - 0.5 * delta) * delta
    )
    return reduced(xp, values, reduction), difference


@huber_loss.vjp("input")
def _(xp, grad, aux, reduction, delta):
    slope = xp.minimum(xp.maximum(aux, -delta), delta)
    return slope * spread(grad, _difference_count(aux), reduction)


@huber_loss.vjp("target")
def _(xp, grad, aux, reduction, delta):
    slope = xp.minimum(xp.maximum(aux, -delta), delta)
    return slope * -spread(grad, _difference_count(aux), reduction)


small(huber_loss, 5, 4)


# -- binary cross entropy ---------------------------------------------------------------------


@operation(dtypes="inexact", public=False, out=False, domain=(0.1, 0.9),
           samples=(((3, 4), (3, 4)), ((3, 4), (3, 4), (3, 4), "sum"),
                    ((3, 4), (3, 4), None, "none")))  # fmt: skip
def binary_cross_entropy(
    xp, input: Array, target: Array, weight: Array | None = None, reduction: str = "mean"
):
    """-(y * log(x) + (1 - y) * log(1 - x)), the logarithms being at least -100."""
    log = xp.maximum(xp.log(input), -100)
    log_other = xp.maximum(xp.log1p(-input), -100)
    values = (target - 1) * log_other - target * log
    return reduced(xp, values if weight is None else values * weight, reduction)


@binary_cross_entropy.vjp("input")
def _(xp, grad, input, target, weight, reduction):
    grad = spread(grad, math.prod(input.shape), reduction)
    slope = (input - target) / xp.maximum((1 - input) * input, 1e-12)
    return grad * (slope if weight is None else slope * weight)


@binary_cross_entropy.vjp("target")
def _(xp, grad, input, weight, reduction):
    grad = spread(grad, math.prod(input.shape), reduction)
    slope = xp.log1p(-input) - xp.log(input)
    return grad * (slope if weight is None else slope * weight)


@binary_cross_entropy.checked
def _(input, target, weight=None, reduction="mean"):
    if input.dtype != target.dtype:
        raise RuntimeError(f"Found dtype {type_word(target)} but expected {type_word(input)}")
    if type(input) is np.ndarray and input.size and not ((input >= 0) & (input <= 1)).all():
        raise RuntimeError("all elements of input should be between 0 and 1")


_SMALL = 256
"""Up to so many elements, what counts is how few steps there are."""


def _totalled(values: np.ndarray, reduction: str) -> Any:
    """The sum or mean of a few values."""
    n = values.size
    total = values.reshape(-1).dot(ones(n, values.dtype))
    return total / n if reduction == "mean" else total


@binary_cross_entropy.kernel
def _(input, target, weight=None, reduction="mean"):
    if (
        0 < input.size < _SMALL
        and input.ndim
        and weight is None
        and reduction != "none"
        and input.dtype.char in _NUMBERS
        and input.dtype == target.dtype
        and input.shape == target.shape
    ):
        zero, one, floor = _NUMBERS[input.dtype.char]
        with np.errstate(divide="ignore", invalid="ignore"):
            log, other = np.log(input), np.log1p(-input)
        np.maximum(log, floor, out=log)
        np.maximum(other, floor, out=other)
        other *= target - one
        other -= target * log
        total = _totalled(other, reduction)
        if total == total:  # NaN, if elements are outside [0, 1]
            return total
    if input.dtype != target.dtype or (
        input.size
        and not (np.minimum.reduce(input, None) >= 0 and np.maximum.reduce(input, None) <= 1)
    ):
        raise ValueError("elements of input outside [0, 1]")  # `checked` says it in words
    with np.errstate(divide="ignore"):
        return binary_cross_entropy.forward(numpy, input, target, weight, reduction)


small(
    binary_cross_entropy, 4.5, 3,
    refuses=lambda xp, input, *_: xp.logical_not(xp.logical_and(input >= 0, input <= 1)),
)  # fmt: skip

_NUMBERS = {char: tuple(np.array(n, char) for n in (0, 1, -100)) for char in "fd"}
"""0, 1 and the least logarithm as arrays: quicker beside arrays than numbers."""


@operation(promote="number", dtypes="inexact", public=False, out=False,
           samples=(((3, 4), (3, 4)), ((3, 4), (3, 4), (3, 4), (4,)),
                    ((3, 4), (3, 4), None, None, "none")))  # fmt: skip
def binary_cross_entropy_with_logits(
    xp,
    input: Array,
    target: Array,
    weight: Array | None = None,
    pos_weight: Array | None = None,
    reduction: str = "mean",
):
    """The binary cross entropy of sigmoid(input), without overflow."""
    tail = xp.log1p(xp.exp(-xp.abs(input))) + xp.relu(-input)  # log(1 + exp(-x))
    if pos_weight is None:
        values = (1 - target) * input + tail
    else:
        values = (1 - target) * input + ((pos_weight - 1) * target + 1) * tail
    return reduced(xp, values if weight is None else values * weight, reduction)


@binary_cross_entropy_with_logits.kernel
def _(input, target, weight=None, pos_weight=None, reduction="mean"):
    if (
        0 < input.size < _SMALL
        and input.ndim
        and input.dtype.char in _NUMBERS
        and weight is None
        and pos_weight is None
        and reduction != "none"
        and input.shape == target.shape
    ):
        values = np.logaddexp(-input, _NUMBERS[input.dtype.char][0])
        values += input - target * input
        return _totalled(values, reduction)
    return binary_cross_entropy_with_logits.forward(
        numpy, input, target, weight, pos_weight, reduction
    )


@binary_cross_entropy_with_logits.vjp("input")
def _(xp, grad, input, target, weight, pos_weight, reduction):
    grad = spread(grad, math.prod(input.shape), reduction)
    if pos_weight is None:
        slope = xp.sigmoid(input) - target
    else:
        positive = pos_weight * target
        slope = (positive + 1 - target) * xp.sigmoid(input) - positive
    return grad * (slope if weight is None else slope * weight)


@binary_cross_entropy_with_logits.vjp_kernel("input")
def _(grad, input, target, weight, pos_weight, reduction):
    if weight is None and pos_weight is None and input.shape == target.shape:
        slope = numpy.sigmoid(input)
        slope -= target
        slope *= spread(grad, input.size, reduction)
        return slope
    function = binary_cross_entropy_with_logits.vjps[0].function
    return function(numpy, grad, input, target, weight, pos_weight, reduction)


@binary_cross_entropy_with_logits.vjp("target")
def _(xp, grad, input, weight, pos_weight, reduction):
    grad = spread(grad, math.prod(input.shape), reduction)
    slope = -input
    if pos_weight is not None:
        slope = slope + (pos_weight - 1) * (xp.log1p(xp.exp(-xp.abs(input))) + xp.relu(-input))
    return grad * (slope if weight is None else slope * weight)


small(binary_cross_entropy_with_logits, 3, 3)


@operation(promote="number", dtypes="inexact", public=False, out=False,
           samples=(((3, 4), (3, 4), False, "sum"), ((3, 4), (3, 4), True, "none")),
           domain=(0.1, 2.0))  # fmt: skip
def kl_div_values(
    xp, input: Array, target: Array, log_target: bool = False, reduction: str = "mean"
):
    """target * (log(target) - input), or exp(target) * (target - input) if ``log_target``."""
    if log_target:
        values = xp.exp(target) * (target - input)
    else:
        # 0 * log(0) counts 0
        positive = target > 0
        log = xp.log(xp.where(positive, target, 1))
        values = xp.where(positive, target * log, target * 0) - target * input
    return reduced(xp, values, reduction)


@kl_div_values.vjp("input")
def _(xp, grad, input, target, log_target, reduction):
    grad = spread(grad, math.prod(input.shape), reduction)
    return grad * -(xp.exp(target) if log_target else target)


@kl_div_values.vjp("target")
def _(xp, grad, input, target, log_target, reduction):
    grad = spread(grad, math.prod(input.shape), reduction)
    if log_target:
        return grad * (xp.exp(target) * (target - input + 1))
    # at 0, as in PyTorch, the derivative of target * log(target) is 0 / 0
    log = xp.where(xp.eq(target, 0), target, xp.log(target))
    return grad * (log + target / target - input)


small(kl_div_values, 5, 3)


kl_div_values.naming = _reduction_name("SubBackward0")
