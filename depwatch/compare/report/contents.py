"""What the page shows, worked out from a replay: the template only lays it out."""

import math
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final

from depwatch.compare.advice import advice
from depwatch.compare.replay.followed import followed
from depwatch.compare.replay.prices import load_prices
from depwatch.compare.replay.result import PHASES, Cause, Facet, Object, Phase, Replay, Replayed, Totals
from depwatch.compare.replay.sentence import sentence

from .figures import count, counted, seconds, share
from .lineup import Lane, Lineup
from .plots import Chart, Strip, Tick, chart, strip
from .sweeps import Sweep, sweeps
from .verdict import Finding, verdict

_CHARTS: Final = 6  # the curves that are drawn; the table has all break-evens
_FACETS: Final = 20
_TOLD: Final = 10  # causes with what to write instead; and as many by time lost
_CAUSES: Final = 15
_LIBRARY: Final = "library "  # how a replay's names of causes begin that are libraries
_TICKS: Final = 4  # under a plot of bins, besides the one at the start


@dataclass
class Spot:
    """A facet or an object that dropped code, and where it changed: what several programs have in common is one."""

    name: str
    kind: str
    place: str
    is_place: bool  # in a file
    cause: str
    dropped: int = 0
    breaks: int = 0
    restores: int = 0
    handles_hit: int = 0
    needlessly: int = 0
    changes: int = 0
    recompiled: int | None = None  # None: no replay of it tells
    advice: str = ""
    functions: list[str] = field(default_factory=list)
    more_functions: int = 0
    programs: "list[Program]" = field(default_factory=list)

    @classmethod
    def of(cls, worst: Facet | Object) -> "Spot":
        place = "outside Python code"
        if worst.file is not None:
            place = worst.file if worst.line is None else f"{worst.file}:{worst.line}"
        name = worst.facet if isinstance(worst, Facet) else worst.object
        return cls(name, worst.kind, place, worst.file is not None, worst.cause or "–")

    def add(self, program: "Program", worst: Facet | Object) -> None:
        self.dropped += worst.dropped
        self.needlessly += worst.needlessly
        self.changes += worst.changes
        if isinstance(worst, Facet):
            self.breaks += worst.breaks
            self.restores += worst.restores
            self.handles_hit += worst.handles_hit
            self.advice = self.advice or advice(worst)
            if worst.recompiled is not None:
                self.recompiled = (self.recompiled or 0) + worst.recompiled
            self.more_functions += worst.more_functions
            for name in worst.functions:
                if name not in self.functions:
                    self.functions.append(name)
        if program not in self.programs:
            self.programs.append(program)


@dataclass(frozen=True)
class Origin:
    """Who causes changes."""

    name: str
    did: Cause
    share: float  # of the breaks, in percent


@dataclass(frozen=True)
class Lives:
    """How long dependencies live."""

    strips: list[Strip]
    ticks: list[Tick]
    broken: int
    dependencies: int
    median: str  # of those that broke: the end of the bin in which it lies


@dataclass(frozen=True)
class Kind:
    """Programs of which the same is expected, or that were chosen alike."""

    name: str
    programs: int
    lineup: Lineup


