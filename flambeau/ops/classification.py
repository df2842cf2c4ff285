"""Losses of class scores against target classes: negative log likelihood and cross entropy.

Classes lie along dim 1 of the input (dim 0 if that is the only one).  A class is picked by
comparing the target with 0, 1, ..., which fuses with what is around it and has no index to check.

Source: https://pytorch.org/docs/stable/generated/torch.nn.functional.cross_entropy.html
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np

from ..namespaces import numpy
from ..namespaces import numpy_small_rows as small_rows
from ..namespaces.numpy_blas import dot
from ..namespaces.numpy_constants import numbers, ones
from . import native
from .activation import sum_along
from .dtype_checks import type_word
from .index_checks import require_in_range
from .operation import Array, operation
from .small_programs import small

_INT64 = np.dtype(np.int64)


def _class_dim(ndim: int) -> int:
    return 0 if ndim == 1 else 1


def _chosen(xp: Any, input: Any, target: Any) -> Any:
    """Where, in the shape of ``input``, the class is the target's: a bool array."""
    dim = _class_dim(input.ndim)
    n = input.shape[dim]
    classes = xp.reshape(xp.arange(0, n, 1, xp.dtype(target)), (n, *(1,) * (input.ndim - 1 - dim)))
    shape = tuple(target.shape)
    return xp.eq(xp.reshape(target, (*shape[:dim], 1, *shape[dim:])), classes)


def _along_classes(xp: Any, weight: Any, input: Any) -> Any:
    dim = _class_dim(input.ndim)
    return xp.reshape(weight, (weight.shape[0], *(1,) * (input.ndim - 1 - dim)))


def _sample_weights(xp: Any, input: Any, target: Any, weight: Any, ignore_index: int) -> Any:
    """Each sample's weight: its class's, and 0 for a target to be ignored."""
    counted = xp.astype(xp.ne(target, ignore_index), xp.dtype(input))
    if weight is None:
        return counted
    dim = _class_dim(input.ndim)
    picked = xp.where(_chosen(xp, input, target), _along_classes(xp, weight, input), 0)
    return xp.sum(picked, (dim,), False) * counted


def _expanded(xp: Any, values: Any, input: Any) -> Any:
    """``values`` of samples with the class dim put in."""
    dim = _class_dim(input.ndim)
    shape = tuple(values.shape)
    return xp.reshape(values, (*shape[:dim], 1, *shape[dim:]))


# -- negative log likelihood ------------------------------------------------------------------


@operation(dtypes="inexact", public=False, out=False, node_name="NllLossBackward0", aux=True,
           samples=(((4, 3, 2), "index(4,2)3"), ((4, 3, 2), "index(4,2)3", (3,), 1, "sum"),
                    ((2, 3), "index(2)3", None, 2, "none")))  # fmt: skip
def nll_loss(
    xp,
    input: Array,
    target: Array,
    weight: Array | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
):
    """Minus the input at the target class, times the class's weight."""
    dim = _class_dim(input.ndim)
    weights = _sample_weights(xp, input, target, weight, ignore_index)
    picked = xp.sum(xp.where(_chosen(xp, input, target), input, 0), (dim,), False)
    # an ignored sample counts 0 even where its scores are infinite
    values = xp.where(xp.ne(target, ignore_index), -picked * weights, 0)
    if reduction == "none":
        return values, weights
    total = xp.sum(values, None, False)
    if reduction == "sum":
        return total, weights
    return total / xp.sum(weights, None, False), weights


@nll_loss.vjp("input")
def _(xp, grad, input, target, aux, reduction):
    coefficient = -aux * grad
    if reduction == "mean":
        coefficient = coefficient / xp.sum(aux, None, False)
    return xp.where(_chosen(xp, input, target), _expanded(xp, coefficient, input), 0)


