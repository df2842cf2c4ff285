"""Object files are put into memory without a linker, to the same effect as by LLVM."""

from __future__ import annotations

import ctypes
import os
import struct
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("llvmlite")

from flambeau.compiler import object_file, runtime
from flambeau.compiler.executable import compile_graph
from flambeau.compiler.object_file import CannotLoad, ObjectCode

from .graphs import graph_of

pytestmark = pytest.mark.skipif(not object_file.supported(), reason="not Linux on x86-64")

SOURCE = """
@table = private constant [4 x double] [double 1.0, double 2.5, double -3.0, double 1.0e10]
declare double @pow(double, double)
declare ptr @memcpy(ptr, ptr, i64)
define internal double @entry_of(i64 %i) noinline {
  %at = getelementptr double, ptr @table, i64 %i
  %value = load double, ptr %at
  ret double %value
}
define double @power(i64 %i, double %exponent) {
  %base = call double @entry_of(i64 %i)
  %result = call double @pow(double %base, double %exponent)
  ret double %result
}
define ptr @copied(ptr %to, ptr %from, i64 %count) {
  %result = call ptr @memcpy(ptr %to, ptr %from, i64 %count)
  ret ptr %result
}
define double @chosen(i64 %i) {
  switch i64 %i, label %other [i64 0, label %a
    i64 1, label %b
    i64 2, label %c
    i64 3, label %d
    i64 4, label %e]
a:
  ret double 3.0
b:
  %p = call double @power(i64 1, double 3.0)
  ret double %p
c:
  %q = call double @power(i64 2, double 2.0)
  ret double %q
d:
  ret double 7.5
e:
  %r = call double @entry_of(i64 3)
  ret double %r
other:
  ret double 0.0
}
"""


@pytest.fixture(scope="module")
def code() -> bytes:
    return runtime.object_code(SOURCE)


def function(loaded: Any, name: str, result: Any, *arguments: Any) -> Any:
    return ctypes.CFUNCTYPE(result, *arguments)(loaded.address(name))


def test_functions_constants_and_libraries_are_found(code: bytes) -> None:
    loaded = ObjectCode(code)
    power = function(loaded, "power", ctypes.c_double, ctypes.c_int64, ctypes.c_double)
    assert power(1, 2.0) == 6.25
    assert power(2, 3.0) == -27.0
    chosen = function(loaded, "chosen", ctypes.c_double, ctypes.c_int64)
    assert [chosen(i) for i in range(6)] == [3.0, 15.625, 9.0, 7.5, 1e10, 0.0]
    copied = function(loaded, "copied", ctypes.c_void_p, *[ctypes.c_void_p] * 2, ctypes.c_int64)
    source, target = np.arange(100.0), np.zeros(100)
    copied(target.ctypes.data, source.ctypes.data, source.nbytes)
    np.testing.assert_array_equal(target, source)
    with pytest.raises(RuntimeError, match="nothing"):
        loaded.address("nothing")


def test_what_is_cut_off_or_of_another_kind_is_refused(code: bytes) -> None:
    for end in (0, 3, 40, 63, 200, len(code) // 2, len(code) - 40):
        with pytest.raises(CannotLoad):
            ObjectCode(code[:end])
    with pytest.raises(CannotLoad, match="relocatable"):
        ObjectCode(code[:18] + struct.pack("<H", 183) + code[20:])


def test_an_unknown_function_is_refused() -> None:
    source = (
        "declare i64 @no_such_function()\ndefine i64 @f() {\n%x = call i64 @no_such_function()\n"
    )
    with pytest.raises(CannotLoad, match="no_such_function"):
        ObjectCode(runtime.object_code(source + "ret i64 %x\n}\n"))


def test_other_relocations_are_left_to_llvm() -> None:
    """A variable of the process is read through a table of addresses, which is not made here."""
    source = "@environ = external global ptr\ndefine ptr @f() {\nret ptr @environ\n}\n"
    code = runtime.object_code(source)
    with pytest.raises(CannotLoad, match="type"):
        ObjectCode(code)
    loaded = runtime.LoadedCode(code)
    assert function(loaded, "f", ctypes.c_void_p)()


def test_programs_are_the_same_when_llvm_loads_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLAMBEAU_CACHE", "0")
    a = np.linspace(-3, 3, 1000).astype(np.float32)
    graph = graph_of(lambda a: [a * a + 1, a - 2], [a])
    own = compile_graph(graph)
    assert own._machinery.code._own is not None
    monkeypatch.setattr(object_file, "supported", lambda: False)
    other = compile_graph(graph)
    assert other._machinery.code._own is None
    for x, y in zip(own([a]), other([a]), strict=True):
        np.testing.assert_array_equal(x, y)


PROGRAM = """
import sys
import flambeau as torch
w = torch.ones(3, requires_grad=True)
@torch.compile
def step(x):
    loss = (w * x).sum()
    loss.backward()
    return loss
for _ in range(4):
    w.grad = None
    print(step(torch.arange(3.)).item(), w.grad.tolist())
(variant,) = [v for variants in step._variants.values() for v in variants]
print(variant.runner.executable.cached, file=sys.stderr)
print("llvmlite.binding" in sys.modules, file=sys.stderr)
"""


def test_a_process_whose_programs_are_kept_does_without_llvm(tmp_path: Path) -> None:
    environment = dict(os.environ) | {"FLAMBEAU_CACHE": str(tmp_path)}
    command = [sys.executable, "-c", PROGRAM]
    results = [
        subprocess.run(command, env=environment, capture_output=True, text=True, check=True)
        for _ in range(2)
    ]
    assert results[0].stderr.split() == ["False", "True"]
    assert results[1].stderr.split() == ["True", "False"]
    assert results[0].stdout == results[1].stdout
