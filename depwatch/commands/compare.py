"""`depwatch compare`."""

import io
import os
import signal
import sys
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from typing import TYPE_CHECKING

from .arguments import Commands, add_hot_after, add_json, add_program_command, add_values, file, program
from .extras import need

if TYPE_CHECKING:
    from depwatch.compare.against import Base
    from depwatch.compare.record.program import Program


def add(commands: Commands) -> None:
    parser = add_program_command(
        commands,
        "compare",
        _compare,
        "run a program and compare what each way of invalidating optimized code would have cost it",
        "The program runs as it would without depwatch, and stdout is its own; then the table goes to stderr. Without "
        "a program: three programs of the packages that the extra `compare` installs, and the tables go to stdout.",
    )
    add_hot_after(parser)
    add_values(parser)
    parser.usage = f"{parser.usage}\n       %(prog)s [OPTIONS]"
    parser.add_argument(
        "-o",
        dest="output",
        metavar="FILE",
        type=_new_file,
        help="write all numbers there, as JSON; -: to stdout, in place of the table",
    )
    add_json(parser, "the same as -o -")
    parser.add_argument(
        "--against",
        metavar="BASE.json",
        help="compare with a former run, which -o BASE.json has written: print what drops more code than then, in "
        "place of the table, and end with status 1 if anything does (2: nothing could be compared; a program that "
        "fails keeps its own status)",
    )
    parser.add_argument(
        "--tolerance",
        metavar="DROPS",
        type=_drops,
        help="with --against: what each cause may drop more, in a program that is not the same each time (default: 0)",
    )


def _new_file(value: str) -> str:
    if value == "-":
        return value
    if not os.access(os.path.dirname(os.path.abspath(value)), os.W_OK):
        raise ArgumentTypeError(f"no file can be made at {value!r}")
    return file(value)


def _drops(value: str) -> int:
    if not value.isdecimal():
        raise ArgumentTypeError(f"{value!r} is no whole number of at least 0")
    return int(value)


def _compare(arguments: Namespace) -> None:
    need("compare", "compare", "msgspec", "numpy", "pyarrow", "rich")
    if arguments.json:
        arguments.output = "-"
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="replace")  # the tables have signs that not every encoding has
    compared = program(arguments)
    base = _base(arguments, compared)
    if compared is None:
        _compare_defaults(arguments.output, arguments.hot_after)
    else:
        _compare_program(compared, arguments.output, arguments.hot_after, arguments.values == "on", base)


def _base(arguments: Namespace, compared: "Program | None") -> "Base | None":
    """The former run to compare with; what is wrong with it ends this process before the program runs."""
    parser: ArgumentParser = arguments.parser
    if arguments.against is None:
        if arguments.tolerance is not None:
            parser.error("--tolerance needs --against BASE.json")
        return None
    if compared is None:
        parser.error("--against needs a program: name the SCRIPT, or the MODULE after -m, that the base is of")
    if arguments.output is not None and os.path.realpath(arguments.output) == os.path.realpath(arguments.against):
        parser.error(f"-o {arguments.output} would replace what --against compares with: name another file")
    from depwatch.compare.against import Base, BaseError

    try:
        return Base(arguments.against, compared, arguments.hot_after, arguments.tolerance or 0)
    except BaseError as problem:
        parser.error(str(problem))


def _compare_defaults(output: str | None, hot_after: int) -> None:
    from depwatch.compare.defaults import PACKAGES, compare_defaults

    need("compare", "compare", *PACKAGES)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # what has been started must end, too
    try:
        status = compare_defaults(output, hot_after)
    except KeyboardInterrupt:
        print("depwatch compare: interrupted", file=sys.stderr)
        status = 130
    sys.exit(status)


def _compare_program(
    compared: "Program", output: str | None, hot_after: int, values: bool, base: "Base | None"
) -> None:
    from depwatch.compare.comparison import compare
    from depwatch.compare.trace.child import end_as

    try:
        status = compare(compared, output, hot_after, values, base)
    except OSError as error:
        raise SystemExit(f"depwatch compare: {output or 'the trace'}: cannot be written: {error}") from None
    end_as(status)
