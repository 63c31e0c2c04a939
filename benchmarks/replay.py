"""How many events of a trace a replay takes in a second, policy by policy, and how long a sweep takes."""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from measure import ROOT, Row, Spread, finish

sys.path.insert(0, str(ROOT / "tests" / "compare"))
from scaling import scale

from depwatch.compare.replay._engine import COLUMNS
from depwatch.compare.replay.events import Events, Op, events_of
from depwatch.compare.replay.lineup import LINEUP, NAMED, Policy, lineup
from depwatch.compare.trace.reader import Trace

ROWS = 500_000
QUICK_ROWS = 100_000
AT_LEAST = 2e6  # events a second, of the exact index
SWEEP_BOUND = 10.0  # seconds, for the thresholds and limits below
THRESHOLDS = (10, 50, 500)
LIMITS = (1, 2, 3, 6, 10, 20, 50, 100)
# Counters in globals, read by many functions: about as many changes as calls rows.
PROGRAM = """
names = [f"COUNT{i}" for i in range(60)]
space = dict.fromkeys(names, 0)
for i in range(120):
    exec(f"def f{i}(): return {names[i % 60]}, {names[(i * 7 + 1) % 60]}", space)
functions = [space[f"f{i}"] for i in range(120)]
for turn in range(150):
    for function in functions:
        function()
    for name in names:
        space[name] += 1
"""


def recorded(directory: Path, rows: int) -> Path:
    """A trace of so many rows: a recorded one, again and again."""
    program, short, long = directory / "program.py", directory / "short.parquet", directory / "long.parquet"
    program.write_text(PROGRAM)
    command = [sys.executable, "-m", "depwatch", "record", "-o", str(short), str(program)]
    subprocess.run(command, check=True, capture_output=True)
    scale(short, long, rows)
    return long


def seconds(work: Callable[[], object], samples: int) -> list[float]:
    taken = []
    for _ in range(samples):
        start = time.perf_counter()
        work()
        taken.append(time.perf_counter() - start)
    return taken


def events_in(events: Events) -> int:
    """Changes with their values, and calls: what the exact index has to do with."""
    ops = np.bincount(events.op, minlength=len(Op))
    return int(ops[Op.CALLS] + ops[Op.CHANGE]) + len(events.value_facet)


def dropped(policy: Policy, events: Events) -> int:
    return int(policy.engine(events).run([])[-1, COLUMNS.index("dropped")])


def rows_of(directory: Path, rows: int, samples: int) -> list[Row]:
    path = recorded(directory, rows)
    events = events_of(Trace(path))
    count = events_in(events)
    about = f"{count:,} events of {len(events.op):,} steps, {len(events.points):,} functions"
    found = [Row("a trace is read and made ready", "s", Spread.of(seconds(lambda: events_of(Trace(path)), samples)))]
    exact_one = NAMED["bulk_by_facet"]
    eager = replace(exact_one, hot_after=1)
    for policy in (*(policy for policy in LINEUP if not policy.jettison), eager):  # its engine is bulk by facet's
        taken = seconds(lambda policy=policy: policy.engine(events).run([]), samples)
        exact = policy.name == exact_one.name
        more = ", hot after 1 call: each change hits" if policy is eager else ""
        found.append(
            Row(
                policy.title.strip() + more,
                "million events/s",
                Spread.of([count / each / 1e6 for each in taken]),
                at_least=AT_LEAST / 1e6 if exact else None,
                note=f"{about}, {dropped(policy, events):,} handles dropped" if exact else "",
            )
        )
    variants = lineup([policy.name for policy in LINEUP], THRESHOLDS, LIMITS)
    sweep = seconds(lambda: [policy.engine(events).run([]) for policy in variants], 1)
    case = f"{len(variants)} variants: {len(THRESHOLDS)} thresholds, {len(LIMITS)} limits"
    found.append(Row(case, "s", Spread.of(sweep), bound=SWEEP_BOUND))
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a shorter trace, nothing written")
    parser.add_argument("--check", action="store_true", help="exit with 1 if a bound is missed")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        rows = rows_of(Path(directory), QUICK_ROWS if arguments.quick else ROWS, 3 if arguments.quick else 7)
    return finish(
        "replay", f"replay of {ROWS:,} rows, one core", rows, check=arguments.check, write=not arguments.quick
    )


if __name__ == "__main__":
    sys.exit(main())
