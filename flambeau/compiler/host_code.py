"""The code of a host kernel: a call of Python with addresses."""

from __future__ import annotations

from collections.abc import Sequence

from .program import HOST_POINTER, HOST_RAISED

DECLARATIONS = (
    "declare ptr @PyObject_CallFunction(ptr, ptr, ...)",
    "declare void @Py_DecRef(ptr)",
)


def host_text(number: int, arrays: int, order: Sequence[int]) -> str:
    """The function of a kernel that calls ``number``.

    It takes the table and the addresses of so many ``arrays``, of which it passes on those at the
    positions ``order``.  Its result is whether the call raised nothing.
    """
    parameters = ", ".join(["ptr %table", *(f"ptr %a{i}" for i in range(arrays))])
    lines = [
        f"%at = getelementptr i64, ptr %table, i64 {HOST_POINTER}",
        "%callable = load ptr, ptr %at",
        f"%format = alloca [{len(order) + 2} x i8]",
    ]
    for i in range(len(order) + 1):
        lines.append(f"%f{i} = getelementptr i8, ptr %format, i64 {i}")
        lines.append(f"store i8 {ord('n')}, ptr %f{i}")
    lines.append(f"%end = getelementptr i8, ptr %format, i64 {len(order) + 1}")
    lines.append("store i8 0, ptr %end")
    passed = [f"i64 {number}"]
    for i, position in enumerate(order):
        lines.append(f"%n{i} = ptrtoint ptr %a{position} to i64")
        passed.append(f"i64 %n{i}")
    lines += [
        "%result = call ptr (ptr, ptr, ...) @PyObject_CallFunction(ptr %callable, ptr %format, "
        f"{', '.join(passed)})",
        "%raised = icmp eq ptr %result, null",
        "br i1 %raised, label %bad, label %good",
        "bad:",
        "%before = load i64, ptr %table",
        f"%after = or i64 %before, {HOST_RAISED}",
        "store i64 %after, ptr %table",
        "ret i1 false",
        "good:",
        "call void @Py_DecRef(ptr %result)",
        "ret i1 true",
    ]
    text = "\n".join(lines)
    return f"define hidden i1 @KERNEL({parameters}) #0 {{\nentry:\n{text}\n}}\n"


__all__ = ["DECLARATIONS", "host_text"]
