"""Machine code from LLVM code: the target, object files, and built-in functions made of them.

LLVM is loaded when code is made.  To load what was made earlier it is not needed on every system.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable, Iterable
from functools import cache
from queue import SimpleQueue
from typing import Any

import numpy as np

from . import object_file
from .log import cache_log
from .object_file import CannotLoad, ObjectCode
from .unsupported import Unsupported

METH_FASTCALL = 0x80
_lock = threading.Lock()
"""Held while LLVM is at work: it is used by one thread at a time, and by none in a fork."""
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release
    )


@cache
def _llvm() -> Any:
    """llvmlite's binding, with the native target ready."""
    with _lock:
        try:
            import llvmlite.binding as llvm
        except ImportError:
            raise Unsupported("any graph", "llvmlite is not installed") from None
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        return llvm


def load() -> None:
    """Load LLVM, and have it compile a little, which takes longest at the first time."""
    _llvm()
    object_code(_FIRST)


_FIRST = """
define <8 x float> @first(ptr %a, ptr %b, i64 %n) {
entry:
  br label %loop
loop:
  %i = phi i64 [ 0, %entry ], [ %next, %loop ]
  %total = phi <8 x float> [ zeroinitializer, %entry ], [ %sum, %loop ]
  %at = getelementptr float, ptr %a, i64 %i
  %x = load <8 x float>, ptr %at, align 4
  %less = fcmp olt <8 x float> %x, %total
  %chosen = select <8 x i1> %less, <8 x float> %x, <8 x float> %total
  %sum = fadd <8 x float> %chosen, %x
  %to = getelementptr float, ptr %b, i64 %i
  store <8 x float> %sum, ptr %to, align 4
  %next = add nsw i64 %i, 8
  %more = icmp slt i64 %next, %n
  br i1 %more, label %loop, label %done
done:
  ret <8 x float> %sum
}
"""


FORCED_CPU: tuple[str, str] | None = None
"""The name and features of a CPU to make code for instead of the one at hand."""


@cache
def _host_cpu() -> tuple[str, str]:
    llvm = _llvm()
    return llvm.get_host_cpu_name(), llvm.get_host_cpu_features().flatten()


def cpu() -> tuple[str, str]:
    """The name and features of the CPU that code is made for."""
    return FORCED_CPU or _host_cpu()


@cache
def _described_by_linux() -> str | None:
    """What Linux says of the first processor that does not change; None elsewhere."""
    try:
        with open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
            first = file.read(1 << 14).split("\n\n")[0]
    except OSError:
        return None
    kept = [line for line in first.splitlines() if line.lower().startswith(_LASTING)]
    return "\n".join(kept) if any("flags" in k or "Features" in k for k in kept) else None


_LASTING = ("vendor_id", "cpu family", "model", "stepping", "flags", "features", "cpu ")


def _features() -> set[str]:
    """What the CPU that code is made for has, as far as code is written for it.

    LLVM need not be loaded where Linux names them.
    """
    described = None if FORCED_CPU else _described_by_linux()
    for line in (described or "").splitlines():
        name, _, flags = line.partition(":")
        if name.strip() == "flags":
            return set(flags.split())
    return {f[1:] for f in cpu()[1].split(",") if f.startswith("+")}


def vector_bytes(features: Iterable[str] | None = None) -> int:
    """The size of the CPU's vectors."""
    present = _features() if features is None else set(features)
    if {"avx512f", "avx512vl", "avx512dq"} <= present:
        return 64
    return 32 if "avx2" in present else 16


def has_half_precision() -> bool:
    """Whether the CPU converts half precision (no function of a library is then needed)."""
    return not _features().isdisjoint(("f16c", "fullfp16"))


def target_description() -> str:
    """What machine code depends on besides the program; LLVM need not be loaded to know it."""
    try:
        import llvmlite
    except ImportError:
        raise Unsupported("any graph", "llvmlite is not installed") from None
    described = None if FORCED_CPU else _described_by_linux()
    return f"{described or cpu()} llvmlite {llvmlite.__version__}"


def _target_machine() -> Any:
    llvm = _llvm()
    name, features = cpu()
    target = llvm.Target.from_triple(llvm.get_process_triple())
    return target.create_target_machine(
        cpu=name, features=features, opt=1, reloc="pic", codemodel="small", jit=False
    )


