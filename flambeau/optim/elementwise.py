"""Optimizers whose update works on each element alone, and how their rules are run.

Such an optimizer is a rule (see :mod:`flambeau.optim.update_program`) plus the declarations of
:class:`ElementwiseOptimizer`. Two executors share the rule: ``NumpyPlan`` for parameters in NumPy
arrays, and :func:`apply_rule` here, in Tensor operations, for everything else: recorded steps (the
compiler), JAX arrays, ``differentiable=True``, and parameters whose gradient or state has another
dtype.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from flambeau.autograd.grad_mode import set_grad_enabled
from flambeau.modes import MODES
from flambeau.optim.hyperparameter import hyperparameter
from flambeau.optim.initial_state import filled_like, scalar_state
from flambeau.optim.numpy_plan import NumpyPlan, supports
from flambeau.optim.optimizer import Optimizer
from flambeau.tensor import Tensor, bump_version, wrap

__all__ = ["ElementwiseOptimizer"]

_MAX_PLANS = 8  # per group: one for each set of parameters that had gradients together


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


class ElementwiseOptimizer(Optimizer):
    """An :class:`Optimizer` that is a rule over each parameter's elements.

    A subclass declares what follows, and its ``__init__``.

    Args:
        params, defaults: as for :class:`Optimizer`.

    Attributes:
        rule: ``rule(xp, *, param, grad, **states, **scalars, **options)``, returning the new
            parameter and the new states by name.
        scalar_states: the names of the states that are one number per parameter.
        scalar_names: the names of the hyperparameters that the rule computes with.
        has_first_step: whether the rule takes ``is_first``, true at a parameter's first step.
        flags: options that groups saved by an older PyTorch lack, and that were False then.
        unset: the same for those that were None.

    Raises:
        NotImplementedError: a subclass does not define ``array_states`` or ``options``.
    """

    rule: ClassVar[Callable[..., dict[str, Any]]]
    scalar_states: ClassVar[tuple[str, ...]] = ("step",)
    scalar_names: ClassVar[tuple[str, ...]]
    has_first_step: ClassVar[bool] = False
    flags: ClassVar[tuple[str, ...]] = ("maximize", "differentiable", "capturable")
    unset: ClassVar[tuple[str, ...]] = ("foreach",)

    def array_states(self, group: dict[str, Any]) -> tuple[str, ...]:
        """The names of the states shaped like the parameter, for the options of ``group``."""
        raise NotImplementedError

    def options(self, group: dict[str, Any]) -> dict[str, Any]:
        """What the rule branches on, by name: flags, and the hyperparameters of ``group`` that are
        0.
        """
        raise NotImplementedError

    def scalars(self, group: dict[str, Any]) -> dict[str, Any]:
        """The hyperparameters of ``group`` in the order of ``scalar_names``, read now."""
        return {name: hyperparameter(group, name) for name in self.scalar_names}

    def initial_state(self, group: dict[str, Any], param: Tensor) -> dict[str, Any]:
        """The state of ``param``, of ``group``, before its first step, in PyTorch's order."""
        return {
            "step": scalar_state(param, group),
            **{name: filled_like(param) for name in self.array_states(group)},
        }

    def __init__(self, params: Any, defaults: dict[str, Any]) -> None:
        self._plans: dict[int, list[NumpyPlan]] = {}
        super().__init__(params, defaults)

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        self._plans = {}
        for group in self.param_groups:
            for names, value in ((self.unset, None), (self.flags, False)):
                for name in names:
                    group.setdefault(name, value)
        for values in self.state.values():
            for name in self.scalar_states if isinstance(values, dict) else ():
                # Step counts were numbers once, and files of that time are still about.
                if isinstance(values.get(name), int | float):
                    values[name] = wrap(np.array(values[name], np.float32))

    def step(self, closure: Callable[[], Any] | None = None) -> Any:
        """Update every parameter that has a gradient.

        Args:
            closure: computes the loss anew (forward and backward) and returns it.

        Returns:
            What the closure returned, or None without one.
        """
        loss = None if closure is None else self._evaluate(closure)
        plans = self._plans
        for group in self.param_groups:
            known = plans.get(id(group))
            if not known or not known[0].run(self, group):
                self._step_group(group)
        return loss

    def _step_group(self, group: dict[str, Any]) -> None:
        """One step of a group that its latest plan does not fit."""
        active = [param for param in group["params"] if param.grad is not None]
        if not active:
            return
        known = self._plans.setdefault(id(group), [])
        for plan in known[1:]:
            if plan.run(self, group):
                known.remove(plan)
                known.insert(0, plan)
                return

        names = self.array_states(group)
        fresh = set()
        for param in active if names or self.scalar_states else ():
            state = self.state[param]
            if any(state.get(name) is None for name in (*names, *self.scalar_states)):
                fresh.add(id(param))
                for name, value in self.initial_state(group, param).items():
                    if state.get(name) is None:
                        state[name] = value
        differentiable = group.get("differentiable")
        scalars = [self.state[param][name] for param in active for name in self.scalar_states]
        by_rule = differentiable or len({id(count) for count in scalars}) < len(scalars)
        planned = []
        for param in active:
            if not by_rule and supports(param, self.state.get(param, {}), names):
                planned.append(param)
            else:
                apply_rule(self, group, param, id(param) in fresh)
        if not planned:
            return
        if len(planned) == len(active):
            slots = [param.grad is None for param in group["params"]]
            known[:] = [
                plan
                for plan in known
                if plan.group is group and [slot is None for slot in plan.slots] != slots
            ][: _MAX_PLANS - 1]
            known.insert(0, NumpyPlan(self, group, planned, fresh, known))
            known[0].run(self, group)
            return
        for param in planned:  # beside others that were updated by the rule
            apply_rule(self, group, param, id(param) in fresh)


