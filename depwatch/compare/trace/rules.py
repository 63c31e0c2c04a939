"""The rules of docs/trace-format.md, checked on whole columns."""

from collections.abc import Callable, Iterator
from typing import Any, Final

import numpy as np

from .entries import NULL, NUMBER, ROWS
from .reader import NO_VALUE, Trace
from .schema import OPTIONAL, REQUIRED, SCHEMA, UNKNOWN, Row

SHOWN: Final = 5  # broken rows of each rule

TYPES: Final = {
    Row.OBJECT: frozenset({"builtins", "module", "dict", "type", "function"}),
    Row.FACET: frozenset({"global", "type attribute", "function"}),
    Row.CHANGE: frozenset({"added", "modified", "deleted", "cloned", "cleared", "mro", "class"}),
}
_DEFINED_BY: Final = {"function": Row.FUNCTION, "object": Row.OBJECT, "facet": Row.FACET}
_USES: Final = {"function": "function", "object": "object", "facet": "facet", "via": "facet"}
_NULLS: Final = {"value": NO_VALUE, "same": -1, "patchable": -1}
# 0 and null are the same in these columns of Trace, so that a missing one cannot be told: only a 0 that must not be.
_ZERO_IS_NULL: Final = frozenset({"calls", "count", "line"})


def broken_rules(trace: Trace) -> list[str]:
    rules: tuple[Callable[[Trace], Iterator[str]], ...] = (
        _columns_of_kinds,
        _types,
        _times,
        _definitions,
        _uses,
        _calls_of_functions,
        _calls_of_ticks,
        _values,
        _counts,
        _resolved,
        _end,
    )
    return [sentence for rule in rules for sentence in rule(trace)]


def _rows(trace: Trace, *kinds: Row) -> Any:
    return np.flatnonzero(np.isin(trace.column("kind"), [NUMBER[kind] for kind in kinds]))


def _told(trace: Trace, rows: Any, text: str) -> Iterator[str]:
    """A sentence for the first of these rows."""
    kinds = trace.column("kind")
    for row in rows[:SHOWN].tolist():
        yield f"row {row} ({ROWS[kinds[row]]}): {text}"
    if len(rows) > SHOWN:
        yield f"{len(rows) - SHOWN} more rows: {text}"


def _is_null(trace: Trace, column: str) -> Any:
    return trace.column(column) == _NULLS.get(column, 0 if column in _ZERO_IS_NULL else NULL)


def _columns_of_kinds(trace: Trace) -> Iterator[str]:
    for kind in Row:
        rows = _rows(trace, kind)
        for column in SCHEMA.names[2:]:
            null = _is_null(trace, column)[rows]
            if column in REQUIRED[kind]:
                if column not in _ZERO_IS_NULL:
                    yield from _told(trace, rows[null], f"has no {column}")
            elif column not in OPTIONAL[kind]:
                yield from _told(trace, rows[~null], f"has a column {column}, and its kind has none")
    rows = _rows(trace, Row.GONE)
    both = _is_null(trace, "function")[rows] == _is_null(trace, "object")[rows]
    yield from _told(trace, rows[both], "names a function and an object, or neither")


def _types(trace: Trace) -> Iterator[str]:
    for kind, allowed in TYPES.items():
        rows = _rows(trace, kind)
        numbers = trace.column("type")[rows]
        known = [number for number, text in enumerate(trace.strings) if text in allowed]
        yield from _told(trace, rows[~np.isin(numbers, [*known, NULL])], f"has a type that {kind}s do not have")


def _times(trace: Trace) -> Iterator[str]:
    times = trace.column("time")
    yield from _told(trace, np.flatnonzero(times[1:] < times[:-1]) + 1, "is earlier than the row before")


def _definitions(trace: Trace) -> Iterator[str]:
    for column, kind in _DEFINED_BY.items():
        rows = _rows(trace, kind)
        numbers, counts = np.unique(trace.column(column)[rows], return_counts=True)
        twice = numbers[counts > 1]
        if len(twice):
            again = rows[np.isin(trace.column(column)[rows], twice)]
            yield from _told(trace, again, f"defines one {column} of several with the same number")


