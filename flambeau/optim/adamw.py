"""AdamW: Adam with decoupled weight decay."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from flambeau.optim.adam import Adam
from flambeau.tensor import Tensor

__all__ = ["AdamW"]


class AdamW(Adam):
    """Adam whose weight decay shrinks the parameters rather than entering the gradient.

    Args:
        params: parameters, named parameters, or parameter groups.
        lr: the learning rate, a number or a 1-element tensor.
        betas: how much the averages of the gradient and of its square keep at each step.
        eps: added to the denominator.
        weight_decay: each step multiplies the parameters by ``1 - lr * weight_decay``.
        amsgrad: divide by the largest average of squares so far (AMSGrad).
        maximize, foreach, capturable, differentiable, fused: as for ``Adam``.

    Raises:
        ValueError: a negative option, or a beta outside of [0, 1).

    Source: ``torch.optim.AdamW``; Loshchilov and Hutter, Decoupled Weight Decay Regularization
    (2017).
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float | Tensor = 1e-3,
        betas: tuple[float | Tensor, float | Tensor] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 1e-2,
        amsgrad: bool = False,
        *,
        maximize: bool = False,
        foreach: bool | None = None,
        capturable: bool = False,
        differentiable: bool = False,
        fused: bool | None = None,
    ) -> None:
        super().__init__(
            params,
            lr,
            betas,
            eps,
            weight_decay,
            amsgrad,
            foreach=foreach,
            maximize=maximize,
            capturable=capturable,
            differentiable=differentiable,
            fused=fused,
            decoupled_weight_decay=True,
        )

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        for group in self.param_groups:
            # Files of PyTorch before 2.7 do not say so.
            group["decoupled_weight_decay"] = True
