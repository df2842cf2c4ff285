"""The command itself: its commands, its help, its refusals."""

from __future__ import annotations

from typing import Any

from flambeau.cli import main


def test_without_a_command_the_usage_is_shown_as_an_error(capsys: Any) -> None:
    assert main([]) == 2
    assert "flambeau run SCRIPT" in capsys.readouterr().err


def test_help_is_no_error(capsys: Any) -> None:
    assert main(["--help"]) == 0
    assert "flambeau train" in capsys.readouterr().out


def test_unknown_commands_are_refused_in_words(capsys: Any) -> None:
    assert main(["trian"]) == 2
    assert "no command 'trian'" in capsys.readouterr().err
    assert main(["model.py"]) == 2
    assert "flambeau run model.py" in capsys.readouterr().err


def test_version(capsys: Any) -> None:
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.startswith("flambeau 0.")


def test_info_names_what_computes(capsys: Any) -> None:
    assert main(["info"]) == 0
    said = dict(
        line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines() if "  " in line
    )
    assert {"flambeau", "Python", "NumPy", "BLAS", "threads", "devices"} <= said.keys()


def test_info_takes_no_arguments(capsys: Any) -> None:
    assert main(["info", "all"]) == 2
    assert "no arguments" in capsys.readouterr().err
