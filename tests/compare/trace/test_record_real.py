"""`depwatch record` with the real child: however a program ends, its trace keeps the rules and tells the truth."""

import signal
from typing import Any

import pytest

from depwatch.compare.trace import check
from depwatch.compare.trace.reader import Trace

PROGRAM = """
    import os, signal, sys
    RATE = 1
    def price(x):
        return x * RATE
    for i in range(100):
        price(i)
    for RATE in range(2, 9):
        price(1)
    print(sys.argv[1:], sys.stdin.read())
    sys.stdout.flush()
"""


@pytest.mark.parametrize(
    ("ending", "status", "whole"),
    [
        ("pass", 0, True),
        ("sys.exit(3)", 3, True),
        ("1 / 0", 1, True),
        ("os._exit(4)", 4, True),
        ("os.kill(os.getpid(), signal.SIGKILL)", -signal.SIGKILL, False),
        ("os.kill(os.getpid(), signal.SIGINT)", -signal.SIGINT, True),
        ("import ctypes; ctypes.string_at(0)", -signal.SIGSEGV, False),
        ("os.abort()", -signal.SIGABRT, False),
        ("os.execv('/bin/sh', ['sh', '-c', 'exit 6'])", 6, False),
        ("os.fork() or os._exit(7)", 0, True),
        ("if os.fork() == 0: sys.exit(8)", 0, True),
    ],
)
def test_a_program_is_recorded_until_it_ends(recorders: Any, ending: str, status: int, whole: bool) -> None:
    done = recorders.record(PROGRAM + "    " + ending, "-o", "x", input="typed", real=True)
    assert (done.status, done.out) == (status, "['-o', 'x'] typed\n")
    assert "depwatch record: trace.parquet: " in done.err
    with Trace(recorders.trace) as trace:
        assert check(trace) == []
        assert (trace.complete, trace.exit) == (whole, status)
        assert trace.program["command"] == ["program.py", "-o", "x"]
        assert trace.program.get("failure") is None
    rows = done.rows
    (function,) = (row["function"] for row in rows if row["kind"] == "function" and row["name"] == "price")
    (facet,) = (row["facet"] for row in rows if row["kind"] == "facet" and row["name"] == "RATE")
    calls = [row["calls"] for row in rows if row["kind"] == "calls" and row["function"] == function]
    values = [row for row in rows if row["kind"] == "value" and row["facet"] == facet]
    assert sum(row["count"] for row in values) == 7
    assert len({row["value"] for row in values}) == 7
    assert calls[-1] == 107 or (calls[-1] == 106 and not whole)  # a cut trace has calls up to the last change
    if whole:
        assert rows[-1] == {"kind": "end", "time": rows[-1]["time"], "calls": rows[-2]["calls"], "value": status}


def test_a_module_is_recorded(recorders: Any) -> None:
    done = recorders.record("", "json.tool", "--compact", input="[1,  2]", options=("-m",), real=True, program="")
    assert (done.status, done.out) == (0, "[1,2]\n")
    with Trace(recorders.trace) as trace:
        assert check(trace) == []
        assert trace.program["command"] == ["-m", "json.tool", "--compact"]


@pytest.mark.parametrize(
    ("program", "options", "status", "told"),
    [
        ("nothing.py", (), 2, "can't open file"),
        ("no_such_module", ("-m",), 1, "No module named no_such_module"),
        ("email", ("-m",), 1, "No module named email.__main__; 'email' is a package and cannot be directly executed"),
        ("program.py", (), 1, "  File "),
    ],
)
def test_a_program_that_cannot_run_leaves_the_trace_of_before(
    recorders: Any, program: str, options: tuple[str, ...], status: int, told: str
) -> None:
    recorders.record("", real=True)
    before = recorders.trace.read_bytes()
    done = recorders.record("no Python", real=True, program=program, options=options)
    assert (done.status, done.out, recorders.trace.read_bytes() == before) == (status, "", True)
    first, *_, last = done.err.splitlines()
    assert told in first
    assert last == "depwatch record: trace.parquet: no trace was written: the program did not run"
