"""Arguments that several commands take."""

import argparse
import os
import sys
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Callable
from typing import TYPE_CHECKING

from depwatch.compare.policies import HOT_AFTER

if TYPE_CHECKING:
    from depwatch.compare.record.program import Program

type Commands = argparse._SubParsersAction[ArgumentParser]
type Run = Callable[[argparse.Namespace], None]


def add_command(
    commands: Commands, name: str, run: Run, title: str, text: str, usage: str | None = None
) -> ArgumentParser:
    """A command that runs run. title: one line of `depwatch --help`; text: what its own help adds."""
    parser = commands.add_parser(
        name, help=title, description=f"{title[0].upper()}{title[1:]}. {text}", usage=usage, allow_abbrev=False
    )
    parser.set_defaults(run=run, parser=parser)
    return parser


def add_program_command(commands: Commands, name: str, run: Run, title: str, text: str) -> ArgumentParser:
    """A command that runs a program: what follows the program's name belongs to the program, options too."""
    usage = "%(prog)s [OPTIONS] SCRIPT [ARGUMENTS]\n       %(prog)s [OPTIONS] -m MODULE [ARGUMENTS]"
    parser = add_command(commands, name, run, title, text, usage)
    parser.add_argument("-m", dest="is_module", action="store_true", help="run a module, as `python -m MODULE` does")
    parser.add_argument("program", nargs=argparse.REMAINDER, help="the script or module, and its own arguments")
    return parser


def add_hot_after(parser: ArgumentParser) -> None:
    """The option of commands that record."""
    parser.add_argument(
        "--hot-after",
        metavar="CALLS",
        type=_count,
        default=HOT_AFTER,
        help="calls after which a function counts as hot: an optimizer would compile it (default: %(default)s)",
    )


def add_json(parser: ArgumentParser, text: str) -> None:
    parser.add_argument("--json", action="store_true", help=text)


def add_values(parser: ArgumentParser) -> None:
    """The option of commands that write what a program's values or arguments are."""
    from depwatch.redaction import KEYS, PARTS, WORDS

    names = ", ".join((*PARTS, *WORDS, *(f"{key}_key" for key in KEYS)))
    parser.add_argument(
        "--values",
        choices=("on", "off"),
        default="on",
        help="off: hide all arguments of the program and values in messages; a trace has no others. Otherwise those "
        f"are hidden whose name looks like a secret's: {names}",
    )


def program(arguments: argparse.Namespace) -> "Program | None":
    """What the command is to run; None if nothing was given."""
    from depwatch.compare.record.program import Program

    words = arguments.program[arguments.program[:1] == ["--"] :]  # which ends the command's own options
    if words:
        if sys.flags.ignore_environment or sys.flags.no_site:
            arguments.parser.error(
                "Python was started with -E, -I or -S, and so would the program be: then it reads neither PYTHONPATH "
                "nor sitecustomize, by which the recorder gets into its process. Start it without these"
            )
        return Program(words[0], arguments.is_module, tuple(words[1:]))
    if arguments.is_module:
        arguments.parser.error("-m needs the name of a module")
    return None


def file(value: str) -> str:
    """A file to write, which may be there already."""
    if os.path.isdir(value):
        raise ArgumentTypeError(f"{value!r} is a directory: name a file")
    return value


def _count(value: str) -> int:
    if not (value.isdecimal() and int(value)):
        raise ArgumentTypeError(f"{value!r} is no whole number of at least 1")
    return int(value)
