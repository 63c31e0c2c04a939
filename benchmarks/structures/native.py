"""A structure in C, seen from Python: numpy arrays go in by their addresses."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator

import numpy as np
from pyroaring import BitMap

from structures.library import load
from structures.workload import U32, U64, Workload

BATCH = 4096  # handles that are added at a time

libc = ctypes.CDLL(None)
libc.free.argtypes = [ctypes.c_void_p]


def address(array: U32 | U64, start: int = 0) -> int:
    assert array.flags.c_contiguous
    return int(array.ctypes.data) + start * array.itemsize


def batches(n_handles: int) -> Iterator[tuple[int, int]]:
    """From where to where each batch of handles goes."""
    for first in range(0, n_handles, BATCH):
        yield first, min(first + BATCH, n_handles)


class Native:
    """An instance of one of the structures in C. What is timed is in ns."""

    def __init__(self, name: str, n_facets: int, n_handles: int):
        self.name = name
        self.library = load()
        self.structure = self.library.find_structure(name.encode())
        if not self.structure:
            raise LookupError(f"there is no structure called {name}, or this CPU cannot run it")
        self.n_handles = n_handles
        self.scans = name.startswith("bloom")  # an event takes as long as there are handles
        self.roaring = name == "depwatch"  # unions are in the portable Roaring format
        self._self = ctypes.c_void_p()
        # Making it counts as a part of filling it, or reserving would be free.
        self.ns_to_make = self._done(
            self.library.time_create(self.structure, n_facets, n_handles, ctypes.byref(self._self))
        )

    def _done(self, ns: float) -> float:
        if ns < 0:
            raise MemoryError(self.name)
        return ns

    def close(self) -> None:
        if self._self:
            self.library.destroy_structure(self.structure, self._self)
            self._self = ctypes.c_void_p()

    def fill(self, workload: Workload) -> float:
        """Add all of it, a batch at a time."""
        handles = np.arange(workload.n_handles, dtype=np.uint32)
        return self.ns_to_make + sum(
            self.add(handles[first:last], workload.offsets[first : last + 1], workload.facets)
            for first, last in batches(workload.n_handles)
        )

    def add(self, handles: U32, offsets: U64, facets: U32) -> float:
        return self._done(
            self.library.time_add(
                self.structure, self._self, address(handles), len(handles), address(offsets), address(facets)
            )
        )

    def remove(self, handles: U32) -> float:
        return self._done(self.library.time_remove(self.structure, self._self, address(handles), len(handles)))

    def hot(self, facets: U32, rounds: int) -> float:
        """Break all and mend all, as often as said: 2 * rounds events for each facet."""
        return float(self.library.time_hot(self.structure, self._self, address(facets), len(facets), rounds))

    def events(self, facets: U32, *, mend: bool = False) -> float:
        """Break (or mend) each once, fenced."""
        return float(self.library.time_fenced(self.structure, self._self, address(facets), len(facets), mend))

    def unite(self, facets: U32) -> tuple[float, bytes]:
        """ns, and the union in the structure's own form."""
        result, size = ctypes.c_void_p(), ctypes.c_size_t()
        ns = self._done(
            self.library.time_unite(
                self.structure,
                self._self,
                address(facets),
                len(facets),
                ctypes.byref(result),
                ctypes.byref(size),
            )
        )
        try:
            return ns, ctypes.string_at(result, size.value)
        finally:
            libc.free(result)

    def union(self, facets: U32) -> BitMap:
        data = self.unite(facets)[1]
        return BitMap.deserialize(data) if self.roaring else BitMap(np.frombuffer(data, np.uint32))

    def broken(self) -> list[int]:
        """The byte of each handle."""
        into = np.empty(self.n_handles, np.uint8)
        self.library.structure_bytes(self.structure, self._self, into.ctypes.data, self.n_handles)
        return into.tolist()

    def memory(self) -> tuple[int, int]:
        """Bytes taken by the map from facets to handles, and by the one from handles to facets."""
        reverse, forward = ctypes.c_size_t(), ctypes.c_size_t()
        self.library.structure_memory(self.structure, self._self, ctypes.byref(reverse), ctypes.byref(forward))
        return reverse.value, forward.value
