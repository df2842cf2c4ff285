"""``torch.profiler``: where the time of a program goes.

While a profile is on, the calls of flambeau's operations and of modules' ``forward`` are timed by
Python's own profiling hook (``sys.setprofile``), together with the user's ``record_function``
ranges. The times include the hook's: a microsecond or so per Python call.

Source: https://docs.pytorch.org/docs/stable/profiler.html
"""

from __future__ import annotations

import functools
import gzip
import json
import os
import socket
import sys
import threading
import time
import warnings
from collections.abc import Callable, Iterable
from enum import Enum
from types import FrameType
from typing import Any

__all__ = [
    "ProfilerAction",
    "ProfilerActivity",
    "profile",
    "record_function",
    "schedule",
    "supported_activities",
    "tensorboard_trace_handler",
]


class ProfilerActivity(Enum):
    """What can be timed: the CPU; the others are taken and have nothing to show."""

    CPU = 0
    XPU = 1
    MTIA = 2
    CUDA = 3
    HPU = 4
    PrivateUse1 = 5


class ProfilerAction(Enum):
    """What the profiler does with a step."""

    NONE = 0
    WARMUP = 1
    RECORD = 2
    RECORD_AND_SAVE = 3


def supported_activities() -> set[ProfilerActivity]:
    """What this machine can time: the CPU."""
    return {ProfilerActivity.CPU}


def schedule(
    *,
    wait: int,
    warmup: int,
    active: int,
    repeat: int = 0,
    skip_first: int = 0,
    skip_first_wait: int = 0,
    acc_events: bool = False,
) -> Callable[[int], ProfilerAction]:
    """Which steps to record: after ``skip_first`` some, ``wait + warmup`` not, ``active`` so.

    Args:
        wait: steps not recorded, at the beginning of each cycle.
        warmup: steps not recorded after those.
        active: steps recorded after those; the last ends the cycle.
        repeat: the number of cycles; 0: without end.
        skip_first: steps before the first cycle.
        skip_first_wait: not 0: the first cycle has no ``wait``.
        acc_events: changes nothing here: the events of all steps are kept.

    Returns:
        a function from a step's number to what is done with it.
    """

    def action(step: int) -> ProfilerAction:
        step -= skip_first
        if step < 0:
            return ProfilerAction.NONE
        if skip_first_wait:
            step += wait
        cycle, within = divmod(step, wait + warmup + active)
        if repeat and cycle >= repeat:
            return ProfilerAction.NONE
        if within < wait:
            return ProfilerAction.NONE
        if within < wait + warmup:
            return ProfilerAction.WARMUP
        last = within == wait + warmup + active - 1
        return ProfilerAction.RECORD_AND_SAVE if last else ProfilerAction.RECORD

    return action


class _Call:
    """One timed call: its name, its beginning and end in seconds, its time in other calls."""

    __slots__ = ("begin", "children", "end", "frame", "name", "thread")

    def __init__(self, name: str, frame: FrameType | None) -> None:
        self.name = name
        self.frame = frame
        self.children = 0.0
        self.thread = threading.get_ident()
        self.end = 0.0
        self.begin = time.perf_counter()


class FunctionEventAvg:
    """All calls of one name, their times added up (in microseconds)."""

    def __init__(self, key: str) -> None:
        self.key = key
        self.count = 0
        self.cpu_time_total = 0.0
        self.self_cpu_time_total = 0.0
        self.device_time_total = self.self_device_time_total = 0.0
        self.cuda_time_total = self.self_cuda_time_total = 0.0

    @property
    def cpu_time(self) -> float:
        """The time of one call."""
        return self.cpu_time_total / self.count

    def __repr__(self) -> str:
        return (
            f"<FunctionEventAvg key={self.key} self_cpu_time={_time(self.self_cpu_time_total)} "
            f"cpu_time={_time(self.cpu_time)} count={self.count}>"
        )


def _time(microseconds: float) -> str:
    for unit, size in (("s", 1e6), ("ms", 1e3)):
        if microseconds >= size:
            return f"{microseconds / size:.3f}{unit}"
    return f"{microseconds:.3f}us"


