"""Why a program does not fit the present state."""

from __future__ import annotations

from typing import Any


class GuardFailed(Exception):
    """The program does not fit the present state; nothing has been done.

    Args:
        kind: which of the guards: ``"array"``, ``"layout"``, ``"requires_grad"``, ``"grad"``,
            ``"mode"``, ``"value"`` or ``"option"``.
        subject: the tensor, an argument's position, the module, or a name.
        expected, found: what it was when the program was captured, and is now.
    """

    def __init__(self, kind: str, subject: Any, expected: Any = None, found: Any = None) -> None:
        super().__init__(kind, subject, expected, found)
        self.kind = kind
        self.subject = subject
        self.expected = expected
        self.found = found

    def reason(self, names: dict[int, str] | None = None) -> str:
        """The guard and what it met, in words.

        Args:
            names: of tensors and modules, by their ids (:func:`.names.names_within`).
        """
        expected, found = self.expected, self.found
        name = self._name(names or {})
        if self.kind == "array":
            return f"{name} is {_array(found)}, was {_array(expected)}"
        if self.kind == "layout":
            return f"{name} is updated and no longer contiguous"
        if self.kind == "requires_grad":
            return f"requires_grad of {name} is {not expected}, was {expected}"
        if self.kind == "grad":
            if expected is not None and expected is not True:
                return f"the grad of {name} is another tensor"
            now, then = ("None", "a tensor") if expected else ("a tensor", "None")
            return f"the grad of {name} is {now}, was {then}"
        if self.kind == "mode":
            now, then = ("eval", "train") if expected else ("train", "eval")
            return f"{name} is in {now} mode, was in {then} mode"
        if self.kind == "reference":
            return f"'{self.subject}' is or holds something else"
        if self.kind == "memory":
            return f"{name} shares memory with what is updated"
        what = "the optimizer's option" if self.kind == "option" else "the value of"
        return f"{what} '{self.subject}' is {found!r}, was {expected!r}"

    def _name(self, names: dict[int, str]) -> str:
        subject = self.subject
        if isinstance(subject, int):
            return f"tensor argument {subject}"
        known = names.get(id(subject))
        if known is not None:
            return known
        if self.kind == "mode":
            return f"a {type(subject).__name__}"
        shape = list(getattr(subject, "shape", ()))
        return f"a tensor of shape {shape}"

    def __str__(self) -> str:
        return self.reason()


def _array(kind: Any) -> str:
    if not isinstance(kind, tuple):
        return str(kind)
    shape, dtype = kind
    return f"{dtype}{list(shape)}"


__all__ = ["GuardFailed"]