class Program:
    """One trace."""

    def __init__(self, number: int, trace: Replayed, all_of_them: Lineup) -> None:
        self.number = number
        self.trace = trace
        self.id = f"program-{number}"
        self.lineup = all_of_them.on(trace)

    @property
    def answer(self) -> str:
        return sentence(self.trace)

    @property
    def of(self) -> str:
        """In the captions of its tables."""
        return f" of {self.trace.title}" + (f" (chosen: {self.trace.chosen})" if self.trace.chosen else "")

    @property
    def recorded(self) -> str:
        """When, on what, and by what."""
        by = f"depwatch {self.trace.recorder}" if self.trace.recorder else ""
        return "; ".join(filter(None, (self.trace.started.replace("T", " "), self.trace.machine, by)))

    @property
    def ending(self) -> str:
        if not self.trace.complete:
            return "the trace was cut: recorded up to there"
        status = self.trace.exit or 0
        return f"killed by signal {-status}" if status < 0 else f"exit status {status}"

    @property
    def startup_share(self) -> float:
        """Percent of the time."""
        edges = self.trace.timeline.edges
        length = edges[-1] if edges and edges[-1] else self.trace.seconds
        return round(min(100.0, 100 * self.trace.startup_seconds / length), 2) if length else 0.0

    @property
    def breaks(self) -> int:
        return sum(cause.breaks for cause in self.trace.causes.values())

    @cached_property
    def strips(self) -> list[Strip]:
        """Of what happened and of what the policies did; drops share one scale, so that policies can be compared."""
        timeline = self.trace.timeline
        dropped = {name: bins for name, bins in timeline.dropped.items() if any(bins)}
        peak = max((max(bins) for bins in dropped.values()), default=0)
        return [
            strip("changes", timeline.changes),
            strip("breaks", timeline.breaks),
            *(strip(f"dropped: {self.lineup.title(name)}", bins, peak) for name, bins in dropped.items()),
        ]

    @property
    def never_dropped(self) -> list[str]:
        """The policies without a strip."""
        return [self.lineup.title(name) for name, bins in self.trace.timeline.dropped.items() if not any(bins)]

    @property
    def spots(self) -> list[Spot]:
        return _spots([self])

    @property
    def objects(self) -> list[Spot]:
        return _spots([self], objects=True)

    @property
    def followed(self) -> str:
        return followed([self.trace])

    @property
    def ticks(self) -> list[Tick]:
        length = self.trace.timeline.edges[-1] if self.trace.timeline.edges else 0.0
        return [Tick(percent, seconds(length * percent / 100)) for percent in (0, 25, 50, 75, 100)]

    @property
    def origins(self) -> list[Origin]:
        return _origins([self.trace])

    @cached_property
    def lives(self) -> Lives:
        lives = _lives([self.trace])
        assert lives is not None  # its bins fit themselves
        return lives


# Words of the tables that are neither a policy nor a count, as docs/glossary.md has them.
_TERMS: Final = {
    "policy": "A rule by which an optimizer would invalidate its code. A and B are the two that gh-91053 proposed.",
    "facet": "The part of an object that can change and that code relies on: a name in a namespace, an attribute as a "
    "class finds it, the code of a function.",
    "handle": "One piece of optimized code with all that it relies on; here a whole function.",
    "hot": "Called so often that an optimizer would have compiled it.",
    "breaks": "How often the facet got another value than the one that was relied on, until it was given up.",
    "restores": "How often it got that value back, so that code may run again as it is.",
    "cost": "Counts times prices, of all that the policy did. What is assumed was not measured: see the prices below.",
}


