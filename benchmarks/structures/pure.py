"""The alternatives in Python: a dict from facets to sets of handles, or to bitmaps from PyPI."""

from __future__ import annotations

import gc
import os
from array import array
from collections.abc import Callable
from time import perf_counter_ns
from typing import Any

import numpy as np
from pyroaring import BitMap

from structures.native import batches, libc
from structures.workload import U32, Workload


def resident() -> int:
    """Bytes of memory that this process really has, once what malloc keeps free is given back."""
    gc.collect()
    libc.malloc_trim(0)
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * os.sysconf("SC_PAGESIZE")


class Pure:
    """What both have in common. The loops are within the methods, so that no call of a method is in a time.

    Times are in ns, by a clock that runs on while others have the CPU. The memory is what the process grew by, as
    neither sys.getsizeof nor tracemalloc knows of what pyroaring allocates.
    """

    name: str
    scans = False
    make: Callable[[tuple[int, ...]], Any]

    def __init__(self, n_facets: int, n_handles: int):
        self.dependents: dict[int, Any] = {}
        self.facets_of: dict[int, array[int]] = {}
        self.bytes = bytearray(n_handles)
        self._memory = (0, 0)

    def close(self) -> None:
        self.dependents.clear()
        self.facets_of.clear()

    def fill(self, workload: Workload) -> float:
        """Add all of it, a batch at a time: first the forward map and then the other, so that each can be weighed."""
        start = resident()
        ns = self._each_batch(workload, self._add_forward)
        between = resident()
        ns += self._each_batch(workload, self._add_reverse)
        self._memory = (resident() - between, between - start)
        return ns

    def _each_batch(self, workload: Workload, add: Callable[[range, list[U32]], None]) -> float:
        # Millions of containers that are there to stay: the collector would go through them again and again.
        gc.disable()
        try:
            ns = 0
            for first, last in batches(workload.n_handles):
                rows = np.split(
                    workload.facets[int(workload.offsets[first]) : int(workload.offsets[last])],
                    (workload.offsets[first + 1 : last] - workload.offsets[first]).astype(np.int64),
                )
                start = perf_counter_ns()
                add(range(first, last), rows)
                ns += perf_counter_ns() - start
            return float(ns)
        finally:
            gc.enable()

    def _add_forward(self, handles: range, rows: list[U32]) -> None:
        facets_of = self.facets_of
        for handle, row in zip(handles, rows, strict=True):
            facets_of[handle] = array("I", row.tobytes())

    def _add_reverse(self, handles: range, rows: list[U32]) -> None:
        dependents, make = self.dependents, self.make
        for handle, row in zip(handles, rows, strict=True):
            for facet in row.tolist():
                if facet in dependents:
                    dependents[facet].add(handle)
                else:
                    dependents[facet] = make((handle,))

    def remove(self, handles: U32) -> float:
        dependents, facets_of = self.dependents, self.facets_of
        start = perf_counter_ns()
        for handle in handles.tolist():
            for facet in facets_of.pop(handle):
                those = dependents[facet]
                those.remove(handle)
                if not those:
                    del dependents[facet]
        return float(perf_counter_ns() - start)

    def hot(self, facets: U32, rounds: int) -> float:
        return sum(self.events(facets) + self.events(facets, mend=True) for _ in range(rounds))

    def events(self, facets: U32, *, mend: bool = False) -> float:
        """Break (or mend) each once; not fenced, as Python cannot."""
        listed = facets.tolist()
        start = perf_counter_ns()
        self.change(listed, -1 if mend else 1)
        return float(perf_counter_ns() - start)

    def change(self, facets: list[int], by: int) -> None:
        # Without the saturation that the others have: what it would cost is not the structure's fault.
        dependents, handle_bytes, nobody = self.dependents, self.bytes, ()
        for facet in facets:
            for handle in dependents.get(facet, nobody):
                handle_bytes[handle] += by

    def unite(self, facets: U32) -> tuple[float, Any]:
        listed = facets.tolist()
        start = perf_counter_ns()
        result = self.united(listed)
        return float(perf_counter_ns() - start), result

    def united(self, facets: list[int]) -> Any:
        raise NotImplementedError

    def union(self, facets: U32) -> BitMap:
        return BitMap(self.united(facets.tolist()))

    def broken(self) -> list[int]:
        """The byte of each handle."""
        return list(self.bytes)

    def memory(self) -> tuple[int, int]:
        return self._memory


class Sets(Pure):
    name = "dict of sets"
    make = set

    def united(self, facets: list[int]) -> set[int]:
        dependents, nobody = self.dependents, ()
        return set().union(*[dependents.get(facet, nobody) for facet in facets])


class Bitmaps(Pure):
    name = "dict of pyroaring"
    make = BitMap
    many = 32  # dependents, from which on an array of them is faster than iterating

    def change(self, facets: list[int], by: int) -> None:
        dependents, handle_bytes = self.dependents, self.bytes
        as_array = np.frombuffer(handle_bytes, np.uint8)
        step = np.uint8(by % 256)
        for facet in facets:
            those = dependents.get(facet)
            if those is None:
                continue
            if len(those) < self.many:
                for handle in those:
                    handle_bytes[handle] += by
            else:
                as_array[np.frombuffer(those.to_array(), np.uint32)] += step

    def united(self, facets: list[int]) -> BitMap:
        dependents = self.dependents
        return BitMap.union(BitMap(), *[dependents[facet] for facet in facets if facet in dependents])
