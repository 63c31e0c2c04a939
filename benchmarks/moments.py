"""How wrong it is to spread changes: what each policy drops, recorded with room for every moment and with none."""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile

from depwatch.compare.replay.run import Options, replay_trace
from measure import HERE, Row, Spread, finish
from record import PROGRAMS, worker

WITHIN = 0.05
EXACT, SPREAD = "1e12,1e12", "0,0"  # rows of windows of one moment: at first, and a second

# Their globals and classes change all the time: there is a row for each moment, so they are short.
MOVING = {
    "go": lambda: worker("go", 3),
    "deltablue": lambda: worker("deltablue", 50),
    "richards": lambda: worker("richards", 3),
    "jinja2": lambda: PROGRAMS["jinja2"](),
    "networkx": lambda: PROGRAMS["networkx, tests of its generators and utilities"](),
    "counters, made up": lambda: [str(HERE / "programs" / "counters.py")],
}


def dropped(arguments: list[str], room: str) -> dict[str, int]:
    """By policy."""
    with tempfile.TemporaryDirectory() as directory:
        trace = os.path.join(directory, "trace.parquet")
        path = os.pathsep.join([str(HERE / "programs" / "room"), *filter(None, sys.path)])
        environment = os.environ | {"PYTHONPATH": path, "DEPWATCH_ROOM": room}
        command = [sys.executable, "-m", "depwatch", "record", "-o", trace, *arguments]
        subprocess.run(command, cwd=directory, env=environment, stdout=subprocess.DEVNULL, check=True)
        return {each.policy: each.whole.dropped for each in replay_trace(trace, Options()).policies}


def exact_and_spread(name: str, arguments: list[str]) -> list[Row]:
    """A row for each policy that drops anything."""
    exact, spread = (dropped(arguments, room) for room in (EXACT, SPREAD))
    rows = []
    for policy in exact:
        if exact[policy] or spread[policy]:
            apart = spread[policy] / exact[policy] - 1 if exact[policy] else 1.0
            note = f"exact {exact[policy]:,}, spread {spread[policy]:,} ({apart:+.1%})"
            rows.append(Row(f"{name}: {policy}", "", Spread.of([abs(apart)]), bound=WITHIN, note=note))
    return rows


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="exit with 1 if a bound is missed")
    parser.add_argument("--no-write", action="store_true", help="leave benchmarks/results as it is")
    arguments = parser.parse_args()
    rows = [row for name, of in MOVING.items() for row in exact_and_spread(name, of())]
    title = "How exact counts are where changes are spread"
    return finish("moments", title, rows, check=arguments.check, write=not arguments.no_write)


if __name__ == "__main__":
    sys.exit(main())
