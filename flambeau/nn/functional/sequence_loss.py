"""The loss of connectionist temporal classification."""

from __future__ import annotations

from typing import Any

import flambeau
from flambeau.ops import ctc as _ctc
from flambeau.ops.loss import check_reduction
from flambeau.ops.matrix_checks import concrete
from flambeau.ops.value_checks import refuse
from flambeau.tensor import Tensor

__all__ = ["ctc_loss"]


def _lengths(lengths: Any, name: str) -> Tensor:
    """Lengths as int64 in a row."""
    if isinstance(lengths, Tensor):
        if lengths.is_floating_point():
            raise RuntimeError(f"{name} must be integral")
        return lengths.reshape(-1).long()
    return flambeau.tensor([int(n) for n in lengths], dtype=flambeau.int64)


def _check_lengths(lengths: Tensor, name: str, most: int | None) -> None:
    """Refuse what is below 0, or above ``most``."""
    known = concrete(lengths)
    words = f"Expected {name}_lengths to have value at least 0"
    behind = "(while checking arguments for ctc_loss"

    def negative() -> str:
        place, value = next((i, int(n)) for i, n in enumerate(known) if n < 0)  # type: ignore[arg-type]
        return f"{words}, but got value {value} {behind}, sequence {place})"

    refuse(lengths < 0, RuntimeError, f"{words} {behind})", negative)
    if most is None:
        return
    limit = f"Expected {name}_lengths to have value at most {most}"
    refuse(
        lengths > most, RuntimeError, f"{limit} {behind})",
        lambda: f"{limit}, but got value {int(lengths.max())} {behind})",
    )  # fmt: skip


def ctc_loss(
    log_probs: Tensor,
    targets: Tensor,
    input_lengths: Any,
    target_lengths: Any,
    blank: int = 0,
    reduction: str = "mean",
    zero_infinity: bool = False,
) -> Tensor:
    """Minus the log-likelihood of label sequences, over all ways to align them with the input.

    Args:
        log_probs: ``(T, N, C)`` or ``(T, C)``: log-probabilities of classes at every time.
        targets: ``(N, S)``, or all of them one after the other: classes, none of them the blank;
            of any dtype (of 1.7 class 1 is meant).
        input_lengths: ``(N,)``: how many of the T times count.
        target_lengths: ``(N,)``: how long the targets are.
        blank: which class stands for no label.
        reduction: ``"none"``, ``"mean"`` (of losses divided by target lengths) or ``"sum"``.
        zero_infinity: whether losses of targets too long for their input count 0, gradient too.

    Returns:
        a number, or ``(N,)``. As in PyTorch, the gradient takes ``log_probs`` to come from a
        ``log_softmax``.

    Raises:
        ValueError: ``reduction`` is none of the three.
        RuntimeError: lengths, labels or shapes that do not fit each other.

    Source: https://docs.pytorch.org/docs/2.13/generated/torch.nn.CTCLoss.html; Graves et al.,
    Connectionist Temporal Classification, 2006.
    """
    check_reduction(reduction)
    alone = log_probs.dim() == 2
    if log_probs.dim() not in (2, 3):
        raise RuntimeError(
            f"log_probs tensor must be 2D or 3D: (T, C) or (T, N, C), got {list(log_probs.shape)}"
        )
    if alone:
        log_probs, targets = log_probs.unsqueeze(1), targets.reshape(1, -1)
    steps, batch, classes = log_probs.shape
    lengths = _lengths(input_lengths, "input_lengths")
    counts = _lengths(target_lengths, "target_lengths")
    if not 0 <= blank < classes:
        raise RuntimeError("blank must be in label range")
    targets = targets.long()
    if lengths.numel() != batch:
        raise RuntimeError("input_lengths must be of size batch_size")
    if counts.numel() != batch:
        raise RuntimeError("target_lengths must be of size batch_size")
    _check_lengths(lengths, "input", steps)
    _check_lengths(counts, "target", None)
    known = concrete(counts)
    longest = None if known is None else int(known.max(initial=0))
    states, skip = _states(targets, counts, longest, steps, blank)
    # of a target that is longer than what is looked at, no alignment is short enough anyway
    most = (states.shape[1] - 1) // 2
    likelihood = _ctc.ctc_likelihood.function(
        log_probs, states, skip, lengths, 2 * counts.clamp(max=most) + 1
    )
    if longest is None:
        likelihood = likelihood.where(counts <= most, _ctc.NEVER)
    possible = likelihood > _ctc.NEVER / 2
    if log_probs.requires_grad and flambeau.is_grad_enabled():
        # PyTorch's gradient is that of the logits under a log_softmax: the probabilities are
        # added to it, by a term whose value is 0
        running = flambeau.arange(steps).unsqueeze(1) < lengths
        total = (log_probs.exp() * running.unsqueeze(-1)).sum((0, 2))
        likelihood = likelihood - (total - total.detach())
    worst = flambeau.full_like(likelihood, 0.0 if zero_infinity else float("inf"))
    losses = flambeau.where(possible, -likelihood, worst)
    if reduction == "mean":
        divisor = counts.to(losses.dtype).clamp_min(1)
        return (losses / divisor).mean()
    if reduction == "sum":
        return losses.sum()
    return losses.squeeze(0) if alone else losses


