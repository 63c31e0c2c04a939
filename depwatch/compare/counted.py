"""From what was counted to one JSON document."""

import platform
from collections.abc import Iterator
from typing import Any, Final

import depwatch

from .lineup import NAMES
from .observer import TOTALS, Observer
from .policies import COUNTS, GIVE_UP_AFTER
from .program import Program

FORMAT: Final = 1
STARTUP: Final = 0.2  # of the run time
WORST: Final = 10  # facets

type Report = dict[str, Any]


def make_report(observer: Observer, program: Program, seconds: float) -> Report:
    """Return everything that the table shows, and more. The observer must have stopped."""
    startup, whole = observer.timeline.at(seconds * STARTUP), observer.timeline.at(seconds)
    rest = tuple(b - a for a, b in zip(startup, whole, strict=True))
    read, missed = observer.missed()
    return {
        "format": FORMAT,
        "program": program.command,
        "python": platform.python_version(),
        "depwatch": depwatch.__version__,
        "hot_after_calls": observer.hot_after,
        "give_up_after": GIVE_UP_AFTER,
        "seconds": round(seconds, 3),
        "startup_seconds": round(seconds * STARTUP, 3),
        "whole": _phase(whole),
        "startup": _phase(startup),
        "rest": _phase(rest),
        "not_depended_on": {
            "missing": observer.compiler.missing,
            "unwatchable": observer.compiler.unwatchable,
            **{f"refused, {why}": n for why, n in sorted(observer.healing.refused.items())},
        },
        "failure": None if observer.failure is None else repr(observer.failure),
        "worst_facets": list(_worst(observer)),
        "facets_read_again": read,
        "missed_events": len(missed),
        "missed": missed[:WORST],
    }


def _phase(counters: tuple[float, ...]) -> Report:
    """Take apart what Observer counted: the exact counts, then the estimates of the same."""
    half = len(counters) // 2
    exact, estimates = counters[:half], [max(0, round(estimate)) for estimate in counters[half:]]
    sums = iter([int(a) + b for a, b in zip(exact, estimates, strict=True)])
    phase: Report = {name: next(sums) for name in TOTALS}
    phase = {"calls": phase.pop("calls_monitored"), **phase}
    rows: dict[str, Report] = {policy: {name: next(sums) for name in COUNTS} for policy in NAMES}
    for row in rows.values():
        row["cold_share"] = round(row["cold_calls"] / phase["calls"], 6) if phase["calls"] else 0.0
    columns = [*TOTALS, *(f"{policy}.{name}" for policy in NAMES for name in COUNTS)]
    columns[0] = "calls"
    phase["policies"] = rows
    phase["of_these_estimated"] = {name: n for name, n in zip(columns, estimates, strict=True) if n}
    return phase


def _worst(observer: Observer) -> Iterator[Report]:
    broken = [f for f in observer.facets.facets.values() if f.breaks]
    broken.sort(key=lambda f: (-f.breaks, -f.handles_hit, -f.changes, f.label))
    for facet in broken[:WORST]:
        place = facet.places.most_common(1) if facet.places else None
        yield {
            "facet": facet.label,
            "kind": facet.kind.value,
            "changes": facet.changes,
            "changes_sampled": facet.is_sampled,
            "breaks": facet.breaks,
            "restores": facet.restores,
            "handles_hit": facet.handles_hit,
            "file": place[0][0][0] if place else None,
            "line": place[0][0][1] if place else None,
        }
