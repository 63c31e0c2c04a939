"""The same workload through depwatch itself: real dicts, real stores, handles that are committed and released."""

from __future__ import annotations

import gc
import os
import sys
import time
from array import array
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

import depwatch
from depwatch import _core
from measure import load_noop
from structures.native import BATCH, batches
from structures.questions import REMOVED
from structures.workload import U32, Workload

SAMPLES = 31
KEYS = 1680  # of a module: the facets of its 210 handles
COMMIT = "edges committed a second"
MEMORY = "resident memory for a dependency"
HOT = "store that breaks a facet with one dependent, hot"
COLD = "store that breaks a facet with one dependent, cold"
IDLE = ", under a watcher that does nothing"
MODULE = "depwatch.dependents() a module of 1680 facets"
PURGE = "handles released, 5 % by one drain, an edge"
PURGE_GROUPS = "  4096 by each drain, an edge"
PURGE_ALONE = "  the same where no recorder has read their facets: those that nobody needs are freed, too"
UNITS = {COMMIT: "million", MEMORY: "B", HOT: "ns", COLD: "ns", MODULE: "µs"}
UNITS |= dict.fromkeys((PURGE, PURGE_GROUPS, PURGE_ALONE), "ns")

OLD, NEW = object(), object()
NAMES = [sys.intern(f"name_{i}") for i in range(KEYS)]


class Modules:
    """A dict for every 1680 facets, each key with a value that stays alive."""

    def __init__(self, n_facets: int) -> None:
        self.dicts = [dict.fromkeys(NAMES, OLD) for _ in range(-(-n_facets // KEYS))]

    def read(self) -> depwatch.Recorder:
        """A recorder that has read every key, in the order of the facets."""
        recorder = depwatch.Recorder("everything", 1000)
        for module in self.dicts:
            for name in NAMES:  # not by read_global, which reads the builtins behind it as well
                recorder.read_facet(_core.facet("key", module, name))
        return recorder

    def single(self, workload: Workload) -> list[tuple[dict[str, Any], list[str]]]:
        """For some modules, those keys that exactly one handle depends on."""
        keyed = np.flatnonzero(workload.degrees == 1)
        wanted = np.linspace(0, len(self.dicts) - 1, 2 * SAMPLES).astype(int)
        return [
            (self.dicts[i], [NAMES[facet % KEYS] for facet in keyed[keyed // KEYS == i]]) for i in dict.fromkeys(wanted)
        ]


def resident() -> int:
    """Bytes of memory that this process has."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * os.sysconf("SC_PAGESIZE")


def live(workload: Workload, tell: Callable[[str], None]) -> dict[str, list[float]]:
    """Samples by what they are of, in its unit."""
    gc.disable()  # millions of objects, of which none is garbage
    noop = load_noop()
    tell("depwatch itself: reading")
    modules = Modules(workload.n_facets)
    recorder = modules.read()
    idle = [(dict.fromkeys(NAMES, OLD), names) for _, names in modules.single(workload)]
    for space, _ in idle:
        noop.watch_dict(space)

    tell("depwatch itself: committing")
    before, start = resident(), time.thread_time()
    groups = [
        recorder.commit_many(offsets, facets)
        for offsets, facets in (part_of(workload, first, last) for first, last in batches(workload.n_handles))
    ]
    taken = {COMMIT: [workload.edges / (time.thread_time() - start) / 1e6]}
    taken[MEMORY] = [(resident() - before) / workload.edges]

    tell("depwatch itself: stores")
    ours = modules.single(workload)
    for question, spaces in ((COLD, ours), (COLD + IDLE, idle)):
        # Each dict once: nothing of it is in the caches. The change, not what undoes it.
        taken[question] = [changed(noop, space, names, 1) for space, names in spaces[:SAMPLES]]
    for question, (space, names) in ((HOT, ours[-1]), (HOT + IDLE, idle[-1])):
        taken[question] = [changed(noop, space, names, 4) for _ in range(SAMPLES)]

    tell("depwatch itself: unions")
    taken[MODULE] = []
    for module in modules.dicts[1 : 2 * SAMPLES : 2]:
        start = time.thread_time()
        depwatch.dependents(module)
        taken[MODULE].append((time.thread_time() - start) * 1e6)

    tell("depwatch itself: releasing")
    every = round(1 / REMOVED)
    # In a thread, where nothing drains by itself: all of them by one drain. In the main one, each group by its own.
    with ThreadPoolExecutor(1) as thread:
        waiting = thread.submit(time.sleep, 0.1)  # until the main thread runs no Python, or it would drain meanwhile
        drained = thread.submit(released, workload, groups, range(0, len(groups), every))
        taken[PURGE] = [drained.result()]
        waiting.result()
    taken[PURGE_GROUPS] = [released(workload, groups, range(1, len(groups), every))]
    recorder.close()
    depwatch.drain()
    taken[PURGE_ALONE] = [released(workload, groups, range(2, len(groups), every))]
    return taken


def released(workload: Workload, groups: list[depwatch.Handles], chosen: range) -> float:
    """ns for each dependency of the handles of these groups."""
    parts = list(batches(workload.n_handles))
    edges = sum(int(workload.offsets[parts[i][1]] - workload.offsets[parts[i][0]]) for i in chosen)
    start = time.thread_time()
    for i in chosen:
        groups[i].release()
    depwatch.drain()
    return (time.thread_time() - start) * 1e9 / edges


def part_of(workload: Workload, first: int, last: int) -> tuple[array[int], U32]:
    """What commit_many takes: facets were read in their order, so their numbers are those of the reads."""
    offsets = workload.offsets[first : last + 1]
    return offsets - offsets[0], workload.facets[offsets[0] : offsets[-1]]


def changed(noop: Any, space: dict[str, Any], names: list[str], repeat: int) -> float:
    ns: float = noop.time_change_and_undo(space, names, NEW, OLD, repeat)[0]
    depwatch.drain()
    return ns


assert BATCH * 4 < 2**31  # a batch is committed in one call
