"""The facts of a compiled function as text."""

from __future__ import annotations

from collections.abc import Sequence

from . import words
from .facts import Facts, Kernel, Machine, Program, Variant

_MOST_LINES = 120
"""Lines of a graph, or of another list, that are shown; the page has all."""

_MOST_KERNELS = 60
"""Rows of a table in which every kernel is shown, however little time it takes."""
_LEAST_SHARE = 0.001
"""Of the time: what a kernel of a larger table takes at least."""
_MOST_SUMS = 10
"""Kernels that run several times of which the sums are shown."""


def write_text(facts: Facts) -> str:
    """The explanation as text."""
    lines = [f"{facts.name}:"]
    if facts.machine is not None:
        lines.append(f"  {machine_line(facts.machine)}")
    for variant in facts.variants:
        lines += _variant(variant)
    if any(k.seconds is not None for v in facts.variants for p in v.programs for k in p.kernels):
        lines += ["", *_wrapped(words.HOW)]
    return "\n".join(line.rstrip() for line in lines)


def machine_line(machine: Machine) -> str:
    """What one core does at best, in words."""
    return (
        f"one core of this {machine.cpu}: {words.count(machine.float32)}flop/s in float32, "
        f"{words.count(machine.float64)}flop/s in float64, {words.size(machine.memory)}/s of "
        f"memory, {words.size(machine.cache)}/s of cache"
    )


def _variant(variant: Variant) -> list[str]:
    lines = ["", f"variant {variant.number}: {variant.arguments}"]
    if not variant.programs:
        return [*lines, f"  {variant.summary or variant.state}"]
    captures = ", ".join(words.seconds(s) for s in variant.capture_seconds)
    lines.append(f"  {variant.summary}; captured in {captures}")
    for program in variant.programs:
        lines += [f"  {line}" for line in _program(program)]
    lines += _section("  guards", variant.guards, "  ")
    return lines


def compile_line(program: Program) -> str:
    """The compilation's stages, in words."""
    stages = ", ".join(f"{n} {words.seconds(s)}" for n, s in program.stage_seconds.items())
    origin = "from the disk cache" if program.from_cache else "compiled"
    total = words.seconds(sum(program.stage_seconds.values()))
    return f"{origin} in {total} ({stages})"


def memory_line(program: Program) -> str:
    """The arena, in words."""
    guests = [b for b in program.buffers if b.within]
    return (
        f"arena of {program.arena_bytes} bytes for {len(program.buffers) - len(guests)} "
        f"temporaries: {program.peak_bytes} are needed at a time, {program.unshared_bytes} without "
        "sharing" + (f"; {len(guests)} more in the memory of later results" if guests else "")
    )


def time_line(program: Program) -> str:
    """The measured times, in words."""
    if program.seconds is None:
        return "not measured"
    return (
        f"a run takes {words.seconds(program.seconds)} (median of {program.runs}); its kernels on "
        f"one thread {words.seconds(program.measured_seconds)}"
        + (f"; {program.not_measured}" if program.not_measured else "")
    )


def _program(program: Program) -> list[str]:
    lines = [
        "",
        f"{program.title}: {len(program.kernels)} kernels, {compile_line(program)}",
        f"  {memory_line(program)}",
        f"  {time_line(program)}",
        f"  {program.threads}",
        "",
    ]
    lines += [f"  {line}" for line in _kernel_table(program)]
    lines += _section("several times the same", sums(program))
    obstacles = [f"{k.number:>3} {o}" for k in program.kernels for o in k.obstacles]
    lines += _section("kernels that are not one", obstacles)
    lines += _section("inputs", program.inputs)
    lines += _section("outputs", program.outputs)
    lines += _section("updates", program.updates)
    lines += _section("graph", program.graph)
    return lines


