"""A trace made ready for the engine: dense numbers, one entry an event, what belongs together put together.

An event is a step of `op`; its `what` is the function, set, change or object that it is about. A set is what a function
would depend on, a `resolved` row; a change has the values that it left, and the calls that are spread over it.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Any, Final

import numpy as np

from depwatch.compare.trace.entries import NULL as NONE
from depwatch.compare.trace.entries import NUMBER
from depwatch.compare.trace.folder import TraceError
from depwatch.compare.trace.reader import Trace
from depwatch.compare.trace.schema import UNKNOWN, Row

type Numbers = Any  # an array; numpy's types say nothing where it is not installed

DICTS: Final = frozenset({"builtins", "module", "dict"})
MOST_CHANGES: Final = (1 << 31) - 1  # in one row: the engine multiplies two such numbers
_CHANGES_VALUE_IN_PLACE: Final = "modified"
_FUNCTION: Final = "function"  # a facet of one: only what is in its keyword defaults has no number


class Op(IntEnum):
    CALLS = 0  # of function `what`: `number` so far
    RESOLVED = 1  # set `what` is its function's from now on, at call `number`
    CHANGE = 2  # change `what`
    DRAIN = 3
    FUNCTION_GONE = 4
    OBJECT_GONE = 5
    LOST = 6  # value `number` of facet `what` is gone


@dataclass(frozen=True, slots=True)
class Events:
    # events
    op: Numbers
    what: Numbers
    number: Numbers
    row: Numbers  # where each stands in the trace
    time: Numbers  # ns
    # sets
    set_function: Numbers
    set_start: Numbers  # dependencies of set s: set_start[s] to set_start[s + 1]
    dependency_facet: Numbers
    dependency_via: Numbers  # a facet, or NONE
    dependency_value: Numbers
    dependency_patchable: Numbers
    object_start: Numbers  # the objects that a dependency's facet lies in
    dependency_object: Numbers
    # changes
    change_row: Numbers
    change_object: Numbers
    change_count: Numbers
    change_moments: Numbers  # of an object in a window, at its first change; at its other ones 0
    change_last: Numbers  # the last change of the same object in the window; itself, if it is the only one
    change_next: Numbers  # the first change of the window's next object, at the first one of each; NONE: there is none
    window_end: Numbers  # after the last change of all of the window
    change_is_window: Numbers  # at the first change: a row stands for several, or there are several objects
    change_in_place: Numbers  # modified, where it was: depwatch trusts it at once, and looks again after any other
    value_start: Numbers
    value_facet: Numbers
    value_count: Numbers
    value_moments: Numbers
    value_number: Numbers
    value_same: Numbers
    value_inside: Numbers  # a dict of keyword defaults has other contents: handles are retired, and nothing breaks
    spread_start: Numbers
    spread_function: Numbers
    spread_calls: Numbers  # so far
    spread_moments: Numbers  # after how many of the window's moments the function was called; NONE: not known
    # functions, objects, facets
    points: Numbers  # invalidation points of each function
    limit: Numbers  # of each object, after how many changes CPython gives it up: 0: never
    functions_of_start: Numbers  # which functions ever depend on an object
    functions_of: Numbers
    # to name them again
    functions: Numbers
    objects: Numbers
    facets: Numbers

    @property
    def counts(self) -> tuple[int, int, int]:
        """How many functions, objects and facets there are."""
        return len(self.points), len(self.limit), len(self.facets)


def events_of(trace: Trace) -> Events:
    """Raises TraceError if rows name what was not given before."""
    try:
        return _events_of(trace)
    except _NeverGiven as error:
        raise TraceError(f"{trace.path}: {error}") from None


def _events_of(trace: Trace) -> Events:
    columns = _Columns(trace)
    steps = _Steps()
    sets = _sets(columns, steps)
    changes = _changes(columns, steps)
    calls = _calls(columns, steps, changes)
    _rest(columns, steps)
    return Events(
        **steps.in_order(columns.all("time")),
        **sets,
        **changes,
        **calls,
        points=columns("count", Row.FUNCTION),
        limit=_limits(columns),
        functions=columns.functions,
        objects=columns.objects,
        facets=columns.facets,
    )


def _sets(columns: "_Columns", steps: "_Steps") -> dict[str, Numbers]:
    resolved = columns.rows(Row.RESOLVED)
    set_function = columns.function(columns.all("function")[resolved])
    steps.add(resolved, Op.RESOLVED, np.arange(len(resolved)), columns.all("calls")[resolved])
    dependency = columns.rows(Row.DEPENDENCY)
    owner = _next(columns.function(columns.all("function")[dependency]), dependency, set_function, resolved)
    dependency, owner = dependency[owner != NONE], owner[owner != NONE]
    facet = columns.facet(columns.all("facet")[dependency])
    first = _first_of_pairs(owner, facet)  # the row that an (owner, facet) came with first, for each row
    order = np.lexsort((dependency, first, owner))
    dependency, owner, facet, first = dependency[order], owner[order], facet[order], first[order]
    is_first = np.ones(len(first), bool)
    is_first[1:] = (first[1:] != first[:-1]) | (owner[1:] != owner[:-1])
    firsts = np.flatnonzero(is_first)
    rows = dependency[firsts]
    via = columns.all("via")[rows]
    dependency_via = np.full(len(firsts), NONE, np.uint32)
    dependency_via[via != NONE] = columns.facet(via[via != NONE])
    dependency_object = columns.object(columns.all("object")[dependency])
    n_functions, n_objects = len(columns.functions), len(columns.objects)
    functions_of_start, functions_of = _functions_of(set_function, owner, dependency_object, n_functions, n_objects)
    return {
        "set_function": set_function,
        "set_start": _starts(owner[firsts], len(resolved)),
        "dependency_facet": facet[firsts].astype(np.uint32),
        "dependency_via": dependency_via,
        "dependency_value": _told_apart(columns.all("value")[rows], rows),
        "dependency_patchable": (columns.all("patchable")[rows] == 1).astype(np.uint8),
        "object_start": np.append(firsts, len(dependency)).astype(np.uint32),
        "dependency_object": dependency_object,
        "functions_of_start": functions_of_start,
        "functions_of": functions_of,
    }


def _changes(columns: "_Columns", steps: "_Steps") -> dict[str, Numbers]:
    change = columns.rows(Row.CHANGE)
    change_object = columns.object(columns.all("object")[change])
    change_count = np.clip(columns.all("count")[change], 1, MOST_CHANGES)
    change_moments = _moments(columns, change, change_count)
    value = columns.rows(Row.VALUE)
    windows = _windows(columns, change, change_object)
    steps.add(change[windows.is_first], Op.CHANGE, np.flatnonzero(windows.is_first))
    so_far, many = np.append(0, np.cumsum(change_moments)), np.append(0, np.cumsum(change_count > 1))
    is_window = (windows.next != NONE) | (many[windows.end] > many[:-1])
    change_moments = np.where(windows.begins, so_far[windows.last + 1] - so_far[:-1], 0).astype(np.uint32)
    value_change = _last(columns.object(columns.all("object")[value]), value, change_object, change)
    value, value_change = value[value_change != NONE], value_change[value_change != NONE]
    order = np.argsort(value_change, kind="stable")
    value, value_change = value[order], value_change[order]
    value_count = np.minimum(np.maximum(columns.all("count")[value], 1), change_count[value_change])
    value_facet = columns.facet(columns.all("facet")[value])
    numbers = columns.all("value")[value]
    return {
        "change_row": change.astype(np.int64),
        "change_object": change_object,
        "change_count": change_count.astype(np.uint32),
        "change_moments": change_moments,
        "change_last": windows.last,
        "change_next": windows.next,
        "window_end": windows.end,
        "change_is_window": is_window,
        "change_in_place": _are(columns, change, _CHANGES_VALUE_IN_PLACE),
        "value_start": _starts(value_change, len(change)),
        "value_facet": value_facet,
        "value_count": value_count.astype(np.uint32),
        "value_moments": np.maximum(_moments(columns, value, value_count), 1),
        "value_number": _told_apart(numbers, value),
        "value_same": (columns.all("same")[value] == 1).astype(np.uint8),
        "value_inside": (numbers == UNKNOWN) & _are(columns, columns.rows(Row.FACET), _FUNCTION)[value_facet],
    }


def _calls(columns: "_Columns", steps: "_Steps", changes: dict[str, Numbers]) -> dict[str, Numbers]:
    """Those that are spread over a window belong to its first change; of a function, those up to its last row."""
    change = changes["change_row"]
    calls = columns.rows(Row.CALLS)
    is_spread = columns.all("object")[calls] != NONE
    spread = calls[is_spread]
    spread_change = _next(columns.object(columns.all("object")[spread]), spread, changes["change_object"], change)
    is_window = spread_change != NONE
    if len(change):
        starts = np.flatnonzero(np.append(True, changes["window_end"][1:] != changes["window_end"][:-1]))
        at = np.minimum(spread_change, len(change) - 1)
        first = starts[np.searchsorted(starts, at, "right") - 1]
        is_window &= changes["change_is_window"][first]
        spread_change = first
    plain = np.sort(np.concatenate([calls[~is_spread], spread[~is_window]]))
    steps.add(plain, Op.CALLS, columns.function(columns.all("function")[plain]), columns.all("calls")[plain])
    spread, spread_change = spread[is_window], spread_change[is_window]
    function = columns.function(columns.all("function")[spread])
    _, first, of = np.unique(spread_change.astype(np.int64) << 32 | function, return_index=True, return_inverse=True)
    total = np.bincount(of, np.minimum(columns.all("moments")[spread], MOST_CHANGES).astype(float), len(first))
    last = np.zeros(len(first), np.int64)
    np.maximum.at(last, of, np.arange(len(spread)))
    order = np.lexsort((last, spread_change[last]))
    kept, total = last[order], total[order]
    return {
        "spread_start": _starts(spread_change[kept], len(change)),
        "spread_function": function[kept],
        "spread_calls": columns.all("calls")[spread[kept]],
        "spread_moments": np.where(total < MOST_CHANGES, total, NONE).astype(np.uint32),
    }


def _rest(columns: "_Columns", steps: "_Steps") -> None:
    lost = columns.rows(Row.LOST)
    steps.add(lost, Op.LOST, columns.facet(columns.all("facet")[lost]), columns.all("value")[lost])
    drain, gone = columns.rows(Row.DRAIN), columns.rows(Row.GONE)
    steps.add(drain, Op.DRAIN, np.zeros(len(drain)))
    gone_function = gone[columns.all("function")[gone] != NONE]
    gone_object = gone[columns.all("function")[gone] == NONE]
    steps.add(gone_function, Op.FUNCTION_GONE, columns.function(columns.all("function")[gone_function]))
    steps.add(gone_object, Op.OBJECT_GONE, columns.object(columns.all("object")[gone_object]))


def _limits(columns: "_Columns") -> Numbers:
    """Of each object, by the kind of object that it is."""
    kinds = columns.all("type")[columns.rows(Row.OBJECT)]
    of_kind = [_limit(columns.strings[kind]) if kind != NONE else 0 for kind in range(len(columns.strings))]
    limit = np.array(of_kind or [0])
    return limit[np.minimum(kinds, len(limit) - 1)].astype(np.uint32)


class _Steps:
    """The events, as they are found."""

    def __init__(self) -> None:
        self._rows: list[Numbers] = []
        self._op: list[Numbers] = []
        self._what: list[Numbers] = []
        self._number: list[Numbers] = []

    def add(self, rows: Numbers, kind: Op, about: Numbers, numbers: Numbers | None = None) -> None:
        self._rows.append(rows)
        self._op.append(np.full(len(rows), kind, np.uint8))
        self._what.append(about.astype(np.uint32))
        self._number.append(np.zeros(len(rows), np.uint64) if numbers is None else numbers.astype(np.uint64))

    def in_order(self, times: Numbers) -> dict[str, Numbers]:
        row = np.concatenate(self._rows)
        order = np.argsort(row, kind="stable")
        return {
            "op": np.concatenate(self._op)[order],
            "what": np.concatenate(self._what)[order],
            "number": np.concatenate(self._number)[order],
            "row": row[order].astype(np.int64),
            "time": times[row[order]],
        }


class _NeverGiven(Exception):
    def __init__(self, of: str, number: int) -> None:
        super().__init__(f"is damaged: it uses {of} {number}, which no row gives; record again")


class _Columns:
    """The trace's columns, and where the rows of each kind are."""

    def __init__(self, trace: Trace) -> None:
        self.all = trace.column
        self.strings = trace.strings
        self._kinds = trace.column("kind")
        trace.column("type")  # or its strings are not there
        self.functions = self("function", Row.FUNCTION)
        self.objects = self("object", Row.OBJECT)
        self.facets = self("facet", Row.FACET)
        # From the trace's numbers of them to those of the engine.
        self.function, self.object = _Dense("function", self.functions), _Dense("object", self.objects)
        self.facet = _Dense("facet", self.facets)

    def rows(self, kind: Row) -> Numbers:
        return np.flatnonzero(self._kinds == NUMBER[kind])

    def __call__(self, name: str, kind: Row) -> Numbers:
        return self.all(name)[self.rows(kind)]


