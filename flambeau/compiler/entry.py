"""How Python calls a program: machine code that is the same for all of them.

``flambeau_entry`` is a built-in function's code: its arguments' memory goes into the program's
table (:mod:`.program`), and the program runs once.  ``flambeau_steps`` does so many times with rows
of addresses, of array objects first and of memory behind them, and returns how many steps went
well.
"""

from __future__ import annotations

from .fixed_code import fixed_code
from .program import HOST_RAISED, ONCE_POINTER, SLOTS

SOURCE = f"""
declare ptr @PyLong_FromLong(i64)
define ptr @flambeau_entry(ptr %self, ptr %arguments, i64 %count) #0 {{
entry:
  %data = getelementptr i8, ptr %self, i64 16
  %table = load ptr, ptr %data
  %slots_at = getelementptr i64, ptr %table, i64 {SLOTS}
  %slots = load i64, ptr %slots_at
  %map0 = getelementptr i64, ptr %table, i64 %slots
  %once_at = getelementptr i64, ptr %table, i64 {ONCE_POINTER}
  %once = load ptr, ptr %once_at
  %some = icmp sgt i64 %count, 0
  br i1 %some, label %bind, label %run
bind:
  %i = phi i64 [ 0, %entry ], [ %next, %bind ]
  %object_at = getelementptr ptr, ptr %arguments, i64 %i
  %object = load ptr, ptr %object_at
  %pointer_at = getelementptr i8, ptr %object, i64 16
  %pointer = load ptr, ptr %pointer_at
  %slot_at = getelementptr i64, ptr %map0, i64 %i
  %slot = load i64, ptr %slot_at
  %target = getelementptr i64, ptr %table, i64 %slot
  store ptr %pointer, ptr %target
  %next = add nsw i64 %i, 1
  %more = icmp slt i64 %next, %count
  br i1 %more, label %bind, label %run
run:
  %status = call i64 %once(ptr %table)
  %raised = icmp sge i64 %status, {HOST_RAISED}
  br i1 %raised, label %raise, label %return
return:
  %result = call ptr @PyLong_FromLong(i64 %status)
  ret ptr %result
raise:
  ret ptr null
}}
define i64 @flambeau_steps(ptr %table, i64 %steps, ptr %pointers, i64 %count, i64 %objects) #0 {{
entry:
  %slots_at = getelementptr i64, ptr %table, i64 {SLOTS}
  %slots = load i64, ptr %slots_at
  %map0 = getelementptr i64, ptr %table, i64 %slots
  %once_at = getelementptr i64, ptr %table, i64 {ONCE_POINTER}
  %once = load ptr, ptr %once_at
  br label %begin
begin:
  %step = phi i64 [ 0, %entry ], [ %step_next, %run ]
  %row = mul i64 %step, %count
  %left = icmp slt i64 %step, %steps
  br i1 %left, label %bind, label %leave
bind:
  %i = phi i64 [ 0, %begin ], [ %next, %take ]
  %more = icmp slt i64 %i, %count
  br i1 %more, label %take, label %run
take:
  %place = add i64 %row, %i
  %given_at = getelementptr ptr, ptr %pointers, i64 %place
  %given = load ptr, ptr %given_at
  %memory_at = getelementptr i8, ptr %given, i64 16
  %is_object = icmp slt i64 %i, %objects
  %pointer_at = select i1 %is_object, ptr %memory_at, ptr %given_at
  %pointer = load ptr, ptr %pointer_at
  %slot_at = getelementptr i64, ptr %map0, i64 %i
  %slot = load i64, ptr %slot_at
  %target = getelementptr i64, ptr %table, i64 %slot
  store ptr %pointer, ptr %target
  %next = add nsw i64 %i, 1
  br label %bind
run:
  %status = call i64 %once(ptr %table)
  %step_next = add nsw i64 %step, 1
  %good = icmp eq i64 %status, 0
  br i1 %good, label %begin, label %leave
leave:
  ret i64 %step
}}
attributes #0 = {{ nounwind }}
"""


def entry_address() -> int:
    """The address of ``flambeau_entry``."""
    return fixed_code(SOURCE).address("flambeau_entry")


def steps_address() -> int:
    """The address of ``flambeau_steps``."""
    return fixed_code(SOURCE).address("flambeau_steps")


__all__ = ["SOURCE", "entry_address", "steps_address"]
