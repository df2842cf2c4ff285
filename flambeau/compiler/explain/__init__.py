"""``explain()``: what the compiler has made of a function, as text and as a page of HTML.

:mod:`.collect` gathers the facts (:mod:`.facts`), program by program (:mod:`.study`), with measured
times (:mod:`.profile`) beside what the machine does at best (:mod:`.peaks`); :mod:`.text` and
:mod:`.page` write them down.  Nothing of this is imported, and nothing measured, before it is
asked for.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from .facts import Facts


class Explanation(str):
    """The explanation as text; it shows itself as such, and as a page in a notebook.

    Attributes:
        facts: what it says, as data.
    """

    facts: Facts

    def __repr__(self) -> str:
        return str(self)

    def _repr_html_(self) -> str:
        from .page import write_page

        page = write_page(self.facts).replace("&", "&amp;").replace('"', "&quot;")
        return f'<iframe srcdoc="{page}" style="width:100%;height:40rem;border:0"></iframe>'

    def html(self) -> str:
        """The explanation as a page of HTML that needs nothing else."""
        from .page import write_page

        return write_page(self.facts)


def explain(
    function: Any, html: str | os.PathLike[str] | None = None, measure: bool = True
) -> Explanation:
    """What has been captured and compiled of ``function`` so far.

    Args:
        function: a ``CompiledFunction``.
        html: a file to write it to as one page of HTML.
        measure: compile the programs a second time with a clock around each kernel, and run them
            on copies of the arrays for up to half a second each.  If False, nothing is compiled or
            run, and times are left out.

    Returns:
        The explanation, a string with ``facts``.
    """
    from .collect import collect
    from .text import write_text

    with function._lock:
        found = collect(function, measure)
    explanation = Explanation(write_text(found))
    explanation.facts = found
    if html is not None:
        Path(html).write_text(explanation.html(), encoding="utf-8")
    return explanation


__all__ = ["Explanation", "explain"]
