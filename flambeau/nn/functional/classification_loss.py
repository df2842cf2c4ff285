"""Losses of scores and probabilities against classes.

Source: https://docs.pytorch.org/docs/2.13/nn.functional.html (loss functions)
"""

from __future__ import annotations

import warnings

import flambeau
from flambeau.nn.functional.activation import logsigmoid
from flambeau.nn.functional.node_names import node_called
from flambeau.nn.functional.reduction import reduced, reduction_of
from flambeau.ops import classification as _classification
from flambeau.ops import loss as _loss
from flambeau.ops.dtype_checks import type_word
from flambeau.tensor import Tensor

__all__ = [
    "binary_cross_entropy",
    "binary_cross_entropy_with_logits",
    "cross_entropy",
    "kl_div",
    "linear_cross_entropy",
    "multi_margin_loss",
    "multilabel_margin_loss",
    "multilabel_soft_margin_loss",
    "nll_loss",
    "soft_margin_loss",
]


def binary_cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """The binary cross entropy of probabilities ``input`` with ``target``, of any one shape.

    Args:
        input: (*), probabilities in [0, 1].
        target: (*), likewise.
        weight: a factor per element, to be broadcast.
        reduction: ``"mean"``, ``"sum"`` or ``"none"``.
        size_average, reduce: deprecated; they name a ``reduction`` together.

    Returns:
        A 0-d tensor, or (*) without reduction.

    Raises:
        ValueError: ``input`` and ``target`` have two shapes.
        RuntimeError: elements of ``input`` outside [0, 1], or ``target`` of another dtype.
    """
    if size_average is not None or reduce is not None or reduction not in _loss.REDUCTIONS:
        reduction = reduction_of(size_average, reduce, reduction)
    if target._array.shape != input._array.shape:
        raise ValueError(
            f"Using a target size ({target.size()}) that is different to the input size "
            f"({input.size()}) is deprecated. Please ensure they have the same size."
        )
    if weight is not None:
        weight = weight.expand(input.size())
    return _loss.binary_cross_entropy.function(input, target, weight, reduction)


def binary_cross_entropy_with_logits(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    pos_weight: Tensor | None = None,
) -> Tensor:
    """The binary cross entropy of sigmoid(input) with ``target``, of any one shape.

    Args:
        input, target: ``(*)``.
        weight: a weight per element; it broadcasts.
        pos_weight: a weight of positive targets; it broadcasts.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.
        size_average, reduce: deprecated; they name a ``reduction`` together.

    Returns:
        A 0-d tensor, or ``(*)`` without reduction.

    Raises:
        ValueError: ``input`` and ``target`` have two shapes, or ``reduction`` is none of the three.
    """
    if size_average is not None or reduce is not None or reduction not in _loss.REDUCTIONS:
        reduction = reduction_of(size_average, reduce, reduction)
    if target._array.shape != input._array.shape:
        raise ValueError(
            f"Target size ({target.size()}) must be the same as input size ({input.size()})"
        )
    function = _loss.binary_cross_entropy_with_logits.function
    return function(input, target, weight, pos_weight, reduction)


def nll_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """The negative log likelihood of target classes.

    Args:
        input: log probabilities, ``(N, C)``, ``(C)`` or ``(N, C, d1, ..., dK)``.
        target: classes, ``(N)``, ``()`` or ``(N, d1, ..., dK)``.
        weight: a weight per class, ``(C)``.
        ignore_index: a target that counts nothing.
        reduction: ``"none"``, ``"mean"`` (weighted) or ``"sum"``.
        size_average, reduce: deprecated; they name a ``reduction`` together.

    Returns:
        A 0-d tensor, or one of the target's shape without reduction.

    Raises:
        ValueError: batch sizes that differ, or ``reduction`` is none of the three.
        IndexError: a target that is no class.
        RuntimeError: a target of the wrong dtype.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.functional.nll_loss.html
    """
    if size_average is not None or reduce is not None or reduction not in _loss.REDUCTIONS:
        reduction = reduction_of(size_average, reduce, reduction)
    return _classification.nll_loss.function(input, target, weight, ignore_index, reduction)


