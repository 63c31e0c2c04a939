"""Handles and the facets that they depend on, drawn at random but the same for the same seed.

Most facets have one dependent or none, a few have very many: real programs are like that, and so is this. What the
numbers of facts/dependency-index.md leave open was chosen so that the facets' degrees come out as they do there.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

HOT_SHARES = (0.9, 0.5, 0.25, 0.1)  # of the handles, for the facets that nearly everybody has (`len`)
HANDLES_IN_MODULE = 210
CHUNK = 1 << 18  # handles drawn at a time: bounds the memory that drawing takes

U32 = NDArray[np.uint32]
U64 = NDArray[np.uint64]


@dataclass(frozen=True)
class Shape:
    """How dependencies are drawn."""

    facets: int
    fewest: int  # draws for a handle
    most: int
    shared: float  # the share of the draws that go by zipf(1) over the popular facets; the others are private
    popular: float = 0.02  # the share of the facets that are popular at all
    local: float = 0.8  # the share of the private ones that go to facets of the handle's own module

    @classmethod
    def of(cls, handles: int) -> Shape:
        if handles > 10**6:
            return cls(facets=handles, fewest=4, most=8, shared=0.75)  # as in the facts: it has to fit in memory
        return cls(facets=8 * handles, fewest=4, most=32, shared=0.4)


@dataclass(frozen=True)
class Workload:
    """Handle h depends on facets[offsets[h] : offsets[h + 1]]: sorted, none twice."""

    n_handles: int
    n_facets: int
    offsets: U64
    facets: U32
    modules: int
    hot: tuple[int, ...]

    @property
    def edges(self) -> int:
        return len(self.facets)

    @cached_property
    def degrees(self) -> U32:
        """The number of dependents of each facet."""
        return np.bincount(self.facets, minlength=self.n_facets).astype(np.uint32)

    def of(self, handle: int) -> U32:
        return self.facets[int(self.offsets[handle]) : int(self.offsets[handle + 1])]

    def with_degree(self, low: int, high: int | None = None) -> U32:
        """The facets that have so many dependents, in order."""
        return np.flatnonzero((self.degrees >= low) & (self.degrees <= (low if high is None else high))).astype(
            np.uint32
        )

    def nearest_degree(self, wanted: int, count: int = 1) -> U32:
        """Up to `count` facets with about so many dependents, nearest first; none if all are off by half or more."""
        near = self.with_degree(wanted // 2 + 1, wanted * 3 // 2)
        distance = np.abs(self.degrees[near].astype(np.int64) - wanted)
        return near[np.argsort(distance, kind="stable")[:count]]

    def module_facets(self, module: int, count: int, rng: np.random.Generator) -> U32:
        """`count` facets that only the handles of that module depend on: what reloading it touches.

        If it has too few, those of the modules after it, each with its own.
        """
        taken = [self._local(module)]
        while sum(map(len, taken)) < count and module + len(taken) < self.modules:
            taken.append(self._local(module + len(taken)))
        return rng.permutation(np.concatenate(taken))[:count]

    def _local(self, module: int) -> U32:
        first, last = share(module, self.modules, self.n_facets)
        one, end = share(module, self.modules, self.n_handles)
        own = self.facets[int(self.offsets[one]) : int(self.offsets[end])]
        own = own[(own >= first) & (own < last)] - np.uint32(first)
        dependents = np.bincount(own, minlength=last - first)
        local = first + np.flatnonzero((dependents > 0) & (dependents == self.degrees[first:last]))
        return local.astype(np.uint32)


def share(module: Any, modules: int, total: int) -> tuple[Any, Any]:
    """From where to where the handles, or the facets, of a module are numbered (or of an array of modules)."""
    return -(-module * total // modules), -(-(module + 1) * total // modules)


def draw(n_handles: int, seed: int = 4, shape: Shape | None = None) -> Workload:
    """The workload for that many handles."""
    shape = shape or Shape.of(n_handles)
    rng = np.random.default_rng(seed)
    modules = max(1, round(n_handles / HANDLES_IN_MODULE))
    # Popularity says nothing about where a facet is: its rank is mapped to a facet at random.
    by_rank = rng.permutation(shape.facets)[: round(shape.popular * shape.facets)].astype(np.uint32)
    chunks = [
        _draw_chunk(first, min(CHUNK, n_handles - first), n_handles, modules, shape, by_rank, rng)
        for first in range(0, n_handles, CHUNK)
    ]
    counts = np.concatenate([counts for counts, _ in chunks])
    offsets = np.zeros(n_handles + 1, np.uint64)
    np.cumsum(counts, out=offsets[1:], dtype=np.uint64)
    facets = np.concatenate([facets for _, facets in chunks])
    hot = tuple(int(facet) for facet in by_rank[: len(HOT_SHARES)])
    return Workload(n_handles, shape.facets, offsets, facets, modules, hot)


def _draw_chunk(
    first: int, n: int, n_handles: int, modules: int, shape: Shape, by_rank: U32, rng: np.random.Generator
) -> tuple[U64, U32]:
    """How many facets each of n handles has, and these facets."""
    wanted = rng.integers(shape.fewest, shape.most + 1, n)
    owners = np.repeat(np.arange(n, dtype=np.uint64), wanted)
    kind = rng.random(len(owners))
    private = 1 - shape.shared
    drawn = np.empty(len(owners), np.uint64)

    shared = kind >= private
    # The ranks 1..n with probability 1/rank, nearly: no table to search in, which would take most of the time.
    low, high = np.log(0.5), np.log(len(by_rank) + 0.5)
    ranks = np.rint(np.exp(rng.uniform(low, high, int(shared.sum())))).astype(np.int64).clip(1, len(by_rank))
    drawn[shared] = by_rank[ranks - 1]
    # Who has a hot facet is decided already: drawing it again would make it more common than it is meant to be.
    # What a handle has of them takes the place of its first shared draws.
    has_hot = rng.random((len(HOT_SHARES), n)) < np.array(HOT_SHARES)[:, None]
    nth = np.cumsum(shared)
    nth -= np.repeat(np.concatenate([[0], nth[np.cumsum(wanted)[:-1] - 1]]), wanted)
    keep = ~shared | (nth > np.repeat(has_hot.sum(axis=0), wanted))
    keep[shared] &= ranks > len(HOT_SHARES)

    local = kind < private * shape.local
    module = (owners[local].astype(np.int64) + first) * modules // n_handles
    begins, ends = share(module, modules, shape.facets)
    drawn[local] = begins + (rng.random(len(begins)) * (ends - begins)).astype(np.int64)

    anywhere = ~shared & ~local
    drawn[anywhere] = rng.integers(0, shape.facets, int(anywhere.sum()), dtype=np.uint64)
    for hot in by_rank[: len(HOT_SHARES)]:
        keep &= drawn != hot  # a private draw may hit one as well

    keys = [owners[keep] << np.uint64(32) | drawn[keep]]
    for rank, have in enumerate(has_hot):
        keys.append(np.flatnonzero(have).astype(np.uint64) << np.uint64(32) | np.uint64(by_rank[rank]))
    edges = np.sort(np.concatenate(keys))  # np.unique hashes, which takes longer and does not sort
    unique = edges[np.concatenate([[True], edges[1:] != edges[:-1]])]
    counts = np.bincount((unique >> np.uint64(32)).astype(np.int64), minlength=n).astype(np.uint64)
    return counts, (unique & np.uint64(0xFFFFFFFF)).astype(np.uint32)


def distribution(workload: Workload) -> dict[str, float]:
    """What share of the facets has how many dependents."""
    degrees = workload.degrees
    classes = (("none", 0, 0), ("one", 1, 1), ("two", 2, 2), ("3-16", 3, 16), ("more", 17, workload.n_handles))
    shares = {name: float(np.mean((degrees >= low) & (degrees <= high))) for name, low, high in classes}
    return shares | {
        "most": int(degrees.max()),
        "a handle": workload.edges / workload.n_handles,
        "edges": workload.edges,
    }
