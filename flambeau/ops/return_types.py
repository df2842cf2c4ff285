"""``torch.return_types``: the named tuples of operations with several results."""

from __future__ import annotations

import operator
from typing import Any

_PLURAL: dict[tuple[str, tuple[str, ...]], Any] = {}


def return_type(name: str, fields: tuple[str, ...]) -> Any:
    """The named tuple class ``torch.return_types.<name>`` with ``fields``."""
    found = _PLURAL.get((name, fields))
    if found is not None:
        return found

    def __repr__(self: Any) -> str:
        pad = ",\n"
        body = pad.join(f"{field}={value!r}" for field, value in zip(fields, self))
        return f"torch.return_types.{name}(\n{body})"

    def __reduce_ex__(self: Any, protocol: Any) -> Any:
        return _rebuild, (name, fields, tuple(self))

    namespace: dict[str, Any] = {
        "__repr__": __repr__, "__slots__": (), "_fields": fields,
        "__reduce_ex__": __reduce_ex__,
        "n_fields": len(fields), "__module__": "torch.return_types",
    }  # fmt: skip
    for position, field in enumerate(fields):
        namespace[field] = property(operator.itemgetter(position))
    made = type(name, (tuple,), namespace)
    _PLURAL[name, fields] = made
    return made


def _rebuild(name: str, fields: tuple[str, ...], values: tuple[Any, ...]) -> Any:
    """Make the named tuple that ``pickle`` or ``copy`` took apart."""
    return return_type(name, fields)(values)
