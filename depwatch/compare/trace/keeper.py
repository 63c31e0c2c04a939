"""The process that turns the journals of a program and of its children into traces, while they run.

It is another one than `depwatch record`, so that a trace is written and nothing is left behind even if that one is
killed: then it ends the program, too.
"""

import contextlib
import json
import os
import resource
import select
import shutil
import signal
import socket
import tempfile
import time
from types import TracebackType
from typing import Any, Final, NoReturn, Self

from ..output import Output
from .transfer import Ended, Transfers

PERIOD: Final = 0.1  # seconds between two looks at the journals
GRACE: Final = 2.0  # seconds between SIGTERM and SIGKILL, for a program whose recorder was killed

_IGNORED: Final = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)  # it ends when its work is done, and that is soon


class Keeper:
    """That process, as `depwatch record` sees it. Must be made before there are threads."""

    def __init__(self, output: Output | None, base: dict[str, Any], values: bool) -> None:
        """output: for the trace of the program; those of its children go beside it. None: all go where they are gone
        when this is left. base: what is known of the program. values: whether the metadata may tell any."""
        self.problem: str | None = None
        ours, theirs = socket.socketpair()
        self._id = os.fork()
        if self._id == 0:
            ours.close()
            _run(theirs, output, base, values)
        theirs.close()
        self._lines: Final = ours.makefile("rw", encoding="utf-8")
        ours.close()
        self._directory: str = self._receive().get("directory", "")
        self.journal: Final = os.path.join(self._directory, "journal")

    def __enter__(self) -> Self:
        return self

    def started(self, program: int) -> None:
        self._tell({"program": program})

    def look(self) -> None:
        """Whether it still runs. If not, nobody reads the journals: they must not fill the disk."""
        if self.problem is None and os.waitpid(self._id, os.WNOHANG)[0]:
            self._lose()

    def end(self, status: int, seconds: float) -> Ended:
        """The program has ended: what has become of its trace."""
        self._tell({"status": status, "seconds": seconds})
        found = self._receive()
        return Ended(**found) if found else Ended(problem=self.problem)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        with contextlib.suppress(OSError):
            self._lines.close()
        if self.problem is None:
            os.waitpid(self._id, 0)

    def _tell(self, message: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):  # it has died: _receive() will tell
            self._lines.write(json.dumps(message) + "\n")
            self._lines.flush()

    def _receive(self) -> dict[str, Any]:
        line = ""
        with contextlib.suppress(OSError):
            line = self._lines.readline()
        if line:
            message: dict[str, Any] = json.loads(line)
            return message
        if self.problem is None:
            os.waitpid(self._id, 0)
            self._lose()
        return {}

    def _lose(self) -> None:
        self.problem = f"the process that writes it, {self._id}, was killed"
        if self._directory:
            shutil.rmtree(self._directory, ignore_errors=True)


def _run(connection: socket.socket, output: Output | None, base: dict[str, Any], values: bool) -> NoReturn:
    """In that process."""
    status = 1
    try:
        os.setsid()  # what ends the group of processes that the program is in does not end this one
        for number in _IGNORED:
            signal.signal(number, signal.SIG_IGN)
        nothing = os.open(os.devnull, os.O_RDWR)
        for stream in range(3):  # nobody waits for us at the end of a pipe
            os.dup2(nothing, stream)
        _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))  # some for each child
        with tempfile.TemporaryDirectory(prefix="depwatch-", ignore_cleanup_errors=True) as directory:
            os.mkdir(os.path.join(directory, "journal"))
            os.mkdir(os.path.join(directory, "traces"))
            if output is None:
                output = Output(os.path.join(directory, "traces", "trace.parquet"))
            with output:
                transfers = Transfers(os.path.join(directory, "journal"), output, base, values)
                _Keeping(connection, directory, transfers).run()
        status = 0
    except Exception as error:
        with contextlib.suppress(OSError):
            problem = f"{type(error).__name__}: {error}"
            connection.sendall(json.dumps(Ended(problem=problem).told()).encode() + b"\n")
    finally:
        os._exit(status)


class _Keeping:
    def __init__(self, connection: socket.socket, directory: str, transfers: Transfers) -> None:
        self._connection: Final = connection
        self._lines: Final = connection.makefile("rw", encoding="utf-8")
        self._transfers: Final = transfers
        self._program: int | None = None  # descriptor of the process
        self._told: bytes = b""
        self._send({"directory": directory})

    def run(self) -> None:
        message = self._wait()
        if message is None:  # it could not be started
            return
        with contextlib.suppress(OSError):  # it has ended already
            self._program = os.pidfd_open(message["program"])
        message = self._wait()
        if message is None:
            self._end_program()
            self._transfers.end(None, {"recorder": "killed"})
            return
        found = self._transfers.end(message["status"], {})
        self._send(found.told())
        self._wait()

    def _wait(self) -> dict[str, Any] | None:
        """The next message; None if `depwatch record` has ended. Takes what comes in meanwhile."""
        while b"\n" not in self._told:
            busy = self._program is not None and self._transfers.turn()
            ready, _, _ = select.select([self._connection], [], [], 0 if busy else PERIOD)
            if ready:
                try:
                    more = self._connection.recv(4096)
                except OSError:
                    more = b""
                if not more:
                    return None
                self._told += more
        line, _, self._told = self._told.partition(b"\n")
        message: dict[str, Any] = json.loads(line)
        return message

    def _send(self, message: dict[str, Any]) -> None:
        with contextlib.suppress(OSError):
            self._lines.write(json.dumps(message) + "\n")
            self._lines.flush()

    def _end_program(self) -> None:
        for number, seconds in ((signal.SIGTERM, GRACE), (signal.SIGKILL, GRACE)):
            if self._program is None or self._has_ended(0):
                return
            with contextlib.suppress(OSError):
                signal.pidfd_send_signal(self._program, number)
            end = time.monotonic() + seconds
            while not self._has_ended(PERIOD) and time.monotonic() < end:
                self._transfers.turn()

    def _has_ended(self, seconds: float) -> bool:
        return self._program is None or bool(select.select([self._program], [], [], seconds)[0])
