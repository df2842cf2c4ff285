"""`flambeau run`: a program as Python would run it, with flambeau under PyTorch's names."""

from __future__ import annotations

import builtins
import functools
import importlib.machinery
import importlib.util
import io
import os
import sys
from importlib.machinery import ModuleSpec, PathFinder, SourceFileLoader
from types import CodeType, ModuleType, TracebackType
from typing import Any

from flambeau import compat

HELP = """\
usage: flambeau run SCRIPT [ARGS...]
       flambeau run -m MODULE [ARGS...]

Runs a program with flambeau as its torch, torchvision and torchsummary. Everything else is as
`python SCRIPT` has it: sys.argv, sys.path, __main__, the exit status. Child processes of
multiprocessing see flambeau too. An installed PyTorch is neither imported nor changed.
"""


def run(arguments: list[str]) -> int:
    """Run a script, a folder or archive with a `__main__.py`, or a module (`-m`).

    Arguments:
        arguments: the words behind `run`: the program, and its own.

    Returns:
        0 when the program came to its end, 2 when there is no such program. What the program
        raises (SystemExit included) passes through to the interpreter, so that it ends as it
        would under `python`; the traceback starts at the program's own first line.
    """
    if not arguments:
        print(HELP, end="", file=sys.stderr)
        return 2
    first, *rest = arguments
    if first in ("-h", "--help"):
        print(HELP, end="")
        return 0
    if first == "--":
        if not rest:
            return _refuse("which script? (flambeau run -- SCRIPT)")
        return _run_script(rest[0], rest[1:])
    if first == "-m" or (first.startswith("-m") and not first.startswith("--")):
        words = [first[2:], *rest] if len(first) > 2 else rest
        if not words:
            return _refuse("which module? (flambeau run -m MODULE)")
        return _run_module(words[0], words[1:])
    if first.startswith("-"):
        return _refuse(f"unknown option {first!r}; there is -m MODULE")
    return _run_script(first, rest)


def _refuse(reason: str) -> int:
    print(f"flambeau run: {reason}", file=sys.stderr)
    return 2


def _run_script(script: str, arguments: list[str]) -> int:
    path = os.path.abspath(script)
    if not os.path.exists(path):
        return _refuse(f"can't open file {script!r}: no such file")
    if os.path.isdir(path) or _is_archive(path):
        _set_first_path(path)
        spec = PathFinder.find_spec("__main__", [path])
        if spec is None:
            return _refuse(f"can't find '__main__' module in {script!r}")
        module = _main_from_spec(spec)
    else:
        _set_first_path(os.path.dirname(os.path.realpath(path)))
        spec = None
        module = ModuleType("__main__")
        module.__dict__.update(
            __file__=path,
            __cached__=None,
            __package__=None,
            __loader__=SourceFileLoader("__main__", path),
            __spec__=None,
        )
    sys.argv[:] = [script, *arguments]
    return _execute(module, spec)


def _run_module(name: str, arguments: list[str]) -> int:
    if name.startswith("."):
        return _refuse("relative module names are not supported")
    compat.install()
    _set_first_path(os.getcwd())
    # As under `python -m`: while the parents of the module are imported, argv says what it is.
    sys.argv[:] = ["-m", *arguments]
    try:
        spec = importlib.util.find_spec(name)
        if spec is not None and spec.submodule_search_locations is not None:
            package, name = name, name + ".__main__"
            spec = importlib.util.find_spec(name)
            if spec is None:
                return _refuse(
                    f"no module named {name}; {package!r} is a package and cannot be run"
                )
    except ModuleNotFoundError as error:
        # A parent that is not there; what a parent lacks while it is imported is its own error.
        if error.name is None or not (name + ".").startswith(error.name + "."):
            raise
        spec = None
    if spec is None:
        print(f"flambeau run: no module named {name}", file=sys.stderr)
        return 1  # as under `python -m`
    module = _main_from_spec(spec)
    sys.argv[0] = spec.origin or name
    return _execute(module, spec)


