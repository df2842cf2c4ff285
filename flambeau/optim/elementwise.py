"""Optimizers whose update works on each element alone, and how their rules are run.

Such an optimizer is a rule (see :mod:`flambeau.optim.update_program`) plus the declarations of
:class:`ElementwiseOptimizer`. Two executors share the rule: ``NumpyPlan`` for parameters in NumPy
arrays, and ``apply_rule``, in Tensor operations, for everything else.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np

from flambeau.optim.hyperparameter import hyperparameter
from flambeau.optim.initial_state import filled_like, scalar_state
from flambeau.optim.numpy_plan import NumpyPlan, supports
from flambeau.optim.optimizer import Optimizer
from flambeau.optim.tensor_update import apply_rule
from flambeau.tensor import Tensor, wrap

__all__ = ["ElementwiseOptimizer"]

_MAX_PLANS = 8  # per group: one for each set of parameters that had gradients together


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
