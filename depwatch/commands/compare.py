"""`depwatch compare`."""

import os
import signal
import sys
from argparse import ArgumentTypeError, Namespace
from typing import TYPE_CHECKING

from .arguments import Commands, add_hot_after, add_program_command, file, program
from .extras import need

if TYPE_CHECKING:
    from depwatch.compare.record.program import Program


def add(commands: Commands) -> None:
    parser = add_program_command(
        commands,
        "compare",
        _compare,
        "run a program and compare what each way of invalidating optimized code would have cost it",
        "The program runs as it would without depwatch; the table goes to stderr when it has ended. Without a program: "
        "three programs of the packages that the extra `compare` installs.",
    )
    add_hot_after(parser)
    parser.usage = f"{parser.usage}\n       %(prog)s [OPTIONS]"
    parser.add_argument("-o", dest="output", metavar="FILE", type=_new_file, help="write the report there, as JSON")


def _new_file(value: str) -> str:
    if not os.access(os.path.dirname(os.path.abspath(value)), os.W_OK):
        raise ArgumentTypeError(f"no file can be made at {value!r}")
    return file(value)


def _compare(arguments: Namespace) -> None:
    need("compare", "compare", "msgspec", "numpy", "pyarrow", "rich")
    compared = program(arguments)
    if compared is None:
        _compare_defaults(arguments.output, arguments.hot_after)
    else:
        _compare_program(compared, arguments.output, arguments.hot_after)


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


def _compare_program(compared: "Program", output: str | None, hot_after: int) -> None:
    from depwatch.compare.comparison import compare
    from depwatch.compare.trace.child import end_as

    try:
        status = compare(compared, output, hot_after)
    except OSError as error:
        raise SystemExit(f"depwatch compare: {output or 'the trace'}: cannot be written: {error}") from None
    end_as(status)
