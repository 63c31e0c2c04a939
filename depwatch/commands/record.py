"""`depwatch record`."""

import os
from argparse import ArgumentParser, ArgumentTypeError, Namespace

from depwatch import _core

from .arguments import Commands, add_hot_after, add_json, add_program_command, add_values, file, program
from .extras import need


def add(commands: Commands) -> None:
    parser = add_program_command(
        commands,
        "record",
        _record,
        "run a program and write what happened to everything that its hot functions rely on",
        "The program runs as it would without depwatch, and this command ends as the program does: with the same exit "
        "status, or killed by the same signal. What the program does until then is in the trace for `depwatch replay`.",
    )
    add_hot_after(parser)
    add_values(parser)
    parser.add_argument(
        "-o",
        dest="output",
        metavar="FILE",
        type=_trace_file,
        default="trace.parquet",
        help="where to write the trace (default: %(default)s); those of processes that the program starts or forks go "
        "beside it: with FILE out/t.parquet that of process 123 is out/t.123.parquet",
    )
    add_json(parser, "say what was recorded as a line of JSON on stdout, in place of a sentence on stderr")
    parser.add_argument(
        "--python",
        metavar="FILE",
        type=_interpreter,
        help="the interpreter to run the program with, if not this one: one of the same version that can import "
        "depwatch too",
    )


def _trace_file(value: str) -> str:
    if value == "-":
        raise ArgumentTypeError("'-' is stdout, where the program's own output goes: name a file for the trace")
    return file(value)


def _interpreter(value: str) -> str:
    if not (os.path.isfile(value) and os.access(value, os.X_OK)):
        raise ArgumentTypeError(f"{value!r} is no file that can be run")
    return value


def _record(arguments: Namespace) -> None:
    need("record", "compare", "numpy", "pyarrow")
    from depwatch.compare.trace.child import end_as
    from depwatch.compare.trace.supervise import record

    if _core.is_switched_off():
        raise SystemExit("depwatch record: depwatch is switched off (DEPWATCH=0), so nothing would be seen; unset it")
    recorded = program(arguments)
    if recorded is None:
        parser: ArgumentParser = arguments.parser
        parser.error("name a SCRIPT, or a MODULE after -m")
    try:
        status = record(
            recorded, arguments.output, arguments.hot_after, arguments.python, arguments.values == "on", arguments.json
        )
    except OSError as error:
        raise SystemExit(f"depwatch record: no trace can be written: {error}") from None
    end_as(status)