class Contents:
    def __init__(self, replay: Replay, sources: Sequence[str]) -> None:
        self.replay = replay
        self.sources = sources
        self.lineup = Lineup(replay.traces)
        self.programs = [Program(number, trace, self.lineup) for number, trace in enumerate(replay.traces, 1)]
        self.is_one = len(self.programs) == 1
        self.prices = [name for name in replay.prices if any(name in lane.cost for lane in self.lineup.lanes)]

    @property
    def terms(self) -> dict[str, str]:
        return _TERMS

    @property
    def title(self) -> str:
        what = self.programs[0].trace.title if self.is_one else f"{count(len(self.programs))} programs"
        return f"What invalidation costs: {what}"

    @property
    def seconds(self) -> float:
        return sum(trace.seconds for trace in self.replay.traces)

    @property
    def startup_seconds(self) -> float:
        return sum(trace.startup_seconds for trace in self.replay.traces)

    @property
    def totals(self) -> dict[Phase, Totals]:
        """Of all programs together."""
        return {phase: _added([trace.totals[phase] for trace in self.replay.traces]) for phase in PHASES}

    @property
    def pythons(self) -> str:
        return ", ".join(sorted({trace.python for trace in self.replay.traces}))

    def assumed(self, name: str) -> list[str]:
        """The prices of that list that nobody has measured; if a replay does not say, by depwatch's own list."""
        prices, own = self.replay.prices[name], load_prices().get(name)
        if prices.assumed or own is None:
            return prices.assumed
        return [price for price in own.assumed if getattr(prices, price) == getattr(own, price)]

    @property
    def findings(self) -> list[Finding]:
        return verdict(self.replay, self.lineup, self.sweeps)

    @property
    def most_dropped(self) -> int:
        return max((lane.whole["dropped"] for lane in self.lineup.lanes), default=0)

    @property
    def capped(self) -> list[Lane]:
        """All that give up, by policy and then by limit."""
        lanes = [
            lane
            for lane in [*self.lineup.lanes, *self.lineup.others]
            if lane.give_up_after is not None and lane.hot_after == self.lineup.hot_after
        ]
        order = list(dict.fromkeys(lane.policy for lane in lanes))
        return sorted(lanes, key=lambda lane: (order.index(lane.policy), lane.give_up_after or 0))

    @cached_property
    def sweeps(self) -> list[Sweep]:
        return sweeps(self.lineup.of_all(), self.replay.prices)

    @property
    def crossings(self) -> list[Sweep]:
        return [sweep for sweep in self.sweeps if sweep.break_even is not None]

    @cached_property
    def charts(self) -> list[Chart]:
        """Where policies change places; and of the dispute, whether they do or not."""
        charts: list[Chart] = []
        for sweep in self.sweeps:
            if len(charts) < _CHARTS and (made := chart(sweep, self.listed(sweep))):
                if made.break_even is not None or sweep.is_dispute:
                    charts.append(made)
        return charts

    def listed(self, sweep: Sweep) -> float | None:
        """What the varied price is in the list that gives the others."""
        price = getattr(self.replay.prices.get(sweep.others), sweep.price, None)
        return price if isinstance(price, float) else None

    def cheaper(self, sweep: Sweep) -> tuple[str, str]:
        """The titles of the policies that cost less below and above the break-even."""
        below = sweep.cheaper_at_first
        if below is None:
            return "–", "–"
        above = sweep.b if below == sweep.a else sweep.a
        return self.lineup.title(below), self.lineup.title(above)

    @cached_property
    def spots(self) -> list[Spot]:
        """Of all programs together."""
        return _spots(self.programs)

    def told(self, spots: Sequence[Spot]) -> list[Spot]:
        """Those that are told with what to write instead: the ones that drop most."""
        return [spot for spot in spots if spot.dropped or spot.breaks][:_TOLD]

    def by_time(self, spots: Sequence[Spot]) -> list[Spot]:
        """Those that lost time, the most first: what is dropped and never called again costs none."""
        return sorted((spot for spot in spots if spot.recompiled), key=lambda spot: -(spot.recompiled or 0))[:_TOLD]

    def lost(self, spot: Spot, name: str) -> float:
        """At the prices of that list, in ns."""
        return self.replay.prices[name].lost(spot.recompiled or 0, self.lineup.hot_after)

    @property
    def objects(self) -> list[Spot]:
        """The worst, of all programs."""
        return _spots(self.programs, objects=True)

    @property
    def followed(self) -> str:
        return followed(self.replay.traces)

    @cached_property
    def origins(self) -> list[Origin]:
        return _origins(self.replay.traces)

    @property
    def blame(self) -> list[tuple[str, str]]:
        """The origins with all libraries as one, each with its share of the breaks."""
        sums: dict[str, int] = defaultdict(int)
        for trace in self.replay.traces:
            for name, cause in trace.causes.items():
                sums["libraries" if name.startswith(_LIBRARY) else name] += cause.breaks
        breaks = sum(sums.values())
        return [(name, share(sums[name], breaks)) for name in sorted(sums, key=lambda name: -sums[name]) if sums[name]]

    @property
    def at_startup(self) -> list[tuple[str, str]]:
        """The policies that dropped anything, each with the share of start-up."""
        return [
            (lane.title, share(lane.by_phase["startup"]["dropped"], lane.whole["dropped"]))
            for lane in self.lineup.lanes
            if lane.whole["dropped"]
        ]

    @cached_property
    def kinds(self) -> list[Kind]:
        """What a corpus expects of its programs; none if there is one kind only."""
        return self._grouped(lambda trace: trace.kind)

    @cached_property
    def ways(self) -> list[Kind]:
        """In which the programs of a corpus were chosen; none if there is one only."""
        return self._grouped(lambda trace: trace.chosen)

    def _grouped(self, by: Callable[[Replayed], str | None]) -> list[Kind]:
        groups: dict[str, list[Replayed]] = {}
        for trace in self.replay.traces:
            if (name := by(trace)) is not None:
                groups.setdefault(name, []).append(trace)
        kinds = [Kind(name, len(traces), Lineup(traces, self.lineup.choice)) for name, traces in groups.items()]
        return kinds if len(kinds) > 1 else []

    @property
    def of_which(self) -> str:
        """What stands in the captions of all tables of several programs: how these were chosen."""
        found = Counter(trace.chosen for trace in self.replay.traces if trace.chosen is not None)
        ways = ", ".join(f"{count(number)} {way}" for way, number in found.items())
        return f" of {counted(len(self.programs), 'program')} (chosen: {ways})" if ways else ""

    @cached_property
    def lives(self) -> Lives | None:
        """None: the programs' bins do not fit together."""
        return _lives(self.replay.traces)


