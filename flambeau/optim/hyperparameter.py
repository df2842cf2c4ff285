"""Reading, and checking, the options of a parameter group."""

from __future__ import annotations

from typing import Any

from flambeau.modes import MODES
from flambeau.tensor import Tensor

__all__ = ["hyperparameter", "type_name"]


def hyperparameter(group: dict[str, Any], name: str) -> Any:
    """The value of option ``name`` of ``group``, read anew at each step.

    While a step is being captured the capture answers: it makes of ``lr`` an input of the compiled
    step and guards what it takes as a constant.

    Returns:
        A number, a tensor, or whatever the option is.
    """
    if MODES.capture is not None:
        return MODES.capture.hyperparameter(group, name)
    return group[name]


def type_name(value: Any) -> str:
    """What ``torch.typename`` calls a value: a tensor's type, or the qualified class name.

    Returns:
        Such as ``"torch.FloatTensor"``, ``"int"``.
    """
    if isinstance(value, Tensor):
        return str(value.type())
    kind = type(value)
    if kind.__module__ in ("builtins", "__builtin__"):
        return kind.__qualname__
    return f"{kind.__module__}.{kind.__qualname__}"


def check_lr(lr: Any, *, foreach: Any = None, capturable: bool = True) -> None:
    """Refuse a learning rate that is negative, or a tensor of more than one element.

    Raises:
        ValueError: such a rate, or a tensor where ``foreach`` is asked for without ``capturable``.
    """
    if isinstance(lr, Tensor):
        if foreach and not capturable:
            raise ValueError(
                "lr as a Tensor is not supported for capturable=False and foreach=True"
            )
        if lr.numel() != 1:
            raise ValueError("Tensor lr must be 1-element")
    if not lr >= 0.0:
        raise ValueError(f"Invalid learning rate: {lr}")


def check_non_negative(value: Any, label: str) -> None:
    """Refuse ``value`` unless it is at least 0; ``label`` is the message's subject.

    Raises:
        ValueError: it is less.
    """
    if not value >= 0.0:
        raise ValueError(f"Invalid {label}: {value}")


def check_betas(betas: Any) -> None:
    """Refuse ``betas`` unless both lie in [0, 1).

    Raises:
        ValueError: one does not.
    """
    for index in (0, 1):
        if not 0.0 <= betas[index] < 1.0:
            raise ValueError(f"Invalid beta parameter at index {index}: {betas[index]}")


def check_implementation(optimizer: Any, fused: Any, foreach: Any, differentiable: bool) -> None:
    """Refuse the combinations of implementation selectors that PyTorch refuses.

    ``foreach`` and ``fused`` choose among PyTorch's implementations of the same update; here
    there is one, and either may be asked for.

    Raises:
        RuntimeError: ``fused`` beside ``differentiable`` or ``foreach``.
    """
    if not fused:
        return
    if differentiable:
        raise RuntimeError("`fused` does not support `differentiable`")
    if foreach:
        raise RuntimeError("`fused` and `foreach` cannot be `True` together.")
    optimizer._step_supports_amp_scaling = True


def as_scalar(value: Any) -> Any:
    """A 1-element tensor as a 0-d one; anything else as it is."""
    if isinstance(value, Tensor) and value.dim() != 0:
        return value.squeeze()
    return value


def zeros(group: dict[str, Any], *names: str) -> dict[str, int]:
    """Those of the named options that are the number 0: a rule may leave their terms out."""
    found = {}
    for name in names:
        value = hyperparameter(group, name)
        if not isinstance(value, Tensor) and value == 0:
            found[name] = 0
    return found
