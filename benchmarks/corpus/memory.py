"""What each policy keeps in memory for a corpus: a table of docs/verdict.md, in Markdown.

What units, dependencies and facets take is from the results of `./dev bench memory` and `./dev bench index`.
"""

from dataclasses import dataclass
from statistics import median
from typing import Any, Final

from .rows import bytes_of, table
from .units import BITS

type Results = dict[str, Any]

DEPENDENCIES: Final = 3  # of the handles that ./dev bench memory makes


@dataclass(frozen=True)
class Keeps:
    """Bytes that a policy keeps of each."""

    policies: str
    unit: float
    dependency: float
    facet: float

    def of(self, counted: dict[str, int]) -> float:
        """For so many hot functions, their dependencies, and the facets that these are of."""
        each = {"hot_functions": self.unit, "dependencies": self.dependency, "facets": self.facet}
        return sum(counted[what] * taken for what, taken in each.items())


def keeps(memory: Results, index: Results) -> list[Keeps]:
    """By the results of the two benchmarks."""
    dependency = bytes_of(index, "depwatch itself: resident memory for a dependency")
    handle = bytes_of(memory, f"a handle of commit_many(), its {DEPENDENCIES} dependencies included")
    facet = next(bytes_of(memory, row["case"]) for row in memory["rows"] if row["case"].startswith("a facet of "))
    cell = bytes_of(memory, "a value cell, beside its handle and facet")
    unit = handle - DEPENDENCIES * dependency
    return [
        Keeps("CPython’s whole rule: a filter of 256 bits for each unit", BITS / 8, 0, 0),
        Keeps("bulk by object, exact: at most as by facet", unit, dependency, facet),
        Keeps("bulk by facet, healing: depwatch’s index", unit, dependency, facet),
        Keeps("granular: the index, and a cell for each place", unit, dependency + cell, facet),
    ]


def memory(corpus: Results, kept: list[Keeps]) -> str:
    """What each policy keeps of a unit, a dependency, a facet; and of all programs, the middle one, the largest."""
    head = ["policy", "a unit", "a dependency", "a facet", "all programs", "the program in the middle", "the largest"]
    rows = []
    for each in kept:
        taken = [each.of(trace["totals"]["whole"]) for trace in corpus["traces"]]
        apart = [f"{number:,.0f} B" for number in (each.unit, each.dependency, each.facet)]
        rows.append(
            [each.policies, *apart, *(f"{number / 1000:,.0f} kB" for number in (sum(taken), median(taken), max(taken)))]
        )
    return table(head, rows)
