"""What is left when one of the processes of `depwatch record` is killed."""

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from depwatch.compare.trace import check
from depwatch.compare.trace.entries import NULL
from depwatch.compare.trace.reader import Trace

PROGRAM = """
import os, signal, sys, time
{0}
RATE = 1
def price(): return RATE
for _ in range(60): price()
RATE = 2
print(os.getpid(), flush=True)
sys.stdin.read()
print("done")
"""


def until(condition: Callable[[], bool]) -> bool:
    """Within a minute."""
    for _ in range(6000):
        if condition():
            return True
        time.sleep(0.01)
    return False


def is_gone(process: int) -> bool:
    """It has ended, whether or not somebody has waited for it."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


@pytest.mark.parametrize("handler", ["", "signal.signal(signal.SIGTERM, lambda *_: None)"])
def test_a_recorder_that_is_killed_leaves_a_trace_and_no_program(recorders: Any, handler: str) -> None:
    process = recorders.start(PROGRAM.format(handler), real=True)
    program = int(process.stdout.readline())
    process.kill()
    process.wait()
    assert until(lambda: is_gone(program) and recorders.trace.exists() and not list(recorders.temporary.iterdir()))
    with Trace(recorders.trace) as trace:
        assert check(trace) == []
        assert (trace.program["recorder"], trace.exit) == ("killed", None)
        names = trace.column("name")
        assert "price" in {trace.strings[name] for name in names[names != NULL]}
    out, _ = process.communicate()
    assert "done" not in out
    assert sorted(path.name for path in recorders.directory.iterdir()) == ["program.py", "trace.parquet"]


def test_a_compare_that_is_killed_leaves_nothing(recorders: Any) -> None:
    process = recorders.start(PROGRAM.format(""), real=True, run="compare")
    program = int(process.stdout.readline())
    process.kill()
    process.wait()
    assert until(lambda: is_gone(program) and not list(recorders.temporary.iterdir()))
    process.communicate()
    assert [path.name for path in recorders.directory.iterdir()] == ["program.py"]


def test_if_the_process_that_writes_is_killed_the_program_runs_to_its_end(recorders: Any) -> None:
    process = recorders.start(PROGRAM.format(""), real=True)
    program = int(process.stdout.readline())
    (keeper,) = set(children_of(process.pid)) - {program}
    os.kill(keeper, signal.SIGKILL)
    assert until(lambda: not list(recorders.temporary.iterdir()))
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (1, "done\n")
    problem = f"no trace was written: the process that writes it, {keeper}, was killed"
    assert err == f"depwatch record: trace.parquet: {problem}\n"
    assert not recorders.trace.exists()


def children_of(process: int) -> list[int]:
    return [int(number) for number in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
