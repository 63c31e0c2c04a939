"""The same hot events in a small index and in a large one, in turn: the machine's speed drifts."""

from __future__ import annotations

from collections.abc import Callable

from measure import interleave
from structures.native import Native
from structures.questions import BATCHES, Targets
from structures.workload import Workload

ROUNDS = 10


def growth(small: Workload, large: Workload, tell: Callable[[str], None]) -> dict[str, list[float]]:
    """ns for an event with one dependent, 1000 of them again and again."""
    samplers = {}
    for name, workload in (("small", small), ("large", large)):
        tell(f"depwatch: {workload.n_handles:,} handles, for the growth of an event")
        index = Native("depwatch", workload.n_facets, workload.n_handles)
        index.fill(workload)
        facets = Targets.of(workload).hot
        samplers[name] = lambda index=index, facets=facets: index.hot(facets, ROUNDS) / (2 * ROUNDS * len(facets))
    return interleave(samplers, BATCHES)