class _Dense:
    """From the trace's numbers, in the order in which they were given, to 0, 1, 2, ..."""

    def __init__(self, of: str, numbers: Numbers) -> None:
        self._of = of
        self._order = np.argsort(numbers, kind="stable")
        self._sorted = numbers[self._order]

    def __call__(self, numbers: Numbers) -> Numbers:
        if not len(numbers):
            return np.zeros(0, np.uint32)
        if not len(self._sorted):
            raise _NeverGiven(self._of, numbers[0])
        at = np.minimum(np.searchsorted(self._sorted, numbers), len(self._sorted) - 1)
        if not np.array_equal(self._sorted[at], numbers):
            wrong = numbers[self._sorted[at] != numbers][0]
            raise _NeverGiven(self._of, wrong)
        return self._order[at].astype(np.uint32)


def _next(key: Numbers, row: Numbers, other_key: Numbers, other_row: Numbers) -> Numbers:
    """For each row, the first of the others that has its key and comes after it; NONE: there is none."""
    return _neighbour(key, row, other_key, other_row, 0)


def _last(key: Numbers, row: Numbers, other_key: Numbers, other_row: Numbers) -> Numbers:
    """For each row, the last of the others that has its key and comes before it."""
    return _neighbour(key, row, other_key, other_row, -1)


