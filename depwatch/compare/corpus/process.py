"""A process that runs one step of a program, within a limit of time."""

import contextlib
import os
import resource
import signal
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Ended:
    """How a process ended. The times are of all its children too."""

    status: int | None  # None: it took too long and was killed; below 0: by a signal
    seconds: float
    cpu_seconds: float
    line: str  # the last one that it wrote


def run(command: list[str], directory: Path, variables: dict[str, str], log: Path, limit: float) -> Ended:
    """Run command in directory to its end, with variables as its environment and all that it writes in log.

    It gets no input, and a session of its own, so that what it has started ends with it. One at a time.
    """
    begun, cpu = time.monotonic(), _cpu_seconds()
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
            status: int | None = process.wait(limit)
        except subprocess.TimeoutExpired:
            status = None
        finally:  # also when we are interrupted
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    return Ended(status, time.monotonic() - begun, _cpu_seconds() - cpu, last_line(log))


def last_line(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(encoding="utf-8", errors="replace").splitlines()]
    return next((line for line in reversed(lines) if line), "no output")


def _cpu_seconds() -> float:
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime
