"""The process in which the recorded program runs, and the signals that belong to it."""

import contextlib
import os
import resource
import signal
import sys
from types import TracebackType
from typing import Final, NoReturn, Self

from ..record.program import Program, split

# Sent to us by another process, they are for the program. What the terminal sends, it sends to the program as well.
_PASSED_ON: Final = frozenset(
    {signal.SIGINT, signal.SIGQUIT, signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1, signal.SIGUSR2}
)
_AWAITED: Final = _PASSED_ON | {signal.SIGCHLD}
_FROM_KERNEL: Final = 0x80  # SI_KERNEL: how Linux marks what a terminal sends
_RESET: Final = (signal.SIGPIPE, signal.SIGXFSZ)  # Python ignores them, a program started by a shell does not


class Child:
    """Runs a program that writes the journal; while it is entered, signals wait for wait()."""

    def __init__(self, program: Program, journal: str, hot_after: int, python: str | None = None) -> None:
        self.status: int | None = None  # once it has ended: its exit status, or minus the signal
        self._python: Final = python or sys.executable
        self._command: Final = [self._python, *split(sys.orig_argv)[0], *program.command]
        self._environment: Final = program.environment(journal, hot_after, os.environ)
        self.id = 0
        self._mask: set[signal.Signals | int] = set()

    def __enter__(self) -> Self:
        """Start it. Raises OSError. The mask must be set before threads are started: they inherit it."""
        if signal.getsignal(signal.SIGCHLD) is signal.SIG_IGN:
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)  # or there would be no exit status to be had
        self._mask = signal.pthread_sigmask(signal.SIG_BLOCK, _AWAITED)
        try:
            self.id = os.posix_spawn(
                self._python, self._command, self._environment, setsigmask=self._mask, setsigdef=_RESET
            )
        except BaseException:
            signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)
            raise
        return self

    def wait(self, seconds: float) -> None:
        """Until it has ended, but not longer than that."""
        received = signal.sigtimedwait(_AWAITED, seconds)
        while received is not None:
            if received.si_signo in _PASSED_ON and received.si_code != _FROM_KERNEL and self.status is None:
                os.kill(self.id, received.si_signo)
            self._poll()
            received = signal.sigtimedwait(_AWAITED, 0)
        self._poll()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        while self.status is None:  # only after an error of ours
            self.wait(1)
        signal.pthread_sigmask(signal.SIG_SETMASK, self._mask)

    def _poll(self) -> None:
        if self.status is None:
            ended, status = os.waitpid(self.id, os.WNOHANG)
            if ended:
                self.status = os.waitstatus_to_exitcode(status)


def end_as(status: int) -> NoReturn:
    """End this process as the child did: with its exit status, or killed by the same signal."""
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(AttributeError, OSError, ValueError):
            stream.flush()
    if status < 0:
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # the program's core is of use, ours would replace it
        with contextlib.suppress(OSError):  # SIGKILL has no handler
            signal.signal(-status, signal.SIG_DFL)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, {-status})
        os.kill(os.getpid(), -status)
        status = 128 - status  # as a shell says it, should that not have killed us
    sys.exit(status)