def _uses(trace: Trace) -> Iterator[str]:
    for column, what in _USES.items():
        definitions = _rows(trace, _DEFINED_BY[what])
        numbers, first = np.unique(trace.column(what)[definitions], return_index=True)
        defined = definitions[first]
        rows = np.flatnonzero(~_is_null(trace, column))
        used = trace.column(column)[rows]
        at = np.searchsorted(numbers, used)
        there = at < len(numbers)
        there[there] = numbers[at[there]] == used[there]
        there[there] = defined[at[there]] <= rows[there]
        yield from _told(trace, rows[~there], f"its {column} is defined by no row before it")


def _calls_of_functions(trace: Trace) -> Iterator[str]:
    rows = _rows(trace, Row.CALLS, Row.RESOLVED)
    functions = trace.column("function")[rows]
    order = np.argsort(functions, kind="stable")
    rows, functions = rows[order], functions[order]
    calls = trace.column("calls")[rows]
    fewer = (functions[1:] == functions[:-1]) & (calls[1:] < calls[:-1])
    yield from _told(trace, np.sort(rows[1:][fewer]), "has fewer calls than a row of that function before it")


def _calls_of_ticks(trace: Trace) -> Iterator[str]:
    rows = _rows(trace, Row.TICK, Row.END)
    calls = trace.column("calls")[rows]
    yield from _told(trace, rows[1:][calls[1:] < calls[:-1]], "has fewer calls than the tick before it")


def _values(trace: Trace) -> Iterator[str]:
    """A `value` row belongs to the last `change` of its object, and has its time."""
    rows = _rows(trace, Row.CHANGE, Row.VALUE)
    objects = trace.column("object")[rows]
    order = np.argsort(objects, kind="stable")
    rows, objects = rows[order], objects[order]
    is_change = trace.column("kind")[rows] == NUMBER[Row.CHANGE]
    place = np.arange(len(rows))
    change = np.maximum.accumulate(np.where(is_change, place, -1)) if len(rows) else place
    belongs = change >= 0
    belongs[belongs] = objects[change[belongs]] == objects[belongs]
    yield from _told(trace, np.sort(rows[~belongs]), "comes before any change of its object")
    times, counts = trace.column("time")[rows], trace.column("count")[rows]
    changes = change[belongs]
    later = times[belongs] != times[changes]
    yield from _told(trace, np.sort(rows[belongs][later]), "has another time than the change it belongs to")
    more = counts[belongs] > counts[changes]
    yield from _told(trace, np.sort(rows[belongs][more]), "counts more changes than the change it belongs to")
    for kind in (Row.VALUE, Row.DEPENDENCY):
        rows = _rows(trace, kind)
        values = trace.column("value")[rows]
        yield from _told(trace, rows[(values < UNKNOWN) & (values != NO_VALUE)], "has a value below -2")


def _counts(trace: Trace) -> Iterator[str]:
    rows = _rows(trace, Row.CHANGE, Row.VALUE)
    counts, moments = trace.column("count")[rows], trace.column("moments")[rows]
    yield from _told(trace, rows[counts == 0], "counts no change")
    yield from _told(trace, rows[(moments != NULL) & (moments > counts)], "counts more moments than changes")
    rows = _rows(trace, Row.CALLS)
    counts, moments = trace.column("count")[rows], trace.column("moments")[rows]
    yield from _told(trace, rows[(moments != NULL) & (moments > counts)], "counts more moments than changes")
    alone = _is_null(trace, "object")[rows] != (trace.column("count")[rows] == 0)
    yield from _told(trace, rows[alone], "has an object without a count, or a count without an object")


def _resolved(trace: Trace) -> Iterator[str]:
    """Dependencies are a function's set when `resolved` says so."""
    if not trace.complete:
        return
    functions = trace.column("function")
    dependencies, resolved = _rows(trace, Row.DEPENDENCY), _rows(trace, Row.RESOLVED)
    last: dict[int, int] = dict(zip(functions[resolved].tolist(), resolved.tolist(), strict=True))
    later = [row for row in dependencies.tolist() if row > last.get(int(functions[row]), -1)]
    yield from _told(trace, np.array(later, np.int64), "is followed by no resolved row of its function")


def _end(trace: Trace) -> Iterator[str]:
    rows = _rows(trace, Row.END)
    yield from _told(trace, rows[rows != trace.rows - 1], "is not the last row")
    if trace.complete and (trace.rows < 2 or trace.column("kind")[-2] != NUMBER[Row.TICK]):
        yield from _told(trace, np.array([trace.rows - 1]), "does not come right after a tick")
