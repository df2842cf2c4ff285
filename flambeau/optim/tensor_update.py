"""The update of one parameter by its optimizer's rule, in Tensor operations.

For whatever is not updated in NumPy arrays: recorded steps (the compiler), JAX arrays,
``differentiable=True``, and parameters whose gradient or state has another dtype.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from flambeau.autograd.grad_mode import set_grad_enabled
from flambeau.modes import MODES
from flambeau.tensor import Tensor, bump_version

if TYPE_CHECKING:
    from flambeau.optim.elementwise import ElementwiseOptimizer

__all__ = ["TensorNamespace", "apply_rule"]


class TensorNamespace:
    """The ``xp`` of a rule that runs on Tensors; its scalars are numbers or 0-d tensors."""

    @staticmethod
    def sqrt(value: Any) -> Any:
        return value.sqrt() if isinstance(value, Tensor) else value**0.5

    @staticmethod
    def abs(value: Any) -> Any:
        return value.abs()

    @staticmethod
    def sign(value: Any) -> Any:
        return value.sign()

    @staticmethod
    def maximum(left: Any, right: Any) -> Any:
        if isinstance(left, Tensor):
            return left.maximum(right) if isinstance(right, Tensor) else left.clamp(min=right)
        return right.clamp(min=left) if isinstance(right, Tensor) else max(left, right)

    @staticmethod
    def minimum(left: Any, right: Any) -> Any:
        if isinstance(left, Tensor):
            return left.minimum(right) if isinstance(right, Tensor) else left.clamp(max=right)
        return right.clamp(max=left) if isinstance(right, Tensor) else min(left, right)

    @staticmethod
    def where(condition: Any, yes: Any, no: Any) -> Any:
        if not isinstance(condition, Tensor):
            return yes if condition else no
        if isinstance(yes, Tensor):
            return yes.where(condition, no)
        if isinstance(no, Tensor):
            return no.where(~condition, yes)
        return condition * yes + ~condition * no


def apply_rule(
    optimizer: ElementwiseOptimizer, group: dict[str, Any], param: Tensor, is_first: bool
) -> None:
    """Update one parameter by running the optimizer's rule in Tensor operations.

    Gradients are recorded only for ``differentiable=True``. Step counts, and whatever is computed
    from them, are tensors there and in a recorded step, which counts on at each of its calls.
    """
    options = optimizer.options(group)
    if optimizer.has_first_step:
        options = {**options, "is_first": is_first}
    scalars = {
        name: value for name, value in optimizer.scalars(group).items() if name not in options
    }
    with set_grad_enabled(bool(group.get("differentiable"))):
        update = _Update(optimizer, group, param, scalars, options)
        update.write(update.result())


class _Update:
    """One parameter's update by its optimizer's rule, in Tensor operations.

    Args:
        optimizer, group, param: whose.
        scalars: the hyperparameters that the rule computes with, by name.
        options: what it branches on, by name.
    """

    def __init__(
        self,
        optimizer: ElementwiseOptimizer,
        group: dict[str, Any],
        param: Tensor,
        scalars: dict[str, Any],
        options: dict[str, Any],
    ) -> None:
        self.optimizer, self.group, self.param, self.options = optimizer, group, param, options
        self.state = optimizer.state.get(param, {})
        self.tensors = {name: v for name, v in scalars.items() if isinstance(v, Tensor)}
        self.numbers = {name: v for name, v in scalars.items() if name not in self.tensors}
        self.differentiable = bool(group.get("differentiable"))
        names = optimizer.array_states(group)
        self.targets = {name: self.state[name] for name in (*names, *optimizer.scalar_states)}
        """What the rule has new values for, by name; complex arrays as pairs of real numbers."""
        self.targets["param"] = param
        self.is_concrete = not self.differentiable and all(map(_is_numpy, self.targets.values()))
        """Whether step counts are plain numbers to the rule."""
        self.grad: Any = param.grad
        if param.is_complex():
            from flambeau.ops.complex_numbers import view_as_real

            self.grad = view_as_real(self.grad)
            for name in ("param", *names):
                self.targets[name] = view_as_real(self.targets[name])

    def result(self) -> dict[str, Any]:
        """The new values of those targets that change, by name.

        A capture runs the rule once for all parameters alike.
        """
        arguments = {**self.targets, **self.tensors, "grad": self.grad}
        if MODES.capture is None or self.differentiable or self.param.is_complex():
            return self._computed(arguments)

        def compute() -> dict[str, Any]:
            found = self._computed(arguments)
            return {name: value.to(self.targets[name].dtype) for name, value in found.items()}

        constants = {**self.options, **self.numbers}.items()
        key = (
            type(self.optimizer),
            id(self.group),
            *((name, repr(value)) for name, value in constants),
        )
        return MODES.capture.repeated(key, arguments, compute)

    def _computed(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """What the rule makes of ``arguments``."""
        values = self._widened(arguments)
        rule = type(self.optimizer).rule
        found = rule(TensorNamespace, **values, **self.numbers, **self.options)
        return {name: found[name] for name in self.targets if found[name] is not values[name]}

    def _widened(self, arguments: dict[str, Any]) -> dict[str, Any]:
        """``arguments`` in the precision in which the rule computes."""
        values = dict(arguments)
        if not self.differentiable:
            # in double precision: the numbers that eager mode computes with
            values.update({name: v.double() for name, v in self.tensors.items()})
            if self.param.dtype.itemsize == 2:  # computed in float32, rounded once
                values["grad"] = self.grad.float()
                halves = (n for n, v in self.targets.items() if v.dtype.itemsize == 2)
                values.update({n: values[n].float() for n in halves})
        for name in self.optimizer.scalar_states:
            count = self.state[name]
            values[name] = float(count) if self.is_concrete else count.double()
        return values

    def write(self, result: dict[str, Any]) -> None:
        """Give the targets their new values; those without one stay."""
        for name, target in self.targets.items():
            if name not in result:
                continue
            if self.is_concrete and name in self.optimizer.scalar_states:
                target.fill_(result[name])
                continue
            if self.param.is_complex() and not self.is_concrete and not self.differentiable:
                whole = self.param if name == "param" else self.state[name]
                if whole.is_complex():  # its parts are no memory of their own in a capture
                    from flambeau.ops.complex_numbers import view_as_complex

                    rebind(whole, view_as_complex(result[name]))
                    continue
            rebind(target, result[name])


def _is_numpy(tensor: Tensor) -> bool:
    return type(tensor._array) is np.ndarray


def rebind(tensor: Tensor, value: Tensor) -> None:
    """Give ``tensor`` the elements of ``value``, in place as far as a program can tell."""
    if _is_numpy(tensor) or value.requires_grad or tensor._base is not None:
        tensor.copy_(value)
        return
    same = value._array.dtype == tensor._array.dtype
    tensor._array = (value if same else value.to(tensor.dtype))._array
    bump_version(tensor)
