"""Where executors of CPython's JIT begin, beside the functions that a replay takes for hot: why numbers differ."""

from collections.abc import Iterable
from pathlib import Path, PurePath
from typing import Any, Final

import numpy as np

from depwatch.compare.policies import HOT_AFTER
from depwatch.compare.replay.events import events_of
from depwatch.compare.trace.reader import Trace
from depwatch.compare.trace.schema import Row

from .units import calls_of

TRACED_AFTER: Final = 8190  # calls: RESUME_INITIAL_VALUE of CPython 3.15, after which a call begins a trace

type Function = tuple[str, str]  # name without its module, file without its directory


def called(path: Path) -> dict[Function, int]:
    """How often each function of a trace was called. Raises TraceError."""
    with Trace(path) as trace:
        calls = calls_of(events_of(trace))
        kind, name, file = (trace.column(column) for column in ("kind", "name", "file"))
        found: dict[Function, int] = {}
        for number, row in enumerate(np.flatnonzero(kind == list(Row).index(Row.FUNCTION)).tolist()):
            function = trace.strings[int(name[row])], PurePath(trace.strings[int(file[row])]).name
            found[function] = found.get(function, 0) + calls.get(number, 0)
    return found


def explained(
    calls: dict[Function, int], places: Iterable[tuple[str, str, int, int, dict[str, int]]]
) -> dict[str, Any]:
    """Why so many executors were made and not as many as there are hot functions.

    places: of under_gdb.py: function, file, offset, exits that lead there, what became of those that begin there.
    """
    begin: set[Function] = set()
    counts = {"first, in a hot function": 0, "first, elsewhere": 0, "at an exit": 0, "again": 0}
    for name, file, _, exits, did in places:
        function = name, PurePath(file).name
        if exits:  # several lead to one place, and each has its own
            counts["at an exit"] += did["made"]
        else:
            begin.add(function)
            hot = calls.get(function, 0) >= HOT_AFTER
            counts["first, in a hot function" if hot else "first, elsewhere"] += 1
            counts["again"] += did["made"] - 1
    without = [count for function, count in calls.items() if count >= HOT_AFTER and function not in begin]
    return {
        "executors": counts,
        "functions called so often that the JIT traces a call": sum(count >= TRACED_AFTER for count in calls.values()),
        "hot functions in which none begins": {
            f"called less than {TRACED_AFTER:,} times": sum(count < TRACED_AFTER for count in without),
            "called more often: they run in traces of others": sum(count >= TRACED_AFTER for count in without),
        },
    }
