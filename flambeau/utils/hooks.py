"""Handles that take a registered hook away again (``torch.utils.hooks``).

Source: torch.utils.hooks
"""

from __future__ import annotations

import weakref
from collections import OrderedDict
from collections.abc import Callable
from typing import Any, TypeVar

from ..modes import STRUCTURE

__all__ = ["RemovableHandle", "unserializable_hook"]

_Hook = TypeVar("_Hook", bound=Callable[..., Any])


class RemovableHandle:
    """What registering a hook returns: ``handle.remove()`` unregisters it.

    A handle is also a context manager that removes its hook at the end of the block. It holds
    only weak references to the dictionaries of hooks, so it keeps no module or tensor alive.

    Args:
        hooks_dict: the dictionary (one that can be weakly referenced, such as an ``OrderedDict``)
            that maps ``handle.id`` to the hook.
        extra_dict: a dictionary, or a list of them, from which ``handle.id`` is deleted as well.

    Source: ``torch.utils.hooks.RemovableHandle``.
    """

    next_id: int = 0

    def __init__(self, hooks_dict: Any, *, extra_dict: Any = None) -> None:
        STRUCTURE.version += 1
        self.id: int = RemovableHandle.next_id
        RemovableHandle.next_id += 1
        self.hooks_dict_ref: Callable[[], Any] = weakref.ref(hooks_dict)
        extras = extra_dict if isinstance(extra_dict, list) else [extra_dict]
        self.extra_dict_ref: tuple[Callable[[], Any], ...] = tuple(
            weakref.ref(extra) for extra in extras if isinstance(extra, dict)
        )

    def remove(self) -> None:
        """Unregister the hook; a second call, or a call after the owner died, does nothing."""
        STRUCTURE.version += 1
        for reference in (self.hooks_dict_ref, *self.extra_dict_ref):
            hooks = reference()
            if hooks is not None:
                hooks.pop(self.id, None)

    def __getstate__(self) -> tuple[Any, int, tuple[Any, ...]]:
        return self.hooks_dict_ref(), self.id, tuple(ref() for ref in self.extra_dict_ref)

    def __setstate__(self, state: tuple[Any, ...]) -> None:
        hooks_dict, self.id, *rest = state
        # A handle whose owner is gone comes back dead: its reference is to a dictionary that
        # nothing else holds.
        self.hooks_dict_ref = weakref.ref(OrderedDict() if hooks_dict is None else hooks_dict)
        RemovableHandle.next_id = max(RemovableHandle.next_id, self.id + 1)
        extras = rest[0] if rest and rest[0] is not None else ()
        self.extra_dict_ref = tuple(
            weakref.ref(OrderedDict() if extra is None else extra) for extra in extras
        )

    def __enter__(self) -> RemovableHandle:
        return self

    def __exit__(self, *exception: object) -> None:
        self.remove()


def unserializable_hook(hook: _Hook) -> _Hook:
    """Mark ``hook`` as one that need not be saved with its tensor, and return it."""
    hook.__torch_unserializable__ = True  # type: ignore[attr-defined]
    return hook
