"""Loss functions as layers.

``reduction`` says what becomes of the losses of single elements: ``"mean"``, ``"sum"``, or
``"none"`` for all of them. ``size_average`` and ``reduce`` are its deprecated forms.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

from flambeau.nn import functional as F
from flambeau.nn.modules.linear import Linear
from flambeau.nn.modules.linear_cross_entropy_options import LinearCrossEntropyOptions
from flambeau.nn.modules.module import Module
from flambeau.ops.loss import legacy_reduction
from flambeau.tensor import Tensor

__all__ = [
    "BCELoss",
    "BCEWithLogitsLoss",
    "CTCLoss",
    "CosineEmbeddingLoss",
    "CrossEntropyLoss",
    "GaussianNLLLoss",
    "HingeEmbeddingLoss",
    "HuberLoss",
    "KLDivLoss",
    "L1Loss",
    "LinearCrossEntropyLoss",
    "MSELoss",
    "MarginRankingLoss",
    "MultiLabelMarginLoss",
    "MultiLabelSoftMarginLoss",
    "MultiMarginLoss",
    "NLLLoss",
    "NLLLoss2d",
    "PoissonNLLLoss",
    "SmoothL1Loss",
    "SoftMarginLoss",
    "TripletMarginLoss",
    "TripletMarginWithDistanceLoss",
]


class _Loss(Module):
    reduction: str

    def __init__(
        self, size_average: Any = None, reduce: Any = None, reduction: str = "mean"
    ) -> None:
        super().__init__()
        if size_average is not None or reduce is not None:
            self.reduction = legacy_reduction(size_average, reduce)
        else:
            self.reduction = reduction


class _WeightedLoss(_Loss):
    weight: Tensor | None

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: Any = None,
        reduce: Any = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.register_buffer("weight", weight)


class L1Loss(_Loss):
    """The absolute error ``|x - y|``.

    Args:
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.
        size_average, reduce: deprecated; they name a ``reduction`` together.

    Shape:
        - Input, target: ``(*)``
        - Output: ``()``, or ``(*)`` if ``reduction="none"``

    Raises:
        ValueError: ``reduction`` is none of the three, in the call.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.L1Loss.html
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.l1_loss(input, target, reduction=self.reduction)


