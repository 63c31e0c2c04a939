"""The policies of all programs side by side: which variants are compared, and what each did in all."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from depwatch.compare.counts import COUNTS
from depwatch.compare.policies import GIVE_UP_AFTER, HOT_AFTER, POLICIES
from depwatch.compare.replay.result import PHASES, Counts, Outcome, Phase, Replayed

# The filter's mistakes have a column elsewhere.
COLUMNS: Final = {name: counted for name, counted in COUNTS.items() if name != "false_drops"}


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
    false_drops: int
    spread: frozenset[str]

    @property
    def whole(self) -> dict[str, int]:
        return self.by_phase["whole"]

    @property
    def explanation(self) -> str:
        return POLICIES[self.policy].explained if self.policy in POLICIES else ""

    @classmethod
    def of(cls, found: Sequence[tuple[Replayed, Outcome]]) -> "Lane":
        """From the same variant in each of these programs."""
        policies = [policy for _, policy in found]
        one = policies[0]
        lists = [name for name in one.cost if all(name in policy.cost for policy in policies)]
        return cls(
            policy=one.policy,
            title=_name(one),
            hot_after=one.hot_after,
            give_up_after=one.give_up_after,
            programs=len(policies),
            by_phase={phase: _sums(policy.phase(phase) for policy in policies) for phase in PHASES},
            cold_share={phase: _cold_share(found, phase) for phase in PHASES},
            cost={name: sum(policy.cost[name] for policy in policies) for name in lists},
            unguarded_dependencies=sum(policy.unguarded.dependencies for policy in policies),
            unguarded_functions=sum(policy.unguarded.functions for policy in policies),
            unrelated_drops=sum(policy.unrelated_drops for policy in policies),
            false_drops=sum(policy.whole.false_drops for policy in policies),
            spread=frozenset(name for policy in policies for name in policy.spread),
        )


@dataclass(frozen=True)
class Choice:
    """Which variant of each policy is shown first."""

    hot_after: int
    limits: dict[str, int | None]  # by policy
    titles: dict[str, str]

    @classmethod
    def among(cls, found: Sequence[Outcome]) -> "Choice":
        hot_after = _usual((policy.hot_after for policy in found), HOT_AFTER)
        limits: dict[str, list[int | None]] = {}
        for policy in found:
            if policy.hot_after == hot_after:
                limits.setdefault(policy.policy, []).append(policy.give_up_after)
        chosen = cls(hot_after, {name: _usual(tried, GIVE_UP_AFTER) for name, tried in limits.items()}, {})
        for policy in found:
            if chosen.has(policy) or policy.policy not in chosen.titles:
                chosen.titles[policy.policy] = _name(policy)
        return chosen

    def has(self, policy: Outcome) -> bool:
        return (
            policy.hot_after == self.hot_after
            and policy.policy in self.limits
            and policy.give_up_after == self.limits[policy.policy]
        )


class Lineup:
    """The policies on some programs: those that are shown first, and the other variants."""

    def __init__(self, traces: Sequence[Replayed], choice: Choice | None = None) -> None:
        self.traces = traces
        self.choice = choice or Choice.among([policy for trace in traces for policy in trace.policies])
        self.lanes = _lanes(traces, self.choice.has)
        self.others = _lanes(traces, lambda policy: not self.choice.has(policy))

    @property
    def hot_after(self) -> int:
        return self.choice.hot_after

    def on(self, trace: Replayed) -> "Lineup":
        """The same variants on one program."""
        return Lineup([trace], self.choice)

    def lane(self, policy: str) -> Lane | None:
        return next((lane for lane in self.lanes if lane.policy == policy), None)

    def of_all(self) -> list[Lane]:
        """Only these can be compared: the others are sums over fewer programs."""
        return [lane for lane in self.lanes if lane.programs == len(self.traces)]

    def title(self, policy: str) -> str:
        return self.choice.titles.get(policy, policy)


def _name(policy: Outcome) -> str:
    """For a policy that this page does not know, or not without a limit: what the replay calls it."""
    name = POLICIES[policy.policy].title_after(policy.give_up_after) if policy.policy in POLICIES else ""
    return name or policy.title.strip()


def _lanes(traces: Sequence[Replayed], wanted: Callable[[Outcome], bool]) -> list[Lane]:
    found: dict[tuple[str, int, int | None], list[tuple[Replayed, Outcome]]] = {}
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


def _cold_share(found: Sequence[tuple[Replayed, Outcome]], phase: Phase) -> float:
    """Of all calls of these programs."""
    calls = sum(trace.totals[phase].calls for trace, _ in found)
    cold = sum(policy.phase(phase).cold_share * trace.totals[phase].calls for trace, policy in found)
    return cold / calls if calls else 0.0


def _usual[T](values: Iterable[T], preferred: T) -> T:
    """The preferred one if it is among them, else the one that is there most often."""
    found = Counter(values)
    return preferred if preferred in found else found.most_common(1)[0][0]
