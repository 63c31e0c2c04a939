"""What a replay says of the program itself: totals, which facets broke, who did it, when, and how long things held."""

from collections.abc import Callable
from typing import Final

import numpy as np

from depwatch.compare.trace.causes import cause
from depwatch.compare.trace.entries import NULL
from depwatch.compare.trace.reader import Trace
from depwatch.compare.trace.schema import Row

from ._engine import Engine
from .events import Events, Numbers
from .harm import Harm
from .result import Cause, Facet, Lifetimes, Object, Phase, Timeline, Totals

BINS: Final = 100  # of the timeline
STARTUP: Final = BINS // 5  # bins: the first fifth of the run
WORST: Final = 20  # objects
SOME: Final = 5  # functions, types and kinds of change of each facet


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

    def objects(self, drops: Numbers) -> list[Object]:
        """Those that drop most. drops: (handles that each dropped, needlessly) by object."""
        events, rows = self._events, self._rows[Row.OBJECT]
        changes = np.bincount(events.change_object, events.change_count, len(rows)).astype(np.int64)
        names = {number: self._text("name", rows[number]) or "" for number in np.flatnonzero(drops[:, 0]).tolist()}
        found = []
        for number in sorted(names, key=lambda o: (-drops[o, 0], -changes[o], names[o], o))[:WORST]:
            file, line = self._place(of := np.flatnonzero(events.change_object == number), events.change_count[of])
            found.append(
                Object(
                    object=names[number],
                    kind=self._text("type", rows[number]) or "",
                    changes=int(changes[number]),
                    dropped=int(drops[number, 0]),
                    needlessly=int(drops[number, 1]),
                    file=file,
                    line=line,
                    cause=cause(file),
                )
            )
        return found

    def facets(self, drops: Numbers, harm: Harm) -> list[Facet]:
        """All that dropped code, those first that drop most, then those that broke most.

        drops: (handles that each dropped, needlessly) by facet.
        """
        events = self._events
        count = len(events.facets)
        changes = np.bincount(events.value_facet, events.value_count, count).astype(np.int64)
        breaks = np.bincount(self._breaks[:, 2], minlength=count)
        hit = np.bincount(self._breaks[:, 2], self._breaks[:, 3], count).astype(np.int64)
        restores = self._base.restores_counted()
        broken = np.flatnonzero((breaks != 0) | (drops[:, 0] != 0))
        change = np.repeat(np.arange(len(events.change_row)), np.diff(events.value_start.astype(np.int64)))
        values_of, functions_of = _Grouped(events.value_facet), self._functions_of()
        rows, rows_of = self._rows[Row.VALUE], _Grouped(self._trace.column("facet")[self._rows[Row.VALUE]])
        labels = {facet: self._label(facet) for facet in broken.tolist()}
        found = []
        for facet in sorted(labels, key=lambda f: (-drops[f, 0], -breaks[f], -hit[f], -changes[f], labels[f])):
            values = values_of[facet]
            file, line = self._place(change[values], events.value_count[values])
            names = self._names_of(functions_of(facet), harm.dropped.get(facet, {}))
            had, returns = self._had(facet, values)
            found.append(
                Facet(
                    facet=labels[facet],
                    kind=self._text("type", self._rows[Row.FACET][facet]) or "",
                    home=self._home(facet),
                    changes=int(changes[facet]),
                    values=had,
                    returns=returns,
                    types=self._by_count("type", rows[rows_of[events.facets[facet]]]),
                    deeds=self._by_count("type", events.change_row[change[values]]),
                    dropped=int(drops[facet, 0]),
                    needlessly=int(drops[facet, 1]),
                    recompiled=harm.recompiled.get(facet, 0),
                    breaks=int(breaks[facet]),
                    restores=int(restores[facet]),
                    handles_hit=int(hit[facet]),
                    file=file,
                    line=line,
                    cause=cause(file),
                    functions=names[:SOME],
                    more_functions=max(0, len(names) - SOME),
                )
            )
        return found

    def _functions_of(self) -> Callable[[int], Numbers]:
        """Of each facet, the hot functions that depended on it."""
        events, sets = self._events, self._base.sets_made()
        of = np.repeat(np.arange(len(sets)), np.diff(events.set_start.astype(np.int64)))
        is_made = sets[of] >= 0
        functions, grouped = events.set_function[of[is_made]], _Grouped(events.dependency_facet[is_made])
        return lambda facet: np.unique(functions[grouped[facet]])

    def _names_of(self, functions: Numbers, dropped: dict[int, int]) -> list[str]:
        """Those first that were dropped most."""
        times: dict[str, int] = {}
        for number in functions.tolist():
            name = self._text("name", self._rows[Row.FUNCTION][number]) or "?"
            times[name] = times.get(name, 0) + dropped.get(number, 0)
        return sorted(times, key=lambda name: (-times[name], name))

    def _had(self, facet: int, values: Numbers) -> tuple[int, int]:
        """How many values the facet has had, and how many of its changes brought one back."""
        events = self._events
        had = set(events.dependency_value[np.flatnonzero(events.dependency_facet == facet)[:1]].tolist())
        returns = 0
        for number in events.value_number[values].tolist():
            returns += number in had
            had.add(number)
        return len(had), returns

    def _by_count(self, column: str, rows: Numbers) -> list[str]:
        """What these rows have in a text column, the most frequent first."""
        texts, times = np.unique(self._trace.column(column)[rows], return_counts=True)
        named = [(-many, self._names[text]) for text, many in zip(texts, times, strict=True) if text != NULL]
        return [name for _, name in sorted(named)][:SOME]

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
        name, at = self._text("name", row), self._object_row(facet)
        of = None if at is None else self._text("name", at)
        part = f"__{name}__" if self._text("type", row) == "function" else name
        return f"{of}.{part}" if of else str(part)

    def _home(self, facet: int) -> str | None:
        """The file that its object comes from."""
        at = self._object_row(facet)
        return None if at is None else self._text("file", at)

    def _object_row(self, facet: int) -> int | None:
        number = self._trace.column("object")[self._rows[Row.FACET][facet]]
        objects = self._rows[Row.OBJECT]
        at = objects[self._trace.column("object")[objects] == number]
        return int(at[0]) if len(at) else None

    def _place(self, changes: Numbers, counts: Numbers) -> tuple[str | None, int | None]:
        """Where most of these changes were made, each so many times."""
        rows = self._events.change_row[changes]
        files = self._trace.column("file")[rows].astype(np.int64)
        places, first, at = np.unique(
            files << 32 | self._trace.column("line")[rows], return_index=True, return_inverse=True
        )
        times = np.bincount(at, counts)
        best = min(range(len(places)), key=lambda place: (-times[place], first[place]))
        file, line = int(places[best]) >> 32, int(places[best]) & 0xFFFFFFFF
        return (None, None) if file == NULL else (self._names[file], line or None)

    def _text(self, column: str, row: int) -> str | None:
        number = self._trace.column(column)[row]
        return None if number == NULL else self._names[number]


class _Grouped:
    """Where each number stands in an array."""

    def __init__(self, numbers: Numbers) -> None:
        self._order = np.argsort(numbers, kind="stable")
        self._sorted = numbers[self._order]

    def __getitem__(self, number: int) -> Numbers:
        first, last = np.searchsorted(self._sorted, (number, number + 1))
        return self._order[first:last]


def phases(whole: dict[str, int], startup: dict[str, int]) -> dict[Phase, dict[str, int]]:
    """The rest is what the start-up leaves of the whole.

    Calls that ran cold as far as was known when the start-up ended may turn out not to have: a function's dependencies
    come later than its calls. So the start-up has no more of anything than the whole.
    """
    startup = {name: min(count, whole[name]) for name, count in startup.items()}
    return {"whole": whole, "startup": startup, "rest": {name: whole[name] - startup[name] for name in whole}}
