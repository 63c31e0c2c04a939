"""What it costs that stats() tells the time in events: beside a core built to never read the clock, in the same run.

That core is built in build/untimed/ from a copy of the sources. Of two processes that take turns, one has this core and
one has that. Instructions tell what is done at each event. The clock itself is read at one event in 1021, and at each
that concerns 65,536 handles or more: only time tells what that takes.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

from instructions import count
from measure import ROOT, Row, Spread, compare, finish, load_noop

sys.path.insert(0, str(ROOT / "tests"))
from fuzz.sabotaged import ABI, build_in, copy

SWEPT = Path(__file__).parent / "programs" / "swept.py"
NOT_MEASURABLE = 1.01  # of an event's instructions
BETWEEN_PROCESSES = 1.05  # what the times of two processes differ by anyway: see events.py


def untimed() -> Path:
    """The folder to import that core from."""
    folder = ROOT / "build" / "untimed" / ABI
    folder.mkdir(parents=True, exist_ok=True)
    copy(folder)
    build_in(folder, CPPFLAGS=f"{os.environ.get('CPPFLAGS', '')} -DDEPWATCH_UNTIMED".strip())
    return folder


def swept(folder: Path) -> dict[int, float]:
    environment = os.environ | {"PYTHONPATH": str(folder)}
    done = subprocess.run([sys.executable, str(SWEPT)], env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(done.stdout))


def by_instructions(folder: Path) -> list[Row]:
    ours, _ = count("stores")
    base, _ = count("stores", PYTHONPATH=str(folder))
    return [
        Row(
            case,
            "instructions",
            Spread.of([timed]),
            Spread.of([base[case]]),
            Spread.of([timed / base[case]]),
            NOT_MEASURABLE,
        )
        for case, timed in ours.items()
    ]


def by_time(folder: Path, rounds: int) -> list[Row]:
    ours: list[dict[int, float]] = []
    base: list[dict[int, float]] = []
    for _ in range(rounds):
        ours.append(swept(ROOT))
        base.append(swept(folder))
    return [
        compare(
            f"a store on which {n:,} handles rely",
            "ns",
            [taken[n] for taken in ours],
            [taken[n] for taken in base],
            BETWEEN_PROCESSES,
        )
        for n in ours[0]
    ]


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev bench timing", description=__doc__)
    parser.add_argument("--check", action="store_true", help="exit status 1 if a bound is missed")
    parser.add_argument(
        "--quick", action="store_true", help="few rounds, no JSON: shows that it works, not what it costs"
    )
    options = parser.parse_args()
    if shutil.which("valgrind") is None:
        sys.exit("timing: no valgrind on PATH: install your system's package valgrind")
    load_noop()
    folder = untimed()
    rows = by_instructions(folder) + by_time(folder, 1 if options.quick else 11)
    title = "What timing costs an event, CPython's own part included (base: a core that never reads the clock)"
    return finish("timing", title, rows, check=options.check, write=not options.quick)


if __name__ == "__main__":
    sys.exit(main())
