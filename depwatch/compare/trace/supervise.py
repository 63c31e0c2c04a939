"""Records a program: runs it in a child process, while another process turns its journal into a trace."""

import contextlib
import json
import os
import platform
import signal
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any, Final

from ..output import Output
from ..record.program import Program
from .child import Child
from .keeper import Keeper
from .transfer import Ended

PERIOD: Final = 1.0  # seconds between two looks at the keeper


@dataclass(frozen=True, slots=True)
class Recording:
    """What became of a program and its trace."""

    status: int  # the program's exit status, or minus the signal that killed it
    seconds: float
    ended: Ended

    def __str__(self) -> str:
        ended = self.ended
        text = f"{ended.rows:,} rows, {ended.size:,} bytes, {self.seconds:.1f} s"
        if ended.problem is not None:
            text = f"no trace was written: {ended.problem}"
        if ended.dropped:
            text += f"; {ended.dropped:,} damaged entries were left out"
        if self.status < 0:
            text += f"; the program was killed by {_signal_name(-self.status)}: recorded up to there"
        return text + self.children()

    def json(self, output: str) -> str:
        """A line of JSON that says the same."""
        ended = self.ended
        return json.dumps(
            {
                "trace": None if ended.problem is not None else output,
                "problem": ended.problem,
                "rows": ended.rows,
                "bytes": ended.size,
                "seconds": round(self.seconds, 3),
                "exit": self.status,
                "children": ended.traces[1:],
            }
        )

    def children(self) -> str:
        """In words: which of its children were recorded; empty if it had none."""
        ended = self.ended
        text = ""
        if beside := len(ended.traces[1:]):
            text += f"; {_processes(beside)} beside it"
        if ended.idle:
            text += f"; {_processes(ended.idle)} without a trace: no function was called ten times"
        for reason, count in ended.failed.items():
            text += f"; {_processes(count)} not recorded: {reason}"
        return text


def record(
    program: Program,
    output: str,
    hot_after: int,
    python: str | None = None,
    values: bool = True,
    as_json: bool = False,
) -> int:
    """Record program into the file output, and its children beside it, and say on stderr what became of it; return its
    exit status, or minus the signal that killed it (child.end_as() ends this process in the same way).

    values: whether the metadata of a trace may tell any. Raises OSError, before the program runs, if the file cannot be
    made.
    """
    with Output(output) as file, supervised(program, file, hot_after, python, values) as recording:
        pass
    with contextlib.suppress(OSError, ValueError, AttributeError):  # stderr may be closed
        if as_json:
            print(recording.json(output), flush=True)
        else:
            print(f"depwatch record: {output}: {recording}", file=sys.stderr, flush=True)
    return recording.status or (recording.ended.problem is not None)


@contextlib.contextmanager
def supervised(
    program: Program, output: Output | None, hot_after: int, python: str | None = None, values: bool = True
) -> Iterator[Recording]:
    """Run program to its end and commit output, unless there is a problem.

    output None: the traces are gone when this is left. python: the interpreter to run it with, if not ours; it must be
    able to import depwatch.
    """
    with Keeper(output, _description(program), values) as keeper:
        begun = time.monotonic()
        with Child(program, keeper.journal, hot_after, python) as child:
            keeper.started(child.id)
            while child.status is None:
                child.wait(PERIOD)
                keeper.look()
            seconds = time.monotonic() - begun
            ended = keeper.end(child.status, seconds)
        yield Recording(child.status, seconds, ended)


def _description(program: Program) -> dict[str, Any]:
    """What we know of the program without its help: it may die before it has written anything."""
    return {
        "command": program.command,
        "python": platform.python_version(),
        "depwatch": version("depwatch"),
        "machine": f"{platform.system()} {platform.machine()}, {os.cpu_count()} processors",
        "started": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
    }


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _processes(count: int) -> str:
    return "1 child process" if count == 1 else f"{count:,} child processes"
