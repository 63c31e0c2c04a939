"""Records a program: runs it in a child process and turns its journal into a trace meanwhile."""

import contextlib
import platform
import signal
import sys
import tempfile
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, Final

from ..output import Output
from ..record.program import Program
from .child import Child

if TYPE_CHECKING:
    from .journal import Journal
    from .writer import TraceWriter

PERIOD: Final = 0.1  # seconds


@dataclass(frozen=True, slots=True)
class Recording:
    """What became of a program and its trace."""

    status: int  # the program's exit status, or minus the signal that killed it
    seconds: float
    rows: int
    size: int  # of the file, in bytes; 0: there is none
    dropped: int  # entries that could not be right
    problem: str | None  # why there is no trace

    def __str__(self) -> str:
        text = f"{self.rows:,} rows, {self.size:,} bytes, {self.seconds:.1f} s"
        if self.problem is not None:
            text = f"no trace was written: {self.problem}"
        if self.dropped:
            text += f"; {self.dropped:,} damaged entries were left out"
        if self.status < 0:
            text += f"; the program was killed by {_signal_name(-self.status)}: recorded up to there"
        return text


def record(program: Program, output: str, hot_after: int, python: str | None = None) -> int:
    """Record program into the file output and say on stderr what became of it; return its exit status, or minus the
    signal that killed it (child.end_as() ends this process in the same way).

    Raises OSError, before the program runs, if the file cannot be made.
    """
    with Output(output) as file:
        recording = supervise(program, file, hot_after, python)
    with contextlib.suppress(OSError, ValueError, AttributeError):  # stderr may be closed
        print(f"depwatch record: {output}: {recording}", file=sys.stderr, flush=True)
    return recording.status or (recording.problem is not None)


def supervise(program: Program, output: Output, hot_after: int, python: str | None = None) -> Recording:
    """Run program to its end and commit output, unless there is a problem.

    python: the interpreter to run it with, if not ours; it must be able to import depwatch.
    """
    begun = time.monotonic()
    base = _description(program)
    with (
        tempfile.TemporaryDirectory(prefix="depwatch-", ignore_cleanup_errors=True) as directory,
        Child(program, directory, hot_after, python) as child,
    ):
        transfer = _Transfer(directory, output)
        while child.status is None:
            child.wait(0 if transfer.turn() else PERIOD)
        seconds = time.monotonic() - begun
        return transfer.end(base, child.status, seconds)


class _Transfer:
    """From the journal to the trace. No error here reaches the program: the journal is then read to no purpose, as
    segments that nobody deletes would fill the disk.
    """

    def __init__(self, directory: str, output: Output) -> None:
        self._directory: Final = directory
        self._output: Final = output
        self._parts: tuple[Journal, TraceWriter] | None = None
        self._problem: str | None = None

    def turn(self) -> bool:
        """Take what is there; return whether there may be more already."""
        try:
            return self._take()
        except Exception as error:
            self._fail(error)
            return False

    def _take(self) -> bool:
        journal, writer = self._open()
        count = 0
        for rows in journal.read():
            count += 1
            if self._problem is None:
                writer.add(rows)
        return count > 1

    def end(self, base: dict[str, Any], status: int, seconds: float) -> Recording:
        while self.turn():
            pass
        rows = size = dropped = 0
        ran = True
        try:
            journal, writer = self._open()
            journal.close()
            ran = journal.metadata.pop("ran", True)
            if self._problem is not None:
                writer.abandon()
            else:
                dropped = journal.dropped + writer.dropped
                program = base | journal.metadata | {"exit": status}
                if dropped or writer.raised:
                    program["damaged"] = {"dropped": dropped, "out of order": writer.raised}
                writer.close(program, status)
                rows = writer.rows
        except Exception as error:
            self._fail(error)
        if self._problem is None and not (rows and ran):
            self._problem = "the program did not run"
        if self._problem is None:
            try:
                size = self._output.commit()
            except OSError as error:
                self._fail(error)
        return Recording(status, seconds, rows, size, dropped, self._problem)

    def _open(self) -> tuple["Journal", "TraceWriter"]:
        if self._parts is None:
            # numpy and pyarrow take longer to import than the program's process to start: not before it.
            from .journal import Journal
            from .writer import TraceWriter

            journal = Journal(self._directory)
            self._parts = journal, TraceWriter(self._output.path, journal.strings)
        return self._parts

    def _fail(self, error: Exception) -> None:
        if self._problem is None:
            lines = str(error).splitlines()
            text = error.strerror if isinstance(error, OSError) and error.strerror else lines[0] if lines else ""
            self._problem = f"{type(error).__name__}: {text}"


def _description(program: Program) -> dict[str, Any]:
    """What we know of the program without its help: it may die before it has written anything."""
    return {
        "command": program.command,
        "python": platform.python_version(),
        "depwatch": version("depwatch"),
        "started": datetime.now(UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
    }


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