def apply_rule(
    optimizer: ElementwiseOptimizer, group: dict[str, Any], param: Tensor, is_first: bool
) -> None:
    """Update one parameter by running the optimizer's rule in Tensor operations.

    Gradients are recorded only for ``differentiable=True``. Step counts, and whatever is computed
    from them, are tensors there and in a recorded step, which counts on at each of its calls.
    """
    state = optimizer.state.get(param, {})
    options = optimizer.options(group)
    if optimizer.has_first_step:
        options = {**options, "is_first": is_first}
    scalars = {
        name: value for name, value in optimizer.scalars(group).items() if name not in options
    }
    names = optimizer.array_states(group)
    differentiable = bool(group.get("differentiable"))
    with set_grad_enabled(differentiable):
        targets = {name: state[name] for name in (*names, *optimizer.scalar_states)}
        targets["param"] = param
        is_concrete = not differentiable and all(map(_is_numpy, targets.values()))
        grad: Any = param.grad
        if param.is_complex():
            from flambeau.ops.complex_numbers import view_as_complex, view_as_real

            grad = view_as_real(grad)
            for name in ("param", *names):
                targets[name] = view_as_real(targets[name])
        tensors = {name: v for name, v in scalars.items() if isinstance(v, Tensor)}
        numbers = {name: v for name, v in scalars.items() if name not in tensors}
        arguments = {**targets, **tensors, "grad": grad}
        capture = None if differentiable or param.is_complex() else MODES.capture

        def compute() -> dict[str, Any]:
            values: dict[str, Any] = dict(arguments)
            if not differentiable:
                # in double precision: the numbers that eager mode computes with
                values.update({name: v.double() for name, v in tensors.items()})
                if param.dtype.itemsize == 2:  # computed in float32, rounded once
                    values["grad"] = grad.float()
                    halves = (n for n, v in targets.items() if v.dtype.itemsize == 2)
                    values.update({n: values[n].float() for n in halves})
            for name in optimizer.scalar_states:
                values[name] = float(state[name]) if is_concrete else state[name].double()
            found = type(optimizer).rule(TensorNamespace, **values, **numbers, **options)
            changed = [name for name in targets if found[name] is not values[name]]
            if capture is None:
                return {name: found[name] for name in changed}
            return {name: found[name].to(targets[name].dtype) for name in changed}

        if capture is None:
            result = compute()
        else:
            constants = {**options, **numbers}.items()
            key = (type(optimizer), id(group), *((name, repr(value)) for name, value in constants))
            result = capture.repeated(key, arguments, compute)
        for name, target in targets.items():
            if name not in result:  # it stays
                continue
            if is_concrete and name in optimizer.scalar_states:
                target.fill_(result[name])
                continue
            if param.is_complex() and not is_concrete and not differentiable:
                whole = param if name == "param" else state[name]
                if whole.is_complex():  # its parts are no memory of their own in a capture
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
