"""What a million handles of three dependencies cost in memory, in a whole process: by commit() and by commit_many()."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import Any

import depwatch
from measure import Row, Spread, finish

HANDLES, DEPENDENCIES = 1_000_000, 3
EDGE = 9  # bytes of the index for a dependency, both directions: the bound of ./dev bench index
PAGE = 4096


def resident() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE


def function_with(names: int) -> Any:
    space: dict[str, Any] = {sys.intern(f"X{i}"): None for i in range(names)}
    exec("def function(): pass", space)
    return space["function"]


def by_commit(handles: int) -> tuple[int, int]:
    """Bytes that all handles take, the index included, and how many facets were read before."""
    function = function_with(names := handles // 100)
    first = depwatch.Recorder("facets")
    for i in range(names):
        first.read(function, f"X{i}")
    made = [first.commit()]
    before = resident()
    for i in range(handles):
        recorder = depwatch.Recorder("piece of code")
        for j in range(DEPENDENCIES):
            recorder.read(function, f"X{(DEPENDENCIES * i + j) % names}")
        made.append(recorder.commit())
    return resident() - before, names


def by_commit_many(handles: int) -> tuple[int, int]:
    function = function_with(names := handles // 100)
    recorder = depwatch.Recorder("facets")
    for i in range(names):
        recorder.read(function, f"X{i}")
    offsets = array("Q", range(0, DEPENDENCIES * handles + 1, DEPENDENCIES))
    reads = array("I", (i % names for i in range(DEPENDENCIES * handles)))
    before = resident()
    made = recorder.commit_many(offsets, reads)
    taken = resident() - before
    assert len(made) == handles
    return taken, names


def with_cells(handles: int) -> tuple[int, int]:
    """By commit(), each with a value cell for its one facet."""
    return _one_facet_each(handles, lambda recorder, space, name: recorder.value_cell(space, name, "object"))


def without_cells(handles: int) -> tuple[int, int]:
    return _one_facet_each(handles, lambda recorder, space, name: recorder.read_global(space, name))


def _one_facet_each(handles: int, read: Callable[[depwatch.Recorder, dict[str, Any], str], object]) -> tuple[int, int]:
    space = function_with(names := handles // 100).__globals__
    first = depwatch.Recorder("facets")
    for i in range(names):
        first.read_global(space, f"X{i}")
    made = [first.commit()]
    before = resident()
    for i in range(handles):
        recorder = depwatch.Recorder("piece of code")
        read(recorder, space, f"X{i % names}")
        made.append(recorder.commit())
    return resident() - before, names


def facets(count: int) -> tuple[int, int]:
    function = function_with(count)
    recorder = depwatch.Recorder("facets")
    recorder.read(function, "X0")
    before = resident()
    for i in range(1, count):
        recorder.read(function, f"X{i}")
    return resident() - before, count


CASES = {
    "commit": by_commit,
    "commit_many": by_commit_many,
    "facets": facets,
    "with cells": with_cells,
    "without cells": without_cells,
}


def taken_by(case: str, count: int) -> dict[str, Any]:
    command = [sys.executable, __file__, "--case", case, "--count", str(count)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def rows_of(count: int) -> list[Row]:
    edges = DEPENDENCIES * count
    rows = []
    for case, bound in (("commit", 400), ("commit_many", 64)):
        found = taken_by(case, count)
        assert found["dependencies"] >= edges
        handle = f"a handle of {case}(), its {DEPENDENCIES} dependencies included"
        rows.append(Row(handle, "B", Spread.of([found["bytes"] / count])))
        beside = (found["bytes"] - EDGE * edges) / count
        rows.append(Row(f"  beside the index ({EDGE} B a dependency)", "B", Spread.of([beside]), bound=bound))
    found = taken_by("facets", count)
    case = f"a facet of {count:,} of one dict that one recorder has read: its record, its key, the recorder's list"
    rows.append(Row(case, "B", Spread.of([found["bytes"] / count])))
    more = taken_by("with cells", count)["bytes"] - taken_by("without cells", count)["bytes"]
    return [*rows, Row("a value cell, beside its handle and facet", "B", Spread.of([more / count]))]


def main() -> int:
    parser = argparse.ArgumentParser(prog="./dev bench memory", description=__doc__)
    parser.add_argument("--check", action="store_true", help="exit status 1 if a bound is missed")
    parser.add_argument("--quick", action="store_true", help="a tenth of it, no JSON")
    parser.add_argument("--case", choices=CASES, help=argparse.SUPPRESS)
    parser.add_argument("--count", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        taken, names = CASES[options.case](options.count)
        print(json.dumps({"bytes": taken, "facets": names} | depwatch.stats()))
        return 0
    rows = rows_of(HANDLES // 10 if options.quick else HANDLES)
    return finish("memory", "What handles take", rows, check=options.check, write=not options.quick)


if __name__ == "__main__":
    sys.exit(main())
