"""`flambeau run` does what `python` does, with flambeau as torch."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import zipfile
from pathlib import Path
from typing import Any

import pytest


def write(path: Path, source: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(textwrap.dedent(source))
    return path


def test_the_program_sees_flambeau_under_all_names(flambeau: Any, tmp_path: Path) -> None:
    write(
        tmp_path / "program.py",
        """
        import torch
        import torch.nn as nn
        from torch.utils.data import DataLoader, TensorDataset
        import torchvision
        from torchsummary import summary
        x = torch.ones(2, 3)
        print(nn.Linear(3, 4)(x).shape, torch.__name__, torchvision.__name__)
        """,
    )
    done = flambeau("run", "program.py")
    assert done.returncode == 0, done.stderr
    assert done.stdout == "torch.Size([2, 4]) flambeau flambeau.vision\n"


def test_argv_path_and_main_are_those_of_python(flambeau: Any, tmp_path: Path) -> None:
    write(tmp_path / "sub" / "beside.py", "value = 7")
    source = """
        import __main__, os, pickle, sys
        import beside
        class Thing: pass
        print(sys.argv, __name__, __file__, __spec__, __package__, __doc__)
        print(sys.path[0], beside.value, __main__.Thing is Thing)
        print(type(pickle.loads(pickle.dumps(Thing()))) is Thing)
        """
    write(tmp_path / "sub" / "program.py", source)
    ours = flambeau("run", "sub/program.py", "-m", "--help", "a b")
    pythons = subprocess.run(
        [sys.executable, "sub/program.py", "-m", "--help", "a b"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert ours.returncode == 0, ours.stderr
    assert ours.stdout == pythons.stdout


def test_a_module_runs_as_under_python_m(flambeau: Any, tmp_path: Path) -> None:
    source = "import sys; print(sys.argv, sys.path[0], __name__, __package__, __spec__.name)\n"
    write(tmp_path / "package" / "__init__.py", "")
    write(tmp_path / "package" / "__main__.py", source)
    write(tmp_path / "package" / "module.py", source)
    for name in ("package", "package.module"):
        ours = flambeau("run", "-m", name, "-x", "y")
        pythons = subprocess.run(
            [sys.executable, "-m", name, "-x", "y"], cwd=tmp_path, capture_output=True, text=True
        )
        assert ours.returncode == 0, ours.stderr
        assert ours.stdout == pythons.stdout


def test_folders_and_archives_with_a_main_run(flambeau: Any, tmp_path: Path) -> None:
    source = "import beside, torch; print(beside.value, torch.__name__)\n"
    write(tmp_path / "folder" / "__main__.py", source)
    write(tmp_path / "folder" / "beside.py", "value = 7")
    with zipfile.ZipFile(tmp_path / "archive.pyz", "w") as archive:
        archive.writestr("__main__.py", source)
        archive.writestr("beside.py", "value = 7")
    assert flambeau("run", "folder").stdout == "7 flambeau\n"
    assert flambeau("run", "archive.pyz").stdout == "7 flambeau\n"


@pytest.mark.parametrize(
    ("ending", "status", "said"),
    [
        ("pass", 0, ""),
        ("sys.exit()", 0, ""),
        ("sys.exit(3)", 3, ""),
        ("sys.exit('words')", 1, "words\n"),
        ("raise KeyboardInterrupt", -signal.SIGINT, None),
        ("import os; os._exit(5)", 5, ""),
    ],
)
def test_the_exit_status_is_the_programs(
    flambeau: Any, tmp_path: Path, ending: str, status: int, said: str | None
) -> None:
    write(tmp_path / "program.py", f"import sys\n{ending}\n")
    done = flambeau("run", "program.py")
    assert done.returncode == status
    if said is not None:
        assert done.stderr == said


def test_tracebacks_start_at_the_program(flambeau: Any, tmp_path: Path) -> None:
    write(
        tmp_path / "program.py",
        """
        def inner():
            raise ValueError("wrong")
        try:
            1 / 0
        except ZeroDivisionError:
            inner()
        """,
    )
    ours = flambeau("run", "program.py")
    pythons = subprocess.run(
        [sys.executable, "program.py"], cwd=tmp_path, capture_output=True, text=True
    )
    assert ours.returncode == 1
    assert ours.stderr == pythons.stderr


def test_syntax_errors_show_the_line_alone(flambeau: Any, tmp_path: Path) -> None:
    write(tmp_path / "program.py", "def f(:\n")
    done = flambeau("run", "program.py")
    assert done.returncode == 1
    assert "program.py" in done.stderr and "SyntaxError" in done.stderr
    assert "Traceback" not in done.stderr and "flambeau" not in done.stderr


def test_the_programs_own_excepthook_is_called(flambeau: Any, tmp_path: Path) -> None:
    write(
        tmp_path / "program.py",
        """
        import sys, traceback
        def hook(kind, value, where):
            print(kind.__name__, [frame.name for frame in traceback.extract_tb(where)])
        sys.excepthook = hook
        raise LookupError
        """,
    )
    assert flambeau("run", "program.py").stdout == "LookupError ['<module>']\n"


def test_a_missing_name_fails_at_its_line(flambeau: Any, tmp_path: Path) -> None:
    write(
        tmp_path / "program.py",
        """\
        import torch
        print(hasattr(torch, "no_such_thing"))
        torch.no_such_thing(3)
        """,
    )
    done = flambeau("run", "program.py")
    assert done.stdout == "False\n"
    assert "line 3" in done.stderr and "no_such_thing" in done.stderr
    assert done.stderr.splitlines()[-1].startswith("AttributeError")


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_child_processes_see_flambeau(flambeau: Any, tmp_path: Path, method: str) -> None:
    import multiprocessing

    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} here")
    write(
        tmp_path / "program.py",
        """
        import multiprocessing, sys
        import torch
        class Point:
            def __init__(self, x):
                self.x = x
        def work(point):
            import torch.nn
            return torch.__name__, int(torch.tensor(point.x) + 1)
        if __name__ == "__main__":
            with multiprocessing.get_context(sys.argv[1]).Pool(1) as pool:
                print(pool.map(work, [Point(1), Point(2)]))
        """,
    )
    done = flambeau("run", "program.py", method)
    assert done.stdout == "[('flambeau', 2), ('flambeau', 3)]\n", done.stderr


def test_an_installed_pytorch_stays_out_of_it(flambeau: Any, tmp_path: Path) -> None:
    write(tmp_path / "torch" / "__init__.py", "raise AssertionError('imported')")
    write(tmp_path / "program.py", "import torch; print(torch.__name__)")
    assert flambeau("run", "program.py").stdout == "flambeau\n"


@pytest.mark.parametrize(
    ("words", "status", "said"),
    [
        ((), 2, "usage"),
        (("absent.py",), 2, "no such file"),
        (("-m",), 2, "which module"),
        (("-m", "absent_module"), 1, "no module named absent_module"),
        (("-m", "email.absent"), 1, "no module named email.absent"),
        (("-x",), 2, "unknown option '-x'"),
    ],
)
def test_what_cannot_be_run_is_refused_in_words(
    flambeau: Any, words: tuple[str, ...], status: int, said: str
) -> None:
    done = flambeau("run", *words)
    assert done.returncode == status
    assert said in done.stderr
    assert "Traceback" not in done.stderr