def _is_archive(path: str) -> bool:
    with open(path, "rb") as file:
        start = file.read(4)
    if start != b"PK\x03\x04":
        return False
    import zipfile

    return zipfile.is_zipfile(path)


def _set_first_path(folder: str) -> None:
    """Put the program's folder where Python has put that of the `flambeau` command."""
    if sys.flags.safe_path:  # -P, -I: Python has put none, and the program gets none
        return
    sys.path[0:1] = [folder]


def _main_from_spec(spec: ModuleSpec) -> ModuleType:
    module = ModuleType("__main__")
    module.__dict__.update(
        __file__=spec.origin,
        __cached__=spec.cached,
        __package__=spec.parent,
        __loader__=spec.loader,
        __spec__=spec,
    )
    return module


def _execute(module: ModuleType, spec: ModuleSpec | None) -> int:
    """Run the program in the module, which becomes `__main__` (and stays so to the end)."""
    prepare()
    module.__dict__["__builtins__"] = builtins
    launcher = sys.modules["__main__"]
    sys.modules["__main__"] = module
    try:
        exec(_code(module, spec), module.__dict__)
    except BaseException as error:
        # Left to the interpreter, which knows about exit statuses, signals and the user's
        # excepthook; only our frames and those of the launcher are taken off the top.
        _start_traceback_below(error)
        raise
    finally:
        del launcher
    return 0


def _code(module: ModuleType, spec: ModuleSpec | None) -> CodeType:
    if spec is None:
        path = module.__dict__["__file__"]
        with io.open_code(path) as file:
            return compile(file.read(), path, "exec", dont_inherit=True)
    code = getattr(spec.loader, "get_code", lambda name: None)(spec.name)
    if code is None:
        raise ImportError(f"no code object available for {spec.name}")
    return code  # type: ignore[no-any-return]


def _start_traceback_below(error: BaseException) -> None:
    programs = error.__traceback__
    while programs is not None and programs.tb_frame.f_code.co_filename.startswith(
        (__file__, "<frozen importlib")
    ):
        programs = programs.tb_next
    hook = sys.excepthook

    def excepthook(
        kind: type[BaseException], value: BaseException, whole: TracebackType | None
    ) -> None:
        if value is error:
            whole = programs
            value = value.with_traceback(programs)
        hook(kind, value, whole)

    sys.excepthook = excepthook


def prepare() -> None:
    """Install the names, in this process and in those that it will start."""
    compat.install()
    _bring_to_child_processes()


@functools.cache
def _bring_to_child_processes() -> None:
    """Have processes that multiprocessing starts afresh install the names too.

    A forked child has them. A spawned one, and the fork server, start as `python -c "..."`; the
    installation is put in front of that program, before the main module is imported again.
    """
    import multiprocessing.spawn
    import multiprocessing.util

    folder = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
    preparation = (
        f"import sys; sys.path.append({folder!r}); from flambeau.cli import run; "
        f"sys.path.remove({folder!r}); run.prepare(); "
    )

    def prepared(command: list[Any]) -> list[Any]:
        command = list(command)
        for place, word in enumerate(command[:-1]):
            if word in ("-c", b"-c"):
                program = command[place + 1]
                starts = os.fsdecode(program)
                if not starts.startswith(preparation) and (
                    "multiprocessing.spawn" in starts or "multiprocessing.forkserver" in starts
                ):
                    starts = preparation + starts
                    command[place + 1] = (
                        os.fsencode(starts) if isinstance(program, bytes) else starts
                    )
                break
        return command

    spawn: Any = multiprocessing.spawn
    util: Any = multiprocessing.util
    command_line, start = spawn.get_command_line, util.spawnv_passfds

    def get_command_line(**words: Any) -> list[Any]:
        return prepared(command_line(**words))

    def spawnv_passfds(path: Any, args: Any, passfds: Any) -> Any:
        return start(path, prepared(args), passfds)

    spawn.get_command_line = get_command_line
    util.spawnv_passfds = spawnv_passfds