def _neighbour(key: Numbers, row: Numbers, other_key: Numbers, other_row: Numbers, step: int) -> Numbers:
    if not len(other_key) or not len(key):
        return np.full(len(key), NONE, np.uint32)
    order = np.lexsort((other_row, other_key))
    width = 1 + int(max(row.max(), other_row.max()))
    sorted_key = other_key[order].astype(np.int64)
    at = np.searchsorted(sorted_key * width + other_row[order], key.astype(np.int64) * width + row) + step
    inside = np.clip(at, 0, len(order) - 1)
    found = (at == inside) & (sorted_key[inside] == key)
    return np.where(found, order[inside], NONE).astype(np.uint32)


def _first_of_pairs(a: Numbers, b: Numbers) -> Numbers:
    """For each place, the first place that has the same a and b."""
    pairs = a.astype(np.int64) << 32 | b.astype(np.int64)
    _, first, inverse = np.unique(pairs, return_index=True, return_inverse=True)
    return first[inverse] if len(pairs) else np.zeros(0, np.int64)


def _starts(owner: Numbers, count: int) -> Numbers:
    """Where each owner's entries start, in entries that are sorted by their owner; and the end."""
    return np.searchsorted(owner, np.arange(count + 1)).astype(np.uint32)


def _told_apart(values: Numbers, rows: Numbers) -> Numbers:
    """A value that is not known is unequal to all, so each gets a number of its own."""
    return np.where(values <= UNKNOWN, -3 - rows, values).astype(np.int64)


