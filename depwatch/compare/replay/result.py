"""What a replay finds: the JSON that `depwatch replay -o` writes, in its order. Replay makes it, a report reads it.

msgspec checks the types and limits where a file is read, not where replay makes the Structs.
"""

import json
from collections import Counter
from typing import Annotated, Final, Literal

import msgspec
from msgspec import Meta, Struct

from depwatch.compare.counts import COUNTS

from .prices import Amount, Prices

# At most: so that sums and products of counts are numbers still, whatever a file says.
Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Phase = Literal["whole", "startup", "rest"]
PHASES: Final[tuple[Phase, ...]] = ("whole", "startup", "rest")


class Totals(Struct, frozen=True, kw_only=True):
    """What a program did in a phase, whatever the policy."""

    calls: Count
    functions: Count
    hot_functions: Count
    facets: Count
    dependencies: Count
    changes: Count


class Lookups(Struct, frozen=True, kw_only=True):
    """Instructions of hot code that CPython has specialised, and those that are followed."""

    sites: Count
    followed: Count
    calls: Count  # of the functions that they are in, added up
    followed_calls: Count

    @property
    def share(self) -> float:
        """By calls."""
        return self.followed_calls / self.calls if self.calls else 1.0


class Counts(Struct, frozen=True, kw_only=True):
    """What a policy did in a phase: COUNTS, typed."""

    dropped: Count
    needlessly: Count
    undone: Count = 0
    resumed: Count
    recompiled: Count
    patches: Count
    deopts: Count
    deopt_calls: Count = 0
    revalidations: Count
    guards: Count
    false_drops: Count = 0
    cold_calls: Count
    cold_share: Amount  # of all calls


assert Counts.__struct_fields__ == (*COUNTS, "cold_share")


class Unguarded(Struct, frozen=True, kw_only=True):
    """What giving up left without a guard."""

    dependencies: Count
    functions: Count


class Outcome(Struct, frozen=True, kw_only=True):
    """A policy on one trace."""

    policy: str
    title: str
    hot_after: Count
    give_up_after: Count | None
    whole: Counts
    startup: Counts
    rest: Counts
    spread: list[str]  # counts that rest in part on changes that the trace holds together, spread evenly
    unguarded: Unguarded
    unrelated_drops: Count
    cost: dict[str, Count | Amount]  # ns, by price list; replay writes whole ones

    @property
    def variant(self) -> tuple[str, int, int | None]:
        return self.policy, self.hot_after, self.give_up_after

    def phase(self, phase: Phase) -> Counts:
        counts: Counts = getattr(self, phase)
        return counts


class Facet(Struct, frozen=True, kw_only=True):
    """A facet that dropped code, by facet and without a cap: a cause."""

    facet: str
    kind: str
    home: str | None = None  # the file that its object comes from
    changes: Count
    values: Count = 0  # that it has had, as far as they were told apart
    returns: Count = 0  # changes to a value that it had before
    types: list[str] = []  # of the values that it got, the most frequent first
    deeds: list[str] = []  # kinds of its changes, the most frequent first: added, modified, deleted, mro, ...
    dropped: Count = 0
    needlessly: Count = 0
    recompiled: Count | None = None  # of what it dropped; None: a former depwatch did not tell
    breaks: Count  # of depwatch's own handles, which give it up
    restores: Count
    handles_hit: Count
    file: str | None
    line: Count | None
    cause: str | None
    functions: list[str] = []  # hot ones that depended on it, those first that it dropped most; some of them
    more_functions: Count = 0


class Object(Struct, frozen=True, kw_only=True):
    """One of the objects that drop most, by object and without a cap."""

    object: str
    kind: str
    changes: Count
    dropped: Count
    needlessly: Count
    file: str | None  # where it was changed most often
    line: Count | None
    cause: str | None


class Cause(Struct, frozen=True, kw_only=True):
    """What the changes from one origin did."""

    changes: Count
    breaks: Count
    handles_hit: Count


class Timeline(Struct, frozen=True, kw_only=True):
    """Counts in bins of time."""

    edges: list[Amount]  # seconds, one more than bins
    changes: list[Count]
    breaks: list[Count]
    dropped: dict[str, list[Count]]  # by policy

    def __post_init__(self) -> None:
        _check_bins(self.edges, changes=self.changes, breaks=self.breaks, **self.dropped)


class Lifetimes(Struct, frozen=True, kw_only=True):
    """Dependencies by how long they held."""

    edges: list[Amount]  # seconds, one more than bins
    broken: list[Count]
    still_held: list[Count]

    def __post_init__(self) -> None:
        _check_bins(self.edges, broken=self.broken, still_held=self.still_held)


class Replayed(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One program: what each policy would have done in its trace, and what happened in it whatever the policy."""

    trace: str
    title: str
    program: list[str]
    python: str
    seconds: Amount
    startup_seconds: Amount
    complete: bool
    exit: int | None
    rows: Count
    totals: dict[Phase, Totals]
    policies: list[Outcome]
    facets: list[Facet]
    causes: dict[str, Cause]
    timeline: Timeline
    lifetimes: Lifetimes
    objects: list[Object] = []
    lookups: dict[str, Lookups] = {}  # by kind; empty: the program did not end by itself
    process: Count | None = None  # its number; of a child of another program, this and the next two
    child_of: str | None = None  # the trace of that program
    how: str | None = None  # fork or start
    started: str = ""  # when it was recorded; this and the next two as the trace says
    machine: str = ""
    recorder: str = ""  # the depwatch that recorded it
    kind: str | None = None  # this and what follows: what a corpus adds
    chosen: str | None = None  # by hand, or by which rule
    packages: list[str] = []
    ratio: Amount | None = None  # of the time that it takes recorded to the plain one

    def __post_init__(self) -> None:
        if missing := [phase for phase in PHASES if phase not in self.totals]:
            raise ValueError(f"totals have no {missing[0]!r}")
        if not self.policies:
            raise ValueError("no policies")
        variant, times = Counter(policy.variant for policy in self.policies).most_common(1)[0]
        if times > 1:
            raise ValueError(f"{variant[0]!r} is there {times} times with the same threshold and limit")


class Corpus(Struct, frozen=True, kw_only=True):
    """What a corpus says of itself."""

    programs: Count
    missing: list[str] = []  # that there are no results of


class Replay(Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One file, or several together."""

    format: int
    depwatch: str
    prices: dict[str, Prices]
    traces: list[Replayed]
    corpus: Corpus | None = None

    def text(self) -> str:
        """The JSON."""
        return json.dumps(msgspec.to_builtins(self), indent=1) + "\n"


def _check_bins(edges: list[float], **counts: list[int]) -> None:
    if sorted(edges) != edges:
        raise ValueError("edges descend")
    for name, bins in counts.items():
        if len(bins) + 1 != len(edges):
            raise ValueError(
                f"{len(edges)} edges for the {len(bins)} bins of {name!r}: there must be one more than bins"
            )
