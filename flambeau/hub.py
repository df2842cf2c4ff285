"""``torch.hub``: models from a folder with a ``hubconf.py``, and files from the network.

Source: https://docs.pytorch.org/docs/stable/hub.html
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
import tempfile
import urllib.error
import urllib.parse
import urllib.request
from types import ModuleType
from typing import Any

__all__ = [
    "download_url_to_file",
    "get_dir",
    "help",
    "list",
    "load",
    "load_state_dict_from_url",
    "set_dir",
]

TIMEOUT = 60.0
"""Seconds of silence after which a download is given up."""

_folder: str | None = None


def get_dir() -> str:
    """The folder of downloads: ``set_dir``'s, ``$TORCH_HOME/hub`` or ``~/.cache/torch/hub``."""
    if _folder is not None:
        return _folder
    cache = os.environ.get("XDG_CACHE_HOME", "~/.cache")
    home = os.environ.get("TORCH_HOME", os.path.join(cache, "torch"))
    return os.path.join(os.path.expanduser(home), "hub")


def set_dir(d: str | os.PathLike[str]) -> None:
    """Set the folder of downloads to the path ``d``."""
    global _folder
    _folder = os.path.expanduser(d)


def _hubconf(repo_or_dir: str, source: str) -> ModuleType:
    if source not in ("github", "local"):
        raise ValueError(f'Unknown source: "{source}". Allowed values: "github" | "local".')
    if source == "github":
        raise RuntimeError(
            f"torch.hub: {repo_or_dir!r} would be downloaded from GitHub and run. flambeau does "
            "not run downloaded code: clone the repository, look at it, and load it with "
            "torch.hub.load(folder, model, source='local')"
        )
    path = os.path.join(repo_or_dir, "hubconf.py")
    spec = importlib.util.spec_from_file_location("hubconf", path)
    if spec is None or spec.loader is None or not os.path.exists(path):
        raise FileNotFoundError(f"torch.hub: {repo_or_dir!r} has no hubconf.py")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(repo_or_dir))
    try:
        spec.loader.exec_module(module)
    finally:
        sys.path.remove(str(repo_or_dir))
    return module


def _entry(module: ModuleType, model: str) -> Any:
    entry = getattr(module, model, None) if isinstance(model, str) else None
    if not callable(entry):
        raise RuntimeError(f"Cannot find callable {model} in hubconf")
    return entry


def load(
    repo_or_dir: str,
    model: str,
    *args: Any,
    source: str = "github",
    trust_repo: Any = "check",
    force_reload: bool = False,
    verbose: bool = True,
    skip_validation: bool = False,
    **kwargs: Any,
) -> Any:
    """What the function ``model`` of a folder's ``hubconf.py`` returns.

    Args:
        repo_or_dir: the folder.
        model: the function's name.
        args, kwargs: for the function.
        source: "local".
        trust_repo, force_reload, verbose, skip_validation: of downloads, which there are none of.

    Raises:
        RuntimeError: ``source="github"``, as no code is downloaded; no such function.
        FileNotFoundError: the folder has no ``hubconf.py``.
        ValueError: another source.
    """
    return _entry(_hubconf(repo_or_dir, source), model)(*args, **kwargs)


def list(github: str, force_reload: bool = False, source: str = "github", **options: Any) -> Any:
    """The names of the functions in a folder's ``hubconf.py``.

    Args:
        github: the folder.
        source: "local".
        force_reload, options: of downloads, which there are none of.

    Raises:
        RuntimeError: ``source="github"``, as no code is downloaded.
        FileNotFoundError: the folder has no ``hubconf.py``.
        ValueError: another source.
    """
    module = _hubconf(github, source)
    return [
        name for name in dir(module) if callable(getattr(module, name)) and not name.startswith("_")
    ]


def help(github: str, model: str, source: str = "github", **options: Any) -> str | None:
    """The docstring of a function in a folder's ``hubconf.py``.

    Args:
        github: the folder.
        model: the function's name.
        source: "local".
        options: of downloads, which there are none of.

    Raises:
        RuntimeError: ``source="github"``, as no code is downloaded; no such function.
        FileNotFoundError: the folder has no ``hubconf.py``.
        ValueError: another source.
    """
    return _entry(_hubconf(github, source), model).__doc__