class MSELoss(_Loss):
    """The squared error ``(x - y)^2``.

    Args:
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.
        size_average, reduce: deprecated; they name a ``reduction`` together.

    Shape:
        - Input, target: ``(*)``
        - Output: ``()``, or ``(*)`` if ``reduction="none"``

    Raises:
        ValueError: ``reduction`` is none of the three, in the call.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.MSELoss.html
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.mse_loss(input, target, reduction=self.reduction)


class NLLLoss(_WeightedLoss):
    """The negative log likelihood of the target class; the input is log probabilities.

    Args:
        weight: a weight per class, ``(C,)``.
        ignore_index: a target that counts nothing.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.
        size_average, reduce: deprecated; they name a ``reduction`` together.

    Shape:
        - Input: ``(N, C)``, ``(C)`` or ``(N, C, d1, ..., dK)``
        - Target: ``(N)``, ``()`` or ``(N, d1, ..., dK)``, classes from 0 to C - 1
        - Output: ``()``, or the target's shape if ``reduction="none"``

    Raises:
        ValueError: batch sizes that differ.
        IndexError: a target that is no class.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.NLLLoss.html
    """

    ignore_index: int

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: Any = None,
        ignore_index: int = -100,
        reduce: Any = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        self.ignore_index = ignore_index

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.nll_loss(
            input,
            target,
            weight=self.weight,
            ignore_index=self.ignore_index,
            reduction=self.reduction,
        )


class NLLLoss2d(NLLLoss):
    """Deprecated: :class:`NLLLoss` takes images too.

    Args:
        weight, size_average, ignore_index, reduce, reduction: as there.

    Shape:
        - Input: ``(N, C, H, W)``
        - Target: ``(N, H, W)``
        - Output: ``()``, or the target's shape if ``reduction="none"``

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.NLLLoss2d.html
    """

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: Any = None,
        ignore_index: int = -100,
        reduce: Any = None,
        reduction: str = "mean",
    ) -> None:
        warnings.warn(
            "NLLLoss2d has been deprecated. Please use NLLLoss instead as a drop-in replacement "
            "and see https://pytorch.org/docs/main/nn.html#torch.nn.NLLLoss for more details.",
            FutureWarning,
            stacklevel=2,
        )
        super().__init__(weight, size_average, ignore_index, reduce, reduction)


class PoissonNLLLoss(_Loss):
    """The negative log likelihood of a Poisson distributed target.

    Args:
        log_input: whether the input is the logarithm of the rate.
        full: whether Stirling's approximation of ``log(target!)`` is added.
        eps: keeps the logarithm finite if ``log_input`` is False.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.
        size_average, reduce: deprecated; they name a ``reduction`` together.

    Shape:
        - Input, target: ``(*)``
        - Output: ``()``, or ``(*)`` if ``reduction="none"``

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.PoissonNLLLoss.html
    """

    log_input: bool
    full: bool
    eps: float

    def __init__(
        self,
        log_input: bool = True,
        full: bool = False,
        size_average: Any = None,
        eps: float = 1e-8,
        reduce: Any = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.log_input = log_input
        self.full = full
        self.eps = eps

    def forward(self, log_input: Tensor, target: Tensor) -> Tensor:
        """The loss of the (log) rates ``log_input`` (*) with the counts ``target`` (*)."""
        return F.poisson_nll_loss(
            log_input,
            target,
            log_input=self.log_input,
            full=self.full,
            eps=self.eps,
            reduction=self.reduction,
        )


class GaussianNLLLoss(_Loss):
    """The negative log likelihood of a normally distributed target (Nix and Weigend, 1994).

    Args:
        full: whether the constant term is added.
        eps: the least variance.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.

    Shape:
        - Input (the means): ``(*)``; target: ``(*)``; var: ``(*)``, or with a last dimension of 1,
          or without it
        - Output: ``()``, or ``(*)`` if ``reduction="none"``

    Raises:
        ValueError: a negative variance or one of another shape, in the call.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.GaussianNLLLoss.html
    """

    full: bool
    eps: float

    def __init__(self, *, full: bool = False, eps: float = 1e-6, reduction: str = "mean") -> None:
        super().__init__(None, None, reduction)
        self.full = full
        self.eps = eps

    def forward(self, input: Tensor, target: Tensor, var: Any) -> Tensor:
        return F.gaussian_nll_loss(
            input, target, var, full=self.full, eps=self.eps, reduction=self.reduction
        )


class KLDivLoss(_Loss):
    """The Kullback-Leibler divergence; the input is log probabilities.

    Args:
        log_target: whether the target is log probabilities too.
        reduction: ``"batchmean"`` (the sum divided by the batch size) is the divergence;
            ``"mean"`` divides by the number of all elements.
        size_average, reduce: deprecated; they name a ``reduction`` together.

    Shape:
        - Input, target: ``(*)``
        - Output: ``()``, or ``(*)`` if ``reduction="none"``

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.KLDivLoss.html
    """

    def __init__(
        self,
        size_average: Any = None,
        reduce: Any = None,
        reduction: str = "mean",
        log_target: bool = False,
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.log_target = log_target

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.kl_div(input, target, reduction=self.reduction, log_target=self.log_target)


class BCELoss(_WeightedLoss):
    """The binary cross entropy; the input is probabilities.

    Args:
        weight: a weight per element, broadcast to the input.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.
        size_average, reduce: deprecated; they name a ``reduction`` together.

    Shape:
        - Input, target: ``(*)``, from 0 to 1
        - Output: ``()``, or ``(*)`` if ``reduction="none"``

    Raises:
        ValueError: a target of another shape.
        RuntimeError: inputs outside [0, 1].

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.BCELoss.html
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.binary_cross_entropy(input, target, weight=self.weight, reduction=self.reduction)


