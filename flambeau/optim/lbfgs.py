"""L-BFGS: quasi-Newton steps from a short history of gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from flambeau.autograd.grad_mode import enable_grad, no_grad
from flambeau.modes import MODES, ConcreteValueNeeded
from flambeau.optim.blocks import real_dtype
from flambeau.optim.hyperparameter import check_lr
from flambeau.optim.optimizer import Optimizer
from flambeau.optim.strong_wolfe import Trial, strong_wolfe
from flambeau.tensor import Tensor, bump_version, wrap

__all__ = ["LBFGS"]


class LBFGS(Optimizer):
    """Limited-memory BFGS; ``step`` needs a closure, and evaluates it several times.

    All parameters are one vector here: there can be only one parameter group. It keeps
    ``history_size + 1`` times the memory of the parameters.

    Args:
        params: parameters, or named parameters.
        lr: the step along each direction, or the line search's first one.
        max_iter: iterations in a step.
        max_eval: evaluations of the closure in a step; by default 1.25 times ``max_iter``.
        tolerance_grad: the largest gradient that ends a step.
        tolerance_change: the change of the loss, or of the parameters, that ends a step.
        history_size: how many changes of the gradient are kept.
        line_search_fn: ``"strong_wolfe"`` or None.

    Raises:
        ValueError: a negative learning rate, or several parameter groups.

    Source: ``torch.optim.LBFGS``; Liu and Nocedal, On the Limited Memory BFGS Method (1989).
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1,
        max_iter: int = 20,
        max_eval: int | None = None,
        tolerance_grad: float = 1e-7,
        tolerance_change: float = 1e-9,
        history_size: int = 100,
        line_search_fn: str | None = None,
    ) -> None:
        check_lr(lr)
        defaults = {
            "lr": lr,
            "max_iter": max_iter,
            "max_eval": max_iter * 5 // 4 if max_eval is None else max_eval,
            "tolerance_grad": tolerance_grad,
            "tolerance_change": tolerance_change,
            "history_size": history_size,
            "line_search_fn": line_search_fn,
        }
        super().__init__(params, defaults)
        if len(self.param_groups) != 1:
            raise ValueError("LBFGS doesn't support per-parameter options (parameter groups)")

    @property
    def _params(self) -> list[Tensor]:
        return self.param_groups[0]["params"]  # type: ignore[no-any-return]

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Minimise from here on, for at most ``max_iter`` iterations.

        Args:
            closure: clears the gradients, computes the loss, runs backward and returns the loss.

        Returns:
            The loss of the first evaluation.

        Raises:
            TypeError: there is no closure.
            RuntimeError: another ``line_search_fn``.
            ConcreteValueNeeded: the step is being captured by the compiler.
        """
        if closure is None:
            raise TypeError(
                "LBFGS.step() missing 1 required positional argument: 'closure' (it evaluates the "
                "loss at several points, so it has to be told how)"
            )
        if MODES.capture is not None:
            raise ConcreteValueNeeded(
                "LBFGS.step() (it evaluates its closure as often as the losses ask for; compile "
                "the closure instead of the step)"
            )
        with no_grad():
            return self._minimise(_Objective(closure, self._params))

    def _minimise(self, objective: _Objective) -> Any:
        group = self.param_groups[0]
        lr = float(group["lr"])
        state = self.state[self._params[0]]  # there, so that loading casts it
        state.setdefault("func_evals", 0)
        state.setdefault("n_iter", 0)

        first_loss = objective.closure_with_grad()
        loss, gradient = float(first_loss), objective.gradient()
        evaluations = 1
        state["func_evals"] += 1
        if np.abs(gradient).max(initial=0.0) <= group["tolerance_grad"]:
            return first_loss

        memory = _Memory(state, group["history_size"])
        for iteration in range(1, group["max_iter"] + 1):
            state["n_iter"] += 1
            direction = memory.direction(gradient, is_first=state["n_iter"] == 1)
            loss_before = loss
            step: Any = lr
            if state["n_iter"] == 1:
                step = min(1.0, 1.0 / np.abs(gradient).sum()) * lr
            memory.step = step
            slope = gradient.dot(direction)
            if slope > -group["tolerance_change"]:
                break

            spent = 0
            if group["line_search_fn"] is not None:
                if group["line_search_fn"] != "strong_wolfe":
                    raise RuntimeError("only 'strong_wolfe' is supported")
                found, spent = strong_wolfe(
                    objective.along(direction),
                    Trial(0, loss, gradient, slope),
                    step,
                    np.abs(direction).max(),
                    max_trials=group["max_eval"] - evaluations,
                )
                loss, gradient, step = found.value, found.gradient, found.step
                memory.step = step
                objective.move(direction, step)
            else:
                objective.move(direction, step)
                if iteration != group["max_iter"]:
                    # After the last move nobody asks for the loss: data may be stochastic.
                    loss, gradient = objective.evaluate()
                    spent = 1
            evaluations += spent
            state["func_evals"] += spent

            if (
                iteration == group["max_iter"]
                or evaluations >= group["max_eval"]
                or np.abs(gradient).max() <= group["tolerance_grad"]
                or np.abs(direction * step).max() <= group["tolerance_change"]
                or abs(loss - loss_before) < group["tolerance_change"]
            ):
                break
        memory.save(state, loss_before)
        return first_loss


class _Objective:
    """The closure as a function of all parameters in one vector."""

    def __init__(self, closure: Callable[[], Any], params: list[Tensor]) -> None:
        self.closure = closure
        self.params = params
        dtypes = {real_dtype(np.dtype(param.dtype.numpy)) for param in params}
        self.dtype = np.result_type(*dtypes)

    def closure_with_grad(self) -> Any:
        with enable_grad():
            return self.closure()

    def evaluate(self) -> tuple[float, np.ndarray]:
        """The loss here, and its gradient."""
        return float(self.closure_with_grad()), self.gradient()

    def gradient(self) -> np.ndarray:
        """The gradients of the last evaluation as one vector, complex ones as pairs."""
        parts = []
        for param in self.params:
            if param.grad is None:
                parts.append(np.zeros(param.numel() * (2 if param.is_complex() else 1)))
                continue
            flat = np.ascontiguousarray(param.grad._array).reshape(-1)
            parts.append(flat.view(real_dtype(flat.dtype)))
        return np.concatenate(parts).astype(self.dtype, copy=False)

    def move(self, direction: np.ndarray, step: Any) -> None:
        """Add ``step * direction`` to the parameters."""
        start = 0
        change = direction * np.asarray(step, direction.dtype)
        for param in self.params:
            size = param.numel() * (2 if param.is_complex() else 1)
            part = change[start : start + size]
            start += size
            dtype = np.dtype(param.dtype.numpy)
            part = part.astype(real_dtype(dtype), copy=False).view(dtype)
            part = part.reshape(tuple(param.shape))
            if type(param._array) is np.ndarray:
                param._array += part
                bump_version(param)
            else:
                param.add_(wrap(part).to(param.device))

    def along(self, direction: np.ndarray) -> Callable[[Any], Trial]:
        """The function on the line from here; each trial comes back here, to the bit."""
        here = [param.detach().clone() for param in self.params]

        def evaluate(step: Any) -> Trial:
            self.move(direction, step)
            loss, gradient = self.evaluate()
            for param, value in zip(self.params, here, strict=True):
                param.copy_(value)
            return Trial(step, loss, gradient, gradient.dot(direction))

        return evaluate


class _Memory:
    """The history of steps and of changes of the gradient, kept in the state between steps."""

    def __init__(self, state: dict[str, Any], size: int) -> None:
        self.size = size
        self.changes = [change._array for change in state.get("old_dirs") or ()]
        self.steps = [taken._array for taken in state.get("old_stps") or ()]
        self.inverses = [inverse._array[()] for inverse in state.get("ro") or ()]
        self.scale = _number(state.get("H_diag", 1))
        self.step = _number(state.get("t"))
        self.last_direction = _array(state.get("d"))
        self.last_gradient = _array(state.get("prev_flat_grad"))
        self.factors: list[Any] = [None] * size
        self.has_looped = "al" in state

    def direction(self, gradient: np.ndarray, is_first: bool) -> np.ndarray:
        """Minus the gradient times the inverse Hessian, as the history knows it."""
        if is_first:
            self.changes, self.steps, self.inverses, self.scale = [], [], [], 1
            direction = -gradient
        else:
            self._remember(gradient)
            direction = self._two_loops(gradient)
        self.last_direction = direction
        self.last_gradient = gradient.copy()
        return direction

    def _remember(self, gradient: np.ndarray) -> None:
        assert self.last_gradient is not None
        assert self.last_direction is not None
        change = gradient - self.last_gradient
        taken = self.last_direction * np.asarray(self.step, gradient.dtype)
        curvature = change.dot(taken)
        if curvature > 1e-10:
            if len(self.changes) == self.size:
                for history in (self.changes, self.steps, self.inverses):
                    history.pop(0)
            self.changes.append(change)
            self.steps.append(taken)
            self.inverses.append(1.0 / curvature)
            self.scale = curvature / change.dot(change)

    def _two_loops(self, gradient: np.ndarray) -> np.ndarray:
        self.has_looped = True
        result = -gradient
        for i in range(len(self.changes) - 1, -1, -1):
            self.factors[i] = self.steps[i].dot(result) * self.inverses[i]
            result -= self.factors[i] * self.changes[i]
        result *= self.scale
        for i, (change, taken) in enumerate(zip(self.changes, self.steps, strict=True)):
            result += (self.factors[i] - change.dot(result) * self.inverses[i]) * taken
        return result

    def save(self, state: dict[str, Any], loss_before: float) -> None:
        """Put everything into the state, as PyTorch names it."""
        if self.has_looped:
            state["al"] = [_tensor(f) for f in self.factors]
        state["d"] = wrap(self.last_direction)
        state["t"] = _tensor(self.step)
        state["old_dirs"] = [wrap(change) for change in self.changes]
        state["old_stps"] = [wrap(taken) for taken in self.steps]
        state["ro"] = [_tensor(inverse) for inverse in self.inverses]
        state["H_diag"] = self.scale if isinstance(self.scale, int) else _tensor(self.scale)
        state["prev_flat_grad"] = wrap(self.last_gradient)
        state["prev_loss"] = loss_before


def _array(value: Any) -> np.ndarray | None:
    return None if value is None else value._array  # type: ignore[no-any-return]


def _tensor(value: Any) -> Any:
    """A number that was computed as a tensor; one that was given, or None, as it is."""
    return wrap(np.asarray(value)) if isinstance(value, np.generic | np.ndarray) else value


def _number(value: Any) -> Any:
    return value._array[()] if isinstance(value, Tensor) else value
