"""The command `flambeau`."""

from __future__ import annotations

import sys
from collections.abc import Sequence

__all__ = ["main"]

USAGE = """\
usage: flambeau run SCRIPT [ARGS...]     run a PyTorch program on flambeau
       flambeau run -m MODULE [ARGS...]
       flambeau train [RECIPE] [OPTIONS] train a model (default: digits-cnn)
       flambeau compare RECIPE [OPTIONS] train it with some settings varied, and overlay the runs
       flambeau info                     versions, processor, threads, devices
       flambeau --version

`flambeau COMMAND --help` says more. `python -m flambeau` is the same command.
"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Carry out one command.

    Arguments:
        arguments: the words after `flambeau`; those of this process if None.

    Returns:
        The exit status: 0, or 2 for arguments that make no sense.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    command, rest = (words[0], words[1:]) if words else ("", [])
    try:
        return _carry_out(command, rest)
    except KeyboardInterrupt:
        if command == "run":
            raise  # a program ends as it would under Python
        print(f"flambeau {command}: interrupted", file=sys.stderr)
        return 130


def _carry_out(command: str, rest: list[str]) -> int:
    match command:
        case "run":
            from flambeau.cli.run import run

            return run(rest)
        case "train":
            from flambeau.cli.train import train

            return train(rest)
        case "compare":
            from flambeau.cli.compare import compare

            return compare(rest)
        case "info":
            from flambeau.cli.info import info

            return info(rest)
        case "--version" | "-V" | "version":
            from flambeau.version import FLAMBEAU_VERSION

            print(f"flambeau {FLAMBEAU_VERSION}")
            return 0
        case "-h" | "--help" | "help":
            print(USAGE, end="")
            return 0
        case "":
            print(USAGE, end="", file=sys.stderr)
            return 2
    print(
        f"flambeau: there is no command {command!r}; there are run, train, compare and info"
        + (f" (did you mean `flambeau run {command}`?)" if command.endswith(".py") else ""),
        file=sys.stderr,
    )
    return 2