def cross_entropy(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    ignore_index: int = -100,
    reduce: bool | None = None,
    reduction: str = "mean",
    label_smoothing: float = 0.0,
) -> Tensor:
    """The cross entropy of softmax(input) with target classes or probabilities.

    Args:
        input: ``(N, C)``, ``(C)`` or ``(N, C, d1, ..., dK)``.
        target: classes, ``(N)``, ``()`` or ``(N, d1, ..., dK)``, or probabilities of the input's
            shape.
        weight: a weight per class, ``(C)``.
        ignore_index: a target class that counts nothing.
        reduction: ``"none"``, ``"mean"`` (weighted) or ``"sum"``.
        label_smoothing: how much of the target is spread evenly over all classes.
        size_average, reduce: deprecated; they name a ``reduction`` together.

    Returns:
        A 0-d tensor, or ``(N)``, ``()`` or ``(N, d1, ..., dK)`` without reduction.

    Raises:
        ValueError: batch sizes that differ, or ``reduction`` is none of the three.
        IndexError: a target that is no class.
        RuntimeError: a target of the wrong dtype, ``label_smoothing`` outside [0, 1], or an
            ``ignore_index`` from 0 on with probabilities.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.functional.cross_entropy.html;
    label smoothing: Szegedy et al., Rethinking the Inception Architecture, 2015.
    """
    if size_average is not None or reduce is not None or reduction not in _loss.REDUCTIONS:
        reduction = reduction_of(size_average, reduce, reduction)
    if input._array.shape == target._array.shape and target._array.ndim:
        if target._array.dtype.kind not in "fV":
            raise RuntimeError(
                "Expected floating point type for target with class probabilities, got "
                f"{type_word(target._array)}"
            )
        if ignore_index >= 0:
            raise RuntimeError("ignore_index is not supported for floating point target")
        return _classification.cross_entropy_probabilities.function(
            input, target, weight, reduction, label_smoothing
        )
    if target._array.dtype.kind in "fVb" and target._array.shape[:1] == input._array.shape[:1]:
        raise RuntimeError(
            f"expected target dtype to be Long or Byte, but found {type_word(target._array)}"
        )
    return _classification.cross_entropy_classes.function(
        input, target, weight, ignore_index, reduction, label_smoothing
    )


def kl_div(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
    log_target: bool = False,
) -> Tensor:
    """The Kullback-Leibler divergence of ``target`` from log probabilities ``input``.

    Args:
        input, target: ``(*)``.
        size_average, reduce: deprecated; they name a ``reduction`` together.
        reduction: ``"none"``, ``"mean"``, ``"sum"``, or ``"batchmean"``, which divides the sum by
            the batch size: the divergence.
        log_target: whether the target is log probabilities too.

    Returns:
        A 0-d tensor, or ``(*)`` without reduction.

    Raises:
        ValueError: ``reduction`` is none of the four.
    """
    if size_average is not None or reduce is not None:
        reduction = _loss.legacy_reduction(size_average, reduce)
    elif reduction == "mean":
        warnings.warn(
            "reduction: 'mean' divides the total loss by both the batch size and the support size."
            "'batchmean' divides only by the batch size, and aligns with the KL div math "
            "definition.'mean' will be changed to behave the same as 'batchmean' in the next major "
            "release.",
            stacklevel=2,
        )
    function = _loss.kl_div_values.function
    if reduction == "batchmean":
        total = function(input, target, log_target, "sum")
        return total / input.size()[0] if input.dim() else total
    return function(input, target, log_target, _loss.check_reduction(reduction))


@node_called("SoftMarginLossBackward0")
def soft_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """log(1 + exp(-target * input)) with targets 1 and -1.

    Args:
        input, target: ``(*)``.
        size_average, reduce: deprecated; they name a ``reduction`` together.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.

    Returns:
        A 0-d tensor, or ``(*)`` without reduction.

    Raises:
        ValueError: ``reduction`` is none of the three.
    """
    reduction = reduction_of(size_average, reduce, reduction)
    return reduced((-target * input).exp().log1p(), reduction)


