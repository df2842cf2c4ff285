"""What public docstrings say of whole families of operations: from their definitions, once.

An operation's own docstring tells what is its own.  :func:`completed` adds what its definition
tells anyway: the argument ``out``, that shapes must broadcast, and the dtypes that
:mod:`.dtype_checks` refuses.  The other functions write the docstrings of operations that differ
in one sentence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from .dtype_checks import refused_dtypes

if TYPE_CHECKING:
    from .operation import Operation

_OUT = "out: a tensor to write the result into (RuntimeError: its dtype cannot hold it)."
_OUTS = "out: a tuple of tensors to write the results into."
_UNWRITABLE = (
    "RuntimeError: the result has another shape, or a dtype that the tensor's cannot hold; the\n"
    "            tensor is a leaf that requires a gradient, or repeats elements in its memory."
)
_BROADCAST = "RuntimeError: the shapes do not broadcast."

FLOATING = "(*), of ``input``'s dtype, or for integers and bools of the default one."
KEPT = "(*), of ``input``'s dtype."
TRUTHS = "(*), bool."
_COMMON = "Their broadcast shape, in their common dtype"


def _added(doc: str, section: str, line: str) -> str:
    """``doc`` with ``line`` at the end of its ``section``, which is made where it is missing."""
    head = f"\n    {section}:\n"
    at = doc.find(head)
    if at >= 0:
        end = doc.find("\n\n", at + len(head))
        end = len(doc) if end < 0 else end
        return f"{doc[:end]}\n        {line}{doc[end:]}"
    later = ("\n    Returns:", "\n    Raises:", "\n    Source:")
    places = (doc.find(word) for word in (later if section == "Args" else later[2:]))
    at = min((p for p in places if p >= 0), default=-1)
    made = f"{head}        {line}\n"
    return f"{doc}\n{made[:-1]}" if at < 0 else doc[:at] + made + doc[at:]


def with_out(doc: str | None, several: bool = False) -> str | None:
    """The docstring ``doc`` with the argument ``out`` (of several tensors)."""
    if not doc or "\n        out: " in doc:
        return doc
    return _added(doc.rstrip(), "Args", _OUTS if several else _OUT)


def completed(operation: Operation, doc: str | None) -> str | None:
    """The docstring of ``operation``, whose definition has ``doc``."""
    if not doc:
        return doc
    if operation.takes_out:
        doc = with_out(doc, several=len(operation.outputs) > 1)
        assert doc
    if operation.promote is not None and sum(p.is_tensor for p in operation.parameters) > 1:
        doc = _added(doc.rstrip(), "Raises", _BROADCAST)
    refused = refused_dtypes(operation.name)
    return _added(doc.rstrip(), "Raises", refused) if refused else doc


def in_place(name: str, doc: str | None) -> str:
    """The docstring of ``name``'s method that writes its result into the tensor itself."""
    summary = f"In-place :func:`{name}`: its result is written into this tensor, which is returned."
    if not doc:
        return summary
    at = doc.find("\n        out: ")
    if at >= 0:
        end = doc.find("\n", at + 1)
        doc = doc[:at] + (doc[end:] if end >= 0 else "")
    return _added(f"{summary}\n\n    {doc.rstrip()}", "Raises", _UNWRITABLE)


def written(summary: str, args: str, returns: str, raises: str = "") -> str:
    """A docstring of these sections, each one line (or several, indented by 8)."""
    doc = f"{summary}\n\n    Args:\n        {args}\n\n    Returns:\n        {returns}"
    return f"{doc}\n\n    Raises:\n        {raises}" if raises else doc


def of_one(summary: str, returns: str = FLOATING, raises: str = "") -> str:
    """The docstring of an operation on each element of ``input``."""
    return written(summary, "input: (*), any shape.", returns, raises)


def of_two(
    summary: str, returns: str = f"{_COMMON}.", raises: str = "", numbers: bool = True
) -> str:
    """The docstring of an operation on the elements of ``input`` and ``other``."""
    what = "tensors, or one of them a number" if numbers else "tensors"
    return written(summary, f"input, other: {what}; their shapes broadcast.", returns, raises)
