"""Compare: a program is recorded into a trace that nobody keeps, and that is replayed when it has ended."""

import contextlib
import os
import sys
import tempfile

from .output import Output
from .record.program import Program
from .trace.supervise import supervise


def compare(program: Program, output: str | None, hot_after: int) -> int:
    """Run program; print the table to stderr when it has ended, and write the replay to output.

    Returns the program's exit status, or minus the signal that killed it. Raises OSError before the program runs.
    """
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(Output(output)) if output is not None else None
        directory = stack.enter_context(tempfile.TemporaryDirectory(prefix="depwatch-", ignore_cleanup_errors=True))
        trace = os.path.join(directory, "trace.parquet")
        with Output(trace) as recorded:
            recording = supervise(program, recorded, hot_after)
        with contextlib.suppress(AttributeError, OSError, ValueError):  # stderr may be closed
            if recording.problem is not None:
                if recording.status == 0:
                    print(f"depwatch compare: nothing to compare: {recording.problem}", file=sys.stderr)
            else:
                _report(trace, file, hot_after)
    return recording.status or int(recording.problem is not None)


def _report(path: str, file: Output | None, hot_after: int) -> None:
    # These import much: not while the program runs.
    from .replay.run import Options, assemble, replay_trace
    from .replay.table import print_traces

    options = Options(hot_after=(hot_after,))
    trace = replay_trace(path, options)
    if file is not None:
        file.write(assemble([trace], options).text())
    print_traces([trace], sys.stderr)
