"""`depwatch numba`."""

import os
import sys
from argparse import ArgumentParser, Namespace
from importlib import metadata

from .arguments import Commands, add_program_command, program
from .extras import need


def add(commands: Commands) -> None:
    add_program_command(
        commands,
        "numba",
        _numba,
        "run a program whose functions decorated by numba never go stale",
        "As if the program was started with DEPWATCH_NUMBA=1 in the environment, which processes that it starts have, "
        "too. What cannot be watched stays plain numba, and is listed on stderr at the end.",
    )


def _numba(arguments: Namespace) -> None:
    need("numba", "numba", "numba")
    from depwatch.compare.record.program import split

    started = program(arguments)
    if started is None:
        parser: ArgumentParser = arguments.parser
        parser.error("name a SCRIPT, or a MODULE after -m")
    if not any(entry.module == "_depwatch_numba" for entry in metadata.entry_points(group="numba_extensions")):
        raise SystemExit(
            "depwatch numba: depwatch is on the path, but not installed, so numba does not know of it; install it with "
            "pip, or call depwatch.integrations.numba.patch() in the program"
        )
    command = [sys.executable, *split(sys.orig_argv)[0], *started.command]
    os.execve(sys.executable, command, os.environ | {"DEPWATCH_NUMBA": "1"})
