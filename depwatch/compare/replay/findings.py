"""What a replay says of the program itself: totals, which facets broke, who did it, when, and how long things held."""

from typing import Final

import numpy as np

from depwatch.compare.trace.causes import cause
from depwatch.compare.trace.entries import NULL
from depwatch.compare.trace.reader import Trace
from depwatch.compare.trace.schema import Row

from ._engine import Engine
from .events import Events, Numbers
from .result import Cause, Facet, Lifetimes, Phase, Timeline, Totals

BINS: Final = 100  # of the timeline
STARTUP: Final = BINS // 5  # bins: the first fifth of the run
WORST: Final = 20  # facets


def edges_of(trace: Trace) -> Numbers:
    """Of the bins of the timeline, in ns."""
    return np.linspace(0, trace.seconds * 1e9, BINS + 1)


def stops_of(trace: Trace, events: Events) -> Numbers:
    """The events at which the bins begin, but the first."""
    return np.searchsorted(events.time, edges_of(trace)[1:-1])


class Findings:
    """base: an engine with depwatch's own policy that has run; its breaks are the ones that are told of."""

    def __init__(self, trace: Trace, events: Events, base: Engine) -> None:
        self._trace = trace
        self._events = events
        self._base = base
        self._edges = edges_of(trace)
        self._breaks = base.breaks_counted()
        kinds = trace.column("kind")
        self._rows = {row: np.flatnonzero(kinds == number) for number, row in enumerate(Row)}
        self._change_time = trace.column("time")[events.change_row].astype(np.int64)
        self._names = trace.strings
        for column in ("type", "name", "file"):
            trace.column(column)  # or their strings are not there

    # -- time --------------------------------------------------------------------------------------------------------

    def _binned(self, times: Numbers, weights: Numbers) -> list[int]:
        counted, _ = np.histogram(times, self._edges, weights=weights) if self._edges[-1] else (np.zeros(BINS), None)
        return [int(count) for count in counted]

    def timeline(self, dropped: dict[str, list[int]]) -> Timeline:
        breaks = self._events.time[self._breaks[:, 0]] if len(self._breaks) else np.zeros(0)
        return Timeline(
            edges=np.round(self._edges / 1e9, 6).tolist(),
            changes=self._binned(self._change_time, self._events.change_count),
            breaks=self._binned(breaks, np.ones(len(breaks))),
            dropped=dropped,
        )

    # -- totals ------------------------------------------------------------------------------------------------------

    def others(self) -> tuple[int, int]:
        """Calls of functions that are not in the trace, up to the end and up to the end of the start-up: all cold.

        Known at the ticks. A function comes into the trace with all of its calls, so that there can be fewer later.
        """
        calls, function = self._trace.column("calls"), self._trace.column("function")
        rows = self._rows[Row.CALLS]
        order = np.lexsort((rows, function[rows]))
        ordered = rows[order]
        so_far = calls[ordered].astype(np.int64)
        more = np.diff(so_far, prepend=0)
        is_first = np.ones(len(ordered), bool)
        is_first[1:] = function[ordered][1:] != function[ordered][:-1]
        more[is_first] = so_far[is_first]
        known = np.zeros(len(calls) + 1, np.int64)
        known[ordered + 1] = np.maximum(more, 0)
        known = np.cumsum(known)
        ticks = self._rows[Row.TICK]
        of_others = np.maximum(calls[ticks].astype(np.int64) - known[ticks], 0)
        if not len(ticks):
            return 0, 0
        early = int(np.searchsorted(self._trace.column("time")[ticks], self._edges[STARTUP]))
        return int(of_others[-1]), int(of_others[early - 1]) if early else 0

    def totals(self, calls: tuple[int, int], hot: tuple[int, int]) -> dict[Phase, Totals]:
        """calls of all functions, and how many were hot: in the end and at the end of the start-up."""
        events, end = self._events, self._edges[STARTUP]
        function_time = self._trace.column("time")[self._rows[Row.FUNCTION]]
        facets, dependencies, made = self._depended_on()
        whole = {
            "calls": calls[0],
            "functions": len(function_time),
            "hot_functions": hot[0],
            "facets": len(facets),
            "dependencies": len(dependencies),
            "changes": int(events.change_count.sum()),
        }
        startup = {
            "calls": calls[1],
            "functions": int((function_time < end).sum()),
            "hot_functions": hot[1],
            "facets": int((made[facets] < end).sum()),
            "dependencies": int((made[dependencies] < end).sum()),
            "changes": int(events.change_count[self._change_time < end].sum()),
        }
        return {phase: Totals(**counts) for phase, counts in phases(whole, startup).items()}

    def _depended_on(self) -> tuple[Numbers, Numbers, Numbers]:
        """All dependencies of handles: the first of each facet, the first of each in a function, and when each was."""
        events, sets = self._events, self._base.sets_made()
        of = np.repeat(np.arange(len(sets)), np.diff(events.set_start.astype(np.int64)))
        is_made = sets[of] >= 0
        of, facet = of[is_made], events.dependency_facet[is_made].astype(np.int64)
        made = events.time[sets[of]].astype(np.float64) if len(of) else np.zeros(0)
        order = np.argsort(made, kind="stable")
        _, facets = np.unique(facet[order], return_index=True)
        pairs = facet[order] << 32 | events.set_function[of[order]].astype(np.int64)
        _, dependencies = np.unique(pairs, return_index=True)
        return order[facets], order[dependencies], made

    # -- facets and causes ---------------------------------------------------------------------------------------------

    def facets(self) -> list[Facet]:
        """Those that broke most."""
        events = self._events
        count = len(events.facets)
        changes = np.bincount(events.value_facet, events.value_count, count).astype(np.int64)
        breaks = np.bincount(self._breaks[:, 2], minlength=count)
        hit = np.bincount(self._breaks[:, 2], self._breaks[:, 3], count).astype(np.int64)
        restores = self._base.restores_counted()
        broken = np.flatnonzero(breaks)
        worst = sorted(broken.tolist(), key=lambda f: (-breaks[f], -hit[f], -changes[f], self._label(f)))[:WORST]
        found = []
        for facet in worst:
            file, line = self._place(facet)
            found.append(
                Facet(
                    facet=self._label(facet),
                    kind=self._text("type", self._rows[Row.FACET][facet]) or "",
                    changes=int(changes[facet]),
                    breaks=int(breaks[facet]),
                    restores=int(restores[facet]),
                    handles_hit=int(hit[facet]),
                    file=file,
                    line=line,
                    cause=cause(file),
                )
            )
        return found

    def causes(self) -> dict[str, Cause]:
        files = self._trace.column("file")[self._events.change_row]
        places, at = np.unique(files, return_inverse=True)
        changes = np.bincount(at, self._events.change_count, len(places))
        of_breaks = at[self._breaks[:, 1]]
        breaks = np.bincount(of_breaks, minlength=len(places))
        hit = np.bincount(of_breaks, self._breaks[:, 3], len(places))
        counted: dict[str, list[int]] = {}
        for place, row in zip(places, zip(changes, breaks, hit, strict=True), strict=True):
            who = cause(None if place == NULL else self._names[place])
            so_far = counted.get(who, (0, 0, 0))
            counted[who] = [int(number) + before for number, before in zip(row, so_far, strict=True)]
        found = {who: Cause(changes=c, breaks=b, handles_hit=h) for who, (c, b, h) in counted.items()}
        return dict(sorted(found.items(), key=lambda item: (-item[1].breaks, -item[1].changes, item[0])))

    def lifetimes(self) -> Lifetimes:
        broken, held = self._base.lifetimes()
        used = [i for i in range(len(broken)) if broken[i] or held[i]]
        first, last = (used[0], used[-1] + 1) if used else (0, 1)
        return Lifetimes(
            edges=[float(f"{2.0**i / 1e9:.6g}") for i in range(first, last + 1)],
            broken=broken[first:last],
            still_held=held[first:last],
        )

    def _label(self, facet: int) -> str:
        row = self._rows[Row.FACET][facet]
        name, number = self._text("name", row), self._trace.column("object")[row]
        objects = self._rows[Row.OBJECT]
        at = objects[self._trace.column("object")[objects] == number]
        of = self._text("name", at[0]) if len(at) else None
        part = f"__{name}__" if self._text("type", row) == "function" else name
        return f"{of}.{part}" if of else str(part)

    def _place(self, facet: int) -> tuple[str | None, int | None]:
        """Where it was changed most often."""
        events = self._events
        change = np.repeat(np.arange(len(events.change_row)), np.diff(events.value_start.astype(np.int64)))
        values = np.flatnonzero(events.value_facet == facet)
        rows = events.change_row[change[values]]
        files = self._trace.column("file")[rows].astype(np.int64)
        places, first, at = np.unique(
            files << 32 | self._trace.column("line")[rows], return_index=True, return_inverse=True
        )
        times = np.bincount(at, events.value_count[values])
        best = min(range(len(places)), key=lambda place: (-times[place], first[place]))
        file, line = int(places[best]) >> 32, int(places[best]) & 0xFFFFFFFF
        return (None, None) if file == NULL else (self._names[file], line or None)

    def _text(self, column: str, row: int) -> str | None:
        number = self._trace.column(column)[row]
        return None if number == NULL else self._names[number]


def phases(whole: dict[str, int], startup: dict[str, int]) -> dict[Phase, dict[str, int]]:
    """The rest is what the start-up leaves of the whole."""
    return {"whole": whole, "startup": startup, "rest": {name: whole[name] - startup[name] for name in whole}}
