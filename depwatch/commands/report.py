"""`depwatch report`."""

import json
import sys
from collections.abc import Sequence

from .arguments import Commands, add_command, add_json
from .extras import need


def add(commands: Commands) -> None:
    parser = add_command(
        commands,
        "report",
        lambda arguments: _report(arguments.output, arguments.inputs, arguments.json),
        "make one HTML page of what replays found",
        "The page needs no other file and no network.",
    )
    parser.add_argument(
        "-o",
        dest="output",
        metavar="FILE",
        default="report.html",
        help="where to write the page; -: to stdout (default: %(default)s)",
    )
    add_json(parser, "say what was written as a line of JSON on stdout, in place of a sentence on stderr")
    parser.add_argument(
        "inputs",
        metavar="INPUTS",
        nargs="*",
        help="traces (*.parquet), which are replayed first, and replays: the JSON of `depwatch replay -o`",
    )


def _report(output: str, inputs: Sequence[str], as_json: bool = False) -> None:
    need("report", "report", "jinja2", "msgspec", "numpy", "pyarrow")
    from depwatch.compare.report.inputs import ReportError, read, sources
    from depwatch.compare.report.page import check_output, render, write

    if output == "-" and as_json:
        sys.exit("depwatch report: -o - and --json both want stdout: leave one of them out")
    try:
        if output != "-":
            check_output(output, inputs)
        replay = read(inputs)
        text = render(replay, sources(inputs))
        if output == "-":
            sys.stdout.buffer.write(text.encode())
            return
        size = write(output, text)
    except ReportError as error:
        sys.exit(f"depwatch report: {error}")
    programs = len(replay.traces)
    if as_json:
        print(json.dumps({"report": output, "programs": programs, "bytes": size}))
        return
    print(f"{output}: {programs:,} program{'s'[: programs != 1]}, {size / 1000:,.0f} kB", file=sys.stderr)
