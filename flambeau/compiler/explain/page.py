"""The facts of a compiled function as one HTML page that needs nothing else."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from . import words
from .facts import Facts, Kernel, Program, Variant
from .picture import memory_picture
from .text import (
    COLUMNS,
    compile_line,
    kernel_row,
    machine_line,
    memory_line,
    shortened,
    sums,
    time_line,
)

_STYLE = """
:root { color-scheme: light dark; --text: #1c2024; --quiet: #5b6570; --page: #ffffff;
  --line: #d9dee3; --soft: #f3f5f7; --bar: #b9d3f0;
  --c0: #4e79a7; --c1: #e08a3c; --c2: #59a14f; --c3: #b07aa1; --c4: #d05a5e; --c5: #5fa8a3; }
@media (prefers-color-scheme: dark) { :root { --text: #e3e7eb; --quiet: #9aa5b1; --page: #16191d;
  --line: #343b43; --soft: #1f242a; --bar: #2c4c70; } }
* { box-sizing: border-box; }
body { margin: 0 auto; padding: 1.5rem; max-width: 66rem; color: var(--text);
  background: var(--page); font: 15px/1.5 system-ui, sans-serif; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem;
  border-top: 1px solid var(--line); padding-top: 1rem; }
h3 { font-size: 1.02rem; margin-top: 1.6rem; }
h4 { font-size: .95rem; margin: 1rem 0 .3rem; }
p, li { max-width: 48rem; } .quiet { color: var(--quiet); }
code, pre { font: 12.5px/1.5 ui-monospace, Menlo, Consolas, monospace; }
pre { overflow-x: auto; background: var(--soft); padding: .7rem; border-radius: 4px;
  margin: .4rem 0; }
.wide { overflow-x: auto; } table { border-collapse: collapse; width: 100%; }
caption { text-align: left; color: var(--quiet); padding-bottom: .3rem; }
th, td { padding: .2rem .5rem; border-bottom: 1px solid var(--line); text-align: right;
  vertical-align: top; white-space: nowrap; } th { font-weight: 600; }
th.name, td.name { text-align: left; white-space: normal; min-width: 16rem; }
td.share { background: linear-gradient(90deg, var(--bar) var(--w), transparent var(--w)); }
summary { cursor: pointer; } details { margin: .4rem 0; }
svg { width: 100%; height: auto; } .axis line { stroke: var(--line); }
.axis text { fill: var(--quiet); font-size: 11px; } rect { fill-opacity: .8; }
.b0 { fill: var(--c0); } .b1 { fill: var(--c1); } .b2 { fill: var(--c2); } .b3 { fill: var(--c3); }
.b4 { fill: var(--c4); } .b5 { fill: var(--c5); }
"""


def write_page(facts: Facts) -> str:
    """The explanation as a page of HTML."""
    name = escape(facts.name)
    body = [f"<h1>How <code>{name}</code> is compiled</h1>"]
    if facts.machine is not None:
        body.append(f"<p>{escape(_sentence(machine_line(facts.machine)))}</p>")
    if not facts.variants:
        body.append("<p>It has not been called yet.</p>")
    numbers = iter(range(1_000_000))
    for variant in facts.variants:
        body += _variant(variant, numbers)
    body += ["<h2>How this was measured</h2>", f"<p>{escape(words.HOW)}</p>"]
    content = "\n".join(body)
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{name}, compiled</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>\n"
        f"{content}\n</main>\n</body>\n</html>\n"
    )


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + "."


def _variant(variant: Variant, numbers: Iterable[int]) -> list[str]:
    lines = [
        f"<h2>Variant {variant.number}</h2>",
        f"<p>For arguments <code>{escape(variant.arguments)}</code>: {escape(variant.state)}.</p>",
    ]
    if not variant.programs:
        return lines
    captures = ", ".join(words.seconds(s) for s in variant.capture_seconds)
    lines.append(f"<p>{escape(variant.summary)}; captured in {escape(captures)}.</p>")
    lines += _folded("Guards: what must hold at a call", variant.guards)
    for program in variant.programs:
        lines += _program(program, next(iter(numbers)))
    return lines


def _program(program: Program, number: int) -> list[str]:
    lines = [f"<h3>{escape(_sentence(program.title)[:-1])}</h3>", "<ul>"]
    for said in (time_line(program), program.threads, compile_line(program), memory_line(program)):
        lines.append(f"<li>{escape(_sentence(said))}</li>")
    lines += ["</ul>", _kernel_table(program)]
    lines += _folded("Several times the same: what these kernels take together", sums(program))
    lines.append("<h4>What each kernel computes</h4>")
    lines += [_kernel(k) for k in program.kernels]
    picture = memory_picture(program, number)
    if picture:
        lines += [
            "<h4>Memory of temporaries</h4>",
            f"<figure class='wide' style='margin:0'>{picture}<figcaption class='quiet'>Each box is "
            "a temporary: as wide as the kernels that need it, as high as it is large. "
            "</figcaption></figure>",
            _buffer_table(program),
        ]
    lines += _folded("Inputs", program.inputs)
    lines += _folded("Outputs", program.outputs)
    lines += _folded("Updates", program.updates)
    lines += _folded(f"The graph as captured, {len(program.graph)} values", program.graph)
    return lines


def _kernel_table(program: Program) -> str:
    heads = "".join(f'<th scope="col">{escape(c)}</th>' for c in COLUMNS)
    rows = []
    total = program.measured_seconds
    for kernel in program.kernels:
        cells = []
        for column, cell in zip(COLUMNS, kernel_row(kernel, total)):
            if column == "of all" and kernel.seconds is not None and total:
                width = f"{100 * kernel.seconds / total:.1f}%"
                cells.append(f'<td class="share" style="--w:{width}">{escape(cell)}</td>')
            else:
                cells.append(f"<td>{escape(cell)}</td>")
        inlined = f" and {kernel.inlined} inside" if kernel.inlined else ""
        origins = escape("; ".join(kernel.origins[:3]))
        rows.append(
            f"<tr>{''.join(cells)}<td class='name'><code>{escape(kernel.name)}</code> "
            f"{escape(shortened(kernel.computes))}{inlined}<br><span class='quiet'>{origins}"
            "</span></td></tr>"
        )
    return (
        "<div class='wide'><table><caption>Kernels in the order in which they run; M: of memory, "
        f"else of cache</caption><thead><tr>{heads}<th scope='col' class='name'>kernel</th></tr>"
        f"</thead><tbody>{''.join(rows)}</tbody></table></div>"
    )


def _kernel(kernel: Kernel) -> str:
    lines = "\n".join(kernel.lines)
    obstacles = "".join(f"<li>{escape(o)}</li>" for o in kernel.obstacles)
    listed = f"<p class='quiet'>Why it stands alone:</p><ul>{obstacles}</ul>" if obstacles else ""
    expected = words.seconds(kernel.estimate)
    return (
        f"<details><summary>{kernel.number}: <code>{escape(kernel.name)}</code> "
        f"<span class='quiet'>{escape(words.seconds(kernel.seconds))}, expected "
        f"{escape(expected)}</span></summary><pre>{escape(lines)}</pre>{listed}</details>"
    )


def _buffer_table(program: Program) -> str:
    rows = "".join(
        f"<tr><td class='name'><code>{escape(b.name)}</code></td><td>{escape(words.size(b.bytes))}"
        f"</td><td class='name'>{escape(b.within or 'the arena')}</td><td>{b.offset}</td>"
        f"<td>{b.first}</td><td>{b.last}</td></tr>"
        for b in sorted(program.buffers, key=lambda b: (b.first, b.within, b.offset))
    )
    heads = "".join(
        f"<th scope='col'{' class=name' if h in ('temporary', 'in') else ''}>{h}</th>"
        for h in ("temporary", "size", "in", "offset", "from kernel", "to kernel")
    )
    return (
        f"<details><summary>{len(program.buffers)} temporaries</summary><div class='wide'><table>"
        f"<thead><tr>{heads}</tr></thead><tbody>{rows}</tbody></table></div></details>"
    )


def _folded(title: str, lines: Sequence[str]) -> list[str]:
    if not lines:
        return []
    text = escape("\n".join(lines))
    return [f"<details><summary>{escape(title)}</summary><pre>{text}</pre></details>"]


__all__ = ["write_page"]