def multilabel_soft_margin_loss(
    input: Tensor,
    target: Tensor,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """The mean over classes (the last dim) of binary cross entropies of sigmoid(input).

    Args:
        input: ``(N, C)``, scores.
        target: ``(N, C)``, 0 or 1 for each class.
        weight: a weight per class, ``(C)``.
        size_average, reduce: deprecated; they name a ``reduction`` together.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.

    Returns:
        A 0-d tensor, or ``(N)`` without reduction.

    Raises:
        ValueError: ``reduction`` is none of the three.
    """
    reduction = reduction_of(size_average, reduce, reduction)
    values = -(target * logsigmoid(input) + (1 - target) * logsigmoid(-input))
    if weight is not None:
        values = values * weight
    return reduced(values.sum(-1) / input.size(-1), reduction)


@node_called("MultiMarginLossBackward0")
def multi_margin_loss(
    input: Tensor,
    target: Tensor,
    p: int = 1,
    margin: float = 1.0,
    weight: Tensor | None = None,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """The mean over classes of max(0, margin - x[target] + x[class]) ** p.

    Args:
        input: ``(N, C)`` or ``(C)``.
        target: ``(N)`` or ``()``.
        p: 1 or 2.
        margin: the margin.
        weight: a weight per class, ``(C)``.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.
        size_average, reduce: deprecated; they name a ``reduction`` together.

    Returns:
        A 0-d tensor, or one of the target's shape without reduction.

    Raises:
        ValueError: ``p`` is neither 1 nor 2, ``weight`` has not one dim, or ``reduction`` is none
            of the three.
        RuntimeError: shapes that do not fit, or a target that is not int64.
    """
    reduction = reduction_of(size_average, reduce, reduction)
    if p not in (1, 2):
        raise ValueError("only p == 1 and p == 2 supported")
    if weight is not None and weight.dim() != 1:
        raise ValueError("weight must be one-dimensional")
    single = input.dim() < 2
    rows = input.reshape(1, -1) if single else input
    _require_classes(input)
    if single and target.numel() != 1:
        raise RuntimeError(f"inconsistent target size, expected 1 but got {list(target.shape)}")
    if not single and (target.dim() > 1 or target.numel() != rows.shape[0]):
        raise RuntimeError(
            "multi_margin_loss: target tensor should be 1-D with size equal to the number of "
            f"input samples (batch size). Expected target size [{rows.shape[0]}], but got "
            f"{list(target.shape)}. Input has {input.dim()} dimensions and shape "
            f"{list(input.shape)}."
        )
    if weight is not None and weight.numel() != rows.shape[1]:
        raise RuntimeError(
            f"inconsistent weight size, expected {rows.shape[1]} but got {list(weight.shape)}"
        )
    if target.dtype is not flambeau.int64:
        raise RuntimeError(f"expected scalar type Long but found {type_word(target._array)}")
    classes = target.reshape(-1, 1)
    hinge = (margin - rows.gather(1, classes) + rows).clamp_min(0)
    if p == 2:
        hinge = hinge * hinge
    if weight is not None:
        hinge = hinge * weight[classes]
    own = flambeau.zeros_like(rows).scatter_(1, classes, 1.0)
    values = (hinge * (1 - own)).sum(1) / rows.shape[1]
    return reduced(values.reshape(tuple(target.shape)), reduction)


def _require_classes(input: Tensor) -> None:
    """Raise what PyTorch raises for scores without a class."""
    if input.dim() not in (0, 1, 2) or (input.dim() and not input.shape[-1]):
        raise RuntimeError(
            "Expected non-empty vector or matrix with optional 0-dim batch size, but got: "
            f"{list(input.shape)}"
        )


@node_called("MultilabelMarginLossBackward0")
def multilabel_margin_loss(
    input: Tensor,
    target: Tensor,
    size_average: bool | None = None,
    reduce: bool | None = None,
    reduction: str = "mean",
) -> Tensor:
    """Hinges between each target class of a sample and every class that is no target.

    Args:
        input: ``(N, C)`` or ``(C)``.
        target: of the same shape: classes in front, then -1.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.
        size_average, reduce: deprecated; they name a ``reduction`` together.

    Returns:
        A 0-d tensor, or ``(N)`` without reduction.

    Raises:
        ValueError: ``reduction`` is none of the three.
        RuntimeError: ``target`` has another shape or is no integer, or there is no class.
    """
    reduction = reduction_of(size_average, reduce, reduction)
    _require_classes(input)
    if input.shape != target.shape:
        raise RuntimeError(
            f"inconsistent target size: {list(target.shape)} for input of size: {list(input.shape)}"
        )
    single = input.dim() < 2
    rows = input.reshape(1, -1) if single else input
    classes = target.reshape(1, -1) if single else target
    counted = ((classes < 0).cumsum(1) == 0).to(rows.dtype)  # those in front of the first -1
    chosen = classes.clamp(min=0)
    is_target = flambeau.zeros_like(rows).scatter_add(1, chosen, counted).clamp(max=1)
    margins = (1 - rows.gather(1, chosen)).unsqueeze(2) + rows.unsqueeze(1)
    hinge = margins.clamp_min(0) * counted.unsqueeze(2) * (1 - is_target).unsqueeze(1)
    values = hinge.sum((1, 2)) / rows.shape[1]
    return reduced(values[0] if single else values, reduction)


def linear_cross_entropy(
    input: Tensor,
    linear_weight: Tensor,
    target: Tensor,
    *,
    linear_bias: Tensor | None = None,
    weight: Tensor | None = None,
    reduction: str = "mean",
    ignore_index: int | None = None,
    label_smoothing: float = 0.0,
    options: object = None,
) -> Tensor:
    """The cross entropy of a linear map's scores with target classes.

    Args:
        input: ``(in_features)`` or ``(N, in_features)``.
        linear_weight: ``(C, in_features)`` or ``(C, d_1, ..., d_K, in_features)``.
        target: as for :func:`cross_entropy` with input ``(N, C, d_1, ..., d_K)``.
        linear_bias: ``(C)`` or ``(C, d_1, ..., d_K)``.
        weight, reduction, ignore_index, label_smoothing: as for :func:`cross_entropy`.
        options: in PyTorch, how rows are put together to save memory; the numbers do not depend
            on it, and here all scores are made at once.

    Returns:
        A 0-d tensor, or one of the target's shape without reduction.

    Raises:
        RuntimeError: shapes that do not fit, or ``ignore_index`` beside probabilities.
        ValueError, IndexError: as :func:`cross_entropy`.

    Source:
    https://docs.pytorch.org/docs/2.13/generated/torch.nn.functional.linear_cross_entropy.html
    """
    *outer, features = linear_weight.shape
    if input.dim() not in (1, 2):
        raise RuntimeError(f"expected input with dimensionality 1 or 2, got {input.dim()}")
    if linear_weight.dim() < 2:
        raise RuntimeError(
            f"expected linear_weight with dimensionality at least 2, got {linear_weight.dim()}"
        )
    if linear_bias is not None and tuple(linear_bias.shape) != tuple(linear_weight.shape[:-1]):
        raise RuntimeError(
            f"expected linear_bias shape {tuple(linear_weight.shape[:-1])}, got "
            f"{tuple(linear_bias.shape)}"
        )
    if input.shape[-1] != features:
        raise RuntimeError(
            "expected equal input and linear_weight last dimensions (in_features), got "
            f"{input.shape[-1]} and {features}, respectively"
        )
    if len(outer) > 1 and input.dim() == 1:
        raise RuntimeError(
            f"K-dimensional loss defined by linear_weight shape {tuple(linear_weight.shape)} "
            f"requires batched input, (N, {features}), got unbatched input {tuple(input.shape)}"
        )
    scores = flambeau.nn.functional.linear(input, linear_weight.reshape(-1, features))
    if len(outer) > 1:
        scores = scores.reshape(*input.shape[:-1], *outer)
    if linear_bias is not None:
        scores = scores + linear_bias
    if ignore_index is not None and target.is_floating_point():
        raise RuntimeError("ignore_index cannot be specified when target contains probabilities")
    return cross_entropy(
        scores,
        target,
        weight,
        ignore_index=-100 if ignore_index is None else ignore_index,
        reduction=reduction,
        label_smoothing=label_smoothing,
    )
