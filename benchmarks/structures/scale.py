"""The same table with ten times as many handles: ten million with three dependencies each, one million, in turn.

A handle has one facet of its own and shares two with others. Cold events find nothing of the index in the caches.
Beside them: one load of a word that is not in the caches, from as much memory as the sets take: no event can be faster.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from structures.native import Native, address, batches
from structures.questions import BATCHES, HOT_FACETS
from structures.workload import U32, Workload

DEPENDENCIES = 3
SHARED = 0.01  # facets that are shared, a handle
COLD_FACETS = 100  # a batch: few, as each brings back something that others need
ROUNDS = 10
EVICTING = 1 << 25  # words: 256 MB
LOAD = "a load of one word, nothing in the caches"


def of_three(handles: int) -> Workload:
    rng = np.random.default_rng(7)
    shared = max(2, round(SHARED * handles))
    facets = np.empty((handles, DEPENDENCIES), np.uint32)
    facets[:, 0] = np.arange(handles)
    facets[:, 1] = handles + rng.integers(0, shared // 2, handles)
    facets[:, 2] = handles + shared // 2 + rng.integers(0, shared // 2, handles)
    offsets = np.arange(0, DEPENDENCIES * handles + 1, DEPENDENCIES, dtype=np.uint64)
    return Workload(handles, handles + shared, offsets, facets.reshape(-1), 0, ())


class Table:
    """An index of so many handles, and what is asked about it."""

    def __init__(self, handles: int) -> None:
        workload = of_three(handles)
        self.index = Native("depwatch", workload.n_facets, handles)
        numbers = np.arange(handles, dtype=np.uint32)
        for first, last in batches(handles):
            self.index.add(numbers[first:last], workload.offsets[first : last + 1], workload.facets)
        self.edges = workload.edges
        self.bytes = sum(self.index.memory())
        rng = np.random.default_rng(11)
        own = rng.permutation(handles)[: HOT_FACETS + BATCHES * COLD_FACETS].astype(np.uint32)
        self.hot_facets, self.cold_facets = own[:HOT_FACETS].copy(), own[HOT_FACETS:].copy()
        self.words = np.zeros(workload.n_facets, np.uint64)

    def hot(self) -> float:
        return self.index.hot(self.hot_facets, ROUNDS) / (2 * ROUNDS * len(self.hot_facets))

    def cold(self, batch: int, elsewhere: np.ndarray) -> float:
        part = self.part(batch)
        np.add(elsewhere, 1, out=elsewhere)
        ns = self.index.events(part) / len(part)
        self.index.events(part, mend=True)
        return ns

    def load(self, batch: int, elsewhere: np.ndarray) -> float:
        part = self.part(batch)
        np.add(elsewhere, 1, out=elsewhere)
        return float(self.index.library.time_loads(address(self.words), address(part), len(part))) / len(part)

    def part(self, batch: int) -> U32:
        count = max(1, len(self.cold_facets) // BATCHES)
        return self.cold_facets[batch * count : (batch + 1) * count]


def scale(small: int, large: int, tell: Callable[[str], None]) -> dict[str, list[float]]:
    """ns for an event with one dependent, and bytes an edge, by the size of the table."""
    taken: dict[str, list[float]] = {}
    elsewhere = np.zeros(EVICTING)
    tables = {}
    for name, handles in (("small", small), ("large", large)):
        tell(f"{handles:,} handles of {DEPENDENCIES} dependencies")
        tables[name] = Table(handles)
        taken[f"{name}, bytes"] = [tables[name].bytes / tables[name].edges]
    for name, table in tables.items():
        table.hot()
        for question in ("hot", "cold", "load"):
            taken[f"{name}, {question}"] = []
    for batch in range(BATCHES):
        for name, table in tables.items():
            taken[f"{name}, cold"].append(table.cold(batch, elsewhere))
            taken[f"{name}, load"].append(table.load(batch, elsewhere))
    for _ in range(BATCHES):
        for name, table in tables.items():
            taken[f"{name}, hot"].append(table.hot())
    for table in tables.values():
        table.index.close()
    return taken
