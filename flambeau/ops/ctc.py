"""Connectionist temporal classification: the likelihood of a sequence over all its alignments.

Source: Graves et al., 2006; https://pytorch.org/docs/stable/generated/torch.nn.CTCLoss.html
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .operation import Array, operation

NEVER = -1e30
"""The log-likelihood of what cannot be: finite, so that no difference of two is NaN."""


def _log_add(xp: Any, *terms: Any) -> Any:
    """log(sum(exp(terms)))."""
    shift = terms[0]
    for term in terms[1:]:
        shift = xp.maximum(shift, term)
    total = None
    for term in terms:
        part = xp.exp(term - shift)
        total = part if total is None else total + part
    return xp.log(total) + shift


def _shifted(xp: Any, x: Any, by: int) -> Any:
    """``x`` moved by ``by`` states towards the end (or, negative, the beginning)."""
    n = x.shape[1]
    if by > 0:
        kept = xp.slice(x, (slice(None), slice(0, max(n - by, 0))))
        return xp.pad(kept, ((0, 0), (min(by, n), 0)), NEVER)
    kept = xp.slice(x, (slice(None), slice(min(-by, n), n)))
    return xp.pad(kept, ((0, 0), (0, min(-by, n))), NEVER)


def _emissions(xp: Any, log_probs: Any, states: Any) -> Any:
    """(T, N, S): the log-probability of each state's label at each time."""
    steps, batch, _ = log_probs.shape
    index = xp.expand(xp.reshape(states, (1, *states.shape)), (steps, batch, states.shape[1]))
    lowest = xp.full((1, 1, 1), NEVER, xp.dtype(log_probs))
    return xp.maximum(xp.gather(log_probs, 2, index), lowest)


def _forward(xp: Any, emissions: Any, skip: Any, lengths: Any, state_counts: Any) -> Any:
    """For every time, the log-likelihoods of all beginnings that end in each state."""
    steps, batch, states = emissions.shape
    dtype = xp.dtype(emissions)
    place = xp.reshape(xp.arange(0, states, 1, np.dtype(np.int64)), (1, states))
    possible = xp.lt(place, xp.reshape(state_counts, (batch, 1)))
    begin = xp.logical_and(xp.lt(place, 2), possible)
    alpha = xp.where(begin, xp.slice(emissions, (0,)), xp.full((batch, states), NEVER, dtype))
    rows = [alpha]
    for t in range(1, steps):
        jump = xp.where(skip, _shifted(xp, alpha, 2), NEVER)
        step = _log_add(xp, alpha, _shifted(xp, alpha, 1), jump)
        running = xp.reshape(xp.gt(lengths, t), (batch, 1))
        new = xp.where(possible, step + xp.slice(emissions, (t,)), NEVER)
        alpha = xp.where(running, new, alpha)
        rows.append(alpha)
    return rows


def _backward(xp: Any, emissions: Any, skip: Any, lengths: Any, state_counts: Any) -> Any:
    """For every time, the log-likelihoods of all ends that begin in each state."""
    steps, batch, states = emissions.shape
    dtype = xp.dtype(emissions)
    place = xp.reshape(xp.arange(0, states, 1, np.dtype(np.int64)), (1, states))
    counts = xp.reshape(state_counts, (batch, 1))
    possible = xp.lt(place, counts)
    last = xp.logical_and(xp.ge(place, counts - 2), possible)
    nothing = xp.full((batch, states), NEVER, dtype)
    # from the state two before into this one, seen from there
    jumps = _shifted(xp, xp.where(skip, xp.full((batch, states), 0, dtype), NEVER), -2)
    beta = nothing
    rows: list[Any] = [nothing] * steps
    for t in range(steps - 1, -1, -1):
        here = xp.slice(emissions, (t,))
        jump = _shifted(xp, beta, -2) + jumps
        step = _log_add(xp, beta, _shifted(xp, beta, -1), jump)
        inner = xp.where(possible, step + here, NEVER)
        end = xp.where(last, here, nothing)
        at_end = xp.reshape(xp.eq(lengths, t + 1), (batch, 1))
        running = xp.reshape(xp.gt(lengths, t + 1), (batch, 1))
        beta = xp.where(at_end, end, xp.where(running, inner, nothing))
        rows[t] = beta
    return rows


def _likelihood(xp: Any, alpha: Any, state_counts: Any, lengths: Any) -> Any:
    """(N,): of the whole sequence: the beginnings that end in the last or last but one state."""
    batch, states = alpha.shape
    place = xp.reshape(xp.arange(0, states, 1, np.dtype(np.int64)), (1, states))
    counts = xp.reshape(state_counts, (batch, 1))
    last = xp.logical_and(xp.ge(place, counts - 2), xp.lt(place, counts))
    final = xp.where(last, alpha, NEVER)
    shift = xp.amax(final, (1,), True)
    total = xp.log(xp.sum(xp.exp(final - shift), (1,), False)) + xp.reshape(shift, (batch,))
    # no time at all: certain for an empty sequence, impossible for any other
    none = xp.where(xp.eq(state_counts, 1), xp.full((batch,), 0, xp.dtype(alpha)), NEVER)
    return xp.where(xp.gt(lengths, 0), total, none)


@operation(dtypes="inexact", public=False, method=False, out=False, name="ctc_likelihood",
           node_name="CtcLossBackward0", aux=True, domain=(-2.0, -0.5),
           samples=(((4, 2, 3), "index(2,5)3", "bool(2,5)", "index(2)4",
                     "index(2)5"),))  # fmt: skip
def ctc_likelihood(
    xp, log_probs: Array, states: Array, skip: Array, lengths: Array, state_counts: Array
):
    """The log-likelihood of each sequence, over all alignments.

    Args:
        log_probs: (T, N, classes).
        states: (N, S): labels with the blank before, between and after them.
        skip: (N, S), bool: whether a state can be reached over the one before it.
        lengths: (N,): how many of the T times count.
        state_counts: (N,): how many of the S states count.

    Returns:
        (N,): about :data:`NEVER`, or less, where there is no alignment.
    """
    emissions = _emissions(xp, log_probs, states)
    rows = _forward(xp, emissions, skip, lengths, state_counts)
    result = _likelihood(xp, rows[-1], state_counts, lengths)
    return result, (rows, result)


@ctc_likelihood.vjp("log_probs")
def _(xp, grad, log_probs, states, skip, lengths, state_counts, aux):
    emissions = _emissions(xp, log_probs, states)
    alphas, total = aux
    betas = _backward(xp, emissions, skip, lengths, state_counts)
    steps, batch, classes = log_probs.shape
    count = states.shape[1]
    whole = xp.reshape(total, (batch, 1))
    reachable = xp.gt(whole, NEVER / 2)
    shares = []
    for t in range(steps):
        both = alphas[t] + betas[t]  # counts the emission here twice
        running = xp.logical_and(xp.reshape(xp.gt(lengths, t), (batch, 1)), reachable)
        counted = xp.logical_and(running, xp.gt(both, NEVER / 2))
        share = xp.exp(xp.where(counted, both - xp.slice(emissions, (t,)) - whole, NEVER))
        shares.append(xp.reshape(share, (1, batch, count)))
    index = xp.expand(xp.reshape(states, (1, batch, count)), (steps, batch, count))
    zeros = xp.full((steps, batch, classes), 0, xp.dtype(log_probs))
    posterior = xp.scatter_add(zeros, 2, index, xp.cat(shares, 0))
    return posterior * xp.reshape(grad, (1, batch, 1))