def _section(title: str, lines: Sequence[str], indent: str = "") -> list[str]:
    if not lines:
        return []
    if len(lines) > _MOST_LINES:
        left = len(lines) - _MOST_LINES
        lines = [*lines[:_MOST_LINES], f"... and {left} more, which explain(html=...) shows"]
    return ["", f"{title}:", *(f"{indent}  {line}" for line in lines)]


def kernel_row(kernel: Kernel, total: float) -> list[str]:
    """The numbers of a kernel, in the order of :data:`COLUMNS`."""
    return [
        str(kernel.number),
        words.seconds(kernel.seconds),
        words.share(kernel.seconds / total if kernel.seconds is not None and total else None),
        words.count(kernel.operations),
        words.size(kernel.bytes),
        words.share(kernel.arithmetic),
        words.share(kernel.traffic) + ("" if kernel.traffic is None or kernel.cached else " M"),
        str(kernel.parts),
    ]


COLUMNS = ("#", "time", "of all", "flops", "bytes", "of peak flops", "of peak bytes", "parts")


def _kernel_table(program: Program) -> list[str]:
    total = program.measured_seconds
    shown = program.kernels
    if len(shown) > _MOST_KERNELS:
        least = _LEAST_SHARE * total
        shown = [k for k in shown if k.seconds is None or k.seconds >= least][:_MOST_LINES]
    rows = [list(COLUMNS)] + [kernel_row(k, total) for k in shown]
    widths = [max(len(row[i]) for row in rows) for i in range(len(COLUMNS))]
    texts = ["kernel"]
    for kernel in shown:
        inlined = f" (+{kernel.inlined} inside)" if kernel.inlined else ""
        origins = "; ".join(kernel.origins[:2]) + ("; ..." if len(kernel.origins) > 2 else "")
        texts.append(f"{_called(kernel)}{inlined}  {'# ' if origins else ''}{origins}")
    lines = [
        "  ".join([*(cell.rjust(width) for cell, width in zip(row, widths)), text])
        for row, text in zip(rows, texts)
    ]
    left = len(program.kernels) - len(shown)
    if left:
        rest = total - sum(k.seconds for k in shown if k.seconds is not None)
        takes = f", {words.share(rest / total)} of the time," if total else ""
        lines.append(f"... and {left} more{takes} which explain(html=...) shows")
    return lines


def sums(program: Program) -> list[str]:
    """What kernels take together that have the same code, most first."""
    total = program.measured_seconds
    same: dict[str, list[Kernel]] = {}
    for kernel in program.kernels:
        if kernel.seconds is not None:
            same.setdefault(kernel.name, []).append(kernel)
    ordered = sorted(
        ((sum(k.seconds or 0.0 for k in kernels), kernels) for kernels in same.values()),
        key=lambda sum_of: -sum_of[0],
    )
    return [
        f"{words.share(seconds / total):>6} {words.seconds(seconds):>8}  {len(kernels)} x "
        f"{_called(kernels[0])}"
        for seconds, kernels in ordered
        if len(kernels) > 1 and seconds >= _LEAST_SHARE * total
    ][:_MOST_SUMS]


def _called(kernel: Kernel) -> str:
    """A kernel's name, and what it computes."""
    return f"{kernel.name}: {shortened(kernel.computes)}"


def shortened(names: Sequence[str]) -> str:
    """A list of primitives, those that follow each other as ``3 x add``."""
    groups: list[tuple[str, int]] = []
    for name in names:
        if groups and groups[-1][0] == name:
            groups[-1] = (name, groups[-1][1] + 1)
        else:
            groups.append((name, 1))
    return ", ".join(name if n == 1 else f"{n} x {name}" for name, n in groups)


def _wrapped(text: str, width: int = 96) -> list[str]:
    import textwrap

    return textwrap.wrap(text, width)


__all__ = ["COLUMNS", "compile_line", "kernel_row", "machine_line", "memory_line", "shortened",
           "sums", "time_line", "write_text"]  # fmt: skip
