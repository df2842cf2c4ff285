"""The function that runs a program's kernels.

Everything a program works on is found through its table of 64-bit words: the status, the arena's
address, then the addresses of the constants, of the inputs and of the outputs, and the slots that
the arguments of a call go to (they begin where word SLOTS says); from word PROFILE on what
profiling and threads count.

A kernel that runs in NumPy may raise an exception.  Then nothing runs that comes after it, and the
entry returns as a built-in function does whose exception is set.
"""

from __future__ import annotations

import platform
from collections.abc import Sequence
from typing import NamedTuple

from .clock import nanoseconds_source

STATUS, ARENA, FIRST_POINTER = 0, 1, 2
SLOTS, ONCE_POINTER, HOST_POINTER, TEAM_POINTER = 65532, 65533, 65534, 65535
PROFILE = 65536
"""Positions in the table; what lies between is memory that is never touched."""
ONCE = "flambeau_once"
"""The name of the function that :mod:`.entry` calls."""
HOST_RAISED = 2
"""The bit of the status that says that an exception of Python's is set."""

_LINE = 16
"""Words between what different threads write."""
_MOST_PARTS = 64
_PART = 2.5
"""Microseconds that a part of a kernel should take at least."""


class Call(NamedTuple):
    """A kernel's function with its arguments, and the memory that it reads and writes.

    A kernel of several ``units`` takes the first and the last of those it is to do.  One of the
    ``host`` says whether the program may go on.
    """

    name: str
    arguments: str
    units: int
    cost: float
    reads: list[tuple[str, int, int]]
    writes: list[tuple[str, int, int]]
    host: bool = False

    @property
    def parts(self) -> int:
        """Into how many parts the kernel is divided."""
        if self.units == 1:
            return 1
        return max(2, min(self.units, _MOST_PARTS, int(self.cost / _PART)))


def table_words(kernels: int) -> int:
    """The length of the table of a program of so many kernels."""
    return PROFILE + 2 * _LINE * (kernels + 1)


def _meet(a: Sequence[tuple[str, int, int]], b: Sequence[tuple[str, int, int]]) -> bool:
    return any(x[0] == y[0] and x[1] < y[2] and y[1] < x[2] for x in a for y in b)


def dependencies(calls: Sequence[Call]) -> list[list[int]]:
    """For each call the earlier ones that must be finished, but for those implied by others."""
    result: list[list[int]] = []
    finished: list[set[int]] = []
    for k, call in enumerate(calls):
        needed: list[int] = []
        implied: set[int] = set()
        for j in range(k - 1, -1, -1):
            if j in implied:
                continue
            earlier = calls[j]
            if (
                _meet(earlier.writes, call.reads)
                or _meet(earlier.writes, call.writes)
                or _meet(earlier.reads, call.writes)
            ):
                needed.append(j)
                implied |= finished[j] | {j}
        result.append(needed)
        finished.append(implied)
    return result


def _once(run: Sequence[str]) -> str:
    """The function that runs the program once, and returns the status."""
    text = "\n".join(run)
    return (
        f"define i64 @{ONCE}(ptr %table) #0 {{\nentry:\nstore i64 0, ptr %table\n{text}\n"
        "%status = load i64, ptr %table\nret i64 %status\n}\n"
    )


def cycle_counter() -> str:
    """The expression that reads a counter of steady pace."""
    if _has_time_stamps():
        return "call i64 @llvm.readcyclecounter()"
    return "call i64 @ticks()"


def counter_source() -> str:
    """The functions that :func:`cycle_counter` calls."""
    declared = "declare i64 @llvm.readcyclecounter()\n"
    if _has_time_stamps():
        return declared
    return declared + nanoseconds_source("ticks")


def _has_time_stamps() -> bool:
    """Whether programs may read the counter of cycles; on ARM it is the system's alone."""
    return platform.machine().lower() in ("x86_64", "amd64", "i386", "i686")


