"""The team: threads that run compiled programs together with the thread that calls them.

A call publishes its program; the workers, who spin for a short while after the last one and then
sleep, join in.  Parts of kernels are taken from counters in the program's own table, so nobody
waits for a thread that has not come: the caller alone finishes any program.  What is waited for is
only parts that somebody is at work on.

Each run has a number, which is a part of every counter.  A worker that comes late finds other
numbers there and leaves.  Memory and code of a program that is no longer used are released only
when no worker can be in it (:func:`retire`).
"""

from __future__ import annotations

import atexit
import ctypes
import os
import platform
import sys
import threading
from functools import cache
from typing import Any

import numpy as np

from . import runtime
from .clock import nanoseconds_source
from .fixed_code import fixed_code

GENERATION, FUNCTION, TABLE, SLEEPERS, ACTIVE, STOP = 0, 8, 16, 24, 32, 40
WAITED, ALONE, STARTED, LAST_ALONE, CALM, BUSY = 48, 49, 50, 51, 52, 56
"""Words of the team's memory, on cache lines of their own; BUSY has one line per worker.

On a busy machine a worker may lose its processor in the middle of a part, and the caller waits.
After a run of which most was such waiting (WAITED, of what has passed since STARTED, in
nanoseconds), and which would have been over sooner without workers, runs go without them (ALONE)
for as long as the waiting was; if that happens again after few other runs (CALM), four times as
many as the last time (LAST_ALONE).
"""
_LINE = 8
_MOST_WORKERS = 63
_SPINS = 4000
"""Times that a worker looks for work before it sleeps: some tens of microseconds."""

_LONGEST_WAIT = 10
"""Times that the caller gives its processor away, waiting for a part, before its waiting counts."""
_SOON = 4
"""Disturbed again within this many times as long as the waiting takes: something goes on."""
_MOST_ALONE = 1023
_LONGEST_ALONE = 250_000_000
"""Nanoseconds of runs without workers, unless a single run takes longer."""

_FUTEX = {"x86_64": 202, "aarch64": 98, "arm64": 98}
"""The number of the system call ``futex`` on Linux."""


def _pause() -> tuple[str, str]:
    """An instruction for waiting loops: its call and its declaration."""
    if platform.machine() in ("aarch64", "arm64"):
        return "call void @llvm.aarch64.hint(i32 1)", "declare void @llvm.aarch64.hint(i32)"
    return "call void @llvm.x86.sse2.pause()", "declare void @llvm.x86.sse2.pause()"


def supported() -> bool:
    """Whether this system has what the team sleeps by."""
    return sys.platform.startswith("linux") and platform.machine() in _FUTEX


def _worker_source() -> str:
    """The code of a worker: ``flambeau_worker(team, index)``; it returns when the team stops."""
    number = _FUTEX[platform.machine()]
    pause, declaration = _pause()
    return f"""
declare i64 @syscall(i64, ...)
{declaration}
define void @flambeau_worker(ptr %team, i64 %index) #0 {{
entry:
  %function_at = getelementptr i64, ptr %team, i64 {FUNCTION}
  %table_at = getelementptr i64, ptr %team, i64 {TABLE}
  %sleepers_at = getelementptr i64, ptr %team, i64 {SLEEPERS}
  %active_at = getelementptr i64, ptr %team, i64 {ACTIVE}
  %stop_at = getelementptr i64, ptr %team, i64 {STOP}
  %line = mul i64 %index, {_LINE}
  %busy_word = add i64 %line, {BUSY}
  %busy_at = getelementptr i64, ptr %team, i64 %busy_word
  %started = load atomic i64, ptr %team seq_cst, align 8
  br label %look
look:
  %seen = phi i64 [ %started, %entry ], [ %seen, %next ], [ %seen, %sleep_end ],
          [ %now, %ran ], [ %now, %skip ]
  %spins = phi i64 [ 0, %entry ], [ %spins_next, %next ], [ 0, %sleep_end ], [ 0, %ran ],
           [ %spins, %skip ]
  %now = load atomic i64, ptr %team seq_cst, align 8
  %unchanged = icmp eq i64 %now, %seen
  %bit = and i64 %now, 1
  %being_written = icmp ne i64 %bit, 0
  %same = or i1 %unchanged, %being_written
  br i1 %same, label %idle, label %begin
idle:
  {pause}
  %spins_next = add i64 %spins, 1
  %tired = icmp sgt i64 %spins, {_SPINS}
  br i1 %tired, label %sleep, label %next
next:
  br label %look
sleep:
  %stop = load atomic i64, ptr %stop_at seq_cst, align 8
  %stopping = icmp ne i64 %stop, 0
  br i1 %stopping, label %leave, label %park
park:
  %more = atomicrmw add ptr %sleepers_at, i64 1 seq_cst
  %seen32 = trunc i64 %seen to i32
  %slept = call i64 (i64, ...) @syscall(i64 {number}, ptr %team, i64 128, i32 %seen32, ptr null,
           ptr null, i64 0)
  %fewer = atomicrmw sub ptr %sleepers_at, i64 1 seq_cst
  br label %sleep_end
sleep_end:
  br label %look
begin:
  %stop2 = load atomic i64, ptr %stop_at seq_cst, align 8
  %stopping2 = icmp ne i64 %stop2, 0
  br i1 %stopping2, label %leave, label %check
check:
  %active = load atomic i64, ptr %active_at seq_cst, align 8
  %wanted = icmp slt i64 %index, %active
  br i1 %wanted, label %enter, label %skip
enter:
  store atomic i64 1, ptr %busy_at seq_cst, align 8
  %function = load atomic ptr, ptr %function_at seq_cst, align 8
  %table = load atomic ptr, ptr %table_at seq_cst, align 8
  %again = load atomic i64, ptr %team seq_cst, align 8
  %valid = icmp eq i64 %again, %now
  %some = icmp ne ptr %function, null
  %good = and i1 %valid, %some
  br i1 %good, label %work, label %done
work:
  %thread = add i64 %index, 1
  call void %function(ptr %table, i64 %thread, i64 %now)
  br label %done
done:
  store atomic i64 0, ptr %busy_at seq_cst, align 8
  br label %ran
ran:
  br label %look
skip:
  br label %look
leave:
  ret void
}}
define void @flambeau_wake(ptr %team) #0 {{
  %woken = call i64 (i64, ...) @syscall(i64 {number}, ptr %team, i64 129, i32 64, ptr null,
           ptr null, i64 0)
  ret void
}}
attributes #0 = {{ nounwind }}
"""


