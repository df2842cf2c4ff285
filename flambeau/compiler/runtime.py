"""Machine code from LLVM code: the target, object files, and built-in functions made of them.

LLVM is loaded when code is made.  To load what was made earlier it is not needed on every system.
"""

from __future__ import annotations

import ctypes
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import Any

import numpy as np

from . import object_file
from .log import cache_log
from .object_file import CannotLoad, ObjectCode
from .unsupported import Unsupported

METH_FASTCALL = 0x80
_lock = threading.Lock()
_PROCESSORS = os.cpu_count() or 1
_entering = threading.Lock()
_places = threading.BoundedSemaphore(_PROCESSORS)


@contextmanager
def _at_work() -> Iterator[None]:
    """Around all of LLVM's work: so many threads at a time, and none while the process forks."""
    with _entering:
        _places.acquire()
    try:
        yield
    finally:
        _places.release()


def _before_fork() -> None:
    _entering.acquire()
    for _ in range(_PROCESSORS):
        _places.acquire()


def _after_fork() -> None:
    _places.release(_PROCESSORS)
    _entering.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=_before_fork, after_in_parent=_after_fork, after_in_child=_after_fork
    )


@cache
def _llvm() -> Any:
    """llvmlite's binding, with the native target ready."""
    with _at_work(), _lock:
        try:
            import llvmlite.binding as llvm
        except ImportError:
            raise Unsupported("any graph", "llvmlite is not installed") from None
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        return llvm


def load() -> None:
    """Load LLVM.

    Raises:
        Unsupported: llvmlite is not installed.
    """
    _llvm()


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
    with _at_work():
        return _object_code(llvm, source)


def _object_code(llvm: Any, source: str) -> bytes:
    """The same; LLVM's objects are gone when it returns.

    llvmlite lets one thread at a time into LLVM, which is needed only for what threads share; a
    module with a context of its own is not shared.
    """
    from llvmlite.binding import ffi

    module = llvm.parse_assembly(source, llvm.create_context())
    module.verify()
    machine = _target_machine()

    try:
        emit = ffi.lib.LLVMPY_TargetMachineEmitToMemory._cfn
    except AttributeError:  # another version
        return bytes(machine.emit_object(module))
    with ffi.OutputString() as error:
        buffer = emit(machine, module, 1, error)
        if not buffer:
            raise RuntimeError(str(error))
    try:
        start, size = ffi.lib.LLVMPY_GetBufferStart(buffer), ffi.lib.LLVMPY_GetBufferSize(buffer)
        return ctypes.string_at(start, size)
    finally:
        ffi.lib.LLVMPY_DisposeMemoryBuffer(buffer)


class ObjectWriter:
    """Makes object files of the pieces of a module, in threads, while others are being written.

    It has to be closed, which ends the threads; also at the end of a ``with`` block.
    """

    def __init__(self) -> None:
        from queue import SimpleQueue

        self._pieces: SimpleQueue[tuple[int, str] | None] = SimpleQueue()
        self._count = 0
        self._objects: dict[int, bytes] = {}
        self._errors: list[BaseException] = []
        self._threads: list[threading.Thread] = []

    def _work(self) -> None:
        while (taken := self._pieces.get()) is not None:
            number, piece = taken
            try:
                self._objects[number] = object_code(piece)
            except BaseException as error:
                self._errors.append(error)

    def add(self, piece: str) -> None:
        """Have the module ``piece`` compiled."""
        self._pieces.put((self._count, piece))
        self._count += 1
        if len(self._threads) < max(1, _PROCESSORS - 1):
            thread = threading.Thread(target=self._work, name="LLVM", daemon=True)
            thread.start()
            self._threads.append(thread)

    def finish(self) -> list[bytes]:
        """The object files of all pieces, in their order.

        Raises what LLVM has raised.
        """
        self.close()
        self._work()  # this thread has nothing else to do
        for thread in self._threads:
            thread.join()
        if self._errors:
            raise self._errors[0]
        return [self._objects[number] for number in range(self._count)]

    def close(self) -> None:
        """Let the threads end when they have done what there is."""
        for _ in range(len(self._threads) + 1):
            self._pieces.put(None)

    def __enter__(self) -> ObjectWriter:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()


def assembly(source: str) -> str:
    """The assembly of LLVM code, to look at."""
    llvm = _llvm()
    with _at_work():
        module = llvm.parse_assembly(source, llvm.create_context())
        return str(_target_machine().emit_assembly(module))


class LoadedCode:
    """Object files in memory; functions stay valid while this lives.

    Args:
        code: the object files, which may call one another's functions.
        functions: addresses of others that they call.
    """

    def __init__(self, *code: bytes, functions: Mapping[str, int] | None = None) -> None:
        self._own: ObjectCode | None = None
        if object_file.supported():
            try:
                self._own = ObjectCode(*code, functions=functions)
                return
            except CannotLoad as error:
                cache_log.info("LLVM loads a program's code: %s", error)
        llvm = _llvm()
        with _at_work(), _lock:
            name, features = cpu()
            target = llvm.Target.from_triple(llvm.get_process_triple())
            machine = target.create_target_machine(cpu=name, features=features, jit=True)
            for title, address in (functions or {}).items():
                llvm.add_symbol(title, address)
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