def check_classes(name: str, input: Any, target: Any, weight: Any, ignore_index: int) -> None:
    """Raise what PyTorch raises for scores and targets that do not fit each other."""
    if input.ndim == 0:
        raise ValueError(f"{name}(): expected input of at least 1 dim, got a 0-d tensor")
    dim = _class_dim(input.ndim)
    n = input.shape[dim]
    shape = tuple(input.shape)
    wanted = shape[:dim] + shape[dim + 1 :]
    if tuple(target.shape) != wanted:
        if target.ndim and input.ndim > 1 and target.shape[0] != shape[0]:
            raise ValueError(
                f"Expected input batch_size ({shape[0]}) to match target batch_size "
                f"({target.shape[0]})."
            )
        if input.ndim == 2 and target.ndim != 1:
            raise RuntimeError(
                "0D or 1D target tensor expected, multi-target not supported (got target of "
                f"shape {list(target.shape)} for input of shape {list(shape)})"
            )
        raise RuntimeError(
            f"Expected target size {list(wanted)}, got {list(target.shape)} (input is of shape "
            f"{list(shape)}, its dim {dim} the classes)"
        )
    if target.dtype != _INT64 and target.dtype.name != "uint8":
        raise RuntimeError(f"expected target dtype to be Long or Byte, but got {type_word(target)}")
    if weight is not None and tuple(weight.shape) != (n,):
        raise RuntimeError(
            f"weight tensor should be defined either for all {n} classes or no classes but got "
            f"weight tensor of shape: {list(weight.shape)}"
        )
    if weight is not None and weight.dtype != input.dtype:
        raise RuntimeError(f"expected scalar type {type_word(input)} but found {type_word(weight)}")
    require_in_range(
        target, 0, n,
        lambda wrong: IndexError(
            f"Target {wrong} is out of bounds. ({name} with {n} classes, input of shape "
            f"{list(shape)})"
        ),
        ignored=ignore_index,
    )  # fmt: skip


def _wrong(xp: Any, input: Any, target: Any, weight: Any, ignore_index: int, *others: Any) -> Any:
    """Where the target is no class and not to be ignored."""
    n = input.shape[_class_dim(input.ndim)]
    outside = xp.logical_or(target < 0, target >= n)
    return xp.logical_and(outside, xp.ne(target, ignore_index))


@nll_loss.checked
def _(input, target, weight=None, ignore_index=-100, reduction="mean"):
    check_classes("nll_loss", input, target, weight, ignore_index)


@lru_cache(256)
def _classes(n: int) -> frozenset[int]:
    return frozenset(range(n))


def _refuse(input: np.ndarray, target: np.ndarray, ignore_index: int) -> bool:
    """Whether targets are ignored or wrong: one pass, negative ones being huge when unsigned."""
    if target.dtype != _INT64 or target.shape[0] != input.shape[0]:
        return True
    n = input.shape[1]
    if target.size < 64:  # a list is quicker
        return 0 <= ignore_index < n or not _classes(n).issuperset(target.tolist())
    return bool(np.maximum.reduce(target.view(np.uint64)) >= n) or 0 <= ignore_index < n


@nll_loss.kernel
def _(input, target, weight=None, ignore_index=-100, reduction="mean"):
    if (
        weight is not None
        or input.ndim != 2
        or target.ndim != 1
        or reduction == "none"
        or not target.size
        or _refuse(input, target, ignore_index)
    ):
        check_classes("nll_loss", input, target, weight, ignore_index)
        return nll_loss.forward(numpy, input, target, weight, ignore_index, reduction)
    n = input.shape[0]
    if input.size < _SMALL:
        places = _constants(n, input.shape[1], input.dtype.char)[0] + target
        total = -input.take(places).dot(ones(n, input.dtype))
    else:
        total = -np.add.reduce(input[numbers(n), target])
    return (total / n if reduction == "mean" else total), None


@nll_loss.vjp_kernel("input")
def _(grad, input, target, aux, reduction):
    if aux is not None:
        return nll_loss.vjps[0].function(numpy, grad, input, target, aux, reduction)
    result = np.zeros(input.shape, input.dtype)
    n = input.shape[0]
    result[numbers(n), target] = -grad / n if reduction == "mean" else -grad
    return result


small(nll_loss, 2.5, 2, most=1 << 12, refuses=_wrong)


# -- cross entropy with target classes --------------------------------------------------------


@operation(dtypes="inexact", public=False, out=False, node_name="NllLossBackward0", aux=True,
           name="cross_entropy_classes",
           samples=(((4, 3), "index(4)3"), ((4, 3), "index(4)3", None, 2, "sum"),
                    ((4, 3), "index(4)3", (3,), 1, "none", 0.1),
                    ((2, 3, 4), "index(2,4)3")))  # fmt: skip
def cross_entropy_classes(
    xp,
    input: Array,
    target: Array,
    weight: Array | None = None,
    ignore_index: int = -100,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
):
    """The cross entropy of softmax(input) with target classes, see ``F.cross_entropy``."""
    dim = _class_dim(input.ndim)
    shifted = input - xp.amax(input, (dim,), True)
    log_probabilities = shifted - xp.log(xp.sum(xp.exp(shifted), (dim,), True))
    weights = _sample_weights(xp, input, target, weight, ignore_index)
    picked = xp.sum(xp.where(_chosen(xp, input, target), log_probabilities, 0), (dim,), False)
    values = picked * weights * -(1 - label_smoothing)
    if label_smoothing:
        smooth = log_probabilities
        if weight is not None:
            smooth = smooth * _along_classes(xp, weight, input)
        counted = xp.astype(xp.ne(target, ignore_index), xp.dtype(input))
        factor = -label_smoothing / input.shape[dim]
        values = values + xp.sum(smooth, (dim,), False) * counted * factor
    aux = (log_probabilities, weights)
    if reduction == "none":
        return values, aux
    total = xp.sum(values, None, False)
    return (total if reduction == "sum" else total / xp.sum(weights, None, False)), aux


