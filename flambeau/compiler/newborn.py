"""Which tensors have been made since a moment.

A capture has to tell the tensors that the program makes from those that it found, and to find the
ones that outlive it.  Python's collector of garbage knows: it keeps the objects made since its
last run by themselves, which are few, where a look at all objects takes milliseconds.
"""

from __future__ import annotations

import gc
import weakref
from collections.abc import Mapping
from typing import Any

from ..tensor import Tensor

_FEW = 5_000
"""New objects of a program that are not worth a collection."""


def _tensors(objects: list[Any]) -> list[Tensor]:
    kinds = {kind for kind in set(map(type, objects)) if issubclass(kind, Tensor)}
    return [item for item in objects if type(item) in kinds]


class Newborn:
    """The tensors made since this was, by any thread; :meth:`close` ends the watch.

    Arguments:
        older: tensors that are there already, by their ids.
    """

    def __init__(self, older: Mapping[int, Tensor]) -> None:
        self._known = older
        self._older: set[int] | None = None
        self._seen: dict[int, weakref.ref[Tensor]] = {}
        gc.collect(0)  # what lives now is young no longer
        if any(item is self for item in gc.get_objects(generation=0)):  # a collector without ages
            self._older = {id(tensor) for tensor in _tensors(gc.get_objects())}
        gc.callbacks.append(self._collection)
        self._thresholds = gc.get_threshold()
        self._raised = max(_FEW, self._thresholds[0]), *self._thresholds[1:]
        if self._thresholds[0]:  # what is newborn is looked through at each collection
            gc.set_threshold(*self._raised)
        # what is there now is not looked through again and again
        self._frozen = hasattr(gc, "freeze") and gc.get_freeze_count() == 0
        if self._frozen:
            gc.freeze()

    def thaw(self) -> None:
        """From now on Python collects all garbage again, not only what is newborn."""
        if self._frozen:
            self._frozen = False
            gc.unfreeze()

    def close(self) -> None:
        """Watch no longer; what has been found is known still."""
        self.thaw()
        if gc.get_threshold() == self._raised:  # nobody else has set others
            gc.set_threshold(*self._thresholds)
        gc.callbacks.remove(self._collection)

    def _collection(self, phase: str, info: dict[str, int]) -> None:
        """Note the young before the collector takes them among the others."""
        if phase == "start":
            self._note()

    def _note(self) -> None:
        for tensor in _tensors(gc.get_objects(generation=0)):
            if self._older is None or id(tensor) not in self._older:
                self._seen[id(tensor)] = weakref.ref(tensor)

    def __contains__(self, tensor: Tensor) -> bool:
        if self._known.get(id(tensor)) is tensor:
            return False
        if self._is_noted(tensor):
            return True
        if self._older is not None:
            return id(tensor) not in self._older
        self._note()
        return self._is_noted(tensor)

    def _is_noted(self, tensor: Tensor) -> bool:
        seen = self._seen.get(id(tensor))
        return seen is not None and seen() is tensor

    def living(self) -> list[Tensor]:
        """Those that are still there."""
        self._note()
        return [tensor for seen in self._seen.values() if (tensor := seen()) is not None]


__all__ = ["Newborn"]
