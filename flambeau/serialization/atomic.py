"""Replacing a file as a whole: at any moment the disk holds the old file or the new one."""

from __future__ import annotations

import contextlib
import os
import secrets
import stat
from collections.abc import Iterator
from typing import BinaryIO


@contextlib.contextmanager
def replacing(path: str | os.PathLike[str]) -> Iterator[BinaryIO]:
    """Open a new file that takes the place of ``path`` when the block ends without an error.

    The bytes go to a temporary file in the same folder, are flushed to the disk, and then renamed
    over ``path``; a process killed in between leaves the old file as it was. The new file gets
    the old one's permissions, or those that the umask gives a new file. A symbolic link stays a
    link: what it points to is replaced. Devices and pipes are written directly.

    Args:
        path: the file to create or to replace.

    Raises:
        RuntimeError: the folder does not exist, or ``path`` is a folder.
    """
    shown = os.fspath(path)
    target = os.path.realpath(shown)
    folder, base = os.path.split(target)
    if not os.path.isdir(folder):
        raise RuntimeError(
            f"Parent directory {os.path.dirname(shown) or folder} does not exist. Create it before "
            f"saving {shown}: os.makedirs({os.path.dirname(shown)!r}, exist_ok=True)."
        )
    if not base or os.path.isdir(target):
        raise RuntimeError(
            f"open file failed with strerror: Is a directory. {shown!r} names a folder; "
            "a file's name is needed."
        )
    mode = None
    with contextlib.suppress(FileNotFoundError):
        found = os.stat(target)
        if not stat.S_ISREG(found.st_mode):
            with open(target, "wb") as special:
                yield special
            return
        mode = stat.S_IMODE(found.st_mode)
    temporary = os.path.join(folder, f".{base[:100]}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0)
    descriptor = os.open(temporary, flags, 0o666)  # less the umask, as for any new file
    try:
        with os.fdopen(descriptor, "wb") as file:
            yield file
            file.flush()
            if mode is not None:
                with contextlib.suppress(OSError):  # not every file system has permissions
                    os.chmod(temporary, mode)
            os.fsync(file.fileno())
        os.replace(temporary, target)
    except BaseException:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)
        raise
    _sync_folder(folder)


def _sync_folder(folder: str) -> None:
    """Make a rename in this folder durable, where the system can."""
    if os.name != "posix":
        return
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
