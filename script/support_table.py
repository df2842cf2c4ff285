"""Which of PyTorch's names flambeau has: writes the lists in docs/support.md.

    python script/support_table.py            # bring docs/support.md up to date
    python script/support_table.py --check    # say what is out of date, exit with 1
    python script/support_table.py --record   # read the names out of the installed PyTorch

The names are those of PyTorch 2.13, kept in script/pytorch_names.txt. That a name is there means
that it works as the rest of the page says; the tests say so too.
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import re
import sys
import textwrap
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
NAMES = HERE / "pytorch_names.txt"
PAGE = HERE.parent / "docs" / "support.md"
BEGIN = "<!-- script/support_table.py: begin -->"
END = "<!-- script/support_table.py: end -->"

SPACES = (
    "torch",
    "torch.Tensor",
    "torch.autograd",
    "torch.nn",
    "torch.nn.functional",
    "torch.nn.init",
    "torch.nn.utils",
    "torch.optim",
    "torch.optim.lr_scheduler",
    "torch.utils.data",
    "torch.distributions",
    "torch.linalg",
    "torch.fft",
    "torch.special",
    "torch.func",
)

# What PyTorch keeps in `torch` for its own use, or for one maker's libraries and compilers.
NOT_FOR_USERS = re.compile(
    r"""
    (?!.*(Tensor|Storage)$|Generator$|GradScaler$|Size$|Stream$|Event$|OutOfMemoryError$)[A-Z]
    | Q | (cudnn|miopen|mkldnn|fbgemm|quantized|q|fused|native|sym|vital|rowwise|slow_conv)_
    | batch_norm_ | .*_copy$ | choose_qparams | fake_quantize | fork$ | wait$ | has_ | bits | bit$
    | u?int[1-7]$ | clear_autocast | autocast_(in|de) | (set|get|is)_(autocast|anomaly|vital|thread)
    | (read|set)_vital | typename$ | parse_ | merge_type | import_ir | unify_type | classproperty$
    | get_(file_path|device_module)$ | compiled_with_cxx11_abi$ | .*_backward$ | nuclear_norm$
    | (enable|init|resolve|hash|segment)_(grad$|num|tensor|reduce) | prepare_multiprocessing
    | profiler_ | dsmm$ | hsmm$ | hspmm$ | saddmm$ | smm$ | spmm$ | sspaddmm$
    | .*_pack_gemm_matrix
    """,
    re.VERBOSE,
)


NOT_PUBLIC = ("torch._C._jit", "torch.jit", "torch._jit", "torch.overrides", "torch._VF")


def space_in(root: Any, name: str) -> Any:
    """The module or class of a name such as `torch.nn.functional`, under another root."""
    found = root
    for part in name.split(".")[1:]:
        if not hasattr(found, part):
            try:
                importlib.import_module(f"{root.__name__}.{name.removeprefix('torch.')}")
            except ImportError:
                return None
        found = getattr(found, part, None)
    return found


def record() -> None:
    """Write down the names of the installed PyTorch."""
    import torch

    lines = [
        f"# Public names of PyTorch {torch.__version__.split('+')[0]}, by script/support_table.py"
    ]
    for space in SPACES:
        lines.append("")
        lines.append(f"[{space}]")
        names = " ".join(public_names(space_in(torch, space), space))
        lines += textwrap.wrap(names, 98, break_long_words=False, break_on_hyphens=False)
    NAMES.write_text("\n".join(lines) + "\n")


def public_names(owner: Any, space: str) -> list[str]:
    """What a user of PyTorch would use of a module or class."""
    names = []
    listed = getattr(owner, "__all__", None)
    everything = listed is None or space in ("torch", "torch.linalg", "torch.special")
    for name in sorted(set(listed or ()) | set(dir(owner) if everything else ())):
        value = getattr(owner, name, None)
        if name.startswith("_") or inspect.ismodule(value) or value is None:
            continue
        if everything:
            home = getattr(value, "__module__", None) or "torch"
            if not home.startswith("torch") or home.startswith(NOT_PUBLIC):
                continue
            if isinstance(value, (str, bool, dict, list, tuple, set)):
                continue
        if space == "torch" and NOT_FOR_USERS.match(name):
            continue
        if space != "torch" and name == "Tensor":
            continue
        names.append(name)
    return names


def recorded() -> dict[str, list[str]]:
    """The names that were written down, by module or class."""
    names: dict[str, list[str]] = {}
    for line in NAMES.read_text().splitlines():
        if line.startswith("["):
            current = names.setdefault(line.strip("[]"), [])
        elif line and not line.startswith("#"):
            current += line.split()
    return names


def lists() -> str:
    """The part of the page that is written here."""
    import flambeau

    rows, sections = [], []
    for space, names in recorded().items():
        owner = space_in(flambeau, space)
        there = [name for name in names if hasattr(owner, name)]
        missing = [name for name in names if name not in there]
        rows.append(f"| `{space}` | {len(names)} | {len(there)} | {len(there) / len(names):.0%} |")
        sections += [f"### {space}", ""]
        if there:
            sections += _paragraph("There", there)
        if missing:
            sections += _paragraph("Not there", missing)
    table = ["| | names in PyTorch 2.13 | there | |", "|---|---|---|---|", *rows, ""]
    return "\n".join([*table, *sections]).rstrip()


def _paragraph(title: str, names: list[str]) -> list[str]:
    text = f"{title}: " + ", ".join(f"`{name}`" for name in names)
    return [*textwrap.wrap(text, 100, break_long_words=False, break_on_hyphens=False), ""]


def page() -> str:
    """The page as it should be."""
    before, begin, rest = PAGE.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise SystemExit(f"{PAGE} has not the lines {BEGIN} and {END}")
    return f"{before}{BEGIN}\n{lists()}\n{END}{after}"


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--record", action="store_true")
    options = parser.parse_args()
    sys.path.insert(0, str(HERE.parent))
    if options.record:
        record()
    wanted = page()
    if options.check:
        if wanted == PAGE.read_text():
            return 0
        print("docs/support.md is out of date: run `python script/support_table.py`")
        return 1
    PAGE.write_text(wanted)
    return 0


if __name__ == "__main__":
    sys.exit(main())