def download_url_to_file(
    url: str, dst: str, hash_prefix: str | None = None, progress: bool = True
) -> None:
    """Download a file; it is there whole or not at all.

    Args:
        url: where it is.
        dst: the path to write.
        hash_prefix: how its SHA-256 begins.
        progress: show a bar on standard error (if tqdm is installed).

    Raises:
        RuntimeError: its SHA-256 begins otherwise.
        urllib.error.URLError: it cannot be had, or the connection ended before it did.
    """
    folder = os.path.dirname(os.path.expanduser(dst)) or "."
    digest = hashlib.sha256()
    with tempfile.NamedTemporaryFile(dir=folder, delete=False) as file:
        try:
            with urllib.request.urlopen(url, timeout=TIMEOUT) as answer:
                length = answer.headers.get("Content-Length")
                bar = _bar(length) if progress else None
                while block := answer.read(1 << 17):
                    file.write(block)
                    digest.update(block)
                    if bar is not None:
                        bar.update(len(block))
                if bar is not None:
                    bar.close()
            if length is not None and file.tell() < int(length):
                raise urllib.error.URLError(
                    f"the connection ended after {file.tell()} of {length} bytes"
                )
            file.close()
            if hash_prefix is not None and not digest.hexdigest().startswith(hash_prefix):
                raise RuntimeError(
                    f'invalid hash value (expected "{hash_prefix}", got "{digest.hexdigest()}")'
                )
            os.replace(file.name, os.path.expanduser(dst))
        finally:
            if os.path.exists(file.name):
                os.remove(file.name)


def _bar(length: str | None) -> Any:
    """A progress bar for so many bytes, if there is tqdm to draw it."""
    try:
        from tqdm import tqdm
    except ImportError:
        return None
    return tqdm(total=length and int(length), unit="B", unit_scale=True, unit_divisor=1024)


def load_state_dict_from_url(
    url: str,
    model_dir: str | None = None,
    map_location: Any = None,
    progress: bool = True,
    check_hash: bool = False,
    file_name: str | None = None,
    weights_only: bool = True,
) -> dict[str, Any]:
    """Download a state dict once and load it.

    Args:
        url: where the file is.
        model_dir: the folder to keep it in, ``get_dir()/checkpoints`` by default.
        map_location: as in ``torch.load``.
        progress: show a bar on standard error (if tqdm is installed).
        check_hash: its name ends with ``-`` and the beginning of its SHA-256: check it.
        file_name: another name for the file.
        weights_only: load by the allow-list; it is so by default, as the file is a stranger's.

    Raises:
        RuntimeError: the SHA-256 is another.
        urllib.error.URLError: it cannot be had; the message says where to put it by hand.
    """
    from flambeau.serialization import load as load_file

    folder = model_dir or os.path.join(get_dir(), "checkpoints")
    os.makedirs(folder, exist_ok=True)
    name = file_name or os.path.basename(urllib.parse.urlparse(url).path)
    path = os.path.join(folder, name)
    if not os.path.exists(path):
        prefix = None
        if check_hash:
            stem = name.split(".")[0]
            prefix = stem.rpartition("-")[2] if "-" in stem else None
        print(f'Downloading: "{url}" to {path}', flush=True)
        try:
            download_url_to_file(url, path, prefix, progress)
        except urllib.error.HTTPError as error:
            told = _way_out(url, path, error.reason)
            raise urllib.error.HTTPError(url, error.code, told, error.headers, None) from error
        except (urllib.error.URLError, TimeoutError, ConnectionError) as error:
            told = _way_out(url, path, getattr(error, "reason", error))
            raise urllib.error.URLError(told) from error
    state: dict[str, Any] = load_file(path, map_location=map_location, weights_only=weights_only)
    return state


def _way_out(url: str, path: str, reason: object) -> str:
    """What is said of a file that cannot be had."""
    return (
        f"{reason}: tried {url}, since there is no {path}. Without a connection, put the file "
        "there yourself: it is looked for before anything is downloaded. The folder is that of "
        "PyTorch, hub/checkpoints in $TORCH_HOME"
    )
