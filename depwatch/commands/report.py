"""`depwatch report`."""

import sys
from collections.abc import Sequence

from .arguments import Commands, add_command
from .extras import need


def add(commands: Commands) -> None:
    parser = add_command(
        commands,
        "report",
        lambda arguments: _report(arguments.output, arguments.inputs),
        "make one HTML page of what replays found",
        "The page needs no other file and no network.",
    )
    parser.add_argument(
        "-o",
        dest="output",
        metavar="FILE",
        default="report.html",
        help="where to write the page (default: %(default)s)",
    )
    parser.add_argument(
        "inputs",
        metavar="INPUTS",
        nargs="*",
        help="traces (*.parquet), which are replayed first, and replays: the JSON of `depwatch replay -o`",
    )


def _report(output: str, inputs: Sequence[str]) -> None:
    need("report", "report", "jinja2", "msgspec", "numpy", "pyarrow")
    from depwatch.compare.report.inputs import ReportError, read, sources
    from depwatch.compare.report.page import check_output, render, write

    try:
        check_output(output, inputs)
        replay = read(inputs)
        size = write(output, render(replay, sources(inputs)))
    except ReportError as error:
        sys.exit(f"depwatch report: {error}")
    programs = len(replay.traces)
    print(f"{output}: {programs:,} program{'s'[: programs != 1]}, {size / 1000:,.0f} kB", file=sys.stderr)