HELPERS = """
declare i64 @flambeau_take(ptr, i64, i64)
declare i1 @flambeau_reached(ptr, i64, ptr, i64)
declare i64 @flambeau_next_run(ptr)
declare i1 @flambeau_publish(ptr, ptr, ptr, i64)
declare void @flambeau_judge(ptr, i1)
"""
"""The declarations of what threaded programs call."""


def _helper_source() -> str:
    """The code of these functions.

    A counter is ``run << 16 | front << 8 | back``: parts from front to back are still to be taken,
    from the front by the caller's thread and from the back by the others.
    """
    number = _FUTEX[platform.machine()]
    pause, _ = _pause()
    return f"""
declare i32 @sched_yield()
declare i64 @llvm.smax.i64(i64, i64)
declare i64 @llvm.smin.i64(i64, i64)
{nanoseconds_source("nanoseconds")}
define i64 @flambeau_take(ptr %counter, i64 %run, i64 %thread) #0 {{
entry:
  %front_end = icmp eq i64 %thread, 0
  br label %try
try:
  %word = load atomic i64, ptr %counter seq_cst, align 8
  %its_run = lshr i64 %word, 16
  %right = icmp eq i64 %its_run, %run
  br i1 %right, label %look, label %none
look:
  %shifted = lshr i64 %word, 8
  %front = and i64 %shifted, 255
  %back = and i64 %word, 255
  %left = icmp ult i64 %front, %back
  br i1 %left, label %grab, label %none
grab:
  %from_front = add i64 %word, 256
  %from_back = sub i64 %word, 1
  %new = select i1 %front_end, i64 %from_front, i64 %from_back
  %pair = cmpxchg ptr %counter, i64 %word, i64 %new seq_cst seq_cst
  %taken = extractvalue {{ i64, i1 }} %pair, 1
  %last = sub i64 %back, 1
  %part = select i1 %front_end, i64 %front, i64 %last
  br i1 %taken, label %have, label %try
have:
  ret i64 %part
none:
  ret i64 -1
}}
define i1 @flambeau_reached(ptr %team, i64 %thread, ptr %word, i64 %target) #0 {{
entry:
  %run = lshr i64 %target, 16
  %is_caller = icmp eq i64 %thread, 0
  br label %look
look:
  %spins = phi i64 [ 0, %entry ], [ %more, %wait ], [ 0, %yielding ]
  %yields = phi i64 [ 0, %entry ], [ %yields, %wait ], [ %yields_next, %yielding ]
  %since = phi i64 [ 0, %entry ], [ %since, %wait ], [ %began, %yielding ]
  %now = load atomic i64, ptr %word seq_cst, align 8
  %its_run = lshr i64 %now, 16
  %same = icmp eq i64 %its_run, %run
  br i1 %same, label %current, label %other
current:
  %there = icmp uge i64 %now, %target
  br i1 %there, label %end, label %pause
other:
  %newer = icmp ugt i64 %its_run, %run
  br i1 %newer, label %end, label %pause
pause:
  {pause}
  %more = add i64 %spins, 1
  %long = icmp sgt i64 %more, 2000
  br i1 %long, label %yield, label %wait
wait:
  br label %look
yield:
  %is_first = icmp eq i64 %yields, 0
  %timed = and i1 %is_first, %is_caller
  br i1 %timed, label %clock, label %yielding
clock:
  %time = call i64 @nanoseconds()
  br label %yielding
yielding:
  %began = phi i64 [ %since, %yield ], [ %time, %clock ]
  %yielded = call i32 @sched_yield()
  %yields_next = add i64 %yields, 1
  br label %look
end:
  %answer = phi i1 [ true, %current ], [ false, %other ]
  %is_long = icmp sge i64 %yields, {_LONGEST_WAIT}
  %noted = and i1 %is_long, %is_caller
  br i1 %noted, label %note, label %leave
note:
  %waited_at = getelementptr i64, ptr %team, i64 {WAITED}
  %before = load i64, ptr %waited_at
  %until = call i64 @nanoseconds()
  %wait_time = sub i64 %until, %since
  %waited = add i64 %before, %wait_time
  store i64 %waited, ptr %waited_at
  br label %leave
leave:
  ret i1 %answer
}}
define i64 @flambeau_next_run(ptr %team) #0 {{
  %old = load atomic i64, ptr %team seq_cst, align 8
  %run = add i64 %old, 2
  ret i64 %run
}}
define i1 @flambeau_publish(ptr %team, ptr %function, ptr %table, i64 %run) #0 {{
entry:
  %function_at = getelementptr i64, ptr %team, i64 {FUNCTION}
  %table_at = getelementptr i64, ptr %team, i64 {TABLE}
  %sleepers_at = getelementptr i64, ptr %team, i64 {SLEEPERS}
  %active_at = getelementptr i64, ptr %team, i64 {ACTIVE}
  %alone_at = getelementptr i64, ptr %team, i64 {ALONE}
  %odd = sub i64 %run, 1
  store atomic i64 %odd, ptr %team seq_cst, align 8
  %alone = load i64, ptr %alone_at
  %is_alone = icmp sgt i64 %alone, 0
  br i1 %is_alone, label %keep, label %share
keep:
  %fewer = sub i64 %alone, 1
  store i64 %fewer, ptr %alone_at
  store atomic ptr null, ptr %function_at seq_cst, align 8
  store atomic i64 %run, ptr %team seq_cst, align 8
  ret i1 false
share:
  %started_at = getelementptr i64, ptr %team, i64 {STARTED}
  %started = call i64 @nanoseconds()
  store i64 %started, ptr %started_at
  store atomic ptr %function, ptr %function_at seq_cst, align 8
  store atomic ptr %table, ptr %table_at seq_cst, align 8
  store atomic i64 %run, ptr %team seq_cst, align 8
  %active = load atomic i64, ptr %active_at seq_cst, align 8
  %sleepers = load atomic i64, ptr %sleepers_at seq_cst, align 8
  %wanted = icmp sgt i64 %active, 0
  %asleep = icmp ne i64 %sleepers, 0
  %some = and i1 %wanted, %asleep
  br i1 %some, label %wake, label %go
wake:
  %woken = call i64 (i64, ...) @syscall(i64 {number}, ptr %team, i64 129, i32 64, ptr null,
           ptr null, i64 0)
  br label %go
go:
  ret i1 true
}}
define void @flambeau_judge(ptr %team, i1 %shared) #0 {{
entry:
  br i1 %shared, label %look, label %leave
look:
  %waited_at = getelementptr i64, ptr %team, i64 {WAITED}
  %calm_at = getelementptr i64, ptr %team, i64 {CALM}
  %waited = load i64, ptr %waited_at
  %calm = load i64, ptr %calm_at
  %is_long = icmp ne i64 %waited, 0
  br i1 %is_long, label %compare, label %undisturbed
compare:
  store i64 0, ptr %waited_at
  %started_at = getelementptr i64, ptr %team, i64 {STARTED}
  %started = load i64, ptr %started_at
  %now = call i64 @nanoseconds()
  %total = sub i64 %now, %started
  %work = sub i64 %total, %waited
  %much = icmp sgt i64 %waited, %work
  br i1 %much, label %disturbed, label %undisturbed
undisturbed:
  %calmer = add i64 %calm, 1
  store i64 %calmer, ptr %calm_at
  br label %leave
disturbed:
  %alone_at = getelementptr i64, ptr %team, i64 {ALONE}
  %last_at = getelementptr i64, ptr %team, i64 {LAST_ALONE}
  %last = load i64, ptr %last_at
  %some = call i64 @llvm.smax.i64(i64 %work, i64 1)
  %as_long = udiv i64 %waited, %some
  %soon = mul i64 %as_long, {_SOON}
  %again = icmp slt i64 %calm, %soon
  %fourfold = shl i64 %last, 2
  %more = call i64 @llvm.smax.i64(i64 %as_long, i64 %fourfold)
  %wanted = select i1 %again, i64 %more, i64 %as_long
  %fit = udiv i64 {_LONGEST_ALONE}, %some
  %few = call i64 @llvm.smin.i64(i64 %fit, i64 {_MOST_ALONE})
  %most = call i64 @llvm.smax.i64(i64 %few, i64 1)
  %alone = call i64 @llvm.smin.i64(i64 %wanted, i64 %most)
  store i64 %alone, ptr %alone_at
  store i64 %alone, ptr %last_at
  store i64 0, ptr %calm_at
  br label %leave
leave:
  ret void
}}
"""


