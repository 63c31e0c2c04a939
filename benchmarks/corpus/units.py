"""How many dependencies a piece of optimized code has, if it is a function, or one with what it inlines; from a trace.

A trace that a JIT forms is neither: executors.py counts what CPython's JIT makes.
"""

from collections.abc import Iterable
from math import log
from pathlib import Path
from statistics import mean, quantiles
from typing import Final

import numpy as np

from depwatch.compare.policies import HOT_AFTER
from depwatch.compare.replay.events import Events, Op, events_of
from depwatch.compare.trace.reader import Trace
from depwatch.compare.trace.schema import Row

LEVELS: Final = 2  # of calls that are inlined
OFTEN: Final = 0.5  # of a caller's calls lead to one of the callee's, at least: then it is inlined
BITS: Final = 256  # of a bloom filter of CPython, one a unit
HASHES: Final = 6  # of the bits are set for a dependency
SIZES: Final = (8, 64, 256)  # numbers of dependencies for which the filter's false hits are told

type Units = dict[int, set[int]]  # by function: the numbers of facets, or of objects
type Found = dict[str, dict[str, list[float]]]


def units(path: Path) -> Found:
    """For each kind of unit: quartiles of its facets and of its objects, and the bloom filters' share of false hits.

    These are of functions that are hot, with what they depended on in the end. Raises TraceError.
    """
    with Trace(path) as trace:
        events = events_of(trace)
        facets, objects = _sets(events)
        calls = calls_of(events)
        hot = {function for function, count in calls.items() if count >= HOT_AFTER and function in facets}
        inside = inlined(callees(trace, events, facets), calls, hot)
    kinds = {
        "function": ({one: facets[one] for one in hot}, {one: objects[one] for one in hot}),
        "inlined": (_joined(facets, inside), _joined(objects, inside)),
    }
    return {
        kind: {
            "facets": quartiles([len(found) for found in of_facets.values()]),
            "objects": quartiles([len(found) for found in of_objects.values()]),
            "functions": quartiles([len(inside[one]) if kind == "inlined" else 1 for one in hot]),
            "false hits by facet": [mean(map(false_hits, map(len, of_facets.values())))] if hot else [0.0],
            "false hits by object": [mean(map(false_hits, map(len, of_objects.values())))] if hot else [0.0],
        }
        for kind, (of_facets, of_objects) in kinds.items()
    }


def false_hits(size: int) -> float:
    """The chance that a bloom filter with so many dependencies in it answers yes for what is not in it."""
    return float((1 - (1 - 1 / BITS) ** (HASHES * size)) ** HASHES)


def size_of(bits: int) -> int:
    """How many dependencies a filter most likely has in which so many bits are set."""
    return round(log(1 - min(bits, BITS - 1) / BITS) / (HASHES * log(1 - 1 / BITS)))


def simulated(size: int, draws: int = 20_000) -> float:
    """The same, counted: as many filters, each asked for one thing that is not in it."""
    random = np.random.default_rng(size)
    held = np.zeros((draws, BITS), bool)
    rows = np.repeat(np.arange(draws), HASHES * size)
    held[rows, random.integers(0, BITS, draws * HASHES * size)] = True
    asked = random.integers(0, BITS, (draws, HASHES))
    return float(np.take_along_axis(held, asked, 1).all(1).mean())


def quartiles(values: Iterable[int]) -> list[float]:
    """The least, the three quartiles, the most."""
    found = sorted(values)
    if len(found) < 2:
        return [float(value) for value in found * 5] or [0.0] * 5
    return [float(found[0]), *quantiles(found, n=4, method="inclusive"), float(found[-1])]


def inlined(called: dict[int, set[int]], calls: dict[int, int], hot: set[int]) -> dict[int, set[int]]:
    """Which functions are in the unit of each hot one: itself, and callees of its calls down to LEVELS.

    A trace does not say who called. A callee's calls are shared among its callers in proportion to theirs.
    """
    callers: dict[int, int] = {}
    for caller, those in called.items():
        for callee in those:
            callers[callee] = callers.get(callee, 0) + calls.get(caller, 0)
    often = {callee for callee, count in callers.items() if count and calls.get(callee, 0) >= OFTEN * count}
    found = {}
    for function in hot:
        inside, last = {function}, {function}
        for _ in range(LEVELS):
            last = {callee for each in last for callee in called.get(each, ()) if callee in often & hot} - inside
            inside |= last
        found[function] = inside
    return found


def callees(trace: Trace, events: Events, facets: Units) -> dict[int, set[int]]:
    """By function: the functions whose code it depends on, found by name and file; none where several are called so."""
    kind, name, file = (trace.column(column) for column in ("kind", "name", "file"))
    type_, object_ = (trace.column(column) for column in ("type", "object"))
    rows = {row: np.flatnonzero(kind == list(Row).index(row)) for row in (Row.FUNCTION, Row.OBJECT, Row.FACET)}
    functions: dict[tuple[str, int], list[int]] = {}  # by name, without its module, and file
    for number, row in enumerate(rows[Row.FUNCTION].tolist()):
        functions.setdefault((trace.strings[int(name[row])], int(file[row])), []).append(number)
    objects = {int(object_[row]): (trace.strings[int(name[row])], int(file[row])) for row in rows[Row.OBJECT].tolist()}
    code: dict[int, int] = {}  # facet -> function
    for number, row in enumerate(rows[Row.FACET].tolist()):
        if trace.strings[int(type_[row])] == "function" and trace.strings[int(name[row])] == "code":
            full, place = objects[int(object_[row])]
            parts = full.split(".")
            found = (functions.get((".".join(parts[at:]), place)) for at in range(len(parts)))
            those = next((each for each in found if each), [])
            if len(those) == 1:
                code[number] = those[0]
    return {function: {code[each] for each in found if each in code} for function, found in facets.items()}


def _sets(events: Events) -> tuple[Units, Units]:
    """What each function depended on in the end."""
    facets: Units = {}
    objects: Units = {}
    starts = events.object_start
    for number, function in enumerate(events.set_function.tolist()):
        first, last = int(events.set_start[number]), int(events.set_start[number + 1])
        facets[function] = set(events.dependency_facet[first:last].tolist())
        objects[function] = set(events.dependency_object[int(starts[first]) : int(starts[last])].tolist())
    return facets, objects


def calls_of(events: Events) -> dict[int, int]:
    """Of each function, in the end."""
    at = np.flatnonzero(events.op == Op.CALLS)
    return dict(zip(events.what[at].tolist(), events.number[at].tolist(), strict=True))


def _joined(of: Units, inside: dict[int, set[int]]) -> Units:
    return {function: set().union(*(of.get(each, set()) for each in parts)) for function, parts in inside.items()}
