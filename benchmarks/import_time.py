#!/usr/bin/env python
"""Time of `import flambeau` against `import torch`, each in fresh processes, taking turns.

    python benchmarks/import_time.py

Measured inside the process around the import statement, so that the interpreter's own start does
not count; one uncounted run of each warms the file cache and writes the byte code.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
from pathlib import Path

import machine

MODULES = ("numpy", "flambeau", "torch", "jax")
PROGRAM = (
    "import time; start = time.perf_counter(); import {module}; print(time.perf_counter() - start)"
)
ROOT = Path(__file__).resolve().parent.parent


def seconds(module: str) -> float:
    """One import in a new process."""
    environment = dict(os.environ)
    environment["PYTHONPATH"] = os.pathsep.join([str(ROOT), environment.get("PYTHONPATH", "")])
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # installed packages have their byte code
    command = [sys.executable, "-c", PROGRAM.format(module=module)]
    out = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return float(out.stdout)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--json", type=Path, help="write the times here")
    options = parser.parse_args(arguments)
    facts = machine.describe()
    modules = [m for m in MODULES if m in ("flambeau", "numpy") or machine.version(m)]
    times: dict[str, list[float]] = {module: [] for module in modules}
    for module in modules:
        seconds(module)
    for _ in range(options.rounds):
        for module in modules:
            times[module].append(seconds(module))
    medians = {module: statistics.median(values) for module, values in times.items()}
    print("| import | ms | flambeau is faster by |")
    print("|---|---|---|")
    for module, median in medians.items():
        ratio = "" if module == "flambeau" else f"{median / medians['flambeau']:.1f}"
        print(f"| {module} | {1e3 * median:.0f} | {ratio} |")
    print(f"\n{machine.sentence(facts)}.")
    if options.json:
        options.json.write_text(json.dumps({"machine": facts, "seconds": times}, indent=1) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
