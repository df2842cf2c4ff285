"""A clock for machine code."""

from __future__ import annotations

import sys


def nanoseconds_source(name: str) -> str:
    """LLVM code of a function ``name``: the nanoseconds of a clock that is never set, an i64."""
    monotonic = 6 if sys.platform == "darwin" else 1
    return f"""
declare i32 @clock_gettime(i32, ptr)
define internal i64 @{name}() {{
  %time = alloca [2 x i64]
  %failed = call i32 @clock_gettime(i32 {monotonic}, ptr %time)
  %seconds = load i64, ptr %time
  %after = getelementptr i64, ptr %time, i64 1
  %rest = load i64, ptr %after
  %large = mul i64 %seconds, 1000000000
  %all = add i64 %large, %rest
  ret i64 %all
}}
"""


__all__ = ["nanoseconds_source"]
