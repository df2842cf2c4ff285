"""Machine code out of object files, put into memory as a linker would, without a linker.

Programs from the disk cache are complete but for addresses: their functions call one another and
functions of Python and the C library, and read their constants.  On Linux with an x86-64 CPU all
of that takes two kinds of relocation, so that a process whose programs are all in the cache starts
without loading LLVM, whose library alone takes longer to load than they do.

Source: System V Application Binary Interface, AMD64 Architecture Processor Supplement, chapter 4.
"""

from __future__ import annotations

import ctypes
import mmap
import os
import platform
import struct
import sys
from collections.abc import Mapping
from functools import cache
from typing import NamedTuple

_PROGRAM_DATA, _SYMBOLS, _ADDENDED, _EMPTY = 1, 2, 4, 8
"""Types of sections: contents, the table of symbols, relocations with addends, zeros."""
_ALLOCATED = 2
"""The flag of a section that is in memory when the program runs."""
_R_X86_64_64, _R_X86_64_PC32, _R_X86_64_PLT32 = 1, 2, 4
_FUNCTION_AT = b"\xff\x25\x00\x00\x00\x00"
"""``jmp *(%rip)``: goes on at the address that follows."""
_STUB = 16


class CannotLoad(Exception):
    """The object file has something that is not dealt with here, or the system forbids it."""


class _Section(NamedTuple):
    kind: int
    flags: int
    offset: int
    size: int
    link: int
    info: int
    align: int


class _Symbol(NamedTuple):
    name: str
    section: int
    value: int
    is_global: bool


class _Object(NamedTuple):
    """An object file, and where its sections are from the beginning of the memory."""

    code: bytes
    sections: list[_Section]
    symbols: list[_Symbol]
    places: dict[int, int]


def supported() -> bool:
    """Whether this process runs code of the kind that is dealt with here."""
    return (
        sys.platform.startswith("linux")
        and platform.machine() == "x86_64"
        and ctypes.sizeof(ctypes.c_void_p) == 8
    )


def _read_sections(code: bytes) -> list[_Section]:
    if code[:6] != b"\x7fELF\x02\x01" or struct.unpack_from("<HH", code, 16) != (1, 62):
        raise CannotLoad("it is no relocatable ELF file for x86-64")
    (start,) = struct.unpack_from("<Q", code, 40)
    size, count = struct.unpack_from("<HH", code, 58)
    sections = []
    for i in range(count):
        fields = struct.unpack_from("<IIQQQQIIQQ", code, start + i * size)
        _, kind, flags, _, offset, length, link, info, align, _ = fields
        sections.append(_Section(kind, flags, offset, length, link, info, max(1, align)))
    return sections


_SYMBOL = struct.Struct("<IBBHQQ")
_RELOCATION = struct.Struct("<QIIq")
_SIGNED, _ADDRESS = struct.Struct("<i"), struct.Struct("<Q")


def _read_symbols(code: bytes, sections: list[_Section]) -> list[_Symbol]:
    symbols = []
    for table in sections:
        if table.kind != _SYMBOLS:
            continue
        names = sections[table.link].offset
        entries = code[table.offset : table.offset + table.size]
        for name, kind, _, section, value, _ in _SYMBOL.iter_unpack(entries):
            end = code.index(b"\0", names + name)
            title = code[names + name : end].decode()
            symbols.append(_Symbol(title, section, value, kind >> 4 != 0))
    return symbols


@cache
def _library_function(name: str) -> int:
    """The address of a function of Python or the C library."""
    for library in (None, "libm.so.6", "libc.so.6"):
        try:
            found = getattr(ctypes.CDLL(library), name)
        except (OSError, AttributeError):
            continue
        return int(ctypes.cast(found, ctypes.c_void_p).value or 0)
    raise CannotLoad(f"there is no function {name}")


