"""What each structure is asked, about the same workload: the samples that the tables and bounds are made of."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any, Protocol

import numpy as np

from structures.workload import U32, Workload

BATCHES = 31
ROUNDS = 3  # of questions that take milliseconds: as long as others have the memory, an answer is another one
HOT_FACETS = 1000
COLD_FACETS = 1000  # in a batch
EVICTED_FACETS = 100  # few, as each brings back something that others need
EVICTED_BATCHES = 5
ELSEWHERE = np.zeros(1 << 23)  # 64 MB, more than caches hold
REMOVED = 0.05  # the share of the handles that is removed at the end


class Structure(Protocol):
    """Native and Pure have this in common."""

    name: str
    scans: bool  # an event goes through all handles

    def fill(self, workload: Workload) -> float: ...
    def hot(self, facets: U32, rounds: int) -> float: ...
    def events(self, facets: U32, *, mend: bool = False) -> float: ...
    def unite(self, facets: U32) -> tuple[float, Any]: ...
    def union(self, facets: U32) -> Any: ...
    def remove(self, handles: U32) -> float: ...
    def memory(self) -> tuple[int, int]: ...
    def close(self) -> None: ...


@dataclass
class Answers:
    """The samples of one structure, by question; a question that it cannot be asked is not there."""

    samples: dict[str, list[float]] = field(default_factory=dict)
    counts: dict[str, float] = field(default_factory=dict)  # what a question was about: dependents, handles in a union


# The questions, in the order of the tables, and their units.
REVERSE = "reverse map"
WHOLE = "with the forward map"
INSERT = "edges inserted"
HOT = "event, one dependent, hot"
COLD = {1: "event, one dependent, cold", 0: "event, no dependent, cold", 3: "event, three dependents, cold"}
EVICTED = "the same, nothing of the index in the caches"
MANY = {1000: "event, about 1000 dependents", 100_000: "event, about 10^5 dependents"}
MODULE = "union of 500 facets of a module"
MODULE_AND_HOT = "the same, 5 of ~1000 and one of ~10^5"
FALSE = "false invalidations an event"
REMOVE = "removal, an edge"
UNITS = {
    REVERSE: "B/edge",
    WHOLE: "B/edge",
    INSERT: "M/s",
    HOT: "ns",
    COLD[1]: "ns",
    EVICTED: "ns",
    COLD[0]: "ns",
    COLD[3]: "ns",
    MANY[1000]: "ns",
    MANY[100_000]: "ns",
    MODULE: "µs",
    MODULE_AND_HOT: "µs",
    FALSE: "",
    REMOVE: "ns",
}


@dataclass(frozen=True)
class Targets:
    """Which facets are asked about: the same ones for all structures."""

    hot: U32
    cold: dict[int, U32]  # by number of dependents: BATCHES * COLD_FACETS, some again where there are too few
    settling: dict[int, U32]  # others, each once
    many: dict[int, U32]
    modules: list[U32]
    popular: U32  # what is added to each of them for the second kind of union; may be empty
    removed: U32

    @classmethod
    def of(cls, workload: Workload, seed: int = 5) -> Targets:
        rng = np.random.default_rng(seed)
        shuffled = {n: rng.permutation(workload.with_degree(n)) for n in COLD}
        thousands = workload.nearest_degree(1000, 5)
        most = workload.nearest_degree(100_000)
        count = BATCHES * COLD_FACETS
        modules = rng.permutation(workload.modules)[:BATCHES]
        return cls(
            # Not among the cold ones, where there are enough.
            hot=shuffled[1][-HOT_FACETS:].copy(),
            cold={n: cycle(facets, count) for n, facets in shuffled.items()},
            settling={n: facets[count : 2 * count].copy() for n, facets in shuffled.items()},
            many={1000: rng.permutation(workload.nearest_degree(1000, 64)), 100_000: most},
            modules=[workload.module_facets(int(module), 500, rng) for module in modules],
            popular=np.concatenate([thousands, most]) if len(thousands) == 5 and len(most) else thousands[:0],
            removed=np.sort(
                rng.permutation(workload.n_handles)[: max(1, round(REMOVED * workload.n_handles))].astype(np.uint32)
            ),
        )


Question = Callable[[Structure, Workload, Targets], Mapping[str, list[float]]]


def cycle(facets: U32, count: int) -> U32:
    """Exactly that many: again from the beginning where there are too few."""
    return np.resize(facets, count)


def ask_all(structures: Sequence[Structure], workload: Workload, tell: Callable[[str], None]) -> dict[str, Answers]:
    """Fill them all, then put each question to each of them in turn, removal last."""
    targets = Targets.of(workload)
    answers = {structure.name: Answers() for structure in structures}
    others = [structure for structure in structures if structure.name != "nothing"]
    for structure in others:
        tell(f"filling {structure.name}")
        ns = structure.fill(workload)
        reverse, forward = structure.memory()
        samples = answers[structure.name].samples
        samples[INSERT] = [1000 * workload.edges / ns]
        samples[REVERSE] = [reverse / workload.edges]
        samples[WHOLE] = [(reverse + forward) / workload.edges]

    def ask(question: Question, structure: Structure) -> None:
        tell(f"{structure.name}: {question.__doc__}")
        for name, samples in question(structure, workload, targets).items():
            answers[structure.name].samples.setdefault(name, []).extend(samples)

    for i in range(ROUNDS):
        for question in (hot_events, cold_events, evicted_events):
            for structure in structures:
                if i == 0 or not structure.scans:  # a scan takes so long that once is enough
                    ask(question, structure)
    for question in (many_dependents, unions, false_invalidations, removal):
        for structure in others:
            ask(question, structure)
    for structure in structures:
        structure.close()
        answers[structure.name].counts = {
            MANY[wanted]: float(workload.degrees[facets].mean())
            for wanted, facets in targets.many.items()
            if len(facets)
        }
    return answers


def hot_events(structure: Structure, workload: Workload, targets: Targets) -> dict[str, list[float]]:
    """the same events again and again"""
    # A scan takes as long for any facet: a few do.
    facets, rounds = (targets.hot[:5], 2) if structure.scans else (targets.hot, 10)
    structure.hot(facets, 1)
    events = 2 * rounds * len(facets)
    return {HOT: [structure.hot(facets, rounds) / events for _ in range(BATCHES)]}


def cold_events(structure: Structure, workload: Workload, targets: Targets) -> dict[str, list[float]]:
    """events all over the index"""
    taken = {}
    for dependents, facets in targets.cold.items():
        size = 3 if structure.scans else COLD_FACETS
        if not structure.scans:
            settle(structure, targets.settling[dependents])
        parts = [facets[i * size : (i + 1) * size] for i in range(BATCHES)]
        again = facets[0] in facets[1:]
        ns = []
        for part in parts:
            ns.append(structure.events(part) / size)
            if again:
                structure.events(part, mend=True)  # before it has broken so often that its byte stays
        taken[COLD[dependents]] = ns
        if not again:
            # Not until now: right after its break, a facet would be in the caches.
            for part in parts:
                structure.events(part, mend=True)
    return taken


def settle(structure: Structure, facets: U32) -> None:
    """Go on for as long as the events that count.

    Whatever was asked before has the caches. What is so small that events all over the index keep it there, as the
    bytes of the handles are, comes back only after many of them.
    """
    structure.events(facets)
    structure.events(facets, mend=True)


def evicted_events(structure: Structure, workload: Workload, targets: Targets) -> dict[str, list[float]]:
    """events that find nothing in the caches"""
    size = 3 if structure.scans else EVICTED_FACETS
    ns = []
    for i in range(EVICTED_BATCHES):
        part = targets.cold[1][i * size : (i + 1) * size]
        np.add(ELSEWHERE, 1, out=ELSEWHERE)
        ns.append(structure.events(part) / size)
        structure.events(part, mend=True)
    return {EVICTED: ns}


def many_dependents(structure: Structure, workload: Workload, targets: Targets) -> dict[str, list[float]]:
    """events with many dependents"""
    taken = {}
    for wanted, facets in targets.many.items():
        if len(facets):
            asked = facets[:3] if structure.scans else facets
            ns = []
            for i in range(BATCHES + 1):
                ns.append(structure.events(asked, mend=i % 2 == 1) / len(asked))
            taken[MANY[wanted]] = ns
    return taken


def unions(structure: Structure, workload: Workload, targets: Targets) -> dict[str, list[float]]:
    """unions of many facets"""
    taken = {}
    modules = targets.modules[:1] if structure.scans else targets.modules
    for question, more in ((MODULE, targets.popular[:0]), (MODULE_AND_HOT, targets.popular)):
        if question == MODULE or len(more):
            taken[question] = [structure.unite(np.concatenate([facets, more]))[0] / 1000 for facets in modules]
    return taken


def false_invalidations(structure: Structure, workload: Workload, targets: Targets) -> dict[str, list[float]]:
    """who is found without depending"""
    facets = targets.cold[1][: BATCHES if structure.scans else 1000]
    return {FALSE: [fmean(len(structure.union(facets[i : i + 1])) - 1 for i in range(len(facets)))]}


def removal(structure: Structure, workload: Workload, targets: Targets) -> dict[str, list[float]]:
    """removing some of the handles"""
    edges = sum(len(workload.of(int(handle))) for handle in targets.removed)
    return {REMOVE: [structure.remove(targets.removed) / edges]}
