"""Taking files out of archives so that what is in its place is always whole.

Only the members that are asked for, by name, are taken: an archive cannot place files elsewhere.
"""

from __future__ import annotations

import gzip
import hashlib
import lzma
import os
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Mapping
from typing import IO, Any

from ...serialization.atomic import replacing

_BROKEN = (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile, tarfile.TarError,
           zipfile.BadZipFile)  # fmt: skip


def _broken(archive: str, error: Any) -> RuntimeError:
    return RuntimeError(
        f"{archive} is truncated or corrupt: {error}. Delete it, and download it again."
    )


def unpack(packed: str, unpacked: str) -> None:
    """Unpack a file ``.gz`` or ``.xz``.

    Args:
        packed: the file.
        unpacked: where what is in it shall be.

    Raises:
        RuntimeError: the file is truncated or corrupt.
    """
    opened: Any = lzma.open if packed.endswith(".xz") else gzip.open
    try:
        with opened(packed, "rb") as source, replacing(unpacked) as target:
            shutil.copyfileobj(source, target, 1 << 20)
    except _BROKEN as error:
        raise _broken(packed, error) from error


def unpack_tar(archive: str, folder: str, members: Mapping[str, str | None]) -> None:
    """Take files out of a tar archive.

    Args:
        archive: the archive, packed or not.
        folder: where the files shall lie, under their names in the archive.
        members: their names, and their checksums (MD5) where those are known.

    Raises:
        RuntimeError: the archive is truncated or corrupt, lacks a file, or has another one.
    """
    missing = dict(members)
    try:
        with tarfile.open(archive) as tar:
            for info in tar:
                name = info.name.removeprefix("./")
                if name not in missing or not info.isfile():
                    continue
                source = tar.extractfile(info)
                assert source is not None
                _place(source, os.path.join(folder, name), missing.pop(name), archive)
                if not missing:
                    return
    except _BROKEN as error:
        raise _broken(archive, error) from error
    raise _broken(archive, f"it has no {', '.join(missing)}")


def unpack_gzip_in_zip(archive: str, members: Mapping[str, str]) -> None:
    """Take ``.gz`` files out of a zip archive, and unpack them.

    Args:
        archive: the archive.
        members: their names in the archive, and where what is in them shall be.

    Raises:
        RuntimeError: the archive is truncated or corrupt, or lacks a file.
    """
    try:
        with zipfile.ZipFile(archive) as bundle:
            for name, path in members.items():
                try:
                    packed = bundle.open(name)
                except KeyError:
                    raise _broken(archive, f"it has no {name}") from None
                with packed, gzip.open(packed, "rb") as source, replacing(path) as target:
                    shutil.copyfileobj(source, target, 1 << 20)
    except _BROKEN as error:
        raise _broken(archive, error) from error


def _place(source: IO[bytes], path: str, md5: str | None, archive: str) -> None:
    os.makedirs(os.path.dirname(path), exist_ok=True)
    digest = hashlib.md5(usedforsecurity=False)
    with replacing(path) as target:
        while chunk := source.read(1 << 20):
            digest.update(chunk)
            target.write(chunk)
        if md5 is not None and digest.hexdigest() != md5:
            raise _broken(archive, f"{os.path.basename(path)} in it is not the file published")
