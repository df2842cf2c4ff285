"""Adafactor: adaptive steps from the means of rows and columns of squared gradients."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from flambeau.autograd.grad_mode import no_grad
from flambeau.dtypes import finfo
from flambeau.modes import MODES
from flambeau.optim.hyperparameter import as_scalar, hyperparameter
from flambeau.optim.initial_state import filled_like, scalar_state
from flambeau.optim.optimizer import Optimizer
from flambeau.optim.tensor_update import TensorNamespace
from flambeau.tensor import Tensor
from flambeau.tensor.creation import zeros

__all__ = ["Adafactor"]


class Adafactor(Optimizer):
    """Adafactor: Adam's second moment in the memory of a row and a column.

    Args:
        params: parameters, named parameters, or parameter groups.
        lr: the largest relative step, a number or a 1-element tensor.
        beta2_decay: the averages of squares keep ``1 - step ** beta2_decay`` at each step.
        eps: the least second moment's root (None: the dtype's epsilon) and the least scale of a
            parameter.
        d: the largest root mean square of an update.
        weight_decay: each step multiplies the parameters by ``1 - lr * weight_decay``.
        foreach: accepted as in PyTorch, where it chooses an implementation; same result.
        maximize: ascend rather than descend.

    Raises:
        ValueError: an option out of its range.

    Source: ``torch.optim.Adafactor``; Shazeer and Stern, Adafactor (2018).
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-2,
        beta2_decay: float = -0.8,
        eps: tuple[float | None, float] = (None, 1e-3),
        d: float = 1.0,
        weight_decay: float = 0.0,
        *,
        foreach: bool | None = None,
        maximize: bool = False,
    ) -> None:
        if isinstance(lr, Tensor) and lr.numel() != 1:
            raise ValueError("Tensor lr must be 1-element")
        if not lr >= 0.0:
            raise ValueError(f"Learning rate should be >= 0 but is: {lr}")
        if not beta2_decay <= 0.0:
            raise ValueError(f"beta2_decay should be <= 0 but is: {beta2_decay}")
        if eps[0] is not None and not eps[0] >= 0.0:
            raise ValueError(f"epsilon1 should be >= 0 but is: {eps[0]}")
        if not eps[1] >= 0.0:
            raise ValueError(f"epsilon2 should be >= 0 but is: {eps[1]}")
        if not d >= 1.0:
            raise ValueError(f"Clipping threshold d should be >= 1 but is: {d}")
        if not weight_decay >= 0.0:
            raise ValueError(f"weight_decay should be >= 0 but is: {weight_decay}")
        defaults = {
            "lr": lr,
            "beta2_decay": beta2_decay,
            "eps": eps,
            "d": d,
            "weight_decay": weight_decay,
            "foreach": foreach,
            "maximize": maximize,
        }
        super().__init__(params, defaults)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:
            group.setdefault("foreach", None)

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient.

        Args:
            closure: computes the loss anew (forward and backward) and returns it.

        Returns:
            What the closure returned, or None without one.
        """
        loss = self._evaluate(closure)
        with no_grad():
            for group in self.param_groups:
                for param in group["params"]:
                    if param.grad is not None:
                        self._update(group, param)
        return loss

    def _initial_state(self, group: dict[str, Any], param: Tensor) -> dict[str, Any]:
        state: dict[str, Any] = {"step": scalar_state(param, group)}
        if param.dim() < 2:
            state["variance"] = filled_like(param)
            return state
        *front, rows, columns = param.shape
        options = {"dtype": param.dtype, "device": param.device}
        state["row_var"] = zeros(*front, rows, 1, **options)
        state["col_var"] = zeros(*front, 1, columns, **options)
        return state

    def _update(self, group: dict[str, Any], param: Any) -> None:
        if param.is_complex():
            raise RuntimeError("Adafactor does not support complex parameters")
        grad = -param.grad if group["maximize"] else param.grad
        state = self.state[param]
        if not state:
            state.update(self._initial_state(group, param))
        is_known = type(param._array) is np.ndarray and MODES.capture is None
        lr = hyperparameter(group, "lr")
        if isinstance(lr, Tensor):
            lr = _number(as_scalar(lr), is_known)
        eps1, eps2 = group["eps"]
        if eps1 is None:
            eps1 = finfo(param.dtype).eps
        state["step"] += 1
        step = _number(state["step"], is_known)
        new_share = step ** group["beta2_decay"]
        xp = TensorNamespace
        largest, least = (max, min) if is_known else (xp.maximum, xp.minimum)
        scale = largest(eps2, _number(param.norm(2), is_known) / max(1, param.numel()) ** 0.5)
        rate = scale * least(lr, 1 / step**0.5)
        if not is_known:
            new_share = new_share.to(param.dtype)
        if group["weight_decay"] != 0:
            param.mul_(1 - lr * group["weight_decay"])

        squares = grad * grad
        if grad.dim() > 1:
            row_var, col_var = state["row_var"], state["col_var"]
            row_var.lerp_(squares.mean(dim=-1, keepdim=True), new_share)
            col_var.lerp_(squares.mean(dim=-2, keepdim=True), new_share)
            variance = row_var @ col_var / row_var.mean(dim=-2, keepdim=True).clamp(min=eps1)
        else:
            state["variance"].lerp_(squares, new_share)
            variance = state["variance"]
        update = variance.clamp(min=eps1 * eps1).rsqrt() * grad
        root_mean_square = _number(update.norm(2), is_known) / max(1, update.numel()) ** 0.5
        param.sub_(update * (rate / largest(1.0, root_mean_square / group["d"])))


def _number(value: Tensor, is_known: bool) -> Any:
    """A 0-d tensor as a number, or in double precision if its value is not known yet."""
    return value.item() if is_known else value.double()
