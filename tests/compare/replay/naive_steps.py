"""The steps of a trace, for the naive twin: its rows, with those that are one window put together."""

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import groupby
from typing import Any


@dataclass
class Value:
    facet: int
    value: object
    same: bool
    count: int
    moments: int
    inside: bool  # keyword defaults


@dataclass
class Change:
    object: int
    count: int
    moments: int
    in_place: bool
    values: list[Value] = field(default_factory=list)
    spread: list[tuple[int, int]] = field(default_factory=list)


@dataclass
class Window:
    changes: list[Change]  # of each object one
    spread: list[tuple[int, int]]
    # After how many moments each function was called; None: that is not known.
    moments: dict[int, int | None] = field(default_factory=dict)

    @property
    def values(self) -> list[Value]:
        return [value for change in self.changes for value in change.values]


def steps(rows: list[dict[str, Any]]) -> Iterator[tuple[str, Any]]:
    """The rows with what belongs together put together; every value that is not known is an object of its own."""
    changes: list[tuple[int, Change]] = []
    dropped: set[int] = set()
    spread: dict[int, list[int]] = defaultdict(list)  # rows of calls, by the id() of their change
    of_functions = {row["facet"] for row in rows if row["kind"] == "facet" and row["type"] == "function"}
    for at, row in enumerate(rows):
        if row["kind"] == "change":
            count = row["count"] or 1
            moments = count if row["moments"] is None else min(row["moments"], count)
            changes.append((at, Change(row["object"], count, moments, row["type"] == "modified")))
    by_row = dict(changes)
    for at, row in enumerate(rows):
        if row["kind"] == "value":
            of = [change for place, change in changes if place < at and change.object == row["object"]]
            count = min(row["count"] or 1, of[-1].count)
            value = object() if row["value"] == -2 else row["value"]
            inside = row["value"] == -2 and row["facet"] in of_functions
            moments = count if row["moments"] is None else max(1, min(row["moments"], count))
            of[-1].values.append(Value(row["facet"], value, bool(row["same"]), count, moments, inside))
        elif row["kind"] == "calls" and row["object"] is not None:
            of = [change for place, change in changes if place > at and change.object == row["object"]]
            if of:
                of[0].spread.append((row["function"], row["calls"]))
                spread[id(of[0])].append(at)
    windows: dict[int, Window | Change] = {}
    of_window: set[int] = set()
    for group in grouped(rows):
        objects = [list(each) for _, each in groupby(group, lambda at: rows[at]["object"])]
        parts = [[by_row[at] for at in each] for each in objects]
        if len(parts) > 1 or any(change.count > 1 for change in parts[0]):
            calls: dict[int, int] = {}
            for function, number in sorted(pair for part in parts for change in part for pair in change.spread):
                calls[function] = number
            last = [at for part in parts for change in part for at in spread[id(change)]]
            order = [rows[at]["function"] for at in sorted(last) if rows[at]["calls"] == calls[rows[at]["function"]]]
            told: dict[int, list[int | None]] = defaultdict(list)
            for at in last:
                told[rows[at]["function"]].append(rows[at]["moments"])
            moments = {f: None if None in each else sum(filter(None, each)) for f, each in told.items()}
            spread_calls = [(f, calls[f]) for f in dict.fromkeys(order)]
            window = Window([together(part) for part in parts], spread_calls, moments)
            windows[group[0]] = window
            dropped |= set(last)
        else:
            windows[group[0]] = together(parts[0])
        of_window |= set(group)
    for at, row in enumerate(rows):
        if at in windows:
            yield "change", windows[at]
        elif at not in of_window and at not in dropped and row["kind"] != "value":
            yield row["kind"], row


def grouped(rows: list[dict[str, Any]]) -> Iterator[list[int]]:
    """Where the changes of each window are, and each other change."""
    group: list[int] = []
    for at, row in enumerate(rows):
        if row["kind"] == "value":
            continue
        if group and not (row["kind"] == "change" and goes_on(rows[group[-1]], row)):
            yield group
            group = []
        if row["kind"] == "change":
            group.append(at)
    if group:
        yield group


def goes_on(before: dict[str, Any], row: dict[str, Any]) -> bool:
    is_one = row["object"] == before["object"] or row["time"] == before["time"]
    return is_one and row["moments"] is not None and before["moments"] is not None


def together(changes: list[Change]) -> Change:
    """A window has a change for each place of an object."""
    first = changes[0]
    values = [value for change in changes for value in change.values]
    count, moments = (sum(getattr(change, name) for change in changes) for name in ("count", "moments"))
    return Change(first.object, count, moments, first.in_place, values)
