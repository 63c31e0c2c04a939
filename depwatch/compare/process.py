"""A process that runs one step of a program, within limits of time."""

import contextlib
import os
import re
import resource
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Final

_PERIOD: Final = 1.0  # seconds between two looks at what a process has used: a look reads a file for each process
_TICKS: Final = os.sysconf("SC_CLK_TCK")  # of the kernel, in a second
_RECORDED: Final = re.compile(r"depwatch record: .*: [\d,]+ rows, ")  # of a trace that is there


@dataclass(frozen=True, slots=True)
class Limits:
    """What a process may take: on a busy machine it takes longer, and no more of the CPU."""

    cpu: float  # seconds of CPU time, with all that the process starts
    wall: float = 600.0  # seconds by the clock, so that a process that waits for ever is ended


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended. The times are of all its children too."""

    status: int | None  # None: it was killed as it passed a limit; below 0: by another signal
    how: str  # in words
    seconds: float
    cpu_seconds: float
    line: str  # the last one that it wrote itself


def run(command: list[str], directory: Path, variables: dict[str, str], log: Path, limits: Limits) -> Ended:
    """Run command in directory to its end, with variables as its environment and all that it writes in log.

    It gets no input, and a session of its own, so that what it has started ends with it. One at a time.
    """
    begun, cpu = time.monotonic(), _cpu_seconds_of_children()
    with open(log, "wb") as output:
        process = subprocess.Popen(
            command,
            cwd=directory,
            env=variables,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            passed = _wait(process, limits)
        finally:  # also when we are interrupted
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            status = process.wait()
    seconds, cpu_seconds = time.monotonic() - begun, _cpu_seconds_of_children() - cpu
    if passed is not None:
        return Ended(None, passed, seconds, cpu_seconds, _last_line(log))
    how = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
    return Ended(status, how, seconds, cpu_seconds, _last_line(log))


def _wait(process: "subprocess.Popen[bytes]", limits: Limits) -> str | None:
    """Until process has ended, or has passed a limit: which one, in words."""
    end = time.monotonic() + limits.wall
    period = min(_PERIOD, limits.cpu, limits.wall)
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(period)
            return None
        if _cpu_seconds_of_session(process.pid) > limits.cpu:
            return f"used more than {limits.cpu:.3g} s of CPU time"
        if time.monotonic() > end:
            return f"did not end within {limits.wall:.3g} s, though it used less than {limits.cpu:.3g} s of CPU time"


def _cpu_seconds_of_session(leader: int) -> float:
    """Of its processes, and of the ended ones that their parents have waited for. 0 where there is no /proc."""
    ticks = 0
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # that process has just ended
            # proc_pid_stat(5), after the name, which may have spaces: the 6th field is the session, the 14th to the
            # 17th are utime, stime, cutime and cstime.
            fields = path.read_text(encoding="utf-8", errors="replace").rpartition(")")[2].split()
            if int(fields[3]) == leader:
                ticks += sum(map(int, fields[11:15]))
    return ticks / _TICKS


def _cpu_seconds_of_children() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _last_line(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines()]
    return next((line for line in reversed(lines) if line and not _RECORDED.match(line)), "no output")
