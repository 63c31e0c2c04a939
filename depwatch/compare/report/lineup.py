"""The policies of all programs side by side: which variants are compared, and what each did in all."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from .replays import PHASES, Counts, Phase, Policy, Trace

HOT_AFTER: Final = 50  # what is compared first, where the replay has it
GIVE_UP_AFTER: Final = 6

COLUMNS: Final = {
    "dropped": "dropped",
    "needlessly": "needlessly",
    "resumed": "resumed",
    "recompiled": "recompiled",
    "patches": "patches",
    "deopts": "deopts",
    "revalidations": "revalidations",
    "guards": "guards run",
    "cold_calls": "cold calls",
}
EXPLAINED: Final = {
    "bulk_by_object": "Any change of an object drops all code that depends on something in it (proposal B of gh-91053).",
    "bulk_by_object_capped": "The same, but a dict that has changed too often is given up: code depends on it no more.",
    "bulk_by_facet": "Only a change of what the code used drops it: a name in a dict, an attribute, a function's code.",
    "bulk_by_facet_capped": "The same, but what has broken too often is given up.",
    "healing": "What depwatch does: the same, and code runs again, as it is, when a change has been undone.",
    "granular": "A change rewrites the places in the code that used the value (proposal A of gh-91053).",
    "granular_capped": "The same, but what has broken too often is given up.",
    "revalidation": "A change only marks the code; at its next call the values it recorded are compared with those of now.",
    "jettison": "Bulk by facet, safe for frames on the stack: every call in the dropped code is overwritten with an exit.",
    "cpython": "All of CPython's rule: bloom filters, which also drop code by mistake; dicts and builtins are given up.",
}


@dataclass(frozen=True)
class Lane:
    """One policy over all programs that have it."""

    policy: str
    title: str
    hot_after: int
    give_up_after: int | None
    programs: int
    by_phase: dict[Phase, dict[str, int]]  # sums of COLUMNS
    cold_share: dict[Phase, float]
    cost: dict[str, float]  # ns, by price list that all of the programs have
    unguarded_dependencies: int
    unguarded_functions: int
    unrelated_drops: int
    spread: frozenset[str]

    @property
    def whole(self) -> dict[str, int]:
        return self.by_phase["whole"]

    @property
    def explanation(self) -> str:
        return EXPLAINED.get(self.policy, "")

    @classmethod
    def of(cls, found: Sequence[tuple[Trace, Policy]]) -> "Lane":
        """From the same variant in each of these programs."""
        policies = [policy for _, policy in found]
        one = policies[0]
        lists = [name for name in one.cost if all(name in policy.cost for policy in policies)]
        return cls(
            policy=one.policy,
            title=one.title,
            hot_after=one.hot_after,
            give_up_after=one.give_up_after,
            programs=len(policies),
            by_phase={phase: _sums(policy.phase(phase) for policy in policies) for phase in PHASES},
            cold_share={phase: _cold_share(found, phase) for phase in PHASES},
            cost={name: sum(policy.cost[name] for policy in policies) for name in lists},
            unguarded_dependencies=sum(policy.unguarded.dependencies for policy in policies),
            unguarded_functions=sum(policy.unguarded.functions for policy in policies),
            unrelated_drops=sum(policy.unrelated_drops for policy in policies),
            spread=frozenset(name for policy in policies for name in policy.spread),
        )


class Lineup:
    """Which variant of each policy is shown first, and which besides."""

    def __init__(self, traces: Sequence[Trace], like: "Lineup | None" = None) -> None:
        self.traces = traces
        if like is not None:
            self.hot_after, self._limits, self.titles = like.hot_after, like._limits, like.titles
        else:
            self._choose()
        self.lanes = _lanes(traces, self._is_first)
        self.others = _lanes(traces, lambda policy: not self._is_first(policy))

    def _choose(self) -> None:
        found = [policy for trace in self.traces for policy in trace.policies]
        self.hot_after = _usual((policy.hot_after for policy in found), HOT_AFTER)
        self._limits = {
            name: _usual(
                (policy.give_up_after for policy in found if policy.policy == name and policy.hot_after == self.hot_after),
                GIVE_UP_AFTER,
            )
            for name in dict.fromkeys(policy.policy for policy in found if policy.hot_after == self.hot_after)
        }
        self.titles = {policy.policy: policy.title for policy in reversed(found)}
        self.titles |= {policy.policy: policy.title for policy in reversed(found) if self._is_first(policy)}

    def on(self, trace: Trace) -> "Lineup":
        """The same variants on one program."""
        return Lineup([trace], self)

    def _is_first(self, policy: Policy) -> bool:
        return (
            policy.hot_after == self.hot_after
            and policy.policy in self._limits
            and policy.give_up_after == self._limits[policy.policy]
        )

    def of_all(self) -> list[Lane]:
        """Only these can be compared: the others are sums over fewer programs."""
        return [lane for lane in self.lanes if lane.programs == len(self.traces)]

    def title(self, policy: str) -> str:
        return self.titles.get(policy, policy)


def _lanes(traces: Sequence[Trace], wanted: Callable[[Policy], bool]) -> list[Lane]:
    found: dict[tuple[str, int, int | None], list[tuple[Trace, Policy]]] = {}
    for trace in traces:
        for policy in filter(wanted, trace.policies):
            found.setdefault(policy.variant, []).append((trace, policy))
    return [Lane.of(of_one) for of_one in found.values()]


def _sums(counts: Iterable[Counts]) -> dict[str, int]:
    sums = dict.fromkeys(COLUMNS, 0)
    for of_one in counts:
        for column in sums:
            sums[column] += getattr(of_one, column)
    return sums


def _cold_share(found: Sequence[tuple[Trace, Policy]], phase: Phase) -> float:
    """Of all calls of these programs."""
    calls = sum(trace.totals[phase].calls for trace, _ in found)
    cold = sum(policy.phase(phase).cold_share * trace.totals[phase].calls for trace, policy in found)
    return cold / calls if calls else 0.0


def _usual[T](values: Iterable[T], preferred: T) -> T:
    found = Counter(values)
    return preferred if preferred in found else found.most_common(1)[0][0]
