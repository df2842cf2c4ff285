"""Fetching a file so that what is in its place is always whole and right.

The bytes go to a temporary file of this process alone; only when their checksum is right are they
renamed into place. So a half-written file is never taken for a whole one, and two processes that
download at once do not disturb each other.
"""

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import secrets
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from typing import Any

ATTEMPTS = 3
TIMEOUT = 30.0
_CHUNK = 1 << 16
_LARGEST = 1 << 36


def md5_of(path: str | os.PathLike[str]) -> str:
    """The MD5 of the file ``path``, in hexadecimal.

    Returns:
        32 digits.
    """
    digest = hashlib.md5(usedforsecurity=False)
    with open(path, "rb") as file:
        while chunk := file.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


@contextlib.contextmanager
def temporary_beside(path: str) -> Iterator[str]:
    """The name of a file beside ``path`` that is this process's alone, and gone at the end.

    Returns:
        The context manager that gives it.
    """
    folder, base = os.path.split(path)
    temporary = os.path.join(folder, f".{base}.{os.getpid()}-{secrets.token_hex(4)}.part")
    try:
        yield temporary
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(temporary)


def fetch(
    urls: Sequence[str], path: str | os.PathLike[str], md5: str | None = None, quiet: bool = False
) -> None:
    """Download a file from the first of several addresses that has it.

    A connection that breaks is taken up where it broke; an address that serves the wrong bytes is
    left for the next one.

    Args:
        urls: the addresses, tried in this order.
        path: where the file shall be. If it is there and its checksum is right, nothing is done.
        md5: its checksum, in hexadecimal.
        quiet: show no progress.

    Raises:
        RuntimeError: no address has served the file; the message says what each has answered.
    """
    path = os.fspath(path)
    if os.path.isfile(path) and (md5 is None or md5_of(path) == md5):
        return
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    failures = []
    for url in urls:
        with temporary_beside(path) as temporary:
            try:
                _fetch_from(url, temporary, quiet)
                found = md5_of(temporary)
                if md5 is not None and found != md5:
                    raise RuntimeError(
                        f"File not found or corrupted: it served {os.path.getsize(temporary)} "
                        f"bytes with MD5 {found}, and the file's is {md5}"
                    )
            except (RuntimeError, OSError, http.client.HTTPException, ValueError) as error:
                failures.append(f"Tried {url}, got:\n{error}")
                continue
            with open(temporary, "rb+") as file:
                os.fsync(file.fileno())
            os.replace(temporary, path)
            return
    tried = "\n".join(failures)
    raise RuntimeError(
        f"Error downloading {os.path.basename(path)}:\n{tried}\n"
        f"Without a connection, put the file at {path} yourself."
    )


def _fetch_from(url: str, temporary: str, quiet: bool) -> None:
    """Download one address into a file, taking it up again where a connection breaks.

    It is given up after `ATTEMPTS` that brought nothing new, a chunk at least: a connection that
    breaks again and again still gets there.
    """
    error: Exception | None = None
    attempts, reached = 0, 0
    while attempts < ATTEMPTS:
        have = os.path.getsize(temporary) if os.path.exists(temporary) else 0
        if have >= reached + _CHUNK:
            attempts, reached = 0, have
        attempts += 1
        try:
            if _fetch_once(url, temporary, have, quiet):
                return
            error = RuntimeError("the connection ended before the file did")
        except urllib.error.HTTPError as refused:
            if have and refused.code == 416:  # what was asked for begins past the file's end
                os.unlink(temporary)
                error = refused
                continue
            if refused.code < 500:
                raise
            error = refused
        except (urllib.error.URLError, http.client.HTTPException, OSError) as broken:
            error = broken
    assert error is not None
    raise error


def _fetch_once(url: str, temporary: str, have: int, quiet: bool) -> bool:
    """Append what one request gives; False where less came than was announced."""
    headers = {"User-Agent": "flambeau"}
    if have:
        headers["Range"] = f"bytes={have}-"
    request = urllib.request.Request(url, headers=headers)
    with urllib.request.urlopen(request, timeout=TIMEOUT) as response:
        continued = have > 0 and response.status == 206
        if continued and not response.headers.get("Content-Range", "").startswith(f"bytes {have}-"):
            raise RuntimeError("the server continued at another place than was asked for")
        announced = response.headers.get("Content-Length")
        expected = int(announced) if announced and announced.isdigit() else None
        received = 0
        total = None if expected is None else expected + (have if continued else 0)
        with (
            open(temporary, "ab" if continued else "wb") as file,
            _progress(os.path.basename(url), total, have if continued else 0, quiet) as progress,
        ):
            while chunk := response.read(_CHUNK):
                file.write(chunk)
                received += len(chunk)
                if received > (expected if expected is not None else _LARGEST):
                    raise RuntimeError(f"it serves more than the {expected} bytes it announced")
                if progress is not None:
                    progress.update(len(chunk))
        return expected is None or received == expected


@contextlib.contextmanager
def _progress(what: str, total: int | None, start: int, quiet: bool) -> Iterator[Any]:
    """A progress bar where there is someone to see it and tqdm to draw it."""
    bar = None
    if not quiet and sys.stderr is not None:
        try:
            from tqdm import tqdm
        except ImportError:
            print(f"downloading {what}", file=sys.stderr)
        else:
            bar = tqdm(total=total, initial=start, unit="B", unit_scale=True, desc=what)
    try:
        yield bar
    finally:
        if bar is not None:
            bar.close()
