"""A Python program that is recorded: what CPython is told, and how the recorder comes into its process.

CPython starts the program itself, so that it runs as it would without us. It imports `sitecustomize` before, and finds
the one in the folder start/, first on PYTHONPATH, which leaves nothing of this behind.
"""

import json
import os
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

START: Final = os.path.join(os.path.dirname(__file__), "start")  # its sitecustomize.py has these two names again
VARIABLE: Final = "DEPWATCH_RECORD"
CHILDREN_LEFT_OUT: Final = "children that were not recorded"  # in the metadata of a trace; tap/children.c has it again

_WITH_VALUE: Final = "WX"  # options of the interpreter that have one
_WITH_LONG_VALUE: Final = "--check-hash-based-pycs"


class Program(NamedTuple):
    """What follows `python` on a command line."""

    name: str  # a script, a directory or zip file with a __main__, or a module
    is_module: bool
    arguments: tuple[str, ...]

    @property
    def command(self) -> list[str]:
        return [*(["-m"] if self.is_module else []), self.name, *self.arguments]

    def environment(self, journal: str, hot_after: int, of_us: Mapping[str, str]) -> dict[str, str]:
        """The environment in which `python *command` is recorded, in place of ours. journal: an absolute directory."""
        path = of_us.get("PYTHONPATH")
        given = Given(journal, hot_after, None, False)
        return {
            **of_us,
            "PYTHONPATH": path_with_ours(path),
            VARIABLE: json.dumps(given.told()),
        }


class Given(NamedTuple):
    """What the recorder is told in a process of the program."""

    journal: str  # directory: the program's own journal, and a directory for that of each child
    hot_after: int
    place: str | None  # the directory that <program> stands for in a child that runs no script; None: the present one
    is_child: bool

    def told(self) -> dict[str, Any]:
        return self._asdict()


def path_with_ours(path: str | None) -> str:
    """PYTHONPATH with our directory first, and what it was. An empty part would mean the present directory."""
    return START if path is None else f"{START}{os.pathsep}{path}" if path else f"{START}/"


def split(arguments: list[str]) -> tuple[list[str], list[str]]:
    """A command line of an interpreter: its options, not all of which sys.flags has (-u, other -X), and what runs."""
    options: list[str] = []
    rest = arguments[1:]
    while rest and rest[0].startswith("-") and rest[0] != "-":
        argument = rest.pop(0)
        if argument.startswith("--"):
            options.append(argument)
            if argument == _WITH_LONG_VALUE and rest:
                options.append(rest.pop(0))
            continue
        for at, letter in enumerate(argument[1:], 1):
            if letter in "mc":  # begins what is run, perhaps behind others: -Im
                before, after = argument[:at], argument[at + 1 :]
                return options + [before] * (at > 1), [f"-{letter}", *([after] if after else []), *rest]
            if letter in _WITH_VALUE:
                options.append(argument)
                if at == len(argument) - 1 and rest:
                    options.append(rest.pop(0))
                break
        else:
            options.append(argument)
    return options, rest