class EventList(list[Any]):
    """The averages of a profile's calls, which can be printed as a table."""

    @property
    def self_cpu_time_total(self) -> float:
        """The time of all calls, without counting any twice, in microseconds."""
        return sum(event.self_cpu_time_total for event in self)

    def table(
        self,
        sort_by: str | None = None,
        row_limit: int = 100,
        max_src_column_width: int = 75,
        max_name_column_width: int = 55,
        max_shapes_column_width: int = 80,
        header: str | None = None,
        top_level_events_only: bool = False,
        **options: Any,
    ) -> str:
        """A table with a row for each name, the largest ``sort_by`` first."""
        events = list(self)
        if sort_by is not None:
            events.sort(key=lambda event: -getattr(event, sort_by))
        total = self.self_cpu_time_total or 1.0
        titles = ("Name", "Self CPU %", "Self CPU", "CPU total %", "CPU total", "CPU time avg",
                  "# of Calls")  # fmt: skip
        rows = [
            (
                event.key[:max_name_column_width],
                f"{100 * event.self_cpu_time_total / total:.2f}%",
                _time(event.self_cpu_time_total),
                f"{100 * event.cpu_time_total / total:.2f}%",
                _time(event.cpu_time_total),
                _time(event.cpu_time),
                str(event.count),
            )
            for event in events[: row_limit if row_limit >= 0 else None]
        ]
        widths = [max(len(row[i]) for row in (titles, *rows)) for i in range(len(titles))]
        rule = "  ".join("-" * width for width in widths)
        lines = [rule, "  ".join(t.rjust(w) for t, w in zip(titles, widths)), rule]
        lines += ["  ".join(cell.rjust(w) for cell, w in zip(row, widths)) for row in rows]
        lines += [rule, f"Self CPU time total: {_time(self.self_cpu_time_total)}", ""]
        return "\n".join(([header] if header else []) + lines)


_active: profile | None = None


