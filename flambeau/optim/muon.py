"""Muon: orthogonalised momentum for the matrices of hidden layers."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from flambeau.autograd.grad_mode import no_grad
from flambeau.modes import MODES
from flambeau.optim.hyperparameter import as_scalar, hyperparameter
from flambeau.optim.initial_state import filled_like
from flambeau.optim.optimizer import Optimizer
from flambeau.tensor import Tensor, wrap

__all__ = ["Muon"]


class Muon(Optimizer):
    """Muon: the momentum with all its singular values brought near to 1.

    Args:
        params: two-dimensional parameters, named parameters, or parameter groups; biases,
            embeddings and the last layer belong to another optimizer.
        lr: the learning rate, a number or a 1-element tensor.
        weight_decay: each step multiplies the parameters by ``1 - lr * weight_decay``.
        momentum: the share of the momentum that is kept.
        nesterov: look ahead along the momentum.
        ns_coefficients: the quintic of the Newton-Schulz iteration.
        eps: the least norm that the momentum is divided by.
        ns_steps: iterations.
        adjust_lr_fn: how the learning rate follows the shape: ``"original"`` (as None) or
            ``"match_rms_adamw"``.

    Raises:
        ValueError: an option out of its range, or a parameter that is not two-dimensional.

    Source: ``torch.optim.Muon``; Jordan et al., Muon (2024); Liu et al., Muon is Scalable for LLM
    Training (2025).
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        weight_decay: float = 0.1,
        momentum: float = 0.95,
        nesterov: bool = True,
        ns_coefficients: tuple[float, float, float] = (3.4445, -4.7750, 2.0315),
        eps: float = 1e-7,
        ns_steps: int = 5,
        adjust_lr_fn: str | None = None,
    ) -> None:
        if isinstance(lr, Tensor) and lr.numel() != 1:
            raise ValueError("Tensor lr must be 1-element")
        if not lr >= 0.0:
            raise ValueError(f"Learning rate should be >= 0 but is: {lr}")
        if not momentum >= 0.0:
            raise ValueError(f"momentum should be >= 0 but is: {momentum}")
        if not weight_decay >= 0.0:
            raise ValueError(f"weight decay should be >= 0 but is: {weight_decay}")
        if adjust_lr_fn not in (None, "original", "match_rms_adamw"):
            raise ValueError(f"Adjust learning rate function {adjust_lr_fn} is not supported")
        defaults = {
            "lr": lr,
            "weight_decay": weight_decay,
            "momentum": momentum,
            "nesterov": nesterov,
            "ns_coefficients": ns_coefficients,
            "eps": eps,
            "ns_steps": ns_steps,
            "adjust_lr_fn": adjust_lr_fn,
        }
        super().__init__(params, defaults)
        for group in self.param_groups:
            for param in group["params"]:
                if param.ndim != 2:
                    raise ValueError(
                        "Muon only supports 2D parameters whereas we found a parameter with size: "
                        f"{param.size()}"
                    )

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

    def _update(self, group: dict[str, Any], param: Any) -> None:
        if param.is_complex():
            raise RuntimeError("Muon does not support complex parameters")
        state = self.state[param]
        if "momentum_buffer" not in state:
            state["momentum_buffer"] = filled_like(param)
        buffer, grad = state["momentum_buffer"], param.grad
        momentum = group["momentum"]
        buffer.lerp_(grad, 1 - momentum)
        update = grad.lerp(buffer, momentum) if group["nesterov"] else buffer
        update = orthogonalise(update, group["ns_coefficients"], group["ns_steps"], group["eps"])
        lr = hyperparameter(group, "lr")
        if isinstance(lr, Tensor):
            is_known = type(lr._array) is np.ndarray and MODES.capture is None
            lr = lr.item() if is_known else as_scalar(lr).double()
        rows, columns = param.shape
        if group["adjust_lr_fn"] == "match_rms_adamw":
            ratio = 0.2 * math.sqrt(max(rows, columns))
        else:
            ratio = math.sqrt(max(1, rows / columns))
        param.mul_(1 - lr * group["weight_decay"])
        param.sub_(update.to(param.dtype) * (lr * ratio))


def orthogonalise(
    matrix: Any, coefficients: tuple[float, float, float], steps: int, eps: float
) -> Any:
    """Bring the singular values of a matrix near to 1, by Newton and Schulz's iteration.

    Args:
        matrix: ``(rows, columns)``.
        coefficients: of the odd quintic that is applied to the singular values.
        steps: how often, below 100.
        eps: the least norm to divide by.

    Returns:
        The matrix in float32, every result on the way rounded to bfloat16 as in PyTorch.
    """
    if steps >= 100:
        raise ValueError("Number of steps must be less than 100 for computational efficiency")
    if matrix.ndim != 2:
        raise ValueError("Input tensor gradient must be a 2D matrix")
    if len(coefficients) != 3:
        raise ValueError("Coefficients must be a tuple of exactly 3 values")
    a, b, c = coefficients
    is_tall = matrix.size(0) > matrix.size(1)
    result = _to_bfloat16(matrix.float())
    if is_tall:
        result = result.t()
    norm = _to_bfloat16(result.norm())
    result = _to_bfloat16(result / norm.clamp(min=eps))
    for _ in range(steps):
        gram = _to_bfloat16(result @ result.t())
        polynomial = _to_bfloat16(b * gram + c * (gram @ gram))
        result = _to_bfloat16(a * result + polynomial @ result)
    return result.t() if is_tall else result


def _to_bfloat16(tensor: Any) -> Any:
    """A float32 tensor rounded to the nearest bfloat16 numbers (ties to even), as float32."""
    array = tensor._array
    if type(array) is not np.ndarray:
        return tensor.bfloat16().float()
    bits = np.ascontiguousarray(array, np.float32).view(np.uint32).astype(np.uint64)
    bits += 0x7FFF + ((bits >> 16) & 1)
    rounded = (bits & 0xFFFF0000).astype(np.uint32).view(np.float32).reshape(array.shape)
    return wrap(np.where(np.isnan(array), array, rounded))