def _states(
    targets: Tensor, counts: Tensor, longest: int | None, steps: int, blank: int
) -> tuple[Tensor, Tensor]:
    """Labels with blanks around and between them, and where a blank may be left out.

    Args:
        longest: the largest of ``counts``; None if it is not known yet.
        steps: how many times there are: of longer targets only so many labels matter.
    """
    batch = counts.shape[0]
    if targets.dim() == 1:
        total = targets.numel()
        refuse(
            counts.sum() != total, RuntimeError,
            f"Expected target_lengths to sum up to {total}, the size of argument #2 'targets' "
            "(while checking arguments for ctc_loss)",
            lambda: (
                f"Expected tensor to have size {int(counts.sum())} at dimension 0, but got size "
                f"{total} for argument #2 'targets' (while checking arguments for ctc_loss)"
            ),
        )  # fmt: skip
        longest = min(total, steps) if longest is None else longest
        flat = flambeau.nn.functional.pad(targets.long(), (0, 1), value=0)
        starts = counts.cumsum(0) - counts
        within = flambeau.minimum(flambeau.arange(longest), (counts - 1).clamp(min=0).unsqueeze(1))
        labels = flat[(starts.unsqueeze(1) + within).clamp(min=0, max=max(total - 1, 0))]
    else:
        if targets.dim() != 2 or targets.shape[0] != batch:
            raise RuntimeError(
                f"Expected targets to be of size (N, S) with N={batch}, or one-dimensional, but "
                f"got {list(targets.shape)}"
            )
        width = targets.shape[1]
        behind = "for argument #2 'targets' (while checking arguments for ctc_loss)"
        refuse(
            counts > width, RuntimeError,
            f"Expected no target_lengths above {width}, the size of dimension 1 {behind}",
            lambda: (
                f"Expected tensor to have size at least {longest} at dimension 1, but got size "
                f"{width} {behind}"
            ),
        )  # fmt: skip
        longest = min(width, steps) if longest is None else longest
        labels = targets[:, :longest].long()
        real = flambeau.arange(longest) < counts.unsqueeze(1)
        labels = flambeau.where(real, labels, flambeau.full_like(labels, blank))
    blanks = flambeau.full((batch, longest, 1), blank, dtype=flambeau.int64)
    pairs = flambeau.cat([blanks, labels.unsqueeze(-1)], -1).reshape(batch, 2 * longest)
    states = flambeau.cat([pairs, blanks.new_full((batch, 1), blank)], 1)
    skip = flambeau.zeros(states.shape, dtype=flambeau.bool)
    if longest > 1:
        differs = states[:, 2:].ne(states[:, :-2]) & states[:, 2:].ne(blank)
        skip = flambeau.cat([skip[:, :2], differs], 1)
    return states, skip
