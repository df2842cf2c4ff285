"""What is known of a compiled function: plain data, from which text and page are written."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass
class Machine:
    """What one core of this machine does at best, as measured.

    Attributes:
        float32, float64: operations per second of multiply-adds on registers.
        memory, cache: bytes per second of a copy, counting those read and those written, of
            arrays much larger than the caches, and of arrays in the nearest ones.
        cache_bytes: up to how many bytes the latter holds.
        cpu: the processor as LLVM names it, and the size of its vectors.
    """

    float32: float
    float64: float
    memory: float
    cache: float
    cache_bytes: int
    cpu: str


@dataclass
class Kernel:
    """A loop nest.

    Attributes:
        name: in the LLVM code; two kernels with the same code share it.
        lines: what it computes, one value a line.
        computes: the primitives that it computes, in order; ``inlined`` is how many further ones
            are computed where they are used.
        origins: the lines of the program that it comes from.
        operations, bytes: arithmetic operations, and the sizes of the arrays it reads and writes.
        estimate: seconds that the compiler expected.
        seconds: measured, on one thread; None if not.
        parts: into how many it is divided among threads.
        arithmetic, traffic: shares of the machine's peaks (of arithmetic, of memory).
        cached: whether its arrays fit in the nearest caches, so that ``traffic`` refers to those.
        obstacles: why it was not joined with what it reads from.
        number: in the order in which they run.
    """

    number: int
    name: str
    lines: list[str]
    computes: list[str]
    inlined: int
    origins: list[str]
    operations: int
    bytes: int
    estimate: float
    parts: int
    seconds: float | None = None
    arithmetic: float | None = None
    traffic: float | None = None
    cached: bool = False
    obstacles: list[str] = field(default_factory=list)


@dataclass
class Buffer:
    """A temporary: it lies at ``offset`` of the arena while kernels ``first`` to ``last`` run.

    Attributes:
        name: of the value that it holds.
        bytes: its size.
        within: the name of the result, written later, in whose memory it lies instead.
    """

    name: str
    bytes: int
    offset: int
    first: int
    last: int
    within: str = ""


@dataclass
class Program:
    """One program of machine code.

    Attributes:
        title: which it is: the program, its backward pass, the check of indices.
        graph: the graph as captured, one value a line.
        buffers, arena_bytes, peak_bytes, unshared_bytes: temporaries, the memory they share, the
            most of it that is needed at a time, and what they would take without sharing.
        stage_seconds: of its compilation.
        from_cache: whether the machine code came from the disk cache.
        inputs, outputs, updates: one line each.
        threads: the use of threads, in words.
        seconds: a whole run as it is compiled, measured; ``spread`` the quickest and the slowest.
        kernels: the loop nests, in the order in which they run.
        runs: how often the program was run to be measured.
        not_measured: why it was not, if it was not.
    """

    title: str
    graph: list[str]
    kernels: list[Kernel]
    buffers: list[Buffer]
    arena_bytes: int
    peak_bytes: int
    unshared_bytes: int
    stage_seconds: dict[str, float]
    from_cache: bool
    inputs: list[str]
    outputs: list[str]
    updates: list[str]
    threads: str
    seconds: float | None = None
    runs: int = 0
    not_measured: str = ""

    @property
    def measured_seconds(self) -> float:
        """The kernels' times, one after the other on one thread."""
        return sum(k.seconds or 0.0 for k in self.kernels)


@dataclass
class Variant:
    """One kind of arguments and state.

    Attributes:
        number: in the order in which they were met.
        arguments: the kind, in words.
        state: whether it is compiled, runs as it is written and why, or waits.
        capture_seconds: of each capture.
        guards: what must hold at a call.
        summary: what its program is, in words.
        programs: the program, its backward pass, the check of indices.
    """

    number: int
    arguments: str
    state: str
    summary: str = ""
    capture_seconds: list[float] = field(default_factory=list)
    guards: list[str] = field(default_factory=list)
    programs: list[Program] = field(default_factory=list)


@dataclass
class Facts:
    """All that is known of a compiled function.

    Attributes:
        name: of the function.
        variants: the kinds of arguments and state that it was called with.
        machine: what the machine does at best; None where nothing was measured.
        notes: what else there is to say.
    """

    name: str
    variants: list[Variant]
    machine: Machine | None = None
    notes: list[str] = field(default_factory=list)


__all__ = ["Buffer", "Facts", "Kernel", "Machine", "Program", "Variant"]