def _added(totals: Sequence[Totals]) -> Totals:
    names = Totals.__struct_fields__
    return Totals(**{name: sum(getattr(of_one, name) for of_one in totals) for name in names})


def _spots(programs: Sequence[Program], objects: bool = False) -> list[Spot]:
    """The worst first."""
    spots: dict[tuple[str, ...], Spot] = {}
    for program in programs:
        for worst in program.trace.objects if objects else program.trace.facets:
            spot = Spot.of(worst)
            spots.setdefault((spot.name, spot.kind, spot.place, spot.cause), spot).add(program, worst)
    return sorted(spots.values(), key=lambda spot: (-spot.dropped, -spot.breaks))[:_FACETS]


def _origins(traces: Sequence[Replayed]) -> list[Origin]:
    """The greatest causes; what is left of them together, as one."""
    sums: dict[str, list[int]] = defaultdict(lambda: [0, 0, 0])
    for trace in traces:
        for name, cause in trace.causes.items():
            for column, number in enumerate((cause.changes, cause.breaks, cause.handles_hit)):
                sums[name][column] += number
    order = sorted(sums, key=lambda name: (-sums[name][1], -sums[name][0]))
    rows = [(name, sums[name]) for name in order[:_CAUSES]]
    if rest := order[_CAUSES:]:
        rows.append(
            (f"{len(rest)} others", [sum(column) for column in zip(*(sums[name] for name in rest), strict=True)])
        )
    breaks = sum(numbers[1] for numbers in sums.values())
    return [
        Origin(
            name,
            Cause(changes=numbers[0], breaks=numbers[1], handles_hit=numbers[2]),
            round(100 * numbers[1] / breaks, 2) if breaks else 0.0,
        )
        for name, numbers in rows
    ]


def _lives(traces: Sequence[Replayed]) -> Lives | None:
    """None if one has edges inside a bin of another. Each may have only the part of the bins that it needs."""
    lifetimes = [trace.lifetimes for trace in traces if any(trace.lifetimes.broken) or any(trace.lifetimes.still_held)]
    edges = sorted({edge for each in lifetimes for edge in each.edges})
    broken, held = [0] * max(0, len(edges) - 1), [0] * max(0, len(edges) - 1)
    for each in lifetimes:
        first = edges.index(each.edges[0])
        if edges[first : first + len(each.edges)] != each.edges:
            return None
        for number, (broke, kept) in enumerate(zip(each.broken, each.still_held, strict=True), first):
            broken[number] += broke
            held[number] += kept
    return Lives(
        strips=[strip("broke", broken), strip("never broke", held)],
        ticks=_edge_ticks(edges),
        broken=sum(broken),
        dependencies=sum(broken) + sum(held),
        median=_median(edges, broken),
    )


def _edge_ticks(edges: Sequence[float]) -> list[Tick]:
    """At the edges of bins that are drawn equally wide."""
    bins = max(1, len(edges) - 1)
    step = max(1, math.ceil(bins / _TICKS))
    return [Tick(round(100 * number / bins, 2), seconds(edges[number])) for number in range(0, len(edges), step)]


def _median(edges: Sequence[float], bins: Sequence[int]) -> str:
    half = sum(bins) / 2
    passed = 0
    for end, number in zip(edges[1:], bins, strict=True):
        passed += number
        if number and passed >= half:
            return seconds(end)
    return "–"