def _clock(number: int, moment: str) -> list[str]:
    """Code that adds the time of kernel ``number`` to its word of the table."""
    name = f"{moment}{number}"
    lines = [f"%{name} = {cycle_counter()}"]
    if moment == "after":
        word = f"%word{number}"
        lines += [
            f"{word} = getelementptr i64, ptr %table, i64 {PROFILE + number}",
            f"%sofar{number} = load i64, ptr {word}",
            f"%took{number} = sub i64 %after{number}, %before{number}",
            f"%total{number} = add i64 %sofar{number}, %took{number}",
            f"store i64 %total{number}, ptr {word}",
        ]
    return lines


def plain_calls(calls: Sequence[Call], profiled: bool = False) -> list[str]:
    """Code that makes ``calls`` one after the other."""
    lines: list[str] = []
    for number, call in enumerate(calls):
        if profiled:
            lines += _clock(number, "before")
        if call.host:
            lines += _host_call(call, f"h{number}", "failed")
        else:
            lines.append(f"call void @{call.name}({call.arguments})")
        if profiled:
            lines += _clock(number, "after")
    return lines


def _host_call(call: Call, label: str, otherwise: str) -> list[str]:
    """Code that makes a call of the host's, and goes to ``otherwise`` if that raised."""
    return [
        f"%{label} = call i1 @{call.name}({call.arguments})",
        f"br i1 %{label}, label %{label}g, label %{otherwise}",
        f"{label}g:",
    ]


def plain_program(lines: Sequence[str], hosts: bool = False) -> tuple[str, str]:
    """The program of one thread that runs ``lines``, and what runs it once."""
    text = "\n".join(lines)
    end = "ret void\nfailed:\nret void" if hosts else "ret void"
    program = f"define internal void @program(ptr %table) #0 {{\nentry:\n{text}\n{end}\n}}\n"
    return program, _once(["call void @program(ptr %table)"])