def _relocate(o: _Object, memory: bytearray, base: int, functions: dict[str, int]) -> None:
    """Fill in the addresses that ``o`` leaves open; ``memory`` will be at ``base``."""

    def address(symbol: _Symbol) -> int:
        if symbol.section == 0:
            return functions[symbol.name]
        if symbol.section not in o.places:
            raise CannotLoad(f"the symbol {symbol.name!r} is in no section of the program")
        return o.places[symbol.section] + symbol.value

    known: dict[int, int] = {}
    """The addresses of the symbols, by their numbers."""
    for section in o.sections:
        if section.kind != _ADDENDED or section.info not in o.places:
            continue
        start = o.places[section.info]
        entries = o.code[section.offset : section.offset + section.size]
        for offset, kind, number, addend in _RELOCATION.iter_unpack(entries):
            target = known.get(number)
            if target is None:
                target = known[number] = address(o.symbols[number])
            place = start + offset
            if kind == _R_X86_64_PC32 or kind == _R_X86_64_PLT32:
                _SIGNED.pack_into(memory, place, target + addend - place)
            elif kind == _R_X86_64_64:
                _ADDRESS.pack_into(memory, place, base + target + addend)
            else:
                raise CannotLoad(f"relocations of type {kind} are not done")


class ObjectCode:
    """The functions of object files in memory; they are valid while this lives.

    Args:
        codes: ELF object files for x86-64, whose functions may call one another.
        functions: addresses of others that they call.

    Raises:
        CannotLoad: it cannot be loaded in this way; nothing has been done.
    """

    def __init__(self, *codes: bytes, functions: Mapping[str, int] | None = None) -> None:
        if not supported():
            raise CannotLoad("this is not Linux on x86-64")
        try:
            self._load(codes, functions or {})
        except (struct.error, IndexError, ValueError, OSError) as error:
            raise CannotLoad(str(error)) from error

    def _load(self, codes: tuple[bytes, ...], given: Mapping[str, int]) -> None:
        objects = []
        size = 0
        for code in codes:
            sections = _read_sections(code)
            places = {}
            for i, section in enumerate(sections):
                if section.flags & _ALLOCATED:
                    size = -(-size // section.align) * section.align
                    places[i] = size
                    size += section.size
            objects.append(_Object(code, sections, _read_symbols(code, sections), places))
        functions = {
            s.name: o.places[s.section] + s.value
            for o in objects
            for s in o.symbols
            if s.is_global and s.section in o.places
        }
        used = {s.name for o in objects for s in o.symbols if s.section == 0 and s.name}
        stubs = -(-size // _STUB) * _STUB
        stub_of = {
            name: stubs + i * _STUB for i, name in enumerate(sorted(used - functions.keys()))
        }
        memory = bytearray(stubs + len(stub_of) * _STUB)
        for name, at in stub_of.items():
            memory[at : at + len(_FUNCTION_AT)] = _FUNCTION_AT
            target = given[name] if name in given else _library_function(name)
            _ADDRESS.pack_into(memory, at + len(_FUNCTION_AT), target)
        for o in objects:
            for i, at in o.places.items():
                section = o.sections[i]
                if section.kind != _EMPTY:
                    end = section.offset + section.size
                    memory[at : at + section.size] = o.code[section.offset : end]
        mapped = mmap.mmap(
            -1,
            -(-len(memory) // mmap.PAGESIZE) * mmap.PAGESIZE,
            mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS,
        )
        self._holder = (ctypes.c_char * len(mapped)).from_buffer(mapped)
        base = ctypes.addressof(self._holder)
        for o in objects:
            _relocate(o, memory, base, stub_of | functions)
        mapped[: len(memory)] = bytes(memory)
        protect = ctypes.CDLL(None, use_errno=True).mprotect
        protect.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int]
        if protect(base, len(mapped), mmap.PROT_READ | mmap.PROT_EXEC):
            why = os.strerror(ctypes.get_errno())
            raise CannotLoad(f"the system gives no memory to run code in: {why}")
        self._base = base
        self._functions = functions

    def address(self, name: str) -> int:
        """The address of a function."""
        at = self._functions.get(name)
        if at is None:
            raise RuntimeError(f"compiled code has no function {name}")
        return self._base + at


__all__ = ["CannotLoad", "ObjectCode", "supported"]
