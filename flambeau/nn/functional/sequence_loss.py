"""The loss of connectionist temporal classification."""

from __future__ import annotations

from typing import Any

import flambeau
from flambeau.ops import ctc as _ctc
from flambeau.ops.loss import check_reduction
from flambeau.tensor import Tensor

__all__ = ["ctc_loss"]


def _numbers(lengths: Any, name: str) -> list[int]:
    if isinstance(lengths, Tensor):
        if lengths.is_floating_point():
            raise RuntimeError(f"{name} must be integral")
        lengths = lengths.reshape(-1).tolist()
    return [int(n) for n in lengths]


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
    lengths = _numbers(input_lengths, "input_lengths")
    counts = _numbers(target_lengths, "target_lengths")
    if not 0 <= blank < classes:
        raise RuntimeError("blank must be in label range")
    targets = targets.long()
    if len(lengths) != batch:
        raise RuntimeError("input_lengths must be of size batch_size")
    if len(counts) != batch:
        raise RuntimeError("target_lengths must be of size batch_size")
    for name, values, most in (("input", lengths, steps), ("target", counts, None)):
        for i, n in enumerate(values):
            if n < 0:
                raise RuntimeError(
                    f"Expected {name}_lengths to have value at least 0, but got value {n} "
                    f"(while checking arguments for ctc_loss, sequence {i})"
                )
            if most is not None and n > most:
                raise RuntimeError(
                    f"Expected input_lengths to have value at most {most}, but got value {n} "
                    "(while checking arguments for ctc_loss)"
                )
    states, skip = _states(targets, counts, blank)
    every = flambeau.tensor
    likelihood = _ctc.ctc_likelihood.function(
        log_probs, states, skip, every(lengths, dtype=flambeau.int64),
        every([2 * n + 1 for n in counts], dtype=flambeau.int64),
    )  # fmt: skip
    possible = likelihood > _ctc.NEVER / 2
    if log_probs.requires_grad and flambeau.is_grad_enabled():
        # PyTorch's gradient is that of the logits under a log_softmax: the probabilities are
        # added to it, by a term whose value is 0
        running = flambeau.arange(steps).unsqueeze(1) < every(lengths)
        total = (log_probs.exp() * running.unsqueeze(-1)).sum((0, 2))
        likelihood = likelihood - (total - total.detach())
    worst = flambeau.full_like(likelihood, 0.0 if zero_infinity else float("inf"))
    losses = flambeau.where(possible, -likelihood, worst)
    if reduction == "mean":
        divisor = every(counts, dtype=losses.dtype).clamp_min(1)
        return (losses / divisor).mean()
    if reduction == "sum":
        return losses.sum()
    return losses.squeeze(0) if alone else losses


def _states(targets: Tensor, counts: list[int], blank: int) -> tuple[Tensor, Tensor]:
    """Labels with blanks around and between them, and where a blank may be left out."""
    longest = max(counts, default=0)
    batch = len(counts)
    if targets.dim() == 1:
        if targets.numel() != sum(counts):
            raise RuntimeError(
                f"Expected tensor to have size {sum(counts)} at dimension 0, but got size "
                f"{targets.numel()} for argument #2 'targets' (while checking arguments for "
                "ctc_loss)"
            )
        flat = flambeau.nn.functional.pad(targets.long(), (0, 1), value=0)
        start, rows = 0, []
        for n in counts:
            rows.append([start + min(i, max(n - 1, 0)) for i in range(longest)])
            start += n
        index = flambeau.tensor(rows, dtype=flambeau.int64).reshape(batch, longest)
        labels = flat[index.clamp_max(max(targets.numel() - 1, 0))]
    else:
        if targets.dim() != 2 or targets.shape[0] != batch:
            raise RuntimeError(
                f"Expected targets to be of size (N, S) with N={batch}, or one-dimensional, but "
                f"got {list(targets.shape)}"
            )
        if targets.shape[1] < longest:
            raise RuntimeError(
                f"Expected tensor to have size at least {longest} at dimension 1, but got size "
                f"{targets.shape[1]} for argument #2 'targets' (while checking arguments for "
                "ctc_loss)"
            )
        labels = targets[:, :longest].long()
        real = flambeau.arange(longest) < flambeau.tensor(counts).unsqueeze(1)
        labels = flambeau.where(real, labels, flambeau.full_like(labels, blank))
    blanks = flambeau.full((batch, longest, 1), blank, dtype=flambeau.int64)
    pairs = flambeau.cat([blanks, labels.unsqueeze(-1)], -1).reshape(batch, 2 * longest)
    states = flambeau.cat([pairs, blanks.new_full((batch, 1), blank)], 1)
    skip = flambeau.zeros(states.shape, dtype=flambeau.bool)
    if longest > 1:
        differs = states[:, 2:].ne(states[:, :-2]) & states[:, 2:].ne(blank)
        skip = flambeau.cat([skip[:, :2], differs], 1)
    return states, skip