@dataclass(frozen=True, slots=True)
class _Windows:
    """Of each change: what it is in its window, if it is in one; see Events."""

    begins: Numbers  # the first of its object
    last: Numbers
    next: Numbers
    is_first: Numbers  # of the window
    end: Numbers


def _windows(columns: _Columns, change: Numbers, change_object: Numbers) -> _Windows:
    """Rows of an object's window follow each other; so do those of objects whose windows are one, at the same time."""
    if not len(change):
        none, no = np.zeros(0, np.uint32), np.zeros(0, bool)
        return _Windows(no, none, none, no, none)
    kinds, moments, time = columns.all("kind"), columns.all("moments")[change], columns.all("time")[change]
    others = np.cumsum(kinds != NUMBER[Row.VALUE])[change]  # rows that are no values, up to each change
    follows = (others[1:] == others[:-1] + 1) & (moments[1:] != NONE) & (moments[:-1] != NONE)
    is_same = change_object[1:] == change_object[:-1]
    begins = np.append(True, ~(follows & is_same))
    is_first = np.append(True, ~(follows & (is_same | (time[1:] == time[:-1]))))
    ends = _ends(begins)
    last, end = (ends - 1)[np.cumsum(begins) - 1], _ends(is_first)[np.cumsum(is_first) - 1]
    following = np.full(len(change), NONE, np.uint32)
    following[begins] = np.where(ends == end[begins], NONE, ends)
    return _Windows(begins, last, following, is_first, end)


def _ends(is_first: Numbers) -> Numbers:
    """Of each group, where the next one starts."""
    return np.append(np.flatnonzero(is_first)[1:], len(is_first))


def _moments(columns: _Columns, rows: Numbers, counts: Numbers) -> Numbers:
    """As many as changes, where the rows do not say it."""
    moments = columns.all("moments")[rows]
    return np.where(moments == NONE, counts, np.minimum(moments, counts)).astype(np.uint32)


def _are(columns: _Columns, rows: Numbers, type: str) -> Numbers:
    number = columns.strings.index(type) if type in columns.strings else NONE
    return (columns.all("type")[rows] == number).astype(np.uint8)


def _limit(type: str) -> int:
    return 0 if type not in DICTS else 3 if type == "builtins" else 6


def _functions_of(
    set_function: Numbers, owner: Numbers, objects: Numbers, n_functions: int, n_objects: int
) -> tuple[Numbers, Numbers]:
    pairs = np.unique(objects.astype(np.int64) * max(n_functions, 1) + set_function[owner])
    return _starts(pairs // max(n_functions, 1), n_objects), (pairs % max(n_functions, 1)).astype(np.uint32)