class record_function:
    """A named range in a profile: a context, or a decorator.

    Args:
        name: what the range is called in tables and traces.
        args: what PyTorch would note beside it; not shown here.
    """

    def __init__(self, name: str, args: str | None = None) -> None:
        self.name = name

    def __enter__(self) -> record_function:
        self._profile = _active
        if self._profile is not None:
            self._profile._begin(self.name, None)
        return self

    def __exit__(self, *exception: object) -> None:
        if self._profile is not None:
            self._profile._end_named(self.name)

    def __call__(self, function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def recorded(*arguments: Any, **keywords: Any) -> Any:
            with record_function(self.name):
                return function(*arguments, **keywords)

        return recorded


_GENERATED = "<flambeau operation "
"""How the file names of the code begin that an operation's definition becomes."""


@functools.cache
def _composite_names() -> dict[Any, str]:
    """The code objects of functions that are made of operations, and their names."""
    import flambeau
    from flambeau.ops import PUBLIC

    names: dict[Any, str] = {}
    shared = set()
    for function in (*PUBLIC.values(), *vars(flambeau.nn.functional).values()):
        code = getattr(function, "__code__", None)
        if code is None or code.co_name.startswith("_") or code.co_filename.startswith(_GENERATED):
            continue
        name = "aten::" + function.__name__
        if names.setdefault(code, name) != name:
            shared.add(code)  # one function that others are made with: it has no name of its own
    names[flambeau.Tensor.backward.__code__] = "aten::backward"
    return {code: name for code, name in names.items() if code not in shared}


def _name_of(frame: FrameType, composites: dict[Any, str]) -> str | None:
    """The name of the operation whose call, or gradient, a frame is."""
    code = frame.f_code
    if not code.co_filename.startswith(_GENERATED):
        return composites.get(code)
    if code.co_name.startswith("call_"):
        return "aten::" + code.co_filename[len(_GENERATED) : -1]
    if code.co_name in ("backward", "backward_recorded"):
        node = frame.f_locals.get("self")
        return None if node is None else str(node.name())
    return None


class profile:
    """Time what runs in its context.

    Args:
        activities: what to time; the CPU is what there is.
        schedule: which steps to record, a function such as ``schedule`` makes; ``step()`` ends
            one. Without it all is recorded.
        on_trace_ready: called with the profile when a cycle of the schedule, or the context, ends.
        record_shapes, profile_memory, with_stack, with_flops, with_modules: only times are
            recorded; a warning says so if one of these is asked for.

    Raises:
        RuntimeError: on entry while another profile is on.

    Source: https://docs.pytorch.org/docs/stable/profiler.html#torch.profiler.profile
    """

    def __init__(
        self,
        *,
        activities: Iterable[ProfilerActivity] | None = None,
        schedule: Callable[[int], ProfilerAction] | None = None,
        on_trace_ready: Callable[..., Any] | None = None,
        record_shapes: bool = False,
        profile_memory: bool = False,
        with_stack: bool = False,
        with_flops: bool = False,
        with_modules: bool = False,
        **options: Any,
    ) -> None:
        asked = {"record_shapes": record_shapes, "profile_memory": profile_memory,
                 "with_stack": with_stack, "with_flops": with_flops,
                 "with_modules": with_modules, **options}  # fmt: skip
        if unrecorded := [name for name, value in asked.items() if value]:
            warnings.warn(f"profile: only times are recorded, without {', '.join(unrecorded)}")
        self.schedule = schedule or (lambda step: ProfilerAction.RECORD)
        self.on_trace_ready = on_trace_ready
        self.step_num = 0
        self.current_action = self.schedule(0)
        self._calls: list[_Call] = []
        self._stack: list[_Call] = []

    # -- recording ----------------------------------------------------------------------------

    def _begin(self, name: str, frame: FrameType | None) -> None:
        self._stack.append(_Call(name, frame))

    def _end(self) -> None:
        call = self._stack.pop()
        call.end = time.perf_counter()
        call.frame = None
        if self._stack:
            self._stack[-1].children += call.end - call.begin
        self._calls.append(call)

    def _end_named(self, name: str) -> None:
        if any(call.frame is None and call.name == name for call in self._stack):
            while self._stack[-1].frame is not None or self._stack[-1].name != name:
                self._end()
            self._end()

    def _on_event(self, frame: FrameType, event: str, argument: Any) -> None:
        if event == "call":
            name = _name_of(frame, self._names)
            if name is not None:
                self._begin(name, frame)
        elif event == "return" and self._stack and self._stack[-1].frame is frame:
            self._end()

    def _switch(self, on: bool) -> None:
        global _active
        if on and _active is not self:
            if _active is not None:
                raise RuntimeError("Can't start a profile: another one is on")
            self._names = _composite_names()
            self._calls, self._stack = [], []
            _active = self
            sys.setprofile(self._on_event)
        elif not on and _active is self:
            sys.setprofile(None)
            _active = None
            while self._stack:
                self._end()

    def start(self) -> None:
        """Begin."""
        self._switch(self.current_action.value >= ProfilerAction.RECORD.value)

    def stop(self) -> None:
        """End; calls ``on_trace_ready`` if something was being recorded."""
        recording = _active is self
        self._switch(False)
        if recording and self.on_trace_ready is not None:
            self.on_trace_ready(self)

    def step(self) -> None:
        """The program's next step begins."""
        saved = self.current_action is ProfilerAction.RECORD_AND_SAVE
        self.step_num += 1
        self.current_action = self.schedule(self.step_num)
        if saved:
            self.stop()
        self._switch(self.current_action.value >= ProfilerAction.RECORD.value)

    def __enter__(self) -> profile:
        self.start()
        return self

    def __exit__(self, *exception: object) -> None:
        self.stop()

    # -- results ------------------------------------------------------------------------------

    def events(self) -> list[Any]:
        """All calls, in the order of their ends."""
        return self._calls

    def key_averages(self, group_by_input_shape: bool = False, **options: Any) -> EventList:
        """The calls of each name, added up; ``group_by_input_shape`` has no shapes to go by."""
        averages: dict[str, FunctionEventAvg] = {}
        for call in self._calls:
            average = averages.setdefault(call.name, FunctionEventAvg(call.name))
            average.count += 1
            average.cpu_time_total += (call.end - call.begin) * 1e6
            average.self_cpu_time_total += (call.end - call.begin - call.children) * 1e6
        return EventList(averages.values())

    def export_chrome_trace(self, path: str) -> None:
        """Write the calls to ``path`` (.gz: compressed) as JSON for Perfetto or chrome://tracing."""
        events = [
            {
                "ph": "X", "cat": "cpu_op", "name": call.name, "pid": os.getpid(),
                "tid": call.thread, "ts": call.begin * 1e6, "dur": (call.end - call.begin) * 1e6,
            }
            for call in self._calls
        ]  # fmt: skip
        opened = gzip.open if path.endswith(".gz") else open
        with opened(path, "wt") as file:
            json.dump({"traceEvents": events}, file)


def tensorboard_trace_handler(
    dir_name: str, worker_name: str | None = None, use_gzip: bool = False
) -> Callable[[profile], None]:
    """An ``on_trace_ready`` that writes a trace file into a folder.

    Args:
        dir_name: the folder, which is made if it is not there.
        worker_name: how the files' names begin; by default the machine's name and the process's
            number.
        use_gzip: whether they are compressed.

    Returns:
        a function of a profile.
    """
    os.makedirs(dir_name, exist_ok=True)
    worker = worker_name or f"{socket.gethostname()}_{os.getpid()}"

    def write(found: profile) -> None:
        name = f"{worker}.{time.time_ns()}.pt.trace.json{'.gz' if use_gzip else ''}"
        found.export_chrome_trace(os.path.join(dir_name, name))

    return write
