"""The memory plan as a picture: kernels from left to right, the arena from bottom to top."""

from __future__ import annotations

from html import escape

from . import words
from .facts import Program

_WIDTH, _HEIGHT = 860.0, 260.0
_LEFT, _TOP, _BOTTOM = 70.0, 10.0, 34.0
_COLORS = 6


def memory_picture(program: Program, number: int) -> str:
    """Inline SVG of the arena of ``program``; empty if it has none.

    Args:
        number: makes the ids on a page differ.
    """
    buffers = [b for b in program.buffers if b.bytes and not b.within]
    if not buffers or not program.arena_bytes:
        return ""
    steps = max(len(program.kernels), 1 + max(b.last for b in buffers))
    across = (_WIDTH - _LEFT - 10) / steps
    up = (_HEIGHT - _TOP - _BOTTOM) / program.arena_bytes
    base = _HEIGHT - _BOTTOM
    parts = []
    for i, b in enumerate(buffers):
        x, width = _LEFT + b.first * across, (b.last - b.first + 1) * across
        height = b.bytes * up
        y = base - b.offset * up - height
        last = f"to {b.last}" if b.last < len(program.kernels) else "to the end"
        said = f"{b.name}, {words.size(b.bytes)}, from kernel {b.first} {last}"
        parts.append(
            f'<rect class="b{i % _COLORS}" x="{x:.2f}" y="{y:.2f}" '
            f'width="{max(width - 0.6, 0.6):.2f}" height="{max(height, 0.6):.2f}">'
            f"<title>{escape(said)}</title></rect>"
        )
    marks = []
    for tick in range(5):
        bytes_ = program.arena_bytes * tick / 4
        y = base - bytes_ * up
        marks.append(
            f'<line x1="{_LEFT - 4}" x2="{_WIDTH - 10}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{words.size(bytes_)}</text>'
        )
    every = max(1, -(-steps // 16))
    for step in range(0, steps, every):
        x = _LEFT + (step + 0.5) * across
        marks.append(f'<text x="{x:.1f}" y="{base + 16:.1f}" text-anchor="middle">{step}</text>')
    marks.append(
        f'<text x="{(_LEFT + _WIDTH) / 2:.0f}" y="{_HEIGHT - 3:.0f}" text-anchor="middle">'
        "kernel</text>"
    )
    label = (
        f"{len(buffers)} temporaries in an arena of {words.size(program.arena_bytes)}; at most "
        f"{words.size(program.peak_bytes)} are needed at a time."
    )
    return (
        f'<svg class="memory" viewBox="0 0 {_WIDTH:.0f} {_HEIGHT:.0f}" role="img" '
        f'aria-labelledby="memory-{number}"><title id="memory-{number}">{escape(label)}</title>'
        f'<g class="axis">{"".join(marks)}</g>{"".join(parts)}</svg>'
    )


__all__ = ["memory_picture"]