def object_code(source: str) -> bytes:
    """Compile LLVM code to an object file."""
    llvm = _llvm()
    with _lock:
        module = llvm.parse_assembly(source)
        module.verify()
        return bytes(_target_machine().emit_object(module))


class ObjectWriter:
    """Makes object files of pieces of a module in a thread, while the next piece is written.

    LLVM is loaded there, too.  In a ``with`` block, whose end ends the thread.
    """

    def __init__(self) -> None:
        self._pieces: SimpleQueue[str | None] = SimpleQueue()
        self._objects: list[bytes] = []
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._work, name="LLVM", daemon=True)
        self._thread.start()

    def _work(self) -> None:
        try:
            _llvm()
            while (piece := self._pieces.get()) is not None:
                self._objects.append(object_code(piece))
        except BaseException as error:
            self._error = error

    def add(self, piece: str) -> None:
        """Have the module ``piece`` compiled."""
        self._pieces.put(piece)

    def finish(self) -> list[bytes]:
        """The object files of all pieces, in their order.

        Raises what LLVM has raised.
        """
        self._pieces.put(None)
        self._thread.join()
        if self._error is not None:
            raise self._error
        return self._objects

    def __enter__(self) -> ObjectWriter:
        return self

    def __exit__(self, *exception: object) -> None:
        self._pieces.put(None)


def assembly(source: str) -> str:
    """The assembly of LLVM code, to look at."""
    llvm = _llvm()
    with _lock:
        return str(_target_machine().emit_assembly(llvm.parse_assembly(source)))


class LoadedCode:
    """Object files in memory; functions stay valid while this lives."""

    def __init__(self, *code: bytes) -> None:
        self._own: ObjectCode | None = None
        if object_file.supported():
            try:
                self._own = ObjectCode(*code)
                return
            except CannotLoad as error:
                cache_log.info("LLVM loads a program's code: %s", error)
        llvm = _llvm()
        with _lock:
            name, features = cpu()
            target = llvm.Target.from_triple(llvm.get_process_triple())
            machine = target.create_target_machine(cpu=name, features=features, jit=True)
            self._engine = llvm.create_mcjit_compiler(llvm.parse_assembly(""), machine)
            for piece in code:
                self._engine.add_object_file(llvm.ObjectFileRef.from_data(piece))
            self._engine.finalize_object()

    def address(self, name: str) -> int:
        """The address of a function."""
        if self._own is not None:
            return self._own.address(name)
        found = self._engine.get_function_address(name)
        if not found:
            raise RuntimeError(f"compiled code has no function {name}")
        return int(found)


class _MethodDefinition(ctypes.Structure):
    _fields_ = [
        ("name", ctypes.c_char_p),
        ("method", ctypes.c_void_p),
        ("flags", ctypes.c_int),
        ("doc", ctypes.c_char_p),
    ]


_definitions: dict[int, _MethodDefinition] = {}
"""Python refers to a built-in function's definition for as long as the function lives."""


def builtin_function(address: int, self_object: Any) -> Callable[..., int]:
    """The machine code at ``address`` as a built-in function of Python.

    The code has the signature of ``METH_FASTCALL``; it gets ``self_object``, which the function
    keeps alive, as its ``self``.
    """
    definition = _definitions.get(address)
    if definition is None:
        definition = _MethodDefinition(b"compiled", address, METH_FASTCALL, None)
        _definitions[address] = definition
    new = ctypes.pythonapi.PyCFunction_NewEx
    new.restype = ctypes.py_object
    new.argtypes = [ctypes.c_void_p, ctypes.py_object, ctypes.c_void_p]
    return new(ctypes.addressof(definition), self_object, None)


@cache
def arrays_are_where_expected() -> bool:
    """Whether a NumPy array's data pointer is where compiled code reads it."""
    probe = np.zeros(1)
    return ctypes.c_void_p.from_address(id(probe) + 16).value == probe.ctypes.data


__all__ = [
    "LoadedCode",
    "ObjectWriter",
    "arrays_are_where_expected",
    "assembly",
    "builtin_function",
    "cpu",
    "load",
    "object_code",
    "vector_bytes",
]