@cross_entropy_classes.vjp("input")
def _(xp, grad, input, target, weight, ignore_index, reduction, label_smoothing, aux):
    log_probabilities, weights = aux
    if reduction == "mean":
        grad = grad / xp.sum(weights, None, False)
    probabilities = xp.exp(log_probabilities)
    coefficient = _expanded(xp, weights * grad * (1 - label_smoothing), input)
    chosen = xp.where(_chosen(xp, input, target), coefficient, 0)
    result = probabilities * coefficient - chosen
    if label_smoothing:
        n = input.shape[_class_dim(input.ndim)]
        counted = xp.astype(xp.ne(target, ignore_index), xp.dtype(input))
        spread = _expanded(xp, counted * grad * (label_smoothing / n), input)
        if weight is None:
            result = result + (probabilities * n - 1) * spread
        else:
            along = _along_classes(xp, weight, input)
            result = result + (probabilities * xp.sum(weight, None, False) - along) * spread
    return result


@cross_entropy_classes.checked
def _(input, target, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    if not 0.0 <= label_smoothing <= 1.0:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}")
    check_classes("cross_entropy", input, target, weight, ignore_index)


_WIDE = 64
"""From this many classes on the input is worked on row by row, below it column by column."""

_SMALL = 256
"""Up to so many elements, what counts is how few steps there are."""


@lru_cache(256)
def _constants(n: int, classes: int, char: str) -> tuple[np.ndarray, ...]:
    """Where rows start, and ones, as many as rows and as many as classes."""
    dtype = np.dtype(char)
    return numbers(n) * classes, ones(n, dtype), ones(classes, dtype)


@cross_entropy_classes.kernel
def _(input, target, weight=None, ignore_index=-100, reduction="mean", label_smoothing=0.0):
    if (
        weight is not None
        or label_smoothing
        or input.ndim != 2
        or target.ndim != 1
        or reduction == "none"
        or not input.size
        or _refuse(input, target, ignore_index)
    ):
        cross_entropy_classes.check(input, target, weight, ignore_index, reduction, label_smoothing)
        return cross_entropy_classes.forward(
            numpy, input, target, weight, ignore_index, reduction, label_smoothing
        )
    if small_rows.are_few(input):
        rows = small_rows.rows_of(input.shape, input.dtype)
        e = small_rows.less_maxima(input, rows)
        places = rows.starts + target
        picked = e.reshape(-1)[places]
        np.exp(e, e)
        sums = e.dot(rows.ones)
        values = np.log(sums)
        values -= picked
        n = input.shape[0]
        total = values.dot(ones(n, input.dtype))
        return (total / n if reduction == "mean" else total), (e, sums, places)
    n, classes = input.shape
    if classes < _WIDE:
        # columns: reductions over classes become additions of long rows
        e = input.T.copy()
        e -= np.maximum.reduce(e, axis=0)
        places = target * n
        places += numbers(n)
        picked = e.reshape(-1).take(places)
        np.exp(e, out=e)
        sums = dot(ones(classes, e.dtype), e)
    else:
        e = np.subtract(input, np.maximum.reduce(input, axis=1, keepdims=True))
        places = numbers(n) * classes
        places += target
        picked = e.reshape(-1).take(places)
        np.exp(e, out=e)
        sums = sum_along(e, 1)[:, 0]
    values = np.log(sums)
    values -= picked
    total = np.add.reduce(values)
    return (total / n if reduction == "mean" else total), (e, sums, places)


@cross_entropy_classes.vjp_kernel("input")
def _(grad, input, target, weight, ignore_index, reduction, label_smoothing, aux):
    if len(aux) == 2:
        return cross_entropy_classes.vjps[0].function(
            numpy, grad, input, target, weight, ignore_index, reduction, label_smoothing, aux
        )
    e, sums, places = aux
    n, classes = input.shape
    if reduction == "mean":
        grad = grad / n
    if small_rows.are_few(input):
        rows = small_rows.rows_of(input.shape, input.dtype)
        result = (grad / sums)[rows.row]
        result *= e
        flat = result.reshape(-1)
        flat[places] -= grad
        return result
    if classes < _WIDE:
        result = e * (grad / sums)
        result.reshape(-1)[places] -= grad
        return result.T
    result = e * (grad / sums)[:, None]
    result.reshape(-1)[places] -= grad
    return result


