"""Losses as ``torch`` itself has them: the reduction is a number, 0 none, 1 mean, 2 sum.

None by default, as PyTorch's functions of these names do it (though their signatures say mean).
All else, shapes and errors too, is as in the function of the same name in
:mod:`flambeau.nn.functional`.

Source: https://docs.pytorch.org/docs/2.13/nn.functional.html
"""

from __future__ import annotations

from typing import Any

from flambeau.ops.loss import REDUCTIONS
from flambeau.tensor import Tensor

from . import classification_loss as _classification
from . import regression_loss as _regression


def _named(reduction: Any) -> str:
    return REDUCTIONS[reduction] if isinstance(reduction, int) else reduction


def _functional() -> Any:
    from flambeau.nn import functional

    return functional


def ctc_loss(
    log_probs: Tensor, targets: Tensor, input_lengths: Any, target_lengths: Any, blank: int = 0,
    reduction: int = 0, zero_infinity: bool = False,
) -> Tensor:  # fmt: skip
    """:func:`flambeau.nn.functional.ctc_loss` with a number for its ``reduction``.

    Args:
        log_probs, targets, input_lengths, target_lengths, blank, zero_infinity: as there.
        reduction: 0 (none), 1 (mean) or 2 (sum).

    Returns:
        ``(N,)``, or a 0-d tensor.
    """
    return _functional().ctc_loss(
        log_probs, targets, input_lengths, target_lengths, blank, _named(reduction), zero_infinity
    )


def binary_cross_entropy_with_logits(
    input: Tensor, target: Tensor, weight: Tensor | None = None, pos_weight: Tensor | None = None,
    reduction: int = 0,
) -> Tensor:  # fmt: skip
    """:func:`flambeau.nn.functional.binary_cross_entropy_with_logits` with a number for its
    reduction.

    Args:
        input, target, weight, pos_weight: as there.
        reduction: 0 (none), 1 (mean) or 2 (sum).

    Returns:
        ``(*)``, or a 0-d tensor.
    """
    return _classification.binary_cross_entropy_with_logits(
        input, target, weight, reduction=_named(reduction), pos_weight=pos_weight
    )


def cosine_embedding_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, reduction: int = 0
) -> Tensor:
    """:func:`flambeau.nn.functional.cosine_embedding_loss` with a number for its ``reduction``.

    Args:
        input1, input2, target, margin: as there.
        reduction: 0 (none), 1 (mean) or 2 (sum).

    Returns:
        ``(N)``, or a 0-d tensor.
    """
    return _functional().cosine_embedding_loss(
        input1, input2, target, margin, reduction=_named(reduction)
    )


def hinge_embedding_loss(
    input: Tensor, target: Tensor, margin: float = 1.0, reduction: int = 0
) -> Tensor:
    """:func:`flambeau.nn.functional.hinge_embedding_loss` with a number for its ``reduction``.

    Args:
        input, target, margin: as there.
        reduction: 0 (none), 1 (mean) or 2 (sum).

    Returns:
        ``(*)``, or a 0-d tensor.
    """
    return _functional().hinge_embedding_loss(input, target, margin, reduction=_named(reduction))


def kl_div(
    input: Tensor, target: Tensor, reduction: int = 0, *, log_target: bool = False
) -> Tensor:
    """The divergence of distributions given by their logarithms, element by element.

    :func:`flambeau.nn.functional.kl_div`, without its warning about the mean.

    Args:
        input: ``(*)``, log probabilities.
        target: ``(*)``, probabilities.
        reduction: 0 (none), 1 (mean) or 2 (sum).
        log_target: whether ``target`` is log probabilities too.

    Returns:
        ``(*)``, or a 0-d tensor.
    """
    values = (
        target.exp() * (target - input) if log_target else target.xlogy(target) - target * input
    )
    named = _named(reduction)
    return values if named == "none" else values.mean() if named == "mean" else values.sum()


def margin_ranking_loss(
    input1: Tensor, input2: Tensor, target: Tensor, margin: float = 0.0, reduction: int = 0
) -> Tensor:
    """:func:`flambeau.nn.functional.margin_ranking_loss` with a number for its ``reduction``.

    Args:
        input1, input2, target, margin: as there.
        reduction: 0 (none), 1 (mean) or 2 (sum).

    Returns:
        ``(*)``, or a 0-d tensor.
    """
    return _functional().margin_ranking_loss(
        input1, input2, target, margin, reduction=_named(reduction)
    )


def poisson_nll_loss(
    input: Tensor, target: Tensor, log_input: bool, full: bool, eps: float, reduction: int
) -> Tensor:
    """:func:`flambeau.nn.functional.poisson_nll_loss` with a number for its ``reduction``.

    Args:
        input, target, log_input, full, eps: as there.
        reduction: 0 (none), 1 (mean) or 2 (sum).

    Returns:
        ``(*)``, or a 0-d tensor.
    """
    return _regression.poisson_nll_loss(
        input, target, log_input, full, eps=eps, reduction=_named(reduction)
    )


def triplet_margin_loss(
    anchor: Tensor, positive: Tensor, negative: Tensor, margin: float = 1.0, p: float = 2.0,
    eps: float = 1e-6, swap: bool = False, reduction: int = 0,
) -> Tensor:  # fmt: skip
    """:func:`flambeau.nn.functional.triplet_margin_loss` with a number for its ``reduction``.

    Args:
        anchor, positive, negative, margin, p, eps, swap: as there.
        reduction: 0 (none), 1 (mean) or 2 (sum).

    Returns:
        ``(N)``, or a 0-d tensor.
    """
    return _functional().triplet_margin_loss(
        anchor, positive, negative, margin, p, eps, swap, reduction=_named(reduction)
    )


def dropout_(input: Tensor, p: float, train: bool) -> Tensor:
    """:func:`flambeau.nn.functional.dropout` written into ``input``, with probability ``p`` if
    ``train``.

    Returns:
        ``input``.
    """
    return _functional().dropout(input, p, train, inplace=True)


def alpha_dropout_(input: Tensor, p: float, train: bool) -> Tensor:
    """:func:`flambeau.nn.functional.alpha_dropout` written into ``input``, by chance ``p`` if
    ``train``.

    Returns:
        ``input``.
    """
    return _functional().alpha_dropout(input, p, train, inplace=True)


def feature_alpha_dropout_(input: Tensor, p: float, train: bool) -> Tensor:
    """:func:`~flambeau.nn.functional.feature_alpha_dropout` into ``input``, by ``p`` if ``train``.

    Returns:
        ``input``.
    """
    return _functional().feature_alpha_dropout(input, p, train, inplace=True)


__all__ = [
    "alpha_dropout_", "binary_cross_entropy_with_logits", "cosine_embedding_loss", "ctc_loss",
    "dropout_", "feature_alpha_dropout_", "hinge_embedding_loss", "kl_div", "margin_ranking_loss",
    "poisson_nll_loss", "triplet_margin_loss",
]  # fmt: skip
