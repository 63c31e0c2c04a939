"""Changing the bytes of very many dependents of one facet, at a given density."""

from __future__ import annotations

import ctypes
from collections.abc import Callable

import numpy as np

from measure import interleave
from structures.library import load
from structures.native import Native, batches

SAMPLES = 31
MEMSET = "memset of all bytes"
FIRST = ", first"  # since others had the caches


def flips(n_handles: int, count: int, tell: Callable[[str], None]) -> dict[str, list[float]]:
    """ns for each of `count` dependents among so many handles, drawn at random; and for a memset of all."""
    rng = np.random.default_rng(6)
    dependents = np.sort(rng.choice(n_handles, count, replace=False, shuffle=False)).astype(np.uint32)
    facet = np.zeros(1, np.uint32)
    only_facet = np.zeros(count, np.uint32)
    offsets = np.arange(count + 1, dtype=np.uint64)
    structures = [Native(name, 1, n_handles) for name in ("depwatch", "sorted vector")]
    for structure in structures:
        tell(f"{structure.name}: {count:,} dependents of {n_handles:,} handles")
        for first, last in batches(count):
            structure.add(dependents[first:last], offsets[first : last + 1], only_facet)

    def both(structure: Native, first: bool) -> Callable[[], float]:
        """A break and its mending, so that each sample finds the bytes alike; the first time, or once more."""

        def sample() -> float:
            if not first:
                both(structure, True)()
            return (structure.events(facet) + structure.events(facet, mend=True)) / (2 * count)

        return sample

    plain = (ctypes.c_uint8 * n_handles)()
    samplers = {structure.name: both(structure, False) for structure in structures}
    samplers |= {structure.name + FIRST: both(structure, True) for structure in structures}

    def memset() -> float:
        load().time_memset(plain, n_handles, 1)
        return float(load().time_memset(plain, n_handles, 0)) / count

    samplers[MEMSET] = memset
    taken = interleave(samplers, SAMPLES)
    for structure in structures:
        structure.close()
    return taken