native.moves(
    cross_entropy_classes, 1 << 14, 1e-9, 0.5e-9,
    fits=lambda input, target, weight, ignore_index, *_: (
        weight is None
        and input.ndim == 2
        and target.ndim == 1
        and not _refuse(input, target, ignore_index)
    ),
)  # fmt: skip


small(cross_entropy_classes, 4.5, 2.5, most=1 << 12, refuses=_wrong)


# -- cross entropy with target probabilities ----------------------------------------------------


@operation(dtypes="inexact", public=False, out=False, node_name="DivBackward1",
           name="cross_entropy_probabilities", aux=True,
           samples=(((4, 3), (4, 3)), ((4, 3, 2), (4, 3, 2), (3,), "none", 0.1)))  # fmt: skip
def cross_entropy_probabilities(
    xp,
    input: Array,
    target: Array,
    weight: Array | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
):
    """The cross entropy of softmax(input) with target probabilities, see ``F.cross_entropy``."""
    dim = _class_dim(input.ndim)
    shifted = input - xp.amax(input, (dim,), True)
    log_probabilities = shifted - xp.log(xp.sum(xp.exp(shifted), (dim,), True))
    mixed = _mixed(xp, input, target, weight, label_smoothing)
    values = -xp.sum(log_probabilities * mixed, (dim,), False)
    aux = (log_probabilities, mixed)
    if reduction == "none":
        return values, aux
    total = xp.sum(values, None, False)
    return (total if reduction == "sum" else total / _samples(input)), aux


def _samples(input: Any) -> int:
    count = math.prod(input.shape) // max(1, input.shape[_class_dim(input.ndim)])
    return max(1, count)


def _mixed(xp: Any, input: Any, target: Any, weight: Any, label_smoothing: float) -> Any:
    if label_smoothing:
        n = input.shape[_class_dim(input.ndim)]
        target = target * (1 - label_smoothing) + label_smoothing / n
    return target if weight is None else target * _along_classes(xp, weight, input)


@cross_entropy_probabilities.vjp("input")
def _(xp, grad, input, reduction, aux):
    log_probabilities, mixed = aux
    grad = grad / _samples(input) if reduction == "mean" else grad
    dim = _class_dim(input.ndim)
    if grad.ndim:
        grad = _expanded(xp, grad, input)
    total = xp.sum(mixed, (dim,), True)
    return (xp.exp(log_probabilities) * total - mixed) * grad


@cross_entropy_probabilities.vjp("target")
def _(xp, grad, input, weight, reduction, label_smoothing, aux):
    grad = grad / _samples(input) if reduction == "mean" else grad
    if grad.ndim:
        grad = _expanded(xp, grad, input)
    slope = aux[0] * (label_smoothing - 1)
    if weight is not None:
        slope = slope * _along_classes(xp, weight, input)
    return slope * grad


@cross_entropy_probabilities.checked
def _(input, target, weight=None, reduction="mean", label_smoothing=0.0):
    if not 0.0 <= label_smoothing <= 1.0:
        raise RuntimeError(f"label_smoothing must be between 0.0 and 1.0. Got: {label_smoothing}")
    n = input.shape[_class_dim(input.ndim)]
    if weight is not None and tuple(weight.shape) != (n,):
        raise RuntimeError(
            f"cross_entropy: weight tensor should be defined either for all {n} classes or no "
            f"classes but got weight tensor of shape: {list(weight.shape)}"
        )


small(cross_entropy_probabilities, 8, 6, most=1 << 12)


# -- PyTorch's names for the last step of each ------------------------------------------------


def _images(node: Any) -> str:
    input = node.input  # after the backward pass, the shape alone
    dims = len(input if isinstance(input, tuple) else input.shape)
    return "NllLoss2DBackward0" if dims > 2 else "NllLossBackward0"


def _class_name(node: Any) -> str:
    return "AddBackward0" if node.label_smoothing else _images(node)


def _probability_name(node: Any) -> str:
    return {"mean": "DivBackward1", "sum": "NegBackward0", "none": "NegBackward0"}[node.reduction]


nll_loss.naming_shape = cross_entropy_classes.naming_shape = "input"
nll_loss.naming = _images
cross_entropy_classes.naming = _class_name
cross_entropy_probabilities.naming = _probability_name
