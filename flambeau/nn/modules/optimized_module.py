"""What ``torch.compile(module)`` gives: a module around the module, whose calls are compiled."""

from __future__ import annotations

import copy
import os
from collections.abc import Sized
from typing import TYPE_CHECKING, Any

from flambeau.compiler.compile import CompiledFunction, compiled_call_of
from flambeau.nn.modules.module import Module

if TYPE_CHECKING:
    from flambeau.compiler.explain import Explanation

__all__ = ["OptimizedModule"]

_OWN = frozenset(("_orig_mod", "_compiled", "forward", "__dict__"))
"""The attributes that are not the inner module's."""


class OptimizedModule(Module):
    """A module whose calls are compiled; its only child, ``_orig_mod``, is the module itself.

    Attributes are the inner module's: reading, setting and deleting one goes there. Names in a
    state dict start with ``_orig_mod.``, as in PyTorch; ``self._orig_mod.state_dict()`` has those
    of the module alone.

    Args:
        module: the module to compile.
        fullgraph: raise, rather than run eagerly with a warning, if it cannot be captured.

    Source: ``torch._dynamo.eval_frame.OptimizedModule``.
    """

    _orig_mod: Module
    _compiled: CompiledFunction

    def __init__(self, module: Module, fullgraph: bool = False) -> None:
        object.__setattr__(self, "_orig_mod", module)  # asked for while Module.__init__ runs
        super().__init__()
        del self.__dict__["_orig_mod"], self.__dict__["training"]
        self._modules["_orig_mod"] = module
        object.__setattr__(self, "_compiled", compiled_call_of(module, fullgraph))

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if self._forward_hooks or self._forward_pre_hooks or self._backward_hooks:
            return super().__call__(*args, **kwargs)
        return self.forward(*args, **kwargs)  # hooks on all modules are the inner module's

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        modes = tuple(m.training for m in self._orig_mod.modules())
        return self._compiled(modes, args, kwargs)

    def __len__(self) -> int:
        module = self._orig_mod
        if isinstance(module, Sized):
            return len(module)
        raise TypeError(f"{type(module).__name__} does not support len()")

    @property
    def training(self) -> bool:  # type: ignore[override]
        """The inner module's mode."""
        return self._orig_mod.training

    @training.setter
    def training(self, mode: bool) -> None:
        self._orig_mod.training = mode

    def explain(
        self, html: str | os.PathLike[str] | None = None, measure: bool = True
    ) -> Explanation:
        """What has been captured and compiled so far.

        Args:
            html, measure: as for :meth:`CompiledFunction.explain`.

        Returns:
            The explanation, a string.
        """
        return self._compiled.explain(html, measure)

    # -- attributes are the inner module's ----------------------------------------------------

    def __getattr__(self, name: str) -> Any:
        if name == "_orig_mod":
            return self.__dict__["_modules"]["_orig_mod"]
        return getattr(self._orig_mod, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in _OWN or hasattr(type(self), name):
            super().__setattr__(name, value)
        else:
            setattr(self._orig_mod, name, value)

    def __delattr__(self, name: str) -> None:
        if name in _OWN or hasattr(type(self), name):
            super().__delattr__(name)
        else:
            delattr(self._orig_mod, name)

    def __dir__(self) -> list[str]:
        names = list(self._orig_mod.__dir__())
        return names + [name for name in super().__dir__() if name not in names]

    def __deepcopy__(self, memo: dict[int, Any]) -> OptimizedModule:
        return OptimizedModule(copy.deepcopy(self._orig_mod, memo), self._compiled._fullgraph)

    def __reduce__(self) -> Any:
        return OptimizedModule, (self._orig_mod, self._compiled._fullgraph)
