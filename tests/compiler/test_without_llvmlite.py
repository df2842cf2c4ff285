"""Without llvmlite the package works, and compiling says why it does not."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import sys
sys.modules["llvmlite"] = None
sys.modules["llvmlite.binding"] = None
import numpy as np
import flambeau
import flambeau.compiler.symbolic as xp
from flambeau.compiler.executable import compile_graph
from flambeau.compiler.graph import Graph, input_value
from flambeau.compiler.unsupported import Unsupported
x = input_value((3,), np.dtype(np.float32))
try:
    compile_graph(Graph([x], [x + 1]))
except Unsupported as error:
    print(error)
"""


def test_compiling_is_refused() -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    assert "llvmlite is not installed" in done.stdout


def test_importing_the_compiler_does_not_import_llvmlite() -> None:
    program = "import sys, flambeau.compiler.executable; print('llvmlite' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
    )
    assert done.stdout == "False\n", done.stderr