def team_program(
    calls: Sequence[Call], head: Sequence[str], tail: Sequence[str]
) -> tuple[str, str]:
    """The program of a team, and what runs it once.

    Every thread runs the same function.  The caller's (thread 0) does all undivided kernels, and
    notes how far it has got; of the divided ones each thread takes parts.  A thread that finds the
    counters of a later run leaves.  Where a call of the host's raises, the caller takes all parts
    that nobody has taken, does none of them, and waits for those that somebody is at work on.
    """
    from .team import HELPERS

    needs = dependencies(calls)
    hosts = any(call.host for call in calls)
    numbers: dict[int, int] = {}
    for k, call in enumerate(calls):
        if call.units > 1:
            numbers[k] = len(numbers) + 1
    lines = [
        "%shifted_run = shl i64 %run, 16",
        f"%team_at = getelementptr i64, ptr %table, i64 {TEAM_POINTER}",
        "%team = load ptr, ptr %team_at",
        *head,
    ]
    lines.append(f"%serial = getelementptr i64, ptr %table, i64 {PROFILE}")
    for k, number in numbers.items():
        at = PROFILE + 2 * _LINE * number
        lines.append(f"%counter{k} = getelementptr i64, ptr %table, i64 {at}")
        lines.append(f"%done{k} = getelementptr i64, ptr %table, i64 {at + _LINE}")
    lines.append("%is_caller = icmp eq i64 %thread, 0")

    def wait(label: str, word: str, target: int, number: int) -> list[str]:
        name = f"{label}w{number}"
        return [
            f"%{name}t = or i64 %shifted_run, {target}",
            f"%{name}r = call i1 @flambeau_reached(ptr %team, i64 %thread, ptr {word}, "
            f"i64 %{name}t)",
            f"br i1 %{name}r, label %{name}, label %leave",
            f"{name}:",
        ]

    for k, call in enumerate(calls):
        label = f"k{k}"
        divided = [j for j in needs[k] if j in numbers]
        serial = [j for j in needs[k] if j not in numbers]
        if k not in numbers:
            lines += [f"br i1 %is_caller, label %{label}c, label %{label}e", f"{label}c:"]
            for i, j in enumerate(divided):
                lines += wait(label, f"%done{j}", calls[j].parts, i)
            if call.host:
                lines += _host_call(call, f"{label}h", "failed")
            else:
                lines.append(f"call void @{call.name}({call.arguments})")
            lines += [
                f"%{label}n = or i64 %shifted_run, {k + 1}",
                f"store atomic i64 %{label}n, ptr %serial release, align 8",
                f"br label %{label}e",
                f"{label}e:",
            ]
            continue
        for i, j in enumerate(divided):
            lines += wait(label, f"%done{j}", calls[j].parts, i)
        if serial:
            lines += wait(label, "%serial", max(serial) + 1, len(divided))
        lines += [
            f"br label %{label}l",
            f"{label}l:",
            f"%{label}p = call i64 @flambeau_take(ptr %counter{k}, i64 %run, i64 %thread)",
            f"%{label}s = icmp sge i64 %{label}p, 0",
            f"br i1 %{label}s, label %{label}b, label %{label}e",
            f"{label}b:",
            f"%{label}f0 = mul i64 %{label}p, {call.units}",
            f"%{label}f = udiv i64 %{label}f0, {call.parts}",
            f"%{label}g0 = add i64 %{label}f0, {call.units}",
            f"%{label}g = udiv i64 %{label}g0, {call.parts}",
            f"call void @{call.name}({call.arguments}, i64 %{label}f, i64 %{label}g)",
            f"%{label}a = atomicrmw add ptr %done{k}, i64 1 seq_cst",
            f"br label %{label}l",
            f"{label}e:",
        ]
    lines += ["br i1 %is_caller, label %finish, label %leave", "finish:"]
    for i, k in enumerate(numbers):
        lines += wait("finish", f"%done{k}", calls[k].parts, i)
    lines += [*tail, "br label %leave"]
    if hosts:
        lines.append("failed:")
        for k in numbers:
            lines += [
                f"%taken{k} = atomicrmw xchg ptr %counter{k}, i64 %shifted_run seq_cst",
                f"%shifted{k} = lshr i64 %taken{k}, 8",
                f"%front{k} = and i64 %shifted{k}, 255",
                f"%back{k} = and i64 %taken{k}, 255",
                f"%left{k} = sub i64 %back{k}, %front{k}",
                f"%added{k} = atomicrmw add ptr %done{k}, i64 %left{k} seq_cst",
            ]
        lines += [
            "%all_serial = or i64 %shifted_run, 65535",
            "store atomic i64 %all_serial, ptr %serial release, align 8",
        ]
        for i, k in enumerate(numbers):
            lines += wait("failed", f"%done{k}", calls[k].parts, i)
        lines.append("br label %leave")
    lines.append("leave:")
    text = "\n".join(lines)
    program = (
        "define internal void @program(ptr %table, i64 %thread, i64 %run) #0 {\n"
        f"entry:\n{text}\nret void\n}}\n"
    )
    run = [
        f"%team_at = getelementptr i64, ptr %table, i64 {TEAM_POINTER}",
        "%team = load ptr, ptr %team_at",
        "%run_number = call i64 @flambeau_next_run(ptr %team)",
        "%shifted_run = shl i64 %run_number, 16",
        f"%serial = getelementptr i64, ptr %table, i64 {PROFILE}",
        "store i64 %shifted_run, ptr %serial",
    ]
    for k, number in numbers.items():
        at = PROFILE + 2 * _LINE * number
        run += [
            f"%counter{k} = getelementptr i64, ptr %table, i64 {at}",
            f"%done{k} = getelementptr i64, ptr %table, i64 {at + _LINE}",
            f"%start{k} = or i64 %shifted_run, {calls[k].parts}",
            f"store i64 %start{k}, ptr %counter{k}",
            f"store i64 %shifted_run, ptr %done{k}",
        ]
    run += [
        "%shared = call i1 @flambeau_publish(ptr %team, ptr @program, ptr %table, i64 %run_number)",
        "call void @program(ptr %table, i64 0, i64 %run_number)",
        "call void @flambeau_judge(ptr %team, i1 %shared)",
    ]
    return HELPERS + program, _once(run)


__all__ = [
    "ARENA",
    "FIRST_POINTER",
    "HOST_POINTER",
    "HOST_RAISED",
    "ONCE",
    "ONCE_POINTER",
    "PROFILE",
    "SLOTS",
    "TEAM_POINTER",
    "Call",
    "counter_source",
    "cycle_counter",
    "dependencies",
    "plain_calls",
    "plain_program",
    "table_words",
    "team_program",
]
