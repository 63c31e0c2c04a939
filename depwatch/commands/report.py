"""`depwatch report`."""

import sys
from collections.abc import Callable

import click


@click.command()
@click.option(
    "-o",
    "output",
    metavar="FILE",
    default="report.html",
    show_default=True,
    help="Write the page there; it needs no other file and no network.",
)
@click.argument("inputs", metavar="INPUTS...", nargs=-1)
def report(output: str, inputs: tuple[str, ...]) -> Callable[[], None]:
    """Make one HTML page of what replays found.

    INPUTS are traces (*.parquet), which are replayed first, and replays: the JSON of `depwatch replay -o`.
    """
    return lambda: _report(output, inputs)


def _report(output: str, inputs: tuple[str, ...]) -> None:
    try:
        from depwatch.compare.report.inputs import ReportError, read, sources
        from depwatch.compare.report.page import check_output, render, write
    except ModuleNotFoundError as error:
        if error.name not in ("jinja2", "markupsafe", "msgspec"):
            raise
        sys.exit(f"depwatch report needs {error.name}: pip install 'depwatch[report]'")
    try:
        check_output(output, inputs)
        replay = read(inputs)
        size = write(output, render(replay, sources(inputs)))
    except ReportError as error:
        sys.exit(f"depwatch report: {error}")
    programs = len(replay.traces)
    print(f"{output}: {programs:,} program{'s'[: programs != 1]}, {size / 1000:,.0f} kB", file=sys.stderr)
