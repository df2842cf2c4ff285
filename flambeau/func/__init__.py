"""Transforms of functions: derivatives and vectorisation of functions of tensors (``torch.func``).

* :mod:`.vmap`: a function of one member, run on all members of a batch at once.
* :mod:`.gradients`: ``grad``, ``grad_and_value`` and ``vjp``, by the tape.
* :mod:`.tangents`: ``jvp`` and ``linearize``, by differentiating a backward pass.
* :mod:`.jacobians`: ``jacrev``, ``jacfwd`` and ``hessian``, from these and ``vmap``.
* :mod:`.modules`: modules as functions of their parameters.

They nest and mix to any depth.

Source: https://pytorch.org/docs/stable/func.api.html
"""

from __future__ import annotations

from .functionalization import functionalize
from .gradients import grad, grad_and_value, vjp
from .jacobians import hessian, jacfwd, jacrev
from .modules import functional_call, replace_all_batch_norm_modules_, stack_module_state
from .tangents import jvp, linearize
from .vmap import vmap

__all__ = [
    "functional_call",
    "functionalize",
    "grad",
    "grad_and_value",
    "hessian",
    "jacfwd",
    "jacrev",
    "jvp",
    "linearize",
    "replace_all_batch_norm_modules_",
    "stack_module_state",
    "vjp",
    "vmap",
]
