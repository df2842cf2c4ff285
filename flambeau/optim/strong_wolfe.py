"""A line search for the strong Wolfe conditions.

Source: Nocedal and Wright, Numerical Optimization (2006), algorithms 3.5 and 3.6, with the cubic
interpolation and the safeguards of Mark Schmidt's minFunc, which PyTorch's LBFGS follows as well.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["Trial", "strong_wolfe"]


@dataclass(frozen=True)
class Trial:
    """A point on the line.

    Attributes:
        step: how far along the direction it lies.
        value: the function there.
        gradient: its gradient there.
        slope: the gradient along the direction.
    """

    step: Any
    value: float
    gradient: np.ndarray
    slope: Any


def strong_wolfe(
    evaluate: Callable[[Any], Trial],
    start: Trial,
    step: Any,
    direction_size: Any,
    *,
    max_trials: int,
    decrease: float = 1e-4,
    curvature: float = 0.9,
    tolerance_change: float = 1e-9,
) -> tuple[Trial, int]:
    """Find a point with enough decrease and a slope that is flat enough.

    Args:
        evaluate: the trial at a step.
        start: the trial at step 0.
        step: the first step to try.
        direction_size: the largest element of the direction: a bracket of steps is too small to
            go on with when it moves nothing by ``tolerance_change``.
        max_trials: how many trials may follow the first.
        decrease: the share of the decrease promised by the slope that is asked for (Armijo).
        curvature: the share of the slope that may be left.
        tolerance_change: see ``direction_size``.

    Returns:
        The best trial, and how many there were.
    """

    def is_too_high(trial: Trial) -> bool:
        return bool(trial.value > start.value + decrease * trial.step * start.slope)

    def is_flat(trial: Trial) -> bool:
        return bool(abs(trial.slope) <= -curvature * start.slope)

    trial = evaluate(step)
    trials = 1
    before = start
    bracket: list[Trial] = []
    # Go on until two trials have a good point between them.
    while trials - 1 < max_trials:
        if is_too_high(trial) or (trials > 2 and trial.value >= before.value):
            bracket = [before, trial]
            break
        if is_flat(trial):
            return trial, trials
        if trial.slope >= 0:
            bracket = [before, trial]
            break
        bounds = (trial.step + 0.01 * (trial.step - before.step), trial.step * 10)
        step = _cubic_minimum(before, trial, bounds)
        before, trial = trial, evaluate(step)
        trials += 1
    if not bracket:
        bracket = [start, trial]

    # Narrow the bracket down. Its first trial is kept the lower one by name only: the two places
    # keep their order, which the interpolation does not mind.
    low = 0 if bracket[0].value <= bracket[1].value else 1
    is_stuck = False
    while trials - 1 < max_trials:
        steps = [end.step for end in bracket]
        least, most = min(steps), max(steps)
        if abs(steps[1] - steps[0]) * direction_size < tolerance_change:
            break
        step = _cubic_minimum(bracket[0], bracket[1])
        margin = 0.1 * (most - least)
        if min(most - step, step - least) < margin:
            # Twice in a row close to an end, or beyond it: move away from it.
            if is_stuck or step >= most or step <= least:
                step = most - margin if abs(step - most) < abs(step - least) else least + margin
                is_stuck = False
            else:
                is_stuck = True
        else:
            is_stuck = False

        trial = evaluate(step)
        trials += 1
        if is_too_high(trial) or trial.value >= bracket[low].value:
            bracket[1 - low] = trial
            low = 0 if bracket[0].value <= bracket[1].value else 1
            continue
        found = is_flat(trial)
        if not found and trial.slope * (bracket[1 - low].step - bracket[low].step) >= 0:
            bracket[1 - low] = bracket[low]
        bracket[low] = trial
        if found:
            break
    return bracket[low], trials


def _cubic_minimum(a: Trial, b: Trial, bounds: tuple[Any, Any] | None = None) -> Any:
    """Where the cubic through two trials with their slopes is least, kept within bounds.

    Without ``bounds`` they are the two steps. A cubic without a minimum gives their middle.
    """
    if bounds is None:
        bounds = (a.step, b.step) if a.step <= b.step else (b.step, a.step)
    least, most = bounds
    mean_slope = a.slope + b.slope - 3 * (a.value - b.value) / (a.step - b.step)
    square = mean_slope**2 - a.slope * b.slope
    if not square >= 0:
        return (least + most) / 2.0
    root = np.sqrt(square)
    if a.step > b.step:
        a, b = b, a
    share = (b.slope + root - mean_slope) / (b.slope - a.slope + 2 * root)
    return min(max(b.step - (b.step - a.step) * share, least), most)
