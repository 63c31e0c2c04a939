"""A process within limits: CPU time counts, with that of all that it starts; time by the clock only for ever."""

import os
import signal
import sys
import time
from pathlib import Path

import pytest

from depwatch.compare.process import Ended, Limits, run


def ended(directory: Path, script: str, limits: Limits) -> Ended:
    return run(["sh", "-c", script], directory, dict(os.environ), directory / "log", limits)


@pytest.mark.parametrize(
    ("script", "status", "how", "line"),
    [
        ("echo first; echo last; echo", 0, "ended with status 0", "last"),
        ("exit 7", 7, "ended with status 7", "no output"),
        ("echo said; kill -TERM $$", -signal.SIGTERM, "was killed by signal 15", "said"),
        ("cat; echo no input", 0, "ended with status 0", "no input"),
        ("echo why; echo 'depwatch record: t: 1,234 rows, 5 bytes, 0.1 s'; exit 1", 1, "ended with status 1", "why"),
        ("echo 'depwatch record: t: no trace was written: x'; exit 1", 1, "ended with status 1", None),
    ],
)
def test_how_a_process_ended(tmp_path: Path, script: str, status: int, how: str, line: str | None) -> None:
    found = ended(tmp_path, script, Limits(cpu=60))
    if line is None:
        line = "depwatch record: t: no trace was written: x"
    assert (found.status, found.how, found.line) == (status, how, line)
    assert found.seconds >= found.cpu_seconds >= 0


def test_a_process_that_sleeps_longer_than_its_cpu_limit_goes_on_to_its_end(tmp_path: Path) -> None:
    found = ended(tmp_path, "sleep 1.5; echo done", Limits(cpu=1))
    assert (found.status, found.line) == (0, "done")


SPIN = f"{sys.executable} -Ic 'while True: pass'"


A_SECOND = f"(ulimit -c 0; ulimit -t 1; exec {SPIN})"  # of CPU time


@pytest.mark.parametrize(
    ("script", "cpu"), [(f"exec {SPIN}", 0.3), (f"{SPIN} & wait", 0.3), (f"{A_SECOND}; {A_SECOND}; sleep 60", 1.5)]
)
def test_a_process_is_ended_by_the_cpu_time_of_all_that_it_started(tmp_path: Path, script: str, cpu: float) -> None:
    found = ended(tmp_path, script, Limits(cpu))
    assert (found.status, found.how) == (None, f"used more than {cpu} s of CPU time")


def test_a_process_that_waits_for_ever_is_ended_with_all_that_it_started(tmp_path: Path) -> None:
    found = ended(tmp_path, "sleep 1000 & echo $!; wait", Limits(cpu=60, wall=0.5))
    assert (found.status, found.how) == (None, "did not end within 0.5 s, though it used less than 60 s of CPU time")
    stat = Path(f"/proc/{found.line}/stat")
    for _ in range(1000):  # SIGKILL was sent, which takes a moment
        if runs(stat):
            time.sleep(0.01)
    assert not runs(stat)


def runs(stat: Path) -> bool:
    """Whether a process still does: /proc is there, and its state is not Z, a zombie that waits for its parent."""
    try:
        return stat.read_text(encoding="utf-8").rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False