def source() -> str:
    """The LLVM code of the workers, and of what programs call."""
    return _worker_source() + _helper_source()


def code() -> runtime.LoadedCode:
    """The same as machine code."""
    return fixed_code(source())


@cache
def helpers() -> dict[str, int]:
    """The functions that threaded programs call, and their addresses."""
    names = [line.split("@")[1].split("(")[0] for line in HELPERS.split("\n") if line]
    return {name: code().address(name) for name in names}


class Team:
    """The workers of this process."""

    def __init__(self) -> None:
        raw = np.zeros(BUSY + _LINE * (_MOST_WORKERS + 1) + 8, np.int64)
        start = (-raw.ctypes.data % 64) // 8
        self.memory = raw[start:]
        self.address = self.memory.ctypes.data
        self.workers: list[threading.Thread] = []
        self.code: runtime.LoadedCode | None = None
        self.graveyard: list[Any] = []
        self.limit: int | None = None

    def grow(self, count: int) -> None:
        """Have ``count`` workers take part in programs from now on."""
        if self.memory[STOP]:
            return
        count = max(0, min(count, _MOST_WORKERS, _cores() - 1))
        if count and self.code is None:
            self.code = code()
        while len(self.workers) < count:
            assert self.code is not None
            function = ctypes.CFUNCTYPE(None, ctypes.c_void_p, ctypes.c_int64)(
                self.code.address("flambeau_worker")
            )
            thread = threading.Thread(
                target=function,
                args=(self.address, len(self.workers)),
                name="flambeau-worker",
                daemon=True,
            )
            thread.start()
            self.workers.append(thread)
        self.memory[ACTIVE] = count

    def retire(self, *things: Any) -> None:
        """Let go of ``things`` once no worker can be using them."""
        self.graveyard.extend(things)
        self.memory[FUNCTION] = 0
        busy = self.memory[BUSY : BUSY + _LINE * max(1, len(self.workers)) : _LINE]
        if not busy[: len(self.workers)].any():
            self.graveyard.clear()

    def stop(self) -> None:
        """At the end of the process: let the workers return before their code goes."""
        self.memory[STOP] = 1
        self.memory[ACTIVE] = 0
        self.memory[GENERATION] += 2
        if self.code is not None and self.workers:
            ctypes.CFUNCTYPE(None, ctypes.c_void_p)(self.code.address("flambeau_wake"))(
                self.address
            )
        for worker in self.workers:
            worker.join(1.0)
        self.workers = []

    def forget(self) -> None:
        """After a fork: the workers are the parent's."""
        self.workers = []
        self.memory[:] = 0


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


_team: Team | None = None
_lock = threading.Lock()


def team() -> Team:
    """The team, with as many threads as :func:`flambeau.get_num_threads` allows."""
    global _team
    with _lock:
        if _team is None:
            _team = Team()
            atexit.register(_team.stop)
            if hasattr(os, "register_at_fork"):
                os.register_at_fork(after_in_child=_team.forget)
        if _team.limit is None:
            from ..threads import get_num_threads

            _team.grow(get_num_threads() - 1)
        elif len(_team.workers) < _team.limit - 1:
            _team.grow(_team.limit - 1)
        return _team


def retire(*things: Any) -> None:
    """Let go of what a program used, once no worker can be in it."""
    if _team is not None:
        _team.retire(*things)


def set_count(threads: int) -> None:
    """Let compiled programs use at most ``threads`` threads, the caller's among them."""
    if not supported():
        return
    current = team()
    current.limit = threads
    current.grow(threads - 1)


__all__ = [
    "HELPERS",
    "Team",
    "code",
    "helpers",
    "retire",
    "set_count",
    "source",
    "supported",
    "team",
]
