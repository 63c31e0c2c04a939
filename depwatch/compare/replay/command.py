"""What `depwatch replay` does: replays traces with a progress bar, writes and prints what was found."""

import sys
from collections.abc import Sequence
from contextlib import ExitStack

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from depwatch.compare.output import Output
from depwatch.compare.trace import check
from depwatch.compare.trace.folder import TraceError
from depwatch.compare.trace.reader import Trace

from .many import find_traces, replay_traces
from .parts import Parts
from .run import Options, assemble
from .table import print_traces


def replay_all(
    inputs: Sequence[str],
    options: Options,
    output: str | None,
    checks: bool,
    resume: bool,
    scheduler: str | None,
) -> None:
    """Print a table for each trace to stdout and write all to output; "-": to stdout, in place of the tables.

    Raises TraceError, OSError.
    """
    console = Console(stderr=True)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with ExitStack() as stack:
        file = None if output in (None, "-") else stack.enter_context(Output(output or ""))  # before anything is done
        paths = find_traces(inputs)
        parts = None if output in (None, "-") else Parts(output or "", options, resume)
        progress = Progress(*columns, console=console, transient=True, disable=not console.is_terminal)
        with progress:
            task = progress.add_task("replaying", total=len(paths))
            for path in paths if checks else ():
                _check(path)
            traces = replay_traces(paths, options, scheduler, parts, lambda path: progress.advance(task))
        if file is not None:
            file.write(assemble(traces, options).text())
    if parts is not None:
        parts.remove()
    if output == "-":
        print(assemble(traces, options).text())
    else:
        print_traces(traces, sys.stdout)


def _check(path: str) -> None:
    with Trace(path) as trace:
        if broken := check(trace):
            more = f" (and {len(broken) - 1} more)" if len(broken) > 1 else ""
            raise TraceError(f"{path}: breaks the rules of its format: {broken[0]}{more}")