class BCEWithLogitsLoss(_Loss):
    """The binary cross entropy of the sigmoid of the input, computed stably.

    Args:
        weight: a weight per element, broadcast to the input.
        pos_weight: a weight of positive targets, broadcast to the input.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.
        size_average, reduce: deprecated; they name a ``reduction`` together.

    Shape:
        - Input, target: ``(*)``
        - Output: ``()``, or ``(*)`` if ``reduction="none"``

    Raises:
        ValueError: a target of another shape.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.BCEWithLogitsLoss.html
    """

    weight: Tensor | None
    pos_weight: Tensor | None

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: Any = None,
        reduce: Any = None,
        reduction: str = "mean",
        pos_weight: Tensor | None = None,
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.register_buffer("weight", weight)
        self.register_buffer("pos_weight", pos_weight)

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.binary_cross_entropy_with_logits(
            input,
            target,
            self.weight,
            pos_weight=self.pos_weight,
            reduction=self.reduction,
        )


class HingeEmbeddingLoss(_Loss):
    """``x`` where the target is 1, ``max(0, margin - x)`` where it is -1.

    Args:
        margin: the margin.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.
        size_average, reduce: deprecated; they name a ``reduction`` together.

    Shape:
        - Input, target: ``(*)``
        - Output: ``()``, or ``(*)`` if ``reduction="none"``

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.HingeEmbeddingLoss.html
    """

    margin: float

    def __init__(
        self,
        margin: float = 1.0,
        size_average: Any = None,
        reduce: Any = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.margin = margin

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.hinge_embedding_loss(input, target, margin=self.margin, reduction=self.reduction)


class MultiLabelMarginLoss(_Loss):
    """A hinge loss between the target classes of a sample, several, and all others.

    Args:
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.
        size_average, reduce: deprecated; they name a ``reduction`` together.

    Shape:
        - Input: ``(N, C)`` or ``(C)``
        - Target: the same, classes in front, then -1
        - Output: ``()``, or ``(N)`` if ``reduction="none"``

    Raises:
        RuntimeError: a target of another shape.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.MultiLabelMarginLoss.html
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.multilabel_margin_loss(input, target, reduction=self.reduction)


class SmoothL1Loss(_Loss):
    """The squared error divided by ``2 * beta`` below ``beta``, above it ``|x - y| - beta / 2``.

    Args:
        beta: where the two parts meet, at least 0.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.
        size_average, reduce: deprecated; they name a ``reduction`` together.

    Shape:
        - Input, target: ``(*)``
        - Output: ``()``, or ``(*)`` if ``reduction="none"``

    Raises:
        RuntimeError: ``beta`` is negative, in the call.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.SmoothL1Loss.html
    """

    def __init__(
        self,
        size_average: Any = None,
        reduce: Any = None,
        reduction: str = "mean",
        beta: float = 1.0,
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.beta = beta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.smooth_l1_loss(input, target, reduction=self.reduction, beta=self.beta)


class HuberLoss(_Loss):
    """Half the squared error below ``delta``, above it ``delta * (|x - y| - delta / 2)``.

    Args:
        delta: where the two parts meet, more than 0.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.

    Shape:
        - Input, target: ``(*)``
        - Output: ``()``, or ``(*)`` if ``reduction="none"``

    Raises:
        TypeError: ``delta`` is no number.
        RuntimeError: ``delta`` is not positive, in the call.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.HuberLoss.html
    """

    def __init__(self, reduction: str = "mean", delta: float = 1.0) -> None:
        if not isinstance(delta, (int, float)):
            raise TypeError(f"delta must be a float or int, got: {type(delta)}")
        super().__init__(reduction=reduction)
        self.delta = delta

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.huber_loss(input, target, reduction=self.reduction, delta=self.delta)


class SoftMarginLoss(_Loss):
    """``log(1 + exp(-y * x))`` with targets 1 and -1.

    Args:
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.
        size_average, reduce: deprecated; they name a ``reduction`` together.

    Shape:
        - Input, target: ``(*)``
        - Output: ``()``, or ``(*)`` if ``reduction="none"``

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.SoftMarginLoss.html
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.soft_margin_loss(input, target, reduction=self.reduction)


class CrossEntropyLoss(_WeightedLoss):
    """The cross entropy of the softmax of the input with target classes or probabilities.

    Args:
        weight: a weight per class, ``(C,)``.
        ignore_index: a target class that counts nothing.
        label_smoothing: how much of the target is spread evenly over all classes, from 0 to 1.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.
        size_average, reduce: deprecated; they name a ``reduction`` together.

    Shape:
        - Input: ``(N, C)``, ``(C)`` or ``(N, C, d1, ..., dK)``
        - Target: classes from 0 to C - 1, ``(N)``, ``()`` or ``(N, d1, ..., dK)``; or
          probabilities, of the input's shape
        - Output: ``()``, or the shape of target classes if ``reduction="none"``

    Raises:
        ValueError: batch sizes that differ.
        IndexError: a target that is no class.
        RuntimeError: ``label_smoothing`` outside [0, 1], or a target of the wrong dtype.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.CrossEntropyLoss.html
    """

    ignore_index: int
    label_smoothing: float

    def __init__(
        self,
        weight: Tensor | None = None,
        size_average: Any = None,
        ignore_index: int = -100,
        reduce: Any = None,
        reduction: str = "mean",
        label_smoothing: float = 0.0,
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.cross_entropy(
            input,
            target,
            weight=self._buffers["weight"],
            ignore_index=self.ignore_index,
            reduction=self.reduction,
            label_smoothing=self.label_smoothing,
        )


class MultiLabelSoftMarginLoss(_WeightedLoss):
    """The mean over classes of binary cross entropies of the input's sigmoid.

    Args:
        weight: a weight per class, ``(C,)``.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.
        size_average, reduce: deprecated; they name a ``reduction`` together.

    Shape:
        - Input, target: ``(N, C)``
        - Output: ``()``, or ``(N)`` if ``reduction="none"``

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.MultiLabelSoftMarginLoss.html
    """

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.multilabel_soft_margin_loss(
            input, target, weight=self.weight, reduction=self.reduction
        )


class CosineEmbeddingLoss(_Loss):
    """``1 - cos(x1, x2)`` where the target is 1, ``max(0, cos(x1, x2) - margin)`` where -1.

    Args:
        margin: the margin, from -1 to 1.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.
        size_average, reduce: deprecated; they name a ``reduction`` together.

    Shape:
        - Input1, input2: ``(N, D)`` or ``(D)``
        - Target: ``(N)`` or ``()``
        - Output: ``()``, or the target's shape if ``reduction="none"``

    Raises:
        RuntimeError: numbers of dims that do not fit each other.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.CosineEmbeddingLoss.html
    """

    margin: float

    def __init__(
        self,
        margin: float = 0.0,
        size_average: Any = None,
        reduce: Any = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.margin = margin

    def forward(self, input1: Tensor, input2: Tensor, target: Tensor) -> Tensor:
        return F.cosine_embedding_loss(
            input1, input2, target, margin=self.margin, reduction=self.reduction
        )


class MarginRankingLoss(_Loss):
    """``max(0, -y * (x1 - x2) + margin)`` with targets 1 and -1.

    Args:
        margin: the margin.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.
        size_average, reduce: deprecated; they name a ``reduction`` together.

    Shape:
        - Input1, input2, target: ``(N)`` or ``()``
        - Output: ``()``, or the input's shape if ``reduction="none"``

    Raises:
        RuntimeError: numbers of dims that differ.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.MarginRankingLoss.html
    """

    margin: float

    def __init__(
        self,
        margin: float = 0.0,
        size_average: Any = None,
        reduce: Any = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        self.margin = margin

    def forward(self, input1: Tensor, input2: Tensor, target: Tensor) -> Tensor:
        return F.margin_ranking_loss(
            input1, input2, target, margin=self.margin, reduction=self.reduction
        )


class MultiMarginLoss(_WeightedLoss):
    """A hinge loss between the target class of a sample and all others.

    Args:
        p: the exponent of the hinge, 1 or 2.
        margin: the margin.
        weight: a weight per class, ``(C,)``.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.
        size_average, reduce: deprecated; they name a ``reduction`` together.

    Shape:
        - Input: ``(N, C)`` or ``(C)``
        - Target: ``(N)`` or ``()``
        - Output: ``()``, or the target's shape if ``reduction="none"``

    Raises:
        ValueError: another ``p``, or a ``weight`` that has not one dim.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.MultiMarginLoss.html
    """

    margin: float
    p: int

    def __init__(
        self,
        p: int = 1,
        margin: float = 1.0,
        weight: Tensor | None = None,
        size_average: Any = None,
        reduce: Any = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(weight, size_average, reduce, reduction)
        if p not in (1, 2):
            raise ValueError("only p == 1 and p == 2 supported")
        if weight is not None and weight.dim() != 1:
            raise ValueError(
                "MultiMarginLoss: expected weight to be None or 1D tensor, got "
                f"{weight.dim()}D instead"
            )
        self.p = p
        self.margin = margin

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        return F.multi_margin_loss(
            input,
            target,
            p=self.p,
            margin=self.margin,
            weight=self.weight,
            reduction=self.reduction,
        )


class TripletMarginLoss(_Loss):
    """``max(0, d(anchor, positive) - d(anchor, negative) + margin)`` with the p-norm distance.

    Args:
        margin: the margin, more than 0.
        p: the exponent of the norm.
        eps: added to differences, so that their norm is not 0.
        swap: whether the nearer of anchor and positive is compared with the negative.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.
        size_average, reduce: deprecated; they name a ``reduction`` together.

    Shape:
        - Anchor, positive, negative: ``(N, D)`` or ``(D)``
        - Output: ``()``, or ``(N)`` if ``reduction="none"``

    Raises:
        ValueError: ``margin`` is not above 0.
        RuntimeError: numbers of dims that differ.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.TripletMarginLoss.html
    """

    margin: float
    p: float
    eps: float
    swap: bool

    def __init__(
        self,
        margin: float = 1.0,
        p: float = 2.0,
        eps: float = 1e-6,
        swap: bool = False,
        size_average: Any = None,
        reduce: Any = None,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average, reduce, reduction)
        if margin <= 0:
            raise ValueError(
                f"TripletMarginLoss: expected margin to be greater than 0, got {margin} instead"
            )
        self.margin = margin
        self.p = p
        self.eps = eps
        self.swap = swap

    def forward(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        return F.triplet_margin_loss(
            anchor,
            positive,
            negative,
            margin=self.margin,
            p=self.p,
            eps=self.eps,
            swap=self.swap,
            reduction=self.reduction,
        )


class TripletMarginWithDistanceLoss(_Loss):
    """:class:`TripletMarginLoss` with a distance of the user's choice.

    Args:
        distance_function: of two tensors (default: :class:`PairwiseDistance`).
        margin: the margin, more than 0.
        swap: whether the nearer of anchor and positive is compared with the negative.
        reduction: ``"none"``, ``"mean"`` or ``"sum"``.

    Shape:
        - Anchor, positive, negative: ``(N, *)``
        - Output: ``()``, or what the distance returns if ``reduction="none"``

    Raises:
        ValueError: ``margin`` is not above 0.
        RuntimeError: numbers of dims that differ.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.TripletMarginWithDistanceLoss.html
    """

    margin: float
    swap: bool

    def __init__(
        self,
        *,
        distance_function: Callable[[Tensor, Tensor], Tensor] | None = None,
        margin: float = 1.0,
        swap: bool = False,
        reduction: str = "mean",
    ) -> None:
        super().__init__(size_average=None, reduce=None, reduction=reduction)
        if margin <= 0:
            raise ValueError(
                "TripletMarginWithDistanceLoss: expected margin to be greater than 0, got "
                f"{margin} instead"
            )
        if distance_function is None:
            from flambeau.nn.modules.distance import PairwiseDistance

            distance_function = PairwiseDistance()
        self.distance_function = distance_function
        self.margin = margin
        self.swap = swap

    def forward(self, anchor: Tensor, positive: Tensor, negative: Tensor) -> Tensor:
        return F.triplet_margin_with_distance_loss(
            anchor,
            positive,
            negative,
            distance_function=self.distance_function,
            margin=self.margin,
            swap=self.swap,
            reduction=self.reduction,
        )


class CTCLoss(_Loss):
    """Minus the log-likelihood of label sequences, over all ways to align them with the input.

    Args:
        blank: which class stands for no label.
        reduction: ``"none"``, ``"mean"`` (of losses divided by target lengths) or ``"sum"``.
        zero_infinity: whether losses of targets too long for their input count 0.

    Shape:
        - Input: log-probabilities ``(T, N, C)`` or ``(T, C)``; targets ``(N, S)`` or one after the
          other; lengths of inputs and of targets ``(N)``
        - Output: a number, or ``(N)`` for ``"none"``

    Source: Graves et al., 2006;
    https://docs.pytorch.org/docs/2.13/generated/torch.nn.CTCLoss.html
    """

    blank: int
    zero_infinity: bool

    def __init__(
        self, blank: int = 0, reduction: str = "mean", zero_infinity: bool = False
    ) -> None:
        super().__init__(reduction=reduction)
        self.blank = blank
        self.zero_infinity = zero_infinity

    def forward(
        self, log_probs: Tensor, targets: Tensor, input_lengths: Any, target_lengths: Any
    ) -> Tensor:
        """The loss of aligned sequences.

        Args:
            log_probs: ``(T, N, C)`` or ``(T, C)``.
            targets: ``(N, S)``, or all of them one after the other; classes, not the blank.
            input_lengths, target_lengths: ``(N)``.

        Returns:
            A 0-d tensor, or ``(N)`` for ``"none"``.

        Raises:
            ValueError: another ``reduction``.
            RuntimeError: lengths, labels or shapes that do not fit each other.
        """
        return F.ctc_loss(
            log_probs,
            targets,
            input_lengths,
            target_lengths,
            self.blank,
            self.reduction,
            self.zero_infinity,
        )


class LinearCrossEntropyLoss(_WeightedLoss):
    """A linear map to scores of classes, and their cross entropy with the targets.

    Args:
        in_features: size of the input vectors.
        num_classes: number of classes C.
        out_features: further dims of the targets.
        bias: whether the map has a bias.
        reduction, weight, ignore_index, label_smoothing: as for :class:`CrossEntropyLoss`.
        options: see :class:`LinearCrossEntropyOptions`.
        device, dtype: of the parameters (None: the default ones).

    Shape:
        - Input: ``(in_features)`` or ``(N, in_features)``; target ``()``, ``(N)`` or
          ``(N, *out_features)``, or probabilities ``(N, C, *out_features)``
        - Output: a number, or the targets' shape for ``"none"``

    Raises:
        RuntimeError: a ``weight`` of another shape, or ``label_smoothing`` outside [0, 1].

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.LinearCrossEntropyLoss.html
    """

    def __init__(
        self,
        in_features: int,
        num_classes: int,
        *,
        out_features: tuple[int, ...] = (),
        bias: bool = False,
        device: Any = None,
        dtype: Any = None,
        reduction: str = "mean",
        weight: Tensor | None = None,
        ignore_index: int | None = None,
        label_smoothing: float = 0.0,
        options: LinearCrossEntropyOptions | None = None,
    ) -> None:
        if weight is not None and tuple(weight.shape) != (num_classes,):
            raise RuntimeError(
                f"expected weight shape to be {(num_classes,)}, got {tuple(weight.shape)}"
            )
        if not 0 <= label_smoothing <= 1:
            raise RuntimeError(
                f"expected label_smoothing to be in range [0, 1], got {label_smoothing}"
            )
        super().__init__(weight=weight, reduction=reduction)
        self.num_classes = num_classes
        self.out_features = out_features
        self.ignore_index = ignore_index
        self.label_smoothing = label_smoothing
        self.linear = Linear(
            in_features, math.prod(out_features, start=num_classes), bias, device, dtype
        )
        self.options = options

    def forward(self, input: Tensor, target: Tensor) -> Tensor:
        outer = (self.num_classes, *self.out_features)
        bias = self.linear.bias
        return F.linear_cross_entropy(
            input,
            self.linear.weight.reshape((*outer, self.linear.in_features)),
            target,
            linear_bias=None if bias is None else bias.reshape(outer),
            weight=self.weight,
            reduction=self.reduction,
            ignore_index=self.ignore_index,
            label_smoothing=self.label_smoothing,
            options=self.options,
        )

    def extra_repr(self) -> str:
        return (
            f"in_features={self.linear.in_features}, num_classes={self.num_classes}, "
            f"out_features={self.out_features}, bias={self.linear.bias is not None}, "
            f"reduction={self.reduction}, ignore_index={self.ignore_index}, "
            f"label_smoothing={self.label_smoothing}, options={self.options}"
        )
