"""The loss of dense detectors (Lin et al., 2017: https://arxiv.org/abs/1708.02002).

Source: https://docs.pytorch.org/vision/0.28/ops.html
"""

from __future__ import annotations

from flambeau.nn import functional as F
from flambeau.tensor import Tensor

__all__ = ["sigmoid_focal_loss"]


def sigmoid_focal_loss(
    inputs: Tensor,
    targets: Tensor,
    alpha: float = 0.25,
    gamma: float = 2,
    reduction: str = "none",
) -> Tensor:
    """Binary cross-entropy in which what is already right counts little.

    Args:
        inputs: scores, of any shape.
        targets: 0 or 1 for each.
        alpha: the weight of the ones; negative: no weights.
        gamma: how much less the easy ones count.
        reduction: "none", "mean" or "sum".

    Returns:
        The shape of ``inputs``, or a 0-d tensor.

    Raises:
        ValueError: another reduction, or an ``alpha`` above 1.
    """
    if alpha > 1:
        raise ValueError(f"Invalid alpha value: {alpha}. alpha must be in the range [0,1] or -1")
    probability = inputs.sigmoid()
    loss = F.binary_cross_entropy_with_logits(inputs, targets, reduction="none")
    right = probability * targets + (1 - probability) * (1 - targets)
    loss = loss * (1 - right) ** gamma
    if alpha >= 0:
        loss = (alpha * targets + (1 - alpha) * (1 - targets)) * loss
    if reduction == "none":
        return loss
    if reduction == "mean":
        return loss.mean()
    if reduction == "sum":
        return loss.sum()
    raise ValueError(
        f"Invalid Value for arg 'reduction': '{reduction} \n Supported reduction modes: "
        "'none', 'mean', 'sum'"
    )
